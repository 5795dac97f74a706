-- Version 14: rows and probes may have a second text. Never edited once released.

ALTER TABLE predictions ADD COLUMN text_pair TEXT; -- NULL: the model reads one text

CREATE TABLE probes_of_pairs (
    run           TEXT NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    phase         TEXT NOT NULL,
    step          INTEGER NOT NULL,
    text          TEXT NOT NULL,
    text_pair     TEXT NOT NULL DEFAULT '', -- '': none; a command of an older version, still running, does not know it
    expect        TEXT NOT NULL, -- '': none
    predicted     TEXT NOT NULL,
    probabilities TEXT NOT NULL, -- JSON array in the order of the labels' ids
    PRIMARY KEY (run, phase, step, text, text_pair, expect)
) STRICT, WITHOUT ROWID;

INSERT INTO probes_of_pairs SELECT run, phase, step, text, '', expect, predicted, probabilities FROM probes;

DROP TABLE probes;
ALTER TABLE probes_of_pairs RENAME TO probes;

-- The kept weights have one score: a second one replaces the first, whichever step they are of.
CREATE UNIQUE INDEX probes_after ON probes (run, text, text_pair, expect) WHERE phase = 'after';
