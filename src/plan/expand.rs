//! A sweep → its runs: the points of a grid or of a search, without what is excluded, each config once.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    PlanError, RunConfig,
    key::{fingerprint, to_value},
    name::Names,
    resolve,
    search::{self, ATTEMPTS, Parts, Point, Space, Told},
};
use crate::spec::{Search, Spec};

/// Points of a sweep at most, before exclusion.
pub const MAX_POINTS: u64 = 100_000;

/// The key that `sweep.seeds` sets.
pub(super) const SEED: &str = "train.seed";

/// One run of an experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedRun {
    /// Number of its trial, from 0: runs of one trial differ in nothing but `train.seed`, and are compared as one.
    pub trial: usize,
    /// Name for people, unique in the experiment: what is swept (`lr=2e-5 seed=3`), or the experiment's name.
    pub name: String,
    /// Swept keys and their values, in the order of the axes.
    pub point: Vec<(String, Value)>,
    /// The run as meant.
    pub config: RunConfig,
}

/// What a sweep comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Expansion {
    /// The runs of all trials known so far, trial by trial.
    pub runs: Vec<PlannedRun>,
    /// Whether trials follow once those known have their figures: TPE proposes in batches.
    pub more: bool,
    /// Trials that were asked for and that the axes do not have, all else being excluded or a repeat.
    pub undrawn: u64,
}

/// The runs that `spec` means, with its seeds innermost: of a grid its axes first, then its zips, the last changing fastest;
/// of a search trial by trial.
///
/// `at` gives the spec with some keys overridden, validated. `figures` are those of the trials by number, as far as they are
/// known: means over the seeds of what the dev split says, turned so that more is better, -inf where a run failed. Only TPE
/// looks at them, and never at more than a trial's number allows: the trials proposed do not depend on when a figure became
/// known. Points that come out as equal configs are one run, that of the first. A point that is excluded is never asked for,
/// so a sweep may exclude combinations that would be refused.
///
/// # Errors
/// Those of `at` and of [`resolve()`], of every point; a sweep with a key in two axes, an axis without values, a zip of
/// uneven lengths, a range in a grid, a search without trials, more than [`MAX_POINTS`] points, or nothing left after
/// exclusion.
pub fn expand<E: From<PlanError>>(
    spec: &Spec,
    at: impl FnMut(&[(String, Value)]) -> Result<Spec, E>,
    figures: &[Option<f64>],
) -> Result<Expansion, Vec<E>> {
    let refused = |e: PlanError| vec![E::from(e)];
    let space = Space::new(&spec.sweep).map_err(refused)?;
    let points = count(spec, &space).map_err(refused)?;
    let base = serde_json::to_value(spec).unwrap_or_default();
    let mut runs = Runs::new(spec, &space, &base, at);
    let (mut more, mut undrawn) = (false, 0);
    if spec.sweep.search == Search::Grid {
        for index in 0..points {
            if let Some(parts) = space.of_grid(index, &base) {
                runs.add(space.point(&parts), false);
            }
        }
    } else {
        let known = search::known(&spec.sweep, points, figures);
        let drawn = draw(spec, &space, known, figures, &mut runs);
        (more, undrawn) = if drawn < known { (false, points - drawn) } else { (known < points, 0) };
        if more && figures.iter().all(Option::is_none) {
            foresee(spec, &space, known..points, &mut runs);
        }
    }
    if !runs.errors.is_empty() {
        return Err(runs.errors);
    }
    if runs.runs.is_empty() {
        return Err(refused(PlanError::NothingLeft { points: points * spec.sweep.seeds.len().max(1) as u64 }));
    }
    number_namesakes(&mut runs.runs);
    Ok(Expansion { runs: runs.runs, more, undrawn })
}

/// Points without regard to seeds: of the grid, or asked of the search.
fn count(spec: &Spec, space: &Space) -> Result<u64, PlanError> {
    let points = match (spec.sweep.search, space.range(), spec.sweep.trials) {
        (Search::Grid, Some(key), _) => return Err(PlanError::RangeInGrid { key: key.into() }),
        (Search::Grid, None, _) => space.count(),
        (_, _, None) => return Err(PlanError::NoTrials),
        (_, _, trials) => trials,
    };
    let all = points.and_then(|points| points.checked_mul(spec.sweep.seeds.len().max(1) as u64));
    match (points, all) {
        (Some(points), Some(all)) if all <= MAX_POINTS => Ok(points),
        (_, Some(all)) => Err(PlanError::TooManyPoints { count: all.to_string() }),
        (_, None) => Err(PlanError::TooManyPoints { count: "more than 2^64".into() }),
    }
}

