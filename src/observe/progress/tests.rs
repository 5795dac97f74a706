//! What a terminal and a pipe show.

use std::sync::{Arc, Mutex};

use indicatif::{InMemoryTerm, TermLike};

use super::*;
use crate::{
    event::{FailureKind, Outcome, Split, When},
    plan::Metric,
    store::{
        RunState,
        testing::{eval, step},
    },
};

/// Keeps what is written to it; also plays a terminal 120 columns wide.
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
    RunInfo { key: "k".into(), name: "lr=1e-5".into(), log_steps: 2, position: (1, 1) }
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
fn lines_where_there_is_no_terminal() {
    let paper = Paper::default();
    let text = shown(Progress::lines(paper.clone(), false, false), &paper);
    let want = "\
lr=1e-5 (k): 3 steps, 8 train + 0 dev + 2 test rows, 1.0k parameters
note: the head is new
step 2/3  epoch 1  loss 0.5000  lr 1.00e-5  200 tok/s  eta 0.5s
checkpoint at step 2
step 2  epoch 1  test: loss 0.6250  accuracy 75.0%  macro-F1 42.9%  (4 rows in 0.5s)
lr=1e-5: failed (out of memory) after step 2: no room
";
    assert_eq!(text, want);
}

#[test]
fn quiet_says_only_what_needs_attention() {
    let paper = Paper::default();
    let text = shown(Progress::lines(paper.clone(), true, true), &paper);
    let failure = "lr=1e-5: failed (out of memory) after step 2: no room";
    assert_eq!(text, format!("\x1b[33mnote: the head is new\x1b[0m\n\x1b[1;31m{failure}\x1b[0m\n"));
}

#[test]
fn bars_and_the_lines_above_them() {
    let paper = Paper::default();
    let target = ProgressDrawTarget::term_like(Box::new(paper.clone()));
    let text = shown(Progress::screen(target, size, false), &paper);
    for part in [
        "lr=1e-5 ",
        "2/3  loss 0.7375",
        "  evaluating test",
        " 2/4",
        "acc 75.0%  200 tok/s  eta 0.5s",
        "step 2/3  epoch 1",
        "note: the head is new",
        "failed (out of memory)",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
    assert!(!text.contains("checkpoint at") && !text.contains("\x1b["), "{text:?}");
}

#[test]
fn a_run_that_is_done_leaves_no_bar() {
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

/// Two runs of a sweep of four at once, one of them failing, on a terminal of twelve lines.
#[test]
fn a_sweep_has_a_table_and_what_needs_attention_stands_above_it() {
    let terminal = InMemoryTerm::new(12, 80);
    let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
    let mut progress = Progress::screen(target, || Size { width: 80, height: 12 }, false);
    let run = |i: usize| RunInfo { key: format!("k{i}"), name: format!("lr={i}e-5"), log_steps: 1, position: (i, 4) };
    let planned = |i: usize| PlannedInfo {
        key: run(i).key,
        name: run(i).name,
        trial: i,
        state: if i == 4 { RunState::Completed } else { RunState::Pending },
        total_steps: 3,
        step: 0,
        metric: Metric::Accuracy,
    };
    progress.planned(&[1, 2, 3, 4].map(planned), 0);
    for event in &events()[..4] {
        progress.on(&run(1), event).unwrap();
        progress.on(&run(2), event).unwrap();
    }
    progress.on(&run(2), &eval(When::During, 2, Split::Test, 3)).unwrap();
    let want = "\
[1/4] lr=1e-5: note: the head is new
RUN      STATE                     STEPS    LOSS  BEST TEST       ETA
lr=1e-5  running    ━━━━━━╸───       2/3  0.7375          –      0.5s
lr=2e-5  running    ━━━━━━╸───       2/3  0.7375      75.0%      0.5s
1 of 4 done, 3 left";
    let shown = || terminal.contents().lines().map(|line| line.trim_end().to_string()).collect::<Vec<_>>().join("\n");
    assert_eq!(shown(), want);
    let finished = |i: usize, progress: &mut Progress, outcome| {
        progress.on(&run(i), &Event::RunFinished(outcome)).unwrap();
    };
    finished(1, &mut progress, Outcome::Failed { kind: FailureKind::Oom, message: "no room".into() });
    finished(2, &mut progress, Outcome::Paused { step: 2 });
    finished(2, &mut progress, Outcome::Pruned { reason: "13th of 27 at step 2".into() });
    let above = "\
[1/4] lr=1e-5: note: the head is new
[1/4] lr=1e-5: failed (out of memory) after step 2: no room";
    let table = "
RUN      STATE                     STEPS    LOSS  BEST TEST       ETA
lr=2e-5  pruned     13th of 27 at step 2
lr=1e-5  failed     no room
1 of 4 done, 1 failed, 1 pruned, 1 left";
    assert_eq!(shown(), format!("{above}{table}"));
    progress.finish().unwrap();
    assert_eq!(shown(), above);
}
