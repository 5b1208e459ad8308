//! Networks and data for tests, and the forward pass written a second time.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, missing_docs)]

use ndarray::{Array1, Array2, Array3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tablewright_model::{
    Activation, AttentionActivation, Dense, InputConfig, LayerWeights, Network, NetworkConfig, Norm, Pool,
    Positions,
};
use tablewright_tabularize::Data;

pub fn config() -> NetworkConfig {
    NetworkConfig {
        history: 3,
        segments: 3,
        positions: Positions::Absolute,
        pool: Pool::Cls,
        dim: 8,
        layers: 1,
        heads: 2,
        head_dim: 4,
        hidden: 6,
        outputs: 10,
        attention: AttentionActivation::Softmax,
        activation: Activation::Gelu,
        norm_eps: 1e-5,
    }
}

/// A network of random weights.
pub fn network(config: NetworkConfig, seed: u64) -> Network {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut matrix = |rows: usize, columns: usize, size: f32| {
        Array2::from_shape_simple_fn((rows, columns), || rng.random_range(-size..size))
    };
    let mut dense = |outputs, inputs: usize| Dense {
        weight: matrix(outputs, inputs, 2.5 / (inputs as f32).sqrt()),
        bias: matrix(1, outputs, 0.3).row(0).to_owned(),
    };
    let (dim, inner) = (config.dim, config.inner());
    let embed = dense(dim, config.segments);
    let layers = (0..config.layers).map(|_| {
        let qkv = dense(3 * inner, dim);
        let out = dense(dim, inner);
        let ff1 = dense(config.hidden, dim);
        let ff2 = dense(dim, config.hidden);
        (qkv, out, ff1, ff2)
    });
    let layers: Vec<_> = layers.collect();
    let head = dense(config.outputs, dim);
    let mut norm = || Norm {
        weight: matrix(1, dim, 0.4).row(0).mapv(|v| v + 1.0),
        bias: matrix(1, dim, 0.4).row(0).to_owned(),
    };
    let layers = (layers.into_iter())
        .map(|(qkv, out, ff1, ff2)| LayerWeights { ln1: norm(), qkv, out, ln2: norm(), ff1, ff2 })
        .collect();
    let ln = norm();
    Network {
        name: "test".to_owned(),
        input: InputConfig::default(),
        embed,
        cls: (config.pool == Pool::Cls).then(|| matrix(1, dim, 1.0).row(0).to_owned()),
        pos: matrix(config.position_shape()[0], config.position_shape()[1], 0.5),
        layers,
        ln,
        head,
        provenance: std::collections::BTreeMap::new(),
        config,
    }
}

/// Random windows, labelled by the network itself with some noise.
pub struct Sample {
    pub windows: Array3<u8>,
    pub labels: Array2<u8>,
}

impl Sample {
    pub fn new(network: &Network, count: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let config = &network.config;
        let shape = (count, config.history, config.segments);
        let windows = Array3::from_shape_simple_fn(shape, || rng.random_range(0..64_u8));
        let mut labels = Array2::zeros((count, config.outputs.div_ceil(8)));
        for (window, mut row) in windows.outer_iter().zip(labels.rows_mut()) {
            for (output, logit) in reference(network, &window.to_owned()).iter().enumerate() {
                if logit + rng.random_range(-0.5..0.5) > 0.5 {
                    row[output / 8] |= 1 << (output % 8);
                }
            }
        }
        Self { windows, labels }
    }

    pub fn data(&self) -> Data<'_> {
        Data { windows: self.windows.view(), labels: self.labels.view() }
    }
}

