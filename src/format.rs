//! Formats numbers for people, in the terminal and in reports. Pure functions.

pub mod command;
pub mod names;
mod span;

pub use span::Span;

use std::borrow::Cow;

/// Shown for a missing value.
pub const NOTHING: &str = "–";

/// Hex digits of a run's key that name it, in folders and tables.
pub const KEY_DIGITS: usize = 12;

/// The first digits of a key or digest, enough to distinguish them.
pub fn short(digest: &str) -> &str {
    digest.char_indices().nth(KEY_DIGITS).map_or(digest, |(end, _)| &digest[..end])
}

/// A number with so many decimals: rounded to the nearest, and halves away from zero. A number that was computed in binary counts as the
/// decimal that it stands for: `0.2875 · 100` is 28.75, although its last bits say less.
pub fn decimals(value: f64, digits: usize) -> String {
    // From here on binary numbers have hardly any digits behind the point.
    const LARGE: f64 = 1e15;
    let scale = 10f64.powi(i32::try_from(digits).unwrap_or(i32::MAX));
    let scaled = (value * scale).abs();
    if scaled.is_nan() || scaled >= LARGE {
        return format!("{value:.digits$}");
    }
    let rounded = (scaled * (1.0 + 4.0 * f64::EPSILON)).round() / scale;
    format!("{:.digits$}", rounded.copysign(value))
}

/// A share as `91.3%`.
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{}%", decimals(share * 100.0, 1)) } else { NOTHING.into() }
}

/// Two shares as `90.1–92.4`, in percent.
pub fn percents((low, high): (f64, f64)) -> String {
    format!("{}–{}", decimals(low * 100.0, 1), decimals(high * 100.0, 1))
}

/// A difference of shares as `+1.2`, in percentage points: with a true minus sign, and none before a rounded zero.
pub fn points(difference: f64) -> String {
    signed(difference * 100.0, 1)
}

/// A difference with so many decimals and its sign: `+0.1234`, `−0.1234`, `0.0`.
pub fn signed(difference: f64, digits: usize) -> String {
    match decimals(difference, digits) {
        zero if zero.chars().all(|c| "-0.".contains(c)) => zero.trim_start_matches('-').into(),
        text if text.starts_with('-') => text.replace('-', "−"),
        text => format!("+{text}"),
    }
}

/// Numbers with true minus signs, as all computed values have them: `−0.5, 2`.
pub fn minus(numbers: &str) -> String {
    let begins = |before: Option<char>| before.is_none_or(|c| c == ' ' || c == ',');
    let mut before = None;
    let sign = |c: char| {
        let shown = if c == '-' && begins(before) { '−' } else { c };
        before = Some(c);
        shown
    };
    numbers.chars().map(sign).collect()
}

/// A loss with four decimals, or in scientific notation if those would be zeros.
pub fn loss(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "NaN".into() } else { format!("{value}").replace('-', "−") };
    }
    if value.abs() >= 1e5 { format!("{value:.3e}") } else { decimals(value, 4) }
}

/// A learning rate or another computed setting, with at most four digits: `0.8333`, `2.5e-5`, `1`.
pub fn rate(value: f64) -> String {
    let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    match rounded.abs() {
        size if size == 0.0 || (1e-2..1e6).contains(&size) => rounded.to_string(),
        _ => format!("{rounded:e}"),
    }
}

/// A setting in its shortest lossless form, as names of runs have it: `0.1`, `5e-4`.
pub fn setting(value: f64) -> String {
    match value.abs() {
        size if size > 0.0 && !(1e-2..1e6).contains(&size) => format!("{value:e}"),
        _ => value.to_string(),
    }
}

/// Seconds as `4.2s`, `42s`, `3m12s`, `2h05m` or `3d04h`.
pub fn duration(seconds: f64) -> String {
    if !(0.0..1e9).contains(&seconds) {
        return NOTHING.into();
    }
    let s = seconds.round() as u64;
    match s {
        _ if seconds < 9.95 => format!("{}s", decimals(seconds, 1)),
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m{:02}s", s / 60, s % 60),
        3600..86_400 => format!("{}h{:02}m", s / 3600, s / 60 % 60),
        _ => format!("{}d{:02}h", s / 86_400, s / 3600 % 24),
    }
}

/// A whole number with thousands separators: `12,345`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 row`, `12,345 rows`. The plural is the noun with an `s`.
pub fn counted(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(n), by_number(n, "", "s"))
}

