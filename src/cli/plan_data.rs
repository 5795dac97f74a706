//! The part of `taper plan` about the data: rows read and dropped, labels, splits, leakage, lengths.

use std::collections::HashSet;

use anyhow::Result;
use taper::{
    data::{self, Cleaning, Dataset, LengthStats, Splits},
    event::Split,
    execute::Prepared,
    format, metrics,
    model::ModelConfig,
    plan::{DataConfig, Fold, Metric, Rates},
    report::long_texts,
    store::AuditedLeak,
    task::Task,
    warning,
};

use super::{costs, leaderboard::word, output::Output};

/// The most labels of a dataset that are listed.
const LABELS_SHOWN: usize = 50;

/// The column of the values after their labels.
pub const VALUES: usize = 10;

/// The data section: rows read, splits, lengths.
pub fn describe(run: &Prepared, out: &mut Output) -> Result<()> {
    let (dataset, splits) = (&run.dataset, &run.splits);
    let (c, task) = (&dataset.cleaning, run.config.data.task());
    let n = dataset.rows.len() as u64;
    let of_splits: u64 = dataset.files.iter().map(|file| file.rows.len() as u64).sum();
    let (used, usable) = (n - of_splits, c.read - c.dropped());
    let (rows, limit) = match used < usable {
        true => (format!("{} of {}", format::count(used), format::counted(usable, "row")), " (data.limit)"),
        false => (format::counted(used, "row"), ""),
    };
    out.labelled(
        ("data", VALUES),
        &format!("{rows} of {}{limit}; {}", run.config.data.source.shown(), dropped(c, task)),
    )?;
    read_as(&dataset.notes, out)?;
    for file in &dataset.files {
        let (rows, split) = (format::counted(file.rows.len() as u64, "row"), word(&file.split));
        let data = &run.config.data;
        let source = if file.split == Split::Dev { &data.dev } else { &data.test };
        let source = source.source().map_or_else(|| file.name.clone(), |source| source.shown());
        let source = match file.more_files {
            0 => source,
            more => format!("{} and {}", file.name, format::counted(more as u64, "more file")),
        };
        out.labelled(
            ("", VALUES),
            &format!("{rows} of {source}, the {split} split; {}", dropped(&file.cleaning, task)),
        )?;
        read_as(&file.notes, out)?;
    }

    let all: Vec<u32> = (0..n as u32).collect();
    let counts = dataset.class_counts(&all);
    let share = |count: u64| format::percent(count as f64 / n.max(1) as f64);
    let more = dataset.labels.len().checked_sub(LABELS_SHOWN).filter(|more| *more > 0).map(|n| format!("and {n} more"));
    // Legal, and not the same as rows whose labels are missing.
    let without = dataset.rows.iter().filter(|row| row.target.ids().is_empty()).count() as u64;
    let without_any = (task == Task::MultiLabel && without > 0)
        .then(|| format!("no label at all: {} ({})", format::count(without), share(without)));
    let classes: Vec<String> = dataset
        .labels
        .iter()
        .zip(&counts)
        .enumerate()
        .map(|(id, (label, &count))| match task {
            Task::Regression => format!("{}: {}", data::escaped(label), spread(dataset, id)),
            Task::SingleLabel | Task::MultiLabel => {
                format!("{}: {} ({})", data::escaped(label), format::count(count), share(count))
            }
        })
        .take(LABELS_SHOWN)
        .chain(more)
        .chain(without_any)
        .collect();
    let what = if task == Task::Regression { "numbers" } else { "labels" };
    let between = if task == Task::Regression { "; " } else { ", " };
    out.labelled((what, VALUES), &classes.join(between))?;
    if let Some(baseline) = baseline(task, dataset, splits) {
        out.labelled(("baseline", VALUES), &baseline)?;
    }
    let one = if run.config.data.text_pair_column.is_some() { "pair" } else { "text" };
    if c.duplicates > 0 {
        let labels = match c.contradicting {
            0 => String::new(),
            n => format!("; {} {} different labels", format::counted(n, one), format::by_number(n, "has", "have")),
        };
        out.labelled(
            ("repeats", VALUES),
            &format!(
                "{} {} an earlier {one}{labels}",
                format::counted(c.duplicates, "row"),
                format::by_number(c.duplicates, "repeats", "repeat"),
            ),
        )?;
    }
    let size = |rows: &[u32]| format::count(rows.len() as u64);
    // Splits that the column does not name are shares of the rows of train.
    let data = &run.config.data;
    let named: Vec<String> =
        data.splits.iter().flat_map(|splits| splits.named().skip(1)).map(|(split, _)| split.to_string()).collect();
    let by = match &data.split_column {
        Some(column) if !named.is_empty() => {
            format!(" ({} by column `{}`)", format::and(&named), data::escaped(column))
        }
        _ => String::new(),
    };
    let fold = data.fold.map_or(String::new(), |fold| format!(" (fold {} of {})", fold.number(), fold.of()));
    out.labelled(
        ("split", VALUES),
        &format!(
            "train {}, dev {}, test {}{fold}{by}{}",
            size(&splits.train),
            size(&splits.dev),
            size(&splits.test),
            groups(run, splits)
        ),
    )?;
    if let (Some(least), Some(most)) = (splits.folds.iter().min(), splits.folds.iter().max()) {
        let each = match least == most {
            true => format::counted(*least as u64, "row"),
            false => format!("{} to {}", format::count(*least as u64), format::counted(*most as u64, "row")),
        };
        out.labelled(("", VALUES), &format!("each of the {} folds has {each}", splits.folds.len()))?;
    }
    if let Some(balance) = balance(run) {
        out.labelled(("balance", VALUES), &balance)?;
    }
    for AuditedLeak { rows_of, also_in, exact, alike } in &run.audit().leaks {
        let (exact, alike) = (*exact, *alike);
        let rows = |n: u64| {
            let rows = format::counted(n, &format!("{} row", word(rows_of)));
            format!("{rows} {}", format::by_number(n, "has", "have"))
        };
        let more = match alike - exact {
            0 => String::new(),
            _ if exact == 0 => " if case and spaces are ignored".into(),
            more => format!("; {} more if case and spaces are ignored", format::count(more)),
        };
        let n = if exact == 0 { alike } else { exact };
        out.labelled(("leakage", VALUES), &format!("{} a {one} that is also in {}{more}", rows(n), word(also_in)))?;
    }
    let LengthStats { mean, p50, p90, p99, max, longer_than_counted, truncated: _ } = run.lengths()?;
    let more_than = if longer_than_counted > 0 { "more than " } else { "" };
    out.labelled(
        ("tokens", VALUES),
        &format!("mean {}, p50 {p50}, p90 {p90}, p99 {p99}, longest {more_than}{max}", format::decimals(mean, 1)),
    )?;
    out.labelled(("long", VALUES), &how_long(run)?)?;
    let all = costs::parameters(run);
    let parameters = match costs::trained_parameters(run) {
        trained if trained == all => format!("{} parameters", format::count(all)),
        trained => format!("{} of {} parameters are trainable", format::count(trained), format::count(all)),
    };
    let shape = &run.shape;
    let sets = shape
        .layer_groups
        .map_or_else(String::new, |groups| format!(" that share {} of weights", format::counted(groups as u64, "set")));
    out.labelled(
        ("model", VALUES),
        &format!(
            "{}: {}, {} of {}{sets}, vocabulary {}, {parameters}",
            run.config.model.source.shown(),
            shape.family.model_type,
            format::counted(shape.num_hidden_layers as u64, "layer"),
            shape.hidden_size,
            format::count(shape.vocab_size as u64),
        ),
    )
}

