//! Splits that are probably a mistake.

use std::collections::HashSet;

use super::{DataConfig, Dataset, Splits, alike::quoted, leaks::leaked_rows};
use crate::{
    event::Split,
    format::{self, by_number, counted},
    task::Task,
    warning::{Kind, Warning},
};

/// With fewer rows, a split's metrics are hardly meaningful.
pub(super) const FEW: usize = 20;

/// A share of the held-out rows, 1 in so many, whose texts are also in the train split: fewer hardly move a result.
pub(super) const LEAKED: usize = 20;

/// Labels that a message names.
pub(super) const NAMED: usize = 5;

/// What is too small in a split.
pub(super) fn check(dataset: &Dataset, splits: &Splits, config: &DataConfig) -> Vec<Warning> {
    let mut found = Vec::new();
    let held_out = [("test", &splits.test), ("dev", &splits.dev)];
    for (name, rows) in held_out {
        // The rows of all folds together are what is conclusive or not.
        let is_fold = name == "test" && config.fold.is_some();
        if !rows.is_empty() && rows.len() < FEW && !is_fold {
            let (n, one) = (counted(rows.len() as u64, "row"), format::decimals(100.0 / rows.len() as f64, 1));
            let share = if name == "test" { config.test.share() } else { config.dev.share() };
            let raise =
                if share > 0.0 { format!("raise data.{name}, or use more rows") } else { "use more rows".into() };
            let message = format!(
                "the {name} split has {n}, too few to be conclusive{}; {raise}",
                of_accuracy(config.task(), &one)
            );
            found.push(Warning::new(Kind::Split, message));
        }
    }
    // Texts that several folds have are said once, of all folds.
    let one_by_one = held_out.into_iter().filter(|(name, _)| *name == "dev" || config.fold.is_none());
    found.extend(one_by_one.filter_map(|(name, rows)| known_from_training(dataset, splits, name, rows)));
    found.extend(split_groups(dataset, splits, config));

    // A column that is none of labels is warned of as such, and lists of labels, too. Of numbers there is nothing to count.
    let is_odd = 2 * dataset.labels.len() > dataset.rows.len() || dataset.undivided.is_some();
    if is_odd || config.task() == Task::Regression {
        return found;
    }
    let train = dataset.class_counts(&splits.train);
    let counts: Vec<(&str, Vec<u64>)> = held_out
        .into_iter()
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(name, rows)| (name, dataset.class_counts(rows)))
        .collect();
    let total = |label: usize| train[label] + counts.iter().map(|(_, counts)| counts[label]).sum::<u64>();
    let labels = |is: &dyn Fn(usize) -> bool| (0..dataset.labels.len()).filter(|label| is(*label)).collect::<Vec<_>>();
    // Rows of a file of their own, or that a column names, are not distributed.
    let drawn = |split: &str| match split {
        "test" => config.test.share() > 0.0 || config.fold.is_some(),
        _ => config.dev.share() > 0.0,
    };
    // `splits`: those with which the train split would have to exchange rows.
    let more_rows = |labels: &[usize], splits: &[&str]| {
        let these = by_number(labels.len() as u64, "this label", "these labels");
        match config.stratify || !splits.iter().any(|split| drawn(split)) {
            true => format!("add more rows with {these}"),
            false => {
                format!("add more rows with {these}, or distribute them over the splits with data.stratify = true")
            }
        }
    };
    let splits_with = |of: &[usize]| -> Vec<&str> {
        let has = |counts: &Vec<u64>| of.iter().any(|label| counts[*label] > 0);
        counts.iter().filter(|(_, counts)| has(counts)).map(|(name, _)| *name).collect()
    };

    let mut say = |message: String, rows: Vec<u32>| {
        found.push(Warning::new(Kind::Split, message).at(dataset.lines_in_one_file(&rows)));
    };
    let with = |of: &[usize], rows: &mut dyn Iterator<Item = &u32>| {
        let has = |row: &u32| dataset.rows[*row as usize].target.ids().iter().any(|id| of.contains(&(*id as usize)));
        let mut rows: Vec<u32> = rows.copied().filter(has).collect();
        rows.sort_unstable();
        rows
    };
    let none = labels(&|label| total(label) == 0);
    if !none.is_empty() {
        say(format!("no row has {}: the model cannot learn it", named(dataset, &none)), Vec::new());
    }
    let untrained = labels(&|label| train[label] == 0 && total(label) > 0);
    if !untrained.is_empty() {
        let at = with(&untrained, &mut splits.test.iter().chain(&splits.dev));
        let n = at.len() as u64;
        let message = format!(
            "no training row has {}, so the {} with {} ({}) cannot be predicted correctly; {}",
            named(dataset, &untrained),
            counted(n, "held-out row"),
            by_number(untrained.len() as u64, "this label", "these labels"),
            dataset.lines_of(&at),
            more_rows(&untrained, &splits_with(&untrained))
        );
        say(message, at);
    }
    // In a cross-validation another run evaluates it.
    let single = labels(&|label| train[label] == 1 && total(label) == 1 && config.fold.is_none());
    if !single.is_empty() {
        let at = with(&single, &mut splits.train.iter());
        let message = format!(
            "only one row has {}{} ({}): {}",
            by_number(single.len() as u64, "", "each of "),
            named(dataset, &single),
            dataset.lines_of(&at),
            by_number(
                single.len() as u64,
                "it is used for training and never evaluated; add more rows with this label, or remove this one",
                "they are used for training and never evaluated; add more rows with these labels, or remove these"
            )
        );
        say(message, at);
    }
    let thin = labels(&|label| train[label] == 1 && total(label) > 1);
    if !thin.is_empty() {
        let at = with(&thin, &mut splits.train.iter());
        say(
            format!(
                "only one training row has {}{}: too few to learn from; {}",
                by_number(thin.len() as u64, "", "each of "),
                named(dataset, &thin),
                more_rows(&thin, &splits_with(&thin))
            ),
            at,
        );
    }
    for (name, counts) in counts.iter().filter(|(name, _)| *name == "dev" || config.fold.is_none()) {
        let missing = labels(&|label| counts[label] == 0 && total(label) > 1);
        if !missing.is_empty() {
            let message = format!(
                "no {name} row has {}, so {} not evaluated there; {}",
                named(dataset, &missing),
                by_number(missing.len() as u64, "it is", "they are"),
                more_rows(&missing, &[name])
            );
            say(message, Vec::new());
        }
    }
    found
}

