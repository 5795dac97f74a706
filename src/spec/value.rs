//! Checks one value against the kind of its key.

use std::{
    collections::HashSet,
    ops::{Bound, RangeBounds},
    path::Path,
};

use super::{
    Delimiter, Fold, Kind, TextEncoding, hint,
    kind::{LONGEST_NAME, between},
    node::{Item, Node},
    problem::Fault,
    source,
};
use crate::{
    cluster::{self, TimeLimit},
    format,
    metrics::Metric,
};

impl Kind {
    /// Checks a value that has no keys of its own, and normalises it: whole numbers become floats if the key takes numbers, and paths are
    /// resolved against `folder`. `path` is the key's, for messages.
    pub(super) fn check(&self, path: &str, node: &mut Node, folder: Option<&Path>) -> Vec<Fault> {
        let span = node.span.clone();
        if let Self::Number(low, high) = self
            && is_within(node, *low, *high)
        {
            whole_to_float(node);
            return vec![];
        }
        if let Self::HeldOut(_) = self
            && is_within(node, Bound::Included(0.0), Bound::Excluded(1.0))
        {
            whole_to_float(node);
            return vec![];
        }
        // A number that is one of the strings, as it is written without quotes.
        if let (Self::Choice(values), Item::Float(number)) = (self, &node.item)
            && let text = number.to_string()
            && values.contains(&text.as_str())
        {
            node.item = Item::Text(text);
            return vec![];
        }
        match (self, &mut node.item) {
            (Self::Prose, Item::Text(_)) => vec![],
            (Self::Text, Item::Text(text)) if !text.trim().is_empty() => vec![],
            (Self::Name, Item::Text(text)) if is_name(text) => vec![],
            (Self::Choice(values), Item::Text(text)) if values.iter().any(|value| is_choice(value, text)) => vec![],
            (Self::Source(schemes) | Self::HeldOut(schemes), Item::Text(text))
                if !(text.trim().is_empty() || matches!(self, Self::HeldOut(_)) && is_like_a_share(text)) =>
            {
                match source::resolve(text, schemes, folder) {
                    Ok(resolved) => {
                        *text = resolved.into();
                        vec![]
                    }
                    Err((why, help)) => vec![Fault::new(span, format!("`{path}` {why}")).help(help)],
                }
            }
            // Normalised, since it is part of a run's identity.
            (Self::Delimiter, Item::Text(text)) if text.parse::<Delimiter>().is_ok() => {
                *text =
                    text.parse::<Delimiter>().map_or_else(|_| std::mem::take(text), |delimiter| delimiter.to_string());
                vec![]
            }
            (Self::Encoding, Item::Text(text)) if text.parse::<TextEncoding>().is_ok() => {
                *text = text.parse::<TextEncoding>().map_or_else(|_| std::mem::take(text), String::from);
                vec![]
            }
            (Self::Fold, Item::Text(text)) if text.parse::<Fold>().is_ok() => {
                *text = text.parse::<Fold>().map_or_else(|_| std::mem::take(text), String::from);
                vec![]
            }
            (Self::Line, Item::Text(text)) if !text.trim().is_empty() && !text.contains(char::is_control) => vec![],
            (Self::Word, Item::Text(text)) if cluster::is_word(text) => vec![],
            (Self::TimeLimit, Item::Text(text)) if TimeLimit::read(text).is_some() => vec![],
            (Self::Memory, Item::Text(text)) if cluster::is_memory(text) => vec![],
            // A number of minutes, or of megabytes.
            (Self::TimeLimit | Self::Memory, Item::Integer(number)) if (1..1_000_000).contains(number) => {
                node.item = Item::Text(number.to_string());
                vec![]
            }
            (Self::Options, Item::List(nodes)) => {
                let refused = nodes.iter().filter_map(|node| {
                    let why = match &node.item {
                        Item::Text(text) => cluster::refused_option(text)?,
                        _ => "expected a string".into(),
                    };
                    Some(Fault::new(node.span.clone(), format!("`{path}` contains {}; {why}", node.found())))
                });
                refused.chain(twice(path, nodes)).collect()
            }
            (Self::Boolean, Item::Boolean(_)) => vec![],
            (Self::Whole(least, most), Item::Integer(number))
                if (i128::from(*least)..=i128::from(*most)).contains(number) =>
            {
                vec![]
            }
            (Self::Pair(low, high), Item::List(nodes)) if nodes.len() == 2 => {
                each(path, nodes, |node| number_within(node, *low, *high), &format!("numbers {}", between(low, high)))
            }
            (Self::Texts, Item::List(nodes)) => {
                let text = |node: &mut Node| matches!(&node.item, Item::Text(text) if !text.trim().is_empty());
                each(path, nodes, text, "non-empty strings").into_iter().chain(twice(path, nodes)).collect()
            }
            (Self::Seeds(most), Item::List(nodes)) => {
                let seed =
                    |node: &mut Node| matches!(node.item, Item::Integer(n) if (0..=i128::from(*most)).contains(&n));
                let faults = each(path, nodes, seed, &format!("integers from 0 to {most}"));
                faults.into_iter().chain(twice(path, nodes)).collect()
            }
            (Self::ClassWeights, Item::Text(text)) if text == "none" || text == "balanced" => vec![],
            (Self::ClassWeights, Item::List(nodes)) if !nodes.is_empty() => {
                each(path, nodes, |node| number_within(node, Bound::Excluded(0.0), Bound::Unbounded), "numbers above 0")
            }
            // `expects` names no upper bound here, since it is far beyond useful values.
            (Self::Whole(least, most), Item::Integer(number)) if *number > i128::from(*most) => {
                let message = format!("`{path}` is {}; expected an integer from {least} to {most}", node.found());
                vec![Fault::new(span, message).help(hint::instead(path, self, node))]
            }
            _ => {
                let message = format!("`{path}` is {}; expected {}", node.found(), self.expects());
                vec![Fault::new(span, message).help(hint::instead(path, self, node))]
            }
        }
    }
}

