//! Single sections: baseline, warnings, environments, tables, how to reproduce it.

use taper::{
    event::{Split, SplitTexts, When},
    metrics::{Metric, Metrics, Scored, Target},
    report::ReportInput,
    store::SpecFile,
    warning::{Kind, Warning},
};

use super::{files_of, report_fixtures::*, text};

/// Metrics of rows given as (label, predicted, how many).
fn metrics(names: &[String], cells: &[(u32, u32, usize)]) -> Metrics {
    let scored = |&(label, predicted, rows): &(u32, u32, usize)| {
        std::iter::repeat_n(Scored::of_label(label, (predicted, 0.7), &[], 0.5), rows)
    };
    Metrics::new(names, cells.iter().flat_map(scored))
}

/// A run whose test split is measured so, and whose dev split has as many rows of both labels.
fn measured(cells: &[(u32, u32, usize)]) -> ReportInput {
    let mut input = experiment(vec![Recipe { dev: 0.1, ..Recipe::new("one", &["negative", "positive"]) }.completed()]);
    let run = &mut input.runs[0];
    let names = run.run.labels.clone();
    run.run.final_metrics = Some(metrics(&names, cells));
    for eval in &mut run.evals {
        eval.metrics = match eval.split {
            Split::Dev => metrics(&names, &[(0, 0, 10), (0, 1, 10), (1, 1, 15), (1, 0, 5)]),
            _ => metrics(&names, cells),
        };
    }
    input
}

/// Of the test rows 58.8% are positive and of the dev rows 50%; of the training rows most are negative.
#[test]
fn the_baseline_is_the_training_rows_commonest_label_on_the_rows_that_are_shown() {
    let cells = [(0, 0, 70), (1, 1, 80), (1, 0, 20)];
    let mut input = measured(&cells);
    let files = files_of(&input);
    assert!(
        text(&files, "report.md")
            .contains("always predicts “negative”, the most common training label: 41.2% of these rows right")
    );
    assert!(text(&files, "accuracy.svg").contains("baseline 50.0%"));
    assert!(text(&files, "before-after.svg").contains("baseline 41.2%"));
    // Of a run that did not store them: the most common label of the rows measured, and it is called that.
    input.runs[0].run.train_labels = None;
    let files = files_of(&input);
    assert!(
        text(&files, "report.md")
            .contains("always predicts “positive”, the most common label: 58.8% of these rows right")
    );
    assert!(text(&files, "accuracy.svg").contains("baseline 50.0%"));
}

/// Of several labels that are as common none is *the* most common one.
#[test]
fn labels_that_are_as_common_as_others_are_called_so() {
    let mut input = measured(&[(0, 0, 70), (1, 1, 80), (1, 0, 20)]);
    for (rows, word) in [
        (Some(vec![100, 100]), "as common as every other training label"),
        (Some(vec![101, 100]), "the most common training label"),
        (Some(vec![100, 101]), "the most common training label"),
    ] {
        input.runs[0].run.train_labels = rows;
        let files = files_of(&input);
        assert!(text(&files, "report.md").contains(&format!(", {word}: ")), "{word}");
        assert!(text(&files, "report.html").contains(&format!("”, {word}</span>")), "{word}");
    }
    let mut input = measured(&[(0, 0, 70), (1, 1, 70)]);
    input.runs[0].run.train_labels = None;
    assert!(
        text(&files_of(&input), "report.md").contains(", as common as every other label: 50.0% of these rows right")
    );
}

