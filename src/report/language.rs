//! The languages of a report. Each text is written in both languages where it is used: `tr("Runs", "运行")`, or with arguments
//! `tr!("{n} of {all} rows", "{all} 行中的 {n} 行")`. A text without a translation does not compile.
//!
//! The language is that of the work in progress ([`Language::during`]), as in gettext: what a page shows is said deep in tables and charts that
//! otherwise depend on numbers alone. Outside of [`Language::during`] it is English, so terminals, JSON and CSV files are English. Errors have no
//! translation.

use std::cell::Cell;

use crate::{
    event::{FailureKind, Split},
    metrics::{Metric, Target},
    store::{RunRecord, RunState},
    task::Task,
    warning::{Kind, SHOWN},
};

/// A language that reports are written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Chinese in simplified characters.
    Chinese,
}

thread_local! {
    static CURRENT: Cell<Language> = const { Cell::new(Language::English) };
}

impl Language {
    /// Does work whose texts are in this language.
    pub fn during<T>(self, work: impl FnOnce() -> T) -> T {
        /// Sets the language back, also when the work panics.
        struct Before(Language);
        impl Drop for Before {
            fn drop(&mut self) {
                CURRENT.set(self.0);
            }
        }
        let _before = Before(CURRENT.replace(self));
        work()
    }

    /// That of the work in progress.
    pub fn current() -> Self {
        CURRENT.get()
    }

    /// Its tag in HTML (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }
}

/// Whether texts are Chinese now.
pub fn is_chinese() -> bool {
    Language::current() == Language::Chinese
}

/// A text in the language of the work in progress.
pub fn tr(english: &'static str, chinese: &'static str) -> &'static str {
    match Language::current() {
        Language::English => english,
        Language::Chinese => chinese,
    }
}

/// The same with arguments, as in `format!`: `tr!("{} rows", "{} 行", n)`. Where the Chinese text has other arguments, they follow it:
/// `tr!("{n} {}", by_number(n, "row", "rows"); "{n} 行")`.
macro_rules! tr_with {
    ($english:literal, $chinese:literal $(, $argument:expr)* $(,)?) => {
        match $crate::report::language::Language::current() {
            $crate::report::language::Language::English => format!($english $(, $argument)*),
            $crate::report::language::Language::Chinese => format!($chinese $(, $argument)*),
        }
    };
    ($english:literal $(, $argument:expr)* $(,)?; $chinese:literal $(, $other:expr)* $(,)?) => {
        match $crate::report::language::Language::current() {
            $crate::report::language::Language::English => format!($english $(, $argument)*),
            $crate::report::language::Language::Chinese => format!($chinese $(, $other)*),
        }
    };
}
pub(in crate::report) use tr_with as tr;

/// What a report calls something that terminals and files call by an English name.
pub trait Said {
    /// A text.
    type Name;

    /// Its name in the language of the work in progress.
    fn said(&self) -> Self::Name;
}

impl Said for Split {
    type Name = &'static str;

    fn said(&self) -> &'static str {
        match self {
            Self::Train => tr("train", "训练集"),
            Self::Dev => tr("dev", "开发集"),
            Self::Test => tr("test", "测试集"),
        }
    }
}

impl Said for RunState {
    type Name = &'static str;

    fn said(&self) -> &'static str {
        tr(
            self.word(),
            match self {
                Self::Pending => "未开始",
                Self::Running => "训练中",
                Self::Waiting => "等待比较",
                Self::Interrupted => "已中断",
                Self::Completed => "已完成",
                Self::Pruned => "已剪枝",
                Self::Failed => "失败",
            },
        )
    }
}

impl Said for FailureKind {
    type Name = &'static str;

    fn said(&self) -> &'static str {
        tr(
            self.word(),
            match self {
                Self::Error => "出错",
                Self::Oom => "内存不足",
                Self::Diverged => "发散",
                Self::Crashed => "进程意外退出",
            },
        )
    }
}

/// The state of a run, with the kind of a failure.
impl Said for RunRecord {
    type Name = String;

    fn said(&self) -> String {
        match (Language::current(), self.failure) {
            (Language::Chinese, Some(kind)) if self.state == RunState::Failed => {
                format!("{}（{}）", self.state.said(), kind.said())
            }
            (Language::Chinese, _) => self.state.said().into(),
            (Language::English, _) => self.state_text(),
        }
    }
}

impl Said for Metric {
    type Name = String;

