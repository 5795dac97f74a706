//! The encoder families: one file each, with the family's modules, their sizes and their names.

pub mod bert;
