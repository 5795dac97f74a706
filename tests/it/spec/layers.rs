//! Which layer wins, what paths are relative to, and what `explain` says about both.

use taper::spec::{Axis, ClassWeights, LoadOptions, Over};

use super::{Files, minimal, one, options};

#[test]
fn a_contradiction_is_shown_where_the_highest_layer_brought_it() {
    let base =
        "model.source = \"scratch:tiny\"\ndata.source = \"path:x.csv\"\ntrain.warmup_ratio = 0.1\ntrain.lr = 1e-3\n";
    let files = Files::new(&[("base.toml", base), ("a.toml", "extends = [\"base.toml\"]\ntrain.warmup_steps = 5\n")]);
    let problems = files.problems("a.toml", &LoadOptions::default());
    let want = "a.toml:2:22: `train.warmup_ratio` and `train.warmup_steps` cannot both be set (`train.warmup_ratio` is set at base.toml:3)";
    assert!(problems.starts_with(want) && problems.contains("2 | train.warmup_steps = 5"), "{problems}");
    let sets = LoadOptions { sets: vec!["train.warmup_steps=7".into()], ..LoadOptions::default() };
    let problems = files.problems("base.toml", &sets);
    assert!(problems.starts_with("--set: ") && problems.contains("is set at base.toml:3)"), "{problems}");
    // A number is explained as it is written.
    let loaded = files.load("base.toml").unwrap();
    assert!(loaded.explain("train.lr").unwrap().to_string().starts_with("train.lr = 1e-3\n"));
    assert!(loaded.explain("train.weight_decay").unwrap().to_string().contains("see also train.lr = 1e-3:"));
    // What a key means that is left out is said where it is set, too.
    let steps = |sets: &[&str]| {
        let sets = LoadOptions { sets: sets.iter().map(|set| set.to_string()).collect(), ..LoadOptions::default() };
        files.load_with("base.toml", &sets).unwrap().explain("train.max_steps").unwrap().to_string()
    };
    assert!(steps(&[]).starts_with("train.max_steps is not set: `train.epochs` decides\n"), "{}", steps(&[]));
    let set = steps(&["train.max_steps=7"]);
    let takes = "  takes an integer from 1 to 1,000,000,000 (steps); if the key is left out: `train.epochs` decides\n";
    assert!(set.starts_with("train.max_steps = 7\n") && set.contains(takes), "{set}");
}

/// One key in every layer, one more layer each time: the highest present wins.
#[test]
fn each_layer_overrides_those_before_it() {
    let base = "[train]\nbatch_size = 2\n[profile.p.train]\nbatch_size = 5\n";
    let second = "[train]\nbatch_size = 3\n";
    let layers: [(&str, u64); 9] = [
        ("default", 32),
        ("extends", 2),
        ("second extends", 3),
        ("file", 4),
        ("profile of an extended file", 5),
        ("profile of the file", 6),
        ("environment", 7),
        ("--set", 8),
        ("later --set", 9),
    ];
    for (count, (layer, expected)) in layers.iter().enumerate() {
        let mut extends = Vec::new();
        if count >= 1 {
            extends.push("\"base.toml\"");
        }
        if count >= 2 {
            extends.push("\"second.toml\"");
        }
        let mut text = format!("extends = [{}]\n{}", extends.join(", "), minimal(""));
        if count >= 3 {
            text.push_str("[train]\nbatch_size = 4\n");
        }
        if count >= 5 {
            text.push_str("[profile.p.train]\nbatch_size = 6\n");
        }
        let sets = ["train.batch_size=8", "train.batch_size=9"];
        let options = options(
            (count >= 4).then_some("p"),
            &sets[..count.saturating_sub(6)],
            if count >= 6 { &[("TAPER_TRAIN__BATCH_SIZE", "7")] } else { &[] },
        );
        let files = Files::new(&[("base.toml", base), ("second.toml", second), ("a.toml", &text)]);
        let loaded = files.load_with("a.toml", &options).unwrap_or_else(|e| panic!("{layer}: {e}"));
        assert_eq!(loaded.spec().train.batch_size, *expected, "{layer}");
        // `explain` knows all that were overridden, highest first, and exactly one that holds: the first.
        let explained = loaded.explain("train.batch_size").unwrap();
        assert_eq!(explained.value.as_deref(), Some(expected.to_string().as_str()), "{layer}");
        let values: Vec<_> = explained.layers.iter().map(|said| said.value.clone()).collect();
        let below: Vec<_> = layers[..=count].iter().rev().map(|(_, value)| value.to_string()).collect();
        // Without the profile chosen its table says nothing; chosen, it speaks at once for both files that have it.
        assert_eq!(values, below, "{layer}");
        assert_eq!(explained.layers.iter().map(|said| said.holds).collect::<Vec<_>>(), {
            let mut holds = vec![false; values.len()];
            holds[0] = true;
            holds
        });
    }
}

