//! A comparison as one self-contained HTML page.

use std::{borrow::Cow, fs, io, path::Path};

use askama::Template;

use super::{
    comparison::Comparison,
    curves::{CurveChart, curve_charts},
    differ::{Difference, MetricRow},
    error::PageError,
    side::Side,
    words::interval_text,
};
use crate::report::language::{Said, and, counted, tr};
use crate::{
    format::{count, short, visible},
    metrics::Metric,
    report::{
        ReportError, files,
        format::capital,
        frame::{Frame, with_contents},
        templates::filters,
    },
    task::Task,
};

/// What a page of a comparison contains, by which it is known to be one.
const MARK: &str = "<meta name=\"generator\" content=\"taper compare\">";

#[derive(Template)]
#[template(path = "compare.html")]
struct Page<'a> {
    c: &'a Comparison,
    curve_charts: Vec<CurveChart>,
    mark: &'static str,
    frame: Frame,
}

impl Page<'_> {
    fn title(&self) -> String {
        let names: Vec<String> = self.c.sides.iter().map(|side| side.letter.to_string()).collect();
        tr!("Comparison of {}", "比较 {}", and(&names))
    }

    fn split(&self) -> &'static str {
        self.c.split.said()
    }

    /// Text from a spec or from data, whose control characters are made visible.
    fn shown<'t>(&self, text: &'t str) -> Cow<'t, str> {
        visible(text)
    }

    fn runs(&self, side: &super::Shown) -> String {
        match &side.runs[..] {
            [only] => tr!("run {}", "运行 {}", short(only)),
            runs => {
                tr!("{} of {} runs", side.measured, count(runs.len() as u64); "{1} 次运行中的 {0} 次", side.measured, count(runs.len() as u64))
            }
        }
    }

    fn rows(&self, side: &super::Shown) -> String {
        let rows = counted(side.rows, "row");
        match side.folds {
            Some([folds, of]) if folds < of => {
                tr!("{rows} of {folds} of {of} folds", "{rows}，来自 {of} 折中的 {folds} 折")
            }
            _ => rows,
        }
    }

    fn state(&self, side: &super::Shown) -> &'static str {
        side.state.said()
    }

    fn metric(&self, row: &MetricRow) -> String {
        row.metric.said()
    }

    fn counted(&self, n: &u64) -> String {
        count(*n)
    }

    fn main(&self) -> &[MetricRow] {
        &self.c.metrics[..self.c.main_metrics]
    }

    fn others(&self) -> &[MetricRow] {
        &self.c.metrics[self.c.main_metrics..]
    }

    /// The heading of the rows on which a side is better than the first.
    fn gained(&self, letter: &char) -> String {
        if self.is_of_numbers() {
            tr!("Closer in {letter}", "在 {letter} 中更接近")
        } else {
            tr!("Wrong in A, right in {letter}", "A 错，{letter} 对")
        }
    }

    /// The heading of those on which it is worse.
    fn lost(&self, letter: &char) -> String {
        if self.is_of_numbers() {
            tr!("Further off in {letter}", "在 {letter} 中偏离更多")
        } else {
            tr!("Right in A, wrong in {letter}", "A 对，{letter} 错")
        }
    }

    /// How many rows a table lists, if not all.
    fn listed(&self, listed: usize, all: &u64) -> String {
        let (listed, all) = (listed as u64, *all);
        if listed < all {
            tr!(" ({listed} of {})", "（共 {} 行，列出 {listed} 行）", count(all))
        } else {
            String::new()
        }
    }

    /// What the seeds mean for these rows, as a sentence after others.
    fn of_seeds(&self, flipped: &super::Flipped) -> String {
        match flipped.of_seeds(self.c.problem_type) {
            said if said.is_empty() => said,
            said => tr!(" {}.", "{}。", capital(&said)),
        }
    }

    fn is_of_numbers(&self) -> bool {
        self.c.problem_type == Task::Regression
    }

    /// Whether the interval of a difference is unknown.
    fn lacks_intervals(&self) -> bool {
        self.c.metrics.iter().flat_map(|row| &row.differences).any(|of| of.interval.is_none())
    }

    fn interval(&self, metric: &Metric, of: &Difference) -> String {
        of.interval.map_or(crate::format::NOTHING.into(), |i| interval_text(*metric, i))
    }

    /// The methods of the intervals, each once.
    fn methods(&self) -> String {
        let mut found: Vec<&str> = Vec::new();
        for method in self.c.metrics.iter().flat_map(|row| &row.differences).filter_map(|of| of.method) {
            if !found.contains(&method) {
                found.push(method);
            }
        }
        found.join(tr("; ", "；"))
    }
}

/// The page. The same records give the same bytes.
///
/// # Errors
/// A chart cannot be drawn.
pub fn page(sides: &[Side], comparison: &Comparison) -> Result<String, ReportError> {
    let page = Page { c: comparison, curve_charts: curve_charts(sides)?, mark: MARK, frame: Frame::of_file() };
    Ok(with_contents(&page.render().map_err(ReportError::Page)?))
}

/// Writes a page, and its folder if there is none. A file that is no such page is replaced with `force` alone.
///
/// # Errors
/// The file cannot be written, or is another's.
pub fn write(path: &Path, page: &str, force: bool) -> Result<(), PageError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let error = |error: io::Error| ReportError::Write { path: path.to_path_buf(), error };
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => return Err(error(io::ErrorKind::IsADirectory.into()).into()),
        Ok(_) if !force && !is_page(path) => return Err(PageError::Foreign { path: path.to_path_buf() }),
        _ => {}
    }
    fs::create_dir_all(folder).map_err(|error| ReportError::Folder { path: folder.to_path_buf(), error })?;
    Ok(files::write(path, page.as_bytes())?)
}

/// Whether a file is a page of an earlier comparison.
fn is_page(path: &Path) -> bool {
    let is_file = fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
    is_file && fs::read_to_string(path).is_ok_and(|text| text.contains(MARK))
}
