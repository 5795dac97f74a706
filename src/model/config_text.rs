//! Reads and checks a model's config from the text of its config.json.

use std::path::Path;

use serde_json::{Value, json};

use super::{
    ModelConfig, ModelError, ModelSpec,
    config::{Biases, Dropouts},
    config_keys::{Keys, is_set, object, text_of},
    family::{self, ConfigKeys, Family, InitScheme, Positions},
    heads::Pooling,
    label_names::Names,
    relative::Relative,
    rotary::Rotary,
};
use crate::{kernels::Activation, source::Preset};

/// The most parameters of a model; the largest encoders have a tenth of that.
const MOST_PARAMETERS: u128 = 10_000_000_000;
/// The most labels.
const MOST_LABELS: usize = 1_000_000;

/// Names of activations in config.json.
const ACTIVATIONS: [(&str, Activation); 9] = [
    ("gelu", Activation::Gelu),
    ("gelu_python", Activation::Gelu),
    ("gelu_new", Activation::GeluTanh),
    ("gelu_pytorch_tanh", Activation::GeluTanh),
    ("gelu_fast", Activation::GeluTanh),
    ("relu", Activation::Relu),
    ("silu", Activation::Silu),
    ("swish", Activation::Silu),
    ("tanh", Activation::Tanh),
];

impl ModelConfig {
    /// Reads a config.json.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        Self::parse(&text_of(path)?).map_err(|message| ModelError::Config { path: path.into(), message })
    }

    /// Refuses the config.json of another kind of model, before other errors.
    pub fn check_kind(path: &Path) -> Result<(), ModelError> {
        let kind = |text: &str| family_of(&Keys(&object(text)?)).map(drop);
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

    /// From the text of a config.json.
    ///
    /// # Errors
    /// Names the invalid key.
    pub fn parse(text: &str) -> Result<Self, String> {
        let raw = object(text)?;
        let keys = Keys(&raw);
        let family = family_of(&keys)?;
        let names = &family.keys;
        let vocab_size = keys.whole("vocab_size", None, 0, 1 << 24)?;
        let hidden_size = keys.whole(names.hidden_size, None, 1, 1 << 16)?;
        let num_attention_heads = keys.whole(names.heads, None, 1, 1 << 16)?;
        if !hidden_size.is_multiple_of(num_attention_heads) {
            return Err(format!(
                "`{}` {hidden_size} is not a multiple of `{}` {num_attention_heads}",
                names.hidden_size, names.heads
            ));
        }
        let pad_token_id = keys.whole("pad_token_id", Some(family.pad_token_id), 0, u32::MAX.into())?;
        let reserved = if family.positions == Positions::LearnedAfterPadding { pad_token_id as u64 + 1 } else { 0 };
        let num_hidden_layers = keys.whole(names.layers, None, 1, 1000)?;
        let max_position_embeddings =
            keys.whole("max_position_embeddings", Some(names.positions), reserved + 3, 1 << 20)?;
        if family.positions == Positions::Relative {
            check_sizes(&keys, names, hidden_size, num_attention_heads)?;
        }
        // Values that float32 rounds to zero would lead to divisions by zero.
        let is_epsilon = |eps: f64| eps as f32 >= f32::MIN_POSITIVE && eps <= 1.0;
        let config = Self {
            family,
            vocab_size,
            hidden_size,
            num_hidden_layers,
            layer_groups: layer_groups(&keys, family, num_hidden_layers)?,
            num_attention_heads,
            intermediate_size: keys.whole(names.intermediate_size, None, 1, 1 << 20)?,
            embedding_size: match names.embedding_size {
                Some((key, default)) => keys.whole(key, Some(default), 1, 1 << 16)?,
                None => hidden_size,
            },
            activation: activation(&keys, names.activation, names.default_activation)?,
            head_activation: match names.head_activation {
                Some(key) => activation(&keys, key, family.head.activation)?,
                None => family.head.activation,
            },
            pooling: pooling(&keys, family)?,
            biases: biases(&keys, family)?,
            rotary: Rotary::read(&keys, family, num_hidden_layers, hidden_size / num_attention_heads)?,
            relative: Relative::read(&keys, family, max_position_embeddings)?,
            has_position_table: match family.positions {
                Positions::Learned | Positions::LearnedAfterPadding => true,
                Positions::Rotary => false,
                Positions::Relative => keys.truth_or("position_biased_input", true)?,
            },
            max_position_embeddings,
            type_vocab_size: match family.token_types {
                Some(default) => keys.whole("type_vocab_size", Some(default), default.min(1), 1 << 16)?,
                None => 0,
            },
            task_types: match names.task_types {
                Some((key, rows)) if keys.truth(key)? => keys.whole(rows, Some(3), 1, 1 << 16)?,
                _ => 0,
            },
            layer_norm_eps: match names.norm_eps {
                (None, eps) => eps,
                (Some(key), eps) => keys.number(key, eps, is_epsilon, "a number above 0, at most 1, such as 1e-12")?,
            },
            initializer_range: keys.number(
                "initializer_range",
                0.02,
                |range| (0.0..=1.0).contains(&range),
                "a number from 0 to 1, such as 0.02",
            )?,
            initializer_cutoff: match family.init {
                InitScheme::Normal => f64::INFINITY,
                // As in transformers, where it may be `null`.
                InitScheme::Truncated if raw.get("initializer_cutoff_factor").is_some_and(Value::is_null) => 3.0,
                InitScheme::Truncated => keys.number(
                    "initializer_cutoff_factor",
                    2.0,
                    |cutoff| (0.1..=1000.0).contains(&cutoff),
                    "a number from 0.1 to 1000, such as 2",
                )?,
            },
            pad_token_id,
            dropout: dropouts(&keys, family)?,
            raw: raw.clone(),
        };
        let parameters = ModelSpec::count(&config, 0);
        if parameters > MOST_PARAMETERS {
            return Err(format!(
                "its sizes make a model of {parameters} parameters; taper trains models of at most {MOST_PARAMETERS}"
            ));
        }
        match config.names() {
            Names::Given(names) if names.len() > MOST_LABELS => {
                Err(format!("`id2label` has {} labels; expected at most {MOST_LABELS}", names.len()))
            }
            _ => Ok(config),
        }
    }
}

