//! Matrix products of cuBLASLt, for which an algorithm is chosen once for all numbers of tokens of about the same size.
//!
//! `cublasGemmEx` chooses anew for every number of tokens that it has not met, and nearly every step has another one: that took
//! the host 60 to 200 µs a product, longer than the product took the device (NVIDIA H200, bfloat16, cuBLAS 13).

use std::{collections::HashMap, os::raw::c_void, ptr};

use cudarc::{
    cublas::sys::cublasOperation_t as Op,
    cublaslt::{result as lt, sys as lt_sys},
};
use lt_sys::{
    cublasComputeType_t as Compute, cublasLtMatmulDescAttributes_t as DescAttribute,
    cublasLtMatmulPreferenceAttributes_t as PreferenceAttribute, cudaDataType_t as Type,
};

use super::{Factors, Product, library::has_cublas_lt};

/// Sizes of this many columns or more are rounded up to the next multiple of it; smaller ones to the next power of two.
const STEP: usize = 64;
/// Alignments beyond this make no difference to cuBLAS.
const MOST_ALIGNED: u32 = 256;

/// The sizes that an algorithm is chosen for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Kind {
    transposed: (bool, bool),
    factors: Factors,
    m: usize,
    n: usize,
    k: usize,
    /// Distances of the columns of A, B and C.
    strides: [usize; 3],
    /// Bytes that the addresses of A, B and C are multiples of.
    alignments: [u32; 3],
}

impl Kind {
    /// For a product: exactly its own sizes, or rounded ones.
    fn of(p: &Product, exactly: bool) -> Self {
        // The number of columns may be rounded up; the length of a column may not, since columns are contiguous.
        let rounded = |size: usize, in_columns: bool| if in_columns && !exactly { rounded(size) } else { size };
        Self {
            transposed: p.transposed,
            factors: p.factors,
            m: p.m,
            n: rounded(p.n, !p.transposed.1),
            k: rounded(p.k, !p.transposed.0 && p.transposed.1),
            strides: [p.a.1, p.b.1, p.c.1],
            alignments: [p.a.0, p.b.0, p.c.0].map(|address| MOST_ALIGNED.min(1 << address.trailing_zeros().min(31))),
        }
    }

    /// Rows and columns of A, B and C as they are stored.
    fn stored(&self) -> [(usize, usize); 3] {
        let stored = |transposed, rows, columns| if transposed { (columns, rows) } else { (rows, columns) };
        [stored(self.transposed.0, self.m, self.k), stored(self.transposed.1, self.k, self.n), (self.m, self.n)]
    }
}

/// The rounded size.
fn rounded(size: usize) -> usize {
    if size < STEP { size.next_power_of_two() } else { size.next_multiple_of(STEP) }
}

fn types(factors: Factors) -> (Type, Compute) {
    match factors {
        Factors::F32 => (Type::CUDA_R_32F, Compute::CUBLAS_COMPUTE_32F),
        Factors::Tf32 => (Type::CUDA_R_32F, Compute::CUBLAS_COMPUTE_32F_FAST_TF32),
        Factors::Bf16 => (Type::CUDA_R_16BF, Compute::CUBLAS_COMPUTE_32F),
    }
}

/// A matrix's layout, for one call.
struct Layout(lt_sys::cublasLtMatrixLayout_t);

impl Layout {
    fn all(kind: &Kind) -> Result<[Self; 3], lt::CublasError> {
        let (factor, _) = types(kind.factors);
        let stored = kind.stored();
        let layout = |i: usize, of| {
            let (rows, columns) = stored[i];
            lt::create_matrix_layout(of, rows as u64, columns as u64, kind.strides[i] as i64).map(Self)
        };
        Ok([layout(0, factor)?, layout(1, factor)?, layout(2, Type::CUDA_R_32F)?])
    }
}

impl Drop for Layout {
    #[expect(unsafe_code, reason = "cuBLASLt's interface")]
    fn drop(&mut self) {
        // SAFETY: created by `all`, and not used after this.
        _ = unsafe { lt::destroy_matrix_layout(self.0) };
    }
}

/// Products on one device and one stream.
pub struct Products {
    handle: lt_sys::cublasLtHandle_t,
    preference: lt_sys::cublasLtMatmulPreference_t,
    operations: HashMap<((bool, bool), Factors), lt_sys::cublasLtMatmulDesc_t>,
    /// The algorithm for each kind of product; `None` if cuBLASLt has none.
    chosen: HashMap<Kind, Option<lt_sys::cublasLtMatmulAlgo_t>>,
    /// Memory of the device to work with.
    workspace: (u64, usize),
    stream: lt_sys::cudaStream_t,
}

#[expect(unsafe_code, reason = "cuBLASLt's interface")]
impl Products {
    /// `None` if the library is missing or does not start.
    pub fn new(workspace: (u64, usize), stream: *mut c_void) -> Option<Self> {
        // SAFETY: the library expects to be loaded by any process; the attribute is as large as it says.
        unsafe {
            if !has_cublas_lt() {
                return None;
            }
            let (handle, preference) = (lt::create_handle().ok()?, lt::create_matmul_pref().ok()?);
            let most = PreferenceAttribute::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
            lt::set_matmul_pref_attribute(preference, most, ptr::from_ref(&workspace.1).cast(), size_of::<usize>())
                .ok()?;
            let (operations, chosen) = (HashMap::new(), HashMap::new());
            Some(Self { handle, preference, operations, chosen, workspace, stream: stream.cast() })
        }
    }

    /// Starts a product; returns false if it could not be started, and another way must be used.
    pub fn begin(&mut self, p: &Product) -> bool {
        self.multiply(p, false).is_some() || self.multiply(p, true).is_some()
    }

