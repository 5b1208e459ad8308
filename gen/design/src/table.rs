//! Integer tables: entries of few bits, one power-of-two scale per subspace, sums that cannot overflow.

use ndarray::{Array1, Array3, ArrayView3};

use crate::format::{Bounds, Format, frac_for, to_raw};
use crate::loaded::{Protection, clamp};

/// How many fraction bits finer than the coarsest subspace another one may be. A subspace of tiny entries gains
/// nothing from a scale far below the rounding error of the coarsest one, and would widen every accumulator.
const FRAC_SPREAD: i32 = 3;

/// Entries below 2^−24 are nothing next to any activation, and with the file format's limit of 2^20 on entries every sum
/// stays far within 63 bits.
pub(crate) const MAX_FRAC: i32 = 24;

/// Fraction bits a bias that could not be folded keeps beyond the table's own.
const BIAS_EXTRA_FRAC: u32 = 2;

/// A table kernel in integers: `sum[o] = Σ_c entry[c, code_c, o] · 2^shift[c] + bias[o]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntTable {
    /// Subspaces C.
    pub subspaces: usize,
    /// Rows of one bank: K, or K² for a pair table (row index `left · K + right`).
    pub rows: usize,
    /// Entries of one row.
    pub outputs: usize,
    /// Bits of one signed entry.
    pub bits: u32,
    /// `[C, rows, outputs]`, row-major.
    pub entries: Vec<i32>,
    /// Left shift that aligns each subspace with the accumulator.
    pub shifts: Vec<u32>,
    /// What is added once, in the accumulator's format. Of a frozen table: absent when zero or folded into a subspace.
    pub bias: Option<Vec<i64>>,
    /// Fraction bits of the accumulator.
    pub frac: i32,
    /// What the sum can be, over all codes and outputs.
    pub bounds: Bounds,
    /// Set where the contents come over the load stream: nothing but the shape may be relied on.
    pub loaded: Option<LoadedTable>,
    /// Set where each bank is [stored](IntTable::bank) without what repeats in it: of each row of each subspace, `[C, rows]`,
    /// whether it can be looked up. Of other rows nothing need be stored.
    pub packed: Option<Vec<bool>>,
}

/// What is fixed of a table whose contents are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadedTable {
    /// What an element of the bias can be.
    pub bias: Bounds,
    /// Of the bits of its banks.
    pub protection: Protection,
}

impl IntTable {
    /// Quantises float entries `[C, rows, outputs]`, folding the bias into the first subspace where it costs no range.
    pub fn quantise(entries: &ArrayView3<'_, f32>, bias: Option<&Array1<f32>>, bits: u32) -> Self {
        let (subspaces, rows, outputs) = entries.dim();
        let mut float: Array3<f64> = entries.mapv(f64::from);
        let magnitude = |c: usize, table: &Array3<f64>| {
            table.index_axis(ndarray::Axis(0), c).iter().fold(0.0_f64, |m, v| m.max(v.abs()))
        };
        let bias = bias.filter(|b| b.iter().any(|v| *v != 0.0));
        // Where all entries are zero the bias is all there is.
        let largest_bias = bias.iter().flat_map(|b| b.iter()).fold(0.0_f64, |m, v| m.max(f64::from(v.abs())));
        let of_bias = frac_for(largest_bias, bits).map_or(0, |f| f.min(MAX_FRAC));
        let wanted: Vec<Option<i32>> =
            (0..subspaces).map(|c| frac_for(magnitude(c, &float), bits).map(|f| f.min(MAX_FRAC))).collect();
        let coarsest = wanted.iter().flatten().copied().min().unwrap_or(of_bias);
        let fracs: Vec<i32> =
            wanted.iter().map(|f| f.map_or(coarsest, |f| f.min(coarsest + FRAC_SPREAD))).collect();

        let folded_into = bias.and_then(|bias| {
            (0..subspaces).find(|&c| {
                let moved = float.index_axis(ndarray::Axis(0), c);
                let limit = ((1_i64 << (bits - 1)) - 1) as f64;
                moved.outer_iter().all(|row| {
                    row.iter().zip(bias).all(|(v, b)| {
                        ((v + f64::from(*b)) * f64::from(fracs[c]).exp2()).round().abs() <= limit
                    })
                })
            })
        });
        if let (Some(c), Some(bias)) = (folded_into, bias) {
            for mut row in float.index_axis_mut(ndarray::Axis(0), c).outer_iter_mut() {
                row.zip_mut_with(bias, |v, b| *v += f64::from(*b));
            }
        }
        let separate = bias.filter(|_| folded_into.is_none());
        let table_frac = fracs.iter().copied().max().unwrap_or(0);
        let frac = table_frac + if separate.is_some() { BIAS_EXTRA_FRAC as i32 } else { 0 };
        let shifts: Vec<u32> = fracs.iter().map(|f| (frac - f) as u32).collect();

        let mut raw = Vec::with_capacity(subspaces * rows * outputs);
        for (c, plane) in float.outer_iter().enumerate() {
            raw.extend(plane.iter().map(|&v| to_raw(v, fracs[c]) as i32));
        }
        let bias: Option<Vec<i64>> =
            separate.map(|b| b.iter().map(|&v| to_raw(f64::from(v), frac)).collect());
        let mut table = Self {
            subspaces,
            rows,
            outputs,
            bits,
            entries: raw,
            shifts,
            bias,
            frac,
            bounds: Bounds::point(0),
            loaded: None,
            packed: None,
        };
        table.bounds = table.sum_bounds();
        table
    }

