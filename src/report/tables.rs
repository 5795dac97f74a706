//! CSV tables with every number of the report, for further computation.
//!
//! UTF-8 without a byte order mark, which most CSV readers would take as part of the first column's name. Cells with text are
//! inert: see [`inert`].

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::Path,
};

use csv::Writer;

use super::{
    ReportError,
    analysis::Analysis,
    files,
    input::{ReportInput, RunInput, split_name},
    pictures::MOST_LABELS,
    swept::Swept,
    trials::kept,
};
use crate::{
    event::{FailureKind, Split, When},
    format::inert,
    metrics::{Metric, Probabilities},
    stats::wilson,
    store::PredictionRecord,
};

/// With more than [`MOST_LABELS`] labels, this many probabilities are written for each row.
const MOST_RANKED: usize = 5;

type Table = Writer<Vec<u8>>;

/// Files and their contents, in the order they are written.
const FILES: [(&str, &str); 8] = [
    ("runs.csv", "one line per run: trial (in the column “configuration”), swept keys, state, dev and final metrics"),
    ("steps.csv", "every step: loss, learning rate, gradient norm"),
    ("evaluations.csv", "every evaluation"),
    (
        "predictions.csv",
        "every row of the final evaluation, with the probability of each label (if there are more than 50 labels, of \
         the five most probable)",
    ),
    ("mistakes.csv", "mistakes of the predictions on this page, the most confident first"),
    ("probes.csv", "every score of every probe"),
    ("classes.csv", "precision, recall and F1 of each class of each run's final evaluation"),
    ("confusion.csv", "the confusion matrix of each run's final evaluation: the pairs that occur"),
];

/// The table of a cross-validation.
const OUT_OF_FOLD: (&str, &str) = (
    "out_of_fold.csv",
    "cross-validation: for each trial and seed whose folds are all completed, every row once, as predicted by the \
     model whose test fold contains it",
);

/// The tables of a report: names and contents.
pub fn names(input: &ReportInput) -> impl Iterator<Item = (&'static str, &'static str)> {
    let folds: BTreeSet<_> = input.runs.iter().filter_map(|run| run.run.config.data.fold).collect();
    let folds = folds.len() > 1;
    FILES.into_iter().chain(folds.then_some(OUT_OF_FOLD))
}

/// Writes one of [`names`], and returns whether it has a line below its header.
pub fn write(name: &str, input: &ReportInput, analysis: &Analysis, path: &Path) -> Result<bool, ReportError> {
    let mut table = Writer::from_writer(Vec::new());
    let filled = match name {
        "runs.csv" => runs(&mut table, input, analysis),
        "steps.csv" => steps(&mut table, input),
        "evaluations.csv" => evaluations(&mut table, input),
        "predictions.csv" => predictions(&mut table, input),
        "mistakes.csv" => mistakes(&mut table, input, analysis),
        "classes.csv" => classes(&mut table, input),
        "confusion.csv" => confusion(&mut table, input),
        "out_of_fold.csv" => out_of_fold(&mut table, input, analysis),
        _ => probes(&mut table, input),
    };
    let failed = |error: csv::Error| ReportError::Table { name: name.to_string(), error };
    filled.map_err(failed)?;
    let bytes = table.into_inner().map_err(|e| failed(e.into_error().into()))?;
    files::write(path, &bytes)?;
    Ok(csv::ReaderBuilder::new().flexible(true).from_reader(&bytes[..]).byte_records().next().is_some())
}

/// Text from a spec, data or a model, as a cell.
fn text(cell: &str) -> String {
    inert(cell).into_owned()
}

fn number(value: Option<f64>) -> String {
    value.map(|v| v.to_string()).unwrap_or_default()
}