/// `data.text_columns` and `data.text_column`, and the same of labels: the other key in a higher layer replaces the one in a lower one.
#[test]
fn of_two_keys_for_the_same_columns_the_higher_layer_counts() {
    let texts = "data.text_columns = [\"title\", \"body\"]\ndata.separator = \"-\"\n";
    let several = "data.problem_type = \"multi_label_classification\"\n";
    let tags = format!("{several}data.label_column = \"tags\"\ndata.label_separator = \"|\"\n");
    let each = format!("{several}data.label_columns = [\"a\", \"b\"]\n");
    let one = "data.text_column = \"review\"\n".to_string();
    let profile = |texts: &str| format!("{one}[profile.p]\n{texts}");
    let columns = |base: &str, file: &str, options: &LoadOptions| {
        let base = minimal(base);
        let files = Files::new(&[("base.toml", &base), ("a.toml", &format!("extends = [\"base.toml\"]\n{file}"))]);
        let loaded = files.load_with("a.toml", options).unwrap_or_else(|e| panic!("{base}{file}: {e}"));
        assert_eq!(loaded.warnings(), []);
        let data = &loaded.spec().data;
        let separators =
            [&data.separator, &data.label_separator].map(|separator| separator.clone().unwrap_or_default());
        (data.text_columns().0.join(" "), data.label_columns().0.join(" "), separators.concat())
    };
    let said =
        |texts: &str, labels: &str, separator: &str| (texts.to_string(), labels.to_string(), separator.to_string());
    let none = LoadOptions::default();
    let set = |sets: &[&str]| options(None, sets, &[]);
    for (base, file, options, want) in [
        (one.as_str(), texts, &none, said("title body", "label", "-")),
        (texts, one.as_str(), &none, said("review", "label", "")),
        (&one, "", &set(&["data.text_columns=[\"title\", \"body\"]"]), said("title body", "label", "")),
        (texts, "", &set(&["data.text_column=review"]), said("review", "label", "")),
        (
            texts,
            "",
            &options(None, &["data.text_column=review"], &[("TAPER_DATA__TEXT_COLUMNS", "[\"x\"]")]),
            said("review", "label", ""),
        ),
        (&profile(texts), "", &options(Some("p"), &[], &[]), said("title body", "label", "-")),
        (&profile(texts), "", &none, said("review", "label", "")),
        // An empty list names nothing.
        (&one, "data.text_columns = []\n", &none, said("review", "label", "")),
        (&tags, &each, &none, said("text", "a b", "")),
        (&each, &tags, &none, said("text", "tags", "|")),
        (&each, "", &set(&["data.label_column=tags"]), said("text", "tags", "")),
        (&tags, "", &set(&["data.label_columns=[\"a\", \"b\"]"]), said("text", "a b", "")),
    ] {
        assert_eq!(columns(base, file, options), want, "{base}{file}{options:?}");
    }
    // In one layer none is higher, and what belongs to the key that was replaced is not silently left out.
    for (base, file, sets, want) in [
        (
            format!("{one}{texts}"),
            "",
            &[][..],
            "`data.text_columns` and `data.text_column` both say which columns hold the text",
        ),
        (
            one.clone(),
            "",
            &["data.text_columns=[\"x\"]", "data.text_column=y"],
            "`data.text_columns` and `data.text_column` both say",
        ),
        (
            format!("{each}data.label_column = \"c\"\n"),
            "",
            &[],
            "`data.label_columns` and `data.label_column` both say",
        ),
        (
            texts.into(),
            "",
            &["data.text_column=review", "data.separator=+"],
            "`data.separator` is written between the texts of",
        ),
        (
            tags,
            "",
            &["data.label_columns=[\"a\"]", "data.label_separator=;"],
            "`data.label_separator` divides the labels in one",
        ),
    ] {
        let files = Files::new(&[("a.toml", &format!("{}{file}", minimal(&base)))]);
        let problems = files.problems("a.toml", &set(sets));
        assert!(problems.contains(want), "{want}: {problems}");
    }
}

