//! Whatever happens to the files of a run, it ends as an undisturbed one.

use std::{collections::BTreeMap, fs};

use tempfile::TempDir;

use super::*;

/// Files of a folder by name.
pub type Files = BTreeMap<String, Vec<u8>>;

pub fn files(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path());
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    entries.map(|path| (name(&path), fs::read(&path).expect("bytes"))).collect()
}

pub fn lay_out(files: &Files) -> TempDir {
    let folder = memory();
    files.iter().for_each(|(name, bytes)| fs::write(folder.path().join(name), bytes).expect("a file"));
    folder
}

/// A recipe in which much depends on the state: two batches a step, dropout, evaluations between the ends of epochs.
fn eventful() -> TrainConfig {
    TrainConfig {
        epochs: 4,
        batch_size: 2,
        gradient_accumulation_steps: 2,
        dropout: Some(0.2),
        eval_steps: 2,
        early_stopping_patience: 3,
        scheduler: Scheduler::Cosine,
        max_grad_norm: 0.5,
        ..recipe()
    }
}

fn often() -> CheckpointConfig {
    CheckpointConfig { every_steps: 3, ..keep(Keep::Best) }
}

/// Splits whose dev rows are training rows: the model gets better and better on them, so that the best evaluation changes.
fn improving() -> Splits {
    Splits { dev: (0..15).collect(), ..rows().2 }
}

/// Trains a run on [`improving`] splits; also returns the messages about its checkpoints.
fn improve(folder: &Path, end: End) -> (Trained, Vec<String>) {
    let (train, checkpoint) = (eventful(), often());
    let mut resumed = resume(&folder.join("state.safetensors"), Some(&folder.join("best.safetensors")), ALL_STORED)
        .expect("files can be opened");
    let notes = std::mem::take(&mut resumed.notes);
    let fresh = Parameters::fresh(&shape(), 3, train.init_seed).expect("weights");
    (train_on(fresh, resumed, improving(), folder, &train, &checkpoint, end), notes)
}

fn calm() -> Trained {
    let (run, notes) = improve(memory().path(), End::Its);
    assert!(matches!(run.outcome, Ok(Outcome::Completed)) && notes.is_empty(), "{:?}", run.outcome);
    run
}

/// Completes the run in `folder`, which has to end as the undisturbed one; returns the messages.
fn ends_alike(folder: &Path, calm: &Trained, what: &str) -> Vec<String> {
    let (rest, notes) = improve(folder, End::Its);
    assert!(matches!(rest.outcome, Ok(Outcome::Completed)), "{what}: {:?}", rest.outcome);
    assert!(rest.weights == calm.weights, "{what}: other weights");
    let (rest, calm) = (log(&[&rest]), log(&[calm]));
    assert!(rest.iter().all(|(at, facts)| calm[at] == *facts), "{what}: another log");
    assert!(!files(folder).keys().any(|name| name.ends_with(".tmp")), "{what}: left {:?}", files(folder).keys());
    notes
}

/// The files of a run that was ended at its `n`th checkpoint (from 0): before it is written, and after.
pub fn around_checkpoint(n: usize) -> (Files, Files) {
    let run = calm();
    let sandbox = |wanted: fn(&Event) -> bool| {
        let found = run.events.iter().enumerate().filter(|(_, event)| wanted(event)).nth(n).expect("so many");
        let folder = memory();
        improve(folder.path(), End::AtEvent(found.0 + 1));
        files(folder.path())
    };
    (
        sandbox(|event| matches!(event, Event::CheckpointStarted { .. })),
        sandbox(|event| matches!(event, Event::CheckpointSaved { .. })),
    )
}

pub const STATE: &str = "state.safetensors";
pub const PREVIOUS: &str = "state.previous.safetensors";
pub const BEST: &str = "best.safetensors";
const TEMPORARY: &str = "state.tmp";

pub fn with(files: &Files, name: &str, bytes: &[u8]) -> Files {
    let mut files = files.clone();
    files.insert(name.into(), bytes.to_vec());
    files
}

pub fn without(files: &Files, name: &str) -> Files {
    let mut files = files.clone();
    files.remove(name);
    files
}

fn damaged(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let last = bytes.len() - 5;
    bytes[last] ^= 4;
    bytes
}

/// The step that a folder would resume from, and the messages.
fn looked_at(files: &Files) -> (Option<u64>, Vec<String>) {
    let folder = lay_out(files);
    let resumed =
        resume(&folder.path().join(STATE), Some(&folder.path().join(BEST)), ALL_STORED).expect("files can be opened");
    (resumed.saved.map(|saved| saved.state.step), resumed.notes)
}

