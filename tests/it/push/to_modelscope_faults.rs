//! Pushes to ModelScope that fail or are cut, and the next one.

use super::{
    modelscope::TEMPLATE,
    pushes::{command, exported, files, push, pushed, repo, said},
    server::{Fault, Server, TOKEN},
    to_modelscope::{TO, start},
};
use crate::{hub::server::sha256, predict::trained};

const LATE: &str = r#"{"Code":10030000001,"Message":"commit rejected by repository policy","Success":false}"#;

fn is_committed(server: &Server) -> bool {
    server.repositories().repos.get("me/small").is_some_and(|repo| repo.commits.len() > 1)
}

/// Whichever request fails for good, nothing is committed; the next push completes it, and sends what was stored only once.
#[test]
fn a_push_that_failed_anywhere_is_completed_by_the_next_one() {
    let sandbox = trained();
    let expected = exported(&sandbox, "model");
    let weights = sha256(&expected["model.safetensors"]);
    let whole = start();
    pushed(&sandbox, &whole, &[TO]);
    let requests = whole.seen();
    assert!((7..=10).contains(&requests.len()), "{requests:?}");
    for (at, line) in requests.iter().enumerate() {
        // A card that cannot be read is no failure: it stays.
        if requests[..at].contains(line) || line.contains("FilePath=README.md") {
            continue;
        }
        let broken = [Fault::Status(500, None), Fault::CutAfter(10)];
        for fault in broken.into_iter().take(if line.starts_with("GET") { 1 } else { 2 }) {
            let server = start();
            server.fault(line, 9, fault.clone());
            let (code, said) = push(&sandbox, &server, &[TO]);
            assert_eq!(code, 1, "{line} {fault:?}: {said}");
            assert!(said.contains("run the same command again"), "{line} {fault:?}: {said}");
            assert!(!is_committed(&server), "{line} {fault:?}");
            server.works_again();
            pushed(&sandbox, &server, &[TO]);
            assert_eq!(files(&server, "me/small", "master"), expected, "{line} {fault:?}");
            assert_eq!(repo(&server, "me/small").commits.len(), 2, "{line} {fault:?}");
            assert_eq!(server.repositories().sent[&weights], 1, "{line} {fault:?}");
        }
    }
}

#[test]
fn failures_that_pass_are_tried_again() {
    let sandbox = trained();
    let expected = exported(&sandbox, "model");
    for (part, fault) in [
        ("GET /api/v1/models/me/small", Fault::Status(502, None)),
        ("POST /api/v1/models", Fault::Status(503, None)),
        ("POST /api/v1/models", Fault::LostAnswer),
        ("repo/files", Fault::Status(429, Some(("retry-after", "0")))),
        ("objects/batch", Fault::Status(502, None)),
        ("PUT /api", Fault::Status(500, None)),
        ("PUT /api", Fault::CutAfter(1000)),
        ("PUT /api", Fault::LostAnswer),
        ("/commit/", Fault::Status(503, None)),
        ("/commit/", Fault::Status(429, Some(("retry-after", "0")))),
        ("/commit/", Fault::CutAfter(10)),
        // Too soon after another commit, as a bad request and as a success that says so.
        ("/commit/", Fault::Body(400, LATE)),
        ("/commit/", Fault::Body(200, LATE)),
    ] {
        let server = start();
        server.fault(part, 1, fault.clone());
        let said = pushed(&sandbox, &server, &[TO]);
        assert_eq!(files(&server, "me/small", "master"), expected, "{part} {fault:?}: {said}");
        assert_eq!(repo(&server, "me/small").commits.len(), 2, "{part} {fault:?}");
    }
}

/// A card that cannot be read may be somebody's: it stays until a push can read it.
#[test]
fn a_card_that_cannot_be_read_stays() {
    let (sandbox, server) = (trained(), start());
    server.fault("FilePath=README.md", 9, Fault::Status(500, None));
    let said = pushed(&sandbox, &server, &[TO]);
    assert!(said.contains("or cannot be read, and stays as it is"), "{said}");
    assert_eq!(files(&server, "me/small", "master")["README.md"], TEMPLATE.as_bytes());
    server.works_again();
    assert!(pushed(&sandbox, &server, &[TO]).contains("pushed 1 file"));
    assert_eq!(files(&server, "me/small", "master"), exported(&sandbox, "model"));
}

