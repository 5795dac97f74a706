//! The runs of a plan: one line each, or one for the runs of a trial.

use anyhow::Result;
use taper::{
    event::FailureKind,
    execute::Prepared,
    format::{self, names},
    observe::swept_columns,
    plan::Estimate,
    store::{RunRecord, RunState},
};

use super::{
    output::{Output, last_unbroken, unbroken},
    stored::PlannedState,
};

/// The most trials that are listed on a terminal.
const MOST: usize = 20;

/// A time that rounds to [`NO_TIME`] is shown as [`LITTLE`].
pub const NO_TIME: &str = "0.0s";
const LITTLE: &str = "<0.1s";

/// A planned run and its state.
pub struct Line<'a> {
    pub run: &'a Prepared,
    pub state: PlannedState,
    pub estimate: Estimate,
    /// Whether the budget of the sweep leaves it out.
    pub beyond_budget: bool,
}

/// Whether `taper run` has anything left to do for a run, even if only the evaluation after its last step. Pruned and diverged runs are left
/// out.
pub fn is_open(line: &Line) -> bool {
    let done = |record: &RunRecord| matches!(record.state, RunState::Completed | RunState::Pruned) || diverged(record);
    line.state.again || !line.state.record.as_ref().is_some_and(done)
}

/// Whether the next `taper run` comes to it.
pub fn is_to_do(line: &Line) -> bool {
    is_open(line) && !line.beyond_budget
}

/// Whether a run has failed because it diverged.
pub fn diverged(record: &RunRecord) -> bool {
    record.state == RunState::Failed && record.failure == Some(FailureKind::Diverged)
}

/// The share of a run that is left; 0 if it is done.
pub fn left(line: &Line) -> f64 {
    match is_to_do(line) {
        false => 0.0,
        true if line.state.again => 1.0,
        true => 1.0 - line.state.resumes.unwrap_or(0) as f64 / line.estimate.steps.max(1) as f64,
    }
}

/// `~4.2s`.
fn about(seconds: f64) -> String {
    match format::duration(seconds) {
        none if none == NO_TIME => LITTLE.into(),
        time => format!("~{time}"),
    }
}

/// A reason that is said below the table, once for all runs that have it.
pub struct Shared<'a> {
    /// How these runs ended: `failed (diverged)`; `None` if they are new since the spec was changed.
    pub what: Option<String>,
    /// Why: that of the first of them.
    pub why: &'a str,
    /// How many they are.
    pub runs: usize,
    /// The reason without the numbers that differ from run to run.
    kind: String,
}

impl Shared<'_> {
    /// Whether it is also this reason, which may have other numbers.
    fn has(&self, why: &str) -> bool {
        self.kind == names::without_numbers(why)
    }
}

/// Changes that several runs have in common, and why runs failed, which is a sentence with advice.
pub fn shared_reasons<'a>(lines: &'a [Line]) -> Vec<Shared<'a>> {
    let mut shared: Vec<Shared> = Vec::new();
    for line in lines {
        let failed = line.state.record.as_ref().filter(|record| record.state == RunState::Failed);
        let what = match failed {
            Some(record) => Some(record.state_text()),
            None if line.state.changed => None,
            None => continue,
        };
        let Some(why) = line.state.why.as_deref() else { continue };
        let kind = names::without_numbers(why);
        match shared.iter_mut().find(|known| known.kind == kind && known.what == what) {
            Some(known) => known.runs += 1,
            None => shared.push(Shared { what, why, runs: 1, kind }),
        }
    }
    shared.retain(|reason| reason.runs > 1 || reason.what.is_some());
    shared
}

