//! Which trials of a sweep continue: pure functions of the scores so far.
//!
//! A *rung* is a step at which a sweep decides about a trial. Rungs fall on evaluations that a run has anyway, so pruning never
//! changes what a run is. A trial's [`Score`] at a rung is the mean over its seeds of `checkpoint.metric` on the dev split, or
//! [`Score::WORST`] if a run failed. It is undefined if the metric is for one of the seeds: worse than any value, but no failure.

use super::{TrainConfig, schedule};
use crate::{
    format::{by_number, counted},
    metrics::{Metric, Score},
    spec::{PruneRule, Sweep},
};

/// A rule that ends trials early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prune {
    /// No trial ends early.
    None,
    /// A trial ends if it is worse than the median of earlier trials.
    Median {
        /// Trials that are never ended, and the number of scores that a median needs.
        startup_trials: u64,
    },
    /// Asynchronous successive halving (Li et al., "A System for Massively Parallel Hyperparameter Tuning", MLSys 2020): the best part of
    /// the trials at a rung continues; the others wait, since the part grows with later trials.
    Asha {
        /// One in this many continues.
        reduction_factor: u64,
        /// Number of rungs before the end.
        rungs: u64,
    },
}

/// Where a sweep decides about a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// Its number in the rule, from 0. A trial is compared with the trials that reach the rung of the same number, at whichever step.
    pub number: usize,
    /// The step after which it is decided, before the last one of the run.
    pub step: u64,
}

/// The decision about a trial at a rung.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It continues.
    Continue,
    /// It waits, since later scores may change the decision; the reason.
    Wait(String),
    /// It ends; the reason.
    End(String),
}

impl Prune {
    /// The rule of a sweep.
    pub fn of(sweep: &Sweep) -> Self {
        match sweep.prune {
            PruneRule::None => Self::None,
            PruneRule::Median => Self::Median { startup_trials: sweep.startup_trials },
            PruneRule::Asha => Self::Asha { reduction_factor: sweep.reduction_factor, rungs: sweep.rungs },
        }
    }

    /// Of a rule that promotes the best share of the trials and lets the others wait: one in how many is promoted, and the number of rungs.
    pub fn promotion(&self) -> Option<(u64, u64)> {
        match *self {
            Self::None | Self::Median { .. } => None,
            Self::Asha { reduction_factor, rungs } => Some((reduction_factor, rungs)),
        }
    }

    /// Of a rule that compares each trial with those before it: how many are never pruned.
    pub fn startup_trials(&self) -> Option<u64> {
        match *self {
            Self::None | Self::Asha { .. } => None,
            Self::Median { startup_trials } => Some(startup_trials),
        }
    }
}

/// The rungs of a run on `rows` training rows, in order.
///
/// A rung is a budget of steps: of several that fall on the same evaluation only the last one is left, so that one in `factor` goes on there, as
/// in a sweep whose first rung is that one. (In the terms of Li et al., the bracket with a larger minimum of steps.) A rung that falls on the last
/// step is left out: nothing is left to decide there.
pub fn rungs(prune: &Prune, train: &TrainConfig, rows: u64) -> Vec<Rung> {
    let (steps, total) = (evaluations(prune, train, rows), schedule::total_steps(train, rows));
    let is_last = |number: &usize| steps[*number] < total && steps.get(number + 1) != Some(&steps[*number]);
    (0..steps.len()).filter(is_last).map(|number| Rung { number, step: steps[number] }).collect()
}

