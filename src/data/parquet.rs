//! Rows of Parquet files.
//!
//! Only the columns wanted are read, a row group at a time. Rows are counted from 1, as there are no lines.

use std::path::{Path, PathBuf};

use parquet::{
    basic::Compression,
    errors::ParquetError,
    file::reader::{FileReader, SerializedFileReader},
    schema::types::{ColumnDescPtr, SchemaDescriptor},
};

use super::{
    DataError, Problem,
    cells::{Cells, Columns, Fault},
    error::ColumnFault,
    layout::suggest,
    parquet_column::Column,
    parquet_file::SharedFile,
    parquet_kept::AllColumns,
    row_limit::MAX_ROW,
    settings::Wording,
    source::Input,
    target_columns::TargetColumns,
    text_columns::TextColumns,
};
use crate::{regular, task::Task};

/// A Parquet file, row by row.
pub(super) struct Parquet {
    path: PathBuf,
    reader: SerializedFileReader<SharedFile>,
    /// The row group after the one being read, and the rows that are left of that one.
    group: usize,
    rows_left: u64,
    /// The columns that are read.
    columns: Vec<(Role, String, Column)>,
    text: TextColumns,
    /// The texts of a row, if they are several.
    parts: Vec<String>,
    /// Columns of the target, whether they are numbers to learn, and whether each has a part of it.
    targets: usize,
    any_number: bool,
    has_parts: bool,
    /// Names of all columns.
    names: Vec<String>,
    /// Names of the label values 0, 1, ….
    classes: Option<Vec<String>>,
    /// All columns of each row, if they are kept.
    kept: Option<AllColumns>,
    input: Input,
    row: u64,
}

/// The name of a compression that is not read.
fn unread(compression: Compression) -> Option<&'static str> {
    match compression {
        Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_) | Compression::ZSTD(_) => None,
        Compression::LZ4 | Compression::LZ4_RAW => Some("LZ4"),
        Compression::BROTLI(_) => Some("Brotli"),
        Compression::LZO => Some("LZO"),
    }
}

/// What a column is read for.
#[derive(Clone, Copy)]
enum Role {
    /// A part of the text, by its position in the spec.
    Text(usize),
    Pair,
    /// A part of the target, by its position in the spec.
    Target(usize),
    Split,
    Group,
}

