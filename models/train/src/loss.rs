//! What is minimised, and its gradient at the logits.
//!
//! Worked out here and not by the framework's operations, one pass over the logits instead of a dozen; the framework
//! takes over at the gradient of the logits.

// Array views are references already and go by value everywhere.
#![allow(clippy::needless_pass_by_value)]

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

/// How much the labels count and how much the teacher.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Blend {
    /// Weight of the labels, 0 to 1; the teacher has the rest.
    pub(crate) alpha: f32,
    /// T.
    pub(crate) temperature: f32,
}

/// What the teacher says of the training windows.
#[derive(Debug, Clone)]
pub(crate) struct Soft {
    /// `[windows, outputs]`: σ(z / T) of the teacher's logits z, as fractions of [`ONE`]. Sixteen bits are more than
    /// the gradient needs, and half of what a float takes.
    pub(crate) probabilities: Array2<u16>,
    pub(crate) blend: Blend,
    /// Mean entropy of the probabilities over windows and outputs.
    pub(crate) entropy: f64,
}

/// What is minimised on the training windows.
#[derive(Debug, Clone)]
pub(crate) struct Objective {
    /// `[outputs]` of a network.
    pub(crate) outputs: usize,
    pub(crate) teacher: Option<Soft>,
}

/// Sum of the loss over some windows, and a gradient.
pub(crate) struct Slope {
    pub(crate) loss: f64,
    pub(crate) gradient: Vec<f32>,
}

impl Objective {
    /// The loss of windows and its gradient at their logits (`[windows, outputs]`), both not yet divided by the number
    /// of windows and outputs. `at` are the windows' rows of the teacher's probabilities.
    pub(crate) fn slope(&self, logits: &[f32], labels: ArrayView2<'_, u8>, at: &[usize]) -> Slope {
        match &self.teacher {
            None => hard(logits, self.outputs, labels),
            Some(soft) => blended(
                logits,
                self.outputs,
                labels,
                soft.probabilities.select(Axis(0), at).view(),
                soft.blend,
            ),
        }
    }

    /// What the teacher's own entropy adds to the mean loss whatever the weights are: without it the second term is a
    /// divergence.
    pub(crate) fn floor(&self) -> f64 {
        self.teacher.as_ref().map_or(0.0, |soft| soft.blend.soft_weight() * soft.entropy)
    }
}

impl Blend {
    /// Factor of the second term.
    fn soft_weight(self) -> f64 {
        f64::from(1.0 - self.alpha) * f64::from(self.temperature).powi(2)
    }
}

/// Fraction of one in sixteen bits.
pub(crate) const ONE: f32 = 65535.0;

/// Outputs whose 1 + e^−|z| are multiplied before one logarithm is taken: 2^32 at most.
const TOGETHER: usize = 32;

/// σ(z), and e^−|z| on the way there; no logit overflows.
#[inline]
pub(crate) fn sigmoid(z: f32) -> (f32, f32) {
    let e = (-z.abs()).exp();
    let far = 1.0 / (1.0 + e);
    (if z >= 0.0 { far } else { e * far }, e)
}

/// Σ −y·ln σ(z) − (1 − y)·ln(1 − σ(z)) over one window's outputs; `target` gives y, `slope` takes σ(z) − y.
fn cross_entropy(logits: &[f32], target: impl Fn(usize) -> f32, mut slope: impl FnMut(usize, f32)) -> f64 {
    let mut loss = 0.0;
    for (chunk, part) in logits.chunks(TOGETHER).enumerate() {
        let (mut linear, mut product) = (0.0f64, 1.0f64);
        for (i, &z) in part.iter().enumerate() {
            let output = chunk * TOGETHER + i;
            let y = target(output);
            let (p, e) = sigmoid(z);
            linear += f64::from(z.max(0.0) - z * y);
            product *= f64::from(1.0 + e);
            slope(output, p - y);
        }
        loss += linear + product.ln();
    }
    loss
}

