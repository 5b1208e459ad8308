//! Encoders prepared for speed: trees descend for sixteen vectors side by side.

use tablewright_design::{IntEncoder, IntEncoderKind, Metric};

use crate::arithmetic::Int;
use crate::descend::{Descend, SIDE, Tree};

/// Fewer vectors than this descend one by one.
const WORTH_IT: usize = 4;

/// An encoder over one vector.
#[derive(Debug, Clone)]
pub(crate) struct Encoder<T> {
    features: usize,
    subspaces: Vec<Subspace<T>>,
}

#[derive(Debug, Clone)]
enum Subspace<T> {
    Tree(Tree<T>),
    Nearest(Nearest<T>),
}

#[derive(Debug, Clone)]
struct Nearest<T> {
    start: usize,
    features: usize,
    /// `[K, features]`.
    prototypes: Vec<T>,
    lift: u32,
    squared: bool,
}

impl<T: Int> Encoder<T> {
    pub(crate) fn new(encoder: &IntEncoder) -> Self {
        let levels = encoder.code_bits as usize;
        let subspaces = (0..encoder.subspaces)
            .map(|c| match &encoder.kind {
                IntEncoderKind::Tree { split, threshold, .. } => {
                    let nodes = encoder.prototypes() - 1;
                    Subspace::Tree(Tree::new(
                        &split[c * levels..][..levels],
                        &threshold[c * nodes..][..nodes],
                    ))
                }
                IntEncoderKind::Nearest { prototypes, lift, metric, .. } => {
                    let range = encoder.range(c);
                    let own = prototypes.chunks(encoder.features).flat_map(|p| &p[range.clone()]);
                    Subspace::Nearest(Nearest {
                        start: range.start,
                        features: range.len(),
                        prototypes: own.map(|&p| T::of(p)).collect(),
                        lift: *lift,
                        squared: *metric == Metric::L2,
                    })
                }
            })
            .collect();
        Self { features: encoder.features, subspaces }
    }

    /// Codes of every vector of `features` lanes in `x`, subspaces innermost.
    #[inline(always)]
    pub(crate) fn run(&self, arch: impl Descend, x: &[T], codes: &mut [T]) {
        let (features, stride) = (self.features, self.subspaces.len());
        for (x, codes) in x.chunks(SIDE * features).zip(codes.chunks_mut(SIDE * stride)) {
            let vectors = x.len() / features;
            // Where vectors lack, the last stands in.
            let mut starts = [0; SIDE];
            for (i, start) in starts.iter_mut().enumerate() {
                *start = i.min(vectors - 1) * features;
            }
            for (c, subspace) in self.subspaces.iter().enumerate() {
                match subspace {
                    Subspace::Tree(tree) if vectors >= WORTH_IT => {
                        let found = arch.descend(tree, |feature| {
                            let mut lanes = [T::default(); SIDE];
                            for (lane, start) in lanes.iter_mut().zip(&starts) {
                                *lane = x[start + feature];
                            }
                            lanes
                        });
                        store(&found, codes, c, stride);
                    }
                    Subspace::Tree(tree) => {
                        for (i, start) in starts[..vectors].iter().enumerate() {
                            codes[i * stride + c] = tree.code(&x[*start..]);
                        }
                    }
                    Subspace::Nearest(nearest) => {
                        for (i, start) in starts[..vectors].iter().enumerate() {
                            codes[i * stride + c] = nearest.code(&x[*start..]);
                        }
                    }
                }
            }
        }
    }

    /// Codes of every column of `x` `[features, columns]`, subspaces innermost: what [`Self::run`] gives for x
    /// transposed. Trees alone.
    #[inline(always)]
    pub(crate) fn run_columns(&self, arch: impl Descend, x: &[T], codes: &mut [T]) {
        let (columns, stride) = (x.len() / self.features, self.subspaces.len());
        for (part, codes) in codes.chunks_mut(SIDE * stride).enumerate() {
            for (c, subspace) in self.subspaces.iter().enumerate() {
                let Subspace::Tree(tree) = subspace else {
                    continue;
                };
                let found = arch.descend(tree, |feature| {
                    let row = &x[feature * columns..][part * SIDE..columns];
                    row.first_chunk().copied().unwrap_or_else(|| {
                        let mut lanes = [T::default(); SIDE];
                        lanes[..row.len()].copy_from_slice(row);
                        lanes
                    })
                });
                store(&found, codes, c, stride);
            }
        }
    }
}

/// Puts the codes of subspace `c` into their places.
#[inline(always)]
fn store<T: Int>(found: &[u32; SIDE], codes: &mut [T], c: usize, stride: usize) {
    for (codes, &found) in codes.chunks_exact_mut(stride).zip(found) {
        codes[c] = T::small(found as i32);
    }
}

impl<T: Int> Nearest<T> {
    #[inline(always)]
    fn code(&self, x: &[T]) -> T {
        let x = &x[self.start..][..self.features];
        let mut best = (u64::MAX, 0);
        for (code, prototype) in self.prototypes.chunks_exact(self.features).enumerate() {
            let difference = |(x, p): (&T, &T)| ((x.wide() << self.lift) - p.wide()).unsigned_abs();
            let pairs = x.iter().zip(prototype);
            let distance = if self.squared {
                pairs.map(|pair| difference(pair).pow(2)).sum()
            } else {
                pairs.map(difference).sum()
            };
            if distance < best.0 {
                best = (distance, code);
            }
        }
        T::small(best.1 as i32)
    }
}
