//! Label names in config.json.

use serde_json::Value;

use super::config_keys::Keys;
use crate::task::Task;

/// Names of a model's labels in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// None: transformers numbers them.
    Default,
    /// By id.
    Given(Vec<String>),
    /// Why it is not a list of names.
    Odd(String),
}

/// Names of the labels, by id, from `id2label` or else `label2id`.
pub fn names(keys: &Keys) -> Names {
    let (key, by_id): (_, Vec<(Option<usize>, Option<String>)>) = match (keys.get("id2label"), keys.get("label2id")) {
        (Some(Value::Object(map)), _) => {
            ("id2label", map.iter().map(|(id, name)| (id.parse().ok(), text(name))).collect())
        }
        (Some(_), _) => return Names::Odd("id2label is not an object".into()),
        (None, Some(Value::Object(map))) => {
            ("label2id", map.iter().map(|(name, value)| (id_of(value), Some(name.clone()))).collect())
        }
        (None, _) => return Names::Default,
    };
    let mut names = vec![None; by_id.len()];
    for (id, name) in by_id {
        match id.and_then(|id| names.get_mut(id)) {
            Some(slot @ None) => *slot = name,
            Some(Some(_)) => return Names::Odd(format!("{key} has an id twice")),
            None if id.is_none() => return Names::Odd(format!("{key} has an id that is not an integer")),
            None => return Names::Odd(format!("{key} does not number its labels from 0")),
        }
    }
    match names.into_iter().collect::<Option<Vec<String>>>() {
        Some(names) if names.is_empty() => Names::Default,
        Some(names) => Names::Given(names),
        None => Names::Odd(format!("{key} has a label without a name")),
    }
}

/// Reasons in the file to doubt that a head with `rows` rows works as taper assumes: that it was trained for this task, and that `id2label`
/// names its rows.
pub fn doubts_of_the_head(keys: &Keys, rows: usize, task: Task) -> Vec<String> {
    let mut doubts = Vec::new();
    if let (Some(Value::Object(names)), Some(Value::Object(ids))) = (keys.get("id2label"), keys.get("label2id")) {
        let written = |(id, name): (&String, &Value)| Some((id.trim().parse::<usize>().ok()?, text(name)?));
        let differs = names.iter().filter_map(written).find_map(|(id, name)| {
            let mut labels = ids.iter().filter(|(_, of)| id_of(of) == Some(id)).map(|(label, _)| label).peekable();
            let first = labels.peek().copied()?;
            (!labels.any(|label| *label == name)).then_some((id, name, first))
        });
        if let Some((id, name, label)) = differs {
            doubts.push(format!(
                "config.json contradicts itself: id {id} is `{}` in id2label and `{}` in label2id; the head's rows are \
                 named by id2label, as in transformers",
                name.escape_debug(),
                label.escape_debug()
            ));
        }
    }
    if let Some(stated) = keys.get("num_labels").filter(|stated| id_of(stated) != Some(rows)) {
        doubts.push(format!(
            "config.json's num_labels is {stated}, but the classifier head in the weights file has {}: transformers \
             would refuse the head or ignore it",
            if rows == 1 { "1 row".into() } else { format!("{rows} rows") }
        ));
    }
    let unknown = || "transformers has no such problem type".to_owned();
    let trained = match keys.get("problem_type") {
        None => None,
        Some(Value::String(kind)) => match Task::from_problem_type(kind) {
            Some(own) if own == task => None,
            Some(own) => Some((kind.clone(), format!("the head was trained for {}", own.name()))),
            None => Some((kind.clone(), unknown())),
        },
        Some(other) => Some((text(other).unwrap_or_else(|| other.to_string()), unknown())),
    };
    doubts.extend(trained.map(|(kind, what)| {
        format!(
            "config.json's problem_type is `{}`: {what}. taper keeps the head's weights, trains the model for {}, and \
             exports it with problem_type {}",
            kind.escape_debug(),
            task.name(),
            task.problem_type()
        )
    }));
    doubts
}

/// The id of a label, also if written as text or as `1.0`.
fn id_of(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        value if value.is_u64() => value.as_u64().and_then(|id| usize::try_from(id).ok()),
        value => value.as_f64().filter(|id| id.fract() == 0.0 && (0.0..9e15).contains(id)).map(|id| id as usize),
    }
}

/// A name, also if written as a number or a boolean.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}
