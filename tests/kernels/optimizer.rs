//! AdamW, dense and for rows of a table, and the squares of the norm, against the formula in float64.

use proptest::prelude::*;
use taper::kernels::{AdamW, Clip, Moments, Table};

use super::support::*;

fn updates() -> impl Strategy<Value = AdamW> {
    let betas = ((0.0..0.95f32, 0.5..0.9999f32), 0.01..1.0f64);
    (betas, 0.9..=1.0f32, 0.001..0.2f32, 1.0..30.0f32, prop_oneof![Just(1e-8f32), Just(0.1)]).prop_map(
        |((betas, clip), decay_factor, step_size, rsqrt_correction2, eps)| AdamW {
            betas,
            one_minus_betas: (1.0 - f64::from(betas.0), 1.0 - f64::from(betas.1)),
            clip: Clip::By(clip),
            decay_factor,
            step_size,
            rsqrt_correction2,
            eps,
        },
    )
}

/// m ← β₁·m + g₁·g, v ← β₂·v + g₂·g², p ← decay_factor·p − step_size·m / (√v·rsqrt_correction2 + eps); all three after the update.
fn updated(p: f32, m: f32, v: f32, g: f32, u: &AdamW) -> [f64; 3] {
    let [p, m, v, g] = [p, m, v, g].map(f64::from);
    let Clip::By(clip) = u.clip else { panic!("a factor") };
    let m = f64::from(u.betas.0) * m + u.one_minus_betas.0 * clip * g;
    let v = f64::from(u.betas.1) * v + u.one_minus_betas.1 * (clip * g).powi(2);
    [
        f64::from(u.decay_factor) * p
            - f64::from(u.step_size) * m / (v.sqrt() * f64::from(u.rsqrt_correction2) + f64::from(u.eps)),
        m,
        v,
    ]
}

/// Values, first and second moments.
fn moments(random: &mut Numbers, n: usize) -> [Vec<f32>; 3] {
    let second = random.normal(n).iter().map(|v| v * v).collect();
    [random.normal(n), random.normal(n), second]
}

pub fn adamw_of_a_range<T: Tested>() {
    let update = AdamW {
        betas: (0.9, 0.999),
        one_minus_betas: (0.1, 0.001),
        clip: Clip::By(1.0),
        decay_factor: 0.99,
        step_size: 0.01,
        rsqrt_correction2: 3.0,
        eps: 1e-6,
    };
    let edges = [(0, 1, update), (5, 33_000, update)];
    for_all::<T, _>(edges, (0..100usize, 1..3000usize, updates()), |backend, (from, n, update)| {
        let mut random = Numbers::new(n as u64);
        let len = from + n + 50;
        let before = moments(&mut random, len);
        let mut gradients = random.normal(len);
        // Of a parameter that nothing has reached yet.
        gradients[from] = 0.0;
        let [mut p, mut m, mut v] = before.each_ref().map(|b| buffer(backend, b));
        let [before_p, before_m, mut before_v] = before;
        (before_v[from], gradients[from]) = (0.0, 0.0);
        backend.write(&mut v, from, &[0.0]);
        let parts = Moments { values: &mut p, first: &mut m, second: &mut v };
        backend.adamw(parts, &buffer(backend, &gradients), from..from + n, update);
        let got = [&p, &m, &v].map(|b| values(backend, b, len));
        let mut want = [&before_p, &before_m, &before_v].map(|b| wide(b));
        for i in from..from + n {
            let new = updated(before_p[i], before_m[i], before_v[i], gradients[i], &update);
            want.iter_mut().zip(new).for_each(|(want, new)| want[i] = new);
        }
        compare(&got, &want);
    });
}

/// Number by number: parameters differ by eight orders of magnitude where a second moment is small.
#[track_caller]
fn compare(got: &[Vec<f32>; 3], want: &[Vec<f64>; 3]) {
    for (what, (got, want)) in ["values", "first moments", "second moments"].iter().zip(got.iter().zip(want)) {
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            let error = (f64::from(*got) - want).abs();
            assert!(error <= 1e-6 * want.abs().max(1.0), "{what}: number {i} is {got}, wanted {want}");
        }
    }
}

