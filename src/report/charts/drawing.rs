//! Charts of any kind with what the page says of them.

use std::path::Path;

use super::{Chart, Fonts, ReportError, draw, values};

/// A [`Chart`] of any type.
pub trait Drawable {
    /// As [`Chart::texts`].
    fn drawn_texts(&self) -> Vec<&str>;

    /// As [`values::embedded`].
    fn embedded(&self) -> String;

    /// As [`draw::svg`].
    fn svg(&self, name: &str, width: u32) -> Result<String, ReportError>;

    /// As [`draw::png`].
    fn png(&self, name: &str, fonts: &Fonts, path: &Path) -> Result<(), ReportError>;
}

impl<C: Chart> Drawable for C {
    fn drawn_texts(&self) -> Vec<&str> {
        self.texts()
    }

    fn embedded(&self) -> String {
        values::embedded(self)
    }

    fn svg(&self, name: &str, width: u32) -> Result<String, ReportError> {
        draw::svg(name, self, width)
    }

    fn png(&self, name: &str, fonts: &Fonts, path: &Path) -> Result<(), ReportError> {
        draw::png(name, self, fonts, path)
    }
}

/// A chart with its file name, alternative text and caption.
pub struct Drawing {
    /// File name without its ending.
    pub name: &'static str,
    /// Alternative text.
    pub alt: String,
    /// Caption.
    pub caption: String,
    /// The chart.
    pub chart: Box<dyn Drawable>,
}
