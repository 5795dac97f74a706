//! One update of the explicit engine's parameters.

use super::Explicit;
use crate::kernels::{Backend, Moments};

impl<B: Backend> Explicit<B> {
    /// Adds the squares of all gradients to the step's sums.
    pub(super) fn add_squares(&mut self) {
        for span in &self.spans {
            self.backend.add_squares(&self.gradients, span.range.clone());
        }
        if self.trains_words() {
            let len = self.optimizer.words.len() * self.layout.embedding.word.width;
            self.backend.add_squares(&self.workspace.words, 0..len);
        }
    }

    /// One update.
    pub(super) fn adamw(&mut self, lr: f64) {
        self.optimizer.begin_update();
        let [first, second] = &mut self.moments;
        for span in &self.spans {
            let update = self.optimizer.update_of(span.kind, lr);
            let moments = Moments { values: &mut self.parameters, first: &mut *first, second: &mut *second };
            self.backend.adamw(moments, &self.gradients, span.range.clone(), update);
        }
        if self.trains_words() {
            self.update_words(lr);
        }
    }

    fn update_words(&mut self, lr: f64) {
        let (o, table) = (&mut self.optimizer, self.layout.embedding.word);
        let update = o.update_of(o.words_kind, lr);
        let new: Vec<u32> = o.words.iter().copied().filter(|word| !o.touched[*word as usize]).collect();
        if o.decay != 1.0 {
            self.backend.scale_rows(&mut self.parameters, table, &new, o.decay as f32);
        }
        new.iter().for_each(|word| o.touched[*word as usize] = true);
        // Both ascend, and the words of this step are among the touched ones.
        let mut words = (0..).zip(&o.words).peekable();
        let touched = (0..).zip(&o.touched).filter(|(_, touched)| **touched).map(|(row, _)| row);
        let mut gradient = |row: u32| words.next_if(|(_, word)| **word == row).map(|(i, _)| i);
        let rows: Vec<(u32, Option<u32>)> = touched.map(|row| (row, gradient(row))).collect();
        o.decay *= o.decay_factor(o.words_kind, lr);
        let [first, second] = &mut self.moments;
        let moments = Moments { values: &mut self.parameters, first, second };
        self.backend.adamw_rows(moments, &self.workspace.words, table, &rows, update);
    }
}