/// Where the runs' models have dropout.
pub fn dropout<'a>(runs: impl Iterator<Item = &'a Prepared>, out: &mut Output) -> Result<()> {
    let said = each_once(runs, |run| dropout_of(&run.shape));
    match &said[..] {
        [] => Ok(()),
        [(one, _)] => out.labelled(("dropout", VALUES), one),
        [(first, _), ..] => {
            out.labelled(("dropout", VALUES), &format!("{} different settings; of the first run: {first}", said.len()))
        }
    }
}

/// The sites by probability, in the order of the model: `0.1 in embeddings and attention output; 0.2 in head`.
fn dropout_of(shape: &ModelConfig) -> String {
    let mut by_value: Vec<(f64, Vec<String>)> = Vec::new();
    for (site, p) in shape.dropout_sites() {
        match by_value.iter_mut().find(|(value, _)| *value == p) {
            Some((_, sites)) => sites.push(site.into()),
            None => by_value.push((p, vec![site.into()])),
        }
    }
    if let [(0.0, _)] = by_value[..] {
        return "none".into();
    }
    let of = |(p, sites): &(f64, Vec<String>)| format!("{p} in {}", format::and(sites));
    by_value.iter().map(of).collect::<Vec<_>>().join("; ")
}

/// What is said of the runs, each sentence once, with the name of the first run of which it is said.
fn each_once<'a>(
    runs: impl Iterator<Item = &'a Prepared>,
    sentence: impl Fn(&Prepared) -> String,
) -> Vec<(String, &'a str)> {
    let mut said: Vec<(String, &str)> = Vec::new();
    for run in runs {
        let words = sentence(run);
        if said.iter().all(|(known, _)| *known != words) {
            said.push((words, &run.name));
        }
    }
    said
}

