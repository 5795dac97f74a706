//! What is known of several runs at once: how each stands, and how long the whole will take. Pure: events and the time
//! in, lines and a table out.

use std::collections::{HashMap, HashSet};

use super::{
    PlannedInfo, RunInfo,
    board::{Board, Row, Standing},
    lines::{Line, Tone, View, split_name},
};
use crate::{
    event::{Event, Outcome, Split, When},
    format::{duration, percent},
    metrics::Metrics,
    plan::Metric,
    store::RunState,
};

/// Runs that ended and are still shown.
const ENDED: usize = 5;
/// Seconds before a speed means anything.
const WARM_UP_S: f64 = 1.0;

/// The runs of one command.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    members: HashMap<String, Member>,
    /// Runs that the search will still propose.
    to_come: usize,
    /// Runs in all, as the events tell.
    told_of: usize,
    /// When the first run began here, and the steps made here since.
    began_s: Option<f64>,
    made: u64,
    /// Grows with each begin and end of a run.
    turns: u64,
    /// Notes already passed on: runs of one sweep have most of them in common.
    said: HashSet<String>,
}

/// One of them.
#[derive(Debug)]
struct Member {
    name: String,
    view: View,
    standing: Standing,
    metric: Metric,
    /// Best figure by now, and the split it was measured on.
    best: Option<(Split, f64)>,
    /// Accuracy of the kept weights.
    result: Option<(Split, f64)>,
    /// An evaluation under way: part of the data, share done.
    evaluating: Option<(Split, f64)>,
    reason: Option<String>,
    /// When it began or ended last, in turns.
    turn: u64,
}

impl Member {
    fn new(name: &str, metric: Metric) -> Self {
        Self {
            name: name.into(),
            view: View::default(),
            standing: Standing::Pending,
            metric,
            best: None,
            result: None,
            evaluating: None,
            reason: None,
            turn: 0,
        }
    }

    /// Whether nothing more comes of it.
    fn is_over(&self) -> bool {
        matches!(self.standing, Standing::Completed | Standing::Pruned | Standing::Failed)
    }

    fn measured(&mut self, when: When, split: Split, metrics: &Metrics) {
        self.evaluating = None;
        if when != When::Before && split != Split::Train {
            let figure = metrics.figure(self.metric);
            let better = self.best.is_none_or(|(on, best)| on == split && figure > best);
            // The dev split chooses: what was measured elsewhere gives way to it.
            if better || split == Split::Dev && self.best.is_some_and(|(on, _)| on != Split::Dev) {
                self.best = Some((split, figure));
            }
        }
        if when == When::After && self.result.is_none_or(|(on, _)| on != Split::Test) {
            self.result = Some((split, metrics.accuracy));
        }
    }

    fn row(&self) -> Row {
        let at_work = self.standing == Standing::Running;
        Row {
            name: self.name.clone(),
            standing: self.standing,
            step: self.view.step,
            total: self.view.total_steps,
            evaluating: self.evaluating.map(|(split, share)| format!("{} {:.0}%", split_name(split), share * 100.0)),
            loss: self.view.smoothed_loss,
            best: self.best.map(|(_, figure)| figure_text(self.metric, figure)),
            time_s: if at_work { self.view.left_s() } else { Some(self.view.elapsed_s) },
            reason: self.reason.clone(),
        }
    }
}

/// A figure turned so that more is better, as people read it.
fn figure_text(metric: Metric, figure: f64) -> String {
    match metric {
        Metric::Accuracy | Metric::MacroF1 => percent(figure),
        Metric::Loss => format!("{:.4}", -figure),
    }
}

/// `best dev`, `best dev loss`: the heading of a column of such figures.
pub(super) fn best_title(split: Split, metric: Metric) -> String {
    let what = match metric {
        Metric::Accuracy => "",
        Metric::MacroF1 => " F1",
        Metric::Loss => " loss",
    };
    format!("best {}{what}", split_name(split))
}

impl Sweep {
    /// Takes what the command means to do; of a run that is at work here only its name and metric are taken.
    pub fn planned(&mut self, runs: &[PlannedInfo], to_come: usize) {
        self.to_come = to_come;
        for run in runs {
            let member = self.members.entry(run.key.clone()).or_insert_with(|| Member::new(&run.name, run.metric));
            (member.name, member.metric) = (run.name.clone(), run.metric);
            if member.standing != Standing::Running {
                member.view.total_steps = run.total_steps;
                member.view.step = run.step;
                member.standing = match run.state {
                    RunState::Pending | RunState::Running | RunState::Interrupted => Standing::Pending,
                    RunState::Completed => Standing::Completed,
                    RunState::Failed => Standing::Failed,
                    RunState::Pruned => Standing::Pruned,
                };
            }
        }
    }

