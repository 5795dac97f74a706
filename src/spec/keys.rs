//! The one table of keys. Defaults, checks, suggestions, `--explain` and the tables of `docs/spec.md` come from it.

use std::ops::Bound::{self, Excluded, Included, Unbounded};

use super::Kind;

/// A key of a spec.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Dotted path. Keys of each `[[probes]]` table are written `probes.text`.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What holds where no layer says anything.
    pub default: Fallback,
    /// Unit; empty where there is none.
    pub unit: &'static str,
    /// One line.
    pub doc: &'static str,
    /// What other tools call it, for "did you mean": a name in whatever table, or with its table.
    pub elsewhere: &'static [&'static str],
}

/// What holds where no layer says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This, in TOML.
    Is(&'static str),
    /// Nothing: the key is absent, which means what is said here.
    Absent(&'static str),
    /// A layer has to say it.
    Required,
}

/// Tables of a spec, in the order of the documentation. The first holds the keys above every table.
pub const SECTIONS: &[&str] = &["", "model", "data", "train", "checkpoint", "probes", "report", "sweep"];

/// Whole numbers that TOML can write: up to 2⁶³ − 1.
const MOST: u64 = i64::MAX as u64;

type Bounds = (Bound<f64>, Bound<f64>);
const POSITIVE: Bounds = (Excluded(0.0), Unbounded);
const NOT_NEGATIVE: Bounds = (Included(0.0), Unbounded);
const BELOW_ONE: Bounds = (Included(0.0), Excluded(1.0));
const SEED: Kind = Kind::Whole(0, MOST);

const fn key(path: &'static str, kind: Kind, default: Fallback, unit: &'static str, doc: &'static str) -> Key {
    Key { path, kind, default, unit, doc, elsewhere: &[] }
}

const fn also(key: Key, elsewhere: &'static [&'static str]) -> Key {
    Key { elsewhere, ..key }
}

use Fallback::{Absent, Is, Required};

