//! Warnings about labels that are probably a mistake.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::{
    Row,
    alike::{self, quoted},
    settings::Wording,
    target_columns::TargetColumns,
};
use crate::{
    format::{by_number, counted},
    task::Task,
    warning::{Kind, Warning, lines_of},
};

/// Number of labels above which the column is probably the wrong one.
const MANY: usize = 200;

/// With fewer rows the share of different labels is not significant.
const FEW_ROWS: u64 = 8;

/// The most groups and pairs of labels that get a warning each.
const NAMED: usize = 10;

/// The message about labels that are lists of several, if they look so.
fn undivided(labels: &[String], target: &TargetColumns) -> Option<String> {
    let (separator, examples) = lists(labels).filter(|_| !target.each)?;
    let shown = list(examples.into_iter());
    let set = format!("set data.label_separator = \"{}\"", in_toml(separator));
    Some(match (target.task, &target.separator) {
        (Task::MultiLabel, None) => format!(
            "labels such as {shown} look like lists of several labels, separated by `{separator}`: each list counts as one label; to \
             divide them, {set}"
        ),
        (Task::MultiLabel, Some(own)) => format!(
            "labels such as {shown} look like lists of several labels, separated by `{separator}`, but data.label_separator is \
             `{own}`: each list counts as one label; {set}, or use one separator in the data file"
        ),
        (Task::SingleLabel | Task::Regression, _) => format!(
            "labels such as {shown} look like lists of several labels, separated by `{separator}`: each list counts as a separate \
             label; if a text can have several labels, set data.problem_type = \"multi_label_classification\" and \
             data.label_separator = \"{}\"",
            in_toml(separator)
        ),
    })
}

/// What is probably wrong with labels.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    pub(super) warnings: Vec<Warning>,
    /// That the labels are lists of several, which is one of the warnings: whatever else is odd about them follows from that.
    pub(super) undivided: Option<String>,
}

/// Doubts about the labels of the columns `target`; `named` is whether data.labels names them.
pub(super) fn check(labels: &[String], rows: &[Row], target: &TargetColumns, named: bool) -> Doubts {
    let several = target.task == Task::MultiLabel;
    // A column of texts looks like lists, too.
    let lists = || (several || !is_no_column_of_labels(labels, rows)).then(|| undivided(labels, target)).flatten();
    match lists() {
        Some(what) => Doubts { warnings: vec![Warning::new(Kind::Labels, what.clone())], undivided: Some(what) },
        None => Doubts { warnings: about_each(labels, rows, target, named), undivided: None },
    }
}

/// Whether the column is probably not the one of the labels.
fn is_no_column_of_labels(labels: &[String], rows: &[Row]) -> bool {
    let counts = counts(labels.len(), rows);
    is_measured(labels) || is_id(&counts, counts.iter().sum::<u64>().max(rows.len() as u64))
}

