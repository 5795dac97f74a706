-- Version 13: an experiment has its own settings of a run that others have too, and a probe is what it says, not where its spec
-- lists it. Never edited once released.

-- What each experiment says of a run: probes and other keys that are not part of the run's key. `runs.config` is that of the last command.
CREATE TABLE settings (
    run        TEXT NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    experiment TEXT NOT NULL,
    config     TEXT NOT NULL, -- JSON
    PRIMARY KEY (run, experiment)
) STRICT, WITHOUT ROWID;

INSERT INTO settings SELECT r.key, e.name, r.config FROM runs r JOIN experiments e ON e.name = json_extract(r.config, '$.name');

-- The settings of other experiments were overwritten: they keep all probes that are stored, which is what they showed.
INSERT OR IGNORE INTO settings
    SELECT r.key, e.name, json_set(r.config, '$.name', e.name, '$.probes', json((
        SELECT json_group_array(json_object('text', text, 'expect', expect)) FROM (
            SELECT text, expect FROM probes WHERE run = r.key GROUP BY text, expect ORDER BY min(position)
        )
    )))
    FROM (
        SELECT experiment, run FROM experiment_runs
        UNION SELECT experiment, run FROM plans
        UNION SELECT experiment, key FROM runs
    ) x JOIN experiments e ON e.name = x.experiment JOIN runs r ON r.key = x.run
    WHERE EXISTS (SELECT 1 FROM probes p WHERE p.run = r.key);

CREATE TABLE probes_by_text (
    run           TEXT NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    phase         TEXT NOT NULL,
    step          INTEGER NOT NULL,
    text          TEXT NOT NULL,
    expect        TEXT NOT NULL, -- '': none
    predicted     TEXT NOT NULL,
    probabilities TEXT NOT NULL, -- JSON array in the order of the labels' ids
    PRIMARY KEY (run, phase, step, text, expect)
) STRICT, WITHOUT ROWID;

INSERT OR REPLACE INTO probes_by_text
    SELECT run, phase, step, text, coalesce(expect, ''), predicted, probabilities FROM probes ORDER BY run, phase, step;

DROP TABLE probes;
ALTER TABLE probes_by_text RENAME TO probes;

-- The kept weights have one score: a second one replaces the first, whichever step they are of.
DELETE FROM probes WHERE phase = 'after' AND EXISTS (
    SELECT 1 FROM probes p WHERE (p.run, p.phase, p.text, p.expect) = (probes.run, probes.phase, probes.text, probes.expect)
        AND p.step > probes.step
);
CREATE UNIQUE INDEX probes_after ON probes (run, text, expect) WHERE phase = 'after';
