//! What the hardware is made for: coefficients that turn exact counts into area. Everything here is a model.
//!
//! A target is a data file (`fpga/targets`); its coefficients come from synthesis runs that it names. A standard-cell
//! target gives µm², an FPGA look-up tables, block RAMs and multiplier blocks; a target without either gives nothing
//! beyond the exact counts.

use serde::{Deserialize, Serialize};

use crate::banks::Bank;
use crate::estimate::Basis;
use crate::resources::Resources;

mod area;

/// A target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// As it is asked for.
    pub name: String,
    /// For people.
    pub title: String,
    /// Where the coefficients come from and what they leave out.
    pub source: String,
    /// How far below the modelled figures the truth may lie, in percent, judged from the runs in `source`: the figures
    /// are those of the Verilog as written, and synthesis drops what frozen tables and encoders never read.
    pub less_percent: u32,
    /// How far above them it may lie, in percent, judged likewise.
    pub more_percent: u32,
    /// How long logic takes here, where it was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
    /// Standard cells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cells: Option<Cells>,
    /// Programmable logic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fpga: Option<Fpga>,
}

/// The period that levels of logic ask for: a straight line through cores that were mapped and timed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// Nanoseconds that a register takes of every period, whatever lies between two: clock to output, setup, wires.
    pub register_ns: f64,
    /// Nanoseconds of a level.
    pub level_ns: f64,
    /// How far the measured periods lie from the line, at most.
    pub within_percent: u32,
}

impl Timing {
    /// Nanoseconds of a cycle with so many levels between two registers, and no memory slower than `clk_to_q_ns`.
    pub fn period_ns(&self, levels: u32, clk_to_q_ns: f64) -> f64 {
        (self.register_ns + self.level_ns * f64::from(levels)).max(clk_to_q_ns)
    }

    /// Levels that a period leaves room for; 0 where it is too short for one.
    pub fn levels(&self, period_ns: f64) -> u32 {
        ((period_ns - self.register_ns) / self.level_ns).max(0.0) as u32
    }
}

/// Areas in µm².
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cells {
    /// One bit of a constant memory or threshold, made of logic.
    pub rom_bit: f64,
    /// One flip-flop.
    pub flip_flop: f64,
    /// One bit of a memory of flip-flops, its multiplexers included.
    pub writable_bit: f64,
    /// One bit of an adder.
    pub adder_bit: f64,
    /// One bit of a comparator.
    pub comparator_bit: f64,
    /// One partial product: a multiplier of a × b bits has a·b of them.
    pub multiplier_bit: f64,
    /// One bit of one stage of a shifter: a bits shifted by an amount of b bits have a·b of them.
    pub shifter_bit: f64,
    /// Memory macros that can be had; none without.
    #[serde(default, rename = "macro", skip_serializing_if = "Vec::is_empty")]
    pub macros: Vec<Macro>,
}

/// A memory macro.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Macro {
    /// What the vendor calls it.
    pub name: String,
    /// Words.
    pub words: u64,
    /// Bits of a word.
    pub width: u64,
    /// In µm².
    pub area: f64,
    /// Nanoseconds from the clock to the word.
    pub clk_to_q_ns: f64,
    /// Picojoules of a read.
    pub read_pj: f64,
}

/// Primitives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fpga {
    /// Bits that one look-up table holds.
    pub rom_bits_per_lut: u64,
    /// Look-up tables for one bit of an adder.
    pub luts_per_adder_bit: f64,
    /// Look-up tables for one bit of a comparator.
    pub luts_per_comparator_bit: f64,
    /// Look-up tables for one bit of one stage of a shifter.
    pub luts_per_shifter_bit: f64,
    /// Look-up tables as memory that is written.
    pub lut_ram: LutRam,
    /// Block RAM.
    pub block_ram: BlockRam,
    /// Multiplier blocks.
    pub multiplier: Multiplier,
}

/// Look-up tables as memory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LutRam {
    /// Words and bits of one.
    pub shape: [u64; 2],
    /// Look-up tables it takes.
    pub luts: u64,
}

/// Block RAM.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockRam {
    /// What the vendor calls it.
    pub name: String,
    /// Words and bits of every way to use one.
    pub shapes: Vec<[u64; 2]>,
    /// A constant memory goes into block RAM when as logic it would take more look-up tables than this for every block.
    pub worth_luts: u64,
}

