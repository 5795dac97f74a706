//! Draws a figure into its two files.

use std::{io, path::Path};

use image::ImageError;
use plotters::{
    drawing::{DrawingAreaErrorKind, IntoDrawingArea},
    prelude::{BitMapBackend, DrawingBackend, SVGBackend},
};
use plotters_backend::DrawingErrorKind;

use super::{Area, Drawn, Figure, Fonts, Legible, ReportError, WIDTH, bitmap, files, fonts, theme};

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
