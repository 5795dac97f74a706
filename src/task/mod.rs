//! What a model is trained to do: [`Task`], Hugging Face's `problem_type`. A task says what target a row has ([`Target`]), what
//! training minimises ([`Objective`]), what logits predict ([`Answer`]), and which metrics apply.

mod answer;
mod expected;
mod kind;
mod mean;
mod objective;
pub mod tune;

pub use answer::{Answer, log_softmax};
pub use kind::Task;
pub use objective::{Loss, Objective};

pub use crate::metrics::{Decision, Target};