/// `a`, `a and b`, `a, b and c`.
pub fn and(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `a`, `a or b`, `a, b or c`.
pub fn or(parts: &[String]) -> String {
    match parts {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => parts.concat(),
    }
}

/// `one` if the number is 1, else `many`: `is` and `are`, `this row` and `these rows`.
pub fn by_number<'a>(n: u64, one: &'a str, many: &'a str) -> &'a str {
    if n == 1 { one } else { many }
}

/// A number in few characters: `950`, `12.3k`, `38.5M`, `1.2G`.
pub fn brief(n: f64) -> String {
    // Chosen by the rounded number, so that 999,950 is 1.0M and not 1000.0k.
    match n {
        ..999.5 => decimals(n, 0),
        ..999_950.0 => format!("{}k", decimals(n / 1e3, 1)),
        ..999_950_000.0 => format!("{}M", decimals(n / 1e6, 1)),
        _ => format!("{}G", decimals(n / 1e9, 1)),
    }
}

/// A size in bytes as `1.2 GiB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = if n == 0 { 0 } else { (n.ilog2() / 10).min(4) };
    match power {
        0 => format!("{n} B"),
        _ => format!("{} {}", decimals(n as f64 / (1u64 << (10 * power)) as f64, 1), UNITS[power as usize]),
    }
}

/// Text for a cell of a CSV table that spreadsheets show as it is. Spreadsheets evaluate a cell that begins with `=`, `+`, `-`, `@`
/// (of any width), a tab or a line break as a formula, so such text gets a `'` in front, which they read as "this is text". Numbers
/// keep their sign.
pub fn inert(cell: &str) -> Cow<'_, str> {
    let begins = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let is_number = || cell.parse::<f64>().is_ok_and(f64::is_finite);
    if begins && !is_number() { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// Text that is safe to print on a terminal: line breaks and tabs stay, other control characters are replaced by their symbol (`␛`),
/// and C1 controls, bidirectional marks and Unicode line breaks by `�`. Each is one column wide, so that carets below a quoted line stay
/// aligned.
pub fn visible(text: &str) -> Cow<'_, str> {
    let shown = |c: char| match c {
        '\n' | '\t' => c,
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('�'),
        '\x7f' => '␡',
        c if is_control(c) => '�',
        c => c,
    };
    match text.chars().any(|c| shown(c) != c) {
        true => text.chars().map(shown).collect::<String>().into(),
        false => text.into(),
    }
}

/// Whether a character beyond ASCII controls a terminal or the direction of text.
fn is_control(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text, or both texts of a pair in one.
pub fn texts<'a>(text: &'a str, text_pair: Option<&str>) -> Cow<'a, str> {
    match text_pair {
        Some(pair) => format!("{text} [SEP] {pair}").into(),
        None => text.into(),
    }
}

/// [`visible`] text on one line: every sequence of white space becomes one space.
pub fn one_line(text: &str) -> String {
    visible(&text.split_whitespace().collect::<Vec<_>>().join(" ")).into_owned()
}

/// The YAML header of a README.md, as the cards of models and datasets have it; `None` without one.
pub fn front_matter(text: &str) -> Option<&str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let rest = text.strip_prefix("---\n").or(text.strip_prefix("---\r\n"))?;
    rest.find("\n---").map(|end| &rest[..end])
}

/// Limits each line to `most` characters by omitting its middle, since messages may quote input.
pub fn bounded(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return text.into();
    }
    let cut = |line: &str| {
        let count = line.chars().count();
        if count <= most {
            return line.to_string();
        }
        let half = most / 2;
        let head: String = line.chars().take(half).collect();
        let tail: String = line.chars().skip(count - half).collect();
        format!("{head} … {} characters … {tail}", count - 2 * half)
    };
    text.split('\n').map(cut).collect::<Vec<_>>().join("\n").into()
}

