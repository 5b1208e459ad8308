//! Memory images: what is in which bank, as values and as the text of its file.

use std::fmt::Write;

use tablewright_design::{Design, IntEncoderKind, IntTable, Node, NodeId, Op, StoredBank};
use tablewright_plan::pipeline::part;
use tablewright_plan::{Directive, Elements, Plan};

use crate::names::Names;

/// The contents of one memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// File name inside `rtl/mem`; of a memory that is loaded, where there is no such file, its name.
    pub file: String,
    /// The node it belongs to.
    pub node: String,
    /// What a word is, for people: `bank 1, code`.
    pub word_is: String,
    /// What a lane is, for people: `output`.
    pub lane_is: &'static str,
    /// Bits of one value.
    pub lane_bits: u32,
    /// Values of one word, lowest bits first.
    pub lanes: usize,
    /// Values are two's complement.
    pub signed: bool,
    /// It is loaded at run time; otherwise the build has a file for it.
    pub loaded: bool,
    /// `[words, lanes]`.
    pub values: Vec<i64>,
}

impl Image {
    /// Words.
    pub fn words(&self) -> usize {
        self.values.len() / self.lanes
    }

    /// Bits of a word.
    pub fn width(&self) -> u64 {
        self.lanes as u64 * u64::from(self.lane_bits)
    }

    /// The file for `$readmemh`: one word a line in hexadecimal, a newline after the last one too.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for word in self.values.chunks_exact(self.lanes) {
            text.push_str(&hex(word, self.lane_bits));
            text.push('\n');
        }
        text
    }

    /// The value of one lane of a word read back from a file; `None` when the word is no such number.
    pub fn lane(&self, word: &str, lane: usize) -> Option<i64> {
        let digits = word.trim().as_bytes();
        let bit = |i: usize| -> Option<i64> {
            let at = digits.len().checked_sub(1 + i / 4)?;
            let digit = char::from(digits[at]).to_digit(16)?;
            Some(i64::from(digit >> (i % 4) & 1))
        };
        let bits = self.lane_bits as usize;
        let mut value = 0;
        for i in 0..bits {
            value |= bit(lane * bits + i)? << i;
        }
        let negative = self.signed && value >> (bits - 1) & 1 == 1;
        Some(if negative { value - (1 << bits) } else { value })
    }
}

/// Values of `bits` each, the first in the lowest bits, as one hexadecimal number of full length.
pub fn hex(values: &[i64], bits: u32) -> String {
    let total = values.len() * bits as usize;
    let mut digits = vec![0_u8; total.div_ceil(4)];
    for (i, &value) in values.iter().enumerate() {
        for b in 0..bits as usize {
            if value >> b & 1 == 1 {
                let at = i * bits as usize + b;
                digits[at / 4] |= 1 << (at % 4);
            }
        }
    }
    digits.iter().rev().fold(String::with_capacity(digits.len()), |mut text, d| {
        let _ = write!(text, "{d:x}");
        text
    })
}

/// The memories of a design as it is laid out whose contents are part of the build.
pub fn images(design: &Design, plan: &Plan) -> Vec<Image> {
    memories(design, plan).filter(|image| !image.loaded).collect()
}

/// The memories of a design as it is laid out whose contents are loaded, in the order of the image: none, or all that
/// depends on the model's contents.
pub fn loaded_images(design: &Design, plan: &Plan) -> Vec<Image> {
    memories(design, plan).filter(|image| image.loaded).collect()
}

fn memories(design: &Design, plan: &Plan) -> impl Iterator<Item = Image> {
    let names = Names::new(&design.name);
    let of = move |(id, node): (NodeId, &Node)| {
        let directive = plan.stage(id).directive;
        let stem = names.node(&node.name);
        let mut all = of_node(&stem, node, directive, design.loaded.is_some());
        if design.loaded.is_some() {
            all.extend(constants_of_node(&stem, design, node, directive));
        }
        all
    };
    design.iter().flat_map(of).collect::<Vec<_>>().into_iter()
}