/// The evaluations on which the rungs of a rule fall, as steps.
///
/// ASHA: after total / factor^rungs, …, total / factor steps, each rounded up to the run's next evaluation. There are always as many
/// as the rule has: several may fall on the same step, or on the last step. Median: every evaluation before the last step. Without training rows
/// all steps are 0, or there are none.
pub(super) fn evaluations(prune: &Prune, train: &TrainConfig, rows: u64) -> Vec<u64> {
    let total = schedule::total_steps(train, rows);
    let per_epoch = schedule::steps_per_epoch(rows, train.batch_size, train.gradient_accumulation_steps);
    let every = if train.eval_steps > 0 { train.eval_steps } else { per_epoch };
    match prune {
        Prune::None => Vec::new(),
        Prune::Median { .. } if every == 0 => Vec::new(),
        Prune::Median { .. } => (1..).map(|i| i * every).take_while(|step| *step < total).collect(),
        Prune::Asha { reduction_factor, rungs } => (1..=*rungs)
            .rev()
            .map(|rung| {
                let part = u128::from(*reduction_factor).saturating_pow(u32::try_from(rung).unwrap_or(u32::MAX));
                // The first multiple of `every` that is at least total / part.
                let evaluations = u128::from(total).div_ceil(part.saturating_mul(every.max(1).into()));
                u64::try_from(evaluations * u128::from(every)).unwrap_or(u64::MAX).min(total)
            })
            .collect(),
    }
}

/// Decides about `trial` at `rung` (from 0), where `scores[trial][rung]` are the scores so far. A trial without a score at the rung
/// waits. Reasons contain the value of `metric`, as a mean for trials of several `seeds`.
///
/// ASHA: it continues if it is among the best ⌊n / factor⌋ of the n trials with a score at the rung; ties go to the lower number.
/// Median: it continues unless its score is below the median of the scores of trials with lower numbers at the rung, if there are at
/// least `startup_trials` of them. A trial that failed ends under any rule.
pub fn verdict(
    prune: &Prune,
    metric: Metric,
    scores: &[Vec<Option<Score>>],
    (trial, seeds): (usize, usize),
    rung: usize,
) -> Verdict {
    let stored = |trial: usize| scores.get(trial).and_then(|rungs| *rungs.get(rung)?);
    let known = |trial: usize| stored(trial).map(Score::or_worst);
    let shown = |value: &str| match seeds {
        0 | 1 => format!("dev {} {value}", metric.name()),
        _ => format!("mean dev {} {value} ({seeds} seeds)", metric.name()),
    };
    if *prune == Prune::None {
        return Verdict::Continue;
    }
    let rung_name = format!("rung {}", rung + 1);
    let Some(own) = known(trial) else { return Verdict::Wait(format!("no score yet at {rung_name}")) };
    let is_undefined = |trial: usize| stored(trial).is_some_and(Score::is_undefined);
    if own == Score::WORST && !is_undefined(trial) {
        return Verdict::End(format!("failed before {rung_name}"));
    }
    match *prune {
        Prune::None => Verdict::Continue,
        Prune::Asha { reduction_factor, .. } => {
            let all: Vec<(usize, Score)> = (0..scores.len()).filter_map(|t| Some((t, known(t)?))).collect();
            // One that failed has no value to tie with.
            let ties = |t: usize, score: Score| score == own && is_undefined(t) == is_undefined(trial);
            let better = |(t, score): &&(usize, Score)| *score > own || ties(*t, *score) && *t < trial;
            let rank = all.iter().filter(better).count() + 1;
            let best = all.len() as u64 / reduction_factor.max(1);
            if rank as u64 <= best {
                return Verdict::Continue;
            }
            let promoted = match best {
                0 => format!("too few trials reached it to promote 1 in {reduction_factor}"),
                1 => format!("only the best (1 in {reduction_factor}) goes on"),
                best => format!("only the best {best} (1 in {reduction_factor}) go on"),
            };
            let before = all.iter().filter(|(_, score)| *score > own).count() as u64;
            // They count for the part that continues, but there is nothing to compare with.
            let failed = all.iter().filter(|(t, score)| *score == Score::WORST && !is_undefined(*t)).count();
            let of = match failed {
                0 => all.len().to_string(),
                _ => format!("{} ({failed} more failed)", all.len() - failed),
            };
            let equal = all.iter().filter(|(t, score)| ties(*t, *score)).count() as u64;
            let ranks =
                if equal > 1 { format!("ranks {}–{}", before + 1, before + equal) } else { format!("rank {rank}") };
            let tied = match all.iter().filter(|(t, score)| *t != trial && ties(*t, *score)).count() {
                0 => String::new(),
                others => format!(", tied with {}", counted(others as u64, "other")),
            };
            if is_undefined(trial) {
                let undefined = undefined(metric, seeds);
                return Verdict::Wait(format!(
                    "{undefined}, so it has {ranks} of {of} at {rung_name}{tied}; {promoted}"
                ));
            }
            let own = shown(&metric.text(metric.value(own)));
            Verdict::Wait(format!("{ranks} of {of} at {rung_name} with {own}{tied}; {promoted}"))
        }
        Prune::Median { startup_trials } => {
            let before: Vec<Score> = (0..trial.min(scores.len())).filter_map(known).collect();
            if (trial as u64) < startup_trials || (before.len() as u64) < startup_trials.max(1) {
                return Verdict::Continue;
            }
            let others = before.len();
            let Some(median) = Score::median(before).filter(|median| own < *median) else { return Verdict::Continue };
            if is_undefined(trial) {
                let median = metric.text(metric.value(median));
                return Verdict::End(format!(
                    "{} at {rung_name}, which is worse than {median}, the median of {} there",
                    undefined(metric, seeds),
                    counted(others as u64, "earlier trial")
                ));
            }
            let [own, median] = metric.texts_apart(metric.value(own), metric.value(median));
            Verdict::End(format!(
                "{} at {rung_name} is worse than {median}, the median of {others} earlier trials there",
                shown(&own)
            ))
        }
    }
}

