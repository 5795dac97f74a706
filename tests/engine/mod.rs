//! The whole explicit engine, for models and batches of random small shapes: against candle's tape, against differences of its
//! own loss, and against itself with other numbers of threads, other batches before, and other cuts of a step.
//!
//! # Tolerances
//! Two float32 computations of the same gradient differ by the roundings of all layers together. [`support::tolerance`] is relative to
//! the largest number of a tensor (or, where that is almost zero, to a hundredth of the largest of all tensors); models have
//! weights of order 1/√width, so that activations stay of order 1. Differences of the loss: logits are f32, so that a loss is
//! known to about 3e-7; with four points 0.05 and 0.1 apart along a direction of length 1 a slope is known to 1e-5, and the
//! curve's fifth derivative adds about 1e-5. A random direction's slope is about ‖g‖/√n of a gradient of n numbers.

pub mod alike;
pub mod losses;
pub mod oracle;
pub mod slopes;
pub mod support;
pub mod update;

/// All of these checks but the slopes, which take hundreds of passes, for one backend, in a module.
macro_rules! engine_of {
    ($name:ident, $tested:ty) => {
        tests_of! { $name, $tested, engine:
            alike {
                an_engine_that_was_used_computes_the_same_step_as_a_new_one
                an_evaluation_between_gradients_and_update_changes_nothing
                a_step_in_parts_is_the_whole_step
            }
            losses { other_losses_are_those_of_the_tape other_losses_of_a_step_in_parts_are_those_of_the_whole }
            oracle { loss_logits_and_every_gradient_are_those_of_the_tape }
            update {
                updates_are_those_of_the_reference any_parameters_can_be_trained_without_the_others
                a_used_engine_goes_on_from_a_state_bit_for_bit parameters_that_are_set_are_those_that_are_read
            }
        }
    };
}
