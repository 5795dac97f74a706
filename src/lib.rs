//! taper: a declarative experiment runner for fine-tuning text classifiers.
//!
//! Data flows one way: a TOML file becomes a [`spec`] (as written), a [`plan`] (resolved runs), training [`event`]s, rows in a
//! [`store`], and a [`report`]. Each module documents its job; `tests/architecture` enforces the allowed imports.

pub mod assets;
pub mod cluster;
pub mod data;
pub mod engine;
pub mod event;
pub mod execute;
pub mod experiment;
pub mod export;
pub mod format;
pub mod kernels;
pub mod metrics;
pub mod model;
pub mod observe;
pub mod plan;
pub mod random;
pub mod regular;
pub mod report;
pub mod serve;
pub mod sniff;
pub mod source;
pub mod spec;
pub mod stats;
pub mod store;
pub mod task;
pub mod tracker;
pub mod train;
pub mod warning;
