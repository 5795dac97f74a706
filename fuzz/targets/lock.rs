//! Any bytes as the lock beside a spec.

use super::{Sandbox, said};
use taper::assets::Lock;

/// One input.
pub fn run(input: &[u8]) {
    thread_local!(static SANDBOX: Sandbox = Sandbox::default());
    SANDBOX.with(|sandbox| {
        sandbox.write("spec.toml", "model.source = \"hf:o/m\"\ndata.source = \"hf:o/d\"\n");
        sandbox.write("spec.toml.lock", input);
        match Lock::beside(&sandbox.path("spec.toml")) {
            Err(e) => _ = said::<()>(&e),
            Ok(mut lock) => {
                let pins = lock.pins().to_vec();
                lock.renew();
                assert_eq!(pins.len(), lock.written().len().max(pins.len()));
            }
        }
    });
}
