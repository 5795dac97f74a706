//! The learning curves of all sides in one chart.

use super::{Side, letter};
use crate::report::language::{Said, tr};
use crate::{
    event::{Split, When},
    report::{
        ReportError,
        charts::{self, Curve, Drawable, LegendEntry, LossChart, MetricChart, OTHERS, PALETTE, Symbol, Track, Weight},
        curves::{during_training, ended_early, one_an_epoch},
        format,
        input::RunInput,
        terms::Terms,
    },
    stats::ema,
    store::{EvalRecord, RunState},
};

/// Weight of the past in the smoothed loss.
const SMOOTHING: f64 = 0.9;

/// A chart in the page.
pub struct CurveChart {
    /// The sentence below it.
    pub caption: &'static str,
    /// The chart.
    pub svg: String,
    /// The same for a phone.
    pub narrow: String,
}

/// The charts of these sides that have something to show.
pub fn curve_charts(sides: &[Side]) -> Result<Vec<CurveChart>, ReportError> {
    let mut curve_charts = Vec::new();
    if let Some(chart) = loss(sides) {
        let caption = tr(
            "Thin: the mean loss of each step's rows, before the update. Bold: its exponential moving average. Runs of one side have \
                       the same colour.",
            "细线：每一步的各行在更新前的平均损失。粗线：它的指数移动平均。同一方的运行颜色相同。",
        );
        curve_charts.push(curve_chart(tr("Training loss by step", "各步的训练损失").into(), caption, &chart)?);
    }
    if let Some(chart) = metric(sides) {
        let alt = tr!("{} during training", "训练期间的{}", format::capital(&chart.metric.said()));
        curve_charts.push(curve_chart(
            alt,
            tr(
                "Evaluations during training; the first is before the first step.",
                "训练期间的评估；第一次在第一步之前。",
            ),
            &chart,
        )?);
    }
    Ok(curve_charts)
}

fn curve_chart(alt: String, caption: &'static str, chart: &dyn Drawable) -> Result<CurveChart, ReportError> {
    // Screen readers say what a picture shows instead of its parts.
    let named = |svg: String| svg.replacen("role=\"img\"", &format!("role=\"img\" aria-label=\"{alt}\""), 1);
    let of = |width| Ok::<_, ReportError>(named(chart.svg("curves", width)?));
    Ok(CurveChart { caption, svg: of(charts::WIDTH)?, narrow: of(charts::NARROW)? })
}

fn colour(side: usize) -> plotters::style::RGBColor {
    PALETTE.get(side).copied().unwrap_or(OTHERS)
}

fn legend(sides: &[Side]) -> Vec<LegendEntry> {
    let entry = |(i, side): (usize, &Side)| {
        let name = format!("{} · {}", letter(i), crate::format::one_line(&side.name));
        LegendEntry { substitute: letter(i).to_string(), name, colour: colour(i), symbol: Symbol::Line }
    };
    sides.iter().enumerate().map(entry).collect()
}

/// The runs of all sides, each with its side; those of the first on top.
fn runs(sides: &[Side]) -> impl Iterator<Item = (usize, &RunInput)> {
    sides.iter().enumerate().rev().flat_map(|(i, side)| side.runs.iter().map(move |run| (i, run)))
}

fn loss(sides: &[Side]) -> Option<LossChart> {
    let curve = |(side, run): (usize, &RunInput)| {
        let losses: Vec<f64> = run.steps.iter().map(|s| s.loss).collect();
        let at = |values: Vec<f64>| run.steps.iter().map(|s| s.step as f64).zip(values).collect::<Vec<_>>();
        Curve {
            colour: colour(side),
            smooth: at(ema(&losses, SMOOTHING)),
            raw: at(losses),
            ended_early: ended_early(run),
            completed: run.run.state == RunState::Completed,
            weight: Weight::Alone,
        }
    };
    let curves: Vec<Curve> = runs(sides).filter(|(_, run)| !run.steps.is_empty()).map(curve).collect();
    let of = Terms::of(sides.iter().flat_map(Side::records)).loss_axis();
    (!curves.is_empty()).then(|| LossChart {
        title: tr("Training loss", "训练损失"),
        curves,
        legend: legend(sides),
        smoothing: SMOOTHING,
        of,
        ..LossChart::default()
    })
}

fn metric(sides: &[Side]) -> Option<MetricChart> {
    let metric = Terms::of(sides.iter().flat_map(Side::records)).first;
    let has = |run: &RunInput, split: Split| run.evals.iter().any(|e| e.when == When::During && e.split == split);
    let split = [Split::Dev, Split::Test].into_iter().find(|split| runs(sides).all(|(_, run)| has(run, *split)))?;
    let evals = |run| -> Vec<&EvalRecord> { during_training(run, split) };
    let by_epoch = runs(sides).all(|(_, run)| one_an_epoch(&run.run, &evals(&run.evals)));
    let track = |(side, run): (usize, &RunInput)| {
        let x = |e: &EvalRecord| if by_epoch { f64::from(e.epoch) } else { e.step as f64 };
        let points = during_training(&run.evals, split).into_iter().map(|e| (x(e), e.metrics.get(metric))).collect();
        Track { colour: colour(side), points, beneath: false }
    };
    Some(MetricChart {
        metric,
        tracks: runs(sides).map(track).collect(),
        bands: Vec::new(),
        legend: legend(sides),
        unit: if by_epoch {
            tr("epoch (0: before training)", "轮（0：训练前）")
        } else {
            tr("optimiser step (0: before training)", "优化器步（0：训练前）")
        },
        split: split.said(),
        baseline: None,
    })
}
