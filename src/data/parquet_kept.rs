//! The values of all columns of a Parquet file, as they are written beside results: as pandas shows them.

use std::{path::Path, sync::Arc};

use jiff::{SignedDuration, civil};
use parquet::{
    basic::{LogicalType, Repetition, TimeUnit, Type as Physical},
    column::reader::ColumnReader,
    data_type::Int96,
    errors::ParquetError,
    file::reader::{FileReader, RowGroupReader, SerializedFileReader},
    record::{Field, reader::RowIter},
    schema::types::{Type, TypePtr},
};

use super::cells::{Kept, KeptColumns};
use crate::regular;

const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;
/// The Julian day on which 1970 begins.
const EPOCH: i128 = 2_440_588;

/// All columns of a file, row by row.
pub(super) struct AllColumns {
    rows: RowIter<'static>,
    columns: Vec<(Arc<str>, TypePtr)>,
    /// Columns of INT96 by their position in the schema: the library hands them over without microseconds.
    moments: Vec<(usize, Moments)>,
}

impl AllColumns {
    pub(super) fn new(path: &Path) -> Result<Self, ParquetError> {
        let reader = SerializedFileReader::new(regular::open(path)?)?;
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let columns: Vec<(Arc<str>, TypePtr)> =
            schema.root_schema().get_fields().iter().map(|column| (column.name().into(), column.clone())).collect();
        let leaves = schema.columns().iter().enumerate();
        let whole = leaves.filter(|(_, leaf)| leaf.physical_type() == Physical::INT96 && leaf.max_rep_level() == 0);
        let whole = whole.filter(|(_, leaf)| leaf.path().parts().len() == 1);
        let moments =
            whole.map(|(leaf, column)| (schema.get_column_root_idx(leaf), Moments::new(leaf, column.max_def_level())));
        let moments = moments.collect();
        Ok(Self { rows: RowIter::from_file_into(Box::new(reader)).project(None)?, columns, moments })
    }

    /// Goes on with the rows of this group.
    pub(super) fn enter(&mut self, group: &dyn RowGroupReader) -> Result<(), ParquetError> {
        self.moments.iter_mut().try_for_each(|(_, moments)| moments.enter(group))
    }

    /// Adds the values of the next row.
    pub(super) fn next(&mut self, kept: &mut KeptColumns) -> Result<(), ParquetError> {
        let Some(row) = self.rows.next() else { return Ok(()) };
        let first = kept.len();
        let fields = row?.into_columns().into_iter().zip(&self.columns);
        kept.extend(fields.map(|((_, field), (name, column))| (name.clone(), value(&field, column))));
        for (column, moments) in &mut self.moments {
            let moment = moments.next()?.map_or(Kept::Null, |moment| Kept::Text(date_time(moment, false)));
            if let Some((_, value)) = kept.get_mut(first + *column) {
                *value = moment;
            }
        }
        Ok(())
    }
}

/// A column of INT96, row by row: nanoseconds since 1970, in no time zone.
struct Moments {
    leaf: usize,
    /// The definition level of a value.
    present: i16,
    reader: Option<ColumnReader>,
}

impl Moments {
    fn new(leaf: usize, present: i16) -> Self {
        Self { leaf, present, reader: None }
    }

    fn enter(&mut self, group: &dyn RowGroupReader) -> Result<(), ParquetError> {
        self.reader = Some(group.get_column_reader(self.leaf)?);
        Ok(())
    }

    fn next(&mut self) -> Result<Option<i128>, ParquetError> {
        let Some(ColumnReader::Int96ColumnReader(reader)) = &mut self.reader else { return Ok(None) };
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        reader.read_records(1, (self.present > 0).then_some(&mut levels), None, &mut values)?;
        let nanoseconds = |moment: &Int96| {
            let [low, high, day] = [0, 1, 2].map(|at| i128::from(moment.data()[at]));
            (day - EPOCH) * DAY + (high << 32) + low
        };
        Ok(values.first().map(nanoseconds))
    }
}

