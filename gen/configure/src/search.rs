//! A search by measured F1.
//!
//! The work is planned in counted evaluations, so that the same seed gives the same result on every machine:
//!
//! 1. *Screen*: half of them measure candidates with the same choices at every kernel, on a sixteenth of the samples. First
//!    come those that no larger feasible one covers, since F1 is not monotone in K or C then others, by storage.
//! 2. *Compare*: the best quarter again, on a quarter of the samples.
//! 3. *Moves*: from the best on, one kernel's K, C, bits or encoder is changed at a time, as long as that helps. Where a
//!    larger kernel would not fit, the one with the largest tables gives up half of its prototypes for it.
//! 4. *Finals*: the best few on all samples; the winner of these is the result.
//!
//! F1 is compared in thousandths; of equals the smaller storage is better, then the shorter latency.

use std::cmp::Reverse;
use std::collections::HashSet;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use tablewright_model::{KernelSpec, Site};

use crate::candidate::Candidate;
use crate::figures::Figures;
use crate::limits::{Excess, Limits};
use crate::space::Tables;

/// On how much data a candidate is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effort {
    /// A sixteenth of the samples.
    Screen,
    /// A quarter.
    Compare,
    /// All.
    Full,
}

impl Effort {
    /// One of how many parts of the samples is used.
    pub fn divisor(self) -> usize {
        match self {
            Self::Screen => 16,
            Self::Compare => 4,
            Self::Full => 1,
        }
    }
}

/// What came of making a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Micro-F1 of its integers on validation windows.
    pub f1: f64,
    /// Its own figures, no stand-in's.
    pub figures: Figures,
}

/// One evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// What was measured.
    pub candidate: Candidate,
    /// On how much.
    pub effort: Effort,
    /// Micro-F1 on validation windows.
    pub f1: f64,
    /// Of the model that was made.
    pub figures: Figures,
    /// Where the model turned out beyond a limit after all.
    pub excesses: Vec<Excess>,
}

impl Trial {
    /// What is compared.
    fn rank(&self) -> (u64, Reverse<u64>, Reverse<u64>) {
        let thousandths = (self.f1 * 1000.0).round() as u64;
        let Figures { table_bits, encoder_bits, latency_cycles, .. } = self.figures;
        (thousandths, Reverse(table_bits + encoder_bits), Reverse(latency_cycles))
    }
}

/// All evaluations in their order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Search {
    /// What was measured.
    pub trials: Vec<Trial>,
    /// Index of the winner; none if every model turned out beyond a limit.
    pub best: Option<usize>,
}

/// How many evaluations go where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Schedule {
    /// On a sixteenth of the samples.
    pub screened: usize,
    /// Of these, on a quarter.
    pub compared: usize,
    /// Single changes, on a quarter.
    pub moves: usize,
    /// On all.
    pub finals: usize,
}

impl Schedule {
    /// Evaluations that a search needs at least.
    pub const LEAST: usize = 4;

    /// Of so many evaluations, taken as [`Self::LEAST`] if they are fewer.
    pub fn of(evaluations: usize) -> Self {
        let all = evaluations.max(Self::LEAST);
        let screened = all / 2;
        let compared = screened.div_ceil(4);
        let finals = (all / 10).clamp(1, 4);
        Self { screened, compared, moves: all - screened - compared - finals, finals }
    }
}

/// What a search goes through and must keep to.
#[derive(Debug)]
pub struct Task<'a> {
    /// Candidates within the limits with the same choices at every kernel, and their figures.
    pub starts: Vec<(&'a Candidate, &'a Figures)>,
    /// What a kernel may have.
    pub tables: &'a Tables,
    /// What the result may cost.
    pub limits: &'a Limits,
    /// How many evaluations, at most.
    pub evaluations: usize,
    /// Of the order of moves.
    pub seed: u64,
}

/// Searches. `plan` gives the figures of a candidate before a model is made, `measure` makes the model and measures it.
pub fn search<E>(
    task: &Task<'_>,
    plan: impl Fn(&Candidate) -> Figures,
    mut measure: impl FnMut(&Candidate, Effort) -> Result<Measured, E>,
) -> Result<Search, E> {
    let schedule = Schedule::of(task.evaluations);
    let mut trials: Vec<Trial> = Vec::new();
    let mut run = |candidate: &Candidate, effort, trials: &mut Vec<Trial>| -> Result<usize, E> {
        let Measured { f1, figures } = measure(candidate, effort)?;
        let excesses = task.limits.excesses(&figures);
        trials.push(Trial { candidate: candidate.clone(), effort, f1, figures, excesses });
        Ok(trials.len() - 1)
    };
    for candidate in starters(&task.starts, schedule.screened) {
        run(candidate, Effort::Screen, &mut trials)?;
    }
    for candidate in top(&trials, Effort::Screen, schedule.compared) {
        run(&candidate, Effort::Compare, &mut trials)?;
    }
    if let Some(mut best) = best(&trials, Effort::Compare) {
        let mut rng = ChaCha8Rng::seed_from_u64(task.seed);
        let mut seen: HashSet<String> =
            trials.iter().filter(|t| t.effort == Effort::Compare).map(|t| t.candidate.to_string()).collect();
        let mut moves = Moves::from(&trials[best].candidate, task.tables, &mut rng);
        let mut left = schedule.moves;
        while left > 0 {
            let Some(next) = moves.next(|candidate| task.limits.excesses(&plan(candidate)).is_empty()) else {
                break;
            };
            if !seen.insert(next.to_string()) {
                continue;
            }
            left -= 1;
            let tried = run(&next, Effort::Compare, &mut trials)?;
            if trials[tried].excesses.is_empty() && trials[tried].rank() > trials[best].rank() {
                best = tried;
                moves = Moves::from(&next, task.tables, &mut rng);
            }
        }
    }
    for candidate in top(&trials, Effort::Compare, schedule.finals) {
        run(&candidate, Effort::Full, &mut trials)?;
    }
    Ok(Search { best: best(&trials, Effort::Full), trials })
}

