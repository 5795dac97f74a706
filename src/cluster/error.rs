//! Errors of Slurm's commands.

/// Why a command of Slurm did not do what it was asked. Each message is complete; there is no chain of causes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// The command is not installed here.
    #[error("`{0}` is not found: run this on a machine of a Slurm cluster (a login node)")]
    NotInstalled(String),
    /// The command cannot be started.
    #[error("`{command}` cannot be started: {why}")]
    NotStarted {
        /// Which.
        command: String,
        /// Why.
        why: String,
    },
    /// Slurm's controller does not answer: what became of jobs is unknown.
    #[error("Slurm's controller does not answer: {0}")]
    Unreachable(String),
    /// Slurm refused.
    #[error("Slurm refused `{command}`: {why}")]
    Refused {
        /// Which command.
        command: String,
        /// What it printed.
        why: String,
    },
    /// The command was ended by a signal.
    #[error("`{command}` was ended by a signal: {how}")]
    Ended {
        /// Which command.
        command: String,
        /// How it ended.
        how: String,
    },
    /// A path that a script of Slurm cannot name.
    #[error("{0} cannot be used in a Slurm script, because {1}: use another folder")]
    Path(String, &'static str),
    /// A command printed what this version of taper does not understand.
    #[error("`{command}` printed `{printed}`, which taper does not understand")]
    Unreadable {
        /// Which command.
        command: String,
        /// What it printed.
        printed: String,
    },
}

impl ClusterError {
    /// The error of a command that printed this on its standard error.
    pub(super) fn of(command: &str, printed: &str) -> Self {
        let lines: Vec<&str> = printed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        // The last line says most: `sbatch: error: Batch job submission failed: …`.
        let last = lines.last().copied().unwrap_or("it failed without a message");
        let why = last.strip_prefix(command).and_then(|rest| rest.strip_prefix(": error: ")).unwrap_or(last);
        match SILENT.iter().any(|words| printed.contains(words)) {
            true => Self::Unreachable(why.into()),
            false => Self::Refused { command: command.into(), why: why.into() },
        }
    }

    /// Whether Slurm may have done what it was asked all the same: only the answer is missing.
    pub fn may_be_done(&self) -> bool {
        match self {
            Self::Unreachable(why) => !NOT_SENT.iter().any(|words| why.contains(words)),
            Self::Ended { .. } | Self::Unreadable { .. } => true,
            Self::NotInstalled(_) | Self::NotStarted { .. } | Self::Refused { .. } | Self::Path(..) => false,
        }
    }

    /// Whether the cause may be over in a moment: the controller is restarted, or busy.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }
}

/// What commands print if the controller does not answer.
const SILENT: &[&str] = &[
    "Unable to contact slurm controller",
    // From `scontrol requeue`, which does not say more.
    "Unexpected message received",
    "Socket timed out",
    "Connection refused",
    "Zero Bytes were transmitted",
    "Unable to establish",
    "in standby mode",
    "Resource temporarily unavailable",
];

/// Those of them with which the controller has read nothing.
const NOT_SENT: &[&str] = &["(connect failure)", "Connection refused", "Unable to establish", "in standby mode"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_answer_is_told_apart_from_a_question_that_was_not_sent() {
        let failed =
            |why: &str| ClusterError::of("sbatch", &format!("sbatch: error: Batch job submission failed: {why}\n"));
        for why in ["Socket timed out on send/recv operation", "Zero Bytes were transmitted or received"] {
            assert!(failed(why).may_be_done(), "{why}");
        }
        for why in ["Unable to contact slurm controller (connect failure)", "Invalid partition name specified"] {
            assert!(!failed(why).may_be_done(), "{why}");
        }
        assert!(ClusterError::Unreadable { command: "sbatch".into(), printed: String::new() }.may_be_done());
    }

    /// Printed by Slurm 22.05.8, with its controller stopped or running.
    #[test]
    fn a_silent_controller_is_told_apart_from_a_refusal() {
        for (command, printed) in [
            ("squeue", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n"),
            (
                "sbatch",
                "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)\n",
            ),
            (
                "scancel",
                "scancel: error: Kill job error on job id 17: Unable to contact slurm controller (connect failure)\n",
            ),
            ("scontrol", "Unexpected message received for job 17_1\n"),
            ("scontrol", "slurm_load_ctl_conf error: Unable to contact slurm controller (connect failure)\n"),
        ] {
            assert!(ClusterError::of(command, printed).is_temporary(), "{printed}");
        }
        for (printed, why) in [
            (
                "sbatch: error: Batch job submission failed: Invalid job array specification\n",
                "Batch job submission failed: Invalid job array specification",
            ),
            (
                "sbatch: error: Invalid generic resource (gres) specification\n",
                "Invalid generic resource (gres) specification",
            ),
            (
                "sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission failed: Invalid partition name specified\n",
                "Batch job submission failed: Invalid partition name specified",
            ),
            ("", "it failed without a message"),
        ] {
            let refused = ClusterError::Refused { command: "sbatch".into(), why: why.into() };
            assert_eq!(ClusterError::of("sbatch", printed), refused);
        }
    }
}
