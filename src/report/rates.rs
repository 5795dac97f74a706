//! The learning rates of the runs' heads, layers and embeddings, where they differ.

use super::{
    format::capital,
    input::RunInput,
    long_texts::{few, listed},
};

/// The rates, each with the names of the runs that have them (empty if all do).
pub(super) fn of_runs(runs: &[RunInput]) -> Vec<(String, String)> {
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    for run in runs {
        let Some(environment) = &run.run.environment else { continue };
        let words = &environment.learning_rates;
        match found.iter_mut().find(|(other, _)| other == words) {
            Some((_, names)) => names.push(&run.run.name),
            None => found.push((words.clone(), vec![&run.run.name])),
        }
    }
    // Those without a word have one rate, which the settings say. They count: the others are then not all runs.
    let named = found.len() > 1;
    found.retain(|(words, _)| !words.is_empty());
    match (named, &found[..]) {
        (true, [(words, names)]) => vec![(few(names), format!("{}.", capital(words)))],
        _ => listed(found, "."),
    }
}
