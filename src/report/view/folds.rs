//! What a cross-validation adds to the view.

use crate::report::language::tr;
use crate::report::{
    analysis::{Analysis, Group},
    format,
    means::Mean,
};

/// Trials without a result that are named one by one.
const MOST_NAMED: usize = 3;

/// Sentences on how to read the results of folds, and on trials that have none yet.
pub(super) fn caveats(analysis: &Analysis) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(together) = &analysis.together {
        let rows = together.run.final_metrics.as_ref().map_or(0, |metrics| metrics.rows);
        out.push(tr!(
            "Cross-validation: each of the {} is predicted once, by the model whose test fold contains it \
             (out-of-fold). No single run is the best, because each is tested on different rows.", "交叉验证：{}中的每一行恰好被预测一次，由测试折包含它的模型预测（折外，out-of-fold）。没有哪一次运行是最好的，因为各次运行在不同的行上测试。",
            format::plural(rows as usize, "row")
        ));
    }
    let open =
        || analysis.groups.iter().filter_map(|group| Some((group, group.out_of_fold.as_ref()?.while_incomplete()?)));
    out.extend(
        open().take(MOST_NAMED).map(|(group, folds)| tr!("Trial “{}”: {folds}.", "试验“{}”：{folds}。", group.name)),
    );
    if open().count() > MOST_NAMED {
        out.push(tr!(
            "{} more have folds that are not completed.",
            "还有 {}的折没有全部完成。",
            format::plural(open().count() - MOST_NAMED, "trial")
        ));
    }
    out
}

/// The result of all folds together in the table over folds; how many are completed, if not all are.
pub(super) fn cell(
    group: &Group,
    of: impl Fn(&crate::report::OutOfFold) -> Option<Mean>,
    text: impl Fn(Mean) -> String,
) -> String {
    let Some(folds) = &group.out_of_fold else { return String::new() };
    let value = of(folds).map(text);
    match (value, folds.incomplete()) {
        (Some(value), None) => value,
        // Of several seeds, some are complete.
        (Some(value), Some(some)) => format!("{value}, {some}"),
        (None, Some(some)) => some,
        (None, None) => format::NOTHING.into(),
    }
}
