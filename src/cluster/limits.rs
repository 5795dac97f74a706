//! What settings can be, before Slurm sees them.

/// A limit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLimit {
    /// Seconds.
    Seconds(u64),
    /// `UNLIMITED`, or zero.
    None,
}

impl TimeLimit {
    /// Reads a time as `sbatch` does: `minutes`, `minutes:seconds`, `hours:minutes:seconds`, `days-hours`, `days-hours:minutes`,
    /// `days-hours:minutes:seconds`, or no limit, which is also what zero means. `None` if it is none of these.
    pub fn read(text: &str) -> Option<Self> {
        if ["UNLIMITED", "INFINITE"].contains(&text.to_ascii_uppercase().as_str()) {
            return Some(Self::None);
        }
        let number = |text: &str| {
            let digits = !text.is_empty() && text.len() <= 6 && text.bytes().all(|b| b.is_ascii_digit());
            if digits { text.parse::<u64>().ok() } else { None }
        };
        let (days, clock) = match text.split_once('-') {
            Some((days, clock)) => (Some(number(days)?), clock),
            None => (None, text),
        };
        let parts = clock.split(':').map(number).collect::<Option<Vec<u64>>>()?;
        // Without days, the first of one or two numbers is minutes.
        let units: &[u64] = match (days, parts.len()) {
            (None, 1 | 2) => &[60, 1],
            (_, 1..=3) => &[3600, 60, 1],
            _ => return None,
        };
        let of_clock: u64 = parts.iter().zip(units).map(|(part, unit)| part * unit).sum();
        let seconds = days.unwrap_or(0) * 86_400 + of_clock;
        Some(if seconds > 0 { Self::Seconds(seconds) } else { Self::None })
    }
}

/// Whether Slurm reads this as an amount of memory: a number of megabytes, or of the unit K, M, G or T.
pub fn is_memory(text: &str) -> bool {
    memory_bytes(text).is_some()
}

/// The bytes of an amount of memory as Slurm reads it; `None` if it is none. 0 means all memory of a node.
pub fn memory_bytes(text: &str) -> Option<u64> {
    let (number, unit) = match text.char_indices().next_back()? {
        (end, unit) if "KMGTkmgt".contains(unit) => (&text[..end], unit.to_ascii_uppercase()),
        _ => (text, 'M'),
    };
    let is_number = !number.is_empty() && number.len() <= 12 && number.bytes().all(|b| b.is_ascii_digit());
    let power = ['K', 'M', 'G', 'T'].iter().position(|known| *known == unit)? as u32 + 1;
    let number: u64 = number.parse().ok().filter(|_| is_number)?;
    Some(number.saturating_mul(1 << (10 * power)))
}

/// Whether this is one word that a batch script can contain without quotes.
pub fn is_word(text: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '"' | '\'' | '\\' | '#' | '`' | '$');
    !text.is_empty() && !text.starts_with('-') && text.chars().all(plain)
}

/// Options of `sbatch` that taper sets itself, each with what sets it.
const OWN: &[(&str, &str)] = &[
    ("--array", "one element for each run is its work"),
    ("--output", "`taper logs RUN` shows the output"),
    ("--error", "`taper logs RUN` shows the output"),
    ("--open-mode", "an element that is requeued continues its output"),
    ("--job-name", "it is the name of the experiment"),
    ("--chdir", "paths of the spec are relative to it"),
    ("--signal", "set `slurm.signal_seconds`"),
    ("--requeue", "set `slurm.requeues`"),
    ("--no-requeue", "set `slurm.requeues = 0`"),
    ("--partition", "set `slurm.partition`"),
    ("--account", "set `slurm.account`"),
    ("--qos", "set `slurm.qos`"),
    ("--time", "set `slurm.time`"),
    ("--gres", "set `slurm.gres`"),
    ("--mem", "set `slurm.mem`"),
    ("--cpus-per-task", "set `slurm.cpus_per_task`"),
    ("--nodelist", "set `slurm.nodelist`"),
    ("--ntasks", "a run is one process"),
    ("--nodes", "a run is one process"),
    ("--wait", "taper returns when the jobs are accepted"),
    ("--wrap", "taper writes the script"),
    ("--parsable", "taper reads what is printed"),
    ("--test-only", "use `taper submit --dry-run`"),
];

