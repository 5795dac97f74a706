//! What the page says first, of which it is, and what it says where there is no result.

use taper::{
    event::{Split, When},
    metrics::{Metric, Target},
    report::{ReportInput, RunInput},
    store::RunState,
    task::Task,
};

use super::{files_of, report_fixtures::*, text, typed_fixtures::typed};

fn run(name: &str, lr: f64, seed: u64) -> Recipe {
    Recipe { lr, seed, dev: 0.1, rows: 60, ..Recipe::new(name, &["no", "yes"]) }
}

/// Two learning rates on three folds of 60 rows each.
fn folds() -> ReportInput {
    let fold = |lr: f64, skill: f64, number: u32| {
        let name = format!("lr={lr:e} fold={number}/3");
        let mut run = Recipe { skill, ..run(&name, lr, 1) }.completed();
        run.run.config.data.fold = Some(format!("{number}/3").parse().unwrap());
        run.run.key = format!("{number}{}", &run.run.key[1..]);
        run.predictions.iter_mut().for_each(|p| p.row = (p.row - p.row % 60) * 3 + (number - 1) * 60 + p.row % 60);
        run
    };
    let mut input = experiment(
        [(1e-4, 1.0), (1e-3, 3.0)].into_iter().flat_map(|(lr, skill)| [1, 2, 3].map(|n| fold(lr, skill, n))).collect(),
    );
    input.experiment.trials = vec![0, 0, 0, 1, 1, 1];
    input
}

/// Each fold is tested on other rows, so that no single run is the best; an accuracy with two intervals says what each is over.
#[test]
fn across_folds_the_trial_is_the_best_and_no_run() {
    let input = folds();
    let files = files_of(&input);
    let (html, md) = (text(&files, "report.html"), text(&files, "report.md"));
    let right: usize =
        input.runs[3..].iter().flat_map(|run| &run.predictions).filter(|p| p.label == p.predicted).count();
    let accuracy = format!("{:.1}%", 100.0 * right as f64 / 180.0);
    let answer = format!(
        "**Best trial lr=1e-3, 3 folds: {accuracy}** of all 180 rows right, out-of-fold (95% Wilson interval over rows: "
    );
    assert!(md.contains(&answer), "{answer}: {md}");
    for page in [html, md] {
        assert!(!page.to_lowercase().contains("best run") && !page.contains("best of its trial"), "{page}");
        assert!(page.contains("No single run is the best, because each is tested on different rows."), "{page}");
        assert!(page.contains("Test accuracy, mean over folds (interval over folds)"), "{page}");
        assert!(page.contains("Out-of-fold accuracy (95% interval over rows)"), "{page}");
    }
    assert_eq!(html.matches("<span class=\"badge\">").count(), 1, "that of the trial: {html}");
    // The folds that are shown together are those of the best trial.
    let mut table = csv::Reader::from_reader(&files["runs.csv"][..]);
    let at = table.headers().unwrap().iter().position(|name| name == "best").unwrap();
    let best: Vec<bool> = table.records().map(|row| row.unwrap()[at] == *"true").collect();
    assert_eq!(best, [false, false, false, true, true, true]);
}

