//! The state of several runs: how far each trial is, which one leads, and how long all will take. Pure: events and the time in, lines
//! and a table out.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    PlannedSweep, RunInfo,
    board::{Board, Row},
    forecast::{self, Pace, Part},
    lines::{Line, Tone},
    run_status::{RunStatus, TrialView},
    swept::swept_columns,
};
use crate::{
    event::{Event, Outcome},
    format::{by_number, duration, names},
    metrics::better_first,
    plan::{Allowed, Batches, Budget, Claim, Promotions, Prune, Rung, sanity::CHOSEN_ON_TEST},
    store::RunState,
};

/// Seconds, and steps of a run, before its speed is meaningful.
const WARM_UP: (f64, u64) = (1.0, 5);
/// Seconds: less than this is shown as none.
const LEAST_LEFT: f64 = 0.05;

/// Seconds without a run after which another command is taken to have ended.
const BETWEEN_RUNS_S: f64 = 10.0;

/// What a forecast of promotions depends on: the rule, the number of trials, the batches, and rungs and last step of a run of each known trial.
type Forecast = (Prune, usize, Option<Batches>, Vec<(Vec<Rung>, u64)>);

/// The time spent by this command so far.
#[derive(Debug, Default)]
struct Spent {
    /// Cost of the steps.
    cost: f64,
    /// Seconds of runs from their first step to their end.
    training_s: f64,
    /// How many runs started here and reached their first step; seconds from the end of the run before each to that step.
    begins: f64,
    begin_s: f64,
    /// For runs that have started: when their slot was free. For those that have a step: when the first one was.
    begun: HashMap<String, f64>,
    stepping: HashMap<String, f64>,
    /// When slots that are free now became so.
    free: Vec<f64>,
}

impl Spent {
    fn add(&mut self, run: &str, event: &Event, cost: f64, now_s: f64) {
        match event {
            Event::RunStarted { .. } => {
                let since = if self.free.is_empty() { now_s } else { self.free.remove(0) };
                self.begun.insert(run.into(), since);
            }
            Event::StepCompleted(_) => {
                self.cost += cost;
                if let Some(since) = self.begun.remove(run) {
                    self.begins += 1.0;
                    self.begin_s += now_s - since;
                    self.stepping.insert(run.into(), now_s);
                }
            }
            Event::RunFinished(_) => {
                // A run that ends while it waits has no slot.
                let stepping = self.stepping.remove(run);
                if self.begun.remove(run).is_some() || stepping.is_some() {
                    self.free.push(now_s);
                }
                self.training_s += stepping.map_or(0.0, |since| now_s - since);
            }
            _ => {}
        }
    }

    fn pace(&self, now_s: f64, slots: usize) -> Option<Pace> {
        let training_s = self.training_s + self.stepping.values().map(|since| now_s - since).sum::<f64>();
        (self.cost > 0.0 && training_s > 0.0).then(|| Pace {
            of_cost: training_s / self.cost,
            of_begin: self.of_begin(),
            slots,
        })
    }

    /// Seconds from a free slot to the first step of a run; 0 before that is known.
    fn of_begin(&self) -> f64 {
        if self.begins > 0.0 { self.begin_s / self.begins } else { 0.0 }
    }
}

/// The state of the runs of one command while it shows them.
#[derive(Debug)]
pub(super) struct LiveSweep {
    members: HashMap<String, RunStatus>,
    /// The experiment and how many runs it has.
    title: String,
    /// Their keys, in the order of the plan.
    order: Vec<String>,
    /// Runs that the search will still propose.
    to_come: usize,
    prune: Prune,
    /// How many trials it promotes: the forecast of the plan.
    promotions: Option<Promotions>,
    /// What `promotions` is of.
    promotions_of: Forecast,
    /// The numbers of the rungs that any run has.
    rungs: Vec<usize>,
    budget: Budget,
    by_dev: bool,
    /// Number of runs, from the events.
    told_of: usize,
    /// When the first run started here.
    began_s: Option<f64>,
    spent: Spent,
    /// Whether a run has ended or paused here: from then on the pace is measured, not extrapolated from steps.
    paced: bool,
    /// Whether another process trains the runs.
    watched: bool,
    /// The most runs that train at the same time.
    slots: usize,
    /// Runs that other commands train at the same time, and when one was seen last.
    others: usize,
    others_seen_s: f64,
    /// Notes by their text without numbers, with the runs that reported them: most notes are the same in all runs of a sweep.
    said: Vec<(String, String, HashSet<String>)>,
}

