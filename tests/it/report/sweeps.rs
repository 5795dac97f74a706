//! The section on the sweep: its numbers, what is left out of them, and when it is not shown.

use std::collections::BTreeMap;

use taper::{
    event::{PrunedAt, PrunedBy, Split, When},
    plan::{Metric, Scheduler},
    report::{ReportInput, RunInput},
    store::RunState,
};

use super::{files_of, report_fixtures::*, text};

mod rungs;

/// A run of 40 rows in two epochs of three steps, with this accuracy on its dev rows at the end, and 0.01 less after the first epoch.
fn run(lr: f64, batch_size: usize, seed: u64, dev: f64) -> RunInput {
    let name = format!("lr={lr:e} batch_size={batch_size} seed={seed}");
    let recipe =
        Recipe { lr, seed, dev: 0.1, rows: 40, epochs: 2, steps_per_epoch: 3, ..Recipe::new(&name, &["a", "b"]) };
    let mut run = recipe.completed();
    run.run.config.train.batch_size = batch_size;
    run.run.key = format!("{:040x}{batch_size:08x}{seed:016x}", lr.to_bits());
    for eval in run.evals.iter_mut().filter(|eval| eval.split == Split::Dev && eval.when != When::Before) {
        let value = if eval.when == When::During && eval.epoch == 1 { dev - 0.01 } else { dev };
        eval.metrics.set(Metric::Accuracy, value);
    }
    run.run.final_metrics.as_mut().unwrap().set(Metric::Accuracy, dev - 0.02);
    run
}

/// The run as it is after ASHA pruned it at the end of its first epoch, at the first rung.
pub fn pruned(mut run: RunInput, reason: &str) -> RunInput {
    run.steps.retain(|step| step.step <= 3);
    run.evals.retain(|eval| eval.step <= 3);
    run.predictions.clear();
    (run.run.state, run.run.steps, run.run.final_metrics) = (RunState::Pruned, 3, None);
    run.run.message = Some(reason.into());
    run.run.pruned_at = Some(PrunedAt { rung: 1, rule: PrunedBy::Asha });
    run
}

/// Learning rates by batch sizes, two seeds each: the accuracies of each trial's seeds.
const GRID: [(f64, usize, [f64; 2]); 6] = [
    (1e-5, 8, [0.60, 0.62]),
    (1e-5, 16, [0.64, 0.66]),
    (1e-4, 8, [0.80, 0.84]),
    (1e-4, 16, [0.85, 0.87]),
    (1e-3, 8, [0.70, 0.74]),
    (1e-3, 16, [0.71, 0.71]),
];

pub fn grid() -> Vec<RunInput> {
    let trial = |(lr, batch, dev): (f64, usize, [f64; 2])| [run(lr, batch, 1, dev[0]), run(lr, batch, 2, dev[1])];
    let mut runs: Vec<RunInput> = GRID.into_iter().flat_map(trial).collect();
    // In the order of the plan.
    for (i, run) in (0..).zip(&mut runs) {
        let began = 1_772_366_400.0 + f64::from(i);
        (run.run.started_at, run.run.finished_at) = (Some(began), Some(began + 1.0));
    }
    runs
}

/// A CSV table as one map for each line.
fn table(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Vec<BTreeMap<String, String>> {
    let mut table = csv::Reader::from_reader(&files[name][..]);
    table.deserialize().map(Result::unwrap).collect()
}

fn number(row: &BTreeMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap_or_else(|_| panic!("{column}: {row:?}"))
}

fn near(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-9, "{a} {b}");
}

