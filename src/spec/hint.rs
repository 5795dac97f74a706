//! Suggestions for values that a key does not take, and for settings of other tools that taper does not have.

use std::ops::{Bound, Range};

use super::{
    Kind,
    closest::closest,
    keys::{self, Fallback},
    node::{Item, Node},
    other_syntax::{self, boolean},
    problem::Fault,
    suggest::choice_like,
};

/// Keys that name separate files for training, validation and testing in other tools.
const SPLIT_FILES: [&str; 12] = [
    "train_file",
    "validation_file",
    "valid_file",
    "dev_file",
    "eval_file",
    "test_file",
    "predict_file",
    "train_path",
    "dev_path",
    "test_path",
    "train_data",
    "test_data",
];

const SPLIT_FILES_HELP: &str = "name the file of the training rows in `data.source`, and those of the other rows in \
                                `data.dev` and `data.test`: test = \"path:test.csv\"";

/// The suggestion for an unknown key, by its dotted path, that corresponds to no key of a spec.
pub(super) fn unsupported(path: &str) -> Option<String> {
    let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
    let names_a_file = SPLIT_FILES.contains(&name) || (section == "data" && name == "train");
    let first = path.split_once('.').map_or(path, |(first, _)| first);
    match (section, name) {
        _ if first == "profile" => Some(
            "profiles are tables of a spec file: choose one with --profile NAME, or set its keys one by one, such as \
             --set train.lr=1e-5"
                .into(),
        ),
        _ if first == "extends" => {
            Some("a spec extends other files with `extends`: write extends = [\"FILE\"] at the top of the spec".into())
        }
        _ if names_a_file => Some(SPLIT_FILES_HELP.into()),
        (_, "fp16" | "half_precision_backend") => {
            Some("there is no fp16: write `train.precision` = \"bf16\" if the device supports it".into())
        }
        (_, "fp16_full_eval" | "bf16_full_eval") => {
            Some("write `train.precision`, which applies to evaluations too".into())
        }
        (_, "optim" | "optimizer" | "optimiser") => Some("AdamW is the only optimizer; remove this key".into()),
        (_, "num_labels" | "n_labels" | "num_classes") => Some(
            "the number of labels comes from the data; remove this key, or name the labels in `data.labels`".into(),
        ),
        (_, "device" | "gpu" | "gpus" | "n_gpu" | "no_cuda" | "use_cpu" | "threads" | "num_workers" | "jobs") => {
            Some("devices and threads are options of the command, not of the spec: see `taper run --help`".into())
        }
        _ => None,
    }
}

/// What is wrong with TOML, by the error at `span` of `text`, and what to do.
pub(super) fn syntax(text: &str, span: Range<usize>, message: &str) -> Fault {
    let fault = || Fault::new(span.clone(), format!("invalid TOML: {message}"));
    if let Some(fault) = other_syntax::of_line(text, span.start) {
        return fault;
    }
    if message.contains("unquoted key")
        && let Some(key) = word_at(text, span.start)
    {
        return fault().help(match key.strip_suffix([':', '：']) {
            Some(key) => format!("write `=` between key and value: {key} = …"),
            None => format!("write the key in quotes: \"{key}\""),
        });
    }
    match bare_word(text, span.start) {
        Some((span, message, help)) => Fault::new(span, message).help(help),
        None => fault(),
    }
}

/// The word of a key at a position.
fn word_at(text: &str, at: usize) -> Option<&str> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '=' | '{' | '}' | '[' | ']' | ',' | '.' | '"' | '\'' | '#');
    let begin = text.get(..at)?.rfind(ends).map_or(0, |i| i + text[i..].chars().next().map_or(1, char::len_utf8));
    let word = &text[begin..];
    Some(&word[..word.find(ends).unwrap_or(word.len())]).filter(|word| !word.is_empty())
}

/// For an unquoted word where TOML expects a value (beginning at or before `at`): its span, the message, and the
/// suggestion.
pub(super) fn bare_word(text: &str, at: usize) -> Option<(Range<usize>, String, String)> {
    let line = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | ':' | '.');
    // The error may be anywhere in the word.
    let begin = text[line..at].rfind(|c| !is_part(c)).map_or(line, |i| {
        let i = line + i;
        i + text[i..].chars().next().map_or(1, char::len_utf8)
    });
    let word = &text[begin..];
    let word = &word[..word.find(|c| !is_part(c)).unwrap_or(word.len())];
    let before = text[line..begin].trim_end();
    let is_value = before.ends_with(['=', '[', ',']) && before.contains('=') && !before.trim_start().starts_with('#');
    if !is_value || !word.starts_with(char::is_alphabetic) {
        return None;
    }
    let help = match word.to_lowercase().as_str() {
        "null" | "none" | "nil" | "undefined" => "TOML has no null: remove the key to use its default".to_string(),
        lower => match boolean(lower) {
            Some(value) => format!("write {value}"),
            None => format!("write a string in quotes: \"{word}\""),
        },
    };
    Some((begin..begin + word.len(), format!("invalid TOML: `{word}` is not a value"), help))
}

const NO_FP16: &str = "there is no fp16: write \"bf16\" if the device supports it, else \"fp32\"";

