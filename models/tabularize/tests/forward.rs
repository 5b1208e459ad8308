//! The forward pass: by hand, against a second implementation, and whatever the number of threads.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use approx::assert_abs_diff_eq;
use common::{Sample, config, network, reference, zeros};
use ndarray::{Array2, Axis, array};
use tablewright_model::{
    Activation, AttentionActivation, Dense, InputConfig, LayerWeights, Network, NetworkConfig, Norm, Pool,
    Positions,
};
use tablewright_tabularize::{Evaluator, Place};

#[test]
fn by_hand() {
    // One token, so its softmax weight is 1. x = [1, −1, 1, −1] is its own x̂; the affine part makes it [3, −2, 2, −2];
    // v = 3 + 0.5; out adds 2·3.5 to the first feature: x = [8, −1, 1, −1], mean 1.75, variance 13.6875;
    // ff1 = 6.25 / 3.69966 = 1.68935, added to the second: x = [8, 0.68935, 1, −1], mean 2.17234, variance 11.89975.
    let dense = |weight: Array2<f32>, bias: f32| Dense { bias: zeros(weight.nrows()) + bias, weight };
    let plain = || Norm { weight: zeros(4) + 1.0, bias: zeros(4) };
    let network = Network {
        name: "hand".to_owned(),
        config: NetworkConfig {
            history: 1,
            segments: 1,
            positions: Positions::Absolute,
            pool: Pool::Last,
            dim: 4,
            layers: 1,
            heads: 1,
            head_dim: 1,
            hidden: 1,
            outputs: 2,
            attention: AttentionActivation::Softmax,
            activation: Activation::Relu,
            norm_eps: 1e-12,
        },
        input: InputConfig::default(),
        embed: dense(array![[2.0], [-2.0], [2.0], [-2.0]], 0.0),
        cls: None,
        pos: Array2::zeros((1, 4)),
        layers: vec![LayerWeights {
            ln1: Norm { weight: zeros(4) + 2.0, bias: array![1.0, 0.0, 0.0, 0.0] },
            qkv: dense(array![[1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0], [1.0, 0.0, 0.0, 0.0]], 0.5),
            out: dense(array![[2.0], [0.0], [0.0], [0.0]], 0.0),
            ln2: plain(),
            ff1: dense(array![[1.0, 0.0, 0.0, 0.0]], 0.0),
            ff2: dense(array![[0.0], [1.0], [0.0], [0.0]], 0.0),
        }],
        ln: plain(),
        head: dense(array![[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]], 1.0),
        provenance: std::collections::BTreeMap::new(),
    };
    let logits = Evaluator::of_network(&network).unwrap().logits(array![[[32_u8]]].view());
    assert_abs_diff_eq!(logits, array![[2.68937_f32, 0.08037]], epsilon = 2e-4);
}

#[test]
fn agrees_with_the_second_implementation() {
    let shapes = [
        config(),
        NetworkConfig { pool: Pool::Mean, attention: AttentionActivation::Sigmoid, layers: 2, ..config() },
        NetworkConfig { pool: Pool::Last, activation: Activation::Relu, layers: 3, heads: 1, ..config() },
        NetworkConfig { layers: 2, history: 5, ..config() },
        NetworkConfig { pool: Pool::Last, positions: Positions::Relative, history: 5, ..config() },
    ];
    for (seed, shape) in shapes.into_iter().enumerate() {
        let network = network(shape, seed as u64);
        let sample = Sample::new(&network, 5, 9);
        let logits = Evaluator::of_network(&network).unwrap().logits(sample.windows.view());
        for (window, logits) in sample.windows.outer_iter().zip(logits.rows()) {
            let expected = reference(&network, &window.to_owned());
            for (&logit, expected) in logits.iter().zip(expected) {
                assert_abs_diff_eq!(f64::from(logit), expected, epsilon = 1e-3);
            }
        }
    }
}

#[test]
fn threads_change_nothing() {
    let network = network(config(), 1);
    let sample = Sample::new(&network, 700, 2);
    let exact = Evaluator::of_network(&network).unwrap();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| exact.logits(sample.windows.view()))
    };
    assert_eq!(with(1), with(3));
}

#[test]
fn taps_show_every_kernel_of_every_window() {
    let network = network(NetworkConfig { layers: 2, ..config() }, 4);
    // More than one piece of the parallel pass.
    let sample = Sample::new(&network, 300, 2);
    let exact = Evaluator::of_network(&network).unwrap();
    let windows = sample.windows.view();
    for (place, site) in Place::all(&network.config).into_iter().zip(network.config.kernels()) {
        let tap = exact.tap(place, windows).unwrap();
        assert!(tap.inputs.iter().all(|input| input.ncols() == site.features), "{place}");
        assert_eq!(tap.outputs[0].nrows() % 300, 0, "{place}");
    }
    assert_eq!(exact.tap(Place::Head, windows).unwrap().outputs[0], exact.logits(windows));
    assert!(exact.tap(Place::Out(2), windows).is_none());

    // In the last layer only the cls token has a query; its rows are those that the tap names.
    let qkv = exact.tap(Place::Qkv(1), windows).unwrap();
    let dense = exact.tap(Place::Qkv(1), windows.slice_axis(Axis(0), (299..300).into())).unwrap();
    assert_eq!(qkv.queries.len(), 300);
    assert_eq!(qkv.queries[299], 299 * 4);
    assert_eq!(qkv.outputs[0].row(299), dense.outputs[0].row(0));
}
