//! Runs of each problem type, from the spec to predictions: killed and resumed, swept, with thresholds and a temperature.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Stdio,
    time::Duration,
};

use serde_json::Value;
use taper::{
    event::{Split, When},
    metrics::{Metric, Target},
    store::{RunState, Store},
};

use crate::support::{Sandbox, steps, store, tiny_spec};

/// [`tiny_spec`] of texts with several labels, in the column `tags`, that are written `one|two`: the lines from the rest of `[data]` on.
macro_rules! tags_spec {
    ($rest:literal) => {
        concat!(
            $crate::support::tiny_spec!(
                "multi",
                r#"problem_type = "multi_label_classification"
label_column = "tags"
label_separator = "|"
test = 0.25
dev = 0.25
max_length = 32
"#
            ),
            $rest
        )
    };
}
pub(crate) use tags_spec;

/// Two labels that a text may have both of, or none, and a number.
const MULTI: &str = tags_spec!(
    r#"thresholds = "tuned"
calibrate = true
[train]
epochs = 10
batch_size = 4
lr = 2e-3
[checkpoint]
keep = "best"
every_steps = 3
[[probes]]
text = "送得慢，味道很好"
expect = "taste|speed"
"#
);

const NUMBERS: &str = tiny_spec!(
    "numbers",
    r#"problem_type = "regression"
label_columns = ["stars", "length"]
test = 0.25
dev = 0.25
max_length = 32
[train]
epochs = 10
batch_size = 4
lr = 2e-3
[checkpoint]
keep = "best"
every_steps = 3
[[probes]]
text = "味道很好"
expect = "5, 0.5"
"#
);

const BINARY: &str = tiny_spec!(
    "binary",
    r#"label_column = "good"
test = 0.25
dev = 0.25
max_length = 32
thresholds = "tuned"
threshold_metric = "f1:yes"
calibrate = true
[train]
epochs = 10
batch_size = 4
lr = 2e-3
loss = "focal"
focal_gamma = 1.5
class_weights = "balanced"
[checkpoint]
keep = "best"
metric = "average_precision"
every_steps = 3
[[probes]]
text = "很快"
expect = "yes"
[[probes]]
text = "难吃"
"#
);

/// Forty-eight texts with their tags, two numbers, and whether they are good.
fn rows() -> String {
    let parts = [("味道很好", "taste", 5.0), ("送得慢", "speed", 2.0), ("难吃", "taste", 1.0), ("很快", "speed", 4.5)];
    let mut text = "review,tags,stars,length,good\n".to_owned();
    for i in 0..48usize {
        let of = [parts[i % 4], parts[(i / 4 + 1) % 4]];
        let used = if i % 6 == 5 { &[][..] } else { &of[..1 + i % 2] };
        let words: Vec<&str> = used.iter().map(|part| part.0).collect();
        let mut tags: Vec<&str> = used.iter().map(|part| part.1).collect();
        tags.dedup();
        let stars = used.iter().map(|part| part.2).sum::<f64>() / used.len().max(1) as f64;
        let good = if stars >= 4.0 { "yes" } else { "no" };
        text +=
            &format!("{} 第{i}次,{},{stars},{},{good}\n", words.join(" "), tags.join("|"), words.len() as f64 / 4.0);
    }
    text
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", rows());
    for (name, spec) in [("multi", MULTI), ("numbers", NUMBERS), ("binary", BINARY)] {
        sandbox.write(&format!("{name}.toml"), spec);
    }
    sandbox
}

/// Everything that a run leaves: steps, evaluations, predictions, probes, what was decided, the digest of the weights.
pub fn trail(sandbox: &Sandbox, runs: &str) -> Vec<String> {
    let store = Store::open_existing(&sandbox.path(runs)).expect("a store");
    let mut left = vec![format!("{:?}", steps(&sandbox.path(runs)))];
    for run in store.runs().expect("runs") {
        assert_eq!(run.state, RunState::Completed);
        let evals = store.evals(&run.key).expect("evaluations");
        let evals: Vec<_> = evals.iter().map(|e| (e.when, e.step, e.split, &e.metrics)).collect();
        let probes = store.probes(&run.key, &run.config.probes).expect("probes");
        left.push(format!("{} {:?} {:?} {evals:?} {probes:?}", run.key, run.weights_sha256, run.decided));
        for split in [Split::Dev, Split::Test] {
            left.push(format!("{:?}", store.predictions(&run.key, split).expect("predictions")));
        }
    }
    left
}

