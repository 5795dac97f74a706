//! `docs/spec.md` against the table of keys and against the loader.

use std::{fmt::Write, fs, path::PathBuf};

use taper::spec::keys::{Fallback, KEYS, SECTIONS};

use super::{Files, options};

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/spec.md")
}

/// The table of a section, as Markdown.
fn reference(section: &str) -> String {
    let mut table = String::from("| key | takes | default | unit | description |\n|---|---|---|---|---|\n");
    for key in KEYS.iter().filter(|key| key.section() == section) {
        let default = match key.default {
            Fallback::Is(value) => format!("`{value}`"),
            Fallback::Absent(meaning) => meaning.to_string(),
            Fallback::SameAs(other) => format!("`{other}`"),
            Fallback::Required => "**required**".into(),
        };
        let cells = [format!("`{}`", key.path), key.kind.expects(), default, key.unit.into(), key.doc.into()];
        writeln!(table, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")).unwrap();
    }
    table
}

/// `UPDATE_DOCS=1 cargo test --test it spec::docs` writes the tables anew.
#[test]
fn the_reference_tables_are_those_of_the_code() {
    let page = page();
    let written = fs::read_to_string(&page).unwrap();
    let mut expected = written.clone();
    for section in SECTIONS {
        let (begin, end) = (format!("<!-- keys: {section} -->\n"), "<!-- end -->");
        let start = expected.find(&begin).unwrap_or_else(|| panic!("docs/spec.md lacks {begin}")) + begin.len();
        let length = expected[start..].find(end).expect("docs/spec.md lacks an end");
        expected.replace_range(start..start + length, &reference(section));
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&page, &expected).unwrap();
    } else {
        assert!(written == expected, "docs/spec.md is out of date: run UPDATE_DOCS=1 cargo test --test it spec::docs");
    }
}

/// Each TOML block that begins with `# FILE.toml` is a file.
fn examples(page: &str) -> Vec<(&str, &str)> {
    let blocks = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks
        .filter_map(|block| Some((block.lines().next()?.strip_prefix("# ")?.split_whitespace().next()?, block)))
        .filter(|(name, _)| name.ends_with(".toml"))
        .collect()
}

/// All are loaded side by side, with each of their profiles.
#[test]
fn the_examples_are_valid_specs() {
    let page = fs::read_to_string(page()).unwrap();
    let files = examples(&page);
    assert!(files.len() >= 4, "docs/spec.md has too few examples");
    let folder = Files::new(&files);
    for (name, text) in &files {
        // A file that is there to be extended names no model and no data.
        let sets: &[&str] =
            if name.starts_with("base") { &["model.source=scratch:tiny", "data.source=path:x"] } else { &[] };
        let profiles = text.lines().filter_map(|line| line.strip_prefix("[profile.")?.split(['.', ']']).next());
        for profile in std::iter::once(None).chain(profiles.map(Some)) {
            folder.load_with(name, &options(profile, sets, &[])).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }
}

/// The sweeps of the page are as large as it says.
#[test]
fn the_sweeps_of_the_examples_are_what_the_page_says() {
    let page = fs::read_to_string(page()).unwrap();
    let folder = Files::new(&examples(&page));
    for (name, runs, trials) in [
        ("waimai.toml", 9, 3),
        ("sweep.toml", 30, 10),
        ("conditions.toml", 4, 4),
        ("search.toml", 40, 20),
        ("tpe.toml", 6, 6),
        ("asha.toml", 27, 27),
        ("median.toml", 40, 20),
    ] {
        let planned = super::search::expand(&folder.load(name).unwrap());
        let last = planned.iter().map(|run| run.trial).max();
        assert_eq!((planned.len(), last), (runs, Some(trials - 1)), "{name}");
    }
    let first = &super::search::expand(&folder.load("sweep.toml").unwrap())[0].name;
    assert!(page.contains(&format!("`{first}`")), "{first}");
    let sweep = folder.load("asha.toml").unwrap();
    let config = &super::search::expand(&sweep)[0].config.train;
    let prune = taper::plan::prune::Prune::of(&sweep.spec().sweep);
    let steps: Vec<u64> = taper::plan::prune::rungs(&prune, config, 1000).iter().map(|rung| rung.step).collect();
    assert_eq!(steps, [30, 90]);
}