#[test]
fn a_result_that_is_no_better_than_one_label_is_called_that() {
    for (cells, sentence, warning) in [
        (
            &[(0, 0, 60), (1, 0, 40)][..],
            "The model predicts “negative” for every row.",
            Some("predicts only one class: “negative” for every row of the test split"),
        ),
        (
            &[(0, 1, 60), (1, 1, 40)],
            "The model predicts “positive” for every row.",
            Some("predicts only one class: “positive” for every row of the test split"),
        ),
        (
            &[(0, 0, 40), (0, 1, 20), (1, 1, 20), (1, 0, 20)],
            "The model is no better than the baseline.",
            Some("no better on the test split than always predicting “negative”"),
        ),
        (
            &[(0, 0, 60), (1, 1, 3), (1, 0, 37)],
            "The model is 3.0 points above the baseline, which may be chance (exact McNemar test, p\u{a0}=\u{a0}0.250).",
            None,
        ),
        (&[(0, 0, 60), (1, 1, 30), (1, 0, 10)], "The model is 30.0 points above the baseline.", None),
    ] {
        let files = files_of(&measured(cells));
        let md = text(&files, "report.md");
        assert!(md.contains(sentence), "{sentence}: {md}");
        assert_eq!(md.contains("## Warnings"), warning.is_some(), "{sentence}");
        if let Some(warning) = warning {
            assert!(md.contains(&format!("Result:\n\n- {warning}")), "{md}");
            assert!(text(&files, "report.html").contains(warning));
        }
    }
}

#[test]
fn warnings_are_listed_once_by_kind_with_their_lines_and_runs() {
    let mut input = sweep();
    let cut = Warning::new(Kind::Tokens, "3 texts <b> are cut").at([7, 9, 12]);
    let data = Warning::new(Kind::DataFile, "a quoted field spans 86 lines").at([5]);
    input.runs.iter_mut().for_each(|run| run.warnings = vec![data.clone()]);
    input.runs[1].warnings.push(cut.clone());
    input.runs[2].warnings.push(cut);
    input.experiment.warnings = vec![Warning::new(Kind::Sweep, "sweep.max_runs = 1 leaves 5 of the 6 runs unfinished")];
    let files = files_of(&input);
    let (html, md) = (text(&files, "report.html"), text(&files, "report.md"));
    assert_eq!(html.matches("a quoted field spans 86 lines").count(), 1);
    assert!(
        html.contains("<h3>Data file</h3>")
            && html.contains("3 texts &#60;b&#62; are cut <small>(lines 7, 9 and 12)</small>")
    );
    assert!(md.contains("- a quoted field spans 86 lines (line 5) – all runs"), "{md}");
    assert!(md.contains("(lines 7, 9 and 12) – lr=1e-5 seed=2; lr=1e-5 seed=3"), "{md}");
    // Lines that the message has are not listed again.
    input.runs[0].warnings = vec![Warning::new(Kind::Split, "2 rows (lines 3 and 8) are odd").at([3, 8])];
    let said = text(&files_of(&input), "report.md").to_string();
    assert!(said.contains("- 2 rows (lines 3 and 8) are odd –") && !said.contains("(lines 3 and 8) ("), "{said}");
    let of_sweep = "sweep.max_runs = 1 leaves 5 of the 6 runs unfinished";
    assert!(html.contains("<h3>Sweep</h3>") && html.contains(of_sweep), "{html}");
    assert!(md.contains("= 1 leaves 5 of the 6 runs unfinished\n"), "{md}");
}

#[test]
fn environments_differ_only_by_what_can_change_a_digit() {
    let note = "not all trained in the same environment";
    let with = |change: fn(&mut taper::store::Environment)| {
        let mut input = two_rates();
        change(input.runs[1].run.environment.as_mut().unwrap());
        text(&files_of(&input), "report.md").to_string()
    };
    let threads = with(|e| (e.threads, e.git_commit) = (8, None));
    assert!(
        !threads.contains(note) && threads.contains("| threads | 2 or 8 (no result depends on them) |"),
        "{threads}"
    );
    assert!(!with(|e| e.taper = "0.2.0".into()).contains(note));
    assert!(with(|e| e.cpu = "Another CPU".into()).contains(note));
    assert!(with(|e| e.device = "cuda:0".into()).contains(note));
    assert!(with(|e| e.numerics = 2).contains(note));
    assert!(with(|e| e.micro_batch_tokens = Some(512)).contains(note));
}

