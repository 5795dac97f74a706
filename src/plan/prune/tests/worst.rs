//! Trials with the worst scores: undefined ones and failed ones; and which trial goes on at last.

use super::*;

fn of(prune: &Prune, scores: &[Option<Score>], (trial, seeds): (usize, usize)) -> Verdict {
    let scores: Vec<_> = scores.iter().map(|score| vec![*score]).collect();
    verdict(prune, Metric::Mcc, &scores, (trial, seeds), 0)
}

/// An undefined score is worse than any other, but no failure: such trials tie with each other, and not with one that failed.
#[test]
fn asha_takes_an_undefined_score_for_the_worst_one() {
    let (undefined, failed) = (Some(Metric::Mcc.score(f64::NAN)), Some(Score::WORST));
    let mcc = |value: f64| Some(Metric::Mcc.score(value));
    let wait = |reason: &str| Verdict::Wait(reason.into());
    assert_eq!(of(&ASHA, &[undefined; 3], (0, 1)), Verdict::Continue);
    let reason = "its dev MCC is undefined, so it has ranks 1–3 of 3 at rung 1, tied with 2 others; only the best (1 in 3) goes on";
    assert_eq!(of(&ASHA, &[undefined; 3], (1, 1)), wait(reason));
    assert_eq!(of(&ASHA, &[failed, undefined, undefined], (1, 1)), Verdict::Continue, "the failed one is behind");
    let mixed = [undefined, mcc(-0.9), failed];
    let reason = "its mean dev MCC is undefined, so it has rank 2 of 2 (1 more failed) at rung 1; only the best (1 in 3) goes on";
    assert_eq!(of(&ASHA, &mixed, (0, 2)), wait(reason));
    assert_eq!(of(&ASHA, &mixed, (1, 1)), Verdict::Continue);
    assert_eq!(of(&ASHA, &mixed, (2, 1)), Verdict::End("failed before rung 1".into()));
}

#[test]
fn the_median_rule_ends_an_undefined_score_only_where_the_median_is_defined() {
    let undefined = Some(Metric::Mcc.score(f64::NAN));
    let (rule, mcc) = (Prune::Median { startup_trials: 1 }, |value: f64| Some(Metric::Mcc.score(value)));
    assert_eq!(of(&rule, &[undefined; 6], (5, 1)), Verdict::Continue, "it ties with all of them");
    assert_eq!(of(&rule, &[undefined, undefined, mcc(0.5), undefined], (3, 1)), Verdict::Continue);
    let reason = "its dev MCC is undefined at rung 1, which is worse than 0.2500, the median of 1 earlier trial there";
    assert_eq!(of(&rule, &[mcc(0.25), undefined], (1, 1)), Verdict::End(reason.into()));
}

#[test]
fn if_none_is_promoted_the_best_continues_at_last() {
    let of_those = |may: &dyn Fn(usize) -> bool, scores: &[&[Option<Score>]]| {
        let scores: Vec<_> = scores.iter().map(|rungs| rungs.to_vec()).collect();
        last_to_continue(&ASHA, Metric::Accuracy, &scores, may)
    };
    let hope = |scores: &[&[Option<Score>]]| of_those(&|_| true, scores);
    let (low, high, failed) = (Some(score(0.1)), Some(score(0.9)), Some(Score::WORST));
    assert_eq!(hope(&[]), None);
    assert_eq!(hope(&[&[None], &[]]), None);
    assert_eq!(hope(&[&[low], &[high]]), Some(1));
    assert_eq!(hope(&[&[high], &[high]]), Some(0));
    assert_eq!(hope(&[&[failed], &[failed]]), None);
    assert_eq!(hope(&[&[failed], &[low]]), Some(1));
    // Undefined scores are no failures, but worse than any value.
    let undefined = Some(Metric::Mcc.score(f64::NAN));
    assert_eq!(hope(&[&[failed], &[undefined], &[undefined]]), None, "the rule promotes one of three");
    assert_eq!(hope(&[&[undefined], &[undefined]]), Some(0));
    assert_eq!(hope(&[&[undefined], &[low]]), Some(1));
    // One of three is promoted by the rule.
    assert_eq!(hope(&[&[low], &[high], &[low]]), None);
    // It has reached the second rung, alone.
    assert_eq!(hope(&[&[low], &[high, low], &[low]]), Some(1));
    assert_eq!(hope(&[&[low], &[high, failed], &[low]]), None);
    // Another sweep pruned the better one.
    assert_eq!(of_those(&|trial| trial != 1, &[&[low], &[high]]), Some(0));
    assert_eq!(of_those(&|trial| trial != 1, &[&[low], &[low, high]]), Some(0), "nor does it set the rung");
    assert_eq!(of_those(&|_| false, &[&[low], &[high]]), None);
    assert_eq!(last_to_continue(&MEDIAN, Metric::Accuracy, &[vec![low], vec![high]], |_| true), None);
}
