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
    mean::Mean,
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
    pub along: Along,
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

/// What a horizontal axis counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Along {
    /// Epochs, at whose ends a run was evaluated.
    Epochs,
    /// Steps of the optimizer.
    Steps,
}

impl Along {
    /// The name of one of them.
    fn unit(self) -> &'static str {
        match self {
            Self::Epochs => tr("epoch", "轮"),
            Self::Steps => tr("optimizer step", "优化器步"),
        }
    }

    /// The title of the axis.
    fn title(self) -> &'static str {
        match self {
            Self::Epochs => tr("epoch (0: before training)", "轮（0：训练前）"),
            Self::Steps => tr("optimizer step (0: before training)", "优化器步（0：训练前）"),
        }
    }
}

impl MetricChart {
    fn points(&self) -> impl Iterator<Item = &(f64, f64)> {
        self.tracks.iter().flat_map(|t| &t.points).filter(|p| p.1.is_finite())
    }

    /// What the metric is multiplied with on its axis.
    fn scale(&self) -> f64 {
        if self.metric.info().unit == Unit::Share { 100.0 } else { 1.0 }
    }

    /// The lowest and the highest value before the first step, if they are not on the axis: where they are so far from all later values that
    /// these would have less than half of it.
    pub fn before(&self) -> Option<(f64, f64)> {
        let ends = |is: &dyn Fn(f64) -> bool| {
            let values = self.points().filter(|p| is(p.0)).map(|p| p.1);
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
        };
        let (before, after) = (ends(&|x| x <= 0.0), ends(&|x| x > 0.0));
        let length = before.1.max(after.1) - before.0.min(after.0);
        let known = before.0 <= before.1 && after.0 <= after.1;
        let apart = before.1 < after.0 || before.0 > after.1;
        (known && apart && after.1 - after.0 < 0.5 * length).then_some(before)
    }

    /// What a caption says of them, with a space before it; empty if the axis has all values.
    pub fn beyond(&self) -> String {
        let Some((low, high)) = self.before() else { return String::new() };
        let text = |value: f64| self.metric.text(value);
        let values = if low == high { text(low) } else { tr!("{} to {}", "{} 至 {}", text(low), text(high)) };
        tr!(
            " That value ({values}) is not on the axis, so that those during training can be told apart.",
            "该值（{values}）不在轴上，以便看清训练期间的各个值。"
        )
    }

    /// Whether a value at this epoch or step is on the axis.
    fn is_on_axis(&self, x: f64) -> bool {
        x > 0.0 || self.before().is_none()
    }

    /// The baseline, if it is on the axis.
    pub fn drawn_baseline(&self) -> Option<f64> {
        let (_, range, _) = self.ranges();
        self.baseline.filter(|baseline| range.contains(&(baseline * self.scale())))
    }

