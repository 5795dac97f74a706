//! Specs of any size and shape: checked or refused, with a few problems of a few lines, in the time of a small one.
//!
//! Nothing here looks at the clock. Where the work grew with the square of a size, these tests took minutes.

use std::{fmt::Write, path::Path};

use proptest::prelude::*;
use taper::{
    plan::{self, PlanError},
    spec::{LoadOptions, LoadedSpec, SpecErrors},
};

use super::{Files, minimal, one, options};

const MANY: usize = 100_000;
const MOST: usize = 10_000;

/// What is wrong with a file, which is little to read however much it is.
fn refused(text: &str) -> String {
    let files = Files::new(&[("a.toml", text)]);
    let errors = files.load("a.toml").expect_err("the spec was taken");
    assert!(errors.problems.len() <= SpecErrors::SHOWN);
    let text = errors.to_string();
    assert!(text.len() < 100_000, "{} bytes of errors", text.len());
    text
}

fn lines(n: usize, line: impl Fn(usize) -> String) -> String {
    (0..n).map(|i| line(i) + "\n").collect()
}

fn list(n: usize, value: impl Fn(usize) -> String) -> String {
    format!("[{}]", (0..n).map(value).collect::<Vec<_>>().join(", "))
}

#[test]
fn specs_above_a_limit_are_refused_with_the_limit() {
    let lr = |i: usize| format!("{:e}", 1e-6 + i as f64 * 1e-9);
    for (what, rest) in [
        ("keys outside of tables", lines(MANY, |i| format!("k{i} = 1"))),
        ("`train` has 100,000 entries", format!("[train]\n{}", lines(MANY, |i| format!("k{i} = 1")))),
        ("`sweep.axes.\"train.lr\"` has 100,000 entries", format!("sweep.axes.\"train.lr\" = {}\n", list(MANY, lr))),
        ("`sweep.zip` has 100,000 entries", lines(MANY, |i| format!("[[sweep.zip]]\n\"train.lr\" = [{}]", lr(i)))),
        ("`sweep.exclude` has 100,000 entries", lines(MANY, |_| "[[sweep.exclude]]\ntrain.lr = 1".into())),
        ("`sweep.seeds` has 100,000 entries", format!("sweep.seeds = {}\n", list(MANY, |i| i.to_string()))),
        ("`probes` has 100,000 entries", lines(MANY, |i| format!("[[probes]]\ntext = \"{i}\""))),
        ("`data.labels` has 100,000 entries", format!("[data.labels]\n{}", lines(MANY, |i| format!("{i} = \"n{i}\"")))),
        ("`train.freeze` has 100,000 entries", format!("train.freeze = {}\n", list(MANY, |i| format!("\"{i}\"")))),
        ("`profile` has 100,000 entries", lines(MANY, |i| format!("[profile.p{i}]"))),
        ("it is larger than 4.0 MiB", "# comment\n".repeat(500_000)),
        ("at most 200,000 are allowed", lines(30, |i| format!("x{i} = {}", list(MOST, |n| n.to_string())))),
    ] {
        let text = refused(&minimal(&rest));
        assert!(text.contains(what), "{what}: {text}");
        assert!(
            !text.contains(" problems") && ["most", "limit"].iter().any(|word| text.contains(word)),
            "{what}: {text}"
        );
    }
}

