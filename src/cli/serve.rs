//! `taper serve`

use std::{
    io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Result, anyhow};
use clap::Args;
use taper::{
    engine::Device,
    execute::{Classifier, Kept},
    format,
    plan::Precision,
    serve::{Happening, Limits, Listener, Models, Origin, ServeError, Stop, Token, is_of_name, serve},
    store::{RunRecord, Store},
};

use super::{
    Global, Unusable, common, export, input,
    members::PrecisionArgs,
    output::{self, Output},
    stop,
};

/// Serve trained models over HTTP, with the /predict of text-embeddings-inference, the probabilities of all labels, and a web page to try
/// them.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  taper serve 3f2a\n  taper serve reviews=3f2a topics=exported/topics --addr 127.0.0.1:9000\n  \
    taper serve exported/reviews --addr 0.0.0.0:8080 --token-file token\n\n\
    curl http://127.0.0.1:8080/predict -H 'Content-Type: application/json' -d '{\"inputs\": \"送餐很快\"}'\n\n\
    After Ctrl-C or SIGTERM, the server accepts no more requests, answers those that it has accepted, and exits with code 0. A second signal ends it at once. \
    If the weights of a model are replaced, the new ones are loaded and used from then on."
)]
pub struct Serve {
    /// Models: a run (its key, a prefix of its key, its name, an experiment or spec file that has only one run, or EXPERIMENT#RANK), or
    /// a folder that `taper export` wrote. NAME is the model's name in requests; by default that of the run or folder. Requests
    /// that name no model use the first one.
    #[arg(required = true, value_name = "[NAME=]RUN|DIR")]
    models: Vec<String>,
    #[command(flatten)]
    precision: PrecisionArgs,
    /// Address to listen on. With port 0, a free port is chosen and printed. Addresses other than loopback require --token-file or --without-token.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    addr: String,
    /// Answer only requests with the header `Authorization: Bearer TOKEN`, where TOKEN is what this file contains.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Allow addresses other than loopback without a token, although anyone who can reach them can then use the models.
    #[arg(long, conflicts_with = "token_file")]
    without_token: bool,
    /// Maximum number of requests in the queue of a model; further ones get status 429.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = at_least_one)]
    queue_requests: usize,
    /// Maximum number of tokens in the queue of a model; further requests get status 429.
    #[arg(long, value_name = "N", default_value_t = 65_536, value_parser = at_least_one)]
    queue_tokens: usize,
    /// Maximum number of tokens in a batch, from one or more requests. There is no padding, and the value does not affect answers.
    #[arg(long, value_name = "N", default_value_t = 2048, value_parser = at_least_one)]
    batch_tokens: usize,
    /// Maximum number of texts in a request.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = at_least_one)]
    max_texts: usize,
    /// Maximum number of characters in a text.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = at_least_one)]
    max_chars: usize,
    /// Maximum size of a request body, in bytes.
    #[arg(long, value_name = "N", default_value_t = 2_000_000, value_parser = at_least_one)]
    max_body: usize,
    /// Maximum number of simultaneous connections; others wait.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = at_least_one)]
    connections: usize,
    /// Seconds after which an unanswered request gets status 504.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    answer_timeout: Duration,
    /// Time limit, in seconds, for a client to send a request's headers, to send its body, and to receive each part of the response. Idle connections are closed after this time, too.
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = seconds)]
    client_timeout: Duration,
    /// Truncate texts that are too long for the model if a request does not set `truncate`.
    #[arg(long)]
    auto_truncate: bool,
    /// Print a line for each request, without its texts.
    #[arg(long)]
    access_log: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "expected a whole number above 0".into())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.001..=86_400.0).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "expected seconds, from 0.001 to 86400".into())
}

