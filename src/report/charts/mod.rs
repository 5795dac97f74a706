//! Charts: one a file, each drawn by the same code into an SVG file and a PNG file.
//!
//! A [`Figure`] holds what is shown and draws it on any plotters back end, 1800 units wide. The SVG is shown at half
//! that size ([`svg`]); the PNG has a pixel for each unit, so it stays sharp on a dense screen ([`png`]). SVG bytes
//! depend on the figure alone: text is measured by an own estimate, never by a font that the machine happens to have.

mod accuracy;
mod axes;
mod before_after;
mod bitmap;
mod confusion;
mod fonts;
mod loss;
mod pen;
mod probes;
mod reliability;
mod theme;

use std::{io, path::Path};

use image::ImageError;
use plotters::{
    coord::Shift,
    drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea},
    prelude::{BitMapBackend, DrawingBackend, SVGBackend},
};
use plotters_backend::DrawingErrorKind;

pub use accuracy::{AccuracyChart, Track};
pub use before_after::{BeforeAfterChart, Change};
pub use confusion::ConfusionChart;
pub use fonts::Fonts;
pub use loss::{Curve, LossChart};
pub use pen::LegendEntry;
pub use probes::{Bar, ProbeBars, ProbesChart};
pub use reliability::{Bin, ReliabilityChart};
pub use theme::{MUTED, OTHERS, PALETTE, STANDALONE_STYLE};

use super::{ReportError, files};

/// Width of every figure, in drawing units (two for each CSS pixel).
pub const WIDTH: u32 = 1800;

type Area<DB> = DrawingArea<DB, Shift>;
type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// Something that can be drawn.
pub trait Figure {
    /// Height in drawing units.
    fn height(&self) -> u32;

    /// Texts of the user that stand in it: the PNG needs a font that has their characters.
    fn texts(&self) -> Vec<&str>;

    /// Draws it on `area`, which is [`WIDTH`] × [`Figure::height`].
    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, legible: Legible<'_>) -> Drawn<DB>;
}

/// Which texts can be read where they are drawn. What cannot is named by a number instead.
#[derive(Clone, Copy)]
pub struct Legible<'a>(Option<&'a Fonts>);

impl Legible<'_> {
    /// Whether the text can be read.
    pub fn can(&self, text: &str) -> bool {
        self.0.is_none_or(|fonts| fonts.cover(text))
    }

    /// The text itself, or the substitute where a font lacks a character of it.
    pub fn or(&self, text: &str, substitute: impl FnOnce() -> String) -> String {
        if self.can(text) { text.to_string() } else { substitute() }
    }
}

/// The figure as an SVG document with real text, without a style of its own: [`STANDALONE_STYLE`] or the page it is
/// put into gives it its colours in the dark.
pub fn svg(name: &str, figure: &impl Figure) -> Result<String, ReportError> {
    fonts::register_measure();
    let (width, height) = (WIDTH, figure.height());
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
        draw_on(&area, figure, Legible(None)).map_err(|e| ReportError::chart(name, e))?;
    }
    // plotters writes width and height as large as the view box, and centres text by half the height of an "x": the
    // digits and capitals that a chart is full of are higher.
    let size = format!("width=\"{width}\" height=\"{height}\"");
    let half = format!("width=\"{}\" height=\"{}\" role=\"img\"", width / 2, height / 2);
    Ok(text.replacen(&size, &half, 1).replace("dy=\"0.5ex\"", "dy=\"0.35em\""))
}

/// Writes the figure as a PNG file, with the characters that `fonts` have.
pub fn png(name: &str, figure: &impl Figure, fonts: &Fonts, path: &Path) -> Result<(), ReportError> {
    fonts::register_measure();
    files::replace(path, |temporary| {
        let bitmap = bitmap::Bitmap::new(temporary, (WIDTH, figure.height()), fonts);
        let drawn = draw_on(&bitmap.into_drawing_area(), figure, Legible(Some(fonts)));
        drawn.map_err(|e| match e {
            // What the file says, without the words of three libraries around it.
            DrawingAreaErrorKind::BackendError(DrawingErrorKind::DrawingError(BitmapError::ImageError(
                ImageError::IoError(e),
            ))) => e,
            e => io::Error::other(format!("chart {name}: {e}")),
        })
    })
}

type BitmapError = <BitMapBackend<'static> as DrawingBackend>::ErrorType;

fn draw_on<DB: DrawingBackend>(area: &Area<DB>, figure: &impl Figure, legible: Legible<'_>) -> Drawn<DB> {
    area.fill(&theme::PAPER)?;
    figure.draw(area, legible)?;
    area.present()
}
