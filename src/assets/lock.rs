//! The lock file beside a spec: the resolved sources, so that they are the same on every machine and at any time.
//!
//! It is named like the spec with `.lock` appended, since two specs in one folder may use different revisions of the same source, and is
//! meant for version control. Only remote sources are pinned: files of `path:` sources are the user's own, and count in a run's key by
//! their digests anyway.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{AssetError, FilePin, files::below, hash::is_hex};
use crate::{plan::Source, regular};

/// How a source is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Use {
    /// A model.
    Model,
    /// A dataset.
    Data,
}

/// A resolved source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// How it is used.
    #[serde(rename = "use")]
    pub used_as: Use,
    /// The source as written in the spec.
    pub source: String,
    /// `data.file`, if the spec sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The resolved commit; on servers without commits, the revision itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// All files that are used.
    pub files: Vec<FilePin>,
}

impl Pin {
    /// Whether it pins this source.
    pub fn is_of(&self, used_as: Use, source: &str, file: Option<&str>) -> bool {
        self.used_as == used_as && self.source == source && self.file.as_deref() == file
    }
}

/// The content of a lock file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u32,
    #[serde(default, rename = "source")]
    pins: Vec<Pin>,
}

/// The lock beside a spec.
#[derive(Debug, Clone)]
pub struct Lock {
    path: PathBuf,
    pins: Vec<Pin>,
    /// The content of the file when it was read or written; `None` if there is no file.
    written: Option<Vec<Pin>>,
    /// Pins added since then.
    new: Vec<Pin>,
    /// Whether only those pins count.
    renewing: bool,
}

const VERSION: u32 = 1;
/// Largest lock file in bytes: it names some hundred files.
const LONGEST: u64 = 16 << 20;

const HEAD: &str = "\
# Written by taper: the files behind the sources of this spec. Keep it with the spec: runs use exactly these files and \
refuse others.
# `taper fetch SPEC --update` resolves the sources again and says what changed.
";

impl Lock {
    /// Reads the lock of a spec, if it has one.
    ///
    /// # Errors
    /// [`AssetError::Lock`] for an invalid file; [`AssetError::Io`] for one that cannot be read.
    pub fn beside(spec: &Path) -> Result<Self, AssetError> {
        let mut name = spec.file_name().unwrap_or_default().to_os_string();
        name.push(".lock");
        let path = spec.with_file_name(name);
        Self::at(path)
    }

