//! Problems of a spec, with their location and how they are shown.

use std::{borrow::Cow, fmt, ops::Range, path::PathBuf, rc::Rc};

use super::node::Span;

/// A location in a source of settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// A file's path, `environment variable TAPER_…`, `--set`, or `built-in default`.
    pub source: String,
    /// Line and column (in characters), from 1; only for files.
    pub position: Option<(usize, usize)>,
    /// The line itself; for a long line the part around the location, with `…` where it is cut.
    pub text: String,
    /// The characters of `text` to underline.
    pub underline: Range<usize>,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its location; `None` for problems that have none, such as a missing profile.
    pub location: Option<Location>,
    /// What is wrong, and what was expected.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// A local file or folder that a spec names as a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// The key.
    pub key: &'static str,
    /// The path, from the current folder.
    pub path: PathBuf,
    /// The position in the spec that names the file.
    pub location: Location,
}

/// All problems of a spec, in the order of the layers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SpecErrors {
    /// The first [`SpecErrors::SHOWN`] of them.
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub more: usize,
    /// The local sources of the spec, as far as they can be told.
    pub files: Vec<NamedFile>,
}

impl SpecErrors {
    /// The most problems that are shown.
    pub const SHOWN: usize = 100;

    /// Collects problems, of which the first are shown.
    pub(super) fn new(problems: impl IntoIterator<Item = Problem>) -> Self {
        let mut all = Problems::default();
        problems.into_iter().for_each(|problem| all.add(|| problem));
        all.into_errors()
    }

    /// Adds the sources that do not exist. Only preparing the runs would find them, and a spec with other problems has none.
    #[must_use]
    pub fn with_missing_files(mut self) -> Self {
        let missing = std::mem::take(&mut self.files).into_iter().filter(|file| !file.path.exists());
        for NamedFile { key, path, location } in missing {
            let message = format!("`{key}`: {} does not exist", path.display());
            // Before the first problem further down in the same source, or after the last one of that source.
            let of_source =
                |p: &Problem| p.location.as_ref().filter(|l| l.source == location.source).map(|l| l.position);
            let later = self.problems.iter().position(|p| of_source(p).is_some_and(|at| at > location.position));
            let last = self.problems.iter().rposition(|p| of_source(p).is_some()).map(|at| at + 1);
            let at = later.or(last).unwrap_or(self.problems.len());
            self.problems.insert(at, Problem { location: Some(location), message, help: None });
        }
        self
    }
}

/// Collects problems. Those that are not shown are only counted.
#[derive(Default)]
pub(super) struct Problems {
    pub shown: Vec<Problem>,
    more: usize,
}

impl Problems {
    /// Adds a problem; `problem` is called only if it will be shown.
    pub fn add(&mut self, problem: impl FnOnce() -> Problem) {
        match self.shown.len() < SpecErrors::SHOWN {
            true => self.shown.push(problem()),
            false => self.more += 1,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    pub fn into_errors(self) -> SpecErrors {
        SpecErrors { problems: self.shown, more: self.more, files: Vec::new() }
    }
}

/// A problem within one layer, without its resolved location.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub span: Span,
    pub message: String,
    pub help: Help,
}

/// A suggestion for a problem.
#[derive(Clone, Default)]
pub(super) enum Help {
    /// No suggestion.
    #[default]
    None,
    /// This text.
    Text(String),
    /// The result of this function. Searching for a similar name among all keys is slower than detecting the problem, so it is done only for
    /// problems that are shown.
    Later(Rc<dyn Fn() -> Option<String>>),
}

impl Help {
    /// A suggestion computed when the problem is shown.
    pub fn later(help: impl Fn() -> Option<String> + 'static) -> Self {
        Self::Later(Rc::new(help))
    }

    /// The text of the suggestion.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Text(text) => Some(text.clone()),
            Self::Later(help) => help(),
        }
    }
}

impl From<Option<String>> for Help {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::None, Self::Text)
    }
}

impl From<String> for Help {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Help {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl fmt::Debug for Help {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.text().fmt(f)
    }
}

impl Fault {
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: Help::None }
    }

    pub fn help(self, help: impl Into<Help>) -> Self {
        Self { help: help.into(), ..self }
    }
}

