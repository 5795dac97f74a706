//! What the sweep says beyond the ranking: its axes, its budget, and what ended early.

use super::Picture;
use crate::{
    format::by_number,
    metrics::{Better, Metric},
    report::{
        analysis::Analysis,
        format,
        input::ReportInput,
        long_texts::few,
        means::Mean,
        sweep::{Axis, Budget, How, Importance, PrunedGroup, RungRank, Sweep},
    },
};

/// A part of the section.
pub struct SweepPart {
    /// Its title.
    pub title: String,
    /// What it says.
    pub sentences: Vec<String>,
    /// Its charts.
    pub pictures: Vec<Picture>,
    /// Its tables.
    pub tables: Vec<SweepRows>,
    /// How to read it.
    pub notes: Vec<String>,
}

/// A table.
pub struct SweepRows {
    /// Headings, each with whether its cells are numbers.
    pub heads: Vec<(String, bool)>,
    /// The first rows.
    pub rows: Vec<Vec<String>>,
    /// If the page folds all of it away, what it says instead.
    pub folded_whole: Option<String>,
    /// Further rows, which the page folds away.
    pub folded: Vec<Vec<String>>,
    /// What it says instead of these.
    pub folded_name: String,
}

/// Rows that the page shows at once; the others are folded away.
const MOST_ROWS: usize = 20;
/// Pairs of axes in the table of importance.
const MOST_PAIRS: usize = 3;

/// The parts of the section; none for a single run without a sweep.
pub(super) fn parts(input: &ReportInput, analysis: &Analysis, sweep: &Sweep, pictures: Vec<Picture>) -> Vec<SweepPart> {
    let mut charts = Charts(pictures);
    let mut parts = Vec::new();
    if !sweep.effects.is_empty() {
        parts.push(effects(analysis, sweep, charts.take("effects")));
        parts.extend(sweep.importance.as_ref().map(|importance| of_importance(sweep, importance)));
        let heat = charts.take("heatmap");
        if !heat.is_empty() {
            parts.push(part("Two axes", Vec::new(), heat));
        }
        let parallel = charts.take("parallel");
        if !parallel.is_empty() {
            parts.push(part("All axes", Vec::new(), parallel));
        }
    }
    if let Some(budget) = &sweep.budget {
        parts.push(of_budget(analysis, sweep, budget, charts.take("budget")));
    }
    if !sweep.pruned.is_empty() {
        parts.push(pruned(analysis, sweep));
    }
    if !sweep.failures.is_empty() && input.runs.len() > 1 {
        parts.push(failed(input, sweep));
    }
    parts
}

/// The charts that are not on the page yet.
struct Charts(Vec<Picture>);

impl Charts {
    fn take(&mut self, name: &str) -> Vec<Picture> {
        let (own, rest) = std::mem::take(&mut self.0).into_iter().partition(|picture| picture.name == name);
        self.0 = rest;
        own
    }
}

fn part(title: &str, sentences: Vec<String>, pictures: Vec<Picture>) -> SweepPart {
    SweepPart { title: title.into(), sentences, pictures, tables: Vec::new(), notes: Vec::new() }
}

/// A table whose rows after the first ones are folded away. `what` they are: `value`.
fn table(heads: &[(&str, bool)], mut rows: Vec<Vec<String>>, what: &str) -> SweepRows {
    // A few more are no reason to fold.
    let folded = if rows.len() > MOST_ROWS + 4 { rows.split_off(MOST_ROWS) } else { Vec::new() };
    let heads = heads.iter().map(|(head, number)| (head.to_string(), *number)).collect();
    let folded_name = format!("The other {}", format::plural(folded.len(), what));
    SweepRows { heads, rows, folded_whole: None, folded, folded_name }
}

