//! TensorBoard's event files: records of protocol buffers, each with the checksums of TFRecord.
//!
//! Sources: `tensorboard/compat/proto/event.proto`, `summary.proto`, `tensorboard/plugins/hparams/{api,plugin_data}.proto` (TensorBoard 2.21),
//! and `tensorflow/core/lib/io/record_writer.h` for the records.

mod checksum;
mod file;
mod hyperparameters;
mod proto;

pub use file::EventFile;
pub use hyperparameters::{Domain, Hyperparameters, Session, Setting};
