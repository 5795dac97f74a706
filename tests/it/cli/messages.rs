//! What a command says that cannot do what is asked: where, why and what to do; never a number of the system's, and never SQL.

use super::*;

/// Standard error of a command that ends with this exit code, and says nothing that only programmers read.
fn said(sandbox: &Sandbox, code: i32, arguments: &[&str]) -> String {
    let output = sandbox.taper(arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(
        !said.contains("os error") && !said.contains("SELECT") && !said.contains("CREATE"),
        "{arguments:?}: {said}"
    );
    said
}

#[test]
fn errors_that_the_user_has_to_fix_come_before_any_training() {
    let sandbox = sandbox("");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    fs::write(sandbox.path("file"), "mine").expect("a file");
    fs::create_dir(sandbox.path("full")).expect("a folder");
    fs::write(sandbox.path("full/x"), "").expect("a file");
    std::os::unix::fs::symlink("nowhere", sandbox.path("link")).expect("a link");
    for (arguments, wanted) in [
        (&["list", "--runs", "file"][..], "file is a file; expected the runs folder"),
        (&["run", "small.toml", "--runs", "file"], "file is a file; expected the runs folder"),
        (&["plan", "small.toml", "--runs", "file"], "file is a file; expected the runs folder"),
        (&["run", "small.toml", "--runs", "file/runs"], "--runs DIR names another runs folder"),
        (
            &["show", "x", "--runs", "nowhere"],
            "run `taper run SPEC --runs nowhere` first (nowhere/taper.db does not exist)",
        ),
        (&["report", "x", "--runs", "nowhere"], "run `taper run SPEC --runs nowhere` first"),
        (&["gc", "--runs", "no where"], "run `taper run SPEC --runs 'no where'` first"),
        (&["rm", "small", "--json"], "but --json does not ask for confirmation: add --yes"),
        (&["predict", "small", ""], "the text is empty"),
        (&["export", "small", "full"], "is not an empty folder: choose another"),
        (&["export", "small", "file"], "is not an empty folder: choose another"),
        (&["export", "small", "file/deep/er"], "choose another path"),
        (&["export", "small", "/dev/null"], "is not an empty folder: choose another"),
        (&["export", "small", "link"], "link is a symbolic link to nowhere, which does not exist: remove the link"),
        (&["export", "small", "link", "--format", "csv"], "link is a symbolic link to nowhere, which does not exist"),
        (&["predict", "small", "x", "--device", "metal"], "use --device cpu"),
        (&["predict", "small", "--file", "rows.csv", "--out", "o.csv", "--device", "metal"], "use --device cpu"),
        (&["eval", "small", "--file", "rows.csv", "--device", "metal"], "use --device cpu"),
        (&["serve", "small", "--addr", "127.0.0.1:0", "--device", "metal"], "use --device cpu"),
        (&["plan", "small.toml", "--order", "nowhere/o.json"], "nowhere: there is no such file or folder"),
        (&["plan", "small.toml", "--order", "."], "it is a folder where a file is expected"),
        (&["plan", "small.toml", "--order", "file/o"], "a part of this path is a file"),
        (&["report", "small", "--out", "file"], "choose another folder with --out DIR"),
        (&["report", "small", "--out", "file/x"], "choose another folder with --out DIR"),
        (&["list", "--watch"], "--watch needs a terminal"),
        (&["list", "--limit", "-1"], "`--limit` takes a number that is not negative"),
        (&["list", "--threads", "-1"], "`--threads` takes a number that is not negative"),
        (&["run", "small.toml", "--retries", "-1"], "`--retries` takes a number that is not negative"),
        (&["list", "--threads", "65000"], "expected a number from 1 to"),
        (&["list", "--threads", "100000"], "expected a number from 1 to"),
    ] {
        let said = said(&sandbox, 2, arguments);
        assert!(said.contains(wanted), "{arguments:?}: {said}");
    }
    assert_eq!(fs::read_to_string(sandbox.path("file")).expect("it"), "mine");
}

#[test]
fn a_missing_source_is_named_with_the_key_that_names_it() {
    let sandbox = sandbox("");
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    let line = |key: &str| 1 + spec.lines().position(|line| line.starts_with(key)).expect("a line");
    fs::write(sandbox.path("no-data.toml"), spec.replace("path:rows.csv", "path:nope.csv")).expect("a spec");
    fs::write(sandbox.path("no-model.toml"), spec.replace("scratch:tiny", "path:nope")).expect("a spec");
    fs::write(sandbox.path("folder.toml"), spec.replace("path:rows.csv", "path:.")).expect("a spec");
    fs::write(sandbox.path("below.toml"), spec.replace("path:rows.csv", "path:rows.csv/x")).expect("a spec");
    let second = 2
        + spec[spec.find("[data]").expect("a table")..].lines().position(|l| l.starts_with("source")).expect("it")
        + spec[..spec.find("[data]").expect("a table")].lines().count()
        - 1;
    for (arguments, wanted) in [
        (&["plan", "no-data.toml"][..], format!("no-data.toml:{second}: data.source: nope.csv does not exist")),
        (&["run", "no-model.toml"], format!("no-model.toml:{}: model.source: nope does not exist", line("source"))),
        (&["plan", "folder.toml"], format!("folder.toml:{second}: data.source: . is a folder")),
        (&["plan", "below.toml"], format!("below.toml:{second}: data.source: rows.csv/x does not exist")),
        (
            &["plan", "small.toml", "--set", "data.source=path:zzz"],
            "--set data.source=path:zzz: data.source: zzz does not exist; relative paths are resolved from the spec \
             file's folder, or, in --set and TAPER_… variables, from the current folder"
                .into(),
        ),
        (
            &["plan", "small.toml", "--set", "sweep.axes.data.source=[\"path:rows.csv\", \"path:zzz\"]"],
            "--set: data.source: zzz does not exist".into(),
        ),
    ] {
        let said = said(&sandbox, 2, arguments);
        assert!(said.contains(&wanted), "{arguments:?}: {said}, not {wanted}");
    }
}

#[test]
fn variables_of_taper_that_are_empty_or_unknown_are_named() {
    let sandbox = sandbox("");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    // A plan holds its warnings; other commands say them on standard error.
    let with = |name: &str, value: &str, arguments: &[&str]| {
        let output = sandbox.command(arguments).env(name, value).output().expect("taper starts");
        let out = if arguments[0] == "plan" { text(&output.stdout) } else { String::new() };
        (output.status.code(), text(&output.stderr) + &out)
    };
    for arguments in [&["list"][..], &["plan", "small.toml"], &["doctor", "--offline"]] {
        let (code, said) = with("TAPER_RUNS", "", arguments);
        assert!(code == Some(2) && said.contains("environment variable TAPER_RUNS is empty"), "{said}");
    }
    for arguments in [&["plan", "small.toml"][..], &["run", "small.toml"], &["list"], &["show", "small"], &["gc"]] {
        let (_, said) = with("TAPER_RUN", "x", arguments);
        assert!(
            said.contains("warning: environment variable TAPER_RUN has no effect: did you mean TAPER_RUNS?"),
            "{said}"
        );
    }
    assert_eq!(with("TAPER_CACHE", "x", &["list"]), (Some(0), String::new()));
    let (code, said) = with("TAPER_MAX_DOWNLOAD", "10G", &["plan", "small.toml"]);
    assert!(code == Some(2) && said.contains("TAPER_MAX_DOWNLOAD is `10G`; expected bytes"), "{said}");
}

#[test]
fn a_run_without_a_model_says_how_to_keep_one() {
    let sandbox = sandbox("");
    sandbox.ok(&["run", "small.toml", "--quiet", "--set", "checkpoint.keep=none", "--set", "name=none"]);
    let kept = ["run", "small.toml", "--quiet", "--set", "train.seed=7", "--set", "name=kept"];
    sandbox.ok(&kept);
    let diverged = ["run", "small.toml", "--quiet", "--set", "train.eps=1e-60", "--set", "name=nan"];
    assert_eq!(sandbox.taper(&diverged).status.code(), Some(1));
    let runs = sandbox.json(&["list"]);
    let key = runs.as_array().expect("runs").iter().find(|run| run["name"] == "kept").expect("it")["key"].clone();
    fs::remove_dir_all(sandbox.path("runs").join(&key.as_str().expect("a key")[..12]).join("model")).expect("a model");
    for (run, wanted) in [
        ("none", "its spec says checkpoint.keep = \"none\"; with \"last\" or \"best\", `taper run` trains it again"),
        ("kept", "is completed, but its model is missing; `taper run` trains it again"),
        (
            "nan",
            "it failed (diverged); `taper run small.toml --set train.eps=1e-60 --set name=nan --retry` trains it again",
        ),
    ] {
        for arguments in [&["predict", run, "好"][..], &["export", run, "out"], &["eval", run, "--file", "rows.csv"]] {
            assert!(said(&sandbox, 2, arguments).contains(wanted), "{arguments:?}: {}", said(&sandbox, 2, arguments));
        }
    }
    // What keeps a run that diverged from having a model is not what its spec keeps.
    let both = ["run", "small.toml", "--quiet", "--set", "train.eps=1e-60", "--set", "checkpoint.keep=none"];
    assert_eq!(sandbox.taper(&[&both[..], &["--set", "name=both"]].concat()).status.code(), Some(1));
    let why = said(&sandbox, 2, &["predict", "both", "好"]);
    let wanted = "it failed (diverged); `taper run small.toml --set train.eps=1e-60 --set checkpoint.keep=none --set name=both --retry` \
                  trains it again; \
                  with checkpoint.keep = \"none\" it still keeps no model";
    assert!(why.contains(wanted), "{why}");
    sandbox.ok(&["rm", "nan", "--yes"]);
    let gone = said(&sandbox, 2, &["show", "nan"]);
    assert!(!gone.contains("did you mean `nan`"), "{gone}");
}

#[test]
fn more_runs_at_a_time_than_threads_share_those_there_are() {
    let sandbox = sandbox("");
    let run = ["run", "small.toml", "--set", "train.max_steps=1", "--threads", "2", "--jobs", "200"];
    let said = text(&sandbox.taper(&run).stderr);
    assert!(said.contains("device: cpu, 2 threads in all, 200 runs at a time"), "{said}");
    assert!(said.contains("warning: 200 runs at a time share 2 threads"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn standard_output_that_takes_nothing_is_named() {
    let sandbox = sandbox("");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    for arguments in [&["list"][..], &["list", "--json"], &["show", "small"], &["predict", "small", "好"]] {
        let full = fs::File::options().write(true).open("/dev/full").expect("a device");
        let output = sandbox.command(arguments).stdout(full).output().expect("taper starts");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.starts_with("error: standard output cannot be written: its disk is full"), "{said}");
        assert!(!said.contains("os error"), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_in_the_way_of_a_run_is_named_with_what_to_do() {
    use std::os::unix::fs::symlink;
    let sandbox = sandbox("");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let key = sandbox.json(&["list"])[0]["key"].as_str().expect("a key")[..12].to_string();
    let folder = sandbox.path("runs").join(&key);
    let replaced: [fn(&Path); 2] =
        [|path| fs::write(path, "mine").expect("a file"), |path| symlink("/nowhere/at/all", path).expect("a link")];
    for put in replaced {
        match folder.symlink_metadata() {
            Ok(facts) if facts.is_dir() => fs::remove_dir_all(&folder).expect("removed"),
            _ => fs::remove_file(&folder).expect("removed"),
        }
        put(&folder);
        let is_link = folder.symlink_metadata().is_ok_and(|facts| facts.is_symlink());
        // Nothing is removed beside a link.
        let (code, what) =
            if is_link { (2, "is a symbolic link to /nowhere/at/all") } else { (1, "remove or rename it") };
        let rm = ["rm", "small", "--yes"];
        for (arguments, code, what) in [(&["run", "small.toml"][..], 1, "remove or rename it"), (&rm, code, what)] {
            let said = said(&sandbox, code, arguments);
            assert!(said.contains(&key) && said.contains(what), "{arguments:?}: {said}");
        }
    }
    let lock = sandbox.path("small.toml.lock");
    type Put = fn(&Path);
    let locks: [(Put, &str); 3] = [
        (
            |path| assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo").success()),
            "it is a pipe; expected",
        ),
        (|path| fs::create_dir(path).expect("a folder"), "it is a folder; expected a file"),
        (|path| symlink(path, path).expect("a link"), "links form a loop"),
    ];
    for (put, wanted) in locks {
        put(&lock);
        for command in ["plan", "fetch", "run"] {
            let said = said(&sandbox, 2, &[command, "small.toml"]);
            assert!(said.contains("small.toml.lock: ") && said.contains(wanted), "{command}: {said}");
            assert!(said.contains("delete it and let `taper fetch` write it again"), "{said}");
        }
        if lock.symlink_metadata().expect("it").is_dir() { fs::remove_dir(&lock) } else { fs::remove_file(&lock) }
            .expect("removed");
    }
}

#[test]
fn a_tie_of_the_most_common_labels_is_reported() {
    let sandbox = sandbox("");
    let plan = ["plan", "small.toml", "--set", "data.stratify=true"];
    assert!(
        sandbox.ok(&plan).contains("always predicting negative, as common as every other label in training"),
        "{}",
        sandbox.ok(&plan)
    );
    let rows = fs::read_to_string(sandbox.path("rows.csv")).expect("rows");
    fs::write(sandbox.path("rows.csv"), rows + "1,好吃一\n1,好吃二\n1,好吃三\n1,好吃四\n").expect("rows");
    assert!(sandbox.ok(&plan).contains("positive, the most common label in training"));
}

/// The commands that a text names in backticks or after `next: ` and `settings: `, for the shell.
fn commands(said: &str) -> Vec<String> {
    let quoted = said.split('`').skip(1).step_by(2).filter(|text| text.starts_with("taper ")).map(String::from);
    let after = |line: &str| ["next: ", "settings: "].iter().find_map(|what| line.strip_prefix(what)).map(String::from);
    quoted.chain(said.lines().filter_map(after)).collect()
}

#[test]
fn a_command_that_is_named_can_be_typed_as_it_is() {
    let sandbox = sandbox("");
    let folder = "my runs";
    let runs = ["--runs", folder];
    let said = |arguments: &[&str]| sandbox.says(&[arguments, &runs].concat()).1;
    let type_in = |command: &str| {
        let taper = env!("CARGO_BIN_EXE_taper");
        let shell = format!("taper() {{ '{taper}' \"$@\"; }}; {command}");
        let output =
            Command::new("sh").args(["-c", &shell]).current_dir(sandbox.root()).env_remove("TAPER_RUNS").output();
        let output = output.expect("a shell");
        assert!(output.status.success(), "{command}: {}", text(&output.stderr));
    };
    let empty = said(&["list"]);
    assert_eq!(commands(&empty), ["taper run SPEC --runs 'my runs'"], "{empty}");
    let mut named = commands(&said(&["run", "small.toml", "--quiet", "--set", "name=a b"]));
    named.extend(commands(&said(&["run", "small.toml", "--set", "name=a b"])));
    named.extend(commands(&said(&["show", "a b"])));
    named.extend(commands(&said(&["predict", "a b", "--file", "rows.csv"])));
    named.extend(commands(&said(&["show", "unknown"])));
    named.extend(commands(&said(&["report", "unknown"])));
    named.retain(|command| command != "taper run");
    assert!(named.len() >= 5, "{named:?}");
    let shows = |what: &str| named.iter().any(|command| command.starts_with(what));
    assert!(shows("taper report 'a b' --runs 'my runs'") && shows("taper eval ") && shows("taper list "), "{named:?}");
    for command in &named {
        assert!(command.ends_with(" --runs 'my runs'"), "{command}");
        type_in(command);
    }
    // The report names no folder: the same records give the same bytes in any.
    sandbox.ok(&["report", "a b", "--runs", folder]);
    let report = |folder: &str| {
        ["report.md", "report.html"]
            .map(|file| fs::read_to_string(sandbox.path(folder).join("reports/a b").join(file)).expect("a report"))
    };
    let here = report(folder);
    let lines: Vec<&str> = here[0].lines().filter(|line| line.starts_with("taper ")).collect();
    assert_eq!(lines.len(), 5, "{}", here[0]);
    assert!(lines.iter().all(|line| !line.contains("--runs")), "{lines:?}");
    let filled = |line: &str| line.replace(" FILE", " rows.csv").replace(" DIR", " exported");
    lines.iter().for_each(|line| type_in(&format!("{} --runs 'my runs'", filled(line))));
    fs::rename(sandbox.path(folder), sandbox.path("elsewhere")).expect("a rename");
    sandbox.ok(&["report", "a b", "--runs", "elsewhere"]);
    assert_eq!(report("elsewhere"), here);
    fs::rename(sandbox.path("elsewhere"), sandbox.path(folder)).expect("a rename");
    // A folder that a command uses without the option is not named.
    let mut show = sandbox.command(&["show", "a b"]);
    let shown = text(&show.env("TAPER_RUNS", folder).output().expect("taper").stdout);
    assert!(shown.contains(" --config\n") && !shown.contains("--runs"), "{shown}");
}

#[cfg(unix)]
#[test]
fn a_runs_folder_that_cannot_be_looked_into_is_not_taken_to_be_empty() {
    let sandbox = sandbox("");
    // A link to itself: like a folder without permissions, it does not tell what is behind it.
    std::os::unix::fs::symlink("loop", sandbox.path("loop")).expect("a link");
    for arguments in [
        &["list", "--runs", "loop"][..],
        &["list", "--json", "--runs", "loop"],
        &["list", "small", "--runs", "loop"],
        &["show", "x", "--runs", "loop"],
        &["plan", "small.toml", "--runs", "loop"],
        &["run", "small.toml", "--runs", "loop"],
    ] {
        let said = said(&sandbox, 2, arguments);
        assert!(said.contains("cannot read loop: its symbolic links form a loop"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_file_that_is_not_a_spec_is_reported_as_such() {
    let sandbox = sandbox("");
    fs::write(sandbox.path("rows.json"), "[\n{\"review\": \"好\"},\n{\"review\": \"差\"}\n]\n").expect("a file");
    fs::write(sandbox.path("notes.md"), "# Notes\n\nWhat was tried: a rate of 1e-3.\n").expect("a file");
    for file in ["rows.csv", "rows.json", "notes.md"] {
        let said = said(&sandbox, 2, &["plan", file]);
        assert!(said.contains(&format!("`{file}` is not a spec: it is not TOML")), "{said}");
        assert!(!said.contains("1 problem"), "{said}");
    }
    // A spec with a mistake has its line, whatever it is called.
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    fs::write(sandbox.path("wrong.conf"), spec.replace("lr = 1e-3", "lr 1e-3")).expect("a spec");
    let said = said(&sandbox, 2, &["plan", "wrong.conf"]);
    assert!(said.contains("wrong.conf:") && !said.contains("is not a spec"), "{said}");
}

#[test]
fn files_that_are_not_there_are_named_with_the_other_problems() {
    let sandbox = sandbox("");
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    let gone = spec.replace("path:rows.csv", "path:nope.csv");
    // With a mistake of the spec itself, in a sweep too.
    fs::write(sandbox.path("a.toml"), gone.replace("\nlr = 1e-3", "\nlearning_rate = 1e-3")).expect("a spec");
    let both = said(&sandbox, 2, &["plan", "a.toml"]);
    assert!(
        both.contains("`data.source`: nope.csv does not exist") && both.contains("unknown key `train.learning_rate`"),
        "{both}"
    );
    assert!(both.contains("a.toml:6:10: `data.source`") && both.ends_with("2 problems\n"), "{both}");
    let swept = ["plan", "small.toml", "--set", "train.lr=-1", "--set", "sweep.axes.data.source=[\"path:zzz.csv\"]"];
    let both = said(&sandbox, 2, &swept);
    assert!(both.contains("zzz.csv does not exist") && both.contains("`train.lr` is -1"), "{both}");
    // Without one: the data and the model.
    fs::write(sandbox.path("b.toml"), gone.replace("scratch:tiny", "path:no-model")).expect("a spec");
    let both = said(&sandbox, 2, &["plan", "b.toml"]);
    assert!(both.contains("nope.csv does not exist") && both.contains("no-model does not exist"), "{both}");
}

#[test]
fn a_setting_that_does_not_fit_the_data_has_its_line_and_a_suggestion() {
    let sandbox = sandbox("");
    let rows: String = (0..20).map(|i| format!("好吃 {i},positive\n难吃 {i},negative\n")).collect();
    fs::write(sandbox.path("named.csv"), format!("review,label\n{rows}")).expect("rows");
    let labels = "labels = { 0 = \"negative\", 1 = \"positive\" }\n";
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec").replace(labels, "");
    let named = spec.replace("rows.csv", "named.csv");
    let wanted = |name: &str, spec: &str, wanted: &[&str]| {
        fs::write(sandbox.path(name), spec).expect("a spec");
        let said = said(&sandbox, 2, &["plan", name]);
        assert!(wanted.iter().all(|part| said.contains(part)), "{said}, not {wanted:?}");
        assert!(!said.contains("leave the probes out") || name == "other.toml", "{said}");
    };
    let expects = |label: &str| named.replace("expect = \"positive\"", &format!("expect = \"{label}\""));
    wanted(
        "typo.toml",
        &expects("postive"),
        &["typo.toml:12:10: the probe", "expects `postive`", "did you mean `positive`?"],
    );
    wanted("other.toml", &expects("good"), &["other.toml:12:10: the probe", "expect one of them"]);
    // The values of the column are numbers.
    wanted("numbers.toml", &spec, &["numbers.toml:12:10: the probe", "or name these values in data.labels"]);
    // All of them at once.
    let two = expects("postive").replace("max_length = 32", "max_length = 4096");
    wanted(
        "two.toml",
        &two,
        &[
            "two.toml:9:14: data.max_length is 4096",
            "two.toml:12:10: the probe",
            "12 | expect = \"postive\"\n   |          ^^^^^^^^^",
        ],
    );
}

#[test]
fn the_name_of_an_experiment_leads_to_its_spec() {
    let sandbox = sandbox("");
    let before = said(&sandbox, 2, &["plan", "small"]);
    assert!(
        before.contains("cannot read the spec `small`: no such file") && !before.contains("experiment"),
        "{before}"
    );
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let after = said(&sandbox, 2, &["plan", "small"]);
    assert!(after.contains("`small` is an experiment; its spec is ") && after.contains("small.toml"), "{after}");
    assert!(!said(&sandbox, 2, &["plan", "other"]).contains("is an experiment"));
}

#[test]
fn a_spec_that_does_not_exist_leads_to_the_nearest_one() {
    let sandbox = sandbox("");
    sandbox.write("experiments/quickstart.toml", "[model]\nsource = \"scratch:tiny\"\n");
    sandbox.write("Cargo.toml", "[package]\nname = \"x\"\n");
    for (wanted, meant) in [
        ("small", "small.toml"),
        ("smal.toml", "small.toml"),
        ("quickstrat", "experiments/quickstart.toml"),
        ("experiments/quikstart.toml", "experiments/quickstart.toml"),
        ("experiments/small.toml", "small.toml"),
    ] {
        for command in ["plan", "run"] {
            let want = format!("error: cannot read the spec `{wanted}`: no such file\n = did you mean {meant}?\n");
            assert_eq!(said(&sandbox, 2, &[command, wanted]), want);
        }
    }
    // Another TOML file is none.
    for wanted in ["zebra.toml", "cargo", "Cargo"] {
        assert!(!said(&sandbox, 2, &["plan", wanted]).contains("did you mean"), "{wanted}");
    }
}
