//! The lock beside a spec: what it pins is used, offline too, and nothing else.

use std::fs;

use taper::assets::{AssetError, Lock};

use crate::hub::{
    commands::FetchSandbox,
    home::{Home, ROWS, files, server, source, weights},
    server::{COMMIT, TOKEN, sha256},
};

const OTHER: &str = "89abcdef0123456789abcdef0123456789abcdef";

#[test]
fn a_locked_experiment_plans_runs_and_reports_without_a_network() {
    let sandbox = FetchSandbox::new();
    let text = sandbox.ok(&["fetch", "tiny.toml"]);
    assert!(text.contains("pinned in tiny.toml.lock") && text.contains("hf:a/rows"), "{text}");
    let lock = fs::read_to_string(sandbox.home.path("tiny.toml.lock")).expect("a lock");
    for words in [COMMIT, "use = \"model\"", "use = \"data\"", "rows.csv", "model.safetensors", "sha256 = "] {
        assert!(lock.contains(words), "no `{words}` in {lock}");
    }
    let text = sandbox.ok(&["fetch", "tiny.toml"]);
    assert!(text.contains("already pinned in"), "{text}");
    sandbox.server.seen();
    let unreachable = |arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        let output = command.env("HF_ENDPOINT", "http://127.0.0.1:9").output().expect("taper starts");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && !text.contains(TOKEN), "{arguments:?}: {text}");
        text
    };
    // With --offline, and with the lock alone: neither needs a server.
    for offline in [&["--offline"][..], &[]] {
        let with = |arguments: &[&'static str]| [arguments, offline].concat();
        unreachable(&with(&["plan", "tiny.toml"]));
        unreachable(&with(&["run", "tiny.toml"]));
        unreachable(&with(&["report", "tiny"]));
    }
    unreachable(&["run", "tiny.toml", "--offline", "--set", "train.epochs=2", "--jobs", "2"]);
    assert_eq!(sandbox.server.seen(), []);

    // What was resolved is in the run's folder, the report and the database; the token is nowhere.
    let report = fs::read_to_string(sandbox.home.path("runs/reports/tiny/report.md")).expect("a report");
    assert!(
        report.contains(&format!("hf:a/tiny@{COMMIT}")) && report.contains(&format!("hf:a/rows@{COMMIT}/rows.csv"))
    );
    for (path, _) in files(sandbox.home.dir.root()) {
        let bytes = fs::read(&path).expect("a file");
        let found = bytes.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes());
        assert!(!found, "the token is in {}", path.display());
    }
    let key = sandbox.ok(&["list", "--json"]);
    let key = key.split("\"key\": \"").nth(1).expect("a run")[..12].to_string();
    let config = fs::read_to_string(sandbox.home.path(&format!("runs/{key}/run.toml"))).expect("a config");
    assert!(config.contains(&format!("hf:a/tiny@{COMMIT}")), "{config}");
    unreachable(&["verify", &key, "--offline"]);
}

#[test]
fn the_first_run_pins_and_other_content_is_refused_until_it_is_accepted() {
    let sandbox = FetchSandbox::new();
    let text = sandbox.ok(&["plan", "tiny.toml"]);
    assert!(!sandbox.home.path("tiny.toml.lock").exists(), "a plan writes nothing: {text}");
    sandbox.ok(&["run", "tiny.toml", "--quiet"]);
    let first = fs::read_to_string(sandbox.home.path("tiny.toml.lock")).expect("a lock");

    // The branch moves on; the pinned commit is used.
    let rows: String = (0..30).map(|i| format!("1,好 {i}\n0,慢 {i}\n")).collect();
    sandbox.server.put("datasets/a/rows/rows.csv", format!("label,review\n{rows}").as_bytes());
    sandbox.server.commit(OTHER);
    let text = sandbox.ok(&["run", "tiny.toml"]);
    assert!(text.contains("1 completed before"), "{text}");
    assert_eq!(fs::read_to_string(sandbox.home.path("tiny.toml.lock")).expect("a lock"), first);

    // A server that has other content for the pinned commit, and a cache that lost it.
    fs::remove_dir_all(sandbox.home.path("hf/hub/datasets--a--rows")).expect("a cache");
    let (code, text) = sandbox.says(&["run", "tiny.toml"]);
    assert_eq!(code, 2, "{text}");
    for words in ["rows.csv of hf:a/rows is not what tiny.toml.lock pins", "taper fetch SPEC --update"] {
        assert!(text.contains(words), "no `{words}` in {text}");
    }
    let text = sandbox.ok(&["fetch", "tiny.toml", "--update"]);
    for words in [&format!("revision {COMMIT} → {OTHER}"), "rows.csv changed: sha256", "hf:a/tiny: revision"] {
        assert!(text.contains(words), "no `{words}` in {text}");
    }
    let text = sandbox.ok(&["run", "tiny.toml", "--offline"]);
    assert!(text.contains("1 completed"), "other data is another run: {text}");
    let text = sandbox.ok(&["fetch", "tiny.toml", "--update"]);
    assert!(text.contains("unchanged") && text.contains("already pinned"), "{text}");
    let (code, text) = sandbox.says(&["fetch", "tiny.toml", "--update", "--offline"]);
    assert!(code == 2 && text.contains("not possible with --offline"), "{text}");
}

