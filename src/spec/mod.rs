//! Turns TOML files into a checked [`Spec`].
//!
//! ```text
//! files, variables, --set ─► node (values with spans) ─► check (against the table of keys) ─► figment ─► Spec
//!                                                           └─ where problems are ◄── conflicts (key against key)
//! ```
//!
//! - `schema`, `schema_sweep`, `layout`, `fold`, `held_out`: the types the rest of the crate sees, [`Spec`] first.
//! - [`keys`]: the table of keys; defaults, checks, `--explain` and `docs/spec.md` come from it.
//! - `node`, `layer`, `files`, `assign`, `variables`: the layers, with the position of every value. `limits`: how large they may be.
//! - `check`, `sweep`, `axis`, `kind`, `value`, `source`: check one layer against the table.
//! - `closest`, `suggest`, `hint`: suggestions for mistakes.
//! - `conflicts`, `decisions`, `folds`, `targets`, `texts`, `long_texts`, `metric`, `search`, `slurm`: contradictions within the merged spec and its sweep.
//! - `merged`: merges the layers. `load`, `explain`, `related`: [`LoadedSpec`]. `doubts`: warnings. `problem`: [`SpecErrors`] and their format.

mod assign;
mod axis;
mod check;
mod closest;
mod conflicts;
mod decisions;
mod doubts;
mod explain;
mod files;
mod fold;
mod folds;
mod held_out;
mod hint;
pub mod keys;
mod kind;
mod layer;
mod layout;
mod limits;
mod load;
mod long_texts;
mod merged;
mod metric;
mod node;
mod other_syntax;
mod problem;
mod related;
mod schema;
mod schema_sweep;
mod search;
mod slurm;
mod source;
mod suggest;
mod sweep;
mod targets;
mod texts;
mod value;
mod variables;

pub use closest::closest;
pub use explain::{Explanation, LayerValue};
pub use fold::{Fold, MOST_FOLDS};
pub use held_out::{HeldOut, SplitValues};
pub use kind::Kind;
pub use layout::{Delimiter, Quoting, TextEncoding};
pub use load::{LoadOptions, LoadedSpec};
pub use problem::{Location, NamedFile, Problem, SpecErrors};
pub use schema::*;
pub use suggest::key_meant;
pub use variables::{OTHER_VARIABLES, misspelt, sets_a_key};
