//! A spec as written: what the TOML layers say once merged. Every key has its row in [`super::keys`].

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use super::schema_sweep::*;
use super::{Delimiter, Quoting};
pub use crate::metrics::Metric;
use crate::source::Source;

/// One experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Name of the experiment; the file's stem where it says none.
    pub name: String,
    /// One sentence for the report.
    pub description: String,
    /// `[model]`.
    pub model: Model,
    /// `[data]`.
    pub data: Data,
    /// `[train]`.
    pub train: Train,
    /// `[checkpoint]`.
    pub checkpoint: Checkpoint,
    /// `[[probes]]`.
    pub probes: Vec<Probe>,
    /// `[report]`.
    pub report: Report,
    /// `[sweep]`.
    pub sweep: Sweep,
}

/// `[model]`: what is fine-tuned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// `path:DIR`, `scratch:tiny`, `scratch:small`, `scratch:rbt3`, `scratch:FILE.json`, `scratch:DIR/`, `hf:OWNER/NAME`, `hf:OWNER/NAME@REVISION`.
    pub source: Source,
    /// Largest vocabulary built from the training texts (`scratch:` only), special tokens included.
    pub vocab_size: u64,
}

/// `[data]`: the rows, and how they are split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// `path:FILE`, `hf:OWNER/NAME`, `hf:OWNER/NAME@REVISION`.
    pub source: Source,
    /// File inside an `hf:` data set; needed where it holds several.
    pub file: Option<String>,
    /// `csv`, `tsv`, `jsonl`, `json` or `parquet`; by the file's ending where absent.
    pub format: Option<Format>,
    /// What separates the fields of a CSV or TSV file; a comma or a tab, as the format says, where absent.
    pub delimiter: Option<Delimiter>,
    /// What quotes mean in a CSV or TSV file.
    #[serde(default)]
    pub quoting: Quoting,
    /// Column (or JSON field) that holds the text.
    pub text_column: String,
    /// Column (or JSON field) that holds the label.
    pub label_column: String,
    /// Value in the file → name of the label. Empty: the values found, each its own name. Ids follow the sorted values.
    pub labels: BTreeMap<String, String>,
    /// Share of the rows that is only measured.
    pub test: f64,
    /// Share of the rows that chooses the checkpoint and stops early.
    pub dev: f64,
    /// Seed of the split and of `limit`.
    pub seed: u64,
    /// Whether each split gets the same share of every label.
    pub stratify: bool,
    /// Tokens of a row at most, `[CLS]` and `[SEP]` included; longer rows are cut.
    pub max_length: u64,
    /// Rows kept, drawn by `seed`; all where absent.
    pub limit: Option<u64>,
}

/// How a data file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated with a header line.
    Csv,
    /// Tab-separated with a header line.
    Tsv,
    /// One JSON object a line.
    Jsonl,
    /// One JSON array of objects.
    Json,
    /// Parquet; a build with the feature `parquet` reads it.
    Parquet,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 5] = [Self::Csv, Self::Tsv, Self::Jsonl, Self::Json, Self::Parquet];

    /// Their names, in the same order.
    pub const NAMES: [&str; 5] = {
        let mut names = [""; 5];
        let mut i = 0;
        while i < names.len() {
            names[i] = Self::ALL[i].name();
            i += 1;
        }
        names
    };

    /// As it is written in a spec.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Jsonl => "jsonl",
            Self::Json => "json",
            Self::Parquet => "parquet",
        }
    }
}

