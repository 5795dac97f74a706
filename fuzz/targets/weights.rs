//! Any bytes as config.json, as weights in either format, as an index of shards, or as the pickle within a sound archive.

use std::{
    fs,
    io::{Cursor, Write},
};

use super::{CONFIG, Sandbox, safetensors, sound};
use zip::write::SimpleFileOptions;

const FILES: [&str; 5] = [
    "config.json",
    "model.safetensors",
    "pytorch_model.bin",
    "model.safetensors.index.json",
    "pytorch_model.bin", // the pickle alone
];

/// One input.
pub fn run(input: &[u8]) {
    thread_local!(static SANDBOX: Sandbox = sound());
    let Some((file, content)) = input.split_first() else { return };
    let which = *file as usize % FILES.len();
    SANDBOX.with(|sandbox| {
        if which != 0 {
            fs::remove_file(sandbox.path("model/model.safetensors")).expect("it is there");
        }
        let name = format!("model/{}", FILES[which]);
        match which {
            4 => sandbox.write(&name, archive(content)),
            _ => sandbox.write(&name, content),
        }
        _ = sandbox.plan();
        fs::remove_file(sandbox.path(&name)).expect("it was written");
        sandbox.write("model/config.json", CONFIG);
        sandbox.write("model/model.safetensors", safetensors());
    });
}

/// What torch.save writes: the pickle, and three storages of zeros.
fn archive(pickle: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut add = |name: &str, content: &[u8]| {
        zip.start_file(name, options).expect("a file");
        zip.write_all(content).expect("its content");
    };
    add("archive/data.pkl", pickle);
    add("archive/version", b"3\n");
    for (name, size) in [("0", 256), ("1", 64), ("2", 16)] {
        add(&format!("archive/data/{name}"), &vec![0; size]);
    }
    zip.finish().expect("an archive").into_inner()
}
