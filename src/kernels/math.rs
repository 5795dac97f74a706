//! Elementary functions without branches or library calls, so that loops over them become vector instructions.

/// e^x in f32, within 2 ulp for x in [-87, 88]; clamped outside.
///
/// x = n·ln 2 + r with |r| ≤ ln 2 / 2, a Taylor polynomial of degree 7 in r, and n put into the exponent's bits.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    // Adding and taking away 1.5·2^23 rounds to the nearest integer without a library call.
    const ROUND: f32 = 12_582_912.0;
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    // ln 2 in two parts, the first exact in products with |n| < 2^9 (Cody & Waite 1980).
    let r = (x - n * 0.693_359_4) + n * 2.121_944_4e-4;
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    let p = p * r + 1.0;
    // The rounded number's low bits are n: no conversion, which saturates and would keep loops scalar.
    let exponent = rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127);
    p * f32::from_bits(exponent << 23)
}

/// The error function in f32, within 5e-7 absolute.
///
/// The rational approximation x·P(x²)/Q(x²) on [-4, 4] that Eigen and XLA use; |erf| is 1 in f32 outside.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let z = x * x;
    let p = -2.726_142_3e-10;
    let p = p * z + 2.770_681_4e-8;
    let p = p * z - 2.101_024e-6;
    let p = p * z - 5.692_506_5e-5;
    let p = p * z - 7.349_906e-4;
    let p = p * z - 2.954_6e-3;
    let p = p * z - 1.609_603_4e-2;
    let q = -1.456_607_2e-5;
    let q = q * z - 2.133_740_6e-4;
    let q = q * z - 1.682_827e-3;
    let q = q * z - 7.373_329e-3;
    let q = q * z - 1.426_473_9e-2;
    x * p / q
}

/// The hyperbolic tangent in f32, within 2e-7 absolute.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    // From e^(−2|x|) ≤ 1 nothing overflows; the sign is put back at the end.
    let t = exp(-2.0 * x.abs());
    ((1.0 - t) / (1.0 + t)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_its_bound() {
        let mut worst = 0.0f64;
        for i in 0..400_000 {
            let x = -87.0 + 175.0 * i as f32 / 400_000.0;
            let want = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - want).abs() / want);
        }
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "{worst:e}");
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(-1e30) < 2e-38 && exp(f32::NAN).is_nan());
    }

    #[test]
    fn tanh_is_within_its_bound() {
        let mut worst = 0.0f64;
        for i in -100_000..=100_000 {
            let x = i as f32 / 5_000.0;
            worst = worst.max((f64::from(tanh(x)) - f64::from(x).tanh()).abs());
        }
        assert!(worst < 2e-7, "{worst:e}");
        assert!(tanh(f32::NAN).is_nan() && tanh(1e30) == 1.0 && tanh(-1e30) == -1.0);
    }

    #[test]
    fn erf_is_within_its_bound() {
        let mut worst = 0.0f64;
        for i in -60_000..=60_000 {
            let x = i as f32 / 10_000.0;
            worst = worst.max((f64::from(erf(x)) - candle_core::cpu::erf::erf_f64(f64::from(x))).abs());
        }
        assert!(worst < 5e-7, "{worst:e}");
        assert!(erf(f32::NAN).is_nan());
    }
}
