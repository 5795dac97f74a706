//! What each experiment says of a run that several of them have.

use super::*;
use crate::{event::ProbeScore, plan::Probe};

fn probe(text: &str) -> Probe {
    Probe { text: text.into(), text_pair: None, expect: None }
}

/// A score of a probe, which says when it was stored.
fn score(text: &str, when: When) -> ProbeScore {
    let predicted = if when == When::Before { "negative" } else { "positive" };
    ProbeScore {
        position: 0,
        text: text.into(),
        text_pair: None,
        expect: None,
        predicted: predicted.into(),
        right: None,
        confidence: None,
        probabilities: vec![0.5, 0.5].into(),
    }
}

/// Runs `key` for an experiment with these probes, and scores them.
fn run(store: &mut Store, experiment: &str, key: &str, texts: &[&str]) {
    let mut config = config();
    config.name = experiment.into();
    config.probes = texts.iter().map(|text| probe(text)).collect();
    let new = NewRun { key, name: "n", experiment, config: &config, labels: &[], total_steps: 10, audit: None };
    store.register(&new).unwrap();
    store.save_experiment(&testing::experiment(experiment, &[key])).unwrap();
    for (when, step) in [(When::Before, 0), (When::After, 10)] {
        let scores = texts.iter().map(|text| score(text, when)).collect();
        store.append(key, &[Event::ProbesScored { when, step, scores }]).unwrap();
    }
}

/// The probes of a run as a view shows them: when, position and text.
fn shown(store: &Store, run: &RunRecord) -> Vec<(When, u32, String)> {
    let probes = store.probes(&run.key, &run.config.probes).unwrap();
    probes.into_iter().map(|p| (p.when, p.score.position, p.score.text)).collect()
}

fn all(texts: &[&str]) -> Vec<(When, u32, String)> {
    let at = |when| texts.iter().enumerate().map(move |(i, text)| (when, i as u32, text.to_string()));
    at(When::Before).chain(at(When::After)).collect()
}

#[test]
fn an_experiment_has_exactly_its_own_probes_of_a_shared_run() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    let plans: [(&str, &[&str]); 4] = [("a", &["甲", "乙"]), ("b", &["好"]), ("c", &["甲", "丙"]), ("d", &[])];
    for (experiment, texts) in plans {
        run(&mut store, experiment, "k", texts);
    }
    for (experiment, texts) in plans {
        let runs = store.runs_of(experiment).unwrap();
        assert_eq!((runs[0].config.name.as_str(), shown(&store, &runs[0])), (experiment, all(texts)));
        assert_eq!(shown(&store, &store.runs_ever_of(experiment).unwrap()[0]), all(texts));
        assert_eq!(shown(&store, &store.find(experiment).unwrap()), all(texts));
        assert_eq!(shown(&store, &store.runs_in(&testing::experiment(experiment, &["k"])).unwrap()[0]), all(texts));
    }
    assert_eq!(shown(&store, &store.run("k").unwrap()), [], "without an experiment those of the last command");
    run(&mut store, "a", "k", &["丙", "甲"]);
    assert_eq!(shown(&store, &store.runs_of("a").unwrap()[0]), all(&["丙", "甲"]), "in the order of the spec");
    assert_eq!(shown(&store, &store.runs_of("c").unwrap()[0]), all(&["甲", "丙"]), "the others stay");
    store.remove_experiment("c").unwrap();
    assert_eq!(shown(&store, &store.runs_of("b").unwrap()[0]), all(&["好"]));
}

/// Other keys that are not part of a run's key follow the experiment too.
#[test]
fn an_experiment_has_its_own_settings_of_a_shared_run() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    for (experiment, every) in [("a", 7u64), ("b", 0), ("c", 9)] {
        let mut config = config();
        (config.name, config.checkpoint.every_steps) = (experiment.into(), every);
        let new =
            NewRun { key: "k", name: "n", experiment, config: &config, labels: &[], total_steps: 10, audit: None };
        store.register(&new).unwrap();
        store.save_experiment(&testing::experiment(experiment, &["k"])).unwrap();
    }
    let every = |run: &RunRecord| serde_json::to_value(run.config.checkpoint.every_steps).unwrap();
    let of = |experiment: &str| every(&store.runs_of(experiment).unwrap()[0]);
    assert_eq!(["a", "b", "c"].map(of), [7, 0, 9].map(serde_json::Value::from));
    assert_eq!(every(&store.run("k").unwrap()), 9);
}

