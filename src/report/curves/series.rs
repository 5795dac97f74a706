//! Names and colours of the trials that are drawn.

use super::{
    super::{
        analysis::Analysis,
        charts::{LegendEntry, OTHERS, PALETTE},
        format,
        input::ReportInput,
        pictures::distinguish,
    },
    select::Drawn,
};
use crate::report::language::{counted, tr};
use plotters::style::RGBColor;

/// A trial in a chart.
pub struct Series {
    /// Its runs.
    pub runs: Vec<usize>,
    /// Its colour: grey beyond the palette.
    pub colour: RGBColor,
    /// Whether it has a colour of its own.
    pub leads: bool,
}

/// The trials that are drawn, in drawing order: grey ones first, then from worst to best, so that the best is on top; and the legend, which
/// is empty for a single run. `shown` tells which runs the chart has anything of.
pub fn series(
    input: &ReportInput,
    analysis: &Analysis,
    drawn: &Drawn,
    shown: impl Fn(usize) -> bool,
) -> (Vec<Series>, Vec<LegendEntry>) {
    let trials: Vec<Vec<usize>> =
        drawn.trials.iter().map(|runs| runs.iter().copied().filter(|i| shown(*i)).collect()).collect();
    let trials: Vec<Vec<usize>> = trials.into_iter().filter(|runs| !runs.is_empty()).collect();
    let failed: Vec<usize> = drawn.failed.iter().copied().filter(|i| shown(*i)).collect();
    let group = |runs: &[usize]| &analysis.groups[analysis.group_of(runs[0])];
    // Colours follow the plan, so that a trial keeps its colour while the ranking changes.
    let leading = trials.len().min(PALETTE.len());
    let mut of_plan: Vec<usize> = (0..leading).collect();
    of_plan.sort_by_key(|&i| trials[i].iter().min().copied());
    let colour = |i: usize| of_plan.iter().position(|&other| other == i).map(|at| PALETTE[at]);
    let names: Vec<String> = of_plan
        .iter()
        .map(|&i| {
            let (runs, of) = (&trials[i], group(&trials[i]));
            match runs.len() {
                1 => of.name.clone(),
                n => tr!("{} ({n} {}s)", of.name, analysis.replicate; "{}（{}）", of.name, counted(n as u64, analysis.replicate)),
            }
        })
        .collect();
    let all: Vec<&str> = analysis.groups.iter().map(|group| group.name.as_str()).collect();
    let mut short = names;
    distinguish(short.iter_mut().collect(), &all);
    let mut legend: Vec<LegendEntry> = of_plan
        .iter()
        .zip(short)
        .filter_map(|(&i, name)| {
            let key = trials[i].first().map(|&run| format::short(&input.runs[run].run.key).to_string());
            Some(LegendEntry { name, substitute: key?, colour: colour(i)?, dashed: false })
        })
        .collect();
    let mut grey = |n: usize, thing: &str| {
        if n > 0 {
            let name = format::plural(n, thing);
            legend.push(LegendEntry { substitute: name.clone(), name, colour: OTHERS, dashed: false });
        }
    };
    grey(trials.len() - leading, "other");
    grey(failed.len(), "failed run");
    if trials.iter().map(Vec::len).sum::<usize>() + failed.len() < 2 {
        legend.clear();
    }
    let mut series: Vec<Series> =
        failed.into_iter().map(|i| Series { runs: vec![i], colour: OTHERS, leads: false }).collect();
    for (i, runs) in trials.into_iter().enumerate().rev() {
        let own = colour(i);
        series.push(Series { runs, colour: own.unwrap_or(OTHERS), leads: own.is_some() });
    }
    (series, legend)
}
