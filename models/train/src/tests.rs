//! The framework's network against the reference: outputs, gradients, and that training reaches every parameter.

#![allow(clippy::unwrap_used)]

use ndarray::{Array2, Array3, aview1};
use tablewright_model::{
    Activation, AttentionActivation, InputConfig, Network, NetworkConfig, Pool, Positions,
};
use tablewright_trace::{Dataset, Split};

use crate::data::{Scaling, TrainingData};
use crate::device::DeviceKind;
use crate::engine::Engine;
use crate::error::Error;
use crate::init::initial;
use crate::loss::{Blend, ONE, Objective, Soft};
use crate::train::{Course, Epoch, Settings, Trained};
use crate::{params, reference};

/// Every choice at least once with every pool.
fn variants() -> Vec<NetworkConfig> {
    let mut all = Vec::new();
    for pool in [Pool::Cls, Pool::Last, Pool::Mean] {
        for (attention, activation, layers) in [
            (AttentionActivation::Sigmoid, Activation::Gelu, 1),
            (AttentionActivation::Softmax, Activation::Gelu, 2),
            (AttentionActivation::Sigmoid, Activation::Relu, 2),
        ] {
            all.push(NetworkConfig {
                history: 3,
                segments: 2,
                positions: Positions::Absolute,
                pool,
                dim: 4,
                layers,
                heads: 2,
                head_dim: 3,
                hidden: 5,
                outputs: 10,
                attention,
                activation,
                norm_eps: 1e-3,
            });
        }
    }
    let relative =
        NetworkConfig { positions: Positions::Relative, pool: Pool::Last, layers: 1, ..all[0].clone() };
    all.push(NetworkConfig { attention: AttentionActivation::Softmax, ..relative.clone() });
    all.push(relative);
    all
}

/// Accesses with one stride or the other, changing every 40, and labels for the next three; windows of `segments` segments of 6 bits.
fn dataset(config: &NetworkConfig, accesses: usize, strides: [usize; 2]) -> (Dataset, Split) {
    let blocks: Vec<usize> = (0..accesses)
        .scan(1000, |block, i| {
            *block += strides[i / 40 % 2];
            Some(*block)
        })
        .collect();
    let rows = accesses - config.history - 4;
    let windows = Array3::from_shape_fn((rows, config.history, config.segments), |(n, t, s)| {
        ((blocks[n + t] >> (6 * s)) & 63) as u8
    });
    let mut labels = Array2::zeros((rows, config.outputs.div_ceil(8)));
    for n in 0..rows {
        let now = n + config.history - 1;
        for later in &blocks[now + 1..now + 4] {
            let output = later - blocks[now] - 1;
            if output < config.outputs / 2 {
                labels[[n, output / 8]] |= 1 << (output % 8);
            }
        }
    }
    let dataset = Dataset {
        windows,
        labels,
        current: (0..rows as u32).collect(),
        outputs: config.outputs,
        segment_bits: 6,
    };
    let (a, b) = (rows * 6 / 10, rows * 8 / 10);
    (dataset, Split { train: 0..a, valid: a..b, test: b..rows })
}

fn training_data(config: &NetworkConfig, accesses: usize, strides: [usize; 2]) -> TrainingData {
    let (dataset, split) = dataset(config, accesses, strides);
    TrainingData::new(dataset, &split, config, &InputConfig::default(), None).unwrap()
}

/// A network whose parameters are all away from special values.
fn random_network(config: &NetworkConfig) -> Network {
    let mut network = initial("n", config, &InputConfig::default(), 7);
    for layer in &mut network.layers {
        // With so few hidden units none may be silent: beyond a silent ReLU there is no gradient.
        layer.ff1.bias.fill(1.0);
    }
    for (i, (_, parameter)) in parameters(&mut network).into_iter().enumerate() {
        for (j, value) in parameter.into_iter().enumerate() {
            *value += 0.3 * ((i * 37 + j * 11) as f32).sin();
        }
    }
    network
}

