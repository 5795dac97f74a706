//! Reads stored numbers as f32.

use std::io::{self, Read, Seek, SeekFrom};

use half::{bf16, f16, slice::HalfFloatSliceExt};

/// Bytes that are converted at a time.
const CHUNK: usize = 1 << 20;

/// Type of a tensor's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dtype {
    F64,
    F32,
    F16,
    Bf16,
    /// Integers and other types that hold no weights: the name, and the bytes of one number.
    Other(&'static str, u64),
}

impl Dtype {
    /// Bytes of a number.
    pub fn bytes(self) -> u64 {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Other(_, bytes) => bytes,
        }
    }

    /// Whether its numbers are read as weights.
    pub fn is_weight(self) -> bool {
        !matches!(self, Self::Other(..))
    }
}

/// The location of a tensor's numbers in a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    /// Numbers between consecutive indices of each dimension; `None` if they are contiguous in the shape's order.
    pub strides: Option<Vec<usize>>,
    /// Offset of the first number in the file, in bytes.
    pub first: u64,
}

impl Stored {
    /// A tensor within a storage: `offset` numbers after its start at byte `start`; the storage holds `numbers`
    /// numbers.
    pub fn within(
        dtype: Dtype,
        shape: Vec<usize>,
        strides: Vec<usize>,
        offset: u64,
        start: u64,
        numbers: u64,
    ) -> Result<Self, String> {
        if shape.len() != strides.len() {
            return Err(format!("{} strides for {} dimensions", strides.len(), shape.len()));
        }
        let outside = || {
            format!("shape {shape:?} with strides {strides:?} from {offset} reaches beyond its storage of {numbers}")
        };
        let span = span(&shape, &strides).and_then(|span| u64::try_from(span).ok()).ok_or_else(outside)?;
        if offset.checked_add(span).is_none_or(|end| end > numbers) {
            return Err(outside());
        }
        let first = offset.checked_mul(dtype.bytes()).and_then(|bytes| bytes.checked_add(start)).ok_or_else(outside)?;
        let dense = dense_strides(&shape);
        let follows = (0..shape.len()).all(|i| shape[i] == 1 || strides[i] == dense[i]) || shape.contains(&0);
        Ok(Self { dtype, strides: (!follows).then_some(strides), shape, first })
    }

    /// The number of its values; the shape was checked when it was read.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Its numbers.
    pub fn read(&self, file: &mut (impl Read + Seek)) -> io::Result<Vec<f32>> {
        file.seek(SeekFrom::Start(self.first))?;
        let Some(strides) = &self.strides else { return read(file, self.dtype, self.count()) };
        let span = span(&self.shape, strides).unwrap_or(0);
        Ok(gather(&read(file, self.dtype, span)?, &self.shape, strides))
    }
}

/// Numbers from a tensor's first to its last one, as stored; `None` if that overflows.
fn span(shape: &[usize], strides: &[usize]) -> Option<usize> {
    // The product too: with a stride of 0 a few numbers make a large tensor.
    shape.iter().try_fold(1usize, |n, size| n.checked_mul(*size))?;
    if shape.contains(&0) {
        return Some(0);
    }
    shape
        .iter()
        .zip(strides)
        .try_fold(1usize, |span, (size, stride)| span.checked_add((size - 1).checked_mul(*stride)?))
}

/// Strides of contiguous numbers.
fn dense_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i].saturating_mul(shape[i]);
    }
    strides
}

/// The numbers in the shape's order.
fn gather(values: &[f32], shape: &[usize], strides: &[usize]) -> Vec<f32> {
    let mut out = Vec::with_capacity(shape.iter().product());
    let mut index = vec![0usize; shape.len()];
    let mut at = 0;
    loop {
        out.push(values[at]);
        let mut dimension = shape.len();
        loop {
            if dimension == 0 {
                return out;
            }
            dimension -= 1;
            index[dimension] += 1;
            at += strides[dimension];
            if index[dimension] < shape[dimension] {
                break;
            }
            at -= strides[dimension] * shape[dimension];
            index[dimension] = 0;
        }
    }
}

