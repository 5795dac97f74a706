//! A model's shape, as Hugging Face's config.json writes it.

use std::{fmt, path::Path};

use serde_json::{Map, Value, json};

use super::{ModelError, ModelSpec};
use crate::{kernels::Requirements, regular, sniff, source::Preset};

/// Shape and dropout of a BERT model.
#[derive(Debug, Clone, PartialEq)]
pub struct BertConfig {
    /// Rows of the word embedding.
    pub vocab_size: usize,
    /// Width of a token.
    pub hidden_size: usize,
    /// Encoder layers.
    pub num_hidden_layers: usize,
    /// Attention heads of a layer.
    pub num_attention_heads: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Longest sequence.
    pub max_position_embeddings: usize,
    /// Rows of the token type embedding.
    pub type_vocab_size: usize,
    /// Epsilon of LayerNorm, inside the root.
    pub layer_norm_eps: f64,
    /// Standard deviation of new weights.
    pub initializer_range: f64,
    /// Token whose embedding begins as zeros in a new model.
    pub pad_token_id: usize,
    /// Dropout of the embeddings and of each sublayer's output.
    pub hidden_dropout: f64,
    /// Dropout of the attention probabilities.
    pub attention_dropout: f64,
    /// Dropout before the head.
    pub classifier_dropout: f64,
    /// Every key of the file, those of no concern here too: they go out as they came in.
    raw: Map<String, Value>,
}

/// Names of a model's labels, as its file gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// None: transformers counts them.
    Default,
    /// By id.
    Given(Vec<String>),
    /// Something that is no list of names: what is wrong with it.
    Odd(String),
}

/// Bytes of a config.json at most.
const LONGEST: u64 = 16 << 20;
/// Parameters of a model at most; the largest encoders have a tenth.
const MOST_PARAMETERS: u128 = 10_000_000_000;
/// Labels at most.
const MOST_LABELS: usize = 1_000_000;

/// Keys of numbers with what they may be.
const SIZES: [(&str, Option<u64>, u64, u64); 7] = [
    // The default, where transformers has one; the least and the most.
    ("vocab_size", None, 0, 1 << 24),
    ("hidden_size", None, 1, 1 << 16),
    ("num_hidden_layers", None, 1, 1000),
    ("num_attention_heads", None, 1, 1 << 16),
    ("intermediate_size", None, 1, 1 << 20),
    ("max_position_embeddings", Some(512), 3, 1 << 20),
    ("type_vocab_size", Some(2), 1, 1 << 16),
];

/// A file's keys, read one by one so that a message can name the one that is wrong.
struct Keys<'a>(&'a Map<String, Value>);

impl Keys<'_> {
    /// A key that is there; `null` is as if it were not.
    fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn wrong<T>(&self, key: &str, expected: impl fmt::Display) -> Result<T, String> {
        let mut value = self.0.get(key).map_or_else(|| "missing".into(), Value::to_string);
        if let Some((cut, _)) = value.char_indices().nth(80) {
            value.truncate(cut);
            value.push('…');
        }
        Err(format!("`{key}` is {value}; expected {expected}"))
    }

    fn text(&self, key: &str) -> Result<Option<&str>, String> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => self.wrong(key, "a text"),
        }
    }

    /// A whole number; also one that is written as `768.0`.
    fn whole(&self, key: &str, default: Option<u64>, least: u64, most: u64) -> Result<usize, String> {
        let whole = |value: &Value| match value.as_f64() {
            _ if value.is_u64() => value.as_u64(),
            Some(float) if float.fract() == 0.0 && (0.0..9e15).contains(&float) => Some(float as u64),
            _ => None,
        };
        let number = match self.get(key) {
            None => default,
            Some(value) => whole(value),
        };
        match number.filter(|number| (least..=most).contains(number)).map(usize::try_from) {
            Some(Ok(number)) => Ok(number),
            _ => self.wrong(key, format!("a whole number from {least} to {most}")),
        }
    }

    fn number(&self, key: &str, default: f64, is_sound: impl Fn(f64) -> bool, expected: &str) -> Result<f64, String> {
        match self.get(key).map_or(Some(default), Value::as_f64) {
            Some(number) if is_sound(number) => Ok(number),
            _ => self.wrong(key, expected),
        }
    }

    fn share(&self, key: &str, default: f64) -> Result<f64, String> {
        self.number(key, default, |p| (0.0..1.0).contains(&p), "a number of at least 0 and below 1")
    }
}

