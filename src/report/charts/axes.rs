//! The frame of a chart with two number axes.

use std::ops::Range;

use plotters::{
    chart::{ChartBuilder, ChartContext},
    coord::types::RangedCoordf64,
    drawing::DrawingAreaErrorKind,
    prelude::{Cartesian2d, DrawingBackend},
};

use super::{
    Area, WIDTH,
    pen::{At, SMALL, stroke, style},
    theme::{GRID, MUTED},
};
use crate::{
    format::{decimals, rate},
    report::format,
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

/// Space around a plot, in drawing units: above it, left of it, and between its lower end and what is below its axis.
const ABOVE: i32 = 84;
/// Above a plot of a narrow drawing, whose note is below its title.
const ABOVE_NARROW: i32 = 112;
const LEFT: (i32, i32) = (16, 128);
const BELOW: (i32, i32) = (12, 84);

/// Space above a plot in a drawing of this width.
fn above(width: u32) -> i32 {
    if width < WIDTH { ABOVE_NARROW } else { ABOVE }
}

/// Where the values of a plot are drawn.
pub struct Frame {
    x: Range<f64>,
    y: Range<f64>,
    /// The lower left and the upper right corner, in drawing units.
    corners: [(f64, f64); 2],
}

impl Frame {
    /// The frame of [`plot`] with the same space at the right and below, in a drawing of this width and height.
    pub fn of((width, height): (u32, u32), (right, below): (f64, f64), x: Range<f64>, y: Range<f64>) -> Self {
        let foot = f64::from(height) - below.trunc() - f64::from(BELOW.0 + BELOW.1);
        let corners = [(f64::from(LEFT.0 + LEFT.1), foot), (f64::from(width) - right.trunc(), f64::from(above(width)))];
        Self { x, y, corners }
    }

    /// Where a value is drawn; values beyond an axis are at its end.
    pub fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let share = |value: f64, of: &Range<f64>| ((value - of.start) / (of.end - of.start)).clamp(0.0, 1.0);
        let [(left, foot), (right, head)] = self.corners;
        (left + (right - left) * share(x, &self.x), foot + (head - foot) * share(y, &self.y))
    }
}

/// Draws axes, labels and horizontal grid lines, leaving `right` units free at the right and `below` units below.
pub fn plot<'a, DB: DrawingBackend>(
    area: &'a Area<DB>,
    (right, below): (f64, f64),
    x: Axis<'_>,
    y: Axis<'_>,
) -> Result<Plot<'a, DB>, DrawingAreaErrorKind<DB::ErrorType>> {
    let last = x.range.end;
    let mut chart = ChartBuilder::on(area)
        .margin_top(above(area.dim_in_pixel().0))
        .margin_left(LEFT.0)
        .margin_right(right as i32)
        .margin_bottom(BELOW.0 + below as i32)
        .x_label_area_size(BELOW.1)
        .y_label_area_size(LEFT.1)
        .build_cartesian_2d(x.range, y.range)?;
    let labels = style(SMALL, MUTED, At::Middle);
    // Labels of large numbers need more room, above all on a narrow chart.
    let widest = format::width_em(&(x.format)(last.round())).max(1.0) * SMALL + 20.0;
    let room = f64::from(area.dim_in_pixel().0) - f64::from(LEFT.0 + LEFT.1) - right;
    let across = x.labels.min((room / widest) as usize).max(2);
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(stroke(GRID, 0.0, 1))
        .bold_line_style(stroke(GRID, 1.0, 2))
        .axis_style(stroke(MUTED, 0.6, 2))
        .set_all_tick_mark_size(8)
        .label_style(labels.clone())
        .axis_desc_style(labels)
        .x_labels(across)
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

/// The range of an axis with these values, with some space at both ends; 0 to 1 without values.
pub fn span(values: impl Iterator<Item = f64> + Clone) -> Range<f64> {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    if !(low.is_finite() && high.is_finite()) {
        return 0.0..1.0;
    }
    // Values of one size alone, and numbers too large to tell their neighbours apart, have a range all the same.
    let room = ((high - low) * 0.04).max(low.abs().max(high.abs()) * 1e-6);
    let room = if room > 0.0 { room } else { 0.5 };
    low - room..high + room
}

/// A label of an axis of this length, with as many digits as tell labels apart.
pub fn number(length: f64, value: f64) -> String {
    let digits = -(length / 10.0).log10().floor();
    match digits {
        digits if !(-6.0..=6.0).contains(&digits) => rate(value),
        digits => decimals(value, digits.max(0.0) as usize).replace('-', "−"),
    }
}

#[cfg(test)]
mod tests {
    use plotters::{drawing::IntoDrawingArea, prelude::SVGBackend};

    use super::*;

    #[test]
    fn an_axis_ends_at_a_label_at_or_above_the_highest_value() {
        for (value, end) in
            [(0.735, 0.8), (0.7, 0.8), (0.6, 0.6), (2.1, 2.5), (1.0, 1.0), (613.0, 800.0), (9e7, 1e8), (0.0, 1.0)]
        {
            assert!((round_end(value, 7) - end).abs() < 1e-9 * end, "{value}: {}", round_end(value, 7));
        }
    }

    #[test]
    fn a_frame_says_where_values_are_drawn() {
        super::super::fonts::register_measure();
        let mut text = String::new();
        let area = SVGBackend::with_string(&mut text, (1800, 900)).into_drawing_area();
        let axis = |range: Range<f64>| Axis { range, title: "", labels: 5, format: &whole };
        let (x, y, space) = (-0.5..20.0, 0.0..1.5, (310.7, 60.2));
        let chart = plot(&area, space, axis(x.clone()), axis(y.clone())).unwrap();
        let frame = Frame::of((1800, 900), space, x, y);
        for value in [(-0.5, 0.0), (20.0, 1.5), (3.0, 0.7)] {
            let (drawn, said) = (chart.backend_coord(&value), frame.at(value));
            let far = (f64::from(drawn.0) - said.0).hypot(f64::from(drawn.1) - said.1);
            assert!(far < 1.5, "{value:?}: {drawn:?} {said:?}");
        }
        assert_eq!(frame.at((99.0, -1.0)), frame.at((20.0, 0.0)));
    }

    #[test]
    fn an_axis_of_any_numbers_has_a_range_and_labels_that_differ() {
        assert_eq!(span([f64::NAN].into_iter()), 0.0..1.0);
        assert_eq!(span([0.0].into_iter()), -0.5..0.5);
        let same = span([1e9, 1e9].into_iter());
        assert!(same.start < 1e9 && same.end > 1e9);
        assert_eq!(span([0.0, 100.0].into_iter()), -4.0..104.0);
        assert_eq!(
            [number(10.0, 2.0), number(1.0, -0.25), number(400.0, 120.0)],
            ["2", "−0.3", "120"].map(String::from)
        );
    }
}
