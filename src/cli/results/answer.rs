//! What results say of a text: the columns of an answer, and its cells.

use serde::ser::{Serialize, SerializeMap, Serializer};
use taper::{
    format,
    task::{Answer, Target, Task},
};

/// What a model says.
#[derive(Debug, Clone)]
pub struct Says {
    /// What it was trained to do.
    pub task: Task,
    /// Names of the labels, or of the numbers, by id.
    pub labels: Vec<String>,
    /// The separator of the labels of a text in a table; without one they are a JSON list.
    pub separator: Option<String>,
}

/// The names of an answer's columns, or fields.
#[derive(Debug, Clone)]
pub enum Named {
    /// One label and its probability.
    Label {
        /// The label.
        label: String,
        /// Its probability.
        confidence: String,
    },
    /// All labels that the text has.
    Labels(String),
    /// Numbers.
    Values {
        /// The columns, one for each number.
        each: Vec<String>,
        /// The JSON object.
        all: String,
    },
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A text.
    Text(String),
    /// A number; as a float32 it has the digits that the model computed.
    Number(f64),
}

impl Says {
    /// Of a run's data, whose labels have this separator. Where labels that are joined with it could not be told apart, lists are written as JSON,
    /// which can be read back.
    pub fn new(task: Task, labels: &[String], separator: Option<&str>) -> Self {
        let separator = Target::sound(separator, labels);
        Self { task, labels: labels.to_vec(), separator: separator.map(str::to_owned) }
    }

    /// What is predicted, as text.
    pub fn predicted(&self, target: &Target) -> String {
        target.written(&self.labels, self.separator.as_deref())
    }

    /// The cells of an answer, as many as [`Named::columns`] has; none for a row without a text.
    pub fn cells(&self, answer: Option<&Answer>) -> Vec<Option<Cell>> {
        let Some(answer) = answer else {
            let cells = match self.task {
                Task::SingleLabel => 2,
                Task::MultiLabel => 1,
                Task::Regression => self.labels.len(),
            };
            return vec![None; cells];
        };
        let text = || Some(Cell::Text(self.predicted(answer.predicted())));
        match answer.predicted() {
            Target::Label(id) => vec![text(), Some(Cell::Number(answer.probabilities()[*id as usize].into()))],
            Target::Labels(_) => vec![text()],
            Target::Values(values) => values.iter().map(|value| Some(Cell::Number(*value))).collect(),
        }
    }
}

impl Named {
    /// Where nothing else has these names.
    pub fn plain(task: Task) -> Self {
        match task {
            Task::SingleLabel => Self::Label { label: "label".into(), confidence: "confidence".into() },
            Task::MultiLabel => Self::Labels("labels".into()),
            Task::Regression => Self::Values { each: Vec::new(), all: "values".into() },
        }
    }

    /// The names of the columns, with whether each has numbers.
    pub fn columns(&self) -> Vec<(&String, bool)> {
        match self {
            Self::Label { label, confidence } => vec![(label, false), (confidence, true)],
            Self::Labels(labels) => vec![(labels, false)],
            Self::Values { each, .. } => each.iter().map(|name| (name, true)).collect(),
        }
    }

    /// The names of the fields of a JSON object.
    pub fn fields(&self) -> Vec<&String> {
        match self {
            Self::Label { label, confidence } => vec![label, confidence],
            Self::Labels(labels) => vec![labels],
            Self::Values { all, .. } => vec![all],
        }
    }

    /// Adds the answer to a JSON object; null for a row without a text.
    pub fn write<M: SerializeMap>(&self, object: &mut M, says: &Says, answer: Option<&Answer>) -> Result<(), M::Error> {
        let predicted = answer.map(Answer::predicted);
        let ids = predicted.map(Target::ids);
        let name = |id: &u32| &says.labels[*id as usize];
        match self {
            Self::Label { label, confidence } => {
                let id = ids.and_then(<[u32]>::first);
                object.serialize_entry(label, &id.map(name))?;
                let p = answer.zip(id).map(|(answer, id)| answer.probabilities()[*id as usize]);
                object.serialize_entry(confidence, &p)
            }
            Self::Labels(labels) => {
                object.serialize_entry(labels, &ids.map(|ids| ids.iter().map(name).collect::<Vec<_>>()))
            }
            Self::Values { all, .. } => {
                // As float32, whose digits are those that the model computed.
                let numbers = predicted.map(|p| p.numbers().iter().map(|value| *value as f32).collect::<Vec<_>>());
                let values = numbers.as_deref().map(|numbers| ByLabel { labels: &says.labels, probabilities: numbers });
                object.serialize_entry(all, &values)
            }
        }
    }
}

impl Cell {
    /// As text: numbers with up to four decimals, or, if `exact`, with all their digits.
    pub fn text(self, exact: bool) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) if exact => (number as f32).to_string(),
            Self::Number(number) => format::decimals(number, 4),
        }
    }
}

/// A number for each label as a JSON object: with the digits of a float32.
pub struct ByLabel<'a> {
    /// The labels, by id.
    pub labels: &'a [String],
    /// Their probabilities, or numbers.
    pub probabilities: &'a [f32],
}

impl Serialize for ByLabel<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.labels.iter().zip(self.probabilities))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_labels_can_be_read_back() {
        for (separator, labels, is_joined) in [
            ("||", ["a", "b", "c"], true),
            ("||", ["a|", "b", "c"], false),
            // At the beginning of a label it cannot be taken for the end of what is before.
            ("||", ["|a", "b", "c"], true),
            ("||", ["a||b", "b", "c"], false),
            ("aba", ["ab", "b", "c"], false),
            ("，", ["口味", "价格", "服务"], true),
        ] {
            let labels = labels.map(String::from);
            let says = Says::new(Task::MultiLabel, &labels, Some(separator));
            assert_eq!(says.separator.is_some(), is_joined, "{separator} {labels:?}");
            for ids in [&[0][..], &[0, 1], &[1, 0], &[0, 1, 2], &[2, 1, 0], &[1, 2, 0]] {
                let names: Vec<&str> = ids.iter().map(|id| labels[*id as usize].as_str()).collect();
                let written = says.predicted(&Target::Labels(ids.to_vec().into()));
                let read: Vec<String> = match is_joined {
                    true => written.split(separator).map(String::from).collect(),
                    false => serde_json::from_str(&written).expect("JSON"),
                };
                assert_eq!(read, names, "{written}");
            }
        }
    }
}
