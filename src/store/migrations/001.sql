-- Version 1. Never edited once released: changes go into a new file.
--
-- Child tables carry the run's whole key, not a number, so that a query by hand needs no join. WITHOUT ROWID keeps that
-- key in one tree instead of a table and an index. Times are Unix seconds. REAL columns that hold measurements may be
-- NULL: that is how SQLite stores NaN, and a diverged loss has to be stored too.

CREATE TABLE experiments (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    spec_path   TEXT NOT NULL,
    arguments   TEXT NOT NULL, -- JSON array
    spec_text   TEXT NOT NULL,
    report      TEXT NOT NULL, -- JSON
    saved_at    REAL NOT NULL
) STRICT;

CREATE TABLE runs (
    id              INTEGER PRIMARY KEY, -- order of registration
    key             TEXT NOT NULL UNIQUE,
    name            TEXT NOT NULL,       -- in the experiment that planned it first
    experiment      TEXT NOT NULL,       -- the one that planned it first
    state           TEXT NOT NULL,       -- pending, running, completed, failed, interrupted
    failure         TEXT,                -- error, oom, diverged, crashed
    message         TEXT,
    config          TEXT NOT NULL,       -- JSON
    labels          TEXT NOT NULL,       -- JSON array
    environment     TEXT,                -- JSON
    total_steps     INTEGER NOT NULL,
    steps_per_epoch INTEGER,
    rows_train      INTEGER,
    rows_dev        INTEGER,
    rows_test       INTEGER,
    parameters      INTEGER,
    at_step         INTEGER NOT NULL DEFAULT 0, -- where training stands; behind `steps` while steps are made again
    checkpoint_step INTEGER,                    -- where it would go on from
    steps           INTEGER NOT NULL DEFAULT 0, -- rows in `steps`: counted here so that a listing reads no steps
    last_loss       REAL,                       -- loss of the step stored last
    created_at      REAL NOT NULL,
    started_at      REAL,
    finished_at     REAL
) STRICT;

-- A run belongs to every experiment that plans it. `run` may name a run that is not registered yet.
CREATE TABLE experiment_runs (
    experiment TEXT NOT NULL REFERENCES experiments (name) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    run        TEXT NOT NULL,
    name       TEXT NOT NULL, -- what tells the run from its siblings there
    PRIMARY KEY (experiment, position),
    UNIQUE (experiment, run)
) STRICT, WITHOUT ROWID;

CREATE TABLE steps (
    run       TEXT NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    step      INTEGER NOT NULL,
    epoch     INTEGER NOT NULL,
    loss      REAL,
    lr        REAL,
    grad_norm REAL,
    tokens    INTEGER NOT NULL,
    elapsed_s REAL,
    PRIMARY KEY (run, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE evals (
    run               TEXT NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    phase             TEXT NOT NULL, -- before, during, after
    step              INTEGER NOT NULL,
    split             TEXT NOT NULL, -- train, dev, test
    epoch             INTEGER NOT NULL,
    rows              INTEGER NOT NULL,
    loss              REAL,
    accuracy          REAL,
    macro_f1          REAL,
    calibration_error REAL,
    per_class         TEXT NOT NULL, -- JSON: [{label, precision, recall, f1, support}]
    confusion         TEXT NOT NULL, -- JSON: [label][predicted], rows
    elapsed_s         REAL,
    PRIMARY KEY (run, phase, step, split)
) STRICT, WITHOUT ROWID;

-- The kept weights are evaluated once: a second time replaces the first, whichever step they are of.
CREATE UNIQUE INDEX evals_after ON evals (run, split) WHERE phase = 'after';

CREATE TABLE predictions (
    run           TEXT NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    split         TEXT NOT NULL,
    row           INTEGER NOT NULL, -- index after cleaning, from 0
    line          INTEGER NOT NULL, -- line of the data file, from 1
    text          TEXT NOT NULL,
    label         INTEGER NOT NULL,
    predicted     INTEGER NOT NULL,
    probabilities TEXT NOT NULL,    -- JSON array in the order of the labels' ids
    PRIMARY KEY (run, split, row)
) STRICT, WITHOUT ROWID;

CREATE TABLE probes (
    run           TEXT NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    phase         TEXT NOT NULL,
    step          INTEGER NOT NULL,
    position      INTEGER NOT NULL, -- among the probes of the spec, from 0
    text          TEXT NOT NULL,
    expect        TEXT,
    predicted     TEXT NOT NULL,
    probabilities TEXT NOT NULL,    -- JSON array in the order of the labels' ids
    PRIMARY KEY (run, phase, step, position)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX probes_after ON probes (run, position) WHERE phase = 'after';

CREATE TABLE notes (
    id      INTEGER PRIMARY KEY,
    run     TEXT NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    message TEXT NOT NULL,
    at      REAL NOT NULL,
    UNIQUE (run, message) -- a resumed run says the same again
) STRICT;
