//! Rows of JSON Lines files.

use std::{
    fmt,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::{
    DataError, Problem,
    rows::{Cells, Columns, Fault},
    source::Input,
};

/// A file with one JSON object a line, row by row. Blank lines are skipped.
pub(super) struct JsonLines {
    path: PathBuf,
    reader: BufReader<Input>,
    columns: Columns,
    /// The line being read; kept for its memory.
    buffer: Vec<u8>,
    line: u64,
    done: bool,
    seen: Seen,
    /// Fields of the first object, for messages.
    fields: Vec<String>,
}

/// Which columns some row has had.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    text: bool,
    label: bool,
}

impl JsonLines {
    pub(super) fn new(path: &Path, input: Input, columns: Columns) -> Self {
        Self {
            path: path.to_owned(),
            reader: BufReader::with_capacity(1 << 16, input),
            columns,
            buffer: Vec::new(),
            line: 0,
            done: false,
            seen: Seen::default(),
            fields: Vec::new(),
        }
    }

    pub(super) fn next(&mut self, cells: &mut Cells) -> Result<Option<u64>, Fault> {
        while !self.done {
            self.buffer.clear();
            let read = self.reader.read_until(b'\n', &mut self.buffer).map_err(DataError::io(&self.path));
            self.done = !matches!(read, Ok(1..));
            if read.map_err(Fault::File)? == 0 {
                return Ok(None);
            }
            self.line += 1;
            if self.buffer.trim_ascii().is_empty() {
                continue;
            }
            let text = str::from_utf8(&self.buffer).map_err(|error| {
                self.done = true;
                let what = format!("not UTF-8: a wrong byte after {} good ones", error.valid_up_to());
                Fault::File(DataError::NotUtf8 { path: self.path.clone(), line: self.line, what, from: "GB18030" })
            })?;
            let text = text.trim_end(); // so that an error at the end of the line is on it
            let row = parse(text, &self.columns).map_err(|what| Fault::Row(Problem { line: self.line, what }))?;
            if self.fields.is_empty() {
                let object: serde_json::Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
                self.fields = object.into_iter().map(|(name, _)| name).collect();
            }
            self.seen.text |= row.text.is_some();
            self.seen.label |= row.label.is_some();
            row.fill(cells, &self.columns).map_err(|what| Fault::Row(Problem { line: self.line, what }))?;
            return Ok(Some(self.line));
        }
        Ok(None)
    }

    pub(super) fn check_columns(&self) -> Result<(), DataError> {
        let missing = |column: &String, key| DataError::Column {
            path: self.path.clone(),
            what: "no object has a field",
            column: column.clone(),
            key,
            found: self.fields.clone(),
        };
        match &self.columns {
            _ if self.fields.is_empty() => Ok(()), // no object was read
            Columns { text, .. } if !self.seen.text => Err(missing(text, "data.text_column")),
            Columns { label: Some(label), .. } if !self.seen.label => Err(missing(label, "data.label_column")),
            _ => Ok(()),
        }
    }

    pub(super) fn input(&self) -> &Input {
        self.reader.get_ref()
    }
}

/// The two values wanted of an object; none where it lacks the field.
#[derive(Default)]
struct Values {
    text: Option<Value>,
    label: Option<Value>,
}

impl Values {
    fn fill(self, cells: &mut Cells, columns: &Columns) -> Result<(), String> {
        match self.text {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => cells.text = text,
            Some(other) => return Err(format!("`{}` is {}, expected a string", columns.text, kind(&other))),
        }
        match self.label {
            None | Some(Value::Null) => {}
            Some(Value::String(label)) => cells.label.push_str(label.trim()),
            Some(Value::Bool(label)) => cells.label.push_str(if label { "true" } else { "false" }),
            Some(Value::Number(label)) if !label.is_f64() => cells.label = label.to_string(),
            Some(other) => {
                let column = columns.label.as_deref().unwrap_or_default();
                return Err(format!("`{column}` is {}, expected a string, an integer or a boolean", kind(&other)));
            }
        }
        Ok(())
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(value) => format!("the number {value}"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// Reads one object. The error says the column in bytes where there is one; the line is known already.
fn parse(text: &str, columns: &Columns) -> Result<Values, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let row = Object(columns).deserialize(&mut json).and_then(|row| json.end().map(|()| row));
    row.map_err(|error| {
        let (what, column) = (error.to_string(), error.column());
        let what = what.strip_suffix(&format!(" at line 1 column {column}")).unwrap_or(&what);
        if column == 0 { what.to_owned() } else { format!("column {column}: {what}") }
    })
}

/// Keeps the values wanted and skips the others without building them.
struct Object<'a>(&'a Columns);

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = Values;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Values, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Values, A::Error> {
        let mut row = Values::default();
        while let Some(field) = map.next_key_seed(Name(self.0))? {
            match field {
                Field::Text => row.text = Some(map.next_value()?),
                Field::Label => row.label = Some(map.next_value()?),
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(row)
    }
}

enum Field {
    Text,
    Label,
    Other,
}

/// Compares a field's name without copying it.
struct Name<'a>(&'a Columns);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Field;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Field, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<Field, E> {
        Ok(match name {
            _ if name == self.0.text => Field::Text,
            _ if self.0.label.as_deref() == Some(name) => Field::Label,
            _ => Field::Other,
        })
    }
}
