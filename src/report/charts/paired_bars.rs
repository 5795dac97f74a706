//! Two histograms over the same ranges: before and after training.

use plotters::{
    element::Rectangle,
    prelude::{Color, DrawingBackend},
    style::RGBColor,
};

use super::{
    Area, Chart, Drawn, Legible,
    axes::{Axis, plot, round_end, whole},
    pen::{self, LegendArea, LegendEntry, Symbol},
    scatter::titled,
    theme, width,
};

/// Colours of what is before and after training.
pub const BEFORE: RGBColor = theme::OTHERS;
/// See [`BEFORE`].
pub const AFTER: RGBColor = theme::PALETTE[0];

/// The legend of a chart with both.
pub fn legend(before: String, after: String) -> Vec<LegendEntry> {
    let entry = |name: String, colour| LegendEntry { substitute: name.clone(), name, colour, symbol: Symbol::Line };
    vec![entry(before, BEFORE), entry(after, AFTER)]
}

/// How many are in each of several ranges of equal width, before and after.
pub struct PairedBars {
    /// Title.
    pub title: &'static str,
    /// Name of the column; empty if there is only one.
    pub column: String,
    /// The column's id, which identifies it if its name cannot be drawn.
    pub id: usize,
    /// Title of the horizontal axis.
    pub x: &'static str,
    /// What is counted.
    pub counted: &'static str,
    /// First and last value of the ranges together.
    pub range: (f64, f64),
    /// Number of labels of the horizontal axis.
    pub labels: usize,
    /// Formats them.
    pub label: Box<dyn Fn(f64) -> String>,
    /// Counts before training, from the lowest range.
    pub before: Vec<u64>,
    /// Counts with the kept weights.
    pub after: Vec<u64>,
    /// What the colours mean.
    pub legend: Vec<LegendEntry>,
    /// A value at which a dashed line is drawn.
    pub mark: Option<f64>,
}

impl Chart for PairedBars {
    fn height(&self, width: u32) -> u32 {
        LegendArea::of(&self.legend, width).height(&self.legend) - 140
    }

    fn texts(&self) -> Vec<&str> {
        vec![self.column.as_str()]
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, legible: Legible<'_>) -> Drawn<DB> {
        pen::title(area, &titled(self.title, &self.column, self.id, legible))?;
        let room = LegendArea::of(&self.legend, width(area) as u32);
        let most = self.before.iter().chain(&self.after).copied().max().unwrap_or(0) as f64;
        let end = round_end(most.max(1.0), 6);
        let (low, high) = self.range;
        let mut chart = plot(
            area,
            (room.right, room.below),
            Axis { range: low..high, title: self.x, labels: self.labels, format: &self.label },
            Axis { range: 0.0..end, title: self.counted, labels: 6, format: &whole },
        )?;
        let step = (high - low) / self.before.len().max(1) as f64;
        for (counts, colour, from) in [(&self.before, BEFORE, 0.06), (&self.after, AFTER, 0.5)] {
            let bars = counts.iter().enumerate().filter(|(_, n)| **n > 0).map(|(i, n)| {
                let left = low + step * (i as f64 + from);
                Rectangle::new([(left, 0.0), (left + 0.44 * step, *n as f64)], colour.filled())
            });
            chart.draw_series(bars)?;
        }
        if let Some(mark) = self.mark {
            let at = |p: (i32, i32)| (f64::from(p.0), f64::from(p.1));
            let (foot, head) = (at(chart.backend_coord(&(mark, 0.0))), at(chart.backend_coord(&(mark, end))));
            pen::dashes(area, head, foot, pen::stroke(theme::MUTED, 1.0, 3))?;
        }
        room.draw(area, &self.legend, legible)
    }
}
