//! What a cross-validation adds to the view.

use super::Headline;
use crate::report::{
    ReportInput,
    analysis::{Analysis, Group},
    format,
    means::Mean,
};

/// Trials without a result that are named one by one.
const MOST_NAMED: usize = 3;

/// How the headline calls what it is of: its subject, and the same after a number.
pub(super) fn subject(analysis: &Analysis, of_several: bool) -> (String, &'static str) {
    let so_far = if analysis.has_rank() { "" } else { " so far" };
    let seeds = analysis.best_group().map_or(0, |group| analysis.groups[group].complete.len());
    match (&analysis.together, of_several) {
        // The mean over the seeds is said before it.
        (Some(_), _) if seeds > 1 => ("The seed of the best run,".into(), " with the seed of the best run"),
        (Some(_), _) if analysis.groups.len() > 1 => (format!("Best trial{so_far}"), " of the best trial"),
        (Some(_), _) => ("Cross-validation,".into(), ""),
        (None, true) => (format!("Best run{so_far}"), " of the best run"),
        (None, false) => ("The run".into(), ""),
    }
}

/// What the verdict calls that which it compares with the baseline.
pub(super) fn compared(analysis: &Analysis, of_several: bool) -> &'static str {
    let seeds = analysis.best_group().map_or(0, |group| analysis.groups[group].complete.len());
    match (&analysis.together, of_several) {
        (Some(_), _) if seeds > 1 => "the best trial with this seed",
        (Some(_), _) if analysis.groups.len() > 1 => "the best trial",
        (None, true) => "the best run",
        _ => "the model",
    }
}

/// Where all folds are shown together, the rows are not those of one split.
pub(super) fn of_all_folds(mut headline: Headline, analysis: &Analysis) -> Headline {
    if analysis.together.is_some() {
        headline.split = "out-of-fold";
    }
    headline
}

/// Sentences on how to read the results of folds, and on trials that have none yet.
pub(super) fn caveats(input: &ReportInput, analysis: &Analysis) -> Vec<String> {
    let mut out = Vec::new();
    if let (Some(together), Some(best)) = (&analysis.together, analysis.best()) {
        let rows = together.run.final_metrics.as_ref().map_or(0, |metrics| metrics.rows);
        out.push(format!(
            "Cross-validation: each of the {} was predicted once, by a model that was not trained on it. A model is trained on the other \
             folds only; the best one is that of run {}.",
            format::plural(rows as usize, "row"),
            input.runs[best].run.name
        ));
    }
    let open =
        || analysis.groups.iter().filter_map(|group| Some((group, group.out_of_fold.as_ref()?.while_incomplete()?)));
    out.extend(open().take(MOST_NAMED).map(|(group, folds)| format!("Trial “{}”: {folds}.", group.name)));
    if open().count() > MOST_NAMED {
        out.push(format!(
            "{} more have folds that are not completed.",
            format::plural(open().count() - MOST_NAMED, "trial")
        ));
    }
    out
}

/// The result of all folds together in the table over folds; how many are completed, if not all are.
pub(super) fn cell(
    group: &Group,
    of: impl Fn(&crate::report::OutOfFold) -> Option<Mean>,
    text: impl Fn(Mean) -> String,
) -> String {
    let Some(folds) = &group.out_of_fold else { return String::new() };
    let value = of(folds).map(text);
    match (value, folds.incomplete()) {
        (Some(value), None) => value,
        // Of several seeds, some are complete.
        (Some(value), Some(some)) => format!("{value}, {some}"),
        (None, Some(some)) => some,
        (None, None) => format::NOTHING.into(),
    }
}