/// The learning rates of head, layers and embeddings, of the first run in which they differ.
pub fn rates<'a>(runs: impl Iterator<Item = &'a Prepared>, out: &mut Output) -> Result<()> {
    let runs = runs.filter(|run| !Rates::of(&run.config.train).are_equal());
    let said = each_once(runs, |run| run.rates().words());
    let Some((words, run)) = said.first() else { return Ok(()) };
    let of = match said.len() {
        1 => String::new(),
        n => format!("; these are of {}, one of {} such settings", format::one_line(run), format::count(n as u64)),
    };
    out.labelled(("rates", VALUES), &format!("{words}{of}"))
}

/// What becomes of long texts in those of a sweep's runs of which something else is to be said than of the first: they read them in
/// another way, or have other texts or another tokenizer.
pub fn other_lengths<'a>(runs: impl Iterator<Item = &'a Prepared>, out: &mut Output) -> Result<()> {
    /// The most ways that are listed.
    const SHOWN: usize = 8;
    // What decides about tokens and splits. Folds of the same rows are said once.
    let of = |run: &Prepared| {
        let (data, model) = (&run.config.data, &run.config.model);
        (DataConfig { fold: data.fold.map(Fold::first), ..data.clone() }, model.source.clone(), model.vocab_size)
    };
    let (mut known, mut said) = (Vec::new(), Vec::new());
    for run in runs {
        let of = of(run);
        if known.contains(&of) {
            continue;
        }
        known.push(of);
        let sentence = how_long(run)?;
        if said.contains(&sentence) {
            continue;
        }
        if (1..=SHOWN).contains(&said.len()) {
            out.labelled(("long", VALUES), &format!("{sentence} ({})", format::one_line(&run.name)))?;
        }
        said.push(sentence);
    }
    match said.len().saturating_sub(1 + SHOWN) {
        0 => Ok(()),
        more => out.labelled(("", VALUES), &format!("(and {} more; --json has all)", format::count(more as u64))),
    }
}

/// What becomes of long texts.
fn how_long(run: &Prepared) -> Result<String> {
    Ok(long_texts(run.config.data.long_texts(), &run.texts()?, Some(run.tokenizer.added_tokens(false))))
}

/// `; 80, 10 and 10 groups of author`: how many groups of `data.group_column` each split has.
fn groups(run: &Prepared, splits: &Splits) -> String {
    let Some(column) = &run.config.data.group_column else { return String::new() };
    let of = |rows: &[u32]| {
        let groups = rows.iter().filter_map(|row| run.dataset.groups.get(*row as usize));
        format::count(groups.collect::<HashSet<_>>().len() as u64)
    };
    let counts = [&splits.train, &splits.dev, &splits.test].map(|rows| of(rows));
    format!("; {}, {} and {} groups of `{}`", counts[0], counts[1], counts[2], data::escaped(column))
}

