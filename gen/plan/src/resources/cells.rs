//! The formulas of the cells: each function counts one file of `hdl-templates`, in the order of its text.

use tablewright_design::{GeluUnit, IntEncoder, IntEncoderKind, IntTable, Metric, NormUnit, SoftmaxUnit};

use super::{Function, Holds, Memory, Operator, Resources};
use crate::schedule::lookup_latency;

impl Resources {
    pub(super) fn registers(&mut self, bits: u64) {
        self.logic_register_bits += bits;
    }

    pub(super) fn rom(&mut self, holds: Holds, count: u64, words: u64, width: u64) {
        self.memory(Memory { holds, count, words, width, writable: false });
    }

    pub(super) fn ram(&mut self, words: u64, width: u64) {
        self.memory(Memory { holds: Holds::Codes, count: 1, words, width, writable: true });
    }

    pub(super) fn memory(&mut self, new: Memory) {
        let same = |m: &&mut Memory| Memory { count: new.count, ..**m } == new;
        match self.memories.iter_mut().find(same) {
            Some(known) => known.count += new.count,
            None => self.memories.push(new),
        }
    }

    pub(super) fn operator(&mut self, function: Function, count: u64, a: u32, b: u32) {
        let new = Operator { function, count, a, b };
        let same = |o: &&mut Operator| Operator { count, ..**o } == new;
        match self.operators.iter_mut().find(same) {
            Some(known) => known.count += count,
            None if count > 0 => self.operators.push(new),
            None => {}
        }
    }

    /// `table.v.j2`: banks, adder tree, valid bits.
    pub(super) fn table(&mut self, table: &IntTable, sum_width: u32) {
        let outputs = table.outputs as u64;
        self.table_bits += table.storage_bits();
        self.rom(
            Holds::TableBank,
            table.subspaces as u64,
            table.rows as u64,
            outputs * u64::from(table.bits),
        );
        let leaves = table.subspaces as u64 + u64::from(table.bias.is_some());
        let mut level = leaves;
        let mut sums = 0;
        while level > 1 {
            level = level.div_ceil(2);
            sums += level;
        }
        self.registers(lookup_latency(table) + sums * outputs * u64::from(sum_width));
        self.operator(Function::Add, (leaves - 1) * outputs, sum_width, sum_width);
    }

    /// `tw_row_collector.v`.
    pub(super) fn collector(&mut self, lanes: u64, width: u64) {
        self.registers(index_bits(lanes) + 1 + lanes * width);
    }

    /// `encoder.v.j2`: one cell for each group and subspace.
    pub(super) fn encoder(&mut self, encoder: &IntEncoder, groups: u64) {
        let code = u64::from(encoder.code_bits);
        let cells = groups * encoder.subspaces as u64;
        self.encoder_bits += encoder.storage_bits();
        match &encoder.kind {
            IntEncoderKind::Tree { width, .. } => {
                self.threshold_bits += groups * encoder.storage_bits();
                // Level l keeps a valid bit, l + 1 code bits and the keys of the levels behind it.
                let keys = u64::from(*width) * code * (code - 1) / 2;
                self.registers(cells * (code + code * (code + 1) / 2 + keys));
                self.operator(Function::Compare, cells * code, *width, *width);
            }
            IntEncoderKind::Nearest { metric, width, distance_width, .. } => {
                let (w, distance) = (u64::from(*width), u64::from(*distance_width));
                for c in 0..encoder.subspaces {
                    let features = encoder.range(c).len() as u64;
                    let term = match metric {
                        Metric::L2 => 2 * w,
                        Metric::L1 => w,
                    };
                    self.rom(Holds::Prototypes, groups, 1 << code, features * w);
                    // The vector, five flags, four counts, the code, two distances, and the terms.
                    let held = features * (w + term) + 5 + 5 * code + 2 * distance;
                    self.registers(groups * held);
                    self.operator(Function::Compare, groups * features, *width, *width);
                    self.operator(Function::Add, 2 * groups * features, *width, *width);
                    if *metric == Metric::L2 {
                        self.operator(Function::Multiply, groups * features, *width, *width);
                    }
                    self.operator(Function::Add, groups * (features - 1), *distance_width, *distance_width);
                    self.operator(Function::Compare, groups, *distance_width, *distance_width);
                }
            }
        }
    }

