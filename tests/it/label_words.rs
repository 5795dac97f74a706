//! The labels of a file that is evaluated: values of `data.labels`, or names, also where a string is both.

use serde_json::{Value, json};

use crate::support::{Sandbox, text, tiny_spec};

/// The values 1, 2, 3 have the names 0, 1, 2, as star ratings often do.
const SPEC: &str = tiny_spec!(
    "shift",
    r#"label_column = "stars"
labels = { 1 = "0", 2 = "1", 3 = "2" }
dev = 0.2
test = 0
max_length = 16
[train]
max_steps = 2
batch_size = 4
"#
);

/// A CSV file with a row for each of these labels.
fn csv(labels: &[&str]) -> String {
    let rows = labels.iter().enumerate().map(|(i, label)| format!("{label},味道第{i}次点\n"));
    format!("stars,review\n{}", rows.collect::<String>())
}

/// A folder with the run `shift`.
fn trained() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", csv(&["1", "2", "3"].repeat(10)));
    sandbox.write("shift.toml", SPEC);
    sandbox.ok(&["run", "shift.toml", "--quiet"]);
    sandbox
}

/// The number of rows with each label.
fn rows(metrics: &Value) -> Value {
    metrics["per_class"].as_array().expect("labels").iter().map(|class| class["support"].clone()).collect()
}

#[test]
fn all_labels_of_a_file_are_read_in_the_same_way() {
    let sandbox = trained();
    // Four rows of the first label, two of the second, three of the third.
    let (values, names) =
        (["1", "1", "2", "3", "1", "3", "2", "1", "3"], ["0", "0", "1", "2", "0", "2", "1", "0", "2"]);
    sandbox.write("values.csv", csv(&values));
    sandbox.write("names.csv", csv(&names));
    let eval =
        |arguments: &[&str]| sandbox.json(&[&["eval", "shift", "--file"], arguments].concat())["metrics"].clone();
    let measured = eval(&["values.csv"]);
    assert_eq!(rows(&measured), json!([4, 2, 3]));
    assert_eq!(eval(&["names.csv"]), measured);
    assert_eq!(eval(&["names.csv", "--labels-are", "names"]), measured);
    let predict = |arguments: &[&str]| {
        let out = [&["predict", "shift", "--out", "out.csv", "--labels", "--file"], arguments].concat();
        sandbox.json(&out)["evaluation"]["metrics"].clone()
    };
    assert_eq!(rows(&predict(&["values.csv"])), json!([4, 2, 3]));
    assert_eq!(rows(&predict(&["names.csv"])), json!([4, 2, 3]));
    // A pipe is read once: `eval` holds its rows, `predict` writes results before the last row has come.
    let fed = |arguments: &[&str], labels: &[&str]| {
        sandbox.fed(&[arguments, &["--format", "csv", "--json"]].concat(), &csv(labels))
    };
    let piped: Value = serde_json::from_slice(&fed(&["eval", "shift", "--file", "-"], &names).stdout).expect("JSON");
    assert_eq!(piped["metrics"], measured);
    let predict = ["predict", "shift", "--file", "-", "--labels", "--out", "out.csv"];
    let refused = fed(&predict, &names);
    let said = text(&refused.stderr);
    assert!(
        refused.status.code() == Some(2)
            && said.contains("the labels `1`, `2` are values in data.labels, and also names"),
        "{said}"
    );
    let piped = fed(&[&predict[..], &["--labels-are", "names"]].concat(), &names);
    let piped: Value = serde_json::from_slice(&piped.stdout).expect("JSON");
    assert_eq!(rows(&piped["evaluation"]["metrics"]), json!([4, 2, 3]));
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let sandbox = trained();
    sandbox.write("either.csv", csv(&["1", "2", "2"]));
    sandbox.write("mixed.csv", csv(&["1", "3", "2", "0"]));
    for (command, more) in [("eval", &[][..]), ("predict", &["--labels"])] {
        let of = |file: &str, rest: &[&str]| sandbox.says(&[&[command, "shift", "--file", file], more, rest].concat());
        let (code, said) = of("either.csv", &[]);
        let want = "the labels in either.csv can be values of data.labels or names: `1` (line 2) is the value of `0`, and the name of another \
                    label; say which with --labels-are values or --labels-are names";
        assert!(code == 2 && said.contains(want), "{said}");
        let (code, said) = of("mixed.csv", &[]);
        let want = "mixed.csv mixes values and names of data.labels, so labels that can be either are ambiguous: `3` (line 3) is only a \
                    value, `0` (line 5) only a name";
        assert!(code == 2 && said.contains(want), "{said}");
        let (code, said) = of("mixed.csv", &["--labels-are", "names"]);
        assert!(code == 2 && said.contains("label `3` (column `stars`) is not a label of the model"), "{said}");
        let (code, said) = of("mixed.csv", &["--labels-are", "values"]);
        assert!(code == 2 && said.contains("label `0` (column `stars`) is not a label of the model"), "{said}");
    }
    for (are, want) in [("values", json!([1, 2, 0])), ("names", json!([0, 1, 2]))] {
        let evaluation = sandbox.json(&["eval", "shift", "--file", "either.csv", "--labels-are", are]);
        assert_eq!(rows(&evaluation["metrics"]), want, "{are}");
    }
}

/// No string is both: values and names may stand beside each other.
#[test]
fn values_and_names_may_be_mixed_where_no_string_is_both() {
    let sandbox = Sandbox::new();
    sandbox.write_rows();
    let spec = SPEC
        .replace("\"stars\"", "\"label\"")
        .replace("labels = { 1 = \"0\", 2 = \"1\", 3 = \"2\" }", "labels = { 0 = \"bad\", 1 = \"good\" }");
    sandbox.write("shift.toml", spec);
    sandbox.ok(&["run", "shift.toml", "--quiet"]);
    sandbox.write("mixed.csv", csv(&["1", "good", "bad", "0", "good"]));
    let evaluation = sandbox.json(&["eval", "shift", "--file", "mixed.csv", "--label-column", "stars"]);
    assert_eq!(rows(&evaluation["metrics"]), json!([2, 3]));
}

/// A model whose labels are words, and a file in which numbers stand for them.
#[test]
fn numbers_in_place_of_names_are_refused_with_what_to_do() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", csv(&["好评", "差评"].repeat(10)));
    let spec = SPEC.replace("labels = { 1 = \"0\", 2 = \"1\", 3 = \"2\" }\n", "");
    sandbox.write("shift.toml", spec);
    sandbox.ok(&["run", "shift.toml", "--quiet"]);
    let hint =
        "; if the numbers stand for these, write the names instead, or train with data.labels = { 0 = \"NAME\", … }";
    for (labels, is_hinted) in [(["0", "1"], true), (["neg", "pos"], false)] {
        sandbox.write("odd.csv", csv(&labels));
        let (code, said) = sandbox.says(&["eval", "shift", "--file", "odd.csv"]);
        assert!(code == 2 && said.contains("is not a label of the model, whose labels are `好评`, `差评`"), "{said}");
        assert_eq!(said.contains(hint), is_hinted, "{said}");
    }
}
