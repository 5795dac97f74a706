//! A value of each step, such as the training loss: thin for each step, bold for the moving average; of several runs of a trial their mean and
//! the band that they cover.

use std::ops::Range;

use plotters::{
    element::{Circle, PathElement, Polygon},
    prelude::{Color, DrawingBackend},
    style::RGBColor,
};

use super::{
    Area, Chart, Drawn, Legible, WIDTH,
    axes::{Axis, Frame, plot, round_end, span, whole},
    mean::Mean,
    pen::{self, At, LegendArea, LegendEntry},
    theme,
    values::{MOST_VALUES, Value, Values, evenly},
    width,
};
use crate::report::language::tr;
use crate::{
    format::{decimals, rate},
    metrics::Metric,
};

/// Curves by step.
#[derive(Default)]
pub struct LossChart {
    /// Title.
    pub title: &'static str,
    /// One for each run; later ones are drawn on top.
    pub curves: Vec<Curve>,
    /// Means over the runs of a trial, which are drawn above all curves.
    pub means: Vec<Mean>,
    /// Values of evaluations.
    pub dots: Vec<Dots>,
    /// What the colours mean; empty for one run.
    pub legend: Vec<LegendEntry>,
    /// Whether curves are averages over the runs of a trial.
    pub averaged: bool,
    /// Weight of the past in the moving average; 0 for none.
    pub smoothing: f64,
    /// What the value is, with its unit.
    pub of: &'static str,
    /// A value at which a dashed line is drawn.
    pub mark: Option<f64>,
    /// Whether the axis has all values, however large.
    pub whole: bool,
    /// Whether the axis is logarithmic, and has all positive values.
    pub log: bool,
}

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Each step thin, the moving average bold.
    Alone,
    /// The moving average, bold.
    Average,
    /// The moving average, faint below the mean of its trial.
    Beneath,
    /// The moving average, grey and thin.
    Other,
}

/// The values of one run.
pub struct Curve {
    /// Its colour.
    pub colour: RGBColor,
    /// (step, value) of each step.
    pub raw: Vec<(f64, f64)>,
    /// (step, moving average) of each step.
    pub smooth: Vec<(f64, f64)>,
    /// Whether the run ended before its last step, which is marked with a cross.
    pub ended_early: bool,
    /// Whether the run completed: the range of the axis is that of completed runs, if there are any.
    pub completed: bool,
    /// How it is drawn.
    pub weight: Weight,
}

/// Values of evaluations, joined by a line.
pub struct Dots {
    /// Their colour.
    pub colour: RGBColor,
    /// (step, value).
    pub points: Vec<(f64, f64)>,
    /// Whether they are faint, below a mean.
    pub beneath: bool,
}

impl Curve {
    /// What is drawn of it that reaches farthest: each step, or only the moving average.
    pub fn drawn(&self) -> &[(f64, f64)] {
        if self.weight == Weight::Alone { &self.raw } else { &self.smooth }
    }

    /// Where it ends: at its last step, whose value may not be a number, at the height of the last one that is.
    fn end(&self) -> Option<(f64, f64)> {
        let (last, _) = self.smooth.last()?;
        Some((*last, self.smooth.iter().rfind(|p| p.1.is_finite())?.1))
    }
}

/// Space that axes and margins take beside a plot and its legend.
const BESIDE: f64 = 144.0;

/// Columns of pixels of a plot: two drawing units are one. Curves have at most two points in each.
fn columns(width: f64, right: f64) -> usize {
    ((width - BESIDE - right) / 2.0).max(100.0) as usize
}

/// Labels of the vertical axis.
const LABELS: usize = 7;
/// First values of a run that are part of the axis.
const FIRST: usize = 10;

/// The value below which this share of the values lies: the lower of two neighbours.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

