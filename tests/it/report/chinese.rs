//! Reports in Chinese: no English is left but names, keys and what others wrote; tables for programs are those of the English report.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use taper::report::{Language, ReportInput, live_page};

use super::{
    compare::store,
    files_of,
    report_fixtures::{self, Recipe, experiment},
    sweeps::{grid, pruned},
    typed_fixtures,
};
use crate::support::{Sandbox, text};

/// Words of a Chinese page: names of methods and of people, keys, and the program's own name.
const WORDS: [&str; 60] = [
    "AUC",
    "NaN",
    "cuda",
    "epochs",
    "Agresti",
    "Bengio",
    "Brier",
    "CSV",
    "Dodge",
    "ECE",
    "Efron",
    "Excel",
    "Holm",
    "Hoos",
    "Hutter",
    "Leyton-Brown",
    "MCC",
    "McNemar",
    "Min",
    "Nadeau",
    "Newcombe",
    "PNG",
    "RMSE",
    "ROC",
    "SHA-256",
    "SVG",
    "Student",
    "TPE",
    "Tang",
    "Tibshirani",
    "UTC",
    "UTF-8",
    "Welch",
    "Wilson",
    "bootstrap",
    "configuration",
    "cpu",
    "dropout",
    "extends",
    "fANOVA",
    "git",
    "kappa",
    "logits",
    "nat",
    "out-of-fold",
    "rung",
    "taper",
    "min-max",
    "batch_size",
    "when",
    "decided",
    "lr",
    "seed",
    "fold",
    "source",
    "weight_decay",
    "warmup_ratio",
    "focal",
    "dev",
    "test",
];
/// Terms that a reader may search for, beside their translation.
const TERMS: [&str; 4] =
    ["taper run", "expected calibration error", "expected validation performance", "percentile bootstrap"];

/// Every rich fixture by name.
fn all() -> Vec<(&'static str, ReportInput)> {
    let mut runs = grid();
    for run in &mut runs[0..2] {
        *run = pruned(run.clone(), "rank 5 of 6 at rung 1 with mean dev accuracy 61.0%; only the best 3 go on");
    }
    let diverged = Recipe { lr: 1e-2, ..Recipe::new("lr=1e-2 batch_size=8 seed=1", &["a", "b"]) }.diverged();
    runs.push(diverged);
    let mut all = report_fixtures::all();
    all.extend(typed_fixtures::all());
    all.push(("two-rates", report_fixtures::two_rates()));
    all.push(("pruned", experiment(runs)));
    all
}

/// Those of which all files are written: their PNG charts take long.
const FILES: [&str; 4] = ["sweep", "pruned", "sets-sweep", "numbers-folds"];

/// What of a page is not its own: names, labels, texts, and what the environment is called.
fn of_others(input: &ReportInput) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    let mut add = |text: &str| {
        found.extend(text.split(['\n', '<', '>', '`', '|']).map(|part| part.trim().trim_end_matches('.').to_owned()));
    };
    let experiment = &input.experiment;
    for text in [&experiment.name, &experiment.description, &experiment.spec_path] {
        add(text);
    }
    for run in &input.runs {
        let record = &run.run;
        add(&record.name);
        add(&record.key[..12]);
        record.name.split_whitespace().for_each(&mut add);
        record.labels.iter().for_each(|label| add(label));
        run.predictions.iter().for_each(|row| add(&row.text));
        for probe in &run.probes {
            add(&probe.score.text);
            // Charts wrap them.
            let words: Vec<&str> = probe.score.text.split_whitespace().collect();
            words.iter().filter(|word| word.len() > 3).for_each(|word| add(word));
            let lines = (0..words.len()).flat_map(|from| (from + 2..=words.len()).map(move |to| from..to));
            lines.for_each(|line| add(&words[line].join(" ")));
        }
        if let Some(e) = &record.environment {
            [&e.platform, &e.cpu, &e.data_digest, &e.model_digest].into_iter().for_each(|text| add(text));
            e.git_commit.iter().for_each(|commit| add(commit));
        }
    }
    kept(found)
}

