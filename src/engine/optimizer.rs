//! The optimizer of the explicit engine: AdamW in one pass, with lazy weight decay of words that have never had a gradient.
//!
//! The moments of such a word are zero, so that AdamW only decays its row. Most words of a vocabulary never occur: the decay is
//! applied when their rows are read (`decay` is the product of all factors so far, in float64; the rounding differs from the
//! dense update's by 1e-7 of a value). A word that has had a gradient is updated in every step, as in the dense update.

use std::ops::Range;

use super::{
    OptimizerState, Recipe,
    layout::{Layout, ParamSlot},
};
use crate::{
    data::Batch,
    kernels::{AdamW, Clip, Occurrence, Untouched},
    model::Parameter,
};

/// AdamW's state in addition to parameters and moments.
pub struct Optimizer {
    pub(super) recipe: Recipe,
    updates: u64,
    /// The update of the words.
    pub(super) words_kind: UpdateKind,
    /// Whether a word's row has had a gradient.
    pub(super) touched: Vec<bool>,
    /// The factor by which the rows of all other words are multiplied when they are read.
    pub decay: f64,
    /// The words of the current step, ascending: row `i` of the workspace's `words` is the gradient of `words[i]`.
    pub words: Vec<u32>,
}

impl Optimizer {
    /// The initial state: nothing has had a gradient yet.
    pub fn new(recipe: &Recipe, words: &Parameter, layers: usize) -> Self {
        Self {
            recipe: recipe.clone(),
            updates: 0,
            words_kind: UpdateKind::of(words, recipe, layers),
            touched: vec![false; words.shape[0]],
            decay: 1.0,
            words: Vec::new(),
        }
    }

    /// Collects the words that occur in the step.
    pub fn begin_step(&mut self, batches: &[Batch]) {
        self.words.clear();
        self.words.extend(batches.iter().flat_map(|batch| &batch.ids));
        self.words.sort_unstable();
        self.words.dedup();
    }

    /// The tokens of each word of a batch.
    pub fn occurrences(&self, ids: &[u32]) -> Vec<Occurrence> {
        let mut tokens: Vec<(u32, u32)> = ids.iter().copied().zip(0..).collect();
        tokens.sort_unstable();
        let chunks = tokens.chunk_by(|a, b| a.0 == b.0);
        let occurrence = |chunk: &[(u32, u32)]| Occurrence {
            row: self.words.binary_search(&chunk[0].0).expect("a word of the step") as u32,
            tokens: chunk.iter().map(|(_, token)| *token).collect(),
        };
        chunks.map(occurrence).collect()
    }

    /// The rows to decay when words are read.
    pub fn untouched(&self) -> Untouched<'_> {
        Untouched { touched: &self.touched, decay: self.decay as f32 }
    }

    /// Applies the pending decay to a copy of a part of the table `[words, width]`, which begins with the value of this index.
    pub fn apply_decay(&self, part: &mut [f32], first: usize, width: usize) {
        let (mut rest, mut index) = (part, first);
        while !rest.is_empty() {
            let row = index / width;
            let of_row = ((row + 1) * width - index).min(rest.len());
            let (values, after) = rest.split_at_mut(of_row);
            if !self.touched[row] {
                values.iter_mut().for_each(|v| *v *= self.decay as f32);
            }
            (rest, index) = (after, index + of_row);
        }
    }

    /// Counts the update that follows.
    pub(super) fn begin_update(&mut self) {
        self.updates += 1;
    }

    /// This step's update of parameters of this kind; `lr` is the learning rate of the step.
    pub(super) fn update_of(&self, kind: UpdateKind, lr: f64) -> AdamW {
        let (b1, b2) = self.recipe.betas;
        let correction = |beta: f64| 1.0 - beta.powi(self.updates as i32);
        AdamW {
            betas: (b1 as f32, b2 as f32),
            one_minus_betas: (1.0 - b1, 1.0 - b2),
            clip: Clip::ToNorm(self.recipe.max_grad_norm),
            decay_factor: self.decay_factor(kind, lr) as f32,
            step_size: (kind.rate * lr / correction(b1)) as f32,
            rsqrt_correction2: (1.0 / correction(b2).sqrt()) as f32,
            eps: self.recipe.eps as f32,
        }
    }

    /// What a step's weight decay leaves of such parameters.
    pub(super) fn decay_factor(&self, kind: UpdateKind, lr: f64) -> f64 {
        if kind.decays { 1.0 - kind.rate * lr * self.recipe.weight_decay } else { 1.0 }
    }

    /// The state for a checkpoint.
    pub fn state(&self) -> OptimizerState {
        let touched = (0..).zip(&self.touched).filter(|(_, touched)| **touched).map(|(row, _)| row);
        OptimizerState { updates: self.updates, untouched_decay: self.decay, touched_words: Some(touched.collect()) }
    }

    /// Restores a state. The tape engine's has no `touched_words`: it updates every word.
    pub fn restore(&mut self, state: &OptimizerState) {
        (self.updates, self.decay) = (state.updates, state.untouched_decay);
        match &state.touched_words {
            None => self.touched.fill(true),
            Some(rows) => {
                self.touched.fill(false);
                rows.iter().for_each(|row| self.touched[*row as usize] = true);
            }
        }
    }
}

