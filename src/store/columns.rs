//! Conversions for values that SQLite has no type for.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Value, ValueRef};
use serde::{Serialize, de::DeserializeOwned};

/// The expected label of a probe that expects none: a label has a name.
pub(super) const NO_LABEL: &str = "";

/// The second text of a probe that has one text: a text has characters.
pub(super) const NO_TEXT: &str = "";

/// A count or a size as INTEGER (SQLite's are signed).
pub(super) struct Count(pub u64);

impl ToSql for Count {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        i64::try_from(self.0)
            .map(ToSqlOutput::from)
            .map_err(|_| rusqlite::Error::ToSqlConversionFailure(format!("{} is beyond 2^63", self.0).into()))
    }
}

impl FromSql for Count {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let i = value.as_i64()?;
        u64::try_from(i).map(Self).map_err(|_| FromSqlError::OutOfRange(i))
    }
}

/// A measurement as REAL. SQLite stores NaN as NULL; infinities are kept.
pub(super) struct Real(pub f64);

impl ToSql for Real {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(if self.0.is_nan() { Value::Null } else { Value::Real(self.0) }))
    }
}

impl FromSql for Real {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Null => Ok(Self(f64::NAN)),
            other => f64::column_result(other).map(Self),
        }
    }
}

/// A variant without fields as TEXT: its serde name.
pub(super) struct Tag<T>(pub T);

impl<T: Serialize> ToSql for Tag<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match serde_json::to_value(&self.0) {
            Ok(serde_json::Value::String(name)) => Ok(name.into()),
            Ok(other) => Err(rusqlite::Error::ToSqlConversionFailure(format!("{other} is no plain variant").into())),
            Err(error) => Err(rusqlite::Error::ToSqlConversionFailure(error.into())),
        }
    }
}

impl<T: DeserializeOwned> FromSql for Tag<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = serde_json::Value::String(value.as_str()?.to_string());
        serde_json::from_value(name).map(Self).map_err(FromSqlError::other)
    }
}

/// A structure as JSON in a TEXT column.
pub(super) struct Json<T>(pub T);

impl<T: Serialize> ToSql for Json<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        serde_json::to_string(&self.0)
            .map(ToSqlOutput::from)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
    }
}

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(FromSqlError::other)
    }
}
