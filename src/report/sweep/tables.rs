//! The CSV tables of a sweep. Each axis is a column of its own, and cells with text are inert.

use csv::Writer;

use super::{axes::Axis, study::Sweep};
use crate::{
    event::{FailureKind, Split},
    metrics::{Metric, Metrics},
    report::{
        ReportError,
        analysis::{Analysis, Group},
        cells::{Table, text},
        input::ReportInput,
        trials::kept,
    },
    store::RunState,
};

/// A table.
pub struct SweepTable {
    /// Name of its file.
    pub name: &'static str,
    /// What it contains.
    pub contents: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

/// The tables of a sweep with several trials: those that have a line.
pub fn tables(input: &ReportInput, analysis: &Analysis, sweep: &Sweep) -> Result<Vec<SweepTable>, ReportError> {
    let mut all = Vec::new();
    let mut add = |name: &'static str, contents, fill: &dyn Fn(&mut Table) -> csv::Result<()>| {
        let failed = |error: csv::Error| ReportError::Table { name: name.to_string(), error };
        let mut table = Writer::from_writer(Vec::new());
        fill(&mut table).map_err(failed)?;
        let bytes = table.into_inner().map_err(|error| failed(error.into_error().into()))?;
        all.push(SweepTable { name, contents, bytes });
        Ok(())
    };
    if analysis.groups.len() > 1 {
        let contents = "one line per trial, in the order of the ranking: swept keys, means over its completed runs on dev and test rows";
        add("trials.csv", contents, &|table| trials(table, input, analysis, sweep))?;
    }
    if !sweep.effects.is_empty() {
        add("effects.csv", "the mean of the trials with each value of each axis", &|table| {
            effects(table, analysis, sweep)
        })?;
    }
    if sweep.importance.is_some() {
        add("importance.csv", "the share of the variance between trials of each axis and pair of axes", &|table| {
            importance(table, sweep)
        })?;
    }
    if sweep.grid.is_some() {
        add("heatmap.csv", "the mean of the trials with each combination of two axes", &|table| heatmap(table, sweep))?;
    }
    if sweep.budget.is_some() {
        add(
            "budget.csv",
            "every run that ended, in that order: steps of all runs so far, and the best trial so far",
            &|table| budget(table, input, analysis, sweep),
        )?;
        add("expected_best.csv", "the expected best of 1, 2, … trials", &|table| expected(table, sweep))?;
    }
    if !sweep.pruned.is_empty() {
        let contents =
            "every trial at every rung at which a trial was pruned: its value, its rank there, and its final value";
        add("rungs.csv", contents, &|table| rungs(table, analysis, sweep))?;
    }
    if !(sweep.pruned.is_empty() && sweep.failures.is_empty()) {
        add("ended.csv", "every run that was pruned or failed, with its step and the reason", &|table| {
            ended(table, input, analysis, sweep)
        })?;
    }
    Ok(all)
}

fn number(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map(|value| value.to_string()).unwrap_or_default()
}

fn keys(axes: &[Axis]) -> impl Iterator<Item = String> + '_ {
    axes.iter().map(|axis| text(&axis.key))
}

fn values(axes: &[Axis], group: usize) -> impl Iterator<Item = String> + '_ {
    // A number as a program reads it.
    axes.iter().map(move |axis| axis.numbers[group].map_or_else(|| text(&axis.values[group]), |n| n.to_string()))
}

/// The name of a column of the ranking metric: `dev_accuracy`.
fn ranked(sweep: &Sweep) -> String {
    text(&format!("{}_{}", sweep.split, sweep.metric.info().id))
}

/// The metrics of both splits: the one that ranks, the two of the task, and the loss.
fn metrics_of(analysis: &Analysis, sweep: &Sweep) -> Vec<Metric> {
    let mut all: Vec<Metric> = Vec::new();
    for metric in [sweep.metric, analysis.terms.first, analysis.terms.second, Metric::Loss] {
        if !all.contains(&metric) {
            all.push(metric);
        }
    }
    all
}

/// Mean and standard deviation of a metric over runs that have it.
fn mean_sd(measured: &[&Metrics], metric: Metric) -> [String; 2] {
    let values: Vec<f64> = measured.iter().map(|m| m.get(metric)).filter(|value| value.is_finite()).collect();
    let sample = crate::stats::Sample::new(&values);
    [number(sample.as_ref().map(|sample| sample.mean)), number(sample.and_then(|sample| sample.sd))]
}

