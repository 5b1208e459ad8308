//! Trains the float network of a table prefetcher: a dataset file in, a network file out.
//!
//! * [`job`]: one training from file to file.
//! * [`train`]: the loop: schedule, early stopping, going on from a checkpoint.
//! * [`teacher`]: learning from a larger network (distillation).
//! * [`device`]: where it is computed.
//! * `engine`, `net`, `data`: gradients and logits of many windows; they and `device` are all that knows the ML framework.
//! * `loss`, `adam`: what is minimised, and how. `params`: all weights as one vector. `init`: those to start from.
//! * `checkpoint`: the state between two epochs, as a file.

mod adam;
mod checkpoint;
mod data;
pub mod device;
mod engine;
mod error;
mod init;
pub mod job;
mod loss;
mod net;
mod params;
#[cfg(test)]
mod reference;
pub mod teacher;
#[cfg(test)]
mod tests;
pub mod train;

pub use device::DeviceKind;
pub use error::Error;
pub use job::Job;
pub use teacher::Distillation;
pub use train::{Epoch, Settings, Trained};
