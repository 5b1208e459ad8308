//! Tables of products of two encoded vectors.

use ndarray::{Array1, Array2, Array3, ArrayView2, Axis, s};
use rayon::prelude::*;
use tablewright_model::subspace;

use crate::bucket::Buckets;
use crate::refit::{self, squares};

/// As in the linear kernels' ridge regression.
const PULL: f32 = 1.0;
const PASSES: usize = 8;
const ENOUGH: f64 = 1e-3;

/// `[C, K, K]`: scale · left prototype · right prototype, subspace by subspace.
pub(crate) fn products(
    left: ArrayView2<'_, f32>,
    right: ArrayView2<'_, f32>,
    subspaces: usize,
    scale: f32,
) -> Array3<f32> {
    let (k, features) = left.dim();
    let mut table = Array3::zeros((subspaces, k, k));
    for c in 0..subspaces {
        let own = subspace(features, subspaces, c);
        let part = left.slice(s![.., own.clone()]).dot(&right.slice(s![.., own]).t());
        table.index_axis_mut(Axis(0), c).assign(&(part * scale));
    }
    table
}

/// Codes of the rows of both operands, and how the rows belong together.
pub(crate) struct Codes<'a> {
    /// `[(group, a), C]`.
    pub(crate) left: ArrayView2<'a, u16>,
    /// `[(group, b), C]`.
    pub(crate) right: ArrayView2<'a, u16>,
    /// Rows of a group on the left and on the right.
    pub(crate) group: (usize, usize),
}

/// What the table gives, `[(group, a), b]`.
pub(crate) fn look_up(table: &Array3<f32>, codes: &Codes<'_>) -> Array2<f32> {
    let (a, b) = codes.group;
    let subspaces = table.dim().0;
    let mut out = Array2::zeros((codes.left.nrows(), b));
    for (i, mut row) in out.rows_mut().into_iter().enumerate() {
        let group = i / a * b;
        for c in 0..subspaces {
            let entries = table.slice(s![c, usize::from(codes.left[[i, c]]), ..]);
            for (j, sum) in row.iter_mut().enumerate() {
                *sum += entries[usize::from(codes.right[[group + j, c]])];
            }
        }
    }
    out
}

/// How often each entry of a table `[C, K, K]` is looked up.
pub(crate) fn weights(codes: &Codes<'_>, (subspaces, k, _): (usize, usize, usize)) -> Vec<Vec<f32>> {
    let (a, b) = codes.group;
    let mut counts = vec![vec![0.0; k * k]; subspaces];
    for (i, left) in codes.left.rows().into_iter().enumerate() {
        for j in i / a * b..(i / a + 1) * b {
            for (c, counts) in counts.iter_mut().enumerate() {
                counts[usize::from(left[c]) * k + usize::from(codes.right[[j, c]])] += 1.0;
            }
        }
    }
    counts
}

/// `wanted` minus what the table gives, `[(group, a), b]`.
pub(crate) fn remainder(table: &Array3<f32>, codes: &Codes<'_>, wanted: &Array2<f32>) -> Array2<f32> {
    let (a, b) = codes.group;
    let mut residual = wanted.clone();
    residual.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(row, mut residual)| {
        let group = row / a * b;
        for c in 0..table.dim().0 {
            let entries = table.slice(s![c, usize::from(codes.left[[row, c]]), ..]);
            for (j, r) in residual.iter_mut().enumerate() {
                *r -= entries[usize::from(codes.right[[group + j, c]])];
            }
        }
    });
    residual
}

/// The `[C, K, K]` that minimise `Σ (residual − Σ_c change[c, left, right])² + PULL·change²`.
///
/// `residual` `[(group, a), b]` is what is wanted minus what the tables now give; afterwards it is what remains.
pub(crate) fn ridge(
    (subspaces, k, _): (usize, usize, usize),
    codes: &Codes<'_>,
    residual: &mut Array2<f32>,
) -> Array3<f32> {
    let (a, b) = codes.group;
    let lefts: Vec<Buckets> = (0..subspaces).map(|c| Buckets::new(codes.left.column(c), k)).collect();
    let mut change = Array3::<f32>::zeros((subspaces, k, k));
    let mut before = f64::INFINITY;
    for _ in 0..PASSES {
        for (c, lefts) in lefts.iter().enumerate() {
            let right: Array1<u16> = codes.right.column(c).to_owned();
            let now = change.index_axis(Axis(0), c);
            let steps: Vec<Vec<f32>> = (0..k)
                .into_par_iter()
                .map(|code| {
                    let mut sums = vec![(0.0_f64, 0_u32); k];
                    for row in lefts.get(code) {
                        let group = row / a * b;
                        for (j, &r) in residual.row(row).iter().enumerate() {
                            let (sum, count) = &mut sums[usize::from(right[group + j])];
                            *sum += f64::from(r);
                            *count += 1;
                        }
                    }
                    (sums.iter().zip(now.row(code)))
                        .map(|(&(sum, n), now)| (sum as f32 - PULL * now) / (n as f32 + PULL))
                        .collect()
                })
                .collect();
            for (code, step) in steps.iter().enumerate() {
                let mut row = change.slice_mut(s![c, code, ..]);
                row += &ndarray::ArrayView1::from(&step[..]);
            }
            residual.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(row, mut residual)| {
                let step = &steps[usize::from(codes.left[[row, c]])];
                let group = row / a * b;
                for (j, r) in residual.iter_mut().enumerate() {
                    *r -= step[usize::from(right[group + j])];
                }
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

/// As [`refit::inherit`], for the codes of either operand.
pub(crate) fn inherit(change: &mut Array3<f32>, codes: &Codes<'_>) {
    refit::inherit(change.view_mut(), codes.left);
    let mut turned = change.view_mut();
    turned.swap_axes(1, 2);
    refit::inherit(turned, codes.right);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ridge_finds_a_table() {
        // Groups of 2 left and 3 right rows; the wanted value is a function of the two codes.
        let left = Array2::from_shape_fn((400, 1), |(i, _)| (i * 7 % 5 % 4) as u16);
        let right = Array2::from_shape_fn((600, 1), |(i, _)| (i * 11 % 13 % 4) as u16);
        let wanted = |l: u16, r: u16| f32::from(l) * f32::from(r) - f32::from(r);
        let mut residual =
            Array2::from_shape_fn((400, 3), |(i, j)| wanted(left[[i, 0]], right[[i / 2 * 3 + j, 0]]));
        let before = squares(residual.view());
        let codes = Codes { left: left.view(), right: right.view(), group: (2, 3) };
        let table = ridge((1, 4, 4), &codes, &mut residual);
        assert!(squares(residual.view()) < 1e-3 * before);
        assert!((table[[0, 3, 2]] - 4.0).abs() < 0.3, "{table}");
    }
}
