//! Values with positions: a TOML document as a tree in which every key and value has its span.

use std::{collections::BTreeMap, fmt, ops::Range};

use figment::value::Value;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::format;

/// A range of bytes in a layer's text.
pub(super) type Span = Range<usize>;

/// Entries of a table, sorted by key.
pub(super) type Table = BTreeMap<String, Node>;

/// Characters of a string that a message quotes at most.
const LONGEST_FOUND: usize = 200;

/// A value with its span.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Span of its key; for an element of a list, that of the element itself.
    pub key: Span,
    /// Span of the value. The span of a table with a header is that of the header.
    pub span: Span,
    pub item: Item,
}

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Item {
    Text(String),
    /// Saturates if TOML has more than 128 bits.
    Integer(i128),
    Float(f64),
    Boolean(bool),
    /// A date or time, which no key takes.
    Datetime(String),
    List(Vec<Node>),
    Table(Table),
}

impl Node {
    /// A value with a given span.
    pub fn new(span: Span, item: Item) -> Self {
        Self { key: span.clone(), span, item }
    }

    /// Converts TOML's tree. `offset` is added to every span.
    pub fn from_toml(value: &Spanned<DeValue>, offset: usize) -> Self {
        let span = value.span();
        let item = match value.get_ref() {
            DeValue::String(text) => Item::Text(text.to_string()),
            DeValue::Integer(number) => {
                let saturated = if number.as_str().starts_with('-') { i128::MIN } else { i128::MAX };
                Item::Integer(i128::from_str_radix(number.as_str(), number.radix()).unwrap_or(saturated))
            }
            DeValue::Float(number) => Item::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(value) => Item::Boolean(*value),
            DeValue::Datetime(value) => Item::Datetime(value.to_string()),
            DeValue::Array(values) => Item::List(values.iter().map(|v| Self::from_toml(v, offset)).collect()),
            DeValue::Table(table) => Item::Table(table_from_toml(table, offset)),
        };
        Self::new(span.start + offset..span.end + offset, item)
    }

