//! Which configuration and which run are best, and what decides between equals.

use taper::{
    event::{Split, When},
    plan::Metric,
    report::{Leaderboard, Missing, ReportInput},
    store::{EvalRecord, RunRecord},
    warning::{Kind, Warning},
};

use super::{compare::store, files_of, report_fixtures::*, text};
use crate::support::Sandbox;

/// Learning rate, seed, (accuracy, loss) on the dev split, and on the test split: see [`runs`].
type Results = (f64, u64, (f64, f64), (f64, f64));

/// Runs with these learning rates and seeds; (accuracy, loss) on dev with the kept weights, accuracy and loss on test.
fn runs(of: &[Results]) -> ReportInput {
    let run = |&(lr, seed, dev, test): &Results| {
        let name = format!("lr={lr:e} seed={seed}");
        let mut run =
            Recipe { lr, seed, dev: 0.1, rows: 40, ..Recipe::new(&name, &["negative", "positive"]) }.completed();
        for eval in run.evals.iter_mut().filter(|e| e.when == When::After && e.split == Split::Dev) {
            let values = [(Metric::Accuracy, dev.0), (Metric::Loss, dev.1), (Metric::MacroF1, dev.0)];
            values.into_iter().for_each(|(metric, value)| eval.metrics.set(metric, value));
        }
        let metrics = run.run.final_metrics.as_mut().unwrap();
        metrics.set(Metric::Accuracy, test.0);
        metrics.set(Metric::Loss, test.1);
        run
    };
    experiment(of.iter().map(run).collect())
}

/// Name of the run that runs.csv calls the best, that of the mistakes, and the leaderboard's first trial.
fn best(input: &ReportInput) -> (String, String, String) {
    let files = files_of(input);
    let mut table = csv::Reader::from_reader(&files["runs.csv"][..]);
    let (name, is_best) = (column_of(&mut table, "name"), column_of(&mut table, "best"));
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let chosen: Vec<&csv::StringRecord> = rows.iter().filter(|row| row[is_best] == *"true").collect();
    assert_eq!(chosen.len(), 1);
    let mistakes =
        csv::Reader::from_reader(&files["mistakes.csv"][..]).records().next().unwrap().unwrap()[0].to_string();
    let records: Vec<(&RunRecord, &[EvalRecord])> = input.runs.iter().map(|r| (&r.run, &r.evals[..])).collect();
    let board = Leaderboard::new("e", &records, &Missing::default());
    let md = text(&files, "report.md");
    assert!(md.contains(&format!("| **{}** (best", &chosen[0][name])), "{md}");
    (chosen[0][name].to_string(), mistakes, board.trials[0].name.clone())
}

fn column_of(table: &mut csv::Reader<&[u8]>, name: &str) -> usize {
    table.headers().unwrap().iter().position(|h| h == name).unwrap()
}

/// The first of each row is better on test by far: it must not be seen.
#[test]
fn a_tie_on_dev_is_broken_by_the_loss_on_dev_and_then_by_the_plans_order() {
    // Run, mistakes, and its trial, which is named without what all trials share.
    let all = |name: &str| (name.to_string(), name.to_string(), name.replace(" seed=1", ""));
    // The loss on dev decides.
    let by_loss = [(1e-5, 1, (0.9, 0.4), (0.99, 0.01)), (2e-5, 1, (0.9, 0.3), (0.5, 0.9))];
    assert_eq!(best(&runs(&by_loss)), all("lr=2e-5 seed=1"));
    // Both alike: the plan's order decides, whatever the test split says.
    for test in [[(0.5, 0.9), (0.99, 0.01)], [(0.99, 0.01), (0.5, 0.9)], [(0.9, 0.9), (0.9, 0.01)]] {
        let alike = [(1e-5, 1, (0.9, 0.3), test[0]), (2e-5, 1, (0.9, 0.3), test[1])];
        assert_eq!(best(&runs(&alike)), all("lr=1e-5 seed=1"), "{test:?}");
    }
    // By macro-F1 as well, and by loss itself.
    for metric in [Metric::MacroF1, Metric::Loss] {
        let mut input = runs(&by_loss);
        input.runs.iter_mut().for_each(|run| run.run.config.checkpoint.metric = metric);
        assert_eq!(best(&input), all("lr=2e-5 seed=1"), "{metric:?}");
    }
    // Three seeds of one configuration: the first two are as good on dev.
    let seeds =
        [(1e-5, 1, (0.9, 0.3), (0.5, 0.9)), (1e-5, 2, (0.9, 0.3), (0.99, 0.01)), (1e-5, 3, (0.8, 0.1), (1.0, 0.0))];
    assert_eq!(best(&runs(&seeds)), ("lr=1e-5 seed=1".into(), "lr=1e-5 seed=1".into(), "lr=1e-5".into()));
}

