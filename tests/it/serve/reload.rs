//! New files of a model while it is asked.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use serde_json::json;

use super::server::Server;
use crate::{predict::trained, support::Sandbox};

/// Puts a file in the place of another, as a program does that does not want others to read half of it.
fn put(sandbox: &Sandbox, from: &str, to: &str) {
    let new = sandbox.path(&format!("{to}.new"));
    fs::copy(sandbox.path(from), &new).expect("a copy");
    fs::rename(new, sandbox.path(to)).expect("its place");
}

/// Each answer is that of the old or that of the new weights, and none is lost; files that cannot be used change nothing.
#[test]
fn new_weights_are_used_without_losing_a_request() {
    let sandbox = trained();
    sandbox.ok(&["run", "small.toml", "--quiet", "--set", "train.seed=2", "--set", "name=other"]);
    sandbox.ok(&["export", "other", "other"]);
    let server = Server::start(&sandbox, &["m=model"]);
    let client = server.client();
    let ask = || client.asked("/v1/classify", json!({ "input": "味道很好" }));
    let before = ask();
    let done = AtomicBool::new(false);
    let counts = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let (client, mut seen) = (server.client(), Vec::new());
                    while !done.load(Ordering::Relaxed) {
                        let answer = client.asked("/v1/classify", json!({ "input": "味道很好" }));
                        seen.push((answer["model_sha"].clone(), answer["data"][0]["probabilities"].clone()));
                    }
                    // One answer of each version, if the others are the same.
                    seen.dedup();
                    seen
                })
            })
            .collect();
        put(&sandbox, "other/model.safetensors", "model/model.safetensors");
        server.wait_until_said("m: new weights are in use");
        thread::sleep(std::time::Duration::from_millis(200));
        done.store(true, Ordering::Relaxed);
        threads.into_iter().map(|thread| thread.join().expect("every request is answered")).collect::<Vec<_>>()
    });
    let after = ask();
    assert_ne!(before["model_sha"], after["model_sha"]);
    assert_ne!(before["data"], after["data"]);
    let pair = |answer: &serde_json::Value| (answer["model_sha"].clone(), answer["data"][0]["probabilities"].clone());
    for seen in &counts {
        assert_eq!(*seen, [pair(&before), pair(&after)], "the old ones, then the new ones");
    }
    assert_ne!(pair(&before).1, pair(&after).1, "they can be told apart");

    // Cut short, and of another shape: the loaded model stays, and that is said once.
    let whole = fs::read(sandbox.path("model/model.safetensors")).expect("weights");
    sandbox.write("broken", &whole[..whole.len() / 2]);
    put(&sandbox, "broken", "model/model.safetensors");
    server.wait_until_said("m: its files changed and cannot be used, so the loaded model stays in use");
    assert_eq!(ask(), after);
    assert_eq!(client.get("/health").status, 200);
    let metrics = client.get("/metrics").body;
    assert!(metrics.contains("taper_reloads_total{model=\"m\",result=\"loaded\"} 1\n"), "{metrics}");
    assert!(metrics.contains("taper_reloads_total{model=\"m\",result=\"kept_out\"} 1\n"), "{metrics}");
    // Whole again, it is loaded.
    put(&sandbox, "other/model.safetensors", "model/model.safetensors");
    thread::sleep(std::time::Duration::from_secs(4));
    assert_eq!(ask(), after);
    assert_eq!(server.said().matches("cannot be used").count(), 1, "{}", server.said());
}

/// The weights of a run are those that its record says.
#[test]
fn weights_of_a_run_that_are_not_its_own_are_kept_out() {
    let sandbox = trained();
    sandbox.ok(&["run", "small.toml", "--quiet", "--set", "train.seed=2", "--set", "name=other"]);
    sandbox.ok(&["export", "other", "other"]);
    let server = Server::start(&sandbox, &["small"]);
    let before = server.client().classified("味道很好");
    let folder = sandbox.keys().into_iter().find(|key| {
        let own = fs::read(sandbox.folder(key).join("model/model.safetensors")).expect("weights");
        own == fs::read(sandbox.path("model/model.safetensors")).expect("weights")
    });
    let to = format!("runs/{}/model/model.safetensors", &folder.expect("the run")[..12]);
    put(&sandbox, "other/model.safetensors", &to);
    server.wait_until_said("so the loaded model stays in use");
    assert!(server.said().contains("SHA-256"), "{}", server.said());
    assert_eq!(server.client().classified("味道很好"), before);
}
