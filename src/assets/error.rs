//! What can go wrong on the way to a file, and what to do about it.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::server::Server;

/// Why a model or a data set cannot be had. No message holds a token.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    /// Nothing stands at a path.
    #[error("{} does not exist; check the path (in a spec, relative paths start at the folder of the spec)", .0.display())]
    NoSuchPath(PathBuf),
    /// A model is a folder.
    #[error("{} is a file; a model is the folder that holds config.json, weights and tokenizer", .0.display())]
    NotAFolder(PathBuf),
    /// A data set is a file.
    #[error("{} is a folder; name the csv, tsv, jsonl or parquet file in it", .0.display())]
    NotAFile(PathBuf),
    /// Files that a model needs, all of them.
    #[error("{place} is not a complete model: it lacks {}", .missing.join(" and "))]
    Incomplete {
        /// Folder or repository.
        place: String,
        /// Each file, with its alternatives.
        missing: Vec<&'static str>,
    },
    /// PyTorch's weights are spread over several files.
    #[error(
        "{place} keeps its weights in several pickles ({index}); save them as safetensors with transformers' \
         model.save_pretrained(DIR) and use path:DIR"
    )]
    Sharded {
        /// Folder or repository.
        place: String,
        /// The file that lists the others.
        index: String,
    },
    /// A model that cannot be trained, as its config.json shows.
    #[error("{0}")]
    Unsuited(String),
    /// The list of the weights' files cannot be used.
    #[error("{}: {what}", .path.display())]
    Index {
        /// The list.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Files of the weights that their list names are not beside it.
    #[error(
        "{} names {}, which {} not in its folder: copy or download {} too",
        .index.display(), .missing.join(" and "), if .missing.len() == 1 { "is" } else { "are" },
        if .missing.len() == 1 { "it" } else { "them" }
    )]
    NoShard {
        /// The list.
        index: PathBuf,
        /// The files.
        missing: Vec<String>,
    },
    /// A source that has no files.
    #[error("`{0}` is created from scratch and has no files")]
    NoFiles(String),
    /// A model from a single file on the web.
    #[error("{0} is one file, and a model is several: use hf:, modelscope: or path:")]
    NoModel(String),
    /// `data.file` beside a source that names its file.
    #[error(
        "data.file = \"{file}\" chooses among the files of a repository; {source_} names its file itself: leave one out"
    )]
    TwoFiles {
        /// `data.file`.
        file: String,
        /// `data.source`.
        source_: String,
    },
    /// A repository holds several data files and none is chosen.
    #[error("{place} holds {} data files; choose one with data.file: {}", .files.len(), shorten(.files))]
    SeveralDataFiles {
        /// The repository.
        place: String,
        /// Its files that can be read.
        files: Vec<String>,
    },
    /// A repository holds no file that can be read.
    #[error("{place} holds no csv, tsv, jsonl or parquet file; convert its data to one of them and use path:FILE")]
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
        /// Its files that can be read.
        files: Vec<String>,
    },
    /// The server knows no such thing.
    #[error("{} has no {}{} (404); check its name{}", .server.endpoint, file_of(.file), .server.place, .server.kind.also())]
    NotFound {
        /// Who was asked for what.
        server: Box<Server>,
        /// A file that its list names.
        file: Option<String>,
    },
    /// The server wants to know who asks, or refuses who does.
    #[error("{} refuses {} ({status}): {}", .server.endpoint, .server.place, .server.denied(*.status, *.gated))]
    Denied {
        /// Who was asked for what.
        server: Box<Server>,
        /// 401 or 403.
        status: u16,
        /// Whether the server says that terms have to be accepted.
        gated: bool,
    },
    /// The server cannot be reached.
    #[error(
        "{} cannot be reached for {} ({cause}); {}check the network and the proxy (HTTPS_PROXY), {}, or download the files \
         and use path:",
        .server.endpoint, .server.place,
        if *.cached { "use --offline to take the copy in the cache, or " } else { "" },
        .server.kind.elsewhere()
    )]
    Unreachable {
        /// Who was asked for what.
        server: Box<Server>,
        /// What the network says.
        cause: String,
        /// Whether the cache holds a usable copy.
        cached: bool,
    },
    /// The server answers with something else.
    #[error("{} fails to give {}{}: {cause}; try again later, or {}", .server.endpoint, file_of(.file), .server.place, .server.kind.elsewhere())]
    Server {
        /// Who was asked for what.
        server: Box<Server>,
        /// The file that was asked for.
        file: Option<String>,
        /// What it said.
        cause: String,
    },
    /// The server answers with a page for people.
    #[error(
        "{} answers for {} with a web page: either this network wants a login (open {} in a browser), or {}",
        .server.endpoint, .server.place, .server.endpoint, .server.kind.no_server()
    )]
    WebPage {
        /// Who was asked for what.
        server: Box<Server>,
    },
    /// What came is not what the server says it is.
    #[error(
        "{file} of {} came from {} with another content than it states ({stated}; found {found}), and was thrown away; a \
         proxy or mirror may change or cache it: try again, or {}",
        .server.place, .server.endpoint, .server.kind.elsewhere()
    )]
    Mismatch {
        /// Who was asked for what.
        server: Box<Server>,
        /// The file.
        file: String,
        /// What it should be.
        stated: String,
        /// What it is.
        found: String,
    },
    /// What is there is not what the lock says.
    #[error(
        "{what} is not what {} pins: {difference}; `taper fetch --update` with the spec accepts \
         what there is now{}", .lock.display(), remedy(.path)
    )]
    Changed {
        /// The file, and the source it is of.
        what: String,
        /// The lock.
        lock: PathBuf,
        /// What is pinned, and what there is.
        difference: String,
        /// Where that is, where it lies here.
        path: Option<Box<Path>>,
    },
    /// A file in a cache is not what it was downloaded as.
    #[error("{} is damaged: its name in the cache says {stated}, its content is sha256 {found}; delete it and run the same command again", .path.display())]
    Damaged {
        /// The file, without links.
        path: PathBuf,
        /// What its name says.
        stated: String,
        /// What it is.
        found: String,
    },
    /// A lock that cannot be read.
    #[error("{}: {what}; delete it and let `taper fetch` write it anew, or take it back from where it came", .path.display())]
    Lock {
        /// The lock.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Offline, and not in the cache.
    #[error(
        "{place} is not in the cache ({}), or not all of it, and offline nothing is downloaded; run `taper fetch` with the \
         spec once with a network (without --offline and HF_HUB_OFFLINE)",
        .cache.display()
    )]
    NotCached {
        /// The repository, and the file where one is asked for.
        place: String,
        /// The cache.
        cache: PathBuf,
    },
    /// It could not be had a moment ago, and is not asked for again.
    #[error("{0}")]
    Refused(String),
    /// A variable of the environment that cannot be used.
    #[error("environment variable {name} is {found}; expected {expected}: write it again, or unset it")]
    Variable {
        /// Its name.
        name: &'static str,
        /// What it holds; no secret.
        found: String,
        /// What it takes.
        expected: &'static str,
    },
    /// No folder for the cache.
    #[error("there is no home folder to keep downloads in; name a folder in {0}")]
    NoCache(&'static str),
    /// No room for a file.
    #[error("{}: the disk is full; free some space, or keep downloads elsewhere: name a folder in {variable}", .path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// What says where downloads are kept.
        variable: &'static str,
    },
    /// A file cannot be read or written.
    #[error("{}: {}", .path.display(), crate::format::io(.error))]
    Io {
        /// The file.
        path: PathBuf,
        /// Why. No source of the error: the message says it already.
        error: io::Error,
    },
}

fn file_of(file: &Option<String>) -> String {
    file.as_ref().map(|file| format!("{file} of ")).unwrap_or_default()
}

fn remedy(path: &Option<Box<Path>>) -> String {
    path.as_ref()
        .map(|path| format!("; or delete {} to have the pinned one downloaded", path.display()))
        .unwrap_or_default()
}

/// At most ten names.
fn shorten(files: &[String]) -> String {
    match files.len() {
        0 => "none".into(),
        n if n <= 10 => files.join(", "),
        n => format!("{}, … ({} more)", files[..10].join(", "), n - 10),
    }
}
