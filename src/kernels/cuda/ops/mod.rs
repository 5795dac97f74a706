//! The operations, one launch or a few each: a file for each file of the contract.

mod activation;
mod attention;
mod embedding;
mod linear;
mod loss;
mod memory;
mod norm;
mod optimizer;
mod pooling;
