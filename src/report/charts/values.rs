//! The values of a chart as the page embeds them, to be shown beside the pointer.

use super::{Chart, NARROW, WIDTH};
use crate::format::one_line;

/// At most about this many values of a chart are embedded: a page with a hundred curves stays small.
pub const MOST_VALUES: usize = 1200;

/// The values of a chart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Values {
    /// Names of its series.
    pub names: Vec<String>,
    /// The values, in the order in which the arrow keys go through them.
    pub values: Vec<Value>,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Where it is drawn, in drawing units from the upper left corner.
    pub at: (f64, f64),
    /// Which of [`Values::names`] it belongs to.
    pub series: Option<usize>,
    /// What it is: `step 120: 0.5321`.
    pub text: String,
}

/// The values of a chart in both of its widths, as the page's script reads them: the names, one a line; an empty line; then for each value a line
/// with where it is in the wide and in the narrow drawing, the number of its name or `-`, and its text. Empty if it has none.
pub fn embedded(chart: &impl Chart) -> String {
    let (wide, narrow) = (chart.values(WIDTH), chart.values(NARROW));
    if wide.values.is_empty() {
        return String::new();
    }
    // An empty line ends the names.
    let name = |name: &String| Some(one_line(name)).filter(|name| !name.is_empty()).unwrap_or_else(|| "–".into());
    let mut lines: Vec<String> = wide.names.iter().map(name).collect();
    lines.push(String::new());
    let whole = |(x, y): (f64, f64)| format!("{} {}", x.round(), y.round());
    for (value, narrow) in wide.values.iter().zip(&narrow.values) {
        let series = value.series.map_or("-".into(), |series| series.to_string());
        lines.push(format!("{} {} {series} {}", whole(value.at), whole(narrow.at), one_line(&value.text)));
    }
    lines.join("\n")
}
