//! `taper show`

use std::{path::Path, process::ExitCode};

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use taper::{
    event::{Split, When},
    experiment::evaluated_otherwise_than,
    format,
    metrics::{Metric, Metrics},
    report::{LAST_STEPS, about_result, chosen, long_texts, weights},
    store::{EvalRecord, ProbeRecord, RunRecord},
    task::Task,
    warning::{Kind, Warning},
};

use self::erased::Tag;
use super::{
    Global, common,
    decision::decision,
    list::date,
    named,
    outcome::{decided, undecided, with_interval},
    output::Output,
};

/// The column of the values after their labels.
const VALUES: usize = 12;

/// When metrics with the decision are of, as in metrics.csv of a report.
const DECIDED: &str = "decided";

/// Show the details of one run.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  taper show 3f2a\n  taper show 3f2a --config\n  taper show sweep#1             the best run of the best trial\n  taper show quickstart --json"
)]
pub struct Show {
    /// Run: its key, a prefix of its key, its name, an experiment or spec file that has only one run, or EXPERIMENT#RANK (or
    /// EXPERIMENT#TRIAL) for the best run of a trial.
    run: String,
    /// Also show the resolved spec, which is also in run.toml in the run's folder.
    #[arg(long)]
    config: bool,
}

/// A run with its measurements.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    run: &'a RunRecord,
    evaluations: Vec<EvalRecord>,
    probes: Vec<ProbeRecord>,
    notes: Vec<taper::store::NoteRecord>,
    warnings: Vec<Warning>,
    folder: String,
    /// Seconds of training.
    trained_s: Option<f64>,
    /// The step that its final weights are of.
    weights_of: Option<u64>,
}

