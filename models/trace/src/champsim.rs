//! `ChampSim` instruction traces.
//!
//! A trace is nothing but records of 64 bytes, little-endian, no header:
//!
//! | byte | field | |
//! |---|---|---|
//! | 0 | `u64 ip` | |
//! | 8 | `u8 is_branch` | 0 or 1 |
//! | 9 | `u8 taken` | 0 or 1 |
//! | 10 | `u8 destination_registers[2]` | 0 = none |
//! | 12 | `u8 source_registers[4]` | 0 = none |
//! | 16 | `u64 destination_memory[2]` | stores, 0 = none |
//! | 32 | `u64 source_memory[4]` | loads, 0 = none |

use crate::Error;
use crate::source::Source;

/// Bytes of one record.
pub const RECORD: usize = 64;

/// Records read at once: 256 KiB, large enough to hide the calls, small enough for the second-level cache.
const CHUNK: usize = 4096 * RECORD;

/// What this crate uses of one instruction: where it is and which memory it touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Its address.
    pub ip: u64,
    /// Addresses it stores to; 0 = none.
    pub stores: [u64; 2],
    /// Addresses it loads from; 0 = none.
    pub loads: [u64; 4],
}

impl Instruction {
    /// Reads a record, or gives the field that is not 0 or 1 and its value.
    pub fn parse(record: &[u8; RECORD]) -> Result<Self, (&'static str, u8)> {
        for (field, value) in [("is_branch", record[8]), ("taken", record[9])] {
            if value > 1 {
                return Err((field, value));
            }
        }
        let word = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&record[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        Ok(Self {
            ip: word(0),
            stores: [word(16), word(24)],
            loads: [word(32), word(40), word(48), word(56)],
        })
    }
}

/// Reads the records of an instruction trace in order, in constant memory.
#[derive(Debug)]
pub struct Instructions {
    source: Source,
    buffer: Vec<u8>,
    at: usize,
    read: u64,
}

impl Instructions {
    /// Over content that was detected to be an instruction trace.
    pub fn new(source: Source) -> Self {
        Self { source, buffer: Vec::new(), at: 0, read: 0 }
    }

    /// The content being read, for its progress.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Records returned so far.
    pub fn count_so_far(&self) -> u64 {
        self.read
    }

    /// The next record, or `None` after the last.
    pub fn next_instruction(&mut self) -> Result<Option<Instruction>, Error> {
        if self.at == self.buffer.len() && !self.refill()? {
            return Ok(None);
        }
        // `refill` leaves whole records only.
        let Some(record) = self.buffer[self.at..].first_chunk::<RECORD>() else {
            return Ok(None);
        };
        let instruction = Instruction::parse(record).map_err(|(field, value)| Error::BadRecord {
            path: self.source.path().into(),
            record: self.read + 1,
            byte: self.read * RECORD as u64,
            field,
            value,
        })?;
        self.at += RECORD;
        self.read += 1;
        Ok(Some(instruction))
    }

    fn refill(&mut self) -> Result<bool, Error> {
        self.buffer.resize(CHUNK, 0);
        let filled = self.source.fill(&mut self.buffer)?;
        self.buffer.truncate(filled);
        self.at = 0;
        if !filled.is_multiple_of(RECORD) {
            let bytes = self.source.decompressed();
            return Err(Error::TruncatedRecord {
                path: self.source.path().into(),
                compression: self.source.compression(),
                bytes,
                records: bytes / RECORD as u64,
            });
        }
        Ok(filled > 0)
    }
}
