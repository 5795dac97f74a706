//! Answers: their shapes, and that they are those of `taper predict`.

use std::thread;

use serde_json::{Value, json};

use super::server::Server;
use crate::{
    predict::trained,
    problem_types::tags_spec,
    support::{Sandbox, tiny_spec},
};

/// Texts of many lengths, some longer than what the model reads.
fn texts() -> Vec<String> {
    (0..48).map(|i| format!("{}第{i}次，{}", "味道很好".repeat(i % 11), "送得慢".repeat(i * i % 5))).collect()
}

/// The fields that `taper predict --json` has of each text.
fn predicted(sandbox: &Sandbox, run: &str, texts: &[String]) -> Vec<Value> {
    let lines: String = texts.iter().map(|text| format!("{}\n", json!({ "review": text }))).collect();
    sandbox.write("asked.jsonl", lines);
    let out = sandbox.ok(&["predict", run, "--file", "asked.jsonl", "--json", "--quiet"]);
    out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// These fields of an object.
fn fields(value: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| value[name].clone()).collect()
}

/// As `POST /predict` of text-embeddings-inference: scores that fall, an object for each label, a list for a list.
#[test]
fn predict_has_the_shapes_of_text_embeddings_inference() {
    let sandbox = trained();
    let server = Server::start(&sandbox, &["small"]);
    let client = server.client();
    let of_one = |value: &Value| {
        let all = value.as_array().expect("a list");
        let scores: Vec<f64> = all.iter().map(|p| p["score"].as_f64().expect("a score")).collect();
        let mut labels: Vec<&str> = all.iter().map(|p| p["label"].as_str().expect("a label")).collect();
        labels.sort_unstable();
        assert_eq!(labels, ["0", "1"], "{value}");
        assert!(all.iter().all(|p| p.as_object().expect("an object").len() == 2) && scores[0] >= scores[1], "{value}");
        scores
    };
    let one = client.asked("/predict", json!({ "inputs": "味道很好" }));
    assert!((of_one(&one).iter().sum::<f64>() - 1.0).abs() < 1e-6, "{one}");
    assert_eq!(client.asked("/predict", json!({ "inputs": ["味道很好"], "truncate": null })), one);
    let list = client.asked("/predict", json!({ "inputs": [["味道很好"], ["慢"]], "raw_scores": false }));
    assert_eq!(list.as_array().expect("a list").len(), 2);
    assert_eq!(list[0], one);
    of_one(&list[1]);
    // Softmax of the logits.
    let raw = of_one(&client.asked("/predict", json!({ "inputs": "味道很好", "raw_scores": true })));
    let p = 1.0 / (1.0 + (raw[1] - raw[0]).exp());
    assert!((p - of_one(&one)[0]).abs() < 1e-6 && raw != of_one(&one), "{raw:?}");
}

#[test]
fn answers_are_those_of_predict_whatever_they_are_batched_with() {
    let sandbox = trained();
    let texts = texts();
    const NAMES: [&str; 3] = ["label", "confidence", "probabilities"];
    let want: Vec<Value> = predicted(&sandbox, "small", &texts).iter().map(|line| fields(line, &NAMES)).collect();
    // Batches of one text, of a few, and of many.
    for batch_tokens in ["1", "70", "4000"] {
        let server = Server::start(&sandbox, &["small", "--batch-tokens", batch_tokens]);
        let all = server.client().asked("/v1/classify", json!({ "input": texts, "truncate": true }));
        for (i, (data, want)) in all["data"].as_array().expect("a list").iter().zip(&want).enumerate() {
            assert_eq!(data["index"].as_u64(), Some(i as u64));
            assert_eq!(fields(data, &NAMES), *want);
        }
        // Alone, and with whatever others ask at the same time.
        thread::scope(|scope| {
            for first in 0..4 {
                let (server, texts, want) = (&server, &texts, &want);
                scope.spawn(move || {
                    let client = server.client();
                    for i in (first..texts.len()).step_by(4) {
                        assert_eq!(fields(&client.classified(&texts[i]), &NAMES), want[i]);
                    }
                });
            }
        });
    }
    for i in [0, 7, 47] {
        let alone = sandbox.json(&["predict", "small", "--quiet", &texts[i]]);
        assert_eq!(fields(&alone[0], &NAMES), want[i]);
    }
    // The exported folder says the same.
    let server = Server::start(&sandbox, &["model"]);
    assert_eq!(fields(&server.client().classified(&texts[5]), &NAMES), want[5]);
}

