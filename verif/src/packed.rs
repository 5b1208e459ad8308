//! Banks that are stored without what repeats in them: do the images of a build, spread out as the design says, hold the whole
//! tables? That the Verilog's wires spread them out so is proved with the tables' sums (`formal/table.rs`, `formal/pair.rs`).

use std::collections::HashSet;
use std::path::Path;

use tablewright_design::{Design, IntTable, Layout, NodeId, Source, StoredBank};
use tablewright_emit::{BuildDir, Names};
use tablewright_golden::{Golden, Read};
use tablewright_plan::Plan;

/// What was compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// Banks that are packed.
    pub banks: u64,
    /// Entries of their tables.
    pub entries: u64,
    /// Entries that no code reaches; nothing is stored of them.
    pub unread: u64,
    /// Bits of the banks as they would be.
    pub whole_bits: u64,
    /// Bits stored.
    pub stored_bits: u64,
    /// The first thing that is not as it should be.
    pub wrong: Option<String>,
}

/// Reads the image of every packed bank and compares what comes out of it with the whole table, for every code that can occur.
pub fn check_packed(build: &BuildDir, design: &Design, plan: &Plan) -> Compared {
    let names = Names::new(&design.name);
    let mut found = Compared::default();
    for (id, node) in design.iter() {
        let layout = plan.stage(id).directive.layout(node);
        let tables = node.op.tables();
        for (t, table) in tables.iter().enumerate().filter(|(_, table)| table.packed.is_some()) {
            for c in 0..table.subspaces {
                let file = format!("{}_bank{}.hex", names.node(&node.name), t * table.subspaces + c);
                let wrong = found.compare(&build.mem().join(&file), table, c, layout);
                found.wrong = found.wrong.or_else(|| wrong.map(|what| format!("{file}: {what}")));
            }
        }
    }
    found
}

/// What golden runs looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LookedUp {
    /// Rows that may be looked up, of packed tables.
    pub rows: u64,
    /// Rows that no code should reach.
    pub unread: u64,
    /// Of the former, those that were.
    pub seen: u64,
    /// A row that should not have been.
    pub wrong: Option<String>,
}

/// Whether runs of the golden model look up rows that are stored, and only those. `inputs` is what the design takes.
pub fn check_looked_up(design: &Design, inputs: &[Vec<u8>]) -> LookedUp {
    let mut found = LookedUp::default();
    let mut seen: HashSet<(NodeId, Read)> = HashSet::new();
    let mut golden = Golden::new(design);
    for input in inputs {
        golden.run(input);
        for (id, _) in design.iter() {
            seen.extend(golden.looked_up(design, id).into_iter().map(|read| (id, read)));
        }
    }
    for (id, node) in design.iter() {
        for (t, table) in node.op.tables().iter().enumerate() {
            let Some(stored) = &table.packed else { continue };
            for (at, stored) in stored.iter().enumerate() {
                let read = Read { table: t, subspace: at / table.rows, row: at % table.rows };
                let was = seen.contains(&(id, read));
                found.rows += u64::from(*stored);
                found.unread += u64::from(!stored);
                found.seen += u64::from(was && *stored);
                if was && !stored && found.wrong.is_none() {
                    let Read { subspace, row, .. } = read;
                    found.wrong = Some(format!(
                        "{}: row {row} of subspace {subspace} is looked up, and not stored",
                        node.name
                    ));
                }
            }
        }
    }
    found
}

impl Compared {
    /// One bank. What is wrong with it, if anything is.
    fn compare(&mut self, image: &Path, table: &IntTable, c: usize, layout: Layout) -> Option<String> {
        let bank = table.bank(c, layout);
        self.banks += 1;
        self.entries += (table.rows * table.outputs) as u64;
        self.whole_bits += (table.rows * table.outputs) as u64 * u64::from(table.bits);
        self.stored_bits += (bank.words * bank.width()) as u64;
        let words = match (bank.width(), std::fs::read_to_string(image)) {
            // A constant has no image.
            (0, _) => Vec::new(),
            (_, Ok(text)) => text.lines().map(bits_of).collect(),
            (_, Err(e)) => return Some(format!("cannot be read ({e})")),
        };
        let (whole, lanes) = table.laid_out(layout);
        let mut first = None;
        for (word, lane) in (0..whole).flat_map(|word| (0..lanes).map(move |lane| (word, lane))) {
            let Some((row, output)) = table.place(layout, word, lane) else { continue };
            if !table.packed.as_ref().is_none_or(|read| read[c * table.rows + row]) {
                self.unread += 1;
                continue;
            }
            let given = expanded(&bank, words.get(word).map(Vec::as_slice).unwrap_or_default(), lane);
            let right = i64::from(table.entry(c, row, output));
            if given != Some(right) && first.is_none() {
                let given = given.map_or("nothing".to_owned(), |value| value.to_string());
                first = Some(format!("word {word}, entry {lane}: is {given}, the table has {right}"));
            }
        }
        first
    }
}

/// The bits of a word of an image, the lowest first, as far as they are hexadecimal.
fn bits_of(line: &str) -> Vec<bool> {
    let digits = line.trim().chars().rev().map_while(|digit| digit.to_digit(16));
    digits.flat_map(|digit| (0..4).map(move |bit| digit >> bit & 1 == 1)).collect()
}

/// The value of an entry in two's complement; `None` where the word lacks a bit of it.
fn expanded(bank: &StoredBank, word: &[bool], lane: usize) -> Option<i64> {
    let mut value = 0;
    for bit in 0..bank.bits {
        let set = match bank.sources[lane * bank.bits as usize + bit as usize] {
            Source::Constant(set) => set,
            Source::Stored { column, inverted } => *word.get(column)? ^ inverted,
        };
        let weight = if bit + 1 == bank.bits { -(1 << bit) } else { 1 << bit };
        value += if set { weight } else { 0 };
    }
    Some(value)
}

/// An entry as the wires make it of a row of stored bits, bit by bit, for the proofs.
pub(crate) fn wired(bank: &StoredBank, row: &str, lane: usize) -> String {
    let bits = bank.bits as usize;
    let bit = |source: &Source| match *source {
        Source::Constant(set) => format!("1'b{}", u8::from(set)),
        Source::Stored { column, inverted: false } => format!("{row}[{column}]"),
        Source::Stored { column, inverted: true } => format!("!{row}[{column}]"),
    };
    let all: Vec<String> = bank.sources[lane * bits..][..bits].iter().rev().map(bit).collect();
    format!("{{{}}}", all.join(", "))
}
