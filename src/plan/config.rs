//! A resolved run: all that training depends on.
//!
//! Field names are those of the spec, so that a stored `run.toml` is itself a spec that repeats the run.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use super::{LongPolicy, LongTexts};
pub use crate::spec::{
    ClassWeights, Delimiter, EngineKind, Fold, Format, HeldOut, Keep, Long, LossKind, Metric, Precision, Probe,
    Quoting, Scheduler, SplitValues, TextEncoding, Thresholds,
};
use crate::{format::setting, source::Source, task::Task};

/// A resolved run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunConfig {
    /// Name of the experiment.
    pub name: String,
    /// The model that is fine-tuned.
    pub model: ModelConfig,
    /// Its data.
    pub data: DataConfig,
    /// Its training.
    pub train: TrainConfig,
    /// Which weights it keeps.
    pub checkpoint: CheckpointConfig,
    /// Sentences classified before and after training.
    pub probes: Vec<Probe>,
}

impl RunConfig {
    /// As TOML for people. Where `data.splits` or `data.fold` decides what `data.dev` or `data.test` would, a comment says so.
    ///
    /// # Errors
    /// A number that TOML cannot hold.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        let text = toml::to_string_pretty(self)?;
        let named: Vec<&str> = self.data.splits.iter().flat_map(SplitValues::named).map(|(split, _)| split).collect();
        let mut table = "";
        let mut lines = Vec::new();
        for line in text.lines() {
            // Texts of several lines are in the probes alone, which come last.
            if line.starts_with('[') && !table.starts_with("[[") {
                table = line;
            }
            let split =
                line.split_once(" = ").map(|(key, _)| key).filter(|key| table == "[data]" && named.contains(key));
            let fold = self.data.fold.filter(|_| table == "[data]" && line.starts_with("test = "));
            let line = if table.starts_with("[[") { line.into() } else { short_number(line) };
            // Part of the run's key all the same.
            let epochs = self.train.max_steps.is_some() && table == "[train]" && line.starts_with("epochs = ");
            lines.push(match (split, fold) {
                _ if epochs => format!("{line}  # max_steps overrides it"),
                (_, Some(_)) => format!("{line}  # data.fold overrides it"),
                (Some(split), None) => format!("{line}  # data.splits.{split} overrides it"),
                (None, None) => line.to_string(),
            });
        }
        Ok(lines.join("\n") + "\n")
    }
}

/// A line of TOML whose number has the form of names of runs: `lr = 5e-4`.
fn short_number(line: &str) -> Cow<'_, str> {
    let start = line.find(" = ").map_or(line.len() - line.trim_start().len(), |at| at + 3);
    let (head, value) = line.split_at(start);
    let (value, comma) = value.strip_suffix(',').map_or((value, ""), |value| (value, ","));
    match value.parse::<f64>() {
        // A float stays one: TOML's integers have neither a point nor an exponent.
        Ok(number) if value.contains('.') && number.is_finite() => match setting(number) {
            short if short.contains('e') => format!("{head}{short}{comma}").into(),
            _ => line.into(),
        },
        _ => line.into(),
    }
}

/// The model that is fine-tuned.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ModelConfig {
    /// Where it comes from.
    pub source: Source,
    /// Largest vocabulary built from the training texts. A spec may not have it for a model that brings its own, so then it is not written.
    #[serde(default = "usual_vocabulary")]
    pub vocab_size: usize,
}

fn usual_vocabulary() -> usize {
    8000
}

impl Serialize for ModelConfig {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written<'a> {
            source: &'a Source,
            #[serde(skip_serializing_if = "Option::is_none")]
            vocab_size: Option<usize>,
        }
        let vocab_size = self.source.builds_vocabulary().then_some(self.vocab_size);
        Written { source: &self.source, vocab_size }.serialize(serializer)
    }
}

/// What is chosen on the dev rows about decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choices {
    /// Whether a temperature is.
    pub calibrate: bool,
    /// The metric that thresholds are chosen by; `None` if they are not chosen.
    pub thresholds_by: Option<Metric>,
}

/// What is read of a dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// One file, by its name if the source is a repository with several.
    File(Option<String>),
    /// The files of splits.
    Splits {
        /// The configuration, if the dataset has several.
        config: Option<String>,
        /// The names of the splits: that of the training rows first.
        names: Vec<String>,
    },
}

impl Part {
    /// How a lock tells it from other parts of the same source: a file's name, or `CONFIG{train,validation}`.
    pub fn key(&self) -> Option<String> {
        match self {
            Self::File(file) => file.clone(),
            Self::Splits { config, names } => {
                Some(format!("{}{{{}}}", config.as_deref().unwrap_or_default(), names.join(",")))
            }
        }
    }
}

