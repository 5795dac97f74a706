//! A report's files land in their folder together, and replace nothing that no report wrote.
//!
//! They are written into a folder within it and moved when all are whole. A list beside them says which files reports wrote here; those
//! of them that a later report no longer has are removed. A folder of the version before has no list and is known by its page.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use super::{ReportError, files};

/// The folder in which files wait until all are whole.
const WAITING: &str = ".taper-report-new";
/// The list of files that reports wrote.
const LIST: &str = ".taper-report";
/// What it begins with.
const HEAD: &str = "# Files that `taper report` wrote here. It replaces these, and no other.\n";

/// A report on its way into its folder.
pub struct Staged<'a> {
    out: &'a Path,
    waiting: PathBuf,
    /// Whether the folder was made for it.
    made: bool,
}

impl<'a> Staged<'a> {
    /// Makes the folder, where it is missing, and within it the one to write to.
    pub fn begin(out: &'a Path) -> Result<Self, ReportError> {
        let made = !out.exists();
        let waiting = out.join(WAITING);
        let failed = |error| ReportError::Folder { path: out.to_path_buf(), error };
        fs::create_dir_all(out).map_err(failed)?;
        // One that was killed left it.
        remove(&waiting).and_then(|()| fs::create_dir(&waiting)).map_err(failed)?;
        Ok(Self { out, waiting, made })
    }

    /// Where files are written.
    pub fn path(&self) -> &Path {
        &self.waiting
    }

    /// Moves the files to their folder, in their order. Gives back where they are.
    pub fn land(self, names: &[String], force: bool) -> Result<Vec<PathBuf>, ReportError> {
        let own = written_before(self.out);
        let foreign: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|name| {
                self.out.join(name).symlink_metadata().is_ok() && own.as_ref().is_some_and(|own| !own.contains(*name))
            })
            .collect();
        if !foreign.is_empty() && !force {
            return Err(ReportError::Foreign { path: self.out.to_path_buf(), names: foreign.join(", ") });
        }
        let new: BTreeSet<String> = names.iter().cloned().collect();
        let stale: Vec<String> = own.iter().flatten().filter(|name| !new.contains(*name)).cloned().collect();
        // The list first: cut short anywhere, what landed is known as a report's.
        let known = own.unwrap_or_default().into_iter().chain(names.iter().cloned()).collect::<BTreeSet<String>>();
        files::write(&self.waiting.join(LIST), list(&known).as_bytes())?;
        let mut landed = Vec::new();
        for name in [LIST].into_iter().chain(names.iter().map(String::as_str)) {
            let to = self.out.join(name);
            fs::rename(self.waiting.join(name), &to).map_err(|error| ReportError::Write { path: to.clone(), error })?;
            landed.push(to);
        }
        // The report has landed: a file of the one before that cannot be removed stays in the list, for the next report.
        let (left, removed): (Vec<String>, Vec<String>) =
            stale.into_iter().partition(|name| remove_file(&self.out.join(name)).is_err());
        if !removed.is_empty() {
            // What gets one of the removed names from now on is somebody else's.
            let known = new.into_iter().chain(left).collect();
            let _ = files::write(&self.out.join(LIST), list(&known).as_bytes());
        }
        Ok(landed)
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        let _ = remove(&self.waiting);
        if self.made {
            // Only where nothing landed.
            let _ = fs::remove_dir(self.out);
        }
    }
}

/// The text of the list.
fn list(names: &BTreeSet<String>) -> String {
    names.iter().fold(HEAD.to_string(), |text, name| text + name + "\n")
}

/// Removes a file of the list: a name, so that it lies in the folder, and not what somebody put in its way since.
fn remove_file(path: &Path) -> Result<(), ReportError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound && !path.is_dir() => {
            Err(ReportError::Write { path: path.to_path_buf(), error })
        }
        _ => Ok(()),
    }
}

/// Names of the files in a folder that reports wrote; none where all that could be there is a report's: its page is one of the
/// version before, which kept no list.
fn written_before(out: &Path) -> Option<BTreeSet<String>> {
    match fs::read_to_string(out.join(LIST)) {
        Ok(list) => Some(
            // A name, and no path that leads out of the folder.
            list.strip_prefix(HEAD)
                .unwrap_or_default()
                .lines()
                .filter(|name| Path::new(name).file_name().is_some_and(|file| file == *name))
                .map(String::from)
                .collect(),
        ),
        Err(_) if is_page(&out.join("report.html")) => None,
        Err(_) => Some(BTreeSet::new()),
    }
}

