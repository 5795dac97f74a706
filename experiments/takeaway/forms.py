"""Writes the reviews of takeaway.csv in other forms, for the examples of docs/data.md: python forms.py (pandas, openpyxl, pyarrow)

takeaway.xlsx: a workbook. takeaway-gbk.csv.gz: as an old Chinese program writes them, packed. splits/: files for each split, with the labels
as class labels, as the datasets library writes them.
"""

import gzip
import json
import pathlib

import pandas
import pyarrow
import pyarrow.parquet

HERE = pathlib.Path(__file__).parent
LABELS = ["negative", "positive"]


def parquet(name: str, rows: pandas.DataFrame) -> None:
    table = pyarrow.table({"review": rows.review.astype(str).tolist(), "label": [LABELS.index(label) for label in rows.label]})
    features = {"review": {"dtype": "string", "_type": "Value"}, "label": {"names": LABELS, "_type": "ClassLabel"}}
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pyarrow.parquet.write_table(table, HERE / "splits" / f"{name}.parquet")


rows = pandas.read_csv(HERE / "takeaway.csv", keep_default_na=False)
rows.to_excel(HERE / "takeaway.xlsx", index=False, sheet_name="reviews")
text = rows.to_csv(index=False, sep=";").encode("gbk")
(HERE / "takeaway-gbk.csv.gz").write_bytes(gzip.compress(text, mtime=0))
parquet("train-00000-of-00002", rows[:220])
parquet("train-00001-of-00002", rows[220:440])
parquet("validation-00000-of-00001", rows[440:500])
parquet("test-00000-of-00001", rows[500:])
