//! Figures as people read them. Pure functions.

/// Seconds as `42s`, `3m12s`, `2h05m` or `3d04h`; `?` where it is no length of time.
pub(super) fn duration(seconds: f64) -> String {
    if !(0.0..1e9).contains(&seconds) {
        return "?".into();
    }
    let s = seconds.round() as u64;
    let (m, h, d) = (s / 60, s / 3600, s / 86400);
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{m}m{:02}s", s % 60),
        3600..86400 => format!("{h}h{:02}m", m % 60),
        _ => format!("{d}d{:02}h", h % 24),
    }
}

/// A count in at most four characters and a unit: `950`, `12.3k`, `38.5M`, `1.2G`.
pub(super) fn count(n: f64) -> String {
    // Chosen by the rounded figure, so that 999,950 is 1.0M and not 1000.0k.
    match n {
        ..999.5 => format!("{n:.0}"),
        ..999_950.0 => format!("{:.1}k", n / 1e3),
        ..999_950_000.0 => format!("{:.1}M", n / 1e6),
        _ => format!("{:.1}G", n / 1e9),
    }
}

/// A share as `90.12 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// `text` on one line.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let table = [
            (0.0, "0s"),
            (0.4, "0s"),
            (59.4, "59s"),
            (59.6, "1m00s"),
            (192.0, "3m12s"),
            (3599.6, "1h00m"),
            (7500.0, "2h05m"),
            (86_399.0, "23h59m"),
            (86_400.0 * 3.0 + 4.0 * 3600.0, "3d04h"),
            (-1.0, "?"),
            (f64::NAN, "?"),
            (f64::INFINITY, "?"),
        ];
        for (seconds, want) in table {
            assert_eq!(duration(seconds), want, "{seconds}");
        }
    }

    #[test]
    fn counts() {
        let table = [
            (0.0, "0"),
            (412.4, "412"),
            (999.4, "999"),
            (999.6, "1.0k"),
            (12_345.0, "12.3k"),
            (999_960.0, "1.0M"),
            (38_477_058.0, "38.5M"),
            (2.5e9, "2.5G"),
        ];
        for (n, want) in table {
            assert_eq!(count(n), want, "{n}");
        }
    }

    #[test]
    fn a_text_of_several_lines_is_one() {
        assert_eq!(one_line("  好吃\n\t不贵 \r\n"), "好吃 不贵");
    }
}
