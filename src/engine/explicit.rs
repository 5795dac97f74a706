//! The explicit engine: parameters, gradients and moments in one buffer each.

use std::{
    borrow::Cow,
    collections::{BTreeMap, VecDeque},
};

use candle_core::Tensor;

use super::{
    Engine, MOMENTS, OptimizerState, Recipe, found,
    layout::{Layout, Place},
    update::{Optimizer, Stretch, stretches},
    workspace::Workspace,
};
use crate::{
    data::Batch,
    kernels::{Backend, Sums},
    model::{BertConfig, DropoutPlan, ModelError, Named, Parameters, is_frozen},
};

/// A classifier with a forward and a backward pass written out.
pub struct Explicit<B: Backend> {
    pub(super) backend: B,
    pub(super) config: BertConfig,
    pub(super) labels: usize,
    pub(super) layout: Layout,
    /// Whether training changes a parameter, for each place of the layout.
    pub(super) trainable: Vec<bool>,
    /// Those of them whose gradients are dense.
    pub(super) stretches: Vec<Stretch>,
    pub(super) parameters: B::Buffer,
    /// Of everything but the words, whose gradients of a step are in the workspace.
    pub(super) gradients: B::Buffer,
    pub(super) moments: [B::Buffer; 2],
    pub(super) optimizer: Optimizer,
    /// What words without a gradient were decayed by before each step that is not known to have ended.
    decays: VecDeque<f64>,
    pub(super) workspace: Workspace<B>,
}

impl<B: Backend> Explicit<B> {
    /// Takes over the parameters. All but those that `freeze` names are trained.
    pub fn new(backend: B, config: &BertConfig, parameters: Parameters, recipe: &Recipe) -> Result<Self, ModelError> {
        let layout = Layout::new(config, &parameters);
        parameters.check_frozen(&recipe.freeze)?;
        let labels = layout.head.out;
        let mut buffer = backend.zeros_of_parameters(layout.len, layout.len);
        let mut tensors = parameters.into_tensors();
        for place in &layout.places {
            copy(&backend, &mut buffer, place.at, found(&mut tensors, &place.name, &place.shape)?)?;
        }
        Ok(Self {
            labels,
            trainable: layout.places.iter().map(|place| !is_frozen(&place.name, &recipe.freeze)).collect(),
            stretches: stretches(&layout, recipe),
            parameters: buffer,
            gradients: backend.zeros_of_parameters(layout.dense, layout.dense),
            moments: [(); 2].map(|()| backend.zeros_of_parameters(layout.len, layout.dense)),
            optimizer: Optimizer::new(recipe, config.vocab_size),
            decays: VecDeque::new(),
            workspace: Workspace::new(&backend, config, labels),
            config: config.clone(),
            layout,
            backend,
        })
    }

    /// Whether training changes any parameter that begins at one of these places.
    pub(super) fn trains(&self, at: impl Fn(usize) -> bool) -> bool {
        self.layout.places.iter().zip(&self.trainable).any(|(place, trainable)| *trainable && at(place.at))
    }

    /// Whether the word embedding is trained.
    pub(super) fn trains_words(&self) -> bool {
        self.trains(|at| at == self.layout.embedding.word.offset)
    }

    /// The loss, the gradients and their squares of a step.
    fn step_gradients(&mut self, batches: &[Batch], targets: &[Vec<f32>], dropout: Option<DropoutPlan>) {
        self.backend.begin_step();
        self.optimizer.begin_step(batches);
        let words = self.optimizer.words.len();
        self.workspace.reserve_words(&self.backend, words, self.config.hidden_size);
        self.backend.clear(&mut self.workspace.words, words * self.config.hidden_size);
        for (i, (batch, targets)) in batches.iter().zip(targets).enumerate() {
            let on_device = self.enter(batch);
            self.forward(&on_device, batch, dropout, true);
            let (ws, rows) = (&mut self.workspace, batch.offsets.len() - 1);
            self.backend.cross_entropy(&mut ws.d_logits, &ws.logits, targets, rows, self.labels);
            self.backward(&on_device, batch, dropout, i == 0);
        }
        self.add_squares();
    }

