//! Parallel coordinates: a line for each trial through its value on each axis and its result.

use plotters::{prelude::DrawingBackend, style::RGBColor};

use super::{
    Area, Chart, Drawn, Legible, WIDTH,
    panel::{Mark, thinned},
    pen::{self, At, LegendArea, LegendEntry},
    theme, width,
};
use crate::report::format;
use crate::report::language::tr;

/// Trials by all axes: those of a wide chart are beside each other, those of a narrow one below each other.
pub struct ParallelChart {
    /// The axes; the last one is that of the result.
    pub axes: Vec<ParallelAxis>,
    /// The trials, the leaders last, so that they are on top.
    pub lines: Vec<Line>,
    /// What the colours mean.
    pub legend: Vec<LegendEntry>,
}

/// An axis.
pub struct ParallelAxis {
    /// Its name.
    pub name: String,
    /// Labels of its values.
    pub marks: Vec<Mark>,
}

/// A trial.
pub struct Line {
    /// Its position on each axis, from 0 to 1.
    pub at: Vec<f64>,
    /// Its colour, if it is one of the leaders.
    pub leads: Option<RGBColor>,
}

const TOP: f64 = 150.0;
/// Height of the plot of a wide chart.
const HIGH: f64 = 560.0;
/// Distance of the axes of a narrow chart.
const ROW: f64 = 170.0;

impl ParallelChart {
    fn is_narrow(width: f64) -> bool {
        width < f64::from(WIDTH)
    }

    fn plot(&self, width: f64) -> f64 {
        if Self::is_narrow(width) { ROW * (self.axes.len() as f64 - 1.0) + 70.0 } else { HIGH + 60.0 }
    }

    fn legend(&self) -> LegendArea {
        // Below the plot, in both forms.
        LegendArea::of(&self.legend, super::NARROW)
    }
}

impl Chart for ParallelChart {
    fn height(&self, width: u32) -> u32 {
        (TOP + self.plot(f64::from(width)) + self.legend().below) as u32
    }

    fn texts(&self) -> Vec<&str> {
        let axes = self
            .axes
            .iter()
            .flat_map(|axis| [axis.name.as_str()].into_iter().chain(axis.marks.iter().map(|mark| mark.label.as_str())));
        axes.chain(self.legend.iter().map(|entry| entry.name.as_str())).collect()
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, legible: Legible<'_>) -> Drawn<DB> {
        pen::title(area, tr("Trials by all axes", "按所有轴显示的试验"))?;
        let width = width(area);
        let narrow = Self::is_narrow(width);
        let gaps = (self.axes.len().max(2) - 1) as f64;
        let (left, right) = if narrow { (60.0, width - 60.0) } else { (150.0, width - 170.0) };
        let position = |axis: usize, at: f64| match narrow {
            true => (left + (right - left) * at, TOP + ROW * axis as f64),
            false => (left + (right - left) * axis as f64 / gaps, TOP + 10.0 + HIGH * (1.0 - at)),
        };
        for line in &self.lines {
            let points: Vec<(f64, f64)> = line.at.iter().enumerate().map(|(axis, at)| position(axis, *at)).collect();
            match line.leads {
                Some(colour) => pen::path(area, &points, pen::stroke(colour, 1.0, 5))?,
                None => pen::path(area, &points, pen::stroke(theme::OTHERS, 0.45, 2))?,
            }
        }
        for (i, axis) in self.axes.iter().enumerate() {
            let (from, to) = (position(i, 0.0), position(i, 1.0));
            pen::path(area, &[from, to], pen::stroke(theme::MUTED, 0.9, 3))?;
            let name = legible.or(&axis.name, || tr!("axis {}", "轴 {}", i + 1));
            let marks = if narrow { thinned(&axis.marks, right - left) } else { axis.marks.clone() };
            if narrow {
                let name = format::ellipsize(&name, (right - left) / pen::SMALL);
                pen::text_above(area, (24.0, from.1 - 26.0), &name, pen::SMALL, theme::INK, At::Left)?;
            } else {
                let name = format::ellipsize(&name, ((right - left) / gaps - 16.0) / pen::LABEL);
                pen::text(area, (from.0, TOP - 34.0), &name, pen::LABEL, theme::INK, At::Middle)?;
            }
            for mark in &marks {
                let (x, y) = position(i, mark.at);
                let label = legible.or(&mark.label, || mark.substitute.clone());
                if narrow {
                    pen::path(area, &[(x, y - 6.0), (x, y + 6.0)], pen::stroke(theme::MUTED, 0.9, 2))?;
                    let room = (right - left) / marks.len().max(1) as f64 / pen::SMALL;
                    let label = format::ellipsize(&label, room);
                    pen::text_above(area, (x, y + 24.0), &label, pen::SMALL, theme::MUTED, At::Middle)?;
                } else {
                    pen::path(area, &[(x - 6.0, y), (x + 6.0, y)], pen::stroke(theme::MUTED, 0.9, 2))?;
                    // The last axis has its labels at the right, where no line crosses them.
                    let last = i + 1 == self.axes.len();
                    let room = if i == 0 {
                        (left - 30.0) / pen::SMALL
                    } else {
                        ((right - left) / gaps * 0.5).min(220.0) / pen::SMALL
                    };
                    let label = format::ellipsize(&label, room);
                    let (x, at) = if last { (x + 14.0, At::Left) } else { (x - 12.0, At::Right) };
                    pen::text_above(area, (x, y), &label, pen::SMALL, theme::INK, at)?;
                }
            }
        }
        self.legend().draw(area, &self.legend, legible)
    }
}
