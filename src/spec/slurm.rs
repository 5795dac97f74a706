//! Settings of jobs that contradict each other.

use super::{
    conflicts::{Conflict, conflict},
    schema::Spec,
};
use crate::cluster::TimeLimit;

/// A job that is asked to go as soon as it starts.
pub(super) fn of_jobs(spec: &Spec) -> Option<Conflict> {
    let slurm = &spec.slurm;
    let time = slurm.time.as_deref()?;
    let TimeLimit::Seconds(limit) = TimeLimit::read(time)? else { return None };
    let before = u64::from(slurm.signal_seconds);
    (limit <= before).then(|| {
        let message = format!(
            "`slurm.time` = \"{time}\" is {limit} s, and `slurm.signal_seconds` = {before}: a run would be stopped as \
             soon as it starts"
        );
        let help = "allow more time, or lower `slurm.signal_seconds` to the seconds that writing a checkpoint takes";
        conflict(&["slurm.time", "slurm.signal_seconds"], message, help)
    })
}
