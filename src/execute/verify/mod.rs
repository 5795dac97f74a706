//! `taper verify`: trains a stored run again from its stored config and compares the two.
//!
//! On the CPU all numbers must be bitwise equal, for any number of threads. With a GPU only losses are compared, and they can differ by
//! [`TOLERANCE`]; the same GPU with the same libraries is compared bitwise.

mod comparability;
mod compare;
mod verifier;

pub use compare::{Difference, TOLERANCE, Verification};
pub use verifier::Verifier;
pub(super) use verifier::{PREFIX, with_stored_paths};

use super::{DeviceChoice, ExecuteError};
