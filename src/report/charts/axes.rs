//! The frame of a chart with two number axes.

use std::ops::Range;

use plotters::{
    chart::{ChartBuilder, ChartContext},
    coord::types::RangedCoordf64,
    drawing::DrawingAreaErrorKind,
    prelude::{Cartesian2d, DrawingBackend},
};

use super::{
    Area,
    pen::{At, SMALL, stroke, style},
    theme::{GRID, MUTED},
};

/// A chart whose coordinates are the numbers on its axes.
pub type Plot<'a, DB> = ChartContext<'a, DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// One axis.
pub struct Axis<'a> {
    /// First and last value.
    pub range: Range<f64>,
    /// Its title, with the unit.
    pub title: &'a str,
    /// The largest number of labels.
    pub labels: usize,
    /// Formats a number; an empty text omits the label.
    pub format: &'a dyn Fn(f64) -> String,
}

/// Draws axes, labels and horizontal grid lines, leaving `right` units free at the right and `below` units below.
pub fn plot<'a, DB: DrawingBackend>(
    area: &'a Area<DB>,
    (right, below): (f64, f64),
    x: Axis<'_>,
    y: Axis<'_>,
) -> Result<Plot<'a, DB>, DrawingAreaErrorKind<DB::ErrorType>> {
    let mut chart = ChartBuilder::on(area)
        .margin_top(84)
        .margin_left(16)
        .margin_right(right as i32)
        .margin_bottom(12 + below as i32)
        .x_label_area_size(84)
        .y_label_area_size(128)
        .build_cartesian_2d(x.range, y.range)?;
    let labels = style(SMALL, MUTED, At::Middle);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(stroke(GRID, 0.0, 1))
        .bold_line_style(stroke(GRID, 1.0, 2))
        .axis_style(stroke(MUTED, 0.6, 2))
        .set_all_tick_mark_size(8)
        .label_style(labels.clone())
        .axis_desc_style(labels)
        .x_labels(x.labels)
        .y_labels(y.labels)
        .x_label_formatter(&|v| (x.format)(*v))
        .y_label_formatter(&|v| (y.format)(*v))
        .x_desc(x.title)
        .y_desc(y.title)
        .draw()?;
    Ok(chart)
}

/// The end of an axis from 0 that a chart with this many labels at most gives a label: at least `value`.
pub fn round_end(value: f64, labels: usize) -> f64 {
    let least = value / labels.saturating_sub(1).max(1) as f64;
    let power = 10f64.powf(least.log10().floor());
    let step = [1.0, 2.0, 5.0].map(|of| of * power).into_iter().find(|step| *step >= least * (1.0 - 1e-9));
    let step = step.unwrap_or(10.0 * power);
    let end = (value / step - 1e-9).ceil() * step;
    if end.is_finite() && end > 0.0 { end } else { 1.0 }
}

/// A whole number, or an empty text for other numbers.
pub fn whole(value: f64) -> String {
    if (value - value.round()).abs() < 1e-6 { format!("{}", value.round()) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_at_a_label_at_or_above_the_highest_value() {
        for (value, end) in
            [(0.735, 0.8), (0.7, 0.8), (0.6, 0.6), (2.1, 2.5), (1.0, 1.0), (613.0, 800.0), (9e7, 1e8), (0.0, 1.0)]
        {
            assert!((round_end(value, 7) - end).abs() < 1e-9 * end, "{value}: {}", round_end(value, 7));
        }
    }
}