#[test]
fn models_answer_in_the_precision_that_is_asked_for() {
    let sandbox = trained();
    let (text, bf16) = ("味道很好，送得慢", ["--precision", "bf16"]);
    let (code, said) = sandbox.says(&[&["predict", "small", text, "--json"], &bf16[..]].concat());
    if code != 0 {
        assert!(code == 2 && said.contains("bf16"), "{said}");
        let refused = sandbox.says(&[&["serve", "small", "--addr", "127.0.0.1:0"], &bf16[..]].concat());
        assert_eq!(refused, (2, said));
        return;
    }
    let predicted = |more: &[&str]| sandbox.json(&[&["predict", "small", text, "--quiet"], more].concat())[0].take();
    let (whole, rounded) = (predicted(&[]), predicted(&bf16));
    assert_ne!(whole["confidence"], rounded["confidence"]);
    for (more, want, dtype) in [(&[][..], whole, "float32"), (&bf16, rounded, "bfloat16")] {
        for model in ["small", "model"] {
            let server = Server::start(&sandbox, &[&[model], more].concat());
            let client = server.client();
            assert_eq!(client.classified(text)["confidence"], want["confidence"]);
            assert_eq!(client.get("/info").json()["model_dtype"], dtype);
        }
    }
}

#[test]
fn what_was_read_is_said() {
    let sandbox = trained();
    let server = Server::start(&sandbox, &["small"]);
    let client = server.client();
    let answer = client.asked("/v1/classify", json!({ "input": ["好", "好".repeat(100)], "truncate": true }));
    let data = &answer["data"];
    // [CLS], the character, [SEP]; and as many as the run reads.
    assert_eq!([&data[0]["tokens"], &data[1]["tokens"], &answer["usage"]["total_tokens"]], [3, 32, 35]);
    assert_eq!([&data[0]["truncated"], &data[1]["truncated"]], [false, true]);
    assert_eq!((&answer["object"], &answer["model"]), (&json!("list"), &client.get("/info").json()["model_id"]));
    assert_eq!(answer["model_sha"], client.get("/info").json()["model_sha"]);
}

/// Several labels a text, with thresholds and a temperature; and numbers.
#[test]
fn other_problem_types_are_answered_as_by_predict() {
    let sandbox = Sandbox::new();
    let tags = ["taste|speed", "taste", "", "speed"];
    let row = |i: usize| format!("{},{},{}味道{}送\n", tags[i % 4], i % 5, "很好".repeat(i % 3), "慢".repeat(i % 4));
    sandbox.write("rows.csv", format!("tags,stars,review\n{}", (0..48).map(row).collect::<String>()));
    const MULTI: &str = tags_spec!(
        r#"thresholds = "tuned"
calibrate = true
[train]
max_steps = 4
batch_size = 4
lr = 2e-3
"#
    );
    const NUMBERS: &str = tiny_spec!(
        "numbers",
        r#"problem_type = "regression"
label_columns = ["stars"]
test = 0.25
max_length = 32
[train]
max_steps = 4
batch_size = 4
lr = 2e-3
"#
    );
    for (name, spec) in [("multi", MULTI), ("numbers", NUMBERS)] {
        sandbox.write("spec.toml", spec);
        sandbox.ok(&["run", "spec.toml", "--quiet"]);
        sandbox.ok(&["export", name, name]);
    }
    let server = Server::start(&sandbox, &["multi", "n=numbers", "exported=multi"]);
    let client = server.client();
    let texts = texts();
    let asked = |model: &str| client.asked("/v1/classify", json!({ "model": model, "input": texts, "truncate": true }));
    let names: Vec<Value> = client.get("/info").json()["models"].as_array().expect("a list").clone();
    let multi = names[0]["model_id"].as_str().expect("a name");
    for (model, run, wanted) in [
        (multi, "multi", &["labels", "probabilities"][..]),
        ("exported", "multi", &["labels", "probabilities"]),
        ("n", "numbers", &["values"]),
    ] {
        let want = predicted(&sandbox, run, &texts);
        for (data, want) in asked(model)["data"].as_array().expect("a list").iter().zip(&want) {
            assert!(wanted.iter().all(|name| !want[name].is_null()), "{want}");
            assert_eq!(fields(data, wanted), fields(want, wanted));
        }
    }
    // A score of each label, whose sum is not 1; the number itself, which is its logit.
    let scores = client.asked("/predict", json!({ "inputs": "味道很好", "model": multi }));
    let said = client.asked("/v1/classify", json!({ "input": "味道很好", "model": multi }))["data"][0].take();
    for score in scores.as_array().expect("a list") {
        assert_eq!(said["probabilities"][score["label"].as_str().expect("a label")], score["score"]);
    }
    let number = client.asked("/models/n/predict", json!({ "inputs": "味道很好" }));
    let raw = client.asked("/models/n/predict", json!({ "inputs": "味道很好", "raw_scores": true }));
    assert_eq!((&number, &number[0]["label"]), (&raw, &json!("stars")));
}

