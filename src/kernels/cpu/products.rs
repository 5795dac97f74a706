//! The products of the affine maps, in f32 or in bf16.

use std::collections::HashMap;

use super::{
    super::{Linear, LinearOps},
    Buffer, Cpu, View,
    bf16::{Left, Level, Right, product},
    column_sums,
    matmul::parallel_product,
    packed::Packed,
    store,
};

/// How a weight is used: in bf16 each use has a layout of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Use {
    Forward,
    Input,
}

/// A weight's offset, its rows, its use.
type Key = (usize, usize, Use);

/// Computes products. In bf16, operands are rounded and packed into panels; packed weights are cached until they change.
#[derive(Default)]
pub struct Products {
    /// None: f32.
    level: Option<Level>,
    left: Left,
    right: Right,
    /// Packed weights, and the version of the parameters that they were packed from.
    weights: HashMap<Key, (u64, Right)>,
    version: u64,
    /// The weights of f32 products, packed, by their offset and rows in the parameters of the one model; `None`: each product packs its own.
    kept: Option<HashMap<(usize, usize), Packed>>,
}

impl Products {
    /// With bf16 products.
    pub fn bf16(level: Level) -> Self {
        Self { level: Some(level), ..Self::default() }
    }

    /// Packs the weights of f32 products once, for parameters that do not change from one product to the next.
    pub fn keep_weights(&mut self) {
        self.kept = Some(HashMap::new());
    }

    /// Invalidates the packed weights.
    pub fn parameters_changed(&mut self) {
        self.version += 1;
        self.kept.iter_mut().for_each(HashMap::clear);
    }

    fn level(&self, l: Linear) -> Option<Level> {
        self.level.filter(|_| !l.exact)
    }

    /// out (+)= a · a weight.
    fn by_weight(&mut self, out: &mut [f32], add: bool, a: View, weight: View, key: Key, level: Level) {
        let (version, packed) = self.weights.entry(key).or_default();
        if *version != self.version + 1 {
            packed.pack(weight, level);
            *version = self.version + 1; // 0 marks a new entry
        }
        self.left.pack(a, level);
        product(out, weight.size().1, add, &self.left, packed, level);
    }

    /// y = x·Wᵀ, with the bias added where `biased`.
    pub fn forward(&mut self, y: &mut [f32], x: View, parameters: &[f32], l: Linear, biased: bool) {
        let w = View::new(&parameters[l.weight..], l.out, l.width, l.width);
        let bias = l.bias.filter(|_| biased).map(|at| &parameters[at..][..l.out]);
        let Some(level) = self.level(l) else {
            return match &mut self.kept {
                Some(kept) => {
                    kept.entry((l.weight, l.out)).or_insert_with(|| Packed::transposed(w)).product(y, x, bias)
                }
                None => parallel_product(y, false, x, w.t(), bias),
            };
        };
        self.by_weight(y, false, x, w.t(), (l.weight, l.out, Use::Forward), level);
        if let Some(bias) = bias {
            super::add_bias(y, bias);
        }
    }

    /// dx (+)= dy·W.
    pub fn input(&mut self, dx: &mut [f32], add: bool, dy: View, parameters: &[f32], l: Linear) {
        let w = View::new(&parameters[l.weight..], l.out, l.width, l.width);
        match self.level(l) {
            None => parallel_product(dx, add, dy, w, None),
            Some(level) => self.by_weight(dx, add, dy, w, (l.weight, l.out, Use::Input), level),
        }
    }

    /// dW (+)= dyᵀ·x, db (+)= Σ rows of dy.
    pub fn parameters(&mut self, gradients: &mut [f32], fresh: bool, dy: &[f32], x: &[f32], rows: usize, l: Linear) {
        let dw = &mut gradients[l.weight..][..l.out * l.width];
        let (a, b) = (View::new(dy, rows, l.out, l.out).t(), View::new(x, rows, l.width, l.width));
        match self.level(l) {
            None => parallel_product(dw, !fresh, a, b, None),
            Some(level) => {
                self.left.pack(a, level);
                self.right.pack(b, level);
                product(dw, l.width, !fresh, &self.left, &self.right, level);
            }
        }
        if let Some(bias) = l.bias {
            store(gradients, bias, &column_sums(&dy[..rows * l.out], l.out), fresh);
        }
    }
}

impl LinearOps for Cpu {
    fn linear(&mut self, y: &mut Buffer, x: &Buffer, rows: usize, parameters: &Buffer, l: Linear, biased: bool) {
        let x = View::new(x, rows, l.width, l.width);
        self.products.forward(&mut y[..rows * l.out], x, parameters, l, biased);
    }

    fn linear_input(&mut self, dx: &mut Buffer, add: bool, dy: &Buffer, rows: usize, parameters: &Buffer, l: Linear) {
        let dy = View::new(dy, rows, l.out, l.out);
        self.products.input(&mut dx[..rows * l.width], add, dy, parameters, l);
    }

    fn linear_parameters(
        &mut self,
        gradients: &mut Buffer,
        fresh: bool,
        dy: &Buffer,
        x: &Buffer,
        rows: usize,
        l: Linear,
    ) {
        self.products.parameters(gradients, fresh, dy, x, rows, l);
    }
}