/// Expected: numpy and `scipy.stats.t.interval(.95, 2, mean, sem)` over the means of the trials.
#[test]
fn each_trial_counts_once_in_the_effect_of_an_axis() {
    let files = files_of(&experiment(grid()));
    let effects = table(&files, "effects.csv");
    let of = |axis: &str, value: &str| {
        effects.iter().find(|row| row["axis"] == axis && row["value"] == value).unwrap_or_else(|| panic!("{effects:?}"))
    };
    let lr = of("train.lr", "1e-4");
    near(number(lr, "dev_accuracy"), 0.84);
    // Two trials: the lower and the higher.
    near(number(lr, "low"), 0.82);
    near(number(lr, "high"), 0.86);
    near(number(lr, "dev_accuracy_best"), 0.86);
    near(number(lr, "final_accuracy"), 0.82);
    let batch = of("train.batch_size", "8");
    assert_eq!((&batch["trials"][..], &batch["counted"][..]), ("3", "3"));
    near(number(batch, "dev_accuracy"), 0.7166666666666667);
    near(number(batch, "low"), 0.4557336486600529);
    near(number(batch, "high"), 0.9775996846732804);
    // Numbers are in numeric order.
    let rates: Vec<&str> =
        effects.iter().filter(|row| row["axis"] == "train.lr").map(|row| row["value"].as_str()).collect();
    assert_eq!(rates, ["1e-5", "1e-4", "1e-3"]);
    let md = text(&files, "report.md");
    assert!(
        md.contains(
            "Of 6 trials with a result, the mean dev accuracy changes most with lr: from 63.0% with lr=1e-5 to 84.0% \
             with lr=1e-4."
        ),
        "{md}"
    );
    assert!(md.contains("| lr=1e-4 | 2 | 84.0% (82.0–86.0) | 86.0% | 82.0% |"), "{md}");
    assert!(md.contains("| batch\\_size=8 | 3 | 71.7% (45.6–97.8) | 82.0% | 69.7% |"), "{md}");
    // Both axes of a complete grid are decomposed exactly: expected, tests/fixtures/sweep/importance.py's `parts` of the means.
    let shares = table(&files, "importance.csv");
    let share = |i: usize| number(&shares[i], "share");
    assert_eq!((&shares[0]["axis"][..], &shares[2]["with"][..]), ("train.lr", "train.batch_size"));
    near(share(0), 0.9643500180050413);
    near(share(1), 0.01764494058336315);
    near(share(0) + share(1) + share(2), 1.0);
    assert!(md.contains("Computed exactly, by a functional analysis of variance"), "{md}");
    for chart in ["effects.svg", "heatmap.svg", "budget.svg"] {
        assert!(files.contains_key(chart), "{chart}");
    }
    assert!(!files.contains_key("parallel.svg"), "two axes have a heat map");
}

/// The best trial so far, in the order in which runs ended; the expected best of 2 of 6 is the mean of the higher of all 15 pairs.
#[test]
fn the_budget_counts_runs_and_steps() {
    let files = files_of(&experiment(grid()));
    let budget = table(&files, "budget.csv");
    let best: Vec<&str> = budget.iter().map(|row| row["dev_accuracy_best_so_far"].as_str()).collect();
    assert_eq!(best[0], "", "the first trial has one seed left");
    let numbers: Vec<f64> = best[1..].iter().map(|value| value.parse().unwrap()).collect();
    for (got, want) in numbers.iter().zip([0.61, 0.61, 0.65, 0.65, 0.82, 0.82, 0.86, 0.86, 0.86, 0.86, 0.86]) {
        near(*got, want);
    }
    assert_eq!((&budget[11]["steps_so_far"][..], &budget[11]["train.batch_size"][..]), ("72", "16"));
    let expected = table(&files, "expected_best.csv");
    let values = [0.61, 0.65, 0.82, 0.86, 0.72, 0.71];
    near(number(&expected[0], "expected_best_dev_accuracy"), values.iter().sum::<f64>() / 6.0);
    let mut pairs = Vec::new();
    for i in 0..6 {
        pairs.extend((i + 1..6).map(|j| f64::max(values[i], values[j])));
    }
    near(number(&expected[1], "expected_best_dev_accuracy"), pairs.iter().sum::<f64>() / 15.0);
    near(number(&expected[5], "expected_best_dev_accuracy"), 0.86);
    let md = text(&files, "report.md");
    assert!(
        md.contains("was complete when 8 of 12 runs had ended and 48 of 72 steps were trained: dev accuracy 86.0%."),
        "{md}"
    );
}

