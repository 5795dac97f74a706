//! Model cards: what they say, that they say it in two languages, and that texts of the user are only text in them.

use std::{collections::BTreeMap, iter::zip};

use serde_json::Value;
use taper::{
    metrics::Metric,
    report::{CardInput, Language, Leaderboard, Missing, Origin, ReportInput, Stored, Weights, card, is_as_written},
    store::{EvalRecord, RunRecord},
};

use super::{chinese, inert::hostile, report_fixtures, report_fixtures::single, typed_fixtures};

/// The card of the run at this position.
pub fn card_of(input: &ReportInput, at: usize, stored: Stored, language: Language) -> String {
    let runs: Vec<(&RunRecord, &[EvalRecord])> = input.runs.iter().map(|r| (&r.run, &r.evals[..])).collect();
    let missing = Missing::of(&input.experiment, input.runs.iter().map(|run| run.run.key.as_str()));
    let board = Leaderboard::new(&input.experiment.name, &runs, &missing);
    let base = Origin::read("---\nlicense: apache-2.0\nlanguage: zh\n---\n");
    let plan = Some((&input.experiment, &board));
    card(&CardInput { run: &input.runs[at], plan, base, data: Origin::default(), stored }, language)
}

/// The header as another reader of YAML has it, and the page below it.
fn parts(card: &str) -> (Value, &str) {
    let (header, page) = card.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).expect("a header");
    let (page, mark) = page.rsplit_once("\n<!-- taper:").expect("a mark");
    assert!(is_as_written(card) && mark.len() == 21, "{mark}");
    (serde_saphyr::from_str(header).expect("YAML"), page)
}

#[test]
fn a_card_that_was_edited_is_told_from_one_that_was_not() {
    let card = card_of(&single(), 0, Stored::Transformers, Language::English);
    assert!(is_as_written(&card) && is_as_written(&card.replace('\n', "\r\n")));
    for edited in [card.replacen("## Use", "## Usage", 1), card.clone() + "more\n", "# mine\n".into(), String::new()] {
        assert!(!is_as_written(&edited), "{edited}");
    }
}

fn all() -> Vec<(&'static str, ReportInput)> {
    report_fixtures::all().into_iter().chain(typed_fixtures::all()).collect()
}

/// The runs of a fixture that have a result, each with its position.
fn completed(input: &ReportInput) -> Vec<usize> {
    (0..input.runs.len()).filter(|at| input.runs[*at].run.final_metrics.is_some()).collect()
}

#[test]
fn a_card_in_both_languages() {
    let english = card_of(&single(), 0, Stored::Transformers, Language::English);
    insta::assert_snapshot!("card-english", english);
    insta::assert_snapshot!("card-chinese", card_of(&single(), 0, Stored::Transformers, Language::Chinese));
    assert_eq!(english, card_of(&single(), 0, Stored::Transformers, Language::English));
}

/// The values of the header are those of the test rows, under the names that the hub has for them.
#[test]
fn the_header_has_the_results_of_the_test_rows() {
    for (name, input) in all() {
        for at in completed(&input) {
            let run = &input.runs[at].run;
            let (header, _) = parts(&card_of(&input, at, Stored::Transformers, Language::English));
            let (header, has_test) = (header, run.config.data.has_test());
            assert_eq!(header.get("model-index").is_some(), has_test, "{name}");
            if !has_test {
                continue;
            }
            let result = &header["model-index"][0]["results"][0];
            assert_eq!(result["task"]["type"], "text-classification");
            let metrics = run.final_metrics.as_ref().expect("metrics");
            let found = result["metrics"].as_array().expect("a list");
            let value = |kind: &str, average: Option<&str>| {
                let is = |m: &&Value| m["type"] == kind && m.get("args").and_then(|a| a["average"].as_str()) == average;
                found.iter().find(is).and_then(|m| m["value"].as_f64())
            };
            let (expected, got) = match run.config.data.task().problem_type() {
                "regression" => (metrics.get(Metric::Mse), value("mse", None)),
                "multi_label_classification" => (metrics.get(Metric::MicroF1), value("f1", Some("micro"))),
                _ => (metrics.get(Metric::Accuracy), value("accuracy", None)),
            };
            assert_eq!(got, Some(expected), "{name}");
            assert!(found.iter().all(|m| m["value"].as_f64().is_some_and(f64::is_finite)), "{name}: {found:?}");
            let ids = header["metrics"].as_array().expect("a list");
            assert!(found.iter().all(|m| ids.contains(&m["type"])), "{name}: {ids:?}");
        }
    }
}

