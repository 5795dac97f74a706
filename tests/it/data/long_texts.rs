//! Windows and ends of long texts: their tokens beside transformers', and their rows.

use std::{collections::BTreeSet, fs, sync::Arc};

use rayon::prelude::*;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use taper::{
    data::{Dataset, Row, Tokenizer, Tokens, Window, batch, split},
    event::{Split, SplitTexts, TextLengths},
    plan::{LongPolicy, LongTexts},
    task::Target,
};

use crate::data::{
    config,
    pairs::{Fixture, numbers},
    shared,
    tokenizing::{VOCAB, load},
};

/// Written by tests/fixtures/long_texts.py with transformers 5.23.0.
#[derive(Deserialize)]
struct LongFixture {
    texts: u32,
    small: Results,
    /// With `truncation_side` `left`.
    left: Results,
    /// With BERT's own Chinese vocabulary.
    real: Results,
}

#[derive(Deserialize)]
struct Results {
    /// (max_length, stride, digest).
    windows: Vec<(usize, usize, String)>,
    /// (max_length, head_tokens, digest).
    ends: Vec<(usize, usize, String)>,
    /// The first texts in windows of 17 that share 4.
    first: Vec<String>,
}

impl LongFixture {
    fn read() -> Self {
        serde_json::from_str(include_str!("../../fixtures/long_texts.json")).unwrap()
    }

    /// All texts, by the rule of the script.
    fn texts(&self) -> Vec<String> {
        let words = Fixture::read();
        let text = |number| {
            let mut random = numbers(number);
            let parts = 1 + random.next().unwrap() % 40;
            (0..parts).map(|_| words.text(&mut random)).collect::<Vec<_>>().join(" ")
        };
        (0..self.texts).map(text).collect()
    }
}

/// The windows of a text, as the script writes them.
fn line(tokenizer: &Tokenizer, text: &str, long: LongTexts) -> String {
    let read = tokenizer.encode_long(text, long).unwrap();
    let window = |window: Window<'_>| {
        assert!(window.tokens() <= long.max_length && window.token_types.is_empty());
        window.ids.concat().iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
    };
    read.windows().map(window).collect::<Vec<_>>().join(" | ")
}

