//! Small traces, packed and not.

use std::io::Write;

use tablewright_model::{Activation, AttentionActivation, InputConfig, NetworkConfig, Pool};
use tablewright_trace::{Access, CacheConfig, Error, Source, Trace, TraceKind};

/// One instruction record.
pub(crate) fn record(ip: u64, loads: &[u64], stores: &[u64]) -> [u8; 64] {
    let mut record = [0; 64];
    record[..8].copy_from_slice(&ip.to_le_bytes());
    for (i, store) in stores.iter().enumerate() {
        record[16 + 8 * i..24 + 8 * i].copy_from_slice(&store.to_le_bytes());
    }
    for (i, load) in loads.iter().enumerate() {
        record[32 + 8 * i..40 + 8 * i].copy_from_slice(&load.to_le_bytes());
    }
    record
}

pub(crate) fn xz(data: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn gz(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Loads bytes as if they were the file `t`.
pub(crate) fn load(bytes: &[u8]) -> Result<Trace, Error> {
    let total = bytes.len() as u64;
    let source = Source::from_reader("t", std::io::Cursor::new(bytes.to_vec()), total)?;
    Trace::read(source, &CacheConfig::default(), &mut |_, _| {})
}

/// A trace whose accesses have these block addresses of 64 bytes.
pub(crate) fn blocks(blocks: &[u64]) -> Trace {
    let accesses =
        blocks.iter().zip(1..).map(|(&block, id)| Access { id, address: block << 6, ip: 0x40_0000 });
    Trace::from_accesses("t", TraceKind::ChampsimInstructions, accesses.collect())
}

pub(crate) fn network(history: usize, outputs: usize) -> NetworkConfig {
    NetworkConfig {
        history,
        segments: 10,
        positions: tablewright_model::Positions::Absolute,
        pool: Pool::Last,
        dim: 16,
        layers: 1,
        heads: 2,
        head_dim: 16,
        hidden: 16,
        outputs,
        attention: AttentionActivation::Sigmoid,
        activation: Activation::Gelu,
        norm_eps: 1e-5,
    }
}

pub(crate) fn input(lookahead: usize) -> InputConfig {
    InputConfig { lookahead, ..InputConfig::default() }
}