/// Every trained parameter by name.
fn parameters(network: &mut Network) -> Vec<(String, Vec<&mut f32>)> {
    let mut all: Vec<(String, Vec<&mut f32>)> = vec![
        ("embed.weight".into(), network.embed.weight.iter_mut().collect()),
        ("embed.bias".into(), network.embed.bias.iter_mut().collect()),
        ("pos".into(), network.pos.iter_mut().collect()),
        ("ln.weight".into(), network.ln.weight.iter_mut().collect()),
        ("ln.bias".into(), network.ln.bias.iter_mut().collect()),
        ("head.weight".into(), network.head.weight.iter_mut().collect()),
        ("head.bias".into(), network.head.bias.iter_mut().collect()),
    ];
    all.extend(network.cls.as_mut().map(|cls| ("cls".into(), cls.iter_mut().collect())));
    for (i, layer) in network.layers.iter_mut().enumerate() {
        let mut add = |name: &str, values| all.push((format!("layers.{i}.{name}"), values));
        let inner = layer.qkv.weight.nrows() / 3;
        let (q, kv) = layer.qkv.weight.view_mut().split_at(ndarray::Axis(0), inner);
        let (k, v) = kv.split_at(ndarray::Axis(0), inner);
        add("q", q.into_iter().collect());
        add("k", k.into_iter().collect());
        add("v", v.into_iter().collect());
        for (name, norm) in [("ln1", &mut layer.ln1), ("ln2", &mut layer.ln2)] {
            add(&format!("{name}.weight"), norm.weight.iter_mut().collect());
            add(&format!("{name}.bias"), norm.bias.iter_mut().collect());
        }
        for (name, dense) in [("out", &mut layer.out), ("ff1", &mut layer.ff1), ("ff2", &mut layer.ff2)] {
            add(&format!("{name}.weight"), dense.weight.iter_mut().collect());
            add(&format!("{name}.bias"), dense.bias.iter_mut().collect());
        }
    }
    all
}

/// Four windows with labels: as the reference takes them, and as a training does.
fn batch(config: &NetworkConfig) -> (Vec<Array2<f64>>, Array2<f64>, TrainingData) {
    let value = |n: usize, t: usize, s: usize| ((n * 29 + t * 7 + s * 13) % 64) as u8;
    let set = |n: usize, o: usize| (n + o).is_multiple_of(3);
    let windows = Array3::from_shape_fn((5, config.history, config.segments), |(n, t, s)| value(n, t, s));
    let mut labels = Array2::zeros((5, config.outputs.div_ceil(8)));
    for (n, o) in (0..5).flat_map(|n| (0..config.outputs).map(move |o| (n, o))) {
        labels[[n, o / 8]] |= u8::from(set(n, o)) << (o % 8);
    }
    let features = windows.outer_iter().take(4).map(|w| w.mapv(|v| f64::from(v) / 64.0)).collect();
    let bits = Array2::from_shape_fn((4, config.outputs), |(n, o)| f64::from(u8::from(set(n, o))));
    let current = (0..5).collect();
    let dataset = Dataset { windows, labels, current, outputs: config.outputs, segment_bits: 6 };
    let split = Split { train: 0..4, valid: 4..5, test: 5..5 };
    let data = TrainingData::new(dataset, &split, config, &InputConfig::default(), None).unwrap();
    (features, bits, data)
}

fn engine<'a>(network: &'a Network, data: &'a TrainingData, scaling: Scaling) -> Engine<'a> {
    Engine::new(&network.config, params::shapes(network), data, scaling, DeviceKind::Cpu).unwrap()
}

fn logits(network: &Network, data: &TrainingData, rows: &[usize], scaling: Scaling) -> Vec<f32> {
    let pieces = engine(network, data, scaling).map_logits(&params::flatten(network), rows, |_, z| z);
    pieces.into_iter().flatten().collect()
}

#[test]
fn logits_agree_with_the_reference() {
    for config in variants() {
        let network = random_network(&config);
        let (windows, _, data) = batch(&config);
        let logits = logits(&network, &data, &data.train, data.unit());
        for (window, found) in windows.iter().zip(logits.chunks(config.outputs)) {
            for (found, expected) in found.iter().zip(reference::logits(&network, window)) {
                let error = (f64::from(*found) - expected).abs();
                assert!(error < 2e-5, "{found} for {expected}: {config:?}");
            }
        }
    }
}

/// The reference's logits of some windows, and what they make of a loss.
fn expected_loss(network: &Network, windows: &[Array2<f64>], loss: impl Fn(&Array2<f64>) -> f64) -> f64 {
    let rows: Vec<f64> = windows.iter().flat_map(|w| reference::logits(network, w)).collect();
    loss(&Array2::from_shape_vec((windows.len(), network.config.outputs), rows).unwrap())
}

