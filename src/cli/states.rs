//! States of runs in the options of several commands.

use taper::{
    event::FailureKind,
    store::{RunRecord, RunState},
};

use super::leaderboard::word;

/// Runs selected by their state, or by why they failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// Runs in this state.
    State(RunState),
    /// Runs that failed for this reason.
    Failure(FailureKind),
}

impl Chosen {
    /// Whether a run is selected.
    pub fn means(self, run: &RunRecord) -> bool {
        match self {
            Self::State(state) => run.state == state,
            Self::Failure(kind) => run.state == RunState::Failed && run.failure == Some(kind),
        }
    }
}

impl Chosen {
    /// The word that [`parse`] reads.
    pub fn word(self) -> String {
        match self {
            Self::State(state) => word(&state),
            Self::Failure(kind) => word(&kind),
        }
    }
}

/// Parses a state or a kind of failure, by its stored name.
pub fn parse(word: &str) -> Result<Chosen, String> {
    if let Ok(state) = serde_json::from_value(word.into()) {
        return Ok(Chosen::State(state));
    }
    serde_json::from_value(word.into()).map(Chosen::Failure).map_err(|_| {
        "expected one of pending, running, waiting, interrupted, completed, pruned, failed; or, for failed runs only, \
         diverged, oom, crashed, error"
            .to_string()
    })
}

/// Whether a run is selected by one of these; all are if there are none.
pub fn any(chosen: &[Chosen], run: &RunRecord) -> bool {
    chosen.is_empty() || chosen.iter().any(|chosen| chosen.means(run))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_option_takes_states_and_kinds_of_failure() {
        assert_eq!(parse("failed"), Ok(Chosen::State(RunState::Failed)));
        assert_eq!(parse("interrupted"), Ok(Chosen::State(RunState::Interrupted)));
        assert_eq!(parse("waiting"), Ok(Chosen::State(RunState::Waiting)));
        assert_eq!(parse("diverged"), Ok(Chosen::Failure(FailureKind::Diverged)));
        for chosen in ["failed", "waiting", "oom"] {
            assert_eq!(parse(chosen).unwrap().word(), chosen);
        }
        assert_eq!(parse("oom"), Ok(Chosen::Failure(FailureKind::Oom)));
        assert!(parse("faild").unwrap_err().contains("diverged"));
    }
}
