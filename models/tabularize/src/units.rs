//! Layer normalisation and softmax as exact functions, or with the coarse steps of the hardware's units.
//!
//! The hardware takes 1 / √v and 1 / Σ from tables of 8 leading bits (`gen/ARITHMETIC.md`), which scales a whole row by
//! up to 0.4 %: enough to move many vectors to another code. Tables are learned behind the same steps, so that what they
//! learn from is what the hardware gives, up to the rounding of single values.

use ndarray::Array2;

use crate::math::{normalise, softmax};

/// How rows are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Units {
    /// As the network says.
    Exact,
    /// As the hardware's units do.
    Hardware {
        /// Width of the activations.
        bits: u32,
    },
}

impl Units {
    /// Layer normalisation of every row; returns what each centred row was multiplied by.
    pub(crate) fn normalise(self, x: &mut Array2<f32>, eps: f64) -> Vec<f32> {
        let mut scales = normalise(x, eps);
        if self != Self::Exact {
            let width = x.ncols() as f64;
            for (mut row, scale) in x.rows_mut().into_iter().zip(&mut scales) {
                let coarse = coarse_rsqrt(f64::from(*scale), width) as f32;
                row *= coarse / *scale;
                *scale = coarse;
            }
        }
        scales
    }

    /// Softmax of every row.
    pub(crate) fn softmax(self, x: &mut Array2<f32>) {
        match self {
            Self::Exact => softmax(x),
            Self::Hardware { bits } => coarse_softmax(x, bits),
        }
    }
}

/// 1 / √v from the 8 leading bits of width³·v below an even power of two.
fn coarse_rsqrt(scale: f64, width: f64) -> f64 {
    let v = width.powi(3) / (scale * scale);
    let e = (v.log2() / 2.0).floor() + 1.0;
    let index = (v / (2.0 * e).exp2() * 256.0).floor().clamp(64.0, 255.0);
    width.powf(1.5) / e.exp2() / ((index + 0.5) / 256.0).sqrt()
}

/// Powers of two with 7 fraction bits, their sum's reciprocal from its 8 leading bits, weights rounded.
fn coarse_softmax(x: &mut Array2<f32>, bits: u32) {
    let one = f64::from(bits.min(12) - 2).exp2();
    for mut row in x.rows_mut() {
        row.mapv_inplace(|v| (v * std::f32::consts::LOG2_E * 128.0 + 0.5).floor() / 128.0);
        let top = row.iter().fold(f32::NEG_INFINITY, |top, v| top.max(v.floor()));
        let mut sum = 0.0_f64;
        for v in &mut row {
            let whole = v.floor();
            let mantissa = ((*v - whole).exp2() * 512.0).round() * 64.0;
            let power = (mantissa * (whole - top).exp2()).floor();
            sum += f64::from(power);
            *v = power;
        }
        let length = sum.log2().floor() + 1.0;
        let index = (sum * (8.0 - length).exp2()).floor();
        let reciprocal = (one * 256.0 / (index + 0.5)).round();
        row.mapv_inplace(|power| {
            let p = (f64::from(power) * reciprocal / length.exp2() + 0.5).floor();
            (p / one) as f32
        });
    }
}
