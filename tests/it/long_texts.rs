//! Long texts, from the spec to the report: what is cut, windows in training, and the mean of their probabilities.

use std::{cell::Cell, fs, path::Path, process::Command, sync::Arc};

use candle_core::Device;
use serde::Deserialize;
use serde_json::{Value, json};
use taper::{
    data::{self, Dataset, Row, Tokenizer, Tokens, silent},
    engine::{Autograd, Device as EngineDevice, Engine, Recipe, engine},
    event::{Event, Outcome, Split},
    execute::{Prepared, Workbench},
    metrics::Metric,
    model::{DropoutPlan, ModelConfig, Named, Parameters},
    plan::{EngineKind, LongPolicy, LongTexts, PlannedRun, RunConfig, resolve},
    spec::{LoadOptions, LoadedSpec},
    task::{Target, Task},
    train::{Outputs, ResumeCheck, TrainError, Training, evaluate, fit, resume},
};

use crate::support::{Sandbox, python_with, tiny_spec};

/// Written by tests/fixtures/long_probabilities.py with transformers 5.23.0.
#[derive(Deserialize)]
struct Fixture {
    words: Vec<String>,
    max_length: usize,
    stride: usize,
    head_tokens: usize,
    loss: f64,
    accuracy: f64,
    rows: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    text: String,
    label: u32,
    windows: usize,
    /// Mean probabilities of its windows.
    mean: Vec<f64>,
    /// Probabilities of its two ends.
    ends: Vec<f64>,
}

/// Both engines give each row the mean of its windows' probabilities, and metrics of rows.
#[test]
fn probabilities_of_long_texts_are_those_of_transformers() {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/long_probabilities.json")).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference");
    let config = ModelConfig::read(&folder.join("config.json")).unwrap();
    let labels = ["LABEL_0", "LABEL_1", "LABEL_2"].map(String::from).to_vec();
    let row = |(expected, line): (&Expected, u64)| Row {
        line,
        text: expected.text.clone().into(),
        text_pair: None,
        target: Target::Label(expected.label),
    };
    let rows = fixture.rows.iter().zip(2..).map(row).collect();
    let dataset = Arc::new(Dataset { rows, labels: labels.clone(), ..Dataset::default() });
    let tokenizer = Arc::new(Tokenizer::from_vocab(fixture.words.clone(), true).unwrap());
    let long = |policy| LongTexts { max_length: fixture.max_length, policy };
    let read = |policy| Tokens::of(tokenizer.clone(), dataset.clone(), long(policy), silent()).unwrap();
    let windows = read(LongPolicy::Windows { stride: fixture.stride });
    let ends = read(LongPolicy::HeadTail { head: fixture.head_tokens });
    let ids: Vec<u32> = (0..fixture.rows.len() as u32).collect();
    for kind in [EngineKind::Fused, EngineKind::Candle] {
        let parameters = Parameters::restore(&config, &labels, &folder.join("model.safetensors")).unwrap();
        let recipe = Recipe { engine: kind, ..Recipe::default() };
        let mut engine = engine(&config, parameters, &recipe, &EngineDevice::Cpu).unwrap();
        for (tokens, of_ends) in [(&windows, false), (&ends, true)] {
            let mut told = Vec::new();
            let mut progress = |done| {
                told.push(done);
                Ok(())
            };
            let found =
                evaluate(Task::SingleLabel, engine.as_mut(), &dataset, tokens, (&ids, false), &mut progress).unwrap();
            assert_eq!(found.predictions.len(), fixture.rows.len());
            assert!(told.is_sorted() && told.last() == Some(&(ids.len() as u64)), "{told:?}");
            for (prediction, expected) in found.predictions.iter().zip(&fixture.rows) {
                let want = if of_ends { &expected.ends } else { &expected.mean };
                let got = prediction.probabilities.iter().map(|(_, p)| f64::from(p));
                for (got, want) in got.zip(want) {
                    assert!((got - want).abs() < 1e-6, "{kind:?}, row {}: {got}, expected {want}", prediction.row);
                }
                let count = if of_ends { 1 } else { expected.windows };
                assert_eq!(tokens.count_windows(&[prediction.row]), count);
            }
            if !of_ends {
                let metrics = &found.metrics;
                assert_eq!(metrics.rows, ids.len() as u64, "metrics count rows");
                assert!((metrics.get(Metric::Loss) - fixture.loss).abs() < 1e-6, "{kind:?}: {metrics:?}");
                assert!((metrics.get(Metric::Accuracy) - fixture.accuracy).abs() < 1e-12, "{kind:?}: {metrics:?}");
            }
        }
    }
}