/// The family of a config.json. Other kinds of models are refused before family-specific keys are read.
fn family_of(keys: &Keys) -> Result<&'static Family, String> {
    let supported = || family::ALL.iter().map(|family| family.model_type).collect::<Vec<_>>().join(", ");
    // Old files have no `model_type`; they still say which class they are of.
    let class = keys.get("architectures").and_then(|classes| classes.get(0)).and_then(Value::as_str);
    let family = match (keys.text("model_type")?, class) {
        (Some(model_type), _) => family::of_model_type(model_type).ok_or_else(|| {
            format!("`model_type` is {model_type:?}; taper fine-tunes models of type {}", supported())
        })?,
        (None, Some(class)) => family::of_class(class).ok_or_else(|| {
            format!("`architectures` names {class:?}; taper fine-tunes models of type {}", supported())
        })?,
        (None, None) => &family::ALL[0],
    };
    activation(keys, family.keys.activation, family.keys.default_activation)?;
    let learned = matches!(family.positions, Positions::Learned | Positions::LearnedAfterPadding);
    if let Some(value) = keys.text("position_embedding_type")?.filter(|value| learned && *value != "absolute") {
        return Err(format!("`position_embedding_type` is {value:?}; taper fine-tunes models with \"absolute\""));
    }
    match keys.get("is_decoder").filter(|value| is_set(value)) {
        Some(value) => Err(format!("`is_decoder` is {value}; taper fine-tunes only encoders")),
        None => Ok(family),
    }
}

/// Refuses what models with relative positions may have and taper does not compute: a convolution (DeBERTa-v2-xlarge), and sizes that
/// differ from those of the layers.
fn check_sizes(keys: &Keys, names: &ConfigKeys, hidden_size: usize, heads: usize) -> Result<(), String> {
    // As in transformers: none, where it is below 1.
    if keys.get("conv_kernel_size").is_some_and(|size| size.as_f64().is_none_or(|size| size > 0.0)) {
        return keys.wrong("conv_kernel_size", "0: taper fine-tunes models without a convolution");
    }
    let head = hidden_size / heads;
    for (key, size, of) in [
        ("embedding_size", hidden_size, names.hidden_size),
        ("pooler_hidden_size", hidden_size, names.hidden_size),
        ("attention_head_size", head, "hidden_size / num_attention_heads"),
    ] {
        if keys.whole(key, Some(size as u64), 1, 1 << 16)? != size {
            return keys.wrong(key, format!("{size} (`{of}`)"));
        }
    }
    Ok(())
}