/// Compares loss and gradient with the reference's loss and its finite differences.
fn check_gradient(
    config: &NetworkConfig,
    objective: &Objective,
    loss: impl Fn(&Array2<f64>, &Array2<f64>) -> f64,
) {
    let mut network = random_network(config);
    let (windows, labels, data) = batch(config);
    let slope =
        engine(&network, &data, data.unit()).gradient(&params::flatten(&network), &[0, 1, 2, 3], objective);
    let found = slope.loss / labels.len() as f64 - objective.floor();
    let expected = expected_loss(&network, &windows, |z| loss(z, &labels));
    assert!((found - expected).abs() < 1e-5, "{found} for {expected}: {config:?}");

    let mut gradient = network.clone();
    params::fill(&mut gradient, &slope.gradient);
    for (p, (name, found)) in parameters(&mut gradient).into_iter().enumerate() {
        for (i, &mut found) in found.into_iter().enumerate() {
            // The step is what f32 makes of it.
            let mut moved = |step: f32| {
                let mut all = parameters(&mut network);
                let before = *all[p].1[i];
                *all[p].1[i] = before + step;
                let at = f64::from(*all[p].1[i]);
                drop(all);
                let loss = expected_loss(&network, &windows, |z| loss(z, &labels));
                *parameters(&mut network)[p].1[i] = before;
                (at, loss)
            };
            let ((above, up), (below, down)) = (moved(1e-3), moved(-1e-3));
            let expected = (up - down) / (above - below);
            let error = (f64::from(found) - expected).abs();
            assert!(error < 2e-5 + 2e-3 * expected.abs(), "{name}[{i}]: {found} for {expected}: {config:?}");
        }
    }
}

fn plain(config: &NetworkConfig) -> Objective {
    Objective { outputs: config.outputs, teacher: None }
}

#[test]
fn gradients_agree_with_finite_differences() {
    for config in variants() {
        check_gradient(&config, &plain(&config), |z, y| reference::distilled(z, y, y, 1.0, 1.0));
    }
}

#[test]
fn distillation_agrees_with_the_formula() {
    let config = variants().remove(0);
    let teacher =
        Array2::from_shape_fn((4, config.outputs), |(n, o)| ((n * 5 + o * 3) % 7) as f64 / 2.0 - 1.5);
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    for (alpha, temperature) in [(0.0, 1.0), (0.3, 1.0), (0.3, 2.5), (0.0, 0.5)] {
        let probabilities = teacher.mapv(|t| (sigmoid(t / temperature) * f64::from(ONE)).round() as u16);
        // What the sixteen bits say exactly.
        let said = probabilities.mapv(|p| {
            let p = f64::from(p) / f64::from(ONE);
            (p / (1.0 - p)).ln() * temperature
        });
        let entropy = said.mapv(|t| crate::loss::entropy(sigmoid(t / temperature))).mean().unwrap();
        let blend = Blend { alpha: alpha as f32, temperature: temperature as f32 };
        let soft = Soft { probabilities, blend, entropy };
        let objective = Objective { outputs: config.outputs, teacher: Some(soft) };
        check_gradient(&config, &objective, |z, y| reference::distilled(z, y, &said, alpha, temperature));
    }
}

#[test]
fn many_pieces_are_one_batch() {
    let config = variants().remove(0);
    let data = training_data(&config, 500, [1, 3]);
    let network = random_network(&config);
    let (engine, weights) = (engine(&network, &data, data.scaling()), params::flatten(&network));
    let batch: Vec<usize> = (0..data.train.len()).rev().collect();
    assert!(batch.len() > 4 * DeviceKind::Cpu.piece());
    let whole = engine.gradient(&weights, &batch, &plain(&config));
    let mut sum = vec![0.0; weights.len()];
    let mut loss = 0.0;
    for &window in &batch {
        let one = engine.gradient(&weights, &[window], &plain(&config));
        loss += one.loss;
        sum.iter_mut().zip(one.gradient).for_each(|(sum, g)| *sum += f64::from(g) / batch.len() as f64);
    }
    assert!((whole.loss - loss).abs() < 1e-3, "{} for {loss}", whole.loss);
    for (found, expected) in whole.gradient.iter().zip(sum) {
        assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} for {expected}");
    }
}

#[test]
fn weights_survive_the_vector() {
    for config in variants() {
        let network = random_network(&config);
        let mut back = initial("n", &config, &InputConfig::default(), 1);
        params::fill(&mut back, &params::flatten(&network));
        assert_eq!(back, network);
    }
}

/// Without teacher and checkpoint.
fn train(
    start: &Network,
    data: &TrainingData,
    settings: &Settings,
    report: impl FnMut(&Epoch) -> Result<(), Error>,
) -> Result<Trained, Error> {
    let (teacher, checkpoint, device) = (None, None, DeviceKind::Cpu);
    Course { start, data, settings, teacher, checkpoint, device }.run(report)
}

fn settings() -> Settings {
    Settings { epochs: 1, batch: 32, lr: 0.01, weight_decay: 0.0, patience: 5, seed: 3 }
}

