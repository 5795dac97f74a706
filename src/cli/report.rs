//! `taper report`

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Result, anyhow};
use clap::Args;
use taper::{format, report, store::Store};

use super::{
    Global, Unusable, common,
    lang::Lang,
    output::Output,
    reports::{self, Browser, How, Writing},
};

/// Write the report of an experiment: report.html, report.md, charts and tables. Without a name, list the experiments.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper report                      list the experiments\n  \
    taper report quickstart           write the report to runs/reports/quickstart\n  \
    taper report quickstart --out docs/quickstart\n  \
    taper report quickstart --open    and open it in a browser\n  \
    taper report quickstart --watch   in another terminal, while runs train\n  \
    taper report quickstart --lang zh in Chinese\n  \
    taper report --all                all reports, and an index page")]
pub struct Report {
    /// Name of the experiment, or its spec file.
    experiment: Option<String>,
    /// Output folder; `RUNS/reports/EXPERIMENT` by default, with --all `RUNS/reports`.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Overwrite existing files that have the names of report files, even if taper did not write them.
    #[arg(long)]
    force: bool,
    /// Leave out the texts of the data, so that you can share the report: rows are identified by file and line number. Texts of probes are kept.
    #[arg(long)]
    no_texts: bool,
    /// Write the reports of all experiments, and index.html with a link to each.
    #[arg(long, conflicts_with_all = ["experiment", "watch"])]
    all: bool,
    /// Language of the pages and charts: en or zh. CSV files and stored messages (warnings, reasons for failures) are in English.
    #[arg(long, value_name = "LANG", hide_possible_values = true)]
    lang: Option<Lang>,
    /// Open the page in the browser that the environment variable BROWSER names, or else in the default browser.
    #[arg(long)]
    open: bool,
    /// Serve the page to browsers on this machine and refresh it until the experiment is trained; then write the report.
    #[arg(long, requires = "experiment", conflicts_with = "json")]
    watch: bool,
    /// Loopback address and port for --watch; port 0 picks any free port.
    #[arg(long, value_name = "IP:PORT", requires = "watch", default_value = "127.0.0.1:0")]
    addr: SocketAddr,
}

impl Report {
    /// Writes the report and prints its files.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let is_asked = self.open || self.force || self.no_texts || self.out.is_some() || self.lang.is_some();
        if self.experiment.is_none() && !self.all && is_asked {
            let why = "--open, --out, --lang, --force and --no-texts need an experiment, or --all for all of them: `taper report` alone lists the experiments";
            return Err(Unusable(anyhow!(why)).into());
        }
        let browser = if self.open { Some(Browser::find()?) } else { None };
        let Some(wanted) = &self.experiment else { return self.without_name(global, browser.as_ref(), out) };
        if self.watch {
            let store = Store::open_existing(&global.runs).map_err(|e| Unusable(e.into()))?;
            let name = common::experiment(&store, wanted)?;
            drop(store);
            // Training may take hours: what its report cannot be written to is said now.
            report::check_folder(&self.folder(global, &name), self.force).map_err(reports::explained)?;
            if let Some(code) = reports::watch(global, (&name, self.how()), self.addr, browser.as_ref(), out)? {
                return Ok(code);
            }
        }
        let store = common::open_existing(global)?;
        let name = common::experiment(&store, wanted)?;
        let folder = self.folder(global, &name);
        let writing = Writing { experiment: &name, folder: &folder, how: self.how() };
        let files = reports::write(&store, &writing, out)?;
        if out.json {
            out.document(&files)?;
        } else {
            print(&files, global, out)?;
            let earlier = store.runs_ever_of(&name)?.iter().filter(|run| !run.in_plan).count();
            if earlier > 0 && !global.quiet {
                out.wrapped(&left_out(earlier as u64, &name, out))?;
            }
        }
        let page = browser.filter(|_| !self.watch).zip(files.last());
        page.map_or(Ok(()), |(browser, page)| browser.open_file(page))?;
        Ok(ExitCode::SUCCESS)
    }

    fn how(&self) -> How {
        How { force: self.force, language: Lang::language(self.lang), no_texts: self.no_texts }
    }

    /// The folder of the report of this experiment.
    fn folder(&self, global: &Global, experiment: &str) -> PathBuf {
        self.out.clone().unwrap_or_else(|| global.runs.join("reports").join(experiment))
    }

    /// All experiments: their list, or with `--all` their reports.
    fn without_name(&self, global: &Global, browser: Option<&Browser>, out: &mut Output) -> Result<ExitCode> {
        let store = common::open_existing(global)?;
        if !self.all {
            reports::list(global, &store, out)?;
            return Ok(ExitCode::SUCCESS);
        }
        let (index, n) = reports::write_all(global, &store, self.out.clone(), self.how(), out)?;
        if out.json {
            out.document(&[&index])?;
        } else {
            out.line(index.display())?;
            if !global.quiet {
                out.line(format!("and {} in folders beside it", format::counted(n as u64, "report")))?;
            }
        }
        browser.map_or(Ok(()), |browser| browser.open_file(&index))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Prints the two pages of a report, and the number of its other files.
fn print(files: &[PathBuf], global: &Global, out: &mut Output) -> Result<()> {
    let is_page = |file: &&PathBuf| file.file_stem().is_some_and(|stem| stem == "report");
    files.iter().rev().filter(is_page).try_for_each(|file| out.line(file.display()))?;
    // The others are internal: the fonts used, and the list of files.
    let shows = |file: &Path| file.extension().is_some_and(|ending| ["png", "svg", "csv"].iter().any(|e| ending == *e));
    let others = files.iter().filter(|file| !is_page(file) && shows(file)).count();
    if global.quiet {
        return Ok(());
    }
    let are = format::by_number(others as u64, "chart or table", "charts and tables");
    out.line(format!("and {others} {are} in the same folder"))
}

/// That runs of earlier plans are not in the report.
fn left_out(earlier: u64, name: &str, out: &Output) -> String {
    format!(
        "the report leaves out {} with this experiment's name that {} to earlier versions or variants of the spec; `{}` shows {}",
        format::counted(earlier, "run"),
        format::by_number(earlier, "belongs", "belong"),
        out.command(&format!("taper list {}", format::command::shell_word(name))),
        format::by_number(earlier, "it", "them"),
    )
}
