//! The temperature and the thresholds of a run, or of the folds of a cross-validation, beside the metrics without them.

use super::super::{analysis::Analysis, format, input::RunInput, with_decision::chosen};
use crate::report::language::{Said, tr};
use crate::{
    event::{Decided, Split, When},
    metrics::{Metric, Metrics},
    stats::wilson,
    task::Task,
};

/// The most thresholds that are listed.
const MOST: usize = 20;

/// What was chosen on the dev rows.
#[derive(Debug, Clone)]
pub struct DecisionSection {
    /// Sentences about it.
    pub sentences: Vec<String>,
    /// The headings of `rows`.
    pub heads: Vec<String>,
    /// A metric, and its values without and with the decision on each split.
    pub rows: Vec<Vec<String>>,
}

/// A split, with its metrics without and with the decision.
type Beside<'a> = (&'static str, &'a Metrics, &'a Metrics);

/// That of the result, which is of these runs: of one, or of the folds of one seed. `None` if nothing was chosen.
pub fn section(result: Option<&RunInput>, with: Option<&RunInput>, runs: &[&RunInput]) -> Option<DecisionSection> {
    match (result, runs) {
        (Some(run), [_]) => of_run(run, with),
        (Some(together), [_, ..]) => of_folds(together, with, runs),
        _ => None,
    }
}

fn of_run(run: &RunInput, with: Option<&RunInput>) -> Option<DecisionSection> {
    let (decided, data) = (run.run.decided.as_ref()?, &run.run.config.data);
    let mut sentences = Vec::new();
    if data.calibrate {
        let temperature = format::decimals(decided.decision.temperature, 3);
        sentences.push(tr!(
            "Logits are divided by the temperature {temperature}, which gives the lowest loss on the dev rows.",
            "logits 除以温度 {temperature}，它使开发集的损失最小。"
        ));
    }
    if let Some(metric) = decided.metric {
        let of_label = |(label, at): (&String, f64)| format!("“{label}” {}", format::decimals(at, 3));
        let all = listed(decided.decision.named(&run.run.labels).map(of_label));
        sentences.push(tr!(
            "A label is predicted if its probability is at least its threshold; these thresholds give the best {} on the dev rows: {all}.",
            "概率达到下列阈值即预测该标签，这些阈值使开发集的{}最好：{all}。",
            metric.said(),
        ));
    }
    sentences.push(
        tr(
            "No test row influences the choice. `taper predict` and `taper eval` apply it.",
            "测试集的行不参与这一选择。`taper predict` 和 `taper eval` 会应用它。",
        )
        .into(),
    );
    sentences.extend(with.map(scope));
    let before = |split| {
        let of_split = |eval: &&crate::store::EvalRecord| eval.when == When::After && eval.split == split;
        run.evals.iter().rev().find(of_split).map(|eval| &eval.metrics)
    };
    let splits = [
        (tr("dev", "开发集"), before(Split::Dev), Some(&decided.dev)),
        (tr("test", "测试集"), before(Split::Test), decided.test.as_ref()),
    ];
    let splits: Vec<Beside<'_>> =
        splits.into_iter().filter_map(|(name, without, with)| Some((name, without?, with?))).collect();
    let (heads, rows) = table(run, decided, &splits);
    Some(DecisionSection { sentences, heads, rows })
}

