//! Which predictions became right, and which became wrong.

use super::rows::Row;
use crate::stats::Paired;

/// The rows whose prediction changed sides: of numbers, those whose error became smaller or larger.
pub struct Flips<'a> {
    /// Wrong before training, right after; the largest gain first.
    pub to_right: Vec<Row<'a>>,
    /// Right before training, wrong after; the largest loss first.
    pub to_wrong: Vec<Row<'a>>,
    /// The counts: `first` is after training, `second` before.
    pub counts: Paired,
}

/// Those of these rows.
pub fn flips<'a>(rows: &[Row<'a>], numbers: bool) -> Flips<'a> {
    let sides = |row: &Row<'_>| match numbers {
        false => (row.is_right(), row.was_right()),
        true => (row.gain() > 0.0, row.gain() < 0.0),
    };
    let sorted = |wanted: (bool, bool)| {
        let mut found: Vec<(f64, Row<'a>)> =
            rows.iter().filter(|row| sides(row) == wanted).map(|row| (row.gain().abs(), *row)).collect();
        found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        found.into_iter().map(|(_, row)| row).collect()
    };
    Flips {
        to_right: sorted((true, false)),
        to_wrong: sorted((false, true)),
        counts: Paired::count(rows.iter().map(sides)),
    }
}
