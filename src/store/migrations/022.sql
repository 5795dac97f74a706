-- Version 22: at which rung a run was pruned, and by which rule. Never edited once released.

ALTER TABLE runs ADD COLUMN pruned_rung INTEGER; -- from 1; NULL: not by a comparison
ALTER TABLE runs ADD COLUMN pruned_by TEXT; -- median, asha

-- So far only the message said it.
UPDATE runs SET
    pruned_rung = CAST(substr(message, instr(message, ' at rung ') + 9) AS INTEGER),
    pruned_by = CASE WHEN instr(message, ', the median of ') > 0 THEN 'median' ELSE 'asha' END
WHERE state = 'pruned' AND (message LIKE '%rank% of % at rung %' OR message LIKE '% at rung % is worse than %, the median of %');

-- The same views as before, with these columns.
DROP VIEW v_runs;
DROP VIEW v_experiment_runs;

-- One row for each experiment and each run in its current plan, as that experiment has it; one for each run that is in no current plan.
CREATE VIEW v_experiment_runs AS
WITH planned AS (
    SELECT x.run, x.experiment, x.name, 1 AS in_plan, x.position, x.trial
    FROM experiment_runs x JOIN experiments e ON e.name = x.experiment
    UNION ALL
    SELECT r.key,
        coalesce(
            (SELECT e.name FROM experiments e WHERE e.name = r.experiment),
            (SELECT e.name FROM experiments e JOIN plans p ON p.experiment = e.name WHERE p.run = r.key ORDER BY e.id LIMIT 1)
        ),
        r.name, 0, NULL, NULL
    FROM runs r WHERE NOT EXISTS (
        SELECT 1 FROM experiment_runs x JOIN experiments e ON e.name = x.experiment WHERE x.run = r.key
    )
),
-- Settings that are not part of a run's key are those of the experiment.
said AS (
    SELECT r.*, p.experiment AS experiment_there, p.name AS name_there, p.in_plan, p.position, p.trial,
        s.config AS own, coalesce(s.config, r.config) AS there,
        json_extract(coalesce(s.config, r.config), '$.checkpoint.metric') AS chooses,
        CASE WHEN coalesce(r.rows_test, 0) > 0
                OR EXISTS (SELECT 1 FROM evals t WHERE t.run = r.key AND t.phase = 'after' AND t.split = 'test')
            THEN 'test' ELSE 'dev' END AS measured_on
    FROM planned p JOIN runs r ON r.key = p.run LEFT JOIN settings s ON s.run = r.key AND s.experiment = p.experiment
)
SELECT
    s.key,
    s.experiment_there AS experiment,
    CAST((SELECT json_group_array(x.experiment) FROM (
        SELECT x.experiment FROM experiment_runs x JOIN experiments e ON e.name = x.experiment
        WHERE x.run = s.key ORDER BY e.id
    ) x) AS TEXT) AS experiments,
    s.name_there AS name,
    CAST(s.in_plan AS BIGINT) AS in_plan,
    CAST(s.position AS BIGINT) AS position,
    CAST(s.trial AS BIGINT) AS trial,
    CAST(CASE WHEN s.state = 'interrupted' AND s.waits_at IS NOT NULL THEN 'waiting' ELSE s.state END AS TEXT) AS state,
    s.failure,
    s.message,
    s.pruned_rung,
    s.pruned_by,
    CAST(json_extract(s.there, '$.model.source') AS TEXT) AS model,
    CAST(json_extract(s.there, '$.data.source') AS TEXT) AS data,
    CAST(coalesce(json_extract(s.there, '$.data.problem_type'), 'single_label_classification') AS TEXT) AS problem_type,
    CAST(json_extract(s.there, '$.train.seed') AS BIGINT) AS seed,
    CAST(json_extract(s.there, '$.data.fold') AS BIGINT) AS fold,
    CAST(substr(json_extract(s.there, '$.data.fold'), instr(json_extract(s.there, '$.data.fold'), '/') + 1) AS BIGINT) AS folds,
    CAST(s.chooses AS TEXT) AS metric,
    CAST(s.chooses NOT IN ('loss', 'calibration_error', 'hamming_loss', 'brier', 'mse', 'rmse', 'mae') AS BIGINT)
        AS higher_is_better,
    CAST((SELECT m.value FROM metrics m
        WHERE m.run = s.key AND m.phase = 'after' AND m.split = 'dev' AND m.metric = s.chooses) AS DOUBLE) AS dev_value,
    CAST((SELECT m.value FROM metrics m
        WHERE m.run = s.key AND m.phase = 'after' AND m.split = 'test' AND m.metric = s.chooses) AS DOUBLE) AS test_value,
    CAST(s.measured_on AS TEXT) AS final_split,
    CAST((SELECT m.value FROM metrics m
        WHERE m.run = s.key AND m.phase = 'after' AND m.split = s.measured_on AND m.metric = s.chooses) AS DOUBLE) AS final_value,
    s.total_steps,
    s.steps,
    s.steps_per_epoch,
    s.rows_train,
    s.rows_dev,
    s.rows_test,
    s.parameters,
    s.last_loss,
    CAST((SELECT t.elapsed_s FROM steps t WHERE t.run = s.key AND t.step = s.at_step) AS DOUBLE) AS trained_s,
    CAST(strftime('%Y-%m-%dT%H:%M:%fZ', s.created_at, 'unixepoch') AS TEXT) AS created_at,
    CAST(strftime('%Y-%m-%dT%H:%M:%fZ', s.started_at, 'unixepoch') AS TEXT) AS started_at,
    CAST(strftime('%Y-%m-%dT%H:%M:%fZ', s.finished_at, 'unixepoch') AS TEXT) AS finished_at,
    s.created_at AS created_s,
    s.started_at AS started_s,
    s.finished_at AS finished_s,
    CAST(json_extract(s.environment, '$.device') AS TEXT) AS device,
    CAST(json_extract(s.environment, '$.taper') AS TEXT) AS taper,
    CAST(json_extract(s.environment, '$.git_commit') AS TEXT) AS git_commit,
    CAST(json_extract(s.environment, '$.data_digest') AS TEXT) AS data_sha256,
    CAST(nullif(json_extract(s.environment, '$.model_digest'), '') AS TEXT) AS model_sha256,
    s.weights_sha256,
    s.labels,
    -- A run that has begun was trained as it says itself.
    CAST(json_set(
        CASE WHEN s.own IS NULL THEN s.config WHEN s.state NOT IN ('completed', 'pruned', 'running') THEN s.own
            ELSE json_set(s.own, '$.train', json_extract(s.config, '$.train'), '$.checkpoint',
                json_set(json_extract(s.config, '$.checkpoint'), '$.metric', s.chooses)) END,
        '$.name', coalesce(s.experiment_there, json_extract(s.config, '$.name'))
    ) AS TEXT) AS config
FROM said s;

-- One row for each run: of several experiments that have it, as the one that planned it first does, or else the oldest.
CREATE VIEW v_runs AS
SELECT v.* FROM v_experiment_runs v WHERE v.in_plan = 0 OR v.experiment = coalesce(
    (SELECT x.experiment FROM experiment_runs x JOIN runs r ON r.key = x.run AND r.experiment = x.experiment WHERE x.run = v.key),
    (SELECT x.experiment FROM experiment_runs x JOIN experiments e ON e.name = x.experiment WHERE x.run = v.key ORDER BY e.id LIMIT 1)
);
