//! Sound files with some bytes changed: whatever becomes of them, reading them neither panics nor takes much.

use std::fs;

use proptest::{collection::vec, prelude::*, sample::Index};
use taper::model::{Named, Weights, read_weights, write_tensors};

use crate::model_files::torch::{FIXTURES, fixture};

/// Every file to begin from, with the name that it is read under.
fn sound() -> Vec<(&'static str, Vec<u8>)> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("model.safetensors");
    let values = [1.0f32, 2.0, 3.0, 4.0];
    let tensor = |name: &str, shape: &[usize]| {
        Named::lazy(name.into(), shape, |range| Ok(std::borrow::Cow::Borrowed(&values[range])))
    };
    write_tensors(&path, &[tensor("a", &[2, 2]), tensor("b", &[4])], &Default::default()).expect("a file");
    let mut files: Vec<_> = FIXTURES.iter().map(|name| ("m.bin", fs::read(fixture(name)).expect("a file"))).collect();
    files.push(("m.safetensors", fs::read(&path).expect("a file")));
    files
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn a_changed_file_is_read_or_refused(changes in vec((any::<Index>(), any::<u8>()), 1..6), cut in any::<Option<Index>>()) {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, mut bytes) in sound() {
            let whole = bytes.len();
            for (at, byte) in &changes {
                let at = at.index(whole);
                bytes[at] = *byte;
            }
            // Half of them are cut, too.
            if let Some(cut) = cut.filter(|_| changes.len() % 2 == 0) {
                bytes.truncate(cut.index(whole));
            }
            let path = dir.path().join(name);
            fs::write(&path, &bytes).expect("a file");
            if let Ok(weights) = Weights::open(&path) {
                let numbers: usize = weights.shapes().map(|(_, shape)| shape.iter().product::<usize>()).sum();
                prop_assert!(numbers <= 2 * bytes.len(), "{numbers} numbers of {} bytes", bytes.len());
            }
            if let Err(error) = read_weights(&path) {
                prop_assert!(error.to_string().contains(name), "{error}");
            }
        }
    }
}
