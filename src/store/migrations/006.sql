-- Version 6: the files of the model that a run kept. Never edited once released.

CREATE TABLE kept_files (
    run         TEXT NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    name        TEXT NOT NULL, -- in the model's folder
    bytes       INTEGER NOT NULL,
    sha256      TEXT NOT NULL,
    modified_ns INTEGER,       -- Unix time, in nanoseconds
    PRIMARY KEY (run, name)
) STRICT, WITHOUT ROWID;
