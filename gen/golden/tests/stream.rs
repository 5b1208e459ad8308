//! A streaming design says of each access what the window design says of the window that ends in it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{network, spec, windows};
use proptest::prelude::*;
use tablewright_design::{Design, NodeId, Op, lower, passes};
use tablewright_golden::Golden;
use tablewright_model::testing::{dart, dart_spec, dart_stream, random_model};
use tablewright_model::{AttentionActivation, EncoderKind, KernelSpec, NetworkConfig, Pool, Positions};

fn relative(network: &NetworkConfig) -> NetworkConfig {
    NetworkConfig { positions: Positions::Relative, pool: Pool::Last, layers: 1, ..network.clone() }
}

/// Of absolute positions the shapes whose older tokens can be computed ahead.
fn absolute(network: &NetworkConfig) -> NetworkConfig {
    let pool = if network.pool == Pool::Last { Pool::Last } else { Pool::Cls };
    let history = network.history.max(2);
    NetworkConfig { positions: Positions::Absolute, pool, history, layers: 1, ..network.clone() }
}

/// A sequence of accesses.
fn accesses(design: &Design, seed: u64, count: usize) -> Vec<Vec<u8>> {
    let segments = design.network.segments;
    let bytes = windows(design, seed, count.div_ceil(design.network.history)).concat();
    bytes.chunks_exact(segments).take(count).map(<[u8]>::to_vec).collect()
}

/// Logits and bitmap of the run before.
fn outputs(golden: &Golden, design: &Design) -> [Vec<i64>; 2] {
    [golden.value(design.logits()), golden.value(NodeId(design.nodes.len() - 1))]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn accesses_one_by_one_equal_their_windows(
        network in network(), known_ahead in any::<bool>(), spec in spec(5), seed in any::<u64>(),
    ) {
        let network = if known_ahead { absolute(&network) } else { relative(&network) };
        let whole = lower(&random_model(&network, spec, seed));
        let design = passes::for_hardware(&whole);
        if !known_ahead {
            // Whether the rows of the other queries were dropped before makes no difference.
            prop_assert_eq!(passes::stream(&whole), passes::stream(&passes::dead_rows(&whole)));
        }
        prop_assert_eq!(&passes::stream(&design), &design);
        let history = whole.network.history;
        prop_assert!(design.streaming && design.accesses() == 1 && design.warm_up() == history - 1);
        let (mut streaming, mut windowed) = (Golden::new(&design), Golden::new(&whole));
        let accesses = accesses(&design, seed, history + 9);
        for (at, access) in accesses.iter().enumerate() {
            streaming.run(access);
            let [logits, bitmap] = outputs(&streaming, &design);
            if at + 1 < history {
                prop_assert!(bitmap.iter().all(|&bit| bit == 0), "access {at} of a history of {history}");
                continue;
            }
            windowed.run(&accesses[at + 1 - history..=at].concat());
            prop_assert_eq!([logits, bitmap], outputs(&windowed, &whole), "access {}", at);
        }
        // Every value, those of an empty history too, stays within what its width was made for.
        streaming.reset();
        let mut fresh = Golden::portable(&design);
        for access in &accesses {
            streaming.run(access);
            fresh.run(access);
            for (id, node) in design.iter() {
                let (value, bounds) = (streaming.value(id), node.value.bounds);
                prop_assert_eq!(&value, &fresh.value(id), "{} after a reset", node.name);
                prop_assert!(
                    value.iter().all(|v| (bounds.low..=bounds.high).contains(v)),
                    "{}: {value:?} outside {bounds:?}", node.name
                );
            }
        }
    }

    #[test]
    fn older_tokens_that_look_at_the_newest_keep_the_window(
        network in network(), spec in spec(3), seed in any::<u64>(),
    ) {
        let mean = network.pool == Pool::Mean || network.layers > 1;
        let pool = if mean { network.pool } else { Pool::Mean };
        let network = NetworkConfig { positions: Positions::Absolute, pool, ..network };
        let whole = passes::chosen(&lower(&random_model(&network, spec, seed)), |pass| pass != passes::STREAM);
        prop_assert_eq!(passes::stream(&whole), whole.clone());
        prop_assert!(!whole.streaming);
    }
}

/// The constants that are added are the model's, for each head a row, in the unit of the scores.
#[test]
fn relative_positions_are_added_to_the_scores_of_their_head() {
    for (attention, scale) in
        [(AttentionActivation::Softmax, std::f64::consts::LOG2_E), (AttentionActivation::Sigmoid, 1.0)]
    {
        let network = NetworkConfig { attention, ..dart_stream() };
        let model = random_model(&network, KernelSpec { bits: 6, ..dart_spec() }, 4);
        let design = passes::for_hardware(&lower(&model));
        let mut golden = Golden::new(&design);
        for access in accesses(&design, 9, 12) {
            golden.run(&access);
        }
        let (id, node) = design.iter().find(|(_, n)| n.name == "l0_position").unwrap();
        let score = design.node(node.inputs[0]);
        let unit = f64::from(node.value.format.frac).exp2();
        let scores = golden.value(node.inputs[0]);
        let lift = f64::from(node.value.format.frac - score.value.format.frac).exp2();
        for (i, (with, without)) in golden.value(id).into_iter().zip(scores).enumerate() {
            let (head, token) = (i / network.history, i % network.history);
            let added = (with as f64 - without as f64 * lift) / unit;
            let wanted = f64::from(model.position[[head, token]]) * scale;
            assert!(
                (added - wanted).abs() <= 0.51 / unit,
                "head {head}, token {token}: {added} for {wanted}"
            );
        }
    }
}

/// Values that are never 0 in a window are 0 before the history is full.
#[test]
fn an_empty_history_is_within_its_bounds() {
    for encoder in [EncoderKind::Tree, EncoderKind::L2] {
        let mut model = random_model(&dart_stream(), KernelSpec { encoder, bits: 12, ..dart_spec() }, 2);
        model.layers[0].qkv.v.entries.mapv_inplace(|v| v.abs() + 100.0);
        let design = passes::for_hardware(&lower(&model));
        let mut golden = Golden::new(&design);
        for access in accesses(&design, 5, 11) {
            golden.run(&access);
            for (id, node) in design.iter() {
                let bounds = node.value.bounds;
                assert!(
                    golden.value(id).iter().all(|v| (bounds.low..=bounds.high).contains(v)),
                    "{} outside {bounds:?}",
                    node.name
                );
            }
        }
        let v = design.nodes.iter().find(|n| n.name == "l0_v").unwrap();
        assert!(v.value.bounds.low > 0);
    }
}

#[test]
fn dart_reads_a_third_of_the_words() {
    let designed = |network: &NetworkConfig| {
        passes::stream(&passes::optimise(&lower(&random_model(network, dart_spec(), 1))))
    };
    assert_eq!(designed(&dart()).words_per_inference(), 4524);
    // One access embedded, its query, key and value; scores, a column of V each; out, ff1, ff2, head.
    let streaming = 2 * (32 + 3 * 64) + 2 * 2 * 10 + 2 * 64 + 3 * 2 * 32 + 512;
    let design = designed(&dart_stream());
    assert_eq!(design.words_per_inference(), streaming);
    let kept: Vec<(&str, usize)> = design
        .nodes
        .iter()
        .filter(|n| n.op == Op::History)
        .map(|n| (n.name.as_str(), n.value.rows))
        .collect();
    assert_eq!(kept, [("l0_k_code_history", 10), ("l0_v_history", 10)]);
}
