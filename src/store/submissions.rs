//! What was submitted to a cluster, and the results that come back.

use std::ops::Range;

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{
    Environment, RunState, Store, StoreError,
    columns::{Count, Tag},
    unix_time, write,
};
use crate::{event::Event, plan::RunConfig};

/// Runs that were submitted together.
#[derive(Debug, Clone, PartialEq)]
pub struct SubmissionRecord {
    /// Number of its folder, `runs/slurm/<number>`.
    pub number: u64,
    /// The experiment.
    pub experiment: String,
    /// The command that submitted it.
    pub command: String,
    /// Unix time in seconds.
    pub created_at: f64,
}

/// A run of a submission.
#[derive(Debug, Clone, PartialEq)]
pub struct ElementRecord {
    /// The number of the submission.
    pub submission: u64,
    /// Its element in the whole submission, from 0; several runs can share one.
    pub element: u64,
    /// Key of the run.
    pub run: String,
    /// The job id of the array that the cluster accepted; `None` before.
    pub array_job: Option<u64>,
    /// Number of the element in its array.
    pub task: Option<u64>,
    /// When the array was submitted, in Unix time: ids of jobs can be used again.
    pub submitted_at: Option<f64>,
    /// When its results came into this database.
    pub collected_at: Option<f64>,
}

/// What a run reported elsewhere, in the order of its reports.
#[derive(Debug, Clone, Copy)]
pub enum Reported<'a> {
    /// It began, or resumed from a step.
    Started(&'a Environment, Option<u64>),
    /// An event.
    Event(&'a Event),
}

/// All reports of a run of a submission.
#[derive(Debug, Clone, Copy)]
pub struct ReportedRun<'a> {
    /// The number of the submission.
    pub submission: u64,
    /// Key of the run.
    pub key: &'a str,
    /// The settings that it was trained with.
    pub config: &'a RunConfig,
    /// Its reports, each with its Unix time in seconds.
    pub reports: &'a [(f64, Reported<'a>)],
}

/// What became of the reports of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merged {
    /// They are stored.
    Stored,
    /// They were stored before.
    Before,
    /// The run was completed otherwise since it was submitted: its results are kept.
    NotNeeded,
}

