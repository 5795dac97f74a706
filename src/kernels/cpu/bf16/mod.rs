//! Matrix products of numbers rounded to bf16, summed in f32, on processors with instructions for it.
//!
//! An operand is first rounded and laid out in tiles ([`Left`], [`Right`]), possibly transposed; packed weights serve many products.
//! [`product`] then multiplies tiles: in AMX tile registers, or in vectors with AVX512_BF16, both from the same layout. A [`Level`] is proof
//! that the processor supports it.
//!
//! ```text
//! Left, [m, k]        32 rows = a panel; 32 of k = a step; a step of a panel = two tiles of 16 rows × 32
//! Right, [k, n]       32 columns = a panel; a step = two tiles of 32 × 16 columns, stored as 16 rows of pairs
//! ```
//!
//! Every sum runs over the contraction in one order that depends on its length alone, whatever the number of threads.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod level;
#[cfg_attr(target_arch = "x86_64", path = "x86.rs")]
#[cfg_attr(not(target_arch = "x86_64"), path = "none.rs")]
mod machine;
mod panels;
mod product;
#[cfg(target_arch = "x86_64")]
mod round;
mod shared;
#[cfg(test)]
mod tests;

#[cfg(test)]
use level::levels;
pub use level::{Level, level};
pub use panels::{Left, Right};
pub use product::product;
