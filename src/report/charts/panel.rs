//! A plot within a chart of several: its frame, its vertical axis, and the positions in it.

use plotters::prelude::DrawingBackend;

use super::{
    Area, Drawn,
    axes::number,
    pen::{self, At},
    theme,
};
use crate::{
    metrics::{Metric, Unit},
    report::format,
};

/// A mark of an axis: its position from 0 to 1, and its label.
#[derive(Debug, Clone, PartialEq)]
pub struct Mark {
    /// The position.
    pub at: f64,
    /// The label.
    pub label: String,
    /// The label to use if that cannot be drawn.
    pub substitute: String,
}

/// A plot. Lengths are in drawing units.
pub struct Panel<'a> {
    /// Its name, above it.
    pub name: &'a str,
    /// Its left and its right end.
    pub x: (f64, f64),
    /// Its upper and its lower end.
    pub y: (f64, f64),
    /// The metric of the vertical axis.
    pub metric: Metric,
    /// The lowest and the highest value.
    pub range: (f64, f64),
}

/// Space at both ends of a horizontal axis.
const SIDES: f64 = 0.06;

impl Panel<'_> {
    /// The position of a share of the horizontal axis.
    pub fn across(&self, share: f64) -> f64 {
        let width = self.x.1 - self.x.0;
        self.x.0 + width * (SIDES + (1.0 - 2.0 * SIDES) * share.clamp(0.0, 1.0))
    }

    /// The height of a value.
    pub fn up(&self, value: f64) -> f64 {
        let share = (value.clamp(self.range.0, self.range.1) - self.range.0) / (self.range.1 - self.range.0);
        self.y.1 - share * (self.y.1 - self.y.0)
    }

    /// Draws the frame with the labels of the vertical axis and these marks below.
    pub fn frame<DB: DrawingBackend>(&self, area: &Area<DB>, marks: &[Mark], legible: super::Legible<'_>) -> Drawn<DB> {
        pen::text(area, (self.x.0, self.y.0 - 30.0), self.name, pen::LABEL, theme::INK, At::Left)?;
        for value in ticks(self.range, 5) {
            let y = self.up(value);
            pen::path(area, &[(self.x.0, y), (self.x.1, y)], pen::stroke(theme::GRID, 1.0, 2))?;
            let label = value_label(self.metric, self.range, value);
            pen::text(area, (self.x.0 - 14.0, y), &label, pen::SMALL, theme::MUTED, At::Right)?;
        }
        pen::path(area, &[(self.x.0, self.y.1), (self.x.1, self.y.1)], pen::stroke(theme::MUTED, 0.6, 2))?;
        let (room, lines) = label_room(self.x.1 - self.x.0, marks);
        for mark in marks {
            let label = legible.or(&mark.label, || mark.substitute.clone());
            let x = self.across(mark.at);
            pen::path(area, &[(x, self.y.1), (x, self.y.1 + 8.0)], pen::stroke(theme::MUTED, 0.6, 2))?;
            for (line, text) in format::wrap(&label, room / pen::SMALL, lines).iter().enumerate() {
                let y = self.y.1 + 28.0 + line as f64 * (pen::SMALL + 3.0);
                pen::text(area, (x, y), text, pen::SMALL, theme::MUTED, At::Middle)?;
            }
        }
        Ok(())
    }
}

/// The room of each label below an axis, and how many lines it may have.
fn label_room(width: f64, marks: &[Mark]) -> (f64, usize) {
    let mut at: Vec<f64> = marks.iter().map(|mark| mark.at).collect();
    at.sort_by(f64::total_cmp);
    let gap = at.windows(2).map(|pair| pair[1] - pair[0]).fold(1.0, f64::min);
    ((gap * width * (1.0 - 2.0 * SIDES) - 10.0).max(pen::SMALL * 1.2), 2)
}

/// The marks whose labels have room in an axis of this width: all, or of numbers in order every second, third, ….
pub fn thinned(marks: &[Mark], width: f64) -> Vec<Mark> {
    let widest = marks.iter().map(|mark| format::width_em(&mark.label)).fold(0.0, f64::max) * pen::SMALL + 12.0;
    let fits = |step: usize| {
        let at: Vec<f64> = marks.iter().step_by(step).map(|mark| mark.at).collect();
        at.windows(2).all(|pair| (pair[1] - pair[0]) * width * (1.0 - 2.0 * SIDES) >= widest)
    };
    let step = (1..marks.len()).find(|step| fits(*step)).unwrap_or(marks.len().max(1));
    marks.iter().step_by(step).cloned().collect()
}