pub const SPEC: &str = tiny_spec!(
    "long",
    r#"test = 0.25
dev = 0.2
max_length = 16
long = "windows"
stride = 4
[train]
epochs = 2
batch_size = 8
lr = 1e-3
class_weights = "balanced"
[[probes]]
text = "送得快送得快味道好味道好味道好下次再来送得快味道好送得快"
"#
);

/// 40 reviews of 7 to 46 characters, each a token.
fn rows() -> String {
    let row = |i: usize| match i % 2 {
        0 => format!("1,味道很好下次再来{}\n", "快好香".repeat(i % 14)),
        _ => format!("0,难吃送得慢了{}\n", "冷慢差".repeat(i % 11)),
    };
    format!("label,review\n{}", (0..40).map(row).collect::<String>())
}

pub fn sandbox(spec: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", rows());
    sandbox.write("long.toml", spec);
    sandbox
}

fn prepared(sandbox: &Sandbox) -> Prepared {
    let mut config: RunConfig = {
        let loaded = LoadedSpec::load(&sandbox.path("long.toml"), &LoadOptions::default()).unwrap();
        resolve(loaded.spec()).unwrap()
    };
    config.probes.clear();
    Workbench::default().prepare(&PlannedRun { trial: 0, name: "run".into(), point: Vec::new(), config }).unwrap()
}

fn weights(parameters: &[Named]) -> Vec<Vec<f32>> {
    parameters.iter().map(|tensor| tensor.values().unwrap().into_owned()).collect()
}

/// Trains a prepared run in a folder, from the checkpoint there if there is one, until `stop` is asked for the time given.
fn train(run: &Prepared, folder: &Path, polls: usize) -> (Outcome, Vec<Event>, Vec<Vec<f32>>) {
    let state = folder.join("state.safetensors");
    let check = ResumeCheck { run: &run.key, is_logged: &|_, _| Ok(()) };
    let saved = resume(&state, None, check).unwrap().saved;
    let parameters = Parameters::fresh(&run.shape, 2, run.config.train.init_seed).unwrap();
    let recipe = Recipe::new(Task::SingleLabel, &run.config.train);
    let mut engine = engine(&run.shape, parameters, &recipe, &EngineDevice::Cpu).unwrap();
    let export = |_: u64, _: &dyn Engine| Ok::<(), TrainError>(());
    let best = folder.join("best.safetensors");
    let training = Training {
        task: Task::SingleLabel,
        train: &run.config.train,
        choices: None,
        checkpoint: &run.config.checkpoint,
        dataset: &run.dataset,
        tokens: &run.tokens,
        splits: &run.splits,
        probes: &[],
        outputs: Outputs { run: &run.key, state: Some(state), best, export: &export },
        pauses: &|_| false,
    };
    let mut events = Vec::new();
    let asked = Cell::new(0);
    let stop = || {
        asked.set(asked.get() + 1);
        asked.get() == polls
    };
    let mut emit = |event| {
        events.push(event);
        Ok(())
    };
    let outcome = fit(&training, engine.as_mut(), saved, &mut emit, &stop).unwrap();
    (outcome, events, weights(&engine.parameters()))
}

/// Losses of steps, by step; a step that is trained again replaces the earlier one.
fn losses(events: &[Event]) -> Vec<(u64, u64, u64)> {
    let mut losses: Vec<(u64, u64, u64)> = Vec::new();
    for event in events {
        if let Event::StepCompleted(step) = event {
            losses.retain(|(other, ..)| *other < step.step);
            losses.push((step.step, step.loss.to_bits(), step.tokens));
        }
    }
    losses
}