#[test]
fn no_cell_of_a_table_is_a_formula() {
    let mut input = single();
    let run = &mut input.runs[0];
    run.run.name = "=1+1".into();
    run.run.message = Some("@SUM(A1)".into());
    run.run.labels = vec!["-1".into(), "+cmd|' /C calc'!A0".into()];
    for (i, text) in ["=HYPERLINK(\"x\")", "\t=1", "-2+3", "@x", "\r=1", "＝1"].into_iter().enumerate() {
        run.predictions[i].text = text.into();
        run.predictions[i].predicted = Target::Label(1 - run.predictions[i].label.ids()[0]);
    }
    run.probes[0].score.text = "=probe()".into();
    for (name, bytes) in files_of(&input).iter().filter(|(name, _)| name.ends_with(".csv")) {
        let mut rows = csv::ReaderBuilder::new().has_headers(false).from_reader(&bytes[..]);
        for cell in rows.records().flat_map(|row| row.unwrap().iter().map(String::from).collect::<Vec<_>>()) {
            let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝']) && cell.parse::<f64>().is_err();
            assert!(!formula, "{name}: {cell:?}");
        }
    }
}

/// A run without a key that another has says what that means.
#[test]
fn a_run_without_learning_rates_of_groups_has_that_of_all() {
    let mut input = two_rates();
    let lr = input.runs[1].run.config.train.lr;
    (input.runs[0].run.config.train.head_lr, input.runs[0].run.config.train.layer_lr_decay) = (Some(0.5), Some(0.25));
    let files = files_of(&input);
    let mut table = csv::Reader::from_reader(text(&files, "runs.csv").as_bytes());
    let head: Vec<String> = table.headers().unwrap().iter().map(String::from).collect();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let column = |name: &str| {
        let at = head.iter().position(|head| head == name).unwrap();
        [rows[0][at].to_string(), rows[1][at].to_string()]
    };
    assert_eq!(column("train.head_lr"), ["0.5".to_string(), serde_json::json!(lr).to_string()]);
    assert_eq!(column("train.layer_lr_decay"), ["0.25", "1.0"]);
}

#[test]
fn runs_csv_has_the_dev_metrics_and_the_swept_keys() {
    let mut input = two_rates();
    input.runs[1].run.config.train.warmup_ratio = 0.05;
    input.runs[1].run.config.data.max_length = 128;
    let files = files_of(&input);
    let mut table = csv::Reader::from_reader(text(&files, "runs.csv").as_bytes());
    let head: Vec<String> = table.headers().unwrap().iter().map(String::from).collect();
    let after = head.iter().position(|h| h == "dev_accuracy").unwrap();
    let want = ["dev_accuracy", "dev_macro_f1", "dev_loss", "data.max_length", "train.lr", "train.warmup_ratio"];
    assert_eq!(head[after..], want);
    for (record, run) in table.records().map(Result::unwrap).zip(&input.runs) {
        let dev = run.evals.iter().find(|e| e.when == When::After && e.split == Split::Dev).unwrap();
        assert_eq!(record[after], dev.metrics.get(Metric::Accuracy).to_string());
        assert_eq!(record[after + 2], dev.metrics.get(Metric::Loss).to_string());
        assert_eq!(record[after + 5], run.run.config.train.warmup_ratio.to_string());
    }
}

#[test]
fn the_commands_that_reproduce_the_report_are_named() {
    let mut input = two_rates();
    input.experiment.extends = vec![SpecFile { path: "experiments/base.toml".into(), text: "train.lr = 1e-5".into() }];
    let files = files_of(&input);
    let md = text(&files, "report.md");
    assert!(md.contains(&format!("taper verify {}", &input.runs[0].run.key[..12])), "{md}");
    assert!(md.contains("### Extended by the spec: experiments/base.toml\n\n```toml\ntrain.lr = 1e-5\n```"), "{md}");
    assert!(text(&files, "png-fonts.txt").contains("Ubuntu Light"));
    // Earlier versions stored the names alone.
    input.experiment.extends.clear();
    input.experiment.spec_text = "extends = [\"base.toml\"]\nname = \"x\"\n".into();
    assert!(
        text(&files_of(&input), "report.md")
            .contains("The spec extends base.toml, but the text of that file is not stored.")
    );
}

