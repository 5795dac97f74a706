//! Safetensors files that do not fit to the byte are refused when they are opened, which is what `taper plan` does.

use std::{fs, path::Path};

use serde_json::{Value, json};
use taper::model::{Weights, read_weights};

fn file(header: &Value, numbers: usize) -> Vec<u8> {
    let header = header.to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0u8; numbers]].concat()
}

fn opened(path: &Path, bytes: &[u8]) -> Result<Weights, String> {
    fs::write(path, bytes).expect("a file");
    Weights::open(path).map_err(|error| error.to_string())
}

fn tensor(dtype: &str, shape: &[u64], from: u64, to: u64) -> Value {
    json!({"dtype": dtype, "shape": shape, "data_offsets": [from, to]})
}

#[test]
fn each_type_of_numbers_is_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("model.safetensors");
    let header = json!({
        "__metadata__": {"format": "pt"},
        "a": tensor("F32", &[2], 0, 8), "b": tensor("F64", &[1], 8, 16), "c": tensor("BF16", &[1, 2], 16, 20),
        "d": tensor("F16", &[], 20, 22), "e": tensor("I64", &[1], 22, 30), "f": tensor("F8_E4M3", &[3], 30, 33),
    });
    let mut bytes = file(&header, 0);
    bytes.extend([1.5f32, -2.0].iter().flat_map(|v| v.to_le_bytes()));
    bytes.extend(0.25f64.to_le_bytes());
    bytes.extend([0x80, 0x3f, 0x00, 0xc0]); // 1 and -2 in bfloat16
    bytes.extend([0x00, 0x3c]); // 1 in float16
    bytes.extend([0; 11]);
    let weights = opened(&path, &bytes).expect("sound");
    assert_eq!(weights.others().collect::<Vec<_>>(), [("e", "I64"), ("f", "F8_E4M3")]);
    let tensors = read_weights(&path).expect("sound");
    let values = |name: &str| tensors[name].flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("values");
    assert_eq!(tensors.len(), 4);
    assert_eq!(
        (values("a"), values("b"), values("c"), values("d")),
        (vec![1.5, -2.0], vec![0.25], vec![1.0, -2.0], vec![1.0])
    );
}

#[test]
fn what_does_not_fit_to_the_byte_is_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("model.safetensors");
    let two = |a: Value, b: Value| json!({"a": a, "b": b});
    let sound = two(tensor("F32", &[2], 0, 8), tensor("F32", &[1], 8, 12));
    assert!(opened(&path, &file(&sound, 12)).is_ok());
    for (header, numbers, words) in [
        (sound.clone(), 13, "1 byte follows its last tensor"),
        (sound.clone(), 11, "truncated"),
        (two(tensor("F32", &[2], 0, 8), tensor("F32", &[1], 4, 8)), 8, "do not follow"),
        (two(tensor("F32", &[2], 0, 8), tensor("F32", &[1], 12, 16)), 16, "do not follow"),
        (two(tensor("F32", &[2], 0, 8), tensor("F32", &[1], 8, 4)), 8, "do not follow"),
        (json!({"a": tensor("F32", &[2], 0, 12)}), 12, "12 bytes for shape [2] of F32"),
        (json!({"a": tensor("F32", &[1 << 40, 1 << 40], 0, 8)}), 8, "8 bytes for shape"),
        (json!({"a": tensor("F32", &[2], 0, u64::MAX)}), 8, "bytes for shape"),
        (json!({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}), 4, "its header"),
        (json!({"a": {"dtype": "F32", "shape": [1]}}), 4, "its header"),
        (json!([1, 2]), 0, "its header"),
    ] {
        let error = opened(&path, &file(&header, numbers)).err().unwrap_or_else(|| panic!("taken: {words}"));
        assert!(error.contains(words) && error.contains("model.safetensors"), "{error}");
    }
    let twice =
        br#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#;
    let twice = [&(twice.len() as u64).to_le_bytes()[..], twice, &[0]].concat();
    assert!(opened(&path, &twice).err().expect("refused").contains("occurs twice"));
    // As long as it says, but longer than the format allows: the file has holes.
    fs::write(&path, 100_000_001u64.to_le_bytes()).expect("a file");
    fs::OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(100_000_100)).expect("a file");
    let long = Weights::open(&path).err().expect("refused").to_string();
    assert!(long.contains("its header has 100000001 bytes, and the format allows 100000000"), "{long}");
    let deep = "[".repeat(100_000);
    let deep = [&(deep.len() as u64 + 5).to_le_bytes()[..], b"{\"a\":", deep.as_bytes()].concat();
    assert!(opened(&path, &deep).err().expect("refused").contains("its header"));
    assert!(
        opened(&path, &[&(1u64 << 40).to_le_bytes()[..], b"{"].concat()).err().expect("refused").contains("impossible")
    );
    assert!(
        opened(&path, &[&200u64.to_le_bytes()[..], b"{\"a\""].concat()).err().expect("refused").contains("truncated")
    );
}

/// A file that is something else is called what it is.
#[test]
fn other_files_under_the_name_are_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let st = dir.path().join("model.safetensors");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 411553788\n";
    let torch = fs::read(crate::model_files::torch::fixture("zip2.bin")).expect("a file");
    for (bytes, words) in [
        (pointer.as_bytes(), "Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "HTML page"),
        (b"{\"error\": \"Entry not found\"}", "JSON"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "gzip file"),
        (b"", "an empty file"),
        (&[0; 100], "a file of zeros"),
        (&torch, "a PyTorch file (torch.save): name it pytorch_model.bin"),
    ] {
        let error = opened(&st, bytes).err().expect(words);
        assert!(error.contains(words), "{error}");
    }
    let bin = dir.path().join("pytorch_model.bin");
    let safetensors = file(&json!({"a": tensor("F32", &[1], 0, 4)}), 4);
    for (bytes, words) in [
        (pointer.as_bytes(), "Git LFS pointer"),
        (&safetensors, "a safetensors file: name it model.safetensors"),
        (b"\x80\x04\x95\x05\0\0\0\0\0\0\0]\x94K\x01a.", "a Python pickle"),
    ] {
        let error = opened(&bin, bytes).err().expect(words);
        assert!(error.contains(words), "{error}");
    }
    let index = dir.path().join("model.safetensors.index.json");
    let error = opened(&index, pointer.as_bytes()).err().expect("refused");
    assert!(error.contains("Git LFS pointer"), "{error}");
    let error = opened(&index, br#"{"weight_map": {"a": "model.safetensors"}}"#).err();
    fs::write(&st, pointer).expect("a file");
    assert!(error.is_some() && Weights::open(&index).err().expect("refused").to_string().contains("Git LFS pointer"));
}
