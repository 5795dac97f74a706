//! Searches: what their keys say, and what contradicts them.

use serde_json::json;
use taper::{
    plan::{self, PlanError, PlannedRun},
    spec::{Axis, LoadOptions, LoadedSpec, Over, PruneRule, Search, SpecErrors},
};

use super::{Files, minimal, one, options};

/// The error of a spec that cannot be expanded to runs.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Spec(#[from] SpecErrors),
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// The runs of a spec, as the command line gets them.
pub(super) fn expand(loaded: &LoadedSpec) -> Vec<PlannedRun> {
    let expansion =
        plan::expand(loaded.spec(), |point| loaded.at(point).map_err(Refused::Spec), plan::SearchHistory::default());
    expansion.unwrap_or_else(|e| panic!("{}: {}", loaded.path().display(), e[0])).runs
}

/// The problems of a sweep, each on one line, without its location.
fn problems(rest: &str) -> Vec<String> {
    let Err(SpecErrors { problems, .. }) = one(rest).load("a.toml") else { return vec![] };
    let line = |location: taper::spec::Location| location.position.map_or(0, |(line, _)| line);
    problems
        .into_iter()
        .map(|p| format!("{}: {} | {}", p.location.map_or(0, line), p.message, p.help.unwrap_or_default()))
        .collect()
}

#[test]
fn every_key_and_form_arrives() {
    let text = r#"data.dev = 0.1
[sweep]
search = "tpe"
trials = 20
search_seed = 7
batch = 2
startup_trials = 6
prune = "asha"
reduction_factor = 4
rungs = 3
max_runs = 9
max_hours = 1
[sweep.axes]
train.lr = { log = [1e-6, 1e-3] }
train.dropout = { uniform = [0, 0.5] }
"train.epochs" = { int = [1, 4] }
[sweep.axes."train.scheduler"]
choice = ["constant", "linear"]
[sweep.axes."train.warmup_ratio"]
uniform = [0, 0.2]
when = { train.scheduler = "linear", "train.epochs" = 2 }
"#;
    let loaded = one(text).load("a.toml").unwrap_or_else(|e| panic!("{e}"));
    let sweep = &loaded.spec().sweep;
    assert_eq!((sweep.search, sweep.trials, sweep.search_seed, sweep.batch), (Search::Tpe, Some(20), 7, 2));
    assert_eq!((sweep.prune, sweep.startup_trials, sweep.reduction_factor, sweep.rungs), (PruneRule::Asha, 6, 4, 3));
    assert_eq!((sweep.max_runs, sweep.max_hours), (Some(9), Some(1.0)));
    let axis = |over| Axis { over, when: [].into() };
    let when = [("train.scheduler".to_string(), json!("linear")), ("train.epochs".to_string(), json!(2))].into();
    let expected = [
        ("train.dropout", axis(Over::Uniform(0.0, 0.5))),
        ("train.epochs", axis(Over::Int(1, 4))),
        ("train.lr", axis(Over::Log(1e-6, 1e-3))),
        ("train.scheduler", Axis::values(vec![json!("constant"), json!("linear")])),
        ("train.warmup_ratio", Axis { over: Over::Uniform(0.0, 0.2), when }),
    ];
    assert_eq!(sweep.axes, expected.map(|(key, axis)| (key.to_string(), axis)).into());
    assert_eq!(expand(&loaded).len(), 6);
}

/// What an unknown key was meant to vary is not known: nothing is said to be missing because of it.
#[test]
fn an_axis_with_an_unknown_key_is_one_problem() {
    let tables = ["[sweep.axes]\ntrain.learning_rate = [1e-3]\n", "[[sweep.zip]]\ntrain.learning_rate = [1e-3]\n"];
    for table in tables {
        let found = problems(&format!("data.dev = 0.2\n[sweep]\nsearch = \"tpe\"\ntrials = 9\n{table}"));
        assert!(found.len() == 1 && found[0].contains("unknown key `train.learning_rate`"), "{found:?}");
    }
}

