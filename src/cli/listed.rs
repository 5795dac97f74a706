//! Which runs a short list shows, and what it says of those that it does not show, or that nothing trains any more.

use std::path::Path;

use taper::{
    format::{by_number, command::shell_word, counted, one_line},
    store::{RunRecord, RunState, folders_of_runs},
};

use super::output::Output;

/// The best trial of a plan.
pub struct Best {
    /// It and its value.
    pub text: String,
    /// Keys of its runs.
    pub runs: Vec<String>,
}

/// Moves those items that must be shown among the last `most`, if there is room for all of them: the last of the others stay there, and all
/// shown ones keep their order.
pub fn keep_among_the_last<T>(items: &mut Vec<T>, must_show: impl Fn(&T) -> bool, most: usize) {
    let wanted = items.iter().filter(|item| must_show(item)).count();
    let Some(mut room) = most.checked_sub(wanted) else { return };
    let mut is_shown: Vec<bool> = items.iter().map(&must_show).collect();
    for shown in is_shown.iter_mut().rev().filter(|shown| !**shown) {
        if room == 0 {
            break;
        }
        (*shown, room) = (true, room - 1);
    }
    // The others first; both in their order.
    let mut order: Vec<(bool, T)> = is_shown.into_iter().zip(std::mem::take(items)).collect();
    order.sort_by_key(|(is_shown, _)| *is_shown);
    items.extend(order.into_iter().map(|(_, item)| item));
}

/// That so many more runs of an experiment are not shown, and what shows them; `options`: those of the list that this command needs, too.
pub fn more_runs(more: usize, (experiment, options): (Option<&str>, &str), out: &Output) -> String {
    let more = counted(more as u64, "more run");
    let name = experiment.map_or(String::new(), |name| format!(" {}", shell_word(name)));
    format!("… and {more}: {}", out.command(&format!("taper list{name}{options} --limit 0")))
}

/// That there is no database in a folder, and what creates one.
pub fn no_store(folder: &Path, out: &Output) -> String {
    let (runs, run) = (folders_of_runs(folder), out.command("taper run SPEC"));
    let folder = folder.display().to_string();
    if runs > 0 {
        return format!(
            "{} has {} of runs, but no taper.db, which says what they are: restore it from a backup, or start over with `{run}`",
            one_line(&folder),
            counted(runs as u64, "folder")
        );
    }
    format!("no runs in {}; start some with `{run}`", one_line(&folder))
}

/// That an experiment has no runs, and what to do; `again`: the command that trains its plan.
pub fn no_runs(experiment: &str, again: &str, out: &Output) -> String {
    let (name, run) = (one_line(experiment), out.command(again));
    format!("no runs: those of `{name}` were removed; `{run}` trains them again")
}

/// That there is nothing to list; `whole_plans`: whether runs of all states were asked for; `experiment`: the one that was, and
/// the command that trains its plan.
pub fn nothing_listed(whole_plans: bool, experiment: Option<(&str, &str)>, out: &Output) -> String {
    match (whole_plans, experiment) {
        (false, _) => "no runs in that state".into(),
        (true, Some((wanted, again))) => no_runs(wanted, again, out),
        (true, None) => "no runs".into(),
    }
}

/// What to do with runs that no experiment has.
pub fn of_no_experiment(out: &Output) -> String {
    format!(
        "the experiments that planned these runs were removed: `{}` removes a run; `taper run` with a spec that plans the run adds it to \
         the experiment of that spec",
        out.command("taper rm RUN")
    )
}

/// What to do with runs outside the plan that are not trained to their end; `None` if there are none.
pub fn left_behind(runs: &[RunRecord], out: &Output) -> Option<String> {
    let is_left = |state| matches!(state, RunState::Pending | RunState::Waiting | RunState::Interrupted);
    let left = runs.iter().filter(|run| is_left(run.state)).map(|run| run.state);
    let n = left.clone().count() as u64;
    (n > 0).then(|| {
        let (it, a_run) = (by_number(n, "it", "them"), by_number(n, "it", "a run"));
        format!(
            "not trained to the end: {}; `{}` with a spec that plans {it} continues {it}, `{}` removes {a_run}",
            RunState::counted(left),
            out.command("taper run"),
            out.command("taper rm RUN")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_shown_is_among_the_last_in_order() {
        let of = |must: &[usize], most: usize| {
            let mut items: Vec<usize> = (0..8).collect();
            keep_among_the_last(&mut items, |item| must.contains(item), most);
            items[8usize.saturating_sub(most)..].to_vec()
        };
        assert_eq!(of(&[1, 6], 4), [1, 5, 6, 7]);
        assert_eq!(of(&[0, 1, 2], 4), [0, 1, 2, 7]);
        assert_eq!(of(&[6, 7], 4), [4, 5, 6, 7], "they are there already");
        assert_eq!(of(&[0, 1, 2], 2), [6, 7], "no room for all of them");
        assert_eq!(of(&[], 3), [5, 6, 7]);
        assert_eq!(of(&[0], 20), (0..8).collect::<Vec<_>>());
    }
}