#[test]
fn each_problem_type_under_kill_9_ends_as_undisturbed() {
    for name in ["multi", "numbers", "binary"] {
        let sandbox = sandbox();
        let spec = format!("{name}.toml");
        sandbox.ok(&["run", &spec, "--quiet", "--runs", "calm"]);
        let mut kills = 0;
        loop {
            let mut command = sandbox.command(&["run", &spec, "--quiet", "--runs", "killed"]);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("taper starts");
            // Each time a little later, so that it gets to its end at last.
            std::thread::sleep(Duration::from_millis(60 + 30 * kills));
            if child.try_wait().expect("a child").is_some_and(|status| status.success()) {
                break;
            }
            child.kill().expect("kill -9");
            child.wait().expect("its end");
            kills += 1;
            assert!(kills < 200, "it never ends");
        }
        assert!(kills > 1, "{name} was killed {kills} times");
        assert!(trail(&sandbox, "killed") == trail(&sandbox, "calm"), "{name}: something differs after {kills} kills");
    }
}

/// The labels of the test rows change nothing but the metrics of the test split.
#[test]
fn what_is_decided_never_depends_on_test_rows() {
    for (name, spec) in [("multi", MULTI), ("binary", BINARY)] {
        let sandbox = sandbox();
        let other = rows().replace(",taste,", ",x,").replace(",speed,", ",taste,").replace(",x,", ",speed,");
        let other = other.replace(",yes\n", ",x\n").replace(",no\n", ",yes\n").replace(",x\n", ",no\n");
        let mut decided = Vec::new();
        for (file, rows) in [("a.csv", rows()), ("b.csv", other)] {
            sandbox.write(file, rows);
            let own = spec.replace("test = 0.25", &format!("test = \"path:{file}\""));
            sandbox.write("own.toml", own);
            let runs = format!("runs-{file}");
            sandbox.ok(&["run", "own.toml", "--quiet", "--runs", &runs]);
            let run = Store::open_existing(&sandbox.path(&runs)).unwrap().runs().unwrap().remove(0);
            let of_run = run.decided.expect("a decision");
            decided.push((of_run.decision, of_run.dev, run.weights_sha256, of_run.test.expect("test rows")));
        }
        let [a, b] = &decided[..] else { panic!("two runs") };
        assert!((&a.0, &a.1, &a.2) == (&b.0, &b.1, &b.2), "{name}: {:?} {:?}", a.0, b.0);
        assert_ne!(a.3, b.3, "{name}: the test rows do differ");
        assert!(a.0.temperature != 1.0 && a.0.thresholds.is_some(), "{name}: {:?}", a.0);
    }
}

