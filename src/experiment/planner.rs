//! Prepares the runs of a spec, trial by trial as a search proposes them.

use std::collections::{HashMap, HashSet};

use super::{ExperimentError, Layers, alike, as_trained::evaluated_otherwise};
use crate::{
    data::DataError,
    event::FailureKind,
    execute::{DeviceChoice, ExecuteError, Prepared, SettingProblem, Workbench, check_engine, trial_scores},
    format,
    metrics::Score,
    plan::{
        self, Allowed, Budget, Claim, Expansion, PlannedRun, Proposal, SearchHistory,
        sanity::{SweptRun, Trials, of_sweep},
    },
    spec::{LoadedSpec, Problem, PruneRule, Spec},
    store::{RunRecord, RunState, Store, StoreError},
    warning::{Kind, Warning},
};

/// The prepared runs of a spec.
pub struct Planner {
    /// The file and what overrides it.
    pub layers: Layers,
    /// The merged spec.
    pub spec: LoadedSpec,
    devices: Vec<DeviceChoice>,
    bench: Workbench,
    /// The runs known so far, trial by trial.
    pub runs: Vec<Prepared>,
    /// Whether more trials follow once the known ones have results: a search that learns proposes in batches.
    pub more: bool,
    /// Requested trials for which the axes have no points.
    undrawn: u64,
    /// Points that mean the same run as another point.
    repeats: u64,
    /// Whether every run has ended, and none will follow.
    over: bool,
    /// What the budget of the sweep still allows of the runs.
    pub allowed: Allowed,
    /// Seconds of training that `sweep.max_hours` leaves for all runs together.
    pub seconds_left: Option<f64>,
    /// Where the budget is spent and leaves runs unfinished: how many, and what to raise.
    pub left_by_budget: Option<Warning>,
    /// That runs stay pruned although they were pruned otherwise than this spec would.
    pruned_otherwise: Option<Warning>,
    /// That completed runs stay although they were evaluated otherwise than this spec would.
    evaluated_otherwise: Vec<Warning>,
    /// The identity of a search that learns from results, and its proposals.
    search: Option<String>,
    proposed: Vec<Proposal>,
}

type Result<T> = std::result::Result<T, ExperimentError>;

impl Planner {
    /// Prepares the runs that are known from the spec and the records of the store, if there is one. Reads data and models and checks everything
    /// that can be checked. The runs are to be trained on `devices`.
    ///
    /// # Errors
    /// All problems at once.
    pub fn new(
        layers: Layers,
        spec: LoadedSpec,
        devices: &[DeviceChoice],
        store: Option<&Store>,
        bench: Workbench,
    ) -> Result<Self> {
        let mut planner = Self {
            layers,
            spec,
            devices: devices.to_vec(),
            bench,
            runs: Vec::new(),
            more: true,
            undrawn: 0,
            repeats: 0,
            over: false,
            allowed: Allowed { runs: Vec::new(), more: 0 },
            seconds_left: None,
            left_by_budget: None,
            pruned_otherwise: None,
            evaluated_otherwise: Vec::new(),
            search: None,
            proposed: Vec::new(),
        };
        planner.take(&[])?;
        if planner.more {
            let keys: Vec<&str> = planner.runs.iter().map(|run| run.key.as_str()).collect();
            let search = plan::search_key(planner.spec.spec(), &keys);
            if let Some(store) = store {
                planner.proposed = store.proposals(&planner.spec.spec().name, &search)?;
            }
            planner.search = Some(search);
        }
        while let Some(store) = store {
            if !planner.extend(store)? {
                break;
            }
        }
        planner.look_at(store)?;
        if let Some(store) = store {
            planner.pruned_otherwise = planner.pruned_otherwise(store)?;
            let prunes = planner.spec.spec().sweep.prune != PruneRule::None;
            planner.evaluated_otherwise = evaluated_otherwise(store, &planner.runs, prunes)?;
        }
        Ok(planner)
    }

