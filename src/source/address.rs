//! Parses and formats what follows `hf:`, `modelscope:` and `https:`.

use std::fmt;

use sha2::{Digest, Sha256};

/// A repository, a revision of it, and a file or folder in it: `OWNER/NAME[@REVISION][/FILE]`.
///
/// The revision ends at the first `/`, except in `refs/pr/N` and `refs/convert/NAME`, which are taken as a whole like in the hub's own
/// tools; in other branch names `/` must be written as `%2F`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Repository {
    /// `OWNER/NAME`.
    pub repo: String,
    /// Branch, tag or commit.
    pub revision: Option<String>,
    /// Path of a file or folder in the repository.
    pub file: Option<String>,
}

impl Repository {
    /// Parses a text.
    ///
    /// # Errors
    /// What is wrong with it, to be appended to the key's name.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (owner, rest) = text.split_once('/').ok_or("has no owner")?;
        let end = rest.find(['@', '/']).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let named =
            |part: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) && !part.is_empty();
        if !named(owner) || !named(name) || [owner, name].iter().any(|part| part.starts_with('.')) {
            return Err("is not `OWNER/NAME`");
        }
        let (revision, file) = match rest.strip_prefix('@') {
            Some(rest) => {
                let (revision, file) = rest.split_at(revision_end(rest));
                if revision.is_empty() {
                    return Err("has an empty revision after `@`");
                }
                let revision = revision.replace("%2F", "/").replace("%2f", "/");
                let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
                let odd = |c: char| c.is_whitespace() || c.is_control() || "\\?#%:".contains(c);
                if revision.contains(odd) || !revision.split('/').all(plain) {
                    return Err("has an invalid revision");
                }
                (Some(revision), file)
            }
            None => (None, rest),
        };
        let file = match file.strip_prefix('/') {
            Some(file) if file.split('/').all(|part| !part.is_empty() && part != "." && part != "..") => Some(file),
            Some(_) => return Err("has an invalid path inside the repository"),
            None => None,
        };
        Ok(Self { repo: format!("{owner}/{name}"), revision, file: file.map(String::from) })
    }
}

/// The end of the revision at the start of a text.
fn revision_end(text: &str) -> usize {
    let slash = |from: usize| text[from..].find('/').map_or(text.len(), |at| from + at);
    match ["refs/pr/", "refs/convert/"].iter().find(|prefix| text.starts_with(**prefix)) {
        Some(prefix) => slash(prefix.len()),
        None => slash(0),
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repo)?;
        if let Some(revision) = &self.revision {
            match revision_end(revision) == revision.len() {
                true => write!(f, "@{revision}")?,
                false => write!(f, "@{}", revision.replace('/', "%2F"))?,
            }
        }
        self.file.as_ref().map_or(Ok(()), |file| write!(f, "/{file}"))
    }
}

/// The name of the digest that replaces a query.
const HIDDEN: &str = "hidden-sha256=";

/// A file on the web: `https://HOST/FILE[#sha256=…]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WebFile {
    /// Its address, without what follows `#`.
    pub url: String,
    /// Its expected SHA-256, 64 hex digits in lower case.
    pub sha256: Option<String>,
}

