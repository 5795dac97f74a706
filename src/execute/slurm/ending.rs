//! What follows from the end of a job that has not reported the end of its run.

use crate::{
    cluster::{Element, ElementState},
    event::FailureKind,
};

/// What a run does whose job ended so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// It stops, with its last checkpoint: somebody has cancelled the job.
    Cancelled,
    /// It is tried again, within the limits on that. The message says why.
    Failed(FailureKind, String),
}

/// What follows from what Slurm says of a job that has ended; `None`: it has forgotten the job. `id` is shown, and `log` says where the output is.
pub(super) fn ending(id: &str, cluster: Option<&Element>, log: &str) -> Ending {
    let Some(element) = cluster else {
        return Ending::Failed(FailureKind::Crashed, format!("Slurm no longer knows its job {id}; its output: {log}"));
    };
    let reason = match element.reason.as_str() {
        "" => String::new(),
        reason => format!(" ({reason})"),
    };
    let (kind, what) = match element.state {
        ElementState::Cancelled => return Ending::Cancelled,
        ElementState::OutOfMemory => {
            (FailureKind::Oom, format!("memory ran out: its job {id} was ended by Slurm{reason}"))
        }
        ElementState::TimedOut => {
            (FailureKind::Crashed, format!("its job {id} reached its time limit without a checkpoint{reason}"))
        }
        ElementState::Preempted => (FailureKind::Crashed, format!("its job {id} was preempted{reason}")),
        ElementState::NodeFailed => (FailureKind::Crashed, format!("the node of its job {id} failed{reason}")),
        ElementState::Completed => (FailureKind::Crashed, format!("its job {id} ended without a result")),
        ElementState::Failed | ElementState::Pending | ElementState::Running | ElementState::Unknown => {
            (FailureKind::Crashed, format!("its job {id} {}", element.described()))
        }
    };
    Ending::Failed(kind, format!("{what}; its output: {log}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ElementId;

    #[test]
    fn each_end_has_its_words() {
        let said = |state, reason: &str, exit_code, signal| {
            let id = ElementId { array: 7, task: Some(0) };
            let (name, reason) = ("x".into(), reason.into());
            let element =
                Element { id, job: 7, state, reason, exit_code, signal, restarts: None, submitted: 5.0, name };
            match ending("7_0", Some(&element), "a.out") {
                Ending::Cancelled => "cancelled".into(),
                Ending::Failed(kind, message) => format!("{}: {message}", kind.word()),
            }
        };
        use ElementState::{Cancelled, Completed, Failed, NodeFailed, OutOfMemory, Preempted, TimedOut};
        assert_eq!(said(Cancelled, "", None, Some(15)), "cancelled");
        let crash = FailureKind::Crashed.word();
        let end = "; its output: a.out";
        for (state, reason, code, signal, words) in [
            (TimedOut, "TimeLimit", None, None, "its job 7_0 reached its time limit without a checkpoint (TimeLimit)"),
            (Preempted, "", None, None, "its job 7_0 was preempted"),
            (NodeFailed, "NodeDown", None, None, "the node of its job 7_0 failed (NodeDown)"),
            (Failed, "NonZeroExitCode", Some(3), None, "its job 7_0 failed (exit code 3)"),
            (Failed, "JobLaunchFailure", None, Some(9), "its job 7_0 failed (signal 9)"),
            (Completed, "", Some(0), None, "its job 7_0 ended without a result"),
        ] {
            assert_eq!(said(state, reason, code, signal), format!("{crash}: {words}{end}"));
        }
        assert!(said(OutOfMemory, "OutOfMemory", None, Some(9)).starts_with(FailureKind::Oom.word()));
        let forgotten = ending("7_0", None, "a.out");
        assert!(matches!(forgotten, Ending::Failed(_, why) if why.starts_with("Slurm no longer knows its job 7_0")));
    }
}
