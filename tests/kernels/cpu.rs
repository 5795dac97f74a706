//! What only the CPU's kernels are asked: that no number of threads changes a bit.

use taper::kernels::{Clip, Cpu, Linear, LinearOps, Memory, OptimizerOps, Sums};

use crate::kernels::support::{Numbers, buffer};

/// Two maps of one offset and other rows, as the queries of a layer are a part of its queries, keys and values; then other parameters.
#[test]
fn packed_weights_are_those_of_the_parameters() {
    let (rows, out, width) = (9, 40, 33);
    let mut random = Numbers::new(5);
    let (mut plain, mut packed) = (Cpu::default(), Cpu::default().for_predictions());
    let x = buffer(&plain, &random.normal(rows * width));
    for _ in 0..2 {
        let parameters = buffer(&plain, &random.normal(out * width + out));
        packed.parameters_written();
        for (out, biased) in [(out, true), (7, true), (out, false), (7, true)] {
            let map = Linear { weight: 0, bias: Some(40 * width), out, width, exact: false };
            let [want, got] = [&mut plain, &mut packed].map(|backend| {
                let mut y = backend.zeros(rows * out);
                backend.linear(&mut y, &x, rows, &parameters, map, biased);
                backend.read(&y, 0..rows * out).into_owned()
            });
            let most = want.iter().zip(&got).map(|(want, got)| (want - got).abs()).fold(0.0, f32::max);
            assert!(most < 1e-5 && want.iter().any(|v| *v != 0.0), "{out} rows differ by {most}");
        }
    }
}

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
