//! Which files a model and a dataset consist of; their digests.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{
    AssetError, ModelFiles,
    hash::{digest_file, hex},
};
use crate::{plan::shards, regular};

/// Weights, in order of preference.
pub(super) const WEIGHTS: [&str; 3] = ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"];
/// The index of sharded pickles.
const PICKLES: &str = "pytorch_model.bin.index.json";
/// Tokenizer files, in order of preference.
const TOKENIZER: [&str; 2] = ["tokenizer.json", "vocab.txt"];
/// Vocabularies of tokenizers that are not BERT's. They count, each of them, where there is no tokenizer.json.
const VOCABULARIES: [&str; 5] = ["vocab.json", "merges.txt", "sentencepiece.bpe.model", "spm.model", "spiece.model"];
/// Optional files that refine a tokenizer.
const TOKENIZER_EXTRAS: [&str; 3] = ["tokenizer_config.json", SPECIAL_MAP, "added_tokens.json"];
const SPECIAL_MAP: &str = "special_tokens_map.json";
/// The usual special_tokens_map.json of a BERT: the same as without the file.
const SPECIAL: [(&str, &str); 5] = [
    ("unk_token", "[UNK]"),
    ("sep_token", "[SEP]"),
    ("pad_token", "[PAD]"),
    ("cls_token", "[CLS]"),
    ("mask_token", "[MASK]"),
];
/// What says that a folder has an adapter, and the adapter's weights.
const ADAPTER: [&str; 3] = ["adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"];
/// Largest settings file, in bytes.
const SMALL: u64 = 64 << 20;
/// Small files that a model is read from, if present.
pub const SMALL_FILES: [&str; 11] = [
    "config.json",
    TOKENIZER[0],
    TOKENIZER[1],
    VOCABULARIES[0],
    VOCABULARIES[1],
    VOCABULARIES[2],
    VOCABULARIES[3],
    VOCABULARIES[4],
    TOKENIZER_EXTRAS[0],
    TOKENIZER_EXTRAS[1],
    TOKENIZER_EXTRAS[2],
];
/// Extensions of data files.
const DATA: [&str; 8] = ["csv", "tsv", "tab", "jsonl", "ndjson", "json", "parquet", "xlsx"];
/// Extensions of packed files.
const PACKED: [&str; 3] = ["gz", "zst", "zstd"];
/// Files that are about a dataset.
const ABOUT: [&str; 4] = ["config.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json"];

/// A file with its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilePin {
    /// Its name in its repository or folder.
    pub name: String,
    /// Its bytes.
    pub size: u64,
    /// SHA-256, in hex.
    pub sha256: String,
}

impl FilePin {
    /// The file at a path.
    pub(super) fn of(name: &str, path: &Path) -> Result<Self, AssetError> {
        let size = fs::metadata(path).map_err(|error| AssetError::Io { path: path.into(), error })?.len();
        Ok(Self { name: name.into(), size, sha256: digest_file(path)? })
    }

    /// The digest and the size, for messages.
    pub(super) fn shown(&self) -> String {
        format!("sha256 {} ({})", self.sha256, crate::format::counted(self.size, "byte"))
    }
}

/// The names of a model's files.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Choice {
    /// Their folder, empty or with a slash at the end. It is not part of the names below.
    pub folder: String,
    /// All small files that exist.
    pub small: Vec<String>,
    /// The weights, or their index.
    pub weights: String,
}

impl Choice {
    /// Whether other files of the repository would hardly be chosen instead: these are the preferred or the named weights, together with the
    /// tokenizer's settings.
    pub fn is_the_first(&self, part: Option<&str>) -> bool {
        let named = part.is_some_and(|part| part.ends_with(&self.weights));
        (named || self.weights == WEIGHTS[0])
            && self.small.iter().any(|name| TOKENIZER_EXTRAS[..2].contains(&name.as_str()))
    }

    /// Whether the weights are sharded, with an index.
    pub fn is_sharded(&self) -> bool {
        self.weights.ends_with(".index.json")
    }

    /// The files of the weights in the index in `folder`; empty if there is no index.
    pub fn shards(&self, folder: &Path) -> Result<Vec<String>, AssetError> {
        if !self.is_sharded() {
            return Ok(Vec::new());
        }
        let path = folder.join(&self.weights);
        let text = fs::read_to_string(&path).map_err(|error| AssetError::Io { path: path.clone(), error })?;
        shards(&text).map_err(|what| AssetError::Index { path, what })
    }

    /// A file's name in its repository.
    pub fn full(&self, name: &str) -> String {
        format!("{}{name}", self.folder)
    }
}