    /// The ranges of both axes, and the last epoch or step.
    fn ranges(&self) -> (Range<f64>, Range<f64>, f64) {
        let last = self.points().map(|p| p.0).fold(1.0, f64::max);
        let whole = self.before().is_none();
        let values =
            || self.points().filter(|p| whole || p.0 > 0.0).map(|p| p.1).chain(self.baseline.filter(|_| whole));
        let range = match self.metric.info().unit == Unit::Share {
            true => {
                let low = values().fold(1.0, f64::min);
                let high = values().fold(0.0, f64::max);
                let room = ((high - low) * 0.1).max(if whole { 0.01 } else { 0.002 });
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
        let (unit, most) = (self.along.unit(), MOST_VALUES / self.tracks.len().max(1));
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
        let axis = range.clone();
        let (title, length) = (self.metric.said(), range.end - range.start);
        let title = if is_share { tr!("{title} (%)", "{title}（%）") } else { title };
        let decimals = usize::from(length < 5.0) + usize::from(length < 0.6);
        let label = |v: f64| if is_share { format!("{v:.decimals$}") } else { number(length, v) };
        let mut chart = plot(
            area,
            (area_of_legend.right, area_of_legend.below),
            Axis { range: x, title: self.along.title(), labels: (last as usize + 1).min(11), format: &whole },
            Axis { range, title: &title, labels: 7, format: &label },
        )?;
        if let Some(baseline) = self.drawn_baseline() {
            let (x0, y) = chart.backend_coord(&(-0.02 * last, baseline * scale));
            let (x1, _) = chart.backend_coord(&(last * 1.02, baseline * scale));
            let (x0, x1, y) = (f64::from(x0), f64::from(x1), f64::from(y));
            pen::dashes(area, (x0, y), (x1, y), pen::stroke(theme::MUTED, 1.0, 3))?;
        }
        let scaled = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            points.iter().filter(|p| p.1.is_finite()).map(|p| (p.0, p.1 * scale)).collect()
        };
        let on_axis = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            points.iter().filter(|p| self.is_on_axis(p.0)).copied().collect()
        };
        for band in &self.bands {
            let shown = Mean { low: on_axis(&band.low), high: on_axis(&band.high), ..Mean::default() };
            let outline = scaled(&shown.outline(usize::MAX));
            chart.draw_series((!outline.is_empty()).then(|| Polygon::new(outline, band.colour.mix(0.15).filled())))?;
        }
        for track in &self.tracks {
            let (opacity, radius) = if track.beneath { (0.45, 4) } else { (1.0, 7) };
            let points = scaled(&track.points);
            let style = pen::stroke(track.colour, opacity, if track.beneath { 2 } else { 4 });
            let shown = scaled(&on_axis(&track.points));
            let line = entering(&points, shown.len(), &axis).into_iter().chain(shown.iter().copied());
            chart.draw_series([PathElement::new(line.collect::<Vec<_>>(), style)])?;
            let dot = |p| Circle::new(p, radius, track.colour.mix(opacity).filled());
            chart.draw_series(shown.into_iter().map(dot))?;
        }
        area_of_legend.draw(area, &self.legend, legible)
    }
}

/// Where a line enters the axis, if its last points before these `shown` ones at its end are beyond it.
fn entering(points: &[(f64, f64)], shown: usize, axis: &Range<f64>) -> Option<(f64, f64)> {
    let first = points.len().checked_sub(shown)?;
    let (from, to) = (points.get(first.checked_sub(1)?)?, points.get(first)?);
    let end = if from.1 < to.1 { axis.start } else { axis.end };
    let share = ((end - from.1) / (to.1 - from.1)).clamp(0.0, 1.0);
    share.is_finite().then_some((from.0 + share * (to.0 - from.0), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(tracks: &[&[f64]]) -> MetricChart {
        let track = |values: &&[f64]| Track {
            colour: theme::PALETTE[0],
            points: (0..).zip(*values).map(|(i, value)| (f64::from(i), *value)).collect(),
            beneath: false,
        };
        MetricChart {
            metric: Metric::Accuracy,
            tracks: tracks.iter().map(track).collect(),
            bands: Vec::new(),
            legend: Vec::new(),
            along: Along::Epochs,
            split: "dev",
            baseline: Some(0.4),
        }
    }

    #[test]
    fn values_before_training_do_not_flatten_those_after_it() {
        let zoomed = chart(&[&[0.5, 0.90, 0.92], &[0.45, 0.88, f64::NAN]]);
        assert_eq!((zoomed.before(), zoomed.drawn_baseline()), (Some((0.45, 0.5)), None));
        // 88% to 92% with a tenth of room on both sides.
        let (_, range, _) = zoomed.ranges();
        assert!((range.start - 87.6).abs() < 1e-9 && (range.end - 92.4).abs() < 1e-9, "{range:?}");
        // A curve that rises slowly, one that begins among the later values, and one of a single evaluation are shown whole.
        for whole in [&[0.4, 0.6, 0.9][..], &[0.9, 0.91, 0.85], &[0.5], &[0.5, f64::NAN]] {
            let whole = chart(&[whole]);
            assert_eq!((whole.before(), whole.drawn_baseline()), (None, Some(0.4)));
        }
    }

    /// From 50 to 90 the axis, which begins at 80, is reached after three quarters.
    #[test]
    fn a_line_enters_where_it_crosses_the_end_of_the_axis() {
        let points = [(0.0, 50.0), (4.0, 90.0), (8.0, 91.0)];
        assert_eq!(entering(&points, 2, &(80.0..95.0)), Some((3.0, 80.0)));
        assert_eq!(entering(&points, 3, &(80.0..95.0)), None);
        assert_eq!(entering(&[(0.0, 3.0), (4.0, 1.0)], 1, &(0.0..2.0)), Some((2.0, 2.0)));
    }
}
