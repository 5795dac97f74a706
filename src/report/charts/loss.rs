//! Training loss by step: thin for each step, bold for the moving average.

use plotters::{element::PathElement, prelude::DrawingBackend, style::RGBColor};

use super::{
    Area, Chart, Drawn, Legible,
    axes::{Axis, Frame, plot, round_end, whole},
    pen::{self, At, LegendArea, LegendEntry},
    theme,
    values::{MOST_VALUES, Value, Values, evenly},
    width,
};
use crate::{
    format::{decimals, rate},
    metrics::Metric,
};

/// Loss curves of one or several runs.
pub struct LossChart {
    /// One for each run; later ones are drawn on top.
    pub curves: Vec<Curve>,
    /// What the colours mean; empty for one run.
    pub legend: Vec<LegendEntry>,
    /// Weight of the past in the moving average.
    pub smoothing: f64,
    /// What the loss is, with its unit.
    pub of: &'static str,
}

/// The loss of one run.
pub struct Curve {
    /// Its colour.
    pub colour: RGBColor,
    /// (step, loss) of each step.
    pub raw: Vec<(f64, f64)>,
    /// (step, moving average) of each step.
    pub smooth: Vec<(f64, f64)>,
    /// Whether the run ended before its last step, which is marked with a cross.
    pub ended_early: bool,
    /// Whether the run completed: the range of the axis is that of completed runs, if there are any.
    pub completed: bool,
}

impl Curve {
    /// Where it ends: at its last step, whose loss may not be a number, at the height of the last one that is.
    fn end(&self) -> Option<(f64, f64)> {
        let (last, _) = self.smooth.last()?;
        Some((*last, self.smooth.iter().rfind(|p| p.1.is_finite())?.1))
    }
}

/// Curves with more points than this share pixel columns, and are thinned to about this many.
const POINTS: usize = 1400;

/// Labels of the loss axis.
const LABELS: usize = 7;
/// First losses of a run that are part of the axis.
const FIRST: usize = 10;

/// The value below which this share of the values lies: the lower of two neighbours.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

/// A loss at the axis, with as many digits as tell its labels apart.
fn label(top: f64, value: f64) -> String {
    match top {
        1e5.. => rate(value),
        20.0.. => decimals(value, 0),
        2.0.. => decimals(value, 1),
        0.2.. => decimals(value, 2),
        0.02.. => decimals(value, 3),
        // The distance of two labels is at least this part of the axis.
        _ => decimals(value, (-(top / (2 * LABELS) as f64).log10().floor()).clamp(3.0, 12.0) as usize),
    }
}

impl LossChart {
    /// Upper end of the loss axis, at a label. A run alone that did not complete is shown whole. Otherwise the axis is that of the
    /// completed runs, or of all if there are none: of each, three times the 90% quantile of its losses, or somewhat more than its first ones
    /// if these are higher; and of these the median. So a run that diverges does not flatten the others.
    pub fn top(&self) -> f64 {
        let finite = |curve: &Curve| -> Vec<f64> { curve.raw.iter().map(|p| p.1).filter(|v| v.is_finite()).collect() };
        let runs = |all: bool| -> Vec<Vec<f64>> {
            self.curves.iter().filter(|c| all || c.completed).map(finite).filter(|v| !v.is_empty()).collect()
        };
        let (all, completed) = (runs(true), runs(false));
        let usual = |losses: &Vec<f64>| {
            let first = quantile(&losses[..losses.len().min(FIRST)], 0.5);
            (3.0 * quantile(losses, 0.9)).max(1.5 * first)
        };
        let caps: Vec<f64> = if completed.is_empty() { &all } else { &completed }.iter().map(usual).collect();
        let whole = all.len() == 1 && completed.is_empty();
        let cap = if whole || caps.is_empty() { f64::INFINITY } else { quantile(&caps, 0.5) };
        let largest = all.iter().flatten().copied().fold(0.0, f64::max);
        round_end(largest.min(cap), LABELS)
    }

    /// The last step of the axis.
    fn last(&self) -> f64 {
        self.curves.iter().filter_map(|c| c.raw.last()).map(|p| p.0).fold(1.0, f64::max)
    }

    /// The highest loss of any step.
    pub fn highest(&self) -> f64 {
        self.curves.iter().flat_map(|c| &c.raw).map(|p| p.1).filter(|v| v.is_finite()).fold(0.0, f64::max)
    }

    /// The number of steps, over all runs, with a loss above the axis.
    pub fn cut(&self) -> usize {
        let top = self.top();
        self.curves.iter().flat_map(|c| &c.raw).filter(|p| p.1.is_finite() && p.1 > top).count()
    }
}

