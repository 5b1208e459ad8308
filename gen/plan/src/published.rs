//! The paper's figures (DART, arXiv 2401.06362) for the same configuration, to stand beside the plan's.
//!
//! The latency formula is no formula of the paper: with ℓ = log2 K + log2 C + 1 for one kernel,
//!
//! ```text
//! latency = (8 L + 2) ℓ + 4 L + 3
//! ```
//!
//! is a closed form that was fitted to the paper's three published points (57, 97, 191 cycles) and hits all of them;
//! other forms do so too. It supposes that every token looks up in parallel and that every row is as wide as its
//! output. The storage formulas are the paper's kernels': T·C·log2 K + `D_O`·K·C·d for a linear kernel, 2·K²·C·d for the
//! two pair tables of an attention; encoders are not counted.

use serde::Serialize;
use tablewright_design::{Design, Op};
use tablewright_model::NetworkConfig;

/// Bits of an entry in the paper.
const PAPER_ENTRY_BITS: u64 = 32;

/// What the paper says, or its formulas say, about a configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Published {
    /// Attention layers L.
    pub layers: usize,
    /// Prototypes K: the largest of all kernels.
    pub prototypes: usize,
    /// Subspaces C: the largest of all kernels.
    pub subspaces: usize,
    /// Bits of an entry: the largest of all kernels.
    pub entry_bits: u32,
    /// Kernels differ in K, C or bits, so that the formulas describe a larger model than this one.
    pub kernels_differ: bool,
    /// Cycles when all tokens look up in parallel, by the fitted formula.
    pub latency_cycles: u64,
    /// Bits of storage by the formulas, with this model's entries.
    pub storage_bits: u64,
    /// Bits of storage by the formulas, with the paper's entries of 32 bits.
    pub storage_bits_32: u64,
    /// The paper's own figures where it has this configuration.
    pub paper: Option<Paper>,
}

/// A row of the paper's table of configurations, recalled (see the design notes); 32-bit entries.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Paper {
    /// Its name there.
    pub name: &'static str,
    /// Cycles.
    pub latency_cycles: u64,
    /// Kibibytes.
    pub storage_kib: f64,
}

/// (L, D, H, K, C) and the figures published for it.
const PAPER: [([usize; 5], Paper); 3] = [
    ([1, 16, 2, 16, 1], Paper { name: "DART-S", latency_cycles: 57, storage_kib: 29.9 }),
    ([1, 32, 2, 128, 2], Paper { name: "DART", latency_cycles: 97, storage_kib: 864.4 }),
    ([2, 32, 2, 256, 2], Paper { name: "DART-L", latency_cycles: 191, storage_kib: 3840.0 }),
];

impl Published {
    /// For the configuration of a design.
    pub fn of(design: &Design) -> Self {
        let network = &design.network;
        let shapes: Vec<(usize, usize)> = design
            .nodes
            .iter()
            .filter_map(|n| match &n.op {
                Op::Encode { encoder, .. } => Some((encoder.prototypes(), encoder.subspaces)),
                _ => None,
            })
            .collect();
        let bits: Vec<u32> = design.nodes.iter().flat_map(|n| n.op.tables()).map(|t| t.bits).collect();
        // Every design has its embedding and its head.
        let prototypes = shapes.iter().map(|s| s.0).max().unwrap_or(1);
        let subspaces = shapes.iter().map(|s| s.1).max().unwrap_or(1);
        let entry_bits = bits.iter().copied().max().unwrap_or(1);
        let one_shape = shapes.iter().all(|s| *s == (prototypes, subspaces));
        let configuration = [network.layers, network.dim, network.heads, prototypes, subspaces];
        let paper = PAPER.iter().find(|(known, _)| one_shape && *known == configuration);
        let storage = |bits| storage_bits(network, prototypes as u64, subspaces as u64, bits);
        Self {
            layers: network.layers,
            prototypes,
            subspaces,
            entry_bits,
            kernels_differ: !one_shape || bits.iter().any(|b| *b != entry_bits),
            latency_cycles: latency_cycles(network.layers as u64, prototypes as u64, subspaces as u64),
            storage_bits: storage(u64::from(entry_bits)),
            storage_bits_32: storage(PAPER_ENTRY_BITS),
            paper: paper.map(|(_, figures)| *figures),
        }
    }
}

/// (8 L + 2) ℓ + 4 L + 3; logarithms are rounded up where K or C is no power of two.
fn latency_cycles(layers: u64, prototypes: u64, subspaces: u64) -> u64 {
    let kernel = log2(prototypes) + log2(subspaces) + 1;
    (8 * layers + 2) * kernel + 4 * layers + 3
}

/// All linear kernels (T rows each, the head one) and the two pair tables of every layer.
fn storage_bits(network: &NetworkConfig, prototypes: u64, subspaces: u64, entry_bits: u64) -> u64 {
    let (k, c) = (prototypes, subspaces);
    let linear =
        |rows: usize, outputs: usize| rows as u64 * c * log2(k) + outputs as u64 * k * c * entry_bits;
    let tokens = network.tokens();
    let layer = 3 * linear(tokens, network.inner())
        + 2 * linear(tokens, network.dim)
        + linear(tokens, network.hidden)
        + 2 * k * k * c * entry_bits;
    linear(tokens, network.dim) + network.layers as u64 * layer + linear(1, network.outputs)
}

fn log2(n: u64) -> u64 {
    u64::from(n.next_power_of_two().ilog2())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tablewright_design::lower;
    use tablewright_model::testing::{dart, dart_s, dart_s_spec, dart_spec, random_model, random_model_with};

    #[test]
    fn the_fit_meets_the_three_published_points() {
        for ([layers, _, _, prototypes, subspaces], paper) in PAPER {
            assert_eq!(
                latency_cycles(layers as u64, prototypes as u64, subspaces as u64),
                paper.latency_cycles,
                "{}",
                paper.name
            );
        }
    }

    #[test]
    fn storage_comes_near_the_published_figures() {
        // The paper counts an input table more than the reference network has; see the notes on its shapes.
        for (network, spec) in [(dart_s(), dart_s_spec()), (dart(), dart_spec())] {
            let published = Published::of(&lower(&random_model(&network, spec, 1)));
            let paper = published.paper.expect("a published configuration");
            let kib = published.storage_bits_32 as f64 / 8192.0;
            assert!((0.93..1.0).contains(&(kib / paper.storage_kib)), "{}: {kib}", paper.name);
            assert_eq!(published.latency_cycles, paper.latency_cycles);
            assert!(!published.kernels_differ);
        }
    }

    #[test]
    fn of_kernels_that_differ_the_largest_counts() {
        let model = random_model_with(
            &dart_s(),
            |site| {
                let mut spec = dart_s_spec();
                if site.name == "head" {
                    (spec.prototypes, spec.subspaces, spec.bits) = (64, 4, 6);
                }
                spec
            },
            1,
        );
        let published = Published::of(&lower(&model));
        assert!(published.kernels_differ);
        assert_eq!((published.prototypes, published.subspaces, published.entry_bits), (64, 4, 8));
        assert_eq!(published.latency_cycles, 10 * 9 + 7);
        assert_eq!(published.paper, None);
    }
}
