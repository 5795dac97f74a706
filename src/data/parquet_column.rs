//! One column of a Parquet file, value by value.

use parquet::{
    basic::{ConvertedType, LogicalType, Repetition, Type as Physical},
    column::reader::ColumnReader,
    data_type::{ByteArray, FixedLenByteArray},
    errors::ParquetError,
    file::reader::RowGroupReader,
    schema::types::{ColumnDescriptor, Type},
};

use super::parquet_text::{TextColumn, text};

/// Rows that are decoded at a time.
const ROWS: usize = 4096;

/// A column of texts, whole numbers, numbers or truth values, or of lists of texts or whole numbers.
pub(super) struct Column {
    /// Its position among the columns of the file.
    index: usize,
    /// Whether a row may have no value.
    optional: bool,
    unsigned: bool,
    /// Digits behind the point of decimals.
    scale: Option<i32>,
    /// Of lists: the definition level from which on an entry is an element of the list, and not an empty list or none.
    list: Option<i16>,
    /// The definition level of an entry that has a value.
    present: i16,
    reader: Option<ColumnReader>,
    /// Instead of a reader: texts, if they were asked for.
    texts: Option<TextColumn>,
    /// Whether they were.
    is_text: bool,
    /// Of the entries decoded: their definition levels; empty if all have a value.
    levels: Vec<i16>,
    /// Of lists: 0 for the first entry of each row.
    repetition: Vec<i16>,
    values: Values,
    /// Entries decoded, and how many of them and of their values were handed on. A row has one, but in a column of lists.
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
    /// Decimals, the first byte being the highest; or float16, the first byte being the lowest.
    Bytes(Vec<FixedLenByteArray>),
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
        let values = Self::values(column)?;
        if column.max_rep_level() > 0 || column.path().parts().len() > 1 {
            return Err("a list or a group of columns".into());
        }
        Ok(Self::of(index, column, values))
    }

    /// The same of a column that may also have decimals.
    ///
    /// # Errors
    /// What it is, if it is none of these.
    pub(super) fn of_numbers(index: usize, column: &ColumnDescriptor) -> Result<Self, String> {
        let is_decimal = column.converted_type() == ConvertedType::DECIMAL
            || matches!(column.logical_type_ref(), Some(LogicalType::Decimal { .. }));
        if !is_decimal || column.max_rep_level() > 0 || column.path().parts().len() > 1 {
            return Self::new(index, column);
        }
        let values = match column.physical_type() {
            Physical::INT32 => Values::Int32(Vec::new()),
            Physical::INT64 => Values::Int64(Vec::new()),
            Physical::FIXED_LEN_BYTE_ARRAY if column.type_length() <= 16 => Values::Bytes(Vec::new()),
            Physical::BYTE_ARRAY => Values::Text(Vec::new()),
            _ => return Err("a decimal of more than 38 digits".into()),
        };
        Ok(Self { scale: Some(column.type_scale()), ..Self::of(index, column, values) })
    }

    /// The column of lists at `index`, below the column `root` of the file.
    ///
    /// # Errors
    /// What it is, if it has no lists of texts or whole numbers.
    pub(super) fn of_lists(index: usize, column: &ColumnDescriptor, root: &Type) -> Result<Self, String> {
        let values = Self::values(column).map_err(|what| format!("a list of {what}"))?;
        if !matches!(values, Values::Text(_) | Values::Int32(_) | Values::Int64(_)) {
            return Err(format!("a list of {}", column.physical_type()));
        }
        let element = list_level(root).filter(|_| column.max_rep_level() == 1);
        let element = element.ok_or_else(|| "a list of lists, or a group of columns".to_owned())?;
        Ok(Self { list: Some(element), optional: true, ..Self::of(index, column, values) })
    }

    /// Where the values of a column go; what they are if they are none of those that are read.
    fn values(column: &ColumnDescriptor) -> Result<Values, String> {
        let (physical, converted) = (column.physical_type(), column.converted_type());
        let logical = column.logical_type_ref();
        let is_text = matches!(converted, ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON)
            || matches!(logical, Some(LogicalType::String | LogicalType::Enum | LogicalType::Json));
        let is_whole = is_unsigned(converted)
            || matches!(
                converted,
                ConvertedType::NONE
                    | ConvertedType::INT_8
                    | ConvertedType::INT_16
                    | ConvertedType::INT_32
                    | ConvertedType::INT_64
            ) && matches!(logical, None | Some(LogicalType::Integer { .. }));
        match physical {
            Physical::BYTE_ARRAY if is_text => Ok(Values::Text(Vec::new())),
            Physical::INT32 if is_whole => Ok(Values::Int32(Vec::new())),
            Physical::INT64 if is_whole => Ok(Values::Int64(Vec::new())),
            Physical::BOOLEAN => Ok(Values::Bool(Vec::new())),
            Physical::FLOAT => Ok(Values::Float(Vec::new())),
            Physical::DOUBLE => Ok(Values::Double(Vec::new())),
            Physical::FIXED_LEN_BYTE_ARRAY if matches!(logical, Some(LogicalType::Float16)) => {
                Ok(Values::Bytes(Vec::new()))
            }
            _ => {
                let annotation = match (logical, converted) {
                    (Some(logical), _) => format!(" ({logical:?})"),
                    (None, ConvertedType::NONE) => String::new(),
                    (None, converted) => format!(" ({converted})"),
                };
                Err(format!("{physical}{annotation}"))
            }
        }
    }

    fn of(index: usize, column: &ColumnDescriptor, values: Values) -> Self {
        Self {
            index,
            optional: column.self_type().get_basic_info().repetition() != Repetition::REQUIRED,
            unsigned: is_unsigned(column.converted_type()),
            scale: None,
            list: None,
            present: column.max_def_level(),
            reader: None,
            texts: None,
            is_text: false,
            levels: Vec::new(),
            repetition: Vec::new(),
            values,
            rows: 0,
            row: 0,
            value: 0,
        }
    }

    /// Its position among the columns of the file.
    pub(super) fn index(&self) -> usize {
        self.index
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

    /// Puts the value of the next row of the group, as that of a label, a split or a group (`any_number`: as a number to learn), into `cell`;
    /// says what it is if it cannot be one.
    pub(super) fn cell(&mut self, cell: &mut String, any_number: bool) -> Result<Result<(), String>, ParquetError> {
        match self.next()? {
            Value::Null => {}
            Value::Text(bytes) => match text(bytes) {
                Ok(text) => cell.push_str(text.trim()),
                Err(what) => return Ok(Err(what)),
            },
            // What most labels are.
            Value::Whole(digit @ 0..10) => cell.push(char::from(b'0' + digit as u8)),
            Value::Whole(number) => cell.push_str(&number.to_string()),
            // A number of any size: it is no name. NaN is one that is refused.
            Value::Number(number) if any_number => cell.push_str(&format!("{number:?}")),
            Value::Number(number) => match super::json::number(number) {
                Ok(number) => cell.push_str(&number),
                Err(what) => return Ok(Err(what)),
            },
            Value::Bool(value) => cell.push_str(if value { "true" } else { "false" }),
        }
        Ok(Ok(()))
    }

    /// Whether its values are lists.
    pub(super) fn has_lists(&self) -> bool {
        self.list.is_some()
    }

    /// Puts the elements of the next row's list into `list`; says what is wrong with it. A row without a list has an empty one.
    pub(super) fn list(&mut self, list: &mut Vec<String>) -> Result<Result<(), String>, ParquetError> {
        list.clear();
        if self.row == self.rows {
            self.decode()?;
        }
        let (mut result, mut first) = (Ok(()), true);
        let element = self.list.unwrap_or(self.present);
        while first || self.repetition.get(self.row).is_some_and(|level| *level > 0) {
            first = false;
            let is_element = self.levels.get(self.row).is_some_and(|level| *level >= element);
            match self.next()? {
                Value::Text(bytes) => match text(bytes) {
                    Ok(text) => list.push(text.trim().to_owned()),
                    Err(what) => result = Err(format!("a list with a text that is {what}")),
                },
                Value::Whole(number) => list.push(number.to_string()),
                _ if is_element => result = Err("a list with null, expected strings or integers in it".into()),
                _ => {}
            }
        }
        Ok(result)
    }

    /// The value of the next row of the group; of lists that of the next entry.
    pub(super) fn next(&mut self) -> Result<Value<'_>, ParquetError> {
        if self.row == self.rows {
            self.decode()?;
        }
        let at = self.value;
        let present = !self.optional || self.levels.get(self.row).is_some_and(|level| *level == self.present);
        self.row += 1;
        if !present {
            return Ok(Value::Null);
        }
        self.value += 1;
        let whole = |value: i128, bits: u32| if self.unsigned && value < 0 { value + (1 << bits) } else { value };
        if let Some(scale) = self.scale {
            let unscaled = match &self.values {
                Values::Int32(values) => values.get(at).map(|value| i128::from(*value)),
                Values::Int64(values) => values.get(at).map(|value| i128::from(*value)),
                Values::Bytes(values) => values.get(at).and_then(|value| signed(value.data())),
                Values::Text(values) => values.get(at).and_then(|value| signed(value.data())),
                Values::Bool(_) | Values::Float(_) | Values::Double(_) => None,
            };
            // The nearest number, as for any decimal that is written.
            let number = unscaled.and_then(|unscaled| format!("{unscaled}e{}", -scale).parse().ok());
            return number.map(Value::Number).ok_or_else(ended);
        }
        let found = match &self.values {
            Values::Text(values) => values.get(at).map(|value| Value::Text(value.data())),
            Values::Int32(values) => values.get(at).map(|value| Value::Whole(whole(i128::from(*value), 32))),
            Values::Int64(values) => values.get(at).map(|value| Value::Whole(whole(i128::from(*value), 64))),
            Values::Bool(values) => values.get(at).map(|value| Value::Bool(*value)),
            Values::Float(values) => values.get(at).map(|value| Value::Number(f64::from(*value))),
            Values::Double(values) => values.get(at).map(|value| Value::Number(*value)),
            Values::Bytes(values) => values.get(at).and_then(|value| half(value.data())).map(Value::Number),
        };
        found.ok_or_else(ended)
    }

    /// Decodes the next rows.
    fn decode(&mut self) -> Result<(), ParquetError> {
        let Self { reader: Some(reader), levels, repetition, values, optional, list, .. } = self else {
            return Err(ended());
        };
        levels.clear();
        repetition.clear();
        let (levels, repetition) = (optional.then_some(levels), list.is_some().then_some(repetition));
        let (rows, _, entries) = match (reader, values) {
            (ColumnReader::ByteArrayColumnReader(reader), Values::Text(values)) => {
                values.clear();
                reader.read_records(ROWS, levels, repetition, values)?
            }
            (ColumnReader::Int32ColumnReader(reader), Values::Int32(values)) => {
                values.clear();
                reader.read_records(ROWS, levels, repetition, values)?
            }
            (ColumnReader::Int64ColumnReader(reader), Values::Int64(values)) => {
                values.clear();
                reader.read_records(ROWS, levels, repetition, values)?
            }
            (ColumnReader::BoolColumnReader(reader), Values::Bool(values)) => {
                values.clear();
                reader.read_records(ROWS, levels, repetition, values)?
            }
            (ColumnReader::FloatColumnReader(reader), Values::Float(values)) => {
                values.clear();
                reader.read_records(ROWS, levels, repetition, values)?
            }
            (ColumnReader::DoubleColumnReader(reader), Values::Double(values)) => {
                values.clear();
                reader.read_records(ROWS, levels, repetition, values)?
            }
            (ColumnReader::FixedLenByteArrayColumnReader(reader), Values::Bytes(values)) => {
                values.clear();
                reader.read_records(ROWS, levels, repetition, values)?
            }
            _ => return Err(ParquetError::General("a column has another type than the schema says".into())),
        };
        if rows == 0 {
            return Err(ended());
        }
        (self.rows, self.row, self.value) = (if self.list.is_some() { entries } else { rows }, 0, 0);
        Ok(())
    }
}

