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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_those_of_the_paper() {
        let (rate, decay) = (0.1f64, 0.5f64);
        let mut weights = [1.0f32, -2.0];
        let mut adam = Adam::new(2);
        let (mut expected, mut first, mut second) = ([1.0f64, -2.0], [0.0f64; 2], [0.0f64; 2]);
        for step in 1..=4 {
            let gradient = [0.3 * f64::from(step), -1.0 / f64::from(step)];
            for i in 0..2 {
                first[i] = 0.9 * first[i] + 0.1 * gradient[i];
                second[i] = 0.999 * second[i] + 0.001 * gradient[i].powi(2);
                let (mean, square) =
                    (first[i] / (1.0 - 0.9f64.powi(step)), second[i] / (1.0 - 0.999f64.powi(step)));
                expected[i] -= rate * (mean / (square.sqrt() + 1e-8) + decay * expected[i]);
            }
            adam.step(&mut weights, &gradient.map(|g| g as f32), rate, decay as f32);
            for (found, expected) in weights.iter().zip(expected) {
                assert!(
                    (f64::from(*found) - expected).abs() < 1e-5,
                    "{found} for {expected} after step {step}"
                );
            }
        }
    }
}
