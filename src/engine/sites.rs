//! Where dropout falls.

use crate::{
    data::Batch,
    kernels::{Dropout, Queries},
    model::DropoutPlan,
};

/// The dropout of one pass, by site: 0 after the embedding; 1 + 3·i, 2 + 3·i and 3 + 3·i in layer i (attention probabilities, attention
/// output, feed-forward output or, if it is gated, product); then the classifier's, its input's, and those of the relative positions.
#[derive(Clone, Copy)]
pub struct Sites {
    plan: Option<DropoutPlan>,
    first_row: usize,
    first_token: usize,
}

impl Sites {
    pub fn new(plan: Option<DropoutPlan>, batch: &Batch) -> Self {
        Self { plan, first_row: batch.first_row, first_token: batch.first_token }
    }

    /// For rows that are tokens.
    pub fn tokens(&self, site: usize, p: f64) -> Option<Dropout> {
        self.at(site, p, self.first_token)
    }

    /// For rows that are sequences.
    pub fn rows(&self, site: usize, p: f64) -> Option<Dropout> {
        self.at(site, p, self.first_row)
    }

    /// For rows that begin with `first_row` in every batch.
    pub fn at(&self, site: usize, p: f64, first_row: usize) -> Option<Dropout> {
        self.plan.and_then(|plan| Dropout::new(plan.seed, plan.step, site as u32, p, first_row))
    }

    /// For a layer that computes these queries.
    pub fn of_queries(&self, queries: Queries, site: usize, p: f64) -> Option<Dropout> {
        match queries {
            Queries::All => self.tokens(site, p),
            Queries::First => self.rows(site, p),
        }
    }
}
