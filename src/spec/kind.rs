//! What a key takes: one value against its kind.

use std::{
    ops::{Bound, RangeBounds},
    path::Path,
};

use super::{
    Delimiter,
    node::{Item, Node},
    problem::Fault,
    source,
    suggest::{choice_like, closest},
};

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A string that is not empty.
    Text,
    /// A string that can be the name of a folder.
    Name,
    /// Any string.
    Prose,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// A source of one of these schemes.
    Source(&'static [&'static str]),
    /// `data.delimiter`.
    Delimiter,
    /// `true` or `false`.
    Boolean,
    /// A whole number from the first to the second, both included.
    Whole(u64, u64),
    /// A number between these bounds; a whole one is taken too.
    Number(Bound<f64>, Bound<f64>),
    /// Two numbers between these bounds.
    Pair(Bound<f64>, Bound<f64>),
    /// Strings that are not empty, none twice.
    Texts,
    /// Whole numbers from 0 to this, none twice.
    Seeds(u64),
    /// `train.class_weights`.
    ClassWeights,
    /// `data.labels`.
    Labels,
    /// `[[probes]]`.
    Probes,
    /// `[sweep.axes]`.
    Axes,
    /// `[[sweep.zip]]`.
    Zip,
    /// `[[sweep.exclude]]`.
    Exclude,
}

impl Kind {
    /// What is expected, for messages and the documentation: `a whole number from 1 to 65536`.
    pub fn expects(&self) -> String {
        match self {
            Self::Text => "a string that is not empty".into(),
            Self::Name => "a name without `/`, `\\` and control characters, not beginning with `.` or `-`".into(),
            Self::Prose => "a string".into(),
            Self::Choice(values) => values.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", "),
            Self::Source(schemes) => source::forms(schemes),
            Self::Delimiter => Delimiter::EXPECTS.into(),
            Self::Boolean => "`true` or `false`".into(),
            Self::Whole(least, most) if *most == i64::MAX as u64 => format!("a whole number, {least} or more"),
            Self::Whole(least, most) => format!("a whole number from {least} to {most}"),
            Self::Number(low, high) => format!("a number {}", between(low, high)),
            Self::Pair(low, high) => format!("two numbers {}", between(low, high)),
            Self::Texts => "a list of strings".into(),
            Self::Seeds(_) => "a list of whole numbers, 0 or more".into(),
            Self::ClassWeights => "`none`, `balanced`, or a list of numbers above 0, one for each label".into(),
            Self::Labels => "a table of strings".into(),
            Self::Probes => "`[[probes]]` tables".into(),
            Self::Axes => "a table of lists and ranges".into(),
            Self::Zip => "`[[sweep.zip]]` tables of lists".into(),
            Self::Exclude => "`[[sweep.exclude]]` tables".into(),
        }
    }

    /// Whether a value given as bare text on the command line or in the environment can be meant as a string.
    pub(super) fn takes_only_strings(&self) -> bool {
        matches!(self, Self::Text | Self::Name | Self::Prose | Self::Choice(_) | Self::Source(_) | Self::Delimiter)
    }

    /// Checks a value that holds no keys of its own and brings it into its final form: whole numbers where a number
    /// is wanted become numbers, paths are resolved against `folder`. `path` is the key's, for messages.
    pub(super) fn check(&self, path: &str, node: &mut Node, folder: Option<&Path>) -> Vec<Fault> {
        let (found, span) = (node.found(), node.span.clone());
        let wrong = |help: Option<String>| {
            vec![Fault::new(span.clone(), format!("`{path}` is {found}; expected {}", self.expects())).help(help)]
        };
        match (self, &mut node.item) {
            (Self::Prose, Item::Text(_)) => vec![],
            (Self::Text, Item::Text(text)) if !text.trim().is_empty() => vec![],
            (Self::Name, Item::Text(text)) if is_name(text) => vec![],
            (Self::Choice(values), Item::Text(text)) => match values.contains(&text.as_str()) {
                true => vec![],
                false => wrong(choice_like(text, values).map(|close| format!("did you mean \"{close}\"?"))),
            },
            (Self::Source(schemes), Item::Text(text)) if !text.trim().is_empty() => {
                match source::resolve(text, schemes, folder) {
                    Ok(resolved) => {
                        *text = resolved;
                        vec![]
                    }
                    Err((why, help)) => vec![Fault::new(node.span.clone(), format!("`{path}` {why}")).help(help)],
                }
            }
            // One spelling each, whichever was written: it is part of a run's identity.
            (Self::Delimiter, Item::Text(text)) => match text.parse::<Delimiter>() {
                Ok(delimiter) => {
                    *text = delimiter.to_string();
                    vec![]
                }
                Err(_) => wrong(None),
            },
            (Self::Boolean, Item::Boolean(_)) => vec![],
            (Self::Boolean, Item::Text(text)) if text == "true" || text == "false" => {
                wrong(Some(format!("write {text} without quotes")))
            }
            (Self::Whole(least, most), Item::Integer(number)) => {
                if (i128::from(*least)..=i128::from(*most)).contains(number) { vec![] } else { wrong(None) }
            }
            (Self::Number(low, high), Item::Integer(_) | Item::Float(_)) => {
                if number_within(node, *low, *high) {
                    vec![]
                } else {
                    wrong(None)
                }
            }
            (Self::Number(..) | Self::Whole(..), Item::Text(text)) if text.parse::<f64>().is_ok() => {
                let text = text.clone();
                wrong(Some(format!("write {text} without quotes")))
            }
            (Self::Pair(low, high), Item::List(nodes)) if nodes.len() == 2 => {
                each(path, nodes, |node| number_within(node, *low, *high), &format!("a number {}", between(low, high)))
            }
            (Self::Texts, Item::List(nodes)) => {
                let text = |node: &mut Node| matches!(&node.item, Item::Text(text) if !text.trim().is_empty());
                each(path, nodes, text, "a string that is not empty").into_iter().chain(twice(path, nodes)).collect()
            }
            (Self::Texts, Item::Text(text)) => {
                let list = format!("write a list: [{}]", serde_json::Value::from(text.as_str()));
                wrong(Some(list))
            }
            (Self::Seeds(most), Item::List(nodes)) => {
                let seed =
                    |node: &mut Node| matches!(node.item, Item::Integer(n) if (0..=i128::from(*most)).contains(&n));
                let faults = each(path, nodes, seed, &format!("a whole number from 0 to {most}"));
                faults.into_iter().chain(twice(path, nodes)).collect()
            }
            (Self::ClassWeights, Item::Text(text)) => match text.as_str() {
                "none" | "balanced" => vec![],
                _ => wrong(closest(text, ["none", "balanced"]).map(|close| format!("did you mean \"{close}\"?"))),
            },
            (Self::ClassWeights, Item::List(nodes)) if !nodes.is_empty() => each(
                path,
                nodes,
                |node| number_within(node, Bound::Excluded(0.0), Bound::Unbounded),
                "a number above 0",
            ),
            _ => wrong(None),
        }
    }
}