/// What a single row means for accuracy, if that is measured: so many points.
pub(super) fn of_accuracy(task: Task, points: &str) -> String {
    match task {
        Task::SingleLabel => format!(": a single row changes accuracy by {points} points"),
        Task::MultiLabel | Task::Regression => String::new(),
    }
}

/// That so many rows of a held-out split have the text of a training row that its metrics measure memorisation.
fn known_from_training(dataset: &Dataset, splits: &Splits, name: &str, rows: &[u32]) -> Option<Warning> {
    let mut known = leaked_rows(dataset, &splits.train, rows);
    if known.is_empty() || known.len() * LEAKED < rows.len() {
        return None;
    }
    known.sort_unstable();
    let (n, at) = (known.len() as u64, dataset.lines_of(&known));
    let help = match dataset.file_of(if name == "dev" { Split::Dev } else { Split::Test }) {
        Some(file) => format!("remove these rows from {}", file.name),
        None => "keep only one row of each text in the data file".into(),
    };
    let message = format!(
        "{} of the {} ({at}) {} a text that is also in the train split, so metrics on the {name} split partly \
         measure memorisation, not generalisation; {help}",
        format::count(n),
        counted(rows.len() as u64, &format!("{name} row")),
        by_number(n, "has", "have"),
    );
    Some(Warning::new(Kind::Split, message).at(dataset.lines_in_one_file(&known)))
}

