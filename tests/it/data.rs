//! Reading, splitting, tokenising and batching, on small files and, if it is available, on
//! the real dataset.

mod batching;
mod doubts;
mod folding;
mod forms;
mod layouts;
mod long_texts;
mod malformed;
mod mutations;
mod other_tokenizers;
mod pairs;
mod parquet;
mod progress;
mod reading;
mod splitting;
mod streaming;
mod targets;
mod tokenizer_faults;
mod tokenizer_files;
mod tokenizing;

use std::{collections::BTreeMap, fs, path::PathBuf};

use taper::{
    plan::{DataConfig, Long, Quoting, Source, Thresholds},
    task::Task,
};
use tempfile::TempDir;

/// A config as the plan would create it: columns `review` and `label`, 80/20.
pub fn config() -> DataConfig {
    DataConfig {
        source: Source::Path(PathBuf::new()),
        file: None,
        format: None,
        config: None,
        encoding: None,
        sheet: None,
        missing: Vec::new(),
        delimiter: None,
        quoting: Quoting::Minimal,
        text_column: "review".into(),
        text_columns: vec![],
        separator: None,
        text_pair_column: None,
        problem_type: Task::SingleLabel,
        label_column: "label".into(),
        label_columns: Vec::new(),
        label_separator: None,
        thresholds: Thresholds::Half,
        threshold_metric: None,
        calibrate: false,
        labels: BTreeMap::new(),
        test: 0.2.into(),
        dev: 0.0.into(),
        split_column: None,
        splits: None,
        fold: None,
        group_column: None,
        seed: 42,
        stratify: false,
        max_length: 128,
        long: Long::Cut,
        stride: None,
        head_tokens: None,
        limit: None,
    }
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(value, name)| (value.into(), name.into())).collect()
}

/// A file that is gone with the folder.
fn file(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

/// A file of the folder that lies beside the project, where it does.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
pub fn shared(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name);
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}
