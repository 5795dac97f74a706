//! `taper doctor`

use std::{path::Path, process::ExitCode, thread};

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use taper::{
    assets::{Answering, Endpoint, Settings, probe},
    execute::{DeviceChoice, processor, threads},
    format, report,
    store::{Store, StoreError},
    train::free_bytes,
};

use super::{Global, Unusable, output::Output};

/// Less free disk space than this is reported: a model with its checkpoints takes that much.
const LITTLE: u64 = 2 << 30;
/// A mirror of the Hugging Face Hub.
const MIRROR: &str = "https://hf-mirror.com";

/// Check this machine (servers, devices, threads, fonts, disk, database) and suggest fixes.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 everything works, possibly with notes (marked --); 1 something does not work (marked !!).\n\nExamples:\n  taper doctor\n  HF_ENDPOINT=https://hf-mirror.com taper doctor\n  taper doctor --json"
)]
pub struct Doctor {}

/// The result of one check.
#[derive(Debug, Serialize)]
struct Check {
    what: &'static str,
    ok: bool,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    help: String,
    /// The response time of a server.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

impl Check {
    fn good(what: &'static str, found: String) -> Self {
        Self { what, ok: true, found, help: String::new(), seconds: None }
    }

    /// Something that works but could be better.
    fn remark(what: &'static str, found: String, help: &str) -> Self {
        Self { help: help.into(), ..Self::good(what, found) }
    }

    fn bad(what: &'static str, found: String, help: &str) -> Self {
        Self { ok: false, ..Self::remark(what, found, help) }
    }
}

impl Doctor {
    /// Runs all checks.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let settings = Settings::from_env(global.offline).map_err(|e| Unusable(e.into()))?;
        let mut checks = servers(&settings);
        checks.push(devices(global.device));
        checks.push(Check::good("threads", format!("{} (use --threads N for fewer)", threads())));
        checks.push(font());
        checks.push(disk("disk of runs", &global.runs, "free some space, or keep runs elsewhere: --runs DIR"));
        let caches = [("HF_HOME", &settings.hub_cache), ("MODELSCOPE_CACHE", &settings.modelscope_cache)];
        for (variable, cache) in caches {
            let what = if variable == "HF_HOME" { "disk of hub cache" } else { "disk of modelscope cache" };
            checks.push(match cache {
                Some(cache) => {
                    disk(what, cache, &format!("free some space, or keep downloads elsewhere: {variable}=DIR"))
                }
                None => Check::bad(what, "no home folder".into(), &format!("set {variable} to a folder")),
            });
        }
        checks.push(database(&global.runs));
        match out.json {
            true => out.document(&serde_json::json!({ "checks": checks }))?,
            false => out.rows(checks.iter().map(|check| {
                let help = if check.help.is_empty() { String::new() } else { format!(" → {}", check.help) };
                let mark = match (check.ok, check.help.is_empty()) {
                    (true, true) => "ok",
                    (true, false) => "--",
                    (false, _) => "!!",
                };
                vec![mark.into(), check.what.into(), format!("{}{help}", check.found)]
            }))?,
        }
        Ok(ExitCode::from(u8::from(checks.iter().any(|check| !check.ok))))
    }
}

/// A server for models and data.
struct Server<'a> {
    what: &'static str,
    endpoint: &'a Endpoint,
    /// The requested page.
    page: &'static str,
    /// The cache of its downloads.
    cache: Option<&'a Path>,
}

/// Checks the servers for models and data, all at once.
fn servers(settings: &Settings) -> Vec<Check> {
    let mirror = Endpoint { url: MIRROR.into(), token: None };
    let (hub_cache, modelscope_cache) = (settings.hub_cache.as_deref(), settings.modelscope_cache.as_deref());
    let mut asked = vec![
        Server { what: "hub", endpoint: &settings.hub, page: "/api/models?limit=1", cache: hub_cache },
        Server {
            what: "modelscope",
            endpoint: &settings.modelscope,
            page: "/api/v1/models/dienstag/rbt3",
            cache: modelscope_cache,
        },
    ];
    if settings.offline {
        let nothing = asked.iter().all(|server| server.empty_cache().is_some());
        return asked.iter().map(|server| not_asked(server, nothing)).collect();
    }
    if settings.hub.url == "https://huggingface.co" {
        asked.push(Server { what: "mirror", endpoint: &mirror, page: "/api/models?limit=1", cache: hub_cache });
    }
    let answers: Vec<Answering> = thread::scope(|scope| {
        let asked: Vec<_> =
            asked.iter().map(|server| scope.spawn(|| probe(settings, server.endpoint, server.page))).collect();
        asked.into_iter().map(|answer| answer.join().unwrap_or(Answering::Offline)).collect()
    });
    let up: Vec<&str> = asked
        .iter()
        .zip(&answers)
        .filter(|(_, answer)| matches!(answer, Answering::Yes(_)))
        .map(|(server, _)| server.what)
        .collect();
    asked.iter().zip(answers).map(|(server, answer)| told(server, answer, &up)).collect()
}

