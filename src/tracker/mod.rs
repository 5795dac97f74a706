//! What other programs' trackers are told of a run: the names of its curves and settings, names that are safe as paths, and TensorBoard's event
//! files. Exports use it after training, mirrors during it.

mod events;
mod history;
mod names;
mod scalars;
mod settings;

pub use events::{Domain, EventFile, Hyperparameters, Session, Setting};
pub use history::{Point, history};
pub use names::{folder_of, safe};
pub use scalars::{of_metrics, of_step, split, tag};
pub use settings::flat;
