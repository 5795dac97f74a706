//! What can go wrong on the way to a file, and what to do about it.

use std::{io, path::PathBuf};

/// Why a model or a data set cannot be had. No message holds a token.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    /// Nothing stands at a path.
    #[error("{} does not exist; check the path (relative ones start at the current folder)", .0.display())]
    NoSuchPath(PathBuf),
    /// A model is a folder.
    #[error("{} is a file; a model is the folder that holds config.json, weights and tokenizer", .0.display())]
    NotAFolder(PathBuf),
    /// A data set is a file.
    #[error("{} is a folder; name the csv, tsv or jsonl file in it", .0.display())]
    NotAFile(PathBuf),
    /// Files that a model needs, all of them.
    #[error("{place} is no complete model: it lacks {}", .missing.join(" and "))]
    Incomplete {
        /// Folder or repository.
        place: String,
        /// Each file, with its alternatives.
        missing: Vec<&'static str>,
    },
    /// The weights are spread over several files.
    #[error(
        "{place} keeps its weights in several files ({index}), which is not built yet; save it as one with \
         transformers' model.save_pretrained(DIR, max_shard_size=\"100GB\") and use path:DIR"
    )]
    Sharded {
        /// Folder or repository.
        place: String,
        /// The file that lists the others.
        index: &'static str,
    },
    /// A source that has no files.
    #[error("`{0}` is made from scratch and has no files")]
    NoFiles(String),
    /// `data.file` beside a path.
    #[error("data.file = \"{file}\" chooses among the files of an hf: data set; with path: give the whole path ({})", .path.display())]
    FileBesidePath {
        /// `data.file`.
        file: String,
        /// `data.source`.
        path: PathBuf,
    },
    /// A repository holds several data files and none is chosen.
    #[error("{place} holds {} data files; choose one with data.file: {}", .files.len(), shorten(.files))]
    SeveralDataFiles {
        /// The repository.
        place: String,
        /// Its csv, tsv and jsonl files.
        files: Vec<String>,
    },
    /// A repository holds no file that can be read.
    #[error("{place} holds no csv, tsv or jsonl file; convert its data to one of them and use path:FILE")]
    NoDataFile {
        /// The repository.
        place: String,
    },
    /// A repository does not hold the file asked for.
    #[error("{place} holds no file `{file}`; its data files are: {}", shorten(.files))]
    NoSuchFile {
        /// The repository.
        place: String,
        /// The file.
        file: String,
        /// Its csv, tsv and jsonl files.
        files: Vec<String>,
    },
    /// The hub knows no such repository or revision.
    #[error("{endpoint} has no {place} (404); check its name and revision")]
    NotFound {
        /// The repository.
        place: String,
        /// The hub.
        endpoint: String,
    },
    /// The hub wants to know who asks, or refuses who does.
    #[error("{endpoint} refuses {place} ({status}): {}", denied(*.status, *.token))]
    Denied {
        /// The repository.
        place: String,
        /// The hub.
        endpoint: String,
        /// 401 or 403.
        status: u16,
        /// Whether a token was sent.
        token: bool,
    },
    /// The hub cannot be reached.
    #[error(
        "{endpoint} cannot be reached for {place} ({cause}); {}check the network, name a mirror in HF_ENDPOINT, or \
         download the files and use path:",
        if *.cached { "set HF_HUB_OFFLINE=1 to use the copy in the cache, or " } else { "" }
    )]
    Unreachable {
        /// The repository.
        place: String,
        /// The hub.
        endpoint: String,
        /// What the network says.
        cause: String,
        /// Whether the cache holds a usable copy.
        cached: bool,
    },
    /// The hub answers with something else.
    #[error("{endpoint} fails to give {place}: {cause}; try again later, or name another hub in HF_ENDPOINT")]
    Hub {
        /// The repository.
        place: String,
        /// The hub.
        endpoint: String,
        /// What it said.
        cause: String,
    },
    /// Offline, and not in the cache.
    #[error(
        "{place} is not in the cache ({}), or not all of it, and HF_HUB_OFFLINE forbids a download; unset it once to \
         download",
        .cache.display()
    )]
    NotCached {
        /// The repository, and the file where one is asked for.
        place: String,
        /// The cache.
        cache: PathBuf,
    },
    /// No folder for the cache.
    #[error("there is no home folder to keep downloads in; name a folder in HF_HOME")]
    NoCache,
    /// A file cannot be read or written.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

fn denied(status: u16, token: bool) -> &'static str {
    match (status, token) {
        (403, true) => "accept its terms on its web page, or give a token that may read it in HF_TOKEN",
        (_, true) => {
            "its name is wrong, or the token (HF_TOKEN, else the file `token` in HF_HOME) is not valid or may not read it"
        }
        (_, false) => {
            "its name is wrong, or it is private or gated: put a token that may read it in HF_TOKEN, or run `hf auth login`"
        }
    }
}

/// At most ten names.
fn shorten(files: &[String]) -> String {
    match files.len() {
        0 => "none".into(),
        n if n <= 10 => files.join(", "),
        n => format!("{}, … ({} more)", files[..10].join(", "), n - 10),
    }
}
