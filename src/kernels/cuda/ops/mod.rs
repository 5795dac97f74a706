//! The operations, one launch or a few each: a file for each file of the contract.

mod activation;
pub(super) mod attention;
mod copy;
mod embedding;
mod linear;
mod loss;
mod memory;
pub(super) mod norm;
mod optimizer;
mod pooling;
pub(super) mod positions;
mod rotation;
