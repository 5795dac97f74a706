//! Errors of commands: their exit codes, and how they are printed.

use taper::{execute::ExecuteError, experiment::ExperimentError, format, store::StoreError};

/// An error with exit code 2: nothing was started.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Unusable(pub anyhow::Error);

/// An error with its causes, in one line. Only here are they joined; no message contains its cause.
pub fn sentence(e: &anyhow::Error) -> String {
    let words = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().map_or_else(|| cause.to_string(), format::io)
    };
    e.chain().map(words).collect::<Vec<_>>().join(": ").trim_end().to_string()
}

/// Whether nothing was started: the command, its spec or its data cannot be used, or it names something that does not exist.
pub fn is_unusable(e: &anyhow::Error) -> bool {
    use StoreError::{AmbiguousRun, NoRuns, UnknownExperiment, UnknownRun};
    let names_nothing = |e: &StoreError| {
        matches!(e, UnknownRun { .. } | AmbiguousRun { .. } | UnknownExperiment { .. } | NoRuns { .. })
    };
    e.is::<Unusable>()
        || e.downcast_ref().is_some_and(ExperimentError::is_unusable)
        || e.downcast_ref().is_some_and(names_nothing)
        || matches!(e.downcast_ref(), Some(ExecuteError::Kept(_) | ExecuteError::Unreadable(_)))
}

#[cfg(test)]
mod tests {
    use std::io;

    use anyhow::{Error, anyhow};

    use super::*;

    #[test]
    fn causes_follow_their_errors_even_if_they_repeat_them() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let written = Error::from(full()).context("it cannot be written");
        let said = "it cannot be written: its disk is full: free up space, then run the same command again";
        assert_eq!(sentence(&written), said);
        assert_eq!(sentence(&Error::from(Unusable(written))), said, "what is unusable has the causes that it had");
        // A cause that is part of the message before it is printed too.
        assert_eq!(sentence(&anyhow!("line 3").context("the file has no line 3")), "the file has no line 3: line 3");
        assert!(is_unusable(&Error::from(Unusable(anyhow!("x")))) && !is_unusable(&anyhow!("x")));
    }

    #[test]
    fn no_message_of_the_library_contains_its_cause() {
        use std::error::Error as _;
        let asset = taper::assets::AssetError::Io { path: "x".into(), error: io::ErrorKind::StorageFull.into() };
        let report = taper::report::ReportError::Write { path: "x".into(), error: io::ErrorKind::StorageFull.into() };
        let export = taper::train::TrainError::Export(Box::new(io::Error::other("no room")));
        for (error, said) in [
            (&asset as &dyn std::error::Error, "x: its disk is full"),
            (&report, "x: its disk is full"),
            (&export, "no room"),
        ] {
            assert!(error.to_string().contains(said) && error.source().is_none(), "{error}");
        }
        let execute = ExecuteError::from(asset);
        assert!(execute.source().is_none() && execute.to_string().starts_with("x: its disk is full"));
    }
}
