//! The Markdown of a card. What users name is text in it, not markup.

use crate::{format::one_line, report::format};

/// A page that grows.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    /// A heading.
    pub fn heading(&mut self, level: usize, text: &str) {
        self.block(&format!("{} {}", "#".repeat(level), md(text)));
    }

    /// A paragraph; what is between backticks is code.
    pub fn paragraph(&mut self, text: &str) {
        if !text.is_empty() {
            self.block(&format::markdown_ticks(text));
        }
    }

    /// A paragraph that has links; what users name in it was passed through [`md`].
    pub fn linked(&mut self, markdown: &str) {
        self.block(markdown);
    }

    /// A list; what is between backticks is code.
    pub fn list(&mut self, items: &[String]) {
        let items: Vec<String> = items.iter().map(|item| format!("- {}", format::markdown_ticks(item))).collect();
        if !items.is_empty() {
            self.block(&items.join("\n"));
        }
    }

    /// A table of texts.
    pub fn table(&mut self, heads: &[String], rows: &[Vec<String>]) {
        if rows.is_empty() {
            return;
        }
        let line =
            |cells: &[String]| format!("| {} |", cells.iter().map(|cell| md(cell)).collect::<Vec<_>>().join(" | "));
        let rule = format!("|{}", "---|".repeat(heads.len()));
        let lines: Vec<String> = [line(heads), rule].into_iter().chain(rows.iter().map(|row| line(row))).collect();
        self.block(&lines.join("\n"));
    }

    /// Text as it is, in a language of programs.
    pub fn code(&mut self, language: &str, text: &str) {
        let fence = format::fence(text);
        self.block(&format!("{fence}{language}\n{}\n{fence}", text.trim_end()));
    }

    fn block(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// The page, without characters that act on the text after them.
    pub fn finished(self) -> String {
        crate::format::visible(&self.0).into_owned()
    }
}

/// What a user names, on one line, with all markup escaped.
pub(super) fn md(text: &str) -> String {
    format::markdown(&one_line(text))
}
