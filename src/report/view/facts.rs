//! What the answer says of its number: whether the gain is beyond chance, how the trial was chosen, and what a user of the model gets.

use crate::report::language::{Said, measured, replicate, tr};
use crate::{
    format::by_number,
    metrics::{Metric, Metrics},
    plan::Thresholds,
    report::{
        analysis::{Analysis, Comparison, Group},
        change, format,
        input::{ReportInput, RunInput},
        long_texts::few,
        means::{Mean, mean},
        same_rows::OnSameRows,
        terms::Terms,
        with_decision::chosen,
    },
    stats::{Interval, difference_of, wilson_of_share},
    store::RunState,
};

/// A value of the first metric, with its interval.
#[derive(Clone, Copy)]
pub(super) struct Measured {
    pub value: f64,
    pub interval: Option<Interval>,
}

impl Measured {
    /// Of a mean. The range of two seeds is no 95% interval: where it is the wider one, there is none.
    pub fn of(mean: &Mean) -> Self {
        let range = |shown: &(f64, f64)| mean.n == 2 && *shown == mean.range;
        let shown = mean.shown().filter(|shown| !range(shown));
        Self { value: mean.mean, interval: shown.map(|(low, high)| Interval { low, high }) }
    }

    /// Of a mean, with the interval of one run over its rows where that is wider, as if it were around the mean: several seeds do not add rows.
    pub fn over_rows(mean: &Mean, run: f64, rows: Option<Interval>) -> Self {
        let own = Self::of(mean);
        let moved = rows.map(|rows| Interval { low: rows.low + own.value - run, high: rows.high + own.value - run });
        let width = |interval: &Interval| interval.high - interval.low;
        let of_two = if mean.n == 2 { mean.range.1 - mean.range.0 } else { 0.0 };
        let both = own.interval.into_iter().chain(moved).filter(|interval| width(interval) >= of_two);
        Self { interval: both.reduce(|a, b| if width(&b) > width(&a) { b } else { a }), ..own }
    }

    /// Of a value on these rows: a share of them has Wilson's interval.
    pub fn on_rows(terms: Terms, value: f64, rows: u64) -> Self {
        let interval = terms.is_single().then(|| wilson_of_share(value, rows));
        Self { value, interval }
    }
}

/// A gain over another value.
pub(super) struct Gain {
    /// What it is over, in a sentence.
    what: &'static str,
    /// The first metric minus the other value.
    difference: f64,
    /// 95% interval of the difference.
    interval: Interval,
    /// p-value of McNemar's test, where both are of the same rows.
    p: Option<f64>,
}

impl Gain {
    /// Over a value that is taken as independent, so that the interval is wider than it has to be on the same rows. `None` if one of the two has
    /// no interval: half of the uncertainty would be missing.
    pub fn over(what: &'static str, after: Measured, other: Measured) -> Option<Self> {
        let (own, of_other) = (after.interval?, other.interval?);
        let interval = difference_of((after.value, own), (other.value, of_other));
        let difference = after.value - other.value;
        difference.is_finite().then_some(Self { what, difference, interval, p: None })
    }

    /// Of a run over what it predicted before training, row by row. `None` if that is not stored.
    pub fn of_rows(what: &'static str, run: &RunInput, terms: Terms) -> Option<Self> {
        let rows = change::joined(run)?;
        if run.run.final_metrics.as_ref()?.rows != rows.len() as u64 {
            return None;
        }
        let change::Gained { difference, interval, p } = change::gained(&rows, terms.task, run.run.labels.len())?;
        Some(Self { what, difference, interval, p })
    }

    fn text(&self, terms: Terms) -> String {
        let (low, high) = (self.interval.low, self.interval.high);
        let excluded = low > 0.0 || high < 0.0;
        let verdict = match (excluded, self.p.is_none_or(|p| p < 0.05), terms.is_better(self.difference)) {
            (true, true, true) => tr("beyond chance", "超出偶然波动"),
            (true, true, false) => tr("worse, beyond chance", "变差，且超出偶然波动"),
            // The interval is an approximation.
            (true, false, _) => tr("not shown beyond chance, by the exact test", "按精确检验，不能排除偶然"),
            (false, ..) => tr("not shown beyond chance", "不能排除偶然"),
        };
        let p = self.p.map_or(String::new(), |p| tr!(", McNemar {}", "，McNemar 检验 {}", format::p_value(p)));
        tr!(
            "{} over {} (interval {} to {}{p}): {verdict}",
            "相对{1} {0}（区间 {2} 至 {3}{p}），{verdict}",
            terms.difference(self.difference),
            self.what,
            terms.bare_difference(low),
            terms.bare_difference(high)
        )
    }
}

