//! What users are told about mistakes in their data, as one page: `snapshots/it__mistakes__messages.snap`.

use std::{fmt::Write, fs};

use crate::{
    data_sets::{csv, folder, parquet_of, rows},
    support::{Sandbox, text, tiny_spec},
};

const SPEC: &str = tiny_spec!("mistakes", "label_column = \"label\"\nmax_length = 24\n");
const SPLITS: &str = "splits = { train = \"train\", dev = \"validation\", test = \"test\" }";

/// The mistakes so far, each with what `taper plan` says.
#[derive(Default)]
struct Page(String);

impl Page {
    fn section(&mut self, title: &str) {
        write!(self.0, "# {title}\n\n").unwrap();
    }

    /// A plan with these lines in `[data]`.
    fn mistake(&mut self, sandbox: &Sandbox, title: &str, source: &str, data: &str) {
        let spec = format!("{SPEC}{data}\n[train]\nmax_steps = 4\nbatch_size = 8\n").replace("path:rows.csv", source);
        sandbox.write("a.toml", spec);
        let output = sandbox.taper(&["plan", "a.toml"]);
        let mut said = (about_data(&text(&output.stdout)) + &text(&output.stderr)).trim_end().to_owned();
        for root in [sandbox.root().to_owned(), fs::canonicalize(sandbox.root()).expect("a folder")] {
            said = said.replace(&root.display().to_string(), "FOLDER");
        }
        let lines = [&format!("source = \"{source}\""), data].join("\n").trim_end().replace('\n', "\n    ");
        let code = output.status.code().expect("an exit code");
        write!(self.0, "## {title}\n\n    {lines}\n\nexit code {code}\n{said}\n\n").unwrap();
    }
}

/// The lines of a plan about rows, labels, splits and what is wrong with them: all others differ between machines.
fn about_data(plan: &str) -> String {
    let mut shown = false;
    let lines = plan.lines().filter(|line| {
        if !line.starts_with("  ") {
            shown = ["data ", "labels ", "split ", "leakage ", "warning:"].iter().any(|start| line.starts_with(start));
        }
        shown
    });
    lines.map(|line| format!("{line}\n")).collect()
}

fn own_splits(page: &mut Page) {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", csv(&rows(0, 24)));
    let mut plan = |title: &str, data: &str| page.mistake(&sandbox, title, "path:rows.csv", data);
    sandbox.write("odd.csv", "label,review\ngood,好\nfair,好\n,好\n");
    plan("A label that only the test file has", "test = \"path:odd.csv\"");
    sandbox.write("unlabelled.csv", "label,review\n,好\n,差\n");
    plan("A test file without labels", "test = \"path:unlabelled.csv\"");
    let mut again = rows(24, 8);
    again[0] = rows(0, 1).remove(0);
    again[1].0 = rows(1, 1).remove(0).0.replace(' ', "  ");
    sandbox.write("test.csv", csv(&again));
    plan("Test rows that are training rows too", "test = \"path:test.csv\"");
    plan(
        "A file and a column for the test rows",
        "test = \"path:test.csv\"\nsplit_column = \"part\"\nsplits = { train = \"train\", test = \"test\" }",
    );
    plan("The file of the training rows again", "test = \"path:rows.csv\"");
    plan("No rows to evaluate on", "test = 0");
    plan("The best checkpoint without dev rows", "test = 0.25\n[checkpoint]\nkeep = \"best\"");
    let parts = csv(&rows(0, 24)).replace("good,", "train,good,").replace("bad,", "test,bad,");
    let parts = parts.replace("label,review", "part,label,review");
    sandbox.write("parts.csv", parts.replacen("train,", "dev,", 2));
    let mut plan = |title: &str, data: &str| page.mistake(&sandbox, title, "path:parts.csv", data);
    let column = "split_column = \"part\"\nsplits = { train = \"train\", test = \"test\" }";
    plan("A value of the column that is no split", column);
    plan("A column of splits that is not there", &column.replace("part", "fold"));
    sandbox.write("parts.csv", parts);
    plan("A split that no row has", &column.replace("test =", "dev = \"valid\", test ="));
}

fn data_sets(page: &mut Page) {
    let sandbox = folder();
    let mut plan = |title: &str, data: &str| page.mistake(&sandbox, title, "path:glue", data);
    plan("A folder without the names of its splits", "");
    plan("A split that the folder does not have", "splits = { train = \"train\", dev = \"holdout\" }\ntest = 0");
    plan("Test rows whose labels are -1", "splits = { train = \"train\", test = \"public\" }");
    let card = "---\nconfigs:\n- config_name: reviews\n  data_files: data/*\n- config_name: other\n  data_files: other/*\n---\n";
    sandbox.write("glue/README.md", card);
    sandbox.write("glue/other/train.csv", csv(&rows(0, 8)));
    plan("Several configurations", SPLITS);
    fs::remove_file(sandbox.path("glue/README.md")).expect("a card");
    fs::remove_dir_all(sandbox.path("glue/other")).expect("a folder");
    let shard = "glue/data/train-00001-of-00002.parquet";
    sandbox.write(shard, parquet_of(&rows(14, 10), "good", "bad"));
    plan("Class labels that differ between files", SPLITS);
    fs::remove_file(sandbox.path(shard)).expect("a shard");
    plan("A shard that is missing", SPLITS);
}

