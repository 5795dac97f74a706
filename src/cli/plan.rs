//! `taper plan`

use std::{collections::HashSet, convert::Infallible, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use serde_json::json;
use taper::{
    data::{self, Cleaning, Leak, LengthStats},
    event::{FailureKind, Split},
    execute::{Prepared, RunsPerDevice, Workbench, threads},
    experiment::{Planner, notes},
    format, metrics,
    plan::{Estimate, Prune},
    report,
    spec::LoadedSpec,
    store::{RunRecord, RunState, Store},
    warning,
};

use super::{
    Global, Unusable, common,
    common::SpecArgs,
    costs::{self, Costs},
    leaderboard::word,
    method::Method,
    order,
    output::Output,
    stored::{LeftOver, PlannedState, Stored},
};

/// Check a spec and show its runs, data, steps, time, memory and disk space, without training.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper plan experiments/rbt3-waimai-sweep.toml\n  \
    taper plan experiments/quickstart.toml --set train.epochs=3 --explain train.epochs\n  \
    taper plan experiments/quickstart.toml --json\n\n\
    --order writes {\"train\": [[row, …], …], \"dev\": [row, …], \"test\": [row, …], \"file\": PATH, \"lines\": [line, …]}. `train` has one \
    list of rows per step. Rows are numbered from 0, after rows without a text or label have been left out and `data.limit` has been \
    applied. `lines` gives the line of the data file on which each row begins, from 1 (Parquet: the row number, from 1). With this file another framework can train on the same batches.")]
pub struct Plan {
    #[command(flatten)]
    spec: SpecArgs,
    /// Show which layer sets the value of a key, and exit.
    #[arg(long, value_name = "KEY")]
    explain: Option<String>,
    /// Write the splits of the first run and the order of its training rows to a JSON file (see below).
    #[arg(long, value_name = "FILE")]
    order: Option<PathBuf>,
    /// Estimate the time for N runs in parallel, as with `taper run --jobs N`.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Let --order overwrite a file that it did not write.
    #[arg(long, requires = "order")]
    force: bool,
}

/// The most labels of a data set that are listed.
const LABELS_SHOWN: usize = 50;

/// A time that rounds to [`NO_TIME`] is shown as [`LITTLE`].
const NO_TIME: &str = "0.0s";
const LITTLE: &str = "<0.1s";

/// A planned run and its state.
struct Line<'a> {
    run: &'a Prepared,
    state: PlannedState,
    estimate: Estimate,
    /// Whether the budget of the sweep leaves it out.
    beyond_budget: bool,
}

