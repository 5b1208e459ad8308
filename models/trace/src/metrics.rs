//! How well bits are predicted: micro-F1 and the threshold that makes it best.

// Array views are references already and go by value everywhere.
#![allow(clippy::needless_pass_by_value)]

use ndarray::{ArrayView1, ArrayView2};
use serde::Serialize;

use crate::Error;

/// A score of one output; higher means more likely.
///
/// Floats of the network and integers of the golden model are compared alike: predicted when score ≥ threshold.
pub trait Score: Copy + PartialOrd {
    /// A total order that agrees with `PartialOrd`.
    type Key: Copy + Ord;

    /// The score's place in the order; `None` for what is never predicted (NaN).
    fn key(self) -> Option<Self::Key>;
}

impl Score for f32 {
    type Key = u32;

    fn key(self) -> Option<u32> {
        // Adding 0 makes −0 into 0, its equal. Then: flip all bits of negatives, the sign of the others.
        let bits = (self + 0.0).to_bits();
        let flip = if bits >> 31 == 1 { u32::MAX } else { 1 << 31 };
        (!self.is_nan()).then_some(bits ^ flip)
    }
}

impl Score for i32 {
    type Key = i32;

    fn key(self) -> Option<i32> {
        Some(self)
    }
}

impl Score for i64 {
    type Key = i64;

    fn key(self) -> Option<i64> {
        Some(self)
    }
}

/// Counts of bits, over all rows and outputs together (micro).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Confusion {
    /// Predicted and labelled.
    pub true_positive: u64,
    /// Predicted, not labelled.
    pub false_positive: u64,
    /// Labelled, not predicted.
    pub false_negative: u64,
}

impl Confusion {
    /// 2·TP / (2·TP + FP + FN); 0 when nothing is labelled or predicted.
    pub fn f1(&self) -> f64 {
        ratio(2 * self.true_positive, 2 * self.true_positive + self.false_positive + self.false_negative)
    }

    /// TP / (TP + FP), or 0.
    pub fn precision(&self) -> f64 {
        ratio(self.true_positive, self.true_positive + self.false_positive)
    }

    /// TP / (TP + FN), or 0.
    pub fn recall(&self) -> f64 {
        ratio(self.true_positive, self.true_positive + self.false_negative)
    }

    /// Counts one row of bitmaps. Bits beyond the outputs must be zero in both.
    pub fn add_bitmaps(&mut self, predicted: &[u8], labels: &[u8]) {
        for (&p, &l) in predicted.iter().zip(labels) {
            self.true_positive += u64::from((p & l).count_ones());
            self.false_positive += u64::from((p & !l).count_ones());
            self.false_negative += u64::from((l & !p).count_ones());
        }
    }
}

impl std::ops::AddAssign for Confusion {
    fn add_assign(&mut self, other: Self) {
        self.true_positive += other.true_positive;
        self.false_positive += other.false_positive;
        self.false_negative += other.false_negative;
    }
}

pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Bit `output` of a bitmap row.
pub fn bit(bits: ArrayView1<'_, u8>, output: usize) -> bool {
    bits[output / 8] >> (output % 8) & 1 == 1
}

/// The bitmap of the scores that reach a threshold.
pub fn bitmap<S: Score>(scores: &[S], threshold: S) -> Vec<u8> {
    let mut bits = vec![0; scores.len().div_ceil(8)];
    for (output, _) in scores.iter().enumerate().filter(|&(_, &score)| score >= threshold) {
        bits[output / 8] |= 1 << (output % 8);
    }
    bits
}

/// Counts bits when scores (`[N, outputs]`, logits or probabilities) that reach a threshold are predicted; labels are
/// `[N, ⌈outputs / 8⌉]` bitmaps.
pub fn confusion<S: Score>(
    scores: ArrayView2<'_, S>,
    labels: ArrayView2<'_, u8>,
    threshold: S,
) -> Result<Confusion, Error> {
    check_shapes(scores.dim(), labels.dim())?;
    let mut counts = Confusion::default();
    for (row, bits) in scores.rows().into_iter().zip(labels.rows()) {
        for (output, &score) in row.iter().enumerate() {
            match (score >= threshold, bit(bits, output)) {
                (true, true) => counts.true_positive += 1,
                (true, false) => counts.false_positive += 1,
                (false, true) => counts.false_negative += 1,
                (false, false) => {}
            }
        }
    }
    Ok(counts)
}

