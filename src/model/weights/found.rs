//! The content of one weights file, and errors of files that are something else.

use std::{collections::BTreeMap, path::Path};

use super::{ModelError, numbers::Stored};
use crate::{
    format::{by_number, counted},
    sniff::{self, FileKind},
};

/// The content of a file.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Tensors of floating-point numbers.
    pub weights: BTreeMap<String, Stored>,
    /// Other tensors, with their number type.
    pub others: BTreeMap<String, String>,
}

/// The error for an unreadable file; includes what the file is instead, if recognised.
pub(super) fn unreadable(path: &Path, why: impl std::fmt::Display) -> ModelError {
    let expected = expected(path);
    let message = match sniff::kind_of_file(path) {
        Ok(Some(kind)) if Some(kind) != expected => match kind {
            FileKind::Safetensors => format!("it is {kind}: name it model.safetensors"),
            FileKind::Torch => format!("it is {kind}: name it pytorch_model.bin"),
            kind => format!("it is {kind}"),
        },
        _ => why.to_string(),
    };
    ModelError::Weights { path: path.into(), message }
}

/// The file type that a weights file's name implies.
pub(super) fn expected(path: &Path) -> Option<FileKind> {
    Some(match path.extension().and_then(|ending| ending.to_str()) {
        Some("safetensors") => FileKind::Safetensors,
        Some("json") => FileKind::Json,
        _ => FileKind::Torch,
    })
}

/// `1 byte follows`, `3 bytes follow`.
pub(super) fn follow(bytes: u64) -> String {
    format!("{} {}", counted(bytes, "byte"), by_number(bytes, "follows", "follow"))
}
