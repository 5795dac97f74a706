//! Accuracy during training.

use plotters::{
    element::{Circle, PathElement},
    prelude::{Color, DrawingBackend},
    style::RGBColor,
};

use super::{
    Area, Chart, Drawn, Legible,
    axes::{Axis, plot, whole},
    pen::{self, LegendArea, LegendEntry},
    theme, width,
};

/// Accuracy of evaluations, by epoch or by step.
pub struct AccuracyChart {
    /// One for each run or split; later ones are drawn on top.
    pub tracks: Vec<Track>,
    /// What the colours mean.
    pub legend: Vec<LegendEntry>,
    /// What the horizontal axis counts.
    pub unit: &'static str,
    /// Name of the split in the title.
    pub split: &'static str,
    /// Accuracy of the majority-class baseline.
    pub baseline: Option<f64>,
}

/// Accuracies of one run on one split.
pub struct Track {
    /// Its colour.
    pub colour: RGBColor,
    /// (epoch or step, accuracy in [0, 1]).
    pub points: Vec<(f64, f64)>,
}

impl Chart for AccuracyChart {
    fn height(&self, width: u32) -> u32 {
        LegendArea::of(&self.legend, width).height(&self.legend)
    }

    fn texts(&self) -> Vec<&str> {
        self.legend.iter().map(|e| e.name.as_str()).collect()
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, legible: Legible<'_>) -> Drawn<DB> {
        pen::title(area, &format!("Accuracy on the {} split", self.split))?;
        let area_of_legend = LegendArea::of(&self.legend, width(area) as u32);
        let points = || self.tracks.iter().flat_map(|t| &t.points).filter(|p| p.1.is_finite());
        let last = points().map(|p| p.0).fold(1.0, f64::max);
        let values = || points().map(|p| p.1).chain(self.baseline);
        let low = values().fold(1.0, f64::min);
        let high = values().fold(0.0, f64::max);
        let room = ((high - low) * 0.1).max(0.01);
        let range = (low - room).max(0.0) * 100.0..(high + room).min(1.0) * 100.0;
        let decimals = usize::from(range.end - range.start < 5.0);
        let mut chart = plot(
            area,
            (area_of_legend.right, area_of_legend.below),
            // Some space on both sides for the dots.
            Axis {
                range: -0.02 * last..last * 1.02,
                title: self.unit,
                labels: (last as usize + 1).min(11),
                format: &whole,
            },
            Axis { range, title: "accuracy (%)", labels: 7, format: &|v| format!("{v:.decimals$}") },
        )?;
        if let Some(baseline) = self.baseline {
            let (x0, y) = chart.backend_coord(&(-0.02 * last, baseline * 100.0));
            let (x1, _) = chart.backend_coord(&(last * 1.02, baseline * 100.0));
            let (x0, x1, y) = (f64::from(x0), f64::from(x1), f64::from(y));
            pen::dashes(area, (x0, y), (x1, y), pen::stroke(theme::MUTED, 1.0, 3))?;
        }
        for track in &self.tracks {
            let points: Vec<_> = track.points.iter().filter(|p| p.1.is_finite()).map(|p| (p.0, p.1 * 100.0)).collect();
            chart.draw_series([PathElement::new(points.clone(), pen::stroke(track.colour, 1.0, 4))])?;
            chart.draw_series(points.into_iter().map(|p| Circle::new(p, 7, track.colour.filled())))?;
        }
        area_of_legend.draw(area, &self.legend, legible)
    }
}
