//! The optimiser: Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101).
//!
//! On one vector, with its state in the open: a checkpoint holds it as it is, and a step is one pass over memory.

/// Share of the old first moment that is kept.
const BETA_1: f32 = 0.9;
/// Share of the old second moment that is kept.
const BETA_2: f32 = 0.999;
/// Added to the root of the second moment.
const EPSILON: f32 = 1e-8;

/// Moments of every parameter's gradient.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Adam {
    /// Running mean.
    pub(crate) first: Vec<f32>,
    /// Running mean of the squares.
    pub(crate) second: Vec<f32>,
    /// Steps taken.
    pub(crate) steps: usize,
}

impl Adam {
    pub(crate) fn new(parameters: usize) -> Self {
        Self { first: vec![0.0; parameters], second: vec![0.0; parameters], steps: 0 }
    }

    /// Moves the weights against the gradient.
    pub(crate) fn step(&mut self, weights: &mut [f32], gradient: &[f32], rate: f64, decay: f32) {
        self.steps += 1;
        let correction = |beta: f32| 1.0 - f64::from(beta).powf(self.steps as f64);
        let kept = (1.0 - rate * f64::from(decay)) as f32;
        let rate = (rate / correction(BETA_1)) as f32;
        let unbias = correction(BETA_2).recip() as f32;
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((weight, gradient), (first, second)) in weights.iter_mut().zip(gradient).zip(moments) {
            *first = BETA_1 * *first + (1.0 - BETA_1) * gradient;
            *second = BETA_2 * *second + (1.0 - BETA_2) * gradient * gradient;
            *weight = *weight * kept - rate * *first / ((*second * unbias).sqrt() + EPSILON);
        }
    }
}
