//! Plain files on the web.

use std::fs;

use taper::assets::AssetError;

use crate::hub::{
    home::{Home, ROWS, holds, server, source},
    server::{Fault, sha256},
};

#[test]
fn a_file_is_what_its_digest_says() {
    let server = server();
    let home = Home::new(&server.url);
    let url = format!("{}/web/rows.csv", server.url);
    let right = source(&format!("{url}#sha256={}", sha256(ROWS)));
    let data = home.library().data(&right, None).unwrap();
    assert_eq!(fs::read(&data.path).unwrap(), ROWS);
    assert!(data.path.ends_with("rows.csv") && data.path.starts_with(home.path("taper/files")));
    server.seen();
    assert_eq!(home.library().data(&right, None).unwrap(), data);
    assert_eq!(home.offline().data(&right, None).unwrap(), data);
    assert_eq!(server.seen(), [], "what is here and right is not asked for");

    let other = Home::new(&server.url);
    let wrong = source(&format!("{url}#sha256={}", "0".repeat(64)));
    let error = other.library().data(&wrong, None).unwrap_err();
    assert!(matches!(&error, AssetError::Mismatch { .. }), "{error}");
    assert!(!holds(&other.path("taper"), "rows.csv"));
    let error = other.offline().data(&right, None).unwrap_err().to_string();
    assert!(error.contains("is missing from the cache"), "{error}");
    // The token of the hub is not sent, even to the same server.
    let home = Home::new(&server.url).with_token();
    home.library().data(&right, None).unwrap();
    assert!(server.seen().iter().all(|seen| !seen.token));
}

#[test]
fn a_pinned_older_version_stays() {
    let server = server();
    let home = Home::new(&server.url);
    let version = |rows: &[u8]| source(&format!("{}/web/rows.csv#sha256={}", server.url, sha256(rows)));
    let old = home.library().data(&version(ROWS), None).unwrap();
    server.put("web/rows.csv", b"label,review\n1,new\n");
    let new = home.library().data(&version(b"label,review\n1,new\n"), None).unwrap();
    assert_ne!(old.path, new.path);
    assert_eq!(fs::read(&new.path).unwrap(), b"label,review\n1,new\n");
    let again = home.offline().data(&version(ROWS), None).unwrap();
    assert_eq!((fs::read(&again.path).unwrap().as_slice(), &again), (ROWS, &old));
    // A damaged file is detected, and downloaded again if possible.
    server.put("web/rows.csv", ROWS);
    fs::remove_file(&old.path).unwrap();
    fs::write(&old.path, "label,review\n1,spoilt\n").unwrap();
    home.offline().data(&version(ROWS), None).unwrap_err();
    let healed = home.library().data(&version(ROWS), None).unwrap();
    assert_eq!((fs::read(&healed.path).unwrap().as_slice(), &healed), (ROWS, &old));
}

#[test]
fn pages_and_refusals_are_no_data() {
    let server = server();
    let home = Home::new(&server.url);
    let file = |name: &str| source(&format!("{}/web/{name}#sha256={}", server.url, sha256(ROWS)));
    let error = home.library().data(&file("none.csv"), None).unwrap_err().to_string();
    assert!(error.contains("has no ") && error.contains("(404)"), "{error}");
    server.fault("/web/", 1, Fault::Login);
    let error = home.library().data(&file("rows.csv"), None).unwrap_err().to_string();
    assert!(error.contains("with a web page") && error.contains("a page about the file"), "{error}");
    server.fault("/web/", 1, Fault::Status(401, None));
    let error = home.library().data(&file("rows.csv"), None).unwrap_err().to_string();
    assert!(error.contains("download the file and use path:"), "{error}");
    let error = home.library().model(&file("rows.csv")).unwrap_err().to_string();
    assert!(error.contains("is a single file, but a model consists of several"), "{error}");
}
