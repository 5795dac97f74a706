//! A sweep as another terminal sees it: the same table, made from what is stored.

use std::time::Instant;

use super::{
    Board, RunInfo,
    board::Standing,
    sweep::{Member, Sweep},
};
use crate::{
    event::{Event, Outcome},
    store::{RunRecord, RunState, Store, StoreError},
};

/// Steps of a run that are looked at: enough for its speed and its smoothed loss.
const STEPS: u32 = 50;

/// Looks at stored runs again and again, and measures how fast they get on between its looks.
#[derive(Debug, Default)]
pub struct Watch {
    /// When it looked first, and the steps stored by then.
    first: Option<(Instant, u64)>,
}

/// What was seen.
#[derive(Debug)]
pub struct Look {
    /// The table: all that is at work, then what ended, the last first, then what is still to come.
    pub board: Board,
    /// Runs at work.
    pub running: usize,
    /// Runs not ended, those at work among them.
    pub open: usize,
}

impl Watch {
    /// Looks at `runs`, as just read from `store`; of those at work and `most` others what the table needs is read too.
    pub fn look(&mut self, store: &Store, runs: &[RunRecord], most: usize) -> Result<Look, StoreError> {
        let steps = runs.iter().map(|run| run.steps).sum();
        let (begin, before) = *self.first.get_or_insert_with(|| (Instant::now(), steps));
        let of = |state: &dyn Fn(RunState) -> bool| runs.iter().filter(|r| state(r.state)).collect::<Vec<_>>();
        let waits = |state| state == RunState::Pending;
        let works = |state| state == RunState::Running;
        let (mut pending, mut running) = (of(&waits), of(&works));
        let mut ended = of(&|state| !waits(state) && !works(state));
        let time = |time: Option<f64>| time.unwrap_or(0.0);
        // While nothing is at work nothing gets on: there is no pace to foretell the end by.
        let mut sweep = Sweep::seen(if running.is_empty() { 0 } else { steps.saturating_sub(before) });
        running.sort_by(|a, b| time(a.started_at).total_cmp(&time(b.started_at)));
        ended.sort_by(|a, b| time(a.finished_at).total_cmp(&time(b.finished_at)));
        pending.reverse();
        // In this order they take their turns: what is to come first stands just below what ended.
        let quiet = pending.len() + ended.len();
        for (i, run) in pending.iter().chain(&ended).chain(&running).enumerate() {
            let shown = i + most >= quiet;
            sweep.add(run.key.clone(), member(store, run, shown)?);
        }
        let board = sweep.board(begin.elapsed().as_secs_f64(), most);
        let over = |run: &&RunRecord| matches!(run.state, RunState::Completed | RunState::Pruned | RunState::Failed);
        Ok(Look { board, running: running.len(), open: runs.len() - runs.iter().filter(over).count() })
    }
}

/// A stored run as its events would have left it; only `shown` ones have figures.
fn member(store: &Store, run: &RunRecord, shown: bool) -> Result<Member, StoreError> {
    let config = &run.config;
    let mut member = Member::new(&run.name, config.checkpoint.metric);
    let info = RunInfo { key: run.key.clone(), name: run.name.clone(), log_steps: 0, position: (1, 1) };
    let size = run.size.as_ref();
    member.tell(
        &info,
        &Event::RunStarted {
            total_steps: run.total_steps,
            steps_per_epoch: size.map_or(0, |size| size.steps_per_epoch),
            // Its speed is that of the steps seen here.
            resumed_from: Some(run.steps),
            rows: size.map_or((0, 0, 0), |size| (size.train_rows, size.dev_rows, size.test_rows)),
            parameters: size.map_or(0, |size| size.parameters),
            train_labels: run.train_labels.clone().unwrap_or_default(),
        },
    );
    if shown {
        for step in store.last_steps(&run.key, STEPS)? {
            member.tell(&info, &Event::StepCompleted(step));
        }
        for e in store.evals(&run.key)? {
            let (when, step, epoch, split, metrics, elapsed_s) =
                (e.when, e.step, e.epoch, e.split, e.metrics, e.elapsed_s);
            member.tell(&info, &Event::EvalCompleted { when, step, epoch, split, metrics, elapsed_s });
        }
    }
    let reason = || run.message.clone().unwrap_or_default();
    match run.state {
        RunState::Pending => member.standing = Standing::Pending,
        RunState::Running => {}
        RunState::Completed => _ = member.tell(&info, &Event::RunFinished(Outcome::Completed)),
        RunState::Pruned => _ = member.tell(&info, &Event::RunFinished(Outcome::Pruned { reason: reason() })),
        RunState::Interrupted => {
            let paused = Outcome::Paused { step: run.steps };
            let outcome = if run.waits() { paused } else { Outcome::Interrupted };
            member.tell(&info, &Event::RunFinished(outcome));
            member.reason = run.message.clone();
        }
        RunState::Failed => {
            let kind = run.failure.unwrap_or(crate::event::FailureKind::Error);
            member.tell(&info, &Event::RunFinished(Outcome::Failed { kind, message: reason() }));
        }
    }
    Ok(member)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{FailureKind, Split, When},
        store::{
            Environment,
            testing::{eval, register, step},
        },
    };

    #[test]
    fn what_is_stored_is_seen_as_it_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        for (key, name) in [("a", "lr=1e-5"), ("b", "lr=2e-5"), ("c", "lr=3e-5"), ("d", "lr=4e-5"), ("e", "lr=5e-5")] {
            register(&mut store, key, name);
        }
        for key in ["a", "b", "c"] {
            store.start(key, &Environment::default(), None).unwrap();
            store.append(key, &[step(1, 0.5), step(2, 0.25), eval(When::During, 2, Split::Dev, 3)]).unwrap();
        }
        store.append("a", &[Event::RunFinished(Outcome::Completed)]).unwrap();
        let failed = Outcome::Failed { kind: FailureKind::Crashed, message: "signal 9".into() };
        store.append("b", &[Event::RunFinished(failed)]).unwrap();
        let mut watch = Watch::default();
        let runs = store.runs().unwrap();
        let Look { board, running, open } = watch.look(&store, &runs, 9).unwrap();
        assert_eq!((running, open), (1, 3));
        let names = |rows: &[super::super::Row]| rows.iter().map(|row| row.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&board.active), ["lr=3e-5"]);
        assert_eq!(names(&board.others), ["lr=2e-5", "lr=1e-5", "lr=4e-5", "lr=5e-5"]);
        let row = &board.active[0];
        // Eight steps left at two a second.
        assert_eq!((row.step, row.total, row.best.as_deref(), row.time_s), (2, 10, Some("75.0%"), Some(4.0)));
        assert!((row.loss.unwrap() - 0.4875).abs() < 1e-12);
        assert_eq!(board.others[0].reason.as_deref(), Some("signal 9"));
        assert_eq!((board.best.as_str(), board.summary.as_str()), ("best dev", "1 of 5 done, 1 failed, 3 left"));
        // Fewer rows are read where fewer are shown, and the counts stay.
        let board = watch.look(&store, &runs, 1).unwrap().board;
        assert_eq!(
            (names(&board.others), board.summary.as_str()),
            (vec!["lr=2e-5".into()], "1 of 5 done, 1 failed, 3 left")
        );
    }
}
