//! The views that other programs read (`docs/database.md`), row by row.

use rusqlite::{Row, Statement, types::ValueRef};

use super::{Store, StoreError};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A list or settings, as JSON text.
    Json,
    /// A whole number.
    Integer,
    /// 0 or 1.
    Truth,
    /// A float64.
    Real,
}

/// A column of a view: its name, and what it holds.
pub type Column = (&'static str, Kind);

/// A value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// None.
    Null,
    /// A whole number, or 0 or 1.
    Integer(i64),
    /// A number.
    Real(f64),
    /// Text, or JSON.
    Text(&'a str),
}

/// A view that is exported. What its columns mean: `docs/database.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The runs of an experiment.
    Runs,
    /// Their metrics.
    Metrics,
    /// Their steps.
    Steps,
}

impl View {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Runs, Self::Metrics, Self::Steps];

    /// What its table is called in exports.
    pub fn table(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Metrics => "metrics",
            Self::Steps => "steps",
        }
    }

    /// Its columns, in order.
    pub fn columns(self) -> &'static [Column] {
        use Kind::{Integer, Json, Real, Text, Truth};
        match self {
            Self::Runs => &[
                ("key", Text),
                ("experiment", Text),
                ("experiments", Json),
                ("name", Text),
                ("in_plan", Truth),
                ("position", Integer),
                ("trial", Integer),
                ("state", Text),
                ("failure", Text),
                ("message", Text),
                ("pruned_rung", Integer),
                ("pruned_by", Text),
                ("model", Text),
                ("data", Text),
                ("problem_type", Text),
                ("seed", Integer),
                ("fold", Integer),
                ("folds", Integer),
                ("metric", Text),
                ("higher_is_better", Truth),
                ("dev_value", Real),
                ("test_value", Real),
                ("final_split", Text),
                ("final_value", Real),
                ("total_steps", Integer),
                ("steps", Integer),
                ("steps_per_epoch", Integer),
                ("rows_train", Integer),
                ("rows_dev", Integer),
                ("rows_test", Integer),
                ("parameters", Integer),
                ("last_loss", Real),
                ("trained_s", Real),
                ("created_at", Text),
                ("started_at", Text),
                ("finished_at", Text),
                ("created_s", Real),
                ("started_s", Real),
                ("finished_s", Real),
                ("device", Text),
                ("taper", Text),
                ("git_commit", Text),
                ("data_sha256", Text),
                ("model_sha256", Text),
                ("weights_sha256", Text),
                ("labels", Json),
                ("config", Json),
            ],
            Self::Metrics => &[
                ("run", Text),
                ("phase", Text),
                ("step", Integer),
                ("epoch", Integer),
                ("split", Text),
                ("rows", Integer),
                ("metric", Text),
                ("value", Real),
                ("unit", Text),
                ("higher_is_better", Truth),
            ],
            Self::Steps => &[
                ("run", Text),
                ("step", Integer),
                ("epoch", Integer),
                ("train_loss", Real),
                ("lr", Real),
                ("grad_norm", Real),
                ("tokens", Integer),
                ("elapsed_s", Real),
            ],
        }
    }

    /// The rows of one run, as the experiment `?2` has it, in order.
    fn query(self) -> String {
        let columns: Vec<&str> = self.columns().iter().map(|(name, _)| *name).collect();
        let from = match self {
            Self::Runs => "v_experiment_runs WHERE key = ?1 AND experiment = ?2 AND in_plan",
            // A parameter that has no effect, so that all three take the same.
            Self::Metrics => {
                "v_metrics WHERE run = ?1 AND ?2 IS NOT NULL ORDER BY CASE phase WHEN 'before' THEN 0 WHEN 'during' THEN 1
                 WHEN 'after' THEN 2 ELSE 3 END, step, split, metric"
            }
            Self::Steps => "v_steps WHERE run = ?1 AND ?2 IS NOT NULL ORDER BY step",
        };
        format!("SELECT {} FROM {from}", columns.join(", "))
    }
}

