//! Pushes that fail, are cut or killed, and the next one.

use std::{
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use super::{
    pushes::{command, exported, files, push, pushed, repo, said},
    server::{Fault, Server, Site, TOKEN},
};
use crate::{hub::server::sha256, predict::trained};

/// Whichever request fails for good, nothing is committed; the next push completes it, and sends what was stored only once.
#[test]
fn a_push_that_failed_anywhere_is_completed_by_the_next_one() {
    let sandbox = trained();
    let expected = exported(&sandbox, "model");
    let weights = sha256(&expected["model.safetensors"]);
    let part_size = expected["model.safetensors"].len() as u64 / 2 + 1;
    let start = || {
        let server = Server::start();
        server.repositories().part_size = part_size;
        server
    };
    let whole = start();
    pushed(&sandbox, &whole, &["me/small"]);
    let requests = whole.seen();
    assert!((8..=12).contains(&requests.len()), "{requests:?}");
    for at in 0..requests.len() {
        let server = start();
        let line = &requests[at];
        // The state is asked for before and after the creation: the second time is another case of the same request.
        if requests[..at].contains(line) {
            continue;
        }
        server.fault(line, 9, Fault::Status(500, None));
        let (code, said) = push(&sandbox, &server, &["me/small"]);
        assert_eq!(code, 1, "{line}: {said}");
        assert!(said.contains("500") && said.contains("run the same command again"), "{line}: {said}");
        let is_committed =
            |server: &Server| server.repositories().repos.get("me/small").is_some_and(|r| r.commits.len() > 1);
        assert!(!is_committed(&server), "{line}");
        server.works_again();
        pushed(&sandbox, &server, &["me/small"]);
        assert_eq!(files(&server, "me/small", "main"), expected, "{line}");
        assert_eq!(repo(&server, "me/small").commits.len(), 2, "{line}");
        assert_eq!(server.repositories().sent[&weights], 1, "{line}");
    }
}

/// What passes is tried again, and seen by nobody; 429 is waited for.
#[test]
fn failures_that_pass_are_tried_again() {
    let sandbox = trained();
    let expected = exported(&sandbox, "model");
    for (part, fault) in [
        ("POST /api/repos/create", Fault::Status(503, None)),
        ("preupload", Fault::Status(429, Some(("retry-after", "0")))),
        ("objects/batch", Fault::Status(502, None)),
        ("PUT /store", Fault::Status(500, None)),
        ("PUT /store", Fault::CutAfter(1000)),
        ("PUT /store", Fault::LostAnswer),
        ("/verify", Fault::Status(504, None)),
        ("/commit/", Fault::Status(503, None)),
        ("/commit/", Fault::CutAfter(10)),
    ] {
        let server = Server::start();
        server.fault(part, 1, fault.clone());
        let said = pushed(&sandbox, &server, &["me/small"]);
        assert_eq!(files(&server, "me/small", "main"), expected, "{part} {fault:?}: {said}");
        assert_eq!(repo(&server, "me/small").commits.len(), 2, "{part} {fault:?}");
    }
}

/// A commit whose answer is lost has come through: it is found, not repeated, also where nothing is tried a second time.
#[test]
fn a_commit_is_never_made_twice() {
    let sandbox = trained();
    for (site, to) in [(Site::HuggingFace, "me/small"), (Site::ModelScope, "modelscope:me/small")] {
        for attempts in ["1", "3"] {
            let server = Server::of(site);
            server.fault("/commit/", 1, Fault::LostAnswer);
            let mut command = command(&sandbox, &server, &["push", "small", to]);
            let (code, said) = said(&command.env("TAPER_DOWNLOAD_ATTEMPTS", attempts).output().expect("taper starts"));
            let repo = repo(&server, "me/small");
            assert!(code == 0 && said.contains(&format!("commit {}", &repo.order[1][..8])), "{said}");
            // It says that it waits, and what it sent.
            assert!(said.contains("the commit: ") && !said.contains("pushed 0 files"), "{said}");
            let commits = server.seen().iter().filter(|line| line.contains("/commit/")).count();
            assert_eq!((repo.commits.len(), commits), (2, 1), "{attempts}");
        }
    }
}

/// A commit that did not come through is an error where nothing is tried again.
#[test]
fn a_commit_that_is_looked_for_in_vain_is_an_error() {
    let (sandbox, server) = (trained(), Server::start());
    server.fault("/commit/", 1, Fault::CutAfter(10));
    let mut command = command(&sandbox, &server, &["push", "small", "me/small"]);
    let (code, said) = said(&command.env("TAPER_DOWNLOAD_ATTEMPTS", "1").output().expect("taper starts"));
    assert!(code == 1 && said.contains("cannot be reached for the commit"), "{said}");
    assert_eq!(repo(&server, "me/small").commits.len(), 1);
}

/// Another program creates the repository right after this one has looked: then it is not known to be private. The hub always says whether it is,
/// so that one which does not is refused even if this push has created it.
#[test]
fn a_repository_of_another_program_does_not_count_as_private() {
    let sandbox = trained();
    for (site, to, part) in [
        (Site::HuggingFace, "me/small", "GET /api/models/me/small"),
        (Site::ModelScope, "modelscope:me/small", "GET /api/v1/models/me/small"),
    ] {
        let server = Server::of(site);
        pushed(&sandbox, &server, &[to]);
        assert!(!repo(&server, "me/small").private);
        server.repositories().hides_visibility = true;
        server.fault(part, 1, Fault::Body(404, "{}"));
        let (code, said) = push(&sandbox, &server, &[to, "--private"]);
        assert!(code == 2 && said.contains("or the hub does not say that it is private"), "{said}");
        assert_eq!(repo(&server, "me/small").commits.len(), 2);
    }
    let server = Server::start();
    server.repositories().hides_visibility = true;
    let (code, said) = push(&sandbox, &server, &["me/small", "--private"]);
    assert!(code == 2 && said.contains("or the hub does not say that it is private"), "{said}");
    assert_eq!(repo(&server, "me/small").commits.len(), 1);
}

#[test]
fn each_refusal_says_what_to_do() {
    let sandbox = trained();
    for (part, fault, code, wanted) in [
        ("revision", Fault::Status(401, None), 1, "create a token with write access to me/small"),
        ("create", Fault::Status(403, None), 1, "use a token with write access to it, check that me is your name"),
        ("preupload", Fault::Status(404, None), 1, "HF_ENDPOINT is a hub that takes uploads"),
        ("branch/", Fault::Status(409, None), 0, ""),
        ("preupload", Fault::Status(409, None), 1, "another program changes it; run the same command again"),
        ("/commit/", Fault::Status(412, None), 1, "somebody else has committed to me/small during this push"),
        ("/commit/", Fault::Status(400, None), 1, "did not accept the commit of me/small (400: as the test wants)"),
        ("batch", Fault::Status(429, Some(("retry-after", "3600"))), 1, "asks to wait 3600 seconds"),
        ("preupload", Fault::Status(500, None), 1, "run the same command again later"),
        ("preupload", Fault::Status(307, Some(("location", "/x"))), 1, "was probably renamed"),
        ("batch", Fault::CutAfter(1), 1, "cannot be reached for the large files"),
    ] {
        let server = Server::start();
        server.fault(part, 9, fault.clone());
        let (found, said) = push(&sandbox, &server, &["me/small"]);
        assert_eq!(found, code, "{part} {fault:?}: {said}");
        assert!(said.contains(wanted), "{part} {fault:?}: {said}");
        let is_committed = server.repositories().repos.get("me/small").is_some_and(|r| r.commits.len() > 1);
        assert_eq!(is_committed, code == 0, "{part} {fault:?}");
    }
    let server = Server::start();
    let (code, said) = push(&sandbox, &server, &["stranger/small"]);
    assert!(
        code == 1 && said.contains("check that stranger is your name") && said.contains("under stranger"),
        "{said}"
    );
}

/// Without a hub that answers, a dry run says so, and shows what a push could send.
#[test]
fn a_dry_run_without_a_network_says_that_the_repository_is_unknown() {
    let (sandbox, server) = (trained(), Server::start());
    let files = exported(&sandbox, "model");
    let dry = |arguments: &[&str], endpoint: Option<&str>| {
        let mut command =
            command(&sandbox, &server, &[&["push", "small", "me/small", "--dry-run"], arguments].concat());
        let (code, said) = said(&command.envs(endpoint.map(|at| ("HF_ENDPOINT", at))).output().expect("taper starts"));
        (code, said.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    for (arguments, endpoint, why) in [
        (&["--offline"][..], None, "the network is forbidden by --offline or HF_HUB_OFFLINE"),
        (&[], Some("http://127.0.0.1:9"), "http://127.0.0.1:9 cannot be reached ("),
    ] {
        let (code, said) = dry(arguments, endpoint);
        assert!(code == 0 && said.contains(&format!("what me/small contains is unknown: {why}")), "{said}");
        let all = format!("would push, of {} files (", files.len());
        assert!(
            said.contains(&all) && said.contains(" lacks, and create the repository or branch if it is missing"),
            "{said}"
        );
        assert!(said.contains("what it contains is unknown; nothing was changed"), "{said}");
        assert!(files.keys().all(|name| said.contains(name.as_str())), "{said}");
    }
    assert_eq!(server.seen(), [""; 0]);
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_sent() {
    let (sandbox, server) = (trained(), Server::start());
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = command(&sandbox, &server, &[&["push", "small"], arguments].concat());
        said(&command.envs(variables.iter().copied()).output().expect("taper starts"))
    };
    for (arguments, variables, wanted) in [
        (&["me/small"][..], &[("HF_TOKEN", "")][..], "needs a token with write access"),
        (&["me/small"], &[("HF_HUB_OFFLINE", "1")], "needs the network"),
        (&["me/small", "--offline"], &[], "needs the network"),
        (&["small"], &[], "OWNER/NAME"),
        (&["me/small@main"], &[], "--revision"),
        (&["me/small", "--format", "tflite"], &[], "tflite"),
    ] {
        let (code, said) = run(arguments, variables);
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains(wanted), "{arguments:?}: {said}");
    }
    assert_eq!(server.seen(), [""; 0]);
    pushed(&sandbox, &server, &["me/small"]);
    let (code, said) = run(&["me/small", "--private"], &[]);
    assert!(code == 2 && said.contains("me/small is public"), "{said}");
    let (code, said) = run(&["me/small"], &[("HF_TOKEN", "hf_other")]);
    assert!(code == 1 && said.contains("does not accept the token") && !said.contains("hf_other"), "{said}");
}

/// Killed while the store takes the weights: nothing is committed, and the next push completes it.
#[test]
fn a_killed_push_is_continued() {
    let (sandbox, server) = (trained(), Server::start());
    server.fault("PUT /store", 1, Fault::Silent(Duration::from_secs(60)));
    let mut command = command(&sandbox, &server, &["push", "small", "me/small"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("taper starts");
    let end = Instant::now() + Duration::from_secs(120);
    let mut seen = Vec::new();
    while !seen.iter().any(|line: &String| line.starts_with("PUT")) {
        assert!(Instant::now() < end && child.try_wait().expect("a state").is_none(), "{seen:?}");
        seen.extend(server.seen());
        thread::sleep(Duration::from_millis(20));
    }
    child.kill().expect("killed");
    child.wait().expect("its end");
    assert_eq!(repo(&server, "me/small").commits.len(), 1);
    let said = pushed(&sandbox, &server, &["me/small"]);
    assert_eq!(files(&server, "me/small", "main"), exported(&sandbox, "model"), "{said}");
    assert!(!said.contains(TOKEN));
}
