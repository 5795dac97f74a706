//! A sweep → its runs: every combination of the axes, without what is excluded, each config once.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    PlanError, RunConfig,
    key::{fingerprint, to_value},
    name::Names,
    resolve,
};
use crate::spec::{Spec, Sweep};

/// Points of a sweep at most, before exclusion.
pub const MAX_POINTS: u64 = 100_000;

/// The key that `sweep.seeds` sets.
const SEED: &str = "train.seed";

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

/// The runs that `spec` means: its axes first, then its zips, then its seeds, the last changing fastest.
///
/// `at` gives the spec with some keys overridden, validated. Points that come out as equal configs are one run, that of the
/// first. An excluded point is never asked for, so a sweep may exclude combinations that would be refused.
///
/// # Errors
/// Those of `at` and of [`resolve()`], of every point; a sweep with a key in two axes, an axis without values, a zip of uneven lengths, more
/// than [`MAX_POINTS`] points, or nothing left after exclusion.
pub fn expand<E: From<PlanError>>(
    spec: &Spec,
    mut at: impl FnMut(&[(String, Value)]) -> Result<Spec, E>,
) -> Result<Vec<PlannedRun>, Vec<E>> {
    let refused = |e: PlanError| vec![E::from(e)];
    let axes = axes(&spec.sweep).map_err(refused)?;
    let points = count(&axes).map_err(refused)?;
    let names = Names::new(&values_by_key(&axes));
    let base = serde_json::to_value(spec).unwrap_or_default();

    let mut runs = Vec::new();
    let mut errors = Vec::new();
    let mut seen = HashSet::new();
    let mut trials: Vec<Vec<(String, Value)>> = Vec::new();
    for index in 0..points {
        let point = point(&axes, index);
        if spec.sweep.exclude.iter().any(|table| matches(table, &point, &base)) {
            continue;
        }
        let config = match at(&point).and_then(|spec| Ok(resolve(&spec)?)) {
            Ok(config) => config,
            Err(e) => {
                errors.push(e);
                continue;
            }
        };
        if seen.insert(fingerprint(&to_value(&config))) {
            let name = if point.is_empty() { spec.name.clone() } else { names.name(&point) };
            let trial_key: Vec<_> = point.iter().filter(|(key, _)| key != SEED).cloned().collect();
            let trial = trials.iter().position(|known| *known == trial_key).unwrap_or_else(|| {
                trials.push(trial_key);
                trials.len() - 1
            });
            runs.push(PlannedRun { trial, name, point, config });
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    if runs.is_empty() {
        return Err(refused(PlanError::NothingLeft { points }));
    }
    number_namesakes(&mut runs);
    Ok(runs)
}

/// Keys that change together: one row of `values` for each step, one value in a row for each key.
struct Axis {
    keys: Vec<String>,
    values: Vec<Vec<Value>>,
}

/// The axes of a sweep, the outermost first.
fn axes(sweep: &Sweep) -> Result<Vec<Axis>, PlanError> {
    let mut axes = Vec::new();
    for (key, values) in &sweep.axes {
        let values = values.iter().map(|value| vec![value.clone()]).collect();
        axes.push((format!("axes.\"{key}\""), Axis { keys: vec![key.clone()], values }));
    }
    for (i, zip) in sweep.zip.iter().enumerate() {
        let steps = zip.values().next().map_or(0, Vec::len);
        if zip.values().any(|values| values.len() != steps) {
            let found: Vec<_> = zip.iter().map(|(key, values)| format!("{} of {key}", values.len())).collect();
            return Err(PlanError::UnevenZip { found: found.join(", ") });
        }
        let row = |step: usize| zip.values().map(|values| values[step].clone()).collect();
        let values = (0..steps).map(row).collect();
        axes.push((format!("zip table {}", i + 1), Axis { keys: zip.keys().cloned().collect(), values }));
    }
    if !sweep.seeds.is_empty() {
        let values = sweep.seeds.iter().map(|seed| vec![Value::from(*seed)]).collect();
        axes.push(("seeds".into(), Axis { keys: vec!["train.seed".into()], values }));
    }

    let mut keys = HashSet::new();
    for (name, axis) in &axes {
        if axis.values.is_empty() {
            return Err(PlanError::EmptyAxis { axis: name.clone() });
        }
        if let Some(key) = axis.keys.iter().find(|key| !keys.insert(key.as_str())) {
            return Err(PlanError::SweptTwice { key: key.clone() });
        }
    }
    Ok(axes.into_iter().map(|(_, axis)| axis).collect())
}

fn count(axes: &[Axis]) -> Result<u64, PlanError> {
    let count = axes.iter().try_fold(1u64, |count, axis| count.checked_mul(axis.values.len() as u64));
    match count {
        Some(count) if count <= MAX_POINTS => Ok(count),
        Some(count) => Err(PlanError::TooManyPoints { count: count.to_string() }),
        None => Err(PlanError::TooManyPoints { count: "more than 2^64".into() }),
    }
}

fn values_by_key(axes: &[Axis]) -> BTreeMap<&str, Vec<&Value>> {
    let mut by_key = BTreeMap::new();
    for axis in axes {
        for (i, key) in axis.keys.iter().enumerate() {
            by_key.insert(key.as_str(), axis.values.iter().map(|row| &row[i]).collect());
        }
    }
    by_key
}

/// The point with number `index`: the digits of `index` in the mixed radix of the axes' lengths, the last axis the lowest.
fn point(axes: &[Axis], mut index: u64) -> Vec<(String, Value)> {
    let mut point = Vec::new();
    for axis in axes.iter().rev() {
        let steps = axis.values.len() as u64;
        let row = &axis.values[(index % steps) as usize];
        index /= steps;
        point.extend(axis.keys.iter().cloned().zip(row.iter().cloned()).rev());
    }
    point.reverse();
    point
}

/// Whether every key of `table` has its value: the point's, or the spec's where the key is not swept.
fn matches(table: &BTreeMap<String, Value>, point: &[(String, Value)], base: &Value) -> bool {
    let value = |key: &str| match point.iter().find(|(swept, _)| swept == key) {
        Some((_, value)) => Some(value),
        None => base.pointer(&format!("/{}", key.replace('.', "/"))),
    };
    !table.is_empty() && table.iter().all(|(key, want)| value(key).is_some_and(|found| same(found, want)))
}

/// Equality in which 1 is 1.0.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || (x.is_f64() || y.is_f64()) && x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        _ => a == b,
    }
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

    use super::super::testing::spec;
    use super::*;

    /// Overrides keys in the spec as the spec room does, without its validation.
    fn set(spec: &Spec, point: &[(String, Value)]) -> Result<Spec, PlanError> {
        let mut value = serde_json::to_value(spec).unwrap();
        for (key, new) in point {
            *value.pointer_mut(&format!("/{}", key.replace('.', "/"))).expect(key) = new.clone();
        }
        Ok(serde_json::from_value(value).unwrap())
    }

    fn sweep(sweep: Value) -> Result<Vec<PlannedRun>, PlanError> {
        let mut whole = json!({ "axes": {}, "zip": [], "exclude": [], "seeds": [] });
        for (key, value) in sweep.as_object().unwrap() {
            whole[key] = value.clone();
        }
        let spec = Spec { sweep: serde_json::from_value(whole).unwrap(), ..spec() };
        expand(&spec, |point| set(&spec, point)).map_err(|mut errors| errors.remove(0))
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
        expand(&spec, |point| {
            asked.push(point[0].1.clone());
            set(&spec, point)
        })
        .unwrap();
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
    }

    #[test]
    fn a_sweep_too_large_is_refused_before_it_is_made() {
        let hundred: Vec<u64> = (1..=100).collect();
        let mut axes: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for i in 0..12 {
            axes.insert(format!("train.x{i:02}"), hundred.iter().map(|n| json!(n)).collect());
        }
        let spec = |n: usize| Spec {
            sweep: Sweep { axes: axes.clone().into_iter().take(n).collect(), ..Sweep::default() },
            ..spec()
        };
        let refused = |spec: &Spec| {
            expand(spec, |_| -> Result<Spec, PlanError> { panic!("no point may be made") }).unwrap_err()[0].to_string()
        };
        assert_eq!(refused(&spec(3)), "sweep: 1000000 points are more than the 100000 allowed; remove some values");
        assert!(refused(&spec(12)).contains("more than 2^64 points"));
    }
}
