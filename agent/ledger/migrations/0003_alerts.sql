-- What outlives the process of the alerts of rules; groups without alerts have no rows. Times in milliseconds since
-- the Unix epoch.

-- `group_key` is a JSON string, as a path may hold what is no UTF-8. `seen_at_ms`: the group's last evaluation.
CREATE TABLE alert_group (
    group_key TEXT PRIMARY KEY,
    seen_at_ms NOT NULL
) WITHOUT ROWID;

-- `labels` and `annotations` are JSON objects, keys sorted. Both values that may change with each evaluation,
-- `annotations` and `value` (NULL: not a number), are those of when another column last changed.
CREATE TABLE alert (
    group_key TEXT NOT NULL REFERENCES alert_group (group_key),
    rule TEXT NOT NULL,
    labels TEXT NOT NULL,
    state TEXT NOT NULL,
    active_at_ms NOT NULL,
    fired_at_ms,
    resolved_at_ms,
    keep_firing_since_ms,
    annotations TEXT NOT NULL,
    value REAL,
    PRIMARY KEY (group_key, rule, labels)
) WITHOUT ROWID;
