//! What the section says of rungs: where trials were pruned, and the rank of the best trial there.

use super::*;

/// What is stored says where a trial was pruned, and not the words of the reason, which can quote a label. Trials that no comparison ended
/// are told apart by the part of their steps.
#[test]
fn the_rung_and_the_rule_are_not_read_from_the_reason() {
    let label = "mean dev f1 of “x at rung 9, the median of y” 20.0% at rung 2 is too low";
    let with = |at: Option<PrunedAt>| {
        let mut runs = grid();
        runs.extend([1, 2].map(|seed| {
            let mut run = pruned(run(1e-4, 32, seed, 0.56), label);
            run.run.pruned_at = at;
            run
        }));
        let files = files_of(&experiment(runs));
        let rungs: Vec<String> = table(&files, "rungs.csv").iter().map(|row| row["rung"].clone()).collect();
        (rungs, text(&files, "report.md").contains("compared each trial with the median of earlier ones"))
    };
    // A row for the pruned trial, and one for each of the six that went on.
    let rows = |rung: &str| vec![rung.to_string(); 7];
    assert_eq!(with(Some(PrunedAt { rung: 3, rule: PrunedBy::Asha })), (rows("3"), false));
    assert_eq!(with(Some(PrunedAt { rung: 12, rule: PrunedBy::Median })), (rows("12"), true));
    assert_eq!(with(None), (rows(""), false));
}

/// At the rung the best trial is fourth with two others, and the order of those that are completed is another one. Expected:
/// `scipy.stats.spearmanr` of the values at the rung and at the end, over the six completed trials (tests/fixtures/sweep/rungs.py).
#[test]
fn a_rung_says_how_near_pruning_came_to_losing_the_best_trial() {
    let mut runs = grid();
    let at_rung = [0.70, 0.65, 0.55, 0.55, 0.60, 0.50];
    for (i, run) in runs.iter_mut().enumerate() {
        let first = run.evals.iter_mut().find(|e| e.when == When::During && e.split == Split::Dev).unwrap();
        first.metrics.set(Metric::Accuracy, at_rung[i / 2]);
    }
    // The value at the rung of a run is 0.01 below its end.
    runs.extend(
        [1, 2].map(|seed| pruned(run(1e-4, 32, seed, 0.56), "at step 3: rank 7 of 7 at rung 1 with dev accuracy")),
    );
    let files = files_of(&experiment(runs));
    let md = text(&files, "report.md");
    assert!(
        md.contains(
            "At rung 1 the best trial (lr=1e-4 batch\\_size=16) had ranks 4–6 of 7 with dev accuracy 55.0%, tied with \
             2 others; 6 went on."
        ),
        "{md}"
    );
    assert!(md.contains("| 1 | 3 | 1 | 55.0% | 6 | 50.0% to 70.0% | 4–6 of 7 | −0.6377 (6 trials) |"), "{md}");
    let rungs = table(&files, "rungs.csv");
    assert_eq!(rungs.len(), 7);
    assert_eq!(
        (&rungs[6]["went_on"][..], &rungs[6]["final_dev_accuracy"][..], &rungs[6]["rank"][..]),
        ("false", "", "4")
    );
    assert_eq!((&rungs[3]["train.lr"][..], &rungs[3]["rank"][..], &rungs[3]["step"][..]), ("0.0001", "4", "3"));
    near(number(&rungs[3], "final_dev_accuracy"), 0.86);
}

/// Six of eight went on, of which the best trial was the seventh by then: alone its early arrival saved it.
#[test]
fn a_rung_says_if_the_best_trial_would_have_been_pruned() {
    let says = |at_rung: f64, others: f64| {
        let mut runs = grid();
        for run in &mut runs[6..8] {
            let first = run.evals.iter_mut().find(|e| e.when == When::During && e.split == Split::Dev).unwrap();
            first.metrics.set(Metric::Accuracy, at_rung);
        }
        for batch in [32, 64] {
            runs.extend([1, 2].map(|seed| pruned(run(1e-4, batch, seed, others + 0.01), "rank 7 of 8 at rung 1 with")));
        }
        text(&files_of(&experiment(runs)), "report.md").to_owned()
    };
    let md = says(0.58, 0.59);
    assert!(md.contains("had rank 8 of 8 with dev accuracy 58.0%; 6 went on. Judged when all trials had reached the rung, it would have been pruned"), "{md}");
    let md = says(0.58, 0.58);
    assert!(md.contains("had ranks 6–8 of 8 with dev accuracy 58.0%, tied with 2 others; 6 went on. Whether it went on was decided among equal values."), "{md}");
    let md = says(0.84, 0.58);
    assert!(md.contains("had rank 1 of 8 with dev accuracy 84.0%; 6 went on.\n"), "{md}");
}
