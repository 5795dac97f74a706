//! Checks of a run that need both its data and its model.

use super::{ExecuteError, SettingProblem};
use crate::{
    data::{Dataset, Tokenizer, Tokens},
    format::{self, by_number, counted},
    model::{ModelConfig, ModelError, ModelSpec, Parameters, Positions},
    plan::{ClassWeights, LongPolicy, LongTexts, Metric, RunConfig, Source, closest, schedule},
    task::{Target, Task},
    train::{ProbeText, schedule::Steps},
    warning::{Kind, Warning},
};

/// The most evaluations of a run: sweeps and charts use all of them.
const MAX_EVALUATIONS: u64 = 100_000;

/// Sizes of a run that checks compare.
pub(super) struct Sizes {
    /// Steps of training.
    pub(super) steps: Steps,
    /// Examples to train on: rows, or their windows.
    pub(super) examples: usize,
    /// Token types that the tokenizer gives.
    pub(super) token_types: usize,
}

/// Whether `train.freeze` keeps weights of a new model, which are random.
pub(super) fn freezes_random_weights(config: &RunConfig) -> bool {
    !config.train.freeze.is_empty() && matches!(config.model.source, Source::Scratch(_))
}

/// Warns of parameters of a new model that `train.freeze` leaves at their random values.
pub(super) fn frozen_from_scratch(config: &RunConfig, shape: &ModelConfig, labels: usize) -> Option<Warning> {
    if !freezes_random_weights(config) {
        return None;
    }
    let (source, freeze) = (&config.model.source, &config.train.freeze);
    let spec = ModelSpec::new(shape, labels);
    let values = |frozen: bool| {
        let those = spec.parameters().iter().filter(|p| !frozen || p.is_frozen(freeze));
        those.map(|p| p.len() as u64).sum::<u64>()
    };
    let message = format!(
        "train.freeze leaves {} of {} at their random initial values ({}), and they are never trained: \
         freeze only weights that come with a pretrained model (not its classifier, which is new as well), or remove train.freeze",
        format::count(values(true)),
        counted(values(false), "parameter"),
        source.shown()
    );
    Some(Warning::new(Kind::Training, message))
}

/// What is wrong with settings that name parts of the model, whatever the data: a text longer than its positions, and names of parameters.
pub(super) fn of_model(config: &RunConfig, shape: &ModelConfig, labels: usize) -> Vec<SettingProblem> {
    let (max_length, longest, train) = (config.data.max_length, shape.longest(), &config.train);
    let too_long = (max_length > longest).then(|| SettingProblem {
        key: "data.max_length".into(),
        message: format!(
            "data.max_length is {max_length}, but the model has {longest} positions: set it to {longest} or less"
        ),
    });
    let names = Parameters::wrong_names(shape, labels, &train.freeze, &train.no_decay).into_iter().map(|wrong| {
        let key = if matches!(wrong, ModelError::Freeze { .. }) { "train.freeze" } else { "train.no_decay" };
        SettingProblem { key: key.into(), message: wrong.to_string() }
    });
    too_long.into_iter().chain(names).collect()
}

