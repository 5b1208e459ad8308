//! Encoders prepared for speed: thresholds and prototypes by subspace.

use tablewright_design::{IntEncoder, IntEncoderKind};

use crate::arithmetic::Int;

/// An encoder over one vector.
#[derive(Debug, Clone)]
pub(crate) struct Encoder<T> {
    features: usize,
    subspaces: Vec<Subspace<T>>,
}

#[derive(Debug, Clone)]
enum Subspace<T> {
    Tree { split: Vec<usize>, threshold: Vec<T> },
    Nearest { start: usize, features: usize, prototypes: Vec<T>, squared: bool },
}

impl<T: Int> Encoder<T> {
    pub(crate) fn new(encoder: &IntEncoder) -> Self {
        let levels = encoder.code_bits as usize;
        let subspaces = (0..encoder.subspaces)
            .map(|c| match &encoder.kind {
                IntEncoderKind::Tree { split, threshold, .. } => {
                    let nodes = encoder.prototypes() - 1;
                    Subspace::Tree {
                        split: split[c * levels..][..levels].to_vec(),
                        threshold: threshold[c * nodes..][..nodes].iter().map(|&t| T::of(t)).collect(),
                    }
                }
                IntEncoderKind::Nearest { prototypes, metric, .. } => {
                    let range = encoder.range(c);
                    let own = prototypes.chunks(encoder.features).flat_map(|p| &p[range.clone()]);
                    Subspace::Nearest {
                        start: range.start,
                        features: range.len(),
                        prototypes: own.map(|&p| T::of(p)).collect(),
                        squared: *metric == tablewright_design::Metric::L2,
                    }
                }
            })
            .collect();
        Self { features: encoder.features, subspaces }
    }

    /// Codes of every vector of `features` lanes in `x`, subspaces innermost.
    pub(crate) fn run(&self, x: &[T], codes: &mut [T]) {
        let vectors = x.chunks_exact(self.features).zip(codes.chunks_exact_mut(self.subspaces.len()));
        for (vector, codes) in vectors {
            for (subspace, code) in self.subspaces.iter().zip(codes) {
                *code = T::of(subspace.code(vector) as i64);
            }
        }
    }
}

impl<T: Int> Subspace<T> {
    fn code(&self, x: &[T]) -> usize {
        match self {
            Self::Tree { split, threshold } => {
                // Heap order: the children of i are 2i + 1 and 2i + 2.
                let mut heap = 0;
                for &feature in split {
                    heap = 2 * heap + 1 + usize::from(x[feature] >= threshold[heap]);
                }
                heap - threshold.len()
            }
            Self::Nearest { start, features, prototypes, squared } => {
                let x = &x[*start..start + features];
                let mut best = (u64::MAX, 0);
                for (code, prototype) in prototypes.chunks_exact(*features).enumerate() {
                    let difference = |(x, p): (&T, &T)| (x.wide() - p.wide()).unsigned_abs();
                    let pairs = x.iter().zip(prototype);
                    let distance = if *squared {
                        pairs.map(|pair| difference(pair).pow(2)).sum()
                    } else {
                        pairs.map(difference).sum()
                    };
                    if distance < best.0 {
                        best = (distance, code);
                    }
                }
                best.1
            }
        }
    }
}
