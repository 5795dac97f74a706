//! CSV tables with every number of the report, for further computation.
//!
//! UTF-8 without a byte order mark, which most CSV readers would take as part of the first column's name. Cells with text are
//! inert: see [`crate::format::inert`].

use std::{
    collections::{BTreeSet, HashSet},
    path::Path,
};

use csv::Writer;

use super::{
    ReportError,
    analysis::Analysis,
    cells::{Table, Targets, label_name, text},
    change,
    curves::{Drawn, is_whole},
    decision_tables::{decisions, has_decisions},
    files,
    input::{ReportInput, RunInput, split_name},
    pictures::MOST_LABELS,
    prediction_tables::{by_label, mistakes, out_of_fold, predictions, reads_two, text_cells, text_head},
    swept::Swept,
    trials::kept,
    with_decision,
};
use crate::report::language::tr;
use crate::{
    event::{FailureKind, Split, When},
    metrics::{Metric, Metrics},
    stats::wilson,
    task::Task,
};

/// Files and their contents, in the order they are written.
fn files() -> [(&'static str, &'static str); 9] {
    [
        (
            "runs.csv",
            tr(
                "one line per run: trial (in the column “configuration”), swept keys, state, dev and final metrics",
                "每次运行一行：试验（“configuration”列）、搜索的键、状态、开发集指标和最终指标",
            ),
        ),
        ("steps.csv", tr("every step: loss, learning rate, gradient norm", "每一步：损失、学习率、梯度范数")),
        ("evaluations.csv", tr("every evaluation", "每次评估")),
        (
            "metrics.csv",
            tr(
                "every metric of each run's final evaluation; an empty value is undefined",
                "每次运行最终评估的全部指标；空值表示无定义",
            ),
        ),
        (
            "predictions.csv",
            tr(
                "every row of the final evaluation, with the probability of each label (if there are more than 50 labels, of \
         the five most probable)",
                "最终评估的每一行，连同每个标签的概率（超过 50 个标签时为概率最高的五个）",
            ),
        ),
        (
            "mistakes.csv",
            tr(
                "mistakes of the predictions on this page, the most confident first",
                "本页预测中的错误，最有把握的在前",
            ),
        ),
        ("probes.csv", tr("every score of every probe", "每个探针句的每次得分")),
        (
            "classes.csv",
            tr(
                "precision, recall and F1 of each class of each run's final evaluation",
                "每次运行最终评估中每个类别的精确率、召回率和 F1",
            ),
        ),
        (
            "confusion.csv",
            tr(
                "the confusion matrix of each run's final evaluation: the pairs that occur",
                "每次运行最终评估的混淆矩阵：实际出现的配对",
            ),
        ),
    ]
}

/// A table that lacks runs where there are many.
fn steps_of_first() -> (&'static str, &'static str) {
    (
        "steps.csv",
        tr(
            "every step of the runs that the charts of the training show: loss, learning rate, gradient norm",
            "训练图表所画运行的每一步：损失、学习率、梯度范数",
        ),
    )
}
/// See [`steps_of_first`].
fn predictions_of_first() -> (&'static str, &'static str) {
    (
        "predictions.csv",
        tr(
            "every row of the final evaluation of each run of the first 12 trials of the ranking",
            "排名前 12 的试验的每次运行最终评估的每一行",
        ),
    )
}

/// The table of a cross-validation.
fn out_of_fold_table() -> (&'static str, &'static str) {
    (
        "out_of_fold.csv",
        tr(
            "cross-validation: for each trial and seed whose folds are all completed, every row once, as predicted by the \
     model whose test fold contains it",
            "交叉验证：对所有折都已完成的每个试验和种子，每一行各出现一次，由测试折包含它的模型预测",
        ),
    )
}

/// The table of sets of labels.
fn co_occurrence_table() -> (&'static str, &'static str) {
    (
        "co_occurrence.csv",
        tr(
            "how many rows of each run's final evaluation have both of two labels: the pairs that occur",
            "每次运行最终评估中同时具有两个标签的行数：实际出现的配对",
        ),
    )
}

