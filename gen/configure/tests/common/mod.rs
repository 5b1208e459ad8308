//! A small space and what is the same for all of it.

#![allow(clippy::unwrap_used, dead_code)]

use tablewright_configure::{Base, Limits, Shapes, Space, Tables};
use tablewright_model::testing::dart_s;
use tablewright_model::{EncoderKind, InputConfig, Positions};

pub(crate) fn base() -> Base {
    let target = tablewright_fpga::target("ecp5").unwrap();
    Base { input: InputConfig::default(), activation_bits: 12, target }
}

pub(crate) fn space() -> Space {
    Space {
        shapes: Shapes::Grid {
            base: dart_s(),
            layers: vec![1, 2],
            dims: vec![8, 16],
            heads: vec![1, 2],
            positions: vec![Positions::Absolute, Positions::Relative],
        },
        tables: Tables {
            prototypes: vec![4, 16, 32],
            subspaces: vec![1, 16],
            bits: vec![8],
            encoders: vec![EncoderKind::Tree, EncoderKind::L1],
        },
    }
}

pub(crate) fn limits(latency_cycles: u64, storage_bytes: u64) -> Limits {
    Limits { latency_cycles, storage_bytes, interval_cycles: None, target: Vec::new() }
}