/// The most that may be written, and all of it wrong.
#[test]
fn as_many_mistakes_as_a_spec_can_hold_are_counted_and_few_are_shown() {
    let all = |rest: &str, expected: &[&str]| {
        let text = refused(&minimal(rest));
        for expected in expected {
            assert!(text.contains(expected), "{expected}: {}", &text[text.len() - 2000.min(text.len())..]);
        }
    };
    let more = "the first 100 are shown, and there are 9,900 more";
    let keys = lines(MOST, |i| format!("k{i} = 1"));
    all(&format!("[train]\n{keys}"), &["unknown key `train.k0`", more]);
    all(&format!("[train]\n{}", lines(MOST, |i| format!("epoch{i} = 1"))), &["did you mean", more]);
    all(&format!("[sweep.axes]\n{}", lines(MOST, |i| format!("k{i} = [1]"))), &["unknown key `k0`", more]);
    let zips = lines(MOST, |_| "[[sweep.zip]]\n\"train.lr\" = [0.1]".into());
    all(&zips, &["`train.lr` is swept twice", "there are 9,899 more"]);
    all(&format!("sweep.seeds = {}", list(MOST, |_| "1".into())), &["`sweep.seeds` lists 1 twice", "9,899 more"]);
    let labels =
        format!("data.labels = {{ {} }}", (0..MOST).map(|i| format!("l{i} = \"x\"")).collect::<Vec<_>>().join(", "));
    all(&labels, &["have the same name `x`", "9,899 more"]);
    let probes = lines(MOST, |i| format!("[[probes]]\ntext = \"{i}\"\nexpect = \"name {i}x\""));
    let labels = format!("[data.labels]\n{}", lines(MOST, |i| format!("{i} = \"name {i}\"")));
    all(&format!("{probes}{labels}"), &["the probe expects `name 0x`", more]);
    all(&"= =\n".repeat(MOST), &["invalid TOML", "the first 100 are shown"]);
    let rows = list(MOST, |i| format!("{{ \"train.lr\" = {} }}", if i == 0 { "[0.5]" } else { "[]" }));
    all(&format!("sweep.zip = {rows}"), &["the axis `train.lr` has no values", "the first 100 are shown"]);
    let zip = |values: String| format!("[[sweep.zip]]\n\"train.lr\" = {values}\n");
    all(&zip(list(MOST, |_| "0.5".into())), &["row 2 of the zip is the same as row 1", "there are 9,899 more"]);
}

#[test]
fn the_most_points_that_a_sweep_can_have_are_expanded_and_more_are_refused() {
    let expand = |loaded: &LoadedSpec| {
        let at = |point: &[(String, serde_json::Value)]| {
            loaded.at(point).map_err(|e| PlanError::NothingLeft { points: e.problems.len() as u64 })
        };
        plan::expand(loaded.spec(), at, plan::SearchHistory::default())
    };
    let lr = |n: usize| list(n, |i| format!("{:e}", 1e-6 + i as f64 * 1e-9));
    // Points, and tables that exclude as many others.
    let excluded = lines(2000, |i| format!("[[sweep.exclude]]\ntrain.lr = {:e}", 1e-6 + i as f64 * 1e-9));
    let text = format!("[sweep.axes]\ntrain.lr = {}\n{excluded}", lr(4000));
    assert_eq!(expand(&one(&text).load("a.toml").unwrap()).unwrap().runs.len(), 2000);
    let text = format!("[sweep]\nseeds = [1, 2]\n[sweep.axes]\ntrain.lr = {}\n", lr(5001));
    let errors = expand(&one(&text).load("a.toml").unwrap()).unwrap_err();
    assert!(errors[0].to_string().contains("10,002 points are more than the 10,000 allowed"), "{}", errors[0]);
    // Each point is wrong: after some, no more are resolved.
    let text =
        format!("data.dev = 0.9\n[sweep.axes]\ntrain.lr = {}\n[[sweep.zip]]\ndata.test = [0.01, 0.2]\n", lr(5000));
    let errors = expand(&one(&text).load("a.toml").unwrap()).unwrap_err();
    assert_eq!(errors.len(), 100);
}

#[test]
fn deep_nesting_is_refused_and_overflows_no_stack() {
    for text in [
        format!("x = {}1{}\n", "[".repeat(MANY), "]".repeat(MANY)),
        format!("x = {}1{}\n", "{a=".repeat(MANY), "}".repeat(MANY)),
        format!("{} = 1\n", vec!["a"; MANY].join(".")),
        format!("[{}]\nb = 1\n", vec!["a"; MANY].join(".")),
        format!("[[{}]]\nb = 1\n", vec!["a"; MANY].join(".")),
        "[".repeat(MANY),
        format!("x = {}", "[{a=".repeat(MANY)),
    ] {
        assert!(refused(&minimal(&text)).contains("invalid TOML"));
    }
    // What the parser takes the checks take too.
    for depth in [10, 40, 79] {
        let text =
            refused(&minimal(&format!("[sweep.axes]\ntrain.lr = {}1{}\n", "[".repeat(depth), "]".repeat(depth))));
        assert!(text.contains("`train.lr` is a list") || text.contains("recursion"), "{text}");
    }
    let sets = ["train.lr=".to_string() + &"[".repeat(MANY), format!("{}=1", vec!["a"; MANY].join("."))];
    for set in &sets {
        let text = one("").problems("a.toml", &options(None, &[set], &[]));
        assert!(text.starts_with("--set: ") && text.len() < 10_000, "{} bytes", text.len());
    }
}