/// Whether a text is one of the strings that a choice allows by `value`: itself, or of the F1 of one label, any label.
fn is_choice(value: &str, text: &str) -> bool {
    let any_label =
        || value == Metric::ANY_F1_OF && Metric::from_id(text).is_some_and(|metric| metric.label_name().is_some());
    value == text || any_label()
}

/// Whether a text in place of a source is meant as a number: `0.2` or `20%`.
fn is_like_a_share(text: &str) -> bool {
    text.trim().trim_end_matches('%').trim_end().parse::<f64>().is_ok()
}

/// Whether this can be the name of a folder on every platform.
pub(super) fn is_name(text: &str) -> bool {
    let allowed = |c: char| !c.is_control() && c != '/' && c != '\\';
    // Control characters would make a terminal show another name.
    let shown = format::visible(text) == text;
    !text.is_empty()
        && text.len() <= LONGEST_NAME
        && text.trim() == text
        && shown
        && !text.starts_with(['.', '-'])
        && text.chars().all(allowed)
}

/// Whether it is a number between the bounds.
fn is_within(node: &Node, low: Bound<f64>, high: Bound<f64>) -> bool {
    let number = match node.item {
        Item::Integer(number) => number as f64,
        Item::Float(number) => number,
        _ => return false,
    };
    number.is_finite() && (low, high).contains(&number)
}

/// Turns a whole number into a float.
fn whole_to_float(node: &mut Node) {
    if let Item::Integer(number) = node.item {
        node.item = Item::Float(number as f64);
    }
}

/// Both checks above.
fn number_within(node: &mut Node, low: Bound<f64>, high: Bound<f64>) -> bool {
    let within = is_within(node, low, high);
    whole_to_float(node);
    within
}

/// A fault for each element that is not `valid`.
fn each(path: &str, nodes: &mut [Node], valid: impl Fn(&mut Node) -> bool, expected: &str) -> Vec<Fault> {
    let wrong = |node: &mut Node| {
        let found = node.found();
        (!valid(node)).then(|| Fault::new(node.span.clone(), format!("`{path}` contains {found}; expected {expected}")))
    };
    nodes.iter_mut().filter_map(wrong).collect()
}

