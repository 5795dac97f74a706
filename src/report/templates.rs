//! The two pages. The HTML template escapes every text; the Markdown template escapes only what passes the `md` filter.

use askama::Template;

use super::{
    format,
    frame::{self, Frame},
    view::View,
};

#[derive(Template)]
#[template(path = "report.html")]
struct Html<'a> {
    view: &'a View,
    frame: Frame,
}

#[derive(Template)]
#[template(path = "report.md")]
struct Markdown<'a> {
    view: &'a View,
}

/// The page as HTML.
pub fn html(view: &View, frame: Frame) -> askama::Result<String> {
    Ok(format::visible(&frame::with_contents(&Html { view, frame }.render()?)))
}

/// The page as Markdown.
pub fn markdown(view: &View) -> askama::Result<String> {
    Ok(format::visible(&Markdown { view }.render()?))
}

pub(super) mod filters {
    use std::fmt::Display;

    use crate::report::{
        format,
        language::{is_chinese, tr},
    };

    /// A text of the template, or its Chinese translation.
    #[askama::filter_fn]
    pub fn zh(english: &'static str, _: &dyn askama::Values, chinese: &'static str) -> askama::Result<&'static str> {
        Ok(tr(english, chinese))
    }

    /// Escapes text so that Markdown treats none of it as markup.
    #[askama::filter_fn]
    pub fn md(text: impl Display, _: &dyn askama::Values) -> askama::Result<String> {
        Ok(format::markdown(&text.to_string()))
    }

    /// Text as HTML that never breaks a line at a hyphen (`2e-5` stays whole), except in words longer than a column.
    #[askama::filter_fn]
    pub fn words(text: impl Display, _: &dyn askama::Values) -> askama::Result<String> {
        Ok(format::unbroken_words(&text.to_string()))
    }

    /// Text as HTML, with what is between backticks as code.
    #[askama::filter_fn]
    pub fn ticks(text: impl Display, _: &dyn askama::Values) -> askama::Result<String> {
        Ok(format::ticks(&text.to_string()))
    }

    /// A stored text, which is English on every page, as HTML.
    #[askama::filter_fn]
    pub fn english(text: impl Display, _: &dyn askama::Values) -> askama::Result<String> {
        let text = format::escaped(&text.to_string());
        Ok(if is_chinese() { format!("<span lang=\"en\">{text}</span>") } else { text })
    }

    /// Escapes text for Markdown, but for what is between backticks.
    #[askama::filter_fn]
    pub fn md_ticks(text: impl Display, _: &dyn askama::Values) -> askama::Result<String> {
        Ok(format::markdown_ticks(&text.to_string()))
    }

    /// A fenced code block whose fence is longer than any in the text.
    #[askama::filter_fn]
    pub fn code(text: impl Display, _: &dyn askama::Values, language: &str) -> askama::Result<String> {
        let text = text.to_string();
        let fence = format::fence(&text);
        Ok(format!("{fence}{language}\n{}\n{fence}", text.trim_end()))
    }
}
