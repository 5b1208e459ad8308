//! Exact number formats and the one rounding rule.

use serde::{Deserialize, Serialize};

/// A closed interval of raw integers a value can take, proved by construction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Smallest raw value.
    pub low: i64,
    /// Largest raw value.
    pub high: i64,
}

impl Bounds {
    /// The interval holding just `value`.
    pub fn point(value: i64) -> Self {
        Self { low: value, high: value }
    }

    /// The smallest interval holding both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// The interval of all values; `None` when there are none.
    pub fn of(values: impl IntoIterator<Item = i64>) -> Option<Self> {
        values.into_iter().map(Self::point).reduce(Self::union)
    }

    /// The interval of a + b.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { low: self.low + other.low, high: self.high + other.high }
    }

    /// The interval of a · 2^shift.
    #[must_use]
    pub fn shifted_left(self, shift: u32) -> Self {
        Self { low: self.low << shift, high: self.high << shift }
    }

    /// The interval of a · factor, `factor` ≥ 0.
    #[must_use]
    pub fn times(self, factor: i64) -> Self {
        Self { low: self.low * factor, high: self.high * factor }
    }

    /// Bits of the narrowest two's-complement number that holds the interval, at least 1.
    pub fn signed_width(self) -> u32 {
        let bits = |v: i64| 65 - (v ^ (v >> 63)).leading_zeros();
        bits(self.low).max(bits(self.high))
    }
}

/// The format of a wire: `width` bits meaning raw / 2^frac.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// Two's complement when set, plain binary otherwise.
    pub signed: bool,
    /// Bits.
    pub width: u32,
    /// Fraction bits; negative when the unit is larger than 1.
    pub frac: i32,
}

impl Format {
    /// A signed format.
    pub fn signed(width: u32, frac: i32) -> Self {
        Self { signed: true, width, frac }
    }

    /// An unsigned integer of `width` bits, as codes and bitmaps are.
    pub fn bits(width: u32) -> Self {
        Self { signed: false, width, frac: 0 }
    }

    /// The narrowest signed format for raw values within `bounds`.
    pub fn holding(bounds: Bounds, frac: i32) -> Self {
        Self::signed(bounds.signed_width(), frac)
    }

    /// The raw values the format can hold.
    pub fn bounds(&self) -> Bounds {
        if self.signed {
            Bounds { low: -(1 << (self.width - 1)), high: (1 << (self.width - 1)) - 1 }
        } else {
            Bounds { low: 0, high: (1 << self.width) - 1 }
        }
    }

    /// One unit in the last place.
    pub fn ulp(&self) -> f64 {
        (-f64::from(self.frac)).exp2()
    }

    /// The real number a raw value stands for.
    pub fn real(&self, raw: i64) -> f64 {
        raw as f64 * self.ulp()
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}.{}", if self.signed { 's' } else { 'u' }, self.width, self.frac)
    }
}

/// A requantise step: add half, shift right arithmetically, saturate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requantise {
    /// Fraction bits dropped; 0 only drops high bits that the value's bounds do not need.
    pub shift: u32,
    /// Bits of the signed result.
    pub width: u32,
}

impl Requantise {
    /// The step on one raw value.
    pub fn apply(self, raw: i64) -> i64 {
        let rounded = round_shift(raw, self.shift);
        rounded.clamp(-(1 << (self.width - 1)), (1 << (self.width - 1)) - 1)
    }
}

/// raw / 2^shift, halves rounded up: `(raw + 2^(shift−1)) >> shift`, exact for every raw value that leaves one bit
/// of headroom. `shift` 0 is the identity.
#[inline]
pub fn round_shift(raw: i64, shift: u32) -> i64 {
    if shift == 0 { raw } else { (raw + (1 << (shift - 1))) >> shift }
}

/// Largest number of fraction bits with which every |value| ≤ `magnitude` fits `bits` signed bits; `None` when
/// `magnitude` is 0.
pub fn frac_for(magnitude: f64, bits: u32) -> Option<i32> {
    if magnitude == 0.0 {
        return None;
    }
    let largest = ((1_i64 << (bits - 1)) - 1) as f64;
    let mut frac = (largest / magnitude).log2().floor() as i32;
    // The logarithm can be off by one unit in the last place on either side of a power of two.
    while (magnitude * f64::from(frac + 1).exp2()).round() <= largest {
        frac += 1;
    }
    while (magnitude * f64::from(frac).exp2()).round() > largest {
        frac -= 1;
    }
    Some(frac)
}

/// The integer nearest to `value · 2^frac`, halves away from zero.
pub fn to_raw(value: f64, frac: i32) -> i64 {
    (value * f64::from(frac).exp2()).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_the_narrowest() {
        for (low, high, width) in
            [(0, 0, 1), (-1, 0, 1), (0, 1, 2), (-2, 1, 2), (-3, 1, 3), (-128, 127, 8), (0, 128, 9)]
        {
            assert_eq!(Bounds { low, high }.signed_width(), width, "{low}..{high}");
        }
    }

    #[test]
    fn requantise_rounds_halves_up_and_saturates() {
        let step = Requantise { shift: 2, width: 4 };
        let cases = [(5, 1), (6, 2), (-6, -1), (-7, -2), (27, 7), (30, 7), (100, 7), (-34, -8), (-100, -8)];
        for (raw, expected) in cases {
            assert_eq!(step.apply(raw), expected, "{raw}");
        }
    }

    #[test]
    fn frac_is_maximal() {
        for magnitude in [0.01, 0.124, 0.125, 1.0, 1.5, 126.4, 127.0, 127.6, 1e5] {
            let frac = frac_for(magnitude, 8).expect("not zero");
            assert!(to_raw(magnitude, frac) <= 127);
            assert!(to_raw(magnitude, frac + 1) > 127);
        }
        assert_eq!(frac_for(0.0, 8), None);
    }
}
