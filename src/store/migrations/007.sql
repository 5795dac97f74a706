-- Version 7: warnings of an experiment's sweep. Never edited once released.

ALTER TABLE experiments ADD COLUMN warnings TEXT NOT NULL DEFAULT '[]'; -- JSON: [{kind, message, lines}], as of the last plan
