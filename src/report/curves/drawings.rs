//! The charts of the training with their captions.

use super::{
    super::{
        analysis::Analysis,
        charts::{Drawing, LossChart, MetricChart},
        format,
        input::{ReportInput, Settings},
    },
    evaluations::metric,
    select::Drawn,
    steps::{beside, ended_early, gradient, loss, rate, training_has},
};
use crate::report::language::{Said, counted, tr};
use crate::{event::Split, format::setting, store::RunState};

/// Those that the records have something of.
pub fn drawings(input: &ReportInput, settings: &Settings, analysis: &Analysis) -> Vec<Drawing> {
    let drawn = Drawn::of(input, analysis);
    let smoothing = settings.smoothing;
    let mut all = Vec::new();
    let mut push = |name: &'static str, alt: String, caption: String, chart: LossChart| {
        let thinned = if chart.is_thinned() {
            tr(
                " Of the steps in one column of pixels, the lowest and the highest value are drawn (min-max).",
                "同一列像素内的各步，画出最低值和最高值（min-max）。",
            )
        } else {
            ""
        };
        all.push(Drawing { name, alt, caption: format!("{caption}{thinned}"), chart: Box::new(chart) });
    };
    if let Some(chart) = loss(input, analysis, &drawn, smoothing) {
        let what = if chart.averaged {
            tr(
                "The mean loss of each step’s rows, before the update, as an exponential moving average. ",
                "每一步的各行在更新前的平均损失，取指数移动平均。",
            )
            .to_owned()
                + averaged_runs()
        } else {
            tr(
                "Thin: the mean loss of each step’s rows, before the update. Bold: its exponential moving average.",
                "细线：每一步的各行在更新前的平均损失。粗线：它的指数移动平均。",
            )
            .to_owned()
        };
        let caption = format!("{what}{}{}{}", cut(&chart), crosses(input, &drawn), drawn.left_out());
        push("loss", tr("Training loss by step", "各步的训练损失").into(), caption, chart);
    }
    if let Some((chart, split, runs)) = beside(input, analysis, &drawn, smoothing) {
        let also = match training_has(&input.runs[runs[0]]) {
            none if none.is_empty() => String::new(),
            some => {
                tr!(
                    " It is measured with {some}, the {0} loss without, so it may stay above the {0} loss.",
                    "计算训练损失时使用了 {some}，计算{0}损失时则没有，因此它可能一直高于{0}损失。",
                    split.said(),
                )
            }
        };
        let caption = tr!(
            "{}The training loss is a moving average over the past steps, so it lags.{also}{}{}",
            "{}训练损失是过去各步的移动平均，因此滞后。{also}{}{}",
            of_trial(input, analysis, &runs),
            if split == Split::Test { tr(" There are no dev rows.", "没有开发集。") } else { "" },
            cut(&chart),
        );
        push(
            "train-dev",
            tr!("Loss of training and of {} rows by step", "各步的训练损失和{}损失", split.said()),
            caption,
            chart,
        );
    }
    if let Some(chart) = gradient(input, analysis, &drawn, smoothing) {
        let clipped = match chart.mark {
            Some(norm) => tr!(
                " The dashed line is train.max_grad_norm = {}: larger gradients are scaled down to it ({} of the steps).",
                "虚线是 train.max_grad_norm = {}：更大的梯度按比例缩小到它（共 {} 的步被裁剪）。",
                setting(norm),
                format::percent(chart.above(norm))
            ),
            None => String::new(),
        };
        let what = if chart.averaged {
            averaged_runs()
        } else {
            tr("Thin: each step. Bold: its exponential moving average.", "细线：每一步。粗线：它的指数移动平均。")
        };
        let caption = format!("{what}{clipped}{}{}", cut(&chart), crosses(input, &drawn));
        push("gradient-norm", tr("Gradient norm by step", "各步的梯度范数").into(), caption, chart);
    }
    if let Some(chart) = rate(input, analysis, &drawn) {
        push(
            "learning-rate",
            tr("Learning rate by step", "各步的学习率").into(),
            tr("Trials with the same schedule have the same line.", "学习率调度相同的试验，曲线重合。").into(),
            chart,
        );
    }
    if let Some(chart) = metric(input, analysis, &drawn) {
        all.push(of_metric(chart, &drawn));
    }
    all
}

