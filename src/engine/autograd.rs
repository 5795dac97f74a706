//! The engine on candle's tape: the reference.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use super::{AdamW, Engine, OptimizerState, Recipe, found, tape_optimizer::Gradients};
use crate::{
    data::Batch,
    kernels::{Sums, reference},
    model::{Classifier, DropoutPlan, Input, ModelConfig, ModelError, Named, Parameters},
    task::Loss,
};

/// A classifier with gradients from candle's tape.
pub struct Autograd {
    model: Classifier,
    /// The same weights without gradients, for evaluations.
    measured: Classifier,
    parameters: Parameters,
    optimizer: AdamW,
    gradients: Gradients,
    finished: Vec<Sums>,
    recipe: Recipe,
}

impl Autograd {
    /// Takes ownership of the parameters. All except those in `freeze` are trained.
    pub fn new(
        config: &ModelConfig,
        parameters: Parameters,
        recipe: &Recipe,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let parameters = parameters.prepare(&recipe.freeze, device)?;
        let rates = parameters.spec().parameters().iter();
        let rates = rates.map(|p| (p.name.as_str(), recipe.rate(p.rate_group, config.num_hidden_layers)));
        let optimizer = AdamW::new(parameters.trainable(), recipe, &rates.collect())?;
        Ok(Self {
            model: Classifier::new(config, &parameters),
            measured: Classifier::for_inference(config, &parameters),
            gradients: optimizer.no_gradients(),
            optimizer,
            parameters,
            finished: Vec::new(),
            recipe: recipe.clone(),
        })
    }

    /// The loss of a batch, a scalar.
    fn loss(&self, batch: &Batch, targets: &[f32], dropout: Option<DropoutPlan>) -> Result<Tensor, ModelError> {
        let logits = self.model.logits(&Input::new(batch, self.model.device())?, dropout)?;
        let (rows, labels) = logits.dims2()?;
        let targets = Tensor::from_slice(targets, (rows, labels, self.recipe.values_of_target()), logits.device())?;
        Ok(match self.recipe.loss {
            Loss::CrossEntropy { gamma } => reference::cross_entropy(&logits, &targets.squeeze(2)?, gamma)?,
            Loss::BinaryCrossEntropy { gamma } => reference::binary_cross_entropy(&logits, &targets, gamma)?,
            Loss::SquaredError => reference::squared_error(&logits, &targets)?,
        })
    }
}

impl Engine for Autograd {
    fn logits(&mut self, batch: &Batch, dropout: Option<DropoutPlan>) -> Result<Vec<Vec<f32>>, ModelError> {
        let input = Input::new(batch, self.measured.device())?;
        Ok(self.measured.logits(&input, dropout)?.to_vec2()?)
    }

    fn gradients(
        &mut self,
        batches: &[Batch],
        targets: &[Vec<f32>],
        dropout: Option<DropoutPlan>,
    ) -> Result<f64, ModelError> {
        let (mut sum, mut total) = (self.optimizer.no_gradients(), 0.0);
        for (batch, targets) in batches.iter().zip(targets) {
            let loss = self.loss(batch, targets, dropout)?;
            total += f64::from(loss.to_scalar::<f32>()?);
            self.optimizer.accumulate(&mut sum, loss.backward()?)?;
        }
        self.gradients = sum;
        Ok(total)
    }

    fn norm(&mut self) -> Result<f64, ModelError> {
        Ok(self.optimizer.norm(&self.gradients)?)
    }

    fn update(&mut self, lr: f64) -> Result<(), ModelError> {
        let norm = self.norm()?;
        Ok(self.optimizer.step(&self.gradients, norm, lr)?)
    }

    fn step(
        &mut self,
        batches: &[Batch],
        targets: &[Vec<f32>],
        dropout: Option<DropoutPlan>,
        lr: f64,
    ) -> Result<(), ModelError> {
        let loss = self.gradients(batches, targets, dropout)?;
        let norm = self.norm()?;
        let sums = Sums { loss, squares: norm * norm };
        if sums.are_finite() {
            self.optimizer.step(&self.gradients, norm, lr)?;
        }
        self.finished.push(sums);
        Ok(())
    }

    fn finished(&mut self, _: bool) -> Result<Vec<Sums>, ModelError> {
        Ok(std::mem::take(&mut self.finished))
    }

    fn gradient(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        let gradient = self.optimizer.gradient(&self.gradients, name).expect("a trainable parameter");
        Ok(gradient.flatten_all()?.to_vec1()?)
    }

    fn trainable(&self) -> u64 {
        self.parameters.trainable().iter().map(|(_, v)| v.elem_count() as u64).sum()
    }

    fn parameters(&self) -> Vec<Named<'_>> {
        self.parameters.iter().map(|(name, tensor)| Named::of(name.into(), tensor)).collect()
    }

    fn trained_parameters(&self) -> Vec<Named<'_>> {
        self.parameters.trainable().iter().map(|(name, var)| Named::of(name.clone(), var.as_tensor())).collect()
    }

    fn state(&self) -> (OptimizerState, Vec<Named<'_>>) {
        let state = OptimizerState { updates: self.optimizer.updates(), untouched_decay: 1.0, touched_words: None };
        (state, self.optimizer.state())
    }

    fn restore(&mut self, state: &OptimizerState, tensors: BTreeMap<String, Tensor>) -> Result<(), ModelError> {
        self.optimizer.restore(tensors, state.updates)
    }

    fn set_parameters(&mut self, mut tensors: BTreeMap<String, Tensor>) -> Result<(), ModelError> {
        for (name, var) in self.parameters.trainable() {
            var.set(&found(&mut tensors, name, var.dims())?.to_device(var.device())?)?;
        }
        Ok(())
    }
}
