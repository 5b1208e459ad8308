//! The windows of a trace in their three parts.

use ndarray::{Axis, concatenate};
use tablewright_model::{InputConfig, NetworkConfig};
use tablewright_tabularize::Data;
use tablewright_trace::{Dataset, Error, Fractions, Split, Trace};

use crate::digest::Digest;

/// Labelled windows, split by time. What is learned and chosen sees the first two only.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) train: Dataset,
    pub(crate) valid: Dataset,
    pub(crate) test: Dataset,
}

/// How labels are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Labels<'a> {
    pub(crate) network: &'a NetworkConfig,
    pub(crate) input: &'a InputConfig,
}

impl Labels<'_> {
    /// All labelled windows of a trace and their split by time.
    pub(crate) fn split(&self, trace: &Trace) -> Result<(Dataset, Split), Error> {
        let dataset = Dataset::from_trace(trace, self.network, self.input)?;
        let split = Split::by_time(&dataset, self.input.lookahead, Fractions::default());
        let split = split.map_err(|error| match error {
            Error::Split { rows, detail } => {
                Error::Split { rows, detail: format!("{detail} than {}", trace.info.file) }
            }
            other => other,
        })?;
        Ok((dataset, split))
    }
}

impl Parts {
    /// Cuts a trace; at most `max` windows are kept to learn from and a quarter as many to choose on.
    pub(crate) fn of(trace: &Trace, labels: &Labels<'_>, max: Option<usize>) -> Result<Self, Error> {
        let (all, split) = labels.split(trace)?;
        let max = max.unwrap_or(usize::MAX);
        Ok(Self {
            train: all.subset(split.train, max),
            valid: all.subset(split.valid, max.div_ceil(4)),
            test: all.subset(split.test, usize::MAX),
        })
    }

    /// Of all that a trainer sees: windows, labels and their times, in both parts.
    pub(crate) fn digest(&self) -> String {
        let mut digest = Digest::default();
        for part in [&self.train, &self.valid] {
            // The shape says how the bytes are cut.
            for length in part.windows.shape().iter().chain(part.labels.shape()) {
                digest.add(&(*length as u64).to_le_bytes());
            }
            digest.add(&part.windows.iter().copied().collect::<Vec<_>>());
            digest.add(&part.labels.iter().copied().collect::<Vec<_>>());
            digest.add(&part.current.iter().flat_map(|at| at.to_le_bytes()).collect::<Vec<_>>());
        }
        digest.finish()
    }

    /// What the trainer gets: the windows to learn from and to choose on, and none of the test part.
    pub(crate) fn for_trainer(&self) -> Result<(Dataset, Split), ndarray::ShapeError> {
        let (train, valid) = (&self.train, &self.valid);
        let dataset = Dataset {
            windows: concatenate(Axis(0), &[train.windows.view(), valid.windows.view()])?,
            labels: concatenate(Axis(0), &[train.labels.view(), valid.labels.view()])?,
            current: train.current.iter().chain(&valid.current).copied().collect(),
            ..*train
        };
        let (middle, end) = (train.len(), dataset.len());
        Ok((dataset, Split { train: 0..middle, valid: middle..end, test: end..end }))
    }
}

/// A part as the tabularizer takes it.
pub(crate) fn data(part: &Dataset) -> Data<'_> {
    Data { windows: part.windows.view(), labels: part.labels.view() }
}
