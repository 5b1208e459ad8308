//! The modules of tables: what is looked up is added, and for pair tables selected.

use minijinja::context;
use serde::Serialize;
use tablewright_design::{IntTable, Layout, Node, Op, StoredBank};
use tablewright_plan::{Directive, Elements, Stage, Style, pipeline};

use super::store::{Bank, Store};
use super::{Generated, Instance, bits, wires};
use crate::image::hex;

/// A bank in its module: its memory, where it has one.
#[derive(Serialize)]
struct TableBank {
    index: usize,
    words: usize,
    width: usize,
    memory: Option<Instance>,
}

impl TableBank {
    /// Reads words of `stored` into the wires `data` by a code and, where rows are folded, by the number of a part of `part_bits`.
    fn new(
        store: &Store<'_>,
        (index, stored): (usize, &StoredBank),
        (code, part_bits): (&Code, u32),
        data: &str,
        style: Style,
    ) -> Self {
        let memory = (stored.width() > 0).then(|| {
            let code = code.lowest(stored.address_bits() - part_bits);
            let (address, read) = match part_bits {
                0 => (code, "in_valid"),
                _ => (format!("{{{code}, part}}"), "part_valid"),
            };
            store.bank(Bank {
                instance: format!("u_bank_{index}"),
                suffix: format!("bank{index}"),
                words: stored.words as u64,
                width: stored.width() as u64,
                address_width: stored.address_bits(),
                address,
                data: format!("{data}_{index}"),
                read,
                style: style.rom_style(),
            })
        });
        Self { index, words: stored.words, width: stored.width(), memory }
    }

    /// What the header says of it.
    fn about(&self) -> String {
        let Self { index, words, width, .. } = self;
        match &self.memory {
            Some(_) => format!("bank {index} has {words} words x {width} bits"),
            None => format!("bank {index} is constant"),
        }
    }
}

/// A code among others side by side.
struct Code {
    codes: &'static str,
    low: usize,
    bits: usize,
}

impl Code {
    /// Its lowest bits.
    fn lowest(&self, bits: u32) -> String {
        format!("{}[{}:{}]", self.codes, self.low + bits as usize - 1, self.low)
    }

    /// Its bits that address no word of a bank whose addresses end in the number of a part, if there are such.
    fn unread(&self, bank: &StoredBank, part_bits: u32) -> Option<String> {
        let read = if bank.width() > 0 { (bank.address_bits() - part_bits) as usize } else { 0 };
        (read < self.bits)
            .then(|| format!("{}[{}:{}]", self.codes, self.low + self.bits - 1, self.low + read))
    }
}

/// Two operands to one sum, or one that waits for the next level.
#[derive(Serialize)]
struct Adder {
    name: String,
    a: String,
    b: Option<String>,
    registered: bool,
}

/// The adders over operands `n0_0`, `n0_1`, ..., level by level from level 1, and the name of the sum.
fn adder_tree(operands: usize, registered: impl Fn(usize) -> bool) -> (Vec<Adder>, String) {
    let mut level: Vec<String> = (0..operands).map(|i| format!("n0_{i}")).collect();
    let mut adders = Vec::new();
    for depth in 1.. {
        if level.len() == 1 {
            break;
        }
        let next: Vec<Adder> = level
            .chunks(2)
            .enumerate()
            .map(|(i, pair)| Adder {
                name: format!("n{depth}_{i}"),
                a: pair[0].clone(),
                b: pair.get(1).cloned(),
                registered: registered(depth),
            })
            .collect();
        level = next.iter().map(|a| a.name.clone()).collect();
        adders.extend(next);
    }
    (adders, level.swap_remove(0))
}

