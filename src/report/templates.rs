//! The two pages. HTML escapes every text by itself; Markdown escapes what the `md` filter is written behind.

use askama::Template;

use super::view::View;

#[derive(Template)]
#[template(path = "report.html")]
struct Html<'a> {
    view: &'a View,
}

#[derive(Template)]
#[template(path = "report.md")]
struct Markdown<'a> {
    view: &'a View,
}

/// The page as HTML.
pub fn html(view: &View) -> askama::Result<String> {
    Html { view }.render()
}

/// The page as Markdown.
pub fn markdown(view: &View) -> askama::Result<String> {
    Markdown { view }.render()
}

mod filters {
    use std::fmt::Display;

    use crate::report::format;

    /// Text that is no markup.
    #[askama::filter_fn]
    pub fn md(text: impl Display, _: &dyn askama::Values) -> askama::Result<String> {
        Ok(format::markdown(&text.to_string()))
    }

    /// Text as HTML in which no word that holds a hyphen is broken, unless it is longer than a column: `2e-5` stays whole.
    #[askama::filter_fn]
    pub fn words(text: impl Display, _: &dyn askama::Values) -> askama::Result<String> {
        Ok(format::unbroken_words(&text.to_string()))
    }

    /// A block of code in which no text can end the block.
    #[askama::filter_fn]
    pub fn code(text: impl Display, _: &dyn askama::Values, language: &str) -> askama::Result<String> {
        let text = text.to_string();
        let fence = format::fence(&text);
        Ok(format!("{fence}{language}\n{}\n{fence}", text.trim_end()))
    }
}
