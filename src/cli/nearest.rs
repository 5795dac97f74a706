//! The spec file that was probably meant by the path of one that does not exist.

use std::{
    fs,
    path::{Path, PathBuf},
};

use taper::spec::closest;

/// Where specs usually are.
const FOLDER: &str = "experiments";

/// Files up to this many bytes are read: specs are far smaller.
const MOST: u64 = 1 << 20;

/// Whether a file is a spec, rather than another TOML file such as Cargo.toml: by a table or a key that specs have, since one with a mistake
/// cannot be parsed.
fn is_spec(path: &Path) -> bool {
    let tables = ["model", "data", "train", "sweep", "checkpoint"];
    let is_one = |line: &str| {
        let line = line.trim_start();
        if let Some(list) = line.strip_prefix("[[") {
            return list.trim_start().starts_with("probes");
        }
        let (head, after) = match line.strip_prefix('[') {
            Some(rest) => (rest.trim_start(), &['.', ']', ' '][..]),
            // `model.source = …`, `model = { … }`
            None => (line, &['.', ' ', '='][..]),
        };
        // `[profile.quick.train]`; Cargo.toml has profiles too, but no such tables in them.
        let profile = head.strip_prefix("profile.").and_then(|rest| Some(rest.split_once('.')?.1));
        let head = profile.filter(|_| line.starts_with('[')).unwrap_or(head);
        if !line.starts_with('[') && !head.contains('=') {
            return false;
        }
        line.strip_prefix("extends").is_some_and(|rest| rest.trim_start().starts_with('='))
            || tables.iter().any(|table| head.strip_prefix(table).is_some_and(|rest| rest.starts_with(after)))
    };
    let small = fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() <= MOST);
    small && fs::read_to_string(path).is_ok_and(|text| text.lines().any(is_one))
}

/// The existing spec nearest to `wanted`, which does not exist: with the ending that was left out, the file of this name in the folder
/// `experiments` or in the current one, or one of a similar name in the named folder or these two.
pub fn spec(wanted: &Path) -> Option<PathBuf> {
    let folder = wanted.parent().unwrap_or(Path::new(""));
    let name = wanted.file_name()?.to_str()?;
    let stem = name.strip_suffix(".toml").unwrap_or(name);
    let file = format!("{stem}.toml");
    let mut folders = vec![folder.to_path_buf()];
    folders.extend([Path::new(FOLDER), Path::new("")].map(Path::to_path_buf).into_iter().filter(|f| f != folder));
    let named = folders.iter().map(|folder| folder.join(&file));
    named.into_iter().find(|path| is_spec(path)).or_else(|| folders.iter().find_map(|folder| like(folder, stem)))
}

/// The file of a folder whose name is most like this one.
fn like(folder: &Path, stem: &str) -> Option<PathBuf> {
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let specs = fs::read_dir(listed).ok()?.flatten().filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        Some(name.strip_suffix(".toml")?.to_owned()).filter(|_| is_spec(&entry.path()))
    });
    let mut specs: Vec<String> = specs.collect();
    // Of two that are as similar the same one, whatever the order of the folder.
    specs.sort_unstable();
    let found = closest(stem, specs.iter().map(String::as_str))?;
    Some(folder.join(format!("{found}.toml")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_spec_of_the_named_folder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["quickstart.toml", "quickstart-search.toml", "folds.toml", "notes.txt"] {
            fs::write(folder.path().join(name), "[model]\nsource = \"scratch:tiny\"\n").unwrap();
        }
        fs::write(folder.path().join("Cargo.toml"), "[package]\nname = \"x\"\n[profile.release]\n[database]\n")
            .unwrap();
        fs::write(folder.path().join("dotted.toml"), "model.source = \"scratch:tiny\"\nbroken =\n").unwrap();
        for (name, text) in [
            ("inline", "model = { source = \"scratch:tiny\" }\n"),
            ("questions", "[[probes]]\ntext = \"x\"\n"),
            ("layers", "[profile.quick.train]\nepochs = 1\n"),
            ("pyproject", "[[package]]\nname = \"model\"\n[profile.dev.package]\n"),
        ] {
            fs::write(folder.path().join(format!("{name}.toml")), text).unwrap();
        }
        fs::write(folder.path().join("child.toml"), "extends = \"folds.toml\"\n").unwrap();
        let of = |name: &str| {
            spec(&folder.path().join(name)).map(|path| path.strip_prefix(folder.path()).unwrap().to_owned())
        };
        let some = |name: &str| Some(PathBuf::from(name));
        assert_eq!(of("quikstart.toml"), some("quickstart.toml"));
        assert_eq!(of("quickstrat"), some("quickstart.toml"));
        assert_eq!(of("quickstart"), some("quickstart.toml"), "the ending was left out");
        assert_eq!(of("quickstart-serch.toml"), some("quickstart-search.toml"));
        assert_eq!([of("cargo"), of("Cargo.toml"), of("carg.toml")], [None, None, None], "no spec");
        assert_eq!([of("doted"), of("chield.toml")], [some("dotted.toml"), some("child.toml")]);
        assert_eq!(
            [of("inlin"), of("question"), of("layer")],
            [some("inline.toml"), some("questions.toml"), some("layers.toml")]
        );
        assert_eq!(of("pyprojekt"), None, "no spec");
        assert_eq!(of("notes"), None, "not TOML");
        assert_eq!(of("zebra.toml"), None);
        assert_eq!(spec(Path::new("/")), None);
        // In a folder that does not exist there is none, but where specs usually are.
        let usual = spec(&folder.path().join("none/quikstart.toml"));
        assert_eq!(usual, Some(PathBuf::from("experiments/quickstart.toml")));
    }
}
