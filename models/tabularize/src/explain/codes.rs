//! Which codes the encoders of a table model give.

use ndarray::{Array2, ArrayView2, ArrayView3, Axis};
use tablewright_model::{Encoder, KernelSpec};

use crate::encode::encode;
use crate::evaluate::{Evaluator, LinearStep, PairStep, QkvStep, Step, Tap};
use crate::place::Place;
use crate::rows::map_rows;

use super::batches;

/// What one encoder does in one subspace.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    /// Its name below the kernel's, as in the model file: `encoder`, or `left` and `right`.
    pub encoder: &'static str,
    /// From 0.
    pub subspace: usize,
    /// How often each of the K codes was given.
    pub counts: Vec<u64>,
    /// Of a tree: the mean of |x − threshold| at the level where it is smallest, in standard deviations of the feature
    /// that is compared there. `None` for nearest prototypes, and where no compared feature varies.
    pub margin: Option<f64>,
}

impl Usage {
    /// Codes that occur, of K.
    pub fn used(&self) -> usize {
        self.counts.iter().filter(|&&count| count > 0).count()
    }

    /// Entropy of the codes in bits, 0 to log2 K.
    pub fn entropy(&self) -> f64 {
        let total = self.counts.iter().sum::<u64>().max(1) as f64;
        let shares = self.counts.iter().filter(|&&count| count > 0).map(|&count| count as f64 / total);
        shares.map(|share| -share * share.log2()).sum::<f64>().abs()
    }

    /// Share of the most frequent code.
    pub fn top_share(&self) -> f64 {
        let total = self.counts.iter().sum::<u64>().max(1) as f64;
        self.counts.iter().copied().max().unwrap_or(0) as f64 / total
    }
}

/// The codes that the kernel at `place` gives for a tap of it, one matrix `[rows, C]` for each encoder; nothing if the
/// kernel is exact.
pub fn codes(tables: &Evaluator, place: Place, tap: &Tap) -> Vec<Array2<u16>> {
    encoders(tables, place)
        .iter()
        .zip(&tap.inputs)
        .map(|((_, encoder, spec), x)| map_rows(x.view(), |rows| encode(encoder, spec.subspaces, rows)))
        .collect()
}

/// What every encoder and subspace of the kernel at `place` does in the running model; nothing if the kernel is exact or
/// there are no windows.
///
/// Tokens that do not reach the head are left out, as they are in hardware.
///
/// # Panics
///
/// If history or segments of the windows are not those of the configuration.
pub fn usage(tables: &Evaluator, place: Place, windows: ArrayView3<'_, u8>) -> Vec<Usage> {
    let encoders = encoders(tables, place);
    let mut all: Vec<Vec<Subspace>> =
        encoders.iter().map(|(_, encoder, spec)| Subspace::of(encoder, spec)).collect();
    for batch in batches(&tables.config, windows.dim().0) {
        let Some(tap) = tables.tap(place, windows.slice_axis(Axis(0), batch.into())) else {
            continue;
        };
        let codes = codes(tables, place, &tap);
        for ((subspaces, codes), ((_, encoder, _), x)) in
            all.iter_mut().zip(&codes).zip(encoders.iter().zip(&tap.inputs))
        {
            for (c, subspace) in subspaces.iter_mut().enumerate() {
                subspace.count(codes, c);
                subspace.compare(encoder, c, x.view(), codes);
            }
        }
    }
    let named = encoders.iter().map(|&(name, ..)| name).zip(all);
    named
        .flat_map(|(encoder, subspaces)| {
            subspaces.into_iter().enumerate().map(move |(subspace, sums)| Usage {
                encoder,
                subspace,
                margin: sums.margin(),
                counts: sums.counts,
            })
        })
        .collect()
}

/// Sums of one subspace.
struct Subspace {
    counts: Vec<u64>,
    levels: Vec<Level>,
}

/// Sums of one level of a tree: of the vectors, of |x − threshold|, of x and of its square.
#[derive(Clone, Default)]
struct Level {
    rows: f64,
    distance: f64,
    x: f64,
    square: f64,
}

