//! The bit-exact meaning of a prefetcher: demand accesses in, prefetch addresses out.

use tablewright_design::Design;

use crate::Golden;

/// A demand access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Demand {
    /// Byte address.
    pub address: u64,
    /// Program counter; models without segments of it ignore it.
    pub pc: u64,
}

/// A prefetcher of one design, with all that it keeps from access to access.
///
/// What depends on time is left to the caller: [`Self::offer`] for each access when it comes, [`Self::take`] when the hardware
/// takes the one that it holds. Everything else follows from the order of these calls.
#[derive(Debug, Clone)]
pub struct Prefetcher {
    predictor: Golden,
    rules: Rules,
    /// The newest access that was not taken.
    held: Option<Demand>,
    dropped: u32,
    /// Accesses taken since the reset, no further than the history reaches.
    taken: usize,
    /// Segments of the last accesses, the oldest first; of a streaming design, of the newest one alone.
    window: Vec<u8>,
    recent: Recent,
}

/// The constants of a design that issue and segments follow.
#[derive(Debug, Clone)]
struct Rules {
    logits: tablewright_design::NodeId,
    threshold: i64,
    history: usize,
    address_segments: usize,
    segments: usize,
    segment_bits: u32,
    block_bits: u32,
    degree: usize,
}

/// The recent-request filter: places that are written round and round.
#[derive(Debug, Clone)]
struct Recent {
    places: Vec<Option<u64>>,
    next: usize,
}

impl Recent {
    /// A block that is not inside takes the place that was written first; false for one that is.
    fn enter(&mut self, block: u64) -> bool {
        if self.places.contains(&Some(block)) {
            return false;
        }
        if let Some(place) = self.places.get_mut(self.next) {
            *place = Some(block);
            self.next = (self.next + 1) % self.places.len();
        }
        true
    }
}

impl Prefetcher {
    /// As after a reset.
    pub fn new(design: &Design) -> Self {
        let (network, input) = (&design.network, &design.input);
        Self {
            predictor: Golden::new(design),
            rules: Rules {
                logits: design.logits(),
                threshold: design.threshold(),
                history: network.history,
                address_segments: design.address_segments(),
                segments: network.segments,
                segment_bits: input.segment_bits,
                block_bits: input.block_bits,
                degree: input.degree,
            },
            held: None,
            dropped: 0,
            taken: 0,
            window: vec![0; design.accesses() * network.segments],
            recent: Recent { places: vec![None; input.filter], next: 0 },
        }
    }

    /// An access comes. One that is still held is dropped for it.
    pub fn offer(&mut self, access: Demand) {
        if self.held.replace(access).is_some() {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// The access that would be taken.
    pub fn held(&self) -> Option<Demand> {
        self.held
    }

    /// Accesses dropped; it stays at its greatest value.
    pub fn dropped(&self) -> u32 {
        self.dropped
    }

    /// The access that is held goes on into the history. Byte addresses to prefetch, best first; `None` where none is held.
    pub fn take(&mut self) -> Option<Vec<u64>> {
        let access = self.held.take()?;
        Some(self.access(access))
    }

    /// An access that is offered and taken at once.
    pub fn access(&mut self, access: Demand) -> Vec<u64> {
        self.keep(access);
        self.predictor.run(&self.window);
        let block = access.address >> self.rules.block_bits;
        self.taken = self.rules.history.min(self.taken + 1);
        self.recent.enter(block);
        if self.taken < self.rules.history {
            return Vec::new();
        }
        let logits = self.predictor.value(self.rules.logits);
        self.issue(block, logits)
    }

    /// Moves the window on.
    fn keep(&mut self, access: Demand) {
        let rules = &self.rules;
        let block = access.address >> rules.block_bits;
        let pc = (0..4).fold(0, |folded, part| folded ^ (access.pc >> (16 * part)) & 0xffff);
        self.window.rotate_left(rules.segments);
        let newest = self.window.len() - rules.segments;
        for (s, slot) in self.window[newest..].iter_mut().enumerate() {
            let (from, place) = match s.checked_sub(rules.address_segments) {
                None => (block, s),
                Some(place) => (pc, place),
            };
            // Bit by bit: a segment may reach beyond its source.
            let first = place as u32 * rules.segment_bits;
            *slot = (0..rules.segment_bits)
                .filter(|bit| from.checked_shr(first + bit).is_some_and(|rest| rest & 1 == 1))
                .fold(0, |segment, bit| segment | 1 << bit);
        }
    }

    /// Takes the best output that is left, again and again.
    fn issue(&mut self, block: u64, mut logits: Vec<i64>) -> Vec<u64> {
        let outputs = logits.len();
        let mut issued = Vec::new();
        while issued.len() < self.rules.degree {
            let mut best: Option<usize> = None;
            for (output, &logit) in logits.iter().enumerate() {
                if logit >= self.rules.threshold && best.is_none_or(|b| logit > logits[b]) {
                    best = Some(output);
                }
            }
            let Some(output) = best else { break };
            // Visited: below every threshold.
            logits[output] = i64::MIN;
            let up = output as u64 + 1;
            let delta = if output < outputs / 2 { up } else { (output as u64).wrapping_sub(outputs as u64) };
            // The bits that a shift drops are those by which the sum of blocks wraps.
            let address = block.wrapping_add(delta) << self.rules.block_bits;
            if self.recent.enter(address >> self.rules.block_bits) {
                issued.push(address);
            }
        }
        issued
    }
}
