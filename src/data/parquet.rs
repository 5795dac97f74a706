//! Rows of Parquet files.
//!
//! Only the columns wanted are read, a row group at a time. Rows are counted from 1, as there are no lines.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use parquet::{
    errors::ParquetError,
    file::reader::{FileReader, SerializedFileReader},
    record::{Field, reader::RowIter},
    schema::types::Type,
};

use super::{
    DataError, Problem,
    cells::{Cells, Columns, Fault, Kept},
    layout::{Wording, suggest},
    row_limit::MAX_ROW,
    source::Input,
};
use crate::regular;

/// A Parquet file, row by row.
pub(super) struct Parquet {
    path: PathBuf,
    rows: RowIter<'static>,
    columns: Columns,
    /// Names of all columns.
    names: Vec<String>,
    /// Names of the label values 0, 1, ….
    classes: Option<Vec<String>>,
    input: Input,
    row: u64,
}

impl Parquet {
    /// Its `input` is read to the end for its digest: the columns lie all over the file.
    pub(super) fn new(path: &Path, mut input: Input, columns: Columns, wording: Wording) -> Result<Self, DataError> {
        std::io::copy(&mut input, &mut std::io::sink()).map_err(DataError::io(path))?;
        let odd = |error| unreadable(path, error);
        let reader = SerializedFileReader::new(regular::open(path).map_err(DataError::io(path))?).map_err(odd)?;
        let schema = reader.metadata().file_metadata().schema();
        let names: Vec<String> = schema.get_fields().iter().map(|column| column.name().to_string()).collect();
        let mut wanted = Vec::new();
        let keys = [(columns.label.as_ref(), "label_column"), (columns.split.as_ref(), "split_column")];
        let keys = keys.into_iter().filter_map(|(name, key)| Some((name?, key)));
        for (name, key) in columns.text.named().chain(keys) {
            let Some(column) = schema.get_fields().iter().find(|column| column.name() == name) else {
                return Err(DataError::Column {
                    path: path.into(),
                    what: "no column",
                    column: name.as_str().into(),
                    key: wording.name(key).into(),
                    help: suggest(name, &names).into(),
                    found: names.into(),
                });
            };
            if !wanted.iter().any(|known| Arc::ptr_eq(known, column)) {
                wanted.push(column.clone());
            }
        }
        let metadata = reader.metadata().file_metadata().key_value_metadata();
        let hub = metadata.and_then(|pairs| pairs.iter().find(|pair| pair.key == "huggingface"));
        let classes = columns.label.as_deref().zip(hub.and_then(|pair| pair.value.as_deref()));
        let classes = classes.and_then(|(column, text)| class_names(text, column));
        let wanted = Type::group_type_builder(schema.name()).with_fields(wanted).build().map_err(odd)?;
        let wanted = (!columns.keep).then_some(wanted);
        let rows = RowIter::from_file_into(Box::new(reader)).project(wanted).map_err(odd)?;
        Ok(Self { path: path.into(), rows, columns, names, classes, input, row: 0 })
    }

    pub(super) fn next(&mut self, cells: &mut Cells) -> Result<Option<u64>, Fault> {
        let Some(row) = self.rows.next() else { return Ok(None) };
        self.row += 1;
        let row = row.map_err(|error| Fault::File(unreadable(&self.path, error)))?;
        // The file has its columns in an order of its own.
        let mut texts = vec![String::new(); self.columns.text.names.len()];
        for (name, field) in row.into_columns() {
            if self.columns.keep {
                cells.kept.push((name.as_str().into(), kept(&field)));
            }
            let problem = |what: String| Fault::Row(Problem::new(self.row, what));
            let value = || {
                value(&field)
                    .map_err(|found| problem(format!("`{name}` is {found}, expected a string, a number or a boolean")))
            };
            if Some(&name) == self.columns.label.as_ref() {
                cells.label = value()?;
            }
            if Some(&name) == self.columns.split.as_ref() {
                cells.split = value()?;
            }
            let at = self.columns.text.names.iter().position(|column| *column == name);
            if at.is_none() && self.columns.text.pair.as_ref() != Some(&name) {
                continue;
            }
            let text = match field {
                Field::Null => String::new(),
                Field::Str(text) => text,
                other => return Err(problem(format!("`{name}` is {other}, expected a string"))),
            };
            match at {
                Some(at) => texts[at] = text,
                None => cells.text_pair = text,
            }
        }
        for text in texts {
            self.columns.text.add(&mut cells.text, text);
        }
        if (cells.text.len() + cells.text_pair.len()) as u64 > MAX_ROW {
            let (path, line) = (self.path.clone(), self.row);
            return Err(Fault::File(DataError::RowTooLong { path, line, help: String::new() }));
        }
        Ok(Some(self.row))
    }

    /// Names of the label values 0, 1, …, if the labels are class labels.
    pub(super) fn classes(&self) -> Option<&[String]> {
        self.classes.as_deref()
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn input(&self) -> &Input {
        &self.input
    }
}

/// The names of a column of class labels in what the `datasets` library writes into a file:
/// `{"info": {"features": {COLUMN: {"names": […], "_type": "ClassLabel"}}}}`.
fn class_names(text: &str, column: &str) -> Option<Vec<String>> {
    let info: serde_json::Value = serde_json::from_str(text).ok()?;
    let feature = &info["info"]["features"][column];
    if feature["_type"] != "ClassLabel" {
        return None;
    }
    feature["names"].as_array()?.iter().map(|name| name.as_str().map(String::from)).collect()
}

/// The value of a label or a split as text; what it is if it cannot be one.
fn value(field: &Field) -> Result<String, String> {
    match field {
        Field::Null => Ok(String::new()),
        Field::Str(text) => Ok(text.trim().into()),
        Field::Bool(_)
        | Field::Byte(_)
        | Field::Short(_)
        | Field::Int(_)
        | Field::Long(_)
        | Field::UByte(_)
        | Field::UShort(_)
        | Field::UInt(_)
        | Field::ULong(_) => Ok(field.to_string()),
        Field::Float(number) => super::json::number(f64::from(*number)),
        Field::Double(number) => super::json::number(*number),
        other => Err(other.to_string()),
    }
}

/// A value of any column.
fn kept(field: &Field) -> Kept {
    match field {
        Field::Null => Kept::Null,
        Field::Str(text) => Kept::Text(text.clone()),
        Field::Bool(_)
        | Field::Byte(_)
        | Field::Short(_)
        | Field::Int(_)
        | Field::Long(_)
        | Field::UByte(_)
        | Field::UShort(_)
        | Field::UInt(_)
        | Field::ULong(_) => Kept::Json(field.to_string()),
        // With all digits.
        Field::Float(number) if number.is_finite() => Kept::Json(format!("{number:?}")),
        Field::Double(number) if number.is_finite() => Kept::Json(format!("{number:?}")),
        other => Kept::Text(other.to_string()),
    }
}

fn unreadable(path: &Path, error: ParquetError) -> DataError {
    DataError::Parquet { path: path.into(), what: error.to_string() }
}
