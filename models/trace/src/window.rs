//! What the network sees of an access, and what it should say about it.

use tablewright_model::{InputConfig, NetworkConfig};

use crate::trace::Access;

/// The program counter folded to 16 bits.
pub fn hash_pc(pc: u64) -> u16 {
    let t = pc ^ (pc >> 32);
    ((t ^ (t >> 16)) & 0xFFFF) as u16
}

/// The output of a delta: d > 0 is output d − 1, d < 0 is output `outputs` + d. `None` for 0 and for
/// |d| > `outputs` / 2.
pub fn output_of_delta(delta: i64, outputs: usize) -> Option<usize> {
    let distance = usize::try_from(delta.unsigned_abs()).ok()?;
    if distance == 0 || distance > outputs / 2 {
        return None;
    }
    Some(if delta > 0 { distance - 1 } else { outputs - distance })
}

/// The delta of an output, below `outputs`: the inverse of [`output_of_delta`].
pub fn delta_of_output(output: usize, outputs: usize) -> i64 {
    if output < outputs / 2 { output as i64 + 1 } else { output as i64 - outputs as i64 }
}

/// Cuts accesses into segments: the segmented address of the reference model, and of the program counter if asked.
///
/// Segment s of the first `segments − pc_segments` holds bits s·`segment_bits`.. of the block address; the others hold
/// the same of [`hash_pc`]. Bits beyond the value are zero.
#[derive(Debug, Clone)]
pub struct Segmenter {
    block_bits: u32,
    segment_bits: u32,
    address_segments: usize,
    segments: usize,
}

impl Segmenter {
    /// For configurations within their limits.
    pub fn new(network: &NetworkConfig, input: &InputConfig) -> Self {
        Self {
            block_bits: input.block_bits,
            segment_bits: input.segment_bits,
            address_segments: network.segments.saturating_sub(input.pc_segments),
            segments: network.segments,
        }
    }

    /// Segments of one access.
    pub fn segments(&self) -> usize {
        self.segments
    }

    /// Writes the segments of an access to `out`, which holds [`Segmenter::segments`] of them.
    pub fn cut(&self, access: &Access, out: &mut [u8]) {
        let block = access.address >> self.block_bits;
        let pc = u64::from(hash_pc(access.ip));
        let mask = (1u64 << self.segment_bits) - 1;
        for (s, slot) in out.iter_mut().enumerate() {
            let (value, index) =
                if s < self.address_segments { (block, s) } else { (pc, s - self.address_segments) };
            let shifted = value.checked_shr(index as u32 * self.segment_bits).unwrap_or(0);
            *slot = (shifted & mask) as u8;
        }
    }
}

/// Makes delta bitmaps.
#[derive(Debug, Clone)]
pub struct Labeller {
    outputs: usize,
    lookahead: usize,
    /// Deltas count only between blocks that agree from this bit up.
    page_shift: Option<u32>,
}

impl Labeller {
    /// Without [`InputConfig::page_bits`] deltas are labelled wherever they lead.
    pub fn new(outputs: usize, input: &InputConfig) -> Self {
        let page_shift = input.page_bits.map(|bits| bits.saturating_sub(input.block_bits).min(63));
        Self { outputs, lookahead: input.lookahead, page_shift }
    }

    /// Sets in `bits` (zero before) the outputs of the deltas from block `at` to the next `lookahead` blocks, or to what
    /// is left of them. True when there is one.
    pub fn label(&self, blocks: &[u64], at: usize, bits: &mut [u8]) -> bool {
        let mut any = false;
        self.each(blocks, at, |output| {
            bits[output / 8] |= 1 << (output % 8);
            any = true;
            true
        });
        any
    }

    /// Whether [`Labeller::label`] would set a bit.
    pub fn has_label(&self, blocks: &[u64], at: usize) -> bool {
        let mut any = false;
        self.each(blocks, at, |_| {
            any = true;
            false
        });
        any
    }

    /// Calls `visit` with the output of every labelled delta until it returns false.
    fn each(&self, blocks: &[u64], at: usize, mut visit: impl FnMut(usize) -> bool) {
        let here = blocks[at];
        let end = (at + 1 + self.lookahead).min(blocks.len());
        for &there in &blocks[at + 1..end] {
            let Some(output) = output_of_delta(there.wrapping_sub(here) as i64, self.outputs) else {
                continue;
            };
            if self.page_shift.is_some_and(|shift| here >> shift != there >> shift) {
                continue;
            }
            if !visit(output) {
                return;
            }
        }
    }
}
