//! Texts that share memory: a million small allocations take as long as reading a million rows.

use std::{
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    sync::Arc,
};

/// A text in memory that it shares with others. It is as cheap to clone as a pointer, and keeps all of that memory.
#[derive(Clone)]
pub struct SharedText {
    all: Arc<String>,
    start: u32,
    bytes: u32,
}

impl SharedText {
    /// The text as `str`.
    pub fn as_str(&self) -> &str {
        let start = self.start as usize;
        &self.all[start..start + self.bytes as usize]
    }

    /// The same text in memory of its own.
    pub(super) fn alone(&self) -> Self {
        self.as_str().into()
    }
}

/// Texts that are put together, in order.
#[derive(Default)]
pub(super) struct Together {
    text: String,
}

impl Together {
    /// With memory for texts of so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes) }
    }

    /// Adds a text; returns the end of the texts so far.
    ///
    /// # Panics
    /// The texts have more than 4 GiB.
    pub(super) fn add(&mut self, text: &str) -> u32 {
        self.text.push_str(text);
        u32::try_from(self.text.len()).expect("texts of less than 4 GiB")
    }

    /// Bytes so far.
    pub(super) fn bytes(&self) -> usize {
        self.text.len()
    }

    /// The texts, one for each of the ends that [`Self::add`] returned.
    pub(super) fn finish(mut self, ends: impl IntoIterator<Item = u32>) -> impl Iterator<Item = SharedText> {
        self.text.shrink_to_fit();
        let (all, mut start) = (Arc::new(self.text), 0);
        ends.into_iter().map(move |end| {
            let text = SharedText { all: Arc::clone(&all), start, bytes: end - start };
            start = end;
            text
        })
    }
}

impl From<String> for SharedText {
    /// # Panics
    /// The text has more than 4 GiB.
    fn from(text: String) -> Self {
        let bytes = u32::try_from(text.len()).expect("a text of less than 4 GiB");
        Self { all: Arc::new(text), start: 0, bytes }
    }
}

impl From<&str> for SharedText {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl Deref for SharedText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for SharedText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for SharedText {}

impl Hash for SharedText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Debug for SharedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for SharedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn texts_put_together_are_those_that_were_added() {
        let texts = ["好吃", "", "a", "", "很 慢"];
        let mut together = Together::default();
        let ends: Vec<u32> = texts.iter().map(|text| together.add(text)).collect();
        assert_eq!((together.bytes(), &ends[..]), (14, &[6, 6, 7, 7, 14][..]));
        let shared: Vec<SharedText> = together.finish(ends).collect();
        assert_eq!(shared.iter().map(SharedText::as_str).collect::<Vec<_>>(), texts);
        assert_eq!(shared[1], shared[3]);
        assert_eq!(shared[0], SharedText::from("好吃"));
        assert_ne!(shared[0], shared[4]);
        assert_eq!(shared.iter().collect::<HashSet<_>>().len(), 4, "texts are the same wherever they are");
        assert_eq!(format!("{:?} {}", shared[0], shared[2]), "\"好吃\" a");
    }

    #[test]
    fn a_text_alone_keeps_no_others() {
        let mut together = Together::with_capacity(100);
        let ends = ["abc", "de"].map(|text| together.add(text));
        let shared: Vec<SharedText> = together.finish(ends).collect();
        let alone = shared[1].alone();
        assert_eq!((alone.as_str(), alone.all.as_str()), ("de", "de"));
    }
}