/// The messages of the records, which Markdown cannot mark as English.
fn messages(input: &ReportInput) -> BTreeSet<String> {
    let mut found: Vec<&str> = input.experiment.warnings.iter().map(|warning| &warning.message[..]).collect();
    for run in &input.runs {
        found.extend(run.run.message.iter().map(String::as_str));
        found.extend(run.warnings.iter().map(|warning| &warning.message[..]));
        found.extend(run.run.environment.iter().map(|environment| &environment.learning_rates[..]));
    }
    let parts = found.into_iter().flat_map(|text| text.split(['\n', '<', '>', '`', '|']));
    kept(parts.map(|part| part.trim().trim_end_matches('.').to_owned()).collect())
}

fn kept(mut found: BTreeSet<String>) -> BTreeSet<String> {
    found.retain(|text| text.chars().any(|c| c.is_ascii_alphabetic()) && text.len() > 2);
    found
}

fn unescaped(text: &str) -> String {
    let marks = [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&apos;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
    ];
    let text = marks.iter().fold(text.to_owned(), |text, (escaped, mark)| text.replace(escaped, mark));
    text.replace("&#38;", "&").replace("&amp;", "&")
}

/// A page without the content of these elements.
fn without(page: &str, element: &str) -> String {
    let (open, close) = (format!("<{element}"), format!("</{element}>"));
    let mut kept = String::new();
    let mut rest = page;
    while let Some(begin) = rest.find(&open) {
        kept.push_str(&rest[..begin]);
        let end = rest[begin..].find(&close).map_or(rest.len(), |end| begin + end + close.len());
        rest = &rest[end..];
    }
    kept + rest
}

/// The texts that a reader of a page sees or hears: those between tags, and those of attributes.
fn texts(page: &str) -> Vec<String> {
    let page = ["style", "script", "pre", "code"].iter().fold(page.to_owned(), |page, element| without(&page, element));
    // A number with a hyphen has an element of its own within its sentence.
    let mut parts = page.split("<span class=\"w\">");
    let first = parts.next().unwrap_or_default().to_owned();
    let page = parts.fold(first, |page, part| page + &part.replacen("</span>", "", 1));
    // Stored messages are English, and say so.
    let mut parts = page.split("<span lang=\"en\">");
    let first = parts.next().unwrap_or_default().to_owned();
    let page = parts.fold(first, |page, part| page + part.split_once("</span>").map_or("", |(_, rest)| rest));
    let page = page.replace("</span>", "");
    let mut found = Vec::new();
    for part in page.split('<') {
        let (tag, text) = part.split_once('>').unwrap_or(("", part));
        found.push(unescaped(text));
        for name in ["aria-label=\"", "data-of=\"", "data-values=\"", "data-contents=\"", "alt=\""] {
            found.extend(tag.split(name).skip(1).filter_map(|rest| Some(unescaped(rest.split('"').next()?))));
        }
    }
    found
}

/// The English words of a text, apart from those that a Chinese page may have. A word with a dot is a key or the name of a file, one with `=` is
/// a setting, which charts may cut.
fn english(text: &str, others: &BTreeSet<String>) -> Vec<String> {
    // Charts wrap long names, also within a word.
    if others.iter().any(|other| other.chars().count() > 30 && other.contains(text.trim())) {
        return Vec::new();
    }
    let mut longest_first: Vec<&str> = others.iter().map(String::as_str).chain(TERMS).collect();
    longest_first.sort_by_key(|other| std::cmp::Reverse(other.len()));
    let own = longest_first.into_iter().fold(text.to_owned(), |text, other| text.replace(other, " "));
    let words = own
        .split(|c: char| !c.is_ascii_alphanumeric() && !"-_.=".contains(c))
        .map(|word| word.trim_matches(['-', '_', '.']));
    let is_word =
        |word: &&str| word.chars().filter(char::is_ascii_alphabetic).count() > 2 && !word.contains(['.', '=']);
    words.filter(is_word).filter(|word| !WORDS.contains(word)).map(String::from).collect()
}

/// The texts of a page that have English words, each with those words and the name of the page.
fn english_texts(name: &str, page: &str, others: &BTreeSet<String>) -> BTreeSet<String> {
    let said = |text: &String| {
        let words = english(text, others);
        (!words.is_empty()).then(|| format!("{name}: {words:?} in: {}", text.trim()))
    };
    texts(page).iter().filter_map(said).collect()
}

