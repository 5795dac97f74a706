//! Reading from the store.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, Params, Row, params, types::FromSqlError};

use super::{
    EvalRecord, ExperimentRecord, NoteRecord, PredictionRecord, ProbeRecord, RunRecord, RunSize, RunState, StepRecord,
    Store, StoreError,
    columns::{Count, Json, NO_LABEL, NO_TEXT, Real, Tag},
    error::hint,
    packed::unpack,
};
use crate::{
    event::{
        Decided, KeptFile, Prediction, PredictionBefore, ProbeScore, PrunedAt, PrunedBy, Split, StepCompleted, When,
    },
    metrics::{Confusion, Metric, Metrics, Probabilities, Target},
    plan::{CheckpointConfig, Probe, RunConfig},
    warning::{Kind, Warning},
};

/// All columns of a run and its final evaluation: that of the test split, or of the dev split if the run has no test rows (not while they
/// are still to be evaluated). Reads one row of `evals` and its metrics for each run, and no other table.
pub(super) const RUN: &str = "
    SELECT r.*, e.phase, e.step, e.split, e.rows, e.per_class, e.confusion, e.co_occurrence
    FROM runs r LEFT JOIN evals e ON e.run = r.key AND e.phase = 'after' AND e.split = CASE
        WHEN coalesce(r.rows_test, 0) > 0
            OR EXISTS (SELECT 1 FROM evals t WHERE t.run = r.key AND t.phase = 'after' AND t.split = 'test')
        THEN 'test' ELSE 'dev' END";

/// Whether a run was ever of the experiment ?1.
const EVER: &str = "(r.experiment = ?1 OR r.key IN (SELECT run FROM experiment_runs WHERE experiment = ?1)
    OR r.key IN (SELECT run FROM plans WHERE experiment = ?1))";

impl Store {
    /// All runs, in order of registration.
    pub fn runs(&self) -> Result<Vec<RunRecord>, StoreError> {
        self.read(|tx| all(tx, &format!("{RUN} ORDER BY r.id"), [], |row| run_record(tx, row, None)))
    }

    /// The runs of an experiment, in the plan's order, without those that are not registered yet.
    pub fn runs_of(&self, experiment: &str) -> Result<Vec<RunRecord>, StoreError> {
        let experiment = self.experiment(experiment)?.name;
        let sql = format!("{RUN} JOIN experiment_runs x ON x.run = r.key WHERE x.experiment = ?1 ORDER BY x.position");
        self.read(|tx| all(tx, &sql, [&experiment], |row| run_record(tx, row, Some(&experiment))))
    }

    /// The stored runs of this plan, in its order, even if its experiment has another one by now.
    pub fn runs_in(&self, plan: &ExperimentRecord) -> Result<Vec<RunRecord>, StoreError> {
        let run = |(key, name): &(String, String)| {
            let run = self.known_to(key, Some(&plan.name))?;
            Ok(run.map(|run| RunRecord { name: name.clone(), in_plan: true, ..run }))
        };
        plan.runs.iter().filter_map(|run_and_name| run(run_and_name).transpose()).collect()
    }

    /// The runs of an experiment's plan, and those of its earlier plans and of its variants that the current plan of no other experiment has,
    /// in order of registration.
    pub fn runs_ever_of(&self, experiment: &str) -> Result<Vec<RunRecord>, StoreError> {
        let name = &self.experiment(experiment)?.name;
        let plans = "SELECT run FROM experiment_runs";
        let sql = format!(
            "{RUN} WHERE {EVER} AND (r.key IN ({plans} WHERE experiment = ?1) OR r.key NOT IN ({plans})) ORDER BY r.id"
        );
        self.read(|tx| all(tx, &sql, [name], |row| run_record(tx, row, Some(name))))
    }

    /// The keys of all runs that an experiment's plans ever had, and those of its variants, in order of registration: also of those that now
    /// only the plans of other experiments have.
    pub fn keys_ever_of(&self, experiment: &str) -> Result<Vec<String>, StoreError> {
        let name = &self.experiment(experiment)?.name;
        let sql = format!("SELECT r.key FROM runs r WHERE {EVER} ORDER BY r.id");
        self.read(|tx| all(tx, &sql, [name], |row| row.get(0)))
    }

