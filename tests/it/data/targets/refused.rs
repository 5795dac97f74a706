//! Targets that cannot be used: what is said of each, in every form of a file, as one page.

use std::{fmt::Write, sync::Arc};

use parquet::{
    data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type},
    file::writer::{SerializedColumnWriter, SerializedFileWriter},
    schema::parser::parse_message_type,
};
use taper::{
    data::{DataFiles, read, read_files},
    plan::DataConfig,
};

use super::{file, flags, labels, names, numbers, tags};
use crate::data::malformed::tables::workbook;

type WriteColumn<'a> = &'a dyn Fn(&mut SerializedColumnWriter<'_>);

/// A Parquet file of three texts and the target.
fn parquet(schema: &str, target: WriteColumn<'_>) -> Vec<u8> {
    let schema = format!("message rows {{ required binary text (UTF8); {schema} }}");
    let mut bytes = Vec::new();
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let texts = ["a", "b", "c"].map(ByteArray::from);
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    target(&mut column);
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

#[derive(Default)]
struct Page {
    text: String,
    cases: usize,
}

impl Page {
    fn add(&mut self, what: &str, name: &str, bytes: impl AsRef<[u8]>, config: &DataConfig) {
        let (dir, path) = file(name, bytes);
        let said = match read(&path, config) {
            Ok(data) => panic!("{what}: it is read: {:?}", super::targets(&data)),
            Err(error) => error.to_string().replace(&format!("{}/", dir.path().display()), ""),
        };
        self.cases += 1;
        write!(self.text, "# {what}\n{said}\n\n").unwrap();
    }

    /// A CSV file with the column `tags`, or `score`.
    fn csv(&mut self, what: &str, values: &[&str], config: &DataConfig) {
        let rows: String =
            (1..).zip(values).map(|(i, value)| format!("text {i},\"{}\"\n", value.replace('"', "\"\""))).collect();
        self.add(what, "a.csv", format!("text,{}\n{rows}", config.label_column), config);
    }

    fn jsonl(&mut self, what: &str, values: &[&str], config: &DataConfig) {
        let column = &config.label_column;
        let rows: String =
            (1..).zip(values).map(|(i, value)| format!("{{\"text\":\"t{i}\",\"{column}\":{value}}}\n")).collect();
        self.add(what, "a.jsonl", rows, config);
    }
}

#[test]
fn each_bad_target_is_refused_with_file_row_and_column() {
    let mut page = Page::default();
    several(&mut page);
    columns(&mut page);
    values(&mut page);
    assert!(page.cases >= 30, "{} cases", page.cases);
    insta::assert_snapshot!(page.text);
}

fn several(page: &mut Page) {
    let given = |config: DataConfig| DataConfig { labels: labels(&[("food", "Food"), ("price", "Price")]), ..config };
    let single = DataConfig { label_column: "tags".into(), ..super::of_single() };
    page.csv("no label in any row", &["", " "], &tags(None));
    page.csv("the same labels in every row", &["b|a", "a|b", "a | b"], &tags(Some("|")));
    page.csv("a list as Python prints it", &["['food', 'price']", "food", "[]"], &tags(None));
    page.csv("a list as numpy prints it", &["['food' 'price']", "food"], &tags(None));
    page.csv("a JSON list with null", &["[\"food\", null]", "food"], &tags(None));
    page.csv("a JSON list where a separator is set", &["[\"food\", \"price\"]", "food"], &tags(Some(",")));
    page.csv("labels that data.labels does not name", &["food|fod", "price|food", "|", "fod"], &given(tags(Some("|"))));
    page.csv("another separator, with data.labels", &["food|price", "food"], &given(tags(Some(";"))));
    page.csv("vectors of 0 and 1 as text", &["[0, 1, 0]", "[1, 1, 0]", "[0, 0, 0]"], &tags(None));
    page.jsonl("vectors of 0 and 1", &["[0,1,0]", "[1,1,0]"], &tags(None));
    page.jsonl("vectors of fractions", &["[0.0,1.0]", "[1.0,1.0]"], &tags(None));
    page.jsonl("a truth value in a list", &["[true]", "[\"a\"]"], &tags(None));
    page.jsonl("null in a list", &["[\"a\", null]", "[\"a\"]"], &tags(None));
    page.jsonl("a list in a list", &["[[\"a\"]]", "[\"a\"]"], &tags(None));
    page.jsonl("an object for a list", &["{\"a\": 1}", "[\"a\"]"], &tags(None));
    page.jsonl("lists where a text has one label", &["[\"a\"]", "\"b\""], &single);
    page.add("no object has the field", "a.jsonl", "{\"text\":\"a\"}\n{\"text\":\"b\",\"tag\":[]}\n", &tags(None));
    page.add(
        "every label is missing",
        "a.json",
        "[{\"text\":\"a\"},\n{\"text\":\"b\",\"tags\":\"?\"}]",
        &DataConfig { missing: names(&["?"]), ..tags(None) },
    );
    let list = |element: &str| format!("required group tags (LIST) {{ repeated group list {{ {element} }} }}");
    let doubles: WriteColumn<'_> = &|column| {
        column.typed::<DoubleType>().write_batch(&[0.0, 1.0, 0.0], Some(&[1, 1, 1]), Some(&[0, 0, 0])).unwrap();
    };
    page.add("lists of fractions", "a.parquet", parquet(&list("required double element;"), doubles), &tags(None));
    let texts: WriteColumn<'_> = &|column| {
        let texts = ["x", "y"].map(ByteArray::from);
        column.typed::<ByteArrayType>().write_batch(&texts, Some(&[2, 1, 2, 0]), Some(&[0, 1, 0, 0])).unwrap();
    };
    let lists = parquet(&list("optional binary element (UTF8);"), texts);
    page.add("null in a list of Parquet", "a.parquet", &lists, &tags(None));
    page.add("lists of Parquet where a text has one label", "a.parquet", &lists, &single);
    let nested = list("required group element (LIST) { repeated group list { required binary element (UTF8); } }");
    let deep: WriteColumn<'_> = &|column| {
        let texts = ["x", "y", "z"].map(ByteArray::from);
        column.typed::<ByteArrayType>().write_batch(&texts, Some(&[2, 2, 2]), Some(&[0, 0, 0])).unwrap();
    };
    page.add("lists of lists", "a.parquet", parquet(&nested, deep), &tags(None));
    let sheet = workbook(&[["text", "tags"], ["a", "x"], ["b", "@2024-01-31T00:00:00"], ["c", "=#N/A"]]);
    page.add("a date and an error in a sheet", "a.xlsx", sheet, &tags(None));
}

