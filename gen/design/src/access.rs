//! What a prefetcher is driven with and what it gives: addresses, and their widths.

use crate::format::Format;
use crate::graph::Design;

/// Bits of a byte address, and of a program counter.
pub const ADDRESS_BITS: u32 = 64;

impl Design {
    /// Bits of a block address: a byte address without the bits inside the block.
    pub fn block_width(&self) -> u32 {
        ADDRESS_BITS - self.input.block_bits
    }

    /// Segments of an access that are cut from its address; the others are cut from its program counter.
    pub fn address_segments(&self) -> usize {
        self.network.segments - self.input.pc_segments
    }

    /// Whether the model sees program counters.
    pub fn reads_pc(&self) -> bool {
        self.input.pc_segments > 0
    }

    /// Bits of a demand access: its byte address and above it, if the model sees it, its program counter.
    pub fn access_width(&self) -> u32 {
        if self.reads_pc() { 2 * ADDRESS_BITS } else { ADDRESS_BITS }
    }

    /// Bits of the segments of one access.
    pub fn segments_width(&self) -> u32 {
        self.network.segments as u32 * self.input.segment_bits
    }

    /// Of the logits.
    pub fn logits_format(&self) -> Format {
        self.node(self.logits()).value.format
    }
}
