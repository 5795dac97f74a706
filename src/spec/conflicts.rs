//! Finds keys of the merged spec that contradict each other.

use super::{
    problem::Help,
    schema::{Format, Keep, PruneRule, Search, Spec},
};
use crate::source::Source;

/// The parts of a key's path; list elements by index.
pub(super) type KeyPath = Vec<String>;

/// Keys that contradict each other.
#[derive(Debug, Clone)]
pub(super) struct Conflict {
    /// All keys involved; the problem is shown at the first that was set explicitly.
    pub keys: Vec<KeyPath>,
    pub message: String,
    pub help: Help,
}

/// The parts of a dotted path.
pub(super) fn key(path: &str) -> KeyPath {
    path.split('.').map(str::to_string).collect()
}

pub(super) fn conflict(keys: &[&str], message: impl Into<String>, help: &str) -> Conflict {
    Conflict { keys: keys.iter().map(|path| key(path)).collect(), message: message.into(), help: help.into() }
}

/// All contradictions within one run.
pub(super) fn of_run(spec: &Spec) -> Vec<Conflict> {
    let mut found = Vec::new();
    split(spec, &mut found);
    recipe(spec, &mut found);
    found
}

fn split(spec: &Spec, found: &mut Vec<Conflict>) {
    let data = &spec.data;
    // Fractions are decimal: 0.7 + 0.3 must count as 1.
    let has_dev = !data.dev.is_none() || data.dev_value().is_some();
    let (test, dev) = (spec.test_share(), data.dev.share());
    if test + dev > 1.0 - 1e-9 && spec.has_folds() {
        let by = spec.folds_key();
        let message = format!("`data.dev` = {dev} and a fold of {by} leave no rows to train on");
        found.push(conflict(&["data.dev", by], message, "lower `data.dev`"));
    } else if test + dev > 1.0 - 1e-9 {
        let message = format!("`data.dev` = {dev} and `data.test` = {test} leave no rows to train on");
        found.push(conflict(&["data.dev", "data.test"], message, "their sum must be below 1"));
    }
    let choosers = [
        ("checkpoint.keep", "`checkpoint.keep` = \"best\"", spec.checkpoint.keep == Keep::Best),
        ("train.early_stopping_patience", "early stopping", spec.train.early_stopping_patience > 0),
        ("sweep.search", "`sweep.search` = \"tpe\"", spec.sweep.search == Search::Tpe),
        ("sweep.prune", "`sweep.prune`", spec.sweep.prune != PruneRule::None),
    ];
    for (path, what, _) in choosers.iter().filter(|(.., chooses)| *chooses && !has_dev) {
        let message = format!("{what} needs a dev split: selecting on the test split would bias its result");
        found.push(conflict(&[path, "data.dev"], message, "set `data.dev`, for example data.dev = 0.1"));
    }
    if data.test.is_none() && data.test_value().is_none() && !has_dev && !spec.has_folds() {
        let message = "`data.test` = 0 and `data.dev` = 0 leave no rows to evaluate on";
        found.push(conflict(&["data.test", "data.dev"], message, "hold some out, for example with data.dev = 0.1"));
    }
    own_splits(spec, found);
    if data.file.is_some() && data.source.repository().is_none() {
        let message = format!(
            "`data.file` names a file inside a dataset of `hf:` or `modelscope:`, but the source is `{}`",
            data.source
        );
        found.push(conflict(
            &["data.file", "data.source"],
            message,
            "remove it, or write the whole path in `data.source`",
        ));
    }
    let split_column = data.split_column.as_ref();
    if let Some(column) = split_column.filter(|column| data.is_text(column) || data.is_only_label(column)) {
        let message = format!("`data.split_column` is `{column}`, which is the column of the text or of the label");
        found.push(conflict(&["data.split_column"], message, "name the column that says which split a row belongs to"));
    }
    let is_other = |column: &String| {
        let used = [("text", data.is_text(column)), ("label", data.is_only_label(column))];
        let split = ("split", split_column == Some(column));
        used.into_iter().chain([split]).find(|(_, same)| *same).map(|(what, _)| (column.clone(), what))
    };
    if let Some((column, what)) = data.group_column.as_ref().and_then(is_other) {
        let message = format!("`data.group_column` is `{column}`, which is the column of the {what}");
        found.push(conflict(&["data.group_column"], message, "name the column that says which rows belong together"));
    }
}

