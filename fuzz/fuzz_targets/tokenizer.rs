//! Any bytes as a file of the tokenizer; the first byte chooses which. Texts are encoded where it is accepted.
#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use taper_fuzz::{Sandbox, VOCAB, sound};

const FILES: [&str; 5] =
    ["tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"];

fuzz_target!(|input: &[u8]| {
    thread_local!(static SANDBOX: Sandbox = sound());
    let Some((file, content)) = input.split_first() else { return };
    let file = format!("model/{}", FILES[*file as usize % FILES.len()]);
    SANDBOX.with(|sandbox| {
        sandbox.write(&file, content);
        for run in sandbox.plan().unwrap_or_default() {
            for text in ["很快好吃", "", "e\u{301} \u{200b}\u{0} ok bad [MASK]", &"字".repeat(300)] {
                _ = run.tokenizer.encode(text, 16);
            }
            _ = run.lengths();
        }
        fs::remove_file(sandbox.path(&file)).expect("it was written");
        sandbox.write("model/vocab.txt", VOCAB);
    });
});
