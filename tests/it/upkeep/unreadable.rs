//! Files of runs that are in the way of a command: unreadable ones, links, and taper's own where another was meant.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::support::{skipped, words};

/// taper without the right to read what its mode forbids, which root has; `None` where that right cannot be taken away.
fn without_override(sandbox: &Sandbox, arguments: &[&str], forbidden: &Path) -> Option<(i32, String)> {
    let own = sandbox.command(arguments);
    let mut command = match fs::File::open(forbidden) {
        Err(_) => own,
        Ok(_) => {
            let mut command = Command::new("setpriv");
            command.args(["--bounding-set", "-dac_override,-dac_read_search"]).arg(own.get_program());
            command.args(own.get_args()).current_dir(sandbox.root());
            own.get_envs().for_each(|(name, value)| {
                match value {
                    Some(value) => command.env(name, value),
                    None => command.env_remove(name),
                };
            });
            command
        }
    };
    match command.output() {
        Ok(output) if !text(&output.stderr).contains("setpriv:") => {
            Some((output.status.code().unwrap_or(-1), words(&output)))
        }
        _ => {
            skipped("setpriv cannot take rights away");
            None
        }
    }
}

#[test]
fn a_kept_model_that_cannot_be_read_is_not_called_damaged_and_not_trained_again() {
    let sandbox = trained();
    let key = sandbox.keys().remove(0);
    let weights = sandbox.folder(&key).join("model/model.safetensors");
    // Written anew, so that the file is looked at more closely than by its time.
    let bytes = fs::read(&weights).expect("the weights");
    fs::write(&weights, &bytes).expect("the same weights");
    fs::set_permissions(&weights, fs::Permissions::from_mode(0o0)).expect("a mode");
    let commands = [
        (&["run", "small.toml"][..], 1),
        (&["predict", &key, "好吃"], 2),
        (&["export", &key, "exported"], 2),
        (&["verify", &key], 2),
    ];
    for (arguments, expected) in commands {
        let Some((code, said)) = without_override(&sandbox, arguments, &weights) else { return };
        assert!(said.contains("permission denied") && said.contains("it is not trained again"), "{arguments:?} {said}");
        assert!(code == expected && !said.contains("damaged"), "{arguments:?} {code} {said}");
    }
    fs::set_permissions(&weights, fs::Permissions::from_mode(0o644)).expect("a mode");
    assert!(fs::read(&weights).expect("the weights") == bytes);
    assert!(sandbox.ok(&["run", "small.toml"]).contains("2 completed before"));
}

#[test]
fn a_run_whose_folder_is_a_link_is_removed_by_nobody_but_its_owner() {
    let sandbox = trained();
    let [a, b] = sandbox.keys().try_into().expect("two runs");
    let (folder, elsewhere) = (sandbox.folder(&a), sandbox.path("elsewhere"));
    fs::rename(&folder, &elsewhere).expect("moved");
    symlink(&elsewhere, &folder).expect("a link");
    let before = sandbox.lies();
    let (code, said) = sandbox.says(&["rm", &a, &b, "--yes"]);
    assert!(code == 2 && said.contains("is a symbolic link to") && said.contains("nothing was removed"), "{said}");
    assert!(sandbox.lies() == before && elsewhere.join("model/model.safetensors").is_file());
    assert_eq!(sandbox.keys().len(), 2);
    fs::remove_file(&folder).expect("the link");
    fs::rename(&elsewhere, &folder).expect("moved back");
    sandbox.ok(&["rm", &a, "--yes"]);
    assert_eq!(sandbox.keys(), [b]);
}

#[test]
fn a_run_is_removed_though_some_of_its_files_cannot_be() {
    let sandbox = trained();
    let key = sandbox.keys().remove(0);
    let model = sandbox.folder(&key).join("model");
    fs::set_permissions(&model, fs::Permissions::from_mode(0o555)).expect("a mode");
    let locked = sandbox.path("locked");
    fs::write(&locked, "").expect("a file");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o0)).expect("a mode");
    let Some((code, said)) = without_override(&sandbox, &["rm", &key, "--yes"], &locked) else { return };
    assert!(code == 1 && said.contains("`taper gc` removes the rest"), "{code} {said}");
    assert!(!sandbox.keys().contains(&key));
    let gone = sandbox.folder(&key).with_extension("gone");
    assert!(gone.is_dir());
    fs::set_permissions(gone.join("model"), fs::Permissions::from_mode(0o755)).expect("a mode");
    sandbox.ok(&["gc", "--yes"]);
    assert!(!gone.exists());
}

#[test]
fn predictions_do_not_replace_the_records() {
    let sandbox = trained();
    let key = sandbox.keys().remove(0);
    sandbox.write("texts.csv", "review\n好吃\n");
    let in_folder = format!("runs/{}/model/config.json", &key[..12]);
    for own in ["runs/taper.db", "runs/taper.db-wal", in_folder.as_str(), "runs/locks/x"] {
        let (code, said) = sandbox.says(&["predict", &key, "--file", "texts.csv", "--out", own, "--out-format", "csv"]);
        assert!(code == 2 && said.contains("is taper's database or lies in a run's folder"), "{own}: {said}");
    }
    assert_eq!(sandbox.keys().len(), 2);
    sandbox.ok(&["predict", &key, "--file", "texts.csv", "--out", "runs/mine.csv"]);
}

#[test]
fn a_stored_spec_repeats_a_run_whose_steps_were_given() {
    let sandbox = trained();
    let set = ["--set", "name=steps", "--set", "train.max_steps=2", "--set", "sweep.seeds=[]"];
    sandbox.ok(&[&["run", "small.toml", "--quiet"], &set[..]].concat());
    let key = sandbox.json(&["list", "steps"])[0]["key"].as_str().expect("a key").to_owned();
    let spec = sandbox.folder(&key).join("run.toml").display().to_string();
    assert_eq!(sandbox.json(&["plan", &spec])["runs"][0]["key"], key, "2 epochs are part of its key");
}
