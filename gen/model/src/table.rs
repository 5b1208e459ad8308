//! The table model: the hand-over format between training and hardware.
//!
//! Everything here is float and structured; how it is laid out in a file is [`crate::file`]'s business, and how it
//! becomes integers is the design crate's.

use std::collections::BTreeMap;
use std::ops::Range;

use ndarray::{Array1, Array2, Array3};
use serde::{Deserialize, Serialize};

use crate::network::{InputConfig, NetworkConfig};

/// How a sub-vector is turned into a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncoderKind {
    /// Balanced hash tree: one split dimension per level, one threshold per node (MADDNESS).
    Tree,
    /// Exact nearest prototype, squared Euclidean distance, ties to the lowest index.
    L2,
    /// Exact nearest prototype, sum of absolute differences, ties to the lowest index.
    L1,
}

/// The choices of one kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelSpec {
    /// How inputs are encoded.
    pub encoder: EncoderKind,
    /// Prototypes per subspace, K; a power of two.
    pub prototypes: usize,
    /// Subspaces, C.
    pub subspaces: usize,
    /// Bits of one table entry in hardware: 4, 6, 8, 12, 16 or 32.
    pub bits: u32,
}

impl KernelSpec {
    /// log2 K: bits of a code, levels of a tree.
    pub fn code_bits(&self) -> u32 {
        self.prototypes.ilog2()
    }
}

/// Features of subspace `c` when `dims` features are divided among `subspaces`: contiguous, in order, the first
/// `dims % subspaces` one feature wider than the others.
pub fn subspace(dims: usize, subspaces: usize, c: usize) -> Range<usize> {
    let (base, wider) = (dims / subspaces, dims % subspaces);
    let start = c * base + c.min(wider);
    start..start + base + usize::from(c < wider)
}

/// An encoder over a whole input vector: one code per subspace.
#[derive(Debug, Clone, PartialEq)]
pub enum Encoder {
    /// Node `m` of level `l` (0-based from the left) has heap index `2^l − 1 + m`; from it, `x[split[c,l]] >=
    /// threshold[c, heap]` goes to node `2m + 1` of the next level, else to `2m`. The node reached after the last level
    /// is the code.
    Tree {
        /// `[C, log2 K]`, feature indices of the whole input vector, each inside its own subspace.
        split: Array2<u32>,
        /// `[C, K − 1]`.
        threshold: Array2<f32>,
    },
    /// Nearest prototype.
    Nearest {
        /// `[K, dims]`; subspace `c` owns the columns [`subspace`]`(dims, C, c)`.
        prototypes: Array2<f32>,
        /// [`EncoderKind::L2`] or [`EncoderKind::L1`].
        metric: Metric,
    },
}

/// Distance of a nearest-prototype encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Σ (x − p)².
    L2,
    /// Σ |x − p|.
    L1,
}

impl Encoder {
    /// The kind, as written in a [`KernelSpec`].
    pub fn kind(&self) -> EncoderKind {
        match self {
            Self::Tree { .. } => EncoderKind::Tree,
            Self::Nearest { metric: Metric::L2, .. } => EncoderKind::L2,
            Self::Nearest { metric: Metric::L1, .. } => EncoderKind::L1,
        }
    }
}

/// The table of a linear kernel and what is added once to its sum.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// `[C, K, outputs]`: the contribution of subspace `c` with code `k` to each output.
    pub entries: Array3<f32>,
    /// `[outputs]`.
    pub bias: Option<Array1<f32>>,
}

/// y = `Σ_c` table[c, `code_c`] + bias.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// The kernel's choices.
    pub spec: KernelSpec,
    /// Over the kernel's input vector.
    pub encoder: Encoder,
    /// `[C, K, outputs]`.
    pub table: Table,
}

/// Three tables behind one encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Qkv {
    /// The kernel's choices.
    pub spec: KernelSpec,
    /// Over `dim` features.
    pub encoder: Encoder,
    /// Query, `[C, K, heads·head_dim]`, head-major.
    pub q: Table,
    /// Key.
    pub k: Table,
    /// Value.
    pub v: Table,
}

/// A product of two encoded vectors: `Σ_c` table[c, `left_c`, `right_c`]. Shared by all heads.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// The kernel's choices; both encoders have the same K and C.
    pub spec: KernelSpec,
    /// Over one row of the left operand.
    pub left: Encoder,
    /// Over one row of the right operand.
    pub right: Encoder,
    /// `[C, K, K]`.
    pub table: Array3<f32>,
}

/// One attention layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// norm(x) → q, k, v.
    pub qkv: Qkv,
    /// Queries (left) and keys (right), both over `head_dim` features → scores, `1/√head_dim` included.
    pub score: Pair,
    /// Rows of weights (left; raw scores when the attention is sigmoid) and columns of V (right), both over the tokens.
    pub mix: Pair,
    /// Over `heads·head_dim` features → dim.
    pub out: Linear,
    /// dim → hidden.
    pub ff1: Linear,
    /// hidden → dim.
    pub ff2: Linear,
}

/// A finished table model.
#[derive(Debug, Clone, PartialEq)]
pub struct TableModel {
    /// Lower case letters, digits, `_` and `-`; starts with a letter. Names of files and modules derive from it.
    pub name: String,
    /// Sizes and choices.
    pub network: NetworkConfig,
    /// How an access becomes segments and a bitmap becomes prefetches.
    pub input: InputConfig,
    /// A delta is predicted when sigmoid(logit) ≥ threshold; strictly between 0 and 1.
    pub threshold: f64,
    /// Width of the activations between kernels in hardware, 8 to 24 bits.
    pub activation_bits: u32,
    /// Over the `segments` of one access, each taken as integer / `2^segment_bits` → dim.
    pub embed: Linear,
    /// `[tokens, dim]`, added to the embedded tokens; with a cls token, row 0 is the whole constant token. With relative
    /// positions `[heads, tokens]`, added to the scores.
    pub position: Array2<f32>,
    /// The attention layers.
    pub layers: Vec<Layer>,
    /// dim → outputs.
    pub head: Linear,
    /// Free text for people: where the model comes from, what was measured.
    pub provenance: BTreeMap<String, String>,
}
