//! Windows and labels as the training sees them.

use burn::Tensor;
use burn::tensor::{Device, TensorData};
use ndarray::{Array1, Array2, Axis};
use tablewright_model::{InputConfig, Network, NetworkConfig};
use tablewright_trace::dataset::thin;
use tablewright_trace::{Dataset, Split};

use crate::checkpoint::Fingerprint;
use crate::error::Error;

/// A dataset and the rows that are used of it.
#[derive(Debug, Clone)]
pub(crate) struct TrainingData {
    dataset: Dataset,
    /// Rows that are learnt.
    pub(crate) train: Vec<usize>,
    /// Rows on which the best epoch and the threshold are chosen.
    pub(crate) valid: Vec<usize>,
}

/// Of `max_windows`, the validation takes one in so many.
const VALID_SHARE: usize = 4;

impl TrainingData {
    /// Uses at most `max_windows` rows of the training part and a quarter as many of the validation part, both evenly
    /// thinned over time. The test part stays unseen.
    pub(crate) fn new(
        dataset: Dataset,
        split: &Split,
        network: &NetworkConfig,
        input: &InputConfig,
        max_windows: Option<usize>,
    ) -> Result<Self, Error> {
        let (_, history, segments) = dataset.windows.dim();
        let fields = [
            ("network.history", history, network.history),
            ("network.segments", segments, network.segments),
            ("network.outputs", dataset.outputs, network.outputs),
            ("input.segment_bits", dataset.segment_bits as usize, input.segment_bits as usize),
        ];
        for (field, dataset, config) in fields {
            if dataset != config {
                return Err(Error::Mismatch { field, dataset, config });
            }
        }
        let max = max_windows.unwrap_or(usize::MAX);
        let train: Vec<usize> = thin(split.train.clone(), max).collect();
        let valid: Vec<usize> = thin(split.valid.clone(), max.div_ceil(VALID_SHARE)).collect();
        for (part, rows) in [("train", &train), ("valid", &valid)] {
            if rows.is_empty() {
                return Err(Error::EmptyPart { part });
            }
            if rows.iter().all(|&row| dataset.labels.row(row).iter().all(|&bits| bits == 0)) {
                return Err(Error::NoLabel { part, windows: rows.len() });
            }
        }
        Ok(Self { dataset, train, valid })
    }

    /// Suits random weights to the data: the embedding to the spread of the segments, the head's bias to how often each
    /// output is set.
    pub(crate) fn prepare(&self, network: &mut Network) {
        self.scaling().fold(network);
        network.head.bias = self.prior();
    }

    /// Adds all that a training sees of it.
    pub(crate) fn identify(&self, fingerprint: &mut Fingerprint) {
        let Dataset { windows, labels, outputs, segment_bits, .. } = &self.dataset;
        let shape = format!("{:?} {:?} {outputs} {segment_bits}", windows.dim(), labels.dim());
        fingerprint.add(shape.as_bytes());
        for rows in [&self.train, &self.valid] {
            fingerprint.add(&rows.iter().flat_map(|row| (*row as u64).to_le_bytes()).collect::<Vec<u8>>());
        }
        fingerprint.add(&windows.iter().copied().collect::<Vec<u8>>());
        fingerprint.add(&labels.iter().copied().collect::<Vec<u8>>());
    }

    /// Bits of a label.
    pub(crate) fn outputs(&self) -> usize {
        self.dataset.outputs
    }

    /// Labels of some rows, as bitmaps.
    pub(crate) fn bitmaps(&self, rows: &[usize]) -> Array2<u8> {
        self.dataset.labels.select(Axis(0), rows)
    }

    /// Features of some rows, `[rows, history, segments]`.
    pub(crate) fn windows(&self, rows: &[usize], scaling: &Scaling, device: &Device) -> Tensor<3> {
        let (_, history, segments) = self.dataset.windows.dim();
        let mut features = Vec::with_capacity(rows.len() * history * segments);
        for &row in rows {
            for token in self.dataset.windows.index_axis(Axis(0), row).rows() {
                let columns = token.iter().zip(&scaling.mean).zip(&scaling.gain);
                features.extend(
                    columns.map(|((&value, mean), gain)| (f32::from(value) * scaling.unit - mean) * gain),
                );
            }
        }
        Tensor::from_data(TensorData::new(features, [rows.len(), history, segments]), device)
    }