impl Store {
    /// Stores a submission with its runs: (element, key of the run). All must be registered.
    pub fn add_submission(&mut self, new: &SubmissionRecord, runs: &[(u64, String)]) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO submissions (number, experiment, command, created_at) VALUES (?1, ?2, ?3, ?4)",
                params![Count(new.number), new.experiment, new.command, new.created_at],
            )?;
            let mut insert = tx.prepare(
                "INSERT INTO submission_elements (submission, element, run, finished_before)
                 SELECT ?1, ?2, key, finished_at FROM runs WHERE key = ?3",
            )?;
            for (element, key) in runs {
                insert.execute(params![Count(new.number), Count(*element), key])?;
            }
            Ok(())
        })
    }

    /// Adds a registered run to a submission, as an element whose job the cluster has accepted at a Unix time as this array of one.
    pub fn add_element(
        &mut self,
        (submission, element): (u64, u64),
        key: &str,
        array_job: u64,
        submitted_at: f64,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO submission_elements (submission, element, run, finished_before, array_job, task, submitted_at)
                 SELECT ?1, ?2, key, finished_at, ?4, 0, ?5 FROM runs WHERE key = ?3",
                params![Count(submission), Count(element), key, Count(array_job), submitted_at],
            )
            .map(drop)
        })
    }

    /// Removes a submission that the cluster refused.
    pub fn remove_submission(&mut self, number: u64) -> Result<(), StoreError> {
        self.write(|tx| tx.execute("DELETE FROM submissions WHERE number = ?1", [Count(number)]).map(drop))
    }

    /// Stores that the cluster accepted these elements of a submission as an array, of which the first is number `first_task`.
    pub fn set_array(
        &mut self,
        submission: u64,
        elements: Range<u64>,
        (array_job, first_task): (u64, u64),
        submitted_at: f64,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "UPDATE submission_elements SET array_job = ?4, task = element - ?2 + ?5, submitted_at = ?6
                 WHERE submission = ?1 AND element >= ?2 AND element < ?3",
                params![
                    Count(submission),
                    Count(elements.start),
                    Count(elements.end),
                    Count(array_job),
                    Count(first_task),
                    submitted_at
                ],
            )
            .map(drop)
        })
    }

    /// All submissions, oldest first.
    pub fn submissions(&self) -> Result<Vec<SubmissionRecord>, StoreError> {
        self.read(|tx| {
            let mut rows =
                tx.prepare("SELECT number, experiment, command, created_at FROM submissions ORDER BY number")?;
            let record = |row: &Row| {
                let Count(number) = row.get(0)?;
                Ok(SubmissionRecord { number, experiment: row.get(1)?, command: row.get(2)?, created_at: row.get(3)? })
            };
            rows.query_map([], record)?.collect()
        })
    }

    /// The runs of all submissions, or of one; in the order of submissions and their elements.
    pub fn submitted(&self, submission: Option<u64>) -> Result<Vec<ElementRecord>, StoreError> {
        self.read(|tx| {
            let mut rows = tx.prepare(
                "SELECT submission, element, run, array_job, task, submitted_at, collected_at FROM submission_elements
                 WHERE ?1 IS NULL OR submission = ?1 ORDER BY submission, element, rowid",
            )?;
            let optional = |row: &Row, column: usize| -> rusqlite::Result<Option<u64>> {
                Ok(row.get::<_, Option<Count>>(column)?.map(|Count(value)| value))
            };
            let record = |row: &Row| {
                let (Count(submission), Count(element)) = (row.get(0)?, row.get(1)?);
                Ok(ElementRecord {
                    submission,
                    element,
                    run: row.get(2)?,
                    array_job: optional(row, 3)?,
                    task: optional(row, 4)?,
                    submitted_at: row.get(5)?,
                    collected_at: row.get(6)?,
                })
            };
            rows.query_map([submission.map(Count)], record)?.collect()
        })
    }

    /// Stores that nothing more is expected of the submissions of a run, because a command trains it. Returns their numbers.
    pub fn retire_submitted(&mut self, key: &str) -> Result<Vec<u64>, StoreError> {
        self.write(|tx| {
            let mut retire = tx.prepare(
                "UPDATE submission_elements SET collected_at = ?2 WHERE run = ?1 AND collected_at IS NULL
                 RETURNING submission",
            )?;
            let number = |row: &Row| row.get(0).map(|Count(number)| number);
            retire.query_map(params![key, unix_time()], number)?.collect()
        })
    }

    /// Stores what a run of a submission reported, in one transaction: all of it, once, or nothing. It gives the rows that the same reports give
    /// one by one ([`Self::start`], [`Self::append`]), with the times of the reports.
    ///
    /// # Errors
    /// If the run is not registered, or the database cannot be written.
    pub fn merge(&mut self, run: &ReportedRun<'_>) -> Result<Merged, StoreError> {
        let mut merged = Merged::Stored;
        self.write_run(run.key, |tx| {
            merged = merge(tx, run)?;
            Ok(())
        })?;
        Ok(merged)
    }
}

