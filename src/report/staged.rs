//! Writes the files of a report into their folder together, and never replaces a file that no report wrote.
//!
//! They are written into a temporary folder within it and moved once all are complete. A list beside them says which files reports wrote
//! here; a later report removes those that it no longer has. Folders of earlier versions have no list and are recognised by their page.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use super::{ReportError, files};

/// The folder in which files are written before they are moved.
const TEMPORARY: &str = ".taper-report-new";
/// The list of files that reports wrote.
const LIST: &str = ".taper-report";
/// The same of an index page.
const LIST_OF_INDEX: &str = ".taper-index";
/// The first line of the list.
const HEADER: &str = "# Files that `taper report` wrote here. It replaces these, and no other.\n";

/// A report that is being written.
pub struct Staged<'a> {
    out: &'a Path,
    /// The list of files that were written before.
    list: &'static str,
    temporary: PathBuf,
    /// Whether this report created the folder.
    created: bool,
}

impl<'a> Staged<'a> {
    /// Creates the folder if it is missing, and the temporary folder within it.
    pub fn begin(out: &'a Path) -> Result<Self, ReportError> {
        Self::with_list(out, LIST)
    }

    /// The same for an index page, which replaces its own files only: a report may be in the same folder.
    pub fn index(out: &'a Path) -> Result<Self, ReportError> {
        Self::with_list(out, LIST_OF_INDEX)
    }

    fn with_list(out: &'a Path, list: &'static str) -> Result<Self, ReportError> {
        let created = !out.exists();
        let temporary = out.join(TEMPORARY);
        let failed = |error| ReportError::Folder { path: out.to_path_buf(), error };
        fs::create_dir_all(out).map_err(failed)?;
        // An interrupted report may have left one.
        remove(&temporary).and_then(|()| fs::create_dir(&temporary)).map_err(failed)?;
        Ok(Self { out, list, temporary, created })
    }

    /// The folder that files are written into.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Moves the files into their folder, in order, and returns their paths.
    pub fn publish(self, names: &[String], force: bool) -> Result<Vec<PathBuf>, ReportError> {
        self.check(names, force)?;
        let own = written_before(self.out, self.list);
        let new: BTreeSet<String> = names.iter().cloned().collect();
        let stale: Vec<String> = own.iter().flatten().filter(|name| !new.contains(*name)).cloned().collect();
        // The list is written first: if the process is killed, files that were already moved are known as a report's.
        let known = own.unwrap_or_default().into_iter().chain(names.iter().cloned()).collect::<BTreeSet<String>>();
        files::write(&self.temporary.join(self.list), list(&known).as_bytes())?;
        let mut landed = Vec::new();
        for name in [self.list].into_iter().chain(names.iter().map(String::as_str)) {
            let to = self.out.join(name);
            fs::rename(self.temporary.join(name), &to)
                .map_err(|error| ReportError::Write { path: to.clone(), error })?;
            landed.push(to);
        }
        // A file of the previous report that cannot be removed stays in the list, for the next report.
        let (left, removed): (Vec<String>, Vec<String>) =
            stale.into_iter().partition(|name| remove_file(&self.out.join(name)).is_err());
        if !removed.is_empty() {
            // A file that gets one of the removed names later is not a report's.
            let known = new.into_iter().chain(left).collect();
            let _ = files::write(&self.out.join(self.list), list(&known).as_bytes());
        }
        Ok(landed)
    }

    /// Refuses names of files that no report wrote, unless `force` allows to replace them.
    pub fn check(&self, names: &[String], force: bool) -> Result<(), ReportError> {
        let own = written_before(self.out, self.list);
        let is_foreign = |name: &&str| {
            self.out.join(name).symlink_metadata().is_ok() && own.as_ref().is_some_and(|own| !own.contains(*name))
        };
        let foreign: Vec<&str> = names.iter().map(String::as_str).filter(is_foreign).collect();
        match foreign.is_empty() || force {
            true => Ok(()),
            false => Err(ReportError::Foreign { path: self.out.to_path_buf(), names: foreign.join(", ") }),
        }
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        let _ = remove(&self.temporary);
        if self.created {
            // Removes the folder only if it is empty.
            let _ = fs::remove_dir(self.out);
        }
    }
}

/// The text of the list.
fn list(names: &BTreeSet<String>) -> String {
    names.iter().fold(HEADER.to_string(), |text, name| text + name + "\n")
}

/// Removes a file of the list by its name within the folder, unless something other than a file has that name now.
fn remove_file(path: &Path) -> Result<(), ReportError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound && !path.is_dir() => {
            Err(ReportError::Write { path: path.to_path_buf(), error })
        }
        _ => Ok(()),
    }
}

/// Names of the files in a folder that reports wrote; `None` if there is no list but a page that an earlier version wrote: then any file
/// with the name of a report's file may be replaced.
fn written_before(out: &Path, list: &str) -> Option<BTreeSet<String>> {
    match fs::read_to_string(out.join(list)) {
        Ok(list) => Some(
            // Only names, not paths that lead out of the folder.
            list.strip_prefix(HEADER)
                .unwrap_or_default()
                .lines()
                .filter(|name| Path::new(name).file_name().is_some_and(|file| file == *name))
                .map(String::from)
                .collect(),
        ),
        // No earlier version wrote an index.
        Err(_) if list == LIST && is_page(&out.join("report.html")) => None,
        Err(_) => Some(BTreeSet::new()),
    }
}

