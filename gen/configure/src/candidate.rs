//! A configuration that may be built.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use tablewright_model::{EncoderKind, KernelSpec, NetworkConfig, Positions, Site};

/// A network's sizes and the choices of every kernel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// L, D, H and all else of the network.
    pub network: NetworkConfig,
    /// K, C, bits and encoder of every kernel that has none of its own.
    pub spec: KernelSpec,
    /// Kernels by name that have choices of their own.
    pub own: BTreeMap<String, KernelSpec>,
}

impl Candidate {
    /// The same choices at every kernel; C is lowered where a kernel has fewer features.
    pub fn uniform(network: NetworkConfig, spec: KernelSpec) -> Self {
        let mut own = BTreeMap::new();
        for site in network.kernels().into_iter().filter(|site| site.features < spec.subspaces) {
            let KernelSpec { encoder, prototypes, bits, .. } = spec;
            own.insert(site.name, KernelSpec { encoder, prototypes, subspaces: site.features, bits });
        }
        Self { network, spec, own }
    }

    /// The choices of one kernel.
    pub fn spec_of(&self, kernel: &str) -> KernelSpec {
        self.own.get(kernel).copied().unwrap_or(self.spec)
    }

    /// This with other choices at one kernel.
    #[must_use]
    pub fn with(&self, kernel: &Site, spec: KernelSpec) -> Self {
        let mut changed = self.clone();
        if spec == self.spec {
            changed.own.remove(&kernel.name);
        } else {
            changed.own.insert(kernel.name.clone(), spec);
        }
        changed
    }

    /// Bits of one kernel's tables.
    pub fn table_bits_of(&self, site: &Site) -> u64 {
        let spec = self.spec_of(&site.name);
        site.entries(&spec) as u64 * u64::from(spec.bits)
    }

    /// Bits of tables that no pass can make smaller: those of which every output is read. Of queries, keys, values and
    /// hidden units trees look at a few, and a constant query leaves little of a score table.
    pub fn least_table_bits(&self) -> u64 {
        let shrinks = |site: &Site| ["qkv", "score", "ff1"].iter().any(|part| site.name.ends_with(part));
        self.network.kernels().iter().filter(|site| !shrinks(site)).map(|site| self.table_bits_of(site)).sum()
    }

    /// Entries of all tables.
    pub fn entries(&self) -> usize {
        self.network.kernels().iter().map(|site| site.entries(&self.spec_of(&site.name))).sum()
    }
}

/// `L1 D32 H2 K128 C2 tree 8 bits`, then the kernels that differ.
impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NetworkConfig { layers, dim, heads, positions, .. } = &self.network;
        let streaming = match positions {
            Positions::Absolute => "",
            Positions::Relative => " relative",
        };
        write!(f, "L{layers} D{dim} H{heads}{streaming} {}", Short(self.spec))?;
        for (name, spec) in &self.own {
            write!(f, ", {name} {}", Difference(self.spec, *spec))?;
        }
        Ok(())
    }
}

/// The choices of a kernel.
struct Short(KernelSpec);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let KernelSpec { encoder, prototypes, subspaces, bits } = self.0;
        write!(f, "K{prototypes} C{subspaces} {} {bits} bits", encoder_name(encoder))
    }
}

/// Those of the second that the first has not.
struct Difference(KernelSpec, KernelSpec);

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(usual, own) = self;
        let mut parts = Vec::new();
        if own.prototypes != usual.prototypes {
            parts.push(format!("K{}", own.prototypes));
        }
        if own.subspaces != usual.subspaces {
            parts.push(format!("C{}", own.subspaces));
        }
        if own.encoder != usual.encoder {
            parts.push(encoder_name(own.encoder).to_owned());
        }
        if own.bits != usual.bits {
            parts.push(format!("{} bits", own.bits));
        }
        f.write_str(&parts.join(" "))
    }
}

/// As it is written in files.
pub fn encoder_name(kind: EncoderKind) -> &'static str {
    match kind {
        EncoderKind::Tree => "tree",
        EncoderKind::L2 => "l2",
        EncoderKind::L1 => "l1",
    }
}
