//! Where the rungs of runs fall, in words.

use super::{
    Prune, TrainConfig,
    prune::{Rung, rungs},
    schedule,
};
use crate::format::Span;
use std::collections::BTreeSet;

/// Where the rungs of a run fall.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RungSteps {
    /// Its rungs, in order.
    pub rungs: Vec<Rung>,
    /// Its total steps.
    pub total: u64,
    /// Steps of an epoch.
    pub per_epoch: u64,
}

impl RungSteps {
    /// Those of a run on `rows` training rows, or windows of them.
    pub fn of(prune: &Prune, train: &TrainConfig, rows: u64) -> Self {
        let total = schedule::total_steps(train, rows);
        let per_epoch = schedule::steps_per_epoch(rows, train.batch_size, train.gradient_accumulation_steps);
        Self { rungs: rungs(prune, train, rows), total, per_epoch }
    }

    /// The steps of its rungs.
    pub fn steps(&self) -> Vec<u64> {
        self.rungs.iter().map(|rung| rung.step).collect()
    }

    /// The step of its rung of this number, from 0.
    fn step(&self, number: usize) -> Option<u64> {
        self.rungs.iter().find(|rung| rung.number == number).map(|rung| rung.step)
    }
}

/// The numbers, from 0, of the rungs that any of these runs has, in order.
pub fn numbers(runs: &[RungSteps]) -> Vec<usize> {
    let all: BTreeSet<usize> = runs.iter().flat_map(|run| &run.rungs).map(|rung| rung.number).collect();
    all.into_iter().collect()
}

/// Where rung number `rung`, from 0, falls: `step 10 of 90`; where that differs between runs `epoch 1 of 9`, or `steps 10–40 of 90–360` if
/// the ends of epochs do not say it.
pub fn at(runs: &[RungSteps], rung: usize) -> String {
    let here: Vec<(&RungSteps, u64)> = runs.iter().filter_map(|run| Some((run, run.step(rung)?))).collect();
    let span = |of: &dyn Fn(&(&RungSteps, u64)) -> u64| Span::of(here.iter().map(of)).unwrap_or(Span::from(0));
    let words = |unit: &str, at: Span, total: Span| {
        let plural = if at.is_one() { "" } else { "s" };
        format!("{unit}{plural} {at} of {total}")
    };
    let (steps, totals) = (span(&|(_, step)| *step), span(&|(run, _)| run.total));
    let whole = |(run, step): &(&RungSteps, u64)| {
        run.per_epoch > 0 && step.is_multiple_of(run.per_epoch) && run.total.is_multiple_of(run.per_epoch)
    };
    if !(steps.is_one() && totals.is_one()) && here.iter().all(whole) {
        return words("epoch", span(&|(run, step)| step / run.per_epoch), span(&|(run, _)| run.total / run.per_epoch));
    }
    words("step", steps, totals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_say_where_a_rung_falls_if_steps_differ() {
        let run = |step, total, per_epoch| RungSteps { rungs: vec![Rung { number: 0, step }], total, per_epoch };
        let of = |runs: &[RungSteps]| at(runs, 0);
        assert_eq!(of(&[run(10, 90, 10)]), "step 10 of 90");
        assert_eq!(of(&[run(12, 108, 12), run(23, 207, 23), run(45, 405, 45)]), "epoch 1 of 9");
        assert_eq!(of(&[run(10, 90, 10), run(20, 180, 10)]), "epochs 1–2 of 9–18");
        // One of them ends within an epoch, or is decided within one.
        assert_eq!(of(&[run(10, 95, 10), run(20, 180, 20)]), "steps 10–20 of 95–180");
        assert_eq!(of(&[run(1000, 3000, 300), run(5000, 15_000, 5000)]), "steps 1,000–5,000 of 3,000–15,000");
        // A run without the rung is left out.
        let two =
            RungSteps { rungs: vec![Rung { number: 1, step: 60 }, Rung { number: 2, step: 120 }], ..run(20, 180, 20) };
        assert_eq!(at(&[run(10, 90, 10), two.clone()], 1), "step 60 of 180");
        assert_eq!((numbers(&[run(10, 90, 10), two.clone()]), two.steps()), (vec![0, 1, 2], vec![60, 120]));
    }
}
