//! The axes of a sweep, some of which apply only if others have a certain value.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::{UnitPoint, ranges::Range};
use crate::{
    plan::{PlanError, planned::SEED},
    spec::{Over, Sweep},
};

/// Swept keys and their values, in the order of the axes.
pub(in crate::plan) type Point = Vec<(String, Value)>;

/// The axes of a sweep, without its seeds.
pub(in crate::plan) struct Space {
    axes: Vec<Axis>,
    /// The axes ordered so that each comes after those it depends on.
    order: Vec<usize>,
    /// The axes in the order in which the spec has them: a grid nests them so, the first outermost. A search draws them in the order of
    /// [`Self::axes`], whatever the spec's order is, so that the same seed gives the same points.
    nesting: Vec<usize>,
}

/// Keys that vary together.
pub(super) struct Axis {
    name: String,
    keys: Vec<String>,
    pub(super) over: Choices,
    /// Keys and the values that they must have for the axis to apply.
    when: Vec<(String, Value)>,
}

/// The values of an axis.
pub(super) enum Choices {
    /// One of these rows, each with a value for each key.
    Rows(Vec<Vec<Value>>),
    /// A number, for the axis' only key.
    Range(Range),
}

/// A proposed point: for each axis the values of its keys, or `None` if the axis does not apply.
pub type Proposal = Vec<Option<Vec<Value>>>;

impl Space {
    /// The axes of a sweep, followed by its zips.
    pub(in crate::plan) fn new(sweep: &Sweep) -> Result<Self, PlanError> {
        let mut axes = Vec::new();
        for (key, axis) in &sweep.axes {
            let over = match &axis.over {
                Over::Values(values) => Choices::Rows(values.iter().map(|value| vec![value.clone()]).collect()),
                Over::Log(low, high) => Choices::Range(Range::Log(*low, *high)),
                Over::Uniform(low, high) => Choices::Range(Range::Uniform(*low, *high)),
                Over::Int(low, high) => Choices::Range(Range::Int(*low, *high)),
            };
            let when = axis.when.clone().into_iter().collect();
            axes.push((format!("axes.\"{key}\""), Axis { name: key.clone(), keys: vec![key.clone()], over, when }));
        }
        for (i, zip) in sweep.zip.iter().enumerate() {
            let steps = zip.values().next().map_or(0, Vec::len);
            if zip.values().any(|values| values.len() != steps) {
                let found: Vec<_> = zip.iter().map(|(key, values)| format!("{} of {key}", values.len())).collect();
                return Err(PlanError::UnevenZip { found: found.join(", ") });
            }
            let row = |step: usize| zip.values().map(|values| values[step].clone()).collect();
            let keys: Vec<_> = zip.keys().cloned().collect();
            let over = Choices::Rows((0..steps).map(row).collect());
            axes.push((format!("zip table {}", i + 1), Axis { name: keys.join("+"), keys, over, when: vec![] }));
        }
        let mut keys: HashSet<&str> = (!sweep.seeds.is_empty()).then_some(SEED).into_iter().collect();
        for (name, axis) in &axes {
            if matches!(&axis.over, Choices::Rows(rows) if rows.is_empty()) {
                return Err(PlanError::EmptyAxis { axis: name.clone() });
            }
            if let Some(key) = axis.keys.iter().find(|key| !keys.insert(key)) {
                return Err(PlanError::SweptTwice { key: key.clone() });
            }
        }
        let axes: Vec<_> = axes.into_iter().map(|(_, axis)| axis).collect();
        let order = order(&axes);
        let nesting = nesting(&axes, &sweep.written);
        Ok(Self { axes, order, nesting })
    }

    pub(super) fn axes(&self) -> impl Iterator<Item = &Axis> {
        self.axes.iter()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.axes.iter().map(|axis| axis.name.as_str())
    }

    /// Every key with its values; empty for a range.
    pub(in crate::plan) fn values_by_key(&self) -> BTreeMap<&str, Vec<&Value>> {
        let mut by_key = BTreeMap::new();
        for axis in &self.axes {
            for (i, key) in axis.keys.iter().enumerate() {
                let values = match &axis.over {
                    Choices::Rows(rows) => rows.iter().map(|row| &row[i]).collect(),
                    Choices::Range(_) => Vec::new(),
                };
                by_key.insert(key.as_str(), values);
            }
        }
        by_key
    }

    /// The first key with a range; a grid must not have one.
    pub(in crate::plan) fn range(&self) -> Option<&str> {
        self.axes.iter().find(|axis| matches!(axis.over, Choices::Range(_))).map(|axis| axis.name.as_str())
    }

    /// The number of points of the grid, including points that are the same because of conditions; `None` beyond 2^64.
    pub(in crate::plan) fn count(&self) -> Option<u64> {
        self.axes.iter().try_fold(1u64, |count, axis| count.checked_mul(axis.len()))
    }

