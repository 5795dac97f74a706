//! `taper compare`

mod sides;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use taper::{
    format::{self, command::shell_word, counted, one_line, short},
    report::{
        Language, ReportError,
        compare::{
            self, Against, Comparison, Differs, Flip, MetricRow, PageError, Shown, Side, difference_text, interval_text,
        },
    },
    task::Task,
};

use super::{
    Global, Unusable, common,
    lang::Lang,
    output::{Output, unbroken},
};

/// Compare runs or trials: settings, metrics, significance, and the rows on which they disagree.
///
/// Each is compared with the first: runs row by row if they were evaluated on the same rows, trials by their means over seeds,
/// cross-validations by their folds. With more than two, the p-values are corrected by Holm's method.
#[derive(Args)]
#[command(after_help = "Examples:
  taper compare 3f2a 9c1b                    two runs
  taper compare sweep#1 sweep#2              the best two trials of an experiment
  taper compare 'sweep#lr=1e-3' 'sweep#lr=3e-4' other
                                             two trials and another experiment
  taper compare 3f2a 9c1b --html compare.html")]
pub struct Compare {
    /// Runs or trials; the first is the reference. Each is a run's key or a prefix of it, the name of a run or trial, EXPERIMENT#RANK or
    /// EXPERIMENT#TRIAL for a trial, or an experiment or spec file that has only one trial.
    #[arg(required = true, num_args = 1..)]
    sides: Vec<String>,
    /// Also write the comparison as one HTML page, with learning curves.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Leave out the texts of the data, so that you can share the comparison: rows are identified by line number.
    #[arg(long)]
    no_texts: bool,
    /// Overwrite the --html file even if taper did not write it.
    #[arg(long, requires = "html")]
    force: bool,
    /// Language of the --html page: en or zh. Printed output is always in English.
    #[arg(long, value_name = "LANG", requires = "html", hide_possible_values = true)]
    lang: Option<Lang>,
}

/// Examples of rows in each direction.
const EXAMPLES: usize = 3;
/// Up to this many sides are columns; more are rows.
const COLUMNS: usize = 3;
/// The column of the values after their labels.
const VALUES: usize = 4;

