//! taper from outside, in one program: each module is one area, and `support` is what they share.
//!
//! One process holds all of them: a test changes no variable, no working folder and no limit of it, but those of the processes
//! that it starts.

mod card;
mod cli;
#[cfg(target_os = "linux")]
mod cluster;
mod data;
mod data_sets;
mod database;
mod docs;
#[cfg(target_os = "linux")]
mod element;
mod ensembles;
mod example;
mod families;
mod folds;
mod fuzzing;
mod hub;
mod kept_columns;
mod label_lists;
mod label_words;
mod library;
mod long_counts;
mod long_texts;
#[cfg(target_os = "linux")]
mod memory;
mod mistakes;
mod model_files;
mod onnx;
mod out_of_fold;
mod own_splits;
mod pairs;
mod predict;
mod predict_faults;
mod predict_files;
mod problem_types;
mod push;
mod report;
mod run_layout;
mod serve;
mod shipped;
mod spec;
mod store_kill;
mod support;
#[cfg(target_os = "linux")]
mod sweep;
mod target_messages;
mod trackers;
mod training;
mod upkeep;