/// `its dev MCC is undefined`.
fn undefined(metric: Metric, seeds: usize) -> String {
    let mean = if seeds > 1 { "mean " } else { "" };
    format!("its {mean}dev {} is undefined", metric.name())
}

/// Which of equal trials goes on at a rung.
pub const WHICH_OF_EQUALS: &str = "of equal trials that have reached the rung, the first in the plan goes on";

/// What has become of a trial at a rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It waits, or has not reached the rung.
    Open,
    /// It was promoted past it.
    WentOn,
    /// It was pruned, so that it is not promoted whatever its rank.
    Pruned,
}

/// With ASHA, how a rung was decided otherwise than by the ranks that the reason of `trial` tells, as the end of that reason: trials among
/// the best that were pruned before, others that went on before, and which of its equals went on. Empty if nothing is to be said.
pub fn besides_ranks(
    prune: &Prune,
    scores: &[Vec<Option<Score>>],
    (trial, rung): (usize, usize),
    fate: impl Fn(usize) -> Fate,
) -> String {
    let Some((reduction_factor, _)) = prune.promotion() else { return String::new() };
    let known = |trial: usize| scores.get(trial).and_then(|rungs| *rungs.get(rung)?).map(Score::or_worst);
    let mut ranked: Vec<(usize, Score)> = (0..scores.len()).filter_map(|t| Some((t, known(t)?))).collect();
    ranked.sort_by(|(a, x), (b, y)| y.total_cmp(x).then(a.cmp(b)));
    let best = usize::try_from(ranked.len() as u64 / reduction_factor.max(1)).unwrap_or(usize::MAX);
    let (best, others) = ranked.split_at(best);
    let count = |of: &[(usize, Score)], wanted| of.iter().filter(|(t, _)| fate(*t) == wanted).count() as u64;
    let (pruned, further) = (count(best, Fate::Pruned), count(others, Fate::WentOn));
    let mut said = String::new();
    if pruned > 0 {
        let (were, remain) = (by_number(pruned, "was", "were"), by_number(pruned, "remains", "remain"));
        said += &match best.len() {
            1 => "; it was pruned earlier and remains pruned".to_string(),
            all if all as u64 == pruned => "; they were pruned earlier and remain pruned".into(),
            _ => format!("; {pruned} of these {were} pruned earlier and {remain} pruned"),
        };
    }
    if further > 0 && !best.is_empty() {
        said += &format!("; {} went on earlier", counted(further, "other"));
    }
    let own = known(trial);
    if ranked.iter().any(|(t, score)| *t != trial && Some(*score) == own && fate(*t) == Fate::WentOn) {
        said += &format!("; {WHICH_OF_EQUALS}");
    }
    said
}

