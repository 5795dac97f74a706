//! Models that read two texts, from the spec to the report, `predict`, `eval` and transformers.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::support::{Sandbox, python_with};

const SPEC: &str = r#"name = "qa"
[model]
source = "scratch:tiny"
[data]
source = "path:rows.csv"
text_column = "question"
text_pair_column = "answer"
test = 0.25
max_length = 16
[train]
max_steps = 6
batch_size = 8
lr = 1e-3
"#;

const PROBES: &str = r#"[[probes]]
text = "多久到"
text_pair = "半小时到"
expect = "yes"
[[probes]]
text = "多久到"
text_pair = "可以开票"
expect = "no"
"#;

/// 40 questions with an answer that fits or not; two of them twice, one of these with another label; one row without an answer. Some are
/// too long for the spec. Each character is a token.
fn rows() -> String {
    let name = |i: usize| {
        let character = |of: &str, i: usize| of.chars().nth(i).unwrap();
        format!("{}{}", character("春夏秋冬", i / 10), character("甲乙丙丁戊己庚辛壬癸", i % 10))
    };
    let row = |i: usize| match i % 2 {
        0 => format!("{}单多久到,半小时到 {}单{},yes\n", name(i), name(i), "请稍等".repeat(i % 4)),
        _ => format!("{}单多久到{},可以开票 {},no\n", name(i), "呢".repeat(i % 5), name(i)),
    };
    let more = "春甲单多久到,半小时到 春甲单,yes\n春乙单多久到呢,可以开票 春乙,yes\n春甲单多久到,可以开票 春乙,no\n春辛单多久到,,no\n";
    format!("question,answer,label\n{}{more}", (0..40).map(row).collect::<String>())
}

fn sandbox(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", rows());
    sandbox.write("qa.toml", format!("{SPEC}{more}"));
    sandbox
}

