use super::*;
use crate::{
    plan::{resolve, testing::spec},
    spec::{ClassWeights, Long, Spec},
};

/// Warnings of a run on 288 training rows (9 steps an epoch) and 40 dev rows.
fn of(change: impl Fn(&mut Spec)) -> Vec<String> {
    let mut spec = spec();
    change(&mut spec);
    let messages = of_run(&resolve(&spec).unwrap(), 288, 40, 2).into_iter().map(|warning| {
        assert_eq!(warning.kind, Kind::Training);
        warning.message
    });
    messages.collect()
}

#[test]
fn a_sound_run_has_no_warning() {
    assert_eq!(of(|_| {}), [""; 0]);
    assert_eq!(of(|spec| spec.train.eval_steps = 27), [""; 0]);
    assert_eq!(of(|spec| (spec.train.warmup_steps, spec.train.batch_size) = (1, 288)), [""; 0]);
    assert_eq!(
        of(|spec| {
            (spec.train.epochs, spec.train.early_stopping_patience) = (5, 3);
            spec.checkpoint.keep = Keep::Best;
        }),
        [""; 0]
    );
}

#[test]
fn windows_are_called_so() {
    let found = of(|spec| (spec.data.long, spec.train.batch_size) = (Long::Windows, 1000));
    assert!(
        found[0].starts_with("train.batch_size = 1000 is more than the 288 windows of the training rows"),
        "{found:?}"
    );
}

/// 128 tokens leave room for 126.
#[test]
fn windows_that_share_more_than_half_give_a_warning() {
    let with = |stride| of(|spec| (spec.data.long, spec.data.stride) = (Long::Windows, Some(stride)));
    assert_eq!((with(0), with(63)), (vec![], vec![]));
    let found = with(100);
    assert_eq!(found.len(), 1, "{found:?}");
    let says = "data.stride = 100 of 126 tokens in a window: each window begins 26 tokens after the one before it, so long texts are \
                read about 4.8 times over";
    assert!(
        found[0].starts_with(says) && found[0].ends_with("for a distance of 100, set data.stride = 26"),
        "{found:?}"
    );
    assert!(with(64)[0].contains("about 2 times over"));
    // A tokenizer that adds three tokens leaves one less.
    let mut spec = spec();
    (spec.data.long, spec.data.stride) = (Long::Windows, Some(100));
    let found = of_run(&resolve(&spec).unwrap(), 288, 40, 3).remove(0).message;
    assert!(found.starts_with("data.stride = 100 of 125 tokens in a window"), "{found}");
    assert_eq!(of(|spec| spec.data.stride = Some(100)), [""; 0], "texts are cut");
}

#[test]
fn inconsistent_steps_give_a_warning() {
    let one = |change: &dyn Fn(&mut Spec), expected: &str| {
        let found = of(change);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(expected), "{}", found[0]);
    };
    one(&|spec| spec.train.eval_steps = 500, "train.eval_steps = 500 is more than the 27 steps of the run");
    one(
        &|spec| spec.train.warmup_steps = 27,
        "train.warmup_steps = 27 takes more than half of the 27 steps of the run",
    );
    one(&|spec| spec.train.warmup_steps = 27, "train.lr is never reached");
    one(&|spec| spec.train.warmup_ratio = 0.9, "train.lr is reached 2 steps before the end");
    one(&|spec| spec.train.early_stopping_patience = 3, "train.early_stopping_patience = 3 can never stop this run");
    one(
        &|spec| spec.train.early_stopping_patience = 2,
        "between the first and the last, and there are only 3 in all; lower it",
    );
    one(&|spec| spec.train.early_stopping_min_delta = 0.01, "train.early_stopping_min_delta has no effect");
    one(&|spec| spec.train.batch_size = 500, "train.batch_size = 500 is more than the 288 training rows");
    one(
        &|spec| spec.train.gradient_accumulation_steps = 10,
        "train.batch_size = 32 times train.gradient_accumulation_steps = 10 is more than the 288 training rows",
    );
    one(&|spec| spec.train.max_steps = Some(1_000_000), "is 111,111 passes over the 288 training rows");
    one(
        &|spec| (spec.train.epochs, spec.checkpoint.keep) = (1, Keep::Best),
        "checkpoint.keep = \"best\" has only one evaluation to choose from",
    );
}

