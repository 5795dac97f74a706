//! Tokenizers that are not BERT's: byte-level BPE and pieces of SentencePiece, beside transformers.

use std::{collections::BTreeMap, env, fs, path::PathBuf};

use rayon::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use taper::{
    data::{RowText, Tokenizer},
    plan::{LongPolicy, LongTexts},
};
use tempfile::TempDir;

use crate::{
    data::{pairs::numbers, shared},
    support::Sandbox,
};

/// Written by tests/fixtures/tokenizers/make.py with transformers 5.23.0.
#[derive(Deserialize)]
struct Fixture {
    texts: u32,
    words: Vec<String>,
    /// The first texts.
    shown: Vec<String>,
    /// With XLM-R's own vocabulary.
    real: Results,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    /// Files of a folder: the name of one beside the script, two names of which the second's keys go over the first's, or JSON.
    files: BTreeMap<String, Value>,
    #[serde(flatten)]
    results: Results,
}

#[derive(Deserialize)]
struct Results {
    /// Digests of ids and token types of all texts, by the length that they are cut to.
    single: BTreeMap<String, String>,
    /// Likewise of pairs.
    pairs: BTreeMap<String, String>,
    /// Ids of the first texts, cut to 17 tokens.
    first: Vec<String>,
}

fn beside(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tokenizers").join(name)
}

impl Fixture {
    fn read() -> Self {
        serde_json::from_slice(&fs::read(beside("expected.json")).unwrap()).unwrap()
    }

    /// Text `number`, by the rule of the script.
    fn text(&self, number: u32) -> String {
        let mut random = numbers(number);
        let mut draw = || random.next().unwrap();
        let between = ["", " ", " ", "  "][draw() % 4];
        let (count, is_long) = (draw(), draw() % 5 == 0);
        let mut words = Vec::new();
        for _ in 0..count % if is_long { 40 } else { 8 } {
            let word = &self.words[draw() % self.words.len()];
            words.push(if draw() % 25 == 0 { word.repeat(2 + draw() % 60) } else { word.clone() });
        }
        let ends = draw() % 8;
        let (before, after) = (if ends & 1 > 0 { " " } else { "" }, if ends & 2 > 0 { "  " } else { "" });
        format!("{before}{}{after}", words.join(between))
    }

    fn texts(&self) -> Vec<(String, String)> {
        (0..self.texts).map(|number| (self.text(number), self.text(number + self.texts))).collect()
    }

    fn case(&self, name: &str) -> &Case {
        self.cases.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no case {name}"))
    }
}

impl Case {
    /// The folder's files.
    fn contents(&self) -> Vec<(String, Vec<u8>)> {
        let content = |value: &Value| match value {
            Value::String(name) => fs::read(beside(name)).unwrap(),
            Value::Array(names) => {
                let read = |name: &Value| fs::read(beside(name.as_str().unwrap())).unwrap();
                let mut file: Value = serde_json::from_slice(&read(&names[0])).unwrap();
                let over: serde_json::Map<String, Value> = serde_json::from_slice(&read(&names[1])).unwrap();
                file.as_object_mut().unwrap().extend(over);
                file.to_string().into_bytes()
            }
            json => json.to_string().into_bytes(),
        };
        self.files.iter().map(|(name, value)| (name.clone(), content(value))).collect()
    }

    fn folder(&self) -> TempDir {
        folder(&self.contents())
    }
}

fn folder(files: &[(String, Vec<u8>)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (name, content) in files {
        fs::write(dir.path().join(name), content).unwrap();
    }
    dir
}

/// Ids and token types, as the script writes them.
fn line<'a>(tokenizer: &Tokenizer, text: impl Into<RowText<'a>>, length: usize) -> String {
    let encoded = tokenizer.encode_counted(text, length).unwrap();
    let types = if encoded.token_types.is_empty() { vec![0; encoded.ids.len()] } else { encoded.token_types };
    let words = |numbers: &[u32]| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(" ");
    format!("{}|{}\n", words(&encoded.ids), words(&types))
}

