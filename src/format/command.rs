//! Commands that messages name, so that they can be typed as they are.

use std::{borrow::Cow, env, path::Path};

/// The runs folder of a command without `--runs`, where `TAPER_RUNS` names no other.
const DEFAULT: &str = "runs";

/// A word for a POSIX shell, in quotes if it contains anything with a meaning there. Control characters are escaped, so that it is on one
/// line.
pub fn shell_word(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        Cow::Borrowed(word)
    } else if word.contains(char::is_control) {
        let escaped = |c: char| match c {
            '\'' | '\\' => format!("\\{c}"),
            c if c.is_control() => {
                c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("\\{byte:03o}")).collect::<String>()
            }
            c => c.to_string(),
        };
        Cow::Owned(format!("$'{}'", word.chars().map(escaped).collect::<String>()))
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

/// A command for the runs folder `runs`, to be typed in the shell of this process: with `--runs` unless it uses that folder without.
pub fn with_runs(command: &str, runs: &Path) -> String {
    let usual = env::var_os("TAPER_RUNS").filter(|folder| !folder.is_empty());
    beside(command, runs, usual.as_deref().map_or(Path::new(DEFAULT), Path::new))
}

fn beside(command: &str, runs: &Path, usual: &Path) -> String {
    match runs == usual {
        true => command.into(),
        false => format!("{command} --runs {}", shell_word(&runs.to_string_lossy())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_the_runs_folder_unless_it_is_the_one_used_without() {
        let command = |runs: &str, usual: &str| beside("taper report a", Path::new(runs), Path::new(usual));
        assert_eq!(command("runs", "runs"), "taper report a");
        assert_eq!(command("runs/", "runs"), "taper report a", "the same folder");
        assert_eq!(command("other", "runs"), "taper report a --runs other");
        assert_eq!(command("my runs", "runs"), "taper report a --runs 'my runs'");
        assert_eq!(command("runs", "other"), "taper report a --runs runs", "TAPER_RUNS names another");
        assert_eq!(command("other", "other"), "taper report a");
        assert_eq!(command("../it's", "runs"), r"taper report a --runs '../it'\''s'");
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(shell_word("train.lr=1e-4"), "train.lr=1e-4");
        assert_eq!(shell_word("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(shell_word(""), "''");
        assert_eq!(shell_word("a\r\nb"), r"$'a\015\012b'");
        assert_eq!(shell_word("it's \\ \u{9b}"), r"$'it\'s \\ \302\233'");
    }
}
