//! Token ids. Expected values for the real vocabulary come from transformers 5.23.0.

use std::{fs, path::Path, sync::Arc};

use sha2::{Digest, Sha256};
use taper::{
    data::{Dataset, LengthStats, Row, Tokenizer, Tokens, read},
    task::Target,
};
use tempfile::TempDir;

use crate::data::{config, shared};

pub const VOCAB: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n好\n吃\n，\n##吃\npizza\npi\n##zz\n##a\nPi\ncafe\ncafé\ncaf\n##é\n!\n[unused1]\n";

pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

pub fn load(files: &[(&str, &str)]) -> Tokenizer {
    Tokenizer::from_folder(folder(files).path()).unwrap()
}

/// The message without the folder.
pub fn refused(files: &[(&str, &str)]) -> String {
    let dir = folder(files);
    let error = Tokenizer::from_folder(dir.path()).unwrap_err();
    error.to_string().replace(&format!("{}/", dir.path().display()), "")
}

pub fn spell(tokenizer: &Tokenizer, text: &str) -> String {
    tokenizer.tokens(&tokenizer.encode(text, 512).unwrap()).join(" ")
}

#[test]
fn vocab_txt_alone() {
    let tokenizer = load(&[("vocab.txt", VOCAB)]);
    assert_eq!(tokenizer.encode("好吃，PIZZA!", 512).unwrap(), [2, 5, 6, 7, 9, 18, 3]);
    assert_eq!(tokenizer.vocab_size(), 20);
    // A character that is not in the vocabulary; accents; white space and control characters; a piece that fails.
    assert_eq!(spell(&tokenizer, "馆好Café\u{200b}\t\u{3000}好 pizzab"), "[CLS] [UNK] 好 cafe 好 [UNK] [SEP]");
    assert_eq!(spell(&tokenizer, ""), "[CLS] [SEP]");
    // A special token in a text is one; an unused one is not.
    assert_eq!(spell(&tokenizer, "好[MASK]吃[unused1]"), "[CLS] 好 [MASK] 吃 [UNK] [UNK] [UNK] [SEP]");
}