fn check(name: &str, files: &[(&str, &str)], texts: &[String], results: &Results) {
    let tokenizer = load(files);
    let windows = |max_length, stride| LongTexts { max_length, policy: LongPolicy::Windows { stride } };
    for (text, expected) in texts.iter().zip(&results.first) {
        assert_eq!(line(&tokenizer, text, windows(17, 4)), *expected, "{name}: {text}");
    }
    let ends = |max_length, head| LongTexts { max_length, policy: LongPolicy::HeadTail { head } };
    let cases = results.windows.iter().map(|(length, stride, digest)| (windows(*length, *stride), digest));
    for (long, expected) in
        cases.chain(results.ends.iter().map(|(length, head, digest)| (ends(*length, *head), digest)))
    {
        let lines: Vec<String> = texts.par_iter().map(|text| line(&tokenizer, text, long) + "\n").collect();
        let found: String = Sha256::digest(lines.concat()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(found, *expected, "{name}, {long:?}");
    }
}

const BERT: &str = r#"{"tokenizer_class": "BertTokenizer"}"#;
const LEFT: &str = r#"{"tokenizer_class": "BertTokenizer", "truncation_side": "left"}"#;

#[test]
fn windows_and_ends_of_texts_are_those_of_transformers() {
    let fixture = LongFixture::read();
    let texts = fixture.texts();
    let words = vocabulary();
    check("cut right", &[("vocab.txt", &words), ("tokenizer_config.json", BERT)], &texts, &fixture.small);
    check("cut left", &[("vocab.txt", &words), ("tokenizer_config.json", LEFT)], &texts, &fixture.left);
    let Some(real) = shared("data/bert-base-chinese-vocab.txt") else { return };
    let real = fs::read_to_string(real).unwrap();
    check("BERT's", &[("vocab.txt", &real), ("tokenizer_config.json", BERT)], &texts, &fixture.real);
}

/// The vocabulary of tests/fixtures/tokenizer_files.py.
fn vocabulary() -> String {
    let files: serde_json::Value = serde_json::from_str(include_str!("../../fixtures/pairs.json")).unwrap();
    files["cases"][0]["files"]["vocab.txt"].as_str().unwrap().to_owned()
}

/// Rows of 0, 1, … characters, each a token, with two labels.
fn rows(lengths: &[usize]) -> Dataset {
    let row = |(i, &length): (usize, &usize)| Row {
        line: i as u64 + 2,
        text: "好吃".chars().cycle().take(length).collect::<String>().into(),
        text_pair: None,
        target: Target::Label(i as u32 % 2),
    };
    let labels = ["a", "b"].map(String::from).to_vec();
    Dataset { rows: lengths.iter().enumerate().map(row).collect(), labels, ..Dataset::default() }
}

fn read(dataset: &Dataset, long: LongTexts) -> Tokens {
    Tokens::of(Arc::new(load(&[("vocab.txt", VOCAB)])), Arc::new(dataset.clone()), long, taper::data::silent()).unwrap()
}

const WINDOWS: LongTexts = LongTexts { max_length: 6, policy: LongPolicy::Windows { stride: 1 } };

#[test]
fn windows_are_numbered_row_by_row_and_have_the_target_of_their_row() {
    let dataset = rows(&[4, 5, 1, 10]);
    let tokens = read(&dataset, WINDOWS);
    assert_eq!(*tokens.windows(&[0, 1, 2, 3]), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!((tokens.windows(&[3, 1]).into_owned(), tokens.count_windows(&[3, 1])), (vec![4, 5, 6, 1, 2], 5));
    assert_eq!((0..7).map(|window| tokens.row_of(window)).collect::<Vec<_>>(), [0, 1, 1, 2, 3, 3, 3]);
    assert_eq!((0..7).map(|window| tokens.row_and_index(window).1).collect::<Vec<_>>(), [0, 0, 1, 0, 0, 1, 2]);
    assert_eq!(tokens.lengths(&[0, 1, 2, 3, 6]).unwrap(), [6, 6, 4, 3, 6]);
    let batch = batch(&dataset, &tokens, &[2, 6, 3]).unwrap();
    assert_eq!(batch.ids, [2, 6, 5, 3, 2, 5, 6, 5, 6, 3, 2, 5, 3]);
    assert_eq!(batch.positions, [0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 0, 1, 2]);
    assert_eq!((batch.offsets, batch.rows), (vec![0, 4, 10, 13], vec![1, 3, 2]));
    assert_eq!(batch.targets, [1, 1, 0].map(Target::Label));
    // Without a long row, windows are rows.
    let short = read(&rows(&[4, 3]), WINDOWS);
    assert_eq!((short.windows(&[1, 0]).into_owned(), short.row_and_index(1)), (vec![1, 0], (1, 0)));
}

#[test]
fn tokens_that_are_cut_are_counted() {
    let dataset = rows(&[4, 5, 1, 10]);
    let of = |long: LongTexts| read(&dataset, long).texts(Split::Train, &[3, 0, 1]).unwrap();
    let lengths = Some(TextLengths { median: 7, p95: 12, longest: 12 });
    let whole = SplitTexts { tokens: 19 + 6, lengths, ..SplitTexts::new(Split::Train, 3) };
    let cut = SplitTexts { rows_cut: 2, tokens_cut: 6 + 1, ..whole };
    assert_eq!(of(LongTexts::from(6)), cut);
    assert_eq!(of(LongTexts { policy: LongPolicy::HeadTail { head: 1 }, ..WINDOWS }), cut);
    assert_eq!(of(WINDOWS), SplitTexts { windows: 3 + 1 + 2, ..whole });
    assert_eq!(of(LongTexts::from(12)), whole);
}

/// A run that ended early has not tokenised all rows: they are neither tokenised nor counted afterwards, even if that would fail.
#[test]
fn only_rows_that_are_tokenised_are_counted() {
    let tokens = read(&rows(&[4, 5, 1, 10]), LongTexts::from(6));
    let none = SplitTexts { uncounted: 3, ..SplitTexts::new(Split::Train, 3) };
    assert_eq!(tokens.texts_so_far(Split::Train, &[3, 0, 1]), none);
    tokens.row(3).unwrap();
    let lengths = Some(TextLengths { median: 12, p95: 12, longest: 12 });
    let one = SplitTexts { tokens: 12, rows_cut: 1, tokens_cut: 6, uncounted: 2, lengths, ..none };
    assert_eq!(tokens.texts_so_far(Split::Train, &[3, 0, 1]), one);
    assert_eq!(format!("{tokens:?}"), "Tokens(1 of 4 rows)");
    let all = tokens.texts(Split::Train, &[3, 0, 1]).unwrap();
    assert_eq!((all.uncounted, tokens.texts_so_far(Split::Train, &[3, 0, 1])), (0, all));
}

/// Rows are split before they are cut into windows: no row has windows in two splits.
#[test]
fn the_windows_of_a_row_are_in_one_split() {
    let dataset = rows(&(0..60).map(|i| i % 23).collect::<Vec<_>>());
    let mut config = config();
    (config.test, config.dev) = (0.3.into(), 0.2.into());
    let splits = split(&dataset, &config).unwrap();
    let tokens = read(&dataset, WINDOWS);
    let rows_of = |rows: &[u32]| {
        let windows = tokens.windows(rows);
        assert!(windows.len() > rows.len(), "some rows have several windows");
        windows.iter().map(|&window| tokens.row_of(window)).collect::<BTreeSet<u32>>()
    };
    let [train, dev, test] = [&splits.train, &splits.dev, &splits.test].map(|rows| rows_of(rows));
    assert!(train.is_disjoint(&dev) && train.is_disjoint(&test) && dev.is_disjoint(&test));
    assert_eq!(train.len() + dev.len() + test.len(), 60);
    let all: Vec<u32> = (0..60).collect();
    let mut windows =
        [&splits.train[..], &splits.dev, &splits.test].map(|rows| tokens.windows(rows).into_owned()).concat();
    windows.sort_unstable();
    assert_eq!(windows, *tokens.windows(&all));
}
