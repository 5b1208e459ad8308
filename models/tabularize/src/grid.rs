//! Tables as the hardware will hold them: entries of few bits, one power-of-two scale for each subspace.
//!
//! The rules are those of `gen/ARITHMETIC.md`. Entries that stand on their grid already lose nothing when the design
//! crate makes integers of them; `tests/integers.rs` holds the two against each other.

use ndarray::{Array, Array1, Array3, Axis, Dimension};
use tablewright_model::{AttentionActivation, NetworkConfig, Table};

/// Fraction bits by which one subspace may be finer than the coarsest.
const SPREAD: i32 = 3;
/// Fraction bits of any table, at most.
const FINEST: i32 = 24;
/// Fraction bits that a bias has beyond its table.
const BIAS_EXTRA: i32 = 2;
/// Scales tried beyond the one that holds the largest entry; what lies outside is cut off.
const CUTS: i32 = 3;

/// For each subspace, how often each row of entries is looked up.
pub(crate) type Weights = [Vec<f32>];

/// The grid of one table.
#[derive(Debug, Clone)]
pub(crate) struct Grid {
    /// Largest raw entry.
    limit: f32,
    /// For each subspace, fraction bits.
    fracs: Vec<i32>,
    /// Entries are stored multiplied by this.
    gain: f32,
}

impl Grid {
    /// The scales of least squared error for entries `[C, ..]`, of which the hardware holds the product with `gain`;
    /// `weights` says how often each row of entries is looked up.
    pub(crate) fn new(entries: &[f32], weights: &Weights, bits: u32, gain: f32) -> Self {
        let size = (entries.len() / weights.len()).max(1);
        let wanted = (entries.chunks(size).zip(weights))
            .map(|(part, weights)| best_frac(part, weights, bits, f64::from(gain)))
            .collect();
        Self::spread(wanted, 0, bits, gain)
    }

    /// The scales that hold every entry; those of the bias where all entries are zero.
    fn holding(entries: &[f32], subspaces: usize, bias: &[f32], bits: u32) -> Self {
        let size = (entries.len() / subspaces).max(1);
        let frac = |values: &[f32]| frac_for(magnitude(values), bits).map(|frac| frac.min(FINEST));
        Self::spread(entries.chunks(size).map(frac).collect(), frac(bias).unwrap_or(0), bits, 1.0)
    }

    /// Subspaces of zeros take the coarsest scale, or `otherwise` if there is no other.
    fn spread(wanted: Vec<Option<i32>>, otherwise: i32, bits: u32, gain: f32) -> Self {
        let coarsest = wanted.iter().flatten().copied().min().unwrap_or(otherwise);
        let fracs = wanted.iter().map(|f| f.map_or(coarsest, |f| f.min(coarsest + SPREAD))).collect();
        Self { limit: limit(bits) as f32, fracs, gain }
    }

    /// The nearest entries on the grid.
    pub(crate) fn round(&self, entries: &mut [f32]) {
        let size = (entries.len() / self.fracs.len()).max(1);
        for (part, &frac) in entries.chunks_mut(size).zip(&self.fracs) {
            let up = (frac as f32).exp2() * self.gain;
            for v in part {
                *v = (*v * up).round().clamp(-self.limit, self.limit) / up;
            }
        }
    }

    /// The nearest biases, which are added in a finer format.
    pub(crate) fn round_bias(&self, bias: &mut [f32]) {
        let frac = self.fracs.iter().copied().max().unwrap_or(0) + BIAS_EXTRA;
        let up = (frac as f32).exp2();
        for v in bias {
            *v = (*v * up).round() / up;
        }
    }
}

