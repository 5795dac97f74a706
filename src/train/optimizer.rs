//! AdamW (Loshchilov & Hutter 2019) as `torch.optim.AdamW`: decoupled decay, bias correction, epsilon outside the root.

use std::collections::BTreeMap;

use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor, Var, backprop::GradStore, bail};
use rayon::prelude::*;

use crate::{kernels::with_f32, plan::TrainConfig};

/// Values of one task: fixed, so that sums come out alike whatever the number of threads.
const CHUNK: usize = 64 * 1024;

struct Slot {
    name: String,
    var: Var,
    first: Tensor,
    second: Tensor,
    decays: bool,
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

/// The gradients of one optimiser step, in the order of the optimiser's parameters.
pub struct Gradients(Vec<Option<Tensor>>);

impl AdamW {
    /// Moments begin as zeros.
    pub fn new(parameters: &[(String, Var)], train: &TrainConfig) -> Result<Self> {
        let slot = |(name, var): &(String, Var)| {
            Ok(Slot {
                name: name.clone(),
                var: var.clone(),
                first: var.zeros_like()?,
                second: var.zeros_like()?,
                decays: !train.no_decay.iter().any(|part| name.contains(part.as_str())),
            })
        };
        Ok(Self {
            slots: parameters.iter().map(slot).collect::<Result<_>>()?,
            betas: train.betas,
            eps: train.eps,
            weight_decay: train.weight_decay,
            max_grad_norm: train.max_grad_norm,
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

    /// Euclidean norm of all gradients together.
    pub fn norm(&self, grads: &Gradients) -> Result<f64> {
        let mut total = 0.0;
        for grad in grads.0.iter().flatten() {
            total += if grad.device().is_cpu() {
                with_f32(&grad.contiguous()?, |g| {
                    let parts: Vec<f64> = g.par_chunks(CHUNK).map(sum_of_squares).collect();
                    Ok(parts.iter().sum::<f64>())
                })?
            } else {
                f64::from(grad.sqr()?.sum_all()?.to_scalar::<f32>()?)
            };
        }
        Ok(total.sqrt())
    }

    /// One update with the given learning rate; `norm` is that of the gradients, which are cut to the largest allowed.
    pub fn step(&mut self, grads: &Gradients, norm: f64, lr: f64) -> Result<()> {
        let fused = grads.0.iter().flatten().all(|g| g.device().is_cpu());
        self.apply(grads, norm, lr, fused)
    }

    fn apply(&mut self, grads: &Gradients, norm: f64, lr: f64, fused: bool) -> Result<()> {
        self.updates += 1;
        // torch.nn.utils.clip_grad_norm_ adds 1e-6 to the norm.
        let clip = match self.max_grad_norm > 0.0 {
            true => (self.max_grad_norm / (norm + 1e-6)).min(1.0),
            false => 1.0,
        };
        let (b1, b2) = self.betas;
        let correction = |beta: f64| 1.0 - beta.powi(self.updates as i32);
        let correct = (correction(b1), correction(b2));
        for (slot, grad) in self.slots.iter_mut().zip(&grads.0) {
            let Some(grad) = grad else { bail!("{} has no gradient", slot.name) };
            let update = Update {
                keep: if slot.decays { 1.0 - lr * self.weight_decay } else { 1.0 },
                step_size: lr / correct.0,
                root_scale: 1.0 / correct.1.sqrt(),
                eps: self.eps,
            };
            if fused {
                let grad = grad.contiguous()?;
                slot.first.inplace_op2(&grad, &Moment { beta: b1, scale: (1.0 - b1) * clip, power: Power::One })?;
                slot.second
                    .inplace_op2(&grad, &Moment { beta: b2, scale: (1.0 - b2) * clip * clip, power: Power::Two })?;
                slot.var.inplace_op3(&slot.first, &slot.second, &update)?;
            } else {
                update.reference(slot, grad, self.betas, clip)?;
            }
        }
        Ok(())
    }

    /// Moments and parameters under names of their own, for a checkpoint.
    pub fn state(&self) -> Vec<(String, &Tensor)> {
        let mut all = Vec::new();
        for slot in &self.slots {
            all.push((slot.name.clone(), slot.var.as_tensor()));
            all.push((format!("first_moment.{}", slot.name), &slot.first));
            all.push((format!("second_moment.{}", slot.name), &slot.second));
        }
        all
    }

    /// Updates made.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Takes moments and parameters back from a checkpoint made after that many updates.
    pub fn restore(&mut self, state: &BTreeMap<String, Tensor>, updates: u64) -> Result<()> {
        for slot in &mut self.slots {
            let find = |name: &str| match state.get(name) {
                Some(t) if t.shape() == slot.var.shape() => t.to_device(slot.var.device()),
                _ => bail!("`{name}` is missing or of another shape"),
            };
            slot.var.set(&find(&slot.name)?)?;
            slot.first = find(&format!("first_moment.{}", slot.name))?;
            slot.second = find(&format!("second_moment.{}", slot.name))?;
        }
        self.updates = updates;
        Ok(())
    }
}

fn sum_of_squares(values: &[f32]) -> f64 {
    let mut lanes = [0.0f64; 8];
    for (i, v) in values.iter().enumerate() {
        lanes[i % 8] += f64::from(*v) * f64::from(*v);
    }
    lanes.iter().sum()
}

#[derive(Clone, Copy)]
enum Power {
    One,
    Two,
}

/// moment ← beta·moment + scale·grad^power
struct Moment {
    beta: f64,
    scale: f64,
    power: Power,
}

fn pair<'a>(dst: &'a mut CpuStorage, src: &'a CpuStorage, layout: &Layout) -> Result<(&'a mut [f32], &'a [f32])> {
    let (CpuStorage::F32(dst), CpuStorage::F32(src)) = (dst, src) else { bail!("the optimiser works in f32") };
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("the optimiser takes contiguous tensors") };
    Ok((dst, &src[start..end]))
}

impl InplaceOp2 for Moment {
    fn name(&self) -> &'static str {
        "adamw-moment"
    }

