//! Sweeps with more trials than are shown: how a stopped command counts them, and the plan on a terminal.

use super::*;

/// A sweep of so many trials, with a dev split.
fn of_trials(trials: usize, more: &str) -> Sandbox {
    let rates: Vec<String> = (1..=trials).map(|i| format!("{i}e-4")).collect();
    sandbox(&format!("eval_steps = 1\n[sweep]\n{more}\n[sweep.axes]\ntrain.lr = [{}]\n", rates.join(", ")))
}

#[cfg(unix)]
#[test]
fn a_stopped_sweep_counts_trials_that_have_not_begun_and_says_where_runs_resume() {
    let sandbox = of_trials(13, "");
    let longer = ["run", "small.toml", "--set", "train.epochs=60", "--set", "data.dev=0.2"];
    let mut command = sandbox.command(&longer);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("taper starts");
    assert!(wait(&mut child, "steps", || stored_steps(&sandbox.path("runs")) >= 5));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    let output = child.wait_with_output().expect("its end");
    assert_eq!(output.status.code(), Some(130));
    let said = text(&output.stdout);
    let runs = sandbox.json(&["list"]);
    let states = |wanted: &str| runs.as_array().expect("runs").iter().filter(|run| run["state"] == wanted).count();
    let stopped = runs.as_array().expect("runs").iter().find(|run| run["state"] == "interrupted").expect("a run");
    let (done, pending) = (states("completed"), states("pending"));
    assert_eq!(done + pending + 1, 13);
    assert!(said.contains(&format!("… and {pending} more, all pending: taper list small --leaderboard")), "{said}");
    let (name, step) = (stopped["name"].as_str().expect("a name"), &stopped["checkpoint_step"]);
    assert!(said.contains(&format!("\ninterrupted: {name} resumes at step {step} of 240\n")), "{said}");
}

#[cfg(unix)]
#[test]
fn a_stopped_search_has_one_size_everywhere() {
    let sandbox = sandbox(
        "[sweep]\nsearch = \"tpe\"\ntrials = 9\nbatch = 2\nstartup_trials = 3\n[sweep.axes]\ntrain.lr = { log = [1e-5, 1e-3] }\n",
    );
    let longer = ["run", "small.toml", "--set", "train.epochs=60", "--set", "data.dev=0.2"];
    let mut command = sandbox.command(&longer);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("taper starts");
    assert!(wait(&mut child, "steps", || stored_steps(&sandbox.path("runs")) >= 5));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    let said = text(&child.wait_with_output().expect("its end").stdout);
    assert!(said.contains("6 not yet proposed"), "{said}");
    let list = sandbox.ok(&["list"]);
    assert!(list.starts_with("small: 9 runs, ") && list.contains(", 6 not yet proposed"), "{list}");
    sandbox.ok(&["report", "small"]);
    let report = fs::read_to_string(sandbox.path("runs/reports/small/report.md")).expect("a report");
    assert!(report.contains("9 runs: ") && report.contains(", 6 not yet proposed"), "{report}");
    let plan = sandbox.ok(&[&["plan"], &longer[1..]].concat());
    assert!(plan.contains("9 of 9 runs to do (3 known so far)"), "{plan}");
    // When all are proposed nothing is.
    sandbox.ok(&["run", "small.toml", "--set", "data.dev=0.2", "--set", "train.max_steps=2"]);
    assert!(sandbox.ok(&["list"]).starts_with("small: 9 runs, 9 completed"), "{}", sandbox.ok(&["list"]));
}

/// What a command prints on a terminal of so many columns; `None` without the program `script`.
fn on_terminal(sandbox: &Sandbox, columns: &str, arguments: &[&str]) -> Option<String> {
    let shell = format!("{} {}", env!("CARGO_BIN_EXE_taper"), arguments.join(" "));
    let mut script = Command::new("script");
    script.args(["-qec", &shell, "/dev/null"]).current_dir(sandbox.root()).env("COLUMNS", columns);
    script.env_remove("TAPER_RUNS").env("TERM", "xterm").stdin(Stdio::null());
    let output = script.output().ok()?;
    assert!(output.status.success(), "{}", text(&output.stdout));
    Some(text(&output.stdout).replace('\r', ""))
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
#[test]
fn a_plan_on_a_terminal_has_a_line_for_each_of_the_first_trials() {
    let sandbox = of_trials(25, "seeds = [1, 2, 3, 7]");
    let Some(plan) = on_terminal(&sandbox, "80", &["plan", "small.toml"]) else {
        eprintln!("skipped: there is no program `script`");
        return;
    };
    // A value that has no room in a line is continued below itself.
    let wide = plan.lines().position(|line| line.starts_with("baseline  ")).unwrap_or_else(|| panic!("{plan}"));
    let next = plan.lines().nth(wide + 1).unwrap_or_default();
    assert!(next.starts_with(&" ".repeat(10)) && !next.starts_with(&" ".repeat(11)), "{plan}");
    let lines: Vec<Vec<&str>> = plan.lines().map(|line| line.split_whitespace().collect()).collect();
    let at = lines.iter().position(|line| line.first() == Some(&"LR")).unwrap_or_else(|| panic!("{plan}"));
    assert_eq!(lines[at][..4], ["LR", "SEEDS", "STATE", "STEPS"]);
    assert_eq!(lines[at + 1][..5], ["1e-4", "1–3,", "7", "new", "48"]);
    assert_eq!(lines[at + 20][0], "2e-3");
    assert_eq!(lines[at + 21], "… and 5 more trials (--all lists every run)".split(' ').collect::<Vec<_>>());
    let lists_all = |plan: &str| {
        let runs = plan.lines().filter(|line| line.contains("lr=") && line.contains("seed=")).count();
        runs == 100 && !plan.contains("more trials")
    };
    assert!(lists_all(&on_terminal(&sandbox, "120", &["plan", "small.toml", "--all"]).expect("a terminal")));
    assert!(lists_all(&sandbox.ok(&["plan", "small.toml"])), "elsewhere every run has its line");
}

/// A narrow terminal has no columns of steps and training losses, which is said below the last of its tables.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
#[test]
fn what_tables_have_no_room_for_is_said_once_for_all_experiments() {
    let sandbox = sandbox("max_steps = 2\n");
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    fs::write(sandbox.path("small.toml"), spec.replace("epochs = 2\n", "")).expect("a spec");
    for changes in [&["train.lr=1e-4"][..], &["train.lr=1e-5"], &["train.lr=1e-6", "name=other"]] {
        let sets = changes.iter().flat_map(|change| ["--set", change]);
        sandbox.ok(&["run", "small.toml", "--quiet"].into_iter().chain(sets).collect::<Vec<_>>());
    }
    let Some(list) = on_terminal(&sandbox, "100", &["list"]) else {
        eprintln!("skipped: there is no program `script`");
        return;
    };
    assert!(
        list.contains("small: 1 run") && list.contains("other: 1 run") && list.contains("not in the plan"),
        "{list}"
    );
    let said: Vec<usize> = list.match_indices("(no room for ").map(|(at, _)| at).collect();
    assert!(said.len() == 1 && said[0] > list.find("other: 1 run").expect("it"), "{list}");
    assert!(list.contains("(no room for steps and train loss: "), "{list}");
}
