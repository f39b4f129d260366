-- What energy came to: grams by two methods, and money. A product is millijoules times micrograms (or millionths of
-- the currency) per kWh, undivided: 3.6e15 of it are a gram (or one of the currency). `..._covered_mj` and `priced_mj`
-- are the energy that a value was known for; NULL says all of it, which saves a sixth of the history.

-- While an hour is open, its history is kept by the quarter hour: `slot` counts those since the Unix epoch. When it
-- closes, its rows get their prices, are added to the hourly tables, and go from here.
CREATE TABLE open_device (
    slot INTEGER NOT NULL,
    device INTEGER NOT NULL REFERENCES device (id),
    state TEXT NOT NULL,
    energy_mj NOT NULL,
    duration_ns NOT NULL,
    avoidable_mj NOT NULL,
    PRIMARY KEY (slot, device, state)
) WITHOUT ROWID;

CREATE TABLE open_workload (
    slot INTEGER NOT NULL,
    device INTEGER NOT NULL REFERENCES device (id),
    workload INTEGER NOT NULL REFERENCES workload (id),
    state TEXT NOT NULL,
    energy_mj NOT NULL,
    duration_ns NOT NULL,
    avoidable_mj NOT NULL,
    PRIMARY KEY (slot, device, workload, state)
) WITHOUT ROWID;

CREATE TABLE open_service (
    slot INTEGER NOT NULL,
    service INTEGER NOT NULL REFERENCES service (id),
    phase TEXT NOT NULL,
    energy_mj NOT NULL,
    duration_ns NOT NULL,
    active_mj NOT NULL,
    PRIMARY KEY (slot, service, phase)
) WITHOUT ROWID;

-- What meters of the node counted in an open hour, and how much of the time they cover.
CREATE TABLE open_meter (
    slot INTEGER NOT NULL,
    domain TEXT NOT NULL,
    source TEXT NOT NULL,
    energy_mj NOT NULL,
    covered_ns NOT NULL,
    PRIMARY KEY (slot, domain, source)
) WITHOUT ROWID;

-- Meters of the node, carried on over their restarts; from `mono_ns` on the last reading that energy is booked up to.
CREATE TABLE node_total (
    domain TEXT NOT NULL,
    source TEXT NOT NULL,
    energy_mj NOT NULL,
    rest_half_pj NOT NULL,
    unmetered_ns NOT NULL,
    resets NOT NULL,
    mono_ns,
    wall_ns,
    boot_id TEXT,
    energy_uj,
    power_mw,
    period_ns,
    PRIMARY KEY (domain, source)
) WITHOUT ROWID;

ALTER TABLE hourly ADD COLUMN location NOT NULL DEFAULT 0;
ALTER TABLE hourly ADD COLUMN location_covered_mj DEFAULT 0;
ALTER TABLE hourly ADD COLUMN market NOT NULL DEFAULT 0;
ALTER TABLE hourly ADD COLUMN market_covered_mj DEFAULT 0;
ALTER TABLE hourly ADD COLUMN cost NOT NULL DEFAULT 0;
ALTER TABLE hourly ADD COLUMN credit NOT NULL DEFAULT 0;
ALTER TABLE hourly ADD COLUMN priced_mj DEFAULT 0;

ALTER TABLE workload_hourly ADD COLUMN location NOT NULL DEFAULT 0;
ALTER TABLE workload_hourly ADD COLUMN location_covered_mj DEFAULT 0;
ALTER TABLE workload_hourly ADD COLUMN market NOT NULL DEFAULT 0;
ALTER TABLE workload_hourly ADD COLUMN market_covered_mj DEFAULT 0;
ALTER TABLE workload_hourly ADD COLUMN cost NOT NULL DEFAULT 0;
ALTER TABLE workload_hourly ADD COLUMN credit NOT NULL DEFAULT 0;
ALTER TABLE workload_hourly ADD COLUMN priced_mj DEFAULT 0;