#[test]
fn a_process_can_end_at_any_moment_of_writing_a_checkpoint() {
    let calm = calm();
    for n in [0, 1, 3] {
        let (before, after) = around_checkpoint(n);
        assert!(
            before.contains_key(STATE) == (n > 0) && before.contains_key(PREVIOUS) == (n > 1),
            "{:?}",
            before.keys()
        );
        let new = &after[STATE];
        let mut moments: Vec<Files> = [0, 1, 7, 8, 100, new.len() / 2, new.len() - 1, new.len()]
            .map(|length| with(&before, TEMPORARY, &new[..length]))
            .into();
        if let Some(old) = before.get(STATE) {
            moments.push(without(&with(&with(&before, TEMPORARY, new), PREVIOUS, old), STATE));
        }
        moments.push(after);
        for (moment, files) in moments.iter().enumerate() {
            let folder = lay_out(files);
            let notes = ends_alike(folder.path(), &calm, &format!("checkpoint {n}, moment {moment}"));
            assert!(notes.is_empty(), "nothing was damaged: {notes:?}");
        }
    }
}

#[test]
fn a_state_that_is_cut_short_or_has_a_wrong_bit_is_never_used() {
    let (_, files) = around_checkpoint(3);
    let (newer, older) =
        (looked_at(&files).0.expect("a state"), looked_at(&without(&files, STATE)).0.expect("a state"));
    assert!(older < newer);
    let whole = &files[STATE];
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().expect("eight")) as usize;
    let lengths =
        (0..header).step_by(97).chain((header..whole.len()).step_by(whole.len() / 50)).chain([whole.len() - 1]);
    let cut = lengths.map(|length| whole[..length].to_vec());
    let offsets = (0..8).chain((8..header).step_by(41)).chain((header..whole.len()).step_by(whole.len() / 60));
    let flipped = offsets.map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        bytes
    });
    let more = [[whole.as_slice(), b"x"].concat(), vec![0; whole.len()]];
    for (i, bytes) in cut.chain(flipped).chain(more).enumerate() {
        let (step, notes) = looked_at(&with(&files, STATE, &bytes));
        assert_eq!(step, Some(older), "damage {i}");
        let note = format!("the run resumes from the previous checkpoint, of step {older}: ");
        assert!(notes.len() == 1 && notes[0].starts_with(&note) && notes[0].contains(STATE), "{notes:?}");
        let (step, notes) = looked_at(&with(&with(&files, STATE, &bytes), PREVIOUS, &bytes));
        assert_eq!((step, notes.len()), (None, 1), "damage {i} of both");
        assert!(notes[0].contains("begins again") && notes[0].contains(PREVIOUS), "{notes:?}");
    }
}

#[test]
fn with_damaged_files_a_run_ends_alike_and_reports_the_loss() {
    let calm = calm();
    let (_, files) = around_checkpoint(3);
    let bad = |name: &str| damaged(&files[name]);
    let cases = [
        ("the newer state", with(&files, STATE, &bad(STATE)), "previous checkpoint"),
        ("the older state", with(&files, PREVIOUS, &bad(PREVIOUS)), ""),
        ("both states", with(&with(&files, STATE, &bad(STATE)), PREVIOUS, &bad(PREVIOUS)), "begins again"),
        (
            "a state of before checksums",
            with(&files, STATE, b"\x10\0\0\0\0\0\0\0{\"__metadata__\":"),
            "previous checkpoint",
        ),
        ("everything", files.iter().map(|(name, bytes)| (name.clone(), damaged(bytes))).collect(), "begins again"),
    ];
    for (what, files, said) in cases {
        let folder = lay_out(&files);
        let notes = ends_alike(folder.path(), &calm, what);
        assert_eq!(notes.is_empty(), said.is_empty(), "{what}: {notes:?}");
        assert!(notes.iter().all(|note| note.contains(said)), "{what}: {notes:?}");
    }
}

/// A damaged state must not push a sound one out when the next is written, nor a sound temporary file be taken for a state.
#[test]
fn after_falling_back_the_sound_state_stays_until_there_is_another() {
    let (_, files) = around_checkpoint(3);
    let folder = lay_out(&with(&files, STATE, &damaged(&files[STATE])));
    let (run, notes) = improve(folder.path(), End::AtEvent(2));
    assert!(run.outcome.is_err() && notes.len() == 1, "ended before its next checkpoint");
    let left = self::files(folder.path());
    assert!(!left.contains_key(STATE) && left[PREVIOUS] == files[PREVIOUS]);
}

