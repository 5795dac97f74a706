//! Experiments as a library: a spec file is opened, planned and run. `taper plan` and `taper run` add arguments and output.
//!
//! ```no_run
//! use taper::experiment::{Experiment, Options, RunOptions, worker};
//! use taper::observe::{Listener, Listeners};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! if let Some(code) = worker() {
//!     std::process::exit(code); // this process was started by `run` below
//! }
//! let mut experiment = Experiment::open("experiments/quickstart.toml", Options::default())?;
//! println!("{} runs", experiment.plan()?.len());
//! let outcome = experiment.run(Listeners::new(), RunOptions::default())?;
//! println!("{} completed", outcome.tally.completed);
//! # Ok(())
//! # }
//! ```

mod afterwards;
mod alike;
mod as_trained;
mod error;
mod jobs;
mod last_spec;
mod layers;
mod open;
mod planner;
mod run;
mod runs;
mod submit;
mod worker;

pub use crate::execute::Skipped;
pub use as_trained::evaluated_otherwise_than;
pub use error::ExperimentError;
pub use jobs::{Controller, Job, controllers, jobs, log};
pub use last_spec::last_spec;
pub use layers::{Layers, Wanted, environment};
pub use open::{Experiment, Options};
pub use planner::{Planner, notes, warnings};
pub use run::{Outcome, RunOptions};
pub use worker::worker;