/// 9 evaluations in 9 epochs, of which 2 can stop the run.
#[test]
fn early_stopping_that_keeps_the_last_weights_gives_a_warning() {
    let with = |keep, patience| {
        of(|spec| {
            (spec.train.epochs, spec.train.early_stopping_patience) = (9, patience);
            spec.checkpoint.keep = keep;
        })
    };
    let found = with(Keep::Last, 2);
    let says = "train.early_stopping_patience = 2 stops the run 2 evaluations after its best one, but checkpoint.keep = \"last\" takes \
                the weights of the last step as its result; set checkpoint.keep = \"best\"";
    assert_eq!(found, [says]);
    assert!(
        with(Keep::All, 1)[0].contains("stops the run 1 evaluation after its best one, but checkpoint.keep = \"all\"")
    );
    assert_eq!([with(Keep::Best, 2), with(Keep::None, 2), with(Keep::Last, 0)], [const { Vec::<String>::new() }; 3]);
    // It never stops, which is said instead.
    let never = with(Keep::Last, 8);
    assert!(never.len() == 1 && never[0].contains("can never stop this run early"), "{never:?}");
}

#[test]
fn values_far_from_usual_ones_give_a_warning() {
    let one = |change: &dyn Fn(&mut Spec), expected: &str| {
        let found = of(change);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(expected), "{}", found[0]);
    };
    one(&|spec| spec.train.lr = 0.9, "train.lr = 0.9 is far too high");
    one(&|spec| spec.train.lr = 1e-10, "train.lr = 1e-10 changes almost no weight in float32");
    one(&|spec| spec.train.head_lr = Some(0.5), "train.head_lr = 0.5 is far too high");
    one(&|spec| spec.train.betas = vec![0.999, 0.9], "train.betas = [0.999, 0.9] are probably reversed");
    one(&|spec| spec.train.dropout = Some(0.95), "train.dropout = 0.95 sets 95.0% of the activations to 0");
    one(&|spec| spec.train.label_smoothing = 0.99, "train.label_smoothing = 0.99 spreads 99.0% of each target");
    let weights = |weights: &[f64]| ClassWeights::Given(weights.to_vec());
    one(
        &|spec| spec.train.class_weights = weights(&[1000.0, 1e-9]),
        "train.class_weights has weights from 1e-9 to 1000",
    );
    let usual: [&dyn Fn(&mut Spec); 7] = [
        &|spec| (spec.train.lr, spec.train.freeze) = (0.1, vec!["embeddings".into(), "encoder".into()]),
        &|spec| spec.train.lr = 0.01,
        &|spec| spec.train.lr = 1e-9,
        &|spec| (spec.train.lr, spec.train.head_lr) = (1e-3, Some(0.1)),
        &|spec| spec.train.betas = vec![0.9, 0.9],
        &|spec| (spec.train.dropout, spec.train.label_smoothing) = (Some(0.5), 0.5),
        &|spec| spec.train.class_weights = weights(&[1000.0, 1.0]),
    ];
    usual.iter().for_each(|change| assert_eq!(of(change), [""; 0]));
}

/// Warnings of a sweep of `trials` trials, each on 288 rows.
fn swept(trials: u64, change: impl Fn(&mut Spec)) -> Vec<String> {
    let mut spec = spec();
    (spec.checkpoint.keep, spec.data.dev) = (Keep::Best, 0.2.into());
    change(&mut spec);
    let config = resolve(&spec).unwrap();
    let names: Vec<String> = (0..trials).map(|i| format!("run {i}")).collect();
    let runs: Vec<SweptRun> = names
        .iter()
        .zip(0..)
        .map(|(name, trial)| SweptRun { key: name, name, trial, config: &config, rows: 288 })
        .collect();
    let warnings = of_sweep(&spec.sweep, &runs, Trials { all: trials, ..Trials::default() });
    warnings.into_iter().map(|warning| warning.message).collect()
}

fn asha(spec: &mut Spec) {
    spec.sweep.prune = PruneRule::Asha;
    (spec.train.epochs, spec.train.eval_steps) = (9, 9);
}

#[test]
fn a_sound_sweep_has_no_warning() {
    assert_eq!(swept(2, |_| {}), [""; 0]);
    assert_eq!(swept(27, asha), [""; 0]);
    assert_eq!(swept(12, |spec| spec.sweep.prune = PruneRule::Median), [""; 0]);
    let tpe = |spec: &mut Spec| (spec.sweep.search, spec.sweep.trials) = (Search::Tpe, Some(12));
    assert_eq!(swept(12, tpe), [""; 0]);
}