/// Why a further option of `sbatch` cannot be used, if so.
pub fn refused_option(option: &str) -> Option<String> {
    if !option.starts_with("--") || option.len() < 4 || option.chars().any(|c| c.is_control()) {
        return Some("expected an option of `sbatch` with its value, such as `--constraint=a100`".into());
    }
    let name = option.split(['=', ' ']).next().unwrap_or(option);
    OWN.iter().find(|(own, _)| *own == name).map(|(own, why)| format!("taper sets `{own}` itself: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_sbatch() {
        // As `scontrol show job` of Slurm 22.05.8 shows them, which rounds up to minutes.
        for (time, seconds) in [
            ("1", 60),
            ("90", 5400),
            ("30:00", 1800),
            ("1:30:00", 5400),
            ("0:30", 30),
            ("0-12", 43_200),
            ("2-12", 216_000),
            ("1-12:30", 131_400),
            ("1-00:00:30", 86_430),
        ] {
            assert_eq!(TimeLimit::read(time), Some(TimeLimit::Seconds(seconds)), "{time}");
        }
        for time in ["UNLIMITED", "infinite", "0", "0:00", "0-0"] {
            assert_eq!(TimeLimit::read(time), Some(TimeLimit::None), "{time}");
        }
        for time in ["", "1h", "1.5", "-5", "1:2:3:4", "1-2:3:4:5", "2-", "-1-2", "1 :00", "1d", "２"] {
            assert_eq!(TimeLimit::read(time), None, "{time}");
        }
    }

    #[test]
    fn memory_has_a_unit_of_sbatch() {
        for memory in ["0", "4000", "4G", "512m", "1T", "8K"] {
            assert!(is_memory(memory), "{memory}");
        }
        for memory in ["", "G", "4GB", "4 G", "1.5G", "-1", "4Gi"] {
            assert!(!is_memory(memory), "{memory}");
        }
    }

    #[test]
    fn memory_without_a_unit_is_in_megabytes() {
        let bytes = |text| memory_bytes(text).unwrap();
        assert_eq!(
            [bytes("8"), bytes("8m"), bytes("1K"), bytes("2G"), bytes("0")],
            [8 << 20, 8 << 20, 1024, 2 << 30, 0]
        );
        assert_eq!(bytes("1T"), 1 << 40);
        assert_eq!(bytes("999999999999T"), u64::MAX, "more than fits");
    }

    #[test]
    fn words_cannot_break_out_of_a_line_of_the_script() {
        for word in ["gpu", "gpu,cpu", "gpu:a100:2", "tb[0-1]", "a@b", "外卖"] {
            assert!(is_word(word), "{word}");
        }
        for word in ["", "a b", "a\nb", "-x", "\"a\"", "$(a)", "a#b", "`a`", "a\\b"] {
            assert!(!is_word(word), "{word:?}");
        }
    }

    #[test]
    fn options_that_taper_sets_are_refused() {
        for option in
            ["--constraint=a100", "--exclusive", "--nice=10", "--mem-per-cpu=2G", "--gres-flags=enforce-binding"]
        {
            assert_eq!(refused_option(option), None, "{option}");
        }
        assert!(refused_option("--array=0-3").unwrap().contains("taper sets `--array` itself"));
        assert!(refused_option("--time 5").unwrap().contains("set `slurm.time`"));
        for option in ["", "-p gpu", "gpu", "--", "--x\n--y"] {
            assert!(refused_option(option).unwrap().starts_with("expected an option"), "{option:?}");
        }
    }
}