    /// The warning that runs were pruned by another metric, by a rule that the spec no longer has, or in another experiment. To be called
    /// before they are registered again, which stores the present settings.
    fn pruned_otherwise(&self, store: &Store) -> Result<Option<Warning>> {
        let Spec { name, sweep, .. } = self.spec.spec();
        // Those of the last plan of this experiment were taken over by an earlier command, which said so.
        let last = match store.experiment(name) {
            Ok(last) => last.runs,
            Err(StoreError::UnknownExperiment { .. }) => Vec::new(),
            Err(e) => return Err(e.into()),
        };
        let is_new = |key: &str| last.iter().all(|(known, _)| known != key);
        let mut ways: Vec<(String, u64)> = Vec::new();
        for run in &self.runs {
            let Some(record) = store.known(&run.key)?.filter(|record| record.state == RunState::Pruned) else {
                continue;
            };
            let (then, now) = (record.config.checkpoint.metric, run.config.checkpoint.metric);
            let way = match record.experiment.as_ref().filter(|other| *other != name && is_new(&run.key)) {
                Some(other) => format!("in the experiment `{other}`"),
                None if then != now => format!("by {}, not by {}", then.name(), now.name()),
                None if sweep.prune == PruneRule::None => "by a rule that the spec no longer has".into(),
                None => continue,
            };
            match ways.iter_mut().find(|(known, _)| *known == way) {
                Some((_, n)) => *n += 1,
                None => ways.push((way, 1)),
            }
        }
        let all: u64 = ways.iter().map(|(_, n)| n).sum();
        let ways: Vec<String> = ways.into_iter().map(|(way, _)| way).collect();
        let then = match sweep.prune {
            PruneRule::None => "trains {them} again",
            _ => "trains {them} again only with --retry",
        };
        Ok((all > 0).then(|| {
            let them = format::by_number(all, "it", "them");
            let message = format!(
                "{} {} pruned earlier {}: `taper run` {}",
                format::counted(all, "run"),
                format::by_number(all, "was", "were"),
                format::and(&ways),
                then.replace("{them}", them),
            );
            Warning::new(Kind::Sweep, message)
        }))
    }

    /// Whether runs may be pruned. Otherwise those that were pruned before are trained.
    pub fn prunes(&self) -> bool {
        self.spec.spec().sweep.prune != PruneRule::None
    }

    /// Checks whether all runs have ended (from then on nothing more is expected of the sweep), and what its budget still allows.
    ///
    /// # Errors
    /// The store fails.
    pub fn take_stock(&mut self, store: &Store) -> Result<()> {
        self.look_at(Some(store))
    }

    /// The same, without a store where nothing was ever run.
    fn look_at(&mut self, store: Option<&Store>) -> Result<()> {
        let known = |run: &Prepared| store.map_or(Ok(None), |store| store.known(&run.key));
        let records = self.runs.iter().map(known).collect::<std::result::Result<Vec<Option<RunRecord>>, _>>()?;
        let states = || records.iter().map(|record| record.as_ref().map_or(RunState::Pending, |record| record.state));
        let prunes = self.prunes();
        let is_over = |state| match state {
            RunState::Completed => true,
            RunState::Pruned => prunes,
            _ => false,
        };
        self.over = !self.more && states().all(|state| is_over(state) || state == RunState::Failed);
        let keys = self.runs.iter().map(|run| run.key.as_str());
        let seconds = store.map_or(Ok(HashMap::new()), |store| store.training_seconds(keys))?.values().sum::<f64>();
        let claim = |(run, record): (&Prepared, &Option<RunRecord>)| match record {
            None => Claim { trial: run.trial, ..Claim::default() },
            Some(record) => Claim {
                trial: run.trial,
                begun: record.started_at.is_some(),
                waiting: record.state == RunState::Waiting,
                // Other failures are tried again.
                over: is_over(record.state)
                    || record.state == RunState::Failed && record.failure == Some(FailureKind::Diverged),
            },
        };
        let claims: Vec<Claim> = self.runs.iter().zip(&records).map(claim).collect();
        let budget = Budget::of(&self.spec.spec().sweep);
        self.allowed = budget.allows(&claims, seconds);
        self.seconds_left = budget.seconds.map(|most| (most - seconds).max(0.0));
        let left = states().zip(&self.allowed.runs).filter(|(_, allowed)| !**allowed).map(|(state, _)| state);
        let left: Vec<RunState> = left.collect();
        let spent = claims.iter().zip(&self.allowed.runs).all(|(run, allowed)| run.over || !allowed);
        let to_come = if self.allowed.more == 0 { self.to_come() } else { 0 };
        let limit = budget.limit(seconds).filter(|_| spent && left.len() + to_come > 0);
        self.left_by_budget = limit.map(|(key, value)| {
            let counts = [
                (left.len(), RunState::counted(left.iter().copied())),
                (to_come, format!("{to_come} not yet proposed")),
            ];
            let counts: Vec<String> = counts.into_iter().filter(|(n, _)| *n > 0).map(|(_, text)| text).collect();
            let (n, all) = ((left.len() + to_come) as u64, (self.runs.len() + self.to_come()) as u64);
            Warning::new(
                Kind::Budget,
                format!(
                    "{key} = {value} leaves {} of the {} unfinished ({}); raise {key} to train the rest",
                    format::count(n),
                    format::counted(all, "run"),
                    counts.join(", ")
                ),
            )
        });
        Ok(())
    }