impl BertConfig {
    /// Reads a config.json.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        Self::parse(&text_of(path)?).map_err(|message| ModelError::Config { path: path.into(), message })
    }

    /// Refuses a config.json of a model of another kind, whatever else it lacks.
    pub fn check_kind(path: &Path) -> Result<(), ModelError> {
        let kind = |text: &str| is_supported(&Keys(&object(text)?));
        kind(&text_of(path)?).map_err(|message| ModelError::Config { path: path.into(), message })
    }

    /// A built-in shape for training from scratch.
    pub fn preset(preset: Preset) -> Self {
        let (layers, hidden, heads) = match preset {
            Preset::Tiny => (2, 64, 2),
            Preset::Small => (4, 256, 8),
            Preset::Rbt3 => (3, 768, 12),
        };
        let config = json!({
            "model_type": "bert", "hidden_act": "gelu", "vocab_size": 0, "hidden_size": hidden,
            "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": 4 * hidden,
            "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
            "initializer_range": 0.02, "pad_token_id": 0, "hidden_dropout_prob": 0.1,
            "attention_probs_dropout_prob": 0.1,
        });
        Self::parse(&config.to_string()).expect("a preset is a sound config")
    }

    fn parse(text: &str) -> Result<Self, String> {
        let raw = object(text)?;
        let keys = Keys(&raw);
        is_supported(&keys)?;
        let mut sizes = [0; SIZES.len()];
        for (size, (key, default, least, most)) in sizes.iter_mut().zip(SIZES) {
            *size = keys.whole(key, default, least, most)?;
        }
        let [vocab_size, hidden_size, num_hidden_layers, num_attention_heads, intermediate_size, positions, types] =
            sizes;
        if !hidden_size.is_multiple_of(num_attention_heads) {
            return Err(format!(
                "`hidden_size` {hidden_size} is not a multiple of `num_attention_heads` {num_attention_heads}"
            ));
        }
        let hidden_dropout = keys.share("hidden_dropout_prob", 0.1)?;
        let config = Self {
            vocab_size,
            hidden_size,
            num_hidden_layers,
            num_attention_heads,
            intermediate_size,
            max_position_embeddings: positions,
            type_vocab_size: types,
            // What float32 rounds to zero would divide by zero.
            layer_norm_eps: keys.number(
                "layer_norm_eps",
                1e-12,
                |eps| eps as f32 >= f32::MIN_POSITIVE && eps <= 1.0,
                "a number above 0, at most 1 (1e-12, say)",
            )?,
            initializer_range: keys.number(
                "initializer_range",
                0.02,
                |range| (0.0..=1.0).contains(&range),
                "a number from 0 to 1 (0.02, say)",
            )?,
            pad_token_id: keys.whole("pad_token_id", Some(0), 0, u32::MAX.into())?,
            hidden_dropout,
            attention_dropout: keys.share("attention_probs_dropout_prob", 0.1)?,
            // transformers: `classifier_dropout` where given, else the hidden one.
            classifier_dropout: keys.share("classifier_dropout", hidden_dropout)?,
            raw: raw.clone(),
        };
        let parameters = ModelSpec::count(&config, 0);
        if parameters > MOST_PARAMETERS {
            return Err(format!(
                "its sizes are those of a model of {parameters} parameters; taper trains models of {MOST_PARAMETERS} at most"
            ));
        }
        match config.names() {
            Names::Given(names) if names.len() > MOST_LABELS => {
                Err(format!("`id2label` has {} labels; expected {MOST_LABELS} at most", names.len()))
            }
            _ => Ok(config),
        }
    }

    /// The sizes that a device's kernels may have limits for, with sequences of up to `longest` tokens.
    pub fn requirements(&self, longest: usize) -> Requirements {
        Requirements { norm_width: self.hidden_size, head_width: self.hidden_size / self.num_attention_heads, longest }
    }

    /// Sets all three dropouts.
    pub fn set_dropout(&mut self, p: f64) {
        (self.hidden_dropout, self.attention_dropout, self.classifier_dropout) = (p, p, p);
    }

    /// The config.json of a classifier with these labels, as transformers reads it.
    pub fn to_json(&self, labels: &[String]) -> Value {
        let mut raw = self.raw.clone();
        let ids = labels.iter().enumerate();
        raw.insert("architectures".into(), json!(["BertForSequenceClassification"]));
        raw.insert("model_type".into(), json!("bert"));
        raw.insert("problem_type".into(), json!("single_label_classification"));
        raw.insert("vocab_size".into(), json!(self.vocab_size));
        raw.insert("hidden_dropout_prob".into(), json!(self.hidden_dropout));
        raw.insert("attention_probs_dropout_prob".into(), json!(self.attention_dropout));
        raw.insert("classifier_dropout".into(), json!(self.classifier_dropout));
        raw.insert(
            "id2label".into(),
            ids.clone().map(|(i, l)| (i.to_string(), json!(l))).collect::<Map<_, _>>().into(),
        );
        raw.insert("label2id".into(), ids.map(|(i, l)| (l.clone(), json!(i))).collect::<Map<_, _>>().into());
        for stale in ["num_labels", "torch_dtype", "dtype"] {
            raw.remove(stale);
        }
        Value::Object(raw)
    }

    /// Names of the labels that the file gives, by id; none where it gives none.
    pub fn labels(&self) -> Option<Vec<String>> {
        match self.names() {
            Names::Given(names) => Some(names),
            Names::Default | Names::Odd(_) => None,
        }
    }

    /// What in the file makes it doubtful whether a head of so many rows does what taper makes of it: it gives each text the one
    /// label of its highest row, which `id2label` names.
    pub fn doubts_of_the_head(&self, rows: usize) -> Vec<String> {
        let keys = Keys(&self.raw);
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
                    "config.json contradicts itself: id {id} is `{}` in id2label and `{}` in label2id; the head's rows are taken by \
                     id2label, as in transformers",
                    name.escape_debug(),
                    label.escape_debug()
                ));
            }
        }
        if let Some(stated) = keys.get("num_labels").filter(|stated| id_of(stated) != Some(rows)) {
            doubts.push(format!(
                "config.json's num_labels is {stated}, but the classifier head of the weights file has {}: transformers would refuse \
                 it or leave it out",
                if rows == 1 { "1 row".into() } else { format!("{rows} rows") }
            ));
        }
        let trained = match keys.get("problem_type") {
            None => None,
            Some(Value::String(kind)) if kind == "single_label_classification" => None,
            Some(Value::String(kind)) if kind == "multi_label_classification" => {
                Some((kind.clone(), "the head was trained to give each text any number of labels"))
            }
            Some(Value::String(kind)) if kind == "regression" => {
                Some((kind.clone(), "the head was trained to give numbers and not labels"))
            }
            Some(other) => {
                Some((text(other).unwrap_or_else(|| other.to_string()), "transformers knows no such problem"))
            }
        };
        doubts.extend(trained.map(|(kind, what)| {
            format!(
                "config.json's problem_type is `{}`: {what}; taper keeps its rows, trains them to give each text one label, and \
                 writes single_label_classification",
                kind.escape_debug()
            )
        }));
        doubts
    }

    /// Names of the labels, by id: of `id2label`, or else of `label2id`.
    pub fn names(&self) -> Names {
        let keys = Keys(&self.raw);
        let (key, by_id): (_, Vec<(Option<usize>, Option<String>)>) = match (keys.get("id2label"), keys.get("label2id"))
        {
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
                None if id.is_none() => return Names::Odd(format!("{key} has an id that is not a whole number")),
                None => return Names::Odd(format!("{key} does not count its labels from 0")),
            }
        }
        match names.into_iter().collect::<Option<Vec<String>>>() {
            Some(names) if names.is_empty() => Names::Default,
            Some(names) => Names::Given(names),
            None => Names::Odd(format!("{key} has a label without a name")),
        }
    }
}

