//! A design over a trace, access by access, beside simple prefetchers.

use std::ops::Range;

use serde::Serialize;
use tablewright_design::Design;
use tablewright_trace::baseline::{BestOffset, NextLine};
use tablewright_trace::evaluate::Report;
use tablewright_trace::metrics::bitmap;
use tablewright_trace::window::{Labeller, Segmenter, output_of_delta};
use tablewright_trace::{Evaluation, Issuer, Trace};

use crate::failure::Failure;
use crate::measure::{BATCH, GoldenPool};

/// What came of the model, and of simple prefetchers on the same accesses.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Replayed {
    /// Of the model.
    pub(crate) model: Report,
    /// Windows that count for F1: full history, full look-ahead, a label that is not empty.
    pub(crate) windows: u64,
    /// By name, in the order in which they are shown.
    pub(crate) baselines: Vec<(String, Report)>,
}

/// A prefetcher that needs no model.
enum Simple {
    NextLine(NextLine),
    BestOffset(Box<BestOffset>),
}

impl Simple {
    fn access(&mut self, block: u64) -> Vec<u64> {
        match self {
            Self::NextLine(simple) => simple.access(block),
            Self::BestOffset(simple) => simple.access(block),
        }
    }
}

/// One prefetcher with its evaluation.
struct Contestant {
    name: String,
    simple: Simple,
    evaluation: Evaluation,
}

/// Runs a design over the accesses `range` of a trace. `issued` gets instruction id and block addresses of every access that issues prefetches;
/// `progress` hears of every access done.
///
/// An access without a full history is demanded but predicts nothing.
pub(crate) fn replay(
    design: &Design,
    trace: &Trace,
    range: Range<usize>,
    mut issued: impl FnMut(u64, &[u64]) -> Result<(), Failure>,
    mut progress: impl FnMut(usize),
) -> Result<Replayed, Failure> {
    let (network, input) = (&design.network, &design.input);
    let outputs = network.outputs;
    let blocks: Vec<u64> = trace.accesses.iter().map(|access| access.address >> input.block_bits).collect();
    let labeller = Labeller::new(outputs, input);
    let tokens = Tokens::of(trace, design);
    let mut pool = GoldenPool::new(design);
    let mut issuer = Issuer::new(input, outputs);
    // The filter begins as it would be after the accesses before.
    for &block in &blocks[range.start.saturating_sub(input.filter)..range.start] {
        issuer.demand(block);
    }
    let mut evaluation = Evaluation::new(input.lookahead);
    let mut contestants = contestants(input.degree, input.lookahead);
    let (mut label, mut windows) = (vec![0; outputs.div_ceil(8)], 0);
    for start in range.clone().step_by(BATCH) {
        let batch = start..(start + BATCH).min(range.end);
        // Of the accesses before the history is full, there are no windows.
        let predicted = batch.start.max(network.history - 1).min(batch.end)..batch.end;
        let views: Vec<&[u8]> = predicted.clone().map(|at| tokens.window(at)).collect();
        let logits = pool.logits(&views);
        let mut rows = logits.chunks_exact(outputs);
        for at in batch.clone() {
            let block = blocks[at];
            label.fill(0);
            let counts = at >= network.history - 1
                && at + input.lookahead < blocks.len()
                && labeller.label(&blocks, at, &mut label);
            windows += u64::from(counts);
            for contestant in &mut contestants {
                let targets = contestant.simple.access(block);
                if counts {
                    contestant.evaluation.predicted(&bitmap_of(block, &targets, outputs), &label);
                }
                contestant.evaluation.access(block, &targets);
            }
            let Some(row) = (at >= predicted.start).then(|| rows.next()).flatten() else {
                issuer.demand(block);
                evaluation.access(block, &[]);
                continue;
            };
            if counts {
                evaluation.predicted(&bitmap(row, pool.threshold()), &label);
            }
            let targets = issuer.access(block, row, pool.threshold());
            evaluation.access(block, &targets);
            if !targets.is_empty() {
                issued(trace.accesses[at].id, &targets)?;
            }
        }
        progress(batch.end - range.start);
    }
    Ok(Replayed {
        model: evaluation.report(),
        windows,
        baselines: contestants.into_iter().map(|c| (c.name, c.evaluation.report())).collect(),
    })
}

fn contestants(degree: usize, lookahead: usize) -> Vec<Contestant> {
    let next_line = |degree| Simple::NextLine(NextLine { degree });
    let mut all = vec![("next-line".to_owned(), next_line(1))];
    if degree > 1 {
        // As many prefetches as the model may issue.
        all.push((format!("next-{degree}-lines"), next_line(degree)));
    }
    all.push(("best-offset".to_owned(), Simple::BestOffset(Box::default())));
    all.into_iter()
        .map(|(name, simple)| Contestant { name, simple, evaluation: Evaluation::new(lookahead) })
        .collect()
}

/// Prefetched blocks as the bitmap that a model would have predicted; what is out of its range is left out.
fn bitmap_of(block: u64, targets: &[u64], outputs: usize) -> Vec<u8> {
    let mut bits = vec![0; outputs.div_ceil(8)];
    for output in targets.iter().filter_map(|t| output_of_delta(t.wrapping_sub(block) as i64, outputs)) {
        bits[output / 8] |= 1 << (output % 8);
    }
    bits
}

/// The segments of every access, one after the other, so that a window is a slice.
struct Tokens {
    segments: usize,
    history: usize,
    bytes: Vec<u8>,
}

impl Tokens {
    fn of(trace: &Trace, design: &Design) -> Self {
        let (network, input) = (&design.network, &design.input);
        let segmenter = Segmenter::new(network, input);
        let mut bytes = vec![0; trace.accesses.len() * network.segments];
        for (access, token) in trace.accesses.iter().zip(bytes.chunks_exact_mut(network.segments)) {
            segmenter.cut(access, token);
        }
        Self { segments: network.segments, history: network.history, bytes }
    }

    /// The window whose newest access is `at`, at least history − 1.
    fn window(&self, at: usize) -> &[u8] {
        let end = (at + 1) * self.segments;
        &self.bytes[end - self.history * self.segments..end]
    }
}