impl Subspace {
    fn of(encoder: &Encoder, spec: &KernelSpec) -> Vec<Self> {
        let levels = match encoder {
            Encoder::Tree { split, .. } => split.ncols(),
            Encoder::Nearest { .. } => 0,
        };
        let empty = || Self { counts: vec![0; spec.prototypes], levels: vec![Level::default(); levels] };
        std::iter::repeat_with(empty).take(spec.subspaces).collect()
    }

    fn count(&mut self, codes: &Array2<u16>, c: usize) {
        for &code in codes.column(c) {
            self.counts[usize::from(code)] += 1;
        }
    }

    /// The node passed at level l is the code's leading l bits.
    fn compare(&mut self, encoder: &Encoder, c: usize, x: ArrayView2<'_, f32>, codes: &Array2<u16>) {
        let Encoder::Tree { split, threshold } = encoder else {
            return;
        };
        let levels = self.levels.len();
        for (level, sums) in self.levels.iter_mut().enumerate() {
            let feature = x.column(split[[c, level]] as usize);
            for (&x, &code) in feature.iter().zip(codes.column(c)) {
                let node = usize::from(code) >> (levels - level);
                let threshold = threshold[[c, (1 << level) - 1 + node]];
                let x = f64::from(x);
                sums.rows += 1.0;
                sums.distance += (x - f64::from(threshold)).abs();
                sums.x += x;
                sums.square += x * x;
            }
        }
    }

    fn margin(&self) -> Option<f64> {
        let of_level = |level: &Level| {
            let rows = level.rows.max(1.0);
            let mean = level.x / rows;
            let variance = level.square / rows - mean * mean;
            // What is left of a constant feature is rounding.
            (variance > 1e-9 * (1.0 + mean * mean)).then(|| level.distance / rows / variance.sqrt())
        };
        self.levels.iter().filter_map(of_level).min_by(f64::total_cmp)
    }
}

/// The encoders at a place with their names and their kernel's choices.
fn encoders(tables: &Evaluator, place: Place) -> Vec<(&'static str, Encoder, KernelSpec)> {
    match tables.at(place) {
        Some(Step::Linear(LinearStep::Table(linear))) => vec![("encoder", linear.encoder, linear.spec)],
        Some(Step::Qkv(QkvStep::Table(qkv))) => vec![("encoder", qkv.encoder, qkv.spec)],
        Some(Step::Pair(PairStep::Table(pair))) => {
            vec![("left", pair.left, pair.spec), ("right", pair.right, pair.spec)]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn entropy_and_shares_by_hand() {
        let usage =
            |counts: &[u64]| Usage { encoder: "encoder", subspace: 0, counts: counts.to_vec(), margin: None };
        let even = usage(&[5, 5, 5, 5]);
        assert!((even.entropy() - 2.0).abs() < 1e-12 && even.used() == 4);
        let skewed = usage(&[2, 0, 1, 1]);
        assert!((skewed.entropy() - 1.5).abs() < 1e-12 && skewed.used() == 3);
        assert!((skewed.top_share() - 0.5).abs() < 1e-12);
        assert!(usage(&[7, 0]).entropy().abs() < 1e-12);
    }

    #[test]
    fn the_margin_is_that_of_the_tightest_level() {
        // Level 0 compares x0 with 0; level 1 compares x1 with 1 on the left and 3 on the right.
        let encoder = Encoder::Tree { split: array![[0, 1]], threshold: array![[0.0, 1.0, 3.0]] };
        let x = array![[-1.0_f32, 0.0], [1.0, 2.0], [-1.0, 2.0], [1.0, 4.0]];
        let codes = encode(&encoder, 1, x.view());
        assert_eq!(codes, array![[0], [2], [1], [3]]);
        let spec = KernelSpec {
            encoder: tablewright_model::EncoderKind::Tree,
            prototypes: 4,
            subspaces: 1,
            bits: 8,
        };
        let mut sums = Subspace::of(&encoder, &spec).remove(0);
        sums.count(&codes, 0);
        sums.compare(&encoder, 0, x.view(), &codes);
        assert_eq!(sums.counts, [1, 1, 1, 1]);
        // Both levels have a mean distance of 1; x0 deviates by 1, x1 by √2.
        assert!(sums.margin().is_some_and(|margin| (margin - 1.0 / 2.0_f64.sqrt()).abs() < 1e-9));
    }
}
