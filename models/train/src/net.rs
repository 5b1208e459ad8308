//! The network as the ML framework sees it: the same mathematics as [`tablewright_model::Network`], with gradients.

use burn::Tensor;
use burn::tensor::{Device, Gradients, TensorData, activation, module};
use tablewright_model::{Activation, AttentionActivation, NetworkConfig, Pool, Positions};

/// y = x·W + b.
#[derive(Debug, Clone)]
struct Linear {
    /// `[inputs, outputs]`.
    weight: Tensor<2>,
    /// `[outputs]`.
    bias: Option<Tensor<1>>,
}

#[derive(Debug, Clone)]
struct Norm {
    gamma: Tensor<1>,
    beta: Tensor<1>,
    eps: f64,
}

/// One layer. Queries are apart from keys and values because the last layer needs them for one token only.
#[derive(Debug, Clone)]
struct Block {
    ln1: Norm,
    q: Linear,
    kv: Linear,
    out: Linear,
    ln2: Norm,
    ff1: Linear,
    ff2: Linear,
}

/// Sizes and parameters.
#[derive(Debug, Clone)]
pub(crate) struct Net {
    config: NetworkConfig,
    embed: Linear,
    cls: Option<Tensor<2>>,
    pos: Tensor<2>,
    layers: Vec<Block>,
    ln: Norm,
    head: Linear,
    /// All of the above as they came, for their gradients.
    leaves: Vec<Tensor<2>>,
}

/// Hands out the parameters in the order of [`crate::params`].
struct Parameters {
    leaves: std::vec::IntoIter<Tensor<2>>,
    device: Device,
}

impl Parameters {
    fn matrix(&mut self) -> Tensor<2> {
        // Both sides take the list from one configuration; an empty matrix would fail every test.
        self.leaves.next().unwrap_or_else(|| Tensor::zeros([0, 0], &self.device))
    }

    fn vector(&mut self) -> Tensor<1> {
        let row = self.matrix();
        let len = row.dims()[1];
        row.reshape([len])
    }

    fn dense(&mut self) -> Linear {
        Linear { weight: self.matrix(), bias: Some(self.vector()) }
    }

    fn unbiased(&mut self) -> Linear {
        Linear { weight: self.matrix(), bias: None }
    }

    fn norm(&mut self, eps: f64) -> Norm {
        Norm { gamma: self.vector(), beta: self.vector(), eps }
    }
}

/// All values in row-major order.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data();
    data.as_slice::<f32>().map_or_else(|_| data.iter::<f32>().collect(), <[f32]>::to_vec)
}

impl Linear {
    /// On the last axis. Two-dimensional inside: one large product instead of a small one for each window.
    fn apply(&self, x: Tensor<3>) -> Tensor<3> {
        let [batch, tokens, inputs] = x.dims();
        let y = self.rows(x.reshape([batch * tokens, inputs]));
        let outputs = y.dims()[1];
        y.reshape([batch, tokens, outputs])
    }

    fn rows(&self, x: Tensor<2>) -> Tensor<2> {
        module::linear(x, self.weight.clone(), self.bias.clone())
    }
}

impl Norm {
    fn apply<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        module::layer_norm(x, self.gamma.clone(), Some(self.beta.clone()), self.eps)
    }
}

/// `[batch, tokens, heads·head_dim]` → `[batch, heads, tokens, head_dim]`.
fn split_heads(x: Tensor<3>, heads: usize) -> Tensor<4> {
    let [batch, tokens, inner] = x.dims();
    x.reshape([batch, tokens, heads, inner / heads]).swap_dims(1, 2)
}