    fn cpu_fwd(&self, moment: &mut CpuStorage, _: &Layout, grad: &CpuStorage, layout: &Layout) -> Result<()> {
        let (moment, grad) = pair(moment, grad, layout)?;
        let (beta, scale) = (self.beta as f32, self.scale as f32);
        moment.par_chunks_mut(CHUNK).zip(grad.par_chunks(CHUNK)).for_each(|(moment, grad)| match self.power {
            Power::One => moment.iter_mut().zip(grad).for_each(|(m, g)| *m = beta * *m + scale * g),
            Power::Two => moment.iter_mut().zip(grad).for_each(|(m, g)| *m = beta * *m + scale * g * g),
        });
        Ok(())
    }
}

/// p ← keep·p − step_size·m / (√v·root_scale + eps)
struct Update {
    keep: f64,
    step_size: f64,
    root_scale: f64,
    eps: f64,
}

impl InplaceOp3 for Update {
    fn name(&self) -> &'static str {
        "adamw-update"
    }

    fn cpu_fwd(
        &self,
        p: &mut CpuStorage,
        _: &Layout,
        first: &CpuStorage,
        first_layout: &Layout,
        second: &CpuStorage,
        second_layout: &Layout,
    ) -> Result<()> {
        let (keep, size) = (self.keep as f32, self.step_size as f32);
        let (root, eps) = (self.root_scale as f32, self.eps as f32);
        let CpuStorage::F32(second) = second else { bail!("the optimiser works in f32") };
        let (p, first) = pair(p, first, first_layout)?;
        let second = &second[second_layout.start_offset()..];
        p.par_chunks_mut(CHUNK).zip(first.par_chunks(CHUNK)).zip(second.par_chunks(CHUNK)).for_each(|((p, m), v)| {
            for ((p, m), v) in p.iter_mut().zip(m).zip(v) {
                *p = keep * *p - size * m / (v.sqrt() * root + eps);
            }
        });
        Ok(())
    }
}

impl Update {
    /// The same through candle's own operations, for devices without a fused form.
    fn reference(&self, slot: &mut Slot, grad: &Tensor, betas: (f64, f64), clip: f64) -> Result<()> {
        let grad = (grad * clip)?;
        slot.first = ((&slot.first * betas.0)? + (&grad * (1.0 - betas.0))?)?;
        slot.second = ((&slot.second * betas.1)? + (grad.sqr()? * (1.0 - betas.1))?)?;
        let step = (&slot.first / ((slot.second.sqrt()? * self.root_scale)? + self.eps)?)?;
        slot.var.set(&((slot.var.as_tensor() * self.keep)? - (step * self.step_size)?)?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::train::testing;

    /// Two parameters, one of them not decayed, the gradient cut to 1, two steps: torch 2.15's `AdamW` with
    /// `clip_grad_norm_`, float32.
    #[test]
    fn values_are_torchs() -> Result<()> {
        let want: [(f64, [f64; 3], f64); 2] = [
            (13.086_252_2, [0.989_000_08, -1.988_000_04, 0.489_500_02], 0.290_000_11),
            (0.377_491_7, [0.979_030_01, -1.985_049_37, 0.485_442_58], 0.281_019_09),
        ];
        let train = TrainConfig {
            lr: 0.01,
            weight_decay: 0.1,
            no_decay: vec!["bias".into()],
            betas: (0.8, 0.95),
            eps: 1e-6,
            max_grad_norm: 1.0,
            ..testing::train()
        };
        for fused in [true, false] {
            let a = Var::from_tensor(&Tensor::new(&[1.0f32, -2.0, 0.5], &Device::Cpu)?)?;
            let b = Var::from_tensor(&Tensor::new(&[0.3f32], &Device::Cpu)?)?;
            let parameters = [("x.weight".to_string(), a.clone()), ("x.bias".to_string(), b.clone())];
            let mut optimizer = AdamW::new(&parameters, &train)?;
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
                optimizer.apply(&grads, norm, train.lr, fused)?;
                let (want_norm, want_a, want_b) = want[i];
                assert!((norm - want_norm).abs() < 1e-5, "norm {norm}");
                let got = [a.to_vec1::<f32>()?, b.to_vec1::<f32>()?].concat();
                for (got, want) in got.iter().zip(want_a.iter().chain([&want_b])) {
                    assert!((f64::from(*got) - want).abs() < 2e-7, "step {i}, fused {fused}: {got}, wanted {want}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_parameter_without_a_gradient_is_an_error() -> Result<()> {
        let a = Var::from_tensor(&Tensor::new(&[1.0f32], &Device::Cpu)?)?;
        let optimizer = AdamW::new(&[("a.weight".to_string(), a)], &testing::train())?;
        let error = optimizer.accumulate(&mut optimizer.no_gradients(), GradStore::default()).expect_err("no gradient");
        assert!(error.to_string().contains("a.weight"));
        Ok(())
    }
}
