//! What becomes of long texts, in words: for reports and `taper plan`.

use std::collections::BTreeMap;

use super::input::{RunInput, split_name};
use crate::report::language::{and, counted, tr};
use crate::{
    event::SplitTexts,
    format::{by_number, count, percent},
    plan::{DataConfig, Fold, LongPolicy, LongTexts},
};

/// How long texts are read, how many rows and tokens of each split are cut, or how many windows there are. `special`: how many tokens the
/// tokenizer adds to a text, where that is known.
pub fn long_texts(long: LongTexts, splits: &[SplitTexts], special: Option<usize>) -> String {
    let most = counted(long.max_length as u64, "token");
    let how = match long.policy {
        LongPolicy::Cut => tr!("at most {most}", "至多 {most}"),
        LongPolicy::HeadTail { head } => {
            tr!("at most {most}; of longer texts {}", long.kept(head, special); "至多 {most}；更长的文本只留{}", kept_in_chinese(head))
        }
        LongPolicy::Windows { stride } => {
            let of_rows = |of: &SplitTexts| tr!("{} of {}", "{}来自 {}", counted(of.windows, "window"), rows(of));
            let windows: Vec<String> = splits.iter().map(of_rows).collect();
            let shared = match stride {
                0 => tr("without overlap", "没有重叠").into(),
                shared => tr!("overlapping by {}", "重叠 {} 个", count(shared as u64)),
            };
            return tr!(
                "windows of at most {most}, {shared}: {}; nothing is cut",
                "至多 {most}的窗口，{shared}：{}；没有截断",
                and(&windows)
            );
        }
    };
    if splits.iter().all(|of| of.rows_cut == 0 && of.uncounted == 0) {
        return tr!("{how}; no text is longer, and nothing is cut", "{how}；没有更长的文本，也没有截断");
    }
    let cut: Vec<String> = splits.iter().map(cut).collect();
    tr!("{how}; cut: {}", "{how}；截断：{}", and(&cut))
}

/// What of a long text is kept, as [`LongTexts::kept`] says it in English.
fn kept_in_chinese(head: usize) -> String {
    match head {
        0 => "末尾".into(),
        head => format!("前 {} 个和末尾", count(head as u64)),
    }
}

/// `7,790 train rows`.
fn rows(of: &SplitTexts) -> String {
    counted(of.rows, &format!("{} row", split_name(of.split)))
}

/// `7,790 train rows`; if a run ended before it needed all: `the 3,200 of 5,000,000 train rows that were counted`.
fn counted_rows(of: &SplitTexts) -> String {
    match of.uncounted {
        0 => rows(of),
        uncounted => {
            let n = of.rows.saturating_sub(uncounted);
            tr!("the {} of {} that {} counted", count(n), rows(of), by_number(n, "was", "were"); "{1}中统计过的 {0} 行", count(n), rows(of))
        }
    }
}

/// `96 of 7,790 train rows (5,012 of 215,000 tokens, 2.3%)`.
fn cut(of: &SplitTexts) -> String {
    if of.rows_cut == 0 {
        return tr!("none of {}", "{}中 0 行", counted_rows(of));
    }
    let (cut, all) = (count(of.tokens_cut), counted(of.tokens, "token"));
    let tokens = match of.longer_than_counted {
        0 => {
            tr!("{cut} of {all}, {}", "{all}中的 {cut} 个，{}", percent(of.tokens_cut as f64 / of.tokens.max(1) as f64))
        }
        // Of some texts only the beginning was counted: both numbers are bounds, and their share is none.
        _ => tr!("more than {cut} of more than {all}", "超过 {all}中的超过 {cut} 个"),
    };
    tr!("{} of {} ({tokens})", count(of.rows_cut), counted_rows(of); "{1}中 {0} 行（{tokens}）", count(of.rows_cut), counted_rows(of))
}

/// The most sentences of a report, and the most names of runs beside one.
const SENTENCES: usize = 8;
const NAMES: usize = 4;

/// How the runs read long texts: names of the runs (empty if all do the same), and the sentence. Runs that have not completed are left
/// out: it is counted at their end. Folds whose numbers differ are said together.
pub(super) fn of_runs(runs: &[RunInput]) -> Vec<(String, String)> {
    let mut groups: Vec<Vec<(&RunInput, &[SplitTexts])>> = Vec::new();
    let folded = |run: &RunInput| {
        let (data, model) = (&run.run.config.data, &run.run.config.model);
        (DataConfig { fold: data.fold.map(Fold::first), ..data.clone() }, model.source.clone(), model.vocab_size)
    };
    for run in runs {
        let texts = run.run.environment.as_ref().map(|environment| &environment.texts[..]).unwrap_or_default();
        if texts.is_empty() {
            continue;
        }
        match groups.iter_mut().find(|of| folded(of[0].0) == folded(run)) {
            Some(of) => of.push((run, texts)),
            None => groups.push(vec![(run, texts)]),
        }
    }
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    for group in groups {
        let long = group[0].0.run.config.data.long_texts();
        let together = all_folds(&group).map(|(folds, texts)| {
            tr!("{}; {} together", "{}；{}合计", long_texts(long, &texts, None), counted(folds as u64, "fold"))
        });
        for (run, texts) in &group {
            let sentence = together.clone().unwrap_or_else(|| long_texts(long, texts, None));
            match found.iter_mut().find(|(other, _)| *other == sentence) {
                Some((_, names)) => names.push(&run.run.name),
                None => found.push((sentence, vec![&run.run.name])),
            }
        }
    }
    listed(found, tr(".", "。"))
}