/// A pruned trial was good at its rung, but its value is not final: it is in no mean, and the page says so. Its reason is said once for all its
/// runs.
#[test]
fn pruned_trials_are_in_no_mean() {
    let reason =
        "at step 3: rank 7 of 8 at rung 1 with mean dev accuracy 94.0% (2 seeds); only the best 2 (1 in 3) go on";
    let mut runs = grid();
    runs.extend([1, 2].map(|seed| pruned(run(1e-4, 32, seed, 0.95), reason)));
    let files = files_of(&experiment(runs));
    let md = text(&files, "report.md");
    assert!(md.contains("| lr=1e-4 | 2 of 3 (1 pruned) | 84.0% (82.0–86.0) | 86.0% | 82.0% |"), "{md}");
    assert!(md.contains("| batch\\_size=32 | 0 of 1 (1 pruned) | – | – | – |"), "{md}");
    assert!(
        md.contains("1 pruned trial is not part of any mean, because its values are of an earlier part of training."),
        "{md}"
    );
    let effects = table(&files, "effects.csv");
    let last = effects.iter().find(|row| row["value"] == "32").unwrap();
    assert_eq!((&last["pruned"][..], &last["counted"][..], &last["dev_accuracy"][..]), ("1", "0", ""));
    // It counts for the budget, but is not the best; as it can be drawn, it is expected to do no better than the best.
    let budget = table(&files, "budget.csv");
    assert_eq!(budget.len(), 14);
    near(number(&budget[13], "dev_accuracy_best_so_far"), 0.86);
    let expected = table(&files, "expected_best.csv");
    assert_eq!(expected.len(), 7);
    near(number(&expected[0], "expected_best_dev_accuracy"), (0.61 + 0.65 + 0.82 + 0.86 + 0.72 + 0.71 + 0.86) / 7.0);
    // What was pruned, where, with which value, and the worst of those that went on.
    assert!(md.contains("1 trial with 2 runs was pruned"), "{md}");
    assert!(md.contains("| 1 | 3 | 1 | 94.0% | 6 | 60.0% to 85.0% | 2 of 7 | 1.0000 (6 trials) |"), "{md}");
    for page in [md, text(&files, "report.html")] {
        assert_eq!(page.matches("only the best 2 (1 in 3) go on").count(), 1, "{page}");
    }
    let ended = table(&files, "ended.csv");
    assert_eq!((ended.len(), &ended[1]["rung"][..], &ended[1]["train.batch_size"][..]), (2, "1", "32"));
    near(number(&ended[0], "dev_accuracy_mean_of_trial"), 0.94);
}

/// A run that ends after the best trial was complete counts with the steps of the time until then, whatever decided its end.
#[test]
fn steps_count_when_they_are_trained() {
    let mut runs = grid();
    // The last trial began with the first one, and was half as old as at its end when the eighth run ended.
    for run in &mut runs[10..] {
        run.run.started_at = Some(1_772_366_396.0);
        run.run.finished_at = Some(1_772_366_420.0);
    }
    let files = files_of(&experiment(runs));
    // Eight runs of six steps, and twice half of six.
    let budget = table(&files, "budget.csv");
    assert_eq!((&budget[7]["steps_so_far"][..], &budget[11]["steps_so_far"][..]), ("54", "72"));
    let md = text(&files, "report.md");
    assert!(md.contains("was complete when 8 of 12 runs had ended and 54 of 72 steps were trained"), "{md}");
}

/// Failed runs are grouped by reason, whatever numbers it has.
#[test]
fn failures_are_grouped_by_their_reason() {
    let failed = |seed: u64, message: &str| {
        let mut run = run(1e-2, 8, seed, 0.5);
        run.evals.clear();
        run.predictions.clear();
        (run.run.state, run.run.final_metrics, run.run.message) = (RunState::Failed, None, Some(message.into()));
        run
    };
    let mut runs = grid();
    runs.push(failed(1, "the loss is not finite at step 17."));
    runs.push(failed(2, "the loss is not finite at step 5."));
    let files = files_of(&experiment(runs));
    let md = text(&files, "report.md");
    assert!(md.contains("2 runs failed, for 1 reason."), "{md}");
    assert!(md.contains("| the loss is not finite at step 17 | failed | 2 | 6 |"), "{md}");
    assert!(md.contains("| lr=0.01 | 0 of 1 (1 failed) | – | – | – |"), "{md}");
    assert_eq!(table(&files, "ended.csv").len(), 2);
}

