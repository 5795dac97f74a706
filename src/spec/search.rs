//! Checks the merged `[sweep]` for contradictions: between its axes, and between its rules and their settings.

use serde_json::Value;

use super::{
    conflicts::{Conflict, KeyPath, key},
    keys,
    schema::{Over, PruneRule, Search, Spec},
    suggest::choice_help,
};

/// All contradictions within the sweep.
pub(super) fn of_sweep(spec: &Spec) -> Vec<Conflict> {
    let mut found = Vec::new();
    let axes = axes(spec, &mut found);
    excluded(spec, &axes, &mut found);
    lengths(spec, &axes, &mut found);
    searched(spec, &axes, &mut found);
    compared(spec, &axes, &mut found);
    incomparable(&axes, &mut found);
    conditions(spec, &mut found);
    found
}

fn sweep(parts: &[&str]) -> KeyPath {
    ["sweep"].iter().chain(parts).map(|part| part.to_string()).collect()
}

/// Every swept key with the path of its axis, in the order of the axes.
fn axes<'a>(spec: &'a Spec, found: &mut Vec<Conflict>) -> Vec<(&'a str, KeyPath)> {
    let mut axes: Vec<(&str, KeyPath)> = Vec::new();
    let zipped = spec.sweep.zip.iter().enumerate();
    let all =
        (spec.sweep.axes.keys().map(|path| (path.as_str(), sweep(&["axes", path]))))
            .chain(zipped.flat_map(|(i, zip)| {
                zip.keys().map(move |path| (path.as_str(), sweep(&["zip", &i.to_string(), path])))
            }))
            .chain((!spec.sweep.seeds.is_empty()).then(|| ("train.seed", sweep(&["seeds"]))))
            .chain(spec.sweep.folds.map(|_| ("data.fold", sweep(&["folds"]))));
    for (path, axis) in all {
        // The runs of a trial differ in it, as in the seed: an axis would compare results on different rows.
        if path == "data.fold" && axis != sweep(&["folds"]) {
            found.push(Conflict {
                keys: vec![axis.clone()],
                message: "`data.fold` cannot be an axis: trials would be compared on different rows".into(),
                help: "set `sweep.folds` to train every trial on every fold".into(),
            });
            continue;
        }
        match axes.iter().find(|(other, _)| *other == path) {
            Some((_, first)) => found.push(Conflict {
                keys: vec![axis, first.clone()],
                message: format!("`{path}` is swept twice; it is also listed in `{}`", table_of(first)),
                help: "remove one of the two".into(),
            }),
            None => axes.push((path, axis)),
        }
    }
    axes
}

fn excluded(spec: &Spec, axes: &[(&str, KeyPath)], found: &mut Vec<Conflict>) {
    for (i, exclude) in spec.sweep.exclude.iter().enumerate() {
        if exclude.contains_key("data.fold") {
            found.push(Conflict {
                keys: vec![sweep(&["exclude", &i.to_string(), "data.fold"])],
                message: "`data.fold` cannot be excluded: the result of a trial needs all folds".into(),
                help: "remove it".into(),
            });
        }
        for path in exclude.keys().filter(|path| *path != "data.fold" && !axes.iter().any(|(swept, _)| swept == path)) {
            let help = match axes.is_empty() {
                true => "nothing is swept".to_string(),
                false => choice_help(path, axes.iter().map(|(path, _)| *path)),
            };
            found.push(Conflict {
                keys: vec![sweep(&["exclude", &i.to_string(), path])],
                message: format!("`{path}` is excluded but not swept"),
                help: help.into(),
            });
        }
    }
}

fn axis_path(axes: &[(&str, KeyPath)], path: &str) -> Option<KeyPath> {
    axes.iter().find(|(swept, _)| *swept == path).map(|(_, axis)| axis.clone())
}

fn lengths(spec: &Spec, axes: &[(&str, KeyPath)], found: &mut Vec<Conflict>) {
    let steps = axis_path(axes, "train.max_steps").or(spec.train.max_steps.map(|_| key("train.max_steps")));
    if let (Some(epochs), Some(steps)) = (axis_path(axes, "train.epochs"), steps) {
        found.push(Conflict {
            keys: vec![epochs, steps],
            message: "`train.epochs` is swept, but `train.max_steps` overrides it in every run".into(),
            help: "sweep `train.max_steps` alone, or remove it".into(),
        });
    }
}

