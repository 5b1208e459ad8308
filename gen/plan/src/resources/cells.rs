//! The formulas of the cells: each function counts one file of `hdl-templates`, in the order of its text.

use tablewright_design::{
    BankShape, GeluUnit, IntEncoder, IntEncoderKind, IntTable, Layout, Metric, Node, NormUnit, Op,
    Protection, SoftmaxUnit, Value,
};

use super::{Function, Holds, Memory, Operator, Resources};
use crate::pipeline::{Directive, part};
use crate::schedule::Stage;

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

    /// The banks of a table. Bits of their words, all banks together.
    fn banks_of(&mut self, table: &IntTable, layout: Layout) -> u64 {
        let loaded = table.loaded.map(|loaded| loaded.protection);
        self.table_bits += table.storage_bits();
        let mut together = 0;
        for c in 0..table.subspaces {
            let BankShape { words, width, saved } = table.bank_shape(c, layout);
            let (words, width) = (words as u64, width as u64);
            self.stored_table_bits += words * width;
            self.saved = self.saved.plus(saved);
            together += width;
            if width > 0 {
                self.bank(loaded, Holds::TableBank, 1, (words, width));
            }
        }
        together
    }

    /// `table.v.j2`: banks, adder trees, valid bits; of folded ones what keeps the codes and joins the parts. The tables are
    /// addressed side by side.
    pub(super) fn tables(&mut self, tables: &[IntTable], sum_width: u32, directive: Directive) {
        let Directive { cuts, fold, .. } = directive;
        self.registers(u64::from(cuts.count_ones()));
        for table in tables {
            let outputs = part(table.outputs, fold) as u64;
            let parts = u64::from(fold);
            let loaded = table.loaded.map(|loaded| loaded.protection);
            let stored = self.banks_of(table, Layout::Rows { fold });
            self.registers(u64::from(cuts >> 1 & 1) * stored);
            let bias_width = outputs * u64::from(sum_width);
            if fold > 1 {
                // `tw_fold.v`: the codes, and which part is next.
                self.registers(table.subspaces as u64 * u64::from(table.rows.ilog2()) + clog2(parts));
                self.collector(parts, outputs * u64::from(sum_width));
                if table.bias.is_some() {
                    self.bank(loaded, Holds::Bias, 1, (parts, bias_width));
                    self.registers(u64::from(cuts >> 1 & 1) * bias_width);
                }
            } else if let (Some(protection), Some(_)) = (loaded, &table.bias) {
                self.held(protection, bias_width);
            }
            let leaves = table.subspaces as u64 + u64::from(table.bias.is_some());
            let (mut level, mut depth) = (leaves, 0);
            while level > 1 {
                level = level.div_ceil(2);
                depth += 1;
                self.registers(u64::from(cuts >> (depth + 1) & 1) * level * outputs * u64::from(sum_width));
            }
            self.operator(Function::Add, (leaves - 1) * outputs, sum_width, sum_width);
        }
    }

    /// `pair_table.v.j2`: the right rows, the left rows that wait, banks, multiplexers, adder trees, the row.
    pub(super) fn pair_table(
        &mut self,
        node: &Node,
        [left, right]: [&Value; 2],
        table: &IntTable,
        (stage, right_stage): (Stage, Stage),
    ) {
        let sum_width = node.value.format.width;
        let (cuts, elements) = (stage.directive.cuts, node.value.lanes as u64);
        let code = u64::from(table.rows.ilog2() / 2);
        let subspaces = table.subspaces as u64;
        let (heads, slots, collect) = match &node.op {
            Op::Mix { columns, .. } => {
                (columns.len() as u64, columns.iter().copied().max().unwrap_or(1) as u64, true)
            }
            _ => (right.lanes as u64 / subspaces, elements, false),
        };
        let kept = right.rows as u64;
        self.registers(index_bits(right_stage.groups()) + kept * right.lanes as u64 * code);
        if stage.delay > 0 {
            let waiting = stage.waiting_rows(left.rows as u64, node.value.rows as u64);
            self.ram(waiting, left.lanes as u64 * code);
            self.registers(stage.delay + 2 * index_bits(waiting));
        }
        self.banks_of(table, Layout::Pairs);
        self.registers(u64::from(cuts.count_ones()));
        self.registers(u64::from(cuts >> 1 & 1) * slots * subspaces * u64::from(table.bits));
        let (mut level, mut depth) = (subspaces, 1);
        while level > 1 {
            level = level.div_ceil(2);
            depth += 1;
            self.registers(u64::from(cuts >> depth & 1) * level * slots * u64::from(sum_width));
        }
        self.operator(Function::Select, slots * subspaces, table.bits, code as u32);
        self.operator(Function::Add, (subspaces - 1) * slots, sum_width, sum_width);
        let head = if heads > 1 { clog2(heads) } else { 0 };
        self.registers(2 * head);
        if heads > 1 && !collect {
            // `tw_split.v`: the parts that have not left, which one is next, and when.
            self.registers(heads * subspaces * code + index_bits(heads) + index_bits(stage.row_interval));
        }
        if collect {
            self.registers(1 + head + elements * u64::from(sum_width));
        }
    }

    /// `tw_row_collector.v`.
    pub(super) fn collector(&mut self, lanes: u64, width: u64) {
        self.registers(index_bits(lanes) + 1 + lanes * width);
    }

    /// `encoder.v.j2`: one cell for each group and subspace.
    pub(super) fn encoder(
        &mut self,
        encoder: &IntEncoder,
        groups: u64,
        cuts: u32,
        loaded: Option<Protection>,
    ) {
        let code = u64::from(encoder.code_bits);
        let cells = groups * encoder.subspaces as u64;
        self.encoder_bits += encoder.storage_bits();
        match &encoder.kind {
            IntEncoderKind::Tree { width, .. } => {
                if loaded.is_none() {
                    self.threshold_bits += groups * encoder.storage_bits();
                }
                // Behind a cut level l keeps a valid bit, l + 1 code bits and the keys of the levels that follow. A level is
                // compared once for every node that can be reached from the last register.
                let mut open = 0;
                for level in 0..code {
                    self.operator(Function::Compare, cells << open, *width, *width);
                    open += 1;
                    if cuts >> level & 1 == 1 {
                        self.registers(cells * (1 + level + 1 + u64::from(*width) * (code - 1 - level)));
                        open = 0;
                    }
                }
            }
            IntEncoderKind::Nearest { metric, width, distance_width, .. } => {
                let (w, distance) = (u64::from(*width), u64::from(*distance_width));
                for c in 0..encoder.subspaces {
                    let features = encoder.range(c).len() as u64;
                    let term = match metric {
                        Metric::L2 => 2 * w,
                        Metric::L1 => w,
                    };
                    // All groups read the same prototype at once.
                    self.bank(loaded, Holds::Prototypes, 1, (1 << code, features * w));
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
    pub(super) fn norm(&mut self, unit: &NormUnit, in_width: u32, kept: u64, out_width: u32, cuts: u32) {
        let lanes = unit.lanes as u64;
        let (centred, gain) = (unit.centred_width, unit.rsqrt_width);
        let (square, spread) = (2 * in_width - 1, unit.variance_width + 1);
        let pairs = unit.variance_width.div_ceil(2);
        let exponent = clog2(u64::from(pairs) + 1);
        let product = (centred + gain + 1).max(pairs + 2);
        self.rom(Holds::Gains, 1, unit.rsqrt.len() as u64, u64::from(gain));
        let behind = |step: u32, bits: u64| u64::from(cuts >> step & 1) * bits;
        let wide = kept * u64::from(centred);
        self.registers(u64::from(cuts.count_ones()));
        self.registers(behind(0, lanes * u64::from(in_width + square)));
        self.registers(behind(1, wide + u64::from(centred + spread)));
        self.registers(behind(2, wide + u64::from(spread)));
        self.registers(behind(3, wide + u64::from(unit.variance_width)));
        self.registers(behind(4, wide + exponent + 8));
        self.registers(behind(5, wide + exponent));
        self.registers(behind(6, kept * u64::from(product) + exponent));
        self.registers(behind(7, kept * u64::from(out_width)));
        self.operator(Function::Multiply, lanes, in_width, in_width);
        self.operator(Function::Add, lanes - 1, centred, centred);
        self.operator(Function::Add, lanes, square, spread);
        self.operator(Function::Multiply, 1, centred, centred);
        let additions = lanes.count_ones() - 1;
        self.operator(Function::Scale, 2, spread, additions);
        self.operator(Function::Add, 2, spread, spread);
        self.operator(Function::Scale, kept, centred, additions);
        self.operator(Function::Add, kept, centred, centred);
        self.operator(Function::Multiply, kept, centred, gain + 1);
        self.operator(Function::Add, kept, product, product);
        self.operator(Function::Shift, kept + 1, product, exponent as u32);
    }

    /// `tw_softmax.v`.
    pub(super) fn softmax(&mut self, unit: &SoftmaxUnit, lanes: u64, out_width: u32, cuts: u32) {
        const POWER: u32 = SoftmaxUnit::MANTISSA_BITS + SoftmaxUnit::GUARD_BITS;
        let whole = unit.exponent_width - SoftmaxUnit::FRACTION_BITS;
        let length = clog2(u64::from(unit.sum_width) + 1);
        let product = unit.sum_width + unit.recip_width + 1;
        let align = unit.align.max(0) as u32;
        let mantissa = u64::from(SoftmaxUnit::MANTISSA_BITS);
        self.rom(Holds::Powers, lanes, unit.pow2.len() as u64, mantissa);
        self.rom(Holds::Reciprocals, 1, unit.recip.len() as u64, u64::from(unit.recip_width));
        let behind = |step: u32, bits: u64| u64::from(cuts >> step & 1) * bits;
        let power = lanes * u64::from(POWER);
        self.registers(u64::from(cuts.count_ones()));
        self.registers(behind(0, lanes * u64::from(unit.exponent_width)));
        self.registers(behind(1, (lanes + 1) * u64::from(whole)));
        self.registers(behind(2, power));
        self.registers(behind(3, power + u64::from(unit.sum_width)));
        self.registers(behind(4, power + length + 7));
        self.registers(behind(5, power + length));
        self.registers(behind(6, lanes * u64::from(product) + length));
        self.registers(behind(7, lanes * u64::from(out_width)));
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
    pub(super) fn gelu(&mut self, unit: &GeluUnit, lanes: u64, in_width: u32, out_width: u32, cuts: u32) {
        self.rom(Holds::Bump, lanes, unit.bump.len() as u64, u64::from(unit.bump_width));
        self.registers(1 + lanes * u64::from(1 + in_width));
        self.registers(u64::from(cuts >> 1 & 1) * (1 + lanes * u64::from(out_width)));
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
