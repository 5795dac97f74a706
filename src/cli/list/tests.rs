use taper::{
    event::{Event, Outcome, StepCompleted, When},
    metrics::{Metrics, Scored},
    plan::{Keep, RunConfig, resolve},
    spec::{LoadOptions, LoadedSpec},
    store::{Environment, NewRun},
};

use super::*;

fn table(names: &[&str]) -> Vec<Column> {
    let column = |heading: &str, cell: &str| Column {
        heading: heading.into(),
        cells: names.iter().map(|_| cell.to_string()).collect(),
    };
    let names = Column { heading: "name".into(), cells: names.iter().map(|name| name.to_string()).collect() };
    let key = column("run", "3f2a1b2c3d4e");
    let measured = [column("dev", "88.8% @253*"), column("test", "–")];
    let times = [column("started", "11-27 21:26"), column("time", "3m12s")];
    [vec![key, names, column("state", "pruned")], measured.into(), times.into()].concat()
}

fn headings(names: &[&str], width: usize) -> (String, String) {
    headings_of(names, names, width)
}

fn headings_of(names: &[&str], all: &[&str], width: usize) -> (String, String) {
    let all: Vec<String> = all.iter().map(|name| name.to_string()).collect();
    let (columns, left_out) = arranged(table(names), &all, width);
    (columns.into_iter().map(|column| column.heading).collect::<Vec<_>>().join(" "), left_out.join(" "))
}

#[test]
fn every_run_has_one_line_before_times_are_shown() {
    let names = ["batch_size=16 dropout=0.1 lr=5e-4 seed=1", "batch_size=32 dropout=0 lr=1e-3 seed=2"];
    let keys = "run batch_size dropout lr seed state dev test";
    assert_eq!(headings(&names, 84), (format!("{keys} started time"), String::new()));
    assert_eq!(headings(&names, 80), (format!("{keys} started"), "time".into()));
    assert_eq!(headings(&names, 77), (keys.into(), "time started".into()));
    assert_eq!(headings(&names, 66), (keys.into(), "time started".into()));
    // Names are wrapped where there is no room for their columns.
    assert_eq!(headings(&names, 60), ("run name state dev test started time".into(), String::new()));
    // One run is named as a whole, and so are names of other words.
    assert_eq!(headings(&names[..1], 120), ("run name state dev test started time".into(), String::new()));
    assert_eq!(headings(&["a", "b"], 80), ("run name state dev test started time".into(), String::new()));
}
#[test]
fn the_columns_are_those_that_all_runs_differ_in_although_the_shown_ones_do_not() {
    let all = ["batch_size=16 lr=3e-3 seed=1", "batch_size=16 lr=3e-3 seed=2", "batch_size=8 lr=1e-3 seed=1"];
    let want = "run batch_size lr seed state dev test started time";
    for shown in [&all[..2], &all[..1], &all[2..], &all[..]] {
        assert_eq!(headings_of(shown, &all, 120), (want.into(), String::new()), "{shown:?}");
    }
    // A key of some trials alone.
    let all = ["lr=1e-3 scheduler=constant", "lr=1e-3 scheduler=linear warmup_ratio=0.1"];
    let want = "run scheduler warmup_ratio state dev test started time";
    assert_eq!(headings_of(&all[..1], &all, 120), (want.into(), String::new()));
    // Of names of several kinds those shown are told apart.
    let all = ["small", "lr=1e-3 seed=1", "lr=1e-3 seed=2"];
    let want = "run seed state dev test started time";
    assert_eq!(headings_of(&all[1..], &all, 120), (want.into(), String::new()));
}

/// The record of a run that was stopped after three steps, and evaluated on dev rows after `evaluated` of them.
fn interrupted(evaluated: Option<u64>) -> (RunRecord, Seen) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("e.toml");
    let text = "[model]\nsource = \"scratch:tiny\"\n[data]\nsource = \"path:rows.csv\"\ndev = 0.2\n";
    std::fs::write(&path, text).expect("a spec");
    let spec = LoadedSpec::load(&path, &LoadOptions::default()).expect("a spec");
    let config = resolve(spec.spec()).expect("a config");
    let mut store = Store::open(folder.path()).expect("a store");
    let labels = ["a", "b"].map(String::from);
    let run = NewRun {
        key: "k",
        name: "lr=1e-3",
        experiment: "e",
        config: &config,
        labels: &labels,
        total_steps: 9,
        audit: None,
    };
    store.register(&run).expect("a run");
    store.start("k", &Environment::default(), None).expect("a start");
    let step = |step| StepCompleted { step, epoch: 1, loss: 0.5, lr: 1e-3, grad_norm: 1.0, tokens: 9, elapsed_s: 1.0 };
    store.append("k", &[1, 2, 3].map(|i| Event::StepCompleted(step(i)))).expect("steps");
    let scored = Scored::of_label(0, (0, 0.8), &[], 0.5);
    let evaluation = |step| Event::EvalCompleted {
        when: When::During,
        step,
        epoch: 1,
        split: Split::Dev,
        metrics: Metrics::new(&labels, [scored]),
        elapsed_s: 0.1,
    };
    store.append("k", &evaluated.map(evaluation).into_iter().collect::<Vec<_>>()).expect("an evaluation");
    store.append("k", &[Event::RunFinished(Outcome::Interrupted)]).expect("an end");
    let seen = Seen {
        evals: store.evals_on(["k"], Split::Dev).expect("evaluations"),
        seconds: HashMap::new(),
        warned: HashSet::new(),
        cluster: OnCluster::default(),
    };
    (store.run("k").expect("the run"), seen)
}

