//! `taper plan --order`: writes the rows of each step, for other frameworks.

use std::{
    fs,
    io::ErrorKind::{InvalidFilename, IsADirectory, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem},
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};
use taper::{
    assets::{Located, Use},
    data,
    event::Split,
    execute::Prepared,
    format,
    plan::Source,
    train::step_examples,
};

use super::Unusable;

/// The content of the file. Rows are numbered from 0 after cleaning and `data.limit`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    /// The rows of each step.
    train: Vec<Vec<u32>>,
    /// If long texts are read in windows: which of its row's windows each of these is, from 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    windows: Vec<Vec<u32>>,
    dev: Vec<u32>,
    test: Vec<u32>,
    /// The file of `data.source`; orders of earlier versions have neither this nor the lines.
    file: Option<PathBuf>,
    /// Files of single splits, if there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileOfRows>,
    /// The line on which each row begins, from 1.
    lines: Option<Vec<u64>>,
}

/// A file whose rows are those from `first_row` on, up to those of the next one.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileOfRows {
    file: PathBuf,
    first_row: u32,
}

/// Writes the order of a run's rows to a file, atomically. An existing file is replaced only if it contains such an order, or with
/// `force`.
pub fn write(run: &Prepared, path: &Path, force: bool) -> Result<()> {
    let failed = |e: std::io::Error| {
        let folder = path.parent().filter(|folder| e.kind() == NotFound && !folder.as_os_str().is_empty());
        let (at, why) = (folder.unwrap_or(path).display(), format::io(&e));
        let why = anyhow!("--order cannot write {}: {at}: {why}", path.display());
        match e.kind() {
            NotFound | PermissionDenied | NotADirectory | IsADirectory | ReadOnlyFilesystem | InvalidFilename => {
                Unusable(why).into()
            }
            _ => why,
        }
    };
    if path.is_file() && !force && !is_order(path) {
        let why = format!(
            "{} already exists and was not written by --order: choose another file, or overwrite it with --force",
            path.display()
        );
        return Err(Unusable(anyhow!(why)).into());
    }
    let json = serde_json::to_string(&order(run))?;
    // A pipe or a device cannot be replaced.
    if path.exists() && !path.is_file() {
        return fs::write(path, json).map_err(failed);
    }
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let temporary = path.with_file_name(format!(".taper-order-{}", std::process::id()));
    fs::write(&temporary, json).and_then(|()| fs::rename(&temporary, &path)).map_err(|e| {
        let _ = fs::remove_file(&temporary);
        failed(e)
    })
}

/// Whether a file contains the output of this command, and nothing else.
fn is_order(path: &Path) -> bool {
    taper::regular::open(path)
        .is_ok_and(|file| serde_json::from_reader::<_, Order>(std::io::BufReader::new(file)).is_ok())
}

fn order(run: &Prepared) -> Order {
    let (mut train, mut windows): (Vec<Vec<u32>>, Vec<Vec<u32>>) = (Vec::new(), Vec::new());
    let examples = run.tokens.windows(&run.splits.train);
    let mut order = (0, Vec::new());
    for step in 1..=run.steps.total {
        let (epoch, index) = run.steps.epoch_and_index(step);
        if order.0 != epoch {
            order = (epoch, data::epoch_order(&examples, run.config.train.order_seed, epoch));
        }
        let step = step_examples(&run.config.train, &order.1, index);
        let (rows, indices) = step.iter().map(|&window| run.tokens.row_and_index(window)).unzip();
        train.push(rows);
        windows.push(indices);
    }
    if !run.config.data.long_texts().has_windows() {
        windows.clear();
    }
    let (dev, test) = (run.splits.dev.clone(), run.splits.test.clone());
    let lines = run.dataset.rows.iter().map(|row| row.line).collect();
    let data = &run.config.data;
    let of_split = |split| if split == Split::Dev { data.dev.source() } else { data.test.source() };
    let files = run.dataset.files.iter().filter_map(|of| {
        Some(FileOfRows { file: data_file(run, of_split(of.split)?, None), first_row: of.rows.start })
    });
    let file = Some(data_file(run, &data.source, data.file.as_deref()));
    Order { train, windows, dev, test, file, files: files.collect(), lines: Some(lines) }
}

/// The file of a source of rows.
fn data_file(run: &Prepared, source: &Source, file: Option<&str>) -> PathBuf {
    if let Source::Path(path) = source {
        return path.clone();
    }
    let is_of = |located: &&Located| located.pin.is_of(Use::Data, &source.shown(), file);
    let found =
        run.located.iter().find(is_of).and_then(|located| Some(located.folder.join(&located.pin.files.first()?.name)));
    found.unwrap_or_else(|| String::from(source.clone()).into())
}
