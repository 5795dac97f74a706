//! Suggestions for settings that taper does not take, and where they belong.

use taper::spec::{LoadOptions, LoadedSpec};

use super::{one, options};

#[test]
fn a_word_that_toml_does_not_have_comes_with_what_to_write() {
    for (line, word, help) in [
        ("data.limit = null", "null", "remove the key to use its default"),
        ("data.limit = None", "None", "remove the key to use its default"),
        ("data.stratify = True", "True", "write true"),
        ("data.stratify = FALSE", "FALSE", "write false"),
        ("data.stratify = yes", "yes", "write true"),
        ("train.scheduler = linear", "linear", "write a string in quotes: \"linear\""),
        ("train.freeze = [embeddings, pooler]", "embeddings", "write a string in quotes: \"embeddings\""),
        ("data.quoting = tsv-like", "tsv-like", "write a string in quotes: \"tsv-like\""),
    ] {
        let said = one(&format!("{line}\n")).problems("a.toml", &LoadOptions::default());
        assert!(said.starts_with("a.toml:3:"), "{said}");
        assert!(said.contains(&format!("invalid TOML: `{word}` is not a value")) && said.contains(help), "{said}");
    }
    // What is wrong elsewhere is told as it is.
    for line in ["train.lr = ", "train.lr 3", "[train", "data.limit = 1_", "data.text_column = \"a"] {
        let said = one(&format!("{line}\n")).problems("a.toml", &LoadOptions::default());
        assert!(said.contains("invalid TOML: ") && !said.contains("is not a value"), "{line}: {said}");
    }
}

#[test]
fn arguments_that_no_key_takes_lead_to_what_was_meant() {
    for (set, help) in [
        (
            "train.lr=1e-4,1e-5",
            "`[sweep.axes]` with train.lr = [1e-4, 1e-5], or --set 'sweep.axes.train.lr=[1e-4, 1e-5]'",
        ),
        ("train.lr=[1e-4, 1e-5]", "`[sweep.axes]` with train.lr = [1e-4, 1e-5]"),
        ("train.scheduler=linear,cosine", "--set 'sweep.axes.train.scheduler=[\"linear\", \"cosine\"]'"),
        ("train.batch_size=8, 16", "`[sweep.axes]` with train.batch_size = [8, 16]"),
        ("train.seed=1,2,3", "sweep.seeds = [1, 2, 3]"),
        ("data.stratify=True", "write true"),
        ("data.stratify=no", "write false"),
        ("train.lerning_rate=1e-4", "did you mean `train.lr`?"),
        ("train.wieght_decay=0", "did you mean `train.weight_decay`?"),
        ("train.optimiser=adam", "AdamW is the only optimizer; remove this key"),
        ("train.optim=adamw_torch", "AdamW is the only optimizer; remove this key"),
        ("profile.x.train.lr=1", "choose one with --profile NAME"),
        ("profile.x=1", "choose one with --profile NAME"),
        ("extends=[\"b.toml\"]", "write extends = [\"FILE\"] at the top of the spec"),
        ("sweep.trials=1000000", "a search draws at most 10000 points"),
        ("train.seed=99999999999999999999", "expected an integer from 0 to 9223372036854775807"),
    ] {
        let said = one("").problems("a.toml", &options(None, &[set], &[]));
        assert!(said.starts_with("--set: ") && said.contains(help), "{set}: {said}");
    }
    // Values of which one does not fit are no list of values.
    for set in ["train.lr=1e-4,fast", "train.lr=1e-4,2", "train.batch_size=8,0"] {
        let said = one("").problems("a.toml", &options(None, &[set], &[]));
        assert!(!said.contains("sweep"), "{set}: {said}");
    }
}

#[test]
fn a_seed_of_a_sweep_may_be_that_of_its_search_or_of_its_runs() {
    let said =
        one("sweep.seed = 3\nsweep.search = \"tpe\"\nsweep.trials = 8\n").problems("a.toml", &LoadOptions::default());
    let help = "did you mean `sweep.search_seed`, from which a search draws its points, or `sweep.seeds`, with a run for each seed?";
    assert!(said.contains("unknown key `sweep.seed`") && said.contains(help), "{said}");
}

#[test]
fn variables_without_effect_give_a_warning() {
    let warned = |name: &str| {
        let loaded = one("").load_with("a.toml", &options(None, &[], &[(name, "1")])).unwrap();
        loaded.warnings().iter().map(|warning| warning.message.clone()).collect::<Vec<_>>()
    };
    for (name, help) in [
        ("TAPER_LR", "did you mean TAPER_TRAIN__LR?"),
        ("TAPER_TRAIN_LR", "TAPER_TRAIN__LR sets train.lr (two underscores"),
        ("TAPER_DATA_MAX_LENGTH", "TAPER_DATA__MAX_LENGTH sets data.max_length"),
        ("TAPER_RUN", "did you mean TAPER_RUNS?"),
        ("TAPER_CASHE", "did you mean TAPER_CACHE?"),
        ("TAPER_TRAIN_LEARNING_RATE", "did you mean TAPER_TRAIN__LR?"),
        ("TAPER_XYZZY", "taper reads TAPER_RUNS, TAPER_CACHE"),
    ] {
        let said = warned(name).join("\n");
        assert!(said.contains(&format!("variable {name} has no effect")) && said.contains(help), "{said}");
    }
    for name in
        ["TAPER_RUNS", "TAPER_CACHE", "TAPER_MAX_DOWNLOAD", "TAPER_CUDA_LIBS", "TAPER_DOWNLOAD_WAIT_S", "HF_HOME"]
    {
        assert!(warned(name).is_empty(), "{name}: {:?}", warned(name));
    }
}