impl Problem {
    /// A problem without a location.
    pub(super) fn new(message: impl Into<String>, help: Option<String>) -> Self {
        Self { location: None, message: message.into(), help }
    }
}

impl Location {
    /// `FILE:LINE`, or the source alone if there is no line.
    pub(super) fn line(&self) -> String {
        self.position.map_or(self.source.clone(), |(line, _)| format!("{}:{line}", self.source))
    }

    /// The location of `span` in `text`. Only the first line of a longer span is underlined.
    pub(super) fn new(source: String, text: &str, span: Span, numbered: bool) -> Self {
        let floor = |at: usize| (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        let (start, end) = (floor(span.start), floor(span.end));
        let begin = text[..start].rfind('\n').map_or(0, |i| i + 1);
        let line = text[begin..].split('\n').next().unwrap_or_default().trim_end_matches('\r');
        let column = text[begin..start].chars().count().min(line.chars().count());
        let length = text[start..end.max(start)].split(['\r', '\n']).next().unwrap_or_default().chars().count();
        let (text_, underline) = around(line, column..column + length.max(1));
        Self {
            source,
            position: numbered.then(|| (text[..begin].matches('\n').count() + 1, column + 1)),
            text: text_,
            underline,
        }
    }
}

/// The most characters of a line that are quoted, and how many of them before the location.
const QUOTED: usize = 160;
const BEFORE: usize = 60;

/// The part of a line around the given characters, and their position in it.
fn around(line: &str, meant: Range<usize>) -> (String, Range<usize>) {
    if line.chars().nth(QUOTED).is_none() {
        return (line.to_string(), meant);
    }
    // If the characters are within the first part of the line, its beginning is kept.
    let begin = if meant.end <= QUOTED - 20 { 0 } else { meant.start.saturating_sub(BEFORE) };
    let mut rest = line.chars().skip(begin);
    let mut text = String::from(if begin > 0 { "…" } else { "" });
    text.extend(rest.by_ref().take(QUOTED));
    if rest.next().is_some() {
        text.push('…');
    }
    let shift = |at: usize| (at - begin + usize::from(begin > 0)).min(text.chars().count());
    let underline = shift(meant.start)..shift(meant.end).max(shift(meant.start) + 1);
    (text, underline)
}

/// The most characters of a message that are shown: the rest of a very long value would not help.
const SHOWN: usize = 1000;

/// The message, with its middle omitted if it is too long.
fn shortened(message: &str) -> Cow<'_, str> {
    let Some((cut, _)) = message.char_indices().nth(SHOWN) else { return message.into() };
    let (first, last) = (SHOWN * 3 / 4, SHOWN / 8);
    let count = message[cut..].chars().count() + SHOWN;
    let begin: String = message.chars().take(first).collect();
    let end: String = message.chars().skip(count - last).collect();
    format!("{begin} … ({} characters) … {end}", crate::format::count((count - first - last) as u64)).into()
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.position {
            Some((line, column)) => write!(f, "{}:{line}:{column}", self.source),
            None => f.write_str(&self.source),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let number = match &self.location {
            None => String::new(),
            Some(location) => {
                write!(f, "{location}: ")?;
                location.position.map_or(String::new(), |(line, _)| line.to_string())
            }
        };
        f.write_str(&shortened(&self.message))?;
        let gutter = " ".repeat(number.len());
        if let Some(location) = self.location.as_ref().filter(|location| !location.text.is_empty()) {
            let columns = |range: Range<usize>| {
                location.text.chars().skip(range.start).take(range.len()).map(columns_of).sum::<usize>()
            };
            let text = location.text.replace('\t', " ");
            let blank = " ".repeat(columns(0..location.underline.start));
            let carets = "^".repeat(columns(location.underline.clone()).max(1));
            write!(f, "\n{gutter} |\n{number} | {text}\n{gutter} | {blank}{carets}")?;
        }
        match &self.help {
            Some(help) => write!(f, "\n{gutter} = {}", shortened(help)),
            None => Ok(()),
        }
    }
}

