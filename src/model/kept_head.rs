//! Maps the rows of a file's classifier head to labels, by the label names in `config.json`.

use std::collections::{BTreeSet, HashMap};

use super::label_names::Names;
use crate::task::Task;

/// A label of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// The values in the data that mean it, if they have other names.
    pub values: Vec<String>,
}

/// The labels that a model is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// What it is trained to do with them.
    pub task: Task,
    /// Each of them, by id; of regression the columns of its numbers.
    pub all: Vec<Label>,
}

impl Labels {
    /// Their number.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn names(&self) -> String {
        list(self.all.iter().map(|label| label.name.as_str()))
    }
}

/// `count` labels, with the names that transformers gives unnamed labels.
impl From<usize> for Labels {
    fn from(count: usize) -> Self {
        (0..count).map(|id| format!("LABEL_{id}")).collect::<Vec<_>>().as_slice().into()
    }
}

/// Labels named by their values in the data.
impl From<&[String]> for Labels {
    fn from(names: &[String]) -> Self {
        let all = names.iter().map(|name| Label { name: name.clone(), values: Vec::new() }).collect();
        Self { task: Task::default(), all }
    }
}

/// Whether a file's head is kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is for these labels in this order. The note.
    AsItIs(String),
    /// It does not say which labels it is for: its rows are used in the labels' order. The warning.
    ByPosition(String),
    /// It is for these labels in another order: the row of the file for each label. The note.
    Moved(Vec<usize>, String),
    /// It is for something else. The warning.
    Not(String),
}

/// Decides by the label names in the file's config. The head has `rows` rows.
pub(super) fn kept(labels: &Labels, names: &Names, rows: usize) -> Kept {
    let ours = labels.names();
    let not = |why: String| Kept::Not(format!("the classifier head in the weights file is not used: {why}"));
    let names = match names {
        Names::Odd(why) => return not(format!("config.json's {why}, so its labels are unknown")),
        Names::Given(names) if names.len() != rows && rows == labels.len() => {
            return not(format!(
                "it has {}, but config.json names {} ({})",
                crate::format::counted(rows as u64, "row"),
                counted(names.len()),
                list(names)
            ));
        }
        Names::Given(names) => Some(names),
        Names::Default => None,
    };
    if rows != labels.len() {
        let theirs = names.map_or_else(String::new, |names| format!(" ({})", list(names)));
        return not(format!("it has {}{theirs}, but the data has {} ({ours})", counted(rows), labels.len()));
    }
    // transformers' names of unnamed labels.
    let counting: Vec<String> = (0..rows).map(|id| format!("LABEL_{id}")).collect();
    if let Some(rows) = rows_by_name(labels, names.unwrap_or(&counting)) {
        let theirs = list(names.unwrap_or(&counting));
        let said = if theirs == ours { String::new() } else { format!(", called {theirs} in config.json") };
        return match rows.is_sorted() {
            true => Kept::AsItIs(format!("kept the classifier head (labels {ours}{said})")),
            false => {
                let order =
                    list(rows.iter().zip(&labels.all).map(|(row, label)| format!("{} from row {row}", label.name)));
                Kept::Moved(
                    rows,
                    format!(
                        "kept the classifier head, with its rows reordered to match the data's labels ({order}{said})"
                    ),
                )
            }
        };
    }
    match names.filter(|names| !names.iter().enumerate().all(|(id, name)| says_nothing(id, name))) {
        Some(names) => {
            not(format!("its labels in config.json are [{}], but the data's labels are [{ours}]", list(names)))
        }
        None => Kept::ByPosition(format!(
            "kept the classifier head and assigned its outputs to the data's labels in order ({ours}), because config.json does not \
             name them; if this order is wrong, set id2label in config.json"
        )),
    }
}

/// Whether a name is only a number.
fn says_nothing(id: usize, name: &str) -> bool {
    name == format!("LABEL_{id}") || name == id.to_string()
}

/// The row for each label, if each label has exactly one row's name: as written, or else ignoring case and blanks.
fn rows_by_name(labels: &Labels, names: &[String]) -> Option<Vec<usize>> {
    let written = |text: &str| text.to_string();
    let loose = |text: &str| text.trim().to_lowercase();
    let name = |label: &Label| vec![label.name.clone()];
    let values = |label: &Label| label.values.clone();
    let any = |label: &Label| [name(label), values(label)].concat();
    rows_by(labels, names, name, written)
        .or_else(|| rows_by(labels, names, values, written))
        .or_else(|| rows_by(labels, names, any, loose))
}

/// The row for each label, if exactly one name has the same `key` as one of the label's texts.
fn rows_by(
    labels: &Labels,
    names: &[String],
    texts: impl Fn(&Label) -> Vec<String>,
    key: impl Fn(&str) -> String,
) -> Option<Vec<usize>> {
    let mut rows: HashMap<String, Vec<usize>> = HashMap::new();
    for (row, name) in names.iter().enumerate() {
        rows.entry(key(name)).or_default().push(row);
    }
    let mut taken = vec![false; names.len()];
    let row = |label: &Label| {
        let keys: BTreeSet<String> = texts(label).iter().map(|text| key(text)).collect();
        let mut found = keys.iter().filter_map(|key| rows.get(key)).flatten();
        let row = *found.next()?;
        (found.next().is_none() && !std::mem::replace(&mut taken[row], true)).then_some(row)
    };
    labels.all.iter().map(row).collect()
}

