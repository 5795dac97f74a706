//! Writing to the store: plans, states, and events as rows.

use rusqlite::{Connection, OptionalExtension, Transaction, named_params, params};

use super::{
    DataAudit, Environment, ExperimentRecord, RunState, Store, StoreError, audit,
    columns::{Count, Json, NO_LABEL, NO_TEXT, Real, Tag},
    is_locked,
    packed::{ROWS_OF_A_PART, pack},
    plans, unix_time,
};
use crate::{
    event::{Event, FailureKind, KeptFile, Outcome, Prediction, ProbeScore, PrunedAt, Split, StepCompleted, When},
    format::count,
    metrics::{Metrics, Target},
    plan::RunConfig,
};

/// A planned run.
#[derive(Debug, Clone, Copy)]
pub struct NewRun<'a> {
    /// Identity: SHA-256 in hex.
    pub key: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Experiment that plans it.
    pub experiment: &'a str,
    /// The resolved config.
    pub config: &'a RunConfig,
    /// Names of the labels, by id.
    pub labels: &'a [String],
    /// Optimizer steps planned.
    pub total_steps: u64,
    /// What was found in its data, if it is not stored yet.
    pub audit: Option<&'a DataAudit>,
}

impl Store {
    /// Stores an experiment, replacing the one of the same name. Its runs need not be registered yet; a key that is in the plan twice counts
    /// once.
    pub fn save_experiment(&mut self, experiment: &ExperimentRecord) -> Result<(), StoreError> {
        let spec = self.stored_spec(&experiment.spec_path);
        let moved = self.moved(experiment, &spec)?;
        self.write(|tx| {
            plans::remove(tx, &moved)?;
            plans::save(tx, experiment, &spec)?;
            set_experiment(tx, experiment)
        })
    }

    /// Updates what the results of an experiment change: its warnings and how many runs are to come, unless another plan has taken its name since.
    pub fn renew(&mut self, experiment: &ExperimentRecord) -> Result<(), StoreError> {
        let ExperimentRecord { name, spec_path, arguments, warnings, to_come, .. } = experiment;
        self.write(|tx| {
            tx.execute(
                "UPDATE experiments SET warnings = ?4, to_come = ?5 WHERE name = ?1 AND spec_path = ?2 AND arguments \
                 = ?3",
                params![name, spec_path, Json(arguments), Json(warnings), Count(*to_come as u64)],
            )
            .map(drop)
        })
    }

    /// Stores a run as pending, with what its experiment says of it. If it is already stored, only its config is updated: of the keys that are
    /// not part of its identity, the probes, paths and the metric that ranks it follow the latest spec; how it was trained and what was kept
    /// stays as it was, if it is running, completed or pruned, until it starts again. Those of other experiments stay as they are. It gets the audit if it
    /// has none.
    pub fn register(&mut self, run: &NewRun<'_>) -> Result<(), StoreError> {
        self.register_all(std::slice::from_ref(run))
    }

