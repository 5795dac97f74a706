//! A job as the cluster knows it.

use std::fmt;

use super::ClusterError;

/// The number that Slurm gives a job. It is used again after the controller lost its state: a job is the one that was submitted only if its name and
/// time fit as well ([`Element::is_of`]).
pub type JobId = u64;

/// An element of a job array, or a job that is no array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ElementId {
    /// The id of the array. An element has an id of its own too, which for one of the elements is that of the array: `scontrol requeue` with it would
    /// mean all of them.
    pub array: JobId,
    /// Its number in the array; `None` for a job that is no array.
    pub task: Option<u64>,
}

impl fmt::Display for ElementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.task {
            Some(task) => write!(f, "{}_{task}", self.array),
            None => write!(f, "{}", self.array),
        }
    }
}

/// What became of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementState {
    /// It waits: to be started, or to be started again.
    Pending,
    /// It runs, starts or ends.
    Running,
    /// Its command ended with exit code 0.
    Completed,
    /// Its command ended with another code or by a signal.
    Failed,
    /// It was killed at its time limit.
    TimedOut,
    /// It was killed for a job with a higher priority.
    Preempted,
    /// Its node failed.
    NodeFailed,
    /// It was cancelled.
    Cancelled,
    /// It was killed for its memory.
    OutOfMemory,
    /// Slurm has a state for it that this version of taper does not know.
    Unknown,
}

impl ElementState {
    /// The state by the name that `squeue` and `sacct` print (`CANCELLED by 0`).
    pub(super) fn named(name: &str) -> Self {
        match name.split_whitespace().next().unwrap_or("").trim_end_matches('+') {
            "PENDING" | "REQUEUED" | "REQUEUE_FED" | "REQUEUE_HOLD" | "SPECIAL_EXIT" | "RESV_DEL_HOLD" => Self::Pending,
            "RUNNING" | "COMPLETING" | "CONFIGURING" | "RESIZING" | "SIGNALING" | "STAGE_OUT" | "STOPPED"
            | "SUSPENDED" => Self::Running,
            "COMPLETED" => Self::Completed,
            "FAILED" | "BOOT_FAIL" => Self::Failed,
            "TIMEOUT" | "DEADLINE" => Self::TimedOut,
            "PREEMPTED" => Self::Preempted,
            "NODE_FAIL" => Self::NodeFailed,
            "CANCELLED" | "REVOKED" => Self::Cancelled,
            "OUT_OF_MEMORY" => Self::OutOfMemory,
            _ => Self::Unknown,
        }
    }

    /// The state in a few words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::TimedOut => "timed out",
            Self::Preempted => "preempted",
            Self::NodeFailed => "node failed",
            Self::Cancelled => "cancelled",
            Self::OutOfMemory => "out of memory",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it waits or runs. A state that is not known may be either: a run that is taken for ended would be submitted a second time.
    pub fn is_underway(self) -> bool {
        matches!(self, Self::Pending | Self::Running | Self::Unknown)
    }
}

/// What Slurm says of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// Its address.
    pub id: ElementId,
    /// The id of its own.
    pub job: JobId,
    /// What became of it.
    pub state: ElementState,
    /// Slurm's reason, such as `Priority`, `JobArrayTaskLimit`, `TimeLimit`; empty if it has none.
    pub reason: String,
    /// The exit code of its command, if it ended by itself.
    pub exit_code: Option<i32>,
    /// The signal that ended its command.
    pub signal: Option<i32>,
    /// How often it was requeued; `None` where Slurm does not say.
    pub restarts: Option<u32>,
    /// When it was submitted, or queued again; Unix time in seconds.
    pub submitted: f64,
    /// Its name.
    pub name: String,
}

/// How far the clocks of two machines may differ, in seconds.
const CLOCKS: f64 = 300.0;

impl Element {
    /// Whether it is the job that was submitted with this name at that Unix time, and not a later one with the same number.
    pub fn is_of(&self, name: &str, submitted: f64) -> bool {
        // A job that is requeued is submitted again.
        self.name == name && self.submitted >= submitted - CLOCKS
    }

    /// Its state with what Slurm says of it: `pending (Priority)`, `failed (exit code 3)`.
    pub fn described(&self) -> String {
        let ended = match (self.exit_code, self.signal) {
            (_, Some(signal)) if self.state == ElementState::Failed => Some(format!("signal {signal}")),
            (Some(code), None) if self.state == ElementState::Failed => Some(format!("exit code {code}")),
            _ => None,
        };
        let reason = ended.or_else(|| (!self.reason.is_empty()).then(|| self.reason.clone()));
        match reason {
            Some(reason) => format!("{} ({reason})", self.state.words()),
            None => self.state.words().into(),
        }
    }
}

/// A number that a command printed, for example `13`.
pub(super) fn number<N: std::str::FromStr>(command: &str, text: &str, line: &str) -> Result<N, ClusterError> {
    text.trim().parse().map_err(|_| ClusterError::Unreadable { command: command.into(), printed: line.into() })
}

/// The reason that a command printed; Slurm has words for none.
pub(super) fn reason(text: &str) -> String {
    match text.trim() {
        "None" | "NULL" | "(null)" | "N/A" => String::new(),
        text => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_in_a_state_of_a_later_slurm_has_not_ended() {
        let underway = |name: &str| ElementState::named(name).is_underway();
        assert_eq!(ElementState::named("POWER_UP_NODE"), ElementState::Unknown);
        assert_eq!(
            ["POWER_UP_NODE", "PENDING", "COMPLETED", "CANCELLED by 0"].map(underway),
            [true, true, false, false]
        );
    }
}
