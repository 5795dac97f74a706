//! The targets of rows, from their cells.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use super::{
    DataError,
    cells::Cells,
    error::{TextsOf, shorten},
    invisible::escaped,
    labels::{Known, Labels, unknown_label},
    missing_words::word,
    settings::Wording,
    target_columns::TargetColumns,
};
use crate::task::{Target, Task};

/// The targets of a dataset that is being read.
pub(super) struct Targets {
    columns: Arc<TargetColumns>,
    wording: Wording,
    /// Those in the column; none where each label has a column, and of numbers.
    labels: Labels,
    /// The names of the columns, where each is a label or a number.
    of_columns: Vec<String>,
    vectors: Vectors,
}

impl Targets {
    /// `given` has the names of values, or of columns.
    pub(super) fn new(columns: &TargetColumns, given: &BTreeMap<String, String>, wording: Wording) -> Self {
        let name = |column: &String| given.get(column).unwrap_or(column).clone();
        let (labels, of_columns) = match columns.has_labels() {
            true => (Labels::new(given), Vec::new()),
            false => (Labels::new(&BTreeMap::new()), columns.names.iter().map(name).collect()),
        };
        Self { columns: Arc::new(columns.clone()), wording, labels, of_columns, vectors: Vectors::default() }
    }

    /// Whether a row has no target.
    pub(super) fn is_missing(&self, cells: &Cells) -> bool {
        match (self.columns.task, self.columns.each) {
            (_, true) => cells.labels.iter().all(String::is_empty),
            (Task::MultiLabel, false) => cells.is_unknown,
            (Task::SingleLabel | Task::Regression, false) => cells.label.is_empty(),
        }
    }

    /// The target of a row that has one. Ids of labels are provisional until [`Self::finish`].
    ///
    /// # Errors
    /// What is wrong with it: the column, the value, and what was expected.
    pub(super) fn of(&mut self, cells: &Cells, known: Known<'_>) -> Result<Target, String> {
        match (self.columns.task, self.columns.each) {
            (Task::SingleLabel, _) => self.id(&cells.label, known).map(Target::Label),
            (Task::MultiLabel, true) => {
                let has = |(id, value): (u32, &String)| match flag(value) {
                    Some(has) => Ok(has.then_some(id)),
                    None => Err(self.no_flag(id as usize, value)),
                };
                let ids = (0..).zip(&cells.labels).map(has).collect::<Result<Vec<_>, _>>()?;
                Ok(Target::labels(ids.into_iter().flatten().collect()))
            }
            (Task::MultiLabel, false) => self.list(cells, known),
            (Task::Regression, true) => {
                let numbers = self.columns.names.iter().zip(&cells.labels).map(|(name, value)| match value.as_str() {
                    "" => Err(format!(
                        "`{}` is empty, but not all of the label columns are: write a number, or empty all of them so \
                         that the row is left out",
                        escaped(name)
                    )),
                    value => number(name, value),
                });
                numbers.collect::<Result<_, _>>().map(Target::values)
            }
            (Task::Regression, false) => Ok(Target::values(vec![number(&self.columns.names[0], &cells.label)?])),
        }
    }

    fn id(&mut self, value: &str, known: Known<'_>) -> Result<u32, String> {
        let name = || (self.columns.names[0].as_str(), value);
        self.labels.id(value).ok_or_else(|| unknown_label(name(), known, self.wording))
    }

    fn no_flag(&self, column: usize, value: &str) -> String {
        let name = escaped(&self.columns.names[column]);
        match value {
            "" => format!(
                "`{name}` is empty, but not all of the label columns are: write 0 or 1, or empty all of them so that the row is left out"
            ),
            value => format!("`{name}` is `{}`, expected 0 or 1", escaped(&shorten(value))),
        }
    }