#[test]
fn tables_merge_key_by_key_and_lists_are_replaced() {
    let base = "[data]\nlabels = { a = \"x\", b = \"y\" }\n[train]\nfreeze = [\"embeddings\", \"pooler\"]\n[sweep.axes]\n\
        train.lr = [1e-5, 2e-5]\n[[probes]]\ntext = \"1\"\n";
    let text = format!(
        "extends = [\"base.toml\"]\n{}",
        minimal(
            "[data.labels]\nb = \"z\"\n[train]\nfreeze = [\"encoder.layer.0\"]\n[sweep.axes]\n\"train.eps\" = [1e-8]\n\
            train.lr = [3e-5]\n[[probes]]\ntext = \"2\"\n"
        )
    );
    let files = Files::new(&[("base.toml", base), ("a.toml", &text)]);
    let loaded = files.load("a.toml").unwrap();
    let spec = loaded.spec();
    assert_eq!(spec.data.labels.iter().map(|(k, v)| format!("{k}{v}")).collect::<Vec<_>>(), ["ax", "bz"]);
    assert_eq!(spec.train.freeze, ["encoder.layer.0"]);
    assert_eq!(spec.probes.iter().map(|p| p.text.as_str()).collect::<Vec<_>>(), ["2"]);
    assert_eq!(spec.sweep.axes.keys().collect::<Vec<_>>(), ["train.eps", "train.lr"]);
    assert_eq!(spec.sweep.axes["train.lr"], Axis::values(vec![3e-5.into()]));
}

#[test]
fn sources_are_relative_to_the_file_that_writes_them() {
    let base = "model.source = \"scratch:bert.json\"\ndata.source = \"path:../data/x.csv\"\n[profile.p]\n\
        model.source = \"path:m\"\n[sweep.axes]\ndata.source = [\"path:a.csv\", \"hf:o/n\"]\n[[sweep.exclude]]\n\
        data.source = \"path:a.csv\"\n";
    let files = Files::new(&[
        ("lib/deep/base.toml", base),
        ("lib/mid.toml", "extends = [\"deep/base.toml\"]\n"),
        ("a.toml", "extends = [\"lib/mid.toml\"]\n"),
    ]);
    let folder = files.path("lib/deep");
    let loaded = files.load("a.toml").unwrap();
    assert_eq!(loaded.spec().model.source.to_string(), format!("scratch:{}/bert.json", folder.display()));
    assert_eq!(loaded.spec().data.source.to_string(), format!("path:{}/../data/x.csv", folder.display()));
    // Swept and excluded values too, so that they can be compared.
    let Over::Values(sources) = &loaded.spec().sweep.axes["data.source"].over else { panic!("a list") };
    assert_eq!(sources[0], format!("path:{}/a.csv", folder.display()));
    assert_eq!(loaded.spec().sweep.exclude[0]["data.source"], sources[0]);
    assert_eq!(sources[1], "hf:o/n");
    let point = loaded.at(&[("data.source".into(), sources[0].clone())]).unwrap();
    assert_eq!(point.data.source.to_string(), format!("path:{}/a.csv", folder.display()));

    let chosen = files.load_with("a.toml", &options(Some("p"), &[], &[])).unwrap();
    assert_eq!(chosen.spec().model.source.to_string(), format!("path:{}/m", folder.display()));
    // From outside files: relative to the current folder, that is, as they are.
    let outside = options(None, &["model.source=path:m/./n"], &[("TAPER_DATA__SOURCE", "path:../y.csv")]);
    let loaded = files.load_with("a.toml", &outside).unwrap();
    assert_eq!(loaded.spec().model.source.to_string(), "path:m/./n");
    assert_eq!(loaded.spec().data.source.to_string(), "path:../y.csv");
}

#[test]
fn a_relative_spec_keeps_relative_sources() {
    let path = std::path::Path::new("tests/fixtures/spec/valid/relative.toml");
    let loaded = taper::spec::LoadedSpec::load(path, &LoadOptions::default()).unwrap();
    assert_eq!(loaded.spec().model.source.to_string(), "path:tests/fixtures/spec/valid/models/rbt3");
    assert_eq!(loaded.spec().data.source.to_string(), "path:tests/fixtures/spec/valid/../reviews.csv");
    assert_eq!(loaded.path(), path);
    assert_eq!(loaded.text(), std::fs::read_to_string(path).unwrap());
}