/// The probabilities of dropout.
fn dropouts(keys: &Keys, family: &Family) -> Result<Dropouts, String> {
    let names = &family.keys.dropout;
    let share = |key| keys.share(key, names.default);
    let embedding = share(names.embedding)?;
    let (head, default) = names.head;
    let head = keys.share(head, default.unwrap_or(embedding))?;
    Ok(Dropouts {
        embedding,
        attention: share(names.attention)?,
        attention_output: names.attention_output.map_or(Ok(0.0), share)?,
        ffn: names.ffn.map_or(Ok(0.0), share)?,
        head,
        head_input: names.head_input.map_or(Ok(head), |(key, default)| keys.share(key, default))?,
    })
}

/// The number of groups of layers with the same parameters.
fn layer_groups(keys: &Keys, family: &Family, layers: usize) -> Result<Option<usize>, String> {
    let Some(names) = family.keys.groups else { return Ok(None) };
    if keys.whole(names.layers_of_a_group, Some(1), 0, 1000)? != 1 {
        return keys.wrong(names.layers_of_a_group, "1: taper supports only one inner layer per group");
    }
    keys.whole(names.groups, Some(1), 1, layers as u64).map(Some)
}

/// Which modules have a bias.
fn biases(keys: &Keys, family: &Family) -> Result<Biases, String> {
    match family.keys.biases {
        None => Ok(Biases { attention: true, ffn: true, norms: true, head: true }),
        Some(names) => Ok(Biases {
            attention: keys.truth(names.attention)?,
            ffn: keys.truth(names.ffn)?,
            norms: keys.truth(names.norms)?,
            head: keys.truth(names.head)?,
        }),
    }
}

/// What the head reads.
fn pooling(keys: &Keys, family: &Family) -> Result<Pooling, String> {
    let Some(key) = family.keys.pooling else { return Ok(Pooling::First) };
    match keys.text(key)? {
        None | Some("cls") => Ok(Pooling::First),
        Some("mean") => Ok(Pooling::Mean),
        Some(_) => keys.wrong(key, "\"cls\" or \"mean\""),
    }
}

