//! The training loop.

use std::time::Instant;

use ndarray::ArrayView2;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tablewright_model::Network;
use tablewright_trace::best_threshold;

use crate::adam::Adam;
use crate::checkpoint::{Checkpoint, State};
use crate::data::TrainingData;
use crate::device::DeviceKind;
use crate::engine::Engine;
use crate::error::Error;
use crate::loss::Objective;
use crate::teacher::Teacher;
use crate::{loss, params};

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
    /// Mean loss over the training windows, while they were learnt: binary cross-entropy, or see [`crate::Distillation`].
    pub loss: f64,
    /// Mean binary cross-entropy over the validation windows.
    pub loss_valid: f64,
    /// A bit is predicted when its probability is at least this; chosen on the validation windows.
    pub threshold: f64,
    /// Micro-F1 on the validation windows at this threshold.
    pub f1: f64,
    /// Since the training began, without the time between an interruption and its resumption.
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

/// What is left of the average of the weights after a step, at most.
///
/// Judged and kept is a running average, not the last weights: on drifting traces those of a few hundred steps ago are as
/// good, and their mean is better than each (Polyak and Juditsky, 1992).
const KEPT: f32 = 0.998;

/// What is left of the average after step `step`, from 1: the first weights are soon forgotten.
fn kept(step: usize) -> f32 {
    let step = step as f32;
    KEPT.min((step - 1.0) / (step + 1.0))
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

/// The best of all epochs so far; `None` before the first.
fn best_of(epochs: &[Epoch]) -> Option<&Epoch> {
    let mut epochs = epochs.iter();
    let mut best = epochs.next()?;
    let mut peak = best.f1;
    for epoch in epochs {
        peak = epoch.f1.max(peak);
        if epoch.beats(best, peak) {
            best = epoch;
        }
    }
    Some(best)
}

/// One training, ready to begin or to go on.
pub(crate) struct Course<'a> {
    /// The weights to begin with.
    pub(crate) start: &'a Network,
    pub(crate) data: &'a TrainingData,
    pub(crate) settings: &'a Settings,
    pub(crate) teacher: Option<&'a Teacher>,
    pub(crate) checkpoint: Option<&'a Checkpoint>,
    pub(crate) device: DeviceKind,
}

