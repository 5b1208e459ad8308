//! Design → Plan: when and where, and what it costs.
//!
//! * [`pipeline`]: the steps of each node, and where registers cut them.
//! * [`banks`]: what each bank is made of on a target, what that wastes, and why; [`folding`]: where rows are folded over depth.
//! * [`columns`]: columns of values that come at once.
//! * [`text`]: the Plan language.
//! * [`schedule`]: the cycle of every row of every value.
//! * [`prefetcher`]: what is around the predictor, and how long it takes.
//! * [`resources`]: what each node is made of, counted exactly.
//! * [`target`]: coefficients that turn counts into area; [`published`]: the paper's figures for the same configuration.
//! * [`estimate`]: all of it together, each figure marked exact or modelled.

pub mod banks;
pub mod columns;
pub mod estimate;
pub mod folding;
pub mod pipeline;
pub mod prefetcher;
pub mod published;
pub mod resources;
pub mod schedule;
pub mod target;
pub mod text;

pub use banks::{Bank, Rules, Style, StyleError};
pub use estimate::{Basis, Estimate};
pub use pipeline::{Directive, Directives, Elements, Shape};
pub use prefetcher::{IssuePlan, PrefetcherPlan};
pub use published::Published;
pub use resources::Resources;
pub use schedule::{Plan, Stage};
pub use target::{Target, TargetError};
pub use text::PlanError;
