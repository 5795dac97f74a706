//! Pushes that succeed: what is in the repository afterwards, for taper and for Python's huggingface_hub.

use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Output},
};

use super::{
    repositories::{Content, Repo},
    server::{Server, Site, TOKEN},
};
use crate::{
    hub::server::sha256,
    predict::trained,
    support::{Sandbox, python_with, words},
};

/// `taper` with this hub, and a token.
pub fn command(sandbox: &Sandbox, server: &Server, arguments: &[&str]) -> Command {
    let mut command = sandbox.command(arguments);
    let home = sandbox.path("home").display().to_string();
    command.env("HF_HOME", home).env_remove("HF_TOKEN").env_remove("MODELSCOPE_API_TOKEN");
    match server.site() {
        Site::HuggingFace => command.env("HF_ENDPOINT", server.url()).env("HF_TOKEN", TOKEN),
        Site::ModelScope => command.env("MODELSCOPE_ENDPOINT", server.url()).env("MODELSCOPE_API_TOKEN", TOKEN),
    };
    command.env("TAPER_DOWNLOAD_WAIT_S", "0.01").env("TAPER_DOWNLOAD_ATTEMPTS", "3");
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "HF_HUB_OFFLINE"] {
        command.env_remove(name);
    }
    command
}

/// Its output, in which no token may be.
pub fn push(sandbox: &Sandbox, server: &Server, arguments: &[&str]) -> (i32, String) {
    said(&command(sandbox, server, &[&["push", "small"], arguments].concat()).output().expect("taper starts"))
}

pub fn said(output: &Output) -> (i32, String) {
    let said = words(output);
    assert!(!said.contains(TOKEN), "{said}");
    (output.status.code().expect("an exit code"), said)
}

#[track_caller]
pub fn pushed(sandbox: &Sandbox, server: &Server, arguments: &[&str]) -> String {
    let (code, said) = push(sandbox, server, arguments);
    assert_eq!(code, 0, "{said}");
    said
}

/// A repository as it is now.
pub fn repo(server: &Server, id: &str) -> Repo {
    server.repositories().repos[id].clone()
}

/// The bytes of the files of a branch, without those that the hub adds.
pub fn files(server: &Server, id: &str, branch: &str) -> BTreeMap<String, Vec<u8>> {
    let repositories = server.repositories();
    let bytes = |content: &Content| match content {
        Content::Regular(bytes) => bytes.clone(),
        Content::Large(oid) => repositories.objects[oid].clone(),
    };
    let of_branch = repositories.repos[id].files(branch).iter();
    let is_of_hub = |name: &str| name.starts_with('.') || name == "configuration.json";
    of_branch.filter(|(name, _)| !is_of_hub(name)).map(|(name, content)| (name.clone(), bytes(content))).collect()
}

/// The files of a folder of the sandbox.
pub fn exported(sandbox: &Sandbox, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(sandbox.path(folder)).expect("a folder").map(|entry| entry.expect("an entry"));
    entries.map(|e| (e.file_name().into_string().expect("a name"), fs::read(e.path()).expect("a file"))).collect()
}

#[test]
fn a_push_is_what_an_export_writes_and_the_next_one_has_nothing_to_do() {
    let (sandbox, server) = (trained(), Server::start());
    let said = pushed(&sandbox, &server, &["me/small", "--private"]);
    assert!(said.contains("pushed 7 files") || said.contains("files ("), "{said}");
    assert_eq!(files(&server, "me/small", "main"), exported(&sandbox, "model"));
    let first = repo(&server, "me/small");
    assert!(
        first.private && first.messages.len() == 2 && first.messages[1].starts_with("Run "),
        "{:?}",
        first.messages
    );
    assert!(matches!(first.files("main")["model.safetensors"], Content::Large(_)));
    assert!(matches!(first.files("main")["README.md"], Content::Regular(_)));
    server.seen();
    let said = pushed(&sandbox, &server, &["me/small", "--private"]);
    assert!(said.contains("nothing to do"), "{said}");
    assert!(server.seen().iter().all(|line| !line.contains("/commit/") && !line.starts_with("PUT")), "{said}");
    assert_eq!(repo(&server, "me/small").commits.len(), 2);
    // Another language changes the card alone.
    let said = pushed(&sandbox, &server, &["me/small", "--lang", "zh", "--message", "卡片"]);
    assert!(said.contains("pushed 1 file"), "{said}");
    assert_eq!(repo(&server, "me/small").messages.last().map(String::as_str), Some("卡片"));
    assert!(String::from_utf8_lossy(&files(&server, "me/small", "main")["README.md"]).contains("## 局限"));
}

#[test]
fn onnx_goes_to_a_branch_of_its_own_in_parts() {
    let (sandbox, server) = (trained(), Server::start());
    sandbox.ok(&["export", "small", "onnx", "--format", "onnx"]);
    let expected = exported(&sandbox, "onnx");
    server.repositories().part_size = expected["model.onnx"].len() as u64 / 3;
    pushed(&sandbox, &server, &["team/small", "--format", "onnx", "--revision", "v/onnx"]);
    assert_eq!(files(&server, "team/small", "v/onnx"), expected);
    let of_team = repo(&server, "team/small");
    assert!(!of_team.private && of_team.files("main").len() == 1, "{of_team:?}");
    let parts = server.seen().iter().filter(|line| line.contains("?part=")).count();
    assert!((3..=4).contains(&parts), "{parts}");
}

