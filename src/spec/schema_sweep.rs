//! `[sweep]` as written: what varies, how points are chosen, which runs are stopped early.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

/// `[sweep]`: varies keys, so that one spec has several runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// Key → the values that it takes.
    pub axes: BTreeMap<String, Axis>,
    /// Keys that vary together: each table is one axis, read row by row.
    pub zip: Vec<BTreeMap<String, Vec<Value>>>,
    /// The keys of `axes` and `zip` in the order in which they are written, which names of runs have and in which a grid nests them. It is not part
    /// of the spec's value.
    #[serde(skip)]
    pub written: Vec<String>,
    /// Excluded points: those at which every key of a table has the given value.
    pub exclude: Vec<BTreeMap<String, Value>>,
    /// Values of `train.seed`: the innermost axis, over which results are averaged.
    pub seeds: Vec<u64>,
    /// Number of folds of a cross-validation: every point is trained with each fold as its test split.
    #[serde(default)]
    pub folds: Option<u64>,
    /// How points are chosen.
    pub search: Search,
    /// Number of points to draw; a grid has none and takes all points.
    pub trials: Option<u64>,
    /// Seed of the points.
    pub search_seed: u64,
    /// Number of trials that TPE proposes at a time.
    pub batch: u64,
    /// Number of first trials that TPE draws at random, and that the median rule trains to the end.
    pub startup_trials: u64,
    /// Which runs are stopped early.
    pub prune: PruneRule,
    /// At each rung the best 1/reduction_factor of the trials are promoted, rounded down (ASHA).
    pub reduction_factor: u64,
    /// Number of rungs before the end (ASHA).
    pub rungs: u64,
    /// Maximum number of runs of the experiment to start.
    pub max_runs: Option<u64>,
    /// Hours of training of all runs of the experiment together, after which no run is started.
    pub max_hours: Option<f64>,
}

/// The defaults of the table of keys.
impl Default for Sweep {
    fn default() -> Self {
        Self {
            axes: BTreeMap::new(),
            zip: Vec::new(),
            written: Vec::new(),
            exclude: Vec::new(),
            seeds: Vec::new(),
            folds: None,
            search: Search::Grid,
            trials: None,
            search_seed: 42,
            batch: 4,
            startup_trials: 5,
            prune: PruneRule::None,
            reduction_factor: 3,
            rungs: 2,
            max_runs: None,
            max_hours: None,
        }
    }
}

impl Sweep {
    /// The number of runs of a point: one for each seed and fold.
    pub fn runs_of_point(&self) -> usize {
        self.seeds.len().max(1) * self.folds.map_or(1, |folds| folds as usize)
    }
}

/// How the points of a sweep are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Search {
    /// Every combination.
    Grid,
    /// Independent draws.
    Random,
    /// A Sobol sequence: spread more evenly than independent draws.
    Sobol,
    /// Tree-structured Parzen estimator: near the best trials.
    Tpe,
}

impl Search {
    /// The name in a spec.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grid => "grid",
            Self::Random => "random",
            Self::Sobol => "sobol",
            Self::Tpe => "tpe",
        }
    }
}

/// The rule that stops runs early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PruneRule {
    /// No rule.
    None,
    /// Runs worse than the median of earlier trials are stopped.
    Median,
    /// Asynchronous successive halving.
    Asha,
}

/// The values of one key. Written as a list, or as a table such as `{ log = [1e-6, 1e-3], when = { … } }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The values that it can have.
    pub over: Over,
    /// The axis applies only if these other keys have these values.
    pub when: BTreeMap<String, Value>,
}

/// The values of an axis.
#[derive(Debug, Clone, PartialEq)]
pub enum Over {
    /// A list: `[…]`, `values = […]`, `choice = […]`.
    Values(Vec<Value>),
    /// Numbers between two ends, with uniformly distributed logarithms.
    Log(f64, f64),
    /// Numbers between two ends, uniformly distributed.
    Uniform(f64, f64),
    /// Whole numbers between two ends, both included, uniformly distributed.
    Int(u64, u64),
}