fn about_each(labels: &[String], rows: &[Row], target: &TargetColumns, named: bool) -> Vec<Warning> {
    let counts = counts(labels.len(), rows);
    // Their names are intended, as those in data.labels.
    let named = named || target.each;
    let several = target.task == Task::MultiLabel;
    let mut found = Vec::new();
    let mut say_at = |message: String, lines: Vec<u64>| found.push(Warning::new(Kind::Labels, message).at(lines));
    let mut say = |message: String| say_at(message, Vec::new());
    let lines = |ids: &[usize]| -> Vec<u64> {
        let of_them = rows.iter().filter(|row| row.target.ids().iter().any(|id| ids.contains(&(*id as usize))));
        of_them.take(Warning::MAX_LINES).map(|row| row.line).collect()
    };
    let name = Wording::Keys.name("label_column");
    if several {
        let always: Vec<&String> =
            labels.iter().zip(&counts).filter(|(_, n)| **n == rows.len() as u64).map(|(l, _)| l).collect();
        if !always.is_empty() {
            say(format!(
                "every row has {} {}: there is nothing to learn about {}",
                by_number(always.len() as u64, "the label", "the labels"),
                list(always.iter().take(NAMED).copied()),
                by_number(always.len() as u64, "it", "them")
            ));
        } else if have_one_each(labels, rows) {
            let column = if target.each { ", and write the label of each row into one column" } else { "" };
            say(format!(
                "every row has exactly one of the {} labels: if a text can have only one, set data.problem_type = \
                 \"single_label_classification\"{column}; the model then chooses one of them, instead of deciding about each by itself",
                labels.len()
            ));
        }
    }
    if target.each {
        return found;
    }
    let column = &target.names[0];
    if is_measured(labels) {
        say(format!(
            "the {} labels are numbers with fractions, such as {}: they look like amounts, but each counts as a separate label; to learn \
             the numbers, set data.problem_type = \"regression\", or group them into ranges first",
            labels.len(),
            list(labels.iter().take(3))
        ));
        return found; // any other warning would follow from this one
    }
    // With several labels in a row there may be more of them than rows.
    if is_id(&counts, counts.iter().sum::<u64>().max(rows.len() as u64)) {
        say(format!(
            "column `{column}` has {} different labels in {} rows: it looks like an id, a number or a text; does {name} name the \
             right column?",
            labels.len(),
            rows.len()
        ));
        return found;
    }
    if labels.len() > MANY {
        say(format!("column `{column}` has {} different labels: does {name} name the right column?", labels.len()));
    }
    let groups = alike::groups(labels);
    // Labels that data.labels names are intended.
    let missing: Vec<usize> = (0..labels.len()).filter(|id| !named && alike::is_missing(&labels[*id])).collect();
    if !missing.is_empty() {
        let (at, all) = (lines(&missing), missing.iter().map(|id| counts[*id]).sum());
        let message = format!(
            "{} {} ({}, {}) {}: {}",
            by_number(missing.len() as u64, "label", "labels"),
            list(missing.iter().take(NAMED).map(|id| &labels[*id])),
            counted(all, "row"),
            lines_of(&at, all),
            by_number(
                missing.len() as u64,
                "is treated as a class, but programs often write it for a missing value",
                "are treated as classes, but programs often write them for missing values"
            ),
            match several {
                false => by_number(
                    missing.len() as u64,
                    "if it is one, empty these cells so that the rows are left out; if it is a real label, list it in data.labels",
                    "if they are missing, empty these cells so that the rows are left out; if they are real labels, list them in data.labels"
                ),
                // An empty cell means that the text has no label.
                true => by_number(
                    missing.len() as u64,
                    "if it is one, list it in data.missing so that the rows are left out; if it is a real label, list it in data.labels",
                    "if they are missing, list them in data.missing so that the rows are left out; if they are real labels, list them in \
                     data.labels"
                ),
            },
        );
        say_at(message, at);
    }
    let printed: Vec<&String> = labels.iter().filter(|label| alike::is_printed(label)).collect();
    if !named && !printed.is_empty() {
        let message = format!(
            "labels such as {} look like printed Python values: brackets and quotes are part of their names here; write the bare \
             values, or list them in data.labels",
            list(printed.into_iter().take(3))
        );
        say_at(message, Vec::new());
    }
    for ids in groups.iter().take(NAMED) {
        let names: Vec<&str> = ids.iter().map(|id| labels[*id].as_str()).collect();
        let shown = alike::shown(&names);
        let each = |(name, id): (&String, &usize)| format!("`{name}` ({})", counted(counts[*id], "row"));
        let shown: Vec<String> = shown.iter().zip(ids).map(each).collect();
        // The most frequent spelling is probably right: these rows have the others.
        let most = ids.iter().copied().max_by_key(|id| counts[*id]).unwrap_or_default();
        let others: Vec<usize> = ids.iter().copied().filter(|id| *id != most).collect();
        let at = lines(&others);
        let message = format!(
            "labels {} look alike but count as {} classes: they differ only in case, spaces, invisible characters, quotes, punctuation or \
             number format ({}); if they mean the same label, use one spelling in the data file",
            shown.join(", "),
            ids.len(),
            lines_of(&at, others.iter().map(|id| counts[*id]).sum())
        );
        say_at(message, at);
    }
    if groups.len() > NAMED {
        say_at(format!("{} more groups of labels look alike", groups.len() - NAMED), Vec::new());
    }
    for (rare, meant) in alike::misspelt(labels, &counts).into_iter().take(NAMED) {
        let at = lines(&[rare]);
        let message = format!(
            "label {} ({}, {}) is possibly a misspelt {} ({}): if they mean the same label, use one spelling in the data file",
            quoted(&labels[rare]),
            counted(counts[rare], "row"),
            lines_of(&at, counts[rare]),
            quoted(&labels[meant]),
            counted(counts[meant], "row")
        );
        say_at(message, at);
    }
    found
}

