//! No command replaces or removes what it did not write.

use super::*;

fn put(path: PathBuf, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn gc_leaves_foreign_files_in_the_runs_folder() {
    let sandbox = trained();
    let key = sandbox.keys().remove(0);
    let own = sandbox.folder(&key);
    for name in [
        "202411261200/notes",
        "notes.gone/x",
        "0123456789ac.gone/notes",
        "verify-plan/x",
        "verify-0123456789ab/x",
        "locks/mine.lock",
    ] {
        put(sandbox.path("runs").join(name), "mine");
    }
    for name in
        ["draft.new", "draft.tmp", ".tmp-mine", "model.new/README.md", "models/step-3.new/notes", "mine.permissions"]
    {
        put(own.join(name), "mine");
    }
    let before = sandbox.lies();
    sandbox.ok(&["gc", "--yes"]);
    assert_eq!(sandbox.lies(), before);
    assert_eq!(read(sandbox.path("runs/locks/mine.lock")), "mine");
}

#[test]
fn with_an_emptied_or_new_database_no_trained_model_is_waste() {
    let sandbox = trained();
    let keys = sandbox.keys();
    let models = |sandbox: &Sandbox| {
        keys.iter().filter(|key| sandbox.folder(key).join("model/model.safetensors").is_file()).count()
    };
    let saved = fs::read(sandbox.path("runs/taper.db")).expect("the database");
    fs::write(sandbox.path("runs/taper.db"), "").expect("emptied");
    for arguments in
        [&["list"][..], &["gc", "--yes"], &["run", "small.toml"], &["rm", "seed=1", "--yes"], &["report", "small"]]
    {
        let (code, said) = sandbox.says(arguments);
        assert!(
            code == 2 && said.contains("taper.db is empty (0 bytes), but there are the folders of 2 runs"),
            "{arguments:?}: {said}"
        );
    }
    assert_eq!(models(&sandbox), 2);
    // A new one that knows another run only.
    fs::remove_file(sandbox.path("runs/taper.db")).expect("gone");
    drop(Store::open(&sandbox.path("runs")).expect("a new one"));
    let said = sandbox.ok(&["gc", "--yes"]);
    assert!(said.contains("2 run folders without a record in this database were left alone (the first is "), "{said}");
    assert_eq!(models(&sandbox), 2);
    fs::write(sandbox.path("runs/taper.db"), saved).expect("put back");
    assert_eq!(sandbox.keys(), keys);
}

#[test]
fn rm_and_verify_leave_foreign_files_beside_a_run() {
    let sandbox = trained();
    let [a, b] = sandbox.keys().try_into().expect("two runs");
    put(sandbox.folder(&a).join("notes.txt"), "mine");
    put(sandbox.folder(&a).join("model/README.md"), "mine");
    let said = sandbox.ok(&["rm", &a, &b, "--yes"]);
    assert!(
        said.contains(&a[..12]) && said.contains("files that taper did not write") && !said.contains(&b[..12]),
        "{said}"
    );
    let left: Vec<String> = sandbox.lies().into_iter().filter(|name| !name.starts_with("reports")).collect();
    let short = &a[..12];
    assert_eq!(
        left,
        [short.to_string(), format!("{short}/model"), format!("{short}/model/README.md"), format!("{short}/notes.txt")]
    );
    // The run is trained again beside them.
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    assert!(sandbox.folder(&a).join("notes.txt").is_file());
    let verify = sandbox.path("runs").join(format!("verify-{}", &b[..12]));
    put(verify.join("notes.txt"), "mine");
    let (code, said) = sandbox.says(&["verify", &b]);
    assert!(code == 2 && said.contains("is in the way"), "{said}");
    assert_eq!(read(verify.join("notes.txt")), "mine");
}

#[test]
fn an_order_of_rows_replaces_an_order_of_rows_and_nothing_else() {
    let sandbox = trained();
    for (name, text) in
        [("mine.toml", "name = \"x\""), ("mine.csv", "a,b\n1,2\n"), ("mine.json", "{\"train\": 1}"), ("empty", "")]
    {
        put(sandbox.path(name), text);
        let (code, said) = sandbox.says(&["plan", "small.toml", "--order", name]);
        assert!(code == 2 && said.contains(name) && said.contains("--force"), "{said}");
        assert_eq!(read(sandbox.path(name)), text);
    }
    sandbox.ok(&["plan", "small.toml", "--order", "order.json"]);
    let first = read(sandbox.path("order.json"));
    let json: Value = serde_json::from_str(&first).expect("JSON");
    assert_eq!(json["train"].as_array().expect("steps").len(), 10);
    sandbox.ok(&["plan", "small.toml", "--order", "order.json", "--set", "train.epochs=1"]);
    assert!(read(sandbox.path("order.json")) != first);
    sandbox.ok(&["plan", "small.toml", "--order", "mine.csv", "--force"]);
    assert!(read(sandbox.path("mine.csv")) == first);
    assert_eq!(sandbox.says(&["plan", "small.toml", "--order", "nowhere/order.json"]).0, 2);
}

#[test]
fn a_report_replaces_its_own_files_and_no_other() {
    let sandbox = trained();
    put(sandbox.path("docs/runs.csv"), "mine");
    put(sandbox.path("docs/notes.txt"), "mine");
    let (code, said) = sandbox.says(&["report", "small", "--out", "docs"]);
    assert!(code == 2 && said.contains(": runs.csv;") && said.contains("--force"), "{said}");
    assert_eq!(fs::read_dir(sandbox.path("docs")).expect("a folder").count(), 2, "nothing was written");
    sandbox.ok(&["report", "small", "--out", "docs", "--force"]);
    assert_ne!(read(sandbox.path("docs/runs.csv")), "mine");
    assert_eq!(read(sandbox.path("docs/notes.txt")), "mine");
    // From then on it is a report's folder.
    let files = |folder: &str| {
        let entries =
            fs::read_dir(sandbox.path(folder)).expect("a folder").map(|entry| entry.expect("an entry").path());
        let entries =
            entries.map(|path| (path.file_name().expect("a name").to_owned(), fs::read(&path).expect("a file")));
        entries.filter(|(name, _)| name != "notes.txt").collect::<std::collections::BTreeMap<_, _>>()
    };
    let before = files("docs");
    sandbox.ok(&["report", "small", "--out", "docs"]);
    assert!(before == files("docs"));
    // One of the version before has no list of its files.
    fs::remove_file(sandbox.path("docs/.taper-report")).expect("its list");
    sandbox.ok(&["report", "small", "--out", "docs"]);
    assert!(before == files("docs"));
}

#[test]
fn an_exported_model_is_there_whole_or_not_at_all() {
    let sandbox = trained();
    let key = sandbox.keys().remove(0);
    put(sandbox.path("taken/mine"), "mine");
    let (code, said) = sandbox.says(&["export", &key, "taken"]);
    assert!(code != 0 && said.contains("taken"), "{said}");
    fs::create_dir(sandbox.path("empty")).expect("a folder");
    for to in ["empty", "new/deep"] {
        sandbox.ok(&["export", &key, to]);
        assert!(sandbox.path(to).join("model.safetensors").is_file());
    }
    let left = |folder: &Path| {
        let names = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        names.filter(|name| name.to_string_lossy().starts_with(".taper")).count()
    };
    assert_eq!((left(&sandbox.path("")), left(&sandbox.path("new"))), (0, 0));
    assert_eq!(read(sandbox.path("taken/mine")), "mine");
}
