//! The network's functions that stay arithmetic in a table model.

use ndarray::Array2;
use tablewright_model::Activation;

/// Layer normalisation of every row, without an affine part: (x − mean) / √(variance + eps). Returns what each row was
/// multiplied by, 1 / √(variance + eps).
pub(crate) fn normalise(x: &mut Array2<f32>, eps: f64) -> Vec<f32> {
    let width = x.ncols() as f32;
    (x.rows_mut().into_iter())
        .map(|mut row| {
            let mean = row.sum() / width;
            row -= mean;
            let variance = row.iter().map(|v| v * v).sum::<f32>() / width;
            let scale = 1.0 / (variance + eps as f32).sqrt();
            row *= scale;
            scale
        })
        .collect()
}

/// Softmax of every row.
pub(crate) fn softmax(x: &mut Array2<f32>) {
    for mut row in x.rows_mut() {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row.mapv_inplace(|v| (v - max).exp());
        let sum = row.sum();
        row /= sum;
    }
}

/// 1 / (1 + e^−x).
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// The activation of a feed-forward block, in place.
pub(crate) fn activate(x: &mut Array2<f32>, activation: Activation) {
    match activation {
        Activation::Gelu => {
            x.mapv_inplace(|v| 0.5 * v * (1.0 + libm::erff(v * std::f32::consts::FRAC_1_SQRT_2)));
        }
        Activation::Relu => x.mapv_inplace(|v| v.max(0.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    #[test]
    fn gelu_is_the_exact_one() {
        // x·Φ(x) with Φ(1) = 0.8413447461, Φ(3) = 0.9986501020; the tanh form gives 0.841192 for 1.
        let mut x = array![[-1.0_f32, 0.0, 1.0, 3.0]];
        activate(&mut x, Activation::Gelu);
        assert_abs_diff_eq!(x, array![[-0.158_655_25_f32, 0.0, 0.841_344_7, 2.995_950_3]], epsilon = 1e-6);
    }

    #[test]
    fn normalised_rows_have_mean_0_and_variance_1() {
        let mut x = array![[1.0_f32, 3.0], [-5.0, -5.0]];
        normalise(&mut x, 1e-12);
        assert_abs_diff_eq!(x, array![[-1.0_f32, 1.0], [0.0, 0.0]], epsilon = 1e-6);
    }

    #[test]
    fn softmax_survives_large_scores() {
        let mut x = array![[1000.0_f32, 1000.0 + 2.0_f32.ln()]];
        softmax(&mut x);
        assert_abs_diff_eq!(x, array![[1.0_f32 / 3.0, 2.0 / 3.0]], epsilon = 1e-4);
    }
}
