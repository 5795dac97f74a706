//! What a sweep varies: axes, some of which count only where others have a certain value.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value;

use super::{Place, ranges::Range};
use crate::{
    plan::{PlanError, planned::SEED},
    spec::{Over, Sweep},
};

/// Swept keys and their values, in the order of the axes.
pub(in crate::plan) type Point = Vec<(String, Value)>;

/// The axes of a sweep but its seeds, the outermost first.
pub(in crate::plan) struct Space {
    axes: Vec<Axis>,
    /// The axes once more, those on which others depend before them.
    order: Vec<usize>,
}

/// Keys that change together.
pub(super) struct Axis {
    name: String,
    keys: Vec<String>,
    pub(super) over: Choices,
    /// Keys and the values they need to have.
    when: Vec<(String, Value)>,
}

/// What an axis can be.
pub(super) enum Choices {
    /// One of these rows, with a value in a row for each key.
    Rows(Vec<Vec<Value>>),
    /// A number, of the one key.
    Range(Range),
}

/// A point that is proposed, by what it has of each axis: the values of its keys; `None` where the axis does not count.
pub type Proposal = Vec<Option<Vec<Value>>>;

impl Space {
    /// The axes of a sweep, then its zips.
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
        Ok(Self { axes, order })
    }

    pub(super) fn axes(&self) -> impl Iterator<Item = &Axis> {
        self.axes.iter()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.axes.iter().map(|axis| axis.name.as_str())
    }

    /// Every key with its values; without any where it has a range.
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

    /// The first key with a range: a grid has none.
    pub(in crate::plan) fn range(&self) -> Option<&str> {
        self.axes.iter().find(|axis| matches!(axis.over, Choices::Range(_))).map(|axis| axis.name.as_str())
    }

    /// Points of the grid, those included that mean the same because of conditions; `None` beyond 2^64.
    pub(in crate::plan) fn count(&self) -> Option<u64> {
        self.axes.iter().try_fold(1u64, |count, axis| count.checked_mul(axis.len()))
    }

    /// The grid's point with number `index`: its digits in the mixed radix of the axes' lengths, the last axis the lowest.
    /// `None` where an axis that does not count is beyond its first value: that point has been.
    pub(in crate::plan) fn of_grid(&self, mut index: u64, base: &Value) -> Option<Proposal> {
        let mut digits = vec![0; self.axes.len()];
        for (axis, digit) in self.axes.iter().zip(&mut digits).rev() {
            *digit = (index % axis.len()) as usize;
            index /= axis.len();
        }
        let parts = self.parts(base, |axis| match &self.axes[axis].over {
            Choices::Rows(rows) => rows[digits[axis]].clone(),
            Choices::Range(range) => vec![range.number(0.0)],
        });
        let first = parts.iter().zip(&digits).all(|(part, digit)| part.is_some() || *digit == 0);
        first.then_some(parts)
    }

    /// The point at a place.
    pub(in crate::plan) fn at(&self, place: &Place, base: &Value) -> Proposal {
        self.parts(base, |axis| match &self.axes[axis].over {
            Choices::Rows(rows) => rows[((place[axis] * rows.len() as f64) as usize).min(rows.len() - 1)].clone(),
            Choices::Range(range) => vec![range.number(place[axis])],
        })
    }

    /// Whether these parts are such as the axes have.
    pub(in crate::plan) fn takes(&self, parts: &Proposal) -> bool {
        let fits =
            |(axis, part): (&Axis, &Option<Vec<Value>>)| part.as_ref().is_none_or(|p| p.len() == axis.keys.len());
        parts.len() == self.axes.len() && self.axes.iter().zip(parts).all(fits)
    }

    /// Proposal as pairs of key and value.
    pub(in crate::plan) fn point(&self, parts: &Proposal) -> Point {
        let pairs = self.axes.iter().zip(parts).filter_map(|(axis, part)| Some((axis, part.as_ref()?)));
        pairs.flat_map(|(axis, part)| axis.keys.iter().cloned().zip(part.iter().cloned())).collect()
    }

    /// `choose` gives an axis its values; it is asked only for those that count. `base` is the spec as JSON.
    fn parts(&self, base: &Value, choose: impl Fn(usize) -> Vec<Value>) -> Proposal {
        let mut parts: Proposal = vec![None; self.axes.len()];
        for &axis in &self.order {
            let value = |key: &str| match self.holder(key) {
                Some((other, i)) if parts[other].is_some() => parts[other].as_ref().map(|part| &part[i]),
                _ => said(base, key),
            };
            let holds = |(key, wanted): &(String, Value)| value(key).is_some_and(|found| same(found, wanted));
            if self.axes[axis].when.iter().all(holds) {
                parts[axis] = Some(choose(axis));
            }
        }
        parts
    }

    /// The axis of a key, and which of its keys it is.
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

    /// Where a part lies: a row's number, or the place of a number in its range.
    pub(super) fn place(&self, part: &[Value]) -> f64 {
        match &self.over {
            Choices::Rows(rows) => rows.iter().position(|row| row == part).unwrap_or(0) as f64,
            Choices::Range(range) => range.place(&part[0]),
        }
    }
}

/// The axes in an order in which each comes after those its conditions name. Conditions in a circle, which the spec room
/// refuses, are taken as the axes stand.
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

/// What the spec says of a key outside its sweep.
pub(in crate::plan) fn said<'a>(base: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.').try_fold(base, |value, part| value.get(part))
}

/// Equality in which 1 is 1.0.
pub(in crate::plan) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || (x.is_f64() || y.is_f64()) && x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same(x, y)),
        _ => a == b,
    }
}
