//! Numbers, times and texts as a report writes them.

use jiff::Timestamp;

use crate::format::percents;
pub use crate::format::{NOTHING, count, decimals, duration, loss, percent, points, short, texts};
use crate::report::language::{is_chinese, measured, tr};
use crate::{
    event::Split,
    metrics::{Metric, Unit},
    stats::Interval,
};

/// An interval of shares as `90.1–92.4%`, clamped to 0–100%.
pub fn percent_range(i: Interval) -> String {
    format!("{}%", percents((i.low.clamp(0.0, 1.0), i.high.clamp(0.0, 1.0))))
}

/// An interval of a metric: `90.1–92.4%`, `0.1234–0.2345`, `−0.1000 to 0.2000`.
pub fn interval(metric: Metric, i: Interval) -> String {
    match metric.info().unit {
        Unit::Share => percent_range(i),
        Unit::Nats | Unit::Plain if i.low < 0.0 => tr!("{} to {}", "{} 至 {}", metric.text(i.low), metric.text(i.high)),
        Unit::Nats | Unit::Plain => format!("{}–{}", metric.text(i.low), metric.text(i.high)),
    }
}

/// A value with its interval: `91.3% (90.1–92.4)`, `0.2500 (−0.2500 to 0.7500)`.
pub fn with_interval(metric: Metric, value: f64, interval: (f64, f64)) -> String {
    metric.ranged(value, interval).text(tr("to", "至"))
}

/// The text with its first letter capitalised.
pub fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|c| c.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A metric on the rows of a split, at the beginning of a sentence: `Dev accuracy`.
pub fn measured_name(split: Split, metric: Metric) -> String {
    capital(&measured(split, metric))
}

/// A p-value: three decimals, or `< 0.001`. Its spaces are non-breaking.
pub fn p_value(p: f64) -> String {
    if p < 0.001 { "p\u{a0}<\u{a0}0.001".into() } else { format!("p\u{a0}=\u{a0}{}", decimals(p, 3)) }
}

/// Unix seconds as `2026-03-01 12:00 UTC`.
pub fn time(unix: f64) -> String {
    match Timestamp::from_second(unix as i64) {
        Ok(moment) if unix.is_finite() => moment.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        _ => NOTHING.into(),
    }
}

/// `1 run`, `2 runs`.
pub fn plural(n: usize, thing: &str) -> String {
    super::language::counted(n as u64, thing)
}

/// Text for a paragraph or table cell of Markdown: on one line, with all markup escaped.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' | '$' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A whole page without characters that act on a terminal or on the direction of the text after them: they are replaced by what
/// [`crate::format::visible`] shows instead. Marks that only give the direction of neutral characters stay, because Arabic and Hebrew texts
/// have them.
pub fn visible(page: &str) -> String {
    const MARKS: [char; 3] = ['\u{200e}', '\u{200f}', '\u{61c}'];
    let page = page.replace("\r\n", "\n");
    let mut shown = String::with_capacity(page.len());
    for part in page.split_inclusive(MARKS) {
        let text = part.trim_end_matches(MARKS);
        shown.push_str(&crate::format::visible(text));
        shown.push_str(&part[text.len()..]);
    }
    shown
}

/// Words of at most this many characters are not broken.
const WORD: usize = 28;

/// Text as HTML.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&#38;").replace('<', "&#60;").replace('>', "&#62;").replace('"', "&#34;").replace('\'', "&#39;")
}

/// The parts of a text between backticks, each with whether it is code; one part where a backtick has no other, or is next to another: those
/// are a user's, and Markdown pairs them otherwise.
fn code_and_text(text: &str) -> Vec<(bool, &str)> {
    match text.matches('`').count() % 2 {
        0 if !text.contains("``") => text.split('`').enumerate().map(|(i, part)| (i % 2 == 1, part)).collect(),
        _ => vec![(false, text)],
    }
}

/// Text as HTML, with what is between backticks as code, and words unbroken as by [`unbroken_words`].
pub fn ticks(text: &str) -> String {
    let part = |(code, part): (bool, &str)| match code {
        false => unbroken_words(part),
        true => format!("<code>{}</code>", unbroken_words(part)),
    };
    code_and_text(text).into_iter().map(part).collect()
}