/// The trials with each value of each axis.
fn effects(analysis: &Analysis, sweep: &Sweep, pictures: Vec<Picture>) -> SweepPart {
    let metric = sweep.metric;
    let (mean, best) = (format!("Mean {} (interval)", sweep.ranked_by()), "Best trial".to_string());
    let on_test = sweep.metric != analysis.terms.first || sweep.split != "test";
    let first = format!("Mean final {}", analysis.terms.first.name());
    let mut heads = vec![("Axis and value", false), ("Trials", true), (&mean[..], true), (&best[..], true)];
    if on_test {
        heads.push((&first, true));
    }
    let mut rows = Vec::new();
    for (axis, effects) in sweep.axes.iter().zip(&sweep.effects) {
        for (level, effect) in axis.levels.iter().zip(effects) {
            let n = effect.mean.map_or(0, |mean| mean.n);
            let gone = [(effect.pruned, "pruned"), (effect.failed, "failed")];
            let gone: Vec<String> =
                gone.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
            let trials = match (n == effect.trials, gone.is_empty()) {
                (true, _) => n.to_string(),
                (false, true) => format!("{n} of {}", effect.trials),
                (false, false) => format!("{n} of {} ({})", effect.trials, gone.join(", ")),
            };
            let or_nothing = |value: Option<f64>, by: Metric| value.map_or(format::NOTHING.into(), |v| by.text(v));
            let mut row = vec![
                format!("{}={}", plain(&axis.name), plain(&level.text)),
                trials,
                effect.mean.map_or(format::NOTHING.into(), |mean: Mean| mean.text(metric)),
                or_nothing(effect.best, metric),
            ];
            if on_test {
                row.push(or_nothing(effect.first, analysis.terms.first));
            }
            rows.push(row);
        }
    }
    let mut part = part("Effect of each axis", Vec::new(), pictures);
    part.sentences.extend(strongest(sweep));
    part.notes = notes_of_effects(analysis, sweep);
    part.tables.push(table(&heads, rows, "value"));
    part
}

/// User text in a cell, in which backticks are no code.
fn plain(text: &str) -> String {
    text.replace('`', "'")
}

/// Trials that a value needs to be compared: with one each, the axis with the most values would differ most, by noise alone.
const LEAST_TRIALS: usize = 2;

/// The axis whose means differ most, in words; `None` if no axis has two values with several trials each.
fn strongest(sweep: &Sweep) -> Option<String> {
    let metric = sweep.metric;
    let trials = format::plural(sweep.points.len(), "trial");
    let first = sweep.points.first()?.mean.mean;
    if sweep.points.iter().all(|point| point.mean.mean == first) {
        return Some(format!("The {trials} with a result do not differ in mean {}.", sweep.ranked_by()));
    }
    let means = |axis: usize| sweep.effects[axis].iter().map(|of| of.mean).enumerate();
    let spread = |axis: usize| {
        let several = means(axis).filter_map(|(level, mean)| Some((level, mean?)));
        let means = several.filter(|(_, mean)| mean.n >= LEAST_TRIALS).map(|(level, mean)| (level, mean.mean));
        let worse = |a: &(usize, f64), b: &(usize, f64)| {
            metric.score(a.1).partial_cmp(&metric.score(b.1)).unwrap_or(std::cmp::Ordering::Equal)
        };
        let best = means.clone().reduce(|a, b| if worse(&b, &a).is_gt() { b } else { a })?;
        let worst = means.reduce(|a, b| if worse(&b, &a).is_lt() { b } else { a })?;
        Some((axis, best, worst, (best.1 - worst.1).abs()))
    };
    let widest = (0..sweep.axes.len()).filter_map(spread).reduce(|a, b| if b.3 > a.3 { b } else { a });
    let (at, best, worst, _) = widest.filter(|widest| widest.3 > 0.0)?;
    let single = (0..sweep.axes.len()).any(|axis| means(axis).any(|(_, mean)| mean.is_some_and(|mean| mean.n == 1)));
    let among = if single { ", among values with at least two trials" } else { "" };
    let axis = &sweep.axes[at];
    let level = |at: usize| format!("{}={}", plain(&axis.name), plain(&axis.levels[at].text));
    Some(format!(
        "Of {trials} with a result, the mean {} changes most with {}{among}: from {} with {} to {} with {}.",
        sweep.ranked_by(),
        plain(&axis.name),
        metric.text(worst.1),
        level(worst.0),
        metric.text(best.1),
        level(best.0)
    ))
}