/// A value at the axis, with as many digits as tell its labels apart.
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
    /// Upper end of the vertical axis, at a label. A run alone that did not complete is shown whole. Otherwise the axis is that of the
    /// completed runs, or of all if there are none: of each, three times the 90% quantile of its values, or somewhat more than its first ones
    /// if these are higher; and of these the median. So a run that diverges does not flatten the others. All evaluations are on it.
    pub fn top(&self) -> f64 {
        let finite =
            |curve: &Curve| -> Vec<f64> { curve.drawn().iter().map(|p| p.1).filter(|v| v.is_finite()).collect() };
        let runs = |all: bool| -> Vec<Vec<f64>> {
            self.curves.iter().filter(|c| all || c.completed).map(finite).filter(|v| !v.is_empty()).collect()
        };
        let (all, completed) = (runs(true), runs(false));
        let usual = |values: &Vec<f64>| {
            let first = quantile(&values[..values.len().min(FIRST)], 0.5);
            (3.0 * quantile(values, 0.9)).max(1.5 * first)
        };
        let caps: Vec<f64> = if completed.is_empty() { &all } else { &completed }.iter().map(usual).collect();
        let whole = self.whole || self.log || all.len() == 1 && completed.is_empty();
        let cap = if whole || caps.is_empty() { f64::INFINITY } else { quantile(&caps, 0.5) };
        let largest = all.iter().flatten().copied().fold(0.0, f64::max);
        let dots = self.dots.iter().flat_map(|dots| &dots.points).map(|p| p.1).filter(|v| v.is_finite());
        let highest = dots.fold(largest.min(cap), f64::max);
        if self.log { highest } else { round_end(highest, LABELS) }
    }

    /// The vertical axis: of a logarithmic one, the decimal logarithms of the lowest and the highest value.
    fn range(&self) -> Range<f64> {
        if !self.log {
            return 0.0..self.top();
        }
        let drawn = self.curves.iter().flat_map(Curve::drawn).map(|p| p.1);
        let logs = drawn.chain(self.mark).filter(|v| *v > 0.0 && v.is_finite()).map(f64::log10);
        span(logs.collect::<Vec<f64>>().into_iter())
    }

    /// Where a value is on the vertical axis. A value beyond it is at its end.
    fn up(&self, range: &Range<f64>, value: f64) -> f64 {
        match self.log {
            true => value.max(f64::MIN_POSITIVE).log10().clamp(range.start, range.end),
            false => value.min(range.end),
        }
    }

    /// The largest number of labels of the vertical axis: on a logarithmic one, whole decades have them.
    fn labels(&self, range: &Range<f64>) -> usize {
        if self.log { ((range.end.floor() - range.start.ceil()) as usize + 1).min(LABELS) } else { LABELS }
    }

    /// The legend, with the cross of runs that ended early if there are any.
    fn whole_legend(&self) -> Vec<LegendEntry> {
        let ended = self.curves.iter().any(|curve| curve.ended_early && curve.end().is_some());
        let name = tr("run ended early", "提前结束的运行");
        let cross =
            LegendEntry { name: name.into(), substitute: name.into(), colour: theme::INK, symbol: pen::Symbol::Cross };
        self.legend.iter().cloned().chain(ended.then_some(cross)).collect()
    }

    /// The last step of the axis.
    fn last(&self) -> f64 {
        let dots = self.dots.iter().flat_map(|dots| &dots.points);
        self.curves.iter().filter_map(|c| c.raw.last()).chain(dots).map(|p| p.0).fold(1.0, f64::max)
    }

    /// The highest value of any step, before any averaging.
    pub fn highest(&self) -> f64 {
        self.own().fold(0.0, f64::max)
    }

    /// The values of all steps that are numbers, before any averaging.
    fn own(&self) -> impl Iterator<Item = f64> {
        self.curves.iter().flat_map(|curve| &curve.raw).map(|p| p.1).filter(|value| value.is_finite())
    }

    /// The number of steps, over all runs, with a value above the axis, whether it is drawn or only its moving average; 0 if the axis has all
    /// that is drawn.
    pub fn cut(&self) -> usize {
        let top = self.top();
        let is_cut = self.curves.iter().flat_map(Curve::drawn).any(|p| p.1.is_finite() && p.1 > top);
        if is_cut { self.own().filter(|value| *value > top).count() } else { 0 }
    }

    /// Whether of some steps only the moving average is drawn.
    pub fn draws_averages(&self) -> bool {
        self.curves.iter().any(|curve| curve.weight != Weight::Alone)
    }

    /// The share of the steps with a value above this one.
    pub fn above(&self, mark: f64) -> f64 {
        self.own().filter(|value| *value > mark).count() as f64 / self.own().count().max(1) as f64
    }

    /// Whether any curve has more steps than the chart has columns of pixels.
    pub fn is_thinned(&self) -> bool {
        let columns = columns(f64::from(WIDTH), LegendArea::of(&self.whole_legend(), WIDTH).right);
        self.curves.iter().any(|curve| curve.weight == Weight::Alone && curve.raw.len() > 2 * columns)
    }

    /// A value at the axis.
    fn label(&self, top: f64, value: f64) -> String {
        if self.log {
            let whole = (value - value.round()).abs() < 1e-6;
            return if whole { rate(10f64.powf(value.round())) } else { String::new() };
        }
        match self.whole && top < 0.1 {
            true if value == 0.0 => "0".into(),
            true => rate(value),
            false => label(top, value),
        }
    }

    /// What thin and bold lines are.
    fn key(&self) -> String {
        let alone = self.curves.iter().any(|curve| curve.weight == Weight::Alone);
        match (self.smoothing > 0.0, self.averaged, alone) {
            (false, ..) => String::new(),
            (true, true, _) => tr!(
                "moving averages, weight {} · band: lowest to highest run",
                "移动平均，权重 {} · 色带：最低到最高的运行",
                self.smoothing
            ),
            (true, false, true) => tr!(
                "thin: each step · bold: moving average, weight {}",
                "细线：每一步 · 粗线：移动平均，权重 {}",
                self.smoothing
            ),
            (true, false, false) => tr!("moving average, weight {}", "移动平均，权重 {}", self.smoothing),
        }
    }
}

