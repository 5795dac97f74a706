//! Fills in the view: rows of the tables, and the sentences.

use super::{
    ClassRow, ConfusedRow, Headline, MistakeRow, Pictures, ProbeRow, RunRow, SeedRow, SeedsHeadline, View, folds,
    warnings::warnings,
};
use crate::{
    event::{FailureKind, Split, When},
    metrics::{ClassMetrics, Metric, Metrics},
    plan::Keep,
    report::{
        ReportError,
        analysis::{Analysis, Comparison, Group},
        audit,
        baseline::Baseline,
        environment, format,
        input::{ReportInput, RunInput, Settings, split_name},
        long_texts,
        means::{Mean, interval_notes},
        pictures::{MOST_LABELS, ProbePair, probe_pairs, with_interval},
        tables::{confidence, label_name, mistakes_of, names},
        trials::kept_at,
    },
    stats::Interval,
    store::{EvalRecord, ProbeRecord, RunState},
    warning::Kind,
};

impl View {
    /// The view of what is stored.
    pub fn new(
        input: &ReportInput,
        settings: &Settings,
        analysis: &Analysis,
        pictures: Pictures,
    ) -> Result<Self, ReportError> {
        let experiment = &input.experiment;
        let best = analysis.best().map(|i| &input.runs[i]);
        let shown = best.or(input.runs.first());
        let has_chosen = analysis.best().is_some() || analysis.groups.iter().any(|group| group.chosen.is_some());
        let chosen_heading = (has_chosen && !chosen_is_shown(shown, analysis)).then(|| {
            let (split, metric) = (split_name(analysis.criterion.split), analysis.criterion.metric.name());
            // A single run is not compared, and the weights of its last step are not chosen.
            let selects =
                input.experiment.runs.len().max(input.runs.len()) > 1 || input.runs.iter().any(chooses_checkpoint);
            let note = if selects { " (used for selection)" } else { "" };
            format!("{} {metric}{note}", format::capital(split))
        });
        // In a cross-validation all folds together.
        let result = analysis.shown(&input.runs);
        let metrics = result.and_then(|run| run.run.final_metrics.as_ref());
        let mistakes = result.map(mistakes_of).unwrap_or_default();
        let environments = environment::environments(&input.runs);
        let mut view = Self {
            title: settings.title.clone().unwrap_or_else(|| experiment.name.clone()),
            description: experiment.description.clone(),
            experiment: experiment.name.clone(),
            states: states(&input.runs, analysis.missing.all),
            finished: last_finish(&input.runs),
            headline: result
                .and_then(|run| headline(run, analysis, input.runs.len() > 1))
                .map(|headline| folds::of_all_folds(headline, analysis)),
            so_far: if best.is_some() && !analysis.has_rank() { " so far" } else { "" },
            caveats: caveats(input, analysis),
            accuracy_heading: match shown {
                Some(run) => format!("{} accuracy", format::capital(split_name(run.measured_on()))),
                None => "Accuracy".into(),
            },
            chosen_heading,
            runs: (0..input.runs.len()).map(|i| run_row(input, analysis, i)).collect(),
            data: audit::of_runs(&input.runs),
            long_texts: long_texts::of_runs(&input.runs),
            warnings: warnings(&input.experiment.warnings, &input.runs, analysis.is_optimistic(&input.runs)),
            seeds: if analysis.has_seeds() { seed_rows(analysis) } else { Vec::new() },
            over: format!("{}s", analysis.replicate),
            averaged_over: format!("{}s", analysis.averaged_over()),
            has_folds: analysis.has_folds(),
            seed_notes: further_first(input) + &seed_notes(analysis),
            ranked_by: format!(
                "{} {}",
                format::capital(split_name(analysis.criterion.split)),
                analysis.criterion.metric.name()
            ),
            comparison: analysis.comparison.as_ref().map(|c| comparison(input, analysis, c)),
            training: pictures.training,
            outcome: pictures.outcome,
            probe_chart: pictures.probes,
            probes: shown.map(probe_rows).unwrap_or_default(),
            details: pictures.details,
            details_of: if analysis.together.is_some() { "the models get" } else { "the best run gets" },
            classes: metrics.map(class_rows).unwrap_or_default(),
            classes_note: metrics.and_then(classes_note),
            confused: result.zip(metrics).map(|(run, metrics)| confused_rows(run, metrics)).unwrap_or_default(),
            mistakes_note: mistakes_note(result, mistakes.len(), settings.mistakes),
            line_heading: result.map_or("Line".into(), line_heading),
            mistakes: Vec::new(),
            digits_may_differ: environment::digits_may_differ(&input.runs),
            environments,
            commands: environment::commands(experiment, best.map(|run| run.run.key.as_str())),
            config_of: shown.map(|run| run.run.name.clone()).unwrap_or_default(),
            config: match shown {
                Some(run) => run.run.config.to_toml().map_err(ReportError::Config)?,
                None => String::new(),
            },
            spec_path: experiment.spec_path.clone(),
            spec: experiment.spec_text.clone(),
            extends: environment::extends(experiment),
            files: names(input).collect(),
        };
        if let Some(run) = result {
            let listed = mistakes.into_iter().take(settings.mistakes);
            view.mistakes = listed
                .map(|p| MistakeRow {
                    line: p.line,
                    text: format::texts(&p.text, p.text_pair.as_deref()).into_owned(),
                    label: label_name(run, p.label),
                    predicted: label_name(run, p.predicted),
                    confidence: format::percent(f64::from(confidence(p))),
                })
                .collect();
        }
        Ok(view)
    }
}

