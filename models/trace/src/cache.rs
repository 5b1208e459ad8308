//! The caches in front of the last-level cache.
//!
//! A prefetcher at the last-level cache sees only what misses the levels before it. This is their functional model:
//! contents, no time. Both levels are set-associative, true LRU, write-allocate and write-back. A store that misses is
//! a read for ownership (RFO) below. A dirty block that the first level evicts is written to the second, where it
//! takes a way if it is not there but does not become more recent if it is; the write-backs of the second level go on
//! to the last level, whose prefetcher does not see them.
//!
//! Not modelled: instruction fetches (the first-level instruction cache and its misses), page-table walks, accesses
//! that cross a line, wrong-path accesses, and that a second access to a line still on its way is a miss merged with the
//! first.

use serde::{Deserialize, Serialize};

use crate::Error;

/// One cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheLevel {
    /// Capacity in bytes.
    pub bytes: usize,
    /// Ways of one set.
    pub ways: usize,
}

/// The two levels in front of the last one. The default is `ChampSim`'s: 48 KB 12-way and 512 KB 8-way, 64-byte lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheConfig {
    /// Bytes of one line, a power of two from 16 to 4096.
    pub line_bytes: usize,
    /// First-level data cache.
    pub l1d: CacheLevel,
    /// Second-level cache.
    pub l2: CacheLevel,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            line_bytes: 64,
            l1d: CacheLevel { bytes: 48 << 10, ways: 12 },
            l2: CacheLevel { bytes: 512 << 10, ways: 8 },
        }
    }
}

/// A line that is nowhere: no address has it, since lines are addresses shifted right.
const EMPTY: u64 = u64::MAX;

/// Lines of one cache, each set from the most to the least recently used. Bit 0 of an entry says dirty, the rest is the
/// line address.
#[derive(Debug, Clone)]
struct Level {
    ways: usize,
    set_mask: u64,
    entries: Vec<u64>,
}

/// What an access does to the order and the dirty bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Read,
    Write,
    /// From above: dirty, and no sign that the line is wanted.
    WriteBack,
}

/// Whether the line was there, and the dirty line that had to leave for it.
struct Outcome {
    hit: bool,
    written_back: Option<u64>,
}

impl Level {
    fn new(name: &str, level: CacheLevel, line_bytes: usize) -> Result<Self, Error> {
        let fail = |detail: String| Err(Error::Cache { detail });
        let CacheLevel { bytes, ways } = level;
        if !(1..=64).contains(&ways) {
            return fail(format!("{name}.ways is {ways}, allowed are 1 to 64"));
        }
        let set_bytes = ways * line_bytes;
        let sets = bytes / set_bytes;
        if !bytes.is_multiple_of(set_bytes) || !sets.is_power_of_two() || bytes > 1 << 30 {
            return fail(format!(
                "{name}.bytes is {bytes}; with {ways} ways of {line_bytes}-byte lines it must be {set_bytes} times a power \
                 of two, at most 2^30"
            ));
        }
        Ok(Self { ways, set_mask: sets as u64 - 1, entries: vec![EMPTY; sets * ways] })
    }

    fn access(&mut self, line: u64, access: Use) -> Outcome {
        let start = (line & self.set_mask) as usize * self.ways;
        let set = &mut self.entries[start..start + self.ways];
        let dirty = u64::from(access != Use::Read);
        if let Some(way) = set.iter().position(|&entry| entry >> 1 == line) {
            set[way] |= dirty;
            if access != Use::WriteBack {
                set[..=way].rotate_right(1);
            }
            return Outcome { hit: true, written_back: None };
        }
        set.rotate_right(1);
        let victim = std::mem::replace(&mut set[0], line << 1 | dirty);
        let written_back = (victim != EMPTY && victim & 1 == 1).then_some(victim >> 1);
        Outcome { hit: false, written_back }
    }
}

/// Both levels, filled access by access.
#[derive(Debug, Clone)]
pub struct CacheFilter {
    line_bits: u32,
    l1d: Level,
    l2: Level,
}

impl CacheFilter {
    /// Empty caches.
    pub fn new(config: &CacheConfig) -> Result<Self, Error> {
        let line_bytes = config.line_bytes;
        if !line_bytes.is_power_of_two() || !(16..=4096).contains(&line_bytes) {
            let detail = format!("line_bytes is {line_bytes}, it must be a power of two from 16 to 4096");
            return Err(Error::Cache { detail });
        }
        Ok(Self {
            line_bits: line_bytes.ilog2(),
            l1d: Level::new("l1d", config.l1d, line_bytes)?,
            l2: Level::new("l2", config.l2, line_bytes)?,
        })
    }

    /// A load or store; true when it misses both levels, so that the last-level cache sees it.
    pub fn access(&mut self, address: u64, store: bool) -> bool {
        let line = address >> self.line_bits;
        let first = self.l1d.access(line, if store { Use::Write } else { Use::Read });
        if first.hit {
            return false;
        }
        // The line is dirty in the first level only, also after a store.
        let missed = !self.l2.access(line, Use::Read).hit;
        if let Some(evicted) = first.written_back {
            self.l2.access(evicted, Use::WriteBack);
        }
        missed
    }
}