#[track_caller]
fn assert_chinese(name: &str, page: &str, others: &BTreeSet<String>) {
    assert_eq!(english_texts(name, page, others), BTreeSet::new());
}

/// The prose of Markdown, without code.
fn prose(markdown: &str) -> String {
    let fenced: Vec<&str> = markdown.split("\n```").step_by(2).collect();
    let of_line = |line: &str| line.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = fenced.join("\n").lines().map(of_line).collect();
    lines.join("\n").replace('\\', "").replace('<', " ")
}

/// The prose of a page of Markdown is Chinese, but for what this input names, and these words.
#[track_caller]
pub(super) fn assert_prose_is_chinese(name: &str, markdown: &str, input: &ReportInput, words: &[&str]) {
    let mut others: BTreeSet<String> = of_others(input).union(&messages(input)).cloned().collect();
    others.extend(words.iter().map(|word| (*word).to_owned()));
    assert_chinese(name, &prose(markdown), &others);
}

#[test]
fn no_english_is_left_on_a_chinese_page() {
    let mut left = BTreeSet::new();
    for (name, input) in all() {
        let others = of_others(&input);
        let page = Language::Chinese.during(|| live_page(&input)).unwrap().html;
        assert!(page.starts_with("<!doctype html>\n<html lang=\"zh-CN\">"), "{name}");
        left.extend(english_texts(name, &page, &others));
        if FILES.contains(&name) {
            let files = Language::Chinese.during(|| files_of(&input));
            for (file, bytes) in files.iter().filter(|(file, _)| file.ends_with(".svg") || *file == "report.html") {
                left.extend(english_texts(&format!("{name}/{file}"), &text(bytes), &others));
            }
            let others = others.union(&messages(&input)).cloned().collect();
            left.extend(english_texts(&format!("{name}/report.md"), &prose(&text(&files["report.md"])), &others));
        }
    }
    assert!(left.is_empty(), "{}", left.into_iter().collect::<Vec<_>>().join("\n"));
}

/// Programs read CSV files. Without a Chinese font, PNG charts are those of the English report.
#[test]
fn tables_are_english_and_so_are_pictures_without_a_font() {
    for (name, input) in all().into_iter().filter(|(name, _)| FILES.contains(name)) {
        let (chinese, english) = (Language::Chinese.during(|| files_of(&input)), files_of(&input));
        assert_eq!(chinese.keys().collect::<Vec<_>>(), english.keys().collect::<Vec<_>>(), "{name}");
        let same = |file: &&String| file.ends_with(".csv") || file.ends_with(".png");
        for file in english.keys().filter(same) {
            assert!(chinese[file] == english[file], "{name}/{file} differs");
        }
        assert!(english.keys().all(|file| !file.ends_with(".svg") || chinese[file] != english[file]), "{name}");
    }
}

/// The string literals of a source file outside its tests, each with the code before it.
fn literals(source: &str) -> Vec<(String, String)> {
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let code: String =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let code = code.replace("'\"'", "' '").replace("\\\\", "  ").replace("\\\"", "  ");
    let mut found = Vec::new();
    let mut before = String::new();
    for (i, part) in code.split('"').enumerate() {
        match i % 2 {
            0 => before = part.trim_end().to_owned(),
            _ => found.push((before.clone(), part.to_owned())),
        }
    }
    found
}

fn sources(folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.path().is_dir() {
            true => sources(&entry.path(), found),
            false => _ = found.insert(entry.path().display().to_string(), fs::read_to_string(entry.path()).unwrap()),
        }
    }
}