/// The micro-F1 of [`confusion`].
pub fn micro_f1<S: Score>(
    scores: ArrayView2<'_, S>,
    labels: ArrayView2<'_, u8>,
    threshold: S,
) -> Result<f64, Error> {
    Ok(confusion(scores, labels, threshold)?.f1())
}

/// Counts bits of predicted bitmaps, both `[N, bytes]`.
pub fn bitmap_confusion(
    predicted: ArrayView2<'_, u8>,
    labels: ArrayView2<'_, u8>,
) -> Result<Confusion, Error> {
    if predicted.dim() != labels.dim() {
        let detail =
            format!("predicted bitmaps {:?} and labels {:?} differ in shape", predicted.dim(), labels.dim());
        return Err(Error::Shape { detail });
    }
    let mut counts = Confusion::default();
    for (&p, &l) in predicted.iter().zip(labels) {
        counts.add_bitmaps(&[p], &[l]);
    }
    Ok(counts)
}

fn check_shapes(scores: (usize, usize), labels: (usize, usize)) -> Result<(), Error> {
    if scores.0 == labels.0 && scores.1.div_ceil(8) == labels.1 {
        return Ok(());
    }
    let detail = format!(
        "scores {scores:?} and labels {labels:?} do not belong together; for N rows of n outputs they are [N, n] and \
         [N, ⌈n / 8⌉]"
    );
    Err(Error::Shape { detail })
}

/// The best point of a precision-recall curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BestThreshold<S> {
    /// A score that occurs; predicted is what reaches it.
    pub threshold: S,
    /// The counts at this threshold.
    pub confusion: Confusion,
}

/// The threshold with the highest micro-F1 over the whole precision-recall curve; the highest such threshold if several
/// are equal, `None` if no labelled bit has a score.
///
/// Exact, not a grid. The best threshold is always the score of a labelled bit, for going down from one such score to the
/// next only adds false positives; so only those scores are sorted and tried, and of the others only those above the
/// lowest of them matter.
pub fn best_threshold<S: Score>(
    scores: ArrayView2<'_, S>,
    labels: ArrayView2<'_, u8>,
) -> Result<Option<BestThreshold<S>>, Error> {
    check_shapes(scores.dim(), labels.dim())?;
    let mut labelled: Vec<(S::Key, S)> = Vec::new();
    let mut total = 0u64;
    for (row, bits) in scores.rows().into_iter().zip(labels.rows()) {
        for (_, &score) in row.iter().enumerate().filter(|&(output, _)| bit(bits, output)) {
            total += 1;
            labelled.extend(score.key().map(|key| (key, score)));
        }
    }
    labelled.sort_unstable_by_key(|&(key, _)| std::cmp::Reverse(key));
    let Some(&(lowest, _)) = labelled.last() else {
        return Ok(None);
    };
    let mut others: Vec<S::Key> = Vec::new();
    for (row, bits) in scores.rows().into_iter().zip(labels.rows()) {
        let unlabelled = row.iter().enumerate().filter(|&(output, _)| !bit(bits, output));
        others.extend(unlabelled.filter_map(|(_, score)| score.key()).filter(|&key| key >= lowest));
    }
    others.sort_unstable_by_key(|&key| std::cmp::Reverse(key));

    let mut best: Option<BestThreshold<S>> = None;
    let mut false_positive = 0;
    for (index, &(key, threshold)) in labelled.iter().enumerate() {
        // Equal scores are predicted together: only the last of them is a point of the curve.
        if labelled.get(index + 1).is_some_and(|&(next, _)| next == key) {
            continue;
        }
        while others.get(false_positive).is_some_and(|&other| other >= key) {
            false_positive += 1;
        }
        let true_positive = index as u64 + 1;
        let confusion = Confusion {
            true_positive,
            false_positive: false_positive as u64,
            false_negative: total - true_positive,
        };
        if best.is_none_or(|known| better(&confusion, &known.confusion)) {
            best = Some(BestThreshold { threshold, confusion });
        }
    }
    Ok(best)
}

/// Whether F1 is strictly higher, compared without rounding.
fn better(a: &Confusion, b: &Confusion) -> bool {
    let whole = |c: &Confusion| u128::from(2 * c.true_positive + c.false_positive + c.false_negative);
    u128::from(a.true_positive) * whole(b) > u128::from(b.true_positive) * whole(a)
}