    /// Like [`Self::register`] for many runs: all of them or, on error, none.
    pub fn register_all(&mut self, runs: &[NewRun<'_>]) -> Result<(), StoreError> {
        self.write(|tx| {
            let mut insert = tx.prepare(
                "INSERT INTO runs (key, name, experiment, state, config, labels, total_steps, created_at, audit)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (key) DO UPDATE SET
                     config = CASE WHEN state NOT IN ('completed', 'pruned', 'running') THEN excluded.config ELSE json_set(excluded.config,
                         '$.train', json_extract(config, '$.train'),
                         '$.checkpoint', json_set(json_extract(config, '$.checkpoint'),
                             '$.metric', json_extract(excluded.config, '$.checkpoint.metric'))) END,
                     audit = coalesce(audit, excluded.audit)",
            )?;
            let mut own =
                tx.prepare("INSERT OR REPLACE INTO settings (run, experiment, config) VALUES (?1, ?2, ?3)")?;
            for run in runs {
                insert.execute(params![
                    run.key,
                    run.name,
                    run.experiment,
                    Tag(RunState::Pending),
                    Json(run.config),
                    Json(run.labels),
                    Count(run.total_steps),
                    unix_time(),
                    run.audit.map(|audit| audit::save(tx, audit)).transpose()?,
                ])?;
                own.execute(params![run.key, run.experiment, Json(run.config)])?;
            }
            Ok(())
        })
    }

    /// Stores the settings that a run is trained with from now on.
    pub fn train_with(&mut self, key: &str, config: &RunConfig) -> Result<(), StoreError> {
        self.write_run(key, |tx| set_config(tx, key, config))
    }

    /// Marks a run as running, from the step `resumed_from` of its checkpoint or from the beginning. Later steps stay until they are trained
    /// again.
    pub fn start(&mut self, key: &str, environment: &Environment, resumed_from: Option<u64>) -> Result<(), StoreError> {
        self.write_run(key, |tx| set_started(tx, key, environment, (resumed_from, unix_time())))
    }

    /// Stores events of a run, in one transaction: all of them or, on error, none.
    pub fn append(&mut self, key: &str, events: &[Event]) -> Result<(), StoreError> {
        self.write_run(key, |tx| events.iter().try_for_each(|event| append_event(tx, key, event, unix_time())))
    }

    /// Sets a run's state directly, if it ends without an event.
    pub fn mark(
        &mut self,
        key: &str,
        state: RunState,
        failure: Option<FailureKind>,
        message: Option<&str>,
    ) -> Result<(), StoreError> {
        self.write_run(key, |tx| set_state(tx, key, (state, failure, message), unix_time()))
    }

    /// Marks as interrupted every running run whose owner is gone, according to `is_alive`. Returns their keys, oldest first.
    pub fn interrupt_dead(&mut self, is_alive: impl Fn(&str) -> bool) -> Result<Vec<String>, StoreError> {
        // Usually there are none, and then a command that only reads needs no write lock.
        if self.is_read_only() || self.read(|tx| running(tx))?.iter().all(|key| is_alive(key)) {
            return Ok(Vec::new());
        }
        // `is_alive` is called under the write lock: a process that starts afterwards can only write afterwards.
        self.write(|tx| {
            let dead: Vec<String> = running(tx)?.into_iter().filter(|key| !is_alive(key)).collect();
            for key in &dead {
                let message = "its process ended without reporting why";
                set_state(tx, key, (RunState::Interrupted, None, Some(message)), unix_time())?;
            }
            Ok(dead)
        })
    }

    /// Marks as interrupted every running run whose process is gone. Does nothing if the database cannot be written.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn interrupt_abandoned(&mut self) -> Result<(), StoreError> {
        let runs = self.folder().to_owned();
        match self.interrupt_dead(|key| is_locked(&runs, key)) {
            Err(e) if !e.is_about_writing() => Err(e),
            _ => Ok(()),
        }
    }

    /// [`Store::write`] for a run that must be registered.
    pub(super) fn write_run(
        &mut self,
        key: &str,
        f: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let known = self.write(|tx| {
            let known = tx.prepare_cached("SELECT 1 FROM runs WHERE key = ?1")?.exists([key])?;
            if known {
                f(tx)?;
            }
            Ok(known)
        })?;
        if known { Ok(()) } else { Err(StoreError::NotRegistered { key: key.into() }) }
    }
}

/// Replaces the experiment of this name, and which runs it consists of.
pub(super) fn set_experiment(tx: &Transaction<'_>, experiment: &ExperimentRecord) -> rusqlite::Result<()> {
    tx.execute(
        "INSERT INTO experiments (name, description, spec_path, arguments, spec_text, report, saved_at, extends,
             warnings, prunes, to_come)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (name) DO UPDATE SET description = excluded.description, spec_path = excluded.spec_path,
             arguments = excluded.arguments, spec_text = excluded.spec_text, report = excluded.report,
             saved_at = excluded.saved_at, extends = excluded.extends, warnings = excluded.warnings,
             prunes = excluded.prunes, to_come = excluded.to_come",
        params![
            experiment.name,
            experiment.description,
            experiment.spec_path,
            Json(&experiment.arguments),
            experiment.spec_text,
            Json(&experiment.report),
            unix_time(),
            Json(&experiment.extends),
            Json(&experiment.warnings),
            experiment.prunes,
            Count(experiment.to_come as u64),
        ],
    )?;
    tx.execute("DELETE FROM experiment_runs WHERE experiment = ?1", [&experiment.name])?;
    let mut insert = tx.prepare(
        "INSERT OR IGNORE INTO experiment_runs (experiment, position, run, name, trial) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (position, (key, name)) in experiment.runs.iter().enumerate() {
        let trial = experiment.trials.get(position).map(|trial| Count(*trial as u64));
        insert.execute(params![experiment.name, Count(position as u64), key, name, trial])?;
    }
    Ok(())
}