impl Parquet {
    /// All of its `input` is read beside it, for its digest: the columns lie all over the file.
    pub(super) fn new(path: &Path, mut input: Input, columns: Columns, wording: Wording) -> Result<Self, DataError> {
        input.read_beside().map_err(DataError::io(path))?;
        let file = regular::open(path).and_then(SharedFile::new).map_err(DataError::io(path))?;
        let reader = SerializedFileReader::new(file).map_err(|error| unreadable(path, error))?;
        let file = reader.metadata().file_metadata();
        let fields = file.schema().get_fields();
        let names: Vec<String> = fields.iter().map(|column| column.name().to_string()).collect();
        let targets = columns.targets().iter().enumerate();
        let targets: Vec<_> = targets.map(|(at, name)| (Role::Target(at), name, columns.target_key())).collect();
        let Columns { text, target, split, group, keep, .. } = &columns;
        let texts = text.names.iter().enumerate().map(|(at, name)| (Role::Text(at), name, text.key()));
        let pair = text.pair.iter().map(|name| (Role::Pair, name, "text_pair_column"));
        let others = targets.into_iter().chain(split.iter().map(|name| (Role::Split, name, "split_column")));
        let others = others.chain(group.iter().map(|name| (Role::Group, name, "group_column")));
        let (mut wanted, mut lacking) = (Vec::new(), Vec::new());
        for (role, name, key) in texts.chain(pair).chain(others) {
            let (what, help) = match names.iter().filter(|found| *found == name).count() {
                0 => (Some(ColumnFault::Absent), suggest(name, &names)),
                1 => (None, String::new()),
                _ => (Some(ColumnFault::Twice), "; rename all but one of them".to_owned()),
            };
            if let Some(what) = what {
                let (column, names_it) = (name.as_str().into(), wording.named_by(key));
                lacking.push(Err(DataError::Column {
                    path: path.into(),
                    what,
                    column,
                    names: names_it,
                    help: (help + &wording.another(key)).into(),
                    found: names.clone().into(),
                }));
                continue;
            }
            let column = column_of(file.schema_descr(), name, matches!(role, Role::Target(_)), target.as_ref());
            let column = column.map_err(|found| DataError::Layout {
                path: path.into(),
                what: format!(
                    "column `{name}`, which {}, is {found}; expected {}{}",
                    wording.names(key),
                    match (role, target) {
                        (Role::Text(_) | Role::Pair, _) => "strings".into(),
                        (Role::Target(_), Some(target)) => {
                            expected(target, is_nested(file.schema_descr(), name), wording)
                        }
                        _ => "strings, numbers or booleans".into(),
                    },
                    wording.another(key)
                ),
            })?;
            let column = if matches!(role, Role::Text(_) | Role::Pair) { column.of_texts() } else { column };
            wanted.push((role, name.clone(), column));
        }
        DataError::all::<()>(lacking)?;
        let is_read = |index: usize| *keep || wanted.iter().any(|(.., column)| column.index() == index);
        let groups = reader.metadata().row_groups().iter();
        let packed = groups.flat_map(|group| group.columns().iter().enumerate()).filter(|(index, _)| is_read(*index));
        if let Some((name, packing)) =
            packed.filter_map(|(_, column)| Some((column, unread(column.compression())?))).next()
        {
            let what = format!(
                "column `{}` is compressed with {packing}, which taper does not read: write the file with Snappy, gzip, Zstandard or \
                 without compression",
                name.column_path().string()
            );
            return Err(DataError::Layout { path: path.into(), what });
        }
        let metadata = file.key_value_metadata();
        let hub = metadata.and_then(|pairs| pairs.iter().find(|pair| pair.key == "huggingface"));
        let column = target.as_ref().filter(|target| target.has_labels()).and_then(|target| target.names.first());
        let classes = column.zip(hub.and_then(|pair| pair.value.as_deref()));
        let classes = classes.and_then(|(column, text)| class_names(text, column));
        let kept = match *keep {
            true => Some(AllColumns::new(path).map_err(|error| unreadable(path, error))?),
            false => None,
        };
        Ok(Self {
            path: path.into(),
            reader,
            group: 0,
            rows_left: 0,
            columns: wanted,
            parts: vec![String::new(); text.names.len()],
            text: text.clone(),
            targets: columns.targets().len(),
            any_number: target.as_ref().is_some_and(|target| target.task == Task::Regression),
            has_parts: columns.has_parts(),
            names,
            classes,
            kept,
            input,
            row: 0,
        })
    }

