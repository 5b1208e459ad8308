//! From networks to table models: exactness where it can be had, determinism, odd shapes, refusals.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::collections::BTreeMap;

use common::{Sample, config, network};
use ndarray::{Array2, Axis};
use proptest::prelude::*;
use tablewright_model::{
    Activation, AttentionActivation, Encoder, EncoderKind, KernelSpec, Network, NetworkConfig, Pool,
    Positions, TableModel,
};
use tablewright_tabularize::{Data, Error, Evaluator, Options, Place, Report, tabularize};

fn spec(encoder: EncoderKind, prototypes: usize, subspaces: usize) -> KernelSpec {
    KernelSpec { encoder, prototypes, subspaces, bits: 8 }
}

fn options(spec: KernelSpec) -> Options {
    Options { spec, encoder_samples: 1000, ..Options::default() }
}

fn run(network: &Network, data: Data<'_>, options: &Options) -> (TableModel, Report) {
    tabularize(network, data, data, options, &mut |_| {}).unwrap()
}

#[test]
fn enough_prototypes_reproduce_the_network() {
    for attention in [AttentionActivation::Softmax, AttentionActivation::Sigmoid] {
        for kind in [EncoderKind::L2, EncoderKind::L1] {
            let config = NetworkConfig { attention, layers: 2, ..config() };
            let network = network(config, 11);
            // 6 windows: at most 6·2·4 distinct columns of V, and no kernel sees more than 64 vectors.
            let sample = Sample::new(&network, 6, 1);
            let options = Options { fine_tune: false, ..options(spec(kind, 64, 2)) };
            let (model, report) = run(&network, sample.data(), &options);
            model.check().unwrap();
            let exact = Evaluator::of_network(&network).unwrap().logits(sample.windows.view());
            let tables = Evaluator::of_model(&model).unwrap().logits(sample.windows.view());
            let worst = (&exact - &tables).iter().fold(0.0_f32, |worst, d| worst.max(d.abs()));
            assert!(worst < 2e-2, "{attention:?} {kind:?}: {worst}");
            assert!(report.kernels.iter().all(|kernel| kernel.chosen.cosine > 0.9999));
        }
    }
}

#[test]
fn the_same_bytes_from_any_number_of_threads() {
    let network = network(config(), 3);
    let (train, valid) = (Sample::new(&network, 900, 1), Sample::new(&network, 200, 2));
    for kind in [EncoderKind::Tree, EncoderKind::L2, EncoderKind::L1] {
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let options = options(spec(kind, 16, 2));
            pool.install(|| tabularize(&network, train.data(), valid.data(), &options, &mut |_| {})).unwrap()
        };
        let (one, three) = (with(1), with(3));
        assert!(one == three, "{kind:?}");
        let other = Options { seed: 1, ..options(spec(kind, 16, 2)) };
        let other = tabularize(&network, train.data(), valid.data(), &other, &mut |_| {}).unwrap();
        assert!(other.0 != one.0, "the seed must matter: {kind:?}");
    }
}

#[test]
fn ridge_fits_the_training_windows_at_least_as_well_as_products() {
    let network = network(NetworkConfig { pool: Pool::Mean, ..config() }, 5);
    let sample = Sample::new(&network, 400, 1);
    for kind in [EncoderKind::Tree, EncoderKind::L2] {
        // Validation is training here, so the report's errors are those of the fit.
        let (_, report) = run(&network, sample.data(), &options(spec(kind, 8, 2)));
        let mut better = 0;
        for kernel in &report.kernels {
            let all: Vec<_> = std::iter::once(&kernel.chosen).chain(&kernel.refused).collect();
            for product in all.iter().filter(|c| c.name.ends_with("product")) {
                let name = product.name.replace("product", "ridge");
                let ridge = all.iter().find(|c| c.name == name).unwrap();
                assert!(ridge.mse <= product.mse * 1.0001, "{} {name}", kernel.kernel);
                better += usize::from(ridge.mse < product.mse * 0.95);
            }
        }
        assert!(better >= 3, "ridge should pay somewhere, {kind:?}: {better}");
    }
}