/// A value beside the pointer: small ones, such as learning rates, with their exponent.
fn shown(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.01 { rate(value) } else { Metric::Loss.text(value) }
}

impl Chart for LossChart {
    fn height(&self, width: u32) -> u32 {
        let legend = self.whole_legend();
        LegendArea::of(&legend, width).height(&legend)
    }

    fn texts(&self) -> Vec<&str> {
        self.legend.iter().map(|e| e.name.as_str()).collect()
    }

    fn values(&self, width: u32) -> Values {
        let legend = LegendArea::of(&self.whole_legend(), width);
        let space = (legend.right, legend.below);
        let range = self.range();
        let frame = Frame::of((width, self.height(width)), space, 0.0..self.last(), range.clone());
        let bold = self.curves.iter().filter(|curve| matches!(curve.weight, Weight::Alone | Weight::Average));
        let lines: Vec<(RGBColor, &[(f64, f64)])> = bold
            .map(|curve| (curve.colour, &curve.smooth[..]))
            .chain(self.means.iter().map(|mean| (mean.colour, &mean.points[..])))
            .chain(self.dots.iter().filter(|dots| !dots.beneath).map(|dots| (dots.colour, &dots.points[..])))
            .collect();
        let most = MOST_VALUES / lines.len().max(1);
        let values = lines.into_iter().flat_map(|(colour, points)| {
            let series = self.legend.iter().position(|entry| entry.colour == colour);
            let points: Vec<_> = points.iter().filter(|p| p.1.is_finite()).collect();
            let value = |p: &(f64, f64)| Value {
                at: frame.at((p.0, self.up(&range, p.1))),
                series,
                text: tr!("step {}: {}", "第 {} 步：{}", p.0, shown(p.1)),
            };
            evenly(&points, most).map(|p| value(p)).collect::<Vec<_>>()
        });
        Values { names: pen::names(&self.legend), values: values.collect() }
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, legible: Legible<'_>) -> Drawn<DB> {
        pen::title(area, self.title)?;
        let legend = self.whole_legend();
        let area_of_legend = LegendArea::of(&legend, width(area) as u32);
        let columns = columns(width(area), area_of_legend.right);
        let (range, last) = (self.range(), self.last());
        let top = range.end;
        let mut chart = plot(
            area,
            (area_of_legend.right, area_of_legend.below),
            Axis {
                range: 0.0..last,
                title: tr("optimizer step", "优化器步"),
                labels: (last as usize + 1).min(11),
                format: &whole,
            },
            Axis { range: range.clone(), title: self.of, labels: self.labels(&range), format: &|v| self.label(top, v) },
        )?;
        let cut = |(x, y): (f64, f64)| (x, self.up(&range, y));
        let cut_all = |points: Vec<(f64, f64)>| points.into_iter().map(cut).collect::<Vec<_>>();
        let many = self.curves.len() > 1;
        for curve in self.curves.iter().filter(|curve| curve.weight == Weight::Alone) {
            let style = pen::stroke(curve.colour, if many { 0.3 } else { 0.45 }, 2);
            for part in parts(&envelope(&curve.raw, columns)) {
                chart.draw_series([PathElement::new(cut_all(part), style)])?;
            }
        }
        for mean in &self.means {
            let outline = cut_all(mean.outline(columns / 2));
            chart.draw_series((!outline.is_empty()).then(|| Polygon::new(outline, mean.colour.mix(0.15).filled())))?;
        }
        let mut ends = Vec::new();
        for curve in &self.curves {
            let (opacity, stroke, points) = match curve.weight {
                Weight::Alone | Weight::Average => (1.0, 5, columns),
                Weight::Beneath => (0.45, 2, columns / 2),
                Weight::Other => (0.8, 3, columns / 2),
            };
            for part in parts(&thin(&curve.smooth, points)) {
                let style = pen::stroke(curve.colour, opacity, stroke);
                chart.draw_series([PathElement::new(cut_all(part), style)])?;
            }
            let end = curve.end().map(|p| chart.backend_coord(&cut(p)));
            ends.extend(end.map(|(x, y)| (curve, (f64::from(x), f64::from(y)))));
        }
        for mean in &self.means {
            let points = cut_all(thin(&mean.points, columns));
            chart.draw_series([PathElement::new(points, pen::stroke(mean.colour, 1.0, 5))])?;
        }
        for dots in &self.dots {
            let (opacity, radius) = if dots.beneath { (0.45, 4) } else { (1.0, 7) };
            let points = cut_all(dots.points.clone());
            let style = pen::stroke(dots.colour, opacity, if dots.beneath { 2 } else { 4 });
            chart.draw_series([PathElement::new(points.clone(), style)])?;
            let dot = |p| Circle::new(p, radius, dots.colour.mix(opacity).filled());
            chart.draw_series(points.into_iter().map(dot))?;
        }
        if let Some(mark) = self.mark.filter(|mark| self.log || *mark < top) {
            let at = |x: f64| chart.backend_coord(&cut((x, mark)));
            let ((x0, y), (x1, _)) = (at(0.0), at(last));
            let (x0, x1, y) = (f64::from(x0), f64::from(x1), f64::from(y));
            pen::dashes(area, (x0, y), (x1, y), pen::stroke(theme::MUTED, 1.0, 3))?;
        }
        for (curve, (x, y)) in ends {
            if curve.ended_early {
                pen::cross(area, (x, y), theme::INK)?;
            } else if curve.smooth.len() == 1 {
                pen::dot(area, (x, y), 8, curve.colour, true)?;
            }
        }
        let narrow = width(area) < f64::from(WIDTH);
        pen::text(
            area,
            (width(area) - 24.0, if narrow { 74.0 } else { 40.0 }),
            &self.key(),
            pen::SMALL,
            theme::MUTED,
            At::Right,
        )?;
        area_of_legend.draw(area, &legend, legible)
    }
}