/// Puts a table and its bias on a grid of `bits` wide entries.
///
/// The middle of each column is moved into the bias first: entries that swing around zero have a finer grid. Where the
/// sum with the bias costs no range the two become one again, as the design crate would make them. A bias that has a
/// place `apart`, as the embedding's has in the positions, is left as it is.
pub(crate) fn settle(table: &mut Table, weights: &Weights, bits: u32, apart: bool) {
    centre(table);
    let exact = table.entries.clone();
    let subspaces = exact.dim().0;
    let grid = Grid::new(in_order(&mut table.entries), weights, bits, 1.0);
    grid.round(in_order(&mut table.entries));
    let Some(mut bias) = table.bias.take().filter(|bias| bias.iter().any(|&b| b != 0.0)) else {
        return;
    };
    if apart {
        table.bias = Some(bias);
        return;
    }
    let fits = Grid::holding(in_order(&mut table.entries), subspaces, in_order(&mut bias), bits);
    let sums = |c: usize, entries: &Array3<f32>| &entries.index_axis(Axis(0), c) + &bias;
    let folded = (0..subspaces).find(|&c| {
        let up = (fits.fracs[c] as f32).exp2();
        sums(c, &table.entries).iter().all(|v| (v * up).round().abs() <= fits.limit)
    });
    if let Some(c) = folded {
        let up = (fits.fracs[c] as f32).exp2();
        let whole = sums(c, &exact).mapv(|v| (v * up).round().clamp(-fits.limit, fits.limit) / up);
        table.entries.index_axis_mut(Axis(0), c).assign(&whole);
    } else {
        fits.round_bias(in_order(&mut bias));
        table.bias = Some(bias);
    }
}

/// Puts the table of a pair on its grid; see [`Grid::new`] for `gain`.
pub(crate) fn settle_pair(table: &mut Array3<f32>, weights: &Weights, bits: u32, gain: f32) {
    let grid = Grid::new(in_order(table), weights, bits, gain);
    grid.round(in_order(table));
}

/// What the hardware multiplies the entries of a score table by: the softmax works in base 2.
pub(crate) fn score_gain(config: &NetworkConfig) -> f32 {
    if config.attention == AttentionActivation::Softmax { std::f32::consts::LOG2_E } else { 1.0 }
}

/// Moves the middle of each column into the bias.
pub(crate) fn centre(table: &mut Table) {
    let outputs = table.entries.dim().2;
    let bias = table.bias.get_or_insert_with(|| Array1::zeros(outputs));
    for mut part in table.entries.outer_iter_mut() {
        for (mut column, bias) in part.columns_mut().into_iter().zip(&mut *bias) {
            let (low, high) = column.iter().fold((f32::MAX, f32::MIN), |(l, h), &v| (l.min(v), h.max(v)));
            let middle = low / 2.0 + high / 2.0;
            column.mapv_inplace(|v| v - middle);
            *bias += middle;
        }
    }
}

/// The values in row-major order; an array of another order is brought into it first.
pub(crate) fn in_order<D: Dimension>(array: &mut Array<f32, D>) -> &mut [f32] {
    if !array.is_standard_layout() {
        *array = array.as_standard_layout().into_owned();
    }
    array.as_slice_mut().unwrap_or_else(|| unreachable!("brought into row-major order"))
}

fn limit(bits: u32) -> f64 {
    ((1_i64 << (bits - 1)) - 1) as f64
}

fn magnitude(entries: &[f32]) -> f64 {
    entries.iter().fold(0.0, |m, v| m.max(f64::from(v.abs())))
}

/// Fraction bits of least squared error; `None` of zeros.
fn best_frac(entries: &[f32], weights: &[f32], bits: u32, gain: f64) -> Option<i32> {
    let whole = frac_for(magnitude(entries) * gain, bits)?.min(FINEST);
    let limit = limit(bits);
    let row = (entries.len() / weights.len()).max(1);
    let error = |frac: i32| -> f64 {
        let scale = f64::from(frac).exp2() * gain;
        let lost = |v: f32| {
            let raw = f64::from(v) * scale;
            let lost = (raw.round().clamp(-limit, limit) - raw) / scale;
            lost * lost
        };
        (entries.chunks(row).zip(weights))
            .map(|(row, &weight)| f64::from(weight) * row.iter().map(|&v| lost(v)).sum::<f64>())
            .sum()
    };
    let mut best = (whole, error(whole));
    for frac in whole + 1..=(whole + CUTS).min(FINEST) {
        let found = error(frac);
        if found < best.1 {
            best = (frac, found);
        }
    }
    Some(best.0)
}

/// Largest number of fraction bits with which every |value| ≤ `magnitude` fits `bits` signed bits; `None` for 0.
fn frac_for(magnitude: f64, bits: u32) -> Option<i32> {
    if magnitude <= 0.0 {
        return None;
    }
    let mut frac = (limit(bits) / magnitude).log2().floor() as i32;
    // The logarithm can be off by one unit in the last place on either side of a power of two.
    while (magnitude * f64::from(frac + 1).exp2()).round() <= limit(bits) {
        frac += 1;
    }
    while (magnitude * f64::from(frac).exp2()).round() > limit(bits) {
        frac -= 1;
    }
    Some(frac)
}
