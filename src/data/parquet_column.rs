//! One column of a Parquet file, value by value.

use parquet::{
    basic::{ConvertedType, LogicalType, Repetition, Type as Physical},
    column::reader::ColumnReader,
    data_type::ByteArray,
    errors::ParquetError,
    file::reader::RowGroupReader,
    schema::types::ColumnDescriptor,
};

use super::parquet_text::{TextColumn, text};

/// Rows that are decoded at a time.
const ROWS: usize = 4096;

/// A column of texts, whole numbers, numbers or truth values.
pub(super) struct Column {
    /// Its position among the columns of the file.
    index: usize,
    /// Whether a row may have no value.
    optional: bool,
    unsigned: bool,
    reader: Option<ColumnReader>,
    /// Instead of a reader: texts, if they were asked for.
    texts: Option<TextColumn>,
    /// Whether they were.
    is_text: bool,
    /// Of the rows decoded: 1 for each that has a value; empty if all have.
    levels: Vec<i16>,
    values: Values,
    /// Rows decoded, and how many of them and of their values were handed on.
    rows: usize,
    row: usize,
    value: usize,
}

enum Values {
    Text(Vec<ByteArray>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Bool(Vec<bool>),
    Float(Vec<f32>),
    Double(Vec<f64>),
}

/// The value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Text(&'a [u8]),
    Whole(i128),
    Number(f64),
    Bool(bool),
}

impl Column {
    /// The column at `index` in the file.
    ///
    /// # Errors
    /// What it is, if it is none of these: a list, bytes, a date.
    pub(super) fn new(index: usize, column: &ColumnDescriptor) -> Result<Self, String> {
        let (physical, converted) = (column.physical_type(), column.converted_type());
        let logical = column.logical_type_ref();
        let is_text = matches!(converted, ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON)
            || matches!(logical, Some(LogicalType::String | LogicalType::Enum | LogicalType::Json));
        let unsigned = matches!(
            converted,
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64
        );
        let is_whole = unsigned
            || matches!(
                converted,
                ConvertedType::NONE
                    | ConvertedType::INT_8
                    | ConvertedType::INT_16
                    | ConvertedType::INT_32
                    | ConvertedType::INT_64
            ) && matches!(logical, None | Some(LogicalType::Integer { .. }));
        let values = match physical {
            Physical::BYTE_ARRAY if is_text => Values::Text(Vec::new()),
            Physical::INT32 if is_whole => Values::Int32(Vec::new()),
            Physical::INT64 if is_whole => Values::Int64(Vec::new()),
            Physical::BOOLEAN => Values::Bool(Vec::new()),
            Physical::FLOAT => Values::Float(Vec::new()),
            Physical::DOUBLE => Values::Double(Vec::new()),
            _ => {
                let annotation = match (logical, converted) {
                    (Some(logical), _) => format!(" ({logical:?})"),
                    (None, ConvertedType::NONE) => String::new(),
                    (None, converted) => format!(" ({converted})"),
                };
                return Err(format!("{physical}{annotation}"));
            }
        };
        if column.max_rep_level() > 0 || column.path().parts().len() > 1 {
            return Err("a list or a group of columns".into());
        }
        let optional = column.self_type().get_basic_info().repetition() != Repetition::REQUIRED;
        Ok(Self {
            index,
            optional,
            unsigned,
            reader: None,
            texts: None,
            is_text: false,
            levels: Vec::new(),
            values,
            rows: 0,
            row: 0,
            value: 0,
        })
    }

    /// The same, read by [`Self::text`].
    pub(super) fn of_texts(mut self) -> Self {
        self.is_text = matches!(self.values, Values::Text(_));
        self
    }

    /// Goes on with the rows of this group.
    pub(super) fn enter(&mut self, group: &dyn RowGroupReader) -> Result<(), ParquetError> {
        (self.reader, self.texts) = match group.get_column_reader(self.index)? {
            ColumnReader::ByteArrayColumnReader(reader) if self.is_text => {
                (None, Some(TextColumn::new(reader, self.optional)?))
            }
            reader => (Some(reader), None),
        };
        (self.rows, self.row, self.value) = (0, 0, 0);
        Ok(())
    }

