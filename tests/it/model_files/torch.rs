//! Files of `torch.save`, new and old: each tensor is read as torch reads it, and what does not fit is refused.

use std::{fs, path::PathBuf};

use taper::model::{Weights, read_weights};

use crate::model_files::hostile::zip;

/// What `tests/fixtures/torch/make.py` wrote.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/torch").join(name)
}

pub const FIXTURES: [&str; 7] =
    ["zip2.bin", "zip4.bin", "zip5.bin", "legacy2.bin", "legacy4.bin", "legacy5.bin", "mixed.bin"];

fn values(path: PathBuf) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let tensors = read_weights(&path).unwrap_or_else(|e| panic!("{e}"));
    let flat = |t: &candle_core::Tensor| t.flatten_all().and_then(|t| t.to_vec1()).expect("values");
    tensors.iter().map(|(name, tensor)| (name.clone(), tensor.dims().to_vec(), flat(tensor))).collect()
}

#[test]
fn every_way_in_which_torch_saves_is_read_alike() {
    let plain = [-2.5f32, -1.5, -0.5, 0.5, 1.5, 2.5];
    let want: Vec<(&str, &[usize], Vec<f32>)> = vec![
        ("bfloat16", &[2, 3], plain.to_vec()),
        ("block", &[2, 2], vec![6.0, 7.0, 10.0, 11.0]),
        ("column", &[3], vec![1.0, 5.0, 9.0]),
        ("double", &[2, 3], plain.to_vec()),
        ("empty", &[0, 3], vec![]),
        ("expanded", &[3, 2], vec![1.0, 2.0, 1.0, 2.0, 1.0, 2.0]),
        ("half", &[2, 3], plain.to_vec()),
        ("parameter", &[2, 3], plain.map(|v| v + 1.0).to_vec()),
        ("plain", &[2, 3], plain.to_vec()),
        ("row", &[4], vec![4.0, 5.0, 6.0, 7.0]),
        ("scalar", &[], vec![7.0]),
        ("tied", &[2, 3], plain.to_vec()),
        ("transposed", &[3, 2], vec![-2.5, 0.5, -1.5, 1.5, -0.5, 2.5]),
    ];
    for name in &FIXTURES[..6] {
        let found = values(fixture(name));
        let found: Vec<(&str, &[usize], Vec<f32>)> =
            found.iter().map(|(name, shape, values)| (name.as_str(), shape.as_slice(), values.clone())).collect();
        assert_eq!(found, want, "{name}");
        let weights = Weights::open(&fixture(name)).expect("the same");
        assert_eq!(weights.others().collect::<Vec<_>>(), [("ids", "int64"), ("mask", "bool")], "{name}");
    }
    let mixed = values(fixture("mixed.bin"));
    assert_eq!(mixed.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(), ["plain", "tagged"]);
    assert_eq!(mixed[1].2, plain.map(|v| v + 2.0));
}

/// A file of one pickle, whose storages have these bytes.
fn torch(pickle: &[u8], storages: &[(&str, &[u8])]) -> Vec<u8> {
    let named: Vec<(String, &[u8])> =
        storages.iter().map(|(key, bytes)| (format!("archive/data/{key}"), *bytes)).collect();
    let mut parts = vec![("archive/data.pkl", pickle)];
    parts.extend(named.iter().map(|(name, bytes)| (name.as_str(), *bytes)));
    zip(&parts)
}

/// `{"a": _rebuild_tensor_v2(storage "0" of `class` with `numbers`, offset, (size,), (stride,), …)}`.
fn one_tensor(class: &str, numbers: u64, offset: i64, size: i64, stride: i64) -> Vec<u8> {
    let mut out = b"\x80\x02}X\x01\0\0\0actorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\n".to_vec();
    let long = |value: i64| [b"\x8a\x08".as_slice(), &value.to_le_bytes()].concat();
    out.extend(format!("{class}\n").bytes());
    out.extend(b"X\x01\0\0\x000X\x03\0\0\0cpu");
    out.extend(long(numbers as i64));
    out.extend(b"tQ");
    out.extend(long(offset));
    out.extend(long(size));
    out.push(0x85);
    out.extend(long(stride));
    out.extend(b"\x85\x89ccollections\nOrderedDict\n)RtRs.");
    out
}

fn refusal(bytes: &[u8]) -> Option<String> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("pytorch_model.bin");
    fs::write(&path, bytes).expect("a file");
    Weights::open(&path).err().map(|error| error.to_string())
}

