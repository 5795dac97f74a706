//! What was found in the data: a table of what was read for each data set, and one of its splits. Several runs may have other splits of
//! the same rows (folds, values of `data.seed`): their table has ranges.

use super::{
    format,
    input::{RunInput, split_name},
    long_texts::few,
};
use crate::report::language::{Said, and, counted, counted_states, lines_of, tr};
use crate::{
    event::{Split, SplitTexts},
    format::{NOTHING, by_number, count, percent},
    metrics::Target,
    plan::{DataConfig, Fold, Source},
    store::{AuditedLeak, AuditedNumbers, AuditedSource, DataAudit, FoundRows, RunState},
    task::Task,
};

/// What the section on the data shows.
#[derive(Debug, Default, PartialEq)]
pub struct DataSection {
    /// Each data set.
    pub sets: Vec<DataSet>,
    /// Sentences about runs and data sets that are not shown.
    pub notes: Vec<String>,
}

/// Rows that were read from the same files in the same way.
#[derive(Debug, PartialEq)]
pub struct DataSet {
    /// The runs that have them; empty if all have.
    pub runs: String,
    /// What was read and dropped of each source, then what was noticed in all rows together.
    pub parts: Vec<DataPart>,
    /// Its splits: one table for all runs whose splits are drawn in the same way.
    pub tables: Vec<SplitTable>,
}

/// What is known of one source, or of all rows together.
#[derive(Debug, PartialEq)]
pub struct DataPart {
    /// Its key and address, or `All rows together`.
    pub title: String,
    /// Name of each fact, and its text.
    pub facts: Vec<(String, String)>,
}

/// The splits of some runs.
#[derive(Debug, PartialEq)]
pub struct SplitTable {
    /// The runs, if there are several tables.
    pub runs: String,
    /// What the ranges are over, and why there are no tokens.
    pub notes: Vec<String>,
    /// Names of the splits.
    pub splits: Vec<String>,
    /// Name of the value, and its text for each split.
    pub rows: Vec<(String, Vec<String>)>,
}

/// The most data sets, tables of each, labels of each table, and files of each source that are listed.
const SETS: usize = 6;
const TABLES: usize = 6;
const LABELS: usize = 12;
const FILES: usize = 4;

/// A run of which it is stored what was found in its data.
#[derive(Clone, Copy)]
struct Audited<'a> {
    run: &'a RunInput,
    audit: &'a DataAudit,
}

impl<'a> Audited<'a> {
    fn data(&self) -> &'a DataConfig {
        &self.run.run.config.data
    }

    /// What decides what is read.
    fn read(&self) -> (&'a [AuditedSource], &'a [String], Option<usize>, String) {
        (&self.audit.sources, &self.run.run.labels, self.data().limit, self.data().source.shown())
    }

    /// What decides how its splits are drawn and how long their texts are, apart from the seed and the fold.
    fn divided(&self) -> (DataConfig, &'a Source, usize) {
        let (data, model) = (self.data(), &self.run.run.config.model);
        (DataConfig { fold: data.fold.map(Fold::first), seed: 0, ..data.clone() }, &model.source, model.vocab_size)
    }

    fn texts(&self, split: Split) -> Option<&'a SplitTexts> {
        self.run.run.environment.as_ref()?.texts.iter().find(|of| of.split == split)
    }
}

/// The section on the data of these runs; `None` if of none of them it is stored what was found.
pub(super) fn of_runs(runs: &[RunInput]) -> Option<DataSection> {
    let audited: Vec<Audited<'_>> =
        runs.iter().filter_map(|run| Some(Audited { run, audit: run.audit.as_ref()? })).collect();
    let sets = grouped(&audited, |a, b| a.read() == b.read());
    let names = |of: &[Audited<'_>]| few(&of.iter().map(|of| of.run.run.name.as_str()).collect::<Vec<_>>());
    let mut section = DataSection::default();
    for of in sets.iter().take(SETS) {
        let runs = if sets.len() > 1 { names(of) } else { String::new() };
        section.sets.push(DataSet { runs, parts: parts(of), tables: tables(of, names) });
    }
    if let more @ 1.. = sets.len().saturating_sub(SETS) {
        section.notes.push(tr!(
            "And {}, with other files, labels or limits.",
            "另有 {}，它们的文件、标签或行数限制不同。",
            counted(more as u64, "more data set")
        ));
    }
    let without: Vec<&str> = runs.iter().filter(|run| run.audit.is_none()).map(|run| run.run.name.as_str()).collect();
    if !without.is_empty() {
        let n = without.len() as u64;
        section.notes.push(tr!(
            "{} {} recorded by an earlier version, which did not store this: {}.",
            counted(n, "run"),
            by_number(n, "was", "were"),
            few(&without)
        ; "{}由较早的版本记录，当时不存储这些信息：{}。", counted(n, "run"), few(&without)));
    }
    (!audited.is_empty()).then_some(section)
}

/// Runs that are the same, in the order in which each kind first appears.
fn grouped<'a>(runs: &[Audited<'a>], same: impl Fn(&Audited<'a>, &Audited<'a>) -> bool) -> Vec<Vec<Audited<'a>>> {
    let mut found: Vec<Vec<Audited<'_>>> = Vec::new();
    for run in runs {
        match found.iter_mut().find(|of| same(&of[0], run)) {
            Some(of) => of.push(*run),
            None => found.push(vec![*run]),
        }
    }
    found
}

