//! Colours. Data colours are those of M. Okabe and K. Ito ("Color Universal Design", 2008), which people with any kind
//! of colour vision can distinguish, without black and yellow: each is invisible on one of the backgrounds.
//! On a dark one the first blue is lighter, too much like the second, which is yellow there.

use plotters::style::RGBColor;

/// Background.
pub const PAPER: RGBColor = RGBColor(255, 255, 255);
/// Text.
pub const INK: RGBColor = RGBColor(31, 35, 40);
/// Axis labels and notes.
pub const MUTED: RGBColor = RGBColor(89, 99, 110);
/// Grid lines and the background of bars.
pub const GRID: RGBColor = RGBColor(225, 228, 232);

/// Colours of series, in the order they are used.
pub const PALETTE: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];
/// Good values, and expected labels.
pub const GOOD: RGBColor = PALETTE[2];
/// Bad values.
pub const BAD: RGBColor = PALETTE[1];
/// Series beyond the palette.
pub const OTHERS: RGBColor = RGBColor(160, 166, 174);

/// Style of a standalone SVG file, with dark mode. The report's page has the same rules for its own variables.
pub const STANDALONE_STYLE: &str = r##"<style>
@media screen and (prefers-color-scheme: dark) {
[fill="#FFFFFF"]{fill:#0d1117}[stroke="#FFFFFF"]{stroke:#0d1117}
[fill="#1F2328"]{fill:#e6edf3}[stroke="#1F2328"]{stroke:#e6edf3}
[fill="#59636E"]{fill:#9aa4af}[stroke="#59636E"]{stroke:#9aa4af}
[fill="#E1E4E8"]{fill:#2b313a}[stroke="#E1E4E8"]{stroke:#2b313a}
[fill="#0072B2"]{fill:#3d9fdb}[stroke="#0072B2"]{stroke:#3d9fdb}
[fill="#56B4E9"]{fill:#f0e442}[stroke="#56B4E9"]{stroke:#f0e442}
[opacity="0.3"]{opacity:.5}[opacity="0.45"]{opacity:.6}
}
</style>
"##;
