//! "did you mean": suggestions for unknown names.

use super::{
    closest::{LONGEST, closest},
    keys::{KEYS, Key, SECTIONS},
};

/// The name that `wanted` may have meant, or a list of the names.
pub(super) fn choice_help<'a>(wanted: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    const LISTED: usize = 20;
    if let Some(close) = closest(wanted, names.clone()) {
        return format!("did you mean `{close}`?");
    }
    let listed = names.clone().take(LISTED).collect::<Vec<_>>().join(", ");
    match names.count().saturating_sub(LISTED) {
        0 => format!("the names are: {listed}"),
        more => format!("the names are: {listed} and {more} more"),
    }
}

/// Which of `values` the word may have meant: the same setting in another tool, or a similar word.
pub(super) fn choice_like<'a>(wanted: &str, values: &[&'a str]) -> Option<&'a str> {
    let known = [
        ("bayes", "tpe"),
        ("bayesian", "tpe"),
        ("optuna", "tpe"),
        ("quasirandom", "sobol"),
        ("qmc", "sobol"),
        ("hyperband", "asha"),
        ("successive_halving", "asha"),
        ("sha", "asha"),
        ("nop", "none"),
        ("no", "none"),
        ("no", "fp32"),
        ("none", "constant"),
        ("no", "constant"),
        ("false", "none"),
        ("linear_with_warmup", "linear"),
        ("polynomial", "linear"),
        ("cosine_with_warmup", "cosine"),
        ("cosine_annealing", "cosine"),
        ("cosine_with_restarts", "cosine"),
        ("constant_with_warmup", "constant"),
        ("const", "constant"),
        ("f1", "macro_f1"),
        ("f1_macro", "macro_f1"),
        ("f1_weighted", "weighted_f1"),
        ("auc", "roc_auc"),
        ("auroc", "roc_auc"),
        ("map", "average_precision"),
        ("pr_auc", "average_precision"),
        ("kappa", "quadratic_kappa"),
        ("qwk", "quadratic_kappa"),
        ("matthews_correlation", "mcc"),
        ("matthews_corrcoef", "mcc"),
        ("balanced", "balanced_accuracy"),
        ("brier_score", "brier"),
        ("macro-f1", "macro_f1"),
        ("eval_f1", "macro_f1"),
        ("acc", "accuracy"),
        ("eval_accuracy", "accuracy"),
        ("eval_loss", "loss"),
        ("float32", "fp32"),
        ("32", "fp32"),
        ("full", "fp32"),
        ("bfloat16", "bf16"),
        ("bf16-mixed", "bf16"),
        ("tensorfloat32", "tf32"),
        ("epoch", "all"),
        ("steps", "all"),
        ("json", "jsonl"),
        ("ndjson", "jsonl"),
    ];
    let wanted_ = wanted.chars().take(LONGEST).collect::<String>().to_lowercase();
    let meant = known.iter().filter(|(other, _)| *other == wanted_);
    let mut meant = meant.filter_map(|(_, meant)| values.iter().copied().find(|value| value == meant));
    meant.next().or_else(|| closest(wanted, values.iter().copied()))
}

/// The key that the unknown dotted `path` may have meant: another tool's name for it, the same name in another table, or a similar
/// name. Only keys accepted by `allowed` are suggested.
pub(super) fn key_like(path: &str, allowed: impl Fn(&Key) -> bool) -> Option<&'static str> {
    let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
    let keys = || KEYS.iter().filter(|key| allowed(key));
    let here = || keys().filter(|key| key.section() == section);
    let likest = || {
        let own = || closest(name, here().map(Key::name)).and_then(|name| here().find(|key| key.name() == name));
        let others = || here().flat_map(|key| key.elsewhere).copied().filter(|other| !other.contains('.'));
        let foreign = || closest(name, others()).and_then(|name| here().find(|key| key.elsewhere.contains(&name)));
        own().or_else(foreign)
    };
    keys()
        .find(|key| key.elsewhere.contains(&path))
        .or_else(|| keys().find(|key| key.elsewhere.contains(&name)))
        .or_else(|| keys().find(|key| key.name() == name))
        .or_else(likest)
        .map(|key| key.path)
        // Comparing whole paths would make all keys of the right table look similar.
        .or_else(|| (!SECTIONS.contains(&section)).then(|| closest(path, keys().map(|key| key.path))).flatten())
}

