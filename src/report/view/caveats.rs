//! Sentences below the answer: how the best was chosen, which runs have no result, and why.

use super::folds;
use crate::{
    event::{FailureKind, Split, When},
    format::by_number,
    metrics::Metric,
    plan::Keep,
    report::{
        analysis::Analysis,
        format,
        input::{ReportInput, RunInput, split_name},
        long_texts::few,
        sweep::{FailureGroup, failures},
        trials::kept_at,
    },
    store::RunState,
    warning::Kind,
};

/// Reasons of failures that are listed.
const MOST_REASONS: usize = 3;

/// All of them, in the order of the page.
pub(super) fn caveats(input: &ReportInput, analysis: &Analysis) -> Vec<String> {
    let mut out = Vec::new();
    let n = analysis.ranked.len();
    if n == 0 && !input.runs.is_empty() {
        out.push(no_result(input, analysis));
    } else if analysis.is_optimistic(&input.runs) {
        out.push(optimistic(input, analysis));
        out.push(how_ranked(input, analysis));
    } else if n > 1 {
        out.push(how_ranked(input, analysis));
    }
    if n == 1
        && let Some(best) = analysis.best().map(|i| &input.runs[i])
        && best.measured_on() == Split::Dev
        && chooses_checkpoint(best)
    {
        out.push(format!(
            "The {} is optimistic: the checkpoint was chosen on the same dev rows that it is measured on. With a test split (key \
             data.test), it would be measured on other rows.",
            analysis.terms.first.name()
        ));
    }
    if n > 0 && !analysis.has_rank() {
        let replicate = analysis.replicate;
        out.push(match analysis.groups.len() {
            1 => format!("The result is not final, because not all {replicate}s are completed."),
            _ => format!(
                "No trial has a rank yet, because no trial has completed all its {replicate}s. “Best” means: best so far."
            ),
        });
    }
    out.extend(folds::caveats(analysis));
    out.extend(failed(input));
    let pruned = input.runs.iter().filter(|r| r.run.state == RunState::Pruned).count();
    if pruned > 0 {
        let n = pruned as u64;
        out.push(format!(
            "{} {} pruned: the sweep's pruning rule stopped {} before the last step. The section on the sweep has the step and the reason.",
            format::plural(pruned, "run"),
            by_number(n, "was", "were"),
            by_number(n, "it", "them")
        ));
    }
    let unmeasured = input.runs.len() - n - pruned;
    if unmeasured > 0 && n > 0 {
        let spent = match budget_is_spent(input) {
            true => " The warnings say how many runs the sweep's budget leaves unfinished.",
            false => "",
        };
        let have = by_number(unmeasured as u64, "has", "have");
        out.push(format!(
            "{} {have} no final result. The table of runs says why.{spent}",
            format::plural(unmeasured, "run")
        ));
    }
    out.extend(analysis.missing.note("taper run SPEC").map(|note| format!("{note}.")));
    if input.runs.iter().any(|r| r.run.state == RunState::Running) {
        out.push("A run was still training when this report was written.".into());
    }
    out
}

/// No run has a result: what there is instead.
fn no_result(input: &ReportInput, analysis: &Analysis) -> String {
    // Failed runs are tried again, unless they diverged.
    let may_have_one = input.runs.iter().any(|r| match r.run.state {
        RunState::Failed => r.run.failure != Some(FailureKind::Diverged),
        RunState::Pruned => false,
        _ => true,
    });
    let yet = if may_have_one { " yet" } else { "" };
    let metric = analysis.criterion.metric;
    let measured = |r: &RunInput| {
        [Split::Dev, Split::Test].into_iter().any(|on| kept_at(&r.run.config, &r.evals, on, metric).is_some())
    };
    let steps = input.runs.iter().any(|r| !r.steps.is_empty());
    let probes = input.runs.iter().any(|r| !r.probes.is_empty());
    let below = match (input.runs.iter().any(measured), steps, probes) {
        (true, ..) => "What follows is from evaluations during training: it is not final.",
        (false, true, true) => {
            "It was not evaluated during training either. Below are the training loss and the probes before training."
        }
        (false, true, false) => "It was not evaluated during training either. Below is the training loss.",
        (false, false, _) => "Nothing was measured.",
    };
    let below = if input.runs.len() > 1 { below.replace("It was not", "None was") } else { below.into() };
    match input.runs.len() {
        1 => format!("The run has no final result{yet}. {below}"),
        _ => format!("No run has a final result{yet}. {below}"),
    }
}

