//! Whether taper still computes the numbers that it computed before, bit for bit.
//!
//!     cargo bench --bench numbers -- record [--model DIR] [--taper PROGRAM]    # before a change
//!     cargo bench --bench numbers -- compare [--model DIR] [--taper PROGRAM]   # after it
//!
//! Trains the specs beside this file and compares run keys, every step, every evaluation, predictions, probes and digests of
//! weights with the table of this kind of processor, `benches/numbers/CPU.txt`. Specs that need a real BERT take it from
//! `--model DIR` (a Hugging Face folder) and are skipped without it. `--taper` tries a program built elsewhere.
//!
//! The table is read and the database is queried as they are on disk: nothing of the crate's own types is used, so that the
//! same source checks versions before and after a rebuild of the inside.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags, types::ValueRef};
use sha2::{Digest, Sha256};

/// The specs, and whether each needs a real model.
const SPECS: [(&str, bool); 8] = [
    ("quickstart", false),
    ("search", false),
    ("bert-fp32", true),
    ("bert-bf16", true),
    ("accumulation", false),
    ("weights-smoothing", false),
    ("freeze", false),
    ("resumed", false),
];

/// Columns that identify the bits of a run, by name of the part: what is digested, in an order that does not depend on time.
const PARTS: [(&str, &str); 4] = [
    ("steps", "SELECT step, epoch, loss, lr, grad_norm, tokens FROM steps WHERE run = ?1 ORDER BY step"),
    (
        "evals",
        "WITH value AS (SELECT * FROM metrics WHERE run = ?1)
         SELECT e.phase, e.step, e.split, e.epoch, e.rows, l.value, a.value, c.value, e.confusion FROM evals e
             JOIN value l ON (l.phase, l.step, l.split, l.metric) = (e.phase, e.step, e.split, 'loss')
             JOIN value a ON (a.phase, a.step, a.split, a.metric) = (e.phase, e.step, e.split, 'accuracy')
             JOIN value c ON (c.phase, c.step, c.split, c.metric) = (e.phase, e.step, e.split, 'calibration_error')
         WHERE e.run = ?1 ORDER BY e.phase, e.step, e.split",
    ),
    (
        "predictions",
        "SELECT split, row, line, text, label, predicted, probabilities FROM predictions WHERE run = ?1 ORDER BY split, row",
    ),
    (
        "probes",
        "SELECT p.phase, p.step, spec.key AS position, p.text, nullif(p.expect, ''), p.predicted, p.probabilities
         FROM probes p JOIN runs r ON r.key = p.run
             JOIN json_each(r.config, '$.probes') spec ON json_extract(spec.value, '$.text') = p.text
         WHERE p.run = ?1 ORDER BY p.phase, p.step, position",
    ),
];

fn main() {
    let (mut record, mut model, mut taper) = (None, None, PathBuf::from(env!("CARGO_BIN_EXE_taper")));
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    while let Some(argument) = arguments.next() {
        let mut value = || PathBuf::from(arguments.next().unwrap_or_else(|| panic!("{argument} needs a value")));
        match argument.as_str() {
            "record" => record = Some(true),
            "compare" => record = Some(false),
            "--model" => model = Some(value()),
            "--taper" => taper = value(),
            _ => panic!("unknown argument {argument}"),
        }
    }
    let Some(record) = record else {
        println!("say `record` or `compare`: see benches/numbers/main.rs");
        return;
    };
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/numbers");
    let folder = tempfile::tempdir().expect("a folder");
    let mut lines = Vec::new();
    for (name, needs_model) in SPECS {
        if needs_model && model.is_none() {
            println!("skipped: {name} needs --model DIR");
            continue;
        }
        let begin = Instant::now();
        let runs = folder.path().join(name);
        let mut command = Command::new(&taper);
        command
            .arg("run")
            .arg(here.join(format!("{name}.toml")))
            .arg("--runs")
            .arg(&runs)
            .args(["--quiet", "--offline"]);
        if let (true, Some(model)) = (needs_model, &model) {
            command.arg("--set").arg(format!("model.source=path:{}", model.display()));
        }
        command.stdout(Stdio::null());
        if name == "resumed" {
            kill_after_a_checkpoint(&mut command, &runs);
        }
        let status = command.status().expect("taper starts");
        if !status.success() {
            println!("skipped: {name} does not run here ({status})");
            continue;
        }
        lines.extend(digests(name, &runs.join("taper.db")));
        println!("{name}: {:.1} s", begin.elapsed().as_secs_f64());
    }
    let table = here.join(format!("{}.txt", cpu()));
    match record {
        true => {
            fs::write(&table, lines.join("\n") + "\n").expect("the table is written");
            println!("{} rows written to {}", lines.len(), table.display());
        }
        false => compare(&table, &lines),
    }
}

