//! Names that are no names of files, that control terminals, or that spreadsheets run.

use taper::{
    event::{Event, Outcome, Split, StepCompleted, When},
    metrics::{Metric, Metrics, Scored},
    plan::RunConfig,
    store::{Environment, ExperimentRecord, NewRun, Store},
};

use super::{FORMATS, READERS, below, read};
use crate::support::Sandbox;

const NAMES: [&str; 12] = [
    "../../escaped",
    "/etc/passwd",
    "..",
    ".",
    "",
    "a\\b:c*?\"<>|",
    "=HYPERLINK(\"x\",\"y\")",
    "-1+1,\"quoted\"\r\nnext",
    "\u{202e}gnp.exe\u{200b}",
    "\0\u{7}\u{1b}[31m\u{85}\u{2028}",
    "שלום/مرحبا 你好 😀",
    "NA",
];

/// An experiment with such names for itself, its runs and a label.
fn store(sandbox: &Sandbox, experiment: &str) {
    let mut store = Store::open(&sandbox.path("runs")).expect("a store");
    let mut config: RunConfig =
        serde_json::from_str(include_str!("../../fixtures/store_config.json")).expect("a config");
    config.name = experiment.into();
    let long = "长".repeat(300);
    let mut names: Vec<String> = NAMES.map(String::from).into();
    names.push(long.clone());
    let mut runs = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let key = format!("{i:064x}").chars().rev().collect::<String>();
        let label = if name.is_empty() { "x" } else { name.as_str() };
        config.data.labels.clear();
        config.data.labels.insert(long.clone() + name, label.into());
        config.data.text_column = format!("{name}{}", "列".repeat(if i == 0 { 7000 } else { 0 }));
        let labels = [label.to_string(), format!("{label}/..")];
        let run = NewRun { key: &key, name, experiment, config: &config, labels: &labels, total_steps: 2, audit: None };
        store.register(&run).expect("registered");
        store.start(&key, &Environment::default(), None).expect("started");
        let scored = |label| Scored::new(label, &[0.75, 0.25], 0.5);
        let mut metrics = Metrics::new(&labels, [scored(0), scored(1)]);
        labels.iter().for_each(|label| metrics.keep(Metric::f1_of(label)));
        let step = |step, loss| {
            let (epoch, lr, grad_norm, tokens, elapsed_s) = (1, 1e-5, 0.1 + 0.2, 10, step as f64);
            Event::StepCompleted(StepCompleted { step, epoch, loss, lr, grad_norm, tokens, elapsed_s })
        };
        let eval = |when, step| {
            let (split, metrics) = (Split::Test, metrics.clone());
            Event::EvalCompleted { when, step, epoch: 1, split, metrics, elapsed_s: 0.1 }
        };
        let events = [
            eval(When::Before, 0),
            step(1, f64::NAN),
            step(2, f64::INFINITY),
            eval(When::During, 2),
            eval(When::After, 2),
            Event::RunFinished(Outcome::Pruned { reason: name.clone(), at: None }),
        ];
        store.append(&key, &events).expect("stored");
        runs.push((key, name.clone()));
    }
    let experiment = ExperimentRecord {
        name: experiment.into(),
        description: NAMES.concat(),
        spec_path: "../x/\u{202e}.toml".into(),
        arguments: Vec::new(),
        spec_text: String::new(),
        extends: Vec::new(),
        report: serde_json::Value::Null,
        warnings: Vec::new(),
        prunes: false,
        to_come: 0,
        trials: (0..runs.len()).collect(),
        runs,
    };
    store.save_experiment(&experiment).expect("saved");
}

#[test]
fn no_name_leaves_its_folder_or_its_cell() {
    for experiment in ["../=1+1\u{202e}", &"实验".repeat(300)] {
        let sandbox = Sandbox::new();
        store(&sandbox, experiment);
        let database = sandbox.path("runs/taper.db");
        for format in FORMATS {
            sandbox.ok(&["export", experiment, &format!("exported/{format}"), "--format", format, "--quiet"]);
            for name in below(&sandbox.path("exported").join(format)) {
                let parts: Vec<&str> = name.split('/').collect();
                let safe = |part: &&str| {
                    part.len() <= 255
                        && !part.chars().any(|c| c.is_control() || matches!(c, '\u{202e}' | '\u{200b}' | '\\'))
                };
                assert!(parts.iter().all(safe), "{format}: {name:?}");
            }
        }
        assert_eq!(below(sandbox.root()).iter().filter(|path| path.contains("escaped")).count(), count(&sandbox));
        // Of the second only the experiment is called otherwise, which only MLflow limits.
        for (program, folder) in
            READERS.into_iter().filter(|(program, _)| experiment.len() < 500 || *program == "mlflow")
        {
            read(program, &database, experiment, &sandbox.path("exported").join(folder));
        }
    }
}

/// The folders and files whose name has what is left of `../../escaped`; all of them are in the exported folder.
fn count(sandbox: &Sandbox) -> usize {
    below(&sandbox.path("exported")).iter().filter(|path| path.contains("escaped")).count()
}
