-- Version 8: the metrics of an evaluation are rows, so that a new metric needs no column. Never edited once released.

CREATE TABLE metrics (
    run    TEXT NOT NULL,
    phase  TEXT NOT NULL,
    step   INTEGER NOT NULL,
    split  TEXT NOT NULL,
    metric TEXT NOT NULL, -- loss, accuracy, macro_f1, calibration_error
    value  REAL,          -- NULL: undefined, or not a number
    PRIMARY KEY (run, phase, step, split, metric),
    FOREIGN KEY (run, phase, step, split) REFERENCES evals (run, phase, step, split) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

INSERT INTO metrics SELECT run, phase, step, split, 'loss', loss FROM evals;
INSERT INTO metrics SELECT run, phase, step, split, 'accuracy', accuracy FROM evals;
INSERT INTO metrics SELECT run, phase, step, split, 'macro_f1', macro_f1 FROM evals;
INSERT INTO metrics SELECT run, phase, step, split, 'calibration_error', calibration_error FROM evals;

ALTER TABLE evals DROP COLUMN loss;
ALTER TABLE evals DROP COLUMN accuracy;
ALTER TABLE evals DROP COLUMN macro_f1;
ALTER TABLE evals DROP COLUMN calibration_error;