/// The next `count` numbers.
fn read(file: &mut impl Read, dtype: Dtype, count: usize) -> io::Result<Vec<f32>> {
    let mut values = vec![0f32; count];
    if dtype == Dtype::F32 && cfg!(target_endian = "little") {
        file.read_exact(bytemuck::cast_slice_mut(&mut values))?;
        return Ok(values);
    }
    let width = dtype.bytes() as usize;
    let mut bytes = vec![0u8; CHUNK.min(count * width)];
    let mut halves = Vec::new();
    for part in values.chunks_mut(CHUNK / width) {
        let bytes = &mut bytes[..part.len() * width];
        file.read_exact(bytes)?;
        halves.clear();
        match dtype {
            Dtype::F32 => {
                part.iter_mut().zip(bytes.as_chunks().0).for_each(|(v, b)| *v = f32::from_le_bytes(*b));
            }
            // A number too large for float32 becomes infinite, and is reported as such.
            Dtype::F64 => {
                part.iter_mut().zip(bytes.as_chunks().0).for_each(|(v, b)| *v = f64::from_le_bytes(*b) as f32);
            }
            Dtype::F16 => {
                halves.extend(bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b)));
                halves.convert_to_f32_slice(part);
            }
            Dtype::Bf16 => {
                part.iter_mut().zip(bytes.as_chunks().0).for_each(|(v, b)| *v = bf16::from_le_bytes(*b).to_f32());
            }
            Dtype::Other(name, _) => return Err(io::Error::other(format!("{name} holds no weights"))),
        }
    }
    Ok(values)
}

/// How many of the values are NaN or infinite.
pub(in crate::model) fn not_finite(values: &[f32]) -> usize {
    const EXPONENT: u32 = 0x7f80_0000;
    values.iter().filter(|value| value.to_bits() & EXPONENT == EXPONENT).count()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn stored(dtype: Dtype, shape: &[usize], strides: &[usize], offset: u64, numbers: u64) -> Result<Stored, String> {
        Stored::within(dtype, shape.to_vec(), strides.to_vec(), offset, 0, numbers)
    }

    #[test]
    fn each_type_is_read_as_float32() {
        let numbers = [0.0f32, 1.5, -2.0, 1024.0, -0.25, 3.0];
        let of = |dtype, bytes: Vec<u8>| stored(dtype, &[2, 3], &[3, 1], 0, 6).unwrap().read(&mut Cursor::new(bytes));
        let f32s = numbers.iter().flat_map(|v| v.to_le_bytes()).collect();
        let f64s = numbers.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect();
        let f16s = numbers.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect();
        let bf16s = numbers.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect();
        for (dtype, bytes) in [(Dtype::F32, f32s), (Dtype::F64, f64s), (Dtype::F16, f16s), (Dtype::Bf16, bf16s)] {
            assert_eq!(of(dtype, bytes).unwrap(), numbers, "{dtype:?}");
        }
        assert!(of(Dtype::F32, vec![0; 23]).is_err());
    }

    #[test]
    fn strides_are_followed() {
        let bytes: Vec<u8> = (0..12).flat_map(|v| (v as f32).to_le_bytes()).collect();
        let read = |shape: &[usize], strides: &[usize], offset| {
            stored(Dtype::F32, shape, strides, offset, 12).unwrap().read(&mut Cursor::new(&bytes)).unwrap()
        };
        assert_eq!(read(&[3, 2], &[1, 3], 0), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]); // transposed
        assert_eq!(read(&[3], &[4], 1), [1.0, 5.0, 9.0]); // a column
        assert_eq!(read(&[2, 2], &[0, 1], 10), [10.0, 11.0, 10.0, 11.0]); // expanded
        assert_eq!(read(&[], &[], 7), [7.0]);
        assert_eq!(read(&[2, 0], &[1, 1], 12), [0.0; 0]);
        assert_eq!(stored(Dtype::F32, &[1, 4], &[99, 1], 0, 12).unwrap().strides, None);
    }

    #[test]
    fn what_reaches_beyond_its_storage_is_refused() {
        let max = usize::MAX;
        for (shape, strides, offset) in [
            (&[4usize][..], &[1usize][..], 9),
            (&[4], &[4], 0),
            (&[2, 2], &[max, 1], 0),
            (&[max, max], &[0, 0], 0),
            (&[max], &[max], 0),
            (&[1], &[1], 1 << 62),
            (&[1], &[1], u64::MAX),
            (&[0], &[1], 13),
        ] {
            let error = stored(Dtype::F32, shape, strides, offset, 12).unwrap_err();
            assert!(error.contains("beyond its storage of 12"), "{error}");
        }
        assert!(stored(Dtype::F32, &[2, 2], &[1], 0, 12).unwrap_err().contains("1 strides for 2 dimensions"));
    }

    #[test]
    fn nan_and_infinity_are_counted() {
        assert_eq!(not_finite(&[0.0, f32::MAX, f32::MIN_POSITIVE / 2.0]), 0);
        assert_eq!(not_finite(&[f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.0]), 4);
    }
}
