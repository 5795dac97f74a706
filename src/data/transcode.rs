//! Files in other encodings than UTF-8, decoded while they are read.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult};

use super::input_fault::InputFault;
use crate::plan::TextEncoding;

/// Bytes that are decoded at a time.
const BLOCK: usize = 1 << 15;

/// A file's text in UTF-8, without its byte order mark.
pub(super) struct Transcoded<R> {
    inner: R,
    decoder: Decoder,
    encoding: TextEncoding,
    /// What sets the encoding, for messages.
    setting: String,
    /// Bytes read and not yet decoded: `raw[start..end]`.
    raw: Vec<u8>,
    start: usize,
    end: usize,
    /// The file has been read to its end.
    ended: bool,
    /// Text that was decoded, of which so many bytes were handed on.
    text: Vec<u8>,
    handed: usize,
    state: State,
}

/// What follows the text decoded so far.
#[derive(PartialEq)]
enum State {
    More,
    Undecodable,
    End,
}

impl<R: Read> Transcoded<R> {
    pub(super) fn new(inner: R, encoding: TextEncoding, setting: String) -> Self {
        Self {
            inner,
            // A mark of this encoding is no part of the text; marks of others do not change the encoding.
            decoder: encoding.table().new_decoder_with_bom_removal(),
            encoding,
            setting,
            raw: vec![0; BLOCK],
            start: 0,
            end: 0,
            ended: false,
            text: Vec::new(),
            handed: 0,
            state: State::More,
        }
    }

    /// Decodes the next block into `text`.
    fn fill(&mut self) -> io::Result<()> {
        let mut text = std::mem::take(&mut self.text);
        // The most that a block decodes to, so that each call takes all of it.
        text.resize(3 * BLOCK + 16, 0);
        let result = self.decode(&mut text);
        text.truncate(*result.as_ref().unwrap_or(&0));
        (self.text, self.handed) = (text, 0);
        result.map(|_| ())
    }

    /// Decodes into `text` and returns how many bytes of it were written: 0 only at the end.
    fn decode(&mut self, text: &mut [u8]) -> io::Result<usize> {
        while self.state == State::More {
            if self.start == self.end && !self.ended {
                (self.start, self.end) = (0, self.inner.read(&mut self.raw)?);
                self.ended = self.end == 0;
            }
            let raw = &self.raw[self.start..self.end];
            let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(raw, text, self.ended);
            self.start += read;
            match result {
                DecoderResult::InputEmpty if self.ended => self.state = State::End,
                DecoderResult::InputEmpty | DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => self.state = State::Undecodable,
            }
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}

impl<R: Read> Read for Transcoded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.handed == self.text.len() {
            self.fill()?;
        }
        if self.text.is_empty() && self.state == State::Undecodable {
            // All before it has been handed on, so that the row in which it lies is the one being read.
            return Err(InputFault::Undecodable { encoding: self.encoding, setting: self.setting.clone() }.into());
        }
        let n = buf.len().min(self.text.len() - self.handed);
        buf[..n].copy_from_slice(&self.text[self.handed..][..n]);
        self.handed += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that come one at a time, so that each character is cut everywhere.
    struct Slowly<'a>(&'a [u8]);

    impl Read for Slowly<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            (buf[0], self.0) = (*first, rest);
            Ok(1)
        }
    }

    fn decoded(bytes: &[u8], encoding: &str) -> Result<String, String> {
        let text = |mut reader: Box<dyn Read + '_>| {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text).map_err(|error| error.to_string())
        };
        let encoding: TextEncoding = encoding.parse().unwrap();
        let whole = text(Box::new(Transcoded::new(bytes, encoding, "x".into())));
        assert_eq!(text(Box::new(Transcoded::new(Slowly(bytes), encoding, "x".into()))), whole);
        whole
    }

    #[test]
    fn texts_are_those_of_pythons_codecs() {
        // "味道😀,1\n".encode(…) in Python.
        let cases: [(&[u8], &str); 3] = [
            (b"\xCE\xB6\xB5\xC0\x94\x39\xFC\x36,1\n", "gb18030"),
            (b"\xff\xfe\x73\x54\x53\x90\x3d\xd8\x00\xde\x2c\x00\x31\x00\x0a\x00", "utf-16"),
            (b"\x54\x73\x90\x53\xd8\x3d\xde\x00\x00\x2c\x00\x31\x00\x0a", "utf-16be"),
        ];
        for (bytes, encoding) in cases {
            assert_eq!(decoded(bytes, encoding).as_deref(), Ok("味道😀,1\n"), "{encoding}");
        }
        assert_eq!(decoded(b"caf\xE9", "latin-1").as_deref(), Ok("café"));
        assert_eq!(decoded(b"\xA8\xFD\xB9\x44", "big5").as_deref(), Ok("味道"));
        assert_eq!(decoded(b"", "gb18030").as_deref(), Ok(""));
    }

    #[test]
    fn a_text_longer_than_a_block_is_decoded_to_its_end() {
        let text = "味道很好，还会再来。".repeat(BLOCK);
        let (bytes, ..) = encoding_rs::GB18030.encode(&text);
        assert!(decoded(&bytes, "gb18030").unwrap() == text);
    }

    #[test]
    fn bytes_that_the_encoding_lacks_are_refused_after_the_text_before_them() {
        for bytes in [b"ab\xFF,1".as_slice(), b"ab\x81"] {
            let error = decoded(bytes, "gb18030").unwrap_err();
            assert!(
                error.contains("is not valid gb18030, the encoding that the file is read in; correct x or the file"),
                "{error}"
            );
            let mut reader = Transcoded::new(bytes, TextEncoding::GB18030, "x".into());
            let mut before = [0; 16];
            assert_eq!(reader.read(&mut before).unwrap(), 2, "{:?}", &before[..4]);
        }
    }
}