/// Whether a folder can have this name wherever runs and reports are written.
fn is_name(text: &str) -> bool {
    let allowed = |c: char| !c.is_control() && c != '/' && c != '\\';
    !text.is_empty() && text.trim() == text && !text.starts_with(['.', '-']) && text.chars().all(allowed)
}

/// Whether a number lies between the bounds; a whole one becomes a float on the way.
fn number_within(node: &mut Node, low: Bound<f64>, high: Bound<f64>) -> bool {
    let number = match node.item {
        Item::Integer(number) => number as f64,
        Item::Float(number) => number,
        _ => return false,
    };
    node.item = Item::Float(number);
    number.is_finite() && (low, high).contains(&number)
}

/// A fault for each element that is not `right`.
fn each(path: &str, nodes: &mut [Node], right: impl Fn(&mut Node) -> bool, expected: &str) -> Vec<Fault> {
    let wrong = |node: &mut Node| {
        let found = node.found();
        (!right(node)).then(|| {
            Fault::new(node.span.clone(), format!("`{path}` holds {found}; expected {expected} in this place"))
        })
    };
    nodes.iter_mut().filter_map(wrong).collect()
}

/// A fault for each element that stands in the list before.
pub(super) fn twice(path: &str, nodes: &[Node]) -> Vec<Fault> {
    let again = |(i, node): (usize, &Node)| {
        let seen = nodes[..i].iter().any(|other| other.same(node));
        seen.then(|| Fault::new(node.span.clone(), format!("`{path}` holds {node} twice")))
    };
    nodes.iter().enumerate().filter_map(again).collect()
}

