use super::*;
use crate::event::FailureKind;
use crate::store::testing::{eval, probe, step};

fn run() -> RunInfo {
    RunInfo { log_steps: 2, ..RunInfo::single("0123456789abcdef", "lr=1e-5") }
}

fn started(resumed_from: Option<u64>) -> Event {
    let rows = (9590, 0, 2397);
    Event::RunStarted {
        total_steps: 900,
        steps_per_epoch: 300,
        resumed_from,
        rows,
        parameters: 38_477_058,
        train_labels: Vec::new(),
    }
}

fn tell(view: &mut View, events: &[Event]) -> Vec<String> {
    let run = run();
    events.iter().flat_map(|event| view.tell(&run, event)).map(|line| line.text).collect()
}

#[test]
fn an_interrupted_run_says_what_the_next_command_does_with_it() {
    let said = |beyond_budget, last| {
        let mut view = View { beyond_budget, ..View::default() };
        tell(&mut view, &[started(None), step(last, 0.5), Event::CheckpointSaved { step: last }]);
        view.beyond_budget = beyond_budget;
        tell(&mut view, &[Event::RunFinished(Outcome::Interrupted)]).remove(0)
    };
    assert_eq!(said(false, 3), "lr=1e-5: interrupted after step 3; the same command resumes it from step 3");
    assert_eq!(said(false, 900), "lr=1e-5: interrupted after its last step, 900; the same command evaluates it");
    assert_eq!(said(true, 3), "lr=1e-5: interrupted after step 3: the sweep's budget is spent");
}

#[test]
fn steps_of_windows_have_their_number() {
    let run = RunInfo { windows: Some(12_345), ..run() };
    let lines = View::default().tell(&run, &started(None));
    assert_eq!(lines[1].text, "rows: train 9,590 in 12,345 windows, test 2,397");
}

#[test]
fn a_run_line_by_line() {
    let failed = Outcome::Failed { kind: FailureKind::Diverged, message: "the loss is NaN at step 3".into() };
    let events = [
        Event::Note { message: "the head\nis new".into() },
        started(None),
        eval(When::Before, 0, Split::Test, 1),
        Event::ProbesScored { when: When::Before, step: 0, scores: vec![probe(0, 0.75)] },
        step(1, 0.75),
        step(2, 0.43124),
        Event::EvalProgress { split: Split::Dev, done: 1, total: 4 },
        eval(When::During, 2, Split::Dev, 3),
        Event::CheckpointStarted { step: 2 },
        Event::CheckpointSaved { step: 2 },
        step(3, 0.25),
        Event::RunFinished(Outcome::Interrupted),
        Event::RunFinished(failed),
    ];
    let want = [
        "note: the head is new",
        "lr=1e-5 (0123456789ab): 900 steps, 38.5M parameters to train",
        "rows: train 9,590, test 2,397",
        "before training  test accuracy 25.0%  macro-F1 20.0%  loss 0.6250",
        "before training  negative 75.0%, as expected: 这家饭店真贴心",
        // Two steps and 200 tokens in one second; 898 steps to go, and three evaluations of half a second.
        "step 2/900  epoch 1  loss 0.4312  lr 1e-5  200 tok/s  eta 7m31s",
        "step 2  epoch 1  dev accuracy 75.0%  macro-F1 42.9%  loss 0.6250",
        "checkpoint at step 2",
        "lr=1e-5: interrupted after step 3; the same command resumes it from step 2",
        "lr=1e-5: failed (diverged): the loss is NaN at step 3",
    ];
    let lines = tell(&mut View::default(), &events);
    assert_eq!(lines, want);
    assert!(lines.iter().all(|line| console::measure_text_width(line) <= 80), "none is wider than a terminal");
}

#[test]
fn with_a_dev_split_the_test_split_is_not_shown_before_the_end() {
    let mut view = View::default();
    let rows = (8, 4, 4);
    let started = Event::RunStarted {
        total_steps: 4,
        steps_per_epoch: 2,
        resumed_from: None,
        rows,
        parameters: 9,
        train_labels: Vec::new(),
    };
    let said = |view: &mut View, when, step, split, right| tell(view, &[eval(when, step, split, right)]);
    tell(&mut view, &[started]);
    assert!(said(&mut view, When::Before, 0, Split::Test, 1).is_empty());
    assert_eq!(said(&mut view, When::Before, 0, Split::Dev, 1).len(), 1);
    assert_eq!(view.parts()[1], "", "the evaluation of untrained weights is not a result");
    assert_eq!(said(&mut view, When::During, 2, Split::Dev, 3).len(), 1);
    assert!(said(&mut view, When::During, 2, Split::Test, 4).is_empty());
    assert_eq!(view.parts()[1], "dev acc 75.0%");
    assert_eq!(said(&mut view, When::During, 4, Split::Dev, 2).len(), 1);
    // The kept weights are those of step 4, which had a line; their test accuracy is new.
    assert!(said(&mut view, When::After, 4, Split::Dev, 2).is_empty(), "said twice");
    let last = said(&mut view, When::After, 4, Split::Test, 4);
    assert_eq!(last, ["after training  test accuracy 100.0%  macro-F1 100.0%  loss 0.6250"]);
    assert_eq!(view.parts()[1], "dev acc 50.0%");
}

