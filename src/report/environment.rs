//! What the runs were made with, and how to make them again.

use super::{format, input::RunInput};
use crate::store::{Environment, ExperimentRecord};

/// An environment and the runs made in it.
pub struct Place {
    /// Names of the runs; empty where all share the environment.
    pub runs: String,
    /// What and which.
    pub facts: Vec<(&'static str, String)>,
}

/// The environments of the runs, in the order they first appear.
pub fn places(runs: &[RunInput]) -> Vec<Place> {
    let mut found: Vec<(&Environment, Vec<&str>)> = Vec::new();
    for run in runs {
        let Some(environment) = &run.run.environment else { continue };
        match found.iter_mut().find(|(e, _)| *e == environment) {
            Some((_, names)) => names.push(&run.run.name),
            None => found.push((environment, vec![&run.run.name])),
        }
    }
    let differ = found.len() > 1;
    let place = |(e, names): (&Environment, Vec<&str>)| Place {
        runs: if differ { names.join("; ") } else { String::new() },
        facts: facts(e),
    };
    found.into_iter().map(place).collect()
}

fn facts(e: &Environment) -> Vec<(&'static str, String)> {
    let or_nothing = |text: &str| if text.is_empty() { format::NOTHING.to_string() } else { text.to_string() };
    let mut facts = vec![
        ("taper", format!("{} (arithmetic version {})", or_nothing(&e.taper), e.numerics)),
        ("commit", e.git_commit.clone().unwrap_or_else(|| "not a git repository".into())),
        ("platform", or_nothing(&e.platform)),
        ("processor", or_nothing(&e.cpu)),
        ("device", if e.gpu.is_empty() { or_nothing(&e.device) } else { format!("{}: {}", e.device, e.gpu) }),
        ("threads", e.threads.to_string()),
        ("data (SHA-256)", or_nothing(&e.data_digest)),
        (
            "model (SHA-256)",
            if e.model_digest.is_empty() { "none: made from scratch".into() } else { e.model_digest.clone() },
        ),
    ];
    let sources = [("data from", &e.data_source), ("model from", &e.model_source)];
    facts.extend(
        sources.into_iter().filter(|(_, source)| !source.is_empty()).map(|(name, source)| (name, source.clone())),
    );
    facts
}

/// Commands that make the runs and the report, for a POSIX shell.
pub fn commands(experiment: &ExperimentRecord) -> Vec<String> {
    let words = std::iter::once(experiment.spec_path.as_str()).chain(experiment.arguments.iter().map(String::as_str));
    let words: Vec<_> = words.map(format::shell_word).collect();
    vec![format!("taper run {}", words.join(" ")), format!("taper report {}", format::shell_word(&experiment.name))]
}
