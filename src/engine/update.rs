//! The optimiser of the explicit engine: AdamW in one pass, with words that have no gradient left alone.
//!
//! A word whose row has never had a gradient has moments of zero: AdamW only decays it. So many words never occur that this is
//! done when they are read (`decay` is the product of all factors so far, kept in float64; the rounding differs from the dense
//! update's by 1e-7 of a value). A word that has had a gradient is updated in every step, as the dense update does it.

use std::ops::Range;

use super::{
    Explicit, OptimizerState, Recipe,
    layout::{Layout, Place},
};
use crate::{
    data::Batch,
    kernels::{AdamW, Backend, Clip, Moments, Occurrence, Untouched},
    model::is_frozen,
};

/// The parameter whose gradient is sparse.
const WORDS: &str = "bert.embeddings.word_embeddings.weight";

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

    /// What the next update is for every parameter, but for weight decay.
    fn next_update(&mut self, lr: f64) -> AdamW {
        self.updates += 1;
        let (b1, b2) = self.recipe.betas;
        let correction = |beta: f64| 1.0 - beta.powi(self.updates as i32);
        AdamW {
            betas: (b1 as f32, b2 as f32),
            gradient: (1.0 - b1, 1.0 - b2),
            clip: Clip::ToNorm(self.recipe.max_grad_norm),
            keep: 1.0,
            size: (lr / correction(b1)) as f32,
            root: (1.0 / correction(b2).sqrt()) as f32,
            eps: self.recipe.eps as f32,
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

/// Parameters that lie side by side and are updated alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// Their numbers, those between parameters included: they are 0 and stay 0.
    pub range: Range<usize>,
    /// Whether weight decay applies.
    pub decays: bool,
}

/// The parameters that are trained and whose gradients are dense, in as few stretches as may be.
pub fn stretches(layout: &Layout, recipe: &Recipe) -> Vec<Stretch> {
    let mut places: Vec<_> = layout.places.iter().filter(|place| place.at < layout.dense).collect();
    places.sort_by_key(|place| place.at);
    // Each place with what is done to it: none, nothing.
    let kind = |name: &str| (!is_frozen(name, &recipe.freeze)).then(|| recipe.decays(name));
    let alike = places.chunk_by(|a, b| kind(&a.name) == kind(&b.name));
    let stretch = |places: &[&Place]| {
        let range = places.first()?.at..places.last()?.range().end;
        Some(Stretch { range, decays: kind(&places.first()?.name)? })
    };
    alike.filter_map(stretch).collect()
}

impl<B: Backend> Explicit<B> {
    /// Adds up the squares of the gradients of what is trained.
    pub(super) fn add_squares(&mut self) {
        for stretch in &self.stretches {
            self.backend.add_squares(&self.gradients, stretch.range.clone());
        }
        if self.trains_words() {
            let len = self.optimizer.words.len() * self.config.hidden_size;
            self.backend.add_squares(&self.workspace.words, 0..len);
        }
    }

    /// One update.
    pub(super) fn adamw(&mut self, lr: f64) {
        let update = self.optimizer.next_update(lr);
        let decay = 1.0 - lr * self.optimizer.recipe.weight_decay;
        let [first, second] = &mut self.moments;
        for stretch in &self.stretches {
            let update = AdamW { keep: if stretch.decays { decay as f32 } else { 1.0 }, ..update };
            let moments = Moments { values: &mut self.parameters, first: &mut *first, second: &mut *second };
            self.backend.adamw(moments, &self.gradients, stretch.range.clone(), update);
        }
        if self.trains_words() {
            self.update_words(update, decay);
        }
    }

    fn update_words(&mut self, update: AdamW, decay: f64) {
        let (o, table) = (&mut self.optimizer, self.layout.embedding.word);
        let keep = if o.recipe.decays(WORDS) { decay } else { 1.0 };
        let new: Vec<u32> = o.words.iter().copied().filter(|word| !o.touched[*word as usize]).collect();
        if o.decay != 1.0 {
            self.backend.scale_rows(&mut self.parameters, table, &new, o.decay as f32);
        }
        new.iter().for_each(|word| o.touched[*word as usize] = true);
        // Both ascend: the words of this step are among those that ever had a gradient.
        let mut words = (0..).zip(&o.words).peekable();
        let touched = (0..).zip(&o.touched).filter(|(_, touched)| **touched).map(|(row, _)| row);
        let mut gradient = |row: u32| words.next_if(|(_, word)| **word == row).map(|(i, _)| i);
        let rows: Vec<(u32, Option<u32>)> = touched.map(|row| (row, gradient(row))).collect();
        o.decay *= keep;
        let [first, second] = &mut self.moments;
        let moments = Moments { values: &mut self.parameters, first, second };
        let update = AdamW { keep: keep as f32, ..update };
        self.backend.adamw_rows(moments, &self.workspace.words, table, &rows, update);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BertConfig, Parameters};

    #[test]
    fn stretches_hold_what_is_trained_and_nothing_else() {
        let config = BertConfig::preset("tiny").expect("a preset");
        let layout = Layout::new(&config, &Parameters::fresh(&config, 3, 1).expect("weights"));
        let all = stretches(&layout, &Recipe::default());
        assert_eq!(all.len(), 1, "{all:?}");
        assert!(all[0].range.start == 0 && all[0].range.end > layout.dense - 16);
        let freeze = vec!["encoder.layer.0".to_string()];
        let recipe = Recipe { no_decay: vec!["bias".into(), "LayerNorm".into()], freeze, ..Recipe::default() };
        let some = stretches(&layout, &recipe);
        for place in layout.places.iter().filter(|place| place.at < layout.dense) {
            let of = some.iter().filter(|s| s.range.contains(&place.at)).collect::<Vec<_>>();
            match place.name.contains("layer.0.") {
                true => assert!(of.is_empty(), "{} is frozen", place.name),
                false => {
                    let decays = !place.name.contains("bias") && !place.name.contains("LayerNorm");
                    assert!(of.len() == 1 && of[0].decays == decays, "{}: {of:?}", place.name);
                    assert!(of[0].range.end >= place.range().end);
                }
            }
        }
    }
}