    /// Adds newly resolved sources to the lock file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save_lock(&mut self) -> Result<()> {
        match self.bench.library().lock().map(|lock| lock.save()) {
            Some(Err(e)) => Err(e.into()),
            _ => Ok(()),
        }
    }

    /// Adds the trials that follow from the results stored by now; returns whether there are any.
    ///
    /// # Errors
    /// The store fails; otherwise as [`Self::new`].
    pub fn extend(&mut self, store: &Store) -> Result<bool> {
        let known = self.runs.len();
        if self.more {
            let scores = trial_scores(store, &self.runs)?;
            self.take(&scores)?;
        }
        Ok(self.runs.len() > known)
    }

    /// Stores the search's proposals before any of them is trained. If another command stored a trial's point first, that point counts, and
    /// the trial is planned again.
    ///
    /// # Errors
    /// The store fails; otherwise as [`Self::new`].
    pub fn record_proposals(&mut self, store: &mut Store) -> Result<()> {
        let Some(search) = self.search.as_ref().filter(|_| !self.proposed.is_empty()) else { return Ok(()) };
        let stored = store.propose(&self.spec.spec().name, search, &self.proposed)?;
        let same = stored.iter().zip(&self.proposed).take_while(|(a, b)| a == b).count();
        if same < self.proposed.len() {
            let kept = self.spec.spec().sweep.startup_trials as usize + same;
            self.runs.retain(|run| run.trial < kept);
            self.proposed = stored;
            self.take(&[])?;
        }
        Ok(())
    }

    fn take(&mut self, scores: &[Option<Score>]) -> Result<()> {
        let past = SearchHistory { scores, proposed: &self.proposed };
        let Expansion { runs, more, undrawn, repeats, proposed } = self.layers.expand(&self.spec, past)?;
        // Planned trials stay: they were drawn at random, or are replayed.
        for (run, planned) in self.runs.iter_mut().zip(&runs) {
            run.name.clone_from(&planned.name);
        }
        let new = runs.get(self.runs.len()..).unwrap_or_default();
        self.runs.extend(prepare(&mut self.bench, &self.spec, new, runs.len(), &self.devices)?);
        (self.more, self.undrawn, self.repeats, self.proposed) = (more, undrawn, repeats, proposed);
        Ok(())
    }

    /// Whether every run has ended, and none will follow.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The number of trials known so far.
    pub fn known_trials(&self) -> usize {
        self.runs.iter().map(|run| run.trial + 1).max().unwrap_or(0)
    }

    /// The number of trials there will be.
    pub fn trials(&self) -> Trials {
        let asked = match self.more {
            true => self.spec.spec().sweep.trials.unwrap_or(0),
            false => 0,
        };
        Trials { all: asked.max(self.known_trials() as u64), undrawn: self.undrawn, repeats: self.repeats }
    }

    /// The number of runs of trials that a search has yet to propose.
    pub fn to_come(&self) -> usize {
        let trials = self.trials().all as usize - self.known_trials();
        trials * self.spec.spec().sweep.runs_of_point()
    }

    /// Warnings about the sweep, then those of all runs, a line each, with the number of runs if they do not apply to
    /// all.
    pub fn warning_lines(&self) -> Vec<String> {
        let line = |warning: &Warning| format!("warning: {}", format::one_line(&warning.message));
        let of_run = |warning: &Warning| {
            let keys = |runs: &mut dyn Iterator<Item = &Prepared>| {
                runs.map(|run| run.key.as_str()).collect::<HashSet<_>>().len()
            };
            let with = keys(&mut self.runs.iter().filter(|run| run.warnings.contains(warning)));
            match (with, keys(&mut self.runs.iter())) {
                (with, all) if with == all => line(warning),
                (with, all) => format!("{} ({with} of {all} runs)", line(warning)),
            }
        };
        let sweep = self.sweep_warnings();
        sweep.iter().map(line).chain(warnings(&self.runs).into_iter().map(of_run)).collect()
    }

    /// Warnings about the spec as a whole: settings without effect, and its sweep.
    pub fn sweep_warnings(&self) -> Vec<Warning> {
        let mut runs = Vec::with_capacity(self.runs.len());
        for run in &self.runs {
            let rows = run.examples() as u64;
            runs.push(SweptRun { key: &run.key, name: &run.name, trial: run.trial, config: &run.config, rows });
        }
        let mut sweep = self.spec.spec().sweep.clone();
        let leaves_some = self.allowed.runs.contains(&false) || self.allowed.more < self.to_come();
        if self.left_by_budget.is_some() || !leaves_some {
            // What it has left is said instead, and a sweep that is done leaves none.
            sweep.max_runs = None;
        }
        let sweep = of_sweep(&sweep, &runs, self.trials());
        let alike = alike::warnings(&self.runs, &runs);
        let all = self
            .spec
            .warnings()
            .iter()
            .cloned()
            .chain(sweep)
            .chain(alike)
            .chain(self.left_by_budget.clone())
            .chain(self.pruned_otherwise.clone())
            .chain(self.evaluated_otherwise.clone());
        all.filter(|warning| !self.over || warning.kind != Kind::Forecast).collect()
    }
}

