//! History windows and delta bitmaps.

use std::ops::Range;

use ndarray::{Array2, Array3, Axis};
use tablewright_model::{InputConfig, NetworkConfig};

use crate::Error;
use crate::trace::Trace;
use crate::window::{Labeller, Segmenter};

/// Windows of accesses and, for each, the deltas of the accesses that follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// `[N, history, segments]`: tokens oldest first, the current access last; each segment an unsigned integer of
    /// `segment_bits` bits (the network takes it as a fraction / 2^`segment_bits`).
    pub windows: Array3<u8>,
    /// `[N, outputs.div_ceil(8)]`: output i is bit i % 8 of byte i / 8.
    pub labels: Array2<u8>,
    /// Per window, the index of its newest access in the trace; strictly rising.
    pub current: Vec<u32>,
    /// Bits of a label, the network's outputs.
    pub outputs: usize,
    /// Bits of a segment.
    pub segment_bits: u32,
}

/// Which accesses become rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rows {
    /// Those with a full history, a full look-ahead and at least one labelled delta: for training and for figures that
    /// compare with it.
    #[default]
    Labelled,
    /// All with a full history: to run a model over a whole trace. The labels of the last `lookahead` rows cover what is
    /// left of the trace; a label may be all zero.
    All,
}

/// Choices beside the network's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DatasetOptions {
    /// Which accesses become rows.
    pub rows: Rows,
    /// Keep at most this many rows, evenly thinned over the trace.
    pub max_rows: Option<usize>,
}

impl Dataset {
    /// Labelled rows of a trace, for training.
    pub fn from_trace(trace: &Trace, network: &NetworkConfig, input: &InputConfig) -> Result<Self, Error> {
        Self::from_trace_with(trace, network, input, &DatasetOptions::default())
    }

    /// Rows of a trace.
    pub fn from_trace_with(
        trace: &Trace,
        network: &NetworkConfig,
        input: &InputConfig,
        options: &DatasetOptions,
    ) -> Result<Self, Error> {
        check_config(network, input, options)?;
        check_length(trace, network, input, options.rows)?;
        let blocks: Vec<u64> =
            trace.accesses.iter().map(|access| access.address >> input.block_bits).collect();
        let labeller = Labeller::new(network.outputs, input);
        let first = network.history - 1;
        let current: Vec<u32> = match options.rows {
            Rows::All => (first..blocks.len()).map(|at| at as u32).collect(),
            Rows::Labelled => (first..blocks.len() - input.lookahead)
                .filter(|&at| labeller.has_label(&blocks, at))
                .map(|at| at as u32)
                .collect(),
        };
        if current.is_empty() {
            return Err(nothing_to_learn(trace, network, input));
        }
        let current = match options.max_rows {
            Some(max) => thin(0..current.len(), max).map(|row| current[row]).collect(),
            None => current,
        };
        let segmenter = Segmenter::new(network, input);
        let mut windows = Array3::zeros((current.len(), network.history, network.segments));
        let mut labels = Array2::zeros((current.len(), network.outputs.div_ceil(8)));
        let mut token = vec![0; network.segments];
        let mut bits = vec![0; network.outputs.div_ceil(8)];
        for (row, &at) in current.iter().enumerate() {
            let at = at as usize;
            let mut window = windows.index_axis_mut(Axis(0), row);
            for (access, mut slot) in trace.accesses[at - first..=at].iter().zip(window.rows_mut()) {
                segmenter.cut(access, &mut token);
                slot.assign(&ndarray::aview1(&token));
            }
            bits.fill(0);
            labeller.label(&blocks, at, &mut bits);
            labels.row_mut(row).assign(&ndarray::aview1(&bits));
        }
        Ok(Self { windows, labels, current, outputs: network.outputs, segment_bits: input.segment_bits })
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.current.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.current.is_empty()
    }

    /// At most `max` rows of a range, evenly thinned. A range beyond the end is cut off there.
    #[must_use]
    pub fn subset(&self, rows: Range<usize>, max: usize) -> Self {
        let rows = rows.start.min(self.len())..rows.end.min(self.len());
        let picks: Vec<usize> = thin(rows, max).collect();
        Self {
            windows: self.windows.select(Axis(0), &picks),
            labels: self.labels.select(Axis(0), &picks),
            current: picks.iter().map(|&row| self.current[row]).collect(),
            outputs: self.outputs,
            segment_bits: self.segment_bits,
        }
    }
}

/// At most `max` indices of a range, evenly spaced, the first one included.
pub fn thin(rows: Range<usize>, max: usize) -> impl Iterator<Item = usize> {
    let n = rows.len();
    let kept = n.min(max);
    // u128: row · n stays exact for any length.
    (0..kept).map(move |pick| rows.start + (pick as u128 * n as u128 / kept as u128) as usize)
}

fn check_config(network: &NetworkConfig, input: &InputConfig, options: &DatasetOptions) -> Result<(), Error> {
    let mut violations = network.violations(tablewright_model::Purpose::Network);
    violations.extend(input.violations(network.segments));
    if options.max_rows == Some(0) {
        violations.push("at most 0 rows are asked for, at least 1 is needed".into());
    }
    if violations.is_empty() { Ok(()) } else { Err(Error::Config { detail: violations.join("; ") }) }
}

fn check_length(
    trace: &Trace,
    network: &NetworkConfig,
    input: &InputConfig,
    rows: Rows,
) -> Result<(), Error> {
    let accesses = trace.accesses.len();
    let (needed, why) = match rows {
        Rows::Labelled => (
            network.history + input.lookahead,
            format!("a history of {} and a look-ahead of {}", network.history, input.lookahead),
        ),
        Rows::All => (network.history, format!("a history of {}", network.history)),
    };
    let file = || trace.info.file.clone();
    if accesses < needed {
        // Of one address the caches let through no more than a few: more of the same would not help.
        if rows == Rows::Labelled {
            single_block(trace, input)?;
        }
        return Err(Error::TooShort { trace: file(), accesses, needed, why });
    }
    if u32::try_from(accesses).is_err() {
        return Err(Error::TooLong { trace: file(), accesses });
    }
    Ok(())
}

/// Refuses a trace that stays in one block.
fn single_block(trace: &Trace, input: &InputConfig) -> Result<(), Error> {
    let mut blocks = trace.accesses.iter().map(|access| access.address >> input.block_bits);
    match blocks.next() {
        Some(block) if blocks.all(|other| other == block) => {
            let accesses = trace.accesses.len();
            Err(Error::SingleBlock { trace: trace.info.file.clone(), accesses, block })
        }
        _ => Ok(()),
    }
}

fn nothing_to_learn(trace: &Trace, network: &NetworkConfig, input: &InputConfig) -> Error {
    if let Err(error) = single_block(trace, input) {
        return error;
    }
    let file = trace.info.file.clone();
    let page = input
        .page_bits
        .map_or_else(String::new, |bits| format!(" in the same page of {} bytes", 1u64 << bits));
    Error::NoDeltaInRange { trace: file, lookahead: input.lookahead, range: network.outputs / 2, page }
}