fn running(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = conn.prepare_cached("SELECT key FROM runs WHERE state = ?1 ORDER BY id")?;
    statement.query_map([Tag(RunState::Running)], |row| row.get(0))?.collect()
}

/// Stores the settings that a run is trained with.
pub(super) fn set_config(tx: &Transaction<'_>, key: &str, config: &RunConfig) -> rusqlite::Result<()> {
    tx.execute("UPDATE runs SET config = ?2 WHERE key = ?1", params![key, Json(config)]).map(drop)
}

/// Marks a run as running since a Unix time.
pub(super) fn set_started(
    tx: &Transaction<'_>,
    key: &str,
    environment: &Environment,
    (resumed_from, at): (Option<u64>, f64),
) -> rusqlite::Result<()> {
    tx.execute(
        "UPDATE runs SET state = ?2, failure = NULL, message = NULL, pruned_rung = NULL, pruned_by = NULL, environment = ?3,
             at_step = ?4, checkpoint_step = ?5, started_at = coalesce(started_at, ?6), finished_at = NULL
         WHERE key = ?1",
        params![
            key,
            Tag(RunState::Running),
            Json(environment),
            Count(resumed_from.unwrap_or(0)),
            resumed_from.map(Count),
            at,
        ],
    )
    .map(drop)
}

