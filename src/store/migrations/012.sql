-- Version 12: indices for the runs of an experiment, and the experiments and plans of a run. Never edited once released.

CREATE INDEX IF NOT EXISTS runs_by_experiment ON runs (experiment);
CREATE INDEX IF NOT EXISTS experiment_runs_by_run ON experiment_runs (run);
CREATE INDEX IF NOT EXISTS plans_by_run ON plans (run, experiment);