/// The tables of what training changed, if what was predicted before training is stored.
fn change_tables() -> [(&'static str, &'static str); 2] {
    [
        (
            "change.csv",
            tr(
                "each label (or column of numbers) of the predictions on this page, before and after training",
                "本页预测的每个标签（或每列数值），训练前后",
            ),
        ),
        (
            "flips.csv",
            tr(
                "rows whose prediction became right or wrong (of numbers: whose error became smaller or larger)",
                "预测由错变对或由对变错的行（数值：误差变小或变大的行）",
            ),
        ),
    ]
}
/// The table of runs with a temperature or thresholds.
fn decision_table() -> (&'static str, &'static str) {
    (
        "decisions.csv",
        tr(
            "the temperature and the thresholds of each run; with them are the lines of metrics.csv whose `when` is `decided`, those of classes.csv and \
             confusion.csv whose `decision` is `with`, the columns of predictions.csv that end in `with_decision`, and mistakes.csv",
            "每次运行的温度和阈值；应用它们之后的结果在 metrics.csv 中 `when` 为 `decided` 的行、classes.csv 和 confusion.csv 中 `decision` 为 \
             `with` 的行、predictions.csv 中以 `with_decision` 结尾的列，以及 mistakes.csv",
        ),
    )
}

/// The tables of a report: names and contents.
pub fn names(input: &ReportInput) -> impl Iterator<Item = (&'static str, &'static str)> {
    let has = |task: Task| input.runs.iter().any(|run| run.run.config.data.task() == task);
    let together = has(Task::MultiLabel).then(co_occurrence_table);
    let only_numbers = has(Task::Regression) && !has(Task::SingleLabel) && !has(Task::MultiLabel);
    let whole = is_whole(input);
    let described = move |(name, contents): (&'static str, &'static str)| match (name, only_numbers) {
        ("steps.csv", _) if !whole => steps_of_first(),
        ("predictions.csv", _) if !whole => predictions_of_first(),
        ("mistakes.csv", true) => {
            (name, tr("errors of the predictions on this page, the largest first", "本页预测的误差，最大的在前"))
        }
        ("predictions.csv", true) => (
            name,
            tr(
                "every row of the final evaluation, with true and predicted numbers",
                "最终评估的每一行，连同真实值和预测值",
            ),
        ),
        _ => (name, contents),
    };
    let folds: BTreeSet<_> = input.runs.iter().filter_map(|run| run.run.config.data.fold).collect();
    let folds = folds.len() > 1;
    let before = input.runs.iter().any(|run| !run.before.is_empty());
    let change = change_tables().into_iter().filter(move |_| before);
    let decisions = has_decisions(input).then(decision_table);
    let more = decisions.into_iter().chain(folds.then(out_of_fold_table)).chain(change);
    files().into_iter().map(described).chain(together).chain(more)
}

/// Writes one of [`names`], and returns whether it has a line below its header.
pub fn write(name: &str, input: &ReportInput, analysis: &Analysis, path: &Path) -> Result<bool, ReportError> {
    let mut table = Writer::from_writer(Vec::new());
    let filled = match name {
        "runs.csv" => runs(&mut table, input, analysis),
        "steps.csv" => steps(&mut table, input, analysis),
        "evaluations.csv" => evaluations(&mut table, input),
        "metrics.csv" => metrics(&mut table, input),
        "co_occurrence.csv" => co_occurrence(&mut table, input),
        "predictions.csv" => predictions(&mut table, input),
        "mistakes.csv" => mistakes(&mut table, input, analysis),
        "classes.csv" => classes(&mut table, input),
        "confusion.csv" => confusion(&mut table, input),
        "decisions.csv" => decisions(&mut table, input),
        "out_of_fold.csv" => out_of_fold(&mut table, input, analysis),
        "change.csv" => change::changes(&mut table, input, analysis),
        "flips.csv" => change::flipped(&mut table, input, analysis),
        _ => probes(&mut table, input),
    };
    let failed = |error: csv::Error| ReportError::Table { name: name.to_string(), error };
    filled.map_err(failed)?;
    let bytes = table.into_inner().map_err(|e| failed(e.into_error().into()))?;
    files::write(path, &bytes)?;
    Ok(csv::ReaderBuilder::new().flexible(true).from_reader(&bytes[..]).byte_records().next().is_some())
}

