//! Names and colours of the trials that are drawn.

use super::{
    super::{
        analysis::Analysis,
        charts::{LegendEntry, OTHERS, PALETTE, Symbol},
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

/// The colour of each trial that is drawn, on the whole page: those that rank first have one of the palette, in the order of the plan, so that a
/// trial also keeps it while the ranking changes.
pub fn colours(drawn: &Drawn) -> Vec<Option<RGBColor>> {
    let leading = drawn.trials.len().min(PALETTE.len());
    let mut of_plan: Vec<usize> = (0..leading).collect();
    of_plan.sort_by_key(|&trial| drawn.trials[trial].iter().min().copied());
    let mut colours = vec![None; drawn.trials.len()];
    of_plan.into_iter().zip(PALETTE).for_each(|(trial, colour)| colours[trial] = Some(colour));
    colours
}

/// The trials that are drawn, in drawing order: grey ones first, then from worst to best, so that the best is on top; and the legend, which
/// is empty for a single run. `shown` tells which runs the chart has anything of.
pub fn series(
    input: &ReportInput,
    analysis: &Analysis,
    drawn: &Drawn,
    shown: impl Fn(usize) -> bool,
) -> (Vec<Series>, Vec<LegendEntry>) {
    let of_trial =
        |(runs, colour): (&Vec<usize>, _)| (runs.iter().copied().filter(|i| shown(*i)).collect::<Vec<_>>(), colour);
    let trials: Vec<(Vec<usize>, Option<RGBColor>)> =
        drawn.trials.iter().zip(colours(drawn)).map(of_trial).filter(|(runs, _)| !runs.is_empty()).collect();
    let failed: Vec<usize> = drawn.failed.iter().copied().filter(|i| shown(*i)).collect();
    let group = |runs: &[usize]| &analysis.groups[analysis.group_of(runs[0])];
    // In the order of the ranking, which is that of what is drawn.
    let leading: Vec<(&[usize], RGBColor)> =
        trials.iter().filter_map(|(runs, colour)| Some((&runs[..], (*colour)?))).collect();
    let names: Vec<String> = leading.iter().map(|(runs, _)| group(runs).name.clone()).collect();
    let all: Vec<&str> = analysis.groups.iter().map(|group| group.name.as_str()).collect();
    let mut short = names;
    distinguish(short.iter_mut().collect(), &all);
    let mut legend: Vec<LegendEntry> = leading
        .iter()
        .zip(short)
        .map(|(&(runs, colour), name)| {
            let rank = group(runs).rank.filter(|_| analysis.groups.len() > 1);
            let rank = rank.map_or(String::new(), |rank| format!("{rank}. "));
            let name = match runs.len() {
                1 => format!("{rank}{name}"),
                n => {
                    tr!("{rank}{name} ({n} {}s)", analysis.replicate; "{rank}{name}（{}）", counted(n as u64, analysis.replicate))
                }
            };
            let substitute = format::short(&input.runs[runs[0]].run.key).to_string();
            LegendEntry { name, substitute, colour, symbol: Symbol::Line }
        })
        .collect();
    let others = trials.len() - leading.len();
    let ranks = trials.iter().filter(|(_, colour)| colour.is_none()).filter_map(|(runs, _)| group(runs).rank);
    let (first, last) = ranks.fold((usize::MAX, 0), |(first, last), rank| (first.min(rank), last.max(rank)));
    let mut grey = |n: usize, thing: &str, ranked: String| {
        if n > 0 {
            let name = format::plural(n, thing) + &ranked;
            legend.push(LegendEntry { substitute: name.clone(), name, colour: OTHERS, symbol: Symbol::Line });
        }
    };
    let ranked = match first < last {
        true => tr!(" (ranks {first} to {last})", "（第 {first} 至 {last} 名）"),
        false => String::new(),
    };
    grey(others, "other", ranked);
    grey(failed.len(), "failed run", String::new());
    if trials.iter().map(|(runs, _)| runs.len()).sum::<usize>() + failed.len() < 2 {
        legend.clear();
    }
    let mut series: Vec<Series> =
        failed.into_iter().map(|i| Series { runs: vec![i], colour: OTHERS, leads: false }).collect();
    for (runs, own) in trials.into_iter().rev() {
        series.push(Series { runs, colour: own.unwrap_or(OTHERS), leads: own.is_some() });
    }
    (series, legend)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first six of the ranking, in the order of the plan.
    #[test]
    fn a_colour_belongs_to_a_trial_and_follows_the_plan() {
        let trials = [7, 3, 5, 1, 8, 2, 4].map(|run| vec![run]).to_vec();
        let of = colours(&Drawn { trials, ..Drawn::default() });
        let at = |index: usize| Some(PALETTE[index]);
        assert_eq!(of, [at(4), at(2), at(3), at(0), at(5), at(1), None]);
    }
}