    /// The runs whose experiments were all removed, in order of registration.
    pub fn runs_of_none(&self) -> Result<Vec<RunRecord>, StoreError> {
        let of = |plans: &str| format!("SELECT p.run FROM {plans} p JOIN experiments e ON e.name = p.experiment");
        let sql = format!(
            "{RUN} WHERE r.experiment NOT IN (SELECT name FROM experiments) AND r.key NOT IN ({}) AND r.key NOT IN ({})
             ORDER BY r.id",
            of("experiment_runs"),
            of("plans")
        );
        self.read(|tx| all(tx, &sql, [], |row| run_record(tx, row, None)))
    }

    /// All experiments, in the order in which they were first stored.
    pub fn experiments(&self) -> Result<Vec<ExperimentRecord>, StoreError> {
        self.read(|tx| experiments(tx, "ORDER BY id", []))
    }

    /// The experiment of this name; an unknown name is an error that suggests the most similar one.
    pub fn experiment(&self, name: &str) -> Result<ExperimentRecord, StoreError> {
        match self.read(|tx| experiments(tx, "WHERE name = ?1", [name]))?.pop() {
            Some(experiment) => Ok(experiment),
            None => {
                let known: Vec<String> =
                    self.read(|tx| all(tx, "SELECT name FROM experiments ORDER BY id", [], |row| row.get(0)))?;
                let hint = hint(name, known.iter().map(String::as_str));
                let runs = self.folder().to_path_buf();
                Err(StoreError::UnknownExperiment { wanted: name.into(), hint, runs })
            }
        }
    }

    /// The run with this key, if it exists.
    pub fn known(&self, key: &str) -> Result<Option<RunRecord>, StoreError> {
        self.known_to(key, None)
    }

    /// The run with this key, if it exists, as this experiment has it.
    fn known_to(&self, key: &str, experiment: Option<&str>) -> Result<Option<RunRecord>, StoreError> {
        let sql = format!("{RUN} WHERE r.key = ?1");
        let found = self.read(|tx| all(tx, &sql, [key], |row| run_record(tx, row, experiment)))?;
        Ok(found.into_iter().next())
    }

    /// The run with this key.
    pub fn run(&self, key: &str) -> Result<RunRecord, StoreError> {
        self.registered(key, None)
    }

    /// The run with this key, as this experiment has it.
    pub(super) fn run_of(&self, key: &str, experiment: &str) -> Result<RunRecord, StoreError> {
        self.registered(key, Some(experiment))
    }

    fn registered(&self, key: &str, experiment: Option<&str>) -> Result<RunRecord, StoreError> {
        let runs = self.folder().to_path_buf();
        let unknown = || StoreError::UnknownRun { wanted: key.into(), hint: String::new(), runs };
        self.known_to(key, experiment)?.ok_or_else(unknown)
    }

    /// The steps of a run, in order.
    pub fn steps(&self, key: &str) -> Result<Vec<StepRecord>, StoreError> {
        self.read(|tx| all(tx, "SELECT * FROM steps WHERE run = ?1 ORDER BY step", [key], step_record))
    }