/// Stores an event that was reported at a Unix time.
pub(super) fn append_event(tx: &Transaction<'_>, key: &str, event: &Event, at: f64) -> rusqlite::Result<()> {
    let end = |state, failure, message| set_state(tx, key, (state, failure, message), at);
    match event {
        Event::RunStarted { total_steps, steps_per_epoch, resumed_from, rows, parameters, train_labels } => {
            tx.prepare_cached(
                "UPDATE runs SET total_steps = ?2, steps_per_epoch = ?3, rows_train = ?4, rows_dev = ?5, rows_test = ?6,
                     parameters = ?7, at_step = ?8, train_labels = ?9 WHERE key = ?1",
            )?
            .execute(params![
                key,
                Count(*total_steps),
                Count(*steps_per_epoch),
                Count(rows.0),
                Count(rows.1),
                Count(rows.2),
                Count(*parameters),
                Count(resumed_from.unwrap_or(0)),
                Json(train_labels),
            ])?;
        }
        Event::Note { message } => {
            tx.prepare_cached("INSERT OR IGNORE INTO notes (run, message, at) VALUES (?1, ?2, ?3)")?
                .execute(params![key, message, at])?;
        }
        Event::Warned(warning) => {
            tx.prepare_cached("INSERT OR IGNORE INTO warnings (run, kind, message, lines) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![key, Tag(warning.kind), warning.message, Json(&warning.lines)])?;
        }
        Event::StepCompleted(step) => insert_steps(tx, key, &[step])?,
        Event::EvalCompleted { when, step, epoch, split, metrics, elapsed_s } => {
            insert_eval(tx, key, (*when, *step, *epoch, *split), metrics, *elapsed_s)?;
        }
        Event::Predicted { split, predictions } => insert_predictions(tx, key, *split, predictions)?,
        Event::PredictedBefore { split, predictions } => {
            tx.execute("DELETE FROM predictions_before WHERE run = ?1 AND split = ?2", params![key, Tag(*split)])?;
            let mut insert = tx.prepare_cached(
                "INSERT INTO predictions_before (run, split, part, rows, packed) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for (part, rows) in predictions.chunks(ROWS_OF_A_PART).enumerate() {
                let (part, n) = (Count(part as u64), Count(rows.len() as u64));
                insert.execute(params![key, Tag(*split), part, n, pack(rows)])?;
            }
        }
        Event::ProbesScored { when, step, scores } => insert_probes(tx, key, *when, *step, scores)?,
        Event::TextsRead { splits } => {
            tx.prepare_cached(
                "UPDATE runs SET environment = json_set(environment, '$.texts', json(?2)) WHERE key = ?1",
            )?
            .execute(params![key, Json(splits)])?;
        }
        Event::Decided(decided) => {
            tx.prepare_cached("UPDATE runs SET decided = ?2 WHERE key = ?1")?.execute(params![key, Json(decided)])?;
        }
        Event::WeightsKept { sha256 } => {
            tx.prepare_cached("UPDATE runs SET weights_sha256 = ?2 WHERE key = ?1")?.execute([key, sha256])?;
        }
        Event::CheckpointSaved { step } => {
            tx.prepare_cached("UPDATE runs SET checkpoint_step = ?2 WHERE key = ?1")?
                .execute(params![key, Count(*step)])?;
        }
        Event::ModelKept { files } => insert_kept_files(tx, key, files)?,
        Event::RunFinished(outcome) => match outcome {
            Outcome::Completed => end(RunState::Completed, None, None)?,
            Outcome::Interrupted | Outcome::Retried => end(RunState::Interrupted, None, None)?,
            Outcome::Paused { step } => {
                let message = format!("at step {} for the runs it is compared with", count(*step));
                end(RunState::Interrupted, None, Some(&message))?;
                tx.execute("UPDATE runs SET waits_at = ?2 WHERE key = ?1", params![key, Count(*step)])?;
            }
            Outcome::Pruned { reason, at } => {
                let stopped: Option<f64> = tx
                    .query_row("SELECT finished_at FROM runs WHERE key = ?1 AND waits_at IS NOT NULL", [key], |row| {
                        row.get(0)
                    })
                    .optional()?
                    .flatten();
                end(RunState::Pruned, None, Some(reason))?;
                if let Some(PrunedAt { rung, rule }) = *at {
                    tx.execute(
                        "UPDATE runs SET pruned_rung = ?2, pruned_by = ?3 WHERE key = ?1",
                        params![key, Count(rung), Tag(rule)],
                    )?;
                }
                // A run that waited trained until it was held, not until its sweep decided.
                if let Some(stopped) = stopped {
                    tx.execute("UPDATE runs SET finished_at = ?2 WHERE key = ?1", params![key, stopped])?;
                }
            }
            Outcome::Failed { kind, message } => end(RunState::Failed, Some(*kind), Some(message))?,
        },
        Event::EvalProgress { .. } | Event::CheckpointStarted { .. } => {}
    }
    Ok(())
}

/// Stores steps of a run, in their order.
pub(super) fn insert_steps(tx: &Transaction<'_>, key: &str, steps: &[&StepCompleted]) -> rusqlite::Result<()> {
    let Some(last) = steps.last() else { return Ok(()) };
    // Two statements instead of one upsert: only the first tells whether a row was added.
    let mut insert = tx.prepare_cached(
        "INSERT INTO steps (run, step, epoch, loss, lr, grad_norm, tokens, elapsed_s)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
    )?;
    let mut new = 0;
    for s in steps {
        let row = params![
            key,
            Count(s.step),
            s.epoch,
            Real(s.loss),
            Real(s.lr),
            Real(s.grad_norm),
            Count(s.tokens),
            Real(s.elapsed_s)
        ];
        match insert.execute(row)? {
            0 => {
                tx.prepare_cached(
                    "UPDATE steps SET epoch = ?3, loss = ?4, lr = ?5, grad_norm = ?6, tokens = ?7, elapsed_s = ?8
                     WHERE run = ?1 AND step = ?2",
                )?
                .execute(row)?;
            }
            added => new += added,
        }
    }
    tx.prepare_cached("UPDATE runs SET steps = steps + ?2, at_step = ?3, last_loss = ?4 WHERE key = ?1")?
        .execute(params![key, Count(new as u64), Count(last.step), Real(last.loss)])?;
    Ok(())
}

fn insert_eval(
    tx: &Transaction<'_>,
    key: &str,
    (when, step, epoch, split): (When, u64, u32, Split),
    metrics: &Metrics,
    elapsed_s: f64,
) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO evals (run, phase, step, split, epoch, rows, per_class, confusion, co_occurrence, elapsed_s)
         VALUES (:run, :phase, :step, :split, :epoch, :rows, :per_class, :confusion, :co_occurrence, :elapsed_s)",
    )?
    .execute(named_params! {
        ":run": key,
        ":phase": Tag(when),
        ":step": Count(step),
        ":split": Tag(split),
        ":epoch": epoch,
        ":rows": Count(metrics.rows),
        ":per_class": Json(&metrics.per_class),
        ":confusion": Json(&metrics.confusion),
        ":co_occurrence": metrics.co_occurrence.as_ref().map(Json),
        ":elapsed_s": Real(elapsed_s),
    })?;
    let mut insert = tx.prepare_cached(
        "INSERT OR REPLACE INTO metrics (run, phase, step, split, metric, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (metric, value) in metrics.values() {
        insert.execute(params![key, Tag(when), Count(step), Tag(split), Tag(metric), Real(value)])?;
    }
    Ok(())
}