/// The key that a word means: its path, its name, or another tool's name; never a merely similar one.
pub fn key_meant(word: &str) -> Option<&'static str> {
    let (section, name) = word.rsplit_once('.').unwrap_or(("", word));
    let of = |wanted: &dyn Fn(&Key) -> bool| KEYS.iter().find(|key| wanted(key)).map(|key| key.path);
    of(&|key| key.path == word).or_else(|| of(&|key| key.elsewhere.contains(&word))).or_else(|| {
        section.is_empty().then(|| of(&|key| key.name() == name || key.elsewhere.contains(&name))).flatten()
    })
}

/// The table that the unknown `name` may have meant.
pub(super) fn section_like(name: &str) -> Option<&'static str> {
    let known = [("training", "train"), ("trainer", "train"), ("dataset", "data")];
    let known = known.iter().find(|(other, _)| *other == name).map(|(_, section)| *section);
    known.or_else(|| closest(name, SECTIONS.iter().copied().chain(["profile"])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_other_tables_and_other_tools_names_lead_to_the_key() {
        let like = |path: &str| key_like(path, |_| true);
        assert_eq!(like("train.epoch"), Some("train.epochs"));
        assert_eq!(like("train.learning_rate"), Some("train.lr"));
        assert_eq!(like("train.lerning_rate"), Some("train.lr"), "a slip in another tool's name");
        assert_eq!(like("data.max_sequence_lenght"), Some("data.max_length"));
        assert_eq!(like("learning_rate"), Some("train.lr"));
        assert_eq!(like("train.max_length"), Some("data.max_length"));
        assert_eq!(like("epochs"), Some("train.epochs"));
        assert_eq!(like("data.seeed"), Some("data.seed"));
        assert_eq!(like("trian.lr"), Some("train.lr"));
        assert_eq!(like("data.path"), Some("data.source"));
        assert_eq!(like("model.name"), Some("model.source"));
        assert_eq!(like("report.name"), Some("name"));
        assert_eq!(like("seed"), Some("train.seed"));
        for (other, ours) in [
            ("n_trials", "trials"),
            ("method", "search"),
            ("sampler", "search"),
            ("pruner", "prune"),
            ("early_terminate", "prune"),
            ("parameters", "axes"),
            ("seed", "seeds"),
            ("run_cap", "max_runs"),
            ("eta", "reduction_factor"),
            ("trails", "trials"),
            ("metric", "metric"),
        ] {
            let table = if other == "metric" { "checkpoint" } else { "sweep" };
            let (path, wanted) = (format!("sweep.{other}"), format!("{table}.{ours}"));
            assert_eq!(like(&path), Some(wanted.as_str()));
        }
        assert_eq!(choice_like("bayes", &["grid", "random", "sobol", "tpe"]), Some("tpe"));
        assert_eq!(choice_like("bayes", &["linear", "cosine"]), None);
        assert_eq!(choice_like("Sobel", &["grid", "sobol"]), Some("sobol"));
        assert_eq!(like("train.colour"), None);
        assert_eq!(like("report.titel"), Some("report.title"));
        assert_eq!(key_like("titel", Key::sweepable), None);
        assert_eq!(section_like("trian"), Some("train"));
        assert_eq!(section_like("xyz"), None);
    }

    #[test]
    fn no_name_of_another_tool_means_two_keys() {
        for (i, key) in KEYS.iter().enumerate() {
            for other in &KEYS[i + 1..] {
                let shared = key.elsewhere.iter().find(|name| other.elsewhere.contains(name));
                assert!(shared.is_none(), "{} {} {shared:?}", key.path, other.path);
            }
        }
    }
}
