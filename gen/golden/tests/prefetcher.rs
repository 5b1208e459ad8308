//! The golden prefetcher against plain statements of what it does, on random models and accesses.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::VecDeque;

use common::{network, spec};
use proptest::prelude::*;
use tablewright_design::{Design, lower, passes};
use tablewright_golden::{Demand, Golden, Prefetcher};
use tablewright_model::testing::random_model;
use tablewright_model::{InputConfig, KernelSpec, NetworkConfig};

/// A design that predicts some of its outputs, and inputs of any kind.
fn design(network: &NetworkConfig, spec: KernelSpec, input: &InputConfig, seed: u64) -> Design {
    let mut model = random_model(network, spec, seed);
    model.input = InputConfig { pc_segments: input.pc_segments.min(network.segments), ..input.clone() };
    passes::for_hardware(&lower(&model))
}

prop_compose! {
    fn input()(
        block_bits in 0u32..13, segment_bits in 1u32..9, pc_segments in 0usize..3, degree in 1usize..9, filter in 0usize..12,
    ) -> InputConfig {
        InputConfig { block_bits, segment_bits, pc_segments, degree, filter, ..InputConfig::default() }
    }
}

/// Accesses that come back to the same blocks, some at either end of the address space.
fn accesses(seed: u64, count: usize) -> Vec<Demand> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 20
    };
    (0..count)
        .map(|_| {
            let near = (next() % 4096) << (next() % 12);
            let address = [near, u64::MAX - near, 0x7f00_0000_0000 + near][next() as usize % 3];
            Demand { address, pc: next() << 22 ^ next() }
        })
        .collect()
}

/// Every bit of a window, as the format says where it comes from.
fn window(design: &Design, accesses: &[Demand]) -> Vec<u8> {
    let input = &design.input;
    let cut = |value: u64, s: usize| {
        let shifted = u128::from(value) >> (s as u32 * input.segment_bits).min(127);
        (shifted & ((1 << input.segment_bits) - 1)) as u8
    };
    let address_segments = design.network.segments - input.pc_segments;
    let one = |access: &Demand| {
        let t = access.pc ^ (access.pc >> 32);
        let pc = (t ^ (t >> 16)) & 0xffff;
        let block = access.address >> input.block_bits;
        let address = (0..address_segments).map(move |s| cut(block, s));
        address.chain((0..input.pc_segments).map(move |s| cut(pc, s))).collect::<Vec<u8>>()
    };
    accesses.iter().flat_map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// A sort of all outputs and a queue of the last blocks say the same, on whole windows of the design without passes.
    #[test]
    fn it_issues_what_a_sort_issues(
        network in network(), spec in spec(4), input in input(), seed in any::<u64>(),
    ) {
        let design = design(&network, spec, &input, seed);
        let (history, outputs) = (network.history, network.outputs);
        let mut prefetcher = Prefetcher::new(&design);
        let mut model = random_model(&network, spec, seed);
        model.input = design.input.clone();
        let whole = lower(&model);
        let mut golden = Golden::new(&whole);
        let blocks = 1_u128 << (64 - input.block_bits);
        let mut recent: VecDeque<u128> = VecDeque::new();
        let mut enter = |block: u128| {
            if recent.contains(&block) {
                return false;
            }
            recent.push_back(block);
            if recent.len() > input.filter {
                recent.pop_front();
            }
            true
        };
        let accesses = accesses(seed, history + 12);
        for (at, &access) in accesses.iter().enumerate() {
            let block = u128::from(access.address >> input.block_bits);
            enter(block);
            let mut wanted = Vec::new();
            if at + 1 >= history {
                golden.run(&window(&design, &accesses[at + 1 - history..=at]));
                let logits = golden.value(whole.logits());
                let mut order: Vec<usize> = (0..outputs).filter(|&o| logits[o] >= whole.threshold()).collect();
                order.sort_by_key(|&o| (-logits[o], o));
                for output in order {
                    let delta = if output < outputs / 2 { output as i128 + 1 } else { output as i128 - outputs as i128 };
                    let target = (block as i128 + delta).rem_euclid(blocks as i128) as u128;
                    if wanted.len() < input.degree && enter(target) {
                        wanted.push((target as u64) << input.block_bits);
                    }
                }
            }
            prop_assert_eq!(prefetcher.access(access), wanted, "access {}", at);
        }
    }

    /// The newest access wins, the others are counted, and are as if they had never been.
    #[test]
    fn dropped_accesses_never_were(
        network in network(), spec in spec(3), seed in any::<u64>(), takes in prop::collection::vec(any::<bool>(), 1..40),
    ) {
        let design = design(&network, spec, &InputConfig::default(), seed);
        let (mut offered, mut taken) = (Prefetcher::new(&design), Prefetcher::new(&design));
        let mut drops = 0;
        let mut last = None;
        for (access, take) in accesses(seed, takes.len()).into_iter().zip(takes) {
            drops += u32::from(last.is_some());
            offered.offer(access);
            last = Some(access);
            prop_assert_eq!(offered.held(), last);
            if take {
                prop_assert_eq!(offered.take(), Some(taken.access(access)));
                prop_assert_eq!(offered.take(), None);
                last = None;
            }
            prop_assert_eq!(offered.dropped(), drops);
        }
        prop_assert_eq!(taken.dropped(), 0);
    }
}
