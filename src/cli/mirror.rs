//! `taper run --mirror`.

use std::{path::PathBuf, str::FromStr};

/// The value of `--mirror`: `tensorboard=DIR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorTo(pub PathBuf);

impl FromStr for MirrorTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some(("tensorboard", folder)) if !folder.is_empty() => Ok(Self(folder.into())),
            _ => Err("expected `tensorboard=DIR`, with the folder that `tensorboard --logdir DIR` shows".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_has_a_kind_and_a_folder() {
        assert_eq!("tensorboard=a=b".parse(), Ok(MirrorTo("a=b".into())));
        for text in ["tensorboard", "tensorboard=", "mlflow=x", "", "=x"] {
            assert!(text.parse::<MirrorTo>().unwrap_err().contains("tensorboard=DIR"), "{text}");
        }
    }
}
