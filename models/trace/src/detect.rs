//! What a file is.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::Error;
use crate::champsim::{Instruction, RECORD};
use crate::mldpc::shorten;
use crate::source::{Compression, Source};

/// The kinds of trace this crate reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TraceKind {
    /// `ChampSim` instruction records of 64 bytes; virtual addresses; goes through the cache filter.
    ChampsimInstructions,
    /// ML-DPC text lines, one per last-level cache access; addresses may be physical.
    MldpcLoads,
}

impl fmt::Display for TraceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ChampsimInstructions => "ChampSim instruction trace",
            Self::MldpcLoads => "ML-DPC load trace",
        })
    }
}

/// A trace's kind and packing, as told from its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TraceFormat {
    /// What the content is.
    pub kind: TraceKind,
    /// How it is packed.
    pub compression: Compression,
}

impl TraceFormat {
    /// Reads the beginning of a file and says what it is.
    pub fn of_file(path: &Path) -> Result<Self, Error> {
        Self::of_source(&Source::open(path)?)
    }

    /// Says what opened content is.
    pub fn of_source(source: &Source) -> Result<Self, Error> {
        let not_a_trace = |looks: String| Error::NotATrace { path: source.path().into(), looks };
        let kind = kind_of(source.head()).map_err(not_a_trace)?;
        Ok(Self { kind, compression: source.compression() })
    }
}

impl fmt::Display for TraceFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = match self.kind {
            TraceKind::ChampsimInstructions => "64-byte records",
            TraceKind::MldpcLoads => "one text line per last-level cache access",
        };
        write!(f, "{} ({detail}, {})", self.kind, self.compression)
    }
}

/// The kind, or what the content looks like instead.
fn kind_of(head: &[u8]) -> Result<TraceKind, String> {
    if let Some(other) = known_other(head) {
        return Err(other.into());
    }
    if is_text(head) {
        return kind_of_text(head);
    }
    if head.len() < RECORD {
        return Err(format!("{} bytes of binary data, less than one record", head.len()));
    }
    let (records, _) = head.as_chunks::<RECORD>();
    let mut any_ip = false;
    for (index, record) in records.iter().enumerate() {
        match Instruction::parse(record) {
            Ok(instruction) => any_ip |= instruction.ip != 0,
            Err((field, value)) => {
                return Err(format!(
                    "binary data that is not instruction records (as record {}, its {field} would be {value}, not 0 or 1)",
                    index + 1
                ));
            }
        }
    }
    if any_ip { Ok(TraceKind::ChampsimInstructions) } else { Err("zero bytes".into()) }
}

/// Text is a load trace when its first line has the right number of fields; a wrong field in it is reported by the
/// reader, which knows the line.
fn kind_of_text(head: &[u8]) -> Result<TraceKind, String> {
    let lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let Some(first) = lines.into_iter().find(|line| !line.is_empty()) else {
        return Err("text with nothing but blank lines".into());
    };
    if first.starts_with(b"version https://git-lfs") {
        return Err("a git-lfs pointer; fetch the real file with `git lfs pull`".into());
    }
    match first.split(|&byte| byte == b',').count() {
        5 => Ok(TraceKind::MldpcLoads),
        _ => Err(format!("text whose first line is \"{}\"", shorten(first))),
    }
}

/// Formats that people hand over by mistake, by their first bytes.
fn known_other(head: &[u8]) -> Option<&'static str> {
    const OTHERS: [(&[u8], &str); 7] = [
        (b"BZh", "a bzip2 file; unpack it with `bunzip2` first"),
        (b"\x28\xb5\x2f\xfd", "a Zstandard file; unpack it with `unzstd` first"),
        (b"PK\x03\x04", "a zip archive; unpack it first"),
        (b"\xfd7zXZ\0", "an xz file inside another compressed file; unpack it once"),
        (b"\x1f\x8b", "a gzip file inside another compressed file; unpack it once"),
        (b"\x7fELF", "a program (ELF), not a recording of one"),
        (b"\x93NUMPY", "a numpy array"),
    ];
    // A safetensors file: the length of a JSON header, then the header.
    if head.len() > 9 && head[3..8].iter().all(|&byte| byte == 0) && head[8] == b'{' {
        return Some("a safetensors file (a model or a dataset)");
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some("a tar archive; extract the trace from it first");
    }
    OTHERS.iter().find(|(magic, _)| head.starts_with(magic)).map(|&(_, what)| what)
}

fn is_text(head: &[u8]) -> bool {
    head.iter().all(|&byte| byte >= 0x80 || byte.is_ascii_graphic() || byte.is_ascii_whitespace())
}