    /// The last step before the first gap: steps 1 to that one are stored. 0 if step 1 is missing.
    pub fn unbroken_steps(&self, key: &str) -> Result<u64, StoreError> {
        self.read(|tx| {
            let (Count(stored), first, last): (Count, Option<i64>, Option<i64>) = tx
                .prepare_cached("SELECT count(*), min(step), max(step) FROM steps WHERE run = ?1")?
                .query_row([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            match (first, last) {
                (Some(1), Some(last)) if last as u64 == stored => Ok(stored),
                (Some(1), _) => {
                    let sql = "SELECT min(s.step) FROM steps s WHERE s.run = ?1
                         AND NOT EXISTS (SELECT 1 FROM steps n WHERE n.run = s.run AND n.step = s.step + 1)";
                    tx.prepare_cached(sql)?.query_row([key], |row| row.get(0)).map(|Count(step)| step)
                }
                _ => Ok(0),
            }
        })
    }

    /// The files of the kept model, by name; empty for runs of versions that did not record them.
    pub fn kept_files(&self, key: &str) -> Result<Vec<KeptFile>, StoreError> {
        self.read(|tx| {
            all(tx, "SELECT * FROM kept_files WHERE run = ?1 ORDER BY name", [key], |row| {
                Ok(KeptFile {
                    name: row.get("name")?,
                    bytes: count(row, "bytes")?,
                    sha256: row.get("sha256")?,
                    modified_ns: row.get("modified_ns")?,
                })
            })
        })
    }

    /// Seconds of training of each of these runs that has a step.
    pub fn training_seconds<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a str>,
    ) -> Result<HashMap<String, f64>, StoreError> {
        // One lookup for each run: a database may hold millions of steps.
        let sql = "SELECT elapsed_s FROM steps WHERE run = ?1 AND step = (SELECT at_step FROM runs WHERE key = ?1)";
        self.each(keys, |tx, key| Ok(all(tx, sql, [key], |row| real(row, "elapsed_s"))?.pop()))
    }

    /// The last `most` steps of a run, in order.
    pub fn last_steps(&self, key: &str, most: u32) -> Result<Vec<StepRecord>, StoreError> {
        let sql = "SELECT * FROM steps WHERE run = ?1 ORDER BY step DESC LIMIT ?2";
        let mut steps = self.read(|tx| all(tx, sql, params![key, most], step_record))?;
        steps.reverse();
        Ok(steps)
    }

    /// The evaluations of a run: before, during and after training, by step and split.
    pub fn evals(&self, key: &str) -> Result<Vec<EvalRecord>, StoreError> {
        let mut evals = self.read(|tx| {
            let mut values: HashMap<(When, u64, Split), Values> = HashMap::new();
            let sql = "SELECT phase, step, split, metric, value FROM metrics WHERE run = ?1";
            let value =
                |row: &Row<'_>| Ok((evaluation(row)?, (row.get::<_, Tag<_>>("metric")?.0, real(row, "value")?)));
            for (of, value) in all(tx, sql, [key], value)? {
                values.entry(of).or_default().push(value);
            }
            all(tx, "SELECT * FROM evals WHERE run = ?1", [key], |row| {
                let values = values.remove(&evaluation(row)?).unwrap_or_default();
                eval_record(row, values)
            })
        })?;
        evals.sort_by_key(|e| (e.when, e.step, e.split));
        Ok(evals)
    }

    /// For each of these runs with an evaluation on the split since training began: the one after training, or else all during it, by
    /// step.
    pub fn evals_on<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a str>,
        split: Split,
    ) -> Result<HashMap<String, Vec<EvalRecord>>, StoreError> {
        // The phase is a constant, not a parameter: one index holds the evaluations after training only.
        let statements = ["after", "during"].map(|phase| {
            let of = format!("WHERE run = ?1 AND phase = '{phase}' AND split = ?2");
            (format!("SELECT * FROM evals {of} ORDER BY step"), format!("SELECT step, metric, value FROM metrics {of}"))
        });
        self.each(keys, |tx, key| {
            for (evals, values) in &statements {
                let wanted = params![key, Tag(split)];
                let mut found: HashMap<u64, Values> = HashMap::new();
                let value =
                    |row: &Row<'_>| Ok((count(row, "step")?, (row.get::<_, Tag<_>>("metric")?.0, real(row, "value")?)));
                for (step, value) in all(tx, values, wanted, value)? {
                    found.entry(step).or_default().push(value);
                }
                if !found.is_empty() {
                    let record =
                        |row: &Row<'_>| eval_record(row, found.remove(&count(row, "step")?).unwrap_or_default());
                    return Ok(Some(all(tx, evals, wanted, record)?));
                }
            }
            Ok(None)
        })
    }

