//! The encoder families: one file each, with what the family's files call things. To add a family, add its file and name it in
//! [`registry`].

pub mod bert;
mod registry;

pub use registry::{ALL, Family, Naming, of_class, of_model_type};