/// Whether the ranking metric is already shown in the accuracy column, which is that of `run`.
fn chosen_is_shown(run: Option<&RunInput>, analysis: &Analysis) -> bool {
    analysis.criterion.metric == Metric::Accuracy
        && run.is_some_and(|run| run.measured_on() == analysis.criterion.split)
}

fn line_heading(run: &RunInput) -> String {
    match run.run.config.data.files_of_splits().next() {
        None => "Line".into(),
        Some(_) => format!("Line of {}", run.file_of_rows()),
    }
}

fn states(runs: &[RunInput], missing: usize) -> String {
    // An experiment is stored with its runs: if there are none, they were removed.
    if runs.is_empty() {
        return "no runs: they were removed".into();
    }
    let counts = RunState::counted(runs.iter().map(|r| r.run.state));
    match missing {
        0 => format!("{}: {counts}", format::plural(runs.len(), "run")),
        n => format!("{} of {}: {counts}; {n} without a record", runs.len(), format::plural(runs.len() + n, "run")),
    }
}

fn last_finish(runs: &[RunInput]) -> Option<String> {
    // An interrupted run has stopped, but not ended.
    let over = |r: &&RunInput| matches!(r.run.state, RunState::Completed | RunState::Pruned | RunState::Failed);
    let last = runs.iter().filter(over).filter_map(|r| r.run.finished_at).fold(f64::NEG_INFINITY, f64::max);
    last.is_finite().then(|| format::time(last))
}

fn headline(run: &RunInput, analysis: &Analysis, of_several: bool) -> Option<Headline> {
    let metrics = run.run.final_metrics.as_ref()?;
    let (accuracy, interval) = with_interval(metrics);
    let baseline = Baseline::of(run)?;
    let name = |id| label_name(run, id);
    let group = analysis.best_group().map(|g| &analysis.groups[g]).filter(|g| match &g.out_of_fold {
        None => g.finished.len() > 1,
        Some(_) => g.complete.len() > 1,
    });
    let (subject, of) = folds::subject(analysis, of_several);
    Some(Headline {
        run: run.run.name.clone(),
        subject,
        of,
        seeds: group.and_then(|group| {
            let mean = group.out_of_fold.as_ref().map_or(group.accuracy, |folds| folds.accuracy)?;
            Some(SeedsHeadline { name: group.name.clone(), n: mean.n, accuracy: mean.text(Metric::Accuracy) })
        }),
        verdict: baseline.against(metrics).sentence(folds::compared(analysis, of_several), name),
        split: split_name(run.measured_on()),
        accuracy: format::percent(accuracy),
        interval: format::percent_range(interval),
        rows: format::count(metrics.rows),
        before: run.before().map(|m| format::percent(m.get(Metric::Accuracy))),
        baseline: format::percent(baseline.accuracy(metrics)),
        baseline_of: baseline.words.clone(),
        baseline_label: name(baseline.label),
        macro_f1: format::percent(metrics.get(Metric::MacroF1)),
    })
}

