//! The shape of answers.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

use super::{
    Limits,
    ask::{Answered, OfText},
    models::Model,
    worker::Facts,
};
use crate::{
    plan::{LongPolicy, Precision},
    task::{Target, Task},
};

/// A label with its score, as text-embeddings-inference writes it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Prediction {
    score: f32,
    label: String,
}

/// The labels of each text with their scores, the highest first.
pub fn predictions(answered: &Answered, raw_scores: bool) -> Vec<Vec<Prediction>> {
    let Facts { task, labels, .. } = &answered.version.facts;
    let of_text = |OfText { said, .. }: &OfText| {
        let numbers: Vec<f32> = said.answer.predicted().numbers().iter().map(|number| *number as f32).collect();
        let scores = match (raw_scores, task) {
            (true, _) => &said.logits[..],
            (false, Task::Regression) => &numbers,
            (false, Task::SingleLabel | Task::MultiLabel) => said.answer.probabilities(),
        };
        let of = |(label, score): (&String, &f32)| Prediction { score: *score, label: label.clone() };
        let mut all: Vec<Prediction> = labels.iter().zip(scores).map(of).collect();
        all.sort_by(|a, b| b.score.total_cmp(&a.score));
        all
    };
    answered.texts.iter().map(of_text).collect()
}

/// The answer of `POST /v1/classify`.
pub struct Classified<'a> {
    /// What the model says.
    pub answered: &'a Answered,
    /// Its name.
    pub model: &'a str,
}

impl Serialize for Classified<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { answered, model } = self;
        let facts = &answered.version.facts;
        let data: Vec<Data<'_>> =
            answered.texts.iter().enumerate().map(|(index, text)| Data { index, text, facts }).collect();
        let tokens: usize = answered.texts.iter().map(|text| text.tokens).sum();
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("object", "list")?;
        object.serialize_entry("model", model)?;
        object.serialize_entry("model_sha", &answered.version.sha256)?;
        object.serialize_entry("data", &data)?;
        object.serialize_entry("usage", &json!({ "prompt_tokens": tokens, "total_tokens": tokens }))?;
        object.end()
    }
}

/// What is said of a text, in the fields of `taper predict --json`.
struct Data<'a> {
    index: usize,
    text: &'a OfText,
    facts: &'a Facts,
}

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { index, text: OfText { said, tokens, cut }, facts: Facts { labels, .. } } = self;
        let probabilities = said.answer.probabilities();
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("index", index)?;
        match said.answer.predicted() {
            Target::Label(id) => {
                object.serialize_entry("label", &labels[*id as usize])?;
                object.serialize_entry("confidence", &probabilities[*id as usize])?;
            }
            Target::Labels(ids) => {
                let names: Vec<&String> = ids.iter().map(|id| &labels[*id as usize]).collect();
                object.serialize_entry("labels", &names)?;
            }
            Target::Values(values) => {
                let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
                object.serialize_entry("values", &Numbers(labels, &values))?;
            }
        }
        if !probabilities.is_empty() {
            object.serialize_entry("probabilities", &Numbers(labels, probabilities))?;
        }
        object.serialize_entry("tokens", tokens)?;
        object.serialize_entry("truncated", cut)?;
        object.end()
    }
}

/// A number for each label.
struct Numbers<'a>(&'a [String], &'a [f32]);

impl Serialize for Numbers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().zip(self.1))
    }
}

/// What is known of a model: the fields of text-embeddings-inference's `/info` that apply, and what else a client may need.
pub fn info(model: &Model, limits: &Limits) -> Map<String, Value> {
    let version = model.current();
    let Facts { reader, task, labels } = &version.facts;
    let long = match reader.long().policy {
        LongPolicy::Cut => "cut",
        LongPolicy::HeadTail { .. } => "head_tail",
        LongPolicy::Windows { .. } => "windows",
    };
    let ids: Map<String, Value> = labels.iter().enumerate().map(|(id, name)| (id.to_string(), json!(name))).collect();
    let names: Map<String, Value> = labels.iter().enumerate().map(|(id, name)| (name.clone(), json!(id))).collect();
    let info = json!({
        "model_id": model.origin.name,
        "model_sha": version.sha256,
        "model_dtype": match model.origin.precision {
            Precision::Bf16 => "bfloat16",
            Precision::Fp32 | Precision::Tf32 => "float32",
        },
        "model_type": { "classifier": { "id2label": ids, "label2id": names } },
        "problem_type": task.problem_type(),
        "labels": labels,
        "pairs": model.origin.pairs,
        "long_texts": long,
        "max_concurrent_requests": limits.queue_requests,
        "max_input_length": reader.long().max_length,
        "max_batch_tokens": limits.batch_tokens,
        "max_queue_tokens": limits.queue_tokens,
        "max_client_batch_size": limits.texts,
        "max_body_bytes": limits.body_bytes,
        "max_text_characters": limits.text_chars,
        "auto_truncate": limits.auto_truncate,
        "version": env!("CARGO_PKG_VERSION"),
    });
    match info {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
