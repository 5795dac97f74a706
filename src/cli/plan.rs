//! `taper plan`

use std::{collections::HashSet, convert::Infallible, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use serde_json::json;
use taper::{
    data::{Cleaning, ReadFile, SplitFile},
    event::{Split, SplitTexts},
    execute::{Prepared, RunsPerDevice, threads},
    experiment::{Planner, notes},
    format,
    plan::{DataConfig, Estimate, Fold, Prune},
    report,
    spec::LoadedSpec,
    store::{RunRecord, RunState, Store},
    warning::Warning,
};

use super::{
    Global, Unusable, common,
    common::SpecArgs,
    costs::Costs,
    earlier_plan::replaced_warning,
    method::Method,
    order,
    output::Output,
    plan_data,
    plan_runs::{self, Line, NO_TIME, Shared, diverged, is_open, is_to_do, left, shared_reasons},
    stored::{LeftOver, Stored},
};

/// Check a spec and show its runs, data, steps, time, memory and disk space, without training.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper plan experiments/rbt3-waimai-sweep.toml\n  \
    taper plan experiments/quickstart.toml --set train.epochs=3 --explain train.epochs\n  \
    taper plan experiments/quickstart.toml --json\n\n\
    --order writes {\"train\": [[row, …], …], \"dev\": [row, …], \"test\": [row, …], \"file\": PATH, \"lines\": [line, …]}. `train` has one \
    list of rows per step. Rows are numbered from 0, after rows without a text or label have been left out and `data.limit` has been \
    applied. `lines` gives the line of the data file on which each row begins, from 1 (Parquet: the row number, from 1). With data.long = \
    \"windows\", `windows` has the same shape as `train` and gives the number of each entry's window within its row, from 0. With this file another framework can train on the same batches.")]
pub struct Plan {
    #[command(flatten)]
    spec: SpecArgs,
    /// Show which configuration layer sets a key, and exit.
    #[arg(long, value_name = "KEY")]
    explain: Option<String>,
    /// Write the splits of the first run and the order of its training rows to a JSON file (see below).
    #[arg(long, value_name = "FILE")]
    order: Option<PathBuf>,
    /// List every run, with its key (the default if standard output is not a terminal). On a terminal, the default is one line for each
    /// trial, for at most 20 trials.
    #[arg(long)]
    all: bool,
    /// Estimate the time for N runs in parallel, as with `taper run --jobs N`.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Let --order overwrite a file even if --order did not write it.
    #[arg(long, requires = "order")]
    force: bool,
}

/// A run takes up to so many times its estimate.
const MOST: f64 = 2.0;

