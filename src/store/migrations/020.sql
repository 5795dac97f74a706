-- Version 20: what was submitted to a cluster. Never edited once released.

CREATE TABLE submissions (
    number     INTEGER PRIMARY KEY, -- of its folder, runs/slurm/<number>
    experiment TEXT NOT NULL,
    command    TEXT NOT NULL, -- that submitted it
    created_at REAL NOT NULL
) STRICT;

-- A run of a submission.
CREATE TABLE submission_elements (
    submission      INTEGER NOT NULL REFERENCES submissions (number) ON DELETE CASCADE,
    element         INTEGER NOT NULL, -- of the whole submission, from 0; several runs can share one
    run             TEXT NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    finished_before REAL, -- when the run had ended before it was submitted
    array_job       INTEGER, -- NULL: not accepted by the cluster yet
    task            INTEGER, -- of the element in its array
    submitted_at    REAL, -- ids of jobs can be used again: the time tells them apart
    collected_at    REAL, -- when its results came into this database, or were found not to be needed
    PRIMARY KEY (submission, run)
) STRICT;
CREATE INDEX submission_elements_of_run ON submission_elements (run);