/// One lucky seed is not enough to be the best.
#[test]
fn configurations_are_ranked_by_their_mean_over_seeds() {
    let input = runs(&[
        (1e-5, 1, (0.95, 0.2), (0.8, 0.5)),
        (1e-5, 2, (0.70, 0.6), (0.7, 0.6)),
        (2e-5, 1, (0.90, 0.3), (0.85, 0.4)),
        (2e-5, 2, (0.89, 0.3), (0.87, 0.4)),
    ]);
    assert_eq!(best(&input), ("lr=2e-5 seed=1".into(), "lr=2e-5 seed=1".into(), "lr=2e-5".into()));
    let files = files_of(&input);
    let md = text(&files, "report.md");
    // 0.85 and 0.87: two seeds that are nearer to each other than 86.0% of 40 rows tell (Wilson, 72.1–93.6).
    let mean = "86.0% (72.1–93.6)";
    // The trial first, then its run, each with the interval that covers it: 34 of 40 rows are 70.9 to 92.9% (Wilson).
    let answer = "**Best trial lr=2e-5: 86.0%** of the test rows right, mean over 2 seeds (95% Wilson interval over rows: 72.1–93.6%)";
    let run = format!(
        "Its best run by dev accuracy, whose classes and mistakes are below: **lr=2e-5 seed=1** (`{}`): 85.0% of 40 test rows right (95% \
         Wilson interval over rows: ",
        &input.runs[2].run.key[..12]
    );
    let (first, second) = (md.find(answer), md.find(&run));
    assert!(first.is_some() && first < second, "{md}");
    assert!(
        md.contains(&format!("| **1** (best) | 2e-5 | completed | 2 of 2 | 89.5% (76.3–95.8) | {mean} | 1.4 |")),
        "{md}"
    );
    // 0.7 and 0.8 are too; the notes say what the intervals are, and they are the leaderboard's.
    assert!(
        md.contains(
            "In parentheses after an accuracy: from the lower to the higher value, or 95% Wilson interval over rows \
             if that is wider."
        ) && !md.contains('±'),
        "{md}"
    );
    let records: Vec<(&RunRecord, &[EvalRecord])> = input.runs.iter().map(|r| (&r.run, &r.evals[..])).collect();
    for trial in Leaderboard::new("e", &records, &Missing::default()).trials {
        for (mean, metric) in [(trial.value, Metric::Accuracy), (trial.test.mean, Metric::Accuracy)] {
            assert!(md.contains(&mean.unwrap().text(metric)), "{mean:?}: {md}");
        }
    }
    // scipy: ttest_ind([.85, .87], [.8, .7], equal_var=False) gives p 0.2766, interval −0.4753 to 0.6953.
    assert!(
        md.contains(
            "“lr=2e-5” (2 seeds) against “lr=1e-5” (2 seeds), by mean test accuracy: no significant difference at the \
             5% level"
        ),
        "{md}"
    );
    assert!(!md.contains("McNemar test, p\u{a0}=\u{a0}1") && md.contains("Welch"), "{md}");
}

/// Another seed of the split gives other rows: such runs are no repetitions of each other.
#[test]
fn split_seeds_are_not_pooled() {
    let mut input = runs(&[
        (1e-5, 1, (0.9, 0.3), (0.8, 0.5)),
        (1e-5, 2, (0.9, 0.3), (0.8, 0.5)),
        (1e-5, 1, (0.8, 0.3), (0.9, 0.5)),
        (1e-5, 2, (0.8, 0.3), (0.9, 0.5)),
    ]);
    for (i, run) in input.runs.iter_mut().enumerate() {
        run.run.config.data.seed = 1 + i as u64 / 2;
        run.run.name = format!("data.seed={} seed={}", 1 + i / 2, 1 + i % 2);
        run.run.key = format!("{i:064}");
    }
    let files = files_of(&input);
    let md = text(&files, "report.md");
    // All seeds alike: what the rows leave open stays.
    let (higher, lower) = ("90.0% (76.9–96.0)", "80.0% (65.2–89.5)");
    assert!(md.contains(&format!("| **1** (best) | 1 | completed | 2 of 2 | {higher} | {lower} | 0.0 |")), "{md}");
    assert!(md.contains(&format!("| 2 | 2 | completed | 2 of 2 | {lower} | {higher} | 0.0 |")), "{md}");
    assert!(md.contains("cannot be tested: the seeds of neither differ in test accuracy"), "{md}");
}

