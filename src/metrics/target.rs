//! The target of a row: what a model should predict for it, and what it does predict.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// What a model should predict for a row, or what it predicts. Each task has its variant. Code that needs a label destructures the target,
/// so that the compiler points at it when a task is added.
///
/// It is serialised as a number (a label id), an array (label ids) or an object (`{"values": […]}`).
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// The id of the one label that the text belongs to.
    Label(u32),
    /// The ids of all labels that the text has, ascending; there may be none.
    Labels(Arc<Vec<u32>>),
    /// A number for each column of values.
    Values(Arc<Vec<f64>>),
}

// Numbers are read from files that may not hold NaN: equality of targets is reflexive. (A prediction may be NaN; it is not a key of anything.)
impl Eq for Target {}

impl Hash for Target {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Label(id) => id.hash(state),
            Self::Labels(ids) => ids.hash(state),
            // 0 and -0 are equal, so that their hashes have to be.
            Self::Values(values) => values.iter().for_each(|value| (value + 0.0).to_bits().hash(state)),
        }
    }
}

impl Target {
    /// The separator of the labels of a text where the spec names none.
    pub const SEPARATOR: &str = "|";
    /// How no label is shown.
    pub const NONE: &str = "(none)";

    /// Several labels, in any order.
    pub fn labels(mut ids: Vec<u32>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        Self::Labels(Arc::new(ids))
    }

    /// Numbers, one for each column.
    pub fn values(values: Vec<f64>) -> Self {
        Self::Values(Arc::new(values))
    }

    /// The id of the label, if there is exactly one by the nature of the task.
    pub fn label(&self) -> Option<u32> {
        match self {
            Self::Label(id) => Some(*id),
            Self::Labels(_) | Self::Values(_) => None,
        }
    }

    /// The ids of the labels; of numbers none.
    pub fn ids(&self) -> &[u32] {
        match self {
            Self::Label(id) => std::slice::from_ref(id),
            Self::Labels(ids) => ids,
            Self::Values(_) => &[],
        }
    }

    /// The numbers; of labels none.
    pub fn numbers(&self) -> &[f64] {
        match self {
            Self::Values(values) => values,
            Self::Label(_) | Self::Labels(_) => &[],
        }
    }

    /// The same with another id for each label: `ids` has the new one of each. Numbers stay.
    ///
    /// # Panics
    /// If `ids` lacks one of its labels.
    #[must_use]
    pub fn renamed(&self, ids: &[u32]) -> Self {
        match self {
            Self::Label(id) => Self::Label(ids[*id as usize]),
            Self::Labels(old) => Self::labels(old.iter().map(|id| ids[*id as usize]).collect()),
            Self::Values(_) => self.clone(),
        }
    }

    /// `separator`, unless labels that are joined with it could not be told apart.
    pub fn sound<'a>(separator: Option<&'a str>, labels: &[String]) -> Option<&'a str> {
        // It must not begin before the end of a label: with `||`, `a|` and `b` would be read back as `a` and `|b`.
        let is_read_back = |label: &String, by: &str| format!("{label}{by}").find(by) == Some(label.len());
        separator.filter(|separator| labels.iter().all(|label| is_read_back(label, separator)))
    }

    /// How it is written into a file, to be read back: labels of a set are joined with the separator, which must be [`Self::sound`], or are a JSON
    /// list without one. `labels` has the name of each id.
    pub fn written(&self, labels: &[String], separator: Option<&str>) -> String {
        let Self::Labels(ids) = self else { return self.shown(labels) };
        let names: Vec<String> =
            ids.iter().map(|id| labels.get(*id as usize).cloned().unwrap_or_else(|| id.to_string())).collect();
        match separator {
            Some(separator) => names.join(separator),
            None => serde_json::json!(names).to_string(),
        }
    }

    /// How it is shown: the label, the labels joined by `|` (`(none)` without any), or the numbers joined by `, `. `labels` has the name
    /// of each id; an id that is not in it is shown as a number.
    pub fn shown(&self, labels: &[String]) -> String {
        let name = |id: &u32| labels.get(*id as usize).cloned().unwrap_or_else(|| id.to_string());
        match self {
            Self::Values(values) => values.iter().map(|value| number(*value)).collect::<Vec<_>>().join(", "),
            Self::Labels(ids) if ids.is_empty() => Self::NONE.into(),
            Self::Label(_) | Self::Labels(_) => self.ids().iter().map(name).collect::<Vec<_>>().join(Self::SEPARATOR),
        }
    }
}

/// A number as people write it: up to four decimals.
fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Label(u32),
    Labels(Vec<u32>),
    // JSON has no NaN: a prediction that is no number is written as null.
    Values { values: Vec<Option<f64>> },
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Label(id) => Written::Label(*id),
            Self::Labels(ids) => Written::Labels(ids.to_vec()),
            Self::Values(values) => {
                Written::Values { values: values.iter().map(|value| value.is_finite().then_some(*value)).collect() }
            }
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Label(id) => Self::Label(id),
            Written::Labels(ids) if ids.is_sorted_by(|a, b| a < b) => Self::Labels(Arc::new(ids)),
            Written::Labels(_) => return Err(D::Error::custom("the label ids of a row are not ascending")),
            Written::Values { values } => {
                Self::values(values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for (target, text) in [
            (Target::Label(3), "3"),
            (Target::labels(vec![4, 0, 4]), "[0,4]"),
            (Target::labels(vec![]), "[]"),
            (Target::values(vec![1.0, -2.5]), r#"{"values":[1.0,-2.5]}"#),
        ] {
            assert_eq!(serde_json::to_string(&target).unwrap(), text);
            assert_eq!(serde_json::from_str::<Target>(text).unwrap(), target);
        }
        let nan: Target = serde_json::from_str(r#"{"values":[null]}"#).unwrap();
        assert!(nan.numbers()[0].is_nan());
        for wrong in ["[2,1]", "[1,1]", "-1", "\"a\"", "[0.5]"] {
            assert!(serde_json::from_str::<Target>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_target_is_shown_by_names() {
        let names = ["food", "price"].map(String::from);
        assert_eq!(Target::Label(1).shown(&names), "price");
        assert_eq!(Target::labels(vec![1, 0]).shown(&names), "food|price");
        assert_eq!(Target::labels(vec![]).shown(&names), "(none)");
        assert_eq!(Target::values(vec![3.0, 0.123_45, -0.5]).shown(&names), "3, 0.1235, -0.5");
        assert_eq!(Target::Label(7).shown(&names), "7");
        // Written so that it can be read back, also of labels that contain the separator.
        let (both, none) = (Target::labels(vec![1, 0]), Target::labels(vec![]));
        assert_eq!(Target::sound(Some("|"), &names), Some("|"));
        assert_eq!(
            (both.written(&names, Some("|")), none.written(&names, Some("|"))),
            ("food|price".into(), String::new())
        );
        let odd = ["a|b", "c"].map(String::from);
        assert_eq!(Target::sound(Some("|"), &odd), None);
        assert_eq!((both.written(&odd, None), none.written(&odd, None)), (r#"["a|b","c"]"#.into(), "[]".into()));
        assert_eq!(Target::Label(0).written(&odd, None), "a|b");
    }
}
