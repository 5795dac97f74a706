//! Drawing primitives for all charts: positioned text, lines, boxes, titles and legends.

use plotters::{
    element::{Circle, PathElement, Rectangle},
    prelude::{Color, DrawingBackend, IntoFont},
    style::{
        RGBColor, ShapeStyle, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    Area, Drawn, fonts,
    theme::{INK, MUTED, PAPER},
};
use crate::report::format;

/// Text sizes, in drawing units (two for each CSS pixel).
pub const TITLE: f64 = 32.0;
/// Labels of series, bars and cells.
pub const LABEL: f64 = 26.0;
/// Ticks, axis titles and notes.
pub const SMALL: f64 = 23.0;

/// Which point of the text is at the given position.
#[derive(Clone, Copy)]
pub enum At {
    /// Its left end, at half its height.
    Left,
    /// In its middle.
    Middle,
    /// Its right end, at half its height.
    Right,
}

/// One style of text. `size` is the height of an em.
pub fn style(size: f64, colour: RGBColor, at: At) -> TextStyle<'static> {
    let h = match at {
        At::Left => HPos::Left,
        At::Middle => HPos::Center,
        At::Right => HPos::Right,
    };
    // plotters uses an em of size / 1.24.
    let font = (fonts::FAMILY, size * 1.24).into_font();
    TextStyle { font, color: colour.to_backend_color(), pos: Pos::new(h, VPos::Center) }
}

/// Draws one line of text, vertically centred at the point.
pub fn text<DB: DrawingBackend>(
    area: &Area<DB>,
    (x, y): (f64, f64),
    line: &str,
    size: f64,
    colour: RGBColor,
    at: At,
) -> Drawn<DB> {
    area.draw_text(line, &style(size, colour, at), (x.round() as i32, y.round() as i32))
}

/// Draws one line of text above what is drawn already, which stays pale behind it.
pub fn text_above<DB: DrawingBackend>(
    area: &Area<DB>,
    (x, y): (f64, f64),
    line: &str,
    size: f64,
    colour: RGBColor,
    at: At,
) -> Drawn<DB> {
    let width = format::width_em(line) * size;
    let left = match at {
        At::Left => x,
        At::Middle => x - width / 2.0,
        At::Right => x - width,
    };
    let half = 0.6 * size;
    fill(area, (left - 3.0, y - half), (left + width + 3.0, y + half), PAPER, 0.85)?;
    text(area, (x, y), line, size, colour, at)
}

/// The least size of a title.
const LEAST_TITLE: f64 = 24.0;

/// Draws the chart's name at its top left: smaller where a narrow chart has no room for it, and cut with an ellipsis where none is small enough.
pub fn title<DB: DrawingBackend>(area: &Area<DB>, line: &str) -> Drawn<DB> {
    let (line, size) = fitted_title(line, super::width(area));
    text(area, (24.0, 38.0), &line, size, INK, At::Left)
}

/// A title and its size in a chart of this width.
fn fitted_title(line: &str, width: f64) -> (String, f64) {
    let room = width - 48.0;
    let size = (room / format::width_em(line).max(1.0)).clamp(LEAST_TITLE, TITLE);
    (format::ellipsize(line, room / size), size)
}

/// A stroke of `width` units in a colour of some opacity.
pub fn stroke(colour: RGBColor, opacity: f64, width: u32) -> ShapeStyle {
    ShapeStyle { color: colour.mix(opacity), filled: false, stroke_width: width }
}

/// Draws a line through points.
pub fn path<DB: DrawingBackend>(area: &Area<DB>, points: &[(f64, f64)], style: ShapeStyle) -> Drawn<DB> {
    let points: Vec<_> = points.iter().map(|&(x, y)| (x.round() as i32, y.round() as i32)).collect();
    area.draw(&PathElement::new(points, style))
}

/// Draws a line of dashes between two points.
pub fn dashes<DB: DrawingBackend>(area: &Area<DB>, from: (f64, f64), to: (f64, f64), style: ShapeStyle) -> Drawn<DB> {
    const PERIOD: f64 = 16.0;
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy);
    let at = |d: f64| (from.0 + dx * d / length, from.1 + dy * d / length);
    let mut d = 0.0;
    while d < length {
        path(area, &[at(d), at((d + PERIOD * 0.6).min(length))], style)?;
        d += PERIOD;
    }
    Ok(())
}

/// Fills a box.
pub fn fill<DB: DrawingBackend>(
    area: &Area<DB>,
    (x0, y0): (f64, f64),
    (x1, y1): (f64, f64),
    colour: RGBColor,
    opacity: f64,
) -> Drawn<DB> {
    let corners = [(x0.round() as i32, y0.round() as i32), (x1.round() as i32, y1.round() as i32)];
    area.draw(&Rectangle::new(corners, colour.mix(opacity).filled()))
}