    /// The labels in one column: those of a list, or of a text.
    fn list(&mut self, cells: &Cells, known: Known<'_>) -> Result<Target, String> {
        let mut ids = Vec::new();
        if cells.is_list {
            self.vectors.look(&cells.labels);
            self.add(&mut ids, cells.labels.iter().map(String::as_str), known)?;
            return Ok(Target::labels(ids));
        }
        let (text, columns) = (cells.label.as_str(), Arc::clone(&self.columns));
        match (&columns.separator, in_brackets(text)) {
            (None, Some(Brackets::Json(labels))) => {
                self.vectors.look(&labels);
                self.add(&mut ids, labels.iter().map(String::as_str), known)?;
            }
            // As `taper predict` writes them where a label contains the separator.
            (Some(_), Some(Brackets::Json(labels)))
                if self.wording != Wording::Keys && labels.iter().all(|label| self.labels.knows(label)) =>
            {
                self.add(&mut ids, labels.iter().map(String::as_str), known)?;
            }
            (Some(separator), Some(brackets)) if brackets.are_quoted() => {
                return Err(format!(
                    "{} is a list in brackets, but its labels should be divided by `{}`: {}",
                    self.value(text),
                    escaped(separator),
                    match self.wording {
                        Wording::Keys =>
                            "remove data.label_separator if the lists are JSON, or write them without brackets and quotes",
                        _ => "write it without brackets and quotes",
                    }
                ));
            }
            (None, Some(Brackets::Other)) => {
                let how = match self.wording {
                    Wording::Keys => ", or as `a|b` with data.label_separator = \"|\"",
                    _ => "",
                };
                // Without the value, so that all such rows have one error.
                let quote: String = text.trim_start_matches('[').trim_start().chars().take(1).collect();
                return Err(format!(
                    "column `{}` has a list that begins with `[{quote}` and is not valid JSON: write it as `[\"a\", \"b\"]`{how}",
                    escaped(&columns.names[0])
                ));
            }
            (Some(separator), _) => self.add(&mut ids, text.split(separator.as_str()), known)?,
            (None, None) => self.add(&mut ids, std::iter::once(text), known)?,
        }
        Ok(Target::labels(ids))
    }

    /// Adds the ids of these values; empty ones are none.
    fn add<'v>(
        &mut self,
        ids: &mut Vec<u32>,
        values: impl Iterator<Item = &'v str>,
        known: Known<'_>,
    ) -> Result<(), String> {
        for value in values.map(str::trim).filter(|value| !value.is_empty()) {
            ids.push(self.id(value, known)?);
        }
        Ok(())
    }

    fn value(&self, value: &str) -> String {
        format!("`{}` (column `{}`)", escaped(&shorten(value)), escaped(&self.columns.names[0]))
    }

    /// The names by id, of labels that are given and of columns.
    pub(super) fn names(&self) -> &[String] {
        if self.of_columns.is_empty() { self.labels.names() } else { &self.of_columns }
    }

    /// Counts a row that has a text where a number is expected, if it is in the same column as in the rows before.
    pub(super) fn count_texts(&self, cells: &Cells, texts: &mut Option<TextsOf>) {
        if let Some((column, value)) = self.text_in(cells) {
            let known = texts.get_or_insert_with(|| TextsOf { column: column.clone(), ..TextsOf::default() });
            known.rows += u64::from(known.column == *column);
            known.have_words |= value.replace(',', "").parse::<f64>().is_err();
        }
    }

    fn text_in<'v>(&self, cells: &'v Cells) -> Option<(&String, &'v String)> {
        let values = match (self.columns.task, self.columns.each) {
            (Task::Regression, true) => &cells.labels[..],
            (Task::Regression, false) => std::slice::from_ref(&cells.label),
            (Task::SingleLabel | Task::MultiLabel, _) => &[],
        };
        self.columns.names.iter().zip(values).find(|(_, value)| value.parse::<f64>().is_err())
    }

    /// The number of labels so far.
    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether a value can be that of a target.
    pub(super) fn knows(&self, value: &str) -> bool {
        match (self.columns.task, self.columns.each, &self.columns.separator) {
            (Task::SingleLabel, ..) | (Task::MultiLabel, false, None) => self.labels.knows(value),
            (Task::MultiLabel, false, Some(separator)) => {
                value.split(separator.as_str()).all(|part| self.labels.knows(part.trim()))
            }
            (Task::MultiLabel, true, _) => flag(value).is_some(),
            (Task::Regression, ..) => value.parse::<f64>().is_ok(),
        }
    }

    /// Refuses lists that are vectors of 0 and 1, in which these numbers would count as labels.
    pub(super) fn check(&self, path: &Path) -> Result<(), DataError> {
        let Some(length) = self.vectors.length() else { return Ok(()) };
        let what = format!(
            "each list in {} has {length} numbers, all of them 0 or 1: they look like vectors with a number for each label, but the \
             elements of a list are the labels of the text; write the labels themselves, or give each label a column of 0 and 1 \
             and name these columns in data.label_columns",
            self.columns.shown()
        );
        Err(DataError::Layout { path: path.to_owned(), what })
    }

    /// The names of the labels, or numbers, by id. Collected labels get the ids of their sorted values, also in `rows`.
    pub(super) fn finish(self, rows: &mut [super::Row]) -> Vec<String> {
        if self.of_columns.is_empty() { self.labels.finish(rows) } else { self.of_columns }
    }
}

