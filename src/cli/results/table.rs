//! Results as Parquet.

use std::{io::Write, sync::Arc};

use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as PhysicalType},
    data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type},
    errors::ParquetError,
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::types::Type,
};
use taper::{
    data::{Kept, RowText, Text},
    export::write_column,
    task::Answer,
};

use super::{
    answer::{Cell, Says},
    heading::Heading,
    lines::as_text,
};

/// Rows of a row group; there are fewer if their texts have more bytes than the second number.
const GROUP: (usize, usize) = (1 << 16, 32 << 20);

/// Bytes of a cell.
const CELL: usize = size_of::<Option<ByteArray>>();

/// Cells of a column; none where there is no value.
type Cells<T> = Vec<Option<T>>;

/// A column of an answer.
enum Column {
    Texts(Cells<ByteArray>),
    Numbers(Cells<f64>),
}

impl Column {
    fn new(number: bool) -> Self {
        if number { Self::Numbers(Vec::new()) } else { Self::Texts(Vec::new()) }
    }
}

/// A Parquet file that is being written. Texts are strings, probabilities are doubles, lines are 64-bit integers; rows without a text have
/// no label and no probabilities.
pub struct Table<W: Write + Send> {
    file: SerializedFileWriter<W>,
    /// The next row group, by column.
    kept: Vec<Cells<ByteArray>>,
    line: Cells<i64>,
    answer: Vec<Column>,
    each: Vec<Cells<f64>>,
    texts: Vec<Cells<ByteArray>>,
    bytes: usize,
}

impl<W: Write + Send> Table<W> {
    pub fn new(to: W, heading: &Heading) -> Result<Self, ParquetError> {
        let mut columns = Vec::new();
        let answer = heading.answer.columns();
        let physical = |number| if number { PhysicalType::DOUBLE } else { PhysicalType::BYTE_ARRAY };
        for (name, kind) in heading.kept.iter().map(|name| (name, PhysicalType::BYTE_ARRAY)).chain(
            [(&heading.line, PhysicalType::INT64)]
                .into_iter()
                .chain(answer.iter().map(|&(name, number)| (name, physical(number))))
                .chain(heading.each.iter().map(|name| (name, PhysicalType::DOUBLE)))
                .chain(heading.texts.iter().map(|name| (name, PhysicalType::BYTE_ARRAY))),
        ) {
            let string = (kind == PhysicalType::BYTE_ARRAY).then_some(LogicalType::String);
            let column = Type::primitive_type_builder(name, kind)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(string)
                .build()?;
            columns.push(Arc::new(column));
        }
        let schema = Type::group_type_builder("schema").with_fields(columns).build()?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        Ok(Self {
            file: SerializedFileWriter::new(to, Arc::new(schema), Arc::new(properties))?,
            kept: vec![Vec::new(); heading.kept.len()],
            line: Vec::new(),
            answer: answer.iter().map(|&(_, number)| Column::new(number)).collect(),
            each: vec![Vec::new(); heading.each.len()],
            texts: vec![Vec::new(); heading.texts.len()],
            bytes: 0,
        })
    }

    /// Adds a row.
    pub fn add(
        &mut self,
        says: &Says,
        kept: &[&Kept],
        row: &Text,
        answer: Option<&Answer>,
    ) -> Result<(), ParquetError> {
        let bytes = &mut self.bytes;
        // A cell takes memory without a text, too.
        *bytes += CELL * (self.kept.len() + self.each.len() + self.texts.len());
        let mut string = |text: &str| {
            *bytes += text.len();
            ByteArray::from(text)
        };
        for (column, value) in self.kept.iter_mut().zip(kept) {
            column.push(as_text(value).map(&mut string));
        }
        for (column, text) in self.texts.iter_mut().zip(RowText::from(row).texts()) {
            column.push(Some(string(text)));
        }
        let probability = |id: usize| answer.map(|answer| f64::from(answer.probabilities()[id]));
        self.line.push(i64::try_from(row.line).ok());
        for (column, cell) in self.answer.iter_mut().zip(says.cells(answer)) {
            match (column, cell) {
                (Column::Texts(cells), Some(Cell::Text(text))) => cells.push(Some(string(&text))),
                (Column::Numbers(cells), Some(Cell::Number(number))) => cells.push(Some(number)),
                (Column::Texts(cells), _) => cells.push(None),
                (Column::Numbers(cells), _) => cells.push(None),
            }
        }
        for (id, column) in self.each.iter_mut().enumerate() {
            column.push(probability(id));
        }
        if self.line.len() >= GROUP.0 || self.bytes >= GROUP.1 { self.flush() } else { Ok(()) }
    }

    /// Writes the row group.
    fn flush(&mut self) -> Result<(), ParquetError> {
        if self.line.is_empty() {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        let to = &mut group;
        self.kept.iter_mut().try_for_each(|cells| write_column::<ByteArrayType, W>(to, cells))?;
        write_column::<Int64Type, W>(to, &mut self.line)?;
        self.answer.iter_mut().try_for_each(|cells| match cells {
            Column::Texts(cells) => write_column::<ByteArrayType, W>(to, cells),
            Column::Numbers(cells) => write_column::<DoubleType, W>(to, cells),
        })?;
        self.each.iter_mut().try_for_each(|cells| write_column::<DoubleType, W>(to, cells))?;
        self.texts.iter_mut().try_for_each(|cells| write_column::<ByteArrayType, W>(to, cells))?;
        group.close()?;
        self.bytes = 0;
        Ok(())
    }

    /// Writes the end of the file.
    pub fn finish(mut self) -> Result<W, ParquetError> {
        self.flush()?;
        self.file.into_inner()
    }
}
