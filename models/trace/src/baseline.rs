//! Simple prefetchers, judged by the same [`Evaluation`](crate::Evaluation), to stand beside a table model.
//!
//! Both are trace-level versions: no cache, no time, so "the prefetch would have been in time" is not asked.

use std::collections::VecDeque;

/// The next blocks in address order.
#[derive(Debug, Clone, Copy)]
pub struct NextLine {
    /// Blocks per access.
    pub degree: usize,
}

impl NextLine {
    /// Blocks to prefetch after an access.
    pub fn access(&mut self, block: u64) -> Vec<u64> {
        (1..=self.degree as u64).map(|step| block.wrapping_add(step)).collect()
    }
}

/// Best-Offset prefetching (Michaud, HPCA 2016), degree 1.
///
/// In each round every candidate offset is tested once, one per access: it scores when the access's block minus the
/// offset is among the recent requests. A phase ends with the round in which an offset reaches the maximal score, or after
/// the maximal number of rounds; the best offset is then used until the next phase ends, or nothing if its score is too low. The
/// published recent-request table holds base addresses of completed prefetches, which needs time; here it holds the
/// demanded blocks, a fixed number of accesses late.
#[derive(Debug, Clone)]
pub struct BestOffset {
    offsets: Vec<u64>,
    scores: Vec<u32>,
    tested: usize,
    round: u32,
    recent: [Option<u64>; Self::RECENT],
    delayed: VecDeque<u64>,
    best: Option<u64>,
}

impl BestOffset {
    /// Entries of the recent-request table, direct-mapped.
    const RECENT: usize = 256;
    /// A phase ends early at this score (`SCORE_MAX`).
    const SCORE_MAX: u32 = 31;
    /// Rounds of a phase (`ROUND_MAX`).
    const ROUND_MAX: u32 = 100;
    /// A best score up to this turns the prefetcher off (`BAD_SCORE`).
    const BAD_SCORE: u32 = 1;
    /// Accesses before a block counts as a recent request: stands for the memory's latency.
    const DELAY: usize = 16;
    /// Largest offset in blocks.
    const OFFSET_MAX: u64 = 256;

    /// With nothing learnt; it starts as next-line.
    pub fn new() -> Self {
        // The published list: offsets with no prime factor above 5.
        let smooth = |&offset: &u64| {
            let mut rest = offset;
            for prime in [2, 3, 5] {
                while rest.is_multiple_of(prime) {
                    rest /= prime;
                }
            }
            rest == 1
        };
        let offsets: Vec<u64> = (1..=Self::OFFSET_MAX).filter(smooth).collect();
        Self {
            scores: vec![0; offsets.len()],
            offsets,
            tested: 0,
            round: 0,
            recent: [None; Self::RECENT],
            delayed: VecDeque::new(),
            best: Some(1),
        }
    }

    /// Blocks to prefetch after an access.
    pub fn access(&mut self, block: u64) -> Vec<u64> {
        self.learn(block);
        self.delayed.push_back(block);
        if self.delayed.len() > Self::DELAY
            && let Some(old) = self.delayed.pop_front()
        {
            self.recent[Self::slot(old)] = Some(old);
        }
        self.best.map(|offset| block.wrapping_add(offset)).into_iter().collect()
    }

    fn slot(block: u64) -> usize {
        ((block ^ (block >> 8)) % Self::RECENT as u64) as usize
    }

    fn learn(&mut self, block: u64) {
        let base = block.wrapping_sub(self.offsets[self.tested]);
        if self.recent[Self::slot(base)] == Some(base) {
            self.scores[self.tested] += 1;
        }
        self.tested += 1;
        if self.tested < self.offsets.len() {
            return;
        }
        self.tested = 0;
        self.round += 1;
        let full = self.scores.iter().any(|&score| score >= Self::SCORE_MAX);
        if full || self.round == Self::ROUND_MAX {
            // The smallest of the offsets with the highest score.
            let best = self
                .scores
                .iter()
                .zip(&self.offsets)
                .max_by_key(|&(&score, &offset)| (score, u64::MAX - offset));
            self.best = best.filter(|&(&score, _)| score > Self::BAD_SCORE).map(|(_, &offset)| offset);
            self.scores.fill(0);
            self.round = 0;
        }
    }
}

impl Default for BestOffset {
    fn default() -> Self {
        Self::new()
    }
}
