//! What a person wants to know about a trace before training on it.

use serde::Serialize;

use crate::detect::{TraceFormat, TraceKind};
use crate::source::Compression;
use crate::trace::{Access, Counts};

/// Blocks each way in which [`TraceInfo::deltas_in_range`] counts: the reference model's label range.
pub const DELTA_RANGE: u64 = 128;

/// Address bits of a block and of a page in the figures of [`TraceInfo`]: 64 bytes and 4 KB.
const BLOCK_BITS: u32 = 6;
const PAGE_BITS: u32 = 12;

/// Which addresses a trace holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AddressSpace {
    /// The program's own: neighbouring pages are neighbours.
    Virtual,
    /// Perhaps after translation: neighbouring pages may lie anywhere.
    PossiblyPhysical,
}

/// Figures of a trace.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TraceInfo {
    /// The file, as given.
    pub file: String,
    /// What the file is.
    pub kind: TraceKind,
    /// How it is packed.
    pub compression: Compression,
    /// Instructions, or lines of a load trace.
    pub records: u64,
    /// Loads before the cache filter. A load trace does not tell loads from stores: all of them count here.
    pub loads: u64,
    /// Stores before the cache filter.
    pub stores: u64,
    /// Lines with id 0 (cold code, prefetches), left out.
    pub dropped: u64,
    /// Accesses that reach the last-level cache.
    pub accesses: usize,
    /// Those of them that are loads.
    pub llc_loads: u64,
    /// Those of them that are stores, as reads for ownership.
    pub llc_rfos: u64,
    /// Different 64-byte blocks among the accesses.
    pub unique_blocks: usize,
    /// Different 4 KB pages among the accesses.
    pub unique_pages: usize,
    /// Different program counters among the accesses.
    pub unique_ips: usize,
    /// Of the steps from one access to the next, the share that is 1 to [`DELTA_RANGE`] blocks long, 0 to 1.
    pub deltas_in_range: f64,
    /// Of those steps, the share that stays in its 4 KB page, 0 to 1.
    pub deltas_in_page: f64,
    /// Which addresses the trace holds.
    pub addresses: AddressSpace,
    /// What to beware of, a sentence.
    pub warning: Option<&'static str>,
    /// What was done to the trace on its way, a sentence.
    pub note: &'static str,
}

impl TraceInfo {
    pub(crate) fn new(file: String, format: TraceFormat, counts: Counts, accesses: &[Access]) -> Self {
        let (addresses, warning, note) = match format.kind {
            TraceKind::ChampsimInstructions => (
                AddressSpace::Virtual,
                None,
                "loads and stores went through the L1D and L2 filter and keep their virtual addresses; instruction \
                 fetches are ignored",
            ),
            TraceKind::MldpcLoads => (
                AddressSpace::PossiblyPhysical,
                Some(
                    "the addresses may be physical: a delta that crosses a 4 KB page then depends on page placement and \
                     means nothing; label deltas inside pages only (page bits 12), or use the instruction trace",
                ),
                "the lines are last-level cache accesses already, no filter was applied; loads and stores are not told \
                 apart",
            ),
        };
        let (in_range, in_page) = steps(accesses);
        Self {
            file,
            kind: format.kind,
            compression: format.compression,
            records: counts.records,
            loads: counts.loads,
            stores: counts.stores,
            dropped: counts.dropped,
            accesses: accesses.len(),
            llc_loads: counts.llc_loads,
            llc_rfos: counts.llc_rfos,
            unique_blocks: unique(accesses, |access| access.address >> BLOCK_BITS),
            unique_pages: unique(accesses, |access| access.address >> PAGE_BITS),
            unique_ips: unique(accesses, |access| access.ip),
            deltas_in_range: share(in_range, accesses.len().saturating_sub(1)),
            deltas_in_page: share(in_page, in_range),
            addresses,
            warning,
            note,
        }
    }
}

/// Steps of 1 to [`DELTA_RANGE`] blocks, and how many of them stay in their page.
fn steps(accesses: &[Access]) -> (usize, usize) {
    let (mut in_range, mut in_page) = (0, 0);
    for pair in accesses.windows(2) {
        let (from, to) = (pair[0].address, pair[1].address);
        if (1..=DELTA_RANGE).contains(&(to >> BLOCK_BITS).abs_diff(from >> BLOCK_BITS)) {
            in_range += 1;
            in_page += usize::from(to >> PAGE_BITS == from >> PAGE_BITS);
        }
    }
    (in_range, in_page)
}

fn unique(accesses: &[Access], key: impl Fn(&Access) -> u64) -> usize {
    let mut keys: Vec<u64> = accesses.iter().map(key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.len()
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
