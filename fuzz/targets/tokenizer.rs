//! Any bytes as a file of the tokenizer; the first byte chooses which. Texts are encoded where it is accepted.

use std::fs;

use super::{Sandbox, VOCAB, sound};

const FILES: [&str; 5] =
    ["tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"];

/// Vocabularies of other classes, each with its class. A first byte from 128 on chooses among these.
const OTHERS: [(&str, &str); 7] = [
    ("vocab.json", "RobertaTokenizer"),
    ("merges.txt", "RobertaTokenizer"),
    ("tokenizer.json", "RobertaTokenizer"),
    ("tokenizer.json", "XLMRobertaTokenizer"),
    ("sentencepiece.bpe.model", "XLMRobertaTokenizer"),
    ("spm.model", "DebertaV2Tokenizer"),
    ("spiece.model", "AlbertTokenizer"),
];
const ROBERTA: &str = r#"{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "o": 4, "k": 5, "ok": 6, "Ġ": 7, "<mask>": 8}"#;

/// One input.
pub fn run(input: &[u8]) {
    thread_local!(static SANDBOX: Sandbox = sound());
    let Some((file, content)) = input.split_first() else { return };
    SANDBOX.with(|sandbox| {
        let mut written = vec![];
        let mut write = |name: &str, content: &[u8]| {
            let file = format!("model/{name}");
            sandbox.write(&file, content);
            written.push(file);
        };
        if *file < 128 {
            write(FILES[*file as usize % FILES.len()], content);
        } else {
            let (name, class) = OTHERS[*file as usize % OTHERS.len()];
            write("tokenizer_config.json", format!("{{\"tokenizer_class\": \"{class}\"}}").as_bytes());
            if class == "RobertaTokenizer" {
                write("vocab.json", ROBERTA.as_bytes());
                write("merges.txt", b"o k\n");
            }
            write(name, content);
        }
        for run in sandbox.plan().unwrap_or_default() {
            for text in ["很快好吃", "", "e\u{301} \u{200b}\u{0} ok bad [MASK]", &"字".repeat(300)] {
                _ = run.tokenizer.encode(text, 16);
            }
            _ = run.lengths();
        }
        written.sort();
        written.dedup();
        written.iter().for_each(|file| fs::remove_file(sandbox.path(file)).expect("it was written"));
        sandbox.write("model/vocab.txt", VOCAB);
    });
}
