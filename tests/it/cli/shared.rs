//! A run that several experiments have: each view shows it as its experiment has it.

use super::*;

/// `small` with one probe, and two specs that extend it with others. All three have the same run.
fn three() -> Sandbox {
    let sandbox = sandbox("");
    let spec = |name: &str, probes: &str| format!("extends = [\"small.toml\"]\nname = \"{name}\"\n{probes}");
    sandbox.write("one.toml", spec("one", "[[probes]]\ntext = \"好\"\n"));
    let two = "[[probes]]\ntext = \"差\"\nexpect = \"negative\"\n[[probes]]\ntext = \"送得快，好吃\"\n";
    sandbox.write("two.toml", spec("two", two));
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    sandbox
}

/// When, text and expected label of the probes that `taper show` has of a run.
fn shown(sandbox: &Sandbox, run: &str) -> Vec<(String, String, Option<String>)> {
    let show = sandbox.json(&["show", run]);
    let text = |value: &Value| value.as_str().map(String::from);
    let probe = |p: &Value| (text(&p["when"]).expect("when"), text(&p["text"]).expect("a text"), text(&p["expect"]));
    show["probes"].as_array().expect("probes").iter().map(probe).collect()
}

/// What is shown of these probes when they are scored before and after training.
fn scored(probes: &[(&str, Option<&str>)]) -> Vec<(String, String, Option<String>)> {
    let at = |when: &'static str| {
        probes.iter().map(move |(text, expect)| (when.into(), text.to_string(), expect.map(String::from)))
    };
    at("before").chain(at("after")).collect()
}

const SMALL: [(&str, Option<&str>); 1] = [("送得快，好吃", Some("positive"))];
const ONE: [(&str, Option<&str>); 1] = [("好", None)];
const TWO: [(&str, Option<&str>); 2] = [("差", Some("negative")), ("送得快，好吃", None)];

#[test]
fn every_view_shows_the_probes_of_its_experiment() {
    let sandbox = three();
    let report = |experiment: &str| {
        sandbox.ok(&["report", experiment]);
        let file = |name: &str| sandbox.path(&format!("runs/reports/{experiment}/{name}"));
        [fs::read(file("probes.csv")).expect("its probes"), fs::read(file("report.md")).expect("the page")]
    };
    let before = report("small");
    for spec in ["one.toml", "two.toml"] {
        assert!(sandbox.ok(&["run", spec]).contains("new probes scored"), "{spec}");
    }
    sandbox.ok(&["run", "small.toml", "--set", "name=none", "--set", "probes=[]"]);
    assert_eq!(sandbox.keys().len(), 1, "one run");
    assert_eq!([shown(&sandbox, "small"), shown(&sandbox, "one")], [scored(&SMALL), scored(&ONE)]);
    assert_eq!([shown(&sandbox, "two"), shown(&sandbox, "none")], [scored(&TWO), scored(&[])]);
    assert_eq!(report("small"), before, "the same records give the same bytes");
    // The page also quotes the spec and the files that it extends.
    let [probes, _] = report("one").map(|bytes| String::from_utf8(bytes).expect("UTF-8"));
    assert!(probes.contains("好") && !probes.contains("差") && !probes.contains("送得快"), "{probes}");
    // By its key it is shown as the last command had it.
    assert_eq!(shown(&sandbox, &sandbox.keys()[0]), []);
    // Nothing is left to do for any of them.
    for spec in ["small.toml", "one.toml", "two.toml"] {
        assert!(!sandbox.ok(&["run", spec]).contains("new probes"), "{spec}");
    }
    assert_eq!(shown(&sandbox, &sandbox.keys()[0]), scored(&TWO));
}

#[test]
fn two_commands_that_add_probes_at_once_lose_none() {
    let sandbox = three();
    let start = |spec: &str| sandbox.command(&["run", spec, "--quiet"]).stdout(Stdio::null()).spawn().expect("taper");
    let commands = ["one.toml", "two.toml"].map(start);
    commands.into_iter().for_each(|mut command| assert!(command.wait().expect("its end").success()));
    assert_eq!([shown(&sandbox, "one"), shown(&sandbox, "two")], [scored(&ONE), scored(&TWO)]);
    assert_eq!(shown(&sandbox, "small"), scored(&SMALL));
}
