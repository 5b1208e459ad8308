//! ML-DPC text files: load traces in, prefetch files out.
//!
//! A load trace has one line per demand access that the last-level cache saw: `instr_id, cycle, hex_address, hex_ip, hit`.
//! Ids are those of the instructions, out of order as the accesses were; id 0 marks lines that no instruction asked
//! for (cold code, prefetches). A prefetch file has one line per prefetch: `instr_id hex_address`.

use std::io::{self, Write};

use crate::Error;
use crate::source::Source;
use crate::trace::Access;

/// The longest line that is still read. Real ones have some 50 characters; without a limit, a file with no line end
/// would be taken into memory whole.
const LONGEST_LINE: usize = 1024;

const CHUNK: usize = 1 << 18;

const DECIMAL: &str = "a decimal number below 2^64";
const HEXADECIMAL: &str = "a hexadecimal number below 2^64";

/// One line of a load trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadLine {
    /// Instruction id, program counter and byte address.
    pub access: Access,
    /// Cycle of the access in the simulator that wrote the file.
    pub cycle: u64,
    /// Whether the last-level cache held the block.
    pub hit: bool,
}

/// A line that does not parse, without the file and line number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineFault {
    /// Not 5 fields.
    Count(usize),
    /// Name, value and what it should be.
    Field(&'static str, String, &'static str),
}

/// Parses a line without its line end.
pub fn parse_line(line: &[u8]) -> Result<LoadLine, LineFault> {
    let mut fields = [&line[..0]; 5];
    let mut found = 0;
    for field in line.split(|&byte| byte == b',') {
        if let Some(slot) = fields.get_mut(found) {
            *slot = field.trim_ascii();
        }
        found += 1;
    }
    if found != fields.len() {
        return Err(LineFault::Count(found));
    }
    let number = |index: usize, name, radix, expected| {
        number(fields[index], radix).ok_or_else(|| LineFault::Field(name, shorten(fields[index]), expected))
    };
    let id = number(0, "instr_id", 10, DECIMAL)?;
    let cycle = number(1, "cycle", 10, DECIMAL)?;
    let address = number(2, "hex_address", 16, HEXADECIMAL)?;
    let ip = number(3, "hex_ip", 16, HEXADECIMAL)?;
    let hit = match fields[4] {
        b"0" => false,
        b"1" => true,
        other => return Err(LineFault::Field("hit", shorten(other), "0 or 1")),
    };
    Ok(LoadLine { access: Access { id, address, ip }, cycle, hit })
}

/// `from_str_radix` takes a sign, these files have none; a leading `0x` is welcome in hexadecimal.
fn number(field: &[u8], radix: u32) -> Option<u64> {
    let digits = match field {
        [b'0', b'x' | b'X', rest @ ..] if radix == 16 => rest,
        other => other,
    };
    if digits.first().is_none_or(|byte| !byte.is_ascii_alphanumeric()) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

/// At most 60 characters, fit for a message.
pub(crate) fn shorten(text: &[u8]) -> String {
    let printable: String = String::from_utf8_lossy(&text[..text.len().min(240)])
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    let mut short: String = printable.chars().take(60).collect();
    if short.len() < printable.len() || text.len() > 240 {
        short.push('…');
    }
    short
}

/// Reads the lines of a load trace in order, in constant memory. Blank lines are passed over.
#[derive(Debug)]
pub struct LoadLines {
    source: Source,
    buffer: Vec<u8>,
    at: usize,
    ended: bool,
    line: u64,
    read: u64,
}

impl LoadLines {
    /// Over content that was detected to be a load trace.
    pub fn new(source: Source) -> Self {
        Self { source, buffer: Vec::new(), at: 0, ended: false, line: 0, read: 0 }
    }

    /// The content being read, for its progress.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Lines returned so far.
    pub fn count_so_far(&self) -> u64 {
        self.read
    }

    /// The next line, or `None` after the last.
    pub fn next_line(&mut self) -> Result<Option<LoadLine>, Error> {
        loop {
            let rest = &self.buffer[self.at..];
            let (text, next) = match rest.iter().position(|&byte| byte == b'\n') {
                Some(end) => (&rest[..end], self.at + end + 1),
                None if self.ended && rest.is_empty() => return Ok(None),
                None if self.ended => (rest, self.buffer.len()),
                None if rest.len() > LONGEST_LINE => (rest, self.buffer.len()),
                None => {
                    self.refill()?;
                    continue;
                }
            };
            self.line += 1;
            if text.len() > LONGEST_LINE {
                return Err(Error::BadField {
                    path: self.source.path().into(),
                    line: self.line,
                    field: "line",
                    value: shorten(text),
                    expected: "at most 1024 characters long",
                });
            }
            let text = text.trim_ascii();
            if text.is_empty() {
                self.at = next;
                continue;
            }
            let parsed = parse_line(text).map_err(|fault| self.fault(fault, text))?;
            self.at = next;
            self.read += 1;
            return Ok(Some(parsed));
        }
    }

    fn fault(&self, fault: LineFault, text: &[u8]) -> Error {
        let (path, line) = (self.source.path().into(), self.line);
        match fault {
            LineFault::Count(found) => Error::FieldCount { path, line, found, text: shorten(text) },
            LineFault::Field(field, value, expected) => {
                Error::BadField { path, line, field, value, expected }
            }
        }
    }

    /// Moves the unread rest to the front and fills up behind it.
    fn refill(&mut self) -> Result<(), Error> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let rest = self.buffer.len();
        self.buffer.resize(rest + CHUNK, 0);
        let filled = self.source.fill(&mut self.buffer[rest..])?;
        self.buffer.truncate(rest + filled);
        self.ended = filled < CHUNK;
        Ok(())
    }
}

/// Writes the prefetches of one access as lines of an ML-DPC prefetch file, best first.
///
/// `addresses` are byte addresses (block address shifted back up). The format has no limit on lines for an id; the
/// championship's rules allowed 2. Ids of an instruction trace count its records from 1, as that simulator does.
pub fn write_prefetches(out: &mut impl Write, id: u64, addresses: &[u64]) -> io::Result<()> {
    addresses.iter().try_for_each(|address| writeln!(out, "{id} {address:x}"))
}
