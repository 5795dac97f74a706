//! The explicit engine: parameters, gradients and moments in one buffer each.

use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
};

use candle_core::Tensor;

use super::{
    Engine, MOMENTS, OptimizerState, Recipe, angles, distances, found,
    layout::{Layout, ParamSlot},
    optimizer::{Optimizer, ParamSpan, param_spans},
    workspace::Workspace,
};
use crate::{
    data::Batch,
    kernels::{Backend, Sums},
    model::{DropoutPlan, ModelConfig, ModelError, Named, Parameters},
    task::Loss,
};

/// A classifier with a forward and a backward pass written out.
pub struct Explicit<B: Backend> {
    pub(super) backend: B,
    pub(super) config: ModelConfig,
    pub(super) labels: usize,
    pub(super) layout: Layout,
    /// Whether training changes a parameter, in the order of the layout's parameters.
    pub(super) trainable: Vec<bool>,
    /// The trained parameters with dense gradients.
    pub(super) spans: Vec<ParamSpan>,
    pub(super) parameters: B::Buffer,
    /// Gradients of everything but the word embedding, at the offsets of `parameters`; the words' are in the workspace.
    pub(super) gradients: B::Buffer,
    pub(super) moments: [B::Buffer; 2],
    pub(super) optimizer: Optimizer,
    /// `optimizer.decay` before each step that [`Engine::finished`] has not returned yet.
    decays: VecDeque<f64>,
    pub(super) workspace: Workspace<B::Buffer>,
    /// Tables of the angles of rotary positions, by [`crate::model::LayerAttention::angles`].
    pub(super) angles: Vec<B::Buffer>,
    /// The row of the table of relative positions for each distance.
    pub(super) relative_rows: B::Buffer,
}

impl<B: Backend> Explicit<B> {
    /// Takes ownership of the parameters. All except those in `freeze` are trained.
    pub fn new(backend: B, config: &ModelConfig, parameters: Parameters, recipe: &Recipe) -> Result<Self, ModelError> {
        let layout = Layout::new(config, parameters.spec());
        parameters.check_frozen(&recipe.freeze)?;
        let labels = layout.classifier.out;
        let mut buffer = backend.zeros_of_parameters(layout.len, layout.len);
        let mut tensors = parameters.into_tensors();
        for ParamSlot { parameter, offset } in &layout.parameters {
            copy(&backend, &mut buffer, *offset, found(&mut tensors, &parameter.name, &parameter.shape)?)?;
        }
        Ok(Self {
            labels,
            trainable: layout.parameters.iter().map(|slot| !slot.parameter.is_frozen(&recipe.freeze)).collect(),
            spans: param_spans(&layout, recipe),
            parameters: buffer,
            gradients: backend.zeros_of_parameters(layout.dense, layout.dense),
            moments: [(); 2].map(|()| backend.zeros_of_parameters(layout.len, layout.dense)),
            optimizer: Optimizer::new(recipe, layout.words(), layout.layers.len()),
            decays: VecDeque::new(),
            workspace: Workspace::new(&backend, config, labels),
            angles: angles::tables(&backend, config),
            relative_rows: distances::rows(&backend, config),
            config: config.clone(),
            layout,
            backend,
        })
    }

    /// Whether training changes any parameter with an offset that `matches`.
    pub(super) fn trains(&self, matches: impl Fn(usize) -> bool) -> bool {
        trained(&self.layout, &self.trainable).any(|slot| matches(slot.offset))
    }

    /// Whether the word embedding is trained.
    pub(super) fn trains_words(&self) -> bool {
        self.trains(|offset| offset == self.layout.embedding.word.offset)
    }

    /// The loss, the gradients and their squares of a step.
    fn step_gradients(&mut self, batches: &[Batch], targets: &[Vec<f32>], dropout: Option<DropoutPlan>) {
        self.backend.begin_step();
        self.optimizer.begin_step(batches);
        let words = self.optimizer.words.len();
        let width = self.layout.embedding.word.width;
        self.workspace.reserve_words(&self.backend, words, width);
        self.backend.clear(&mut self.workspace.words, words * width);
        for (i, (batch, targets)) in batches.iter().zip(targets).enumerate() {
            let on_device = self.enter(batch);
            self.forward(&on_device, batch, dropout, true);
            self.loss(targets, batch.offsets.len() - 1);
            self.backward(&on_device, batch, dropout, i == 0);
        }
        self.add_squares();
    }