/// An I/O error, with what to do about it. Errors that do not come from the system are shown with their own message.
pub fn io(error: &std::io::Error) -> String {
    use std::io::ErrorKind::*;
    if error.get_ref().is_some() {
        return error.to_string();
    }
    let said = match error.kind() {
        StorageFull => "its disk is full: free up space, then run the same command again",
        QuotaExceeded => "your quota on its disk is used up: free up space, then run the same command again",
        NotFound => "there is no such file or folder: check the path",
        PermissionDenied => "permission denied: change its permissions, or choose another path",
        AlreadyExists => "something else has this name already: remove or rename it, or choose another path",
        NotADirectory => {
            "a part of this path is a file where a folder is expected: remove or rename it, or choose another path"
        }
        IsADirectory => "it is a folder where a file is expected: remove or rename it, or choose another path",
        DirectoryNotEmpty => "the folder is not empty: choose another path",
        ReadOnlyFilesystem => "its disk is mounted read-only: choose a path on another one",
        InvalidFilename => "its name is too long, or has characters that are not allowed here: choose another one",
        FileTooLarge => {
            "it would become larger than a file may be here: raise the limit (`ulimit -f`), or choose another disk"
        }
        StaleNetworkFileHandle => {
            "the connection to its network drive was lost: connect it again, then run the same command again"
        }
        _ => match error.raw_os_error() {
            #[cfg(unix)]
            Some(libc::ELOOP) => "its symbolic links form a loop: remove one of them",
            #[cfg(unix)]
            Some(libc::EMFILE | libc::ENFILE) => "too many files are open at a time: raise the limit (`ulimit -n`)",
            #[cfg(unix)]
            Some(libc::EIO) => "its disk, or the connection to it, is failing: check the system log",
            Some(code) => {
                let said = error.to_string();
                return said.strip_suffix(&format!(" (os error {code})")).unwrap_or(&said).to_string();
            }
            None => return error.to_string(),
        },
    };
    said.into()
}

