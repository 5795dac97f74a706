//! Predicted against true numbers of one column.

use std::ops::Range;

use plotters::{
    element::Circle,
    prelude::{Color, DrawingBackend},
};

use super::{
    Area, Chart, Drawn, Legible,
    axes::{Axis, Frame, number, plot, span},
    pen, theme,
    values::{MOST_VALUES, Value, Values, evenly},
};
use crate::report::language::tr;
use crate::{metrics::Metric, report::format};

/// Numbers of one column, each as a dot; on the dashed line the prediction is right.
pub struct ScatterChart {
    /// Name of the column; empty if there is only one.
    pub column: String,
    /// The column's id, which identifies it if its name cannot be drawn.
    pub id: usize,
    /// (true, predicted).
    pub points: Vec<(f64, f64)>,
}

/// The most dots that are drawn.
pub const MOST_DOTS: usize = 2000;

impl ScatterChart {
    /// The chart of these (true, predicted) numbers. Of more than [`MOST_DOTS`] it shows as many, at equal distances in the order of the
    /// rows; those that are not finite are left out.
    pub fn new(column: String, id: usize, rows: &[(f64, f64)]) -> Self {
        let finite: Vec<(f64, f64)> = rows.iter().copied().filter(|p| p.0.is_finite() && p.1.is_finite()).collect();
        let points = match finite.len() > MOST_DOTS {
            false => finite,
            true => (0..MOST_DOTS).map(|i| finite[i * finite.len() / MOST_DOTS]).collect(),
        };
        Self { column, id, points }
    }

    /// The range of both axes.
    fn range(&self) -> Range<f64> {
        span(self.points.iter().flat_map(|p| [p.0, p.1]))
    }
}

impl Chart for ScatterChart {
    fn height(&self, width: u32) -> u32 {
        if width < super::WIDTH { 840 } else { 1100 }
    }

    fn texts(&self) -> Vec<&str> {
        vec![self.column.as_str()]
    }

    fn values(&self, width: u32) -> Values {
        let frame = Frame::of((width, self.height(width)), (40.0, 0.0), self.range(), self.range());
        let mut points: Vec<&(f64, f64)> = evenly(&self.points, MOST_VALUES).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let text = |p: &(f64, f64)| {
            let [value, predicted] = [p.0, p.1].map(|value| Metric::Rmse.text(value));
            tr!("true {value}, predicted {predicted}", "真实值 {value}，预测值 {predicted}")
        };
        let value = |p: &(f64, f64)| Value { at: frame.at(*p), series: None, text: text(p) };
        Values { names: Vec::new(), values: points.into_iter().map(value).collect() }
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, legible: Legible<'_>) -> Drawn<DB> {
        pen::title(
            area,
            &titled(tr("Predicted against true numbers", "预测值与真实值"), &self.column, self.id, legible),
        )?;
        // Both axes have the same range, so that the line of right predictions goes from corner to corner.
        let range = self.range();
        let (low, high) = (range.start, range.end);
        let label = |v: f64| number(high - low, v);
        let mut chart = plot(
            area,
            (40.0, 0.0),
            Axis { range: range.clone(), title: tr("true", "真实值"), labels: 9, format: &label },
            Axis { range, title: tr("predicted", "预测值"), labels: 9, format: &label },
        )?;
        let at = |p: (i32, i32)| (f64::from(p.0), f64::from(p.1));
        let (from, to) = (at(chart.backend_coord(&(low, low))), at(chart.backend_coord(&(high, high))));
        let opacity = if self.points.len() > 300 { 0.35 } else { 0.6 };
        chart.draw_series(self.points.iter().map(|p| Circle::new(*p, 6, theme::PALETTE[0].mix(opacity).filled())))?;
        pen::dashes(area, from, to, pen::stroke(theme::MUTED, 1.0, 3))
    }
}

/// The title of the chart of a column.
pub(super) fn titled(what: &str, column: &str, id: usize, legible: Legible<'_>) -> String {
    match column.is_empty() {
        true => what.into(),
        false => {
            format::ellipsize(&format!("{what}: {}", legible.or(column, || tr!("column {}", "第 {} 列", id + 1))), 26.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_dots_are_thinned_evenly() {
        let rows: Vec<(f64, f64)> = (0..5000).map(|i| (f64::from(i), 0.0)).collect();
        let chart = ScatterChart::new(String::new(), 0, &rows);
        assert_eq!((chart.points.len(), chart.points[0].0, chart.points[1999].0), (MOST_DOTS, 0.0, 4997.0));
        let few = ScatterChart::new(String::new(), 0, &[(1.0, f64::NAN), (1.0, 2.0)]);
        assert_eq!(few.points, [(1.0, 2.0)]);
    }
}