fn notes_of_effects(analysis: &Analysis, sweep: &Sweep) -> Vec<String> {
    let over = if analysis.has_seeds() {
        format!(", with its mean over {}s", analysis.averaged_over())
    } else {
        String::new()
    };
    let mut notes = vec![format!("Each trial counts once{over}.")];
    let counts: Vec<usize> = sweep.effects.iter().flatten().filter_map(|effect| Some(effect.mean?.n)).collect();
    let has = |n: &dyn Fn(usize) -> bool| counts.iter().any(|of| n(*of));
    let kinds = [
        (has(&|n| n > 2), "95% Student's t interval over the trials with that value"),
        (has(&|n| n == 2), "of two trials, the lower and the higher value"),
        (has(&|n| n == 1), "of one trial, none"),
    ];
    let kinds: Vec<&str> = kinds.into_iter().filter(|(has, _)| *has).map(|(_, kind)| kind).collect();
    if sweep.axes.len() > 1 {
        notes.push(format!(
            "Interval: {}. It contains what the other axes change, so an axis can have an effect although its intervals overlap.",
            kinds.join("; ")
        ));
    } else {
        notes.push(format!("Interval: {}.", kinds.join("; ")));
    }
    let pruned: usize = sweep.pruned.iter().map(|rung| rung.trials.len()).sum();
    if pruned > 0 {
        notes.push(format!(
            "{} {} not part of any mean, because {} values are of an earlier part of training. A value whose trials were mostly pruned looks \
             better than it is: its remaining trials are those that did well.",
            format::plural(pruned, "pruned trial"),
            by_number(pruned as u64, "is", "are"),
            by_number(pruned as u64, "its", "their"),
        ));
    }
    let partial = sweep.points.iter().filter(|point| !point.complete).count();
    if partial > 0 {
        notes.push(format!(
            "{} {} not all {}s completed: the mean is over those that are.",
            format::plural(partial, "trial"),
            by_number(partial as u64, "has", "have"),
            analysis.replicate
        ));
    }
    if sweep.axes.iter().any(Axis::has_ranges) {
        notes.push(
            "Numbers with more than ten values are put into ranges that hold about the same number of trials.".into(),
        );
    }
    notes
}

/// A share as text: `71%`, `<1%`.
fn share(value: f64) -> String {
    match value {
        value if !value.is_finite() => format::NOTHING.into(),
        value if value > 0.0 && value < 0.005 => "<1%".into(),
        value => format!("{}%", format::decimals(value * 100.0, 0)),
    }
}

fn of_importance(sweep: &Sweep, importance: &Importance) -> SweepPart {
    let name = |axis: usize| plain(&sweep.axes[axis].name);
    let order = importance.order();
    let mut rows: Vec<Vec<String>> = order.iter().map(|&axis| vec![name(axis), share(importance.main[axis])]).collect();
    let mut pairs = importance.pairs.clone();
    pairs.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let listed = pairs.iter().take(MOST_PAIRS).filter(|(_, share)| *share >= 0.005);
    rows.extend(
        listed.map(|((a, b), of)| vec![format!("{} with {}, beyond both alone", name(*a), name(*b)), share(*of)]),
    );
    let shown = order.len() + pairs.iter().take(MOST_PAIRS).filter(|(_, share)| *share >= 0.005).count();
    if shown < order.len() + pairs.len() || sweep.axes.len() > 2 {
        let listed: f64 = pairs.iter().take(shown - order.len()).map(|(_, share)| *share).sum();
        let rest = (1.0 - importance.main.iter().sum::<f64>() - listed).max(0.0);
        rows.push(vec!["all other combinations".into(), share(rest)]);
    }
    let (first, trials) = (order[0], format::plural(importance.trials, "trial"));
    let mut part = part(
        "Importance",
        vec![format!(
            "{} alone explains {} of the variance of {} between {trials}.",
            name(first),
            share(importance.main[first]),
            sweep.ranked_by()
        )],
        Vec::new(),
    );
    part.tables.push(table(&[("Axis", false), ("Share of the variance", true)], rows, "line"));
    part.notes.push(match importance.how {
        How::Complete => "Computed exactly, by a functional analysis of variance: every combination of the values has one trial. Each value counts \
                          the same."
            .into(),
        How::Forest => format!(
            "Functional analysis of variance of a random forest (fANOVA: Hutter, Hoos and Leyton-Brown 2014) with {} trees and a fixed seed. \
             It describes the forest's predictions, which are uncertain with few trials; each value counts by how many trials have it, as if the \
             axes were independent of each other. A difference of a few points between axes means nothing.",
            crate::report::sweep::TREES
        ),
    });
    if let Some(noise) = importance.noise {
        part.notes.push(format!(
            "Differences between seeds alone would give about {} of this variance{}.",
            share(noise),
            match importance.how {
                How::Complete => "; in the table it is spread over all lines, most of it over combinations",
                How::Forest => "",
            }
        ));
    }
    if !sweep.pruned.is_empty() {
        part.notes.push(
            "Pruned trials are left out: an axis that decided which trials were pruned explains less here than it did."
                .into(),
        );
    }
    part.notes.push("Shares depend on the values that were tried: an axis with a wider range explains more.".into());
    part
}