/// A number of labels.
fn counted(count: usize) -> String {
    format!("{count} {}", if count == 1 { "label" } else { "labels" })
}

/// The first few of some names.
fn list<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    const SHOWN: usize = 10;
    let names: Vec<String> = names.into_iter().map(|name| name.as_ref().escape_debug().to_string()).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(names: &[&str]) -> Names {
        Names::Given(names.iter().map(|name| name.to_string()).collect())
    }

    fn labels(names: &[(&str, &[&str])]) -> Labels {
        let label = |(name, values): &(&str, &[&str])| Label {
            name: name.to_string(),
            values: values.iter().map(|value| value.to_string()).collect(),
        };
        Labels { task: Task::default(), all: names.iter().map(label).collect() }
    }

    fn neg_pos() -> Labels {
        labels(&[("neg", &[]), ("pos", &[])])
    }

    #[test]
    fn the_same_names_in_the_same_order_keep_the_head() {
        for names in [["neg", "pos"], ["NEG", "Pos"], [" neg", "pos"]] {
            let Kept::AsItIs(note) = kept(&neg_pos(), &given(&names), 2) else { panic!("{names:?}") };
            assert!(note.starts_with("kept the classifier head (labels neg, pos"), "{note}");
        }
        let by_value = labels(&[("差评", &["0"]), ("好评", &["1", "2"])]);
        assert!(matches!(kept(&by_value, &given(&["差评", "好评"]), 2), Kept::AsItIs(_)));
        assert!(matches!(kept(&by_value, &given(&["0", "2"]), 2), Kept::AsItIs(_)));
        assert!(matches!(kept(&2.into(), &given(&["LABEL_0", "LABEL_1"]), 2), Kept::AsItIs(_)));
    }

    #[test]
    fn the_same_names_in_another_order_move_the_rows() {
        let three = labels(&[("a", &[]), ("b", &[]), ("c", &[])]);
        let Kept::Moved(rows, note) = kept(&three, &given(&["c", "a", "b"]), 3) else { panic!() };
        assert_eq!(rows, [1, 2, 0]);
        assert!(note.contains("a from row 1, b from row 2, c from row 0"), "{note}");
        let Kept::Moved(rows, note) = kept(&neg_pos(), &given(&["POS", "NEG"]), 2) else { panic!() };
        assert_eq!(rows, [1, 0]);
        assert!(note.contains("called POS, NEG in config.json"), "{note}");
        let by_value = labels(&[("差评", &["0"]), ("好评", &["1"])]);
        assert!(matches!(kept(&by_value, &given(&["1", "0"]), 2), Kept::Moved(rows, _) if rows == [1, 0]));
        assert!(matches!(kept(&2.into(), &given(&["LABEL_1", "LABEL_0"]), 2), Kept::Moved(..)));
    }

    #[test]
    fn names_that_only_count_are_taken_by_position_with_a_warning() {
        for names in [given(&["LABEL_0", "LABEL_1"]), given(&["0", "1"]), Names::Default] {
            let Kept::ByPosition(warning) = kept(&neg_pos(), &names, 2) else { panic!("{names:?}") };
            assert!(warning.contains("(neg, pos)") && warning.contains("id2label"), "{warning}");
        }
    }

    #[test]
    fn other_names_and_other_sizes_are_not_kept_and_both_are_named() {
        for (names, rows, words) in [
            (given(&["joy", "anger"]), 2, ["joy, anger", "neg, pos"]),
            (given(&["neg", "other"]), 2, ["neg, other", "neg, pos"]),
            (given(&["pos", "pos"]), 2, ["pos, pos", "neg, pos"]),
            (given(&["LABEL_1", "LABEL_2"]), 2, ["LABEL_1, LABEL_2", "neg, pos"]),
            (given(&["neg", "mid", "pos"]), 3, ["3 labels (neg, mid, pos)", "the data has 2 (neg, pos)"]),
            (given(&["neg", "mid", "pos"]), 2, ["2 rows", "names 3 labels"]),
            (given(&["LABEL_0"]), 1, ["1 label (LABEL_0)", "has 2"]),
            (Names::Default, 5, ["5 labels", "has 2"]),
            (Names::Odd("id2label skips 1".into()), 2, ["id2label skips 1", "not used"]),
        ] {
            let Kept::Not(warning) = kept(&neg_pos(), &names, rows) else { panic!("{names:?}") };
            assert!(words.iter().all(|words| warning.contains(words)), "{warning}");
        }
    }

    /// Case that distinguishes two labels is not ignored.
    #[test]
    fn names_that_differ_in_capitals_only_are_two() {
        let two = labels(&[("a", &[]), ("A", &[])]);
        assert!(matches!(kept(&two, &given(&["A", "a"]), 2), Kept::Moved(..)));
        assert!(matches!(kept(&neg_pos(), &given(&["POS", "pos"]), 2), Kept::Not(_)));
    }
}