/// A pair table whose elements are parallel, with what waits in front of it.
pub(super) fn pair_table_module(
    module: String,
    store: Store<'_>,
    node: &Node,
    [left, right]: [&Node; 2],
    table: &IntTable,
    (timing, right_at_once): (Stage, u64),
) -> Generated {
    /// The columns of one head.
    #[derive(Serialize)]
    struct Part {
        first: usize,
        count: usize,
    }
    let cuts = timing.directive.cuts;
    let steps = pipeline::steps(node, Elements::Parallel).len();
    let (subspaces, code_bits) = (table.subspaces, table.rows.ilog2() as usize / 2);
    let group = subspaces * code_bits;
    // Where the right codes for each element of each head stand: the first bit.
    let (collect, places): (bool, Vec<Vec<usize>>) = if let Op::Mix { columns, .. } = &node.op {
        let mut first = 0;
        let of_head = |count: &usize| {
            first += count;
            (first - count..first).map(|column| column * group).collect()
        };
        (true, columns.iter().map(of_head).collect())
    } else {
        let heads = right.value.lanes / subspaces;
        let of_head = |head| (0..right.value.rows).map(|key| (key * heads + head) * group).collect();
        (false, (0..heads).map(of_head).collect())
    };
    let heads = places.len();
    let slots = places.iter().map(Vec::len).max().unwrap_or(1);
    let of_head = |of_head: &Vec<usize>| {
        let group = |slot: usize| match of_head.get(slot) {
            Some(&low) => format!("right[{}:{low}]", low + group - 1),
            None => format!("{group}'d0"),
        };
        (0..slots).rev().map(group).collect::<Vec<_>>().join(",\n    ")
    };
    let right_codes: Vec<String> = places.iter().map(of_head).collect();
    let parts: Vec<Part> = places
        .iter()
        .scan(0, |first, of_head| {
            *first += of_head.len();
            Some(Part { first: *first - of_head.len(), count: of_head.len() })
        })
        .collect();
    let (adders, root) = adder_tree(subspaces, |depth| cuts >> (depth + 1) & 1 == 1);
    let store = store.inside();
    let stored: Vec<StoredBank> = (0..subspaces).map(|c| table.bank(c, Layout::Pairs)).collect();
    let code = |index: usize| Code { codes: "in_data", low: index * code_bits, bits: code_bits };
    let bank = |(index, stored): (usize, &StoredBank)| {
        TableBank::new(&store, (index, stored), (&code(index), 0), "row", timing.directive.style)
    };
    let banks: Vec<TableBank> = stored.iter().enumerate().map(bank).collect();
    let unread: Vec<String> =
        stored.iter().enumerate().filter_map(|(i, bank)| code(i).unread(bank, 0)).collect();
    let slot = table.bits.next_power_of_two();
    let entries: Vec<Vec<String>> = stored
        .iter()
        .enumerate()
        .map(|(c, bank)| {
            let row = format!("row_{c}");
            (0..bank.lanes).map(|lane| wires::entry(bank, &row, lane, table.bits, 0)).collect()
        })
        .collect();
    let context = context! {
        title => format!("{module}: the table of {} for every pair of codes", node.name),
        module => module.clone(),
        latency => u64::from(cuts.count_ones()) + timing.delay + u64::from(collect),
        delay => timing.delay,
        split => !collect && heads > 1,
        step => timing.row_interval,
        left_width => left.value.lanes * code_bits,
        left_rows => timing.waiting_rows(left.value.rows as u64, node.value.rows as u64),
        right_rows => right.value.rows,
        right_width => right.value.lanes * code_bits,
        right_at_once,
        steps,
        cuts => bits(cuts, steps),
        style => timing.directive.style.rom_style(),
        planned => timing.directive.style.to_string(),
        select_registered => cuts >> 1 & 1 == 1,
        memories => store.count(),
        subspaces,
        heads,
        head_bits => heads.next_power_of_two().ilog2().max(1),
        slots,
        lanes => node.value.lanes,
        collect,
        words => 1_usize << code_bits,
        code_bits,
        bits => table.bits,
        sum_width => node.value.format.width,
        sum_format => node.value.format.to_string(),
        low => node.value.bounds.low,
        high => node.value.bounds.high,
        right_codes,
        slot,
        slot_bits => slot.ilog2(),
        shifts => table.shifts.clone(),
        packed => table.packed.is_some(),
        about => about(&banks),
        unread => unread.join(", "),
        entries,
        banks => crate::render::data(&banks),
        parts => crate::render::data(&parts),
        adders => crate::render::data(&adders),
        root,
    };
    Generated { module, template: "pair_table.v.j2", context }
}