#[test]
fn rules_and_what_belongs_to_them_go_together() {
    for (text, expected) in [
        (
            "search = \"random\"",
            vec![
                "4: `sweep.search` = \"random\" needs `sweep.trials`, the number of points to try | set it, for example trials = 20",
                "4: `sweep.search` = \"random\" has no axes to draw from | name what is varied in `[sweep.axes]`, or remove `sweep.search`",
            ],
        ),
        (
            "trials = 9",
            vec![
                "4: `sweep.trials` applies only to a search, but `sweep.search` is \"grid\", which takes every point | remove it, or change `sweep.search`",
            ],
        ),
        (
            "search_seed = 9",
            vec![
                "4: `sweep.search_seed` applies only to a search, but `sweep.search` is \"grid\", which takes every point | remove it, or change `sweep.search`",
            ],
        ),
        (
            "batch = 4",
            vec![
                "4: `sweep.batch` applies only to `sweep.search` = \"tpe\", but `sweep.search` is \"grid\" | remove it, or change `sweep.search`",
            ],
        ),
        (
            "startup_trials = 4",
            vec![
                "4: `sweep.startup_trials` applies only to `sweep.search` = \"tpe\" or `sweep.prune` = \"median\", but `sweep.search` is \"grid\" and `sweep.prune` is \"none\" | remove it, or change `sweep.search` or `sweep.prune`",
            ],
        ),
        (
            "rungs = 2\nreduction_factor = 3\nprune = \"median\"",
            vec![
                "4: `sweep.rungs` applies only to `sweep.prune` = \"asha\", but `sweep.prune` is \"median\" | remove it, or change `sweep.prune`",
                "5: `sweep.reduction_factor` applies only to `sweep.prune` = \"asha\", but `sweep.prune` is \"median\" | remove it, or change `sweep.prune`",
                "6: `sweep.prune` needs a dev split: selecting on the test split would bias its result | set `data.dev`, for example data.dev = 0.1",
            ],
        ),
        (
            "search = \"bayes\"\ntrials = 9",
            vec![
                "4: `sweep.search` is the string \"bayes\"; expected `grid`, `random`, `sobol` or `tpe` | did you mean \"tpe\"?",
            ],
        ),
        (
            "prune = \"hyperband\"\nrungs = 2",
            vec![
                "4: `sweep.prune` is the string \"hyperband\"; expected `none`, `median` or `asha` | did you mean \"asha\"?",
            ],
        ),
        (
            "n_trials = 9\nmethod = \"random\"\nrun_cap = 3",
            vec![
                "4: unknown key `sweep.n_trials` | did you mean `sweep.trials`?",
                "5: unknown key `sweep.method` | did you mean `sweep.search`?",
                "6: unknown key `sweep.run_cap` | did you mean `sweep.max_runs`?",
            ],
        ),
        (
            "max_runs = 0\nmax_hours = 0",
            vec![
                "4: `sweep.max_runs` is 0; expected an integer of at least 1 | if left out: no limit",
                "5: `sweep.max_hours` is 0; expected a number above 0 | if left out: no limit",
            ],
        ),
        (
            "search = \"tpe\"\ntrials = 9\naxes = { \"train.lr\" = [0.1], \"train.seed\" = [1], \"checkpoint.metric\" = [\"loss\"] }",
            vec![
                "4: `sweep.search` = \"tpe\" needs a dev split: selecting on the test split would bias its result | set `data.dev`, for example data.dev = 0.1",
                "6: `train.seed` is an axis, but \"tpe\" compares points by their mean over seeds | list them as `sweep.seeds`",
                "6: `checkpoint.metric` is swept, but `sweep.search` compares trials by it | set it to one metric",
            ],
        ),
        (
            "axes = { \"train.lr\" = { log = [1e-6, 1e-3] } }",
            vec![
                "4: `train.lr` is a range; a grid takes only lists of values | set `sweep.search` to \"random\", \
                 \"sobol\" or \"tpe\" and `sweep.trials`, or list values",
            ],
        ),
    ] {
        assert_eq!(problems(&format!("[sweep]\n{text}\n")), expected, "{text}");
    }
}

