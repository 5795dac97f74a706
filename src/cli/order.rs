//! `taper plan --order`: writes the rows of each step, for other frameworks.

use std::{
    fs,
    io::ErrorKind::{InvalidFilename, IsADirectory, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem},
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};
use taper::{assets::Use, data, execute::Prepared, format, plan::Source, train::step_batches};

use super::Unusable;

/// The content of the file. Rows are numbered from 0 after cleaning and `data.limit`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    /// The rows of each step.
    train: Vec<Vec<u32>>,
    dev: Vec<u32>,
    test: Vec<u32>,
    /// The data file; orders of earlier versions have neither this nor the lines.
    file: Option<PathBuf>,
    /// The line on which each row begins, from 1.
    lines: Option<Vec<u64>>,
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
    let json = serde_json::to_string(&order(run)?)?;
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

fn order(run: &Prepared) -> Result<Order> {
    let mut train = Vec::new();
    let mut order = (0, Vec::new());
    for step in 1..=run.steps.total {
        let (epoch, index) = run.steps.epoch_and_index(step);
        if order.0 != epoch {
            order = (epoch, data::epoch_order(&run.splits.train, run.config.train.order_seed, epoch));
        }
        let batches = step_batches(&run.config.train, &run.dataset, &run.tokens, &order.1, index)?;
        train.push(batches.into_iter().flat_map(|b| b.rows).collect::<Vec<u32>>());
    }
    let (dev, test) = (run.splits.dev.clone(), run.splits.test.clone());
    let lines = run.dataset.rows.iter().map(|row| row.line).collect();
    Ok(Order { train, dev, test, file: Some(data_file(run)), lines: Some(lines) })
}

/// The file with a run's rows.
fn data_file(run: &Prepared) -> PathBuf {
    if let Source::Path(path) = &run.config.data.source {
        return path.clone();
    }
    let file = run.located.iter().find_map(|located| match (located.pin.used_as, &located.pin.files[..]) {
        (Use::Data, [file, ..]) => Some(located.folder.join(&file.name)),
        _ => None,
    });
    file.unwrap_or_else(|| String::from(run.config.data.source.clone()).into())
}
