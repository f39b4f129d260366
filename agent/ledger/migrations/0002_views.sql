-- For people: joules, seconds and readable hours.
CREATE VIEW totals AS
SELECT
    device.uuid,
    device.name,
    state_total.state,
    state_total.energy_mj / 1e3 AS energy_joules,
    state_total.duration_ns / 1e9 AS seconds
FROM state_total
INNER JOIN device ON device.id = state_total.device;

CREATE VIEW history AS
SELECT
    strftime('%Y-%m-%dT%H:00:00Z', hourly.hour * 3600, 'unixepoch') AS utc_hour,
    device.uuid,
    hourly.state,
    hourly.energy_mj / 1e3 AS energy_joules,
    hourly.duration_ns / 1e9 AS seconds,
    hourly.avoidable_mj / 1e3 AS avoidable_joules
FROM hourly
INNER JOIN device ON device.id = hourly.device;
