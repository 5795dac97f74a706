//! What a command does to the plan that its experiment has.

use std::collections::HashSet;

use anyhow::Result;
use taper::{
    execute::Prepared,
    format::{
        by_number,
        command::{shell_word, with_runs},
        counted, one_line,
    },
    store::{RunRecord, RunState, Store},
    warning::{Kind, Warning},
};

/// The warning that `list` and `report` will leave out completed runs which the experiment has now, because the plan with these runs replaces
/// its plan; `None` if the new plan has all of them. `only_planned`: nothing is trained now.
pub fn replaced_warning(
    store: &Store,
    experiment: &str,
    runs: &[Prepared],
    only_planned: bool,
) -> Result<Option<Warning>> {
    let known = store.experiments()?;
    if !known.iter().any(|other| other.name == experiment) {
        return Ok(None);
    }
    let kept: HashSet<&str> = runs.iter().map(|run| run.key.as_str()).collect();
    let left_out = store.runs_of(experiment)?;
    // Those of another experiment are listed there.
    let elsewhere = |run: &RunRecord| {
        known.iter().any(|other| other.name != experiment && other.runs.iter().any(|(key, _)| *key == run.key))
    };
    let is_left =
        |run: &&RunRecord| run.state == RunState::Completed && !kept.contains(run.key.as_str()) && !elsewhere(run);
    let left_out = left_out.iter().filter(is_left).count() as u64;
    let is_new = |name: &String| known.iter().all(|other| other.name != *name);
    let free = (2..).map(|n| format!("{experiment}-{n}")).find(is_new).unwrap_or_default();
    let command = |what: &str| with_runs(&format!("taper {what} {}", shell_word(experiment)), store.folder());
    let (replaces, will) =
        if only_planned { ("running this would replace", "would") } else { ("this replaces", "will") };
    Ok((left_out > 0).then(|| {
        let message = format!(
            "{replaces} the plan of `{}`, and {} of it {} not in the new one: `{}` {will} list {} separately, \
             unranked, and `{}` {will} leave {} out. To keep both plans, give the new one a name of its own: --set {}",
            one_line(experiment),
            counted(left_out, "completed run"),
            by_number(left_out, "is", "are"),
            command("list"),
            by_number(left_out, "it", "them"),
            command("report"),
            by_number(left_out, "it", "them"),
            shell_word(&format!("name={free}")),
        );
        Warning::new(Kind::Name, message)
    }))
}
