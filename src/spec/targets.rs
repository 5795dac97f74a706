//! Keys about what a model is trained to do that contradict each other.

use std::{collections::HashMap, rc::Rc};

use super::{
    conflicts::{Conflict, conflict, key},
    problem::Help,
    schema::{ClassWeights, LossKind, Spec},
    search::Owned,
    suggest::choice_help,
};
use crate::{format::counted, task::Task};

/// Contradictions within one run.
pub(super) fn of_run(spec: &Spec) -> Vec<Conflict> {
    let mut found = Vec::new();
    columns(spec, &mut found);
    loss(spec, &mut found);
    labels(spec, &mut found);
    class_weights(spec, &mut found);
    probes(spec, &mut found);
    found
}

/// Checks the keys that name the columns of the targets.
fn columns(spec: &Spec, found: &mut Vec<Conflict>) {
    let data = &spec.data;
    let task = data.problem_type;
    let is = format!("`data.problem_type` = \"{}\"", task.problem_type());
    if !data.label_columns.is_empty() && task == Task::SingleLabel {
        found.push(conflict(
            &["data.label_columns", "data.problem_type"],
            format!("`data.label_columns` is for several labels or numbers per text, but {is}"),
            "name one column in data.label_column, or set data.problem_type to \"multi_label_classification\" or \
             \"regression\"",
        ));
    }
    if let Some(separator) = &data.label_separator {
        if task != Task::MultiLabel {
            found.push(conflict(
                &["data.label_separator", "data.problem_type"],
                format!("`data.label_separator` divides the labels of a text, but {is}"),
                "remove it, or set data.problem_type = \"multi_label_classification\"",
            ));
        } else if !data.label_columns.is_empty() {
            found.push(conflict(
                &["data.label_separator", "data.label_columns"],
                "`data.label_separator` divides the labels in one column, but `data.label_columns` has a column for \
                 each label",
                "remove one of them",
            ));
        }
        if separator.is_empty() {
            let message = "`data.label_separator` is empty; expected the string between two labels";
            found.push(conflict(
                &["data.label_separator"],
                message,
                "set it, for example data.label_separator = \"|\"",
            ));
        }
    }
    for column in &data.label_columns {
        let used = [
            ("text", data.is_text(column)),
            ("split", data.split_column.as_ref() == Some(column)),
            ("group", data.group_column.as_ref() == Some(column)),
        ];
        let Some((what, _)) = used.into_iter().find(|(_, same)| *same) else { continue };
        let message = format!("`data.label_columns` has `{column}`, which is the column of the {what}");
        found.push(conflict(&["data.label_columns"], message, "name only columns of labels or numbers"));
    }
}

/// Losses and their settings.
fn loss(spec: &Spec, found: &mut Vec<Conflict>) {
    let (train, task) = (&spec.train, spec.data.problem_type);
    let focal = train.loss == LossKind::Focal;
    let weights = match train.class_weights {
        ClassWeights::None => None,
        ClassWeights::Balanced => Some("balances labels"),
        ClassWeights::Given(_) => Some("weighs labels"),
    };
    let mut refuse = |path: &str, what: &str, help: &str| {
        let message = format!("`{path}` {what}, but `data.problem_type` = \"{}\"", task.problem_type());
        found.push(conflict(&[path, "data.problem_type"], message, help));
    };
    match task {
        Task::SingleLabel => {}
        Task::MultiLabel if train.label_smoothing > 0.0 => {
            let what = "spreads a share of the target over the other labels, so it needs exactly one label per text";
            refuse("train.label_smoothing", what, "set it to 0");
        }
        Task::MultiLabel => {}
        Task::Regression => {
            if let Some(what) = weights {
                refuse("train.class_weights", what, "set it to \"none\"");
            }
            if train.label_smoothing > 0.0 {
                refuse("train.label_smoothing", "spreads a share of the target over labels", "set it to 0");
            }
            if focal {
                let what = "= \"focal\" is a loss of labels";
                refuse("train.loss", what, "set it to \"standard\", which is the mean squared error");
            }
            if !spec.data.labels.is_empty() {
                refuse("data.labels", "names labels", "remove it: a number is read as it is");
            }
        }
    }
    if focal && train.label_smoothing > 0.0 && task == Task::SingleLabel {
        let message = "`train.loss` = \"focal\" and `train.label_smoothing` cannot both be set";
        found.push(conflict(&["train.loss", "train.label_smoothing"], message, "set `train.label_smoothing` to 0"));
    }
}

/// The names of the labels, if the spec has them all, and the key that has them.
fn names(spec: &Spec) -> Option<(Vec<&String>, &'static str)> {
    let data = &spec.data;
    match (data.problem_type, data.label_columns.is_empty()) {
        (Task::SingleLabel | Task::MultiLabel, true) if data.labels.is_empty() => None,
        (Task::SingleLabel | Task::MultiLabel, true) => Some((data.labels.values().collect(), "data.labels")),
        (Task::MultiLabel, false) => {
            let name = |column| data.labels.get(column).unwrap_or(column);
            Some((data.label_columns.iter().map(name).collect(), "data.label_columns"))
        }
        (Task::SingleLabel | Task::Regression, _) => None,
    }
}

