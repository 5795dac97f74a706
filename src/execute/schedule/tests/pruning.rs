//! Rules of pruning, over many lengths of runs and intervals of evaluations: which rungs there are, and which trials get past them, is the same in
//! the plan and in the scheduler.

use super::super::fake::{Act, Bench, trains};
use crate::{
    event::Outcome,
    metrics::Metric,
    plan::{Batches, Promotions, Prune, Rung, RungSteps, promotions},
    random::{Purpose, Stream},
    store::RunState,
};

const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];

/// Numbers that differ from case to case, the same each time.
struct Draws {
    stream: Stream,
    next: u64,
}

impl Draws {
    fn of(case: u64) -> Self {
        Self { stream: Stream::new(case, Purpose::Search, 0, 0), next: 0 }
    }

    /// One of these.
    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        self.next += 1;
        of[self.stream.below(self.next, of.len() as u64) as usize]
    }
}

/// Of four rows so many are right, after a step of a trial: there are ties.
fn right(case: u64, trial: usize, step: u64) -> usize {
    Stream::new(case, Purpose::Search, 1, trial as u32).below(step, 5) as usize
}

/// What a run trains after `from`, with an evaluation every `every` steps and after the last one; it asks whether to continue wherever a rung is.
fn acts(case: u64, trial: usize, (from, total): (u64, u64), every: u64) -> Vec<Act> {
    let at = |step: u64| match step.is_multiple_of(every) || step == total {
        true => vec![Act::Step(step), Act::Eval(step, right(case, trial, step)), Act::Ask(step)],
        false => vec![Act::Step(step)],
    };
    (from + 1..=total).flat_map(at).chain([Act::End(Outcome::Completed)]).collect()
}

/// A sweep that is run to its end on one device, and how many of its rungs each trial got past.
fn run(case: u64, bench: &Bench, every: impl Fn(usize) -> u64) -> (Vec<RungSteps>, Vec<usize>) {
    let courses = bench.courses();
    let script = |name: &str, _: usize, from: u64| {
        let trial = NAMES.iter().position(|known| *known == name).unwrap();
        acts(case, trial, (from, courses[trial].total), every(trial))
    };
    let outcome = bench.run(&script);
    let passed = |trial: usize| {
        let record = bench.record(trial);
        let steps = courses[trial].steps();
        match record.state {
            RunState::Completed => {
                assert_eq!(record.steps, courses[trial].total);
                steps.len()
            }
            // It is pruned at a rung of the plan, and the reason names it.
            RunState::Pruned => {
                let at = steps.iter().position(|step| *step == record.steps);
                let at = at.unwrap_or_else(|| panic!("{case}: pruned at {}, not at {steps:?}", record.steps));
                let (step, number) = (record.steps, courses[trial].rungs[at].number + 1);
                let why = record.message.unwrap();
                assert_eq!(record.pruned_at.unwrap().rung, number as u64);
                assert!(
                    why.starts_with(&format!("at step {step}: ")) && why.contains(&format!(" at rung {number} ")),
                    "{why}"
                );
                at
            }
            other => panic!("{case}: {other:?}"),
        }
    };
    let passed: Vec<usize> = (0..courses.len()).map(passed).collect();
    let completed = passed.iter().zip(&courses).filter(|(passed, course)| **passed == course.rungs.len()).count();
    assert_eq!((outcome.tally.completed, outcome.tally.pruned), (completed, courses.len() - completed));
    (courses, passed)
}

/// Interval of evaluations of a run of `epochs` epochs of three steps.
const fn every(eval_steps: u64) -> u64 {
    if eval_steps == 0 { 3 } else { eval_steps }
}

#[test]
fn asha_promotes_what_the_plan_simulates_wherever_its_rungs_fall() {
    let (mut on_one, mut none) = (0, 0);
    for case in 0..20 {
        let mut draw = Draws::of(case);
        let (factor, rungs) = (draw.one(&[2, 3, 4]), draw.one(&[1, 2, 3]));
        let (epochs, max_steps, eval_steps) = (
            if case == 0 { 1 } else { draw.one(&[2, 3, 5, 9]) },
            draw.one(&[None, None, None, Some(20)]).filter(|_| case > 0),
            if case == 0 { 0 } else { draw.one(&[0, 0, 1, 2, 4, 7]) },
        );
        let mut bench = Bench::of(&NAMES, |_, config| {
            (config.train.epochs, config.train.max_steps, config.train.eval_steps) = (epochs, max_steps, eval_steps);
        });
        bench.prune = Prune::Asha { reduction_factor: factor, rungs };
        let (courses, passed) = run(case, &bench, |_| every(eval_steps));
        let course: Vec<(&[Rung], u64)> = courses.iter().map(|course| (&course.rungs[..], course.total)).collect();
        let steps = courses[0].steps();
        let score = |trial: usize, rung: usize| right(case, trial, steps[rung]) as u64;
        let what = format!("{case}: {factor} {rungs} {epochs} {max_steps:?} {eval_steps}: {steps:?}");
        assert_eq!(passed, promotions::passed(factor, (9, None), &course, score), "{what}");
        // At every rung at least one in `factor` goes on, and at least one trial.
        let mut reached = 9;
        for rung in 0..steps.len() {
            let past = passed.iter().filter(|passed| **passed > rung).count();
            assert!(past >= (reached / factor as usize).max(1) && past <= reached, "{what}: {past} of {reached}");
            reached = past;
        }
        // What the plan says has this number of rungs.
        let forecast = Promotions::by(&bench.prune, 9, Batches::of(&crate::spec::Sweep::default()), &course);
        let words = forecast.map_or(0, |forecast| forecast.words().split(" → ").count() - 1);
        assert_eq!(words, steps.len(), "{what}");
        on_one += u64::from(!steps.is_empty() && (steps.len() as u64) < rungs);
        none += u64::from(steps.is_empty());
    }
    assert!(on_one >= 5 && none >= 1, "{on_one} {none}");
}