/// The best trial of one effort; of equals the first.
fn best(trials: &[Trial], effort: Effort) -> Option<usize> {
    let fit = trials.iter().enumerate().filter(|(_, t)| t.effort == effort && t.excesses.is_empty());
    fit.max_by_key(|(i, t)| (t.rank(), Reverse(*i))).map(|(i, _)| i)
}

/// The candidates of the `count` best trials of one effort.
fn top(trials: &[Trial], effort: Effort, count: usize) -> Vec<Candidate> {
    let mut fit: Vec<&Trial> =
        trials.iter().filter(|t| t.effort == effort && t.excesses.is_empty()).collect();
    fit.sort_by_key(|trial| Reverse(trial.rank()));
    fit.into_iter().take(count).map(|trial| trial.candidate.clone()).collect()
}

/// At most `count` candidates: those that no other covers, then the rest by storage; each evenly spread.
fn starters<'a>(starts: &[(&'a Candidate, &'a Figures)], count: usize) -> Vec<&'a Candidate> {
    let covers = |a: &Candidate, b: &Candidate| {
        let (x, y) = (a.spec, b.spec);
        a.network == b.network
            && x != y
            && x.encoder == y.encoder
            && x.prototypes >= y.prototypes
            && x.subspaces >= y.subspaces
            && x.bits >= y.bits
    };
    let (largest, mut rest): (Vec<_>, Vec<_>) = starts
        .iter()
        .copied()
        .partition(|(candidate, _)| !starts.iter().any(|(other, _)| covers(other, candidate)));
    rest.sort_by_key(|(_, figures)| Reverse(figures.table_bits + figures.encoder_bits));
    let mut chosen = spread(&largest, count);
    chosen.extend(spread(&rest, count - chosen.len()));
    chosen.into_iter().map(|(candidate, _)| candidate).collect()
}

/// At most `count` of `all`, evenly spread, the first among them.
pub(crate) fn spread<T: Copy>(all: &[T], count: usize) -> Vec<T> {
    let count = count.min(all.len());
    (0..count).map(|i| all[i * all.len() / count]).collect()
}

/// Candidates that differ from one at one kernel, in a random order.
struct Moves {
    from: Candidate,
    /// Kernel and what it would have; the last comes first.
    left: Vec<(Site, KernelSpec)>,
    /// K to fall back to.
    prototypes: Vec<usize>,
}

impl Moves {
    fn from(candidate: &Candidate, tables: &Tables, rng: &mut ChaCha8Rng) -> Self {
        let mut left = Vec::new();
        for site in candidate.network.kernels() {
            let now = candidate.spec_of(&site.name);
            for k in neighbours(&tables.prototypes, now.prototypes) {
                left.push((site.clone(), KernelSpec { prototypes: k, ..now }));
            }
            for c in neighbours(&tables.subspaces, now.subspaces) {
                let subspaces = c.min(site.features);
                if subspaces != now.subspaces {
                    left.push((site.clone(), KernelSpec { subspaces, ..now }));
                }
            }
            for bits in neighbours(&tables.bits, now.bits) {
                left.push((site.clone(), KernelSpec { bits, ..now }));
            }
            for &encoder in tables.encoders.iter().filter(|e| **e != now.encoder) {
                left.push((site.clone(), KernelSpec { encoder, ..now }));
            }
        }
        left.shuffle(rng);
        Self { from: candidate.clone(), left, prototypes: tables.prototypes.clone() }
    }

    /// The next that is within the limits, by itself or paid for by another kernel.
    fn next(&mut self, fits: impl Fn(&Candidate) -> bool) -> Option<Candidate> {
        while let Some((site, spec)) = self.left.pop() {
            let changed = self.from.with(&site, spec);
            if fits(&changed) {
                return Some(changed);
            }
            if let Some(paid) = self.paid(&changed, &site).filter(|paid| fits(paid)) {
                return Some(paid);
            }
        }
        None
    }

    /// With fewer prototypes at the kernel that stores most, another than `site`.
    fn paid(&self, changed: &Candidate, site: &Site) -> Option<Candidate> {
        let sites = changed.network.kernels();
        let largest =
            sites.iter().filter(|other| other.name != site.name).max_by_key(|s| changed.table_bits_of(s))?;
        let spec = changed.spec_of(&largest.name);
        let fewer = self.prototypes.iter().copied().filter(|&k| k < spec.prototypes).max()?;
        Some(changed.with(largest, KernelSpec { prototypes: fewer, ..spec }))
    }
}

/// The next smaller and the next larger of `values`.
fn neighbours<T: Copy + Ord>(values: &[T], now: T) -> impl Iterator<Item = T> {
    let smaller = values.iter().copied().filter(|&v| v < now).max();
    let larger = values.iter().copied().filter(|&v| v > now).min();
    smaller.into_iter().chain(larger)
}