fn caveats(input: &ReportInput, analysis: &Analysis) -> Vec<String> {
    let mut out = Vec::new();
    let (on, by) = (split_name(analysis.criterion.split), analysis.criterion.metric.name());
    let n = analysis.ranked.len();
    let seeds = match analysis.has_seeds() && analysis.groups.len() > 1 {
        true => {
            format!(
                " Trials are ranked by their mean over {}s, and the best run is the best one of the best trial.",
                analysis.averaged_over()
            )
        }
        false => String::new(),
    };
    if n == 0 && !input.runs.is_empty() {
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
        let below = match input.runs.iter().any(measured) {
            true => ": values below are from evaluations during training and are not final",
            false => ", nor one of an evaluation during training",
        };
        out.push(format!("No run has a final result{yet}{below}."));
    } else if analysis.is_optimistic(&input.runs) {
        let others = match input.runs.iter().any(|r| r.run.config.data.has_dev()) {
            true => "with a test split (key data.test), it would be evaluated on other rows",
            false => "with a dev split (key data.dev), other rows would be used for selection",
        };
        let all = match analysis.has_folds() {
            true => format!("{} trials", analysis.groups.len()),
            false => format!("{n} runs"),
        };
        out.push(format!(
            "The best of {all} was chosen on the same {on} rows on which it is evaluated, so its accuracy is optimistic; {others}.{seeds}"
        ));
    } else if n > 1 {
        // Loss is also the tie-breaker, so it is not mentioned twice.
        let then = if analysis.criterion.metric == Metric::Loss { "" } else { ", then by its loss there" };
        let unseen = "then by the plan's order; the test rows played no part in this choice";
        // One run of another trial may be better than all of the best trial.
        out.push(match analysis.has_seeds() {
            true if analysis.groups.len() > 1 => format!(
                "The best of {} trials was chosen by its mean {by} over {}s on the {on} split{then}, {unseen}. The best run is the \
                 best one of this trial: another trial may have a run with a better value.",
                analysis.groups.len(),
                analysis.averaged_over()
            ),
            _ if analysis.has_folds() && analysis.criterion.split == Split::Test => {
                format!("The best of {n} runs is the one with the best {by} on its {on} rows.")
            }
            _ => format!("The best of {n} runs was chosen by its {by} on the {on} split{then}, {unseen}."),
        });
    }
    if n == 1
        && let Some(best) = analysis.best().map(|i| &input.runs[i])
        && best.measured_on() == Split::Dev
        && chooses_checkpoint(best)
    {
        out.push(
            "The checkpoint was chosen on the same dev rows on which it is evaluated, so its accuracy is optimistic; with a test split (key \
             data.test), it would be evaluated on other rows."
                .into(),
        );
    }
    if n > 0 && !analysis.has_rank() {
        out.push(format!(
            "No trial has a rank, because none has all its {}s completed: what is called best is the best so far.",
            analysis.replicate
        ));
    }
    out.extend(folds::caveats(input, analysis));
    let pruned = input.runs.iter().filter(|r| r.run.state == RunState::Pruned).count();
    if pruned > 0 {
        let (were, them) = if pruned == 1 { ("was", "it") } else { ("were", "them") };
        out.push(format!(
            "{} {were} pruned: the sweep's pruning rule stopped {them} before the last step. The table shows the step and the reason.",
            format::plural(pruned, "run")
        ));
    }
    let unmeasured = input.runs.len() - n - pruned;
    if unmeasured > 0 && n > 0 {
        let have = if unmeasured == 1 { "has" } else { "have" };
        let spent = match budget_is_spent(input) {
            true => ", and the warnings say how many runs the sweep's budget leaves unfinished",
            false => "",
        };
        out.push(format!("{} {have} no final result; the table says why{spent}.", format::plural(unmeasured, "run")));
    }
    out.extend(analysis.missing.note("taper run SPEC").map(|note| format!("{note}.")));
    if input.runs.iter().any(|r| r.run.state == RunState::Running) {
        out.push("A run was still training when this report was written.".into());
    }
    out
}

