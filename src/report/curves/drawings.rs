//! The charts of the training with their captions.

use super::{
    super::{
        analysis::Analysis,
        charts::{Drawing, LossChart, MetricChart},
        format,
        input::{ReportInput, Settings, split_name},
    },
    evaluations::metric,
    select::Drawn,
    steps::{beside, ended_early, gradient, loss, rate, training_has},
};
use crate::{event::Split, format::setting, store::RunState};

/// Those that the records have something of.
pub fn drawings(input: &ReportInput, settings: &Settings, analysis: &Analysis) -> Vec<Drawing> {
    let drawn = Drawn::of(input, analysis);
    let smoothing = settings.smoothing;
    let mut all = Vec::new();
    let mut push = |name: &'static str, alt: String, caption: String, chart: LossChart| {
        let thinned = if chart.is_thinned() {
            " Of the steps in one column of pixels, the lowest and the highest value are drawn (min-max)."
        } else {
            ""
        };
        all.push(Drawing { name, alt, caption: format!("{caption}{thinned}"), chart: Box::new(chart) });
    };
    if let Some(chart) = loss(input, analysis, &drawn, smoothing) {
        let what = if chart.averaged {
            "The mean loss of each step’s rows, before the update, as an exponential moving average. ".to_owned()
                + AVERAGED
        } else {
            "Thin: the mean loss of each step’s rows, before the update. Bold: its exponential moving average."
                .to_owned()
        };
        let caption = format!("{what}{}{}{}", cut(&chart), crosses(input, &drawn), drawn.left_out());
        push("loss", "Training loss by step".into(), caption, chart);
    }
    if let Some((chart, split, runs)) = beside(input, analysis, &drawn, smoothing) {
        let also = match training_has(&input.runs[runs[0]]) {
            none if none.is_empty() => String::new(),
            some => {
                format!(
                    " It is measured with {some}, the {0} loss without, so it may stay above the {0} loss.",
                    split_name(split)
                )
            }
        };
        let caption = format!(
            "{}The training loss is a moving average over the past steps, so it lags.{also}{}{}",
            of_trial(input, analysis, &runs),
            if split == Split::Test { " There are no dev rows." } else { "" },
            cut(&chart),
        );
        push("train-dev", format!("Loss of training and of {} rows by step", split_name(split)), caption, chart);
    }
    if let Some(chart) = gradient(input, analysis, &drawn, smoothing) {
        let clipped = match chart.mark {
            Some(norm) => format!(
                " The dashed line is train.max_grad_norm = {}: larger gradients are scaled down to it ({} of the steps drawn).",
                setting(norm),
                format::percent(chart.above(norm))
            ),
            None => String::new(),
        };
        let what = if chart.averaged { AVERAGED } else { "Thin: each step. Bold: its exponential moving average." };
        let caption = format!("{what}{clipped}{}{}", cut(&chart), crosses(input, &drawn));
        push("gradient-norm", "Gradient norm by step".into(), caption, chart);
    }
    if let Some(chart) = rate(input, analysis, &drawn) {
        push(
            "learning-rate",
            "Learning rate by step".into(),
            "Trials with the same schedule have the same line.".into(),
            chart,
        );
    }
    if let Some(chart) = metric(input, analysis, &drawn) {
        all.push(of_metric(chart, &drawn));
    }
    all
}

const AVERAGED: &str =
    "Thin: each run. Bold: the mean over the runs of a trial. Band: from its lowest to its highest run.";

fn of_metric(chart: MetricChart, drawn: &Drawn) -> Drawing {
    let averaged = if chart.bands.is_empty() { String::new() } else { format!(" {AVERAGED}") };
    let caption =
        format!("Evaluations during training; the first is before the first step.{averaged}{}", drawn.left_out());
    let name = format::capital(chart.metric.name());
    Drawing { name: chart.metric.info().id, alt: format!("{name} during training"), caption, chart: Box::new(chart) }
}

/// How many values are above the axis.
fn cut(chart: &LossChart) -> String {
    match chart.cut() {
        0 => String::new(),
        n => format!(
            " {} above {} {} drawn at the upper end of the axis; the highest is {}.",
            format::plural(n, "value"),
            crate::format::rate(chart.top()),
            crate::format::by_number(n as u64, "is", "are"),
            crate::format::rate(chart.highest())
        ),
    }
}

/// Where the curves of runs end that have not all steps.
fn crosses(input: &ReportInput, drawn: &Drawn) -> String {
    let ended =
        |state: &RunState| drawn.runs().any(|i| input.runs[i].run.state == *state && ended_early(&input.runs[i]));
    let ended: Vec<&str> = RunState::ALL.into_iter().filter(ended).map(RunState::word).collect();
    match ended.is_empty() {
        false => format!(" A cross marks where a run ended before its last step ({}).", ended.join(", ")),
        true => String::new(),
    }
}

/// Of which runs a chart of one trial is.
fn of_trial(input: &ReportInput, analysis: &Analysis, runs: &[usize]) -> String {
    let several = analysis.groups.len() > 1;
    match (runs, several) {
        ([only], true) => format!("Run {}. ", input.runs[*only].run.name),
        ([_], false) => String::new(),
        (runs, several) => {
            let group = &analysis.groups[analysis.group_of(runs[0])];
            let name = if several { format!("Trial {}, ", group.name) } else { String::new() };
            let over = format!("mean over {}", format::plural(runs.len(), analysis.replicate));
            let over = if several { over } else { format::capital(&over) };
            format!("{name}{over}; band: from the lowest to the highest. ")
        }
    }
}
