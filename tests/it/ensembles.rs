//! `taper predict RUN RUN … TEXT` and `taper eval RUN RUN … --file`: what several models say together, compared with the mean of what each says
//! alone, in taper and in transformers.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    problem_types::tags_spec,
    support::{Sandbox, python_with, tiny_spec},
};

/// Two seeds, each with its own temperature and threshold.
const BINARY: &str = tiny_spec!(
    "binary",
    r#"label_column = "good"
test = 0.25
dev = 0.25
max_length = 32
thresholds = "tuned"
calibrate = true
[train]
epochs = 6
batch_size = 4
lr = 2e-3
[sweep]
seeds = [1, 2]
"#
);

/// The same labels in the other order, from values of another file, and another family with another vocabulary.
const FLIPPED: &str = r#"name = "flipped"
[model]
source = "scratch:distilbert.json"
[data]
source = "path:flipped.csv"
text_column = "text"
label_column = "bad"
labels = { 0 = "yes", 1 = "no" }
max_length = 24
[train]
max_steps = 12
batch_size = 4
lr = 2e-3
"#;

const MULTI: &str = tags_spec!(
    r#"thresholds = "tuned"
[train]
epochs = 6
batch_size = 4
lr = 2e-3
[sweep]
seeds = [1, 2]
"#
);

const NUMBERS: &str = tiny_spec!(
    "numbers",
    r#"problem_type = "regression"
label_columns = ["stars", "length"]
test = 0.25
max_length = 32
[train]
max_steps = 12
batch_size = 4
lr = 2e-3
"#
);

/// A cross-validation of the labels of `binary`.
const FOLDS: &str = tiny_spec!(
    "cv",
    r#"label_column = "good"
max_length = 32
[train]
max_steps = 8
batch_size = 4
[sweep]
folds = 3
"#
);

/// Forty-eight texts with tags, numbers, and whether they are good.
fn rows() -> String {
    let parts = [("味道很好", "taste", 5.0), ("送得慢", "speed", 2.0), ("难吃", "taste", 1.0), ("很快", "speed", 4.5)];
    let row = |i: usize| {
        let used = [parts[i % 4], parts[(i / 4 + 1) % 4]];
        let used = &used[..1 + i % 2];
        let words: Vec<&str> = used.iter().map(|part| part.0).collect();
        let tags: BTreeSet<&str> = used.iter().map(|part| part.1).collect();
        let tags: Vec<&str> = tags.into_iter().collect();
        let stars = used.iter().map(|part| part.2).sum::<f64>() / used.len() as f64;
        let good = if stars >= 3.4 { "yes" } else { "no" };
        format!("{} 第{i}次,{},{stars},{},{good}\n", words.join(" "), tags.join("|"), words.len() as f64 / 4.0)
    };
    let all: String = (0..48).map(row).collect();
    format!("review,tags,stars,length,good\n{all}")
}

