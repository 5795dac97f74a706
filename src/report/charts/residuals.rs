//! Histogram of the errors of predicted numbers.

use plotters::{
    element::Rectangle,
    prelude::{Color, DrawingBackend},
};

use super::{
    Area, Chart, Drawn, Legible,
    axes::{Axis, Frame, number, plot, round_end, whole},
    pen,
    scatter::titled,
    theme,
    values::{Value, Values},
};
use crate::report::format;
use crate::report::language::tr;

/// How many rows have an error in each of several ranges of equal width, centred at 0.
pub struct ResidualsChart {
    /// Name of the column; empty if there is only one.
    pub column: String,
    /// The column's id, which identifies it if its name cannot be drawn.
    pub id: usize,
    /// The largest error that the axis has: the ranges cover −`most` to `most`.
    pub most: f64,
    /// Rows in each range, from the lowest.
    pub bins: Vec<u64>,
}

/// The number of ranges: odd, so that the middle one is around 0.
const BINS: usize = 31;

impl ResidualsChart {
    /// The chart of these errors (predicted minus true); those that are not finite are left out.
    pub fn new(column: String, id: usize, errors: impl Iterator<Item = f64>) -> Self {
        let errors: Vec<f64> = errors.filter(|error| error.is_finite()).collect();
        let largest = errors.iter().map(|error| error.abs()).fold(0.0, f64::max);
        let most = round_end(largest, 5);
        let mut bins = vec![0; BINS];
        for error in errors {
            let at = ((error + most) / (2.0 * most) * BINS as f64) as usize;
            bins[at.min(BINS - 1)] += 1;
        }
        Self { column, id, most, bins }
    }

    /// The end of the axis of rows.
    fn end(&self) -> f64 {
        round_end((self.bins.iter().copied().max().unwrap_or(0) as f64).max(1.0), 6)
    }
}

impl Chart for ResidualsChart {
    fn height(&self, _: u32) -> u32 {
        700
    }

    fn texts(&self) -> Vec<&str> {
        vec![self.column.as_str()]
    }

    fn values(&self, width: u32) -> Values {
        let frame = Frame::of((width, self.height(width)), (40.0, 0.0), -self.most..self.most, 0.0..self.end());
        let width = 2.0 * self.most / self.bins.len() as f64;
        let value = |(i, rows): (usize, &u64)| {
            let from = -self.most + width * i as f64;
            let [low, high] = [from, from + width].map(|error| number(width, error));
            Value {
                at: frame.at((from + width / 2.0, *rows as f64)),
                series: None,
                text: tr!("{low} to {high}: {}", "{low} 至 {high}：{}", format::plural(*rows as usize, "row")),
            }
        };
        Values { names: Vec::new(), values: self.bins.iter().enumerate().map(value).collect() }
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, legible: Legible<'_>) -> Drawn<DB> {
        pen::title(
            area,
            &titled(tr("Errors of the predicted numbers", "预测数值的误差"), &self.column, self.id, legible),
        )?;
        let end = self.end();
        let mut chart = plot(
            area,
            (40.0, 0.0),
            Axis {
                range: -self.most..self.most,
                title: tr("predicted minus true", "预测值减真实值"),
                labels: 9,
                format: &|v| number(2.0 * self.most, v),
            },
            Axis { range: 0.0..end, title: tr("rows", "行数"), labels: 6, format: &whole },
        )?;
        let width = 2.0 * self.most / self.bins.len() as f64;
        let bars = self.bins.iter().enumerate().filter(|(_, rows)| **rows > 0).map(|(i, rows)| {
            let from = -self.most + width * i as f64;
            let corners = [(from + 0.05 * width, 0.0), (from + 0.95 * width, *rows as f64)];
            Rectangle::new(corners, theme::PALETTE[0].mix(0.6).filled())
        });
        chart.draw_series(bars)?;
        let at = |p: (i32, i32)| (f64::from(p.0), f64::from(p.1));
        let (foot, head) = (at(chart.backend_coord(&(0.0, 0.0))), at(chart.backend_coord(&(0.0, end))));
        pen::dashes(area, head, foot, pen::stroke(theme::MUTED, 1.0, 3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_fall_into_ranges_around_zero() {
        let chart = ResidualsChart::new(String::new(), 0, [0.0, 0.01, -0.01, 1.0, -1.0, f64::NAN].into_iter());
        assert_eq!((chart.most, chart.bins[15], chart.bins[0], chart.bins[30]), (1.0, 3, 1, 1));
        assert_eq!(chart.bins.iter().sum::<u64>(), 5);
        let none = ResidualsChart::new(String::new(), 0, std::iter::empty());
        assert_eq!((none.most, none.bins.iter().sum::<u64>()), (1.0, 0));
    }
}
