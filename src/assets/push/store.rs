//! Large files: how they get into the store, by the batch API of Git LFS.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use serde_json::{Value, json};

use super::{
    call::{Caller, Denial},
    error::PushError,
    hub::Hub,
    local::Local,
};
use crate::assets::{
    Listener, Progress,
    explained::plain,
    failure::Failure,
    http::{Sent, same_origin},
};

/// What Git LFS calls its JSON.
pub(super) const LFS: [(&str, &str); 2] =
    [("accept", "application/vnd.git-lfs+json"), ("content-type", "application/vnd.git-lfs+json")];

const WHAT: &str = "a large file";

/// Brings files into the store. Returns for each whether it was sent; the store had the others.
pub(super) fn store(hub: &dyn Hub, branch: &str, files: &[&Local]) -> Result<Vec<bool>, PushError> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let actions = hub.actions(branch, files)?;
    for (file, actions) in files.iter().zip(&actions) {
        if let Some(actions) = actions {
            upload(hub, file, actions)?;
        }
    }
    Ok(actions.iter().map(Option::is_some).collect())
}

/// What a hub is asked about large files, several at a time.
pub(super) struct Batch<'a> {
    pub caller: &'a Caller<'a>,
    /// Files in one request.
    pub at_a_time: usize,
    /// Whether the answer names each file; otherwise those that it leaves out, or names without an address, are stored.
    pub names_all: bool,
}

impl Batch<'_> {
    /// The subject of the requests.
    pub const WHAT: &'static str = "the large files";

    /// For each file how it is sent to the store; `None`: the store has it. `ask` sends objects of Git LFS, and returns the answer.
    pub fn actions(
        &self,
        files: &[&Local],
        ask: impl Fn(Vec<Value>) -> Result<Value, Denial>,
    ) -> Result<Vec<Option<Value>>, PushError> {
        let odd = || self.caller.odd(Self::WHAT, "it does not say what to do with each file");
        let mut all = Vec::new();
        for some in files.chunks(self.at_a_time) {
            let objects = some.iter().map(|file| json!({ "oid": file.sha256, "size": file.size })).collect();
            let answer = ask(objects).map_err(|denial| self.caller.explain(Self::WHAT, denial))?;
            let known = answer["objects"].as_array().ok_or_else(odd)?;
            for file in some {
                let Some(object) = known.iter().find(|object| object["oid"] == file.sha256) else {
                    if self.names_all {
                        return Err(odd());
                    }
                    all.push(None);
                    continue;
                };
                refused(self.caller, file, object)?;
                let is_sent = |actions: &&Value| match self.names_all {
                    true => !actions.is_null(),
                    false => actions["upload"].is_object(),
                };
                all.push(object.get("actions").filter(is_sent).cloned());
            }
        }
        Ok(all)
    }
}

/// The error of an object that the store does not take.
fn refused(caller: &Caller<'_>, file: &Local, object: &Value) -> Result<(), PushError> {
    let Some(error) = object.get("error").filter(|error| !error.is_null()) else { return Ok(()) };
    Err(PushError::Refused {
        endpoint: caller.endpoint(),
        repo: caller.repo.into(),
        file: file.name.clone(),
        cause: plain(error["message"].as_str().unwrap_or("it gives no reason")),
    })
}

/// Sends a file in one piece or in parts, and has it confirmed.
fn upload(hub: &dyn Hub, file: &Local, actions: &Value) -> Result<(), PushError> {
    let caller = hub.caller();
    let explain = |denial| caller.explain(WHAT, denial);
    let address = |action: &Value| action["href"].as_str().map(|href| hub.address(href));
    let url =
        address(&actions["upload"]).ok_or_else(|| caller.odd(WHAT, "it does not say where the file is stored"))?;
    (caller.listener)(Progress::Began { file: &file.name, done: 0, total: Some(file.size) });
    let header = &actions["upload"]["header"];
    match whole(&header["chunk_size"]) {
        Some(size) if size > 0 => {
            let parts =
                parts(header, file.size, size).ok_or_else(|| caller.odd(WHAT, "its list of parts is not complete"))?;
            let mut tags = Vec::new();
            for (at, part) in parts.iter().enumerate() {
                let from = at as u64 * size;
                let tag = put(hub, file, part, from, size.min(file.size - from)).map_err(explain)?;
                let tag = tag.ok_or_else(|| caller.odd(WHAT, "the store returned no ETag for a part"))?;
                tags.push(json!({ "partNumber": at + 1, "etag": tag }));
            }
            confirm(caller, &url, &json!({ "oid": file.sha256, "parts": tags }), false).map_err(explain)?;
        }
        _ => drop(put(hub, file, &url, 0, file.size).map_err(explain)?),
    }
    let verify = Some(&actions["verify"]).filter(|verify| verify.is_object());
    if let Some(url) = verify.and_then(address) {
        let body = json!({ "oid": file.sha256, "size": file.size });
        let is_hub = same_origin(&caller.hub().url, &url) || hub.is_own_store(&url);
        confirm(caller, &url, &body, is_hub).map_err(explain)?;
    }
    (caller.listener)(Progress::Ended { file: &file.name });
    Ok(())
}

/// Sends JSON in the form of Git LFS. What is answered may be empty.
fn confirm(caller: &Caller<'_>, url: &str, body: &Value, is_hub: bool) -> Result<(), Denial> {
    let text = body.to_string();
    caller.tried("the store", || {
        let sent = Sent { url, headers: &LFS, ..Sent::post(text.as_bytes()) };
        caller.once(if is_hub { caller.own(url, sent) } else { sent }).map(drop)
    })
}

/// Sends `len` bytes of a file from `from` on; returns the tag that the store gives them.
fn put(hub: &dyn Hub, file: &Local, url: &str, from: u64, len: u64) -> Result<Option<String>, Denial> {
    let caller = hub.caller();
    let failed = |error| Denial::Failed(Failure::Io { path: file.path.clone(), error });
    caller.tried(&file.name, || {
        let mut open = File::open(&file.path).map_err(failed)?;
        open.seek(SeekFrom::Start(from)).map_err(failed)?;
        let mut reader = Told { reader: open.take(len), listener: &caller.listener, file: &file.name, done: from };
        let sent = Sent { url, ..Sent::put(&mut reader, len) };
        let answer = caller.once(if hub.is_own_store(url) { caller.own(url, sent) } else { sent })?;
        hub.taken(answer)
    })
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