#[test]
fn a_model_of_pairs_reads_pairs() {
    let sandbox = Sandbox::new();
    let row = |i: usize| format!("第{i}单多久到,{},{}\n", ["半小时到", "可以开票"][i % 2], ["yes", "no"][i % 2]);
    sandbox.write("rows.csv", format!("review,answer,label\n{}", (0..40).map(row).collect::<String>()));
    const SPEC: &str = tiny_spec!(
        "qa",
        "text_pair_column = \"answer\"\ntest = 0.25\nmax_length = 24\n[train]\nmax_steps = 3\nbatch_size = 4\nlr = 1e-3\n"
    );
    sandbox.write("qa.toml", SPEC);
    sandbox.ok(&["run", "qa.toml", "--quiet"]);
    let server = Server::start(&sandbox, &["qa"]);
    let client = server.client();
    let want = sandbox.json(&["predict", "qa", "多久到", "--pair", "可以开票"])[0]["probabilities"].take();
    let said = client.asked("/v1/classify", json!({ "input": { "text": "多久到", "text_pair": "可以开票" } }));
    assert_eq!(said["data"][0]["probabilities"], want);
    let scores = client.asked("/predict", json!({ "inputs": [["多久到", "可以开票"], ["多久到", "半小时到"]] }));
    for score in scores[0].as_array().expect("a list") {
        assert_eq!(want[score["label"].as_str().expect("a label")], score["score"]);
    }
    assert_ne!(scores[0], scores[1]);
    let one = client.post("/predict", &json!({ "inputs": "多久到" }));
    assert!(one.status == 422 && one.error().contains("the model reads two together"), "{one:?}");
}

#[test]
fn models_are_named_in_the_body_or_in_the_path() {
    let sandbox = trained();
    let server = Server::start(&sandbox, &["a=small", "b=model"]);
    let client = server.client();
    let info = client.get("/info").json();
    let names = |info: &Value| -> Vec<String> {
        info["models"].as_array().expect("a list").iter().map(|m| m["model_id"].to_string()).collect()
    };
    assert_eq!(names(&info), ["\"a\"", "\"b\""]);
    assert_eq!(
        (&info["model_id"], &info["max_input_length"], &info["labels"]),
        (&json!("a"), &json!(32), &json!(["0", "1"]))
    );
    assert_eq!(
        info["model_type"],
        json!({ "classifier": { "id2label": { "0": "0", "1": "1" }, "label2id": { "0": 0, "1": 1 } } })
    );
    assert_eq!(client.get("/models/b/info").json()["model_id"], "b");
    let model = |path: &str, body: Value| client.asked(path, body)["model"].as_str().expect("a name").to_owned();
    assert_eq!(model("/v1/classify", json!({ "input": "好" })), "a");
    assert_eq!(model("/v1/classify", json!({ "input": "好", "model": "b" })), "b");
    assert_eq!(model("/models/b/v1/classify", json!({ "input": "好" })), "b");
    assert_eq!(model("/models/b/v1/classify", json!({ "input": "好", "model": "b" })), "b");
    client.asked("/models/b/predict", json!({ "inputs": "好" }));
    for (path, body, status) in [
        ("/v1/classify", json!({ "input": "好", "model": "c" }), 404),
        ("/models/c/predict", json!({ "inputs": "好" }), 404),
        ("/models/a/predict", json!({ "inputs": "好", "model": "b" }), 422),
    ] {
        let reply = client.post(path, &body);
        assert_eq!(reply.status, status, "{path}: {reply:?}");
        let said = reply.error();
        assert!(said.contains("expected a, b") || said.contains("the path names the model `a`"), "{said}");
    }
    // What was counted is named by model, and by path without names.
    let metrics = client.get("/metrics").body;
    assert!(metrics.contains("taper_texts_total{model=\"b\"} 4\n"), "{metrics}");
    assert!(metrics.contains("taper_requests_total{route=\"/models/{name}/predict\",status=\"200\"} 1\n"), "{metrics}");
}