    /// The result of `find` for each of these runs, from one snapshot.
    fn each<'a, T>(
        &self,
        keys: impl IntoIterator<Item = &'a str>,
        find: impl Fn(&Connection, &str) -> rusqlite::Result<Option<T>>,
    ) -> Result<HashMap<String, T>, StoreError> {
        self.read(|tx| {
            let found = keys.into_iter().map(|key| Ok(find(tx, key)?.map(|value| (key.to_string(), value))));
            found.filter_map(Result::transpose).collect()
        })
    }

    /// The kept weights' predictions on a split, by row.
    pub fn predictions(&self, key: &str, split: Split) -> Result<Vec<PredictionRecord>, StoreError> {
        let sql = "SELECT * FROM predictions WHERE run = ?1 AND split = ?2 ORDER BY row";
        self.read(|tx| all(tx, sql, params![key, Tag(split)], prediction_record))
    }

    /// What was predicted before training on a split, by row; empty in records of earlier versions.
    pub fn predictions_before(&self, key: &str, split: Split) -> Result<Vec<PredictionBefore>, StoreError> {
        let sql = "SELECT packed FROM predictions_before WHERE run = ?1 AND split = ?2 ORDER BY part";
        let packed = |row: &Row<'_>| {
            let damaged = || FromSqlError::Other("they are damaged, or a newer version stored them".into());
            unpack(row.get_ref(0)?.as_blob()?).ok_or_else(|| damaged().into())
        };
        let mut found: Vec<PredictionBefore> = self.read(|tx| all(tx, sql, params![key, Tag(split)], packed))?.concat();
        found.sort_by_key(|p| p.row);
        Ok(found)
    }

    /// What a run answered to these probes, as far as they were scored: before, during and after training, by step and position.
    pub fn probes(&self, key: &str, probes: &[Probe]) -> Result<Vec<ProbeRecord>, StoreError> {
        let stored = self.read(|tx| all(tx, "SELECT * FROM probes WHERE run = ?1", [key], probe_record))?;
        let wanted = probes.iter().enumerate().flat_map(|(position, probe)| {
            let asked = (&probe.text, &probe.text_pair, &probe.expect);
            let same = stored.iter().filter(move |p| (&p.score.text, &p.score.text_pair, &p.score.expect) == asked);
            same.cloned().map(move |mut record| {
                record.score.position = position as u32;
                record
            })
        });
        let mut found: Vec<ProbeRecord> = wanted.collect();
        found.sort_by_key(|p| (p.when, p.step, p.score.position));
        Ok(found)
    }

    /// The warnings of a run, in the order in which they were stored.
    pub fn warnings(&self, key: &str) -> Result<Vec<Warning>, StoreError> {
        self.read(|tx| {
            all(tx, "SELECT kind, message, lines FROM warnings WHERE run = ?1 ORDER BY id", [key], |row| {
                let (Tag(kind), Json(lines)) = (row.get("kind")?, row.get("lines")?);
                Ok(Warning { kind, message: row.get("message")?, lines })
            })
        })
    }

    /// Keys of the runs with a warning of this kind.
    pub fn warned(&self, kind: Kind) -> Result<HashSet<String>, StoreError> {
        let runs = self.read(|tx| {
            all(tx, "SELECT DISTINCT run FROM warnings WHERE kind = ?1", params![Tag(kind)], |row| row.get(0))
        })?;
        Ok(runs.into_iter().collect())
    }

    /// Notes about a run, in the order in which they were stored.
    pub fn notes(&self, key: &str) -> Result<Vec<NoteRecord>, StoreError> {
        self.read(|tx| {
            all(tx, "SELECT at, message FROM notes WHERE run = ?1 ORDER BY id", [key], |row| {
                Ok(NoteRecord { at: row.get("at")?, message: row.get("message")? })
            })
        })
    }
}

pub(super) fn all<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    record: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    conn.prepare_cached(sql)?.query_map(params, record)?.collect()
}

fn count(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    row.get(column).map(|Count(value)| value)
}

fn real(row: &Row<'_>, column: &str) -> rusqlite::Result<f64> {
    row.get(column).map(|Real(value)| value)
}