#[test]
fn a_sweep_whose_trials_the_test_rows_choose_gives_a_warning() {
    let found = swept(2, |spec| spec.data.dev = 0.0.into());
    assert!(matches!(&found[..], [one] if one.starts_with("the sweep has no dev split: ") && one.contains("data.dev")));
    assert_eq!(swept(1, |spec| spec.data.dev = 0.0.into()), [""; 0], "of one trial none is chosen");
    // Without test rows there is nothing to be optimistic about.
    assert_eq!(swept(2, |spec| (spec.data.dev, spec.data.test) = (0.0.into(), 0.0.into())), [""; 0]);
    // A sweep over the dev split: some runs have none.
    let mut spec = spec();
    spec.data.dev = 0.2.into();
    let with = resolve(&spec).unwrap();
    spec.data.dev = 0.0.into();
    let without = resolve(&spec).unwrap();
    let run = |key, config| SweptRun { key, name: key, trial: 0, config, rows: 288 };
    let runs = [run("a", &with), run("b", &without), run("c", &with)];
    let found = of_sweep(&spec.sweep, &runs, Trials { all: 3, ..Trials::default() });
    assert!(found[0].message.starts_with("1 of 3 runs has no dev split: "), "{found:?}");
}

#[test]
fn a_result_on_the_dev_rows_that_chose_it_is_called_optimistic() {
    let no_test = |keep| move |spec: &mut Spec| (spec.data.test, spec.checkpoint.keep) = (0.0.into(), keep);
    let alone = |found: Vec<String>, beginning: &str| {
        assert!(
            matches!(&found[..], [one] if one.starts_with(beginning) && one.contains("set data.test")),
            "{found:?}"
        );
    };
    alone(
        swept(1, no_test(Keep::Best)),
        "there are no test rows: the checkpoint that is kept is chosen on the same dev",
    );
    alone(swept(2, no_test(Keep::Last)), "there are no test rows: the best trial is chosen on the same dev rows");
    assert_eq!(swept(1, no_test(Keep::Last)), [""; 0], "nothing is chosen");
    let one_evaluation = |spec: &mut Spec| {
        no_test(Keep::Best)(spec);
        spec.train.epochs = 1;
    };
    assert_eq!(swept(1, one_evaluation), [""; 0], "of one evaluation none is chosen");
}

#[test]
fn a_rule_that_stops_no_run_gives_a_warning() {
    let alone = |found: Vec<String>, expected: &str| {
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(expected), "{}", found[0]);
    };
    let one_epoch = |rule| move |spec: &mut Spec| (spec.sweep.prune, spec.train.epochs) = (rule, 1);
    alone(swept(12, one_epoch(PruneRule::Asha)), "never stops a run: the only evaluation is at the end, after 9 steps");
    alone(swept(12, one_epoch(PruneRule::Asha)), "set train.eval_steps = 1");
    alone(swept(12, one_epoch(PruneRule::Median)), "sweep.prune = \"median\" never stops a run");
    alone(
        swept(2, |spec| spec.sweep.prune = PruneRule::Median),
        "from trial 6 on (sweep.startup_trials = 5), but there are 2",
    );
    alone(swept(5, |spec| spec.sweep.prune = PruneRule::Median), "there are 5 trials; lower sweep.startup_trials");
    alone(swept(1, asha), "it compares trials, and there is 1 trial");
    let tpe = |spec: &mut Spec| (spec.sweep.search, spec.sweep.trials) = (Search::Tpe, Some(5));
    alone(swept(5, tpe), "\"tpe\" draws every trial at random");
}