/// Each value of the page is one that Prometheus reads: a name, labels, and a number.
#[test]
fn metrics_are_in_prometheus_text_format() {
    let sandbox = trained();
    let server = Server::start(&sandbox, &["small"]);
    let client = server.client();
    client.asked("/predict", json!({ "inputs": [["好"], ["慢"]] }));
    client.get("/zzz");
    let page = client.get("/metrics").body;
    let mut types = std::collections::BTreeMap::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (name, value) = line.rsplit_once(' ').expect("a value");
        assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
        let name = name.split('{').next().expect("a name");
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| {
            let family = name.strip_suffix(end)?;
            types.get(family).filter(|kind| *kind == "histogram").map(|_| family)
        });
        assert!(types.contains_key(family.unwrap_or(name)), "{line} has no type");
    }
    for value in [
        "taper_texts_total{model=\"small\"} 2",
        "taper_batch_texts_sum{model=\"small\"} 2",
        "taper_requests_total{route=\"other\",status=\"404\"} 1",
        "taper_request_duration_seconds_count{route=\"/predict\"} 1",
        "taper_model_up{model=\"small\"} 1",
        "taper_queue_tokens{model=\"small\"} 0",
    ] {
        let named = page.replace(&format!("model={}", client.get("/info").json()["model_id"]), "model=\"small\"");
        assert!(named.lines().any(|line| line == value), "{value} is not in\n{page}");
    }
}

/// The document has the methods of each path, and its examples are taken and answered.
#[test]
fn the_openapi_document_says_what_the_server_does() {
    let sandbox = trained();
    let server = Server::start(&sandbox, &["reviews=small"]);
    let client = server.client();
    let document = client.get("/openapi.json").json();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")), "{document}");
    let paths = document["paths"].as_object().expect("paths");
    for (path, methods) in paths {
        let at = path.replace("{name}", "reviews");
        let posts = methods.get("post").is_some();
        // The other method is refused, which an unknown path would not be.
        let (other, own) = match posts {
            true => (client.get(&at), None),
            false => (client.post(&at, &json!({})), Some(client.get(&at))),
        };
        assert_eq!((other.status, own.map(|own| own.status)), (405, (!posts).then_some(200)), "{path}");
        let examples = &methods["post"]["requestBody"]["content"]["application/json"]["examples"];
        for example in examples.as_object().into_iter().flatten().map(|(_, example)| &example["value"]) {
            let reply = client.post(&at, example);
            // The model reads one text.
            let is_pair = example.to_string().contains("多久能送到");
            assert_eq!(reply.status, if is_pair { 422 } else { 200 }, "{path} {example}: {reply:?}");
        }
    }
    // An answer has exactly the documented fields that are not of other problem types.
    let data = client.classified("好");
    let documented = &document["components"]["schemas"]["Classification"]["properties"];
    assert!(data.as_object().expect("an object").keys().all(|field| !documented[field].is_null()), "{data}");
    let answer = client.asked("/v1/classify", json!({ "input": "好" }));
    let documented = &document["components"]["schemas"]["ClassifyResponse"]["required"];
    assert_eq!(json!(answer.as_object().expect("an object").keys().collect::<Vec<_>>()), *documented);
    let page = client.get("/docs").body;
    assert!(paths.keys().all(|path| page.contains(path.as_str())), "{page}");
}