#[test]
fn what_is_kept_has_the_best_f1_of_what_was_tried() {
    let network = network(config(), 6);
    let (train, valid) = (Sample::new(&network, 600, 1), Sample::new(&network, 300, 2));
    let options = options(spec(EncoderKind::Tree, 16, 2));
    let mut steps = Vec::new();
    let (model, report) = tabularize(&network, train.data(), valid.data(), &options, &mut |p| {
        steps.push(p);
    })
    .unwrap();
    for kernel in &report.kernels {
        assert!(kernel.refused.iter().all(|c| c.f1 <= kernel.chosen.f1), "{}", kernel.kernel);
        assert!(kernel.refused.len() >= 3 && kernel.used_codes.iter().all(|&used| used <= 16));
    }
    let last = report.kernels.last().unwrap();
    assert!((last.chosen.f1 - report.f1_float_tables).abs() < 1e-12);
    assert!((report.threshold - model.threshold).abs() < 1e-12);
    assert!(report.f1_float_tables > 0.5, "{}", report.f1_float_tables);
    let tables = Evaluator::of_model(&model).unwrap();
    let hardware = tables.clone().with_hardware_units(options.activation_bits).logits(valid.windows.view());
    let counts = tablewright_tabularize::score::counts(hardware.view(), valid.labels.view(), model.threshold);
    assert!((counts.f1() - report.f1_float_tables).abs() < 1e-12);
    assert!(steps.iter().enumerate().all(|(i, p)| p.done == i && p.of == steps.len()));

    // One kernel in tables, the rest exact: what `explain` shows.
    let logits = tables.logits(valid.windows.view());
    let mut mixed = Evaluator::of_network(&network).unwrap();
    let exact = mixed.logits(valid.windows.view());
    for place in Place::all(&network.config) {
        mixed.replace(place, &tables);
    }
    assert_ne!(exact, logits);
    assert_eq!(mixed.logits(valid.windows.view()), logits);

    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
}

#[test]
fn trees_are_balanced_and_split_inside_their_subspaces() {
    let network = network(config(), 8);
    let sample = Sample::new(&network, 500, 1);
    let mut options = options(spec(EncoderKind::Tree, 16, 2));
    options.kernels = BTreeMap::from([("head".to_owned(), spec(EncoderKind::Tree, 4, 4))]);
    let (model, _) = run(&network, sample.data(), &options);
    let Encoder::Tree { split, threshold } = &model.head.encoder else {
        panic!("a tree was asked for");
    };
    assert_eq!((split.dim(), threshold.dim()), ((4, 2), (4, 3)));
    for (c, splits) in split.axis_iter(Axis(0)).enumerate() {
        assert!(splits.iter().all(|&s| s as usize / 2 == c), "{split}");
    }
}

#[test]
fn a_constant_trace_gives_a_sane_model() {
    let network = network(config(), 8);
    let mut sample = Sample::new(&network, 1, 1);
    sample.windows.fill(7);
    for kind in [EncoderKind::Tree, EncoderKind::L2, EncoderKind::L1] {
        let fine = KernelSpec { bits: 16, ..spec(kind, 128, 1) };
        let (model, report) = run(&network, sample.data(), &options(fine));
        model.check().unwrap();
        assert_eq!(report.kernels[0].used_codes, [1]);
        // The head's tables were fitted to that one window; those of the other kernels reproduce it.
        for kernel in &report.kernels[..7] {
            assert!(kernel.chosen.mse < 1e-3, "{kind:?} {}: {}", kernel.kernel, kernel.chosen.mse);
        }
    }
}

fn refusal(change: impl Fn(&mut Options)) -> String {
    let network = network(config(), 1);
    let sample = Sample::new(&network, 3, 1);
    let mut options = options(spec(EncoderKind::Tree, 16, 2));
    change(&mut options);
    let result = tabularize(&network, sample.data(), sample.data(), &options, &mut |_| {});
    result.unwrap_err().to_string()
}

#[test]
fn impossible_options_are_refused() {
    let message = refusal(|o| {
        o.kernels.insert("embed".to_owned(), spec(EncoderKind::L2, 16, 4));
    });
    assert_eq!(message, "kernel `embed`: subspaces is 4, allowed are 1 to 3 (it encodes 3 features)");
    let message = refusal(|o| o.spec.prototypes = 100);
    assert_eq!(message, "kernel `embed`: prototypes is 100, allowed are the powers of two from 2 to 1024");
    let message = refusal(|o| {
        o.kernels.insert("layers.1.out".to_owned(), spec(EncoderKind::L2, 16, 1));
    });
    assert_eq!(
        message,
        "options.kernels names `layers.1.out`, the network's kernels are embed, layers.0.qkv, layers.0.score, \
         layers.0.mix, layers.0.out, layers.0.ff1, layers.0.ff2, head"
    );
    let message = refusal(|o| o.spec.bits = 7);
    assert_eq!(message, "kernel `embed`: bits is 7, allowed are 4, 6, 8, 12, 16 and 32");
    let message = refusal(|o| o.activation_bits = 32);
    assert_eq!(message, "options.activation_bits is 32, allowed are 8 to 24");
}

