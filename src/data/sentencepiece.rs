//! What a tokenizer's model that SentencePiece trained says of tokens: a file in the format of protocol buffers (`ModelProto` of
//! sentencepiece_model.proto).

/// Bytes of all pieces together at most: the models that are published have 3 MB.
pub(super) const PIECES: usize = 16 << 20;

/// Bytes that one piece can have. The library keeps pieces in a tree with a node for each byte, and goes through it by recursion: a long
/// one would overflow the stack.
const PIECE: usize = 1 << 10;

/// # Errors
/// A piece of so many bytes is too long.
pub(super) fn check_piece(bytes: usize) -> Result<(), String> {
    match bytes <= PIECE {
        true => Ok(()),
        false => Err(format!("it has a piece of {bytes} bytes; expected at most {PIECE}")),
    }
}

/// A model's pieces in the order of their ids, and what else decides about tokens.
#[derive(Debug, PartialEq)]
pub(super) struct SentencePiece {
    /// Each piece with its score.
    pub pieces: Vec<(String, f64)>,
    /// Pieces that are tokens of their own in a text, in their order, and whether they are control symbols (else a user's).
    pub symbols: Vec<(String, bool)>,
    /// The id of what is unknown.
    pub unk_id: usize,
    /// Its table of characters; empty if it has none.
    pub charsmap: Vec<u8>,
    /// Whether it is a Unigram model.
    pub is_unigram: bool,
    /// Whether it spells unknown characters as bytes.
    pub byte_fallback: bool,
}

/// Kinds of pieces.
const CONTROL: u64 = 3;
const USER_DEFINED: u64 = 4;
/// The kind of model.
const UNIGRAM: u64 = 1;

