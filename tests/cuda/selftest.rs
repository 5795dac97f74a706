//! The emulator itself: that it runs kernels rightly, and that it finds what is wrong with them.

use taper::kernels::cuda::{DeviceError, Driver, Factors, Product};

use crate::{
    compiled,
    emulated::{Counts, Emulated, Order},
};

const ORDERS: [Order; 4] = [Order::Forward, Order::Backward, Order::Shuffled(1), Order::Shuffled(2)];

fn devices() -> Vec<Emulated> {
    let Some(library) = compiled::selftest() else {
        eprintln!("skipped: no C++ compiler");
        return Vec::new();
    };
    ORDERS.into_iter().map(|order| Emulated::of(library).in_order(order)).collect()
}

/// `Line` of selftest.cu.
fn line(x: u64, n: u32, what: u32) -> Vec<u8> {
    [&x.to_le_bytes()[..], &n.to_le_bytes(), &what.to_le_bytes()].concat()
}

fn floats(device: &Emulated, x: u64, n: usize) -> Vec<f32> {
    let mut bytes = vec![0; 4 * n];
    device.download(x, &mut bytes).expect("bytes");
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("four"))).collect()
}

fn memory(device: &Emulated, values: &[f32]) -> u64 {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let x = device.allocate(bytes.len()).expect("memory");
    device.upload(x, &bytes).expect("values");
    x
}

/// What a panic of `run` says.
fn panic_of(run: impl FnOnce()) -> String {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).expect_err("a panic");
    panic.downcast::<String>().map_or_else(|_| "no words".into(), |words| *words)
}

#[test]
fn threads_meet_at_barriers_and_shuffles() {
    for device in devices() {
        let x = device.allocate(12).expect("memory");
        device.launch("block_sums", [3, 1], 256, &line(x, 0, 0)).expect("a launch");
        assert_eq!(floats(&device, x, 3), [32_640.0, 288_640.0, 544_640.0]);
        for mask in [1, 2, 19, 31] {
            let x = device.allocate(64 * 8).expect("memory");
            device.launch("exchange", [1, 1], 64, &line(x, 0, mask)).expect("a launch");
            let mut bytes = [0; 64 * 8];
            device.download(x, &mut bytes).expect("bytes");
            for (lane, got) in (0..64u32).zip(bytes.chunks_exact(8)) {
                let other = f64::from(lane ^ mask);
                let want = other + 1000.0 * (other + 0.25) + 1e6 * (other + 0.5);
                assert_eq!(f64::from_le_bytes(got.try_into().expect("eight")), want, "lane {lane} ^ {mask}");
            }
        }
    }
}

#[test]
fn blocks_know_their_numbers() {
    for device in devices() {
        let x = device.allocate(4 * 35).expect("memory");
        device.launch("numbers", [7, 5], 33, &line(x, 0, 0)).expect("a launch");
        let got: Vec<u32> = floats(&device, x, 35).iter().map(|v| v.to_bits()).collect();
        assert_eq!(got, (0..35).map(|i| i % 7 + 100 * (i / 7) + 330_000).collect::<Vec<_>>());
    }
}

/// A warp reads what another warp writes in the same interval: the result depends on the order.
#[test]
fn a_missing_barrier_shows_under_another_order() {
    let sums = devices().into_iter().map(|device| {
        let x = device.allocate(4).expect("memory");
        device.launch("block_sums", [1, 1], 256, &line(x, 0, 1)).expect("a launch");
        floats(&device, x, 1)[0]
    });
    let sums: Vec<f32> = sums.collect();
    assert!(sums.is_empty() || (sums[0].is_nan() && sums[1] == 32_640.0), "{sums:?}");
}

