//! What is counted of long texts: by `plan`, and by runs that end, are interrupted, or need only some of their rows.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use taper::store::Store;

use crate::long_texts::{SPEC, sandbox};

/// A run stores of each split what `plan` says of it, whether it was interrupted or not.
#[test]
fn a_run_stores_the_counts_of_its_plan() {
    let spec = SPEC.replace("long = \"windows\"\nstride = 4\n", "");
    for set in ["data.long=cut", "data.long=head_tail", "data.long=windows"] {
        let sandbox = sandbox(&spec);
        let with = |command: &'static str, runs: &'static str| {
            vec![command, "long.toml", "--set", set, "--set", "train.epochs=60", "--runs", runs, "--json"]
        };
        let plan = &sandbox.json(&with("plan", "calm")[..8])["runs"][0];
        let planned = plan["tokens"]["splits"].as_array().unwrap();
        // All splits differ, so that no two can be confused, and something is cut or has windows.
        let names: Vec<&Value> = planned.iter().map(|split| &split["split"]).collect();
        assert_eq!(names, ["train", "dev", "test"]);
        assert!(planned[0]["tokens"] != planned[1]["tokens"] && planned[1]["tokens"] != planned[2]["tokens"]);
        for split in planned {
            assert_eq!(split["totals_are_lower_bounds"], json!(false));
            let more = split["rows_cut"].as_u64().unwrap() > 0 || split["windows"].as_u64() > split["rows"].as_u64();
            assert!(more, "{set}: {split}");
        }
        sandbox.ok(&with("run", "calm"));
        let mut child =
            sandbox.command(&with("run", "halved")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let steps = || match Store::open_existing(&sandbox.path("halved")) {
            Ok(store) => store.runs().map_or(0, |runs| runs.iter().map(|run| run.steps).sum()),
            Err(_) => 0,
        };
        while steps() < 5 && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
        assert_eq!(child.wait().unwrap().code(), Some(130), "{set}");
        sandbox.ok(&with("run", "halved"));
        for runs in ["calm", "halved"] {
            let shown = sandbox.json(&["show", plan["key"].as_str().unwrap(), "--runs", runs]);
            let stored = shown["environment"]["texts"].as_array().unwrap_or_else(|| panic!("{shown}"));
            assert_eq!(stored.len(), planned.len());
            for (stored, planned) in stored.iter().zip(planned) {
                let fields: Vec<&String> = stored.as_object().unwrap().keys().collect();
                assert_eq!(fields.len(), 9, "{fields:?}");
                for field in fields {
                    assert_eq!(stored[field], planned[field], "{set}, {runs}, {field}: {stored}");
                }
            }
        }
    }
}

/// A run that ends within its first epoch neither tokenises nor counts the rows that it did not need.
#[test]
fn a_short_run_counts_the_rows_that_it_read() {
    let spec = SPEC.replace("long = \"windows\"\nstride = 4\n", "").replace("epochs = 2", "max_steps = 1");
    let sandbox = sandbox(&spec);
    let many: String = (0..4000).map(|i| format!("{},味道很好下次再来送得快味道好味道好{i}\n", i % 2)).collect();
    sandbox.write("rows.csv", format!("label,review\n{many}"));
    sandbox.ok(&["run", "long.toml", "--quiet"]);
    let shown = sandbox.json(&["show", &sandbox.keys()[0]]);
    let texts = &shown["environment"]["texts"];
    let number = |split: usize, key: &str| texts[split][key].as_u64().unwrap_or_else(|| panic!("{texts}"));
    let counted = number(0, "rows") - number(0, "uncounted");
    assert!(counted >= 8 && number(0, "uncounted") > 0 && number(0, "rows_cut") == counted, "{texts}");
    assert!(number(0, "tokens") >= 18 * counted && number(0, "tokens") <= 24 * counted, "{texts}");
    assert_eq!((number(1, "uncounted"), number(2, "uncounted")), (0, 0), "{texts}");
    let said = sandbox.ok(&["show", &sandbox.keys()[0]]).split_whitespace().collect::<Vec<_>>().join(" ");
    let rows = format!("cut: {counted} of the {counted} of ");
    assert!(said.replace(',', "").contains(&rows) && said.contains("train rows that were counted"), "{said}");
}

/// `plan` says it of every tokenizer and of every choice of rows, as the report does.
#[test]
fn a_plan_says_it_of_each_set_of_rows_and_each_tokenizer() {
    let sandbox = sandbox(&SPEC.replace("long = \"windows\"\nstride = 4\n", ""));
    let said = |axis: &str| {
        let set = format!("sweep.axes={{{axis}}}");
        let plan = sandbox.ok(&["plan", "long.toml", "--set", &set]);
        plan.lines().filter(|line| line.starts_with("long      ")).count()
    };
    assert_eq!(said("\"train.lr\"=[1e-3,1e-4]"), 1);
    assert_eq!(said("\"data.limit\"=[20,30]"), 2);
    assert_eq!(said("\"data.seed\"=[1,2]"), 2);
    assert_eq!(said("\"data.max_length\"=[8,9,10,11,12,13,14,15,16,17,18]"), 9);
    // Another model has another tokenizer.
    sandbox.ok(&["run", "long.toml", "--quiet"]);
    sandbox.ok(&["export", "long", "model"]);
    let words = sandbox.path("model/tokenizer_config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&words).unwrap()).unwrap();
    config["tokenize_chinese_chars"] = json!(false);
    fs::write(&words, config.to_string()).unwrap();
    let _ = fs::remove_file(sandbox.path("model/tokenizer.json"));
    assert_eq!(said("\"model.source\"=[\"scratch:tiny\",\"path:model\"]"), 2);
}