    pub(super) fn next(&mut self, cells: &mut Cells) -> Result<Option<u64>, Fault> {
        let odd = |error| Fault::File(unreadable(&self.path, error));
        while self.rows_left == 0 {
            if self.group == self.reader.num_row_groups() {
                self.input.finish().map_err(DataError::io(&self.path)).map_err(Fault::File)?;
                return Ok(None);
            }
            let group = self.reader.get_row_group(self.group).map_err(odd)?;
            self.rows_left = u64::try_from(group.metadata().num_rows()).unwrap_or(0);
            for (_, name, column) in &mut self.columns {
                let here = |error| Fault::File(damaged(&self.path, self.row + 1, name, error));
                column.enter(group.as_ref()).map_err(here)?;
            }
            if let Some(kept) = &mut self.kept {
                kept.enter(group.as_ref()).map_err(odd)?;
            }
            self.group += 1;
        }
        self.rows_left -= 1;
        self.row += 1;
        if let Some(kept) = &mut self.kept {
            kept.next(&mut cells.kept).map_err(odd)?;
        }
        // The file has its columns in an order of its own, and every one of them has to go on whatever is wrong with the others.
        let several = self.parts.len() > 1;
        self.parts.iter_mut().for_each(String::clear); // that of a row that could not be used is still there
        let mut problem = None;
        cells.labels.resize(if self.has_parts { self.targets } else { 0 }, String::new());
        for (role, name, column) in &mut self.columns {
            let here = |error| Fault::File(damaged(&self.path, self.row, name, error));
            let read = match role {
                Role::Text(at) if several => column.text(&mut self.parts[*at]).map_err(here)?,
                Role::Text(_) => column.text(&mut cells.text).map_err(here)?,
                Role::Pair => column.text(&mut cells.text_pair).map_err(here)?,
                Role::Target(_) if column.has_lists() => {
                    cells.is_list = true;
                    column.list(&mut cells.labels).map_err(here)?
                }
                Role::Target(at) if self.has_parts => {
                    column.cell(&mut cells.labels[*at], self.any_number).map_err(here)?
                }
                Role::Target(_) => column.cell(&mut cells.label, self.any_number).map_err(here)?,
                Role::Split => column.cell(&mut cells.split, false).map_err(here)?,
                Role::Group => column.cell(&mut cells.group, false).map_err(here)?,
            };
            if let Err(what) = read {
                problem = Some(format!("`{name}` is {what}"));
            }
        }
        if let Some(what) = problem {
            return Err(Fault::Row(Problem::new(self.row, what)));
        }
        if several {
            self.parts.iter().for_each(|part| cells.add_text(part, &self.text));
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

    /// Share of the rows read so far, from 0 to 1.
    pub(super) fn share(&self) -> f64 {
        self.row as f64 / self.reader.metadata().file_metadata().num_rows().max(1) as f64
    }

    pub(super) fn input(&self) -> &Input {
        &self.input
    }
}

/// The column of this name, of texts and values, or of what the target may be.
fn column_of(
    schema: &SchemaDescriptor,
    name: &String,
    is_target: bool,
    target: Option<&TargetColumns>,
) -> Result<Column, String> {
    let mut leaves = schema.columns().iter().enumerate();
    let mut leaves = leaves.by_ref().filter(|(_, leaf)| leaf.path().parts().first() == Some(name));
    let (index, leaf) = leaves.next().ok_or_else(|| "a group without columns".to_owned())?;
    let only = leaves.next().is_none();
    match target.filter(|_| is_target) {
        Some(target) if target.takes_lists() && only && leaf.max_rep_level() > 0 => {
            Column::of_lists(index, leaf, schema.get_column_root(index))
        }
        Some(target) if target.task == Task::Regression => Column::of_numbers(index, leaf),
        _ => Column::new(index, leaf),
    }
}

/// Whether a column has lists, or columns of its own.
fn is_nested(schema: &SchemaDescriptor, name: &String) -> bool {
    let of_column = |leaf: &&ColumnDescPtr| leaf.path().parts().first() == Some(name);
    schema.columns().iter().filter(of_column).any(|leaf| leaf.max_rep_level() > 0 || leaf.path().parts().len() > 1)
}

/// What a column of the target has to have. `is_list`: whether it has lists.
fn expected(target: &TargetColumns, is_list: bool, wording: Wording) -> String {
    match (target.task, target.each) {
        (Task::SingleLabel, _) if is_list => {
            format!("strings, numbers or booleans{}", target.instead_of_list(wording))
        }
        (Task::SingleLabel, _) => "strings, numbers or booleans".into(),
        (Task::MultiLabel, true) => "0 and 1".into(),
        (Task::MultiLabel, false) if is_list => {
            "lists of strings or integers, which are the labels of the text; for vectors of 0 and 1, give each label \
             a column of its own, and name these columns in data.label_columns"
                .into()
        }
        (Task::MultiLabel, false) => "lists of strings or integers, or strings".into(),
        (Task::Regression, _) if is_list => format!("numbers{}", target.instead_of_list(wording)),
        (Task::Regression, _) => "numbers".into(),
    }
}

/// The names of a column of class labels, or of lists of them, in what the `datasets` library writes into a file:
/// `{"info": {"features": {COLUMN: {"names": […], "_type": "ClassLabel"}}}}`, for lists `{COLUMN: {"feature": {…}, "_type": "List"}}`.
fn class_names(text: &str, column: &str) -> Option<Vec<String>> {
    let info: serde_json::Value = serde_json::from_str(text).ok()?;
    let mut feature = &info["info"]["features"][column];
    if ["Sequence", "List", "LargeList"].iter().any(|list| feature["_type"] == *list) {
        feature = &feature["feature"];
    } else if let [only] = feature.as_array().map_or(&[][..], Vec::as_slice) {
        feature = only; // as earlier versions write a list
    }
    if feature["_type"] != "ClassLabel" {
        return None;
    }
    feature["names"].as_array()?.iter().map(|name| name.as_str().map(String::from)).collect()
}

fn unreadable(path: &Path, error: ParquetError) -> DataError {
    DataError::Parquet { path: path.into(), what: error.to_string() }
}

/// The same of a column, from a row on.
fn damaged(path: &Path, row: u64, column: &str, error: ParquetError) -> DataError {
    DataError::Parquet { path: path.into(), what: format!("row {row}, column `{column}`: {error}") }
}