/// A folder in which runs of these specs are trained.
fn trained(specs: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", rows());
    let flipped: String = (0..20).map(|i| format!("1,难吃 {i}\n0,好 第{i}次\n")).collect();
    sandbox.write("flipped.csv", format!("bad,text\n{flipped}"));
    sandbox.write(
        "distilbert.json",
        json!({ "model_type": "distilbert", "dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32,
                "max_position_embeddings": 32, "vocab_size": 100 })
        .to_string(),
    );
    let turned = NUMBERS
        .replace(r#"["stars", "length"]"#, r#"["length", "stars"]"#)
        .replace("name = \"numbers\"", "name = \"turned\"");
    for (name, spec) in [
        ("binary", BINARY),
        ("flipped", FLIPPED),
        ("multi", MULTI),
        ("numbers", NUMBERS),
        ("turned", &turned),
        ("cv", FOLDS),
    ] {
        sandbox.write(&format!("{name}.toml"), spec);
    }
    specs.iter().for_each(|spec| drop(sandbox.ok(&["run", &format!("{spec}.toml"), "--quiet"])));
    sandbox
}

/// The keys of an experiment's runs, in the order of the plan.
fn keys(sandbox: &Sandbox, experiment: &str) -> Vec<String> {
    let runs = sandbox.json(&["list", experiment]);
    let runs = runs.as_array().or_else(|| runs["runs"].as_array()).expect("runs");
    runs.iter().map(|run| run["key"].as_str().expect("a key").to_owned()).collect()
}

/// The rows of JSON Lines.
fn lines(jsonl: &str) -> Vec<Value> {
    jsonl.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// A number of each label of each row: probabilities, or values.
fn numbers(rows: &[Value]) -> Vec<BTreeMap<String, f64>> {
    let of = |row: &Value| {
        let all = row["probabilities"].as_object().or_else(|| row["values"].as_object()).expect("numbers");
        all.iter().map(|(name, number)| (name.clone(), number.as_f64().expect("a number"))).collect()
    };
    rows.iter().map(of).collect()
}

/// What `taper predict` writes for all rows with these runs and options.
fn predicted(sandbox: &Sandbox, runs: &[&str], more: &[&str]) -> Vec<Value> {
    lines(
        &sandbox.ok(&[&["predict"], runs, &["--file", "rows.csv", "--text-column", "review", "--json"], more].concat()),
    )
}

/// Checks that each number is the mean of those of the runs alone.
fn is_mean(sandbox: &Sandbox, together: &[Value], runs: &[&str]) {
    let alone: Vec<_> = runs.iter().map(|run| numbers(&predicted(sandbox, &[run], &[]))).collect();
    assert!(alone[1..].iter().all(|of| *of != alone[0]), "the runs say the same: nothing would be noticed");
    let found = numbers(together);
    assert_eq!(found.len(), 48);
    for (row, found) in found.iter().enumerate() {
        assert_eq!(found.len(), 2);
        for (label, found) in found {
            let mean = alone.iter().map(|of| of[row][label]).sum::<f64>() / runs.len() as f64;
            assert!((found - mean).abs() < 1e-6, "row {row}, {label}: {found}, but the mean is {mean}");
        }
    }
}

/// Labels in another order, another family and vocabulary, temperatures and thresholds of the models.
#[test]
fn probabilities_are_means_and_the_more_probable_label_is_predicted() {
    let sandbox = trained(&["binary", "flipped"]);
    let binary = keys(&sandbox, "binary");
    let runs = [&binary[0][..8], "flipped", &binary[1][..8]];
    let together = predicted(&sandbox, &runs, &[]);
    is_mean(&sandbox, &together, &runs);
    for row in &together {
        let p = &row["probabilities"];
        let expected = if p["yes"].as_f64() > p["no"].as_f64() { "yes" } else { "no" };
        assert_eq!(row["label"], expected);
        assert_eq!(row["confidence"], p[expected]);
    }
    // The order of the first run is that of the results.
    let header = |runs: &[&str]| {
        let more = ["--file", "rows.csv", "--text-column", "review", "--out", "o.csv", "-q"];
        sandbox.ok(&[&["predict"], runs, &more].concat());
        let csv = std::fs::read_to_string(sandbox.path("o.csv")).expect("results");
        csv.lines().next().expect("a header").to_owned()
    };
    assert_eq!(header(&runs), "line,label,confidence,p(no),p(yes),text");
    assert_eq!(header(&["flipped", runs[0]]), "line,label,confidence,p(yes),p(no),text");

    // Texts on the command line, of which the last may be the name of a run; each member's answer is beside the mean.
    let texts = sandbox.json(&["predict", runs[0], "flipped", runs[2], "味道很好 第0次", "flipped"]);
    assert_eq!((&texts[0]["text"], &texts[1]["text"]), (&json!("味道很好 第0次"), &json!("flipped")));
    let near = |a: &Value, b: &Value| (a.as_f64().expect("a number") - b.as_f64().expect("a number")).abs() < 1e-6;
    assert!(near(&texts[0]["probabilities"]["yes"], &together[0]["probabilities"]["yes"]));
    let members = texts[0]["members"].as_array().expect("members");
    assert!(members.iter().map(|m| m["run"].as_str().unwrap()).eq([
        &binary[0],
        &keys(&sandbox, "flipped")[0],
        &binary[1]
    ]));
    for (member, run) in members.iter().zip(&runs) {
        let alone = sandbox.json(&["predict", run, "味道很好 第0次"]);
        assert!(near(&member["probabilities"]["yes"], &alone[0]["probabilities"]["yes"]), "{run}");
        assert!(alone[0].get("members").is_none());
    }
    // After `--` all arguments are texts, before it all are runs; the lines of standard input.
    let texts = sandbox.ok(&["predict", "--json", runs[0], "flipped", "--", "flipped", "-1"]);
    let texts: Value = serde_json::from_str(&texts).expect("JSON");
    assert_eq!((&texts[0]["text"], &texts[1]["text"]), (&json!("flipped"), &json!("-1")));
    let (code, said) = sandbox.says(&["predict", runs[0], "好", "--", "慢"]);
    assert!(code == 2 && said.contains("no run has the key or the name `好`"), "{said}");
    let piped = sandbox.fed(&["predict", runs[0], "flipped", "-", "--json"], "好\n慢\n");
    let piped = lines(&String::from_utf8(piped.stdout).expect("UTF-8"));
    let two = sandbox.json(&["predict", runs[0], "flipped", "好", "慢"]);
    assert!(piped.len() == 2 && (0..2).all(|i| near(&piped[i]["confidence"], &two[i]["confidence"])));

    // The note names the models, and says which rule predicts.
    let said = String::from_utf8(sandbox.taper(&["predict", runs[0], runs[2], "好"]).stderr).expect("UTF-8");
    assert!(said.contains(&format!("the probabilities are the mean of 2 models: {} (", &binary[0][..12])), "{said}");
    assert!(said.contains("thresholds that were tuned for each model differ and do not apply to the mean"), "{said}");

    // Metrics: counted by hand.
    let eval = sandbox.json(&["eval", runs[0], runs[2], "--file", "rows.csv"]);
    let pair = predicted(&sandbox, &[runs[0], runs[2]], &["--keep-columns"]);
    let right = pair.iter().filter(|row| row["good"] == row["predicted_label"]).count();
    assert_eq!(eval["metrics"]["accuracy"].as_f64().expect("a number"), right as f64 / 48.0);
    let loss = pair.iter().map(|row| -row["probabilities"][row["good"].as_str().unwrap()].as_f64().unwrap().ln());
    let loss = loss.sum::<f64>() / 48.0;
    assert!((eval["metrics"]["loss"].as_f64().expect("a number") - loss).abs() < 1e-5, "{loss}");
    assert!(eval.get("run").is_none() && eval["members"][1]["run"] == *binary[1], "{eval}");
    let warned = eval["warnings"][0]["message"].as_str().expect("a warning");
    assert!(warned.contains("that one of the runs was trained on"), "{warned}");
    let summary = predicted_document(&sandbox, &[runs[0], runs[2]]);
    assert_eq!(summary["members"], eval["members"]);
    assert_eq!(summary["evaluation"]["metrics"]["accuracy"], eval["metrics"]["accuracy"]);
    let said = sandbox.ok(&["eval", runs[0], runs[2], "--file", "rows.csv", "-q"]);
    assert!(said.starts_with(&format!("runs      {}", &binary[0][..12])) && !said.contains("decision"), "{said}");
}

fn predicted_document(sandbox: &Sandbox, runs: &[&str]) -> Value {
    sandbox.json(&[&["predict"], runs, &["--file", "rows.csv", "--labels", "--out", "o.jsonl"]].concat())
}

#[test]
fn sets_of_labels_follow_from_one_half_and_numbers_are_means() {
    let sandbox = trained(&["multi", "numbers", "turned"]);
    let multi = keys(&sandbox, "multi");
    let runs = [multi[0].as_str(), &multi[1]];
    let together = predicted(&sandbox, &runs, &[]);
    is_mean(&sandbox, &together, &runs);
    let set = |row: &Value| -> BTreeSet<String> {
        row["labels"].as_array().unwrap().iter().map(|label| label.as_str().unwrap().to_owned()).collect()
    };
    for row in &together {
        let p = row["probabilities"].as_object().expect("probabilities");
        let above = p.iter().filter(|(_, p)| p.as_f64().expect("a number") >= 0.5).map(|(label, _)| label.clone());
        assert_eq!(set(row), above.collect());
    }
    let runs = ["numbers", "turned"];
    let together = predicted(&sandbox, &runs, &[]);
    is_mean(&sandbox, &together, &runs);
    let said = String::from_utf8(sandbox.taper(&["predict", "numbers", "turned", "好"]).stderr).expect("UTF-8");
    assert!(said.contains("the numbers are the mean of 2 models"), "{said}");
}

/// A trial stands for its best run, or with --ensemble for all of its runs.
#[test]
fn a_trial_stands_for_all_of_its_seeds_or_folds() {
    let sandbox = trained(&["binary", "cv"]);
    for (experiment, n) in [("binary", 2), ("cv", 3)] {
        let keys = keys(&sandbox, experiment);
        assert_eq!(keys.len(), n);
        let runs: Vec<&str> = keys.iter().map(String::as_str).collect();
        let want = predicted(&sandbox, &runs, &[]);
        is_mean(&sandbox, &want, &runs);
        for name in [experiment, &format!("{experiment}#1"), &format!("{experiment}.toml")] {
            assert_eq!(predicted(&sandbox, &[name], &["--ensemble"]), want, "{name}");
        }
    }
    let (code, said) = sandbox.says(&["predict", "cv#1", "好"]);
    assert!(code == 2 && said.contains("average all of them with --ensemble"), "{said}");
    let all = sandbox.json(&["predict", "binary", "cv#1", "--ensemble", "好"]);
    assert_eq!(all[0]["members"].as_array().map(Vec::len), Some(5));
}

#[test]
fn models_that_do_not_answer_the_same_question_are_refused() {
    let sandbox = trained(&["binary", "flipped", "multi", "numbers"]);
    sandbox.write("three.csv", "review,mood\n好,good\n慢,bad\n一般,so-so\n好吃,good\n难吃,bad\n还行,so-so\n");
    let three = NUMBERS.replace("\"numbers\"", "\"three\"").replace("rows.csv", "three.csv").replace(
        "problem_type = \"regression\"\nlabel_columns = [\"stars\", \"length\"]\ntest = 0.25",
        "label_column = \"mood\"",
    );
    let pairs = three
        .replace("\"three\"", "\"pairs\"")
        .replace("three.csv", "rows.csv")
        .replace("\"mood\"", "\"good\"\ntext_pair_column = \"tags\"");
    for (name, spec) in [("three", three), ("pairs", pairs)] {
        sandbox.write(&format!("{name}.toml"), spec);
        sandbox.ok(&["run", &format!("{name}.toml"), "--quiet"]);
    }
    let key = keys(&sandbox, "binary").remove(0);
    let key = &key[..12];
    for (arguments, wanted) in [
        (&["predict", key, "three", "好"][..], &["their labels differ", "`no`, `yes`", "`bad`, `good`, `so-so`"][..]),
        (
            &["predict", key, "multi#1", "好"],
            &["their problem types differ", "single_label_classification", "multi_label_classification"],
        ),
        (&["predict", key, "numbers", "好"], &["their problem types differ", "regression"]),
        (&["predict", key, "pairs", "好"], &["one text", "two texts"]),
        (&["predict", key, key, "好"], &["is named twice"]),
        (&["predict", key, "binary", "好", "--ensemble"], &["is named twice"]),
        (&["predict", key, "flipped", "--file", "rows.csv"], &["--text-column", "`review`", "`text`"]),
        (&["eval", key, "flipped", "--file", "rows.csv"], &["--text-column", "`review`", "`text`"]),
        (&["eval", key, "nothing", "--file", "rows.csv"], &["no run has the key or the name `nothing`"]),
        (&["predict", key, "好", "--file", "rows.csv"], &["no run has the key or the name `好`"]),
    ] {
        let (code, said) = sandbox.says(arguments);
        assert!(code == 2 && wanted.iter().all(|words| said.contains(words)), "{arguments:?}: {code} {said}");
    }
}

/// transformers with the exported folders: logits divided by the temperature of each, softmax or sigmoid in float64, numpy's mean.
#[test]
fn the_mean_is_that_of_the_exported_models_in_transformers() {
    const CODE: &str = "import json, os, sys, numpy, torch
from transformers import AutoTokenizer, AutoModelForSequenceClassification
asked = json.load(open('asked.json', encoding='utf-8'))
names, each = asked['names'], []
for folder, most in asked['folders']:
    tok, model = AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder).eval().double()
    decision = folder + '/decision.json'
    t = json.load(open(decision, encoding='utf-8')).get('temperature', 1.0) if os.path.exists(decision) else 1.0
    rows = []
    for text in asked['texts']:
        with torch.no_grad():
            logits = model(**tok(text, truncation=True, max_length=most, return_tensors='pt')).logits[0] / t
        kind = model.config.problem_type
        p = logits if kind == 'regression' else torch.sigmoid(logits) if kind.startswith('multi') else torch.softmax(logits, -1)
        ids = {label: i for i, label in model.config.id2label.items()}
        rows.append([p[ids[name]].item() for name in names])
    each.append(rows)
print(json.dumps(numpy.mean(each, axis=0).tolist()))
";
    let Some(program) = python_with("torch, transformers, numpy") else { return };
    let sandbox = trained(&["binary", "flipped", "multi", "numbers", "turned"]);
    let (binary, multi) = (keys(&sandbox, "binary"), keys(&sandbox, "multi"));
    for (runs, names) in [
        ([("flipped", 24), (&binary[0], 32), (&binary[1], 32)].as_slice(), ["no", "yes"]),
        (&[(&multi[0], 32), (&multi[1], 32)], ["speed", "taste"]),
        (&[("numbers", 32), ("turned", 32)], ["stars", "length"]),
    ] {
        let folder = |run: &str| format!("exported-{run}");
        for (run, _) in runs {
            sandbox.ok(&["export", run, &folder(run)]);
        }
        let all: Vec<&str> = runs.iter().map(|(run, _)| *run).collect();
        let together = predicted(&sandbox, &all, &[]);
        let texts: Vec<&Value> = together.iter().map(|row| &row["text"]).collect();
        let folders: Vec<_> = runs.iter().map(|(run, most)| (folder(run), most)).collect();
        sandbox.write("asked.json", json!({ "names": names, "folders": folders, "texts": texts }).to_string());
        let mut command = Command::new(&program);
        command.args(["-c", CODE]).current_dir(sandbox.root()).env("HF_HUB_OFFLINE", "1");
        let output = command.output().expect("Python starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let want: Vec<[f64; 2]> = serde_json::from_slice(&output.stdout).expect("JSON");
        let found = numbers(&together);
        assert!(found.len() == 48 && want.len() == 48);
        for (row, (found, want)) in found.iter().zip(&want).enumerate() {
            for (name, want) in names.iter().zip(want) {
                assert!((found[*name] - want).abs() < 1e-6, "row {row}, {name}: {}, transformers {want}", found[*name]);
            }
        }
    }
}