#[test]
fn a_rule_that_stops_almost_all_gives_a_warning() {
    let found = swept(12, asha);
    assert_eq!(found.len(), 1, "{found:?}");
    // As in the plan and in the live table. The rule in Python, over 2,000 sweeps: 1–3 in nine of ten, in the mean 1.51.
    let rungs: &[Rung] = &[Rung { number: 0, step: 9 }, Rung { number: 1, step: 27 }];
    let rule = Prune::Asha { reduction_factor: 3, rungs: 2 };
    let promotions = Promotions::by(&rule, 12, None, &[(rungs, 81)]).unwrap();
    assert_eq!(promotions.finishing_words(), "1–3");
    let forecast = format!("1–3 of 12 trials to the end ({})", promotions.words());
    assert!(found[0].contains(&forecast), "{}", found[0]);
    assert!(swept(2, asha)[0].contains("(2 → 1 → 1)"));
    // Of three rungs, two fall on the first evaluation.
    let found = swept(200, |spec| {
        asha(spec);
        spec.sweep.rungs = 3;
        spec.train.eval_steps = 20;
    });
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains(
        "rungs 1 and 2 both fall on step 20 of 81, where they count as one, and rung 3 falls on step 40 of 81; set \
         train.eval_steps = 3 or less"
    ));
    // Of two rungs on one evaluation one is left, at which one in three goes on, and not one in nine.
    let found = swept(12, |spec| {
        asha(spec);
        (spec.train.epochs, spec.train.eval_steps) = (3, 0);
    });
    let one = Promotions::by(&rule, 12, None, &[(&rungs[1..], 27)]).unwrap();
    assert!((4.0..5.5).contains(&(one.finishing() * 12.0)), "{}", one.finishing());
    assert_eq!(found.len(), 1, "about four are trained to the end: {found:?}");
    assert!(found[0].contains("rungs 1 and 2 both fall on step 9 of 27, where they count as one; set"), "{}", found[0]);
    let found = swept(4, |spec| {
        asha(spec);
        (spec.train.epochs, spec.train.eval_steps) = (3, 0);
    });
    assert!(found[1].contains("1–2 of 4 trials to the end (4 → 1–2)"), "{found:?}");
    // Evaluations after steps 8 and 16 of 18 are late for a quarter and a half of them, but there is one for each rung.
    let late = |spec: &mut Spec| {
        asha(spec);
        (spec.sweep.reduction_factor, spec.train.epochs, spec.train.eval_steps) = (2, 2, 8);
    };
    assert_eq!(swept(200, late), [""; 0]);
}

#[test]
fn comparing_evaluations_but_keeping_the_last_gives_a_warning() {
    for rule in [PruneRule::Asha, PruneRule::Median] {
        let found = swept(27, |spec| {
            asha(spec);
            spec.sweep.prune = rule;
            spec.checkpoint.keep = Keep::Last;
        });
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("but checkpoint.keep = \"last\" ranks a finished trial by its last step"));
    }
    assert_eq!(swept(27, |spec| spec.checkpoint.keep = Keep::Last), [""; 0]);
}

#[test]
fn unstarted_runs_and_duplicate_points_give_a_warning() {
    let found = swept(12, |spec| (spec.sweep.seeds, spec.sweep.max_runs) = (vec![1, 2], Some(20)));
    assert_eq!(found, ["sweep.max_runs = 20 leaves 4 of the 24 runs unfinished"]);
    assert_eq!(swept(12, |spec| spec.sweep.max_runs = Some(12)), [""; 0]);

    let mut spec = spec();
    spec.data.dev = 0.2.into();
    let config = resolve(&spec).unwrap();
    let run = |key: &'static str, name: &'static str| SweptRun { key, name, trial: 0, config: &config, rows: 288 };
    let runs = [run("k", "log_steps=1"), run("k", "log_steps=2"), run("k", "log_steps=3"), run("l", "lr=1")];
    let trials = Trials { all: 4, undrawn: 2, repeats: 1 };
    let found: Vec<String> = of_sweep(&spec.sweep, &runs, trials).into_iter().map(|w| w.message).collect();
    assert_eq!(found[0], "sweep.trials asks for 6 points, but the axes have only 4 different ones");
    assert!(found[1].starts_with("1 point means the same run as another one"), "{found:?}");
    assert!(found[2].contains("give the same run: `log_steps=1` and `log_steps=2`, and 1 more"), "{found:?}");
}

#[test]
fn unusual_optimizer_settings_give_a_warning() {
    let one = |change: &dyn Fn(&mut Spec), expected: &str| {
        let found = of(change);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(expected), "{}", found[0]);
    };
    one(&|spec| spec.train.eps = 1e-60, "train.eps = 1e-60 is close to 0 in float32");
    one(&|spec| spec.train.eps = 3.0, "train.eps = 3 is far larger than gradients");
    one(&|spec| spec.train.weight_decay = 1e300, "shrinks weights by more than their value");
    one(&|spec| spec.train.weight_decay = 50.0, "train.weight_decay = 50");
    // The usual values are those of the key, which is far from the number before them.
    one(&|spec| spec.train.head_lr = Some(5e-6), "train.head_lr = 5e-6 is lower than train.lr = 1e-5");
    one(&|spec| spec.train.head_lr = Some(1e-13), "train.head_lr = 1e-13 changes almost no weight");
    let decay = "train.weight_decay = 10 with train.lr = 1e-3: each step shrinks weights by 0.01 of their value; train.weight_decay is usually 0 to 0.1";
    one(&|spec| (spec.train.lr, spec.train.weight_decay) = (1e-3, 10.0), decay);
    let delta = |metric| {
        move |spec: &mut Spec| {
            (spec.train.epochs, spec.train.early_stopping_patience) = (5, 3);
            (spec.train.early_stopping_min_delta, spec.checkpoint.metric) = (5.0, metric);
            spec.checkpoint.keep = Keep::Best;
        }
    };
    one(&delta(Some(Metric::Accuracy)), "train.early_stopping_min_delta = 5: no evaluation can be better");
    one(&delta(Some(Metric::MacroF1)), "the whole range of macro-F1");
    // A loss has no upper bound; and these values are useful.
    assert_eq!(of(delta(Some(Metric::Loss))), [""; 0]);
    for (eps, decay) in [(1e-12, 0.0), (1e-3, 0.1), (0.1, 1.0)] {
        assert_eq!(of(|spec| (spec.train.eps, spec.train.weight_decay) = (eps, decay)), [""; 0]);
    }
}