/// With ASHA, the trial that continues although the rule promotes none: if fewer trials reach a rung than the factor, the promoted
/// part is empty, and no trial would complete. To be called when every trial has ended or waits. It is the best of the trials at the
/// furthest rung that any has reached, unless one of them continues. `may`: whether a trial can go on; one that another sweep pruned cannot, and
/// must not keep the others from it.
pub fn last_to_continue(
    prune: &Prune,
    metric: Metric,
    scores: &[Vec<Option<Score>>],
    may: impl Fn(usize) -> bool,
) -> Option<usize> {
    let (_, rungs) = prune.promotion()?;
    let known = |trial: usize, rung: usize| scores[trial].get(rung).copied().flatten();
    let alive = |rung: usize| {
        let at = move |trial: usize| Some((trial, known(trial, rung)?));
        let of_those = (0..scores.len()).filter(|trial| may(*trial)).filter_map(at);
        // One without a value can go on, one that failed cannot.
        of_those.filter(|(_, score)| *score != Score::WORST).map(|(trial, score)| (trial, score.or_worst()))
    };
    let furthest =
        (0..usize::try_from(rungs).unwrap_or(usize::MAX)).rev().find(|rung| alive(*rung).next().is_some())?;
    // Ties go to the first.
    let (best, _) = alive(furthest).reduce(|best, other| if other.1 > best.1 { other } else { best })?;
    matches!(verdict(prune, metric, scores, (best, 1), furthest), Verdict::Wait(_)).then_some(best)
}

#[cfg(test)]
mod tests {
    mod worst;

    use super::{super::testing::full_config, *};

    const ASHA: Prune = Prune::Asha { reduction_factor: 3, rungs: 2 };
    const MEDIAN: Prune = Prune::Median { startup_trials: 3 };

    fn train(epochs: u32, max_steps: Option<u64>, eval_steps: u64) -> TrainConfig {
        TrainConfig {
            epochs,
            max_steps,
            eval_steps,
            batch_size: 10,
            gradient_accumulation_steps: 1,
            ..full_config().train
        }
    }

    fn score(accuracy: f64) -> Score {
        Metric::Accuracy.score(accuracy)
    }

    /// Accuracies at one rung; NaN: unknown.
    fn at_one_rung(accuracies: &[f64]) -> Vec<Vec<Option<Score>>> {
        accuracies.iter().map(|value| vec![(!value.is_nan()).then(|| score(*value))]).collect()
    }

    fn verdicts(prune: &Prune, accuracies: &[f64]) -> Vec<Verdict> {
        let all = at_one_rung(accuracies);
        (0..accuracies.len()).map(|trial| verdict(prune, Metric::Accuracy, &all, (trial, 1), 0)).collect()
    }

    fn continuing(prune: &Prune, accuracies: &[f64]) -> Vec<usize> {
        let verdicts = verdicts(prune, accuracies);
        (0..accuracies.len()).filter(|trial| verdicts[*trial] == Verdict::Continue).collect()
    }

    #[test]
    fn rules_come_from_the_sweep() {
        let sweep = |prune| Sweep { prune, startup_trials: 7, reduction_factor: 4, rungs: 3, ..Sweep::default() };
        assert_eq!(Prune::of(&sweep(PruneRule::None)), Prune::None);
        assert_eq!(Prune::of(&sweep(PruneRule::Median)), Prune::Median { startup_trials: 7 });
        assert_eq!(Prune::of(&sweep(PruneRule::Asha)), Prune::Asha { reduction_factor: 4, rungs: 3 });
    }

