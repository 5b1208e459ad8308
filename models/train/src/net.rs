//! The network as the ML framework sees it: the same mathematics as [`tablewright_model::Network`], with gradients.
//!
//! Weights enter and leave as a [`Network`], so that what starts a training (random numbers, a teacher, a checkpoint)
//! and what is saved are one type, independent of the framework.

// Array views are references already and go by value everywhere.
#![allow(clippy::needless_pass_by_value)]

use std::collections::BTreeMap;

use burn::Tensor;
use burn::module::{Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, TensorData, activation};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, s};
use tablewright_model::{
    Activation, AttentionActivation, Dense, LayerWeights, Network, NetworkConfig, Norm, Pool,
};

/// The trainable parameters.
#[derive(Module, Debug)]
pub(crate) struct Parameters {
    embed: Linear,
    cls: Option<Param<Tensor<1>>>,
    pos: Param<Tensor<2>>,
    layers: Vec<Block>,
    ln: LayerNorm,
    head: Linear,
}

/// One layer. Queries are apart from keys and values because the last layer needs them for one token only.
#[derive(Module, Debug)]
struct Block {
    ln1: LayerNorm,
    q: Linear,
    kv: Linear,
    out: Linear,
    ln2: LayerNorm,
    ff1: Linear,
    ff2: Linear,
}

/// The parameters and the sizes they belong to.
#[derive(Debug, Clone)]
pub(crate) struct Net {
    pub(crate) config: NetworkConfig,
    pub(crate) parameters: Parameters,
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn vector(values: ArrayView1<f32>, device: &Device) -> Param<Tensor<1>> {
    Param::from_tensor(tensor(values.to_vec(), [values.len()], device))
}

fn matrix(values: ArrayView2<f32>, device: &Device) -> Param<Tensor<2>> {
    Param::from_tensor(tensor(values.iter().copied().collect(), values.dim().into(), device))
}

/// The framework keeps a weight as `[inputs, outputs]`.
fn linear(weight: ArrayView2<f32>, bias: Option<ArrayView1<f32>>, device: &Device) -> Linear {
    let mut layer = LinearConfig::new(weight.ncols(), weight.nrows()).with_bias(false).init(device);
    layer.weight = matrix(weight.t(), device);
    layer.bias = bias.map(|b| vector(b, device));
    layer
}

fn dense(layer: &Dense, device: &Device) -> Linear {
    linear(layer.weight.view(), Some(layer.bias.view()), device)
}

fn norm(layer: &Norm, eps: f64, device: &Device) -> LayerNorm {
    let mut norm = LayerNormConfig::new(layer.weight.len()).with_epsilon(eps).init(device);
    norm.gamma = vector(layer.weight.view(), device);
    norm.beta = Some(vector(layer.bias.view(), device));
    norm
}

/// All values in row-major order.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn read_vector(param: &Param<Tensor<1>>) -> Array1<f32> {
    values(param.val()).into()
}

fn read_matrix(param: &Param<Tensor<2>>) -> Array2<f32> {
    let tensor = param.val();
    let [rows, columns] = tensor.dims();
    let values = values(tensor);
    Array2::from_shape_fn((rows, columns), |(r, c)| values[r * columns + c])
}

fn read_linear(layer: &Linear) -> Dense {
    let weight = read_matrix(&layer.weight).reversed_axes().as_standard_layout().into_owned();
    let bias = layer.bias.as_ref().map_or_else(|| Array1::zeros(weight.nrows()), read_vector);
    Dense { weight, bias }
}

fn read_norm(layer: &LayerNorm) -> Norm {
    let weight = read_vector(&layer.gamma);
    let bias = layer.beta.as_ref().map_or_else(|| Array1::zeros(weight.len()), read_vector);
    Norm { weight, bias }
}

/// y = x·W + b on the last axis. Two-dimensional inside: one large product instead of a small one for each window.
fn apply(layer: &Linear, x: Tensor<3>) -> Tensor<3> {
    let [batch, tokens, inputs] = x.dims();
    let y = layer.forward(x.reshape([batch * tokens, inputs]));
    let outputs = y.dims()[1];
    y.reshape([batch, tokens, outputs])
}

/// `[batch, tokens, heads·head_dim]` → `[batch, heads, tokens, head_dim]`.
fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, tokens, inner] = x.dims();
    x.reshape([batch, tokens, heads, inner / heads]).swap_dims(1, 2)
}

