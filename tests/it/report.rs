//! Renders synthetic experiments and checks the output.
//!
//! `TAPER_REPORTS=DIR cargo test --test it report::` leaves the reports in DIR, to be looked at.

mod all;
mod answers;
mod audit;
pub mod browser;
mod card;
mod change;
mod chinese;
mod choosing;
mod compare;
mod compare_folds;
mod curves;
mod decided;
mod inert;
mod labels;
mod report_fixtures;
mod sections;
mod sweeps;
mod typed;
mod typed_fixtures;
mod watch;
mod without_texts;

use std::{collections::BTreeMap, fs, path::Path};

use report_fixtures::{all, experiment, single, sweep};
use taper::{
    event::{Split, When},
    metrics::Metric,
    report::{Leaderboard, Missing, ReportInput, render, render_with_fonts},
    store::{EvalRecord, RunRecord, RunState},
};

/// Every file of a report by name, drawn without a font of the machine.
fn files_of(input: &ReportInput) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let written = render_with_fonts(input, folder.path(), fontdb::Database::new).unwrap();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
    let files: BTreeMap<_, _> = written.iter().map(|p| (name(p), fs::read(p).unwrap())).collect();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), files.len(), "a file is left over");
    files
}

fn text<'a>(files: &'a BTreeMap<String, Vec<u8>>, name: &str) -> &'a str {
    std::str::from_utf8(&files[name]).unwrap()
}

#[test]
fn every_fixture_renders_whole_and_self_contained() {
    for (fixture, input) in all().into_iter().chain(typed_fixtures::all()) {
        let files = match std::env::var_os("TAPER_REPORTS") {
            Some(folder) => {
                let folder = Path::new(&folder).join(fixture);
                render(&input, &folder).unwrap();
                render_with_fonts(&input, &folder.join("without-font"), fontdb::Database::new).unwrap();
                files_of(&input)
            }
            None => files_of(&input),
        };
        let html = text(&files, "report.html");
        assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"), "{fixture}");
        for link in html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            match link.strip_prefix('#') {
                Some(id) => assert!(html.contains(&format!(" id=\"{id}\"")), "{fixture}: {link} leads nowhere"),
                None => assert!(files.contains_key(link), "{fixture}: {link} is missing"),
            }
        }
        for outside in ["src=", "url(", "@import", "<link", "<img", "<iframe", " style=", " onclick="] {
            assert!(!html.contains(outside), "{fixture}: {outside} in the page");
        }
        assert_eq!((html.matches("<script").count(), html.matches("<style").count()), (1, 1), "{fixture}");
        assert_eq!(
            html.matches("http").count() - html.matches("http-equiv=").count(),
            html.matches("http://www.w3.org/2000/svg").count(),
            "{fixture}"
        );
        assert_eq!(html.matches("<tr").count(), html.matches("</tr>").count(), "{fixture}");
        // Every chart that the Markdown shows is there.
        let md = text(&files, "report.md");
        for name in md.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(files.contains_key(name), "{fixture}: {name} is missing");
        }
        for (name, bytes) in &files {
            if name.ends_with(".png") {
                assert!(inked(bytes) > 2000, "{fixture}: {name} is blank");
            }
            if name.ends_with(".csv") {
                assert!(csv::Reader::from_reader(&bytes[..]).records().all(|r| r.is_ok()), "{fixture}: {name}");
            }
        }
    }
}

/// Pixels that are not white.
fn inked(png: &[u8]) -> usize {
    let mut reader = png::Decoder::new(png).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.color_type), (1800, png::ColorType::Rgb));
    pixels[..info.buffer_size()].chunks(3).filter(|p| *p != [255, 255, 255]).count()
}

#[test]
fn the_same_records_give_the_same_bytes() {
    assert!(files_of(&sweep()) == files_of(&sweep()));
}

