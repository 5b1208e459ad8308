//! What becomes of a network on its way into tables, kernel by kernel.
//!
//! * [`f1`]: micro-F1 of one part at the threshold chosen on another.
//! * [`errors`]: how far a kernel in tables is from the exact one, alone and in the running model.
//! * [`usage`]: which codes the encoders give.
//! * [`Evaluator::of_prototypes`]: the network with encoded inputs and exact products, what encoding alone loses.
//!
//! Everything runs over batches of windows, so memory does not grow with the trace.

mod codes;
mod compare;
mod prototypes;

use std::ops::Range;

use tablewright_model::NetworkConfig;

pub use codes::{Usage, codes, usage};
pub use compare::{Distance, KernelErrors, errors};

use crate::data::Data;
use crate::evaluate::Evaluator;
use crate::pass::widest;
use crate::score::{Best, best, counts};

/// Numbers of the widest intermediate result held for the windows of one batch: 64 MiB.
const LARGEST: usize = 1 << 24;

/// Micro-F1 at a threshold that was chosen on other windows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// On the windows that are measured.
    pub f1: f64,
    /// On the windows that the threshold was chosen on.
    pub f1_chosen_on: f64,
    /// A probability.
    pub threshold: f64,
}

/// Micro-F1 on `measure` at the threshold that is best on `choose`.
///
/// # Panics
///
/// If the windows are not of the evaluator's history and segments.
pub fn f1(evaluator: &Evaluator, choose: Data<'_>, measure: Data<'_>) -> Measured {
    let Best { f1: f1_chosen_on, threshold } = best(evaluator.logits(choose.windows).view(), choose.labels);
    let logits = evaluator.logits(measure.windows);
    Measured { f1: counts(logits.view(), measure.labels, threshold).f1(), f1_chosen_on, threshold }
}

/// `0..count` in batches whose widest intermediate result keeps within [`LARGEST`].
fn batches(config: &NetworkConfig, count: usize) -> impl Iterator<Item = Range<usize>> {
    let size = (LARGEST / widest(config)).max(1);
    (0..count.div_ceil(size)).map(move |i| i * size..((i + 1) * size).min(count))
}