#[test]
fn a_cache_that_is_not_what_is_pinned_is_refused() {
    let server = server();
    let home = Home::new(&server.url);
    let lock = || Lock::beside(&home.path("x.toml")).unwrap();
    let mut library = home.library().with_lock(lock());
    let data = library.data(&source("hf:a/data"), None).unwrap();
    library.model(&source("modelscope:a/model")).unwrap();
    let web = source(&format!("{}/web/rows.csv#sha256={}", server.url, sha256(ROWS)));
    library.data(&web, None).unwrap();
    library.lock().unwrap().save().unwrap();
    assert_eq!(lock().pins().len(), 3);

    fs::write(fs::canonicalize(&data.path).unwrap(), "label,review\n").unwrap();
    let error = home.offline().with_lock(lock()).data(&source("hf:a/data"), None).unwrap_err();
    let text = error.to_string();
    assert!(
        matches!(error, AssetError::Changed { .. }) && text.contains("rows.csv") && text.contains("delete"),
        "{text}"
    );
    // Where there is a server, the pinned content replaces it.
    assert_eq!(home.library().with_lock(lock()).data(&source("hf:a/data"), None).unwrap(), data);
    assert_eq!(fs::read(&data.path).unwrap(), ROWS);
    home.offline().with_lock(lock()).data(&source("hf:a/data"), None).unwrap();
    // A folder of a branch that has moved on does not conflict with the pinned commit.
    let branch = home.path("ms/models/a--model/snapshots/master");
    fs::write(branch.join("model.safetensors"), "other").unwrap();
    let error = home.offline().with_lock(lock()).model(&source("modelscope:a/model")).unwrap_err();
    assert!(matches!(error, AssetError::Changed { .. }), "{error}");
    let model = home.library().with_lock(lock()).model(&source("modelscope:a/model")).unwrap();
    assert!(model.folder.ends_with(COMMIT) && fs::read(&model.weights).unwrap() == weights());
    home.offline().with_lock(lock()).model(&source("modelscope:a/model")).unwrap();
    // An empty cache is filled with what is pinned, without asking for the list.
    fs::remove_dir_all(home.path("ms")).unwrap();
    server.seen();
    home.library().with_lock(lock()).model(&source("modelscope:a/model")).unwrap();
    assert!(!server.seen().iter().any(|seen| seen.path.contains("/files")));
}

/// What follows `?` in an address may be a secret: the lock tells sources apart without it.
#[test]
fn a_lock_holds_no_query_and_is_found_again() {
    let server = server();
    let home = Home::new(&server.url);
    server.put("web/rows.csv?token=s3cret", ROWS);
    server.put("web/rows.csv?token=other", b"label,review\n1,x\n");
    let lock = || Lock::beside(&home.path("x.toml")).unwrap();
    let at = |token: &str, rows: &[u8]| {
        source(&format!("{}/web/rows.csv?token={token}#sha256={}", server.url, sha256(rows)))
    };
    let mut library = home.library().with_lock(lock());
    let data = library.data(&at("s3cret", ROWS), None).unwrap();
    library.data(&at("other", b"label,review\n1,x\n"), None).unwrap();
    assert!(library.located().iter().all(|located| !located.pin.source.contains("s3cret")));
    library.lock().unwrap().save().unwrap();
    let text = fs::read_to_string(lock().path()).unwrap();
    assert!(!text.contains("s3cret") && text.contains("hidden-sha256=") && lock().pins().len() == 2, "{text}");
    let mut again = home.offline().with_lock(lock());
    assert_eq!(again.data(&at("s3cret", ROWS), None).unwrap(), data);
    assert!(!again.lock().unwrap().save().unwrap(), "nothing new is pinned");
    // A lock that was written before this holds the address as it is: it is found too, and written without it.
    let hidden = lock().pins()[0].source.clone();
    let older = text.replace(&hidden, &at("s3cret", ROWS).to_string());
    assert_ne!(older, text);
    fs::write(lock().path(), older).unwrap();
    let mut again = home.offline().with_lock(lock());
    assert_eq!(again.data(&at("s3cret", ROWS), None).unwrap(), data);
    assert_eq!(lock().pins()[0].source, hidden);
    // Nor does a message hold it.
    let error = home.offline().data(&at("s3cret2", ROWS), None).unwrap_err().to_string();
    assert!(!error.contains("s3cret"), "{error}");
}