/// Whether the kept weights of a run were chosen from several by its dev rows.
fn chooses_checkpoint(run: &RunInput) -> bool {
    let evaluations = run.evals.iter().filter(|eval| eval.when == When::During && eval.split == Split::Dev).count();
    run.run.config.checkpoint.keep == Keep::Best && evaluations > 1
}

fn run_row(input: &ReportInput, analysis: &Analysis, i: usize) -> RunRow {
    let run = &input.runs[i];
    let record = &run.run;
    let metrics = record.final_metrics.as_ref();
    let share = |f: fn(&Metrics) -> f64| metrics.map_or(format::NOTHING.into(), |m| format::percent(f(m)));
    let metric = analysis.criterion.metric;
    // The latest evaluation of a run that has not ended, marked as not final.
    let last_evaluation = |split| {
        let eval = kept_at(&record.config, &run.evals, split, metric).filter(|_| metrics.is_none())?;
        Some((&eval.metrics, format!("at step {}, not final", format::count(eval.step))))
    };
    let chosen = analysis.scores[i].map(|key| (metric.text(metric.value(key.score)), String::new()));
    let chosen =
        chosen.or_else(|| last_evaluation(analysis.criterion.split).map(|(m, at)| (metric.text(m.get(metric)), at)));
    let (chosen, chosen_at) = chosen.unwrap_or_else(|| (format::NOTHING.into(), String::new()));
    let accuracy =
        metrics.map(|m| (format::percent(m.get(Metric::Accuracy)), format::percent_range(with_interval(m).1)));
    let on_dev = || last_evaluation(Split::Dev).filter(|_| run.measured_on() == Split::Dev);
    let accuracy = accuracy.or_else(|| on_dev().map(|(m, at)| (format::percent(m.get(Metric::Accuracy)), at)));
    let (accuracy, interval) = accuracy.unwrap_or_else(|| (format::NOTHING.into(), String::new()));
    RunRow {
        name: record.name.clone(),
        key: format::short(&record.key).to_string(),
        best: analysis.best() == Some(i) && analysis.ranked.len() > 1,
        state: record.state_text(),
        state_class: record.state.word(),
        steps: match record.steps == record.total_steps {
            true => format::count(record.steps),
            false => format!("{} of {}", format::count(record.steps), format::count(record.total_steps)),
        },
        kept: kept_weights(&run.evals).filter(|step| *step != record.steps).map(format::count),
        accuracy,
        interval,
        chosen,
        chosen_at,
        macro_f1: share(|m| m.get(Metric::MacroF1)),
        loss: match (metrics, record.last_loss) {
            (Some(m), _) => format::loss(m.get(Metric::Loss)),
            (None, Some(loss)) => format!("{} (training)", format::loss(loss)),
            (None, None) => format::NOTHING.into(),
        },
        time: run.seconds().map_or(format::NOTHING.into(), format::duration),
        message: message(run, budget_is_spent(input)),
    }
}

/// The step that a run's final weights are of.
fn kept_weights(evals: &[EvalRecord]) -> Option<u64> {
    evals.iter().find(|eval| eval.when == When::After).map(|eval| eval.step)
}

