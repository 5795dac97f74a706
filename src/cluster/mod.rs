//! Slurm's commands: what is submitted ([`SlurmSettings`], [`Script`]), and what became of it ([`Slurm`]). Nothing here knows of training.
//!
//! The parsers (`queue`, `accounting`) are functions of the text that the commands print; what their tests read was printed by Slurm 22.05.8.

mod accounting;
mod client;
mod element;
mod error;
mod limits;
mod process;
mod queue;
mod script;
mod settings;

pub use client::Slurm;
pub use element::{Element, ElementId, ElementState, JobId};
pub use error::ClusterError;
pub use limits::{TimeLimit, is_memory, is_word, memory_bytes, refused_option};
pub use script::{Script, quoted};
pub use settings::SlurmSettings;
