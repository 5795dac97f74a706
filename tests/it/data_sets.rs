//! Datasets as the hub has them: Parquet in shards, named splits, class labels, test rows without labels, configurations.

use std::sync::Arc;

use parquet::{
    basic::Compression,
    data_type::{ByteArray, ByteArrayType, Int64Type},
    file::{metadata::KeyValue, properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use serde_json::Value;

use crate::{
    hub::{
        home::Home,
        server::{COMMIT, Server},
    },
    support::{Sandbox, tiny_spec},
};

const SPEC: &str = tiny_spec!("glue", "label_column = \"label\"\nmax_length = 24\n");
const SPLITS: &str = "splits = { train = \"train\", dev = \"validation\", test = \"test\" }";

/// Rows as in a file of GLUE: a sentence, a class label or -1, and an index.
pub(crate) fn rows(from: usize, n: usize) -> Vec<(String, i64)> {
    let row = |i: usize| match i % 2 {
        0 => (format!("味道很好 第{i}次点 快"), 1),
        _ => (format!("难吃 送得慢 {i}小时 差评"), 0),
    };
    (from..from + n).map(row).collect()
}

/// A Parquet file as the `datasets` library writes it: with the names of the class labels in its metadata.
fn parquet(rows: &[(String, i64)]) -> Vec<u8> {
    parquet_of(rows, "bad", "good")
}

pub(crate) fn parquet_of(rows: &[(String, i64)], zero: &str, one: &str) -> Vec<u8> {
    let schema = "message rows { optional binary review (UTF8); optional int64 label; optional int64 idx; }";
    let classes = serde_json::json!({ "info": { "features": {
        "review": { "dtype": "string", "_type": "Value" }, "label": { "names": [zero, one], "_type": "ClassLabel" },
    } } });
    let metadata = vec![KeyValue::new("huggingface".into(), Some(classes.to_string()))];
    let properties =
        WriterProperties::builder().set_compression(Compression::SNAPPY).set_key_value_metadata(Some(metadata)).build();
    let mut bytes = Vec::new();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let present = vec![1; rows.len()];
    let texts: Vec<ByteArray> = rows.iter().map(|row| ByteArray::from(row.0.as_str())).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&texts, Some(&present), None).unwrap();
    column.close().unwrap();
    for values in [rows.iter().map(|row| row.1).collect::<Vec<i64>>(), (0..rows.len() as i64).collect()] {
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&values, Some(&present), None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

pub(crate) fn csv(rows: &[(String, i64)]) -> String {
    let name = |label: i64| if label == 1 { "good" } else { "bad" };
    let lines: String = rows.iter().map(|(text, label)| format!("{},{text}\n", name(*label))).collect();
    format!("label,review\n{lines}")
}

/// The files of a dataset with two shards of training rows.
fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let unlabelled: Vec<(String, i64)> = rows(60, 8).into_iter().map(|(text, _)| (text, -1)).collect();
    [
        ("train-00000-of-00002", rows(0, 14)),
        ("train-00001-of-00002", rows(14, 10)),
        ("validation-00000-of-00001", rows(24, 6)),
        ("test-00000-of-00001", rows(30, 10)),
        ("public-00000-of-00001", unlabelled),
    ]
    .into_iter()
    .map(|(name, rows)| (format!("{folder}/{name}.parquet"), parquet(&rows)))
    .collect()
}

pub(crate) fn folder() -> Sandbox {
    let sandbox = Sandbox::new();
    files("glue/data").into_iter().for_each(|(name, bytes)| sandbox.write(&name, bytes));
    sandbox
}

/// A spec with these lines in `[data]`.
fn spec(sandbox: &Sandbox, source: &str, data: &str) {
    let text = format!("{SPEC}{data}\n[train]\nmax_steps = 4\nbatch_size = 8\n").replace("path:rows.csv", source);
    sandbox.write("glue.toml", text);
}

fn refused(sandbox: &Sandbox, source: &str, data: &str) -> String {
    spec(sandbox, source, data);
    let (code, said) = sandbox.says(&["plan", "glue.toml"]);
    assert_eq!(code, 2, "{said}");
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn planned(sandbox: &Sandbox) -> Value {
    sandbox.json(&["plan", "glue.toml"])["runs"][0].clone()
}

/// Rows, labels and splits are those of the same table as CSV, and so is the model.
#[test]
fn shards_with_class_labels_train_the_model_of_their_csv() {
    let sandbox = folder();
    spec(&sandbox, "path:glue", SPLITS);
    let shown = sandbox.ok(&["plan", "glue.toml"]);
    for line in [
        "data      24 rows of path:glue; none dropped",
        "          2 files, train-00000-of-00002.parquet to train-00001-of-00002.parquet",
        "          6 rows of validation-00000-of-00001.parquet, the dev split; none dropped",
        "          10 rows of test-00000-of-00001.parquet, the test split; none dropped",
        "split     train 24, dev 6, test 10",
        "labels    bad: 20 (50.0%), good: 20 (50.0%)",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    sandbox.ok(&["run", "glue.toml", "--runs", "shards"]);
    for (name, rows) in [("rows.csv", rows(0, 24)), ("dev.csv", rows(24, 6)), ("test.csv", rows(30, 10))] {
        sandbox.write(name, csv(&rows));
    }
    spec(&sandbox, "path:rows.csv", "test = \"path:test.csv\"\ndev = \"path:dev.csv\"");
    sandbox.ok(&["run", "glue.toml", "--runs", "csv"]);
    assert_eq!(sandbox.weights("shards"), sandbox.weights("csv"));
    let metrics = |runs: &str| sandbox.json(&["list", "--runs", runs])[0]["final_metrics"].clone();
    assert_eq!(metrics("shards"), metrics("csv"));
    assert_eq!(metrics("shards")["rows"], 10);
    // The stored run is found, verified and reported again.
    spec(&sandbox, "path:glue", SPLITS);
    assert!(sandbox.ok(&["verify", "glue", "--runs", "shards"]).contains("bit for bit"));
    sandbox.ok(&["report", "glue", "--runs", "shards"]);
    assert!(sandbox.ok(&["predict", "glue", "--runs", "shards", "很好"]).contains("good"));
}

#[test]
fn splits_that_are_not_there_and_rows_without_labels_are_refused() {
    let sandbox = folder();
    let glue = |data: &str| refused(&sandbox, "path:glue", data);
    let unlabelled = glue("splits = { train = \"train\", test = \"public\" }");
    assert!(
        unlabelled.contains(
            "its 8 rows without a label cannot be evaluated; remove `test` from data.splits (and set data.test = 0, \
             unless other rows are to be held out for testing), and classify its texts with `taper predict RUN --file \
             FILE`"
        ),
        "{unlabelled}"
    );
    let none = glue("splits = { train = \"train\", dev = \"holdout\" }\ntest = 0");
    assert!(
        none.contains(
            "it has no split `holdout`, which data.splits names; its splits are `public`, `test`, `train` and \
             `validation`"
        ),
        "{none}"
    );
    let whole = refused(&sandbox, "path:glue", "");
    assert!(
        whole.contains("glue is a folder; name a file in it, or name its splits: data.splits = { train ="),
        "{whole}"
    );
    let config = glue("config = \"sst2\"\nsplits = { train = \"train\", test = \"test\" }");
    assert!(config.contains("it has no configurations, but data.config names `sst2`: remove data.config"), "{config}");
    let alone = glue("config = \"sst2\"");
    assert!(
        alone.contains("`data.config` needs `data.splits` that name the splits of a repository or a folder"),
        "{alone}"
    );
    sandbox.write("rows.csv", csv(&rows(0, 8)));
    let file = refused(&sandbox, "path:rows.csv", SPLITS);
    assert!(
        file.contains("`data.splits` needs `data.split_column`, the column with these values, since the data is a"),
        "{file}"
    );
    sandbox.write("rows.dat", csv(&rows(0, 8)));
    let file = refused(&sandbox, "path:rows.dat", SPLITS);
    assert!(file.contains("but this is a file: set data.split_column, or name the folder"), "{file}");
    let file = refused(&sandbox, "hf:a/glue/rows.csv", SPLITS);
    assert!(
        file.contains("`data.splits` needs `data.split_column`, the column with these values, since the data is a"),
        "{file}"
    );
    std::fs::remove_file(sandbox.path("glue/data/train-00001-of-00002.parquet")).unwrap();
    let shard = glue(SPLITS);
    assert!(
        shard.contains(
            "split `train` has only 1 of 2 files (such as `train-00000-of-00002.parquet`): download all of them"
        ),
        "{shard}"
    );
}

/// -1 is a label of its own where nothing says that the numbers are class labels.
#[test]
fn test_rows_are_cut_from_the_training_rows_where_no_split_is_named() {
    let sandbox = folder();
    spec(&sandbox, "path:glue", "splits = { train = \"train\", dev = \"validation\" }\ntest = 0.25");
    let run = planned(&sandbox);
    assert_eq!([&run["data"]["train"], &run["data"]["dev"], &run["data"]["test"]], [18, 6, 6]);
    let orders = |name: &str| {
        sandbox.ok(&["plan", "glue.toml", "--order", name]);
        serde_json::from_slice::<Value>(&std::fs::read(sandbox.path(name)).unwrap()).unwrap()
    };
    assert_eq!(orders("order.json")["dev"], serde_json::json!((24..30).collect::<Vec<_>>()));
}

/// The card names the configurations and the class labels; what was chosen is pinned, and found again without a server.
#[test]
fn a_repository_is_pinned_with_the_files_of_its_splits() {
    let server = Server::start(&[]);
    let card = "---\nconfigs:\n- config_name: reviews\n  data_files:\n  - split: train\n    path: reviews/train-*\n  - split: validation\n    \
                path: reviews/validation-*\n  - split: test\n    path: reviews/test-*\n- config_name: other\n  data_files: other.csv\n---\n# About\n";
    server.put("datasets/a/glue/README.md", card.as_bytes());
    server.put("datasets/a/glue/other.csv", b"label,review\n1,x\n");
    for (name, bytes) in files("reviews") {
        server.put(&format!("datasets/a/glue/{name}"), &bytes);
    }
    let home = Home::new(&server.url);
    let taper = |arguments: &[&str], endpoint: &str| says(&home, arguments, endpoint);
    spec(&home.dir, "hf:a/glue", SPLITS);
    let (code, said) = taper(&["plan", "glue.toml"], &server.url);
    assert!(
        code == Some(2) && said.contains("it has several configurations; choose one with data.config: reviews, other"),
        "{said}"
    );
    spec(&home.dir, "hf:a/glue", "");
    let (code, said) = taper(&["plan", "glue.toml"], &server.url);
    assert!(
        code == Some(2) && said.contains("choose one with data.file, or name the splits: data.splits = {"),
        "{said}"
    );

    spec(&home.dir, "hf:a/glue", &format!("config = \"reviews\"\n{SPLITS}"));
    let (code, said) = taper(&["fetch", "glue.toml"], &server.url);
    assert_eq!(code, Some(0), "{said}");
    let lock = std::fs::read_to_string(home.path("glue.toml.lock")).unwrap();
    for words in
        [COMMIT, "file = \"reviews{train,validation,test}\"", "README.md", "reviews/train-00001-of-00002.parquet"]
    {
        assert!(lock.contains(words), "no `{words}` in {lock}");
    }
    assert!(!lock.contains("other.csv") && !lock.contains("public-"), "{lock}");
    let nowhere = "http://127.0.0.1:9";
    let (code, said) = taper(&["plan", "glue.toml"], nowhere);
    assert!(code == Some(0) && said.contains("24 rows of hf:a/glue; none dropped"), "{said}");
    for arguments in [&["run", "glue.toml"][..], &["report", "glue"], &["verify", "glue", "--offline"]] {
        let (code, said) = taper(arguments, nowhere);
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
    }
    // Another file under the same name is not what was pinned.
    server.put("datasets/a/glue/reviews/test-00000-of-00001.parquet", &parquet(&rows(90, 10)));
    std::fs::remove_dir_all(home.path("hf")).unwrap();
    let (code, said) = taper(&["plan", "glue.toml"], &server.url);
    assert!(
        code == Some(2) && said.contains("test-00000-of-00001.parquet of hf:a/glue is not what glue.toml.lock pins"),
        "{said}"
    );
}

/// What a command says, on one line, with the hubs at `endpoint`; its exit code.
fn says(home: &Home, arguments: &[&str], endpoint: &str) -> (Option<i32>, String) {
    let mut command = home.dir.command(arguments);
    command.env_clear().envs(home.vars.iter().cloned());
    let output =
        command.env("HF_ENDPOINT", endpoint).env("MODELSCOPE_ENDPOINT", endpoint).output().expect("taper starts");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).split_whitespace().collect::<Vec<_>>().join(" "))
}

/// The same rows, labels and splits as from the other hub, and the same model.
#[test]
fn a_data_set_of_modelscope_is_that_of_the_hub() {
    let server = Server::start(&[]);
    for (name, bytes) in files("data") {
        server.put(&format!("datasets/a/glue/{name}"), &bytes);
    }
    let home = Home::new(&server.url);
    let nowhere = "http://127.0.0.1:9";
    let weights = ["modelscope", "hf"].map(|hub| {
        spec(&home.dir, &format!("{hub}:a/glue"), SPLITS);
        let _ = std::fs::remove_file(home.path("glue.toml.lock"));
        let (code, said) = says(&home, &["fetch", "glue.toml"], &server.url);
        assert_eq!(code, Some(0), "{said}");
        let lock = std::fs::read_to_string(home.path("glue.toml.lock")).unwrap();
        for words in [COMMIT, "data/train-00001-of-00002.parquet", "data/validation-00000-of-00001.parquet"] {
            assert!(lock.contains(words), "no `{words}` in {lock}");
        }
        assert!(!lock.contains("public-"), "{lock}");
        let (code, said) = says(&home, &["plan", "glue.toml"], nowhere);
        let rows = format!("24 rows of {hub}:a/glue; none dropped");
        assert!(code == Some(0) && said.contains(&rows) && said.contains("train 24, dev 6, test 10"), "{said}");
        let (code, said) = says(&home, &["run", "glue.toml", "--runs", hub], nowhere);
        assert_eq!(code, Some(0), "{said}");
        home.dir.weights(hub)
    });
    assert_eq!(weights[0], weights[1]);
    spec(&home.dir, "modelscope:a/glue", "splits = { train = \"train\", dev = \"holdout\" }\ntest = 0");
    let (code, said) = says(&home, &["plan", "glue.toml"], &server.url);
    assert!(code == Some(2) && said.contains("it has no split `holdout`, which data.splits names"), "{said}");
}

/// The names of class labels need not stand in the data files, and decide what a model says.
#[test]
fn a_run_is_known_by_the_names_of_its_class_labels_too() {
    let sandbox = Sandbox::new();
    let numbers = |rows: &[(String, i64)]| {
        let lines: String = rows.iter().map(|(text, label)| format!("{label},{text}\n")).collect();
        format!("label,review\n{lines}")
    };
    sandbox.write("set/train.csv", numbers(&rows(0, 20)));
    sandbox.write("set/test.csv", numbers(&rows(20, 10)));
    let card = |zero: &str, one: &str| {
        let names = format!("        names:\n          '0': {zero}\n          '1': {one}\n");
        format!("---\ndataset_info:\n  features:\n  - name: label\n    dtype:\n      class_label:\n{names}---\n")
    };
    spec(&sandbox, "path:set", "splits = { train = \"train\", test = \"test\" }");
    sandbox.write("set/README.md", card("bad", "good"));
    let first = planned(&sandbox);
    assert_eq!(first["data"]["labels"], serde_json::json!(["bad", "good"]));
    sandbox.write("set/README.md", card("good", "bad"));
    let swapped = planned(&sandbox);
    assert_eq!(swapped["data"]["labels"], serde_json::json!(["good", "bad"]));
    assert_ne!(first["key"], swapped["key"]);
}

#[test]
fn files_whose_class_labels_differ_are_refused() {
    let sandbox = folder();
    sandbox.write("glue/data/test-00000-of-00001.parquet", parquet_of(&rows(30, 10), "good", "bad"));
    let said = refused(&sandbox, "path:glue", SPLITS);
    assert!(
        said.contains(
            "its class labels are `good`, `bad`, but those of the training rows read before it are `bad`, `good`"
        ),
        "{said}"
    );
    sandbox.write("glue/data/train-00001-of-00002.parquet", parquet_of(&rows(14, 10), "good", "bad"));
    let said = refused(&sandbox, "path:glue", SPLITS);
    assert!(said.contains("train-00001-of-00002.parquet: its class labels are `good`, `bad`"), "{said}");
}

/// Shards as CSV: the second of training rows is empty.
fn shards(labels: &str, in_second: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, rows) in [("train-00000-of-00002", rows(0, 24)), ("train-00001-of-00002", Vec::new())] {
        sandbox.write(&format!("glue/data/{name}.csv"), csv(&rows));
    }
    sandbox.write("glue/data/test-00000-of-00002.csv", csv(&rows(24, 6)));
    sandbox.write("glue/data/test-00001-of-00002.csv", format!("{}{in_second}", csv(&rows(30, 2))));
    spec(&sandbox, "path:glue", &format!("splits = {{ train = \"train\", test = \"test\" }}\n{labels}"));
    sandbox
}

#[test]
fn a_shard_may_be_empty_and_one_with_an_unknown_label_is_named() {
    let sandbox = shards("", "");
    assert_eq!(planned(&sandbox)["data"]["test"], 8);
    sandbox.write("glue/data/train-00001-of-00002.csv", "");
    assert_eq!(planned(&sandbox)["data"]["train"], 24);
    let sandbox = shards("labels = { bad = \"bad\", good = \"good\", other = \"other\" }", "other,凉了\n");
    let (code, said) = sandbox.says(&["plan", "glue.toml"]);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let want = "test-00001-of-00002.csv: 1 row cannot be used line 4: label `other` (column `label`) does not occur in path:glue";
    assert!(code == 2 && said.contains(want) && !said.contains("test-00000"), "{said}");
    // Not every shard may be.
    sandbox.write("glue/data/train-00000-of-00002.csv", csv(&[]));
    let (code, said) = sandbox.says(&["plan", "glue.toml"]);
    assert!(code == 2 && said.contains("train-00000-of-00002.csv"), "{said}");
}
