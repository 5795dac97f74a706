//! Errors of finding and downloading files, with what to do about them.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::server::Server;

/// What is said of an adapter. `is_whole`: beside a complete model.
fn adapter(source: &str, file: &str, is_whole: bool) -> String {
    let (what, otherwise) = match is_whole {
        true => (
            format!("has an adapter ({file}) beside its weights, which transformers applies and taper does not"),
            format!("; to leave the adapter out, use a folder without {file}"),
        ),
        false => (
            format!("is not a complete model, but an adapter ({file}), and taper does not apply adapters"),
            String::new(),
        ),
    };
    format!(
        "{source} {what}: load the model with its adapter in peft, call merge_and_unload(), then save_pretrained(DIR), save the tokenizer \
         there, too, and use path:DIR{otherwise}"
    )
}

/// A hint for a path with `~`, which shells expand only at the beginning of a word.
fn tilde(path: &Path) -> &'static str {
    match path.components().any(|part| part.as_os_str() == "~") {
        true => "; `~` is not expanded: write the whole path",
        false => "",
    }
}

/// A path, with control characters as escapes.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// A hint for a path in which a backslash was read as the beginning of an escape.
fn escapes(path: &Path) -> &'static str {
    match path.to_string_lossy().contains(char::is_control) {
        true => "; in double quotes, \\t is a tab and \\n a line break: write the path in single quotes, or with /",
        false => "",
    }
}