/// A value of a column of this type.
fn value(field: &Field, column: &Type) -> Kept {
    let logical = column.get_basic_info().logical_type_ref();
    let text = match (field, logical) {
        (Field::Null, _) => return Kept::Null,
        (Field::Str(text), _) => text.clone(),
        (Field::Long(time), Some(LogicalType::Timestamp(kind))) if kind.unit == TimeUnit::NANOS => {
            date_time((*time).into(), kind.is_adjusted_to_u_t_c)
        }
        (Field::TimestampMicros(time), _) => date_time(i128::from(*time) * 1000, is_utc(logical)),
        (Field::TimestampMillis(time), _) => date_time(i128::from(*time) * 1_000_000, is_utc(logical)),
        (Field::Long(time), Some(LogicalType::Time { .. })) => time_of_day((*time).into()),
        (Field::TimeMicros(time), _) => time_of_day(i128::from(*time) * 1000),
        (Field::TimeMillis(time), _) => time_of_day(i128::from(*time) * 1_000_000),
        (Field::Date(days), _) => date((*days).into()),
        // With as many digits behind the point as the column has, which may be none.
        (Field::Decimal(_), _) => field.to_string().trim_end_matches('.').to_owned(),
        (Field::Bytes(bytes), Some(LogicalType::Uuid)) => uuid(bytes.data()),
        (
            Field::Bool(_)
            | Field::Byte(_)
            | Field::Short(_)
            | Field::Int(_)
            | Field::Long(_)
            | Field::UByte(_)
            | Field::UShort(_)
            | Field::UInt(_)
            | Field::ULong(_),
            _,
        ) => return Kept::Json(field.to_string()),
        // With all digits.
        (Field::Float16(number), _) if number.is_finite() => return Kept::Json(format!("{:?}", number.to_f64())),
        (Field::Float(number), _) if number.is_finite() => return Kept::Json(format!("{number:?}")),
        (Field::Double(number), _) if number.is_finite() => return Kept::Json(format!("{number:?}")),
        (Field::ListInternal(list), _) => {
            let element = element(column);
            let elements: Vec<String> = list.elements().iter().map(|field| json(field, element)).collect();
            return Kept::Json(format!("[{}]", elements.join(", ")));
        }
        (Field::Group(group), _) => {
            let child = |name: &str| child(column, name);
            return object(group.get_column_iter().map(|(name, field)| (name.clone(), json(field, child(name)))));
        }
        (Field::MapInternal(map), _) => {
            let pair = column.get_fields().first().map_or(&[][..], |pairs| pairs.get_fields());
            let of = |at: usize| pair.get(at).map_or(column, |field| &**field);
            return object(map.entries().iter().map(|(key, field)| {
                let name = match value(key, of(0)) {
                    Kept::Null => "null".to_owned(),
                    Kept::Text(text) | Kept::Json(text) => text,
                };
                (name, json(field, of(1)))
            }));
        }
        (other, _) => other.to_string(),
    };
    Kept::Text(text)
}

/// Whether times are in UTC. Where only the older annotation says so, they may be in any zone, as for pyarrow.
fn is_utc(logical: Option<&LogicalType>) -> bool {
    matches!(logical, Some(LogicalType::Timestamp(kind)) if kind.is_adjusted_to_u_t_c)
}

/// The type of the elements of a column of lists.
fn element(column: &Type) -> &Type {
    if column.is_primitive() || column.get_basic_info().has_repetition() && is_repeated(column) {
        return column;
    }
    match column.get_fields() {
        [list] if list.is_group() && list.get_fields().len() == 1 => &list.get_fields()[0],
        [list] => list,
        _ => column,
    }
}

fn is_repeated(column: &Type) -> bool {
    column.get_basic_info().repetition() == Repetition::REPEATED
}

/// The type of a field of a group.
fn child<'t>(column: &'t Type, name: &str) -> &'t Type {
    let fields = if column.is_group() { column.get_fields() } else { &[] };
    fields.iter().find(|field| field.name() == name).map_or(column, |field| field)
}

/// A value as JSON.
fn json(field: &Field, column: &Type) -> String {
    match value(field, column) {
        Kept::Null => "null".to_owned(),
        Kept::Json(json) => json,
        Kept::Text(text) => serde_json::Value::String(text).to_string(),
    }
}

/// An object of these fields, whose values are JSON.
fn object(fields: impl Iterator<Item = (String, String)>) -> Kept {
    let fields = fields.map(|(name, value)| format!("{}: {value}", serde_json::Value::String(name)));
    Kept::Json(format!("{{{}}}", fields.collect::<Vec<_>>().join(", ")))
}

/// Nanoseconds since 1970 as date and time, with the zone if there is one.
fn date_time(moment: i128, is_utc: bool) -> String {
    let date = date(moment.div_euclid(DAY));
    format!("{date} {}{}", time_of_day(moment.rem_euclid(DAY)), if is_utc { "+00:00" } else { "" })
}

/// Days since 1970 as a date; their number if that is beyond the years from -9999 to 9999.
fn date(days: i128) -> String {
    let date = i64::try_from(days).ok().and_then(|days| {
        let since = SignedDuration::from_hours(days.checked_mul(24)?);
        civil::date(1970, 1, 1).checked_add(since).ok()
    });
    date.map_or_else(|| format!("{days} days since 1970"), |date| date.to_string())
}

/// Nanoseconds since midnight as a time: with microseconds, or with nanoseconds, if there are any.
fn time_of_day(time: i128) -> String {
    let (seconds, rest) = (time.div_euclid(SECOND), time.rem_euclid(SECOND));
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    match rest {
        0 => clock,
        _ if rest % 1000 == 0 => format!("{clock}.{:06}", rest / 1000),
        _ => format!("{clock}.{rest:09}"),
    }
}

/// The 16 bytes of a UUID, as it is written.
fn uuid(bytes: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match bytes.len() {
        16 => [&bytes[..4], &bytes[4..6], &bytes[6..8], &bytes[8..10], &bytes[10..]].map(hex).join("-"),
        _ => hex(bytes),
    }
}