#[test]
fn the_chart_of_changes_names_its_order() {
    let md = text(&files_of(&two_rates()), "report.md").to_string();
    assert!(md.contains("Trials in the order of the ranking (by dev accuracy)."), "{md}");
    assert!(text(&files_of(&sweep()), "report.md").contains("Trials in the order of the ranking (by test accuracy)."));
    assert!(!text(&files_of(&single()), "report.md").contains("in the order of"));
}

#[test]
fn every_card_names_its_subject_and_runs_that_are_not_drawn_are_counted() {
    let cards = |input: &ReportInput| -> Vec<String> {
        let files = files_of(input);
        let html = text(&files, "report.html");
        let cards = html.split("<div class=\"fact").skip(1).map(|card| card.split("</div>").next().unwrap_or_default());
        cards.map(String::from).collect()
    };
    // Several seeds, one configuration of them the best so far: some runs failed.
    let of_sweep = cards(&sweep());
    assert_eq!(of_sweep.len(), 5, "{of_sweep:?}");
    for (card, scope) in of_sweep.iter().zip([
        "test accuracy of the best trial so far, mean over 3 seeds; 95% Wilson interval over rows: <span \
         class=\"w\">88.3–92.9%</span>",
        "test macro-F1 of the best trial so far, mean over 3 seeds",
        "test accuracy of the best trial so far before training",
        "test accuracy of the baseline: always predicting",
        "test accuracy of its best run, lr=1e-4 seed=2; 95% Wilson interval over rows: <span \
         class=\"w\">88.8–93.3%</span>",
    ]) {
        assert!(card.contains(scope), "{card}");
    }
    let of_one = cards(&single());
    assert!(
        of_one.len() == 4 && of_one.iter().all(|card| card.contains("test ") && !card.contains("best")),
        "{of_one:?}"
    );

    let recipe = |name: &str, seed| Recipe { seed, ..Recipe::new(name, &["negative", "positive"]) };
    let done = recipe("a", 1).completed();
    for (others, said) in [
        (vec![recipe("b", 2).broken_at(3)], " 1 run without a final evaluation is not drawn."),
        (
            vec![recipe("b", 2).pending(), recipe("c", 3).diverged()],
            " 2 runs without a final evaluation are not drawn.",
        ),
    ] {
        let input = experiment([vec![done.clone()], others].concat());
        let files = files_of(&input);
        assert!(text(&files, "report.md").contains(said) && text(&files, "report.html").contains(said), "{said}");
    }
    assert!(!text(&files_of(&single()), "report.md").contains("not drawn"));
}

/// What is cut differs between folds: it is said of all of them together, each once.
#[test]
fn long_texts_of_folds_are_said_together() {
    let run = |fold: u32, seed: u64, cut: u64| {
        let name = format!("seed={seed} fold={fold}");
        let mut run = Recipe { seed, ..Recipe::new(&name, &["a", "b"]) }.completed();
        run.run.config.data.fold = Some(format!("{fold}/2").parse().unwrap());
        let texts =
            SplitTexts { tokens: 1000, rows_cut: cut, tokens_cut: 10 * cut, ..SplitTexts::new(Split::Test, 50) };
        run.run.environment.as_mut().unwrap().texts = vec![texts];
        run
    };
    let section = |cut: [u64; 2]| {
        let runs = [1, 2].into_iter().flat_map(|seed| [run(1, seed, cut[0]), run(2, seed, cut[1])]).collect();
        let files = files_of(&experiment(runs));
        let md = text(&files, "report.md");
        md.split("## Long texts\n").nth(1).unwrap().split("\n## ").next().unwrap().trim().to_owned()
    };
    let together = "At most 512 tokens; cut: 7 of 100 test rows (70 of 2,000 tokens, 3.5%); 2 folds together.";
    assert_eq!(section([3, 4]), together);
    assert_eq!(
        section([4, 4]),
        "At most 512 tokens; cut: 4 of 50 test rows (40 of 1,000 tokens, 4.0%).",
        "the same of each"
    );
}
