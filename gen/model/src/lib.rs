//! The table model: what it is, and its file.
//!
//! * [`table`]: the model in memory.
//! * [`network`]: sizes and choices shared with the float network.
//! * [`file`]: the safetensors file, documented in `models/FORMAT.md`.

pub mod network;
pub mod table;
pub mod weights;

pub use weights::{Dense, LayerWeights, Network, Norm};
pub use network::{Activation, AttentionActivation, InputConfig, NetworkConfig, Pool};
pub use table::{
    Encoder, EncoderKind, KernelSpec, Layer, Linear, Metric, Pair, Qkv, Table, TableModel, subspace,
};