/// Requirements and limits of the search.
fn searched(spec: &Spec, axes: &[(&str, KeyPath)], found: &mut Vec<Conflict>) {
    let search = spec.sweep.search;
    let name = search.name();
    if search == Search::Grid {
        let ranges = spec.sweep.axes.iter().filter(|(_, axis)| !matches!(axis.over, Over::Values(_)));
        found.extend(ranges.map(|(path, _)| Conflict {
            keys: vec![sweep(&["axes", path]), key("sweep.search")],
            message: format!("`{path}` is a range; a grid takes only lists of values"),
            help: "set `sweep.search` to \"random\", \"sobol\" or \"tpe\" and `sweep.trials`, or list values".into(),
        }));
        return;
    }
    if spec.sweep.trials.is_none() {
        found.push(Conflict {
            keys: vec![key("sweep.search"), key("sweep.trials")],
            message: format!("`sweep.search` = \"{name}\" needs `sweep.trials`, the number of points to try"),
            help: "set it, for example trials = 20".into(),
        });
    }
    if spec.sweep.axes.is_empty() && spec.sweep.zip.is_empty() {
        found.push(Conflict {
            keys: vec![key("sweep.search"), key("sweep.axes"), key("sweep.zip"), key(keys::UNKNOWN_AXES)],
            message: format!("`sweep.search` = \"{name}\" has no axes to draw from"),
            help: "name what is varied in `[sweep.axes]`, or remove `sweep.search`".into(),
        });
    }
    if let Some(axis) = axis_path(axes, "train.seed").filter(|axis| *axis != sweep(&["seeds"])) {
        found.push(Conflict {
            keys: vec![axis, key("sweep.search")],
            message: format!("`train.seed` is an axis, but \"{name}\" compares points by their mean over seeds"),
            help: "list them as `sweep.seeds`".into(),
        });
    }
}

/// Keys whose values cannot be compared by a score.
fn incomparable(axes: &[(&str, KeyPath)], found: &mut Vec<Conflict>) {
    let without_decision = "trials are compared without thresholds and temperature, so all of them would be equal";
    for (path, why, help) in [
        ("data.problem_type", "each problem type has metrics of its own", "write one experiment for each problem type"),
        (
            "data.thresholds",
            without_decision,
            "set it to \"tuned\": the results are shown with the thresholds and without them",
        ),
        ("data.threshold_metric", without_decision, "set it to one metric"),
        (
            "data.calibrate",
            without_decision,
            "set it to true: the results are shown with the temperature and without it",
        ),
    ] {
        if let Some(axis) = axis_path(axes, path) {
            let message = format!("`{path}` cannot be swept: {why}");
            found.push(Conflict { keys: vec![axis], message, help: help.into() });
        }
    }
}

/// Trials are compared by a metric, so all must have the same one.
fn compared(spec: &Spec, axes: &[(&str, KeyPath)], found: &mut Vec<Conflict>) {
    let rule = match (spec.sweep.search, spec.sweep.prune) {
        (Search::Tpe, _) => "sweep.search",
        (_, PruneRule::Median | PruneRule::Asha) => "sweep.prune",
        _ => return,
    };
    if let Some(axis) = axis_path(axes, "checkpoint.metric") {
        found.push(Conflict {
            keys: vec![axis, key(rule)],
            message: format!("`checkpoint.metric` is swept, but `{rule}` compares trials by it"),
            help: "set it to one metric".into(),
        });
    }
}

/// Circular conditions, and conditions that no point satisfies.
fn conditions(spec: &Spec, found: &mut Vec<Conflict>) {
    let axes = &spec.sweep.axes;
    if axes.values().all(|axis| axis.when.is_empty()) {
        return;
    }
    let base = serde_json::to_value(spec).unwrap_or_default();
    for (path, axis) in axes {
        if let Some(circle) = circle(spec, path).filter(|circle| circle.iter().all(|other| path.as_str() <= *other)) {
            let chain: Vec<_> = circle.iter().chain([&path.as_str()]).map(|path| format!("`{path}`")).collect();
            found.push(Conflict {
                keys: circle.iter().map(|path| sweep(&["axes", path])).collect(),
                message: format!("the conditions of `when` are circular: {}", chain.join(" → ")),
                help: "remove one of the conditions".into(),
            });
        }
        for (other, wanted) in axis.when.iter().filter(|(other, wanted)| !possible(spec, &base, other, wanted)) {
            let swept = axes.contains_key(other) || spec.sweep.zip.iter().any(|zip| zip.contains_key(other));
            let why = match swept {
                true => "a value that it never has".to_string(),
                false => format!("but it is {} and not swept", shown(value_of(&base, other))),
            };
            found.push(Conflict {
                keys: vec![sweep(&["axes", path]), key(other)],
                message: format!("`{path}` is varied only when `{other}` = {}, {why}", shown(wanted)),
                help: format!("give `{other}` that value, or remove the condition").into(),
            });
        }
    }
}

