//! Fills in the view: rows of the tables, and the sentences.

use super::{ClassRow, Headline, MistakeRow, Pictures, ProbeRow, RunRow, SeedRow, View};
use crate::{
    metrics::{ClassMetrics, Metrics},
    plan::Metric,
    report::{
        ReportError,
        analysis::{Analysis, Comparison, Group},
        environment, format,
        input::{ReportInput, RunInput, Settings, split_name},
        pictures::{ProbePair, majority, probe_pairs, with_interval},
        tables::{FILES, confidence, failure_name, label_name, mistakes_of, state_name},
    },
    stats::{Interval, Sample},
    store::{ProbeRecord, RunState},
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
        let chosen_heading = (analysis.best().is_some() && !chosen_is_shown(input, analysis)).then(|| {
            let metric = metric_name(analysis.chosen_by);
            format!("{} {metric} (chooses)", capital(split_name(analysis.chosen_on)))
        });
        let mistakes = best.map(mistakes_of).unwrap_or_default();
        let places = environment::places(&input.runs);
        let mut view = Self {
            title: settings.title.clone().unwrap_or_else(|| experiment.name.clone()),
            description: experiment.description.clone(),
            experiment: experiment.name.clone(),
            states: states(&input.runs),
            finished: last_finish(&input.runs),
            headline: best.and_then(|run| headline(run, input.runs.len() > 1)),
            caveats: caveats(input, analysis),
            accuracy_heading: match shown {
                Some(run) => format!("{} accuracy", capital(split_name(run.measured_on()))),
                None => "Accuracy".into(),
            },
            chosen_heading,
            runs: (0..input.runs.len()).map(|i| run_row(input, analysis, i)).collect(),
            seeds: if analysis.has_seeds() { seed_rows(analysis) } else { Vec::new() },
            comparisons: analysis.comparisons.iter().map(|c| comparison(input, c)).collect(),
            training: pictures.training,
            outcome: pictures.outcome,
            probe_chart: pictures.probes,
            probes: shown.map(probe_rows).unwrap_or_default(),
            details: pictures.details,
            classes: best.and_then(|run| run.run.final_metrics.as_ref()).map(class_rows).unwrap_or_default(),
            mistakes_note: mistakes_note(best, mistakes.len(), settings.mistakes),
            mistakes: Vec::new(),
            places_differ: places.len() > 1,
            places,
            commands: environment::commands(experiment),
            config_of: shown.map(|run| run.run.name.clone()).unwrap_or_default(),
            config: match shown {
                Some(run) => toml::to_string_pretty(&run.run.config).map_err(ReportError::Config)?,
                None => String::new(),
            },
            spec_path: experiment.spec_path.clone(),
            spec: experiment.spec_text.clone(),
            files: FILES.to_vec(),
        };
        if let Some(run) = best {
            let listed = mistakes.into_iter().take(settings.mistakes);
            view.mistakes = listed
                .map(|p| MistakeRow {
                    line: p.line,
                    text: p.text.clone(),
                    label: label_name(run, p.label),
                    predicted: label_name(run, p.predicted),
                    confidence: format::percent(f64::from(confidence(p))),
                })
                .collect();
        }
        Ok(view)
    }
}

/// Whether the figure that chose the best run is the accuracy column itself.
fn chosen_is_shown(input: &ReportInput, analysis: &Analysis) -> bool {
    analysis.chosen_by == Metric::Accuracy
        && analysis.best().is_some_and(|best| input.runs[best].measured_on() == analysis.chosen_on)
}