/// A text of several English words that no fixture has on its page, because it is rare, is found in the source.
#[test]
fn every_sentence_of_the_source_has_a_translation() {
    /// Files whose texts are errors, names for programs, or for terminals alone.
    const ENGLISH: [&str; 12] = [
        "/means.rs",
        "/error.rs",
        "/language.rs",
        "/leaderboard.rs",
        "/leaderboard/tests.rs",
        "/leaderboard/tests/undefined.rs",
        "/weights.rs",
        "/staged.rs",
        "/compare/check.rs",
        "/compare/measured.rs",
        "/change/oracle.rs",
        "/charts/fonts.rs",
    ];
    /// Texts that stand only where the language is English, or that are no words of the page.
    const PARTS: [&str; 16] = [
        "it was",
        "they were",
        "It was not",
        "its temperature",
        "applies them",
        "applies it",
        "1 pruned trial counts here",
        "{n} pruned trials count here",
        "training label",
        "completed run",
        "not final",
        ", the median of ",
        " at rung ",
        "new Intl.Collator(",
        "@media screen and ",
        "<meta name=",
    ];
    let mut files = BTreeMap::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report"), &mut files);
    let language = files.iter().find(|(path, _)| path.ends_with("/language.rs")).expect("the module").1.clone();
    let mut left = Vec::new();
    for (path, source) in files.iter().filter(|(path, _)| !ENGLISH.iter().any(|english| path.ends_with(english))) {
        for (before, literal) in literals(source) {
            let words = literal
                .split_whitespace()
                .filter(|word| word.len() > 1 && word.chars().all(|c| c.is_ascii_lowercase()));
            let is_sentence = words.count() > 1;
            // A noun that is counted, a command, and what the script of a page says have their translations elsewhere.
            let is_known = language.contains(&format!("\"{literal}\" =>"))
                || literal.starts_with("taper ")
                || before.ends_with('(') && path.ends_with("/frame.rs")
                || PARTS.iter().any(|part| literal.contains(part));
            if is_sentence && literal.is_ascii() && !is_known && !before.ends_with("tr(") && !before.ends_with("tr!(") {
                left.push(format!("{path}: {literal}"));
            }
        }
    }
    assert!(left.is_empty(), "these texts stand alone, not in tr or tr!:\n{}", left.join("\n"));
}

#[test]
fn commands_write_chinese_pages_and_english_words() {
    let sandbox = Sandbox::new();
    let recipe = |lr, skill, name: &str| {
        Recipe { lr, skill, dev: 0.1, rows: 80, steps_per_epoch: 6, ..Recipe::new(name, &["negative", "positive"]) }
            .completed()
    };
    let input = || experiment(vec![recipe(1e-5, 2.0, "lr=1e-5"), recipe(1e-4, 0.9, "lr=1e-4")]);
    let others = of_others(&input());
    store(&sandbox, "e", input());
    let keys = sandbox.keys();
    let page = |arguments: &[&str], file: &str| {
        sandbox.ok(arguments);
        fs::read_to_string(sandbox.path(file)).unwrap()
    };
    assert_chinese("report", &page(&["report", "e", "--lang", "zh", "--out", "one"], "one/report.html"), &others);
    let untold = page(&["report", "e", "--lang", "zh", "--no-texts", "--out", "two"], "two/report.html");
    assert_chinese("no texts", &untold, &others);
    assert!(untold.contains("本报告不含数据各行的文本") && untold.contains(" 第 "), "{untold}");
    assert!(fs::read_to_string(sandbox.path("two/predictions.csv")).unwrap().contains(", line "));
    let all = page(&["report", "--all", "--lang", "zh", "--out", "all"], "all/index.html");
    assert!(all.contains("<html lang=\"zh-CN\">"));
    assert_chinese("index", &all, &others);
    let two = ["compare", &keys[0], &keys[1]];
    let compared = page(&[&two[..], &["--html", "c.html", "--lang", "zh"]].concat(), "c.html");
    assert_chinese("compare", &compared, &others);
    let untold = page(&[&two[..], &["--html", "n.html", "--lang", "zh", "--no-texts"]].concat(), "n.html");
    assert_chinese("compare without texts", &untold, &others);
    assert!(untold.contains("本页不含数据各行的文本"), "{untold}");
    let english = sandbox.ok(&two);
    let also = sandbox.ok(&[&two[..], &["--html", "d.html", "--lang", "zh"]].concat());
    assert_eq!(also.lines().take(3).collect::<Vec<_>>(), english.lines().take(3).collect::<Vec<_>>());
    assert_eq!(sandbox.json(&[&two[..], &["--html", "e.html", "--lang", "zh"]].concat()), sandbox.json(&two));
    for refused in
        [&["report", "--lang", "zh"][..], &[&two[..], &["--lang", "zh"]].concat(), &["report", "e", "--lang", "fr"]]
    {
        assert_eq!(sandbox.says(refused).0, 2, "{refused:?}");
    }
}