/// Whether each row has one of several labels, in enough rows to tell: with fewer, or with a label for every other row, it may be chance.
fn have_one_each(labels: &[String], rows: &[Row]) -> bool {
    const ENOUGH: usize = 20;
    let enough = rows.len() >= ENOUGH && labels.len() > 1 && 2 * labels.len() <= rows.len();
    enough && rows.iter().all(|row| row.target.ids().len() == 1)
}

/// How many rows have each label, counted on all threads.
fn counts(labels: usize, rows: &[Row]) -> Vec<u64> {
    const AT_ONCE: usize = 1 << 16;
    let count = |rows: &[Row]| {
        let mut counts = vec![0; labels];
        rows.iter().flat_map(|row| row.target.ids()).for_each(|id| counts[*id as usize] += 1);
        counts
    };
    let add = |a: Vec<u64>, b: Vec<u64>| a.into_iter().zip(b).map(|(a, b)| a + b).collect();
    rows.par_chunks(AT_ONCE).map(count).reduce(|| vec![0; labels], add)
}

/// Whether there are about as many labels as rows.
fn is_id(counts: &[u64], rows: u64) -> bool {
    let used = counts.iter().filter(|count| **count > 0).count() as u64;
    rows >= FEW_ROWS && used * 2 > rows
}

/// Whether the labels are numbers, more of them than a rating scale has, some with a fraction.
fn is_measured(labels: &[String]) -> bool {
    /// A rating scale of half points from 0.5 to 5 has ten values.
    const SCALE: usize = 12;
    let numbers: Vec<f64> =
        labels.iter().map_while(|label| label.parse().ok().filter(|n: &f64| n.is_finite())).collect();
    numbers.len() == labels.len() && labels.len() > SCALE && numbers.iter().any(|number| number.fract() != 0.0)
}

/// The separator of labels that look like lists, with up to three of them.
///
/// Labels look like lists if most contain the separator and their parts recur, or if the parts of a label are labels themselves.
fn lists(labels: &[String]) -> Option<(char, Vec<&String>)> {
    const SEPARATORS: [char; 10] = [',', ';', '|', '，', '；', '、', '+', '&', '/', '\t'];
    let clean = |part: &str| part.trim_matches(|c: char| c.is_whitespace() || "[](){}'\"".contains(c)).to_lowercase();
    let all: BTreeSet<String> = labels.iter().map(|label| clean(label)).collect();
    SEPARATORS.into_iter().find_map(|separator| {
        let joined: Vec<&String> =
            labels.iter().filter(|label| label.trim_matches(separator).contains(separator)).collect();
        let parts = |label: &str| label.split(separator).map(clean).filter(|part| !part.is_empty()).collect::<Vec<_>>();
        let mut times: BTreeMap<String, u64> = BTreeMap::new();
        for part in labels.iter().flat_map(|label| parts(label)) {
            *times.entry(part).or_default() += 1;
        }
        // In `sport/football` and `Austin, TX` each part has a fixed position; parts of lists occur at any position.
        let first: BTreeSet<String> = labels.iter().filter_map(|label| parts(label).first().cloned()).collect();
        let mixed = joined.iter().any(|label| parts(label).iter().skip(1).any(|part| first.contains(part)));
        let all_times: u64 = times.values().sum();
        let recur = 2 * all_times >= 3 * times.len() as u64;
        let most = joined.len() >= 2 && 2 * joined.len() > labels.len();
        let of_others = joined.iter().any(|label| {
            let parts = parts(label);
            parts.len() > 1 && parts.iter().all(|part| all.contains(part))
        });
        ((most && mixed && recur) || of_others).then(|| (separator, joined.into_iter().take(3).collect()))
    })
}

