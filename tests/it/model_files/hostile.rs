//! Weights files that are malicious, truncated, or not weights: they are refused, and nothing in them is executed.

use crate::support::skipped;
use std::{fs, path::Path, process::Command};

use taper::model::{ModelConfig, Parameters, Weights, read_weights};

/// A pickle that would run a command when Python's `pickle` loaded it: `os.system("touch FILE")`.
fn malicious(witness: &Path) -> Vec<u8> {
    format!("cposix\nsystem\n(S'touch {}'\ntR.", witness.display()).into_bytes()
}

/// A zip with stored entries, as PyTorch writes its files.
pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut list) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let crc = crc32fast::hash(content);
        let (name, size) = (name.as_bytes(), content.len() as u32);
        let mut common = Vec::new();
        common.extend([20u16, 0, 0, 0, 0].iter().flat_map(|n| n.to_le_bytes()));
        common.extend([crc, size, size].iter().flat_map(|n| n.to_le_bytes()));
        common.extend([name.len() as u16, 0].iter().flat_map(|n| n.to_le_bytes()));
        let at = file.len() as u32;
        file.extend(b"PK\x03\x04");
        file.extend(&common);
        file.extend(name);
        file.extend(*content);
        list.extend(b"PK\x01\x02\x14\x00");
        list.extend(&common);
        list.extend([0u16, 0, 0].iter().flat_map(|n| n.to_le_bytes()));
        list.extend([0u32, at].iter().flat_map(|n| n.to_le_bytes()));
        list.extend(name);
    }
    let (start, length, count) = (file.len() as u32, list.len() as u32, entries.len() as u16);
    file.extend(list);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend([count, count].iter().flat_map(|n| n.to_le_bytes()));
    file.extend([length, start].iter().flat_map(|n| n.to_le_bytes()));
    file.extend([0, 0]);
    file
}

/// The pickle inside of a zip, `archive/data.pkl`.
fn refused(bytes: &[u8], what: &str) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("pytorch_model.bin");
    fs::write(&path, bytes).expect("a file");
    let error = match read_weights(&path) {
        Err(error) => error.to_string(),
        Ok(found) => {
            // Nothing in it that could be weights is as good: then the model's own are missing.
            assert!(found.is_empty(), "{what}: {:?}", found.keys());
            String::new()
        }
    };
    assert!(error.is_empty() || error.contains("pytorch_model.bin"), "{what}: {error}");
    let shape = ModelConfig::preset(taper::source::Preset::Tiny);
    let check = |weights: &Weights| Parameters::check(&shape, &2.into(), Some(weights), &[], &[]);
    let error = Weights::open(&path).and_then(|weights| check(&weights)).expect_err(what).to_string();
    assert!(error.contains("pytorch_model.bin"), "{what}: {error}");
}

#[test]
fn nothing_in_a_pickle_is_run() {
    let dir = tempfile::tempdir().expect("a folder");
    let witness = dir.path().join("it-was-run");
    let pickle = malicious(&witness);
    refused(&pickle, "a bare pickle");
    refused(&zip(&[("archive/data.pkl", &pickle)]), "a pickle in a zip");
    // As `pickle.dumps` writes it, with the protocol in front.
    let protocol = [b"\x80\x02".to_vec(), pickle.clone()].concat();
    refused(&zip(&[("archive/data.pkl", &protocol)]), "with its protocol");
    assert!(!witness.exists(), "it was run");

    // The file does harm if it is executed, so the test can fail.
    let code = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'))";
    fs::write(dir.path().join("x.bin"), &pickle).expect("a file");
    match Command::new("python3").args(["-c", code]).arg(dir.path().join("x.bin")).output() {
        Ok(output) if output.status.success() => assert!(witness.exists(), "the pickle is harmless"),
        _ => skipped("no python3 to show that the pickle works"),
    }
}

#[test]
fn files_that_are_no_weights_are_refused() {
    let page = b"<html><body>Please log in</body></html>".as_slice();
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n".as_slice();
    let whole = zip(&[("archive/data.pkl", b"\x80\x02}q\x00.")]);
    for (bytes, what) in [
        (b"".as_slice(), "empty"),
        (page, "a web page"),
        (pointer, "a pointer of git-lfs"),
        (&[0; 4096], "zeros"),
        (&[0xff; 4096], "ones"),
        (&whole, "a dictionary without tensors"),
        (&whole[..whole.len() / 2], "the first half of a zip"),
        (&whole[..whole.len() - 5], "a zip that lacks its end"),
        (&zip(&[("archive/data.pkl", b"\x80\x02")]), "a pickle that stops"),
        (&zip(&[("archive/data.pkl", b"\x80\x02X\xff\xff\xff\xffabc.")]), "a text longer than the file"),
        (&zip(&[("archive/data.pkl", b"\x80\x02]q\x00(K\x01e.")]), "a list of numbers"),
        (&zip(&[("archive/other.txt", b"nothing")]), "a zip without a pickle"),
    ] {
        refused(bytes, what);
    }
}
