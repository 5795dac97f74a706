//! Dev and test rows of files of their own, or named by a column.

use serde_json::{Value, json};

use crate::support::{Sandbox, tiny_spec};

const TRAIN: &str = tiny_spec!("own", "label_column = \"label\"\nmax_length = 24\n");

/// Reviews, alternately good and bad, from number `from` on.
fn reviews(from: usize, rows: usize) -> Vec<(u32, String)> {
    let review = |i: usize| match i % 2 {
        0 => (1, format!("味道很好 第{i}次点 快")),
        _ => (0, format!("难吃 送得慢 {i}小时 差评")),
    };
    (from..from + rows).map(review).collect()
}

fn csv(rows: &[(u32, String)]) -> String {
    let lines = rows.iter().map(|(label, review)| format!("{label},{review}\n"));
    format!("label,review\n{}", lines.collect::<String>())
}

/// `rows.csv`, `dev.csv` and `test.csv`, with 24, 6 and 10 rows; `all.csv` has all of them with a column `part`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let parts = [("train", reviews(0, 24)), ("valid", reviews(24, 6)), ("test", reviews(30, 10))];
    for (name, (_, rows)) in ["rows.csv", "dev.csv", "test.csv"].into_iter().zip(&parts) {
        sandbox.write(name, csv(rows));
    }
    let all = parts.iter().flat_map(|(part, rows)| rows.iter().map(move |(l, r)| format!("{part},{l},{r}\n")));
    sandbox.write("all.csv", format!("part,label,review\n{}", all.collect::<String>()));
    sandbox
}

/// A spec with these lines in `[data]`, trained for a few steps.
fn spec(sandbox: &Sandbox, data: &str) {
    sandbox.write("own.toml", format!("{TRAIN}{data}\n[train]\nmax_steps = 4\nbatch_size = 8\n"));
}

/// The first run of `taper plan --json`.
fn planned(sandbox: &Sandbox) -> Value {
    sandbox.json(&["plan", "own.toml"])["runs"][0].clone()
}

