//! What users see of specs that are wrong.

use std::path::Path;

use taper::spec::{LoadOptions, LoadedSpec};

use super::{Files, minimal, one, options};

fn shown(name: &str, options: &LoadOptions) -> String {
    // Tests run in the package's root: the path, and so the snapshot, is the same everywhere.
    let path = format!("tests/fixtures/spec/invalid/{name}.toml");
    LoadedSpec::load(Path::new(&path), options).expect_err("the spec was taken").to_string()
}

#[test]
fn all_problems_of_a_file_are_shown_with_their_positions() {
    for name in [
        "many",
        "contradictions",
        "no_dev",
        "missing",
        "empty",
        "sources",
        "shapes",
        "sweep",
        "axes",
        "syntax",
        "extends",
        "extends_text",
        "problems_in_two_files",
        "not_there",
    ] {
        insta::assert_snapshot!(name, shown(name, &LoadOptions::default()));
    }
}

#[test]
fn problems_of_variables_arguments_and_the_profile_are_shown_with_the_files() {
    let options = options(
        Some("fats"),
        &["train.lr=fast", "train.epoch=3", "model.source=modelscope:rbt3", "nonsense", "train.betas=[0.9, 2]"],
        &[
            ("TAPER_TRAIN__BATCH_SIZE", "-1"),
            ("TAPER_TRIAN__LR", "1"),
            ("TAPER_TRAIN__LEARNING_RATE", "1"),
            ("TAPER_NAME", ""),
            ("TAPER_RUNS", "elsewhere"),
        ],
    );
    insta::assert_snapshot!("variables_and_arguments", shown("no_dev", &options));
}

#[test]
fn an_invalid_value_is_reported_where_a_higher_layer_overrides_it_too() {
    let files = one("[train]\nlr = 7\n[profile.p.train]\nlr = -1\n");
    let problems = files.problems("a.toml", &options(None, &["train.lr=1e-5"], &[]));
    assert!(problems.contains("a.toml:4:6: `train.lr` is 7;"), "{problems}");
    assert!(problems.contains("a.toml:6:6: `train.lr` is -1;"), "{problems}");
    assert!(problems.ends_with("2 problems"), "{problems}");
}

#[test]
fn a_spoilt_value_brings_no_contradictions_with_it() {
    // As the default, `dev` would contradict `keep`; but it was meant to be something.
    let files = one("data.dev = \"0.1\"\n[checkpoint]\nkeep = \"best\"\n");
    let problems = files.problems("a.toml", &LoadOptions::default());
    assert!(!problems.contains(" problems"), "{problems}");
    // A contradiction among others is still seen.
    let files = one("data.test = \"0.1\"\n[checkpoint]\nkeep = \"best\"\n");
    let problems = files.problems("a.toml", &LoadOptions::default());
    assert!(problems.contains("would bias") && problems.ends_with("2 problems"), "{problems}");
}

#[test]
fn contradictions_across_layers_are_shown_at_the_highest_value() {
    let files = one("data.dev = 0.5\n");
    let problems = files.problems("a.toml", &options(None, &["data.test=0.5"], &[]));
    let want =
        "--set: `data.dev` = 0.5 and `data.test` = 0.5 leave no rows to train on (`data.dev` is set at a.toml:3)";
    assert!(problems.contains(want), "{problems}");
    // The default of `dev` has no location, but the explicit value has.
    let files = one("");
    let problems = files.problems("a.toml", &options(None, &["checkpoint.keep=best"], &[]));
    assert!(problems.starts_with("--set: `checkpoint.keep` = \"best\" needs a dev split"), "{problems}");
    assert!(problems.contains("\n | checkpoint.keep=best\n |                 ^^^^\n"), "{problems}");
}

#[test]
fn shares_that_just_leave_rows_are_fine_and_those_that_just_do_not_are_not() {
    assert!(one("data.test = 0.7\ndata.dev = 0.29\n").load("a.toml").is_ok());
    // 0.9 + 0.1 and 0.7 + 0.2 + … in binary: neither may slip through.
    for (test, dev) in [("0.9", "0.1"), ("0.7", "0.3"), ("0.3", "0.7"), ("0.999", "0.001")] {
        assert!(one(&format!("data.test = {test}\ndata.dev = {dev}\n")).load("a.toml").is_err(), "{test} {dev}");
    }
}