#[test]
fn intervals_of_shares_are_cut_in_the_leaderboard_too() {
    let input = runs(&[(1e-5, 1, (0.99, 0.3), (0.98, 0.5)), (1e-5, 2, (0.90, 0.3), (0.6, 0.5))]);
    let records: Vec<(&RunRecord, &[EvalRecord])> = input.runs.iter().map(|r| (&r.run, &r.evals[..])).collect();
    let board = serde_json::to_value(Leaderboard::new("e", &records, &Missing::default())).unwrap();
    for key in ["figure", "test_accuracy"] {
        let mean = &board["trials"][0][key];
        let (low, high) = (mean["low"].as_f64().unwrap(), mean["high"].as_f64().unwrap());
        assert!(low >= 0.0 && high == 1.0, "{mean}");
        assert!(mean["sd"].as_f64().unwrap() > 0.0, "{mean}");
    }
}

/// Of one evaluation no checkpoint is chosen.
#[test]
fn a_single_evaluation_chooses_no_checkpoint() {
    let says = |epochs| {
        let run = Recipe { epochs, test: 0.0, dev: 0.1, ..Recipe::new("one", &["a", "b"]) }.completed();
        let md = text(&files_of(&experiment(vec![run])), "report.md").to_owned();
        (md.contains("the checkpoint was chosen on the same dev rows"), md.contains("(used for selection)"))
    };
    assert_eq!((says(1).0, says(2).0), (false, true));
}

/// Where some runs have test rows and some have none, a caveat about the best does not say which metrics are optimistic.
#[test]
fn the_warning_of_runs_without_test_rows_stays_where_others_have_some() {
    let message = "1 of 2 runs has no test rows: its metrics are optimistic";
    let says = |tests: [f64; 2]| {
        let run = |(i, test)| {
            let (lr, skill) = if i == 0 { (1e-5, 3.0) } else { (2e-5, 0.5) };
            Recipe { lr, skill, test, dev: 0.1, ..Recipe::new(&format!("test={test} lr={lr}"), &["a", "b"]) }
                .completed()
        };
        let mut input = experiment(tests.into_iter().enumerate().map(run).collect());
        input.experiment.warnings = vec![Warning::new(Kind::Optimistic, message)];
        text(&files_of(&input), "report.md").contains(message)
    };
    assert!(says([0.2, 0.0]), "the best one is measured on test rows");
    assert!(!says([0.0, 0.2]), "the caveat says it of the best one");
    assert!(!says([0.0, 0.0]), "and of all");
}

/// Where the metric is undefined for all runs, the loss chose: no page says that the metric did, and the best trial is still named.
#[test]
fn where_the_metric_is_never_defined_the_loss_is_said_to_have_chosen() {
    let of = |lr, seed, loss| (lr, seed, (0.5, loss), (0.5, loss));
    let mut input = runs(&[of(1e-5, 1, 0.9), of(1e-5, 2, 0.8), of(1e-4, 1, 0.4), of(1e-4, 2, 0.3)]);
    input.experiment.trials = vec![0, 0, 1, 1];
    for run in &mut input.runs {
        run.run.config.checkpoint.metric = Metric::Mcc;
        run.evals.iter_mut().for_each(|eval| eval.metrics.set(Metric::Mcc, f64::NAN));
    }
    let md = text(&files_of(&input), "report.md").to_owned();
    for said in [
        "Its best run by dev loss, whose classes and mistakes are below",
        "Chosen from 2 trials by dev loss, without the test rows.",
        "The dev loss of the best is optimistic",
    ] {
        assert!(md.contains(said), "{said}: {md}");
    }
    let sandbox = Sandbox::new();
    store(&sandbox, "u", input);
    let list = sandbox.ok(&["list", "u"]);
    assert!(list.contains("; best dev MCC –: lr=1e-4\n"), "{list}");
    let best = &sandbox.json(&["report"])[0]["best"];
    assert_eq!((&best["trial"], &best["value"]), (&"lr=1e-4".into(), &"–".into()), "{best}");
}
