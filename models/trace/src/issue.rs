//! From scores to prefetches: threshold, best first, degree, recent-request filter.

use std::cmp::Reverse;
use std::collections::VecDeque;

use tablewright_model::InputConfig;

use crate::metrics::Score;
use crate::window::delta_of_output;

/// The last blocks that were demanded or issued. A block that is there does not enter again, nor does it move.
#[derive(Debug, Clone)]
struct Recent {
    capacity: usize,
    blocks: VecDeque<u64>,
}

impl Recent {
    /// True when the block was not there.
    fn enter(&mut self, block: u64) -> bool {
        if self.blocks.contains(&block) {
            return false;
        }
        if self.capacity > 0 {
            if self.blocks.len() == self.capacity {
                self.blocks.pop_front();
            }
            self.blocks.push_back(block);
        }
        true
    }
}

/// The issue unit: turns the scores of each access into block addresses to prefetch.
///
/// For each access, in order: its block enters the recent-request filter; the outputs that reach the threshold are
/// visited from the highest score down, equal scores from the lowest output up; a block outside the access's page, where
/// [`InputConfig::page_bits`] says how large one is, or in the filter is skipped, any other enters the filter and is
/// issued; after `degree` issued blocks the rest is dropped. Block addresses wrap at 64 − `block_bits` bits.
#[derive(Debug, Clone)]
pub struct Issuer {
    degree: usize,
    outputs: usize,
    block_mask: u64,
    /// log2 of the blocks of a page.
    page_shift: Option<u32>,
    recent: Recent,
    /// Kept between calls to save allocations.
    candidates: Vec<usize>,
}

impl Issuer {
    /// With an empty filter.
    pub fn new(input: &InputConfig, outputs: usize) -> Self {
        Self {
            degree: input.degree,
            outputs,
            block_mask: u64::MAX >> input.block_bits.min(63),
            page_shift: input.page_bits.map(|bits| bits.saturating_sub(input.block_bits).min(63)),
            recent: Recent { capacity: input.filter, blocks: VecDeque::with_capacity(input.filter) },
            candidates: Vec::new(),
        }
    }

    /// An access without a prediction, such as the first ones before the history is full.
    pub fn demand(&mut self, block: u64) {
        self.recent.enter(block);
    }

    /// An access with its scores, one per output; block addresses to prefetch, best first.
    pub fn access<S: Score>(&mut self, block: u64, scores: &[S], threshold: S) -> Vec<u64> {
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        // A score that reaches a threshold is not NaN.
        candidates.extend((0..scores.len().min(self.outputs)).filter(|&output| scores[output] >= threshold));
        candidates.sort_unstable_by_key(|&output| (Reverse(scores[output].key()), output));
        let issued = self.issue(block, candidates.iter().copied());
        self.candidates = candidates;
        issued
    }

    /// An access with a bitmap of predicted outputs, which are visited in order of their bits.
    pub fn access_bitmap(&mut self, block: u64, bits: &[u8]) -> Vec<u64> {
        let outputs = self.outputs.min(bits.len() * 8);
        self.issue(block, (0..outputs).filter(|&output| bits[output / 8] >> (output % 8) & 1 == 1))
    }

    fn issue(&mut self, block: u64, candidates: impl Iterator<Item = usize>) -> Vec<u64> {
        self.recent.enter(block);
        let mut issued = Vec::new();
        for output in candidates {
            if issued.len() == self.degree {
                break;
            }
            let delta = delta_of_output(output, self.outputs);
            let target = block.wrapping_add_signed(delta) & self.block_mask;
            let inside = self.page_shift.is_none_or(|shift| (block ^ target) >> shift == 0);
            if inside && self.recent.enter(target) {
                issued.push(target);
            }
        }
        issued
    }
}