/// How many trials, or runs, the best was chosen from.
pub(super) fn of_how_many(analysis: &Analysis) -> String {
    let ranked = analysis.groups.iter().filter(|group| group.rank.is_some()).count();
    match (analysis.has_several(), ranked) {
        // The others would have been chosen, had they been better.
        (true, 0 | 1) => format::plural(analysis.planned(), "trial"),
        (true, ranked) => format::plural(ranked, "trial"),
        (false, _) => format::plural(analysis.ranked.len(), "run"),
    }
}

/// Whether each gain is beyond chance. `chosen_here`: what the best was chosen from by the same rows.
pub(super) fn gain(terms: Terms, gains: &[Gain], rows: &str, chosen_here: Option<&str>) -> Option<String> {
    let parts: Vec<String> = gains.iter().map(|gain| gain.text(terms)).collect();
    if parts.is_empty() {
        return None;
    }
    let lower = if terms.lower_is_better() { tr(" Lower is better.", "越低越好。") } else { "" };
    let uncorrected = chosen_here.map_or(String::new(), |all| {
        tr!(
            " This is not corrected for choosing the best of {all} by the same rows, which makes a gain look larger and more certain than it is.",
            "这没有校正“用同一批行从{all}中选最好”的影响；这种选择会让提升看起来更大、更确定。"
        )
    });
    let gains = tr!("The gain on {rows}: {}.", parts.join("; "); "在 {rows}上的提升：{}。", parts.join("；"));
    Some(format!("{gains}{lower}{uncorrected}"))
}

/// How the best of several trials was chosen, and which others are as good.
pub(super) fn choice(input: &ReportInput, analysis: &Analysis, group: &Group) -> Option<String> {
    let trials = analysis.planned();
    if trials < 2 {
        return None;
    }
    let metric = analysis.criterion.metric;
    let by = measured(analysis.criterion.split, analysis.chosen_by());
    let value = group.chosen.map_or(String::new(), |mean| tr!(", {}", "（{}）", mean.text(metric)));
    // Also while only one trial is completed: the rows decide between it and the others.
    let same_rows = analysis.best().is_some_and(|best| input.runs[best].measured_on() == analysis.criterion.split);
    let rows = match same_rows {
        true => tr("on the rows that it is measured on", "用的就是评测它的那些行"),
        false => tr("without the test rows", "没有用到测试集"),
    };
    let complete = analysis.groups.iter().filter(|group| group.rank.is_some()).count();
    let of = match complete == trials {
        true => format::plural(trials, "trial"),
        false => tr!("{} ({complete} completed)", "{}（{complete} 个已完成）", format::plural(trials, "trial")),
    };
    Some(tr!(
        "Chosen from {of} by {by}{value}, {rows}.{}{}",
        "从 {of}中按{by}{value}选出，{rows}。{}{}",
        ties(analysis, group),
        nearly_as_good(analysis, group)
    ))
}

/// How far the ranked trials behind the best are within what its value is uncertain by.
fn nearly_as_good(analysis: &Analysis, group: &Group) -> String {
    let metric = analysis.criterion.metric;
    let (Some(best), Some(Interval { low, high })) =
        (group.chosen, group.chosen.as_ref().and_then(|mean| Measured::of(mean).interval))
    else {
        return String::new();
    };
    let others: Vec<f64> = analysis
        .groups
        .iter()
        .filter(|other| other.rank.is_some() && other.name != group.name)
        .filter_map(|other| Some(other.chosen?.mean))
        .collect();
    let within = others.iter().filter(|value| (low..=high).contains(*value)).count();
    let Some(next) = others.iter().copied().reduce(|a, b| if metric.score(b) > metric.score(a) { b } else { a }) else {
        return String::new();
    };
    let apart = match metric.text(next) == metric.text(best.mean) && next != best.mean {
        true => {
            let [best, next] = metric.texts_apart(best.mean, next);
            tr!(" The next one has {next} against {best}.", "下一名为 {next}，它为 {best}。")
        }
        false => String::new(),
    };
    // Those without a value are others, too.
    let all = analysis.groups.iter().filter(|other| other.rank.is_some() && other.name != group.name).count();
    match within {
        0 => apart,
        1 if all == 1 => tr!(
            "{apart} The interval covers the other trial: which of the two is better may be chance.",
            "{apart}这个区间覆盖了另一个试验：两者哪个更好可能只是偶然。"
        ),
        within if within == all => tr!(
            "{apart} The interval covers all {all} others: which of them is best may be chance.",
            "{apart}这个区间覆盖了其余 {all} 个试验：其中哪个最好可能只是偶然。"
        ),
        within => tr!(
            "{apart} The interval covers {within} of the {all} others: which of these is best may be chance.",
            "{apart}这个区间覆盖了其余 {all} 个试验中的 {within} 个：其中哪个最好可能只是偶然。"
        ),
    }
}

