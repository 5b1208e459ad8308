//! Input vectors → codes.

use ndarray::{Array2, ArrayView2};
use tablewright_model::{Encoder, Metric, subspace};

/// Codes of every row, `[rows, C]`; `subspaces` is the C of the encoder's kernel.
pub(crate) fn encode(encoder: &Encoder, subspaces: usize, x: ArrayView2<'_, f32>) -> Array2<u16> {
    let mut codes = Array2::zeros((x.nrows(), subspaces));
    match encoder {
        Encoder::Tree { split, threshold } => {
            let levels = split.ncols();
            for (row, mut out) in x.rows().into_iter().zip(codes.rows_mut()) {
                for c in 0..subspaces {
                    let mut node = 0;
                    for level in 0..levels {
                        let heap = (1 << level) - 1 + node;
                        let right = row[split[[c, level]] as usize] >= threshold[[c, heap]];
                        node = 2 * node + usize::from(right);
                    }
                    // A tree of a valid spec has at most 1024 leaves.
                    out[c] = node as u16;
                }
            }
        }
        Encoder::Nearest { prototypes, metric } => {
            let features = x.ncols();
            for c in 0..subspaces {
                let own = subspace(features, subspaces, c);
                let near = Nearest::new(prototypes.slice(ndarray::s![.., own.clone()]), *metric);
                let mut scratch = vec![0.0; prototypes.nrows()];
                let mut point = vec![0.0; own.len()];
                for (row, mut out) in x.rows().into_iter().zip(codes.rows_mut()) {
                    for (p, j) in point.iter_mut().zip(own.clone()) {
                        *p = row[j];
                    }
                    out[c] = near.find(&point, &mut scratch).0 as u16;
                }
            }
        }
    }
    codes
}

/// Prototypes of one subspace, laid out so that the distances to all of them are computed side by side.
pub(crate) struct Nearest {
    /// `[dims, K]`, row-major.
    columns: Vec<f32>,
    k: usize,
    metric: Metric,
}

impl Nearest {
    /// Prototypes `[K, dims]`.
    pub(crate) fn new(prototypes: ArrayView2<'_, f32>, metric: Metric) -> Self {
        Self { columns: prototypes.t().iter().copied().collect(), k: prototypes.nrows(), metric }
    }

    /// The nearest prototype, ties to the lowest index, and its distance; `scratch` has room for K numbers.
    pub(crate) fn find(&self, point: &[f32], scratch: &mut [f32]) -> (usize, f32) {
        scratch.fill(0.0);
        for (&x, column) in point.iter().zip(self.columns.chunks_exact(self.k)) {
            match self.metric {
                Metric::L2 => {
                    for (sum, p) in scratch.iter_mut().zip(column) {
                        *sum += (x - p) * (x - p);
                    }
                }
                Metric::L1 => {
                    for (sum, p) in scratch.iter_mut().zip(column) {
                        *sum += (x - p).abs();
                    }
                }
            }
        }
        let mut best = (0, scratch[0]);
        for (k, &distance) in scratch.iter().enumerate().skip(1) {
            if distance < best.1 {
                best = (k, distance);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_tree_goes_right_at_its_threshold() {
        let encoder = Encoder::Tree { split: array![[0, 1]], threshold: array![[1.0, 5.0, -5.0]] };
        let x = array![[0.9_f32, 4.9], [0.9, 5.0], [1.0, -6.0], [1.0, -5.0]];
        assert_eq!(encode(&encoder, 1, x.view()), array![[0_u16], [1], [2], [3]]);
    }

    #[test]
    fn ties_go_to_the_lowest_index_and_metrics_differ() {
        let prototypes = array![[3.0_f32, 0.0], [2.0, 2.0], [3.0, 0.0]];
        let x = array![[0.0_f32, 0.0], [3.0, 0.0]];
        let with = |metric| {
            let prototypes = prototypes.clone();
            encode(&Encoder::Nearest { prototypes, metric }, 1, x.view())
        };
        assert_eq!(with(Metric::L1), array![[0_u16], [0]]);
        assert_eq!(with(Metric::L2), array![[1_u16], [0]]);
    }
}