/// Why a model or a dataset is unavailable. No message contains a token.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    /// A path does not exist.
    #[error("{} does not exist; relative paths are resolved from the spec file's folder, or, in --set and TAPER_… \
             variables, from the current folder{}{}", shown(.0), tilde(.0), escapes(.0))]
    NoSuchPath(PathBuf),
    /// A model is a folder, not a file.
    #[error("{} is a file, but a model is a folder with config.json, weights and a tokenizer: name that folder", .0.display())]
    NotAFolder(PathBuf),
    /// A dataset is a file, not a folder.
    #[error(
        "{} is a folder; name a file in it, or name its splits: data.splits = {{ train = \"train\", dev = \
         \"validation\", test = \"test\" }}",
        .0.display()
    )]
    NotAFile(PathBuf),
    /// All files that are missing from a model.
    #[error("{source_} is not a complete model: it lacks {}{}", .missing.join(" and "), .instead.as_ref().map_or_else(String::new, |instead| format!("; {instead}")))]
    Incomplete {
        /// Folder or repository.
        source_: String,
        /// Each file, with its alternatives.
        missing: Vec<&'static str>,
        /// What lies in the folder, and what to do.
        instead: Option<String>,
    },
    /// A folder with an adapter, which taper would leave out.
    #[error("{}", adapter(.source_, .file, *.is_whole))]
    Adapter {
        /// Folder or repository.
        source_: String,
        /// The file that says so.
        file: String,
        /// Whether there is a complete model, too.
        is_whole: bool,
    },
    /// A file that counts is a link that leads nowhere.
    #[error("{} is a link to {}, which does not exist: copy the file itself, or restore what the link names; {then}", .path.display(), .to.display())]
    Dangling {
        /// The link.
        path: PathBuf,
        /// What it names.
        to: PathBuf,
        /// What is missing therefore. Not a source: the message has it already.
        then: Box<AssetError>,
    },
    /// PyTorch's weights are sharded.
    #[error(
        "{source_} keeps its weights in sharded PyTorch files ({index}); save them as safetensors with transformers' \
         model.save_pretrained(DIR) and use path:DIR"
    )]
    Sharded {
        /// Folder or repository.
        source_: String,
        /// The index file.
        index: String,
    },
    /// A model that cannot be trained, according to its config.json.
    #[error("{0}")]
    Unsuited(String),
    /// The index of the weights cannot be used.
    #[error("{}: {what}", .path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Files in the index are not beside it.
    #[error(
        "{} names {}, which {} not in the same folder: copy or download {} too",
        .index.display(), .missing.join(" and "), if .missing.len() == 1 { "is" } else { "are" },
        if .missing.len() == 1 { "it" } else { "them" }
    )]
    NoShard {
        /// The index.
        index: PathBuf,
        /// The files.
        missing: Vec<String>,
    },
    /// A source without files.
    #[error("`{0}` creates a model from scratch and has no files")]
    NoFiles(String),
    /// A model from a single file on the web.
    #[error("{0} is a single file, but a model consists of several: use hf:, modelscope: or path:")]
    NoModel(String),
    /// `data.file` with a source that names its file.
    #[error(
        "data.file = \"{file}\" chooses a file of a repository, but {source_} already names a file: remove one of the \
         two"
    )]
    TwoFiles {
        /// `data.file`.
        file: String,
        /// `data.source`.
        source_: String,
    },
    /// A repository has several data files and none is chosen.
    #[error(
        "{source_} holds {} data files; choose one with data.file, or name the splits: data.splits = {{ train = \
         \"train\", dev = \"validation\", test = \"test\" }}; the files are: {}",
        .files.len(), shorten(.files)
    )]
    SeveralDataFiles {
        /// The repository.
        source_: String,
        /// Its data files.
        files: Vec<String>,
    },
    /// The splits of a dataset are not as the spec names them.
    #[error("{source_}: {what}")]
    Splits {
        /// Folder or repository.
        source_: String,
        /// What was found, and what to do.
        what: String,
    },
    /// A repository has no data file.
    #[error(
        "{source_} holds no csv, tsv, jsonl, json, parquet or xlsx file; convert its data to one of these formats and \
         use path:FILE"
    )]
    NoDataFile {
        /// The repository.
        source_: String,
    },
    /// A repository does not have the requested file.
    #[error("{source_} holds no file `{file}`; its data files are: {}", shorten(.files))]
    NoSuchFile {
        /// The repository.
        source_: String,
        /// The file.
        file: String,
        /// Its data files.
        files: Vec<String>,
    },
    /// The server does not have it.
    #[error("{} has no {}{} (404); check its name{}", .server.endpoint, file_of(.file), .server.source, .server.kind.also())]
    NotFound {
        /// The server and the requested source.
        server: Box<Server>,
        /// A listed file.
        file: Option<String>,
    },
    /// The server requires a token, or refuses the one sent.
    #[error("{} refuses access to {} ({status}): {}", .server.endpoint, .server.source, .server.denied(*.status, *.gated))]
    Denied {
        /// The server and the requested source.
        server: Box<Server>,
        /// 401 or 403.
        status: u16,
        /// Whether the server says that terms must be accepted.
        gated: bool,
    },
    /// The server cannot be reached.
    #[error(
        "{} is not available, because {} cannot be reached ({cause}); {}check the network and the proxy (HTTPS_PROXY), \
         {}, or download the files and use path:",
        .server.source, .server.endpoint,
        if *.cached { "use --offline to use the cached copy, or " } else { "" },
        .server.kind.elsewhere()
    )]
    Unreachable {
        /// The server and the requested source.
        server: Box<Server>,
        /// The network error.
        cause: String,
        /// Whether the cache holds a usable copy.
        cached: bool,
    },
    /// The server sent an unexpected response.
    #[error("{} did not provide {}{}: {cause}; try again later, or {}", .server.endpoint, file_of(.file), .server.source, .server.kind.elsewhere())]
    Server {
        /// The server and the requested source.
        server: Box<Server>,
        /// The requested file.
        file: Option<String>,
        /// What it sent.
        cause: String,
    },
    /// The server sent a web page.
    #[error(
        "{} answered the request for {} with a web page: either this network requires a login (open {} in a browser), \
         or {}",
        .server.endpoint, .server.source, .server.endpoint, .server.kind.no_server()
    )]
    WebPage {
        /// The server and the requested source.
        server: Box<Server>,
    },
    /// The content is not what the server states.
    #[error(
        "{file} of {} from {} does not have the expected content (it should be {stated}, but is {found}) and was \
         discarded; a proxy or mirror may have changed it, or have an outdated copy: try again, or {}",
        .server.source, .server.endpoint, .server.kind.elsewhere()
    )]
    Mismatch {
        /// The server and the requested source.
        server: Box<Server>,
        /// The file.
        file: String,
        /// The stated content.
        stated: String,
        /// The actual content.
        found: String,
    },
    /// The content is not what the lock pins.
    #[error(
        "{what} is not what {} pins: {difference}; `taper fetch SPEC --update` accepts the current version{}", .lock.display(), remedy(.path)
    )]
    Changed {
        /// The file and its source.
        what: String,
        /// The lock.
        lock: PathBuf,
        /// The pinned and the actual content.
        difference: String,
        /// Its local path, if the actual content is a local file.
        path: Option<Box<Path>>,
    },
    /// A cached file is not what was downloaded.
    #[error("{} is damaged: its name in the cache says {stated}, but its content is sha256 {found}; delete it and run \
             the same command again", .path.display())]
    Damaged {
        /// The file, with links resolved.
        path: PathBuf,
        /// The digest that its name states.
        stated: String,
        /// Its actual digest.
        found: String,
    },
    /// A lock that cannot be read.
    #[error("{}: {what}; delete it and let `taper fetch` write it again, or restore an earlier copy", .path.display())]
    Lock {
        /// The lock.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Another command has pinned other files of a source since this one read the lock.
    #[error(
        "{}: another command has pinned different files of {source_} in the meantime; run the same command again to use those",
        .lock.display()
    )]
    Raced {
        /// The lock.
        lock: PathBuf,
        /// The source.
        source_: String,
    },
    /// Not in the cache while offline.
    #[error(
        "{source_} is missing from the cache ({}) or incomplete there, and offline mode forbids downloads; run `taper fetch SPEC` once \
         while online (without --offline and HF_HUB_OFFLINE)",
        .cache.display()
    )]
    NotCached {
        /// The repository, and the requested file, if any.
        source_: String,
        /// The cache.
        cache: PathBuf,
    },
    /// An earlier lookup failed, and is not repeated.
    #[error("{0}")]
    Refused(String),
    /// An environment variable has an invalid value.
    #[error("environment variable {name} is {found}; expected {expected}: correct it, or unset it")]
    Variable {
        /// Its name.
        name: &'static str,
        /// Its value, if that is not secret.
        found: String,
        /// What it takes.
        expected: &'static str,
    },
    /// There is no folder for the cache.
    #[error("there is no home folder to store downloads in; set {0} to a folder")]
    NoCache(&'static str),
    /// The disk is full.
    #[error("{}: the disk is full; free some space, or store downloads elsewhere: set {variable} to another folder", .path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// The variable that sets the folder of downloads.
        variable: &'static str,
    },
    /// A file cannot be read or written.
    #[error("{}: {}", .path.display(), crate::format::io(.error))]
    Io {
        /// The file.
        path: PathBuf,
        /// Why. Not a `source`: the message already contains it.
        error: io::Error,
    },
}

fn file_of(file: &Option<String>) -> String {
    file.as_ref().map(|file| format!("{file} of ")).unwrap_or_default()
}

fn remedy(path: &Option<Box<Path>>) -> String {
    path.as_ref()
        .map(|path| format!("; or delete {} to download the pinned version again", path.display()))
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