/// Whether the sweep's budget is spent, so that the remaining runs are not trained.
fn budget_is_spent(input: &ReportInput) -> bool {
    input.experiment.warnings.iter().any(|warning| warning.kind == Kind::Budget)
}

/// Why a run has no result: its message, if it has one.
fn message(run: &RunInput, budget_is_spent: bool) -> Option<String> {
    if budget_is_spent && matches!(run.run.state, RunState::Pending | RunState::Waiting | RunState::Interrupted) {
        return Some("the sweep's budget is spent".into());
    }
    if let Some(own) = run.run.message.clone().filter(|m| !m.trim().is_empty()) {
        return Some(own);
    }
    match run.run.state {
        RunState::Completed if run.run.final_metrics.is_none() => Some("completed, but no evaluation is stored".into()),
        RunState::Failed => Some("it left no message".into()),
        RunState::Interrupted => Some(match run.run.checkpoint_step {
            Some(step) => format!("“taper run” resumes it from step {}", format::count(step)),
            None => "“taper run” starts it again".into(),
        }),
        RunState::Completed => run.run.early_stop(),
        RunState::Pruned | RunState::Pending | RunState::Running | RunState::Waiting => None,
    }
}

fn mean_text(mean: Option<Mean>, metric: Metric) -> String {
    mean.map_or(format::NOTHING.into(), |mean| mean.text(metric))
}

/// Explains the intervals in the table over seeds.
fn seed_notes(analysis: &Analysis) -> String {
    let means = |group: &Group| {
        let finished = !group.finished.is_empty();
        [
            (analysis.criterion.metric, group.chosen.filter(|_| finished)),
            (Metric::Accuracy, group.accuracy),
            (Metric::MacroF1, group.macro_f1),
        ]
    };
    let means: Vec<(Metric, Mean)> =
        analysis.groups.iter().flat_map(means).filter_map(|(metric, mean)| Some((metric, mean?))).collect();
    let notes = interval_notes(means.iter().map(|(metric, mean)| (*metric, mean)), analysis.averaged_over());
    notes.iter().map(|note| format!("{}. ", format::capital(note))).collect()
}

/// The order of pruned trials, if there are any.
fn further_first(input: &ReportInput) -> String {
    match input.runs.iter().any(|run| run.run.state == RunState::Pruned) {
        true => "Of pruned trials, those that got further come first. ".into(),
        false => String::new(),
    }
}

fn seed_rows(analysis: &Analysis) -> Vec<SeedRow> {
    let best = analysis.best_group();
    let row = |&index: &usize| {
        let group: &Group = &analysis.groups[index];
        SeedRow {
            rank: group.rank.map_or(format::NOTHING.into(), |rank| rank.to_string()),
            name: group.name.clone(),
            best: best == Some(index) && group.rank.is_some(),
            n: format!("{} of {}", group.finished.len(), group.planned),
            chosen: match group.chosen {
                Some(mean) if group.finished.is_empty() => {
                    let steps = group.unfinished_at.as_ref().map(|steps| match steps.contains('–') {
                        true => format!("at steps {steps}, "),
                        false => format!("at step {steps}, "),
                    });
                    let value = analysis.criterion.metric.text(mean.mean);
                    format!("{value} ({}not final)", steps.unwrap_or_default())
                }
                chosen => mean_text(chosen, analysis.criterion.metric),
            },
            accuracy: mean_text(group.accuracy, Metric::Accuracy),
            sd: group.accuracy.and_then(|m| m.sd).map_or(format::NOTHING.into(), |sd| format!("{:.1}", sd * 100.0)),
            macro_f1: mean_text(group.macro_f1, Metric::MacroF1),
            out_of_fold: folds::cell(group, |folds| folds.accuracy, |mean| mean.text(Metric::Accuracy)),
            out_of_fold_f1: folds::cell(group, |folds| folds.macro_f1, |mean| mean.text(Metric::MacroF1)),
        }
    };
    analysis.order.iter().map(row).collect()
}

