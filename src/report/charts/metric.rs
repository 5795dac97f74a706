//! A metric during training.

use std::ops::Range;

use plotters::{
    element::{Circle, PathElement, Polygon},
    prelude::{Color, DrawingBackend},
    style::RGBColor,
};

use super::{
    Area, Chart, Drawn, Legible,
    axes::{Axis, Frame, number, plot, span, whole},
    loss::Mean,
    pen::{self, LegendArea, LegendEntry},
    theme,
    values::{MOST_VALUES, Value, Values, evenly},
    width,
};
use crate::report::language::{Said, tr};
use crate::{
    metrics::{Metric, Unit},
    report::format,
};

/// A metric of evaluations, by epoch or by step.
pub struct MetricChart {
    /// The metric.
    pub metric: Metric,
    /// One for each run or split; later ones are drawn on top.
    pub tracks: Vec<Track>,
    /// The ranges that the runs of a trial cover.
    pub bands: Vec<Mean>,
    /// What the colours mean.
    pub legend: Vec<LegendEntry>,
    /// What the horizontal axis counts.
    pub unit: &'static str,
    /// Name of the split in the title.
    pub split: &'static str,
    /// Its value for the baseline.
    pub baseline: Option<f64>,
}

/// Values of one run on one split.
pub struct Track {
    /// Its colour.
    pub colour: RGBColor,
    /// (epoch or step, value in the metric's unit).
    pub points: Vec<(f64, f64)>,
    /// Whether it is faint: below the mean of its trial, or of a trial without a colour of its own.
    pub beneath: bool,
}

impl MetricChart {
    fn points(&self) -> impl Iterator<Item = &(f64, f64)> {
        self.tracks.iter().flat_map(|t| &t.points).filter(|p| p.1.is_finite())
    }

    /// What the metric is multiplied with on its axis.
    fn scale(&self) -> f64 {
        if self.metric.info().unit == Unit::Share { 100.0 } else { 1.0 }
    }

    /// The ranges of both axes, and the last epoch or step.
    fn ranges(&self) -> (Range<f64>, Range<f64>, f64) {
        let last = self.points().map(|p| p.0).fold(1.0, f64::max);
        let values = || self.points().map(|p| p.1).chain(self.baseline);
        let range = match self.metric.info().unit == Unit::Share {
            true => {
                let low = values().fold(1.0, f64::min);
                let high = values().fold(0.0, f64::max);
                let room = ((high - low) * 0.1).max(0.01);
                (low - room).max(0.0) * 100.0..(high + room).min(1.0) * 100.0
            }
            false => span(values().collect::<Vec<f64>>().into_iter()),
        };
        // Some space on both sides for the dots.
        (-0.02 * last..last * 1.02, range, last)
    }
}

impl Chart for MetricChart {
    fn height(&self, width: u32) -> u32 {
        LegendArea::of(&self.legend, width).height(&self.legend)
    }

    fn texts(&self) -> Vec<&str> {
        self.legend.iter().map(|e| e.name.as_str()).collect()
    }

    fn values(&self, width: u32) -> Values {
        let legend = LegendArea::of(&self.legend, width);
        let (x, y, _) = self.ranges();
        let frame = Frame::of((width, self.height(width)), (legend.right, legend.below), x, y);
        let (unit, most) = (
            self.unit.split(['(', '（']).next().unwrap_or_default().trim_end(),
            MOST_VALUES / self.tracks.len().max(1),
        );
        let values = self.tracks.iter().flat_map(|track| {
            let series = self.legend.iter().position(|entry| entry.colour == track.colour);
            let points: Vec<_> = track.points.iter().filter(|p| p.1.is_finite()).collect();
            let value = |p: &(f64, f64)| Value {
                at: frame.at((p.0, p.1 * self.scale())),
                series,
                text: format!("{unit} {}: {}", p.0, self.metric.text(p.1)),
            };
            evenly(&points, most).map(|p| value(p)).collect::<Vec<_>>()
        });
        Values { names: pen::names(&self.legend), values: values.collect() }
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, legible: Legible<'_>) -> Drawn<DB> {
        pen::title(
            area,
            &tr!("{} on the {} split", format::capital(&self.metric.said()), self.split; "{1}{0}", self.metric.said(), self.split),
        )?;
        let area_of_legend = LegendArea::of(&self.legend, width(area) as u32);
        let is_share = self.metric.info().unit == Unit::Share;
        let (scale, (x, range, last)) = (self.scale(), self.ranges());
        let (title, length) = (self.metric.said(), range.end - range.start);
        let title = if is_share { format!("{title} (%)") } else { title };
        let decimals = usize::from(length < 5.0);
        let label = |v: f64| if is_share { format!("{v:.decimals$}") } else { number(length, v) };
        let mut chart = plot(
            area,
            (area_of_legend.right, area_of_legend.below),
            Axis { range: x, title: self.unit, labels: (last as usize + 1).min(11), format: &whole },
            Axis { range, title: &title, labels: 7, format: &label },
        )?;
        if let Some(baseline) = self.baseline {
            let (x0, y) = chart.backend_coord(&(-0.02 * last, baseline * scale));
            let (x1, _) = chart.backend_coord(&(last * 1.02, baseline * scale));
            let (x0, x1, y) = (f64::from(x0), f64::from(x1), f64::from(y));
            pen::dashes(area, (x0, y), (x1, y), pen::stroke(theme::MUTED, 1.0, 3))?;
        }
        let scaled = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            points.iter().filter(|p| p.1.is_finite()).map(|p| (p.0, p.1 * scale)).collect()
        };
        for band in &self.bands {
            let outline = scaled(&band.outline(usize::MAX));
            chart.draw_series((!outline.is_empty()).then(|| Polygon::new(outline, band.colour.mix(0.15).filled())))?;
        }
        for track in &self.tracks {
            let (opacity, radius) = if track.beneath { (0.45, 4) } else { (1.0, 7) };
            let points = scaled(&track.points);
            let style = pen::stroke(track.colour, opacity, if track.beneath { 2 } else { 4 });
            chart.draw_series([PathElement::new(points.clone(), style)])?;
            let dot = |p| Circle::new(p, radius, track.colour.mix(opacity).filled());
            chart.draw_series(points.into_iter().map(dot))?;
        }
        area_of_legend.draw(area, &self.legend, legible)
    }
}