/// A module with one table, or with several of the same shape side by side.
pub(super) fn table_module(
    module: String,
    store: Store<'_>,
    node: &Node,
    tables: &[IntTable],
    directive: Directive,
) -> Generated {
    /// An element of a row: its operands.
    #[derive(Serialize)]
    struct Lane {
        index: usize,
        operands: Vec<String>,
    }
    let Directive { cuts, fold, style, .. } = directive;
    let sum_width = node.value.format.width;
    // Tables side by side have one shape, and no bias.
    let table = &tables[0];
    let steps = pipeline::steps(node, Elements::Serial).len();
    let store = store.inside();
    let code_bits = table.rows.ilog2();
    let outputs = pipeline::part(table.outputs, fold);
    let code = |index: usize| Code {
        codes: if fold > 1 { "codes" } else { "in_data" },
        low: index * code_bits as usize,
        bits: code_bits as usize,
    };
    let part_bits = fold.ilog2();
    let stored: Vec<Vec<StoredBank>> = tables
        .iter()
        .map(|table| (0..table.subspaces).map(|c| table.bank(c, Layout::Rows { fold })).collect())
        .collect();
    let bank = |(index, stored): (usize, &StoredBank)| {
        TableBank::new(&store, (index, stored), (&code(index), part_bits), "word", style)
    };
    let banks: Vec<TableBank> = stored.iter().flatten().enumerate().map(bank).collect();
    let codes = stored.iter().flatten().enumerate();
    let mut unread: Vec<String> = codes.filter_map(|(i, bank)| code(i).unread(bank, part_bits)).collect();
    if fold > 1 && table.bias.is_none() && banks.iter().all(|bank| bank.memory.is_none()) {
        unread.push("part".to_owned());
    }
    let lane = |(t, o): (usize, usize)| {
        let banks = stored[t].iter().zip(&table.shifts).enumerate();
        let mut operands: Vec<String> = banks
            .map(|(c, (bank, &shift))| {
                wires::entry(bank, &format!("row_{}", t * table.subspaces + c), o, sum_width, shift)
            })
            .collect();
        if table.bias.is_some() {
            let low = o * sum_width as usize;
            operands.push(format!("bias[{}:{low}]", low + sum_width as usize - 1));
        }
        Lane { index: t * outputs + o, operands }
    };
    let lanes: Vec<Lane> =
        (0..tables.len()).flat_map(|t| (0..outputs).map(move |o| (t, o))).map(lane).collect();
    let (adders, root) =
        adder_tree(table.subspaces + usize::from(table.bias.is_some()), |depth| cuts >> (depth + 1) & 1 == 1);
    let bias = table.bias.as_ref().map(|b| hex(b, sum_width));
    let bias_width = outputs as u64 * u64::from(sum_width);
    // Added once: a constant or what is held, and of a folded table a word for each part.
    let bias_memory = bias.as_ref().filter(|_| fold > 1).map(|_| {
        store.bank(Bank {
            instance: "u_bias".to_owned(),
            suffix: "bias".to_owned(),
            words: u64::from(fold),
            width: bias_width,
            address_width: fold.ilog2(),
            address: "part".to_owned(),
            data: "bias_word".to_owned(),
            read: "part_valid",
            style: "auto",
        })
    });
    let held_bias =
        bias.as_ref().filter(|_| fold == 1).and_then(|_| store.held("bias", bias_width, "bias".to_owned()));
    let context = context! {
        title => format!("{module}: the tables of {}", node.name),
        module => module.clone(),
        latency => cuts.count_ones() + if fold > 1 { fold } else { 0 },
        fold,
        part_bits,
        // Of the last part, outputs that a row does not have.
        filled => outputs * fold as usize - table.outputs,
        style => style.rom_style(),
        planned => style.to_string(),
        bank_registered => cuts >> 1 & 1 == 1,
        steps,
        cuts => bits(cuts, steps),
        subspaces => table.subspaces,
        words => table.rows * fold as usize,
        outputs,
        bits => table.bits,
        sum_width,
        sum_format => node.value.format.to_string(),
        low => node.value.bounds.low,
        high => node.value.bounds.high,
        code_bits,
        in_width => tables.len() * table.subspaces * code_bits as usize,
        bias,
        held_bias => held_bias.map(|(held, _)| crate::render::data(&held)),
        bias_memory => bias_memory.map(|memory| crate::render::data(&memory)),
        memories => store.count(),
        packed => table.packed.is_some(),
        about => about(&banks),
        unread => unread.join(", "),
        tables => tables.len(),
        banks => crate::render::data(&banks),
        lanes => crate::render::data(&lanes),
        adders => crate::render::data(&adders),
        root,
    };
    Generated { module, template: "table.v.j2", context }
}

/// What the header of a module says of its banks.
fn about(banks: &[TableBank]) -> String {
    banks.iter().map(TableBank::about).collect::<Vec<_>>().join(", ")
}
