//! The network once more in `f64`, written from the formulas for one window at a time: what the tests compare with.

// Array views are references already and go by value everywhere.
#![allow(clippy::needless_pass_by_value)]

use ndarray::{Array1, Array2, ArrayView1, s};
use tablewright_model::{Activation, AttentionActivation, Dense, Network, Norm, Pool, Positions};

fn dense(layer: &Dense, x: ArrayView1<f64>) -> Array1<f64> {
    layer.weight.mapv(f64::from).dot(&x) + layer.bias.mapv(f64::from)
}

fn norm(layer: &Norm, eps: f64, x: ArrayView1<f64>) -> Array1<f64> {
    let mean = x.sum() / x.len() as f64;
    let variance = x.mapv(|v| (v - mean).powi(2)).sum() / x.len() as f64;
    (&x - mean) / (variance + eps).sqrt() * layer.weight.mapv(f64::from) + layer.bias.mapv(f64::from)
}

/// The Maclaurin series; good to 1e-12 for |x| ≤ 3, and the tests' values are small.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..80 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// `[history, segments]` features → `[outputs]` logits.
pub(crate) fn logits(network: &Network, window: &Array2<f64>) -> Array1<f64> {
    let c = &network.config;
    let (inner, width, eps) = (c.inner(), c.head_dim, c.norm_eps);
    let mut x: Vec<Array1<f64>> = Vec::new();
    x.extend(network.cls.as_ref().map(|cls| cls.mapv(f64::from)));
    x.extend(window.rows().into_iter().map(|token| dense(&network.embed, token)));
    if c.positions == Positions::Absolute {
        for (token, pos) in x.iter_mut().zip(network.pos.rows()) {
            *token += &pos.mapv(f64::from);
        }
    }
    for layer in &network.layers {
        let qkv: Vec<_> =
            x.iter().map(|t| dense(&layer.qkv, norm(&layer.ln1, eps, t.view()).view())).collect();
        for (i, token) in x.iter_mut().enumerate() {
            let mut mixed = Array1::zeros(inner);
            for h in 0..c.heads {
                let part = |j: usize, of: usize| {
                    let from = of * inner + h * width;
                    qkv[j].slice(s![from..from + width])
                };
                // Relative positions belong to the newest token's query; what the others would do reaches nothing.
                let bias = |j: usize| match c.positions {
                    Positions::Absolute => 0.0,
                    Positions::Relative => f64::from(network.pos[[h, j]]),
                };
                let scores =
                    (0..qkv.len()).map(|j| part(i, 0).dot(&part(j, 1)) / (width as f64).sqrt() + bias(j));
                let weights: Vec<f64> = match c.attention {
                    AttentionActivation::Sigmoid => scores.map(sigmoid).collect(),
                    AttentionActivation::Softmax => {
                        let exp: Vec<f64> = scores.map(f64::exp).collect();
                        let sum: f64 = exp.iter().sum();
                        exp.into_iter().map(|e| e / sum).collect()
                    }
                };
                let mut head = mixed.slice_mut(s![h * width..(h + 1) * width]);
                for (j, weight) in weights.into_iter().enumerate() {
                    head.scaled_add(weight, &part(j, 2));
                }
            }
            *token += &dense(&layer.out, mixed.view());
        }
        for token in &mut x {
            let hidden = dense(&layer.ff1, norm(&layer.ln2, eps, token.view()).view());
            let hidden = hidden.mapv(|v| match c.activation {
                Activation::Gelu => v * 0.5 * (1.0 + erf(v / 2f64.sqrt())),
                Activation::Relu => v.max(0.0),
            });
            *token += &dense(&layer.ff2, hidden.view());
        }
    }
    let pooled = match c.pool {
        Pool::Cls => x[0].clone(),
        Pool::Last => x[x.len() - 1].clone(),
        Pool::Mean => {
            let sum = x.iter().fold(Array1::zeros(c.dim), |sum, token| sum + token);
            sum / x.len() as f64
        }
    };
    dense(&network.head, norm(&network.ln, eps, pooled.view()).view())
}

/// Mean over windows and outputs of α·BCE + (1 − α)·T²·KL, the teacher given by its logits.
pub(crate) fn distilled(
    logits: &Array2<f64>,
    labels: &Array2<f64>,
    teacher: &Array2<f64>,
    alpha: f64,
    temperature: f64,
) -> f64 {
    let mut sum = 0.0;
    for ((z, y), t) in logits.iter().zip(labels).zip(teacher) {
        let p = sigmoid(*z);
        let (s, t) = (sigmoid(z / temperature), sigmoid(t / temperature));
        sum -= alpha * (y * p.ln() + (1.0 - y) * (1.0 - p).ln());
        if alpha < 1.0 {
            let divergence = t * (t / s).ln() + (1.0 - t) * ((1.0 - t) / (1.0 - s)).ln();
            sum += (1.0 - alpha) * temperature * temperature * divergence;
        }
    }
    sum / logits.len() as f64
}