/// Whether a row has a label, by the value in the label's column.
fn flag(value: &str) -> Option<bool> {
    match value {
        "0" => Some(false),
        "1" => Some(true),
        _ if value.eq_ignore_ascii_case("false") => Some(false),
        _ if value.eq_ignore_ascii_case("true") => Some(true),
        _ => match value.parse::<f64>() {
            Ok(0.0) => Some(false),
            Ok(1.0) => Some(true),
            _ => None,
        },
    }
}

/// A number; what is wrong with a value that is none.
fn number(column: &str, value: &str) -> Result<f64, String> {
    let shown = format!("`{}` is `{}`", escaped(column), escaped(&shorten(value)));
    match value.parse::<f64>() {
        Ok(number) if number.is_finite() && number.abs() <= f64::from(f32::MAX) => return Ok(number),
        // A number of so many digits is read as infinite.
        Ok(number) if number.is_finite() || value.contains(|c: char| c.is_ascii_digit()) => {
            return Err(format!("{shown}, expected a number from -3.4e38 to 3.4e38, the range of float32"));
        }
        _ => {}
    }
    if value.parse::<f64>().is_ok() || word(value).is_some() {
        return Err(format!(
            "{shown}, expected a number; if it means that there is none, empty the cell, or list the value in data.missing, so that the \
             row is left out"
        ));
    }
    let parts: Vec<&str> = value.split(',').collect();
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if let [whole, fraction] = parts[..]
        && is_digits(whole.trim_start_matches(['-', '+']))
        && is_digits(fraction)
    {
        return Err(format!(
            "{shown}, expected a number with a decimal point, and without a comma: such as {whole}.{fraction}"
        ));
    }
    if parts.len() > 1 && parts.concat().parse::<f64>().is_ok() {
        return Err(format!("{shown}, expected a number without commas: {}", parts.concat()));
    }
    Err(format!("{shown}, expected a number such as 3.5"))
}

/// A text in brackets.
enum Brackets {
    /// A JSON list of labels.
    Json(Vec<String>),
    /// A list of something else, as Python and numpy print it.
    Other,
}

impl Brackets {
    /// Whether there is more to it than brackets, which a label may have.
    fn are_quoted(&self) -> bool {
        match self {
            Self::Json(labels) => !labels.is_empty(),
            Self::Other => true,
        }
    }
}

/// The list that a text is, if it looks like one: in brackets, with quotes or as JSON has it.
fn in_brackets(text: &str) -> Option<Brackets> {
    let inside = text.strip_prefix('[')?.strip_suffix(']')?;
    let labels = serde_json::from_str(text).ok().and_then(|values: Vec<serde_json::Value>| {
        let label = |value| super::json::element(value).ok();
        values.into_iter().map(label).collect::<Option<Vec<String>>>()
    });
    match labels {
        Some(labels) => Some(Brackets::Json(labels)),
        None => inside.trim_start().starts_with(['\'', '"']).then_some(Brackets::Other),
    }
}

/// Whether all lists so far may be vectors: equally long, of 0 and 1, some with a number twice, as lists of labels have none.
#[derive(Default)]
struct Vectors {
    lists: u64,
    length: usize,
    /// Some list was none.
    differ: bool,
    repeated: bool,
}

impl Vectors {
    fn look(&mut self, list: &[String]) {
        if self.differ {
            return;
        }
        if self.lists == 0 {
            self.length = list.len();
        }
        self.lists += 1;
        self.differ = list.len() != self.length || !list.iter().all(|value| matches!(value.as_str(), "0" | "1"));
        self.repeated |= list.iter().enumerate().any(|(at, value)| list[..at].contains(value));
    }

