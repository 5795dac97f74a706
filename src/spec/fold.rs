//! `data.fold`: one fold of a cross-validation.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The most folds of a cross-validation.
pub const MOST_FOLDS: u64 = 1000;

/// The fold whose rows are the test split of a run, written `2/5`: the second of five.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fold {
    number: u32,
    of: u32,
}

impl Fold {
    /// What a value of `data.fold` has to be, for messages.
    pub const EXPECTS: &str = "a fold and the number of folds, such as `2/5`";

    /// Fold `number`, from 1, of `of`; `None` if there is no such fold, fewer than 2 folds or more than [`MOST_FOLDS`].
    pub fn new(number: u64, of: u64) -> Option<Self> {
        let fits = (2..=MOST_FOLDS).contains(&of) && (1..=of).contains(&number);
        fits.then_some(Self { number: number as u32, of: of as u32 })
    }

    /// Its number, from 1.
    pub fn number(self) -> u32 {
        self.number
    }

    /// The number of folds.
    pub fn of(self) -> u32 {
        self.of
    }

    /// Its number from 0.
    pub fn index(self) -> usize {
        self.number as usize - 1
    }

    /// The first of the same folds, which stands for all of them where runs of other folds are the same trial.
    #[must_use]
    pub fn first(self) -> Self {
        Self { number: 1, ..self }
    }

    /// All folds of a cross-validation with so many folds.
    pub fn all(of: u64) -> impl Iterator<Item = Self> {
        (1..=of).filter_map(move |number| Self::new(number, of))
    }
}

impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Fold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<u64>().ok();
        let fold = text.split_once('/').and_then(|(fold, of)| Self::new(number(fold)?, number(of)?));
        fold.ok_or_else(|| format!("`{text}` is not a fold; expected {}", Self::EXPECTS))
    }
}

impl TryFrom<String> for Fold {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Fold> for String {
    fn from(fold: Fold) -> Self {
        fold.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fold_is_written_with_the_number_of_folds() {
        let fold: Fold = " 2 / 5".parse().unwrap();
        assert_eq!((fold.to_string(), fold.index(), fold.of(), fold.first().number()), ("2/5".into(), 1, 5, 1));
        for wrong in ["", "2", "0/5", "6/5", "1/1", "1/1001", "-1/5", "1/5/5", "a/b"] {
            assert!(wrong.parse::<Fold>().is_err(), "{wrong}");
        }
        assert_eq!(Fold::all(3).map(|fold| fold.to_string()).collect::<Vec<_>>(), ["1/3", "2/3", "3/3"]);
    }
}