#[test]
fn settings_for_an_overridden_rule_are_not_an_error() {
    let text = "data.dev = 0.1\n[sweep]\nsearch = \"tpe\"\ntrials = 20\nbatch = 2\nstartup_trials = 3\nprune = \"asha\"\nrungs = 1\n\
        [sweep.axes]\ntrain.lr = [1e-5, 1e-4]\n[profile.all.sweep]\nsearch = \"grid\"\nprune = \"none\"\n";
    let files = one(text);
    assert_eq!(expand(&files.load("a.toml").unwrap()).len(), 2);
    assert_eq!(expand(&files.load_with("a.toml", &options(Some("all"), &[], &[])).unwrap()).len(), 2);
    // It counts if it is set in a layer above the rule.
    let sets = options(Some("all"), &["sweep.batch=3"], &[]);
    assert!(files.problems("a.toml", &sets).starts_with("--set: `sweep.batch` applies only to"));
    let sets = options(None, &["sweep.search=random", "sweep.trials=1"], &[]);
    assert_eq!(expand(&files.load_with("a.toml", &sets).unwrap()).len(), 1);
}

#[test]
fn conditions_that_never_hold_or_go_in_a_circle_are_refused() {
    let axes = |axes: &str| problems(&format!("[sweep.axes]\n{axes}\n"));
    assert_eq!(
        axes("train.warmup_ratio = { values = [0.1], when = { train.scheduler = \"linear\" } }"),
        [
            "4: `train.warmup_ratio` is varied only when `train.scheduler` = \"linear\", but it is \"constant\" and not swept | \
          give `train.scheduler` that value, or remove the condition"
        ]
    );
    assert_eq!(
        axes(
            "train.epochs = { values = [1], when = { train.scheduler = \"linear\" } }\ntrain.scheduler = [\"cosine\"]"
        ),
        ["4: `train.epochs` is varied only when `train.scheduler` = \"linear\", a value that it never has | give \
          `train.scheduler` that value, or remove the condition"]
    );
    assert_eq!(
        axes("train.epochs = { values = [1], when = { train.dropout = 0.1 } }"),
        [
            "4: `train.epochs` is varied only when `train.dropout` = 0.1, but it is not set and not swept | give `train.dropout` \
          that value, or remove the condition"
        ]
    );
    // Where the key is not varied it has the spec's value.
    assert_eq!(
        axes(
            "train.epochs = { values = [1], when = { train.batch_size = 32 } }\n\
            train.batch_size = { values = [8], when = { train.scheduler = \"linear\" } }\n\
            train.scheduler = [\"constant\", \"linear\"]"
        ),
        [] as [&str; 0]
    );
    let circle = axes(
        "train.lr = { values = [1e-5], when = { train.epochs = 3 } }\n\
         train.epochs = { values = [3], when = { train.batch_size = 32 } }\n\
         train.batch_size = { values = [32], when = { train.lr = 1e-5 } }\n\
         train.eps = { values = [1e-5], when = { train.lr = 1e-5 } }",
    );
    assert_eq!(
        circle,
        [
            "6: the conditions of `when` are circular: `train.batch_size` → `train.lr` → `train.epochs` → `train.batch_size` | remove one of the \
          conditions"
        ]
    );
    let own = axes("train.lr = { values = [1e-5], when = { train.lr = 1e-5 } }");
    assert_eq!(own, ["4: `train.lr` cannot depend on itself | "]);
}