impl Serve {
    /// Serves until it is told to stop.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        stop::end_at_once("stopped")?;
        let token = self.token_file.as_deref().map(Token::read).transpose().map_err(|e| Unusable(e.into()))?;
        // Before the models are loaded, so that its errors are reported at once.
        let listener = self.listen(token.is_some())?;
        let precision = self.precision.on(global.device)?;
        let (device, device_name) = global.device.open().map_err(|e| Unusable(e.into()))?;
        let on = (&device, precision);
        let origins = self.models.iter().map(|text| origin(text, global, on)).collect::<Result<Vec<_>>>()?;
        let limits = self.limits();
        let told = self.listener(global);
        let models = Models::load(origins, &limits, &told).map_err(|error| match error {
            ServeError::Name(_) | ServeError::SameName(_) | ServeError::Model { .. } => Unusable(error.into()).into(),
            error => anyhow::Error::from(error),
        })?;
        let address = listener.local_addr()?;
        // Before it says that it serves: who reads that may stop it.
        let stop = Stop::default();
        stop_on_signal(stop.clone())?;
        let device_name = match precision {
            Precision::Fp32 => device_name,
            Precision::Tf32 => device_name + " in tf32",
            Precision::Bf16 => device_name + " in bf16",
        };
        say(&models, (address, &device_name), global, out)?;
        let served = serve(listener, models, (limits, token), told, &stop)?;
        let requests = format::counted(served.accepted, "request");
        match served.unanswered {
            0 => {
                if !global.quiet {
                    output::error(&format!("stopped: {requests}, all answered"));
                }
                Ok(ExitCode::SUCCESS)
            }
            lost => {
                output::error(&format!("stopped: {requests}, {} not answered in time", format::count(lost)));
                Ok(ExitCode::FAILURE)
            }
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            queue_requests: self.queue_requests,
            queue_tokens: self.queue_tokens,
            batch_tokens: self.batch_tokens,
            texts: self.max_texts,
            text_chars: self.max_chars,
            body_bytes: self.max_body,
            connections: self.connections,
            answer: self.answer_timeout,
            client: self.client_timeout,
            auto_truncate: self.auto_truncate,
        }
    }

    /// The socket. Addresses that others reach are refused unless that is meant.
    fn listen(&self, has_token: bool) -> Result<TcpListener> {
        let refused = |what: String| Unusable(anyhow!("--addr {}: {what}", format::one_line(&self.addr)));
        let found: Vec<SocketAddr> = match self.addr.to_socket_addrs() {
            Ok(found) => found.collect(),
            Err(e) => return Err(refused(format!("{e}; expected HOST:PORT, such as 127.0.0.1:8080")).into()),
        };
        let open = found.iter().any(|address| !address.ip().is_loopback());
        if open && !has_token && !self.without_token {
            let what = "other machines may reach this address, and everybody there could use the models: give --token-file FILE, or \
                        --without-token if something in front of it checks who asks";
            return Err(refused(what.into()).into());
        }
        if open {
            let what = match has_token {
                true => "texts and the token are sent unencrypted: put a proxy with TLS in front of it",
                false => "everybody who reaches this address can use the models, and texts are sent unencrypted",
            };
            output::error(&format!("warning: --addr {}: {what}", format::one_line(&self.addr)));
        }
        TcpListener::bind(&found[..]).map_err(|e| {
            let what = match e.kind() {
                io::ErrorKind::AddrInUse => {
                    "another program is already listening there: choose another port, or port 0 for a free one".into()
                }
                io::ErrorKind::AddrNotAvailable => "this machine does not have this address".into(),
                io::ErrorKind::PermissionDenied => "permission denied: ports below 1024 are for administrators".into(),
                _ => e.to_string(),
            };
            refused(what).into()
        })
    }

    /// Says what happens while it serves, on standard error.
    fn listener(&self, global: &Global) -> Listener {
        let (access_log, quiet) = (self.access_log, global.quiet);
        Arc::new(move |happening| match happening {
            Happening::Answered { method, path, status, took } if access_log => {
                let path = format::bounded(&path, 200).into_owned();
                output::error(&format!("{} {method} {path} {status} {:.1} ms", now(), 1000.0 * took.as_secs_f64()));
            }
            Happening::Answered { .. } => {}
            Happening::Reloaded { model, sha256 } if !quiet => {
                output::error(&format!("{} {model}: new weights are in use, SHA-256 {}", now(), &sha256[..12]));
            }
            Happening::Reloaded { .. } => {}
            Happening::Kept { model, why } => {
                output::error(&format!(
                    "warning: {model}: its files changed and cannot be used, so the loaded model stays in use: {why}"
                ));
            }
            Happening::Failed { model } => {
                output::error(&format!("error: {model}: the model has failed; restart the server"));
            }
            Happening::Stopping { open } if !quiet && open > 0 => {
                output::error(&format!("stopping: {} left to answer", format::counted(open as u64, "request")));
            }
            Happening::Stopping { .. } => {}
        })
    }
}

/// The time of day in UTC, for a log.
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now().round(jiff::Unit::Millisecond).unwrap_or_else(|_| jiff::Timestamp::now())
}

