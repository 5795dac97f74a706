//! Files of a checkpoint that were changed in any way, or belong to something else: never a panic, never another state than one
//! that was written.

use std::fs;

use proptest::prelude::*;
use taper::train::{TrainState, read_state};

use super::{
    crash::{BEST, Files, PREVIOUS, STATE, around_checkpoint, lay_out, with},
    *,
};

/// What a file holds, to the bit.
fn content(bytes: &[u8]) -> Option<(TrainState, String)> {
    let folder = memory();
    let path = folder.path().join(STATE);
    fs::write(&path, bytes).expect("a file");
    let saved = read_state(&path).ok()?;
    let tensors: Vec<_> = saved
        .tensors
        .iter()
        .map(|(name, tensor)| {
            let values = tensor.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values");
            (name.clone(), tensor.dims().to_vec(), values.into_iter().map(f32::to_bits).collect::<Vec<_>>())
        })
        .collect();
    Some((
        saved.state,
        format!("{:?} {} {tensors:?}", saved.run, serde_json::to_string(&saved.optimizer).expect("JSON")),
    ))
}

/// A change of a file.
#[derive(Debug, Clone)]
enum Change {
    Flip(Vec<(usize, u8)>),
    Cut(usize),
    Repeat(usize, usize),
    Remove(usize, usize),
    Zero(usize, usize),
    Length(u64),
}

impl Change {
    fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        let (n, span) = (bytes.len(), |at: usize, many: usize| at..(at + many).min(bytes.len()));
        match self {
            Self::Flip(at) => at.iter().for_each(|(at, with)| bytes[at % n] ^= with),
            Self::Cut(at) => bytes.truncate(at % n),
            Self::Repeat(at, many) => {
                let part = bytes[span(at % n, *many)].to_vec();
                bytes.splice(at % n..at % n, part);
            }
            Self::Remove(at, many) => _ = bytes.drain(span(at % n, *many)),
            Self::Zero(at, many) => {
                let span = span(at % n, *many);
                bytes[span].fill(0);
            }
            Self::Length(length) => bytes[..8].copy_from_slice(&length.to_le_bytes()),
        }
        bytes
    }
}

fn change(near: usize) -> impl Strategy<Value = Change> {
    // Half of them in the header, where every byte means something.
    let at = prop_oneof![0..near, any::<usize>()];
    let flips = prop::collection::vec((at.clone(), 1..=u8::MAX), 1..4);
    prop_oneof![
        4 => flips.prop_map(Change::Flip),
        2 => at.clone().prop_map(Change::Cut),
        1 => (at.clone(), 1_usize..40).prop_map(|(at, n)| Change::Repeat(at, n)),
        1 => (at.clone(), 1_usize..40).prop_map(|(at, n)| Change::Remove(at, n)),
        1 => (at, 1_usize..40).prop_map(|(at, n)| Change::Zero(at, n)),
        1 => any::<u64>().prop_map(Change::Length),
    ]
}

#[test]
fn a_changed_state_is_the_one_that_was_written_or_none() {
    let (_, files) = around_checkpoint(1);
    let whole = &files[STATE];
    let written = content(whole).expect("a state");
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().expect("eight")) as usize;
    let config = ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(changes in prop::collection::vec(change(header), 1..3))| {
        let bytes = changes.iter().fold(whole.clone(), |bytes, change| if bytes.len() < 8 { bytes } else { change.apply(&bytes) });
        // White space in the header, or a change that another one takes back, changes nothing.
        prop_assert!(content(&bytes).is_none_or(|found| found == written));
    });
}

#[test]
fn changed_files_of_a_run_lead_to_one_of_its_states_or_to_its_beginning() {
    let (_, files) = around_checkpoint(3);
    let steps = [STATE, PREVIOUS].map(|name| content(&files[name]).expect("a state").0.step);
    let config = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    let which = prop::sample::select(vec![STATE, PREVIOUS, BEST]);
    proptest!(config, |(changes in prop::collection::vec((which, change(1500)), 1..4))| {
        let mut changed: Files = files.clone();
        for (name, change) in changes {
            let bytes = &changed[name];
            let bytes = if bytes.len() < 8 { Vec::new() } else { change.apply(bytes) };
            changed.insert(name.into(), bytes);
        }
        let folder = lay_out(&changed);
        let resumed = resume(&folder.path().join(STATE), Some(&folder.path().join(BEST)), ALL_STORED);
        let found = resumed.expect("files can be opened").saved.map(|saved| saved.state.step);
        prop_assert!(found.is_none_or(|step| steps.contains(&step)), "{found:?}");
    });
}