/// `taper eval` and `taper predict` decide as the run did.
#[test]
fn a_kept_model_decides_as_its_run() {
    for name in ["multi", "binary"] {
        let sandbox = sandbox();
        sandbox.ok(&["run", &format!("{name}.toml"), "--quiet"]);
        let store = store(&sandbox.path("runs"));
        let run = store.runs().unwrap().remove(0);
        let decided = run.decided.as_ref().expect("a decision");
        let rows: Vec<String> =
            std::fs::read_to_string(sandbox.path("rows.csv")).unwrap().lines().map(String::from).collect();
        let test = store.predictions(&run.key, Split::Test).unwrap();
        let lines = test.iter().map(|p| rows[p.line as usize - 1].clone());
        let file = std::iter::once(rows[0].clone()).chain(lines).collect::<Vec<_>>().join("\n") + "\n";
        sandbox.write("test.csv", file);
        let evaluation = sandbox.json(&["eval", name, "--file", "test.csv"]);
        let want = decided.test.as_ref().expect("test rows");
        for metric in [Metric::Loss, Metric::MacroF1, Metric::MicroF1, Metric::Brier] {
            let got = evaluation["metrics"][metric.info().id].as_f64().expect("a number");
            assert!((got - want.get(metric)).abs() < 1e-6, "{name} {metric:?}: {got}, wanted {}", want.get(metric));
        }
        // The thresholds are in the folder, by name, and every prediction follows from them.
        let folder = sandbox.path("runs").join(&run.key[..12]).join("model");
        let file: Value = serde_json::from_slice(&std::fs::read(folder.join("decision.json")).unwrap()).unwrap();
        assert_eq!(file["temperature"].as_f64().unwrap(), decided.decision.temperature);
        for (label, threshold) in decided.decision.named(&run.labels) {
            assert_eq!(file["thresholds"][label].as_f64().unwrap(), threshold);
        }
        let said = sandbox.json(&["predict", name, "味道很好 送得慢", "很快", "难吃"]);
        for row in said.as_array().expect("rows") {
            let p = |label: &str| row["probabilities"][label].as_f64().expect("a probability");
            for (label, threshold) in decided.decision.named(&run.labels) {
                let is_predicted = match name {
                    "multi" => row["labels"].as_array().unwrap().iter().any(|known| known == label),
                    _ => row["label"] == label.as_str(),
                };
                assert_eq!(is_predicted, p(label) >= threshold, "{row}");
            }
        }
        // Probes after training are answered as by `taper predict`, with labels in the same order, whichever the spec has.
        let probes = store.probes(&run.key, &run.config.probes).unwrap();
        for probe in probes.iter().filter(|probe| probe.when == When::After).map(|probe| &probe.score) {
            let row = &sandbox.json(&["predict", name, &probe.text])[0];
            let of = |value: &Value| value.as_str().expect("a label").to_owned();
            let labels: Vec<String> = match name {
                "multi" => row["labels"].as_array().expect("labels").iter().map(of).collect(),
                _ => vec![of(&row["label"])],
            };
            let shown = if labels.is_empty() { Target::NONE.into() } else { labels.join(Target::SEPARATOR) };
            assert_eq!(probe.predicted, shown, "{row}");
            if let [label] = &labels[..] {
                let p = row["probabilities"][label].as_f64().expect("a probability");
                assert!((f64::from(probe.confidence().expect("one")) - p).abs() < 1e-5, "{row}: {probe:?}");
            }
            let expected = probe.expect.as_ref().map(|expect| {
                let mut names: Vec<&str> = expect.split('|').collect();
                names.sort_unstable();
                let mut predicted: Vec<&str> = labels.iter().map(String::as_str).collect();
                predicted.sort_unstable();
                names == predicted
            });
            assert_eq!(probe.is_right(), expected, "{probe:?}");
        }
        assert!(probes.iter().any(|probe| probe.when == When::After));
        let said = sandbox.ok(&["show", name]);
        assert!(said.contains("probes after training: with temperature ") && said.contains("as in `taper predict`"));
        // Each number says whether it is with the decision, and `--json` has both.
        let (without, with) = (run.final_metrics.as_ref().expect("metrics"), want);
        let in_table = |when: &str, loss: f64| {
            let is_it = |line: &&str| {
                let cells: Vec<&str> = line.split_whitespace().take(3).collect();
                cells.first() == Some(&when) && cells.last() == Some(&"test")
            };
            let line = said.lines().find(is_it).unwrap_or_else(|| panic!("{when}: {said}"));
            assert!(line.contains(&format!(" {} ", Metric::Loss.text(loss))), "{when}: {said}");
        };
        in_table("after", without.get(Metric::Loss));
        in_table("decided", with.get(Metric::Loss));
        assert_ne!(Metric::Loss.text(without.get(Metric::Loss)), Metric::Loss.text(with.get(Metric::Loss)), "{name}");
        assert!(said.contains("\ndecided: after training, with the temperature and the thresholds below; "), "{said}");
        let json = sandbox.json(&["show", name]);
        for (shown, stored) in [(&json["final_metrics"], without), (&json["decided"]["test"], with)] {
            assert_eq!(shown["macro_f1"].as_f64(), Some(stored.get(Metric::MacroF1)));
        }
        // It is exported with the model.
        sandbox.ok(&["export", name, "exported"]);
        assert_eq!(
            std::fs::read(sandbox.path("exported/decision.json")).unwrap(),
            std::fs::read(folder.join("decision.json")).unwrap()
        );
        // All of its files are known as taper's own.
        let verified = sandbox.ok(&["verify", name]);
        assert!(verified.contains("the same, bit for bit"), "{verified}");
        let db = rusqlite::Connection::open(sandbox.path("runs/taper.db")).unwrap();
        db.execute("UPDATE runs SET decided = json_set(decided, '$.decision.temperature', 7.5)", []).unwrap();
        drop(db);
        let differs = sandbox.taper(&["verify", name]);
        assert!(!differs.status.success(), "another temperature is a difference");
        let text = sandbox.ok(&["show", name]);
        assert!(text.contains("\ntemperature 7.500: test loss "), "{text}");
    }
}