    /// For each output ln(p / (1 − p)), p the share of training windows that have it, kept away from 0 and 1: the
    /// logits of a network that knows nothing of the window.
    fn prior(&self) -> Array1<f32> {
        let mut counts = vec![0u32; self.dataset.outputs];
        for &row in &self.train {
            let label = self.dataset.labels.row(row);
            for (i, count) in counts.iter_mut().enumerate() {
                *count += u32::from(label[i / 8] >> (i % 8) & 1);
            }
        }
        let rows = self.train.len() as f64;
        let logit = |count: u32| {
            let share = (f64::from(count) / rows).clamp(0.001, 0.999);
            (share / (1.0 - share)).ln() as f32
        };
        counts.into_iter().map(logit).collect()
    }

    /// No scaling: what a finished network sees.
    pub(crate) fn unit(&self) -> Scaling {
        let (_, _, segments) = self.dataset.windows.dim();
        let unit = 1.0 / f64::from(1u32 << self.dataset.segment_bits);
        Scaling { unit: unit as f32, mean: vec![0.0; segments], gain: vec![1.0; segments] }
    }

    /// See [`Scaling`].
    pub(crate) fn scaling(&self) -> Scaling {
        let (_, history, segments) = self.dataset.windows.dim();
        // Sums of integers: exact, so that no order of summation matters.
        let mut sums = vec![(0u64, 0u64); segments];
        for &row in &self.train {
            for token in self.dataset.windows.index_axis(Axis(0), row).rows() {
                for (&value, (sum, squares)) in token.iter().zip(&mut sums) {
                    *sum += u64::from(value);
                    *squares += u64::from(value) * u64::from(value);
                }
            }
        }
        let unit = 1.0 / f64::from(1u32 << self.dataset.segment_bits);
        let count = (self.train.len() * history) as f64;
        let (mut means, mut gains) = (Vec::new(), Vec::new());
        for (sum, squares) in sums {
            let mean = sum as f64 / count;
            let deviation = (squares as f64 / count - mean * mean).max(0.0).sqrt() * unit;
            means.push((mean * unit) as f32);
            gains.push((DEVIATION / deviation.max(LEAST_DEVIATION)) as f32);
        }
        Scaling { unit: unit as f32, mean: means, gain: gains }
    }
}

/// Standard deviation of a scaled segment. More than 1 lets the embedding learn faster than the other weights: what tells
/// one delta from another is a small difference between two tokens.
const DEVIATION: f64 = 2.0;

/// A segment that varies less than this is treated as if it varied so much: a high segment that takes two neighbouring
/// values in training must not shout when a third comes later.
const LEAST_DEVIATION: f64 = 0.05;

/// The training sees (value / 2^`segment_bits` − mean) · gain, so that every segment varies alike.
///
/// The network itself has no such step; [`Scaling::fold`] works it into the embedding.
#[derive(Debug, Clone)]
pub(crate) struct Scaling {
    /// 2^−`segment_bits`.
    unit: f32,
    /// `[segments]`.
    mean: Vec<f32>,
    /// `[segments]`.
    gain: Vec<f32>,
}

impl Scaling {
    /// From weights over scaled features to weights over value / 2^`segment_bits`: the same function.
    pub(crate) fn fold(&self, network: &mut Network) {
        let embed = &mut network.embed;
        for (mut row, bias) in embed.weight.rows_mut().into_iter().zip(&mut embed.bias) {
            for ((weight, mean), gain) in row.iter_mut().zip(&self.mean).zip(&self.gain) {
                *weight *= gain;
                *bias -= *weight * mean;
            }
        }
    }

    /// The inverse of [`Scaling::fold`].
    pub(crate) fn unfold(&self, network: &mut Network) {
        let embed = &mut network.embed;
        for (mut row, bias) in embed.weight.rows_mut().into_iter().zip(&mut embed.bias) {
            for ((weight, mean), gain) in row.iter_mut().zip(&self.mean).zip(&self.gain) {
                *bias += *weight * mean;
                *weight /= gain;
            }
        }
    }
}
