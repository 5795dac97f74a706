-- Version 19: what a probe's answer is beside its text. Never edited once released.

-- Whether it is the expected one. NULL: nothing is expected, or an earlier version stored it, with the expected text where it is right.
ALTER TABLE probes ADD COLUMN is_right INTEGER;
-- Of the one predicted label. NULL: there is none, or an earlier version stored it: then it is the highest.
ALTER TABLE probes ADD COLUMN confidence REAL;