/// The parts of a curve between values that are not finite.
fn parts(points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
    points.split(|p| !p.1.is_finite()).filter(|part| !part.is_empty()).map(<[_]>::to_vec).collect()
}

/// At most this many evenly spaced points, including the last.
fn thin(points: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
    let every = points.len().div_ceil(most.max(1)).max(1);
    points.chunks(every).filter_map(|chunk| chunk.last().copied()).collect()
}

/// At most about two points in each of these columns: the lowest and the highest value of each section, so that peaks are kept.
fn envelope(points: &[(f64, f64)], columns: usize) -> Vec<(f64, f64)> {
    if points.len() <= 2 * columns {
        return points.to_vec();
    }
    let every = points.len().div_ceil(columns);
    let mut out = Vec::with_capacity(2 * columns + 2);
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
            let (colour, weight) = (theme::PALETTE[0], Weight::Alone);
            Curve { colour, smooth: raw.clone(), raw, ended_early: false, completed: true, weight }
        };
        LossChart { curves: losses.iter().map(curve).collect(), smoothing: 0.9, of: "loss", ..LossChart::default() }
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

    /// Averages alone are drawn, and one of them is above the axis, which ends at three times the 90% quantile of 1. Before averaging two values
    /// of five are above it, and the highest is 40.
    #[test]
    fn values_are_counted_before_they_are_averaged() {
        let mut c = chart(&[&[1.0, 1.0, 9.0, 1.0, 40.0]]);
        c.curves[0].weight = Weight::Average;
        let averages = [1.0, 1.0, 1.0, 1.0, 20.0];
        c.curves[0].smooth = averages.into_iter().enumerate().map(|(i, v)| (i as f64 + 1.0, v)).collect();
        assert!((3.0..9.0).contains(&c.top()), "{}", c.top());
        assert_eq!((c.cut(), c.highest(), c.above(c.top())), (2, 40.0, 0.4));
        assert!(c.draws_averages() && !chart(&[&[1.0]]).draws_averages());
        // Where the axis has all that is drawn, nothing is said of what is not.
        c.curves[0].smooth[4].1 = 2.0;
        assert_eq!(c.cut(), 0);
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
        let raw = envelope(&points, 700);
        assert!(raw.len() <= 1400 && raw.contains(&(54_322.0, 9.0)));
        assert!(raw.windows(2).all(|w| w[0].0 <= w[1].0));
        let smooth = thin(&points, 700);
        assert!(smooth.len() <= 700 && smooth.last() == points.last());
        // A wide plot has more columns of pixels than a narrow one.
        assert_eq!((columns(1800.0, 480.0), columns(900.0, 40.0)), (588, 358));
    }

    #[test]
    fn evaluations_are_on_the_axis_and_learning_rates_are_whole() {
        let mut c = chart(&[&[0.7, 0.6, 0.5, 0.4]]);
        assert!((c.top() - 0.8).abs() < 1e-12);
        c.dots.push(Dots { colour: theme::PALETTE[1], points: vec![(4.0, 2.1)], beneath: false });
        assert!((c.top() - 2.5).abs() < 1e-12, "{}", c.top());
        let mut rates = chart(&[&[1e-7, 1e-7, 1e-7, 1e-5]]);
        assert!(rates.top() < 1e-5);
        rates.whole = true;
        assert!((rates.top() - 1e-5).abs() < 1e-12, "{}", rates.top());
        assert_eq!([rates.label(1e-5, 2e-6), rates.label(1e-5, 0.0)], ["2e-6", "0"]);
        assert_eq!(rates.above(5e-6), 0.25);
    }

    /// Of averages the axis is that of the averages: single steps are not drawn.
    #[test]
    fn the_axis_is_of_what_is_drawn() {
        let mut c = chart(&[&[0.7, 3.0, 0.1]]);
        c.curves[0].smooth = vec![(1.0, 0.7), (2.0, 0.75), (3.0, 0.6)];
        assert!(c.top() > 2.0);
        c.curves[0].weight = Weight::Average;
        assert!((c.top() - 0.8).abs() < 1e-12 && c.highest() == 3.0 && c.cut() == 0, "{}", c.top());
    }

    #[test]
    fn a_band_goes_there_along_its_lower_end_and_back_along_the_upper() {
        let points = vec![(1.0, 2.0), (2.0, 3.0)];
        let mean =
            Mean { low: vec![(1.0, 1.0), (2.0, 2.0)], high: vec![(1.0, 3.0), (2.0, 4.0)], points, ..Mean::default() };
        assert_eq!(mean.outline(10), [(1.0, 1.0), (2.0, 2.0), (2.0, 4.0), (1.0, 3.0)]);
        // Two positions that share a column of pixels: their lowest and their highest value.
        assert_eq!(mean.outline(1), [(2.0, 1.0), (2.0, 4.0)]);
        assert!(Mean { high: mean.low.clone(), ..mean }.outline(10).is_empty(), "one run has no band");
    }

    /// The decimal logarithms of 0.01 to 100 are −2 to 2, with 4% of room at both ends; whole decades have labels.
    #[test]
    fn a_logarithmic_axis_has_a_label_at_each_decade() {
        let mut c = chart(&[&[0.01, 0.5, 0.0, f64::NAN, 100.0]]);
        (c.log, c.mark) = (true, Some(1.0));
        let range = c.range();
        assert!((range.start + 2.16).abs() < 1e-9 && (range.end - 2.16).abs() < 1e-9, "{range:?}");
        assert_eq!((c.labels(&range), c.cut()), (5, 0));
        let labels = [-2.0, -0.5, 0.0, 2.0].map(|v| c.label(range.end, v));
        assert_eq!(labels, ["0.01", "", "1", "100"]);
        assert_eq!([c.up(&range, 10.0), c.up(&range, 0.0), c.up(&range, 1e9)], [1.0, range.start, range.end]);
        c.mark = Some(1000.0);
        assert!(c.range().end > 3.0, "a line at 1000 is on the axis");
    }

    /// A cross in the chart is explained in its legend, also of one run.
    #[test]
    fn the_legend_explains_crosses() {
        let mut c = chart(&[&[0.5, 0.4]]);
        assert!(c.whole_legend().is_empty());
        c.curves[0].ended_early = true;
        assert_eq!(
            c.whole_legend().iter().map(|e| (e.name.as_str(), e.symbol)).collect::<Vec<_>>(),
            [("run ended early", pen::Symbol::Cross)]
        );
    }

    #[test]
    fn gaps_split_a_curve() {
        let p = [(1.0, 0.5), (2.0, f64::NAN), (3.0, 0.4), (4.0, f64::INFINITY)];
        assert_eq!(parts(&p), [vec![(1.0, 0.5)], vec![(3.0, 0.4)]]);
    }
}
