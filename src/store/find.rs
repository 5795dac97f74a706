//! Which run a key, a name or the beginning of a key means.

use std::collections::HashSet;

use super::{
    ExperimentRecord, RunRecord, Store, StoreError,
    error::{CANDIDATES, hint},
    read::all,
};

/// All runs and experiments.
struct Known {
    /// Key and name of each run; the name is the one that it was registered with.
    runs: Vec<(String, String)>,
    experiments: Vec<ExperimentRecord>,
}

/// The runs that a text may mean, each with the experiment that it is a run of, if the text says so.
#[derive(Default)]
struct Meanings {
    /// Runs whose key it is.
    key: Vec<Meant>,
    /// Runs of the experiment whose name it is.
    experiment: Vec<Meant>,
    /// Runs whose name it is in the current plan of an experiment.
    name: Vec<Meant>,
    /// Runs that were registered with this name.
    earlier_name: Vec<Meant>,
    /// Runs whose key begins with it.
    beginning: Vec<Meant>,
}

/// Key and experiment of such a run.
type Meant = (String, Option<String>);

impl Store {
    /// The run that `wanted` means: a whole key; else the run that the current plan of the experiment of this name has, as in `taper list NAME`
    /// and `taper report NAME`; else the name of exactly one run in the current plans; else the name that exactly one run was registered with,
    /// if no run has it in a current plan; else the beginning of exactly one key. What comes first decides, even if it is ambiguous: an
    /// experiment of several runs means none of them.
    pub fn find(&self, wanted: &str) -> Result<RunRecord, StoreError> {
        Ok(self.find_among(wanted)?.0)
    }

    /// Like [`Self::find`], with how many runs the text may mean in any way: more than one if others have this name too, or have it as the
    /// name of their experiment or as the beginning of their key.
    pub fn find_among(&self, wanted: &str) -> Result<(RunRecord, usize), StoreError> {
        let known = self.all_known()?;
        let Meanings { key, experiment, name, earlier_name, beginning } = known.meanings(wanted);
        let ways = [&name, &earlier_name, &experiment, &beginning];
        let keys: HashSet<String> = ways.into_iter().flatten().map(|(key, _)| key.clone()).collect();
        let may_mean = if key.is_empty() { keys.len() } else { 1 };
        let by_order = [key, experiment, name, earlier_name, beginning];
        let found = by_order.into_iter().find(|found| !found.is_empty()).unwrap_or_default();
        Ok((self.only(wanted, found, &known)?, may_mean))
    }

    /// Like [`Self::find`], for operations that cannot be undone: a text that matches several runs in any way is ambiguous, unless it is a
    /// whole key.
    pub fn find_surely(&self, wanted: &str) -> Result<RunRecord, StoreError> {
        let known = self.all_known()?;
        let Meanings { key, experiment, name, earlier_name, beginning } = known.meanings(wanted);
        let mut found = key;
        if found.is_empty() {
            found.extend([name, experiment, earlier_name, beginning].into_iter().flatten());
        }
        self.only(wanted, found, &known)
    }

    fn all_known(&self) -> Result<Known, StoreError> {
        let runs = self
            .read(|tx| all(tx, "SELECT key, name FROM runs ORDER BY id", [], |row| Ok((row.get(0)?, row.get(1)?))))?;
        Ok(Known { runs, experiments: self.experiments()? })
    }

    /// The run, if exactly one matches.
    fn only(&self, wanted: &str, mut found: Vec<Meant>, known: &Known) -> Result<RunRecord, StoreError> {
        let mut seen = HashSet::new();
        found.retain(|(key, _)| seen.insert(key.clone()));
        let runs = self.folder().to_path_buf();
        let record = |(key, experiment): &Meant| match experiment {
            Some(experiment) => self.run_of(key, experiment),
            None => self.run(key),
        };
        match &found[..] {
            [one] => record(one),
            [] if known.experiments.iter().any(|e| e.name == wanted) => {
                Err(StoreError::NoRuns { experiment: wanted.to_string() })
            }
            [] => {
                let names = known.runs.iter().map(|(_, name)| name);
                let hint = hint(wanted, names.chain(known.experiments.iter().map(|e| &e.name)).map(String::as_str));
                Err(StoreError::UnknownRun { wanted: wanted.into(), hint, runs })
            }
            _ => {
                let records = found.iter().take(CANDIDATES).map(record).collect::<Result<Vec<_>, _>>()?;
                Err(StoreError::ambiguous(wanted, found.into_iter().map(|(key, _)| key).collect(), &records))
            }
        }
    }
}

impl Known {
    /// The stored runs that the text may mean.
    fn meanings(&self, wanted: &str) -> Meanings {
        let digits = wanted.to_ascii_lowercase();
        let stored: HashSet<&str> = self.runs.iter().map(|(key, _)| key.as_str()).collect();
        let mut found = Meanings::default();
        for e in &self.experiments {
            let planned = e.runs.iter().filter(|(key, _)| stored.contains(key.as_str()));
            for (key, name) in planned {
                let meant = || (key.clone(), Some(e.name.clone()));
                if e.name == wanted {
                    found.experiment.push(meant());
                }
                if name == wanted && found.name.iter().all(|(other, _)| other != key) {
                    found.name.push(meant());
                }
            }
        }
        for (key, name) in &self.runs {
            let meant = || (key.clone(), None);
            if *key == digits {
                found.key.push(meant());
            }
            if name == wanted {
                found.earlier_name.push(meant());
            }
            if !digits.is_empty() && key.starts_with(&digits) {
                found.beginning.push(meant());
            }
        }
        found
    }
}
