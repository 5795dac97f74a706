//! The effect of each axis of a sweep: a plot for each, all with the same vertical axis.

use plotters::prelude::DrawingBackend;

use super::{
    Area, Chart, Drawn, Legible, WIDTH,
    panel::{Mark, Panel, range_of},
    pen::{self, At},
    theme, width,
};
use crate::metrics::Metric;
use crate::report::language::{Said, tr};

/// Means of the ranking metric by the values of each axis.
pub struct EffectsChart {
    /// The metric.
    pub metric: Metric,
    /// Its split.
    pub split: &'static str,
    /// What the small dots are: `trials`, `seeds`.
    pub dots_of: String,
    /// One for each axis.
    pub plots: Vec<EffectPlot>,
}

/// The plot of one axis.
pub struct EffectPlot {
    /// Name of the axis.
    pub name: String,
    /// Labels of its values.
    pub marks: Vec<Mark>,
    /// Each trial, or each run: position from 0 to 1, and value.
    pub dots: Vec<(f64, f64)>,
    /// Whether these are at the positions of the means, so that they are drawn beside them.
    pub beside: bool,
    /// The means.
    pub means: Vec<EffectMean>,
}

/// The mean of the trials with one value, or with values in one range.
pub struct EffectMean {
    /// Its position from 0 to 1.
    pub at: f64,
    /// Where its range begins and ends; equal for a single value.
    pub span: (f64, f64),
    /// The mean.
    pub mean: f64,
    /// Its interval.
    pub interval: Option<(f64, f64)>,
}

const TOP: f64 = 150.0;
const PLOT: f64 = 360.0;
const BELOW: f64 = 150.0;
const LEFT: f64 = 110.0;
/// How far small dots are from a large one that would cover them.
const BESIDE: f64 = 19.0;

impl EffectsChart {
    fn columns(&self, width: f64) -> usize {
        let most = if width < f64::from(WIDTH) { 1 } else { 3 };
        // Four plots are two rows of two.
        if self.plots.len() == 4 && most == 3 { 2 } else { self.plots.len().clamp(1, most) }
    }
}

impl Chart for EffectsChart {
    fn height(&self, width: u32) -> u32 {
        let rows = self.plots.len().div_ceil(self.columns(f64::from(width)));
        (TOP + rows as f64 * (PLOT + BELOW) - 40.0) as u32
    }

    fn texts(&self) -> Vec<&str> {
        self.plots
            .iter()
            .flat_map(|plot| [plot.name.as_str()].into_iter().chain(plot.marks.iter().map(|mark| mark.label.as_str())))
            .collect()
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, legible: Legible<'_>) -> Drawn<DB> {
        pen::title(area, tr("Effect of each axis", "各轴的影响"))?;
        let note = tr!(
            "vertical: {} {}{}",
            "纵轴：{}{}{}",
            self.split,
            self.metric.said(),
            match self.plots.iter().all(|plot| plot.dots.is_empty()) {
                true => String::new(),
                false => tr!(" · small dots: {} · large dots: means", " · 小点：{} · 大点：平均值", self.dots_of),
            }
        );
        pen::text(area, (24.0, 80.0), &note, pen::SMALL, theme::MUTED, At::Left)?;
        let ends = |mean: &EffectMean| {
            let (low, high) = mean.interval.unwrap_or((mean.mean, mean.mean));
            [low, high, mean.mean]
        };
        let values = self.plots.iter().flat_map(|plot| {
            plot.dots.iter().map(|dot| dot.1).chain(plot.means.iter().flat_map(ends)).collect::<Vec<_>>()
        });
        let range = range_of(self.metric, values);
        let columns = self.columns(width(area));
        let each = (width(area) - 24.0) / columns as f64;
        for (i, plot) in self.plots.iter().enumerate() {
            let left = each * (i % columns) as f64 + LEFT;
            let top = TOP + (i / columns) as f64 * (PLOT + BELOW);
            let name = legible.or(&plot.name, || tr!("axis {}", "轴 {}", i + 1));
            let name = crate::report::format::ellipsize(&name, (each - LEFT) / pen::LABEL);
            let (x, y) = ((left, left + each - LEFT - 20.0), (top, top + PLOT));
            let panel = Panel { name: &name, x, y, metric: self.metric, range };
            panel.frame(area, &plot.marks, legible)?;
            draw_plot(area, &panel, plot)?;
        }
        Ok(())
    }
}

fn draw_plot<DB: DrawingBackend>(area: &Area<DB>, panel: &Panel<'_>, plot: &EffectPlot) -> Drawn<DB> {
    for (at, value) in &plot.dots {
        let x = panel.across(*at) - if plot.beside { BESIDE } else { 0.0 };
        pen::dot(area, (x, panel.up(*value)), 5, theme::OTHERS, true)?;
    }
    for mean in &plot.means {
        let (x, y) = (panel.across(mean.at), panel.up(mean.mean));
        let style = pen::stroke(theme::PALETTE[0], 1.0, 4);
        if let Some((low, high)) = mean.interval {
            let (low, high) = (panel.up(low), panel.up(high));
            pen::path(area, &[(x, low), (x, high)], style)?;
            pen::path(area, &[(x - 10.0, low), (x + 10.0, low)], style)?;
            pen::path(area, &[(x - 10.0, high), (x + 10.0, high)], style)?;
        }
        if mean.span.0 < mean.span.1 {
            pen::path(area, &[(panel.across(mean.span.0), y), (panel.across(mean.span.1), y)], style)?;
        }
        pen::dot(area, (x, y), 11, theme::PALETTE[0], true)?;
    }
    Ok(())
}
