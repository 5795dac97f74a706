//! What only the CPU's kernels are asked: that no number of threads changes a bit.

use taper::kernels::{Clip, Cpu, Memory, OptimizerOps, Sums};

use crate::kernels::support::{Numbers, buffer};

#[test]
fn squares_are_added_in_one_order() {
    let mut x = Numbers::new(3).normal(200_000);
    // Of very unlike sizes, so that another order shows.
    x.iter_mut().zip((0..30).cycle()).for_each(|(v, i)| *v *= 1.7f32.powi(i));
    let x = buffer(&Cpu::default(), &x);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let mut backend = Cpu::default();
        pool.install(|| backend.add_squares(&x, 0..200_000));
        backend.sums().squares.to_bits()
    };
    let one = run(1);
    assert!([2, 3, 5].map(run).iter().all(|bits| *bits == one));
}

/// torch.nn.utils.clip_grad_norm_: the factor is most / (norm + 1e-6), and never above 1.
#[test]
fn gradients_are_cut_to_a_norm() {
    let sums = Sums { loss: 1.0, squares: 16.0 };
    assert_eq!(Clip::ToNorm(1.0).factor(sums), Some(1.0 / (4.0 + 1e-6)));
    assert_eq!(Clip::ToNorm(9.0).factor(sums), Some(1.0));
    assert_eq!(Clip::ToNorm(0.0).factor(sums), Some(1.0));
    assert_eq!(Clip::By(0.3).factor(sums), Some(0.3));
    assert_eq!(Clip::ToNorm(0.0).factor(Sums { loss: f64::NAN, ..sums }), None);
}