#[test]
fn the_best_weights_fit_the_state_or_are_trained_again() {
    let calm = calm();
    let best_steps = calm.events.iter().filter_map(|event| match event {
        Event::CheckpointSaved { step } => Some(*step),
        _ => None,
    });
    assert_eq!(
        best_steps.take(4).collect::<Vec<_>>(),
        [3, 4, 6, 8],
        "checkpoints after 3 steps, and at the ends of epochs"
    );
    let [(_, at_3), (_, at_4), (_, at_6), (_, at_8)] = [0, 1, 2, 3].map(around_checkpoint);
    let state = |files: &Files| {
        let folder = lay_out(files);
        taper::train::read_state(&folder.path().join(STATE)).expect("a state").state
    };
    let best_of = [&at_3, &at_4, &at_6, &at_8].map(|files| state(files).best.step);
    assert_eq!(best_of, [2, 4, 6, 8], "each evaluation is the best so far");

    // From a later evaluation than the state's: it will be repeated.
    let folder = lay_out(&with(&at_4, BEST, &at_6[BEST]));
    assert!(ends_alike(folder.path(), &calm, "later best").is_empty());
    // Of an earlier one: what the state means is lost. The state before it lies before that evaluation, and helps.
    for (what, files) in [
        ("earlier best", with(&at_6, BEST, &at_3[BEST])),
        ("damaged best", with(&at_6, BEST, &damaged(&at_6[BEST]))),
        ("no best", without(&at_6, BEST)),
    ] {
        let folder = lay_out(&files);
        let (step, _) = looked_at(&files);
        assert_eq!(step, Some(4), "{what}");
        let notes = ends_alike(folder.path(), &calm, what);
        assert!(notes.len() == 1 && notes[0].contains("of step 4: ") && notes[0].contains(BEST), "{what}: {notes:?}");
    }
    // Both states mean weights that are lost: neither helps.
    let mut files = without(&with(&at_6, PREVIOUS, &at_6[STATE]), BEST);
    let folder = lay_out(&files);
    let notes = ends_alike(folder.path(), &calm, "no best for both");
    assert!(notes.len() == 1 && notes[0].contains("begins again"), "{notes:?}");
    // A run that keeps the last weights does not ask for them.
    files.remove(PREVIOUS);
    let folder = lay_out(&files);
    let resumed = resume(&folder.path().join(STATE), None, ALL_STORED).expect("a state");
    assert!(resumed.saved.is_some_and(|saved| saved.state.step == 6) && resumed.notes.is_empty());
}

/// Best weights that are replaced while the run continues, as on a device without reproducible results.
#[test]
fn weights_of_another_step_are_never_taken_for_the_best() {
    let (_, at_8) = around_checkpoint(3);
    let (_, at_3) = around_checkpoint(0);
    let folder = lay_out(&at_8);
    let resumed = resume(&folder.path().join(STATE), None, ALL_STORED).expect("a state");
    fs::write(folder.path().join(BEST), &at_3[BEST]).expect("a file");
    let train = TrainConfig { max_steps: Some(8), ..eventful() };
    let fresh = Parameters::fresh(&shape(), 3, train.init_seed).expect("weights");
    let run = train_on(fresh, resumed, improving(), folder.path(), &train, &often(), End::Its);
    let error = run.outcome.expect_err("no result").to_string();
    assert!(error.contains("weights of step 2, not those of step 8"), "{error}");
}

/// Stopped, killed or paused here and there, and gone on with on another number of threads each time.
#[test]
fn threads_and_pauses_change_no_bit() {
    let calm = calm();
    let mut threads = (1..=3).cycle();
    let ends = (1..60).step_by(7).map(End::AtPoll).chain((1..60).step_by(9).map(End::AtEvent));
    for (i, end) in ends.chain([2, 4, 6].map(End::AtPause)).enumerate() {
        let folder = memory();
        let mut on_some_threads = |end| {
            let pool =
                rayon::ThreadPoolBuilder::new().num_threads(threads.next().expect("endless")).build().expect("threads");
            pool.install(|| improve(folder.path(), end))
        };
        let (first, _) = on_some_threads(end);
        if let End::AtPause(step) = end {
            assert!(matches!(first.outcome, Ok(Outcome::Paused { step: at }) if at == step), "{:?}", first.outcome);
            assert!(matches!(first.events.last(), Some(Event::CheckpointSaved { step: at }) if *at == step));
        }
        let (second, _) = on_some_threads(End::AtPoll(5));
        let (rest, notes) = on_some_threads(End::Its);
        assert!(matches!(rest.outcome, Ok(Outcome::Completed)) && notes.is_empty(), "{:?}", rest.outcome);
        assert!(rest.weights == calm.weights, "other weights at end {i}");
        assert_eq!(log(&[&first, &second, &rest]), log(&[&calm]), "end {i}");
    }
}

#[test]
fn checkpoints_by_time_do_not_change_the_result() {
    let saves = |every_minutes| {
        let checkpoint = CheckpointConfig { every_minutes, ..keep(Keep::Last) };
        let run = whole(&recipe(), &checkpoint);
        let saved = run.events.iter().filter(|event| matches!(event, Event::CheckpointSaved { .. })).count();
        (saved, run.weights)
    };
    let (none, some) = (saves(0.0), saves(1e-12));
    assert_eq!((none.0, some.0, saves(60.0).0), (3, 9, 3));
    assert!(none.1 == some.1);
}
