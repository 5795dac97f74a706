//! The fuzz targets compile, and take sound and broken inputs without failing. `just fuzz` tries far more.

#[path = "../../fuzz/lib.rs"]
mod targets;

use targets::{CONFIG, ROWS, SPEC, VOCAB, checkpoint, data, lock, safetensors, sound, spec, tokenizer, weights};

type Target = fn(&[u8]);

#[test]
fn every_target_takes_its_first_inputs() {
    let with = |first: u8, content: &[u8]| [&[first], content].concat();
    let roberta = br#"{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "a": 4}"#;
    let of: [(Target, Vec<Vec<u8>>); 6] = [
        (spec::run, vec![SPEC.into(), b"train.lr = [1".to_vec(), b"\xff".to_vec()]),
        (data::run, vec![with(0, ROWS.as_bytes()), with(1, ROWS.as_bytes()), with(2, b"{\"text\": \"a\"}\n{")]),
        (lock::run, vec![b"version = 1\n".to_vec(), b"version = 2\n".to_vec(), b"[[source]]".to_vec()]),
        (tokenizer::run, vec![with(0, b"{}"), with(1, VOCAB.as_bytes()), with(129, roberta), with(132, b"\x0a\x03")]),
        (
            weights::run,
            vec![with(0, CONFIG.as_bytes()), with(1, &safetensors()), with(2, b"PK"), with(4, b"\x80\x02}.")],
        ),
        (checkpoint::run, vec![with(0, &safetensors()), with(3, b"{}"), with(5, b"7")]),
    ];
    for (run, inputs) in of {
        run(b"");
        run(b"\0");
        inputs.iter().for_each(|input| run(input));
    }
    assert!(sound().plan().is_some_and(|runs| runs.len() == 1));
}
