-- Who used the devices: workloads, and services with their tokens. What identifies them comes from outside; a text
-- that is no Unicode is kept as a blob.

-- `names` is a JSON object, empty text where there are none. `last_hour` is the newest in workload_hourly, -1 for none.
CREATE TABLE workload (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    identity TEXT NOT NULL,
    title TEXT NOT NULL,
    names TEXT NOT NULL,
    last_hour INTEGER NOT NULL DEFAULT -1,
    UNIQUE (kind, identity)
);
CREATE INDEX workload_last_hour ON workload (last_hour);

CREATE TABLE workload_total (
    workload INTEGER NOT NULL REFERENCES workload (id),
    device INTEGER NOT NULL REFERENCES device (id),
    state TEXT NOT NULL,
    method TEXT NOT NULL,
    energy_mj NOT NULL,
    duration_ns NOT NULL,
    avoidable_mj NOT NULL,
    last_wall_ns NOT NULL,
    PRIMARY KEY (workload, device, state, method)
) WITHOUT ROWID;

CREATE TABLE workload_hourly (
    hour INTEGER NOT NULL,
    device INTEGER NOT NULL REFERENCES device (id),
    workload INTEGER NOT NULL REFERENCES workload (id),
    state TEXT NOT NULL,
    energy_mj NOT NULL,
    duration_ns NOT NULL,
    avoidable_mj NOT NULL,
    PRIMARY KEY (hour, device, workload, state)
) WITHOUT ROWID;

-- `model` is empty where a service has several and counts for all of them.
CREATE TABLE service (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    model TEXT NOT NULL,
    UNIQUE (name, model)
);

CREATE TABLE service_total (
    service INTEGER PRIMARY KEY REFERENCES service (id),
    active_mj NOT NULL,
    total_mj NOT NULL,
    preemptions NOT NULL,
    drafts_wasted NOT NULL,
    last_wall_ns NOT NULL
);

CREATE TABLE service_phase (
    service INTEGER NOT NULL REFERENCES service (id),
    phase TEXT NOT NULL,
    energy_mj NOT NULL,
    PRIMARY KEY (service, phase)
) WITHOUT ROWID;

CREATE TABLE service_tokens (
    service INTEGER NOT NULL REFERENCES service (id),
    kind TEXT NOT NULL,
    tokens NOT NULL,
    PRIMARY KEY (service, kind)
) WITHOUT ROWID;

-- `active_mj` is part of `energy_mj`.
CREATE TABLE service_hourly (
    hour INTEGER NOT NULL,
    service INTEGER NOT NULL REFERENCES service (id),
    phase TEXT NOT NULL,
    energy_mj NOT NULL,
    duration_ns NOT NULL,
    active_mj NOT NULL,
    PRIMARY KEY (hour, service, phase)
) WITHOUT ROWID;

CREATE TABLE service_hourly_tokens (
    hour INTEGER NOT NULL,
    service INTEGER NOT NULL REFERENCES service (id),
    kind TEXT NOT NULL,
    tokens NOT NULL,
    PRIMARY KEY (hour, service, kind)
) WITHOUT ROWID;

-- For people: joules, seconds and readable hours.
CREATE VIEW workload_totals AS
SELECT
    device.uuid,
    workload.kind,
    workload.title AS workload,
    workload.names,
    workload_total.state,
    workload_total.method,
    workload_total.energy_mj / 1e3 AS energy_joules,
    workload_total.duration_ns / 1e9 AS seconds,
    workload_total.avoidable_mj / 1e3 AS avoidable_joules
FROM workload_total
INNER JOIN workload ON workload.id = workload_total.workload
INNER JOIN device ON device.id = workload_total.device;

CREATE VIEW workload_history AS
SELECT
    strftime('%Y-%m-%dT%H:00:00Z', workload_hourly.hour * 3600, 'unixepoch') AS utc_hour,
    device.uuid,
    workload.kind,
    workload.title AS workload,
    workload.names,
    workload_hourly.state,
    workload_hourly.energy_mj / 1e3 AS energy_joules,
    workload_hourly.duration_ns / 1e9 AS seconds,
    workload_hourly.avoidable_mj / 1e3 AS avoidable_joules
FROM workload_hourly
INNER JOIN workload ON workload.id = workload_hourly.workload
INNER JOIN device ON device.id = workload_hourly.device;

CREATE VIEW service_totals AS
SELECT
    service.name AS service,
    service.model,
    service_total.active_mj / 1e3 AS active_joules,
    service_total.total_mj / 1e3 AS total_joules,
    (SELECT service_tokens.tokens FROM service_tokens WHERE service_tokens.service = service.id AND kind = 'prompt') AS prompt_tokens,
    (SELECT service_tokens.tokens FROM service_tokens WHERE service_tokens.service = service.id AND kind = 'output') AS output_tokens
FROM service_total
INNER JOIN service ON service.id = service_total.service;

CREATE VIEW service_history AS
SELECT
    strftime('%Y-%m-%dT%H:00:00Z', service_hourly.hour * 3600, 'unixepoch') AS utc_hour,
    service.name AS service,
    service.model,
    service_hourly.phase,
    service_hourly.energy_mj / 1e3 AS energy_joules,
    service_hourly.active_mj / 1e3 AS active_joules,
    service_hourly.duration_ns / 1e9 AS seconds
FROM service_hourly
INNER JOIN service ON service.id = service_hourly.service;

CREATE VIEW token_history AS
SELECT
    strftime('%Y-%m-%dT%H:00:00Z', service_hourly_tokens.hour * 3600, 'unixepoch') AS utc_hour,
    service.name AS service,
    service.model,
    service_hourly_tokens.kind,
    service_hourly_tokens.tokens
FROM service_hourly_tokens
INNER JOIN service ON service.id = service_hourly_tokens.service;