/// Without trials to compare there is no section, and no empty heading.
#[test]
fn there_is_no_section_where_it_would_be_empty() {
    let three_seeds = |i: u64| run(1e-4, 8, i, 0.7);
    for (what, input) in [
        ("a run", single()),
        ("no run", experiment(Vec::new())),
        ("seeds", experiment((1..=3).map(three_seeds).collect())),
        ("two trials", two_rates()),
    ] {
        let files = files_of(&input);
        for page in [text(&files, "report.md"), text(&files, "report.html")] {
            assert!(!page.contains("## Sweep") && !page.contains("<h2>Sweep</h2>"), "{what}: {page}");
        }
        for file in ["effects.csv", "effects.svg", "budget.csv", "importance.csv", "ended.csv"] {
            assert!(!files.contains_key(file), "{what}: {file}");
        }
    }
    // One axis has effects, but nothing to weigh or to cross.
    let one = experiment([(1e-5, 0.6), (1e-4, 0.8), (1e-3, 0.7)].map(|(lr, dev)| run(lr, 8, 1, dev)).to_vec());
    let files = files_of(&one);
    assert!(files.contains_key("effects.svg") && !files.contains_key("heatmap.svg"));
    assert!(!text(&files, "report.md").contains("### Importance"));
}

/// What a user wrote is inert on the page, in the charts and in the tables, and trials of 300 runs are thinned and folded.
#[test]
fn hostile_values_are_inert_and_many_trials_stay_readable() {
    const NAME: &str = "=1+1|</td><script>alert(1)</script>`**x**`\u{202e}";
    let mut runs: Vec<RunInput> = Vec::new();
    for i in 0..300u64 {
        let mut run = run(1e-5 * (i % 20 + 1) as f64, [8, 16, 32][i as usize % 3], i + 1, 0.5 + 0.001 * i as f64);
        run.run.config.train.dropout = Some(0.001 * i as f64);
        run.run.config.train.scheduler = if i % 2 == 0 { Scheduler::Linear } else { Scheduler::Cosine };
        run.run.config.data.text_column = if i % 2 == 0 { NAME.into() } else { "review".into() };
        run.run.config.train.seed = 1;
        (run.run.config.train.init_seed, run.run.config.train.order_seed) = (1, 1);
        run.run.name = format!("dropout={:.3} text_column={NAME}", 0.001 * i as f64);
        runs.push(run);
    }
    let input = experiment(runs);
    let files = files_of(&input);
    let (html, md) = (text(&files, "report.html"), text(&files, "report.md"));
    // The resolved config is a block of code.
    assert!(html.matches("<script").count() == 1 && !md.split("## Reproduce").next().unwrap().contains("<script"));
    for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".svg")) {
        assert!(!String::from_utf8_lossy(bytes).contains("<script"), "{name}");
    }
    for name in ["trials.csv", "effects.csv", "budget.csv", "importance.csv", "heatmap.csv"] {
        let mut table = csv::ReaderBuilder::new().has_headers(false).from_reader(&files[name][..]);
        for row in table.records().map(Result::unwrap) {
            assert!(row.iter().all(|cell| !cell.starts_with('=')), "{name}: {row:?}");
        }
    }
    assert!(md.contains("200 of 300 trials have a dot") && md.contains("200 of 300 trials have a line"), "{md}");
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let effects: Vec<&str> =
        md.split("### Effect of each axis").nth(1).unwrap().lines().filter(|l| l.starts_with('|')).collect();
    let rows: Vec<&&str> = effects.iter().take_while(|line| cells(line) == 6).collect();
    assert!(rows.len() > 15, "{effects:?}");
    assert!(files["parallel.svg"].len() < 60_000 && files["effects.svg"].len() < 120_000);
}

/// Of trials that a search proposed, the effects are a description: no test of chance, in both languages. Those of a grid are tested.
#[test]
fn effects_of_proposed_trials_are_called_a_description() {
    let mut input = experiment(grid());
    let of = |input: &ReportInput| text(&files_of(input), "report.md").to_owned();
    let description = "it is not a test, because the search chose their values by the results of earlier ones.";
    let note = "The values were chosen by a search that tries more trials where earlier ones were good.";
    let md = of(&input);
    assert!(!md.contains(description) && !md.contains(note) && md.contains("F-test against"), "{md}");
    input.experiment.spec_text += "\n[sweep]\nsearch = \"tpe\"\ntrials = 8\n";
    let md = of(&input);
    assert!(md.contains(description) && md.contains(note) && !md.contains("F-test against"), "{md}");
    let md = taper::report::Language::Chinese.during(|| of(&input));
    assert!(md.contains("这只是对这些试验的描述，不是检验") && md.contains("这些取值由搜索选取"), "{md}");
}

