//! Any bytes as the lock beside a spec.
#![no_main]

use libfuzzer_sys::fuzz_target;
use taper::assets::Lock;
use taper_fuzz::{Sandbox, said};

fuzz_target!(|input: &[u8]| {
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
});