impl Default for LiveSweep {
    fn default() -> Self {
        Self {
            members: HashMap::new(),
            title: String::new(),
            order: Vec::new(),
            to_come: 0,
            prune: Prune::None,
            promotions: None,
            promotions_of: (Prune::None, 0, None, Vec::new()),
            rungs: Vec::new(),
            budget: Budget::default(),
            by_dev: true,
            told_of: 0,
            began_s: None,
            spent: Spent::default(),
            paced: false,
            watched: false,
            slots: 0,
            others: 0,
            others_seen_s: 0.0,
            said: Vec::new(),
        }
    }
}

impl LiveSweep {
    /// Handles the plan of the command.
    pub fn planned(&mut self, sweep: &PlannedSweep) {
        (self.to_come, self.prune, self.budget) = (sweep.to_come, sweep.prune, sweep.budget);
        self.title = sweep.title();
        let mut known = HashSet::new();
        let of_trials = sweep.runs.iter().filter(|run| known.insert(run.trial));
        let courses: Vec<_> = of_trials.map(|run| (run.rungs.clone(), run.total_steps)).collect();
        let runs_of_trial = sweep.runs.len().div_ceil(courses.len().max(1)).max(1);
        let trials = courses.len() + sweep.to_come / runs_of_trial;
        // The simulation takes milliseconds, and a plan is often told again.
        let of = (self.prune, trials, sweep.batches, courses);
        if self.promotions_of != of {
            let courses: Vec<_> = of.3.iter().map(|(rungs, total)| (&rungs[..], *total)).collect();
            self.promotions = Promotions::by(&self.prune, trials as u64, sweep.batches, &courses);
            self.promotions_of = of;
        }
        let numbers = sweep.runs.iter().flat_map(|run| &run.rungs).map(|rung| rung.number);
        self.rungs = numbers.collect::<BTreeSet<usize>>().into_iter().collect();
        self.by_dev = sweep.runs.iter().all(|run| run.has_dev);
        for run in &sweep.runs {
            let by_dev = self.by_dev;
            self.member(&run.key, &run.name, run.trial).plan(run, by_dev);
        }
        self.others = self.others.max(self.elsewhere());
    }

    /// Runs that another command trains now.
    fn elsewhere(&self) -> usize {
        self.members.values().filter(|m| m.runs_elsewhere()).count()
    }

    /// Handles the progress that another process made with a planned run.
    pub fn caught_up(&mut self, run: &RunInfo, now: (RunState, u64), past: &[Event]) {
        if let Some(member) = self.members.get_mut(&run.key) {
            member.caught_up(&run.key, now, past);
        }
        self.others = self.others.max(self.elsewhere());
    }

    /// Whether runs are compared on the dev split: only if all of them have one.
    pub fn by_dev(&self) -> bool {
        self.by_dev
    }

    fn member(&mut self, key: &str, name: &str, trial: usize) -> &mut RunStatus {
        if !self.members.contains_key(key) {
            self.order.push(key.into());
        }
        self.members.entry(key.into()).or_insert_with(|| RunStatus::new(name, trial))
    }