#[test]
fn tokenizer_config_decides_about_case_accents_and_characters() {
    let with = |config| load(&[("vocab.txt", VOCAB), ("tokenizer_config.json", config)]);
    let cased = with(r#"{"do_lower_case": false, "cls_token": {"content": "[CLS]"}}"#);
    assert_eq!(spell(&cased, "Pizza cafe\u{301} café"), "[CLS] Pi ##zz ##a [UNK] café [SEP]");
    assert_eq!(spell(&with(r#"{"strip_accents": false}"#), "CAFÉ"), "[CLS] café [SEP]");
    assert_eq!(spell(&with(r#"{"do_lower_case": false, "strip_accents": true}"#), "café"), "[CLS] cafe [SEP]");
    assert_eq!(spell(&with(r#"{"tokenize_chinese_chars": false}"#), "好吃"), "[CLS] 好 ##吃 [SEP]");
    assert_eq!(spell(&with("{}"), "好吃"), "[CLS] 好 吃 [SEP]");
}

#[test]
fn long_texts_are_cut_before_sep() {
    let tokenizer = load(&[("vocab.txt", VOCAB)]);
    let text = "好吃".repeat(10);
    assert_eq!(tokenizer.encode(&text, 5).unwrap(), [2, 5, 6, 5, 3]);
    assert_eq!(tokenizer.encode(&text, 22).unwrap().len(), 22);
    assert_eq!(tokenizer.encode(&text, 2).unwrap(), [2, 3]);
    assert_eq!(tokenizer.encode(&text, 0).unwrap(), [2, 3]);
    let rows = lazy(&tokenizer, &[&text, "好"], 5);
    assert_eq!((rows.row(0).unwrap(), rows.row(1).unwrap()), ([2, 5, 6, 5, 3].as_slice(), [2, 5, 3].as_slice()));
    assert_eq!((rows.lengths(&[1, 0]).unwrap(), rows.whole_lengths().unwrap()), (vec![3, 5], vec![22, 3]));
}

/// Texts as the rows of a dataset, tokenised when they are looked at.
pub fn lazy(tokenizer: &Tokenizer, texts: &[impl AsRef<str>], max_length: usize) -> Tokens {
    let row =
        |text: &_| Row { line: 1, text: AsRef::<str>::as_ref(text).into(), text_pair: None, target: Target::Label(0) };
    let rows = texts.iter().map(row).collect();
    let dataset = Dataset { rows, ..Dataset::default() };
    Tokens::lazy(Arc::new(tokenizer.clone()), Arc::new(dataset), max_length)
}

#[test]
fn many_rows_come_in_order() {
    let tokenizer = load(&[("vocab.txt", VOCAB)]);
    let texts: Vec<String> = (0..2000).map(|i| "好".repeat(i % 7)).collect();
    let all = tokenizer.encode_all(&texts, 512).unwrap();
    assert!(all.len() == 2000 && (0..2000).all(|i| all[i] == tokenizer.encode(&texts[i], 512).unwrap()));
    assert!(tokenizer.encode_all::<&str>(&[], 512).unwrap().is_empty());
    // One after the other, all at once, or ahead: the same rows.
    let (one, ahead) = (lazy(&tokenizer, &texts, 512), Arc::new(lazy(&tokenizer, &texts, 512)));
    let _ahead = ahead.ahead((0..2000).rev().collect(), 2);
    assert!((0..2000).all(|i| all[i] == one.row(i).unwrap() && all[i] == ahead.row(i).unwrap()));
}

/// Where a tokenizer has nothing for what it does not know, texts can be refused, and are, each time.
#[test]
fn a_text_that_is_refused_is_named() {
    let file = tokenizer_json().replace(r#""unk_token": "[UNK]""#, r#""unk_token": "<?>""#);
    let strict = load(&[
        ("tokenizer.json", &file),
        ("tokenizer_config.json", r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#),
    ]);
    assert!(!strict.takes_any_text() && load(&[("vocab.txt", VOCAB)]).takes_any_text());
    let rows = lazy(&strict, &["好吃", "馆"], 512);
    assert_eq!(rows.row(0).unwrap(), [2, 5, 6, 3]);
    for error in [rows.row(1).unwrap_err(), rows.encode_all().unwrap_err(), rows.lengths(&[0, 1]).unwrap_err()] {
        assert!(error.to_string().starts_with("cannot tokenise \"馆\": "), "{error}");
    }
    assert!(strict.encode_all(&["好", "馆"], 512).is_err());
}

#[test]
fn line_ends_and_repeats_in_vocab_txt() {
    let crlf = load(&[("vocab.txt", &VOCAB.replace('\n', "\r\n"))]);
    assert_eq!(crlf.encode("好吃", 512).unwrap(), [2, 5, 6, 3]);
    // The last of equal lines counts, as in transformers, and no id moves.
    let repeated = load(&[("vocab.txt", "[UNK]\n好\n[CLS]\n[SEP]\n好\n吃")]);
    assert_eq!(repeated.encode("好吃[MASK]", 512).unwrap()[..3], [2, 4, 5]);
    assert_eq!(repeated.vocab_size(), 6);
    let again = TempDir::new().unwrap();
    repeated.save(again.path(), 512).unwrap();
    fs::remove_file(again.path().join("tokenizer.json")).unwrap();
    let again = Tokenizer::from_folder(again.path()).unwrap();
    assert_eq!(again.encode("好吃", 512).unwrap(), [2, 4, 5, 3]);
}

#[test]
fn folders_that_are_refused() {
    assert!(refused(&[]).ends_with(": no tokenizer here: expected tokenizer.json or vocab.txt"), "{}", refused(&[]));
    let lacks = |token: &str| format!("the vocabulary lacks {token}, without which BERT's input cannot be built");
    for token in ["[UNK]", "[CLS]", "[SEP]"] {
        let vocab = VOCAB.replace(&format!("{token}\n"), "");
        assert_eq!(refused(&[("vocab.txt", &vocab)]), format!("vocab.txt: {}", lacks(token)));
    }
    let error = Tokenizer::from_vocab(vec!["好".into()], true).unwrap_err();
    assert_eq!(error.to_string(), lacks("[UNK]"));
    assert!(refused(&[("vocab.txt", VOCAB), ("tokenizer.json", "{")]).starts_with("tokenizer.json: "));
    let wrong = refused(&[("vocab.txt", VOCAB), ("tokenizer_config.json", r#"{"do_lower_case": "yes"}"#)]);
    assert!(
        wrong.starts_with("tokenizer_config.json: `do_lower_case` is of the wrong type; expected true or false"),
        "{wrong}"
    );
    assert!(refused(&[("tokenizer.json", &tokenizer_json().replace("\"[SEP]\"", "\"</s>\""))]).contains("lacks [SEP]"));
    let template = tokenizer_json().replace(r#""sep": ["[SEP]", 3]"#, r#""sep": ["[CLS]", 2]"#);
    let fast = ("tokenizer_config.json", r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#);
    // The template of a tokenizer.json that decides alone may have any special tokens.
    assert_eq!(spell(&load(&[("tokenizer.json", &template), fast]), "好"), "[CLS] 好 [CLS]");
}

/// A cased tokenizer that pads and cuts.
pub fn tokenizer_json() -> String {
    let vocab: Vec<String> = VOCAB.lines().enumerate().map(|(id, token)| format!("{token:?}: {id}")).collect();
    format!(
        r#"{{
        "version": "1.0",
        "truncation": {{"direction": "Left", "max_length": 4, "strategy": "LongestFirst", "stride": 0}},
        "padding": {{"strategy": {{"Fixed": 9}}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}},
        "added_tokens": [],
        "normalizer": {{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": false}},
        "pre_tokenizer": {{"type": "BertPreTokenizer"}},
        "post_processor": {{"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}},
        "decoder": null,
        "model": {{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "\u0023#",
            "max_input_chars_per_word": 100, "vocab": {{{}}}}}
        }}"#,
        vocab.join(", ")
    )
}

#[test]
fn tokenizer_json_without_its_padding_and_truncation() {
    let json = tokenizer_json();
    let tokenizer = load(&[("tokenizer.json", &json), ("vocab.txt", "not looked at")]);
    assert_eq!(tokenizer.encode("好吃好吃Pizza", 512).unwrap(), [2, 5, 6, 5, 6, 13, 11, 12, 3]);
    assert_eq!(tokenizer.encode("好", 512).unwrap(), [2, 5, 3]);
    // tokenizer_config.json takes precedence, unless its class uses tokenizer.json unchanged.
    let with = |config| load(&[("tokenizer.json", &json), ("tokenizer_config.json", config)]);
    assert_eq!(
        spell(&with(r#"{"do_lower_case": true, "tokenizer_class": "BertTokenizer"}"#), "Pizza"),
        "[CLS] pizza [SEP]"
    );
    let other = with(r#"{"do_lower_case": true, "tokenizer_class": "PreTrainedTokenizerFast"}"#);
    assert_eq!(spell(&other, "Pizza"), "[CLS] Pi ##zz ##a [SEP]");
}

#[test]
fn saved_folders_load_again() {
    let cased = r#"{"do_lower_case": false, "strip_accents": true, "tokenize_chinese_chars": false}"#;
    let no_bert = tokenizer_json().replace(r#""clean_text": true"#, r#""clean_text": false"#);
    for (files, class) in [
        (vec![("vocab.txt", VOCAB)], "BertTokenizer"),
        (vec![("vocab.txt", VOCAB), ("tokenizer_config.json", cased)], "BertTokenizer"),
        (vec![("tokenizer.json", no_bert.as_str())], "PreTrainedTokenizerFast"),
    ] {
        let tokenizer = load(&files);
        let dir = TempDir::new().unwrap();
        tokenizer.save(dir.path(), 128).unwrap();
        let text = "好吃 Pizza café [MASK]\u{200b}！";
        let again = Tokenizer::from_folder(dir.path()).unwrap();
        assert_eq!(spell(&again, text), spell(&tokenizer, text));
        assert_eq!(fs::read_to_string(dir.path().join("vocab.txt")).unwrap(), VOCAB);
        let json = |name: &str| -> serde_json::Value {
            serde_json::from_slice(&fs::read(dir.path().join(name)).unwrap()).unwrap()
        };
        let config = json("tokenizer_config.json");
        assert_eq!((&config["tokenizer_class"], &config["model_max_length"]), (&class.into(), &128.into()));
        assert_eq!(json("special_tokens_map.json")["mask_token"], "[MASK]");
        // From vocab.txt and tokenizer_config.json alone it is the same too, where it is BERT's; any other needs the file.
        fs::remove_file(dir.path().join("tokenizer.json")).unwrap();
        match Tokenizer::from_folder(dir.path()) {
            Ok(again) => assert_eq!((class, spell(&again, text)), ("BertTokenizer", spell(&tokenizer, text))),
            Err(error) => {
                assert!(
                    class != "BertTokenizer" && error.to_string().contains("there is no tokenizer.json"),
                    "{error}"
                );
            }
        }
    }
    let error = load(&[("vocab.txt", VOCAB)]).save(Path::new("/nowhere/at/all"), 512).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/at/all/tokenizer.json: "), "{error}");
}

#[test]
fn a_new_vocabulary_spells_every_text() {
    let texts = ["好吃好吃，Pizza！", "pizza 好 Café", "café zap", "慢"];
    let vocab = Tokenizer::build_vocab(texts.into_iter(), 1000);
    let expected = [
        "[PAD]", "[UNK]", "[CLS]", "[SEP]",
        "[MASK]", // then characters: ##a occurs five times, ##z four, ##i twice …
        "##a", "##z", "好", "##e", "##f", "##i", "c", "p", "吃", "##p", "z", "慢", "！",
        "，", // then words: twice each
        "cafe", "pizza",
    ];
    assert_eq!(vocab, expected);
    let tokenizer = Tokenizer::from_vocab(vocab.clone(), true).unwrap();
    assert_eq!(tokenizer.vocab_size(), vocab.len());
    assert_eq!(spell(&tokenizer, texts[0]), "[CLS] 好 吃 好 吃 ， pizza ！ [SEP]");
    assert_eq!(spell(&tokenizer, texts[2]), "[CLS] cafe z ##a ##p [SEP]");
    // Words give way before characters do, and special tokens never.
    assert_eq!(Tokenizer::build_vocab(texts.into_iter(), 20), expected[..20]);
    let counted = std::sync::atomic::AtomicU64::new(0);
    let many = || (0..5000).map(|i| texts[i % texts.len()]);
    let vocab =
        Tokenizer::build_vocab_telling(many(), 20, &|n| _ = counted.fetch_add(n, std::sync::atomic::Ordering::Relaxed));
    assert_eq!((vocab, counted.into_inner()), (Tokenizer::build_vocab(many(), 20), 5000));
    assert_eq!(Tokenizer::build_vocab(texts.into_iter(), 7), expected[..7]);
    assert_eq!(Tokenizer::build_vocab(texts.into_iter(), 0), expected[..5]);
    assert_eq!(Tokenizer::build_vocab(std::iter::empty(), 100), expected[..5]);
    // What WordPiece takes for unknown anyway gets no tokens.
    let long = ["x".repeat(101), "y".repeat(100)];
    assert_eq!(Tokenizer::build_vocab(long.iter().map(String::as_str), 100)[5..], ["##y", "y"]);
}

/// SHA-256 over the ids of all rows, a line each, as numbers with a space between.
fn digest(tokens: &[Vec<u32>]) -> String {
    let mut hash = Sha256::new();
    for row in tokens {
        let ids: Vec<String> = row.iter().map(u32::to_string).collect();
        hash.update(ids.join(" ") + "\n");
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digests are those of `BertTokenizer` (transformers 5.23.0) on every row of pandas' `read_csv(…).dropna()`:
/// `tok(text, truncation=True, max_length=L)["input_ids"]` in a folder with the vocabulary as vocab.txt and
/// `{"do_lower_case": …, "tokenizer_class": "BertTokenizer"}` as tokenizer_config.json, hashed by
/// `h.update((" ".join(map(str, ids)) + "\n").encode())`.
#[test]
fn ids_are_those_of_transformers_on_every_waimai_row() {
    let (Some(csv), Some(vocab)) = (shared("data/waimai_10k.csv"), shared("data/bert-base-chinese-vocab.txt")) else {
        return;
    };
    let vocab = fs::read_to_string(vocab).unwrap();
    let data = read(&csv, &config()).unwrap();
    let uncased = load(&[("vocab.txt", &vocab), ("tokenizer_config.json", r#"{"do_lower_case": true}"#)]);
    let cased = load(&[("vocab.txt", &vocab), ("tokenizer_config.json", r#"{"do_lower_case": false}"#)]);
    let whole = uncased.encode_all(&data.rows, 512).unwrap();
    assert_eq!(digest(&whole), "95c5c3264ead7aca96a1fb6ecc386f061eec925c1d8e32cab4309bde0dff44dd");
    assert_eq!(
        digest(&uncased.encode_all(&data.rows, 32).unwrap()),
        "1251b88cf75cc8c3ab0a911e663c1e9456542aba4f3b535c0d996fab11ee08d2"
    );
    assert_eq!(
        digest(&cased.encode_all(&data.rows, 512).unwrap()),
        "bcb49ee633afa95dc2538fb02da7017fdde7e4169c4e0107c7a9659c0803e842"
    );
    assert_eq!((uncased.vocab_size(), whole.iter().map(Vec::len).sum::<usize>()), (21_128, 322_072));
    let lengths = LengthStats::new(whole.iter().map(Vec::len).collect(), 128);
    assert_eq!((lengths.p50, lengths.p90, lengths.p99, lengths.max, lengths.truncated), (19, 52, 128, 458, 117));

    // A folder that was saved, and a vocabulary of one's own.
    let dir = TempDir::new().unwrap();
    uncased.save(dir.path(), 512).unwrap();
    let saved = fs::read_to_string(dir.path().join("vocab.txt")).unwrap();
    assert!(saved.lines().eq(vocab.lines().map(str::trim_end))); // one token is a space
    assert_eq!(Tokenizer::from_folder(dir.path()).unwrap().encode_all(&data.rows, 512).unwrap(), whole);
    let own = Tokenizer::build_vocab(data.rows.iter().map(AsRef::as_ref), 1_000_000);
    let own = Tokenizer::from_vocab(own, true).unwrap().encode_all(&data.rows, 512).unwrap();
    let unknown = own.iter().flatten().filter(|&&id| id == 1).count();
    assert_eq!(unknown, 0);
}
