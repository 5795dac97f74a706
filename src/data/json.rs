//! Rows of JSON files: one object a line, or one array of objects.

use std::{
    fmt,
    io::BufReader,
    path::{Path, PathBuf},
};

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::{
    DataError, Problem,
    cells::{Cells, Columns, Fault},
    encoding,
    error::{ColumnFault, found_columns},
    input_fault::reading,
    invisible::{escaped, is_invisible},
    json_array::{Array, ArrayFault},
    json_fault, json_fields,
    layout::suggest,
    settings::Wording,
    source::{Input, read_line},
    target_columns::TargetColumns,
    text_columns::TextColumns,
};
use crate::{format::command::shell_word, task::Task};

/// A file of JSON objects, row by row.
pub(super) struct JsonRows {
    path: PathBuf,
    wording: Wording,
    reader: BufReader<Input>,
    objects: Objects,
    columns: Columns,
    /// The object being read; kept for its memory.
    buffer: Vec<u8>,
    done: bool,
    seen: Seen,
    /// Fields of the first object.
    fields: Vec<String>,
    /// What may be wrong if it lacks the column of the texts.
    nested: String,
}

/// How the objects follow each other.
enum Objects {
    /// Each on a line of its own, of which so many have been read. Blank lines are skipped.
    Lines(u64),
    /// As the elements of an array.
    Array(Array),
}

/// Which columns some row has had.
#[derive(Debug, Clone, Default)]
struct Seen {
    texts: Vec<bool>,
    text_pair: bool,
    targets: Vec<bool>,
    split: bool,
    group: bool,
}