fn insert_predictions(
    tx: &Transaction<'_>,
    key: &str,
    split: Split,
    predictions: &[Prediction],
) -> rusqlite::Result<()> {
    // Rows of an earlier evaluation must not remain among them.
    tx.execute("DELETE FROM predictions WHERE run = ?1 AND split = ?2", params![key, Tag(split)])?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO predictions
            (run, split, row, line, text, text_pair, label, predicted, probabilities, target, predicted_target)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    for p in predictions {
        let (line, probabilities) = (Count(p.line), Json(&p.probabilities));
        let id = |target: &Target| target.label().map_or(-1, i64::from);
        let json = |target: &Target| target.label().is_none().then(|| Json(target.clone()));
        let (label, predicted) = (id(&p.label), id(&p.predicted));
        let (target, predicted_target) = (json(&p.label), json(&p.predicted));
        insert.execute(params![
            key,
            Tag(split),
            p.row,
            line,
            p.text,
            p.text_pair,
            label,
            predicted,
            probabilities,
            target,
            predicted_target
        ])?;
    }
    Ok(())
}

fn insert_probes(
    tx: &Transaction<'_>,
    key: &str,
    when: When,
    step: u64,
    scores: &[ProbeScore],
) -> rusqlite::Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT OR REPLACE INTO probes
             (run, phase, step, text, text_pair, expect, predicted, is_right, confidence, probabilities)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for s in scores {
        let (expect, probabilities) = (s.expect.as_deref().unwrap_or(NO_LABEL), Json(&s.probabilities));
        let pair = s.text_pair.as_deref().unwrap_or(NO_TEXT);
        let (predicted, right, confidence) = (&s.predicted, s.right, s.confidence);
        let (when, step) = (Tag(when), Count(step));
        insert.execute(params![key, when, step, s.text, pair, expect, predicted, right, confidence, probabilities])?;
    }
    Ok(())
}

fn insert_kept_files(tx: &Transaction<'_>, key: &str, files: &[KeptFile]) -> rusqlite::Result<()> {
    // Files of an earlier model must not remain among them.
    tx.execute("DELETE FROM kept_files WHERE run = ?1", [key])?;
    let mut insert = tx
        .prepare_cached("INSERT INTO kept_files (run, name, bytes, sha256, modified_ns) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for file in files {
        insert.execute(params![key, file.name, Count(file.bytes), file.sha256, file.modified_ns])?;
    }
    Ok(())
}

fn set_state(
    tx: &Transaction<'_>,
    key: &str,
    (state, failure, message): (RunState, Option<FailureKind>, Option<&str>),
    at: f64,
) -> rusqlite::Result<()> {
    let ended = !matches!(state, RunState::Pending | RunState::Running);
    tx.execute(
        "UPDATE runs SET state = ?2, failure = ?3, message = ?4, finished_at = ?5, waits_at = NULL, pruned_rung = NULL,
             pruned_by = NULL WHERE key = ?1",
        params![key, Tag(state), failure.map(Tag), message, ended.then_some(at)],
    )?;
    if state == RunState::Completed {
        trim(tx, key)?;
    }
    Ok(())
}

/// Removes rows beyond the last step of a completed run, left by an earlier attempt that trained longer.
fn trim(tx: &Transaction<'_>, key: &str) -> rusqlite::Result<()> {
    let beyond = "step > (SELECT at_step FROM runs WHERE key = ?1)";
    let removed = tx.execute(&format!("DELETE FROM steps WHERE run = ?1 AND {beyond}"), [key])?;
    for table in ["evals", "probes"] {
        tx.execute(&format!("DELETE FROM {table} WHERE run = ?1 AND phase = 'during' AND {beyond}"), [key])?;
    }
    tx.execute(
        "UPDATE runs SET steps = steps - ?2,
             last_loss = (SELECT loss FROM steps WHERE run = ?1 ORDER BY step DESC LIMIT 1) WHERE key = ?1",
        params![key, Count(removed as u64)],
    )?;
    Ok(())
}