/// Text as Markdown, with what is between backticks as code, and no other markup.
pub fn markdown_ticks(text: &str) -> String {
    let part = |(code, part): (bool, &str)| match code {
        false => markdown(part),
        // A bar would end the cell of a table.
        true if part.contains('|') => format!("\\`{}\\`", markdown(part)),
        true => format!("`{}`", part.replace(['\n', '\r'], " ")),
    };
    code_and_text(text).into_iter().map(part).collect()
}

/// Text as HTML whose words are not broken at a hyphen or a dash, except those longer than a column.
pub fn unbroken_words(text: &str) -> String {
    let word = |word: &str| match word.contains(['-', '–']) && word.chars().count() <= WORD {
        true => format!("<span class=\"w\">{}</span>", escaped(word)),
        false => escaped(word),
    };
    // Chinese sentences have no spaces: a word is what is in other letters.
    let parts = |words: &str| match is_chinese() {
        false => word(words),
        true => by_script(words).into_iter().map(word).collect(),
    };
    text.split(' ').map(parts).collect::<Vec<_>>().join(" ")
}

/// The parts of a text in Chinese and in other characters.
fn by_script(text: &str) -> Vec<&str> {
    let is_wide = |c: char| char_em(c) == 1.0 || matches!(c, '“' | '”');
    let (mut parts, mut begin) = (Vec::new(), 0);
    let mut before = None;
    for (at, c) in text.char_indices() {
        if before.is_some_and(|before| before != is_wide(c)) {
            parts.push(&text[begin..at]);
            begin = at;
        }
        before = Some(is_wide(c));
    }
    parts.push(&text[begin..]);
    parts
}

/// A fence longer than any run of backticks in `text`, so that the text cannot close it.
pub fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

/// Estimated width of a text in em: 1 for East Asian wide characters, 0.55 for others.
///
/// It is estimated, not measured with a font, so that charts are the same on every machine.
pub fn width_em(text: &str) -> f64 {
    text.chars().map(char_em).sum()
}

fn char_em(c: char) -> f64 {
    match c as u32 {
        0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFE30..=0xFE6F | 0xFF00..=0xFF60 => {
            1.0
        }
        0xFFE0..=0xFFE6 | 0x1F300..=0x1FAFF | 0x20000..=0x3FFFD => 1.0,
        _ => 0.55,
    }
}

/// Wraps text to at most `lines` lines of `em` width, with an ellipsis if it does not fit. Lines break at a space after their
/// first quarter if there is one, else anywhere, as in Chinese.
pub fn wrap(text: &str, em: f64, lines: usize) -> Vec<String> {
    let clean: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = clean.as_str();
    let mut out = Vec::new();
    while !rest.is_empty() && out.len() < lines {
        let mut width = 0.0;
        let end = rest
            .char_indices()
            .find(|&(_, c)| {
                width += char_em(c);
                width > em
            })
            .map_or(rest.len(), |(i, c)| if i == 0 { c.len_utf8() } else { i });
        if end == rest.len() {
            out.push(rest.to_string());
            return out;
        }
        if out.len() + 1 == lines {
            let mut cut = rest[..end].to_string();
            while width_em(&cut) + 1.0 > em && cut.pop().is_some() {}
            out.push(format!("{}…", cut.trim_end()));
            return out;
        }
        // What is in parentheses stays together if it has room in a line.
        let open = |at: usize| rest[..at].matches('(').count() > rest[..at].matches(')').count();
        let spaces = || rest[..end].rmatch_indices(' ').map(|(at, _)| at).filter(|&at| at > end / 4);
        let mut at = spaces().find(|&at| !open(at)).or_else(|| spaces().next()).unwrap_or(end);
        // No line begins with a mark that ends something: what is before it comes along.
        while rest[at..].starts_with(['，', '。', '、', '；', '：', '！', '？', '）', '”', '》']) {
            match rest[..at].char_indices().next_back() {
                Some((before, _)) if before > 0 => at = before,
                _ => break,
            }
        }
        out.push(rest[..at].trim_end().to_string());
        rest = rest[at..].trim_start();
    }
    out
}