    fn said(&self) -> String {
        if !is_chinese() {
            return self.name().into();
        }
        let name = match self {
            Self::Loss => "损失",
            Self::Accuracy => "准确率",
            Self::MacroF1 => "宏平均 F1 值",
            Self::CalibrationError => "校准误差",
            Self::BalancedAccuracy => "平衡准确率",
            Self::MicroPrecision => "微平均精确率",
            Self::MicroRecall => "微平均召回率",
            Self::MicroF1 => "微平均 F1 值",
            Self::MacroPrecision => "宏平均精确率",
            Self::MacroRecall => "宏平均召回率",
            Self::WeightedPrecision => "加权精确率",
            Self::WeightedRecall => "加权召回率",
            Self::WeightedF1 => "加权 F1 值",
            Self::SamplesPrecision => "样本平均精确率",
            Self::SamplesRecall => "样本平均召回率",
            Self::SamplesF1 => "样本平均 F1 值",
            Self::SubsetAccuracy => "子集准确率",
            Self::HammingLoss => "汉明损失",
            Self::Mcc => "MCC（马修斯相关系数）",
            Self::QuadraticKappa => "二次加权 kappa 系数",
            Self::RocAuc => "ROC 曲线下面积（AUC）",
            Self::AveragePrecision => "平均精度（AP）",
            Self::Brier => "Brier 分数",
            Self::Mse => "均方误差",
            Self::Rmse => "均方根误差",
            Self::Mae => "平均绝对误差",
            Self::R2 => "R²",
            Self::Pearson => "皮尔逊相关系数",
            Self::Spearman => "斯皮尔曼相关系数",
            Self::F1Of(_) => return format!("“{}”的 F1 值", self.label_name().unwrap_or_default()),
        };
        name.into()
    }
}

impl Said for Kind {
    type Name = &'static str;

    fn said(&self) -> &'static str {
        match self {
            Self::DataFile => tr("data file", "数据文件"),
            Self::Labels => tr("labels", "标签"),
            Self::Split => tr("split", "划分"),
            Self::Tokens => tr("tokens", "词元"),
            Self::Model => tr("model", "模型"),
            Self::Training => tr("training", "训练"),
            Self::Sweep => tr("sweep", "参数搜索"),
            Self::Budget => tr("budget", "预算"),
            Self::Forecast => tr("forecast", "预测"),
            Self::Name => tr("name", "名称"),
            Self::Optimistic => tr("optimistic", "偏乐观"),
            Self::Result => tr("result", "结果"),
        }
    }
}

/// What several runs of a trial differ in: `seed`, or `fold`.
pub fn replicate(name: &str) -> &str {
    match name {
        "seed" => tr("seed", "种子"),
        "fold" => tr("fold", "折"),
        "run" => tr("run", "运行"),
        other => other,
    }
}

/// A metric on the rows of a split: `dev accuracy`.
pub fn measured(split: Split, metric: Metric) -> String {
    tr_with!("{} {}", "{}{}", split.said(), metric.said())
}

/// A target as text.
pub fn target(target: &Target, labels: &[String]) -> String {
    match target {
        Target::Labels(ids) if ids.is_empty() => tr(Target::NONE, "（无）").into(),
        _ => target.shown(labels),
    }
}

/// A target of a probe, which is stored as text: that of a set without labels is `(none)`.
pub fn stored_target(shown: &str, task: Task) -> &str {
    match (task, shown) {
        (Task::MultiLabel, Target::NONE) => tr(Target::NONE, "（无）"),
        _ => shown,
    }
}

/// The name of a trial. `all`: what its runs are if the name only says that it is all of them.
pub fn trial_name(name: &str, all: Option<&str>) -> String {
    match all.filter(|_| is_chinese()) {
        Some(runs) => format!("所有{}", replicate(runs)),
        None => name.into(),
    }
}

/// The number of runs in each state.
pub fn counted_states(states: impl Iterator<Item = RunState> + Clone) -> String {
    if !is_chinese() {
        return RunState::counted(states);
    }
    let of = |state: RunState| states.clone().filter(|other| *other == state).count();
    let parts = RunState::ALL.into_iter().filter(|&s| of(s) > 0).map(|s| format!("{} {}", s.said(), of(s)));
    parts.collect::<Vec<_>>().join("，")
}

