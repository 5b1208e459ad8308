//! Trains the float network of a table prefetcher: a dataset file in, a network file out.
//!
//! * [`job`]: one training from file to file.
//! * [`train`]: the loop: optimiser, schedule, early stopping.
//! * `net`: the network in the ML framework, the only module with `data` that knows it.
//! * `data`: windows and labels as tensors. `init`: the weights to start from.

mod data;
mod error;
mod init;
pub mod job;
mod net;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
pub mod train;

pub use error::Error;
pub use job::Job;
pub use train::{Epoch, Settings, Trained};