/// The page is the same whatever fonts a machine has; only the PNG files differ, and the file that says with which font.
#[test]
fn fonts_of_the_machine_change_png_files_only() {
    let folder = tempfile::tempdir().unwrap();
    let without = files_of(&single());
    for path in render(&single(), folder.path()).unwrap() {
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        if !name.ends_with(".png") && name != "png-fonts.txt" {
            assert!(fs::read(&path).unwrap() == without[&name], "{name}");
        }
    }
}

#[test]
fn the_page_shows_what_the_records_contain() {
    let input = sweep();
    let files = files_of(&input);
    let html = text(&files, "report.html");
    let best = input
        .runs
        .iter()
        .filter_map(|r| r.run.final_metrics.as_ref().map(|m| (m.get(Metric::Accuracy), &r.run.name)))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap();
    let key = &input.runs.iter().find(|r| r.run.name == *best.1).unwrap().run.key[..12];
    assert!(html.contains(&format!(
        "<b>{}</b> (<code>{key}</code>): {:.1}% of 600 test rows right",
        best.1.replace("lr=1e-4", "<span class=\"w\">lr=1e-4</span>"),
        best.0 * 100.0
    )));
    for message in [
        "loss is not finite at step 90 (lr 0.001)",
        "data row 17: label <code>maybe</code> is not in data.labels",
        "2 runs have no final result",
        "failed (diverged)",
        "The accuracy is optimistic: the best of 3 trials was chosen on the same test rows that it is measured on.",
        "not all trained in the same environment",
        "taper run experiments/rbt3-waimai.toml --set &#39;probes=",
        "2 of 3",
    ] {
        assert!(html.contains(message), "{message}");
    }
    let runs = text(&files, "runs.csv");
    assert_eq!(runs.lines().count(), 10);
    assert_eq!(runs.lines().filter(|l| l.contains(",true,test,600,")).count(), 1);
}