/// What the updates of parameters differ in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpdateKind {
    /// Whether weight decay applies.
    pub decays: bool,
    /// Their learning rate as a multiple of that of the step.
    pub rate: f64,
}

impl UpdateKind {
    fn of(parameter: &Parameter, recipe: &Recipe, layers: usize) -> Self {
        Self { decays: recipe.decays(&parameter.name), rate: recipe.rate(parameter.rate_group, layers) }
    }
}

/// Contiguous parameters with the same update.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamSpan {
    /// Their offsets. The padding between parameters is included: it is 0 and stays 0.
    pub range: Range<usize>,
    /// Their update.
    pub kind: UpdateKind,
}

/// The trained parameters with dense gradients, in as few spans as possible.
pub fn param_spans(layout: &Layout, recipe: &Recipe) -> Vec<ParamSpan> {
    let mut dense: Vec<_> = layout.parameters.iter().filter(|slot| slot.offset < layout.dense).collect();
    dense.sort_by_key(|slot| slot.offset);
    // `None`: the parameter is frozen.
    let kind = |p: &Parameter| (!p.is_frozen(&recipe.freeze)).then(|| UpdateKind::of(p, recipe, layout.layers.len()));
    let alike = dense.chunk_by(|a, b| kind(&a.parameter) == kind(&b.parameter));
    let span = |slot: &[&ParamSlot]| {
        let range = slot.first()?.offset..slot.last()?.range().end;
        Some(ParamSpan { range, kind: kind(&slot.first()?.parameter)? })
    };
    alike.filter_map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ModelConfig, ModelSpec};

    #[test]
    fn spans_hold_what_is_trained_and_nothing_else() {
        let config = ModelConfig::preset(crate::source::Preset::Tiny);
        let layout = Layout::new(&config, &ModelSpec::new(&config, 3));
        let all = param_spans(&layout, &Recipe::default());
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(all[0].range.start == 0 && all[0].range.end > layout.dense - 16);
        let freeze = vec!["encoder.layer.0".to_string()];
        let recipe = Recipe { no_decay: vec!["bias".into(), "LayerNorm".into()], freeze, ..Recipe::default() };
        let some = param_spans(&layout, &recipe);
        for slot in layout.parameters.iter().filter(|slot| slot.offset < layout.dense) {
            let of = some.iter().filter(|s| s.range.contains(&slot.offset)).collect::<Vec<_>>();
            match slot.parameter.name.contains("layer.0.") {
                true => assert!(of.is_empty(), "{} is frozen", slot.parameter.name),
                false => {
                    let decays = !slot.parameter.name.contains("bias") && !slot.parameter.name.contains("LayerNorm");
                    assert!(of.len() == 1 && of[0].kind.decays == decays, "{}: {of:?}", slot.parameter.name);
                    assert!(of[0].range.end >= slot.range().end);
                }
            }
        }
    }
}
