//! What the leaves of a tree should agree in: the error that a tree's splits minimise.

use ndarray::{Array2, ArrayView2, Axis, s};
use tablewright_model::subspace;

use crate::math::sigmoid;

/// Directions of a wide target that are kept for choosing splits.
const DIRECTIONS: usize = 16;
/// Rounds of orthogonal iteration; splits need no exact directions.
const ROUNDS: usize = 4;

/// The error a tree's splits minimise.
pub(crate) enum Shape {
    /// Squared error of the vectors themselves, as in MADDNESS.
    Input,
    /// Squared error of what becomes of them: (x − p)ᵀ G (x − p), G the Gram matrix of the weights or of the other
    /// operand, `[features, features]`.
    Metric(Array2<f64>),
    /// The same for sigmoid(x).
    Squashed(Array2<f64>),
    /// Squared error of given targets `[rows, T]`, whatever the vectors; each subspace works on what those before it
    /// left.
    Residual(Array2<f32>),
}

impl Shape {
    /// [`Shape::Residual`] in the directions in which `wanted` `[rows, outputs]` varies most.
    pub(crate) fn residual(wanted: &Array2<f32>) -> Self {
        Self::Residual(principal(wanted))
    }

    /// Targets of subspace `c`, of which `x` `[rows, dims]` holds the vectors.
    pub(crate) fn targets(&self, x: ArrayView2<'_, f32>, c: usize, subspaces: usize) -> Array2<f32> {
        let through = |gram: &Array2<f64>, x: ArrayView2<'_, f32>| {
            let own = subspace(gram.nrows(), subspaces, c);
            x.dot(&root(gram.slice(s![own.clone(), own])))
        };
        match self {
            Self::Input => x.to_owned(),
            Self::Metric(gram) => through(gram, x),
            Self::Squashed(gram) => through(gram, x.mapv(sigmoid).view()),
            Self::Residual(targets) => targets.clone(),
        }
    }

    /// Takes from the targets what the leaves of a finished tree explain.
    pub(crate) fn explain(&mut self, leaf: &[u16]) {
        let Self::Residual(targets) = self else {
            return;
        };
        let leaves = leaf.iter().copied().max().map_or(0, |last| usize::from(last) + 1);
        let mut sums = Array2::<f32>::zeros((leaves, targets.ncols()));
        let mut counts = vec![0.0_f32; leaves];
        for (row, &leaf) in targets.rows().into_iter().zip(leaf) {
            let mut sum = sums.row_mut(usize::from(leaf));
            sum += &row;
            counts[usize::from(leaf)] += 1.0;
        }
        for (mut row, &leaf) in targets.rows_mut().into_iter().zip(leaf) {
            row.scaled_add(-1.0 / counts[usize::from(leaf)], &sums.row(usize::from(leaf)));
        }
    }
}

/// Gram matrix of the columns of `x`, mean over the rows: `[features, features]`.
pub(crate) fn metric(x: ArrayView2<'_, f32>) -> Array2<f64> {
    x.t().dot(&x).mapv(f64::from) / x.nrows().max(1) as f64
}

/// Lower triangular L with L·Lᵀ = `gram`, so |x·L|² = x·gram·xᵀ.
///
/// Gram matrices are often singular (few weights, or a constant operand). A column whose pivot is nothing but rounding
/// is zero: divided by that pivot, rounding would grow from column to column until it is all there is.
pub(crate) fn root(gram: ArrayView2<'_, f64>) -> Array2<f32> {
    let n = gram.nrows();
    let nothing = gram.diag().iter().fold(0.0_f64, |most, &v| most.max(v)) * 1e-5;
    let mut l = Array2::<f64>::zeros((n, n));
    for j in 0..n {
        let dot = |l: &Array2<f64>, i: usize| (0..j).map(|k| l[[i, k]] * l[[j, k]]).sum::<f64>();
        let pivot = gram[[j, j]] - dot(&l, j);
        if pivot <= nothing {
            continue;
        }
        let pivot = pivot.sqrt();
        for i in j..n {
            l[[i, j]] = (gram[[i, j]] - dot(&l, i)) / pivot;
        }
    }
    l.mapv(|v| v as f32)
}

