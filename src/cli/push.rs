//! `taper push`

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, ExitCode},
};

use anyhow::Result;
use clap::Args;
use taper::{
    assets::{Change, Push as Wanted, PushError, Pushed, Remote, Settings, Site, look, push, unasked},
    export::{FORMATS, Numbers, export},
    format::{self, counted, short},
    plan::Repository,
    report::{Origin, is_as_written},
    store::RunRecord,
};

use super::{
    Global, Unusable, card, common, downloads,
    export::{formats, kept_of},
    input,
    lang::Lang,
    output::{self, Output},
    stop,
};

/// Upload a trained model with its model card to the Hugging Face Hub or ModelScope.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper push 3f2a me/waimai-rbt3 --dry-run     show what it would do\n  \
    taper push 3f2a me/waimai-rbt3 --private\n  taper push waimai#1 me/waimai-onnx --format onnx --lang zh\n  \
    taper push 3f2a modelscope:me/waimai-rbt3     to ModelScope\n\n\
    The access token is taken from HF_TOKEN, or else from `hf auth login`; it needs write access. HF_ENDPOINT sets another hub.\n\
    For ModelScope, set MODELSCOPE_API_TOKEN and, for another server, MODELSCOPE_ENDPOINT.")]
pub struct Push {
    /// Run: its key, a prefix of its key, its name, an experiment or spec file that has only one run, or EXPERIMENT#RANK (or
    /// EXPERIMENT#TRIAL) for the best run of a trial.
    run: String,
    /// Repository on the Hugging Face Hub, or modelscope:OWNER/NAME. It is created if it does not exist.
    #[arg(value_name = "OWNER/NAME", value_parser = target)]
    to: Target,
    /// Create the repository as private; refuse to push to an existing public one.
    #[arg(long)]
    private: bool,
    /// Branch to push to (default: main; on ModelScope: master). A missing branch is created from main; on ModelScope it must exist.
    #[arg(long, value_name = "BRANCH")]
    revision: Option<String>,
    /// Commit message.
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// Format of the model.
    #[arg(long, value_name = "FORMAT", default_value = FORMATS[0].name(), value_parser = formats())]
    format: String,
    /// Language of README.md, the model card: en or zh.
    #[arg(long, value_name = "LANG", hide_possible_values = true)]
    lang: Option<Lang>,
    /// Replace README.md of the repository even if it was edited since taper wrote it.
    #[arg(long)]
    replace_card: bool,
    /// Show what would happen to each file, without changing anything.
    #[arg(long)]
    dry_run: bool,
}

/// A repository to push to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    site: Site,
    /// `OWNER/NAME`.
    repo: String,
}

/// `OWNER/NAME`, with a scheme as in a spec.
fn target(text: &str) -> Result<Target, String> {
    let (site, rest) = match (text.strip_prefix("modelscope:"), text.strip_prefix("hf:")) {
        (Some(rest), _) => (Site::ModelScope, rest),
        (_, rest) => (Site::HuggingFace, rest.unwrap_or(text)),
    };
    match Repository::parse(rest) {
        Ok(Repository { repo, revision: None, file: None }) => Ok(Target { site, repo }),
        Ok(_) => Err("expected OWNER/NAME without a revision or a file; a branch is named by --revision".into()),
        Err(why) => Err(format!("it {why}")),
    }
}

