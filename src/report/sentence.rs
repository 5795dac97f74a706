//! A text of a page that may have a stored message in it.

use super::{
    format,
    language::{is_chinese, tr},
};

/// A text, with the message in it that was stored while runs were planned or trained. Those messages are English on every page, so a page in
/// another language marks them: screen readers then read them as English.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sentence {
    before: String,
    stored: String,
    after: &'static str,
}

impl Sentence {
    /// A stored message alone.
    pub fn stored(message: impl Into<String>) -> Self {
        Self { stored: message.into(), ..Self::default() }
    }

    /// Why a run failed: its message, if it left one, between the words of the page.
    pub fn about(before: &str, message: Option<&str>, after: &'static str) -> Self {
        match message {
            Some(message) => Self { before: before.into(), stored: message.into(), after },
            None => format!("{before}{}{after}", tr("it left no message", "没有留下错误信息")).into(),
        }
    }

    /// As HTML, with what is between backticks as code.
    pub fn html(&self) -> String {
        if self.stored.is_empty() || !is_chinese() {
            return format::ticks(&self.text());
        }
        let [before, stored, after] = [&self.before, &self.stored, self.after].map(format::ticks);
        format!("{before}<span lang=\"en\">{stored}</span>{after}")
    }

    /// As Markdown, with what is between backticks as code. It has no languages.
    pub fn markdown(&self) -> String {
        format::markdown_ticks(&self.text())
    }

    fn text(&self) -> String {
        format!("{}{}{}", self.before, self.stored, self.after)
    }
}

impl<T: Into<String>> From<T> for Sentence {
    fn from(text: T) -> Self {
        Self { before: text.into(), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Language;

    #[test]
    fn a_stored_message_is_marked_as_english_only_on_a_chinese_page() {
        let of = || Sentence::about("失败：", Some("set `a-b` & retry"), "。").html();
        let marked = "失败：<span lang=\"en\">set <code><span class=\"w\">a-b</span></code> &#38; retry</span>。";
        assert_eq!(Language::Chinese.during(of), marked);
        assert_eq!(of(), marked.replace("<span lang=\"en\">", "").replace(" retry</span>", " retry"));
        let own = || (Sentence::from("自己的").html(), Sentence::about("失败：", None, "。").html());
        assert_eq!(Language::Chinese.during(own), ("自己的".to_owned(), "失败：没有留下错误信息。".to_owned()));
        assert_eq!(own().1, "失败：it left no message。");
        assert_eq!(Language::Chinese.during(|| Sentence::stored("a|b").markdown()), format::markdown("a|b"));
    }
}
