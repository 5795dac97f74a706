//! Which run is trained next, in which slot, and what follows from how it ended.
//!
//! [`Scheduler`] connects the parts, each of which is a type of its own: [`Board`](board::Board) has the state of every run,
//! [`Slots`](slots::Slots) what each slot of the executor trains, [`Sweep`](decide::Sweep) which trials continue,
//! [`RetryPolicy`](retry::RetryPolicy) which failures are tried again, [`Spending`](spending::Spending) what the budget allows,
//! [`Others`](others::Others) when other processes were seen. They are plain data: [`Records`](records::Records) alone reads and
//! writes the store, the locks and the folders of runs, and only the executor knows of processes.

mod board;
mod decide;
#[cfg(test)]
mod fake;
mod options;
mod others;
mod outcome;
mod records;
mod retry;
mod scheduler;
mod slots;
mod spending;
#[cfg(test)]
mod tests;

pub use options::SchedulerOptions;
pub(super) use others::Others;
pub use outcome::{Outcome, Skipped, Tally};
pub(super) use records::Records;
pub(super) use scheduler::Scheduler;