impl SentencePiece {
    /// The model in these bytes.
    ///
    /// # Errors
    /// Where they are another kind of file, truncated, or have too many pieces; in words.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut model = Self {
            pieces: Vec::new(),
            symbols: Vec::new(),
            unk_id: 0,
            charsmap: Vec::new(),
            is_unigram: true,
            byte_fallback: false,
        };
        let mut length = 0;
        let mut fields = Fields::new(bytes, 0);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, value) => {
                    model.take_piece(value.message("a piece", &fields)?)?;
                    let piece = model.pieces.last().map_or(0, |(piece, _)| piece.len());
                    check_piece(piece)?;
                    length += piece;
                    if length > PIECES {
                        return Err(format!("its pieces have more than {PIECES} bytes together"));
                    }
                }
                (2, value) => model.take_trainer(value.message("the trainer's settings", &fields)?)?,
                (3, value) => model.take_normalizer(value.message("the normalizer's settings", &fields)?)?,
                _ => {}
            }
        }
        match model.pieces.is_empty() {
            true => Err("it has no pieces".into()),
            false => Ok(model),
        }
    }

    fn take_piece(&mut self, mut fields: Fields<'_>) -> Result<(), String> {
        let (mut piece, mut score, mut kind) = ("", 0f32, 1);
        let id = self.pieces.len();
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, Value::Bytes(bytes)) => {
                    piece = std::str::from_utf8(bytes).map_err(|_| format!("piece {id} is not UTF-8"))?;
                }
                (2, Value::Four(bytes)) => score = f32::from_le_bytes(bytes),
                (3, Value::Number(number)) => kind = number,
                (1..=3, _) => return Err(format!("field {number} of piece {id} is of the wrong type")),
                _ => {}
            }
        }
        if piece.is_empty() || !score.is_finite() {
            return Err(format!("piece {id} (`{piece}`) has the score {score}; expected a string and a number"));
        }
        if kind == CONTROL || kind == USER_DEFINED {
            self.symbols.push((piece.to_owned(), kind == CONTROL));
        }
        self.pieces.push((piece.to_owned(), score.into()));
        Ok(())
    }

    fn take_trainer(&mut self, mut fields: Fields<'_>) -> Result<(), String> {
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (3, Value::Number(kind)) => self.is_unigram = kind == UNIGRAM,
                (35, Value::Number(yes)) => self.byte_fallback = yes != 0,
                (40, Value::Number(id)) => {
                    self.unk_id = usize::try_from(id)
                        .map_err(|_| format!("the id of its unknown token is {id}, which is too large"))?;
                }
                (3 | 35 | 40, _) => {
                    return Err(format!("field {number} of the trainer's settings is of the wrong type"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn take_normalizer(&mut self, mut fields: Fields<'_>) -> Result<(), String> {
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (2, Value::Bytes(table)) => self.charsmap = table.to_vec(),
                (2, _) => return Err("its table of characters is of the wrong type".into()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A field's value, as it is written.
#[derive(Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Four([u8; 4]),
    Eight,
}

impl<'a> Value<'a> {
    /// The fields of a message that ends where `outer` is.
    fn message(self, what: &str, outer: &Fields<'_>) -> Result<Fields<'a>, String> {
        match self {
            Self::Bytes(bytes) => Ok(Fields::new(bytes, outer.at - bytes.len())),
            _ => Err(format!("at byte {}, expected {what}", outer.at)),
        }
    }
}

/// The fields of a message.
struct Fields<'a> {
    rest: &'a [u8],
    /// Where `rest` begins in the file.
    at: usize,
}

impl<'a> Fields<'a> {
    fn new(rest: &'a [u8], at: usize) -> Self {
        Self { rest, at }
    }

    /// The next field with its number.
    fn next(&mut self) -> Result<Option<(u64, Value<'a>)>, String> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.number()?;
        let value = match tag & 7 {
            0 => Value::Number(self.number()?),
            1 => {
                self.take(8)?;
                Value::Eight
            }
            2 => {
                let length = self.number()?;
                Value::Bytes(self.take(usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            5 => {
                let four = self.take(4)?;
                Value::Four([four[0], four[1], four[2], four[3]])
            }
            kind => return Err(format!("at byte {}, a field of kind {kind}, which does not exist", self.at)),
        };
        match tag >> 3 {
            0 => Err(format!("at byte {}, a field with the number 0", self.at)),
            number => Ok(Some((number, value))),
        }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            return Err(format!(
                "at byte {}, {} bytes are left of {length}: it is truncated",
                self.at,
                self.rest.len()
            ));
        };
        (self.rest, self.at) = (rest, self.at + length);
        Ok(taken)
    }

    /// A number of up to ten bytes, seven bits in each.
    fn number(&mut self) -> Result<u64, String> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(format!("at byte {}, a number of more than ten bytes", self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field of bytes.
    fn bytes(number: u8, value: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, value.len() as u8], value].concat()
    }

    fn piece(text: &str, score: f32, kind: u8) -> Vec<u8> {
        bytes(
            1,
            &[bytes(1, text.as_bytes()), [&[2 << 3 | 5][..], &score.to_le_bytes()].concat(), vec![3 << 3, kind]]
                .concat(),
        )
    }

    #[test]
    fn a_piece_longer_than_any_word_is_refused() {
        let model = |bytes: usize| {
            let varint = |n: usize| [n as u8 | 0x80, (n >> 7) as u8];
            let text = [&[0x0A][..], &varint(bytes), &vec![b'a'; bytes]].concat();
            [&[0x0A][..], &varint(text.len()), &text].concat()
        };
        let error = SentencePiece::read(&model(1025)).err();
        assert_eq!(error.as_deref(), Some("it has a piece of 1025 bytes; expected at most 1024"));
        assert!(SentencePiece::read(&model(1024)).is_ok());
    }

    #[test]
    fn pieces_and_settings_are_read() {
        // A number of two bytes is the tag of field 40, and one of field 35; field 9 is unknown.
        let trainer =
            [vec![3 << 3, 1], vec![0x98, 2, 1], vec![0xc0, 2, 2], vec![9 << 3 | 1, 1, 2, 3, 4, 5, 6, 7, 8]].concat();
        let file = [
            piece("<s>", 0.0, 3),
            piece("好", -1.5, 1),
            piece("<unk>", 0.0, 2),
            piece("<e>", -2.0, 4),
            bytes(2, &trainer),
            bytes(3, &[bytes(1, b"nfkc"), bytes(2, &[7, 8])].concat()),
        ]
        .concat();
        let model = SentencePiece::read(&file).unwrap();
        let pieces =
            [("<s>", 0.0), ("好", -1.5), ("<unk>", 0.0), ("<e>", -2.0)].map(|(piece, score)| (piece.into(), score));
        let symbols = vec![("<s>".into(), true), ("<e>".into(), false)];
        let expected = SentencePiece {
            pieces: pieces.into(),
            symbols,
            unk_id: 2,
            charsmap: vec![7, 8],
            is_unigram: true,
            byte_fallback: true,
        };
        assert_eq!(model, expected);
        // Cut anywhere it is refused, or has fewer fields.
        for end in 0..file.len() {
            if let Ok(cut) = SentencePiece::read(&file[..end]) {
                assert!(cut != expected, "{end}");
            }
        }
    }

    #[test]
    fn files_of_another_kind_are_refused() {
        let says = |file: &[u8]| SentencePiece::read(file).unwrap_err();
        assert_eq!(says(b""), "it has no pieces");
        assert!(says(b"{\"version\": 1}").contains("a field of kind 3"), "{}", says(b"{\"version\": 1}"));
        assert!(says(&[0xff; 20]).contains("more than ten bytes"));
        assert!(says(&[1 << 3 | 2, 0xff, 0xff, 0xff, 0xff, 0x7f, 1]).contains("1 bytes are left of 34359738367"));
        assert!(says(&[1 << 3, 5]).contains("expected a piece"));
        assert!(says(&[2, 0]).contains("the number 0"));
        assert!(says(&piece("a", f32::NAN, 1)).contains("piece 0 (`a`) has the score NaN"));
        assert!(says(&piece("", 0.0, 1)).contains("piece 0"));
        assert!(says(&bytes(1, &bytes(1, &[0xff]))).contains("piece 0 is not UTF-8"));
        assert!(says(&bytes(1, &[1 << 3, 7])).contains("field 1 of piece 0 is of the wrong type"));
    }
}
