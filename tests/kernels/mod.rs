//! Every kernel of [`taper::kernels::Backend`] for random shapes, against two oracles:
//!
//! * the layer written out naively in float64, here: its value, and its derivative by central differences in random entries
//!   and along a random direction of each input;
//! * `kernels::reference`, in candle's differentiable tensors: the value, and each input's whole gradient from `backward()`.
//!
//! Gradients are those of a random weighting of the output: a plain sum would hide errors that cancel.
//!
//! Nothing but the methods of the contract is used. Buffers are longer than what is in use and their rest holds a NaN that
//! must come back as it was; what a kernel is to write holds that NaN too, so that anything read before it is written, or
//! read past the end, spoils the result. Parameters are at odd offsets with NaNs between them.
//!
//! # Tolerances
//! Errors are relative to the largest number of a tensor (at least 1e-3, for gradients that vanish). Products, norms and
//! softmax in f32 are sums of at most 600 terms of order 1: each oracle is met within [`support::tolerance`], 100 roundings
//! of f32 (6e-8), 20 times that where a norm of few numbers magnifies them (its factor is 1/σ, of rows whose σ may be 0.1).
//! Central differences in float64 with a step of 1e-5 are off by 1e-10 (the step's square) and 1e-11 (rounding): nothing
//! beside the kernels' own rounding, so that they have the same bound.

pub mod attention;
pub mod dense;
pub mod embedding;
pub mod head;
pub mod losses;
pub mod norm;
pub mod optimizer;
pub mod relative;
pub mod support;

/// All of them for one backend, in a module.
macro_rules! kernels_of {
    ($name:ident, $tested:ty) => {
        tests_of! { $name, $tested, kernels:
            attention {
                every_token_asks the_first_of_each_sequence_asks large_scores_neither_overflow_nor_vanish
                rotations_and_back
            }
            dense {
                linear_and_its_gradients a_part_of_a_map_gives_its_columns activations_and_their_derivatives
                multiply_number_by_number gated_activations_and_their_gradients
            }
            embedding { embed_and_its_gradients }
            head {
                first_rows_and_back means_of_rows_and_their_gradient activations_with_dropout_and_their_gradients
            }
            losses {
                losses_and_their_gradients losses_are_pytorchs losses_of_logits_beyond_the_exponential
                focal_losses_of_two_classes_are_those_of_one_label a_small_gamma_gives_cross_entropy
            }
            norm {
                add_norm_and_its_gradients constant_rows_are_normalised_to_the_bias a_norm_without_a_bias
                a_gradient_that_is_added_and_a_norm_without_a_residual
            }
            relative {
                every_token_asks_with_relative_positions the_first_asks_with_relative_positions rows_are_copied_or_added
                products_read_what_was_written
            }
            optimizer {
                adamw_of_a_range adamw_of_rows rows_of_a_table_are_multiplied squares_of_a_range
                a_step_that_is_not_finite_changes_nothing
            }
        }
    };
}
