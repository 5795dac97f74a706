//! The pages in Chromium: `tests/page/serve.mjs` says what must hold. Skipped as the reports' test is (`report::browser`).

use std::{env, fs, path::Path, process::Command};

use super::server::Server;
use crate::{predict::trained, report::browser::found};

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn the_pages_of_the_server_hold_in_a_browser_what_they_promise() {
    let Some(node) = found(&["node", "nodejs"]) else { return eprintln!("skipped: there is no node") };
    let Some(chromium) = found(&["chromium", "chromium-browser", "google-chrome"]) else {
        return eprintln!("skipped: there is no Chromium");
    };
    // Without axe-core all else is checked.
    let axe = env::var_os("TAPER_TEST_AXE").filter(|axe| Path::new(axe).is_file());
    if axe.is_none() {
        eprintln!("skipped in part: TAPER_TEST_AXE does not name axe-core's file axe.min.js");
    }
    let sandbox = trained();
    sandbox.write("token", "0123456789abcdef");
    // Labels that would be markup.
    let config = sandbox.path("model/config.json");
    let text = fs::read_to_string(&config).expect("the config");
    let hostile = text.replace("\"1\": \"1\"", "\"1\": \"<img src=x onerror=window.hacked=1>\"");
    assert_ne!(hostile, text);
    fs::write(&config, hostile.replace("\"1\": 1", "\"<img src=x onerror=window.hacked=1>\": 1")).expect("the config");
    let server = Server::start(&sandbox, &["plain=small", "hostile=model", "--token-file", "token"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page/serve.mjs");
    let mut command = Command::new(node);
    command.arg(script).arg(chromium).arg(format!("http://{}", server.address)).arg("0123456789abcdef");
    command.arg(axe.unwrap_or_default());
    if let Some(pictures) = env::var_os("TAPER_PICTURES") {
        fs::create_dir_all(&pictures).expect("a folder");
        command.arg(pictures);
    }
    let output = command.output().expect("node starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim() == "2 pages", "{said}{}", String::from_utf8_lossy(&output.stderr));
}