#[test]
fn a_higher_layer_replaces_an_axis_as_a_whole() {
    let base = minimal(
        "[sweep]\nsearch = \"random\"\ntrials = 5\n[sweep.axes]\ntrain.lr = { log = [1e-6, 1e-3] }\n\
        train.epochs = { int = [1, 3], when = { train.lr = 1e-5 } }\n",
    );
    let above =
        "extends = [\"base.toml\"]\n[sweep.axes]\ntrain.lr = { uniform = [1e-4, 1e-3] }\ntrain.epochs = [1, 2]\n";
    let files = Files::new(&[("base.toml", &base), ("a.toml", above)]);
    let loaded = files.load("a.toml").unwrap();
    let axes = &loaded.spec().sweep.axes;
    assert_eq!(axes["train.lr"], Axis { over: Over::Uniform(1e-4, 1e-3), when: [].into() });
    assert_eq!(axes["train.epochs"], Axis::values(vec![json!(1), json!(2)]));
    let sets = options(None, &["sweep.axes.train.lr={ values = [0.5] }"], &[]);
    let loaded = files.load_with("a.toml", &sets).unwrap();
    assert_eq!(loaded.spec().sweep.axes["train.lr"], Axis::values(vec![json!(0.5)]));
    let explained = files.load("a.toml").unwrap().explain("sweep.axes.train.lr").unwrap();
    assert_eq!(explained.value.as_deref(), Some("{ uniform = [1e-4, 1e-3] }"));
    assert_eq!(explained.layers[0].value, "{ uniform = [1e-4, 1e-3] }");
    let swept = files.load("a.toml").unwrap().explain("train.lr").unwrap().swept.unwrap();
    assert_eq!(swept.value, "{ uniform = [1e-4, 1e-3] }");
}

/// The numbers of a range are not in the file: a conflict with one of them is shown at the range.
#[test]
fn what_a_drawn_number_contradicts_is_shown_at_its_range() {
    let text = "[sweep]\nsearch = \"random\"\ntrials = 50\n[sweep.axes]\n\
        data.dev = { uniform = [0.1, 0.9] }\ntrain.scheduler = [\"linear\"]\n";
    let loaded = one(text).load("a.toml").unwrap();
    let refused =
        plan::expand(loaded.spec(), |point| loaded.at(point).map_err(Refused::Spec), plan::SearchHistory::default())
            .unwrap_err();
    let Refused::Spec(errors) = &refused[0] else { panic!("{refused:?}") };
    let location = errors.problems[0].location.as_ref().unwrap();
    assert_eq!((location.position, &location.text[location.underline.clone()]), (Some((7, 24)), "[0.1, 0.9]"));
    assert!(
        errors.problems[0].message.contains("leave no rows to train on (in the sweep point data.dev=0."),
        "{errors}"
    );
}

#[test]
fn a_required_key_can_be_a_conditional_axis_or_a_choice() {
    let text =
        "data.source = \"path:x.csv\"\n[sweep.axes]\nmodel.source = { choice = [\"scratch:tiny\", \"hf:o/n\"] }\n";
    let loaded = Files::new(&[("a.toml", text)]).load("a.toml").unwrap();
    assert_eq!(loaded.spec().model.source.to_string(), "scratch:tiny");
    assert_eq!(expand(&loaded).len(), 2);
}

/// Names and configs of what was there before there was anything but grids.
#[test]
fn the_sweeps_of_the_project_are_what_they_were() {
    let loaded = LoadedSpec::load("experiments/rbt3-waimai-sweep.toml".as_ref(), &LoadOptions::default()).unwrap();
    let runs = expand(&loaded);
    let names: Vec<_> = runs.iter().map(|run| run.name.as_str()).collect();
    let expected = ["1e-5", "3e-5", "1e-4", "3e-4"].map(|lr| [1, 2, 3].map(|seed| format!("lr={lr} seed={seed}")));
    assert_eq!(names, expected.concat());
    assert_eq!(runs.iter().map(|run| run.trial).collect::<Vec<_>>(), [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
}

/// From the loaded spec to every run of a thousand.
#[test]
fn a_thousand_points_become_runs() {
    let lrs: Vec<_> = (1..=334).map(|i| format!("{i}e-6")).collect();
    let text = format!("[sweep]\nseeds = [1, 2, 3]\n[sweep.axes]\ntrain.lr = [{}]\n", lrs.join(", "));
    let loaded = one(&text).load("a.toml").unwrap();
    assert_eq!(expand(&loaded).len(), 1002);
}
