//! AdamW (Loshchilov & Hutter 2019) as `torch.optim.AdamW`, in candle's tensors: decoupled decay, bias correction, epsilon
//! outside the root. The optimizer of the tape's engine.

use std::collections::BTreeMap;

use candle_core::{Result, Tensor, Var, backprop::GradStore, bail};

use super::{MOMENTS, Recipe};
use crate::model::{ModelError, Named};

struct Slot {
    name: String,
    var: Var,
    first: Tensor,
    second: Tensor,
    decays: bool,
    /// Its learning rate as a multiple of that of the step.
    rate: f64,
}

/// Parameters with their moments.
pub struct AdamW {
    slots: Vec<Slot>,
    betas: (f64, f64),
    eps: f64,
    weight_decay: f64,
    max_grad_norm: f64,
    updates: u64,
}

/// The gradients of one optimizer step, in the order of the optimizer's parameters.
pub struct Gradients(Vec<Option<Tensor>>);

impl AdamW {
    /// Moments start as zeros. `rates`: the learning rate of each parameter as a multiple of that of the step, 1 if it is not there.
    pub fn new(parameters: &[(String, Var)], recipe: &Recipe, rates: &BTreeMap<&str, f64>) -> Result<Self> {
        let slot = |(name, var): &(String, Var)| {
            Ok(Slot {
                name: name.clone(),
                var: var.clone(),
                first: var.zeros_like()?,
                second: var.zeros_like()?,
                decays: recipe.decays(name),
                rate: rates.get(name.as_str()).copied().unwrap_or(1.0),
            })
        };
        Ok(Self {
            slots: parameters.iter().map(slot).collect::<Result<_>>()?,
            betas: recipe.betas,
            eps: recipe.eps,
            weight_decay: recipe.weight_decay,
            max_grad_norm: recipe.max_grad_norm,
            updates: 0,
        })
    }

    /// No gradients yet.
    pub fn no_gradients(&self) -> Gradients {
        Gradients(vec![None; self.slots.len()])
    }

    /// Adds the gradients of one batch to those of the step. Every parameter must have one.
    pub fn accumulate(&self, sum: &mut Gradients, mut batch: GradStore) -> Result<()> {
        for (slot, sum) in self.slots.iter().zip(&mut sum.0) {
            let Some(grad) = batch.remove(&slot.var) else {
                bail!("{} received no gradient: the graph is cut somewhere", slot.name)
            };
            *sum = Some(match sum.take() {
                Some(before) => (before + grad)?,
                None => grad,
            });
        }
        Ok(())
    }