#[test]
fn a_file_of_a_data_set_is_named_for_both_hubs() {
    for source in ["hf:o/rows", "modelscope:o/rows"] {
        let text =
            format!("model.source = \"scratch:tiny\"\ndata = {{ source = \"{source}\", file = \"train.csv\" }}\n");
        let loaded = Files::new(&[("a.toml", &text)]).load("a.toml").unwrap();
        assert_eq!(loaded.spec().data.file.as_deref(), Some("train.csv"), "{source}");
    }
}

#[test]
fn the_name_is_the_files_stem_unless_a_layer_sets_it() {
    assert_eq!(one("").load("a.toml").unwrap().spec().name, "a");
    assert_eq!(one("name = \"b\"\n").load("a.toml").unwrap().spec().name, "b");
    let env = options(None, &[], &[("TAPER_NAME", "2024"), ("TAPER_DESCRIPTION", "true"), ("TAPER_RUNS", "x")]);
    let loaded = one("name = \"b\"\n").load_with("a.toml", &env).unwrap();
    assert_eq!((loaded.spec().name.as_str(), loaded.spec().description.as_str()), ("2024", "true"));
}

#[test]
fn a_file_that_two_others_extend_counts_once_at_its_lowest_position() {
    let files = Files::new(&[
        ("root.toml", &minimal("[train]\nlr = 1e-3\nepochs = 9\n")),
        ("b.toml", "extends = [\"root.toml\"]\n[train]\nlr = 2e-3\n"),
        ("c.toml", "extends = [\"./root.toml\"]\n[train]\nweight_decay = 0.5\n"),
        ("a.toml", "extends = [\"b.toml\", \"c.toml\"]\n"),
    ]);
    let loaded = files.load("a.toml").unwrap();
    let train = &loaded.spec().train;
    assert_eq!((train.lr, train.epochs, train.weight_decay), (2e-3, 9, 0.5));
    assert_eq!(loaded.explain("train.lr").unwrap().layers.len(), 3);
}

#[test]
fn values_of_the_command_line_and_the_environment_have_the_types_of_their_keys() {
    let options = options(
        None,
        &[
            "train.betas=[0, 0.99]",
            "train.class_weights=balanced",
            "data.labels.0=no",
            "data.labels.1=1",
            "sweep.axes.train.lr=[1, 2e-5]",
            "probes=[{ text = \"好\", expect = \"no\" }]",
            "model.source=scratch:small",
        ],
        &[
            ("TAPER_TRAIN__LR", "2e-5"),
            ("TAPER_DATA__STRATIFY", "true"),
            ("TAPER_TRAIN__SCHEDULER", "linear"),
            ("TAPER_TRAIN__FREEZE", "[\"embeddings\"]"),
        ],
    );
    let loaded = one("").load_with("a.toml", &options).unwrap();
    let spec = loaded.spec();
    assert_eq!((spec.train.lr, spec.data.stratify), (2e-5, true));
    assert_eq!(serde_json::to_value(spec.train.scheduler).unwrap(), "linear");
    assert_eq!(spec.train.betas, [0.0, 0.99]);
    assert_eq!(spec.train.class_weights, ClassWeights::Balanced);
    assert_eq!(spec.train.freeze, ["embeddings"]);
    assert_eq!(spec.data.labels["1"], "1");
    assert_eq!(spec.sweep.axes["train.lr"], Axis::values(vec![1.0.into(), 2e-5.into()]));
    assert_eq!(spec.probes[0].text, "好");
    assert_eq!(spec.model.source.to_string(), "scratch:small");
}

#[test]
fn explain_shows_where_a_value_is_set_and_what_it_overrides() {
    let base = minimal("[train]\nlr = 1e-4\n\n[profile.slow.train]\nlr = 1e-6\n");
    let text = "extends = [\"base.toml\"]\n\n[train]\nlr = 3e-5\n[data.labels]\n\"a.b\" = \"x\"\n1 = \"y\"\n\
        [sweep.axes]\ntrain.lr = [1e-5,\n  2e-5]\n";
    let files = Files::new(&[("base.toml", &base), ("a.toml", text)]);
    let options = options(Some("slow"), &["train.lr=5e-5"], &[("TAPER_TRAIN__LR", "4e-5")]);
    let loaded = files.load_with("a.toml", &options).unwrap();
    let explain = |key: &str| match loaded.explain(key) {
        Ok(explanation) => explanation.to_string(),
        Err(errors) => errors.to_string(),
    };
    let keys = [
        "train.lr",
        "train.epochs",
        "train.dropout",
        "model.source",
        "data.labels",
        "data.labels.a.b",
        "sweep.axes.train.lr",
        "name",
        "train.learning_rate",
        "train",
        "probes.text",
        "frobnicate",
    ];
    let all = keys.map(explain).join("\n\n").replace(&format!("{}/", files.0.root().display()), "");
    insta::assert_snapshot!("explain", all);
}

