//! Backends under test: a check is a function of one of them, and each binary says which it runs them for.

use taper::kernels::{Backend, Cpu};

/// A backend, and how well it has to do.
pub trait Tested {
    type Backend: Backend + 'static;
    /// Random cases, where 32 are the rule; the longest sequences of the engine's checks, 512 tokens, are shorter in proportion.
    const CASES: u32 = 32;
    /// What tolerances of float32 arithmetic are multiplied by.
    const ROUNDING: f64 = 1.0;
    /// The tolerance of products, where it is that of their factors.
    const PRODUCTS: Option<f64> = None;

    /// A new one; none where there is none here, which was said.
    fn backend() -> Option<Self::Backend>;
}

impl Tested for Cpu {
    type Backend = Self;

    fn backend() -> Option<Self> {
        Some(Self::default())
    }
}

/// Whether there is such a backend here.
pub fn is_here<T: Tested>() -> bool {
    T::backend().is_some()
}

/// Checks of a room's modules, each as a test for one backend.
macro_rules! tests_of {
    ($name:ident, $tested:ty, $room:ident: $($module:ident { $($check:ident)* })*) => {
        mod $name {
            $(mod $module {
                $(#[test]
                fn $check() {
                    if crate::tested::is_here::<$tested>() {
                        crate::$room::$module::$check::<$tested>();
                    }
                })*
            })*
        }
    };
}