/// The suggestion for an invalid value of a key.
pub(super) fn instead(path: &str, kind: &Kind, node: &Node) -> Option<String> {
    let key = keys::find(path);
    if let Some(values) = several(path, kind, node) {
        return Some(match path {
            "train.seed" => format!("to train with each of them: sweep.seeds = [{values}]"),
            _ => format!(
                "a run has one value; to try each of them: `[sweep.axes]` with {path} = [{values}], or \
                 --set 'sweep.axes.{path}=[{values}]'"
            ),
        });
    }
    match (kind, &node.item) {
        (Kind::Choice(values), Item::Text(text)) => match text.to_lowercase().as_str() {
            "fp16" | "float16" | "16" | "half" | "fp16-mixed" | "16-mixed" if values.contains(&"bf16") => {
                Some(NO_FP16.into())
            }
            _ => choice_like(text, values).map(|close| format!("did you mean \"{close}\"?")),
        },
        (Kind::Choice(values), Item::Boolean(false)) if values.contains(&"none") => Some("write \"none\"".into()),
        (Kind::ClassWeights, Item::Text(text)) => {
            closest(text, ["none", "balanced"]).map(|close| format!("did you mean \"{close}\"?"))
        }
        (Kind::Boolean, Item::Text(text)) => match text.trim().to_lowercase().as_str() {
            word if word == text.trim() && matches!(word, "true" | "false") => {
                Some(format!("write {word} without quotes"))
            }
            word => boolean(word).map(|value| format!("write {value}")),
        },
        (Kind::Boolean, Item::Integer(0)) => Some("write false".into()),
        (Kind::Boolean, Item::Integer(1)) => Some("write true".into()),
        (Kind::Whole(..) | Kind::Number(..) | Kind::HeldOut(_), Item::Text(text)) => match (kind, text.trim()) {
            (Kind::Whole(..), text) if text.parse::<u64>().is_ok() => Some(format!("write {text} without quotes")),
            (Kind::Number(..) | Kind::HeldOut(_), text) if text.parse::<f64>().is_ok() => {
                Some(format!("write {text} without quotes"))
            }
            (_, text) if text.ends_with('%') => text[..text.len() - 1].trim().parse().ok().and_then(share),
            _ => default(key),
        },
        (Kind::Whole(..), Item::Float(number)) if number.is_finite() && number.abs() < 1e15 => {
            let (down, up) = (number.floor(), number.ceil());
            Some(if down == up { format!("write {down}") } else { format!("write {down} or {up}") })
        }
        (Kind::Number(..) | Kind::HeldOut(_), Item::Integer(_) | Item::Float(_)) => {
            let number = match node.item {
                Item::Integer(number) => number as f64,
                Item::Float(number) => number,
                _ => f64::NAN,
            };
            let is_share = key.is_some_and(|key| key.is_share);
            let most = match kind {
                Kind::Number(_, Bound::Excluded(high) | Bound::Included(high)) => *high == 1.0,
                kind => matches!(kind, Kind::HeldOut(_)),
            };
            match () {
                () if is_share && most && (2.0..100.0).contains(&number) => share(number),
                () => default(key),
            }
        }
        (Kind::Whole(_, most), Item::Integer(_)) if path == "sweep.trials" => Some(format!(
            "a search draws at most {most} points; for every point of axes with values, set sweep.search = \"grid\" and leave \
             sweep.trials out"
        )),
        (Kind::Whole(..), Item::Integer(_)) => default(key),
        (Kind::Pair(..), _) => default(key),
        (Kind::Seeds(_), Item::Integer(count @ 1..=10)) => {
            let seeds: Vec<String> = (1..=*count).map(|seed| seed.to_string()).collect();
            Some(format!("list the seeds: [{}]", seeds.join(", ")))
        }
        (Kind::Seeds(_), _) => Some("list the seeds, such as [1, 2, 3]".into()),
        (Kind::Texts, Item::Text(text)) => Some(format!("write a list: [{}]", serde_json::Value::from(text.as_str()))),
        _ => None,
    }
}

/// The values of a list given to a key that takes a single value, which a sweep could vary: `1e-4,1e-5` as well as
/// `[1e-4, 1e-5]`.
fn several(path: &str, kind: &Kind, node: &Node) -> Option<String> {
    keys::find(path).filter(|key| key.sweepable())?;
    let (parts, written): (Vec<Node>, Vec<String>) = match &node.item {
        Item::List(nodes) => (nodes.clone(), nodes.iter().map(Node::to_string).collect()),
        Item::Text(text) => {
            let own = |part: &str| match toml::de::DeValue::parse(part) {
                Ok(value) if !kind.takes_only_strings() => (Node::from_toml(&value, 0), part.to_string()),
                _ => {
                    let text = Node::new(0..0, Item::Text(part.trim_matches(['"', '\'']).into()));
                    let written = text.to_string();
                    (text, written)
                }
            };
            let parts = text.trim().trim_start_matches('[').trim_end_matches(']').split(',').map(str::trim);
            parts.map(own).unzip()
        }
        _ => return None,
    };
    // Values that are lists themselves do not count, unless each fits the key.
    let fits =
        |part: &Node| !matches!(part.item, Item::List(_)) && kind.check(path, &mut part.clone(), None).is_empty();
    (parts.len() > 1 && parts.iter().all(fits)).then(|| written.join(", "))
}

/// `20` per cent.
fn share(percent: f64) -> Option<String> {
    (percent > 0.0 && percent < 100.0).then(|| {
        // Four digits, so that 30% is 0.3 and not 0.30000000000000004.
        let text = format!("{:.4}", percent / 100.0);
        format!("for {percent}% write {}", text.trim_end_matches('0'))
    })
}

/// The default of a key, in words.
fn default(key: Option<&keys::Key>) -> Option<String> {
    match key?.default {
        Fallback::Is(value) => Some(format!("the default is {value}")),
        Fallback::Absent(meaning) => Some(format!("if left out: {meaning}")),
        Fallback::SameAs(other) => Some(format!("if left out: `{other}`")),
        Fallback::Required => None,
    }
}
