//! The spec room: TOML as users write it becomes one checked [`Spec`].
//!
//! ```text
//! files, variables, --set ─► node (values with spans) ─► check (against the table of keys) ─► figment ─► Spec
//!                                                           └─ places of problems ◄── conflicts (key against key)
//! ```
//!
//! - [`schema`](Spec): the types the rest of the crate sees.
//! - [`keys`]: the one table of keys; defaults, checks, `--explain` and `docs/spec.md` all come from it.
//! - `node`, `layer`, `files`, `assign`: what each layer says, with the place of every value.
//! - `check`, `sweep`, `kind`, `source`: one layer against the table. `conflicts`: the merged spec against itself.
//! - `merged`: all layers as one. `load`, `explain`: [`LoadedSpec`]. `problem`: [`SpecErrors`] and how they look.

mod assign;
mod check;
mod conflicts;
mod explain;
mod files;
pub mod keys;
mod kind;
mod layer;
mod load;
mod merged;
mod node;
mod problem;
mod schema;
mod source;
mod suggest;
mod sweep;

pub use explain::{Explanation, Said};
pub use kind::Kind;
pub use load::{LoadOptions, LoadedSpec};
pub use problem::{Place, Problem, SpecErrors};
pub use schema::*;