/// A run trains on each window once an epoch; interrupted anywhere, it ends with the same weights.
#[test]
fn windows_are_what_a_run_trains_on_and_a_resumed_run_is_the_same() {
    let sandbox = sandbox(SPEC);
    let run = prepared(&sandbox);
    let windows = run.tokens.windows(&run.splits.train);
    assert_eq!(run.splits.train.len(), 22);
    assert!(windows.len() > 40 && run.examples() == windows.len(), "{}", windows.len());
    let per_epoch = windows.len().div_ceil(8) as u64;
    assert_eq!((run.steps.per_epoch, run.steps.total), (per_epoch, 2 * per_epoch));
    let tokens: usize = run.tokens.lengths(&windows).unwrap().iter().sum();

    let whole = tempfile::tempdir().unwrap();
    let (outcome, events, expected) = train(&run, whole.path(), usize::MAX);
    assert_eq!(outcome, Outcome::Completed);
    let steps = losses(&events);
    assert_eq!(steps.len() as u64, run.steps.total);
    for epoch in steps.chunks(per_epoch as usize) {
        assert_eq!(epoch.iter().map(|(.., tokens)| *tokens).sum::<u64>(), tokens as u64);
    }
    let Some(Event::RunStarted { rows, train_labels, .. }) = events.first() else { panic!("{events:?}") };
    assert_eq!((*rows, train_labels.iter().sum::<u64>()), ((22, 8, 10), 22), "rows, not windows");

    // The first step by hand, on candle's tape: balanced weights make up for the windows of each label.
    let mut counts = [0.0f64; 2];
    windows.iter().for_each(|&window| {
        let label = run.dataset.rows[run.tokens.row_of(window) as usize].target.ids()[0];
        counts[label as usize] += 1.0;
    });
    let balanced = counts.map(|n| windows.len() as f64 / (2.0 * n)).to_vec();
    let objective = Task::SingleLabel.objective(0.0, Some(balanced), 0.0);
    let order = data::epoch_order(&windows, run.config.train.order_seed, 1);
    let batch = data::batch(&run.dataset, &run.tokens, &order[..8]).unwrap();
    let targets = objective.targets(&batch.targets, 2, objective.denominator(batch.targets.iter(), 2));
    let parameters = Parameters::fresh(&run.shape, 2, run.config.train.init_seed).unwrap();
    let recipe = Recipe::new(Task::SingleLabel, &run.config.train);
    let mut tape = Autograd::new(&run.shape, parameters, &recipe, &Device::Cpu).unwrap();
    let plan = Some(DropoutPlan { seed: run.config.train.seed, step: 1 });
    let want = tape.gradients(std::slice::from_ref(&batch), &[targets], plan).unwrap();
    let got = f64::from_bits(steps[0].1);
    assert!((got - want).abs() < 1e-5, "loss {got}, by hand {want}");

    for polls in [8, 13, 17] {
        let folder = tempfile::tempdir().unwrap();
        let (outcome, mut events, _) = train(&run, folder.path(), polls);
        assert_eq!(outcome, Outcome::Interrupted);
        let fewer = losses(&events).len();
        assert!(fewer > 0 && (fewer as u64) < run.steps.total, "{fewer}");
        let (outcome, more, weights) = train(&prepared(&sandbox), folder.path(), usize::MAX);
        events.extend(more);
        assert_eq!(
            (outcome, losses(&events) == steps, weights == expected),
            (Outcome::Completed, true, true),
            "{polls}"
        );
    }
}

/// The numbers of a split in a plan.
fn split<'a>(plan: &'a Value, name: &str) -> &'a Value {
    let splits = plan["tokens"]["splits"].as_array().unwrap();
    splits.iter().find(|split| split["split"] == name).unwrap()
}

/// Lengths of all rows, with `[CLS]` and `[SEP]`.
fn lengths() -> Vec<u64> {
    rows().lines().skip(1).map(|line| line.chars().count() as u64).collect()
}

