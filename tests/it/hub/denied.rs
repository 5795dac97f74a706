//! Unknown names, refused access, and which servers receive the token.

use std::net::TcpListener;

use crate::hub::{
    home::{Home, server, source},
    server::{Fault, TOKEN},
};

#[test]
fn each_refusal_gives_advice_and_shows_no_token() {
    let server = server();
    let anonymous = Home::new(&server.url);
    let wrong = Home::new(&server.url).set("HF_TOKEN", "hf_wrong");
    for (home, text, words) in [
        (&anonymous, "hf:a/none", ["has no hf:a/none (404)", "check its name and revision"]),
        (&anonymous, "hf:a/model@v9", ["has no hf:a/model@v9 (404)", "check its name and revision"]),
        (
            &anonymous,
            "hf:a/private",
            ["refuses access to hf:a/private (401)", "put a token that gives access to it in HF_TOKEN"],
        ),
        (
            &wrong,
            "hf:a/private",
            ["refuses access to hf:a/private (401)", "is not valid or does not give access to it"],
        ),
        (
            &anonymous,
            "hf:a/gated",
            ["refuses access to hf:a/gated (401): it is gated", "create a token there and put it in HF_TOKEN"],
        ),
        (&wrong, "hf:a/gated", ["it is gated: accept its terms in a browser", "with the account that the token"]),
    ] {
        let error = home.library().model(&source(text)).unwrap_err().to_string();
        assert!(words.iter().all(|words| error.contains(words)) && !error.contains("hf_wrong"), "{error}");
    }
    server.fault("a/model", 1, Fault::Status(403, None));
    let error = wrong.library().model(&source("hf:a/model")).unwrap_err().to_string();
    assert!(error.contains("(403): the token in HF_TOKEN") && error.contains("accept its terms"), "{error}");
    let error = anonymous.library().model(&source("modelscope:a/none")).unwrap_err().to_string();
    assert!(error.contains("has no modelscope:a/none (404)"), "{error}");
    server.fault("api/v1/models/a/model", 1, Fault::Status(403, None));
    let error = anonymous.library().model(&source("modelscope:a/model")).unwrap_err().to_string();
    assert!(error.contains("MODELSCOPE_API_TOKEN"), "{error}");
    // The right one opens the door.
    Home::new(&server.url).with_token().library().model(&source("hf:a/gated")).unwrap();
}

#[test]
fn a_login_page_is_no_file() {
    for part in ["GET /api/models", "HEAD /a/model", "GET /store"] {
        let server = server();
        let home = Home::new(&server.url);
        server.fault(part, usize::MAX, Fault::Login);
        let error = home.library().model(&source("hf:a/model")).unwrap_err().to_string();
        assert!(
            error.contains("with a web page") && error.contains("requires a login") && error.contains("HF_ENDPOINT"),
            "{error}"
        );
        assert!(home.offline().model(&source("hf:a/model")).is_err());
    }
}

#[test]
fn the_token_goes_to_its_server_and_to_no_other() {
    let (server, other) = (server(), server());
    server.store_at(&other.url);
    let home = Home::new(&server.url).with_token();
    home.library().model(&source("hf:a/model")).unwrap();
    let (own, others) = (server.seen(), other.seen());
    assert!(own.len() > 4 && own.iter().all(|seen| seen.token), "{own:?}");
    assert!(!others.is_empty() && others.iter().all(|seen| !seen.token), "{others:?}");

    // Nor where the list itself, or what is said of a file, is sent elsewhere.
    server.fault("/api/datasets", 1, Fault::Redirect(other.url.clone()));
    server.fault("HEAD /datasets", 1, Fault::Redirect(other.url.clone()));
    home.library().data(&source("hf:a/data"), None).unwrap();
    let others = other.seen();
    assert!(others.len() >= 2 && others.iter().all(|seen| !seen.token), "{others:?}");
    // And the one for the hub is none for ModelScope.
    home.library().data(&source("modelscope:a/data"), None).unwrap();
    assert!(server.seen().iter().filter(|seen| seen.path.contains("/api/v1/")).all(|seen| !seen.token));
}

#[test]
fn without_a_network_the_ways_round_are_named() {
    let server = server();
    let home = Home::new(&server.url);
    home.library().model(&source("hf:a/model")).unwrap();
    // A port that was free a moment ago.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = home.set("HF_ENDPOINT", &format!("http://user:{TOKEN}@{closed}")).with_token();
    let error = home.library().model(&source("hf:a/other")).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("hf:a/other is not available, because http://{closed} cannot be reached (")),
        "{error}"
    );
    for words in ["mirror in HF_ENDPOINT", "https://hf-mirror.com", "path:", "HTTPS_PROXY"] {
        assert!(error.contains(words), "{error}");
    }
    assert!(!error.contains("--offline") && !error.contains(TOKEN), "{error}");
    let error = home.library().model(&source("hf:a/model")).unwrap_err().to_string();
    assert!(error.contains("use --offline to use the cached copy") && !error.contains(TOKEN), "{error}");
    home.offline().model(&source("hf:a/model")).unwrap();
    // A name that cannot be resolved.
    let home = home.set("HF_ENDPOINT", "http://nowhere.invalid");
    let error = home.library().model(&source("hf:a/other")).unwrap_err().to_string();
    assert!(error.contains("cannot be reached"), "{error}");
}
