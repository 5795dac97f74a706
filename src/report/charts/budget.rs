//! The best trial so far against the budget, by runs and by steps.

use plotters::prelude::DrawingBackend;

use super::{
    Area, Chart, Drawn, Legible, WIDTH,
    panel::{Mark, Panel, range_of, thinned, ticks},
    pen::{self, LegendArea, LegendEntry},
    theme, width,
};
use crate::report::language::tr;
use crate::{format::brief, metrics::Metric};

/// What the budget brought.
pub struct BudgetChart {
    /// The metric.
    pub metric: Metric,
    /// One for each way to count the budget.
    pub plots: Vec<BudgetPlot>,
    /// What the lines mean.
    pub legend: Vec<LegendEntry>,
}

/// The budget in one unit.
pub struct BudgetPlot {
    /// What is counted.
    pub name: String,
    /// All of it.
    pub all: f64,
    /// (budget, best result so far), where a better one begins.
    pub best: Vec<(f64, f64)>,
    /// (budget, expected best of as many trials).
    pub expected: Vec<(f64, f64)>,
}

const TOP: f64 = 150.0;
const PLOT: f64 = 420.0;
const BELOW: f64 = 130.0;
const LEFT: f64 = 110.0;

impl BudgetChart {
    fn columns(&self, width: f64) -> usize {
        if width < f64::from(WIDTH) { 1 } else { self.plots.len().max(1) }
    }

    fn legend(&self) -> LegendArea {
        LegendArea::of(&self.legend, super::NARROW)
    }
}

impl Chart for BudgetChart {
    fn height(&self, width: u32) -> u32 {
        let rows = self.plots.len().div_ceil(self.columns(f64::from(width)));
        (TOP + rows as f64 * (PLOT + BELOW) - 50.0 + self.legend().below) as u32
    }

    fn texts(&self) -> Vec<&str> {
        Vec::new()
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, legible: Legible<'_>) -> Drawn<DB> {
        pen::title(area, tr("Best trial so far by budget", "随预算增加的目前最佳试验"))?;
        let values = self.plots.iter().flat_map(|plot| plot.best.iter().chain(&plot.expected)).map(|point| point.1);
        let range = range_of(self.metric, values);
        let columns = self.columns(width(area));
        let each = (width(area) - 24.0) / columns as f64;
        for (i, plot) in self.plots.iter().enumerate() {
            let left = each * (i % columns) as f64 + LEFT;
            let top = TOP + (i / columns) as f64 * (PLOT + BELOW);
            let (x, y) = ((left, left + each - LEFT - 30.0), (top, top + PLOT));
            let panel = Panel { name: &plot.name, x, y, metric: self.metric, range };
            let at = |budget: f64| if plot.all > 0.0 { budget / plot.all } else { 0.0 };
            let mark = |value: f64| Mark { at: at(value), label: brief(value), substitute: String::new() };
            let whole: Vec<Mark> =
                ticks((0.0, plot.all), 6).into_iter().filter(|v| v.fract() == 0.0).map(mark).collect();
            panel.frame(area, &thinned(&whole, x.1 - x.0), legible)?;
            let points: Vec<(f64, f64)> =
                plot.expected.iter().map(|(budget, value)| (panel.across(at(*budget)), panel.up(*value))).collect();
            pen::path(area, &points, pen::stroke(theme::PALETTE[1], 0.9, 4))?;
            let mut path: Vec<(f64, f64)> = Vec::new();
            for (budget, value) in &plot.best {
                let (x, y) = (panel.across(at(*budget)), panel.up(*value));
                path.extend(path.last().map(|last| (x, last.1)));
                path.push((x, y));
            }
            path.extend(path.last().map(|last| (panel.across(1.0), last.1)));
            pen::path(area, &path, pen::stroke(theme::PALETTE[0], 1.0, 5))?;
            for (budget, value) in &plot.best {
                pen::dot(area, (panel.across(at(*budget)), panel.up(*value)), 8, theme::PALETTE[0], true)?;
            }
        }
        self.legend().draw(area, &self.legend, legible)
    }
}