    /// Handles an event at a time in seconds and returns the lines to print: none for steps and probes.
    pub fn tell(&mut self, run: &RunInfo, event: &Event, now_s: f64) -> Vec<Line> {
        self.told_of = self.told_of.max(run.position.1);
        let alone = self.order.len();
        let most = self.budget.seconds.filter(|_| matches!(event, Event::RunFinished(Outcome::Interrupted)));
        let spent = most.map(|most| self.members.values().map(|member| member.trained_s).sum::<f64>() >= most);
        let member = self.member(&run.key, &run.name, alone);
        if let Some(spent) = spent {
            member.view.beyond_budget = spent;
        }
        let before = member.view.step;
        let mut lines = member.tell(run, event);
        if matches!(event, Event::Warned(_)) {
            // They are stored, and the end of the command says each once, with all runs that it is about; a command that ends with an error leaves
            // them to `show` and the report.
            lines.clear();
        }
        let cost = member.view.step.saturating_sub(before) as f64 * member.step_cost;
        self.spent.add(&run.key, event, cost, now_s);
        match event {
            Event::RunStarted { .. } => _ = self.began_s.get_or_insert(now_s),
            Event::RunFinished(_) => self.paced |= self.spent.cost > 0.0,
            Event::Note { .. } => {
                lines.retain(|line| is_new(&mut self.said, &line.text, &run.key));
            }
            _ => {}
        }
        self.slots = self.slots.max(self.members.values().filter(|m| m.runs_here()).count());
        match self.elsewhere() {
            // Between two of its runs another command trains none for a moment.
            0 if now_s - self.others_seen_s > BETWEEN_RUNS_S => self.others = 0,
            0 => {}
            _ => self.others_seen_s = now_s,
        }
        let (which, all) = (run.position.0, self.all());
        // Lines about the start and the end already contain the run's name.
        let named = matches!(event, Event::RunStarted { .. } | Event::RunFinished(_));
        let prefix = match named {
            true => format!("[{which}/{all}] "),
            false => format!("[{which}/{all}] {}: ", run.name),
        };
        lines.iter_mut().for_each(|line| line.text.insert_str(0, &prefix));
        lines
    }

    /// Notes that several runs reported: `note: … (in 12 runs of this command)`.
    pub fn repeated(&self) -> Vec<String> {
        let several = self.said.iter().filter(|(_, _, runs)| runs.len() > 1);
        several.map(|(_, text, runs)| format!("{text} (in {} runs of this command)", runs.len())).collect()
    }

    /// Sets the pace from stored runs: work of cost `cost` was done within `took_s`, with `slots` runs at a time.
    pub fn set_pace(&mut self, cost: f64, took_s: f64, slots: usize) {
        (self.began_s, self.slots, self.paced, self.watched) = (Some(0.0), slots, cost > 0.0, true);
        // All commands are others, and the slots are theirs.
        self.others = 0;
        self.spent.cost = cost;
        self.spent.training_s = took_s * slots as f64;
    }

    /// Adds a stored run.
    pub fn add(&mut self, key: String, member: RunStatus) {
        if !self.members.contains_key(&key) {
            self.order.push(key.clone());
        }
        self.members.insert(key, member);
    }

    /// Number of runs: those known and those that the search will still propose.
    fn all(&self) -> usize {
        (self.members.len() + self.to_come).max(self.told_of)
    }