#[test]
fn every_parameter_moves() {
    for config in variants() {
        let data = training_data(&config, 200, [1, 3]);
        let start = random_network(&config);
        let trained = train(&start, &data, &settings(), |_| Ok(())).unwrap();
        let (mut before, mut after) = (start, trained.network);
        for ((name, before), (_, after)) in parameters(&mut before).into_iter().zip(parameters(&mut after)) {
            let moved = before.iter().zip(&after).filter(|(b, a)| (***b - ***a).abs() > 1e-4).count();
            // ReLU may leave a unit silent for all of these windows.
            assert!(moved * 2 > before.len(), "{name}: {moved} of {} moved: {config:?}", before.len());
        }
    }
}

#[test]
fn the_scaled_network_is_the_same_function() {
    let config = variants().remove(0);
    let data = training_data(&config, 200, [1, 3]);
    let mut network = random_network(&config);
    let rows = [0, 5, 9];
    let found = logits(&network, &data, &rows, data.scaling());
    data.scaling().fold(&mut network);
    let (plain, _) = dataset(&config, 200, [1, 3]);
    for (&row, found) in rows.iter().zip(found.chunks(config.outputs)) {
        let window = plain.windows.index_axis(ndarray::Axis(0), row).mapv(|v| f64::from(v) / 64.0);
        for (found, expected) in found.iter().zip(reference::logits(&network, &window)) {
            assert!((f64::from(*found) - expected).abs() < 1e-4, "{found} for {expected}");
        }
    }
    let folded = network.embed.clone();
    data.scaling().unfold(&mut network);
    data.scaling().fold(&mut network);
    for (a, b) in network.embed.weight.iter().zip(&folded.weight) {
        assert!((a - b).abs() <= 1e-6 * b.abs());
    }
}

#[test]
fn a_network_that_knows_nothing_predicts_the_frequency_of_each_output() {
    let config = variants().remove(0);
    let data = training_data(&config, 200, [1, 3]);
    let mut network = random_network(&config);
    network.head.weight.fill(0.0);
    data.prepare(&mut network);
    let labels = data.bitmaps(&data.train);
    let bias = aview1(network.head.bias.as_slice().unwrap()).mapv(f64::from);
    // Output 0, delta 1, belongs to the stride of 1; output 9 is never set and kept away from probability 0.
    let share = labels.column(0).iter().filter(|&&b| b & 1 == 1).count() as f64 / labels.nrows() as f64;
    assert!(share > 0.2 && share < 0.8);
    assert!((1.0 / (1.0 + (-bias[0]).exp()) - share).abs() < 1e-6);
    assert!((1.0 / (1.0 + (-bias[9]).exp()) - 0.001).abs() < 1e-6);
}

#[test]
fn learns_strides_and_keeps_the_best_epoch() {
    let config = NetworkConfig { dim: 16, hidden: 16, head_dim: 8, outputs: 128, ..variants().remove(0) };
    // Who only knows how often each output is set reaches 2/3.
    let data = training_data(&config, 6000, [3, 20]);
    let mut start = initial("n", &config, &InputConfig::default(), 1);
    data.prepare(&mut start);
    let mut epochs = Vec::new();
    let settings = Settings { epochs: 15, ..settings() };
    let trained = train(&start, &data, &settings, |epoch| {
        epochs.push(epoch.clone());
        Ok(())
    })
    .unwrap();
    assert!(trained.best.f1 > 0.9, "{:?}", trained.best);
    let best = epochs.iter().map(|e| e.f1).fold(0.0, f64::max);
    assert!(trained.best.f1 >= best - 0.0005);
    assert!(epochs.last().unwrap().loss < epochs[0].loss);

    let again = train(&start, &data, &settings, |_| Ok(())).unwrap();
    assert_eq!(again.network, trained.network);
}

#[test]
fn stops_when_patience_ends() {
    let config = variants().remove(0);
    let data = training_data(&config, 200, [1, 3]);
    // A learning rate that changes nothing: no epoch is better than the first.
    let settings = Settings { epochs: 50, lr: 1e-30, patience: 3, ..settings() };
    let mut epochs = 0;
    let trained = train(&random_network(&config), &data, &settings, |_| {
        epochs += 1;
        Ok(())
    })
    .unwrap();
    assert_eq!((epochs, trained.best.epoch), (4, 1));
}

#[test]
fn a_loss_without_end_is_an_error() {
    let config = variants().remove(0);
    let data = training_data(&config, 200, [1, 3]);
    let mut start = random_network(&config);
    start.head.weight.fill(f32::MAX);
    let error = train(&start, &data, &settings(), |_| Ok(())).unwrap_err();
    assert!(matches!(error, Error::Diverged { epoch: 1, .. }), "{error}");
    insta::assert_snapshot!(error, @"the loss is no longer a finite number in epoch 1 at a learning rate of 0.01; give a lower --lr");
}
