//! Files of a tokenizer that fail: in the tokenizers library, in what they say of each other, in how they are written.

use serde_json::{Value, json};
use taper::data::Tokenizer;

use crate::data::tokenizing::{VOCAB, folder, load, refused, spell, tokenizer_json};
use crate::support::Sandbox;

const FAST: (&str, &str) = ("tokenizer_config.json", r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#);
const BERT: (&str, &str) = ("tokenizer_config.json", r#"{"tokenizer_class": "BertTokenizer", "do_lower_case": false}"#);

fn file(change: impl FnOnce(&mut Value)) -> String {
    let mut file: Value = serde_json::from_str(&tokenizer_json()).unwrap();
    change(&mut file);
    file.to_string()
}

fn bpe(more: Value) -> Value {
    let mut model = json!({
        "type": "BPE", "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "h": 4, "e": 5, "[MASK]": 6},
        "merges": [], "unk_token": "[UNK]", "dropout": null, "continuing_subword_prefix": null,
        "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false
    });
    model.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    model
}

/// Files on which the library panics while it reads them, or at the first texts.
fn fatal() -> Vec<(&'static str, String)> {
    let with = |key: &'static str, value: Value| file(move |file| file[key] = value);
    let template = json!({
        "type": "TemplateProcessing", "pair": [], "special_tokens": {},
        "single": [{"SpecialToken": {"id": "X", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    });
    vec![
        (
            "a merge shorter than the prefix",
            with("model", bpe(json!({"merges": [["h", "e"]], "continuing_subword_prefix": "##"}))),
        ),
        ("a merge longer than any token", with("model", bpe(json!({"merges": [["[CLS]", "[SEP]"]]})))),
        (
            "a normalizer without its table",
            with("normalizer", json!({"type": "Precompiled", "precompiled_charsmap": ""})),
        ),
        (
            "a normalizer with a truncated table",
            with("normalizer", json!({"type": "Precompiled", "precompiled_charsmap": "AAAAAA=="})),
        ),
        ("pieces of no length", with("pre_tokenizer", json!({"type": "FixedLength", "length": 0}))),
        ("a template without its token", with("post_processor", template)),
    ]
}

#[test]
fn a_file_on_which_the_library_panics_is_refused_in_its_words() {
    for (what, file) in fatal() {
        let error = refused(&[("tokenizer.json", &file), FAST]);
        assert!(error.starts_with("tokenizer.json: the tokenizers library failed on it: "), "{what}: {error}");
        assert!(error.contains(".rs, line ") && !error.contains("panic"), "{what}: {error}");
    }
}

/// A table of 230 entries, as base64: the library looks up the byte with which a character begins. That of 好 is 229, of 馆 233.
fn short_table() -> String {
    let table = format!("mAMA{}AA==", "AAAA".repeat(307));
    file(|file| file["normalizer"] = json!({"type": "Precompiled", "precompiled_charsmap": table}))
}

#[test]
fn a_text_on_which_the_library_panics_is_named_with_the_file() {
    let dir = folder(&[("tokenizer.json", &short_table()), FAST]);
    let tokenizer = Tokenizer::from_folder(dir.path()).unwrap();
    let errors = [
        tokenizer.encode("好馆", 16).unwrap_err(),
        tokenizer.encode_whole("馆").unwrap_err(),
        tokenizer.encode_all(&["好", "馆"], 16).unwrap_err(),
    ];
    for error in errors {
        let error = error.to_string();
        assert!(error.starts_with("cannot tokenise \"") && error.contains("馆\": "), "{error}");
        assert!(error.contains("the tokenizers library failed on it: "), "{error}");
        assert!(error.ends_with(&format!("({})", dir.path().join("tokenizer.json").display())), "{error}");
    }
    // And it continues with others.
    assert_eq!(spell(&tokenizer, "好"), "[CLS] 好 [SEP]");
}

/// A folder with a spec, its rows and a model of this tokenizer; the command ends before it looks at weights.
#[test]
fn no_panic_of_the_library_reaches_the_user() {
    let files = fatal().into_iter().chain([("a text", short_table())]);
    for (what, file) in files {
        let sandbox = Sandbox::new();
        sandbox.write("rows.csv", format!("label,review\n{}", "a,馆\nb,hello\n".repeat(5)));
        sandbox.write(
            "it.toml",
            "name = \"it\"\nmodel.source = \"scratch:model/\"\ndata.source = \"path:rows.csv\"\ndata.text_column = \
             \"review\"\n",
        );
        let config = json!({
            "model_type": "bert", "vocab_size": 20, "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 8, "max_position_embeddings": 512
        });
        for (name, text) in [("config.json", config.to_string().as_str()), ("tokenizer.json", &file), FAST] {
            sandbox.write(&format!("model/{name}"), text);
        }
        for command in ["plan", "run"] {
            let output = sandbox.taper(&[command, "it.toml"]);
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{what}, {command}: {error}");
            assert!(
                error.contains("tokenizer.json") && error.contains("the tokenizers library failed"),
                "{what}: {error}"
            );
            assert!(!error.contains("panicked") && !error.contains("RUST_BACKTRACE"), "{what}: {error}");
        }
    }
}

/// tokenizer_files.json compares BertTokenizer with transformers; these are the warnings.
#[test]
fn settings_that_bert_tokenizer_ignores_give_a_warning() {
    let said = |file: &str, config| {
        let tokenizer = load(&[("tokenizer.json", file), config]);
        tokenizer.warnings().iter().map(|warning| warning.message.clone()).collect::<Vec<_>>()
    };
    let model = |key: &'static str, value: Value| file(move |file| file["model"][key] = value);
    let template = |pieces: Value| {
        let special = |id: &str, n: u32| json!({"id": id, "ids": [n], "tokens": [id]});
        let tokens = json!({"[CLS]": special("[CLS]", 2), "[SEP]": special("[SEP]", 3)});
        file(move |file| {
            file["post_processor"] =
                json!({"type": "TemplateProcessing", "single": pieces, "pair": [], "special_tokens": tokens});
        })
    };
    let (cls, text, sep) = (
        json!({"SpecialToken": {"id": "[CLS]", "type_id": 0}}),
        json!({"Sequence": {"id": "A", "type_id": 0}}),
        json!({"SpecialToken": {"id": "[SEP]", "type_id": 0}}),
    );
    for (file, words) in [
        (model("max_input_chars_per_word", json!(3)), "has max_input_chars_per_word 3: like BertTokenizer"),
        (model("continuing_subword_prefix", json!("@@")), "has continuing_subword_prefix \"@@\": like BertTokenizer"),
        (
            model("unk_token", json!("!")),
            "has unk_token \"!\": like BertTokenizer of transformers 5, taper uses \"[UNK]\"",
        ),
        (template(json!([cls, text])), "an empty text becomes `[CLS]`, expected `[CLS] [SEP]`: like BertTokenizer"),
        (template(json!([cls, text, text, sep])), "5, taper puts [CLS] before and [SEP] after"),
        (
            template(json!([cls, text, text, sep])),
            "expected `[CLS] [UNK] [UNK] 好 [UNK] [UNK] [SEP]`: like BertTokenizer",
        ),
    ] {
        let said = said(&file, BERT);
        assert!(said.len() == 1 && said[0].contains(words), "{said:?}");
    }
    for sound in
        [template(json!([cls, text, sep])), file(|file| file["post_processor"] = Value::Null), tokenizer_json()]
    {
        assert_eq!(said(&sound, BERT), [""; 0]);
    }
    // Where tokenizer.json decides alone it is followed without a word, or refused.
    for (key, value) in [("max_input_chars_per_word", json!(3)), ("continuing_subword_prefix", json!("@@"))] {
        assert_eq!(said(&model(key, value), FAST), [""; 0]);
    }
    for (file, words) in [
        (file(|file| file["post_processor"] = Value::Null), "`post_processor` is null"),
        (template(json!([text])), "its post_processor puts no special token before a text"),
        (template(json!([text, sep])), "its post_processor puts no special token before a text"),
        (
            template(json!([cls, text, text, sep])),
            "its post_processor does more with a text than put special tokens around it",
        ),
        (template(json!([cls, json!({"Sequence": {"id": "A", "type_id": 1}})])), "token types other than 0"),
        (
            file(|file| {
                file["post_processor"] = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true})
            }),
            "its post_processor puts no special token before a text",
        ),
        (file(|file| file["model"] = bpe(json!({"dropout": 0.1}))), "its model has a BPE dropout of 0.1"),
    ] {
        let error = refused(&[("tokenizer.json", &file), FAST]);
        assert!(error.starts_with("tokenizer.json: ") && error.contains(words), "{error}");
    }
}

#[test]
fn a_byte_order_mark_is_called_one() {
    let marked = |text: &str| format!("\u{feff}{text}");
    for (name, text) in [
        ("tokenizer.json", tokenizer_json()),
        ("tokenizer_config.json", "{}".to_string()),
        ("special_tokens_map.json", "{}".to_string()),
        ("added_tokens.json", "{}".to_string()),
    ] {
        let error = refused(&[("vocab.txt", VOCAB), (name, &marked(&text))]);
        assert!(error.starts_with(&format!("{name}: it begins with a byte order mark")), "{error}");
    }
    // In vocab.txt it is part of the first token, as in transformers; where that is needed there is no tokenizer.
    let tokenizer = load(&[("vocab.txt", &marked(VOCAB))]);
    let said: Vec<&str> = tokenizer.warnings().iter().map(|warning| warning.message.as_str()).collect();
    assert!(said.len() == 1 && said[0].contains("there is no token `[PAD]`"), "{said:?}");
    assert_eq!(spell(&tokenizer, "好吃"), "[CLS] 好 吃 [SEP]");
    let without = marked(VOCAB.strip_prefix("[PAD]\n").unwrap());
    assert!(refused(&[("vocab.txt", &without)]).contains("the vocabulary lacks [UNK]"));
}

#[test]
fn numbers_of_pythons_json_are_called_so() {
    for (text, words) in [
        ("{\"do_lower_case\": false,\n \"x\": NaN}", "NaN in line 2 is not JSON"),
        ("{\"model_max_length\": Infinity}", "Infinity in line 1 is not JSON"),
        ("{\"x\": [-Infinity]}", "-Infinity in line 1 is not JSON"),
    ] {
        let error = refused(&[("vocab.txt", VOCAB), ("tokenizer_config.json", text)]);
        assert!(error.starts_with(&format!("tokenizer_config.json: {words}")), "{error}");
    }
}