fn number(value: Option<f64>) -> String {
    value.map(|v| v.to_string()).unwrap_or_default()
}

/// The value of a metric; empty if it was not measured.
fn measured(metrics: Option<&Metrics>, metric: Metric) -> String {
    number(metrics.filter(|m| m.is_measured(metric)).map(|m| m.get(metric)))
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
        let interval = m.filter(|m| m.is_measured(Metric::Accuracy)).map(|m| wilson(m.right(), m.rows));
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
            measured(m, Metric::Accuracy),
            number(interval.map(|i| i.low)),
            number(interval.map(|i| i.high)),
            measured(m, Metric::MacroF1),
            measured(m, Metric::Loss),
            measured(m, Metric::CalibrationError),
            measured(run.before(), Metric::Accuracy),
            record.steps.to_string(),
            record.total_steps.to_string(),
            number(record.last_loss),
            number(run.seconds()),
            train.lr.to_string(),
            train.batch_size.to_string(),
            train.epochs.to_string(),
            train.seed.to_string(),
            record.config.data.seed.to_string(),
            measured(dev, Metric::Accuracy),
            measured(dev, Metric::MacroF1),
            measured(dev, Metric::Loss),
        ];
        table.write_record(fixed.into_iter().chain(swept.values(i)))?;
    }
    Ok(())
}

fn steps(table: &mut Table, input: &ReportInput, analysis: &Analysis) -> csv::Result<()> {
    table.write_record(["run", "step", "epoch", "loss", "lr", "grad_norm", "tokens", "elapsed_s"])?;
    // Of other runs not all steps are read.
    let mut drawn: Vec<usize> = Drawn::of(input, analysis).runs().collect();
    drawn.sort_unstable();
    for run in drawn.into_iter().map(|i| &input.runs[i]) {
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
                measured(Some(&e.metrics), Metric::Accuracy),
                measured(Some(&e.metrics), Metric::MacroF1),
                measured(Some(&e.metrics), Metric::Loss),
                measured(Some(&e.metrics), Metric::CalibrationError),
            ])?;
        }
    }
    Ok(())
}

/// Every metric of every final evaluation.
fn metrics(table: &mut Table, input: &ReportInput) -> csv::Result<()> {
    table.write_record(["run", "split", "when", "step", "metric", "value"])?;
    for run in &input.runs {
        let Some(metrics) = &run.run.final_metrics else { continue };
        let step = run.evals.iter().rfind(|eval| eval.when == When::After).map_or(run.run.steps, |eval| eval.step);
        let decided = run.run.decided.as_ref();
        let all = [
            Some((run.measured_on(), when_name(When::After), metrics)),
            decided.map(|decided| (Split::Dev, "decided", &decided.dev)),
            decided.and_then(|decided| Some((Split::Test, "decided", decided.test.as_ref()?))),
        ];
        for (split, when, metrics) in all.into_iter().flatten() {
            for (metric, value) in metrics.values() {
                table.write_record([
                    text(&run.run.name),
                    split_name(split).into(),
                    when.into(),
                    step.to_string(),
                    text(metric.info().id),
                    number(Some(value).filter(|value| !value.is_nan())),
                ])?;
            }
        }
    }
    Ok(())
}

fn co_occurrence(table: &mut Table, input: &ReportInput) -> csv::Result<()> {
    table.write_record(["run", "split", "label", "other", "rows"])?;
    for run in &input.runs {
        let Some(together) = run.run.final_metrics.as_ref().and_then(|m| m.co_occurrence.as_ref()) else { continue };
        for (label, other, rows) in together.cells().filter(|(label, other, _)| label < other) {
            table.write_record([
                text(&run.run.name),
                split_name(run.measured_on()).into(),
                text(&label_name(run, label)),
                text(&label_name(run, other)),
                rows.to_string(),
            ])?;
        }
    }
    Ok(())
}