/// What is a constant of the logic in a build that is not loaded: one word each.
fn constants_of_node(stem: &str, design: &Design, node: &Node, directive: Directive) -> Vec<Image> {
    let width = node.value.format.width;
    let one = |suffix: &str, lane_is, lane_bits, signed, values: Vec<i64>| Image {
        file: format!("{stem}_{suffix}.hex"),
        node: node.name.clone(),
        word_is: suffix.to_owned(),
        lane_is,
        lane_bits,
        lanes: values.len(),
        signed,
        loaded: true,
        values,
    };
    match &node.op {
        Op::Encode { encoder, .. } => {
            let IntEncoderKind::Tree { split, threshold, width } = &encoder.kind else {
                return Vec::new();
            };
            let (levels, nodes) = (encoder.code_bits as usize, encoder.prototypes() - 1);
            let of_tree = |c: usize| {
                let first = encoder.range(c).start as i64;
                let split = split[c * levels..][..levels].iter().map(|&f| f as i64 - first).collect();
                let threshold = threshold[c * nodes..][..nodes].to_vec();
                let index = index_bits(encoder.range(c).len());
                [
                    one(&format!("features{c}"), "level", index, false, split),
                    one(&format!("thresholds{c}"), "node", *width, true, threshold),
                ]
            };
            (0..encoder.subspaces).flat_map(of_tree).collect()
        }
        Op::Transpose { lead: Some(row) } => vec![one("lead", "column", width, true, row.clone())],
        Op::Threshold { threshold, .. } => {
            // One more than a logit, so that "never" can be said.
            let bits = design.logits_format().width + 1;
            vec![one("threshold", "value", bits, true, vec![*threshold])]
        }
        op => {
            // That of a folded table is a bank like the others.
            let bias = op.tables().first().and_then(|table| table.bias.clone());
            let bias = bias.filter(|_| directive.fold == 1);
            bias.map(|bias| one("bias", "output", width, true, bias)).into_iter().collect()
        }
    }
}

/// A bank that does not give back its table, as `node: bank, word, entry`: a fault of this program, and no build.
pub(crate) fn packed_wrong(design: &Design, plan: &Plan) -> Option<String> {
    design.iter().find_map(|(id, node)| {
        let layout = plan.stage(id).directive.layout(node);
        let tables = node.op.tables().iter().filter(|table| table.packed.is_some());
        tables.flat_map(|table| (0..table.subspaces).map(move |c| (table, c))).find_map(|(table, c)| {
            let (word, lane) = table.bank(c, layout).first_wrong(table, c, layout)?;
            Some(format!("{}, subspace {c}: word {word}, entry {lane}", node.name))
        })
    })
}

/// Bits of an index below `count`, at least one.
pub(crate) fn index_bits(count: usize) -> u32 {
    count.next_power_of_two().ilog2().max(1)
}