/// The share of each label in each split: `train negative: 50.0%, positive: 50.0%; dev …`. `None` with many labels.
fn balance(run: &Prepared) -> Option<String> {
    if run.config.data.task() == Task::Regression {
        return None;
    }
    /// The most labels whose shares are listed for each split; `--json` has all.
    const LABELS: usize = 6;
    let (dataset, splits) = (&run.dataset, &run.splits);
    let of = |(name, rows): &(&str, &Vec<u32>)| {
        let share = |count: &u64| format::percent(*count as f64 / rows.len() as f64);
        let counts = dataset.class_counts(rows);
        let labels = dataset.labels.iter().zip(&counts);
        let shares: Vec<String> =
            labels.map(|(label, count)| format!("{}: {}", data::escaped(label), share(count))).collect();
        format!("{name} {}", shares.join(", "))
    };
    let used = [("train", &splits.train), ("dev", &splits.dev), ("test", &splits.test)];
    let used: Vec<String> = used.iter().filter(|(_, rows)| !rows.is_empty()).map(of).collect();
    (dataset.labels.len() <= LABELS).then(|| used.join("; "))
}

/// How a file is read, where that is not what its name says.
fn read_as(notes: &[String], out: &mut Output) -> Result<()> {
    if notes.is_empty() { Ok(()) } else { out.labelled(("", VALUES), &notes.join("; ")) }
}

/// The rows of a file that were dropped.
pub fn dropped(cleaning: &Cleaning, task: Task) -> String {
    let dropped: Vec<String> = cleaning
        .lacks(task)
        .map(|(count, what, lines)| format!("{} {what} ({})", format::count(count), warning::lines_of(lines, count)))
        .collect();
    if dropped.is_empty() { "none dropped".into() } else { format!("dropped {}", dropped.join(", ")) }
}

/// The numbers of a column: `mean 3.12, standard deviation 1.204, from 1 to 5`.
fn spread(dataset: &Dataset, column: usize) -> String {
    let numbers = || dataset.rows.iter().filter_map(|row| row.target.numbers().get(column).copied());
    let (mean, deviation) = moments(numbers());
    let [low, high] = [numbers().fold(f64::INFINITY, f64::min), numbers().fold(f64::NEG_INFINITY, f64::max)];
    let [mean, deviation, low, high] = [mean, deviation, low, high].map(|n| format::minus(&format::rate(n + 0.0)));
    format!("mean {mean}, standard deviation {deviation}, from {low} to {high}")
}

/// Mean and standard deviation, which divides by the number of values; NaN without any.
fn moments(numbers: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = numbers.clone().count() as f64;
    // Sums of large numbers could overflow.
    let mean = numbers.clone().map(|number| number / n).sum::<f64>();
    let mean = if n > 0.0 { mean } else { f64::NAN };
    (mean, numbers.map(|number| (number - mean) * ((number - mean) / n)).sum::<f64>().sqrt())
}

