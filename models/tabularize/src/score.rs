//! Micro-F1 over all bits of all labels.

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use crate::data::label;
use crate::rows::pieces;

/// Logits beyond ±`LIMIT` are counted at the end; thresholds lie between.
const LIMIT: f32 = 12.0;
/// Candidate thresholds for each unit of a logit.
const STEPS: f32 = 64.0;
/// Intervals between candidate thresholds, and one at each end.
const BINS: usize = 2 * (LIMIT * STEPS) as usize + 2;

/// Bits by prediction and truth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Predicted and true.
    pub hits: u64,
    /// Predicted, of any truth.
    pub predicted: u64,
    /// True, predicted or not.
    pub positives: u64,
}

impl Counts {
    /// 2·hits / (predicted + positives); 0 when nothing is predicted and nothing is true.
    pub fn f1(&self) -> f64 {
        let sum = self.predicted + self.positives;
        if sum == 0 { 0.0 } else { 2.0 * self.hits as f64 / sum as f64 }
    }
}

/// Counts at one threshold (a probability): a bit is predicted when sigmoid(logit) ≥ threshold.
///
/// `logits` are `[N, outputs]`, `labels` `[N, ceil(outputs / 8)]`.
pub fn counts(logits: ArrayView2<'_, f32>, labels: ArrayView2<'_, u8>, threshold: f64) -> Counts {
    let cut = (threshold / (1.0 - threshold)).ln() as f32;
    let parts = pieces(logits.nrows(), 1024, |range| {
        let mut counts = Counts::default();
        for row in range {
            let labels = labels.row(row);
            for (output, &logit) in logits.row(row).iter().enumerate() {
                let truth = labels[output / 8] >> (output % 8) & 1;
                let predicted = u64::from(logit >= cut);
                counts.hits += predicted * u64::from(truth);
                counts.predicted += predicted;
                counts.positives += u64::from(truth);
            }
        }
        counts
    });
    parts.into_iter().fold(Counts::default(), |sum, part| Counts {
        hits: sum.hits + part.hits,
        predicted: sum.predicted + part.predicted,
        positives: sum.positives + part.positives,
    })
}

/// The best threshold and what it gives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Micro-F1 at the threshold.
    pub f1: f64,
    /// A probability, strictly between 0 and 1.
    pub threshold: f64,
}

/// The threshold of highest micro-F1 among logits −12 to 12 in steps of 1/64; of equals, the one nearest to 0.5.
pub fn best(logits: ArrayView2<'_, f32>, labels: ArrayView2<'_, u8>) -> Best {
    // Histogram of the logits: bin b > 0 begins at logit (b − 1) / STEPS − LIMIT.
    let parts = pieces(logits.nrows(), 4096, |range| {
        let mut bins = vec![[0_u64; 2]; BINS];
        for row in range {
            let truth = labels.row(row);
            for (output, &logit) in logits.row(row).iter().enumerate() {
                let position = ((logit.clamp(-LIMIT - 1.0, LIMIT) + LIMIT) * STEPS).floor();
                let bin = if position < 0.0 { 0 } else { position as usize + 1 };
                bins[bin][usize::from(label(truth, output))] += 1;
            }
        }
        bins
    });
    let mut bins = vec![[0_u64; 2]; BINS];
    for part in parts {
        for (sum, part) in bins.iter_mut().zip(part) {
            sum[0] += part[0];
            sum[1] += part[1];
        }
    }
    let positives = bins.iter().map(|bin| bin[1]).sum();
    let mut counts = Counts { positives, ..Counts::default() };
    let mut best = Best { f1: -1.0, threshold: 0.5 };
    for bin in (1..BINS).rev() {
        counts.hits += bins[bin][1];
        counts.predicted += bins[bin][0] + bins[bin][1];
        let logit = (bin - 1) as f64 / f64::from(STEPS) - f64::from(LIMIT);
        let threshold = 1.0 / (1.0 + (-logit).exp());
        let f1 = counts.f1();
        let nearer = (threshold - 0.5).abs() < (best.threshold - 0.5).abs();
        if f1 > best.f1 || (f1 >= best.f1 && nearer) {
            best = Best { f1, threshold };
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn f1_by_hand() {
        // Labels 1010 and 0001 (outputs 0 to 3), predictions 1100 and 0001: 2 hits of 3 predicted and 3 true.
        let logits = array![[1.0_f32, 0.1, -1.0, -3.0], [-1.0, -1.0, -1.0, 0.0]];
        let labels = array![[0b0101_u8], [0b1000]];
        let counts = counts(logits.view(), labels.view(), 0.5);
        assert_eq!(counts, Counts { hits: 2, predicted: 3, positives: 3 });
        assert!((counts.f1() - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn the_best_threshold_separates() {
        let logits = array![[-2.0_f32, -2.5, -3.0, -9.0]];
        let labels = array![[0b0011_u8]];
        let best = best(logits.view(), labels.view());
        assert!((best.f1 - 1.0).abs() < 1e-12);
        let counts = counts(logits.view(), labels.view(), best.threshold);
        assert_eq!(counts.hits, 2);
        assert_eq!(counts.predicted, 2);
    }

    #[test]
    fn without_positives_f1_is_0_and_the_threshold_valid() {
        let best = best(array![[5.0_f32, 100.0, -100.0, f32::MIN]].view(), array![[0_u8]].view());
        assert!(best.f1.abs() < 1e-12 && best.threshold > 0.0 && best.threshold < 1.0);
    }
}
