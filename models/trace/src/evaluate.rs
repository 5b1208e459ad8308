//! How good prefetches are, judged on the trace alone: no cache, no time.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;

use crate::metrics::{Confusion, ratio};

/// Judges prefetches as the trace goes on, in memory bounded by look-ahead × degree.
///
/// A prefetch is *useful* when its block is demanded within the `lookahead` accesses after the one that issued it. A
/// demanded access is *covered* when a prefetch of its block was waiting for it; the demand uses up all that wait for the
/// block, so one prefetch covers at most one access.
#[derive(Debug, Clone)]
pub struct Evaluation {
    lookahead: u64,
    now: u64,
    /// Per block, when the prefetches that wait for it were issued, oldest first.
    waiting: HashMap<u64, VecDeque<u64>>,
    /// All prefetches of the last `lookahead` accesses, oldest first: when and which block.
    issues: VecDeque<(u64, u64)>,
    issued: u64,
    useful: u64,
    covered: u64,
    redundant: u64,
    confusion: Confusion,
}

/// What came of the prefetches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Report {
    /// Micro-F1 of the bitmaps given to [`Evaluation::predicted`]; 0 if none were.
    pub f1: f64,
    /// useful / issued, 0 to 1.
    pub accuracy: f64,
    /// covered / accesses, 0 to 1.
    pub coverage: f64,
    /// Prefetches issued.
    pub issued: u64,
    /// Of them, whose block was demanded in time.
    pub useful: u64,
    /// Demanded accesses whose block was prefetched in time.
    pub covered: u64,
    /// Prefetches issued while another of the same block was waiting; a cache would drop them.
    pub redundant: u64,
    /// Prefetches still waiting when the trace ended: issued, and not known to be useful.
    pub unsettled: u64,
    /// Demanded accesses.
    pub accesses: u64,
    /// issued / accesses.
    pub mean_degree: f64,
}

impl Evaluation {
    /// At the beginning of a trace.
    pub fn new(lookahead: usize) -> Self {
        Self {
            lookahead: lookahead as u64,
            now: 0,
            waiting: HashMap::new(),
            issues: VecDeque::new(),
            issued: 0,
            useful: 0,
            covered: 0,
            redundant: 0,
            confusion: Confusion::default(),
        }
    }

    /// The next access of the trace and the blocks prefetched because of it.
    pub fn access(&mut self, block: u64, prefetched: &[u64]) {
        self.expire();
        if let Some(issues) = self.waiting.remove(&block) {
            self.useful += issues.len() as u64;
            self.covered += 1;
        }
        for &target in prefetched {
            let issues = self.waiting.entry(target).or_default();
            self.redundant += u64::from(!issues.is_empty());
            issues.push_back(self.now);
            self.issues.push_back((self.now, target));
            self.issued += 1;
        }
        self.now += 1;
    }

    /// Counts the predicted bitmap of one access against its label, for F1.
    pub fn predicted(&mut self, predicted: &[u8], label: &[u8]) {
        self.confusion.add_bitmaps(predicted, label);
    }

    /// So far.
    pub fn report(&self) -> Report {
        Report {
            f1: self.confusion.f1(),
            accuracy: ratio(self.useful, self.issued),
            coverage: ratio(self.covered, self.now),
            issued: self.issued,
            useful: self.useful,
            covered: self.covered,
            redundant: self.redundant,
            unsettled: self.waiting.values().map(|issues| issues.len() as u64).sum(),
            accesses: self.now,
            mean_degree: ratio(self.issued, self.now),
        }
    }

    /// Forgets prefetches that are older than the look-ahead.
    fn expire(&mut self) {
        while let Some(&(time, block)) = self.issues.front()
            && self.now - time > self.lookahead
        {
            self.issues.pop_front();
            // A demand may have used it up; what waits for the block now is then younger.
            if let Some(issues) = self.waiting.get_mut(&block)
                && issues.front() == Some(&time)
            {
                issues.pop_front();
                if issues.is_empty() {
                    self.waiting.remove(&block);
                }
            }
        }
    }
}
