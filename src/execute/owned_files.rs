//! Recognises the files and folders that taper writes: nothing else is ever removed.

use std::{fs, io, path::Path};

use crate::format::KEY_DIGITS;

/// Files of a model's folder, and the temporary name of one.
const MODEL: [&str; 11] = [
    "config.json",
    super::decision_file::NAME,
    "model.safetensors",
    "model.tmp",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
];
/// Files of a run's folder.
const RUN: [&str; 8] = [
    "run.toml",
    // Written beside it where it is run as a spec.
    "run.toml.lock",
    "run.new",
    "state.safetensors",
    "state.previous.safetensors",
    "state.tmp",
    "best.safetensors",
    "best.tmp",
];
/// Files of a verification's folder.
const VERIFY: [&str; 2] = ["best.safetensors", "best.tmp"];

/// Whether a name has the form of the beginning of a run's key.
pub(super) fn is_key(name: &str) -> bool {
    name.len() == KEY_DIGITS && name.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Whether a folder contains only files that a run writes.
pub(super) fn is_run(folder: &Path) -> bool {
    holds_only(folder, |name, path| match name {
        "model" | "model.new" => is_model(path),
        "models" => holds_only(path, |name, path| is_step_model(name) && is_model(path)),
        _ => RUN.contains(&name) && is_file(path),
    })
}

/// Whether a folder contains only files of a model.
pub(super) fn is_model(folder: &Path) -> bool {
    holds_only(folder, |name, path| MODEL.contains(&name) && is_file(path))
}

/// Whether a folder contains only files that a verification writes.
pub(super) fn is_verification(folder: &Path) -> bool {
    holds_only(folder, |name, path| VERIFY.contains(&name) && is_file(path))
}

/// Removes taper's own files from a run's folder, and the folder if it contains nothing else; returns whether it was removed. States are
/// removed before models, so that after an interruption no run resumes from the rest.
pub(super) fn remove_run(folder: &Path) -> io::Result<bool> {
    let gone = |removed: io::Result<()>| match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    };
    for name in RUN.iter().rev() {
        let path = folder.join(name);
        if is_file(&path) {
            gone(fs::remove_file(path))?;
        }
    }
    let mut models = vec![folder.join("model"), folder.join("model.new")];
    let steps = fs::read_dir(folder.join("models")).into_iter().flatten().flatten();
    models
        .extend(steps.filter(|entry| entry.file_name().to_str().is_some_and(is_step_model)).map(|entry| entry.path()));
    for model in models.iter().filter(|path| path.symlink_metadata().is_ok_and(|facts| facts.is_dir())) {
        for path in MODEL.iter().rev().map(|name| model.join(name)).filter(|path| is_file(path)) {
            gone(fs::remove_file(path))?;
        }
        let _ = fs::remove_dir(model);
    }
    let _ = fs::remove_dir(folder.join("models"));
    match fs::remove_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
        removed => gone(removed).map(|()| true),
    }
}

/// `step-12`, or `step-12.new` while it is written.
pub(super) fn is_step_model(name: &str) -> bool {
    let number = name.strip_prefix("step-").map(|rest| rest.strip_suffix(".new").unwrap_or(rest));
    number.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether it is a folder, not a symbolic link, with entries of taper only.
fn holds_only(folder: &Path, own: impl Fn(&str, &Path) -> bool) -> bool {
    if !folder.symlink_metadata().is_ok_and(|facts| facts.is_dir()) {
        return false;
    }
    let Ok(mut entries) = fs::read_dir(folder) else { return false };
    entries
        .all(|entry| entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(|name| own(name, &entry.path()))))
}

fn is_file(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|facts| facts.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_one_foreign_file_is_not_tapers_own() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let put = |name: &str| {
            let path = run.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            path
        };
        for name in
            ["run.toml", "state.tmp", "model/vocab.txt", "models/step-3/config.json", "models/step-4.new/model.tmp"]
        {
            put(name);
        }
        assert!(is_run(&run) && is_model(&run.join("model")));
        for name in
            ["notes", "model/README.md", "models/step-3/notes", "models/mine/config.json", ".tmp1", "model.new/a/b"]
        {
            let path = put(name);
            assert!(!is_run(&run), "{name}");
            fs::remove_file(&path).unwrap();
            let _ = fs::remove_dir(path.parent().unwrap());
            let _ = fs::remove_dir(run.join("model.new"));
        }
        assert!(is_run(&run));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/", run.join("model.new")).unwrap();
            assert!(!is_run(&run), "a link to another folder");
        }
        assert!(!is_run(&dir.path().join("nothing")) && !is_verification(&run));
    }

    #[test]
    fn what_is_not_tapers_own_stays_when_a_run_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let put = |name: &str| {
            fs::create_dir_all(run.join(name).parent().unwrap()).unwrap();
            fs::write(run.join(name), "").unwrap();
        };
        let own =
            ["run.toml", "state.safetensors", "model/config.json", "model/vocab.txt", "models/step-3/config.json"];
        own.iter().for_each(|name| put(name));
        put("notes.txt");
        put("model/README.md");
        assert!(!remove_run(&run).unwrap());
        assert!(own.iter().all(|name| !run.join(name).exists()));
        assert!(run.join("notes.txt").exists() && run.join("model/README.md").exists() && !run.join("models").exists());
        fs::remove_dir_all(&run).unwrap();
        own.iter().for_each(|name| put(name));
        assert!(remove_run(&run).unwrap() && !run.exists());
        assert!(remove_run(&run).unwrap(), "a missing folder counts as removed");
    }

    #[test]
    fn names() {
        assert!(is_key("0123456789ab") && !is_key("0123456789a") && !is_key("notes-202411"));
        assert!(
            is_step_model("step-0")
                && is_step_model("step-12.new")
                && !is_step_model("step-")
                && !is_step_model("step-x")
        );
    }
}
