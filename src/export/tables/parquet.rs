//! Tables as Parquet, with typed columns and compressed with Zstandard.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as PhysicalType, ZstdLevel},
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::Type,
};

use super::sheet::{Sheet, write};
use crate::{
    execute::ExecuteError,
    export::ExperimentFormat,
    store::{Cell, Column, Kind, Store},
};

/// Rows of a row group; there are fewer if their texts have more bytes than the second number.
const GROUP: (usize, usize) = (1 << 16, 32 << 20);

/// Parquet files.
pub struct ParquetTables;

impl ExperimentFormat for ParquetTables {
    fn name(&self) -> &'static str {
        "parquet"
    }

    fn about(&self) -> &'static str {
        "for an experiment: runs.parquet, metrics.parquet and steps.parquet"
    }

    fn write(&self, store: &Store, experiment: &str, to: &Path, _: &Path) -> Result<Vec<PathBuf>, ExecuteError> {
        write::<Groups>(store, experiment, to)
    }
}

/// The cells of a column in the next row group; none where there is no value.
enum Cells {
    Texts(Vec<Option<ByteArray>>),
    Integers(Vec<Option<i64>>),
    Truths(Vec<Option<bool>>),
    Reals(Vec<Option<f64>>),
}

impl Cells {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Text | Kind::Json => Self::Texts(Vec::new()),
            Kind::Integer => Self::Integers(Vec::new()),
            Kind::Truth => Self::Truths(Vec::new()),
            Kind::Real => Self::Reals(Vec::new()),
        }
    }

    /// Adds a cell; returns the bytes of its text.
    fn push(&mut self, cell: &Cell<'_>) -> usize {
        match self {
            Self::Texts(cells) => {
                let text = if let Cell::Text(text) = cell { Some(*text) } else { None };
                cells.push(text.map(ByteArray::from));
                return text.map_or(0, str::len);
            }
            Self::Integers(cells) => cells.push(if let Cell::Integer(value) = cell { Some(*value) } else { None }),
            Self::Truths(cells) => cells.push(if let Cell::Integer(value) = cell { Some(*value != 0) } else { None }),
            Self::Reals(cells) => cells.push(match cell {
                Cell::Real(value) => Some(*value),
                Cell::Integer(value) => Some(*value as f64),
                Cell::Null | Cell::Text(_) => None,
            }),
        }
        0
    }
}

struct Groups {
    file: SerializedFileWriter<BufWriter<File>>,
    columns: Vec<Cells>,
    rows: usize,
    bytes: usize,
}

impl Groups {
    fn begin(to: BufWriter<File>, columns: &'static [Column]) -> Result<Self, ParquetError> {
        let field = |(name, kind): &Column| {
            let (physical, logical) = match kind {
                Kind::Text | Kind::Json => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
                Kind::Integer => (PhysicalType::INT64, None),
                Kind::Truth => (PhysicalType::BOOLEAN, None),
                Kind::Real => (PhysicalType::DOUBLE, None),
            };
            let field = Type::primitive_type_builder(name, physical);
            Ok(Arc::new(field.with_repetition(Repetition::OPTIONAL).with_logical_type(logical).build()?))
        };
        let fields = columns.iter().map(field).collect::<Result<Vec<_>, ParquetError>>()?;
        let schema = Type::group_type_builder("schema").with_fields(fields).build()?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
        Ok(Self {
            file: SerializedFileWriter::new(to, Arc::new(schema), Arc::new(properties))?,
            columns: columns.iter().map(|(_, kind)| Cells::new(*kind)).collect(),
            rows: 0,
            bytes: 0,
        })
    }

    /// Writes the row group.
    fn flush(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for cells in &mut self.columns {
            match cells {
                Cells::Texts(cells) => write_column::<ByteArrayType, _>(&mut group, cells),
                Cells::Integers(cells) => write_column::<Int64Type, _>(&mut group, cells),
                Cells::Truths(cells) => write_column::<BoolType, _>(&mut group, cells),
                Cells::Reals(cells) => write_column::<DoubleType, _>(&mut group, cells),
            }?;
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

impl Sheet for Groups {
    const ENDING: &'static str = "parquet";

    fn new(to: BufWriter<File>, columns: &'static [Column]) -> io::Result<Self> {
        Self::begin(to, columns).map_err(io::Error::other)
    }

    fn add(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        self.bytes += self.columns.iter_mut().zip(cells).map(|(column, cell)| column.push(cell)).sum::<usize>();
        self.rows += 1;
        match self.rows >= GROUP.0 || self.bytes >= GROUP.1 {
            true => self.flush().map_err(io::Error::other),
            false => Ok(()),
        }
    }

    fn finish(mut self) -> io::Result<()> {
        self.flush().and_then(|()| self.file.into_inner()).map_err(io::Error::other)?.flush()
    }
}

/// Writes the next column of a row group, and empties it.
///
/// # Errors
/// The group has no more columns, or the file cannot be written.
pub fn write_column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    cells: &mut Vec<Option<T::T>>,
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("more columns than the schema has".into()));
    };
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    let values: Vec<T::T> = cells.drain(..).flatten().collect();
    column.typed::<T>().write_batch(&values, Some(&levels), None)?;
    column.close()
}