/// What is said when the spec is refused, on one line.
fn refused(sandbox: &Sandbox, spec: &str) -> String {
    sandbox.write("qa.toml", spec);
    let (code, said) = sandbox.says(&["plan", "qa.toml"]);
    assert_eq!(code, 2, "{said}");
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_plan_counts_pairs() {
    let sandbox = sandbox(PROBES);
    let plan = &sandbox.json(&["plan", "qa.toml"])["runs"][0];
    let data = &plan["data"];
    let counts = ["read", "rows", "missing_text", "missing_pair", "duplicates", "contradicting"].map(|key| &data[key]);
    assert_eq!(counts, [&json!(44), &json!(43), &json!(0), &json!(1), &json!(2), &json!(1)]);
    assert_eq!(data["missing_pair_lines"], json!([45]));
    // [CLS], two [SEP], and the characters of both texts but for spaces.
    let lengths: Vec<usize> = rows()
        .lines()
        .skip(1)
        .filter(|line| !line.contains(",,"))
        .map(|line| 3 + line.rsplit_once(',').unwrap().0.chars().filter(|c| !matches!(c, ',' | ' ')).count())
        .collect();
    let longest = lengths.iter().max().unwrap();
    let cut = lengths.iter().filter(|length| **length > 16).count();
    assert_eq!((&plan["tokens"]["truncated"], cut > 3 && cut < 40), (&json!(cut), true));
    assert_eq!(plan["tokens"]["max"], json!(longest));
    let text = sandbox.ok(&["plan", "qa.toml"]);
    assert!(text.contains("1 without a second text (line 45)"), "{text}");
    assert!(text.contains("2 rows repeat an earlier pair; 1 pair has different labels"), "{text}");
}

#[test]
fn a_run_on_pairs_is_shown_reported_and_used_with_both_texts() {
    let sandbox = sandbox(PROBES);
    sandbox.ok(&["run", "qa.toml", "--quiet"]);
    let show = sandbox.json(&["show", "qa"]);
    let probes: Vec<(&str, &Value, &Value)> = show["probes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|probe| (probe["when"].as_str().unwrap(), &probe["text_pair"], &probe["expect"]))
        .collect();
    let (first, second) = (json!("半小时到"), json!("可以开票"));
    let (yes, no) = (json!("yes"), json!("no"));
    let expected =
        [("before", &first, &yes), ("before", &second, &no), ("after", &first, &yes), ("after", &second, &no)];
    assert_eq!(probes, expected);
    assert!(sandbox.ok(&["show", "qa"]).contains("多久到 [SEP] 半小时到"));

    // What the report says, and a probe's score beside the same pair by `predict`.
    sandbox.ok(&["report", "qa", "--out", "report"]);
    let read = |name: &str| fs::read_to_string(sandbox.path("report").join(name)).unwrap();
    let page = read("report.md");
    assert!(page.contains("多久到 \\[SEP\\] 可以开票") || page.contains("多久到 [SEP] 可以开票"), "{page}");
    let head = |name: &str| read(name).lines().next().unwrap().to_string();
    assert!(head("mistakes.csv").ends_with(",text,text_pair") && head("probes.csv").ends_with(",text,text_pair"));
    assert!(read("probes.csv").contains(",多久到,可以开票"));
    let mistakes = read("mistakes.csv");
    for line in mistakes.lines().skip(1) {
        assert!(
            rows().contains(
                &line.rsplitn(3, ',').take(2).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(",")
            ),
            "{line}"
        );
    }
    let alone = &sandbox.json(&["predict", "qa", "多久到", "--pair", "可以开票"])[0];
    assert_eq!((&alone["text"], &alone["text_pair"]), (&json!("多久到"), &second));
    let stored = show["probes"][3]["probabilities"].as_array().map(|p| p[0].as_f64().unwrap());
    let stored = stored.unwrap_or_else(|| panic!("{}", show["probes"][3]));
    assert!((alone["probabilities"]["no"].as_f64().unwrap() - stored).abs() < 1e-5, "{alone} {stored}");
    let other = &sandbox.json(&["predict", "qa", "多久到", "--pair", "半小时到"])[0];
    assert_ne!(alone["confidence"], other["confidence"], "the second text counts");
    let swapped = &sandbox.json(&["predict", "qa", "可以开票", "--pair", "多久到"])[0];
    assert_ne!(alone["confidence"], swapped["confidence"], "their order counts");

    // Files: the run's columns unless others are named; a row without a second text has no label.
    let csv = sandbox.ok(&["predict", "qa", "--file", "rows.csv"]);
    assert_eq!(csv.lines().next().unwrap(), "line,label,confidence,text,text_pair");
    assert_eq!((csv.lines().count(), csv.lines().last().unwrap()), (45, "45,,,春辛单多久到,"));
    let other = "{\"q\": \"多久到\", \"a\": \"可以开票\"}\n{\"q\": \"多久到\"}\n";
    sandbox.write("other.jsonl", other);
    let columns = ["--text-column", "q", "--text-pair-column", "a"];
    let fed = [&["predict", "qa", "--file", "-", "--format", "jsonl", "--json"], &columns[..]].concat();
    let output = sandbox.fed(&fed, other);
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let line: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!((&line["text_pair"], &line["label"]), (&second, &alone["label"]));
    assert!(err.contains("line 2: no field `a`, which --text-pair-column names"), "{err}");
    let eval = sandbox.json(&["eval", "qa", "--file", "rows.csv"]);
    assert_eq!([&eval["read"], &eval["missing_pair"], &eval["metrics"]["rows"]], [&json!(44), &json!(1), &json!(43)]);
    let warnings = eval["warnings"].to_string();
    assert!(warnings.contains("a pair that the run was trained on"), "{warnings}");

    // One text alone, and pairs where they do not belong.
    for (arguments, hint) in [
        (&["predict", "qa", "多久到"][..], "the model reads two texts: give the second one too, --pair TEXT"),
        (&["predict", "qa", "多久到", "好", "--pair", "好"], "--pair gives the second text for a single text"),
        (&["predict", "qa", "多久到", "--pair", " "], "the second text is empty"),
        (&["predict", "qa", "-"], "the model reads two texts, but a line of standard input is only one"),
        (&["predict", "qa", "--file", "rows.csv", "--text-pair-column", "question"], "are the same column `question`"),
        (
            &["predict", "qa", "--file", "rows.csv", "--text-pair-column", "x"],
            "no column `x`, which --text-pair-column names",
        ),
        (&["eval", "qa", "--file", "other.jsonl", "--text-column", "q"], "`answer`, which the run's spec names"),
    ] {
        let (code, said) = sandbox.says(arguments);
        assert!(code == 2 && said.contains(hint), "{arguments:?}: {code} {said}");
    }
    // More probes are scored with the kept model, and those of one text stay apart from pairs.
    sandbox.write("qa.toml", format!("{SPEC}{PROBES}[[probes]]\ntext = \"多久到\"\ntext_pair = \"一会儿\"\n"));
    sandbox.ok(&["run", "qa.toml", "--quiet"]);
    assert_eq!(sandbox.json(&["show", "qa"])["probes"].as_array().unwrap().len(), 6);
}

#[test]
fn a_model_of_one_text_refuses_a_second() {
    let sandbox = sandbox("");
    sandbox.write("qa.toml", SPEC.replace("text_pair_column = \"answer\"\n", ""));
    sandbox.ok(&["run", "qa.toml", "--quiet"]);
    for (arguments, hint) in [
        (
            &["predict", "qa", "多久到", "--pair", "好"][..],
            "--pair gives a second text, but the model reads only one: omit it",
        ),
        (
            &["predict", "qa", "--file", "rows.csv", "--text-pair-column", "answer"],
            "but the model reads only one: omit it",
        ),
        (
            &["eval", "qa", "--file", "rows.csv", "--text-pair-column", "answer"],
            "but the model reads only one: omit it",
        ),
        (&["predict", "qa", "多久到", "--text-pair-column", "answer"], "--text-pair-column"),
    ] {
        let (code, said) = sandbox.says(arguments);
        assert!(code == 2 && said.contains(hint), "{arguments:?}: {code} {said}");
    }
    let line = sandbox.json(&["predict", "qa", "多久到"]);
    assert!(line[0].get("text_pair").is_none(), "{line}");
}

#[test]
fn columns_that_are_joined_give_the_run_of_the_joined_column() {
    let sandbox = Sandbox::new();
    let rows: Vec<String> =
        (0..40).map(|i| format!("题{i},{}文{i},{}\n", if i % 3 == 0 { " " } else { "正" }, i % 2)).collect();
    sandbox.write("rows.csv", format!("title,body,label\n{}", rows.concat()));
    let joined = rows.iter().map(|row| {
        let cells: Vec<&str> = row.split(',').collect();
        format!("{} / {},{}", cells[0], cells[1], cells[2])
    });
    sandbox.write("joined.csv", format!("text,label\n{}", joined.collect::<String>()));
    let spec = |data: &str| {
        format!(
            "name = \"qa\"\nmodel.source = \"scratch:tiny\"\n[data]\n{data}\ntest = 0.25\nmax_length = 16\n[train]\nepochs = 1\nbatch_size = 8\nlr = 1e-3\n"
        )
    };
    sandbox.write(
        "qa.toml",
        spec("source = \"path:rows.csv\"\ntext_columns = [\"title\", \"body\"]\nseparator = \" / \""),
    );
    sandbox.write("joined.toml", spec("source = \"path:joined.csv\"").replace("\"qa\"", "\"joined\""));
    sandbox.ok(&["run", "qa.toml", "--quiet"]);
    sandbox.ok(&["run", "joined.toml", "--quiet"]);
    let steps: Vec<[u64; 5]> = sandbox.steps("runs").into_values().collect();
    assert_eq!((steps.len(), &steps[..4]), (8, &steps[4..]), "the same losses, bit for bit");
    let predicted = |run: &str, file: &str| sandbox.ok(&["predict", run, "--file", file]);
    assert_eq!(predicted("qa", "rows.csv"), predicted("joined", "joined.csv"));

    // run.toml is a spec of the same run.
    let key = sandbox.keys()[0].clone();
    let stored = sandbox.folder(&key).join("run.toml");
    let plan = sandbox.json(&["plan", stored.to_str().unwrap()]);
    assert_eq!(plan["runs"][0]["key"], key.as_str());
    // One column by either key is the same run, and so is a space between columns.
    let keys = |data: &str| {
        sandbox.write("other.toml", spec(&format!("source = \"path:rows.csv\"\n{data}")));
        sandbox.json(&["plan", "other.toml"])["runs"][0]["key"].clone()
    };
    assert_eq!(keys("text_columns = [\"title\"]"), keys("text_column = \"title\""));
    let both = "text_columns = [\"title\", \"body\"]\n";
    assert_eq!(keys(both), keys(&format!("{both}separator = \" \"")));
    assert_ne!(keys(both), keys(&format!("{both}separator = \"\"")));
    assert_ne!(keys("text_column = \"title\""), keys("text_column = \"title\"\ntext_pair_column = \"body\""));
}

#[test]
fn keys_that_contradict_each_other_are_refused() {
    let sandbox = sandbox("");
    let with = |old: &str, new: &str| refused(&sandbox, &SPEC.replace(old, new));
    let column = "text_column = \"question\"\n";
    for (said, hint) in [
        (
            with(column, "text_column = \"question\"\ntext_columns = [\"question\", \"x\"]\n"),
            "`data.text_columns` and `data.text_column` both say which columns hold the text",
        ),
        (
            with(column, "text_column = \"question\"\nseparator = \"-\"\n"),
            "`data.separator` is written between the texts of `data.text_columns`, which is not set",
        ),
        (with("\"answer\"", "\"question\""), "the text and the second text are the same column `question`"),
        (with("\"answer\"", "\"label\""), "second text and label are the same column `label`"),
        (with(column, "text_columns = [\"question\", \"label\"]\n"), "text and label are the same column `label`"),
        (with(column, "text_columns = [\"question\", \"question\"]\n"), "data.text_columns"),
        (
            refused(&sandbox, &format!("{SPEC}[[probes]]\ntext = \"a\"\n")),
            "the probe `a` has no `text_pair`, but the model reads two texts",
        ),
        (
            refused(
                &sandbox,
                &format!(
                    "{}[[probes]]\ntext = \"a\"\ntext_pair = \"b\"\n",
                    SPEC.replace("text_pair_column = \"answer\"\n", "")
                ),
            ),
            "the probe `a` has a `text_pair`, but the model reads one text",
        ),
        (
            refused(
                &sandbox,
                &format!(
                    "{SPEC}[[probes]]\ntext = \"a\"\ntext_pair = \"b\"\n[[probes]]\ntext = \"a\"\ntext_pair = \"b\"\n"
                ),
            ),
            "is listed twice",
        ),
        (with("\"answer\"", "\"anwser\""), "no column `anwser`, which data.text_pair_column names"),
    ] {
        assert!(said.contains(hint), "{hint}: {said}");
    }
    sandbox.write(
        "qa.toml",
        format!("{SPEC}[[probes]]\ntext = \"a\"\ntext_pair = \"b\"\n[[probes]]\ntext = \"a\"\ntext_pair = \"c\"\n"),
    );
    sandbox.ok(&["plan", "qa.toml"]);
    // The other file lacks the column.
    sandbox.write("qa.toml", SPEC.replace("test = 0.25", "test = \"path:test.csv\""));
    sandbox.write("test.csv", "question,label\na,yes\n");
    let (code, said) = sandbox.says(&["plan", "qa.toml"]);
    assert!(code == 2 && said.contains("test.csv: no column `answer`"), "{said}");
}

#[test]
fn a_model_with_a_single_token_type_is_refused_if_the_tokenizer_has_two() {
    let sandbox = sandbox("");
    let model = |more: &str| {
        let config = format!(
            "{{\"model_type\": \"bert\", \"hidden_size\": 16, \"num_hidden_layers\": 1, \"num_attention_heads\": 2, \
             \"intermediate_size\": 32, \"max_position_embeddings\": 32, \"vocab_size\": 100{more}}}"
        );
        sandbox.write("model.json", config);
    };
    let spec = SPEC.replace("scratch:tiny", "scratch:model.json");
    model(", \"type_vocab_size\": 1");
    let said = refused(&sandbox, &spec);
    assert!(
        said.contains("the tokenizer tells apart by 2 token types, but the model has 1 token type (type_vocab_size"),
        "{said}"
    );
    let single = spec.replace("text_pair_column = \"answer\"\n", "");
    sandbox.write("qa.toml", &single);
    sandbox.ok(&["plan", "qa.toml"]);
    model(", \"type_vocab_size\": 2");
    sandbox.write("qa.toml", &spec);
    sandbox.ok(&["plan", "qa.toml"]);
    // DistilBERT has no token types and needs none.
    sandbox.write(
        "model.json",
        "{\"model_type\": \"distilbert\", \"dim\": 16, \"n_layers\": 1, \"n_heads\": 2, \"hidden_dim\": 32, \
         \"max_position_embeddings\": 32, \"vocab_size\": 100}",
    );
    sandbox.ok(&["run", "qa.toml", "--quiet"]);
}

/// The exported folder in transformers gives each pair the probabilities that taper gives it, by the plain call of tokenizer and model.
#[test]
fn transformers_reads_the_exported_model_alike() {
    let Some(program) = python_with("torch, transformers") else { return };
    let distilbert = "{\"model_type\": \"distilbert\", \"dim\": 16, \"n_layers\": 1, \"n_heads\": 2, \"hidden_dim\": 32, \
                      \"max_position_embeddings\": 32, \"vocab_size\": 100}";
    for source in ["scratch:tiny", "scratch:model.json"] {
        let sandbox = sandbox("");
        sandbox.write("model.json", distilbert);
        sandbox.write("qa.toml", SPEC.replace("scratch:tiny", source));
        sandbox.ok(&["run", "qa.toml", "--quiet"]);
        sandbox.ok(&["export", "qa", "model"]);
        let lines = sandbox.ok(&["predict", "qa", "--file", "rows.csv", "--json"]);
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        sandbox.write("lines.json", json!(lines).to_string());
        let code = "import json, torch\n\
            from transformers import AutoTokenizer, AutoModelForSequenceClassification\n\
            tok, model = AutoTokenizer.from_pretrained('model'), AutoModelForSequenceClassification.from_pretrained('model').eval()\n\
            worst, rows = 0, [row for row in json.load(open('lines.json', encoding='utf-8')) if row['label'] is not None]\n\
            for row in rows:\n    \
                inputs = tok(row['text'], row['text_pair'], truncation=True, max_length=16, return_tensors='pt')\n    \
                p = torch.softmax(model(**inputs).logits[0], -1)\n    \
                worst = max([worst] + [abs(row['probabilities'][model.config.id2label[i]] - p[i].item()) for i in range(len(p))])\n\
            print(len(rows), worst)";
        let mut command = Command::new(&program);
        command.args(["-c", code]).current_dir(sandbox.root()).env("HF_HUB_OFFLINE", "1");
        let output = command.output().expect("Python starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{source}: {}", String::from_utf8_lossy(&output.stderr));
        let (rows, worst) = text.trim().split_once(' ').unwrap();
        assert!(rows == "43" && worst.parse::<f64>().unwrap() < 1e-5, "{source}: {text}");
    }
}

/// The example of pairs. Which review is the better one, shows only if the model knows which text each word is in.
#[test]
fn the_example_learns_which_of_two_reviews_is_better() {
    let sandbox = Sandbox::new();
    let spec = format!("{}/experiments/pairs.toml", env!("CARGO_MANIFEST_DIR"));
    sandbox.ok(&["run", &spec, "--quiet"]);
    let show = sandbox.json(&["show", "pairs"]);
    let is_final = |evaluation: &&Value| evaluation["when"] == "after" && evaluation["split"] == "test";
    let last = show["evaluations"].as_array().unwrap().iter().find(is_final).unwrap();
    assert!(last["metrics"]["accuracy"].as_f64().unwrap() > 0.7, "{last}");
    let after = show["probes"].as_array().unwrap().iter().filter(|probe| probe["when"] == "after");
    assert!(
        after.clone().all(|probe| probe["predicted"] == probe["expect"]) && after.count() == 2,
        "{}",
        show["probes"]
    );
}
