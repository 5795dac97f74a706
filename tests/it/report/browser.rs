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
    report::{
        IndexEntry, Language, Leaderboard, Missing, ReportInput,
        compare::{self, Side},
        index, live_page, render_with_fonts,
    },
    store::RunRecord,
    warning::{Kind, Warning},
};

use super::{
    inert::hostile,
    report_fixtures::{Recipe, experiment},
    sweeps::{grid, pruned},
};

/// A sweep of this many runs, four seeds a trial; one in ten failed.
fn sweep(runs: u64) -> ReportInput {
    let run = |i: u64| {
        let lr: f64 = format!("{}e-5", i / 4 + 1).parse().expect("a number");
        let seed = i % 4 + 1;
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

/// The first of these programs that is in the PATH.
pub fn found(programs: &[&str]) -> Option<PathBuf> {
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

/// A sweep with a pruned and a failed run and a warning, whose stored messages are English.
fn messages() -> ReportInput {
    let mut runs = grid();
    for run in &mut runs[0..2] {
        *run = pruned(run.clone(), "rank 5 of 6 at rung 1 with mean dev accuracy 61.0%; only the best 3 go on");
    }
    runs.push(Recipe { lr: 1e-2, ..Recipe::new("lr=1e-2 batch_size=8 seed=1", &["a", "b"]) }.failed("out of memory"));
    runs[2].warnings = vec![Warning::new(Kind::Labels, "2 rows have a label that no other row has")];
    experiment(runs)
}

/// The page of a comparison of the first two runs.
fn compared(input: ReportInput) -> String {
    let sides: Vec<Side> = input.runs.into_iter().take(2).map(Side::of_run).collect();
    compare::page(&sides, &compare::compare(&sides).expect("runs that can be compared")).expect("a page")
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
    let chinese = || render_with_fonts(&messages(), &folder.path().join("chinese"), fontdb::Database::new);
    Language::Chinese.during(chinese).expect("a report");
    for (name, language) in [("compare", Language::English), ("compare-chinese", Language::Chinese)] {
        fs::create_dir(folder.path().join(name)).expect("a folder");
        let page = language.during(|| compared(sweep(12)));
        fs::write(folder.path().join(name).join("report.html"), page).expect("a file");
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
    assert!(output.status.success() && said.trim() == "9 pages", "{said}{}", String::from_utf8_lossy(&output.stderr));
}
