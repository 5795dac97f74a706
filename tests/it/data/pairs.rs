//! Pairs of texts and texts of several columns: how they are read from files of every layout, and their tokens beside transformers'.

use std::{collections::BTreeMap, fs, path::Path};

use rayon::prelude::*;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use taper::{
    data::{Cleaning, DataError, Layout, Origin, RowText, TextColumns, Tokenizer, read, stream_texts},
    plan::DataConfig,
};
use tempfile::TempDir;

use crate::data::{
    config, file, shared,
    tokenizing::{VOCAB, folder, load},
};

/// Written by tests/fixtures/pairs.py with transformers 5.23.0.
#[derive(Deserialize)]
pub struct Fixture {
    pairs: u32,
    chinese: Vec<String>,
    english: Vec<String>,
    mixed: Vec<String>,
    /// The first pairs.
    shown: Vec<(String, String)>,
    /// With BERT's own Chinese vocabulary.
    real: Results,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    files: BTreeMap<String, String>,
    #[serde(flatten)]
    results: Results,
}

#[derive(Deserialize)]
struct Results {
    /// Of all pairs, by the length that they are cut to.
    digests: BTreeMap<String, String>,
    /// The first pairs, cut to 17 tokens.
    first: Vec<String>,
}

impl Fixture {
    pub fn read() -> Self {
        serde_json::from_str(include_str!("../../fixtures/pairs.json")).unwrap()
    }

    pub fn text(&self, random: &mut impl Iterator<Item = usize>) -> String {
        let mut draw = || random.next().unwrap();
        let (words, between) = [(&self.chinese, ""), (&self.english, " "), (&self.mixed, " ")][draw() % 3];
        let (count, is_long) = (draw(), draw() % 4 == 0);
        let count = 1 + count % if is_long { 40 } else { 9 };
        (0..count).map(|_| words[draw() % words.len()].as_str()).collect::<Vec<_>>().join(between)
    }

    /// All pairs, by the rule of the script.
    fn pairs(&self) -> Vec<(String, String)> {
        let pair = |number: u32| {
            let mut random = numbers(number);
            (self.text(&mut random), self.text(&mut random))
        };
        (0..self.pairs).map(pair).collect()
    }
}

/// Numbers that look random, by the rule of the script.
pub fn numbers(number: u32) -> impl Iterator<Item = usize> {
    let mut state = number.wrapping_mul(2_654_435_761).wrapping_add(12345);
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as usize
    })
}

/// Ids and token types of a pair, as the script writes them.
fn line(tokenizer: &Tokenizer, (a, b): &(String, String), length: usize) -> String {
    let encoded = tokenizer.encode_counted((a.as_str(), b.as_str()), length).unwrap();
    let types = if encoded.token_types.is_empty() { vec![0; encoded.ids.len()] } else { encoded.token_types };
    let words = |numbers: &[u32]| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    format!("{}|{}", words(&encoded.ids), words(&types))
}

/// Where the tokens of the pairs are others than transformers': at all lengths, or at the least one.
fn wrong(
    name: &str,
    tokenizer: &Tokenizer,
    pairs: &[(String, String)],
    results: &Results,
    lengths: usize,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for ((pair, expected), number) in pairs.iter().zip(&results.first).zip(0..) {
        let found = line(tokenizer, pair, 17);
        if found != *expected {
            wrong.push(format!("{name}, pair {number} {pair:?}: {found}, expected {expected}"));
        }
    }
    let mut digests: Vec<(usize, &String)> =
        results.digests.iter().map(|(length, digest)| (length.parse().unwrap(), digest)).collect();
    digests.sort_unstable();
    for (length, expected) in digests.into_iter().take(lengths) {
        let lines: Vec<String> = pairs.par_iter().map(|pair| line(tokenizer, pair, length) + "\n").collect();
        let found: String = Sha256::digest(lines.concat()).iter().map(|byte| format!("{byte:02x}")).collect();
        if found != *expected {
            wrong.push(format!("{name}: other ids or token types at {length} tokens"));
        }
    }
    wrong
}

