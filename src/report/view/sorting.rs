//! By what the page sorts its tables.

use crate::{
    format::decimals,
    metrics::{Better, Metric, Unit},
};

/// The attribute of the heading of a metric of which the first click shows the highest value first.
pub(super) fn best_first(metric: Metric) -> &'static str {
    match metric.info().better {
        Better::Higher => " data-best=\"high\"",
        Better::Lower => "",
    }
}

/// The attribute of each cell of a column: the exact value of those that look like another one and are not, so that the page does not grow by
/// numbers that it shows already. A cell is given as its text and its value.
pub(super) fn exact(metric: Metric, cells: &[(&str, Option<f64>)]) -> Vec<String> {
    let scale = if metric.info().unit == Unit::Share { 100.0 } else { 1.0 };
    // What a cell is sorted by is what it begins with.
    let shown = |text: &str| text.split([' ', '%', '（']).next().unwrap_or_default().to_owned();
    let mut sorted: Vec<(String, f64)> =
        cells.iter().filter_map(|(text, value)| Some((shown(text), (*value)?))).collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut unlike: Vec<&str> =
        sorted.windows(2).filter(|w| w[0].0 == w[1].0 && w[0].1 != w[1].1).map(|w| &w[0].0[..]).collect();
    unlike.dedup();
    let of = |(text, value): &(&str, Option<f64>)| match value {
        Some(value) if unlike.binary_search(&&shown(text)[..]).is_ok() => {
            format!(" data-sort=\"{}\"", decimals(value * scale, 6))
        }
        _ => String::new(),
    };
    cells.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_only_look_alike_have_their_exact_value() {
        let cells =
            [("91.2% (90–92)", Some(0.9121)), ("91.2% (89–93)", Some(0.9119)), ("90.0%", Some(0.9)), ("–", None)];
        let got = exact(Metric::Accuracy, &cells);
        assert_eq!(got, [" data-sort=\"91.210000\"", " data-sort=\"91.190000\"", "", ""]);
        assert!(exact(Metric::Accuracy, &[("91.2%", Some(0.9121)); 2]).iter().all(String::is_empty), "they are equal");
        assert_eq!([best_first(Metric::Accuracy), best_first(Metric::Loss)], [" data-best=\"high\"", ""]);
    }
}