fn resumed(files: &Files, claim: ResumeCheck) -> (Option<u64>, Vec<String>, Vec<String>) {
    let folder = lay_out(files);
    let resumed =
        resume(&folder.path().join(STATE), Some(&folder.path().join(BEST)), claim).expect("files can be opened");
    let left = crash::files(folder.path()).into_keys().collect();
    (resumed.saved.map(|saved| saved.state.step), resumed.notes, left)
}

#[test]
fn a_state_of_another_run_is_not_used() {
    let (_, files) = around_checkpoint(3);
    let own = resumed(&files, ALL_STORED);
    assert!(own.0.is_some() && own.1.is_empty(), "{own:?}");
    let other = ResumeCheck { run: "fedcba9876543210", ..ALL_STORED };
    let (step, notes, left) = resumed(&files, other);
    assert_eq!((step, notes.len()), (None, 1));
    assert!(
        notes[0].contains("begins again") && notes[0].contains("it belongs to another run, 0123456789ab"),
        "{notes:?}"
    );
    assert_eq!(left, [BEST], "neither is found again");
    // Nor are the best weights of another one.
    let files = crash::without(&files, PREVIOUS);
    assert!(resumed(&files, ALL_STORED).0.is_some());
    let swapped = with(&files, BEST, &renamed(&files[BEST], "fedcba9876543210"));
    let (step, notes, _) = resumed(&swapped, ALL_STORED);
    assert!(step.is_none() && notes[0].contains("it belongs to another run, fedcba987654"), "{notes:?}");
}

/// The same best weights with the name of another run, sealed anew.
fn renamed(best: &[u8], run: &str) -> Vec<u8> {
    let folder = memory();
    let path = folder.path().join(BEST);
    fs::write(&path, best).expect("a file");
    let (mut metadata, tensors) = taper::model::read_sealed(&path).expect("whole");
    metadata.remove("crc32_of_tensors");
    metadata.insert("taper_run".into(), run.into());
    let named: Vec<Named> = tensors.iter().map(|(name, tensor)| Named::of(name.clone(), tensor)).collect();
    taper::model::write_sealed(&path, None, &named, metadata).expect("written");
    fs::read(&path).expect("bytes")
}

#[test]
fn a_state_whose_log_is_not_stored_is_not_used() {
    let (_, files) = around_checkpoint(3);
    let steps = [PREVIOUS, STATE].map(|name| content(&files[name]).expect("a state").0.step);
    for stored in 0..=steps[1] {
        let is_logged = |state: &TrainState, named: bool| {
            assert!(named, "states say which run they are of");
            if state.step <= stored { Ok(()) } else { Err(format!("only {stored} steps are stored")) }
        };
        let (step, notes, _) = resumed(&files, ResumeCheck { run: RUN, is_logged: &is_logged });
        let want = steps.into_iter().rev().find(|step| *step <= stored);
        assert_eq!(step, want, "{stored} steps stored");
        let said = if want.is_some() { "previous checkpoint" } else { "begins again" };
        assert_eq!(notes.is_empty(), stored == steps[1], "{notes:?}");
        assert!(notes.iter().all(|note| note.contains(said) && note.contains("steps are stored")), "{notes:?}");
    }
}

/// What version 0.1.0 wrote: no key of the run, no list of evaluations.
#[test]
fn a_state_of_the_version_before_is_used_where_its_log_is_stored() {
    let (_, files) = around_checkpoint(3);
    let folder = lay_out(&files);
    let path = folder.path().join(STATE);
    let (mut metadata, tensors) = taper::model::read_sealed(&path).expect("whole");
    metadata.remove("crc32_of_tensors");
    let mut header: serde_json::Value = serde_json::from_str(&metadata["taper_state"]).expect("JSON");
    header.as_object_mut().expect("an object").remove("run").expect("a key");
    header["train"].as_object_mut().expect("an object").remove("evaluations").expect("a list");
    metadata.insert("taper_state".into(), header.to_string());
    let named: Vec<Named> = tensors.iter().map(|(name, tensor)| Named::of(name.clone(), tensor)).collect();
    taper::model::write_sealed(&path, None, &named, metadata).expect("written");
    let old = fs::read(&path).expect("bytes");
    let want = content(&files[STATE]).expect("a state").0;
    assert_eq!(content(&old).expect("a state").0, TrainState { evaluations: Vec::new(), ..want.clone() });
    let seen = Cell::new(None);
    let is_logged = |state: &TrainState, named: bool| {
        seen.set(Some((state.step, named)));
        Ok(())
    };
    let (step, notes, _) = resumed(&with(&files, STATE, &old), ResumeCheck { run: RUN, is_logged: &is_logged });
    assert_eq!((step, notes.len(), seen.get()), (Some(want.step), 0, Some((want.step, false))));
}