    /// `tw_layer_norm.v`.
    pub(super) fn norm(&mut self, unit: &NormUnit, out_width: u32) {
        let lanes = unit.lanes as u64;
        let (centred, gain) = (unit.centred_width, unit.rsqrt_width);
        let pairs = unit.variance_width.div_ceil(2);
        let exponent = clog2(u64::from(pairs) + 1);
        let product = (centred + gain + 1).max(pairs + 2);
        self.rom(Holds::Gains, 1, unit.rsqrt.len() as u64, u64::from(gain));
        // Eight valid bits, the sum, the variance, the exponent three times, the index.
        self.registers(8 + u64::from(centred + unit.variance_width) + 3 * exponent + 8);
        // A lane: x, the centred value five times, its square, the product, the result.
        let lane = 6 * centred + (2 * centred - 1) + product + out_width;
        self.registers(lanes * u64::from(lane));
        self.operator(Function::Add, lanes - 1, centred, centred);
        self.operator(Function::Scale, lanes, centred, lanes.count_ones() - 1);
        self.operator(Function::Add, lanes, centred, centred);
        self.operator(Function::Multiply, lanes, centred, centred);
        self.operator(Function::Add, lanes, unit.variance_width, unit.variance_width);
        self.operator(Function::Multiply, lanes, centred, gain + 1);
        self.operator(Function::Add, lanes, product, product);
        self.operator(Function::Shift, lanes + 1, product, exponent as u32);
    }

    /// `tw_softmax.v`.
    pub(super) fn softmax(&mut self, unit: &SoftmaxUnit, lanes: u64, out_width: u32) {
        const POWER: u32 = SoftmaxUnit::MANTISSA_BITS + SoftmaxUnit::GUARD_BITS;
        let whole = unit.exponent_width - SoftmaxUnit::FRACTION_BITS;
        let length = clog2(u64::from(unit.sum_width) + 1);
        let product = unit.sum_width + unit.recip_width + 1;
        let align = unit.align.max(0) as u32;
        let mantissa = u64::from(SoftmaxUnit::MANTISSA_BITS);
        self.rom(Holds::Powers, lanes, unit.pow2.len() as u64, mantissa);
        self.rom(Holds::Reciprocals, 1, unit.recip.len() as u64, u64::from(unit.recip_width));
        // Eight valid bits, the highest, the sum, its length three times, the index.
        self.registers(8 + u64::from(whole + unit.sum_width) + 3 * length + 7);
        // A lane: t, its whole part, the power four times, the product, the weight.
        let lane = unit.exponent_width + whole + 4 * POWER + product + out_width;
        self.registers(lanes * u64::from(lane));
        if align > 0 {
            let aligned = unit.exponent_width + align + 1;
            self.operator(Function::Add, lanes, aligned, aligned);
        }
        self.operator(Function::Compare, lanes - 1, whole, whole);
        self.operator(Function::Add, lanes, whole + 1, whole + 1);
        self.operator(Function::Shift, lanes, POWER, whole + 1);
        self.operator(Function::Add, lanes - 1, unit.sum_width, unit.sum_width);
        self.operator(Function::Multiply, lanes, POWER, unit.recip_width);
        self.operator(Function::Add, lanes, product, product);
        self.operator(Function::Shift, lanes + 1, product, length as u32);
    }

    /// `tw_gelu.v`.
    pub(super) fn gelu(&mut self, unit: &GeluUnit, lanes: u64, in_width: u32, out_width: u32) {
        self.rom(Holds::Bump, lanes, unit.bump.len() as u64, u64::from(unit.bump_width));
        self.registers(2 + lanes * u64::from(1 + in_width + out_width));
        self.operator(Function::Add, lanes, in_width, in_width);
        self.operator(Function::Add, lanes, out_width, out_width);
    }
}

/// Verilog's `$clog2`: bits that tell `n` things apart.
pub(super) fn clog2(n: u64) -> u64 {
    u64::from(n.next_power_of_two().ilog2())
}

/// Bits of an index below `n`, at least 1: the cells have no vectors of no bits.
pub(super) fn index_bits(n: u64) -> u64 {
    clog2(n).max(1)
}