fn columns(page: &mut Page) {
    let config = flags(&["food", "price"]);
    page.add(
        "values that are neither 0 nor 1",
        "a.csv",
        "text,food,price\na,1,0\nb,2,0\nc,1,yes\nd,-1,\ne,,\nf,0.5,1\ng,,1\nh,1,\n",
        &config,
    );
    page.add("no column of a label", "a.csv", "text,food,prices\na,1,0\n", &config);
    page.add("a column of a label twice", "a.csv", "text,food,food,price\na,1,0,1\n", &config);
    page.add("no label in any row", "a.csv", "text,food,price\na,0,0\nb,0.0,false\n", &config);
    page.add("all columns empty", "a.csv", "text,food,price\na,,\nb,,\n", &config);
    page.add(
        "null beside a value",
        "a.jsonl",
        "{\"text\":\"a\",\"food\":1,\"price\":null}\n{\"text\":\"b\",\"food\":true}\n{\"text\":\"c\",\"food\":[1],\"price\":0}\n",
        &config,
    );
    let sheet = workbook(&[["text", "food"], ["a", "1"], ["b", "x"], ["c", "0"]]);
    page.add("a text in a column of a sheet", "a.xlsx", sheet, &flags(&["food"]));
    let doubles: WriteColumn<'_> = &|column| {
        column.typed::<DoubleType>().write_batch(&[0.0, 1.0, 0.3], None, None).unwrap();
    };
    page.add("a fraction in Parquet", "a.parquet", parquet("required double food;", doubles), &flags(&["food"]));
}