/// Multiplier blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Multiplier {
    /// What the vendor calls it.
    pub name: String,
    /// Bits of its factors, the wider first.
    pub shape: [u32; 2],
}

/// A target file with values that make no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("target `{target}`: {field} is {value}; {remedy}")]
pub struct TargetError {
    /// Its name.
    pub target: String,
    /// The field.
    pub field: String,
    /// What stands there.
    pub value: String,
    /// What should.
    pub remedy: &'static str,
}

/// One figure of a target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// Of what.
    pub what: String,
    /// How much.
    pub value: f64,
    /// In what; empty for a count.
    pub unit: &'static str,
    /// Counted or modelled.
    pub basis: Basis,
}

impl Target {
    /// Refuses coefficients that are no positive numbers.
    pub fn check(&self) -> Result<(), TargetError> {
        let refuse = |field: &str, value: String, remedy| {
            Err(TargetError { target: self.name.clone(), field: field.to_owned(), value, remedy })
        };
        if self.name.is_empty() {
            return refuse("name", "empty".to_owned(), "give the name by which it is asked for");
        }
        for (field, percent) in [("less_percent", self.less_percent), ("more_percent", self.more_percent)] {
            if !(1..=100).contains(&percent) {
                return refuse(field, percent.to_string(), "give the measured error, 1 to 100");
            }
        }
        if self.cells.is_some() && self.fpga.is_some() {
            return refuse("cells", "there beside fpga".to_owned(), "a target is one or the other");
        }
        let mut positive: Vec<(&str, f64)> = Vec::new();
        if let Some(t) = &self.timing {
            if !(1..=100).contains(&t.within_percent) {
                return refuse(
                    "timing.within_percent",
                    t.within_percent.to_string(),
                    "give the measured error, 1 to 100",
                );
            }
            positive.extend([("timing.register_ns", t.register_ns), ("timing.level_ns", t.level_ns)]);
        }
        if let Some(c) = &self.cells {
            positive.extend([
                ("cells.rom_bit", c.rom_bit),
                ("cells.flip_flop", c.flip_flop),
                ("cells.writable_bit", c.writable_bit),
                ("cells.adder_bit", c.adder_bit),
                ("cells.comparator_bit", c.comparator_bit),
                ("cells.multiplier_bit", c.multiplier_bit),
                ("cells.shifter_bit", c.shifter_bit),
            ]);
            positive.extend(c.macros.iter().flat_map(|m| {
                [
                    ("cells.macro.words", m.words as f64),
                    ("cells.macro.width", m.width as f64),
                    ("cells.macro.area", m.area),
                    ("cells.macro.clk_to_q_ns", m.clk_to_q_ns),
                    ("cells.macro.read_pj", m.read_pj),
                ]
            }));
        }
        if let Some(f) = &self.fpga {
            positive.extend([
                ("fpga.rom_bits_per_lut", f.rom_bits_per_lut as f64),
                ("fpga.luts_per_adder_bit", f.luts_per_adder_bit),
                ("fpga.luts_per_comparator_bit", f.luts_per_comparator_bit),
                ("fpga.luts_per_shifter_bit", f.luts_per_shifter_bit),
                ("fpga.lut_ram.luts", f.lut_ram.luts as f64),
            ]);
            positive.extend(f.lut_ram.shape.map(|s| ("fpga.lut_ram.shape", s as f64)));
            positive.extend(f.multiplier.shape.map(|s| ("fpga.multiplier.shape", f64::from(s))));
            positive
                .extend(f.block_ram.shapes.iter().flatten().map(|s| ("fpga.block_ram.shapes", *s as f64)));
            if f.block_ram.shapes.is_empty() {
                return refuse(
                    "fpga.block_ram.shapes",
                    "empty".to_owned(),
                    "give at least one [words, bits]",
                );
            }
        }
        match positive.into_iter().find(|(_, value)| !(value.is_finite() && *value > 0.0)) {
            Some((field, value)) => refuse(field, value.to_string(), "give a positive number"),
            None => Ok(()),
        }
    }

    /// One number for all that `resources` cost here: µm², or look-up tables and what block RAM is worth in them.
    pub fn price(&self, resources: &Resources, banks: &[Bank]) -> Option<f64> {
        let figures = self.figures(resources, banks);
        let of = |what: &str| figures.iter().find(|f| f.what == what).map(|f| f.value);
        match &self.fpga {
            None => of("area in all"),
            Some(fpga) => {
                let block = &fpga.block_ram;
                let blocks = of(&format!("block RAMs ({})", block.name))?;
                Some(of("look-up tables")? + blocks * block.worth_luts as f64)
            }
        }
    }

