-- Version 5: what each spec file planned last, with what was laid over it. Never edited once released.

CREATE TABLE plans (
    experiment TEXT NOT NULL,
    spec       TEXT NOT NULL, -- path of the file from the runs folder; of plans of before as it was typed
    arguments  TEXT NOT NULL, -- JSON array: --set, --profile, variables of the environment
    position   INTEGER NOT NULL,
    run        TEXT NOT NULL,
    name       TEXT NOT NULL,
    PRIMARY KEY (experiment, spec, arguments, position)
) STRICT, WITHOUT ROWID;

INSERT INTO plans SELECT x.experiment, e.spec_path, e.arguments, x.position, x.run, x.name
    FROM experiment_runs x JOIN experiments e ON e.name = x.experiment;