fn trials(table: &mut Table, input: &ReportInput, analysis: &Analysis, sweep: &Sweep) -> csv::Result<()> {
    let metrics = metrics_of(analysis, sweep);
    let on = |split: &str| {
        let of = |metric: &Metric| {
            let name = format!("{split}_{}", metric.info().id);
            [text(&name), text(&format!("{name}_sd"))]
        };
        metrics.iter().flat_map(of).collect::<Vec<String>>()
    };
    let ranked = ranked(sweep);
    let head = ["rank", "trial"].map(String::from).into_iter().chain(keys(&sweep.axes));
    let head = head.chain(["state", "runs_completed", "runs_planned", "steps", "counts"].map(String::from));
    let head =
        head.chain([format!("ranked_by_{ranked}"), "low".into(), "high".into()]).chain(on("dev")).chain(on("test"));
    table.write_record(head)?;
    let mut counts = vec![false; analysis.groups.len()];
    sweep.points.iter().for_each(|point| counts[point.group] = true);
    for &at in &analysis.order {
        let group: &Group = &analysis.groups[at];
        let completed = || group.finished.iter().map(|&run| &input.runs[run]);
        let dev: Vec<&Metrics> = completed()
            .filter_map(|run| kept(&run.run.config, &run.evals, Split::Dev, run.run.config.checkpoint.metric))
            .collect();
        let test: Vec<&Metrics> = completed()
            .filter(|run| run.measured_on() == Split::Test)
            .filter_map(|run| run.run.final_metrics.as_ref())
            .collect();
        let interval = group.chosen.filter(|_| counts[at]).and_then(|mean| mean.shown());
        let row = [group.rank.map(|rank| rank.to_string()).unwrap_or_default(), text(&group.name)].into_iter();
        let row = row.chain(values(&sweep.axes, at)).chain([
            group.state.word().into(),
            group.finished.len().to_string(),
            group.planned.to_string(),
            group.runs.iter().map(|&run| input.runs[run].run.steps).sum::<u64>().to_string(),
            counts[at].to_string(),
            number(group.chosen.filter(|_| counts[at]).map(|mean| mean.mean)),
            number(interval.map(|interval| interval.0)),
            number(interval.map(|interval| interval.1)),
        ]);
        let of = |measured: &Vec<&Metrics>| {
            metrics.iter().flat_map(|metric| mean_sd(measured, *metric)).collect::<Vec<String>>()
        };
        table.write_record(row.chain(of(&dev)).chain(of(&test)))?;
    }
    Ok(())
}

fn effects(table: &mut Table, analysis: &Analysis, sweep: &Sweep) -> csv::Result<()> {
    let ranked = ranked(sweep);
    let first = format!("final_{}", analysis.terms.first.info().id);
    let head = ["axis", "value", "lowest", "highest", "trials", "counted", "pruned", "failed"].map(String::from);
    let own = [ranked.clone(), "low".into(), "high".into(), format!("{ranked}_best"), first];
    table.write_record(head.into_iter().chain(own))?;
    for (axis, effects) in sweep.axes.iter().zip(&sweep.effects) {
        for (level, effect) in axis.levels.iter().zip(effects) {
            let interval = effect.mean.and_then(|mean| mean.shown());
            table.write_record([
                text(&axis.key),
                text(&level.text),
                number(level.range.map(|range| range.0)),
                number(level.range.map(|range| range.1)),
                effect.trials.to_string(),
                effect.mean.map_or(0, |mean| mean.n).to_string(),
                effect.pruned.to_string(),
                effect.failed.to_string(),
                number(effect.mean.map(|mean| mean.mean)),
                number(interval.map(|interval| interval.0)),
                number(interval.map(|interval| interval.1)),
                number(effect.best),
                number(effect.first),
            ])?;
        }
    }
    Ok(())
}

fn importance(table: &mut Table, sweep: &Sweep) -> csv::Result<()> {
    table.write_record(["axis", "with", "share"])?;
    let Some(importance) = &sweep.importance else { return Ok(()) };
    for (axis, share) in sweep.axes.iter().zip(&importance.main) {
        table.write_record([text(&axis.key), String::new(), share.to_string()])?;
    }
    for ((a, b), share) in &importance.pairs {
        table.write_record([text(&sweep.axes[*a].key), text(&sweep.axes[*b].key), share.to_string()])?;
    }
    Ok(())
}

fn heatmap(table: &mut Table, sweep: &Sweep) -> csv::Result<()> {
    let Some(grid) = &sweep.grid else { return Ok(()) };
    let (rows, columns) = (&sweep.axes[grid.rows], &sweep.axes[grid.columns]);
    table.write_record([text(&rows.key), text(&columns.key), "trials".into(), ranked(sweep)])?;
    for (row, cells) in rows.levels.iter().zip(&grid.cells) {
        for (column, cell) in columns.levels.iter().zip(cells) {
            table.write_record([
                text(&row.text),
                text(&column.text),
                cell.map_or(0, |cell| cell.1).to_string(),
                number(cell.map(|cell| cell.0)),
            ])?;
        }
    }
    Ok(())
}