/// The same records give the same files, with a forest as well.
#[test]
fn a_sweep_gives_the_same_bytes() {
    let search = || {
        let trial = |i: u64| {
            let mut run = run(1e-5 * (i * i + 1) as f64, [8, 16][i as usize % 2], 1, 0.5 + 0.02 * (i % 7) as f64);
            run.run.config.train.dropout = Some(0.01 * (i * 7 % 13) as f64);
            run
        };
        experiment((0..14).map(trial).collect())
    };
    let (a, b): (BTreeMap<_, _>, BTreeMap<_, _>) = (files_of(&search()), files_of(&search()));
    assert!(a == b);
    assert!(text(&a, "report.md").contains("Functional analysis of variance of a random forest"));
    assert!(a.contains_key("parallel.svg"));
}

/// The metric that ranks is in the answer and in both tables, on dev and on test rows, if it is not one of the two that these always have.
#[test]
fn the_ranking_metric_is_shown_where_no_other_column_has_it() {
    let with = |metric: Metric| -> ReportInput {
        let mut runs = grid();
        for (i, run) in runs.iter_mut().enumerate() {
            run.run.config.checkpoint.metric = metric;
            let value = 0.3 + 0.01 * i as f64;
            run.evals.iter_mut().for_each(|eval| eval.metrics.set(metric, value));
            run.run.final_metrics.as_mut().unwrap().set(metric, value - 0.1);
        }
        experiment(runs)
    };
    let files = files_of(&with(Metric::Mcc));
    let md = text(&files, "report.md");
    assert!(md.contains("Dev MCC, mean (interval) | Test MCC, mean (interval) |"), "{md}");
    assert!(md.contains("Dev MCC (used for selection) | Test MCC |"), "{md}");
    assert!(md.contains("MCC, by which trials are ranked: 0.4050 (0.4000–0.4100) dev, 0.3050 (0.3000–0.3100) test (means over seeds)."), "{md}");
    assert!(md.contains("Chosen from 6 trials by dev MCC, 0.4050 (0.4000–0.4100), without the test rows."), "{md}");
    let other = files_of(&with(Metric::MacroF1));
    assert!(!text(&other, "report.md").contains("by which trials are ranked"));
}

/// The answer says if the gain is beyond chance, how the trial was chosen, and if it is distinguishable from the second.
#[test]
fn the_answer_weighs_its_number() {
    let mut runs = grid();
    // As good as the best, and with a higher loss.
    runs.extend([1, 2].map(|seed| run(2e-4, 16, seed, if seed == 1 { 0.85 } else { 0.87 })));
    for run in runs.iter_mut().rev().take(2) {
        run.evals.iter_mut().for_each(|eval| eval.metrics.set(Metric::Loss, 9.0));
    }
    let md = text(&files_of(&experiment(runs)), "report.md").to_owned();
    assert!(md.contains("The gain on 40 test rows: +"), "{md}");
    assert!(md.contains(" over the value before training (interval +") && md.contains("): beyond chance"), "{md}");
    assert!(md.contains("Chosen from 7 trials by dev accuracy, 86.0%"), "{md}");
    assert!(
        md.contains("1 other trial has the same value (lr=2e-4 batch\\_size=16): the loss on the same rows decided"),
        "{md}"
    );
    assert!(md.contains("The interval covers 2 of the 6 others: which of these is best may be chance."), "{md}");
    assert!(
        md.contains("By test accuracy, it is not distinguishable from the second trial, “lr=2e-4 batch\\_size=16” (p"),
        "{md}"
    );
}

/// The run as a failure before its first evaluation leaves it.
fn without_result(mut run: RunInput) -> RunInput {
    run.evals.clear();
    run.predictions.clear();
    (run.run.state, run.run.final_metrics) = (RunState::Failed, None);
    run
}

