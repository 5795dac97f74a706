//! What to know before trusting a comparison.

use super::{
    measured::{Measured, MeasuredSide},
    side::Side,
};
use crate::{
    event::{Split, When},
    format::{and, by_number, count, short},
    plan::Keep,
    report::{environment::digits_may_differ, input::split_name},
    store::RunState,
};

/// Warnings about all sides.
pub fn warnings(measured: &Measured<'_>, sides: &[Side]) -> Vec<String> {
    let mut found = Vec::new();
    found.extend(measured.sides.iter().filter(|side| !side.is_final).map(not_final));
    found.extend(measured.sides.iter().filter_map(incomplete));
    found.extend(chosen(measured));
    found.extend(predicted_otherwise(measured));
    let runs: Vec<_> = sides.iter().flat_map(|side| side.runs.iter().cloned()).collect();
    let arithmetic =
        |side: &Side| side.records().next().map(|run| (run.config.train.precision, run.config.train.engine));
    if sides.iter().any(|side| arithmetic(side) != arithmetic(&sides[0])) {
        found.push(
            "they were trained with another precision or engine: part of the difference may come from rounding, not from the settings".into(),
        );
    }
    if digits_may_differ(&runs) {
        found.push(
            "they were trained on other machines or with another version of the arithmetic: the last digits of their results may differ for \
             that reason alone"
                .into(),
        );
    }
    found
}

/// `A, B and C`.
pub fn letters<'a>(sides: impl Iterator<Item = &'a MeasuredSide<'a>>) -> String {
    and(&sides.map(|side| side.letter.to_string()).collect::<Vec<_>>())
}

fn not_final(side: &MeasuredSide<'_>) -> String {
    let states = side.side.records().map(|run| run.state);
    let state = RunState::of_several(states).word();
    let steps = side.runs.iter().map(|(run, _)| run.run.steps).min().unwrap_or(0);
    let total = side.runs.iter().map(|(run, _)| run.run.total_steps).max().unwrap_or(0);
    format!(
        "{} is not final ({state} at step {} of {}): its metrics are those of an evaluation during training, and nothing is tested",
        side.letter,
        count(steps),
        count(total)
    )
}

/// A trial of which not all runs are completed.
fn incomplete(side: &MeasuredSide<'_>) -> Option<String> {
    let (n, planned) = (side.runs.len(), side.side.planned);
    let others = match side.left_out {
        0 => "the others are not completed",
        _ => "the folds of the others are not completed by every side",
    };
    (side.is_final && n < planned).then(|| format!("{} is the mean of {n} of {planned} runs: {others}", side.letter))
}

/// Sides that were chosen by the rows on which they are compared.
fn chosen(measured: &Measured<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let ranked: Vec<_> = measured.sides.iter().filter(|side| side.side.chosen_by == Some(measured.split)).collect();
    if !ranked.is_empty() {
        let (were, these) = (by_number(ranked.len() as u64, "was", "were"), letters(ranked.iter().copied()));
        found.push(match measured.split {
            Split::Test => format!(
                "{these} {were} chosen by the test rows, because there is no dev split: values on the same rows are optimistic"
            ),
            Split::Dev | Split::Train => format!(
                "{these} {were} chosen among the trials by the same {} rows: values on them are optimistic; with a test split (data.test) \
                 they would be compared on other rows",
                split_name(measured.split)
            ),
        });
    }
    let chooses = |side: &&MeasuredSide<'_>| {
        side.runs.iter().any(|(run, _)| {
            let during = run.evals.iter().filter(|e| e.when == When::During && e.split == Split::Dev).count();
            run.run.config.checkpoint.keep == Keep::Best && during > 1
        })
    };
    let on_dev: Vec<_> = measured.sides.iter().filter(chooses).collect();
    if !on_dev.is_empty() && measured.split == Split::Dev {
        found.push(format!(
            "the weights of {} were chosen by the same dev rows: values on them are optimistic; with a test split (data.test) they would be \
             compared on other rows",
            letters(on_dev.iter().copied()),
        ));
    }
    found
}

/// Sides whose model answers with thresholds or a temperature, which the stored predictions are without.
fn predicted_otherwise(measured: &Measured<'_>) -> Option<String> {
    let metric = measured.terms.first;
    let decided = |side: &MeasuredSide<'_>| {
        let values = side.runs.iter().filter_map(|(run, _)| {
            let decided = run.run.decided.as_ref()?;
            let metrics = if measured.split == Split::Test { decided.test.as_ref()? } else { &decided.dev };
            Some(format!("{} {} of run {}", metric.text(metrics.get(metric)), metric.name(), short(&run.run.key)))
        });
        let values: Vec<String> = values.collect();
        (!values.is_empty()).then(|| format!("{}: {}", side.letter, and(&values)))
    };
    let all: Vec<String> = measured.sides.iter().filter_map(decided).collect();
    (!all.is_empty()).then(|| {
        format!(
            "what is compared is without the temperature and the thresholds that were chosen on dev; with them on {}: {}",
            split_name(measured.split),
            all.join("; ")
        )
    })
}

/// Why two sides were not evaluated on the same rows.
pub fn other_rows(first: &MeasuredSide<'_>, other: &MeasuredSide<'_>) -> String {
    let (a, b) = (first.letter, other.letter);
    let runs = [first, other].map(|side| side.runs.first().map(|(run, _)| &run.run));
    let [Some(x), Some(y)] = runs else { return "one of them has no runs".into() };
    let digest = |run: &crate::store::RunRecord| run.environment.as_ref().map(|e| e.data_digest.clone());
    if digest(x) != digest(y) {
        return format!("{a} and {b} have other data files");
    }
    if x.config.data.seed != y.config.data.seed {
        return format!("{a} and {b} have another data.seed ({} and {})", x.config.data.seed, y.config.data.seed);
    }
    format!("{a} and {b} divide their data otherwise")
}