/// Checks that need both data and model; reports all problems at once.
pub(super) fn check(
    config: &RunConfig,
    dataset: &Dataset,
    tokens: &Tokens,
    tokenizer: &Tokenizer,
    probes: &[ProbeText],
    shape: &ModelConfig,
    Sizes { steps, examples, token_types }: Sizes,
) -> Result<(), ExecuteError> {
    let mut problems = of_model(config, shape, dataset.labels.len());
    let mut found = |key: &str, message: String| problems.push(SettingProblem { key: key.into(), message });
    if tokenizer.vocab_size() > shape.vocab_size
        && let Some(id) = largest_id(tokens, probes)?.filter(|&id| id as usize >= shape.vocab_size)
    {
        found(
            "model.source",
            format!(
                "the tokenizer produces token id {id}, but the model's vocabulary has {}: tokenizer and model do not match",
                shape.vocab_size
            ),
        );
    }
    if let Some((pad, id)) = tokenizer.padding().filter(|(_, id)| other_padding(*id, shape))
        && shape.family.positions == Positions::LearnedAfterPadding
    {
        found(
            "model.source",
            format!(
                "the tokenizer's padding token `{pad}` has the id {id}, but pad_token_id of config.json is {}, which decides about \
                 positions: tokenizer and model do not match",
                shape.pad_token_id
            ),
        );
    }
    // A model without such a table has no use for token types.
    if shape.type_vocab_size > 0 && token_types > shape.type_vocab_size {
        let have = counted(shape.type_vocab_size as u64, "token type");
        found(
            "data.text_pair_column",
            format!(
                "data.text_pair_column gives each row two texts, which the tokenizer tells apart by {token_types} token types, but \
                 the model has {have} (type_vocab_size in its config.json): choose a model with {token_types}"
            ),
        );
    }
    if config.train.warmup_steps > steps.total {
        found(
            "train.warmup_steps",
            format!(
                "train.warmup_steps is {}, but the run has {}: the learning rate would never reach train.lr",
                config.train.warmup_steps,
                counted(steps.total, "step")
            ),
        );
    }
    let evaluations = schedule::evaluations(&config.train, examples as u64);
    if evaluations > MAX_EVALUATIONS {
        let (evaluations, most) = (format::count(evaluations), format::count(MAX_EVALUATIONS));
        let steps = counted(steps.total, "step");
        let (key, means, advice) = match config.train.eval_steps {
            // An epoch each: a run has no more than that of epochs.
            0 => ("train.max_steps", "train.max_steps means".to_string(), "lower it, or set train.eval_steps"),
            every => ("train.eval_steps", format!("train.eval_steps = {every} means"), "raise it"),
        };
        found(key, format!("{means} {evaluations} evaluations in {steps}, and at most {most} are possible: {advice}"));
    }
    let of_labels = about_labels(config, dataset);
    match &dataset.undivided {
        // What does not fit the labels follows from that.
        Some(cause) if !of_labels.is_empty() => {
            let is_several = config.data.task() == Task::MultiLabel;
            let key = if is_several { "data.label_separator" } else { "data.label_column" };
            problems.push(SettingProblem { key: key.into(), message: cause.clone() });
        }
        _ => problems.extend(of_labels),
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(ExecuteError::Settings(problems)),
    }
}

/// Settings that do not fit the labels of the data.
fn about_labels(config: &RunConfig, dataset: &Dataset) -> Vec<SettingProblem> {
    let mut problems = Vec::new();
    let mut found = |key: &str, message: String| problems.push(SettingProblem { key: key.into(), message });
    if let Some(problem) = unmeasured("checkpoint.metric", config.checkpoint.metric, dataset) {
        found("checkpoint.metric", problem);
    }
    let choices = config.data.choices().and_then(|choices| choices.thresholds_by);
    if let Some(problem) = choices.and_then(|metric| unmeasured("data.threshold_metric", metric, dataset)) {
        found("data.threshold_metric", problem);
    }
    if choices.is_some() && config.data.task() == Task::SingleLabel && dataset.labels.len() != 2 {
        let message = format!(
            "data.thresholds = \"tuned\" needs two labels, or data.problem_type = \"multi_label_classification\": the data has {}",
            counted(dataset.labels.len() as u64, "label")
        );
        found("data.thresholds", message);
    }
    for (i, probe) in config.probes.iter().enumerate() {
        let Some(expect) = &probe.expect else { continue };
        let (task, separator) = (config.data.task(), config.data.label_separator.as_deref());
        if let Err(unknown) = task.expected(expect, separator, &dataset.labels) {
            let of_them = match task {
                Task::Regression => format!("a number for each of {} is expected", dataset.label_list()),
                Task::SingleLabel | Task::MultiLabel => {
                    let separator = separator.unwrap_or(Target::SEPARATOR);
                    let divided =
                        (task == Task::MultiLabel).then(|| otherwise_divided(&unknown, &dataset.labels)).flatten();
                    let instead = divided.map_or_else(
                        || instead_of(&unknown, &dataset.labels, NO_PROBES),
                        |labels| format!("labels are divided by `{separator}`: write `{}`", labels.join(separator)),
                    );
                    format!("the labels are {}: {instead}", dataset.label_list())
                }
            };
            found(
                &format!("probes.{i}.expect"),
                format!("the probe `{}` expects `{unknown}`, but {of_them}", probe.text),
            );
        }
    }
    if let ClassWeights::Given(weights) = &config.train.class_weights
        && weights.len() != dataset.labels.len()
    {
        let have = counted(weights.len() as u64, "number");
        let want = counted(dataset.labels.len() as u64, "label");
        let order = dataset.label_list();
        found(
            "train.class_weights",
            format!("train.class_weights has {have} for {want}: give one for each of {order}, in this order"),
        );
    }
    problems
}

