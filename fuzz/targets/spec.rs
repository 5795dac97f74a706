//! Any bytes as a spec: loading, checking and expanding it.

use super::{Sandbox, said};
use taper::{
    plan,
    spec::{LoadOptions, LoadedSpec},
};

/// One input.
pub fn run(input: &[u8]) {
    thread_local!(static SANDBOX: Sandbox = Sandbox::default());
    SANDBOX.with(|sandbox| {
        sandbox.write("spec.toml", input);
        match LoadedSpec::load(&sandbox.path("spec.toml"), &LoadOptions::default()) {
            Err(e) => _ = said::<()>(&e),
            Ok(spec) => {
                _ = plan::expand(
                    spec.spec(),
                    |point| spec.at(point).map_err(Box::<dyn std::error::Error>::from),
                    plan::SearchHistory::default(),
                )
            }
        }
    });
}