    /// Quantises float entries `[C, rows, outputs]` for a table that is loaded. The scales are those of `like`, a table of
    /// the same shape whose hardware there is, or where there is none as [`Self::quantise`] chooses them; all bounds follow
    /// from the number of bits alone. A bias is never folded, so that whether there is one does not depend on its values.
    /// Returns how many values lay beyond their range, too.
    pub fn quantise_loaded(
        entries: &ArrayView3<'_, f32>,
        bias: Option<&Array1<f32>>,
        bits: u32,
        protection: Protection,
        like: Option<&Self>,
    ) -> (Self, usize) {
        let (subspaces, rows, outputs) = entries.dim();
        let built = like.and_then(|like| Some((like, like.loaded?)));
        let (shifts, frac, bias_bounds) = if let Some((like, loaded)) = built {
            (like.shifts.clone(), like.frac, loaded.bias)
        } else {
            let own = Self::quantise(entries, None, bits);
            let extra = if bias.is_some() { BIAS_EXTRA_FRAC } else { 0 };
            let shifts: Vec<u32> = own.shifts.iter().map(|shift| shift + extra).collect();
            let frac = own.frac + extra as i32;
            let entry = bits + shifts.iter().copied().max().unwrap_or(0);
            let values = bias.iter().flat_map(|b| b.iter()).map(|&v| to_raw(f64::from(v), frac));
            let needed = Bounds::of(values).map_or(1, Bounds::signed_width);
            (shifts, frac, Format::signed(needed.max(entry), frac).bounds())
        };
        let mut beyond = 0;
        let limit = (1 << (bits - 1)) - 1;
        let range = Bounds { low: -limit, high: limit };
        let mut raw = Vec::with_capacity(subspaces * rows * outputs);
        for (plane, shift) in entries.outer_iter().zip(&shifts) {
            let frac = frac - *shift as i32;
            raw.extend(plane.iter().map(|&v| clamp(to_raw(f64::from(v), frac), range, &mut beyond) as i32));
        }
        let values = bias.map(|b| {
            b.iter().map(|&v| clamp(to_raw(f64::from(v), frac), bias_bounds, &mut beyond)).collect()
        });
        let loaded = Some(LoadedTable { bias: bias_bounds, protection });
        let bounds = Bounds::point(0);
        let mut table = Self {
            subspaces,
            rows,
            outputs,
            bits,
            entries: raw,
            shifts,
            bias: values,
            frac,
            bounds,
            loaded,
            packed: None,
        };
        table.bounds = table.sum_bounds();
        (table, beyond)
    }

    /// Entry of subspace `c`, row `row`, output `o`.
    pub fn entry(&self, c: usize, row: usize, o: usize) -> i32 {
        self.entries[(c * self.rows + row) * self.outputs + o]
    }

    /// The table of some of the outputs alone, in the same format.
    #[must_use]
    pub fn outputs_of(&self, kept: &[usize]) -> Self {
        let rows = self.entries.chunks_exact(self.outputs);
        let mut table = Self {
            outputs: kept.len(),
            entries: rows.flat_map(|row| kept.iter().map(|&o| row[o])).collect(),
            bias: self.bias.as_ref().map(|bias| kept.iter().map(|&o| bias[o]).collect()),
            ..self.clone()
        };
        table.bounds = table.sum_bounds();
        table
    }

    /// Of a pair table: the table of right codes alone that is left where the left codes are always `left`.
    #[must_use]
    pub fn with_left(&self, left: &[usize]) -> Self {
        let codes = 1 << (self.rows.ilog2() / 2);
        let entries = left.iter().enumerate().flat_map(|(c, &left)| {
            let start = (c * self.rows + left * codes) * self.outputs;
            self.entries[start..][..codes * self.outputs].iter().copied()
        });
        let mut table = Self { rows: codes, entries: entries.collect(), packed: None, ..self.clone() };
        table.bounds = table.sum_bounds();
        table
    }

