//! What the model reads of a text at once: the whole text, or windows of a long one.

use std::{iter::once, ops::Range};

/// The tokens of one text, or of two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// With special tokens, cut to the length that was asked for unless they are read in windows.
    pub ids: Vec<u32>,
    /// Their token types; empty where all are 0.
    pub token_types: Vec<u32>,
    /// The tokens of each window among `ids`, without the special tokens at both ends, which every window has; empty where all ids are
    /// read at once. The windows cover the text, in its order or from its end.
    pub windows: Vec<Range<u32>>,
    /// How many tokens there were before any was cut.
    pub whole: usize,
    /// Whether there were more than `whole`: of a very long text only the beginning is looked at.
    pub or_more: bool,
}

impl Encoded {
    /// What the model reads, one after the other.
    pub fn windows(&self) -> impl Iterator<Item = Window<'_>> {
        (0..self.windows.len().max(1)).map(|index| Window::of(&self.ids, &self.token_types, &self.windows, index))
    }
}

/// Tokens that the model reads at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window<'a> {
    /// Token ids, in three parts: a window's special tokens are not beside it in its text.
    pub ids: [&'a [u32]; 3],
    /// Token types; empty where all are 0.
    pub token_types: &'a [u32],
}

impl<'a> Window<'a> {
    /// A text that is read at once: its token ids and token types (none where all are 0).
    pub fn whole(ids: &'a [u32], token_types: &'a [u32]) -> Self {
        Self { ids: [ids, &[], &[]], token_types }
    }

    /// The window with this index among those of a text, which are as in [`Encoded`].
    ///
    /// # Panics
    /// If there is no such window.
    pub(super) fn of(ids: &'a [u32], token_types: &'a [u32], windows: &[Range<u32>], index: usize) -> Self {
        if windows.is_empty() {
            return Self::whole(ids, token_types);
        }
        let Range { start, end } = windows[index];
        let ends = [&windows[0], &windows[windows.len() - 1]];
        let (first, last) = (ends[0].start.min(ends[1].start), ends[0].end.max(ends[1].end));
        // Only single texts have windows, and their token types are all 0.
        let ids = [&ids[..first as usize], &ids[start as usize..end as usize], &ids[last as usize..]];
        Self { ids, token_types: &[] }
    }

    /// How many tokens there are.
    pub fn tokens(&self) -> usize {
        self.ids.iter().map(|part| part.len()).sum()
    }
}

/// The windows of a text of `length` tokens that each have room for `room` of them and share `stride` with the one before, as transformers'
/// tokenizers return them: from the beginning, or from the end if `from_end`. The last may have fewer, or share more.
///
/// # Panics
/// If `stride` is not below `room`.
pub(super) fn windows(length: usize, room: usize, stride: usize, from_end: bool) -> Vec<Range<usize>> {
    assert!(stride < room, "windows of {room} tokens cannot share {stride}");
    let count = length.saturating_sub(room).div_ceil(room - stride);
    let window = |index: usize| {
        let skipped = index * (room - stride);
        match from_end {
            false => skipped..length.min(skipped + room),
            true => length.saturating_sub(skipped + room)..length - skipped,
        }
    };
    once(0).chain(1..=count).map(window).collect()
}

#[cfg(test)]
mod tests {
    use tokenizers::{Encoding, TruncationDirection};

    use super::*;

    /// Against `Encoding::truncate` of the tokenizers library, which transformers calls.
    #[test]
    fn windows_are_those_of_the_tokenizers_library() {
        let encoding = |n: usize| {
            let (ids, tokens) = ((0..n as u32).collect::<Vec<_>>(), vec!["x".into(); n]);
            Encoding::new(
                ids,
                vec![0; n],
                tokens,
                vec![None; n],
                vec![(0, 1); n],
                vec![0; n],
                vec![1; n],
                vec![],
                Default::default(),
            )
        };
        for (length, room) in (0..24).flat_map(|length| (1..9).map(move |room| (length, room))) {
            for (stride, from_end) in (0..room).flat_map(|stride| [(stride, false), (stride, true)]) {
                let mut whole = encoding(length);
                let direction = if from_end { TruncationDirection::Left } else { TruncationDirection::Right };
                whole.truncate(room, stride, direction);
                let want: Vec<&[u32]> = once(&whole).chain(whole.get_overflowing()).map(Encoding::get_ids).collect();
                let all: Vec<u32> = (0..length as u32).collect();
                let got = windows(length, room, stride, from_end);
                let got: Vec<&[u32]> = got.into_iter().map(|window| &all[window]).collect();
                assert_eq!(
                    got, want,
                    "{length} tokens in windows of {room} that share {stride}, from the end: {from_end}"
                );
            }
        }
    }

    #[test]
    fn a_window_has_the_special_tokens_of_its_text() {
        let ids = vec![101, 1, 2, 3, 4, 5, 102];
        let mut text = Encoded { ids, token_types: vec![], windows: vec![1..4, 3..6], whole: 7, or_more: false };
        let read = |text: &Encoded| text.windows().map(|window| window.ids.concat()).collect::<Vec<_>>();
        assert_eq!(read(&text), [[101, 1, 2, 3, 102], [101, 3, 4, 5, 102]]);
        assert_eq!(text.windows().map(|window| window.tokens()).collect::<Vec<_>>(), [5, 5]);
        text.windows.reverse();
        assert_eq!(read(&text), [[101, 3, 4, 5, 102], [101, 1, 2, 3, 102]]);
        // Templates have any number of special tokens at either end.
        text.windows = vec![2..5, 4..7];
        assert_eq!(read(&text), [[101, 1, 2, 3, 4], [101, 1, 4, 5, 102]]);
        text.windows = vec![1..5, 3..7];
        assert_eq!(read(&text), [[101, 1, 2, 3, 4], [101, 3, 4, 5, 102]]);
        (text.windows, text.token_types) = (vec![], vec![0, 0, 0, 1, 1, 1, 1]);
        assert_eq!(
            (read(&text), text.windows().next().unwrap().token_types),
            (vec![text.ids.clone()], &text.token_types[..])
        );
    }
}