/// The metric that selects is none of those that results are usually shown by.
#[test]
fn what_selects_is_shown_on_dev_and_on_test() {
    let sandbox = sandbox();
    let output = sandbox.taper(&["run", "binary.toml"]);
    let [said, lines] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let run = store(&sandbox.path("runs")).runs().unwrap().remove(0);
    let evals = store(&sandbox.path("runs")).evals(&run.key).unwrap();
    let on = |split| {
        let eval = evals.iter().find(|e| e.when == When::After && e.split == split).expect("an evaluation");
        Metric::AveragePrecision.text(eval.metrics.get(Metric::AveragePrecision))
    };
    let (dev, test) = (on(Split::Dev), on(Split::Test));
    assert!(said.contains(&format!("  selected by     average precision: dev {dev}, test {test}\n")), "{said}");
    assert!(lines.contains("  epoch 1  dev average precision ") && lines.contains("  accuracy "), "{lines}");
    assert!(lines.contains(&format!("after training  test average precision {test}  accuracy ")), "{lines}");
    assert!(lines.contains("after training with temperature and thresholds  "), "{lines}");
    // The first metric of the task with and without the thresholds, too.
    let thresholds = said.lines().find(|line| line.starts_with("  thresholds ")).expect(&said);
    assert!(thresholds.contains("test F1 of yes ") && thresholds.contains(" without; test accuracy "), "{thresholds}");
    assert_eq!((thresholds.matches(" with,").count(), thresholds.matches(" without").count()), (2, 2), "{thresholds}");
    assert!(said.contains(", without the temperature and the thresholds below\n"), "{said}");
    let show = sandbox.ok(&["show", "binary"]);
    assert!(
        show.contains("AVERAGE PRECISION")
            && show.contains(&format!(
                "\ntest average precision {test}, without the temperature and the thresholds below\n"
            )),
        "{show}"
    );
    let list = sandbox.ok(&["list", "binary"]);
    assert!(list.contains("DEV AVERAGE PRECISION") && list.contains("TEST AVERAGE PRECISION"), "{list}");
    assert!(list.contains("TEST ACCURACY") && list.contains(&dev) && list.contains(&test), "{list}");
}

/// Expected: numpy's mean and std, and 2s / (n + s) of each label and split.
#[test]
fn the_plan_describes_targets_and_has_a_baseline_for_each_problem_type() {
    let sandbox = sandbox();
    let numbers = sandbox.ok(&["plan", "numbers.toml"]);
    let spread = "numbers   stars: mean 2.562, standard deviation 1.919, from 0 to 5; length: mean 0.2917, standard deviation 0.1718, from 0 \
                  to 0.5\n";
    assert!(numbers.contains(spread), "{numbers}");
    sandbox.ok(&["run", "numbers.toml", "--quiet"]);
    let stored = store(&sandbox.path("runs"));
    let run = stored.runs().unwrap().remove(0);
    let error = |split| {
        let rows = stored.predictions(&run.key, split).unwrap();
        let of = |column: usize| {
            let values: Vec<f64> = rows.iter().map(|row| row.label.numbers()[column]).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
        };
        f64::midpoint(of(0), of(1))
    };
    let (dev, test) = (error(Split::Dev), error(Split::Test));
    let baseline = format!(
        "baseline  predicting the mean of the same rows for every row: RMSE {dev:.4} on the dev rows and {test:.4} on the test rows\n"
    );
    assert!(numbers.contains(&baseline), "{baseline}{numbers}");
    let sets = sandbox.ok(&["plan", "multi.toml"]);
    sandbox.ok(&["run", "multi.toml", "--quiet"]);
    let run = stored.runs().unwrap().into_iter().find(|run| run.name == "multi").expect("a run");
    let f1 = |split| {
        let rows = stored.predictions(&run.key, split).unwrap();
        let of = |label: u32| {
            let support = rows.iter().filter(|row| row.label.ids().contains(&label)).count() as f64;
            2.0 * support / (rows.len() as f64 + support)
        };
        format!("{:.1}%", f64::midpoint(of(0), of(1)) * 100.0)
    };
    let baseline = format!(
        "baseline  predicting all labels for every row: macro-F1 {} on the dev rows and {} on the test rows\n",
        f1(Split::Dev),
        f1(Split::Test)
    );
    assert!(sets.contains(&baseline), "{baseline}{sets}");
}