#[test]
fn an_evaluation_on_the_test_split_only_is_not_printed_twice() {
    let mut view = View::default();
    tell(&mut view, &[started(None)]);
    let lines = tell(&mut view, &[eval(When::During, 9, Split::Test, 3), eval(When::After, 9, Split::Test, 3)]);
    assert_eq!(lines.len(), 1, "{lines:?}");
    // The best weights are from an earlier step than the last, which had a line.
    let lines = tell(&mut view, &[eval(When::During, 18, Split::Test, 2), eval(When::After, 9, Split::Test, 3)]);
    assert_eq!(lines.len(), 1, "{lines:?}");
}

#[test]
fn a_restarted_run_is_not_called_interrupted() {
    let mut view = View { step: 62, checkpoint: Some(54), ..View::default() };
    let line = &view.tell(&run(), &Event::RunFinished(Outcome::Retried))[0];
    assert_eq!(
        (line.tone, line.text.as_str()),
        (Tone::Plain, "lr=1e-5: failed after step 62; retrying now from step 54")
    );
}

#[test]
fn a_resumed_run_has_no_speed_before_its_second_step() {
    let mut view = View::default();
    let lines = tell(&mut view, &[started(Some(3)), step(4, 0.5), step(5, 0.5), step(6, 0.5)]);
    assert!(lines[0].contains("resumes from step 3 of 900"), "{}", lines[0]);
    assert_eq!(lines[2], "step 4/900  epoch 1  loss 0.5000  lr 1e-5");
    assert_eq!(lines[3], "step 6/900  epoch 1  loss 0.5000  lr 1e-5  200 tok/s  eta 7m27s");
}

#[test]
fn time_left_counts_the_evaluations_to_come() {
    let mut view = View::default();
    tell(&mut view, &[started(None)]);
    // 898 steps at two a second; evaluations of both splits take 3 s, after each of three epochs.
    let slow = |split, seconds| match eval(When::Before, 0, split, 1) {
        Event::EvalCompleted { when, step, epoch, split, metrics, .. } => {
            Event::EvalCompleted { when, step, epoch, split, metrics, elapsed_s: seconds }
        }
        other => other,
    };
    tell(&mut view, &[slow(Split::Dev, 1.0), slow(Split::Test, 2.0), step(1, 0.5), step(2, 0.5)]);
    assert_eq!(view.left_s(), Some(449.0 + 9.0 + 3.0), "those after training among them");
    // Evaluations turn out to be every 2 steps, of 0.5 s each: 449 of them.
    tell(&mut view, &[eval(When::During, 2, Split::Test, 1)]);
    assert_eq!(view.left_s(), Some(449.0 + 449.0 * 0.5 + 3.0));
}

#[test]
fn the_last_step_always_has_a_line() {
    let mut view = View { total_steps: 3, ..View::default() };
    let quiet = RunInfo { log_steps: 0, ..run() };
    assert_eq!(view.tell(&quiet, &step(2, 0.5)), []);
    let line = &view.tell(&quiet, &step(3, 0.5))[0].text;
    assert!(line.starts_with("step 3/3 ") && !line.contains("eta"), "{line}");
}

#[test]
fn speed_is_that_of_the_last_steps() {
    let mut view = View::default();
    tell(&mut view, &[started(None)]);
    for i in 1..=200u64 {
        // The first hundred steps take a second each, the others a tenth.
        let elapsed_s = i.min(100) as f64 + i.saturating_sub(100) as f64 / 10.0;
        view.add(&StepCompleted { step: i, epoch: 1, loss: 1.0, lr: 1e-5, grad_norm: 1.0, tokens: 50, elapsed_s });
    }
    let (steps, tokens) = view.speed().unwrap();
    assert!((steps - 10.0).abs() < 1e-9 && (tokens - 500.0).abs() < 1e-6, "{steps} {tokens}");
}

