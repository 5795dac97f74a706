//! Reliability before and after training in one diagram.

use plotters::{element::PathElement, prelude::DrawingBackend};

use super::{
    Area, Chart, Drawn, Legible,
    axes::{Axis, plot},
    paired_bars::{AFTER, BEFORE},
    pen::{self, LegendArea, LegendEntry},
    reliability::{Bin, ReliabilityWords},
    theme, width,
};
use crate::report::language::tr;
use crate::{report::format, stats::wilson};

/// How often the model is right by how sure it is, before and after.
pub struct CalibrationChart {
    /// Its words.
    pub words: ReliabilityWords,
    /// Bins of equal width over [0, 1], before training.
    pub before: Vec<Bin>,
    /// The same with the kept weights.
    pub after: Vec<Bin>,
    /// What the colours mean.
    pub legend: Vec<LegendEntry>,
}

/// Mean confidence and share of each bin that is not empty, in percent.
fn points(bins: &[Bin]) -> Vec<(f64, f64, &Bin)> {
    let share = |sum: f64, bin: &Bin| 100.0 * sum / bin.rows as f64;
    let filled = bins.iter().filter(|bin| bin.rows > 0);
    filled.map(|bin| (share(bin.confidence, bin), share(bin.right as f64, bin), bin)).collect()
}

/// Radius of a dot: by its share of all.
fn radius(bin: &Bin, all: u64) -> i32 {
    (5.0 + 14.0 * (bin.rows as f64 / all as f64).sqrt()).round() as i32
}

impl Chart for CalibrationChart {
    fn height(&self, width: u32) -> u32 {
        LegendArea::of(&self.legend, width).height(&self.legend)
    }

    fn texts(&self) -> Vec<&str> {
        Vec::new()
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, legible: Legible<'_>) -> Drawn<DB> {
        pen::title(area, tr("Reliability before and after training", "训练前后的可靠性图"))?;
        let room = LegendArea::of(&self.legend, width(area) as u32);
        let whole = |v: f64| if (-0.5..100.5).contains(&v) { format::decimals(v, 0) } else { String::new() };
        let mut chart = plot(
            area,
            (room.right, room.below),
            Axis { range: -2.0..102.0, title: self.words.x, labels: 11, format: &whole },
            Axis { range: -3.0..103.0, title: self.words.y, labels: 6, format: &whole },
        )?;
        let at = |p: (i32, i32)| (f64::from(p.0), f64::from(p.1));
        let (origin, end) = (at(chart.backend_coord(&(0.0, 0.0))), at(chart.backend_coord(&(100.0, 100.0))));
        pen::dashes(area, origin, end, pen::stroke(theme::MUTED, 1.0, 3))?;
        for (bins, colour) in [(&self.before, BEFORE), (&self.after, AFTER)] {
            let points = points(bins);
            let line: Vec<_> = points.iter().map(|(x, y, _)| (*x, *y)).collect();
            chart.draw_series([PathElement::new(line, pen::stroke(colour, 1.0, 4))])?;
            let all = bins.iter().map(|bin| bin.rows).sum();
            for (x, y, bin) in points {
                let interval = wilson(bin.right, bin.rows);
                let ends = [(x, 100.0 * interval.low), (x, 100.0 * interval.high)];
                chart.draw_series([PathElement::new(ends.to_vec(), pen::stroke(colour, 0.7, 3))])?;
                pen::dot(area, at(chart.backend_coord(&(x, y))), radius(bin, all), colour, true)?;
            }
        }
        room.draw(area, &self.legend, legible)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bin_is_at_its_mean_confidence_and_its_share() {
        let bins = [Bin { rows: 4, right: 3, confidence: 2.6 }, Bin::default()];
        let points: Vec<_> = points(&bins).iter().map(|(x, y, bin)| (*x, *y, radius(bin, 4))).collect();
        assert_eq!(points, [(65.0, 75.0, 19)]);
        assert_eq!(radius(&Bin { rows: 1, right: 0, confidence: 0.5 }, 10_000), 5);
    }
}
