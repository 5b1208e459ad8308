//! Everything that can be wrong with a trace, a dataset or the numbers asked of them.

use std::io;
use std::path::PathBuf;

use crate::source::Compression;

/// One message each: what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The path names nothing.
    #[error(
        "{path}: there is no such file; give the path of a ChampSim instruction trace or an ML-DPC load trace"
    )]
    Missing {
        /// As given.
        path: PathBuf,
    },
    /// The path names a directory.
    #[error("{path} is a directory; give one trace file, such as {path}/NAME.champsimtrace.xz")]
    Directory {
        /// As given.
        path: PathBuf,
    },
    /// The operating system refused to open or read the file.
    #[error("{path}: cannot be read: {source}; check its permissions and the disk it is on")]
    Read {
        /// As given.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Nothing in the file, or nothing once decompressed.
    #[error("{path} is empty{}; a trace has at least one record, copy or record it again", .compression.inside())]
    Empty {
        /// As given.
        path: PathBuf,
        /// How the (empty) content is packed.
        compression: Compression,
    },
    /// The compressed stream stops before its end.
    #[error(
        "{path}: the {compression} data stops before its end, after {bytes} decompressed bytes; the file was cut \
         short, copy it again and check it with `{} -t`", .compression.tool()
    )]
    TruncatedStream {
        /// As given.
        path: PathBuf,
        /// Which decoder ran out of input.
        compression: Compression,
        /// Decompressed bytes before the end.
        bytes: u64,
    },
    /// The compressed stream is damaged.
    #[error(
        "{path}: the {compression} data is damaged after {bytes} decompressed bytes ({detail}); copy the file again \
         and check it with `{} -t`", .compression.tool()
    )]
    CorruptStream {
        /// As given.
        path: PathBuf,
        /// Which decoder complained.
        compression: Compression,
        /// Decompressed bytes before the damage.
        bytes: u64,
        /// The decoder's words.
        detail: String,
    },
    /// Neither an instruction trace nor a load trace.
    #[error(
        "{path} is not a trace: it looks like {looks}; expected are ChampSim instruction records (64 bytes each) or \
         ML-DPC lines `instr_id, cycle, hex_address, hex_ip, hit`, either of them raw, .xz or .gz"
    )]
    NotATrace {
        /// As given.
        path: PathBuf,
        /// What the beginning of the content suggests.
        looks: String,
    },
    /// An instruction trace whose length is not a multiple of the record size.
    #[error(
        "{path}: {bytes} bytes{} are {records} whole ChampSim records of 64 bytes and {} bytes of another; \
         the trace was cut short: copy it again, or keep the whole records with `head -c {}` on the raw trace",
        .compression.inside(), .bytes % 64, .records * 64
    )]
    TruncatedRecord {
        /// As given.
        path: PathBuf,
        /// How the content is packed.
        compression: Compression,
        /// Decompressed bytes.
        bytes: u64,
        /// Whole records among them.
        records: u64,
    },
    /// A record that no tracer writes, in the middle of an instruction trace.
    #[error(
        "{path}: record {record} (byte {byte}): field {field} is {value}, it must be 0 or 1; the trace is damaged or \
         lost its 64-byte alignment there, copy it again"
    )]
    BadRecord {
        /// As given.
        path: PathBuf,
        /// Counted from 1.
        record: u64,
        /// Offset of the record in the decompressed trace.
        byte: u64,
        /// `is_branch` or `taken`.
        field: &'static str,
        /// What stands there.
        value: u8,
    },
    /// A line of a load trace with too few or too many fields.
    #[error(
        "{path}: line {line} has {found} field{}, not the 5 of `instr_id, cycle, hex_address, hex_ip, hit`: \"{text}\"",
        if *.found == 1 { "" } else { "s" }
    )]
    FieldCount {
        /// As given.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// Fields between commas.
        found: usize,
        /// The line, shortened.
        text: String,
    },
    /// A field of a load trace that is not what it should be.
    #[error("{path}: line {line}: field {field} is \"{value}\", it must be {expected}")]
    BadField {
        /// As given.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// Its name in the format.
        field: &'static str,
        /// What stands there, shortened.
        value: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// A cache that cannot be built.
    #[error("cache filter: {detail}")]
    Cache {
        /// Field, value and limit.
        detail: String,
    },
    /// A network or input configuration outside its limits.
    #[error("{detail}")]
    Config {
        /// Every violation: field, value and limit.
        detail: String,
    },
    /// Fewer accesses than one window and its look-ahead take.
    #[error(
        "{trace}: {accesses} accesses reach the predictor, at least {needed} are needed ({why}); use a longer trace \
         or one that misses the caches more"
    )]
    TooShort {
        /// File of the trace.
        trace: String,
        /// What the trace has.
        accesses: usize,
        /// What it takes.
        needed: usize,
        /// Where that number comes from.
        why: String,
    },
    /// More accesses than a dataset can index.
    #[error("{trace}: {accesses} accesses are more than a dataset can index (2^32 − 1); use a shorter trace")]
    TooLong {
        /// File of the trace.
        trace: String,
        /// What the trace has.
        accesses: usize,
    },
    /// Every access goes to the same block.
    #[error(
        "{trace}: every access that reaches the predictor ({accesses}) goes to the one block {block:#x}, so there is no \
         delta to learn; use a trace whose program touches more memory"
    )]
    SingleBlock {
        /// File of the trace.
        trace: String,
        /// What the trace has.
        accesses: usize,
        /// The block address.
        block: u64,
    },
    /// No access has a labelled delta.
    #[error(
        "{trace}: no access is followed within {lookahead} accesses by one that is 1 to {range} blocks away{page}, so \
         there is nothing to learn; raise network.outputs or input.lookahead, or use another trace"
    )]
    NoDeltaInRange {
        /// File of the trace.
        trace: String,
        /// `InputConfig::lookahead`.
        lookahead: usize,
        /// outputs / 2.
        range: usize,
        /// ` in the same page of N bytes`, or nothing.
        page: String,
    },
    /// A split that leaves a part without rows.
    #[error("split of {rows} windows: {detail}")]
    Split {
        /// Rows of the dataset.
        rows: usize,
        /// What is wrong and what to do.
        detail: String,
    },
    /// A dataset file that is not one.
    #[error("{path}: not a dataset file: {detail}; make it again from its trace")]
    DatasetFile {
        /// As given.
        path: PathBuf,
        /// What does not fit.
        detail: String,
    },
    /// Something that could not be written.
    #[error(
        "{path}: cannot be written: {source}; nothing was left behind, check the directory and the free space"
    )]
    Write {
        /// The final name, not the temporary one.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Arrays of a metric that do not belong together.
    #[error("metric: {detail}")]
    Shape {
        /// Both shapes.
        detail: String,
    },
}