/// Why a metric cannot be measured with the labels of this data; `None` if it can.
fn unmeasured(key: &str, metric: Metric, dataset: &Dataset) -> Option<String> {
    let id = metric.info().id;
    if let Some(label) = metric.label_name().filter(|label| !dataset.labels.iter().any(|known| known == label)) {
        let (all, instead) = (dataset.label_list(), instead_of(label, &dataset.labels, "name one of them"));
        return Some(format!("{key} = \"{id}\", but the labels are {all}: {instead}"));
    }
    let most = metric.most_labels().filter(|most| dataset.labels.len() > *most)?;
    Some(format!(
        "{key} = \"{id}\" is measured with up to {most} labels, and the data has {}: choose another metric",
        format::count(dataset.labels.len() as u64)
    ))
}

/// What to do if the label that a probe expects is not among those of the data.
const NO_PROBES: &str = "expect one of them, or leave the probes out with --set 'probes=[]'";

/// The labels that a text names with something else between them than their separator.
fn otherwise_divided<'a>(text: &'a str, labels: &[String]) -> Option<Vec<&'a str>> {
    const SEPARATORS: [char; 9] = ['|', ',', ';', '/', '、', '，', '；', '\t', ' '];
    let divided = SEPARATORS.into_iter().map(|separator| {
        let parts = text.split(separator).map(str::trim).filter(|part| !part.is_empty());
        parts.collect::<Vec<&str>>()
    });
    let are_labels =
        |parts: &Vec<&str>| parts.len() > 1 && parts.iter().all(|part| labels.iter().any(|label| label == part));
    divided.into_iter().find(are_labels)
}

/// What to write for a label that no row has; `else_` if nothing is near.
fn instead_of(expect: &str, labels: &[String], else_: &str) -> String {
    if let Some(close) = closest(expect, labels.iter().map(String::as_str)) {
        return format!("did you mean `{close}`?");
    }
    let is_number = |label: &String| label.parse::<f64>().is_ok();
    match labels.iter().all(is_number) {
        // The label is probably what a number stands for.
        true => "expect one of them, or name these values in data.labels".into(),
        false => else_.into(),
    }
}

/// Refuses settings of long texts that leave no room beside the special tokens that this tokenizer adds to a text, or to two.
pub(super) fn check_room(long: LongTexts, two: bool, tokenizer: &Tokenizer) -> Result<(), ExecuteError> {
    let added = tokenizer.added_tokens(two);
    let room = long.max_length.saturating_sub(added);
    let (key, used, what) = match long.policy {
        LongPolicy::Cut if two => ("data.max_length", 1, "no room for both texts"),
        LongPolicy::Cut => ("data.max_length", 0, "no room for the text"),
        LongPolicy::HeadTail { head } => ("data.head_tokens", head, "no room for the end of a text"),
        LongPolicy::Windows { stride } => ("data.stride", stride, "no room for anything new in a window"),
    };
    if used < room {
        return Ok(());
    }
    let (leave, read) = (by_number(added as u64, "leaves", "leave"), if two { "a pair" } else { "a text" });
    let special = format!("{} that this tokenizer adds to {read} {leave}", counted(added as u64, "special token"));
    let message = match room {
        0 => format!(
            "data.max_length is {}: the {special} no room for the text; set it to {} or more",
            long.max_length,
            added + 1 + usize::from(two)
        ),
        _ if key == "data.max_length" => {
            format!("{key} is {}: the {special} {what}; set it to {} or more", long.max_length, added + 2)
        }
        room => format!(
            "{key} is {used}, but with data.max_length = {}, the {special} only {}, and so {what}; set {key} to {} or less",
            long.max_length,
            counted(room as u64, "token"),
            room - 1
        ),
    };
    let key = if room == 0 { "data.max_length" } else { key };
    Err(ExecuteError::Settings(vec![SettingProblem { key: key.into(), message }]))
}

