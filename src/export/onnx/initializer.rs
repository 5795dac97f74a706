//! Constants of a graph, whose numbers are produced when they are written, so that there is no second copy of all weights.

use half::f16;

use super::proto::DataType;
use crate::execute::ExecuteError;

/// Produces the numbers of a constant as a file holds them: little-endian.
pub type Produce<'a> = Box<dyn Fn() -> Result<Vec<u8>, ExecuteError> + 'a>;

/// A constant.
pub struct Initializer<'a> {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// What its numbers are.
    pub data_type: DataType,
    /// Produces as many of them as its shape says.
    pub numbers: Produce<'a>,
}

impl Initializer<'_> {
    /// Bytes of its numbers.
    pub fn bytes(&self) -> u64 {
        self.shape.iter().product::<usize>() as u64 * self.data_type.bytes()
    }
}

/// Numbers as float32.
pub fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Numbers as float16, each rounded to the nearest.
///
/// # Errors
/// A number is too large; `name` is that of the tensor.
pub fn f16_bytes(name: &str, values: &[f32]) -> Result<Vec<u8>, ExecuteError> {
    let is_too_large = |v: &&f32| !f16::from_f32(**v).is_finite();
    match values.iter().find(is_too_large) {
        Some(v) => Err(ExecuteError::Setting(format!(
            "--dtype fp16: {name} contains {v}, but the largest float16 number is {}; use --dtype fp32",
            f16::MAX
        ))),
        None => Ok(values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect()),
    }
}

/// Numbers as 64-bit integers.
pub fn i64_bytes(values: &[i64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// The transpose of a matrix of `columns` columns.
pub fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    let rows = values.len() / columns.max(1);
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

/// The scale of each row of a matrix of `columns` columns, with which its numbers are integers of up to 127; 1 for rows of zeros.
pub fn scales(values: &[f32], columns: usize) -> Vec<f32> {
    let scale = |row: &[f32]| match row.iter().fold(0.0f32, |most, v| most.max(v.abs())) / 127.0 {
        scale if scale > 0.0 => scale,
        _ => 1.0,
    };
    values.chunks_exact(columns).map(scale).collect()
}

/// The numbers of a matrix of `columns` columns divided by the scales of their rows, rounded to the nearest integer.
pub fn quantized(values: &[f32], columns: usize) -> Vec<f32> {
    let rows = values.chunks_exact(columns).zip(scales(values, columns));
    rows.flat_map(|(row, scale)| row.iter().map(move |v| (v / scale).round_ties_even().clamp(-127.0, 127.0))).collect()
}

/// Integers of up to 127 as 8-bit integers.
pub fn i8_bytes(integers: &[f32]) -> Vec<u8> {
    integers.iter().map(|v| (*v as i8).cast_unsigned()).collect()
}