/// The id of a label, also one that is written as a text or as `1.0`.
fn id_of(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        value if value.is_u64() => value.as_u64().and_then(|id| usize::try_from(id).ok()),
        value => value.as_f64().filter(|id| id.fract() == 0.0 && (0.0..9e15).contains(id)).map(|id| id as usize),
    }
}

/// The text of a config.json.
fn text_of(path: &Path) -> Result<String, ModelError> {
    let bytes = regular::read(path, LONGEST).map_err(|error| ModelError::Io { path: path.into(), error })?;
    String::from_utf8(bytes).map_err(|e| {
        let message = match sniff::kind_of(e.as_bytes()) {
            Some(kind) => format!("it is {kind}, expected JSON"),
            None => "not UTF-8".into(),
        };
        ModelError::Config { path: path.into(), message }
    })
}

/// The keys of a config.json.
fn object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|e| sniff::not_json(text.as_bytes(), &e))
}

/// A name, also one that is written as a number or a truth.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Whether a class, in small letters, is of no BERT but of one of those named after it, or of none at all.
fn is_of_another_family(class: &str) -> bool {
    const OTHERS: [&str; 9] = [
        "roberta",
        "albert",
        "deberta",
        "distilbert",
        "camembert",
        "mobilebert",
        "modernbert",
        "squeezebert",
        "megatron",
    ];
    !class.contains("bert") || OTHERS.iter().any(|other| class.contains(other))
}

