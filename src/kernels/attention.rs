//! Scaled dot-product attention (Vaswani et al. 2017) over sequences of different lengths that lie one after the other.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::{
    Dropout, Form, exp,
    matmul::{Threads, View, matmul},
    slice::slice,
    with_f32,
};

/// Width of a row of the dropout mask: the longest sequence that it can tell apart.
const MASK_WIDTH: usize = 8192;

/// Where sequences begin: sequence `s` has the rows `queries[s]..queries[s + 1]` of the queries and
/// `keys[s]..keys[s + 1]` of the keys and values.
///
/// The two differ in the last layer, where only the `[CLS]` row of each sequence asks.
#[derive(Debug, Clone)]
pub struct Ragged {
    /// Offsets into the queries, `[sequences + 1]`.
    pub queries: Arc<[u32]>,
    /// Offsets into the keys and values, `[sequences + 1]`.
    pub keys: Arc<[u32]>,
}

impl Ragged {
    fn sequences(&self) -> impl Iterator<Item = (std::ops::Range<usize>, std::ops::Range<usize>)> + '_ {
        let range = |o: &[u32]| o[0] as usize..o[1] as usize;
        self.queries.windows(2).zip(self.keys.windows(2)).map(move |(q, k)| (range(q), range(k)))
    }

    fn check(&self, queries: usize, keys: usize) -> Result<()> {
        let sound = |o: &[u32], n| o.first() == Some(&0) && o.last() == Some(&(n as u32)) && o.is_sorted();
        if self.queries.len() != self.keys.len() || !sound(&self.queries, queries) || !sound(&self.keys, keys) {
            bail!("attention: sequence offsets do not fit {queries} queries and {keys} keys");
        }
        if self.sequences().any(|(_, k)| k.is_empty() || k.len() > MASK_WIDTH) {
            bail!("attention: a sequence is empty or longer than {MASK_WIDTH}");
        }
        Ok(())
    }
}

/// softmax(Q·Kᵀ / √d)·V within each sequence and head.
///
/// q `[queries, heads · d]`, k and v `[keys, heads · d]` → `[queries, heads · d]`. `dropout` falls on the probabilities.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    ragged: &Ragged,
    heads: usize,
    dropout: Option<Dropout>,
    form: Form,
) -> Result<Tensor> {
    ragged.check(q.dim(0)?, k.dim(0)?)?;
    if form.fused(q) {
        let op = Attention { ragged: ragged.clone(), heads, dropout };
        return q.contiguous()?.apply_op3(&k.contiguous()?, &v.contiguous()?, op);
    }
    reference(q, k, v, ragged, heads, dropout)
}

/// Place in the dropout mask of key 0 for one query and head.
fn mask_index(dropout: &Dropout, query: usize, head: usize, heads: usize) -> u64 {
    dropout.index(query, heads * MASK_WIDTH) + (head * MASK_WIDTH) as u64
}

fn reference(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    ragged: &Ragged,
    heads: usize,
    dropout: Option<Dropout>,
) -> Result<Tensor> {
    let d = q.dim(1)? / heads;
    // [rows, heads · d] → [heads, rows, d]
    let split = |x: &Tensor, r: &std::ops::Range<usize>| -> Result<Tensor> {
        x.narrow(0, r.start, r.len())?.reshape((r.len(), heads, d))?.transpose(0, 1)?.contiguous()
    };
    let mut outputs = Vec::new();
    for (queries, keys) in ragged.sequences() {
        let scores = (split(q, &queries)?.matmul(&split(k, &keys)?.t()?)? / (d as f64).sqrt())?;
        let mut p = candle_nn::ops::softmax(&scores, 2)?;
        if let Some(dropout) = dropout {
            let mut mask = vec![1.0f32; heads * queries.len() * keys.len()];
            for (i, row) in mask.chunks_exact_mut(keys.len()).enumerate() {
                let (head, query) = (i / queries.len(), queries.start + i % queries.len());
                dropout.apply(mask_index(&dropout, query, head, heads), row);
            }
            p = (p * Tensor::from_vec(mask, (heads, queries.len(), keys.len()), q.device())?)?;
        }
        outputs.push(p.matmul(&split(v, &keys)?)?.transpose(0, 1)?.reshape((queries.len(), heads * d))?);
    }
    Tensor::cat(&outputs, 0)
}

struct Attention {
    ragged: Ragged,
    heads: usize,
    dropout: Option<Dropout>,
}

/// One head of one sequence: its queries, keys and values, as columns of the packed tensors.
struct Head<'a> {
    q: View<'a>,
    k: View<'a>,
    v: View<'a>,
}

impl<'a> Head<'a> {
    /// The slices begin at the head's first value; `rows` are (queries, keys).
    fn new(q: &'a [f32], k: &'a [f32], v: &'a [f32], rows: (usize, usize), d: usize, width: usize) -> Self {
        let view = |x, rows| View::new(x, rows, d, width);
        Self { q: view(q, rows.0), k: view(k, rows.1), v: view(v, rows.1) }
    }
}

