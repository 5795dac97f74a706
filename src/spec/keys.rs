//! The one table of keys. Defaults, checks, suggestions, `--explain` and the tables of `docs/spec.md` come from it.

use std::ops::Bound::{self, Excluded, Included, Unbounded};

use super::{Format, Kind, Long, MOST_FOLDS};
use crate::{metrics::Metric, source::Scheme, task::Task};

/// A key of a spec.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Dotted path. Keys of each `[[probes]]` table are written `probes.text`.
    pub path: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// The value if no layer sets it.
    pub default: Fallback,
    /// Unit; empty where there is none.
    pub unit: &'static str,
    /// Whether that unit is a share of something, from 0 to 1.
    pub is_share: bool,
    /// One line of documentation.
    pub doc: &'static str,
    /// Its names in other tools, for "did you mean": with or without a table.
    pub elsewhere: &'static [&'static str],
}

/// The value of a key that no layer sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This value, in TOML.
    Is(&'static str),
    /// None: the key is absent, which has this meaning.
    Absent(&'static str),
    /// The value of this other key.
    SameAs(&'static str),
    /// A layer must set it.
    Required,
}

/// Tables of a spec, in the order of the documentation. The first is for keys outside every table.
pub const SECTIONS: &[&str] = &["", "model", "data", "train", "checkpoint", "probes", "report", "sweep", "slurm"];

/// Whole numbers that TOML can write: up to 2⁶³ − 1.
const MOST: u64 = i64::MAX as u64;

type Bounds = (Bound<f64>, Bound<f64>);
const POSITIVE: Bounds = (Excluded(0.0), Unbounded);
const NOT_NEGATIVE: Bounds = (Included(0.0), Unbounded);
const BELOW_ONE: Bounds = (Included(0.0), Excluded(1.0));
const SEED: Kind = Kind::Whole(0, MOST);
/// Where data files come from.
const DATA: &[Scheme] = &[Scheme::Path, Scheme::Hub, Scheme::ModelScope, Scheme::Web];

const fn key(path: &'static str, kind: Kind, default: Fallback, unit: &'static str, doc: &'static str) -> Key {
    Key { path, kind, default, unit, is_share: false, doc, elsewhere: &[] }
}

const fn share(key: Key) -> Key {
    Key { is_share: true, ..key }
}

const fn also(key: Key, elsewhere: &'static [&'static str]) -> Key {
    Key { elsewhere, ..key }
}

use Fallback::{Absent, Is, Required, SameAs};

/// The metrics that thresholds can be chosen by.
const THRESHOLDS_BY: &[&str] = &[
    Metric::MacroF1.info().id,
    Metric::MicroF1.info().id,
    Metric::WeightedF1.info().id,
    Metric::Accuracy.info().id,
    Metric::BalancedAccuracy.info().id,
    Metric::Mcc.info().id,
    Metric::ANY_F1_OF,
];

/// Every key.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    also(key("name", Kind::Name, Absent("the file's stem"), "", "Name of the experiment, used by `taper list` and `taper report`."),
        &["experiment", "run_name", "output_dir", "project"]),
    key("description", Kind::Prose, Is("\"\""), "", "A sentence that the report shows."),

    also(key("model.source", Kind::Source(&[Scheme::Path, Scheme::Scratch, Scheme::Hub, Scheme::ModelScope]), Required, "", "The model to fine-tune."),
        &["model_name_or_path", "pretrained_model_name_or_path", "model", "model.name", "model.path"]),
    key("model.vocab_size", Kind::Whole(16, 1_000_000), Is("8000"), "tokens",
        "Maximum size of the vocabulary that is built from the training texts (`scratch:` only), including special tokens."),

    also(key("data.source", Kind::Source(DATA), Required, "", "The labelled texts. Train, dev and test rows are all taken from here, unless `data.dev` or `data.test` names a separate file."),
        &["dataset_name", "dataset", "data_files", "data.path", "data.name", "data.file_path"]),
    key("data.file", Kind::Text, Absent("the only file"), "",
        "The file to use of an `hf:` or `modelscope:` dataset. Required if it has several files and `data.source` does not name one."),
    also(key("data.config", Kind::Text, Absent("the only or the default configuration"), "",
        "The configuration of a dataset that has several, such as `sst2` of `hf:nyu-mll/glue`. Allowed only if `data.splits` names the splits of a repository or a folder."),
        &["dataset_config_name", "dataset_config", "subset", "data.subset", "data.name_of_config"]),
    key("data.format", Kind::Choice(&Format::NAMES), Absent("from the file's extension"), "",
        "Format of the file. `jsonl`: one JSON object per line; `json`: one array of objects. Text files compressed with gzip or Zstandard are decompressed while they are read."),
    also(key("data.encoding", Kind::Encoding, Absent("detected"), "",
        "Encoding of a text file, such as `utf-8`, `gb18030`, `utf-16` or `big5`. If not set, taper detects UTF-8, UTF-16 or GB18030 from the bytes of the file; `taper plan` says which."),
        &["file_encoding", "charset", "data.charset"]),
    key("data.sheet", Kind::Text, Absent("the first sheet"), "", "Sheet of an Excel workbook (`.xlsx`)."),
    key("data.missing", Kind::Texts, Is("[]"), "",
        "Values to treat as missing in the text, label and split columns, such as `[\"NA\", \"null\"]`. Empty values always count as \
         missing."),
    also(key("data.delimiter", Kind::Delimiter, Absent("a comma; a tab in TSV"), "",
        "Field delimiter of a CSV or TSV file. If it is not set and the header does not use the default, taper uses the delimiter that the \
         header uses: `,`, `;`, a tab or `|`."), &["sep", "separator", "field_delimiter", "column_delimiter"]),
    also(key("data.quoting", Kind::Choice(&["minimal", "none"]), Is("\"minimal\""), "",
        "Quotes in a CSV or TSV file. `minimal`: a field in quotes may contain delimiters and line breaks; `none`: quotes are ordinary characters."),
        &["quotechar", "quote_char", "quote"]),
    also(key("data.text_column", Kind::Text, Is("\"text\""), "", "Column (or JSON field) with the text."),
        &["data.text", "text_column_name", "sentence1_key"]),
    also(key("data.text_columns", Kind::Texts, Is("[]"), "",
        "Columns (or JSON fields) whose texts are joined into one, instead of `data.text_column`. Empty texts are skipped; if all of them are empty, the row has no text."),
        &["text_column_names", "data.columns"]),
    key("data.separator", Kind::Prose, Absent("a space"), "", "String between the joined texts of `data.text_columns`."),
    also(key("data.text_pair_column", Kind::Text, Absent("none: one text in each row"), "",
        "Column (or JSON field) with the second text of each row, for text-pair tasks. The model reads both together, joined by its tokenizer, such as `[CLS] a [SEP] b [SEP]`."),
        &["sentence2_key", "text_pair", "data.text_pair", "pair_column", "data.pair_column", "text2_column"]),
    also(key("data.problem_type", Kind::Choice(&Task::NAMES), Is("\"single_label_classification\""), "",
        "The task, as in transformers' `problem_type`. `single_label_classification`: each text belongs to one of the labels; `multi_label_classification`: it has any number of labels, including none; `regression`: it has one or several numbers."),
        &["problem_type", "task", "task_type", "data.task", "model.problem_type"]),
    also(key("data.label_column", Kind::Text, Is("\"label\""), "", "Column (or JSON field) with the label. With several labels per text: a list in JSON or Parquet, or a string that `data.label_separator` splits. In regression: the number."),
        &["data.label", "label_column_name"]),
    also(key("data.label_columns", Kind::Texts, Is("[]"), "",
        "Columns (or JSON fields) that replace `data.label_column`: with several labels per text, one column of 0s and 1s per label; in regression, the columns of the numbers."),
        &["label_names", "label_column_names", "data.label_names", "target_columns", "data.target_columns"]),
    also(key("data.label_separator", Kind::Prose, Absent("none: the column has lists"), "",
        "String between the labels of a row in `data.label_column`, such as `|` in `food|price`. Spaces around a label are removed."),
        &["label_delimiter", "data.label_delimiter", "label_sep"]),
    also(key("data.thresholds", Kind::Choice(&["0.5", "tuned"]), Is("\"0.5\""), "",
        "Decision threshold: a label is predicted if its probability is at least this. `tuned`: after training, thresholds are chosen on the dev rows: one for each label if a text may have several labels, or a single one, for the second label, if each text has one of two labels. They are stored with the model, and `taper predict` and `taper eval` apply them. Metrics during training, and the comparison of checkpoints and trials, do not use them."),
        &["threshold", "decision_threshold", "data.threshold"]),
    key("data.threshold_metric", Kind::Choice(THRESHOLDS_BY), Absent("macro_f1"), "",
        "With `data.thresholds = \"tuned\"`: the metric on the dev rows that the thresholds maximise. Several labels per text: `macro_f1`, `micro_f1`, `weighted_f1`; two labels: `macro_f1`, `weighted_f1`, `accuracy`, `balanced_accuracy`, `mcc`, `f1:LABEL`."),
    also(key("data.calibrate", Kind::Boolean, Is("false"), "",
        "Whether to calibrate the probabilities by temperature scaling (Guo et al. 2017): after training, a temperature is fitted on the dev rows, and the logits are divided by it. It is stored with the model, and `taper predict` and `taper eval` apply it."),
        &["calibrate", "temperature_scaling", "calibration", "temperature", "data.temperature"]),
    also(key("data.labels", Kind::Labels, Is("{}"), "",
        "Maps each value of the label column to the name of a label. If empty, the values are the names. Labels get their ids in the order of the sorted values."),
        &["id2label", "label2id", "label_list"]),
    share(also(key("data.test", Kind::HeldOut(DATA), Is("0.2"), "share of the rows",
        "Rows held out for testing: a fraction of the rows, or a separate file. Never used to train, or to select a checkpoint or trial."),
        &["test_size", "test_split", "data.test_ratio", "test_ratio", "test_file", "data.test_file", "test_data", "test_path"])),
    share(also(key("data.dev", Kind::HeldOut(DATA), Is("0.0"), "share of the rows",
        "Rows held out to select checkpoints, stop early and compare trials: a fraction of the rows, or a separate file."),
        &["dev_size", "validation_split", "data.validation", "data.valid", "data.val", "data.eval", "validation_file", "data.validation_file", "dev_file", "data.dev_file", "eval_file", "valid_file", "dev_path"])),
    also(key("data.split_column", Kind::Text, Absent("none"), "", "Column (or JSON field) that names the split of each row. `data.splits` lists its values."),
        &["split_column_name", "data.split"]),
    key("data.splits", Kind::Splits, Absent("none"), "",
        "Values of `data.split_column`, or, without it, names of the splits of a repository or a folder: `{ train = \"train\", dev = \"validation\", test = \"test\" }`. If `dev` or `test` is left out, `data.dev` or `data.test` sets how many of the `train` rows are held out for it."),
    key("data.fold", Kind::Fold, Absent("none"), "",
        "The fold of a cross-validation whose rows are the test split, such as `2/5`. It replaces `data.test`. `sweep.folds` trains one run for each fold."),
    also(key("data.group_column", Kind::Text, Absent("none"), "",
        "Column (or JSON field) with the group of each row, such as its author or its document. Wherever rows are split at random, the rows of one group stay in one split or fold."),
        &["group_by_column", "groups", "data.groups", "data.group", "group", "data.group_by", "group_id_column"]),
    also(key("data.seed", SEED, Is("42"), "", "Seed of the split, and of the rows that `limit` draws."), &["data_seed", "split_seed"]),
    also(key("data.stratify", Kind::Boolean, Is("false"), "", "Whether to stratify the splits: each label makes up about the same proportion of every split; in regression, the same holds for each tenth of the values."),
        &["stratify_by_column"]),
    also(key("data.max_length", Kind::Whole(3, 8192), Is("512"), "tokens",
        "Maximum number of tokens that the model reads at once, including special tokens such as `[CLS]` and `[SEP]`. `data.long` sets how longer texts are handled; in a pair, the longer text is cut first."), &["max_seq_length", "max_len"]),
    also(key("data.long", Kind::Choice(&Long::NAMES), Is("\"cut\""), "",
        "How to handle texts of more than `data.max_length` tokens. `cut`: the end is cut (with `truncation_side` `left`, the beginning); `head_tail`: the middle is cut; `windows`: the text is read in overlapping windows, each of which is a training example, and the row's probabilities are their mean."),
        &["truncation", "truncation_strategy", "return_overflowing_tokens", "long_texts", "overflow", "data.long_text", "data.windows"]),
    also(key("data.stride", Kind::Whole(0, 8189), Absent("a quarter of `data.max_length`"), "tokens",
        "With `data.long = \"windows\"`: number of tokens that neighbouring windows of a text share, like `stride` in transformers' tokenizers. Must be less than `data.max_length` minus the number of the tokenizer's special tokens (usually 2)."),
        &["doc_stride", "window_overlap", "overlap"]),
    also(key("data.head_tokens", Kind::Whole(0, 8189), Absent("a quarter of `data.max_length`"), "tokens",
        "With `data.long = \"head_tail\"`: number of tokens to keep from the beginning of a long text, not counting special tokens; the rest comes from its end. 0 keeps only the end. Must be less than `data.max_length` minus the number of the tokenizer's special tokens (usually 2)."),
        &["data.head", "num_head_tokens", "head_length"]),
    also(key("data.limit", Kind::Whole(2, MOST), Absent("all rows"), "rows", "Use only this many of the rows that are split at random (or of the training rows, if no rows are held out from them), drawn at random with `data.seed`. Dev and test rows from a separate file, or assigned by a column, are all used."),
        &["max_train_samples", "max_samples"]),

    also(key("train.epochs", Kind::Whole(1, 100_000), Is("3"), "epochs", "Number of passes over the training rows."),
        &["num_train_epochs", "max_epochs", "num_epochs"]),
    key("train.max_steps", Kind::Whole(1, 1_000_000_000), Absent("`train.epochs` decides"), "steps",
        "Number of optimizer steps. Overrides `train.epochs`."),
    also(key("train.batch_size", Kind::Whole(1, 65_536), Is("32"), "rows", "Number of rows per batch."),
        &["per_device_train_batch_size", "train_batch_size"]),
    also(key("train.micro_batch_tokens", Kind::Whole(1, MOST), Is("2048"), "tokens",
        "Maximum number of tokens per micro-batch, to limit memory. Larger batches are split and their gradients summed, so the step is the same."),
        &["micro_batch_size", "max_batch_tokens", "max_tokens"]),
    also(key("train.gradient_accumulation_steps", Kind::Whole(1, 65_536), Is("1"), "batches",
        "Number of batches per optimizer step. Gradients are averaged over the rows of all of them."), &["accumulate_grad_batches", "gradient_accumulation"]),
    also(key("train.precision", Kind::Choice(&["fp32", "tf32", "bf16"]), Is("\"fp32\""), "",
        "Input precision of matrix multiplications (`tf32`: NVIDIA GPUs only). Accumulation, weights and optimizer state are always float32."),
        &["tf32", "bf16", "mixed_precision", "torch_dtype", "dtype", "amp", "autocast"]),
    key("train.engine", Kind::Choice(&["fused", "candle"]), Is("\"fused\""), "",
        "Compute engine: taper's own kernels, or candle's operations and automatic differentiation (the reference: slower, float32 only). `--engine` sets it."),
    also(key("train.lr", Kind::Number(Excluded(0.0), Included(1.0)), Is("2e-5"), "", "Peak learning rate."),
        &["learning_rate", "learn_rate"]),
    also(key("train.head_lr", Kind::Number(Excluded(0.0), Included(1.0)), SameAs("train.lr"), "",
        "Peak learning rate of the head: its dense layer (BERT's pooler) and the classifier. It changes over the steps as `train.lr` does."),
        &["head_learning_rate", "classifier_lr", "classifier_learning_rate", "lr_head", "task_head_lr"]),
    also(key("train.layer_lr_decay", Kind::Number(Excluded(0.0), Included(1.0)), Absent("1: one rate for all"), "",
        "Layer-wise learning-rate decay: the factor d by which the learning rate is multiplied from each encoder layer to the one below it. The head has `train.head_lr`, the last layer lr × d, the first of L layers lr × d^L, the embeddings lr × d^(L + 1)."),
        &["layerwise_lr_decay", "layer_decay", "llrd", "layerwise_learning_rate_decay", "layerwise_lr_decay_power", "lr_layer_decay"]),
    also(key("train.weight_decay", Kind::Number(NOT_NEGATIVE.0, NOT_NEGATIVE.1), Is("0.01"), "",
        "AdamW's decoupled weight decay, applied to all parameters except those in `no_decay`."), &["decay", "wd"]),
    key("train.no_decay", Kind::Texts, Is("[]"), "",
        "Parameters without weight decay: those whose name contains one of these strings, such as `bias` or `LayerNorm.weight`."),
    also(key("train.betas", Kind::Pair(BELOW_ONE.0, BELOW_ONE.1), Is("[0.9, 0.999]"), "",
        "AdamW's decay rates for the first and second moments."), &["adam_beta1", "adam_beta2", "beta1", "beta2"]),
    also(key("train.eps", Kind::Number(POSITIVE.0, POSITIVE.1), Is("1e-8"), "", "AdamW's epsilon, added outside the square root."),
        &["adam_epsilon", "epsilon"]),
    also(key("train.scheduler", Kind::Choice(&["constant", "linear", "cosine"]), Is("\"constant\""), "",
        "Learning rate after warmup: constant, linear decay to 0, or half-cosine decay to 0."),
        &["lr_scheduler_type", "lr_scheduler", "schedule", "scheduler_type", "scheduler_name", "lr_schedule"]),
    also(key("train.warmup_steps", Kind::Whole(0, MOST), Is("0"), "steps",
        "Number of warmup steps, in which the learning rate rises linearly from 0."), &["num_warmup_steps", "warmup"]),
    share(also(key("train.warmup_ratio", Kind::Number(BELOW_ONE.0, BELOW_ONE.1), Is("0.0"), "share of the steps",
        "Warmup steps as a fraction of all steps. Set either this or `warmup_steps`."), &["warmup_proportion"])),
    also(key("train.max_grad_norm", Kind::Number(NOT_NEGATIVE.0, NOT_NEGATIVE.1), Is("0.0"), "",
        "Maximum global gradient norm, above which gradients are clipped; 0 disables clipping."), &["gradient_clip_val", "clip_grad_norm", "grad_clip"]),
    share(also(key("train.dropout", Kind::Number(BELOW_ONE.0, BELOW_ONE.1), Absent("the value in the model's config"), "share of the units",
        "Dropout probability of embeddings, attention, hidden layers and the head, replacing all dropout values in the model's config (for DistilBERT also `seq_classif_dropout`, for DeBERTa `pooler_dropout`)."),
        &["hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout"])),
    also(key("train.loss", Kind::Choice(&["standard", "focal"]), Is("\"standard\""), "",
        "`standard`: cross-entropy; with several labels per text, the mean binary cross-entropy of all labels; in regression, the mean squared error. `focal`: focal loss (Lin et al. 2017), cross-entropy or binary cross-entropy that down-weights targets that are already predicted well."),
        &["loss_type", "loss_function", "loss_fn", "criterion"]),
    also(key("train.focal_gamma", Kind::Number(NOT_NEGATIVE.0, Included(20.0)), Is("2.0"), "",
        "With `train.loss = \"focal\"`: the exponent γ in (1 − p)^γ, by which the loss of a label with the probability p is multiplied. 0 is the standard loss."),
        &["gamma", "focal_loss_gamma", "train.gamma"]),
    share(also(key("train.label_smoothing", Kind::Number(BELOW_ONE.0, BELOW_ONE.1), Is("0.0"), "share of the target",
        "Share of each target that is spread evenly over all labels."), &["label_smoothing_factor"])),
    key("train.class_weights", Kind::ClassWeights, Is("\"none\""), "",
        "Class weights in the loss. `balanced`: rows / (labels × rows of the label). A list has one weight per label id, in order. With several labels per text, they are the weights of the texts that have the label (PyTorch's `pos_weight`), and `balanced` is rows without the label / rows with it."),
    also(key("train.seed", SEED, Is("42"), "", "Seed of dropout, and the default of `init_seed` and `order_seed`."),
        &["seed", "random_seed"]),
    key("train.init_seed", SEED, SameAs("train.seed"), "", "Seed for initialising weights that the model's files do not contain."),
    key("train.order_seed", SEED, SameAs("train.seed"), "", "Seed of the order of the training rows."),
    also(key("train.log_steps", Kind::Whole(1, MOST), Is("50"), "steps",
        "Number of steps between printed lines. Every step is stored."), &["logging_steps", "log_every_n_steps"]),
    also(key("train.eval_steps", Kind::Whole(0, MOST), Is("0"), "steps",
        "Number of steps between evaluations; 0 evaluates after each epoch."),
        &["evaluation_strategy", "eval_strategy", "evaluation_steps", "eval_every", "eval_interval", "val_check_interval"]),
    also(key("train.early_stopping_patience", Kind::Whole(0, 1_000_000), Is("0"), "evaluations",
        "Number of consecutive dev evaluations without an improvement after which the run stops; 0 disables early stopping."), &["patience"]),
    also(key("train.early_stopping_min_delta", Kind::Number(NOT_NEGATIVE.0, NOT_NEGATIVE.1), Is("0.0"),
        "of `checkpoint.metric`", "An evaluation is an improvement if it is better than the best so far by more than this."),
        &["early_stopping_threshold", "min_delta"]),
    also(key("train.freeze", Kind::Texts, Is("[]"), "",
        "Parameters not to train: those whose name (without the encoder's prefix, such as `bert.`) begins with one of these strings, such as `embeddings` or `encoder.layer.0`."),
        &["freeze_layers", "frozen"]),

    also(key("checkpoint.keep", Kind::Choice(&["best", "last", "all", "none"]), Is("\"last\""), "",
        "Weights to keep: those of the best evaluation, of the last step, of every evaluation, or none. With `best`, the weights of the best evaluation are tested, else those of the last step. If several evaluations tie for the best value, `best` keeps the first, whatever its loss."),
        &["load_best_model_at_end", "save_strategy", "save_total_limit"]),
    also(key("checkpoint.metric", Kind::Choice(Task::CHOOSING), Absent("accuracy; with several labels per text macro_f1; in regression rmse"), "",
        "Dev metric by which checkpoints and trials are compared. `macro_f1`: mean F1 of the labels that occur in the rows or in the predictions. `f1:LABEL`: F1 of the label with this name, such as `f1:toxic`. [metrics.md](metrics.md) defines all."),
        &["metric_for_best_model", "monitor"]),
    also(key("checkpoint.every_steps", Kind::Whole(0, MOST), Is("0"), "steps",
        "Number of steps between resume checkpoints; 0 disables these. A resume checkpoint is also saved after each epoch, unless the epoch is short compared with the time needed to save it."), &["save_steps"]),
    key("checkpoint.every_minutes", Kind::Number(NOT_NEGATIVE.0, NOT_NEGATIVE.1), Is("0.0"), "minutes",
        "Also save a resume checkpoint when this many minutes have passed since the last one; 0 disables this. Does not affect results."),

    key("probes", Kind::Probes, Is("[]"), "", "Texts to classify before and after training, each a `[[probes]]` table."),
    key("probes.text", Kind::Text, Required, "", "The text."),
    key("probes.text_pair", Kind::Text, Absent("none"), "", "The second text: required if, and only if, `data.text_pair_column` is set."),
    key("probes.expect", Kind::Text, Absent("none"), "", "Name of the expected label; with several labels per text, their names with `data.label_separator` (or `|`) between them; in regression, the expected number, or numbers with commas between them."),

    key("report.title", Kind::Text, Absent("the experiment's name"), "", "Title of the report."),
    key("report.smoothing", Kind::Number(BELOW_ONE.0, BELOW_ONE.1), Is("0.9"), "",
        "Weight of the previous value in the smoothed loss curve."),
    key("report.mistakes", Kind::Whole(0, 10_000), Is("20"), "rows", "Number of mistakes to list, the most confident first."),

    also(key("sweep.axes", Kind::Axes, Is("{}"), "", "Keys to vary, each with a list of values or a range. The runs of a grid are in the order of the file: the first axis is the outermost."),
        &["parameters", "params", "sweep.space", "search_space", "grid"]),
    key("sweep.zip", Kind::Zip, Is("[]"), "", "Keys that vary together. Each table is one axis, read row by row."),
    key("sweep.exclude", Kind::Exclude, Is("[]"), "", "Points to leave out: those at which every key of a table has the given value."),
    also(key("sweep.seeds", Kind::Seeds(MOST), Is("[]"), "",
        "Values of `train.seed`, the innermost axis (apart from folds). Results are averaged over the seeds."), &["num_seeds", "repeats", "sweep.seed"]),
    also(key("sweep.folds", Kind::Whole(2, MOST_FOLDS), Absent("no cross-validation"), "folds",
        "Cross-validation: the rows are divided into this many folds, and every point is trained once for each fold, with that fold as its test split. Folds vary faster than seeds. `data.test` must be unset or 0."),
        &["n_splits", "n_folds", "num_folds", "k_folds", "kfold", "cv", "data.folds", "cross_validation", "data.n_folds"]),
    also(key("sweep.search", Kind::Choice(&["grid", "random", "sobol", "tpe"]), Is("\"grid\""), "",
        "How to choose points: every combination (`grid`), independent draws (`random`), evenly spread draws (`sobol`), or draws near the trials with the best dev metric (`tpe`)."),
        &["sweep.method", "sampler", "sweep.strategy", "sweep.algorithm", "sweeper"]),
    also(key("sweep.trials", Kind::Whole(1, 10_000), Absent("none (required for a search)"), "trials",
        "Number of trials: points to draw, each trained with every seed. Not allowed with a grid."), &["n_trials", "num_trials", "num_samples", "max_trials", "n_iter"]),
    also(key("sweep.search_seed", SEED, Is("42"), "", "Seed of the draws."), &["sampler_seed"]),
    also(key("sweep.batch", Kind::Whole(1, 1_000), Is("4"), "trials",
        "Number of trials to propose at a time, from the results of all earlier trials (`tpe`)."), &["batch_trials"]),
    also(key("sweep.startup_trials", Kind::Whole(1, 10_000), Is("5"), "trials",
        "Number of trials at the beginning that are drawn at random (`tpe`), or that are never pruned (`median`, which also prunes at a step only once at least this many trials have a score there)."),
        &["n_startup_trials", "n_initial_points", "warmup_trials"]),
    also(key("sweep.prune", Kind::Choice(&["none", "median", "asha"]), Is("\"none\""), "",
        "Pruning rule: which runs to stop before the end, by their dev metric: none, those worse than the median of earlier trials (`median`), or all but the best at each rung (`asha`)."),
        &["pruner", "early_terminate", "sweep.early_stopping"]),
    also(key("sweep.reduction_factor", Kind::Whole(2, 100), Is("3"), "", "At each rung, the best 1/`reduction_factor` of the trials, rounded down, are promoted (`asha`)."),
        &["eta", "sweep.factor"]),
    also(key("sweep.rungs", Kind::Whole(1, 10), Is("2"), "",
        "Number of rungs before the last step (`asha`). Each rung is at 1/`reduction_factor` of the steps of the next one, and the last rung at 1/`reduction_factor` of all steps."),
        &["num_rungs"]),
    also(key("sweep.max_runs", Kind::Whole(1, MOST), Absent("no limit"), "runs", "Maximum number of runs of the experiment to start."),
        &["run_cap", "sweep.count"]),
    also(key("sweep.max_hours", Kind::Number(POSITIVE.0, POSITIVE.1), Absent("no limit"), "hours",
        "Total hours of training of the experiment's runs, after which no run is started and those in progress are stopped."), &["timeout", "max_time", "time_budget"]),

    also(key("slurm.partition", Kind::Word, Absent("the cluster's default"), "", "`--partition` of `sbatch`: the partition, or several with commas between them."),
        &["slurm_partition", "slurm.queue"]),
    also(key("slurm.account", Kind::Word, Absent("the user's default"), "", "`--account` of `sbatch`."), &["slurm_account"]),
    also(key("slurm.qos", Kind::Word, Absent("the user's default"), "", "`--qos` of `sbatch`."), &["slurm_qos"]),
    also(key("slurm.time", Kind::TimeLimit, Absent("the partition's default"), "", "`--time` of `sbatch`: the time limit of a job, not of a run. A run that reaches it writes a checkpoint and continues in its next job."),
        &["slurm_time", "timeout_min", "slurm.timeout_min", "walltime", "slurm.walltime", "slurm.time_limit"]),
    also(key("slurm.gres", Kind::Word, Absent("none"), "", "`--gres` of `sbatch`, such as `gpu:1`."), &["slurm_gres", "gpus_per_node", "slurm.gpus", "slurm.gpus_per_node"]),
    also(key("slurm.cpus_per_task", Kind::Whole(1, 4096), Absent("the cluster's default"), "CPUs", "`--cpus-per-task` of `sbatch`: also the number of threads of a run."),
        &["cpus_per_task", "slurm_cpus_per_task", "slurm.cpus", "slurm.threads"]),
    also(key("slurm.mem", Kind::Memory, Absent("the cluster's default"), "", "`--mem` of `sbatch`: memory of a job."), &["slurm_mem", "mem_gb", "slurm.mem_gb", "slurm.memory"]),
    key("slurm.nodelist", Kind::Word, Absent("any"), "", "`--nodelist` of `sbatch`."),
    also(key("slurm.max_parallel", Kind::Whole(1, 100_000), Absent("as many as the cluster allows"), "jobs", "Maximum number of jobs of an array that run at the same time (`%` of `--array`). A sweep with more jobs than `MaxArraySize` is submitted as several arrays, each with this limit."),
        &["array_parallelism", "slurm_array_parallelism", "slurm.array_parallelism"]),
    key("slurm.runs_per_job", Kind::Whole(1, 10_000), Is("1"), "runs", "Number of runs that each job trains, one after another: for runs so short that queueing takes longer than training."),
    key("slurm.requeues", Kind::Whole(0, 1_000), Is("20"), "times", "How many times a job may be requeued to continue from the checkpoint that it wrote before its time limit or preemption. 0 also turns off Slurm's own requeueing after a node failure (`--no-requeue`)."),
    also(key("slurm.signal_seconds", Kind::Whole(1, 65_535), Is("120"), "seconds", "How long before the time limit a run writes a checkpoint and stops (`--signal=B:USR1@…`). Slurm may send the signal up to a minute earlier."),
        &["slurm_signal_delay_s", "signal_delay_s", "slurm.signal_delay_s"]),
    also(key("slurm.setup", Kind::Texts, Is("[]"), "", "Shell commands that a job runs before taper, such as `module load cuda`. If one fails, the job fails."), &["slurm_setup", "slurm.modules", "slurm.env_setup"]),
    key("slurm.wrap", Kind::Line, Absent("none"), "", "Wrapper command, in shell syntax, that is put in front of taper's command, such as `apptainer exec --nv taper.sif`. It must forward signals and finally replace itself with taper's command (`exec`)."),
    also(key("slurm.extra", Kind::Options, Is("[]"), "", "Further `sbatch` options, such as `--constraint=a100`."), &["slurm_additional_parameters", "slurm.additional_parameters", "slurm.options"]),
];

