-- Version 9: at which step a run waits for those that it is compared with, which its message alone told. Never edited once released.

ALTER TABLE runs ADD COLUMN waits_at INTEGER; -- of an interrupted run that its sweep holds; NULL for all others

UPDATE runs SET waits_at = CAST(substr(message, length('waits at step ') + 1) AS INTEGER)
WHERE state = 'interrupted' AND message LIKE 'waits at step %';
