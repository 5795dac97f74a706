//! The spec as merged from its TOML layers. Every key has a row in [`super::keys`].

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use super::schema_sweep::*;
use super::{Delimiter, Fold, HeldOut, Quoting, SplitValues, TextEncoding};
pub use crate::{cluster::SlurmSettings, metrics::Metric};
use crate::{source::Source, task::Task};

/// An experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Name of the experiment; the file's stem by default.
    pub name: String,
    /// A sentence for the report.
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
    /// `[slurm]`.
    #[serde(default)]
    pub slurm: SlurmSettings,
}

/// `[model]`: the model to fine-tune.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// `path:DIR`, `scratch:tiny`, `scratch:small`, `scratch:rbt3`, `scratch:FILE.json`, `scratch:DIR/`, `hf:OWNER/NAME`, `hf:OWNER/NAME@REVISION`.
    pub source: Source,
    /// Largest vocabulary built from the training texts (`scratch:` only), including special tokens.
    pub vocab_size: u64,
}

/// `[data]`: the rows, and how they are split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// `path:FILE`, `hf:OWNER/NAME`, `hf:OWNER/NAME@REVISION`.
    pub source: Source,
    /// File inside an `hf:` dataset; required if it has several.
    pub file: Option<String>,
    /// Configuration of a dataset with several.
    pub config: Option<String>,
    /// `csv`, `tsv`, `jsonl`, `json`, `parquet` or `xlsx`; determined by the file's extension if absent.
    pub format: Option<Format>,
    /// Encoding of a text file; detected if absent.
    pub encoding: Option<TextEncoding>,
    /// Sheet of a workbook; the first if absent.
    pub sheet: Option<String>,
    /// Values that mean that there is none.
    #[serde(default)]
    pub missing: Vec<String>,
    /// Field separator of a CSV or TSV file; a comma or a tab, depending on the format, if absent.
    pub delimiter: Option<Delimiter>,
    /// Meaning of quotes in a CSV or TSV file.
    #[serde(default)]
    pub quoting: Quoting,
    /// Column (or JSON field) that holds the text.
    pub text_column: String,
    /// Columns whose texts are joined; empty: `text_column` has the text.
    #[serde(default)]
    pub text_columns: Vec<String>,
    /// What is written between the texts of `text_columns`; a space if absent.
    pub separator: Option<String>,
    /// Column (or JSON field) that holds the second text of each row.
    pub text_pair_column: Option<String>,
    /// What the model is trained to do.
    #[serde(default)]
    pub problem_type: Task,
    /// Column (or JSON field) that holds the label, the list of labels, or the number.
    pub label_column: String,
    /// Columns of 0 and 1, one for each label, or of numbers; empty: `label_column` has them.
    #[serde(default)]
    pub label_columns: Vec<String>,
    /// The separator of the labels of a row.
    pub label_separator: Option<String>,
    /// How labels follow from probabilities.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// The metric that thresholds are chosen by; macro-F1 if absent.
    pub threshold_metric: Option<Metric>,
    /// Whether a temperature is chosen on the dev rows.
    #[serde(default)]
    pub calibrate: bool,
    /// Value in the file → name of the label. Empty: the values are the names. Ids follow the sorted values.
    pub labels: BTreeMap<String, String>,
    /// Rows held out for testing: a share of the rows, or a file of its own.
    pub test: HeldOut,
    /// Rows held out for checkpoint selection and early stopping, likewise.
    pub dev: HeldOut,
    /// Column that says which split each row belongs to.
    pub split_column: Option<String>,
    /// Its values for each split; without it, the names of the splits of a repository or a folder.
    pub splits: Option<SplitValues>,
    /// The fold whose rows are the test split; `sweep.folds` gives each run its own.
    #[serde(default)]
    pub fold: Option<Fold>,
    /// Column whose value rows have in common that stay in one split.
    #[serde(default)]
    pub group_column: Option<String>,
    /// Seed of the split and of `limit`.
    pub seed: u64,
    /// Whether each split gets the same share of every label.
    pub stratify: bool,
    /// Maximum tokens that the model reads at once, including `[CLS]` and `[SEP]`.
    pub max_length: u64,
    /// What becomes of longer texts. Not in the stored configs of earlier runs.
    #[serde(default)]
    pub long: Long,
    /// Tokens that neighbouring windows share; a quarter of `max_length` if absent.
    pub stride: Option<u64>,
    /// Tokens that stay of the beginning of a text of which the middle is cut; a quarter of `max_length` if absent.
    pub head_tokens: Option<u64>,
    /// Number of rows to use, drawn with `seed`; all if absent.
    pub limit: Option<u64>,
}

