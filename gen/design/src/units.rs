//! Constants of the arithmetic units: layer normalisation, softmax, GELU.
//!
//! Each unit is a handful of integer steps and one or two small tables. The golden model and the Verilog read the same
//! constants from here and each do the steps on their own (`hdl-templates/cells`, the golden crate); the steps are
//! written out in `gen/ARITHMETIC.md`.

use crate::format::{Bounds, Format, round_shift};

/// Index bits of the reciprocal and reciprocal-square-root tables.
const INDEX_BITS: u32 = 8;

/// Largest eps in the unit of V, 2^61.
const EPS_MAX: f64 = (1_u64 << 61) as f64;

/// Layer normalisation over D lanes, without an affine part.
///
/// ```text
/// c_i = D·x_i − Σx                       V = Σ c_i² + eps        (eps in the same unit, at least 1)
/// e   = ceil(bitlen(V) / 2)              index = 8 leading bits of V / 4^e, 64..255
/// y_i = (c_i · rsqrt[index] + 2^(e−1)) >> e
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormUnit {
    /// Lanes D.
    pub lanes: usize,
    /// eps · D³ in the unit of V.
    pub eps: u64,
    /// Signed bits of c.
    pub centred_width: u32,
    /// Unsigned bits of V.
    pub variance_width: u32,
    /// `rsqrt[index − 64]` = √D / √((index + ½)/256) in the output's fraction.
    pub rsqrt: Vec<u32>,
    /// Unsigned bits of an entry of `rsqrt`.
    pub rsqrt_width: u32,
}

impl NormUnit {
    /// Bits that a layer normalisation's input may have at most, so that V stays within 63 bits for 128 lanes.
    pub const MAX_INPUT_WIDTH: u32 = 16;
    /// Fraction bits that its input may have at most: a finer input has no meaning next to eps.
    pub const MAX_INPUT_FRAC: i32 = 18;

    /// The unit for `lanes` inputs of `format` within `bounds`, and the format and bounds of its result, at most
    /// `width` bits wide.
    pub fn new(lanes: usize, bounds: Bounds, format: Format, eps: f64, width: u32) -> (Self, Format, Bounds) {
        let d = lanes as i64;
        // Σ(c_i)² is largest when half the lanes sit at each bound.
        let reach = (bounds.high - bounds.low) as u64;
        // D·x and Σx each have log2 D bits more than x, their difference one more.
        let centred_width = format.width + lanes.next_power_of_two().ilog2() + 1;
        // Where eps is beyond 2^61 the result is next to nothing, and a larger one would not fit V.
        let eps =
            (eps * (d * d * d) as f64 * f64::from(2 * format.frac).exp2()).round().clamp(1.0, EPS_MAX) as u64;
        let variance = lanes as u64 * (lanes as u64 * reach / 2).pow(2)
            + lanes as u64 * lanes as u64 * reach.max(1)
            + eps;

        // |y| ≤ √(D−1), times the table's relative error: (index + 1)/(index + ½) under the root, index ≥ 64.
        let largest = ((d - 1) as f64).sqrt() * (65.0_f64 / 64.5).sqrt();
        let bound_at = |frac: i32| (largest * f64::from(frac).exp2()).ceil() as i64 + 2;
        let mut frac = crate::format::frac_for(largest.max(0.5), width).unwrap_or(0);
        while bound_at(frac) >= 1 << (width - 1) {
            frac -= 1;
        }
        let bound = bound_at(frac);
        let bounds = Bounds { low: -bound, high: bound };
        let rsqrt: Vec<u32> = (64..256)
            .map(|i| {
                ((d as f64).sqrt() / ((f64::from(i) + 0.5) / 256.0).sqrt() * f64::from(frac).exp2()).round()
                    as u32
            })
            .collect();
        let unit = Self {
            lanes,
            eps,
            centred_width,
            variance_width: (64 - variance.leading_zeros()).max(2 * centred_width - 1),
            rsqrt_width: 32 - rsqrt[0].leading_zeros(),
            rsqrt,
        };
        (unit, Format::holding(bounds, frac), bounds)
    }

    /// Index bits of the table.
    pub fn index_bits(&self) -> u32 {
        INDEX_BITS
    }