fn is_unsigned(converted: ConvertedType) -> bool {
    matches!(
        converted,
        ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64
    )
}

/// The definition level from which on an entry is an element of the list in this column; `None` if it has no plain lists.
fn list_level(root: &Type) -> Option<i16> {
    let only = |group: &Type| match group.get_fields() {
        [field] => Some(field.clone()),
        _ => None,
    };
    let is_plain =
        |repeated: &Type| repeated.is_primitive() || only(repeated).is_some_and(|field| field.is_primitive());
    match root.get_basic_info().repetition() {
        Repetition::REPEATED => is_plain(root).then_some(1),
        _ if root.is_primitive() => None,
        own => {
            let repeated = only(root)?;
            let is_list = repeated.get_basic_info().repetition() == Repetition::REPEATED && is_plain(&repeated);
            is_list.then_some(if own == Repetition::OPTIONAL { 2 } else { 1 })
        }
    }
}

/// The number that these bytes are in two's complement, the first being the highest; `None` if it is beyond 128 bits.
fn signed(bytes: &[u8]) -> Option<i128> {
    let sign = if bytes.first()? & 0x80 == 0 { 0 } else { 0xff };
    let mut all = [sign; 16];
    let at = all.len().checked_sub(bytes.len())?;
    all[at..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(all))
}

/// The number of a float16.
fn half(bytes: &[u8]) -> Option<f64> {
    Some(half::f16::from_le_bytes(bytes.try_into().ok()?).to_f64())
}

fn ended() -> ParquetError {
    ParquetError::EOF("a column has fewer rows than its group".into())
}
