//! What is wrong with a spec, where, and how to say it.

use std::{fmt, ops::Range};

use super::node::Span;

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// A file's path, `environment variable TAPER_…`, `--set`, or `built-in default`.
    pub source: String,
    /// Line and column, in characters and from 1; only files have them.
    pub position: Option<(usize, usize)>,
    /// The line itself.
    pub text: String,
    /// Characters of `text` that are meant.
    pub underline: Range<usize>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where; nowhere for what the command line got wrong.
    pub place: Option<Place>,
    /// What is wrong, and what was expected.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// Everything that is wrong with a spec, in the order of the layers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SpecErrors(pub Vec<Problem>);

/// A problem of one layer, before its place is looked up.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub span: Span,
    pub message: String,
    pub help: Option<String>,
}

impl Fault {
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None }
    }

    pub fn help(self, help: impl Into<Option<String>>) -> Self {
        Self { help: help.into(), ..self }
    }
}

impl Problem {
    /// A problem without a place.
    pub(super) fn new(message: impl Into<String>, help: Option<String>) -> Self {
        Self { place: None, message: message.into(), help }
    }
}

impl Place {
    /// The place of `span` in `text`. Only the first line of a longer span is underlined.
    pub(super) fn new(source: String, text: &str, span: Span, numbered: bool) -> Self {
        let floor = |at: usize| (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        let (start, end) = (floor(span.start), floor(span.end));
        let begin = text[..start].rfind('\n').map_or(0, |i| i + 1);
        let line = text[begin..].split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let column = text[begin..start].chars().count().min(line.chars().count());
        let length = text[start..end.max(start)].split(['\r', '\n']).next().unwrap_or_default().chars().count();
        Self {
            source,
            position: numbered.then(|| (text[..begin].matches('\n').count() + 1, column + 1)),
            text: line.to_string(),
            underline: column..column + length.max(1),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.position {
            Some((line, column)) => write!(f, "{}:{line}:{column}", self.source),
            None => f.write_str(&self.source),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let number = match &self.place {
            None => String::new(),
            Some(place) => {
                write!(f, "{place}: ")?;
                place.position.map_or(String::new(), |(line, _)| line.to_string())
            }
        };
        f.write_str(&self.message)?;
        let gutter = " ".repeat(number.len());
        if let Some(place) = self.place.as_ref().filter(|place| !place.text.is_empty()) {
            let columns = |range: Range<usize>| {
                place.text.chars().skip(range.start).take(range.len()).map(columns_of).sum::<usize>()
            };
            let text = place.text.replace('\t', " ");
            let blank = " ".repeat(columns(0..place.underline.start));
            let carets = "^".repeat(columns(place.underline.clone()).max(1));
            write!(f, "\n{gutter} |\n{number} | {text}\n{gutter} | {blank}{carets}")?;
        }
        match &self.help {
            Some(help) => write!(f, "\n{gutter} = {help}"),
            None => Ok(()),
        }
    }
}

/// All of them, with an empty line between, and their number.
impl fmt::Display for SpecErrors {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for problem in &self.0 {
            write!(f, "{problem}\n\n")?;
        }
        write!(f, "{} problem{}", self.0.len(), if self.0.len() == 1 { "" } else { "s" })
    }
}

/// Columns of a terminal that a character fills: two for East Asian wide ones and emoji, so that carets stand under
/// Chinese text too.
fn columns_of(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, span: Span) -> String {
        let place = Place::new("x.toml".into(), text, span, true);
        Problem { place: Some(place), message: "is wrong".into(), help: None }.to_string()
    }

    #[test]
    fn carets_stand_under_the_span() {
        let text = "a = 1\r\nbb = \"x\"\r\n";
        assert_eq!(shown(text, 7..9), "x.toml:2:1: is wrong\n  |\n2 | bb = \"x\"\n  | ^^");
        assert_eq!(shown(text, 12..15), "x.toml:2:6: is wrong\n  |\n2 | bb = \"x\"\n  |      ^^^");
    }

    #[test]
    fn wide_characters_and_tabs_keep_the_carets_in_place() {
        let text = "\t\"好吃\" = 1";
        let at = text.find('1').unwrap();
        assert_eq!(shown(text, at..at + 1), "x.toml:1:9: is wrong\n  |\n1 |  \"好吃\" = 1\n  |           ^");
        assert_eq!(shown(text, 1..9), "x.toml:1:2: is wrong\n  |\n1 |  \"好吃\" = 1\n  |  ^^^^^^");
    }

    #[test]
    fn spans_at_the_end_over_lines_and_inside_characters_do_no_harm() {
        assert_eq!(shown("a = [\n1,\n]", 4..10), "x.toml:1:5: is wrong\n  |\n1 | a = [\n  |     ^");
        assert_eq!(shown("a = ", 4..4), "x.toml:1:5: is wrong\n  |\n1 | a = \n  |     ^");
        assert_eq!(shown("a =\n", 99..120), "x.toml:2:1: is wrong");
        assert_eq!(Place::new("x".into(), "好", 1..2, true).underline, 0..1);
    }
}