    /// Their length.
    fn length(&self) -> Option<usize> {
        (self.lists > 1 && !self.differ && self.repeated).then_some(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_float32_holds() {
        for (text, want) in [
            ("3", 3.0),
            ("-3.5", -3.5),
            ("+1e-3", 0.001),
            (".5", 0.5),
            ("5.", 5.0),
            ("1E5", 1e5),
            ("3.4028234663852886e38", f64::from(f32::MAX)),
            ("1e-400", 0.0),
            ("-0", 0.0),
        ] {
            assert_eq!(number("a", text), Ok(want), "{text}");
        }
        let range = "expected a number from -3.4e38 to 3.4e38, the range of float32";
        let missing = "expected a number; if it means that there is none, empty the cell, or list the value in data.missing, so that the row is left out";
        for (text, want) in [
            ("3.5e38", range),
            ("-1e400", range),
            ("nan", missing),
            ("NaN", missing),
            ("inf", missing),
            ("-Infinity", missing),
            ("NA", missing),
            ("None", missing),
            ("3,5", "expected a number with a decimal point, and without a comma: such as 3.5"),
            ("-12,75", "expected a number with a decimal point, and without a comma: such as -12.75"),
            ("1,234,567", "expected a number without commas: 1234567"),
            ("1,234.5", "expected a number without commas: 1234.5"),
            ("true", "expected a number such as 3.5"),
            ("3 stars", "expected a number such as 3.5"),
            ("50%", "expected a number such as 3.5"),
            ("0x10", "expected a number such as 3.5"),
            ("1_000", "expected a number such as 3.5"),
            ("３", "expected a number such as 3.5"),
            ("1e", "expected a number such as 3.5"),
            (",", "expected a number such as 3.5"),
        ] {
            assert_eq!(number("a", text), Err(format!("`a` is `{text}`, {want}")), "{text}");
        }
    }

    #[test]
    fn flags_are_0_and_1_however_they_are_written() {
        for (values, want) in [
            (&["0", "0.0", "-0", "false", "False", "FALSE", "0e5"][..], Some(false)),
            (&["1", "1.0", "+1", "true", "True", "1e0"], Some(true)),
            (&["", "2", "-1", "0.5", "yes", "x", "NaN", "01x"], None),
        ] {
            values.iter().for_each(|value| assert_eq!(flag(value), want, "{value}"));
        }
    }

    #[test]
    fn lists_in_texts_are_told_from_labels() {
        let json = |text: &str| match in_brackets(text) {
            Some(Brackets::Json(labels)) => Some(labels),
            _ => None,
        };
        assert_eq!(json("[\"a\", \" b \"]"), Some(vec!["a".into(), "b".into()]));
        assert_eq!(json("[1, -2]"), Some(vec!["1".into(), "-2".into()]));
        assert_eq!(json("[]"), Some(vec![]));
        for text in ["['a', 'b']", "['a' 'b']", "[\"a\", 'b']", "[\"a\", 0.5]", "[ \"a\", null]"] {
            assert!(matches!(in_brackets(text), Some(Brackets::Other)), "{text}");
        }
        for text in ["[新闻]", "a]", "[a", "[UNK]", "", "[0.5]", "[nan]"] {
            assert!(in_brackets(text).is_none(), "{text}");
        }
    }

    #[test]
    fn vectors_are_told_from_labels() {
        let length = |lists: &[&[&str]]| {
            let mut vectors = Vectors::default();
            lists.iter().for_each(|list| vectors.look(&list.iter().map(ToString::to_string).collect::<Vec<_>>()));
            vectors.length()
        };
        assert_eq!(length(&[&["0", "1", "0"], &["1", "1", "0"]]), Some(3));
        assert_eq!(length(&[&["0", "1", "0"]]), None, "one alone does not tell");
        assert_eq!(length(&[&["0", "1"], &["1", "0"]]), None, "each of two labels once");
        assert_eq!(length(&[&["0", "1", "0"], &["1"]]), None);
        assert_eq!(length(&[&["0", "2", "0"], &["1", "1", "0"]]), None);
        assert_eq!(length(&[]), None);
    }
}
