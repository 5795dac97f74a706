//! Large files: which of them the store has, and how the others get there.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use serde_json::{Value, json};

use super::{
    call::{Caller, Denial},
    error::PushError,
    hub::AT_A_TIME,
};
use crate::assets::{
    Listener, Progress,
    failure::Failure,
    http::{Sent, same_origin},
};

/// What Git LFS calls its JSON.
const LFS: [(&str, &str); 2] =
    [("accept", "application/vnd.git-lfs+json"), ("content-type", "application/vnd.git-lfs+json")];

/// The hub's own address, which answers may name although a mirror was asked.
const PUBLIC: &str = "https://huggingface.co";

/// A large file.
pub(super) struct Large<'a> {
    pub name: &'a str,
    pub path: &'a Path,
    pub size: u64,
    pub sha256: &'a str,
}

impl Caller<'_> {
    /// Brings files into the store. Returns for each whether it was sent; the store had the others.
    pub fn store(&self, branch: &str, files: &[Large<'_>]) -> Result<Vec<bool>, PushError> {
        const WHAT: &str = "the large files";
        let mut sent = Vec::new();
        for some in files.chunks(AT_A_TIME) {
            let url = format!("{}/{}.git/info/lfs/objects/batch", self.settings.hub.url, self.repo);
            let objects: Vec<Value> =
                some.iter().map(|file| json!({ "oid": file.sha256, "size": file.size })).collect();
            let body = json!({
                "operation": "upload", "transfers": ["basic", "multipart"], "objects": objects, "hash_algo": "sha256",
                "ref": { "name": branch },
            });
            let answer = self.lfs(&url, &body, true).map_err(|denial| self.explain(WHAT, denial))?;
            for file in some {
                let of = |object: &&Value| object["oid"] == file.sha256;
                let object = answer["objects"].as_array().and_then(|all| all.iter().find(of));
                let object = object.ok_or_else(|| self.odd(WHAT, "it does not say what to do with each file"))?;
                if let Some(error) = object.get("error").filter(|error| !error.is_null()) {
                    return Err(self.refused(file, error["message"].as_str().unwrap_or("it gives no reason")));
                }
                let actions = object.get("actions").filter(|actions| !actions.is_null());
                if let Some(actions) = actions {
                    self.upload(file, actions)?;
                }
                sent.push(actions.is_some());
            }
        }
        Ok(sent)
    }

    fn refused(&self, file: &Large<'_>, cause: &str) -> PushError {
        let cause = crate::assets::origin::plain(cause);
        PushError::Refused { endpoint: self.endpoint(), repo: self.repo.into(), file: file.name.into(), cause }
    }

    /// Sends JSON in the form of Git LFS, with the token only to the hub.
    fn lfs(&self, url: &str, body: &Value, to_hub: bool) -> Result<Value, Denial> {
        let text = body.to_string();
        let is_hub = to_hub && same_origin(&self.settings.hub.url, url);
        let token = self.settings.hub.token.as_ref().filter(|_| is_hub);
        self.tried("the store", || {
            let answer = self.once(Sent { url, token, headers: &LFS, ..Sent::post(text.as_bytes()) })?;
            let text = answer.text().map_err(Denial::Failed)?;
            // The answers that confirm something may be empty.
            Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
        })
    }

    /// An address of an answer; that of the public hub is meant to be the one that was asked.
    fn address(&self, action: &Value) -> Option<String> {
        let href = action["href"].as_str()?;
        Some(match href.strip_prefix(PUBLIC) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{}{rest}", self.settings.hub.url),
            _ => href.into(),
        })
    }

    /// Sends a file in one piece or in parts, and has it confirmed.
    fn upload(&self, file: &Large<'_>, actions: &Value) -> Result<(), PushError> {
        const WHAT: &str = "a large file";
        let explain = |denial| self.explain(WHAT, denial);
        let odd = || self.odd(WHAT, "it does not say where the file is stored");
        let url = self.address(&actions["upload"]).ok_or_else(odd)?;
        (self.listener)(Progress::Began { file: file.name, done: 0, total: Some(file.size) });
        let header = &actions["upload"]["header"];
        match whole(&header["chunk_size"]) {
            Some(size) if size > 0 => {
                let parts = parts(header, file.size, size)
                    .ok_or_else(|| self.odd(WHAT, "its list of parts is not complete"))?;
                let mut tags = Vec::new();
                for (at, part) in parts.iter().enumerate() {
                    let from = at as u64 * size;
                    let tag = self.put(file, part, from, size.min(file.size - from)).map_err(explain)?;
                    let tag = tag.ok_or_else(|| self.odd(WHAT, "the store gives a part no tag"))?;
                    tags.push(json!({ "partNumber": at + 1, "etag": tag }));
                }
                self.lfs(&url, &json!({ "oid": file.sha256, "parts": tags }), false).map_err(explain)?;
            }
            _ => drop(self.put(file, &url, 0, file.size).map_err(explain)?),
        }
        let verify = Some(&actions["verify"]).filter(|verify| verify.is_object());
        if let Some(url) = verify.and_then(|verify| self.address(verify)) {
            self.lfs(&url, &json!({ "oid": file.sha256, "size": file.size }), true).map_err(explain)?;
        }
        (self.listener)(Progress::Ended { file: file.name });
        Ok(())
    }

    /// Sends `len` bytes of a file from `from` on; returns the tag that the store gives them.
    fn put(&self, file: &Large<'_>, url: &str, from: u64, len: u64) -> Result<Option<String>, Denial> {
        let failed = |error| Denial::Failed(Failure::Io { path: file.path.into(), error });
        self.tried(file.name, || {
            let mut open = File::open(file.path).map_err(failed)?;
            open.seek(SeekFrom::Start(from)).map_err(failed)?;
            let mut reader = Told { reader: open.take(len), listener: &self.listener, file: file.name, done: from };
            let answer = self.once(Sent { url, ..Sent::put(&mut reader, len) })?;
            Ok(answer.header("etag").map(String::from))
        })
    }
}

/// A whole number that may be written as a text.
fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// The addresses of all parts, in their order: `header` has them by their numbers.
fn parts(header: &Value, size: u64, part: u64) -> Option<Vec<String>> {
    let mut numbered: Vec<(u64, &str)> =
        header.as_object()?.iter().filter_map(|(name, url)| Some((name.parse().ok()?, url.as_str()?))).collect();
    numbered.sort_unstable();
    let is_whole = numbered.len() as u64 == size.div_ceil(part);
    is_whole.then(|| numbered.into_iter().map(|(_, url)| url.to_owned()).collect())
}

/// Tells a listener what was read.
struct Told<'a, R> {
    reader: R,
    listener: &'a Listener,
    file: &'a str,
    done: u64,
}

impl<R: Read> Read for Told<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.reader.read(buffer)?;
        self.done += n as u64;
        (self.listener)(Progress::Advanced { file: self.file, done: self.done });
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_in_the_order_of_their_numbers_and_none_is_missing() {
        let header = json!({ "chunk_size": "4", "10": "j", "2": "b", "1": "a" });
        assert_eq!(whole(&header["chunk_size"]), Some(4));
        assert_eq!(parts(&header, 12, 4).unwrap(), ["a", "b", "j"]);
        assert_eq!([parts(&header, 13, 4), parts(&header, 8, 4)], [None, None]);
    }
}