/// Whether a file is the page of a report: it contains what the page of every version contains.
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

    fn publish(out: &Path, files: &[(&str, &str)], force: bool) -> Result<Vec<PathBuf>, ReportError> {
        let staged = Staged::begin(out)?;
        files.iter().for_each(|(name, text)| fs::write(staged.path().join(name), text).unwrap());
        staged.publish(&files.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>(), force)
    }

    #[test]
    fn a_report_replaces_only_its_own_files() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("a/b");
        publish(&out, &[("report.html", "1"), ("loss.svg", "1")], false).unwrap();
        fs::write(out.join("notes.txt"), "mine").unwrap();
        fs::write(out.join("steps.csv"), "mine").unwrap();
        publish(&out, &[("report.html", "2"), ("loss.svg", "2")], false).unwrap();
        let error = publish(&out, &[("report.html", "3"), ("steps.csv", "3")], false).unwrap_err().to_string();
        assert!(error.contains("no report wrote") && error.contains(": steps.csv;"), "{error}");
        let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
        assert_eq!(
            (read("report.html"), read("steps.csv"), read("notes.txt")),
            ("2".into(), "mine".into(), "mine".into())
        );
        publish(&out, &[("report.html", "3"), ("steps.csv", "3")], true).unwrap();
        assert_eq!((read("report.html"), read("steps.csv")), ("3".into(), "3".into()));
        assert!(!out.join(TEMPORARY).exists());
    }

    /// Not even in a folder of an earlier version, none of which wrote an index.
    #[test]
    fn an_index_and_a_report_in_one_folder_leave_each_other_alone() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path();
        let index = |text: &str| {
            let staged = Staged::index(out).unwrap();
            fs::write(staged.path().join("index.html"), text).unwrap();
            staged.publish(&["index.html".into()], false).map(drop)
        };
        let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
        publish(out, &[("report.html", "1"), ("loss.svg", "1")], false).unwrap();
        index("1").unwrap();
        index("2").unwrap();
        publish(out, &[("report.html", "2")], false).unwrap();
        assert_eq!((read("report.html"), read("index.html")), ("2".into(), "2".into()));
        fs::remove_file(out.join(LIST)).unwrap();
        fs::remove_file(out.join(LIST_OF_INDEX)).unwrap();
        fs::write(out.join("report.html"), "<!doctype html> --paper: taper run a taper report a").unwrap();
        assert!(matches!(index("3"), Err(ReportError::Foreign { .. })));
        assert_eq!(read("index.html"), "2");
    }

    #[test]
    fn only_files_that_a_later_report_no_longer_has_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("report");
        let there = |name: &str| out.join(name).exists();
        publish(&out, &[("report.html", "1"), ("loss.svg", "1"), ("probes.svg", "1"), ("steps.csv", "1")], false)
            .unwrap();
        fs::write(out.join("mine.svg"), "mine").unwrap();
        fs::write(dir.path().join("outside.svg"), "mine").unwrap();
        // One that was removed, one that is now a folder, and a line that no report wrote.
        fs::remove_file(out.join("steps.csv")).unwrap();
        fs::remove_file(out.join("probes.svg")).unwrap();
        fs::create_dir(out.join("probes.svg")).unwrap();
        let list = fs::read_to_string(out.join(LIST)).unwrap();
        fs::write(out.join(LIST), format!("{list}../outside.svg\n")).unwrap();
        publish(&out, &[("report.html", "2")], false).unwrap();
        assert!(!there("loss.svg") && there("report.html") && there("mine.svg") && there("probes.svg"));
        assert!(dir.path().join("outside.svg").exists());
        // A name that was once a report's no longer counts.
        fs::write(out.join("loss.svg"), "mine").unwrap();
        publish(&out, &[("report.html", "3")], false).unwrap();
        assert_eq!(fs::read_to_string(out.join("loss.svg")).unwrap(), "mine");
        assert!(matches!(publish(&out, &[("loss.svg", "4")], false), Err(ReportError::Foreign { .. })));
    }

    #[test]
    fn a_folder_of_an_earlier_version_is_recognised_by_its_page() {
        let dir = tempfile::tempdir().unwrap();
        let page = "<!doctype html>\n<style>:root{--paper:#fff}</style> taper run x.toml, taper report x";
        fs::write(dir.path().join("report.html"), page).unwrap();
        fs::write(dir.path().join("runs.csv"), "old").unwrap();
        publish(dir.path(), &[("report.html", "new"), ("runs.csv", "new")], false).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("runs.csv")).unwrap(), "new");

        let mine = tempfile::tempdir().unwrap();
        fs::write(mine.path().join("report.html"), "<!doctype html>my own").unwrap();
        assert!(matches!(publish(mine.path(), &[("report.html", "x")], false), Err(ReportError::Foreign { .. })));
    }

    #[test]
    fn a_failed_report_leaves_no_folder_behind() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("new");
        drop(Staged::begin(&out).unwrap());
        assert!(!out.exists());
    }
}
