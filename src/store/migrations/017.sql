-- Version 17: rows with several labels, and with numbers. Never edited once released.

-- JSON, as in events: an array of label ids, or {"values": [...]}. NULL: the row has one label, and one is predicted.
ALTER TABLE predictions ADD COLUMN target TEXT;           -- label is then -1
ALTER TABLE predictions ADD COLUMN predicted_target TEXT; -- predicted is then -1

-- JSON: a temperature and thresholds that were chosen on the dev rows, and the metrics that follow from them. NULL: none were.
ALTER TABLE runs ADD COLUMN decided TEXT;

-- JSON, as confusion: numbers of rows that have both of two labels. NULL: rows have one label, or numbers.
ALTER TABLE evals ADD COLUMN co_occurrence TEXT;