#[test]
fn long_lines_keys_and_values_are_quoted_in_part() {
    let (long, half) = ("x".repeat(3_000_000), "x".repeat(1_500_000));
    for (rest, expected) in [
        (format!("{long} = 1\n"), "unknown key `xxx"),
        (format!("name = \"{long}\"\n"), "expected a name of at most 200 bytes"),
        (format!("train.scheduler = \"{long}\"\n"), "(3,000,000 characters); expected `constant`"),
        (format!("train.lr = \"{long}\"\n"), "expected a number above 0"),
        (format!("train.lr = [\"{long}\"\n"), "invalid TOML"),
        (format!("sweep.axes = {{ {long} = [1], \"train.lr\" = [2] }}\n"), "unknown key `xxx"),
        (format!("data.labels = {{ a = \"{half}\", b = \"{half}\" }}\n"), "have the same name `xxx"),
        (format!("train.lr = {}\n", "9".repeat(3_000_000)), "beyond 128 bits"),
        (format!("# {half}\ntrain.lr = 0 # {half}\n"), "`train.lr` is 0"),
    ] {
        let text = refused(&minimal(&rest));
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(
            text.len() < 20_000 && text.lines().all(|line| line.chars().count() < 1500),
            "{expected}: {} bytes",
            text.len()
        );
    }
}

/// Names of folders have 255 bytes at most, and a character may have three.
#[test]
fn the_longest_name_has_200_bytes() {
    for (name, is_taken) in
        [("x".repeat(200), true), ("x".repeat(201), false), ("好".repeat(66), true), ("好".repeat(67), false)]
    {
        let spec = minimal(&format!("name = \"{name}\"\n"));
        assert_eq!(Files::new(&[("a.toml", &spec)]).load("a.toml").is_ok(), is_taken, "{}", name.len());
    }
}

#[test]
fn files_extend_a_hundred_others_at_most() {
    let names = list(MOST, |i| format!("\"missing{i}.toml\""));
    let text = refused(&format!("extends = {names}\n"));
    assert!(text.contains("no such file") && text.contains("there are 9,900 more"), "{}", &text[text.len() - 200..]);
    // A chain: each file is read within the one before.
    let files: Vec<_> =
        (0..300).map(|i| (format!("f{i}.toml"), format!("extends = [\"f{}.toml\"]\n", i + 1))).collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let text = Files::new(&files).problems("f0.toml", &LoadOptions::default());
    assert!(text.contains("a spec consists of at most 100 files"), "{text}");
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let files = Files::new(&[("a.toml", "extends = [\"pipe\"]\n"), ("b.toml", "extends = [\".\"]\n")]);
    assert!(std::process::Command::new("mkfifo").arg(files.path("pipe")).status().unwrap().success());
    let problems = |name: &str| files.problems(name, &LoadOptions::default());
    assert!(problems("pipe").contains("`pipe`: it is a pipe; expected a regular file"), "{}", problems("pipe"));
    assert!(problems("a.toml").starts_with("a.toml:1:12: cannot read `pipe`: it is a pipe"), "{}", problems("a.toml"));
    assert!(problems("b.toml").starts_with("b.toml:1:12: cannot read"), "{}", problems("b.toml"));
    assert!(problems("b.toml").contains("it is a folder; expected a file"));
    let load = |path: &Path| LoadedSpec::load(path, &LoadOptions::default()).unwrap_err().to_string();
    assert!(load(Path::new("/dev/zero")).contains("it is a device; expected a regular file"));
    let odd = files.path("x").with_file_name(OsStr::from_bytes(b"\xff.toml"));
    std::fs::write(&odd, minimal("")).unwrap();
    assert!(load(&odd).contains("is not valid UTF-8"), "{}", load(&odd));
}