#[test]
fn a_pruned_run_is_no_failure() {
    let mut input = sweep();
    let pruned = input.runs.iter_mut().find(|r| r.run.state == RunState::Interrupted).unwrap();
    pruned.run.state = RunState::Pruned;
    pruned.run.message = Some("8th of 9 at step 75, where 3 go on".into());
    let files = files_of(&input);
    let html = text(&files, "report.html");
    for part in [
        "1 pruned",
        "<td class=\"pruned\" data-of=\"State\">pruned</td>",
        "Of pruned trials, those that completed a larger share of their steps come first. ",
        "8th of 9 at step 75, where 3 go on",
        "1 run was pruned: the sweep&#39;s pruning rule stopped it before the last step. The section on the sweep has the step and the reason.",
        // The one that has not begun: why two others failed is said before.
        "1 run has no final result",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert!(text(&files, "runs.csv").contains(",pruned,,\"8th of 9 at step 75, where 3 go on\",false,"));
    // Its curve ends with a cross, as it did when the run was only interrupted.
    assert!(text(&files, "loss.svg") == text(&files_of(&sweep()), "loss.svg"));
}

/// The dev evaluation of a pruned or running run is shown, and marked as not final.
#[test]
fn what_was_measured_on_the_way_is_shown_and_marked() {
    let mut input = report_fixtures::dev_split();
    let done = input.runs.iter().filter(|run| run.run.final_metrics.is_some()).count();
    let run = &mut input.runs[0];
    run.evals.retain(|eval| eval.when != When::After);
    (run.run.state, run.run.final_metrics) = (RunState::Pruned, None);
    let metric = Metric::Accuracy;
    let dev = |eval: &&EvalRecord| eval.split == Split::Dev && eval.when == When::During;
    let value = |eval: &EvalRecord| eval.metrics.get(metric);
    let best = run.evals.iter().filter(dev).reduce(|best, next| if value(next) > value(best) { next } else { best });
    let best = best.expect("an evaluation").clone();
    let (share, step) = (format!("{:.1}%", value(&best) * 100.0), best.step);
    let md = String::from_utf8(files_of(&input)["report.md"].clone()).unwrap();
    assert!(md.contains(&format!("| {share} (at step {step}, not final) |")), "{share} {step}: {md}");
    assert_eq!(md.matches(", not final)").count(), input.runs.len() - done + 1, "only of runs without a result: {md}");
    let html = String::from_utf8(files_of(&input)["report.html"].clone()).unwrap();
    assert!(html.contains(&format!("{share}<small>at step {step}, not final</small>")), "{share} {step}");
    // The leaderboard has the same value, with the same step.
    let records: Vec<(&RunRecord, &[EvalRecord])> = input.runs.iter().map(|r| (&r.run, &r.evals[..])).collect();
    let board = Leaderboard::new("e", &records, &Missing::default());
    let trial = board.trials.iter().find(|trial| trial.runs.len() == 1 && trial.state == RunState::Pruned);
    let pooled = board.trials.iter().find(|trial| trial.runs.len() > 1);
    assert!(trial.is_none() && pooled.is_some_and(|trial| trial.is_final), "another seed of its trial is completed");
    let alone = Leaderboard::new("e", &records[..1], &Missing::default()).trials.remove(0);
    assert_eq!((alone.is_final, alone.unfinished_at()), (false, Some(step.into())));
    assert_eq!((alone.step.map(|(step, _)| step), alone.last_step), (Some(step), Some(step)));
    assert_eq!(alone.value.map(|mean| mean.mean), Some(value(&best)));
    let json = serde_json::to_value(&alone).unwrap();
    assert_eq!((&json["final"], &json["last_step"]), (&false.into(), &step.into()), "{json}");
    // Of one that was not evaluated there is nothing to show.
    input.runs[0].evals.clear();
    let md = String::from_utf8(files_of(&input)["report.md"].clone()).unwrap();
    assert!(!md.contains(&format!("(at step {step}, not final)")), "{md}");
}

/// Before any run has a result, dev evaluations during training have a column in both tables.
#[test]
fn where_no_run_has_a_result_the_dev_metrics_are_shown_and_marked() {
    let mut input = report_fixtures::dev_split();
    for run in &mut input.runs {
        run.evals.retain(|eval| eval.when != When::After);
        (run.run.state, run.run.final_metrics) = (RunState::Interrupted, None);
    }
    let files = files_of(&input);
    let md = text(&files, "report.md");
    assert!(
        md.contains(
            "No run has a final result yet. What follows is from evaluations during training: it is not final."
        ),
        "{md}"
    );
    assert!(md.contains("| Dev accuracy (used for selection) |"), "{md}");
    // Both runs, and their configuration.
    assert_eq!(md.matches(", not final)").count(), input.runs.len() + 1, "{md}");
    assert!(text(&files, "report.html").contains("Dev accuracy (used for selection)"));
    // Seeds of one configuration: neither an interval nor a finished seed.
    let mut input = sweep();
    for run in &mut input.runs {
        (run.run.state, run.run.final_metrics) = (RunState::Interrupted, None);
        run.run.config.data.dev = 0.1.into();
        run.evals.retain(|eval| eval.when == When::During);
        run.evals.iter_mut().for_each(|eval| eval.split = Split::Dev);
    }
    let md = text(&files_of(&input), "report.md").to_string();
    let row = md
        .lines()
        .find(|line| line.starts_with("| – | 1e-4 | interrupted | 0 of 3 |"))
        .unwrap_or_else(|| panic!("{md}"));
    assert!(row.contains("% (at step") && row.contains(", not final) | – | – |"), "{row}");
}

#[test]
fn a_dev_split_chooses_where_there_is_one() {
    let input = report_fixtures::dev_split();
    let html = String::from_utf8(files_of(&input)["report.html"].clone()).unwrap();
    assert!(html.contains(
        "Runs are ranked by dev accuracy; equal runs by dev loss, then by their order in the plan. The test rows \
         played no part."
    ));
    assert!(html.contains("Dev accuracy (used for selection)"));
    // A loss is chosen by once; macro-F1 as accuracy.
    for (metric, said) in [
        (Metric::Loss, "Runs are ranked by dev loss; equal runs by their order in the plan."),
        (Metric::MacroF1, "Runs are ranked by dev macro-F1; equal runs by dev loss, then by their order in the plan."),
    ] {
        let mut input = report_fixtures::dev_split();
        input.runs.iter_mut().for_each(|run| run.run.config.checkpoint.metric = metric);
        let md = text(&files_of(&input), "report.md").to_string();
        assert!(md.contains(said), "{said}: {md}");
    }
}

#[test]
fn of_trials_with_seeds_the_mean_chooses_and_the_report_says_so() {
    let run = |lr: f64, seed| {
        let name = format!("lr={lr:e} seed={seed}");
        report_fixtures::Recipe { lr, seed, dev: 0.1, ..report_fixtures::Recipe::new(&name, &["no", "yes"]) }
            .completed()
    };
    let runs = [(1e-5, 1), (1e-5, 2), (1e-4, 1), (1e-4, 2)].map(|(lr, seed)| run(lr, seed));
    let md = text(&files_of(&experiment(runs.into())), "report.md").to_string();
    let said = "> Trials are ranked by dev accuracy (mean over seeds); equal trials by dev loss, then by their order in the plan. The test \
                rows played no part. The dev accuracy of the best is optimistic, because the best was chosen by it. A run of another trial may be better than the best run of the best trial.\n";
    assert!(md.contains(said), "{md}");
}

#[test]
fn a_report_of_an_interrupted_run_without_evaluations_promises_none() {
    let mut input = single();
    for run in &mut input.runs {
        run.evals.clear();
        (run.run.state, run.run.final_metrics) = (RunState::Interrupted, None);
    }
    let md = text(&files_of(&input), "report.md").to_string();
    assert!(md.contains("> The run has no final result yet. It was not evaluated during training either. Below are the training loss and the probes before training.\n"), "{md}");
    assert!(!md.contains("last run ended") && !md.contains("values below"), "{md}");
}

/// The dev split ranks, and what is compared is what was measured at the end: each sentence says on which rows.
#[test]
fn the_comparison_says_on_which_split() {
    let md = text(&files_of(&report_fixtures::two_rates()), "report.md").to_string();
    assert!(
        md.contains("on the same 600 test rows: ")
            && md.contains(" First minus second, the difference of the test accuracies is "),
        "{md}"
    );
    let seeds = text(&files_of(&sweep()), "report.md").to_string();
    assert!(
        seeds.contains(", by mean test accuracy: ")
            && seeds.contains(" First minus second, the difference of the mean test accuracies is "),
        "{seeds}"
    );
    // Without a test split the dev rows are compared.
    let mut input = report_fixtures::two_rates();
    for run in &mut input.runs {
        run.run.config.data.test = 0.0.into();
    }
    let md = text(&files_of(&input), "report.md").to_string();
    assert!(
        md.contains("on the same 600 dev rows: ")
            && md.contains(" First minus second, the difference of the dev accuracies is "),
        "{md}"
    );
}

/// A header and a separator of different lengths are no table for GitHub.
#[test]
fn the_rows_of_a_markdown_table_have_equally_many_cells() {
    let mut tables = 0;
    for (fixture, input) in all().into_iter().chain(typed_fixtures::all()) {
        let files = files_of(&input);
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let lines: Vec<&str> = text(&files, "report.md").lines().collect();
        for rows in lines.chunk_by(|a, b| a.starts_with('|') && b.starts_with('|')).filter(|rows| rows.len() > 1) {
            tables += 1;
            let counts: Vec<usize> = rows.iter().map(|row| cells(row)).collect();
            assert!(counts.iter().all(|count| *count == counts[0]), "{fixture}: {counts:?} in\n{}", rows.join("\n"));
        }
    }
    assert!(tables > 10, "{tables} tables");
}

#[test]
fn texts_of_the_user_are_only_text() {
    let files = files_of(&single());
    let html = text(&files, "report.html");
    assert!(html.contains("&#60;/td&#62;&#60;script&#62;alert(&#39;这不是评论&#39;)&#60;/script&#62;"));
    assert!(html.contains("# ``` and &#60;/pre&#62;"));
    let md = text(&files, "report.md");
    let line = md.lines().find(|l| l.contains("这不是评论")).unwrap();
    assert_eq!(line.replace("\\|", "").matches('|').count(), 6, "{line}");
    assert!(line.contains("\\*\\*很好吃\\*\\*"));
    assert!(text(&files, "probes.svg").contains("&lt;script&gt;"));
    let mut rows = csv::Reader::from_reader(text(&files, "predictions.csv").as_bytes());
    let row = rows.records().map(Result::unwrap).find(|r| r[3] == *"9").unwrap();
    assert_eq!(row.iter().next_back(), Some("'=HYPERLINK(\"x\") | a\nsecond line <script>alert(1)</script>"));
}

/// What chooses is the dev split even where the test split would say otherwise.
#[test]
fn the_best_by_dev_is_best_whatever_the_test_split_says() {
    let mut input = report_fixtures::dev_split();
    for (run, dev, test) in [(0, 0.95, 0.60), (1, 0.70, 0.99)] {
        for eval in input.runs[run].evals.iter_mut().filter(|e| e.split == Split::Dev && e.when == When::After) {
            eval.metrics.set(Metric::Accuracy, dev);
        }
        input.runs[run].run.final_metrics.as_mut().unwrap().set(Metric::Accuracy, test);
    }
    assert!(text(&files_of(&input), "report.md").contains("): 60.0% of 600 test rows right"));
}

#[test]
fn a_failed_run_is_never_best_and_equals_go_by_loss() {
    let mut input = sweep();
    let with_result: Vec<usize> = (0..9).filter(|&i| input.runs[i].run.final_metrics.is_some()).collect();
    for &i in &with_result {
        let metrics = input.runs[i].run.final_metrics.as_mut().unwrap();
        metrics.set(Metric::Accuracy, 0.9);
        metrics.set(Metric::Loss, 0.3);
    }
    let mut better = input.runs[0].run.final_metrics.clone().unwrap();
    better.set(Metric::Accuracy, 1.0);
    better.set(Metric::Loss, 0.0);
    input.runs[6].run.final_metrics = Some(better);
    input.runs[3].run.final_metrics.as_mut().unwrap().set(Metric::Loss, 0.2);
    assert!(text(&files_of(&input), "report.md").contains("**lr=1e-4 seed=1** (best of its trial)"));
}

#[test]
fn runs_are_compared_on_the_same_rows_or_not_at_all() {
    let mut input = report_fixtures::two_rates();
    assert!(text(&files_of(&input), "report.md").contains("“lr=1e-5” against “lr=2e-5” on the same 600 test rows: "));
    input.runs[0].predictions[0].line += 1;
    assert!(
        text(&files_of(&input), "report.md")
            .contains("cannot be compared row by row: they were evaluated on different")
    );
    input.runs[0].predictions.clear();
    assert!(text(&files_of(&input), "report.md").contains("row by row: the predictions of one of them are not stored"));
}

/// The text and numbers of a whole report. Charts are checked by eye.
#[test]
fn markdown_of_a_sweep() {
    insta::assert_snapshot!(text(&files_of(&sweep()), "report.md"));
}

#[test]
fn a_folder_that_cannot_be_created_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = render(&experiment(Vec::new()), &file.path().join("reports")).unwrap_err().to_string();
    assert!(error.starts_with("folder ") && error.contains("reports"), "{error}");
}