#[test]
fn numbers_are_predicted_and_measured() {
    let sandbox = sandbox();
    sandbox.ok(&["run", "numbers.toml", "--quiet"]);
    let store = store(&sandbox.path("runs"));
    let run = store.runs().unwrap().remove(0);
    assert_eq!((run.labels.as_slice(), run.decided), (&["stars".to_owned(), "length".to_owned()][..], None));
    let metrics = run.final_metrics.expect("metrics");
    assert!(metrics.get(Metric::Rmse) > 0.0 && metrics.get(Metric::R2).is_finite());
    let test = store.predictions(&run.key, Split::Test).unwrap();
    let error = |i: usize| -> f64 {
        let squares = test.iter().map(|p| (p.label.numbers()[i] - p.predicted.numbers()[i]).powi(2));
        squares.sum::<f64>() / test.len() as f64
    };
    let want = f64::midpoint(error(0), error(1));
    assert!((metrics.get(Metric::Mse) - want).abs() < 1e-9 && (metrics.get(Metric::Loss) - want).abs() < 1e-9);
    let said = sandbox.json(&["predict", "numbers", &test[0].text]);
    let Target::Values(values) = &test[0].predicted else { panic!("numbers") };
    assert!((said[0]["values"]["stars"].as_f64().unwrap() - values[0]).abs() < 1e-5, "{said}");
    let config: Value = serde_json::from_slice(
        &std::fs::read(sandbox.path("runs").join(&run.key[..12]).join("model/config.json")).unwrap(),
    )
    .unwrap();
    assert_eq!((&config["problem_type"], &config["id2label"]["1"]), (&"regression".into(), &"length".into()));
    let text = sandbox.ok(&["list"]);
    assert!(text.contains("RMSE") || text.contains("rmse"), "{text}");
}

/// What a CSV file has: its header, and each row by column.
fn table(csv: &[u8]) -> (Vec<String>, Vec<BTreeMap<String, String>>) {
    let mut reader = csv::Reader::from_reader(csv);
    let names: Vec<String> = reader.headers().expect("a header").iter().map(String::from).collect();
    let rows = reader.records().map(|row| {
        let row = row.expect("a row");
        names.iter().cloned().zip(row.iter().map(String::from)).collect()
    });
    let rows = rows.collect();
    (names, rows)
}

/// The metrics of `taper predict --labels` are those of `taper eval`, but for those that compare rows; `others` is their number.
fn same_but_for(found: &Value, want: &Value, others: usize) {
    let comparing = ["roc_auc", "average_precision", "spearman"];
    let numbers = |of: &Value| -> Vec<(String, f64)> {
        let of = of.as_object().expect("metrics");
        of.iter().filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect()
    };
    let (want, found) = (numbers(want), numbers(found));
    let (left_out, same): (Vec<_>, Vec<_>) = want.into_iter().partition(|(name, _)| comparing.contains(&&**name));
    assert_eq!(left_out.len(), others);
    assert_eq!(found.len(), same.len(), "{found:?}");
    for ((name, found), (of, want)) in found.iter().zip(&same) {
        assert!(name == of && (found - want).abs() < 1e-6, "{name}: {found} {want}");
    }
}

