//! The batch script of a job or of an array.

use std::path::Path;

use super::{ClusterError, SlurmSettings};

/// What [`Script::text`] writes.
#[derive(Debug, Clone)]
pub struct Script<'a> {
    /// What the job asks for.
    pub settings: &'a SlurmSettings,
    /// The folder that Slurm's output goes to. It must exist before the job starts: Slurm fails a job without a message otherwise.
    pub logs: &'a Path,
    /// The folder that it starts in.
    pub folder: &'a Path,
    /// The command, in shell: its words are [`quoted`].
    pub command: &'a str,
}

impl Script<'_> {
    /// The script of an array: `command` replaces the shell, so that the signal before the time limit reaches it, and can use
    /// `$element`, the number of the element in the whole submission.
    ///
    /// # Errors
    /// [`ClusterError::Path`] if the script cannot name one of the folders.
    pub fn array(&self) -> Result<String, ClusterError> {
        let exec = match &self.settings.wrap {
            Some(wrap) => format!("exec {wrap} {}", self.command),
            None => format!("exec {}", self.command),
        };
        // `$1` is the first element of this array, where a submission has several.
        self.text("%a.out", &format!("element=$((${{1:-0}} + SLURM_ARRAY_TASK_ID))\n{exec}\n"))
    }

    /// The script of a single job that has to live as long as its command does: asked to go before its time is up, it is requeued, up to
    /// `requeues` times.
    ///
    /// # Errors
    /// As [`Self::array`].
    pub fn single(&self) -> Result<String, ClusterError> {
        let command = match &self.settings.wrap {
            Some(wrap) => format!("{wrap} {}", self.command),
            None => self.command.to_string(),
        };
        let most = self.settings.requeues;
        self.text(
            "%j.out",
            &format!(
                "{command} &\npid=$!\ntrap 'asked=1; kill -USR1 \"$pid\"' USR1\ncode=0\nwait \"$pid\" || code=$?\n\
                 # A signal ends `wait` before the command has ended.\n\
                 while kill -0 \"$pid\" 2>/dev/null; do code=0; wait \"$pid\" || code=$?; done\n\
                 if [ -n \"${{asked:-}}\" ] && [ \"${{SLURM_RESTART_COUNT:-0}}\" -lt {most} ]; then\n  \
                 scontrol requeue \"$SLURM_JOB_ID\"\nfi\nexit \"$code\"\n"
            ),
        )
    }

    fn text(&self, output: &str, rest: &str) -> Result<String, ClusterError> {
        let (logs, folder) = (nameable(self.logs)?, nameable(self.folder)?);
        let mut text = String::from("#!/bin/bash\n");
        let mut option = |line: &str| {
            text.push_str("#SBATCH ");
            text.push_str(line);
            text.push('\n');
        };
        // `%` begins a pattern in the name of the output.
        let logs = logs.replace('%', "%%");
        option(&format!("--output={}", double_quoted(&format!("{logs}/{output}"))));
        option(&format!("--chdir={}", double_quoted(folder)));
        // What was printed before a requeue stays.
        option("--open-mode=append");
        option(if self.settings.requeues > 0 { "--requeue" } else { "--no-requeue" });
        option(&format!("--signal=B:USR1@{}", self.settings.signal_seconds));
        self.settings.options().iter().for_each(|line| option(line));
        text.push_str("set -e\n");
        for line in &self.settings.setup {
            text.push_str(line);
            text.push('\n');
        }
        // The lines above may have changed the folder, and paths are relative to it.
        text.push_str(&format!("cd -- {}\n", quoted(folder)));
        text.push_str(rest);
        Ok(text)
    }
}

/// The text of a path that a line of `#SBATCH` can have.
fn nameable(path: &Path) -> Result<&str, ClusterError> {
    let refused = |why| ClusterError::Path(format!("{path:?}"), why);
    let text = path.to_str().ok_or_else(|| refused("it is not UTF-8"))?;
    match text.chars().any(char::is_control) {
        true => Err(refused("it has a line break or another control character")),
        false => Ok(text),
    }
}

/// A text as one word of the shell.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.into(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// A value of an option in a line of `#SBATCH`.
fn double_quoted(text: &str) -> String {
    match text.chars().any(|c| c.is_whitespace() || matches!(c, '"' | '\'' | '\\' | '#')) {
        true => format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"")),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_has_what_the_settings_say() {
        let settings = SlurmSettings {
            partition: Some("gpu".into()),
            time: Some("1:00:00".into()),
            gres: Some("gpu:1".into()),
            cpus_per_task: Some(4),
            setup: vec!["module load cuda".into()],
            wrap: Some("apptainer exec --nv taper.sif".into()),
            extra: vec!["--constraint=a100".into()],
            ..SlurmSettings::default()
        };
        let command = "/opt/taper worker --task \"$element\"";
        let script = Script { settings: &settings, logs: Path::new("/r/a b/100%"), folder: Path::new("/w"), command };
        assert_eq!(
            script.array().unwrap(),
            "#!/bin/bash\n#SBATCH --output=\"/r/a b/100%%/%a.out\"\n#SBATCH --chdir=/w\n#SBATCH --open-mode=append\n\
             #SBATCH --requeue\n#SBATCH --signal=B:USR1@120\n#SBATCH --partition=gpu\n#SBATCH --time=1:00:00\n\
             #SBATCH --gres=gpu:1\n#SBATCH --cpus-per-task=4\n#SBATCH --constraint=a100\nset -e\nmodule load cuda\ncd -- /w\n\
             element=$((${1:-0} + SLURM_ARRAY_TASK_ID))\n\
             exec apptainer exec --nv taper.sif /opt/taper worker --task \"$element\"\n"
        );
        let single = Script { settings: &settings.without_resources(), ..script }.single().unwrap();
        assert!(!single.contains("gres") && !single.contains("cpus-per-task") && single.contains("--partition=gpu"));
    }

    /// A line break would end the line of `#SBATCH`: the rest of the path would be shell.
    #[test]
    fn a_path_with_a_line_break_is_refused() {
        let settings = SlurmSettings::default();
        let of = |logs: &str, folder: &str| {
            Script { settings: &settings, logs: Path::new(logs), folder: Path::new(folder), command: "true" }.array()
        };
        for (logs, folder) in [("/r\ntouch x", "/w"), ("/r", "/w\ntouch x"), ("/r", "/w\u{7}")] {
            assert!(matches!(of(logs, folder), Err(ClusterError::Path(..))), "{logs:?} {folder:?}");
        }
        assert!(of("/外 卖", "/w").is_ok());
    }

    /// What bash makes of it.
    #[test]
    #[cfg(unix)]
    fn quoted_texts_are_one_word_of_the_shell() {
        for text in ["", "plain", "a b", "it's", "$HOME `x` \"y\"", "a\\b", "外卖", "*"] {
            let script = format!("printf %s {}", quoted(text));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
        }
    }
}