impl Compare {
    /// Compares them and prints the result.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let store = common::open_existing(global)?;
        let sides = self.sides.iter().map(|wanted| sides::side(&store, wanted, global, out));
        let sides: Vec<Side> = sides.collect::<Result<_>>()?;
        let compared = || -> Result<Comparison> {
            let comparison = compare::compare(&sides).map_err(|e| Unusable(e.into()))?;
            Ok(if self.no_texts { comparison.without_texts() } else { comparison })
        };
        let comparison = compared()?;
        if let Some(path) = &self.html {
            let page = match Lang::language(self.lang) {
                Language::English => compare::page(&sides, &comparison)?,
                // What the terminal and --json say is English.
                other => other.during(|| -> Result<String> { Ok(compare::page(&sides, &compared()?)?) })?,
            };
            compare::write(path, &page, self.force).map_err(|error| match error {
                error @ (PageError::Foreign { .. }
                | PageError::Report(ReportError::Folder { .. } | ReportError::Write { .. })) => {
                    Unusable(error.into()).into()
                }
                PageError::Report(error) => anyhow::Error::from(error),
            })?;
        }
        if out.json {
            out.document(&comparison)?;
            return Ok(ExitCode::SUCCESS);
        }
        print(&comparison, out)?;
        if let Some(path) = &self.html {
            out.line("")?;
            out.unbroken(&path.display().to_string())?;
        } else if !global.quiet {
            let names: Vec<_> = self.sides.iter().map(|side| shell_word(side)).collect();
            let command = out.command(&format!("taper compare {} --html compare.html", names.join(" ")));
            out.line("")?;
            out.unbroken(&format!("as an HTML page with learning curves: {command}"))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(c: &Comparison, out: &mut Output) -> Result<()> {
    for side in &c.sides {
        out.labelled((&side.letter.to_string(), VALUES), &who(side))?;
    }
    for against in &c.comparisons {
        out.line("")?;
        let label = if c.comparisons.len() > 1 { format!("{} against A: ", against.letter) } else { String::new() };
        out.wrapped(&format!("{label}{}", against.sentences.join(" ")))?;
    }
    if let Some(correction) = &c.correction {
        out.line("")?;
        out.wrapped(correction)?;
    }
    for warning in &c.warnings {
        out.wrapped(&format!("warning: {warning}"))?;
    }
    out.line("")?;
    differing("setting", &c.settings, &c.sides, out)?;
    if c.settings.is_empty() {
        out.line("all settings that affect results are the same")?;
    }
    if !c.environment.is_empty() {
        out.line("")?;
        differing("environment", &c.environment, &c.sides, out)?;
    }
    out.line("")?;
    metrics(c, out)?;
    for against in &c.comparisons {
        flipped(c, against, out)?;
    }
    out.say_what_is_left_out()
}

/// `lr=1e-3, 3 runs of quickstart-search`.
fn who(side: &Shown) -> String {
    let name = one_line(&side.name);
    let of =
        side.experiment.as_ref().filter(|experiment| **experiment != side.name).map(|e| format!(" of {}", one_line(e)));
    let runs = match &side.runs[..] {
        [only] => format!("run {}", short(only)),
        runs => counted(runs.len() as u64, "run"),
    };
    format!("{name} ({runs}{})", of.unwrap_or_default())
}

/// What differs: a column for each side or, if there are too many, a line for each.
fn differing(what: &str, rows: &[Differs], sides: &[Shown], out: &mut Output) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    if sides.len() > COLUMNS {
        let widest = rows.iter().map(|row| row.key.chars().count()).max().unwrap_or(0);
        for row in rows {
            let each =
                sides.iter().zip(&row.values).map(|(side, value)| format!("{} {}", side.letter, one_line(value)));
            out.labelled((&one_line(&row.key), widest + 2), &each.collect::<Vec<_>>().join(" · "))?;
        }
        return Ok(());
    }
    let letters: Vec<String> = sides.iter().map(|side| side.letter.to_string()).collect();
    let header: Vec<&str> = [what].into_iter().chain(letters.iter().map(String::as_str)).collect();
    out.table(&header, rows.iter().map(|row| [row.key.clone()].into_iter().chain(row.values.clone()).collect()))
}

/// The metrics: of two sides all of them with the intervals of their differences, of more the first two of each.
fn metrics(c: &Comparison, out: &mut Output) -> Result<()> {
    if let [first, second] = &c.sides[..] {
        let difference = format!("{} − {}", second.letter, first.letter);
        let letters = [first, second].map(|side| side.letter.to_string());
        let header = ["metric", &letters[0], &letters[1], &difference, "95% interval"];
        let row = |row: &MetricRow| {
            let of = &row.differences[0];
            let [values, differences] = row.texts();
            let interval = of.interval.map_or(format::NOTHING.into(), |i| interval_text(row.metric, i));
            let cells = differences.iter().chain([&interval]).map(|cell| unbroken(cell));
            [one_line(row.metric.name())].into_iter().chain(values).chain(cells).collect::<Vec<String>>()
        };
        out.table(&header, c.metrics.iter().take(c.main_metrics).map(row))?;
        return match c.metrics.len().saturating_sub(c.main_metrics) {
            0 => Ok(()),
            more => out.wrapped(&format!(
                "({} more {}: --json or --html)",
                format::count(more as u64),
                format::by_number(more as u64, "metric", "metrics")
            )),
        };
    }
    let shown = &c.metrics[..c.metrics.len().min(2)];
    let names: Vec<&str> = shown.iter().map(|row| row.metric.name()).collect();
    // What is tested may be another metric than those shown: of sets and of numbers it is the error of each row.
    let tested = c.comparisons.iter().find(|against| against.test.is_some()).or(c.comparisons.first());
    let tested = tested.map_or(shown[0].metric, |against| against.metric);
    let difference = format!("{} − A", tested.name());
    let header: Vec<&str> = [""].into_iter().chain(names).chain([&difference, "95% interval", "p (Holm)"]).collect();
    let texts: Vec<[Vec<String>; 2]> = shown.iter().map(MetricRow::texts).collect();
    // The difference that is tested, beside values that it is of.
    let row_tested = shown.iter().position(|row| row.metric == tested);
    let rows = c.sides.iter().enumerate().map(|(i, side)| {
        let against = i.checked_sub(1).and_then(|i| c.comparisons.get(i)).filter(|against| against.metric == tested);
        let values = texts.iter().map(|[values, _]| values[i].clone());
        let nothing = || format::NOTHING.to_string();
        let difference = against.and_then(|a| {
            let of_row = row_tested.and_then(|row| texts[row][1].get(i - 1).cloned());
            Some(of_row.unwrap_or(difference_text(a.metric, a.difference?)))
        });
        let interval = against.and_then(|a| Some(interval_text(a.metric, a.interval?)));
        let p = against.and_then(|a| a.test.as_ref()).map(|test| format::decimals(test.p_holm.unwrap_or(test.p), 3));
        let cells = [difference, interval, p].map(|cell| unbroken(&cell.unwrap_or_else(nothing)));
        [side.letter.to_string()].into_iter().chain(values).chain(cells).collect()
    });
    let least = shown.get(1).map(|row| row.metric.name());
    out.fitted(&header, rows.collect::<Vec<_>>(), &least.into_iter().collect::<Vec<_>>())
}

/// The rows on which a side and the first disagree, with examples.
fn flipped(c: &Comparison, against: &Against, out: &mut Output) -> Result<()> {
    let (letter, Some(flipped)) = (against.letter, &against.flipped) else { return Ok(()) };
    let [gained, lost, rows] = [flipped.gained, flipped.lost, flipped.rows].map(format::count);
    if c.comparisons.len() == 1 || c.comparisons.first().is_some_and(|first| first.letter == letter) {
        out.line("")?;
    }
    let words = match c.problem_type {
        Task::Regression => {
            let mean = if flipped.is_of_seeds() { "by the mean over the seeds, " } else { "" };
            out.wrapped(&format!(
                "{mean}the error of {letter} is smaller on {gained} and larger on {lost} of {rows} rows"
            ))?;
            [format!("closer in {letter}"), format!("further off in {letter}")]
        }
        Task::SingleLabel | Task::MultiLabel => {
            let by = if flipped.is_of_seeds() { "by the majority of the seeds: " } else { "" };
            out.wrapped(&format!("of {rows} rows, {by}correct only in {letter}: {gained}; correct only in A: {lost}"))?;
            [format!("correct only in {letter}"), "correct only in A".into()]
        }
    };
    // Of several comparisons the counts are enough.
    if c.comparisons.len() > 1 {
        return Ok(());
    }
    match flipped.of_seeds(c.problem_type) {
        said if said.is_empty() => {}
        said => out.wrapped(&format!("({said})"))?,
    }
    let examples = [(flipped.gained, &flipped.gained_examples), (flipped.lost, &flipped.lost_examples)];
    for (what, (all, examples)) in words.iter().zip(examples).filter(|(_, (_, examples))| !examples.is_empty()) {
        let other = letter.to_string();
        let row = |flip: &Flip| {
            vec![
                // As an editor takes it.
                flip.line.to_string(),
                one_line(&flip.target),
                one_line(&flip.first),
                one_line(&flip.other),
                one_line(&flip.text),
            ]
        };
        out.line("")?;
        out.table(&["line", "target", "A", &other, what], examples.iter().take(EXAMPLES).map(row))?;
        let listed = examples.len().min(EXAMPLES) as u64;
        match (all - listed, examples.len() as u64 - listed) {
            (0, _) => {}
            (more, 0) => out.wrapped(&format!("… and {} more", format::count(more)))?,
            (more, also) => {
                let of_these = if also < more { format!("{} of them in ", format::count(also)) } else { String::new() };
                out.wrapped(&format!("… and {} more: {of_these}--html or --json", format::count(more)))?
            }
        }
    }
    Ok(())
}