#[test]
fn a_swept_key_is_explained_as_one() {
    let axes = "[sweep]\nseeds = [1, 2]\n[sweep.axes]\ntrain.weight_decay = [0.1, 0.2]\ntrain.scheduler = [\"linear\", \"constant\"]\n\
        train.warmup_ratio = { values = [0.05, 0.1], when = { train.scheduler = \"linear\" } }\n[[sweep.zip]]\ntrain.lr = [1e-4]\n\
        train.eps = [1e-8]\n";
    let files = one(axes);
    let loaded = files.load("a.toml").unwrap();
    for (key, over, base_holds) in [
        ("train.weight_decay", "is swept over [0.1, 0.2]\n", false),
        ("train.seed", "is swept over [1, 2]\n", false),
        ("train.lr", "is swept over [1e-4]\n", false),
        ("train.warmup_ratio", "is swept over { values = [0.05, 0.1], when = {", true),
    ] {
        let explained = loaded.explain(key).unwrap();
        let text = explained.to_string();
        assert!(text.starts_with(&format!("{key} {over}")), "{text}");
        assert_eq!((explained.value, explained.swept.map(|said| said.holds)), (None, Some(true)));
        assert!(explained.layers.iter().all(|said| said.holds == base_holds), "{text}");
    }
    let explained = loaded.explain("train.epochs").unwrap();
    assert_eq!((explained.value.as_deref(), explained.swept), (Some("3"), None));
}

#[test]
fn the_source_of_a_value_is_named() {
    let files = one("[sweep.axes]\ndata.file = [\"a.csv\",\n  \"b.csv\"]\n");
    let set = options(None, &["train.lr=1e-4"], &[("TAPER_TRAIN__EPOCHS", "2")]);
    let loaded = files.load_with("a.toml", &set).unwrap();
    let location = |key: &str, swept: Option<&str>| {
        let swept = swept.map(serde_json::Value::from);
        loaded
            .written_at(key, swept.as_ref())
            .map(|location| location.replace(&format!("{}/", files.0.root().display()), ""))
    };
    assert_eq!(location("data.source", None).as_deref(), Some("a.toml:2"));
    assert_eq!(location("data.file", Some("b.csv")).as_deref(), Some("a.toml:5"));
    assert_eq!(location("train.lr", None).as_deref(), Some("--set train.lr=1e-4"));
    assert_eq!(location("train.epochs", None).as_deref(), Some("TAPER_TRAIN__EPOCHS"));
    assert_eq!(location("train.batch_size", None), None);
}

#[test]
fn a_spec_in_another_format_has_one_problem_for_each_line() {
    let yaml = "name: \"b\"\ntrain:\n  lr: 1e-4\n";
    let said = one(yaml).problems("a.toml", &LoadOptions::default());
    for (line, write) in [(3, "write name = \"b\""), (4, "write `[train]` on a line"), (5, "write lr = 1e-4")] {
        assert!(said.contains(&format!("a.toml:{line}:")) && said.contains(write), "{said}");
    }
    assert!(said.ends_with("\n\n3 problems"), "{said}");
}

#[test]
fn a_spec_in_another_encoding_is_named_with_how_to_convert_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.toml");
    let text = "name = \"好\"\nmodel.source = \"scratch:tiny\"\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let gbk = text.replace('好', "\u{1}").replace('\u{1}', "?").into_bytes();
    // 好 is BA C3 in GBK.
    let gbk: Vec<u8> =
        gbk.into_iter().flat_map(|byte| if byte == b'?' { vec![0xBA, 0xC3] } else { vec![byte] }).collect();
    for (bytes, encoding) in [([&[0xFF, 0xFE][..], &utf16].concat(), "UTF-16"), (utf16, "UTF-16LE"), (gbk, "GB18030")] {
        std::fs::write(&path, bytes).expect("a file");
        let said = LoadedSpec::load(&path, &LoadOptions::default()).expect_err("it is refused").to_string();
        assert!(said.contains(&format!("is {encoding} and not UTF-8")), "{said}");
        assert!(said.contains(&format!("iconv -f {encoding} -t UTF-8 '{}' > utf8.toml", path.display())), "{said}");
    }
    // café, Zürich and größe in Latin-1; the last two are characters of GB18030 as well.
    for (name, column) in [(&b"caf\xe9"[..], 12), (b"Z\xfcrich", 10), (b"gr\xf6\xdfe", 11)] {
        std::fs::write(&path, [b"name = \"", name, b"\"\n"].concat()).expect("a file");
        let said = LoadedSpec::load(&path, &LoadOptions::default()).expect_err("it is refused").to_string();
        assert!(said.contains(&format!("a.toml:1:{column}: is not valid UTF-8")), "{said}");
    }
}
