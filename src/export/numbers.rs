//! What the numbers of an exported model are.

/// What the weights of an exported model are stored as, and with what it is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// float32, as in training.
    Fp32,
    /// float16.
    Fp16,
    /// 8-bit integers in the dense layers of the encoder and in the table of words, float32 elsewhere.
    Int8,
}
