//! Texts of the user are text in every output, whatever they contain.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use proptest::prelude::*;
use taper::{
    report::ReportInput,
    warning::{Kind, Warning},
};

use super::{
    files_of,
    report_fixtures::{Recipe, experiment},
    text,
};

/// Two runs, one of which failed, with this text wherever a text of the user can be.
pub fn hostile(text: &str) -> ReportInput {
    let labels = [format!("{text} no"), format!("{text} yes")];
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let recipe = Recipe { rows: 12, epochs: 1, steps_per_epoch: 3, ..Recipe::new(&format!("lr=1 {text}"), &labels) };
    let mut runs = vec![recipe.completed(), Recipe { lr: 2e-5, name: format!("lr=2 {text}"), ..recipe }.failed(text)];
    let run = &mut runs[0];
    run.predictions.iter_mut().for_each(|prediction| prediction.text = text.into());
    run.probes.iter_mut().for_each(|probe| probe.score.text = text.into());
    run.warnings.push(Warning::new(Kind::Result, text));
    if let Some(environment) = &mut run.run.environment {
        environment.cpu = text.into();
    }
    let mut input = experiment(runs);
    input.experiment.description = text.into();
    input.experiment.spec_text = text.into();
    input.experiment.report = serde_json::json!({"title": format!("title {text}"), "smoothing": 0.9, "mistakes": 8});
    input
}

/// The tags of a page and the attributes that each has: what a text can add to if it is not inert.
fn tags(page: &str) -> BTreeSet<String> {
    // Script and style are the program's own: what follows their first tag up to its end is no markup.
    let mut found = BTreeSet::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once('<') {
        let name: String = after.chars().take_while(|c| !c.is_whitespace() && *c != '>').collect();
        let mut tag = vec![name.clone()];
        let mut at = after[name.len()..].trim_start();
        while let Some((attribute, value)) =
            at.split_once("=\"").filter(|(attribute, _)| !attribute.contains(['>', '<']))
        {
            tag.push(attribute.trim().into());
            at = value.split_once('"').map_or("", |(_, rest)| rest);
        }
        rest = match name.as_str() {
            "script" | "style" => at.split_once(&format!("</{name}")).map_or("", |(_, rest)| rest),
            _ => at,
        };
        found.insert(tag.join(" "));
    }
    found
}

/// Characters that act on a terminal or on the text after them.
fn acts(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A line of Markdown without what is code: from a run of backticks to the next of the same length. Text after a backslash is text.
fn without_code(line: &str) -> String {
    let chars: Vec<char> = line.chars().collect();
    let run = |at: usize| chars[at..].iter().take_while(|c| **c == '`').count();
    let (mut kept, mut at) = (String::new(), 0);
    while at < chars.len() {
        let length = run(at);
        if chars[at] == '\\' {
            kept.extend(&chars[at..chars.len().min(at + 2)]);
            at += 2;
        } else if length == 0 {
            kept.push(chars[at]);
            at += 1;
        } else {
            let (mut close, mut end) = (at + length, None);
            while close < chars.len() && end.is_none() {
                let next = run(close).max(1);
                end = (run(close) == length).then_some(close + length);
                close += next;
            }
            kept.extend(std::iter::repeat_n('`', if end.is_some() { 0 } else { length }));
            at = end.unwrap_or(at + length);
        }
    }
    kept
}

fn check(hostile_text: &str) {
    static CALM: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    let (calm, files) = (CALM.get_or_init(|| files_of(&hostile("x-y `z`"))), files_of(&hostile(hostile_text)));
    // The same text wrapped into more lines adds no kinds of tags.
    for name in files.keys().filter(|name| name.ends_with(".html") || name.ends_with(".svg")) {
        let (calm, page) = (tags(text(calm, name)), text(&files, name));
        let more: Vec<String> = tags(page).difference(&calm).cloned().collect();
        assert!(more.is_empty(), "{name}: {more:?} of {hostile_text:?}");
    }
    for name in files.keys().filter(|name| [".html", ".svg", ".md"].iter().any(|ending| name.ends_with(ending))) {
        let page = text(&files, name);
        assert!(!page.chars().any(acts), "{name}: {:?} of {hostile_text:?}", page.chars().find(|c| acts(*c)));
    }
    let md = text(&files, "report.md").split("## Reproduce").next().unwrap_or_default();
    for line in md.lines().map(without_code) {
        let raw = ["<script", "<img", "</td", "<!--", "]]>"].into_iter().find(|markup| line.contains(markup));
        assert_eq!(raw, None, "{hostile_text:?}: {line}");
    }
    for name in files.keys().filter(|name| name.ends_with(".csv")) {
        for record in csv::Reader::from_reader(&files[name][..]).records().map(Result::unwrap) {
            let runs =
                |cell: &&str| cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && cell.parse::<f64>().is_err();
            assert_eq!(record.iter().find(runs), None, "{name}");
        }
    }
}

#[test]
fn known_attacks_are_inert() {
    for text in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "</style></script><svg onload=alert(1)>",
        "![x](http://example.org) [y](javascript:alert(1)) | **b** `c`\n# heading",
        "\u{202e}gnp.exe\u{2066}\u{1b}[31mred\u{1b}]0;title\u{7}\u{9b}2J\0",
        "```<img src=x>`",
        "=HYPERLINK(\"http://example.org\")",
        "@SUM(1)\t+1\r\n-1",
        "{{ view.title }} {% include \"x\" %} data-version=\"\" <ul></ul></nav><h2 id=\"main\">",
    ] {
        check(text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn any_mixture_is_inert(parts in proptest::collection::vec(prop_oneof![
        Just("<script>"), Just("</script>"), Just("<!--"), Just("]]>"), Just("</td>"), Just("\""), Just("'"), Just("&lt;"), Just("<img src=x>"),
        Just("`"), Just("|"), Just("\n"), Just("\r"), Just("\n\n# "), Just("=1+1"), Just("+"), Just("\u{202e}"), Just("\u{2067}"),
        Just("\u{1b}[0m"), Just("\0"), Just("中文"), Just("a b"), Just("\u{feff}"), Just("🙂"), Just("- ")
    ], 1..12)) {
        check(&parts.concat());
    }
}