    /// The gradient of one parameter.
    pub fn gradient<'a>(&self, grads: &'a Gradients, name: &str) -> Option<&'a Tensor> {
        let slot = self.slots.iter().position(|slot| slot.name == name)?;
        grads.0[slot].as_ref()
    }

    /// Euclidean norm of all gradients together.
    pub fn norm(&self, grads: &Gradients) -> Result<f64> {
        let mut total = 0.0;
        for grad in grads.0.iter().flatten() {
            total += f64::from(grad.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
        Ok(total.sqrt())
    }

    /// One update with the given learning rate; `norm` is that of the gradients, which are clipped first.
    pub fn step(&mut self, grads: &Gradients, norm: f64, lr: f64) -> Result<()> {
        self.updates += 1;
        // torch.nn.utils.clip_grad_norm_ adds 1e-6 to the norm.
        let clip = if self.max_grad_norm > 0.0 { (self.max_grad_norm / (norm + 1e-6)).min(1.0) } else { 1.0 };
        let (b1, b2) = self.betas;
        let correction = |beta: f64| 1.0 - beta.powi(self.updates as i32);
        let root = 1.0 / correction(b2).sqrt();
        for (slot, grad) in self.slots.iter_mut().zip(&grads.0) {
            let Some(grad) = grad else { bail!("{} has no gradient", slot.name) };
            let lr = slot.rate * lr;
            let keep = if slot.decays { 1.0 - lr * self.weight_decay } else { 1.0 };
            let grad = (grad * clip)?;
            slot.first = ((&slot.first * b1)? + (&grad * (1.0 - b1))?)?;
            slot.second = ((&slot.second * b2)? + (grad.sqr()? * (1.0 - b2))?)?;
            let step = (&slot.first / ((slot.second.sqrt()? * root)? + self.eps)?)?;
            slot.var.set(&((slot.var.as_tensor() * keep)? - (step * (lr / correction(b1)))?)?)?;
        }
        Ok(())
    }

    /// Moments and parameters under names of their own, for a checkpoint.
    pub fn state(&self) -> Vec<Named<'_>> {
        let mut all = Vec::new();
        for slot in &self.slots {
            all.push(Named::of(slot.name.clone(), slot.var.as_tensor()));
            for (kind, moment) in MOMENTS.iter().zip([&slot.first, &slot.second]) {
                all.push(Named::of(format!("{kind}.{}", slot.name), moment));
            }
        }
        all
    }

    /// Updates so far.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Continues from a state after `updates` updates.
    pub fn restore(
        &mut self,
        mut tensors: BTreeMap<String, Tensor>,
        updates: u64,
    ) -> std::result::Result<(), ModelError> {
        for slot in &mut self.slots {
            let mut find = |name: &str| super::found(&mut tensors, name, slot.var.dims());
            let device = slot.var.device().clone();
            slot.var.set(&find(&slot.name)?.to_device(&device)?)?;
            slot.first = find(&format!("{}.{}", MOMENTS[0], slot.name))?.to_device(&device)?;
            slot.second = find(&format!("{}.{}", MOMENTS[1], slot.name))?.to_device(&device)?;
        }
        self.updates = updates;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// Two parameters, one of them not decayed, the gradient clipped to 1, two steps: torch 2.15's `AdamW` with
    /// `clip_grad_norm_`, float32.
    #[test]
    fn values_are_torchs() -> Result<()> {
        let want: [(f64, [f64; 3], f64); 2] = [
            (13.086_252_2, [0.989_000_08, -1.988_000_04, 0.489_500_02], 0.290_000_11),
            (0.377_491_7, [0.979_030_01, -1.985_049_37, 0.485_442_58], 0.281_019_09),
        ];
        let recipe = Recipe {
            weight_decay: 0.1,
            no_decay: vec!["bias".into()],
            betas: (0.8, 0.95),
            eps: 1e-6,
            max_grad_norm: 1.0,
            ..Recipe::default()
        };
        {
            let a = Var::from_tensor(&Tensor::new(&[1.0f32, -2.0, 0.5], &Device::Cpu)?)?;
            let b = Var::from_tensor(&Tensor::new(&[0.3f32], &Device::Cpu)?)?;
            let parameters = [("x.weight".to_string(), a.clone()), ("x.bias".to_string(), b.clone())];
            let mut optimizer = AdamW::new(&parameters, &recipe, &BTreeMap::new())?;
            for (i, grad) in [[3.0f32, -4.0, 12.0], [0.1, 0.2, -0.3]].into_iter().enumerate() {
                // Through accumulation, in two halves.
                let mut grads = optimizer.no_gradients();
                for _ in 0..2 {
                    let mut store = GradStore::default();
                    store.insert(&a, (Tensor::new(&grad, &Device::Cpu)? * 0.5)?);
                    store.insert(&b, Tensor::new(&[grad[0] / 4.0], &Device::Cpu)?);
                    optimizer.accumulate(&mut grads, store)?;
                }
                let norm = optimizer.norm(&grads)?;
                optimizer.step(&grads, norm, 0.01)?;
                let (want_norm, want_a, want_b) = want[i];
                assert!((norm - want_norm).abs() < 1e-5, "norm {norm}");
                let got = [a.to_vec1::<f32>()?, b.to_vec1::<f32>()?].concat();
                for (got, want) in got.iter().zip(want_a.iter().chain([&want_b])) {
                    assert!((f64::from(*got) - want).abs() < 2e-7, "step {i}: {got}, wanted {want}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_parameter_without_a_gradient_is_an_error() -> Result<()> {
        let a = Var::from_tensor(&Tensor::new(&[1.0f32], &Device::Cpu)?)?;
        let optimizer = AdamW::new(&[("a.weight".to_string(), a)], &Recipe::default(), &BTreeMap::new())?;
        let error = optimizer.accumulate(&mut optimizer.no_gradients(), GradStore::default()).expect_err("no gradient");
        assert!(error.to_string().contains("a.weight"));
        Ok(())
    }
}