/// The texts of all folds of these runs together, each fold once, with their number; `None` without several folds, and if the same is to be
/// said of each.
fn all_folds(runs: &[(&RunInput, &[SplitTexts])]) -> Option<(usize, Vec<SplitTexts>)> {
    let long = runs[0].0.run.config.data.long_texts();
    let mut folds: BTreeMap<u32, &[SplitTexts]> = BTreeMap::new();
    for (run, texts) in runs {
        folds.entry(run.run.config.data.fold?.number()).or_insert(texts);
    }
    let first = long_texts(long, runs[0].1, None);
    if runs.iter().all(|(_, texts)| long_texts(long, texts, None) == first) || folds.len() < 2 {
        return None;
    }
    let mut sums: Vec<SplitTexts> = Vec::new();
    for of in folds.values().copied().flatten() {
        match sums.iter_mut().find(|sum| sum.split == of.split) {
            Some(sum) => *sum = sum.with(of),
            None => sums.push(*of),
        }
    }
    Some((folds.len(), sums))
}

/// The rows of the report, of sentences with the names of their runs. `stop` ends each; what is not listed has no names.
pub(super) fn listed(found: Vec<(String, Vec<&str>)>, stop: &str) -> Vec<(String, String)> {
    let (differ, more) = (found.len() > 1, found.len().saturating_sub(SENTENCES));
    let row = |(sentence, names): (String, Vec<&str>)| {
        let names = if differ { few(&names) } else { String::new() };
        (names, super::format::capital(&sentence) + stop)
    };
    let mut rows: Vec<(String, String)> = found.into_iter().take(SENTENCES).map(row).collect();
    if more > 0 {
        let others = counted(more as u64, "other way");
        rows.push((
            String::new(),
            tr!("And {others}: `taper show` has them for each run.", "还有 {others}：各运行的情况见 `taper show`。"),
        ));
    }
    rows
}

/// `a; b; c; d; and 3 more`.
pub(super) fn few(names: &[&str]) -> String {
    let more = names.len().saturating_sub(NAMES);
    let more = (more > 0).then(|| tr!("and {} more", "以及另外 {} 个", count(more as u64)));
    names.iter().take(NAMES).map(|name| name.to_string()).chain(more).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Split;

    #[test]
    fn a_report_lists_a_few_ways_and_a_few_runs() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let ways = |n: usize| (0..n).map(|i| (format!("way {i}"), names.to_vec())).collect();
        assert_eq!(listed(ways(1), "."), [(String::new(), "Way 0.".to_string())]);
        let rows = listed(ways(10), ".");
        assert_eq!(rows.len(), 9);
        assert_eq!(rows[7], ("a; b; c; d; and 2 more".into(), "Way 7.".into()));
        assert_eq!(rows[8], (String::new(), "And 2 other ways: `taper show` has them for each run.".into()));
        assert_eq!((listed(ways(8), ".").len(), few(&names[..4])), (8, "a; b; c; d".into()));
    }

    #[test]
    fn a_split_says_how_much_of_it_is_cut() {
        let train =
            SplitTexts { tokens: 215_000, rows_cut: 96, tokens_cut: 5012, ..SplitTexts::new(Split::Train, 7790) };
        let test = SplitTexts { tokens: 90, ..SplitTexts::new(Split::Test, 1) };
        let cut = LongTexts::from(128);
        assert_eq!(
            long_texts(cut, &[train, test], Some(2)),
            "at most 128 tokens; cut: 96 of 7,790 train rows (5,012 of 215,000 tokens, 2.3%) and none of 1 test row"
        );
        assert_eq!(long_texts(cut, &[test], None), "at most 128 tokens; no text is longer, and nothing is cut");
        let counted = SplitTexts { longer_than_counted: 1, ..train };
        let head = LongTexts { policy: LongPolicy::HeadTail { head: 32 }, ..cut };
        assert_eq!(
            long_texts(head, &[counted], Some(2)),
            "at most 128 tokens; of longer texts the first 32 and the last 94; cut: 96 of 7,790 train rows (more than \
             5,012 of more than 215,000 tokens)"
        );
        // A run that ended before it needed all rows.
        let part = SplitTexts { uncounted: 7780, ..train };
        assert_eq!(
            long_texts(cut, &[part, test], None),
            "at most 128 tokens; cut: 96 of the 10 of 7,790 train rows that were counted (5,012 of 215,000 tokens, 2.3%) and none of 1 \
             test row"
        );
        let short = SplitTexts { rows_cut: 0, tokens_cut: 0, uncounted: 7789, ..train };
        assert_eq!(
            long_texts(cut, &[short], None),
            "at most 128 tokens; cut: none of the 1 of 7,790 train rows that was counted"
        );
        let read = SplitTexts { rows_cut: 0, tokens_cut: 0, windows: 7900, ..train };
        let windows =
            |stride| long_texts(LongTexts { policy: LongPolicy::Windows { stride }, ..cut }, &[read, test], None);
        assert_eq!(
            windows(32),
            "windows of at most 128 tokens, overlapping by 32: 7,900 windows of 7,790 train rows and 1 window of 1 test row; nothing is cut"
        );
        assert!(windows(0).starts_with("windows of at most 128 tokens, without overlap: 7,900 windows of "));
    }
}
