//! The errors for rows that all have the same target: there is nothing to learn.

use std::path::PathBuf;

use super::{DataError, Dataset, Row, error::shorten, invisible::escaped, target_columns::TargetColumns};
use crate::{
    format::counted,
    task::{Target, Task},
};

/// Whether no two rows have different targets.
pub(super) fn have_one_target(rows: &[Row]) -> bool {
    rows.windows(2).all(|rows| rows[0].target == rows[1].target)
}

/// The error for rows of `data.limit` that all have one target, while others of the file have another.
pub(super) fn only_one_drawn(path: PathBuf, limit: usize, columns: &TargetColumns, data: &Dataset) -> DataError {
    let rows = match data.rows.len() {
        1 => "the row that data.limit = 1 leaves has".to_owned(),
        n => format!("the {} that data.limit = {limit} leaves all have", counted(n as u64, "row")),
    };
    let what = match columns.task {
        Task::Regression if columns.names.len() > 1 => "numbers",
        Task::Regression => "number",
        Task::MultiLabel => "labels",
        Task::SingleLabel => "label",
    };
    let shown = data.rows.first().map(|row| escaped(&shorten(&row.target.shown(&data.labels)))).unwrap_or_default();
    let what = format!(
        "{rows} the {what} `{shown}` ({}); other rows of the file do not: raise data.limit, or draw other rows with data.seed",
        columns.shown()
    );
    DataError::NothingToLearn { path, what }
}

/// The error for rows that all have one target. `dropped`: why others may be missing.
pub(super) fn same_targets(
    path: PathBuf,
    columns: &TargetColumns,
    target: &Target,
    labels: &[String],
    dropped: Option<String>,
) -> DataError {
    let (shown, columns_shown) = (escaped(&shorten(&target.shown(labels))), columns.shown());
    let what = match columns.task {
        Task::SingleLabel => {
            let (label, column) = (target.shown(labels), columns.names.concat());
            return DataError::OneClass { path, label, column, dropped };
        }
        Task::MultiLabel if target.ids().is_empty() => {
            format!("no row has a label ({columns_shown}): there is nothing to learn")
        }
        Task::MultiLabel => {
            format!("every row has the same labels, `{shown}` ({columns_shown}): there is nothing to tell apart")
        }
        Task::Regression => {
            let numbers = if columns.names.len() > 1 { "numbers" } else { "number" };
            format!("every row has the same {numbers}, {shown} ({columns_shown}): there is nothing to learn")
        }
    };
    DataError::NothingToLearn { path, what }
}
