//! The learning curves of all sides in one chart.

use super::{Side, letter};
use crate::report::language::{Said, tr};
use crate::{
    event::{Split, When},
    report::{
        ReportError,
        charts::{
            self, Along, Curve, Drawable, LegendEntry, LossChart, Mean, MetricChart, OTHERS, PALETTE, Symbol, Track,
            Weight,
        },
        curves::{average, during_training, ended_early, one_an_epoch},
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
    pub caption: String,
    /// The chart.
    pub svg: String,
    /// The same for a phone.
    pub narrow: String,
}

/// The charts of these sides that have something to show.
pub fn curve_charts(sides: &[Side]) -> Result<Vec<CurveChart>, ReportError> {
    let mut curve_charts = Vec::new();
    if let Some(chart) = loss(sides) {
        let caption = match chart.averaged {
            false => tr(
                "Thin: the mean loss of each step's rows, before the update. Bold: its exponential moving average.",
                "细线：每一步的各行在更新前的平均损失。粗线：它的指数移动平均。",
            ),
            true => tr(
                "The mean loss of each step's rows, before the update, as an exponential moving average. Thin: each run. Bold: the mean over the \
                 runs of one side. Band: from its lowest to its highest run.",
                "每一步的各行在更新前的平均损失，取指数移动平均。细线：每次运行。粗线：同一对象各次运行的平均。色带：从最低到最高的运行。",
            ),
        };
        curve_charts.push(curve_chart(tr("Training loss by step", "各步的训练损失").into(), caption.into(), &chart)?);
    }
    if let Some(chart) = metric(sides) {
        let alt = tr!("{} during training", "训练期间的{}", format::capital(&chart.metric.said()));
        let bands = match chart.bands.is_empty() {
            true => "",
            false => tr(
                " Thin: each run. Bold: the mean over the runs of one side. Band: from its lowest to its highest run.",
                "细线：每次运行。粗线：同一对象各次运行的平均。色带：从最低到最高的运行。",
            ),
        };
        let caption = tr!(
            "Evaluations during training; the first is before the first step.{}{bands}",
            "训练期间的评估；第一次评估在第一步之前。{}{bands}",
            chart.beyond()
        );
        curve_charts.push(curve_chart(alt, caption, &chart)?);
    }
    Ok(curve_charts)
}

fn curve_chart(alt: String, caption: String, chart: &dyn Drawable) -> Result<CurveChart, ReportError> {
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
    // The colours of sides beyond the palette are the same, so that their means would be one.
    let has_several =
        |side: usize| side < PALETTE.len() && sides[side].runs.iter().filter(|run| !run.steps.is_empty()).count() > 1;
    let averaged = (0..sides.len()).any(has_several);
    let curve = |(side, run): (usize, &RunInput)| {
        let losses: Vec<f64> = run.steps.iter().map(|s| s.loss).collect();
        let at = |values: Vec<f64>| run.steps.iter().map(|s| s.step as f64).zip(values).collect::<Vec<_>>();
        Curve {
            colour: colour(side),
            smooth: at(ema(&losses, SMOOTHING)),
            raw: at(losses),
            ended_early: ended_early(run),
            completed: run.run.state == RunState::Completed,
            weight: match (averaged, has_several(side)) {
                (false, _) => Weight::Alone,
                (true, true) => Weight::Beneath,
                (true, false) => Weight::Average,
            },
        }
    };
    let curves: Vec<Curve> = runs(sides).filter(|(_, run)| !run.steps.is_empty()).map(curve).collect();
    let mean = |side: usize| {
        let own: Vec<&[(f64, f64)]> =
            curves.iter().filter(|of| of.colour == colour(side)).map(|of| &of.smooth[..]).collect();
        Mean { colour: colour(side), ..average(&own) }
    };
    let means = (0..sides.len()).rev().filter(|&side| has_several(side)).map(mean).collect();
    let of = Terms::of(sides.iter().flat_map(Side::records)).loss_axis();
    (!curves.is_empty()).then(|| LossChart {
        title: tr("Training loss", "训练损失"),
        curves,
        means,
        averaged,
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
    let has_several = |side: usize| side < PALETTE.len() && sides[side].runs.len() > 1;
    let by_epoch = runs(sides).all(|(_, run)| one_an_epoch(&run.run, &evals(&run.evals)));
    let track = |(side, run): (usize, &RunInput)| {
        let x = |e: &EvalRecord| if by_epoch { f64::from(e.epoch) } else { e.step as f64 };
        let points = during_training(&run.evals, split).into_iter().map(|e| (x(e), e.metrics.get(metric))).collect();
        Track { colour: colour(side), points, beneath: has_several(side) }
    };
    let mut tracks: Vec<Track> = runs(sides).map(track).collect();
    let mean = |side: usize| {
        let own: Vec<&[(f64, f64)]> =
            tracks.iter().filter(|of| of.colour == colour(side)).map(|of| &of.points[..]).collect();
        Mean { colour: colour(side), ..average(&own) }
    };
    let bands: Vec<Mean> = (0..sides.len()).rev().filter(|&side| has_several(side)).map(mean).collect();
    tracks.extend(bands.iter().map(|of| Track { colour: of.colour, points: of.points.clone(), beneath: false }));
    Some(MetricChart {
        metric,
        tracks,
        bands,
        legend: legend(sides),
        along: if by_epoch { Along::Epochs } else { Along::Steps },
        split: split.said(),
        baseline: None,
    })
}