impl Attention {
    /// Probabilities of one head `[queries, keys]`, before dropout.
    fn probabilities(&self, head: &Head, d: usize, queries: usize, keys: usize) -> Vec<f32> {
        let mut p = vec![0.0f32; queries * keys];
        matmul(&mut p, keys, false, 1.0 / (d as f32).sqrt(), head.q, head.k.t(), Threads::One);
        for row in p.chunks_exact_mut(keys) {
            let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut sum = 0.0;
            for v in row.iter_mut() {
                *v = exp(*v - max);
                sum += *v;
            }
            row.iter_mut().for_each(|v| *v /= sum);
        }
        p
    }

    /// Applies the dropout mask of one head to `[queries, keys]`; `first` is the sequence's first query row.
    fn drop(&self, values: &mut [f32], head: usize, first: usize, keys: usize) {
        if let Some(dropout) = self.dropout {
            for (i, row) in values.chunks_exact_mut(keys).enumerate() {
                dropout.apply(mask_index(&dropout, first + i, head, self.heads), row);
            }
        }
    }
}

/// Cuts `[rows, width]` into the sequences' own rows.
fn cut<'a>(mut values: &'a mut [f32], offsets: &[u32], width: usize) -> Vec<&'a mut [f32]> {
    let mut parts = Vec::with_capacity(offsets.len());
    for o in offsets.windows(2) {
        let (part, rest) = values.split_at_mut((o[1] - o[0]) as usize * width);
        parts.push(part);
        values = rest;
    }
    parts
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (q, k, v) = (slice(q, q_layout)?, slice(k, k_layout)?, slice(v, v_layout)?);
        let width = q_layout.shape().dims2()?.1;
        let d = width / self.heads;
        let mut out = vec![0.0f32; q.len()];
        let parts = cut(&mut out, &self.ragged.queries, width);
        let work: Vec<_> = self.ragged.sequences().zip(parts).collect();
        work.into_par_iter().for_each(|((queries, keys), out)| {
            for head in 0..self.heads {
                let (nq, nk) = (queries.len(), keys.len());
                let (qo, ko) = (queries.start * width + head * d, keys.start * width + head * d);
                let h = Head::new(&q[qo..], &k[ko..], &v[ko..], (nq, nk), d, width);
                let mut p = self.probabilities(&h, d, nq, nk);
                self.drop(&mut p, head, queries.start, nk);
                matmul(&mut out[head * d..], width, false, 1.0, View::new(&p, nq, nk, nk), h.v, Threads::One);
            }
        });
        Ok((CpuStorage::F32(out), q_layout.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _out: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let width = q.dim(1)?;
        let grad = grad.contiguous()?;
        let (dq, dk, dv) = with_f32(q, |q| {
            with_f32(k, |k| with_f32(v, |v| with_f32(&grad, |grad| Ok(self.backward(width, q, k, v, grad)))))
        })?;
        Ok((
            Some(Tensor::from_vec(dq, q.shape(), q.device())?),
            Some(Tensor::from_vec(dk, k.shape(), k.device())?),
            Some(Tensor::from_vec(dv, v.shape(), v.device())?),
        ))
    }
}

impl Attention {
    /// With P the probabilities, M the dropout mask and O = (P∘M)·V:
    /// dV = (P∘M)ᵀ·dO, dP = (dO·Vᵀ)∘M, dS = P∘(dP − rowsum(dP∘P)), dQ = dS·K/√d, dK = dSᵀ·Q/√d.
    /// P is computed again: it would be the largest thing to keep.
    fn backward(&self, width: usize, q: &[f32], k: &[f32], v: &[f32], grad: &[f32]) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let d = width / self.heads;
        let scale = 1.0 / (d as f32).sqrt();
        let (mut dq, mut dk, mut dv) = (vec![0.0f32; q.len()], vec![0.0f32; k.len()], vec![0.0f32; v.len()]);
        let parts = cut(&mut dq, &self.ragged.queries, width)
            .into_iter()
            .zip(cut(&mut dk, &self.ragged.keys, width))
            .zip(cut(&mut dv, &self.ragged.keys, width));
        let work: Vec<_> = self.ragged.sequences().zip(parts).collect();
        work.into_par_iter().for_each(|((queries, keys), ((dq, dk), dv))| {
            let (nq, nk) = (queries.len(), keys.len());
            for head in 0..self.heads {
                let (qo, ko) = (queries.start * width + head * d, keys.start * width + head * d);
                let h = Head::new(&q[qo..], &k[ko..], &v[ko..], (nq, nk), d, width);
                let d_out = View::new(&grad[qo..], nq, d, width);
                let p = self.probabilities(&h, d, nq, nk);
                let mut dropped = p.clone();
                self.drop(&mut dropped, head, queries.start, nk);
                matmul(
                    &mut dv[head * d..],
                    width,
                    false,
                    1.0,
                    View::new(&dropped, nq, nk, nk).t(),
                    d_out,
                    Threads::One,
                );

                let mut ds = vec![0.0f32; nq * nk];
                matmul(&mut ds, nk, false, 1.0, d_out, h.v.t(), Threads::One);
                self.drop(&mut ds, head, queries.start, nk);
                for (ds, p) in ds.chunks_exact_mut(nk).zip(p.chunks_exact(nk)) {
                    let dot: f32 = ds.iter().zip(p).map(|(a, b)| a * b).sum();
                    ds.iter_mut().zip(p).for_each(|(ds, p)| *ds = p * (*ds - dot));
                }
                let ds = View::new(&ds, nq, nk, nk);
                matmul(&mut dq[head * d..], width, false, scale, ds, h.k, Threads::One);
                matmul(&mut dk[head * d..], width, false, scale, ds.t(), h.q, Threads::One);
            }
        });
        (dq, dk, dv)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    fn offsets(lengths: &[u32]) -> Arc<[u32]> {
        std::iter::once(0)
            .chain(lengths.iter().scan(0, |end, n| {
                *end += n;
                Some(*end)
            }))
            .collect()
    }

