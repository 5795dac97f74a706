//! A sweep as another process sees it: the same table, from the stored records.

use std::{collections::HashMap, time::Instant};

use super::{Board, PlannedSweep, past, run_status::RunStatus, sweep::LiveSweep};
use crate::{
    plan::Prune,
    store::{RunRecord, RunState, Store, StoreError},
};

/// Reads stored runs repeatedly, and measures their speed between two readings.
#[derive(Debug, Default)]
pub struct Watch {
    sweep: LiveSweep,
    /// State and steps of each run when it was last read: an unchanged run is not read again.
    seen: HashMap<String, (RunState, u64)>,
    /// The time of the first reading, and the steps of each run stored by then.
    first: Option<(Instant, HashMap<String, u64>)>,
}

/// The result of a reading.
#[derive(Debug)]
pub struct Reading {
    /// The table.
    pub board: Board,
    /// Running runs.
    pub running: usize,
    /// Runs that have not ended, including running ones.
    pub open: usize,
}

impl Watch {
    /// Updates the table from `runs`, as just read from `store`, and their `plan`.
    pub fn read(&mut self, store: &Store, runs: &[RunRecord], plan: &PlannedSweep) -> Result<Reading, StoreError> {
        self.sweep.planned(plan);
        let now = || (Instant::now(), runs.iter().map(|run| (run.key.clone(), run.steps)).collect());
        let (begin, before) = self.first.get_or_insert_with(now);
        let took = begin.elapsed().as_secs_f64();
        let trained: f64 = runs
            .iter()
            .map(|run| {
                let cost = plan.runs.iter().find(|planned| planned.key == run.key).map_or(1.0, |p| p.step_cost);
                run.steps.saturating_sub(before.get(&run.key).copied().unwrap_or(0)) as f64 * cost
            })
            .sum();
        for run in runs {
            let planned = plan.runs.iter().find(|planned| planned.key == run.key);
            let now = (run.state, run.steps);
            if run.state != RunState::Running && self.seen.get(&run.key) == Some(&now) {
                continue;
            }
            let mut member = RunStatus::new(&run.name, planned.map_or(usize::MAX, |p| p.trial));
            if let Some(planned) = planned {
                member.plan(planned, self.sweep.by_dev());
            }
            member.recall(&run.key, &past(store, run)?);
            self.sweep.add(run.key.clone(), member);
            self.seen.insert(run.key.clone(), now);
        }
        let running = runs.iter().filter(|run| run.state == RunState::Running).count();
        // While nothing is running there is no speed, and the end of a sweep that prunes cannot be predicted from outside.
        let ended_early =
            plan.prune == Prune::None && runs.iter().any(|r| matches!(r.state, RunState::Pruned | RunState::Waiting));
        self.sweep.set_pace(if running == 0 || ended_early { 0.0 } else { trained }, took, running);
        let board = self.sweep.board(took);
        let over = |run: &&RunRecord| matches!(run.state, RunState::Completed | RunState::Pruned | RunState::Failed);
        Ok(Reading { board, running, open: runs.len() - runs.iter().filter(over).count() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::PlannedInfo;
    use crate::{
        event::{Event, FailureKind, Outcome, Split, When},
        plan::{Budget, Keep, Metric},
        store::{
            Environment,
            testing::{eval, register, step},
        },
    };

    fn plan(runs: &[RunRecord]) -> PlannedSweep {
        let info = |(trial, run): (usize, &RunRecord)| PlannedInfo {
            key: run.key.clone(),
            name: run.name.clone(),
            trial,
            state: run.state,
            total_steps: run.total_steps,
            step: run.steps,
            trained_s: 0.0,
            metric: Metric::Accuracy,
            shown: Metric::Accuracy,
            keep: Keep::Last,
            has_dev: true,
            rungs: Vec::new(),
            step_cost: 1.0,
            past: Vec::new(),
        };
        PlannedSweep {
            experiment: "e".into(),
            runs: runs.iter().enumerate().map(info).collect(),
            to_come: 0,
            prune: Prune::None,
            batches: None,
            budget: Budget::default(),
        }
    }

    #[test]
    fn stored_progress_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        for (key, name) in [("a", "lr=1e-5"), ("b", "lr=2e-5"), ("c", "lr=3e-5"), ("d", "lr=4e-5"), ("e", "lr=5e-5")] {
            register(&mut store, key, name);
        }
        let rows = (8, 4, 4);
        let started = Event::RunStarted {
            total_steps: 10,
            steps_per_epoch: 10,
            resumed_from: None,
            rows,
            parameters: 9,
            train_labels: Vec::new(),
        };
        for (key, right) in [("a", 2), ("b", 4), ("c", 3)] {
            store.start(key, &Environment::default(), None).unwrap();
            let events = [started.clone(), step(1, 0.5), step(2, 0.25), eval(When::During, 2, Split::Dev, right)];
            store.append(key, &events).unwrap();
        }
        store.append("a", &[Event::RunFinished(Outcome::Completed)]).unwrap();
        let failed = Outcome::Failed { kind: FailureKind::Crashed, message: "signal 9".into() };
        store.append("b", &[Event::RunFinished(failed)]).unwrap();
        let mut watch = Watch::default();
        let runs = store.runs().unwrap();
        let Reading { board, running, open } = watch.read(&store, &runs, &plan(&runs)).unwrap();
        assert_eq!((running, open), (1, 3));
        let seen = |board: &Board| board.rows.iter().map(|row| row.values.concat()).collect::<Vec<_>>().join(" ");
        // The leader, which is completed; then running, failed and pending runs.
        assert_eq!(seen(&board), "1e-5 3e-5 2e-5 4e-5 5e-5");
        assert_eq!((board.keys.join(" "), board.metric.as_str()), ("lr".into(), "dev acc"));
        let row = &board.rows[1];
        // Eight steps left at two a second, and an evaluation of half a second every two of them.
        assert_eq!((row.step, row.total, row.value_text().as_deref(), row.left_s), (2, 10, Some("75.0%*"), Some(6.0)));
        assert!((row.loss.unwrap() - 0.4875).abs() < 1e-12);
        assert_eq!(board.rows[2].reason.as_deref(), Some("signal 9"));
        assert!(board.summary.starts_with("2 of 5 runs done (1 completed, 1 failed), 3 left"), "{}", board.summary);
        assert_eq!(board.best.as_deref(), Some("best finished so far: lr=1e-5  dev accuracy 50.0%"));
        // It progresses.
        let more =
            [step(3, 0.25), eval(When::During, 3, Split::Dev, 1), Event::RunFinished(Outcome::Paused { step: 3 })];
        store.append("c", &more).unwrap();
        let runs = store.runs().unwrap();
        for _ in 0..2 {
            let board = watch.read(&store, &runs, &plan(&runs)).unwrap().board;
            assert_eq!(seen(&board), "1e-5 3e-5 2e-5 4e-5 5e-5");
            assert_eq!((board.rows[1].state, board.rows[1].step), (RunState::Waiting, 3));
            assert!(!board.summary.contains("eta"), "{}", board.summary);
        }
    }
}
