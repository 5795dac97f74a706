//! Charts: one per file, each drawn by the same code as SVG and PNG.
//!
//! A [`Chart`] holds what is shown and draws it on any plotters back end, 1800 units wide, or half as wide for a phone. The SVG is shown at
//! half that size ([`svg`]); the PNG has a pixel for each unit, so it is sharp on high-density screens ([`png`]). The bytes of the SVG depend only
//! on the chart: text widths are estimated, not measured with a font of the machine.

mod axes;
mod before_after;
mod bitmap;
mod budget;
mod calibration;
mod draw;
mod drawing;
mod effects;
mod fonts;
mod heat;
mod loss;
mod matrix;
mod mean;
mod metric;
mod paired_bars;
mod panel;
mod parallel;
mod pen;
mod probes;
mod reliability;
mod residuals;
mod scatter;
mod theme;
mod values;

use plotters::{
    coord::Shift,
    drawing::{DrawingArea, DrawingAreaErrorKind},
    prelude::DrawingBackend,
};

pub use axes::{number, round_end};
pub use before_after::{BeforeAfterChart, Change};
pub use budget::{BudgetChart, BudgetPlot};
pub use calibration::CalibrationChart;
pub use draw::standalone;
pub use drawing::{Drawable, Drawing};
pub use effects::{EffectMean, EffectPlot, EffectsChart};
pub use fonts::Fonts;
pub use heat::HeatChart;
pub use loss::{Curve, Dots, LossChart, Weight};
pub use matrix::MatrixChart;
pub use mean::Mean;
pub use metric::{Along, MetricChart, Track};
pub use paired_bars::{PairedBars, legend as paired_legend};
pub use panel::{Mark, ticks, value_label};
pub use parallel::{Line, ParallelAxis, ParallelChart};
pub use pen::{LegendEntry, Symbol};
pub use probes::{Bar, LabelBars, ProbeBars, ProbesChart, Said, Why};
pub use reliability::{Bin, ReliabilityChart, ReliabilityWords};
pub use residuals::ResidualsChart;
pub use scatter::ScatterChart;
pub use theme::{INK, MUTED, OTHERS, PALETTE};
pub use values::Values;

use super::{ReportError, files};

/// Width of a chart, in drawing units (two per CSS pixel).
pub const WIDTH: u32 = 1800;
/// Width of a chart for a phone, on which a wide one would have letters too small to read.
pub const NARROW: u32 = 800;

/// What a chart is drawn on.
pub type Area<DB> = DrawingArea<DB, Shift>;
/// Whether it was drawn.
pub type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// Something that can be drawn.
pub trait Chart {
    /// Height of a chart of this width, in drawing units.
    fn height(&self, width: u32) -> u32;

    /// Texts from the user that it contains: the PNG needs a font with their characters.
    fn texts(&self) -> Vec<&str>;

    /// Its values in a drawing of this width, which the page shows beside the pointer. Those of all widths are the same, in the same order.
    fn values(&self, _width: u32) -> Values {
        Values::default()
    }

    /// Draws it on `area`, which is [`WIDTH`] or [`NARROW`] wide and as high as [`Chart::height`] says.
    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, legible: Legible<'_>) -> Drawn<DB>;
}

/// Width of an area.
fn width<DB: DrawingBackend>(area: &Area<DB>) -> f64 {
    f64::from(area.dim_in_pixel().0)
}

/// Which texts can be drawn legibly. Others are replaced by a number.
#[derive(Clone, Copy)]
pub struct Legible<'a>(Option<&'a Fonts>);

impl Legible<'_> {
    /// Whether the text can be read.
    pub fn can(&self, text: &str) -> bool {
        self.0.is_none_or(|fonts| fonts.cover(text))
    }

    /// The text itself, or the substitute if a font lacks one of its characters.
    pub fn or(&self, text: &str, substitute: impl FnOnce() -> String) -> String {
        if self.can(text) { text.to_string() } else { substitute() }
    }
}