pub fn adamw_of_rows<T: Tested>() {
    let update = AdamW {
        betas: (0.9, 0.999),
        one_minus_betas: (0.1, 0.001),
        clip: Clip::By(1.0),
        decay_factor: 0.99,
        step_size: 0.01,
        rsqrt_correction2: 3.0,
        eps: 1e-6,
    };
    let edges = [(1, 1, 0, update), (700, 20, 9, update)];
    for_all::<T, _>(
        edges,
        (1..100usize, 1..40usize, 0..50usize, updates()),
        |backend, (rows, width, table, update)| {
            let mut random = Numbers::new(rows as u64);
            let len = table + rows * width;
            let before = moments(&mut random, len);
            // A third is left alone, a third has no gradient in this step, of the rest the gradients lie in any order.
            let kinds: Vec<usize> = (0..rows).map(|_| random.below(3)).collect();
            let with = kinds.iter().filter(|kind| **kind == 2).count() as u32;
            let gradients = random.normal(with as usize * width);
            let mut next = with;
            let updated_rows = (0..).zip(&kinds).filter(|(_, kind)| **kind > 0).map(|(row, kind)| {
                next -= u32::from(*kind == 2);
                (row, (*kind == 2).then_some(next))
            });
            let updated_rows: Vec<(u32, Option<u32>)> = updated_rows.collect();
            let [mut p, mut m, mut v] = before.each_ref().map(|b| buffer(backend, b));
            let parts = Moments { values: &mut p, first: &mut m, second: &mut v };
            backend.adamw_rows(
                parts,
                &buffer(backend, &gradients),
                Table { offset: table, rows, width },
                &updated_rows,
                update,
            );
            let got = [&p, &m, &v].map(|b| values(backend, b, len));
            let mut want = before.each_ref().map(|b| wide(b));
            for (row, gradient) in updated_rows {
                for i in 0..width {
                    let at = table + row as usize * width + i;
                    let g = gradient.map_or(0.0, |row| gradients[row as usize * width + i]);
                    let new = updated(before[0][at], before[1][at], before[2][at], g, &update);
                    want.iter_mut().zip(new).for_each(|(want, new)| want[at] = new);
                }
            }
            compare(&got, &want);
        },
    );
}

pub fn rows_of_a_table_are_multiplied<T: Tested>() {
    for_all::<T, _>([], (1..40usize, 1..40usize, 0..20usize, 0.0..2.0f32), |backend, (rows, width, table, by)| {
        let mut random = Numbers::new(rows as u64);
        let mut want = random.normal(table + rows * width);
        let mut got = buffer(backend, &want);
        let chosen: Vec<u32> = (0..rows as u32).filter(|_| random.below(2) == 0).collect();
        backend.scale_rows(&mut got, Table { offset: table, rows, width }, &chosen, by);
        for row in chosen {
            want[table + row as usize * width..][..width].iter_mut().for_each(|v| *v *= by);
        }
        assert_eq!(values(backend, &got, want.len()), want);
    });
}

pub fn squares_of_a_range<T: Tested>() {
    for_all::<T, _>([(0, 1), (3, 33_000)], (0..50usize, 0..5000usize), |backend, (from, n)| {
        let mut x = Numbers::new(n as u64).normal(from + n + 9);
        // Squares that f32 cannot hold.
        x.iter_mut().step_by(5).for_each(|v| *v *= 1e25);
        backend.begin_step();
        backend.add_squares(&buffer(backend, &x), from..from + n);
        let got = backend.sums().squares;
        let want: f64 = x[from..from + n].iter().map(|v| f64::from(*v).powi(2)).sum();
        assert!((got - want).abs() <= 1e-13 * want, "{got}, wanted {want}");
    });
}

pub fn a_step_that_is_not_finite_changes_nothing<T: Tested>() {
    let update = AdamW {
        betas: (0.9, 0.999),
        one_minus_betas: (0.1, 0.001),
        clip: Clip::ToNorm(1.0),
        decay_factor: 0.99,
        step_size: 0.01,
        rsqrt_correction2: 3.0,
        eps: 1e-6,
    };
    for bad in [f32::NAN, f32::INFINITY, 1.0] {
        with::<T>(|backend| {
            let n = 40;
            let gradients = buffer(backend, &[&[bad][..], &[2.0; 39]].concat());
            let before = moments(&mut Numbers::new(3), n);
            let [mut p, mut m, mut v] = before.each_ref().map(|b| buffer(backend, b));
            backend.begin_step();
            backend.add_squares(&gradients, 0..n);
            backend.adamw(Moments { values: &mut p, first: &mut m, second: &mut v }, &gradients, 0..n, update);
            let rows: Vec<_> = (0..4).map(|row| (row, Some(row))).collect();
            backend.adamw_rows(
                Moments { values: &mut p, first: &mut m, second: &mut v },
                &gradients,
                Table { offset: 0, rows: 4, width: 10 },
                &rows,
                update,
            );
            assert_eq!([&p, &m, &v].map(|b| values(backend, b, n)) == before, bad != 1.0, "{bad}");
        });
    }
}
