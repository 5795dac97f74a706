//! Warnings about numbers to learn that are probably a mistake.

use super::{Row, alike::quoted};
use crate::warning::{Kind, Warning};

/// Numbers that are further from 0, or from each other, are hardly reached by a model that begins near 0.
const LARGE: f64 = 100.0;

/// Numbers that differ by less are all the same to a model: its predictions vary by more.
const SMALL: f64 = 1e-6;

/// What is known of the numbers of a column.
struct Column {
    mean: f64,
    deviation: f64,
    /// The first two different numbers, the lower one first; one if all are the same.
    two: Option<(f64, f64)>,
    /// Whether there are more.
    more: bool,
}

/// Warnings about the numbers of these columns.
pub(super) fn check(columns: &[String], rows: &[Row]) -> Vec<Warning> {
    let mut found = Vec::new();
    for (at, name) in columns.iter().enumerate() {
        let Some(column) = Column::of(|| rows.iter().filter_map(move |row| row.target.numbers().get(at).copied()))
        else {
            continue;
        };
        let name = quoted(name);
        match column.two {
            // If it is the only column, that is an error.
            None if columns.len() > 1 => found.push(format!(
                "every row has the same number in column {name}: there is nothing to learn from it; leave the column \
                 out"
            )),
            Some((low, high)) if !column.more && low.fract() == 0.0 && high.fract() == 0.0 => found.push(format!(
                "the numbers in column {name} are only {low} and {high}: they look like two classes, for which \
                 data.problem_type is \"single_label_classification\""
            )),
            _ => {}
        }
        if column.two.is_some() && column.deviation < SMALL {
            found.push(format!(
                "the numbers in column {name} have a standard deviation of {:.2e}, which is smaller than the variation of a model's predictions: \
                 standardise them (subtract the mean, divide by the standard deviation)",
                column.deviation
            ));
        }
        if column.mean.abs() > LARGE || column.deviation > LARGE {
            found.push(format!(
                "the numbers in column {name} have the mean {} and the standard deviation {}: a model's predictions \
                 start near 0 and barely reach such values at the usual learning rates; standardise them (subtract \
                 the mean, divide by the standard deviation)",
                rounded(column.mean),
                rounded(column.deviation)
            ));
        }
    }
    found.into_iter().map(|message| Warning::new(Kind::Labels, message)).collect()
}

impl Column {
    /// `None` without numbers.
    fn of<I: Iterator<Item = f64>>(numbers: impl Fn() -> I) -> Option<Self> {
        let first = numbers().next()?;
        let second = numbers().find(|number| *number != first);
        let more = second.is_some_and(|second| numbers().any(|number| number != first && number != second));
        let n = numbers().count() as f64;
        let mean = numbers().map(|number| number / n).sum::<f64>();
        let deviation = numbers().map(|number| (number - mean) * (number - mean) / n).sum::<f64>().sqrt();
        Some(Self { mean, deviation, two: second.map(|second| (first.min(second), first.max(second))), more })
    }
}

/// A number to read: with three digits or more.
fn rounded(number: f64) -> String {
    match number.abs() {
        size if size >= 1e6 => format!("{number:.2e}"),
        size if size >= 100.0 => format!("{number:.0}"),
        _ => crate::format::decimals(number, 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Target;

    fn says(numbers: &[&[f64]]) -> Vec<String> {
        let row = |(line, numbers): (u64, &&[f64])| Row {
            line,
            text: "t".into(),
            text_pair: None,
            target: Target::values(numbers.to_vec()),
        };
        let rows: Vec<Row> = (2..).zip(numbers).map(row).collect();
        let columns: Vec<String> = ["a", "b"].iter().take(numbers[0].len()).map(ToString::to_string).collect();
        check(&columns, &rows).into_iter().map(|warning| warning.message).collect()
    }

    #[test]
    fn usual_numbers_are_not_warned_of() {
        assert_eq!(says(&[&[1.0], &[2.0], &[3.0]]), [""; 0]);
        assert_eq!(says(&[&[0.5], &[0.25]]), [""; 0]);
        assert_eq!(says(&[&[100.0, -1.0], &[-100.0, 0.0], &[0.0, 1.0]]), [""; 0]);
    }

    /// numpy: mean and std of [1000, 1200, 1100] are 1100 and 81.65, of [-2e7, 2e7] 0 and 2e7.
    #[test]
    fn numbers_that_are_hardly_learnt_are() {
        let classes = "the numbers in column `a` are only 0 and 1: they look like two classes, for which data.problem_type is \
                       \"single_label_classification\"";
        assert_eq!(says(&[&[1.0], &[0.0], &[1.0]]), [classes]);
        let same = says(&[&[1.5, 3.0], &[2.5, 3.0]]);
        assert!(same.len() == 1 && same[0].starts_with("every row has the same number in column `b`"), "{same:?}");
        let large = says(&[&[1000.0], &[1200.0], &[1100.0]]);
        let want = "the numbers in column `a` have the mean 1100 and the standard deviation 81.65: a model's predictions start near 0";
        assert!(large.len() == 1 && large[0].starts_with(want), "{large:?}");
        // numpy: the standard deviation of [1e-45, 3e-45, 2e-45] is 8.16e-46.
        let small = says(&[&[1e-45], &[3e-45], &[2e-45]]);
        assert!(small.len() == 1 && small[0].contains("`a` have a standard deviation of 8.16e-46"), "{small:?}");
        let wide = says(&[&[-2e7], &[2e7], &[0.5]]);
        assert!(wide.len() == 1 && wide[0].contains("the standard deviation 1.63e7"), "{wide:?}");
    }
}
