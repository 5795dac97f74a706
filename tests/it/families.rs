//! Each encoder family from the spec to transformers: trained in both precisions, killed, resumed with another number of threads, exported.

use std::process::Command;

use serde_json::{Value, json};
use taper::model::FAMILIES;

use crate::{
    problem_types::trail,
    support::{Sandbox, kill_after_a_third, python_with, store, text},
};

/// Words of the rows, and characters for the rest.
const VOCAB: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n味\n道\n很\n好\n第\n次\n点\n快\n难\n吃\n送\n得\n慢\n小\n时\n差\n评\n0\n1\n2\n3\n4\n5\n##0\n##1\n##2\n";
/// A tokenizer's files: the name beside the tokenizers' fixtures, and the name that the family's tokenizer has on the hub.
type Files = &'static [(&'static str, &'static str)];
const BPE: Files = &[("vocab.json", "vocab.json"), ("merges.txt", "merges.txt")];
const PIECES: Files = &[("xlmr.model", "sentencepiece.bpe.model")];

/// Each family with its tokenizer, and what its config.json has of its own; one that is not named here has BERT's tokenizer and nothing of its own.
fn families() -> Vec<(&'static str, Files, Value)> {
    FAMILIES
        .iter()
        .map(|family| {
            let (files, own): (Files, Value) = match family.model_type {
                "ernie" => (&[], json!({ "use_task_id": true, "task_type_vocab_size": 3 })),
                "roberta" => (BPE, json!({ "type_vocab_size": 1, "pad_token_id": 1 })),
                "xlm-roberta" | "camembert" => (PIECES, json!({ "type_vocab_size": 1, "pad_token_id": 1 })),
                "distilbert" => (&[], json!({ "dim": 16, "n_layers": 3, "n_heads": 2, "hidden_dim": 24 })),
                "electra" => (&[], json!({ "embedding_size": 12 })),
                "modernbert" => (
                    &[("bpe.tokenizer.json", "tokenizer.json")],
                    json!({
                        "local_attention": 8, "classifier_pooling": "mean", "pad_token_id": 1, "cls_token_id": 0, "sep_token_id": 2,
                        "bos_token_id": 0, "eos_token_id": 2
                    }),
                ),
                "deberta-v2" => (
                    &[("deberta.model", "spm.model")],
                    json!({
                        "relative_attention": true, "position_buckets": 8, "norm_rel_ebd": "layer_norm", "share_att_key": true,
                        "pos_att_type": ["p2c", "c2p"], "position_biased_input": false, "type_vocab_size": 0,
                        "max_relative_positions": -1, "pooler_hidden_size": 16, "pooler_hidden_act": "gelu"
                    }),
                ),
                "albert" => {
                    (&[("albert.model", "spiece.model")], json!({ "embedding_size": 12, "hidden_act": "gelu_new" }))
                }
                _ => (&[], json!({})),
            };
            (family.model_type, files, own)
        })
        .collect()
}

/// A folder with a new model of three layers, rows, and a spec.
fn sandbox(kind: &str, files: Files, own: &Value) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write_rows();
    if files.is_empty() {
        sandbox.write("new/vocab.txt", VOCAB);
    }
    for (fixture, name) in files {
        let path = format!("{}/tests/fixtures/tokenizers/{fixture}", env!("CARGO_MANIFEST_DIR"));
        sandbox.write(&format!("new/{name}"), std::fs::read(path).expect("a fixture"));
    }
    let mut config = json!({
        "model_type": kind, "vocab_size": 720, "hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2,
        "intermediate_size": 24, "max_position_embeddings": 66, "type_vocab_size": 2, "pad_token_id": 0
    });
    config.as_object_mut().expect("an object").extend(own.as_object().expect("an object").clone());
    sandbox.write("new/config.json", config.to_string());
    sandbox.write(
        "it.toml",
        "name = \"it\"\nmodel.source = \"scratch:new/\"\ndata.source = \"path:rows.csv\"\ndata.text_column = \
         \"review\"\ndata.max_length = 24\ntrain.epochs = 6\ntrain.batch_size = 8\ntrain.lr = \
         3e-3\ncheckpoint.every_steps = 2\nsweep.axes.train.precision = [\"fp32\", \"bf16\"]\n",
    );
    sandbox
}

/// Reads the exported models in folders with rows as `taper predict` answered them, and prints the number of rows, the spread of one label's
/// probability, and the largest difference of a logarithm of a probability.
const COMPARE: &str = "
import json, sys, torch
from transformers import AutoTokenizer, AutoModelForSequenceClassification
for folder in sys.argv[1:]:
    tokenizer = AutoTokenizer.from_pretrained(folder + '/model')
    model = AutoModelForSequenceClassification.from_pretrained(folder + '/model').eval()
    rows = [json.loads(line) for line in open(folder + '/rows.jsonl', encoding='utf-8')]
    worst, first = 0, [row['probabilities']['1'] for row in rows]
    for row in rows:
        inputs = tokenizer(row['text'], truncation=True, max_length=24, return_tensors='pt')
        p = torch.log_softmax(model(**inputs).logits[0].double(), -1)
        own = [row['probabilities'][model.config.id2label[i]] for i in range(2)]
        worst = max(worst, (p - torch.tensor(own, dtype=torch.float64).log()).abs().max().item())
    print(len(rows), max(first) - min(first), worst)
";

#[test]
#[expect(clippy::print_stdout, reason = "the differences that docs/models.md states, for --nocapture")]
fn each_family_is_trained_killed_resumed_and_exported() {
    let sandboxes: Vec<(&str, Sandbox)> =
        families().into_iter().map(|(kind, files, own)| (kind, sandbox(kind, files, &own))).collect();
    for (kind, sandbox) in &sandboxes {
        sandbox.ok(&["run", "it.toml", "--quiet", "--runs", "calm", "--threads", "2"]);
        kill_after_a_third(sandbox, "killed", &["run", "it.toml", "--threads", "2"]);
        sandbox.ok(&["run", "it.toml", "--quiet", "--runs", "killed", "--threads", "1"]);
        let calm = trail(sandbox, "calm");
        assert!(calm.len() > 2 && calm == trail(sandbox, "killed"), "{kind}: something differs after kill -9");
        // The first run is the one in float32, in which transformers computes.
        let key = store(&sandbox.path("calm")).runs().expect("runs").remove(0).key;
        sandbox.ok(&["export", &key, "model", "--runs", "calm"]);
        let rows = sandbox.ok(&["predict", &key, "--file", "rows.csv", "--json", "--runs", "calm"]);
        sandbox.write("rows.jsonl", rows);
    }
    let Some(python) = python_with("torch, transformers") else { return };
    let mut command = Command::new(python);
    command.args(["-c", COMPARE]).args(sandboxes.iter().map(|(_, sandbox)| sandbox.root())).env("HF_HUB_OFFLINE", "1");
    let output = command.output().expect("Python starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = text(&output.stdout);
    assert_eq!(lines.lines().count(), sandboxes.len());
    for ((kind, _), line) in sandboxes.iter().zip(lines.lines()) {
        println!("{kind}: {line}");
        let facts: Vec<f64> = line.split(' ').map(|fact| fact.parse().expect("a number")).collect();
        // Rows are told apart, so that equal answers mean something.
        assert!(facts[0] == 40.0 && facts[1] > 0.002 && facts[2] < 1e-5, "{kind}: {line}");
    }
}
