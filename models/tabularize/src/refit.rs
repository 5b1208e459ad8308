//! Tables of linear kernels: prototype products, and ridge regression of the wanted outputs on the codes.

use ndarray::{Array1, Array2, Array3, ArrayView1, ArrayView2, ArrayViewMut3, Axis, s};
use rayon::prelude::*;
use tablewright_model::{Dense, subspace};

use crate::bucket::Buckets;

/// Pull of every table entry towards its prototype product, in rows: an entry seen that often moves half the way.
const PULL: f32 = 1.0;
const PASSES: usize = 12;
/// Passes end when the squared error falls by less than this part.
const ENOUGH: f64 = 1e-3;

/// Means of the rows with each code, `[K, features]`; `codes` `[rows, C]`.
///
/// A code that no row has takes the mean over the rows whose code shares its longest leading bits: in a tree, those
/// that go through its nearest ancestor.
pub(crate) fn means(x: ArrayView2<'_, f32>, codes: ArrayView2<'_, u16>, k: usize) -> Array2<f32> {
    let (features, subspaces) = (x.ncols(), codes.ncols());
    let mut out = Array2::zeros((k, features));
    for c in 0..subspaces {
        let own = subspace(features, subspaces, c);
        let buckets = Buckets::new(codes.column(c), k);
        let mut kin = Kin::new(k, own.len());
        for code in 0..k {
            for row in buckets.get(code) {
                kin.add(code, 1, x.slice(s![row, own.clone()]));
            }
        }
        kin.close();
        for code in 0..k {
            out.slice_mut(s![code, own.clone()]).assign(&kin.mean(code));
        }
    }
    out
}

/// Gives the entries of codes that no row has the mean change of the rows of their nearest relatives in the tree.
///
/// A tree of more leaves than its input has values cuts through them: rounding in the hardware, or a slightly other
/// input, then leads to a leaf beside the one that was fitted, which must not answer otherwise. `change` is
/// `[C, K, outputs]`, `codes` `[rows, C]`.
pub(crate) fn inherit(mut change: ArrayViewMut3<'_, f32>, codes: ArrayView2<'_, u16>) {
    let (subspaces, k, outputs) = change.dim();
    for c in 0..subspaces {
        let buckets = Buckets::new(codes.column(c), k);
        let mut own = change.index_axis_mut(Axis(0), c);
        let mut kin = Kin::new(k, outputs);
        for code in 0..k {
            kin.add(code, buckets.get(code).len(), own.row(code));
        }
        kin.close();
        for code in (0..k).filter(|&code| buckets.get(code).len() == 0) {
            own.row_mut(code).assign(&kin.mean(code));
        }
    }
}

/// Weighted means over the leaves of a tree, and where a leaf has no weight, over those below its nearest ancestor.
struct Kin {
    /// Sums and weights by heap index, leaves last.
    sums: Array2<f64>,
    weights: Vec<usize>,
}

impl Kin {
    fn new(k: usize, width: usize) -> Self {
        Self { sums: Array2::zeros((2 * k, width)), weights: vec![0; 2 * k] }
    }

    fn add(&mut self, code: usize, weight: usize, value: ArrayView1<'_, f32>) {
        let leaf = self.weights.len() / 2 + code;
        self.weights[leaf] += weight;
        for (sum, &v) in self.sums.row_mut(leaf).iter_mut().zip(value) {
            *sum += f64::from(v) * weight as f64;
        }
    }

    /// Adds the leaves up, once all are known.
    fn close(&mut self) {
        for node in (1..self.weights.len() / 2).rev() {
            self.weights[node] = self.weights[2 * node] + self.weights[2 * node + 1];
            let both = &self.sums.row(2 * node) + &self.sums.row(2 * node + 1);
            self.sums.row_mut(node).assign(&both);
        }
    }

    fn mean(&self, code: usize) -> Array1<f32> {
        let mut node = self.weights.len() / 2 + code;
        while node > 1 && self.weights[node] == 0 {
            node /= 2;
        }
        let weight = self.weights[node].max(1) as f64;
        self.sums.row(node).mapv(|sum| (sum / weight) as f32)
    }
}

