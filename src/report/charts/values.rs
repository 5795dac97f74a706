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

/// At most `most` of these, at equal distances and the last among them; at least two, of more than one.
pub fn evenly<T>(all: &[T], most: usize) -> impl Iterator<Item = &T> {
    let most = most.max(2).min(all.len());
    (1..=most).map(move |i| &all[(i * (all.len() - 1)) / most.max(1)])
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

#[cfg(test)]
mod tests {
    use plotters::{prelude::DrawingBackend, style::RGBColor};

    use super::*;
    use crate::report::charts::{Area, Curve, Drawn, LegendEntry, Legible, LossChart, Symbol, Weight};

    struct Two;

    impl Chart for Two {
        fn height(&self, _: u32) -> u32 {
            1
        }

        fn texts(&self) -> Vec<&str> {
            Vec::new()
        }

        fn values(&self, width: u32) -> Values {
            let value = |series, text: &str| Value { at: (f64::from(width) / 3.0, 7.4), series, text: text.into() };
            Values {
                names: vec!["a\nb \u{202e}c".into(), String::new()],
                values: vec![value(Some(1), "step 1: 0.5"), value(None, "x\n\n1 2 3 4 5")],
            }
        }

        fn draw<DB: DrawingBackend>(&self, _: &Area<DB>, _: Legible<'_>) -> Drawn<DB> {
            Ok(())
        }
    }

    #[test]
    fn names_of_the_user_add_no_lines() {
        assert_eq!(embedded(&Two), "a b �c\n–\n\n600 7 267 7 1 step 1: 0.5\n600 7 267 7 - x 1 2 3 4 5");
    }

    #[test]
    fn values_are_taken_evenly_with_the_last() {
        let all: Vec<u32> = (0..10).collect();
        let taken = |n: usize, most| evenly(&all[..n], most).copied().collect::<Vec<_>>();
        assert_eq!([taken(10, 3), taken(3, 5), taken(10, 0)], [vec![3, 6, 9], vec![0, 1, 2], vec![4, 9]]);
        assert_eq!([taken(0, 5), taken(1, 5)], [vec![], vec![0]]);
    }

    /// A hundred curves of a thousand steps: about as many values as one curve alone.
    #[test]
    fn many_curves_have_a_bounded_number_of_values() {
        let colour = RGBColor(1, 2, 3);
        let curve = |_| {
            let raw: Vec<_> = (1..=1000).map(|step| (f64::from(step), 0.5)).collect();
            Curve { colour, smooth: raw.clone(), raw, ended_early: false, completed: true, weight: Weight::Alone }
        };
        let legend = vec![LegendEntry { name: "lr=1".into(), substitute: String::new(), colour, symbol: Symbol::Line }];
        let chart = |runs| LossChart {
            curves: (0..runs).map(curve).collect(),
            legend: legend.clone(),
            smoothing: 0.9,
            ..LossChart::default()
        };
        assert_eq!([chart(1), chart(100)].map(|chart| chart.values(WIDTH).values.len()), [1000, 1200]);
        let values = chart(1).values(WIDTH);
        assert_eq!((values.values[999].text.as_str(), values.values[999].series), ("step 1000: 0.5000", Some(0)));
    }
}
