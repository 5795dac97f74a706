-- Version 4: what a baseline and a reproduction need. Never edited once released.

ALTER TABLE runs ADD COLUMN train_labels TEXT; -- JSON array: training rows of each label, by id
ALTER TABLE experiments ADD COLUMN extends TEXT NOT NULL DEFAULT '[]'; -- JSON: [{path, text}], files that the spec extends
