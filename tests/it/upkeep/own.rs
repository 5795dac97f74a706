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
fn gc_leaves_whatever_somebody_else_put_into_the_runs_folder() {
    let place = trained();
    let key = place.keys().remove(0);
    let own = place.folder(&key);
    for name in [
        "202411261200/notes",
        "notes.gone/x",
        "0123456789ac.gone/notes",
        "verify-plan/x",
        "verify-0123456789ab/x",
        "locks/mine.lock",
    ] {
        put(place.path("runs").join(name), "mine");
    }
    for name in
        ["draft.new", "draft.tmp", ".tmp-mine", "model.new/README.md", "models/step-3.new/notes", "mine.permissions"]
    {
        put(own.join(name), "mine");
    }
    let before = place.lies();
    place.ok(&["gc", "--yes"]);
    assert_eq!(place.lies(), before);
    assert_eq!(read(place.path("runs/locks/mine.lock")), "mine");
}

#[test]
fn a_database_that_was_emptied_or_is_new_makes_no_trained_model_waste() {
    let place = trained();
    let keys = place.keys();
    let models =
        |place: &Sandbox| keys.iter().filter(|key| place.folder(key).join("model/model.safetensors").is_file()).count();
    let saved = fs::read(place.path("runs/taper.db")).expect("the database");
    fs::write(place.path("runs/taper.db"), "").expect("emptied");
    for arguments in
        [&["list"][..], &["gc", "--yes"], &["run", "small.toml"], &["rm", "seed=1", "--yes"], &["report", "small"]]
    {
        let (code, said) = place.says(arguments);
        assert!(
            code == 2 && said.contains("taper.db is empty (0 bytes) beside the folders of 2 runs"),
            "{arguments:?}: {said}"
        );
    }
    assert_eq!(models(&place), 2);
    // A new one that knows another run only.
    fs::remove_file(place.path("runs/taper.db")).expect("gone");
    drop(Store::open(&place.path("runs")).expect("a new one"));
    let said = place.ok(&["gc", "--yes"]);
    assert!(said.contains("2 folders of runs that this database does not know are left as they are"), "{said}");
    assert_eq!(models(&place), 2);
    fs::write(place.path("runs/taper.db"), saved).expect("put back");
    assert_eq!(place.keys(), keys);
}

#[test]
fn rm_and_verify_leave_what_somebody_else_put_beside_a_run() {
    let place = trained();
    let [a, b] = place.keys().try_into().expect("two runs");
    put(place.folder(&a).join("notes.txt"), "mine");
    put(place.folder(&a).join("model/README.md"), "mine");
    let said = place.ok(&["rm", &a, &b, "--yes"]);
    assert!(
        said.contains(&a[..12]) && said.contains("files that taper did not write") && !said.contains(&b[..12]),
        "{said}"
    );
    let left: Vec<String> = place.lies().into_iter().filter(|name| !name.starts_with("reports")).collect();
    let short = &a[..12];
    assert_eq!(
        left,
        [short.to_string(), format!("{short}/model"), format!("{short}/model/README.md"), format!("{short}/notes.txt")]
    );
    // The run is made again beside them.
    place.ok(&["run", "small.toml", "--quiet"]);
    assert!(place.folder(&a).join("notes.txt").is_file());
    let verify = place.path("runs").join(format!("verify-{}", &b[..12]));
    put(verify.join("notes.txt"), "mine");
    let (code, said) = place.says(&["verify", &b]);
    assert!(code == 2 && said.contains("is in the way"), "{said}");
    assert_eq!(read(verify.join("notes.txt")), "mine");
}

#[test]
fn an_order_of_rows_replaces_an_order_of_rows_and_nothing_else() {
    let place = trained();
    for (name, text) in
        [("mine.toml", "name = \"x\""), ("mine.csv", "a,b\n1,2\n"), ("mine.json", "{\"train\": 1}"), ("empty", "")]
    {
        put(place.path(name), text);
        let (code, said) = place.says(&["plan", "small.toml", "--order", name]);
        assert!(code == 2 && said.contains(name) && said.contains("--force"), "{said}");
        assert_eq!(read(place.path(name)), text);
    }
    place.ok(&["plan", "small.toml", "--order", "order.json"]);
    let first = read(place.path("order.json"));
    let json: Value = serde_json::from_str(&first).expect("JSON");
    assert_eq!(json["train"].as_array().expect("steps").len(), 10);
    place.ok(&["plan", "small.toml", "--order", "order.json", "--set", "train.epochs=1"]);
    assert!(read(place.path("order.json")) != first);
    place.ok(&["plan", "small.toml", "--order", "mine.csv", "--force"]);
    assert!(read(place.path("mine.csv")) == first);
    assert_eq!(place.says(&["plan", "small.toml", "--order", "nowhere/order.json"]).0, 2);
}

#[test]
fn a_report_replaces_its_own_files_and_no_other() {
    let place = trained();
    put(place.path("docs/runs.csv"), "mine");
    put(place.path("docs/notes.txt"), "mine");
    let (code, said) = place.says(&["report", "small", "--out", "docs"]);
    assert!(code == 2 && said.contains(": runs.csv;") && said.contains("--force"), "{said}");
    assert_eq!(fs::read_dir(place.path("docs")).expect("a folder").count(), 2, "nothing was written");
    place.ok(&["report", "small", "--out", "docs", "--force"]);
    assert_ne!(read(place.path("docs/runs.csv")), "mine");
    assert_eq!(read(place.path("docs/notes.txt")), "mine");
    // From then on it is a report's folder.
    let files = |folder: &str| {
        let entries = fs::read_dir(place.path(folder)).expect("a folder").map(|entry| entry.expect("an entry").path());
        let entries =
            entries.map(|path| (path.file_name().expect("a name").to_owned(), fs::read(&path).expect("a file")));
        entries.filter(|(name, _)| name != "notes.txt").collect::<std::collections::BTreeMap<_, _>>()
    };
    let before = files("docs");
    place.ok(&["report", "small", "--out", "docs"]);
    assert!(before == files("docs"));
    // One of the version before has no list of its files.
    fs::remove_file(place.path("docs/.taper-report")).expect("its list");
    place.ok(&["report", "small", "--out", "docs"]);
    assert!(before == files("docs"));
}

#[test]
fn an_exported_model_is_there_whole_or_not_at_all() {
    let place = trained();
    let key = place.keys().remove(0);
    put(place.path("taken/mine"), "mine");
    let (code, said) = place.says(&["export", &key, "taken"]);
    assert!(code != 0 && said.contains("taken"), "{said}");
    fs::create_dir(place.path("empty")).expect("a folder");
    for to in ["empty", "new/deep"] {
        place.ok(&["export", &key, to]);
        assert!(place.path(to).join("model.safetensors").is_file());
    }
    let left = |folder: &Path| {
        let names = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
        names.filter(|name| name.to_string_lossy().starts_with(".taper")).count()
    };
    assert_eq!((left(&place.path("")), left(&place.path("new"))), (0, 0));
    assert_eq!(read(place.path("taken/mine")), "mine");
}
