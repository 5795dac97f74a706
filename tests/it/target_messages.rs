//! What is said of targets that are probably read wrongly, and of settings that do not fit the labels of the data.

use crate::support::{Sandbox, tiny_spec};

/// Sets of labels with `|` between them.
const SPEC: &str = tiny_spec!(
    "sets",
    r#"problem_type = "multi_label_classification"
label_column = "tags"
label_separator = "|"
test = 0.25
dev = 0.25
max_length = 32
[train]
epochs = 1
"#
);

/// 120 texts with up to three of three labels, one row in six without any, and two without a text.
fn sandbox(spec: &str) -> Sandbox {
    let rows: String = (0..120usize)
        .map(|i| {
            let tags =
                ["taste", "speed", "price"].iter().enumerate().filter(|(id, _)| (i >> id) % 2 == 1 && i % 6 != 5);
            let tags: Vec<&str> = tags.map(|(_, tag)| *tag).collect();
            let text = if i % 60 == 7 { String::new() } else { format!("第{i}次 {}", tags.join(" ")) };
            format!("{text},{},w{}\n", tags.join("|"), i % 50)
        })
        .collect();
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", format!("review,tags,words\n{rows}"));
    sandbox.write("s.toml", spec);
    sandbox
}

/// What `plan` says to a spec that it refuses.
fn refused(spec: &str, more: &[&str]) -> String {
    let (code, said) = sandbox(spec).says(&[&["plan", "s.toml"], more].concat());
    assert_eq!(code, 2, "{said}");
    said
}

#[test]
fn a_setting_that_does_not_fit_the_labels_quotes_its_line() {
    let probe = format!("{SPEC}[[probes]]\ntext = \"慢\"\nexpect = \"taste, speed\"\n");
    let said = refused(&probe, &[]);
    let want = "s.toml:17:10: the probe `慢` expects `taste, speed`, but the labels are price, speed, taste: labels are divided by `|`: \
                write `taste|speed`\n   |\n17 | expect = \"taste, speed\"\n   |          ^^^^^^^^^^^^^^";
    assert!(said.contains(want), "{said}");
    let unknown = refused(&probe.replace("taste, speed", "taste|sped"), &[]);
    assert!(unknown.contains("expects `sped`") && unknown.contains("did you mean `speed`?"), "{unknown}");

    // All at once, each with its own line.
    let several = SPEC.replace("epochs = 1", "epochs = 1\nclass_weights = [1.0, 2.5]");
    let said = refused(&format!("{several}[checkpoint]\nmetric = \"f1:tast\"\n"), &[]);
    let blocks = [
        "s.toml:17:10: checkpoint.metric = \"f1:tast\", but the labels are price, speed, taste: did you mean `taste`?\n   |\n17 | metric \
         = \"f1:tast\"\n   |          ^^^^^^^^^",
        "s.toml:15:17: train.class_weights has 2 numbers for 3 labels: give one for each of price, speed, taste, in this order\n   |\n15 \
         | class_weights = [1.0, 2.5]\n   |                 ^^^^^^^^^^",
    ];
    assert!(blocks.iter().all(|block| said.contains(block)) && said.matches("error: ").count() == 2, "{said}");

    // A swept value, and one of the command line.
    let swept = format!("{SPEC}[sweep.axes]\ncheckpoint.metric = [\"macro_f1\",\n  \"f1:speedy\"]\n");
    let said = refused(&swept, &[]);
    let want = "s.toml:17:3: checkpoint.metric = \"f1:speedy\", but the labels are price, speed, taste: did you mean `speed`? (runs: \
                metric=f1:speedy)\n   |\n17 |   \"f1:speedy\"]\n   |   ^^^^^^^^^^^";
    assert!(said.contains(want), "{said}");
    let said = refused(SPEC, &["--set", "checkpoint.metric=f1:speedy"]);
    assert!(said.contains("--set") && said.contains("| checkpoint.metric=f1:speedy\n"), "{said}");
}

/// A wrong separator: all else that is odd about the labels follows from it.
#[test]
fn a_wrong_separator_is_one_message() {
    let wrong = SPEC.replace("\"|\"", "\";\"");
    let undivided = "look like lists of several labels, separated by `|`, but data.label_separator is `;`";
    let (code, said) = sandbox(&wrong).says(&["plan", "s.toml"]);
    assert_eq!((code, said.matches("warning: ").count()), (0, 1), "{said}");
    assert!(said.contains(undivided), "{said}");
    // The same data without a doubt about its labels has none: rare labels would have one.
    let (code, said) = sandbox(SPEC).says(&["plan", "s.toml"]);
    assert_eq!((code, said.matches("warning: ").count()), (0, 0), "{said}");

    // What does not fit these labels is the same mistake.
    let more = "class_weights = [1.0, 2.0, 3.0]\n[checkpoint]\nmetric = \"f1:taste\"\n[[probes]]\ntext = \"慢\"\nexpect = \"price\"\n";
    let said = refused(&format!("{wrong}{more}"), &[]);
    assert!(said.matches("error: ").count() == 1 && said.contains(undivided), "{said}");
    assert!(said.contains("| label_separator = \";\"\n") && !said.contains("f1:taste"), "{said}");
}

#[test]
fn a_column_of_texts_instead_of_numbers_is_one_message() {
    let numbers = SPEC
        .replace("multi_label_classification", "regression")
        .replace("label_separator = \"|\"\n", "")
        .replace("\"tags\"", "\"words\"");
    let said = refused(&numbers, &[]);
    let want = "rows.csv: none of the 118 values of column `words` is a number\n  lines 2, 52 and 102: `words` is `w0`, expected a \
                number such as 3.5\n";
    assert!(said.contains(want) && said.contains("and 109 more\n"), "{said}");
    assert!(said.contains("name it in data.label_column") && said.lines().count() < 10, "{said}");
    // A single number among them: each wrong row is named.
    let sandbox = sandbox(&numbers);
    sandbox.write("rows.csv", "review,words\na,one\nb,two\nc,3\nd,four\ne,five\nf,six\n");
    let (code, said) = sandbox.says(&["plan", "s.toml"]);
    assert!(code == 2 && said.contains("5 rows cannot be used\n  line 2: ") && said.contains("line 7: "), "{said}");
}

/// A row without labels is a row; one whose labels are missing, or that has no text, is none.
#[test]
fn rows_without_labels_are_told_from_rows_that_lack_something() {
    let spec = SPEC.replace("test = 0.25", "test = 0.25\nmissing = [\"?\"]");
    let sandbox = sandbox(&spec);
    let rows = std::fs::read_to_string(sandbox.path("rows.csv")).expect("rows");
    let rows = rows.replace("第3次 taste speed,taste|speed", "第3次,?").replace("第4次 price,price", "第4次,?");
    sandbox.write("rows.csv", rows);
    let (code, said) = sandbox.says(&["plan", "s.toml"]);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let dropped = "116 rows of path:rows.csv; dropped 2 without a text (lines 9 and 69), 2 whose labels are missing (lines 5 and 6)";
    assert!(code == 0 && said.contains(dropped), "{said}");
    // By hand: no bit of i is set, or i mod 6 is 5; of 120 rows.
    let none = (0..120).filter(|i| i % 60 != 7 && (i % 8 == 0 || i % 6 == 5)).count();
    assert!(said.contains(&format!("no label at all: {none} (")), "{none}: {said}");
}