    /// The steps above on one row, for rows that are known before the hardware is made. The definition, slowly; what
    /// interprets whole designs has its own.
    pub fn of_row(&self, x: &[i64]) -> Vec<i64> {
        let sum: i64 = x.iter().sum();
        let centred: Vec<i64> = x.iter().map(|v| self.lanes as i64 * v - sum).collect();
        let variance = centred.iter().map(|c| c.unsigned_abs().pow(2)).sum::<u64>() + self.eps;
        let e = (64 - variance.leading_zeros()).div_ceil(2);
        // The eight leading bits, counted in pairs.
        let index = (u128::from(variance) << 8) >> (2 * e);
        let gain = i64::from(self.rsqrt[index as usize - 64]);
        centred.iter().map(|c| round_shift(c * gain, e)).collect()
    }
}

/// Softmax over the lanes of a row, in base 2 (log2 e is folded into the score table).
///
/// ```text
/// t_j = x_j requantised to 7 fraction bits          m = max_j floor(t_j)
/// a_j = (pow2[fraction of t_j] << 6) >> (m − floor(t_j))
/// S   = Σ a_j           b = bitlen(S)                index = 8 leading bits of S, 128..255
/// p_j = (a_j · recip[index] + 2^(b−1)) >> b
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoftmaxUnit {
    /// Right shift (rounded) from the input's fraction to 7 bits; negative is a left shift.
    pub align: i32,
    /// Signed bits of t.
    pub exponent_width: u32,
    /// `pow2[f]` = 2^(f/128) · 2^9, 10 bits.
    pub pow2: Vec<u32>,
    /// `recip[index − 128]` = 2^frac · 256/(index + ½).
    pub recip: Vec<u32>,
    /// Unsigned bits of an entry of `recip`.
    pub recip_width: u32,
    /// Unsigned bits of S.
    pub sum_width: u32,
}

impl SoftmaxUnit {
    /// Fraction bits of t.
    pub const FRACTION_BITS: u32 = 7;
    /// Unsigned bits of an entry of `pow2`.
    pub const MANTISSA_BITS: u32 = 10;
    /// Bits below the mantissa that keep small weights apart.
    pub const GUARD_BITS: u32 = 6;

    /// The unit for `lanes` inputs of `format`, and the format and bounds of the weights.
    pub fn new(lanes: usize, format: Format, width: u32) -> (Self, Format, Bounds) {
        // From 12 bits upwards a longer left shift changes nothing: unequal scores are 2^5 and more octaves apart.
        let align = (format.frac - Self::FRACTION_BITS as i32).max(-12);
        // Rounding may carry into one more bit; the fraction and two whole bits are there in any case.
        let exponent_width = (format.width as i32 + 1 - align).max(Self::FRACTION_BITS as i32 + 2) as u32;
        let frac = width.min(12) - 2;
        let one = f64::from(frac).exp2();
        let recip: Vec<u32> =
            (128..256).map(|i| (one * 256.0 / (f64::from(i) + 0.5)).round() as u32).collect();
        let pow2: Vec<u32> =
            (0..128).map(|f| ((f64::from(f) / 128.0).exp2() * 512.0).round() as u32).collect();
        let largest_sum = lanes as u64 * (u64::from(pow2[127]) << Self::GUARD_BITS);
        // p ≤ a/S · 2^frac · (index + 1)/(index + ½), index ≥ 128, plus the rounding of the table and of p.
        let bound = (one * 129.0 / 128.5).ceil() as i64 + 2;
        let bounds = Bounds { low: 0, high: bound };
        let unit = Self {
            align,
            exponent_width,
            pow2,
            recip_width: 32 - recip[0].leading_zeros(),
            recip,
            sum_width: 64 - largest_sum.leading_zeros(),
        };
        (unit, Format::holding(bounds, frac as i32), bounds)
    }

    /// t of an input.
    #[inline]
    pub fn exponent(&self, v: i64) -> i64 {
        if self.align >= 0 { round_shift(v, self.align as u32) } else { v << -self.align }
    }

    /// a of a t, in a row whose largest whole part is `top`.
    #[inline]
    pub fn power(&self, t: i64, top: i64) -> u64 {
        let mantissa =
            u64::from(self.pow2[(t & ((1 << Self::FRACTION_BITS) - 1)) as usize]) << Self::GUARD_BITS;
        let down = top - (t >> Self::FRACTION_BITS);
        if down < 63 { mantissa >> down } else { 0 }
    }

