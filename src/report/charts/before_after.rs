//! A metric before and after training, with its 95% intervals.

use plotters::{prelude::DrawingBackend, style::RGBColor};

use super::{
    Area, Chart, Drawn, Legible,
    axes::{number, round_end},
    pen::{self, At},
    theme,
    values::{Value, Values},
    width,
};
use crate::report::language::{Said, tr};
use crate::{
    metrics::{Metric, Unit},
    report::format,
    stats::Interval,
};

/// One row for each run.
pub struct BeforeAfterChart {
    /// The runs, in the order of the ranking.
    pub changes: Vec<Change>,
    /// Name of the split.
    pub split: &'static str,
    /// The metric.
    pub metric: Metric,
    /// What the intervals are: `95% Wilson intervals`.
    pub intervals: &'static str,
    /// Its value for the baseline.
    pub baseline: Option<f64>,
}

/// A run's values, with their intervals.
pub struct Change {
    /// Name of the run.
    pub name: String,
    /// Start of its key, which identifies it if its name cannot be drawn.
    pub key: String,
    /// Before the first step.
    pub before: Option<(f64, Option<Interval>)>,
    /// With the kept weights.
    pub after: (f64, Option<Interval>),
}

const TOP: f64 = 128.0;
const FOOT: f64 = 92.0;
/// Space at the right of the plot, of a wide and of a narrow chart.
const RIGHT: [f64; 2] = [280.0, 240.0];
/// Height of a run with two lines.
const ROW: f64 = 62.0;

impl BeforeAfterChart {
    /// Where the names end and the plot begins.
    fn left(&self, width: f64) -> f64 {
        let longest = self.changes.iter().map(|c| format::width_em(&c.name)).fold(0.0, f64::max);
        (longest * pen::SMALL + 60.0).clamp(160.0, 0.29 * width)
    }

    /// A name, wrapped to as many lines as needed.
    fn lines(&self, name: &str, width: f64) -> Vec<String> {
        format::wrap(name, (self.left(width) - 50.0) / pen::SMALL, pen::NAME_LINES)
    }

    /// The ends of the axis and the distance of its labels: 0 to 1 for shares.
    fn axis(&self) -> (f64, f64, f64) {
        if self.metric.info().unit == Unit::Share {
            return (0.0, 1.0, 0.2);
        }
        let ends = |(value, interval): (f64, Option<Interval>)| {
            [Some(value), interval.map(|i| i.low), interval.map(|i| i.high)].into_iter().flatten()
        };
        let values = self.changes.iter().flat_map(|c| c.before.into_iter().chain([c.after]).flat_map(ends));
        let values: Vec<f64> = values.chain(self.baseline).filter(|v| v.is_finite()).collect();
        let high = round_end(values.iter().copied().fold(0.0, f64::max), 6);
        let lowest = values.iter().copied().fold(0.0, f64::min);
        let low = if lowest < 0.0 { -round_end(-lowest, 6) } else { 0.0 };
        (low, high, (high - low) / 5.0)
    }

    /// Where a value is drawn.
    fn x(&self, width: f64, value: f64) -> f64 {
        let (left, right, (low, high, _)) = (self.left(width), right(width), self.axis());
        left + ((value.clamp(low, high) - low) / (high - low)) * (right - left)
    }

    /// The middle of a run's row.
    fn y(&self, width: f64, run: usize) -> f64 {
        TOP + self.row(width) * (run as f64 + 0.5)
    }

    /// Height of each run.
    fn row(&self, width: f64) -> f64 {
        let most = self.changes.iter().map(|change| self.lines(&change.name, width).len()).max().unwrap_or(0);
        ROW.max(most as f64 * pen::SMALL + 16.0)
    }
}

impl Chart for BeforeAfterChart {
    fn height(&self, width: u32) -> u32 {
        (TOP + self.row(f64::from(width)) * self.changes.len() as f64 + FOOT) as u32
    }

    fn texts(&self) -> Vec<&str> {
        self.changes.iter().map(|c| c.name.as_str()).collect()
    }

