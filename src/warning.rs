//! Warnings: what is legal and probably a mistake.
//!
//! `taper plan` and `taper run` print them before anything is trained, `--json` carries them, the store keeps them with the
//! run and the report shows them. Programs go by [`Warning::kind`]; messages may be reworded at any time.

use serde::{Deserialize, Serialize};

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// How the data file is written: quotes that span lines, rows that are empty once cleaned.
    DataFile,
    /// Label values that look like one and the same, or like no labels at all.
    Labels,
    /// Splits: too few rows of a class, labels that training never sees, rows in two splits.
    Split,
    /// Tokens: unknown words, texts that are cut.
    Tokens,
    /// The model's files: a head that was not kept, tensors that stand under two names.
    Model,
    /// How long and how a run trains: warm-up, evaluations, early stopping.
    Training,
    /// A sweep that cannot do what it says.
    Sweep,
    /// What a sweep is expected to come to: of no interest once it is over.
    Forecast,
    /// Two spec files that give their experiment one name.
    Name,
    /// What a trained model does: it predicts one class, it is no better than the majority class.
    Result,
}

impl Kind {
    /// Whether warnings of this kind are found before anything is trained.
    pub fn is_known_before(self) -> bool {
        self != Self::Result
    }
}

/// Something the user should look at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Warning {
    /// What it is about.
    pub kind: Kind,
    /// What was found and what to do, without a full stop. Names the first lines itself.
    pub message: String,
    /// Lines of the data file, from 1: the first [`Warning::MAX_LINES`]; empty where no rows are meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<u64>,
}

impl Warning {
    /// Lines that a warning names at most.
    pub const MAX_LINES: usize = 20;

    /// A warning about no rows in particular.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), lines: Vec::new() }
    }

    /// The same, naming lines of the data file; those past [`Self::MAX_LINES`] are left out.
    #[must_use]
    pub fn at(mut self, lines: impl IntoIterator<Item = u64>) -> Self {
        self.lines = lines.into_iter().take(Self::MAX_LINES).collect();
        self
    }
}

/// Lines in words: `line 3`, `lines 3, 7 and 9`, `lines 3, 7, 9, 12, 15 and 8 more`.
pub fn lines(numbers: &[u64]) -> String {
    lines_of(numbers, numbers.len() as u64)
}

/// The same for `all` lines, of which the first are known.
pub fn lines_of(first: &[u64], all: u64) -> String {
    const SHOWN: usize = 5;
    let texts: Vec<String> = first.iter().take(SHOWN).map(u64::to_string).collect();
    match (&texts[..], all.saturating_sub(texts.len() as u64)) {
        ([], _) => "no line".into(),
        ([one], 0) => format!("line {one}"),
        ([first @ .., last], 0) => format!("lines {} and {last}", first.join(", ")),
        (all, more) => format!("lines {} and {more} more", all.join(", ")),
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
    fn no_more_lines_are_kept_than_can_be_read() {
        assert_eq!(Warning::new(Kind::Labels, "x").at(1..100).lines.len(), Warning::MAX_LINES);
    }
}
