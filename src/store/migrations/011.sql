-- Version 11: whether the sweep of an experiment prunes. A run of it that was removed is compared anew. Never edited once released.

ALTER TABLE experiments ADD COLUMN prunes INTEGER NOT NULL DEFAULT 0; -- 0 or 1

UPDATE experiments SET prunes = 1 WHERE name IN (
    SELECT e.experiment FROM experiment_runs e JOIN runs r ON r.key = e.run WHERE r.state = 'pruned' OR r.waits_at IS NOT NULL
);