/// The first signal stops the server, the second ends the process.
fn stop_on_signal(server: Stop) -> Result<()> {
    let mut again = false;
    Ok(stop::on_signal(move || {
        if again {
            output::error("stopped at once");
            std::process::exit(130);
        }
        again = true;
        server.stop();
    })?)
}

/// Says what is served, and where.
fn say(models: &Models, (address, device): (SocketAddr, &str), global: &Global, out: &mut Output) -> Result<()> {
    if out.json {
        let all: Vec<_> = models.all().iter().map(|model| model.summary()).collect();
        let all: Vec<_> = all.iter().map(|m| serde_json::json!({ "name": m.name, "model_sha": m.sha256 })).collect();
        return out.document(&serde_json::json!({ "address": address.to_string(), "device": device, "models": all }));
    }
    if !global.quiet {
        for model in models.all() {
            let model = model.summary();
            let long = format::count(model.max_length as u64);
            let labels = format::counted(model.labels as u64, if model.numbers { "number" } else { "label" });
            let sha = &model.sha256[..12];
            out.line(format!("model    {}: {labels}, up to {long} tokens, on {device}, SHA-256 {sha}", model.name))?;
        }
    }
    out.line(format!("serving  http://{address}"))
}

/// Where a model comes from: `NAME=` before a run or a folder, unless the whole text is one.
fn origin(text: &str, global: &Global, on: (&Device, Precision)) -> Result<Origin> {
    let whole = named_origin(None, text, global, on);
    let Some((name, rest)) = text.split_once('=').filter(|(name, _)| name.chars().all(is_of_name)) else {
        return whole;
    };
    whole.or_else(|_| named_origin(Some(name), rest, global, on))
}

fn named_origin(
    name: Option<&str>,
    text: &str,
    global: &Global,
    (device, precision): (&Device, Precision),
) -> Result<Origin> {
    let path = Path::new(text);
    if path.join("model.onnx").is_file() && !path.join("model.safetensors").is_file() {
        let what = format!(
            "{}: this is an ONNX export, which `taper serve` does not read: expected a run, or a folder that `taper export RUN DIR` wrote \
             without --format onnx",
            path.display()
        );
        return Err(Unusable(anyhow!(what)).into());
    }
    if path.join("config.json").is_file() && !path.join("model.safetensors").exists() {
        let what = format!(
            "{}: the folder has no model.safetensors: expected one that `taper export` wrote; to serve a model from elsewhere, fine-tune it first",
            path.display()
        );
        return Err(Unusable(anyhow!(what)).into());
    }
    if path.join("config.json").is_file() {
        let folder = std::path::absolute(path)?;
        let own = folder.file_name().map(|name| name.to_string_lossy().into_owned());
        let (name, device) = (name.map_or_else(|| own.unwrap_or_default(), str::to_owned), device.clone());
        let load = {
            let folder = folder.clone();
            Box::new(move || Classifier::open_in(precision, &folder, &device))
        };
        return Ok(Origin { name, folder, pairs: None, precision, load });
    }
    if path.is_dir() {
        let what = format!("{}: the folder has no config.json: expected one that `taper export` wrote", path.display());
        return Err(Unusable(anyhow!(what)).into());
    }
    let store = common::open_existing(global)?;
    let (run, kept) = export::kept_of(&store, text, global)?;
    let own = || run.name.chars().map(|c| if is_of_name(c) { c } else { '_' }).collect();
    let name = name.map_or_else(own, str::to_owned);
    let pairs = Some(run.config.data.text_pair_column.is_some());
    if let Some(decided) = run.decided.as_ref().filter(|_| !global.quiet) {
        let decision = super::decision::decision(decided, &run.labels);
        input::note(&format!("{name}: labels are predicted with {decision}"));
    }
    let (folder, runs, device) = (kept.folder().to_owned(), global.runs.clone(), device.clone());
    let load = Box::new(move || load(&runs, &run, (&device, precision)));
    Ok(Origin { name, folder, pairs, precision, load })
}

/// Loads the model of a run, after checking that its files are those that the database knows.
fn load(
    runs: &Path,
    run: &RunRecord,
    (device, precision): (&Device, Precision),
) -> Result<Classifier, taper::execute::ExecuteError> {
    // A run that was trained again has other files.
    let store = Store::open_existing(runs)?;
    let run = store.run(&run.key)?;
    let kept = Kept::of(&store, runs, &run)?;
    let missing = || taper::execute::ExecuteError::Setting("its model is missing".into());
    Classifier::load_in(precision, &kept.ok_or_else(missing)?, run.config.data.long_texts(), device)
}