fn forms(page: &mut Page) {
    let sandbox = Sandbox::new();
    let table = csv(&rows(0, 24));
    let gbk = encoding_rs::GBK.encode(&table).0.into_owned();
    let mut plan = |title: &str, name: &str, bytes: &[u8], data: &str| {
        sandbox.write(name, bytes);
        page.mistake(&sandbox, title, &format!("path:{name}"), data);
    };
    plan("Another encoding than is set", "gbk.csv", &gbk, "encoding = \"utf-8\"\ntest = 0.25");
    plan("An encoding that is guessed", "gbk.csv", &gbk, "test = 0.25");
    let wide: Vec<u8> = format!("\u{feff}{table}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    plan("The mark of another encoding", "utf16.csv", &wide, "encoding = \"gbk\"\ntest = 0.25");
    let joined = [table.as_bytes(), b"good,\xBA\xDC\xBA\xC3\n"].concat();
    plan("Two encodings in one file", "joined.csv", &joined, "test = 0.25");
    let semicolons = table.replace(',', ";");
    plan("Another separator, which the header shows", "semicolons.csv", semicolons.as_bytes(), "test = 0.25");
    plan("Another separator than is set", "rows.csv", table.as_bytes(), "delimiter = \";\"\ntest = 0.25");
    let numbers = table.replace("good,", "1,").replace("bad,", "0,").replacen("1,", "1.0,", 3);
    plan("A label in two number formats", "numbers.csv", numbers.as_bytes(), "test = 0.25");
    plan(
        "Labels of another number format than data.labels",
        "numbers.csv",
        numbers.as_bytes(),
        "test = 0.25\nlabels = { 0 = \"bad\", 1 = \"good\" }",
    );
    let missing = format!("{table}good,NA\nnull,好\n,好\nbad,\n");
    plan("Words for missing values", "missing.csv", missing.as_bytes(), "test = 0.25");
    plan(
        "Words for missing values, named",
        "missing.csv",
        missing.as_bytes(),
        "test = 0.25\nmissing = [\"NA\", \"null\"]",
    );
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, table.as_bytes()).expect("it packs");
    let mut packed = packer.finish().expect("it packs");
    plan("A packed file that was cut", "cut.csv.gz", &packed[..packed.len() / 2], "test = 0.25");
    let at = packed.len() - 8;
    packed[at] ^= 0xff;
    plan("A packed file that is damaged", "damaged.csv.gz", &packed, "test = 0.25");
    let faulty = format!("{table}good\nbad,\"慢\ngood,好\n");
    plan("Rows of another shape", "faulty.csv", faulty.as_bytes(), "test = 0.25");
}

fn targets(page: &mut Page) {
    let sandbox = Sandbox::new();
    let tags = ["味道|价格", "味道", "", "价格", "服务"];
    let rows = |value: &dyn Fn(usize) -> String| -> String {
        let rows = (0..40).map(|i| format!("{},第{i}次点\n", value(i)));
        std::iter::once("label,review\n".to_owned()).chain(rows).collect()
    };
    sandbox.write("tags.csv", rows(&|i| tags[i % tags.len()].into()));
    sandbox.write("numbers.csv", rows(&|i| format!("{}.5", i % 7)));
    sandbox.write("other.csv", "label,review\n味道|环境,好\n服务,差\n");
    let several = "problem_type = \"multi_label_classification\"\ntest = 0.5";
    let number = "problem_type = \"regression\"\ntest = 0.5";
    let bar = "label_separator = \"|\"";
    let mut plan = |title: &str, name: &str, data: &str| {
        // The default metric is that of one label.
        let data = format!("{data}\n[checkpoint]\nmetric = \"loss\"");
        page.mistake(&sandbox, title, &format!("path:{name}"), &data);
    };
    plan("Several labels in a cell, and one label per text", "tags.csv", "test = 0.5");
    plan("Several labels in a cell, not divided", "tags.csv", several);
    let own = several.replace("0.5", "\"path:other.csv\"");
    plan("A label of several that only the test file has", "tags.csv", &format!("{own}\n{bar}"));
    plan("Columns of labels that are none", "tags.csv", &format!("{several}\nlabel_columns = [\"review\", \"laebl\"]"));
    plan("Labels that are to be numbers", "tags.csv", number);
    plan("Numbers that are taken for labels", "numbers.csv", "test = 0.5");
    sandbox.write("numbers.csv", rows(&|i| format!("\"{},5\"", i % 7)));
    plan("Numbers with commas", "numbers.csv", number);
    sandbox.write("numbers.csv", rows(&|i| format!("{}", 1000 * (i % 7))));
    plan("Numbers far from 0", "numbers.csv", number);
    plan("Names for numbers", "numbers.csv", &format!("{number}\nlabels = {{ 0 = \"none\", 1000 = \"many\" }}"));
}

#[test]
fn messages() {
    let mut page = Page::default();
    page.section("Splits of one's own");
    own_splits(&mut page);
    page.section("Datasets of the hub, and folders like them");
    data_sets(&mut page);
    page.section("Forms of files");
    forms(&mut page);
    page.section("Several labels, and numbers");
    targets(&mut page);
    insta::assert_snapshot!(page.0);
}
