-- Version 3: warnings of a run. Never edited once released.

CREATE TABLE warnings (
    id      INTEGER PRIMARY KEY,
    run     TEXT NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    kind    TEXT NOT NULL, -- data_file, labels, split, tokens, model, sweep, result
    message TEXT NOT NULL,
    lines   TEXT NOT NULL, -- JSON array: lines of the data file
    UNIQUE (run, kind, message) -- a resumed run warns again
) STRICT;
