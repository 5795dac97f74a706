//! What commands print for people steers no terminal, whatever names, texts, labels, paths and arguments hold.

use super::*;

/// A title, a colour, a C1 control, a right-to-left override, a bell, and what begins a new line.
const HOSTILE: &str = "\x1b]0;PWNED\x07\x1b[31mred\u{9b}2J\u{202e}gnp\u{2066}\r\nrun completed";

/// All that a command printed; it must hold no control character but line breaks and tabs, and nothing that turns text round.
/// An error may say a path or an argument as it was given, with its line breaks; a table or a list may not.
fn printed(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let output = sandbox.taper(arguments);
    let said = String::from_utf8(output.stdout).expect("UTF-8") + &String::from_utf8(output.stderr).expect("UTF-8");
    let bad = |c: char| {
        (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!said.chars().any(bad), "taper {arguments:?}: {said:?}");
    // The config that `show` ends with is TOML, in which a text may have several lines.
    let listed = said.split("\nname = ").next().unwrap_or_default();
    let forged = listed.lines().any(|line| line.starts_with("run completed"));
    assert!(!forged || said.contains("error: "), "taper {arguments:?}: a line of its own: {said}");
    said
}

/// A spec whose every text is hostile.
fn hostile_names() -> Sandbox {
    let sandbox = sandbox("");
    let quoted = serde_json::to_string(HOSTILE).expect("a string").replace("\u{202e}", "\\u202e");
    let described = quoted.replace("\\r\\n", " ");
    let rows: String = (0..10).map(|i| format!("\"a{HOSTILE}\",好吃 {i} {i}\n\"b{HOSTILE}\",难吃 {i}{i}\n")).collect();
    fs::write(sandbox.path("rows.csv"), format!("label,review\n{rows}")).expect("rows");
    let spec = format!(
        "description = {described}\nname = \"small\"\n[model]\nsource = \"scratch:tiny\"\n[data]\nsource = \"path:rows.csv\"\n\
         text_column = \"review\"\ntest = 0.4\nmax_length = 16\n[[probes]]\ntext = {quoted}\n[train]\nmax_steps = 2\n\
         batch_size = 4\nlog_steps = 1\n[sweep.axes]\n\"train.seed\" = [1]\n\"data.text_column\" = [\"review\"]\n"
    );
    fs::write(sandbox.path("small.toml"), spec).expect("a spec");
    sandbox
}

#[test]
fn no_command_lets_names_texts_or_labels_steer_the_terminal() {
    let sandbox = hostile_names();
    assert!(printed(&sandbox, &["plan", "small.toml"]).contains("␛]0;PWNED␇"), "it is shown, not hidden");
    assert!(printed(&sandbox, &["run", "small.toml"]).contains("PWNED"));
    let key = sandbox.json(&["list"])[0]["key"].as_str().expect("a key").to_string();
    assert!(printed(&sandbox, &["show", &key]).contains("PWNED"));
    for arguments in [
        &["list"][..],
        &["list", "small", "--leaderboard"],
        &["predict", &key, HOSTILE, "好吃"],
        &["report", "small"],
        &["verify", &key],
        &["export", &key, "model\x1b[31m"],
        &["gc"],
        &["plan", "small.toml", "--explain", "description"],
    ] {
        printed(&sandbox, arguments);
    }
}

#[test]
fn no_error_does_either() {
    let sandbox = hostile_names();
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    fs::write(sandbox.path("wrong.toml"), "\"a\x7f\u{9b}\u{202e}b\" = 1\nname = \"x\u{9b}31m\"").expect("a spec");
    fs::write(sandbox.path("cut.toml"), "name = \"x\u{202e}\u{9b}31m").expect("a spec");
    for arguments in [
        &["plan", "wrong.toml"][..],
        &["plan", "cut.toml"],
        &["plan", HOSTILE],
        &["plan", "small.toml", "--set", HOSTILE],
        &["plan", "small.toml", "--set", &format!("train.lr={HOSTILE}")],
        &["plan", "small.toml", "--set", &format!("data.source=path:{HOSTILE}")],
        &["plan", "small.toml", "--profile", HOSTILE],
        &["plan", "small.toml", "--explain", HOSTILE],
        &["show", HOSTILE],
        &["report", HOSTILE],
        &["rm", HOSTILE],
        &["rm", "--experiment", HOSTILE],
        &["predict", HOSTILE, "x"],
        &[HOSTILE],
        &["run", "small.toml", HOSTILE],
        &["list", "--device", HOSTILE],
        &["list", "small", "--runs", HOSTILE],
    ] {
        let said = printed(&sandbox, arguments);
        assert!(
            ["PWNED", "␡", "31m", "red"].iter().any(|part| said.contains(part)),
            "{arguments:?} shows what is wrong: {said}"
        );
        assert_eq!(sandbox.taper(arguments).status.code(), Some(2), "{arguments:?}");
    }
    // Nothing to list is no error, and what is said of it is one line.
    assert!(printed(&sandbox, &["list", "--runs", HOSTILE]).contains("PWNED"));
}

#[test]
fn what_programs_read_is_left_as_it_is() {
    let sandbox = hostile_names();
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let key = sandbox.json(&["list"])[0]["key"].as_str().expect("a key").to_string();
    assert_eq!(sandbox.json(&["predict", &key, HOSTILE])[0]["text"], HOSTILE);
    let show = sandbox.json(&["show", &key]);
    assert_eq!(show["probes"][0]["text"], HOSTILE);
}

#[test]
fn an_error_quotes_no_more_of_a_long_line_than_can_be_read() {
    let sandbox = sandbox("");
    let long = "x".repeat(3_000_000);
    for (name, spec) in [
        ("value.toml", format!("[train]\nlr = \"{long}\"\n")),
        ("key.toml", format!("{long} = 1\n")),
        ("cut.toml", format!("name = \"{long}")),
    ] {
        fs::write(sandbox.path(name), spec).expect("a spec");
        let output = sandbox.taper(&["plan", name]);
        assert_eq!(output.status.code(), Some(2));
        let said = text(&output.stderr);
        assert!(said.len() < 20_000 && said.contains(name), "{} bytes: {}", said.len(), &said[..said.len().min(500)]);
    }
    let said = text(&sandbox.taper(&["show", &long[..100_000]]).stderr);
    assert!(said.len() < 10_000, "{} bytes", said.len());
}
