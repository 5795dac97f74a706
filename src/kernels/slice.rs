//! Access to the values of candle's tensors as slices.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// The values of a contiguous f32 CPU storage.
pub(super) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("the kernels take contiguous tensors") };
    Ok(&storage.as_slice::<f32>()?[start..end])
}

/// Calls `f` with the values of a contiguous f32 tensor on the CPU, without copying them.
pub fn with_f32<T>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> Result<T>) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => f(slice(storage, layout)?),
        _ => bail!("the fused kernels run on the CPU only"),
    }
}