impl Chart for LossChart {
    fn height(&self, width: u32) -> u32 {
        LegendArea::of(&self.legend, width).height(&self.legend)
    }

    fn texts(&self) -> Vec<&str> {
        self.legend.iter().map(|e| e.name.as_str()).collect()
    }

    fn values(&self, width: u32) -> Values {
        let legend = LegendArea::of(&self.legend, width);
        let space = (legend.right, legend.below);
        let frame = Frame::of((width, self.height(width)), space, 0.0..self.last(), 0.0..self.top());
        let most = MOST_VALUES / self.curves.len().max(1);
        let values = self.curves.iter().flat_map(|curve| {
            let series = self.legend.iter().position(|entry| entry.colour == curve.colour);
            let points: Vec<_> = curve.smooth.iter().filter(|p| p.1.is_finite()).collect();
            let value = |p: &(f64, f64)| Value {
                at: frame.at(*p),
                series,
                text: format!("step {}: {}", p.0, Metric::Loss.text(p.1)),
            };
            evenly(&points, most).map(|p| value(p)).collect::<Vec<_>>()
        });
        Values { names: pen::names(&self.legend), values: values.collect() }
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, legible: Legible<'_>) -> Drawn<DB> {
        pen::title(area, "Training loss")?;
        let area_of_legend = LegendArea::of(&self.legend, width(area) as u32);
        let top = self.top();
        let last = self.last();
        let mut chart = plot(
            area,
            (area_of_legend.right, area_of_legend.below),
            Axis { range: 0.0..last, title: "optimiser step", labels: (last as usize + 1).min(11), format: &whole },
            Axis { range: 0.0..top, title: self.of, labels: LABELS, format: &|v| label(top, v) },
        )?;
        let cut = |(x, y): (f64, f64)| (x, y.min(top));
        let many = self.curves.len() > 1;
        for curve in &self.curves {
            let style = pen::stroke(curve.colour, if many { 0.18 } else { 0.35 }, 2);
            for part in parts(&envelope(&curve.raw)) {
                let points: Vec<_> = part.into_iter().map(cut).collect();
                chart.draw_series([PathElement::new(points, style)])?;
            }
        }
        let mut ends = Vec::new();
        for curve in &self.curves {
            for part in parts(&thin(&curve.smooth)) {
                let points: Vec<_> = part.into_iter().map(cut).collect();
                chart.draw_series([PathElement::new(points, pen::stroke(curve.colour, 1.0, 5))])?;
            }
            let end = curve.end().map(|p| chart.backend_coord(&cut(p)));
            ends.extend(end.map(|(x, y)| (curve, (f64::from(x), f64::from(y)))));
        }
        for (curve, (x, y)) in ends {
            if curve.ended_early {
                cross(area, (x, y))?;
            } else if curve.smooth.len() == 1 {
                pen::dot(area, (x, y), 8, curve.colour, true)?;
            }
        }
        let key = format!("thin: each step · bold: moving average, weight {}", self.smoothing);
        pen::text(area, (width(area) - 24.0, 40.0), &key, pen::SMALL, theme::MUTED, At::Right)?;
        area_of_legend.draw(area, &self.legend, legible)
    }
}

/// Marks where a run ended early.
fn cross<DB: DrawingBackend>(area: &Area<DB>, (x, y): (f64, f64)) -> Drawn<DB> {
    let style = pen::stroke(theme::INK, 1.0, 4);
    pen::path(area, &[(x - 10.0, y - 10.0), (x + 10.0, y + 10.0)], style)?;
    pen::path(area, &[(x - 10.0, y + 10.0), (x + 10.0, y - 10.0)], style)
}

/// The parts of a curve between values that are not finite.
fn parts(points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
    points.split(|p| !p.1.is_finite()).filter(|part| !part.is_empty()).map(<[_]>::to_vec).collect()
}

/// At most [`POINTS`] evenly spaced points, including the last.
fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let every = points.len().div_ceil(POINTS).max(1);
    points.chunks(every).filter_map(|chunk| chunk.last().copied()).collect()
}