impl WebFile {
    /// Parses a text.
    ///
    /// # Errors
    /// What is wrong with it, to be appended to the key's name.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (url, fragment) = text.split_once('#').map_or((text, None), |(url, fragment)| (url, Some(fragment)));
        let sha256 = match fragment.map(|fragment| fragment.strip_prefix("sha256=").unwrap_or("")) {
            Some(digest) if digest.len() != 64 || !digest.bytes().all(|b| b.is_ascii_hexdigit()) => {
                return Err("has an invalid fragment; after `#` it takes `sha256=` and 64 hex digits");
            }
            digest => digest.map(str::to_ascii_lowercase),
        };
        let (scheme, rest) = url.split_once("://").ok_or("is not a URL")?;
        let (host, path) = rest.split_once('/').ok_or("names no file")?;
        let name = path.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        if host.contains('@') {
            return Err("contains a user name or a password: specs are stored and shown, so leave credentials out");
        }
        if host.is_empty() || name.is_empty() || url.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err("names no file");
        }
        if scheme == "http" && sha256.is_none() {
            return Err(
                "uses unencrypted http, so the file could be altered in transit: add its `#sha256=…`, or use https",
            );
        }
        Ok(Self { url: url.into(), sha256 })
    }

    /// Its address without what follows `?`, which may be a secret: it is replaced by a digest, so that addresses which differ there still
    /// differ.
    pub fn shown(&self) -> String {
        let digest = self.sha256.as_ref().map(|digest| format!("#sha256={digest}")).unwrap_or_default();
        match self.url.split_once('?') {
            // The form in a lock file, which keeps a hash of the query.
            Some((address, query)) if !query.starts_with(HIDDEN) => {
                let hash: String = Sha256::digest(query).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
                format!("{address}?{HIDDEN}{hash}{digest}")
            }
            _ => self.to_string(),
        }
    }

    /// The file's name: the last part of the address.
    pub fn name(&self) -> &str {
        self.url.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for WebFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)?;
        self.sha256.as_ref().map_or(Ok(()), |digest| write!(f, "#sha256={digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn possible_secrets_are_shown_as_a_digest() {
        let shown = |text: &str| WebFile::parse(text).unwrap().shown();
        assert_eq!(shown("https://a.example/x.csv"), "https://a.example/x.csv");
        // printf 'token=s3cret&v=2' | sha256sum
        let hidden = shown("https://a.example/d/x.csv?token=s3cret&v=2");
        assert!(
            hidden.starts_with("https://a.example/d/x.csv?hidden-sha256=") && !hidden.contains("s3cret"),
            "{hidden}"
        );
        assert_ne!(hidden, shown("https://a.example/d/x.csv?token=s3cret&v=3"));
        assert_eq!(shown(&hidden), hidden);
        let digest = "0".repeat(64);
        assert!(shown(&format!("https://a.example/x.csv?k=s#sha256={digest}")).ends_with(&format!("#sha256={digest}")));
    }

    fn repository(repo: &str, revision: Option<&str>, file: Option<&str>) -> Repository {
        Repository { repo: repo.into(), revision: revision.map(String::from), file: file.map(String::from) }
    }

    #[test]
    fn addresses_are_parsed_and_written_back() {
        for (text, expected) in [
            ("hfl/rbt3", repository("hfl/rbt3", None, None)),
            ("hfl/rbt3@main", repository("hfl/rbt3", Some("main"), None)),
            ("a/b/data/x.csv", repository("a/b", None, Some("data/x.csv"))),
            ("a/b@v1/data/x.csv", repository("a/b", Some("v1"), Some("data/x.csv"))),
            ("a/b@refs/pr/3/x.csv", repository("a/b", Some("refs/pr/3"), Some("x.csv"))),
            ("a/b@refs/convert/parquet", repository("a/b", Some("refs/convert/parquet"), None)),
            ("a/b@feature%2Fnew/x.csv", repository("a/b", Some("feature/new"), Some("x.csv"))),
            ("a/b/部分/数据 1.csv", repository("a/b", None, Some("部分/数据 1.csv"))),
        ] {
            assert_eq!(Repository::parse(text).as_ref(), Ok(&expected), "{text}");
            assert_eq!(expected.to_string(), text);
        }
        for text in [
            "",
            "a",
            "/a",
            "a/",
            "a/@v",
            "a/b@",
            "a/b@/x",
            "a/b/",
            "a/b//x",
            "a/b/../c",
            "../b",
            "a/..",
            "a/b@..",
            "a/b@%2F..%2F..",
            "a b/c",
            "a/b@x y",
        ] {
            assert!(Repository::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_of_files_can_contain_their_digest() {
        let digest = "0123456789abcdef".repeat(4);
        let file = WebFile::parse(&format!("https://a.example/d/x.csv?v=2#sha256={}", digest.to_uppercase())).unwrap();
        assert_eq!((file.name(), file.sha256.as_deref()), ("x.csv", Some(digest.as_str())));
        assert_eq!(file.to_string(), format!("https://a.example/d/x.csv?v=2#sha256={digest}"));
        assert!(WebFile::parse(&format!("http://a.example/x.csv#sha256={digest}")).is_ok());
        for text in [
            "https://a.example",
            "https://a.example/",
            "https://a.example/x.csv#md5=1",
            "http://a.example/x.csv",
            "https://a.example/x.csv#sha256=12",
            "https://me:secret@a.example/x.csv",
            "https:///x.csv",
            "https:x",
        ] {
            assert!(WebFile::parse(text).is_err(), "{text}");
        }
    }
}
