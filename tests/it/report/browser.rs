//! Opens pages in Chromium: `tests/page/check.mjs` says what must hold.
//!
//! `TAPER_TEST_AXE` names the file axe.min.js of axe-core; without it, without node or without Chromium the test says that it is skipped.
//! `TAPER_PICTURES=DIR` leaves a picture of each page at each width in DIR, to be looked at.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use taper::{
    report::{IndexEntry, Leaderboard, Missing, ReportInput, index, live_page, render_with_fonts},
    store::RunRecord,
};

use super::{
    inert::hostile,
    report_fixtures::{Recipe, experiment},
};

/// A sweep of this many runs, four seeds a trial; one in ten failed.
fn sweep(runs: u64) -> ReportInput {
    let run = |i: u64| {
        let (lr, seed) = (1e-5 * (i / 4 + 1) as f64, i % 4 + 1);
        let name = format!("lr={lr:.1e} seed={seed}");
        let skill = 1.0 + (i / 4 % 7) as f64 * 0.3;
        let recipe = Recipe {
            rows: 30,
            epochs: 2,
            steps_per_epoch: 6,
            lr,
            seed,
            skill,
            ..Recipe::new(&name, &["negative", "positive"])
        };
        if i % 10 == 9 { recipe.failed("out of memory") } else { recipe.completed() }
    };
    experiment((0..runs).map(run).collect())
}

fn found(programs: &[&str]) -> Option<PathBuf> {
    let folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH")?).collect();
    programs.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()))
}

/// The index of three experiments like this one.
fn index_of(input: &ReportInput, folder: &Path) {
    let runs: Vec<RunRecord> = input.runs.iter().map(|run| run.run.clone()).collect();
    let records: Vec<_> = input.runs.iter().map(|run| (&run.run, &run.evals[..])).collect();
    let board = Leaderboard::new("e", &records, &Missing::default());
    let entry = IndexEntry::of(&input.experiment, &runs, &board);
    let page =
        index(&[entry.clone(), IndexEntry { best: None, ..entry.clone() }, entry], folder, false).expect("a page");
    fs::rename(page, folder.join("report.html")).expect("another name");
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn pages_hold_in_a_browser_what_they_promise() {
    let Some(node) = found(&["node", "nodejs"]) else { return eprintln!("skipped: there is no node") };
    let Some(chromium) = found(&["chromium", "chromium-browser", "google-chrome"]) else {
        return eprintln!("skipped: there is no Chromium");
    };
    let Some(axe) = env::var_os("TAPER_TEST_AXE").filter(|axe| Path::new(axe).is_file()) else {
        return eprintln!("skipped: TAPER_TEST_AXE does not name axe-core's file axe.min.js");
    };
    let folder = tempfile::tempdir().expect("a folder");
    for (name, input) in [
        (
            "one",
            hostile("</script><script>window.hacked=1</script><img src=x onerror=window.hacked=1>\u{202e}\u{1b}[31m"),
        ),
        ("twelve", sweep(12)),
        ("hundred", sweep(100)),
        ("thousand", sweep(1000)),
    ] {
        render_with_fonts(&input, &folder.path().join(name), fontdb::Database::new).expect("a report");
    }
    index_of(&sweep(12), &folder.path().join("index"));
    let (before, mut after) = (sweep(30), sweep(30));
    after.experiment.description = "described anew".into();
    fs::create_dir(folder.path().join("live")).expect("a folder");
    for (name, input) in [("report.html", before), ("newer.html", after)] {
        fs::write(folder.path().join("live").join(name), live_page(&input).expect("a page").html).expect("a file");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page/check.mjs");
    let mut command = Command::new(node);
    command.arg(script).arg(chromium).arg(axe).arg(folder.path());
    if let Some(pictures) = env::var_os("TAPER_PICTURES") {
        fs::create_dir_all(&pictures).expect("a folder");
        command.arg(pictures);
    }
    let output = command.output().expect("node starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim() == "6 pages", "{said}{}", String::from_utf8_lossy(&output.stderr));
}
