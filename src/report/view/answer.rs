//! The answer: the best trial with its interval, then the one run whose predictions the page shows.

use super::{
    BaselineText, BestRun, Headline,
    facts::{self, Gain, Measured},
};
use crate::report::language::{Said, counted, measured, tr};
use crate::{
    metrics::Metrics,
    report::{
        analysis::{Analysis, Group},
        format,
        input::{ReportInput, RunInput},
        intervals::second_text,
        means::{Mean, mean},
        reference::{Reference, above},
        terms::{Terms, over_rows},
    },
    stats::Interval,
};

/// The answer of an experiment in which a run has a result.
pub(super) fn headline(input: &ReportInput, analysis: &Analysis) -> Option<Headline> {
    let shown = analysis.shown(&input.runs)?;
    let group = &analysis.groups[analysis.best_group()?];
    let (own, terms) = (Own::of(shown, analysis)?, analysis.terms);
    let (subject, of) = subject(input, analysis);
    let single = |name: String| Headline {
        subject: subject.clone(),
        name,
        of: of.clone(),
        split: own.split,
        first: own.first.clone(),
        rows: own.rows.clone(),
        mean_over: String::new(),
        interval: own.interval.clone(),
        chosen: chosen(input, analysis, group, &of),
        second: own.second.clone(),
        before: shown.before().map(|m| terms.first.text(m.get(terms.first))),
        baseline: own.baseline.clone(),
        verdict: own.verdict(
            shown,
            if analysis.has_several() { analysis.progress.best_trial() } else { tr("the model", "模型") },
        ),
        key: None,
        facts: Vec::new(),
        decided: facts::decided(analysis),
        run: None,
    };
    // The verdict compares it with the baseline row by row.
    let facts_of_one = || {
        let gains: Vec<Gain> = own.gain(analysis, shown).into_iter().collect();
        facts_of(input, analysis, group, &gains, &own.rows_in_words())
    };
    let folds = analysis.together.is_some();
    if folds && group.complete.len() < 2 {
        return Some(Headline { facts: facts_of_one(), ..single(trial_name(analysis, group)) });
    }
    if analysis.has_folds() && !folds {
        // A fold alone: no trial has all of them.
        let verdict = own.verdict(shown, tr("this fold", "这一折"));
        return Some(Headline { verdict, ..single(shown.run.name.clone()) });
    }
    if group.planned < 2 {
        let key = (input.runs.len() > 1).then(|| format::short(&shown.run.key).to_string());
        let name = if analysis.has_several() { group.name.clone() } else { shown.run.name.clone() };
        return Some(Headline { key, facts: facts_of_one(), ..single(name) });
    }
    let over = Means::of(input, analysis, group)?;
    let rows = own.rows_in_words();
    let baseline = own.share_of_baseline.map(|value| Measured::on_rows(terms, value, own.of_rows));
    let before = over.before.map(|mean| match terms.is_single() {
        // Heads of several seeds differ before training by more than rows would explain.
        true => Measured::of(&mean),
        false => Measured { value: mean.mean, interval: None },
    });
    let of_run = shown.run.final_metrics.as_ref().map_or(f64::NAN, |metrics| metrics.get(terms.first));
    let after = match terms.is_single() {
        // Wilson's interval of the mean is among those of the mean.
        true => Measured::of(&over.first),
        false => Measured::over_rows(&over.first, of_run, analysis.intervals_of(shown)[0]),
    };
    // Of several seeds the gain over the baseline may have an interval, which says more than the verdict.
    let over_baseline =
        baseline.filter(|_| over.first.n > 1).and_then(|of| Gain::over(tr("the baseline", "基线"), after, of));
    let weighs = over_baseline.is_some();
    let over_before = before.and_then(|of| Gain::over(before_training(), after, of));
    let gains: Vec<Gain> = over_before.into_iter().chain(over_baseline).collect();
    let against = |what: &str| own.share_of_baseline.map(|of| against_baseline(terms, what, over.first.mean - of));
    Some(Headline {
        first: terms.first.text(over.first.mean),
        rows: match (terms.is_single(), folds) {
            (true, true) => tr("of all rows right, out-of-fold", " 的行预测正确（全部行，折外）").into(),
            (true, false) => tr!("of the {} rows right", " 的{}数据预测正确", own.split),
            (false, true) => tr!("{} on all rows, out-of-fold", "（全部行，折外{}）", terms.first.said()),
            (false, false) => tr!("{} on the {} rows", "（{1}的{0}）", terms.first.said(), own.split),
        },
        mean_over: over.seeds(group),
        interval: over
            .first
            .shown()
            .zip(over.first.covers(terms.first, "seed"))
            .map(|((low, high), covers)| (covers, format::interval(terms.first, Interval { low, high }))),
        second: over.second.map_or(format::NOTHING.into(), |mean| terms.second.text(mean.mean)),
        before: over.before.map(|mean| terms.first.text(mean.mean)),
        verdict: match weighs {
            true => String::new(),
            false => against(if over.first.n == 1 {
                tr("The completed seed", "已完成的那个种子")
            } else {
                tr("The mean", "平均值")
            })
            .unwrap_or_default(),
        },
        facts: facts_of(input, analysis, group, &gains, &rows),
        decided: None,
        run: Some(BestRun {
            intro: match folds {
                true => tr("The classes and mistakes below are of", "下文的类别和错误来自").into(),
                false => tr!(
                    "Its best run by {} {}, whose classes and mistakes are below:",
                    analysis.criterion.split.said(),
                    group.best_run_by.said()
                ; "按{}最好的一次运行（下文各类别的结果和错误都取自它）", measured(analysis.criterion.split, group.best_run_by)),
            },
            name: shown.run.name.clone(),
            key: (!folds).then(|| format::short(&shown.run.key).to_string()),
            verdict: own.verdict(shown, if folds { tr("this seed", "这个种子") } else { tr("this run", "这次运行") }),
            first: own.first.clone(),
            rows: own.rows.clone(),
            interval: own.interval.clone(),
            second: own.second.clone(),
            decided: facts::decided(analysis),
            of: if folds {
                tr("of one seed of it", "，其中一个种子").into()
            } else {
                tr!("of its best run, {}", "，它最好的一次运行 {}", shown.run.name)
            },
        }),
        ..single(trial_name(analysis, group))
    })
}

