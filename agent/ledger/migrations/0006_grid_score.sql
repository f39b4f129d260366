-- What of an hour's load counts in the 24/7 score with the carbon-free share of the grid, and how much load that is of:
-- none where the share is not known. `factor` says whose share it is (accounting 'carbon_free', its words in `source`).
CREATE TABLE hour_grid_score (
    hour INTEGER NOT NULL,
    final INTEGER NOT NULL,
    factor INTEGER NOT NULL REFERENCES factor (id),
    energy_mj NOT NULL,
    covered_mj NOT NULL,
    PRIMARY KEY (hour, final)
) WITHOUT ROWID;