/// A separator as it is written in a TOML string.
fn in_toml(separator: char) -> String {
    if separator == '\t' { "\\t".into() } else { separator.into() }
}

fn list<'a>(labels: impl Iterator<Item = &'a String>) -> String {
    labels.map(|label| quoted(label)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Target;

    /// The messages about these labels, with `rows` rows each.
    fn says(labels: &[&str], rows: u64) -> Vec<String> {
        let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        let row = |line: u64| Row {
            line: line + 2,
            text: "t".into(),
            text_pair: None,
            target: Target::Label((line % labels.len() as u64) as u32),
        };
        let rows: Vec<Row> = (0..rows * labels.len() as u64).map(row).collect();
        check(&labels, &rows, &"label".into(), false).warnings.into_iter().map(|warning| warning.message).collect()
    }

    #[test]
    fn a_column_of_ids_gives_a_warning_and_one_of_labels_does_not() {
        let ids: Vec<String> = (0..190).map(|i| format!("id{i}")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        assert!(
            says(&ids, 1)[0].starts_with("column `label` has 190 different labels in 190 rows: it looks like an id")
        );
        assert_eq!(says(&ids, 10), Vec::<String>::new());
        assert_eq!(says(&["a", "b"], 1), Vec::<String>::new(), "too few rows to tell");
        let many: Vec<String> = (0..300).map(|i| format!("c{i}x")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(says(&many, 10)[0].starts_with("column `label` has 300 different labels: does data.label_column"));
    }

    #[test]
    fn amounts_give_a_warning_and_scales_do_not() {
        let amounts: Vec<String> = (0..40).map(|i| format!("{}.{}", i % 7, i * 13 + 1)).collect();
        let amounts: Vec<&str> = amounts.iter().map(String::as_str).collect();
        assert!(says(&amounts, 10)[0].contains("they look like amounts"), "{:?}", says(&amounts, 10));
        let stars: Vec<String> = (1..=10).map(|i| format!("{:.1}", f64::from(i) / 2.0)).collect();
        let stars: Vec<&str> = stars.iter().map(String::as_str).collect();
        assert_eq!(says(&stars, 10), Vec::<String>::new());
        let classes: Vec<String> = (0..150).map(|i| i.to_string()).collect();
        assert_eq!(says(&classes.iter().map(String::as_str).collect::<Vec<_>>(), 10), Vec::<String>::new());
    }

    #[test]
    fn missing_values_and_printed_lists_as_labels_give_a_warning() {
        for labels in [vec!["pos", "nan"], vec!["NA", "pos", "neg"], vec!["None", "1", "0"], vec!["null", "好", "坏"]]
        {
            let found = says(&labels, 20);
            assert!(
                found.len() == 1 && found[0].contains("but programs often write it for a missing value"),
                "{found:?}"
            );
        }
        for labels in [vec!["['pos']", "['neg']"], vec!["'pos'", "'neg'"], vec!["b'1'", "b'0'"], vec!["[1]", "[0]"]] {
            let found = says(&labels, 20);
            assert!(found.len() == 1 && found[0].contains("look like printed Python values"), "{found:?}");
        }
    }

    #[test]
    fn lists_of_labels_give_a_warning() {
        for labels in [
            vec!["food", "service", "food,service"],
            vec!["体育|娱乐", "体育|财经", "娱乐|财经"],
            vec!["['food', 'price']", "['food']", "['price', 'service']", "['food', 'service']"],
            vec!["a;b", "b;c", "a;c", "d"],
            vec!["food", "food,service", "price,food"],
            vec!["food/service", "service/food", "price"],
            vec!["味道、服务", "味道、价格", "服务"],
        ] {
            assert!(says(&labels, 30).iter().any(|m| m.contains("look like lists of several labels")), "{labels:?}");
        }
        for labels in [
            vec!["sport/football", "sport/tennis", "news/world", "news/local"],
            vec!["Washington, DC", "Portland, OR", "Boston"],
            vec!["Austin, TX", "Houston, TX", "Dallas, TX"],
            vec!["yes", "no"],
            vec!["c++", "c", "java"],
            vec!["R&D", "sales"],
        ] {
            assert_eq!(says(&labels, 30), Vec::<String>::new(), "{labels:?}");
        }
    }
}