impl Server<'_> {
    /// Its cache, if that is empty.
    fn empty_cache(&self) -> Option<&Path> {
        let is_visible = |name: std::ffi::OsString| !name.as_encoded_bytes().starts_with(b".");
        let holds_something =
            |cache: &Path| cache.read_dir().is_ok_and(|files| files.flatten().any(|file| is_visible(file.file_name())));
        self.cache.filter(|cache| !holds_something(cache))
    }
}

/// The result for a server when offline: what is available without it, and what to do if there is `nothing` from any
/// server.
fn not_asked(server: &Server, nothing: bool) -> Check {
    let url = server.endpoint.shown();
    let found = match server.empty_cache() {
        Some(cache) => format!("{url} was not contacted (offline), and its cache {} is empty", cache.display()),
        None => format!("{url} was not contacted (offline); cached sources still work"),
    };
    let help = "only path: and scratch: sources work; for other sources copy the cache from another machine, or allow connections once (no \
                --offline, HF_HUB_OFFLINE=0)";
    if nothing && server.what == "hub" {
        Check::remark(server.what, found, help)
    } else {
        Check::good(server.what, found)
    }
}

/// The result for a server, given those that are `up`; advice only names servers that are.
fn told(server: &Server, answer: Answering, up: &[&str]) -> Check {
    let (what, url) = (server.what, server.endpoint.shown());
    let token = if server.endpoint.token.is_some() { ", with a token" } else { "" };
    match answer {
        Answering::Yes(time) => {
            let seconds = time.as_secs_f64();
            let found = format!("{url} answers in {} s{token}", format::decimals(seconds, 2));
            Check { seconds: Some(seconds), ..Check::good(what, found) }
        }
        Answering::No(why) => {
            let found = format!("{url} does not answer ({why})");
            match what {
                "mirror" if up.contains(&"hub") => {
                    Check::good(what, format!("{found}; not needed, because the hub answers"))
                }
                _ => Check::bad(what, found, &instead(server, up)),
            }
        }
        Answering::Offline => not_asked(server, false),
    }
}

/// What to do without a server, given those that are `up`.
fn instead(server: &Server, up: &[&str]) -> String {
    let own_endpoint = server.what == "hub" && server.endpoint.url != "https://huggingface.co";
    let mut ways = Vec::new();
    if up.contains(&"mirror") || own_endpoint {
        ways.push(format!(
            "set HF_ENDPOINT={MIRROR} to use {}",
            if own_endpoint { "a mirror" } else { "the mirror, which answers" }
        ));
    }
    if up.contains(&"hub") {
        ways.push("`hf:` sources work".into());
    }
    if up.contains(&"modelscope") {
        ways.push("`modelscope:` sources work".into());
    }
    if up.is_empty() && server.what != "hub" {
        ways.push("see the advice for the hub".into());
    } else if up.is_empty() {
        let advice = "no server answers: check the connection (HTTPS_PROXY sets a proxy); without a connection, `path:` sources and cached files still work, and --offline avoids the wait";
        ways.push(advice.into());
    } else {
        ways.push("`path:` sources need no server; HTTPS_PROXY sets a proxy".into());
    }
    ways.join("; ")
}

fn devices(choice: DeviceChoice) -> Check {
    let cpu = processor();
    match choice.open() {
        Ok((_, name)) if name == "cpu" => {
            let why = DeviceChoice::without_gpu().map_or_else(String::new, |why| format!("; {why}"));
            Check::good("devices", format!("cpu ({cpu}){why}"))
        }
        Ok((_, name)) => Check::good("devices", format!("{name}, cpu ({cpu})")),
        Err(e) => Check::bad("devices", format!("cpu ({cpu}); {e}"), "--device cpu works everywhere"),
    }
}