#[test]
fn ids_and_token_types_are_those_of_auto_tokenizer_and_stay_so_when_saved() {
    let fixture = Fixture::read();
    let pairs = fixture.pairs();
    assert_eq!((pairs.len(), &pairs[..fixture.shown.len()]), (2000, &fixture.shown[..]));
    assert!(fixture.cases.len() > 12);
    let mut faults = Vec::new();
    for Case { name, files, results } in &fixture.cases {
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let tokenizer = load(&files);
        faults.extend(wrong(name, &tokenizer, &pairs, results, 3));
        let saved = TempDir::new().unwrap();
        tokenizer.save(saved.path(), 512).unwrap();
        let again = Tokenizer::from_folder(saved.path()).unwrap();
        faults.extend(wrong(&format!("{name}, saved"), &again, &pairs, results, 1));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn ids_and_token_types_with_the_vocabulary_of_bert_are_those_of_transformers() {
    let Some(vocab) = shared("data/bert-base-chinese-vocab.txt") else { return };
    let fixture = Fixture::read();
    let vocab = fs::read_to_string(vocab).unwrap();
    let tokenizer =
        load(&[("vocab.txt", &vocab), ("tokenizer_config.json", r#"{"tokenizer_class": "BertTokenizer"}"#)]);
    let pairs = fixture.pairs();
    let mut faults = wrong("vocab.txt", &tokenizer, &pairs, &fixture.real, 3);
    let saved = TempDir::new().unwrap();
    tokenizer.save(saved.path(), 512).unwrap();
    fs::remove_file(saved.path().join("vocab.txt")).unwrap();
    let again = Tokenizer::from_folder(saved.path()).unwrap();
    faults.extend(wrong("tokenizer.json", &again, &pairs, &fixture.real, 3));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Of a very long text only the beginning is looked at: the tokens are the same, also where both texts are cut and one keeps the odd
/// token.
#[test]
fn long_texts_of_a_pair_are_cut_like_short_ones() {
    let tokenizer = load(&[("vocab.txt", VOCAB)]);
    let (long, longer) = ("好吃 ".repeat(30_000), "吃，".repeat(40_000));
    let types_of = |kept: [usize; 2]| [vec![0; kept[0] + 2], vec![1; kept[1] + 1]].concat();
    for (a, b, most, kept) in [
        (&long, &longer, 16, [6, 7]),
        (&longer, &long, 16, [7, 6]),
        (&long, &long, 16, [6, 7]),
        (&long, &longer, 15, [6, 6]),
        (&"好".to_owned(), &longer, 16, [1, 12]),
        (&longer, &"好吃".to_owned(), 16, [11, 2]),
    ] {
        let encoded = tokenizer.encode_counted((a.as_str(), b.as_str()), most).unwrap();
        let bodies = [a, b].map(|text| tokenizer.encode_whole(text).unwrap());
        let expected = [&[2], &bodies[0][..kept[0]], &[3], &bodies[1][..kept[1]], &[3]].concat();
        assert_eq!((encoded.ids, encoded.token_types), (expected, types_of(kept)), "to {most}");
        let whole = bodies[0].len() + bodies[1].len() + 3;
        assert!(encoded.whole > most && (encoded.whole == whole || encoded.or_more), "{} of {whole}", encoded.whole);
    }
}

#[test]
fn a_tokenizer_that_cannot_join_two_texts_says_so() {
    let template = r#"{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}}"#;
    let file = Fixture::read().cases.into_iter().find(|case| case.name == "file decides, with types").unwrap();
    let mut files = file.files;
    let mut json: serde_json::Value = serde_json::from_str(&files["tokenizer.json"]).unwrap();
    json["post_processor"] = serde_json::from_str(template).unwrap();
    files.insert("tokenizer.json".into(), json.to_string());
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let dir = folder(&files);
    let tokenizer = Tokenizer::from_folder(dir.path()).unwrap();
    assert_eq!(tokenizer.encode("好", 16).unwrap().len(), 3, "one text is as always");
    let error = tokenizer.largest_token_type().unwrap_err().to_string();
    assert!(error.contains("tokenizer.json") && error.contains("does more with two texts"), "{error}");
}

/// Title, body, second text and label of rows that lack one thing or another.
const ROWS: [[&str; 4]; 8] = [
    ["标题", "正文", "回答", "1"],
    ["", "只有正文", "回答", "0"],
    ["只有标题", "  ", "回答二", "1"],
    ["", "", "回答", "0"],
    ["标题", "正文", "", "0"],
    ["标题", "正文", " ", "1"],
    ["标题", "正文", "另一个", "0"],
    ["标题", "正文", "回答", ""],
];

fn pairs_config() -> DataConfig {
    DataConfig {
        text_column: String::new(),
        text_columns: vec!["title".into(), "body".into()],
        separator: Some("｜".into()),
        text_pair_column: Some("reply".into()),
        ..config()
    }
}

/// The rows in every layout. JSON has its fields in another order, and null or no field where a cell is empty.
fn layouts() -> Vec<(&'static str, String)> {
    let fields = ["title", "body", "reply", "label"];
    let delimited = |by: &str| {
        let rows = ROWS.iter().map(|row| row.join(by));
        std::iter::once(fields.join(by)).chain(rows).map(|line| line + "\n").collect::<String>()
    };
    let object = |row: &[&str; 4]| {
        let present = fields.iter().zip(row).rev().filter(|(_, cell)| !cell.is_empty());
        let mut object: Vec<String> = present.map(|(name, cell)| format!("\"{name}\": \"{cell}\"")).collect();
        if row[1].is_empty() {
            object.push("\"body\": null".into());
        }
        format!("{{{}}}", object.join(", "))
    };
    let objects: Vec<String> = ROWS.iter().map(object).collect();
    vec![
        ("a.csv", delimited(",")),
        ("a.tsv", delimited("\t")),
        ("a.jsonl", objects.join("\n") + "\n"),
        ("a.json", format!("[\n{}\n]", objects.join(",\n"))),
    ]
}

#[test]
fn every_layout_gives_the_same_pairs() {
    for (name, text) in layouts() {
        let (_dir, path) = file(name, text.as_bytes());
        let data = read(&path, &pairs_config()).unwrap();
        let texts: Vec<_> =
            data.rows.iter().map(|row| (row.text.as_str(), row.text_pair.as_deref().unwrap())).collect();
        let expected = [("标题｜正文", "回答"), ("只有正文", "回答"), ("只有标题", "回答二"), ("标题｜正文", "另一个")];
        assert_eq!(texts, expected, "{name}");
        let Cleaning { read: rows, missing_text, missing_pair, missing_label, .. } = data.cleaning;
        assert_eq!((rows, missing_text, missing_pair, missing_label), (8, 1, 2, 1), "{name}");
        let first = data.rows[0].line;
        assert_eq!(data.cleaning.missing_pair_lines, [first + 4, first + 5], "{name}");
        assert_eq!(
            (data.cleaning.duplicates, data.cleaning.contradicting),
            (0, 0),
            "{name}: another answer is another row"
        );

        let one = DataConfig { text_pair_column: None, separator: None, ..pairs_config() };
        let data = read(&path, &one).unwrap();
        assert_eq!(
            data.rows[0],
            taper::data::Row { text: "标题 正文".into(), text_pair: None, ..data.rows[0].clone() }
        );
        assert_eq!((data.rows.len(), data.cleaning.duplicates, data.cleaning.contradicting), (6, 3, 1), "{name}");
    }
}

#[test]
fn files_to_classify_have_pairs_too() {
    let columns = TextColumns::from(&pairs_config());
    for (name, text) in layouts() {
        let (_dir, path) = file(name, text.as_bytes());
        let texts = stream_texts(&Origin::File(path), &Layout::default(), columns.clone()).unwrap();
        assert!(texts.has_pairs());
        let found: Vec<_> = texts.collect();
        let blank = |row: usize| found[row].as_ref().map(|row| row.is_blank).ok();
        let is_json = name.starts_with("a.json");
        // In JSON an absent field is an error in its row; of several that are joined, one is enough.
        assert_eq!(
            [blank(0), blank(1), blank(5), blank(6)],
            [Some(false), Some(false), Some(true), Some(false)],
            "{name}"
        );
        assert_eq!((blank(3), blank(4)), (Some(true), if is_json { None } else { Some(true) }), "{name}");
        let row = found[6].as_ref().unwrap();
        assert_eq!(RowText::from(row), ("标题｜正文", "另一个").into(), "{name}");
    }
}

fn error(name: &str, text: &str, config: &DataConfig) -> String {
    let (dir, path) = file(name, text.as_bytes());
    let error = read(&path, config).unwrap_err().to_string();
    error.replace(&format!("{}/", dir.path().display()), "")
}

#[test]
fn absent_columns_and_wrong_values_are_named_with_their_key() {
    let config = pairs_config();
    assert_eq!(
        error("a.csv", "title,reply,label\na,b,1\n", &config),
        "a.csv: no column `body`, which data.text_columns names; columns found: title, reply, label"
    );
    assert_eq!(
        error("a.csv", "title,body,replies,label\na,b,c,1\n", &config),
        "a.csv: no column `reply`, which data.text_pair_column names; columns found: title, body, replies, label; did you mean `replies`?"
    );
    let object = r#"{"title": "a", "body": "b", "label": 1}"#;
    assert!(
        error("a.jsonl", object, &config)
            .starts_with("a.jsonl: no object has a field `reply`, which data.text_pair_column names")
    );
    let object = r#"{"title": "a", "reply": "b", "label": 1}"#;
    assert!(
        error("a.jsonl", object, &config)
            .starts_with("a.jsonl: no object has a field `body`, which data.text_columns names")
    );
    let object = r#"{"title": "a", "body": "b", "reply": 3, "label": 1}"#;
    assert!(error("a.jsonl", object, &config).contains("line 1: `reply` is the number 3, expected a string"));
    let none = "title,body,reply,label\na,b,,1\n";
    assert_eq!(
        error("a.csv", none, &config),
        "a.csv: no usable rows: 1 read, of which 0 without a text, 1 without a second text and 0 without a label; check the columns that were read: `title`, `body`, `reply`, `label`"
    );
    let missing: DataError = read(Path::new("nowhere.csv"), &config).unwrap_err();
    assert!(matches!(missing, DataError::Io { .. }));
}
