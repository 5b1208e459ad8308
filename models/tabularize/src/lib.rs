//! From a float network to a table model.
//!
//! * [`evaluate`]: the forward pass of a network, of a table model, and of any mixture of both.
//! * [`score`]: micro-F1 and the threshold that maximises it.
//! * [`tabularize()`]: learns encoders and tables, kernel by kernel.
//! * [`report`]: what was measured on the way.
//! * [`explain`]: what a model loses where, kernel by kernel.
//!
//! The method is that of DART (arXiv 2401.06362) with the hash trees of MADDNESS (arXiv 2106.10860): inputs are split
//! into subspaces, each sub-vector is replaced by a code, and every product becomes a sum of table entries. Kernels are
//! learned in the order of evaluation, each on what the tables before it really give, towards what the float network
//! gives for the same window; so a kernel also corrects the errors made before it. Of the ways to learn a kernel, the
//! one is kept that gives the best F1 on the validation windows with all later kernels still exact.

// An `ArrayView` is a borrow; ndarray's own functions take it by value.
#![allow(clippy::needless_pass_by_value)]

mod bucket;
mod data;
mod encode;
mod error;
pub mod evaluate;
pub mod explain;
mod fold;
mod grid;
mod kmeans;
mod learn;
mod logistic;
mod math;
mod options;
mod pairs;
mod pass;
mod place;
mod refit;
pub mod report;
mod rows;
pub mod score;
mod shape;
mod tabularize;
mod tree;
mod units;

pub use data::Data;
pub use error::Error;
pub use evaluate::{Evaluator, Tap};
pub use options::{Options, Progress};
pub use place::Place;
pub use report::{Candidate, KernelReport, Report};
pub use score::{Best, Counts};
pub use tabularize::tabularize;
