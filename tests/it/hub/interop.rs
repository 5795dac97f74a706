//! One cache for taper and Python's huggingface_hub: what one downloaded the other finds without a request.
//!
//! Python is looked for in `TAPER_TEST_PYTHON`, else as `python3`; where it lacks huggingface_hub the tests say so.

use std::{fs, process::Command};

use crate::{
    hub::{
        home::{Home, ROWS, server, source, weights},
        server::{COMMIT, TOKEN},
    },
    support::python_with,
};

/// Runs Python with the home's cache and server; none where there is no huggingface_hub.
fn python(home: &Home, offline: bool, code: &str) -> Option<String> {
    let program = python_with("huggingface_hub")?;
    let mut command = Command::new(program);
    command.args(["-c", code]).envs(home.vars.iter().cloned()).env("HF_HUB_DISABLE_TELEMETRY", "1");
    command.env("HF_HUB_DISABLE_XET", "1").env("HF_HUB_OFFLINE", if offline { "1" } else { "0" });
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        command.env_remove(name);
    }
    let output = command.output().expect("Python starts");
    let text = String::from_utf8_lossy(&output.stdout).trim().to_string();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    Some(text)
}

#[test]
fn what_python_downloaded_is_found_without_a_request() {
    // Python wants large files on another host than the hub, as they are in life.
    let (server, store) = (server(), server());
    server.store_at(&store.url);
    let home = Home::new(&server.url);
    let code = "from huggingface_hub import hf_hub_download as get\n\
                for name in ['config.json', 'vocab.txt', 'model.safetensors', 'tokenizer_config.json']:\n    get('a/model', name)\n\
                print(get('a/data', 'data/rows.csv', repo_type='dataset'))";
    let Some(path) = python(&home, false, code) else { return };
    assert!(server.seen().len() >= 5);
    let model = home.offline().model(&source("hf:a/model")).unwrap();
    assert_eq!(fs::read(&model.weights).unwrap(), weights());
    assert_eq!(home.offline().data(&source("hf:a/data"), None).unwrap().path.display().to_string(), path);
    // A commit and a lock need no request either, though the server could be asked.
    home.library().model(&source(&format!("hf:a/model@{COMMIT}"))).unwrap();
    assert_eq!(server.seen(), []);
    // And a branch only if the program resolves it.
    home.library().model(&source("hf:a/model")).unwrap();
    // Its card is asked for, too, which Python was not told to download.
    let seen: Vec<String> = server.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(seen.iter().filter(|path| !path.ends_with("/README.md")).count(), 1, "{seen:?}");
}

#[test]
fn what_taper_downloaded_is_found_by_python() {
    let (server, store) = (server(), server());
    server.store_at(&store.url);
    let home = Home::new(&server.url);
    let model = home.library().model(&source("hf:a/model")).unwrap();
    home.library().data(&source("hf:a/data"), None).unwrap();
    server.seen();
    let code = "from huggingface_hub import hf_hub_download as get, scan_cache_dir\n\
                print(get('a/model', 'model.safetensors'))\n\
                print(open(get('a/data', 'data/rows.csv', repo_type='dataset')).read(), end='')\n\
                info = scan_cache_dir()\n\
                assert not info.warnings, info.warnings\n\
                assert sorted(repo.repo_id for repo in info.repos) == ['a/data', 'a/model'], info.repos";
    let Some(text) = python(&home, true, code) else { return };
    let (path, rows) = text.split_once('\n').unwrap();
    assert_eq!((path, format!("{rows}\n").as_bytes()), (model.weights.to_str().unwrap(), ROWS));
    assert_eq!(server.seen(), []);
    // When not offline, it asks the server for the current commit and downloads nothing.
    let code = "from huggingface_hub import hf_hub_download as get\nget('a/model', 'model.safetensors')\nget('a/model', 'config.json')";
    python(&home.with_token(), false, code).unwrap();
    let seen = server.seen();
    assert!(
        !seen.is_empty() && seen.iter().all(|seen| seen.method == "HEAD" || seen.path.starts_with("/api/")),
        "{seen:?}"
    );
    assert!(seen.iter().any(|seen| seen.token), "{TOKEN} is sent by Python too");
}