/// A value of a metric as a label of an axis with this range.
pub fn value_label(metric: Metric, (low, high): (f64, f64), value: f64) -> String {
    match metric.info().unit {
        // As many digits as the distance of two labels, about a fifth of the range, needs.
        Unit::Share => {
            let digits = -((high - low) * 100.0 / 5.0 * (1.0 + 1e-9)).log10().floor();
            let digits = if digits.is_finite() { digits.clamp(0.0, 6.0) } else { 0.0 };
            format!("{}%", format::decimals(value * 100.0, digits as usize))
        }
        Unit::Nats | Unit::Plain => number(high - low, value),
    }
}

/// Round numbers within a range, about as many as asked for.
pub fn ticks((low, high): (f64, f64), about: usize) -> Vec<f64> {
    let least = (high - low) / about.max(1) as f64;
    if least.is_nan() || least <= 0.0 || !least.is_finite() {
        return vec![low];
    }
    let power = 10f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0].map(|of| of * power).into_iter().find(|step| *step >= least * (1.0 - 1e-9));
    let step = step.unwrap_or(10.0 * power);
    let first = (low / step - 1e-9).ceil();
    let n = ((high / step + 1e-9).floor() - first).clamp(0.0, 50.0) as usize;
    (0..=n).map(|i| (first + i as f64) * step).collect()
}

/// The range of an axis for these values of a metric, with some room; of shares within 0 and 1.
pub fn range_of(metric: Metric, values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return (0.0, 1.0);
    }
    let least = if metric.info().unit == Unit::Share { 0.005 } else { high.abs().max(1e-6) * 1e-3 };
    let room = ((high - low) * 0.07).max(least);
    match metric.info().unit {
        Unit::Share => ((low - room).max(0.0), (high + room).min(1.0)),
        Unit::Nats | Unit::Plain => (low - room, high + room),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_an_axis_are_round_numbers_within_it() {
        let shown = |range| ticks(range, 5).iter().map(|v| format::decimals(*v, 2)).collect::<Vec<_>>().join(" ");
        assert_eq!(shown((0.31, 0.92)), "0.40 0.60 0.80");
        assert_eq!(shown((0.0, 1.0)), "0.00 0.20 0.40 0.60 0.80 1.00");
        assert_eq!(shown((-1.3, 2.2)), "-1.00 0.00 1.00 2.00");
        assert_eq!((ticks((1.0, 1.0), 5), ticks((f64::NAN, 1.0), 5).len()), (vec![1.0], 1));
    }

    #[test]
    fn labels_of_shares_tell_each_other_apart() {
        for range in [(0.9, 0.9007), (0.9, 0.92), (0.88, 0.93), (0.3, 0.9), (0.0, 1.0)] {
            let labels: Vec<String> =
                ticks(range, 5).into_iter().map(|value| value_label(Metric::Accuracy, range, value)).collect();
            let apart: std::collections::BTreeSet<&String> = labels.iter().collect();
            assert_eq!(apart.len(), labels.len(), "{labels:?}");
        }
        let label = |range, value| value_label(Metric::Accuracy, range, value);
        assert_eq!(
            [label((0.3, 0.9), 0.4), label((0.9, 0.92), 0.905), label((0.9, 0.9007), 0.9002)],
            ["40%", "90.5%", "90.02%"]
        );
    }

    #[test]
    fn the_range_of_shares_stays_within_0_and_1() {
        assert_eq!(range_of(Metric::Accuracy, [0.5, 1.0].into_iter()).1, 1.0);
        assert_eq!(range_of(Metric::Accuracy, [f64::NAN].into_iter()), (0.0, 1.0));
        let same = range_of(Metric::Rmse, [0.3].into_iter());
        assert!(same.0 < 0.3 && same.1 > 0.3);
    }

    #[test]
    fn labels_without_room_are_left_out() {
        let marks: Vec<Mark> = (0..20)
            .map(|i| Mark { at: f64::from(i) / 19.0, label: format!("{i}00000"), substitute: String::new() })
            .collect();
        assert!(thinned(&marks, 500.0).len() < 8);
        assert_eq!(thinned(&marks[..3], 5000.0).len(), 3);
    }
}