/// Scores of two commands that add probes to the same run.
#[test]
fn a_probe_with_the_same_text_and_another_expectation_is_another() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    let texts = [Some("negative"), None, Some("positive")];
    for expect in texts {
        let score = ProbeScore { expect: expect.map(String::from), ..score("好", When::After) };
        store.append("k", &[Event::ProbesScored { when: When::After, step: 10, scores: vec![score] }]).unwrap();
    }
    for expect in texts {
        let probe = Probe { text: "好".into(), text_pair: None, expect: expect.map(String::from) };
        let found = store.probes("k", &[probe]).unwrap();
        assert_eq!((found.len(), found[0].score.expect.as_deref()), (1, expect));
    }
    // A run that is trained again has new kept weights, of another step.
    let again = Event::ProbesScored { when: When::After, step: 12, scores: vec![score("好", When::After)] };
    store.append("k", &[again]).unwrap();
    let steps = store.probes("k", &[probe("好")]).unwrap().iter().map(|p| p.step).collect::<Vec<_>>();
    assert_eq!(steps, [12]);
}

/// Before version 13 the last command overwrote the probes of the others, by their position.
#[test]
fn a_database_of_version_12_keeps_its_probes() {
    let folder = folder();
    let old = older(folder.path(), 12);
    let mut config = config();
    (config.name, config.probes) = ("b".into(), vec![probe("好")]);
    old.execute(
        "INSERT INTO runs (key, name, experiment, state, config, labels, total_steps, at_step, steps, created_at)
         VALUES ('k', 'n', 'a', 'completed', ?1, '[]', 10, 10, 0, 1.5)",
        [serde_json::to_string(&config).unwrap()],
    )
    .unwrap();
    for name in ["a", "b"] {
        old.execute(
            "INSERT INTO experiments (name, description, spec_path, arguments, spec_text, report, saved_at)
             VALUES (?1, '', '', '[]', '', '{}', 1.5)",
            [name],
        )
        .unwrap();
        old.execute("INSERT INTO experiment_runs (experiment, position, run, name) VALUES (?1, 0, 'k', 'n')", [name])
            .unwrap();
    }
    for (phase, step) in [("before", 0), ("after", 10)] {
        for (position, text) in ["好", "乙"].iter().enumerate() {
            old.execute(
                "INSERT INTO probes VALUES ('k', ?1, ?2, ?3, ?4, NULL, 'negative', '[0.5,0.5]')",
                rusqlite::params![phase, step, position as i64, text],
            )
            .unwrap();
        }
    }
    drop(old);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(shown(&store, &store.runs_of("a").unwrap()[0]), all(&["好", "乙"]), "what it showed");
    assert_eq!(shown(&store, &store.runs_of("b").unwrap()[0]), all(&["好"]), "the one that ran last");
    assert_eq!(store.runs_of("a").unwrap()[0].config.name, "a");
}

#[test]
fn a_run_keeps_its_name_where_an_experiment_no_longer_plans_it() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    register(&mut store, "k", "lr=1e-5");
    let plan = |name: &str, runs: &[(&str, &str)], arguments: &[&str]| ExperimentRecord {
        runs: runs.iter().map(|(key, name)| (key.to_string(), name.to_string())).collect(),
        arguments: arguments.iter().map(|a| a.to_string()).collect(),
        ..testing::experiment(name, &[])
    };
    let name = |store: &Store, experiment: &str| {
        let run = store.runs_ever_of(experiment).unwrap().remove(0);
        (run.experiment.unwrap(), run.name, run.in_plan)
    };
    let want = |experiment: &str, name: &str, in_plan| (experiment.to_string(), name.to_string(), in_plan);
    // Registered by `exp`, which has another plan by now.
    store.save_experiment(&plan("exp", &[], &[])).unwrap();
    assert_eq!(name(&store, "exp"), want("exp", "lr=1e-5", false));
    // A variant of another experiment, whose plan was replaced.
    store.save_experiment(&plan("other", &[("k", "seed=1")], &["--set", "train.seed=1"])).unwrap();
    store.save_experiment(&plan("other", &[], &[])).unwrap();
    assert_eq!(name(&store, "other"), want("other", "seed=1", false));
    // It is the run of the experiment that plans it now.
    store.save_experiment(&plan("slow", &[("k", "slow")], &["--set", "name=slow"])).unwrap();
    assert_eq!(name(&store, "slow"), want("slow", "slow", true));
    assert!(store.runs_ever_of("exp").unwrap().is_empty() && store.runs_ever_of("other").unwrap().is_empty());
    assert_eq!(store.run("k").unwrap().name, "slow", "by its key, in the first plan that has it");
}

/// Before version 16 it was not stored how many runs a search has yet to propose.
#[test]
fn a_database_of_version_15_has_no_runs_to_come() {
    let folder = folder();
    let old = older(folder.path(), 15);
    old.execute(
        "INSERT INTO experiments (name, description, spec_path, arguments, spec_text, report, saved_at)
         VALUES ('e', '', '', '[]', '', '{}', 1.5)",
        [],
    )
    .unwrap();
    drop(old);
    let mut store = Store::open(folder.path()).unwrap();
    let mut stored = store.experiment("e").unwrap();
    assert_eq!((stored.name.as_str(), stored.to_come), ("e", 0));
    stored.to_come = 4;
    store.save_experiment(&stored).unwrap();
    assert_eq!(store.experiment("e").unwrap().to_come, 4);
}