    /// Point number `index` of the grid: the digits of `index` in the mixed radix of the axes' lengths, the axis that the spec has last varying
    /// fastest. `None` if an axis that does not apply is beyond its first value, since that point repeats an earlier one.
    pub(in crate::plan) fn of_grid(&self, mut index: u64, base: &Value) -> Option<Proposal> {
        let mut digits = vec![0; self.axes.len()];
        for &axis in self.nesting.iter().rev() {
            let len = self.axes[axis].len();
            digits[axis] = (index % len) as usize;
            index /= len;
        }
        let parts = self.parts(base, |axis| match &self.axes[axis].over {
            Choices::Rows(rows) => rows[digits[axis]].clone(),
            Choices::Range(range) => vec![range.number(0.0)],
        });
        let first = parts.iter().zip(&digits).all(|(part, digit)| part.is_some() || *digit == 0);
        first.then_some(parts)
    }

    /// The proposal at a point of the unit cube.
    pub(in crate::plan) fn at(&self, point: &UnitPoint, base: &Value) -> Proposal {
        self.parts(base, |axis| match &self.axes[axis].over {
            Choices::Rows(rows) => rows[((point[axis] * rows.len() as f64) as usize).min(rows.len() - 1)].clone(),
            Choices::Range(range) => vec![range.number(point[axis])],
        })
    }

    /// Whether a proposal fits the axes.
    pub(in crate::plan) fn fits(&self, parts: &Proposal) -> bool {
        let fits =
            |(axis, part): (&Axis, &Option<Vec<Value>>)| part.as_ref().is_none_or(|p| p.len() == axis.keys.len());
        parts.len() == self.axes.len() && self.axes.iter().zip(parts).all(fits)
    }

    /// A proposal as pairs of key and value.
    pub(in crate::plan) fn point(&self, parts: &Proposal) -> Point {
        let pairs = self.axes.iter().zip(parts).filter_map(|(axis, part)| Some((axis, part.as_ref()?)));
        pairs.flat_map(|(axis, part)| axis.keys.iter().cloned().zip(part.iter().cloned())).collect()
    }

    /// Builds a proposal. `choose` returns the values of an axis and is called only for axes that apply. `base` is the spec as JSON.
    fn parts(&self, base: &Value, choose: impl Fn(usize) -> Vec<Value>) -> Proposal {
        let mut parts: Proposal = vec![None; self.axes.len()];
        for &axis in &self.order {
            let value = |key: &str| match self.holder(key) {
                Some((other, i)) if parts[other].is_some() => parts[other].as_ref().map(|part| &part[i]),
                _ => spec_value(base, key),
            };
            let holds = |(key, wanted): &(String, Value)| value(key).is_some_and(|found| same(found, wanted));
            if self.axes[axis].when.iter().all(holds) {
                parts[axis] = Some(choose(axis));
            }
        }
        parts
    }

    /// The axis of a key, and the key's index in it.
    fn holder(&self, key: &str) -> Option<(usize, usize)> {
        self.axes.iter().enumerate().find_map(|(i, axis)| Some((i, axis.keys.iter().position(|other| other == key)?)))
    }
}

impl Axis {
    fn len(&self) -> u64 {
        match &self.over {
            Choices::Rows(rows) => rows.len() as u64,
            Choices::Range(_) => 1,
        }
    }

    /// A row's index, or the position of a number in its range.
    pub(super) fn coordinate(&self, part: &[Value]) -> f64 {
        match &self.over {
            Choices::Rows(rows) => rows.iter().position(|row| row == part).unwrap_or(0) as f64,
            Choices::Range(range) => range.position(&part[0]),
        }
    }
}

/// The axes in the order of their keys in `written`; those without one, as no spec has them, last.
fn nesting(axes: &[Axis], written: &[String]) -> Vec<usize> {
    let first = |axis: &Axis| {
        let positions = axis.keys.iter().filter_map(|key| written.iter().position(|other| other == key));
        positions.min().unwrap_or(usize::MAX)
    };
    let mut nesting: Vec<usize> = (0..axes.len()).collect();
    nesting.sort_by_key(|axis| first(&axes[*axis]));
    nesting
}

/// The axes in an order in which each comes after those its conditions name. Circular conditions, which the spec module refuses, are
/// kept in the given order.
fn order(axes: &[Axis]) -> Vec<usize> {
    let depends = |axis: &Axis, other: usize| axis.when.iter().any(|(key, _)| axes[other].keys.contains(key));
    let mut order: Vec<usize> = Vec::new();
    while order.len() < axes.len() {
        let left: Vec<usize> = (0..axes.len()).filter(|i| !order.contains(i)).collect();
        let free = left.iter().copied().filter(|i| !left.iter().any(|other| depends(&axes[*i], *other)));
        let free: Vec<usize> = free.collect();
        order.extend(if free.is_empty() { left } else { free });
    }
    order
}

/// The spec's value of a key.
pub(in crate::plan) fn spec_value<'a>(base: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.').try_fold(base, |value, part| value.get(part))
}

/// Equality that treats 1 and 1.0 as the same.
pub(in crate::plan) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || (x.is_f64() || y.is_f64()) && x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        _ => a == b,
    }
}
