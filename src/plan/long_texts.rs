//! What becomes of texts that are longer than the model reads at once.

use crate::format::count;

/// How texts are read: at most so many tokens at once, and what becomes of longer ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongTexts {
    /// The most tokens that the model reads at once, including special tokens.
    pub max_length: usize,
    /// What becomes of a text of more.
    pub policy: LongPolicy,
}

/// What becomes of a text that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LongPolicy {
    /// Its end is cut, or its beginning where the tokenizer's `truncation_side` is `left`.
    Cut,
    /// Its middle is cut.
    HeadTail {
        /// Tokens that stay of its beginning, without special tokens; fewer than there is room for.
        head: usize,
    },
    /// It is read in windows.
    Windows {
        /// Tokens that neighbouring windows share; fewer than there is room for in one.
        stride: usize,
    },
}

impl LongTexts {
    /// A quarter of `max_length`: the default of `data.stride` and `data.head_tokens`. 128 of 512 tokens are what Sun et al. (2019), "How
    /// to Fine-Tune BERT for Text Classification?", keep of the beginning, and what windows usually share.
    pub fn quarter(max_length: usize) -> usize {
        max_length / 4
    }

    /// What stays of a long text with its first `head` tokens: `the first 128 and the last 382`; without any, `the last 510`. `special`: how
    /// many tokens the tokenizer adds to it. Where that is not known: `the first 128 and the end`.
    pub fn kept(&self, head: usize, special: Option<usize>) -> String {
        let end = match special {
            Some(special) => format!("the last {}", count(self.max_length.saturating_sub(special + head) as u64)),
            None => "the end".into(),
        };
        match head {
            0 => end,
            head => format!("the first {} and {end}", count(head as u64)),
        }
    }

    /// Whether a text can have several windows.
    pub fn has_windows(&self) -> bool {
        matches!(self.policy, LongPolicy::Windows { .. })
    }
}

impl From<usize> for LongTexts {
    /// Texts of more than `max_length` tokens are cut.
    fn from(max_length: usize) -> Self {
        Self { max_length, policy: LongPolicy::Cut }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Long, resolve, run_key, testing};
    use super::*;

    /// Settings of one choice do not count under another, and defaults count as if they were written.
    #[test]
    fn equal_ways_to_read_long_texts_are_equal_runs() {
        let of = |long, stride, head_tokens| {
            let mut spec = testing::spec();
            (spec.data.long, spec.data.stride, spec.data.head_tokens) = (long, stride, head_tokens);
            let config = resolve(&spec).unwrap();
            (config.data.long_texts(), run_key(&config, &Default::default(), 1, false))
        };
        let base = of(Long::Cut, None, None);
        assert_eq!(base.0, LongTexts::from(128));
        assert_eq!(of(Long::Cut, Some(9), Some(9)), base);
        let windows = of(Long::Windows, None, None);
        assert_eq!(windows.0.policy, LongPolicy::Windows { stride: 32 });
        assert_eq!(of(Long::Windows, Some(32), Some(5)), windows);
        let head = of(Long::HeadTail, None, None);
        assert_eq!(head.0.policy, LongPolicy::HeadTail { head: 32 });
        assert_eq!(of(Long::HeadTail, Some(1), Some(32)), head);
        let others = [of(Long::Windows, Some(31), None).1, of(Long::HeadTail, None, Some(31)).1];
        let mut keys = vec![base.1, windows.1, head.1];
        keys.extend(others);
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 5);
        assert_eq!(head.0.kept(32, Some(2)), "the first 32 and the last 94");
        assert_eq!(head.0.kept(32, Some(1)), "the first 32 and the last 95");
        assert_eq!(head.0.kept(0, Some(2)), "the last 126");
        assert_eq!([32, 0].map(|tokens| head.0.kept(tokens, None)), ["the first 32 and the end", "the end"]);
        assert_eq!([512, 128, 3].map(LongTexts::quarter), [128, 32, 0]);
    }
}
