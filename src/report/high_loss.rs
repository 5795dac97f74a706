//! Warns of completed runs whose training loss ends far above that of guessing.

use crate::report::language::{counted, tr};
use crate::{
    format::loss,
    metrics::{Degenerate, majority},
    plan::ClassWeights,
    store::{RunRecord, RunState, StepRecord},
    task::Task,
    warning::{Kind, Warning},
};

/// The number of last steps whose mean loss counts: a single batch may be hard.
pub const LAST_STEPS: u32 = 50;
/// A loss this many times that of guessing is far above it: class weights and label smoothing alone do not reach it.
const FAR: f64 = 2.0;

/// The warning for a completed run whose training loss, over its last steps, is far above that of guessing: ln(labels) with one label to a
/// row, ln 2 with sets of labels. The loss of numbers depends on their unit.
pub fn high_loss(run: &RunRecord, steps: &[StepRecord]) -> Option<Warning> {
    let last = &steps[steps.len().saturating_sub(LAST_STEPS as usize)..];
    let labels = run.labels.len();
    let (guessing, guess) = match run.config.data.task() {
        Task::SingleLabel if labels > 1 => (
            (labels as f64).ln(),
            tr!("the loss of uniform guessing among {labels} labels", "在 {labels} 个标签中均匀猜测的损失"),
        ),
        // Weights of positive cells multiply the loss of guessing, too.
        Task::MultiLabel if run.config.train.class_weights == ClassWeights::None => (
            std::f64::consts::LN_2,
            tr("the loss of a probability of 50% for every label", "对每个标签都给出 50% 概率的损失").into(),
        ),
        Task::SingleLabel | Task::MultiLabel | Task::Regression => return None,
    };
    if run.state != RunState::Completed || last.is_empty() {
        return None;
    }
    let mean = last.iter().map(|step| step.loss).sum::<f64>() / last.len() as f64;
    (mean > FAR * guessing).then(|| {
        let of = counted(last.len() as u64, "step");
        Warning::new(
            Kind::Result,
            tr!(
                "the training loss ended at {} (mean of the last {of}), far above {}, {guess}{}; \
                 {}",
                loss(mean),
                loss(guessing),
                useless(run),
                run.config.train.about_loss(run.total_steps)
            ; "训练损失结束于 {}（最后 {of}的平均），远高于 {}，即{guess}{}；{}", loss(mean), loss(guessing), useless(run), advice_in_chinese(run)),
        )
    })
}

/// The advice of [`crate::plan::TrainConfig::about_loss`].
fn advice_in_chinese(run: &RunRecord) -> &'static str {
    match run.config.train.hardly_moves(run.total_steps) {
        true => {
            "学习率太小，整个训练中几乎没有权重变动：请检查模型的权重（保留分类头时还有其标签的顺序），或试试更大的 train.lr 或更多步"
        }
        false => "请试试更小的 train.lr、预热（train.warmup_ratio）或梯度裁剪（train.max_grad_norm）",
    }
}

/// That the model of such a run does nothing useful, if so: `, and predicts one label for every row`.
fn useless(run: &RunRecord) -> &'static str {
    let majority = run.train_labels.as_deref().and_then(majority);
    let found = run.used().zip(majority).map(|((metrics, metric), label)| metrics.degenerate_beside(label, metric));
    match found.flatten() {
        Some(Degenerate::OneClass(_)) => {
            tr(", and the model predicts one label for every row", "，而且模型对每一行都预测同一个标签")
        }
        Some(Degenerate::NoBetter { .. }) => tr(
            ", and the model is no better than always predicting the most common label",
            "，而且模型不比总是预测最常见的标签更好",
        ),
        None => "",
    }
}

/// The warnings about a run's result: those `stored` of it, or the one about its loss, which says the same and has the advice that helps.
pub fn about_result(run: &RunRecord, steps: &[StepRecord], stored: Vec<Warning>) -> Vec<Warning> {
    match high_loss(run, steps) {
        Some(warning) => vec![warning],
        None => stored.into_iter().filter(|warning| !warning.kind.is_known_before()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing;

    #[test]
    fn a_completed_run_with_a_loss_far_above_guessing_gets_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let store = testing::store_with_run(folder.path());
        let mut run = store.run("k").unwrap();
        let steps = |losses: &[f64]| -> Vec<StepRecord> {
            let step = |(i, loss): (u64, &f64)| match testing::step(i, *loss) {
                crate::event::Event::StepCompleted(step) => step,
                _ => unreachable!("it is a step"),
            };
            (1..).zip(losses).map(step).collect()
        };
        let said =
            |run: &RunRecord, losses: &[f64]| high_loss(run, &steps(losses)).map(|w| w.message).unwrap_or_default();
        assert_eq!(said(&run, &[8.7; 60]), "", "it is not completed");
        run.state = RunState::Completed;
        let text = said(&run, &[8.7; 60]);
        assert!(
            text.starts_with("the training loss ended at 8.7000 (mean of the last 50 steps), far above 0.6931"),
            "{text}"
        );
        assert!(
            text.contains("the loss of uniform guessing among 2 labels; try a smaller train.lr")
                && !text.contains("diverge"),
            "a failed state is called so: {text}"
        );
        // What training has left as it was did not rise by a learning rate that is too large.
        let mut still = run.clone();
        (still.config.train.lr, still.config.train.head_lr) = (1e-12, None);
        let text = said(&still, &[8.7; 60]);
        assert!(text.ends_with("or try a larger train.lr or more steps") && !text.contains("smaller"), "{text}");
        // Two labels: ln 2 = 0.693, and twice that is 1.386.
        assert_eq!((said(&run, &[1.38; 60]), said(&run, &[])), (String::new(), String::new()));
        assert_ne!(said(&run, &[1.39]), "");
        // One warning, with one piece of advice.
        let stored =
            || vec![Warning::new(Kind::Result, "one class: try more epochs"), Warning::new(Kind::Tokens, "cut")];
        let about = |run: &RunRecord, losses: &[f64]| about_result(run, &steps(losses), stored());
        assert_eq!(about(&run, &[0.6; 60]), stored()[..1]);
        (run.train_labels, run.final_metrics) = (Some(vec![5, 5]), Some(testing::metrics(2)));
        let [one] = &about(&run, &[8.7; 60])[..] else { panic!("it is one warning") };
        let useless = "among 2 labels, and the model is no better than always predicting the most common label; try a smaller train.lr";
        assert!(one.message.contains(useless), "{}", one.message);
        // Early steps do not count, and one hard batch does not.
        assert_eq!(said(&run, &[vec![90.0; 10], vec![0.5; 50]].concat()), "");
        assert_eq!(said(&run, &[vec![0.1; 49], vec![9.0]].concat()), "");
        // Four labels: twice 1.386.
        run.labels = ["a", "b", "c", "d"].map(String::from).into();
        assert_eq!(said(&run, &[2.7; 60]), "");
        assert_ne!(said(&run, &[2.8; 60]), "");
    }
}
