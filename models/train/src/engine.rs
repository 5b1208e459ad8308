//! Logits and gradients of many windows, in pieces that are worked on in parallel.
//!
//! The framework runs on one thread here; the pieces are what is parallel. That uses all cores also where single
//! operations are too small to be divided, and fixes the order of every sum.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use tablewright_model::NetworkConfig;

use crate::data::{Scaling, TrainingData};
use crate::device::DeviceKind;
use crate::error::Error;
use crate::loss::{Objective, Slope};
use crate::net::{Net, values};

/// Pieces of inference are so much larger than those of training: nothing has to be kept for a way back.
const INFERENCE: usize = 4;

/// One shape of network on one device.
#[derive(Debug, Clone)]
pub(crate) struct Engine<'a> {
    config: &'a NetworkConfig,
    /// Of the parameters, see [`crate::params`].
    shapes: Vec<[usize; 2]>,
    data: &'a TrainingData,
    scaling: Scaling,
    device: Device,
    piece: usize,
}

impl<'a> Engine<'a> {
    pub(crate) fn new(
        config: &'a NetworkConfig,
        shapes: Vec<[usize; 2]>,
        data: &'a TrainingData,
        scaling: Scaling,
        device: DeviceKind,
    ) -> Result<Self, Error> {
        Ok(Self { config, shapes, data, scaling, device: device.open()?, piece: device.piece() })
    }

    /// Sum of the loss over some training windows, and the gradient of its mean over windows and outputs. The windows
    /// are given by their place in [`TrainingData::train`].
    pub(crate) fn gradient(&self, weights: &[f32], batch: &[usize], objective: &Objective) -> Slope {
        let outputs = self.data.outputs();
        let scale = ((batch.len() * outputs) as f32).recip();
        let device = self.device.clone().autodiff();
        let pieces: Vec<Slope> = batch
            .par_chunks(self.piece)
            .map(|piece| {
                // Parameters of its own: the framework locks what two pieces share.
                let net = Net::new(self.config, &self.shapes, weights, &device);
                let rows: Vec<usize> = piece.iter().map(|&at| self.data.train[at]).collect();
                let logits = net.forward(self.data.windows(&rows, &self.scaling, &device));
                let Slope { loss, mut gradient } =
                    objective.slope(&values(logits.clone().inner()), self.data.bitmaps(&rows).view(), piece);
                for g in &mut gradient {
                    *g *= scale;
                }
                // The gradient of Σ logit·g at the logits is g.
                let pull = TensorData::new(gradient, [rows.len(), outputs]);
                let gradients = (logits * Tensor::<2>::from_data(pull, &device)).sum().backward();
                Slope { loss, gradient: net.gradient(&gradients) }
            })
            .collect();
        let mut sum = Slope { loss: 0.0, gradient: vec![0.0; weights.len()] };
        for piece in pieces {
            sum.loss += piece.loss;
            for (sum, part) in sum.gradient.iter_mut().zip(piece.gradient) {
                *sum += part;
            }
        }
        sum
    }

    /// Something of the logits (`[rows, outputs]`, row-major) of each piece of rows of the dataset, in their order.
    pub(crate) fn map_logits<T: Send>(
        &self,
        weights: &[f32],
        rows: &[usize],
        work: impl Fn(&[usize], Vec<f32>) -> T + Sync,
    ) -> Vec<T> {
        let net = Net::new(self.config, &self.shapes, weights, &self.device);
        rows.par_chunks(INFERENCE * self.piece)
            .map(|rows| work(rows, values(net.forward(self.data.windows(rows, &self.scaling, &self.device)))))
            .collect()
    }
}
