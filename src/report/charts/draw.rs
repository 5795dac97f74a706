//! Draws a chart as SVG and PNG.

use std::{io, path::Path};

use image::ImageError;
use plotters::{
    drawing::{DrawingAreaErrorKind, IntoDrawingArea},
    prelude::{BitMapBackend, DrawingBackend, SVGBackend},
};
use plotters_backend::DrawingErrorKind;

use super::{Area, Chart, Drawn, Fonts, Legible, ReportError, WIDTH, bitmap, files, fonts, theme};
use crate::report::format;

/// The chart as an SVG document with real text and no style of its own: [`STANDALONE_STYLE`] or the enclosing page gives it
/// its colours, including those for dark mode.
pub fn svg(name: &str, chart: &impl Chart, width: u32) -> Result<String, ReportError> {
    fonts::register_measure();
    let height = chart.height(width);
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (width, height)).into_drawing_area();
        draw_on(&area, chart, Legible(None)).map_err(|e| ReportError::chart(name, e))?;
    }
    // plotters sets width and height to the size of the view box, and centres text by half the height of an "x"; the digits and
    // capitals in charts are higher.
    let size = format!("width=\"{width}\" height=\"{height}\"");
    let half = format!("width=\"{}\" height=\"{}\"", width / 2, height / 2);
    Ok(format::visible(&text.replacen(&size, &half, 1).replace("dy=\"0.5ex\"", "dy=\"0.35em\"")))
}

/// The SVG as a file of its own: with a name for those who cannot see it, and with its colours for dark mode.
pub fn standalone(svg: &str, alt: &str) -> String {
    let alt = alt.replace('&', "&amp;").replace('<', "&lt;");
    let named = svg.replacen("<svg ", "<svg role=\"img\" ", 1);
    named.replacen(">\n", &format!(">\n<title>{alt}</title>\n{}", theme::STANDALONE_STYLE), 1)
}

/// Writes the chart as a PNG file, with the characters that `fonts` have.
pub fn png(name: &str, chart: &impl Chart, fonts: &Fonts, path: &Path) -> Result<(), ReportError> {
    fonts::register_measure();
    files::replace(path, |temporary| {
        let bitmap = bitmap::Bitmap::new(temporary, (WIDTH, chart.height(WIDTH)), fonts);
        let drawn = draw_on(&bitmap.into_drawing_area(), chart, Legible(Some(fonts)));
        drawn.map_err(|e| match e {
            // Only the message of the I/O error, without what three libraries add.
            DrawingAreaErrorKind::BackendError(DrawingErrorKind::DrawingError(BitmapError::ImageError(
                ImageError::IoError(e),
            ))) => e,
            e => io::Error::other(format!("chart {name}: {e}")),
        })
    })
}

type BitmapError = <BitMapBackend<'static> as DrawingBackend>::ErrorType;

fn draw_on<DB: DrawingBackend>(area: &Area<DB>, chart: &impl Chart, legible: Legible<'_>) -> Drawn<DB> {
    area.fill(&theme::PAPER)?;
    chart.draw(area, legible)?;
    area.present()
}
