//! The database as other programs see it: `docs/database.md`, and the values of its views beside those that taper prints.

use std::{collections::BTreeMap, fs, path::Path};

use rusqlite::{Connection, OpenFlags, types::Value as Cell};
use serde_json::{Value, json};

use crate::support::{Sandbox, tiny_spec};

const SPEC: &str = tiny_spec!(
    "first",
    r#"test = 0.4
dev = 0.2
max_length = 32
[train]
epochs = 2
batch_size = 4
lr = 1e-3
eval_steps = 2
[checkpoint]
keep = "last"
[sweep]
seeds = [1, 2]
"#
);

/// The tables of the page by the heading above them: the first cells of their rows.
fn documented() -> BTreeMap<String, Vec<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/database.md");
    let (mut tables, mut heading) = (BTreeMap::<String, Vec<String>>::new(), String::new());
    for line in fs::read_to_string(page).expect("the page").lines() {
        if let Some(name) = line.strip_prefix("### ") {
            heading = name.into();
        }
        if let Some(column) = line.strip_prefix("| `").and_then(|rest| rest.split_once("` | ")) {
            tables.entry(heading.clone()).or_default().push(column.0.into());
        }
    }
    tables
}

/// The database, as another program opens it.
fn database(sandbox: &Sandbox) -> Connection {
    Connection::open_with_flags(sandbox.path("runs/taper.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the database")
}

/// The rows of a query, each with its columns as JSON.
fn rows(database: &Connection, sql: &str) -> Vec<Value> {
    let mut statement = database.prepare(sql).expect(sql);
    let names: Vec<String> = statement.column_names().map(String::from).collect();
    let row = |row: &rusqlite::Row<'_>| {
        let cell = |i: usize| match row.get_unwrap(i) {
            Cell::Null => Value::Null,
            Cell::Integer(value) => json!(value),
            Cell::Real(value) => json!(value),
            Cell::Text(text) => json!(text),
            Cell::Blob(_) => panic!("bytes"),
        };
        Ok(names.iter().enumerate().map(|(i, name)| (name.clone(), cell(i))).collect::<serde_json::Map<_, _>>().into())
    };
    statement.query_map([], row).expect(sql).map(|row| row.expect(sql)).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// A time in ISO 8601 as Unix time; `null` of none.
fn seconds(iso: &Value) -> Option<f64> {
    let at: jiff::Timestamp = iso.as_str()?.parse().expect("ISO 8601");
    assert!(text(iso).ends_with('Z') && text(iso).len() == "2026-01-02T03:04:05.678Z".len(), "{iso}");
    Some(at.as_millisecond() as f64 / 1e3)
}

/// A row of `v_runs` or `v_experiment_runs` says what JSON says of the run.
fn assert_is(row: &Value, run: &Value) {
    for (column, pointer) in [
        ("key", "/key"),
        ("experiment", "/experiment"),
        ("name", "/name"),
        ("state", "/state"),
        ("failure", "/failure"),
        ("message", "/message"),
        ("pruned_rung", "/pruned_at/rung"),
        ("pruned_by", "/pruned_at/rule"),
        ("model", "/config/model/source"),
        ("data", "/config/data/source"),
        ("seed", "/config/train/seed"),
        ("metric", "/config/checkpoint/metric"),
        ("total_steps", "/total_steps"),
        ("steps", "/steps"),
        ("steps_per_epoch", "/size/steps_per_epoch"),
        ("rows_train", "/size/train_rows"),
        ("rows_dev", "/size/dev_rows"),
        ("rows_test", "/size/test_rows"),
        ("parameters", "/size/parameters"),
        ("last_loss", "/last_loss"),
        ("device", "/environment/device"),
        ("taper", "/environment/taper"),
        ("git_commit", "/environment/git_commit"),
        ("data_sha256", "/environment/data_digest"),
        ("weights_sha256", "/weights_sha256"),
        ("created_s", "/created_at"),
        ("started_s", "/started_at"),
        ("finished_s", "/finished_at"),
    ] {
        assert_eq!(row[column], *run.pointer(pointer).unwrap_or(&Value::Null), "{column}");
    }
    assert_eq!(row["in_plan"] == 1, run["in_plan"] == true);
    for (column, of) in [("experiments", "experiments"), ("labels", "labels"), ("config", "config")] {
        let found: Value = serde_json::from_str(text(&row[column])).expect("JSON");
        assert_eq!(found, run[of], "{column}");
    }
    let metric = text(&row["metric"]);
    assert_eq!(row["final_value"], run["final_metrics"][metric], "{metric}");
    assert_eq!(row["final_value"], row[&format!("{}_value", text(&row["final_split"]))]);
    for time in ["created", "started", "finished"] {
        let at = row[format!("{time}_s")].as_f64();
        let iso = seconds(&row[format!("{time}_at")]);
        assert_eq!(iso.is_some(), at.is_some());
        assert!(iso.zip(at).is_none_or(|(iso, at)| (iso - at).abs() < 2e-3), "{time}: {row}");
    }
}

/// The metrics of an evaluation that are numbers or undefined.
fn values(metrics: &Value) -> BTreeMap<String, Value> {
    let others = ["rows", "per_class", "confusion", "co_occurrence"];
    let metrics = metrics.as_object().expect("metrics").iter().filter(|(id, _)| !others.contains(&id.as_str()));
    metrics.map(|(id, value)| (id.clone(), value.clone())).collect()
}

#[test]
fn every_column_is_documented() {
    let sandbox = Sandbox::new();
    drop(taper::store::Store::open(&sandbox.path("runs")).expect("a store"));
    let database = database(&sandbox);
    let mut documented = documented();
    // It has the same columns as `v_runs`, in one table of the page.
    let columns = documented["v_experiment_runs"].clone();
    documented.insert("v_runs".into(), columns);
    let sql = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'";
    let mut names: Vec<String> = rows(&database, sql).iter().map(|row| text(&row["name"]).into()).collect();
    names.sort();
    assert_eq!(names, documented.keys().cloned().collect::<Vec<_>>());
    for (name, columns) in &documented {
        let found = rows(&database, &format!("SELECT name FROM pragma_table_info('{name}')"));
        let found: Vec<&str> = found.iter().map(|row| text(&row["name"])).collect();
        assert_eq!(found, *columns, "{name}");
    }
    for (view, name) in taper::store::View::ALL.into_iter().zip(["v_runs", "v_metrics", "v_steps"]) {
        let columns: Vec<&str> = view.columns().iter().map(|(name, _)| *name).collect();
        assert_eq!(columns, documented[name], "{name}");
    }
    let version: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a version");
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/database.md")).expect("the page");
    assert!(page.contains(&format!("schema version {version} ")), "the page is of another version than {version}");
}

/// Two experiments share a run; a plan of before has one that no current plan has; one run has thresholds.
#[test]
fn the_views_say_what_taper_says() {
    let sandbox = Sandbox::new();
    sandbox.write_rows();
    sandbox.write("first.toml", SPEC);
    let second = SPEC.replace("\"first\"", "\"second\"").replace("seeds = [1, 2]", "seeds = [2, 3]");
    let second = second.replace("keep = \"last\"", "keep = \"last\"\nmetric = \"loss\"");
    sandbox.write("second.toml", second + "[[probes]]\ntext = \"好\"\n");
    let tuned = SPEC.replace("\"first\"", "\"tuned\"").replace("seeds = [1, 2]", "folds = 2");
    sandbox.write("tuned.toml", tuned.replace("test = 0.4\n", "calibrate = true\n"));
    for spec in ["second.toml", "first.toml", "tuned.toml"] {
        sandbox.ok(&["run", spec, "--quiet"]);
    }
    // Seed 1 is no longer in the plan of the first.
    let narrower = SPEC.replace("seeds = [1, 2]", "seeds = [2]");
    sandbox.write("first.toml", narrower);
    sandbox.ok(&["run", "first.toml", "--quiet"]);

    let db = database(&sandbox);
    let all = rows(&db, "SELECT * FROM v_runs ORDER BY created_s");
    let keys: Vec<&str> = all.iter().map(|row| text(&row["key"])).collect();
    assert_eq!(keys, sandbox.keys(), "one row for each run");
    let shared = all.iter().find(|row| row["experiments"] == r#"["second","first"]"#).expect("a shared run");
    assert_eq!((&shared["experiment"], &shared["metric"]), (&json!("second"), &json!("loss")), "which was first");
    assert_eq!(shared["higher_is_better"], 0);
    for experiment in ["first", "second", "tuned"] {
        let sql =
            format!("SELECT * FROM v_experiment_runs WHERE experiment = '{experiment}' AND in_plan ORDER BY position");
        let (found, listed) = (rows(&db, &sql), sandbox.json(&["list", experiment]));
        assert_eq!(found.len(), if experiment == "first" { 1 } else { 2 });
        let listed: Vec<&Value> =
            listed.as_array().expect("runs").iter().filter(|run| run["in_plan"] == true).collect();
        assert_eq!(found.len(), listed.len());
        found.iter().zip(&listed).for_each(|(row, run)| assert_is(row, run));
        for (position, row) in found.iter().enumerate() {
            assert_eq!(row["position"], position);
            // Those of a trial differ in seed and fold only.
            assert_eq!(row["trial"], 0);
            let fold = if experiment == "tuned" { json!([position + 1, 2]) } else { json!([null, null]) };
            assert_eq!(json!([row["fold"], row["folds"]]), fold);
        }
    }
    let left = rows(&db, "SELECT * FROM v_runs WHERE NOT in_plan");
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!((&left[0]["experiment"], &left[0]["experiments"]), (&json!("first"), &json!("[]")));
    assert_eq!((&left[0]["seed"], &left[0]["position"]), (&json!(1), &Value::Null));

    for row in &all {
        let shown = sandbox.json(&["show", text(&row["key"])]);
        if row["experiment"] == shown["experiment"] && row["experiment"] != "second" {
            assert_is(row, &shown);
        }
        assert_eq!(row["trained_s"], shown["trained_s"]);
        let mut evaluations = BTreeMap::new();
        let metrics = format!("SELECT * FROM v_metrics WHERE run = '{}'", text(&row["key"]));
        for metric in rows(&db, &metrics) {
            let of = ["phase", "step", "epoch", "split", "rows"].map(|column| metric[column].to_string());
            let values: &mut BTreeMap<String, Value> = evaluations.entry(of).or_default();
            let before = values.insert(text(&metric["metric"]).into(), metric["value"].clone());
            assert_eq!(before, None, "twice: {metric}");
        }
        let mut expected = BTreeMap::new();
        for e in shown["evaluations"].as_array().expect("evaluations") {
            let of = [&e["when"], &e["step"], &e["epoch"], &e["split"], &e["metrics"]["rows"]].map(Value::to_string);
            if e["when"] == "after" && shown["decided"].is_object() {
                let mut decided = of.clone();
                decided[0] = json!("decided").to_string();
                expected.insert(decided, values(&shown["decided"][text(&e["split"])]));
            }
            expected.insert(of, values(&e["metrics"]));
        }
        assert_eq!(evaluations.keys().any(|of| of[0].contains("decided")), row["experiment"] == "tuned");
        assert_eq!(evaluations, expected);
        let steps = rows(&db, &format!("SELECT * FROM v_steps WHERE run = '{}' ORDER BY step", text(&row["key"])));
        assert_eq!(json!(steps.len()), shown["steps"]);
        assert_eq!(steps.last().expect("steps")["train_loss"], shown["last_loss"]);
    }
    // Every step, bit for bit.
    let steps = sandbox.steps("runs");
    for row in rows(&db, "SELECT * FROM v_steps") {
        let step = row["step"].as_u64().expect("a step");
        let bits = |column: &str| row[column].as_f64().expect("a number").to_bits();
        let found = [
            row["epoch"].as_u64().expect("an epoch"),
            bits("train_loss"),
            bits("grad_norm"),
            bits("lr"),
            row["tokens"].as_u64().expect("tokens"),
        ];
        assert_eq!(steps[&(text(&row["run"]).to_string(), step)], found);
    }
}
