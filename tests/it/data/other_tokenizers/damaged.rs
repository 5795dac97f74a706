//! Files of tokenizers that are damaged are refused by name.

use super::*;

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