/// Whether a file is the page of a report: it holds what every version of the page did.
fn is_page(path: &Path) -> bool {
    let Ok(text) = fs::read_to_string(path) else { return false };
    text.starts_with("<!doctype html>")
        && ["--paper:", "taper run ", "taper report "].iter().all(|own| text.contains(own))
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn land(out: &Path, files: &[(&str, &str)], force: bool) -> Result<Vec<PathBuf>, ReportError> {
        let staged = Staged::begin(out)?;
        files.iter().for_each(|(name, text)| fs::write(staged.path().join(name), text).unwrap());
        staged.land(&files.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>(), force)
    }

    #[test]
    fn a_report_replaces_its_own_files_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("a/b");
        land(&out, &[("report.html", "1"), ("loss.svg", "1")], false).unwrap();
        fs::write(out.join("notes.txt"), "mine").unwrap();
        fs::write(out.join("steps.csv"), "mine").unwrap();
        land(&out, &[("report.html", "2"), ("loss.svg", "2")], false).unwrap();
        let error = land(&out, &[("report.html", "3"), ("steps.csv", "3")], false).unwrap_err().to_string();
        assert!(error.contains("no report wrote") && error.contains(": steps.csv;"), "{error}");
        let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
        assert_eq!(
            (read("report.html"), read("steps.csv"), read("notes.txt")),
            ("2".into(), "mine".into(), "mine".into())
        );
        land(&out, &[("report.html", "3"), ("steps.csv", "3")], true).unwrap();
        assert_eq!((read("report.html"), read("steps.csv")), ("3".into(), "3".into()));
        assert!(!out.join(WAITING).exists());
    }

    #[test]
    fn what_a_later_report_no_longer_has_is_removed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("report");
        let there = |name: &str| out.join(name).exists();
        land(&out, &[("report.html", "1"), ("loss.svg", "1"), ("probes.svg", "1"), ("steps.csv", "1")], false).unwrap();
        fs::write(out.join("mine.svg"), "mine").unwrap();
        fs::write(dir.path().join("outside.svg"), "mine").unwrap();
        // One that was removed, one that is a folder by now, and a line that no report wrote.
        fs::remove_file(out.join("steps.csv")).unwrap();
        fs::remove_file(out.join("probes.svg")).unwrap();
        fs::create_dir(out.join("probes.svg")).unwrap();
        let list = fs::read_to_string(out.join(LIST)).unwrap();
        fs::write(out.join(LIST), format!("{list}../outside.svg\n")).unwrap();
        land(&out, &[("report.html", "2")], false).unwrap();
        assert!(!there("loss.svg") && there("report.html") && there("mine.svg") && there("probes.svg"));
        assert!(dir.path().join("outside.svg").exists());
        // A name that was a report's once is not one any more.
        fs::write(out.join("loss.svg"), "mine").unwrap();
        land(&out, &[("report.html", "3")], false).unwrap();
        assert_eq!(fs::read_to_string(out.join("loss.svg")).unwrap(), "mine");
        assert!(matches!(land(&out, &[("loss.svg", "4")], false), Err(ReportError::Foreign { .. })));
    }

    #[test]
    fn a_folder_of_the_version_before_is_known_by_its_page() {
        let dir = tempfile::tempdir().unwrap();
        let page = "<!doctype html>\n<style>:root{--paper:#fff}</style> taper run x.toml, taper report x";
        fs::write(dir.path().join("report.html"), page).unwrap();
        fs::write(dir.path().join("runs.csv"), "old").unwrap();
        land(dir.path(), &[("report.html", "new"), ("runs.csv", "new")], false).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("runs.csv")).unwrap(), "new");

        let mine = tempfile::tempdir().unwrap();
        fs::write(mine.path().join("report.html"), "<!doctype html>my own").unwrap();
        assert!(matches!(land(mine.path(), &[("report.html", "x")], false), Err(ReportError::Foreign { .. })));
    }

    #[test]
    fn what_fails_leaves_no_folder_behind() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("new");
        drop(Staged::begin(&out).unwrap());
        assert!(!out.exists());
    }
}
