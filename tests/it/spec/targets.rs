//! Keys about what a model is trained to do that contradict each other.

use taper::spec::LoadOptions;

use super::{Files, one, options};

const MULTI: &str = "data.problem_type = \"multi_label_classification\"\n";
const REGRESSION: &str = "data.problem_type = \"regression\"\n";

#[test]
fn contradictions_are_named_with_what_to_do() {
    let cases: [(&str, &str, &str); 38] = [
        (
            "data.label_columns = [\"a\", \"b\"]",
            "`data.label_columns` is for several labels or numbers per text, but `data.problem_type` = \"single_label_classification\"",
            "name one column in data.label_column, or set data.problem_type to \"multi_label_classification\" or \"regression\"",
        ),
        (
            "M data.label_columns = [\"a\"]\ndata.label_separator = \"|\"",
            "`data.label_separator` divides the labels in one column, but `data.label_columns` has a column for each label",
            "remove one of them",
        ),
        (
            "M data.label_columns = [\"a\"]\ndata.label_column = \"b\"",
            "`data.label_columns` and `data.label_column` both say which columns hold the labels",
            "remove one of them",
        ),
        (
            "data.label_separator = \"|\"",
            "`data.label_separator` divides the labels of a text, but `data.problem_type` = \"single_label_classification\"",
            "remove it, or set data.problem_type = \"multi_label_classification\"",
        ),
        ("R data.label_separator = \"|\"", "`data.label_separator` divides the labels of a text, but", "remove it, or"),
        (
            "M data.label_separator = \"\"",
            "`data.label_separator` is empty",
            "set it, for example data.label_separator = \"|\"",
        ),
        ("M data.label_columns = [\"a\", \"a\"]", "`data.label_columns`", "twice"),
        (
            "M data.label_columns = [\"a\", \"text\"]",
            "`data.label_columns` has `text`, which is the column of the text",
            "name only columns of labels or numbers",
        ),
        (
            "R data.label_columns = [\"a\", \"b\"]\ndata.text_pair_column = \"b\"",
            "`b`, which is the column of the text",
            "name only",
        ),
        (
            "R data.label_columns = [\"a\"]\ndata.group_column = \"a\"",
            "`a`, which is the column of the group",
            "name only",
        ),
        (
            "R data.label_columns = [\"a\"]\ndata.split_column = \"a\"\ndata.splits = { train = \"x\", test = \"y\" }",
            "`a`, which is the column of the split",
            "name only",
        ),
        (
            "M data.label_columns = [\"a\", \"b\"]\ntrain.class_weights = [1, 2, 3]",
            "`train.class_weights` has 3 numbers for 2 labels",
            "give one number for each of `data.label_columns`, in this order",
        ),
        (
            "M data.labels = { a = \"A\" }\ntrain.class_weights = [1, 2]",
            "`train.class_weights` has 2 numbers for 1 label",
            "give one number for each of `data.labels`, in the order of their values",
        ),
        (
            "R train.class_weights = \"balanced\"",
            "`train.class_weights` balances labels, but `data.problem_type` = \"regression\"",
            "set it to \"none\"",
        ),
        ("R train.class_weights = [1, 2]", "`train.class_weights` weighs labels, but", "set it to \"none\""),
        (
            "R train.label_smoothing = 0.1",
            "`train.label_smoothing` spreads a share of the target over labels, but",
            "set it to 0",
        ),
        (
            "R train.loss = \"focal\"",
            "`train.loss` = \"focal\" is a loss of labels, but `data.problem_type` = \"regression\"",
            "set it to \"standard\", which is the mean squared error",
        ),
        (
            "R data.labels = { 0 = \"a\", 1 = \"b\" }",
            "`data.labels` names labels, but",
            "remove it: a number is read as it is",
        ),
        (
            "M train.label_smoothing = 0.1",
            "`train.label_smoothing` spreads a share of the target over the other labels, so it needs exactly one label per text, but \
             `data.problem_type` = \"multi_label_classification\"",
            "set it to 0",
        ),
        (
            "train.loss = \"focal\"\ntrain.label_smoothing = 0.1",
            "`train.loss` = \"focal\" and `train.label_smoothing` cannot both be set",
            "set `train.label_smoothing` to 0",
        ),
        (
            "train.focal_gamma = 1.5",
            "`train.focal_gamma` applies only to `train.loss` = \"focal\", but `train.loss` is \"standard\"",
            "remove it, or change `train.loss`",
        ),
        (
            "M data.label_columns = [\"food\", \"price\"]\ndata.labels = { foods = \"Food\" }",
            "`data.labels` names `foods`, which is not in `data.label_columns`",
            "did you mean `food`?",
        ),
        (
            "M data.label_columns = [\"a\", \"b\"]\ndata.labels = { a = \"b\" }",
            "the labels `b` and `a` have the same name `b`",
            "give each value its own name",
        ),
        (
            "M data.labels = { f = \"food\", p = \"price\" }\ndata.label_separator = \";\"\nprobes = [{ text = \"t\", expect = \"food;prise\" }]",
            "the probe expects `prise`, which is not a name in `data.labels`",
            "did you mean `price`?",
        ),
        (
            "R data.label_columns = [\"a\", \"b\"]\nprobes = [{ text = \"t\", expect = \"1\" }]",
            "the probe expects `1`, but `data.problem_type` = \"regression\"",
            "write 2 numbers with commas between them, one for each of `data.label_columns`",
        ),
        (
            "data.thresholds = \"tuned\"",
            "`data.thresholds` = \"tuned\" needs a dev split",
            "set `data.dev`, for example data.dev = 0.1",
        ),
        ("M data.calibrate = true", "`data.calibrate` needs a dev split", "set `data.dev`"),
        ("R data.dev = 0.1\ndata.thresholds = \"tuned\"", "which regression does not have", "remove it"),
        ("R data.dev = 0.1\ndata.calibrate = true", "which regression does not have", "remove it"),
        (
            "data.dev = 0.1\ndata.threshold_metric = \"mcc\"",
            "`data.threshold_metric` has no effect: `data.thresholds` is not \"tuned\"",
            "remove it, or set data.thresholds = \"tuned\"",
        ),
        (
            "M data.dev = 0.1\ndata.thresholds = \"tuned\"\ndata.threshold_metric = \"mcc\"",
            "`data.threshold_metric` = \"mcc\" cannot be used to choose thresholds for multi-label classification",
            "expected one of macro_f1, micro_f1, weighted_f1",
        ),
        (
            "data.dev = 0.1\ndata.thresholds = \"tuned\"\ndata.threshold_metric = \"micro_f1\"",
            "`data.threshold_metric` = \"micro_f1\" cannot be used to choose thresholds for single-label classification",
            "or f1:LABEL",
        ),
        (
            "M checkpoint.metric = \"accuracy\"",
            "`checkpoint.metric` = \"accuracy\" is not a metric of multi-label classification",
            "expected one of macro_f1, micro_f1, loss",
        ),
        ("R checkpoint.metric = \"macro_f1\"", "is not a metric of regression", "expected one of rmse, loss"),
        ("checkpoint.metric = \"r2\"", "is not a metric of single-label classification", "expected one of accuracy"),
        (
            "sweep.axes = { \"data.problem_type\" = [\"regression\", \"single_label_classification\"] }",
            "`data.problem_type` cannot be swept: each problem type has metrics of its own",
            "write one experiment for each problem type",
        ),
        (
            "data.dev = 0.1\nsweep.axes = { \"data.thresholds\" = [\"0.5\", \"tuned\"] }",
            "`data.thresholds` cannot be swept",
            "set it to \"tuned\"",
        ),
        (
            "data.dev = 0.1\nsweep.axes = { \"data.calibrate\" = [true, false] }",
            "`data.calibrate` cannot be swept",
            "set it to true",
        ),
    ];
    for (lines, message, help) in cases {
        let lines = match lines.split_once(' ') {
            Some(("M", rest)) => format!("{MULTI}{rest}"),
            Some(("R", rest)) => format!("{REGRESSION}{rest}"),
            _ => lines.to_owned(),
        };
        let problems = one(&lines).problems("a.toml", &LoadOptions::default());
        assert!(problems.contains(message) && problems.contains(help), "{lines}\n{problems}");
    }
}

