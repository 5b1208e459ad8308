//! The integer steps of each unit, on one row.

use std::ops::{Add, Shl};

use tablewright_design::{GeluUnit, NormUnit, SoftmaxUnit, format::round_shift};

/// What values are kept in: `i32` or `i64`.
pub(crate) trait Int:
    Copy + Default + Ord + Add<Output = Self> + Shl<u32, Output = Self> + Send + Sync + std::fmt::Debug
{
    /// From the design's numbers, which fit by construction.
    fn of(raw: i64) -> Self;
    /// From an entry or a code.
    fn small(raw: i32) -> Self;
    /// To the widest type.
    fn wide(self) -> i64;
    /// Of a code.
    fn index(self) -> usize;
    /// The same array where it is one of 32-bit numbers.
    fn as_i32s<const N: usize>(values: &[Self; N]) -> Option<&[i32; N]>;
}

impl Int for i32 {
    #[inline(always)]
    fn of(raw: i64) -> Self {
        raw as Self
    }
    #[inline(always)]
    fn small(raw: i32) -> Self {
        raw
    }
    #[inline(always)]
    fn wide(self) -> i64 {
        i64::from(self)
    }
    #[inline(always)]
    fn index(self) -> usize {
        self as u32 as usize
    }
    #[inline(always)]
    fn as_i32s<const N: usize>(values: &[Self; N]) -> Option<&[i32; N]> {
        Some(values)
    }
}

impl Int for i64 {
    #[inline(always)]
    fn of(raw: i64) -> Self {
        raw
    }
    #[inline(always)]
    fn small(raw: i32) -> Self {
        Self::from(raw)
    }
    #[inline(always)]
    fn wide(self) -> i64 {
        self
    }
    #[inline(always)]
    fn index(self) -> usize {
        self as usize
    }
    #[inline(always)]
    fn as_i32s<const N: usize>(_: &[Self; N]) -> Option<&[i32; N]> {
        None
    }
}

/// Layer normalisation, see [`NormUnit`], of the lanes `kept`.
#[inline(always)]
pub(crate) fn norm<T: Int>(unit: &NormUnit, x: &[T], kept: &[usize], y: &mut [T]) {
    // Inputs have at most 16 bits and a row at most 128 lanes: squares and Σx fit 32 bits, all of V fits 63.
    let lanes = unit.lanes as i32;
    let (mut sum, mut squares) = (0_i32, 0_i64);
    for v in x {
        let v = v.wide() as i32;
        sum += v;
        squares += i64::from(v * v);
    }
    // Σ(D·x − Σx)² in one pass over x.
    let variance =
        unit.eps + (i64::from(lanes) * (i64::from(lanes) * squares - i64::from(sum) * i64::from(sum))) as u64;
    let bits = 64 - variance.leading_zeros();
    let e = bits.div_ceil(2);
    let index = if 2 * e >= 8 { variance >> (2 * e - 8) } else { variance << (8 - 2 * e) };
    let gain = i64::from(unit.rsqrt[index as usize - 64]);
    // Lanes are picked first, so that what is computed of them stands side by side and is vectorised.
    if kept.len() == x.len() {
        y.copy_from_slice(x);
    } else {
        y.iter_mut().zip(kept).for_each(|(y, &lane)| *y = x[lane]);
    }
    for y in y {
        let centred = lanes * y.wide() as i32 - sum;
        *y = T::of(round_shift(i64::from(centred) * gain, e));
    }
}

/// Softmax, see [`SoftmaxUnit`].
#[inline(always)]
pub(crate) fn softmax<T: Int>(unit: &SoftmaxUnit, x: &[T], y: &mut [T]) {
    let top = x.iter().map(|&v| unit.exponent(v.wide()) >> SoftmaxUnit::FRACTION_BITS).max().unwrap_or(0);
    let power = |v: T| unit.power(unit.exponent(v.wide()), top);
    let sum: u64 = x.iter().map(|&v| power(v)).sum();
    for (y, &v) in y.iter_mut().zip(x) {
        *y = T::of(unit.weight(power(v), sum));
    }
}

/// GELU, see [`GeluUnit`].
#[inline(always)]
pub(crate) fn gelu<T: Int>(unit: &GeluUnit, x: &[T], y: &mut [T]) {
    for (y, v) in y.iter_mut().zip(x) {
        let v = v.wide();
        let magnitude = v.unsigned_abs();
        let index = if unit.index_shift >= 0 {
            magnitude >> unit.index_shift
        } else {
            magnitude << -unit.index_shift
        };
        let bump = unit.bump.get(index as usize).copied().unwrap_or(0);
        *y = T::of((v.max(0) << unit.lift) - i64::from(bump));
    }
}