/// Compares the best configuration with the next, in words.
fn comparison(input: &ReportInput, analysis: &Analysis, c: &Comparison) -> String {
    let verdict = |p: f64, first_is_better: bool, on: &str| match (p < 0.05, first_is_better) {
        (false, _) => "not distinguishable at 5%".to_string(),
        (true, true) => format!("distinguishable at 5%: the first is better{on}"),
        (true, false) => format!("distinguishable at 5%: the second is better{on}"),
    };
    let differ = |what: &str, d: f64, i: Interval, how: &str| {
        format!(
            " The {what} differ by {} points (95% interval {} to {}, {how}).",
            format::points(d),
            format::points(i.low.max(-1.0)),
            format::points(i.high.min(1.0))
        )
    };
    // The split that all runs are evaluated on, or a general word if they differ.
    let on = |runs: &[usize]| {
        let mut splits = runs.iter().map(|&i| input.runs[i].measured_on());
        let first = splits.next().filter(|first| splits.all(|other| other == *first));
        if analysis.has_folds() { "out-of-fold" } else { first.map_or("final", split_name) }
    };
    match c {
        Comparison::Means { first, second, differ: means } => {
            let (a, b) = (&analysis.groups[*first].finished, &analysis.groups[*second].finished);
            let on = on(&[&a[..], &b[..]].concat());
            let group = |g: usize| {
                let group = &analysis.groups[g];
                let seeds = if analysis.has_folds() { group.complete.len() } else { group.finished.len() };
                format!("“{}” ({})", group.name, format::plural(seeds, "seed"))
            };
            let (first, second) = (group(*first), group(*second));
            let Some(means) = means else {
                return format!(
                    "{first} against {second} cannot be tested: the seeds of neither differ in {on} accuracy, so nothing is known \
                     about how other seeds would differ."
                );
            };
            format!(
                "{first} against {second}, by mean {on} accuracy: {} (Welch's t-test over seeds, {}).{}",
                verdict(means.p, means.difference > 0.0, ""),
                format::p_value(means.p),
                differ(&format!("mean {on} accuracies"), means.difference, means.interval, "Welch")
            )
        }
        Comparison::Runs { first, second, paired } => {
            let name = |runs: &[usize]| match runs {
                [one] if !analysis.has_folds() => input.runs[*one].run.name.as_str(),
                _ => runs.first().map_or("", |&i| analysis.groups[analysis.group_of(i)].name.as_str()),
            };
            let on = on(&[&first[..], second].concat());
            let (first, second) = (name(first), name(second));
            let paired = match paired {
                Ok(paired) => paired,
                Err(why) => return format!("“{first}” and “{second}” cannot be compared row by row: {why}."),
            };
            let p = paired.mcnemar();
            let difference = paired
                .difference()
                .map_or(String::new(), |(d, i)| differ(&format!("{on} accuracies"), d, i, "Agresti and Min's"));
            format!(
                "“{first}” against “{second}” on the same {}: {} (exact McNemar test, {}). The first alone is right on \
                 {}, the second alone on {}.{difference} This compares {}: with other seeds the result may differ.",
                format::plural(paired.rows() as usize, &format!("{on} row")),
                verdict(p, paired.first_only > paired.second_only, " on these rows"),
                format::p_value(p),
                format::count(paired.first_only),
                format::count(paired.second_only),
                match analysis.has_folds() {
                    true => "the models of all folds of both, none of which has seen the row that it predicts",
                    false => "two trained models",
                },
            )
        }
    }
}