/// A commit has succeeded, whatever becomes of the request for its name: a list that is late is read again, and one that cannot be had is said.
#[test]
fn a_commit_that_cannot_be_named_has_succeeded_all_the_same() {
    let sandbox = trained();
    let late = start();
    late.repositories().lags = 2;
    let said = pushed(&sandbox, &late, &[TO]);
    let of_late = repo(&late, "me/small");
    assert!(of_late.commits.len() == 2 && said.contains(&format!("commit {}", &of_late.order[1][..8])), "{said}");

    let (never, broken) = (start(), start());
    never.repositories().lags = 99;
    broken.fault("/commit/", 1, Fault::Then("repo/files", 9, Box::new(Fault::Status(500, None))));
    for server in [never, broken] {
        let said = pushed(&sandbox, &server, &[TO]);
        assert!(said.contains("committed, but the hub does not name the commit yet"), "{said}");
        assert_eq!(repo(&server, "me/small").commits.len(), 2);
        assert_eq!(files(&server, "me/small", "master"), exported(&sandbox, "model"));
    }
}

/// Commits name no parent here, so the branch is looked at again right before.
#[test]
fn a_commit_of_somebody_else_meanwhile_ends_the_push() {
    let (sandbox, server) = (trained(), start());
    server.fault("objects/batch", 1, Fault::OtherCommit);
    let (code, said) = push(&sandbox, &server, &[TO]);
    assert!(code == 1 && said.contains("somebody else has committed to me/small"), "{said}");
    assert_eq!(repo(&server, "me/small").messages, ["init", "other"]);
    pushed(&sandbox, &server, &[TO]);
    assert!(files(&server, "me/small", "master").contains_key("other.txt"));
}

#[test]
fn each_refusal_says_what_to_do() {
    let sandbox = trained();
    for (part, fault, wanted) in [
        ("GET /api/v1/models/me/small", Fault::Status(401, None), "the token in MODELSCOPE_API_TOKEN"),
        ("GET", Fault::Body(400, r#"{"Code":10010103009,"Message":"expired"}"#), "401: expired): create a token"),
        ("POST /api/v1/models", Fault::Status(403, None), "check that me is your name"),
        ("PUT /api", Fault::Body(400, r#"{"Code":10030000001,"Message":"user not logged in"}"#), "user not logged in"),
        ("PUT /api", Fault::Body(200, r#"{"Code":403,"Message":"no write permission"}"#), "no write permission"),
        ("objects/batch", Fault::Status(404, None), "MODELSCOPE_ENDPOINT is a hub that takes uploads"),
        ("objects/batch", Fault::Body(200, r#"{"Code":200,"Data":{}}"#), "check MODELSCOPE_ENDPOINT"),
        ("objects/batch", Fault::Status(429, Some(("retry-after", "3600"))), "asks to wait 3600 seconds"),
        ("/commit/", Fault::Status(400, None), "did not accept the commit of me/small (400: as the test wants)"),
        ("/commit/", Fault::Body(400, LATE), "commit rejected by repository policy"),
        ("/commit/", Fault::Status(409, None), "another program changes it; run the same command again"),
    ] {
        let server = start();
        server.fault(part, 9, fault.clone());
        let (code, said) = push(&sandbox, &server, &[TO]);
        assert!(code == 1 && said.contains(wanted), "{part} {fault:?}: {said}");
        assert!(!is_committed(&server), "{part} {fault:?}");
    }
    let server = start();
    let (code, said) = push(&sandbox, &server, &["modelscope:stranger/small"]);
    assert!(code == 1 && said.contains("check that stranger is your name"), "{said}");
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_sent() {
    let (sandbox, server) = (trained(), start());
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = command(&sandbox, &server, &[&["push", "small"], arguments].concat());
        said(&command.envs(variables.iter().copied()).output().expect("taper starts"))
    };
    for (arguments, variables, wanted) in [
        // The token of the hub is none for ModelScope.
        (&[TO][..], &[("MODELSCOPE_API_TOKEN", ""), ("HF_TOKEN", TOKEN)][..], "put one in MODELSCOPE_API_TOKEN"),
        (&[TO, "--offline"], &[], "needs the network"),
        (&["modelscope:small"], &[], "OWNER/NAME"),
        (&["modelscope:me/small@master"], &[], "--revision"),
    ] {
        let (code, said) = run(arguments, variables);
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains(wanted), "{arguments:?}: {said}");
    }
    assert_eq!(server.seen(), [""; 0]);
    pushed(&sandbox, &server, &[TO]);
    let (code, said) = run(&[TO, "--private"], &[]);
    assert!(code == 2 && said.contains("me/small is public"), "{said}");
    let (code, said) = run(&[TO], &[("MODELSCOPE_API_TOKEN", "ms-other")]);
    assert!(code == 1 && said.contains("does not accept the token") && !said.contains("ms-other"), "{said}");
}