/// Logits of one window, straight from the documentation of the configuration: f64, one number at a time.
pub fn reference(network: &Network, window: &Array2<u8>) -> Vec<f64> {
    let config = &network.config;
    let lead = usize::from(config.pool == Pool::Cls);
    let mut x: Vec<Vec<f64>> = Vec::new();
    for token in 0..config.tokens() {
        let mut row = if token < lead {
            network.cls.as_ref().unwrap().iter().map(|&v| f64::from(v)).collect()
        } else {
            let unit = f64::from(1 << network.input.segment_bits);
            let segments: Vec<f64> = window.row(token - lead).iter().map(|&s| f64::from(s) / unit).collect();
            linear(&network.embed, &segments)
        };
        if config.positions == Positions::Absolute {
            add(&mut row, network.pos.row(token).iter().map(|&v| f64::from(v)));
        }
        x.push(row);
    }
    let (heads, size) = (config.heads, config.head_dim);
    for layer in &network.layers {
        let qkv: Vec<Vec<f64>> =
            (x.iter()).map(|row| linear(&layer.qkv, &norm(&layer.ln1, row, config.norm_eps))).collect();
        let part = |token: usize, part: usize, head: usize, i: usize| {
            qkv[token][part * heads * size + head * size + i]
        };
        for i in 0..x.len() {
            let mut mixed = vec![0.0; heads * size];
            for head in 0..heads {
                let scores: Vec<f64> = (0..x.len())
                    .map(|j| {
                        let dot: f64 = (0..size).map(|d| part(i, 0, head, d) * part(j, 1, head, d)).sum();
                        let moved = match config.positions {
                            Positions::Absolute => 0.0,
                            Positions::Relative => f64::from(network.pos[[head, j]]),
                        };
                        dot / (size as f64).sqrt() + moved
                    })
                    .collect();
                let weights: Vec<f64> = match config.attention {
                    AttentionActivation::Softmax => {
                        let sum: f64 = scores.iter().map(|s| s.exp()).sum();
                        scores.iter().map(|s| s.exp() / sum).collect()
                    }
                    AttentionActivation::Sigmoid => scores.iter().map(|s| 1.0 / (1.0 + (-s).exp())).collect(),
                };
                for d in 0..size {
                    mixed[head * size + d] =
                        (0..weights.len()).map(|j| weights[j] * part(j, 2, head, d)).sum();
                }
            }
            add(&mut x[i], linear(&layer.out, &mixed));
        }
        for row in &mut x {
            let mut hidden = linear(&layer.ff1, &norm(&layer.ln2, row, config.norm_eps));
            for v in &mut hidden {
                *v = match config.activation {
                    Activation::Gelu => *v * (0.5 + 0.5 * libm::erf(*v / 2.0_f64.sqrt())),
                    Activation::Relu => v.max(0.0),
                };
            }
            add(row, linear(&layer.ff2, &hidden));
        }
    }
    let pooled: Vec<f64> = match config.pool {
        Pool::Cls => x[0].clone(),
        Pool::Last => x[x.len() - 1].clone(),
        Pool::Mean => {
            (0..config.dim).map(|d| x.iter().map(|row| row[d]).sum::<f64>() / x.len() as f64).collect()
        }
    };
    linear(&network.head, &norm(&network.ln, &pooled, config.norm_eps))
}

fn linear(dense: &Dense, x: &[f64]) -> Vec<f64> {
    let dot = |row: ndarray::ArrayView1<'_, f32>| -> f64 {
        row.iter().zip(x).map(|(&w, x)| f64::from(w) * x).sum()
    };
    (dense.weight.rows().into_iter().zip(&dense.bias))
        .map(|(row, &bias)| dot(row) + f64::from(bias))
        .collect()
}

fn norm(norm: &Norm, x: &[f64], eps: f64) -> Vec<f64> {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let variance = x.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / x.len() as f64;
    let affine = norm.weight.iter().zip(&norm.bias);
    (x.iter().zip(affine))
        .map(|(v, (&w, &b))| (v - mean) / (variance + eps).sqrt() * f64::from(w) + f64::from(b))
        .collect()
}

fn add(x: &mut [f64], y: impl IntoIterator<Item = f64>) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

pub fn zeros(n: usize) -> Array1<f32> {
    Array1::zeros(n)
}
