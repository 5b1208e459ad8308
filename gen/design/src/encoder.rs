//! Integer encoders: thresholds and prototypes in the format of the value they are compared with.

use tablewright_model::{Encoder, Metric, subspace};

use crate::format::{Bounds, Format};

/// Bits that a prototype may have beyond the values it is compared with. One that lies still further out, four times
/// beyond the widest input, is moved in to that border: it is nearest to hardly anything.
const PROTOTYPE_EXTRA_BITS: u32 = 2;

/// Fraction bits that prototypes may have beyond the values they are compared with, as far as the width of activations
/// allows. Means of coarse values are finer than the values: at the embedding, a segment has six bits.
const PROTOTYPE_EXTRA_FRAC: u32 = 4;

/// An encoder over a whole input vector: one code per subspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntEncoder {
    /// Features of the input vector.
    pub features: usize,
    /// C.
    pub subspaces: usize,
    /// log2 K.
    pub code_bits: u32,
    /// How a code is found.
    pub kind: IntEncoderKind,
}

/// How a code is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntEncoderKind {
    /// Balanced hash tree, see [`tablewright_model::Encoder::Tree`].
    Tree {
        /// `[C, log2 K]`, feature index of the input vector.
        split: Vec<usize>,
        /// `[C, K − 1]`, heap order, raw in the input's format; one beyond the largest input means never.
        threshold: Vec<i64>,
        /// Signed bits that hold every threshold and every feature.
        width: u32,
    },
    /// Exact nearest prototype, ties to the lowest index.
    Nearest {
        /// `[K, features]`, raw with `lift` fraction bits more than the input.
        prototypes: Vec<i64>,
        /// Features are shifted left by this before they are compared.
        lift: u32,
        /// L2 or L1.
        metric: Metric,
        /// Signed bits of a prototype and of a shifted feature.
        width: u32,
        /// Unsigned bits that hold any distance between vectors of that width.
        distance_width: u32,
    },
}

impl IntEncoder {
    /// K.
    pub fn prototypes(&self) -> usize {
        1 << self.code_bits
    }

    /// Features of subspace `c`.
    pub fn range(&self, c: usize) -> std::ops::Range<usize> {
        subspace(self.features, self.subspaces, c)
    }

    /// The codes of one vector, by definition: for vectors that are known before the hardware is made.
    pub fn codes(&self, x: &[i64]) -> Vec<usize> {
        (0..self.subspaces).map(|c| self.code(c, x)).collect()
    }

    fn code(&self, c: usize, x: &[i64]) -> usize {
        match &self.kind {
            IntEncoderKind::Tree { split, threshold, .. } => {
                let levels = self.code_bits as usize;
                let nodes = self.prototypes() - 1;
                let (split, threshold) = (&split[c * levels..][..levels], &threshold[c * nodes..][..nodes]);
                split.iter().enumerate().fold(0, |code, (level, &feature)| {
                    let node = (1 << level) - 1 + code;
                    2 * code + usize::from(x[feature] >= threshold[node])
                })
            }
            IntEncoderKind::Nearest { prototypes, lift, metric, .. } => {
                let distance = |k: usize| -> u64 {
                    let differences = self
                        .range(c)
                        .map(|f| ((x[f] << lift) - prototypes[k * self.features + f]).unsigned_abs());
                    match metric {
                        Metric::L2 => differences.map(|d| d.pow(2)).sum(),
                        Metric::L1 => differences.sum(),
                    }
                };
                // The first of the nearest.
                (0..self.prototypes()).min_by_key(|&k| distance(k)).unwrap_or(0)
            }
        }
    }

    /// Trees over other features: feature f of a group is what was feature `kept[f]`. Every feature that is looked at
    /// must be kept.
    #[must_use]
    pub fn over(&self, kept: &[usize]) -> Self {
        let mut encoder = Self { features: kept.len(), ..self.clone() };
        if let IntEncoderKind::Tree { split, .. } = &mut encoder.kind {
            for feature in split {
                *feature = kept.partition_point(|k| k < feature);
            }
        }
        encoder
    }

    /// Features that are looked at, ascending.
    pub fn looked_at(&self) -> Vec<usize> {
        match &self.kind {
            IntEncoderKind::Tree { split, .. } => {
                let mut features = split.clone();
                features.sort_unstable();
                features.dedup();
                features
            }
            IntEncoderKind::Nearest { .. } => (0..self.features).collect(),
        }
    }

    /// Bits stored.
    pub fn storage_bits(&self) -> u64 {
        match &self.kind {
            IntEncoderKind::Tree { threshold, width, .. } => threshold.len() as u64 * u64::from(*width),
            IntEncoderKind::Nearest { prototypes, width, .. } => prototypes.len() as u64 * u64::from(*width),
        }
    }

    /// Converts a float encoder of `subspaces` subspaces whose input has `format` and raw values within `bounds`.
    /// `activation_bits` is how wide distances are taken where the input is narrower. With `loaded` the widths hold any
    /// threshold and any prototype, whatever those at hand need.
    pub fn quantise(
        encoder: &Encoder,
        features: usize,
        subspaces: usize,
        format: Format,
        bounds: Bounds,
        activation_bits: u32,
        loaded: bool,
    ) -> Self {
        let scale = f64::from(format.frac).exp2();
        let width = format.width + u32::from(!format.signed);
        match encoder {
            Encoder::Tree { split, threshold } => {
                // x ≥ t in reals is raw ≥ ceil(t · 2^frac) in integers, exactly. What lies outside the input's bounds
                // is moved to the nearest raw value that decides the same way.
                let raw = |t: f32| {
                    let t = (f64::from(t) * scale).ceil();
                    if t > bounds.high as f64 { bounds.high + 1 } else { (t as i64).max(bounds.low) }
                };
                let threshold: Vec<i64> = threshold.iter().map(|&t| raw(t)).collect();
                let widest = if loaded {
                    bounds.union(Bounds::point(bounds.high + 1))
                } else {
                    threshold.iter().fold(bounds, |b, &t| b.union(Bounds::point(t)))
                };
                Self {
                    features,
                    subspaces,
                    code_bits: split.ncols() as u32,
                    kind: IntEncoderKind::Tree {
                        split: split.iter().map(|&s| s as usize).collect(),
                        threshold,
                        width: width.max(widest.signed_width()),
                    },
                }
            }
            Encoder::Nearest { prototypes, metric } => {
                let lift = activation_bits.saturating_sub(width).min(PROTOTYPE_EXTRA_FRAC);
                let (width, scale) = (width + lift, scale * f64::from(lift).exp2());
                let raw: Vec<i64> =
                    prototypes.iter().map(|&p| (f64::from(p) * scale).round() as i64).collect();
                let needed = Bounds::of(raw.iter().copied()).unwrap_or(Bounds::point(0)).signed_width();
                let widest = width + PROTOTYPE_EXTRA_BITS;
                let width = if loaded { widest } else { width.max(needed.min(widest)) };
                let limits = Format::signed(width, 0).bounds();
                let raw = raw.iter().map(|p| *p.clamp(&limits.low, &limits.high)).collect();
                // Subspace 0 is never narrower than another.
                let terms = subspace(features, subspaces, 0).len().next_power_of_two().ilog2();
                let term_width = match metric {
                    Metric::L2 => 2 * width,
                    Metric::L1 => width,
                };
                Self {
                    features,
                    subspaces,
                    code_bits: prototypes.nrows().ilog2(),
                    kind: IntEncoderKind::Nearest {
                        width,
                        prototypes: raw,
                        lift,
                        metric: *metric,
                        distance_width: term_width + terms,
                    },
                }
            }
        }
    }
}