fn merge(tx: &Transaction<'_>, run: &ReportedRun<'_>) -> rusqlite::Result<Merged> {
    let (number, key) = (Count(run.submission), run.key);
    let submitted: Option<(Option<f64>, Option<f64>)> = tx
        .query_row(
            "SELECT finished_before, collected_at FROM submission_elements WHERE submission = ?1 AND run = ?2",
            params![number, key],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    if let Some((_, Some(_))) = submitted {
        return Ok(Merged::Before);
    }
    let (Tag(state), finished): (Tag<RunState>, Option<f64>) =
        tx.query_row("SELECT state, finished_at FROM runs WHERE key = ?1", [key], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let finished_before = submitted.and_then(|(before, _)| before);
    let merged = match state {
        // A training without an end would leave the run without one.
        RunState::Completed if finished != finished_before || !ends(run.reports) => Merged::NotNeeded,
        _ => Merged::Stored,
    };
    if merged == Merged::Stored {
        store_reports(tx, run)?;
    }
    tx.execute(
        "UPDATE submission_elements SET collected_at = ?3 WHERE submission = ?1 AND run = ?2",
        params![number, key, unix_time()],
    )?;
    Ok(merged)
}

/// Whether the last attempt in these reports ended. Without an attempt they only add scores of new probes.
fn ends(reports: &[(f64, Reported<'_>)]) -> bool {
    let last = reports.iter().rev().find_map(|(_, report)| match report {
        Reported::Started(..) => Some(false),
        Reported::Event(Event::RunFinished(_)) => Some(true),
        Reported::Event(_) => None,
    });
    last.unwrap_or(true)
}

fn store_reports(tx: &Transaction<'_>, run: &ReportedRun<'_>) -> rusqlite::Result<()> {
    let mut steps = Vec::new();
    for (at, report) in run.reports {
        if let Reported::Event(Event::StepCompleted(step)) = report {
            steps.push(step);
            continue;
        }
        write::insert_steps(tx, run.key, &std::mem::take(&mut steps))?;
        match report {
            Reported::Started(environment, resumed_from) => {
                write::set_config(tx, run.key, run.config)?;
                write::set_started(tx, run.key, environment, (*resumed_from, *at))?;
            }
            Reported::Event(event) => write::append_event(tx, run.key, event, *at)?,
        }
    }
    write::insert_steps(tx, run.key, &steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Outcome, Split, When},
        store::testing::{config, eval, prediction, probe, register, step, store_with_run},
    };

    fn environment() -> Environment {
        serde_json::from_value(serde_json::json!({
            "taper": "0", "git_commit": null, "platform": "p", "device": "cpu", "threads": 1, "data_digest": "d",
        }))
        .unwrap()
    }

    fn submission(number: u64) -> SubmissionRecord {
        SubmissionRecord { number, experiment: "exp".into(), command: "taper submit".into(), created_at: 5.0 }
    }

    /// The events of a run that resumed at step 2, after it had trained to step 3.
    fn events() -> Vec<Event> {
        let mut events = vec![eval(When::Before, 0, Split::Dev, 1)];
        events.extend((1..=3).map(|i| step(i, 1.0)));
        events.push(eval(When::During, 3, Split::Dev, 2));
        events
    }

    fn after() -> Vec<Event> {
        vec![
            Event::Note { message: "resumed".into() },
            step(3, 0.25),
            step(4, 0.125),
            eval(When::During, 3, Split::Dev, 3),
            eval(When::After, 4, Split::Dev, 4),
            Event::Predicted { split: Split::Dev, predictions: vec![prediction(0, "x"), prediction(1, "y")] },
            Event::ProbesScored { when: When::After, step: 4, scores: vec![probe(0, 0.5)] },
            Event::WeightsKept { sha256: "ab".into() },
            Event::RunFinished(Outcome::Completed),
        ]
    }

    /// Every row of every table that a run has, but for the times at which they were written.
    fn dump(store: &Store) -> Vec<String> {
        let mut rows = Vec::new();
        let tables = ["evals", "metrics", "predictions", "probes", "steps", "notes", "runs"];
        for table in tables {
            let mut statement = store.conn.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let names: Vec<String> = statement.column_names().map(|name| name.to_string()).collect();
            let row = |row: &Row| {
                let times = ["at", "created_at", "started_at", "finished_at"];
                let columns = names.iter().enumerate().filter(|(_, name)| !times.contains(&name.as_str()));
                Ok(columns.map(|(i, name)| format!("{name}={:?}; ", row.get_ref(i).unwrap())).collect::<String>())
            };
            let mut of_table: Vec<String> = statement.query_map([], row).unwrap().map(Result::unwrap).collect();
            of_table.sort();
            rows.extend(of_table.into_iter().map(|row| format!("{table}: {row}")));
        }
        rows
    }

    fn one_by_one() -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store_with_run(folder.path());
        store.start("k", &environment(), None).unwrap();
        events().iter().for_each(|event| store.append("k", std::slice::from_ref(event)).unwrap());
        store.start("k", &environment(), Some(2)).unwrap();
        after().iter().for_each(|event| store.append("k", std::slice::from_ref(event)).unwrap());
        dump(&store)
    }

    fn merge_all(store: &mut Store, number: u64) -> Merged {
        let (events, after, environment, config) = (events(), after(), environment(), config());
        let mut reports = vec![(10.0, Reported::Started(&environment, None))];
        reports.extend(events.iter().zip(11..).map(|(event, at)| (f64::from(at), Reported::Event(event))));
        reports.push((30.0, Reported::Started(&environment, Some(2))));
        reports.extend(after.iter().zip(31..).map(|(event, at)| (f64::from(at), Reported::Event(event))));
        store.merge(&ReportedRun { submission: number, key: "k", config: &config, reports: &reports }).unwrap()
    }

    #[test]
    fn merging_gives_the_rows_of_a_local_run_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store_with_run(folder.path());
        store.add_submission(&submission(1), &[(0, "k".into())]).unwrap();
        assert_eq!(merge_all(&mut store, 1), Merged::Stored);
        let rows = dump(&store);
        assert_eq!(rows, one_by_one());
        let run = store.run("k").unwrap();
        assert_eq!((run.state, run.started_at, run.finished_at), (RunState::Completed, Some(10.0), Some(39.0)));
        assert_eq!((merge_all(&mut store, 1), dump(&store)), (Merged::Before, rows.clone()));
        // Without a record of it, as after the database was lost: its own results are the completed ones.
        assert_eq!((merge_all(&mut store, 9), dump(&store)), (Merged::NotNeeded, rows));
    }

    #[test]
    fn a_run_that_was_completed_meanwhile_keeps_its_results() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store_with_run(folder.path());
        store.add_submission(&submission(1), &[(0, "k".into())]).unwrap();
        store.append("k", &[step(1, 9.0), Event::RunFinished(Outcome::Completed)]).unwrap();
        let rows = dump(&store);
        assert_eq!((merge_all(&mut store, 1), dump(&store)), (Merged::NotNeeded, rows.clone()));
        assert!(store.submitted(Some(1)).unwrap()[0].collected_at.is_some());
        // It was completed when it was submitted, for example because its model was lost: now it is replaced.
        store.add_submission(&submission(2), &[(0, "k".into())]).unwrap();
        assert_eq!(merge_all(&mut store, 2), Merged::Stored);
        assert!(dump(&store) != rows && store.steps("k").unwrap().len() == 4);
    }

    #[test]
    fn a_training_that_does_not_end_leaves_a_completed_run_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store_with_run(folder.path());
        store.append("k", &[step(1, 9.0), Event::RunFinished(Outcome::Completed)]).unwrap();
        store.add_submission(&submission(1), &[(0, "k".into())]).unwrap();
        let rows = dump(&store);
        let (environment, config, step) = (environment(), config(), step(1, 8.0));
        let scored = Event::ProbesScored { when: When::After, step: 1, scores: vec![probe(0, 0.5)] };
        let reports = [
            (10.0, Reported::Event(&Event::RunFinished(Outcome::Retried))),
            (11.0, Reported::Started(&environment, None)),
            (12.0, Reported::Event(&step)),
            (13.0, Reported::Event(&scored)),
        ];
        let run = ReportedRun { submission: 1, key: "k", config: &config, reports: &reports };
        assert_eq!((store.merge(&run).unwrap(), dump(&store)), (Merged::NotNeeded, rows));
        // Scores of new probes alone are stored.
        store.add_submission(&submission(2), &[(0, "k".into())]).unwrap();
        let run = ReportedRun { submission: 2, reports: &reports[3..], ..run };
        assert_eq!(store.merge(&run).unwrap(), Merged::Stored);
        assert_eq!(store.run("k").unwrap().state, RunState::Completed);
    }

    #[test]
    fn a_run_that_a_command_trains_is_expected_of_no_submission() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store_with_run(folder.path());
        register(&mut store, "l", "l");
        store.add_submission(&submission(1), &[(0, "k".into()), (1, "l".into())]).unwrap();
        store.add_submission(&submission(2), &[(0, "k".into())]).unwrap();
        assert_eq!(store.retire_submitted("k").unwrap(), [1, 2]);
        assert!(store.retire_submitted("k").unwrap().is_empty());
        let open: Vec<_> = store.submitted(None).unwrap().into_iter().filter(|e| e.collected_at.is_none()).collect();
        assert_eq!(open.iter().map(|e| e.run.as_str()).collect::<Vec<_>>(), ["l"]);
    }

    #[test]
    fn submissions_are_listed_with_the_jobs_of_their_arrays() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store_with_run(folder.path());
        ["l", "m"].iter().for_each(|key| register(&mut store, key, key));
        let runs = [(0, "k".into()), (0, "l".into()), (1, "m".into())];
        store.add_submission(&submission(3), &runs).unwrap();
        store.set_array(3, 1..2, (77, 0), 9.5).unwrap();
        assert_eq!(store.submissions().unwrap(), [submission(3)]);
        let found = store.submitted(None).unwrap();
        let shown: Vec<_> = found.iter().map(|e| (e.element, e.run.as_str(), e.array_job, e.task)).collect();
        assert_eq!(shown, [(0, "k", None, None), (0, "l", None, None), (1, "m", Some(77), Some(0))]);
        assert_eq!((found[2].submitted_at, found[2].collected_at), (Some(9.5), None));
        store.remove_runs(&["l".into()]).unwrap();
        assert_eq!(store.submitted(Some(3)).unwrap().len(), 2);
        assert!(store.submitted(Some(4)).unwrap().is_empty());
        store.remove_submission(3).unwrap();
        assert!(store.submitted(None).unwrap().is_empty() && store.submissions().unwrap().is_empty());
    }

    #[test]
    fn reports_of_a_run_that_is_not_registered_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let run = ReportedRun { submission: 1, key: "zz", config: &config(), reports: &[] };
        assert!(matches!(store.merge(&run), Err(StoreError::NotRegistered { .. })));
    }
}