/// `[C, K, outputs]`: W·prototype, subspace by subspace.
pub(crate) fn products(dense: &Dense, prototypes: ArrayView2<'_, f32>, subspaces: usize) -> Array3<f32> {
    let (k, features) = prototypes.dim();
    let mut entries = Array3::zeros((subspaces, k, dense.weight.nrows()));
    for c in 0..subspaces {
        let own = subspace(features, subspaces, c);
        let part = prototypes.slice(s![.., own.clone()]).dot(&dense.weight.slice(s![.., own]).t());
        entries.index_axis_mut(Axis(0), c).assign(&part);
    }
    entries
}

/// The `[C, K, outputs]` that minimise `Σ |residual − Σ_c change[c, code]|² + PULL·|change|²`.
///
/// `residual` `[rows, outputs]` is what is wanted minus what the tables now give; afterwards it is what remains.
/// Subspaces take turns (block Gauss-Seidel on the normal equations), which needs no matrix of C·K squared.
pub(crate) fn ridge(
    (subspaces, k, outputs): (usize, usize, usize),
    codes: ArrayView2<'_, u16>,
    residual: &mut Array2<f32>,
) -> Array3<f32> {
    let buckets: Vec<Buckets> = (0..subspaces).map(|c| Buckets::new(codes.column(c), k)).collect();
    let mut change = Array3::<f32>::zeros((subspaces, k, outputs));
    let mut before = f64::INFINITY;
    for _ in 0..PASSES {
        for (c, buckets) in buckets.iter().enumerate() {
            let now = change.index_axis(Axis(0), c);
            let steps: Vec<Vec<f32>> = (0..k)
                .into_par_iter()
                .map(|code| {
                    let mut sum = vec![0.0_f64; outputs];
                    for row in buckets.get(code) {
                        for (sum, &r) in sum.iter_mut().zip(residual.row(row)) {
                            *sum += f64::from(r);
                        }
                    }
                    let weight = buckets.get(code).len() as f32 + PULL;
                    (sum.iter().zip(now.row(code)))
                        .map(|(&sum, now)| (sum as f32 - PULL * now) / weight)
                        .collect()
                })
                .collect();
            for (code, step) in steps.iter().enumerate() {
                let mut row = change.slice_mut(s![c, code, ..]);
                row += &ndarray::ArrayView1::from(&step[..]);
            }
            residual.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(row, mut residual)| {
                residual -= &ndarray::ArrayView1::from(&steps[usize::from(codes[[row, c]])][..]);
            });
        }
        let error = squares(residual.view());
        if subspaces == 1 || error >= before * (1.0 - ENOUGH) {
            break;
        }
        before = error;
    }
    change
}

/// Sum of squares.
pub(crate) fn squares(x: ArrayView2<'_, f32>) -> f64 {
    let rows: Vec<f64> = x
        .axis_iter(Axis(0))
        .into_par_iter()
        .map(|row| row.iter().map(|&v| f64::from(v) * f64::from(v)).sum())
        .collect();
    rows.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn unseen_codes_take_their_nearest_ancestors_mean() {
        let x = array![[1.0_f32], [3.0], [10.0]];
        let codes = array![[0_u16], [0], [3]];
        assert_eq!(means(x.view(), codes.view(), 4), array![[2.0], [2.0], [10.0], [10.0]]);
        let none = means(x.view(), array![[0_u16], [0], [0]].view(), 4);
        assert!((none[[3, 0]] - 14.0 / 3.0).abs() < 1e-6);
    }

    #[test]
    fn ridge_finds_an_additive_function() {
        // y = f(code0) + g(code1), every combination 50 times: the pull is all that keeps the error from 0.
        let codes = Array2::from_shape_fn((600, 2), |(i, c)| if c == 0 { i % 4 } else { i / 4 % 3 } as u16);
        let wanted = Array2::from_shape_fn((600, 1), |(i, _)| {
            [0.0, 1.0, 5.0, -2.0][i % 4] + [3.0, -1.0, 0.5][i / 4 % 3]
        });
        let mut residual = wanted.clone();
        let mut entries = ridge((2, 4, 1), codes.view(), &mut residual);
        assert!(squares(residual.view()) < 1e-3 * squares(wanted.view()));
        let sum = entries[[0, 2, 0]] + entries[[1, 0, 0]];
        assert!((sum - 8.0).abs() < 0.1, "{sum}");
        assert!(entries[[1, 3, 0]].abs() < 1e-9, "a code that no row has does not change");
        inherit(entries.view_mut(), codes.view());
        let sibling = entries[[1, 2, 0]];
        assert!((entries[[1, 3, 0]] - sibling).abs() < 1e-6, "until it follows its sibling");
    }
}