fn probe_rows(run: &RunInput) -> Vec<ProbeRow> {
    let said = |record: Option<&ProbeRecord>| {
        record.map_or(format::NOTHING.into(), |r| {
            let id = run.run.labels.iter().position(|l| *l == r.score.predicted);
            let p = id.and_then(|id| r.score.probabilities.get(id as u32)).map_or(f64::NAN, f64::from);
            let verdict = match r.score.expect.as_ref().map(|e| *e == r.score.predicted) {
                Some(true) => ", right",
                Some(false) => ", wrong",
                None => "",
            };
            format!("{} {}{verdict}", r.score.predicted, format::percent(p))
        })
    };
    let row = |pair: ProbePair<'_>| {
        let score = &pair.after.or(pair.before)?.score;
        let right = |r: &ProbeRecord| r.score.expect.as_ref().map(|e| *e == r.score.predicted);
        Some(ProbeRow {
            number: pair.number,
            text: format::texts(&score.text, score.text_pair.as_deref()).into_owned(),
            expected: score.expect.clone().unwrap_or_else(|| format::NOTHING.into()),
            before: said(pair.before),
            after: said(pair.after),
            right: pair.after.and_then(right),
        })
    };
    probe_pairs(run).into_iter().filter_map(row).collect()
}

/// Classes and pairs listed where there are more than [`MOST_LABELS`] labels.
const MOST_LISTED: usize = 20;

/// All classes, or with many, the worst: among classes with rows, by F1 and then by number of rows.
fn class_rows(metrics: &Metrics) -> Vec<ClassRow> {
    let mut listed: Vec<(usize, &ClassMetrics)> = metrics.per_class.iter().enumerate().collect();
    if listed.len() > MOST_LABELS {
        listed.retain(|(_, c)| c.support > 0);
        listed.sort_by(|(_, a), (_, b)| a.f1.total_cmp(&b.f1).then(b.support.cmp(&a.support)));
        listed.truncate(MOST_LISTED);
    }
    let row = |(id, c): (usize, &ClassMetrics)| ClassRow {
        id,
        label: c.label.clone(),
        precision: format::percent(c.precision),
        recall: format::percent(c.recall),
        f1: format::percent(c.f1),
        support: format::count(c.support),
    };
    listed.into_iter().map(row).collect()
}

fn classes_note(metrics: &Metrics) -> Option<String> {
    let all = metrics.per_class.len();
    let with_rows = metrics.per_class.iter().filter(|c| c.support > 0).count();
    (all > MOST_LABELS).then(|| {
        format!(
            "The {} classes with the lowest F1, of {} that have rows and {} in all; the other {} are left out. \
             classes.csv and confusion.csv hold them all.",
            with_rows.min(MOST_LISTED),
            format::count(with_rows as u64),
            format::count(all as u64),
            format::count((all - with_rows.min(MOST_LISTED)) as u64),
        )
    })
}

/// The most frequent confusions; empty if a chart shows all of them.
fn confused_rows(run: &RunInput, metrics: &Metrics) -> Vec<ConfusedRow> {
    if metrics.per_class.len() <= MOST_LABELS {
        return Vec::new();
    }
    let supports = metrics.confusion.supports();
    let mut pairs: Vec<(u32, u32, u64)> =
        metrics.confusion.cells().filter(|(label, predicted, _)| label != predicted).collect();
    pairs.sort_by_key(|&(label, predicted, rows)| (std::cmp::Reverse(rows), label, predicted));
    let row = |(label, predicted, rows): (u32, u32, u64)| ConfusedRow {
        label: label_name(run, label),
        predicted: label_name(run, predicted),
        rows: format::count(rows),
        share: format::percent(rows as f64 / supports.get(label as usize).copied().unwrap_or(0).max(1) as f64),
    };
    pairs.into_iter().take(MOST_LISTED).map(row).collect()
}

fn mistakes_note(best: Option<&RunInput>, all: usize, listed: usize) -> String {
    match best {
        None => String::new(),
        Some(run) if run.predictions.is_empty() => "The predictions of this run are not stored.".into(),
        Some(run) => {
            let rows = format::plural(run.predictions.len(), "row");
            let list = if all > listed { format!("; the {listed} it was surest of are listed") } else { String::new() };
            format!("{} on {rows}{list}. mistakes.csv holds them all.", format::plural(all, "mistake"))
        }
    }
}
