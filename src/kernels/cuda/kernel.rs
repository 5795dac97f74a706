//! The kernels of `source`, by name.

/// Defines [`Kernel`] from pairs of a variant and the name in `source`.
macro_rules! kernels {
    ($($variant:ident = $name:literal,)*) => {
        /// A kernel; its parameters are a structure of [`super::params`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kernel {
            $($variant,)*
        }

        impl Kernel {
            /// Every kernel.
            #[cfg(test)]
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$variant),*];

            /// Its name in `source`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

kernels! {
    Activate = "activate",
    ActivateBackward = "activate_backward",
    AdamW = "adamw",
    AdamWRows = "adamw_rows",
    AddBias = "add_bias",
    AddNorm = "add_norm",
    AddRows = "add_rows",
    AddSquares = "add_squares",
    AddToFirstRows = "add_to_first_rows",
    Attention128 = "attention_128",
    Attention64 = "attention_64",
    AttentionKeys128 = "attention_keys_128",
    AttentionKeys64 = "attention_keys_64",
    AttentionPositions128 = "attention_positions_128",
    AttentionPositions64 = "attention_positions_64",
    AttentionQueries128 = "attention_queries_128",
    AttentionQueries64 = "attention_queries_64",
    AttentionRelative128 = "attention_relative_128",
    AttentionRelative64 = "attention_relative_64",
    AttentionRelativeKeys128 = "attention_relative_keys_128",
    AttentionRelativeKeys64 = "attention_relative_keys_64",
    AttentionRelativeQueries128 = "attention_relative_queries_128",
    AttentionRelativeQueries64 = "attention_relative_queries_64",
    BiasActivation = "bias_activation",
    BinaryCrossEntropy = "binary_cross_entropy",
    ColumnSums = "column_sums",
    Convert = "convert",
    CopyRows = "copy_rows",
    CrossEntropy = "cross_entropy",
    Dropout = "dropout",
    Embed = "embed",
    FirstRows = "first_rows",
    FocalLoss = "focal_loss",
    GatedActivation = "gated_activation",
    GatedActivationBackward = "gated_activation_backward",
    MeanRows = "mean_rows",
    MeanRowsBackward = "mean_rows_backward",
    Multiply = "multiply",
    NormBackward = "norm_backward",
    Rotate = "rotate",
    ScaleRows = "scale_rows",
    SquaredError = "squared_error",
    Squares = "squares",
    SumPositions = "sum_positions",
}
