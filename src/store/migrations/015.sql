-- Version 15: what was found in the data of each run. Never edited once released.

-- Once for all runs that have the same rows in the same splits.
CREATE TABLE audits (
    id    TEXT PRIMARY KEY, -- SHA-256 in hex over the audit
    audit TEXT NOT NULL     -- JSON
) STRICT, WITHOUT ROWID;

ALTER TABLE runs ADD COLUMN audit TEXT; -- its id; NULL in records of earlier versions