/// The column that says whether a line is `with` the decision of its run, or `without`; only where a run has one.
const DECISION: &str = "decision";

/// The metrics of a result without and with its decision.
fn beside(run: &RunInput) -> impl Iterator<Item = (&RunInput, &Metrics, &'static str)> {
    let with = run.run.decided.as_ref().and_then(|decided| with_decision::metrics(run, decided));
    let without = run.run.final_metrics.as_ref();
    let both = [(without, "without"), (with.filter(|_| without.is_some()), "with")];
    both.into_iter().filter_map(move |(metrics, decision)| Some((run, metrics?, decision)))
}

fn classes(table: &mut Table, input: &ReportInput) -> csv::Result<()> {
    let ranked = input.runs.iter().any(|run| run.run.config.data.task() == Task::MultiLabel);
    let both = has_decisions(input);
    let head = ["run", "split", "id", "label", "precision", "recall", "f1", "rows", "predicted"];
    table
        .write_record(head.into_iter().chain(ranked.then_some("average_precision")).chain(both.then_some(DECISION)))?;
    for (run, metrics, decision) in input.runs.iter().flat_map(beside) {
        let predicted = metrics.confusion.predicted();
        for (id, class) in metrics.per_class.iter().enumerate() {
            let average = number(class.average_precision.filter(|share| !share.is_nan()));
            let occurs = class.support > 0 || class.predicted != Some(0);
            let fixed = [
                text(&run.run.name),
                split_name(run.measured_on()).into(),
                id.to_string(),
                text(&class.label),
                number(Some(class.precision).filter(|share| !share.is_nan())),
                number(Some(class.recall).filter(|share| !share.is_nan())),
                number(Some(class.f1).filter(|_| occurs)),
                class.support.to_string(),
                class.predicted.or(predicted.get(id).copied()).unwrap_or(0).to_string(),
            ];
            let decision = both.then(|| decision.into());
            table.write_record(fixed.into_iter().chain(ranked.then_some(average)).chain(decision))?;
        }
    }
    Ok(())
}

fn confusion(table: &mut Table, input: &ReportInput) -> csv::Result<()> {
    let both = has_decisions(input);
    table.write_record(["run", "split", "label", "predicted", "rows"].into_iter().chain(both.then_some(DECISION)))?;
    for (run, metrics, decision) in input.runs.iter().flat_map(beside) {
        for (label, predicted, rows) in metrics.confusion.cells() {
            let fixed = [
                text(&run.run.name),
                split_name(run.measured_on()).into(),
                text(&label_name(run, label)),
                text(&label_name(run, predicted)),
                rows.to_string(),
            ];
            table.write_record(fixed.into_iter().chain(both.then(|| decision.into())))?;
        }
    }
    Ok(())
}

/// Names of all labels of all runs, in the order they first appear; numbers have no probabilities.
fn all_labels(input: &ReportInput) -> Vec<&str> {
    let mut seen = HashSet::new();
    let runs = input.runs.iter().filter(|run| run.run.config.data.task() != Task::Regression);
    runs.flat_map(|r| &r.run.labels).map(String::as_str).filter(|label| seen.insert(*label)).collect()
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
        let (targets, task) = (Targets::of(run), run.run.config.data.task());
        let between = run.run.config.data.label_separator.as_deref();
        for p in &run.probes {
            let score = &p.score;
            let mut record = vec![
                text(&run.run.name),
                when_name(p.when).into(),
                p.step.to_string(),
                (score.position + 1).to_string(),
                score.expect.as_ref().map_or(String::new(), |expect| targets.probe(task, expect, between)),
                targets.probe(task, &score.predicted, None),
                score.is_right().map(|right| right.to_string()).unwrap_or_default(),
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
