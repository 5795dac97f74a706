//! The rows of a file, whatever its layout: what [`read`](super::read) and [`stream_texts`](super::stream_texts) share.

use std::path::PathBuf;

use super::{
    DataError,
    cells::{Cells, Columns, Fault},
    counted_rows::Noticed,
    delimited::Delimited,
    json::JsonRows,
    layout::{self, Chosen, Reading},
    parquet::Parquet,
    plain::Plain,
    quotes::Swallowed,
    read_as::ReadAs,
    settings::{Layout, Wording},
    source::{Input, Origin},
    xlsx::Sheet,
};
use crate::{plan::Quoting, sniff::FileKind};

/// A file, row by row.
pub(super) struct Rows {
    path: PathBuf,
    wording: Wording,
    /// What the file is by its first bytes, where that is nothing that its layout allows.
    other: Option<FileKind>,
    layout: RowsOf,
    /// What was chosen about its layout.
    notes: Vec<String>,
    /// Settings that are those of a run's spec.
    of_run: Vec<&'static str>,
}

/// Rows of one layout.
enum RowsOf {
    Delimited(Box<Delimited>),
    Json(JsonRows),
    Plain(Plain),
    Parquet(Parquet),
    Sheet(Sheet),
}

impl Rows {
    pub(super) fn open(origin: &Origin, layout: &Layout, columns: Columns) -> Result<Self, DataError> {
        let (path, wording) = (origin.name(), layout.wording);
        let input = Input::open(origin, layout)?;
        let Chosen { reading, notes, mut of_run } = layout::reading(layout, origin, &input, &columns)?;
        let allowed = match reading {
            Reading::JsonLines | Reading::JsonArray => Some(FileKind::Json),
            Reading::Parquet => Some(FileKind::Parquet),
            Reading::Sheet => Some(FileKind::Xlsx),
            Reading::Delimited { .. } => None,
        };
        let other = input.kind().filter(|kind| Some(*kind) != allowed);
        let rows = match reading {
            Reading::Delimited { delimiter, quotes } => {
                Delimited::new(&path, input, delimiter, quotes, columns, wording)
                    .map(|rows| RowsOf::Delimited(Box::new(rows)))
            }
            Reading::JsonLines => Ok(RowsOf::Json(JsonRows::lines(&path, input, columns, wording))),
            Reading::JsonArray => Ok(RowsOf::Json(JsonRows::array(&path, input, columns, wording))),
            // Their parts lie all over the file, which is opened again.
            Reading::Parquet | Reading::Sheet if input.packing().is_some() || !matches!(origin, Origin::File(_)) => {
                let what = "Parquet and Excel data is read only from an uncompressed file, not from a stream: save it \
                            to a file first";
                Err(DataError::Layout { path: path.clone(), what: what.into() })
            }
            Reading::Parquet => Parquet::new(&path, input, columns, wording).map(RowsOf::Parquet),
            Reading::Sheet => Sheet::new(&path, input, layout, &columns).map(RowsOf::Sheet),
        };
        match rows {
            Ok(layout) => {
                of_run.extend(layout.input().has_encoding_of_run().then_some("encoding"));
                of_run.extend(layout.is_sheet_of_run().then_some("sheet"));
                Ok(Self { path, wording, other, layout, notes, of_run })
            }
            Err(error) => Err(explained(&path, wording, other, error)),
        }
    }

    /// Each line a text.
    pub(super) fn plain(origin: &Origin, layout: &Layout) -> Result<Self, DataError> {
        let input = Input::open(origin, layout)?;
        let other = input.kind().filter(|kind| *kind != FileKind::Json);
        let rows = RowsOf::Plain(Plain::new(&origin.name(), input));
        Ok(Self {
            path: origin.name(),
            wording: layout.wording,
            other,
            layout: rows,
            notes: Vec::new(),
            of_run: Vec::new(),
        })
    }

    /// Fills `cells` with the next row and returns the line on which it begins; none at the end of the file.
    pub(super) fn next(&mut self, cells: &mut Cells) -> Result<Option<u64>, Fault> {
        cells.clear();
        let next = match &mut self.layout {
            RowsOf::Delimited(rows) => rows.next(cells),
            RowsOf::Json(rows) => rows.next(cells),
            RowsOf::Plain(rows) => rows.next(cells),
            RowsOf::Parquet(rows) => rows.next(cells),
            RowsOf::Sheet(rows) => rows.next(cells),
        };
        next.map_err(|fault| match fault {
            Fault::File(error) => Fault::File(self.explained(error)),
            Fault::Row(problem) => Fault::Row(problem),
        })
    }

    /// The error of its reader; if the file is something else and no row of it was valid, what it is instead.
    pub(super) fn explained(&self, error: DataError) -> DataError {
        let other = self.other.filter(|_| self.columns().is_empty());
        explained(&self.path, self.wording, other, error)
    }

    /// Refuses a column that no row read so far has.
    pub(super) fn check_columns(&self) -> Result<(), DataError> {
        match &self.layout {
            RowsOf::Json(rows) => rows.check_columns(),
            _ => Ok(()), // checked against the header or the schema, or has none
        }
    }