#[test]
fn threads_that_never_meet_are_reported() {
    let wanted = ["thread 40 has ended", "waits at a barrier", "thread 5 has ended", "thread 7 has ended"];
    for device in devices() {
        for (what, wanted) in (0..).zip(wanted) {
            let error = device.try_launch("divergent", [2, 1], 64, &line(0, 0, what)).expect_err("an error");
            assert!(error.contains("kernel divergent") && error.contains(wanted), "{error}");
            // What they were in the middle of does not come back.
            let x = device.allocate(4).expect("memory");
            device.launch("block_sums", [1, 1], 64, &line(x, 0, 0)).expect("a launch");
            assert_eq!(floats(&device, x, 1), [63.0 * 32.0]);
        }
        let x = device.allocate(64 * 8).expect("memory");
        let error = device.try_launch("exchange", [1, 1], 40, &line(x, 0, 1)).expect_err("an error");
        assert!(error.contains("fewer than 32"), "{error}");
    }
}

#[test]
fn memory_begins_as_nothing_and_is_guarded() {
    for device in devices() {
        let x = device.allocate(4 * 10).expect("memory");
        assert!(x.is_multiple_of(256) && floats(&device, x, 10).iter().all(|v| v.is_nan()));
        device.launch("writes", [1, 1], 32, &line(x, 10, 0)).expect("a launch");
        assert_eq!(floats(&device, x, 10), (0..10).map(|i| i as f32).collect::<Vec<_>>());
        device.launch("writes", [1, 1], 32, &line(x, 1, 2)).expect("a launch");
        assert!(floats(&device, x, 1)[0].is_nan(), "shared memory begins as nothing");
        let error = device.try_launch("writes", [1, 1], 32, &line(x, 1, 1)).expect_err("an error");
        assert!(error.contains("past the end of its shared array 1, of 12 bytes"), "{error}");

        let said = panic_of(|| device.launch("writes", [1, 1], 32, &line(x, 11, 0)).expect("a launch"));
        assert!(said.contains("kernel writes wrote outside of an allocation of 40 bytes, at byte 40"), "{said}");
    }
    for device in devices() {
        let x = memory(&device, &[1.0; 10]);
        let said = panic_of(|| device.launch("writes", [1, 1], 32, &line(x - 4, 1, 0)).expect("a launch"));
        assert!(said.contains("at byte -4"), "{said}");
        let said = panic_of(|| device.upload(x + 4, &[0; 40]).expect("an upload"));
        assert!(said.contains("not within an allocation"), "{said}");
    }
}

#[test]
fn wrong_launches_are_refused() {
    for device in devices() {
        let refused = [
            ("nothing", [1, 1], 32, line(0, 0, 0), "no kernel nothing"),
            ("numbers", [1, 1], 32, vec![0; 8], "its parameters are 16 bytes, 8 came"),
            ("numbers", [0, 1], 32, line(0, 0, 0), "no device takes"),
            ("numbers", [1, 70_000], 32, line(0, 0, 0), "no device takes"),
            ("numbers", [1, 1], 512, line(0, 0, 0), "too many"),
        ];
        for (kernel, grid, block, params, wanted) in refused {
            let error = device.try_launch(kernel, grid, block, &params).expect_err("an error");
            assert!(error.contains(wanted), "{error}");
        }
    }
}

#[test]
fn what_is_done_is_counted_and_memory_ends() {
    let Some(device) = devices().pop().map(|device| device.with_memory(100)) else { return };
    let x = device.allocate(40).expect("memory");
    device.clear(x, 40).expect("zeros");
    assert_eq!(floats(&device, x, 10), [0.0; 10]);
    let error = device.allocate(61).expect_err("no memory");
    assert!(matches!(error, DeviceError::OutOfMemory { needed: 61, free: 60, total: 100, .. }), "{error}");
    device.free(x);
    assert_eq!(device.used(), 0);
    let x = device.allocate(100).expect("memory");
    // A copy is of what was there when it began.
    device.clear(x, 8).expect("zeros");
    let copy = device.begin_download(x, 4).expect("a copy");
    assert_eq!(device.arrived(&copy, false), Ok(None));
    device.launch("writes", [1, 1], 32, &line(x + 4, 2, 0)).expect("a launch");
    device.upload(x, &[7; 4]).expect("an upload");
    assert_eq!(device.arrived(&copy, false), Ok(Some(vec![0; 4])));
    assert_eq!(device.arrived(&copy, true), Ok(Some(vec![0; 4])));
    let counts = Counts { launches: 1, products: 0, uploads: 1, clears: 2, allocations: 3, downloads: 1, begun: 1 };
    assert_eq!(device.take_counts(), counts);
    assert_eq!(device.take_counts(), Counts::default());
}