    fn named<'a>(&'a self, name: String, shape: &[usize], buffer: &'a B::Buffer, at: usize) -> Named<'a> {
        let range = at..at + shape.iter().product::<usize>();
        Named::lazy(name, shape, move || {
            let values = self.backend.read(buffer, range.clone());
            self.backend.health()?;
            Ok(values)
        })
    }
}

/// Copies a tensor into a buffer, and forgets it.
fn copy<B: Backend>(backend: &B, buffer: &mut B::Buffer, at: usize, tensor: Tensor) -> Result<(), ModelError> {
    let tensor = tensor.flatten_all()?.contiguous()?;
    crate::kernels::with_f32(&tensor, |values| {
        backend.write(buffer, at, values);
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
        let place = self.layout.places.iter().find(|place| place.name == name).expect("a parameter of the layout");
        if place.at < self.layout.dense {
            return Ok(self.backend.read(&self.gradients, place.range()).into_owned());
        }
        let (width, words) = (self.config.hidden_size, &self.optimizer.words);
        let sparse = self.backend.read(&self.workspace.words, 0..words.len() * width);
        let mut dense = vec![0.0; place.range().len()];
        for (row, word) in sparse.chunks_exact(width).zip(words) {
            dense[*word as usize * width..][..width].copy_from_slice(row);
        }
        Ok(dense)
    }

    fn trainable(&self) -> u64 {
        let places = self.layout.places.iter().zip(&self.trainable);
        places.filter(|(_, trainable)| **trainable).map(|(place, _)| place.range().len() as u64).sum()
    }

    fn parameters(&self) -> Vec<Named<'_>> {
        let words = self.layout.embedding.word;
        let decayed = |place: &'_ Place| {
            let mut words = self.backend.read(&self.parameters, place.range()).into_owned();
            self.backend.health()?;
            self.optimizer.apply_decay(&mut words, self.config.hidden_size);
            Ok(Cow::Owned(words))
        };
        let places = self.layout.places.iter();
        let named = places.map(|place| match place.at == words.offset && self.optimizer.decay != 1.0 {
            true => Named::lazy(place.name.clone(), &place.shape, move || decayed(place)),
            false => self.named(place.name.clone(), &place.shape, &self.parameters, place.at),
        });
        named.collect()
    }

    fn state(&self) -> (OptimizerState, Vec<Named<'_>>) {
        let mut all = Vec::new();
        for (place, _) in self.layout.places.iter().zip(&self.trainable).filter(|(_, trainable)| **trainable) {
            all.push(self.named(place.name.clone(), &place.shape, &self.parameters, place.at));
            for (kind, moments) in MOMENTS.iter().zip(&self.moments) {
                all.push(self.named(format!("{kind}.{}", place.name), &place.shape, moments, place.at));
            }
        }
        (self.optimizer.state(), all)
    }

    fn restore(&mut self, state: &OptimizerState, mut tensors: BTreeMap<String, Tensor>) -> Result<(), ModelError> {
        for (place, _) in self.layout.places.iter().zip(&self.trainable).filter(|(_, trainable)| **trainable) {
            let values = found(&mut tensors, &place.name, &place.shape)?;
            copy(&self.backend, &mut self.parameters, place.at, values)?;
            for (kind, moments) in MOMENTS.iter().zip(&mut self.moments) {
                let values = found(&mut tensors, &format!("{kind}.{}", place.name), &place.shape)?;
                copy(&self.backend, moments, place.at, values)?;
            }
        }
        self.optimizer.restore(state);
        self.backend.parameters_written();
        Ok(())
    }

    fn set_parameters(&mut self, mut tensors: BTreeMap<String, Tensor>) -> Result<(), ModelError> {
        for (place, _) in self.layout.places.iter().zip(&self.trainable).filter(|(_, trainable)| **trainable) {
            copy(&self.backend, &mut self.parameters, place.at, found(&mut tensors, &place.name, &place.shape)?)?;
        }
        // What is taken over is meant as it stands.
        self.optimizer.decay = 1.0;
        self.backend.parameters_written();
        Ok(())
    }
}