impl Block {
    /// `pooled`: the one token whose output is wanted, or every token. `bias`: `[heads, tokens]`, added to its scores.
    fn forward(
        &self,
        config: &NetworkConfig,
        x: Tensor<3>,
        pooled: Option<usize>,
        bias: Option<Tensor<2>>,
    ) -> Tensor<3> {
        let (heads, inner) = (config.heads, config.inner());
        let normed = self.ln1.apply(x.clone());
        let (x, queries) = match pooled {
            Some(token) => (x.narrow(1, token, 1), normed.clone().narrow(1, token, 1)),
            None => (x, normed.clone()),
        };
        let [batch, tokens, _] = queries.dims();
        let q = split_heads(self.q.apply(queries), heads).mul_scalar((config.head_dim as f64).sqrt().recip());
        let kv = self.kv.apply(normed);
        let k = split_heads(kv.clone().narrow(2, 0, inner), heads);
        let v = split_heads(kv.narrow(2, inner, inner), heads);
        let mut scores = q.matmul(k.transpose());
        if let Some(bias) = bias {
            let [heads, keys] = bias.dims();
            scores = scores + bias.reshape([1, heads, 1, keys]);
        }
        let weights = match config.attention {
            AttentionActivation::Softmax => activation::softmax(scores, 3),
            AttentionActivation::Sigmoid => activation::sigmoid(scores),
        };
        let mixed = weights.matmul(v).swap_dims(1, 2).reshape([batch, tokens, inner]);
        let x = x + self.out.apply(mixed);
        let hidden = self.ff1.apply(self.ln2.apply(x.clone()));
        let hidden = match config.activation {
            Activation::Gelu => activation::gelu(hidden),
            Activation::Relu => activation::relu(hidden),
        };
        x + self.ff2.apply(hidden)
    }
}

impl Net {
    /// `shapes` and `values` as in [`crate::params`]. On a device with autodiff the gradients are tracked.
    pub(crate) fn new(
        config: &NetworkConfig,
        shapes: &[[usize; 2]],
        values: &[f32],
        device: &Device,
    ) -> Self {
        let mut rest = values;
        let mut leaves = Vec::with_capacity(shapes.len());
        for &shape in shapes {
            let (here, after) = rest.split_at((shape[0] * shape[1]).min(rest.len()));
            rest = after;
            let leaf = Tensor::from_data(TensorData::new(here.to_vec(), shape), device);
            leaves.push(if device.is_autodiff() { leaf.require_grad() } else { leaf });
        }
        let mut next = Parameters { leaves: leaves.clone().into_iter(), device: device.clone() };
        let eps = config.norm_eps;
        Self {
            config: config.clone(),
            embed: next.dense(),
            cls: (config.pool == Pool::Cls).then(|| next.matrix()),
            pos: next.matrix(),
            layers: (0..config.layers)
                .map(|_| Block {
                    ln1: next.norm(eps),
                    q: next.unbiased(),
                    kv: next.unbiased(),
                    out: next.dense(),
                    ln2: next.norm(eps),
                    ff1: next.dense(),
                    ff2: next.dense(),
                })
                .collect(),
            ln: next.norm(eps),
            head: next.dense(),
            leaves,
        }
    }

    /// The gradient of every parameter as one vector; zero where the loss does not depend on one.
    pub(crate) fn gradient(&self, gradients: &Gradients) -> Vec<f32> {
        let mut all = Vec::new();
        for leaf in &self.leaves {
            match leaf.grad(gradients) {
                Some(gradient) => all.extend(values(gradient)),
                None => all.resize(all.len() + leaf.shape().num_elements(), 0.0),
            }
        }
        all
    }

    /// `[batch, history, segments]` features → `[batch, outputs]` logits.
    ///
    /// When one token is pooled, the last layer computes that token alone; the others would not reach the head.
    pub(crate) fn forward(&self, windows: Tensor<3>) -> Tensor<2> {
        let config = &self.config;
        let batch = windows.dims()[0];
        let mut x = self.embed.apply(windows);
        if let Some(cls) = &self.cls {
            let cls = cls.clone().reshape([1, 1, config.dim]).expand([batch, 1, config.dim]);
            x = Tensor::cat(vec![cls, x], 1);
        }
        let bias = match config.positions {
            Positions::Absolute => {
                x = x + self.pos.clone().unsqueeze::<3>();
                None
            }
            Positions::Relative => Some(self.pos.clone()),
        };
        let pooled = match config.pool {
            Pool::Cls => Some(0),
            Pool::Last => Some(config.tokens() - 1),
            Pool::Mean => None,
        };
        let last = self.layers.len() - 1;
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(config, x, pooled.filter(|_| i == last), bias.clone());
        }
        let x: Tensor<2> = match pooled {
            Some(_) => x.reshape([batch, config.dim]),
            None => x.mean_dim(1).reshape([batch, config.dim]),
        };
        self.head.rows(self.ln.apply(x))
    }
}
