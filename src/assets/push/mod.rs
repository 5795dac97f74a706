//! Uploads files to a model repository of the Hugging Face hub, by its commit API.
//!
//! The protocol is that of Python's huggingface_hub: `preupload` says which files are stored as large ones and which the branch has already;
//! large ones go to the store that the Git LFS batch API names, in one piece or in parts; then one commit adds all files, or none. A push that
//! was interrupted anywhere is continued by the next one: the store says what it has, and a commit that came through is not repeated.
//!
//! ```text
//! push ─► hub (endpoints) ─► call (requests, retries) ─► http
//!   └───► store (large files) ─┘        └─► error
//! ```

mod call;
mod error;
mod hub;
mod run;
mod store;

pub use error::PushError;
pub use run::{Change, Push, Pushed, PushedFile, Remote, look, push, unasked};