/// About [`POINTS`] points: the lowest and the highest value of each section, so that peaks are kept.
fn envelope(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= POINTS {
        return points.to_vec();
    }
    let every = points.len().div_ceil(POINTS / 2);
    let mut out = Vec::with_capacity(POINTS + 2);
    for chunk in points.chunks(every) {
        let by = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let finite = || chunk.iter().filter(|p| p.1.is_finite());
        match (finite().min_by(by), finite().max_by(by)) {
            (Some(&low), Some(&high)) if low.0 <= high.0 => out.extend([low, high]),
            (Some(&low), Some(&high)) => out.extend([high, low]),
            _ => out.push(chunk[0]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(losses: &[&[f64]]) -> LossChart {
        let curve = |values: &&[f64]| {
            let raw: Vec<_> = values.iter().enumerate().map(|(i, v)| (i as f64 + 1.0, *v)).collect();
            Curve { colour: theme::PALETTE[0], smooth: raw.clone(), raw, ended_early: false, completed: true }
        };
        LossChart { curves: losses.iter().map(curve).collect(), legend: Vec::new(), smoothing: 0.9, of: "loss" }
    }

    #[test]
    fn a_run_that_diverges_does_not_flatten_the_others() {
        let fine = [0.7, 0.6, 0.5, 0.4];
        let c = chart(&[&fine, &fine, &[0.7, 1e3, 1e6, f64::NAN]]);
        // Three times 0.6, which is less than the two values above.
        assert!((c.top() - 2.0).abs() < 1e-12, "{}", c.top());
        assert_eq!((c.cut(), c.highest()), (2, 1e6));
        assert!((chart(&[&fine]).top() - 0.8).abs() < 1e-12);
        assert_eq!([chart(&[]).top(), chart(&[&[f64::NAN]]).top()], [1.0, 1.0]);
    }

    /// Most runs diverged: the completed one alone says what the axis is, and its first loss is on it, however long it trained.
    #[test]
    fn completed_runs_decide_the_axis() {
        let long: Vec<f64> = (0..1000).map(|i| if i < 20 { 2.3 } else { 0.01 }).collect();
        let mut c = chart(&[&long, &[2.3, 500.0, 9e4], &[2.3, 900.0, 8e4]]);
        c.curves[1..].iter_mut().for_each(|curve| curve.completed = false);
        // One and a half times 2.3 is 3.45.
        assert!((c.top() - 4.0).abs() < 1e-12, "{}", c.top());
        assert_eq!(c.cut(), 4);
    }

    #[test]
    fn the_chart_of_a_run_that_diverged_shows_all_of_it() {
        let mut c = chart(&[&[0.7, 0.7, 0.6, 40.0, 613.0, f64::NAN]]);
        c.curves[0].completed = false;
        assert!((c.top() - 800.0).abs() < 1e-9, "{}", c.top());
        assert_eq!(c.cut(), 0);
        assert_eq!([label(800.0, 100.0), label(1e7, 2e6), label(0.8, 0.4)], ["100", "2e6", "0.40"]);
    }

    /// The message says step 6, of which the loss is NaN.
    #[test]
    fn a_run_that_diverged_ends_at_the_step_that_its_message_names() {
        let c = chart(&[&[0.7, 0.7, 0.6, 40.0, 613.0, f64::NAN], &[0.5], &[f64::NAN]]);
        assert_eq!(c.curves.iter().map(Curve::end).collect::<Vec<_>>(), [Some((6.0, 613.0)), Some((1.0, 0.5)), None]);
    }

    #[test]
    fn small_losses_have_as_many_digits_as_their_labels_need() {
        // Of an axis to 0.02 the labels are 0.005 apart, of one to 0.0015 0.0005, and of 0.0003 0.00005.
        let texts = [(0.02, 0.005), (0.0015, 0.0005), (0.0003, 0.00005)].map(|(top, value)| label(top, value));
        assert_eq!(texts, ["0.005", "0.0005", "0.00005"]);
        assert_eq!([label(2.0, 0.5), label(30.0, 5.0), label(25.0, 2.5)], ["0.5", "5", "3"]);
    }

    #[test]
    fn thinning_keeps_peaks_and_the_last_point() {
        let mut points: Vec<_> = (1..=100_000).map(|i| (f64::from(i), 0.5)).collect();
        points[54_321].1 = 9.0;
        let raw = envelope(&points);
        assert!(raw.len() <= POINTS + 2 && raw.contains(&(54_322.0, 9.0)));
        assert!(raw.windows(2).all(|w| w[0].0 <= w[1].0));
        let smooth = thin(&points);
        assert!(smooth.len() <= POINTS && smooth.last() == points.last());
    }

    #[test]
    fn gaps_split_a_curve() {
        let p = [(1.0, 0.5), (2.0, f64::NAN), (3.0, 0.4), (4.0, f64::INFINITY)];
        assert_eq!(parts(&p), [vec![(1.0, 0.5)], vec![(3.0, 0.4)]]);
    }
}
