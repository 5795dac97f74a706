//! Curves of the training: bands over seeds, and what is drawn of many trials.

use super::{
    files_of,
    report_fixtures::{Recipe, experiment, single},
    text,
};

fn recipe(trial: usize, seed: u64) -> Recipe {
    let lr = 1e-5 * (1.0 + trial as f64);
    Recipe {
        lr,
        seed,
        dev: 0.1,
        rows: 60,
        epochs: 2,
        steps_per_epoch: 10,
        ..Recipe::new(&format!("lr={lr:e} seed={seed}"), &["a", "b"])
    }
}

/// The seeds of a trial are a band around their mean, with the runs beneath.
#[test]
fn seeds_are_a_band_around_their_mean() {
    let of = |seeds: u64| experiment((1..=seeds).map(|seed| recipe(0, seed).completed()).collect());
    let (one, three) = (files_of(&of(1)), files_of(&of(3)));
    for chart in ["loss.svg", "gradient-norm.svg", "train-dev.svg", "accuracy.svg"] {
        assert_eq!(text(&one, chart).matches("<polygon").count(), 0, "{chart}");
        let bands = if chart == "train-dev.svg" { 2 } else { 1 };
        assert_eq!(text(&three, chart).matches("<polygon").count(), bands, "{chart}");
    }
    // Bold: one mean; faint: three runs.
    let lines = |width: &str| {
        text(&three, "loss.svg").lines().filter(|line| line.contains("<polyline") && line.contains(width)).count()
    };
    assert_eq!((lines("stroke-width=\"5\""), lines("opacity=\"0.45\"")), (1, 3));
    let md = text(&three, "report.md");
    assert!(md.contains("Bold: the mean over the runs of a trial. Band: from its lowest to its highest run."), "{md}");
    assert!(md.contains("Mean over 3 seeds; band: from the lowest to the highest."), "{md}");
    assert!(text(&three, "loss.svg").contains("moving averages, weight 0.9"));
    assert!(text(&one, "report.md").contains("Thin: the mean loss of each step’s rows, before the update. Bold:"));
}

/// A run that diverged has no part in the mean of its trial, and its curve ends with a cross.
#[test]
fn a_failed_seed_is_not_averaged() {
    let whole = |seed| recipe(0, seed).completed();
    let mut broken = recipe(0, 3).broken_at(5);
    broken.run.state = taper::store::RunState::Failed;
    let (two, with) = (experiment(vec![whole(1), whole(2)]), experiment(vec![whole(1), whole(2), broken]));
    let bold = |files: &std::collections::BTreeMap<String, Vec<u8>>| {
        let svg = text(files, "loss.svg").to_owned();
        svg.lines().filter(|line| line.contains("stroke-width=\"5\"")).map(String::from).collect::<Vec<_>>()
    };
    let (two, with) = (files_of(&two), files_of(&with));
    // The same mean; the legend says how many runs there are.
    assert_eq!(bold(&two).len(), 1);
    let points = |line: &str| line.split("points=\"").nth(1).map(String::from);
    assert_eq!(
        points(&bold(&two)[0]).map(|p| p.matches(',').count()),
        points(&bold(&with)[0]).map(|p| p.matches(',').count())
    );
    assert!(text(&with, "report.md").contains("A cross marks where a run ended before its last step (failed)."));
}

#[test]
fn of_many_trials_the_first_are_drawn_and_the_others_counted() {
    let runs = (0..20).flat_map(|trial| [1, 2].map(|seed| recipe(trial, seed).completed())).collect();
    let files = files_of(&experiment(runs));
    let md = text(&files, "report.md");
    assert!(md.contains("The first 12 trials are drawn, but not the 8 behind them."), "{md}");
    let svg = text(&files, "loss.svg");
    assert_eq!(svg.matches("<polygon").count(), 6, "six trials have a colour");
    assert!(svg.contains("6 others"), "{svg}");
    let runs: std::collections::BTreeSet<String> = csv::Reader::from_reader(&files["steps.csv"][..])
        .records()
        .map(|record| record.expect("a line")[0].to_owned())
        .collect();
    assert_eq!(runs.len(), 24);
    assert!(md.contains("steps.csv](steps.csv) (every step of the runs that the charts of the training show:"), "{md}");
    let few = text(&files_of(&single()), "report.md").to_owned();
    assert!(few.contains("steps.csv](steps.csv) (every step: loss"), "{few}");
}

/// A chart has at most two points for each column of pixels, and says how they were chosen.
#[test]
fn long_curves_are_thinned_to_the_columns_of_pixels() {
    let long = experiment(vec![
        Recipe { rows: 30, epochs: 1, steps_per_epoch: 20_000, ..Recipe::new("long", &["a", "b"]) }.completed(),
    ]);
    let files = files_of(&long);
    assert!(text(&files, "loss.svg").len() < 60_000, "{}", text(&files, "loss.svg").len());
    let said = "Of the steps in one column of pixels, the lowest and the highest value are drawn (min-max).";
    assert!(text(&files, "report.md").contains(said));
    assert!(!text(&files_of(&single()), "report.md").contains(said));
    assert_eq!(text(&files, "steps.csv").lines().count(), 20_001, "the table has all of them");
}

/// The dev loss has its evaluations, and the caption what the training loss has beside.
#[test]
fn the_training_loss_is_beside_that_of_held_out_rows() {
    let mut run = recipe(0, 1).completed();
    run.run.config.train.label_smoothing = 0.1;
    let files = files_of(&experiment(vec![run]));
    let md = text(&files, "report.md");
    assert!(md.contains("It is measured with dropout and label smoothing 0.1, the dev loss without"), "{md}");
    assert!(text(&files, "train-dev.svg").contains("training, with dropout"));
    // Before training and after each of two epochs.
    assert_eq!(text(&files, "train-dev.svg").matches("<circle").count(), 3);
    let mut untested = recipe(0, 1).completed();
    untested.evals.clear();
    assert!(!files_of(&experiment(vec![untested])).contains_key("train-dev.svg"));
}

#[test]
fn the_gradient_chart_says_how_much_is_clipped() {
    let mut run = recipe(0, 1).completed();
    for (i, step) in run.steps.iter_mut().enumerate() {
        step.grad_norm = if i < 5 { 2.0 } else { 0.5 };
    }
    let md = text(&files_of(&experiment(vec![run])), "report.md").to_owned();
    assert!(
        md.contains("train.max\\_grad\\_norm = 1: larger gradients are scaled down to it (25.0% of the steps)."),
        "{md}"
    );
}
