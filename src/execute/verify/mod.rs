//! `taper verify`: a stored run made again from its stored config, and compared.
//!
//! On the CPU every number has to be the same to the last bit, whatever the number of threads. Where a GPU takes part, losses
//! may differ by [`TOLERANCE`], and only they are compared.

mod compare;
mod grounds;
mod verifier;

pub use compare::{Difference, TOLERANCE, Verification};
pub(super) use verifier::{PREFIX, with_places};
pub use verifier::{Verifier, verify_folder};

use super::{DeviceChoice, ExecuteError};
