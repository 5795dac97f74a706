//! Opens a page in a browser.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, anyhow};
use taper::report::percent_encoded;

use super::super::Unusable;

/// The command that opens a page: that of the variable `BROWSER`, or the system's.
#[derive(Debug, PartialEq)]
pub struct Browser(Vec<String>);

impl Browser {
    /// Looks for it, before there is anything to open.
    ///
    /// # Errors
    /// There is none, or nothing to show a browser on.
    pub fn find() -> Result<Self> {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
        let has_display = cfg!(not(all(unix, not(target_os = "macos"))))
            || ["DISPLAY", "WAYLAND_DISPLAY"].into_iter().any(|name| set(name).is_some());
        let command = Self::of(set("BROWSER").as_deref(), has_display).map_err(|why| Unusable(anyhow!(why)))?;
        let program = &command.0[0];
        if !is_there(program) {
            let why = format!("--open cannot find the program `{program}`: set BROWSER to a browser's command");
            return Err(Unusable(anyhow!(why)).into());
        }
        Ok(command)
    }

    fn of(browser: Option<&str>, has_display: bool) -> Result<Self, String> {
        // Several commands may be separated by colons; the first one counts.
        if let Some(browser) = browser {
            let words: Vec<String> =
                browser.split(':').next().unwrap_or_default().split_whitespace().map(String::from).collect();
            return if words.is_empty() { Err("BROWSER names no command".into()) } else { Ok(Self(words)) };
        }
        let words: &[&str] = if cfg!(target_os = "macos") {
            &["open"]
        } else if cfg!(windows) {
            &["explorer"]
        } else {
            &["xdg-open"]
        };
        match has_display {
            true => Ok(Self(words.iter().map(|word| (*word).into()).collect())),
            false => Err(
                "--open needs a display, but neither DISPLAY nor WAYLAND_DISPLAY is set: leave it out and open the \
                 page on another machine, or set BROWSER to a command that shows it"
                    .into(),
            ),
        }
    }

    /// The command with the address in place of its `%s`, or at its end.
    fn words(&self, address: &str) -> Vec<String> {
        match self.0.iter().any(|word| word.contains("%s")) {
            true => self.0.iter().map(|word| word.replace("%s", address)).collect(),
            false => self.0.iter().cloned().chain([address.into()]).collect(),
        }
    }

    /// Opens a web address, without waiting for the browser.
    ///
    /// # Errors
    /// The command cannot be started.
    pub fn open(&self, address: &str) -> Result<()> {
        let words = self.words(address);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().map(drop).with_context(|| format!("the browser `{}` cannot be started", words[0]))
    }

    /// Opens a file.
    ///
    /// # Errors
    /// The file does not exist, or the command cannot be started.
    pub fn open_file(&self, path: &Path) -> Result<()> {
        let path = path.canonicalize().with_context(|| path.display().to_string())?;
        self.open(&file_address(&path))
    }
}

/// The address of a file with this absolute path.
fn file_address(path: &Path) -> String {
    let parts: Vec<String> = path.to_string_lossy().replace('\\', "/").split('/').map(percent_encoded).collect();
    format!("file://{}", parts.join("/"))
}

/// Whether a program can be started by this name.
fn is_there(program: &str) -> bool {
    if program.contains(std::path::MAIN_SEPARATOR) {
        return Path::new(program).is_file();
    }
    let folders: Vec<PathBuf> = env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default();
    folders
        .iter()
        .any(|folder| [program.to_string(), format!("{program}.exe")].iter().any(|p| folder.join(p).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_names_the_command() {
        let words = |browser: &str| Browser::of(Some(browser), false).map(|browser| browser.words("file:///a"));
        assert_eq!(words("firefox --new-tab %s:w3m").unwrap(), ["firefox", "--new-tab", "file:///a"]);
        assert_eq!(words("w3m").unwrap(), ["w3m", "file:///a"]);
        assert!(words(":").is_err());
    }

    #[test]
    fn a_file_has_an_address() {
        assert_eq!(file_address(Path::new("/a b/中/r#1.html")), "file:///a%20b/%E4%B8%AD/r%231.html");
    }
}