impl Plan {
    /// Prints the plan.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let mut experiment = self.spec.open(global, vec![global.device], "stopped: the plan is not complete")?;
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
        let bench = experiment.workbench()?.thorough();
        let planner = experiment.plan_with(store.as_ref(), bench)?;
        let (runs, spec) = (&planner.runs, &planner.spec);
        if let Some(path) = &self.order {
            order::write(&runs[0], path, self.force)?;
        }
        let stored = match &store {
            Some(store) => Stored::read(store, &spec.spec().name, &self.spec.spec, &planner.layers.arguments())?,
            None => Stored::default(),
        };
        let (states, left_over) =
            stored.compare(runs, planner.prunes(), store.as_ref().map(|store| (store, global.runs.as_path())))?;
        let namesake = match &store {
            Some(store) => common::namesake_warning(store, &spec.spec().name, &self.spec.spec)?,
            None => None,
        };
        let replaced = match &store {
            Some(store) => replaced_warning(store, &spec.spec().name, runs, true)?,
            None => None,
        };
        let jobs = self.jobs.map_or(1, usize::from);
        let device = global.device.resolve();
        let mut costs = Costs::on(device).with_threads((threads() / jobs).max(1));
        let mut lines = Vec::with_capacity(runs.len());
        for ((run, state), allowed) in runs.iter().zip(states).zip(&planner.allowed.runs) {
            lines.push(Line { run, state, estimate: costs.of(run)?, beyond_budget: !allowed });
        }
        let too_little = costs.too_little(&spec.spec().slurm, runs)?;
        let warnings: Vec<Warning> = namesake.into_iter().chain(replaced).chain(too_little).collect();
        let method = Method::new(&spec.spec().sweep, planner);
        let open = lines.iter().filter(|line| is_to_do(line)).count();
        let peak = || Ok::<u64, Infallible>(lines.iter().map(|line| line.estimate.memory_bytes).max().unwrap_or(0));
        let asked = self.jobs.map_or(RunsPerDevice::Auto, |jobs| RunsPerDevice::Exactly(jobs.into()));
        let Ok(at_a_time) = asked.on(device, open, threads(), peak);
        let range = time_range(planner, &lines, &method, jobs);
        if out.json {
            let mut document = document(spec, &lines, &left_over, &method)?;
            document["sweep"]["warnings"] = serde_json::to_value(planner.sweep_warnings())?;
            document["sweep"]["seconds_left"] = planner.seconds_left.into();
            document["sweep"]["runs_to_come"] = planner.to_come().into();
            document["device"] = device.name().into();
            document["warnings"] = serde_json::to_value(&warnings)?;
            document["runs_at_a_time"] = at_a_time.into();
            document["time_s"] = json!({ "low": range.0, "high": range.1 });
            out.document(&document)?;
            return Ok(ExitCode::SUCCESS);
        }
        let total = total(planner, &lines, &method, jobs, range);
        print(planner, (&lines, self.all), &left_over, &method, &total, out)?;
        for warning in &warnings {
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

/// Runs of trials that a search has yet to propose, as far as the budget allows them.
fn to_come(planner: &Planner) -> usize {
    planner.to_come().min(planner.allowed.more)
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

fn print(
    planner: &Planner,
    (lines, all): (&[Line], bool),
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
    let mut shown: Vec<DataConfig> = Vec::new();
    for line in lines {
        let config = &line.run.config.data;
        // Folds of the same rows are said once.
        let config = DataConfig { fold: config.fold.map(Fold::first), ..config.clone() };
        if shown.contains(&config) {
            continue;
        }
        shown.push(config);
        if shown.len() == 1 {
            out.line("")?;
            plan_data::describe(line.run, out)?;
        }
    }
    if shown.len() > 1 {
        let settings = format!("(the data settings of the first run; the sweep has {} different ones)", shown.len());
        out.labelled(("", plan_data::VALUES), &settings)?;
    }
    plan_data::rates(lines.iter().map(|line| line.run), out)?;
    plan_data::other_lengths(lines.iter().map(|line| line.run), out)?;
    plan_data::dropout(lines.iter().map(|line| line.run), out)?;
    for (label, line) in method.lines() {
        out.labelled((label, plan_data::VALUES), &line)?;
    }
    for warning in planner.warning_lines() {
        out.wrapped(&warning)?;
    }
    for note in notes(lines.iter().map(|line| line.run)) {
        out.wrapped(&format!("note: {}", format::one_line(note)))?;
    }
    out.line("")?;
    let shared = shared_reasons(lines);
    match all || !out.terminal {
        true => plan_runs::each(lines, &shared, out)?,
        false => plan_runs::grouped(lines, &shared, out)?,
    }
    out.say_what_is_left_out()?;
    if let Some(note) = method.whole_runs().filter(|_| lines.iter().any(is_to_do)) {
        out.wrapped(note)?;
    }
    for Shared { what, why, runs, .. } in shared {
        let runs = format::counted(runs as u64, "run");
        // The reason of a failure has a colon itself.
        let text = match what {
            None => format!("changed since the last `taper run`, in {runs}: {why}"),
            Some(what) => format!("{runs} {what}\n  {why}"),
        };
        text.lines().try_for_each(|line| out.wrapped(line))?;
    }
    let removed = lines.iter().filter(|line| line.state.removed).count();
    if removed > 0 && Prune::of(&spec.spec().sweep) != Prune::None {
        let were = format::by_number(removed as u64, "was", "were");
        let again = report::trained_again(removed, true);
        out.wrapped(&format!("{} {were} removed: `taper run` {again}", format::counted(removed as u64, "run")))?;
    }
    if !left_over.is_empty() {
        out.line("")?;
        out.wrapped(
            "no longer in the plan: these runs are from the last time this spec was run, and stay in the database",
        )?;
        let rows = left_over.iter().map(|(run, name)| {
            vec![format::short(&run.key).to_string(), name.clone(), run.state_text(), format::count(run.steps)]
        });
        out.table(&["run", "name", "state", "steps"], rows)?;
    }
    out.line("")?;
    out.wrapped(total)
}

/// Bounds in seconds for the remaining runs: small models and short rows use the processor less well than the measured speed, and
/// evaluations come on top.
fn time_range(planner: &Planner, lines: &[Line], method: &Method, jobs: usize) -> (f64, f64) {
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
    // Of a search no range is known: its later trials are better than random ones.
    let shares = if method.may_be_more() { (method.share(), method.share()) } else { method.share_range() };
    let of = |share: f64| ((known + mean * to_come(planner) as f64) * share / slots).max(longest);
    (of(shares.0), MOST * of(shares.1))
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

/// `about 4.2s, depending on the results,`: how many trials are promoted cannot be known, so this is no bound.
fn roughly(estimate: f64) -> String {
    match format::duration(estimate) {
        none if none == NO_TIME => "a moment, or more depending on the results,".into(),
        estimate => format!("about {estimate}, depending on the results,"),
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
    let of_run = |e: &Estimate| {
        let rows = e.rows_bytes as f64;
        method.share() * rows + method.finishing() * (e.kept_bytes as f64 - rows)
    };
    let kept = open.iter().map(|line| of_run(&line.estimate)).sum::<f64>();
    let kept = kept + mean(&of_run) * to_come as f64;
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
    let at_most = if method.stops_unknown() { "at most " } else { "" };
    let all = lines.len() + planner.to_come();
    let beyond = all - to_come - lines.iter().filter(|line| !line.beyond_budget).count();
    let beyond = match beyond {
        0 => String::new(),
        n => format!(" (the budget leaves out {}; raise it to train more)", format::count(n as u64)),
    };
    format!(
        "{} of {} to do{known}{beyond}: {} on this machine's CPU, if it is otherwise idle, with {at_a_time}. Results \
         take {at_most}{} on disk; while it trains, a run needs another {} for its checkpoints{}.{}",
        format::count((open.len() + to_come) as u64),
        format::counted(all as u64, "run"),
        if method.may_be_more() { roughly(low) } else { between(low, high) },
        format::bytes(kept as u64),
        format::bytes(training),
        left_out(&lines),
        hours(planner, &open, method).map(|text| format!(" {text}")).unwrap_or_default()
    )
}

/// That `sweep.max_hours` is expected to end the sweep, and where it trains the runs in their order, after how many of them.
fn hours(planner: &Planner, open: &[&Line], method: &Method) -> Option<String> {
    let left_s = planner.seconds_left?;
    let costs: Vec<f64> = open.iter().map(|line| line.estimate.time_s.unwrap_or(0.0) * left(line)).collect();
    let mean = costs.iter().sum::<f64>() / costs.len().max(1) as f64;
    // All runs spend it together, however many train at a time.
    let all_s = costs.iter().sum::<f64>() + mean * to_come(planner) as f64;
    let ends = ends(left_s, all_s, method.share_range())?;
    let key = format!("sweep.max_hours = {}", planner.spec.spec().sweep.max_hours.unwrap_or_default());
    let all = open.len() + to_come(planner);
    let after = match method.prunes() || to_come(planner) > 0 {
        true => "before all of them are trained".into(),
        false => {
            let [most, least] = [1.0, MOST].map(|factor| how_many(&costs, left_s / factor));
            let span = if least == most { most.to_string() } else { format!("{least} to {most}") };
            format!("after about {span} of these {}", format::counted(all as u64, "run"))
        }
    };
    Some(format!(
        "{key} leaves {} of training for all runs together: by this estimate it {ends} {after}.",
        format::duration(left_s)
    ))
}

/// Whether `left_s` seconds end a sweep whose runs are estimated to take `all_s`, of which the rule trains a share from the lower to the
/// upper; `None` if they suffice in any case.
fn ends(left_s: f64, all_s: f64, (low, high): (f64, f64)) -> Option<&'static str> {
    match left_s {
        s if s < all_s * low => Some("ends the sweep"),
        s if s < MOST * all_s * high => Some("may end the sweep"),
        _ => None,
    }
}

/// How many runs are trained one after the other within so many seconds.
fn how_many(costs: &[f64], seconds: f64) -> usize {
    let sums = costs.iter().scan(0.0, |sum, cost| {
        *sum += cost;
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= seconds).count()
}

/// What is known of a run's data.
fn data_document(run: &Prepared) -> serde_json::Value {
    let (data, splits, leaks) = (&run.dataset, &run.splits, &run.audit().leaks);
    let all: Vec<u32> = (0..data.rows.len() as u32).collect();
    let mut document = json!({
        "rows": data.rows.len(), "duplicates": data.cleaning.duplicates, "contradicting": data.cleaning.contradicting,
        "contradicting_rows": data.cleaning.contradicting_rows, "contradicting_lines": data.cleaning.contradicting_lines,
        "labels": data.labels, "rows_of_label": data.class_counts(&all),
        "folds": splits.folds, "train": splits.train.len(), "dev": splits.dev.len(), "test": splits.test.len(),
        "rows_of_label_by_split": {
            "train": data.class_counts(&splits.train), "dev": data.class_counts(&splits.dev),
            "test": data.class_counts(&splits.test),
        },
        "test_rows_in_train": leaks.iter().find(|leak| (leak.rows_of, leak.also_in) == (Split::Test, Split::Train)).map_or(0, |leak| leak.exact),
        "leakage": leaks, "digest": data.digest,
    });
    let of_split = |file: &SplitFile| {
        let mut document = json!({ "split": file.split, "name": file.name, "rows": file.rows.len() });
        reading(&mut document, (&file.notes, &file.sources), &file.cleaning);
        document
    };
    document["files"] = data.files.iter().map(of_split).collect();
    reading(&mut document, (&data.notes, &data.sources), &data.cleaning);
    document
}

/// Adds how files were read and what was dropped.
fn reading(document: &mut serde_json::Value, (notes, files): (&[String], &[ReadFile]), c: &Cleaning) {
    document["read_as"] = notes.into();
    document["sources"] = files.iter().map(|file| json!({ "name": file.name, "sha256": file.sha256 })).collect();
    document["read"] = c.read.into();
    let missing = [
        ("missing_text", c.missing_text, &c.missing_text_lines),
        ("missing_pair", c.missing_pair, &c.missing_pair_lines),
        ("missing_label", c.missing_label, &c.missing_label_lines),
    ];
    for (what, rows, lines) in missing {
        document[what] = rows.into();
        document[format!("{what}_lines")] = lines.clone().into();
    }
}

/// The texts of a split, and whether its totals are only lower bounds: of very long texts only the beginning is counted.
fn split_texts(texts: &SplitTexts) -> Result<serde_json::Value> {
    let mut document = serde_json::to_value(texts)?;
    document["totals_are_lower_bounds"] = (texts.longer_than_counted > 0).into();
    Ok(document)
}

fn document(
    spec: &LoadedSpec,
    lines: &[Line],
    left_over: &[LeftOver<'_>],
    method: &Method,
) -> Result<serde_json::Value> {
    let runs = lines.iter().map(|line| {
        let (run, e, l) = (line.run, &line.estimate, line.run.lengths()?);
        Ok(json!({
            "key": run.key, "name": run.name, "standing": line.state.word, "why": line.state.why,
            "beyond_budget": line.beyond_budget, "config": run.config,
            "learning_rates": run.rates(),
            "rungs": method.rungs_of(run),
            "data": data_document(run),
            "warnings": run.warnings, "notes": run.notes,
            "tokens": {
                "mean": l.mean, "p50": l.p50, "p90": l.p90, "p99": l.p99, "max": l.max, "truncated": l.truncated,
                "longer_than_counted": l.longer_than_counted,
                "splits": run.texts()?.iter().map(split_texts).collect::<Result<Vec<_>>>()?,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The time shown goes up to [`MOST`] times the upper share: 72 s.
    #[test]
    fn the_hours_may_end_a_sweep_as_long_as_the_longest_time_that_is_shown() {
        let of = |left_s| ends(left_s, 100.0, (0.26, 0.36));
        assert_eq!(of(25.9), Some("ends the sweep"));
        assert_eq!((of(26.1), of(60.0), of(71.9)), (of(30.0), of(30.0), Some("may end the sweep")));
        assert_eq!(of(72.1), None);
    }
}
