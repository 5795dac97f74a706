//! `taper report --watch`: the page of an experiment, served on this machine and refreshed while its runs are trained. The database is
//! only read.

use std::{
    net::SocketAddr,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use taper::{
    execute::Planning,
    format,
    report::{LiveEnd, LivePage, ReportInput, Said, live_page},
    store::{RunState, Store},
};

use super::{
    super::{Global, Unusable, common, output::Output},
    browser::Browser,
    server::Server,
    write::How,
};

/// Time between two looks at the database.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two looks at whether to stop.
const LOOK: Duration = Duration::from_millis(100);
/// A page is rendered again after this time at the earliest, and after so many times as long as it took: training needs the processor.
const REST: (Duration, u32) = (Duration::from_secs(3), 4);
/// The same while no browser shows the page.
const REST_UNSEEN: Duration = Duration::from_secs(30);
/// Looks in a row without a command that trains the experiment, after which it ends: a command may be about to start.
const QUIET: u32 = 30;

/// Serves the page until no command trains the experiment. Gives `None` then, or the exit code if it was stopped.
///
/// # Errors
/// The address is not this machine's own, or cannot be used; the database cannot be read.
pub fn watch(
    global: &Global,
    (experiment, how): (&str, How),
    address: SocketAddr,
    browser: Option<&Browser>,
    out: &mut Output,
) -> Result<Option<ExitCode>> {
    if !address.ip().is_loopback() {
        let why = format!(
            "--addr {address} can be reached from other machines, which --watch does not allow: the page has texts of your data; use 127.0.0.1:PORT"
        );
        return Err(Unusable(anyhow!(why)).into());
    }
    let store = Store::open_existing(&global.runs).map_err(|e| Unusable(e.into()))?;
    if store.is_read_only() {
        let why = format!(
            "{} is not writable, and --watch cannot see changes to a database in such a folder: run the command without --watch, and repeat it for newer results",
            global.runs.display()
        );
        return Err(Unusable(anyhow!(why)).into());
    }
    let mut seen = Seen { store, how, changes: None, rest: Duration::ZERO, at: Instant::now() };
    let first = seen.page(experiment)?;
    let server =
        Server::start(address, first).with_context(|| format!("--addr {address} cannot be used")).map_err(Unusable)?;
    common::catch_signals(|_| {})?;
    out.line(server.url())?;
    if !global.quiet {
        let name = format::one_line(experiment);
        out.wrapped(&format!("shows the report of {name} while it is trained, on this machine only (Ctrl-C stops)"))?;
    }
    browser.map_or(Ok(()), |browser| browser.open(&server.url()))?;
    let end = |why: LiveEnd| server.end(&how.language.during(|| why.said()));
    let mut quiet = 0;
    loop {
        // Before the runs: a command that ends in between has stored all of them.
        let lasts = Planning::is_running(&global.runs, experiment);
        if let Some(page) = seen.newer(experiment, !lasts, server.is_shown())? {
            server.show(page);
        }
        quiet = if lasts { 0 } else { quiet + 1 };
        let open = if lasts { 0 } else { seen.open_runs(experiment)? };
        if !lasts && open == 0 {
            end(LiveEnd::Trained);
            return Ok(None);
        }
        if quiet > QUIET {
            end(LiveEnd::Left(open));
            return Ok(None);
        }
        let begin = Instant::now();
        while begin.elapsed() < PAUSE {
            if common::stop_requested() {
                end(LiveEnd::Stopped);
                return Ok(Some(ExitCode::from(130)));
            }
            thread::sleep(LOOK);
        }
    }
}

/// What was read last.
struct Seen {
    store: Store,
    how: How,
    /// The state of the database; `None` if that is not known.
    changes: Option<i64>,
    /// How long the next page has to wait, and since when.
    rest: Duration,
    at: Instant,
}

impl Seen {
    fn page(&mut self, experiment: &str) -> Result<LivePage> {
        let begin = Instant::now();
        // Before the records: what is stored in between is read again.
        self.changes = Some(self.store.changes()?);
        let input = ReportInput::read(&self.store, self.store.experiment(experiment)?)?;
        let input = if self.how.no_texts { input.without_texts() } else { input };
        let page = self.how.language.during(|| live_page(&input))?;
        (self.at, self.rest) = (Instant::now(), REST.0.max(begin.elapsed() * REST.1));
        Ok(page)
    }

    /// A newer page, if the database has changed; unless it is the `last`, not too soon after the one before.
    fn newer(&mut self, experiment: &str, last: bool, is_shown: bool) -> Result<Option<LivePage>> {
        let has_changed = self.changes != Some(self.store.changes()?);
        let rest = if is_shown { self.rest } else { self.rest.max(REST_UNSEEN) };
        match has_changed && (last || self.at.elapsed() >= rest) {
            true => self.page(experiment).map(Some),
            false => Ok(None),
        }
    }

    /// The number of runs of the experiment that a command would still train.
    fn open_runs(&self, experiment: &str) -> Result<usize> {
        let is_open =
            |state| matches!(state, RunState::Pending | RunState::Running | RunState::Waiting | RunState::Interrupted);
        Ok(self.store.runs_of(experiment)?.iter().filter(|run| is_open(run.state)).count())
    }
}