/// `above 0, at most 1`.
fn between(low: &Bound<f64>, high: &Bound<f64>) -> String {
    use Bound::{Excluded, Included, Unbounded};
    match (low, high) {
        (Included(low), Included(high)) => format!("from {low} to {high}"),
        (Included(low), Excluded(high)) => format!("from {low} to below {high}"),
        (Excluded(low), Included(high)) => format!("above {low}, at most {high}"),
        (Excluded(low), Excluded(high)) => format!("above {low} and below {high}"),
        (Included(low), Unbounded) => format!("from {low}"),
        (Excluded(low), Unbounded) => format!("above {low}"),
        (Unbounded, Included(high)) => format!("at most {high}"),
        (Unbounded, Excluded(high)) => format!("below {high}"),
        (Unbounded, Unbounded) => "of any size".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{keys, node::table_from_toml};

    /// The value of `key = …` after the check, or the first fault.
    fn check(key: &str, value: &str) -> Result<String, String> {
        let text = format!("v = {value}");
        let table = toml::de::DeTable::parse(&text).unwrap();
        let mut node = table_from_toml(table.get_ref(), 0)["v"].clone();
        let faults = keys::find(key).unwrap().kind.check(key, &mut node, None);
        match faults.first() {
            None => Ok(node.to_string()),
            Some(fault) => Err(format!(
                "{}: {} {}",
                &text[fault.span.clone()],
                fault.message,
                fault.help.clone().unwrap_or_default()
            )),
        }
    }

    #[test]
    fn numbers_take_whole_ones_but_not_the_reverse() {
        assert_eq!(check("train.lr", "1").unwrap(), "1.0");
        assert_eq!(check("train.betas", "[0, 0.5]").unwrap(), "[0.0, 0.5]");
        assert_eq!(check("train.class_weights", "[1, 2.5]").unwrap(), "[1.0, 2.5]");
        assert!(check("train.epochs", "3.0").unwrap_err().contains("`train.epochs` is 3.0; expected a whole number"));
        assert!(check("train.seed", "1e3").is_err());
    }

    #[test]
    fn bounds_are_exactly_those_of_the_table() {
        for (key, inside, outside) in [
            ("train.lr", ["1e-300", "1.0"], ["0.0", "1.0000001"]),
            ("data.test", ["1e-9", "0.9999"], ["0.0", "1.0"]),
            ("data.dev", ["0.0", "0.9999"], ["-1e-9", "1.0"]),
            ("data.max_length", ["3", "8192"], ["2", "8193"]),
            ("train.batch_size", ["1", "65536"], ["0", "65537"]),
            ("train.seed", ["0", "9223372036854775807"], ["-1", "9223372036854775808"]),
            ("train.weight_decay", ["0", "1e9"], ["-0.1", "inf"]),
            ("train.eps", ["1e-300", "1"], ["0", "nan"]),
            ("train.label_smoothing", ["0", "0.99"], ["1", "99999999999999999999999999999999999999999999"]),
        ] {
            for value in inside {
                assert!(check(key, value).is_ok(), "{key} = {value}: {:?}", check(key, value));
            }
            for value in outside {
                assert!(check(key, value).is_err(), "{key} = {value} was taken");
            }
        }
    }

    #[test]
    fn names_can_be_folders() {
        for name in ["rbt3-waimai", "外卖 1", "a.b"] {
            assert!(check("name", &format!("{name:?}")).is_ok(), "{name}");
        }
        for name in ["", " ", "a ", "../a", "a/b", "a\\b", ".a", "-rf", "a\nb"] {
            assert!(check("name", &format!("{name:?}")).is_err(), "{name}");
        }
    }

    #[test]
    fn messages_point_at_the_element_and_say_what_to_write() {
        let lacks = |key, value, expected: &str| {
            let message = check(key, value).unwrap_err();
            assert_eq!(message.trim_end(), expected);
        };
        lacks(
            "train.scheduler",
            "\"linaer\"",
            "\"linaer\": `train.scheduler` is the string \"linaer\"; expected \
            `constant`, `linear`, `cosine` did you mean \"linear\"?",
        );
        lacks(
            "train.betas",
            "[0.9, 1.0]",
            "1.0: `train.betas` holds 1.0; expected a number from 0 to below 1 in this place",
        );
        lacks("train.betas", "[0.9]", "[0.9]: `train.betas` is a list; expected two numbers from 0 to below 1");
        lacks(
            "train.freeze",
            "\"embeddings\"",
            "\"embeddings\": `train.freeze` is the string \"embeddings\"; expected a \
            list of strings write a list: [\"embeddings\"]",
        );
        lacks(
            "train.no_decay",
            "[\"bias\", \"\"]",
            "\"\": `train.no_decay` holds an empty string; expected a string that \
            is not empty in this place",
        );
        lacks("train.no_decay", "[\"bias\", \"bias\"]", "\"bias\": `train.no_decay` holds \"bias\" twice");
        lacks(
            "train.lr",
            "\"2e-5\"",
            "\"2e-5\": `train.lr` is the string \"2e-5\"; expected a number above 0, at most 1 \
            write 2e-5 without quotes",
        );
        lacks(
            "data.stratify",
            "\"true\"",
            "\"true\": `data.stratify` is the string \"true\"; expected `true` or `false` \
            write true without quotes",
        );
        lacks(
            "train.seed",
            "2026-01-02",
            "2026-01-02: `train.seed` is the date or time 2026-01-02; expected a whole \
            number, 0 or more",
        );
        lacks(
            "train.class_weights",
            "[]",
            "[]: `train.class_weights` is an empty list; expected `none`, `balanced`, or a \
            list of numbers above 0, one for each label",
        );
        lacks("sweep.seeds", "[1, 2, 1]", "1: `sweep.seeds` holds 1 twice");
    }
}