/// With `data.group_column`: splits whose sizes are far from what was asked for, and groups that a file or a column has in several splits.
fn split_groups(dataset: &Dataset, splits: &Splits, config: &DataConfig) -> Vec<Warning> {
    let Some(column) = config.group_column.as_ref().map(|column| quoted(column)) else { return Vec::new() };
    let mut found = Vec::new();
    let shares = [("test", &splits.test, config.test.share()), ("dev", &splits.dev, config.dev.share())];
    if config.fold.is_none() && shares.iter().all(|(.., share)| *share <= 0.0) {
        let message = format!(
            "data.group_column ({column}) has no effect: no rows are split at random; set data.dev or data.test to a share, or sweep.folds, or \
             remove it"
        );
        found.push(Warning::new(Kind::Split, message));
    }
    let all = dataset.free_rows().len() as f64;
    for (name, rows, share) in shares {
        let have = rows.len() as f64 / all.max(1.0);
        if share > 0.0 && (have - share).abs() > share / 4.0 {
            let message = format!(
                "the {name} split has {} ({}), not the {} asked for: rows of a group stay together, and the groups of {column} are too large; \
                 change data.{name}, or use smaller groups",
                counted(rows.len() as u64, "row"),
                format::percent(have),
                format::percent(share)
            );
            found.push(Warning::new(Kind::Split, message));
        }
    }
    for (name, rows) in [("test", &splits.test), ("dev", &splits.dev)] {
        let shared = rows_with_groups_of(dataset, rows, &splits.train);
        if !shared.is_empty() {
            let n = shared.len() as u64;
            let message = format!(
                "{} ({}) {} of a group of {column} that is also in the train split, because of data.split_column: metrics on these rows \
                 may measure knowledge of the group",
                counted(n, &format!("{name} row")),
                dataset.lines_of(&shared),
                by_number(n, "is", "are")
            );
            found.push(Warning::new(Kind::Split, message).at(dataset.lines_in_one_file(&shared)));
        }
    }
    // Of folds it is said once, of all of them.
    if config.fold.is_none() {
        found.extend(groups_of_dev(dataset, (&splits.test, "test row"), &splits.dev, &column));
    }
    found
}

/// That rows on which models are tested are of groups by whose other rows they are chosen: `what` names one of these rows.
pub(super) fn groups_of_dev(
    dataset: &Dataset,
    (tested, what): (&[u32], &str),
    dev: &[u32],
    column: &str,
) -> Option<Warning> {
    let shared = rows_with_groups_of(dataset, tested, dev);
    let n = shared.len() as u64;
    (n > 0).then(|| {
        let message = format!(
            "{} ({}) {} of a group of {column} that is also in the dev split, because of data.split_column: choices \
             made on dev rows may favour the group; put each group into one split",
            counted(n, what),
            dataset.lines_of(&shared),
            by_number(n, "is", "are")
        );
        Warning::new(Kind::Split, message).at(dataset.lines_in_one_file(&shared))
    })
}

/// Those of `rows` that are of a group of `others`, in file order.
fn rows_with_groups_of(dataset: &Dataset, rows: &[u32], others: &[u32]) -> Vec<u32> {
    let group = |row: &u32| dataset.groups.get(*row as usize).copied();
    let known: HashSet<u32> = if rows.is_empty() { HashSet::new() } else { others.iter().filter_map(group).collect() };
    let mut shared: Vec<u32> =
        rows.iter().copied().filter(|row| group(row).is_some_and(|group| known.contains(&group))).collect();
    shared.sort_unstable();
    shared
}

/// Labels in a message: the first few.
fn named(dataset: &Dataset, labels: &[usize]) -> String {
    let names: Vec<String> = labels.iter().take(NAMED).map(|label| quoted(&dataset.labels[*label])).collect();
    match (&names[..], labels.len() - names.len()) {
        ([name], 0) => format!("the label {name}"),
        ([first @ .., last], 0) => format!("the labels {} and {last}", first.join(", ")),
        (all, more) => format!("the labels {} and {more} more", all.join(", ")),
    }
}