fn of_budget(analysis: &Analysis, sweep: &Sweep, budget: &Budget, pictures: Vec<Picture>) -> SweepPart {
    let metric = sweep.metric;
    let runs = budget.moments.len();
    let mut sentences = Vec::new();
    if let Some((found, best)) = budget.found().and_then(|at| Some((at, budget.moments[at].best?))) {
        let trial = budget.moments[found].point.map(|point| analysis.groups[sweep.points[point].group].name.as_str());
        sentences.push(format!(
            "The best trial{} was complete when {} of {} had ended and {} of {} were trained: {} {}.",
            trial.map(|name| format!(" ({})", plain(name))).unwrap_or_default(),
            format::count(found as u64 + 1),
            format::plural(runs, "run"),
            format::count(budget.moments[found].steps),
            format::plural(budget.steps as usize, "step"),
            sweep.ranked_by(),
            metric.text(best)
        ));
    }
    let n = budget.expected.len();
    if n >= 4 {
        let (half, all) = (n.div_ceil(2), n);
        sentences.push(format!(
            "Half as many trials ({half}), drawn at random from these {all}, would be expected to reach {}; one trial alone {}.",
            metric.text(budget.expected[half - 1]),
            metric.text(budget.expected[0])
        ));
    }
    let mut part = part("Budget", sentences, pictures);
    let direction = if metric.info().better == Better::Higher { "highest" } else { "lowest" };
    if n > 0 {
        part.notes.push(format!(
            "Expected best: the mean, over all subsets of k of the trials, of their {direction} {}: the expected validation performance of Dodge \
             et al. (2019) in its unbiased form, without replacement (Tang et al. 2020). k trials are drawn at the same share of the budget as \
             of the trials. It says what this plan would have brought with fewer trials in random order; the trials of a TPE search are not \
             independent draws: later ones are better, so its curve is too favourable for a shorter search.",
            sweep.ranked_by()
        ));
    }
    if budget.pruned > 0 {
        part.notes.push(format!(
            "{} with the value that {} ended with, but none above the best result.",
            match budget.pruned {
                1 => "1 pruned trial counts here".into(),
                n => format!("{n} pruned trials count here"),
            },
            by_number(budget.pruned as u64, "it", "they")
        ));
    }
    if budget.failed > 0 {
        part.notes.push(format!(
            "{} with a failed run {} left out of both curves.",
            format::plural(budget.failed, "trial"),
            by_number(budget.failed as u64, "is", "are")
        ));
    }
    part
}

fn pruned(analysis: &Analysis, sweep: &Sweep) -> SweepPart {
    let metric = sweep.metric;
    let trials: usize = sweep.pruned.iter().map(|rung| rung.trials.len()).sum();
    let runs: usize = sweep.pruned.iter().map(PrunedGroup::runs).sum();
    let range = |(low, high): (String, String)| if low == high { low } else { format!("{low} to {high}") };
    let row = |rung: &PrunedGroup| {
        let (first, last) = rung.steps();
        vec![
            rung.rung.map_or(format::NOTHING.into(), |rung| rung.to_string()),
            range((format::count(first), format::count(last))),
            rung.trials.len().to_string(),
            rung.values(metric).map_or(format::NOTHING.into(), |(a, b)| range((metric.text(a), metric.text(b)))),
            rung.on.len().to_string(),
            rung.values_on(metric).map_or(format::NOTHING.into(), |(a, b)| range((metric.text(a), metric.text(b)))),
            rung.best.map_or(format::NOTHING.into(), |best| ranks(&best)),
            rung.agreement.map_or(format::NOTHING.into(), |agreement| {
                let number = Metric::Spearman.text(agreement.correlation);
                format!("{number} ({})", format::plural(agreement.trials, "trial"))
            }),
        ]
    };
    let values = format!("Their dev {}", metric.name());
    let values_on = format!("Their dev {} there", metric.name());
    let heads = [
        ("Rung", true),
        ("At step", true),
        ("Trials pruned", true),
        (&values[..], true),
        ("Went on", true),
        (&values_on[..], true),
        ("Best trial", true),
        ("Agreement", true),
    ];
    let of_trial = |trial: &crate::report::sweep::PrunedTrial| {
        vec![
            plain(&analysis.groups[trial.group].name),
            format!("{} of {}", format::count(trial.step), format::count(trial.of)),
            trial.value.map_or(format::NOTHING.into(), |value| metric.text(value)),
            if trial.reason.is_empty() { format::NOTHING.into() } else { trial.reason.clone() },
        ]
    };
    let each = sweep.pruned.iter().flat_map(|rung| rung.trials.iter().map(of_trial)).collect();
    let mut each = table(
        &[("Trial", false), ("Ended at step", true), (&format!("Dev {}", metric.name()), true), ("Reason", false)],
        each,
        "pruned trial",
    );
    if trials > 4 {
        each.rows.append(&mut each.folded);
        each.folded_whole = Some(format!("The {} and the reason of each", format::plural(trials, "pruned trial")));
    }
    let stopped = format!(
        "{} with {} {} pruned: the sweep's pruning rule stopped {} before the last step.",
        format::plural(trials, "trial"),
        format::plural(runs, "run"),
        by_number(trials as u64, "was", "were"),
        by_number(runs as u64, "it", "them")
    );
    let sentences = [Some(stopped), nearly_pruned(analysis, sweep)].into_iter().flatten().collect();
    let mut part = part("Pruned trials", sentences, Vec::new());
    part.tables = vec![table(&heads, sweep.pruned.iter().map(row).collect(), "rung"), each];
    part.notes.push(format!(
        "A rung is an evaluation after which trials are compared by mean dev {}. “Went on”: trials that trained further than this rung. “Best \
         trial”: the rank that the best trial had there among all trials that reached the rung.",
        metric.name()
    ));
    if sweep.pruned.iter().any(|rung| rung.by_median) {
        part.notes.push("The rule compared each trial with the median of earlier ones at the same step.".into());
    }
    if sweep.pruned.iter().any(|rung| rung.agreement.is_some()) {
        part.notes.push(
            "Agreement: Spearman's rank correlation of the values at the rung with the final ones, over the trials that are completed; 1: the \
             same order, 0: none. Pruned trials have no final value, so it does not say how good they would have become."
                .into(),
        );
    }
    part
}