    /// Takes an event at a time in seconds and gives back what to say of it: not of each step, and not of each probe.
    pub fn tell(&mut self, run: &RunInfo, event: &Event, now_s: f64) -> Vec<Line> {
        self.told_of = self.told_of.max(run.position.1);
        let member = self.members.entry(run.key.clone()).or_insert_with(|| Member::new(&run.name, Metric::Accuracy));
        let mut lines = member.view.tell(run, event);
        match event {
            Event::RunStarted { .. } => {
                self.began_s.get_or_insert(now_s);
                self.turns += 1;
                (member.standing, member.reason, member.turn) = (Standing::Running, None, self.turns);
            }
            Event::Note { message } => {
                if !self.said.insert(message.clone()) {
                    lines.clear();
                }
            }
            Event::StepCompleted(_) => {
                (self.made, member.evaluating) = (self.made + 1, None);
                lines.clear();
            }
            Event::EvalProgress { split, done, total } => {
                member.evaluating = Some((*split, *done as f64 / (*total).max(1) as f64));
            }
            Event::EvalCompleted { when, split, metrics, .. } => member.measured(*when, *split, metrics),
            Event::RunFinished(outcome) => {
                self.turns += 1;
                member.turn = self.turns;
                member.evaluating = None;
                (member.standing, member.reason) = match outcome {
                    Outcome::Completed => (Standing::Completed, None),
                    Outcome::Interrupted => (Standing::Stopped, None),
                    Outcome::Paused { .. } => (Standing::Waiting, None),
                    Outcome::Pruned { reason } => (Standing::Pruned, Some(reason.clone())),
                    Outcome::Failed { message, .. } => (Standing::Failed, Some(message.clone())),
                };
                if let (Outcome::Completed, Some((split, accuracy)), Some(line)) =
                    (outcome, member.result, lines.first_mut())
                {
                    line.text += &format!(", {} accuracy {}", split_name(split), percent(accuracy));
                }
            }
            Event::ProbesScored { .. } | Event::CheckpointSaved { .. } => lines.clear(),
            Event::Predicted { .. } | Event::WeightsKept { .. } | Event::CheckpointStarted { .. } => {}
        }
        // Lines of a begin and an end hold the run's name already.
        let named = matches!(event, Event::RunStarted { .. } | Event::RunFinished(_));
        let prefix = match named {
            true => format!("[{}/{}] ", run.position.0, self.told_of),
            false => format!("[{}/{}] {}: ", run.position.0, self.told_of, run.name),
        };
        lines.iter_mut().for_each(|line| line.text.insert_str(0, &prefix));
        lines
    }

    /// The table at a time in seconds.
    pub fn board(&self, now_s: f64) -> Board {
        let of = |f: &dyn Fn(&Member) -> bool| -> Vec<&Member> { self.members.values().filter(|m| f(m)).collect() };
        let mut active = of(&|m| m.standing == Standing::Running);
        active.sort_by_key(|m| m.turn);
        // Those that were at work here and are not any more, the last first.
        let mut others = of(&|m| m.standing != Standing::Running && m.turn > 0);
        others.sort_by_key(|m| std::cmp::Reverse(m.turn));
        others.truncate(ENDED);
        let shown = active.iter().chain(&others);
        let measured = shown.filter_map(|m| m.best.map(|(split, _)| best_title(split, m.metric))).next();
        Board {
            best: measured.unwrap_or_else(|| "best".into()),
            active: active.into_iter().map(Member::row).collect(),
            others: others.into_iter().map(Member::row).collect(),
            summary: self.summary(now_s),
        }
    }

    /// `7 of 12 done, 1 failed, 1 pruned, 3 left  eta 12m00s`.
    fn summary(&self, now_s: f64) -> String {
        let of = |standing| self.members.values().filter(|m| m.standing == standing).count();
        let all = (self.members.len() + self.to_come).max(self.told_of);
        let (done, failed, pruned) = (of(Standing::Completed), of(Standing::Failed), of(Standing::Pruned));
        let left = all - done - failed - pruned;
        let mut text = format!("{done} of {all} done");
        for (n, what) in [(failed, "failed"), (pruned, "pruned"), (left, "left"), (of(Standing::Waiting), "waiting")] {
            if n > 0 {
                text += &format!(", {n} {what}");
            }
        }
        let eta = self.left_s(now_s, left).map_or_else(String::new, |s| format!("  eta {}", duration(s)));
        text + &eta
    }

