//! The training loop.

use std::time::Instant;

use burn::Tensor;
use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::Device;
use ndarray::Array2;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tablewright_model::Network;
use tablewright_trace::best_threshold;

use crate::data::{Scaling, TrainingData};
use crate::error::Error;
use crate::net::{Net, values};

/// What a training is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Passes over the training windows, at most.
    pub epochs: usize,
    /// Windows for one step of the optimiser.
    pub batch: usize,
    /// Largest learning rate of the schedule.
    pub lr: f64,
    /// Decoupled weight decay, times the learning rate.
    pub weight_decay: f32,
    /// Stop after this many epochs without a better one.
    pub patience: usize,
    /// First weights and order of the windows.
    pub seed: u64,
}

/// What one epoch brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Epoch {
    /// From 1.
    pub epoch: usize,
    /// Mean binary cross-entropy over the training windows, while they were learnt.
    pub loss: f64,
    /// Mean binary cross-entropy over the validation windows.
    pub loss_valid: f64,
    /// A bit is predicted when its probability is at least this; chosen on the validation windows.
    pub threshold: f64,
    /// Micro-F1 on the validation windows at this threshold.
    pub f1: f64,
    /// Since the training began.
    pub seconds: f64,
}

/// A finished training.
#[derive(Debug, Clone)]
pub struct Trained {
    /// Weights of the best epoch.
    pub network: Network,
    /// The best epoch.
    pub best: Epoch,
}

/// Limits of an option, for its error message.
const EPOCHS: &str = "1 to 100000";

impl Settings {
    /// Refuses what no training can work with.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let refuse = |option, value: String, allowed| Err(Error::Option { option, value, allowed });
        if !(1..=100_000).contains(&self.epochs) {
            return refuse("epochs", self.epochs.to_string(), EPOCHS);
        }
        if !(1..=65_536).contains(&self.batch) {
            return refuse("batch", self.batch.to_string(), "1 to 65536");
        }
        if !(self.lr > 0.0 && self.lr <= 1.0) {
            return refuse("lr", self.lr.to_string(), "above 0, up to 1");
        }
        if !(0.0..=1.0).contains(&self.weight_decay) {
            return refuse("weight-decay", self.weight_decay.to_string(), "0 to 1");
        }
        if self.patience == 0 {
            return refuse("patience", "0".into(), "1 or more");
        }
        Ok(())
    }
}

/// Part of all steps in which the learning rate rises to its peak.
const WARM_UP: f64 = 0.05;
/// The learning rate ends at this part of its peak.
const FINAL: f64 = 0.01;

/// Linear rise, then half a cosine.
fn learning_rate(peak: f64, step: usize, steps: usize) -> f64 {
    let progress = (step as f64 + 1.0) / steps as f64;
    if progress < WARM_UP {
        return peak * progress / WARM_UP;
    }
    let phase = (progress - WARM_UP) / (1.0 - WARM_UP) * std::f64::consts::PI;
    peak * (FINAL + (1.0 - FINAL) * 0.5 * (1.0 + phase.cos()))
}

/// Mean over windows and bits of −y·ln σ(z) − (1 − y)·ln(1 − σ(z)), in a form that no logit overflows.
pub(crate) fn cross_entropy(logits: Tensor<2>, labels: Tensor<2>) -> Tensor<1> {
    let softplus = logits.clone().abs().neg().exp().log1p();
    (logits.clone().clamp_min(0.0) - logits * labels + softplus).mean()
}

/// F1 that differ by less are told apart by the loss: on a regular trace the F1 is 1 after one epoch, but the margin still
/// grows, and tables need it.
const TIE: f64 = 0.0005;

impl Epoch {
    /// Whether this epoch's weights are kept instead of those of `best`, when `peak` is the largest F1 so far.
    fn beats(&self, best: &Self, peak: f64) -> bool {
        self.f1 > best.f1 + TIE || (self.f1 >= peak - TIE && self.loss_valid < best.loss_valid)
    }
}

