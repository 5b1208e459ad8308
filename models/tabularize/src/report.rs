//! What tabularizing measured.

use serde::{Deserialize, Serialize};

/// One way to learn a kernel, and what it gave on the validation windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// How splits or prototypes were learned, and how the table: `output splits, ridge`.
    pub name: String,
    /// Best micro-F1 with this kernel in tables, those before it too, and all later ones exact.
    pub f1: f64,
    /// Mean squared error of the kernel's output against the float network's.
    pub mse: f64,
    /// Cosine of the kernel's outputs and the float network's, over all windows.
    pub cosine: f64,
}

/// One kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KernelReport {
    /// `embed`, `layers.0.qkv`, …
    pub kernel: String,
    /// The candidate that was kept: highest F1, of equals the lowest error.
    pub chosen: Candidate,
    /// The others.
    pub refused: Vec<Candidate>,
    /// For each encoder and subspace, how many of the K codes the training windows use.
    pub used_codes: Vec<usize>,
}

/// All that was measured; F1 values are micro-F1 on the validation windows, each at its own best threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Kernel by kernel, in the order of evaluation.
    pub kernels: Vec<KernelReport>,
    /// Training windows used.
    pub samples: usize,
    /// The float network.
    pub f1_network: f64,
    /// Its best threshold, a probability.
    pub network_threshold: f64,
    /// The float tables.
    pub f1_float_tables: f64,
    /// Their best threshold, stored in the model.
    pub threshold: f64,
}
