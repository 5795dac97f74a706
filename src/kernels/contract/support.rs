//! The sizes of a model that kernels have limits for, so that an unsupported model is refused before anything is computed.

/// Sizes of a model and of its longest sequence that kernels have limits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirements {
    /// Values of a row that is normalised.
    pub norm_width: usize,
    /// Values of an attention head.
    pub head_width: usize,
    /// Tokens of the longest sequence.
    pub longest: usize,
}

/// A model that a device's kernels cannot compute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {found}, but taper's kernels for {device} support at most {most}")]
pub struct Unsupported {
    /// `NVIDIA GPUs`, …
    pub device: &'static str,
    /// The size that is too large.
    pub what: &'static str,
    /// Its value.
    pub found: usize,
    /// The limit.
    pub most: usize,
}

impl Requirements {
    /// Compares each size with its limit.
    ///
    /// # Errors
    /// The first size past its limit.
    pub fn within(self, limits: Self, device: &'static str) -> Result<(), Unsupported> {
        let sizes = [
            ("the hidden size", self.norm_width, limits.norm_width),
            ("the size of an attention head", self.head_width, limits.head_width),
            ("data.max_length", self.longest, limits.longest),
        ];
        match sizes.into_iter().find(|(_, found, most)| found > most) {
            None => Ok(()),
            Some((what, found, most)) => Err(Unsupported { device, what, found, most }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_up_to_the_limits_are_supported_and_larger_ones_are_named() {
        let limits = Requirements { norm_width: 2048, head_width: 128, longest: 8192 };
        assert_eq!(limits.within(limits, "GPUs"), Ok(()));
        for (model, message) in [
            (
                Requirements { norm_width: 2049, ..limits },
                "the hidden size is 2049, but taper's kernels for GPUs support at most 2048",
            ),
            (
                Requirements { head_width: 192, ..limits },
                "the size of an attention head is 192, but taper's kernels for GPUs support at most 128",
            ),
            (
                Requirements { longest: 8193, ..limits },
                "data.max_length is 8193, but taper's kernels for GPUs support at most 8192",
            ),
        ] {
            assert_eq!(model.within(limits, "GPUs").expect_err("too large").to_string(), message);
        }
    }
}