/// What a prediction that needs no text gives on the dev and on the test rows: as in the report always the most common label, all labels, or the
/// mean of these rows. `None` without such rows.
fn baseline(task: Task, dataset: &Dataset, splits: &Splits) -> Option<String> {
    let measured = [("dev", &splits.dev), ("test", &splits.test)].into_iter().filter(|(_, rows)| !rows.is_empty());
    let gives = |on: &str, value: &dyn Fn(&[u32]) -> String| {
        let gives: Vec<String> =
            measured.clone().map(|(name, rows)| format!("{} {on} the {name} rows", value(rows))).collect();
        Some(gives.join(" and ")).filter(|gives| !gives.is_empty())
    };
    match task {
        Task::SingleLabel => {
            let train_counts = dataset.class_counts(&splits.train);
            let always = metrics::majority(&train_counts).unwrap_or(0) as usize;
            let right = |rows: &[u32]| format::percent(dataset.class_counts(rows)[always] as f64 / rows.len() as f64);
            let (label, words) =
                (data::escaped(&dataset.labels[always]), metrics::majority_words(&train_counts, "label"));
            Some(format!("always predicting {label}, {words} in training, is right on {}", gives("of", &right)?))
        }
        Task::MultiLabel => {
            let f1 = |rows: &[u32]| Metric::MacroF1.text(f1_of_all(&dataset.class_counts(rows), rows.len() as u64));
            Some(format!("predicting all labels for every row: macro-F1 {}", gives("on", &f1)?))
        }
        Task::Regression => {
            let error = |rows: &[u32]| {
                let of = |column| {
                    moments(
                        rows.iter()
                            .filter_map(move |row| dataset.rows[*row as usize].target.numbers().get(column).copied()),
                    )
                    .1
                };
                let errors = (0..dataset.labels.len()).map(of).sum::<f64>();
                Metric::Rmse.text(errors / dataset.labels.len() as f64)
            };
            let rmse = gives("on", &error)?;
            Some(format!("predicting the mean of the same rows for every row: RMSE {rmse}"))
        }
    }
}

/// Macro-F1 of predicting all labels for each of `rows` rows, of which so many have each label.
fn f1_of_all(supports: &[u64], rows: u64) -> f64 {
    let f1 = |&support: &u64| metrics::Counts { right: support, predicted: rows, support }.f1();
    supports.iter().map(f1).sum::<f64>() / supports.len() as f64
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Expected: scikit-learn 1.8 f1_score([[1,0],[1,1],[0,0],[1,0]], ones, average="macro") and numpy.std([1, 2, 4, 5]).
    #[test]
    fn baselines_need_no_text() {
        assert!((f1_of_all(&[3, 1], 4) - (6.0 / 7.0 + 2.0 / 5.0) / 2.0).abs() < 1e-15);
        let (mean, deviation) = moments([1.0, 2.0, 4.0, 5.0].into_iter());
        assert!(mean == 3.0 && (deviation - 1.5811388300841898).abs() < 1e-12, "{mean} {deviation}");
        assert_eq!(moments([f64::MAX, f64::MAX].into_iter()), (f64::MAX, 0.0));
    }

    #[test]
    fn dropout_is_said_by_site() {
        let of = |more: serde_json::Value, p: Option<f64>| {
            let mut config = json!({
                "vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 6,
                "dim": 8, "n_layers": 1, "n_heads": 2, "hidden_dim": 6,
            });
            more.as_object().expect("an object").iter().for_each(|(key, value)| config[key] = value.clone());
            let mut shape = ModelConfig::parse(&config.to_string()).expect("a config");
            p.into_iter().for_each(|p| shape.set_dropout(p));
            dropout_of(&shape)
        };
        let all = "embeddings, attention probabilities, attention output, feed-forward output and head";
        assert_eq!(of(json!({"model_type": "bert"}), None), format!("0.1 in {all}"));
        assert_eq!(of(json!({"model_type": "bert"}), Some(0.0)), "none");
        assert_eq!(
            of(json!({"model_type": "distilbert"}), None),
            "0.1 in embeddings, attention probabilities and feed-forward output; 0.2 in head"
        );
        assert_eq!(of(json!({"model_type": "modernbert"}), None), "none");
        let deberta = json!({
            "model_type": "deberta-v2", "relative_attention": true, "pos_att_type": "c2p", "share_att_key": true, "pooler_dropout": 0.3,
        });
        assert_eq!(
            of(deberta, None),
            "0.1 in embeddings, relative positions, attention probabilities, attention output, feed-forward output and \
             head; 0.3 in head input"
        );
        let albert = |p| of(json!({"model_type": "albert"}), p);
        assert_eq!(albert(None), "0 in embeddings, attention probabilities and attention output; 0.1 in head");
        assert_eq!(albert(Some(0.2)), "0.2 in embeddings, attention probabilities, attention output and head");
        assert_eq!(
            of(json!({"model_type": "modernbert", "mlp_dropout": 0.2}), None),
            "0 in embeddings, attention probabilities, attention output and head; 0.2 in gated product"
        );
    }
}