/// Draws a dot, or a ring where it is not filled.
pub fn dot<DB: DrawingBackend>(
    area: &Area<DB>,
    (x, y): (f64, f64),
    radius: i32,
    colour: RGBColor,
    filled: bool,
) -> Drawn<DB> {
    let style = ShapeStyle { color: colour.to_rgba(), filled, stroke_width: 3 };
    area.draw(&Circle::new((x.round() as i32, y.round() as i32), radius, style))
}

/// Draws a cross.
pub fn cross<DB: DrawingBackend>(area: &Area<DB>, (x, y): (f64, f64), colour: RGBColor) -> Drawn<DB> {
    let style = stroke(colour, 1.0, 4);
    path(area, &[(x - 10.0, y - 10.0), (x + 10.0, y + 10.0)], style)?;
    path(area, &[(x - 10.0, y + 10.0), (x + 10.0, y - 10.0)], style)
}

/// The most lines that a name may take: truncated names could look alike.
pub const NAME_LINES: usize = 12;

/// What a legend shows before a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol {
    /// A line.
    Line,
    /// A dashed line.
    Dashes,
    /// A cross.
    Cross,
}

/// An entry of a legend.
#[derive(Debug, Clone, PartialEq)]
pub struct LegendEntry {
    /// Its text.
    pub name: String,
    /// The text to use if the name cannot be drawn.
    pub substitute: String,
    /// Its colour.
    pub colour: RGBColor,
    /// What is drawn before it.
    pub symbol: Symbol,
}

/// The names of a legend, in its order.
pub fn names(legend: &[LegendEntry]) -> Vec<String> {
    legend.iter().map(|entry| entry.name.clone()).collect()
}

/// Where a legend is: at the right of a wide chart, below a narrow one. Lengths are in drawing units.
pub struct LegendArea {
    /// Space that it takes at the right.
    pub right: f64,
    /// Space that it takes below.
    pub below: f64,
    /// Width of its names, in em.
    room: f64,
}

impl LegendArea {
    /// The area of a legend with these entries in a chart of this width.
    pub fn of(entries: &[LegendEntry], width: u32) -> Self {
        let longest = entries.iter().map(|e| format::width_em(&e.name)).fold(0.0, f64::max);
        if entries.is_empty() {
            return Self { right: 40.0, below: 0.0, room: 0.0 };
        }
        if width < super::WIDTH {
            let room = (f64::from(width) - 130.0) / SMALL;
            return Self { right: 40.0, below: lengths(entries, room) + 20.0, room };
        }
        let right = (longest * SMALL + 100.0).clamp(160.0, 480.0);
        Self { right, below: 0.0, room: (right - 90.0) / SMALL }
    }

    /// Height of a chart with a legend there.
    pub fn height(&self, entries: &[LegendEntry]) -> u32 {
        let beside = if self.below > 0.0 { 0.0 } else { 140.0 + lengths(entries, self.room) };
        (beside.max(840.0) + self.below) as u32
    }

    /// Draws the legend there.
    pub fn draw<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        entries: &[LegendEntry],
        legible: super::Legible<'_>,
    ) -> Drawn<DB> {
        let (width, height) = area.dim_in_pixel();
        let (x, mut y) = match self.below > 0.0 {
            true => (40.0, f64::from(height) - self.below + 14.0),
            false => (f64::from(width) - self.right + 30.0, 110.0),
        };
        for entry in entries {
            let (from, to) = ((x, y), (x + 34.0, y));
            match entry.symbol {
                Symbol::Line => path(area, &[from, to], stroke(entry.colour, 1.0, 6))?,
                Symbol::Dashes => dashes(area, from, to, stroke(entry.colour, 1.0, 4))?,
                Symbol::Cross => cross(area, (x + 17.0, y), entry.colour)?,
            }
            let name = legible.or(&entry.name, || entry.substitute.clone());
            for line in format::wrap(&name, self.room, NAME_LINES) {
                text(area, (x + 46.0, y), &line, SMALL, MUTED, At::Left)?;
                y += SMALL + 4.0;
            }
            y += 11.0;
        }
        Ok(())
    }
}

/// Height of these entries, with names wrapped to `room` em.
fn lengths(entries: &[LegendEntry], room: f64) -> f64 {
    let lines = |entry: &LegendEntry| format::wrap(&entry.name, room, NAME_LINES).len().max(1) as f64;
    entries.iter().map(|entry| lines(entry) * (SMALL + 4.0) + 11.0).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_fits_its_chart() {
        assert_eq!(fitted_title("Training loss", 800.0), ("Training loss".into(), TITLE));
        // 49 letters of 0.55 em are 26.95 em: 752 / 26.95 = 27.9.
        let long = "Test weighted precision before and after training";
        let (line, size) = fitted_title(long, 800.0);
        assert!(line == long && (27.8..28.0).contains(&size), "{line} {size}");
        assert_eq!(fitted_title(long, 1800.0).1, TITLE);
        let (line, size) = fitted_title(&"很长的标题".repeat(9), 800.0);
        assert!(size == LEAST_TITLE && line.ends_with('…') && format::width_em(&line) * size <= 752.0, "{line}");
    }
}
