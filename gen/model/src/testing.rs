//! Table models for tests: any shape, from a seed, no training.
//!
//! The values are random but plausible: every kernel's sums stay around ±4, and split thresholds and prototypes are
//! drawn from the range that reaches the encoder, so that all codes occur. Only exactly rounded operations are used,
//! so the same seed gives the same bytes on every machine.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, Array3};

use crate::kernels::Site;
use crate::network::{Activation, AttentionActivation, InputConfig, NetworkConfig, Pool, Positions};
use crate::table::{
    Encoder, EncoderKind, KernelSpec, Layer, Linear, Metric, Pair, Qkv, Table, TableModel, subspace,
};

/// The reference network of DART (arXiv 2401.06362); its tables have K = 128, C = 2.
pub fn dart() -> NetworkConfig {
    NetworkConfig {
        history: 10,
        segments: 10,
        positions: Positions::Absolute,
        pool: Pool::Cls,
        dim: 32,
        layers: 1,
        heads: 2,
        head_dim: 32,
        hidden: 32,
        outputs: 256,
        attention: AttentionActivation::Softmax,
        activation: Activation::Gelu,
        norm_eps: 1e-5,
    }
}

/// The small reference network, DART-S; its tables have K = 16, C = 1.
pub fn dart_s() -> NetworkConfig {
    NetworkConfig { dim: 16, head_dim: 16, hidden: 16, ..dart() }
}

/// The streaming variant of [`dart`]: relative positions, the newest token's query alone.
pub fn dart_stream() -> NetworkConfig {
    NetworkConfig { positions: Positions::Relative, pool: Pool::Last, ..dart() }
}

/// The kernels' choices of DART: a tree, K = 128, C = 2, 8-bit entries.
pub fn dart_spec() -> KernelSpec {
    KernelSpec { encoder: EncoderKind::Tree, prototypes: 128, subspaces: 2, bits: 8 }
}

/// The kernels' choices of DART-S: a tree, K = 16, C = 1, 8-bit entries.
pub fn dart_s_spec() -> KernelSpec {
    KernelSpec { encoder: EncoderKind::Tree, prototypes: 16, subspaces: 1, bits: 8 }
}

/// A random model with `spec` at every kernel, C lowered to the kernel's features where those are fewer.
pub fn random_model(network: &NetworkConfig, spec: KernelSpec, seed: u64) -> TableModel {
    random_model_with(network, |_| spec, seed)
}

/// A random model with a choice of its own at every kernel; C is lowered to the kernel's features where those are
/// fewer.
pub fn random_model_with(
    network: &NetworkConfig,
    spec: impl Fn(&Site) -> KernelSpec,
    seed: u64,
) -> TableModel {
    let mut sites = network.kernels().into_iter();
    let mut rng = Rng(seed);
    // The sites come in the order of evaluation, as the kernels are made below; `unreachable` cannot be reached
    // because `NetworkConfig::kernels` has 2 + 6·layers of them.
    let mut next = move || {
        let site = sites.next().unwrap_or_else(|| unreachable!("one site for each kernel"));
        let mut spec = spec(&site);
        spec.subspaces = spec.subspaces.min(site.features);
        (site, spec)
    };
    let normal = Domain::Normal;
    let (weights, hidden) = (
        match network.attention {
            AttentionActivation::Softmax => Domain::Weights(network.tokens()),
            AttentionActivation::Sigmoid => Domain::Normal,
        },
        match network.activation {
            Activation::Gelu => Domain::Gelu,
            Activation::Relu => Domain::Relu,
        },
    );

    let (site, spec) = next();
    let embed = rng.linear(&site, spec, Domain::Unit, 1.0);
    let [rows, columns] = network.position_shape();
    let position = rng.matrix(rows, columns, 0.5);
    let layers = (0..network.layers)
        .map(|_| {
            let (site, spec) = next();
            let inner = network.inner();
            let qkv = Qkv {
                spec,
                encoder: rng.encoder(&site, spec, normal),
                q: rng.table(spec, inner, 1.0),
                k: rng.table(spec, inner, 1.0),
                v: rng.table(spec, inner, 1.0),
            };
            let (site, spec) = next();
            let score = rng.pair(&site, spec, normal, normal, 1.0);
            let (site, spec) = next();
            let mix = rng.pair(&site, spec, weights, normal, 1.0);
            let (site, spec) = next();
            let out = rng.linear(&site, spec, normal, 0.5);
            let (site, spec) = next();
            let ff1 = rng.linear(&site, spec, normal, 1.0);
            let (site, spec) = next();
            let ff2 = rng.linear(&site, spec, hidden, 0.5);
            Layer { qkv, score, mix, out, ff1, ff2 }
        })
        .collect();
    let (site, spec) = next();
    let head = rng.linear(&site, spec, normal, 1.5);

    TableModel {
        name: format!("random-{seed}"),
        network: network.clone(),
        input: InputConfig::default(),
        threshold: 0.5,
        activation_bits: 16,
        embed,
        position,
        layers,
        head,
        provenance: BTreeMap::from([("made by".to_owned(), format!("random_model, seed {seed}"))]),
    }
}