impl Block {
    /// `pooled`: the one token whose output is wanted, or every token.
    fn forward(&self, config: &NetworkConfig, x: Tensor<3>, pooled: Option<usize>) -> Tensor<3> {
        let (heads, inner) = (config.heads, config.inner());
        let normed = self.ln1.forward(x.clone());
        let (x, queries) = match pooled {
            Some(token) => (x.narrow(1, token, 1), normed.clone().narrow(1, token, 1)),
            None => (x, normed.clone()),
        };
        let [batch, tokens, _] = queries.dims();
        let q = split_heads(apply(&self.q, queries), heads);
        let kv = apply(&self.kv, normed);
        let k = split_heads(kv.clone().narrow(2, 0, inner), heads);
        let v = split_heads(kv.narrow(2, inner, inner), heads);
        let scores = q.matmul(k.transpose()).div_scalar((config.head_dim as f64).sqrt());
        let weights = match config.attention {
            AttentionActivation::Softmax => activation::softmax(scores, 3),
            AttentionActivation::Sigmoid => activation::sigmoid(scores),
        };
        let mixed = weights.matmul(v).swap_dims(1, 2).reshape([batch, tokens, inner]);
        let x = x + apply(&self.out, mixed);
        let hidden = apply(&self.ff1, self.ln2.forward(x.clone()));
        let hidden = match config.activation {
            Activation::Gelu => activation::gelu(hidden),
            Activation::Relu => activation::relu(hidden),
        };
        x + apply(&self.ff2, hidden)
    }
}

impl Net {
    /// The biases of q, k and v are not trained: the reference network has none.
    pub(crate) fn new(network: &Network, device: &Device) -> Self {
        let config = network.config.clone();
        let (inner, eps) = (config.inner(), config.norm_eps);
        let layers = network
            .layers
            .iter()
            .map(|l| Block {
                ln1: norm(&l.ln1, eps, device),
                q: linear(l.qkv.weight.slice(s![..inner, ..]), None, device),
                kv: linear(l.qkv.weight.slice(s![inner.., ..]), None, device),
                out: dense(&l.out, device),
                ln2: norm(&l.ln2, eps, device),
                ff1: dense(&l.ff1, device),
                ff2: dense(&l.ff2, device),
            })
            .collect();
        let parameters = Parameters {
            embed: dense(&network.embed, device),
            cls: network.cls.as_ref().map(|c| vector(c.view(), device)),
            pos: matrix(network.pos.view(), device),
            layers,
            ln: norm(&network.ln, eps, device),
            head: dense(&network.head, device),
        };
        Self { config, parameters }
    }

    /// The weights as they go into a file.
    pub(crate) fn to_network(&self, name: &str, input: &tablewright_model::InputConfig) -> Network {
        let p = &self.parameters;
        let layers = p
            .layers
            .iter()
            .map(|l| {
                let (q, kv) = (read_linear(&l.q), read_linear(&l.kv));
                let weight = stack(&q.weight, &kv.weight);
                let bias = Array1::zeros(weight.nrows());
                LayerWeights {
                    ln1: read_norm(&l.ln1),
                    qkv: Dense { weight, bias },
                    out: read_linear(&l.out),
                    ln2: read_norm(&l.ln2),
                    ff1: read_linear(&l.ff1),
                    ff2: read_linear(&l.ff2),
                }
            })
            .collect();
        Network {
            name: name.to_owned(),
            config: self.config.clone(),
            input: input.clone(),
            embed: read_linear(&p.embed),
            cls: p.cls.as_ref().map(read_vector),
            pos: read_matrix(&p.pos),
            layers,
            ln: read_norm(&p.ln),
            head: read_linear(&p.head),
            provenance: BTreeMap::new(),
        }
    }

    /// `[batch, history, segments]` features → `[batch, outputs]` logits.
    ///
    /// When one token is pooled, the last layer computes that token alone; the others would not reach the head.
    pub(crate) fn forward(&self, windows: Tensor<3>) -> Tensor<2> {
        let (p, config) = (&self.parameters, &self.config);
        let batch = windows.dims()[0];
        let mut x = apply(&p.embed, windows);
        if let Some(cls) = &p.cls {
            let cls = cls.val().reshape([1, 1, config.dim]).expand([batch, 1, config.dim]);
            x = Tensor::cat(vec![cls, x], 1);
        }
        x = x + p.pos.val().unsqueeze::<3>();
        let pooled = match config.pool {
            Pool::Cls => Some(0),
            Pool::Last => Some(config.tokens() - 1),
            Pool::Mean => None,
        };
        let last = p.layers.len() - 1;
        for (i, layer) in p.layers.iter().enumerate() {
            x = layer.forward(config, x, pooled.filter(|_| i == last));
        }
        let x: Tensor<2> = x.mean_dim(1).reshape([batch, config.dim]);
        p.head.forward(p.ln.forward(x))
    }
}

/// Rows of `a`, then rows of `b`; both have as many columns.
fn stack(a: &Array2<f32>, b: &Array2<f32>) -> Array2<f32> {
    let mut rows = Array2::zeros((a.nrows() + b.nrows(), a.ncols()));
    rows.slice_mut(s![..a.nrows(), ..]).assign(a);
    rows.slice_mut(s![a.nrows().., ..]).assign(b);
    rows
}
