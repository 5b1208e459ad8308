//! What a model means in floats and what its integer design computes are the same, up to rounding.
#![allow(clippy::unwrap_used)]

use ndarray::Array3;
use tablewright_design::{lower, passes};
use tablewright_golden::Golden;
use tablewright_model::testing::{dart_s, random_model};
use tablewright_model::{
    Activation, AttentionActivation, EncoderKind, KernelSpec, NetworkConfig, Pool, TableModel,
};
use tablewright_tabularize::Evaluator;

/// Correlation of all logits of `count` windows, float tables against integers.
fn agreement(model: &TableModel, count: usize) -> f64 {
    let (history, segments) = (model.network.history, model.network.segments);
    let mut state = 1_u64;
    let windows = Array3::from_shape_simple_fn((count, history, segments), || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 58) as u8
    });
    let float = Evaluator::of_model(model).unwrap().logits(windows.view());
    let design = passes::optimise(&lower(model));
    let format = design.node(design.logits()).value.format;
    let mut golden = Golden::new(&design);
    let integer: Vec<f64> = windows
        .outer_iter()
        .flat_map(|w| {
            golden.run(&w.iter().copied().collect::<Vec<_>>());
            golden.value(design.logits()).into_iter().map(|raw| format.real(raw)).collect::<Vec<_>>()
        })
        .collect();
    let float: Vec<f64> = float.iter().map(|&v| f64::from(v)).collect();
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (mf, mi) = (mean(&float), mean(&integer));
    let cov: f64 = float.iter().zip(&integer).map(|(f, i)| (f - mf) * (i - mi)).sum();
    let var = |v: &[f64], m: f64| v.iter().map(|x| (x - m).powi(2)).sum::<f64>();
    cov / (var(&float, mf) * var(&integer, mi)).sqrt()
}

fn spec(encoder: EncoderKind) -> KernelSpec {
    KernelSpec { encoder, prototypes: 8, subspaces: 2, bits: 16 }
}

#[test]
fn integers_follow_floats_in_every_variant() {
    for (i, pool) in [Pool::Cls, Pool::Last, Pool::Mean].into_iter().enumerate() {
        for attention in [AttentionActivation::Softmax, AttentionActivation::Sigmoid] {
            for encoder in [EncoderKind::Tree, EncoderKind::L2, EncoderKind::L1] {
                let activation = if i == 1 { Activation::Relu } else { Activation::Gelu };
                let network =
                    NetworkConfig { pool, attention, activation, layers: 1 + i % 2, outputs: 32, ..dart_s() };
                let mut model = random_model(&network, spec(encoder), i as u64);
                model.activation_bits = 20;
                let r = agreement(&model, 40);
                // A rounding error that moves one vector to another code changes a whole row of a random model.
                assert!(r > 0.9, "{pool:?} {attention:?} {encoder:?}: correlation {r}");
            }
        }
    }
}

/// Large activations have few fraction bits, or a negative number of them; small ones have many.
#[test]
fn integers_follow_floats_at_every_scale() {
    for scale in [1e-3, 1.0, 30.0, 1e3, 1e5] {
        let network = NetworkConfig { outputs: 32, pool: Pool::Mean, ..dart_s() };
        let mut model = random_model(&network, spec(EncoderKind::Tree), 9);
        model.activation_bits = 20;
        // The stream before the first layer normalisation may have any scale, and so may the block behind it.
        model.embed.table.entries *= scale;
        model.position *= scale;
        for layer in &mut model.layers {
            layer.ff1.table.entries *= scale;
            layer.out.table.entries *= scale;
            layer.ff2.table.entries *= scale;
        }
        let r = agreement(&model, 40);
        assert!(r > 0.9, "scale {scale}: correlation {r}");
    }
}