/// A fault for each element that occurs earlier in the list.
pub(super) fn twice(path: &str, nodes: &[Node]) -> Vec<Fault> {
    let mut seen = HashSet::new();
    let again = |node: &&Node| !seen.insert(node.identity());
    let fault = |node: &Node| Fault::new(node.span.clone(), format!("`{path}` lists {node} twice"));
    nodes.iter().filter(again).map(fault).collect()
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
                fault.help.text().unwrap_or_default()
            )),
        }
    }

    #[test]
    fn numbers_accept_whole_numbers_but_not_the_reverse() {
        assert_eq!(check("train.lr", "1").unwrap(), "1.0");
        assert_eq!(check("train.betas", "[0, 0.5]").unwrap(), "[0.0, 0.5]");
        assert_eq!(check("data.thresholds", "0.5").unwrap(), "\"0.5\"");
        assert!(check("data.thresholds", "0.4").is_err());
        assert_eq!(check("train.class_weights", "[1, 2.5]").unwrap(), "[1.0, 2.5]");
        assert!(check("train.epochs", "3.0").unwrap_err().contains("`train.epochs` is 3.0; expected an integer"));
        assert_eq!(check("sweep.seeds", "[0, 1, 0]").unwrap_err().trim_end(), "0: `sweep.seeds` lists 0 twice");
        assert!(check("train.seed", "1e3").is_err());
    }

    #[test]
    fn bounds_are_exactly_those_of_the_table() {
        for (key, inside, outside) in [
            ("train.lr", ["1e-300", "1.0"], ["0.0", "1.0000001"]),
            ("data.test", ["0.0", "0.9999"], ["-1e-9", "1.0"]),
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
        let toml = |name: &str| serde_json::Value::from(name).to_string();
        for name in ["rbt3-waimai", "外卖 1", "a.b"] {
            assert!(check("name", &toml(name)).is_ok(), "{name}");
        }
        let long = "好".repeat(67);
        assert!(check("name", &format!("{:?}", &long[..198])).is_ok());
        for name in [
            &long,
            "",
            " ",
            "a ",
            " a",
            "../a",
            "a/b",
            "a\\b",
            ".a",
            "-rf",
            "a\nb",
            "\u{202e}abc",
            "a\u{200f}b",
            "a\u{2066}",
        ] {
            assert!(check("name", &toml(name)).is_err(), "{name}");
        }
    }

    /// Common mistakes, and what the message suggests.
    #[test]
    fn mistakes_get_a_suggestion() {
        for (key, value, help) in [
            ("data.test", "20", "for 20% write 0.2"),
            ("data.test", "1", "the default is 0.2"),
            ("data.dev", "30", "for 30% write 0.3"),
            ("data.dev", "12.5", "for 12.5% write 0.125"),
            ("data.test", "\"20%\"", "for 20% write 0.2"),
            ("train.warmup_ratio", "6", "for 6% write 0.06"),
            ("data.test", "\"0.2\"", "write 0.2 without quotes"),
            ("data.test", "\"test.csv\"", "for a file or folder write `path:test.csv`"),
            ("data.dev", "\"pth:dev.csv\"", "did you mean `path:dev.csv`?"),
            ("data.test", "\"scratch:tiny\"", "only models can be created from scratch"),
            ("train.lr", "\"1e-4\"", "write 1e-4 without quotes"),
            ("train.lr", "-1", "the default is 2e-5"),
            ("train.lr", "20", "the default is 2e-5"),
            ("train.batch_size", "0", "the default is 32"),
            ("train.batch_size", "\"16\"", "write 16 without quotes"),
            ("train.log_steps", "0", "the default is 50"),
            ("train.dropout", "1.5", "if left out: the value in the model's config"),
            ("train.dropout", "-0.1", "if left out: the value in the model's config"),
            ("train.epochs", "2.5", "write 2 or 3"),
            ("train.epochs", "3.0", "write 3"),
            ("train.max_steps", "1e3", "write 1000"),
            ("train.precision", "\"fp16\"", "there is no fp16: write \"bf16\""),
            ("train.precision", "\"bfloat16\"", "did you mean \"bf16\"?"),
            ("train.precision", "\"float32\"", "did you mean \"fp32\"?"),
            ("train.scheduler", "\"linear_with_warmup\"", "did you mean \"linear\"?"),
            ("train.scheduler", "\"cosine_with_restarts\"", "did you mean \"cosine\"?"),
            ("train.scheduler", "\"constant_with_warmup\"", "did you mean \"constant\"?"),
            ("train.scheduler", "\"none\"", "did you mean \"constant\"?"),
            ("checkpoint.metric", "\"f1\"", "did you mean \"macro_f1\"?"),
            ("checkpoint.metric", "\"eval_loss\"", "did you mean \"loss\"?"),
            ("checkpoint.metric", "\"auc\"", "did you mean \"roc_auc\"?"),
            ("checkpoint.metric", "\"matthews_correlation\"", "did you mean \"mcc\"?"),
            ("checkpoint.metric", "\"balanced\"", "did you mean \"balanced_accuracy\"?"),
            ("sweep.seeds", "3", "list the seeds: [1, 2, 3]"),
            ("sweep.seeds", "1", "list the seeds: [1]"),
            ("sweep.seeds", "42", "list the seeds, such as [1, 2, 3]"),
            ("data.stratify", "1", "write true"),
            ("sweep.prune", "false", "write \"none\""),
        ] {
            let message = check(key, value).unwrap_err();
            assert!(message.contains(help), "{key} = {value}: {message}");
        }
    }

    /// Whether the data have the label is known later.
    #[test]
    fn the_f1_of_any_label_can_choose() {
        for metric in ["f1:toxic", "f1:a:b", "f1:好", "f1: a"] {
            assert!(check("checkpoint.metric", &format!("{metric:?}")).is_ok(), "{metric}");
        }
        for other in ["f1:", "f1: ", "F1:toxic", "f2:toxic", "macro_f1:toxic"] {
            let message = check("checkpoint.metric", &format!("{other:?}")).unwrap_err();
            assert!(message.contains("`macro_f1`") && message.contains("`f1:LABEL`"), "{message}");
        }
        assert!(check("checkpoint.keep", "\"f1:best\"").is_err());
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
            `constant`, `linear` or `cosine` did you mean \"linear\"?",
        );
        lacks(
            "train.betas",
            "[0.9, 1.0]",
            "1.0: `train.betas` contains 1.0; expected numbers of at least 0 and below 1",
        );
        lacks(
            "train.betas",
            "[0.9]",
            "[0.9]: `train.betas` is a list; expected two numbers of at least 0 and below 1 the default is [0.9, 0.999]",
        );
        lacks(
            "train.freeze",
            "\"embeddings\"",
            "\"embeddings\": `train.freeze` is the string \"embeddings\"; expected a \
            list of strings write a list: [\"embeddings\"]",
        );
        lacks(
            "train.no_decay",
            "[\"bias\", \"\"]",
            "\"\": `train.no_decay` contains an empty string; expected non-empty strings",
        );
        lacks("train.no_decay", "[\"bias\", \"bias\"]", "\"bias\": `train.no_decay` lists \"bias\" twice");
        lacks(
            "train.lr",
            "\"2e-5\"",
            "\"2e-5\": `train.lr` is the string \"2e-5\"; expected a number above 0 and at most 1 \
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
            "2026-01-02: `train.seed` is the date or time 2026-01-02; expected an \
            integer of at least 0",
        );
        lacks(
            "train.class_weights",
            "[]",
            "[]: `train.class_weights` is an empty list; expected `none`, `balanced`, or a \
            list of numbers above 0, one for each label",
        );
        lacks("sweep.seeds", "[1, 2, 1]", "1: `sweep.seeds` lists 1 twice");
    }
}