    fn trials(&self) -> Vec<TrialView<'_>> {
        let mut trials: Vec<TrialView> = Vec::new();
        let mut position_of: HashMap<usize, usize> = HashMap::new();
        for member in self.order.iter().filter_map(|key| self.members.get(key)) {
            let at = *position_of.entry(member.trial).or_insert_with(|| {
                trials.push(TrialView { number: member.trial, members: Vec::new() });
                trials.len() - 1
            });
            trials[at].members.push(member);
        }
        trials
    }

    /// The table at a time in seconds.
    pub fn board(&self, now_s: f64) -> Board {
        let trials = self.trials();
        let several = trials.len() > 1;
        let trial_names: Vec<String> = trials.iter().map(|trial| trial.name(several)).collect();
        let columns = swept_columns(&trial_names.iter().map(String::as_str).collect::<Vec<_>>());
        let (keys, values) = match columns {
            Some(columns) => (columns.keys, columns.values),
            None => (vec!["trial".into()], trial_names.iter().map(|name| vec![name.clone()]).collect()),
        };
        let short = names::distinct(&trial_names.iter().map(String::as_str).collect::<Vec<_>>());
        let leader = leader(&trials);
        let rank = |i: usize| {
            let state = match (Some(i) == leader, trials[i].state()) {
                (true, _) => 0,
                (_, RunState::Running) => 1,
                (_, RunState::Completed | RunState::Waiting | RunState::Interrupted) => 2,
                (_, RunState::Failed) => 3,
                (_, RunState::Pending | RunState::Pruned) => 4,
            };
            // Running, failed and pending trials stay in the plan's order.
            let (class, key) = if state == 2 { trials[i].rank() } else { ((0, false), None) };
            (state, class, key)
        };
        let mut shown: Vec<usize> = (0..trials.len()).filter(|&i| trials[i].state() != RunState::Pruned).collect();
        shown.sort_by(|&a, &b| {
            let ((state_a, class_a, a_is), (state_b, class_b, b_is)) = (rank(a), rank(b));
            let numbers = trials[a].number.cmp(&trials[b].number);
            state_a.cmp(&state_b).then(class_a.cmp(&class_b)).then(better_first(a_is, b_is)).then(numbers)
        });
        let metric = trials.iter().find_map(TrialView::heading).unwrap_or_else(|| "dev".into());
        // The score of a running trial may still fall, and its next seed may be worse: only a completed trial is called best.
        let what =
            |i: usize| if trials[i].state() == RunState::Completed { "best finished so far" } else { "leads now" };
        let chosen = if self.by_dev || !several { String::new() } else { format!(" ({CHOSEN_ON_TEST})") };
        let best = leader.and_then(|i| {
            let result = trials[i].result()?;
            // A trial that is the only one leads none.
            Some(if several {
                format!("{}: {}  {result}{chosen}", what(i), short[i])
            } else {
                format!("so far: {result}")
            })
        });
        let (start_s, pruned) = (self.spent.of_begin(), trials.len() - shown.len());
        let mut rows: Vec<Row> = shown.into_iter().map(|i| trials[i].row(values[i].clone(), start_s)).collect();
        self.agree(&mut rows, now_s);
        Board { title: self.title.clone(), keys, metric, rows, pruned, best, summary: self.summary(now_s) }
    }

    /// No trial has more time left than the whole. What pruning will stop, or a budget, is in the time of the whole alone.
    fn agree(&self, rows: &mut [Row], now_s: f64) {
        let all_are_trained = self.prune == Prune::None && self.to_come == 0 && self.budget == Budget::default();
        let Some((whole_s, _)) = self.left_s(now_s).filter(|_| all_are_trained) else { return };
        rows.iter_mut().filter_map(|row| row.left_s.as_mut()).for_each(|left_s| *left_s = left_s.min(whole_s));
    }

    /// `9 of 12 runs done (7 completed, 1 failed, 1 pruned), 3 left  trained 9m30s  this command 2m10s  eta 12m00s`: the training time of all
    /// runs by all commands, and the time since this command's first run started.
    fn summary(&self, now_s: f64) -> String {
        let of = |state| self.members.values().filter(|m| m.state == state).count();
        let all = self.all();
        let ends = [RunState::Completed, RunState::Failed, RunState::Pruned].map(|state| (of(state), state));
        let done: usize = ends.iter().map(|(n, _)| n).sum();
        let left = all - done;
        let mut text = format!("{done} of {all} {} done", by_number(all as u64, "run", "runs"));
        if done > ends[0].0 {
            let parts = ends.iter().filter(|(n, _)| *n > 0).map(|(n, state)| format!("{n} {}", state.word()));
            text += &format!(" ({})", parts.collect::<Vec<_>>().join(", "));
        }
        if left > 0 {
            text += &format!(", {left} left");
        }
        let waiting = of(RunState::Waiting);
        if waiting > 0 {
            text += &format!(" ({waiting} of them waiting)");
        }
        let trained: f64 = self.members.values().map(|member| member.trained_s).sum();
        if trained > 0.0 {
            text += &format!("  trained {}", duration(trained));
        }
        // A process that only watches has no time of its own.
        if let Some(began) = self.began_s.filter(|began| now_s > *began && !self.watched) {
            text += &format!("  this command {}", duration(now_s - began));
        }
        // Where the forecast has nothing left although runs are, it does not know what still goes on.
        let eta = self.left_s(now_s).filter(|(s, _)| left > 0 && *s >= LEAST_LEFT);
        if let Some((s, measured)) = eta {
            // What pruning will stop and a search will propose can only be estimated.
            let sure = measured && self.prune == Prune::None && self.to_come == 0;
            text += &format!("  eta {}{}", if sure { "" } else { "~" }, duration(s));
        }
        text
    }

    /// The runs that the budget still allows, and how many more a search may propose.
    fn affordable(&self) -> (Vec<Part>, usize) {
        let members: Vec<&RunStatus> = self.order.iter().filter_map(|key| self.members.get(key)).collect();
        let unknown = self.all().saturating_sub(members.len());
        // The hours limit the time left, not the runs.
        let budget = Budget { seconds: None, ..self.budget };
        let claims: Vec<Claim> = members.iter().map(|member| member.claim()).collect();
        let Allowed { runs, more } = budget.allows(&claims, 0.0);
        let parts =
            members.iter().zip(runs).filter(|(_, allowed)| *allowed).map(|(member, _)| member.part(&self.rungs));
        (parts.collect(), unknown.min(more))
    }

    /// Seconds until nothing is left or the budget is spent, and whether this is measured: a run has ended.
    pub fn left_s(&self, now_s: f64) -> Option<(f64, bool)> {
        let (left, measured) = self.work_left_s(now_s)?;
        let trained: f64 = self.members.values().map(|member| member.trained_s).sum();
        // The budget counts the seconds of each run; parallel runs spend it together.
        let bound =
            self.budget.seconds.map(|most| (most - trained).max(0.0) / (self.slots + self.others).max(1) as f64);
        Some((bound.map_or(left, |bound| left.min(bound)), measured))
    }

    /// Seconds until nothing is left, and whether this is measured: a run has ended. Before that, it is extrapolated from the speed of
    /// running runs.
    fn work_left_s(&self, now_s: f64) -> Option<(f64, bool)> {
        let (parts, unknown) = self.affordable();
        let remaining = forecast::remaining(&self.prune, self.promotions.as_ref(), &parts, unknown);
        let longest = forecast::longest(&parts);
        let began = self.began_s?;
        if self.paced {
            let pace = self.spent.pace(now_s, self.slots + self.others).filter(|_| now_s - began >= WARM_UP.0)?;
            return Some((pace.left_s(remaining, longest), true));
        }
        let mut pace = Pace { of_cost: 0.0, of_begin: 0.0, slots: self.slots + self.others };
        let at_work = self.members.values().filter(|m| m.state == RunState::Running);
        let known = at_work.filter(|m| m.view.step >= WARM_UP.1 && m.view.elapsed_s >= WARM_UP.0);
        let speeds: Vec<f64> =
            known.filter_map(|m| Some(m.view.whole_s()? / (m.view.total_steps as f64 * m.step_cost))).collect();
        pace.of_cost = speeds.iter().sum::<f64>() / speeds.len() as f64;
        (!speeds.is_empty()).then(|| (pace.left_s(remaining, longest), false))
    }
}