    /// What `resources` become here, their tables as `banks` says; empty for a target without coefficients.
    pub fn figures(&self, resources: &Resources, banks: &[Bank]) -> Vec<Figure> {
        match (&self.cells, &self.fpga) {
            (Some(cells), _) => cells.figures(resources, banks),
            (None, Some(fpga)) => fpga.figures(resources, banks),
            (None, None) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::banks::Style;
    use crate::resources::{Function, Holds, Memory, Operator};

    fn ecp5_block() -> BlockRam {
        let shapes = vec![[16384, 1], [8192, 2], [4096, 4], [2048, 9], [1024, 18], [512, 36]];
        BlockRam { name: "DP16KD".into(), shapes, worth_luts: 128 }
    }

    fn cells() -> Target {
        Target {
            name: "test".into(),
            title: String::new(),
            source: String::new(),
            less_percent: 60,
            more_percent: 30,
            timing: None,
            cells: Some(Cells {
                rom_bit: 1.0,
                flip_flop: 2.0,
                writable_bit: 3.0,
                adder_bit: 4.0,
                comparator_bit: 5.0,
                multiplier_bit: 6.0,
                shifter_bit: 7.0,
                macros: Vec::new(),
            }),
            fpga: None,
        }
    }

    #[test]
    fn blocks_are_counted_by_shape() {
        let block = ecp5_block();
        // Wide shallow banks waste most of their bits; deep narrow ones do not.
        assert_eq!(block.blocks(64, 256), 8);
        assert_eq!(block.blocks(16384, 8), 8);
        assert_eq!(block.blocks(128, 64), 2);
        assert_eq!(block.blocks(1024, 18), 1);
        assert_eq!(block.blocks(1025, 18), 2);
        let multiplier = Multiplier { name: "DSP48E1".into(), shape: [25, 18] };
        assert_eq!(
            [(18, 25), (25, 18), (26, 18), (18, 18)].map(|(a, b)| multiplier.blocks(a, b)),
            [1, 1, 2, 1]
        );
    }

    #[test]
    fn areas_add_up() {
        let r = Resources {
            memories: vec![Memory {
                holds: Holds::TableBank,
                count: 1,
                words: 10,
                width: 10,
                writable: false,
            }],
            table_bits: 100,
            logic_register_bits: 5,
            operators: vec![Operator { function: Function::Multiply, count: 2, a: 3, b: 4 }],
            ..Resources::default()
        };
        let banks = crate::banks::plan(&cells(), "k", &r.memories, 1, Style::Auto).expect("logic");
        let figures = cells().figures(&r, &banks);
        let value = |what: &str| figures.iter().find(|f| f.what == what).map(|f| f.value);
        assert_eq!(value("area of tables"), Some(100.0));
        assert_eq!(value("area of registers"), Some(30.0));
        assert_eq!(value("area of multipliers"), Some(144.0));
        assert_eq!(value("area in all"), Some(274.0));
    }

    #[test]
    fn senseless_targets_are_refused() {
        let refused = |change: &dyn Fn(&mut Target)| {
            let mut target = cells();
            change(&mut target);
            target.check().map_err(|e| e.to_string())
        };
        assert_eq!(refused(&|_| ()), Ok(()));
        let negative = refused(&|t| {
            if let Some(c) = &mut t.cells {
                c.rom_bit = -1.0;
            }
        });
        assert_eq!(negative, Err("target `test`: cells.rom_bit is -1; give a positive number".into()));
        let sure = refused(&|t| t.more_percent = 0);
        assert_eq!(sure, Err("target `test`: more_percent is 0; give the measured error, 1 to 100".into()));
        let both = refused(&|t| {
            t.fpga = Some(Fpga {
                rom_bits_per_lut: 16,
                luts_per_adder_bit: 1.0,
                luts_per_comparator_bit: 1.0,
                luts_per_shifter_bit: 1.0,
                lut_ram: LutRam { shape: [16, 4], luts: 6 },
                block_ram: ecp5_block(),
                multiplier: Multiplier { name: "M".into(), shape: [18, 18] },
            });
        });
        assert_eq!(
            both,
            Err("target `test`: cells is there beside fpga; a target is one or the other".into())
        );
    }
}
