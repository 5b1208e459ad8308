//! What is loaded at run time: which memory is which on the load bus, and the image that fills them.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use tablewright_design::{Design, Protection};
use tablewright_plan::Plan;

use crate::image::{Image, loaded_images};

/// Bits of a lane: a word of the load stream.
pub(crate) const LANE_BITS: u64 = 32;

/// First word of an image, `TWIM` as bytes.
pub(crate) const MAGIC: u32 = u32::from_le_bytes(*b"TWIM");

/// Version of the image format.
pub(crate) const FORMAT: u32 = 1;

/// Bit of the second word: the image becomes active as soon as it is accepted.
const ACTIVATE: u32 = 1 << 16;

/// The memories on the load bus, by number.
#[derive(Debug, Clone)]
pub struct Loading {
    /// What guards each 32 bits.
    pub protection: Protection,
    /// In the order of the image; a memory's place is its number.
    pub memories: Vec<Image>,
    /// Hash of all that an image depends on beside the model's contents.
    pub shape: u64,
}

/// How a table set is labelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Label {
    /// Version of the table set: the user's number, which the registers show.
    pub version: u32,
    /// The hardware changes over to it as soon as it is accepted, and not when it is told to.
    pub activate: bool,
}

impl Loading {
    /// Of a design as it is laid out; nothing where its contents are frozen.
    pub fn of(design: &Design, plan: &Plan) -> Option<Self> {
        let protection = design.loaded?;
        let memories = loaded_images(design, plan);
        let shape = shape(design, &memories);
        Some(Self { protection, memories, shape })
    }

    /// The numbers of the memories of a node: the first, and how many.
    pub(crate) fn of_node(&self, node: &str) -> (usize, usize) {
        let own = |image: &&Image| image.node == node;
        let first = self.memories.iter().position(|image| image.node == node).unwrap_or(0);
        (first, self.memories.iter().filter(own).count())
    }

    /// The number of a memory by its name.
    pub(crate) fn number(&self, file: &str) -> usize {
        self.memories.iter().position(|image| image.file == file).unwrap_or(0)
    }

    /// Words of the load stream between header and CRC.
    pub fn payload_words(&self) -> u64 {
        self.memories.iter().map(|m| m.words() as u64 * m.width().div_ceil(LANE_BITS)).sum()
    }

    /// For each memory its last word and its last lane, as the loader's parameter has it, the highest number first.
    pub(crate) fn sizes(&self) -> String {
        self.memories.iter().rev().fold(String::new(), |mut text, memory| {
            let (words, lanes) = (memory.words() as u64 - 1, memory.width().div_ceil(LANE_BITS) - 1);
            let _ = write!(text, "{:08x}", lanes << 20 | words);
            text
        })
    }

    /// The image that fills the memories with the contents at hand, as words of the load stream.
    pub fn image(&self, label: Label) -> Vec<u32> {
        let mut words = vec![
            MAGIC,
            FORMAT | if label.activate { ACTIVATE } else { 0 },
            self.shape as u32,
            (self.shape >> 32) as u32,
            label.version,
            self.payload_words() as u32,
        ];
        for memory in &self.memories {
            for word in memory.values.chunks_exact(memory.lanes) {
                pack(word, memory.lane_bits, &mut words);
            }
        }
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        words.push(crc32fast::hash(&bytes));
        words
    }

    /// The same as text, one word a line, for `$readmemh`.
    pub fn hex(&self, label: Label) -> String {
        self.image(label).iter().fold(String::new(), |mut text, word| {
            let _ = writeln!(text, "{word:08x}");
            text
        })
    }
}

/// Appends values of `bits` each, at most 64, as words of 32 bits: the first in the lowest bits, the last word filled up with zeros.
pub fn pack(values: &[i64], bits: u32, words: &mut Vec<u32>) {
    let (mut pending, mut held) = (0_u128, 0);
    for &value in values {
        pending |= (value as u128 & ((1_u128 << bits) - 1)) << held;
        held += bits;
        while held >= 32 {
            words.push(pending as u32);
            pending >>= 32;
            held -= 32;
        }
    }
    if held > 0 {
        words.push(pending as u32);
    }
}

/// A hash of the memories, the formats and the scales. Names of models, check bits and contents are no part of it.
fn shape(design: &Design, memories: &[Image]) -> u64 {
    let mut text = format!("tablewright image {FORMAT}\n");
    for node in &design.nodes {
        let shifts: Vec<_> = node.op.tables().iter().map(|table| &table.shifts).collect();
        let v = &node.value;
        let _ =
            writeln!(text, "{} {} {} {} {} {shifts:?}", node.name, node.op.kind(), v.rows, v.lanes, v.format);
    }
    for m in memories {
        let _ = writeln!(text, "{} {} {} {} {}", m.node, m.word_is, m.words(), m.lanes, m.lane_bits);
    }
    let mut first = [0; 8];
    first.copy_from_slice(&Sha256::digest(text.as_bytes())[..8]);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_packed_lowest_first() {
        let mut words = Vec::new();
        pack(&[-1, 2, 0, 5], 12, &mut words);
        assert_eq!(words, [0x2fff, 0x50], "48 bits in two words");
    }
}