fn font() -> Check {
    match report::draws_chinese() {
        true => Check::good("font", "Chinese text is drawn in PNG charts".into()),
        false => Check::remark(
            "font",
            "no font here has Chinese characters: PNG charts leave them out (SVG and HTML do not need such a font)"
                .into(),
            "install one, such as fonts-noto-cjk or fonts-wqy-microhei",
        ),
    }
}

/// The free space on the disk of a folder, whether or not it exists yet.
fn disk(what: &'static str, folder: &Path, help: &str) -> Check {
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.into());
    let free = whole.ancestors().find(|folder| folder.is_dir()).and_then(free_bytes);
    match free {
        Some(free) if free < LITTLE => {
            Check::bad(what, format!("{}: {} free", folder.display(), format::bytes(free)), help)
        }
        Some(free) => Check::good(what, format!("{}: {} free", folder.display(), format::bytes(free))),
        None => Check::good(what, format!("{}: the free space could not be determined", folder.display())),
    }
}

fn database(runs: &Path) -> Check {
    let path = runs.join("taper.db").display().to_string();
    match Store::open_existing(runs).and_then(|store| Ok(store.runs()?.len())) {
        Ok(n) => Check::good("database", format!("{path}: {}", format::counted(n as u64, "run"))),
        Err(StoreError::Missing { .. }) => {
            Check::good("database", format!("{path}: none yet; the first run creates it"))
        }
        Err(e) => Check::bad("database", e.to_string(), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server<'a>(what: &'static str, endpoint: &'a Endpoint, cache: &'a Path) -> Server<'a> {
        Server { what, endpoint, page: "/", cache: Some(cache) }
    }

    #[test]
    fn advice_names_only_servers_that_answer() {
        let endpoint = Endpoint { url: "https://huggingface.co".into(), token: None };
        let no = || Answering::No("refused".into());
        let help = |what, up: &[&str]| told(&server(what, &endpoint, Path::new("/nowhere")), no(), up);
        assert!(help("hub", &["mirror"]).help.starts_with("set HF_ENDPOINT=https://hf-mirror.com to use"));
        assert!(help("hub", &["modelscope"]).help.starts_with("`modelscope:` sources work"));
        assert!(help("modelscope", &["hub", "mirror"]).help.contains("`hf:` sources work"));
        let advice = help("hub", &[]).help;
        assert!(advice.starts_with("no server answers") && advice.contains("HTTPS_PROXY"), "{advice}");
        for what in ["modelscope", "mirror"] {
            assert_eq!((help(what, &[]).ok, help(what, &[]).help.as_str()), (false, "see the advice for the hub"));
        }
        assert!(["hf-mirror", "`hf:`", "`modelscope:`"].iter().all(|way| !advice.contains(way)), "{advice}");
        let spare = help("mirror", &["hub"]);
        assert!(spare.ok && spare.help.is_empty(), "{spare:?}");
        let own = Endpoint { url: "http://nowhere.invalid".into(), token: None };
        assert!(told(&server("hub", &own, Path::new("/nowhere")), no(), &["modelscope"]).help.contains(MIRROR));
    }

    #[test]
    fn an_empty_cache_is_reported_when_offline() {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = Endpoint { url: "https://huggingface.co".into(), token: None };
        let check = |cache: &Path, nothing| not_asked(&server("hub", &endpoint, cache), nothing);
        for empty in [folder.path().join("missing"), folder.path().to_path_buf()] {
            let alone = check(&empty, true);
            assert!(alone.ok && alone.found.ends_with("is empty"), "{alone:?}");
            assert!(alone.help.starts_with("only path: and scratch: sources work"), "{alone:?}");
            // Other caches have something, so nothing needs to be done.
            assert!(check(&empty, false).help.is_empty());
        }
        std::fs::create_dir(folder.path().join(".locks")).unwrap();
        assert!(check(folder.path(), true).found.ends_with("is empty"));
        std::fs::create_dir(folder.path().join("models--hfl--rbt3")).unwrap();
        assert!(check(folder.path(), false).found.ends_with("cached sources still work"));
    }
}