/// Trials of an axis of batch sizes, epochs or intervals have rungs on other steps, and one may have fewer.
#[test]
fn trials_whose_rungs_fall_differently_are_compared_as_the_plan_simulates() {
    let mut differ = 0;
    for case in 100..112 {
        let mut draw = Draws::of(case);
        let (factor, rungs) = (draw.one(&[2, 3]), draw.one(&[2, 3]));
        let settings: Vec<(u32, u64)> = NAMES.iter().map(|_| (draw.one(&[1, 3, 9]), draw.one(&[0, 1, 4]))).collect();
        let mut bench = Bench::of(&NAMES, |trial, config| {
            (config.train.epochs, config.train.eval_steps) = settings[trial];
        });
        bench.prune = Prune::Asha { reduction_factor: factor, rungs };
        let (courses, passed) = run(case, &bench, |trial| every(settings[trial].1));
        let course: Vec<(&[Rung], u64)> = courses.iter().map(|course| (&course.rungs[..], course.total)).collect();
        let numbers = crate::plan::rung_steps::numbers(&courses);
        let score = |trial: usize, rung: usize| {
            let rung = courses[trial].rungs.iter().find(|own| own.number == numbers[rung]).unwrap();
            right(case, trial, rung.step) as u64
        };
        let simulated = promotions::passed(factor, (9, None), &course, score);
        assert_eq!(passed, simulated, "{case}: {factor} {rungs} {settings:?}: {courses:?}");
        differ += u64::from(courses.iter().any(|course| course.rungs.len() != courses[0].rungs.len()));
    }
    assert!(differ > 5, "{differ}");
}

/// The rule, written again: a trial is pruned at the first evaluation before its last step at which it is worse than the median of the earlier
/// trials that reached it, of which there are enough.
#[test]
fn the_median_rule_decides_at_the_evaluations_that_the_plan_names() {
    let mut pruned = 0;
    for case in 200..212 {
        let mut draw = Draws::of(case);
        let startup = draw.one(&[1, 2, 4]);
        let (epochs, eval_steps) = (draw.one(&[1, 2, 5]), draw.one(&[0, 1, 4, 7, 30]));
        let mut bench = Bench::of(&NAMES, |_, config| {
            (config.train.epochs, config.train.eval_steps) = (epochs, eval_steps);
        });
        bench.prune = Prune::Median { startup_trials: startup };
        let (courses, passed) = run(case, &bench, |_| every(eval_steps));
        let total = courses[0].total;
        let before_last: Vec<u64> = (1..total).filter(|step| step.is_multiple_of(every(eval_steps))).collect();
        assert_eq!(courses[0].steps(), before_last);
        let mut want: Vec<usize> = Vec::new();
        for trial in 0..9 {
            let is_worse = |rung: &usize| {
                let of = |trial: usize| right(case, trial, before_last[*rung]) as f64;
                let mut earlier: Vec<f64> = (0..trial).filter(|t| want[*t] >= *rung).map(of).collect();
                earlier.sort_by(f64::total_cmp);
                let n = earlier.len();
                let median = || (earlier[(n - 1) / 2] + earlier[n / 2]) / 2.0;
                trial as u64 >= startup && n as u64 >= startup && of(trial) < median()
            };
            want.push((0..before_last.len()).find(is_worse).unwrap_or(before_last.len()));
        }
        assert_eq!(passed, want, "{case}: {startup} {epochs} {eval_steps}");
        pruned += want.iter().filter(|passed| **passed < before_last.len()).count();
    }
    assert!(pruned > 10, "{pruned}");
}

/// Ctrl-C in the fourth of nine trials: of the first three, which tie, the first was promoted already.
#[test]
fn a_promotion_that_the_order_decided_is_told_by_a_sweep_that_is_stopped() {
    let mut bench = Bench::new(&NAMES);
    bench.prune = Prune::Asha { reduction_factor: 3, rungs: 2 };
    let script = |name: &str, _: usize, from: u64| match name {
        "d" => vec![Act::Step(1), Act::CtrlC, Act::Step(2)],
        _ => trains(from, 2),
    };
    let outcome = bench.run(&script);
    assert!(outcome.tally.is_stopped(), "{:?}", outcome.tally);
    let ties: Vec<_> = outcome.ties.iter().map(|tie| (tie.rung, tie.trials, tie.tied, tie.went_on)).collect();
    assert_eq!(ties, [(0, 3, 3, 1)]);
    assert_eq!(Metric::Accuracy.value(outcome.ties[0].score), 0.5);
}