/// `2 of 27`, `4–27 of 27` where others have the same value.
fn ranks(rank: &RungRank) -> String {
    match rank.ranks {
        (first, last) if first == last => format!("{first} of {}", rank.of),
        (first, last) => format!("{first}–{last} of {}", rank.of),
    }
}

/// The rank of the best trial at each rung: how near pruning came to losing it.
fn nearly_pruned(analysis: &Analysis, sweep: &Sweep) -> Option<String> {
    let metric = sweep.metric;
    let mut sentences = Vec::new();
    for rung in &sweep.pruned {
        let Some(best) = &rung.best else { continue };
        let name = match sentences.is_empty() {
            true => format!("the best trial ({})", plain(&analysis.groups[best.group].name)),
            false => "it".into(),
        };
        let at = match rung.rung {
            Some(number) => format!("rung {number}"),
            None => format!("the evaluation before which {} ended", format::plural(rung.trials.len(), "trial")),
        };
        let (first, last) = best.ranks;
        let tied = match last - first {
            0 => String::new(),
            others => format!(", tied with {}", format::plural(others, "other")),
        };
        // The rule sees what has reached the rung until then.
        let judged = match rung.on.len() {
            on if first > on => {
                " Judged when all had reached it, it would have been pruned: it went on because fewer had."
            }
            on if last > on => " Whether it went on was decided among equal values.",
            _ => "",
        };
        sentences.push(format!(
            "At {at} {name} had rank{} {} with dev {} {}{tied}; {} went on.{judged}",
            if tied.is_empty() { "" } else { "s" },
            ranks(best),
            metric.name(),
            metric.text(best.value),
            rung.on.len()
        ));
    }
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

fn failed(input: &ReportInput, sweep: &Sweep) -> SweepPart {
    let runs: usize = sweep.failures.iter().map(|group| group.runs.len()).sum();
    let row = |group: &crate::report::sweep::FailureGroup| {
        let names: Vec<&str> = group.runs.iter().map(|&run| input.runs[run].run.name.as_str()).collect();
        let steps = || group.runs.iter().map(|&run| input.runs[run].run.steps);
        let (first, last) = (steps().min().unwrap_or(0), steps().max().unwrap_or(0));
        let at = if first == last {
            format::count(first)
        } else {
            format!("{} to {}", format::count(first), format::count(last))
        };
        vec![group.reason.clone(), group.state.clone(), names.len().to_string(), at, plain(&few(&names))]
    };
    let heads = [("Reason", false), ("State", false), ("Runs", true), ("After step", true), ("Which", false)];
    let mut part = part(
        "Failed runs",
        vec![format!(
            "{} failed, for {}. Messages that differ only in numbers count as one reason; the first message is shown.",
            format::plural(runs, "run"),
            format::plural(sweep.failures.len(), "reason")
        )],
        Vec::new(),
    );
    part.tables.push(table(&heads, sweep.failures.iter().map(row).collect(), "reason"));
    part
}
