//! Matrix products as `cublasGemmEx` has them, number by number, summed in float64.

use taper::kernels::cuda::{Factors, Product};

/// A matrix as it is stored: columns of `rows` numbers that begin `ld` numbers apart.
#[derive(Debug, Clone, Copy)]
pub struct Stored {
    pub address: u64,
    rows: usize,
    columns: usize,
    ld: usize,
    size: usize,
}

impl Stored {
    /// From the first number to the last.
    pub fn bytes(&self) -> usize {
        match self.rows * self.columns {
            0 => 0,
            _ => ((self.columns - 1) * self.ld + self.rows) * self.size,
        }
    }

    fn check(&self, what: &str, of: &Product) {
        assert!(self.ld >= self.rows.max(1), "cuBLAS refuses {what}, whose columns overlap: {of:?}");
        assert!(
            self.address.is_multiple_of(self.size as u64),
            "{what} is not at a multiple of its numbers' size: {of:?}"
        );
        let most = i32::MAX as usize;
        assert!(self.rows.max(self.columns).max(self.ld) <= most, "{what} is beyond cuBLAS's 32-bit numbers: {of:?}");
    }

    fn meets(&self, other: &Self) -> bool {
        let range = |s: &Self| s.address..s.address + s.bytes() as u64;
        let (a, b) = (range(self), range(other));
        a.start < b.end && b.start < a.end
    }
}

/// A, B and C as they are stored. Panics where cuBLAS would refuse them, or would give anything.
#[track_caller]
pub fn stored(p: &Product) -> [Stored; 3] {
    let size = if p.factors == Factors::Bf16 { 2 } else { 4 };
    let stored = |(address, ld), transposed, rows, columns, size| {
        let (rows, columns) = if transposed { (columns, rows) } else { (rows, columns) };
        Stored { address, rows, columns, ld, size }
    };
    let a = stored(p.a, p.transposed.0, p.m, p.k, size);
    let b = stored(p.b, p.transposed.1, p.k, p.n, size);
    let c = stored(p.c, false, p.m, p.n, 4);
    [(a, "A"), (b, "B"), (c, "C")].iter().for_each(|(of, what)| of.check(what, p));
    assert!(!c.meets(&a) && !c.meets(&b), "a product overwrites its factors: {p:?}");
    [a, b, c]
}

/// op(X) as rows of `k` numbers, `rows` of them; `across` where these lie in the columns of what is stored.
fn rows(bytes: &[u8], of: Stored, factors: Factors, across: bool) -> Vec<f32> {
    let number = |i: usize| match factors {
        Factors::Bf16 => f32::from_bits(u32::from(u16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]])) << 16),
        Factors::F32 | Factors::Tf32 => {
            let x = f32::from_le_bytes(bytes[4 * i..4 * i + 4].try_into().expect("four bytes"));
            if factors == Factors::Tf32 { tf32(x) } else { x }
        }
    };
    let (lines, line) = if across { (of.columns, of.rows) } else { (of.rows, of.columns) };
    let at = |i: usize, j: usize| if across { i * of.ld + j } else { j * of.ld + i };
    (0..lines).flat_map(|i| (0..line).map(move |j| (i, j))).map(|(i, j)| number(at(i, j))).collect()
}

/// Rounded to ten bits of the fraction, the nearest.
fn tf32(x: f32) -> f32 {
    if x.is_finite() { f32::from_bits((x.to_bits() + 0x1000) & !0x1fff) } else { x }
}

/// C ← op(A)·op(B) + β·C of the bytes of each.
pub fn multiply(p: &Product, [a_as, b_as, c_as]: [Stored; 3], a: &[u8], b: &[u8], c: &mut [u8]) {
    let a = rows(a, a_as, p.factors, p.transposed.0);
    let b = rows(b, b_as, p.factors, !p.transposed.1);
    for j in 0..p.n {
        for i in 0..p.m {
            let sum = dot(&a[i * p.k..][..p.k], &b[j * p.k..][..p.k]);
            let at = 4 * (j * c_as.ld + i);
            let number = &mut c[at..at + 4];
            let before = f32::from_le_bytes(number.try_into().expect("four bytes"));
            // With β = 0 nothing is read, not even a NaN.
            let sum = if p.beta == 0.0 { sum } else { sum + f64::from(p.beta) * f64::from(before) };
            number.copy_from_slice(&(sum as f32).to_le_bytes());
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut lanes = [0.0f64; 4];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    for (a, b) in a.iter().zip(b) {
        lanes.iter_mut().zip(a).zip(b).for_each(|((lane, a), b)| *lane += f64::from(*a) * f64::from(*b));
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
    lanes.iter().sum::<f64>() + rest
}
