//! The special tokens around one text or two, and how much of two texts is kept where they are too long together.

use tokenizers::{Encoding, PostProcessor, PostProcessorWrapper};

use super::guarded::guarded;

/// Where the tokens of one text or two are among the special tokens around them, and the token type of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// A special token.
    Special { id: u32, token_type: u32 },
    /// All tokens that are kept of the first (0) or the second (1) text.
    Text { of: usize, token_type: u32 },
}

/// Lengths of texts that show what a tokenizer puts around one, or how it joins two.
const SHOWN: [[usize; 2]; 2] = [[3, 1], [1, 2]];
/// An id that no special token has: ids of a vocabulary are far below.
const FREE: u32 = 1 << 31;

impl Template {
    /// What a post-processor does with one text.
    ///
    /// # Errors
    /// Where that is something else than putting special tokens around it, one before it at least, all of token type 0; in words.
    pub fn of_one(processor: &PostProcessorWrapper) -> Result<Self, String> {
        let template = Self::of(processor, false)?;
        match template.0.as_slice() {
            [Piece::Text { .. }, ..] => {
                Err("its post_processor puts no special token before a text, but the model predicts from such a token"
                    .into())
            }
            _ if template.largest_type() > 0 => {
                Err("its post_processor gives a single text token types other than 0".into())
            }
            _ => Ok(template),
        }
    }

    /// What a post-processor does with two texts.
    ///
    /// # Errors
    /// Where that is something else than putting special tokens around them, in words.
    pub fn of_two(processor: &PostProcessorWrapper) -> Result<Self, String> {
        Self::of(processor, true)
    }

    fn of(processor: &PostProcessorWrapper, two: bool) -> Result<Self, String> {
        let mut found: Option<Self> = None;
        for lengths in SHOWN {
            let (texts, joined) = Self::joined(processor, lengths, two)?;
            let template = Self::read(&joined);
            let (ids, types) = template.fill([&texts[0], &texts[1]]);
            let same = ids == joined.get_ids() && types == joined.get_type_ids();
            let holds = |of: usize| {
                template.0.iter().filter(|piece| matches!(piece, Piece::Text { of: text, .. } if *text == of)).count()
            };
            let texts_are_there = two || holds(0) == 1 && holds(1) == 0;
            if !same || !texts_are_there || found.as_ref().is_some_and(|found| *found != template) {
                let texts = if two {
                    "two texts than put special tokens around them"
                } else {
                    "a text than put special tokens around it"
                };
                return Err(format!("its post_processor does more with {texts}"));
            }
            found = Some(template);
        }
        found.ok_or_else(|| "its post_processor does not join texts".into())
    }

    /// Ids of two texts of these lengths, and the first alone or both joined.
    fn joined(
        processor: &PostProcessorWrapper,
        lengths: [usize; 2],
        two: bool,
    ) -> Result<([Vec<u32>; 2], Encoding), String> {
        let first = FREE + lengths[0] as u32;
        let texts = [(FREE..first).collect(), (first..first + lengths[1] as u32).collect::<Vec<u32>>()];
        let [a, b] = [0, 1].map(|text: usize| {
            let (ids, n) = (texts[text].clone(), texts[text].len());
            let (tokens, words, offsets) = (vec!["x".to_owned(); n], vec![None; n], vec![(0, 1); n]);
            Encoding::new(
                ids,
                vec![text as u32; n],
                tokens,
                words,
                offsets,
                vec![0; n],
                vec![1; n],
                vec![],
                Default::default(),
            )
        });
        let b = two.then_some(b);
        let joined =
            guarded("tokenizers", || processor.process(a, b, true).map_err(|error| error.to_string())).flatten()?;
        Ok((texts, joined))
    }

    fn read(joined: &Encoding) -> Self {
        let mut pieces = Vec::new();
        let tokens = joined.get_ids().iter().zip(joined.get_type_ids()).zip(joined.get_sequence_ids());
        for ((&id, &token_type), sequence) in tokens {
            let piece = match sequence {
                None => Piece::Special { id, token_type },
                Some(of) => Piece::Text { of: of.min(1), token_type },
            };
            if sequence.is_none() || pieces.last() != Some(&piece) {
                pieces.push(piece);
            }
        }
        Self(pieces)
    }