    /// Converts JSON, without positions; `None` for `null`, which TOML does not have.
    pub fn from_json(value: &serde_json::Value) -> Option<Self> {
        use serde_json::Value as Json;
        let item = match value {
            Json::Null => return None,
            Json::Bool(value) => Item::Boolean(*value),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(value), _) => Item::Integer(value.into()),
                (None, Some(value)) => Item::Integer(value.into()),
                (None, None) => Item::Float(number.as_f64()?),
            },
            Json::String(text) => Item::Text(text.clone()),
            Json::Array(values) => Item::List(values.iter().map(Self::from_json).collect::<Option<_>>()?),
            Json::Object(map) => {
                let entries = map.iter().map(|(key, value)| Some((key.clone(), Self::from_json(value)?)));
                Item::Table(entries.collect::<Option<_>>()?)
            }
        };
        Some(Self::new(0..0, item))
    }

    /// Converts to JSON.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.item {
            Item::Text(text) | Item::Datetime(text) => text.as_str().into(),
            Item::Integer(number) => match u64::try_from(*number) {
                Ok(number) => number.into(),
                Err(_) => i64::try_from(*number).unwrap_or(i64::MIN).into(),
            },
            Item::Float(number) => (*number).into(),
            Item::Boolean(value) => (*value).into(),
            Item::List(nodes) => nodes.iter().map(Self::to_json).collect(),
            Item::Table(table) => table.iter().map(|(key, node)| (key.clone(), node.to_json())).collect(),
        }
    }

    /// Converts to figment's value.
    pub fn to_figment(&self) -> Value {
        match &self.item {
            Item::Text(text) | Item::Datetime(text) => Value::from(text.as_str()),
            Item::Integer(number) => match u64::try_from(*number) {
                Ok(number) => Value::from(number),
                Err(_) => Value::from(i64::try_from(*number).unwrap_or(i64::MIN)),
            },
            Item::Float(number) => Value::from(*number),
            Item::Boolean(value) => Value::from(*value),
            Item::List(nodes) => Value::from(nodes.iter().map(Self::to_figment).collect::<Vec<_>>()),
            Item::Table(table) => Value::from(table_to_figment(table)),
        }
    }

    /// Follows keys, and indices of lists.
    pub fn find<S: AsRef<str>>(&self, path: &[S]) -> Option<&Node> {
        let Some((first, rest)) = path.split_first() else { return Some(self) };
        match &self.item {
            Item::Table(table) => table.get(first.as_ref())?.find(rest),
            Item::List(nodes) => nodes.get(first.as_ref().parse::<usize>().ok()?)?.find(rest),
            _ => None,
        }
    }

    /// A description of the value, for "… is {this}; expected …".
    pub fn found(&self) -> String {
        match &self.item {
            Item::Text(text) if text.is_empty() => "an empty string".into(),
            Item::Text(text) => match text.char_indices().nth(LONGEST_FOUND) {
                Some((cut, _)) => {
                    let begin = serde_json::Value::from(&text[..cut]).to_string();
                    let length = format::count(text.chars().count() as u64);
                    format!("the string {}…\" ({length} characters)", begin.trim_end_matches('"'))
                }
                None => format!("the string {self}"),
            },
            Item::Integer(i128::MIN | i128::MAX) => "a number beyond 128 bits".into(),
            Item::Integer(_) | Item::Float(_) | Item::Boolean(_) => self.to_string(),
            Item::Datetime(_) => format!("the date or time {self}"),
            Item::List(nodes) if nodes.is_empty() => "an empty list".into(),
            Item::List(_) => "a list".into(),
            Item::Table(_) => "a table".into(),
        }
    }

    /// A text that is equal for two values if they are the [same](Self::same).
    pub fn identity(&self) -> String {
        match &self.item {
            // -0.0 equals 0.0.
            Item::Float(number) => format!("{:?}", number + 0.0),
            Item::List(nodes) => format!("[{}]", nodes.iter().map(Self::identity).collect::<Vec<_>>().join(",")),
            Item::Datetime(text) => format!("d{text}"),
            _ => self.to_string(),
        }
    }

    /// Whether both values are equal, regardless of their positions.
    pub fn same(&self, other: &Node) -> bool {
        match (&self.item, &other.item) {
            (Item::Text(a), Item::Text(b)) | (Item::Datetime(a), Item::Datetime(b)) => a == b,
            (Item::Integer(a), Item::Integer(b)) => a == b,
            (Item::Float(a), Item::Float(b)) => a == b,
            (Item::Boolean(a), Item::Boolean(b)) => a == b,
            (Item::List(a), Item::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b)),
            (Item::Table(a), Item::Table(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|((ka, a), (kb, b))| ka == kb && a.same(b))
            }
            _ => false,
        }
    }
}

/// Writes the value as TOML on one line.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match &self.item {
            // JSON's escapes are valid in TOML.
            Item::Text(text) => write!(f, "{}", serde_json::Value::from(text.as_str())),
            Item::Datetime(text) => f.write_str(text),
            Item::Integer(number) => write!(f, "{number}"),
            // The one form of a number; that of a whole one has a point, as TOML needs it.
            Item::Float(number) => match format::setting(*number) {
                text if text.contains('e') => f.write_str(&text),
                _ => write!(f, "{number:?}"),
            },
            Item::Boolean(value) => write!(f, "{value}"),
            Item::List(nodes) => {
                f.write_str("[")?;
                for (i, node) in nodes.iter().enumerate() {
                    write!(f, "{}{node}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Item::Table(table) if table.is_empty() => f.write_str("{}"),
            Item::Table(table) => {
                f.write_str("{")?;
                for (i, (key, node)) in table.iter().enumerate() {
                    write!(f, "{}{} = {node}", if i == 0 { " " } else { ", " }, quoted_key(key))?;
                }
                f.write_str(" }")
            }
        }
    }
}

/// A key as written in TOML.
pub(super) fn quoted_key(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { key.to_string() } else { serde_json::Value::from(key).to_string() }
}

/// The entries of a document or an inline table.
pub(super) fn table_from_toml(table: &DeTable, offset: usize) -> Table {
    let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue>)| {
        let mut node = Node::from_toml(value, offset);
        node.key = key.span().start + offset..key.span().end + offset;
        (std::borrow::Cow::<str>::to_string(key.get_ref()), node)
    };
    table.iter().map(entry).collect()
}

/// Converts a table to figment's.
pub(super) fn table_to_figment(table: &Table) -> figment::value::Dict {
    table.iter().map(|(key, node)| (key.clone(), node.to_figment())).collect()
}
