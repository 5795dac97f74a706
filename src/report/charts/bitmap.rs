//! A plotters back end for PNG files with smooth lines and text in several fonts.
//!
//! plotters' own bitmap back end draws thick lines as zigzags with spikes at their corners, and takes one font per text, which must be
//! `'static`. Here a stroke is the set of points near its path, and each character is drawn with the font that has it.

use std::path::Path;

use ab_glyph::{Font, ScaleFont, point};
use plotters::prelude::{BitMapBackend, DrawingBackend};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind,
    text_anchor::{HPos, VPos},
};

use super::fonts::Fonts;

/// A PNG file; `present` writes it.
pub struct Bitmap<'a> {
    pixels: BitMapBackend<'a>,
    fonts: &'a Fonts,
}

type Drawn<'a> = Result<(), DrawingErrorKind<<BitMapBackend<'a> as DrawingBackend>::ErrorType>>;

impl<'a> Bitmap<'a> {
    /// A picture of `size` pixels that will be written to `path`.
    pub fn new(path: &'a Path, size: (u32, u32), fonts: &'a Fonts) -> Self {
        Self { pixels: BitMapBackend::new(path, size), fonts }
    }

    /// Blends a colour into a pixel; pixels outside the picture are ignored.
    fn blend(&mut self, (x, y): BackendCoord, colour: BackendColor, coverage: f64) -> Drawn<'a> {
        let (w, h) = self.pixels.get_size();
        if coverage <= 0.0 || x < 0 || y < 0 || x >= w as i32 || y >= h as i32 {
            return Ok(());
        }
        let alpha = colour.alpha * coverage.min(1.0);
        self.pixels.draw_pixel((x, y), BackendColor { alpha, ..colour })
    }

    /// Colours every pixel by how much of it lies within `width / 2` of the path. Overlaps count once.
    fn stroke(&mut self, points: &[BackendCoord], width: u32, colour: BackendColor) -> Drawn<'a> {
        let reach = f64::from(width) / 2.0;
        let margin = reach.ceil() as i32 + 1;
        let (w, h) = self.pixels.get_size();
        let bounds = |values: &mut dyn Iterator<Item = i32>, end: u32| {
            let (low, high) = values.fold((i32::MAX, i32::MIN), |(l, h), v| (l.min(v), h.max(v)));
            (low.saturating_sub(margin).max(0), high.saturating_add(margin).min(end as i32))
        };
        let (x0, x1) = bounds(&mut points.iter().map(|p| p.0), w);
        let (y0, y1) = bounds(&mut points.iter().map(|p| p.1), h);
        if x0 >= x1 || y0 >= y1 {
            return Ok(());
        }
        let row = (x1 - x0) as usize;
        let mut coverage = vec![0f32; row * (y1 - y0) as usize];
        for ends in points.windows(2) {
            let (a, b) = (to_f64(ends[0]), to_f64(ends[1]));
            let span = |low: f64, high: f64, start: i32, end: i32| {
                ((low as i32 - margin).clamp(start, end), (high as i32 + margin).clamp(start, end))
            };
            let (left, right) = span(a.0.min(b.0), a.0.max(b.0), x0, x1);
            let (top, bottom) = span(a.1.min(b.1), a.1.max(b.1), y0, y1);
            for y in top..bottom {
                for x in left..right {
                    let distance = distance_to_segment((f64::from(x) + 0.5, f64::from(y) + 0.5), a, b);
                    let cell = &mut coverage[(y - y0) as usize * row + (x - x0) as usize];
                    *cell = cell.max((reach + 0.5 - distance).clamp(0.0, 1.0) as f32);
                }
            }
        }
        for (i, &c) in coverage.iter().enumerate() {
            self.blend((x0 + (i % row) as i32, y0 + (i / row) as i32), colour, f64::from(c))?;
        }
        Ok(())
    }
}

fn to_f64((x, y): BackendCoord) -> (f64, f64) {
    (f64::from(x), f64::from(y))
}

fn distance_to_segment(p: (f64, f64), a: (f64, f64), b: (f64, f64)) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let squared = dx * dx + dy * dy;
    let t = if squared == 0.0 { 0.0 } else { (((p.0 - a.0) * dx + (p.1 - a.1) * dy) / squared).clamp(0.0, 1.0) };
    (p.0 - a.0 - t * dx).hypot(p.1 - a.1 - t * dy)
}

impl<'a> DrawingBackend for Bitmap<'a> {
    type ErrorType = <BitMapBackend<'a> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.pixels.get_size()
    }

    fn ensure_prepared(&mut self) -> Drawn<'a> {
        self.pixels.ensure_prepared()
    }

    fn present(&mut self) -> Drawn<'a> {
        self.pixels.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, colour: BackendColor) -> Drawn<'a> {
        self.blend(point, colour, 1.0)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn<'a> {
        self.stroke(&[from, to], style.stroke_width(), style.color())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn<'a> {
        self.stroke(&path.into_iter().collect::<Vec<_>>(), style.stroke_width(), style.color())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn<'a> {
        let ((x0, y0), (x1, y1)) = (upper_left, bottom_right);
        if !fill {
            return self.stroke(
                &[(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)],
                style.stroke_width(),
                style.color(),
            );
        }
        // As in SVG, the right and bottom edges are not part of the box.
        for y in y0..y1 {
            for x in x0..x1 {
                self.blend((x, y), style.color(), 1.0)?;
            }
        }
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, centre: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn<'a> {
        let (cx, cy) = to_f64(centre);
        let (radius, half) = (f64::from(radius), f64::from(style.stroke_width()) / 2.0);
        let reach = (radius + half).ceil() as i32 + 1;
        for y in centre.1 - reach..centre.1 + reach {
            for x in centre.0 - reach..centre.0 + reach {
                let distance = (f64::from(x) + 0.5 - cx).hypot(f64::from(y) + 0.5 - cy);
                let depth = if fill { radius - distance } else { half - (distance - radius).abs() };
                self.blend((x, y), style.color(), (depth + 0.5).clamp(0.0, 1.0))?;
            }
        }
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn<'a> {
        let fonts = self.fonts;
        let em = style.size() / 1.24;
        let scaled = |c: char| {
            let font = fonts.face(text, c);
            let height = font.height_unscaled() / font.units_per_em().unwrap_or(1000.0);
            font.as_scaled(em as f32 * height)
        };
        let width: f32 = text.chars().map(|c| scaled(c).h_advance(scaled(c).glyph_id(c))).sum();
        let mut x = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -width / 2.0,
            HPos::Right => -width,
        };
        // The same baseline as in the SVG.
        let baseline = em as f32
            * match style.anchor().v_pos {
                VPos::Top => 0.76,
                VPos::Center => 0.35,
                VPos::Bottom => -0.26,
            };
        let (colour, transform) = (style.color(), style.transform());
        for c in text.chars() {
            let font = scaled(c);
            let id = font.glyph_id(c);
            let mut pixels = Vec::new();
            if let Some(outline) = font.outline_glyph(id.with_scale_and_position(font.scale(), point(x, baseline))) {
                let corner = outline.px_bounds().min;
                outline.draw(|dx, dy, coverage| {
                    pixels.push((corner.x as i32 + dx as i32, corner.y as i32 + dy as i32, coverage));
                });
            }
            for (px, py, coverage) in pixels {
                let (dx, dy) = transform.transform(px, py);
                self.blend((at.0 + dx, at.1 + dy), colour, f64::from(coverage))?;
            }
            x += font.h_advance(id);
        }
        Ok(())
    }
}
