//! How far a kernel in tables is from the exact one.

use ndarray::{Array2, ArrayView3, Axis, Zip};

use crate::evaluate::{Evaluator, Tap};
use crate::place::Place;

use super::batches;

/// How far some numbers are from those that they stand for: sums, to which more can be added.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Distance {
    count: u64,
    /// Squares of the differences.
    error: f64,
    /// Squares of the true numbers and of those given.
    truth: f64,
    given: f64,
    product: f64,
}

impl Distance {
    /// One more number, and what it should be.
    pub fn add(&mut self, truth: f64, given: f64) {
        self.count += 1;
        self.error += (given - truth) * (given - truth);
        self.truth += truth * truth;
        self.given += given * given;
        self.product += truth * given;
    }

    /// The distance over the numbers of both.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            error: self.error + other.error,
            truth: self.truth + other.truth,
            given: self.given + other.given,
            product: self.product + other.product,
        }
    }

    /// Mean square of the differences; 0 without numbers.
    pub fn mse(&self) -> f64 {
        self.error / self.count.max(1) as f64
    }

    /// Cosine of the angle between the two vectors of all numbers; 1 if one of them is zero.
    pub fn cosine(&self) -> f64 {
        let size = (self.truth * self.given).sqrt();
        if size > 0.0 { (self.product / size).clamp(-1.0, 1.0) } else { 1.0 }
    }

    /// Root mean square of the differences over that of the true numbers: 0 is exact, at 1 zeros would be as good.
    /// `None` if all true numbers are 0.
    pub fn relative(&self) -> Option<f64> {
        (self.truth > 0.0).then(|| (self.error / self.truth).sqrt())
    }
}

/// Errors of one kernel's output against that of the exact network.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct KernelErrors {
    /// In tables itself, everything before it exact.
    pub alone: Distance,
    /// In the running model, everything before it in tables too. Before a residual addition (`out`, `ff2`) the kernel
    /// also answers for what the stream already lacks, since that is what its tables are fitted to.
    pub running: Distance,
}

/// How far the kernel at `place` of `tables` is from that of `exact`; `None` if there is no such layer, if the
/// configurations differ, or without windows.
///
/// # Panics
///
/// If history or segments of the windows are not those of the configuration.
pub fn errors(
    exact: &Evaluator,
    tables: &Evaluator,
    place: Place,
    windows: ArrayView3<'_, u8>,
) -> Option<KernelErrors> {
    if exact.config != tables.config || windows.is_empty() {
        return None;
    }
    let mut one = exact.clone();
    one.replace(place, tables);
    let mut sum = KernelErrors::default();
    for batch in batches(&exact.config, windows.dim().0) {
        let windows = windows.slice_axis(Axis(0), batch.into());
        let truth = exact.tap(place, windows)?;
        sum.alone = sum.alone.merge(distance(&truth, &one.tap(place, windows)?));
        sum.running = sum.running.merge(distance(&truth, &tables.tap(place, windows)?));
    }
    Some(sum)
}

/// Over all outputs of one kernel.
fn distance(truth: &Tap, given: &Tap) -> Distance {
    let lack: Option<Array2<f32>> =
        truth.stream.as_ref().zip(given.stream.as_ref()).map(|(truth, given)| truth - given);
    let mut sum = Distance::default();
    for (truth, given) in truth.outputs.iter().zip(&given.outputs) {
        match &lack {
            Some(lack) => Zip::from(truth).and(given).and(lack).for_each(|&truth, &given, &lack| {
                sum.add(f64::from(truth), f64::from(given) - f64::from(lack));
            }),
            None => Zip::from(truth)
                .and(given)
                .for_each(|&truth, &given| sum.add(f64::from(truth), f64::from(given))),
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_by_hand() {
        let mut sum = Distance::default();
        assert!(sum.mse().abs() < 1e-12 && (sum.cosine() - 1.0).abs() < 1e-12 && sum.relative().is_none());
        // (3, 4) and (4, 3): difference (1, -1), product 24, both of size 5.
        sum.add(3.0, 4.0);
        let mut other = Distance::default();
        other.add(4.0, 3.0);
        let sum = sum.merge(other);
        assert!((sum.mse() - 1.0).abs() < 1e-12);
        assert!((sum.cosine() - 24.0 / 25.0).abs() < 1e-12);
        assert!(sum.relative().is_some_and(|relative| (relative - (2.0_f64 / 25.0).sqrt()).abs() < 1e-12));
    }
}