/// The value by which the best was chosen from several, if the answer has no other number that is it.
fn chosen(input: &ReportInput, analysis: &Analysis, group: &Group, of: &str) -> Option<(String, String)> {
    let (metric, split) = (analysis.criterion.metric, analysis.criterion.split);
    let measured_on = |run: &usize| input.runs[*run].measured_on();
    let is_shown = metric == analysis.terms.first && group.finished.first().map(measured_on) == Some(split);
    if !analysis.has_several() || is_shown || group.finished.is_empty() {
        return None;
    }
    let mean = group.chosen?;
    let mut what = tr!("{}{of}, by which it was chosen", "{}{of}，据此选出", measured(split, metric));
    if mean.n > 1 {
        what += &tr!("; mean over {}", "；{}的平均", counted(mean.n as u64, analysis.averaged_over()));
    }
    Some((metric.text(mean.mean), what))
}

/// What a gain over the value before training is over.
fn before_training() -> &'static str {
    tr("the value before training", "训练前的值")
}

/// What the answer says of its number, with its gains.
fn facts_of(input: &ReportInput, analysis: &Analysis, group: &Group, gains: &[Gain], rows: &str) -> Vec<String> {
    let chosen_here = analysis.is_optimistic(&input.runs).then(|| facts::of_how_many(analysis));
    let gain = facts::gain(analysis.terms, gains, rows, chosen_here.as_deref());
    let metric = facts::ranking_metric(input, analysis, group);
    let several = analysis.has_several();
    let second = if several { facts::second(input, analysis) } else { None };
    [metric, gain, facts::choice(input, analysis, group), second].into_iter().flatten().collect()
}

/// How the answer calls what it is of, and the same after a number.
fn subject(input: &ReportInput, analysis: &Analysis) -> (String, String) {
    if analysis.has_folds() && analysis.together.is_none() {
        return (
            tr("The first completed fold,", "第一个完成的折").into(),
            tr(" of the first completed fold", "（第一个完成的折）").into(),
        );
    }
    match (analysis.has_several(), input.runs.len() > 1) {
        (true, _) => {
            (format::capital(&analysis.progress.heading()), tr!(" of {}", "（{}）", analysis.progress.best_trial()))
        }
        (false, true) if analysis.together.is_some() => (tr("Cross-validation,", "交叉验证").into(), String::new()),
        (false, true) => (tr("The trial", "该试验").into(), String::new()),
        (false, false) => (tr("The run", "该运行").into(), String::new()),
    }
}

/// The name of the best trial with its folds. The only trial needs none.
fn trial_name(analysis: &Analysis, group: &Group) -> String {
    let folds = group.out_of_fold.as_ref().map(|folds| format::plural(folds.folds, "fold"));
    let own = (analysis.has_several()).then(|| group.name.clone());
    own.into_iter().chain(folds).collect::<Vec<_>>().join(tr(", ", "，"))
}

/// What is measured of the run, or of the folds together, that the page shows.
struct Own {
    split: &'static str,
    first: String,
    rows: String,
    of_rows: u64,
    interval: Option<(String, String)>,
    second: String,
    baseline: Option<BaselineText>,
    share_of_baseline: Option<f64>,
}