impl Course<'_> {
    /// Trains to the end and gives the weights of the best epoch, judged on the validation windows. `report` is called
    /// after each epoch; if the training goes on from a checkpoint, first for each epoch that is in it.
    pub(crate) fn run(&self, mut report: impl FnMut(&Epoch) -> Result<(), Error>) -> Result<Trained, Error> {
        let Self { data, settings, .. } = *self;
        let scaling = data.scaling();
        let mut network = self.start.clone();
        scaling.unfold(&mut network);
        let shapes = params::shapes(&network);
        let engine = Engine::new(&self.start.config, shapes, data, scaling.clone(), self.device)?;
        let mut state = self.begin(params::flatten(&network))?;
        state.epochs.iter().try_for_each(&mut report)?;

        let began = Instant::now();
        let earlier = state.epochs.last().map_or(0.0, |last| last.seconds);
        let mut order: Vec<usize> = (0..data.train.len()).collect();
        let mut shuffle = ChaCha8Rng::seed_from_u64(settings.seed);
        for _ in &state.epochs {
            order.shuffle(&mut shuffle);
        }
        let mut objective = None;
        while !self.finished(&state.epochs) {
            let objective = match &objective {
                Some(ready) => ready,
                // Not before it is needed: a finished training asks its teacher nothing.
                None => objective.insert(self.objective()?),
            };
            order.shuffle(&mut shuffle);
            let loss = self.epoch(&engine, &mut state, &order, objective);
            let found = validate(&engine, &state.average, data)?;
            let epoch = state.epochs.len() + 1;
            if !(loss.is_finite() && found.loss.is_finite()) {
                return Err(Error::Diverged { epoch, lr: settings.lr });
            }
            let done = Epoch {
                epoch,
                loss,
                loss_valid: found.loss,
                threshold: found.threshold,
                f1: found.f1,
                seconds: earlier + began.elapsed().as_secs_f64(),
            };
            state.epochs.push(done.clone());
            if best_of(&state.epochs).is_some_and(|best| best.epoch == epoch) {
                state.best.clone_from(&state.average);
            }
            if let Some(checkpoint) = self.checkpoint {
                checkpoint.save(&state)?;
            }
            report(&done)?;
        }
        params::fill(&mut network, &state.best);
        scaling.fold(&mut network);
        let best = best_of(&state.epochs).cloned();
        let none = || Error::Option { option: "epochs", value: "0".into(), allowed: EPOCHS };
        Ok(Trained { network, best: best.ok_or_else(none)? })
    }

    fn begin(&self, weights: Vec<f32>) -> Result<State, Error> {
        let known = self.checkpoint.map_or(Ok(None), |checkpoint| checkpoint.load(weights.len()))?;
        let adam = Adam::new(weights.len());
        Ok(known.unwrap_or_else(|| {
            let (average, best) = (weights.clone(), weights.clone());
            State { weights, adam, average, best, epochs: Vec::new() }
        }))
    }

    fn objective(&self) -> Result<Objective, Error> {
        let teacher = self.teacher.map(|teacher| teacher.teach(self.data, self.device)).transpose()?;
        Ok(Objective { outputs: self.data.outputs(), teacher })
    }

    fn finished(&self, epochs: &[Epoch]) -> bool {
        let best = best_of(epochs).map_or(0, |best| best.epoch);
        epochs.len() >= self.settings.epochs || epochs.len() - best >= self.settings.patience
    }

    /// One pass over the training windows; gives their mean loss on the way.
    fn epoch(&self, engine: &Engine<'_>, state: &mut State, order: &[usize], objective: &Objective) -> f64 {
        let settings = self.settings;
        let steps = settings.epochs * order.len().div_ceil(settings.batch);
        let mut sum = 0.0;
        for batch in order.chunks(settings.batch) {
            let slope = engine.gradient(&state.weights, batch, objective);
            sum += slope.loss;
            let rate = learning_rate(settings.lr, state.adam.steps, steps);
            state.adam.step(&mut state.weights, &slope.gradient, rate, settings.weight_decay);
            let kept = kept(state.adam.steps);
            for (average, weight) in state.average.iter_mut().zip(&state.weights) {
                *average += (1.0 - kept) * (weight - *average);
            }
        }
        sum / (order.len() * self.data.outputs()) as f64 - objective.floor()
    }
}

struct Validation {
    loss: f64,
    threshold: f64,
    f1: f64,
}

fn validate(engine: &Engine<'_>, weights: &[f32], data: &TrainingData) -> Result<Validation, Error> {
    let (rows, outputs) = (&data.valid, data.outputs());
    let pieces = engine.map_logits(weights, rows, |rows, logits| {
        let loss = loss::hard(&logits, outputs, data.bitmaps(rows).view()).loss;
        (logits, loss)
    });
    let mut loss = 0.0;
    let mut logits = Vec::with_capacity(rows.len() * outputs);
    for (part, part_loss) in pieces {
        logits.extend(part);
        loss += part_loss;
    }
    let logits = ArrayView2::from_shape((rows.len(), outputs), &logits)
        .map_err(|error| tablewright_trace::Error::Shape { detail: error.to_string() })?;
    let best = best_threshold(logits, data.bitmaps(rows).view())?;
    // A model's threshold lies strictly between 0 and 1; a logit of 100 rounds to 1.
    let probability = |logit: f32| (1.0 / (1.0 + (-f64::from(logit)).exp())).clamp(1e-6, 1.0 - 1e-6);
    let (threshold, f1) = best.map_or((0.5, 0.0), |b| (probability(b.threshold), b.confusion.f1()));
    Ok(Validation { loss: loss / (rows.len() * outputs) as f64, threshold, f1 })
}

#[cfg(test)]
mod tests {
    // Exact by construction.
    #![allow(clippy::float_cmp)]

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
    fn the_average_forgets_where_it_began() {
        // Of a constant from the first step on; of a rise, it stays behind by what it keeps.
        let average = |weight: &dyn Fn(usize) -> f32, steps| {
            (1..=steps).fold(100.0, |average, step| average + (1.0 - kept(step)) * (weight(step) - average))
        };
        assert_eq!(average(&|_| 7.0, 1), 7.0);
        let behind = 20_000.0 - average(&|step| step as f32, 20_000);
        assert!((behind - 499.0).abs() < 1.0, "{behind}");
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