    fn values(&self, width: u32) -> Values {
        let width = f64::from(width);
        let values = self.changes.iter().enumerate().flat_map(|(i, change)| {
            let value = |when: &str, (value, interval): (f64, Option<Interval>)| Value {
                at: (self.x(width, value), self.y(width, i)),
                series: Some(i),
                text: match interval {
                    Some(interval) => {
                        format!("{when}: {}", format::with_interval(self.metric, value, (interval.low, interval.high)))
                    }
                    None => format!("{when}: {}", self.metric.text(value)),
                },
            };
            change
                .before
                .map(|before| value(tr("before", "训练前"), before))
                .into_iter()
                .chain([value(tr("after", "训练后"), change.after)])
        });
        Values { names: self.changes.iter().map(|change| change.name.clone()).collect(), values: values.collect() }
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, legible: Legible<'_>) -> Drawn<DB> {
        pen::title(
            area,
            &tr!("{} {} before and after training", format::capital(self.split), self.metric.said(); "训练前后的{1}{0}", self.metric.said(), self.split),
        )?;
        let width = width(area);
        let (left, row) = (self.left(width), self.row(width));
        let right = right(width);
        let bottom = TOP + row * self.changes.len() as f64;
        let (low, high, distance) = self.axis();
        let x = |value: f64| self.x(width, value);
        for tick in 0..=5 {
            let value = low + f64::from(tick) * distance;
            pen::path(area, &[(x(value), TOP - 20.0), (x(value), bottom)], pen::stroke(theme::GRID, 1.0, 2))?;
            let label = match self.metric.info().unit {
                Unit::Share => format!("{}%", tick * 20),
                Unit::Nats | Unit::Plain => number(high - low, value),
            };
            pen::text(area, (x(value), bottom + 28.0), &label, pen::SMALL, theme::MUTED, At::Middle)?;
        }
        let drawn = self.changes.iter().any(|c| c.after.1.is_some());
        let bars = if drawn { tr!(" · bars: {}", " · 区间：{}", self.intervals) } else { String::new() };
        let note = &tr!("ring: before · dot: after{bars}", "空心圆：训练前 · 实心点：训练后{bars}");
        let from = if width < f64::from(super::WIDTH) { 24.0 } else { left };
        pen::text(area, (from, bottom + 66.0), note, pen::SMALL, theme::MUTED, At::Left)?;
        if let Some(baseline) = self.baseline {
            let style = pen::stroke(theme::MUTED, 1.0, 3);
            pen::dashes(area, (x(baseline), TOP - 24.0), (x(baseline), bottom), style)?;
            let note = tr!("baseline {}", "基线 {}", self.metric.text(baseline));
            pen::text(area, (x(baseline), TOP - 42.0), &note, pen::SMALL, theme::MUTED, At::Middle)?;
        }
        for (i, change) in self.changes.iter().enumerate() {
            let y = self.y(width, i);
            let name = legible.or(&change.name, || change.key.clone());
            let lines = self.lines(&name, width);
            let first = y - (lines.len() as f64 - 1.0) * pen::SMALL / 2.0;
            for (i, line) in lines.iter().enumerate() {
                let y = first + i as f64 * pen::SMALL;
                pen::text(area, (left - 24.0, y), line, pen::SMALL, theme::INK, At::Right)?;
            }
            let after = change.after;
            let mut label = self.metric.text(after.0);
            if let Some(before) = change.before {
                pen::path(area, &[(x(before.0), y), (x(after.0), y)], pen::stroke(theme::OTHERS, 0.6, 6))?;
                if let Some(i) = before.1 {
                    whisker(area, (x(i.low), x(i.high)), y, theme::MUTED)?;
                }
                ring(area, (x(before.0), y))?;
                label = tr!("{} to {label}", "{} → {label}", self.metric.text(before.0));
            }
            if let Some(i) = after.1 {
                whisker(area, (x(i.low), x(i.high)), y, theme::PALETTE[0])?;
            }
            pen::dot(area, (x(after.0), y), 11, theme::PALETTE[0], true)?;
            pen::text(area, (right + 24.0, y), &label, pen::LABEL, theme::INK, At::Left)?;
        }
        Ok(())
    }
}

/// Where the plot ends in a chart of this width.
fn right(width: f64) -> f64 {
    width - RIGHT[usize::from(width < f64::from(super::WIDTH))]
}

fn ring<DB: DrawingBackend>(area: &Area<DB>, at: (f64, f64)) -> Drawn<DB> {
    pen::dot(area, at, 10, theme::PAPER, true)?;
    pen::dot(area, at, 10, theme::MUTED, false)
}

fn whisker<DB: DrawingBackend>(area: &Area<DB>, (low, high): (f64, f64), y: f64, colour: RGBColor) -> Drawn<DB> {
    let style = pen::stroke(colour, 1.0, 3);
    pen::path(area, &[(low, y), (high, y)], style)?;
    pen::path(area, &[(low, y - 9.0), (low, y + 9.0)], style)?;
    pen::path(area, &[(high, y - 9.0), (high, y + 9.0)], style)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: f64 = 1800.0;

    #[test]
    fn long_names_are_not_cut_to_the_same_label() {
        let chart = |names: &[&str]| BeforeAfterChart {
            changes: names
                .iter()
                .map(|name| Change {
                    name: name.to_string(),
                    key: String::new(),
                    before: None,
                    after: (0.5, Some(Interval { low: 0.4, high: 0.6 })),
                })
                .collect(),
            split: "test",
            metric: Metric::Accuracy,
            intervals: "",
            baseline: None,
        };
        let long = "lr=0.0003 batch_size=16 dropout=0.1 weight_decay=0.01 warmup_ratio=0.1 scheduler=cosine seed=";
        let names = [1, 2].map(|seed| format!("{long}{seed}"));
        let chart_of_long = chart(&names.each_ref().map(String::as_str));
        let lines = names.each_ref().map(|name| chart_of_long.lines(name, WIDE));
        assert!(lines[0].len() > 2 && lines[0] != lines[1], "{lines:?}");
        assert!(lines.iter().zip(&names).all(|(lines, name)| lines.join(" ") == **name), "{lines:?}");
        // Each run is high enough for them, and short names need no more than two lines.
        assert!(chart_of_long.row(WIDE) >= lines[0].len() as f64 * pen::SMALL);
        assert_eq!((chart(&["a", "b"]).row(WIDE), chart(&[]).row(WIDE)), (ROW, ROW));
    }
}