/// Adds the first `known` trials of a search; returns how many there are. After the first for which nothing new is found
/// the axes count as exhausted.
fn draw<E: From<PlanError>, At: FnMut(&[(String, Value)]) -> Result<Spec, E>>(
    spec: &Spec,
    space: &Space,
    known: u64,
    figures: &[Option<f64>],
    runs: &mut Runs<E, At>,
) -> u64 {
    let mut looked_at = 0;
    let mut drawn: Vec<Parts> = Vec::new();
    let mut told: Vec<Told> = Vec::new();
    for trial in 0..known {
        let before =
            if spec.sweep.search == Search::Tpe { search::learns_from(&spec.sweep, trial) as usize } else { 0 };
        for (parts, figure) in drawn.iter().zip(figures).take(before).skip(told.len()) {
            told.push(Told::new(space, parts, figure.unwrap_or(f64::NEG_INFINITY)));
        }
        let found = (0..ATTEMPTS).find_map(|attempt| {
            let place = search::propose(&spec.sweep, space, trial, attempt, looked_at, &told)?;
            looked_at += 1;
            let parts = space.at(&place, runs.base);
            runs.add(space.point(&parts), true).then_some(parts)
        });
        match found {
            Some(parts) => drawn.push(parts),
            None => break,
        }
    }
    drawn.len() as u64
}

/// Asks for points such as later trials may have: what they contradict is better said now than in the middle of the night.
fn foresee<E: From<PlanError>, At: FnMut(&[(String, Value)]) -> Result<Spec, E>>(
    spec: &Spec,
    space: &Space,
    trials: std::ops::Range<u64>,
    runs: &mut Runs<E, At>,
) {
    let random = crate::spec::Sweep { search: Search::Random, ..spec.sweep.clone() };
    for trial in trials {
        if let Some(place) = search::propose(&random, space, trial, 0, 0, &[]) {
            let point = space.point(&space.at(&place, runs.base));
            if !runs.excluded(&point)
                && let Err(e) = (runs.at)(&point)
            {
                runs.errors.push(e);
            }
        }
    }
}

/// Runs as they are found.
struct Runs<'a, E, At> {
    spec: &'a Spec,
    /// The spec as JSON.
    base: &'a Value,
    names: Names,
    at: At,
    runs: Vec<PlannedRun>,
    errors: Vec<E>,
    /// Points looked at, seeds aside.
    points: HashSet<String>,
    /// Configs of the runs.
    seen: HashSet<[u8; 32]>,
    /// Configs but for their seeds, each with its trial's number.
    trials: HashMap<[u8; 32], usize>,
}

impl<'a, E: From<PlanError>, At: FnMut(&[(String, Value)]) -> Result<Spec, E>> Runs<'a, E, At> {
    fn new(spec: &'a Spec, space: &Space, base: &'a Value, at: At) -> Self {
        let seeds: Vec<Value> = spec.sweep.seeds.iter().map(|seed| Value::from(*seed)).collect();
        let mut values = space.values_by_key();
        if !seeds.is_empty() {
            values.insert(SEED, seeds.iter().collect());
        }
        let names = Names::new(&values);
        let (points, seen, trials) = Default::default();
        Self { spec, base, names, at, runs: vec![], errors: vec![], points, seen, trials }
    }

    /// Adds the runs of a point, one for each seed; whether the point is used: it is new, or what is wrong with it has been
    /// noted. Where a trial has to be `new`, one that is another's by its config adds nothing.
    fn add(&mut self, point: Point, new: bool) -> bool {
        if new && !self.points.insert(Value::from_iter(point.iter().cloned()).to_string()) {
            return false;
        }
        let seeds = match self.spec.sweep.seeds.is_empty() {
            true => vec![None],
            false => self.spec.sweep.seeds.iter().copied().map(Some).collect(),
        };
        let before = self.trials.len();
        let mut used = false;
        let mut trial = None;
        for seed in seeds {
            let mut point = point.clone();
            point.extend(seed.map(|seed| (SEED.to_string(), Value::from(seed))));
            if self.excluded(&point) {
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
            }
        }
        used
    }