/// Why runs failed: each reason once.
fn failed(input: &ReportInput) -> Vec<String> {
    let reasons = failures(input);
    let more = reasons.len().saturating_sub(MOST_REASONS);
    let sentence = |reason: FailureGroup| {
        let (first, n) = (&input.runs[reason.runs[0]].run, reason.runs.len());
        let (why, state) = (reason.reason, reason.state);
        match (n, input.runs.len()) {
            (1, 1) => format!(
                "The run {state} at step {} of {}: {why}.",
                format::count(first.steps),
                format::count(first.total_steps)
            ),
            (1, _) => format!("Run {} {state}: {why}.", first.name),
            _ => {
                let names: Vec<&str> = reason.runs.iter().map(|&run| input.runs[run].run.name.as_str()).collect();
                format!("{} {state}: {}. The message of the first: {why}.", format::plural(n, "run"), few(&names))
            }
        }
    };
    let more = (more > 0).then(|| format!("{} of failures below.", format::plural(more, "more reason")));
    reasons.into_iter().take(MOST_REASONS).map(sentence).chain(more).collect()
}

/// The best was chosen by the rows that it is measured on.
fn optimistic(input: &ReportInput, analysis: &Analysis) -> String {
    let on = split_name(analysis.criterion.split);
    let others = match input.runs.iter().any(|r| r.run.config.data.has_dev()) {
        true => "With a test split (key data.test), it would be measured on other rows.",
        false => "With a dev split (key data.dev), it would be chosen on other rows.",
    };
    let of = analysis.groups.len();
    let all = if of > 1 { format::plural(of, "trial") } else { format::plural(analysis.ranked.len(), "run") };
    format!(
        "The {} is optimistic: the best of {all} was chosen on the same {on} rows that it is measured on. {others}",
        analysis.terms.first.name()
    )
}

/// What ranks trials, or the runs of the only trial.
fn how_ranked(input: &ReportInput, analysis: &Analysis) -> String {
    let (on, by) = (split_name(analysis.criterion.split), analysis.criterion.metric.name());
    let (trials, means) = (analysis.groups.len() > 1, analysis.has_seeds());
    let what = if trials { "Trials" } else { "Runs" };
    // Folds of one trial are not ranked.
    if !trials && analysis.has_folds() {
        return "Folds are not ranked: each is tested on other rows.".into();
    }
    let over = if trials && means { format!(" (mean over {}s)", analysis.averaged_over()) } else { String::new() };
    // Loss is also the tie-breaker, so it is not mentioned twice.
    let ties = match analysis.criterion.metric {
        Metric::Loss => format!("equal {} by their order in the plan", what.to_lowercase()),
        _ => format!("equal {} by {on} loss, then by their order in the plan", what.to_lowercase()),
    };
    let unseen = match analysis.is_optimistic(&input.runs) {
        true => "",
        false => " The test rows played no part.",
    };
    let another = match trials && means && !analysis.has_folds() {
        true => " A run of another trial may be better than the best run of the best trial.",
        false => "",
    };
    format!("{what} are ranked by {on} {by}{over}; {ties}.{unseen}{another}")
}

/// Whether the kept weights of a run were chosen from several by its dev rows.
pub(super) fn chooses_checkpoint(run: &RunInput) -> bool {
    let evaluations = run.evals.iter().filter(|eval| eval.when == When::During && eval.split == Split::Dev).count();
    run.run.config.checkpoint.keep == Keep::Best && evaluations > 1
}

/// Whether the sweep's budget is spent, so that the remaining runs are not trained.
pub(super) fn budget_is_spent(input: &ReportInput) -> bool {
    input.experiment.warnings.iter().any(|warning| warning.kind == Kind::Budget)
}