/// The run in a row, as an experiment has it.
fn run_record(tx: &Connection, row: &Row<'_>, of: Option<&str>) -> rusqlite::Result<RunRecord> {
    let steps = count(row, "steps")?;
    let size = match row.get::<_, Option<Count>>("steps_per_epoch")? {
        None => None,
        Some(Count(steps_per_epoch)) => Some(RunSize {
            steps_per_epoch,
            train_rows: count(row, "rows_train")?,
            dev_rows: count(row, "rows_dev")?,
            test_rows: count(row, "rows_test")?,
            parameters: count(row, "parameters")?,
        }),
    };
    let evaluated = row.get::<_, Option<Count>>("rows")?.is_some();
    let waits_at = row.get::<_, Option<Count>>("waits_at")?.map(|step| step.0);
    let state = match (row.get::<_, Tag<RunState>>("state")?.0, waits_at) {
        (RunState::Interrupted, Some(_)) => RunState::Waiting,
        (state, _) => state,
    };
    let key: String = row.get("key")?;
    let planned = Planned::of(tx, &key, of, row.get("experiment")?, row.get("name")?)?;
    let mut config = row.get::<_, Json<RunConfig>>("config")?.0;
    if let Some(said) = of.map(|experiment| settings(tx, &key, experiment)).transpose()?.flatten() {
        let trained = std::mem::replace(&mut config, said);
        // What it was trained with, whatever the experiment says.
        if matches!(state, RunState::Completed | RunState::Pruned | RunState::Running) {
            config.train = trained.train;
            config.checkpoint = CheckpointConfig { metric: config.checkpoint.metric, ..trained.checkpoint };
        }
    }
    // The run's own config has the name of the experiment that was run last.
    planned.experiment.iter().for_each(|name| config.name.clone_from(name));
    Ok(RunRecord {
        key,
        name: planned.name,
        experiment: planned.experiment,
        experiments: planned.experiments,
        in_plan: planned.in_plan,
        state,
        failure: row.get::<_, Option<Tag<_>>>("failure")?.map(|tag| tag.0),
        message: row.get("message")?,
        config,
        labels: row.get::<_, Json<_>>("labels")?.0,
        train_labels: row
            .get::<_, Option<Json<Vec<u64>>>>("train_labels")?
            .map(|json| json.0)
            .filter(|rows| !rows.is_empty()),
        environment: row.get::<_, Option<Json<_>>>("environment")?.map(|json| json.0),
        total_steps: count(row, "total_steps")?,
        size,
        steps,
        at_step: count(row, "at_step")?,
        // NULL is NaN once there are steps.
        last_loss: if steps > 0 { Some(real(row, "last_loss")?) } else { None },
        checkpoint_step: row.get::<_, Option<Count>>("checkpoint_step")?.map(|step| step.0),
        waits_at,
        pruned_at: pruned_at(row)?,
        weights_sha256: row.get("weights_sha256")?,
        created_at: row.get("created_at")?,
        started_at: row.get("started_at")?,
        finished_at: row.get("finished_at")?,
        decided: row.get::<_, Option<Json<Decided>>>("decided")?.map(|json| json.0),
        final_metrics: if evaluated { Some(metrics(row, final_values(tx, row)?)?) } else { None },
    })
}

/// The comparison that pruned a run.
fn pruned_at(row: &Row<'_>) -> rusqlite::Result<Option<PrunedAt>> {
    let (rung, rule) = (row.get::<_, Option<Count>>("pruned_rung")?, row.get::<_, Option<Tag<PrunedBy>>>("pruned_by")?);
    Ok(rung.zip(rule).map(|(rung, rule)| PrunedAt { rung: rung.0, rule: rule.0 }))
}

/// What an experiment says of a run; none of experiments that never had it, and of those that were run by earlier versions.
fn settings(tx: &Connection, run: &str, experiment: &str) -> rusqlite::Result<Option<RunConfig>> {
    let sql = "SELECT config FROM settings WHERE run = ?1 AND experiment = ?2";
    Ok(all(tx, sql, [run, experiment], |row| row.get::<_, Json<RunConfig>>(0))?.pop().map(|json| json.0))
}