impl JsonRows {
    /// The name of its format.
    pub(super) fn format(&self) -> &'static str {
        match self.objects {
            Objects::Lines(_) => "jsonl",
            Objects::Array(_) => "json",
        }
    }

    pub(super) fn lines(path: &Path, input: Input, columns: Columns, wording: Wording) -> Self {
        Self::new(path, input, columns, wording, Objects::Lines(0))
    }

    pub(super) fn array(path: &Path, input: Input, columns: Columns, wording: Wording) -> Self {
        Self::new(path, input, columns, wording, Objects::Array(Array::default()))
    }

    fn new(path: &Path, input: Input, columns: Columns, wording: Wording, objects: Objects) -> Self {
        Self {
            path: path.to_owned(),
            wording,
            reader: BufReader::with_capacity(1 << 16, input),
            objects,
            buffer: Vec::new(),
            done: false,
            seen: Seen {
                texts: vec![false; columns.text.names.len()],
                targets: vec![false; columns.targets().len()],
                ..Seen::default()
            },
            columns,
            fields: Vec::new(),
            nested: String::new(),
        }
    }

    pub(super) fn next(&mut self, cells: &mut Cells) -> Result<Option<u64>, Fault> {
        if self.done {
            return Ok(None);
        }
        let result = self.row(cells);
        self.done = matches!(result, Ok(None) | Err(Fault::File(_)));
        result
    }

    fn row(&mut self, cells: &mut Cells) -> Result<Option<u64>, Fault> {
        let Some(line) = self.advance().map_err(Fault::File)? else { return Ok(None) };
        let text = str::from_utf8(&self.buffer).map_err(|error| {
            Fault::File(encoding::not_utf8(&self.path, line, error.valid_up_to(), None, self.wording))
        })?;
        let text = text.trim_end(); // so that an error at the end of the line is on it
        let row = parse(text, &self.columns).map_err(|error| {
            let array = match &self.objects {
                Objects::Lines(_) => None,
                Objects::Array(array) => Some(array.before()),
            };
            let (below, column, what) = json_fault::explain(text, &error, array, self.wording);
            Fault::Row(Problem { column, ..Problem::new(line + below, what) })
        })?;
        let first = self.fields.is_empty();
        if first {
            self.fields = fields(text);
            if row.texts.iter().all(Option::is_none) {
                self.nested = nested(text, &self.columns.text.names[0]);
            }
        }
        let see = |seen: &mut [bool], values: &[Option<Value>]| {
            seen.iter_mut().zip(values).for_each(|(seen, value)| *seen |= value.is_some());
        };
        see(&mut self.seen.texts, &row.texts);
        see(&mut self.seen.targets, &row.targets);
        self.seen.text_pair |= row.text_pair.is_some();
        self.seen.split |= row.split.is_some();
        self.seen.group |= row.group.is_some();
        if let Some((column, key)) = row.lacking(&self.columns.text).filter(|_| self.columns.text_in_each) {
            let found = fields(text);
            return Err(match first {
                true => Fault::File(self.missing(ColumnFault::AbsentFromFirst, column, key)),
                false => {
                    let names_it = self.wording.names(key);
                    let (names, help) = (found_columns(&found), suggest(column, &found));
                    let another = self.wording.another(key);
                    let what = format!("no field `{column}`, which {names_it}; fields found: {names}{help}{another}");
                    Fault::Row(Problem::new(line, what))
                }
            });
        }
        row.fill(cells, &self.columns, self.wording).map_err(|what| Fault::Row(Problem::new(line, what)))?;
        if self.columns.keep {
            cells.kept = json_fields::values(text);
        }
        Ok(Some(line))
    }

    /// Fills the buffer with the next object and returns the line on which it begins.
    fn advance(&mut self) -> Result<Option<u64>, DataError> {
        match &mut self.objects {
            Objects::Lines(line) => loop {
                read_line(&mut self.reader, &mut self.buffer).map_err(reading(&self.path, *line + 1))?;
                if self.buffer.is_empty() {
                    return Ok(None);
                }
                *line += 1;
                if !self.buffer.trim_ascii().is_empty() {
                    return Ok(Some(*line));
                }
            },
            Objects::Array(array) => array.next(&mut self.reader, &mut self.buffer).map_err(|fault| match fault {
                ArrayFault::Io(error, line) => reading(&self.path, line)(error),
                ArrayFault::Json(what, line) => DataError::Line { path: self.path.clone(), line, what },
            }),
        }
    }

    pub(super) fn check_columns(&self) -> Result<(), DataError> {
        let missing = |column: &str, key| self.missing(ColumnFault::AbsentFromAll, column, key);
        let text = &self.columns.text;
        if self.fields.is_empty() {
            return Ok(()); // no object was read
        }
        let seen = &self.seen;
        let texts = text.names.iter().zip(&seen.texts).map(|(name, seen)| (name, *seen, text.key()));
        let pair = text.pair.iter().map(|name| (name, seen.text_pair, "text_pair_column"));
        let key = self.columns.target_key();
        let targets = self.columns.targets().iter().zip(&seen.targets).map(|(name, seen)| (name, *seen, key));
        let split = self.columns.split.iter().map(|name| (name, seen.split, "split_column"));
        let group = self.columns.group.iter().map(|name| (name, seen.group, "group_column"));
        let all = texts.chain(pair).chain(targets).chain(split).chain(group);
        DataError::all(all.filter(|(_, seen, _)| !seen).map(|(name, _, key)| Err::<(), _>(missing(name, key))))
            .map(drop)
    }

    fn missing(&self, what: ColumnFault, column: &str, key: &str) -> DataError {
        DataError::Column {
            path: self.path.clone(),
            what,
            column: column.into(),
            names: self.wording.named_by(key),
            found: self.fields.iter().map(|name| name.escape_debug().to_string()).collect(),
            help: format!("{}{}{}", self.nested, suggest(column, &self.fields), self.wording.another(key)).into(),
        }
    }

    pub(super) fn fields(&self) -> &[String] {
        &self.fields
    }

    pub(super) fn input(&self) -> &Input {
        self.reader.get_ref()
    }
}

