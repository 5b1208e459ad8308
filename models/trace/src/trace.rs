//! A trace as the predictor sees it.

use std::path::Path;

use crate::Error;
use crate::cache::{CacheConfig, CacheFilter};
use crate::champsim::Instructions;
use crate::detect::{TraceFormat, TraceKind};
use crate::info::TraceInfo;
use crate::mldpc::LoadLines;
use crate::source::Source;

/// One demand access at the last-level cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Instruction id, counted from 1 in an instruction trace; a load trace brings its own.
    pub id: u64,
    /// Byte address.
    pub address: u64,
    /// Program counter.
    pub ip: u64,
}

/// The demand accesses of a program that reach the last-level cache, in order.
#[derive(Debug, Clone)]
pub struct Trace {
    /// What the file was.
    pub kind: TraceKind,
    /// What the last-level cache sees.
    pub accesses: Vec<Access>,
    /// What a person wants to know about it.
    pub info: TraceInfo,
}

/// Called now and then with the bytes of the file read so far and in all (0 if that is unknown).
pub type Progress<'a> = dyn FnMut(u64, u64) + 'a;

/// Records between two calls of a progress callback.
const PROGRESS_EVERY: u64 = 1 << 14;

impl Trace {
    /// Reads a trace of either kind; an instruction trace goes through the caches.
    pub fn load(path: &Path, caches: &CacheConfig) -> Result<Self, Error> {
        Self::load_with(path, caches, &mut |_, _| {})
    }

    /// [`Trace::load`] that tells how far it is.
    pub fn load_with(path: &Path, caches: &CacheConfig, progress: &mut Progress<'_>) -> Result<Self, Error> {
        Self::read(Source::open(path)?, caches, progress)
    }

    /// Reads a trace from opened content.
    pub fn read(source: Source, caches: &CacheConfig, progress: &mut Progress<'_>) -> Result<Self, Error> {
        let format = TraceFormat::of_source(&source)?;
        let file = source.path().display().to_string();
        let (accesses, counts) = match format.kind {
            TraceKind::ChampsimInstructions => read_instructions(source, caches, progress)?,
            TraceKind::MldpcLoads => read_loads(source, progress)?,
        };
        let info = TraceInfo::new(file, format, counts, &accesses);
        Ok(Self { kind: format.kind, accesses, info })
    }

    /// A trace from accesses at hand, raw and of the given kind; `name` stands for its file.
    pub fn from_accesses(name: &str, kind: TraceKind, accesses: Vec<Access>) -> Self {
        let format = TraceFormat { kind, compression: crate::Compression::None };
        let n = accesses.len() as u64;
        let counts = Counts { records: n, loads: n, llc_loads: n, ..Counts::default() };
        let info = TraceInfo::new(name.into(), format, counts, &accesses);
        Self { kind, accesses, info }
    }
}

/// What was counted while reading.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) records: u64,
    pub(crate) loads: u64,
    pub(crate) stores: u64,
    pub(crate) dropped: u64,
    pub(crate) llc_loads: u64,
    pub(crate) llc_rfos: u64,
}

fn read_instructions(
    source: Source,
    caches: &CacheConfig,
    progress: &mut Progress<'_>,
) -> Result<(Vec<Access>, Counts), Error> {
    let mut filter = CacheFilter::new(caches)?;
    let mut instructions = Instructions::new(source);
    let (mut accesses, mut counts) = (Vec::new(), Counts::default());
    while let Some(instruction) = instructions.next_instruction()? {
        let id = instructions.count_so_far();
        let ip = instruction.ip;
        // An instruction reads its operands before it writes its result.
        for &address in instruction.loads.iter().filter(|&&address| address != 0) {
            counts.loads += 1;
            if filter.access(address, false) {
                counts.llc_loads += 1;
                accesses.push(Access { id, address, ip });
            }
        }
        for &address in instruction.stores.iter().filter(|&&address| address != 0) {
            counts.stores += 1;
            if filter.access(address, true) {
                counts.llc_rfos += 1;
                accesses.push(Access { id, address, ip });
            }
        }
        if id.is_multiple_of(PROGRESS_EVERY) {
            let (done, total) = instructions.source().progress();
            progress(done, total);
        }
    }
    counts.records = instructions.count_so_far();
    let (done, total) = instructions.source().progress();
    progress(done, total);
    Ok((accesses, counts))
}

fn read_loads(source: Source, progress: &mut Progress<'_>) -> Result<(Vec<Access>, Counts), Error> {
    let mut lines = LoadLines::new(source);
    let (mut accesses, mut counts) = (Vec::new(), Counts::default());
    while let Some(line) = lines.next_line()? {
        if line.access.id == 0 {
            counts.dropped += 1;
        } else {
            accesses.push(line.access);
        }
        if lines.count_so_far().is_multiple_of(PROGRESS_EVERY) {
            let (done, total) = lines.source().progress();
            progress(done, total);
        }
    }
    counts.records = lines.count_so_far();
    counts.loads = accesses.len() as u64;
    counts.llc_loads = counts.loads;
    let (done, total) = lines.source().progress();
    progress(done, total);
    Ok((accesses, counts))
}
