//! `taper report` without a name, `--all` and `--open`; and the same bytes everywhere.

use std::{collections::BTreeMap, fs, path::Path};

use crate::support::{Sandbox, tiny_spec, words};

pub const SECOND: &str = tiny_spec!(
    "second",
    "label_column = \"label\"\nmax_length = 24\n[train]\nmax_steps = 2\n[sweep.axes]\ntrain.lr = [1e-3, 1e-4]\n"
);

fn trained() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write_rows();
    sandbox.write(
        "a.toml",
        tiny_spec!("first <b>", "label_column = \"label\"\nmax_length = 24\n[train]\nmax_steps = 2\nseed = 3\n"),
    );
    sandbox.write("b.toml", SECOND);
    sandbox.ok(&["run", "a.toml", "--quiet"]);
    sandbox.ok(&["run", "b.toml", "--quiet"]);
    sandbox
}

/// The files of a folder and of the folders in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        match entry.path().is_dir() {
            true => {
                found.extend(files(&entry.path()).into_iter().map(|(file, bytes)| (format!("{name}/{file}"), bytes)))
            }
            false => _ = found.insert(name, fs::read(entry.path()).unwrap()),
        }
    }
    found
}

#[test]
fn experiments_are_listed_and_indexed() {
    let sandbox = trained();
    let list = sandbox.ok(&["report"]);
    for part in
        ["1 completed", "2 completed", "taper report 'first <b>'", "taper report second", "`taper report --all`"]
    {
        assert!(list.contains(part), "{part}: {list}");
    }
    let entries = sandbox.json(&["report"]);
    assert_eq!((&entries[0]["experiment"], &entries[1]["runs"]), (&"first <b>".into(), &2.into()), "{entries}");
    let said = sandbox.ok(&["report", "--all"]);
    assert!(said.ends_with("index.html\nand 2 reports in folders beside it\n"), "{said}");
    let written = files(&sandbox.path("runs/reports"));
    let index = String::from_utf8(written["index.html"].clone()).unwrap();
    for link in index.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).filter(|link| *link != "#main")
    {
        assert!(written.contains_key(&link.replace("%20", " ").replace("%3C", "<").replace("%3E", ">")), "{link}");
    }
    let best = &entries[1]["best"];
    assert!(index.contains(best["trial"].as_str().unwrap()) && index.contains("first &#60;b&#62;"), "{index}");
    assert!(index.contains(best["metric"].as_str().unwrap()), "{index}");
    // Again, and into another folder.
    sandbox.ok(&["report", "--all"]);
    sandbox.ok(&["report", "--all", "--out", "elsewhere"]);
    assert!(files(&sandbox.path("elsewhere")) == written && files(&sandbox.path("runs/reports")) == written);
    // A page that no report wrote is not replaced.
    sandbox.write("mine/index.html", "mine");
    let (code, said) = sandbox.says(&["report", "--all", "--out", "mine"]);
    assert!(code == 2 && said.contains("index.html; choose another folder with --out"), "{said}");
}

#[test]
fn the_bytes_do_not_depend_on_folder_time_zone_language_or_threads() {
    let sandbox = trained();
    let mut seen = Vec::new();
    for (folder, zone, language, threads) in [
        ("one", "UTC", "C", "1"),
        ("two", "Asia/Shanghai", "zh_CN.UTF-8", "2"),
        ("a/b", "America/New_York", "de_DE", "2"),
    ] {
        let arguments = ["report", "--runs", "../runs", "second", "--out", folder, "--threads", threads];
        fs::create_dir_all(sandbox.path("work")).unwrap();
        let mut command = sandbox.command(&arguments);
        command.current_dir(sandbox.path("work")).env("TZ", zone).env("LANG", language).env("LC_ALL", language);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", words(&output));
        seen.push(files(&sandbox.path("work").join(folder)));
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]));
    assert!(seen[0].len() > 10);
}

/// What the clock said and the number of threads differ between two trainings; nothing else does.
#[test]
fn a_database_from_another_number_of_threads_has_the_same_report() {
    let sandbox = Sandbox::new();
    sandbox.write_rows();
    sandbox.write("b.toml", SECOND);
    let reports = ["1", "2"].map(|threads| {
        sandbox.ok(&["run", "b.toml", "--quiet", "--threads", threads, "--runs", threads]);
        let database = rusqlite::Connection::open(sandbox.path(threads).join("taper.db")).unwrap();
        let trained: u32 =
            database.query_row("SELECT environment ->> 'threads' FROM runs", [], |row| row.get(0)).unwrap();
        assert_eq!(trained.to_string(), threads);
        database
            .execute_batch(
                "UPDATE runs SET created_at = id, started_at = id, finished_at = id + 1,
                        environment = json_set(environment, '$.threads', 0);
                 UPDATE steps SET elapsed_s = step; UPDATE evals SET elapsed_s = 1; UPDATE experiments SET saved_at = 0;",
            )
            .unwrap();
        drop(database);
        sandbox.ok(&["report", "second", "--runs", threads, "--out", &format!("report-{threads}")]);
        files(&sandbox.path(&format!("report-{threads}")))
    });
    assert!(reports[0].len() > 10 && reports[0].keys().eq(reports[1].keys()));
    for (name, bytes) in &reports[0] {
        assert!(*bytes == reports[1][name], "{name} differs");
    }
}

#[test]
#[cfg(unix)]
fn a_page_is_opened_in_the_browser_that_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = trained();
    sandbox.write("browser", "#!/bin/sh\nprintf %s \"$2\" > opened.tmp && mv opened.tmp opened\n");
    fs::set_permissions(sandbox.path("browser"), fs::Permissions::from_mode(0o755)).unwrap();
    let open = |arguments: &[&str]| {
        let _ = fs::remove_file(sandbox.path("opened"));
        let browser = format!("{} --new-window %s:other", sandbox.path("browser").display());
        let output = sandbox.command(arguments).env("BROWSER", browser).output().unwrap();
        assert!(output.status.success(), "{}", words(&output));
        // The command does not wait for the browser.
        let mut looks = (0..3000).inspect(|_| std::thread::sleep(std::time::Duration::from_millis(20)));
        assert!(looks.any(|_| sandbox.path("opened").exists()), "the browser was not started");
        fs::read_to_string(sandbox.path("opened")).unwrap()
    };
    let said = |arguments: &[&str], browser: &str| {
        let mut command = sandbox.command(arguments);
        command.env("BROWSER", browser).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
        let output = command.output().unwrap();
        (output.status.code(), words(&output))
    };
    let (code, why) = said(&["report", "second", "--open"], "no-such-browser");
    assert!(code == Some(2) && why.contains("cannot find the program `no-such-browser`"), "{why}");
    if cfg!(target_os = "linux") {
        let (code, why) = said(&["report", "second", "--open"], "");
        assert!(code == Some(2) && why.contains("--open needs a display"), "{why}");
    }
    assert!(!sandbox.path("runs/reports/second").exists(), "nothing is written before the browser is found");
    let address = open(&["report", "first <b>", "--open"]);
    assert!(
        address.starts_with("file:///") && address.ends_with("/runs/reports/first%20%3Cb%3E/report.html"),
        "{address}"
    );
    assert!(open(&["report", "--all", "--open"]).ends_with("/runs/reports/index.html"));
    let (code, why) = said(&["report", "--open"], "true");
    assert!(code == Some(2) && why.contains("need an experiment, or --all"), "{why}");
}
