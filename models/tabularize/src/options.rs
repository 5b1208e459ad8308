//! What can be chosen, and what is told on the way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tablewright_model::{EncoderKind, KernelSpec, NetworkConfig};

use crate::error::Error;

/// The choices of [`crate::tabularize()`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The choices of every kernel that has none of its own.
    pub spec: KernelSpec,
    /// Choices of single kernels by name (`embed`, `layers.0.qkv`, …, `head`).
    pub kernels: BTreeMap<String, KernelSpec>,
    /// Training windows that tables are fitted to, at most; drawn from all over the training data.
    pub samples: usize,
    /// Vectors that one encoder is learned from, at most.
    pub encoder_samples: usize,
    /// Validation windows by which candidates are compared, at most.
    pub valid_samples: usize,
    /// Seed of all drawing.
    pub seed: u64,
    /// Width of the activations between kernels in hardware, 8 to 24 bits.
    pub activation_bits: u32,
    /// Whether the head's tables are fitted to the labels at the end.
    pub fine_tune: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            spec: KernelSpec { encoder: EncoderKind::Tree, prototypes: 128, subspaces: 2, bits: 8 },
            kernels: BTreeMap::new(),
            samples: 30_000,
            encoder_samples: 16_384,
            valid_samples: 8_192,
            seed: 0,
            activation_bits: 16,
            fine_tune: true,
        }
    }
}

impl Options {
    /// The choices of one kernel.
    pub fn spec_of(&self, kernel: &str) -> KernelSpec {
        self.kernels.get(kernel).copied().unwrap_or(self.spec)
    }

    /// Every field inside its limits, every kernel's choices possible for its features.
    pub fn check(&self, network: &NetworkConfig) -> Result<(), Error> {
        let range = |field, value: usize, low, high| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(Error::Option { field, value, low, high })
        };
        range("samples", self.samples, 1, 10_000_000)?;
        range("encoder_samples", self.encoder_samples, 1, 10_000_000)?;
        range("valid_samples", self.valid_samples, 1, 10_000_000)?;
        range("activation_bits", self.activation_bits as usize, 8, 24)?;
        let sites = network.kernels();
        for name in self.kernels.keys() {
            if !sites.iter().any(|site| site.name == *name) {
                let known: Vec<_> = sites.iter().map(|site| &site.name[..]).collect();
                return Err(Error::UnknownKernel { name: name.clone(), known: known.join(", ") });
            }
        }
        for site in sites {
            let spec = self.spec_of(&site.name);
            if !(2..=1024).contains(&spec.prototypes) || !spec.prototypes.is_power_of_two() {
                return Err(Error::Prototypes { kernel: site.name, value: spec.prototypes });
            }
            let high = site.features.min(16);
            if !(1..=high).contains(&spec.subspaces) {
                return Err(Error::Subspaces {
                    kernel: site.name,
                    value: spec.subspaces,
                    high,
                    features: site.features,
                });
            }
            if ![4, 6, 8, 12, 16, 32].contains(&spec.bits) {
                return Err(Error::Bits { kernel: site.name, value: spec.bits });
            }
        }
        Ok(())
    }
}

/// Told before each step of [`crate::tabularize()`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Steps already done.
    pub done: usize,
    /// Steps in all.
    pub of: usize,
    /// The kernel or measurement that begins.
    pub step: String,
}