/// The labels that each row has, and those that the model predicts by its thresholds, counted here by hand.
#[test]
fn sets_of_labels_are_measured_as_they_are_predicted() {
    let sandbox = sandbox();
    sandbox.ok(&["run", "multi.toml", "--quiet"]);
    let store = store(&sandbox.path("runs"));
    let run = store.runs().unwrap().remove(0);
    let decided = run.decided.expect("thresholds").decision;
    let thresholds: BTreeMap<&String, f64> = decided.named(&run.labels).collect();
    assert!(thresholds.values().any(|at| (at - 0.5).abs() > 1e-3), "they would not be noticed: {thresholds:?}");
    let eval = sandbox.json(&["eval", "multi", "--file", "rows.csv"]);
    let said = sandbox.ok(&["eval", "multi", "--file", "rows.csv"]);
    let predict = |more: &[&str]| sandbox.taper(&[&["predict", "multi", "--file", "rows.csv"], more].concat());

    // Standard output has the probabilities, too.
    let (names, printed) = table(&predict(&[]).stdout);
    assert_eq!(names, ["line", "labels", "p(speed)", "p(taste)", "text"]);
    let (_, rows) = table(rows().as_bytes());
    let set =
        |labels: &str| labels.split('|').filter(|label| !label.is_empty()).map(String::from).collect::<BTreeSet<_>>();
    let mut exact = 0;
    for (printed, row) in printed.iter().zip(&rows) {
        let above =
            thresholds.iter().filter(|(label, at)| printed[&format!("p({label})")].parse::<f64>().unwrap() >= **at);
        let above: BTreeSet<String> = above.map(|(label, _)| (*label).clone()).collect();
        assert_eq!(set(&printed["labels"]), above);
        exact += usize::from(above == set(&row["tags"]));
    }
    assert_eq!((printed.len(), rows.len()), (48, 48));
    let share = exact as f64 / 48.0;
    assert!((eval["metrics"]["subset_accuracy"].as_f64().unwrap() - share).abs() < 1e-12, "{share} {eval}");

    for labels in [&["--labels"][..], &["--labels", "tags"]] {
        for file in ["o.csv", "o.jsonl", "o.parquet"] {
            let out = predict(&[labels, &["--out", file, "--json"]].concat());
            let found: Value = serde_json::from_slice(&out.stdout).expect("JSON");
            same_but_for(&found["evaluation"]["metrics"], &eval["metrics"], 2);
            assert_eq!((&found["rows"], &found["evaluation"]["digest"]), (&48.into(), &eval["digest"]));
            let of_label = |of: &Value, at: usize| {
                ["label", "precision", "recall", "f1", "support"]
                    .map(|field| of["metrics"]["per_class"][at][field].clone())
            };
            (0..2).for_each(|at| assert_eq!(of_label(&found["evaluation"], at), of_label(&eval, at)));
        }
        let written = table(&std::fs::read(sandbox.path("o.csv")).unwrap()).1;
        assert_eq!(written, printed, "a file has what standard output has");
    }
    // As text: the same but for the metric that compares rows.
    let out = predict(&["--labels", "--out", "o.csv"]);
    let text = String::from_utf8(out.stdout).unwrap();
    let without = |text: &str| {
        text.lines().filter(|line| !line.starts_with("average precision")).map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(without(&text)[1..], without(&said), "{text}");
    let plain = predict(&["--labels"]);
    assert_eq!(table(&plain.stdout).1, printed);
    assert!(String::from_utf8_lossy(&plain.stderr).contains("subset accuracy"));

    // A tag that the model does not know is refused, in its row; a column that is not there by the option's name.
    sandbox.write("odd.csv", "review,tags\n好,taste|price\n慢,speed\n好,price\n");
    for (arguments, want) in [
        (
            &["--file", "odd.csv", "--labels", "tags"][..],
            "lines 2 and 4: label `price` (column `tags`) is not a label of the model",
        ),
        (&["--file", "rows.csv", "--labels", "tag"], "no column `tag`, which --labels names"),
    ] {
        let out = sandbox.taper(&[&["predict", "multi"], arguments].concat());
        let error = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.code() == Some(2) && error.contains(want), "{error}");
    }
}

