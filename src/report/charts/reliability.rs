//! Reliability diagram: accuracy by confidence (A. Niculescu-Mizil, R. Caruana 2005).

use plotters::{element::Rectangle, prelude::Color, prelude::DrawingBackend};

use super::{
    Area, Chart, Drawn, Legible,
    axes::{Axis, Frame, plot},
    pen::{self, At},
    theme,
    values::{Value, Values},
    width,
};
use crate::report::format;
use crate::report::language::tr;

/// The end of the vertical axis, with space for the dot of a bin that is always right.
const TOP: f64 = 103.0;

/// Accuracy by confidence, or of sets of labels how often a label is there by its probability.
pub struct ReliabilityChart {
    /// Its words.
    pub words: ReliabilityWords,
    /// Bins of equal width over [0, 1].
    pub bins: Vec<Bin>,
}

/// The words of a reliability diagram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReliabilityWords {
    /// Title.
    pub title: &'static str,
    /// Title of the horizontal axis.
    pub x: &'static str,
    /// Title of the vertical axis.
    pub y: &'static str,
    /// What the dashed line and the dot are.
    pub key: &'static str,
    /// What is counted, in the singular.
    pub counted: &'static str,
    /// What the height of a bar is the share of.
    pub right: &'static str,
}

impl ReliabilityWords {
    /// Of rows with one label.
    pub fn of_rows() -> Self {
        Self {
            title: tr("Reliability: accuracy by confidence", "可靠性图：各置信度下的准确率"),
            x: tr("confidence in the predicted label (%)", "预测标签的置信度（%）"),
            y: tr("share predicted correctly (%)", "预测正确的比例（%）"),
            key: tr(
                "dashed: confidence = accuracy · dot: mean confidence of the bin",
                "虚线：置信度 = 准确率 · 点：该段的平均置信度",
            ),
            counted: "row",
            right: tr("right", "正确"),
        }
    }
    /// Of every label of every row.
    pub fn of_cells() -> Self {
        Self {
            title: tr(
                "Reliability: how often labels are there, by probability",
                "可靠性图：各概率下标签实际出现的比例",
            ),
            x: tr("probability of a label (%)", "标签的概率（%）"),
            y: tr("share of rows that have it (%)", "具有该标签的行的比例（%）"),
            key: tr(
                "dashed: probability = share · dot: mean probability of the bin",
                "虚线：概率 = 比例 · 点：该段的平均概率",
            ),
            counted: "pair",
            right: tr("have it", "具有该标签"),
        }
    }
}

/// Rows of similar confidence.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bin {
    /// Rows in it.
    pub rows: u64,
    /// Correctly predicted rows.
    pub right: u64,
    /// Sum of their confidences.
    pub confidence: f64,
}

impl ReliabilityChart {
    /// Ten bins, like those of [`crate::metrics::Metrics::calibration_error`]; `rows` are (confidence, right).
    pub fn new(words: ReliabilityWords, rows: impl IntoIterator<Item = (f32, bool)>) -> Self {
        let mut bins = vec![Bin::default(); 10];
        for (confidence, right) in rows {
            let bin = &mut bins[((confidence * 10.0) as usize).min(9)];
            bin.rows += 1;
            bin.right += u64::from(right);
            bin.confidence += f64::from(confidence);
        }
        Self { words, bins }
    }
}

impl Chart for ReliabilityChart {
    fn height(&self, _: u32) -> u32 {
        840
    }

    fn texts(&self) -> Vec<&str> {
        Vec::new()
    }

    fn values(&self, width: u32) -> Values {
        let frame = Frame::of((width, self.height(width)), (40.0, 0.0), 0.0..100.0, 0.0..TOP);
        let share = |of: f64, bin: &Bin| of / bin.rows as f64;
        let value = |(i, bin): (usize, &Bin)| {
            let [right, mean] = [share(bin.right as f64, bin), share(bin.confidence, bin)];
            Value {
                at: frame.at((100.0 * mean, 100.0 * right)),
                series: None,
                text: tr!(
                    "{}–{}%: {}, mean {}, {} {}",
                    "{}–{}%：{}，平均 {}，{} {}",
                    10 * i,
                    10 * (i + 1),
                    format::plural(bin.rows as usize, self.words.counted),
                    format::percent(mean),
                    format::percent(right),
                    self.words.right,
                ),
            }
        };
        let bins = self.bins.iter().enumerate().filter(|(_, bin)| bin.rows > 0);
        Values { names: Vec::new(), values: bins.map(value).collect() }
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, _: Legible<'_>) -> Drawn<DB> {
        pen::title(area, self.words.title)?;
        let whole = |v: f64| format::decimals(v, 0);
        let mut chart = plot(
            area,
            (40.0, 0.0),
            Axis { range: 0.0..100.0, title: self.words.x, labels: 11, format: &whole },
            Axis {
                range: 0.0..TOP,
                title: self.words.y,
                labels: 6,
                format: &|v| {
                    if v > 100.5 { String::new() } else { whole(v) }
                },
            },
        )?;
        let (narrow, end_of_line) = (width(area) < f64::from(super::WIDTH), width(area) - 40.0);
        let width = 100.0 / self.bins.len() as f64;
        let mut notes = Vec::new();
        for (i, bin) in self.bins.iter().enumerate().filter(|(_, b)| b.rows > 0) {
            let from = i as f64 * width;
            let share = 100.0 * bin.right as f64 / bin.rows as f64;
            let corners = [(from + 0.6, 0.0), (from + width - 0.6, share)];
            chart.draw_series([Rectangle::new(corners, theme::PALETTE[0].mix(0.5).filled())])?;
            let foot = chart.backend_coord(&(from + width / 2.0, 0.0));
            let mean = chart.backend_coord(&(100.0 * bin.confidence / bin.rows as f64, share));
            // A narrow bin has no space for the word.
            let rows =
                if narrow { format::count(bin.rows) } else { format::plural(bin.rows as usize, self.words.counted) };
            notes.push((foot, mean, rows));
        }
        let point = |p: (i32, i32)| (f64::from(p.0), f64::from(p.1));
        let (origin, end) = (point(chart.backend_coord(&(0.0, 0.0))), point(chart.backend_coord(&(100.0, 100.0))));
        pen::dashes(area, origin, end, pen::stroke(theme::MUTED, 1.0, 3))?;
        for (foot, mean, rows) in notes {
            let (x, y) = point(foot);
            pen::text(area, (x, y - 24.0), &rows, pen::SMALL, theme::INK, At::Middle)?;
            pen::dot(area, point(mean), 8, theme::INK, true)?;
        }
        let key = self.words.key;
        pen::text(area, (end_of_line, if narrow { 74.0 } else { 40.0 }), key, pen::SMALL, theme::MUTED, At::Right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_fall_into_bins_of_their_confidence() {
        let chart = ReliabilityChart::new(ReliabilityWords::of_rows(), [(0.95, true), (1.0, false), (0.5, true)]);
        assert_eq!(chart.bins[9], Bin { rows: 2, right: 1, confidence: f64::from(0.95f32) + 1.0 });
        assert_eq!(chart.bins[5].rows, 1);
    }
}
