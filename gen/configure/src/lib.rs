//! Picks a configuration: L, D, H, K, C, bits and encoder within limits on latency and storage.
//!
//! * [`space`]: what there is to choose from. [`candidate`]: one choice. [`limits`]: what it may cost.
//! * [`figures`]: what it costs, read off the plan of a design of its shape, by no formula.
//! * [`survey`]: every candidate against the limits. [`greedy`]: the paper's rule. [`search`]: by measured F1.
//! * [`students`]: which networks to train.
//! * [`reach`]: what is told when nothing is within the limits.

pub mod candidate;
pub mod error;
pub mod figures;
pub mod greedy;
pub mod limits;
pub mod reach;
pub mod search;
pub mod space;
mod stand_in;
pub mod students;
pub mod survey;

pub use candidate::Candidate;
pub use error::Error;
pub use figures::{Base, Figures};
pub use limits::{Excess, Limited, Limits, TargetLimit};
pub use search::{Effort, Measured, Schedule, Search, Task, Trial, search};
pub use space::{Shapes, Space, Tables};
pub use students::students;
pub use survey::{Survey, Surveyed};