/// The rows, and how they are split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataConfig {
    /// Where they come from.
    pub source: Source,
    /// File inside a dataset repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Configuration of a dataset with several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// Layout of the file; determined by its extension if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Encoding of a text file; detected if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<TextEncoding>,
    /// Sheet of a workbook; the first if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// Values that mean that there is none, besides empty ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Field separator; the layout's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<Delimiter>,
    /// Handling of quotes. Runs stored before this key existed used `minimal`, and keep their keys.
    #[serde(default, skip_serializing_if = "Quoting::is_minimal")]
    pub quoting: Quoting,
    /// Column that holds the text; empty if `text_columns` names several.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text_column: String,
    /// Columns whose texts are joined, if there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub text_columns: Vec<String>,
    /// What is written between the texts of `text_columns`; a space if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// Column that holds the second text of each row, if the model reads two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_pair_column: Option<String>,
    /// What the model is trained to do. The default is not written, so that keys of earlier runs stay the same.
    #[serde(default, skip_serializing_if = "Task::is_default")]
    pub problem_type: Task,
    /// Column that holds the label; empty if `label_columns` names several.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label_column: String,
    /// Columns of 0 and 1, one for each label, or of numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label_columns: Vec<String>,
    /// The separator of the labels of a row in `label_column`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_separator: Option<String>,
    /// How labels follow from probabilities. The default is not written, so that keys of earlier runs stay the same; nor are the two below.
    #[serde(default, skip_serializing_if = "Thresholds::is_default")]
    pub thresholds: Thresholds,
    /// The metric that thresholds are chosen by; macro-F1 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_metric: Option<Metric>,
    /// Whether a temperature is chosen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub calibrate: bool,
    /// Value in the file → name of the label. Empty: the values in the file.
    pub labels: BTreeMap<String, String>,
    /// Rows held out for testing; none if `splits` names them.
    pub test: HeldOut,
    /// Rows held out for choosing the checkpoint; none if `splits` names them.
    pub dev: HeldOut,
    /// Column that says which split each row belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_column: Option<String>,
    /// Its values for each split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub splits: Option<SplitValues>,
    /// The fold whose rows are the test split, in a cross-validation. Not in the configs of other runs, whose keys stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<Fold>,
    /// Column whose value rows have in common that stay in one split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_column: Option<String>,
    /// Seed of the split.
    pub seed: u64,
    /// Whether each split gets the same share of every label.
    pub stratify: bool,
    /// The most tokens that the model reads at once, including special tokens.
    pub max_length: usize,
    /// What becomes of longer texts. The default is not written, so that keys of earlier runs stay the same; nor are the two below.
    #[serde(default, skip_serializing_if = "Long::is_default")]
    pub long: Long,
    /// Tokens that neighbouring windows share; only with windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<usize>,
    /// Tokens that stay of the beginning of a long text; only if its middle is cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_tokens: Option<usize>,
    /// Rows to use; all if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
}

impl DataConfig {
    /// What the model is trained to do.
    pub fn task(&self) -> Task {
        self.problem_type
    }

    /// What is chosen on the dev rows about decisions; `None` if nothing is.
    pub fn choices(&self) -> Option<Choices> {
        let tuned = self.thresholds == Thresholds::Tuned;
        let thresholds_by = tuned.then(|| self.threshold_metric.unwrap_or(Metric::MacroF1));
        (self.calibrate || tuned).then_some(Choices { calibrate: self.calibrate, thresholds_by })
    }

    /// How texts are read.
    pub fn long_texts(&self) -> LongTexts {
        let quarter = LongTexts::quarter(self.max_length);
        let policy = match self.long {
            Long::Cut => LongPolicy::Cut,
            Long::HeadTail => LongPolicy::HeadTail { head: self.head_tokens.unwrap_or(quarter) },
            Long::Windows => LongPolicy::Windows { stride: self.stride.unwrap_or(quarter) },
        };
        LongTexts { max_length: self.max_length, policy }
    }

    /// The settings that are the same for all ways to read its texts.
    #[must_use]
    pub fn without_lengths(&self) -> Self {
        Self { max_length: 0, long: Long::Cut, stride: None, head_tokens: None, ..self.clone() }
    }

    /// Whether runs have dev rows.
    pub fn has_dev(&self) -> bool {
        !self.dev.is_none() || self.splits.as_ref().is_some_and(|splits| splits.dev.is_some())
    }

