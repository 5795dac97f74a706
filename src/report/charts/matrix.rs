//! Rows by two labels: a confusion matrix, or how often labels occur together.

use plotters::{prelude::DrawingBackend, style::RGBColor};

use super::{
    Area, Chart, Drawn, Legible,
    pen::{self, At},
    theme,
    values::{MOST_VALUES, Value, Values},
    width,
};
use crate::report::language::tr;
use crate::{metrics::Confusion, report::format};

/// Counts, and shares of each row.
pub struct MatrixChart {
    /// Title.
    pub title: &'static str,
    /// What its rows are, and what its columns are.
    pub captions: [&'static str; 2],
    /// Colours of the cells of one label, and of those of two.
    pub colours: [RGBColor; 2],
    /// What shares are of: the rows of each label.
    pub totals: Vec<u64>,
    /// Names of the labels, by id.
    pub labels: Vec<String>,
    /// Rows by label and predicted or other label.
    pub counts: Confusion,
}

const TOP: f64 = 190.0;

impl MatrixChart {
    /// Width and height of a cell: large for two labels, smaller for many.
    fn cell(&self, width: f64) -> (f64, f64) {
        let n = self.labels.len().max(1) as f64;
        ((0.72 * width / n).min(300.0), (780.0 / n).clamp(46.0, 150.0))
    }

    /// Where the names end and the cells begin.
    fn left<'a>(names: impl Iterator<Item = &'a String>, width: f64) -> f64 {
        let longest = names.map(|n| format::width_em(n)).fold(0.0, f64::max);
        (longest * pen::LABEL + 80.0).clamp(0.11 * width, 0.233 * width)
    }

    /// Rows of two labels, and their share of the rows of the first one.
    fn of(&self, i: usize, j: usize) -> (u64, f64) {
        let count = self.counts.get(i as u32, j as u32);
        let total = self.totals.get(i).copied().unwrap_or(0);
        (count, if total == 0 { 0.0 } else { count as f64 / total as f64 })
    }
}

impl Chart for MatrixChart {
    fn height(&self, width: u32) -> u32 {
        (TOP + self.cell(f64::from(width)).1 * self.labels.len() as f64 + 40.0) as u32
    }

    fn texts(&self) -> Vec<&str> {
        self.labels.iter().map(String::as_str).collect()
    }

    fn values(&self, width: u32) -> Values {
        let whole = f64::from(width);
        let ((width, height), left) = (self.cell(whole), Self::left(self.labels.iter(), whole));
        let cells = (0..self.labels.len()).flat_map(|i| (0..self.labels.len()).map(move |j| (i, j)));
        let value = |(i, j): (usize, usize)| {
            let (count, share) = self.of(i, j);
            let words =
                self.captions.map(|caption| caption.split(['(', '（']).next().map(str::trim_end).unwrap_or_default());
            Value {
                at: (left + width * (j as f64 + 0.5), TOP + height * (i as f64 + 0.5)),
                series: Some(i),
                text: tr!(
                    "{} “{}”: {}, {}",
                    "{}“{}”：{}，{}",
                    words[1],
                    self.labels[j],
                    format::plural(count as usize, "row"),
                    format::percent(share)
                ),
            }
        };
        Values { names: self.labels.clone(), values: cells.take(MOST_VALUES).map(value).collect() }
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, legible: Legible<'_>) -> Drawn<DB> {
        pen::title(area, self.title)?;
        let whole = width(area);
        let (width, height) = self.cell(whole);
        let names: Vec<String> =
            self.labels.iter().enumerate().map(|(i, l)| legible.or(l, || tr!("label {i}", "标签 {i}"))).collect();
        let left = Self::left(names.iter(), whole);
        let n = names.len() as f64;
        pen::text(area, (24.0, TOP - 45.0), self.captions[0], pen::SMALL, theme::MUTED, At::Left)?;
        pen::text(area, (left + width * n / 2.0, TOP - 90.0), self.captions[1], pen::SMALL, theme::MUTED, At::Middle)?;
        // Two lines of text fit into a high cell, one into a low cell, none into a cell too narrow for five digits.
        let (two_lines, any) = (height >= 84.0, width >= 5.0 * 0.55 * pen::SMALL);
        for (i, name) in names.iter().enumerate() {
            let y = TOP + height * i as f64;
            let row_name = format::ellipsize(name, (left - 50.0) / pen::LABEL);
            pen::text(area, (left - 20.0, y + height / 2.0), &row_name, pen::LABEL, theme::INK, At::Right)?;
            let column_name = format::ellipsize(name, (width - 8.0) / pen::LABEL);
            let x = left + width * (i as f64 + 0.5);
            pen::text(area, (x, TOP - 45.0), &column_name, pen::LABEL, theme::INK, At::Middle)?;
            for j in 0..names.len() {
                let (count, share) = self.of(i, j);
                let x = left + width * j as f64;
                let (from, to) = ((x + 3.0, y + 3.0), (x + width - 3.0, y + height - 3.0));
                let colour = self.colours[usize::from(i != j)];
                pen::fill(area, from, to, theme::GRID, 0.5)?;
                // Pale enough that text on it is readable, in dark mode too.
                pen::fill(area, from, to, colour, 0.55 * share)?;
                let (cx, cy) = (x + width / 2.0, y + height / 2.0);
                let count = format::count(count);
                if two_lines && any {
                    pen::text(area, (cx, cy - 18.0), &count, pen::TITLE, theme::INK, At::Middle)?;
                    pen::text(area, (cx, cy + 22.0), &format::percent(share), pen::SMALL, theme::INK, At::Middle)?;
                } else if any {
                    let both = format!("{count} · {}", format::percent(share));
                    let line = if format::width_em(&both) * pen::SMALL < width - 10.0 { both } else { count };
                    pen::text(area, (cx, cy), &line, pen::SMALL, theme::INK, At::Middle)?;
                }
            }
        }
        Ok(())
    }
}
