//! The spec room from outside: files in, `Spec` or problems out.

mod docs;
mod hints;
mod invalid;
mod layers;
mod points;
mod search;
mod sizes;
mod slurm;
mod table;
mod targets;

use std::path::PathBuf;

use taper::spec::{LoadOptions, LoadedSpec, SpecErrors};

use crate::support::Sandbox;

/// Files in a folder of their own.
struct Files(Sandbox);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::new();
        files.iter().for_each(|(name, text)| sandbox.write(name, text));
        Self(sandbox)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    fn load(&self, name: &str) -> Result<LoadedSpec, SpecErrors> {
        self.load_with(name, &LoadOptions::default())
    }

    fn load_with(&self, name: &str, options: &LoadOptions) -> Result<LoadedSpec, SpecErrors> {
        LoadedSpec::load(&self.path(name), options)
    }

    /// The problems of a file that has some, without the folder's name.
    fn problems(&self, name: &str, options: &LoadOptions) -> String {
        let errors = self.load_with(name, options).expect_err("the spec was taken");
        errors.to_string().replace(&format!("{}/", self.0.root().display()), "")
    }
}

/// A spec that says what has to be said, and `rest`.
fn minimal(rest: &str) -> String {
    format!("model.source = \"scratch:tiny\"\ndata.source = \"path:x.csv\"\n{rest}")
}

/// One file `a.toml`: the minimum and `rest`.
fn one(rest: &str) -> Files {
    Files::new(&[("a.toml", &minimal(rest))])
}

fn options(profile: Option<&str>, sets: &[&str], env: &[(&str, &str)]) -> LoadOptions {
    LoadOptions {
        profile: profile.map(str::to_string),
        sets: sets.iter().map(|set| set.to_string()).collect(),
        env: env.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
    }
}