/// The trials whose value is the best one.
fn ties(analysis: &Analysis, group: &Group) -> String {
    let metric = analysis.criterion.metric;
    let Some(best) = group.chosen.map(|mean| metric.score(mean.mean).rounded()) else { return String::new() };
    let same = |other: &&Group| {
        other.rank.is_some() && other.chosen.is_some_and(|mean| metric.score(mean.mean).rounded() == best)
    };
    let others: Vec<&str> =
        analysis.groups.iter().filter(same).filter(|other| other.name != group.name).map(|g| g.name.as_str()).collect();
    match others.len() {
        0 => String::new(),
        n => tr!(
            " {} {} the same value ({}): the loss on the same rows decided, then the order of the plan.",
            format::plural(n, "other trial"),
            by_number(n as u64, "has", "have"),
            few(&others)
        ; "{}的值与它相同（{}）：先比较同一批行上的损失，再按计划中的顺序。", format::plural(n, "other trial"), few(&others)),
    }
}

/// Whether the best trial is distinguishable from the second.
pub(super) fn second(input: &ReportInput, analysis: &Analysis) -> Option<String> {
    let group = |g: usize| analysis.groups[g].name.as_str();
    // Of several seeds, rows are those of one run of each trial.
    let by_runs = matches!(analysis.comparison, Some(Comparison::Runs { .. }));
    let (it, that_of, the) = match by_runs && analysis.has_seeds() && !analysis.has_folds() {
        true => (tr("Its best run", "它最好的一次运行"), tr("that of ", "的最好运行"), tr("The best run of the", "")),
        false => (tr("It", "它"), "", tr("The", "")),
    };
    // The metric of the comparison, and whether the ranking saw other rows.
    let on = analysis.best().map(|best| input.runs[best].measured_on());
    let by = match on.filter(|_| !analysis.has_folds()) {
        Some(on) => measured(on, analysis.terms.first),
        None => analysis.terms.first.said(),
    };
    let elsewhere = on.is_some_and(|on| on != analysis.criterion.split);
    let keep = match elsewhere {
        true => tr!(
            " This is no reason to take it: choosing by the {} rows would make its value there optimistic.",
            "这不是改选它的理由：按{}的行来选择，会使它在那里的值偏乐观。",
            on.map_or("", |on| on.said())
        ),
        false => String::new(),
    };
    let said = |p: f64, first_is_better: bool, second: &str| {
        let p_value = format::p_value(p);
        match (p < 0.05, first_is_better) {
            (false, _) => {
                tr!(
                    "By {by}, {} is not distinguishable from {that_of}the second trial, “{second}” ({p_value}).",
                    it.to_lowercase()
                ; "按{by}，{it}与第二名的试验“{second}”{that_of}无法区分（{p_value}）。"
                )
            }
            (true, true) => {
                tr!(
                    "By {by}, {} is significantly better than {that_of}the second trial, “{second}” ({p_value}).",
                    it.to_lowercase()
                ; "按{by}，{it}显著好于第二名的试验“{second}”{that_of}（{p_value}）。"
                )
            }
            (true, false) if !by_runs => tr!(
                "The second trial by the ranking, “{second}”, has a significantly better mean {by} over the {}s ({p_value}).{keep}",
                "排名第二的试验“{second}”的{by}在各{}上的平均值显著更好（{p_value}）。{keep}",
                replicate(analysis.averaged_over())
            ),
            (true, false) => tr!(
                "{the} second trial by the ranking, “{second}”, has a significantly better {by} ({p_value}).{keep}",
                "排名第二的试验“{second}”{that_of}的{by}显著更好（{p_value}）。{keep}"
            ),
        }
    };
    match analysis.comparison.as_ref()? {
        Comparison::Means { second, differ: Some(differ), .. } => {
            Some(said(differ.p, analysis.terms.is_better(differ.difference), group(*second)))
        }
        Comparison::Means { .. } => None,
        Comparison::Runs { second, paired, .. } => {
            let name = group(analysis.group_of(*second.first()?));
            match paired {
                Ok(OnSameRows::Right(paired)) => {
                    Some(said(paired.mcnemar(), paired.first_only > paired.second_only, name))
                }
                Ok(OnSameRows::Errors { test, .. }) => Some(said(test.p, test.mean < 0.0, name)),
                Err(_) => None,
            }
        }
    }
}