#[test]
fn rates_and_norms_without_effect_give_a_warning() {
    for (lr, norm, said) in [
        (1e-13, 0.0, "train.lr = 1e-13 changes almost no weight in float32; it is usually 1e-5 to 1e-3"),
        (9.9e-10, 0.0, "train.lr = 9.9e-10 changes almost no weight"),
        (1e-5, 1e-9, "train.max_grad_norm = 1e-9 scales every gradient to almost 0"),
        (1e-5, 9.9e-9, "train.max_grad_norm = 9.9e-9 scales"),
    ] {
        let found = of(|spec| (spec.train.lr, spec.train.max_grad_norm) = (lr, norm));
        assert!(found.len() == 1 && found[0].starts_with(said), "{lr} {norm}: {found:?}");
    }
    // At the limits, and without clipping, there is no warning.
    for (lr, norm) in [(1e-9, 0.0), (1e-5, 1e-8), (1e-5, 0.0), (1e-5, 1.0)] {
        let found = of(|spec| (spec.train.lr, spec.train.max_grad_norm) = (lr, norm));
        assert_eq!(found, [""; 0], "{lr} {norm}");
    }
}

#[test]
fn advice_for_more_rungs_than_steps_names_no_impossible_number() {
    assert_eq!((every(27, 3, 2), every(27, 3, 3), every(27, 3, 4)), (Some(3), Some(1), None));
    assert_eq!((every(u64::MAX, 100, 10), every(10, 2, u64::MAX), every(10, 1, 50)), (None, None, Some(10)));
}

/// Only settings that can still be lowered are named: the least number of rungs is 1, and the least factor 2.
#[test]
fn a_tie_at_a_rung_names_what_can_be_changed() {
    let said = |rungs, reduction_factor, metric: Metric| {
        let tie = Tie { rung: 0, trials: 2, tied: 2, went_on: 1, score: metric.score(0.5) };
        decided_by_order(tie, metric, &Prune::Asha { rungs, reduction_factor }, "step 9 of 27", false).message
    };
    let begin = "at rung 1 (step 9 of 27), both trials tie on dev accuracy (50.0%), so the 1 of them that was promoted was chosen by plan \
                 order, not by score";
    let loss = "choose checkpoint.metric = \"loss\", which hardly ever ties";
    let later = "to compare trials later, lower sweep";
    assert_eq!(said(1, 2, Metric::Accuracy), format!("{begin}; {loss}"));
    assert_eq!(said(1, 3, Metric::Accuracy), format!("{begin}; {later}.reduction_factor; or {loss}"));
    assert_eq!(said(2, 2, Metric::Accuracy), format!("{begin}; {later}.rungs; or {loss}"));
    assert_eq!(said(2, 3, Metric::Accuracy), format!("{begin}; {later}.rungs or sweep.reduction_factor; or {loss}"));
    assert!(said(1, 2, Metric::Loss).ends_with("not by score"));
}

/// A command that was stopped says it of the trials that have got there.
#[test]
fn a_tie_of_a_sweep_that_is_not_over_is_of_the_trials_so_far() {
    let said = |trials, tied| {
        let tie = Tie { rung: 0, trials, tied, went_on: 1, score: Metric::Accuracy.score(0.676) };
        let prune = Prune::Asha { rungs: 2, reduction_factor: 3 };
        decided_by_order(tie, Metric::Accuracy, &prune, "step 47 of 423", true).message
    };
    let begins = |trials, tied, words: &str| {
        let want = format!(
            "at rung 1 (step 47 of 423), {words} that have reached it so far tie on dev accuracy (67.6%), so the 1 of them"
        );
        assert!(said(trials, tied).starts_with(&want), "{}", said(trials, tied));
    };
    begins(8, 8, "all 8 trials");
    begins(8, 7, "7 of the 8 trials");
    begins(2, 2, "both trials");
}