/// Trains on from `start` and gives the weights of the best epoch, judged on the validation windows. `report` is called after each
/// epoch.
pub(crate) fn train(
    start: &Network,
    data: &TrainingData,
    settings: &Settings,
    mut report: impl FnMut(&Epoch) -> Result<(), Error>,
) -> Result<Trained, Error> {
    let began = Instant::now();
    let device = Device::flex().autodiff();
    let scaling = data.scaling();
    let mut scaled = start.clone();
    scaling.unfold(&mut scaled);
    let mut net = Net::new(&scaled, &device);
    let mut optimizer = AdamWConfig::new().with_weight_decay(settings.weight_decay).with_epsilon(1e-8).init();
    let mut order = data.train.clone();
    let steps = settings.epochs * order.len().div_ceil(settings.batch);
    let mut shuffle = ChaCha8Rng::seed_from_u64(settings.seed);
    let mut step = 0;
    let mut peak = 0.0;
    let mut best: Option<Trained> = None;
    for epoch in 1..=settings.epochs {
        order.shuffle(&mut shuffle);
        let mut loss_sum = 0.0;
        for rows in order.chunks(settings.batch) {
            let logits = net.forward(data.windows(rows, &scaling, &device));
            let loss = cross_entropy(logits, data.labels(rows, &device));
            let gradients = GradientsParams::from_grads(loss.backward(), &net.parameters);
            loss_sum += f64::from(loss.into_scalar::<f32>()) * rows.len() as f64;
            let rate = learning_rate(settings.lr, step, steps);
            net.parameters = optimizer.step(rate, net.parameters, gradients);
            step += 1;
        }
        let loss = loss_sum / order.len() as f64;
        let Validation { loss: loss_valid, threshold, f1 } = validate(&net, data, &scaling, settings.batch)?;
        if !(loss.is_finite() && loss_valid.is_finite()) {
            return Err(Error::Diverged { epoch, lr: settings.lr });
        }
        let done = Epoch { epoch, loss, loss_valid, threshold, f1, seconds: began.elapsed().as_secs_f64() };
        report(&done)?;
        peak = done.f1.max(peak);
        match &best {
            Some(known) if !done.beats(&known.best, peak) => {
                if epoch - known.best.epoch >= settings.patience {
                    break;
                }
            }
            _ => {
                let mut network = net.to_network(&start.name, &start.input);
                scaling.fold(&mut network);
                best = Some(Trained { network, best: done });
            }
        }
    }
    best.ok_or_else(|| Error::Option { option: "epochs", value: "0".into(), allowed: EPOCHS })
}

struct Validation {
    loss: f64,
    threshold: f64,
    f1: f64,
}

fn validate(net: &Net, data: &TrainingData, scaling: &Scaling, batch: usize) -> Result<Validation, Error> {
    let net = Net { config: net.config.clone(), parameters: net.parameters.valid() };
    let device = Device::flex();
    let mut logits = Vec::with_capacity(data.valid.len() * data.outputs());
    let mut loss_sum = 0.0;
    for rows in data.valid.chunks(batch) {
        let found = net.forward(data.windows(rows, scaling, &device));
        let loss = cross_entropy(found.clone(), data.labels(rows, &device));
        loss_sum += f64::from(loss.into_scalar::<f32>()) * rows.len() as f64;
        logits.extend(values(found));
    }
    let bitmaps = data.bitmaps(&data.valid);
    let logits = Array2::from_shape_fn((data.valid.len(), data.outputs()), |(row, output)| {
        logits[row * data.outputs() + output]
    });
    let best = best_threshold(logits.view(), bitmaps.view())?;
    // A model's threshold lies strictly between 0 and 1; a logit of 100 rounds to 1.
    let probability = |logit: f32| (1.0 / (1.0 + (-f64::from(logit)).exp())).clamp(1e-6, 1.0 - 1e-6);
    let (threshold, f1) = best.map_or((0.5, 0.0), |b| (probability(b.threshold), b.confusion.f1()));
    Ok(Validation { loss: loss_sum / data.valid.len() as f64, threshold, f1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_learning_rate_rises_to_its_peak_and_falls() {
        let rates: Vec<f64> = (0..1000).map(|step| learning_rate(2.0, step, 1000)).collect();
        let top = rates.iter().copied().fold(0.0, f64::max);
        assert!((top - 2.0).abs() < 1e-9);
        assert!(rates[..50].is_sorted() && rates[50..].is_sorted_by(|a, b| a >= b));
        assert!((rates[0] - 0.04).abs() < 1e-9 && (rates[999] - 0.02).abs() < 1e-9);
        // A training of one step.
        assert!(learning_rate(2.0, 0, 1) > 0.0);
    }

    #[test]
    fn f1_decides_and_then_the_loss() {
        let epoch =
            |f1, loss_valid| Epoch { epoch: 1, loss: 0.0, loss_valid, threshold: 0.5, f1, seconds: 0.0 };
        let best = epoch(0.9, 0.1);
        assert!(epoch(0.95, 0.5).beats(&best, 0.95));
        assert!(!epoch(0.85, 0.05).beats(&best, 0.9));
        assert!(epoch(0.9, 0.05).beats(&best, 0.9));
        assert!(!epoch(0.9001, 0.2).beats(&best, 0.9001));
        // Small steps down must not add up.
        assert!(!epoch(0.8998, 0.05).beats(&best, 0.9004));
    }
}
