//! The files beside a vocabulary: what they say decides about ids as in transformers, and what taper cannot follow is refused.

use std::{collections::BTreeMap, fs};

use serde::Deserialize;
use serde_json::{Value, json};
use taper::{
    data::Tokenizer,
    plan::{LongPolicy, LongTexts},
};
use tempfile::TempDir;

use crate::data::tokenizing::{VOCAB, folder, load, refused, spell, tokenizer_json};

/// Written by tests/fixtures/tokenizer_files.py with transformers 5.23.0.
#[derive(Deserialize)]
struct Fixture {
    texts: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    files: BTreeMap<String, String>,
    ids: Option<Vec<Vec<u32>>>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../../fixtures/tokenizer_files.json")).unwrap()
}

fn warnings(tokenizer: &Tokenizer) -> Vec<&str> {
    tokenizer.warnings().iter().map(|warning| warning.message.as_str()).collect()
}

#[test]
fn ids_are_those_of_auto_tokenizer_and_stay_so_when_saved() {
    let Fixture { texts, cases } = fixture();
    assert!(cases.len() > 50);
    let mut wrong = Vec::new();
    for Case { name, files, ids } in cases {
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let dir = folder(&files);
        let tokenizer = match Tokenizer::from_folder(dir.path()) {
            Ok(tokenizer) => tokenizer,
            Err(error) => {
                if ids.is_some() {
                    wrong.push(format!("{name}: refused: {error}"));
                }
                continue;
            }
        };
        let Some(ids) = ids else {
            wrong.push(format!("{name}: transformers refuses it"));
            continue;
        };
        let saved = TempDir::new().unwrap();
        tokenizer.save(saved.path(), 512).unwrap();
        let again = Tokenizer::from_folder(saved.path()).unwrap();
        if !warnings(&again).is_empty() {
            wrong.push(format!("{name}: saved, it warns: {:?}", warnings(&again)));
        }
        for (text, expected) in texts.iter().zip(&ids) {
            for (tokenizer, what) in [(&tokenizer, "loaded"), (&again, "saved and loaded")] {
                let found = tokenizer.encode(text, 16).unwrap();
                if found != *expected {
                    wrong.push(format!("{name}, {what}: {text:?} is {found:?}, expected {expected:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tokenizers_of_other_kinds_are_refused_by_name() {
    let with = |config: Value| refused(&[("vocab.txt", VOCAB), ("tokenizer_config.json", &config.to_string())]);
    for class in
        ["BertJapaneseTokenizer", "RoFormerTokenizerFast", "BartTokenizer", "XLNetTokenizer", "KoBertTokenizer"]
    {
        let text = with(json!({ "tokenizer_class": class }));
        assert!(text.starts_with(&format!("tokenizer_config.json: tokenizer_class is `{class}`")), "{text}");
        let model = json!({ "model_type": "bert", "tokenizer_class": class }).to_string();
        let text = refused(&[("vocab.txt", VOCAB), ("config.json", &model)]);
        assert!(text.starts_with(&format!("config.json: tokenizer_class is `{class}`")), "{text}");
    }
    // Where no file names a class, the type of the model does.
    for (model_type, class, vocabulary) in [
        ("roberta", "RobertaTokenizer", "vocab.json with merges.txt"),
        ("xlm-roberta", "XLMRobertaTokenizer", "sentencepiece.bpe.model"),
        ("camembert", "CamembertTokenizer", "sentencepiece.bpe.model"),
        ("deberta-v2", "DebertaV2Tokenizer", "spm.model"),
        ("albert", "AlbertTokenizer", "spiece.model"),
    ] {
        let model = json!({ "model_type": model_type }).to_string();
        let text = refused(&[("vocab.txt", VOCAB), ("config.json", &model)]);
        assert!(
            text.contains(&format!("expected tokenizer.json or {vocabulary} ({class}); vocab.txt is there")),
            "{text}"
        );
        let text = refused(&[("tokenizer.json", tokenizer_json().as_str()), ("config.json", &model)]);
        assert!(text.contains(&format!("of the type WordPiece, from which {class} builds no tokenizer")), "{text}");
    }
    // A class that rebuilds what it reads is not its tokenizer.json.
    let japanese = json!({ "tokenizer_class": "BertJapaneseTokenizer" }).to_string();
    refused(&[("tokenizer.json", &tokenizer_json()), ("tokenizer_config.json", &japanese)]);
    for class in ["PreTrainedTokenizerFast", "TokenizersBackend"] {
        assert!(with(json!({ "tokenizer_class": class })).contains("there is no tokenizer.json"));
    }
    for (key, value) in [
        ("tokenizer_class", json!("")),
        ("word_tokenizer_type", json!("mecab")),
        ("sp_model_kwargs", json!({ "nbest": 1 })),
        ("init_inputs", json!([1])),
        ("vocab", json!({ "a": 1 })),
        ("auto_map", json!({ "AutoTokenizer": ["tokenization.MyTokenizer", null] })),
        ("fast_tokenizer_files", json!(["tokenizer.4.0.json", "tokenizer.json"])),
    ] {
        let text = with(json!({ key: value }));
        assert!(text.starts_with("tokenizer_config.json: ") && text.contains(&format!("`{key}`")), "{text}");
    }
}

/// As Chinese ALBERTs of the hub have it; of a model type alone AutoTokenizer takes the class.
#[test]
fn a_vocabulary_of_berts_is_read_with_any_model_type_where_a_file_names_its_class() {
    let ids = |files: &[(&str, &str)]| {
        let dir = folder(&[&[("vocab.txt", VOCAB)], files].concat());
        let tokenizer = Tokenizer::from_folder(dir.path()).unwrap_or_else(|error| panic!("{error}"));
        tokenizer.encode("好吃 not", 16).unwrap()
    };
    let (class, albert) = (r#"{"tokenizer_class": "BertTokenizer"}"#, r#"{"model_type": "albert"}"#);
    let both = r#"{"model_type": "albert", "tokenizer_class": "BertTokenizer"}"#;
    let want = ids(&[]);
    assert_eq!(ids(&[("config.json", albert), ("tokenizer_config.json", class)]), want);
    assert_eq!(ids(&[("config.json", both)]), want);
    let text = refused(&[("vocab.txt", VOCAB), ("config.json", albert)]);
    assert!(text.ends_with("write \"tokenizer_class\": \"BertTokenizer\" in tokenizer_config.json"), "{text}");
}

#[test]
fn keys_of_the_wrong_kind_name_themselves() {
    for (file, key, value) in [
        ("tokenizer_config.json", "do_lower_case", json!({ "do_lower_case": "yes" })),
        ("tokenizer_config.json", "truncation_side", json!({ "truncation_side": "middle" })),
        ("tokenizer_config.json", "cls_token", json!({ "cls_token": 7 })),
        (
            "tokenizer_config.json",
            "added_tokens_decoder",
            json!({ "added_tokens_decoder": { "x": { "content": "a" } } }),
        ),
        ("tokenizer_config.json", "extra_special_tokens", json!({ "extra_special_tokens": "<e>" })),
        ("added_tokens.json", "<e>", json!({ "<e>": "7" })),
    ] {
        let text = refused(&[("vocab.txt", VOCAB), (file, &value.to_string())]);
        assert!(text.starts_with(&format!("{file}: `{key}` is of the wrong type; expected ")), "{text}");
    }
}

#[test]
fn settings_without_effect_give_a_warning() {
    let with = |config: Value| load(&[("vocab.txt", VOCAB), ("tokenizer_config.json", &config.to_string())]);
    for (config, words) in [
        (json!({ "never_split": ["pizza"] }), "`never_split` is [\"pizza\"]"),
        (json!({ "do_basic_tokenize": false }), "`do_basic_tokenize` is false"),
        (json!({ "wordpieces_prefix": "@@" }), "`wordpieces_prefix` is \"@@\""),
        (json!({ "lower_cose": true }), "`lower_cose` is a key that neither"),
    ] {
        let tokenizer = with(config);
        assert!(warnings(&tokenizer).iter().any(|text| text.contains(words)), "{words}: {:?}", warnings(&tokenizer));
    }
    let usual = json!({
        "do_lower_case": false, "never_split": null, "do_basic_tokenize": true, "name_or_path": "x", "padding_side": "left",
        "model_max_length": 512, "special_tokens_map_file": null, "tokenizer_class": "BertTokenizerFast", "clean_text": true
    });
    assert_eq!(warnings(&with(usual)), [""; 0]);
    assert_eq!(with(json!({ "model_max_length": 512 })).model_max_length(), Some(512));
    assert_eq!(with(json!({ "model_max_length": 1e30 })).model_max_length(), None);
}

/// transformers would lower the case here: it looks at its own default, not at the file.
#[test]
fn a_tokenizer_json_that_bert_tokenizer_would_ignore_is_used_with_a_warning() {
    let cased = load(&[("tokenizer.json", &tokenizer_json())]);
    assert_eq!(spell(&cased, "Pizza"), "[CLS] Pi ##zz ##a [SEP]");
    let said = warnings(&cased).join("\n");
    assert!(said.contains("sets do_lower_case = false") && said.contains("add \"do_lower_case\": false"), "{said}");
    // What is saved says it, and so both agree.
    let dir = TempDir::new().unwrap();
    cased.save(dir.path(), 512).unwrap();
    let config: Value = serde_json::from_slice(&fs::read(dir.path().join("tokenizer_config.json")).unwrap()).unwrap();
    assert_eq!((&config["tokenizer_class"], &config["do_lower_case"]), (&json!("BertTokenizer"), &json!(false)));
    assert_eq!(warnings(&Tokenizer::from_folder(dir.path()).unwrap()), [""; 0]);
    // With another pre-tokenizer it is not a BERT tokenizer.
    let other = tokenizer_json().replace("\"BertPreTokenizer\"", "\"WhitespaceSplit\"");
    let other = load(&[("tokenizer.json", &other)]);
    assert!(warnings(&other).join("\n").contains("not BertTokenizer's"));
    other.save(dir.path(), 512).unwrap();
    assert_eq!(warnings(&Tokenizer::from_folder(dir.path()).unwrap()), [""; 0]);
    // Said in the config, it is nothing to speak of.
    let agreed =
        load(&[("tokenizer.json", &tokenizer_json()), ("tokenizer_config.json", r#"{"do_lower_case": false}"#)]);
    assert_eq!(warnings(&agreed), [""; 0]);
}

#[test]
fn odd_vocabularies_give_a_warning_or_are_refused() {
    let twice = load(&[("vocab.txt", &format!("{VOCAB}好\n吃\n"))]);
    assert!(warnings(&twice)[0].contains("`好` first") && warnings(&twice)[0].contains("lines 6 and 7"), "{twice:?}");
    let shared = tokenizer_json().replace(r#""吃": 6"#, r#""吃": 5"#);
    let shared = load(&[("tokenizer.json", &shared), ("tokenizer_config.json", r#"{"do_lower_case": false}"#)]);
    assert!(warnings(&shared)[0].contains("have the id 5"), "{:?}", warnings(&shared));
    let empty = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "pre_tokenizer": null, "post_processor": null,
        "decoder": null, "added_tokens": [],
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "vocab": {}, "merges": [] }
    });
    assert_eq!(
        refused(&[("tokenizer.json", &empty.to_string())]),
        "tokenizer.json: its vocabulary is empty: no text has tokens in it"
    );
    let far = tokenizer_json().replace(r#""吃": 6"#, r#""吃": 4000000000"#);
    assert!(refused(&[("tokenizer.json", &far)]).contains("`吃` has the id 4000000000"));
    let gap = load(&[("vocab.txt", VOCAB), ("added_tokens.json", r#"{"<e>": 25}"#)]);
    assert!(
        warnings(&gap)[0].contains("the added token `<e>` the id 25, but it gets the id 20"),
        "{:?}",
        warnings(&gap)
    );
}

#[test]
fn a_hostile_tokenizer_json_is_refused() {
    let with = |normalizer: Value| {
        let text = tokenizer_json();
        let mut file: Value = serde_json::from_str(&text).unwrap();
        file["normalizer"] = normalizer;
        file.to_string()
    };
    let replace = |pattern: Value, content: &str| json!({ "type": "Replace", "pattern": pattern, "content": content });
    let doubling = |n| json!({ "type": "Sequence", "normalizers": vec![replace(json!({ "String": "a" }), "aa"); n] });
    let refusal = |normalizer: Value| refused(&[("tokenizer.json", &with(normalizer))]);
    assert!(refusal(doubling(30)).contains("its normalizer can make a text 1073741824 times as long"));
    assert!(refusal(doubling(200)).contains("infinitely many times as long"));
    assert!(refusal(replace(json!({ "Regex": "." }), &"x".repeat(100))).contains("100 times as long"));
    assert!(refusal(replace(json!({ "String": "" }), &"x".repeat(100))).contains("100 times as long"));
    // What is usual is not.
    load(&[("tokenizer.json", &with(doubling(3)))]);
    load(&[("tokenizer.json", &with(replace(json!({ "String": " " }), "▁")))]);
    let deep =
        format!("{}{}", r#"{"normalizer": "#.to_owned() + &r#"{"type": "Sequence", "normalizers": ["#.repeat(1000), "");
    assert!(refused(&[("tokenizer.json", &deep)]).starts_with("tokenizer.json: "));
    // Files that are something else say so.
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    let page = "<!DOCTYPE html><html><body>Log in</body></html>";
    for name in ["tokenizer.json", "tokenizer_config.json", "vocab.txt"] {
        let others = if name == "tokenizer_config.json" { vec![("vocab.txt", VOCAB)] } else { Vec::new() };
        for (text, words) in [(pointer, "a Git LFS pointer"), (page, "an HTML page"), ("", "an empty file")] {
            let found = refused(&[others.clone(), vec![(name, text)]].concat());
            assert!(found.starts_with(&format!("{name}: it is {words}")), "{found}");
        }
    }
}

/// Truncation does not affect the ids: those of a very long text are those of a tokenizer that reads all of it.
#[test]
fn a_very_long_text_has_the_tokens_of_the_whole_text() {
    let added = json!({ "<url>": 20, "外卖": 21, "吃 pi": 22, "[a]": 23, "卖外卖": 24 }).to_string();
    let plain = load(&[("vocab.txt", VOCAB)]);
    let more = load(&[("vocab.txt", VOCAB), ("added_tokens.json", &added)]);
    let accents = load(&[("vocab.txt", VOCAB), ("tokenizer_config.json", r#"{"strip_accents": false}"#)]);
    let runs = load(&[("vocab.txt", VOCAB), ("tokenizer_config.json", r#"{"tokenize_chinese_chars": false}"#)]);
    // A token whose first letter can be anywhere in a word.
    let inside = load(&[("vocab.txt", VOCAB), ("added_tokens.json", r#"{"zz": 20}"#)]);
    let n = 6000;
    let texts: Vec<String> = vec![
        "好吃，pizza！".repeat(n),
        "a".repeat(9 * n),
        format!("{} 好", "a".repeat(9 * n)),
        format!("好 {}好吃", "é".repeat(5 * n)),
        format!("e{}好", "\u{301}".repeat(5 * n)),
        format!("pi{}zza 好", "\u{200b}".repeat(4 * n)),
        format!("{}好", " ".repeat(9 * n)),
        format!("{}[MASK]{}", "\u{3000}\n".repeat(3 * n), "x".repeat(3 * n)),
        format!("{} pizza", "a\u{301}\u{200b}".repeat(3 * n)),
        "]".repeat(7 * n),
        "[MASK".repeat(2 * n),
        "[MASK]".repeat(2 * n),
        format!("{} ", "b".repeat(200)).repeat(n / 50),
        "外卖骑手".repeat(n),
        format!("{}卖外卖", "外\u{200b}".repeat(n)),
        format!("外{}卖好", "\u{200b}".repeat(4 * n)),
        "<url>吃 pi".repeat(n),
        "<ur".repeat(n),
        "👍".repeat(2 * n),
        "pizzazz".repeat(2 * n),
        format!("{}zz 好", "q".repeat(5 * n)),
        "가나다".repeat(n),
        "\u{0}\u{fffd}".repeat(3 * n),
    ];
    for (name, tokenizer) in
        [("plain", &plain), ("more", &more), ("accents", &accents), ("runs", &runs), ("inside", &inside)]
    {
        for text in &texts {
            let whole = tokenizer.encode_whole(text).unwrap();
            for most in [512, 40, 3, 2] {
                let cut = &whole[..whole.len().min(most - 2)];
                let expected = [&[2], cut, &[3]].concat();
                let start: String = text.chars().take(12).collect();
                assert_eq!(tokenizer.encode(text, most).unwrap(), expected, "{name}, {start}… to {most}");
            }
            // Read to its end, its tokens are all looked at.
            let long = LongTexts { max_length: 40, policy: LongPolicy::Windows { stride: 7 } };
            let read = tokenizer.encode_long(text, long).unwrap();
            assert_eq!((&read.ids[1..=whole.len()], read.whole, read.or_more), (&whole[..], whole.len() + 2, false));
        }
    }
    // How long it is, is only known to be more; of a text that is looked at as a whole, it is known.
    let long =
        crate::data::tokenizing::lazy(&plain, &["好吃 ".repeat(2_000_000), "a".repeat(6_000_000), "好".into()], 512);
    assert_eq!(long.row(0).unwrap().len(), 512);
    let lengths = long.whole_lengths().unwrap();
    assert!(lengths[0] > 512 && lengths[1..] == [3, 3] && long.rows_longer_than_counted().unwrap() == 1, "{lengths:?}");
}