    /// Seconds until nothing is left, at the pace of all that was done here so far: evaluations, loading and whatever
    /// runs beside each other are in it.
    fn left_s(&self, now_s: f64, left: usize) -> Option<f64> {
        let took = now_s - self.began_s?;
        if left == 0 || self.made == 0 || took < WARM_UP_S {
            return None;
        }
        let known: Vec<&Member> = self.members.values().filter(|m| m.view.total_steps > 0).collect();
        let typical = known.iter().map(|m| m.view.total_steps).sum::<u64>() as f64 / known.len().max(1) as f64;
        let open = known.iter().filter(|m| !m.is_over());
        let (count, steps) =
            open.fold((0, 0), |(n, sum), m| (n + 1, sum + m.view.total_steps.saturating_sub(m.view.step)));
        let unknown = left.saturating_sub(count) as f64 * typical;
        Some((steps as f64 + unknown) * took / self.made as f64)
    }
}

/// What must be seen even above a table that shows the rest.
pub(super) fn is_loud(line: &Line) -> bool {
    matches!(line.tone, Tone::Warning | Tone::Failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::FailureKind,
        store::testing::{eval, step},
    };

    fn run(i: usize) -> RunInfo {
        RunInfo { key: format!("k{i}"), name: format!("lr={i}e-5"), log_steps: 1, position: (i, 12) }
    }

    fn planned(i: usize, state: RunState) -> PlannedInfo {
        let RunInfo { key, name, .. } = run(i);
        PlannedInfo { key, name, trial: i, state, total_steps: 10, step: 0, metric: Metric::Accuracy }
    }

    fn started() -> Event {
        Event::RunStarted { total_steps: 10, steps_per_epoch: 10, resumed_from: None, rows: (8, 4, 4), parameters: 9 }
    }

    fn failed() -> Event {
        Event::RunFinished(Outcome::Failed { kind: FailureKind::Crashed, message: "signal 9".into() })
    }

    /// Tells the events of run `i` at a time, and gives back the texts of the lines.
    fn tell(sweep: &mut Sweep, i: usize, now_s: f64, events: &[Event]) -> Vec<String> {
        events.iter().flat_map(|event| sweep.tell(&run(i), event, now_s)).map(|line| line.text).collect()
    }

    #[test]
    fn the_whole_is_counted_and_timed() {
        let mut sweep = Sweep::default();
        let states = [RunState::Completed, RunState::Failed, RunState::Pruned];
        let state = |i: usize| states.get(i - 1).copied().unwrap_or(RunState::Pending);
        sweep.planned(&[1, 2, 3, 4, 5, 6].map(|i| planned(i, state(i))), 2);
        assert_eq!(sweep.summary(0.0), "1 of 8 done, 1 failed, 1 pruned, 5 left");
        tell(&mut sweep, 4, 100.0, &[started()]);
        (1..=5).for_each(|i| _ = tell(&mut sweep, 4, 110.0, &[step(i, 0.5)]));
        // Two seconds a step; left are 5 steps of run 4, 20 of runs 5 and 6, and 20 of those still to be proposed.
        assert_eq!(sweep.summary(110.0), "1 of 12 done, 1 failed, 1 pruned, 9 left  eta 2m50s");
    }

    #[test]
    fn time_left_counts_what_was_proposed_and_what_will_be() {
        let mut sweep = Sweep::default();
        sweep.planned(&[planned(1, RunState::Pending), planned(2, RunState::Completed)], 1);
        let one = RunInfo { position: (1, 3), ..run(1) };
        sweep.tell(&one, &started(), 0.0);
        (1..=4).for_each(|i| _ = sweep.tell(&one, &step(i, 0.5), 4.0));
        assert_eq!(sweep.summary(0.5), "1 of 3 done, 2 left", "no speed from half a second");
        // One second a step: 6 of the first, 10 of the one to come.
        assert_eq!(sweep.summary(4.0), "1 of 3 done, 2 left  eta 16s");
        sweep.tell(&one, &Event::RunFinished(Outcome::Pruned { reason: "late".into() }), 4.0);
        assert_eq!(sweep.summary(4.0), "1 of 3 done, 1 pruned, 1 left  eta 10s");
        // The search proposed the last one.
        sweep.planned(&[planned(3, RunState::Pending)], 0);
        assert_eq!(sweep.summary(4.0), "1 of 3 done, 1 pruned, 1 left  eta 10s");
    }

    #[test]
    fn runs_may_come_mixed_wait_and_begin_again() {
        let mut sweep = Sweep::default();
        for i in [1, 2] {
            tell(&mut sweep, i, 0.0, &[started(), step(1, i as f64)]);
        }
        tell(&mut sweep, 1, 1.0, &[step(2, 1.0), Event::RunFinished(Outcome::Paused { step: 2 })]);
        tell(&mut sweep, 2, 1.0, &[failed()]);
        let board = sweep.board(1.0);
        let seen: Vec<_> =
            board.others.iter().map(|r| (r.name.as_str(), r.standing, r.step, r.reason.as_deref())).collect();
        let failed = ("lr=2e-5", Standing::Failed, 1, Some("signal 9"));
        assert_eq!(seen, [failed, ("lr=1e-5", Standing::Waiting, 2, None)]);
        assert!(board.active.is_empty() && board.summary.starts_with("0 of 12 done, 1 failed, 11 left, 1 waiting"));
        // Another attempt takes the failure back, and a run goes on.
        let resumed = Event::RunStarted {
            total_steps: 10,
            steps_per_epoch: 10,
            resumed_from: Some(2),
            rows: (8, 4, 4),
            parameters: 9,
        };
        tell(&mut sweep, 1, 2.0, &[resumed]);
        tell(&mut sweep, 2, 2.0, &[started()]);
        let board = sweep.board(2.0);
        let seen: Vec<_> = board.active.iter().map(|r| (r.name.as_str(), r.step, r.reason.as_deref())).collect();
        assert_eq!(seen, [("lr=1e-5", 2, None), ("lr=2e-5", 0, None)]);
        assert!(board.others.is_empty() && board.summary.starts_with("0 of 12 done, 12 left"), "{}", board.summary);
    }

    #[test]
    fn a_line_for_each_event_worth_one() {
        let mut sweep = Sweep::default();
        let note = Event::Note { message: "the head is new".into() };
        let events = [
            note.clone(),
            started(),
            eval(When::Before, 0, Split::Dev, 1),
            step(1, 0.5),
            Event::CheckpointSaved { step: 1 },
            eval(When::During, 1, Split::Dev, 3),
            Event::RunFinished(Outcome::Paused { step: 1 }),
            eval(When::After, 1, Split::Dev, 3),
            eval(When::After, 1, Split::Test, 2),
            Event::RunFinished(Outcome::Completed),
        ];
        let want = [
            "[3/12] lr=3e-5: note: the head is new",
            "[3/12] lr=3e-5 (k3): 10 steps, 8 train + 4 dev + 4 test rows, 9 parameters",
            "[3/12] lr=3e-5: before training  dev: loss 0.6250  accuracy 25.0%  macro-F1 20.0%  (4 rows in 0.5s)",
            "[3/12] lr=3e-5: step 1  epoch 1  dev: loss 0.6250  accuracy 75.0%  macro-F1 42.9%  (4 rows in 0.5s)",
            "[3/12] lr=3e-5: waits at step 1 for the runs it is compared with",
            "[3/12] lr=3e-5: after training  dev: loss 0.6250  accuracy 75.0%  macro-F1 42.9%  (4 rows in 0.5s)",
            "[3/12] lr=3e-5: after training  test: loss 0.6250  accuracy 50.0%  macro-F1 33.3%  (4 rows in 0.5s)",
            "[3/12] lr=3e-5: completed, 1 steps in 0.5s, test accuracy 50.0%",
        ];
        assert_eq!(tell(&mut sweep, 3, 0.0, &events), want);
        // What every run would say is said once.
        assert!(tell(&mut sweep, 4, 0.0, &[note]).is_empty());
    }

    #[test]
    fn the_best_figure_is_that_of_the_metric_on_the_split_that_chooses() {
        let mut sweep = Sweep::default();
        let best = |sweep: &Sweep| {
            let board = sweep.board(0.0);
            (board.best, board.active[0].best.clone().unwrap_or_default())
        };
        tell(&mut sweep, 1, 0.0, &[started(), eval(When::Before, 0, Split::Dev, 4)]);
        assert_eq!(best(&sweep), ("best".into(), String::new()), "what was before training is no result");
        let at = |step, split, right| eval(When::During, step, split, right);
        tell(&mut sweep, 1, 0.0, &[at(1, Split::Test, 4)]);
        assert_eq!(best(&sweep), ("best test".into(), "100.0%".into()));
        tell(
            &mut sweep,
            1,
            0.0,
            &[at(1, Split::Dev, 2), at(2, Split::Dev, 3), at(3, Split::Dev, 1), at(3, Split::Test, 4)],
        );
        assert_eq!(best(&sweep), ("best dev".into(), "75.0%".into()));
        let mut sweep = Sweep::default();
        sweep.planned(&[PlannedInfo { metric: Metric::Loss, ..planned(1, RunState::Running) }], 0);
        tell(&mut sweep, 1, 0.0, &[started(), at(4, Split::Dev, 1)]);
        assert_eq!(best(&sweep), ("best dev loss".into(), "0.6250".into()));
    }

    #[test]
    fn an_evaluation_is_seen_while_it_goes() {
        let mut sweep = Sweep::default();
        tell(
            &mut sweep,
            1,
            0.0,
            &[started(), step(1, 0.5), Event::EvalProgress { split: Split::Dev, done: 2, total: 5 }],
        );
        assert_eq!(sweep.board(0.0).active[0].evaluating.as_deref(), Some("dev 40%"));
        tell(&mut sweep, 1, 0.0, &[eval(When::During, 1, Split::Dev, 3)]);
        assert_eq!(sweep.board(0.0).active[0].evaluating, None);
    }
}
