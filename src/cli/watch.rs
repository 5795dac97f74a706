//! `taper list --watch`: the table of a sweep in another terminal, from the database alone.

use std::{collections::HashMap, path::Path, process::ExitCode, thread, time::Duration};

use anyhow::{Result, anyhow};
use console::Term;
use taper::{
    format,
    observe::{PlannedInfo, PlannedSweep, Size, Watch},
    plan::{Budget, Prune, prune::rungs},
    report::{leaderboard, trial_numbers},
    spec::{LoadOptions, LoadedSpec},
    store::{RunRecord, RunState, Store},
};

use super::{Global, Unusable, common, leaderboard as board, output::Output};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// Looks in a row that find nothing at work before it ends: between two runs there may be none for a moment.
const QUIET: u32 = 4;
/// Trials of the leaderboard at the end.
const LEADERS: usize = 10;

/// Redraws the table of an experiment until no run is at work and none will follow, then prints its leaderboard. Without a
/// name it is the experiment that is at work, or was last.
///
/// # Errors
/// Where standard output is no terminal; a database that is not there or cannot be read.
pub fn watch(global: &Global, experiment: Option<&str>, out: &mut Output) -> Result<ExitCode> {
    if !out.terminal {
        let why = anyhow!(
            "--watch redraws a terminal, and standard output is none; without it, `taper list --json` tells the same"
        );
        return Err(Unusable(why).into());
    }
    ctrlc::set_handler(|| std::process::exit(0))?;
    let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let terminal = Term::stdout();
    let mut store = common::open_existing(global)?;
    let named = experiment.map(|wanted| common::experiment(&store, wanted)).transpose()?;
    let Some(experiment) = named.or(at_work(&store)?) else {
        return Err(Unusable(anyhow!("there is no run to watch yet: start one with `taper run SPEC`")).into());
    };
    let sweep = sweep(&store, &experiment);
    let mut watch = Watch::default();
    let (mut drawn, mut quiet) = (0, 0);
    loop {
        common::settle(&mut store, global)?;
        let runs = store.runs_of(&experiment)?;
        let (height, width) = terminal.size();
        // The cursor stands below the table.
        let size = Size { width: width.into(), height: usize::from(height).saturating_sub(1).max(1) };
        let trained = store.training_seconds(runs.iter().map(|run| run.key.as_str()))?;
        let plan = planned(&runs, &trained, &sweep);
        let look = watch.look(&store, &runs, &plan)?;
        let mut lines = vec![format!("{}: {}", format::visible(&experiment), sweep_name(&runs, plan.to_come))];
        lines.extend(look.board.lines(Size { height: size.height.saturating_sub(1).max(1), ..size }, colour));
        terminal.clear_last_lines(drawn)?;
        drawn = lines.len();
        for line in &lines {
            out.painted(&console::truncate_str(line, size.width, "…"))?;
        }
        quiet = if look.running > 0 { 0 } else { quiet + 1 };
        if look.open == 0 || quiet >= QUIET {
            terminal.clear_last_lines(drawn)?;
            out.line(format!("{experiment}: {}", look.board.summary))?;
            board::print(&leaderboard(&store, &experiment)?, Some(LEADERS), out)?;
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(PAUSE);
    }
}

/// `3 trials, 6 of 18 runs known so far`, where a search will propose 12 more.
fn sweep_name(runs: &[RunRecord], to_come: usize) -> String {
    let trials = trial_numbers(runs.iter()).into_iter().max().map_or(0, |last| last + 1);
    let text = |n: usize, what: &str| format::counted(n as u64, what);
    let known = match to_come {
        0 => text(runs.len(), "run"),
        _ => format!("{} of {} known so far", runs.len(), text(runs.len() + to_come, "run")),
    };
    if trials == runs.len() { known } else { format!("{}, {known}", text(trials, "trial")) }
}

/// The experiment of the run that is at work, or that was begun last.
fn at_work(store: &Store) -> Result<Option<String>> {
    let runs = store.runs()?;
    let begun = |run: &&RunRecord| run.started_at.is_some();
    let order = |run: &&RunRecord| (run.state == RunState::Running, run.started_at.unwrap_or(0.0));
    let last = runs.iter().filter(begun).max_by(|a, b| {
        let ((a_works, a), (b_works, b)) = (order(a), order(b));
        a_works.cmp(&b_works).then(a.total_cmp(&b))
    });
    let Some(last) = last else { return Ok(None) };
    // A run belongs to the experiment that planned it first; another one may be using it now.
    let experiments = store.experiments()?;
    let holds =
        |name: &str| experiments.iter().any(|e| e.name == name && e.runs.iter().any(|(key, _)| *key == last.key));
    if holds(&last.experiment) {
        return Ok(Some(last.experiment.clone()));
    }
    Ok(experiments.iter().rfind(|e| e.runs.iter().any(|(key, _)| *key == last.key)).map(|e| e.name.clone()))
}

/// How the experiment's sweep goes about its runs, how many it means to make and what they may cost; where its spec is still there.
fn sweep(store: &Store, experiment: &str) -> (Prune, usize, Budget) {
    let none = (Prune::None, 0, Budget::default());
    let Ok(record) = store.experiment(experiment) else { return none };
    let mut options = LoadOptions { profile: None, sets: Vec::new(), env: Vec::new() };
    for pair in record.arguments.chunks(2) {
        match pair {
            [option, value] if option == "--profile" => options.profile = Some(value.clone()),
            [option, value] if option == "--set" => options.sets.push(value.clone()),
            _ => {}
        }
    }
    let Ok(spec) = LoadedSpec::load(Path::new(&record.spec_path), &options) else { return none };
    let sweep = &spec.spec().sweep;
    (Prune::of(sweep), sweep.trials.unwrap_or(0) as usize * sweep.seeds.len().max(1), Budget::of(sweep))
}

/// The stored runs as the live view wants to know them.
fn planned(
    runs: &[RunRecord],
    trained_s: &HashMap<String, f64>,
    (prune, asked, budget): &(Prune, usize, Budget),
) -> PlannedSweep {
    // A run that has not begun has as many rows as those that have.
    let rows = runs.iter().find_map(|run| Some(run.size?.train_rows)).unwrap_or(0);
    let info = |(run, trial): (&RunRecord, usize)| {
        let train = &run.config.train;
        PlannedInfo {
            key: run.key.clone(),
            name: run.name.clone(),
            trial,
            state: run.state,
            total_steps: run.total_steps,
            step: if run.state == RunState::Pending { 0 } else { run.steps },
            trained_s: trained_s.get(&run.key).copied().unwrap_or(0.0),
            metric: run.config.checkpoint.metric,
            keep: run.config.checkpoint.keep,
            has_dev: run.config.data.dev > 0.0,
            rungs: rungs(prune, train, run.size.map_or(rows, |size| size.train_rows)),
            step_cost: (train.batch_size * train.gradient_accumulation_steps) as f64,
            // The watch reads it where a run has changed since its last look.
            past: Vec::new(),
        }
    };
    let known: Vec<PlannedInfo> = runs.iter().zip(trial_numbers(runs.iter())).map(info).collect();
    let to_come = asked.saturating_sub(known.len());
    let over = runs.iter().all(|run| matches!(run.state, RunState::Completed | RunState::Pruned | RunState::Failed));
    PlannedSweep { runs: known, to_come: if over { 0 } else { to_come }, prune: *prune, budget: *budget }
}
