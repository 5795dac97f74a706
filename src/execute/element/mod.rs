//! Runs that are trained detached from any command, as the elements of a job array of a cluster are.
//!
//! [`write_jobs`] writes what each element does into a submission's folder. [`attend`] does the work of one element: it starts a worker, and
//! writes what the worker reports into a file (`shard`). [`collect`] brings finished shards into the database. Nothing here knows of a cluster.

mod attend;
mod collect;
mod hold;
mod shard;
mod submission;

pub use attend::{Asked, ElementEnd, ElementOptions, attend};
pub(super) use collect::TAKE_OVER;
pub use collect::{Collected, collect, write_shard};
pub use shard::ShardError;
pub(super) use shard::ShardTail;
pub(super) use submission::ElementJobs;
pub use submission::{SubmissionFolder, SubmitOptions, Submitted, write_jobs};
