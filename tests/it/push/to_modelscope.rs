//! Pushes to ModelScope that succeed: what is in the repository afterwards, for taper and for Python's modelscope.

use std::{fs, path::Path, process::Command};

use super::{
    modelscope::TEMPLATE,
    pushes::{command, exported, files, pushed, repo, said},
    repositories::{Content, Repo},
    server::{Fault, Server, Site, TOKEN},
};
use crate::{
    hub::server::sha256,
    predict::{SPEC, trained},
    support::{Sandbox, python_with, words},
};

/// The repository in the tests.
pub const TO: &str = "modelscope:me/small";

pub fn start() -> Server {
    Server::of(Site::ModelScope)
}

/// Somebody changes a file of the default branch.
fn edit(server: &Server, name: &str, bytes: &[u8]) {
    let mut repositories = server.repositories();
    let repo = repositories.repos.get_mut("me/small").expect("it");
    let mut files = repo.files("master").clone();
    files.insert(name.into(), Content::Regular(bytes.to_vec()));
    repo.add("master", files, "edited");
}

#[test]
fn a_push_is_what_an_export_writes_and_the_next_one_sends_nothing() {
    let (sandbox, server) = (trained(), start());
    let said = pushed(&sandbox, &server, &[TO, "--private"]);
    let first = repo(&server, "me/small");
    let commit = first.order.last().expect("a commit");
    assert!(said.contains(&format!("/models/me/small: commit {}", &commit[..8])), "{said}");
    assert_eq!(files(&server, "me/small", "master"), exported(&sandbox, "model"));
    assert!(first.private && first.messages.len() == 2 && first.messages[1].starts_with("Run "), "{first:?}");
    assert!(matches!(first.files("master")["model.safetensors"], Content::Large(_)));
    assert!(matches!(first.files("master")["config.json"], Content::Regular(_)));
    server.seen();
    let said = pushed(&sandbox, &server, &[TO, "--private"]);
    assert!(said.contains("nothing to do"), "{said}");
    assert!(server.seen().iter().all(|line| line.starts_with("GET ")));
    // Another language changes the card alone, which taper wrote.
    let said = pushed(&sandbox, &server, &[TO, "--lang", "zh", "--message", "卡片"]);
    assert!(said.contains("pushed 1 file"), "{said}");
    assert_eq!(repo(&server, "me/small").messages.last().map(String::as_str), Some("卡片"));
    assert_eq!(server.repositories().sent.values().copied().collect::<Vec<_>>(), [1]);
}

/// A repository that was just created as a private one is; of another one it must be said.
#[test]
fn only_what_is_known_to_be_private_counts_as_private() {
    let (sandbox, server) = (trained(), start());
    server.repositories().hides_visibility = true;
    pushed(&sandbox, &server, &[TO, "--private"]);
    assert!(repo(&server, "me/small").private);
    let (code, said) = super::pushes::push(&sandbox, &server, &[TO, "--private"]);
    assert!(code == 2 && said.contains("me/small is public"), "{said}");
}

#[test]
fn a_dry_run_shows_everything_and_changes_nothing() {
    let (sandbox, server) = (trained(), start());
    let said = pushed(&sandbox, &server, &[TO, "--private", "--dry-run"]);
    assert!(said.contains("would create the private repository me/small and push"), "{said}");
    assert!(exported(&sandbox, "model").keys().all(|name| said.contains(name.as_str())), "{said}");
    assert!(server.repositories().repos.is_empty());
    pushed(&sandbox, &server, &[TO]);
    server.seen();
    assert!(pushed(&sandbox, &server, &[TO, "--dry-run"]).contains("nothing to do"));
    assert!(server.seen().iter().all(|line| line.starts_with("GET ")));
    // Without a token it can be shown, too.
    let mut command = command(&sandbox, &server, &["push", "small", TO, "--dry-run"]);
    let (code, said) = said_by(command.env_remove("MODELSCOPE_API_TOKEN"));
    assert!(code == 0 && said.contains("nothing to do"), "{said}");
}

fn said_by(command: &mut Command) -> (i32, String) {
    said(&command.output().expect("taper starts"))
}

/// Content that the store has is not sent again, and a store that is not ModelScope's own gets no token: it would refuse it.
#[test]
fn a_store_of_another_gets_no_token_and_only_what_it_lacks() {
    let (sandbox, server) = (trained(), start());
    server.repositories().has_foreign_store = true;
    pushed(&sandbox, &server, &[TO]);
    assert_eq!(files(&server, "me/small", "master"), exported(&sandbox, "model"));
    assert!(server.seen().iter().any(|line| line.starts_with("PUT /store/")));
    let said = pushed(&sandbox, &server, &["modelscope:team/other"]);
    assert!(said.contains("already stored"), "{said}");
    assert_eq!(files(&server, "team/other", "master"), exported(&sandbox, "model"));
    assert!(server.seen().iter().all(|line| !line.starts_with("PUT")));
}

