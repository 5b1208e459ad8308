//! Scores of a network, of float tables and of a design on labelled windows.

use ndarray::{Axis, s};
use rayon::prelude::*;
use serde::Serialize;
use tablewright_design::{Design, NodeId};
use tablewright_golden::Golden;
use tablewright_model::Network;
use tablewright_tabularize::Evaluator;
use tablewright_tabularize::score::{Counts, best, counts};
use tablewright_trace::metrics::bitmap;
use tablewright_trace::{Confusion, Dataset};

use crate::failure::Failure;
use crate::parts::Parts;
use crate::ui::{Ui, Unit};

/// Windows whose logits are held at once.
pub(crate) const BATCH: usize = 8192;

/// One golden interpreter for each thread.
#[derive(Debug)]
pub(crate) struct GoldenPool {
    goldens: Vec<Golden>,
    logits: NodeId,
    outputs: usize,
    threshold: i64,
}

impl GoldenPool {
    pub(crate) fn new(design: &Design) -> Self {
        Self {
            goldens: vec![Golden::new(design); rayon::current_num_threads().max(1)],
            logits: design.logits(),
            outputs: design.network.outputs,
            threshold: design.threshold(),
        }
    }

    /// A delta is predicted when its logit reaches this.
    pub(crate) fn threshold(&self) -> i64 {
        self.threshold
    }

    /// Raw logits `[windows, outputs]`, whatever the number of threads the same. Each window holds history × segments
    /// integers, oldest access first.
    pub(crate) fn logits(&mut self, windows: &[&[u8]]) -> Vec<i64> {
        let outputs = self.outputs;
        let node = self.logits;
        let each = windows.len().div_ceil(self.goldens.len()).max(1);
        let mut all = vec![0; windows.len() * outputs];
        let shares = windows.par_chunks(each).zip(all.par_chunks_mut(each * outputs));
        self.goldens.par_iter_mut().zip(shares).for_each(|(golden, (windows, logits))| {
            let mut row = Vec::with_capacity(outputs);
            for (window, slot) in windows.iter().zip(logits.chunks_exact_mut(outputs)) {
                golden.run(window);
                row.clear();
                golden.extend_with(node, &mut row);
                slot.copy_from_slice(&row);
            }
        });
        all
    }
}

/// Micro-F1 on the two parts that nothing is learned from. Thresholds are chosen on the validation part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct F1 {
    pub(crate) valid: f64,
    pub(crate) test: f64,
}

/// Of a float network.
pub(crate) fn f1_of_network(network: &Network, parts: &Parts, ui: &Ui) -> Result<F1, Failure> {
    let before = parts.valid.len();
    let bar = ui.bar("measuring", Unit::Items, (before + parts.test.len()) as u64);
    let evaluator = Evaluator::of_network(network)?;
    let chosen = best(evaluator.logits(parts.valid.windows.view()).view(), parts.valid.labels.view());
    let at = |done: usize| bar.at((before + done) as u64);
    at(0);
    let test = f1_of_floats(&evaluator, &parts.test, chosen.threshold, at);
    Ok(F1 { valid: chosen.f1, test })
}

/// Micro-F1 of float logits at a threshold (a probability); `progress` hears of every window done.
pub(crate) fn f1_of_floats(
    evaluator: &Evaluator,
    part: &Dataset,
    threshold: f64,
    mut progress: impl FnMut(usize),
) -> f64 {
    let mut sum = Counts::default();
    for start in (0..part.len()).step_by(BATCH) {
        let end = (start + BATCH).min(part.len());
        let logits = evaluator.logits(part.windows.slice(s![start..end, .., ..]));
        let found = counts(logits.view(), part.labels.slice(s![start..end, ..]), threshold);
        sum.hits += found.hits;
        sum.predicted += found.predicted;
        sum.positives += found.positives;
        progress(end);
    }
    sum.f1()
}

/// Micro-F1 of a design, which has its threshold in itself; `progress` hears of every window done.
pub(crate) fn f1_of_design(design: &Design, part: &Dataset, mut progress: impl FnMut(usize)) -> f64 {
    let mut pool = GoldenPool::new(design);
    let mut sum = Confusion::default();
    // In the order of the rows, which `run` of the golden model needs contiguous.
    let windows = part.windows.as_standard_layout();
    let labels = part.labels.as_standard_layout();
    let mut label_rows = labels.axis_iter(Axis(0));
    let rows: Vec<&[u8]> = windows.as_slice().map_or_else(Vec::new, |all| {
        all.chunks_exact(design.network.history * design.network.segments).collect()
    });
    let mut done = 0;
    for batch in rows.chunks(BATCH) {
        let logits = pool.logits(batch);
        for (row, label) in logits.chunks_exact(design.network.outputs).zip(&mut label_rows) {
            sum.add_bitmaps(&bitmap(row, pool.threshold()), label.as_slice().unwrap_or_default());
        }
        done += batch.len();
        progress(done);
    }
    sum.f1()
}
