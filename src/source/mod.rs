//! Where a model or a dataset comes from: `path:…`, `scratch:…`, `hf:…`, `modelscope:…`, `https:…`.
//!
//! Only this module parses the text; others match on [`Source`]. Specs, stored configs and run keys contain the text, so [`Source`] reads
//! and writes exactly that.

mod address;
mod fault;
mod parsed;
mod preset;
mod scheme;

pub use address::{Repository, WebFile};
pub use fault::{Fault, SourceError};
pub use parsed::{Scratch, Source, beside};
pub use preset::Preset;
pub use scheme::Scheme;
