//! What is said where a result is not what it may seem: of an unfinished sweep, of a plan that another replaces, of rows that chose the model.

use super::*;

fn of_file(sandbox: &Sandbox, path: &str) -> String {
    fs::read_to_string(sandbox.path(path)).expect(path)
}

/// Two of three runs: whatever is first is the best so far, everywhere; when all are completed it is the best.
#[test]
fn the_best_of_an_unfinished_sweep_is_the_best_so_far() {
    let sandbox = sandbox("[sweep]\nmax_runs = 2\n[sweep.axes]\ntrain.lr = [1e-4, 1e-3, 1e-2]\n");
    let said = sandbox.ok(&["run", "small.toml", "--quiet"]);
    assert!(said.contains("\nbest so far (2 of 3 runs completed): lr=") && !said.contains("best trial:"), "{said}");
    let board = sandbox.ok(&["list", "small", "--leaderboard"]);
    assert!(board.contains("best so far (2 of 3 runs completed): lr=") && !board.contains("best trial:"), "{board}");
    let list = sandbox.ok(&["list"]);
    assert!(list.contains("; best so far (2 of 3 runs completed): test accuracy "), "{list}");
    let (code, error) = sandbox.says(&["predict", "small", "好"]);
    assert!(code == 2 && error.contains("\n  the best trial so far (2 of 3 runs completed): "), "{error}");

    sandbox.ok(&["report", "small", "--out", "report"]);
    let report = of_file(&sandbox, "report/report.md");
    assert!(report.contains("**Best so far (2 of 3 runs completed) lr="), "{report}");
    assert!(report.contains("> The plan is unfinished: 2 of 3 runs completed. “Best” means: best so far."), "{report}");
    assert!(report.contains("with the model of the best run of the best trial so far:"), "{report}");
    assert!(!report.contains("Best trial lr") && !report.contains("(best)"), "{report}");
    sandbox.ok(&["report", "small", "--lang", "zh", "--out", "zh"]);
    let report = of_file(&sandbox, "zh/report.md");
    assert!(report.contains("**目前最佳（3 次运行中已完成 2 次） lr="), "{report}");
    assert!(report.contains("> 计划还没有全部完成：3 次运行中已完成 2 次。“最佳”指目前最佳。"), "{report}");
    assert!(report.contains("用目前最佳试验的最佳运行的模型"), "{report}");

    sandbox.ok(&["report", "--all", "--out", "all"]);
    assert!(of_file(&sandbox, "all/index.html").contains("<small>best so far: 2 of 3 runs completed</small>"));
    assert!(sandbox.ok(&["report"]).contains(" (best so far)"));
    sandbox.ok(&["export", "small#1", "model"]);
    let card = of_file(&sandbox, "model/README.md");
    assert!(card.contains("The ranking is provisional: 2 of 3 runs completed when this card was written."), "{card}");
    sandbox.ok(&["export", "small#1", "chinese", "--lang", "zh"]);
    let card = of_file(&sandbox, "chinese/README.md");
    assert!(card.contains("这是目前的排名：写这张卡片时，3 次运行中已完成 2 次。"), "{card}");

    let said = sandbox.ok(&["run", "small.toml", "--quiet", "--set", "sweep.max_runs=3"]);
    assert!(said.contains("\nbest trial: lr=") && !said.contains("so far"), "{said}");
    sandbox.ok(&["report", "small", "--out", "report"]);
    let report = of_file(&sandbox, "report/report.md");
    assert!(report.contains("**Best trial lr=") && report.contains("| **1** (best) |"), "{report}");
    assert!(!report.contains("Best so far") && !report.contains("The plan is unfinished"), "{report}");
    sandbox.ok(&["export", "small#1", "whole"]);
    assert!(!of_file(&sandbox, "whole/README.md").contains("so far"));
    assert!(!sandbox.ok(&["list"]).contains("so far") && !sandbox.ok(&["report"]).contains("so far"));
}