#[test]
fn a_card_says_what_is_known_and_nothing_else() {
    let mut input = single();
    let (header, page) = {
        let card = card_of(&input, 0, Stored::Transformers, Language::English);
        let (header, page) = parts(&card);
        (header, page.to_owned())
    };
    assert_eq!(header["language"], serde_json::json!(["zh"]));
    assert_eq!((&header["license"], &header["base_model"]), (&"apache-2.0".into(), &"hfl/rbt3".into()));
    assert!(header.get("datasets").is_none() && page.contains("the local file waimai\\_10k.csv"), "{page}");
    // Without a card there is no licence, and of Latin letters the language is not known.
    input.runs[0].predictions.iter_mut().for_each(|row| row.text = "quick delivery".into());
    let unknown = CardInput {
        run: &input.runs[0],
        plan: None,
        base: Origin::default(),
        data: Origin::default(),
        stored: Stored::Transformers,
    };
    let card = card(&unknown, Language::English);
    let (header, page) = parts(&card);
    assert!(header.get("language").is_none() && header.get("license").is_none(), "{header}");
    assert!(page.contains("The language of the texts is not known.") && page.contains("no card of the base model"));
    // A dataset of the hub, with its split and configuration.
    let data = &mut input.runs[0].run.config.data;
    (data.source, data.config) = ("hf:a/reviews".parse().expect("a source"), Some("v1: x".into()));
    data.test = 0.0.into();
    data.splits = serde_json::from_value(serde_json::json!({ "train": "train", "test": "held" })).expect("splits");
    input.runs[0].run.environment.as_mut().expect("it").data_source = "hf:a/reviews@c0ffee".into();
    let (header, _) = parts(&card_of(&input, 0, Stored::Transformers, Language::English));
    assert_eq!(header["datasets"], serde_json::json!(["a/reviews"]));
    let expected = serde_json::json!({ "name": "a/reviews", "type": "a/reviews", "config": "v1: x", "split": "held", "revision": "c0ffee" });
    assert_eq!(header["model-index"][0]["results"][0]["dataset"], expected);
}

/// Files of other weights have results of their own, which nobody measured.
#[test]
fn results_are_in_the_header_only_if_the_weights_are_those_that_were_measured() {
    for (stored, is_as_measured) in [
        (Stored::Onnx(Weights::Fp32), true),
        (Stored::Onnx(Weights::Fp16), false),
        (Stored::Onnx(Weights::Int8), false),
    ] {
        let card = card_of(&single(), 0, stored, Language::English);
        let (header, page) = parts(&card);
        assert_eq!((&header["library_name"], header.get("model-index").is_some()), (&"onnx".into(), is_as_measured));
        assert!(page.contains("onnxruntime.InferenceSession"));
        assert_eq!(page.contains("measured with float32 weights"), !is_as_measured);
    }
}

#[test]
fn limits_name_labels_that_are_not_predicted_and_what_chose_the_model() {
    let mut input = typed_fixtures::sets();
    let page = |input: &ReportInput| card_of(input, 0, Stored::Transformers, Language::English);
    let limits = |card: &str| {
        let (_, rest) = card.split_once("## Limits\n").expect("limits");
        rest.split("\n## ").next().expect("a section").to_owned()
    };
    let said = limits(&page(&input));
    assert!(said.contains("Without any test row, so nothing is known about them: “never”."), "{said}");
    assert!(said.contains("One seed:") && said.contains("independent of each other"), "{said}");
    input.runs[0].run.train_labels = Some(vec![400, 49, 50, 60, 3]);
    let said = limits(&page(&input));
    assert!(said.contains("With fewer than 50 training rows: “味道好” and “never”."), "{said}");
    let swept = limits(&page(&report_fixtures::two_rates()));
    assert!(swept.contains("2 trials were compared by"), "{swept}");
    // Also of two trials of which one was removed since.
    let mut removed = report_fixtures::two_rates();
    removed.experiment.trials = (0..removed.runs.len()).collect();
    removed.runs.truncate(1);
    let card = page(&removed);
    assert!(limits(&card).contains("2 trials were compared by"), "{card}");
    assert!(card.contains("Its trial has rank 1 of 2 trials, by "), "{card}");
    let unseen = limits(&page(&report_fixtures::dev_split()));
    assert!(unseen.contains("The checkpoint was chosen by dev accuracy: the dev results are optimistic."), "{unseen}");
}

/// The card names no row, whatever a fixture has.
#[test]
fn no_text_of_a_row_is_in_a_card() {
    for (name, mut input) in all() {
        let secret = "秘密的一行文本";
        for run in &mut input.runs {
            run.predictions.iter_mut().for_each(|row| row.text = secret.into());
            run.probes.iter_mut().for_each(|probe| probe.score.text = secret.into());
            run.run.config.probes.iter_mut().for_each(|probe| probe.text = secret.into());
        }
        for (at, language) in zip(completed(&input), [Language::English, Language::Chinese].into_iter().cycle()) {
            assert!(!card_of(&input, at, Stored::Transformers, language).contains(secret), "{name}");
        }
    }
}