/// Against sums written out: every combination of transposed factors, with room between columns.
#[test]
fn products_are_those_of_cublas() {
    let Some(device) = devices().pop() else { return };
    let (m, n, k) = (3, 2, 4);
    let number = |i: usize, j: usize| ((i * 7 + j * 5) % 11) as f32 - 4.0;
    let (a, b) = (|i, p| number(i, p), |p, j| number(p + 3, j + 1));
    for (transposed, beta) in
        [(false, false), (true, false), (false, true), (true, true)].into_iter().zip([0.0, 1.0, 0.0, 1.0])
    {
        // Column by column with two numbers, NaNs, between.
        let stored = |rows: usize, columns: usize, of: &dyn Fn(usize, usize) -> f32| {
            let column = |j: usize| (0..rows).map(move |i| of(i, j)).chain([f32::NAN; 2]);
            (0..columns).flat_map(column).collect::<Vec<f32>>()
        };
        let a_stored = if transposed.0 { stored(k, m, &|i, j| a(j, i)) } else { stored(m, k, &a) };
        let b_stored = if transposed.1 { stored(n, k, &|i, j| b(j, i)) } else { stored(k, n, &b) };
        let lds = (if transposed.0 { k } else { m } + 2, if transposed.1 { n } else { k } + 2);
        let c_before = stored(m, n, &|_, _| if beta == 0.0 { f32::NAN } else { 0.5 });
        let [a_at, b_at, c_at] = [&a_stored, &b_stored, &c_before].map(|values| memory(&device, values));
        let product = Product {
            transposed,
            m,
            n,
            k,
            a: (a_at, lds.0),
            b: (b_at, lds.1),
            beta,
            c: (c_at, m + 2),
            factors: Factors::F32,
        };
        device.product(&product).expect("a product");
        let sum = |i, j| (0..k).map(|p| a(i, p) * b(p, j)).sum::<f32>() + 0.5 * beta;
        let (got, want) = (floats(&device, c_at, c_before.len()), stored(m, n, &sum));
        assert!(
            got.iter().zip(&want).all(|(got, want)| got == want || (got.is_nan() && want.is_nan())),
            "{got:?} {want:?}"
        );

        let overlapping = Product { b: (b_at, lds.1 - 3), ..product };
        assert!(panic_of(|| drop(device.product(&overlapping))).contains("cuBLAS refuses B"));
        let odd = Product { a: (a_at + 2, lds.0), ..product };
        assert!(panic_of(|| drop(device.product(&odd))).contains("A is not at a multiple"));
        let own = Product { c: (a_at, m + 2), ..product };
        assert!(panic_of(|| drop(device.product(&own))).contains("overwrites its factors"));
    }
}

#[test]
fn lower_precisions_round_the_factors() {
    let Some(device) = devices().pop() else { return };
    let product = |factors, a: (u64, usize), b: (u64, usize)| {
        let c = device.allocate(4).expect("memory");
        let of = Product { transposed: (true, false), m: 1, n: 1, k: 1, a, b, beta: 0.0, c: (c, 1), factors };
        device.product(&of).expect("a product");
        floats(&device, c, 1)[0]
    };
    let fine = 1.0 + f32::EPSILON * 4096.0 + f32::EPSILON * 1024.0;
    let (a, one) = (memory(&device, &[fine]), memory(&device, &[1.0]));
    assert_eq!(product(Factors::F32, (a, 1), (one, 1)), fine);
    assert_eq!(product(Factors::Tf32, (a, 1), (one, 1)), 1.0 + f32::EPSILON * 8192.0);
    let half = device.allocate(4).expect("memory");
    device.upload(half, &[0x20, 0x40, 0x80, 0xbf]).expect("2.5 and -1");
    assert_eq!(product(Factors::Bf16, (half, 1), (half + 2, 1)), -2.5);
}