/// As far as the task goes: `checkpoint.metric` has its own rules.
#[test]
fn what_fits_together_is_taken() {
    for lines in [
        "M data.label_columns = [\"label\", \"b\"]\ndata.labels = { b = \"B\" }\ntrain.class_weights = [1, 2]",
        "M data.labels = { a = \"A\" }",
        "M data.label_separator = \" \"\nprobes = [{ text = \"t\", expect = \"anything\" }]",
        "M data.label_columns = [\"a\", \"b\"]\nprobes = [{ text = \"t\", expect = \"b|a\" }, { text = \"u\", expect = \"a\" }]",
        "M train.loss = \"focal\"\ntrain.focal_gamma = 0.5\ntrain.class_weights = \"balanced\"",
        "R data.label_columns = [\"a\", \"b\"]\nprobes = [{ text = \"t\", expect = \"1.5, -2\" }]",
        "R probes = [{ text = \"t\", expect = \"4\" }]",
        // A text column of the same name as the default of `data.label_column`, which is not read.
        "R data.label_columns = [\"a\"]\ndata.text_column = \"label\"",
    ] {
        let (task, rest) = lines.split_once(' ').unwrap();
        let lines = format!("{}checkpoint.metric = \"loss\"\n{rest}\n", if task == "M" { MULTI } else { REGRESSION });
        let loaded = one(&lines).load("a.toml");
        assert!(loaded.is_ok(), "{lines}\n{}", loaded.unwrap_err());
    }
}

/// A key in a lower layer that a higher one makes useless is not a mistake of that layer; a swept one has an effect in some runs.
#[test]
fn a_gamma_below_the_loss_is_left_alone() {
    let gamma = "model.source = \"scratch:tiny\"\ndata.source = \"path:x.csv\"\ntrain = { loss = \"focal\", focal_gamma = 1.0 }\n";
    let files =
        Files::new(&[("base.toml", gamma), ("a.toml", "extends = [\"base.toml\"]\ntrain.loss = \"standard\"\n")]);
    assert!(files.load("a.toml").is_ok());
    let set = options(None, &["train.focal_gamma=2"], &[]);
    assert!(files.problems("a.toml", &set).contains("`train.focal_gamma` applies only to"));
    let swept = one("train.focal_gamma = 1.0\nsweep.axes = { \"train.loss\" = [\"standard\", \"focal\"] }\n");
    assert!(swept.load("a.toml").is_ok());
}
