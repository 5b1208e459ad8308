//! Random models and windows.
#![allow(dead_code)]

use proptest::prelude::*;
use tablewright_design::Design;
use tablewright_model::{
    Activation, AttentionActivation, EncoderKind, KernelSpec, NetworkConfig, Pool, Positions,
};

prop_compose! {
    pub(crate) fn network()(
        history in 1usize..12, segments in 1usize..11, dim in 4usize..40, layers in 1usize..4, heads in 1usize..4,
        head_dim in 1usize..20, hidden in 1usize..40, half in 1usize..40,
        pool in prop_oneof![Just(Pool::Cls), Just(Pool::Last), Just(Pool::Mean)],
        softmax in any::<bool>(), gelu in any::<bool>(), relative in prop::bool::weighted(0.3),
    ) -> NetworkConfig {
        let (positions, pool, layers) = if relative {
            (Positions::Relative, Pool::Last, 1)
        } else {
            (Positions::Absolute, pool, layers)
        };
        NetworkConfig {
            history, segments, positions, pool, dim, layers, heads, head_dim, hidden, outputs: 2 * half,
            attention: if softmax { AttentionActivation::Softmax } else { AttentionActivation::Sigmoid },
            activation: if gelu { Activation::Gelu } else { Activation::Relu },
            norm_eps: 1e-5,
        }
    }
}

prop_compose! {
    /// Trees of up to `levels` levels.
    pub(crate) fn spec(levels: u32)(
        encoder in prop_oneof![Just(EncoderKind::Tree), Just(EncoderKind::L2), Just(EncoderKind::L1)],
        levels in 1..=levels, subspaces in 1usize..4,
        bits in prop_oneof![Just(4u32), Just(6), Just(8), Just(12), Just(16), Just(32)],
    ) -> KernelSpec {
        KernelSpec { encoder, prototypes: 1 << levels, subspaces, bits }
    }
}

/// Random windows.
pub(crate) fn windows(design: &Design, seed: u64, count: usize) -> Vec<Vec<u8>> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8 & ((1u32 << design.input.segment_bits) - 1) as u8
    };
    (0..count)
        .map(|_| (0..design.network.history * design.network.segments).map(|_| next()).collect())
        .collect()
}
