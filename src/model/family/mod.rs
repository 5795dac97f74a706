//! The encoder families: one file each, with the blocks of the family's models and the names in its files. To add a
//! family of the same blocks, add its file here and name it in [`registry::ALL`].

mod albert;
pub mod bert;
mod deberta;
mod distilbert;
mod electra;
mod ernie;
mod kind;
mod modernbert;
mod registry;
mod roberta;

pub use kind::{ConfigKeys, Family, InitScheme, Naming, Positions};
pub use registry::{ALL, of_class, of_model_type};
