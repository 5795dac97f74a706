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

mod damaged;
mod trained;

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