/// Refuses models of other kinds, before any key is asked for that only BERT has.
fn is_supported(keys: &Keys) -> Result<(), String> {
    for (key, wanted) in [("model_type", "bert"), ("hidden_act", "gelu"), ("position_embedding_type", "absolute")] {
        match keys.text(key)? {
            None => {}
            Some(value) if value == wanted => {}
            Some(value) => {
                return Err(format!("`{key}` is {value:?}; taper fine-tunes BERT models with \"{wanted}\""));
            }
        }
    }
    // Old files have no `model_type`; they still say which class they are of.
    let class = keys.get("architectures").and_then(|classes| classes.get(0)).and_then(Value::as_str);
    if keys.get("model_type").is_none()
        && let Some(class) = class.filter(|class| is_of_another_family(&class.to_lowercase()))
    {
        return Err(format!("`architectures` names {class:?}; taper fine-tunes BERT models"));
    }
    match keys.get("is_decoder") {
        Some(Value::Bool(true)) => Err("`is_decoder` is true; taper fine-tunes encoders".into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(key: &str, value: Value) -> Result<BertConfig, String> {
        let mut raw = BertConfig::preset(Preset::Tiny).raw;
        raw.insert(key.into(), value);
        BertConfig::parse(&Value::Object(raw).to_string())
    }

    #[test]
    fn other_kinds_of_models_are_refused_by_name() {
        for (key, value) in [
            ("model_type", json!("roberta")),
            ("hidden_act", json!("gelu_new")),
            ("position_embedding_type", json!("relative_key")),
            ("is_decoder", json!(true)),
            ("num_attention_heads", json!(7)),
            ("num_hidden_layers", json!(0)),
            ("intermediate_size", json!(0)),
            ("max_position_embeddings", json!(0)),
            ("hidden_dropout_prob", json!(1.0)),
        ] {
            let error = with(key, value).expect_err(key);
            assert!(error.contains(key), "{error}");
        }
        assert!(BertConfig::parse("{}").expect_err("empty").contains("vocab_size"));
        assert!(BertConfig::parse("[").is_err());
    }

    #[test]
    fn other_models_are_refused_before_what_they_lack() {
        for (text, words) in [
            (r#"{"model_type": "llama", "hidden_size": 64}"#, "`model_type` is \"llama\""),
            (r#"{"model_type": "roberta"}"#, "`model_type` is \"roberta\""),
            (r#"{"architectures": ["GPT2LMHeadModel"], "n_embd": 64}"#, "`architectures` names \"GPT2LMHeadModel\""),
            (r#"{"model_type": 7}"#, "`model_type` is 7; expected a text"),
            ("version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
            ("<!doctype html><html>", "an HTML page"),
            (r#"{"error": "Repository not found"}"#, "`vocab_size` is missing; expected a whole number"),
        ] {
            let error = BertConfig::parse(text).expect_err(words);
            assert!(error.contains(words), "{error}");
        }
    }

    /// Each of them asked for hours, for all memory, or for numbers that are none.
    #[test]
    fn sizes_that_no_model_has_are_refused_by_their_key() {
        for (key, value) in [
            ("num_hidden_layers", json!(1_000_000)),
            ("num_hidden_layers", json!(u64::MAX)),
            ("num_hidden_layers", json!(1e300)),
            ("num_hidden_layers", json!(-2)),
            ("num_hidden_layers", json!(2.5)),
            ("num_hidden_layers", json!("2")),
            ("hidden_size", json!(1u64 << 62)),
            ("hidden_size", json!(null)),
            ("vocab_size", json!(1u64 << 40)),
            ("intermediate_size", json!(1u64 << 40)),
            ("max_position_embeddings", json!(1u64 << 40)),
            ("type_vocab_size", json!(1u64 << 40)),
            ("num_attention_heads", json!(0)),
            ("pad_token_id", json!(-1)),
            ("layer_norm_eps", json!(-1)),
            ("layer_norm_eps", json!(0)),
            ("layer_norm_eps", json!(1e-60)),
            ("layer_norm_eps", json!(1e308)),
            ("initializer_range", json!(-1)),
            ("initializer_range", json!(1e308)),
            ("hidden_dropout_prob", json!(-0.1)),
            ("attention_probs_dropout_prob", json!(1)),
            ("classifier_dropout", json!(7)),
            ("classifier_dropout", json!("0.1")),
        ] {
            let error = with(key, value.clone()).expect_err(key);
            assert!(error.contains(&format!("`{key}` is {value}")) && error.contains("expected"), "{error}");
        }
        let mut raw = BertConfig::preset(Preset::Tiny).raw;
        for (key, value) in [("hidden_size", 1 << 16), ("num_hidden_layers", 1000), ("intermediate_size", 1 << 20)] {
            raw.insert(key.into(), json!(value));
        }
        let error = BertConfig::parse(&Value::Object(raw).to_string()).expect_err("a model of 10^14 parameters");
        assert!(error.contains("154") && error.contains("10000000000 at most"), "{error}");
        assert_eq!(with("hidden_size", json!(64.0)).expect("a config").hidden_size, 64);
    }

    #[test]
    fn deep_and_long_files_are_refused() {
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(BertConfig::parse(&deep).expect_err("deep").contains("recursion limit"));
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("config.json");
        std::fs::File::create(&path).and_then(|file| file.set_len(1 << 30)).expect("a file");
        assert!(BertConfig::read(&path).expect_err("long").to_string().contains("more than 16.0 MiB"));
    }

    #[test]
    fn names_of_labels_are_by_id() {
        let names = |key: &str, value| with(key, value).expect("a config").names();
        let given = |all: &[&str]| Names::Given(all.iter().map(|name| name.to_string()).collect());
        assert_eq!(names("id2label", json!({"1": "b", "0": "a"})), given(&["a", "b"]));
        assert_eq!(names("id2label", json!({"0": 0, "1": true})), given(&["0", "true"]));
        assert_eq!(names("label2id", json!({"b": 1, "a": 0})), given(&["a", "b"]));
        assert_eq!(names("id2label", json!({})), Names::Default);
        assert_eq!(names("num_labels", json!(3)), Names::Default);
        for odd in [json!({"1": "a"}), json!({"0": "a", "00": "b"}), json!({"0": ["a"]}), json!({"x": "a"}), json!([])]
        {
            assert!(matches!(names("id2label", odd.clone()), Names::Odd(_)), "{odd}");
        }
    }

    #[test]
    fn presets_are_what_their_names_say() {
        let shape = |preset| {
            let c = BertConfig::preset(preset);
            (c.num_hidden_layers, c.hidden_size, c.num_attention_heads, c.intermediate_size, c.max_position_embeddings)
        };
        assert_eq!(shape(Preset::Tiny), (2, 64, 2, 256, 512));
        assert_eq!(shape(Preset::Small), (4, 256, 8, 1024, 512));
        assert_eq!(shape(Preset::Rbt3), (3, 768, 12, 3072, 512));
    }

    #[test]
    fn unknown_keys_go_out_as_they_came_in_and_labels_come_back() {
        let config = with("pooler_type", json!("first_token_transform")).expect("a config");
        let labels = vec!["负面".to_string(), "正面".to_string()];
        let out = config.to_json(&labels);
        assert_eq!(out["pooler_type"], "first_token_transform");
        assert_eq!(out["label2id"]["正面"], 1);
        let back = BertConfig::parse(&out.to_string()).expect("its own output");
        assert_eq!(back.labels(), Some(labels));
        assert_eq!(with("classifier_dropout", json!(0.5)).expect("a config").classifier_dropout, 0.5);
        assert_eq!(with("hidden_dropout_prob", json!(0.3)).expect("a config").classifier_dropout, 0.3);
    }
}
