//! Damaged files: whatever their bytes are, reading ends, with rows or with an error.

use proptest::prelude::*;
use taper::{
    data::{Layout, Origin, read, split, stream_lines, stream_texts},
    plan::{DataConfig, Format, Quoting},
};

use crate::data::{config, file};

const SOUND: [(&str, Format); 4] = [
    ("label,review\n1,\"好吃,真的\n\n很\"\"好\"\"吃\"\n0, 慢 \n1,\"x\r\ny\"\n0,末\n1,a\u{200b}\n", Format::Csv),
    ("review\tlabel\r\n很快\t1\r\n\"慢\t冷\"\t0\r\n好\t1\r\n差\t0\r\n", Format::Tsv),
    (
        "{\"review\": \"送餐\\n快\", \"label\": 1}\n\n{\"label\": false, \"review\": \"慢\"}\n{\"label\": 0.5, \"x\": [1, {\"y\": null}], \"review\": \"好\"}\n",
        Format::Jsonl,
    ),
    (
        "[\n{\"review\": \"a]}\", \"label\": 1},\n {\"review\": \"b\\\"\", \"label\": 0}, {\"review\": \"\\u597d\", \"label\": \"x\"}]\n",
        Format::Json,
    ),
];

/// Bytes that mean something to a reader come up more often than the others.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        3 => any::<u8>(),
        2 => prop::sample::select(b"\"\n\r,;\t\\{}[]:\0\xEF\xBB\xBF\xFF\x01".to_vec()),
    ]
}

/// What is done, the position, a byte, and a number of bytes.
pub(super) type Damage = (u8, prop::sample::Index, u8, usize);

pub(super) fn damages() -> impl Strategy<Value = Vec<Damage>> {
    prop::collection::vec((0..4u8, any::<prop::sample::Index>(), byte(), 1..30usize), 1..12)
}

/// Replaces a byte, inserts one, removes some, or repeats some.
pub(super) fn damage(bytes: &mut Vec<u8>, (what, at, with, length): Damage) {
    if bytes.is_empty() {
        return bytes.push(with);
    }
    let at = at.index(bytes.len());
    let end = (at + length).min(bytes.len());
    match what {
        0 => bytes[at] = with,
        1 => bytes.insert(at, with),
        2 => drop(bytes.drain(at..end)),
        _ => {
            let copy = bytes[at..end].to_vec();
            bytes.splice(at..at, copy);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_file_is_read_or_refused(
        which in 0..SOUND.len(),
        damages in damages(),
        unquoted: bool,
        by_ending: bool,
    ) {
        let (text, format) = SOUND[which];
        let mut bytes = text.as_bytes().to_vec();
        damages.into_iter().for_each(|damaging| damage(&mut bytes, damaging));
        let size = bytes.len();
        let (_dir, path) = file("a.txt", bytes);
        let delimited = matches!(format, Format::Csv | Format::Tsv);
        let quoting = if unquoted && delimited { Quoting::None } else { Quoting::Minimal };
        let format = if by_ending { None } else { Some(format) };
        let config = DataConfig { format, quoting, dev: 0.1.into(), ..config() };
        match read(&path, &config) {
            Ok(data) => {
                prop_assert!(data.rows.len() <= size);
                prop_assert!(data.rows.is_sorted_by_key(|row| row.line));
                let all: Vec<u32> = (0..data.rows.len() as u32).collect();
                prop_assert_eq!(data.class_counts(&all).iter().sum::<u64>(), data.rows.len() as u64);
                let _ = split(&data, &config);
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
        // The same as a stream: no row comes twice and it ends.
        let origin = Origin::File(path);
        if let Ok(texts) = stream_texts(&origin, &Layout::from(&config), "review") {
            prop_assert!(texts.count() <= size + 1);
        }
        if let Ok(texts) = stream_lines(&origin, &Layout::default()) {
            prop_assert!(texts.count() <= size + 1);
        }
    }
}
