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

/// Less room than this on a disk is worth a word: a model with its checkpoints takes that much.
const LITTLE: u64 = 2 << 30;

/// Check this machine (servers, devices, threads, fonts, disk, database) and say how to fix problems.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 everything works, perhaps with remarks (--); 1 something does not work (!!).\n\nExamples:\n  taper doctor\n  HF_ENDPOINT=https://hf-mirror.com taper doctor\n  taper doctor --json"
)]
pub struct Doctor {}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    what: &'static str,
    ok: bool,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    help: String,
    /// How long a server took to answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

impl Check {
    fn good(what: &'static str, found: String) -> Self {
        Self { what, ok: true, found, help: String::new(), seconds: None }
    }

    /// What works but could be better.
    fn remark(what: &'static str, found: String, help: &str) -> Self {
        Self { help: help.into(), ..Self::good(what, found) }
    }

    fn bad(what: &'static str, found: String, help: &str) -> Self {
        Self { ok: false, ..Self::remark(what, found, help) }
    }
}

impl Doctor {
    /// Looks at everything.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let settings = Settings::from_env(global.offline).map_err(|e| Unusable(e.into()))?;
        let mut checks = servers(&settings);
        checks.push(devices(global.device));
        checks.push(Check::good("threads", format!("{} (--threads N takes fewer)", threads())));
        checks.push(font());
        checks.push(disk("disk of runs", &global.runs, "free some space, or keep runs elsewhere: --runs DIR"));
        let caches = [("HF_HOME", &settings.hub_cache), ("MODELSCOPE_CACHE", &settings.modelscope_cache)];
        for (variable, cache) in caches {
            let what = if variable == "HF_HOME" { "disk of hub cache" } else { "disk of modelscope cache" };
            checks.push(match cache {
                Some(cache) => {
                    disk(what, cache, &format!("free some space, or keep downloads elsewhere: {variable}=DIR"))
                }
                None => Check::bad(what, "no home folder".into(), &format!("name a folder in {variable}")),
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

/// The servers that models and data come from, asked all at once.
fn servers(settings: &Settings) -> Vec<Check> {
    let mirror = Endpoint { url: "https://hf-mirror.com".into(), token: None };
    let mirror_help =
        "HF_ENDPOINT=https://hf-mirror.com asks a mirror; modelscope: and path: need no hub; see also HTTPS_PROXY";
    let mut asked = vec![
        ("hub", &settings.hub, "/api/models?limit=1", mirror_help),
        (
            "modelscope",
            &settings.modelscope,
            "/api/v1/models/dienstag/rbt3",
            "use hf: or path: instead; see also HTTPS_PROXY",
        ),
    ];
    if settings.hub.url == "https://huggingface.co" {
        asked.push(("mirror", &mirror, "/api/models?limit=1", "needed only where the hub does not answer"));
    }
    thread::scope(|scope| {
        let answers: Vec<_> =
            asked.iter().map(|(_, server, path, _)| scope.spawn(|| probe(settings, server, path))).collect();
        let answers = answers.into_iter().map(|answer| answer.join().unwrap_or(Answering::Offline));
        asked.iter().zip(answers).map(|((what, server, _, help), answer)| told(what, server, answer, help)).collect()
    })
}

fn told(what: &'static str, server: &Endpoint, answer: Answering, help: &str) -> Check {
    let url = server.shown();
    let token = if server.token.is_some() { ", with a token" } else { "" };
    match answer {
        Answering::Yes(time) => {
            let seconds = time.as_secs_f64();
            let found = format!("{url} answers in {seconds:.2} s{token}");
            Check { seconds: Some(seconds), ..Check::good(what, found) }
        }
        Answering::No(why) => Check::bad(what, format!("{url} does not answer ({why})"), help),
        Answering::Offline => Check::good(what, format!("{url} was not asked: offline, what is in the cache works")),
    }
}

fn devices(choice: DeviceChoice) -> Check {
    let cpu = processor();
    match choice.open() {
        Ok((_, name)) if name == "cpu" => {
            let why = DeviceChoice::Cuda(0).open().err().map_or_else(String::new, |e| format!("; no GPU: {e}"));
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
            "no font here has Chinese characters: PNG charts leave them out, SVG and HTML do not need one".into(),
            "install one, such as fonts-noto-cjk or fonts-wqy-microhei",
        ),
    }
}

/// How full the disk is that a folder is on, or will be.
fn disk(what: &'static str, folder: &Path, help: &str) -> Check {
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.into());
    let free = whole.ancestors().find(|folder| folder.is_dir()).and_then(free_bytes);
    match free {
        Some(free) if free < LITTLE => {
            Check::bad(what, format!("{}: {} free", folder.display(), format::bytes(free)), help)
        }
        Some(free) => Check::good(what, format!("{}: {} free", folder.display(), format::bytes(free))),
        None => Check::good(what, format!("{}: how much is free cannot be told here", folder.display())),
    }
}

fn database(runs: &Path) -> Check {
    let path = runs.join("taper.db").display().to_string();
    match Store::open_existing(runs).and_then(|store| Ok(store.runs()?.len())) {
        Ok(n) => Check::good("database", format!("{path}: {}", format::counted(n as u64, "run"))),
        Err(StoreError::Missing { .. }) => Check::good("database", format!("{path}: none yet, the first run makes it")),
        Err(e) => Check::bad("database", e.to_string(), "the message says it"),
    }
}
