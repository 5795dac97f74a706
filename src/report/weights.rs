//! Which step the final weights of a run are of, in words.

use crate::report::language::{Said, tr};
use crate::{
    event::{Split, When},
    format::count,
    plan::Keep,
    store::{EvalRecord, RunRecord},
};

/// `of step 138, the best by dev accuracy`; `of step 46, the first of 2 with the best dev accuracy`; `of step 460, not kept`; `None` before
/// they are evaluated.
pub fn weights(run: &RunRecord, evals: &[EvalRecord]) -> Option<String> {
    let step = evals.iter().find(|eval| eval.when == When::After)?.step;
    let checkpoint = &run.config.checkpoint;
    let which = match checkpoint.keep {
        Keep::Best if run.config.data.has_dev() => {
            let metric = checkpoint.metric;
            if let Some(which) = without_best(run, evals) {
                return Some(format!("of step {}, {which}", count(step)));
            }
            let dev = || evals.iter().filter(|eval| (eval.when, eval.split) == (When::During, Split::Dev));
            let score = dev().find(|eval| eval.step == step).map(|eval| eval.metrics.score(metric));
            let equal = dev().filter(|eval| Some(eval.metrics.score(metric)) == score).count();
            match equal {
                0 | 1 => format!("the best by dev {}", metric.name()),
                equal => format!("the first of {equal} with the best dev {}", metric.name()),
            }
        }
        Keep::None => "not kept".into(),
        Keep::Best | Keep::Last | Keep::All => "the last".into(),
    };
    Some(format!("of step {}, {which}", count(step)))
}

/// Which weights are kept although none was the best, since the metric that chooses was never defined on dev: `the last, because dev ROC AUC was
/// never defined`. Earlier versions kept those of the first evaluation then. `None` for other runs.
pub fn without_best(run: &RunRecord, evals: &[EvalRecord]) -> Option<String> {
    let metric = run.config.checkpoint.metric;
    let kept = evals.iter().find(|eval| eval.when == When::After)?.step;
    let mut dev = evals.iter().filter(|eval| (eval.when, eval.split) == (When::During, Split::Dev)).peekable();
    dev.peek()?;
    let last = dev.clone().map(|eval| eval.step).max()?;
    let never = run.config.checkpoint.keep == Keep::Best && dev.all(|eval| eval.metrics.score(metric).is_undefined());
    never.then(|| match kept == last {
        true => {
            tr!("the last, because dev {} was never defined", "最后一步的，因为开发集{}始终没有定义", metric.said())
        }
        false => {
            tr!(
                "the first evaluated, since dev {} was never defined",
                "第一次评估的，因为开发集{}始终没有定义",
                metric.said()
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::Event,
        metrics::Metric,
        store::{
            Environment, Store,
            testing::{eval, register},
        },
    };

    /// Two evaluations have the same accuracy: the weights of the first are kept, whatever the losses are.
    #[test]
    fn the_first_of_equal_evaluations_is_the_kept_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        register(&mut store, "k", "lr=1e-5");
        store.start("k", &Environment::default(), None).unwrap();
        let of = |rights: &[usize], kept: u64| {
            let mut events: Vec<Event> =
                (1..).zip(rights).map(|(step, right)| eval(When::During, step, Split::Dev, *right)).collect();
            events.push(eval(When::After, kept, Split::Dev, rights[kept as usize - 1]));
            let mut store = Store::open(folder.path()).unwrap();
            store.append("k", &events).unwrap();
            let mut run = store.run("k").unwrap();
            run.config.checkpoint.keep = Keep::Best;
            run.config.data.dev = 0.25.into();
            weights(&run, &store.evals("k").unwrap())
        };
        assert_eq!(of(&[1, 2, 3], 3).as_deref(), Some("of step 3, the best by dev accuracy"));
        assert_eq!(of(&[1, 3, 3], 2).as_deref(), Some("of step 2, the first of 2 with the best dev accuracy"));
        // The MCC of rows of one label is undefined.
        let of_mcc = |kept| {
            of(&[1, 2, 3], kept);
            let store = Store::open(folder.path()).unwrap();
            let mut run = store.run("k").unwrap();
            (run.config.checkpoint.keep, run.config.checkpoint.metric) = (Keep::Best, Metric::Mcc);
            run.config.data.dev = 0.25.into();
            weights(&run, &store.evals("k").unwrap())
        };
        assert_eq!(of_mcc(3).as_deref(), Some("of step 3, the last, because dev MCC was never defined"));
        assert_eq!(of_mcc(1).as_deref(), Some("of step 1, the first evaluated, since dev MCC was never defined"));
    }
}