/// Serialises a path between processes as bytes, since it need not be valid UTF-8.
pub mod path {
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// For `#[serde(with)]`.
    ///
    /// # Errors
    /// If the format cannot hold bytes.
    pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().as_encoded_bytes().serialize(serializer)
    }

    /// For `#[serde(with)]`.
    ///
    /// # Errors
    /// If the message holds no bytes or, on some systems, none that are a valid path.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        #[cfg(unix)]
        {
            let path: std::ffi::OsString = std::os::unix::ffi::OsStringExt::from_vec(bytes);
            Ok(path.into())
        }
        #[cfg(not(unix))]
        {
            String::from_utf8(bytes).map(PathBuf::from).map_err(serde::de::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!([0, 999, 1000, 11_987, 1_234_567].map(count), ["0", "999", "1,000", "11,987", "1,234,567"]);
        assert_eq!([0, 1023, 1536, 3 << 30, 5 << 40].map(bytes), ["0 B", "1023 B", "1.5 KiB", "3.0 GiB", "5.0 TiB"]);
        assert_eq!([0, 1, 2, 1000].map(|n| counted(n, "row")), ["0 rows", "1 row", "2 rows", "1,000 rows"]);
        assert_eq!([1, 2].map(|n| by_number(n, "is", "are")), ["is", "are"]);
        assert_eq!([950.0, 999.6, 12_340.0, 999_960.0, 2e9].map(brief), ["950", "1.0k", "12.3k", "1.0M", "2.0G"]);
        assert_eq!([0.9026, 1.0, f64::NAN].map(percent), ["90.3%", "100.0%", "–"]);
        assert_eq!((short("0123456789abcdef"), short("012")), ("0123456789ab", "012"));
    }

    /// Halves are rounded away from zero: 1 of 16, 3 of 16 and 23 of 80 rows, and 0.00005. Rust alone gives 6.2, 18.8, 28.7 and 0.0001.
    #[test]
    fn halves_are_rounded_away_from_zero_whatever_their_last_bits() {
        assert_eq!(
            [1.0 / 16.0, 3.0 / 16.0, 23.0 / 80.0, 1563.0 / 2000.0].map(percent),
            ["6.3%", "18.8%", "28.8%", "78.2%"]
        );
        assert_eq!([0.00005, 0.12345, 2.00005].map(loss), ["0.0001", "0.1235", "2.0001"]);
        assert_eq!([0.0625, -0.0625, 0.0001, -0.0001].map(points), ["+6.3", "−6.3", "0.0", "0.0"]);
        assert_eq!(percents((0.0625, 0.3125)), "6.3–31.3");
        assert_eq!(([0.25, 9.85].map(duration), bytes(1280)), (["0.3s".into(), "9.9s".into()], "1.3 KiB".to_string()));
        // No other value is changed.
        assert_eq!([0.062499, 0.28749].map(percent), ["6.2%", "28.7%"]);
        assert_eq!([decimals(f64::NAN, 1), decimals(1e300, 1).len().to_string()], ["NaN".to_string(), "303".into()]);
        let near = |n: u64| format!("{:.1}", n as f64 / 1000.0);
        // Thousandths that are no halves of tenths.
        let mut others = (0..100_000u64).filter(|n| n % 100 != 50);
        assert!(others.all(|n| decimals(n as f64 / 1000.0, 1) == near(n)));
    }

    #[test]
    fn rates_have_only_significant_digits() {
        let rates =
            [0.8333333333333334, 2.5e-5, 8.333333333333333e-6, 1.0, 0.0, 1.23456e7, 0.010004, f64::NAN].map(rate);
        assert_eq!(rates, ["0.8333", "2.5e-5", "8.333e-6", "1", "0", "1.235e7", "0.01", "NaN"]);
    }

    #[test]
    fn settings_lose_no_digit() {
        let said = [0.0005, 0.01, 0.1, 1e-8, 1.0, 0.0, 2_500_000.0, 0.000123456789].map(setting);
        assert_eq!(said, ["5e-4", "0.01", "0.1", "1e-8", "1", "0", "2.5e6", "1.23456789e-4"]);
    }

    #[test]
    fn computed_numbers_have_a_true_minus_sign() {
        assert_eq!(minus("-0.5, 2, -3e-5"), "−0.5, 2, −3e-5");
        assert_eq!((minus("2"), minus("")), ("2".into(), String::new()));
    }

    #[test]
    fn a_cell_is_never_a_formula() {
        for text in [
            "=1+1",
            "=HYPERLINK(\"x\")",
            "+1+1",
            "-1|cmd",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "＝1",
            "＠x",
            "-",
            "+inf",
            "-NaN",
        ] {
            assert_eq!(inert(text), format!("'{text}"));
        }
        // Numbers, and text that begins with anything else, stay as they are.
        for text in ["", "-1", "+2.5e-3", "很好", "a=1", "'=1", " x"] {
            assert_eq!(inert(text), text);
        }
    }

    #[test]
    fn a_full_disk_says_what_to_do() {
        let said = |code| io(&std::io::Error::from_raw_os_error(code));
        assert!(said(28).ends_with("full: free up space, then run the same command again"), "{}", said(28));
        assert!(said(13).contains("denied") && !said(13).contains("room"), "{}", said(13));
    }

    /// ENOENT, EIO, EACCES, EEXIST, ENOTDIR, EISDIR, EMFILE, EFBIG, EROFS, ENAMETOOLONG, ELOOP on Linux.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_failed_file_says_what_to_do_without_the_systems_number() {
        for code in [2, 5, 13, 17, 20, 21, 24, 27, 30, 36, 40] {
            let said = io(&std::io::Error::from_raw_os_error(code));
            assert!(said.contains(": ") && !said.contains("os error"), "{code}: {said}");
        }
        let said = io(&std::io::Error::from_raw_os_error(110));
        assert!(!said.is_empty() && !said.contains("os error"), "{said}");
        assert_eq!(io(&std::io::Error::other("its own words")), "its own words");
    }

    #[test]
    fn no_character_of_a_text_controls_a_terminal() {
        assert_eq!(visible("\x1b]0;x\x07\x1b[31mred\r\0\x7f"), "␛]0;x␇␛[31mred␍␀␡");
        assert_eq!(visible("\u{9b}31m \u{202e}gnp.exe\u{2066}\u{2028}"), "�31m �gnp.exe��");
        for kept in ["好吃\t\n", "é 👨\u{200d}👩 a\u{301}", "\u{a0}"] {
            assert!(matches!(visible(kept), Cow::Borrowed(same) if same == kept), "{kept:?}");
        }
        assert_eq!(one_line("a\n\tb\r\nc \x1b"), "a b c ␛");
        let every: String = (0..0x3000).filter_map(char::from_u32).collect();
        assert!(visible(&every).chars().all(|c| c == '\n' || c == '\t' || !(c.is_control() || is_control(c))));
    }

    #[test]
    fn long_lines_lose_their_middle() {
        assert_eq!(bounded("短 line", 40), "短 line");
        assert_eq!(bounded(&format!("a\n{}z", "好".repeat(100)), 10), "a\n好好好好好 … 91 characters … 好好好好z");
    }

    #[test]
    fn durations() {
        let table = [
            (0.0, "0.0s"),
            (0.44, "0.4s"),
            (9.94, "9.9s"),
            (9.96, "10s"),
            (59.4, "59s"),
            (59.6, "1m00s"),
            (192.0, "3m12s"),
            (3599.6, "1h00m"),
            (7500.0, "2h05m"),
            (86_399.0, "23h59m"),
            (86_400.0 * 3.0 + 4.0 * 3600.0, "3d04h"),
            (-1.0, "–"),
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
        ];
        for (seconds, want) in table {
            assert_eq!(duration(seconds), want, "{seconds}");
        }
    }
}
