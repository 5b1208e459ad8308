//! The model: counts times coefficients.

use super::{BlockRam, Cells, Figure, Fpga, Multiplier};
use crate::banks::Bank;
use crate::estimate::Basis;
use crate::resources::{Function, Holds, Memory, Operator, Resources};

impl BlockRam {
    /// Blocks that a memory of `words` × `width` bits takes when all are used in the same way, the best.
    pub fn blocks(&self, words: u64, width: u64) -> u64 {
        let one = |[w, b]: &[u64; 2]| words.div_ceil(*w) * width.div_ceil(*b);
        self.shapes.iter().map(one).min().unwrap_or(0)
    }
}

impl Multiplier {
    /// Blocks that a product of a × b bits takes.
    pub fn blocks(&self, a: u32, b: u32) -> u64 {
        let tiles =
            |a: u32, b: u32| u64::from(a.div_ceil(self.shape[0])) * u64::from(b.div_ceil(self.shape[1]));
        tiles(a, b).min(tiles(b, a))
    }
}

fn modelled(what: &str, value: f64, unit: &'static str) -> Figure {
    Figure { what: what.to_owned(), value, unit, basis: Basis::Modelled }
}

/// Width times count of the operators of one kind.
fn bits(resources: &Resources, function: Function, of_one: impl Fn(&Operator) -> f64) -> f64 {
    let all = resources.operators.iter().filter(|o| o.function == function);
    all.map(|o| o.count as f64 * of_one(o)).sum()
}

/// Bits of adders, those of products with a constant included.
fn adder_bits(resources: &Resources) -> f64 {
    bits(resources, Function::Add, |o| f64::from(o.a))
        + bits(resources, Function::Scale, |o| f64::from(o.a) * f64::from(o.b))
}

fn comparator_bits(resources: &Resources) -> f64 {
    bits(resources, Function::Compare, |o| f64::from(o.a))
}

/// Factors' widths multiplied, or width times stages.
fn area_bits(resources: &Resources, function: Function) -> f64 {
    bits(resources, function, |o| f64::from(o.a) * f64::from(o.b))
}

/// Bits of shifters' stages, and of the multiplexers of two that selections are made of.
fn shifter_bits(resources: &Resources) -> f64 {
    area_bits(resources, Function::Shift)
        + bits(resources, Function::Select, |o| f64::from(o.a) * (f64::from(o.b).exp2() - 1.0))
}

impl Cells {
    pub(super) fn figures(&self, r: &Resources, banks: &[Bank]) -> Vec<Figure> {
        let others = r.memories.iter().filter(|m| !m.writable && m.holds != Holds::TableBank);
        let constants = (others.map(Memory::bits).sum::<u64>() + r.threshold_bits) as f64;
        // The price of a bank has its read register, where it has one that is not its own.
        let table = |b: &Bank| {
            let register = (b.width - b.chosen.absorbed_bits) as f64 * self.flip_flop;
            b.count as f64 * (b.chosen.cost - register)
        };
        let absorbed: u64 = banks.iter().map(|b| b.count * b.chosen.absorbed_bits).sum();
        let others = r.memories.iter().filter(|m| m.writable && m.holds != Holds::TableBank);
        let writable: u64 = others.map(Memory::bits).sum();
        let parts = [
            ("tables", banks.iter().map(table).sum()),
            ("other constants", constants * self.rom_bit),
            ("registers", (r.register_bits() - absorbed) as f64 * self.flip_flop),
            ("writable memories", writable as f64 * self.writable_bit),
            (
                "adders and comparators",
                adder_bits(r) * self.adder_bit + comparator_bits(r) * self.comparator_bit,
            ),
            ("multipliers", area_bits(r, Function::Multiply) * self.multiplier_bit),
            ("shifters and selectors", shifter_bits(r) * self.shifter_bit),
        ];
        let total = parts.iter().map(|(_, area)| area).sum();
        let mut figures: Vec<Figure> =
            parts.iter().map(|(what, area)| modelled(&format!("area of {what}"), *area, "µm²")).collect();
        figures.push(modelled("area in all", total, "µm²"));
        figures
    }
}

impl Fpga {
    pub(super) fn figures(&self, r: &Resources, banks: &[Bank]) -> Vec<Figure> {
        let of_banks = |of: fn(&Bank) -> u64| banks.iter().map(|b| b.count * of(b)).sum::<u64>();
        let mut luts = of_banks(|b| b.chosen.luts) as f64;
        let mut blocks = of_banks(|b| b.chosen.blocks);
        let mut absorbed = of_banks(|b| b.chosen.absorbed_bits);
        for memory in r.memories.iter().filter(|m| m.holds != Holds::TableBank) {
            let Memory { count, words, width, writable, .. } = *memory;
            if writable {
                let [depth, bits] = self.lut_ram.shape;
                luts += (count * words.div_ceil(depth) * width.div_ceil(bits) * self.lut_ram.luts) as f64;
                continue;
            }
            let as_logic = (words * width).div_ceil(self.rom_bits_per_lut);
            let as_blocks = self.block_ram.blocks(words, width);
            if as_logic > as_blocks * self.block_ram.worth_luts {
                blocks += count * as_blocks;
                absorbed += memory.read_register_bits();
            } else {
                luts += (count * as_logic) as f64;
            }
        }
        luts += r.threshold_bits.div_ceil(self.rom_bits_per_lut) as f64;
        luts += adder_bits(r) * self.luts_per_adder_bit;
        luts += comparator_bits(r) * self.luts_per_comparator_bit;
        luts += shifter_bits(r) * self.luts_per_shifter_bit;
        let products = r.operators.iter().filter(|o| o.function == Function::Multiply);
        let multipliers: u64 = products.map(|o| o.count * self.multiplier.blocks(o.a, o.b)).sum();
        vec![
            modelled("look-up tables", luts.ceil(), ""),
            modelled("flip-flops", (r.register_bits() - absorbed) as f64, ""),
            modelled(&format!("block RAMs ({})", self.block_ram.name), blocks as f64, ""),
            modelled(&format!("multipliers ({})", self.multiplier.name), multipliers as f64, ""),
        ]
    }
}
