//! Where a model or a data set comes from: `path:…`, `scratch:…`, `hf:…`, `modelscope:…`, `https:…`.
//!
//! A text is parsed here and nowhere else; everybody else matches on [`Source`]. Its text is what specs, stored configs and run
//! keys hold, so [`Source`] reads and writes exactly that.

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
