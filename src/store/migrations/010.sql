-- Version 10: what searches proposed from results, and to which trial each run of a plan belongs. Never edited once released.

CREATE TABLE proposals (
    experiment TEXT NOT NULL,
    search     TEXT NOT NULL,    -- SHA-256 in hex: what decides on its points, beside the results
    position   INTEGER NOT NULL, -- of the trial among those that are not drawn at random
    point      TEXT NOT NULL,    -- JSON array: for each axis the values of its keys, or null
    PRIMARY KEY (experiment, search, position)
) STRICT, WITHOUT ROWID;

ALTER TABLE experiment_runs ADD COLUMN trial INTEGER; -- NULL in plans of before