#[test]
fn a_profile_that_no_file_has_is_refused_with_those_there_are() {
    let files = one("[profile.fast.train]\nlr = 1e-3\n[profile.slow.train]\nlr = 1e-6\n");
    assert_eq!(files.load("a.toml").unwrap().spec().train.lr, 2e-5);
    assert_eq!(files.load_with("a.toml", &options(Some("slow"), &[], &[])).unwrap().spec().train.lr, 1e-6);
    let problems = |name| files.problems("a.toml", &options(Some(name), &[], &[]));
    assert_eq!(problems("fats"), "there is no profile `fats`\n = did you mean `fast`?");
    assert_eq!(problems("Fast"), "there is no profile `Fast`\n = did you mean `fast`?");
    assert_eq!(problems("xyz"), "there is no profile `xyz`\n = the names are: fast, slow");
    let none = one("").problems("a.toml", &options(Some("fast"), &[], &[]));
    assert_eq!(none, "there is no profile `fast`\n = no file has a `[profile.NAME]` table");
}

/// The warnings of `a.toml`, which extends `base.toml`.
fn warnings(base: &str, file: &str, options: &LoadOptions) -> Vec<String> {
    let files = Files::new(&[("base.toml", &minimal(base)), ("a.toml", &format!("extends = [\"base.toml\"]\n{file}"))]);
    let loaded = files.load_with("a.toml", options).unwrap();
    let folder = format!("{}/", files.path("").display().to_string().trim_end_matches('/'));
    loaded.warnings().iter().map(|warning| warning.message.replace(&folder, "")).collect()
}

#[test]
fn epochs_above_steps_of_a_lower_layer_give_a_warning() {
    let none = LoadOptions::default();
    let steps = "train.max_steps = 10\n";
    let told = |found: &[String], wanted: &str| {
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(wanted) && found[0].contains("has no effect: train.max_steps = 10"), "{found:?}");
    };
    told(
        &warnings(steps, "train.epochs = 2\n", &none),
        "train.epochs = 2 (a.toml:2) has no effect: train.max_steps = 10 (base.toml:3)",
    );
    told(&warnings("", steps, &options(None, &["train.epochs=2"], &[])), "(--set train.epochs=2) has no effect");
    told(
        &warnings("", steps, &options(None, &[], &[("TAPER_TRAIN__EPOCHS", "5")])),
        "train.epochs = 5 (TAPER_TRAIN__EPOCHS)",
    );
    told(
        &warnings(steps, "[profile.p.train]\nepochs = 4\n", &options(Some("p"), &[], &[])),
        "train.epochs = 4 (a.toml:3)",
    );
    // The other way round the steps are meant to override; and epochs by themselves count.
    assert_eq!(warnings("train.epochs = 2\n", steps, &none), [""; 0]);
    assert_eq!(warnings("", "train.epochs = 2\n", &options(None, &["train.max_steps=10"], &[])), [""; 0]);
    assert_eq!(warnings("", "train.epochs = 2\n", &none), [""; 0]);
}