/// A run's state in words, without a reason that is said below the table.
fn state(line: &Line, shared: &[Shared]) -> String {
    let pruned = line.state.record.as_ref().filter(|record| record.state == RunState::Pruned);
    match (&line.state.why, pruned) {
        // It is said once, below.
        (Some(why), _) if shared.iter().any(|known| known.has(why)) => line.state.word.clone(),
        // The reason is a sentence, which `taper show` and the report have.
        (Some(_), Some(pruned)) => unbroken(&format!("{} at step {}", line.state.word, format::count(pruned.steps))),
        (Some(why), None) => format!("{}: {why}", line.state.word),
        // It does not resume.
        (None, _) if line.beyond_budget => {
            let record = line.state.record.as_ref().filter(|record| record.state == RunState::Interrupted);
            let word = record.map_or(line.state.word.as_str(), |record| record.state.word());
            unbroken(&format!("{word}: over budget"))
        }
        // Of a long one only the number keeps its word: `interrupted, resumes at step 1,234`.
        (None, _) => last_unbroken(&line.state.word),
    }
}

fn needs(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| format::NOTHING.into(), |bytes| format!("~{}", format::bytes(bytes)))
}

fn takes(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| format::NOTHING.into(), about)
}

/// Columns in the order in which they are left out: names and states come first.
const LEAST: [&str; 5] = ["disk", "memory", "time", "steps", "run"];

/// Every run.
pub fn each(lines: &[Line], shared: &[Shared], out: &mut Output) -> Result<()> {
    let rows = lines.iter().map(|line| {
        let e = &line.estimate;
        vec![
            format::short(&line.run.key).to_string(),
            line.run.name.clone(),
            state(line, shared),
            format::count(e.steps),
            takes(e.time_s.filter(|_| is_to_do(line)).map(|s| s * left(line))),
            needs(is_to_do(line).then_some(e.memory_bytes)),
            needs(is_to_do(line).then_some(e.kept_bytes)),
        ]
    });
    out.fitted(&["run", "name", "state", "steps", "time", "memory", "disk"], rows, &LEAST)
}

/// The first trials, one line each.
pub fn grouped(lines: &[Line], shared: &[Shared], out: &mut Output) -> Result<()> {
    let mut trials: Vec<Vec<&Line>> = Vec::new();
    for line in lines {
        match trials.iter_mut().find(|trial| trial[0].run.trial == line.run.trial) {
            Some(trial) => trial.push(line),
            None => trials.push(vec![line]),
        }
    }
    let shown = trials.len().min(MOST);
    // Of trials with one run each every line is a run.
    if trials.len() == lines.len() {
        each(&lines[..shown], shared, out)?;
    } else {
        let names: Vec<String> = trials.iter().map(|trial| name(trial, trials.len() > 1)).collect();
        let columns = swept_columns(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let columns = columns.unwrap_or_else(|| names::Columns {
            keys: vec!["trial".into()],
            values: names.iter().map(|name| vec![name.clone()]).collect(),
        });
        let over = format!("{}s", names::replicate(&run_names(&trials[0])));
        let header = ["state", "steps", "time", "memory", "disk"];
        let header: Vec<&str> = columns.keys.iter().map(String::as_str).chain([over.as_str()]).chain(header).collect();
        let rows = trials.iter().zip(columns.values).take(shown).map(|(trial, values)| {
            let own = [replicates(trial), states(trial, shared)].into_iter().chain(costs(trial));
            values.into_iter().chain(own).collect()
        });
        out.fitted(&header, rows, &LEAST)?;
    }
    match trials.len() - shown {
        0 => Ok(()),
        more => out.wrapped(&format!("… and {} (--all lists every run)", format::counted(more as u64, "more trial"))),
    }
}

fn run_names<'a>(trial: &[&'a Line]) -> Vec<&'a str> {
    trial.iter().map(|line| line.run.name.as_str()).collect()
}

fn name(trial: &[&Line], several: bool) -> String {
    names::common(&run_names(trial), several).to_string()
}

/// `1–3`, `1, 5 and 7`: the seeds, or the folds; the number of runs where both differ.
fn replicates(trial: &[&Line]) -> String {
    let seeds = || trial.iter().map(|line| line.run.config.train.seed);
    let folds = || trial.iter().filter_map(|line| line.run.config.data.fold).map(|fold| u64::from(fold.number()));
    match names::replicate(&run_names(trial)) {
        "seed" => spans(&seeds().collect::<Vec<_>>()),
        "fold" => spans(&folds().collect::<Vec<_>>()),
        _ => format::count(trial.len() as u64),
    }
}

