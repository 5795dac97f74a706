//! A heat map: a metric by the values of two axes.

use plotters::prelude::DrawingBackend;

use super::{
    Area, Chart, Drawn, Legible, WIDTH,
    pen::{self, At},
    theme, width,
};
use crate::report::language::{Said, tr};
use crate::{
    metrics::{Better, Metric},
    report::format,
};

/// Means by two axes.
pub struct HeatChart {
    /// The metric.
    pub metric: Metric,
    /// Its split.
    pub split: &'static str,
    /// Names of the axes of the rows and of the columns.
    pub axes: [String; 2],
    /// Names of the rows and of the columns.
    pub names: [Vec<String>; 2],
    /// Of each row, and in it of each column, the mean and the number of trials.
    pub cells: Vec<Vec<Option<(f64, usize)>>>,
}

const TOP: f64 = 220.0;

impl HeatChart {
    fn cell(&self, width: f64) -> (f64, f64) {
        let columns = self.names[1].len().max(1) as f64;
        ((0.76 * width / columns).min(260.0), if width < f64::from(WIDTH) { 92.0 } else { 104.0 })
    }

    /// The lowest and the highest mean.
    fn range(&self) -> (f64, f64) {
        let values = self.cells.iter().flatten().flatten().map(|cell| cell.0);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
    }

    /// How dark a value is: the best 1, the worst 0.
    fn shade(&self, value: f64) -> f64 {
        let (low, high) = self.range();
        let share = if high > low { (value - low) / (high - low) } else { 1.0 };
        if self.metric.info().better == Better::Higher { share } else { 1.0 - share }
    }

    /// How many trials the cells have, if all have the same number.
    fn trials(&self) -> Option<usize> {
        let mut all = self.cells.iter().flatten().flatten().map(|cell| cell.1);
        let first = all.next()?;
        all.all(|n| n == first).then_some(first)
    }
}

impl Chart for HeatChart {
    fn height(&self, width: u32) -> u32 {
        (TOP + self.cell(f64::from(width)).1 * self.names[0].len() as f64 + 40.0) as u32
    }