/// Ends the process when what was computed differs from the table.
fn compare(table: &Path, lines: &[String]) {
    let Ok(stored) = fs::read_to_string(table) else {
        println!("skipped: no table of this processor ({}): record one on the version before", table.display());
        return;
    };
    let id = |line: &str| line.split(": ").next().unwrap_or_default().to_string();
    let mut different = 0;
    for line in lines {
        match stored.lines().find(|stored| id(stored) == id(line)) {
            Some(before) if before == line => {}
            before => {
                different += 1;
                println!("before: {}\nnow:    {line}", before.unwrap_or("(not in the table)"));
            }
        }
    }
    println!("{} runs compared, {different} differ", lines.len());
    if different > 0 {
        std::process::exit(1);
    }
}

/// Starts the command and kills it, workers included, when it has saved a checkpoint.
fn kill_after_a_checkpoint(command: &mut Command, runs: &Path) {
    let mut child = command.spawn().expect("taper starts");
    let saved = || {
        let open = Connection::open_with_flags(runs.join("taper.db"), OpenFlags::SQLITE_OPEN_READ_ONLY);
        let query = "SELECT count(*) FROM runs WHERE checkpoint_step > 0";
        open.and_then(|db| db.query_row(query, [], |row| row.get::<_, i64>(0))).unwrap_or(0) > 0
    };
    while !saved() && child.try_wait().expect("its state").is_none() {
        thread::sleep(Duration::from_millis(2));
    }
    let before_its_end = child.try_wait().expect("its state").is_none();
    child.kill().expect("it ends");
    child.wait().expect("it ended");
    println!("resumed: killed {} the end", if before_its_end { "before" } else { "at" });
}

/// A line for each run of a database, in the order of the plan.
fn digests(spec: &str, database: &Path) -> Vec<String> {
    let db = Connection::open(database).expect("the database opens");
    let mut query = db.prepare("SELECT key, state, weights_sha256 FROM runs ORDER BY id").expect("a query");
    let runs = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .expect("runs")
        .collect::<Result<Vec<(String, String, Option<String>)>, _>>()
        .expect("runs");
    let short = |hex: &str| hex[..16].to_string();
    let line = |(index, (key, state, weights)): (usize, &(String, String, Option<String>))| {
        let parts: Vec<String> = PARTS.iter().map(|(part, sql)| format!("{part}={}", digest(&db, sql, key))).collect();
        let weights = weights.as_deref().map_or("none".into(), short);
        format!("{spec} {index}: key={} state={state} weights={weights} {}", short(key), parts.join(" "))
    };
    runs.iter().enumerate().map(line).collect()
}

/// SHA-256 over the values of a query, and their number.
fn digest(db: &Connection, sql: &str, key: &str) -> String {
    let mut query = db.prepare(sql).expect("a query");
    let columns = query.column_count();
    let mut rows = query.query([key]).expect("rows");
    let (mut hash, mut count) = (Sha256::new(), 0);
    while let Some(row) = rows.next().expect("a row") {
        count += 1;
        for column in 0..columns {
            match row.get_ref(column).expect("a value") {
                ValueRef::Null => hash.update(b"null"),
                ValueRef::Integer(value) => hash.update(value.to_le_bytes()),
                ValueRef::Real(value) => hash.update(value.to_bits().to_le_bytes()),
                ValueRef::Text(text) | ValueRef::Blob(text) => hash.update(text),
            }
            hash.update(b"\n");
        }
    }
    let hex: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{count}:{hex}")
}

/// The processor's vector instructions, which decide the last bits: the name of a table.
fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags: Vec<&str> =
        info.lines().find(|line| line.starts_with("flags")).unwrap_or("").split_whitespace().collect();
    let has = |flag: &str| flags.contains(&flag);
    let name = match (has("amx_bf16"), has("avx512_bf16"), has("avx512f"), has("avx2")) {
        (true, ..) => "amx-bf16",
        (_, true, ..) => "avx512-bf16",
        (_, _, true, _) => "avx512",
        (.., true) => "avx2",
        _ => "other",
    };
    format!("{}-{name}", std::env::consts::ARCH)
}