impl Own {
    fn of(run: &RunInput, analysis: &Analysis) -> Option<Self> {
        let metrics = run.run.final_metrics.as_ref()?;
        let (terms, intervals) = (analysis.terms, analysis.intervals_of(run));
        let baseline = Reference::of(run);
        let folds = analysis.together.is_some();
        let split = if folds { tr("out-of-fold", "折外") } else { run.measured_on().said() };
        let rows = format::count(metrics.rows);
        Some(Self {
            split,
            first: terms.first.text(metrics.get(terms.first)),
            rows: match (terms.is_single(), folds) {
                (true, true) => tr!("of all {rows} rows right, {split}", " 的行预测正确（全部 {rows} 行，{split}）"),
                (true, false) => tr!("of {rows} {split} rows right", " 的{split}数据预测正确（共 {rows} 行）"),
                (false, true) => {
                    tr!("{} on all {rows} rows, {split}", "（全部 {rows} 行，{split}{}）", terms.first.said())
                }
                (false, false) => tr!("{} on {rows} {split} rows", "（{split} {rows} 行的{}）", terms.first.said()),
            },
            of_rows: metrics.rows,
            interval: intervals[0].map(|i| (over_rows(terms.first).into(), format::interval(terms.first, i))),
            second: second_text(terms, metrics, &intervals),
            share_of_baseline: baseline.as_ref().and_then(|baseline| baseline.value(metrics, true)),
            baseline: baseline.map(|baseline| BaselineText {
                value: baseline.value_text(run, metrics),
                words: baseline.words(run),
                sentence: baseline.sentence(run, metrics),
            }),
        })
    }

    /// `120 test rows`.
    fn rows_in_words(&self) -> String {
        tr!(
            "{} {} {}",
            format::count(self.of_rows),
            self.split,
            crate::format::by_number(self.of_rows, "row", "rows")
        ; "{} 行{}数据", format::count(self.of_rows), self.split)
    }

    /// The gain of a run over its value before training: row by row if what was predicted before is stored.
    fn gain(&self, analysis: &Analysis, run: &RunInput) -> Option<Gain> {
        let terms = analysis.terms;
        if let Some(paired) = run.before().and_then(|_| Gain::of_rows(before_training(), run, terms)) {
            return Some(paired);
        }
        let value = run.run.final_metrics.as_ref().map_or(f64::NAN, |metrics| metrics.get(terms.first));
        let on_rows = |value: f64| Measured::on_rows(terms, value, self.of_rows);
        let before = run.before().map(|metrics| on_rows(metrics.get(terms.first)))?;
        Gain::over(before_training(), Measured { value, interval: analysis.intervals_of(run)[0] }, before)
    }

    /// Compares it with the baseline, row by row.
    fn verdict(&self, run: &RunInput, what: &str) -> String {
        Reference::of(run).map(|baseline| baseline.verdict(run, what)).unwrap_or_default()
    }
}

/// The means of the best trial over its seeds.
struct Means {
    first: Mean,
    second: Option<Mean>,
    before: Option<Mean>,
}

impl Means {
    fn of(input: &ReportInput, analysis: &Analysis, group: &Group) -> Option<Self> {
        let of = |runs: &[usize]| runs.iter().map(|&i| input.runs[i].before()).collect::<Option<Vec<&Metrics>>>();
        // As the value after training: of folds, all rows of a seed together.
        let pooled: Vec<Metrics> = group.complete.iter().filter_map(|folds| Metrics::pooled(&of(folds)?)).collect();
        let before: Vec<&Metrics> = match &group.out_of_fold {
            Some(_) => pooled.iter().collect(),
            None => group.finished.iter().filter_map(|&i| input.runs[i].before()).collect(),
        };
        let (first, second) = match &group.out_of_fold {
            Some(folds) => (folds.first, folds.second),
            None => (group.first, group.second),
        };
        Some(Self { first: first?, second, before: mean(&before, analysis.terms.first) })
    }

    /// What the means are over: `mean over 2 of 3 seeds`.
    fn seeds(&self, group: &Group) -> String {
        let planned = group.out_of_fold.as_ref().map_or(group.planned, |folds| folds.seeds);
        match self.first.n {
            n if n == planned => tr!("mean over {}", "{}的平均", format::plural(n, "seed")),
            1 => tr!("1 of {} completed", "{}中 1 个已完成", format::plural(planned, "seed")),
            n => tr!("mean over {n} of {}", "{}中 {n} 个的平均", format::plural(planned, "seed")),
        }
    }
}

/// Compares a mean with the baseline's value: `what` is `difference` above it.
fn against_baseline(terms: Terms, what: &str, difference: f64) -> String {
    let lower = if terms.lower_is_better() { tr(" (lower is better)", "（越低越好）") } else { "" };
    match above(terms, difference) {
        text if text.chars().all(|c| !matches!(c, '1'..='9')) => {
            tr!("{what} equals the baseline.", "{what}与基线相等。")
        }
        text => tr!("{what} is {text} the baseline{lower}.", "{what}比基线{text}{lower}。"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Task;

    #[test]
    fn a_mean_is_compared_with_the_baseline() {
        let of = |task, difference| against_baseline(Terms::of_task(task), "The mean", difference);
        assert_eq!(of(Task::SingleLabel, 0.417), "The mean is 41.7 points above the baseline.");
        assert_eq!(of(Task::SingleLabel, -0.02), "The mean is 2.0 points below the baseline.");
        assert_eq!(of(Task::SingleLabel, -0.0004), "The mean equals the baseline.");
        assert_eq!(of(Task::Regression, -0.5), "The mean is 0.5000 below the baseline (lower is better).");
    }
}