    #[test]
    fn rungs_are_shares_of_the_steps_rounded_up_to_evaluations() {
        // 270 steps in 9 epochs of 30: a ninth is 30, a third 90.
        assert_eq!(evaluations(&ASHA, &train(9, None, 0), 300), [30, 90]);
        // Evaluations every 40 steps: 30 → 40, 90 → 120.
        assert_eq!(evaluations(&ASHA, &train(9, None, 40), 300), [40, 120]);
        // 100 steps: 11.1 → 12 and 33.3 → 34 where each step is evaluated.
        assert_eq!(evaluations(&ASHA, &train(9, Some(100), 1), 300), [12, 34]);
        assert_eq!(evaluations(&ASHA, &train(9, Some(99), 11), 300), [11, 33]);
        // Three epochs: a ninth and a third both end with the first.
        assert_eq!(evaluations(&ASHA, &train(3, None, 0), 300), [30, 30]);
        // A run of one epoch, or with evaluations further apart than its length: the last step, twice.
        assert_eq!(evaluations(&ASHA, &train(1, None, 0), 300), [30, 30]);
        assert_eq!(evaluations(&ASHA, &train(9, Some(50), 60), 300), [50, 50]);
        // The last step is an evaluation too: 90 of 100 is beyond 80, the next is 100.
        let halving = Prune::Asha { reduction_factor: 2, rungs: 3 };
        assert_eq!(evaluations(&halving, &train(9, Some(100), 40), 300), [40, 40, 80]);
        assert_eq!(evaluations(&halving, &train(9, Some(1), 1), 300), [1, 1, 1]);
        assert_eq!(evaluations(&ASHA, &train(9, None, 0), 0), [0, 0]);
        let many = Prune::Asha { reduction_factor: 100, rungs: 10 };
        assert_eq!(evaluations(&many, &train(9, Some(u64::MAX / 2), 1), 300).len(), 10);
        assert_eq!(evaluations(&many, &train(9, Some(1000), 7), 300), [7, 7, 7, 7, 7, 7, 7, 7, 7, 14]);
        assert_eq!(evaluations(&Prune::None, &train(9, None, 0), 300), [0; 0]);
    }

    #[test]
    fn the_median_rule_decides_at_every_evaluation_except_the_last() {
        assert_eq!(evaluations(&MEDIAN, &train(3, None, 0), 300), [30, 60]);
        assert_eq!(evaluations(&MEDIAN, &train(3, None, 40), 300), [40, 80]);
        assert_eq!(evaluations(&MEDIAN, &train(3, None, 45), 300), [45]);
        assert_eq!(evaluations(&MEDIAN, &train(1, None, 0), 300), [0; 0]);
        assert_eq!(evaluations(&MEDIAN, &train(1, None, 0), 0), [0; 0]);
    }

    #[test]
    fn every_rung_is_an_evaluation_of_the_run() {
        for prune in [ASHA, MEDIAN, Prune::Asha { reduction_factor: 2, rungs: 4 }] {
            for (max_steps, eval_steps, epochs) in (1..40)
                .flat_map(|m| [0, 1, 3, 7, 50].map(|e| (m, e)))
                .flat_map(|(m, e)| [(Some(m), e, 1), (None, e, m as u32)])
            {
                let train = train(epochs, max_steps, eval_steps);
                let total = schedule::total_steps(&train, 70);
                let every = if eval_steps == 0 { 7 } else { eval_steps };
                for step in evaluations(&prune, &train, 70) {
                    let evaluated = step.is_multiple_of(every) || step == total;
                    assert!((1..=total).contains(&step) && evaluated, "{prune:?} {max_steps:?} {eval_steps} {step}");
                }
            }
        }
    }

    /// Number and step of each rung.
    fn numbered(prune: &Prune, train: &TrainConfig) -> Vec<(usize, u64)> {
        rungs(prune, train, 300).into_iter().map(|rung| (rung.number, rung.step)).collect()
    }

