//! The head's tables fitted to the labels: logistic regression on the codes.
//!
//! With the encoder fixed, a logit is a sum of table entries, so the cross-entropy is convex in them; an end-to-end
//! fine-tuning of the last kernel needs no gradient through an encoder.

use ndarray::{Array3, ArrayView2, Axis, s};
use rayon::prelude::*;
use tablewright_model::Table;

use crate::bucket::Buckets;
use crate::data::label;
use crate::evaluate::look_up;
use crate::math::sigmoid;
use crate::refit::inherit;

/// Weights of the labels against the float network's probabilities that are tried.
pub(crate) const TRUSTS: [f32; 3] = [0.0, 0.5, 1.0];
/// Pull towards the entries fitted before, in units of the curvature (at most 1/4 for each row).
const PULL: f32 = 0.5;
const PASSES: usize = 8;
/// Longest step of an entry in one pass: Newton's step overshoots where the curvature vanishes.
const LONGEST: f32 = 2.0;

/// What the probabilities should be.
pub(crate) struct Goal<'a> {
    /// `[rows, ceil(outputs / 8)]`.
    pub(crate) labels: ArrayView2<'a, u8>,
    /// Logits of the float network, `[rows, outputs]`.
    pub(crate) teacher: ArrayView2<'a, f32>,
    /// Weight of the labels; the rest is the teacher's.
    pub(crate) trust: f32,
}

/// Newton steps, bucket by bucket, the subspaces taking turns.
///
/// With `tree`, codes that no row has change with their relatives; see [`inherit`].
pub(crate) fn fit(table: &mut Table, codes: ArrayView2<'_, u16>, goal: &Goal<'_>, tree: bool) {
    let (subspaces, k, outputs) = table.entries.dim();
    let buckets: Vec<Buckets> = (0..subspaces).map(|c| Buckets::new(codes.column(c), k)).collect();
    let mut wanted = goal.teacher.mapv(|z| (1.0 - goal.trust) * sigmoid(z));
    for (row, mut wanted) in wanted.rows_mut().into_iter().enumerate() {
        let labels = goal.labels.row(row);
        for (output, p) in wanted.iter_mut().enumerate() {
            if label(labels, output) {
                *p += goal.trust;
            }
        }
    }
    let mut logits = look_up(table, codes);
    let mut change = Array3::<f32>::zeros(table.entries.dim());
    for _ in 0..PASSES {
        for (c, buckets) in buckets.iter().enumerate() {
            let now = change.index_axis(Axis(0), c);
            let steps: Vec<Vec<f32>> = (0..k)
                .into_par_iter()
                .map(|code| {
                    let mut sums = vec![(0.0_f64, 0.0_f64); outputs];
                    for row in buckets.get(code) {
                        let pairs = logits.row(row).into_iter().zip(wanted.row(row));
                        for ((slope, curve), (&z, &wanted)) in sums.iter_mut().zip(pairs) {
                            let p = sigmoid(z);
                            *slope += f64::from(wanted - p);
                            *curve += f64::from(p * (1.0 - p));
                        }
                    }
                    (sums.iter().zip(now.row(code)))
                        .map(|(&(slope, curve), now)| {
                            let step = (slope as f32 - PULL * now) / (curve as f32 + PULL);
                            step.clamp(-LONGEST, LONGEST)
                        })
                        .collect()
                })
                .collect();
            add(&mut change, c, &steps);
            logits.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(row, mut logits)| {
                logits += &ndarray::ArrayView1::from(&steps[usize::from(codes[[row, c]])][..]);
            });
        }
    }
    if tree {
        inherit(change.view_mut(), codes);
    }
    table.entries += &change;
}

fn add(change: &mut Array3<f32>, c: usize, steps: &[Vec<f32>]) {
    for (code, step) in steps.iter().enumerate() {
        let mut row = change.slice_mut(s![c, code, ..]);
        row += &ndarray::ArrayView1::from(&step[..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn buckets_learn_their_own_frequency() {
        // Code 1 has output 0 three times in four, output 1 never; code 0 the reverse.
        let codes = Array2::from_shape_fn((400, 1), |(i, _)| (i % 2) as u16);
        let labels = Array2::from_shape_fn((400, 1), |(i, _)| {
            let often = u8::from(i / 2 % 4 != 0);
            if i % 2 == 1 { often } else { often << 1 }
        });
        let mut table = Table { entries: Array3::zeros((1, 2, 2)), bias: None };
        let teacher = Array2::zeros((400, 2));
        let goal = Goal { labels: labels.view(), teacher: teacher.view(), trust: 1.0 };
        fit(&mut table, codes.view(), &goal, true);
        let p = table.entries.mapv(sigmoid);
        assert!((p[[0, 1, 0]] - 0.75).abs() < 0.01 && (p[[0, 0, 1]] - 0.75).abs() < 0.01, "{p}");
        assert!(p[[0, 1, 1]] < 0.02 && p[[0, 0, 0]] < 0.02, "{p}");
    }
}