#[test]
fn plan_and_report_say_how_much_is_cut() {
    let sandbox = sandbox(&SPEC.replace("long = \"windows\"\nstride = 4\n", ""));
    let long: Vec<u64> = lengths().into_iter().filter(|length| *length > 16).collect();
    let sum = |plan: &Value, key: &str| -> u64 {
        ["train", "dev", "test"].iter().map(|name| split(plan, name)[key].as_u64().unwrap()).sum()
    };
    for (set, rows_cut) in [("data.long=cut", true), ("data.long=head_tail", true), ("data.long=windows", false)] {
        let plan = &sandbox.json(&["plan", "long.toml", "--set", set])["runs"][0];
        assert_eq!((sum(plan, "rows"), sum(plan, "tokens")), (40, lengths().iter().sum()), "{set}");
        let cut = (long.len() as u64, long.iter().map(|length| length - 16).sum::<u64>());
        assert!(cut.0 > 20);
        let expected = if rows_cut { cut } else { (0, 0) };
        assert_eq!((sum(plan, "rows_cut"), sum(plan, "tokens_cut")), expected, "{set}");
        assert_eq!(plan["tokens"]["truncated"], json!(expected.0), "{set}");
        // Each window after the first begins 10 tokens after the one before it.
        let windows = |length: u64| 1 + length.saturating_sub(16).div_ceil(10);
        let windows: u64 = if rows_cut { 40 } else { lengths().into_iter().map(windows).sum() };
        assert_eq!(sum(plan, "windows"), windows, "{set}");
        let steps = split(plan, "train")["windows"].as_u64().unwrap().div_ceil(8) * 2;
        assert_eq!(plan["estimate"]["steps"], json!(steps), "{set}");
    }
    let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = |set: &str| one_line(sandbox.ok(&["plan", "long.toml", "--set", set]));
    let cut = said("data.long=cut");
    assert!(cut.contains("long at most 16 tokens; cut: "), "{cut}");
    let ends = said("data.long=head_tail");
    assert!(ends.contains("long at most 16 tokens; of longer texts the first 4 and the last 10; cut: "), "{ends}");
    let windows = said("data.long=windows");
    assert!(windows.contains("long windows of at most 16 tokens, overlapping by 4: "), "{windows}");
    let none = said("data.max_length=64");
    assert!(none.contains("long at most 64 tokens; no text is longer, and nothing is cut"), "{none}");

    // The report says the same for each run of a sweep; a swept key has an effect in some of them.
    sandbox.write(
        "sweep.toml",
        "extends = [\"long.toml\"]\nname = \"sweep\"\n[data]\nstride = 3\nhead_tokens = 2\n[train]\nepochs = 1\n\
         [sweep.axes]\n\"data.long\" = [\"cut\", \"head_tail\", \"windows\"]\n",
    );
    let plan = one_line(sandbox.ok(&["plan", "sweep.toml"]));
    for expected in [
        "long at most 16 tokens; cut: ",
        "long at most 16 tokens; of longer texts the first 2 and the last 12; cut: ",
        "long windows of at most 16 tokens, overlapping by 3: ",
    ] {
        assert!(plan.contains(expected), "{expected}: {plan}");
    }
    sandbox.ok(&["run", "sweep.toml", "--quiet"]);
    sandbox.ok(&["report", "sweep", "--out", "report"]);
    let page = one_line(fs::read_to_string(sandbox.path("report/report.md")).unwrap());
    let page = page.replace('\\', "");
    for expected in [
        "## Long texts",
        "At most 16 tokens; cut: ",
        "At most 16 tokens; of longer texts the first 2 and the end; cut: ",
        "Windows of at most 16 tokens, overlapping by 3: ",
        "(long=windows)",
    ] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    let table = fs::read_to_string(sandbox.path("report/runs.csv")).unwrap();
    let column = table.lines().next().unwrap().split(',').position(|name| name == "data.long").unwrap();
    let ways: Vec<&str> = table.lines().skip(1).map(|line| line.split(',').nth(column).unwrap()).collect();
    assert_eq!(ways, ["cut", "head_tail", "windows"], "the default is said too");
    let html = fs::read_to_string(sandbox.path("report/report.html")).unwrap();
    assert!(html.contains(">Long texts</h2>"), "{html}");
    let keys = sandbox.keys();
    assert!(sandbox.ok(&["show", &keys[2]]).contains("long texts  windows of at most 16 tokens, overlapping by 3"));
}