/// Content that the store has is not sent again, wherever it is from.
#[test]
fn what_the_store_has_is_not_sent() {
    let (sandbox, server) = (trained(), Server::start());
    let weights = exported(&sandbox, "model")["model.safetensors"].clone();
    server.repositories().objects.insert(sha256(&weights), weights);
    let said = pushed(&sandbox, &server, &["me/small"]);
    assert!(said.contains("already stored"), "{said}");
    assert_eq!(files(&server, "me/small", "main"), exported(&sandbox, "model"));
    assert!(server.seen().iter().all(|line| !line.starts_with("PUT")));
}

#[test]
fn a_dry_run_shows_everything_and_changes_nothing() {
    let (sandbox, server) = (trained(), Server::start());
    let said = pushed(&sandbox, &server, &["me/small", "--private", "--dry-run"]);
    assert!(said.contains("would create the private repository me/small and push"), "{said}");
    assert!(exported(&sandbox, "model").keys().all(|name| said.contains(name.as_str())), "{said}");
    let json = pushed(&sandbox, &server, &["me/small", "--dry-run", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["before"], &json["commit"]), (&"missing".into(), &serde_json::Value::Null));
    assert!(server.repositories().repos.is_empty());
    pushed(&sandbox, &server, &["me/small"]);
    server.seen();
    assert!(pushed(&sandbox, &server, &["me/small", "--dry-run"]).contains("nothing to do"));
    let said = pushed(&sandbox, &server, &["me/small", "--dry-run", "--revision", "next"]);
    assert!(said.contains("would create the branch next and push"), "{said}");
    assert!(server.seen().iter().all(|line| line.starts_with("GET ")));
    // Without a token it can be shown, too.
    let arguments = ["push", "small", "me/small", "--dry-run"];
    let (code, said) = said_without_token(&sandbox, &server, &arguments);
    assert!(code == 0 && said.contains("nothing to do"), "{said}");
}

fn said_without_token(sandbox: &Sandbox, server: &Server, arguments: &[&str]) -> (i32, String) {
    said(&command(sandbox, server, arguments).env_remove("HF_TOKEN").output().expect("taper starts"))
}

/// A card that somebody edited on the hub stays, until its replacement is asked for.
#[test]
fn a_card_that_was_edited_on_the_hub_stays() {
    let (sandbox, server) = (trained(), Server::start());
    pushed(&sandbox, &server, &["me/small"]);
    let edited = b"---\nlicense: mit\n---\n# mine\n".to_vec();
    {
        let mut repositories = server.repositories();
        let repo = repositories.repos.get_mut("me/small").expect("it");
        let mut files = repo.files("main").clone();
        files.insert("README.md".into(), Content::Regular(edited.clone()));
        repo.add("main", files, "edited");
    }
    for arguments in [&["me/small", "--dry-run"][..], &["me/small"]] {
        let said = pushed(&sandbox, &server, arguments);
        assert!(said.contains("nothing to do") && said.contains("--replace-card replaces it"), "{said}");
    }
    assert_eq!(files(&server, "me/small", "main")["README.md"], edited);
    pushed(&sandbox, &server, &["me/small", "--replace-card"]);
    assert_eq!(files(&server, "me/small", "main"), exported(&sandbox, "model"));
}

/// Python's own client reads the same bytes, and the card.
#[test]
fn huggingface_hub_reads_it_back() {
    let (sandbox, server) = (trained(), Server::start());
    let Some(program) = python_with("huggingface_hub") else { return };
    pushed(&sandbox, &server, &["me/small", "--private"]);
    let code = "import sys, huggingface_hub as h\n\
                info = h.model_info('me/small')\nassert info.private and info.sha\n\
                card = h.ModelCard.load('me/small')\nassert card.data.library_name == 'transformers', card.data\n\
                assert card.data.eval_results[0].metric_type == 'accuracy'\n\
                print(h.snapshot_download('me/small'))";
    let mut command = Command::new(program);
    command.args(["-c", code]).env("HF_ENDPOINT", server.url()).env("HF_TOKEN", TOKEN);
    command.env("HF_HOME", sandbox.path("python")).env("HF_HUB_DISABLE_XET", "1").env("HF_HUB_DISABLE_TELEMETRY", "1");
    command.env("HF_HUB_DISABLE_PROGRESS_BARS", "1").env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    let output = command.output().expect("Python");
    assert!(output.status.success(), "{}", words(&output));
    let folder = String::from_utf8(output.stdout).expect("a path");
    for (name, bytes) in exported(&sandbox, "model") {
        let read = fs::read(std::path::Path::new(folder.trim()).join(&name)).expect("a file");
        assert!(read == bytes, "{name}");
    }
}
