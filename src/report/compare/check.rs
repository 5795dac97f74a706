//! Which runs and trials can be compared.

use std::collections::HashMap;

use super::{
    error::CompareError,
    side::{MOST_SIDES, Side, letter},
};
use crate::{
    format::{and, one_line, short},
    task::Task,
};

/// Labels that a message names.
const NAMED: usize = 3;

/// Refuses what cannot be compared: too few or too many sides, a run that is in two of them, other problem types, other labels.
pub fn check(sides: &[Side]) -> Result<(), CompareError> {
    match sides.len() {
        0 | 1 => return Err(CompareError::TooFew),
        found if found > MOST_SIDES => return Err(CompareError::TooMany { found }),
        _ => {}
    }
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (i, side) in sides.iter().enumerate() {
        for run in side.records() {
            let Some(first) = seen.insert(&run.key, i).filter(|first| *first != i) else { continue };
            let (second, key) = (letter(i), short(&run.key).to_string());
            return Err(match side.is_trial || sides[first].is_trial {
                true => CompareError::SharedRun { first: letter(first), second, key },
                false => CompareError::SameRun { first: letter(first), second, key },
            });
        }
    }
    (1..sides.len()).try_for_each(|i| same_kind(&sides[0], &sides[i], letter(i)))
}

/// Refuses a side whose metrics measure something else than those of the first.
fn same_kind(first: &Side, other: &Side, letter_of_other: char) -> Result<(), CompareError> {
    let (Some(a), Some(b)) = (first.records().next(), other.records().next()) else { return Ok(()) };
    let (wanted, found) = (a.config.data.task(), b.config.data.task());
    let (first, other) = (letter(0), letter_of_other);
    if wanted != found {
        let (wanted, found) = (wanted.problem_type(), found.problem_type());
        return Err(CompareError::OtherTask { first, other, wanted, found });
    }
    // Before it started, a run has no labels.
    if a.labels.is_empty() || b.labels.is_empty() || a.labels == b.labels {
        return Ok(());
    }
    let only = |letter: char, these: &[String], others: &[String]| {
        let missing: Vec<String> = these
            .iter()
            .filter(|label| !others.contains(label))
            .map(|label| format!("`{}`", one_line(label)))
            .collect();
        (!missing.is_empty()).then(|| {
            let more = missing.len().saturating_sub(NAMED);
            let mut named = missing[..missing.len() - more].to_vec();
            named.extend((more > 0).then(|| format!("{more} more")));
            format!("only {letter} has {}", and(&named))
        })
    };
    let (only_first, only_other) = (only(first, &a.labels, &b.labels), only(other, &b.labels, &a.labels));
    if only_first.is_none() && only_other.is_none() && wanted != Task::Regression {
        return Err(CompareError::OtherOrder { first, other });
    }
    let separator = if only_first.is_some() && only_other.is_some() { ", " } else { "" };
    Err(CompareError::OtherLabels {
        first,
        other,
        only_first: format!("{}{separator}", only_first.unwrap_or_default()),
        only_other: only_other.unwrap_or_default(),
    })
}
