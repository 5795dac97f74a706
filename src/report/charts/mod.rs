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
mod draw;
mod fonts;
mod loss;
mod pen;
mod probes;
mod reliability;
mod theme;

use plotters::{
    coord::Shift,
    drawing::{DrawingArea, DrawingAreaErrorKind},
    prelude::DrawingBackend,
};

pub use accuracy::{AccuracyChart, Track};
pub use before_after::{BeforeAfterChart, Change};
pub use confusion::ConfusionChart;
pub use draw::{png, svg};
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