/// A folder that is removed with the value.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // What remains is in the system's folder for temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Push {
    /// Uploads the model.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let mut settings = Settings::from_env(global.offline).map_err(|e| Unusable(e.into()))?;
        settings.offline |= global.offline;
        if settings.offline && !self.dry_run {
            return Err(Unusable(PushError::Offline.into()).into());
        }
        let (site, hub) = (self.to.site, self.to.site.endpoint(&settings));
        if hub.token.is_none() && !self.dry_run {
            return Err(Unusable(PushError::NoToken { endpoint: hub.shown(), site }.into()).into());
        }
        let format = FORMATS.into_iter().find(|format| format.name() == self.format).unwrap_or(FORMATS[0]);
        let store = common::open_existing(global)?;
        let (run, kept) = kept_of(&store, &self.run, global)?;
        let card = card::of(&store, &run, card::stored(format, Numbers::Fp32), self.lang)?;
        // A killed push may have left a folder, and another process has its number now.
        let name = |n: u32| env::temp_dir().join(format!("taper-push-{}-{}-{n}", short(&run.key), process::id()));
        let folder =
            Temporary((0..).map(name).find(|path| fs::symlink_metadata(path).is_err()).unwrap_or_else(|| name(0)));
        let at = folder.0.clone();
        stop::on_signal(move || {
            output::error("\nstopped; the same command continues");
            let _ = fs::remove_dir_all(&at);
            process::exit(130);
        })?;
        export(format, &kept, Numbers::Fp32, &card, &folder.0)?;
        let license = Origin::read(&card).license;
        let pushed = self.send(&settings, &run, &folder.0, license.as_deref(), global).map_err(|e| match e {
            e @ (PushError::Offline
            | PushError::NoToken { .. }
            | PushError::Public { .. }
            | PushError::NoBranch { .. }) => Unusable(e.into()).into(),
            e => anyhow::Error::from(e),
        })?;
        self.show(&pushed, global, out)?;
        Ok(ExitCode::SUCCESS)
    }

    fn branch(&self) -> &str {
        self.revision.as_deref().unwrap_or(self.to.site.default_branch())
    }

    fn send(
        &self,
        settings: &Settings,
        run: &RunRecord,
        folder: &Path,
        license: Option<&str>,
        global: &Global,
    ) -> Result<Pushed, PushError> {
        let experiment = run.experiment.as_deref().unwrap_or(&run.config.name);
        let message = match &self.message {
            Some(message) => message.clone(),
            None => format!("Run {} of {} by taper", short(&run.key), format::one_line(experiment)),
        };
        let wanted = Wanted {
            site: self.to.site,
            repo: &self.to.repo,
            branch: self.branch(),
            private: self.private,
            license,
            message: &message,
            folder,
            may_replace_card: (!self.replace_card).then_some(is_as_written as fn(&str) -> bool),
        };
        let listener = downloads::uploads(global.quiet || global.json);
        if !self.dry_run {
            return push(settings, listener, &wanted);
        }
        match look(settings, listener, &wanted) {
            Err(why @ (PushError::Offline | PushError::Unreachable { .. })) => {
                let why = match &why {
                    PushError::Unreachable { endpoint, cause, .. } => format!("{endpoint} cannot be reached ({cause})"),
                    _ => "the network is forbidden by --offline or HF_HUB_OFFLINE".into(),
                };
                input::note(&format!("what {} contains is unknown: {why}", wanted.repo));
                unasked(settings, &wanted)
            }
            asked => asked,
        }
    }

    fn show(&self, pushed: &Pushed, global: &Global, out: &mut Output) -> Result<()> {
        if out.json {
            return out.document(pushed);
        }
        let files = || pushed.files.iter().filter(|file| matches!(file.change, Change::Sent | Change::Stored));
        let (n, size) = (files().count() as u64, files().map(|file| file.size).sum::<u64>());
        if !global.quiet {
            let row = |file: &taper::assets::PushedFile| {
                vec![file.name.clone(), format::bytes(file.size), self.becomes(file.change).to_owned()]
            };
            out.rows(pushed.files.iter().map(row))?;
        }
        let (amount, url) = (format!("{} ({})", counted(n, "file"), format::bytes(size)), &pushed.url);
        let is_default = self.branch() == self.to.site.default_branch();
        let branch = if is_default { String::new() } else { format!(", branch {}", self.branch()) };
        match (&pushed.commit, self.dry_run) {
            (Some(commit), _) => out.line(match commit.as_str() {
                "" => format!("pushed {amount} to {url}{branch}: committed, but the hub does not name the commit yet"),
                commit => format!("pushed {amount} to {url}{branch}: commit {}", short(commit)),
            })?,
            (None, true) => {
                let visibility = if self.private { "private" } else { "new" };
                let created = match pushed.before {
                    Remote::Present | Remote::Unknown => String::new(),
                    Remote::WithoutBranch => format!("create the branch {} and ", self.branch()),
                    Remote::Missing => format!("create the {visibility} repository {} and ", self.to.repo),
                };
                match n {
                    _ if pushed.before == Remote::Unknown => out.wrapped(&format!(
                        "would push, of {amount}, those that {url}{branch} lacks, and create the repository or branch if it is missing; what it \
                         contains is unknown; nothing was changed"
                    ))?,
                    0 if created.is_empty() => out.line(format!("nothing to do: {url}{branch} has these files"))?,
                    _ => out.line(format!("would {created}push {amount} to {url}{branch}; nothing was changed"))?,
                }
            }
            (None, false) => out.line(format!("nothing to do: {url}{branch} has these files"))?,
        }
        if !global.quiet && pushed.files.iter().any(|file| file.change == Change::Kept) {
            input::note(
                "README.md of the repository seems to be written by hand, or cannot be read, and stays as it is; --replace-card replaces it",
            );
        }
        Ok(())
    }

    fn becomes(&self, change: Change) -> &'static str {
        match (change, self.dry_run) {
            (Change::Sent, false) => "sent",
            (Change::Sent, true) => "to send",
            (Change::Stored, _) => "already stored",
            (Change::Unchanged, _) => "unchanged",
            (Change::Kept, _) => "kept: edited on the hub",
            (Change::Ignored, _) => "ignored (.gitignore)",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_has_an_owner_and_a_name_and_perhaps_a_hub() {
        let at = |site, repo: &str| Ok(Target { site, repo: repo.into() });
        assert_eq!(target("me/waimai_1.0"), at(Site::HuggingFace, "me/waimai_1.0"));
        assert_eq!(target("hf:me/waimai"), at(Site::HuggingFace, "me/waimai"));
        assert_eq!(target("modelscope:me/waimai"), at(Site::ModelScope, "me/waimai"));
        for text in
            ["waimai", "me/", "/x", "me/x/y", "me/x@main", "me/a b", "https://a/b", "../x", "modelscope:x", "path:a/b"]
        {
            assert!(target(text).is_err(), "{text}");
        }
    }
}