fn values(page: &mut Page) {
    let score = numbers(&["score"]);
    page.csv(
        "values that are no numbers",
        &["3.5", "good", "3,5", "1,234.5", "NaN", "inf", "", "true", "1e39", "50%", "NA", "['1']", "-"],
        &score,
    );
    page.csv("the same number in every row", &["3", "3.0", "", "3e0"], &score);
    page.csv("no number in any row", &["", " "], &score);
    page.jsonl("values of JSON", &["1", "true", "\"x\"", "[1]", "{}", "1e300", "\"4.5\"", "null", "\"1,5\""], &score);
    page.jsonl("a number that JSON does not have", &["NaN", "1"], &score);
    page.add("several numbers", "a.csv", "text,a,b\nx,1,2\ny,1,\nz,,\nw,x,y\n", &numbers(&["a", "b"]));
    page.add("the same numbers in every row", "a.csv", "text,a,b\nx,1,2\ny,1.0,2\n", &numbers(&["a", "b"]));
    page.add("no column of a number", "a.csv", "text,a\nx,1\n", &numbers(&["a", "b"]));
    let sheet = workbook(&[["text", "score"], ["a", "1.5"], ["b", "bad"], ["c", "@2024-01-31T00:00:00"]]);
    page.add("values of a sheet", "a.xlsx", sheet, &score);
    let doubles: WriteColumn<'_> = &|column| {
        column.typed::<DoubleType>().write_batch(&[f64::NAN, 1.0, f64::NEG_INFINITY], None, None).unwrap();
    };
    page.add("values of Parquet", "a.parquet", parquet("required double score;", doubles), &score);
    let bools: WriteColumn<'_> = &|column| {
        column.typed::<BoolType>().write_batch(&[true, false, true], None, None).unwrap();
    };
    page.add("truth values of Parquet", "a.parquet", parquet("required boolean score;", bools), &score);
    let times: WriteColumn<'_> = &|column| {
        column.typed::<Int64Type>().write_batch(&[1, 2, 3], None, None).unwrap();
    };
    let stamps = parquet("required int64 score (TIMESTAMP(MILLIS,true));", times);
    page.add("times of Parquet", "a.parquet", stamps, &score);
    let lists: WriteColumn<'_> = &|column| {
        column.typed::<DoubleType>().write_batch(&[0.0, 1.0, 0.0], Some(&[1, 1, 1]), Some(&[0, 0, 0])).unwrap();
    };
    let lists = parquet("required group score (LIST) { repeated group list { required double element; } }", lists);
    page.add("lists of Parquet", "a.parquet", lists, &score);
}

/// Labels that only a file of its own has, and files without any.
#[test]
fn test_files_with_other_labels_are_refused() {
    let (_a, train) = file("train.csv", "text,tags,x,y\na,x;y,1,0\nb,y,0,0\nc,,0,0\n");
    let refused = |test: &str, config: &DataConfig| {
        let (dir, test) = file("test.csv", test);
        let files = DataFiles { source: vec![train.clone()], test: vec![test], ..DataFiles::default() };
        let error = read_files(&files, config).unwrap_err().to_string();
        error.replace(&format!("{}/", dir.path().display()), "")
    };
    let source = |config: DataConfig| DataConfig { source: "path:train.csv".parse().unwrap(), ..config };
    assert_eq!(
        refused("text,tags\nd,x;z\ne,y\nf,w\n", &source(tags(Some(";")))),
        "test.csv: 2 rows cannot be used\n  line 2: label `z` (column `tags`) does not occur in path:train.csv, whose labels are `x`, `y`; correct the label, or add training rows with it\n  \
         line 4: label `w` (column `tags`) does not occur in path:train.csv, whose labels are `x`, `y`; correct the label, or add training rows with it"
    );
    let named = DataConfig { labels: labels(&[("x", "X"), ("y", "Y"), ("z", "Z")]), ..source(tags(Some(";"))) };
    assert_eq!(
        refused("text,tags\nd,x;z\ne,y\n", &named),
        "test.csv: 1 row cannot be used\n  line 2: label `Z` (column `tags`) does not occur in path:train.csv"
    );
    assert_eq!(
        refused("text,x,y\nd,1,0\ne,0,1\n", &source(flags(&["x", "y"]))),
        "test.csv: 1 row cannot be used\n  line 3: label `y` (column `y`) does not occur in path:train.csv"
    );
    assert_eq!(
        refused("text,tags\nd,\ne,\n", &source(tags(Some(";")))),
        "test.csv: its 2 rows without a label cannot be evaluated; remove the file from the spec, and classify its texts with `taper predict \
         RUN --file FILE`"
    );
}
