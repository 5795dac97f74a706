//! Writes a model as a file, one constant after another, so that no more than one of them is in memory.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use prost::{
    Message,
    encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len},
};

use super::{
    initializer::Initializer,
    proto::{
        EXTERNAL, GRAPH_FIELD, GraphProto, INITIALIZER_FIELD, ModelProto, OperatorSetIdProto, RAW_DATA_FIELD,
        StringStringEntryProto, TensorProto,
    },
};
use crate::execute::ExecuteError;

/// The version of ONNX's operators: the first with LayerNormalization.
pub const OPSET: i64 = 17;
/// The version of the format that came with it.
pub const IR_VERSION: i64 = 8;
/// The most bytes of an ONNX file: 2 GiB, as of all protocol buffers.
pub const LONGEST: u64 = i32::MAX as u64;
/// The names of the files.
const MODEL: &str = "model.onnx";
const WEIGHTS: &str = "model.onnx.data";
/// Constants of fewer bytes stay in the model: programs look at them to learn shapes.
const LEAST_APART: u64 = 1024;
/// The most bytes of a file around its graph: versions and names.
const FRAME: u64 = 64;
/// Where numbers begin in the other file, so that it can be mapped into memory.
const ALIGNMENT: u64 = 4096;

/// Writes a graph with its constants to a folder. If the file would be longer than `longest`, the numbers of large constants are in a file of
/// their own beside it. Returns the names of the files.
///
/// # Errors
/// A file cannot be written, or a constant not be produced.
pub fn write(
    graph: &GraphProto,
    constants: &[Initializer],
    longest: u64,
    folder: &Path,
) -> Result<Vec<OsString>, ExecuteError> {
    let whole: Vec<Entry> = constants.iter().map(|constant| Entry::new(constant, None)).collect();
    // The frame of the file needs some bytes more.
    if length(graph, &whole) <= longest.saturating_sub(FRAME) {
        write_model(graph, &whole, &folder.join(MODEL))?;
        return Ok(vec![MODEL.into()]);
    }
    let mut end = 0u64;
    let entries: Vec<Entry> = constants
        .iter()
        .map(|constant| {
            if constant.bytes() < LEAST_APART {
                return Entry::new(constant, None);
            }
            let from = end.next_multiple_of(ALIGNMENT);
            end = from + constant.bytes();
            Entry::new(constant, Some(from))
        })
        .collect();
    write_weights(&entries, &folder.join(WEIGHTS))?;
    write_model(graph, &entries, &folder.join(MODEL))?;
    Ok(vec![MODEL.into(), WEIGHTS.into()])
}

/// A constant, and its message without its numbers.
struct Entry<'a> {
    constant: &'a Initializer<'a>,
    header: Vec<u8>,
    /// Where its numbers are in the other file; `None`: they are in the model.
    at: Option<u64>,
}

impl<'a> Entry<'a> {
    fn new(constant: &'a Initializer<'a>, at: Option<u64>) -> Self {
        let pair = |key: &str, value: String| StringStringEntryProto { key: Some(key.into()), value: Some(value) };
        let external = |at: u64| {
            [
                pair("location", WEIGHTS.into()),
                pair("offset", at.to_string()),
                pair("length", constant.bytes().to_string()),
            ]
        };
        let header = TensorProto {
            dims: constant.shape.iter().map(|n| *n as i64).collect(),
            data_type: Some(constant.data_type as i32),
            name: Some(constant.name.clone()),
            raw_data: None,
            external_data: at.into_iter().flat_map(external).collect(),
            data_location: at.map(|_| EXTERNAL),
        };
        Self { constant, header: header.encode_to_vec(), at }
    }

    /// Bytes of its message.
    fn length(&self) -> u64 {
        let numbers = match self.at {
            None => field(RAW_DATA_FIELD, self.constant.bytes()),
            Some(_) => 0,
        };
        self.header.len() as u64 + numbers
    }
}

/// Bytes of a field of this length with its key.
fn field(tag: u32, length: u64) -> u64 {
    key_len(tag) as u64 + encoded_len_varint(length) as u64 + length
}

/// Bytes of a graph with its constants.
fn length(graph: &GraphProto, entries: &[Entry]) -> u64 {
    graph.encoded_len() as u64 + entries.iter().map(|entry| field(INITIALIZER_FIELD, entry.length())).sum::<u64>()
}

/// The beginning of a field of this length.
fn beginning(tag: u32, length: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(tag, WireType::LengthDelimited, &mut bytes);
    encode_varint(length, &mut bytes);
    bytes
}

fn write_model(graph: &GraphProto, entries: &[Entry], path: &Path) -> Result<(), ExecuteError> {
    let model = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("taper".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        graph: None,
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(OPSET) }],
    };
    to_file(path, |out| {
        out.write_all(&model.encode_to_vec())?;
        out.write_all(&beginning(GRAPH_FIELD, length(graph, entries)))?;
        out.write_all(&graph.encode_to_vec())?;
        for entry in entries {
            out.write_all(&beginning(INITIALIZER_FIELD, entry.length()))?;
            out.write_all(&entry.header)?;
            if entry.at.is_none() {
                out.write_all(&beginning(RAW_DATA_FIELD, entry.constant.bytes()))?;
                out.write_all(&numbers(entry.constant)?)?;
            }
        }
        Ok(())
    })
}

fn write_weights(entries: &[Entry], path: &Path) -> Result<(), ExecuteError> {
    to_file(path, |out| {
        let mut end = 0;
        for (entry, at) in entries.iter().filter_map(|entry| Some((entry, entry.at?))) {
            out.write_all(&vec![0; (at - end) as usize])?;
            out.write_all(&numbers(entry.constant)?)?;
            end = at + entry.constant.bytes();
        }
        Ok(())
    })
}

/// The numbers of a constant; an error that is not one of a file is inside of that which is returned.
fn numbers(constant: &Initializer) -> io::Result<Vec<u8>> {
    let bytes = (constant.numbers)().map_err(io::Error::other)?;
    assert_eq!(bytes.len() as u64, constant.bytes(), "{} has other numbers than its shape says", constant.name);
    Ok(bytes)
}

/// Writes a file that is durable when this returns.
fn to_file(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), ExecuteError> {
    let written = File::create(path).and_then(|file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        write(&mut out)?;
        out.into_inner().map_err(|e| e.into_error())?.sync_all()
    });
    written.map_err(|error| {
        error.downcast::<ExecuteError>().unwrap_or_else(|error| ExecuteError::Io { path: path.into(), error })
    })
}