fn of_node(stem: &str, node: &Node, directive: Directive, loaded: bool) -> Vec<Image> {
    let Directive { elements, fold, .. } = directive;
    let layout = directive.layout(node);
    // The constants of an arithmetic unit follow from its formats.
    let of_unit = matches!(node.op, Op::Norm { .. } | Op::Softmax { .. } | Op::Gelu { .. });
    let image = |suffix: &str, word_is: &str, lane_is, lane_bits, lanes, signed, values| Image {
        file: format!("{stem}_{suffix}.hex"),
        node: node.name.clone(),
        word_is: word_is.to_owned(),
        lane_is,
        lane_bits,
        lanes,
        signed,
        loaded: loaded && !of_unit,
        values,
    };
    // Bits of a word as they are stored; of a bank that is constant there is nothing.
    let packed = |name: String, what: &str, bank: &StoredBank| {
        let values = bank.contents().into_iter().map(i64::from).collect();
        (bank.width() > 0).then(|| image(&name, what, "stored bit", 1, bank.width(), false, values))
    };
    let unsigned = |table: &[u32]| table.iter().map(|&v| i64::from(v)).collect::<Vec<_>>();
    match &node.op {
        Op::Scores { table, .. } | Op::Mix { table, .. } if elements == Elements::Parallel => {
            let codes = 1 << (table.rows.ilog2() / 2);
            let one = |(c, entries): (usize, &[i32])| {
                let (name, what) = (format!("bank{c}"), format!("subspace {c}, left code"));
                if table.packed.is_some() {
                    return packed(name, &what, &table.bank(c, layout));
                }
                let values = entries.iter().map(|&e| i64::from(e)).collect();
                Some(image(&name, &what, "right code", table.bits, codes, true, values))
            };
            table.entries.chunks_exact(table.rows).enumerate().filter_map(one).collect()
        }
        Op::Lookup { .. } | Op::ConstantScores { .. } | Op::Scores { .. } | Op::Mix { .. } => {
            let tables = node.op.tables();
            let of_table = |(t, table): (usize, &IntTable)| {
                let (c, bank) = (table.subspaces, table.rows * table.outputs);
                let what = |c: usize| match tables.len() {
                    1 if fold > 1 => format!("subspace {c}, code x {fold} + part"),
                    1 => format!("subspace {c}, code"),
                    _ => format!("head {t}, subspace {c}, code"),
                };
                let outputs = part(table.outputs, fold);
                // The last part of a row may be short of outputs; zeros stand there.
                let filled = outputs * fold as usize - table.outputs;
                let one = |(i, entries): (usize, &[i32])| {
                    let name = format!("bank{}", t * c + i);
                    if table.packed.is_some() {
                        return packed(name, &what(i), &table.bank(i, layout));
                    }
                    let row = |row: &[i32]| {
                        let values: Vec<i64> = row.iter().map(|&e| i64::from(e)).collect();
                        values.into_iter().chain(std::iter::repeat_n(0, filled))
                    };
                    let values = entries.chunks_exact(table.outputs).flat_map(row).collect();
                    Some(image(&name, &what(i), "output", table.bits, outputs, true, values))
                };
                let banks = table.entries.chunks_exact(bank).enumerate();
                let mut all: Vec<Image> = banks.filter_map(one).collect();
                if let (Some(bias), true) = (&table.bias, fold > 1) {
                    let values = bias.iter().copied().chain(std::iter::repeat_n(0, filled)).collect();
                    let width = node.value.format.width;
                    all.push(image("bias", "part", "output", width, outputs, true, values));
                }
                all
            };
            tables.iter().enumerate().flat_map(of_table).collect()
        }
        Op::Encode { encoder, .. } => match &encoder.kind {
            // Thresholds are constants of the encoder's module, or come below.
            IntEncoderKind::Tree { .. } => Vec::new(),
            IntEncoderKind::Nearest { prototypes, width, .. } => (0..encoder.subspaces)
                .map(|c| {
                    let range = encoder.range(c);
                    let values = prototypes
                        .chunks(encoder.features)
                        .flat_map(|p| p[range.clone()].iter().copied())
                        .collect();
                    let name = format!("prototypes{c}");
                    let what = format!("subspace {c}, prototype");
                    image(&name, &what, "feature", *width, range.len(), true, values)
                })
                .collect(),
        },
        Op::Position { constants, .. } => {
            vec![image(
                "constants",
                "row",
                "lane",
                node.value.format.width,
                node.value.lanes,
                true,
                constants.clone(),
            )]
        }
        Op::Norm { unit, .. } => {
            vec![image(
                "gain",
                "reciprocal square root",
                "value",
                unit.rsqrt_width,
                1,
                false,
                unsigned(&unit.rsqrt),
            )]
        }
        Op::Softmax { unit } => vec![
            image("power", "power of two", "value", 10, 1, false, unsigned(&unit.pow2)),
            image("recip", "reciprocal", "value", unit.recip_width, 1, false, unsigned(&unit.recip)),
        ],
        Op::Gelu { unit } => {
            vec![image("bump", "bump", "value", unit.bump_width, 1, false, unsigned(&unit.bump))]
        }
        Op::Window { .. }
        | Op::Requantise { .. }
        | Op::Transpose { .. }
        | Op::History
        | Op::Residual { .. }
        | Op::Relu
        | Op::Select { .. }
        | Op::SumRows
        | Op::Threshold { .. } => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_written_and_read_back() {
        assert_eq!(hex(&[-1, 2, 0], 6), "000bf");
        assert_eq!(hex(&[5], 3), "5");
        let image = Image {
            file: String::new(),
            node: String::new(),
            word_is: String::new(),
            lane_is: "output",
            lane_bits: 6,
            lanes: 3,
            signed: true,
            loaded: false,
            values: vec![-1, 2, 0, -32, 31, 7],
        };
        assert_eq!(image.text(), "000bf\n077e0\n");
        for (w, line) in image.text().lines().enumerate() {
            for l in 0..3 {
                assert_eq!(image.lane(line, l), Some(image.values[w * 3 + l]));
            }
        }
        assert_eq!(image.lane("x", 0), None);
        assert_eq!(image.lane("1", 1), None);
    }
}