/// Accuracy before training is that of all rows of a seed together, and of the seeds that the accuracy after it is of: folds differ in size,
/// and the third seed has one of them only.
#[test]
fn the_accuracy_before_training_of_folds_is_pooled_as_that_after_it() {
    let fold = |seed: u64, number: u32| {
        let name = format!("fold={number}/3 seed={seed}");
        let recipe = Recipe { rows: 20 * number as usize, ..run(&name, 1e-3, seed) };
        let mut run = if seed == 3 && number > 1 { recipe.pending() } else { recipe.completed() };
        run.run.config.data.fold = Some(format!("{number}/3").parse().unwrap());
        run.run.key = format!("{number}{}", &run.run.key[1..]);
        run
    };
    let mut input = experiment([1, 2, 3].into_iter().flat_map(|seed| [1, 2, 3].map(|n| fold(seed, n))).collect());
    input.experiment.trials = vec![0; 9];
    let before = |run: &RunInput| {
        let eval = run.evals.iter().find(|e| e.when == When::Before && e.split == Split::Test).unwrap();
        (eval.metrics.right() as f64, eval.metrics.rows as f64)
    };
    let of_seed = |runs: &[RunInput]| {
        let (right, rows) = runs.iter().map(before).fold((0.0, 0.0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
        right / rows
    };
    let mean = (of_seed(&input.runs[..3]) + of_seed(&input.runs[3..6])) / 2.0;
    let want = format!("; {} before training", taper::format::percent(mean));
    let singly: f64 = input.runs[..7].iter().map(|run| before(run).0 / before(run).1).sum::<f64>() / 7.0;
    assert!((mean - singly).abs() > 1e-3, "the test shows nothing: {mean} {singly}");
    let md = text(&files_of(&input), "report.md").to_owned();
    assert!(md.contains(&want), "{want}: {md}");
}

/// One completed seed of three has no mean.
#[test]
fn what_is_said_of_one_seed_is_not_called_a_mean() {
    let runs =
        vec![run("seed=1", 1e-4, 1).completed(), run("seed=2", 1e-4, 2).pending(), run("seed=3", 1e-4, 3).pending()];
    let md = text(&files_of(&experiment(runs)), "report.md").to_owned();
    assert!(md.contains("1 of 3 seeds completed") && md.contains(" The completed seed is "), "{md}");
    assert!(!md.contains("The mean "), "{md}");
}

/// A run that completed may have no scores of its probes after training; a run whose steps are all trained is evaluated next; tables without
/// rows have no link, and commands quote what a shell would take apart.
#[test]
fn the_page_promises_nothing_that_is_not_stored() {
    let mut completed = run("a", 1e-4, 1).completed();
    completed.probes.retain(|probe| probe.when == When::Before);
    let files = files_of(&experiment(vec![completed]));
    let md = text(&files, "report.md");
    assert!(md.contains("Before training only. No score after training is stored.\n"), "{md}");
    let mut trained = run("lr=1e-4", 1e-4, 1).broken_at(225);
    (trained.run.checkpoint_step, trained.run.total_steps) = (Some(225), 225);
    let mut input = experiment(vec![trained, run("lr=2e-4", 2e-4, 1).completed()]);
    input.experiment.name = "my sweep".into();
    let files = files_of(&input);
    let (html, md) = (text(&files, "report.html"), text(&files, "report.md"));
    assert!(md.contains("“taper run” evaluates it: all its steps are trained"), "{md}");
    assert!(md.contains("`taper list 'my sweep' --leaderboard`"), "{md}");
    let pending = files_of(&experiment(vec![run("b", 1e-4, 1).pending()]));
    let (page, none) = (text(&pending, "report.html"), text(&pending, "report.md"));
    for table in ["steps.csv", "evaluations.csv", "predictions.csv", "mistakes.csv", "probes.csv", "confusion.csv"] {
        assert!(html.contains(&format!("href=\"{table}\"")) && md.contains(&format!("]({table})")), "{table}: {md}");
        assert!(!page.contains(&format!("href=\"{table}\"")) && !none.contains(table), "{table}: {none}");
        assert!(!text(&pending, table).is_empty(), "programs find it all the same");
    }
    assert!(page.contains("href=\"runs.csv\""), "{page}");
}

/// The report of a run that failed promises nothing that it does not have.
#[test]
fn a_failed_run_says_why_and_what_there_is() {
    let mut input = experiment(vec![run("alone", 1e-3, 1).diverged()]);
    input.runs[0].evals.clear();
    let files = files_of(&input);
    let (html, md) = (text(&files, "report.html"), text(&files, "report.md"));
    for said in [
        "> The run has no final result. It was not evaluated during training either. Below are the training loss and the probes before \
         training.\n",
        "> The run failed (diverged) at step 90 of 225: loss is not finite at step 90 (lr 0.001); a lower train.lr may help.\n",
        "Before training only. There is no score after training, because the run failed (diverged).\n",
        "| # | Sentence | Expected | Before |\n",
    ] {
        assert!(md.contains(said), "{said}: {md}");
    }
    for page in [html, md] {
        assert!(!page.contains("efore and after") && !page.contains("Expected | Before | After"), "{page}");
    }
    assert!(!html.contains(">After</th>"), "{html}");
    assert!(text(&files, "probes.svg").contains("Probe sentences before training"));
    // Of several runs each reason once, with its runs.
    let broken = |seed| run(&format!("seed={seed}"), 1e-3, seed);
    let runs = vec![broken(1).diverged(), broken(2).failed("no space left"), broken(3).diverged()];
    let md = text(&files_of(&experiment(runs)), "report.md").to_owned();
    assert!(md.contains("> No run has a final result yet. "), "{md}");
    let reason = "> 2 runs failed (diverged): seed=1; seed=3. The message of the first: loss is not finite at step 90 (lr 0.001); a lower \
                  train.lr may help.\n";
    assert!(md.contains(reason) && md.contains("> Run seed=2 failed (error): no space left.\n"), "{md}");
}

/// The chart of a run that diverged shows all of it; among others it does not decide the axis, and the caption says what is above.
#[test]
fn the_caption_says_which_losses_are_above_the_axis() {
    let alone = text(&files_of(&experiment(vec![run("alone", 1e-3, 1).diverged()])), "report.md").to_owned();
    assert!(!alone.contains("upper end of the axis"), "{alone}");
    assert!(alone.contains(" A cross marks where a run ended before its last step (failed)."), "{alone}");
    let input = experiment(vec![run("lr=1e-5", 1e-5, 1).completed(), run("lr=1e-3", 1e-3, 1).diverged()]);
    let md = text(&files_of(&input), "report.md").to_owned();
    let losses: Vec<f64> =
        input.runs.iter().flat_map(|run| &run.steps).map(|step| step.loss).filter(|loss| loss.is_finite()).collect();
    let highest = losses.iter().copied().fold(0.0, f64::max);
    let said = md.split(" values above ").nth(1).unwrap_or_else(|| panic!("{md}"));
    let top: f64 = said.split(' ').next().unwrap().parse().unwrap();
    let above = losses.iter().filter(|loss| **loss > top).count();
    assert!(md.contains(&format!("average. {above} values above {top} are drawn at the upper end")), "{above}: {md}");
    assert!(said.contains(&format!("; the highest is {}.", taper::format::rate(highest))), "{highest}: {said}");
    // Of the completed run nothing is cut.
    let completed = input.runs[0].steps.iter().map(|step| step.loss).fold(0.0, f64::max);
    assert!(completed <= top && top < 10.0 && highest > 1e3, "{completed} {top} {highest}");
}

/// The answer, the ranking, the comparison and the warnings come before the runs, of which many are folded away.
#[test]
fn the_ranking_comes_before_the_runs_and_many_runs_are_folded() {
    let sweep = |trials: u64| {
        let one = |i: u64| {
            let (lr, seed) = (1e-5 * (i / 3 + 1) as f64, i % 3 + 1);
            Recipe { rows: 20, epochs: 1, steps_per_epoch: 2, ..run(&format!("lr={lr:e} seed={seed}"), lr, seed) }
                .completed()
        };
        files_of(&experiment((0..trials * 3).map(one).collect()))
    };
    let files = sweep(27);
    let (html, md) = (text(&files, "report.html"), text(&files, "report.md"));
    let headings = |page: &str, mark: &str, end: &str| -> Vec<String> {
        let all = page.split(mark).skip(1).filter_map(|rest| rest.split(end).next());
        all.take(5).map(|heading| heading.split('>').next_back().unwrap_or_default().to_string()).collect()
    };
    let order = ["Ranking", "Best against second", "Use the result", "Sweep", "Runs"];
    assert_eq!(headings(html, "<h2 ", "</h2>"), order);
    assert_eq!(headings(md, "\n## ", "\n"), order);
    // Nothing needs a script, and nothing is left out.
    assert!(html.contains("<details><summary>The other 7 trials</summary>"), "{html}");
    assert!(html.contains("<details><summary>All 81 runs, in the order of the plan</summary>"), "{html}");
    assert_eq!(html.matches("data-of=\"Run\"").count(), 81);
    assert_eq!(html.matches("data-of=\"Trial\"").count(), 27);
    assert_eq!(html.matches("<details>").count(), html.matches("</details>").count());
    // Four trials need no folding.
    let few = sweep(4);
    assert!(!text(&few, "report.html").contains(" runs, in the order of the plan</summary>"));
}

/// On a phone each cell has its heading before it, and each chart a drawing with letters of a readable size.
#[test]
fn every_wide_table_and_chart_has_a_form_for_narrow_screens() {
    let html = text(&files_of(&sweep()), "report.html").to_owned();
    for table in html.split("<table class=\"stack\"").skip(1).filter_map(|rest| rest.split("</table>").next()) {
        let headings = table.matches("</th>").count();
        for row in table.split("<tr").skip(2).filter(|row| !row.contains("class=\"why\"")) {
            let cells = row.split("<td").skip(1);
            let of: Vec<&str> =
                cells.map(|cell| cell.split("data-of=\"").nth(1).unwrap().split('"').next().unwrap()).collect();
            assert_eq!(of.len(), headings, "{row}");
        }
    }
    assert!(html.split("<table").skip(1).all(|rest| rest.starts_with(" class=\"")), "each table has a form: {html}");
    let figures: Vec<&str> = html.split("<figure").skip(1).filter_map(|rest| rest.split("</figure>").next()).collect();
    assert!(figures.len() > 3);
    for figure in figures {
        assert_eq!(figure.matches("<svg").count(), 2, "{figure}");
        assert_eq!(
            (figure.matches("viewBox=\"0 0 1800 ").count(), figure.matches("viewBox=\"0 0 800 ").count()),
            (1, 1)
        );
        // 22 units of 800 on a screen of 360 are 10 px.
        let narrow = figure.split("class=\"narrow\"").nth(1).unwrap();
        let sizes = narrow.split("font-size=\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse::<f64>().ok());
        assert!(sizes.fold(f64::INFINITY, f64::min) >= 22.0, "{narrow}");
    }
}

/// A chart of few runs names every key that differs in the plan, also one that these runs share.
#[test]
fn a_chart_names_all_axes() {
    let mut runs =
        vec![run("lr=1e-5 batch_size=8", 1e-5, 1).completed(), run("lr=1e-4 batch_size=8", 1e-4, 1).completed()];
    runs.push(run("lr=1e-4 batch_size=16", 2e-4, 1).failed("no space left"));
    let files = files_of(&experiment(runs));
    for chart in ["loss.svg", "accuracy.svg", "before-after.svg"] {
        assert!(text(&files, chart).contains("batch_size=8"), "{chart}: {}", text(&files, chart));
    }
}

/// Tokens are counted at the end of a run: where none has ended so, the table says why it has no row for them.
#[test]
fn the_data_of_a_failed_run_say_why_there_are_no_tokens() {
    use taper::store::{AuditedSplit, DataAudit};
    let split = AuditedSplit {
        split: Split::Train,
        rows: 30,
        rows_of_label: vec![10, 20],
        groups: None,
        without_labels: 0,
        numbers: vec![],
    };
    let audit = DataAudit { rows: 30, splits: vec![split], ..DataAudit::default() };
    let says = |state: RunState| {
        let mut input = experiment(vec![run("alone", 1e-3, 1).broken_at(9)]);
        input.runs[0].run.state = state;
        input.runs[0].audit = Some(audit.clone());
        text(&files_of(&input), "report.md").to_owned()
    };
    let failed = says(RunState::Failed);
    let said =
        "There are no token counts: they are stored when a run completes, and no run of this table has (1 failed).\n";
    assert!(failed.contains(said), "{failed}");
    assert!(
        says(RunState::Completed).contains("There are no token counts: an earlier version, which did not store them, ")
    );
}

/// 100 rows, of which 50 were right before training and 58 are after it. Expected: scipy 1.17 `binomtest(0, 8)`, the formula of Agresti and Min.
#[test]
fn the_gain_of_a_run_is_weighed_row_by_row() {
    let mut only = Recipe { rows: 100, ..run("alone", 1e-4, 1) }.completed();
    let predicted = |row: usize, right: usize| Target::Label(u32::from(row >= right));
    for (row, (before, after)) in only.before.iter_mut().zip(&mut only.predictions).enumerate() {
        after.label = Target::Label(0);
        (before.predicted, after.predicted) = (predicted(row, 50), predicted(row, 58));
    }
    let of = |run: RunInput| text(&files_of(&experiment(vec![run])), "report.md").to_owned();
    let md = of(only.clone());
    let said = "The gain on 100 test rows: +8.0 points over the value before training (interval +2.3 to +13.4, McNemar p\u{a0}=\u{a0}0.008): \
                beyond chance.";
    assert!(md.contains(said), "{md}");
    // As many became wrong as became right.
    for (row, before) in only.before.iter_mut().enumerate() {
        before.predicted = predicted((row + 42) % 100, 58);
    }
    let md = of(only);
    assert!(md.contains("The gain on 100 test rows: 0.0 points") && md.contains("): not shown beyond chance."), "{md}");
}

/// The range of two seeds is no 95% interval, and a value without an interval is not certain: there is no verdict.
#[test]
fn without_an_interval_of_both_nothing_is_said_to_be_beyond_chance() {
    let seed = |seed: u64, accuracy: f64| {
        let mut run = Recipe { rows: 40, ..run(&format!("seed={seed}"), 1e-4, seed) }.completed();
        run.run.final_metrics.as_mut().unwrap().set(Metric::Accuracy, accuracy);
        run
    };
    let of = |runs: Vec<RunInput>| text(&files_of(&experiment(runs)), "report.md").to_owned();
    // Wilson's interval of 80% of 40 rows is 24 points wide.
    let near = of(vec![seed(1, 0.75), seed(2, 0.85)]);
    assert!(near.contains("The gain on 40 test rows: +") && !near.contains("The mean is "), "{near}");
    let apart = of(vec![seed(1, 0.65), seed(2, 0.95)]);
    assert!(!apart.contains("The gain on") && apart.contains(" The mean is "), "{apart}");
    let numbers =
        |seed: u64| typed(&Recipe { seed, ..Recipe::new(&format!("seed={seed}"), &["stars"]) }, Task::Regression);
    let md = of((1..=3).map(numbers).collect());
    assert!(!md.contains("The gain on") && md.contains(" The mean is "), "{md}");
    assert!(of(vec![numbers(1)]).contains("The gain on 600 test rows: −"));
}

/// Also while one trial of two is completed, the rows that rank trials are those that it is measured on.
#[test]
fn the_only_completed_trial_is_not_said_to_be_chosen_without_the_test_rows() {
    let of = |dev: f64| {
        let one = |lr, name: &str| Recipe { dev, ..run(name, lr, 1) };
        let runs = vec![one(1e-5, "lr=1e-5").completed(), one(2e-5, "lr=2e-5").pending()];
        text(&files_of(&experiment(runs)), "report.md").to_owned()
    };
    let md = of(0.0);
    assert!(md.contains("Chosen from 2 trials (1 completed) by test accuracy"), "{md}");
    assert!(md.contains(", on the rows that it is measured on.") && !md.contains("without the test rows"), "{md}");
    assert!(of(0.1).contains(", without the test rows."));
}

/// A trial whose runs were removed is trained again by the next run: the other one is the best of two so far.
#[test]
fn removed_trials_are_among_those_that_the_best_was_chosen_from() {
    let one = |lr, name: &str| Recipe { dev: 0.0, ..run(name, lr, 1) }.completed();
    let mut input = experiment(vec![one(1e-5, "lr=1e-5"), one(2e-5, "lr=2e-5")]);
    input.experiment.trials = vec![0, 1];
    input.runs.truncate(1);
    let md = text(&files_of(&input), "report.md").to_owned();
    let chosen = "Chosen from 2 trials (1 completed) by test accuracy";
    assert!(md.contains(chosen) && md.contains(", on the rows that it is measured on."), "{md}");
    // Folds of one trial are not ranked, but those of two are.
    let mut input = folds();
    for run in &mut input.runs {
        run.run.config.data.dev = 0.0.into();
        run.evals.retain(|eval| eval.split != Split::Dev);
    }
    input.runs.truncate(3);
    let md = text(&files_of(&input), "report.md").to_owned();
    let optimistic = "the best of 2 trials was chosen on the same test rows that it is measured on";
    assert!(md.contains(optimistic) && !md.contains("The test rows played no part"), "{md}");
}

/// Where a trial has one completed seed, the rows are those of the best run of each.
#[test]
fn a_test_of_two_runs_is_not_said_of_their_trials() {
    let one = |lr: f64, seed| run(&format!("lr={lr:e} seed={seed}"), lr, seed);
    let seeds =
        vec![one(1e-5, 1).completed(), one(1e-5, 2).completed(), one(2e-5, 1).completed(), one(2e-5, 2).pending()];
    let md = text(&files_of(&experiment(seeds)), "report.md").to_owned();
    assert!(
        md.contains(
            "By test accuracy, its best run is not distinguishable from that of the second trial, “lr=2e-5” (p"
        ),
        "{md}"
    );
    let single =
        text(&files_of(&experiment(vec![one(1e-5, 1).completed(), one(2e-5, 1).completed()])), "report.md").to_owned();
    assert!(single.contains("By test accuracy, it is not distinguishable from the second trial, “lr="), "{single}");
}
