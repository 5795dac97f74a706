//! Turns points of a sweep into runs: each config once, with a name and the number of its trial.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::{
    PlanError, PlannedRun,
    key::{canonical, fingerprint, to_value},
    name::Names,
    planned::{FOLD, SEED},
    resolve,
    search::{self, Point, Space},
};
use crate::spec::{Fold, Spec, Sweep};

/// Invalid points after which no more are resolved: their mistakes are mostly the same.
const MOST_ERRORS: usize = 100;

/// The runs found so far.
pub(super) struct Runs<'a, E, At> {
    spec: &'a Spec,
    /// What tells the runs of a point apart.
    replicates: Vec<Point>,
    /// The spec as JSON.
    pub(super) base: &'a Value,
    names: Names,
    at: At,
    runs: Vec<PlannedRun>,
    excluded: Excluded,
    /// Points with the config of another point.
    pub(super) repeats: u64,
    errors: Vec<E>,
    /// Points so far, without regard to seeds.
    points: HashSet<String>,
    /// Configs of the runs.
    seen: HashSet<[u8; 32]>,
    /// Configs without their seeds, each with its trial's number.
    trials: HashMap<[u8; 32], usize>,
}

impl<'a, E: From<PlanError>, At: FnMut(&[(String, Value)]) -> Result<Spec, E>> Runs<'a, E, At> {
    pub(super) fn new(spec: &'a Spec, space: &Space, base: &'a Value, at: At) -> Self {
        let replicates = replicates(&spec.sweep);
        let mut values = space.values_by_key();
        for (key, value) in replicates.iter().flatten() {
            let known = values.entry(key.as_str()).or_default();
            if !known.contains(&value) {
                known.push(value);
            }
        }
        let names = Names::new(&values, &spec.sweep.written);
        let (points, seen, trials) = Default::default();
        let excluded = Excluded::new(&spec.sweep.exclude);
        Self {
            spec,
            replicates,
            base,
            names,
            at,
            runs: vec![],
            excluded,
            repeats: 0,
            errors: vec![],
            points,
            seen,
            trials,
        }
    }

    /// Adds the runs of a point, one for each seed and fold. Returns whether the point is used: it is new, or its errors were recorded. If the trial
    /// must be `new`, a point with the config of another trial adds nothing.
    pub(super) fn add(&mut self, point: Point, new: bool) -> bool {
        if self.errors.len() >= MOST_ERRORS {
            return true;
        }
        if new && !self.points.insert(Value::from_iter(point.iter().cloned()).to_string()) {
            return false;
        }
        let before = self.trials.len();
        let mut used = false;
        let mut trial = None;
        for replicate in self.replicates.clone() {
            let point = [point.clone(), replicate].concat();
            if self.excluded.has(&point, self.base) {
                continue;
            }
            let (spec, config) = match (self.at)(&point).and_then(|spec| Ok((resolve(&spec)?, spec))) {
                Ok((config, spec)) => (spec, config),
                Err(e) => {
                    self.errors.push(e);
                    used = true;
                    continue;
                }
            };
            let print = fingerprint(&to_value(&config));
            let number = *trial.get_or_insert_with(|| self.trial(print, spec, &point));
            if new && number < before {
                return false;
            }
            used = true;
            if self.seen.insert(print) {
                let name = if point.is_empty() { self.spec.name.clone() } else { self.names.name(&point) };
                self.runs.push(PlannedRun { trial: number, name, point, config });
            } else {
                self.repeats += 1;
            }
        }
        used
    }

    /// The number of the trial that a run with this config and spec belongs to.
    fn trial(&mut self, print: [u8; 32], mut spec: Spec, point: &Point) -> usize {
        let has = |wanted: &str| point.iter().any(|(key, _)| key == wanted);
        if has(SEED) {
            spec.train.seed = 0;
        }
        if has(FOLD) {
            spec.data.fold = spec.data.fold.map(Fold::first);
        }
        let print = match resolve(&spec) {
            Ok(config) if has(SEED) || has(FOLD) => fingerprint(&to_value(&config)),
            _ => print,
        };
        let next = self.trials.len();
        *self.trials.entry(print).or_insert(next)
    }

    /// Resolves a point without adding it, and records its errors.
    pub(super) fn try_out(&mut self, point: &Point) {
        if self.errors.len() < MOST_ERRORS
            && !self.excluded.has(point, self.base)
            && let Err(e) = (self.at)(point)
        {
            self.errors.push(e);
        }
    }

    /// All runs, or the errors.
    pub(super) fn done(mut self) -> Result<Vec<PlannedRun>, Vec<E>> {
        number_namesakes(&mut self.runs);
        if self.errors.is_empty() { Ok(self.runs) } else { Err(self.errors) }
    }
}

/// What tells the runs of one point apart: each seed with each fold, folds varying fastest, so that the folds of a seed follow each other.
fn replicates(sweep: &Sweep) -> Vec<Point> {
    let one_or = |values: Vec<Point>| if values.is_empty() { vec![Point::new()] } else { values };
    let value = |key: &str, value: Value| vec![(key.to_string(), value)];
    let seeds = one_or(sweep.seeds.iter().map(|seed| value(SEED, (*seed).into())).collect());
    let folds = Fold::all(sweep.folds.unwrap_or(0)).map(|fold| value(FOLD, fold.to_string().into()));
    let folds = one_or(folds.collect());
    seeds.iter().flat_map(|seed| folds.iter().map(|fold| [seed.clone(), fold.clone()].concat())).collect()
}

/// The points that a sweep excludes: for each set of keys in its tables, the combinations of values that they name. Each point is
/// looked up, so the number of tables does not matter.
struct Excluded(Vec<(Vec<String>, HashSet<String>)>);

impl Excluded {
    fn new(tables: &[BTreeMap<String, Value>]) -> Self {
        let mut groups: BTreeMap<Vec<String>, HashSet<String>> = BTreeMap::new();
        for table in tables.iter().filter(|table| !table.is_empty()) {
            let values = table.values().map(canonical).collect::<Vec<_>>().join(",");
            groups.entry(table.keys().cloned().collect()).or_default().insert(values);
        }
        Self(groups.into_iter().collect())
    }

    /// Whether every key of a table has its value: the point's, or the spec's if the key is not swept.
    fn has(&self, point: &[(String, Value)], base: &Value) -> bool {
        let value = |key: &String| match point.iter().find(|(swept, _)| swept == key) {
            Some((_, value)) => Some(canonical(value)),
            None => search::spec_value(base, key).map(canonical),
        };
        self.0.iter().any(|(keys, excluded)| {
            let values = keys.iter().map(value).collect::<Option<Vec<_>>>();
            values.is_some_and(|values| excluded.contains(&values.join(",")))
        })
    }
}

/// Makes names unique if values look alike (`1` and `"1"`).
fn number_namesakes(runs: &mut [PlannedRun]) {
    let mut taken: HashMap<String, u32> = HashMap::new();
    for run in runs {
        let namesakes = taken.entry(run.name.clone()).or_default();
        *namesakes += 1;
        if *namesakes > 1 {
            run.name = format!("{} #{namesakes}", run.name);
        }
    }
}