/// The ranking metric of the best trial on both splits, if the answer does not show it.
pub(super) fn ranking_metric(input: &ReportInput, analysis: &Analysis, group: &Group) -> Option<String> {
    let (metric, terms) = (analysis.criterion.metric, analysis.terms);
    if [terms.first, terms.second].contains(&metric) {
        return None;
    }
    let dev = group.chosen.map(|mean| tr!("{} {}", "{1} {0}", mean.text(metric), analysis.criterion.split.said()));
    let runs: Vec<&RunInput> = group.finished.iter().map(|&run| &input.runs[run]).collect();
    let test = on_test(&runs, metric).map(|mean| tr!("{} test", "测试集 {}", mean.text(metric)));
    let parts: Vec<String> = dev.into_iter().chain(test).collect();
    let what = if runs.len() > 1 {
        tr!(" (means over {}s)", "（对各{}取平均）", replicate(analysis.averaged_over()))
    } else {
        String::new()
    };
    let out_of_fold = group.out_of_fold.as_ref().and_then(|folds| folds.ranking.1);
    let pooled = out_of_fold.map_or(String::new(), |mean| tr!("; {} out-of-fold", "；折外 {}", mean.text(metric)));
    (!parts.is_empty()).then(|| {
        tr!(
            "{}, by which trials are ranked: {}{what}{pooled}.",
            "{}（试验按它排名）：{}{what}{pooled}。",
            format::capital(&metric.said()),
            parts.join(tr(", ", "，"))
        )
    })
}

/// The mean of a metric over the completed runs that have test rows.
pub(super) fn on_test(runs: &[&RunInput], metric: Metric) -> Option<Mean> {
    let measured: Vec<&Metrics> = runs
        .iter()
        .filter(|run| run.run.state == RunState::Completed && run.run.config.data.has_test())
        .filter_map(|run| run.run.final_metrics.as_ref())
        .collect();
    mean(&measured, metric)
}

/// The metrics of the result with the thresholds and the temperature that `taper predict` applies, in a cross-validation those of each fold.
pub(super) fn decided(analysis: &Analysis) -> Option<String> {
    let (with, terms) = (analysis.with_decision.as_ref()?, analysis.terms);
    let metrics = with.run.final_metrics.as_ref()?;
    let mut parts = Vec::new();
    for metric in [terms.first, terms.second] {
        if metrics.is_measured(metric) {
            parts.push(format!("{} {}", metric.said(), metric.text(metrics.get(metric))));
        }
    }
    let data = &with.run.config.data;
    let what = chosen(data);
    let of = if analysis.together.is_some() { tr(" of each fold", "（每折各自的）") } else { "" };
    let rows = match analysis.together.is_some() {
        true => tr("all rows, out-of-fold", "全部行（折外）").to_owned(),
        false => tr!("the {} rows", "{}", with.measured_on().said()),
    };
    let values = parts.join(tr(", ", "，"));
    let said = match data.thresholds == Thresholds::Tuned {
        true => tr!(
            "With {what}{of}, as `taper predict` applies them: {values} on {rows}.",
            "应用{what}{of}后（`taper predict` 就是这样做的），{rows}上：{values}。"
        ),
        false => tr!(
            "With {what}{of}, as `taper predict` applies it: {values} on {rows}.",
            "应用{what}{of}后（`taper predict` 就是这样做的），{rows}上：{values}。"
        ),
    };
    (!parts.is_empty()).then_some(said)
}