/// `y`, centred, in the (up to) [`DIRECTIONS`] directions in which it varies most.
fn principal(y: &Array2<f32>) -> Array2<f32> {
    let mean = y.mean_axis(Axis(0)).unwrap_or_default();
    let y = y - &mean;
    let outputs = y.ncols();
    if outputs <= DIRECTIONS {
        return y;
    }
    let gram = y.t().dot(&y).mapv(f64::from);
    // Any start that is not orthogonal to the answer: the columns of largest variance.
    let mut order: Vec<usize> = (0..outputs).collect();
    order.sort_by(|&a, &b| gram[[b, b]].total_cmp(&gram[[a, a]]).then(a.cmp(&b)));
    let mut basis = gram.select(Axis(1), &order[..DIRECTIONS]);
    orthonormalise(&mut basis);
    for _ in 0..ROUNDS {
        basis = gram.dot(&basis);
        orthonormalise(&mut basis);
    }
    y.dot(&basis.mapv(|v| v as f32))
}

/// Gram-Schmidt on the columns; a column that depends on those before it becomes zero.
fn orthonormalise(basis: &mut Array2<f64>) {
    for j in 0..basis.ncols() {
        let (before, mut rest) = basis.view_mut().split_at(Axis(1), j);
        let mut column = rest.column_mut(0);
        let size = column.dot(&column).sqrt();
        for other in before.columns() {
            let along = column.dot(&other);
            column.scaled_add(-along, &other);
        }
        let left = column.dot(&column).sqrt();
        if left > size * 1e-9 && left > 0.0 {
            column /= left;
        } else {
            column.fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_root_of_a_gram_matrix_measures_like_it() {
        let gram = array![[4.0, 2.0], [2.0, 3.0]];
        let x = array![[1.0_f32, -2.0]];
        let y = x.dot(&root(gram.view()));
        // 4 − 8 + 12 = 8.
        assert!((y.dot(&y.t())[[0, 0]] - 8.0).abs() < 1e-3);
    }

    #[test]
    fn a_singular_gram_matrix_has_a_root_too() {
        // Rank 2 of 16.
        let rows = Array2::from_shape_fn((2, 16), |(i, j)| ((i * 16 + j) as f32 * 0.7).sin() * 9.0);
        let x = Array2::from_shape_fn((50, 16), |(i, j)| ((i * 16 + j) as f32 * 0.37).cos());
        let through = x.dot(&root(metric(rows.view()).view()));
        let exact = x.dot(&rows.t());
        for (through, exact) in through.rows().into_iter().zip(exact.rows()) {
            let (found, wanted) = (through.dot(&through), exact.dot(&exact) / 2.0);
            assert!((found - wanted).abs() < 1e-2 * wanted.max(1.0), "{found} {wanted}");
        }
    }

    #[test]
    fn principal_directions_hold_the_variance() {
        // 40 outputs that all follow two hidden numbers.
        let y = Array2::from_shape_fn((200, 40), |(i, j)| {
            (i as f32 * 0.1).sin() * j as f32 + (i as f32 * 0.37).cos() * (40 - j) as f32
        });
        let centred = &y - &(y.sum_axis(Axis(0)) / 200.0);
        let kept = principal(&y);
        assert_eq!(kept.dim(), (200, DIRECTIONS));
        let square = |x: &Array2<f32>| x.iter().map(|v| v * v).sum::<f32>();
        assert!((square(&kept) / square(&centred) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn explained_targets_leave_their_rest() {
        let mut shape = Shape::Residual(array![[1.0_f32], [3.0], [7.0]]);
        shape.explain(&[0, 0, 5]);
        let rest = shape.targets(array![[0.0_f32], [0.0], [0.0]].view(), 0, 1);
        assert_eq!(rest, array![[-1.0], [1.0], [0.0]]);
    }
}