    /// The number of the trial that a run of this config and spec belongs to.
    fn trial(&mut self, print: [u8; 32], mut spec: Spec, point: &Point) -> usize {
        let seeded = point.iter().any(|(key, _)| key == SEED);
        spec.train.seed = 0;
        let print = match resolve(&spec) {
            Ok(config) if seeded => fingerprint(&to_value(&config)),
            _ => print,
        };
        let next = self.trials.len();
        *self.trials.entry(print).or_insert(next)
    }

    fn excluded(&self, point: &Point) -> bool {
        self.spec.sweep.exclude.iter().any(|table| matches(table, point, self.base))
    }
}

/// Whether every key of `table` has its value: the point's, or the spec's where the key is not swept.
fn matches(table: &BTreeMap<String, Value>, point: &[(String, Value)], base: &Value) -> bool {
    let value = |key: &str| match point.iter().find(|(swept, _)| swept == key) {
        Some((_, value)) => Some(value),
        None => search::said(base, key),
    };
    !table.is_empty() && table.iter().all(|(key, want)| value(key).is_some_and(|found| search::same(found, want)))
}

/// Makes names unique where values are written alike (`1` and `"1"`).
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{self, at, spec, swept};
    use super::*;
    use crate::spec::{Axis, Sweep};

    fn sweep(sweep: Value) -> Result<Vec<PlannedRun>, PlanError> {
        let expansion = testing::expand(&sweep, &[])?;
        assert_eq!((expansion.more, expansion.undrawn), (false, 0));
        Ok(expansion.runs)
    }

    fn names(sweep_: Value) -> Vec<String> {
        sweep(sweep_).unwrap().into_iter().map(|run| run.name).collect()
    }

    #[test]
    fn without_a_sweep_there_is_one_run_with_the_experiments_name() {
        let runs = sweep(json!({})).unwrap();
        assert_eq!((runs.len(), runs[0].name.as_str(), runs[0].point.len()), (1, "demo", 0));
        assert_eq!(runs[0].config, resolve(&spec()).unwrap());
    }

    #[test]
    fn axes_combine_with_seeds_innermost() {
        let runs = sweep(json!({
            "axes": { "train.lr": [1e-5, 2e-5], "train.batch_size": [16, 32] },
            "seeds": [1, 2],
        }))
        .unwrap();
        let names: Vec<_> = runs.iter().map(|run| run.name.as_str()).collect();
        assert_eq!(
            names[..3],
            ["batch_size=16 lr=1e-5 seed=1", "batch_size=16 lr=1e-5 seed=2", "batch_size=16 lr=2e-5 seed=1"]
        );
        assert_eq!((names.len(), names[7]), (8, "batch_size=32 lr=2e-5 seed=2"));
        let last = &runs[7];
        assert_eq!((last.config.train.batch_size, last.config.train.lr, last.config.train.init_seed), (32, 2e-5, 2));
        assert_eq!(last.point[0], ("train.batch_size".to_string(), json!(32)));
    }

    #[test]
    fn zipped_keys_go_in_step() {
        let got = names(json!({
            "axes": { "data.max_length": [64] },
            "zip": [{ "train.lr": [1e-4, 1e-5], "train.epochs": [1, 3] }, { "train.batch_size": [8, 16] }],
        }));
        let want = ["epochs=1 lr=1e-4 batch_size=8", "epochs=1 lr=1e-4 batch_size=16", "epochs=3 lr=1e-5 batch_size=8"];
        assert_eq!(got[..3], want.map(|name| format!("max_length=64 {name}")));
        assert_eq!(got.len(), 4);
    }

    #[test]
    fn excluded_points_are_left_out_by_value_and_never_asked_for() {
        let axes = json!({ "train.lr": [1e-5, 2e-5], "train.batch_size": [16, 32] });
        let exclude = json!([{ "train.lr": 0.00001, "train.batch_size": 32.0 }, { "train.lr": 9.0 }]);
        assert_eq!(names(json!({ "axes": axes, "exclude": exclude })).len(), 3);
        // A key that is not swept has the spec's value, and a seed is a key like any other.
        let exclude = json!([{ "train.epochs": 3, "train.seed": 2 }, { "train.epochs": 4 }, {}]);
        assert_eq!(names(json!({ "seeds": [1, 2, 3], "exclude": exclude })), ["seed=1", "seed=3"]);

        let mut asked = Vec::new();
        let spec = Spec {
            sweep: Sweep {
                exclude: vec![[("train.seed".to_string(), json!(1))].into()],
                seeds: vec![1, 2],
                ..Sweep::default()
            },
            ..spec()
        };
        let ask = |point: &[(String, Value)]| {
            asked.push(point[0].1.clone());
            at(&spec, point)
        };
        expand(&spec, ask, &[]).unwrap();
        assert_eq!(asked, [json!(2)]);
    }

    #[test]
    fn points_that_mean_the_same_run_count_once() {
        assert_eq!(
            names(json!({ "axes": { "train.lr": [1e-5, 0.00001, 1e-4] }, "seeds": [3, 3] })),
            ["lr=1e-5 seed=3", "lr=1e-4 seed=3"]
        );
        assert_eq!(names(json!({ "axes": { "train.weight_decay": [0, 0.0] } })), ["weight_decay=0"]);
    }

    #[test]
    fn names_are_unique_even_where_values_are_written_alike() {
        let got = names(json!({ "axes": { "train.freeze": [["a,b"], ["a", "b"]] } }));
        assert_eq!(got, ["freeze=[a,b]", "freeze=[a,b] #2"]);
    }

    #[test]
    fn sweeps_that_make_no_sense_are_refused() {
        let refuse = |sweep_: Value, want: &str| {
            let message = sweep(sweep_).unwrap_err().to_string();
            assert!(message.contains(want), "{message}");
        };
        refuse(json!({ "axes": { "train.lr": [] } }), "axes.\"train.lr\" has no values");
        refuse(json!({ "zip": [{}] }), "zip table 1 has no values");
        refuse(
            json!({ "zip": [{ "train.lr": [1.0], "train.epochs": [1, 2] }] }),
            "found 2 of train.epochs, 1 of train.lr",
        );
        refuse(json!({ "axes": { "train.seed": [1] }, "seeds": [1] }), "`train.seed` is swept more than once");
        refuse(json!({ "seeds": [1, 2], "exclude": [{ "train.epochs": 3 }] }), "leaves out all 2 points");
        refuse(json!({ "axes": { "data.source": ["scratch:tiny"] } }), "data.source: ");
        refuse(
            json!({ "axes": { "train.lr": { "log": [1e-6, 1e-3] } } }),
            "`train.lr` is a range, of which a grid cannot",
        );
        refuse(json!({ "axes": { "train.lr": [1e-3] }, "search": "sobol" }), "sweep.search needs sweep.trials");
        let many = json!({ "axes": { "train.lr": [1e-3] }, "search": "tpe", "trials": 60_000, "seeds": [1, 2] });
        refuse(many, "120000 points are more than the 100000 allowed");
    }

    #[test]
    fn a_sweep_too_large_is_refused_before_it_is_made() {
        let hundred: Vec<u64> = (1..=100).collect();
        let mut axes: BTreeMap<String, Axis> = BTreeMap::new();
        for i in 0..12 {
            axes.insert(format!("train.x{i:02}"), Axis::values(hundred.iter().map(|n| json!(n)).collect()));
        }
        let spec = |n: usize| Spec {
            sweep: Sweep { axes: axes.clone().into_iter().take(n).collect(), ..Sweep::default() },
            ..spec()
        };
        let refused = |spec: &Spec| {
            expand(spec, |_| -> Result<Spec, PlanError> { panic!("no point may be made") }, &[]).unwrap_err()[0]
                .to_string()
        };
        assert_eq!(refused(&spec(3)), "sweep: 1000000 points are more than the 100000 allowed; remove some values");
        assert!(refused(&spec(12)).contains("more than 2^64 points"));
    }
    #[test]
    fn an_axis_counts_only_where_its_condition_holds() {
        // The spec says "linear": that is what a condition reads of a key that is not swept, or not here.
        let warmup = json!({ "values": [0.0, 0.1, 0.2], "when": { "train.scheduler": "linear" } });
        let got = names(json!({
            "axes": { "train.scheduler": ["constant", "linear"], "train.warmup_ratio": warmup, "train.lr": [1e-5, 1e-4] },
        }));
        assert_eq!(
            got,
            [
                "lr=1e-5 scheduler=constant",
                "lr=1e-5 scheduler=linear warmup_ratio=0",
                "lr=1e-5 scheduler=linear warmup_ratio=0.1",
                "lr=1e-5 scheduler=linear warmup_ratio=0.2",
                "lr=1e-4 scheduler=constant",
                "lr=1e-4 scheduler=linear warmup_ratio=0",
                "lr=1e-4 scheduler=linear warmup_ratio=0.1",
                "lr=1e-4 scheduler=linear warmup_ratio=0.2",
            ]
        );
        let runs = sweep(json!({ "axes": { "train.scheduler": ["constant"], "train.warmup_ratio": warmup } })).unwrap();
        assert_eq!((runs.len(), runs[0].config.train.warmup_ratio), (1, 0.0));
        assert_eq!(names(json!({ "axes": { "train.warmup_ratio": warmup } })).len(), 3);
    }

    #[test]
    fn conditions_follow_one_another_and_zips_whatever_the_order_of_the_axes() {
        // a.. depends on m.., which depends on w..: the names are in the reverse order of what decides.
        let got = names(json!({ "axes": {
            "train.batch_size": { "values": [8, 16], "when": { "train.epochs": 5 } },
            "train.epochs": { "values": [4, 5], "when": { "train.weight_decay": 0, "train.lr": 2e-5 } },
        }, "zip": [{ "train.weight_decay": [0.0, 0.5], "train.lr": [2e-5, 2e-5] }] }));
        assert_eq!(
            got,
            [
                "epochs=4 lr=2e-5 weight_decay=0",
                "lr=2e-5 weight_decay=0.5",
                "batch_size=8 epochs=5 lr=2e-5 weight_decay=0",
                "batch_size=16 epochs=5 lr=2e-5 weight_decay=0",
            ]
        );
    }

    #[test]
    fn exclusion_reads_the_spec_where_an_axis_does_not_count() {
        let axes = json!({
            "train.scheduler": ["constant", "linear"],
            "train.warmup_ratio": { "values": [0.1, 0.2], "when": { "train.scheduler": "linear" } },
        });
        let left = |exclude: Value| names(json!({ "axes": axes, "exclude": [exclude] }));
        let all = ["scheduler=constant", "scheduler=linear warmup_ratio=0.1", "scheduler=linear warmup_ratio=0.2"];
        assert_eq!(left(json!({ "train.warmup_ratio": 0.0 })), all[1..]);
        assert_eq!(left(json!({ "train.warmup_ratio": 0.1 })), [all[0], all[2]]);
    }

    #[test]
    fn trials_are_configs_but_for_their_seed() {
        let trials = |sweep_: Value| sweep(sweep_).unwrap().iter().map(|run| run.trial).collect::<Vec<_>>();
        assert_eq!(trials(json!({ "axes": { "train.lr": [1e-5, 1e-4] }, "seeds": [1, 2] })), [0, 0, 1, 1]);
        assert_eq!(trials(json!({ "axes": { "train.seed": [1, 2], "train.weight_decay": [0.1, 0.2] } })), [0, 1, 0, 1]);
        assert_eq!(trials(json!({})), [0]);
        // What is excluded for one seed only does not tear a trial apart, nor do two ways to write a number.
        let exclude = json!([{ "train.lr": 1e-5, "train.seed": 1 }]);
        let axes = json!({ "train.lr": [1e-5, 1e-4] });
        assert_eq!(trials(json!({ "axes": axes, "seeds": [1, 2], "exclude": exclude })), [0, 1, 1]);
        let axes = json!({ "train.weight_decay": [0, 0.0, 0.5] });
        assert_eq!(trials(json!({ "axes": axes, "seeds": [1, 2] })), [0, 0, 1, 1]);
        // Seeds of their own are axes like others.
        assert_eq!(trials(json!({ "axes": { "train.init_seed": [1, 2] }, "seeds": [1, 2] })), [0, 0, 1, 1]);
    }

    /// All of a large sweep, the spec room's part aside: that has its own bound.
    #[test]
    fn a_thousand_points_are_made_at_once() {
        let lrs: Vec<f64> = (1..=334).map(|i| f64::from(i) * 1e-6).collect();
        let spec = swept(&json!({ "axes": { "train.lr": lrs }, "seeds": [1, 2, 3] }));
        let plain = Spec { sweep: Sweep::default(), ..spec.clone() };
        let set = |point: &[(String, Value)]| -> Result<Spec, PlanError> {
            let mut spec = plain.clone();
            (spec.train.lr, spec.train.seed) = (point[0].1.as_f64().unwrap(), point[1].1.as_u64().unwrap());
            Ok(spec)
        };
        let start = std::time::Instant::now();
        let runs = expand(&spec, set, &[]).unwrap().runs;
        assert_eq!((runs.len(), runs[1001].trial), (1002, 333));
        // Far above what it takes, far below what comparing every pair would.
        assert!(start.elapsed().as_secs_f64() < 0.5, "{:?}", start.elapsed());
    }
}
