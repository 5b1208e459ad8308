//! The kernels of a network, by name: what stands where, over how many features.
//!
//! The names are those of the model file (`models/FORMAT.md`) and, with `.` replaced, of the generated hardware.

use crate::network::NetworkConfig;
use crate::table::{Encoder, KernelSpec, Linear, Pair, Qkv, TableModel};

/// What kind of table stands behind a kernel's encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One table behind one encoder, [`Linear`].
    Linear,
    /// Three tables behind one encoder, [`Qkv`].
    Qkv,
    /// One table behind a pair of encoders, [`Pair`].
    Pair,
}

/// A place in the network where a kernel stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// `embed`, `layers.0.qkv`, `layers.0.score`, …, `head`.
    pub name: String,
    /// What kind of table.
    pub form: Form,
    /// Width of the encoded vector (of each of the two, for a pair).
    pub features: usize,
    /// Numbers that one evaluation gives: the outputs of a linear kernel, `3·heads·head_dim` for q, k and v together, 1
    /// for a pair.
    pub outputs: usize,
}

impl Site {
    /// Table entries selected by one subspace and one (left) code: the outputs or, for a pair, one for every right code.
    pub fn row(&self, spec: &KernelSpec) -> usize {
        match self.form {
            Form::Linear | Form::Qkv => self.outputs,
            Form::Pair => spec.prototypes,
        }
    }

    /// Entries of all its tables: C·K·row.
    pub fn entries(&self, spec: &KernelSpec) -> usize {
        spec.subspaces * spec.prototypes * self.row(spec)
    }
}

impl NetworkConfig {
    /// Every kernel of the network in the order of evaluation, which is also the order of the model file.
    pub fn kernels(&self) -> Vec<Site> {
        let site = |name: String, form, features, outputs| Site { name, form, features, outputs };
        let mut sites = vec![site("embed".into(), Form::Linear, self.segments, self.dim)];
        for layer in 0..self.layers {
            let name = |part: &str| format!("layers.{layer}.{part}");
            sites.extend([
                site(name("qkv"), Form::Qkv, self.dim, 3 * self.inner()),
                site(name("score"), Form::Pair, self.head_dim, 1),
                site(name("mix"), Form::Pair, self.tokens(), 1),
                site(name("out"), Form::Linear, self.inner(), self.dim),
                site(name("ff1"), Form::Linear, self.dim, self.hidden),
                site(name("ff2"), Form::Linear, self.hidden, self.dim),
            ]);
        }
        sites.push(site("head".into(), Form::Linear, self.dim, self.outputs));
        sites
    }
}

/// A borrowed kernel of any form.
#[derive(Debug, Clone, Copy)]
pub enum KernelRef<'a> {
    /// See [`Form::Linear`].
    Linear(&'a Linear),
    /// See [`Form::Qkv`].
    Qkv(&'a Qkv),
    /// See [`Form::Pair`].
    Pair(&'a Pair),
}

impl<'a> KernelRef<'a> {
    /// The kernel's choices.
    pub fn spec(&self) -> &'a KernelSpec {
        match self {
            Self::Linear(kernel) => &kernel.spec,
            Self::Qkv(kernel) => &kernel.spec,
            Self::Pair(kernel) => &kernel.spec,
        }
    }

    /// The kernel's encoders, each under its name below the kernel's: `encoder`, or `left` and `right`.
    pub fn encoders(&self) -> Vec<(&'static str, &'a Encoder)> {
        match self {
            Self::Linear(kernel) => vec![("encoder", &kernel.encoder)],
            Self::Qkv(kernel) => vec![("encoder", &kernel.encoder)],
            Self::Pair(kernel) => vec![("left", &kernel.left), ("right", &kernel.right)],
        }
    }
}

impl TableModel {
    /// Every kernel with its place, in the order of [`NetworkConfig::kernels`].
    ///
    /// A model with fewer or more layers than its configuration says (which [`TableModel::check`] refuses) gives those
    /// that have both.
    pub fn kernels(&self) -> Vec<(Site, KernelRef<'_>)> {
        let mut kernels = vec![KernelRef::Linear(&self.embed)];
        for layer in self.layers.iter().take(self.network.layers) {
            kernels.extend([
                KernelRef::Qkv(&layer.qkv),
                KernelRef::Pair(&layer.score),
                KernelRef::Pair(&layer.mix),
                KernelRef::Linear(&layer.out),
                KernelRef::Linear(&layer.ff1),
                KernelRef::Linear(&layer.ff2),
            ]);
        }
        let mut sites = self.network.kernels();
        let head = sites.pop();
        let mut pairs: Vec<_> = sites.into_iter().zip(kernels).collect();
        pairs.extend(head.map(|site| (site, KernelRef::Linear(&self.head))));
        pairs
    }

    /// Table entries of all kernels, without biases and encoders.
    pub fn table_entries(&self) -> usize {
        self.kernels().iter().map(|(site, kernel)| site.entries(kernel.spec())).sum()
    }

    /// Bits of all table entries, each in its kernel's width, without biases and encoders.
    pub fn table_bits(&self) -> usize {
        self.kernels()
            .iter()
            .map(|(site, kernel)| site.entries(kernel.spec()) * kernel.spec().bits as usize)
            .sum()
    }
}