/// Numbers in words; three or more that follow each other as a span.
fn spans(numbers: &[u64]) -> String {
    let mut groups: Vec<(u64, u64)> = Vec::new();
    for &number in numbers {
        match groups.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => groups.push((number, number)),
        }
    }
    let words = groups.into_iter().flat_map(|(first, last)| match last - first {
        0 => vec![first.to_string()],
        1 => vec![first.to_string(), last.to_string()],
        _ => vec![format!("{first}–{last}")],
    });
    words.collect::<Vec<_>>().join(", ")
}

/// `new`; where the runs differ `2 completed; 1 new`.
fn states(trial: &[&Line], shared: &[Shared]) -> String {
    if let Some(resumed) = resumed(trial) {
        return resumed;
    }
    let mut counts: Vec<(String, usize)> = Vec::new();
    for state in trial.iter().map(|line| state(line, shared)) {
        match counts.iter_mut().find(|(known, _)| *known == state) {
            Some((_, n)) => *n += 1,
            None => counts.push((state, 1)),
        }
    }
    match &counts[..] {
        [(all, _)] => all.clone(),
        counts => counts.iter().map(|(state, n)| format!("{n} {state}")).collect::<Vec<_>>().join("; "),
    }
}

/// `interrupted, resume at steps 195 and 171`; from three runs on `interrupted, resume at steps 171 to 195`. `None` unless all runs are
/// interrupted, and resume at different steps before their last.
fn resumed(trial: &[&Line]) -> Option<String> {
    let step = |line: &&Line| {
        let record = line.state.record.as_ref().filter(|record| record.state == RunState::Interrupted)?;
        line.state.resumes.filter(|step| *step < record.total_steps && !line.beyond_budget)
    };
    let steps: Vec<u64> = trial.iter().map(step).collect::<Option<_>>()?;
    Some(format!("{}, resume at steps {}", RunState::Interrupted.word(), unbroken(&different(&steps)?)))
}

/// `195 and 171`, `171 to 195`; `None` if all steps are the same.
fn different(steps: &[u64]) -> Option<String> {
    let (first, last) = (steps.iter().min()?, steps.iter().max()?);
    match steps {
        _ if first == last => None,
        [one, other] => Some(format!("{} and {}", format::count(*one), format::count(*other))),
        _ => Some(format!("{} to {}", format::count(*first), format::count(*last))),
    }
}

/// Steps of all runs, time of all that are to do, memory of one, and disk of all.
fn costs(trial: &[&Line]) -> [String; 4] {
    let to_do = || trial.iter().filter(|line| is_to_do(line));
    let steps = format::count(trial.iter().map(|line| line.estimate.steps).sum());
    let time: Option<f64> = to_do().map(|line| Some(line.estimate.time_s? * left(line))).sum();
    let any = to_do().next().is_some();
    [
        steps,
        takes(time.filter(|_| any)),
        needs(to_do().map(|line| line.estimate.memory_bytes).max()),
        needs(any.then(|| to_do().map(|line| line.estimate.kept_bytes).sum())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_several_runs_are_said_together_where_they_differ() {
        assert_eq!(different(&[195, 171]).as_deref(), Some("195 and 171"));
        assert_eq!(different(&[1950, 171, 300]).as_deref(), Some("171 to 1,950"));
        assert_eq!([different(&[5, 5]), different(&[5]), different(&[])], [None, None, None]);
    }

    #[test]
    fn seeds_that_follow_each_other_are_a_span() {
        assert_eq!(spans(&[1, 2, 3]), "1–3");
        assert_eq!(spans(&[1, 2]), "1, 2");
        assert_eq!(spans(&[1, 2, 3, 7, 9, 10, 11, u64::MAX]), format!("1–3, 7, 9–11, {}", u64::MAX));
        assert_eq!(spans(&[3, 2, 1]), "3, 2, 1");
        assert_eq!(spans(&[]), "");
    }
}