    fn at(path: PathBuf) -> Result<Self, AssetError> {
        let refuse = |what: String| AssetError::Lock { path: path.clone(), what };
        let text = match regular::read(&path, LONGEST).map(String::from_utf8) {
            Ok(Ok(text)) => text,
            Ok(Err(_)) => return Err(refuse("it is not UTF-8".into())),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self { path, pins: Vec::new(), written: None, new: Vec::new(), renewing: false });
            }
            // Too large, not a regular file, or a circular link.
            Err(error) => {
                let kind = error.get_ref().and_then(|inner| inner.downcast_ref::<regular::NotRegular>());
                let what = match kind {
                    Some(regular::NotRegular::Pipe) => "it is a pipe; expected a regular file".into(),
                    _ => crate::format::io(&error),
                };
                return Err(refuse(what));
            }
        };
        let mut lock: Written = toml::from_str(&text).map_err(|e| refuse(e.to_string().trim_end().into()))?;
        if lock.version != VERSION {
            return Err(refuse(format!(
                "it has version {}, but this taper knows only version {VERSION}",
                lock.version
            )));
        }
        for pin in &mut lock.pins {
            // Written by an older version, or by hand: anything that may be a secret is dropped when the lock is written again.
            if let Ok(source @ Source::Web(_)) = Source::try_from(pin.source.clone()) {
                pin.source = source.shown();
            }
            // Names become paths, and the lock is untrusted.
            let plain = |name: &str| below(Path::new(""), name).is_some();
            if let Some(odd) = pin.files.iter().find(|file| !plain(&file.name) || !is_digest(&file.sha256)) {
                return Err(refuse(format!("it pins an invalid file `{}` of {}", odd.name, pin.source)));
            }
            if pin.files.is_empty() || pin.revision.as_ref().is_some_and(|revision| !plain(revision)) {
                return Err(refuse(format!("it pins no files of {}, or pins an invalid revision", pin.source)));
            }
        }
        Ok(Self { path, written: Some(lock.pins.clone()), pins: lock.pins, new: Vec::new(), renewing: false })
    }

    /// Its path, whether or not the file exists.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All pins.
    pub fn pins(&self) -> &[Pin] {
        &self.pins
    }

    /// The pins in the file, without those added since.
    pub fn written(&self) -> &[Pin] {
        self.written.as_deref().unwrap_or_default()
    }

    /// From now on sources are resolved again. Pins of sources that are not used stay.
    pub fn renew(&mut self) {
        self.renewing = true;
    }

    pub(super) fn find(&self, used_as: Use, source: &str, file: Option<&str>) -> Option<&Pin> {
        let pins = if self.renewing { &self.new } else { &self.pins };
        pins.iter().find(|pin| pin.is_of(used_as, source, file))
    }

    pub(super) fn add(&mut self, pin: Pin) {
        put(&mut self.new, pin.clone());
        put(&mut self.pins, pin);
    }

    /// Writes the new pins atomically, together with the current content of the file; returns whether there was anything to
    /// write.
    ///
    /// # Errors
    /// [`AssetError::Io`] if it cannot be written; [`AssetError::Raced`] if another command has pinned other files
    /// of the same source in the meantime.
    pub fn save(&mut self) -> Result<bool, AssetError> {
        if self.new.is_empty() {
            return Ok(false);
        }
        let mut pins = Self::at(self.path.clone())?.pins;
        for pin in &self.new {
            let there = pins.iter().find(|old| old.is_of(pin.used_as, &pin.source, pin.file.as_deref()));
            if !self.renewing && there.is_some_and(|there| there != pin) {
                return Err(AssetError::Raced { lock: self.path.clone(), source_: pin.source.clone() });
            }
            put(&mut pins, pin.clone());
        }
        self.pins = pins;
        self.new.clear();
        if self.written() == self.pins {
            return Ok(false);
        }
        let written = Written { version: VERSION, pins: self.pins.clone() };
        let io = |error| AssetError::Io { path: self.path.clone(), error };
        let text = toml::to_string(&written).map_err(|e| io(std::io::Error::other(e)))?;
        let temporary = self.path.with_extension(format!("lock.{}.tmp", std::process::id()));
        let done = File::create(&temporary)
            .and_then(|mut file| file.write_all(format!("{HEAD}{text}").as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&temporary, &self.path));
        done.map_err(|source| {
            let _ = fs::remove_file(&temporary);
            io(source)
        })?;
        self.written = Some(self.pins.clone());
        Ok(true)
    }
}

/// Adds a pin, replacing an older one of the same source.
fn put(pins: &mut Vec<Pin>, pin: Pin) {
    match pins.iter_mut().find(|old| old.is_of(pin.used_as, &pin.source, pin.file.as_deref())) {
        Some(old) => *old = pin,
        None => pins.push(pin),
    }
}