/// What was read and dropped of each source, and what was noticed.
fn parts(of: &[Audited<'_>]) -> Vec<DataPart> {
    let (first, data) = (of[0].audit, of[0].data());
    let mut parts = Vec::new();
    for source in &first.sources {
        let mut facts = Vec::new();
        let (key, address) = match source.split {
            None => ("data.source".to_owned(), data.source.shown()),
            Some(split) => (format!("data.{}", split_name(split)), own_address(data, split)),
        };
        facts.push((tr("Rows read", "读入行数").into(), count(source.read)));
        facts.extend(dropped(source));
        if source.split.is_none() {
            let used = range(of.iter().map(|of| of.audit.rows), count);
            let limit = if data.limit.is_some() { tr(" (data.limit)", "（data.limit）") } else { "" };
            facts.push((tr("Rows used", "使用行数").into(), format!("{used}{limit}")));
        }
        if !source.read_as.is_empty() {
            facts.push((tr("Read", "读取方式").into(), source.read_as.join("; ")));
        }
        let one = source.files.len() == 1;
        for file in source.files.iter().take(FILES) {
            let what = if one { "SHA-256".into() } else { tr!("SHA-256 of {}", "{} 的 SHA-256", file.name) };
            facts.push((what, file.sha256.clone()));
        }
        if let more @ 1.. = source.files.len().saturating_sub(FILES) {
            let all = tr(
                "their digests are included in the digest of the data, under Reproduce",
                "它们的摘要包含在数据的摘要里，见“复现”一节",
            );
            facts.push((tr!("and {}", "以及 {}", counted(more as u64, "more file")), all.into()));
        }
        parts.push(DataPart { title: format!("{key} = {address}"), facts });
    }
    parts.push(DataPart { title: tr("All rows together", "所有行合计").into(), facts: noticed(of) });
    parts
}

/// What was noticed in the rows of all sources together.
fn noticed(of: &[Audited<'_>]) -> Vec<(String, String)> {
    let first = of[0].audit;
    let mut facts = Vec::new();
    let [repeats, texts] = [|audit: &DataAudit| audit.repeats, |audit: &DataAudit| audit.contradictions]
        .map(|value| range(of.iter().map(|of| value(of.audit)), count));
    facts.push((
        tr("Repeats", "重复").into(),
        if repeats == "0" {
            tr("none", "无").into()
        } else {
            tr!("rows that repeat an earlier text: {repeats}", "与前面文本重复的行：{repeats}")
        },
    ));
    let contradictions = match texts == "0" {
        true => tr("none", "无").into(),
        false => {
            let rows = range(of.iter().map(|of| of.audit.contradicting.rows), count);
            let lines = match of.iter().all(|of| of.audit.contradicting == first.contradicting) {
                true => tr!(" ({})", "（{}）", lines_of(&first.contradicting.lines, first.contradicting.rows)),
                false => String::new(),
            };
            let what = match of[0].data().task() {
                Task::SingleLabel => tr("labels", "标签"),
                Task::MultiLabel => tr("sets of labels", "标签集合"),
                Task::Regression => tr("numbers", "数值"),
            };
            tr!(
                "texts with different {what}: {texts}; their rows: {rows}{lines}",
                "{what}不同的相同文本：{texts}；涉及的行：{rows}{lines}"
            )
        }
    };
    facts.push((tr("Contradictions", "矛盾").into(), contradictions));
    let folds = of.iter().flat_map(|of| &of.audit.folds).copied();
    match range(folds, count) {
        none if none.is_empty() => {}
        rows => {
            let n = of.iter().map(|of| of.audit.folds.len() as u64);
            facts.push((
                tr("Folds", "折").into(),
                tr!("{}, of {rows} rows each", "{}，每折 {rows} 行", range(n.filter(|n| *n > 0), count)),
            ));
        }
    }
    if of.iter().all(|of| of.audit.leaks.is_empty()) {
        facts.push((tr("Texts in two splits", "两个划分中都有的文本").into(), tr("none", "无").into()));
    }
    facts
}

/// Where a split has its rows from, if it does not share `data.source`.
fn own_address(data: &DataConfig, split: Split) -> String {
    let held_out = if split == Split::Test { &data.test } else { &data.dev };
    let named = || {
        let splits = data.splits.as_ref()?;
        let (_, value) = splits.named().find(|(name, _)| *name == split_name(split))?;
        Some(tr!("split {value} of {}", "{} 的划分 {value}", data.source.shown()))
    };
    held_out.source().map(Source::shown).or_else(named).unwrap_or_else(|| data.source.shown())
}

/// The rows that were dropped, by reason.
fn dropped(source: &AuditedSource) -> Vec<(String, String)> {
    let reasons = [
        (tr("without a text", "缺少文本"), &source.without_text),
        (tr("without a second text", "缺少第二段文本"), &source.without_pair),
        (tr("without a label", "缺少标签"), &source.without_label),
    ];
    let row = |(why, FoundRows { rows, lines }): (&str, &FoundRows)| {
        (*rows > 0).then(|| {
            (tr!("Dropped, {why}", "丢弃，{why}"), tr!("{} ({})", "{}（{}）", count(*rows), lines_of(lines, *rows)))
        })
    };
    let found: Vec<_> = reasons.into_iter().filter_map(row).collect();
    if found.is_empty() { vec![(tr("Dropped", "丢弃").into(), tr("none", "无").into())] } else { found }
}

/// The tables of the splits of a data set.
fn tables(of: &[Audited<'_>], names: impl Fn(&[Audited<'_>]) -> String) -> Vec<SplitTable> {
    let mut found: Vec<(Vec<Audited<'_>>, SplitTable)> = Vec::new();
    for of in grouped(of, |a, b| a.divided() == b.divided()) {
        let table = table(&of);
        // Settings that change nothing here.
        match found.iter_mut().find(|(_, other)| *other == table) {
            Some((runs, _)) => runs.extend(of),
            None => found.push((of, table)),
        }
    }
    let (several, more) = (found.len() > 1, found.len().saturating_sub(TABLES));
    let named = |(of, table): (Vec<Audited<'_>>, SplitTable)| SplitTable {
        runs: if several { names(&of) } else { String::new() },
        ..table
    };
    let mut tables: Vec<SplitTable> = found.into_iter().take(TABLES).map(named).collect();
    if let (Some(last), 1..) = (tables.last_mut(), more) {
        let others = tr!(
            "{} of other runs {} left out.",
            counted(more as u64, "table"),
            by_number(more as u64, "is", "are")
        ; "其他运行的 {}未列出。", counted(more as u64, "table"));
        last.notes.push(others);
    }
    tables
}

/// The splits of runs that draw them in the same way.
fn table(of: &[Audited<'_>]) -> SplitTable {
    let splits: Vec<Split> = [Split::Train, Split::Dev, Split::Test]
        .into_iter()
        .filter(|split| of.iter().any(|of| of.audit.splits.iter().any(|s| s.split == *split)))
        .collect();
    let mut rows = Vec::new();
    let mut push = |name: &str, cell: &dyn Fn(Split) -> String| {
        let cells: Vec<String> = splits.iter().map(|split| cell(*split)).collect();
        if cells.iter().any(|cell| !cell.is_empty()) {
            rows.push((name.to_owned(), cells));
        }
    };
    let found = |split: Split| of.iter().filter_map(move |of| of.audit.splits.iter().find(|s| s.split == split));
    push(tr("Rows", "行数"), &|split| range(found(split).map(|s| s.rows), count));
    push(tr("Groups", "组数"), &|split| range(found(split).filter_map(|s| s.groups), count));
    let labels = &of[0].run.run.labels;
    let shown = if labels.len() > LABELS { LABELS - 1 } else { labels.len() };
    for (id, label) in labels.iter().enumerate().take(shown) {
        push(&format!("“{label}”"), &|split| {
            shares(found(split).map(|s| (s.rows_of_label.get(id).copied(), s.rows)))
        });
    }
    if let more @ 1.. = labels.len() - shown {
        let others = |of: &[u64]| of.iter().skip(shown).sum();
        let name = tr!("{} together", "{}合计", counted(more as u64, "other label"));
        push(&name, &|split| shares(found(split).map(|s| (Some(others(&s.rows_of_label)), s.rows))));
    }
    if found(Split::Train).chain(found(Split::Dev)).chain(found(Split::Test)).any(|s| s.without_labels > 0) {
        push(tr("Without a label", "没有标签"), &|split| {
            shares(found(split).map(|s| (Some(s.without_labels), s.rows)))
        });
    }
    for (id, column) in labels.iter().enumerate().take(shown) {
        let of = |split: Split| found(split).filter_map(move |s| s.numbers.get(id));
        push(&tr!("“{column}”, mean (SD)", "“{column}”，平均值（标准差）"), &|split| {
            let text = |of: &AuditedNumbers| format!("{} ({})", numeral(of.mean), numeral(of.sd));
            let mut texts: Vec<String> = of(split).map(text).collect();
            texts.dedup();
            // Of several divisions of the rows the first is shown, and that there are others.
            match texts.len() {
                0 => String::new(),
                1 => texts.remove(0),
                n => tr!("{} and {} more", "{} 以及另外 {} 种", texts[0], n - 1),
            }
        });
        push(&tr!("“{column}”, lowest to highest", "“{column}”，最低至最高"), &|split| {
            let low = of(split).map(|of| of.low).fold(f64::INFINITY, f64::min);
            let high = of(split).map(|of| of.high).fold(f64::NEG_INFINITY, f64::max);
            if low <= high { tr!("{} to {}", "{} 至 {}", numeral(low), numeral(high)) } else { String::new() }
        });
    }
    for (also_in, in_name) in [(Split::Train, Split::Train.said()), (Split::Dev, Split::Dev.said())] {
        let all_leaks = || of.iter().flat_map(|of| &of.audit.leaks).filter(|leak| leak.also_in == also_in);
        if all_leaks().next().is_none() {
            continue;
        }
        let leaks = |split: Split, value: fn(&AuditedLeak) -> u64| {
            // Each split is compared with those before it.
            let compared = splits.iter().skip_while(|before| **before != also_in).skip(1).any(|after| *after == split);
            let one = |of: &Audited<'_>| {
                let rows = of.audit.splits.iter().find(|s| s.split == split)?.rows;
                let leak = of.audit.leaks.iter().find(|l| (l.rows_of, l.also_in) == (split, also_in));
                (rows > 0).then_some((leak.map_or(0, value), rows))
            };
            match with_share(of.iter().filter(|_| compared).filter_map(one)) {
                none if none.is_empty() => NOTHING.into(),
                share => share,
            }
        };
        push(&tr!("Text also in {in_name}", "文本也在{in_name}中"), &|split| leaks(split, |leak| leak.exact));
        if all_leaks().any(|leak| leak.alike > leak.exact) {
            push(tr("The same if case and spaces are ignored", "同上，忽略大小写和空白"), &|split| {
                leaks(split, |leak| leak.alike)
            });
        }
    }
    let texts = |split: Split| of.iter().filter_map(move |of| of.texts(split));
    let lengths = |split: Split| texts(split).filter_map(|of| of.lengths);
    push(tr("Tokens, median", "词元数，中位数"), &|split| range(lengths(split).map(|l| l.median), count));
    push(tr("Tokens, 95th percentile", "词元数，第 95 百分位"), &|split| {
        range(lengths(split).map(|l| l.p95), count)
    });
    push(tr("Tokens, longest text", "词元数，最长的文本"), &|split| {
        let more = if texts(split).any(|of| of.longer_than_counted > 0) { tr("more than ", "超过 ") } else { "" };
        match range(lengths(split).map(|l| l.longest), count) {
            none if none.is_empty() => none,
            longest => format!("{more}{longest}"),
        }
    });
    let long = of[0].data().long_texts();
    match long.has_windows() {
        true => push(
            &tr!("Windows of at most {} tokens", "至多 {} 个词元的窗口数", count(long.max_length as u64)),
            &|split| range(texts(split).map(|of| of.windows), count),
        ),
        false => push(
            &tr!("Texts cut to {} tokens", "截断到 {} 个词元的文本", count(long.max_length as u64)),
            &|split| with_share(texts(split).map(|of| (of.rows_cut, of.rows.saturating_sub(of.uncounted)))),
        ),
    }
    if of.iter().any(|of| splits.iter().any(|split| of.texts(*split).is_some_and(|of| of.uncounted > 0))) {
        push(tr("Rows whose tokens were counted", "统计了词元数的行"), &|split| {
            range(texts(split).map(|of| of.rows.saturating_sub(of.uncounted)), count)
        });
    }
    SplitTable {
        runs: String::new(),
        notes: over(of).into_iter().chain(no_tokens(of)).collect(),
        splits: splits.into_iter().map(|split| format::capital(split.said())).collect(),
        rows,
    }
}

/// Why a table has no tokens: they are counted as a run reads its texts, and stored at its end.
fn no_tokens(of: &[Audited<'_>]) -> Option<String> {
    let texts = |of: &Audited<'_>| of.run.run.environment.as_ref().is_some_and(|e| !e.texts.is_empty());
    if of.iter().any(texts) {
        return None;
    }
    if of.iter().any(|of| of.run.run.state == RunState::Completed) {
        return Some(
            tr(
                "There are no token counts: an earlier version, which did not store them, trained these runs.",
                "没有词元数：这些运行由较早的版本训练，当时不存储词元数。",
            )
            .into(),
        );
    }
    let states = counted_states(of.iter().map(|of| of.run.run.state));
    Some(tr!(
        "There are no token counts: they are stored when a run completes, and no run of this table has ({states})."
    ; "没有词元数：运行完成时才会存储，而此表的运行都没有完成（{}）。", states))
}

/// What the ranges of a table are over; `None` if its runs all have the same splits.
fn over(of: &[Audited<'_>]) -> Option<String> {
    let distinct = |value: &dyn Fn(&DataConfig) -> u64| {
        let mut found: Vec<u64> = of.iter().map(|of| value(of.data())).collect();
        found.sort_unstable();
        found.dedup();
        found.len() as u64
    };
    let seeds = distinct(&|data| data.seed);
    let folds = distinct(&|data| data.fold.map_or(0, |fold| u64::from(fold.number())));
    let mut over = Vec::new();
    if seeds > 1 {
        over.push(tr!("{} of data.seed", "data.seed 的 {}", counted(seeds, "value")));
    }
    if folds > 1 {
        over.push(counted(folds, "fold"));
    }
    (!over.is_empty())
        .then(|| tr!("“a–b”: from the lowest to the highest value over {}.", "“a–b”：{}中最低值到最高值。", and(&over)))
}

/// A number of the data: up to four decimals.
fn numeral(value: f64) -> String {
    Target::values(vec![value]).shown(&[]).replace('-', "−")
}

/// `12`, or `12–15` if the values differ; empty without values.
fn range(values: impl Iterator<Item = u64>, text: impl Fn(u64) -> String) -> String {
    let values: Vec<u64> = values.collect();
    match (values.iter().min(), values.iter().max()) {
        (Some(low), Some(high)) if low == high => text(*low),
        (Some(low), Some(high)) => format!("{}–{}", text(*low), text(*high)),
        _ => String::new(),
    }
}

/// The share of the rows, or its range.
fn shares(values: impl Iterator<Item = (Option<u64>, u64)>) -> String {
    let values: Vec<f64> =
        values.filter_map(|(rows, all)| Some(rows? as f64 / all as f64)).filter(|share| share.is_finite()).collect();
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match (percent(low), percent(high)) {
        _ if values.is_empty() => String::new(),
        (low, high) if low == high => high,
        (low, high) => format!("{}–{high}", low.trim_end_matches('%')),
    }
}

/// `3 (2.5%)`, or the ranges of both; `0` without a share.
fn with_share(values: impl Iterator<Item = (u64, u64)>) -> String {
    let values: Vec<(u64, u64)> = values.collect();
    let rows = range(values.iter().map(|(rows, _)| *rows), count);
    match shares(values.iter().map(|(rows, all)| (Some(*rows), *all))) {
        _ if rows == "0" || rows.is_empty() => rows,
        share => format!("{rows} ({share})"),
    }
}
