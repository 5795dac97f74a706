//! Warnings: legal input that is probably a mistake.
//!
//! `taper plan` and `taper run` print them before training, `--json` contains them, the store keeps them with the run and the report
//! shows them. Programs should use [`Warning::kind`]; messages may change at any time.

use serde::{Deserialize, Serialize};

use crate::format::{and, by_number, count};

/// The subject of a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The data file: quotes that span lines, rows that are empty after cleaning.
    DataFile,
    /// Label values that look equal, or that do not look like labels.
    Labels,
    /// Splits: too few rows of a class, labels missing from training, rows in two splits.
    Split,
    /// Tokens: unknown words, truncated texts.
    Tokens,
    /// The model's files: a head that was not loaded, duplicate tensors.
    Model,
    /// Training settings: warmup, evaluations, early stopping.
    Training,
    /// A sweep that cannot work as intended.
    Sweep,
    /// A sweep whose budget is spent: some runs are not trained unless it is raised.
    Budget,
    /// Predictions about a sweep, which are irrelevant once it is over.
    Forecast,
    /// Two spec files with the same experiment name.
    Name,
    /// Metrics of the rows that chose what they measure. The report says this beside the result.
    Optimistic,
    /// Results: a model that predicts one class, or is no better than the majority class.
    Result,
}

impl Kind {
    /// Whether warnings of this kind are found before training.
    pub fn is_known_before(self) -> bool {
        self != Self::Result
    }
}

/// Something that the user should check.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Warning {
    /// Its subject.
    pub kind: Kind,
    /// What was found and what to do, without a full stop. It includes the first lines.
    pub message: String,
    /// Lines of the data file, from 1: the first [`Warning::MAX_LINES`]; empty if it is not about particular rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<u64>,
}

impl Warning {
    /// The most lines that a warning keeps.
    pub const MAX_LINES: usize = 20;

    /// A warning that is not about particular rows.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), lines: Vec::new() }
    }

    /// Its lines as far as the message does not have them: `lines 3 and 7`, `the other lines: 20 and 31`; empty if there are none.
    pub fn further_lines(&self) -> String {
        let numbers = |of: &[u64]| of.iter().map(u64::to_string).collect::<Vec<_>>();
        let (first, rest) = self.lines.split_at(self.lines.len().min(SHOWN));
        let all = lines(&self.lines);
        let said = match rest {
            [] => all.clone(),
            _ => format!("lines {} and ", numbers(first).join(", ")),
        };
        match (self.message.contains(&said), self.lines.is_empty() || rest.is_empty()) {
            _ if self.lines.is_empty() => String::new(),
            (true, true) => String::new(),
            (true, false) => {
                format!("the other {}: {}", by_number(rest.len() as u64, "line", "lines"), and(&numbers(rest)))
            }
            (false, _) => {
                format!("{} {}", by_number(self.lines.len() as u64, "line", "lines"), and(&numbers(&self.lines)))
            }
        }
    }

    /// Adds lines of the data file; those beyond [`Self::MAX_LINES`] are omitted.
    #[must_use]
    pub fn at(mut self, lines: impl IntoIterator<Item = u64>) -> Self {
        self.lines = lines.into_iter().take(Self::MAX_LINES).collect();
        self
    }
}

/// The most lines that a message names.
pub const SHOWN: usize = 5;

/// Lines in words: `line 3`, `lines 3, 7 and 9`, `lines 3, 7, 9, 12, 15 and 8 more`.
pub fn lines(numbers: &[u64]) -> String {
    lines_of(numbers, numbers.len() as u64)
}

/// The same for `all` lines, of which only the first are given.
pub fn lines_of(first: &[u64], all: u64) -> String {
    let texts: Vec<String> = first.iter().take(SHOWN).map(u64::to_string).collect();
    match (&texts[..], all.saturating_sub(texts.len() as u64)) {
        ([], _) => "no line".into(),
        ([one], 0) => format!("line {one}"),
        ([first @ .., last], 0) => format!("lines {} and {last}", first.join(", ")),
        (all, more) => format!("lines {} and {} more", all.join(", "), count(more)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_listed_as_in_a_sentence() {
        assert_eq!(lines(&[3]), "line 3");
        assert_eq!(lines(&[3, 7, 9]), "lines 3, 7 and 9");
        assert_eq!(lines(&[1, 2, 3, 4, 5, 6, 7]), "lines 1, 2, 3, 4, 5 and 2 more");
        assert_eq!(lines_of(&[1, 2], 40), "lines 1, 2 and 38 more");
        assert_eq!(lines_of(&[9], 2), "lines 9 and 1 more");
    }

    #[test]
    fn lines_that_the_message_has_are_not_repeated() {
        let warning = |message: &str, lines: &[u64]| Warning::new(Kind::Split, message).at(lines.iter().copied());
        let further = |numbers: &[u64]| warning(&format!("2 rows ({})", lines(numbers)), numbers).further_lines();
        assert_eq!([further(&[3]), further(&[3, 7])], ["", ""]);
        assert_eq!(further(&[1, 2, 3, 4, 5, 16, 27]), "the other lines: 16 and 27");
        assert_eq!(warning("two rows", &[3, 7]).further_lines(), "lines 3 and 7");
        assert_eq!(warning("none", &[]).further_lines(), "");
    }

    #[test]
    fn only_the_first_lines_are_kept() {
        assert_eq!(Warning::new(Kind::Labels, "x").at(1..100).lines.len(), Warning::MAX_LINES);
    }
}
