-- Version 2: what `taper verify` compares. Never edited once released.

ALTER TABLE runs ADD COLUMN weights_sha256 TEXT; -- over names, shapes and values of the parameters that were kept
