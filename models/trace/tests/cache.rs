//! The cache filter against a model that is obviously right.
#![allow(clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;
use tablewright_trace::{CacheConfig, CacheFilter, CacheLevel};

/// Lines with the time of their last use; the victim is found by looking at all of the set.
struct Naive {
    sets: u64,
    ways: usize,
    /// Line, last use, dirty.
    lines: Vec<(u64, u64, bool)>,
    clock: u64,
}

impl Naive {
    fn new(sets: u64, ways: usize) -> Self {
        Self { sets, ways, lines: Vec::new(), clock: 0 }
    }

    /// Whether it hit, and the dirty line that left.
    fn access(&mut self, line: u64, write: bool, promote: bool) -> (bool, Option<u64>) {
        self.clock += 1;
        if let Some(entry) = self.lines.iter_mut().find(|entry| entry.0 == line) {
            entry.2 |= write;
            if promote {
                entry.1 = self.clock;
            }
            return (true, None);
        }
        let sets = self.sets;
        let in_set = |entry: &&(u64, u64, bool)| entry.0 % sets == line % sets;
        let mut out = None;
        if self.lines.iter().filter(in_set).count() == self.ways {
            let victim = *self.lines.iter().filter(in_set).min_by_key(|entry| entry.1).unwrap();
            self.lines.retain(|entry| entry.0 != victim.0);
            out = victim.2.then_some(victim.0);
        }
        self.lines.push((line, self.clock, write));
        (false, out)
    }
}

fn small() -> CacheConfig {
    CacheConfig {
        line_bytes: 64,
        l1d: CacheLevel { bytes: 2 * 3 * 64, ways: 3 },
        l2: CacheLevel { bytes: 4 * 2 * 64, ways: 2 },
    }
}

proptest! {
    #[test]
    fn agrees_with_the_naive_model(accesses in proptest::collection::vec((0u64..40, 0u64..64, any::<bool>()), 1..600)) {
        let mut filter = CacheFilter::new(&small()).unwrap();
        let (mut l1, mut l2) = (Naive::new(2, 3), Naive::new(4, 2));
        for (line, offset, store) in accesses {
            let (hit, dirty) = l1.access(line, store, true);
            let mut reaches = false;
            if !hit {
                reaches = !l2.access(line, false, true).0;
                if let Some(evicted) = dirty {
                    l2.access(evicted, true, false);
                }
            }
            prop_assert_eq!(filter.access(line * 64 + offset, store), reaches);
        }
    }
}

#[test]
fn a_working_set_that_fits_misses_once() {
    let mut filter = CacheFilter::new(&CacheConfig::default()).unwrap();
    let lines = (512 << 10) / 64;
    let misses = (0..3 * lines).filter(|i| filter.access(i % lines * 64, false)).count() as u64;
    assert_eq!(misses, lines);
    let mut filter = CacheFilter::new(&CacheConfig::default()).unwrap();
    let more = lines + 1024;
    assert_eq!((0..3 * more).filter(|i| filter.access(i % more * 64, false)).count() as u64, 3 * more);
}

#[test]
fn top_addresses_are_lines_too() {
    let mut filter = CacheFilter::new(&CacheConfig { line_bytes: 16, ..CacheConfig::default() }).unwrap();
    assert!(filter.access(u64::MAX, true));
    assert!(!filter.access(u64::MAX - 15, false));
}

#[test]
fn impossible_caches_are_refused() {
    let message = |config: CacheConfig| CacheFilter::new(&config).unwrap_err().to_string();
    let good = CacheConfig::default();
    assert_eq!(
        message(CacheConfig { line_bytes: 48, ..good }),
        "cache filter: line_bytes is 48, it must be a power of two from 16 to 4096"
    );
    assert_eq!(
        message(CacheConfig { l1d: CacheLevel { bytes: 1024, ways: 0 }, ..good }),
        "cache filter: l1d.ways is 0, allowed are 1 to 64"
    );
    let text = message(CacheConfig { l2: CacheLevel { bytes: 500_000, ways: 8 }, ..good });
    assert!(text.starts_with("cache filter: l2.bytes is 500000; with 8 ways"), "{text}");
    assert!(message(CacheConfig { l2: CacheLevel { bytes: 0, ways: 8 }, ..good }).contains("l2.bytes is 0"));
}
