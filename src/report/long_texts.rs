//! What becomes of long texts, in words: for reports and `taper plan`.

use super::input::{RunInput, split_name};
use crate::{
    event::SplitTexts,
    format::{and, count, counted, percent},
    plan::{LongPolicy, LongTexts},
};

/// How long texts are read, how many rows and tokens of each split are cut, or how many windows there are.
pub fn long_texts(long: LongTexts, splits: &[SplitTexts]) -> String {
    let most = counted(long.max_length as u64, "token");
    let how = match long.policy {
        LongPolicy::Cut => format!("at most {most}"),
        LongPolicy::HeadTail { head } => {
            let tail = long.max_length.saturating_sub(2 + head) as u64;
            format!("at most {most}, of longer texts the first {} and the last {}", count(head as u64), count(tail))
        }
        LongPolicy::Windows { stride } => {
            let of_rows = |of: &SplitTexts| format!("{} of {}", counted(of.windows, "window"), rows(of));
            let windows: Vec<String> = splits.iter().map(of_rows).collect();
            let shared = match stride {
                0 => "without overlap".into(),
                shared => format!("overlapping by {}", count(shared as u64)),
            };
            return format!("windows of at most {most}, {shared}: {}; nothing is cut", and(&windows));
        }
    };
    if splits.iter().all(|of| of.rows_cut == 0) {
        return format!("{how}; no text is longer, and nothing is cut");
    }
    let cut: Vec<String> = splits.iter().map(cut).collect();
    format!("{how}; cut: {}", and(&cut))
}

/// `7,790 train rows`.
fn rows(of: &SplitTexts) -> String {
    counted(of.rows, &format!("{} row", split_name(of.split)))
}

/// `96 of 7,790 train rows (5,012 of 215,000 tokens, 2.3%)`.
fn cut(of: &SplitTexts) -> String {
    if of.rows_cut == 0 {
        return format!("none of {}", rows(of));
    }
    // Of some texts only the beginning was counted.
    let tokens = match of.longer_than_counted {
        0 => format!("{} of {}", count(of.tokens_cut), counted(of.tokens, "token")),
        _ => format!("more than {} of {}", count(of.tokens_cut), counted(of.tokens, "token")),
    };
    let share = percent(of.tokens_cut as f64 / of.tokens.max(1) as f64);
    format!("{} of {} ({tokens}, {share})", count(of.rows_cut), rows(of))
}

/// How the runs read long texts: names of the runs (empty if all do the same), and the sentence. Runs that have not completed are left
/// out: it is counted at their end.
pub(super) fn of_runs(runs: &[RunInput]) -> Vec<(String, String)> {
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    for run in runs {
        let texts = run.run.environment.as_ref().map(|environment| &environment.texts[..]).unwrap_or_default();
        if texts.is_empty() {
            continue;
        }
        let sentence = long_texts(run.run.config.data.long_texts(), texts);
        match found.iter_mut().find(|(other, _)| *other == sentence) {
            Some((_, names)) => names.push(&run.run.name),
            None => found.push((sentence, vec![&run.run.name])),
        }
    }
    let differ = found.len() > 1;
    let row = |(sentence, names): (String, Vec<&str>)| {
        (if differ { names.join("; ") } else { String::new() }, super::format::capital(&sentence) + ".")
    };
    found.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Split;

    #[test]
    fn a_split_says_how_much_of_it_is_cut() {
        let train =
            SplitTexts { tokens: 215_000, rows_cut: 96, tokens_cut: 5012, ..SplitTexts::new(Split::Train, 7790) };
        let test = SplitTexts { tokens: 90, ..SplitTexts::new(Split::Test, 1) };
        let cut = LongTexts::from(128);
        assert_eq!(
            long_texts(cut, &[train, test]),
            "at most 128 tokens; cut: 96 of 7,790 train rows (5,012 of 215,000 tokens, 2.3%) and none of 1 test row"
        );
        assert_eq!(long_texts(cut, &[test]), "at most 128 tokens; no text is longer, and nothing is cut");
        let counted = SplitTexts { longer_than_counted: 1, ..train };
        let head = LongTexts { policy: LongPolicy::HeadTail { head: 32 }, ..cut };
        assert_eq!(
            long_texts(head, &[counted]),
            "at most 128 tokens, of longer texts the first 32 and the last 94; cut: 96 of 7,790 train rows (more than 5,012 of \
             215,000 tokens, 2.3%)"
        );
        let read = SplitTexts { rows_cut: 0, tokens_cut: 0, windows: 7900, ..train };
        let windows = |stride| long_texts(LongTexts { policy: LongPolicy::Windows { stride }, ..cut }, &[read, test]);
        assert_eq!(
            windows(32),
            "windows of at most 128 tokens, overlapping by 32: 7,900 windows of 7,790 train rows and 1 window of 1 test row; nothing is cut"
        );
        assert!(windows(0).starts_with("windows of at most 128 tokens, without overlap: 7,900 windows of "));
    }
}