impl Axis {
    /// An axis with these values and no condition.
    pub fn values(values: Vec<Value>) -> Self {
        Self { over: Over::Values(values), when: BTreeMap::new() }
    }
}

impl Serialize for Axis {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let (form, range) = match &self.over {
            Over::Values(values) if self.when.is_empty() => return values.serialize(s),
            Over::Values(values) => ("values", Value::from(values.clone())),
            Over::Log(low, high) => ("log", Value::from(vec![*low, *high])),
            Over::Uniform(low, high) => ("uniform", Value::from(vec![*low, *high])),
            Over::Int(low, high) => ("int", Value::from(vec![*low, *high])),
        };
        let when = serde_json::to_value(&self.when).map_err(serde::ser::Error::custom)?;
        let when = (!self.when.is_empty()).then_some(("when", when));
        s.collect_map(std::iter::once((form, range)).chain(when))
    }
}

impl<'de> Deserialize<'de> for Axis {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let refuse = |what: &str| Err(de::Error::custom(format!("{what}; expected a list or a table of one range")));
        let table = match Value::deserialize(d)? {
            Value::Object(table) => table,
            // Layers hold a table in a list of its own: lists are replaced as a whole, tables merged key by key.
            Value::Array(mut values) if matches!(values[..], [Value::Object(_)]) => match values.remove(0) {
                Value::Object(table) => table,
                _ => unreachable!("looked at above"),
            },
            Value::Array(values) => return Ok(Self::values(values)),
            _ => return refuse("an axis is a single value"),
        };
        let (mut over, mut when) = (None, BTreeMap::new());
        for (form, value) in table {
            let read = match form.as_str() {
                "when" => {
                    when = serde_json::from_value(value).map_err(de::Error::custom)?;
                    continue;
                }
                "values" | "choice" => serde_json::from_value(value).map(Over::Values),
                "log" => serde_json::from_value(value).map(|(low, high)| Over::Log(low, high)),
                "uniform" => serde_json::from_value(value).map(|(low, high)| Over::Uniform(low, high)),
                "int" => serde_json::from_value(value).map(|(low, high)| Over::Int(low, high)),
                _ => return refuse(&format!("an axis has no `{form}`")),
            };
            if over.replace(read.map_err(de::Error::custom)?).is_some() {
                return refuse("an axis has more than one form");
            }
        }
        let Some(over) = over else { return refuse("an axis has no values") };
        Ok(Self { over, when })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_of_an_axis_is_read_and_written() {
        let read = |value: Value| serde_json::from_value::<Axis>(value);
        let when: BTreeMap<_, _> = [("train.scheduler".to_string(), json!("linear"))].into();
        for (written, over) in [
            (json!({ "log": [1e-6, 1e-3] }), Over::Log(1e-6, 1e-3)),
            (json!({ "uniform": [0.0, 0.5] }), Over::Uniform(0.0, 0.5)),
            (json!({ "int": [1, 9] }), Over::Int(1, 9)),
        ] {
            assert_eq!(read(written.clone()).unwrap(), Axis { over: over.clone(), when: BTreeMap::new() });
            assert_eq!(serde_json::to_value(read(written.clone()).unwrap()).unwrap(), written);
            // As a layer holds it, and with a condition.
            let mut conditional = written;
            conditional["when"] = json!({ "train.scheduler": "linear" });
            assert_eq!(read(json!([conditional])).unwrap(), Axis { over, when: when.clone() });
            assert_eq!(serde_json::to_value(read(conditional.clone()).unwrap()).unwrap(), conditional);
        }
        assert_eq!(read(json!([1, 2])).unwrap(), Axis::values(vec![json!(1), json!(2)]));
        for form in ["values", "choice"] {
            let axis = read(json!({ form: [1, 2], "when": when })).unwrap();
            assert_eq!(axis, Axis { when: when.clone(), ..Axis::values(vec![json!(1), json!(2)]) });
            assert_eq!(serde_json::to_value(axis).unwrap(), json!({ "values": [1, 2], "when": when }));
        }
        for wrong in [
            json!(1),
            json!({}),
            json!({ "when": when }),
            json!({ "log": [1] }),
            json!({ "log": [1, 2], "int": [1, 2] }),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
