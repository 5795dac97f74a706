//! What `taper plan` says of memory against the most that the worker of the run takes.

use std::{fs, process::Stdio, time::Duration};

use serde_json::json;

use crate::support::Sandbox;

/// The most memory that a process and those that it started have taken so far, each for itself, in bytes.
fn most(process: u32) -> u64 {
    let field = |file: &str, name: &str| -> Option<u64> {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let all = fs::read_dir("/proc").expect("/proc").flatten();
    let processes = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let workers = processes.filter(|id| field(&format!("/proc/{id}/status"), "PPid:") == Some(process.into()));
    workers.filter_map(|id| field(&format!("/proc/{id}/status"), "VmHWM:")).map(|kib| kib * 1024).max().unwrap_or(0)
}

/// A vocabulary of 120,000 words of which few occur: the table fills most of the memory. It is there twice when the engine takes it over,
/// and neither its moments nor a copy of it when it is kept.
#[test]
fn the_memory_of_a_large_vocabulary_is_the_one_that_the_plan_says() {
    const WORDS: usize = 120_000;
    let sandbox = Sandbox::new();
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(String::from);
    let words: Vec<String> = special.into_iter().chain((0..WORDS - 5).map(|i| format!("w{i}"))).collect();
    sandbox.write("new/vocab.txt", words.join("\n"));
    let config = json!({
        "model_type": "bert", "vocab_size": WORDS, "hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 512, "max_position_embeddings": 64, "type_vocab_size": 2
    });
    sandbox.write("new/config.json", config.to_string());
    let rows: String = (0..40).map(|i| format!("{},w{i} w{} w7 w8\n", i % 2, 900 * i)).collect();
    sandbox.write("rows.csv", format!("label,text\n{rows}"));
    sandbox.write(
        "large.toml",
        "model.source = \"scratch:new/\"\ndata.source = \"path:rows.csv\"\ndata.max_length = 32\n[train]\nmax_steps = \
         4\nbatch_size = 8\n",
    );
    let plan = sandbox.json(&["plan", "large.toml"]);
    let planned = plan["runs"][0]["estimate"]["memory_bytes"].as_u64().expect("bytes");
    let mut command = sandbox.command(&["run", "large.toml", "--quiet"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("taper");
    let mut peak = 0;
    // The most so far, so that nothing depends on when it is read, but for the end: that is a file that is written.
    while child.try_wait().expect("a process").is_none() {
        peak = peak.max(most(child.id()));
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(child.wait().expect("a process").success());
    let share = planned as f64 / peak as f64;
    let table = 4 * 256 * WORDS as u64;
    assert!(peak > 2 * table, "{peak} bytes are less than two tables of {table}");
    assert!((0.85..1.15).contains(&share), "{planned} bytes are planned, {peak} are taken");
}