/// The trial that leads: the first in the order of the leaderboard, if it has a score; pruned and failed trials do not lead.
fn leader(trials: &[TrialView]) -> Option<usize> {
    let rank = |i: usize| {
        let (class, key) = trials[i].rank();
        let out = matches!(trials[i].state(), RunState::Failed | RunState::Pruned);
        key.filter(|_| !out).map(|key| (class, key, i))
    };
    let best = (0..trials.len()).filter_map(rank).min_by(|(class_a, a, i), (class_b, b, j)| {
        class_a.cmp(class_b).then(better_first(Some(*a), Some(*b))).then(i.cmp(j))
    });
    best.map(|(_, _, i)| i)
}

/// Records that a run reported a message, and returns whether it is the first. Messages that differ only in a number (a seed, a
/// step) count as the same.
fn is_new(said: &mut Vec<(String, String, HashSet<String>)>, text: &str, run: &str) -> bool {
    let kind = names::without_numbers(text);
    match said.iter_mut().find(|(known, _, _)| *known == kind) {
        Some((_, _, runs)) => {
            runs.insert(run.into());
            false
        }
        None => {
            said.push((kind, text.into(), HashSet::from([run.to_string()])));
            true
        }
    }
}

/// Whether a line must be shown even above a table.
pub(super) fn always_shown(line: &Line) -> bool {
    matches!(line.tone, Tone::Warning | Tone::Failure)
}

#[cfg(test)]
mod tests;