impl Show {
    /// Prints the stored data of the run.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let store = common::open_existing(global)?;
        let run = named::find(&store, &self.run, global)?;
        let folder = taper::execute::RunFolder::new(&global.runs, &run.key);
        let evaluations = store.evals(&run.key)?;
        let whole = Whole {
            trained_s: store.training_seconds([run.key.as_str()])?.remove(&run.key),
            weights_of: evaluations.iter().find(|e| e.when == When::After).map(|e| e.step),
            evaluations,
            probes: store.probes(&run.key, &run.config.probes)?,
            notes: store.notes(&run.key)?,
            warnings: store.warnings(&run.key)?,
            folder: folder.path().display().to_string(),
            run: &run,
        };
        if out.json {
            out.document(&whole)?;
        } else {
            let experiment = run.experiment.as_ref().filter(|_| run.in_plan);
            let sweep = experiment.map(|name| store.experiment(name)).transpose()?;
            let otherwise = sweep.as_ref().and_then(|sweep| evaluated_otherwise_than(sweep, &run));
            let spent = sweep.filter(|sweep| sweep.warnings.iter().any(|w| w.kind == Kind::Budget));
            let again = common::run_again(&store, &run);
            let next = common::what_next(global, &run, spent.as_ref().map(|sweep| sweep.name.as_str()), &again);
            let last = store.last_steps(&run.key, LAST_STEPS)?;
            let results: Vec<Warning> =
                otherwise.into_iter().chain(about_result(&run, &last, whole.warnings.clone())).collect();
            print(&whole, next, &results, self.config, out)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(whole: &Whole, next: Option<String>, results: &[Warning], config: bool, out: &mut Output) -> Result<()> {
    let run = whole.run;
    let early = run.early_stop().map_or(String::new(), |early| format!(", {early}"));
    out.wrapped(&format!("{}  {}{early}", run.name, run.state_text()))?;
    for line in run.message.iter().flat_map(|message| message.lines()).chain(next.as_deref()) {
        out.wrapped(&format!("  {line}"))?;
    }
    out.unbroken(&format!("key         {}", run.key))?;
    out.labelled(("experiment", VALUES), &experiment(run))?;
    if let Some(fold) = run.config.data.fold {
        out.line(format!("fold        {} of {} is the test split", fold.number(), fold.of()))?;
    }
    out.unbroken(&format!("folder      {}", whole.folder))?;
    if let Some(started) = run.started_at {
        let trained = whole.trained_s.map_or(String::new(), |s| format!(", {} of training", format::duration(s)));
        out.labelled(("started", VALUES), &format!("{}{trained}", date(started, "%Y-%m-%d %H:%M")))?;
    }
    out.line(format!("steps       {} of {}", format::count(run.steps), format::count(run.total_steps)))?;
    if let Some(weights) = weights(run, &whole.evaluations) {
        out.labelled(("weights", VALUES), &weights)?;
    }
    if let Some(e) = &run.environment {
        let commit = e.git_commit.as_deref().map_or(String::new(), |c| format!(", in a repository at commit {c}"));
        let device = e.device_in_full();
        let threads = format::counted(e.threads as u64, "thread");
        out.labelled(("trained by", VALUES), &format!("taper {}{commit}, {device}, {threads}, {}", e.taper, e.cpu))?;
    }
    if let Some(e) = run.environment.as_ref().filter(|e| !e.learning_rates.is_empty()) {
        out.labelled(("rates", VALUES), &e.learning_rates)?;
    }
    if let Some(e) = run.environment.as_ref().filter(|e| !e.texts.is_empty()) {
        out.labelled(("long texts", VALUES), &long_texts(run.config.data.long_texts(), &e.texts, None))?;
    }
    for note in &whole.notes {
        out.labelled(("note", VALUES), &format::one_line(&note.message))?;
    }
    let known_before = |warning: &&Warning| warning.kind.is_known_before();
    for warning in whole.warnings.iter().filter(known_before) {
        out.labelled(("warning", VALUES), &format::one_line(&warning.message))?;
    }
    if config {
        out.line("")?;
        out.line(run.config.to_toml()?.trim_end())?;
    }
    let tag = |v: &dyn Tag| v.tag();
    if !whole.probes.is_empty() {
        out.line("")?;
        out.fitted(
            &[
                "when",
                "probe",
                if run.config.data.task() == Task::SingleLabel { "label" } else { "predicted" },
                "confidence",
                "expected",
            ],
            whole.probes.iter().map(|p| {
                let confidence = p.score.confidence().map_or(format::NOTHING.into(), |p| format::percent(p.into()));
                vec![
                    tag(&p.when),
                    format::texts(&p.score.text, p.score.text_pair.as_deref()).into_owned(),
                    p.score.predicted.clone(),
                    confidence,
                    p.score.expect.clone().unwrap_or_else(|| "–".into()),
                ]
            }),
            &["confidence", "expected"],
        )?;
        out.say_what_is_left_out()?;
    }
    if let Some(decided) = whole.run.decided.as_ref().filter(|_| whole.probes.iter().any(|p| p.when == When::After)) {
        let mut after = whole.probes.iter().filter(|p| p.when == When::After);
        out.wrapped(&match after.any(|p| p.score.right.is_some() || p.score.confidence.is_some()) {
            true => format!("probes after training: with {}, as in `taper predict`", decision(decided, &run.labels)),
            // An earlier version scored them.
            false => format!(
                "probes after training: without {}, which `taper predict` applies",
                decision(decided, &run.labels)
            ),
        })?;
    }
    let [first, second] = run.config.data.task().headline();
    let selects = run.config.checkpoint.metric;
    let mut metrics = vec![Metric::Loss, first, second];
    if !metrics.contains(&selects) {
        metrics.insert(0, selects);
    }
    let headings = ["when", "step", "split", "rows"].into_iter().chain(metrics.iter().map(|metric| metric.name()));
    let line = |when: String, step: u64, split: Split, measured: &Metrics| -> Vec<String> {
        let of = [when, format::count(step), tag(&split), format::count(measured.rows)];
        of.into_iter().chain(metrics.iter().map(|metric| metric.text(measured.get(*metric)))).collect()
    };
    let with_decision = run.decided.iter().flat_map(|decided| {
        [(Split::Dev, Some(&decided.dev)), (Split::Test, decided.test.as_ref())]
            .into_iter()
            .filter_map(|(split, measured)| Some((split, measured?)))
    });
    let step = whole.weights_of.unwrap_or(run.steps);
    let lines = whole.evaluations.iter().map(|e| line(tag(&e.when), e.step, e.split, &e.metrics));
    let lines: Vec<_> = lines.chain(with_decision.map(|(split, of)| line(DECIDED.into(), step, split, of))).collect();
    if !lines.is_empty() {
        out.line("")?;
        out.fitted(&headings.collect::<Vec<_>>(), lines, &["rows", second.name(), "loss"])?;
        out.say_what_is_left_out()?;
    }
    if run.decided.is_some() {
        let chosen = chosen(&run.config.data);
        out.wrapped(&format!("{DECIDED}: after training, with {chosen} below; all other lines are without {chosen}"))?;
    }
    if let Some(m) = &run.final_metrics {
        out.line("")?;
        let split = run.measured_on().tag();
        out.wrapped(&format!("{split} {} {}{}", first.name(), with_interval(m), undecided(run)))?;
        if selects != first && selects != Metric::Loss {
            let value = selects.text(m.get(selects));
            out.wrapped(&format!("{split} {} {value}{}", selects.name(), undecided(run)))?;
        }
    }
    for (label, text) in decided(run) {
        out.labelled((&label, VALUES), &text)?;
    }
    for warning in results {
        out.wrapped(&format!("warning: {}", format::one_line(&warning.message)))?;
    }
    if !config {
        let config = out.command(&format!("taper show {} --config", format::short(&run.key)));
        out.unbroken(&format!("settings: {config}"))?;
    }
    let spec = Path::new(&whole.folder).join("run.toml");
    if spec.is_file() {
        out.unbroken(&format!("as a spec: {}", spec.display()))?;
    }
    Ok(())
}

/// The experiment that a run is shown for, and the others that have it.
fn experiment(run: &RunRecord) -> String {
    let Some(name) = &run.experiment else { return "none: the experiments that planned it were removed".into() };
    let others: Vec<&str> = run.experiments.iter().filter(|other| *other != name).map(String::as_str).collect();
    match (run.in_plan, others.is_empty()) {
        (false, _) => format!("{name}, but it is not in the plan of the last `taper run`"),
        (true, true) => name.clone(),
        (true, false) => format!("{name}; also of {}", others.join(", ")),
    }
}

/// Names of enumerations as stored.
mod erased {
    pub trait Tag {
        fn tag(&self) -> String;
    }

    impl<T: serde::Serialize> Tag for T {
        fn tag(&self) -> String {
            let value = serde_json::to_value(self).unwrap_or_default();
            value.as_str().unwrap_or_default().to_string()
        }
    }
}