fn metric_name(metric: Metric) -> &'static str {
    match metric {
        Metric::Accuracy => "accuracy",
        Metric::MacroF1 => "macro-F1",
        Metric::Loss => "loss",
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|c| c.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn states(runs: &[RunInput]) -> String {
    if runs.is_empty() {
        return "no runs yet".into();
    }
    let order = [
        RunState::Completed,
        RunState::Failed,
        RunState::Pruned,
        RunState::Interrupted,
        RunState::Running,
        RunState::Pending,
    ];
    let of = |state| runs.iter().filter(|r| r.run.state == state).count();
    let parts: Vec<String> =
        order.into_iter().filter(|&s| of(s) > 0).map(|s| format!("{} {}", of(s), state_name(s))).collect();
    format!("{}: {}", format::plural(runs.len(), "run"), parts.join(", "))
}

fn last_finish(runs: &[RunInput]) -> Option<String> {
    let last = runs.iter().filter_map(|r| r.run.finished_at).fold(f64::NEG_INFINITY, f64::max);
    last.is_finite().then(|| format::time(last))
}

fn headline(run: &RunInput, of_several: bool) -> Option<Headline> {
    let metrics = run.run.final_metrics.as_ref()?;
    let (accuracy, interval) = with_interval(metrics);
    let (share, label) = majority(metrics);
    Some(Headline {
        run: run.run.name.clone(),
        of_several,
        split: split_name(run.measured_on()),
        accuracy: format::percent(accuracy),
        interval: format::percent_range(interval),
        rows: format::count(metrics.rows),
        before: run.before().map(|m| format::percent(m.accuracy)),
        baseline: format::percent(share),
        baseline_label: label_name(run, label as u32),
        macro_f1: format::percent(metrics.macro_f1),
    })
}

fn caveats(input: &ReportInput, analysis: &Analysis) -> Vec<String> {
    let mut out = Vec::new();
    let (on, by) = (split_name(analysis.chosen_on), metric_name(analysis.chosen_by));
    let n = analysis.ranked.len();
    if n == 0 && !input.runs.is_empty() {
        out.push("No run has a result yet: what is there so far is shown below.".into());
    } else if analysis.is_optimistic(&input.runs) {
        out.push(format!(
            "The best of {n} runs was chosen by the {on} split that it is measured on, so its figure is optimistic; \
             with a dev split (key data.dev) other rows would choose."
        ));
    } else if n > 1 {
        out.push(format!(
            "The best of {n} runs was chosen by its {by} on the {on} split; the rows it is measured on had no part in that."
        ));
    }
    let pruned = input.runs.iter().filter(|r| r.run.state == RunState::Pruned).count();
    if pruned > 0 {
        let was = if pruned == 1 { "was" } else { "were" };
        out.push(format!(
            "{} {was} ended before the last step because others did better (pruned); the table says at what.",
            format::plural(pruned, "run")
        ));
    }
    let missing = input.runs.len() - n - pruned;
    if missing > 0 && n > 0 {
        let have = if missing == 1 { "has" } else { "have" };
        out.push(format!("{} {have} no result; the table says why.", format::plural(missing, "run")));
    }
    if input.runs.iter().any(|r| r.run.state == RunState::Running) {
        out.push("A run was still under way when this report was made.".into());
    }
    out
}

fn run_row(input: &ReportInput, analysis: &Analysis, i: usize) -> RunRow {
    let run = &input.runs[i];
    let record = &run.run;
    let metrics = record.final_metrics.as_ref();
    let share = |f: fn(&Metrics) -> f64| metrics.map_or(format::NOTHING.into(), |m| format::percent(f(m)));
    let chosen = analysis.scores[i].map_or(format::NOTHING.into(), |score| match analysis.chosen_by {
        Metric::Loss => format::loss(-score),
        Metric::Accuracy | Metric::MacroF1 => format::percent(score),
    });
    let state = match record.failure {
        Some(kind) if record.state == RunState::Failed => format!("failed ({})", failure_name(kind)),
        _ => state_name(record.state).to_string(),
    };
    RunRow {
        name: record.name.clone(),
        key: format::short(&record.key).to_string(),
        best: analysis.best() == Some(i) && analysis.ranked.len() > 1,
        state,
        state_class: state_name(record.state),
        steps: match record.steps == record.total_steps {
            true => format::count(record.steps),
            false => format!("{} of {}", format::count(record.steps), format::count(record.total_steps)),
        },
        accuracy: share(|m| m.accuracy),
        interval: metrics.map_or(String::new(), |m| format::percent_range(with_interval(m).1)),
        chosen,
        macro_f1: share(|m| m.macro_f1),
        loss: match (metrics, record.last_loss) {
            (Some(m), _) => format::loss(m.loss),
            (None, Some(loss)) => format!("{} (training)", format::loss(loss)),
            (None, None) => format::NOTHING.into(),
        },
        time: run.seconds().map_or(format::NOTHING.into(), format::duration),
        message: message(run),
    }
}

/// Why a run has no result, in words; what it says itself where it says something.
fn message(run: &RunInput) -> Option<String> {
    if let Some(own) = run.run.message.clone().filter(|m| !m.trim().is_empty()) {
        return Some(own);
    }
    match run.run.state {
        RunState::Completed if run.run.final_metrics.is_none() => Some("completed, but no evaluation is stored".into()),
        RunState::Failed => Some("it left no message".into()),
        RunState::Interrupted => Some("stopped; “taper run” goes on from its last checkpoint".into()),
        RunState::Completed | RunState::Pruned | RunState::Pending | RunState::Running => None,
    }
}

fn seed_rows(analysis: &Analysis) -> Vec<SeedRow> {
    let several = analysis.groups.len() > 1;
    let mean = |s: Option<Sample>| match s {
        Some(Sample { mean, sd: Some(sd), .. }) => format!("{} ± {:.1}", format::percent(mean), sd * 100.0),
        Some(s) => format::percent(s.mean),
        None => format::NOTHING.into(),
    };
    let interval = |i: Option<Interval>| i.map_or(format::NOTHING.into(), format::percent_range);
    let row = |g: &Group| SeedRow {
        name: g.name.clone(),
        best: several && analysis.best().is_some_and(|best| g.runs.contains(&best)),
        n: format!("{} of {}", g.accuracy.map_or(0, |s| s.n), g.runs.len()),
        accuracy: mean(g.accuracy),
        interval: interval(g.accuracy.and_then(|s| s.interval)),
        macro_f1: mean(g.macro_f1),
    };
    analysis.groups.iter().map(row).collect()
}

/// Two runs on the same rows, in plain words.
fn comparison(input: &ReportInput, c: &Comparison) -> String {
    let name = |i: usize| input.runs[i].run.name.as_str();
    let (first, second) = (name(c.first), name(c.second));
    let paired = match c.paired {
        Ok(paired) => paired,
        Err(why) => return format!("“{first}” and “{second}” cannot be compared row by row: {why}."),
    };
    let p = paired.mcnemar();
    let verdict = match (p < 0.05, paired.first_only > paired.second_only) {
        (false, _) => "not distinguishable at 5%",
        (true, true) => "distinguishable at 5%: the first is better on these rows",
        (true, false) => "distinguishable at 5%: the second is better on these rows",
    };
    let difference = paired.difference().map_or(String::new(), |(d, i)| {
        format!(
            " The accuracies differ by {} points (95% interval {} to {}).",
            format::points(d),
            format::points(i.low),
            format::points(i.high)
        )
    });
    format!(
        "“{first}” against “{second}” on the same {} rows: {verdict} (exact McNemar test, {}). The first alone is right \
         on {}, the second alone on {}.{difference}",
        format::count(paired.rows()),
        format::p_value(p),
        format::count(paired.first_only),
        format::count(paired.second_only),
    )
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
            text: score.text.clone(),
            expected: score.expect.clone().unwrap_or_else(|| format::NOTHING.into()),
            before: said(pair.before),
            after: said(pair.after),
            right: pair.after.and_then(right),
        })
    };
    probe_pairs(run).into_iter().filter_map(row).collect()
}

fn class_rows(metrics: &Metrics) -> Vec<ClassRow> {
    let row = |(id, c): (usize, &ClassMetrics)| ClassRow {
        id,
        label: c.label.clone(),
        precision: format::percent(c.precision),
        recall: format::percent(c.recall),
        f1: format::percent(c.f1),
        support: format::count(c.support),
    };
    metrics.per_class.iter().enumerate().map(row).collect()
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