/// The names that `data.labels` gives.
fn labels(spec: &Spec, found: &mut Vec<Conflict>) {
    let data = &spec.data;
    let label = |value: &str| vec!["data".into(), "labels".into(), value.to_string()];
    if data.labels.is_empty() || data.problem_type == Task::Regression {
        return;
    }
    let of_columns = !data.label_columns.is_empty();
    let mut first_of = HashMap::new();
    // A column without a name of its own is named as it is.
    let own =
        data.label_columns.iter().filter(|column| !data.labels.contains_key(*column)).map(|column| (column, column));
    for (value, name) in own.chain(&data.labels) {
        let first = *first_of.entry(name).or_insert(value);
        if first != value {
            found.push(Conflict {
                keys: vec![
                    label(value),
                    if data.labels.contains_key(first) { label(first) } else { key("data.label_columns") },
                ],
                message: format!("the labels `{first}` and `{value}` have the same name `{name}`"),
                help: "give each value its own name".into(),
            });
        }
    }
    for value in data.labels.keys().filter(|value| of_columns && !data.label_columns.contains(value)) {
        let columns: Rc<[String]> = data.label_columns.as_slice().into();
        let wanted = value.clone();
        found.push(Conflict {
            keys: vec![label(value), key("data.label_columns")],
            message: format!("`data.labels` names `{value}`, which is not in `data.label_columns`"),
            help: Help::later(move || Some(choice_help(&wanted, columns.iter().map(String::as_str)))),
        });
    }
    if data.labels.len() == 1 && data.problem_type == Task::SingleLabel {
        found.push(conflict(&["data.labels"], "`data.labels` has one label; expected two or more", "name every value"));
    }
}

fn class_weights(spec: &Spec, found: &mut Vec<Conflict>) {
    let Some((names, named_by)) = names(spec) else { return };
    if let ClassWeights::Given(weights) = &spec.train.class_weights
        && weights.len() != names.len()
    {
        let (numbers, labels) = (counted(weights.len() as u64, "number"), counted(names.len() as u64, "label"));
        let message = format!("`train.class_weights` has {numbers} for {labels}");
        let order = if named_by == "data.labels" { "the order of their values" } else { "this order" };
        let help = format!("give one number for each of `{named_by}`, in {order}");
        found.push(conflict(&["train.class_weights", named_by], message, &help));
    }
}

/// What probes expect.
fn probes(spec: &Spec, found: &mut Vec<Conflict>) {
    let data = &spec.data;
    let at = |i: usize| vec!["probes".into(), i.to_string(), "expect".into()];
    let expected = spec.probes.iter().enumerate().filter_map(|(i, probe)| Some((i, probe.expect.as_ref()?)));
    if data.problem_type == Task::Regression {
        let columns = data.label_columns().0;
        for (i, expect) in expected.filter(|(_, expect)| Task::Regression.expected(expect, None, columns).is_err()) {
            let want = match columns.len() {
                1 => "a number such as \"3.5\"".to_owned(),
                n => format!("{n} numbers with commas between them, one for each of `data.label_columns`"),
            };
            found.push(Conflict {
                keys: vec![at(i), key("data.problem_type")],
                message: format!("the probe expects `{expect}`, but `data.problem_type` = \"regression\""),
                help: format!("write {want}").into(),
            });
        }
        return;
    }
    let Some((names, named_by)) = names(spec) else { return };
    let all: Rc<[String]> = names.into_iter().cloned().collect();
    for (i, expect) in expected {
        let Err(unknown) = data.problem_type.expected(expect, data.label_separator.as_deref(), &all) else { continue };
        let what = if named_by == "data.labels" { "the value in the file" } else { "the column" };
        let value = data.labels.get(&unknown).map(|name| format!("`{unknown}` is {what}: write \"{name}\""));
        let (wanted, all) = (unknown.clone(), all.clone());
        found.push(Conflict {
            keys: vec![at(i), key(named_by)],
            message: format!("the probe expects `{unknown}`, which is not a name in `{named_by}`"),
            help: value.map_or_else(
                || Help::later(move || Some(choice_help(&wanted, all.iter().map(String::as_str)))),
                Help::Text,
            ),
        });
    }
}

/// Keys that the choice of `train.loss` does not read: the layers know whether they were set explicitly.
pub(super) fn unread(spec: &Spec, is_swept: impl Fn(&str) -> bool) -> Option<Owned> {
    let unread = spec.train.loss == LossKind::Standard && !is_swept("train.loss");
    unread.then(|| Owned {
        key: "train.focal_gamma",
        rules: &["train.loss"],
        message: "`train.focal_gamma` applies only to `train.loss` = \"focal\", but `train.loss` is \"standard\""
            .into(),
    })
}