/// Splits that files or a column name.
fn own_splits(spec: &Spec, found: &mut Vec<Conflict>) {
    let data = &spec.data;
    let files =
        [("data.source", Some(&data.source)), ("data.dev", data.dev.source()), ("data.test", data.test.source())];
    let files: Vec<(&str, &Source)> = files.into_iter().filter_map(|(key, file)| Some((key, file?))).collect();
    for (i, (key, file)) in files.iter().enumerate() {
        if let Some((other, _)) = files[..i].iter().find(|(_, other)| other == file) {
            // Files of one repository may be told apart by `data.file` alone.
            let message = format!("`{key}` and `{other}` are the same file, `{file}`: its rows would be in two splits");
            found.push(conflict(&[key, other], message, "name another file, or hold out a share such as 0.1"));
        }
    }
    match (&data.split_column, &data.splits) {
        (Some(_), None) => found.push(conflict(
            &["data.split_column", "data.splits"],
            "`data.split_column` needs `data.splits`, which names the column's value for each split",
            "write data.splits = { train = \"train\", dev = \"validation\", test = \"test\" } with the values in the \
             file",
        )),
        (None, Some(_)) if data.file.is_some() || !may_have_splits(&data.source) => found.push(conflict(
            &["data.splits", "data.split_column"],
            "`data.splits` needs `data.split_column`, the column with these values, since the data is a single file",
            "set data.split_column, or name the repository or the folder without a file",
        )),
        (_, Some(splits)) if splits.train.is_empty() => found.push(conflict(
            &["data.splits"],
            "`data.splits` has no value for `train`",
            "add the value of the rows to train on: train = \"train\"",
        )),
        _ => {}
    }
    if data.config.is_some() && (data.split_column.is_some() || data.splits.is_none()) {
        found.push(conflict(
            &["data.config", "data.splits"],
            "`data.config` needs `data.splits` that name the splits of a repository or a folder",
            "write data.splits = { train = \"train\", dev = \"validation\", test = \"test\" }, without \
             data.split_column",
        ));
    }
    let Some(splits) = &data.splits else { return };
    let named: Vec<(&str, &str)> = splits.named().collect();
    for (i, (split, value)) in named.iter().enumerate() {
        if let Some((other, _)) = named[..i].iter().find(|(_, of)| of == value) {
            let message = format!("`data.splits` has the value `{value}` for both `{other}` and `{split}`");
            found.push(conflict(&["data.splits"], message, "give each split its own value"));
        }
    }
    if splits.dev.is_some() && !data.dev.is_none() {
        let message = "`data.dev` and `data.splits.dev` both say which rows are the dev split";
        found.push(conflict(&["data.dev", "data.splits"], message, "remove one of them"));
    }
}

/// Whether a source may hold files of several splits: a repository without a file, or a path that does not look like a file's.
fn may_have_splits(source: &Source) -> bool {
    match source {
        Source::Hub(repository) | Source::ModelScope(repository) => repository.file.is_none(),
        Source::Path(path) => {
            let name = path.to_string_lossy().to_lowercase();
            !Format::NAMES.iter().any(|format| name.ends_with(&format!(".{format}")))
        }
        Source::Scratch(_) | Source::Web(_) => false,
    }
}

fn recipe(spec: &Spec, found: &mut Vec<Conflict>) {
    let train = &spec.train;
    if train.warmup_steps > 0 && train.warmup_ratio > 0.0 {
        let message = "`train.warmup_ratio` and `train.warmup_steps` cannot both be set";
        found.push(conflict(&["train.warmup_ratio", "train.warmup_steps"], message, "set one of them to 0"));
    }
}
