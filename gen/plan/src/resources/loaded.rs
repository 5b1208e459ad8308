//! What is loaded at run time, and what loads it: each part counts one cell of `hdl-templates`, in the order of its text.

use tablewright_design::{Design, IntEncoder, IntEncoderKind, Op, Protection};

use super::cells::clog2;
use super::{Holds, Memory, Resources};

/// Bits of a lane of the load stream.
const LANE_BITS: u32 = 32;
/// `load`: write, memory, word, lane, check bits, data.
const LOAD_BUS: u64 = 84;

impl Resources {
    /// A bank: frozen, `tw_rom.v`, or loaded, `tw_bank.v`.
    pub(super) fn bank(
        &mut self,
        loaded: Option<Protection>,
        holds: Holds,
        count: u64,
        (words, width): (u64, u64),
    ) {
        let Some(protection) = loaded else {
            self.rom(holds, count, words, width);
            return;
        };
        let stored = stored_bits(protection, width);
        self.memory(Memory { holds, count: 2 * count, words, width: stored, writable: true });
        // The word of each half, whether it was asked for, two errors.
        self.registers(count * (2 * stored + 3));
    }

    /// `tw_held.v`: two sets, what is known to be wrong, two errors.
    pub(super) fn held(&mut self, protection: Protection, width: u64) {
        self.registers(2 * stored_bits(protection, width) + 4);
    }

    /// Features and thresholds of trees that are loaded.
    pub(super) fn held_trees(&mut self, protection: Protection, encoder: &IntEncoder) {
        let IntEncoderKind::Tree { width, .. } = &encoder.kind else {
            return;
        };
        for c in 0..encoder.subspaces {
            let index = clog2(encoder.range(c).len() as u64).max(1);
            self.held(protection, u64::from(encoder.code_bits) * index);
            self.held(protection, (encoder.prototypes() as u64 - 1) * u64::from(*width));
        }
    }

    /// `tw_loader.v`, `tw_swap.v`, `tw_load_registers.v` and the decision threshold, where up to `places` windows are inside.
    pub(crate) fn of_loading(design: &Design, places: u64) -> Self {
        let mut r = Self::default();
        let Some(protection) = design.loaded else {
            return r;
        };
        let memories: u64 = design.iter().map(|(_, node)| memories(&node.op)).sum();
        // State, field, place, CRC; loaded, activate, accepted, refused, the error, how many words, the version; the bus.
        r.registers(2 + 3 + clog2(memories) + 20 + 12 + 32 + 4 + 3 + 32 + 32 + LOAD_BUS);
        r.registers(4 + clog2(places + 1));
        // Two answers, their codes and the data; six counts and versions; the errors of a cycle.
        r.registers(2 + 2 + 32 + 2 + 6 * 32 + 2 * clog2(memories + 1));
        r.held(protection, u64::from(design.logits_format().width) + 1);
        r
    }
}

/// Bits that are kept for a word of `width` bits.
fn stored_bits(protection: Protection, width: u64) -> u64 {
    let last = ((width - 1) % u64::from(LANE_BITS)) as u32 + 1;
    let whole = (width - u64::from(last)) / u64::from(LANE_BITS);
    width + whole * u64::from(protection.check_bits(LANE_BITS)) + u64::from(protection.check_bits(last))
}

/// Memories of a node that are loaded, where any are.
fn memories(op: &Op) -> u64 {
    match op {
        Op::Encode { encoder, .. } => match encoder.kind {
            IntEncoderKind::Tree { .. } => 2 * encoder.subspaces as u64,
            IntEncoderKind::Nearest { .. } => encoder.subspaces as u64,
        },
        Op::Position { .. } | Op::Threshold { .. } | Op::Transpose { lead: Some(_) } => 1,
        op => {
            let bias = op.tables().first().is_some_and(|table| table.bias.is_some());
            let banks: usize = op.tables().iter().map(|table| table.subspaces).sum();
            banks as u64 + u64::from(bias)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lane_has_check_bits() {
        assert_eq!(stored_bits(Protection::None, 40), 40);
        assert_eq!(stored_bits(Protection::Parity, 40), 42);
        assert_eq!(stored_bits(Protection::Secded, 40), 40 + 7 + 5);
        assert_eq!(stored_bits(Protection::Secded, 64), 64 + 14);
        assert_eq!(stored_bits(Protection::Secded, 1), 1 + 3);
    }
}