    /// The sums for one code a subspace.
    pub fn sum(&self, codes: &[usize]) -> Vec<i64> {
        let sum = |o: usize| {
            let entries = codes
                .iter()
                .enumerate()
                .map(|(c, &code)| i64::from(self.entry(c, code, o)) << self.shifts[c]);
            self.bias.as_ref().map_or(0, |bias| bias[o]) + entries.sum::<i64>()
        };
        (0..self.outputs).map(sum).collect()
    }

    /// One row of one bank.
    pub fn row(&self, c: usize, row: usize) -> &[i32] {
        let start = (c * self.rows + row) * self.outputs;
        &self.entries[start..start + self.outputs]
    }

    /// Signed bits of the accumulator: the proven bounds, and room for one aligned entry and the bias, so that each
    /// operand is extended and never cut.
    pub fn sum_width(&self) -> u32 {
        let entry = self.bits + self.shifts.iter().copied().max().unwrap_or(0);
        let of_bias = |bias: &Vec<i64>| match self.loaded {
            Some(loaded) => loaded.bias.signed_width(),
            None => bias.iter().map(|&b| Bounds::point(b).signed_width()).max().unwrap_or(1),
        };
        let bias = self.bias.as_ref().map_or(1, of_bias);
        self.bounds.signed_width().max(entry).max(bias)
    }

    /// Bits stored.
    pub fn storage_bits(&self) -> u64 {
        self.entries.len() as u64 * u64::from(self.bits)
    }

    /// Every sum lies between the sums of the smallest and of the largest entries of each column; of loaded tables these
    /// may be anything.
    fn sum_bounds(&self) -> Bounds {
        if let Some(loaded) = self.loaded {
            let start = if self.bias.is_some() { loaded.bias } else { Bounds::point(0) };
            let entry = Format::signed(self.bits, 0).bounds();
            return self.shifts.iter().fold(start, |sum, &shift| sum.plus(entry.shifted_left(shift)));
        }
        (0..self.outputs)
            .map(|o| {
                let start = Bounds::point(self.bias.as_ref().map_or(0, |b| b[o]));
                (0..self.subspaces).fold(start, |sum, c| {
                    let column = Bounds::of((0..self.rows).map(|r| i64::from(self.entry(c, r, o))));
                    sum.plus(column.unwrap_or(Bounds::point(0)).shifted_left(self.shifts[c]))
                })
            })
            .reduce(Bounds::union)
            .unwrap_or(Bounds::point(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{arr1, arr3};

    #[test]
    fn each_subspace_has_its_own_scale() {
        let t = IntTable::quantise(&arr3(&[[[1.0], [-0.5]], [[0.2], [0.1]]]).view(), None, 8);
        // 1.0 needs 2^6 within 127; 0.2 would allow 2^9, within the spread of 3.
        assert_eq!(t.shifts, vec![3, 0]);
        assert_eq!(t.frac, 9);
        assert_eq!(t.entries, vec![64, -32, 102, 51]);
        assert_eq!(t.bounds, Bounds { low: -32 * 8 + 51, high: 64 * 8 + 102 });
    }

    #[test]
    fn a_bias_is_folded_only_where_it_costs_no_range() {
        let table = arr3(&[[[1.9_f32], [1.0]], [[0.3], [-0.3]]]);
        let folds = IntTable::quantise(&table.view(), Some(&arr1(&[-0.5])), 8);
        assert_eq!(folds.bias, None);
        assert_eq!(folds.entries[0], 90, "(1.9 - 0.5) * 64, rounded");
        let stays = IntTable::quantise(&table.view(), Some(&arr1(&[50.0])), 8);
        let frac = stays.frac;
        assert_eq!(stays.bias, Some(vec![50 << frac]));
    }

    #[test]
    fn an_empty_subspace_costs_nothing() {
        let t = IntTable::quantise(&arr3(&[[[0.0], [0.0]], [[0.5], [0.25]]]).view(), None, 4);
        assert_eq!(t.bounds.low, 4 >> 1);
        let constant = IntTable::quantise(&arr3(&[[[0.0], [0.0]]]).view(), Some(&arr1(&[0.3])), 4);
        assert_eq!((constant.entries[0], constant.frac), (5, 4), "0.3 is 5/16");
        let zero = IntTable::quantise(&arr3(&[[[0.0], [0.0]]]).view(), None, 4);
        assert_eq!((zero.frac, zero.bounds), (0, Bounds::point(0)));
    }
}