#[test]
fn numbers_are_measured_as_they_are_predicted() {
    let sandbox = sandbox();
    sandbox.ok(&["run", "numbers.toml", "--quiet"]);
    let eval = sandbox.json(&["eval", "numbers", "--file", "rows.csv"]);
    for file in ["o.csv", "o.jsonl", "o.parquet"] {
        let found = sandbox.json(&["predict", "numbers", "--file", "rows.csv", "--labels", "--out", file]);
        same_but_for(&found["evaluation"]["metrics"], &eval["metrics"], 1);
    }
    let (_, written) = table(&std::fs::read(sandbox.path("o.csv")).unwrap());
    let (_, rows) = table(rows().as_bytes());
    let number = |row: &BTreeMap<String, String>, name: &str| row[name].parse::<f64>().unwrap();
    let errors = ["stars", "length"].map(|name| {
        written.iter().zip(&rows).map(|(p, row)| (number(p, name) - number(row, name)).powi(2)).sum::<f64>() / 48.0
    });
    let mse = eval["metrics"]["mse"].as_f64().unwrap();
    assert!((f64::midpoint(errors[0], errors[1]) - mse).abs() < 1e-6, "{errors:?} {mse}");
    let out = sandbox.taper(&["predict", "numbers", "--file", "rows.csv", "--labels", "stars"]);
    let error = String::from_utf8_lossy(&out.stderr).into_owned();
    let want = "--labels names one column, but the model predicts 2 numbers (`stars`, `length`), each in a column of its own: write \
                --labels alone";
    assert!(out.status.code() == Some(2) && error.contains(want), "{error}");
    // A column of texts is one message, not one for each row.
    let texts: String = (0..40).map(|i| format!("好,n{i},0.5\n")).collect();
    sandbox.write("texts.csv", format!("review,stars,length\n{texts}"));
    for command in
        [&["eval", "numbers", "--file", "texts.csv"][..], &["predict", "numbers", "--file", "texts.csv", "--labels"]]
    {
        let out = sandbox.taper(command);
        let error = String::from_utf8_lossy(&out.stderr).into_owned();
        let want = "texts.csv: none of the 40 values of column `stars` is a number\n  line 2: `stars` is `n0`";
        assert!(out.status.code() == Some(2) && error.contains(want) && error.lines().count() < 8, "{error}");
    }
    let out = sandbox.taper(&["predict", "numbers", "--file", "rows.csv"]);
    let note = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(note.contains("has the columns `stars`, `length`: to score predictions, run `taper eval"), "{note}");
}

/// Twelve trials of several labels with ASHA: a third goes on at each rung, by average precision.
#[test]
fn a_sweep_by_a_metric_of_sets_is_pruned_and_ranked_by_it() {
    let sandbox = sandbox();
    let sweep = MULTI.replace("[[probes]]", "metric = \"average_precision\"\n[sweep]\nprune = \"asha\"\n[sweep.axes]\ntrain.lr = [1e-4, 1e-3, 3e-3, 1e-2]\ntrain.dropout = [0.0, 0.1, 0.3]\n[[probes]]");
    sandbox.write("sweep.toml", sweep.replace("name = \"multi\"", "name = \"sweep\""));
    sandbox.ok(&["run", "sweep.toml", "--quiet"]);
    let runs = store(&sandbox.path("runs")).runs().unwrap();
    let count = |state| runs.iter().filter(|run| run.state == state).count();
    assert_eq!(runs.len(), 12);
    assert!(count(RunState::Pruned) > 0 && count(RunState::Completed) + count(RunState::Pruned) == 12);
    let board = sandbox.json(&["list", "sweep", "--leaderboard"]);
    let values: Vec<f64> =
        board.as_array().unwrap().iter().filter_map(|trial| trial["figure"]["mean"].as_f64()).collect();
    assert!(values.len() == 12 && values.iter().all(|value| *value <= values[0]), "{board}");
    assert!(values.iter().any(|value| *value < values[0]), "not all are equal");
    let [best, ..] = &board.as_array().unwrap()[..] else { panic!("{board}") };
    let test = best["test_average_precision"]["mean"].as_f64().expect("the ranking metric on test rows");
    assert!(best["test_macro_f1"]["mean"].is_number() && (0.0..=1.0).contains(&test), "{best}");
    let text = sandbox.ok(&["list", "sweep", "--leaderboard"]);
    assert!(text.contains("TEST AVERAGE PRECISION") && text.contains(&format!("{test:.4}")), "{text}");
    assert!(text.to_lowercase().contains("dev average precision") || text.contains("DEV AP"), "{text}");
}