/// Every key.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    also(key("name", Kind::Name, Absent("the file's stem"), "", "Name of the experiment."),
        &["experiment", "run_name", "output_dir", "project"]),
    key("description", Kind::Prose, Is("\"\""), "", "One sentence for the report."),

    also(key("model.source", Kind::Source(&["path", "scratch", "hf", "modelscope"]), Required, "", "What is fine-tuned."),
        &["model_name_or_path", "pretrained_model_name_or_path", "model", "model.name", "model.path"]),
    key("model.vocab_size", Kind::Whole(16, 1_000_000), Is("8000"), "tokens",
        "Largest vocabulary built from the training texts (`scratch:` only), special tokens included."),

    also(key("data.source", Kind::Source(&["path", "hf", "modelscope", "https"]), Required, "", "The labelled texts."),
        &["dataset_name", "dataset", "train_file", "data_files", "data.path", "data.name"]),
    key("data.file", Kind::Text, Absent("the only one"), "",
        "File inside an `hf:` or `modelscope:` data set; needed where it holds several and `data.source` names none."),
    key("data.format", Kind::Choice(&["csv", "tsv", "jsonl", "json", "parquet"]), Absent("by the file's ending"), "",
        "Layout of the file; `jsonl` is one object a line, `json` one array of objects."),
    also(key("data.delimiter", Kind::Delimiter, Absent("a comma, in TSV a tab"), "",
        "What separates the fields of a CSV or TSV file."), &["sep", "separator", "field_delimiter", "column_delimiter"]),
    also(key("data.quoting", Kind::Choice(&["minimal", "none"]), Is("\"minimal\""), "",
        "Quotes in a CSV or TSV file: `minimal`, a field may stand in quotes and then hold delimiters and line breaks; `none`, quotes are characters like others."),
        &["quotechar", "quote_char", "quote"]),
    also(key("data.text_column", Kind::Text, Is("\"text\""), "", "Column (or JSON field) that holds the text."),
        &["data.text", "text_column_name", "sentence1_key"]),
    also(key("data.label_column", Kind::Text, Is("\"label\""), "", "Column (or JSON field) that holds the label."),
        &["data.label", "label_column_name"]),
    also(key("data.labels", Kind::Labels, Is("{}"), "",
        "Value in the file → name of the label. Empty: the values found, each its own name. Ids follow the sorted values."),
        &["id2label", "label2id", "label_list"]),
    also(key("data.test", Kind::Number(Excluded(0.0), Excluded(1.0)), Is("0.2"), "share of the rows",
        "Rows that are only measured."), &["test_size", "test_split"]),
    also(key("data.dev", Kind::Number(BELOW_ONE.0, BELOW_ONE.1), Is("0.0"), "share of the rows",
        "Rows that choose the checkpoint and stop early."), &["dev_size", "validation_split", "data.validation", "data.valid", "data.val", "data.eval"]),
    also(key("data.seed", SEED, Is("42"), "", "Seed of the split and of `limit`."), &["data_seed", "split_seed"]),
    also(key("data.stratify", Kind::Boolean, Is("false"), "", "Whether each split gets the same share of every label."),
        &["stratify_by_column"]),
    also(key("data.max_length", Kind::Whole(3, 8192), Is("512"), "tokens",
        "Tokens of a row at most, `[CLS]` and `[SEP]` included; longer rows are cut."), &["max_seq_length", "max_len"]),
    also(key("data.limit", Kind::Whole(2, MOST), Absent("all rows"), "rows", "Rows kept, drawn by `data.seed`."),
        &["max_train_samples", "max_samples"]),

    also(key("train.epochs", Kind::Whole(1, 100_000), Is("3"), "epochs", "Passes over the training rows."),
        &["num_train_epochs", "max_epochs", "num_epochs"]),
    key("train.max_steps", Kind::Whole(1, MOST), Absent("`train.epochs` decides"), "steps",
        "Optimiser steps; overrides `train.epochs` where given."),
    also(key("train.batch_size", Kind::Whole(1, 65_536), Is("32"), "rows", "Rows of a batch."),
        &["per_device_train_batch_size", "train_batch_size"]),
    also(key("train.micro_batch_tokens", Kind::Whole(1, MOST), Is("2048"), "tokens",
        "A batch with more tokens is computed in several parts whose gradients add up to the same step: bounds memory for long texts."),
        &["micro_batch_size", "max_batch_tokens", "max_tokens"]),
    also(key("train.gradient_accumulation_steps", Kind::Whole(1, 65_536), Is("1"), "batches",
        "Batches whose gradients make one optimiser step."), &["accumulate_grad_batches", "gradient_accumulation"]),
    also(key("train.precision", Kind::Choice(&["fp32", "tf32", "bf16"]), Is("\"fp32\""), "",
        "Factors of matrix products: float32, float32 with ten bits of fraction (NVIDIA GPUs), bfloat16. Sums, weights and moments stay float32."),
        &["tf32", "bf16", "fp16", "mixed_precision", "torch_dtype", "dtype", "amp", "autocast"]),
    also(key("train.lr", Kind::Number(Excluded(0.0), Included(1.0)), Is("2e-5"), "", "Peak learning rate."),
        &["learning_rate", "learn_rate"]),
    also(key("train.weight_decay", Kind::Number(NOT_NEGATIVE.0, NOT_NEGATIVE.1), Is("0.01"), "",
        "Decoupled weight decay."), &["decay", "wd"]),
    key("train.no_decay", Kind::Texts, Is("[]"), "",
        "Parameters whose name contains one of these are not decayed (`bias`, `LayerNorm.weight`)."),
    also(key("train.betas", Kind::Pair(BELOW_ONE.0, BELOW_ONE.1), Is("[0.9, 0.999]"), "",
        "AdamW's decay rates of the two moments."), &["adam_beta1", "adam_beta2", "beta1", "beta2"]),
    also(key("train.eps", Kind::Number(POSITIVE.0, POSITIVE.1), Is("1e-8"), "", "AdamW's epsilon, outside the root."),
        &["adam_epsilon", "epsilon"]),
    also(key("train.scheduler", Kind::Choice(&["constant", "linear", "cosine"]), Is("\"constant\""), "",
        "How the learning rate changes after warm-up: not at all, in a line to 0, in half a cosine to 0."),
        &["lr_scheduler_type", "lr_scheduler", "schedule"]),
    also(key("train.warmup_steps", Kind::Whole(0, MOST), Is("0"), "steps",
        "Steps over which the learning rate rises from 0."), &["num_warmup_steps", "warmup"]),
    also(key("train.warmup_ratio", Kind::Number(BELOW_ONE.0, BELOW_ONE.1), Is("0.0"), "share of the steps",
        "The same as a share of all steps; at most one of the two."), &["warmup_proportion"]),
    also(key("train.max_grad_norm", Kind::Number(NOT_NEGATIVE.0, NOT_NEGATIVE.1), Is("0.0"), "",
        "The gradient's norm is cut to this; 0: not cut."), &["gradient_clip_val", "clip_grad_norm", "grad_clip"]),
    also(key("train.dropout", Kind::Number(BELOW_ONE.0, BELOW_ONE.1), Absent("as the model says"), "share of the units",
        "Dropout of the embeddings, the attention and the head."),
        &["hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"]),
    also(key("train.label_smoothing", Kind::Number(BELOW_ONE.0, BELOW_ONE.1), Is("0.0"), "share of the target",
        "Share of the target that is spread over all labels."), &["label_smoothing_factor"]),
    key("train.class_weights", Kind::ClassWeights, Is("\"none\""), "",
        "Weights of the classes in the loss; `balanced`: rows / (labels × rows of the label); a list goes by the labels' ids."),
    also(key("train.seed", SEED, Is("42"), "", "Seed of everything in training that has none of its own."),
        &["seed", "random_seed"]),
    key("train.init_seed", SEED, Absent("`train.seed`"), "", "Seed of weights that are not loaded."),
    key("train.order_seed", SEED, Absent("`train.seed`"), "", "Seed of the order of the rows."),
    also(key("train.log_steps", Kind::Whole(1, MOST), Is("50"), "steps",
        "A line is printed every so many steps (each step is stored)."), &["logging_steps", "log_every_n_steps"]),
    key("train.eval_steps", Kind::Whole(0, MOST), Is("0"), "steps",
        "An evaluation is made every so many steps; 0: after each epoch."),
    also(key("train.early_stopping_patience", Kind::Whole(0, 1_000_000), Is("0"), "evaluations",
        "Evaluations on the dev split without progress after which training stops; 0: never."), &["patience"]),
    also(key("train.early_stopping_min_delta", Kind::Number(NOT_NEGATIVE.0, NOT_NEGATIVE.1), Is("0.0"),
        "of `checkpoint.metric`", "Smallest change that counts as progress."),
        &["early_stopping_threshold", "min_delta"]),
    also(key("train.freeze", Kind::Texts, Is("[]"), "",
        "Parameters whose name (without `bert.`) begins with one of these stay as loaded (`embeddings`, `encoder.layer.0`)."),
        &["freeze_layers", "frozen"]),

    also(key("checkpoint.keep", Kind::Choice(&["best", "last", "all", "none"]), Is("\"last\""), "",
        "Weights that remain when the run is done: of the best evaluation, of the last step, of each evaluation, none."),
        &["load_best_model_at_end", "save_strategy", "save_total_limit"]),
    also(key("checkpoint.metric", Kind::Choice(&["accuracy", "macro_f1", "loss"]), Is("\"accuracy\""), "",
        "What makes one checkpoint better than another on the dev split. `macro_f1`: mean F1 of the labels that occur there, in the rows or in the predictions."), &["metric_for_best_model", "monitor"]),
    also(key("checkpoint.every_steps", Kind::Whole(0, MOST), Is("0"), "steps",
        "State for going on after an interruption, every so many steps; 0: after each epoch that took longer than writing it."), &["save_steps"]),
    key("checkpoint.every_minutes", Kind::Number(NOT_NEGATIVE.0, NOT_NEGATIVE.1), Is("0.0"), "minutes",
        "State for going on, also whenever so many minutes have passed since the last one; 0: time does not count. Results do not depend on it."),

    key("probes", Kind::Probes, Is("[]"), "", "Sentences classified before and after training, each a `[[probes]]` table."),
    key("probes.text", Kind::Text, Required, "", "The sentence."),
    key("probes.expect", Kind::Text, Absent("nothing is expected"), "", "Name of the label it should be given."),

    key("report.title", Kind::Text, Absent("the experiment's name"), "", "Title."),
    key("report.smoothing", Kind::Number(BELOW_ONE.0, BELOW_ONE.1), Is("0.9"), "",
        "Weight of the past in the smoothed loss curve."),
    key("report.mistakes", Kind::Whole(0, 10_000), Is("20"), "rows", "Most confident mistakes listed."),

    also(key("sweep.axes", Kind::Axes, Is("{}"), "", "Key → values, or a range: what is varied."),
        &["parameters", "params", "sweep.space", "search_space", "grid"]),
    key("sweep.zip", Kind::Zip, Is("[]"), "", "Keys whose values go in step: each table is one more axis."),
    key("sweep.exclude", Kind::Exclude, Is("[]"), "", "Points left out: those where every key of a table has the value given."),
    also(key("sweep.seeds", Kind::Seeds(MOST), Is("[]"), "",
        "Values of `train.seed`: the innermost axis, over which results are averaged."), &["num_seeds", "repeats"]),
    also(key("sweep.search", Kind::Choice(&["grid", "random", "sobol", "tpe"]), Is("\"grid\""), "",
        "How points are chosen: every combination; independent draws; draws spread evenly; draws near what did well on the dev split."),
        &["sweep.method", "sampler", "sweep.strategy", "sweep.algorithm", "sweeper"]),
    also(key("sweep.trials", Kind::Whole(1, 10_000), Absent("every point of the grid"), "points",
        "Points tried, each with every seed. Not for a grid."), &["n_trials", "num_trials", "num_samples", "max_trials", "n_iter"]),
    also(key("sweep.search_seed", SEED, Is("42"), "", "Seed of the points that are drawn."), &["sweep.seed", "sampler_seed"]),
    also(key("sweep.batch", Kind::Whole(1, 1_000), Is("4"), "trials",
        "Trials proposed at a time, all from the results of those before (`tpe`)."), &["batch_trials"]),
    also(key("sweep.startup_trials", Kind::Whole(1, 10_000), Is("5"), "trials",
        "Trials drawn at random before results count (`tpe`), or that run whole before others are compared with them (`median`)."),
        &["n_startup_trials", "n_initial_points", "warmup_trials"]),
    also(key("sweep.prune", Kind::Choice(&["none", "median", "asha"]), Is("\"none\""), "",
        "Which runs are stopped early, by the dev split: none; those below the median of earlier trials; all but the best at each rung."),
        &["pruner", "early_terminate", "sweep.early_stopping"]),
    also(key("sweep.reduction_factor", Kind::Whole(2, 100), Is("3"), "", "One trial in so many goes on at each rung (`asha`)."),
        &["eta", "sweep.factor"]),
    also(key("sweep.rungs", Kind::Whole(1, 10), Is("2"), "",
        "Rungs before the end (`asha`), each after so many times fewer steps than the next as `reduction_factor` says."),
        &["num_rungs"]),
    also(key("sweep.max_runs", Kind::Whole(1, MOST), Absent("no limit"), "runs", "Runs of the experiment that are started at most."),
        &["run_cap", "sweep.count"]),
    also(key("sweep.max_hours", Kind::Number(POSITIVE.0, POSITIVE.1), Absent("no limit"), "hours",
        "Hours of training, all runs of the experiment together, after which none is started."), &["timeout", "max_time", "time_budget"]),
];

impl Key {
    /// The table it stands in; empty for those above every table.
    pub fn section(&self) -> &'static str {
        if self.path == "probes" { "probes" } else { self.path.split_once('.').map_or("", |(section, _)| section) }
    }

    /// Its name within its table.
    pub fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }

    /// Whether a sweep may vary it: everything that changes the result of a run.
    pub fn sweepable(&self) -> bool {
        matches!(self.section(), "model" | "data" | "train" | "checkpoint") && !matches!(self.kind, Kind::Labels)
    }
}

/// The key at a dotted path.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Whether a path names a table of keys.
pub(super) fn is_section(path: &str) -> bool {
    !path.is_empty() && SECTIONS.contains(&path)
}

/// The defaults as a TOML document: the lowest layer. `name` is the file's stem.
pub(super) fn defaults(name: &str) -> String {
    let lines = KEYS.iter().filter_map(|key| match key.default {
        Is(value) => Some(format!("{} = {value}\n", key.path)),
        Absent(_) | Required => None,
    });
    std::iter::once(format!("name = {}\n", serde_json::Value::from(name))).chain(lines).collect()
}
