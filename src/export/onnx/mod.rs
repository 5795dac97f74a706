//! ONNX: the model as a graph of operators that other programs run, such as onnxruntime.
//!
//! [`classifier`] goes through the blocks of a model as its config names them, and has each write its part of a [`graph`]; weights are found
//! in the table of parameters. [`write`] writes the graph with the weights as a file of the messages in [`proto`].

mod attention;
mod classifier;
mod embeddings;
mod exporter;
mod feed_forward;
mod graph;
mod head;
mod initializer;
mod modules;
mod proto;
mod relative;
mod rotary;
mod texts;
mod write;

#[cfg(test)]
mod tests;

pub use exporter::{Onnx, write_onnx};
pub use write::LONGEST;