/// The experiments that a run belongs to, and its name there.
struct Planned {
    experiments: Vec<String>,
    experiment: Option<String>,
    name: String,
    in_plan: bool,
}

impl Planned {
    /// Those of a run that was registered by the experiment `first` with the name `name`. Its name is the one that it has in the
    /// experiment `of`: in the current plan, or else in another.
    fn of(tx: &Connection, key: &str, of: Option<&str>, first: String, name: String) -> rusqlite::Result<Self> {
        let sql = "SELECT e.name, x.name FROM experiment_runs x JOIN experiments e ON e.name = x.experiment
             WHERE x.run = ?1 ORDER BY e.id";
        let plans: Vec<(String, String)> = all(tx, sql, [key], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let experiments = plans.iter().map(|(experiment, _)| experiment.clone()).collect();
        let in_plan_of = |experiment: &str| plans.iter().find(|(name, _)| *name == experiment);
        let current = of.map_or_else(|| in_plan_of(&first).or(plans.first()), in_plan_of);
        if let Some((experiment, name)) = current {
            let (experiment, name) = (Some(experiment.clone()), name.clone());
            return Ok(Self { experiments, experiment, name, in_plan: true });
        }
        if let Some(of) = of {
            let sql = "SELECT name FROM plans WHERE run = ?1 AND experiment = ?2 LIMIT 1";
            let earlier = if of == first { None } else { all(tx, sql, [key, of], |row| row.get(0))?.pop() };
            let (experiment, name) = (Some(of.to_string()), earlier.unwrap_or(name));
            return Ok(Self { experiments, experiment, name, in_plan: false });
        }
        let sql = "SELECT name FROM experiments
             WHERE name = ?1 OR name IN (SELECT experiment FROM plans WHERE run = ?2)
             ORDER BY name = ?1 DESC, id LIMIT 1";
        let experiment = all(tx, sql, [&first, key], |row| row.get(0))?.pop();
        Ok(Self { experiments, experiment, name, in_plan: false })
    }
}

/// The metrics of the evaluation in a row of [`RUN`].
fn final_values(tx: &Connection, row: &Row<'_>) -> rusqlite::Result<Values> {
    let of = params![
        row.get::<_, String>("key")?,
        row.get::<_, String>("phase")?,
        row.get::<_, i64>("step")?,
        row.get::<_, String>("split")?
    ];
    let sql = "SELECT metric, value FROM metrics WHERE run = ?1 AND phase = ?2 AND step = ?3 AND split = ?4";
    all(tx, sql, of, |row| Ok((row.get::<_, Tag<_>>("metric")?.0, real(row, "value")?)))
}

/// The evaluation in a row, with its metrics.
fn metrics(row: &Row<'_>, values: Values) -> rusqlite::Result<Metrics> {
    let Json(confusion) = row.get::<_, Json<Confusion>>("confusion")?;
    // Earlier versions counted a class that does not occur as 0; macro-F1 is recomputed from the matrix.
    let macro_f1 = (confusion.rows() > 0).then(|| (Metric::MacroF1, confusion.macro_f1()));
    let mut metrics = Metrics::stored(count(row, "rows")?, row.get::<_, Json<_>>("per_class")?.0, confusion);
    metrics.co_occurrence = row.get::<_, Option<Json<Confusion>>>("co_occurrence")?.map(|json| json.0);
    values.into_iter().chain(macro_f1).for_each(|(metric, value)| metrics.set(metric, value));
    Ok(metrics)
}

/// The experiments that `which` selects, with their plans.
fn experiments(tx: &Connection, which: &str, params: impl Params) -> rusqlite::Result<Vec<ExperimentRecord>> {
    let mut experiments = all(tx, &format!("SELECT * FROM experiments {which}"), params, experiment_record)?;
    for e in &mut experiments {
        let runs = "SELECT run, name, trial FROM experiment_runs WHERE experiment = ?1 ORDER BY position";
        let run = |row: &Row<'_>| Ok(((row.get(0)?, row.get(1)?), row.get::<_, Option<Count>>(2)?));
        let (runs, trials): (_, Vec<Option<Count>>) = all(tx, runs, [&e.name], run)?.into_iter().unzip();
        let trials = trials.into_iter().map(|trial| Some(trial?.0 as usize));
        (e.runs, e.trials) = (runs, trials.collect::<Option<_>>().unwrap_or_default());
    }
    Ok(experiments)
}

fn experiment_record(row: &Row<'_>) -> rusqlite::Result<ExperimentRecord> {
    Ok(ExperimentRecord {
        name: row.get("name")?,
        description: row.get("description")?,
        spec_path: row.get("spec_path")?,
        arguments: row.get::<_, Json<_>>("arguments")?.0,
        spec_text: row.get("spec_text")?,
        extends: row.get::<_, Json<_>>("extends")?.0,
        report: row.get::<_, Json<_>>("report")?.0,
        warnings: row.get::<_, Json<_>>("warnings")?.0,
        prunes: row.get("prunes")?,
        to_come: count(row, "to_come")? as usize,
        runs: Vec::new(),
        trials: Vec::new(),
    })
}

fn step_record(row: &Row<'_>) -> rusqlite::Result<StepCompleted> {
    Ok(StepCompleted {
        step: count(row, "step")?,
        epoch: row.get("epoch")?,
        loss: real(row, "loss")?,
        lr: real(row, "lr")?,
        grad_norm: real(row, "grad_norm")?,
        tokens: count(row, "tokens")?,
        elapsed_s: real(row, "elapsed_s")?,
    })
}

/// Metrics of one evaluation.
type Values = Vec<(Metric, f64)>;

/// The evaluation that a row belongs to.
fn evaluation(row: &Row<'_>) -> rusqlite::Result<(When, u64, Split)> {
    Ok((row.get::<_, Tag<_>>("phase")?.0, count(row, "step")?, row.get::<_, Tag<_>>("split")?.0))
}

fn eval_record(row: &Row<'_>, values: Values) -> rusqlite::Result<EvalRecord> {
    let (when, step, split) = evaluation(row)?;
    Ok(EvalRecord {
        when,
        step,
        epoch: row.get("epoch")?,
        split,
        metrics: metrics(row, values)?,
        elapsed_s: real(row, "elapsed_s")?,
    })
}

fn prediction_record(row: &Row<'_>) -> rusqlite::Result<Prediction> {
    let target = |json: &str, id: &str| -> rusqlite::Result<Target> {
        match row.get::<_, Option<Json<Target>>>(json)? {
            Some(target) => Ok(target.0),
            None => Ok(Target::Label(row.get(id)?)),
        }
    };
    let (label, predicted) = (target("target", "label")?, target("predicted_target", "predicted")?);
    Ok(Prediction {
        row: row.get("row")?,
        line: count(row, "line")?,
        text: row.get("text")?,
        text_pair: row.get("text_pair")?,
        predicted,
        // Earlier versions stored all probabilities, for any number of labels.
        probabilities: row.get::<_, Json<Probabilities>>("probabilities")?.0.bounded(label.ids()),
        label,
    })
}

fn probe_record(row: &Row<'_>) -> rusqlite::Result<ProbeRecord> {
    Ok(ProbeRecord {
        when: row.get::<_, Tag<_>>("phase")?.0,
        step: count(row, "step")?,
        score: ProbeScore {
            position: 0, // among the probes that are asked for
            text: row.get("text")?,
            text_pair: row.get::<_, Option<String>>("text_pair")?.filter(|text| text != NO_TEXT),
            expect: row.get::<_, Option<String>>("expect")?.filter(|label| label != NO_LABEL),
            predicted: row.get("predicted")?,
            right: row.get("is_right")?,
            confidence: row.get("confidence")?,
            probabilities: row.get::<_, Json<Probabilities>>("probabilities")?.0,
        },
    })
}
