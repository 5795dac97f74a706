//! Rotary positions.

use super::Memory;

/// Arguments of [`RotationOps::rotate`].
#[derive(Debug)]
pub struct Rotation<'a, B, T> {
    /// The rows, `[tokens, stride]`, of which the first `heads` heads are rotated.
    pub x: &'a mut B,
    /// Cosines, then sines of each position's angles, `[positions, head_width]`: a half of a row each.
    pub angles: &'a B,
    /// The tokens; their positions are rows of `angles`.
    pub batch: &'a T,
    /// Values of a row.
    pub stride: usize,
    /// Heads that are rotated: those of the queries and of the keys, which are side by side, or of the keys alone.
    pub heads: usize,
    /// Values of a head: an even number.
    pub head_width: usize,
    /// Whether rows are rotated back: the backward pass, since a rotation's transpose is its inverse.
    pub back: bool,
}

/// Rotary position embeddings (Su et al. 2021) in the form of GPT-NeoX and transformers: a head's value i and its value
/// i + `head_width` / 2 are a point that is turned by its angle.
pub trait RotationOps: Memory {
    /// Rotates rows in place: (a, b) ← (a·cos − b·sin, b·cos + a·sin); with `back` the angle's sign is the other.
    fn rotate(&mut self, args: Rotation<Self::Buffer, Self::Batch>);
}