/// Bit `output` of a label.
fn bit(label: ArrayView1<'_, u8>, output: usize) -> f32 {
    f32::from(label[output / 8] >> (output % 8) & 1)
}

/// Binary cross-entropy with the labels. `logits` are `[windows, outputs]`, `labels` one bitmap a window.
pub(crate) fn hard(logits: &[f32], outputs: usize, labels: ArrayView2<'_, u8>) -> Slope {
    let mut gradient = vec![0.0; logits.len()];
    let mut loss = 0.0;
    for ((z, g), label) in logits.chunks(outputs).zip(gradient.chunks_mut(outputs)).zip(labels.rows()) {
        loss += cross_entropy(z, |i| bit(label, i), |i, d| g[i] = d);
    }
    Slope { loss, gradient }
}

/// α·BCE(σ(z), y) + (1 − α)·T²·CE(σ(z / T), σ(`teacher` / T)).
///
/// The second cross-entropy is the divergence KL(teacher ‖ student) of each output's two outcomes plus the teacher's
/// entropy, which no weight changes. T² keeps α's meaning: without it the gradient of the second term would shrink with
/// 1/T² (Hinton et al., arXiv 1503.02531, section 2).
fn blended(
    logits: &[f32],
    outputs: usize,
    labels: ArrayView2<'_, u8>,
    teacher: ArrayView2<'_, u16>,
    blend: Blend,
) -> Slope {
    let Blend { alpha, temperature } = blend;
    let pull = (1.0 - alpha) * temperature;
    let mut gradient = vec![0.0; logits.len()];
    let mut loss = 0.0;
    let rows = logits.chunks(outputs).zip(gradient.chunks_mut(outputs));
    for ((z, g), (label, soft)) in rows.zip(labels.rows().into_iter().zip(teacher.rows())) {
        if (temperature - 1.0).abs() < f32::EPSILON {
            // Both terms are linear in their target: one pass towards the mixed one.
            let target = |i| alpha * bit(label, i) + (1.0 - alpha) * f32::from(soft[i]) / ONE;
            loss += cross_entropy(z, target, |i, d| g[i] = d);
            continue;
        }
        loss += f64::from(alpha) * cross_entropy(z, |i| bit(label, i), |i, d| g[i] = alpha * d);
        let cooled: Vec<f32> = z.iter().map(|z| z / temperature).collect();
        loss += blend.soft_weight()
            * cross_entropy(&cooled, |i| f32::from(soft[i]) / ONE, |i, d| g[i] += pull * d);
    }
    Slope { loss, gradient }
}

/// Entropy of an outcome of this probability, in nats.
pub(crate) fn entropy(probability: f64) -> f64 {
    let part = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    part(probability) + part(1.0 - probability)
}

#[cfg(test)]
mod tests {
    // Exact by construction.
    #![allow(clippy::float_cmp)]

    use ndarray::array;

    use super::*;

    #[test]
    fn no_logit_overflows() {
        // Right, right, wrong, wrong: a wrong certainty costs its logit.
        let slope = hard(&[1e4, -1e4, 3e38, -50.0], 4, array![[0b1001u8]].view());
        assert!((slope.loss / (f64::from(3e38f32) + 50.0) - 1.0).abs() < 1e-9, "{}", slope.loss);
        assert_eq!(slope.gradient, [0.0, 0.0, 1.0, -1.0]);
        // As many outputs as a product of logarithms takes, all undecided.
        let slope = hard(&[0.0; 256], 256, Array2::zeros((1, 32)).view());
        assert!((slope.loss - 256.0 * std::f64::consts::LN_2).abs() < 1e-9);
        assert_eq!(slope.gradient, [0.5; 256]);
    }

    #[test]
    fn entropy_of_the_extremes() {
        assert_eq!([entropy(0.0), entropy(1.0)], [0.0, 0.0]);
        assert!((entropy(0.5) - std::f64::consts::LN_2).abs() < 1e-12);
    }
}