    /// Whether runs have test rows.
    pub fn has_test(&self) -> bool {
        !self.test.is_none() || self.fold.is_some() || self.splits.as_ref().is_some_and(|splits| splits.test.is_some())
    }

    /// The files that rows are read from besides `data.source`, with their keys.
    pub fn files_of_splits(&self) -> impl Iterator<Item = (&'static str, &Source)> {
        let held_out = [("data.dev", &self.dev), ("data.test", &self.test)];
        held_out.into_iter().filter_map(|(key, rows)| Some((key, rows.source()?)))
    }

    /// What is read of `source`.
    pub fn part(&self) -> Part {
        match &self.splits {
            Some(splits) if self.split_column.is_none() => {
                let names = splits.named().map(|(_, name)| name.to_owned()).collect();
                Part::Splits { config: self.config.clone(), names }
            }
            _ => Part::File(self.file.clone()),
        }
    }

    /// All sources that rows are read from.
    pub fn sources_mut(&mut self) -> impl Iterator<Item = &mut Source> {
        std::iter::once(&mut self.source).chain(self.dev.source_mut()).chain(self.test.source_mut())
    }
}

/// Training settings. Meanings and units as in the spec's `[train]`.
#[expect(missing_docs, reason = "each key is described in spec::schema::Train, of the same name")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainConfig {
    // Earlier versions left it out of what they wrote beside max_steps.
    #[serde(default)]
    pub epochs: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u64>,
    pub batch_size: usize,
    #[serde(default = "uncut")]
    pub micro_batch_tokens: usize,
    pub gradient_accumulation_steps: usize,
    // Runs stored before this key existed used float32.
    #[serde(default)]
    pub precision: Precision,
    // The default is not written, so that keys of earlier runs stay the same.
    #[serde(default, skip_serializing_if = "EngineKind::is_default")]
    pub engine: EngineKind,
    pub lr: f64,
    // Neither is written if it changes nothing, so that keys of earlier runs stay the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_lr: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_lr_decay: Option<f64>,
    pub weight_decay: f64,
    pub no_decay: Vec<String>,
    pub betas: (f64, f64),
    pub eps: f64,
    pub scheduler: Scheduler,
    pub warmup_steps: u64,
    pub warmup_ratio: f64,
    pub max_grad_norm: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    #[serde(default, skip_serializing_if = "LossKind::is_default")]
    pub loss: LossKind,
    // Only of the focal loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub focal_gamma: Option<f64>,
    pub label_smoothing: f64,
    pub class_weights: ClassWeights,
    /// Seed of dropout.
    pub seed: u64,
    pub init_seed: u64,
    pub order_seed: u64,
    pub log_steps: u64,
    pub eval_steps: u64,
    pub early_stopping_patience: u32,
    pub early_stopping_min_delta: f64,
    pub freeze: Vec<String>,
}

/// More tokens than any batch has, but a number that fits into TOML: runs stored before `micro_batch_tokens` computed each batch as a
/// whole.
fn uncut() -> usize {
    usize::try_from(i64::MAX).unwrap_or(usize::MAX)
}

/// Which weights are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointConfig {
    /// Which weights remain after the run.
    pub keep: Keep,
    /// The metric that chooses checkpoints.
    pub metric: Metric,
    /// Steps between states for resuming; 0: after each epoch that took longer than writing the state.
    pub every_steps: u64,
    /// Minutes after which a state for resuming is saved if none was saved by steps; 0: never.
    #[serde(default)]
    pub every_minutes: f64,
}

impl TrainConfig {
    /// Exponent of the focal loss; 0 for the standard one.
    pub fn gamma(&self) -> f64 {
        self.focal_gamma.filter(|_| self.loss == LossKind::Focal).unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::full_config, *};

    #[test]
    fn numbers_for_people_are_those_of_names_and_read_back_as_the_same() {
        let mut config = full_config();
        (config.train.lr, config.train.eps, config.train.weight_decay) = (5e-4, 1e-8, 0.01);
        config.train.betas = (0.9, 0.0001);
        config.probes[0].text = "x = 0.0005".into();
        let text = config.to_toml().unwrap();
        for line in ["lr = 5e-4", "eps = 1e-8", "weight_decay = 0.01", "    1e-4,", "text = \"x = 0.0005\""] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
        assert!(text.contains("\nepochs = 3  # max_steps overrides it\nmax_steps = 100\n"), "{text}");
        assert_eq!(toml::from_str::<RunConfig>(&text).unwrap(), config, "{text}");
    }