    /// Adds the loss of `rows` rows to that of the step, and computes the gradient of their logits.
    fn loss(&mut self, targets: &[f32], rows: usize) {
        let (recipe, labels) = (&self.optimizer.recipe, self.labels);
        assert_eq!(targets.len(), rows * labels * recipe.values_of_target(), "targets of {:?}", recipe.loss);
        let Workspace { d_logits, logits, .. } = &mut self.workspace;
        match recipe.loss {
            Loss::CrossEntropy { gamma } => self.backend.cross_entropy(d_logits, logits, targets, gamma, rows, labels),
            Loss::BinaryCrossEntropy { gamma } => {
                self.backend.binary_cross_entropy(d_logits, logits, targets, gamma, rows, labels);
            }
            Loss::SquaredError => self.backend.squared_error(d_logits, logits, targets, rows, labels),
        }
    }

    /// The current value of a parameter, with the words' pending weight decay applied.
    fn parameter<'a>(&'a self, slot: &'a ParamSlot) -> Named<'a> {
        let ParamSlot { parameter, offset } = slot;
        if *offset != self.layout.embedding.word.offset || self.optimizer.decay == 1.0 {
            return self.named(parameter.name.clone(), &parameter.shape, &self.parameters, *offset);
        }
        Named::lazy(parameter.name.clone(), &parameter.shape, move |range| {
            let (from, to) = (offset + range.start, offset + range.end);
            let mut words = self.backend.read(&self.parameters, from..to).into_owned();
            self.backend.health()?;
            self.optimizer.apply_decay(&mut words, range.start, self.layout.embedding.word.width);
            Ok(Cow::Owned(words))
        })
    }

    fn named<'a>(&'a self, name: String, shape: &[usize], buffer: &'a B::Buffer, offset: usize) -> Named<'a> {
        Named::lazy(name, shape, move |range| {
            let values = self.backend.read(buffer, offset + range.start..offset + range.end);
            self.backend.health()?;
            Ok(values)
        })
    }
}

/// The parameters that training changes. Takes parts of the engine, so that other parts can be borrowed mutably.
fn trained<'a>(layout: &'a Layout, trainable: &'a [bool]) -> impl Iterator<Item = &'a ParamSlot> {
    layout.parameters.iter().zip(trainable).filter(|(_, trainable)| **trainable).map(|(slot, _)| slot)
}

/// Copies a tensor into a buffer from `offset` on.
fn copy<B: Backend>(backend: &B, buffer: &mut B::Buffer, offset: usize, tensor: Tensor) -> Result<(), ModelError> {
    let tensor = tensor.flatten_all()?.contiguous()?;
    crate::kernels::with_f32(&tensor, |values| {
        backend.write(buffer, offset, values);
        Ok(())
    })?;
    Ok(())
}

impl<B: Backend> Engine for Explicit<B> {
    fn logits(&mut self, batch: &Batch, dropout: Option<DropoutPlan>) -> Result<Vec<Vec<f32>>, ModelError> {
        B::enter(|| {
            let on_device = self.enter(batch);
            self.forward(&on_device, batch, dropout, false);
        });
        let rows = batch.offsets.len() - 1;
        let logits = self.backend.read(&self.workspace.logits, 0..rows * self.labels);
        self.backend.health()?;
        Ok(logits.chunks_exact(self.labels).map(<[f32]>::to_vec).collect())
    }

    fn gradients(
        &mut self,
        batches: &[Batch],
        targets: &[Vec<f32>],
        dropout: Option<DropoutPlan>,
    ) -> Result<f64, ModelError> {
        let sums = B::enter(|| {
            self.step_gradients(batches, targets, dropout);
            self.backend.sums()
        });
        self.backend.health()?;
        Ok(sums.loss)
    }