/// `predict`, `eval` and probes give a row what the run stored of it: the mean of its windows, in one chunk of a file or in several.
#[test]
fn one_answer_for_a_row_everywhere() {
    for set in ["data.long=windows", "data.long=head_tail"] {
        let spec = if set.ends_with("windows") { SPEC.into() } else { SPEC.replace("stride = 4\n", "") };
        let sandbox = sandbox(&spec);
        sandbox.ok(&["run", "long.toml", "--set", set, "--quiet"]);
        let key = &sandbox.keys()[0];
        let store = crate::support::store(&sandbox.path("runs"));
        let of = |split| store.predictions(key, split).unwrap();
        let stored = [of(Split::Dev), of(Split::Test)].concat();
        assert_eq!(stored.len(), 18, "one for each dev and test row");
        let output = sandbox.taper(&["predict", "long", "--file", "rows.csv", "--text-column", "review", "--json"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(said.contains("were cut in the middle"), set.ends_with("head_tail"), "{said}");
        assert!(set.ends_with("head_tail") || !said.contains("cut"), "{said}");
        let lines: Vec<Value> =
            String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 40, "one for each row");
        let probability = |line: &Value| line["probabilities"]["1"].as_f64().unwrap();
        for record in &stored {
            let line = &lines[record.row as usize];
            let p = record.probabilities.iter().find(|(id, _)| *id == 1).unwrap().1;
            assert!((probability(line) - f64::from(p)).abs() < 1e-5, "{line} {p}");
        }
        // 6,000 rows are several chunks of the stream: the same text has the same probabilities in all of them.
        let many = format!(
            "label,review\n{}",
            rows().lines().skip(1).map(|line| format!("{line}\n")).collect::<String>().repeat(150)
        );
        sandbox.write("many.csv", many);
        let again = sandbox.ok(&["predict", "long", "--file", "many.csv", "--text-column", "review", "--json"]);
        let again: Vec<Value> = again.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(again.len(), 6000);
        for (number, line) in again.iter().enumerate() {
            assert!((probability(line) - probability(&lines[number % 40])).abs() < 1e-5, "row {number}: {line}");
        }
        let eval = sandbox.json(&["eval", "long", "--file", "rows.csv"]);
        assert_eq!(eval["metrics"]["rows"], json!(40));
        let rows = rows();
        let right = lines
            .iter()
            .zip(rows.lines().skip(1))
            .filter(|(line, row)| row.starts_with(line["label"].as_str().unwrap()));
        assert!((eval["metrics"]["accuracy"].as_f64().unwrap() - right.count() as f64 / 40.0).abs() < 1e-9, "{eval}");
        let show = sandbox.json(&["show", "long"]);
        let probe = show["probes"].as_array().unwrap().iter().find(|probe| probe["when"] == "after").unwrap();
        let alone = &sandbox.json(&["predict", "long", probe["text"].as_str().unwrap()])[0];
        let stored = probe["probabilities"].as_array().map(|p| p[1].as_f64().unwrap()).unwrap();
        assert!((probability(alone) - stored).abs() < 1e-5, "{alone} {probe}");
        sandbox.ok(&["verify", "long", "--quiet"]);
        let (code, said) = sandbox.says(&["export", "long", "model"]);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let note = match set.ends_with("windows") {
            true => "truncation=True, max_length=16, stride=4, return_overflowing_tokens=True",
            false => "on the first 4 and the last 10 tokens of texts that are longer than 16",
        };
        assert!(code == 0 && said.contains(note), "{said}");
    }
}

/// The exported folder in transformers, called as `taper export` says, gives each row the probabilities that taper gives it.
#[test]
fn transformers_reads_windows_of_the_exported_model_alike() {
    let Some(program) = python_with("torch, transformers") else { return };
    let sandbox = sandbox(SPEC);
    sandbox.ok(&["run", "long.toml", "--quiet"]);
    sandbox.ok(&["export", "long", "model"]);
    sandbox.write("lines.jsonl", sandbox.ok(&["predict", "long", "--file", "rows.csv", "--json"]));
    let code = "import json, torch\n\
        from transformers import AutoTokenizer, AutoModelForSequenceClassification\n\
        tok, model = AutoTokenizer.from_pretrained('model'), AutoModelForSequenceClassification.from_pretrained('model').eval()\n\
        worst, rows, windows = 0, [json.loads(line) for line in open('lines.jsonl', encoding='utf-8')], 0\n\
        for row in rows:\n    \
            found = tok([row['text']], truncation=True, max_length=16, stride=4, return_overflowing_tokens=True)['input_ids']\n    \
            p = torch.stack([torch.softmax(model(torch.tensor([ids])).logits[0], -1) for ids in found]).mean(0)\n    \
            windows += len(found)\n    \
            worst = max([worst] + [abs(row['probabilities'][model.config.id2label[i]] - p[i].item()) for i in range(2)])\n\
        print(len(rows), windows, worst)";
    let mut command = Command::new(&program);
    command.args(["-c", code]).current_dir(sandbox.root()).env("HF_HUB_OFFLINE", "1");
    let output = command.output().expect("Python starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let facts: Vec<f64> = text.split_whitespace().map(|fact| fact.parse().unwrap()).collect();
    assert!(facts[0] == 40.0 && facts[1] > 80.0 && facts[2] < 1e-5, "{text}");
}

/// Keys that contradict each other, all at once; with a sweep, only where they do.
#[test]
fn contradictions_are_refused_with_both_keys() {
    let base = tiny_spec!("long", "max_length = 16\n");
    let sandbox = sandbox(base);
    let said = |more: &str, arguments: &[&str]| {
        sandbox.write("long.toml", format!("{base}{more}"));
        let (code, said) = sandbox.says(&[&["plan", "long.toml"], arguments].concat());
        (code, said.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let refused = |more: &str, arguments: &[&str], expected: &[&str]| {
        let (code, said) = said(more, arguments);
        assert_eq!(code, 2, "{more}: {said}");
        expected.iter().for_each(|expected| assert!(said.contains(expected), "{more}: {expected}: {said}"));
    };
    refused(
        "stride = 3\nhead_tokens = 3\n",
        &[],
        &[
            "`data.stride` applies only to `data.long` = \"windows\", but `data.long` is \"cut\"",
            "`data.head_tokens` applies only to `data.long` = \"head_tail\", but `data.long` is \"cut\"",
        ],
    );
    refused(
        "long = \"head_tail\"\nhead_tokens = 16\nstride = 2\n",
        &[],
        &[
            "`data.head_tokens` = 16 leaves no room for the end of a text: the model reads `data.max_length` = 16 tokens at once, including \
             special tokens",
            "set data.head_tokens to less than `data.max_length` minus the number of the tokenizer's special tokens (usually 2)",
            "`data.stride` applies only",
        ],
    );
    refused(
        "long = \"windows\"\nstride = 16\ntext_pair_column = \"label2\"\n",
        &[],
        &[
            "`data.stride` = 16 leaves no new token for the next window",
            "`data.long` = \"windows\" is for single texts, but the model reads two (`data.text_pair_column`)",
        ],
    );
    refused(
        "[sweep.axes]\n\"data.stride\" = [1, 2]\n",
        &[],
        &["`data.stride` applies only to `data.long` = \"windows\""],
    );
    refused(
        "long = \"windows\"\nstride = 10\n[sweep.axes]\n\"data.max_length\" = [10, 16]\n",
        &[],
        &["`data.stride` = 10 leaves no new token", "(in the sweep point data.max_length=10)"],
    );
    // The last two of 16 are [CLS] and [SEP]: that is known with the tokenizer.
    for (key, long, leaves) in [
        ("stride", "windows", "leave only 14 tokens, and so no room for anything new in a window"),
        ("head_tokens", "head_tail", "leave only 14 tokens, and so no room for the end of a text"),
    ] {
        refused(
            &format!("long = \"{long}\"\n{key} = 14\n"),
            &[],
            &[
                &format!(
                    "data.{key} is 14, but with data.max_length = 16, the 2 special tokens that this tokenizer adds to a text {leaves}"
                ),
                &format!("set data.{key} to 13 or less"),
            ],
        );
    }
    refused("long = \"middle\"\n", &[], &["cut", "head_tail", "windows"]);
    // A choice that is swept or that a higher layer overrides leaves its key without effect.
    for (more, arguments) in [
        ("long = \"windows\"\nstride = 3\n", &["--set", "data.long=cut"][..]),
        ("stride = 3\nhead_tokens = 2\n[sweep.axes]\n\"data.long\" = [\"cut\", \"head_tail\", \"windows\"]\n", &[]),
        ("long = \"windows\"\n[sweep.axes]\n\"data.stride\" = [0, 13]\n\"data.max_length\" = [16, 20]\n", &[]),
    ] {
        let (code, said) = said(more, arguments);
        assert_eq!(code, 0, "{more}: {said}");
    }
}

/// The rows of each step with windows name the window too.
#[test]
fn an_order_of_windows_names_each() {
    let sandbox = sandbox(SPEC);
    sandbox.ok(&["plan", "long.toml", "--order", "order.json"]);
    let order: Value = serde_json::from_slice(&fs::read(sandbox.path("order.json")).unwrap()).unwrap();
    let run = prepared(&sandbox);
    let flat = |key: &str| -> Vec<u64> {
        let epoch = &order[key].as_array().unwrap()[..run.steps.per_epoch as usize];
        epoch.iter().flat_map(|step| step.as_array().unwrap()).map(|n| n.as_u64().unwrap()).collect()
    };
    let mut named: Vec<(u64, u64)> = flat("train").into_iter().zip(flat("windows")).collect();
    named.sort_unstable();
    let name = |&window: &u32| {
        let (row, index) = run.tokens.row_and_index(window);
        (u64::from(row), u64::from(index))
    };
    let mut expected: Vec<(u64, u64)> = run.tokens.windows(&run.splits.train).iter().map(name).collect();
    expected.sort_unstable();
    assert_eq!(named, expected);
}