/// The activation that a key names.
fn activation(keys: &Keys, key: &str, default: Activation) -> Result<Activation, String> {
    let Some(name) = keys.text(key)? else { return Ok(default) };
    let found = ACTIVATIONS.iter().find(|(known, _)| *known == name);
    let known = || ACTIVATIONS.map(|(name, _)| name).join(", ");
    found.map(|(_, activation)| *activation).ok_or_else(|| format!("`{key}` is {name:?}; taper knows {}", known()))
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;
    use crate::task::Task;

    fn with(key: &str, value: Value) -> Result<ModelConfig, String> {
        let mut raw = ModelConfig::preset(Preset::Tiny).raw;
        raw.insert(key.into(), value);
        ModelConfig::parse(&Value::Object(raw).to_string())
    }

    #[test]
    fn other_kinds_of_models_are_refused_by_name() {
        for (key, value) in [
            ("model_type", json!("deberta")),
            ("hidden_act", json!("mish")),
            ("position_embedding_type", json!("relative_key")),
            ("is_decoder", json!(true)),
            ("is_decoder", json!(1)),
            ("num_attention_heads", json!(7)),
            ("num_hidden_layers", json!(0)),
            ("intermediate_size", json!(0)),
            ("max_position_embeddings", json!(0)),
            ("hidden_dropout_prob", json!(1.0)),
        ] {
            let error = with(key, value).expect_err(key);
            assert!(error.contains(key), "{error}");
        }
        assert!(ModelConfig::parse("{}").expect_err("empty").contains("vocab_size"));
        assert!(ModelConfig::parse("[").is_err());
    }

    #[test]
    fn other_models_are_refused_before_what_they_lack() {
        for (text, words) in [
            (r#"{"model_type": "llama", "hidden_size": 64}"#, "`model_type` is \"llama\""),
            (r#"{"model_type": "deberta"}"#, "`model_type` is \"deberta\""),
            (
                r#"{"model_type": "t5"}"#,
                "models of type bert, ernie, roberta, xlm-roberta, camembert, distilbert, electra, modernbert, ",
            ),
            (r#"{"architectures": ["GPT2LMHeadModel"], "n_embd": 64}"#, "`architectures` names \"GPT2LMHeadModel\""),
            (r#"{"model_type": 7}"#, "`model_type` is 7; expected a string"),
            ("version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
            ("<!doctype html><html>", "an HTML page"),
            (r#"{"error": "Repository not found"}"#, "`vocab_size` is missing; expected an integer"),
        ] {
            let error = ModelConfig::parse(text).expect_err(words);
            assert!(error.contains(words), "{error}");
        }
    }

    fn parsed(config: &Value) -> ModelConfig {
        ModelConfig::parse(&config.to_string()).expect("a config")
    }

    /// Sizes and defaults as in the files of the hub, and as transformers 5.23 fills in.
    #[test]
    fn each_family_is_read_by_its_own_keys() {
        let sizes = json!({"vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 6});
        let of = |model_type: &str, more: Value| {
            let mut config = sizes.clone();
            config["model_type"] = model_type.into();
            more.as_object().expect("an object").iter().for_each(|(key, value)| config[key] = value.clone());
            parsed(&config)
        };
        for roberta in ["roberta", "xlm-roberta", "camembert"] {
            let config = of(roberta, json!({"max_position_embeddings": 514, "type_vocab_size": 1}));
            assert_eq!((config.longest(), config.first_position(), config.type_vocab_size), (512, 2, 1), "{roberta}");
        }
        let ernie = |more| of("ernie", more).task_types;
        assert_eq!(ernie(json!({"task_type_vocab_size": 3})), 0);
        assert_eq!(
            (ernie(json!({"use_task_id": true})), ernie(json!({"use_task_id": true, "task_type_vocab_size": 16}))),
            (3, 16)
        );
        assert_eq!(
            (of("electra", json!({})).embedding_size, of("electra", json!({"embedding_size": 8})).embedding_size),
            (128, 8)
        );
        assert_eq!(of("bert", json!({"embedding_size": 128})).embedding_size, 8);
        let distilbert = json!({
            "model_type": "distilbert", "vocab_size": 9, "dim": 8, "n_layers": 3, "n_heads": 2, "hidden_dim": 6,
            "activation": "relu", "dropout": 0.3, "attention_dropout": 0.4, "layer_norm_eps": 0.5,
        });
        let config = parsed(&distilbert);
        assert_eq!(
            (config.hidden_size, config.num_hidden_layers, config.intermediate_size, config.type_vocab_size),
            (8, 3, 6, 0)
        );
        let dropout = config.dropout;
        assert_eq!((dropout.embedding, dropout.attention, dropout.attention_output), (0.3, 0.4, 0.0));
        assert_eq!((dropout.ffn, dropout.head), (0.3, 0.2));
        assert_eq!((config.layer_norm_eps, config.activation), (1e-12, Activation::Relu));
        let written = config.to_json(Task::SingleLabel, &["a".into(), "b".into()]);
        assert_eq!(written["architectures"], json!(["DistilBertForSequenceClassification"]));
        assert_eq!((&written["dropout"], &written["seq_classif_dropout"]), (&json!(0.3), &json!(0.2)));
        assert!(written.get("hidden_dropout_prob").is_none() && written.get("classifier_dropout").is_none());
        assert_eq!(ModelConfig { raw: Map::new(), ..parsed(&written) }, ModelConfig { raw: Map::new(), ..config });
    }

    /// Defaults of transformers' `AlbertConfig`, and its formula for the groups of layers, which rounds in floating-point numbers.
    #[test]
    fn layers_of_albert_are_in_groups() {
        let albert = |more: Value| {
            let mut config = json!({
                "model_type": "albert", "vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 5, "num_attention_heads": 2,
                "intermediate_size": 6,
            });
            more.as_object().expect("an object").iter().for_each(|(key, value)| config[key] = value.clone());
            ModelConfig::parse(&config.to_string())
        };
        let groups = |more: Value| {
            let config = albert(more).expect("a config");
            (0..config.num_hidden_layers).map(|i| config.group_of(i)).collect::<Vec<_>>()
        };
        let config = albert(json!({})).expect("a config");
        assert_eq!((config.activation, config.embedding_size, config.groups()), (Activation::GeluTanh, 128, 1));
        let none =
            Dropouts { embedding: 0.0, attention: 0.0, attention_output: 0.0, ffn: 0.0, head: 0.1, head_input: 0.1 };
        assert_eq!((config.dropout, config.type_vocab_size, config.longest()), (none, 2, 512));
        let written = config.to_json(Task::SingleLabel, &["a".into(), "b".into()]);
        assert_eq!((&written["classifier_dropout_prob"], written.get("classifier_dropout")), (&json!(0.1), None));
        assert_eq!(groups(json!({})), [0; 5]);
        assert_eq!(groups(json!({"num_hidden_groups": 2, "inner_group_num": 1})), [0, 0, 0, 1, 1]);
        assert_eq!(groups(json!({"num_hidden_groups": 5})), [0, 1, 2, 3, 4]);
        let many = groups(json!({"num_hidden_layers": 18, "num_hidden_groups": 14}));
        assert_eq!(
            many,
            [0, 0, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9, 10, 10, 11, 12, 13],
            "9 · 14 / 18 is 7 but for rounding"
        );
        let two = albert(json!({"num_hidden_groups": 2})).expect("a config");
        assert_eq!([0, 1].map(|group| two.last_layer_of(group)), [2, 4]);
        let as_wide = |embedding: u64| albert(json!({"embedding_size": embedding})).expect("a config");
        assert!(as_wide(8).projects_embeddings() && as_wide(128).projects_embeddings());
        for (more, words) in [
            (json!({"inner_group_num": 2}), "`inner_group_num` is 2; expected 1"),
            (json!({"num_hidden_groups": 6}), "`num_hidden_groups` is 6; expected an integer from 1 to 5"),
            (json!({"num_hidden_groups": 0}), "`num_hidden_groups` is 0"),
        ] {
            let error = albert(more).expect_err(words);
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn old_files_without_a_model_type_are_of_the_family_of_their_class() {
        for (class, family) in [
            ("BertForMaskedLM", Some("bert")),
            ("MyBertEncoder", Some("bert")),
            ("RobertaForMaskedLM", Some("roberta")),
            ("XLMRobertaModel", Some("xlm-roberta")),
            ("CamembertForMaskedLM", Some("camembert")),
            ("DistilBertModel", Some("distilbert")),
            ("ElectraForPreTraining", Some("electra")),
            ("ErnieModel", Some("ernie")),
            ("AlbertForPreTraining", Some("albert")),
            ("AlbertModel", Some("albert")),
            ("DebertaV2Model", Some("deberta-v2")),
            ("DebertaModel", None),
            ("RobertaPreLayerNormModel", None),
            ("GPT2LMHeadModel", None),
        ] {
            assert_eq!(family::of_class(class).map(|family| family.model_type), family, "{class}");
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
        let mut raw = ModelConfig::preset(Preset::Tiny).raw;
        for (key, value) in [("hidden_size", 1 << 16), ("num_hidden_layers", 1000), ("intermediate_size", 1 << 20)] {
            raw.insert(key.into(), json!(value));
        }
        let error = ModelConfig::parse(&Value::Object(raw).to_string()).expect_err("a model of 10^14 parameters");
        assert!(error.contains("154") && error.contains("at most 10000000000"), "{error}");
        assert_eq!(with("hidden_size", json!(64.0)).expect("a config").hidden_size, 64);
    }

    #[test]
    fn deep_and_long_files_are_refused() {
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(ModelConfig::parse(&deep).expect_err("deep").contains("recursion limit"));
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("config.json");
        std::fs::File::create(&path).and_then(|file| file.set_len(1 << 30)).expect("a file");
        assert!(ModelConfig::read(&path).expect_err("long").to_string().contains("larger than 16.0 MiB"));
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
            let c = ModelConfig::preset(preset);
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
        let out = config.to_json(Task::SingleLabel, &labels);
        assert_eq!(out["pooler_type"], "first_token_transform");
        assert_eq!(out["label2id"]["正面"], 1);
        let back = ModelConfig::parse(&out.to_string()).expect("its own output");
        assert_eq!(back.labels(), Some(labels));
        assert_eq!(with("classifier_dropout", json!(0.5)).expect("a config").dropout.head, 0.5);
        assert_eq!(with("hidden_dropout_prob", json!(0.3)).expect("a config").dropout.head, 0.3);
    }
}