    fn multiply(&mut self, p: &Product, exactly: bool) -> Option<()> {
        let operation = self.operation(p).ok()?;
        let algorithm = self.algorithm(operation, Kind::of(p, exactly))?;
        let [a, b, c] = Layout::all(&Kind::of(p, true)).ok()?;
        let alpha = 1.0f32;
        // SAFETY: the matrices are the caller's, with the given layouts; the factors are on the host during the call.
        unsafe {
            lt::matmul(
                self.handle,
                operation,
                ptr::from_ref(&alpha).cast(),
                ptr::from_ref(&p.beta).cast(),
                p.a.0 as *const c_void,
                a.0,
                p.b.0 as *const c_void,
                b.0,
                p.c.0 as *const c_void,
                c.0,
                p.c.0 as *mut c_void,
                c.0,
                &raw const algorithm,
                self.workspace.0 as *mut c_void,
                self.workspace.1,
                self.stream,
            )
            .ok()
        }
    }

    fn operation(&mut self, p: &Product) -> Result<lt_sys::cublasLtMatmulDesc_t, lt::CublasError> {
        if let Some(known) = self.operations.get(&(p.transposed, p.factors)) {
            return Ok(*known);
        }
        let operation = lt::create_matmul_desc(types(p.factors).1, Type::CUDA_R_32F)?;
        let of = [
            (DescAttribute::CUBLASLT_MATMUL_DESC_TRANSA, p.transposed.0),
            (DescAttribute::CUBLASLT_MATMUL_DESC_TRANSB, p.transposed.1),
        ];
        for (attribute, transposed) in of {
            let op = if transposed { Op::CUBLAS_OP_T } else { Op::CUBLAS_OP_N };
            // SAFETY: the attribute is as large as it says.
            unsafe { lt::set_matmul_desc_attribute(operation, attribute, ptr::from_ref(&op).cast(), size_of::<Op>())? };
        }
        self.operations.insert((p.transposed, p.factors), operation);
        Ok(operation)
    }

    /// The algorithm for a kind of product. A refusal is remembered too, since asking again at every step can take longer than the product.
    fn algorithm(
        &mut self,
        operation: lt_sys::cublasLtMatmulDesc_t,
        kind: Kind,
    ) -> Option<lt_sys::cublasLtMatmulAlgo_t> {
        if let Some(known) = self.chosen.get(&kind) {
            return *known;
        }
        let chosen = self.choose(operation, &kind).ok();
        self.chosen.insert(kind, chosen);
        chosen
    }

    fn choose(
        &self,
        operation: lt_sys::cublasLtMatmulDesc_t,
        kind: &Kind,
    ) -> Result<lt_sys::cublasLtMatmulAlgo_t, lt::CublasError> {
        use PreferenceAttribute as Attribute;
        let [a, b, c] = Layout::all(kind)?;
        let [of_a, of_b, of_c] = kind.alignments;
        let aligned = [
            (Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, of_a),
            (Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, of_b),
            (Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, of_c),
            (Attribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, of_c),
        ];
        // SAFETY: attributes are as large as they say; all that is passed was created and is there.
        let found = unsafe {
            for (attribute, bytes) in aligned {
                let bytes = ptr::from_ref(&bytes).cast();
                lt::set_matmul_pref_attribute(self.preference, attribute, bytes, size_of::<u32>())?;
            }
            lt::get_matmul_algo_heuristic(self.handle, operation, a.0, b.0, c.0, c.0, self.preference)?
        };
        Ok(found.algo)
    }

    /// Gives back what [`Self::new`] took.
    pub fn free(&mut self) {
        // SAFETY: nothing of it is used after this.
        unsafe {
            self.operations.drain().for_each(|(_, operation)| _ = lt::destroy_matmul_desc(operation));
            _ = lt::destroy_matmul_pref(self.preference);
            _ = lt::destroy_handle(self.handle);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(transposed: (bool, bool), [m, n, k]: [usize; 3]) -> Product {
        let a = (256, if transposed.0 { k } else { m });
        let b = (64, if transposed.1 { n } else { k });
        Product { transposed, m, n, k, a, b, beta: 0.0, c: (4096 + 4, m), factors: Factors::Bf16 }
    }

    /// One choice serves steps of about as many tokens, and no layout has columns longer than they are apart.
    #[test]
    fn products_of_about_as_many_tokens_share_a_choice() {
        for (transposed, tokens_at) in [((true, false), 1), ((false, false), 1), ((false, true), 2)] {
            let of = |tokens: usize| {
                let mut sizes = [768, 3072, 3072];
                sizes[tokens_at] = tokens;
                Kind::of(&product(transposed, sizes), false)
            };
            assert_eq!(of(870), of(869), "{transposed:?}");
            assert_ne!(of(870), of(1000), "{transposed:?}");
            assert_ne!(of(3), of(5), "{transposed:?}");
        }
        for transposed in [(true, false), (false, false), (false, true), (true, true)] {
            for sizes in [[3, 5, 7], [768, 870, 3072], [2, 33, 768], [768, 2, 31]] {
                let product = product(transposed, sizes);
                for exactly in [true, false] {
                    let kind = Kind::of(&product, exactly);
                    for ((rows, _), stride) in kind.stored().into_iter().zip(kind.strides) {
                        assert!(rows <= stride, "{transposed:?} {sizes:?}: {kind:?}");
                    }
                }
                assert_eq!(Kind::of(&product, true).alignments, [256, 64, 4]);
            }
        }
    }

    #[test]
    fn sizes_are_rounded_up() {
        let pairs = [(1, 1), (2, 2), (3, 4), (32, 32), (33, 64), (64, 64), (65, 128), (870, 896), (896, 896)];
        pairs.iter().for_each(|(size, expected)| assert_eq!(rounded(*size), *expected));
    }
}
