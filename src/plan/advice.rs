//! What to do about a loss that is too high, or not a number.

use super::TrainConfig;
use crate::format::{counted, setting};

/// The largest sum of steps that leaves the answers of a model as they were.
const HARDLY: f64 = 1e-4;

impl TrainConfig {
    /// Advice about a loss that is too high, or not a number, after `steps` steps in all.
    pub fn about_loss(&self, steps: u64) -> String {
        match self.hardly_moves(steps) {
            true => format!(
                "train.lr is so small that hardly any weight moves in {}: check the model's weights and, if its classifier head was kept, the \
                 order of the head's labels, or try a larger train.lr or more steps",
                counted(steps, "step")
            ),
            false => self.calmer(),
        }
    }

    /// Whether so many steps leave every weight where it was, as nearly as matters: a step of AdamW moves a weight by about the learning rate,
    /// and weight decay by that share of it.
    pub fn hardly_moves(&self, steps: u64) -> bool {
        let rate = self.head_lr.unwrap_or(0.0).max(self.lr);
        rate * (1.0 + self.weight_decay) * (steps as f64) < HARDLY
    }

    /// Advice against divergence that these settings do not follow yet.
    fn calmer(&self) -> String {
        let warmup = match self.warmup_steps > 0 || self.warmup_ratio > 0.0 {
            true => "a longer warmup",
            false => "a warmup (train.warmup_ratio)",
        };
        let clipping = match self.max_grad_norm {
            0.0 => Some("train.max_grad_norm = 1.0"),
            norm if norm > 1.0 => Some("a smaller train.max_grad_norm"),
            _ => None,
        };
        // A step of AdamW multiplies each weight by 1 − lr·decay: below −1 it grows.
        let (rate, peak) = match self.head_lr.filter(|head| *head > self.lr) {
            Some(head) => ("train.head_lr", head),
            None => ("train.lr", self.lr),
        };
        let decay = (peak * self.weight_decay > 2.0).then(|| {
            let decay = setting(self.weight_decay);
            format!(
                "a smaller train.weight_decay (it is {decay}; each step subtracts {rate} × {decay} times a weight from it)"
            )
        });
        let smaller = "a smaller train.lr".to_string();
        let ways: Vec<String> = match decay {
            // It is no gradient that is too large.
            Some(decay) => vec![decay, smaller],
            None => [smaller, warmup.to_string()].into_iter().chain(clipping.map(String::from)).collect(),
        };
        match &ways[..] {
            [one, other] => format!("try {one} or {other}"),
            [first @ .., last] => format!("try {}, or {last}", first.join(", ")),
            [] => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::full_config;

    #[test]
    fn advice_skips_what_the_settings_already_do() {
        let mut train = full_config().train;
        let mut said = |steps, ratio, norm| {
            (train.warmup_steps, train.warmup_ratio, train.max_grad_norm) = (steps, ratio, norm);
            train.calmer()
        };
        let all = "try a smaller train.lr, a warmup (train.warmup_ratio), or train.max_grad_norm = 1.0";
        assert_eq!(said(0, 0.0, 0.0), all);
        assert_eq!(said(10, 0.0, 0.0), "try a smaller train.lr, a longer warmup, or train.max_grad_norm = 1.0");
        assert_eq!(said(0, 0.1, 5.0), "try a smaller train.lr, a longer warmup, or a smaller train.max_grad_norm");
        assert_eq!(said(0, 0.0, 1.0), "try a smaller train.lr or a warmup (train.warmup_ratio)");
    }

    #[test]
    fn a_rate_that_moves_nothing_is_not_called_too_large() {
        let mut train = full_config().train;
        (train.head_lr, train.weight_decay) = (None, 0.0);
        let mut said = |lr, steps| {
            train.lr = lr;
            train.about_loss(steps)
        };
        let still = "train.lr is so small that hardly any weight moves in 1,000 steps: ";
        assert!(said(1e-12, 1000).starts_with(still), "{}", said(1e-12, 1000));
        // A thousand steps of 2e-7 come to 2e-4, those of 9e-8 to less than 1e-4.
        assert!(said(2e-7, 1000).starts_with("try a smaller train.lr"), "{}", said(2e-7, 1000));
        assert!(said(9e-8, 1000).ends_with("or try a larger train.lr or more steps"), "{}", said(9e-8, 1000));
        // A step may come from a rate of the head, or from the decay.
        (train.lr, train.head_lr) = (1e-12, Some(1e-3));
        assert!(train.about_loss(10).starts_with("try a smaller train.lr"));
        (train.head_lr, train.weight_decay) = (None, 1e12);
        assert!(train.about_loss(10).starts_with("try a smaller train.lr"), "{}", train.about_loss(10));
    }

    #[test]
    fn a_weight_decay_that_can_diverge_is_named_first() {
        let mut train = full_config().train;
        (train.lr, train.head_lr, train.warmup_ratio, train.max_grad_norm) = (1e-2, None, 0.1, 1.0);
        let mut said = |decay| {
            train.weight_decay = decay;
            train.calmer()
        };
        assert_eq!(said(0.1), "try a smaller train.lr or a longer warmup");
        // A step that takes 1.5 times a weight from it leaves half of it, with the other sign.
        assert_eq!(said(150.0), "try a smaller train.lr or a longer warmup");
        assert!(
            said(250.0)
                .starts_with("try a smaller train.weight_decay (it is 250; each step subtracts train.lr × 250 times")
        );
        assert_eq!(
            said(1e6),
            "try a smaller train.weight_decay (it is 1e6; each step subtracts train.lr × 1e6 times a weight from it) or a smaller train.lr"
        );
        train.head_lr = Some(1.0);
        train.weight_decay = 3.0;
        assert!(train.calmer().contains("each step subtracts train.head_lr × "), "{}", train.calmer());
    }
}
