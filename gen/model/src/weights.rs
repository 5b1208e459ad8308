//! The float network: the weights a table model is made from.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2};

use crate::network::{InputConfig, NetworkConfig};

/// y = W·x + b.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// `[outputs, inputs]`.
    pub weight: Array2<f32>,
    /// `[outputs]`; zero where the network has none.
    pub bias: Array1<f32>,
}

/// Layer normalisation with its affine part.
#[derive(Debug, Clone, PartialEq)]
pub struct Norm {
    /// `[dim]`.
    pub weight: Array1<f32>,
    /// `[dim]`.
    pub bias: Array1<f32>,
}

/// One layer: pre-norm attention and pre-norm feed-forward block, each with a residual.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerWeights {
    /// Before the attention.
    pub ln1: Norm,
    /// `[3·heads·head_dim, dim]`: all queries, all keys, all values, each head-major.
    pub qkv: Dense,
    /// `[dim, heads·head_dim]`.
    pub out: Dense,
    /// Before the feed-forward block.
    pub ln2: Norm,
    /// `[hidden, dim]`.
    pub ff1: Dense,
    /// `[dim, hidden]`.
    pub ff2: Dense,
}

/// A trained float network.
///
/// In its file (safetensors, one tensor a parameter) the names are those of a plain `PyTorch` module: `embed.weight`,
/// `embed.bias`, `cls` (`[dim]`, only with a cls token), `pos` ([`NetworkConfig::position_shape`]), `layers.{i}.ln1.weight`, …, `ln.weight`,
/// `head.weight`, `head.bias`. Any linear bias may be absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Names the model made from it.
    pub name: String,
    /// Sizes and choices.
    pub config: NetworkConfig,
    /// How an access becomes segments.
    pub input: InputConfig,
    /// `[dim, segments]`.
    pub embed: Dense,
    /// `[dim]`, present exactly when the pool is cls.
    pub cls: Option<Array1<f32>>,
    /// `[tokens, dim]`, learned positional embedding, added after the cls token was put in front; with relative
    /// positions `[heads, tokens]`, added to the scores.
    pub pos: Array2<f32>,
    /// The attention layers.
    pub layers: Vec<LayerWeights>,
    /// Before the head.
    pub ln: Norm,
    /// `[outputs, dim]`.
    pub head: Dense,
    /// Free text for people: where the network comes from, what was measured.
    pub provenance: BTreeMap<String, String>,
}
