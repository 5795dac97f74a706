//! Which files make a model, and their digest.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{AssetError, ModelFiles};

/// Weights in one file, the preferred first.
const WEIGHTS: [&str; 2] = ["model.safetensors", "pytorch_model.bin"];
/// What lists the files of weights in several.
const SHARDS: [&str; 2] = ["model.safetensors.index.json", "pytorch_model.bin.index.json"];
/// What a tokenizer is read from, the preferred first.
const TOKENIZER: [&str; 2] = ["tokenizer.json", "vocab.txt"];
/// What refines a tokenizer, where present.
const TOKENIZER_EXTRAS: [&str; 2] = ["tokenizer_config.json", "special_tokens_map.json"];

/// The names of a model's files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// All small files that are there.
    pub small: Vec<&'static str>,
    /// The weights.
    pub weights: &'static str,
}

/// Chooses a model's files in `place` (for messages), where `has` tells which names are there.
///
/// # Errors
/// [`AssetError::Sharded`]; [`AssetError::Incomplete`] with all that is missing.
pub(super) fn choose(place: &str, has: impl Fn(&str) -> bool) -> Result<Choice, AssetError> {
    let weights = WEIGHTS.into_iter().find(|name| has(name));
    if weights.is_none()
        && let Some(index) = SHARDS.into_iter().find(|name| has(name))
    {
        return Err(AssetError::Sharded { place: place.into(), index });
    }
    let mut missing = Vec::new();
    if !has("config.json") {
        missing.push("config.json");
    }
    if !TOKENIZER.into_iter().any(&has) {
        missing.push("a tokenizer (tokenizer.json or vocab.txt)");
    }
    match weights {
        Some(weights) if missing.is_empty() => {
            let small = ["config.json"].into_iter().chain(TOKENIZER).chain(TOKENIZER_EXTRAS).filter(|name| has(name));
            Ok(Choice { small: small.collect(), weights })
        }
        Some(_) => Err(AssetError::Incomplete { place: place.into(), missing }),
        None => {
            missing.push("weights (model.safetensors or pytorch_model.bin)");
            Err(AssetError::Incomplete { place: place.into(), missing })
        }
    }
}

/// The model whose files lie in `folder`.
pub(super) fn collect(folder: &Path, choice: &Choice, revision: Option<String>) -> Result<ModelFiles, AssetError> {
    let tokenizer = TOKENIZER.into_iter().find(|name| choice.small.contains(name));
    let extra = TOKENIZER_EXTRAS.into_iter().take(1).filter(|name| choice.small.contains(name));
    let mut hash = Sha256::new();
    for name in ["config.json", choice.weights].into_iter().chain(tokenizer).chain(extra) {
        hash.update(format!("{name} {}\n", digest_file(&folder.join(name))?));
    }
    Ok(ModelFiles {
        folder: folder.to_path_buf(),
        weights: folder.join(choice.weights),
        digest: hex(&hash.finalize()),
        revision,
    })
}

/// SHA-256 of a file, in hex, read a mebibyte at a time.
///
/// # Errors
/// [`AssetError::Io`] where it cannot be read.
pub fn digest_file(path: &Path) -> Result<String, AssetError> {
    let io = |source| AssetError::Io { path: path.to_path_buf(), source };
    let mut file = File::open(path).map_err(io)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex(&hash.finalize())),
            Ok(n) => hash.update(&buffer[..n]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io(error)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a file's ending says that it can be read as data.
pub(super) fn is_data(name: &str) -> bool {
    let ending = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    name.contains('.') && ["csv", "tsv", "jsonl"].contains(&ending.as_str())
}

/// The data file of a repository: `wanted`, or the only one of its `files`.
pub(super) fn choose_data(place: &str, files: &[String], wanted: Option<&str>) -> Result<String, AssetError> {
    let place = place.to_string();
    let mut readable: Vec<String> = files.iter().filter(|name| is_data(name)).cloned().collect();
    readable.sort_unstable();
    match wanted {
        Some(file) if files.iter().any(|name| name == file) => Ok(file.to_string()),
        Some(file) => Err(AssetError::NoSuchFile { place, file: file.to_string(), files: readable }),
        None if readable.len() > 1 => Err(AssetError::SeveralDataFiles { place, files: readable }),
        None => readable.pop().ok_or(AssetError::NoDataFile { place }),
    }
}

/// The path of a repository's file below `folder`; none where its name would lead out of it.
pub(super) fn below(folder: &Path, name: &str) -> Option<PathBuf> {
    let plain = Path::new(name).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    (plain && !name.is_empty()).then(|| folder.join(name))
}