    /// Adds the text of the next row of the group to `to`; says what it is if it is none.
    pub(super) fn text(&mut self, to: &mut String) -> Result<Result<(), String>, ParquetError> {
        if let Some(texts) = &mut self.texts {
            let text = texts.next()?.ok_or_else(ended)?;
            return Ok(text.map(|text| to.push_str(text)));
        }
        Ok(match self.next()? {
            Value::Null => Ok(()),
            Value::Text(bytes) => text(bytes).map(|text| to.push_str(text)),
            Value::Whole(number) => Err(format!("{number}, expected a string")),
            Value::Number(number) => Err(format!("{number}, expected a string")),
            Value::Bool(value) => Err(format!("{value}, expected a string")),
        })
    }

    /// Puts the value of the next row of the group, as that of a label, a split or a group, into `cell`; says what it is if it cannot
    /// be one.
    pub(super) fn cell(&mut self, cell: &mut String) -> Result<Result<(), String>, ParquetError> {
        match self.next()? {
            Value::Null => {}
            Value::Text(bytes) => match text(bytes) {
                Ok(text) => cell.push_str(text.trim()),
                Err(what) => return Ok(Err(what)),
            },
            // What most labels are.
            Value::Whole(digit @ 0..10) => cell.push(char::from(b'0' + digit as u8)),
            Value::Whole(number) => cell.push_str(&number.to_string()),
            Value::Number(number) => match super::json::number(number) {
                Ok(number) => cell.push_str(&number),
                Err(what) => return Ok(Err(what)),
            },
            Value::Bool(value) => cell.push_str(if value { "true" } else { "false" }),
        }
        Ok(Ok(()))
    }

    /// The value of the next row of the group.
    pub(super) fn next(&mut self) -> Result<Value<'_>, ParquetError> {
        if self.row == self.rows {
            self.decode()?;
        }
        let at = self.value;
        let present = !self.optional || self.levels.get(self.row).is_some_and(|level| *level > 0);
        self.row += 1;
        if !present {
            return Ok(Value::Null);
        }
        self.value += 1;
        let whole = |value: i128, bits: u32| if self.unsigned && value < 0 { value + (1 << bits) } else { value };
        let found = match &self.values {
            Values::Text(values) => values.get(at).map(|value| Value::Text(value.data())),
            Values::Int32(values) => values.get(at).map(|value| Value::Whole(whole(i128::from(*value), 32))),
            Values::Int64(values) => values.get(at).map(|value| Value::Whole(whole(i128::from(*value), 64))),
            Values::Bool(values) => values.get(at).map(|value| Value::Bool(*value)),
            Values::Float(values) => values.get(at).map(|value| Value::Number(f64::from(*value))),
            Values::Double(values) => values.get(at).map(|value| Value::Number(*value)),
        };
        found.ok_or_else(ended)
    }

    /// Decodes the next rows.
    fn decode(&mut self) -> Result<(), ParquetError> {
        let Self { reader: Some(reader), levels, values, optional, .. } = self else { return Err(ended()) };
        levels.clear();
        let levels = optional.then_some(levels);
        let (rows, ..) = match (reader, values) {
            (ColumnReader::ByteArrayColumnReader(reader), Values::Text(values)) => {
                values.clear();
                reader.read_records(ROWS, levels, None, values)?
            }
            (ColumnReader::Int32ColumnReader(reader), Values::Int32(values)) => {
                values.clear();
                reader.read_records(ROWS, levels, None, values)?
            }
            (ColumnReader::Int64ColumnReader(reader), Values::Int64(values)) => {
                values.clear();
                reader.read_records(ROWS, levels, None, values)?
            }
            (ColumnReader::BoolColumnReader(reader), Values::Bool(values)) => {
                values.clear();
                reader.read_records(ROWS, levels, None, values)?
            }
            (ColumnReader::FloatColumnReader(reader), Values::Float(values)) => {
                values.clear();
                reader.read_records(ROWS, levels, None, values)?
            }
            (ColumnReader::DoubleColumnReader(reader), Values::Double(values)) => {
                values.clear();
                reader.read_records(ROWS, levels, None, values)?
            }
            _ => return Err(ParquetError::General("a column has another type than the schema says".into())),
        };
        if rows == 0 {
            return Err(ended());
        }
        (self.rows, self.row, self.value) = (rows, 0, 0);
        Ok(())
    }
}

fn ended() -> ParquetError {
    ParquetError::EOF("a column has fewer rows than its group".into())
}