#[test]
fn a_narrow_list_has_the_step_of_each_unfinished_run() {
    let state = |evaluated, wide| {
        let (run, seen) = interrupted(evaluated);
        let columns = seen.columns(&[run], Sort::Date, wide);
        columns.into_iter().find(|column| column.heading == "state").expect("a column").cells.remove(0)
    };
    // Whether or not its value, 100.0% @3*, has the same.
    assert_eq!([None, Some(2), Some(3)].map(|at| state(at, false).replace('\u{a0}', " ")), ["interrupted @3"; 3]);
    // There is a column of steps.
    assert_eq!([state(None, true), state(Some(2), true)], ["interrupted", "interrupted"]);
}

/// A narrow list tells of each column that a wide one has.
#[test]
fn what_a_narrow_list_has_no_room_for_is_told() {
    let (run, seen) = interrupted(Some(3));
    let headings =
        |wide| seen.columns(std::slice::from_ref(&run), Sort::Date, wide).into_iter().map(|column| column.heading);
    let narrow: Vec<String> = headings(false).collect();
    let gone: Vec<String> =
        headings(true).filter(|wide| !narrow.iter().any(|own| wide.ends_with(own) || wide.starts_with(own))).collect();
    assert_eq!(gone, ["steps", "train loss"]);
    assert_eq!(only_wide(std::slice::from_ref(&run)).collect::<Vec<_>>(), gone);
    let pending = RunRecord { last_loss: None, ..run };
    assert_eq!(only_wide(&[pending]).collect::<Vec<_>>(), ["steps"]);
}

/// A run of this name on a model that is a folder, after changes to its config.
fn on_model(name: &str, model: &str, change: &dyn Fn(&mut RunConfig)) -> RunRecord {
    let (run, _) = interrupted(None);
    let mut config = run.config.clone();
    config.model.source = format!("path:models/{model}").parse().expect("a source");
    change(&mut config);
    let model_digest = config.model.source.to_string();
    RunRecord {
        name: name.into(),
        config,
        environment: Some(Environment { model_digest, ..Environment::default() }),
        ..run
    }
}

fn told(planned: &[RunRecord], outside: &[RunRecord]) -> Vec<String> {
    Plan::of(planned).differences(outside).unwrap_or_default()
}

#[test]
fn a_run_of_a_swept_model_is_compared_with_the_planned_run_of_that_model() {
    let slow = |config: &mut RunConfig| config.train.lr = 1e-9;
    let planned = [on_model("source=a", "a", &|_| ()), on_model("source=b", "b", &|_| ())];
    let outside = [on_model("source=a", "a", &slow), on_model("source=b", "b", &slow)];
    assert_eq!(told(&planned, &outside), ["train.lr=1e-9", "train.lr=1e-9"]);
    // The spec had this model alone before, so that the name of its run says none.
    assert_eq!(told(&planned, &[on_model("small", "b", &slow)]), ["train.lr=1e-9"]);
    // The plan no longer has the model: its name says which it was, and where it does not, the source is said.
    assert_eq!(told(&planned[..1], &outside), ["train.lr=1e-9", "train.lr=1e-9"]);
    let unnamed = [on_model("small", "b", &slow), on_model("source=path:models/b", "b", &slow)];
    assert_eq!(told(&planned[..1], &unnamed), ["model.source=path:models/b, train.lr=1e-9", "train.lr=1e-9"]);
}

#[test]
fn what_a_name_says_of_one_key_is_not_taken_for_another() {
    let of = |name: &str, seed: u64, of_data: u64| {
        on_model(name, "a", &|config| {
            config.data.seed = of_data;
            let train = &mut config.train;
            (train.seed, train.init_seed, train.order_seed) = (seed, seed, seed);
        })
    };
    let planned = [of("seed=1", 1, 42), of("seed=2", 2, 42)];
    // `sweep.seeds` names `train.seed` so, and `data.seed` was edited.
    assert_eq!(told(&planned, &[of("seed=1", 1, 7)]), ["data.seed=7"]);
    assert_eq!(told(&planned, &[of("seed=2", 2, 2)]), ["data.seed=2"], "its value is the same");
    assert_eq!(told(&planned, &[of("seed=3", 3, 42), of("small", 3, 42)]), ["", "train.seed=3"]);
    assert_eq!(told(&planned, &[of("seed=3", 3, 7)]), ["data.seed=7, train.seed=3"]);
}

#[test]
fn settings_outside_the_plan_are_said_as_a_spec_has_them() {
    let best = |config: &mut RunConfig| config.checkpoint.keep = Keep::Best;
    let (last, best) = (on_model("small", "a", &|_| ()), on_model("small", "a", &best));
    let all = [last, best];
    assert_eq!(told(&all[..1], &all[1..]), ["checkpoint.keep=best"]);
    assert_eq!(told(&all[1..], &all[..1]), ["checkpoint.keep=last"]);
}
