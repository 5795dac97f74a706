//! Says that most rows of a file are left out.

use super::{Cleaning, cells::Columns, rows::Rows, settings::Wording, xlsx_gaps};
use crate::{
    format::{and, by_number, count, counted},
    warning::{Kind, Warning, lines_of},
};

/// With fewer rows the share of those that are left out means little.
const FEW: u64 = 8;

/// Says why more than half of the rows of a run's file are left out, and what may be the cause.
pub(super) fn mostly_dropped(file: &Rows, cleaning: &Cleaning, columns: &Columns, wording: Wording) -> Option<Warning> {
    let target = columns.target.as_ref()?;
    let dropped = cleaning.dropped();
    // Predictions and evaluations of a model are for rows as they come.
    if wording != Wording::Keys || cleaning.read < FEW || 2 * dropped <= cleaning.read {
        return None;
    }
    let lacks: Vec<(u64, &str, &[u64])> = cleaning.lacks(target.task).collect();
    let what: Vec<String> =
        lacks.iter().map(|(n, what, lines)| format!("{} {what} ({})", count(*n), lines_of(lines, *n))).collect();
    let sheet = file.read_as().sheet;
    let cause = sheet.as_ref().and_then(|sheet| xlsx_gaps::cause(file.path(), sheet, &names(columns)));
    let keys = [wording.name(columns.text.key()), wording.name(columns.target_key())];
    let check = || {
        // Of cells that were merged once, a workbook does not tell.
        let merged =
            if sheet.is_some() { " (cells that were merged have a value only in their first row)" } else { "" };
        format!(
            "if that is not intended, check that {} and {} name the right columns, and fill in these cells{merged}",
            keys[0], keys[1]
        )
    };
    let message = format!(
        "{} of the {} {} left out, more than half: {}; {}",
        count(dropped),
        counted(cleaning.read, "row"),
        by_number(dropped, "is", "are"),
        and(&what),
        cause.unwrap_or_else(check)
    );
    let most = lacks.iter().max_by_key(|(n, ..)| *n).map_or(&[][..], |(.., lines)| lines);
    Some(Warning::new(Kind::DataFile, message).at(most.iter().copied()))
}

/// The columns without which a row is left out.
fn names(columns: &Columns) -> Vec<String> {
    columns.text.named().map(|(name, _)| name).chain(columns.targets()).cloned().collect()
}