    fn norm(&mut self) -> Result<f64, ModelError> {
        let sums = self.backend.sums();
        self.backend.health()?;
        Ok(sums.norm())
    }

    fn update(&mut self, lr: f64) -> Result<(), ModelError> {
        B::enter(|| self.adamw(lr));
        Ok(self.backend.health()?)
    }

    fn step(
        &mut self,
        batches: &[Batch],
        targets: &[Vec<f32>],
        dropout: Option<DropoutPlan>,
        lr: f64,
    ) -> Result<(), ModelError> {
        self.decays.push_back(self.optimizer.decay);
        B::enter(|| {
            self.step_gradients(batches, targets, dropout);
            self.adamw(lr);
            self.backend.end_step();
        });
        Ok(self.backend.health()?)
    }

    fn finished(&mut self, wait: bool) -> Result<Vec<Sums>, ModelError> {
        let finished = self.backend.finished(wait);
        self.backend.health()?;
        for (sums, decay) in finished.iter().zip(self.decays.drain(..finished.len())) {
            if !sums.are_finite() {
                self.optimizer.decay = decay;
                break;
            }
        }
        Ok(finished)
    }

    fn gradient(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        let slot = self.layout.parameters.iter().find(|slot| slot.parameter.name == name);
        let slot = slot.expect("a parameter of the layout");
        if slot.offset < self.layout.dense {
            return Ok(self.backend.read(&self.gradients, slot.range()).into_owned());
        }
        let (width, words) = (self.layout.embedding.word.width, &self.optimizer.words);
        let sparse = self.backend.read(&self.workspace.words, 0..words.len() * width);
        let mut dense = vec![0.0; slot.parameter.len()];
        for (row, word) in sparse.chunks_exact(width).zip(words) {
            dense[*word as usize * width..][..width].copy_from_slice(row);
        }
        Ok(dense)
    }

    fn trainable(&self) -> u64 {
        trained(&self.layout, &self.trainable).map(|slot| slot.parameter.len() as u64).sum()
    }

    fn parameters(&self) -> Vec<Named<'_>> {
        self.layout.parameters.iter().map(|slot| self.parameter(slot)).collect()
    }

    fn trained_parameters(&self) -> Vec<Named<'_>> {
        trained(&self.layout, &self.trainable).map(|slot| self.parameter(slot)).collect()
    }

    fn state(&self) -> (OptimizerState, Vec<Named<'_>>) {
        let mut all = Vec::new();
        for ParamSlot { parameter, offset } in trained(&self.layout, &self.trainable) {
            all.push(self.named(parameter.name.clone(), &parameter.shape, &self.parameters, *offset));
            for (kind, moments) in MOMENTS.iter().zip(&self.moments) {
                all.push(self.named(format!("{kind}.{}", parameter.name), &parameter.shape, moments, *offset));
            }
        }
        (self.optimizer.state(), all)
    }

    fn restore(&mut self, state: &OptimizerState, mut tensors: BTreeMap<String, Tensor>) -> Result<(), ModelError> {
        for ParamSlot { parameter, offset } in trained(&self.layout, &self.trainable) {
            let values = found(&mut tensors, &parameter.name, &parameter.shape)?;
            copy(&self.backend, &mut self.parameters, *offset, values)?;
            for (kind, moments) in MOMENTS.iter().zip(&mut self.moments) {
                let values = found(&mut tensors, &format!("{kind}.{}", parameter.name), &parameter.shape)?;
                copy(&self.backend, moments, *offset, values)?;
            }
        }
        self.optimizer.restore(state);
        self.backend.parameters_written();
        Ok(())
    }

    fn set_parameters(&mut self, mut tensors: BTreeMap<String, Tensor>) -> Result<(), ModelError> {
        for ParamSlot { parameter, offset } in trained(&self.layout, &self.trainable) {
            copy(
                &self.backend,
                &mut self.parameters,
                *offset,
                found(&mut tensors, &parameter.name, &parameter.shape)?,
            )?;
        }
        // The new values are final: no pending decay applies to them.
        self.optimizer.decay = 1.0;
        self.backend.parameters_written();
        Ok(())
    }
}