/// `[train]`: the recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// Passes over the training rows.
    pub epochs: u64,
    /// Optimiser steps; overrides `epochs` where given.
    pub max_steps: Option<u64>,
    /// Rows of a batch.
    pub batch_size: u64,
    /// Tokens computed at a time: a batch with more is cut into parts whose gradients add up to the same step.
    pub micro_batch_tokens: u64,
    /// Batches whose gradients make one optimiser step.
    pub gradient_accumulation_steps: u64,
    /// Numbers in which matrix products are made.
    pub precision: Precision,
    /// What computes. Not in the stored configs of earlier runs.
    #[serde(default)]
    pub engine: EngineKind,
    /// Peak learning rate.
    pub lr: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Parameters whose name contains one of these are not decayed (`bias`, `LayerNorm.weight`).
    pub no_decay: Vec<String>,
    /// AdamW's decay rates of the two moments.
    pub betas: Vec<f64>,
    /// AdamW's epsilon, outside the root.
    pub eps: f64,
    /// How the learning rate changes.
    pub scheduler: Scheduler,
    /// Steps over which the learning rate rises from 0.
    pub warmup_steps: u64,
    /// The same as a share of all steps; at most one of the two.
    pub warmup_ratio: f64,
    /// The gradient's norm is cut to this; 0: not cut.
    pub max_grad_norm: f64,
    /// Dropout of the embeddings, the attention and the head; as the model says where absent.
    pub dropout: Option<f64>,
    /// Share of the target that is spread over all labels.
    pub label_smoothing: f64,
    /// Weights of the classes in the loss.
    pub class_weights: ClassWeights,
    /// Seed of everything in training that has none of its own.
    pub seed: u64,
    /// Seed of weights that are not loaded; `seed` where absent.
    pub init_seed: Option<u64>,
    /// Seed of the order of the rows; `seed` where absent.
    pub order_seed: Option<u64>,
    /// A line is printed every so many steps (each step is stored).
    pub log_steps: u64,
    /// An evaluation is made every so many steps; 0: after each epoch.
    pub eval_steps: u64,
    /// Evaluations on the dev split without progress after which training stops; 0: never.
    pub early_stopping_patience: u64,
    /// Smallest change that counts as progress.
    pub early_stopping_min_delta: f64,
    /// Parameters whose name (without the encoder's prefix, such as `bert.`) begins with one of these stay as loaded (`embeddings`, `encoder.layer.0`).
    pub freeze: Vec<String>,
}

/// How the learning rate changes after warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheduler {
    /// Not at all.
    Constant,
    /// In a line to 0 at the last step.
    Linear,
    /// In half a cosine to 0 at the last step.
    Cosine,
}

/// Numbers in which matrix products are made. Weights and moments are float32 whichever it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// float32.
    #[default]
    Fp32,
    /// float32 of which products see ten bits of the fraction, float32 sums: NVIDIA's GPUs alone have it.
    Tf32,
    /// bfloat16 factors, float32 sums.
    Bf16,
}

/// What computes a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// taper's own kernels.
    #[default]
    Fused,
    /// candle's operations and its automatic differentiation.
    Candle,
}

impl EngineKind {
    /// As it is written in a spec.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fused => "fused",
            Self::Candle => "candle",
        }
    }

    /// Whether it is the default.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// `train.class_weights`: `"none"`, `"balanced"`, or one number for each label.
#[derive(Debug, Clone, PartialEq)]
pub enum ClassWeights {
    /// All alike.
    None,
    /// rows / (labels × rows of the label), as scikit-learn's `balanced`.
    Balanced,
    /// As given, in the order of the labels' ids.
    Given(Vec<f64>),
}

impl Serialize for ClassWeights {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => s.serialize_str("none"),
            Self::Balanced => s.serialize_str("balanced"),
            Self::Given(weights) => weights.serialize(s),
        }
    }
}

impl<'de> Deserialize<'de> for ClassWeights {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = ClassWeights;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"none\", \"balanced\" or one number for each label")
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<ClassWeights, E> {
                match v {
                    "none" => Ok(ClassWeights::None),
                    "balanced" => Ok(ClassWeights::Balanced),
                    _ => Err(E::invalid_value(de::Unexpected::Str(v), &self)),
                }
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<ClassWeights, A::Error> {
                let mut weights = Vec::new();
                while let Some(w) = seq.next_element()? {
                    weights.push(w);
                }
                Ok(ClassWeights::Given(weights))
            }
        }
        d.deserialize_any(Visitor)
    }
}

/// `[checkpoint]`: which weights are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// Which weights remain when the run is done.
    pub keep: Keep,
    /// What makes one checkpoint better than another on the dev split.
    pub metric: Metric,
    /// State for going on after an interruption, every so many steps; 0: after each epoch that took longer than writing it.
    pub every_steps: u64,
    /// The same, also whenever so many minutes have passed since the last one; 0: time does not count.
    pub every_minutes: f64,
}

/// Which weights remain when the run is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// Those of the evaluation with the best `checkpoint.metric` on the dev split.
    Best,
    /// Those of the last step.
    Last,
    /// Those of every evaluation; the run's own are those of the last step.
    All,
    /// None.
    None,
}

/// `[[probes]]`: a sentence classified before and after training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The sentence.
    pub text: String,
    /// Name of the label it should be given.
    pub expect: Option<String>,
}

/// `[report]`: how the report looks. Changes no run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Title; the experiment's name where absent.
    pub title: Option<String>,
    /// Weight of the past in the smoothed loss curve.
    pub smoothing: f64,
    /// Most confident mistakes listed.
    pub mistakes: u64,
}