/// The message of a plan that is refused.
fn refused(sandbox: &Sandbox, data: &str) -> String {
    spec(sandbox, data);
    let (code, said) = sandbox.says(&["plan", "own.toml"]);
    assert_eq!(code, 2, "{said}");
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

const FILES: &str = "test = \"path:test.csv\"\ndev = \"path:dev.csv\"";
const COLUMN: &str = "split_column = \"part\"\nsplits = { train = \"train\", dev = \"valid\", test = \"test\" }";

#[test]
fn files_and_a_column_give_the_same_splits() {
    let sandbox = sandbox();
    spec(&sandbox, FILES);
    let files = planned(&sandbox);
    let shown = sandbox.ok(&["plan", "own.toml"]);
    for line in [
        "data      24 rows of path:rows.csv; none dropped",
        "          6 rows of path:dev.csv, the dev split; none dropped",
        "          10 rows of path:test.csv, the test split; none dropped",
        "split     train 24, dev 6, test 10\n",
        "balance   train 0: 50.0%, 1: 50.0%; dev 0: 50.0%, 1: 50.0%; test 0: 50.0%, 1: 50.0%\n",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let data = &sandbox.json(&["plan", "own.toml"])["runs"][0]["data"];
    assert_eq!(data["rows_of_label_by_split"], json!({ "train": [12, 12], "dev": [3, 3], "test": [5, 5] }));
    let orders = |name: &str| {
        sandbox.ok(&["plan", "own.toml", "--order", name]);
        serde_json::from_slice::<Value>(&std::fs::read(sandbox.path(name)).unwrap()).unwrap()
    };
    let of_files = orders("files.json");
    assert_eq!(of_files["dev"], json!((24..30).collect::<Vec<_>>()));
    assert_eq!(of_files["test"], json!((30..40).collect::<Vec<_>>()));
    assert_eq!(
        of_files["files"],
        json!([{ "file": "dev.csv", "first_row": 24 }, { "file": "test.csv", "first_row": 30 }])
    );

    sandbox.write(
        "own.toml",
        format!("{TRAIN}{COLUMN}\n[train]\nmax_steps = 4\nbatch_size = 8\n").replace("rows.csv", "all.csv"),
    );
    let column = planned(&sandbox);
    for part in ["train", "dev", "test"] {
        assert_eq!(column["data"][part], files["data"][part], "{part}");
    }
    assert!(
        sandbox
            .ok(&["plan", "own.toml"])
            .contains("split     train 24, dev 6, test 10 (dev and test by column `part`)")
    );
    let of_column = orders("column.json");
    for part in ["train", "dev", "test"] {
        assert_eq!(of_column[part], of_files[part], "{part}");
    }
}

/// Training sees the same rows in the same order, so the losses are equal.
#[test]
fn files_and_a_column_train_the_same_model() {
    let sandbox = sandbox();
    spec(&sandbox, FILES);
    sandbox.ok(&["run", "own.toml", "--runs", "files"]);
    sandbox.write(
        "own.toml",
        format!("{TRAIN}{COLUMN}\n[train]\nmax_steps = 4\nbatch_size = 8\n").replace("rows.csv", "all.csv"),
    );
    sandbox.ok(&["run", "own.toml", "--runs", "column"]);
    assert_eq!(sandbox.weights("files"), sandbox.weights("column"));
    let metrics = |runs: &str| sandbox.json(&["list", "--runs", runs])[0]["final_metrics"].clone();
    assert_eq!(metrics("files"), metrics("column"));
    assert_eq!(metrics("files")["rows"], 10);
}

/// The key contains the content of the files and not their paths; the run is found, verified and reported.
#[test]
fn a_run_is_known_by_the_content_of_its_test_file() {
    let sandbox = sandbox();
    spec(&sandbox, FILES);
    sandbox.ok(&["run", "own.toml"]);
    let key = planned(&sandbox)["key"].clone();
    assert!(sandbox.ok(&["verify", "own"]).contains("bit for bit"));
    sandbox.ok(&["report", "own"]);

    std::fs::rename(sandbox.path("test.csv"), sandbox.path("held-out.csv")).unwrap();
    spec(&sandbox, &FILES.replace("test.csv", "held-out.csv"));
    let moved = planned(&sandbox);
    assert_eq!((&moved["key"], moved["standing"].as_str()), (&key, Some("completed")));

    sandbox.write("held-out.csv", csv(&reviews(30, 9)));
    let changed = planned(&sandbox);
    assert_ne!(changed["key"], key);
    assert_eq!(changed["data"]["test"], 9);
}

#[test]
fn without_test_rows_nothing_is_reported_as_a_test_result() {
    let sandbox = sandbox();
    spec(&sandbox, "test = 0\ndev = 0.25");
    let plan = planned(&sandbox);
    assert_eq!(
        (&plan["data"]["train"], &plan["data"]["dev"], &plan["data"]["test"]),
        (&json!(18), &json!(6), &json!(0))
    );
    sandbox.ok(&["run", "own.toml"]);
    let run = &sandbox.json(&["list"])[0];
    assert_eq!((&run["size"]["test_rows"], &run["final_metrics"]["rows"]), (&json!(0), &json!(6)));
    for command in [&["list"][..], &["show", "own"], &["list", "own", "--leaderboard"]] {
        let said = sandbox.ok(command).to_lowercase();
        assert!(!said.contains("test accuracy") && !said.contains(" test "), "{command:?}: {said}");
    }
    sandbox.ok(&["report", "own"]);
}

/// A share of what the files leave: the dev rows come from `data.source`.
#[test]
fn a_share_and_a_file_can_be_mixed() {
    let sandbox = sandbox();
    spec(&sandbox, "test = \"path:test.csv\"\ndev = 0.25\nlimit = 20");
    let plan = planned(&sandbox);
    assert_eq!(
        (&plan["data"]["train"], &plan["data"]["dev"], &plan["data"]["test"]),
        (&json!(15), &json!(5), &json!(10))
    );
    let column = COLUMN.replace(", dev = \"valid\"", "");
    sandbox.write("all.csv", std::fs::read_to_string(sandbox.path("all.csv")).unwrap().replace("valid,", "train,"));
    sandbox.write("own.toml", format!("{TRAIN}{column}\ndev = 0.1\nlimit = 20\n").replace("rows.csv", "all.csv"));
    let said = sandbox.ok(&["plan", "own.toml"]);
    for line in [
        "data      30 of 40 rows of path:all.csv (data.limit); none",
        "train 18, dev 2, test 10 (test by column `part`)",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    let plan = planned(&sandbox);
    assert_eq!(
        (&plan["data"]["train"], &plan["data"]["dev"], &plan["data"]["test"]),
        (&json!(18), &json!(2), &json!(10))
    );
}

#[test]
fn leakage_is_counted_exactly_and_apart_from_case_and_spaces() {
    let sandbox = sandbox();
    let mut rows = reviews(30, 10);
    rows[0].1 = "味道很好  第0次点 快".into();
    rows[1].1 = reviews(1, 1)[0].1.clone();
    rows[2].1 = reviews(24, 1)[0].1.clone();
    sandbox.write("test.csv", csv(&rows));
    spec(&sandbox, FILES);
    let plan = planned(&sandbox);
    let leak = |rows_of: &str, also_in: &str, exact: u64, alike: u64| json!({ "rows_of": rows_of, "also_in": also_in, "exact": exact, "alike": alike });
    assert_eq!(plan["data"]["leakage"], json!([leak("test", "train", 1, 2), leak("test", "dev", 1, 1)]));
    let said = sandbox.ok(&["plan", "own.toml"]);
    for line in [
        "leakage   1 test row has a text that is also in train; 1 more if case",
        "leakage   1 test row has a text that is also in dev\n",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
}

#[test]
fn rows_of_a_file_that_cannot_be_used_are_named() {
    let sandbox = sandbox();
    sandbox.write("odd.csv", "label,review\n1,好\n2,好\n,好\n");
    let said = refused(&sandbox, "test = \"path:odd.csv\"");
    assert!(
        said.contains(
            "odd.csv: 1 row cannot be used line 3: label `2` (column `label`) does not occur in path:rows.csv, whose \
             labels are `0`, `1`"
        ),
        "{said}"
    );
    let said = refused(&sandbox, "test = \"path:odd.csv\"\n[data.labels]\n0 = \"bad\"\n1 = \"good\"\n2 = \"odd\"");
    assert!(said.contains("line 3: label `odd` (column `label`) does not occur in path:rows.csv"), "{said}");
    sandbox.write("other.csv", "label,text\n1,好\n");
    let said = refused(&sandbox, "dev = \"path:other.csv\"");
    assert!(said.contains("other.csv: no column `review`"), "{said}");
    let said = refused(&sandbox, "test = \"path:none.csv\"");
    assert!(said.contains("data.test") && said.contains("none.csv"), "{said}");
    let said = refused(&sandbox, "test = \"path:empty.csv\"");
    assert!(said.contains("empty.csv"), "{said}");
    sandbox.write("unlabelled.csv", "label,review\n,好\n,差\n");
    let said = refused(&sandbox, "test = \"path:unlabelled.csv\"");
    assert!(
        said.contains("unlabelled.csv")
            && said.contains("its 2 rows without a label cannot be evaluated")
            && said.contains("taper predict"),
        "{said}"
    );
}

#[test]
fn values_of_the_column_that_name_no_split_are_refused() {
    let sandbox = sandbox();
    let all = std::fs::read_to_string(sandbox.path("all.csv")).unwrap();
    sandbox.write("rows.csv", all.replacen("valid,", "dev,", 1));
    let said = refused(&sandbox, COLUMN);
    assert!(
        said.contains(
            "line 26: `part` is `dev`, which data.splits does not have: expected `train` (train), `valid` (dev) or \
             `test` (test); correct the row, or assign this value to a split in data.splits"
        ),
        "{said}"
    );
    sandbox.write("rows.csv", &all);
    let said = refused(&sandbox, &COLUMN.replace("valid", "validation"));
    assert!(said.contains("lines 26, 27, 28, 29, 30 and 1 more: `part` is `valid`"), "{said}");
    let said = refused(&sandbox, &COLUMN.replace("part", "fold"));
    assert!(said.contains("no column `fold`") && said.contains("data.split_column"), "{said}");
}

#[test]
fn contradictions_about_splits_are_named() {
    let sandbox = sandbox();
    for (data, expected) in [
        ("test = 0", "`data.test` = 0 and `data.dev` = 0 leave no rows to evaluate on"),
        ("split_column = \"part\"", "`data.split_column` needs `data.splits`"),
        ("splits = { train = \"a\", test = \"b\" }", "`data.splits` needs `data.split_column`"),
        ("split_column = \"part\"\nsplits = { test = \"b\" }", "`data.splits` has no value for `train`"),
        (
            "split_column = \"part\"\nsplits = { train = \"a\" }",
            "`data.splits` names no test rows, and `data.test` is not set",
        ),
        (
            "split_column = \"part\"\nsplits = { train = \"a\", test = \"a\" }",
            "has the value `a` for both `train` and `test`",
        ),
        (
            "split_column = \"part\"\nsplits = { train = \"a\", test = \"b\" }\ntest = 0.1",
            "`data.test` and `data.splits.test` both say",
        ),
        (
            "split_column = \"part\"\nsplits = { train = \"a\", dev = \"c\", test = \"b\" }\ndev = 0.1",
            "`data.dev` and `data.splits.dev` both say",
        ),
        ("split_column = \"part\"\nsplits = { train = \"a\", valid = \"b\" }", "unknown key `data.splits.valid`"),
        ("split_column = \"part\"\nsplits = { train = 1 }", "`data.splits.train` is 1; expected its value"),
        ("splits = \"train\"", "`data.splits` is the string \"train\"; expected a table"),
        (
            "split_column = \"label\"\nsplits = { train = \"0\", test = \"1\" }",
            "which is the column of the text or of the label",
        ),
        ("test = \"path:rows.csv\"", "`data.test` and `data.source` are the same file"),
        ("test = \"path:t.csv\"\ndev = \"path:t.csv\"", "`data.test` and `data.dev` are the same file"),
        ("test = 1.5", "`data.test` is 1.5; expected a number of at least 0 and below 1, or a file"),
        ("test = \"test.csv\"", "for a file or folder write `path:test.csv`"),
        ("train_file = \"path:test.csv\"", "those of the other rows in `data.dev` and `data.test`"),
    ] {
        let said = refused(&sandbox, data);
        assert!(said.contains(expected), "{data}: {said}");
    }
}

#[test]
fn what_decides_a_split_is_said_where_its_key_is_shown() {
    let sandbox = sandbox();
    sandbox.write("rows.csv", std::fs::read(sandbox.path("all.csv")).unwrap());
    spec(&sandbox, COLUMN);
    for (key, split, value) in [("data.test", "test", "test"), ("data.dev", "dev", "valid")] {
        let said = sandbox.ok(&["plan", "own.toml", "--explain", key]);
        let decides = format!(
            "{key} has no effect: data.splits.{split} = \"{value}\" (the rows with this value in column \"part\") overrides it\n"
        );
        assert!(said.starts_with(&decides) && !said.contains('→'), "{said}");
        let json = sandbox.json(&["plan", "own.toml", "--explain", key]);
        assert_eq!((&json["key"], &json["value"]), (&json!(key), &Value::Null));
    }
    sandbox.ok(&["run", "own.toml", "--quiet"]);
    let shown = sandbox.ok(&["show", "own", "--config"]);
    assert!(
        shown.contains("\ntest = 0.0  # data.splits.test overrides it\ndev = 0.0  # data.splits.dev overrides it\n"),
        "{shown}"
    );
    sandbox.ok(&["report", "own", "--out", "report"]);
    let report = std::fs::read_to_string(sandbox.path("report/report.md")).unwrap();
    assert!(report.contains("\ntest = 0.0  # data.splits.test overrides it\n"), "{report}");
    // A share decides for itself.
    spec(&sandbox, "test = 0.25");
    assert!(sandbox.ok(&["plan", "own.toml", "--explain", "data.test"]).starts_with("data.test = 0.25\n"));
}

/// The rows of data.limit are the training rows where nothing is drawn at random.
#[test]
fn a_limit_also_holds_for_training_rows_that_nothing_is_drawn_from() {
    let sandbox = sandbox();
    spec(&sandbox, &format!("{FILES}\nlimit = 11"));
    let plan = planned(&sandbox);
    assert_eq!(
        (&plan["data"]["train"], &plan["data"]["dev"], &plan["data"]["test"]),
        (&json!(11), &json!(6), &json!(10))
    );
    let said = sandbox.ok(&["plan", "own.toml", "--explain", "data.limit"]);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("(or of the training rows, if no rows are held out from them)"), "{said}");
}

#[test]
fn every_faulty_and_every_missing_file_is_named_at_once() {
    let sandbox = sandbox();
    sandbox.write("bad-dev.csv", "label,text\n1,好\n");
    sandbox.write("bad-test.csv", "label,review\n7,好\n");
    let both = "dev = \"path:bad-dev.csv\"\ntest = \"path:bad-test.csv\"";
    let said = refused(&sandbox, both);
    assert!(
        said.contains("bad-dev.csv: no column `review`")
            && said.contains("line 2: label `7` (column `label`) does not occur in "),
        "{said}"
    );
    assert_eq!(said.matches("error: ").count(), 2, "{said}");
    // Also beside a faulty training file, where the labels are not known.
    let good = std::fs::read_to_string(sandbox.path("rows.csv")).unwrap();
    sandbox.write("rows.csv", "text,label\n好,1\n差,0\n");
    let said = refused(&sandbox, both);
    assert!(
        said.contains("rows.csv: no column `review`") && said.contains("bad-dev.csv: no column `review`"),
        "{said}"
    );
    sandbox.write("rows.csv", good);
    let said = refused(&sandbox, "dev = \"path:no-dev.csv\"\ntest = \"path:no-test.csv\"");
    assert!(said.contains("own.toml:9: data.dev: ") && said.contains("own.toml:10: data.test: "), "{said}");
    assert!(said.contains("no-dev.csv") && said.contains("no-test.csv"), "{said}");
    // So they are beside a fault of the spec.
    let said = refused(&sandbox, "dev = \"path:no-dev.csv\"\ntest = \"path:no-test.csv\"\nseed = -1");
    assert!(said.contains("`data.seed` is -1") && said.contains("no-dev.csv does not exist"), "{said}");
    assert!(said.contains("no-test.csv does not exist"), "{said}");
}

#[test]
fn a_line_has_the_name_of_its_file_where_there_are_several() {
    let sandbox = sandbox();
    spec(&sandbox, FILES);
    sandbox.ok(&["run", "own.toml", "--quiet", "--set", "train.lr=1e-9"]);
    sandbox.ok(&["report", "own", "--out", "report"]);
    let file = |name: &str| std::fs::read_to_string(sandbox.path(&format!("report/{name}"))).unwrap();
    assert!(file("report.md").contains("| Line of test.csv | Text |"), "{}", file("report.md"));
    assert!(file("report.html").contains("<th scope=\"col\" class=\"n\">Line of test.csv</th>"));
    for name in ["mistakes.csv", "predictions.csv"] {
        let text = file(name);
        assert!(text.starts_with("run,row,file,line,label,"), "{text}");
        assert!(text.lines().count() > 1 && text.lines().skip(1).all(|line| line.contains(",test.csv,")), "{text}");
    }
}

/// Words that the training rows lack: a vocabulary built from them has no other model to choose.
#[test]
fn unknown_words_have_their_file_and_advice_that_can_be_followed() {
    let sandbox = sandbox();
    let odd = (0..10).map(|i| format!("{},龘靐齉龗{i}{i}\n", i % 2));
    sandbox.write("test.csv", format!("label,review\n{}", odd.collect::<String>()));
    spec(&sandbox, FILES);
    let said = sandbox.ok(&["plan", "own.toml"]);
    assert!(
        said.contains("have words that the vocabulary lacks (lines 2, 3, 4, 5, 6 and 5 more of test.csv)"),
        "{said}"
    );
    let advice = "the vocabulary is built from the training rows, which lack these words: train on more rows";
    assert!(said.contains(advice) && !said.contains("use a model"), "{said}");
    let small = sandbox.ok(&["plan", "own.toml", "--set", "model.vocab_size=16"]);
    assert!(small.contains("more of data.source; lines 2, "), "{small}");
    assert!(small.contains("built from the training rows: raise model.vocab_size, which is 16"), "{small}");
}
