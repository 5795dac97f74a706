//! A server that classifies texts over HTTP.
//!
//! A request goes through these files: `listen` accepts its connection (`patient` gives up on clients that take no answer) and ends the server; `routes` has the paths; `body` reads what was sent,
//! with limits and a deadline, and `wire` says what it means; `token` lets in who knows the token; `ask` turns the texts into tokens and waits
//! for their answers; `queue` holds them, bounded, and hands out batches by tokens; `worker` is the one thread that owns a model. `models` holds
//! the models by name, each as a version with a queue and a worker of its own, and `reload` puts a new version in its place when
//! its files (`files`) change; `origin` says where a model comes from. What goes wrong is a `Fault` (`fault`). `meters` counts, `said` has the shape of answers, `pages` and `openapi` have what is for people.

mod ask;
mod body;
mod fault;
mod files;
mod listen;
mod meters;
mod models;
mod openapi;
mod origin;
mod pages;
mod patient;
mod queue;
mod reload;
mod routes;
mod said;
mod token;
mod wire;
mod worker;

use std::{path::PathBuf, sync::Arc, time::Duration};

pub use listen::{Stop, serve};
pub use models::{Models, is_of_name};
pub use origin::Origin;
pub use token::Token;

use crate::execute::ExecuteError;

/// What the server allows.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Requests that may wait for a model.
    pub queue_requests: usize,
    /// Tokens of the texts that may wait for a model.
    pub queue_tokens: usize,
    /// Tokens that a model reads at a time, about.
    pub batch_tokens: usize,
    /// Texts of a request.
    pub texts: usize,
    /// Characters of a text.
    pub text_chars: usize,
    /// Bytes of the body of a request.
    pub body_bytes: usize,
    /// Connections that are served at a time; others wait to be accepted.
    pub connections: usize,
    /// From the whole request to its answer.
    pub answer: Duration,
    /// For the head of a request, for its body, and for each part of an answer to be taken.
    pub client: Duration,
    /// Whether texts that are too long are cut where a request does not say.
    pub auto_truncate: bool,
}

/// What happens while it serves, for who started it.
#[derive(Debug, Clone)]
pub enum Happening {
    /// A request was answered.
    Answered {
        /// `GET`.
        method: String,
        /// The path without its query.
        path: String,
        /// 200.
        status: u16,
        /// Until the answer was ready.
        took: Duration,
    },
    /// A model was replaced.
    Reloaded {
        /// Its name.
        model: String,
        /// SHA-256 of its weights file, in hex.
        sha256: String,
    },
    /// The files of a model changed, and cannot be used: the model that was loaded stays.
    Kept {
        /// Its name.
        model: String,
        /// Why.
        why: String,
    },
    /// A model has failed for good.
    Failed {
        /// Its name.
        model: String,
    },
    /// No more requests are accepted.
    Stopping {
        /// Requests that are being answered.
        open: usize,
    },
}

/// Called with each event of the server, on any thread.
pub type Listener = Arc<dyn Fn(Happening) + Send + Sync>;

/// What was done until the server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// Requests of which the head was read.
    pub accepted: u64,
    /// Those among them that were not answered when the server gave up waiting for them.
    pub unanswered: u64,
}

/// Why the server cannot start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A model cannot be loaded.
    #[error("{name}: {error}")]
    Model {
        /// Its name.
        name: String,
        /// Why. No source of the error: the message says it already.
        error: Box<ExecuteError>,
    },
    /// Two models have the same name.
    #[error("two models have the name `{0}`: give one of them another, NAME=KEY or NAME=DIR")]
    SameName(String),
    /// A name that cannot be part of a path.
    #[error(
        "`{0}` cannot be the name of a model: expected letters, digits and - _ . = only; give it one, NAME=KEY or NAME=DIR"
    )]
    Name(String),
    /// A file of a token.
    #[error("{}: {what}", path.display())]
    Token {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The system refuses a thread or a socket.
    #[error("{}", crate::format::io(_0))]
    Io(#[from] std::io::Error),
}