#[test]
fn the_loss_is_smoothed_from_its_first_value() {
    let mut view = View { total_steps: 10, ..View::default() };
    let parts = |view: &View| view.parts().join("|");
    assert_eq!(parts(&view), "|||");
    tell(&mut view, &[step(1, 1.0)]);
    assert_eq!(parts(&view), "avg loss 1.0000|||");
    tell(&mut view, &[step(2, 0.0), eval(When::During, 2, Split::Test, 3)]);
    // Eight steps at two a second, and an evaluation of half a second every two steps.
    assert_eq!(parts(&view), "avg loss 0.9500|test acc 75.0%|200 tok/s|eta 6.0s");
    // Numbers that are far too large for the model.
    let lines = tell(&mut view, &[step(4, 4.56789e12)]);
    assert!(lines[0].starts_with("step 4/10  epoch 1  loss 4.568e12  lr "), "{lines:?}");
    assert!(view.parts()[0].starts_with("avg loss 2.284e11"), "{:?}", view.parts());
}

#[test]
fn the_metric_that_selects_is_in_the_line_of_each_evaluation() {
    let lines = |metric| {
        let mut view = View::keeping(Keep::Best, metric);
        let said = tell(&mut view, &[started(None), eval(When::During, 2, Split::Test, 3)]);
        (said[2].clone(), view.parts()[1].clone())
    };
    let usual = "accuracy 75.0%  macro-F1 42.9%  loss 0.6250";
    assert_eq!(lines(Metric::Accuracy), (format!("step 2  epoch 1  test {usual}"), "best test acc 75.0%".into()));
    assert_eq!(lines(Metric::Loss), (format!("step 2  epoch 1  test {usual}"), "best test loss 0.6250".into()));
    let (line, bar) = lines(Metric::CalibrationError);
    assert!(line.starts_with("step 2  epoch 1  test calibration error ") && line.ends_with(usual), "{line}");
    assert!(bar.starts_with("best test ECE "), "{bar}");
}

#[test]
fn probes_after_training_say_that_they_are_answered_with_what_was_tuned() {
    use crate::{event::Decided, store::testing::metrics, task::Decision};
    let said = |temperature, metric| {
        let decision = Decision { temperature, thresholds: None };
        let decided = Event::Decided(Box::new(Decided { decision, metric, dev: metrics(3), test: None }));
        let probes = |when| Event::ProbesScored { when, step: 0, scores: vec![probe(0, 0.75)] };
        tell(&mut View::default(), &[probes(When::Before), decided, probes(When::After)])
    };
    let answer = "  negative 75.0%, as expected: 这家饭店真贴心";
    assert_eq!(
        said(1.0, Some(Metric::MacroF1)),
        [format!("before training{answer}"), format!("after training with thresholds{answer}")]
    );
    assert_eq!(said(1.5, None)[1], format!("after training with temperature{answer}"));
    assert_eq!(said(1.5, Some(Metric::MacroF1))[1], format!("after training with temperature and thresholds{answer}"));
}

#[test]
fn a_probe_says_what_was_expected() {
    let mut score = probe(0, 0.25);
    (score.predicted, score.right, score.confidence) = ("positive".into(), Some(false), Some(0.75));
    assert_eq!(super::probe(&score), "positive 75.0%, expected negative: 这家饭店真贴心");
    score.expect = None;
    assert_eq!(super::probe(&score), "positive 75.0%: 这家饭店真贴心");
    // A threshold chose the less probable label, which is the expected one.
    (score.expect, score.right, score.confidence) = (Some("positive".into()), Some(true), Some(0.25));
    assert_eq!(super::probe(&score), "positive 25.0%, as expected: 这家饭店真贴心");
    // Labels in the order of their ids, whichever the spec has; earlier versions stored neither.
    (score.predicted, score.expect, score.confidence) = ("a|b".into(), Some("b|a".into()), None);
    assert_eq!(super::probe(&score), "a|b, as expected: 这家饭店真贴心");
    (score.predicted, score.expect, score.right) = ("negative".into(), Some("negative".into()), None);
    assert_eq!(super::probe(&score), "negative 75.0%, as expected: 这家饭店真贴心");
    // Numbers have the same minus sign as all others.
    (score.predicted, score.expect, score.probabilities) = ("-0.25, 3".into(), Some("-1, 3".into()), Vec::new().into());
    assert_eq!(super::probe(&score), "−0.25, 3, expected −1, 3: 这家饭店真贴心");
}