/// A trial of which a seed failed has no rank: it is not the best of the budget either, and the page says that it is left out.
#[test]
fn the_budget_counts_complete_trials_only() {
    let mut runs = grid();
    // The best value of all, of one seed.
    runs.push(run(2e-4, 16, 1, 0.95));
    runs.push(without_result(run(2e-4, 16, 2, 0.95)));
    runs[12..].iter_mut().for_each(|run| run.run.finished_at = Some(1_772_366_500.0));
    let files = files_of(&experiment(runs));
    let md = text(&files, "report.md");
    assert!(
        md.contains("was complete when 8 of 14 runs had ended") && md.contains(" were trained: dev accuracy 86.0%."),
        "{md}"
    );
    assert!(md.contains("1 trial with a failed run is left out of both curves."), "{md}");
    let budget = table(&files, "budget.csv");
    near(number(&budget[13], "dev_accuracy_best_so_far"), 0.86);
    let expected = table(&files, "expected_best.csv");
    assert_eq!(expected.len(), 6);
    near(number(&expected[5], "expected_best_dev_accuracy"), 0.86);
    assert!(!text(&files_of(&experiment(grid())), "report.md").contains("left out of both curves"));
}

/// A pruned trial counts with its last value, although the evaluation before it was better.
#[test]
fn a_pruned_trial_counts_with_the_value_that_it_ended_with() {
    let mut runs = grid();
    for seed in [1, 2] {
        let mut run = pruned(run(1e-4, 32, seed, 0.61), "at step 3: rank 7 of 8 at rung 1");
        // The evaluation at step 3 has 0.60.
        let mut earlier = run.evals.iter().find(|e| e.when == When::During && e.split == Split::Dev).unwrap().clone();
        (earlier.step, earlier.epoch) = (2, 1);
        earlier.metrics.set(Metric::Accuracy, 0.80);
        let at = run.evals.iter().position(|e| e.when == When::During).unwrap();
        run.evals.insert(at, earlier);
        runs.push(run);
    }
    let expected = table(&files_of(&experiment(runs)), "expected_best.csv");
    near(number(&expected[0], "expected_best_dev_accuracy"), (0.61 + 0.65 + 0.82 + 0.86 + 0.72 + 0.71 + 0.60) / 7.0);
}

/// Values of one trial each differ by noise alone: such an axis is not said to matter most.
#[test]
fn an_axis_of_single_trials_is_not_said_to_matter_most() {
    let trial = |i: usize| {
        let mut run = run(1e-5 * (i + 1) as f64, [8, 16][i % 2], 1, [0.60, 0.72, 0.80, 0.70, 0.61, 0.74][i]);
        run.run.config.train.scheduler = if i < 3 { Scheduler::Linear } else { Scheduler::Cosine };
        run
    };
    let md = text(&files_of(&experiment((0..6).map(trial).collect())), "report.md").to_owned();
    // Batch sizes: 67.0% and 72.0%; schedulers: 70.7% and 68.3%; learning rates: 60.0% to 80.0%.
    let said = "changes most with batch\\_size, among values with at least two trials: from 67.0% with batch\\_size=8 to 72.0% with \
                batch\\_size=16.";
    assert!(md.contains(said), "{md}");
    let one = experiment([(1e-5, 0.6), (1e-4, 0.8), (1e-3, 0.7)].map(|(lr, dev)| run(lr, 8, 1, dev)).to_vec());
    assert!(!text(&files_of(&one), "report.md").contains("changes most with"));
    let equal = experiment([1e-5, 1e-4, 1e-3].map(|lr| run(lr, 8, 1, 0.7)).to_vec());
    assert!(
        text(&files_of(&equal), "report.md").contains("The 3 trials with a result do not differ in mean dev accuracy.")
    );
}

/// Heads of several seeds differ before training: by so much here that the gain may be chance, although each has enough rows.
#[test]
fn the_spread_of_seeds_before_training_counts() {
    let mut runs: Vec<_> = [1, 2, 3].map(|seed| run(1e-4, 16, seed, 0.9)).into();
    for (run, accuracy) in runs.iter_mut().zip([0.2, 0.5, 0.8]) {
        for eval in run.evals.iter_mut().filter(|eval| eval.when == When::Before) {
            eval.metrics.set(Metric::Accuracy, accuracy);
        }
    }
    let md = text(&files_of(&experiment(runs)), "report.md").to_owned();
    // Student's interval of 20%, 50% and 80% is all that a share can be.
    let gain = md.split("over the value before training (interval −").nth(1).unwrap_or_else(|| panic!("{md}"));
    assert!(gain.split(';').next().unwrap().contains("): not shown beyond chance"), "{md}");
}

