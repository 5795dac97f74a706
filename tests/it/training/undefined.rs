//! Runs whose metric that chooses has no value on the dev rows.

use super::*;
use crate::support::Sandbox;

/// Splits whose dev rows all have one label: whatever a model predicts, their MCC is undefined.
fn one_label() -> Splits {
    Splits { dev: vec![0, 2, 4], ..rows().2 }
}

fn by_mcc(folder: &Path, of: Keep, end: End) -> Trained {
    let train = TrainConfig { eval_steps: 2, early_stopping_patience: 1, ..recipe() };
    let checkpoint = CheckpointConfig { every_steps: 2, metric: Metric::Mcc, ..keep(of) };
    let best = folder.join("best.safetensors");
    let best = (of == Keep::Best).then_some(best.as_path());
    let resumed = resume(&folder.join("state.safetensors"), best, ALL_STORED).expect("the state it resumes from");
    assert!(resumed.notes.is_empty(), "{:?}", resumed.notes);
    let fresh = Parameters::fresh(&shape(), 3, train.init_seed).expect("weights");
    train_on(fresh, resumed, one_label(), folder, &train, &checkpoint, end)
}

/// It neither takes the first evaluation for the best nor stops because the next one is no better.
#[test]
fn a_metric_that_is_never_defined_keeps_the_last_weights_and_says_so() {
    let (folder, other) = (memory(), memory());
    let best = by_mcc(folder.path(), Keep::Best, End::Its);
    assert!(matches!(best.outcome, Ok(Outcome::Completed)), "{:?}", best.outcome);
    assert_eq!(best.steps().len(), 9, "three epochs of three steps");
    assert!(best.weights == by_mcc(other.path(), Keep::Last, End::Its).weights);
    assert!(!folder.path().join("best.safetensors").exists());
    let warned = |run: &Trained| -> Vec<String> {
        let of = run.events.iter();
        of.filter_map(|event| if let Event::Warned(warning) = event { Some(warning.message.clone()) } else { None })
            .collect()
    };
    assert_eq!(warned(&best), ["dev MCC was never defined, so the last weights were kept"]);

    // Interrupted and resumed, it ends alike.
    for n in [4, 9, 14] {
        let folder = memory();
        let first = by_mcc(folder.path(), Keep::Best, End::AtEvent(n));
        assert!(first.outcome.is_err() || matches!(first.outcome, Ok(Outcome::Interrupted)));
        let rest = by_mcc(folder.path(), Keep::Best, End::Its);
        assert!(rest.weights == best.weights, "interrupted at event {n}");
        assert_eq!(warned(&rest).len(), 1);
    }
}

/// Whether dev rows of one label have an MCC does not depend on the predictions: it is known before training.
#[test]
fn a_metric_that_cannot_be_defined_is_refused_where_it_has_to_choose() {
    let sandbox = Sandbox::new();
    sandbox.write_rows();
    sandbox.write("dev.csv", "label,review\n1,味道很好 快\n1,很好\n1,快\n");
    let spec = "[model]\nsource = \"scratch:tiny\"\nvocab_size = 100\n[data]\nsource = \"path:rows.csv\"\ntext_column = \"review\"\n\
                dev = \"path:dev.csv\"\n[train]\nmax_steps = 2\n[checkpoint]\nmetric = \"mcc\"\n";
    sandbox.write("spec.toml", spec);
    let undefined = "checkpoint.metric = \"mcc\" is undefined on the dev rows even if every prediction is right: all of them have `1`";
    let (code, said) = sandbox.says(&["plan", "spec.toml"]);
    assert!(code == 0 && said.contains(undefined), "{said}");
    for (set, chooser) in [
        ("checkpoint.keep=best", "checkpoint.keep = \"best\""),
        ("train.early_stopping_patience=1", "train.early_stopping_patience"),
    ] {
        let (code, said) = sandbox.says(&["plan", "spec.toml", "--set", set]);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(undefined) && said.contains(&format!("so {chooser} has nothing to choose by")), "{said}");
    }
    let (code, said) =
        sandbox.says(&["plan", "spec.toml", "--set", "checkpoint.keep=best", "--set", "checkpoint.metric=loss"]);
    assert!(code == 0 && !said.contains("undefined"), "{said}");
}