ALTER TABLE service_hourly ADD COLUMN location NOT NULL DEFAULT 0;
ALTER TABLE service_hourly ADD COLUMN location_covered_mj DEFAULT 0;
ALTER TABLE service_hourly ADD COLUMN market NOT NULL DEFAULT 0;
ALTER TABLE service_hourly ADD COLUMN market_covered_mj DEFAULT 0;
ALTER TABLE service_hourly ADD COLUMN cost NOT NULL DEFAULT 0;
ALTER TABLE service_hourly ADD COLUMN credit NOT NULL DEFAULT 0;
ALTER TABLE service_hourly ADD COLUMN priced_mj DEFAULT 0;

-- The host's hours at each boundary that is known. `final` is 1 for what is closed of an hour, 0 for what is open: an
-- hour that late energy opened again has both, and came to their sum.
CREATE TABLE hour_price (
    hour INTEGER NOT NULL,
    final INTEGER NOT NULL,
    boundary TEXT NOT NULL,
    energy_mj NOT NULL,
    location NOT NULL,
    location_covered_mj,
    market NOT NULL,
    market_covered_mj,
    cost NOT NULL,
    credit NOT NULL,
    priced_mj,
    currency TEXT NOT NULL,
    PRIMARY KEY (hour, final, boundary)
) WITHOUT ROWID;

-- A factor that some hour was priced with. `caliber` is its words, parted by commas: signal, factors, gas, basis,
-- accounting. `source` cites where the number stands.
CREATE TABLE factor (
    id INTEGER PRIMARY KEY,
    accounting TEXT NOT NULL,
    zone TEXT NOT NULL,
    provider TEXT NOT NULL,
    caliber TEXT NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    UNIQUE (accounting, zone, provider, caliber, kind, source)
);

-- How much of an hour was priced with which factor: where its grams come from. `place` is the order of the rows,
-- `level` the place of the feed in its list.
CREATE TABLE hour_factor (
    hour INTEGER NOT NULL,
    final INTEGER NOT NULL,
    place INTEGER NOT NULL,
    factor INTEGER NOT NULL REFERENCES factor (id),
    level NOT NULL,
    energy_mj NOT NULL,
    product NOT NULL,
    PRIMARY KEY (hour, final, place)
) WITHOUT ROWID;

-- How much of an hour's load each source of the supply covered, and whether that counts in the green share and in the
-- 24/7 score.
CREATE TABLE hour_supply (
    hour INTEGER NOT NULL,
    final INTEGER NOT NULL,
    place INTEGER NOT NULL,
    layer TEXT NOT NULL,
    name TEXT NOT NULL,
    energy_mj NOT NULL,
    is_green INTEGER NOT NULL,
    is_matched INTEGER NOT NULL,
    PRIMARY KEY (hour, final, place)
) WITHOUT ROWID;

-- Counters of the host. `labels` is a JSON list. `closed` is what hours that closed came to, `shown` the highest that
-- was ever shown.
CREATE TABLE price_total (
    kind TEXT NOT NULL,
    labels TEXT NOT NULL,
    closed NOT NULL,
    shown NOT NULL,
    PRIMARY KEY (kind, labels)
) WITHOUT ROWID;

CREATE TABLE certificate (
    lot TEXT PRIMARY KEY,
    used_mj NOT NULL
) WITHOUT ROWID;

-- For people: joules, seconds, grams, money and readable hours; NULL where no value was known, or the hour is open.
DROP VIEW history;
CREATE VIEW history AS
SELECT
    strftime('%Y-%m-%dT%H:00:00Z', cell.hour * 3600, 'unixepoch') AS utc_hour,
    device.uuid,
    cell.state,
    sum(cell.energy_mj / 1e3) AS energy_joules,
    sum(cell.duration_ns / 1e9) AS seconds,
    sum(cell.avoidable_mj / 1e3) AS avoidable_joules,
    sum(CASE WHEN cell.location_covered_mj IS 0 THEN NULL ELSE cell.location / 3.6e15 END) AS location_grams,
    sum(CASE WHEN cell.market_covered_mj IS 0 THEN NULL ELSE cell.market / 3.6e15 END) AS market_grams,
    sum(CASE WHEN cell.priced_mj IS 0 THEN NULL ELSE (cell.cost / 3.6e15) - (cell.credit / 3.6e15) END) AS cost