impl Plan {
    /// Prints the plan.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let mut experiment = self.spec.open(global, vec![global.device])?;
        if let Some(key) = &self.explain {
            let explanation = experiment.spec().explain(key).map_err(|e| Unusable(e.into()))?;
            match out.json {
                true => out.document(&explanation)?,
                false => explanation.to_string().lines().try_for_each(|line| out.wrapped(line))?,
            }
            return Ok(ExitCode::SUCCESS);
        }
        let store = match Store::is_there(&global.runs) {
            true => Some(common::open_existing(global)?),
            false => None,
        };
        // Its lengths need the tokens of all rows anyway.
        let bench = Workbench::new(experiment.library()?).thorough();
        let planner = experiment.plan_with(store.as_ref(), bench)?;
        let (runs, spec) = (&planner.runs, &planner.spec);
        if let Some(path) = &self.order {
            order::write(&runs[0], path, self.force)?;
        }
        let stored = match &store {
            Some(store) => Stored::read(store, &spec.spec().name, &self.spec.spec, &planner.layers.arguments())?,
            None => Stored::default(),
        };
        let (states, left_over) = stored.compare(runs, store.as_ref().map(|store| (store, global.runs.as_path())))?;
        let namesake = match &store {
            Some(store) => common::namesake_warning(store, &spec.spec().name, &self.spec.spec)?,
            None => None,
        };
        let jobs = self.jobs.map_or(1, usize::from);
        let device = global.device.resolve();
        let mut costs = Costs::on(device).with_threads((threads() / jobs).max(1));
        let mut lines = Vec::with_capacity(runs.len());
        for ((run, state), allowed) in runs.iter().zip(states).zip(&planner.allowed.runs) {
            lines.push(Line { run, state, estimate: costs.of(run)?, beyond_budget: !allowed });
        }
        let method = Method::new(&spec.spec().sweep, planner);
        let open = lines.iter().filter(|line| is_to_do(line)).count();
        let peak = || Ok::<u64, Infallible>(lines.iter().map(|line| line.estimate.memory_bytes).max().unwrap_or(0));
        let asked = self.jobs.map_or(RunsPerDevice::Auto, |jobs| RunsPerDevice::Exactly(jobs.into()));
        let Ok(at_a_time) = asked.on(device, open, threads(), peak);
        let range = time_range(planner, &lines, &method, jobs);
        if out.json {
            let mut document = document(spec, &lines, &left_over, &method)?;
            document["sweep"]["warnings"] = serde_json::to_value(planner.sweep_warnings())?;
            document["sweep"]["runs_to_come"] = planner.to_come().into();
            document["device"] = device.name().into();
            document["warnings"] = serde_json::to_value(namesake.as_slice())?;
            document["runs_at_a_time"] = at_a_time.into();
            document["time_s"] = json!({ "low": range.0, "high": range.1 });
            out.document(&document)?;
            return Ok(ExitCode::SUCCESS);
        }
        print(planner, &lines, &left_over, &method, &total(planner, &lines, &method, jobs, range), out)?;
        if let Some(warning) = namesake {
            out.wrapped(&format!("warning: {}", format::one_line(&warning.message)))?;
        }
        if let Some(gpu) = device.gpu_name() {
            let how = match at_a_time {
                1 => "one run at a time".to_string(),
                n => format!("{n} runs at a time, because they fit into its free memory (--runs-per-device)"),
            };
            out.wrapped(&format!("on {}, {gpu}: {how}", device.name()))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether `taper run` has anything left to do for a run, even if only the evaluation after its last step. Pruned and diverged runs are left
/// out.
fn is_open(line: &Line) -> bool {
    let done = |record: &RunRecord| matches!(record.state, RunState::Completed | RunState::Pruned) || diverged(record);
    line.state.again || !line.state.record.as_ref().is_some_and(done)
}

/// Whether the next `taper run` comes to it.
fn is_to_do(line: &Line) -> bool {
    is_open(line) && !line.beyond_budget
}

/// Runs of trials that a search has yet to propose, as far as the budget allows them.
fn to_come(planner: &Planner) -> usize {
    planner.to_come().min(planner.allowed.more)
}

fn diverged(record: &RunRecord) -> bool {
    record.state == RunState::Failed && record.failure == Some(FailureKind::Diverged)
}

/// Runs that are left out although they are not completed: `; 2 diverged and 3 pruned are left out (--retry trains them again)`.
fn left_out(lines: &[&Line]) -> String {
    let records = || lines.iter().filter(|line| !is_open(line)).filter_map(|line| line.state.record.as_ref());
    let count = |of: &dyn Fn(&RunRecord) -> bool| records().filter(|record| of(record)).count();
    let parts = [
        (count(&diverged), "diverged"),
        (count(&|record: &RunRecord| record.state == RunState::Pruned), RunState::Pruned.word()),
    ];
    let (all, parts) = (parts[0].0 + parts[1].0, parts.iter().filter(|(n, _)| *n > 0));
    let parts: Vec<String> = parts.map(|(n, what)| format!("{n} {what}")).collect();
    let (are, them) = (format::by_number(all as u64, "is", "are"), format::by_number(all as u64, "it", "them"));
    match all {
        0 => String::new(),
        _ => format!("; {} {are} left out (--retry trains {them} again)", parts.join(" and ")),
    }
}

/// The share of a run that is left; 0 if it is done.
fn left(line: &Line) -> f64 {
    match is_to_do(line) {
        false => 0.0,
        true if line.state.again => 1.0,
        true => 1.0 - line.state.resumes.unwrap_or(0) as f64 / line.estimate.steps.max(1) as f64,
    }
}

fn print(
    planner: &Planner,
    lines: &[Line],
    left_over: &[LeftOver<'_>],
    method: &Method,
    total: &str,
    out: &mut Output,
) -> Result<()> {
    let spec = &planner.spec;
    out.wrapped(&format!("{}  ({})", spec.spec().name, planner.layers.spec.display()))?;
    if !spec.spec().description.is_empty() {
        out.wrapped(&spec.spec().description)?;
    }
    let mut shown: Vec<&taper::plan::DataConfig> = Vec::new();
    for line in lines {
        let config = &line.run.config.data;
        if shown.contains(&config) {
            continue;
        }
        shown.push(config);
        if shown.len() == 1 {
            out.line("")?;
            describe_data(line.run, out)?;
        }
    }
    if shown.len() > 1 {
        out.wrapped(&format!("          (the data settings of the first run; the sweep has {} of them)", shown.len()))?;
    }
    for line in method.lines() {
        out.wrapped(&line)?;
    }
    for warning in planner.warning_lines() {
        out.wrapped(&warning)?;
    }
    for note in notes(lines.iter().map(|line| line.run)) {
        out.wrapped(&format!("note: {}", format::one_line(note)))?;
    }
    out.line("")?;
    out.fitted(
        &["run", "name", "state", "steps", "time", "memory", "disk"],
        lines.iter().map(|line| {
            let e = &line.estimate;
            vec![
                format::short(&line.run.key).to_string(),
                line.run.name.clone(),
                match &line.state.why {
                    Some(why) => format!("{}: {why}", line.state.word),
                    None if line.beyond_budget => format!("{}: over budget", line.state.word),
                    None => line.state.word.clone(),
                },
                format::count(e.steps),
                e.time_s.filter(|_| is_to_do(line)).map_or_else(|| "–".into(), |s| about(s * left(line))),
                format!("~{}", format::bytes(e.memory_bytes)),
                format!("~{}", format::bytes(e.disk_bytes)),
            ]
        }),
        // Names and states come first.
        &["disk", "memory", "time", "steps", "run"],
    )?;
    out.say_what_is_left_out()?;
    let removed = lines.iter().filter(|line| line.state.removed).count();
    if removed > 0 && Prune::of(&spec.spec().sweep) != Prune::None {
        let were = format::by_number(removed as u64, "was", "were");
        let again = report::trained_again(removed, true);
        out.wrapped(&format!("{} {were} removed: `taper run` {again}", format::counted(removed as u64, "run")))?;
    }
    if !left_over.is_empty() {
        out.line("")?;
        out.wrapped("no longer in the plan: runs of this spec as it was last run, which stay in the database")?;
        out.rows(left_over.iter().map(|(run, name)| {
            vec![format::short(&run.key).to_string(), name.clone(), run.state_text(), format::count(run.steps)]
        }))?;
    }
    out.line("")?;
    out.wrapped(total)
}

/// Bounds in seconds for the remaining runs: small models and short rows use the processor less well than the measured speed, and
/// evaluations come on top.
fn time_range(planner: &Planner, lines: &[Line], method: &Method, jobs: usize) -> (f64, f64) {
    const MOST: f64 = 2.0;
    let mut seen = HashSet::new();
    let each: Vec<(f64, f64)> = lines
        .iter()
        .filter(|line| seen.insert(&line.run.key))
        .map(|line| (line.estimate.time_s.unwrap_or(0.0), left(line)))
        .collect();
    let mean = each.iter().map(|(time, _)| time).sum::<f64>() / each.len().max(1) as f64;
    let known: f64 = each.iter().map(|(time, left)| time * left).sum();
    // If there are more parallel runs than threads, they share the threads.
    let slots = jobs.min(threads()).max(1) as f64;
    let longest = each.iter().map(|(time, left)| time * left).fold(0.0, f64::max);
    let low = ((known + mean * to_come(planner) as f64) * method.share() / slots).max(longest);
    (low, MOST * low)
}

/// `~4.2s`.
fn about(seconds: f64) -> String {
    match format::duration(seconds) {
        none if none == NO_TIME => LITTLE.into(),
        time => format!("~{time}"),
    }
}

/// `about 4.2s to 8.4s`; where the least rounds to nothing `about 0.1s or less`.
fn between(low: f64, high: f64) -> String {
    match (format::duration(low), format::duration(high)) {
        (_, high) if high == NO_TIME => "about 0.1s or less".into(),
        (low, high) if low == NO_TIME => format!("about {high} or less"),
        (low, high) if low == high => format!("about {low}"),
        (low, high) => format!("about {low} to {high}"),
    }
}

/// The remaining work, including trials that a search has yet to propose: they are assumed to cost the same as the known ones.
fn total(planner: &Planner, lines: &[Line], method: &Method, jobs: usize, (low, high): (f64, f64)) -> String {
    let to_come = to_come(planner);
    // Points that mean the same run are trained once.
    let mut seen = HashSet::new();
    let lines: Vec<&Line> = lines.iter().filter(|line| seen.insert(&line.run.key)).collect();
    let open: Vec<&Line> = lines.iter().copied().filter(|line| is_to_do(line)).collect();
    let mean =
        |of: &dyn Fn(&Estimate) -> f64| lines.iter().map(|line| of(&line.estimate)).sum::<f64>() / lines.len() as f64;
    // The files that runs keep add up; the files during training exist for one run at a time.
    let kept = open.iter().map(|line| line.estimate.kept_bytes as f64).sum::<f64>();
    let kept = kept + mean(&|e| e.kept_bytes as f64) * to_come as f64;
    let training = lines.iter().filter(|line| to_come > 0 || is_to_do(line)).map(|line| &line.estimate);
    let training = training.map(|e| e.disk_bytes.saturating_sub(e.kept_bytes)).max().unwrap_or(0);
    let known = match to_come {
        0 => String::new(),
        _ => format!(" ({} known so far)", lines.len()),
    };
    if let (true, 0, Some(left)) = (open.is_empty(), to_come, &planner.left_by_budget) {
        return format!("nothing to do: the budget is spent. {}{}", left.message, left_out(&lines));
    }
    if open.is_empty() && to_come == 0 {
        let states = RunState::counted(lines.iter().filter_map(|line| Some(line.state.record.as_ref()?.state)));
        return format!("nothing to do: {} ({states}){}", format::counted(lines.len() as u64, "run"), left_out(&lines));
    }
    let at_a_time = if jobs == 1 { "one run at a time".into() } else { format!("{jobs} runs at a time") };
    let pruned = if method.share() < 1.0 { " and pruning stops as many as expected" } else { "" };
    let all = lines.len() + planner.to_come();
    let beyond = all - to_come - lines.iter().filter(|line| !line.beyond_budget).count();
    let beyond = match beyond {
        0 => String::new(),
        n => format!(" (the budget leaves out {}; raise it to train more)", format::count(n as u64)),
    };
    format!(
        "{} of {} to do{known}{beyond}: {} on this machine's CPU with {at_a_time}, if nothing else uses it{pruned}. Results \
         take {} on disk; each run needs another {} during training{}.",
        format::count((open.len() + to_come) as u64),
        format::counted(all as u64, "run"),
        between(low, high),
        format::bytes(kept as u64),
        format::bytes(training),
        left_out(&lines)
    )
}

/// The rows of a file that were dropped.
fn dropped(cleaning: &Cleaning) -> String {
    let missing = [
        (cleaning.missing_text, "without a text", &cleaning.missing_text_lines),
        (cleaning.missing_label, "without a label", &cleaning.missing_label_lines),
    ];
    let missing = missing.into_iter().filter(|(count, ..)| *count > 0);
    let dropped: Vec<String> = missing
        .map(|(count, what, lines)| format!("{} {what} ({})", format::count(count), warning::lines_of(lines, count)))
        .collect();
    if dropped.is_empty() { "none dropped".into() } else { format!("dropped {}", dropped.join(", ")) }
}

/// The data section: rows read, splits, lengths.
fn describe_data(run: &Prepared, out: &mut Output) -> Result<()> {
    let (dataset, splits) = (&run.dataset, &run.splits);
    let c = &dataset.cleaning;
    let n = dataset.rows.len() as u64;
    let of_splits: u64 = dataset.files.iter().map(|file| file.rows.len() as u64).sum();
    let rows = format::counted(n - of_splits, "row");
    out.wrapped(&format!("data      {rows} of {}; {}", run.config.data.source.shown(), dropped(c)))?;
    for file in &dataset.files {
        let (rows, split) = (format::counted(file.rows.len() as u64, "row"), word(&file.split));
        out.wrapped(&format!("          {rows} of {}, the {split} split; {}", file.name, dropped(&file.cleaning)))?;
    }

    let all: Vec<u32> = (0..n as u32).collect();
    let counts = dataset.class_counts(&all);
    let share = |count: u64| format::percent(count as f64 / n.max(1) as f64);
    let more = dataset.labels.len().checked_sub(LABELS_SHOWN).filter(|more| *more > 0).map(|n| format!("and {n} more"));
    let classes: Vec<String> = dataset
        .labels
        .iter()
        .zip(&counts)
        .map(|(label, &count)| format!("{} {} ({})", data::escaped(label), format::count(count), share(count)))
        .take(LABELS_SHOWN)
        .chain(more)
        .collect();
    out.wrapped(&format!("labels    {}", classes.join(", ")))?;
    let train_counts = dataset.class_counts(&splits.train);
    let always = metrics::majority(&train_counts).unwrap_or(0) as usize;
    let measured = [("dev", &splits.dev), ("test", &splits.test)].into_iter().filter(|(_, rows)| !rows.is_empty());
    let gives: Vec<String> = measured
        .map(|(name, rows)| {
            let right = dataset.class_counts(rows)[always] as f64;
            format!("{} of the {name} rows", format::percent(right / rows.len() as f64))
        })
        .collect();
    out.wrapped(&format!(
        "baseline  majority class: always predicting {}, {} in training, is right on {}",
        data::escaped(&dataset.labels[always]),
        metrics::majority_words(&train_counts),
        gives.join(" and ")
    ))?;
    if c.duplicates > 0 {
        out.wrapped(&format!(
            "repeats   {} {} again, {} of them with a different label",
            format::counted(c.duplicates, "text"),
            format::by_number(c.duplicates, "occurs", "occur"),
            format::count(c.contradicting)
        ))?;
    }
    let size = |rows: &[u32]| format::count(rows.len() as u64);
    let column = run.config.data.split_column.as_ref();
    let by = column.map_or_else(String::new, |column| format!(" (by column `{}`)", data::escaped(column)));
    out.wrapped(&format!(
        "split     train {}, dev {}, test {}{by}",
        size(&splits.train),
        size(&splits.dev),
        size(&splits.test)
    ))?;
    for Leak { rows_of, also_in, exact, alike } in data::leaks(dataset, splits) {
        let rows = |n: usize| {
            format!(
                "{} {}",
                format::counted(n as u64, &format!("{} row", word(&rows_of))),
                format::by_number(n as u64, "has", "have")
            )
        };
        let more = match alike - exact {
            0 => String::new(),
            _ if exact == 0 => " apart from case and spaces".into(),
            more => format!("; {} more apart from case and spaces", format::count(more as u64)),
        };
        let n = if exact == 0 { alike } else { exact };
        out.wrapped(&format!("leakage   {} a text that is also in {}{more}", rows(n), word(&also_in)))?;
    }
    let LengthStats { mean, p50, p90, p99, max, truncated, longer_than_counted } = run.lengths()?;
    let cut = match truncated {
        0 => "no text is truncated".into(),
        n => format!("{} truncated", format::counted(n as u64, "row") + format::by_number(n as u64, " is", " are")),
    };
    let more_than = if longer_than_counted > 0 { "more than " } else { "" };
    out.wrapped(&format!(
        "tokens    mean {mean:.1}, p50 {p50}, p90 {p90}, p99 {p99}, longest {more_than}{max}; max_length {}: {cut}",
        run.config.data.max_length
    ))?;
    let parameters = format::count(costs::parameters(run));
    let shape = &run.shape;
    out.wrapped(&format!(
        "model     {}: {} of {}, vocabulary {}, {parameters} parameters",
        run.config.model.source.shown(),
        format::counted(shape.num_hidden_layers as u64, "layer"),
        shape.hidden_size,
        format::count(shape.vocab_size as u64),
    ))
}

fn document(
    spec: &LoadedSpec,
    lines: &[Line],
    left_over: &[LeftOver<'_>],
    method: &Method,
) -> Result<serde_json::Value> {
    let runs = lines.iter().map(|line| {
        let (run, e, l) = (line.run, &line.estimate, line.run.lengths()?);
        let c = &run.dataset.cleaning;
        let leaks = data::leaks(&run.dataset, &run.splits);
        let all: Vec<u32> = (0..run.dataset.rows.len() as u32).collect();
        Ok(json!({
            "key": run.key, "name": run.name, "standing": line.state.word, "why": line.state.why,
            "beyond_budget": line.beyond_budget, "config": run.config,
            "rungs": method.rungs_of(run),
            "data": {
                "rows": run.dataset.rows.len(), "read": c.read, "missing_text": c.missing_text,
                "missing_label": c.missing_label, "missing_text_lines": c.missing_text_lines,
                "missing_label_lines": c.missing_label_lines, "duplicates": c.duplicates, "contradicting": c.contradicting,
                "labels": run.dataset.labels, "rows_of_label": run.dataset.class_counts(&all),
                "train": run.splits.train.len(), "dev": run.splits.dev.len(), "test": run.splits.test.len(),
                "test_rows_in_train": leaks.iter().find(|leak| (leak.rows_of, leak.also_in) == (Split::Test, Split::Train)).map_or(0, |leak| leak.exact),
                "leakage": leaks.iter().map(|leak| json!({
                    "rows_of": leak.rows_of, "also_in": leak.also_in, "exact": leak.exact, "alike": leak.alike,
                })).collect::<Vec<_>>(),
                "files": run.dataset.files.iter().map(|file| json!({
                    "split": file.split, "name": file.name, "rows": file.rows.len(), "read": file.cleaning.read,
                    "missing_text": file.cleaning.missing_text, "missing_label": file.cleaning.missing_label,
                    "missing_text_lines": file.cleaning.missing_text_lines,
                    "missing_label_lines": file.cleaning.missing_label_lines,
                })).collect::<Vec<_>>(),
                "digest": run.dataset.digest,
            },
            "warnings": run.warnings, "notes": run.notes,
            "tokens": {
                "mean": l.mean, "p50": l.p50, "p90": l.p90, "p99": l.p99, "max": l.max, "truncated": l.truncated,
                "longer_than_counted": l.longer_than_counted,
            },
            "estimate": {
                "parameters": e.parameters, "steps": e.steps, "tokens": e.tokens, "flop": e.flop,
                "time_s": e.time_s, "memory_bytes": e.memory_bytes, "disk_bytes": e.disk_bytes,
            },
        }))
    });
    let left_over: Vec<_> = left_over
        .iter()
        .map(|(run, name)| json!({ "key": run.key, "name": name, "state": run.state, "steps": run.steps }))
        .collect();
    let runs = runs.collect::<Result<Vec<_>>>()?;
    Ok(json!({ "experiment": spec.spec().name, "sweep": method.document(), "runs": runs, "orphaned": left_over }))
}