fn runs(table: &mut Table, input: &ReportInput, analysis: &Analysis) -> csv::Result<()> {
    let head = "key,name,configuration,state,failure,message,best,split,rows,accuracy,accuracy_low,accuracy_high,\
                macro_f1,loss,calibration_error,accuracy_before,steps,total_steps,last_training_loss,training_s,\
                lr,batch_size,epochs,seed,data_seed,dev_accuracy,dev_macro_f1,dev_loss";
    let (swept, shown) = (Swept::of(input), analysis.shown_runs());
    table.write_record(head.split(',').map(String::from).chain(swept.keys()))?;
    for (i, run) in input.runs.iter().enumerate() {
        let record = &run.run;
        let m = record.final_metrics.as_ref();
        let interval = m.map(|m| wilson(m.right(), m.rows));
        let train = &record.config.train;
        let dev = kept(&record.config, &run.evals, Split::Dev, record.config.checkpoint.metric);
        let fixed = [
            record.key.clone(),
            text(&record.name),
            text(&analysis.groups[analysis.group_of(i)].name),
            record.state.word().into(),
            record.failure.map(FailureKind::word).unwrap_or_default().into(),
            text(record.message.as_deref().unwrap_or_default()),
            shown.contains(&i).to_string(),
            m.map(|_| split_name(run.measured_on())).unwrap_or_default().into(),
            m.map(|m| m.rows.to_string()).unwrap_or_default(),
            number(m.map(|m| m.get(Metric::Accuracy))),
            number(interval.map(|i| i.low)),
            number(interval.map(|i| i.high)),
            number(m.map(|m| m.get(Metric::MacroF1))),
            number(m.map(|m| m.get(Metric::Loss))),
            number(m.map(|m| m.get(Metric::CalibrationError))),
            number(run.before().map(|m| m.get(Metric::Accuracy))),
            record.steps.to_string(),
            record.total_steps.to_string(),
            number(record.last_loss),
            number(run.seconds()),
            train.lr.to_string(),
            train.batch_size.to_string(),
            train.epochs.to_string(),
            train.seed.to_string(),
            record.config.data.seed.to_string(),
            number(dev.map(|m| m.get(Metric::Accuracy))),
            number(dev.map(|m| m.get(Metric::MacroF1))),
            number(dev.map(|m| m.get(Metric::Loss))),
        ];
        table.write_record(fixed.into_iter().chain(swept.values(i)))?;
    }
    Ok(())
}

fn steps(table: &mut Table, input: &ReportInput) -> csv::Result<()> {
    table.write_record(["run", "step", "epoch", "loss", "lr", "grad_norm", "tokens", "elapsed_s"])?;
    for run in &input.runs {
        for s in &run.steps {
            table.write_record([
                text(&run.run.name),
                s.step.to_string(),
                s.epoch.to_string(),
                s.loss.to_string(),
                s.lr.to_string(),
                s.grad_norm.to_string(),
                s.tokens.to_string(),
                s.elapsed_s.to_string(),
            ])?;
        }
    }
    Ok(())
}

fn evaluations(table: &mut Table, input: &ReportInput) -> csv::Result<()> {
    let head = ["run", "when", "step", "epoch", "split", "rows", "accuracy", "macro_f1", "loss", "calibration_error"];
    table.write_record(head)?;
    for run in &input.runs {
        for e in &run.evals {
            table.write_record([
                text(&run.run.name),
                when_name(e.when).into(),
                e.step.to_string(),
                e.epoch.to_string(),
                split_name(e.split).into(),
                e.metrics.rows.to_string(),
                e.metrics.get(Metric::Accuracy).to_string(),
                e.metrics.get(Metric::MacroF1).to_string(),
                e.metrics.get(Metric::Loss).to_string(),
                e.metrics.get(Metric::CalibrationError).to_string(),
            ])?;
        }
    }
    Ok(())
}

/// Names of all labels of all runs, in the order they first appear.
fn all_labels(input: &ReportInput) -> Vec<&str> {
    let mut seen = HashSet::new();
    input.runs.iter().flat_map(|r| &r.run.labels).map(String::as_str).filter(|label| seen.insert(*label)).collect()
}

/// Probabilities in the columns of all labels; empty for labels that the run does not have.
fn by_label(run: &RunInput, labels: &[&str], probabilities: &Probabilities) -> Vec<String> {
    let name = |id: u32| run.run.labels.get(id as usize).map(String::as_str);
    let own: BTreeMap<&str, f32> = probabilities.iter().filter_map(|(id, p)| Some((name(id)?, p))).collect();
    labels.iter().map(|l| own.get(l).map(f32::to_string).unwrap_or_default()).collect()
}

/// The name of a label, or its number if the run has no name for it.
pub fn label_name(run: &RunInput, id: u32) -> String {
    run.run.labels.get(id as usize).cloned().unwrap_or_else(|| format!("label {id}"))
}