/// The shown problems, separated by empty lines; if there are several, their number.
impl fmt::Display for SpecErrors {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if i == 0 { "" } else { "\n\n" })?;
        }
        let count = |n: usize| crate::format::count(n as u64);
        let all = self.problems.len() + self.more;
        if all == 1 {
            return Ok(());
        }
        f.write_str("\n\n")?;
        f.write_str(&crate::format::counted(all as u64, "problem"))?;
        match self.more {
            0 => Ok(()),
            more => write!(f, ": the first {} are shown, and there are {} more", self.problems.len(), count(more)),
        }
    }
}

/// Terminal columns of a character: two for East Asian wide characters and emoji, so that carets are below the right characters in
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
        let location = Location::new("x.toml".into(), text, span, true);
        Problem { location: Some(location), message: "is wrong".into(), help: None }.to_string()
    }

    #[test]
    fn carets_are_below_the_span() {
        let text = "a = 1\r\nbb = \"x\"\r\n";
        assert_eq!(shown(text, 7..9), "x.toml:2:1: is wrong\n  |\n2 | bb = \"x\"\n  | ^^");
        assert_eq!(shown(text, 12..15), "x.toml:2:6: is wrong\n  |\n2 | bb = \"x\"\n  |      ^^^");
    }

    #[test]
    fn wide_characters_and_tabs_keep_the_carets_aligned() {
        let text = "\t\"好吃\" = 1";
        let at = text.find('1').unwrap();
        assert_eq!(shown(text, at..at + 1), "x.toml:1:9: is wrong\n  |\n1 |  \"好吃\" = 1\n  |           ^");
        assert_eq!(shown(text, 1..9), "x.toml:1:2: is wrong\n  |\n1 |  \"好吃\" = 1\n  |  ^^^^^^");
    }

    #[test]
    fn a_long_line_is_quoted_around_the_location() {
        let text = format!("a = \"{}\" # {}\n", "长".repeat(5000), "y".repeat(1_000_000));
        let at = text.find('#').unwrap();
        let shown = shown(&text, at..at + 1);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[0], "x.toml:1:5008: is wrong");
        assert!(lines[2].starts_with("1 | …长") && lines[2].ends_with("y…") && shown.len() < 1000, "{shown}");
        let column = lines[2].split('#').next().unwrap().chars().map(columns_of).sum::<usize>();
        assert_eq!(lines[3].chars().count(), column + 1, "{shown}");
        // The location may itself be longer than the quoted part.
        let location = Location::new("x".into(), &text, 4..15_000, true);
        assert!(location.text.chars().count() <= QUOTED + 2 && location.underline.end <= QUOTED + 2);
        assert!(location.text.starts_with("a = \"长"));
    }

    #[test]
    fn long_messages_lose_their_middle_and_many_problems_their_end() {
        let long = Problem::new(format!("begin {} end", "好".repeat(1_000_000)), Some("x".repeat(1_000_000)));
        let text = long.to_string();
        assert!(
            text.len() < 10_000 && text.starts_with("begin 好") && text.contains("好 end\n = xxx"),
            "{}",
            text.len()
        );
        let errors = SpecErrors::new((0..1234).map(|i| Problem::new(format!("number {i}"), None)));
        let text = errors.to_string();
        assert!(text.contains("number 99\n") && !text.contains("number 100\n"));
        assert!(text.ends_with("1,234 problems: the first 100 are shown, and there are 1,134 more"), "{text}");
    }

    #[test]
    fn spans_at_the_end_over_lines_and_inside_characters_do_no_harm() {
        assert_eq!(shown("a = [\n1,\n]", 4..10), "x.toml:1:5: is wrong\n  |\n1 | a = [\n  |     ^");
        assert_eq!(shown("a = ", 4..4), "x.toml:1:5: is wrong\n  |\n1 | a = \n  |     ^");
        assert_eq!(shown("a =\n", 99..120), "x.toml:2:1: is wrong");
        assert_eq!(Location::new("x".into(), "好", 1..2, true).underline, 0..1);
    }
}
