//! The section on results: all metrics of both splits, the classes, and the decision.

use super::{input::CardInput, page::Page};
use crate::report::language::{Said, counted, tr};
use crate::{
    event::Split,
    metrics::{Metric, Metrics},
    report::{
        cells::label_name,
        format,
        intervals::{Intervals, explained, over_rows},
        reference::Reference,
        terms::{Terms, is_share_of_rows},
        with_decision::chosen,
    },
    stats::wilson,
    task::Task,
};

/// The most classes and thresholds that are listed.
const MOST: usize = 50;

/// Writes it.
pub(super) fn write(input: &CardInput<'_>, page: &mut Page) {
    let run = input.run;
    let terms = Terms::of_run(&run.run);
    page.heading(2, tr("Results", "结果"));
    let intervals = over_rows(run);
    let [dev, test] = [Split::Dev, Split::Test].map(|split| input.measured(split));
    let before = run.before();
    let measured = run.measured_on();
    let of = |split: Split, metrics: Option<&Metrics>, metric: Metric| {
        let own = if split == measured { intervals } else { [None; 2] };
        metrics.map(|metrics| value(terms, metrics, metric, own))
    };
    let mut heads = vec![tr("Metric", "指标").to_owned()];
    let columns: Vec<Split> =
        [(Split::Test, test), (Split::Dev, dev)].into_iter().filter_map(|(split, m)| m.map(|_| split)).collect();
    heads.extend(columns.iter().map(|split| format::capital(split.said())));
    if before.is_some() {
        heads.push(tr!("{}, before training", "{}，训练前", format::capital(measured.said())));
    }
    let shown = |metric: &Metric| [dev, test].into_iter().flatten().any(|m| m.is_measured(*metric));
    let rows: Vec<Vec<String>> = input
        .metrics()
        .filter(shown)
        .map(|metric| {
            let mut row = vec![format::capital(&metric.said())];
            row.extend(columns.iter().map(|split| {
                let metrics = if *split == Split::Test { test } else { dev };
                of(*split, metrics, metric).unwrap_or_else(|| format::NOTHING.into())
            }));
            row.extend(before.map(|before| metric.text(before.get(metric))));
            row
        })
        .collect();
    page.table(&heads, &rows);
    page.paragraph(&notes(input, terms, &intervals));
    if let Some(reference) = Reference::of(run) {
        let metrics = run.run.final_metrics.as_ref();
        let sentence = metrics.map(|metrics| reference.sentence(run, metrics)).unwrap_or_default();
        let verdict = reference.verdict(run, tr("the model", "模型"));
        page.paragraph(&[sentence, verdict].join(tr(" ", "")));
    }
    classes(input, page);
    decision(input, page);
}

/// A value with its interval, if it has one.
fn value(terms: Terms, metrics: &Metrics, metric: Metric, intervals: Intervals) -> String {
    let value = metrics.get(metric);
    let interval = match metric {
        metric if is_share_of_rows(metric) => Some(wilson(metrics.right(), metrics.rows)),
        metric if metric == terms.first => intervals[0],
        metric if metric == terms.second => intervals[1],
        _ => None,
    };
    match interval {
        Some(interval) => format::with_interval(metric, value, (interval.low, interval.high)),
        None => metric.text(value),
    }
}

/// What the numbers are of.
fn notes(input: &CardInput<'_>, terms: Terms, intervals: &Intervals) -> String {
    let mut parts = Vec::new();
    let rows = |split: Split, noun: &str| input.measured(split).map(|metrics| counted(metrics.rows, noun));
    match (rows(Split::Test, "test row"), rows(Split::Dev, "dev row")) {
        (Some(test), Some(dev)) => parts.push(tr!("Measured on {test} and {dev}.", "在 {test}和 {dev}上测量。")),
        (Some(only), None) | (None, Some(only)) => parts.push(tr!("Measured on {only}.", "在 {only}上测量。")),
        (None, None) => {}
    }
    if terms.is_single() || terms.task == Task::MultiLabel {
        parts.push(
            tr(
                "In parentheses: 95% intervals over these rows, Wilson's for shares of rows.",
                "括号内是这些行上的 95% 区间；行的比例用威尔逊（Wilson）区间。",
            )
            .into(),
        );
    }
    if !terms.is_single() && intervals.iter().any(Option::is_some) {
        let how = explained();
        parts.push(tr!("Other intervals: {how}.", "其他区间：{how}。"));
    }
    if terms.task == Task::Regression && input.run.run.labels.len() > 1 {
        parts.push(
            tr("With several columns, each metric is the mean over the columns.", "有几列时，指标是各列的平均值。")
                .into(),
        );
    }
    parts.push(terms.loss().into());
    parts.join(tr(" ", ""))
}