/// ModelScope writes a card into each new repository, which is nobody's. One that somebody wrote stays.
#[test]
fn a_card_that_somebody_wrote_stays_and_the_one_of_a_new_repository_does_not() {
    let (sandbox, server) = (trained(), start());
    // The push that created the repository failed.
    server.fault("/commit/", 9, Fault::Status(500, None));
    let (code, _) = super::pushes::push(&sandbox, &server, &[TO]);
    assert_eq!(code, 1);
    server.works_again();
    assert_eq!(files(&server, "me/small", "master")["README.md"], TEMPLATE.as_bytes());
    pushed(&sandbox, &server, &[TO]);
    assert_eq!(files(&server, "me/small", "master"), exported(&sandbox, "model"));

    let edited = b"---\nlicense: mit\n---\n# mine\n";
    edit(&server, "README.md", edited);
    let said = pushed(&sandbox, &server, &[TO]);
    assert!(said.contains("nothing to do") && said.contains("--replace-card replaces it"), "{said}");
    assert_eq!(files(&server, "me/small", "master")["README.md"], edited);
    pushed(&sandbox, &server, &[TO, "--replace-card"]);
    assert_eq!(files(&server, "me/small", "master"), exported(&sandbox, "model"));

    // Somebody created the repository by hand, and wrote its card before the first push.
    server.repositories().repos.insert("me/small".into(), Repo::default());
    edit_new(&server);
    pushed(&sandbox, &server, &[TO]);
    let now = files(&server, "me/small", "master");
    assert_eq!(now["README.md"], edited);
    assert_eq!(now["model.safetensors"], exported(&sandbox, "model")["model.safetensors"]);

    fn edit_new(server: &Server) {
        let mut repositories = server.repositories();
        let repo = repositories.repos.get_mut("me/small").expect("it");
        let first = [(".gitattributes".to_owned(), Content::Regular(b"x".to_vec()))];
        repo.add("master", first.into(), "init");
        drop(repositories);
        edit(server, "README.md", b"---\nlicense: mit\n---\n# mine\n");
    }
}

/// A repository whose only commit is somebody's own looks like a new one, but for what its card says.
#[test]
fn a_card_that_is_the_only_commit_of_a_repository_stays() {
    let (sandbox, server) = (trained(), start());
    let own = b"---\nlicense: mit\n---\n# mine\n".to_vec();
    let appended = format!("{TEMPLATE}\n\nI have written this.\n").into_bytes();
    for card in [own, appended] {
        let mut first = Repo::default();
        let files_of = [("README.md".to_owned(), Content::Regular(card.clone()))];
        first.add("master", files_of.into(), "mine");
        server.repositories().repos.insert("me/small".into(), first);
        let dry = pushed(&sandbox, &server, &[TO, "--dry-run"]);
        assert!(dry.contains("kept: edited on the hub"), "{dry}");
        let said = pushed(&sandbox, &server, &[TO]);
        assert!(said.contains("--replace-card replaces it"), "{said}");
        assert_eq!(files(&server, "me/small", "master")["README.md"], card);
        pushed(&sandbox, &server, &[TO, "--replace-card"]);
        assert_eq!(files(&server, "me/small", "master"), exported(&sandbox, "model"));
    }
    // An empty one is nobody's.
    let mut first = Repo::default();
    first.add("master", [("README.md".to_owned(), Content::Regular(b"\n".to_vec()))].into(), "empty");
    server.repositories().repos.insert("me/small".into(), first);
    pushed(&sandbox, &server, &[TO]);
    assert_eq!(files(&server, "me/small", "master"), exported(&sandbox, "model"));
}

/// A new repository is told the licence that the card states, and none if it states none.
#[test]
fn a_licence_is_stated_only_where_the_card_has_one() {
    let (sandbox, server) = (trained(), start());
    pushed(&sandbox, &server, &[TO]);
    assert_eq!(repo(&server, "me/small").license, None);
    sandbox.write("model/README.md", "---\nlicense: mit\n---\n");
    sandbox.write("small.toml", SPEC.replace("scratch:tiny", "path:model").replace("\"small\"", "\"tuned\""));
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let push = ["push", "tuned", "modelscope:team/tuned"];
    let (code, said) = said_by(&mut command(&sandbox, &server, &push));
    assert_eq!(code, 0, "{said}");
    assert_eq!(repo(&server, "team/tuned").license.as_deref(), Some("mit"));
}