/// What may be wrong with a file whose first object lacks a column, but has an object, or a list of objects, that has it.
fn nested(text: &str, column: &str) -> String {
    let has = |value: &Value| value.get(column).is_some();
    let Ok(Value::Object(first)) = serde_json::from_str(text) else { return String::new() };
    let around = first.iter().find(|(_, value)| match value {
        Value::Array(rows) => rows.first().is_some_and(has),
        value => has(value),
    });
    around.map_or_else(String::new, |(name, value)| {
        let shown = escaped(name);
        match value.is_array() {
            true => {
                let filter = format!(".[{}]", json_string(name));
                format!("; the rows are in its list `{shown}`: write that list alone (jq {} FILE)", shell_word(&filter))
            }
            false => format!("; its object `{shown}` has one: write each row as an object with the field `{column}`"),
        }
    })
}

/// A name as a JSON string, in which invisible characters are escaped as well.
fn json_string(name: &str) -> String {
    let mut text = String::new();
    for c in Value::from(name).to_string().chars() {
        match is_invisible(c) {
            true => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text += &format!("\\u{unit:04x}")),
            false => text.push(c),
        }
    }
    text
}

/// The values wanted of an object; none where it lacks the field.
#[derive(Default)]
struct Values {
    /// One for each column of the text.
    texts: Vec<Option<Value>>,
    text_pair: Option<Value>,
    /// One for each column of the target.
    targets: Vec<Option<Value>>,
    split: Option<Value>,
    group: Option<Value>,
}

impl Values {
    /// The first field of the texts that the object lacks, and the key that names it. Of several that are joined, one is enough.
    fn lacking<'a>(&self, columns: &'a TextColumns) -> Option<(&'a str, &'static str)> {
        match &columns.pair {
            _ if self.texts.iter().all(Option::is_none) => Some((&columns.names[0], columns.key())),
            Some(pair) if self.text_pair.is_none() => Some((pair, "text_pair_column")),
            _ => None,
        }
    }

    fn fill(self, cells: &mut Cells, columns: &Columns, wording: Wording) -> Result<(), String> {
        for (value, name) in self.texts.into_iter().zip(&columns.text.names) {
            if let Some(part) = text(value, name)? {
                cells.add_text(&part, &columns.text);
            }
        }
        let named = |column: &Option<String>| column.clone().unwrap_or_default();
        cells.text_pair = text(self.text_pair, &named(&columns.text.pair))?.unwrap_or_default();
        if let Some(target) = &columns.target {
            fill_target(self.targets, cells, target, wording)?;
        }
        cells.split = value(self.split, ONE).map_err(|what| format!("`{}` is {what}", named(&columns.split)))?;
        cells.group = value(self.group, ONE).map_err(|what| format!("`{}` is {what}", named(&columns.group)))?;
        Ok(())
    }
}

/// What the value of a split or a group has to be.
const ONE: &str = "a string, a number or a boolean";

/// Puts the values of the target into the cells.
fn fill_target(
    values: Vec<Option<Value>>,
    cells: &mut Cells,
    target: &TargetColumns,
    wording: Wording,
) -> Result<(), String> {
    cells.labels.resize(if target.each { values.len() } else { 0 }, String::new());
    for (at, (found, name)) in values.into_iter().zip(&target.names).enumerate() {
        let named = |what: String| format!("`{name}` is {what}");
        let cell = match found {
            None => {
                cells.is_unknown = true;
                continue;
            }
            Some(Value::Array(elements)) if target.takes_lists() => {
                cells.is_list = true;
                let wrong = |what| named(format!("a list with {what}, expected strings or integers in it"));
                cells.labels = elements.into_iter().map(element).collect::<Result<_, _>>().map_err(wrong)?;
                continue;
            }
            Some(Value::Array(_)) => {
                let help = target.instead_of_list(wording);
                return Err(named(format!("an array, expected {}{help}", target.expects())));
            }
            Some(found @ Value::Bool(_)) if target.task == Task::Regression => {
                return Err(named(format!("{}, expected {}", kind(&found), target.expects())));
            }
            // Of any size: it is no name.
            Some(Value::Number(number)) if target.task == Task::Regression => number.to_string(),
            found => value(found, target.expects()).map_err(named)?,
        };
        match target.each {
            true => cells.labels[at] = cell,
            false => cells.label = cell,
        }
    }
    Ok(())
}