/// Probability of the predicted label; 0 where none is stored.
pub fn confidence(p: &PredictionRecord) -> f32 {
    p.probabilities.get(p.predicted).filter(|c| c.is_finite()).unwrap_or(0.0)
}

/// The rows with a wrong prediction, the most confident first; ties are in file order.
pub fn mistakes_of(run: &RunInput) -> Vec<&PredictionRecord> {
    let mut wrong: Vec<_> = run.predictions.iter().filter(|p| p.label != p.predicted).collect();
    wrong.sort_by(|a, b| confidence(b).total_cmp(&confidence(a)).then(a.row.cmp(&b.row)));
    wrong
}

/// The columns between prediction and text: a probability for each label, or with many labels, those of the most probable
/// labels and of the row's own.
fn probability_head(labels: &[&str]) -> Vec<String> {
    if labels.len() <= MOST_LABELS {
        return labels.iter().map(|l| format!("p({l})")).collect();
    }
    let ranked = (1..=MOST_RANKED).flat_map(|rank| [format!("label_{rank}"), format!("p_{rank}")]);
    std::iter::once("p_of_label".to_string()).chain(ranked).collect()
}

/// Whether a run reads two texts.
fn reads_two(run: &RunInput) -> bool {
    run.run.config.data.text_pair_column.is_some()
}

/// The columns of the texts. There are two only where a run reads two.
fn text_head(pairs: bool) -> impl Iterator<Item = String> {
    ["text", "text_pair"].into_iter().take(1 + usize::from(pairs)).map(String::from)
}

fn text_cells<'a>(first: &'a str, pair: Option<&'a str>, pairs: bool) -> impl Iterator<Item = String> + use<'a> {
    [first, pair.unwrap_or_default()].into_iter().take(1 + usize::from(pairs)).map(text)
}

fn prediction_head(labels: &[&str], pairs: bool) -> impl Iterator<Item = String> {
    let fixed = ["run", "row", "file", "line", "label", "predicted", "right", "confidence"].map(String::from);
    fixed.into_iter().chain(probability_head(labels)).chain(text_head(pairs))
}

fn prediction_record(run: &RunInput, labels: &[&str], p: &PredictionRecord, pairs: bool) -> Vec<String> {
    let mut record = vec![
        text(&run.run.name),
        p.row.to_string(),
        text(&run.file_of_rows()),
        p.line.to_string(),
        text(&label_name(run, p.label)),
        text(&label_name(run, p.predicted)),
        (p.label == p.predicted).to_string(),
        confidence(p).to_string(),
    ];
    if labels.len() <= MOST_LABELS {
        record.extend(by_label(run, labels, &p.probabilities));
    } else {
        record.push(p.probabilities.get(p.label).map(|p| p.to_string()).unwrap_or_default());
        let mut most = p.probabilities.most(MOST_RANKED).into_iter();
        for _ in 0..MOST_RANKED {
            match most.next() {
                Some((id, p)) => record.extend([text(&label_name(run, id)), p.to_string()]),
                None => record.extend([String::new(), String::new()]),
            }
        }
    }
    record.extend(text_cells(&p.text, p.text_pair.as_deref(), pairs));
    record
}

fn classes(table: &mut Table, input: &ReportInput) -> csv::Result<()> {
    table.write_record(["run", "split", "id", "label", "precision", "recall", "f1", "rows", "predicted"])?;
    for run in &input.runs {
        let Some(metrics) = &run.run.final_metrics else { continue };
        let predicted = metrics.confusion.predicted();
        for (id, class) in metrics.per_class.iter().enumerate() {
            table.write_record([
                text(&run.run.name),
                split_name(run.measured_on()).into(),
                id.to_string(),
                text(&class.label),
                number(Some(class.precision).filter(|share| !share.is_nan())),
                number(Some(class.recall).filter(|share| !share.is_nan())),
                class.f1.to_string(),
                class.support.to_string(),
                predicted.get(id).copied().unwrap_or(0).to_string(),
            ])?;
        }
    }
    Ok(())
}