#[test]
fn steps_override_epochs_in_the_same_layer_too_and_that_is_warned_of() {
    let loaded = |files: &Files, with: &LoadOptions| {
        let spec = files.load_with("a.toml", with).unwrap();
        let warned = spec.warnings().iter().filter(|w| w.message.contains("train.epochs = ")).count();
        (spec.spec().train.max_steps, spec.spec().train.epochs, warned)
    };
    let none = LoadOptions::default();
    // As in the run.toml of a run.
    assert_eq!(loaded(&one("[train]\nepochs = 2\nmax_steps = 9\n"), &none), (Some(9), 2, 1));
    let sets = options(None, &["train.epochs=1", "train.max_steps=3"], &[]);
    assert_eq!(loaded(&one(""), &sets), (Some(3), 1, 1));
    let base = minimal("[train]\nepochs = 2\n");
    let above = "extends = [\"base.toml\"]\n[train]\nmax_steps = 9\n[profile.p]\ntrain.epochs = 1\n";
    let files = Files::new(&[("base.toml", &base), ("a.toml", above)]);
    assert_eq!(loaded(&files, &none), (Some(9), 2, 0), "steps above epochs are meant so");
    assert_eq!(loaded(&files, &options(Some("p"), &[], &[])), (Some(9), 1, 1));
    let steps_above = options(None, &["train.max_steps=3"], &[("TAPER_TRAIN__EPOCHS", "1")]);
    assert_eq!(loaded(&one(""), &steps_above), (Some(3), 1, 0));
}

#[test]
fn a_vocabulary_size_is_refused_only_beside_or_above_another_models_source() {
    let scratch = minimal("[model]\nvocab_size = 4000\n").replacen("model.source = \"scratch:tiny\"\n", "", 1);
    let scratch = scratch.replace("[model]", "[model]\nsource = \"scratch:tiny\"");
    let files = Files::new(&[("a.toml", &scratch)]);
    assert_eq!(files.load("a.toml").unwrap().spec().model.vocab_size, 4000);
    // Overridden from above: the size goes with the source that it was written for.
    assert!(files.load_with("a.toml", &options(None, &["model.source=path:m"], &[])).is_ok());
    let both = options(None, &["model.source=path:m", "model.vocab_size=900"], &[]);
    assert!(
        files
            .problems("a.toml", &both)
            .contains("`model.vocab_size` applies only to `scratch:` models without a vocabulary")
    );
    let files = Files::new(&[("a.toml", &scratch.replace("scratch:tiny", "hf:a/b"))]);
    assert!(files.problems("a.toml", &LoadOptions::default()).starts_with("a.toml:4:14: `model.vocab_size`"));
}

#[test]
fn folders_and_missing_files_have_different_errors() {
    let files = one("");
    std::fs::create_dir(files.path("folder.toml")).unwrap();
    assert_eq!(
        files.problems("folder.toml", &LoadOptions::default()),
        "cannot read the spec `folder.toml`: it is a folder; expected a file"
    );
    assert_eq!(files.problems("b.toml", &LoadOptions::default()), "cannot read the spec `b.toml`: no such file");
}

/// Truncated specs and specs with a missing character: problems or a spec, never a panic, and every location is within its file.
#[test]
fn no_damage_to_a_file_breaks_the_loader() {
    for name in ["many", "contradictions", "sweep", "axes", "shapes"] {
        let text = std::fs::read_to_string(format!("tests/fixtures/spec/invalid/{name}.toml")).unwrap();
        let files = Files::new(&[]);
        let lines = text.lines().count() + 1;
        for (i, (at, c)) in text.char_indices().enumerate().step_by(7) {
            let damaged = match i % 2 {
                0 => text[..at].to_string(),
                _ => format!("{}{}", &text[..at], &text[at + c.len_utf8()..]),
            };
            std::fs::write(files.path("a.toml"), &damaged).unwrap();
            let Err(errors) = files.load("a.toml") else { continue };
            for location in errors.problems.iter().filter_map(|problem| problem.location.as_ref()) {
                assert!(location.position.is_none_or(|(line, _)| line <= lines), "{location} of {damaged}");
                assert!(location.underline.start <= location.text.chars().count(), "{location} of {damaged}");
            }
            // What the types would refuse, the checks have refused before.
            assert!(!errors.to_string().contains("contradicts itself"), "{errors}\n{damaged}");
        }
    }
}