#[test]
fn a_tensor_fits_its_storage_and_the_storage_its_file() {
    let eight = [0u8; 8];
    let one = |class, numbers, offset, size, stride| {
        refusal(&torch(&one_tensor(class, numbers, offset, size, stride), &[("0", &eight)]))
    };
    assert_eq!(one("FloatStorage", 2, 0, 2, 1), None);
    assert_eq!(one("HalfStorage", 4, 1, 3, 1), None);
    assert_eq!(one("FloatStorage", 2, 1, 1, 9), None);
    for (class, numbers, offset, size, stride, words) in [
        ("HalfStorage", 2, 0, 2, 1, "8 bytes where 2 numbers of 2 bytes"),
        ("DoubleStorage", 2, 0, 2, 1, "8 bytes where 2 numbers of 8 bytes"),
        ("FloatStorage", 1 << 62, 0, 2, 1, "numbers of 4 bytes"),
        ("FloatStorage", 2, 1 << 62, 0, 1, "reaches beyond"),
        ("FloatStorage", 2, 1 << 62, 1, 1, "reaches beyond"),
        ("FloatStorage", 2, 1, 2, 1, "reaches beyond"),
        ("FloatStorage", 2, -1, 1, 1, "offset -1"),
        ("FloatStorage", 2, 0, -1, 1, "size or stride of -1"),
        ("FloatStorage", 2, 0, 2, -1, "size or stride of -1"),
        ("FloatStorage", 2, 0, 2, i64::MAX, "reaches beyond"),
        ("FloatStorage", 2, 0, i64::MAX, 0, "more numbers than"),
        ("EvilStorage", 2, 0, 2, 1, "torch.EvilStorage"),
    ] {
        let error = one(class, numbers, offset, size, stride).unwrap_or_else(|| panic!("taken: {words}"));
        assert!(error.contains(words), "{error}");
    }
    let missing = refusal(&torch(&one_tensor("FloatStorage", 2, 0, 2, 1), &[("1", &eight)])).expect("refused");
    assert!(missing.contains("archive/data/0 is missing"), "{missing}");
}

/// One of each: the function without arguments, tuples one in the other, one list named twice again and again, a text of 4 GB.
#[test]
fn small_pickles_that_ask_for_much_are_refused_at_once() {
    let few = b"\x80\x02}X\x01\0\0\0actorch._utils\n_rebuild_tensor_v2\n)Rs.".to_vec();
    let deep = [b"\x80\x02)".as_slice(), &[0x85; 1_000_000], b"."].concat();
    let marks = [b"\x80\x02".as_slice(), &[b'('; 300_000], &[b't'; 300_000], b"."].concat();
    let laughs: Vec<u8> = (0u8..40).flat_map(|i| [b'h', i, b'h', i, 0x86, b'q', i + 1]).collect();
    let laughs = [b"\x80\x02]q\0".as_slice(), &laughs, b"."].concat();
    let long = b"\x80\x02X\xff\xff\xff\xffabc.".to_vec();
    let lacks = "lacks its storage";
    for (pickle, words) in [
        (few, lacks),
        (deep, "no dictionary"),
        (marks, "no dictionary"),
        (laughs, "no dictionary"),
        (long, "truncated"),
    ] {
        let error = refusal(&torch(&pickle, &[])).expect(words);
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn what_is_no_part_of_a_tensor_is_refused_by_its_name() {
    let model = b"\x80\x02ctransformers.models.bert.modeling_bert\nBertModel\n)\x81.".to_vec();
    let error = refusal(&torch(&model, &[])).expect("refused");
    assert!(
        error.contains("transformers.models.bert.modeling_bert.BertModel") && error.contains("state_dict"),
        "{error}"
    );
    let below = b"\x80\x02}X\x0a\0\0\0state_dict}s.".to_vec();
    let error = refusal(&torch(&below, &[])).expect("refused");
    assert!(error.contains("below `state_dict`"), "{error}");
}

#[test]
fn archives_and_old_files_that_were_cut_are_called_so() {
    for name in ["zip2.bin", "legacy2.bin"] {
        let whole = fs::read(fixture(name)).expect("a file");
        for keep in [whole.len() - 1, whole.len() / 2, 300] {
            let error = refusal(&whole[..keep]).unwrap_or_else(|| panic!("{name} cut to {keep} is taken"));
            assert!(error.contains("truncated"), "{name} cut to {keep}: {error}");
        }
    }
    let longer = [fs::read(fixture("legacy2.bin")).expect("a file"), vec![0; 3]].concat();
    assert!(refusal(&longer).expect("refused").contains("3 bytes follow its last storage"));
    let mut big = fs::read(fixture("zip2.bin")).expect("a file");
    let at = big.windows(6).position(|bytes| bytes == b"little").expect("the byte order");
    big[at..at + 6].copy_from_slice(b"big   ");
    assert!(refusal(&big).expect("refused").contains("big-endian"));
}
