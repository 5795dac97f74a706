//! The card that `taper export` writes, and that Python's huggingface_hub reads.

use std::{fs, process::Command};

use serde_json::Value;

use taper::metrics::Metric;

use crate::{
    predict::trained,
    support::{Sandbox, python_with, store},
};

/// Prints what the header of a card says, after it was read and written again.
const READ: &str = "
import json, sys
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import eval_results_to_model_index
card = ModelCard.load(sys.argv[1])
results = card.data.eval_results or []
again = ModelCard(str(card))
assert again.data.to_dict() == card.data.to_dict(), (again.data, card.data)
assert [r.metric_value for r in again.data.eval_results or []] == [r.metric_value for r in results]
eval_results_to_model_index(card.data.model_name or 'x', results)
names = ['metric_type', 'metric_value', 'metric_args', 'dataset_type', 'dataset_name', 'dataset_split', 'dataset_args']
print(json.dumps({
    'data': {k: v for k, v in card.data.to_dict().items() if k != 'model-index'},
    'model': card.data.model_name,
    'results': [{name: getattr(result, name) for name in names} for result in results],
    'text': card.text[:40],
}))
";

/// What huggingface_hub reads in a card of this sandbox.
fn read(sandbox: &Sandbox, card: &str) -> Option<Value> {
    let program = python_with("huggingface_hub")?;
    let output = Command::new(program).args(["-c", READ]).arg(sandbox.path(card)).output().expect("Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

#[test]
fn each_export_has_a_card_that_huggingface_hub_reads() {
    let sandbox = trained();
    sandbox.ok(&["export", "small", "onnx", "--format", "onnx"]);
    sandbox.ok(&["export", "small", "int8", "--format", "onnx", "--quantize", "int8"]);
    let run = store(&sandbox.path("runs")).runs().expect("runs").remove(0);
    let accuracy = run.final_metrics.expect("metrics").get(Metric::Accuracy);
    for (folder, library, has_results) in
        [("model", "transformers", true), ("onnx", "onnx", true), ("int8", "onnx", false)]
    {
        let Some(found) = read(&sandbox, &format!("{folder}/README.md")) else { return };
        let data = &found["data"];
        assert_eq!((&data["library_name"], &data["pipeline_tag"]), (&library.into(), &"text-classification".into()));
        assert_eq!(data["language"], serde_json::json!(["zh"]));
        assert!(data["license"].is_null() && data["base_model"].is_null(), "{data}");
        let results = found["results"].as_array().expect("a list");
        assert_eq!(!results.is_empty(), has_results, "{folder}");
        if has_results {
            assert_eq!(results[0]["metric_type"], "accuracy");
            assert_eq!(results[0]["metric_value"], accuracy, "{results:?}");
            assert_eq!((&results[0]["dataset_type"], &results[0]["dataset_split"]), (&"custom".into(), &"test".into()));
        }
    }
}

#[test]
fn two_exports_have_the_same_card_and_other_languages_only_another_page() {
    let sandbox = trained();
    sandbox.ok(&["export", "small", "again"]);
    sandbox.ok(&["export", "small", "chinese", "--lang", "zh"]);
    let card = |folder: &str| fs::read_to_string(sandbox.path(folder).join("README.md")).expect("a card");
    let (english, chinese) = (card("model"), card("chinese"));
    assert_eq!(english, card("again"));
    let header = |card: &str| card.split("\n---\n").next().map(str::to_owned);
    assert_eq!(header(&english), header(&chinese));
    assert!(english.contains("## Limits") && chinese.contains("## 局限") && !chinese.contains("## Limits"));
    assert!(!english.contains("味道很好 第"), "a text of the data: {english}");
    assert_eq!(sandbox.says(&["export", "small", "french", "--lang", "fr"]).0, 2);
}

/// A README.md of the user is never replaced: neither one in the folder that is asked for, nor one beside the kept model.
#[test]
fn a_readme_of_the_user_stays() {
    let sandbox = trained();
    sandbox.write("own/README.md", "mine");
    let (code, said) = sandbox.says(&["export", "small", "own"]);
    assert_eq!(code, 2, "{said}");
    assert_eq!(fs::read_to_string(sandbox.path("own/README.md")).expect("it"), "mine");
    let kept = sandbox.folder(&sandbox.keys()[0]).join("model/README.md");
    fs::write(kept, "# mine\n").expect("written");
    for (folder, options) in [("one", &[][..]), ("two", &["--format", "onnx"])] {
        let listed = sandbox.ok(&[&["export", "small", folder], options].concat());
        assert_eq!(fs::read_to_string(sandbox.path(folder).join("README.md")).expect("it"), "# mine\n");
        assert_eq!(listed.matches("README.md").count(), 1, "{listed}");
    }
}

/// The licence and the language of the base model are those that its card has, in the folder that it is read from.
#[test]
fn the_licence_is_that_of_the_base_model() {
    let sandbox = trained();
    let header = "---\nlicense: apache-2.0\nlanguage: en\n---\n# a base\n";
    fs::write(sandbox.path("model/README.md"), header).expect("written");
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("a spec");
    let (name, source) = ("name = \"small\"", "source = \"scratch:tiny\"");
    assert!(spec.contains(name) && spec.contains(source), "{spec}");
    sandbox.write("next.toml", spec.replace(name, "name = \"next\"").replace(source, "source = \"path:model\""));
    sandbox.ok(&["run", "next.toml", "--quiet"]);
    sandbox.ok(&["export", "next", "out"]);
    let card = fs::read_to_string(sandbox.path("out/README.md")).expect("a card");
    assert!(
        card.contains("\nlicense: \"apache-2.0\"\n") && card.contains("apache-2.0, the licence of the base model"),
        "{card}"
    );
    // The rows are Chinese, whatever the base model was trained on; a folder is not a model of the hub.
    assert!(card.contains("language:\n- zh\n") && !card.contains("base_model:"), "{card}");
}
