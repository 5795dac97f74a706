//! Warnings for settings that are legal but have no effect, or probably not the intended one. They compare layers: a value in a
//! lower layer that a higher one overrides is named with both positions.

use super::{
    Over,
    conflicts::key,
    layer::Origin,
    merged::Merged,
    node::Node,
    schema::{Spec, Sweep},
    variables::misspelt,
};
use crate::{
    cluster::TimeLimit,
    format::counted,
    warning::{Kind, Warning},
};

/// All warnings of this kind: about environment variables, overridden keys, and exclusions.
pub(super) fn of_spec(merged: &Merged, spec: &Spec, environment: &[(String, String)]) -> Vec<Warning> {
    let mut found: Vec<Warning> = misspelt(environment).map(|message| Warning::new(Kind::Training, message)).collect();
    found.extend(overridden(merged, spec).into_iter().map(|message| Warning::new(Kind::Training, message)));
    found.extend(without_unit(merged, spec).into_iter().map(|message| Warning::new(Kind::Training, message)));
    found.extend(excluded(&spec.sweep).into_iter().map(|message| Warning::new(Kind::Sweep, message)));
    found
}

/// Keys without effect beside another. If a sweep varies one of the two, it may have an effect in some runs.
fn overridden(merged: &Merged, spec: &Spec) -> Vec<String> {
    let swept = |path: &str| merged.is_swept(path);
    let written = |path: &str| merged.written(path).filter(|_| !swept(path));
    let train = &spec.train;
    let mut found = Vec::new();
    // Steps in a higher layer are meant to override epochs in a lower one.
    if let (Some(steps), Some(epochs), Some(max)) =
        (written("train.max_steps"), written("train.epochs"), train.max_steps)
        && merged.rank("train.epochs") >= merged.rank("train.max_steps")
    {
        found.push(format!(
            "train.epochs = {} ({epochs}) has no effect: train.max_steps = {max} ({steps}) overrides it; change or \
             remove train.max_steps instead",
            train.epochs
        ));
    }
    if let (Some(names), false) = (written("train.no_decay"), swept("train.weight_decay"))
        && !train.no_decay.is_empty()
        && train.weight_decay == 0.0
    {
        found.push(format!("train.no_decay ({names}) has no effect: train.weight_decay is 0, so nothing decays"));
    }
    let seeds = &spec.sweep.seeds;
    if let (Some(written), true, false) =
        (merged.written("sweep.seeds"), seeds.is_empty(), merged.overrides("sweep.seeds"))
    {
        found.push(format!(
            "sweep.seeds ({written}) is an empty list and has no effect: every point is trained once, with train.seed = {}; list the seeds, \
             such as [1, 2, 3], or remove it",
            train.seed
        ));
    }
    let seed = merged.written("train.seed").or((!seeds.is_empty()).then(|| "sweep.seeds".into()));
    let fixed = train.init_seed.is_some() && train.order_seed.is_some() && train.dropout == Some(0.0);
    let varied = ["train.init_seed", "train.order_seed", "train.dropout"].into_iter().any(swept);
    if let (Some(seed), true, false) = (seed, fixed, varied) {
        found.push(format!(
            "train.seed ({seed}) has no effect: train.init_seed and train.order_seed are set, and train.dropout is 0"
        ));
    }
    found
}

/// Amounts for Slurm without a unit that are too small to be meant as Slurm reads them.
fn without_unit(merged: &Merged, spec: &Spec) -> Vec<String> {
    /// A number of gigabytes of a node is below this; so many megabytes are too few to train in.
    const MEBIBYTES: u64 = 1024;
    /// A limit of so many minutes is usually meant in hours: 8, 12, 24.
    const MINUTES: u64 = 30;
    /// So few minutes, written as `4:00`, are usually hours; `30:00` is as likely meant as Slurm reads it.
    const CLOCK: u64 = 10;
    let slurm = &spec.slurm;
    let at = |key: &str| merged.written(key).map_or_else(String::new, |written| format!(" ({written})"));
    let mut found = Vec::new();
    if let Some(mem) = slurm.mem.as_deref()
        && let Ok(number @ 1..MEBIBYTES) = mem.parse::<u64>()
    {
        found.push(format!(
            "slurm.mem = {mem}{} has no unit, and Slurm reads it as {number} MiB, in which hardly any run can train: for {number} GiB, write \
             \"{number}G\" (or \"{number}M\" if that is meant)",
            at("slurm.mem")
        ));
    }
    let Some(time) = slurm.time.as_deref() else { return found };
    let parts: Vec<&str> = time.split(':').collect();
    if let Some(TimeLimit::Seconds(seconds)) = TimeLimit::read(time)
        && !time.contains('-')
    {
        let (minutes, rest) = (seconds / 60, seconds % 60);
        let read = match rest {
            0 => counted(minutes, "minute"),
            rest => format!("{} and {}", counted(minutes, "minute"), counted(rest, "second")),
        };
        let meant = match parts[..] {
            [number] if minutes < MINUTES => {
                format!("for {number} hours, write \"{number}:00:00\" (or \"0:{minutes:02}:00\" if that is meant)")
            }
            [first, second] if minutes < CLOCK => format!(
                "for hours and minutes, write \"{first}:{second}:00\" (or \"0:{minutes:02}:{rest:02}\" if that is meant)"
            ),
            _ => return found,
        };
        found.push(format!("slurm.time = \"{time}\"{} is {read} for Slurm: {meant}", at("slurm.time")));
    }
    found
}

/// Exclusions that match no point because their key never has the value.
fn excluded(sweep: &Sweep) -> Vec<String> {
    let mut found = Vec::new();
    for exclude in &sweep.exclude {
        for (path, value) in exclude {
            let Some(values) = values_of(sweep, path) else { continue };
            let Some(wanted) = Node::from_json(value) else { continue };
            let nodes: Vec<Node> = values.iter().filter_map(Node::from_json).collect();
            if !nodes.iter().any(|node| node.same(&wanted)) {
                const SHOWN: usize = 10;
                let mut shown: Vec<String> = nodes.iter().take(SHOWN).map(Node::to_string).collect();
                if nodes.len() > SHOWN {
                    shown.push("…".into());
                }
                found.push(format!(
                    "[[sweep.exclude]] of {path} = {wanted} excludes nothing: the sweep varies {path} over {}",
                    shown.join(", ")
                ));
            }
        }
    }
    found
}

/// The values of a swept key; `None` for a range.
fn values_of(sweep: &Sweep, path: &str) -> Option<Vec<serde_json::Value>> {
    if let Some(axis) = sweep.axes.get(path) {
        return match &axis.over {
            Over::Values(values) => Some(values.clone()),
            Over::Log(..) | Over::Uniform(..) | Over::Int(..) => None,
        };
    }
    if path == "train.seed" {
        return Some(sweep.seeds.iter().map(|seed| (*seed).into()).collect());
    }
    sweep.zip.iter().find_map(|table| table.get(path).cloned())
}

impl Merged {
    /// Where the effective value was written, as users can find it: `a.toml:7`, `--set train.lr=1e-4`, a variable's name. `None` for
    /// built-in defaults.
    pub(super) fn written(&self, path: &str) -> Option<String> {
        let path = key(path);
        let (layer, profile) = self.layer(self.value(&path)?)?;
        let node = layer.find(profile, &path)?;
        match &layer.origin {
            Origin::Default => None,
            Origin::File(_) => Some(layer.location(node.span.clone()).line()),
            Origin::Variable(name) => Some(name.clone()),
            Origin::Set(argument) => Some(format!("--set {argument}")),
        }
    }
}
