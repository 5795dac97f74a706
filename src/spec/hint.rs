//! What to write instead of a value that a key does not take, or of a key that taper has nothing like.

use std::ops::Bound;

use super::{
    Kind,
    keys::{self, Fallback},
    node::{Item, Node},
    suggest::{choice_like, closest},
};

/// Keys by which other tools name files of their own for training, validation and testing.
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

const ONE_FILE: &str = "all rows come from one file, `data.source`; `data.test` and `data.dev` are the shares of its rows that are \
                        held out. Separate files for training, development and testing are not supported: join them, or \
                        evaluate a trained model on another file with `taper eval`";

/// What an unknown key comes to that no key of a spec can be: by its dotted path.
pub(super) fn unsupported(path: &str) -> Option<String> {
    let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
    let names_a_file = SPLIT_FILES.contains(&name) || (section == "data" && name == "train");
    match (section, name) {
        _ if names_a_file => Some(ONE_FILE.into()),
        (_, "fp16" | "half_precision_backend") => {
            Some("there is no fp16: write `train.precision` = \"bf16\" where the device has it".into())
        }
        (_, "fp16_full_eval" | "bf16_full_eval") => {
            Some("write `train.precision`, which evaluations follow too".into())
        }
        (_, "optim" | "optimizer" | "optimiser") => Some("AdamW is the only optimizer; remove it".into()),
        (_, "num_labels" | "n_labels" | "num_classes") => {
            Some("labels are counted in the data; remove it, or name them in `data.labels`".into())
        }
        (_, "device" | "gpu" | "gpus" | "n_gpu" | "no_cuda" | "use_cpu" | "threads" | "num_workers" | "jobs") => Some(
            "where a run computes changes no result and is an option of the command: see `taper run --help`".into(),
        ),
        _ => None,
    }
}

const NO_FP16: &str = "there is no fp16: write \"bf16\" where the device has it, or \"fp32\"";

/// What to write instead of the value of a key.
pub(super) fn instead(path: &str, kind: &Kind, node: &Node) -> Option<String> {
    let key = keys::find(path);
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
        (Kind::Boolean, Item::Text(text)) if matches!(text.trim(), "true" | "false") => {
            Some(format!("write {} without quotes", text.trim()))
        }
        (Kind::Boolean, Item::Integer(0)) => Some("write false".into()),
        (Kind::Boolean, Item::Integer(1)) => Some("write true".into()),
        (Kind::Whole(..) | Kind::Number(..), Item::Text(text)) => match (kind, text.trim()) {
            (Kind::Whole(..), text) if text.parse::<u64>().is_ok() => Some(format!("write {text} without quotes")),
            (Kind::Number(..), text) if text.parse::<f64>().is_ok() => Some(format!("write {text} without quotes")),
            (_, text) if text.ends_with('%') => text[..text.len() - 1].trim().parse().ok().and_then(share),
            _ if matches!(path, "data.test" | "data.dev") => Some(ONE_FILE.into()),
            _ => default(key),
        },
        (Kind::Whole(..), Item::Float(number)) if number.is_finite() && number.abs() < 1e15 => {
            let (down, up) = (number.floor(), number.ceil());
            Some(if down == up { format!("write {down}") } else { format!("write {down} or {up}") })
        }
        (Kind::Number(_, high), Item::Integer(_) | Item::Float(_)) => {
            let number = match node.item {
                Item::Integer(number) => number as f64,
                Item::Float(number) => number,
                _ => f64::NAN,
            };
            let is_share = key.is_some_and(|key| key.unit.starts_with("share"));
            let most = matches!(high, Bound::Excluded(high) | Bound::Included(high) if *high == 1.0);
            match () {
                () if is_share && most && (2.0..100.0).contains(&number) => share(number),
                () if path == "data.test" && number == 0.0 => {
                    Some("a run is measured on its test rows: hold out a share of them, such as 0.2".into())
                }
                () => default(key),
            }
        }
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

/// `20` per cent.
fn share(percent: f64) -> Option<String> {
    (percent > 0.0 && percent < 100.0).then(|| {
        // Four digits, so that 30 % is 0.3 and not 0.30000000000000004.
        let text = format!("{:.4}", percent / 100.0);
        format!("for {percent} % write {}", text.trim_end_matches('0'))
    })
}

/// The value that the key has by itself.
fn default(key: Option<&keys::Key>) -> Option<String> {
    match key?.default {
        Fallback::Is(value) => Some(format!("the default is {value}")),
        Fallback::Absent(meaning) => Some(format!("leave it out for the default: {meaning}")),
        Fallback::Required => None,
    }
}