/// A label in a list; what it is if it cannot be one.
pub(super) fn element(value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.trim().to_owned()),
        Value::Number(number) if !number.is_f64() => Ok(number.to_string()),
        other => Err(kind(&other)),
    }
}

/// The text in a field; what is wrong if it holds something else.
fn text(value: Option<Value>, name: &str) -> Result<Option<String>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Object(fields)) if fields.keys().next().is_some_and(|key| key == "0") => Err(format!(
            "`{name}` is an object with the keys 0, 1, …, expected a string: the file has a field for each column; in pandas, write it with \
             orient=\"records\", lines=True"
        )),
        Some(other) => Err(format!("`{name}` is {}, expected a string", kind(&other))),
    }
}

/// The value of a label, a split or a group as text; what it is if it cannot be one, and what was expected.
fn value(value: Option<Value>, expected: &str) -> Result<String, String> {
    match value {
        None | Some(Value::Null) => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.trim().to_owned()),
        Some(Value::Bool(value)) => Ok(if value { "true" } else { "false" }.to_owned()),
        Some(Value::Number(value)) if !value.is_f64() => Ok(value.to_string()),
        Some(Value::Number(value)) => number(value.as_f64().unwrap_or(f64::NAN)),
        Some(other) => Err(format!("{}, expected {expected}", kind(&other))),
    }
}

/// A number with a point or an exponent as a label: its shortest digits, `1.0` and `0.5`. Empty, which is missing, where it is
/// none.
pub(super) fn number(value: f64) -> Result<String, String> {
    /// From here on not every whole number is one of these: two labels could become one.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        _ if value.is_nan() => Ok(String::new()),
        _ if value.abs() < EXACT => Ok(format!("{value:?}")),
        _ => Err(format!("the number {value:e}, too large to be represented exactly; expected a string")),
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

/// Reads one object.
fn parse(text: &str, columns: &Columns) -> serde_json::Result<Values> {
    let mut json = serde_json::Deserializer::from_str(text);
    Object(columns).deserialize(&mut json).and_then(|row| json.end().map(|()| row))
}

/// The names of an object's fields.
fn fields(object: &str) -> Vec<String> {
    let object: serde_json::Map<String, Value> = serde_json::from_str(object).unwrap_or_default();
    object.into_iter().map(|(name, _)| name).collect()
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
        let columns = self.0;
        let mut row = Values {
            texts: vec![None; columns.text.names.len()],
            targets: vec![None; columns.targets().len()],
            ..Values::default()
        };
        while let Some(field) = map.next_key_seed(Name(columns))? {
            let (value, name) = match field {
                Field::Text(column) => (&mut row.texts[column], columns.text.names.get(column)),
                Field::TextPair => (&mut row.text_pair, columns.text.pair.as_ref()),
                Field::Target(column) => (&mut row.targets[column], columns.targets().get(column)),
                Field::Split => (&mut row.split, columns.split.as_ref()),
                Field::Group => (&mut row.group, columns.group.as_ref()),
                Field::Other => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            // Parsers differ in which one they take.
            if value.replace(map.next_value()?).is_some() {
                let name = name.map_or("", String::as_str);
                return Err(A::Error::custom(format_args!("more than one field `{name}`: remove all but one of them")));
            }
        }
        Ok(row)
    }
}

enum Field {
    /// One of the columns of the text, by its position.
    Text(usize),
    TextPair,
    /// One of the columns of the target, by its position.
    Target(usize),
    Split,
    Group,
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
        let columns = &self.0.text;
        if let Some(column) = columns.names.iter().position(|column| column == name) {
            return Ok(Field::Text(column));
        }
        if columns.pair.as_deref() == Some(name) {
            return Ok(Field::TextPair);
        }
        if let Some(column) = self.0.targets().iter().position(|column| column == name) {
            return Ok(Field::Target(column));
        }
        Ok(match name {
            _ if self.0.split.as_deref() == Some(name) => Field::Split,
            _ if self.0.group.as_deref() == Some(name) => Field::Group,
            _ => Field::Other,
        })
    }
}
