//! `taper list --watch`: the table of a sweep in another terminal, from the database, and what a cluster says of its jobs.

use std::{
    collections::HashMap,
    path::Path,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use console::Term;
use taper::{
    execute::Planning,
    experiment::last_spec,
    format,
    observe::{PlannedInfo, PlannedSweep, Reading, Size, Watch},
    plan::{Batches, Budget, Prune, RunConfig, prune::rungs},
    report::{leaderboard, trial_numbers},
    store::{ExperimentRecord, RunRecord, RunSize, RunState, Store},
};

use super::{Global, Unusable, common, leaderboard as board, on_cluster::OnCluster, output::Output};

/// Time between two readings.
const PAUSE: Duration = Duration::from_secs(2);
/// Time between two questions to a cluster, if jobs train runs.
const ASK: Duration = Duration::from_secs(10);
/// Between two looks at the size of the terminal.
const LOOK: Duration = Duration::from_millis(200);
/// Readings in a row without a running run and without a command that trains the experiment, after which it ends: a command may start.
const QUIET: u32 = 4;
/// Trials shown in the leaderboard at the end.
const LEADERS: usize = 10;

/// Redraws the table of an experiment until no command trains it, then prints its leaderboard. Without a name, it is the
/// experiment that is running or ran last.
///
/// # Errors
/// Standard output is not a terminal, or the database cannot be read; without a name, also if it does not exist.
pub fn watch(global: &Global, experiment: Option<&str>, out: &mut Output) -> Result<ExitCode> {
    if !out.terminal {
        let why = anyhow!(
            "--watch needs a terminal, but standard output is not one; `{}` shows the same data",
            out.command("taper list --json")
        );
        return Err(Unusable(why).into());
    }
    ctrlc::set_handler(|| std::process::exit(0))?;
    let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let terminal = Term::stdout();
    if let Some(wanted) = experiment {
        wait_for(global, wanted, out)?;
    }
    let mut store = common::open_existing(global)?;
    let named = experiment.map(|wanted| common::experiment(&store, wanted)).transpose()?;
    let Some(experiment) = named.or(running_experiment(&store)?) else {
        let start = out.command("taper run SPEC");
        return Err(Unusable(anyhow!("there is no run to watch yet: start one with `{start}`")).into());
    };
    let sweep = sweep(&store, &experiment);
    let mut watch = Watch::default();
    let (mut drawn, mut quiet) = (0, 0);
    let mut cluster = (Instant::now(), OnCluster::of(&store)?);
    let mut before = terminal.size();
    loop {
        // Before the runs: a command that ends in between has stored all of them.
        let lasts = Planning::is_running(&global.runs, &experiment);
        common::refresh(&mut store, global)?;
        let runs = store.runs_of(&experiment)?;
        if cluster.0.elapsed() >= ASK {
            cluster = (Instant::now(), OnCluster::of(&store)?);
        }
        let notes = cluster.1.notes(&experiment, runs.iter());
        let lasts = lasts || cluster.1.is_busy(&experiment, runs.iter());
        let (height, width) = terminal.size();
        // The cursor is below the table.
        let mut size = Size { width: width.into(), height: usize::from(height).saturating_sub(1).max(1) };
        let trained = store.training_seconds(runs.iter().map(|run| run.key.as_str()))?;
        let stored = store.experiment(&experiment)?;
        let plan = planned(&stored, &runs, &trained, &sweep);
        let reading = watch.read(&store, &runs, &plan)?;
        let idle = idle(&reading, lasts, &out.command(&taper::report::run_again(&stored)));
        size.height = size.height.saturating_sub(idle.iter().len() + notes.len()).max(1);
        let mut lines = reading.board.lines(size, colour);
        lines.extend(notes.into_iter().chain(idle.clone()));
        match before == (height, width) {
            true => terminal.clear_last_lines(drawn)?,
            // How many lines the last table takes now depends on whether the terminal wraps it anew.
            false => terminal.clear_screen()?,
        }
        before = (height, width);
        drawn = lines.len();
        for line in &lines {
            out.painted(&console::truncate_str(line, size.width, "…"))?;
        }
        quiet = if reading.running > 0 || lasts { 0 } else { quiet + 1 };
        if !lasts && reading.open == 0 || quiet >= QUIET {
            terminal.clear_last_lines(drawn)?;
            out.line(format!("{experiment}: {}", reading.board.summary))?;
            idle.iter().try_for_each(|why| out.wrapped(why))?;
            board::print(&leaderboard(&store, &experiment)?, Some(LEADERS), out)?;
            return Ok(ExitCode::SUCCESS);
        }
        let begin = Instant::now();
        while begin.elapsed() < PAUSE && terminal.size() == before {
            thread::sleep(LOOK);
        }
    }
}

/// That nothing trains the runs that are left, and what does; `None` if a command `lasts` that trains the experiment.
fn idle(reading: &Reading, lasts: bool, run: &str) -> Option<String> {
    (!lasts && reading.running == 0 && reading.open > 0)
        .then(|| format!("no command is training it now; `{run}` continues it"))
}

/// Waits until an experiment is there, and says so: its command may be about to start.
///
/// # Errors
/// The database cannot be read, or a spec file that names the experiment.
fn wait_for(global: &Global, wanted: &str, out: &mut Output) -> Result<()> {
    let mut said = false;
    while let Some(why) = not_there(&global.runs, wanted)? {
        if !std::mem::replace(&mut said, true) {
            out.wrapped(&why)?;
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// What is waited for, if an experiment is not stored yet.
fn not_there(runs: &Path, wanted: &str) -> Result<Option<String>> {
    let others = match Store::is_there(runs) {
        false => String::new(),
        true => {
            let store = Store::open_existing(runs).map_err(|e| Unusable(e.into()))?;
            if common::is_there(&store, wanted)? {
                return Ok(None);
            }
            let names: Vec<String> =
                store.experiments()?.into_iter().map(|other| format!("`{}`", other.name)).collect();
            if names.is_empty() { String::new() } else { format!("; existing experiments: {}", names.join(", ")) }
        }
    };
    let wanted = format::one_line(wanted);
    Ok(Some(format!("waiting for `{wanted}`, which no `taper run` has begun yet{others} (Ctrl-C stops waiting)")))
}

/// The experiment of the run that is running, or was started last.
fn running_experiment(store: &Store) -> Result<Option<String>> {
    let runs = store.runs()?;
    let begun = |run: &&RunRecord| run.started_at.is_some();
    let order = |run: &&RunRecord| (run.state == RunState::Running, run.started_at.unwrap_or(0.0));
    let last = runs.iter().filter(begun).max_by(|a, b| {
        let ((a_works, a), (b_works, b)) = (order(a), order(b));
        a_works.cmp(&b_works).then(a.total_cmp(&b))
    });
    let Some(last) = last else { return Ok(None) };
    Ok(last.experiment.clone().filter(|_| last.in_plan))
}

/// The removed runs of a plan: they are pending, and assumed to be like others of their trial, or of the plan.
fn removed(experiment: &ExperimentRecord, known: &[PlannedInfo]) -> Vec<PlannedInfo> {
    let Some(first) = known.first() else { return Vec::new() };
    let stored: HashMap<&str, &PlannedInfo> = known.iter().map(|run| (run.key.as_str(), run)).collect();
    let trials = experiment.trials.iter().copied().map(Some).chain(std::iter::repeat(None));
    let planned: Vec<(&str, &str, Option<usize>)> =
        experiment.runs.iter().zip(trials).map(|((key, name), trial)| (key.as_str(), name.as_str(), trial)).collect();
    // Trials are renumbered among the stored runs.
    let mut numbers: HashMap<usize, usize> = HashMap::new();
    for (key, _, trial) in &planned {
        trial.zip(stored.get(key)).into_iter().for_each(|(trial, run)| _ = numbers.insert(trial, run.trial));
    }
    let mut next = known.iter().map(|run| run.trial + 1).max().unwrap_or(0);
    let missing = planned.iter().filter(|(key, ..)| !stored.contains_key(key));
    let info = |&(key, name, trial): &(&str, &str, Option<usize>)| {
        let mut new = || {
            next += 1;
            next - 1
        };
        let number = match trial {
            Some(trial) => *numbers.entry(trial).or_insert_with(new),
            None => new(),
        };
        PlannedInfo {
            key: key.into(),
            name: name.into(),
            trial: number,
            state: RunState::Pending,
            step: 0,
            trained_s: 0.0,
            past: Vec::new(),
            ..known.iter().find(|run| run.trial == number).unwrap_or(first).clone()
        }
    };
    missing.map(info).collect()
}

/// What the spec of an experiment says of its sweep.
#[derive(Clone, Copy)]
struct Swept {
    prune: Prune,
    batches: Option<Batches>,
    budget: Budget,
}

/// The sweep of an experiment, if its spec still exists.
fn sweep(store: &Store, experiment: &str) -> Swept {
    let none = Swept { prune: Prune::None, batches: None, budget: Budget::default() };
    let Ok(record) = store.experiment(experiment) else { return none };
    let Some(spec) = last_spec(&record) else { return none };
    let sweep = &spec.spec().sweep;
    Swept { prune: Prune::of(sweep), batches: Batches::of(sweep), budget: Budget::of(sweep) }
}

/// What a run trains on in an epoch: its training rows, or as many of their windows as fill its steps. Their number is not stored; it
/// matters only for steps and rungs, which are the same.
fn examples(config: &RunConfig, size: RunSize) -> u64 {
    let train = &config.train;
    let in_step = (train.batch_size as u64).saturating_mul(train.gradient_accumulation_steps as u64);
    match config.data.long_texts().has_windows() {
        true => size.steps_per_epoch.saturating_mul(in_step),
        false => size.train_rows,
    }
}

/// The runs of a plan, for the live view.
fn planned(
    experiment: &ExperimentRecord,
    runs: &[RunRecord],
    trained_s: &HashMap<String, f64>,
    Swept { prune, batches, budget }: &Swept,
) -> PlannedSweep {
    // A run that has not started is assumed to train on as much as those that have, first of all those that read long texts likewise.
    let known = |run: &RunRecord| Some(examples(&run.config, run.size?));
    let like = |run: &RunRecord| {
        let long = run.config.data.long_texts();
        let same = runs.iter().filter(|other| other.config.data.long_texts() == long).find_map(known);
        same.or_else(|| runs.iter().find_map(known)).unwrap_or(0)
    };
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
            shown: run.config.data.task().headline()[0],
            keep: run.config.checkpoint.keep,
            has_dev: run.config.data.has_dev(),
            rungs: rungs(prune, train, known(run).unwrap_or_else(|| like(run))),
            step_cost: (train.batch_size * train.gradient_accumulation_steps) as f64,
            // The watch reads its events itself if it has changed since the last reading.
            past: Vec::new(),
        }
    };
    let mut known: Vec<PlannedInfo> = runs.iter().zip(trial_numbers(runs.iter())).map(info).collect();
    known.extend(removed(experiment, &known));
    PlannedSweep {
        experiment: experiment.name.clone(),
        runs: known,
        to_come: experiment.to_come,
        prune: *prune,
        batches: *batches,
        budget: *budget,
    }
}

#[cfg(test)]
mod tests {
    use taper::{
        observe::Board,
        plan::{Keep, Metric, resolve},
        spec::{LoadOptions, LoadedSpec},
    };

    use super::*;

    fn info(key: &str, trial: usize, total_steps: u64) -> PlannedInfo {
        PlannedInfo {
            key: key.into(),
            name: format!("run {key}"),
            trial,
            state: RunState::Completed,
            total_steps,
            step: total_steps,
            trained_s: 1.0,
            metric: Metric::Accuracy,
            shown: Metric::Accuracy,
            keep: Keep::Last,
            has_dev: true,
            rungs: Vec::new(),
            step_cost: 1.0,
            past: Vec::new(),
        }
    }

    fn plan(runs: &[&str], trials: &[usize]) -> ExperimentRecord {
        ExperimentRecord {
            name: "e".into(),
            description: String::new(),
            spec_path: "e.toml".into(),
            arguments: Vec::new(),
            spec_text: String::new(),
            extends: Vec::new(),
            report: serde_json::Value::Null,
            warnings: Vec::new(),
            prunes: false,
            to_come: 0,
            runs: runs.iter().map(|key| (key.to_string(), format!("run {key}"))).collect(),
            trials: trials.to_vec(),
        }
    }

    /// 22 rows of 50 windows: 4 epochs of 4 steps of 2 batches of 8 windows, not of 2 steps of rows.
    #[test]
    fn rungs_of_a_run_that_reads_windows_are_on_its_steps() {
        let folder = tempfile::tempdir().unwrap();
        let rungs_of = |long: &str, steps_per_epoch| {
            let path = folder.path().join("e.toml");
            let spec = format!(
                "[model]\nsource = \"scratch:tiny\"\n[data]\nsource = \"path:rows.csv\"\nlong = \"{long}\"\n\
                 [train]\nepochs = 4\nbatch_size = 8\ngradient_accumulation_steps = 2\n"
            );
            std::fs::write(&path, spec).unwrap();
            let loaded = LoadedSpec::load(&path, &LoadOptions { profile: None, sets: Vec::new(), env: Vec::new() });
            let config = resolve(loaded.unwrap().spec()).unwrap();
            let size = RunSize { steps_per_epoch, train_rows: 22, dev_rows: 8, test_rows: 10, parameters: 1 };
            let rungs = rungs(&Prune::Median { startup_trials: 1 }, &config.train, examples(&config, size));
            rungs.into_iter().map(|rung| rung.step).collect::<Vec<_>>()
        };
        assert_eq!(rungs_of("windows", 4), [4, 8, 12]);
        assert_eq!(rungs_of("cut", 2), [2, 4, 6]);
    }

    #[test]
    fn the_runs_to_come_are_those_of_the_stored_plan() {
        let known = [info("c", 0, 40)];
        let sweep = Swept { prune: Prune::None, batches: None, budget: Budget::default() };
        let to_come =
            |to_come| planned(&ExperimentRecord { to_come, ..plan(&[], &[]) }, &[], &HashMap::new(), &sweep).to_come;
        assert_eq!((to_come(24), to_come(0)), (24, 0), "the axes may have fewer points than trials were asked for");
        let plan = PlannedSweep {
            experiment: "e".into(),
            runs: known.to_vec(),
            to_come: 23,
            prune: Prune::None,
            batches: None,
            budget: Budget::default(),
        };
        assert_eq!(plan.title(), "e: 1 of 24 runs known so far");
    }

    #[test]
    fn a_sweep_that_nothing_trains_is_said_to_be_idle() {
        let said = |running, open, lasts| {
            idle(&Reading { board: Board::default(), running, open }, lasts, "taper run SPEC").is_some()
        };
        assert!(said(0, 2, false));
        assert!(!said(0, 2, true), "its command is between two runs");
        assert!(!said(1, 2, false), "a run of another command");
        assert!(!said(0, 0, false), "nothing is left");
    }

    #[test]
    fn an_experiment_that_is_not_there_yet_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let said = |wanted| not_there(folder.path(), wanted).unwrap();
        let waiting = "waiting for `e`, which no `taper run` has begun yet";
        assert_eq!(said("e"), Some(format!("{waiting} (Ctrl-C stops waiting)")), "no database");
        let mut store = Store::open(folder.path()).unwrap();
        assert_eq!(said("e"), Some(format!("{waiting} (Ctrl-C stops waiting)")), "none is stored");
        store.save_experiment(&ExperimentRecord { name: "f".into(), ..plan(&[], &[]) }).unwrap();
        assert_eq!(said("e"), Some(format!("{waiting}; existing experiments: `f` (Ctrl-C stops waiting)")));
        store.save_experiment(&plan(&[], &[])).unwrap();
        assert_eq!(said("e"), None);
    }

    #[test]
    fn a_removed_run_is_pending() {
        // Trial 0 is gone, trial 1 lost a run: stored runs are numbered from 0.
        let known = [info("c", 0, 40), info("e", 1, 20)];
        let missing = removed(&plan(&["a", "b", "c", "d", "e"], &[0, 0, 1, 1, 2]), &known);
        let seen: Vec<_> =
            missing.iter().map(|run| (run.key.as_str(), run.trial, run.state, run.step, run.total_steps)).collect();
        let pending = RunState::Pending;
        assert_eq!(seen, [("a", 2, pending, 0, 40), ("b", 2, pending, 0, 40), ("d", 0, pending, 0, 40)]);
        assert!(removed(&plan(&["c", "e"], &[0, 1]), &known).is_empty());
        assert!(removed(&plan(&["a"], &[0]), &[]).is_empty());
        // Plans of earlier versions do not store trials.
        assert_eq!(removed(&plan(&["a", "c", "e"], &[]), &known)[0].trial, 2);
        let plan = PlannedSweep {
            experiment: "e".into(),
            runs: known.iter().cloned().chain(missing).collect(),
            to_come: 0,
            prune: Prune::None,
            batches: None,
            budget: Budget::default(),
        };
        assert_eq!(plan.title(), "e: 3 trials, 5 runs");
    }
}
