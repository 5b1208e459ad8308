//! Every candidate against the limits.
//!
//! A design is made and planned for each candidate that needs it. Two kinds do not: where the entries of the tables alone
//! are beyond the storage limit, and where half as many prototypes are too slow already (twice as many cost every
//! encoder a level, or double its reading).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::Serialize;

use crate::candidate::Candidate;
use crate::error::Error;
use crate::figures::{Base, Figures};
use crate::limits::{Excess, Limited, Limits};
use crate::space::Space;

/// Entries of a design beyond which only one is planned at a time: some 20 bytes each while it is lowered.
const LARGE: usize = 1 << 22;

/// A candidate and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Surveyed {
    /// The configuration.
    pub candidate: Candidate,
    /// Read off its plan; none if it was ruled out before.
    pub figures: Option<Figures>,
    /// What is too much; empty if it may be built.
    pub excesses: Vec<Excess>,
}

impl Surveyed {
    /// The figures, if it may be built.
    pub fn feasible(&self) -> Option<&Figures> {
        self.figures.as_ref().filter(|_| self.excesses.is_empty())
    }

    /// By how far beyond its limits, the largest share of all. After all others come those ruled out as too slow without a
    /// plan, whose latency is known from below only.
    fn nearer(&self, other: &Self) -> std::cmp::Ordering {
        let slow = |one: &Self| {
            let speed = |excess: &Excess| matches!(excess.what, Limited::Latency | Limited::Interval);
            one.figures.is_none() && one.excesses.iter().any(speed)
        };
        let share = |one: &Self| one.excesses.iter().map(Excess::share).fold(0.0, f64::max);
        slow(self).cmp(&slow(other)).then(share(self).total_cmp(&share(other)))
    }
}

/// All candidates of a space, in its order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Survey {
    /// Each with its figures or the reason against it.
    pub all: Vec<Surveyed>,
}

/// Candidates that are ruled out for the same reasons.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// What is too much.
    pub reasons: Vec<Limited>,
    /// How many.
    pub count: usize,
    /// The one that is beyond its limits by the smallest share.
    pub nearest: Surveyed,
}

/// Candidates that differ in K alone, smallest first.
struct Chain<'a> {
    all: &'a mut [Surveyed],
    /// The first that is not decided.
    next: usize,
    /// Why all from there on are too slow.
    slow: Option<Excess>,
}

impl Chain<'_> {
    /// Decides on, up to the first candidate of more than `entries` that must be planned.
    fn advance(&mut self, entries: usize, base: &Base, limits: &Limits) {
        while let Some(next) = self.all.get_mut(self.next) {
            if let Some(slow) = &self.slow {
                next.excesses.insert(0, slow.clone());
            } else if next.excesses.is_empty() {
                if next.candidate.entries() > entries {
                    return;
                }
                let figures = Figures::of(&next.candidate, base);
                self.slow = limits.too_slow(&figures);
                next.excesses = limits.excesses(&figures);
                next.figures = Some(figures);
            }
            self.next += 1;
        }
    }
}

impl Survey {
    /// Decides on every candidate of a space; `progress` hears how many are done.
    pub fn of(
        space: &Space,
        base: &Base,
        limits: &Limits,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Result<Self, Error> {
        let storage = |candidate: &Candidate| {
            let (bytes, limit) = (candidate.least_table_bits().div_ceil(8), limits.storage_bytes);
            (bytes > limit).then_some(Excess {
                what: Limited::Storage,
                value: bytes as f64,
                limit: limit as f64,
            })
        };
        let mut all: Vec<Surveyed> = (space.candidates()?.into_iter())
            .map(|candidate| Surveyed {
                excesses: storage(&candidate).into_iter().collect(),
                figures: None,
                candidate,
            })
            .collect();
        let mut chains: Vec<Chain<'_>> = all
            .chunk_by_mut(|a, b| a.candidate.spec.prototypes < b.candidate.spec.prototypes)
            .map(|all| Chain { all, next: 0, slow: None })
            .collect();
        let done = AtomicUsize::new(0);
        let tell = |chain: &Chain<'_>, before: usize| {
            progress(done.fetch_add(chain.next - before, Ordering::Relaxed) + chain.next - before);
        };
        chains.par_iter_mut().for_each(|chain| {
            chain.advance(LARGE, base, limits);
            tell(chain, 0);
        });
        for chain in &mut chains {
            let before = chain.next;
            chain.advance(usize::MAX, base, limits);
            tell(chain, before);
        }
        Ok(Self { all })
    }

    /// Those that may be built.
    pub fn feasible(&self) -> impl Iterator<Item = (&Candidate, &Figures)> {
        self.all.iter().filter_map(|one| one.feasible().map(|figures| (&one.candidate, figures)))
    }

    /// The others, by reason; the largest group first.
    pub fn groups(&self) -> Vec<Group> {
        let mut groups: BTreeMap<Vec<Limited>, Group> = BTreeMap::new();
        for one in self.all.iter().filter(|one| !one.excesses.is_empty()) {
            let reasons: Vec<Limited> = one.excesses.iter().map(|excess| excess.what.clone()).collect();
            let group = groups.entry(reasons.clone()).or_insert_with(|| Group {
                reasons,
                count: 0,
                nearest: one.clone(),
            });
            group.count += 1;
            if one.nearer(&group.nearest).is_lt() {
                group.nearest = one.clone();
            }
        }
        let mut groups: Vec<Group> = groups.into_values().collect();
        groups.sort_by_key(|group| Reverse(group.count));
        groups
    }

    /// The `count` candidates that come nearest to all limits without being within them, the nearest first.
    pub fn nearest_misses(&self, count: usize) -> Vec<&Surveyed> {
        let mut misses: Vec<&Surveyed> = self.all.iter().filter(|one| !one.excesses.is_empty()).collect();
        misses.sort_by(|a, b| a.nearer(b));
        misses.truncate(count);
        misses
    }
}