impl Spec {
    /// The metric that compares checkpoints and trials.
    pub fn metric(&self) -> Metric {
        self.checkpoint.metric.unwrap_or(self.data.problem_type.default_metric())
    }
}

impl Data {
    /// The columns of the text, and the key that names them.
    pub fn text_columns(&self) -> (&[String], &'static str) {
        match self.text_columns.is_empty() {
            true => (std::slice::from_ref(&self.text_column), "data.text_column"),
            false => (&self.text_columns, "data.text_columns"),
        }
    }

    /// Whether the text or the second text is read from this column.
    pub fn is_text(&self, column: &str) -> bool {
        self.text_columns().0.iter().chain(&self.text_pair_column).any(|name| name == column)
    }

    /// The columns of the target, and the key that names them.
    pub fn label_columns(&self) -> (&[String], &'static str) {
        match self.label_columns.is_empty() {
            true => (std::slice::from_ref(&self.label_column), "data.label_column"),
            false => (&self.label_columns, "data.label_columns"),
        }
    }

    /// Whether the target is read from this column alone.
    pub fn is_only_label(&self, column: &str) -> bool {
        self.label_columns.is_empty() && self.label_column == column
    }

    /// The value of `split_column` for the dev rows, if it names them.
    pub fn dev_value(&self) -> Option<&str> {
        self.splits.as_ref()?.dev.as_deref()
    }

    /// The value of `split_column` for the test rows, if it names them.
    pub fn test_value(&self) -> Option<&str> {
        self.splits.as_ref()?.test.as_deref()
    }
}

/// What becomes of a text of more than `max_length` tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Long {
    /// Its end is cut, or what else the tokenizer cuts.
    #[default]
    Cut,
    /// Its middle is cut.
    HeadTail,
    /// It is read in windows.
    Windows,
}

impl Long {
    /// Their names.
    pub const NAMES: [&str; 3] = ["cut", "head_tail", "windows"];

    /// Its name in a spec.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// Whether it is the default.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The layout of a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated with a header line.
    Csv,
    /// Tab-separated with a header line.
    Tsv,
    /// One JSON object per line.
    Jsonl,
    /// One JSON array of objects.
    Json,
    /// Parquet.
    Parquet,
    /// A sheet of an Excel workbook, with a header row.
    Xlsx,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 6] = [Self::Csv, Self::Tsv, Self::Jsonl, Self::Json, Self::Parquet, Self::Xlsx];

    /// Their names, in the same order.
    pub const NAMES: [&str; 6] = {
        let mut names = [""; 6];
        let mut i = 0;
        while i < names.len() {
            names[i] = Self::ALL[i].name();
            i += 1;
        }
        names
    };

    /// Its name in a spec.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Jsonl => "jsonl",
            Self::Json => "json",
            Self::Parquet => "parquet",
            Self::Xlsx => "xlsx",
        }
    }
}

/// `[train]`: the recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// Passes over the training rows.
    pub epochs: u64,
    /// Optimizer steps; overrides `epochs` if set.
    pub max_steps: Option<u64>,
    /// Rows per batch.
    pub batch_size: u64,
    /// Maximum tokens computed at a time: larger batches are split into parts whose gradients are summed.
    pub micro_batch_tokens: u64,
    /// Batches per optimizer step.
    pub gradient_accumulation_steps: u64,
    /// Input precision of matrix multiplications.
    pub precision: Precision,
    /// What computes the run. Not in the stored configs of earlier runs.
    #[serde(default)]
    pub engine: EngineKind,
    /// Peak learning rate.
    pub lr: f64,
    /// Peak learning rate of the head; `lr` if absent.
    pub head_lr: Option<f64>,
    /// Factor of the learning rate from each encoder layer to the one below it; 1 if absent.
    pub layer_lr_decay: Option<f64>,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Parameters whose name contains one of these have no weight decay (`bias`, `LayerNorm.weight`).
    pub no_decay: Vec<String>,
    /// AdamW's decay rates for the two moments.
    pub betas: Vec<f64>,
    /// AdamW's epsilon, added outside the square root.
    pub eps: f64,
    /// The learning rate schedule.
    pub scheduler: Scheduler,
    /// Steps over which the learning rate rises from 0.
    pub warmup_steps: u64,
    /// Warmup as a fraction of all steps; either this or `warmup_steps`.
    pub warmup_ratio: f64,
    /// Clip the global gradient norm to this value; 0 disables clipping.
    pub max_grad_norm: f64,
    /// Dropout of the embeddings, attention, hidden layers and the head; the model's config if absent.
    pub dropout: Option<f64>,
    /// The form of the loss.
    #[serde(default)]
    pub loss: LossKind,
    /// Exponent of the focal loss.
    #[serde(default = "focal_gamma")]
    pub focal_gamma: f64,
    /// Share of each target that is spread over all labels.
    pub label_smoothing: f64,
    /// Class weights in the loss.
    pub class_weights: ClassWeights,
    /// Seed of dropout, and default of the other two.
    pub seed: u64,
    /// Seed of weights that are not loaded; `seed` if absent.
    pub init_seed: Option<u64>,
    /// Seed of the order of the rows; `seed` if absent.
    pub order_seed: Option<u64>,
    /// Steps between printed lines (every step is stored).
    pub log_steps: u64,
    /// Steps between evaluations; 0: after each epoch.
    pub eval_steps: u64,
    /// Dev evaluations without an improvement after which training stops; 0: never.
    pub early_stopping_patience: u64,
    /// Smallest change that counts as an improvement.
    pub early_stopping_min_delta: f64,
    /// Parameters whose name (without the encoder's prefix, such as `bert.`) begins with one of these are not trained (`embeddings`, `encoder.layer.0`).
    pub freeze: Vec<String>,
}