/// Whether the model has another padding token than the one with this id.
fn other_padding(id: u32, shape: &ModelConfig) -> bool {
    id as usize != shape.pad_token_id
}

/// Warnings if the sizes of tokenizer and model suggest that they do not belong together. [`check`] has refused ids without a row.
pub(super) fn about_sizes(config: &RunConfig, tokenizer: &Tokenizer, shape: &ModelConfig) -> Vec<Warning> {
    /// Rows that an embedding can have more than the tokenizer has ids, because it was padded for speed.
    const SPARE: usize = 8;
    let mut messages = Vec::new();
    let (tokens, rows) = (tokenizer.vocab_size(), shape.vocab_size);
    if tokens > rows {
        messages.push(format!(
            "the tokenizer has {tokens} token ids, but the model's vocabulary has {rows}: no row of this data has a \
             token beyond the vocabulary, but a text with such a token cannot be classified"
        ));
    } else if tokens + SPARE <= rows && tokens * 10 < rows * 9 {
        messages.push(format!(
            "the tokenizer has {tokens} token ids and the model's vocabulary {rows}: if the tokenizer's vocabulary was \
             truncated, most words are unknown; if it belongs to another model, words get the wrong embeddings"
        ));
    }
    if let Some((pad, id)) = tokenizer.padding().filter(|(_, id)| other_padding(*id, shape)) {
        messages.push(format!(
            "the tokenizer's padding token `{pad}` has the id {id}, but pad_token_id of config.json is {}: tokenizer \
             and model may not match",
            shape.pad_token_id
        ));
    }
    if config.data.text_pair_column.is_some() && shape.type_vocab_size > 1 && tokenizer.leaves_out_token_types() {
        messages.push(
            "the model cannot tell the two texts apart by token types, because the tokenizer's class gives it no \
             token_type_ids, as in transformers; to use them, add \"model_input_names\": \
             [\"input_ids\", \"token_type_ids\", \"attention_mask\"] to tokenizer_config.json"
                .into(),
        );
    }
    if let Some(most) = tokenizer.model_max_length().filter(|most| *most < config.data.max_length) {
        messages.push(format!(
            "data.max_length is {}, but the tokenizer's model_max_length is {most}: the model may never have seen \
             longer texts",
            config.data.max_length
        ));
    }
    messages.into_iter().map(|message| Warning::new(Kind::Tokens, message)).collect()
}

/// Warns of a metric by the distance of labels where their order is only that of their names.
pub(super) fn unordered(config: &RunConfig, dataset: &Dataset) -> Option<Warning> {
    /// Of two labels there is one distance.
    const FEWEST: usize = 3;
    const SHOWN: usize = 5;
    if config.checkpoint.metric != Metric::QuadraticKappa || dataset.labels.len() < FEWEST {
        return None;
    }
    // Ids are in the order of the values that the data file has.
    let named = &config.data.labels;
    let values: Vec<&String> = if named.is_empty() { dataset.labels.iter().collect() } else { named.keys().collect() };
    // `4 stars`, `B`, or an order that the dataset itself gives its labels.
    let has_rank = |value: &&String| value.chars().any(char::is_numeric) || value.chars().count() == 1;
    if values.iter().all(has_rank) || !values.is_sorted() {
        return None;
    }
    let mut shown: Vec<&str> = dataset.labels.iter().take(SHOWN).map(String::as_str).collect();
    if dataset.labels.len() > SHOWN {
        shown.push("…");
    }
    let message = format!(
        "checkpoint.metric = \"quadratic_kappa\" weighs a mistake by how far apart two labels are in their order, but these labels are only \
         in the order of their names: {}; if they are levels, write them as numbers in the data file and name these in data.labels, and if not, \
         choose another metric, such as \"macro_f1\"",
        shown.join(" < ")
    );
    Some(Warning::new(Kind::Training, message))
}

/// The largest token id of all rows and probes.
fn largest_id(tokens: &Tokens, probes: &[ProbeText]) -> Result<Option<u32>, ExecuteError> {
    tokens.encode_all()?;
    let mut largest = probes.iter().flat_map(|probe| &probe.tokens.ids).copied().max();
    for row in 0..tokens.rows() {
        largest = largest.max(tokens.row(row)?.iter().copied().max());
    }
    Ok(largest)
}