#[test]
fn wrong_data_are_refused() {
    let network = network(config(), 1);
    let sample = Sample::new(&network, 3, 1);
    let good = sample.data();
    let options = options(spec(EncoderKind::Tree, 16, 2));
    let message = |train, valid| {
        let error: Error = tabularize(&network, train, valid, &options, &mut |_| {}).unwrap_err();
        error.to_string()
    };
    let none = Data { windows: good.windows.slice_move(ndarray::s![..0, .., ..]), ..good };
    assert_eq!(message(none, good), "the training data hold no windows; use a longer trace or another split");
    let short = Array2::zeros((3, 1));
    let labels = Data { labels: short.view(), ..good };
    assert_eq!(
        message(good, labels),
        "labels of the validation data have the shape [3, 1], the network needs [3, 2]; cut the windows with the \
         network's history, segments and outputs"
    );
    let mut high = sample.windows.clone();
    high[[2, 1, 0]] = 64;
    let high = Data { windows: high.view(), ..good };
    assert_eq!(
        message(high, good),
        "segment (2, 1, 0) (window, access, segment) of the training data is 64, more than 63; cut the windows with \
         the network's input.segment_bits"
    );

    let mut wild = network.clone();
    wild.head.weight.fill(f32::MAX);
    let error = tabularize(&wild, good, good, &options, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("not finite on the validation data"), "{error}");
    let mut broken = network.clone();
    broken.layers.clear();
    assert!(Evaluator::of_network(&broken).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn odd_shapes(
        (history, dim, heads, head_dim) in (1..8_usize, 4..25_usize, 1..4_usize, 3..9_usize),
        (hidden, half, layers) in (3..20_usize, 1..49_usize, 1..3_usize),
        (pool, sigmoid, relu) in (0..4_usize, any::<bool>(), any::<bool>()),
        (kind, levels, subspaces) in (0..3_usize, 1..5_u32, 1..4_usize),
        seed in any::<u64>(),
    ) {
        let config = NetworkConfig {
            history,
            segments: 5,
            positions: if pool == 3 { Positions::Relative } else { Positions::Absolute },
            pool: [Pool::Cls, Pool::Last, Pool::Mean, Pool::Last][pool],
            dim,
            layers: if pool == 3 { 1 } else { layers },
            heads,
            head_dim,
            hidden,
            outputs: 2 * half,
            attention: if sigmoid { AttentionActivation::Sigmoid } else { AttentionActivation::Softmax },
            activation: if relu { Activation::Relu } else { Activation::Gelu },
            norm_eps: 1e-5,
        };
        odd(config, [EncoderKind::Tree, EncoderKind::L2, EncoderKind::L1][kind], 1 << levels, subspaces, seed);
    }
}

#[test]
fn the_outside_scripts_shape() {
    for pool in [Pool::Last, Pool::Mean] {
        let config = NetworkConfig {
            history: 7,
            segments: 5,
            positions: Positions::Absolute,
            pool,
            dim: 24,
            layers: 1,
            heads: 1,
            head_dim: 24,
            hidden: 24,
            outputs: 96,
            attention: AttentionActivation::Sigmoid,
            activation: Activation::Gelu,
            norm_eps: 1e-5,
        };
        odd(config, EncoderKind::Tree, 8, 3, 4);
    }
}

/// Tabularizes a random network and checks what must hold for every one.
fn odd(config: NetworkConfig, kind: EncoderKind, k: usize, subspaces: usize, seed: u64) {
    let network = network(config, seed);
    let (train, valid) = (Sample::new(&network, 60, seed ^ 1), Sample::new(&network, 30, seed ^ 2));
    let mut options = Options { seed, ..options(spec(kind, k, subspaces)) };
    for site in network.config.kernels() {
        if site.features < subspaces {
            options.kernels.insert(site.name, spec(kind, k, site.features));
        }
    }
    let (model, report) = tabularize(&network, train.data(), valid.data(), &options, &mut |_| {}).unwrap();
    model.check().unwrap();
    let logits = Evaluator::of_model(&model).unwrap().logits(valid.windows.view());
    assert!(logits.iter().all(|logit| logit.is_finite()));
    assert_eq!(report.kernels.len(), 2 + 6 * network.config.layers);
}