/// Precision, recall and F1 of each class.
fn classes(input: &CardInput<'_>, page: &mut Page) {
    let Some(metrics) = &input.run.run.final_metrics else { return };
    if metrics.per_class.is_empty() {
        return;
    }
    let split = input.run.measured_on().said();
    page.paragraph(&tr!("Each label on the {split} rows:", "{split}上的各标签："));
    let heads = [tr("Label", "标签"), tr("Rows", "行数"), tr("Precision", "精确率"), tr("Recall", "召回率"), "F1"]
        .map(String::from);
    let share = |value: f64| Metric::MacroF1.text(value);
    let f1 = |class: &crate::metrics::ClassMetrics| match class.precision.is_nan() && class.recall.is_nan() {
        true => f64::NAN,
        false => class.f1,
    };
    let row = |class: &crate::metrics::ClassMetrics| {
        let label = class.label.clone();
        vec![label, format::count(class.support), share(class.precision), share(class.recall), share(f1(class))]
    };
    let rows: Vec<Vec<String>> = metrics.per_class.iter().take(MOST).map(row).collect();
    page.table(&heads, &rows);
    let more = metrics.per_class.len().saturating_sub(MOST) as u64;
    if more > 0 {
        page.paragraph(&tr!("And {}.", "另有 {}。", counted(more, "other label")));
    }
}

/// The temperature and the thresholds, with the metrics that follow from them.
fn decision(input: &CardInput<'_>, page: &mut Page) {
    let run = &input.run.run;
    let Some(decided) = &run.decided else { return };
    let what = chosen(&run.config.data);
    page.heading(3, tr("Decision", "阈值与温度"));
    let mut sentences = vec![tr!(
        "`decision.json` has {what}, chosen on the dev rows. `taper predict` applies it; transformers and onnxruntime do not read it, and \
         give the results above.",
        "`decision.json` 中有在开发集上选出的{what}。`taper predict` 会应用它；transformers 和 onnxruntime 不读取它，得到的是上面的结果。"
    )];
    if run.config.data.calibrate {
        sentences.push(tr!("Temperature: {}.", "温度：{}。", format::decimals(decided.decision.temperature, 3)));
    }
    if let Some(metric) = decided.metric {
        let of_label = |(label, at): (&String, f64)| format!("“{label}” {}", format::decimals(at, 3));
        let all: Vec<String> = decided.decision.named(&run.labels).take(MOST).map(of_label).collect();
        sentences.push(tr!(
            "Thresholds, by the best {} on the dev rows: {}.",
            "阈值（使开发集的{}最好）：{}。",
            metric.said(),
            all.join(tr(", ", "、"))
        ));
    }
    page.paragraph(&sentences.join(tr(" ", "")));
    let with = decided.test.as_ref().unwrap_or(&decided.dev);
    let split = if decided.test.is_some() { Split::Test } else { Split::Dev };
    let Some(without) = input.measured(split) else { return };
    let mut metrics: Vec<Metric> = run.config.data.task().headline().into();
    metrics.extend(decided.metric.filter(|metric| !metrics.contains(metric)));
    metrics.extend([Metric::Loss, Metric::CalibrationError]);
    metrics.retain(|metric| with.get(*metric).is_finite() && without.get(*metric).is_finite());
    let heads = [
        tr("Metric", "指标").to_owned(),
        tr!("{}, without", "{}，应用前", format::capital(split.said())),
        tr!("{}, with", "{}，应用后", format::capital(split.said())),
    ];
    let row = |metric: &Metric| {
        vec![format::capital(&metric.said()), metric.text(without.get(*metric)), metric.text(with.get(*metric))]
    };
    page.table(&heads, &metrics.iter().map(row).collect::<Vec<_>>());
}

/// Labels as a list in a sentence: the first of them, and how many there are more.
pub(super) fn named(input: &CardInput<'_>, ids: &[u32]) -> String {
    const NAMES: usize = 12;
    let mut names: Vec<String> =
        ids.iter().take(NAMES).map(|id| tr!("“{}”", "“{}”", label_name(input.run, *id))).collect();
    if let more @ 1.. = ids.len().saturating_sub(NAMES) {
        names.push(counted(more as u64, "other label"));
    }
    crate::report::language::and(&names)
}