    #[test]
    fn of_rungs_on_one_evaluation_the_last_is_left_and_none_is_on_the_last_step() {
        assert_eq!(numbered(&ASHA, &train(9, None, 0)), [(0, 30), (1, 90)]);
        // Three epochs: a ninth and a third both end with the first.
        assert_eq!(numbered(&ASHA, &train(3, None, 0)), [(1, 30)]);
        assert_eq!(numbered(&ASHA, &train(2, None, 0)), [(1, 30)]);
        let halving = Prune::Asha { reduction_factor: 2, rungs: 3 };
        assert_eq!(numbered(&halving, &train(9, Some(100), 40)), [(1, 40), (2, 80)]);
        let many = Prune::Asha { reduction_factor: 100, rungs: 10 };
        assert_eq!(numbered(&many, &train(9, Some(1000), 7)), [(8, 7), (9, 14)]);
        // The first falls on the evaluation at 40, the second on the last step.
        assert_eq!(numbered(&ASHA, &train(9, Some(50), 40)), [(1, 40)]);
        assert_eq!(
            numbered(&Prune::Asha { reduction_factor: 2, rungs: 2 }, &train(9, Some(90), 40)),
            [(0, 40), (1, 80)]
        );
        assert_eq!(
            numbered(&Prune::Asha { reduction_factor: 2, rungs: 2 }, &train(9, Some(70), 30)),
            [(0, 30), (1, 60)]
        );
        assert_eq!(numbered(&Prune::Asha { reduction_factor: 2, rungs: 2 }, &train(9, Some(50), 30)), [(1, 30)]);
        assert_eq!(
            numbered(&Prune::Asha { reduction_factor: 2, rungs: 2 }, &train(9, Some(50), 15)),
            [(0, 15), (1, 30)]
        );
        let early = Prune::Asha { reduction_factor: 2, rungs: 1 };
        assert_eq!(numbered(&early, &train(9, Some(50), 30)), [(0, 30)]);
        // A run of one epoch, or with evaluations further apart than its length.
        assert_eq!(numbered(&ASHA, &train(1, None, 0)), [(0, 0); 0]);
        assert_eq!(numbered(&ASHA, &train(9, Some(50), 60)), [(0, 0); 0]);
        assert_eq!(rungs(&ASHA, &train(9, None, 0), 0), []);
        // Every evaluation before the last step is one of its own.
        assert_eq!(numbered(&MEDIAN, &train(3, None, 0)), [(0, 30), (1, 60)]);
        assert_eq!(numbered(&Prune::None, &train(3, None, 0)), [(0, 0); 0]);
    }

