//! A model's shape, as Hugging Face's config.json writes it.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::ModelError;

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
    /// Rows of the token type embedding; the first is used.
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

/// The keys that matter, as written.
#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    model_type: Option<String>,
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    #[serde(default = "positions")]
    max_position_embeddings: usize,
    #[serde(default = "types")]
    type_vocab_size: usize,
    #[serde(default = "eps")]
    layer_norm_eps: f64,
    #[serde(default = "range")]
    initializer_range: f64,
    #[serde(default)]
    pad_token_id: Option<usize>,
    #[serde(default = "dropout")]
    hidden_dropout_prob: f64,
    #[serde(default = "dropout")]
    attention_probs_dropout_prob: f64,
    #[serde(default)]
    classifier_dropout: Option<f64>,
    #[serde(default)]
    hidden_act: Option<String>,
    #[serde(default)]
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
}

// Defaults of transformers' BertConfig.
fn positions() -> usize {
    512
}
fn types() -> usize {
    2
}
fn eps() -> f64 {
    1e-12
}
fn range() -> f64 {
    0.02
}
fn dropout() -> f64 {
    0.1
}

impl BertConfig {
    /// Reads a config.json.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let text = std::fs::read_to_string(path).map_err(|error| ModelError::Io { path: path.into(), error })?;
        Self::parse(&text).map_err(|message| ModelError::Config { path: path.into(), message })
    }

    /// A built-in shape for training from scratch: `tiny` (2 layers of 64), `small` (4 layers of 256) or `rbt3` (3 layers of
    /// 768, the architecture of hfl/rbt3).
    pub fn preset(name: &str) -> Option<Self> {
        let (layers, hidden, heads) = match name {
            "tiny" => (2, 64, 2),
            "small" => (4, 256, 8),
            "rbt3" => (3, 768, 12),
            _ => return None,
        };
        let config = json!({
            "model_type": "bert", "hidden_act": "gelu", "vocab_size": 0, "hidden_size": hidden,
            "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": 4 * hidden,
            "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
            "initializer_range": 0.02, "pad_token_id": 0, "hidden_dropout_prob": 0.1,
            "attention_probs_dropout_prob": 0.1,
        });
        Some(Self::parse(&config.to_string()).expect("a preset is a sound config"))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let raw: Map<String, Value> = serde_json::from_str(text).map_err(|e| format!("not a JSON object: {e}"))?;
        let w: Written = serde_json::from_value(Value::Object(raw.clone())).map_err(|e| e.to_string())?;
        let unsupported = |key: &str, value: &str, wanted: &str| {
            Err(format!("`{key}` is \"{value}\"; taper fine-tunes BERT models with \"{wanted}\""))
        };
        match w.model_type.as_deref() {
            None | Some("bert") => {}
            Some(other) => return unsupported("model_type", other, "bert"),
        }
        match w.hidden_act.as_deref() {
            None | Some("gelu") => {}
            Some(other) => return unsupported("hidden_act", other, "gelu"),
        }
        match w.position_embedding_type.as_deref() {
            None | Some("absolute") => {}
            Some(other) => return unsupported("position_embedding_type", other, "absolute"),
        }
        if w.is_decoder {
            return Err("`is_decoder` is true; taper fine-tunes encoders".into());
        }
        if w.num_attention_heads == 0 || w.hidden_size == 0 || !w.hidden_size.is_multiple_of(w.num_attention_heads) {
            return Err(format!(
                "`hidden_size` {} is no multiple of `num_attention_heads` {}",
                w.hidden_size, w.num_attention_heads
            ));
        }
        for (key, value, least) in [
            ("num_hidden_layers", w.num_hidden_layers, 1),
            ("type_vocab_size", w.type_vocab_size, 1),
            ("intermediate_size", w.intermediate_size, 1),
            ("max_position_embeddings", w.max_position_embeddings, 3),
        ] {
            if value < least {
                return Err(format!("`{key}` is {value}; expected at least {least}"));
            }
        }
        for (key, p) in [
            ("hidden_dropout_prob", w.hidden_dropout_prob),
            ("attention_probs_dropout_prob", w.attention_probs_dropout_prob),
            ("classifier_dropout", w.classifier_dropout.unwrap_or(0.0)),
        ] {
            if !(0.0..1.0).contains(&p) {
                return Err(format!("`{key}` is {p}; expected at least 0, below 1"));
            }
        }
        Ok(Self {
            vocab_size: w.vocab_size,
            hidden_size: w.hidden_size,
            num_hidden_layers: w.num_hidden_layers,
            num_attention_heads: w.num_attention_heads,
            intermediate_size: w.intermediate_size,
            max_position_embeddings: w.max_position_embeddings,
            type_vocab_size: w.type_vocab_size,
            layer_norm_eps: w.layer_norm_eps,
            initializer_range: w.initializer_range,
            pad_token_id: w.pad_token_id.unwrap_or(0),
            hidden_dropout: w.hidden_dropout_prob,
            attention_dropout: w.attention_probs_dropout_prob,
            // transformers: `classifier_dropout` where given, else the hidden one.
            classifier_dropout: w.classifier_dropout.unwrap_or(w.hidden_dropout_prob),
            raw,
        })
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
        let map = self.raw.get("id2label")?.as_object()?;
        (0..map.len()).map(|i| Some(map.get(&i.to_string())?.as_str()?.to_string())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(key: &str, value: Value) -> Result<BertConfig, String> {
        let mut raw = BertConfig::preset("tiny").expect("tiny").raw;
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
    fn presets_are_what_their_names_say() {
        let shape = |name| {
            let c = BertConfig::preset(name).expect(name);
            (c.num_hidden_layers, c.hidden_size, c.num_attention_heads, c.intermediate_size, c.max_position_embeddings)
        };
        assert_eq!(shape("tiny"), (2, 64, 2, 256, 512));
        assert_eq!(shape("small"), (4, 256, 8, 1024, 512));
        assert_eq!(shape("rbt3"), (3, 768, 12, 3072, 512));
        assert!(BertConfig::preset("huge").is_none());
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
