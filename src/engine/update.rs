//! The optimiser of the explicit engine: AdamW in one pass, with words that have no gradient left alone.
//!
//! A word whose row has never had a gradient has moments of zero: AdamW only decays it. So many words never occur that this is
//! done when they are read (`decay` is the product of all factors so far, kept in float64; the rounding differs from the dense
//! update's by 1e-7 of a value). A word that has had a gradient is updated in every step, as the dense update does it.

use super::{Explicit, OptimizerState, Recipe};
use crate::{
    data::Batch,
    kernels::{AdamW, Backend, Moments, Occurrence, Untouched},
};

/// AdamW's state beside parameters and moments.
pub struct Optimizer {
    recipe: Recipe,
    updates: u64,
    /// Whether a word's row has had a gradient.
    touched: Vec<bool>,
    /// What the rows of all others are to be multiplied by.
    pub decay: f64,
    /// The words of the present step, ascending: their gradients are the rows of the workspace's `words`.
    pub words: Vec<u32>,
}

impl Optimizer {
    /// Nothing has had a gradient yet.
    pub fn new(recipe: &Recipe, vocab: usize) -> Self {
        Self { recipe: recipe.clone(), updates: 0, touched: vec![false; vocab], decay: 1.0, words: Vec::new() }
    }

    /// Finds out which words occur.
    pub fn begin_step(&mut self, batches: &[Batch]) {
        self.words.clear();
        self.words.extend(batches.iter().flat_map(|batch| &batch.ids));
        self.words.sort_unstable();
        self.words.dedup();
    }

    /// Where each word of a batch stands.
    pub fn occurrences(&self, ids: &[u32]) -> Vec<Occurrence> {
        let mut places: Vec<(u32, u32)> = ids.iter().copied().zip(0..).collect();
        places.sort_unstable();
        let chunks = places.chunk_by(|a, b| a.0 == b.0);
        let occurrence = |chunk: &[(u32, u32)]| Occurrence {
            row: self.words.binary_search(&chunk[0].0).expect("a word of the step") as u32,
            tokens: chunk.iter().map(|(_, token)| *token).collect(),
        };
        chunks.map(occurrence).collect()
    }

    /// For reading words.
    pub fn untouched(&self) -> Untouched<'_> {
        Untouched { touched: &self.touched, decay: self.decay as f32 }
    }

    /// Puts into the whole table what weight decay has done to words without a gradient.
    pub fn apply_decay(&self, words: &mut [f32], width: usize) {
        for (row, _) in words.chunks_exact_mut(width).zip(&self.touched).filter(|(_, touched)| !**touched) {
            row.iter_mut().for_each(|v| *v *= self.decay as f32);
        }
    }

    /// For a checkpoint.
    pub fn state(&self) -> OptimizerState {
        let touched = (0..).zip(&self.touched).filter(|(_, touched)| **touched).map(|(row, _)| row);
        OptimizerState { updates: self.updates, untouched_decay: self.decay, touched_words: Some(touched.collect()) }
    }

    /// From a checkpoint. One of the tape's engine has updated every word.
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

impl<B: Backend> Explicit<B> {
    /// Norm of the gradients of what is trained.
    pub(super) fn gradient_norm(&mut self) -> f64 {
        let mut total = 0.0;
        for (place, _) in self.layout.places.iter().zip(&self.trainable).filter(|(_, trainable)| **trainable) {
            total += if place.at < self.layout.dense {
                self.backend.sum_of_squares(&self.gradients, place.range())
            } else {
                let len = self.optimizer.words.len() * self.config.hidden_size;
                self.backend.sum_of_squares(&self.workspace.words, 0..len)
            };
        }
        total.sqrt()
    }

    /// One update.
    pub(super) fn adamw(&mut self, norm: f64, lr: f64) {
        let o = &mut self.optimizer;
        o.updates += 1;
        // torch.nn.utils.clip_grad_norm_ adds 1e-6 to the norm.
        let clip = if o.recipe.max_grad_norm > 0.0 { (o.recipe.max_grad_norm / (norm + 1e-6)).min(1.0) } else { 1.0 };
        let (b1, b2) = o.recipe.betas;
        let correction = |beta: f64| 1.0 - beta.powi(o.updates as i32);
        let update = AdamW {
            betas: (b1 as f32, b2 as f32),
            gradient: (((1.0 - b1) * clip) as f32, ((1.0 - b2) * clip * clip) as f32),
            keep: 1.0,
            size: (lr / correction(b1)) as f32,
            root: (1.0 / correction(b2).sqrt()) as f32,
            eps: o.recipe.eps as f32,
        };
        let [first, second] = &mut self.moments;
        let width = self.config.hidden_size;
        for (place, _) in self.layout.places.iter().zip(&self.trainable).filter(|(_, trainable)| **trainable) {
            let o = &mut self.optimizer;
            let decays = !o.recipe.no_decay.iter().any(|part| place.name.contains(part.as_str()));
            let keep = if decays { 1.0 - lr * o.recipe.weight_decay } else { 1.0 };
            let update = AdamW { keep: keep as f32, ..update };
            if place.at < self.layout.dense {
                let moments = Moments { values: &mut self.parameters, first: &mut *first, second: &mut *second };
                self.backend.adamw(moments, &self.gradients, place.range(), update);
                continue;
            }
            let new: Vec<u32> = o.words.iter().copied().filter(|word| !o.touched[*word as usize]).collect();
            if o.decay != 1.0 {
                self.backend.scale_rows(&mut self.parameters, place.at, width, &new, o.decay as f32);
            }
            new.iter().for_each(|word| o.touched[*word as usize] = true);
            let rows = (0..).zip(&o.touched).filter(|(_, touched)| **touched).map(|(row, _)| row);
            let rows: Vec<(u32, Option<u32>)> =
                rows.map(|row| (row, o.words.binary_search(&row).ok().map(|i| i as u32))).collect();
            o.decay *= keep;
            let moments = Moments { values: &mut self.parameters, first: &mut *first, second: &mut *second };
            self.backend.adamw_rows(moments, &self.workspace.words, place.at, width, &rows, update);
        }
        self.backend.parameters_changed();
    }
}
