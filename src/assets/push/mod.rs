//! Uploads files to a model repository of the Hugging Face Hub or of ModelScope, by its commit API.
//!
//! The protocols are those of Python's huggingface_hub and modelscope. `run` has what both share: which files the branch has already; large
//! files go to the store that an API of Git LFS names; then one commit adds all files, or none. A push that was interrupted anywhere is
//! continued by the next one: the store says what it has, and a commit that came through is not repeated.
//!
//! ```text
//! run ─► hub (what a push needs) ◄─ hugging_face, modelscope (endpoints) ─► call (requests, retries) ─► http
//!   └──► store (large files) ─┘                                              └─► error
//! ```

mod call;
mod error;
mod hub;
mod hugging_face;
mod local;
mod modelscope;
mod run;
mod site;
mod store;
mod template;

pub use error::PushError;
pub use run::{Change, Push, Pushed, PushedFile, Remote, look, push, unasked};
pub use site::Site;
