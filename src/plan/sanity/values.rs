//! Values of single settings that are legal, but so far from what is usual that they are probably a mistake.

use crate::{
    format::{percent, rate, setting},
    plan::{ClassWeights, TrainConfig},
};

/// Below this, epsilon is hardly or not distinguishable from 0 in float32.
const LEAST_EPS: f64 = 1e-30;
/// Above these, epsilon or weight decay dominates the gradient.
const MOST_EPS: f64 = 0.1;
const MOST_DECAY: f64 = 1.0;
/// Below this, gradients vanish below epsilon.
const LEAST_NORM: f64 = 1e-8;
/// Below this almost no weight changes. A step of AdamW moves a weight by about the learning rate. BERT's weights are about 0.02 (its
/// `initializer_range`), where the numbers of float32 are 1.9e-9 apart: less than half of that is rounded away.
pub const LEAST_LR: f64 = 1e-9;
/// Above this, training diverges or ends with one class for all rows. Encoders are fine-tuned at 1e-5 to 5e-5 (BERT: 2e-5 to 5e-5), small
/// new models at up to 1e-3; a step of this size moves every weight by half of BERT's 0.02.
const MOST_LR: f64 = 0.01;
/// The same of a new head, which is trained at up to 1e-2.
const MOST_HEAD_LR: f64 = 0.1;
/// The largest usual dropout, that of hidden units in Srivastava et al. (2014). BERT has 0.1.
const MOST_DROPOUT: f64 = 0.5;
/// Above this, more than half of each target is spread over all labels. Szegedy et al. (2016) and Vaswani et al. (2017) smooth by 0.1.
const MOST_SMOOTHING: f64 = 0.5;
/// Class weights that are further apart are rarely intended: balanced ones differ so much if a label has one row in a thousand.
const MOST_SPREAD: f64 = 1e3;

/// Warnings about such values.
pub(super) fn unusual(train: &TrainConfig, warn: &mut impl FnMut(String)) {
    let TrainConfig { eps, weight_decay, lr, max_grad_norm, betas: (beta1, beta2), label_smoothing, .. } = *train;
    if eps < LEAST_EPS {
        warn(format!(
            "train.eps = {eps:e} is close to 0 in float32: a weight with almost no gradient can take huge or NaN steps; the default is 1e-8"
        ));
    } else if eps > MOST_EPS {
        warn(format!(
            "train.eps = {eps} is far larger than gradients: it divides every step by about this value; the default is \
             1e-8"
        ));
    }
    if weight_decay > MOST_DECAY {
        let taken = lr * weight_decay;
        let what = match taken < 1.0 {
            true => format!("shrinks weights by {} of their value", rate(taken)),
            false => "shrinks weights by more than their value".into(),
        };
        // As names of runs have them.
        let (decay, lr) = (setting(weight_decay), setting(lr));
        warn(format!(
            "train.weight_decay = {decay} with train.lr = {lr}: each step {what}; train.weight_decay is usually 0 to 0.1"
        ));
    }
    if lr < LEAST_LR {
        warn(format!("train.lr = {lr:e} changes almost no weight in float32; it is usually 1e-5 to 1e-3"));
    }
    // With frozen layers it may be the rate of the head alone.
    if lr > if train.freeze.is_empty() { MOST_LR } else { MOST_HEAD_LR } {
        warn(format!(
            "train.lr = {} is far too high to train a transformer: a step of AdamW moves every weight by about this much, and most weights are \
             about 0.02, so training diverges or ends with one class for all rows; it is usually 1e-5 to 1e-3",
            setting(lr)
        ));
    }
    match train.head_lr {
        Some(head) if head > MOST_HEAD_LR => warn(format!(
            "train.head_lr = {} is far too high: a step of AdamW moves every weight of the head by about this much; it is usually 1e-5 to \
             1e-2",
            setting(head)
        )),
        Some(head) if head < LEAST_LR => {
            warn(format!("train.head_lr = {head:e} changes almost no weight in float32; it is usually 1e-5 to 1e-2"));
        }
        // A new head has further to go than the layers below it.
        Some(head) if head < lr => warn(format!(
            "train.head_lr = {} is lower than train.lr = {}: the head, which is new in most models, then learns more slowly than the \
             layers below it; it is usually 1 to 100 times train.lr",
            setting(head),
            setting(lr)
        )),
        _ => {}
    }
    if max_grad_norm > 0.0 && max_grad_norm < LEAST_NORM {
        warn(format!(
            "train.max_grad_norm = {max_grad_norm:e} scales every gradient to almost 0, so train.eps dominates every step; the \
             default is 0, no limit"
        ));
    }
    if beta1 > beta2 {
        warn(format!(
            "train.betas = [{beta1}, {beta2}] are probably reversed: the first is that of the mean of gradients, the second that of their \
             squares, which is averaged over more steps; the default is [0.9, 0.999]"
        ));
    }
    if let Some(dropout) = train.dropout.filter(|dropout| *dropout > MOST_DROPOUT) {
        warn(format!(
            "train.dropout = {dropout} sets {} of the activations to 0, in every layer: hardly anything can be learned; it is usually 0 to 0.3",
            percent(dropout)
        ));
    }
    if label_smoothing > MOST_SMOOTHING {
        warn(format!(
            "train.label_smoothing = {label_smoothing} spreads {} of each target evenly over all labels, so little of the right label is \
             left; it is usually 0 to 0.1",
            percent(label_smoothing)
        ));
    }
    if let ClassWeights::Given(weights) = &train.class_weights {
        let (low, high) = weights.iter().fold((f64::INFINITY, 0.0f64), |(low, high), w| (low.min(*w), high.max(*w)));
        if low > 0.0 && high / low > MOST_SPREAD {
            warn(format!(
                "train.class_weights has weights from {} to {}, so rows of the label with the lowest hardly count; \
                 train.class_weights = \"balanced\" weighs labels by how rare they are",
                setting(low),
                setting(high)
            ));
        }
    }
}
