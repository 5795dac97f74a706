//! Model cards: the README.md of an exported model, with the header that the Hugging Face Hub reads.
//!
//! [`card`] writes it from what is stored of a run, and from what the cards of its model and its data say ([`Origin`]). No text of a data row
//! is in it, and nothing depends on a clock: the same records give the same bytes. `yaml` and `page` make what users name inert.

mod data;
mod header;
mod hub_metrics;
mod input;
mod limits;
mod origin;
mod page;
mod results;
mod spoken;
mod training;
mod trial;
mod uses;
mod write;
mod yaml;

pub use input::{CardInput, Stored, Weights};
pub use origin::Origin;
pub use write::{card, is_as_written};