    fn texts(&self) -> Vec<&str> {
        self.axes.iter().chain(self.names.iter().flatten()).map(String::as_str).collect()
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, legible: Legible<'_>) -> Drawn<DB> {
        let axis = |i: usize| legible.or(&self.axes[i], || [tr("rows", "行"), tr("columns", "列")][i].to_string());
        let title = tr!("Mean {} {} by two axes", "按两个轴的平均{}{}", self.split, self.metric.said());
        pen::title(area, &title)?;
        let whole = width(area);
        let names = [0, 1].map(|axis: usize| {
            let name = |(i, name): (usize, &String)| legible.or(name, || tr!("value {}", "取值 {}", i + 1));
            self.names[axis].iter().enumerate().map(name).collect::<Vec<String>>()
        });
        let longest = names[0].iter().map(|name| format::width_em(name)).fold(0.0, f64::max);
        let left = (longest * pen::SMALL + 60.0).clamp(0.11 * whole, 0.23 * whole);
        let (wide, high) = self.cell(whole);
        self.scale(area)?;
        let rows_of = format::ellipsize(&tr!("{} (rows)", "{}（行）", axis(0)), (left + 60.0) / pen::SMALL);
        pen::text(area, (24.0, TOP - 24.0), &rows_of, pen::SMALL, theme::MUTED, At::Left)?;
        let columns_of = tr!("{} (columns)", "{}（列）", axis(1));
        let middle = left + wide * names[1].len() as f64 / 2.0;
        pen::text(area, (middle.max(left + 130.0), TOP - 78.0), &columns_of, pen::SMALL, theme::MUTED, At::Middle)?;
        for (column, name) in names[1].iter().enumerate() {
            let x = left + wide * (column as f64 + 0.5);
            let lines = format::wrap(name, (wide - 8.0) / pen::SMALL, 2);
            for (line, text) in lines.iter().rev().enumerate() {
                let y = TOP - 24.0 - line as f64 * (pen::SMALL + 2.0);
                pen::text(area, (x, y), text, pen::SMALL, theme::INK, At::Middle)?;
            }
        }
        let same = self.trials();
        for (row, (name, cells)) in names[0].iter().zip(&self.cells).enumerate() {
            let y = TOP + high * row as f64;
            let lines = format::wrap(name, (left - 44.0) / pen::SMALL, 2);
            let first = y + (high - (lines.len() as f64 - 1.0) * (pen::SMALL + 2.0)) / 2.0;
            for (line, text) in lines.iter().enumerate() {
                let at = (left - 20.0, first + line as f64 * (pen::SMALL + 2.0));
                pen::text(area, at, text, pen::SMALL, theme::INK, At::Right)?;
            }
            for (column, cell) in cells.iter().enumerate() {
                let x = left + wide * column as f64;
                let (from, to) = ((x + 3.0, y + 3.0), (x + wide - 3.0, y + high - 3.0));
                let at = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
                let Some((value, n)) = *cell else {
                    let corners = [from, (to.0, from.1), to, (from.0, to.1), from];
                    pen::path(area, &corners, pen::stroke(theme::OTHERS, 0.7, 2))?;
                    pen::text(area, at, format::NOTHING, pen::SMALL, theme::MUTED, At::Middle)?;
                    continue;
                };
                pen::fill(area, from, to, theme::GRID, 0.5)?;
                // Pale enough that text on it is readable, in dark mode too.
                pen::fill(area, from, to, theme::PALETTE[0], 0.55 * self.shade(value))?;
                let text = self.metric.text(value);
                if format::width_em(&text) * pen::LABEL > wide - 8.0 {
                    continue;
                }
                match same {
                    Some(_) => pen::text(area, at, &text, pen::LABEL, theme::INK, At::Middle)?,
                    None => {
                        pen::text(area, (at.0, at.1 - 14.0), &text, pen::LABEL, theme::INK, At::Middle)?;
                        let trials = format::plural(n, "trial");
                        pen::text(area, (at.0, at.1 + 20.0), &trials, pen::SMALL, theme::MUTED, At::Middle)?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl HeatChart {
    /// Draws what the shades mean.
    fn scale<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        const STEPS: usize = 8;
        let (low, high) = self.range();
        let worst_first = match self.metric.info().better {
            Better::Higher => (low, high),
            Better::Lower => (high, low),
        };
        let (step, y) = (24.0, 84.0);
        let (worst, best) = (self.metric.text(worst_first.0), self.metric.text(worst_first.1));
        let from = 24.0 + format::width_em(&worst) * pen::SMALL + 26.0;
        pen::text(area, (24.0, y), &worst, pen::SMALL, theme::MUTED, At::Left)?;
        for i in 0..STEPS {
            let x = from + step * i as f64;
            pen::fill(area, (x, y - 12.0), (x + step, y + 12.0), theme::GRID, 0.5)?;
            let shade = 0.55 * i as f64 / (STEPS - 1) as f64;
            pen::fill(area, (x, y - 12.0), (x + step, y + 12.0), theme::PALETTE[0], shade)?;
        }
        let note = match self.trials() {
            Some(n) => tr!("{best} · {} in each cell", "{best} · 每格 {}", format::plural(n, "trial")),
            None => best,
        };
        pen::text(area, (from + step * STEPS as f64 + 14.0, y), &note, pen::SMALL, theme::MUTED, At::Left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_value_is_the_darkest() {
        let of = |metric| HeatChart {
            metric,
            split: "dev",
            axes: Default::default(),
            names: [vec!["a".into()], vec!["b".into(), "c".into()]],
            cells: vec![vec![Some((0.2, 1)), Some((0.6, 1))]],
        };
        let shades = |chart: HeatChart| [0.2, 0.4, 0.6].map(|value| (chart.shade(value) * 100.0).round());
        assert_eq!(shades(of(Metric::Accuracy)), [0.0, 50.0, 100.0]);
        assert_eq!(shades(of(Metric::Loss)), [100.0, 50.0, 0.0]);
        assert_eq!(of(Metric::Loss).trials(), Some(1));
    }
}