/// A count with its noun: `2 runs`. Chinese has a measure word for each noun.
pub fn counted(n: u64, noun: &str) -> String {
    let english = || crate::format::counted(n, noun);
    if !is_chinese() {
        return english();
    }
    let things = match noun {
        "run" => "次运行",
        "planned run" => "次计划中的运行",
        "failed run" => "次失败的运行",
        "trial" => "个试验",
        "pruned trial" => "个被剪枝的试验",
        "other trial" => "个其他试验",
        "other" => "个其他试验",
        "seed" => "个种子",
        "fold" => "折",
        "row" => "行",
        "test row" => "行测试集数据",
        "dev row" => "行开发集数据",
        "train row" => "行训练集数据",
        "out-of-fold row" => "行折外数据",
        "final row" => "行最终评估的数据",
        "step" => "步",
        "token" => "个词元",
        "window" => "个窗口",
        "value" => "个值",
        "label" => "个标签",
        "training label" => "个训练标签",
        "other label" => "个其他标签",
        "pair" => "对",
        "mistake" => "个错误",
        "wrong set" => "个预测错误的标签集合",
        "reason" => "种原因",
        "more reason" => "种其他原因",
        "line" => "行",
        "rung" => "级",
        "probe" => "个探针句",
        "table" => "张表",
        "evaluation" => "次评估",
        "more data set" => "个其他数据集",
        "more file" => "个其他文件",
        "other way" => "种其他方式",
        _ => return english(),
    };
    format!("{} {things}", crate::format::count(n))
}

/// `a`, `a and b`, `a, b and c`.
pub fn and(parts: &[String]) -> String {
    match (Language::current(), parts) {
        (Language::Chinese, [first @ .., last]) if !first.is_empty() => beside(&beside(&first.join("、"), "和"), last),
        _ => crate::format::and(parts),
    }
}

/// Two parts of a Chinese sentence, with a space between a Latin letter, a digit or a percent sign and a Chinese character.
pub fn beside(left: &str, right: &str) -> String {
    let is_latin = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '%');
    let (end, begin) = (left.chars().last(), right.chars().next());
    let space = if is_latin(end) != is_latin(begin) && ![end, begin].contains(&Some('）')) { " " } else { "" };
    format!("{left}{space}{right}")
}

/// `all` lines of a file, of which the first are given and the first of those are named.
pub fn lines_of(first: &[u64], all: u64) -> String {
    if !is_chinese() {
        return crate::warning::lines_of(first, all);
    }
    let shown: Vec<String> = first.iter().take(SHOWN).map(u64::to_string).collect();
    match all.saturating_sub(shown.len() as u64) {
        _ if shown.is_empty() => "没有行".into(),
        0 => format!("第 {} 行", shown.join("、")),
        more => format!("第 {} 行以及另外 {} 行", shown.join("、"), crate::format::count(more)),
    }
}

/// Why a page that follows the training is no longer refreshed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveEnd {
    /// All runs have ended.
    Trained,
    /// No command trains, though so many runs can still be trained.
    Left(usize),
    /// The server was stopped.
    Stopped,
}

impl Said for LiveEnd {
    type Name = String;

    fn said(&self) -> String {
        match self {
            Self::Trained => tr(
                "The training has ended: this page is complete, and is no longer refreshed.",
                "训练已结束：本页已完整，不再刷新。",
            )
            .into(),
            Self::Left(n) => tr_with!(
                "No command is training this experiment now, but {} of it can still be trained: this page is no longer refreshed.",
                "现在没有命令在训练这个实验，还有 {}可以训练：本页不再刷新。",
                counted(*n as u64, "run")
            ),
            Self::Stopped => tr(
                "`taper report --watch` was stopped: this page is no longer refreshed.",
                "`taper report --watch` 已停止：本页不再刷新。",
            )
            .into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_that_of_the_work_in_progress() {
        let said = || tr_with!("{} of {}", "{1} 中的 {0}", 1, 2);
        assert_eq!((said(), Language::Chinese.during(said)), ("1 of 2".to_owned(), "2 中的 1".to_owned()));
        let nested = Language::Chinese.during(|| (Language::English.during(said), said()));
        assert_eq!(nested, ("1 of 2".to_owned(), "2 中的 1".to_owned()));
        let failed = std::panic::catch_unwind(|| Language::Chinese.during(|| -> bool { panic!("it fails") }));
        assert_eq!((failed.is_err(), Language::current()), (true, Language::English));
    }

    #[test]
    fn things_are_counted_and_listed_in_both_languages() {
        let said = || (counted(1200, "run"), and(&["a", "b", "c"].map(String::from)));
        assert_eq!(said(), ("1,200 runs".to_owned(), "a, b and c".to_owned()));
        assert_eq!(Language::Chinese.during(said), ("1,200 次运行".to_owned(), "a、b 和 c".to_owned()));
        let said = || and(&["3 行（1%）", "无"].map(String::from));
        assert_eq!(Language::Chinese.during(said), "3 行（1%）和无");
        assert_eq!(beside("B", "为 90%"), "B 为 90%");
    }
}
