-- Version 16: how many runs a search has yet to propose. Never edited once released.

ALTER TABLE experiments ADD COLUMN to_come INTEGER NOT NULL DEFAULT 0;