/// What of the report is with the decision, and what without; `with` is the result with it.
fn scope(with: &RunInput) -> String {
    let task = with.run.config.data.task();
    let (mut with_it, mut without) = (vec![tr("the classes", "各类别")], Vec::new());
    if task == Task::SingleLabel {
        with_it.insert(0, tr("the confusion matrix", "混淆矩阵"));
    }
    let rows = if with.predictions.is_empty() { &mut without } else { &mut with_it };
    rows.extend([tr("the reliability diagram", "可靠性图"), tr("the mistakes", "错误"), "`mistakes.csv`"]);
    with_it.push(tr("the probes after training", "训练后的探针"));
    let beside = match task {
        Task::MultiLabel => tr("the tables of metrics and `metrics.csv`", "指标表、`metrics.csv`"),
        _ => "`metrics.csv`",
    };
    without.push(tr(
        "all else (the ranking, the runs, the curves, the comparisons, what training changed)",
        "其余全部（排名、运行、曲线、比较、训练带来的变化）",
    ));
    let tables = match task {
        Task::SingleLabel => tr(
            "`classes.csv`, `confusion.csv` and `predictions.csv`",
            "`classes.csv`、`confusion.csv` 和 `predictions.csv`",
        ),
        _ => tr("`classes.csv` and `predictions.csv`", "`classes.csv` 和 `predictions.csv`"),
    };
    let rows = match with.predictions.is_empty() {
        true => tr(
            " Single rows are shown without the decision, because what is stored of them does not suffice to apply it.",
            "单行未应用它，因为所存内容无法得出应用后的预测。",
        ),
        false => "",
    };
    let between = tr(", ", "、");
    tr!(
        "With the decision: {}. With and without it: the answer, {beside}, and the table below. Without it: {}. The tables {tables} have \
         both, in columns that say so.{rows}",
        "应用了这一选择的有：{}。两种都给出的有：结论、{beside} 和下表。未应用的有：{}。{tables} 以单独的列给出两者。{rows}",
        with_it.join(between),
        without.join(between),
    )
}

/// That something is with the decision.
fn with(analysis: &Analysis) -> Option<&'static str> {
    analysis.with_decision.as_ref().map(|run| chosen(&run.run.config.data))
}

/// Said of the table of classes.
pub(super) fn of_classes(analysis: &Analysis) -> Option<String> {
    with(analysis).map(|chosen| tr!("The table is of the predictions with {chosen}.", "表中是应用{chosen}后的预测。"))
}

/// Said of what training changed.
pub(super) fn without(analysis: &Analysis) -> Option<String> {
    with(analysis).map(|chosen| {
        tr!("Both are without {chosen}: what is compared is training alone.", "两者都未应用{chosen}：比较的只是训练。")
    })
}

/// Said of the mistakes, behind another sentence.
pub(super) fn of_mistakes(analysis: &Analysis) -> String {
    let is_known = analysis.with_decision.as_ref().is_some_and(|run| !run.predictions.is_empty());
    with(analysis).map_or(String::new(), |chosen| match is_known {
        true => tr!(" Predicted with {chosen}.", "预测应用了{chosen}。"),
        false => tr!(" Predicted without {chosen}.", "预测未应用{chosen}。"),
    })
}

/// Each fold chooses for itself; metrics are those of the held-out rows of all folds together.
fn of_folds(together: &RunInput, decided: Option<&RunInput>, folds: &[&RunInput]) -> Option<DecisionSection> {
    let all: Vec<&Decided> = folds.iter().map(|run| run.run.decided.as_ref()).collect::<Option<_>>()?;
    let (first, data) = (*all.first()?, &together.run.config.data);
    let mut sentences =
        vec![tr("Each fold chooses for itself, on its own dev rows.", "每一折各自选择，用它自己的开发集。").to_owned()];
    if data.calibrate {
        let temperatures: Vec<f64> = all.iter().map(|decided| decided.decision.temperature).collect();
        sentences.push(tr!(
            "Logits are divided by a temperature, which gives the lowest loss on these rows: {}.",
            "logits 除以一个温度，它使这些行的损失最小：{}。",
            mean_and_range(&temperatures)
        ));
    }
    if let Some(metric) = first.metric {
        let labels = &together.run.labels;
        let named: Vec<Vec<f64>> =
            all.iter().map(|decided| decided.decision.named(labels).map(|(_, at)| at).collect()).collect();
        let of_label = |(i, (label, _)): (usize, (&String, f64))| {
            let of_folds: Vec<f64> = named.iter().filter_map(|fold| fold.get(i).copied()).collect();
            format!("“{label}” {}", mean_and_range(&of_folds))
        };
        let listed = listed(first.decision.named(labels).enumerate().map(of_label));
        sentences.push(tr!(
            "A label is predicted if its probability is at least its threshold; these thresholds give the best {} on these rows: {listed}.",
            "概率达到下列阈值即预测该标签，这些阈值使这些行的{}最好：{listed}。",
            metric.said()
        ));
    }
    sentences.push(
        tr(
            "These are means over the folds, with the lowest and the highest value. No test row influences the choice of its fold.",
            "这些是各折的平均值，括号内为最低值和最高值。测试集的行不参与所在折的选择。",
        )
            .into(),
    );
    sentences.extend(decided.map(scope));
    let tested: Option<Vec<&Metrics>> = all.iter().map(|decided| decided.test.as_ref()).collect();
    // Whatever follows from single rows, too, where they are known.
    let known = decided.and_then(|run| run.run.final_metrics.clone());
    let with = known.or_else(|| tested.and_then(|tested| Metrics::pooled(&tested)));
    let splits: Vec<Beside<'_>> = together
        .run
        .final_metrics
        .as_ref()
        .zip(with.as_ref())
        .map(|(without, with)| (tr("out-of-fold", "折外"), without, with))
        .into_iter()
        .collect();
    let (heads, mut rows) = table(together, first, &splits);
    if with.is_none_or(|with| !with.is_measured(Metric::CalibrationError)) {
        rows.extend(mean_calibration_error(folds, &all));
    }
    Some(DecisionSection { sentences, heads, rows })
}