/// 64 hex digits in lower case.
fn is_digest(text: &str) -> bool {
    is_hex(text, 64) && !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// The differences between two pins of a source, one sentence each; empty if nothing changed.
pub fn differences(before: &Pin, now: &Pin) -> Vec<String> {
    let mut found = Vec::new();
    if before.revision != now.revision {
        let name = |revision: &Option<String>| revision.clone().unwrap_or_else(|| "none".into());
        found.push(format!("revision {} → {}", name(&before.revision), name(&now.revision)));
    }
    for file in &now.files {
        match before.files.iter().find(|old| old.name == file.name) {
            None => found.push(format!("{} is new ({} bytes)", file.name, file.size)),
            Some(old) if old != file => found.push(format!(
                "{} changed: sha256 {}… → {}…, {} → {} bytes",
                file.name,
                old.sha256.get(..12).unwrap_or_default(),
                file.sha256.get(..12).unwrap_or_default(),
                old.size,
                file.size
            )),
            Some(_) => {}
        }
    }
    for file in before.files.iter().filter(|old| now.files.iter().all(|file| file.name != old.name)) {
        found.push(format!("{} is now unused", file.name));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(source: &str, sha256: &str) -> Pin {
        let files = vec![FilePin { name: "x.csv".into(), size: 3, sha256: sha256.repeat(32) }];
        Pin { used_as: Use::Data, source: source.into(), file: None, revision: Some("c".into()), files }
    }

    #[test]
    fn locks_are_read_back_and_invalid_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let spec = dir.path().join("a.toml");
        let mut lock = Lock::beside(&spec).unwrap();
        assert_eq!(lock.path(), dir.path().join("a.toml.lock"));
        assert!(!lock.save().unwrap() && !lock.path().exists(), "nothing pinned, nothing written");
        lock.add(pin("hf:a/b", "11"));
        assert!(lock.save().unwrap() && !lock.save().unwrap());
        let again = Lock::beside(&spec).unwrap();
        assert_eq!(again.pins(), lock.pins());
        assert!(again.find(Use::Data, "hf:a/b", None).is_some());
        assert!(again.find(Use::Model, "hf:a/b", None).is_none());
        assert!(again.find(Use::Data, "hf:a/b", Some("y.csv")).is_none());
        let good = fs::read_to_string(lock.path()).unwrap();
        let wrong = ["version = 2", "version = 1\nmore = 1", "no lock", "version = 1\n[[source]]\nuse = \"data\""];
        let odd = [("x.csv", "../x.csv"), ("x.csv", "/x.csv"), ("\"c\"", "\"../c\""), ("1111", "11zz")];
        let odd = odd.map(|(old, new)| good.replacen(old, new, 1));
        for wrong in odd.iter().map(String::as_str).chain(wrong) {
            assert_ne!(wrong, good);
            fs::write(lock.path(), wrong).unwrap();
            let error = Lock::beside(&spec).unwrap_err().to_string();
            assert!(error.contains("a.toml.lock") && error.contains("taper fetch"), "{error}");
        }
    }

    #[test]
    fn pins_of_other_commands_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let lock = || Lock::beside(&dir.path().join("a.toml")).unwrap();
        let (mut one, mut two) = (lock(), lock());
        one.add(pin("hf:a/one", "11"));
        two.add(pin("hf:a/two", "22"));
        assert!(one.save().unwrap() && two.save().unwrap());
        assert_eq!(lock().pins(), [pin("hf:a/one", "11"), pin("hf:a/two", "22")]);
        // Resolving one source again does not change the other.
        let mut update = lock();
        update.renew();
        assert!(update.find(Use::Data, "hf:a/one", None).is_none());
        update.add(pin("hf:a/one", "33"));
        assert!(update.save().unwrap());
        assert_eq!(lock().pins(), [pin("hf:a/one", "33"), pin("hf:a/two", "22")]);
        // A command that resolved the same source differently has used files that are not pinned.
        let mut late = one;
        late.add(pin("hf:a/two", "44"));
        let error = late.save().unwrap_err().to_string();
        let advice = ": another command has pinned different files of hf:a/two in the meantime; run the same command again \
                      to use those";
        assert!(error.ends_with(&format!("a.toml.lock{advice}")), "{error}");
        assert_eq!(lock().pins()[1], pin("hf:a/two", "22"));
    }

    #[test]
    fn differences_are_named_one_by_one() {
        let mut now = pin("hf:a/b", "22");
        assert_eq!(differences(&pin("hf:a/b", "22"), &now), [""; 0]);
        now.revision = Some("d".into());
        now.files.push(FilePin { name: "new".into(), size: 1, sha256: String::new() });
        let found = differences(&pin("hf:a/b", "11"), &now).join("; ");
        assert!(
            found.contains("revision c → d") && found.contains("x.csv changed") && found.contains("new is new"),
            "{found}"
        );
    }
}
