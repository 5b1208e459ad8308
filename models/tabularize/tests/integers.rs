//! What a model means in floats and what its integer design computes are the same, up to rounding.
#![allow(clippy::unwrap_used)]

mod common;

use ndarray::Array3;
use tablewright_design::{IntTable, lower, passes};
use tablewright_golden::Golden;
use tablewright_model::testing::{dart_s, random_model};
use tablewright_model::{
    Activation, AttentionActivation, EncoderKind, KernelSpec, NetworkConfig, Pool, TableModel,
};
use tablewright_tabularize::{Evaluator, Options, tabularize};

/// Correlation of all logits of `count` windows, float tables against integers.
fn agreement(model: &TableModel, count: usize) -> f64 {
    let (history, segments) = (model.network.history, model.network.segments);
    let mut state = 1_u64;
    let windows = Array3::from_shape_simple_fn((count, history, segments), || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 58) as u8
    });
    let float = Evaluator::of_model(model).unwrap().with_hardware_units(model.activation_bits);
    let float = float.logits(windows.view());
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

/// Every table of a finished model stands on the grid of its bits: the design keeps each entry as it is.
#[test]
fn tables_on_their_grid_lose_nothing() {
    for (seed, bits) in [4, 6, 8, 12, 16, 32].into_iter().enumerate() {
        let attention =
            if seed % 2 == 0 { AttentionActivation::Softmax } else { AttentionActivation::Sigmoid };
        let network = common::network(NetworkConfig { attention, ..common::config() }, seed as u64);
        let sample = common::Sample::new(&network, 400, 1);
        let spec = KernelSpec { encoder: EncoderKind::Tree, prototypes: 16, subspaces: 2, bits };
        let options = Options { spec, ..Options::default() };
        let (model, _) = tabularize(&network, sample.data(), sample.data(), &options, &mut |_| {}).unwrap();
        let gain = if seed % 2 == 0 { f64::from(std::f32::consts::LOG2_E) } else { 1.0 };
        let layer = &model.layers[0];
        let linear = [
            &layer.qkv.q,
            &layer.qkv.k,
            &layer.qkv.v,
            &layer.out.table,
            &layer.ff1.table,
            &layer.ff2.table,
            &model.head.table,
        ];
        for (i, table) in linear.into_iter().enumerate() {
            let int = IntTable::quantise(&table.entries.view(), table.bias.as_ref(), bits);
            same(&int, &table.entries, &format!("{bits} bits, table {i}"));
            let zeros = vec![0.0; int.outputs];
            let bias = table.bias.as_ref().map_or(zeros, |bias| bias.to_vec());
            for (o, &b) in bias.iter().enumerate() {
                let raw = int.bias.as_ref().map_or(0, |bias| bias[o]);
                assert!(
                    (raw as f64 / f64::from(int.frac).exp2() - f64::from(b)).abs()
                        < 1e-6 * f64::from(b).abs().max(1.0)
                );
            }
        }
        for (pair, gain) in [(&layer.score.table, gain), (&layer.mix.table, 1.0)] {
            let (c, k, _) = pair.dim();
            let scaled = pair.mapv(|v| (f64::from(v) * gain) as f32);
            let flat = scaled.into_shape_with_order((c, k * k, 1)).unwrap();
            let int = IntTable::quantise(&flat.view(), None, bits);
            same(&int, &flat, &format!("{bits} bits, pair"));
        }
        // The embedding's columns have their middle at zero, where the design leaves them.
        let int = IntTable::quantise(&model.embed.table.entries.view(), None, bits);
        same(&int, &model.embed.table.entries, &format!("{bits} bits, embedding"));
    }
}

fn same(int: &IntTable, float: &Array3<f32>, name: &str) {
    for ((c, row, o), &v) in float.indexed_iter() {
        let raw = f64::from(int.entry(c, row, o)) * f64::from(int.shifts[c]).exp2();
        let real = raw / f64::from(int.frac).exp2();
        let wanted = f64::from(v);
        assert!((real - wanted).abs() <= 1e-6 * wanted.abs().max(0.1), "{name}: {real} for {wanted}");
    }
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
                // A rounding error that moves one vector to another code changes a whole row of a random model; trees
                // look at few features and hardly ever do, distances look at all of them.
                let least = if encoder == EncoderKind::Tree { 0.999 } else { 0.9 };
                assert!(r > least, "{pool:?} {attention:?} {encoder:?}: correlation {r}");
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
        assert!(r > 0.85, "scale {scale}: correlation {r}");
    }
}
