//! Fonts. A font for Latin letters is built in; others are searched for on the machine.

use std::{collections::BTreeSet, sync::Once};

use ab_glyph::{Font, FontArc, FontRef, FontVec};
use fontdb::{Database, FaceInfo, Style};
use plotters::style::{FontStyle, register_font};
use sha2::{Digest, Sha256};

/// The font families of SVG text, in order of preference: the viewer's own for Latin letters, then those with Chinese.
pub const FAMILY: &str = "system-ui, Noto Sans CJK SC, Microsoft YaHei, PingFang SC, WenQuanYi Micro Hei, sans-serif";

/// Families preferred over others that have as many of the characters.
const PREFERRED: [&str; 8] = [
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "WenQuanYi Micro Hei",
    "PingFang SC",
    "Microsoft YaHei",
    "Hiragino Sans GB",
];

/// Makes plotters measure [`FAMILY`] with the built-in font, so that measures are the same on every machine. The bitmap back end draws
/// with [`Fonts`], an SVG viewer with its own fonts.
pub fn register_measure() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The font is part of the program, so a failure is a bug in the build; it is reported as a chart error.
        let _ = register_font(FAMILY, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
    });
}

/// The fonts that draw PNG text.
#[derive(Debug, Clone)]
pub struct Fonts {
    latin: FontArc,
    /// The font with most of the required non-Latin characters.
    wide: Option<FontArc>,
    /// Its PostScript name and the SHA-256 of its file.
    wide_is: Option<(String, String)>,
}

impl Fonts {
    /// Fonts for all characters in `texts`. `system` is called only if the built-in font does not have all of them.
    pub fn for_texts<'t>(texts: impl IntoIterator<Item = &'t str>, system: impl FnOnce() -> Database) -> Option<Self> {
        let latin = FontArc::from(FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT).ok()?);
        let missing: BTreeSet<char> =
            texts.into_iter().flat_map(str::chars).filter(|&c| !is_blank(c) && !has(&latin, c)).collect();
        let (wide, wide_is) = (if missing.is_empty() { None } else { widest(&system(), &missing) }).unzip();
        Some(Self { latin, wide, wide_is })
    }

    /// Describes the fonts of PNG text: with the same fonts, PNG files are the same byte for byte.
    pub fn describe(&self) -> String {
        let others = match &self.wide_is {
            Some((name, sha256)) => {
                format!("{name}, a font of the machine that drew them (SHA-256 of its file {sha256})")
            }
            None => "none: no text needed one, or this machine has none, and charts show numbers instead of such text"
                .into(),
        };
        format!("Fonts of the PNG charts\nLatin letters: Ubuntu Light, built into taper\nother characters: {others}\n")
    }

    /// Whether every character of `text` can be drawn.
    pub fn cover(&self, text: &str) -> bool {
        text.chars().all(|c| is_blank(c) || has(&self.latin, c) || self.wide.as_ref().is_some_and(|w| has(w, c)))
    }

    /// The font for each character of `text`: one font for all if it has all of them, since fonts differ in weight.
    pub fn face(&self, text: &str, c: char) -> &FontArc {
        match &self.wide {
            Some(wide) if !text.chars().all(|c| is_blank(c) || has(&self.latin, c)) => {
                if has(wide, c) || !has(&self.latin, c) { wide } else { &self.latin }
            }
            _ => &self.latin,
        }
    }
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// Whether the font has an outline for the character (bitmap and colour glyphs cannot be drawn here).
fn has(font: &impl Font, c: char) -> bool {
    let id = font.glyph_id(c);
    id.0 != 0 && font.outline(id).is_some()
}

/// The font with most of the characters; ties go to the preferred family, the regular weight, then the first by name.
fn widest(database: &Database, missing: &BTreeSet<char>) -> Option<(FontArc, (String, String))> {
    let coverage = |face: &FaceInfo| {
        let count = |data: &[u8], index| {
            FontRef::try_from_slice_and_index(data, index)
                .map_or(0, |font| missing.iter().filter(|&&c| has(&font, c)).count())
        };
        database.with_face_data(face.id, count).unwrap_or(0)
    };
    let rank = |face: &FaceInfo| {
        let preferred = PREFERRED.iter().position(|name| face.families.iter().any(|(family, _)| family == name));
        let weight = face.weight.0.abs_diff(400);
        (preferred.unwrap_or(PREFERRED.len()), face.style != Style::Normal, weight, face.post_script_name.clone())
    };
    let mut faces: Vec<_> = database.faces().map(|face| (coverage(face), face)).filter(|(n, _)| *n > 0).collect();
    faces.sort_by_cached_key(|(n, face)| (std::cmp::Reverse(*n), rank(face), face.index));
    faces.into_iter().find_map(|(_, face)| {
        let font = |data: &[u8], index| {
            let font = FontVec::try_from_vec_and_index(data.to_vec(), index).ok()?;
            let sha256 = Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect();
            Some((FontArc::new(font), (face.post_script_name.clone(), sha256)))
        };
        database.with_face_data(face.id, font).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBE: &str = "这家饭店真贴心，知道我吃不饱";

    #[test]
    fn without_a_font_chinese_is_not_covered_and_latin_is() {
        let fonts = Fonts::for_texts([PROBE], Database::new).unwrap();
        assert!(!fonts.cover(PROBE));
        assert!(fonts.cover("lr=2e-5 · 91.3% – “right” −0.5 × ± …"));
    }

    #[test]
    fn latin_text_does_not_load_system_fonts() {
        let fonts = Fonts::for_texts(["plain"], || panic!("the system's fonts are not needed")).unwrap();
        assert!(fonts.cover("plain"));
    }

    /// Font collections (.ttc) work, and the chosen font is the one with the characters, not the machine's first.
    #[test]
    fn a_system_font_with_the_characters_is_found() {
        let mut database = Database::new();
        database.load_system_fonts();
        let has_chinese = |face: &FaceInfo| {
            let check = |data: &[u8], index| {
                FontRef::try_from_slice_and_index(data, index).is_ok_and(|f| PROBE.chars().all(|c| has(&f, c)))
            };
            database.with_face_data(face.id, check).unwrap_or(false)
        };
        let possible = database.faces().any(has_chinese);
        let fonts = Fonts::for_texts([PROBE], || database.clone()).unwrap();
        assert_eq!(fonts.cover(PROBE), possible);
    }
}