fn confusion(table: &mut Table, input: &ReportInput) -> csv::Result<()> {
    table.write_record(["run", "split", "label", "predicted", "rows"])?;
    for run in &input.runs {
        let Some(metrics) = &run.run.final_metrics else { continue };
        for (label, predicted, rows) in metrics.confusion.cells() {
            table.write_record([
                text(&run.run.name),
                split_name(run.measured_on()).into(),
                text(&label_name(run, label)),
                text(&label_name(run, predicted)),
                rows.to_string(),
            ])?;
        }
    }
    Ok(())
}

fn predictions(table: &mut Table, input: &ReportInput) -> csv::Result<()> {
    let labels = all_labels(input);
    let pairs = input.runs.iter().any(reads_two);
    table.write_record(prediction_head(&labels, pairs))?;
    for run in &input.runs {
        for p in &run.predictions {
            table.write_record(prediction_record(run, &labels, p, pairs))?;
        }
    }
    Ok(())
}

/// The predictions of all folds together, row by row.
fn out_of_fold(table: &mut Table, input: &ReportInput, analysis: &Analysis) -> csv::Result<()> {
    let labels = all_labels(input);
    let pairs = input.runs.iter().any(reads_two);
    let head = ["trial", "seed", "fold"].map(String::from);
    table.write_record(head.into_iter().chain(prediction_head(&labels, pairs)))?;
    for group in &analysis.groups {
        for set in &group.complete {
            let of = |i: usize| input.runs[i].predictions.iter().map(move |p| (p.row, i, p));
            let mut rows: Vec<_> = set.iter().flat_map(|&i| of(i)).collect();
            rows.sort_by_key(|(row, ..)| *row);
            for (_, i, p) in rows {
                let (run, config) = (&input.runs[i], &input.runs[i].run.config);
                let fold = config.data.fold.map(|fold| fold.number().to_string()).unwrap_or_default();
                let of_trial = [text(&group.name), config.train.seed.to_string(), fold];
                table.write_record(of_trial.into_iter().chain(prediction_record(run, &labels, p, pairs)))?;
            }
        }
    }
    Ok(())
}

fn mistakes(table: &mut Table, input: &ReportInput, analysis: &Analysis) -> csv::Result<()> {
    let best = analysis.shown(&input.runs);
    let labels: Vec<&str> = best.map(|r| r.run.labels.iter().map(String::as_str).collect()).unwrap_or_default();
    let pairs = best.is_some_and(reads_two);
    table.write_record(prediction_head(&labels, pairs))?;
    if let Some(run) = best {
        for p in mistakes_of(run) {
            table.write_record(prediction_record(run, &labels, p, pairs))?;
        }
    }
    Ok(())
}

fn probes(table: &mut Table, input: &ReportInput) -> csv::Result<()> {
    let labels = all_labels(input);
    let pairs = input.runs.iter().any(reads_two);
    let fixed = ["run", "when", "step", "probe", "expected", "predicted", "right"].map(String::from);
    // With many labels, only those that some probe expects or was predicted as.
    let labels: Vec<&str> = match labels.len() > MOST_LABELS {
        false => labels,
        true => {
            let scores = || input.runs.iter().flat_map(|run| &run.probes).map(|p| &p.score);
            let named: HashSet<&str> =
                scores().flat_map(|s| s.expect.iter().chain([&s.predicted])).map(String::as_str).collect();
            labels.into_iter().filter(|label| named.contains(label)).collect()
        }
    };
    let head = fixed.into_iter().chain(labels.iter().map(|l| format!("p({l})"))).chain(text_head(pairs));
    table.write_record(head)?;
    for run in &input.runs {
        for p in &run.probes {
            let score = &p.score;
            let mut record = vec![
                text(&run.run.name),
                when_name(p.when).into(),
                p.step.to_string(),
                (score.position + 1).to_string(),
                text(score.expect.as_deref().unwrap_or_default()),
                text(&score.predicted),
                score.expect.as_ref().map(|e| (*e == score.predicted).to_string()).unwrap_or_default(),
            ];
            record.extend(by_label(run, &labels, &score.probabilities));
            record.extend(text_cells(&score.text, score.text_pair.as_deref(), pairs));
            table.write_record(record)?;
        }
    }
    Ok(())
}

fn when_name(when: When) -> &'static str {
    match when {
        When::Before => "before",
        When::During => "during",
        When::After => "after",
    }
}
