//! Values and their differences as text, so that what is printed adds up.

use crate::report::language::tr;
use crate::{
    format::{self, decimals, signed},
    metrics::{Metric, Unit},
    report::terms,
};

/// The most digits that are added to the usual ones: with more, the rows of a table would hardly be comparable.
const MORE: usize = 1;

/// A difference of two values of a metric: `+1.2 points`, `−0.0312`.
pub fn difference_text(metric: Metric, difference: f64) -> String {
    match metric.info().unit {
        _ if difference.is_nan() => format::NOTHING.into(),
        Unit::Share => tr!("{} points", "{} 个百分点", format::points(difference)),
        Unit::Nats | Unit::Plain => terms::signed(difference),
    }
}

/// The values of a metric, that of the first side first, and the differences of the others from it. They have as many digits as it takes for
/// each printed difference to be the difference of the printed values, and for two values that differ to look so; the usual ones if one more
/// does not suffice, as where a difference is not of these values.
pub fn texts(metric: Metric, values: &[f64], differences: &[f64]) -> [Vec<String>; 2] {
    let usual = apart(metric, values, differences);
    let (scale, unit, least) = match metric.info().unit {
        Unit::Share => (100.0, "%", 1),
        Unit::Nats | Unit::Plain => (1.0, "", 4),
    };
    let plain = |digits| values.iter().map(|value| decimals(*value * scale, digits)).collect::<Vec<_>>();
    // Numbers that are too large or too small for decimals have another form.
    if plain(least)
        .iter()
        .zip(values)
        .any(|(text, value)| format!("{text}{unit}") != metric.text(*value).replace('−', "-"))
    {
        return usual;
    }
    let add_up = |digits: &usize| {
        let of = |value: f64| as_printed(&decimals(value * scale, *digits));
        let texts = plain(*digits);
        let score = |value: f64| metric.score(value).rounded();
        let apart = values.len() != 2 || score(values[0]) == score(values[1]) || texts[0] != texts[1];
        let adds = |(value, difference): (&f64, &f64)| {
            !difference.is_finite() || of(*value) - of(values[0]) == of(*difference)
        };
        apart && values.iter().skip(1).zip(differences).all(adds)
    };
    match (least..=least + MORE).find(add_up) {
        Some(digits) if digits > least => {
            let difference = |value: &f64| match (value.is_finite(), metric.info().unit) {
                (false, _) => difference_text(metric, *value),
                (true, Unit::Share) => tr!("{} points", "{} 个百分点", signed(value * scale, digits)),
                (true, _) => signed(*value, digits),
            };
            [
                plain(digits).iter().map(|text| format!("{text}{unit}").replace('-', "−")).collect(),
                differences.iter().map(difference).collect(),
            ]
        }
        _ => usual,
    }
}

/// The values as text. Two that differ but would look alike have more digits, and so has their difference.
fn apart(metric: Metric, values: &[f64], differences: &[f64]) -> [Vec<String>; 2] {
    let usual = |values: &[f64]| values.iter().map(|value| metric.text(*value)).collect::<Vec<_>>();
    let usual = [usual(values), differences.iter().map(|difference| difference_text(metric, *difference)).collect()];
    let ([a, b], [difference]) = (values, differences) else { return usual };
    let texts = metric.texts_apart(*a, *b);
    if usual[0] == texts || !difference.is_finite() {
        return usual;
    }
    let digits = texts[0].split_once('.').map_or(0, |(_, decimals)| decimals.trim_end_matches('%').len());
    let difference = match metric.info().unit {
        Unit::Share => tr!("{} points", "{} 个百分点", signed(difference * 100.0, digits)),
        Unit::Nats | Unit::Plain => signed(*difference, digits),
    };
    [texts.into(), vec![difference]]
}

/// The number that a decimal text is, in units of its last digit.
fn as_printed(text: &str) -> i64 {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let sign = if text.starts_with(['-', '−']) { -1 } else { 1 };
    sign * digits.parse::<i64>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_differences_are_those_of_the_printed_values() {
        let said = |metric, values: &[f64], differences: &[f64]| texts(metric, values, differences).concat().join(" ");
        let of = |metric, a: f64, b: f64| said(metric, &[a, b], &[b - a]);
        assert_eq!(of(Metric::Accuracy, 0.917, 0.5), "91.7% 50.0% −41.7 points", "usual digits add up");
        // 91.664% and 33.333%: 91.7 − 33.3 is 58.4, and the difference is 58.331.
        assert_eq!(of(Metric::MacroF1, 0.91664, 0.33333), "91.66% 33.33% −58.33 points");
        // With two digits 91.67 − 33.33 is 58.34, and the difference is 58.331: only three digits would add up.
        assert_eq!(of(Metric::MacroF1, 0.916654, 0.333341), "91.7% 33.3% −58.3 points");
        assert_eq!(of(Metric::Loss, 0.12346, 0.22353), "0.12346 0.22353 +0.10007");
        // With four digits 0.1235 + 0.1234 is 0.2469, and the difference is 0.24698.
        assert_eq!(of(Metric::R2, -0.12344, 0.12354), "−0.12344 0.12354 +0.24698");
        assert_eq!(of(Metric::Accuracy, 0.9, 0.90001), "90.000% 90.001% +0.001 points", "they differ");
        assert_eq!(of(Metric::Accuracy, 0.843_333_333_333_333_3, 0.843_333_333_333_333_4), "84.3% 84.3% 0.0 points");
        assert_eq!(said(Metric::Accuracy, &[0.9, 0.8], &[f64::NAN]), "90.0% 80.0% –");
        // A difference that is not of these values has the usual digits.
        assert_eq!(said(Metric::Accuracy, &[0.9, 0.8], &[-0.05]), "90.0% 80.0% −5.0 points");
        let three = [0.91664, 0.33333, 0.91664];
        assert_eq!(
            said(Metric::MacroF1, &three, &[three[1] - three[0], 0.0]),
            "91.66% 33.33% 91.66% −58.33 points 0.00 points"
        );
        assert_eq!(of(Metric::Loss, 2e5, 3e5), "2.000e5 3.000e5 +1.000e5");
    }
}