    /// p of an a, in a row with the sum S.
    #[inline]
    pub fn weight(&self, power: u64, sum: u64) -> i64 {
        let bits = 64 - sum.leading_zeros();
        let reciprocal = i64::from(self.recip[(sum >> (bits - 8)) as usize - 128]);
        round_shift(power as i64 * reciprocal, bits)
    }
}

/// GELU as `ReLU` minus a bump: x·Φ(x) = max(x, 0) − |x|·Φ(−|x|), the bump even and negligible beyond 4.
///
/// ```text
/// index = |x| with 6 fraction bits (cut)             y = (max(x, 0) << lift) − (index < 256 ? bump[index] : 0)
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeluUnit {
    /// Right shift from the input's fraction to 6 bits; negative is a left shift.
    pub index_shift: i32,
    /// Left shift from the input's to the output's fraction.
    pub lift: u32,
    /// `bump[index]`, in the output's fraction.
    pub bump: Vec<u32>,
    /// Unsigned bits of an entry of `bump`.
    pub bump_width: u32,
}

impl GeluUnit {
    /// Fraction bits of the index.
    pub const INDEX_FRAC: i32 = 6;
    /// Fraction bits the result has at least.
    const MIN_FRAC: i32 = 8;

    /// The unit for inputs of `format` within `bounds`, and the format and bounds of the result.
    pub fn new(bounds: Bounds, format: Format) -> (Self, Format, Bounds) {
        // Inputs coarser than 2^8 have no bump worth a bit; neither lift nor index need follow them further down.
        let lift = (Self::MIN_FRAC - format.frac).clamp(0, 16) as u32;
        let frac = format.frac + lift as i32;
        let index_shift = (format.frac - Self::INDEX_FRAC).max(-8);
        // A cut index stands for an interval, and its middle serves best; a shifted-up one is exact.
        let middle = if index_shift > 0 { 0.5 } else { 0.0 };
        let bump: Vec<u32> = (0..256)
            .map(|i| {
                let u = (f64::from(i) + middle) / 64.0;
                (u * normal_tail(u) * f64::from(frac).exp2()).round() as u32
            })
            .collect();
        let largest = bump.iter().copied().max().unwrap_or(0);
        let bounds = Bounds { low: -i64::from(largest), high: bounds.high.max(0) << lift };
        let unit = Self { index_shift, lift, bump, bump_width: (32 - largest.leading_zeros()).max(1) };
        let width = bounds.signed_width().max(format.width + lift).max(unit.bump_width + 1);
        (unit, Format::signed(width, frac), bounds)
    }
}

/// 1 − Φ(u) for u ≥ 0: the Gauss integral by Simpson's rule, far below the last bit of any entry.
fn normal_tail(u: f64) -> f64 {
    let steps = 512;
    let h = u / f64::from(steps);
    let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let inner: f64 = (1..steps).map(|i| density(f64::from(i) * h) * if i % 2 == 1 { 4.0 } else { 2.0 }).sum();
    0.5 - (density(0.0) + inner + density(u)) * h / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn normal_tail_matches_known_values() {
        for (u, tail) in [
            (0.0, 0.5),
            (1.0, 0.158_655_253_931_457_05),
            (2.0, 0.022_750_131_948_179_2),
            (4.0, 3.167_124_183_311_99e-5),
        ] {
            assert_abs_diff_eq!(normal_tail(u), tail, epsilon = 1e-12);
        }
    }

    #[test]
    fn units_are_as_wide_as_they_must_be() {
        let (unit, format, bounds) =
            NormUnit::new(32, Bounds { low: -2048, high: 2047 }, Format::signed(12, 8), 1e-5, 12);
        assert!(format.width <= 12, "{format}");
        assert!(bounds.high >= (31f64.sqrt() * f64::from(format.frac)).floor() as i64);
        assert!(unit.variance_width <= 63);
        let (unit, format, _) = SoftmaxUnit::new(11, Format::signed(14, 9), 12);
        assert_eq!((unit.align, format.frac, unit.pow2[0], unit.pow2[127]), (2, 10, 512, 1018));
    }
}