    /// `[CLS] a [SEP] b [SEP]`, with the type 1 for the second text and its `[SEP]`, as BERT joins two texts.
    pub fn of_bert(cls: u32, sep: u32) -> Self {
        let special = |id, token_type| Piece::Special { id, token_type };
        let text = |of, token_type| Piece::Text { of, token_type };
        Self(vec![special(cls, 0), text(0, 0), special(sep, 0), text(1, 1), special(sep, 1)])
    }

    /// `[CLS] a [SEP]`.
    pub fn around_one(cls: u32, sep: u32) -> Self {
        let special = |id| Piece::Special { id, token_type: 0 };
        Self(vec![special(cls), Piece::Text { of: 0, token_type: 0 }, special(sep)])
    }

    /// Special tokens that it puts before the first text.
    pub fn before(&self) -> usize {
        self.0.iter().take_while(|piece| matches!(piece, Piece::Special { .. })).count()
    }

    /// Special tokens that it adds.
    pub fn added(&self) -> usize {
        self.0.iter().filter(|piece| matches!(piece, Piece::Special { .. })).count()
    }

    /// The largest token type that it gives.
    pub fn largest_type(&self) -> u32 {
        let types = self.0.iter().map(|piece| match piece {
            Piece::Special { token_type, .. } | Piece::Text { token_type, .. } => *token_type,
        });
        types.max().unwrap_or_default()
    }

    /// The ids and token types of two texts with these ids.
    pub fn fill(&self, texts: [&[u32]; 2]) -> (Vec<u32>, Vec<u32>) {
        let length = texts[0].len() + texts[1].len() + self.added();
        let (mut ids, mut types) = (Vec::with_capacity(length), Vec::with_capacity(length));
        for piece in &self.0 {
            match *piece {
                Piece::Special { id, token_type } => {
                    ids.push(id);
                    types.push(token_type);
                }
                Piece::Text { of, token_type } => {
                    ids.extend_from_slice(texts[of]);
                    types.resize(ids.len(), token_type);
                }
            }
        }
        (ids, types)
    }
}

/// How many tokens are kept of two texts with so many, `most` together: the longer text is cut first, as by `truncation=True` of
/// transformers. Where both are cut they keep the same number, and the longer one (of two equally long, the second) keeps one more if
/// `most` is odd.
pub(super) fn longest_first(lengths: [usize; 2], most: usize) -> [usize; 2] {
    let [first, second] = lengths;
    if first + second <= most {
        return lengths;
    }
    let (shorter, half) = (first.min(second), most / 2);
    let [short, long] = if shorter <= half { [shorter, most - shorter] } else { [half, most - half] };
    if first > second { [long, short] } else { [short, long] }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against `truncate_encodings` of the tokenizers library, which transformers calls.
    #[test]
    fn as_much_is_kept_of_each_text_as_by_the_tokenizers_library() {
        use tokenizers::{TruncationDirection, TruncationParams, TruncationStrategy, truncate_encodings};
        let encoding = |n: usize| {
            Encoding::new(
                (0..n as u32).collect(),
                vec![0; n],
                vec!["x".into(); n],
                vec![None; n],
                vec![(0, 1); n],
                vec![0; n],
                vec![1; n],
                vec![],
                Default::default(),
            )
        };
        for (first, second, most) in
            (0..9).flat_map(|a| (0..9).flat_map(move |b| (0..20).map(move |most| (a, b, most))))
        {
            let params = TruncationParams {
                max_length: most,
                strategy: TruncationStrategy::LongestFirst,
                stride: 0,
                direction: TruncationDirection::Right,
            };
            let (a, b) = truncate_encodings(encoding(first), Some(encoding(second)), &params).unwrap();
            let want = [a.get_ids().len(), b.unwrap().get_ids().len()];
            assert_eq!(longest_first([first, second], most), want, "{first} and {second} to {most}");
        }
    }
}