/// How labels follow from probabilities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Thresholds {
    /// A label is predicted with a probability of at least one half; of labels that exclude each other the most probable one.
    #[default]
    #[serde(rename = "0.5")]
    Half,
    /// The labels whose probabilities reach thresholds that are chosen on the dev rows.
    #[serde(rename = "tuned")]
    Tuned,
}

impl Thresholds {
    /// Whether it is the default.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The form of the loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossKind {
    /// That of the problem type: cross-entropy, binary cross-entropy or the squared error.
    #[default]
    Standard,
    /// Cross-entropy or binary cross-entropy with less weight on what is already predicted well (Lin et al. 2017).
    Focal,
}

impl LossKind {
    /// Whether it is the default.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The exponent of Lin et al. 2017.
pub const FOCAL_GAMMA: f64 = 2.0;

fn focal_gamma() -> f64 {
    FOCAL_GAMMA
}

/// The learning rate schedule after warmup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheduler {
    /// Constant.
    Constant,
    /// Linear decay to 0 at the last step.
    Linear,
    /// Half-cosine decay to 0 at the last step.
    Cosine,
}

/// Input precision of matrix multiplications. Weights and optimizer state are always float32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// float32.
    #[default]
    Fp32,
    /// float32 with 10-bit mantissas as inputs, accumulated in float32: NVIDIA GPUs only.
    Tf32,
    /// bfloat16 inputs, accumulated in float32.
    Bf16,
}

/// What computes a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// taper's own kernels.
    #[default]
    Fused,
    /// candle's operations and automatic differentiation.
    Candle,
}

impl EngineKind {
    /// Its name in a spec.
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

/// `train.class_weights`: `"none"`, `"balanced"`, or one number per label.
#[derive(Debug, Clone, PartialEq)]
pub enum ClassWeights {
    /// Equal weights.
    None,
    /// rows / (labels × rows of the label), as scikit-learn's `balanced`.
    Balanced,
    /// These weights, in the order of the labels' ids.
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
    /// Which weights remain after the run.
    pub keep: Keep,
    /// The metric that compares checkpoints on the dev split; that of the problem type if absent.
    pub metric: Option<Metric>,
    /// Steps between checkpoints for resuming; 0: after each epoch that took longer than writing one.
    pub every_steps: u64,
    /// Also save a checkpoint for resuming this many minutes after the last one; 0: no limit.
    pub every_minutes: f64,
}

/// Which weights remain after the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// Those of the evaluation with the best `checkpoint.metric` on the dev split.
    Best,
    /// Those of the last step.
    Last,
    /// Those of every evaluation; the run's model is that of the last step.
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
    /// The second sentence, if the model reads two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_pair: Option<String>,
    /// Name of the expected label.
    pub expect: Option<String>,
}

/// `[report]`: settings of the report, which do not affect runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Title; the experiment's name by default.
    pub title: Option<String>,
    /// Weight of the previous value in the smoothed loss curve.
    pub smoothing: f64,
    /// Number of mistakes listed.
    pub mistakes: u64,
}