    /// Names of the columns: those of the header, or the fields of the first object read.
    pub(super) fn columns(&self) -> &[String] {
        match &self.layout {
            RowsOf::Delimited(rows) => rows.header(),
            RowsOf::Json(rows) => rows.fields(),
            RowsOf::Plain(_) => &[],
            RowsOf::Parquet(rows) => rows.names(),
            RowsOf::Sheet(rows) => rows.names(),
        }
    }

    /// Its name in messages.
    pub(super) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Names of the label values 0, 1, …, if the file says that they are class labels.
    pub(super) fn classes(&self) -> Option<Vec<String>> {
        match &self.layout {
            RowsOf::Parquet(rows) => rows.classes().map(<[String]>::to_vec),
            RowsOf::Delimited(_) | RowsOf::Json(_) | RowsOf::Plain(_) | RowsOf::Sheet(_) => None,
        }
    }

    /// How the file is read, where that is not what its name says: what `taper plan` says.
    pub(super) fn notes(&self) -> Vec<String> {
        let of_sheet = match &self.layout {
            RowsOf::Sheet(rows) => rows.notes(),
            RowsOf::Delimited(_) | RowsOf::Json(_) | RowsOf::Plain(_) | RowsOf::Parquet(_) => &[],
        };
        self.input().notes().iter().chain(&self.notes).chain(of_sheet).cloned().collect()
    }

    /// Quoted fields that span lines which look like rows; none where quotes mean nothing.
    pub(super) fn swallowed(&self) -> Option<&Swallowed> {
        match &self.layout {
            RowsOf::Delimited(rows) => rows.swallowed(),
            RowsOf::Json(_) | RowsOf::Plain(_) | RowsOf::Parquet(_) | RowsOf::Sheet(_) => None,
        }
    }

    /// Rows with a text or a label in quotes, which mean nothing since they mean nothing in the run's data.
    pub(super) fn quoted_as_in_run(&self) -> Option<&Noticed> {
        match &self.layout {
            RowsOf::Delimited(rows) if self.of_run.contains(&"quoting") => Some(rows.quoted()),
            _ => None,
        }
    }

    /// Rows with a quoted field that goes on after its closing quote.
    pub(super) fn reopened(&self) -> Option<&Noticed> {
        match &self.layout {
            RowsOf::Delimited(rows) => Some(rows.reopened()),
            RowsOf::Json(_) | RowsOf::Plain(_) | RowsOf::Parquet(_) | RowsOf::Sheet(_) => None,
        }
    }

    /// Share of the rows read so far, from 0 to 1.
    pub(super) fn share(&self) -> f64 {
        match &self.layout {
            RowsOf::Parquet(rows) => rows.share(),
            RowsOf::Delimited(_) | RowsOf::Json(_) | RowsOf::Plain(_) | RowsOf::Sheet(_) => self.input().share(),
        }
    }

    /// The file's bytes, as far as they have been read.
    pub(super) fn input(&self) -> &Input {
        self.layout.input()
    }

    /// How the file is read.
    pub(super) fn read_as(&self) -> ReadAs {
        let encoding = Some(self.input().encoding());
        let from_run = self.of_run.clone();
        match &self.layout {
            RowsOf::Delimited(rows) => {
                let (format, delimiter) = match rows.delimiter() {
                    b'\t' => ("tsv", "tab".to_owned()),
                    byte => ("csv", char::from(byte).to_string()),
                };
                let quoting = Some(if rows.swallowed().is_some() { Quoting::Minimal } else { Quoting::None });
                ReadAs { format, encoding, delimiter: Some(delimiter), quoting, from_run, ..ReadAs::default() }
            }
            RowsOf::Json(rows) => ReadAs { format: rows.format(), encoding, from_run, ..ReadAs::default() },
            RowsOf::Plain(_) => ReadAs { format: "lines", encoding, ..ReadAs::default() },
            RowsOf::Parquet(_) => ReadAs { format: "parquet", ..ReadAs::default() },
            RowsOf::Sheet(rows) => {
                let (sheet, chosen) = (Some(rows.name().to_owned()), rows.notes().to_vec());
                ReadAs { format: "xlsx", sheet, from_run, chosen, ..ReadAs::default() }
            }
        }
    }
}

impl RowsOf {
    fn input(&self) -> &Input {
        match self {
            Self::Delimited(rows) => rows.input(),
            Self::Json(rows) => rows.input(),
            Self::Plain(rows) => rows.input(),
            Self::Parquet(rows) => rows.input(),
            Self::Sheet(rows) => rows.input(),
        }
    }

    fn is_sheet_of_run(&self) -> bool {
        matches!(self, Self::Sheet(rows) if rows.is_of_run())
    }
}

/// The error of a reader; if the file is something else, what it is instead.
fn explained(path: &std::path::Path, wording: Wording, other: Option<FileKind>, error: DataError) -> DataError {
    match (other, &error) {
        (_, DataError::Io { .. }) | (None, _) => error,
        (Some(kind), _) => layout::other_kind(wording, path, kind),
    }
}
