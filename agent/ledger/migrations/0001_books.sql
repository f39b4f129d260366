-- 0x57617474, "Watt": tells a ledger from any other SQLite file.
PRAGMA application_id = 1466004596;

-- Energy in millijoules, time in nanoseconds, wall time since the Unix epoch. Columns without a type hold whole
-- numbers; one that does not fit 64 signed bits is kept as its decimal text, so that none is rounded.

-- One row: which ledger this is, and how many commits it has seen.
CREATE TABLE book (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    created_wall_ns INTEGER NOT NULL,
    commits INTEGER NOT NULL,
    last_commit_wall_ns INTEGER
);

CREATE TABLE device (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL DEFAULT '',
    avoidable_mj NOT NULL DEFAULT 0,
    unknown_ns NOT NULL DEFAULT 0,
    counter_resets NOT NULL DEFAULT 0,
    rejected_segments NOT NULL DEFAULT 0
);

CREATE TABLE state_total (
    device INTEGER NOT NULL REFERENCES device (id),
    state TEXT NOT NULL,
    energy_mj NOT NULL,
    duration_ns NOT NULL,
    PRIMARY KEY (device, state)
) WITHOUT ROWID;

CREATE TABLE method_total (
    device INTEGER NOT NULL REFERENCES device (id),
    method TEXT NOT NULL,
    energy_mj NOT NULL,
    PRIMARY KEY (device, method)
) WITHOUT ROWID;

-- The last reading that energy was booked up to.
CREATE TABLE anchor (
    device INTEGER PRIMARY KEY REFERENCES device (id),
    mono_ns NOT NULL,
    wall_ns NOT NULL,
    boot_id TEXT NOT NULL,
    driver_version TEXT NOT NULL,
    counter_mj,
    uptime_seconds
);

-- Hardware counters carried on over their resets.
CREATE TABLE counter (
    device INTEGER NOT NULL REFERENCES device (id),
    quantity TEXT NOT NULL,
    total NOT NULL,
    last_raw NOT NULL,
    PRIMARY KEY (device, quantity)
) WITHOUT ROWID;

CREATE TABLE xid (
    device INTEGER NOT NULL REFERENCES device (id),
    xid NOT NULL,
    count NOT NULL,
    last_wall_ns NOT NULL,
    PRIMARY KEY (device, xid)
) WITHOUT ROWID;

CREATE TABLE baseline (
    device INTEGER NOT NULL REFERENCES device (id),
    kind TEXT NOT NULL,
    origin TEXT NOT NULL,
    power_mw NOT NULL,
    samples NOT NULL,
    learnt_wall_ns NOT NULL,
    driver_version TEXT NOT NULL,
    vbios_version TEXT NOT NULL,
    temperature_celsius REAL,
    sm_clock_hz,
    PRIMARY KEY (device, kind)
) WITHOUT ROWID;

-- `hour` counts UTC hours since the Unix epoch. It leads the key: new rows are appended, old ones go page by page.
CREATE TABLE hourly (
    hour INTEGER NOT NULL,
    device INTEGER NOT NULL REFERENCES device (id),
    state TEXT NOT NULL,
    energy_mj NOT NULL,
    duration_ns NOT NULL,
    avoidable_mj NOT NULL,
    PRIMARY KEY (hour, device, state)
) WITHOUT ROWID;