#[test]
fn keys_without_effect_beside_others_give_a_warning_across_layers() {
    let none = LoadOptions::default();
    let decay = |base, file, sets: &[&str]| warnings(base, file, &options(None, sets, &[]));
    let found = decay("train.weight_decay = 0.0\n", "train.no_decay = [\"bias\"]\n", &[]);
    assert!(found.len() == 1 && found[0].contains("train.no_decay (a.toml:2) has no effect"), "{found:?}");
    assert_eq!(decay("train.no_decay = [\"bias\"]\n", "", &["train.weight_decay=0"]).len(), 1);
    assert_eq!(decay("train.no_decay = [\"bias\"]\n", "sweep.axes.train.weight_decay = [0, 0.1]\n", &[]), [""; 0]);
    let fixed = "train.init_seed = 1\ntrain.order_seed = 1\ntrain.dropout = 0.0\n";
    assert_eq!(warnings(fixed, "train.seed = 7\n", &none).len(), 1);
    assert!(warnings(fixed, "sweep.seeds = [1, 2]\n", &none)[0].contains("train.seed (sweep.seeds) has no effect"));
    assert_eq!(warnings(fixed, "", &none), [""; 0]);
    // An empty list is how a higher layer undoes those of a lower one; alone it says nothing.
    let found = warnings("", "sweep.seeds = []\n", &none);
    assert!(
        found.len() == 1 && found[0].starts_with("sweep.seeds (a.toml:2) is an empty list and has no effect"),
        "{found:?}"
    );
    assert!(found[0].contains("every point is trained once, with train.seed = "), "{found:?}");
    assert_eq!(warnings("sweep.seeds = [1, 2]\n", "sweep.seeds = []\n", &none), [""; 0]);
    assert_eq!(warnings("", "sweep.seeds = [1, 2]\n", &options(None, &["sweep.seeds=[]"], &[])), [""; 0]);
    assert_eq!(warnings("", "", &options(None, &["sweep.seeds=[]"], &[])).len(), 1);
    assert_eq!(warnings(fixed, "sweep.seeds = [1, 2]\nsweep.axes.train.dropout = [0.0, 0.1]\n", &none), [""; 0]);
}

#[test]
fn exclusions_that_no_point_meets_are_told() {
    let of =
        |sweep: &str| warnings("", &format!("[sweep.axes]\ntrain.lr = [1e-4, 1e-5]\n{sweep}"), &LoadOptions::default());
    let found = of("train.weight_decay = [0, 1]\n[[sweep.exclude]]\ntrain.weight_decay = 2\n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("train.weight_decay = 2.0 excludes nothing"), "{found:?}");
    assert_eq!(of("[[sweep.exclude]]\ntrain.lr = 2e-4\n").len(), 1);
    assert_eq!(of("[sweep]\nseeds = [1, 2]\n[[sweep.exclude]]\ntrain.seed = 3\ntrain.lr = 1e-4\n").len(), 1);
    assert_eq!(
        of("[[sweep.zip]]\ntrain.batch_size = [1, 2]\ntrain.epochs = [3, 4]\n[[sweep.exclude]]\ntrain.epochs = 5\n")
            .len(),
        1
    );
    for sound in [
        "[[sweep.exclude]]\ntrain.lr = 0.0001\n",
        "train.weight_decay = [0, 1]\n[[sweep.exclude]]\ntrain.weight_decay = 1.0\n",
    ] {
        assert_eq!(of(sound), [""; 0], "{sound}");
    }
}

#[test]
fn variables_with_underscores_missing_are_told() {
    let of = |name: &str| warnings("", "", &options(None, &[], &[(name, "1")]));
    for (name, meant) in [
        ("TAPER_TRAIN_LR", "TAPER_TRAIN__LR sets train.lr"),
        ("TAPER_TRAIN_MAX_STEPS", "TAPER_TRAIN__MAX_STEPS sets train.max_steps"),
        ("TAPER_MODEL_VOCAB_SIZE", "TAPER_MODEL__VOCAB_SIZE sets model.vocab_size"),
    ] {
        assert!(of(name).len() == 1 && of(name)[0].contains(meant), "{name}: {:?}", of(name));
    }
    for name in ["TAPER_RUNS", "TAPER_CACHE", "TAPER_MAX_DOWNLOAD", "TRAIN_LR"] {
        assert_eq!(of(name), [""; 0], "{name}");
    }
}

#[test]
fn a_file_whose_own_name_is_none_has_to_give_one() {
    for stem in ["-x", " ", ".hidden", "a\u{202e}b"] {
        let file = format!("{stem}.toml");
        let files = Files::new(&[(&file, &minimal("")), ("ok.toml", &minimal(""))]);
        let said = files.problems(&file, &LoadOptions::default());
        assert!(said.contains("the experiment has no name") && said.contains("write name = \"…\""), "{said}");
        assert!(said.contains("leading or trailing spaces"), "{said}");
        assert!(files.load_with(&file, &options(None, &["name=x"], &[])).is_ok());
        let files = Files::new(&[(&file, &minimal("name = \"mine\"\n"))]);
        assert_eq!(files.load(&file).unwrap().spec().name, "mine");
    }
}