/// Chooses a model's files in `source` (for messages); `has` says which names exist. `part` is a folder in it, or the file of its
/// weights.
///
/// # Errors
/// [`AssetError::Adapter`] unless the file of the weights is named; [`AssetError::Sharded`]; [`AssetError::Incomplete`] with everything that is missing.
pub(super) fn choose(source: &str, part: Option<&str>, has: impl Fn(&str) -> bool) -> Result<Choice, AssetError> {
    let is_weights = |part: &str| [".safetensors", ".bin", ".safetensors.index.json"].iter().any(|e| part.ends_with(e));
    let (folder, named) = match part {
        Some(part) if is_weights(part) => {
            part.rsplit_once('/').map_or(("", Some(part)), |(folder, name)| (folder, Some(name)))
        }
        part => (part.unwrap_or(""), None),
    };
    let folder = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let has = |name: &str| has(&format!("{folder}{name}"));
    let weights = match named {
        Some(name) => Some(name).filter(|name| has(name)),
        None => WEIGHTS.into_iter().find(|name| has(name)),
    };
    if weights.is_none() && has(PICKLES) {
        return Err(AssetError::Sharded { source_: source.into(), index: format!("{folder}{PICKLES}") });
    }
    let mut missing = Vec::new();
    if !has("config.json") {
        missing.push("config.json");
    }
    let vocabularies = vocabularies_that_count(has);
    let alone = vocabularies.iter().copied().filter(|name| *name != VOCABULARIES[1]);
    if !TOKENIZER.into_iter().chain(alone).any(&has) {
        missing.push("a tokenizer (tokenizer.json, vocab.txt, vocab.json or a SentencePiece .model file)");
    }
    // Of several files of weights a spec may name that of the model without the adapter.
    let is_whole = weights.is_some() && missing.is_empty();
    let adapter = ADAPTER.into_iter().find(|name| has(name)).filter(|name| !is_whole || *name == ADAPTER[0]);
    if let Some(file) = adapter.filter(|_| named.is_none()) {
        return Err(AssetError::Adapter { source_: source.into(), file: format!("{folder}{file}"), is_whole });
    }
    match weights.map(String::from) {
        Some(weights) if missing.is_empty() => {
            let small = ["config.json"].into_iter().chain(TOKENIZER).chain(vocabularies).chain(TOKENIZER_EXTRAS);
            let small = small.filter(|name| has(name));
            Ok(Choice { small: small.map(String::from).collect(), folder, weights })
        }
        Some(_) => Err(AssetError::Incomplete { source_: source.into(), missing, instead: None }),
        None => {
            missing.push("weights (model.safetensors, whole or sharded, or pytorch_model.bin)");
            Err(AssetError::Incomplete { source_: source.into(), missing, instead: None })
        }
    }
}

/// The model in `root`, or in a folder of it. Files in `known` need not be read again.
pub(super) fn collect(
    root: &Path,
    choice: &Choice,
    revision: Option<String>,
    known: &[FilePin],
) -> Result<ModelFiles, AssetError> {
    let folder = root.join(&choice.folder);
    let shards = choice.shards(&folder)?;
    let weights = std::iter::once(&choice.weights).chain(&shards);
    let mut files = Vec::new();
    for name in choice.small.iter().chain(weights.clone()) {
        let full = choice.full(name);
        files.push(match known.iter().find(|pin| pin.name == full) {
            Some(pin) => pin.clone(),
            None if shards.contains(name) && !folder.join(name).exists() => {
                let missing = shards.iter().filter(|name| !folder.join(name).exists()).cloned().collect();
                return Err(AssetError::NoShard { index: folder.join(&choice.weights), missing });
            }
            None => FilePin::of(&full, &folder.join(name))?,
        });
    }
    let has = |name: &str| choice.small.iter().any(|known| known == name);
    let tokenizer = TOKENIZER.into_iter().find(|name| has(name));
    let extras = extras_that_count(&folder, has);
    let mut hash = Sha256::new();
    let vocabularies = tokenizer.into_iter().chain(vocabularies_that_count(has));
    for name in ["config.json"].into_iter().chain(weights.map(String::as_str)).chain(vocabularies).chain(extras) {
        let full = choice.full(name);
        let pin = files.iter().find(|pin| pin.name == full);
        hash.update(format!("{name} {}\n", pin.map_or("", |pin| pin.sha256.as_str())));
    }
    Ok(ModelFiles {
        weights: folder.join(&choice.weights),
        shards: shards.iter().map(|name| folder.join(name)).collect(),
        folder,
        digest: hex(&hash.finalize()),
        revision,
        files,
    })
}

/// Those of a model's vocabularies that affect tokens, vocab.txt aside: none where there is a tokenizer.json.
pub fn vocabularies_that_count(has: impl Fn(&str) -> bool) -> Vec<&'static str> {
    VOCABULARIES.into_iter().filter(|name| !has(TOKENIZER[0]) && has(name)).collect()
}