/// The axes that lead from `from` back to it, each conditional on the next.
fn circle<'a>(spec: &'a Spec, from: &'a str) -> Option<Vec<&'a str>> {
    fn follow<'a>(spec: &'a Spec, chain: &mut Vec<&'a str>, seen: &mut Vec<&'a str>) -> bool {
        let last = chain[chain.len() - 1];
        let next = spec.sweep.axes.get(last).into_iter().flat_map(|axis| axis.when.keys());
        for other in next {
            if other == chain[0] {
                return true;
            }
            if !seen.contains(&other.as_str()) {
                seen.push(other);
                chain.push(other);
                if follow(spec, chain, seen) {
                    return true;
                }
                chain.pop();
            }
        }
        false
    }
    let mut chain = vec![from];
    follow(spec, &mut chain, &mut vec![from]).then_some(chain)
}

/// Whether a key has the value at some point.
fn possible(spec: &Spec, base: &Value, path: &str, wanted: &Value) -> bool {
    let of_zip = spec.sweep.zip.iter().find_map(|zip| zip.get(path));
    let drawn = |over: &Over| match over {
        Over::Values(values) => values.contains(wanted),
        Over::Int(low, high) => wanted.as_u64().is_some_and(|wanted| (*low..=*high).contains(&wanted)),
        // A single number out of a range will practically not be drawn.
        Over::Log(..) | Over::Uniform(..) => false,
    };
    match (spec.sweep.axes.get(path), of_zip) {
        (Some(axis), _) => drawn(&axis.over) || !axis.when.is_empty() && value_of(base, path) == wanted,
        (None, Some(values)) => values.contains(wanted),
        (None, None) => value_of(base, path) == wanted,
    }
}

/// The spec's value of a key outside its sweep.
fn value_of<'a>(base: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(base, |value, part| &value[part])
}

fn shown(value: &Value) -> String {
    if value.is_null() { "not set".into() } else { value.to_string() }
}

/// A key that belongs to a rule of the sweep.
pub(super) struct Owned {
    pub key: &'static str,
    /// The keys that choose the rule.
    pub rules: &'static [&'static str],
    pub message: String,
}

/// Keys that the chosen rules do not read. The layers know whether they were set explicitly.
pub(super) fn unread(spec: &Spec) -> Vec<Owned> {
    let (search, prune) = (spec.sweep.search, spec.sweep.prune);
    const SEARCH: &[&str] = &["sweep.search"];
    const PRUNE: &[&str] = &["sweep.prune"];
    let searched = format!("`sweep.search` is \"{}\"", search.name());
    let grid = "`sweep.search` is \"grid\", which takes every point";
    let pruned = format!(
        "`sweep.prune` is {}",
        match prune {
            PruneRule::None => "\"none\"",
            PruneRule::Median => "\"median\"",
            PruneRule::Asha => "\"asha\"",
        }
    );
    let all: [(_, &[&str], _, &str, &str); 6] = [
        ("sweep.trials", SEARCH, search != Search::Grid, "a search", grid),
        ("sweep.search_seed", SEARCH, search != Search::Grid, "a search", grid),
        ("sweep.batch", SEARCH, search == Search::Tpe, "`sweep.search` = \"tpe\"", &searched),
        (
            "sweep.startup_trials",
            &["sweep.search", "sweep.prune"],
            search == Search::Tpe || prune == PruneRule::Median,
            "`sweep.search` = \"tpe\" or `sweep.prune` = \"median\"",
            &format!("{searched} and {pruned}"),
        ),
        ("sweep.reduction_factor", PRUNE, prune == PruneRule::Asha, "`sweep.prune` = \"asha\"", &pruned),
        ("sweep.rungs", PRUNE, prune == PruneRule::Asha, "`sweep.prune` = \"asha\"", &pruned),
    ];
    let unread = all.into_iter().filter(|(.., read, _, _)| !read);
    unread
        .map(|(key, rules, _, what, but)| Owned {
            key,
            rules,
            message: format!("`{key}` applies only to {what}, but {but}"),
        })
        .collect()
}

/// `sweep.axes` of `sweep.axes.train.lr`.
fn table_of(path: &[String]) -> String {
    path[..path.len().min(2)].join(".")
}