/// No endpoint is known that creates a branch: one that is missing is refused before anything is sent.
#[test]
fn a_branch_must_be_there() {
    let (sandbox, server) = (trained(), start());
    let push = |arguments: &[&str]| super::pushes::push(&sandbox, &server, arguments);
    for arguments in [&[TO, "--revision", "v/2"][..], &[TO, "--revision", "v/2", "--dry-run"]] {
        let (code, said) = push(arguments);
        assert!(code == 2 && said.contains("no branch v/2") && said.contains("leave out --revision"), "{said}");
    }
    assert!(server.repositories().repos.is_empty());
    pushed(&sandbox, &server, &[TO]);
    assert_eq!(push(&[TO, "--revision", "v/2"]).0, 2);
    {
        let mut repositories = server.repositories();
        let repo = repositories.repos.get_mut("me/small").expect("it");
        let first = repo.order[0].clone();
        repo.branches.insert("v/2".into(), first);
    }
    let said = pushed(&sandbox, &server, &[TO, "--revision", "v/2", "--format", "onnx"]);
    assert!(said.contains("branch v/2"), "{said}");
    sandbox.ok(&["export", "small", "onnx", "--format", "onnx"]);
    assert_eq!(files(&server, "me/small", "v/2"), exported(&sandbox, "onnx"));
}

/// Runs Python's modelscope with this server; none where it cannot be imported.
fn modelscope(sandbox: &Sandbox, server: &Server, code: &str) -> Option<String> {
    let program = python_with("modelscope_hub")?;
    let home = sandbox.path("python").display().to_string();
    let mut command = Command::new(program);
    command.args(["-c", code]).env("MODELSCOPE_ENDPOINT", server.url()).env("MODELSCOPE_API_TOKEN", TOKEN);
    command.env("MODELSCOPE_CACHE", &home).env("MODELSCOPE_HOME", &home).env("HOME", &home);
    command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1").current_dir(sandbox.path(""));
    let output = command.output().expect("Python");
    assert!(output.status.success(), "{}", words(&output));
    Some(String::from_utf8(output.stdout).expect("text"))
}

/// Python's own client reads the same bytes.
#[test]
fn modelscope_reads_it_back() {
    let (sandbox, server) = (trained(), start());
    pushed(&sandbox, &server, &[TO, "--private"]);
    let code = "from modelscope_hub import HubApi\n\
                api = HubApi()\n\
                info = api.get_repo('me/small', 'model')\nassert info.visibility == 1, info\n\
                files = {f.path: f.sha256 for f in api.list_repo_files('me/small', 'model')}\n\
                assert all(files.values()), files\n\
                print('FOLDER', api.download_repo('me/small', 'model'))";
    let Some(printed) = modelscope(&sandbox, &server, code) else { return };
    let folder = printed.lines().find_map(|line| line.strip_prefix("FOLDER ")).expect("a folder");
    for (name, bytes) in exported(&sandbox, "model") {
        let read = fs::read(Path::new(folder.trim()).join(&name)).expect("a file");
        assert!(read == bytes, "{name}");
    }
}

/// What Python's own client uploads is complete for taper: the server understands both, and both store the same.
#[test]
fn what_modelscope_uploads_is_not_sent_again() {
    let (sandbox, server) = (trained(), start());
    let folder = sandbox.path("model").display().to_string();
    let code = format!(
        "from modelscope_hub import HubApi\n\
         HubApi().upload_folder('me/small', 'model', {folder:?}, commit_message='by Python', use_cache=False, disable_tqdm=True)"
    );
    if modelscope(&sandbox, &server, &code).is_none() {
        return;
    }
    let by_python = repo(&server, "me/small");
    assert!(
        by_python.messages.len() == 2 && by_python.messages[1].starts_with("by Python"),
        "{:?}",
        by_python.messages
    );
    assert_eq!(files(&server, "me/small", "master"), exported(&sandbox, "model"));
    server.seen();
    assert!(pushed(&sandbox, &server, &[TO]).contains("nothing to do"));
    assert!(server.seen().iter().all(|line| line.starts_with("GET ")));
    // Both choose the same files as large ones.
    pushed(&sandbox, &server, &["modelscope:team/small"]);
    assert_eq!(repo(&server, "team/small").files("master"), by_python.files("master"));
    let weights = sha256(&exported(&sandbox, "model")["model.safetensors"]);
    assert_eq!(server.repositories().sent[&weights], 1);
}