/// Those of a folder's tokenizer extras that count in a model's digest: all that affect tokens.
pub fn extras_that_count(folder: &Path, has: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let counts = |name: &&str| has(name) && (*name != SPECIAL_MAP || special_map_counts(folder));
    TOKENIZER_EXTRAS.into_iter().filter(counts).collect()
}

/// Whether special_tokens_map.json affects tokens: not if tokenizer_config.json names all added tokens, nor if it has only the values of
/// every BERT, as nearly all do, and no file names other ones or a class that has not these. Invalid JSON counts; it is refused when it is
/// read.
fn special_map_counts(folder: &Path) -> bool {
    let read = |name: &str| -> Option<Map<String, Value>> {
        serde_json::from_slice(&regular::read(&folder.join(name), SMALL).ok()?).ok()
    };
    let Some(map) = read(SPECIAL_MAP) else { return false };
    let usual = |key: &str, value: &Value| {
        let Some((_, usual)) = SPECIAL.iter().find(|(name, _)| *name == key) else { return value.is_null() };
        let flags = |map: &Map<String, Value>| {
            map.iter().all(|(key, value)| ["content", "special"].contains(&key.as_str()) || *value != true)
        };
        value == usual
            || value.as_object().is_some_and(|map| map.get("content") == Some(&(*usual).into()) && flags(map))
    };
    let (config, model) = (read(TOKENIZER_EXTRAS[0]).unwrap_or_default(), read("config.json").unwrap_or_default());
    let class = [(&config, "tokenizer_class"), (&model, "tokenizer_class"), (&model, "model_type")];
    let class = class.iter().find_map(|(map, key)| map.get(*key)?.as_str()).unwrap_or_default().to_lowercase();
    // Where tokenizer.json decides alone, no token is special by its name.
    let others = ["roberta", "camembert", "albert", "pretrained", "backend"];
    let of_the_file = ["modernbert", "xlm-roberta-xl"].map(Value::from);
    let has_others = of_the_file.contains(model.get("model_type").unwrap_or(&Value::Null))
        || others.iter().any(|other| class.contains(other));
    let is_usual = |(key, value): (&String, &Value)| {
        let stated = config.get(key).filter(|value| !value.is_null());
        usual(key, value) && stated.is_none_or(|stated| usual(key, stated))
    };
    !config.contains_key("added_tokens_decoder") && (has_others || !map.iter().all(is_usual))
}

/// Whether a file's extension is that of a data file.
pub(super) fn is_data(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let inner =
        file.rsplit_once('.').filter(|(_, ending)| PACKED.contains(ending)).map_or(file.as_str(), |(inner, _)| inner);
    let ending = inner.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|ending| DATA.contains(&ending)) && !ABOUT.contains(&file.as_str())
}

/// The data file of a repository: `wanted`, or the only one of its `files`.
pub(super) fn choose_data(source: &str, files: &[String], wanted: Option<&str>) -> Result<String, AssetError> {
    let source_ = source.to_string();
    let mut readable: Vec<String> = files.iter().filter(|name| is_data(name)).cloned().collect();
    readable.sort_unstable();
    match wanted {
        Some(file) if files.iter().any(|name| name == file) => Ok(file.to_string()),
        Some(file) => Err(AssetError::NoSuchFile { source_, file: file.to_string(), files: readable }),
        None if readable.len() > 1 => Err(AssetError::SeveralDataFiles { source_, files: readable }),
        None => readable.pop().ok_or(AssetError::NoDataFile { source_ }),
    }
}

/// The path of a repository's file below `folder`; `None` if its name would lead out of it.
pub(super) fn below(folder: &Path, name: &str) -> Option<PathBuf> {
    let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    (plain && !name.is_empty() && !name.contains('\\')).then(|| folder.join(name))
}

/// Files below a folder, with paths relative to it.
///
/// Those in a folder below it that cannot be read are left out.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn list(folder: &Path) -> Result<Vec<String>, AssetError> {
    fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) -> Result<(), AssetError> {
        let failed = |error| AssetError::Io { path: folder.into(), error };
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            match entry.path() {
                // A link to a folder may lead back to one above it.
                path if path.is_dir() && entry.file_type().is_ok_and(|kind| kind.is_symlink()) => {}
                path if path.is_dir() => drop(walk(&path, &format!("{name}/"), found)),
                _ => found.push(name),
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    walk(folder, "", &mut found)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_and_a_folder_that_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        for name in ["x.csv", "a/y.csv", "a/b/z.csv"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let mut found = list(dir.path()).unwrap();
        found.sort_unstable();
        assert_eq!(found, ["a/b/z.csv", "a/y.csv", "x.csv"]);
        // A file is no folder, for every user; permissions do not stop root.
        let file = dir.path().join("x.csv");
        let error = list(&file).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: a part of this path is a file", file.display())), "{error}");
        let gone = dir.path().join("gone");
        assert!(list(&gone).unwrap_err().to_string().starts_with(&format!("{}: there is no such", gone.display())));
    }
}