    /// A spec may name the size of a vocabulary only where one is built.
    #[test]
    fn the_size_of_a_vocabulary_is_written_only_where_one_is_built() {
        let mut config = full_config();
        config.model.vocab_size = 8000;
        for (source, written) in [("scratch:tiny", true), ("path:a", false), ("hf:a/b", false), ("scratch:a/", false)] {
            config.model.source = source.parse().unwrap();
            let text = config.to_toml().unwrap();
            assert_eq!(text.contains("vocab_size"), written, "{text}");
            assert_eq!(toml::from_str::<RunConfig>(&text).unwrap(), config, "{text}");
        }
    }

    /// Each fold is a run of its own, and a group column another split.
    #[test]
    fn fold_and_group_column_are_part_of_a_run_if_they_are_set() {
        let mut config = full_config();
        let key = |config: &RunConfig| super::super::run_key(config, &super::super::Digests::default(), 1, false);
        let base = key(&config);
        assert!(["fold", "group_column"].iter().all(|name| !toml::to_string(&config).unwrap().contains(name)));
        config.data.group_column = Some("author".into());
        let grouped = key(&config);
        config.data.fold = Some("1/5".parse().unwrap());
        let first = key(&config);
        config.data.fold = Some("2/5".parse().unwrap());
        let keys = std::collections::BTreeSet::from([base, grouped, first, key(&config)]);
        assert_eq!(keys.len(), 4);
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<RunConfig>(&text).unwrap(), config, "{text}");
    }

    /// The layout of a file determines its rows; defaults are not written, so that keys stay the same.
    #[test]
    fn delimiter_and_quoting_are_part_of_a_run_only_if_not_the_default() {
        let mut config = full_config();
        let key = |config: &RunConfig| super::super::run_key(config, &super::super::Digests::default(), 1, false);
        let base = key(&config);
        assert!(!toml::to_string(&config).unwrap().contains("quoting"));
        config.data.quoting = Quoting::None;
        let unquoted = key(&config);
        config.data.delimiter = Some(";".parse().unwrap());
        let both = key(&config);
        assert!(base != unquoted && unquoted != both && base != both);
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<RunConfig>(&text).unwrap(), config, "{text}");
    }

    /// A config stored by the first release: missing keys are read as what it did, and it can be written again.
    #[test]
    fn a_config_without_a_key_is_read_as_the_earlier_behaviour() {
        let mut value = serde_json::to_value(full_config()).unwrap();
        let train = value["train"].as_object_mut().unwrap();
        for key in ["micro_batch_tokens", "precision"] {
            assert!(train.remove(key).is_some(), "{key}");
        }
        assert!(value["checkpoint"].as_object_mut().unwrap().remove("every_minutes").is_some());
        let read: RunConfig = serde_json::from_value(value).unwrap();
        assert_eq!((read.train.micro_batch_tokens as u64, read.train.precision), (i64::MAX as u64, Precision::Fp32));
        assert_eq!(read.checkpoint.every_minutes, 0.0);
        let text = toml::to_string(&read).unwrap();
        assert_eq!(toml::from_str::<RunConfig>(&text).unwrap(), read);
    }

    /// The default is not written, so that keys stay the same.
    #[test]
    fn the_engine_is_part_of_a_run_if_it_is_not_the_default() {
        let mut config = full_config();
        let key = |config: &RunConfig| super::super::run_key(config, &super::super::Digests::default(), 1, false);
        let fused = key(&config);
        assert!(!toml::to_string(&config).unwrap().contains("engine"));
        config.train.engine = EngineKind::Candle;
        assert_ne!(key(&config), fused);
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<RunConfig>(&text).unwrap(), config, "{text}");
    }

    /// Runs with one learning rate keep the keys that they had, however they say so.
    #[test]
    fn learning_rates_of_groups_are_part_of_a_run_if_they_differ() {
        let mut spec = super::super::testing::spec();
        let key = |spec: &crate::spec::Spec| {
            super::super::run_key(&super::super::resolve(spec).unwrap(), &super::super::Digests::default(), 1, false)
        };
        let mut keys = vec![key(&spec)];
        for (head_lr, layer_lr_decay) in
            [(Some(1e-5), Some(1.0)), (Some(2e-5), None), (None, Some(0.9)), (Some(2e-5), Some(0.9))]
        {
            (spec.train.head_lr, spec.train.layer_lr_decay) = (head_lr, layer_lr_decay);
            keys.push(key(&spec));
        }
        assert_eq!(keys[0], keys[1]);
        assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
        let config = super::super::resolve(&spec).unwrap();
        let text = toml::to_string(&config).unwrap();
        assert!(text.contains("head_lr") && text.contains("layer_lr_decay"), "{text}");
        assert_eq!(toml::from_str::<RunConfig>(&text).unwrap(), config, "{text}");
    }
}