/// The trial of each run.
fn trial_of_run(input: &ReportInput, analysis: &Analysis) -> Vec<usize> {
    let mut trial = vec![0; input.runs.len()];
    for (at, group) in analysis.groups.iter().enumerate() {
        group.runs.iter().for_each(|&run| trial[run] = at);
    }
    trial
}

fn budget(table: &mut Table, input: &ReportInput, analysis: &Analysis, sweep: &Sweep) -> csv::Result<()> {
    let Some(budget) = &sweep.budget else { return Ok(()) };
    let ranked = ranked(sweep);
    let head = ["order", "run", "trial"].map(String::from).into_iter().chain(keys(&sweep.axes));
    let head = head.chain(["state", "steps", "steps_so_far"].map(String::from));
    table.write_record(head.chain([ranked.clone(), format!("{ranked}_best_so_far")]))?;
    let trial = trial_of_run(input, analysis);
    for (i, moment) in budget.moments.iter().enumerate() {
        let (run, at) = (&input.runs[moment.run].run, trial[moment.run]);
        let row = [(i + 1).to_string(), text(&run.name), text(&analysis.groups[at].name)].into_iter();
        table.write_record(row.chain(values(&sweep.axes, at)).chain([
            run.state.word().into(),
            run.steps.to_string(),
            moment.steps.to_string(),
            number(moment.point.map(|point| sweep.points[point].mean.mean)),
            number(moment.best),
        ]))?;
    }
    Ok(())
}

fn expected(table: &mut Table, sweep: &Sweep) -> csv::Result<()> {
    table.write_record(["trials".into(), format!("expected_best_{}", ranked(sweep))])?;
    for (i, value) in sweep.budget.iter().flat_map(|budget| &budget.expected).enumerate() {
        table.write_record([(i + 1).to_string(), value.to_string()])?;
    }
    Ok(())
}

fn rungs(table: &mut Table, analysis: &Analysis, sweep: &Sweep) -> csv::Result<()> {
    let ranked = ranked(sweep);
    let head = ["rung", "trial"].map(String::from).into_iter().chain(keys(&sweep.axes));
    let head = head.chain(["step".into(), ranked.clone(), "rank".into(), "went_on".into(), format!("final_{ranked}")]);
    table.write_record(head)?;
    for rung in &sweep.pruned {
        let pruned = rung.trials.iter().map(|trial| (trial.group, trial.step, trial.value, false));
        let on = rung.on.iter().map(|trial| (trial.group, trial.step, trial.value, true));
        for (at, step, value, went_on) in on.chain(pruned) {
            let group = &analysis.groups[at];
            let row = [rung.rung.map(|rung| rung.to_string()).unwrap_or_default(), text(&group.name)].into_iter();
            let rank = rung.rank_of(at, sweep.metric).map(|rank| rank.ranks.0.to_string());
            table.write_record(row.chain(values(&sweep.axes, at)).chain([
                step.to_string(),
                number(value),
                rank.unwrap_or_default(),
                went_on.to_string(),
                number(group.rank.and(group.chosen).map(|mean| mean.mean)),
            ]))?;
        }
    }
    Ok(())
}

fn ended(table: &mut Table, input: &ReportInput, analysis: &Analysis, sweep: &Sweep) -> csv::Result<()> {
    let head = ["run", "trial"].map(String::from).into_iter().chain(keys(&sweep.axes));
    let head = head.chain(["state", "failure", "step", "total_steps", "rung"].map(String::from));
    table.write_record(head.chain([format!("{}_mean_of_trial", ranked(sweep)), "reason".into()]))?;
    let trial = trial_of_run(input, analysis);
    let mut pruned = vec![None; analysis.groups.len()];
    for rung in &sweep.pruned {
        rung.trials.iter().for_each(|trial| pruned[trial.group] = Some((rung.rung, trial.value)));
    }
    for (i, run) in input.runs.iter().enumerate() {
        let run = &run.run;
        if !matches!(run.state, RunState::Pruned | RunState::Failed) {
            continue;
        }
        let of_rung = pruned[trial[i]].filter(|_| run.state == RunState::Pruned);
        let row = [text(&run.name), text(&analysis.groups[trial[i]].name)].into_iter();
        table.write_record(row.chain(values(&sweep.axes, trial[i])).chain([
            run.state.word().into(),
            run.failure.map(FailureKind::word).unwrap_or_default().into(),
            run.steps.to_string(),
            run.total_steps.to_string(),
            of_rung.and_then(|(rung, _)| rung).map(|rung| rung.to_string()).unwrap_or_default(),
            number(of_rung.and_then(|(_, value)| value)),
            text(run.message.as_deref().unwrap_or_default()),
        ]))?;
    }
    Ok(())
}