/// A trial that lacks a seed has no rank, but the answer does not keep silent about its mean.
#[test]
fn a_trial_without_all_seeds_that_is_better_is_named() {
    let mut runs: Vec<_> = [1, 2].map(|seed| run(1e-5, 16, seed, 0.7)).into();
    runs.push(run(1e-4, 16, 1, 0.9));
    runs.push(without_result(run(1e-4, 16, 2, 0.9)));
    let md = text(&files_of(&experiment(runs.clone())), "report.md").to_owned();
    let said = "1 trial without all seeds has a better mean dev accuracy than the best trial (lr=1e-4: 90.0% with 1 of 2 seeds). Its \
                mean is that of the runs that did not fail. Train what is missing (`taper run experiments/rbt3-waimai.toml \
                --set 'probes=[{text = \"it'\\''s\"}]'`, after a divergence with --retry) before choosing.";
    assert!(md.contains(said), "{md}");
    runs[2] = run(1e-4, 16, 1, 0.6);
    assert!(!text(&files_of(&experiment(runs)), "report.md").contains("has a better mean"));
}

/// An effect is held against what chance would give: against seeds in a full grid, else against the trials with the same value.
#[test]
fn the_effect_of_an_axis_is_tested() {
    let md = text(&files_of(&experiment(grid())), "report.md").to_owned();
    assert!(
        md.contains("This is beyond chance (F-test against the spread of seeds, corrected for 2 axes (Holm), p"),
        "{md}"
    );
    assert!(
        md.contains("| From seeds alone |") && md.contains("; differences between seeds alone would give it "),
        "{md}"
    );
    let trials = [(1e-5, 0.6), (2e-5, 0.7), (3e-5, 0.62), (4e-5, 0.7)].map(|(lr, dev)| {
        let mut run = run(lr, if dev > 0.65 { 16 } else { 8 }, 1, dev);
        run.run.config.train.lr = lr;
        run
    });
    let md = text(&files_of(&experiment(trials.into())), "report.md").to_owned();
    // Two values of 60% and 62% against two of 70%: F = 81 with 1 and 2 degrees of freedom.
    let said = "from 61.0% with batch\\_size=8 to 70.0% with batch\\_size=16. This is beyond chance (F-test against the spread of trials with \
                the same value, p\u{a0}=\u{a0}0.012)";
    assert!(md.contains(said), "{md}");
}

/// Folds differ in their rows: their spread is not that of seeds.
#[test]
fn the_spread_of_folds_is_not_called_that_of_seeds() {
    let says = |files: &BTreeMap<String, Vec<u8>>| {
        text(files, "report.md").contains("differences between seeds alone would give it")
    };
    let mut runs = grid();
    assert!(says(&files_of(&experiment(runs.clone()))));
    for (i, run) in runs.iter_mut().enumerate() {
        let (config, number) = (&mut run.run.config, i % 2 + 1);
        (config.train.seed, config.train.init_seed, config.train.order_seed) = (1, 1, 1);
        config.data.fold = Some(format!("{number}/2").parse().unwrap());
        run.predictions.iter_mut().for_each(|p| p.row = 2 * p.row + number as u32);
    }
    let mut input = experiment(runs);
    input.experiment.trials = (0..12).map(|i| i / 2).collect();
    let files = files_of(&input);
    assert!(files.contains_key("importance.csv") && !says(&files), "{}", text(&files, "report.md"));
}

/// Two keys of a zip with a different number in each point are one axis; of a search they are two.
#[test]
fn a_zip_of_different_numbers_is_one_axis() {
    let axes = |sweep: &str| {
        let points = [(1e-5, 8, 0.6), (1e-4, 16, 0.8), (1e-3, 32, 0.7)];
        let mut input = experiment(points.map(|(lr, batch, dev)| run(lr, batch, 1, dev)).to_vec());
        input.experiment.spec_text += sweep;
        let effects = table(&files_of(&input), "effects.csv");
        effects.iter().map(|row| row["axis"].clone()).collect::<std::collections::BTreeSet<_>>()
    };
    let zip = axes("\n[[sweep.zip]]\nlr = [1e-5, 1e-4, 1e-3]\nbatch_size = [8, 16, 32]\n");
    assert_eq!(zip.len(), 1, "{zip:?}");
    assert_eq!(axes("\n[sweep]\nsearch = \"random\"\ntrials = 3\n").len(), 2);
}