/// Where the tokens are others than transformers'.
fn wrong(name: &str, tokenizer: &Tokenizer, texts: &[(String, String)], results: &Results) -> Vec<String> {
    let mut wrong = Vec::new();
    for (((text, _), expected), number) in texts.iter().zip(&results.first).zip(0..) {
        let found = line(tokenizer, text.as_str(), 17);
        if found.split('|').next() != Some(expected) {
            wrong.push(format!("{name}, text {number} {text:?}: {found}, expected {expected}"));
        }
    }
    let digest = |lines: Vec<String>| -> String {
        Sha256::digest(lines.concat()).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    for (length, expected) in &results.single {
        let most = length.parse().unwrap();
        if digest(texts.par_iter().map(|(text, _)| line(tokenizer, text.as_str(), most)).collect()) != *expected {
            wrong.push(format!("{name}: other ids at {length} tokens"));
        }
    }
    for (length, expected) in &results.pairs {
        let most = length.parse().unwrap();
        let lines = texts.par_iter().map(|(a, b)| line(tokenizer, (a.as_str(), b.as_str()), most)).collect();
        if digest(lines) != *expected {
            wrong.push(format!("{name}: other ids or token types of pairs at {length} tokens"));
        }
    }
    wrong
}

#[test]
fn ids_and_token_types_are_those_of_auto_tokenizer_and_stay_so_when_saved() {
    let fixture = Fixture::read();
    let texts = fixture.texts();
    let shown: Vec<&str> = texts.iter().take(fixture.shown.len()).map(|(text, _)| text.as_str()).collect();
    assert_eq!((texts.len(), shown), (3000, fixture.shown.iter().map(String::as_str).collect::<Vec<_>>()));
    assert!(fixture.cases.len() > 30);
    let mut faults = Vec::new();
    // The script compares what is kept here.
    let kept = env::var_os("SAVED_TOKENIZERS").map(PathBuf::from);
    for (number, case) in fixture.cases.iter().enumerate() {
        let dir = case.folder();
        let tokenizer = match Tokenizer::from_folder(dir.path()) {
            Ok(tokenizer) => tokenizer,
            Err(error) => {
                faults.push(format!("{}: refused: {error}", case.name));
                continue;
            }
        };
        let warnings: Vec<&str> = tokenizer.warnings().iter().map(|warning| warning.message.as_str()).collect();
        // The ids that added_tokens.json states are not those that transformers gives.
        if !warnings.is_empty() && case.name != "RoBERTa, added tokens" {
            faults.push(format!("{}: warns: {warnings:?}", case.name));
        }
        faults.extend(wrong(&case.name, &tokenizer, &texts, &case.results));
        // Saved beside the config.json of the same model.
        let temporary = TempDir::new().unwrap();
        let saved = kept.as_ref().map_or(temporary.path().to_path_buf(), |kept| kept.join(number.to_string()));
        fs::create_dir_all(&saved).unwrap();
        tokenizer.save(&saved, 512).unwrap();
        fs::copy(dir.path().join("config.json"), saved.join("config.json")).unwrap();
        match Tokenizer::from_folder(&saved) {
            Ok(again) => faults.extend(wrong(&format!("{}, saved", case.name), &again, &texts, &case.results)),
            Err(error) => faults.push(format!("{}, saved: refused: {error}", case.name)),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The folder of XLM-R's tokenizer.json: that of XLMR_TOKENIZER, else one beside the project.
#[test]
fn ids_with_the_vocabulary_of_xlm_r_are_those_of_transformers() {
    let named = env::var_os("XLMR_TOKENIZER").map(|folder| PathBuf::from(folder).join("tokenizer.json"));
    let Some(file) = named.or_else(|| shared("data/xlmr/tokenizer.json")) else { return };
    let fixture = Fixture::read();
    let texts = fixture.texts();
    let config = json!({"model_type": "xlm-roberta", "vocab_size": 250_002}).to_string().into_bytes();
    let dir = folder(&[("config.json".into(), config.clone()), ("tokenizer.json".into(), fs::read(file).unwrap())]);
    let tokenizer = Tokenizer::from_folder(dir.path()).unwrap();
    assert_eq!((tokenizer.vocab_size(), tokenizer.unknown()), (250_002, Some(3)));
    let mut faults = wrong("loaded", &tokenizer, &texts, &fixture.real);
    let saved = folder(&[("config.json".into(), config)]);
    tokenizer.save(saved.path(), 512).unwrap();
    faults.extend(wrong("saved", &Tokenizer::from_folder(saved.path()).unwrap(), &texts, &fixture.real));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whatever a template puts around a text: its parts, and all of it but its middle.
#[test]
fn long_texts_are_read_with_the_special_tokens_of_any_template() {
    let fixture = Fixture::read();
    let text = "pizza 外卖 don't ".repeat(9);
    for (name, before, after) in [
        ("RoBERTa", vec![0], vec![2]),
        ("XLM-R", vec![0], vec![2]),
        ("CamemBERT", vec![5], vec![6]),
        ("tokenizer.json alone decides, one before, none after", vec![0], vec![]),
        ("tokenizer.json alone decides, two before, one after", vec![0, 4], vec![2]),
    ] {
        let dir = fixture.case(name).folder();
        let tokenizer = Tokenizer::from_folder(dir.path()).unwrap();
        let (body, added) = (tokenizer.encode_whole(&text).unwrap(), before.len() + after.len());
        assert_eq!(tokenizer.added_tokens(false), added, "{name}");
        let around = |parts: &[&[u32]]| [&before[..], &parts.concat(), &after].concat();
        let read = |policy| tokenizer.encode_long(text.as_str(), LongTexts { max_length: 12, policy }).unwrap();

        let head = read(LongPolicy::HeadTail { head: 4 });
        let tail = body.len() - (12 - added - 4);
        assert_eq!(head.ids, around(&[&body[..4], &body[tail..]]), "{name}");
        assert_eq!((head.ids.len(), head.whole), (12, body.len() + added), "{name}");

        let whole = read(LongPolicy::Windows { stride: 3 });
        let (room, windows) = (12 - added, whole.windows().map(|window| window.ids.concat()).collect::<Vec<_>>());
        let expected: Vec<Vec<u32>> = (0..windows.len())
            .map(|index| around(&[&body[index * (room - 3)..body.len().min(index * (room - 3) + room)]]))
            .collect();
        assert!(windows.len() > 3 && windows == expected, "{name}: {windows:?}, expected {expected:?}");
        assert_eq!(windows.last().map(|last| last[last.len() - after.len() - 1]), body.last().copied(), "{name}");
        // One that is read at once has the same tokens whatever the choice.
        let short = LongTexts { max_length: 512, policy: LongPolicy::Windows { stride: 3 } };
        assert_eq!(tokenizer.encode_long(text.as_str(), short).unwrap().ids, around(&[&body]), "{name}");
    }
}

/// Contents of files by their names.
type Files = BTreeMap<String, Vec<u8>>;

/// What the files of a case say when one of them is another, without the folder.
fn refused(case: &Case, change: &dyn Fn(&mut Files)) -> String {
    let mut files: Files = case.contents().into_iter().collect();
    change(&mut files);
    let dir = folder(&files.into_iter().collect::<Vec<_>>());
    let error = Tokenizer::from_folder(dir.path()).unwrap_err();
    error.to_string().replace(&format!("{}/", dir.path().display()), "")
}

#[test]
fn damaged_vocabularies_are_refused_by_name() {
    let fixture = Fixture::read();
    let (roberta, xlmr) = (fixture.case("RoBERTa"), fixture.case("XLM-R"));
    let bpe = |name: &'static str, content: &'static str| {
        refused(roberta, &|files| drop(files.insert(name.into(), content.into())))
    };
    for (name, content, words) in [
        ("merges.txt", "#version: 0.2\nà ¤\nĠ qqq\n", "line 3 merges `Ġ` and `qqq`, but the vocabulary has no `qqq`"),
        (
            "merges.txt",
            "#version: 0.2\nà ¤\n<s> </s>\n",
            "line 3 merges `<s>` and `</s>`, but the vocabulary has no `<s></s>`",
        ),
        ("merges.txt", "a b c", "line 1 is `a b c`; expected two tokens with a space between them"),
        ("merges.txt", "a  b", "expected two tokens"),
        ("vocab.json", "{", "vocab.json: "),
        ("vocab.json", "[]", "its vocabulary is of the wrong type"),
        ("vocab.json", "{}", "its vocabulary is empty"),
        ("vocab.json", r#"{"a": 4294967295}"#, "its token `a` has no id below 16777216"),
        ("vocab.json", r#"{"a": "0"}"#, "its token `a` has no id below 16777216"),
    ] {
        let said = bpe(name, content);
        assert!(said.starts_with(&format!("{name}: ")) && said.contains(words), "{content}: {said}");
    }
    let without = |case, name: &'static str| refused(case, &|files| drop(files.remove(name)));
    assert_eq!(
        without(roberta, "merges.txt"),
        "merges.txt: there is no such file: RobertaTokenizer needs it beside vocab.json"
    );
    let said = without(roberta, "vocab.json");
    assert!(
        said.ends_with("no tokenizer here: expected tokenizer.json or vocab.json with merges.txt (RobertaTokenizer)"),
        "{said}"
    );
    let extra = json!({"additional_special_tokens": ["zz"]}).to_string().into_bytes();
    let said = refused(xlmr, &|files| drop(files.insert("special_tokens_map.json".into(), extra.clone())));
    assert!(
        said.starts_with(
            "special_tokens_map.json: `additional_special_tokens` is set here, beside sentencepiece.bpe.model"
        ),
        "{said}"
    );
    let said = refused(xlmr, &|files| {
        files.insert("config.json".into(), b"{\"model_type\": \"bert\"}".to_vec());
        files.remove("tokenizer_config.json");
    });
    assert!(
        said.contains("(sentencepiece.bpe.model is there, but neither") && said.contains("XLMRobertaTokenizer"),
        "{said}"
    );
    let said = without(xlmr, "sentencepiece.bpe.model");
    assert!(said.ends_with("expected tokenizer.json or sentencepiece.bpe.model (XLMRobertaTokenizer)"), "{said}");

    let model = fs::read(beside("xlmr.model")).unwrap();
    let with = |bytes: Vec<u8>| {
        let said = refused(xlmr, &|files| drop(files.insert("sentencepiece.bpe.model".into(), bytes.clone())));
        assert!(said.starts_with("sentencepiece.bpe.model: "), "{said}");
        said
    };
    let no_model = "this is not a complete SentencePiece model: ";
    assert!(with(model[..model.len() / 2].to_vec()).contains(no_model));
    assert!(with(b"".to_vec()).contains(no_model));
    assert!(with(b"version https://git-lfs.github.com/spec/v1\n".to_vec()).contains(no_model));
    assert!(with(b"PK\x03\x04".to_vec()).contains(no_model));
    // A piece that states 2^34 bytes; a table of characters that states 4 GiB.
    assert!(with([&[10, 0xff, 0xff, 0xff, 0xff, 0x3f][..], &model].concat()).contains("it is truncated"));
    let table = [[0xff; 4], [0; 4]].concat();
    let said = with([&model[..], &[26, 10, 18, 8], &table].concat());
    assert!(said.contains("states a trie of 4294967292 bytes, but 4 bytes follow"), "{said}");

    // tokenizer.json of another model, or with parts that would need memory out of proportion.
    let file = fixture.case("XLM-R, tokenizer.json alone");
    let changed = |change: &dyn Fn(&mut Value)| {
        refused(file, &|files| {
            let mut json: Value = serde_json::from_slice(&files["tokenizer.json"]).unwrap();
            change(&mut json);
            files.insert("tokenizer.json".into(), json.to_string().into_bytes());
        })
    };
    for (said, words) in [
        (
            changed(&|file| file["model"]["vocab"] = json!({"a": 0})),
            "from which XLMRobertaTokenizer builds no tokenizer; expected Unigram",
        ),
        (changed(&|file| file["model"] = Value::Null), "its model is of no stated type, from which"),
        (changed(&|file| file["model"]["vocab"][7] = json!(["x"])), "7 is [\"x\"]; expected a string and a score"),
        (changed(&|file| file["model"]["vocab"] = json!([["a", 0.0]])), "unk_id"),
        (
            changed(&|file| file["model"]["vocab"][7][0] = json!("x".repeat((16 << 20) + 1))),
            "expected at most 16777216",
        ),
        (
            changed(&|file| file["normalizer"]["precompiled_charsmap"] = json!("/////wAA")),
            "states a trie of 4294967292 bytes",
        ),
        (changed(&|file| file["added_tokens"] = json!([{"content": "x"}])), "`added_tokens` has an entry"),
    ] {
        assert!(said.starts_with("tokenizer.json: ") && said.contains(words), "{words}: {said}");
    }
    let alone = fixture.case("pieces, tokenizer.json alone decides");
    let said = refused(alone, &|files| {
        let mut json: Value = serde_json::from_slice(&files["tokenizer.json"]).unwrap();
        json["normalizer"]["precompiled_charsmap"] = json!("/////wAA");
        files.insert("tokenizer.json".into(), json.to_string().into_bytes());
    });
    assert!(said.contains("`precompiled_charsmap` states more bytes than it has"), "{said}");
    // The library would overflow the stack.
    let said = refused(alone, &|files| {
        let mut json: Value = serde_json::from_slice(&files["tokenizer.json"]).unwrap();
        json["model"]["vocab"][7][0] = json!("x".repeat(200_000));
        files.insert("tokenizer.json".into(), json.to_string().into_bytes());
    });
    assert!(said.contains("it has a piece of 200000 bytes; expected at most 1024"), "{said}");
    let said = refused(fixture.case("RoBERTa, tokenizer.json alone"), &|files| {
        let mut json: Value = serde_json::from_slice(&files["tokenizer.json"]).unwrap();
        json["model"]["merges"][2] = json!("Ġ qqq");
        files.insert("tokenizer.json".into(), json.to_string().into_bytes());
    });
    assert!(said.starts_with("tokenizer.json: merge 2 merges `Ġ` and `qqq`"), "{said}");
}

/// Bytes that were changed give another tokenizer or an error, never a panic.
#[test]
fn a_damaged_model_of_sentencepiece_never_panics() {
    let fixture = Fixture::read();
    let texts: Vec<String> = (0..30).map(|number| fixture.text(number)).collect();
    let (mut refused, mut read) = (0, 0);
    for (name, file) in [("XLM-R", "xlmr.model"), ("ALBERT", "albert.model")] {
        let (case, whole) = (fixture.case(name), fs::read(beside(file)).unwrap());
        let dir = case.folder();
        let to = dir.path().join(case.files.keys().find(|name| name.ends_with(".model")).unwrap());
        for seed in 0..400 {
            let mut random = numbers(seed);
            let mut draw = || random.next().unwrap();
            let mut bytes = whole.clone();
            for _ in 0..1 + draw() % 3 {
                let at = draw() % bytes.len();
                bytes[at] = draw() as u8;
            }
            if draw() % 4 == 0 {
                bytes.truncate(draw() % bytes.len());
            }
            fs::write(&to, &bytes).unwrap();
            match Tokenizer::from_folder(dir.path()) {
                Ok(tokenizer) => {
                    read += 1;
                    assert!(texts.iter().all(|text| tokenizer.encode(text.as_str(), 64).is_ok()), "{name} {seed}");
                }
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().contains(".model: "), "{name} {seed}: {error}");
                    assert!(!error.to_string().contains("library failed on it"), "{name} {seed}: {error}");
                }
            }
        }
    }
    assert!(refused > 100 && read > 100, "{refused} refused, {read} read");
}

/// What transformers 5 does not heed is said; what it would do without the special tokens is refused.
#[test]
fn settings_without_effect_give_a_warning() {
    let fixture = Fixture::read();
    let load = |case: &str, config: Value| {
        let mut files = fixture.case(case).contents();
        files.push(("tokenizer_config.json".into(), config.to_string().into_bytes()));
        Tokenizer::from_folder(folder(&files).path()).map_err(|error| error.to_string())
    };
    let said = |case: &str, config: Value| {
        load(case, config).unwrap().warnings().iter().map(|warning| warning.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(said("XLM-R", json!({"sp_model_kwargs": {}, "do_lower_case": false, "trim_offsets": true})), [""; 0]);
    for (case, key, value) in [
        ("XLM-R", "do_lower_case", json!(true)),
        ("XLM-R", "sp_model_kwargs", json!({"enable_sampling": true})),
        ("RoBERTa", "strip_accents", json!(true)),
        ("ALBERT", "remove_space", json!(false)),
    ] {
        let said = said(case, json!({ key: value }));
        assert!(
            said.len() == 1
                && said[0].contains(&format!("`{key}`"))
                && said[0].contains("transformers 5 and taper ignore it"),
            "{said:?}"
        );
    }
    assert!(load("ALBERT", json!({"add_bos_token": true})).unwrap_err().contains("`add_bos_token`"));
    let lacks = load("RoBERTa", json!({"sep_token": "[SEP]"})).map(|tokenizer| tokenizer.vocab_size());
    assert_eq!(lacks, Ok(628), "config.json has rows for it");
    // Byte-level BPE knows every text.
    assert_eq!(load("RoBERTa", json!({})).unwrap().unknown(), None);
    assert_eq!(load("DeBERTa", json!({})).unwrap().unknown(), Some(3));
    assert_eq!(load("RoBERTa", json!({})).unwrap().padding(), Some(("<pad>", 1)));
    assert!(load("XLM-R", json!({})).unwrap().takes_any_text());
}

/// A folder with a new model of a case's tokenizer, and rows.
fn trainable(case: &Case, kind: &str, more: Value) -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, content) in case.contents() {
        sandbox.write(&format!("new/{name}"), content);
    }
    let mut config = json!({
        "model_type": kind, "vocab_size": 640, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 8, "max_position_embeddings": 66, "type_vocab_size": 1, "pad_token_id": 1
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    sandbox.write("new/config.json", config.to_string());
    let rows = "1,外卖 pizza 好吃\n0,don't\n1,Café 味道\n0,龘龘\n".repeat(6);
    sandbox.write("rows.csv", format!("label,review\n{rows}"));
    sandbox.write(
        "it.toml",
        "name = \"it\"\nmodel.source = \"scratch:new/\"\ndata.source = \"path:rows.csv\"\ndata.text_column = \"review\"\n\
         data.max_length = 32\ntrain.epochs = 1\ntrain.batch_size = 8\ntrain.precision = \"fp32\"\n",
    );
    sandbox
}

#[test]
fn a_model_trains_and_is_exported_with_its_tokenizer() {
    let fixture = Fixture::read();
    let texts = fixture.texts();
    for (name, kind, pad) in
        [("RoBERTa", "roberta", 1), ("XLM-R", "xlm-roberta", 1), ("CamemBERT", "camembert", 1), ("ALBERT", "albert", 0)]
    {
        let case = fixture.case(name);
        let sandbox = trainable(case, kind, json!({"pad_token_id": pad}));
        sandbox.ok(&["run", "it.toml"]);
        sandbox.ok(&["export", "it", "model"]);
        let exported = Tokenizer::from_folder(&sandbox.path("model")).unwrap();
        assert_eq!(wrong(name, &exported, &texts, &case.results), [""; 0]);
        let config: Value =
            serde_json::from_slice(&fs::read(sandbox.path("model/tokenizer_config.json")).unwrap()).unwrap();
        assert!(
            config["tokenizer_class"].as_str().unwrap().to_lowercase().starts_with(&kind.replace('-', "")),
            "{config}"
        );
        assert_eq!(sandbox.path("model/vocab.json").exists(), kind == "roberta");
        sandbox.write("texts.txt", "外卖 pizza\n");
        sandbox.ok(&["predict", "it", "texts.txt"]);
        // A change of the vocabulary is another model.
        let key = sandbox.keys();
        let vocabulary = match kind {
            "roberta" => "merges.txt",
            "albert" => "spiece.model",
            _ => "sentencepiece.bpe.model",
        };
        let mut bytes = fs::read(sandbox.path(&format!("new/{vocabulary}"))).unwrap();
        match kind {
            "roberta" => bytes.push(b'\n'),
            // An unknown field.
            _ => bytes.extend([0x78, 1]),
        }
        if kind == "roberta" {
            let text = String::from_utf8(bytes).unwrap();
            bytes = text.lines().take(9).map(|line| format!("{line}\n")).collect::<String>().into_bytes();
        }
        sandbox.write(&format!("new/{vocabulary}"), bytes);
        sandbox.ok(&["run", "it.toml"]);
        assert_eq!(sandbox.keys().len(), key.len() + 1, "{name}");
    }
}

#[test]
fn what_does_not_fit_the_model_is_refused_with_both_numbers() {
    let fixture = Fixture::read();
    let refused = |sandbox: &Sandbox, set: &[&str], words: &[&str]| {
        for command in ["plan", "run"] {
            let output = sandbox.taper(&[&[command, "it.toml"], set].concat());
            let said = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(words.iter().all(|words| said.contains(words)), "{said}");
        }
    };
    let pad = trainable(fixture.case("RoBERTa"), "roberta", json!({"pad_token_id": 0}));
    refused(&pad, &[], &["the tokenizer's padding token `<pad>` has the id 1, but pad_token_id of config.json is 0"]);
    // A model whose positions do not depend on it is only warned about.
    let one = "tokenizer.json alone decides, one before, none after";
    let bert = trainable(fixture.case(one), "bert", json!({"pad_token_id": 0, "vocab_size": 627}));
    let output = bert.taper(&["plan", "it.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));

    // A window of 8 has room for 7 tokens beside its only special one.
    let windows = |stride: &str| {
        let stride = format!("data.stride={stride}");
        bert.taper(&[
            "plan",
            "it.toml",
            "--set",
            "data.long=\"windows\"",
            "--set",
            "data.max_length=8",
            "--set",
            &stride,
        ])
    };
    assert_eq!(windows("6").status.code(), Some(0));
    let says = String::from_utf8_lossy(&windows("7").stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(says.contains("the 1 special token that this tokenizer adds to a text leaves only 7 tokens"), "{says}");

    // Four special tokens in a pair, and a token of each text.
    let pairs = trainable(fixture.case("RoBERTa"), "roberta", json!({}));
    pairs.write("rows.csv", format!("label,review,second\n{}", "1,外卖,好吃\n0,don't,味道\n".repeat(12)));
    let set = ["--set", "data.text_pair_column=second", "--set", "data.max_length=5"];
    let says = "data.max_length is 5: the 4 special tokens that this tokenizer adds to a pair leave no room for both texts; set it to 6 or more";
    refused(&pairs, &set, &[says]);
    let output =
        pairs.taper(&["plan", "it.toml", "--set", "data.text_pair_column=second", "--set", "data.max_length=6"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));

    let two = "tokenizer.json alone decides, two before, one after";
    let three = trainable(fixture.case(two), "bert", json!({"vocab_size": 627}));
    let set = |keys: &[&'static str]| keys.iter().flat_map(|key| ["--set", key]).collect::<Vec<_>>();
    refused(
        &three,
        &set(&["data.long=\"windows\"", "data.max_length=8", "data.stride=5"]),
        &["data.stride is 5", "3 special tokens"],
    );
    refused(
        &three,
        &set(&["data.long=\"head_tail\"", "data.max_length=8", "data.head_tokens=5"]),
        &["data.head_tokens is 5", "no room"],
    );
    let most = ["data.max_length is 3", "3 special tokens", "no room for the text", "set it to 4 or more"];
    refused(&three, &set(&["data.max_length=3"]), &most);
}

/// The share of unknown tokens is that of the tokenizer's own unknown token: byte-level BPE has none.
#[test]
fn unknown_tokens_are_counted_by_their_own_id() {
    let fixture = Fixture::read();
    for (name, kind, says) in [("XLM-R", "xlm-roberta", Some("<unk>")), ("RoBERTa", "roberta", None)] {
        let sandbox = trainable(fixture.case(name), kind, json!({}));
        let output = sandbox.taper(&["plan", "it.toml"]);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(0), "{said}");
        match says {
            Some(unknown) => assert!(said.contains(&format!("of the tokens are {unknown}")), "{said}"),
            None => assert!(!said.contains("of the tokens are"), "{said}"),
        }
    }
}