/// Folders of the user are nobody's business, and what follows `?` in an address may be a secret.
#[test]
fn no_path_and_no_secret_is_in_a_card() {
    let mut input = single();
    let run = &mut input.runs[0].run;
    run.config.model.source = "path:/home/me/private/rbt3".parse().expect("a source");
    run.config.data.source = "https://a.example/rows.csv?key=tokentoken".parse().expect("a source");
    let card = card_of(&input, 0, Stored::Transformers, Language::English);
    assert!(!card.contains("/home") && !card.contains("private") && !card.contains("tokentoken"), "{card}");
    assert!(card.contains("source = \"path:rbt3\"") && card.contains("rows.csv"), "{card}");
}

#[test]
fn no_english_is_left_in_a_chinese_card() {
    for (name, input) in all() {
        for at in completed(&input) {
            for stored in [Stored::Transformers, Stored::Onnx(Weights::Int8)] {
                let card = card_of(&input, at, stored, Language::Chinese);
                let words = [
                    "https://huggingface.co/",
                    "hfl/rbt3",
                    "AdamW",
                    "linear",
                    "ONNX",
                    "softmax",
                    "sigmoid",
                    "float32",
                    "int8",
                    "transformers",
                    "onnxruntime",
                ];
                chinese::assert_prose_is_chinese(name, parts(&card).1, &input, &words);
            }
        }
    }
}

/// The keys of a header, and of the tables in it.
fn keys(value: &Value, at: &str, found: &mut BTreeMap<String, usize>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let at = format!("{at}/{key}");
                *found.entry(at.clone()).or_default() += 1;
                keys(value, &at, found);
            }
        }
        Value::Array(all) => all.iter().for_each(|value| keys(value, at, found)),
        _ => {}
    }
}

/// The lines of a page that are not code, and the number of blocks of code.
fn without_code(page: &str) -> (Vec<String>, usize) {
    let (mut lines, mut blocks) = (Vec::new(), 0);
    let mut fence: Option<String> = None;
    for line in page.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            Some(open) if ticks.len() >= open.len() && line == ticks => fence = None,
            Some(_) => {}
            None if ticks.len() >= 3 => (fence, blocks) = (Some(ticks), blocks + 1),
            None => lines.push(line.to_owned()),
        }
    }
    (lines, blocks)
}

#[test]
fn texts_of_the_user_are_only_text() {
    let of = |text: &str| {
        let mut input = hostile(text);
        let config = &mut input.runs[0].run.config;
        config.name = text.into();
        config.data.config = Some(text.into());
        config.data.group_column = Some(text.into());
        config.data.source = taper::plan::Source::Path(format!("folder/{}", text.replace('/', "")).into());
        card_of(&input, 0, Stored::Transformers, Language::English)
    };
    let shape = |card: &str| {
        let (header, page) = parts(card);
        let mut found = BTreeMap::new();
        keys(&header, "", &mut found);
        let (page, blocks) = without_code(page);
        let is_heading = |line: &&String| line.starts_with('#') || line.starts_with("---");
        let rows = page.iter().filter(|line| line.starts_with("| ")).count();
        (found, page.iter().filter(is_heading).count(), rows, blocks)
    };
    let calm = shape(&of("calm"));
    for text in [
        "x\n---\nlicense: mit\n---\n# y",
        "\"\nmodel-index: []\n#",
        "`` ` ```\n```\n# heading",
        "a | b | c\n| d |",
        "<script>alert(1)</script><!-- [x](javascript:1) ![y](z)",
        "\u{202e}gnp.exe\u{2066}\u{1b}[31m\u{85}\u{2028}---\u{2028}",
        "{a: b}, [c], & *d !e %f @g",
        "'''\n\"\"\"\n[train]\nlr = 1",
        "$$x$$ <b>",
    ] {
        let card = of(text);
        assert_eq!(shape(&card), calm, "{text:?}: {card}");
        let (header, page) = parts(&card);
        let name = header["model-index"][0]["name"].as_str().expect("a name");
        assert_eq!(
            name,
            text.split_whitespace().collect::<Vec<_>>().join(" ").chars().map(visible).collect::<String>()
        );
        let acts =
            |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        assert!(!card.chars().any(acts), "{text:?}");
        let raw = ["<script", "<!--", "<b>"];
        let page = without_code(page).0.join("\n");
        assert!(raw.iter().all(|markup| !page.contains(markup)), "{text:?}: {page}");
    }
}

fn visible(c: char) -> char {
    match c {
        '\u{1b}' => '␛',
        '\u{85}' | '\u{2028}' | '\u{202e}' | '\u{2066}' => '�',
        c => c,
    }
}