    #[test]
    fn asha_promotes_the_best_part_and_the_others_wait() {
        let unknown = f64::NAN;
        assert_eq!(continuing(&ASHA, &[0.5]), [0; 0]);
        assert_eq!(continuing(&ASHA, &[0.5, 0.6]), [0; 0]);
        assert_eq!(continuing(&ASHA, &[0.5, 0.6, 0.4]), [1]);
        assert_eq!(continuing(&ASHA, &[0.5, 0.6, 0.4, 0.9, 0.8]), [3]);
        assert_eq!(continuing(&ASHA, &[0.5, 0.6, 0.4, 0.9, 0.8, 0.1]), [3, 4]);
        // Missing scores do not count; failed runs count as the worst.
        assert_eq!(continuing(&ASHA, &[0.5, unknown, 0.4, unknown]), [0; 0]);
        assert_eq!(continuing(&ASHA, &[0.5, f64::NEG_INFINITY, 0.4]), [0]);
        // Ties go to the first.
        assert_eq!(continuing(&ASHA, &[0.7; 7]), [0, 1]);
        assert_eq!(continuing(&ASHA, &[0.7, 0.8, 0.8]), [1]);
        // A lower loss is better.
        let losses = [0.7, 0.2, 0.9].map(|loss| vec![Some(Metric::Loss.score(loss))]);
        assert_eq!(verdict(&ASHA, Metric::Loss, &losses, (1, 1), 0), Verdict::Continue);
        let verdicts = verdicts(&ASHA, &[0.5, 0.91234, 0.4, unknown, f64::NEG_INFINITY]);
        assert_eq!(
            verdicts[0],
            Verdict::Wait(
                "rank 2 of 3 (1 more failed) at rung 1 with dev accuracy 50.0%; only the best (1 in 3) goes on".into()
            )
        );
        assert_eq!(verdicts[1], Verdict::Continue);
        assert_eq!(verdicts[3], Verdict::Wait("no score yet at rung 1".into()));
        assert_eq!(verdicts[4], Verdict::End("failed before rung 1".into()));
        let several = self::verdicts(&ASHA, &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]);
        let reason = "rank 3 of 6 at rung 1 with dev accuracy 40.0%; only the best 2 (1 in 3) go on";
        assert_eq!(several[3], Verdict::Wait(reason.into()));
        // Ties are broken by number.
        let tied = self::verdicts(&ASHA, &[0.5, 0.5, 0.5]);
        let reason =
            "ranks 1–3 of 3 at rung 1 with dev accuracy 50.0%, tied with 2 others; only the best (1 in 3) goes on";
        assert_eq!(tied[..2], [Verdict::Continue, Verdict::Wait(reason.into())]);
        let tied = self::verdicts(&ASHA, &[0.5, 0.9, 0.5, 0.4]);
        let reason =
            "ranks 2–3 of 4 at rung 1 with dev accuracy 50.0%, tied with 1 other; only the best (1 in 3) goes on";
        assert_eq!(tied[2], Verdict::Wait(reason.into()));
        let losses = [0.35, 0.1].map(|loss| vec![Some(Metric::Loss.score(loss))]);
        let early = verdict(&ASHA, Metric::Loss, &losses, (0, 1), 0);
        assert_eq!(
            early,
            Verdict::Wait(
                "rank 2 of 2 at rung 1 with dev loss 0.3500; too few trials reached it to promote 1 in 3".into()
            )
        );
    }

    /// Of nine trials three are promoted by rank.
    #[test]
    fn a_reason_says_where_others_than_the_best_went_on() {
        let scores = at_one_rung(&[0.9, 0.8, 0.7, 0.5, 0.5, 0.5, 0.4, 0.3, 0.2]);
        let said = |prune: &Prune, trial, pruned: &[usize], went_on: &[usize]| {
            besides_ranks(prune, &scores, (trial, 0), |t| match (pruned.contains(&t), went_on.contains(&t)) {
                (true, _) => Fate::Pruned,
                (_, true) => Fate::WentOn,
                _ => Fate::Open,
            })
        };
        assert_eq!(said(&ASHA, 8, &[], &[0, 1, 2]), "", "as the ranks say");
        assert_eq!(said(&ASHA, 8, &[2], &[0, 1]), "; 1 of these was pruned earlier and remains pruned");
        assert_eq!(said(&ASHA, 8, &[0, 1, 2], &[]), "; they were pruned earlier and remain pruned");
        let equals = format!("; 1 other went on earlier; {WHICH_OF_EQUALS}");
        assert_eq!(said(&ASHA, 5, &[], &[0, 1, 2, 3]), equals);
        assert_eq!(
            said(&ASHA, 6, &[1, 2], &[0, 3, 7]),
            "; 2 of these were pruned earlier and remain pruned; 2 others went on earlier"
        );
        assert_eq!(said(&MEDIAN, 5, &[0], &[3]), "");
        let three = at_one_rung(&[0.9, 0.8, 0.7]);
        let only = besides_ranks(&ASHA, &three, (1, 0), |t| if t == 0 { Fate::Pruned } else { Fate::Open });
        assert_eq!(only, "; it was pruned earlier and remains pruned");
    }

    /// A trial that was promoted stays promoted: more scores only enlarge the promoted part or push others down.
    #[test]
    fn asha_over_time_promotes_at_least_its_part_in_any_order() {
        let values: Vec<f64> = (0..27).map(|i| f64::from(i * 7 % 27)).collect();
        let best: Vec<usize> = (0..27).filter(|i| values[*i] >= 18.0).collect();
        for step in [1, 2, 4, 5, 7, 8] {
            let mut known = vec![vec![None]; 27];
            let mut gone = std::collections::BTreeSet::new();
            for arrival in (0..27).map(|i| i * step % 27) {
                known[arrival][0] = Some(score(values[arrival]));
                gone.extend(
                    (0..27)
                        .filter(|trial| verdict(&ASHA, Metric::Accuracy, &known, (*trial, 1), 0) == Verdict::Continue),
                );
            }
            assert!(best.iter().all(|trial| gone.contains(trial)), "order {step}: {gone:?}");
            let at_last: Vec<usize> = (0..27)
                .filter(|trial| verdict(&ASHA, Metric::Accuracy, &known, (*trial, 1), 0) == Verdict::Continue)
                .collect();
            assert_eq!(at_last, best, "order {step}");
        }
    }

    #[test]
    fn rungs_are_decided_independently() {
        let of = |value: f64| Some(score(value));
        let scores =
            vec![vec![of(0.1), of(0.9)], vec![of(0.2), of(0.8)], vec![of(0.3), None], vec![of(0.4), of(0.7)], vec![]];
        let at = |trial, rung| verdict(&ASHA, Metric::Accuracy, &scores, (trial, 1), rung);
        assert_eq!((at(3, 0), at(0, 1)), (Verdict::Continue, Verdict::Continue));
        assert_eq!(
            at(3, 1),
            Verdict::Wait("rank 3 of 3 at rung 2 with dev accuracy 70.0%; only the best (1 in 3) goes on".into())
        );
        assert_eq!(at(2, 1), Verdict::Wait("no score yet at rung 2".into()));
        assert_eq!(at(4, 0), Verdict::Wait("no score yet at rung 1".into()));
        assert_eq!(at(9, 0), Verdict::Wait("no score yet at rung 1".into()));
    }

    #[test]
    fn the_median_rule_compares_with_lower_numbers_only() {
        let unknown = f64::NAN;
        // The first three are never ended.
        assert_eq!(continuing(&MEDIAN, &[0.5, 0.1, 0.2]), [0, 1, 2]);
        // The median of 0.5, 0.1, 0.2 is 0.2: an equal score continues.
        assert_eq!(continuing(&MEDIAN, &[0.5, 0.1, 0.2, 0.2]), [0, 1, 2, 3]);
        assert_eq!(continuing(&MEDIAN, &[0.5, 0.1, 0.2, 0.199]), [0, 1, 2]);
        // The median of an even number is the mean of the middle two: 0.35.
        assert_eq!(continuing(&MEDIAN, &[0.5, 0.1, 0.2, 0.6, 0.34, 0.36]), [0, 1, 2, 3, 5]);
        // Neither later nor missing scores count: with two earlier scores a trial continues.
        assert_eq!(continuing(&MEDIAN, &[0.5, unknown, 0.5, 0.1, 0.9]), [0, 2, 3, 4]);
        // Failed trials count.
        let failed = f64::NEG_INFINITY;
        assert_eq!(continuing(&MEDIAN, &[failed, failed, 0.5, 0.1]), [2, 3]);
        let losses = [0.5, 0.4, 0.3, 0.45].map(|loss| vec![Some(Metric::Loss.score(loss))]);
        let reason = "dev loss 0.4500 at rung 1 is worse than 0.4000, the median of 3 earlier trials there";
        assert_eq!(verdict(&MEDIAN, Metric::Loss, &losses, (3, 1), 0), Verdict::End(reason.into()));
        assert_eq!(verdict(&MEDIAN, Metric::Loss, &losses, (7, 1), 0), Verdict::Wait("no score yet at rung 1".into()));
        assert_eq!(verdict(&Prune::Median { startup_trials: 0 }, Metric::Loss, &losses, (0, 1), 0), Verdict::Continue);
    }

    #[test]
    fn a_reason_says_mean_for_trials_of_several_seeds() {
        let at = |prune: &Prune, metric: Metric, values: &[f64], trial: (usize, usize)| {
            let scores: Vec<_> = values.iter().map(|value| vec![Some(metric.score(*value))]).collect();
            match verdict(prune, metric, &scores, trial, 0) {
                Verdict::Wait(reason) | Verdict::End(reason) => reason,
                Verdict::Continue => String::new(),
            }
        };
        let accuracies = [0.9, 0.811, 0.7];
        assert_eq!(
            at(&ASHA, Metric::Accuracy, &accuracies, (1, 3)),
            "rank 2 of 3 at rung 1 with mean dev accuracy 81.1% (3 seeds); only the best (1 in 3) goes on"
        );
        assert_eq!(
            at(&ASHA, Metric::Accuracy, &accuracies, (1, 1)),
            "rank 2 of 3 at rung 1 with dev accuracy 81.1%; only the best (1 in 3) goes on"
        );
        assert_eq!(
            at(&MEDIAN, Metric::Loss, &[0.5, 0.4, 0.3, 0.45], (3, 2)),
            "mean dev loss 0.4500 (2 seeds) at rung 1 is worse than 0.4000, the median of 3 earlier trials there"
        );
    }

    #[test]
    fn without_a_rule_every_trial_continues() {
        assert_eq!(continuing(&Prune::None, &[f64::NEG_INFINITY, 0.1]), [0, 1]);
        assert_eq!(verdict(&Prune::None, Metric::Loss, &[], (3, 1), 1), Verdict::Continue);
    }
}