/// The text in one line of `em` width.
pub fn ellipsize(text: &str, em: f64) -> String {
    wrap(text, em, 1).pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Language;

    #[test]
    fn numbers() {
        assert_eq!(percent(0.91349), "91.3%");
        assert_eq!(percent(f64::NAN), NOTHING);
        assert_eq!(percent_range(Interval { low: -0.1, high: 0.924 }), "0.0–92.4%");
        assert_eq!([points(0.0123), points(-0.0123), points(-0.0001)], ["+1.2", "−1.2", "0.0"]);
        assert_eq!([loss(0.12345), loss(f64::NAN), loss(1.5e9)], ["0.1235", "NaN", "1.500e9"]);
        assert_eq!([p_value(0.0004), p_value(0.0421)], ["p\u{a0}<\u{a0}0.001", "p\u{a0}=\u{a0}0.042"]);
        assert_eq!([count(0), count(999), count(2397), count(1_234_567)], ["0", "999", "2,397", "1,234,567"]);
    }

    #[test]
    fn times() {
        let cases =
            [(4.21, "4.2s"), (9.97, "10s"), (42.4, "42s"), (59.7, "1m00s"), (192.0, "3m12s"), (7500.0, "2h05m")];
        for (seconds, text) in cases {
            // 9.97 rounds to ten seconds, and 59.7 to a minute.
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(duration(f64::NAN), NOTHING);
        assert_eq!(time(1_772_366_400.0), "2026-03-01 12:00 UTC");
        assert_eq!(time(1e300), NOTHING);
    }

    #[test]
    fn texts_cannot_become_markup() {
        assert_eq!(markdown("a|b\nc <script> *x* [l](u) `k`"), "a\\|b c &lt;script&gt; \\*x\\* \\[l\\](u) \\`k\\`");
        assert_eq!(fence("a ```` b"), "`````");
        assert_eq!(fence("plain"), "```");
    }

    #[test]
    fn a_number_is_not_broken_at_its_hyphen() {
        assert_eq!(unbroken_words("lr=2e-5 seed=1"), "<span class=\"w\">lr=2e-5</span> seed=1");
        assert_eq!(unbroken_words("93.8% (88.4–97.1)"), "93.8% <span class=\"w\">(88.4–97.1)</span>");
        assert_eq!(unbroken_words("a-<b>"), "<span class=\"w\">a-&#60;b&#62;</span>");
        let long = format!("path:{}-large", "x".repeat(40));
        assert_eq!(unbroken_words(&long), long);
        let chinese = || unbroken_words("与第二名“lr=2e-5”相比（93.8–97.1%）");
        let words = "与第二名“<span class=\"w\">lr=2e-5</span>”相比（<span class=\"w\">93.8–97.1%</span>）";
        assert_eq!(Language::Chinese.during(chinese), words);
    }

    #[test]
    fn backticks_become_code() {
        assert_eq!(ticks("as `taper list <x>` has"), "as <code>taper list &#60;x&#62;</code> has");
        assert_eq!(ticks("a & b"), "a &#38; b");
        assert_eq!(ticks("it`s <b>"), "it`s &#60;b&#62;");
        assert_eq!(markdown_ticks("as `a_b` *has*"), "as `a_b` \\*has\\*");
        assert_eq!(markdown_ticks("it`s"), "it\\`s");
        assert_eq!(markdown_ticks("`a|b` c"), "\\`a\\|b\\` c");
    }

    #[test]
    fn long_texts_are_broken_and_cut_by_width() {
        assert!((width_em("送餐ab") - 3.1).abs() < 1e-12);
        assert_eq!(wrap("这家饭店真贴心知道我吃不饱", 5.0, 2), ["这家饭店真", "贴心知道…"]);
        assert_eq!(wrap("one two three", 5.0, 3), ["one two", "three"]);
        assert_eq!(wrap("lr=1e-3 (3 seeds)", 6.0, 3), ["lr=1e-3", "(3 seeds)"], "not within the parentheses");
        assert_eq!(wrap("(3 seeds and more)", 6.0, 3), ["(3 seeds", "and more)"], "too long for a line");
        assert_eq!(wrap("短", 0.5, 2), ["短"]);
        assert_eq!(wrap(" ", 5.0, 2), Vec::<String>::new());
        assert_eq!(ellipsize("abc", 10.0), "abc");
        assert!(width_em(&ellipsize(&"长".repeat(50), 10.0)) <= 10.0);
    }
}