/// The calibration error does not follow from those of the folds: its mean over them.
fn mean_calibration_error(folds: &[&RunInput], all: &[&Decided]) -> Option<Vec<String>> {
    let metric = Metric::CalibrationError;
    let mean = |of: Vec<Option<&Metrics>>| -> Option<f64> {
        let values: Option<Vec<f64>> = of.into_iter().map(|metrics| Some(metrics?.get(metric))).collect();
        let values = values.filter(|values| values.iter().all(|value| value.is_finite()))?;
        Some(values.iter().sum::<f64>() / values.len() as f64)
    };
    let without = mean(folds.iter().map(|run| run.run.final_metrics.as_ref()).collect())?;
    let with = mean(all.iter().map(|decided| decided.test.as_ref()).collect())?;
    let name = tr!("{}, mean of the folds", "{}，各折平均", format::capital(&metric.said()));
    Some(vec![name, metric.text(without), metric.text(with)])
}

/// The headings, and a row for each metric that the decision can change.
fn table(run: &RunInput, decided: &Decided, splits: &[Beside<'_>]) -> (Vec<String>, Vec<Vec<String>>) {
    let mut metrics: Vec<Metric> = decided.metric.into_iter().collect();
    metrics.extend(run.run.config.data.task().headline());
    metrics.extend([Metric::SubsetAccuracy, Metric::Loss, Metric::CalibrationError]);
    let mut known = Vec::new();
    metrics.retain(|metric| {
        let is_measured = splits.iter().any(|(_, _, with)| !with.get(*metric).is_nan());
        let is_new = !known.contains(metric) && is_measured;
        known.push(*metric);
        is_new
    });
    let mut heads = vec![tr("Metric", "指标").to_owned()];
    heads.extend(splits.iter().flat_map(|(name, ..)| {
        [tr!("{}, without", "{}，应用前", format::capital(name)), tr!("{}, with", "{}，应用后", format::capital(name))]
    }));
    let row = |metric: &Metric| {
        let mut cells = vec![format::capital(&metric.said())];
        cells.extend(splits.iter().flat_map(|(_, without, with)| [without, with].map(|m| value(*metric, m))));
        cells
    };
    (heads, metrics.iter().map(row).collect())
}

/// The first of them, and how many there are more.
fn listed(all: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = all.collect();
    let more = all.len().saturating_sub(MOST);
    all.truncate(MOST);
    all.extend((more > 0).then(|| {
        tr!(
            "and {} more (`decision.json` of the kept model)",
            "以及另外 {} 个（见保留模型的 `decision.json`）",
            format::count(more as u64)
        )
    }));
    all.join(tr(", ", "、"))
}

/// `0.411 (0.350–0.470)`.
fn mean_and_range(values: &[f64]) -> String {
    let [mean, low, high] = [
        values.iter().sum::<f64>() / values.len() as f64,
        values.iter().copied().fold(f64::INFINITY, f64::min),
        values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    ]
    .map(|value| format::decimals(value, 3));
    format!("{mean} ({low}–{high})")
}

/// A value, with Wilson's interval where it is a share of the rows.
fn value(metric: Metric, metrics: &Metrics) -> String {
    let value = metrics.get(metric);
    if !matches!(metric, Metric::Accuracy | Metric::SubsetAccuracy) {
        return metric.text(value);
    }
    let interval = wilson(metrics.right(), metrics.rows);
    format::with_interval(metric, value, (interval.low, interval.high))
}