impl Key {
    /// The table it is in; empty for keys outside every table.
    pub fn section(&self) -> &'static str {
        if self.path == "probes" { "probes" } else { self.path.split_once('.').map_or("", |(section, _)| section) }
    }

    /// Its name within the table.
    pub fn name(&self) -> &'static str {
        self.path.split_once('.').map_or(self.path, |(_, name)| name)
    }

    /// Whether a sweep may vary it: only keys that change the result of a run.
    pub fn sweepable(&self) -> bool {
        matches!(self.section(), "model" | "data" | "train" | "checkpoint")
            && !matches!(self.kind, Kind::Labels | Kind::Splits)
    }
}

/// Not a real key: a placeholder for axes that were removed because of a problem, so that they are not reported as missing.
pub const UNKNOWN_AXES: &str = "sweep.(unknown axes)";

/// The key at a dotted path.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// Whether a path names a table of keys.
pub(super) fn is_section(path: &str) -> bool {
    !path.is_empty() && SECTIONS.contains(&path)
}

/// The defaults as a TOML document, the lowest layer. `name` is the file's stem.
pub(super) fn defaults(name: &str) -> String {
    let lines = KEYS.iter().filter_map(|key| match key.default {
        Is(value) => Some(format!("{} = {value}\n", key.path)),
        Absent(_) | SameAs(_) | Required => None,
    });
    std::iter::once(format!("name = {}\n", serde_json::Value::from(name))).chain(lines).collect()
}
