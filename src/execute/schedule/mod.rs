//! Decides which run is trained next and in which slot, and handles the ends of runs.
//!
//! [`Scheduler`] connects the parts, each of which is a type of its own: [`RunStates`](run_states::RunStates) has the state of every run,
//! [`Slots`](slots::Slots) what each slot of the executor trains, [`SweepDecisions`](decide::SweepDecisions) which trials continue,
//! [`RetryPolicy`](retry::RetryPolicy) which failures are tried again, [`Spending`](spending::Spending) what the budget allows,
//! [`OtherProcesses`](other_processes::OtherProcesses) when other processes were seen. They are plain data: [`Records`](records::Records) alone reads and
//! writes the store, the locks and the folders of runs, and only the executor knows of processes.

mod decide;
#[cfg(test)]
mod fake;
mod options;
mod other_processes;
mod outcome;
mod records;
mod retry;
mod run_states;
mod scheduler;
mod slots;
mod spending;
#[cfg(test)]
mod tests;

pub use options::SchedulerOptions;
pub(super) use other_processes::OtherProcesses;
pub use outcome::{Outcome, Skipped, Tally};
pub use records::is_left;
pub(super) use records::{Records, TakeOver, Todo, batch_of};
pub(super) use retry::{Attempts, Failure, RetryPolicy};
pub(super) use scheduler::Scheduler;