/// Completed runs that leave the plan are warned of before training, with a free name for the new ones; the same plan, one that grows and a
/// name of its own are not.
#[test]
fn a_plan_that_leaves_completed_runs_out_is_warned_of() {
    let sandbox = sandbox("[sweep.axes]\ntrain.lr = [1e-4, 1e-3]\n");
    let warned = |arguments: &[&str]| {
        let output = sandbox.taper(arguments);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success(), "{said}");
        said.split_whitespace().collect::<Vec<_>>().join(" ").contains(" the plan of `small`, and ").then_some(said)
    };
    assert_eq!(warned(&["run", "small.toml"]), None, "the first");
    assert_eq!(warned(&["run", "small.toml"]), None, "the same");
    assert_eq!(warned(&["run", "small.toml", "--set", "sweep.axes.train.lr=[1e-4, 1e-3, 1e-2]"]), None, "it grows");
    assert_eq!(warned(&["plan", "small.toml", "--set", "train.epochs=1", "--set", "name=other"]), None, "another name");
    let set = ["small.toml", "--set", "train.epochs=1"];
    for command in ["plan", "run"] {
        let said = warned(&[&[command][..], &set].concat()).expect("a warning");
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let [replaces, will] = match command {
            "plan" => ["running this would replace", "would"],
            _ => ["this replaces", "will"],
        };
        let want = "warning: REPLACES the plan of `small`, and 3 completed runs of it are not in the new one: `taper list small` WILL list \
                    them separately, unranked, and `taper report small` WILL leave them out. To keep both plans, give the new one a name of \
                    its own: --set name=small-2"
            .replace("REPLACES", replaces)
            .replace("WILL", will);
        assert!(said.contains(&want), "{said}");
    }
    let lines = sandbox.ok(&["run", "small.toml", "--json"]);
    let first = lines.lines().find(|line| line.contains("this replaces")).expect("a line");
    let event: Value = serde_json::from_str(first).expect("JSON");
    assert_eq!((&event["event"], &event["kind"]), (&"warned".into(), &"name".into()));
}

/// Lines of a file that the run was trained on, and others that chose its checkpoint; a row that it only was tested on is neither.
#[test]
fn rows_that_chose_the_checkpoint_are_warned_of() {
    let sandbox = sandbox("eval_steps = 2\n[checkpoint]\nkeep = \"best\"\n");
    let spec = of_file(&sandbox, "small.toml");
    sandbox.write("small.toml", spec.replace("test = 0.4\n", "test = \"path:test.csv\"\ndev = \"path:dev.csv\"\n"));
    sandbox.write("dev.csv", "label,review\n1,很好吃 一\n0,很难吃 二\n1,很好吃 三\n0,很难吃 四\n");
    sandbox.write("test.csv", "label,review\n1,还不错 五\n0,太慢了 六\n");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let first = of_file(&sandbox, "rows.csv").lines().nth(1).expect("a row").to_string();
    sandbox.write("mixed.csv", format!("label,review\n1,还不错 五\n0,很难吃 二\n{first}\n1,很好吃 三\n1,新的一行\n"));
    let eval = |file: &str, more: &[&str]| {
        let output = sandbox.taper(&[&["eval", "small", "--file", file], more].concat());
        text(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let said = eval("mixed.csv", &[]);
    let trained = "1 of the 5 rows (line 4) has a text that the run was trained on: results on it show memorisation, not generalisation";
    let chose = "2 of the 5 rows (lines 3 and 5) have a text of the dev rows of the run, by which its checkpoint was chosen: results on them \
                 are optimistic";
    assert!(said.contains(trained) && said.contains(chose), "{said}");
    assert!(
        eval("dev.csv", &[]).contains("4 of the 4 rows (lines 2, 3, 4 and 5) have a text of the dev rows of the run")
    );
    assert_eq!(eval("test.csv", &[]), "");
    let document = sandbox.json(&["eval", "small", "--file", "mixed.csv"]);
    let lines: Vec<&Value> = document["warnings"].as_array().expect("warnings").iter().map(|w| &w["lines"]).collect();
    assert_eq!(lines, [&serde_json::json!([4]), &serde_json::json!([3, 5])]);
    let predicted = sandbox.taper(&["predict", "small", "--file", "mixed.csv", "--labels", "label"]);
    let said = text(&predicted.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains(trained) && said.contains(chose), "{said}");

    // Dev rows that chose nothing say what is true.
    sandbox.ok(&["run", "small.toml", "--quiet", "--set", "checkpoint.keep=last", "--set", "name=last"]);
    let output = sandbox.taper(&["eval", "last", "--file", "dev.csv"]);
    assert!(output.status.success() && text(&output.stderr).is_empty(), "{}", text(&output.stderr));
}

/// A typo in a word of another tool gets a hint where clap knows no similar command.
#[test]
fn mistyped_commands_of_other_tools_are_hinted_at() {
    let sandbox = Sandbox::new();
    for (typed, hint) in [
        ("statu", "`taper list` shows all runs"),
        ("trian", "`taper run SPEC` trains the runs of a spec"),
        ("card", "`taper export RUN DIR` writes the model with its card"),
        ("wandb", "writes what other trackers show"),
        ("lst", "a similar subcommand exists: 'list'"),
        ("docter", "a similar subcommand exists: 'doctor'"),
    ] {
        let (code, said) = sandbox.says(&[typed]);
        assert!(code == 2 && said.contains(hint), "{typed}: {said}");
    }
}
