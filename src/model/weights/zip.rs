//! Zip archives written by `torch.save`: stored parts, found through the directory at the end.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
};

/// A part of an archive: the offset and number of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// Offset of its local header.
    header: u64,
    pub size: u64,
    /// Whether the bytes are stored uncompressed and unencrypted.
    is_plain: bool,
}

/// The longest comment that can follow the record at the end.
const COMMENT: u64 = u16::MAX as u64;
/// Sizes of the records.
const END: usize = 22;
const END_64: usize = 56;
const LOCATOR_64: usize = 20;
const ENTRY: usize = 46;
const LOCAL: usize = 30;
/// A directory longer than this is not a model's.
const LONGEST: u64 = 64 << 20;

fn u16_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]).into())
}

fn u32_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]).into())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u32_at(bytes, at) | u32_at(bytes, at + 4) << 32
}

/// `length` bytes from `at`; the caller has checked that they exist, or they are refused.
fn bytes(file: &mut File, at: u64, length: usize) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; length];
    let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut bytes));
    read.map_err(|e| format!("its central directory points beyond the file: {e}"))?;
    Ok(bytes)
}

/// The parts of the archive in a file of `size` bytes, by name.
pub(super) fn parts(file: &mut File, size: u64) -> Result<BTreeMap<String, Part>, String> {
    let tail_at = size.saturating_sub(END as u64 + COMMENT);
    let tail = bytes(file, tail_at, (size - tail_at) as usize)?;
    let end = (0..=tail.len().saturating_sub(END)).rev().find(|&at| tail[at..].starts_with(b"PK\x05\x06"));
    let end = end.filter(|at| tail.len() - at >= END);
    let end = end.ok_or("the file is truncated (the central directory, which a zip archive ends with, is missing): copy or download it again")?;
    let record = &tail[end..];
    let (mut count, mut length, mut start) = (u16_at(record, 10), u32_at(record, 12), u32_at(record, 16));
    if count == 0xffff || length == 0xffff_ffff || start == 0xffff_ffff {
        let at = (tail_at + end as u64).checked_sub(LOCATOR_64 as u64).ok_or("its end is damaged")?;
        let locator = bytes(file, at, LOCATOR_64)?;
        if !locator.starts_with(b"PK\x06\x07") {
            return Err("its end is damaged".into());
        }
        let record = bytes(file, u64_at(&locator, 8), END_64)?;
        if !record.starts_with(b"PK\x06\x06") {
            return Err("its end is damaged".into());
        }
        (count, length, start) = (u64_at(&record, 32), u64_at(&record, 40), u64_at(&record, 48));
    }
    if length > LONGEST || start.checked_add(length).is_none_or(|end| end > size) {
        return Err("its central directory does not fit into the file".into());
    }
    let list = bytes(file, start, length as usize)?;
    let mut parts = BTreeMap::new();
    let mut at = 0usize;
    for _ in 0..count {
        let (name, part, next) = entry(&list, at)?;
        at = next;
        if parts.insert(name.clone(), part).is_some() {
            return Err(format!("two of its entries have the name {name}"));
        }
    }
    Ok(parts)
}

/// The directory entry at `at`, and the offset of the next.
fn entry(list: &[u8], at: usize) -> Result<(String, Part, usize), String> {
    let damaged = || "its central directory is damaged".to_string();
    let fixed = list.get(at..at + ENTRY).filter(|entry| entry.starts_with(b"PK\x01\x02")).ok_or_else(damaged)?;
    let [name, extra, comment] = [28, 30, 32].map(|at| u16_at(fixed, at) as usize);
    let rest = list.get(at + ENTRY..at + ENTRY + name + extra + comment).ok_or_else(damaged)?;
    let (mut packed, mut size, mut header) = (u32_at(fixed, 20), u32_at(fixed, 24), u32_at(fixed, 42));
    // Sizes beyond 32 bits are in an extra field, in order, each where the short one is full.
    let mut extra = &rest[name..name + extra];
    while extra.len() >= 4 {
        let (id, length) = (u16_at(extra, 0), u16_at(extra, 2) as usize);
        let field = extra.get(4..4 + length).ok_or_else(damaged)?;
        if id == 1 {
            let mut longs = field.as_chunks::<8>().0.iter().map(|b| u64::from_le_bytes(*b));
            for short in [&mut size, &mut packed, &mut header] {
                if *short == 0xffff_ffff {
                    *short = longs.next().ok_or_else(damaged)?;
                }
            }
        }
        extra = &extra[4 + length..];
    }
    let is_plain = u16_at(fixed, 10) == 0 && u16_at(fixed, 8) & 1 == 0 && packed == size;
    let name = String::from_utf8_lossy(&rest[..name]).into_owned();
    Ok((name, Part { header, size, is_plain }, at + ENTRY + rest.len()))
}

impl Part {
    /// The offset of its data, in a file of `size` bytes.
    pub fn start(&self, name: &str, file: &mut File, size: u64) -> Result<u64, String> {
        if !self.is_plain {
            return Err(format!("its entry {name} is compressed or encrypted, which torch.save never does"));
        }
        let local = bytes(file, self.header, LOCAL)?;
        if !local.starts_with(b"PK\x03\x04") {
            return Err(format!("its entry {name} is not where the central directory says"));
        }
        let start = self.header + LOCAL as u64 + u16_at(&local, 26) + u16_at(&local, 28);
        match start.checked_add(self.size) {
            Some(end) if end <= size => Ok(start),
            _ => Err(format!("its entry {name} reaches beyond the file's end")),
        }
    }

    /// Its bytes, at most `most`.
    pub fn read(&self, name: &str, file: &mut File, size: u64, most: u64) -> Result<Vec<u8>, String> {
        let start = self.start(name, file, size)?;
        if self.size > most {
            return Err(format!("its entry {name} has {} bytes, more than any model needs", self.size));
        }
        bytes(file, start, self.size as usize)
    }
}