    #[test]
    fn fused_equals_reference() -> Result<()> {
        let all: &[u32] = &[12, 1, 7, 64, 3];
        for (queries, keys, heads, d) in [(all, all, 4, 8), (&[1, 1, 1, 1, 1], all, 3, 5), (&[1], &[1], 1, 2)] {
            let (nq, nk) = (queries.iter().sum::<u32>() as usize, keys.iter().sum::<u32>() as usize);
            let ragged = Ragged { queries: offsets(queries), keys: offsets(keys) };
            let q = normal(1, &[nq, heads * d])?;
            let (k, v) = (normal(2, &[nk, heads * d])?, normal(3, &[nk, heads * d])?);
            for p in [0.0, 0.4] {
                let run = |form| attention(&q, &k, &v, &ragged, heads, Dropout::new(1, 2, 3, p, 4), form);
                if nk == 1 {
                    // One key: softmax is 1 whatever q and k are, and their gradients are rounding noise around 0.
                    assert!(difference(&run(Form::Fused)?, &run(Form::Reference)?)? < 1e-6);
                } else {
                    compare(&[&q, &k, &v], 1e-5, &run(Form::Fused)?, &run(Form::Reference)?)?;
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_sequence_sees_only_itself() -> Result<()> {
        let (q, k) = (normal(1, &[9, 8])?, normal(2, &[9, 8])?);
        let alone = |from, n| -> Result<Vec<Vec<f32>>> {
            let part = |x: &Tensor| x.narrow(0, from, n);
            let ragged = Ragged { queries: offsets(&[n as u32]), keys: offsets(&[n as u32]) };
            attention(&part(&q)?, &part(&k)?, &part(&k)?, &ragged, 2, None, Form::Fused)?.to_vec2()
        };
        let ragged = Ragged { queries: offsets(&[4, 5]), keys: offsets(&[4, 5]) };
        let both = attention(&q, &k, &k, &ragged, 2, None, Form::Fused)?.to_vec2::<f32>()?;
        assert_eq!(both, [alone(0, 4)?, alone(4, 5)?].concat());
        Ok(())
    }

    #[test]
    fn each_head_and_query_has_a_dropout_mask_of_its_own() -> Result<()> {
        // All probabilities are 1/16 and key i has the i-th unit vector as its value: the output is the mask.
        let (n, heads) = (16, 2);
        let zeros = Tensor::zeros((n, heads * n), candle_core::DType::F32, &candle_core::Device::Cpu)?;
        let unit = Tensor::eye(n, candle_core::DType::F32, zeros.device())?;
        let values = Tensor::cat(&[&unit, &unit], 1)?;
        let ragged = Ragged { queries: offsets(&[16]), keys: offsets(&[16]) };
        let dropout = Dropout::new(1, 1, 1, 0.5, 0);
        let masks = attention(&zeros, &zeros, &values, &ragged, heads, dropout, Form::Fused)?;
        let masks = masks.reshape((n * heads, n))?.to_vec2::<f32>()?;
        for (i, mask) in masks.iter().enumerate() {
            assert!(mask.iter().all(|v| *v == 0.0 || (*v - 0.125).abs() < 1e-6));
            assert!(!masks[..i].contains(mask), "two of them are alike");
        }
        Ok(())
    }

    #[test]
    fn offsets_that_do_not_fit_are_refused() -> Result<()> {
        let x = normal(1, &[5, 4])?;
        for (queries, keys) in [(&[5], &[4]), (&[4], &[5])] {
            let ragged = Ragged { queries: offsets(queries), keys: offsets(keys) };
            assert!(attention(&x, &x, &x, &ragged, 1, None, Form::Fused).is_err());
        }
        let ragged = Ragged { queries: offsets(&[5, 0]), keys: offsets(&[5, 0]) };
        assert!(attention(&x, &x, &x, &ragged, 1, None, Form::Fused).is_err());
        Ok(())
    }
}