/// Prepares runs, which are some of `all`.
fn prepare(
    bench: &mut Workbench,
    spec: &LoadedSpec,
    planned: &[PlannedRun],
    all: usize,
    devices: &[DeviceChoice],
) -> Result<Vec<Prepared>> {
    let mut problems: Vec<(Problem, Vec<&str>)> = Vec::new();
    let mut prepared = Vec::new();
    for run in planned {
        for e in devices.iter().filter_map(|device| check_engine(&run.config, *device).err()) {
            note(&mut problems, unlocated(e.to_string()), &run.name);
        }
        match bench.prepare(run).and_then(|mut run| bench.check_numbers(&mut run).map(|()| run)) {
            Ok(ready) => {
                for e in devices
                    .iter()
                    .filter_map(|device| device.supports(run.config.train.engine, ready.requirements()).err())
                {
                    note(&mut problems, unlocated(e.to_string()), &run.name);
                }
                prepared.push(ready);
            }
            Err(e) => {
                let model = match &e {
                    ExecuteError::Sources(_) | ExecuteError::Data(_) => bench.look_at_model(run).err(),
                    _ => None,
                };
                for e in [Some(e), model].into_iter().flatten() {
                    with_lines(spec, run, &e).into_iter().for_each(|problem| note(&mut problems, problem, &run.name));
                }
            }
        }
    }
    if problems.is_empty() {
        return Ok(prepared);
    }
    let shared = |names: &[&str]| match names.len() == all {
        true => String::new(),
        false => format!(" (runs: {})", names.join("; ")),
    };
    let text: Vec<String> = problems
        .iter()
        .map(|(problem, names)| {
            let message = format!("{}{}", problem.message, shared(names));
            Problem { message, ..problem.clone() }.to_string()
        })
        .collect();
    // One that quotes the spec has several lines.
    let is_quoted = problems.iter().any(|(problem, _)| problem.location.is_some());
    Err(ExperimentError::refused(&text, if is_quoted { "\n\nerror: " } else { "\nerror: " }))
}

/// The problems of a run. Those about a setting quote the line that sets it; those about a file that it names have the number of that line.
fn with_lines(spec: &LoadedSpec, run: &PlannedRun, e: &ExecuteError) -> Vec<Problem> {
    let swept = |key: &str| run.point.iter().find(|(path, _)| path == key).map(|(_, value)| value);
    let numbered = |key: &str, message: &str| match spec.written_at(key, swept(key)) {
        Some(location) => format!("{location}: {key}: {message}"),
        None => format!("{key}: {message}"),
    };
    match e {
        ExecuteError::Source { key, .. } => vec![unlocated(numbered(key, &e.to_string()))],
        ExecuteError::Sources(sources) => {
            sources.iter().map(|(key, error)| unlocated(numbered(key, &error.to_string()))).collect()
        }
        ExecuteError::Settings(problems) => problems
            .iter()
            .map(|SettingProblem { key, message }| Problem {
                location: spec.location_of(key, swept(key)),
                ..unlocated(message.clone())
            })
            .collect(),
        ExecuteError::Data(e) => {
            let located = |e: &DataError| Problem {
                location: e.key().and_then(|key| spec.location_of(key, swept(key))),
                ..unlocated(e.to_string())
            };
            e.each().into_iter().map(located).collect()
        }
        e => vec![unlocated(e.to_string())],
    }
}

fn unlocated(message: String) -> Problem {
    Problem { location: None, message, help: None }
}

/// Records a problem once, with its runs.
fn note<'a>(problems: &mut Vec<(Problem, Vec<&'a str>)>, problem: Problem, run: &'a str) {
    match problems.iter_mut().find(|(known, _)| *known == problem) {
        Some((_, names)) => names.push(run),
        None => problems.push((problem, vec![run])),
    }
}

/// The warnings of all runs, without duplicates, in the order of the runs.
pub fn warnings<'a>(runs: impl IntoIterator<Item = &'a Prepared>) -> Vec<&'a Warning> {
    let mut seen = HashSet::new();
    runs.into_iter().flat_map(|run| &run.warnings).filter(|warning| seen.insert(*warning)).collect()
}

/// Notes about unused and missing tensors in all runs' weights files, without duplicates.
pub fn notes<'a>(runs: impl IntoIterator<Item = &'a Prepared>) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    runs.into_iter().flat_map(|run| &run.notes).map(String::as_str).filter(|note| seen.insert(*note)).collect()
}