FROM (
    SELECT
        hour, device, state, energy_mj, duration_ns, avoidable_mj,
        location, location_covered_mj, market, market_covered_mj, cost, credit, priced_mj
    FROM hourly
    UNION ALL
    SELECT slot >> 2, device, state, energy_mj, duration_ns, avoidable_mj, 0, 0, 0, 0, 0, 0, 0 FROM open_device
) AS cell
INNER JOIN device ON device.id = cell.device
GROUP BY cell.hour, cell.device, cell.state;

DROP VIEW workload_history;
CREATE VIEW workload_history AS
SELECT
    strftime('%Y-%m-%dT%H:00:00Z', cell.hour * 3600, 'unixepoch') AS utc_hour,
    device.uuid,
    workload.kind,
    workload.title AS workload,
    workload.names,
    cell.state,
    sum(cell.energy_mj / 1e3) AS energy_joules,
    sum(cell.duration_ns / 1e9) AS seconds,
    sum(cell.avoidable_mj / 1e3) AS avoidable_joules,
    sum(CASE WHEN cell.location_covered_mj IS 0 THEN NULL ELSE cell.location / 3.6e15 END) AS location_grams,
    sum(CASE WHEN cell.market_covered_mj IS 0 THEN NULL ELSE cell.market / 3.6e15 END) AS market_grams,
    sum(CASE WHEN cell.priced_mj IS 0 THEN NULL ELSE (cell.cost / 3.6e15) - (cell.credit / 3.6e15) END) AS cost
FROM (
    SELECT
        hour, device, workload, state, energy_mj, duration_ns, avoidable_mj,
        location, location_covered_mj, market, market_covered_mj, cost, credit, priced_mj
    FROM workload_hourly
    UNION ALL
    SELECT slot >> 2, device, workload, state, energy_mj, duration_ns, avoidable_mj, 0, 0, 0, 0, 0, 0, 0
    FROM open_workload
) AS cell
INNER JOIN workload ON workload.id = cell.workload
INNER JOIN device ON device.id = cell.device
GROUP BY cell.hour, cell.device, cell.workload, cell.state;

DROP VIEW service_history;
CREATE VIEW service_history AS
SELECT
    strftime('%Y-%m-%dT%H:00:00Z', cell.hour * 3600, 'unixepoch') AS utc_hour,
    service.name AS service,
    service.model,
    cell.phase,
    sum(cell.energy_mj / 1e3) AS energy_joules,
    sum(cell.active_mj / 1e3) AS active_joules,
    sum(cell.duration_ns / 1e9) AS seconds,
    sum(CASE WHEN cell.location_covered_mj IS 0 THEN NULL ELSE cell.location / 3.6e15 END) AS location_grams,
    sum(CASE WHEN cell.market_covered_mj IS 0 THEN NULL ELSE cell.market / 3.6e15 END) AS market_grams,
    sum(CASE WHEN cell.priced_mj IS 0 THEN NULL ELSE (cell.cost / 3.6e15) - (cell.credit / 3.6e15) END) AS cost
FROM (
    SELECT
        hour, service, phase, energy_mj, duration_ns, active_mj,
        location, location_covered_mj, market, market_covered_mj, cost, credit, priced_mj
    FROM service_hourly
    UNION ALL
    SELECT slot >> 2, service, phase, energy_mj, duration_ns, active_mj, 0, 0, 0, 0, 0, 0, 0 FROM open_service
) AS cell
INNER JOIN service ON service.id = cell.service
GROUP BY cell.hour, cell.service, cell.phase;

CREATE VIEW price_history AS
SELECT
    strftime('%Y-%m-%dT%H:00:00Z', hour * 3600, 'unixepoch') AS utc_hour,
    boundary,
    sum(energy_mj / 1e3) AS energy_joules,
    sum(CASE WHEN location_covered_mj IS 0 THEN NULL ELSE location / 3.6e15 END) AS location_grams,
    sum(CASE WHEN market_covered_mj IS 0 THEN NULL ELSE market / 3.6e15 END) AS market_grams,
    sum(CASE WHEN priced_mj IS 0 THEN NULL ELSE (cost / 3.6e15) - (credit / 3.6e15) END) AS cost,
    max(currency) AS currency,
    min(final) AS final
FROM hour_price
GROUP BY hour, boundary;