impl Store {
    /// Calls `each` with every row of a view of the runs in the current plan of an experiment: in the plan's order, of each run by phase and
    /// step. Holds one row at a time, all of one snapshot.
    ///
    /// # Errors
    /// The experiment is unknown, or the database cannot be read; or what `each` returns.
    pub fn view<E: From<StoreError>>(
        &self,
        view: View,
        experiment: &str,
        mut each: impl FnMut(&[Cell<'_>]) -> Result<(), E>,
    ) -> Result<(), E> {
        let experiment = self.experiment(experiment)?;
        let told = self.read(|tx| {
            let mut statement = tx.prepare(&view.query())?;
            for (key, _) in &experiment.runs {
                if let Err(error) = rows(&mut statement, key, &experiment.name, &mut each)? {
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        });
        told?
    }
}

/// Calls `each` with the rows of a statement until it fails.
fn rows<E>(
    statement: &mut Statement<'_>,
    key: &str,
    experiment: &str,
    each: &mut impl FnMut(&[Cell<'_>]) -> Result<(), E>,
) -> rusqlite::Result<Result<(), E>> {
    let columns = statement.column_count();
    let mut rows = statement.query([key, experiment])?;
    while let Some(row) = rows.next()? {
        let cells = (0..columns).map(|i| cell(row, i)).collect::<rusqlite::Result<Vec<_>>>()?;
        if let Err(error) = each(&cells) {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

fn cell<'a>(row: &'a Row<'_>, i: usize) -> rusqlite::Result<Cell<'a>> {
    Ok(match row.get_ref(i)? {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Integer(value),
        ValueRef::Real(value) => Cell::Real(value),
        other => Cell::Text(other.as_str()?),
    })
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::{
        event::{Event, Split, When},
        metrics::{Better, Metric, Metrics, Unit},
    };

    /// Each metric has in the view the unit and the direction that taper gives it. A metric that fails here needs a new view, in a migration.
    #[test]
    fn metrics_have_their_units_and_directions() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = testing::store_with_run(folder.path());
        let label = "a, 'b'";
        let all = Metric::ALL.into_iter().chain([Metric::f1_of(label)]);
        // The loss is in nats, unless numbers are predicted: then there is an RMSE.
        let (of_numbers, of_labels): (Vec<Metric>, Vec<Metric>) =
            all.partition(|m| matches!(m, Metric::Mse | Metric::Rmse | Metric::Mae | Metric::R2));
        for (step, metrics) in [(1, &of_labels), (2, &of_numbers)] {
            let mut measured = Metrics::stored(4, Vec::new(), testing::metrics(1).confusion);
            metrics.iter().for_each(|metric| measured.set(*metric, f64::from(step)));
            if step == 2 {
                measured.set(Metric::Loss, 9.0);
            }
            let (when, step, split) = (When::During, step as u64, Split::Dev);
            let event = Event::EvalCompleted { when, step, epoch: 1, split, metrics: measured, elapsed_s: 0.5 };
            store.append("k", &[event]).unwrap();
        }
        let mut statement =
            store.conn.prepare("SELECT step, metric, value, unit, higher_is_better FROM v_metrics").unwrap();
        let found = statement.query_map([], |row| {
            let id: String = row.get(1)?;
            Ok((row.get::<_, i64>(0)?, id, row.get(2)?, row.get(3)?, row.get(4)?))
        });
        let mut found: Vec<(i64, String, f64, Option<String>, bool)> = found.unwrap().map(Result::unwrap).collect();
        let expected = |step: i64, metric: Metric| {
            let info = metric.info();
            let unit = match info.unit {
                Unit::Share => Some("share"),
                Unit::Nats => (step == 1).then_some("nats"),
                Unit::Plain => None,
            };
            let value = if step == 2 && metric == Metric::Loss { 9.0 } else { step as f64 };
            (step, info.id.to_string(), value, unit.map(String::from), info.better == Better::Higher)
        };
        let mut all: Vec<_> = of_labels.iter().map(|metric| expected(1, *metric)).collect();
        all.extend(of_numbers.iter().chain([&Metric::Loss]).map(|metric| expected(2, *metric)));
        let by_id = |a: &(i64, String, f64, Option<String>, bool), b: &(i64, String, f64, Option<String>, bool)| {
            (a.0, &a.1).cmp(&(b.0, &b.1))
        };
        found.sort_by(by_id);
        all.sort_by(by_id);
        assert!(found.iter().any(|(_, id, ..)| *id == format!("f1:{label}")));
        assert_eq!(found, all);
    }

    #[test]
    fn views_are_read_in_order_and_an_error_ends_that() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        for key in ["k", "l"] {
            testing::register(&mut store, key, key);
            store.append(key, &[testing::step(1, f64::NAN), testing::step(2, f64::INFINITY)]).unwrap();
        }
        store.save_experiment(&testing::experiment("e", &["l", "none", "k"])).unwrap();
        let mut found = Vec::new();
        let each = |cells: &[Cell<'_>]| {
            let text = |cell: &Cell<'_>| if let Cell::Text(text) = cell { text.to_string() } else { String::new() };
            assert_eq!(cells.len(), View::Steps.columns().len());
            found.push((text(&cells[0]), cells[1] == Cell::Integer(1), cells[3] == Cell::Null));
            Ok::<(), StoreError>(())
        };
        store.view(View::Steps, "e", each).unwrap();
        let of = |key: &str| [(key.to_string(), true, true), (key.to_string(), false, false)];
        assert_eq!(found, [of("l"), of("k")].concat());
        let mut calls = 0;
        let fails = |_: &[Cell<'_>]| {
            calls += 1;
            Err(StoreError::NotRegistered { key: "x".into() })
        };
        assert!(matches!(store.view(View::Runs, "e", fails), Err(StoreError::NotRegistered { .. })));
        assert_eq!(calls, 1);
        assert!(store.view(View::Runs, "f", |_| Ok::<(), StoreError>(())).is_err());
    }
}