/// What values reach an encoder.
#[derive(Clone, Copy)]
enum Domain {
    /// Segments: uniform in [0, 1).
    Unit,
    /// Mean 0, deviation 1.
    Normal,
    /// Softmax weights over this many tokens.
    Weights(usize),
    /// GELU of a normal value.
    Gelu,
    /// The positive half of a normal value; the other half is all zero and one code.
    Relu,
}

impl Domain {
    /// The value below which a fraction `p` of the data lies, roughly.
    fn quantile(self, p: f64) -> f64 {
        // An algebraic stand-in for the normal quantile: right slope at the median, bounded by ±2.95.
        let normal = |p: f64| {
            let t = 2.0 * p - 1.0;
            1.2533 * t / (1.0 - 0.82 * t * t).sqrt()
        };
        match self {
            Self::Unit => p,
            Self::Weights(tokens) => 0.9 * p / (1.05 - p) / tokens as f64,
            Self::Gelu if p < 0.5 => -0.17 * (1.0 - 2.0 * p),
            Self::Normal | Self::Gelu => normal(p),
            Self::Relu => normal(0.5 + 0.5 * p),
        }
    }
}

/// splitmix64: small, well mixed for any seed, and the same everywhere.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Uniform with mean 0 and the given deviation.
    fn spread(&mut self, deviation: f64) -> f32 {
        ((2.0 * self.unit() - 1.0) * deviation * 3_f64.sqrt()) as f32
    }

    fn matrix(&mut self, rows: usize, columns: usize, deviation: f64) -> Array2<f32> {
        Array2::from_shape_simple_fn((rows, columns), || self.spread(deviation))
    }

    /// Entries such that the sum over the subspaces has the given deviation.
    fn entries(&mut self, spec: KernelSpec, row: usize, deviation: f64) -> Array3<f32> {
        let each = deviation / (spec.subspaces as f64).sqrt();
        Array3::from_shape_simple_fn((spec.subspaces, spec.prototypes, row), || self.spread(each))
    }

    fn table(&mut self, spec: KernelSpec, outputs: usize, deviation: f64) -> Table {
        let entries = self.entries(spec, outputs, deviation);
        let bias = Some(Array1::from_shape_simple_fn(outputs, || self.spread(0.1 * deviation)));
        Table { entries, bias }
    }

    fn linear(&mut self, site: &Site, spec: KernelSpec, domain: Domain, deviation: f64) -> Linear {
        Linear {
            spec,
            encoder: self.encoder(site, spec, domain),
            table: self.table(spec, site.outputs, deviation),
        }
    }

    fn pair(&mut self, site: &Site, spec: KernelSpec, left: Domain, right: Domain, deviation: f64) -> Pair {
        Pair {
            spec,
            left: self.encoder(site, spec, left),
            right: self.encoder(site, spec, right),
            table: self.entries(spec, spec.prototypes, deviation),
        }
    }

    fn encoder(&mut self, site: &Site, spec: KernelSpec, domain: Domain) -> Encoder {
        let metric = match spec.encoder {
            EncoderKind::Tree => return self.tree(site.features, spec, domain),
            EncoderKind::L2 => Metric::L2,
            EncoderKind::L1 => Metric::L1,
        };
        Encoder::Nearest {
            prototypes: Array2::from_shape_simple_fn((spec.prototypes, site.features), || {
                domain.quantile(self.unit()) as f32
            }),
            metric,
        }
    }

    /// A tree whose every leaf owns a box of positive probability: each node halves, about, the range that its
    /// ancestors left of its split dimension.
    fn tree(&mut self, features: usize, spec: KernelSpec, domain: Domain) -> Encoder {
        let levels = spec.code_bits() as usize;
        let mut split = Array2::zeros((spec.subspaces, levels));
        let mut threshold = Array2::zeros((spec.subspaces, spec.prototypes - 1));
        for c in 0..spec.subspaces {
            let own = subspace(features, spec.subspaces, c);
            // The box of each node of the current level, in quantiles.
            let mut boxes = vec![vec![(0.0, 1.0); own.len()]];
            for level in 0..levels {
                let dimension = (self.next() % own.len() as u64) as usize;
                split[[c, level]] = (own.start + dimension) as u32;
                let first = boxes.len() - 1;
                let mut children = Vec::with_capacity(2 * boxes.len());
                for (node, parent) in boxes.into_iter().enumerate() {
                    let (low, high) = parent[dimension];
                    let cut = low + (high - low) * (0.35 + 0.3 * self.unit());
                    threshold[[c, first + node]] = domain.quantile(cut) as f32;
                    let (mut left, mut right) = (parent.clone(), parent);
                    left[dimension].1 = cut;
                    right[dimension].0 = cut;
                    children.extend([left, right]);
                }
                boxes = children;
            }
        }
        Encoder::Tree { split, threshold }
    }
}