/// Valid specs, which are mutated into invalid ones.
const SEEDS: [&str; 3] = [
    include_str!("../../../experiments/quickstart.toml"),
    include_str!("../../../experiments/quickstart-search.toml"),
    r#"extends = []
name = "x"
[model]
source = "scratch:tiny"
[data]
source = "path:x.csv"
labels = { 0 = "a", 1 = "b" }
dev = 0.1
[train]
betas = [0.9, 0.999]
freeze = ["embeddings"]
class_weights = [1, 2.5]
[[probes]]
text = "好"
expect = "a"
[sweep]
search = "tpe"
trials = 9
prune = "asha"
[sweep.axes]
train.lr = { log = [1e-6, 1e-3] }
train.warmup_ratio = { values = [0.1, 0.2], when = { train.scheduler = "linear" } }
train.scheduler = ["linear", "constant"]
[[sweep.zip]]
train.batch_size = [8, 16]
train.gradient_accumulation_steps = [2, 1]
[[sweep.exclude]]
train.batch_size = 8
[profile.smoke]
train.max_steps = 5
"#,
];

/// Pieces that mean something in a spec.
const PIECES: [&str; 30] = [
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\"",
    "'",
    "\n",
    "#",
    "\\",
    "-",
    "1e999",
    "0x7f",
    "9999999999999999999999",
    "nan",
    "true",
    "2020-01-01",
    "train",
    "sweep.axes",
    "lr",
    "when",
    "log",
    "profile",
    "extends",
    "\u{202e}",
    "\0",
];

#[derive(Debug, Clone)]
enum Change {
    Insert(usize, &'static str),
    Remove(usize, usize),
    Replace(usize, char),
    Repeat(usize, usize, usize),
    Swap(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let at = 0..2000usize;
    prop_oneof![
        (at.clone(), proptest::sample::select(&PIECES[..])).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (at.clone(), 1..40usize).prop_map(|(at, n)| Change::Remove(at, n)),
        (at.clone(), any::<char>()).prop_map(|(at, c)| Change::Replace(at, c)),
        (at.clone(), 1..40usize, 1..20usize).prop_map(|(at, n, times)| Change::Repeat(at, n, times)),
        (at.clone(), at).prop_map(|(a, b)| Change::Swap(a, b)),
    ]
}

fn changed(text: &str, changes: &[Change]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for change in changes {
        let index = |at: usize, text: &[char]| at % text.len().max(1);
        match change {
            Change::Insert(at, piece) => {
                let at = index(*at, &text);
                text.splice(at..at, piece.chars());
            }
            Change::Remove(at, n) => {
                let at = index(*at, &text);
                text.drain(at..(at + n).min(text.len()));
            }
            Change::Replace(at, c) => {
                let at = index(*at, &text);
                text.splice(at..(at + 1).min(text.len()), [*c]);
            }
            Change::Repeat(at, n, times) => {
                let at = index(*at, &text);
                let part = text[at..(at + n).min(text.len())].repeat(*times);
                text.splice(at..at, part);
            }
            // Two lines are swapped.
            Change::Swap(a, b) => {
                let all: String = text.iter().collect();
                let mut lines: Vec<&str> = all.lines().collect();
                let n = lines.len().max(1);
                if !lines.is_empty() {
                    lines.swap(a % n, b % n);
                }
                text = lines.join("\n").chars().collect();
            }
        }
    }
    text.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a spec becomes by accident, it is taken or every problem says where it is or which key it is about.
    #[test]
    fn a_damaged_spec_is_taken_or_refused_with_the_line(
        seed in 0..SEEDS.len(), changes in proptest::collection::vec(change(), 1..5)
    ) {
        let text = changed(SEEDS[seed], &changes);
        let files = Files::new(&[("a.toml", &text), ("quickstart.toml", SEEDS[0])]);
        match files.load("a.toml") {
            Ok(loaded) => {
                // A range of many numbers is not drawn here: only what a point is asked for.
                let _ = loaded.at(&[("train.lr".into(), serde_json::json!(0.5))]);
            }
            Err(errors) => {
                prop_assert!(!errors.problems.is_empty());
                for problem in &errors.problems {
                    let mut text = String::new();
                    write!(text, "{problem}").unwrap();
                    prop_assert!(problem.location.is_some() || problem.message.contains('`'), "{text}");
                    prop_assert!(!problem.message.trim().is_empty() && text.len() < 10_000, "{text}");
                    prop_assert!(!problem.message.contains("contradicts itself"), "{text}");
                }
            }
        }
    }
}
