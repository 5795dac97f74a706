//! What a terminal and a pipe show.

use std::sync::{Arc, Mutex};

use indicatif::{InMemoryTerm, TermLike};

use super::*;
use crate::{
    event::{FailureKind, Outcome, Split, When},
    observe::PlannedInfo,
    plan::{Budget, Keep, Metric, Prune},
    store::{
        RunState,
        testing::{eval, step},
    },
};

/// Stores what is written to it, and acts as a terminal of 120 columns.
#[derive(Debug, Clone, Default)]
struct Paper(Arc<Mutex<String>>);

impl Paper {
    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().push_str(std::str::from_utf8(bytes).unwrap());
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TermLike for Paper {
    fn width(&self) -> u16 {
        120
    }
    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }
    fn write_line(&self, s: &str) -> io::Result<()> {
        self.write_str(s).and_then(|()| self.write_str("\n"))
    }
    fn write_str(&self, s: &str) -> io::Result<()> {
        self.0.lock().unwrap().push_str(s);
        Ok(())
    }
    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

fn size() -> Size {
    Size { width: 80, height: 24 }
}

fn run() -> RunInfo {
    RunInfo { log_steps: 2, ..RunInfo::single("k", "lr=1e-5") }
}

fn events() -> Vec<Event> {
    vec![
        Event::RunStarted {
            total_steps: 3,
            steps_per_epoch: 3,
            resumed_from: None,
            rows: (8, 0, 2),
            parameters: 1000,
            train_labels: Vec::new(),
        },
        Event::Note { message: "the head is new".into() },
        step(1, 0.75),
        step(2, 0.5),
        Event::CheckpointSaved { step: 2 },
        Event::EvalProgress { split: Split::Test, done: 2, total: 4 },
        eval(When::During, 2, Split::Test, 3),
        Event::RunFinished(Outcome::Failed { kind: FailureKind::Oom, message: "no room".into() }),
    ]
}

fn shown(mut progress: Progress, paper: &Paper) -> String {
    events().iter().for_each(|event| progress.on(&run(), event).unwrap());
    progress.finish().unwrap();
    paper.text()
}

#[test]
fn lines_without_a_terminal() {
    let paper = Paper::default();
    let text = shown(Progress::lines(paper.clone(), false, false), &paper);
    let want = "\
lr=1e-5 (k): 3 steps, 1.0k parameters to train
rows: train 8, test 2
note: the head is new
step 2/3  epoch 1  loss 0.5000  lr 1e-5  200 tok/s  eta 0.5s
checkpoint at step 2
step 2  epoch 1  test accuracy 75.0%  macro-F1 42.9%  loss 0.6250
lr=1e-5: failed (oom) after step 2: no room
";
    assert_eq!(text, want);
}

#[test]
fn quiet_prints_only_what_needs_attention() {
    let paper = Paper::default();
    let text = shown(Progress::lines(paper.clone(), true, true), &paper);
    let failure = "lr=1e-5: failed (oom) after step 2: no room";
    assert_eq!(text, format!("\x1b[33mnote: the head is new\x1b[0m\n\x1b[1;31m{failure}\x1b[0m\n"));
}

#[test]
fn bars_and_the_lines_above_them() {
    let paper = Paper::default();
    let target = ProgressDrawTarget::term_like(Box::new(paper.clone()));
    let text = shown(Progress::screen(target, size, false), &paper);
    for part in [
        "lr=1e-5 ",
        "2/3  avg loss 0.7375",
        "  evaluating test",
        " 2/4 rows",
        "test acc 75.0%  200 tok/s  eta 1.0s",
        "step 2/3  epoch 1",
        "note: the head is new",
        "failed (oom)",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
    assert!(!text.contains("checkpoint at") && !text.contains("\x1b["), "{text:?}");
}

#[test]
fn a_finished_run_leaves_no_bar() {
    let mut progress = Progress::screen(ProgressDrawTarget::hidden(), size, false);
    events().iter().for_each(|event| progress.on(&run(), event).unwrap());
    let Output::Screen(screen) = &progress.output else { unreachable!() };
    assert!(screen.bars.is_empty() && progress.views.is_empty());
}

#[test]
fn a_terminal_that_is_gone_does_not_stop_the_run() {
    let mut progress = Progress::lines(io::Cursor::new([0u8; 3]), false, false);
    events().iter().for_each(|event| progress.on(&run(), event).unwrap());
}

/// Two runs of a sweep of four at once, one of them failing, in twelve lines of a terminal.
#[test]
fn a_sweep_has_a_table_with_what_needs_attention_above_it() {
    let terminal = InMemoryTerm::new(14, 80);
    let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
    let mut progress = Progress::screen(target, || Size { width: 80, height: 14 }, false);
    let run = |i: usize| RunInfo {
        log_steps: 1,
        position: (i, 4),
        ..RunInfo::single(&format!("k{i}"), &format!("lr={i}e-5"))
    };
    let planned = |i: usize| PlannedInfo {
        key: run(i).key,
        name: run(i).name,
        trial: i,
        state: if i == 4 { RunState::Completed } else { RunState::Pending },
        total_steps: 3,
        step: 0,
        trained_s: 0.0,
        metric: Metric::Accuracy,
        shown: Metric::Accuracy,
        keep: Keep::Last,
        has_dev: false,
        rungs: Vec::new(),
        step_cost: 1.0,
        past: Vec::new(),
    };
    let runs = [1, 2, 3, 4].map(planned).to_vec();
    progress.planned(&PlannedSweep {
        experiment: "e".into(),
        runs,
        to_come: 0,
        prune: Prune::None,
        batches: None,
        budget: Budget::default(),
    });
    for event in &events()[..4] {
        progress.on(&run(1), event).unwrap();
        progress.on(&run(2), event).unwrap();
    }
    progress.on(&run(2), &eval(When::During, 2, Split::Test, 3)).unwrap();
    let shown = || {
        let lines: Vec<String> = terminal.contents().lines().map(|line| line.trim_end().to_string()).collect();
        // Times are not compared.
        let lines = lines.iter().filter(|line| !line.starts_with("  this command"));
        lines.map(|line| line.split("  trained").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
    };
    let want = "\
[1/4] lr=1e-5: note: the head is new

e: 4 runs  (* not final)
LR    STATE                      STEP    LOSS  TEST ACC  TRAINED   LEFT
2e-5  running    ━━━━━━╸───       2/3  0.7375    75.0%*     1.0s   1.0s
1e-5  running    ━━━━━━╸───       2/3  0.7375         –     1.0s   0.5s
4e-5  completed  ──────────       0/3       –         –        –      –
3e-5  pending    ──────────       0/3       –         –        –      –
leads now: lr=2e-5
  test accuracy 75.0% at step 2 of 3 (chosen on test: optimistic)
1 of 4 runs done, 3 left";
    assert_eq!(shown(), want);
    let finished = |i: usize, progress: &mut Progress, outcome| {
        progress.on(&run(i), &Event::RunFinished(outcome)).unwrap();
    };
    let message = "no room for a tensor of 3 GiB, which the optimizer asks for beside the weights and gradients".into();
    finished(1, &mut progress, Outcome::Failed { kind: FailureKind::Oom, message });
    finished(2, &mut progress, Outcome::Paused { step: 2 });
    finished(2, &mut progress, Outcome::Pruned { reason: "13th of 27 at step 2".into(), at: None });
    let above = "\
[1/4] lr=1e-5: note: the head is new
[1/4] lr=1e-5: failed (oom) after step 2: no room for a tensor of 3 GiB, which
  the optimizer asks for beside the weights and gradients";
    let table = "

e: 4 runs
LR    STATE                      STEP    LOSS  TEST ACC  TRAINED   LEFT
4e-5  completed  ──────────       0/3       –         –        –      –
1e-5  failed     no room for a tensor of 3 GiB, which the optimizer asks for …
3e-5  pending    ──────────       0/3       –         –        –      –
… and 1 more, pruned
3 of 4 runs done (1 completed, 1 failed, 1 pruned), 1 left";
    assert_eq!(shown(), format!("{above}{table}"));
    assert!(!terminal.contents().contains("not final"), "no value is shown: {}", terminal.contents());
    progress.finish().unwrap();
    assert_eq!(shown(), format!("{above}\nnote: the head is new (in 2 runs of this command)"));
}

/// A terminal of 40 lines has room for 27 trials, and one of 24 for as many as leave three lines free.
#[test]
fn the_table_is_as_high_as_the_terminal_allows() {
    let lines = |height: u16, size: fn() -> Size| {
        let terminal = InMemoryTerm::new(height, 80);
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let mut progress = Progress::screen(target, size, false);
        for i in 1..=27 {
            let name = format!("lr={i}e-5");
            let run = RunInfo { position: (i, 27), ..RunInfo::single(&format!("k{i}"), &name) };
            progress.on(&run, &events()[0]).unwrap();
        }
        let shown = terminal.contents();
        (shown.lines().filter(|line| line.contains("e-5 ")).count(), shown.lines().count())
    };
    assert_eq!(lines(40, || Size { width: 80, height: 40 }).0, 27);
    // The heading, how many more there are, and the summary take three of 21.
    let (rows, all) = lines(24, || Size { width: 80, height: 24 });
    assert!(rows == 18 && all <= 22, "{rows} {all}");
}

/// An immediate stop leaves no table or bar that would say `running` for good.
#[test]
fn an_immediate_stop_removes_bars_and_tables() {
    for all in [1, 2] {
        let terminal = InMemoryTerm::new(12, 80);
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let mut progress = Progress::screen(target, || Size { width: 80, height: 12 }, false);
        let run = RunInfo { position: (1, all), ..RunInfo::single("k1", "lr=1e-5") };
        for event in &events()[..4] {
            progress.on(&run, event).unwrap();
        }
        assert!(terminal.contents().contains("/3"), "{}", terminal.contents());
        progress.above().end("stopped at once");
        // Another thread may still report steps.
        progress.on(&run, &eval(When::During, 2, Split::Test, 3)).unwrap();
        let left = terminal.contents();
        assert!(!left.contains("/3") && !left.contains("running"), "{left}");
    }
}

/// A terminal prints `^C` where the cursor is; behind the last column that moves it one line down.
#[test]
fn ctrl_c_leaves_no_line_of_a_bar_behind() {
    let terminal = InMemoryTerm::new(12, 80);
    let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
    let mut progress = Progress::screen(target, || Size { width: 80, height: 12 }, false);
    let run = RunInfo::single("k1", "sm");
    for event in &events()[..3] {
        progress.on(&run, event).unwrap();
    }
    for (i, event) in events()[3..6].iter().enumerate() {
        terminal.write_str("^C").unwrap();
        progress.on(&run, event).unwrap();
        progress.above().say(&format!("said {i}"));
        let shown = terminal.contents();
        assert_eq!(shown.lines().filter(|line| line.contains("2/3")).count(), 1, "{shown}");
    }
    progress.finish().unwrap();
    let shown = terminal.contents();
    assert!(!shown.contains("/3") && shown.contains("said 2"), "{shown}");
}
