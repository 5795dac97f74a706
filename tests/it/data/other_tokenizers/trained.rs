//! Models that are trained, exported and checked with these tokenizers.

use super::*;

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
        "name = \"it\"\nmodel.source = \"scratch:new/\"\ndata.source = \"path:rows.csv\"\ndata.text_column = \
         \"review\"\ndata.max_length = 32\ntrain.epochs = 1\ntrain.batch_size = 8\ntrain.precision = \"fp32\"\n",
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
