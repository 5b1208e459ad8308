//! The table model: what it is, and its file.
//!
//! * [`table`]: the model in memory.
//! * [`network`]: sizes and choices shared with the float network.
//! * [`weights`]: the float network.
//! * [`kernels`]: every kernel of a network by name.
//! * [`mod@file`]: the safetensors files of models and networks, documented in `models/FORMAT.md`.
//! * [`error`]: what can be wrong with them.
//! * [`testing`] (feature `testing`): random models of any shape.

mod check;
mod compare;
pub mod error;
pub mod file;
pub mod kernels;
mod layout;
pub mod network;
pub mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod weights;

pub use error::{Error, Problem};
pub use file::{
    FileKind, load_model, load_network, model_from_bytes, model_to_bytes, network_from_bytes,
    network_to_bytes, replace_file, save_model, save_network, sniff,
};
pub use kernels::{Form, KernelRef, Site};
pub use network::{Activation, AttentionActivation, InputConfig, NetworkConfig, Pool, Positions, Purpose};
pub use table::{
    Encoder, EncoderKind, KernelSpec, Layer, Linear, Metric, Pair, Qkv, Table, TableModel, subspace,
};
pub use weights::{Dense, LayerWeights, Network, Norm};