/// What averages over runs look like.
fn averaged_runs() -> &'static str {
    tr(
        "Thin: each run. Bold: the mean over the runs of a trial. Band: from its lowest to its highest run.",
        "细线：每次运行。粗线：试验各次运行的平均。色带：从最低到最高的运行。",
    )
}

fn of_metric(chart: MetricChart, drawn: &Drawn) -> Drawing {
    let averaged = if chart.bands.is_empty() { String::new() } else { tr!(" {}", "{}", averaged_runs()) };
    let caption = tr!(
        "Evaluations during training; the first is before the first step.{}{averaged}{}",
        "训练期间的评估；第一次评估在第一步之前。{}{averaged}{}",
        chart.beyond(),
        drawn.left_out()
    );
    let name = format::capital(&chart.metric.said());
    Drawing {
        name: chart.metric.info().id,
        alt: tr!("{name} during training", "训练期间的{name}"),
        caption,
        chart: Box::new(chart),
    }
}

/// How many values are above the axis: of the steps themselves, whatever is drawn of them.
fn cut(chart: &LossChart) -> String {
    let (top, highest) = (crate::format::rate(chart.top()), crate::format::rate(chart.highest()));
    match chart.cut() {
        0 => String::new(),
        n if chart.draws_averages() => tr!(
            " Before averaging, {} ({} of all) {} above {top}, the upper end of the axis; the highest is {highest}.",
            format::plural(n, "value"),
            format::percent(chart.above(chart.top())),
            crate::format::by_number(n as u64, "is", "are")
        ; "未经平均的各步数值中，有 {0}（占 {1}）高于纵轴上限 {top}；最高为 {highest}。", counted(n as u64, "value"), format::percent(chart.above(chart.top()))),
        n => tr!(
            " {} above {top} {} drawn at the upper end of the axis; the highest is {highest}.",
            format::plural(n, "value"),
            crate::format::by_number(n as u64, "is", "are")
        ; "有 {0}高于 {top}，画在纵轴上限处；最高为 {highest}。", counted(n as u64, "value")),
    }
}

/// Where the curves of runs end that have not all steps.
fn crosses(input: &ReportInput, drawn: &Drawn) -> String {
    let ended =
        |state: &RunState| drawn.runs().any(|i| input.runs[i].run.state == *state && ended_early(&input.runs[i]));
    let ended: Vec<&str> = RunState::ALL.into_iter().filter(ended).map(|state| state.said()).collect();
    match ended.is_empty() {
        false => tr!(
            " A cross marks where a run ended before its last step ({}).",
            "叉号标出运行在最后一步之前结束的地方（{}）。",
            ended.join(tr(", ", "、"))
        ),
        true => String::new(),
    }
}

/// Of which runs a chart of one trial is.
fn of_trial(input: &ReportInput, analysis: &Analysis, runs: &[usize]) -> String {
    let several = analysis.groups.len() > 1;
    match (runs, several) {
        ([only], true) => tr!("Run {}. ", "运行 {}。", input.runs[*only].run.name),
        ([_], false) => String::new(),
        (runs, several) => {
            let group = &analysis.groups[analysis.group_of(runs[0])];
            let name = if several { tr!("Trial {}, ", "试验 {}，", group.name) } else { String::new() };
            let over = tr!("mean over {}", "{}的平均", format::plural(runs.len(), analysis.replicate));
            let over = if several { over } else { format::capital(&over) };
            tr!("{name}{over}; band: from the lowest to the highest. ", "{name}{over}；色带：从最低到最高。")
        }
    }
}
