-- Version 18: what was predicted of the tested rows before training. Never edited once released.

-- One value for many rows of a run, since SQLite limits the size of a value: their texts and labels are in `predictions`.
CREATE TABLE predictions_before (
    run    TEXT NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    split  TEXT NOT NULL,
    part   INTEGER NOT NULL, -- from 0
    rows   INTEGER NOT NULL,
    packed BLOB NOT NULL, -- see src/store/packed.rs
    PRIMARY KEY (run, split, part)
) STRICT;
