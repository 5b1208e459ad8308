//! A pair table whose elements are parallel: banks, the rows kept and the delay are free, the heads are counted.

use std::ops::Range;

use tablewright_design::{IntTable, StoredBank};

use super::pipeline::{Pipeline, signed_constant};
use crate::packed::wired;

/// The module, and where its right codes stand.
#[derive(Debug, Clone)]
pub(crate) struct Pair<'a> {
    /// The module.
    pub module: &'a str,
    /// Its table: one bank for each subspace, a row for each pair of codes, the left one in the upper bits.
    pub table: &'a IntTable,
    /// Bits of a sum.
    pub sum_width: u32,
    /// Cycles from a left code to its sums, waiting left out.
    pub latency: u64,
    /// Bits of a left row.
    pub left_width: u64,
    /// Bits of the right rows that come at once.
    pub right_width: u64,
    /// Bits of all right rows.
    pub kept_width: u64,
    /// Of each head, of each of its elements: the first bit of the right codes among the rows kept.
    pub places: Vec<Vec<u64>>,
    /// The elements of all heads leave as one row, and left rows come head by head.
    pub collect: bool,
    /// Left rows wait.
    pub delayed: bool,
    /// The banks, subspace by subspace; each with the name of its instance, unless it is constant.
    pub banks: &'a [(StoredBank, Option<String>)],
}

/// Cells inside the module that are left free, beside the banks.
const FREE: [&str; 3] = ["tw_row_store", "tw_delay", "tw_split"];

/// The right codes of the head whose entries the banks show. They are compared with what they should be, and what they select is
/// found by them, as in the module: then both find it with one cell, and only sums are left to decide.
const CODES: &str = "codes";

impl Pair<'_> {
    /// Cells inside the module that are left free.
    pub(crate) fn free(&self) -> Vec<&'static str> {
        let bank = if self.table.loaded.is_some() { "tw_bank" } else { "tw_rom" };
        FREE.into_iter().chain([bank]).collect()
    }

    /// Elements of the longest head.
    pub(crate) fn slots(&self) -> usize {
        self.places.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Cycles that a proof has to see.
    pub(crate) fn depth(&self) -> u64 {
        self.latency + u64::from(self.collect) + 1
    }

    /// Signals of the module that become ports: the counters of heads, and the right codes that select.
    pub(crate) fn shown(&self) -> Vec<&'static str> {
        let mut shown = self.counters().to_vec();
        shown.push(CODES);
        shown
    }

    fn counters(&self) -> &'static [&'static str] {
        match (self.places.len() > 1, self.collect) {
            (false, _) => &[],
            (true, false) => &["head"],
            (true, true) => &["head", "sum_head"],
        }
    }

    fn split(&self) -> bool {
        !self.collect && self.places.len() > 1
    }

    fn head_bits(&self) -> u64 {
        u64::from(self.places.len().next_power_of_two().ilog2().max(1))
    }

    /// The checker of elements `slots` of every head.
    pub(crate) fn checker(&self, slots: Range<usize>) -> String {
        let table = self.table;
        let code = u64::from(table.rows.ilog2() / 2);
        let (bits, sum, heads) = (u64::from(table.bits), u64::from(self.sum_width), self.places.len());
        let in_width = code * table.subspaces as u64;
        let lanes: usize = if self.collect { self.places.iter().map(Vec::len).sum() } else { self.slots() };
        let mut p = Pipeline::with_output(sum * lanes as u64);
        let mut ports = self.surroundings(&mut p, in_width);
        for (c, (stored, bank)) in self.banks.iter().enumerate() {
            let entries: Vec<String> =
                (0..stored.lanes).rev().map(|lane| wired(stored, &format!("row_{c}"), lane)).collect();
            let slot = bits.next_power_of_two();
            let slots: Vec<String> = match slot - bits {
                0 => entries,
                padding => entries.iter().map(|entry| format!("{padding}'d0, {entry}")).collect(),
            };
            p.wire(&format!("slots_{c}"), slot << code, Some(&format!("{{{}}}", slots.join(", "))));
            let Some(bank) = bank else { continue };
            p.input(&format!("row_{c}"), stored.width() as u64);
            let address = u64::from(stored.address_bits());
            p.wire(&format!("address_{c}"), address, None);
            ports.push((format!("{bank}.address"), format!("address_{c}")));
            ports.push((format!("{bank}.data"), format!("row_{c}")));
            if table.loaded.is_some() {
                ports.extend(p.joined(bank, &[("read", "in_valid")]));
            }
            let low = c as u64 * code;
            p.never(format!("(address_{c} != in_data[{}:{low}])", low + address - 1));
        }
        if table.loaded.is_some() {
            ports.extend(p.load_bus());
        }
        for counter in self.counters() {
            p.wire(counter, self.head_bits(), None);
            ports.push(((*counter).to_owned(), (*counter).to_owned()));
        }
        p.wire(CODES, (self.slots() * table.subspaces) as u64 * code, None);
        ports.push((CODES.to_owned(), CODES.to_owned()));
        let inputs = ["left_valid", "left_data", "right_valid", "right_data"];
        p.instance_of(self.module, "", &inputs, &ports);
        let sum_valid = p.valid_chain(self.latency);
        if heads > 1 {
            self.counts(&mut p, "head", "in_valid");
        }
        // The head of the codes whose entries the banks show.
        let head =
            if heads > 1 { p.delayed("head_then", self.head_bits(), "head", 1) } else { String::new() };
        let sums: Vec<(usize, String, String)> = slots.map(|s| self.element(&mut p, s, &head)).collect();
        if self.collect {
            self.collected(&mut p, &sum_valid, &sums);
        } else {
            p.never(format!("(out_valid != {sum_valid})"));
            for (s, expected, exists) in &sums {
                let low = *s as u64 * sum;
                p.never(format!("({exists} && out_data[{}:{low}] != {expected})", low + sum - 1));
            }
        }
        p.text()
    }

    /// The cells that are left free get what they should; what they answer is `in_valid`, `in_data` and `kept`.
    fn surroundings(&self, p: &mut Pipeline, in_width: u64) -> Vec<(String, String)> {
        for (name, width) in [
            ("left_valid", 1),
            ("left_data", self.left_width),
            ("right_valid", 1),
            ("right_data", self.right_width),
            ("kept", self.kept_width),
        ] {
            p.input(name, width);
        }
        let mut ports = vec![("u_right.data".to_owned(), "kept".to_owned())];
        let mut fed = |p: &mut Pipeline, cell: &str, valid: &str, data: &str, width: u64| {
            let short = cell.trim_start_matches("u_");
            for (port, wanted, width) in [("in_valid", valid, 1), ("in_data", data, width)] {
                let name = format!("{short}_{port}");
                p.wire(&name, width, None);
                p.never(format!("({name} != {wanted})"));
                ports.push((format!("{cell}.{port}"), name));
            }
        };
        fed(p, "u_right", "right_valid", "right_data", self.right_width);
        let (mut valid, mut data) = ("left_valid", "left_data");
        if self.delayed {
            fed(p, "u_left", valid, data, self.left_width);
            (valid, data) = ("waited_valid", "waited_data");
        }
        if self.split() {
            fed(p, "u_heads", valid, data, self.left_width);
        }
        if self.delayed {
            p.input("waited_valid", 1);
            p.input("waited_data", self.left_width);
            ports.push(("u_left.out_valid".to_owned(), "waited_valid".to_owned()));
            ports.push(("u_left.out_data".to_owned(), "waited_data".to_owned()));
        }
        if self.split() {
            p.input("in_valid", 1);
            p.input("in_data", in_width);
            ports.push(("u_heads.out_valid".to_owned(), "in_valid".to_owned()));
            ports.push(("u_heads.out_data".to_owned(), "in_data".to_owned()));
        } else {
            p.wire("in_valid", 1, Some(valid));
            p.wire("in_data", in_width, Some(data));
        }
        ports
    }

    /// A counter of heads goes on with each row, and begins again after the last and in reset.
    fn counts(&self, p: &mut Pipeline, counter: &str, row: &str) {
        let (bits, heads) = (self.head_bits(), self.places.len());
        let next =
            format!("(!rst_n ? 0 : !{row} ? {counter} : {counter} == {} ? 0 : {counter} + 1)", heads - 1);
        p.wire(&format!("{counter}_next"), bits, Some(&next));
        let next = p.delayed(&format!("{counter}_should"), bits, &format!("{counter}_next"), 1);
        let legal = p.delayed(&format!("{counter}_legal"), 1, &format!("(!rst_n || {counter} < {heads})"), 1);
        p.never(format!("({legal} && {counter} != {next})"));
    }

    /// Element `slot` of the head whose number is `head`: its index, its sum when that is due, and whether there is one.
    fn element(&self, p: &mut Pipeline, slot: usize, head: &str) -> (usize, String, String) {
        let table = self.table;
        let code = u64::from(table.rows.ilog2() / 2);
        let (bits, sum) = (u64::from(table.bits), u64::from(self.sum_width));
        let most = table.shifts.iter().copied().max().unwrap_or(0);
        let wide = sum.max(bits) + u64::from(most) + u64::from((table.subspaces + 1).ilog2()) + 2;
        let with: Vec<(usize, u64)> =
            self.places.iter().enumerate().filter_map(|(h, of)| Some((h, *of.get(slot)?))).collect();
        let any: Vec<String> = with.iter().map(|(h, _)| format!("{head} == {h}")).collect();
        let exists =
            if self.places.len() == 1 { "1'b1".to_owned() } else { format!("({})", any.join(" || ")) };
        let (mut terms, mut legal) = (Vec::new(), Vec::new());
        for c in 0..table.subspaces {
            let place = |first: u64| {
                let low = first + c as u64 * code;
                format!("kept[{}:{low}]", low + code - 1)
            };
            let chosen = match with.as_slice() {
                [(_, only)] => place(*only),
                _ => with.iter().rev().fold(format!("{code}'d0"), |rest, (h, first)| {
                    format!("({head} == {h} ? {} : {rest})", place(*first))
                }),
            };
            let low = (slot * table.subspaces + c) as u64 * code;
            let right = format!("{CODES}[{}:{low}]", low + code - 1);
            p.never(format!("({exists} && {right} != {chosen})"));
            let entry = format!("entry_{c}_{slot}");
            let first = bits.next_power_of_two().ilog2();
            p.signed(&entry, bits, &format!("slots_{c}[{{{right}, {first}'d0}} +: {bits}]"));
            p.signed(&format!("wide_{c}_{slot}"), wide, &entry);
            terms.push(format!("(wide_{c}_{slot} <<< {})", table.shifts[c]));
            // What is loaded may be anything.
            if table.loaded.is_some() {
                continue;
            }
            let entries = (0..table.rows).map(|r| i64::from(table.entry(c, r, 0)));
            let (least, largest) = entries.fold((i64::MAX, i64::MIN), |(l, h), v| (l.min(v), h.max(v)));
            legal.push(format!("wide_{c}_{slot} >= {}", signed_constant(least, wide)));
            legal.push(format!("wide_{c}_{slot} <= {}", signed_constant(largest, wide)));
        }
        p.signed(&format!("ideal_{slot}"), wide, &terms.join(" + "));
        if legal.is_empty() {
            legal.push("1'b1".to_owned());
        }
        p.never(format!(
            "({} && (ideal_{slot} < {} || ideal_{slot} > {}))",
            legal.join(" && "),
            signed_constant(table.bounds.low, wide),
            signed_constant(table.bounds.high, wide)
        ));
        // The banks answer a cycle after they are asked.
        let value = format!("ideal_{slot}[{}:0]", sum - 1);
        let expected = p.delayed(&format!("expected_{slot}"), sum, &value, self.latency - 1);
        let exists = match self.places.len() {
            1 => exists,
            _ => p.delayed(&format!("exists_{slot}_then"), 1, &exists, self.latency - 1),
        };
        (slot, expected, exists)
    }

    /// Elements wait in their places of the row; the last head's make it whole.
    fn collected(&self, p: &mut Pipeline, sum_valid: &str, sums: &[(usize, String, String)]) {
        let (sum, heads) = (u64::from(self.sum_width), self.places.len());
        if heads > 1 {
            self.counts(p, "sum_head", sum_valid);
        }
        let of_head = |head: usize| if heads > 1 { format!("sum_head == {head}") } else { "1'b1".to_owned() };
        p.wire("whole", 1, Some(&format!("rst_n && {sum_valid} && {}", of_head(heads - 1))));
        let whole = p.delayed("whole_then", 1, "whole", 1);
        p.never(format!("(out_valid != {whole})"));
        let mut first = 0;
        for (h, places) in self.places.iter().enumerate() {
            p.wire(&format!("loads_{h}"), 1, Some(&format!("{sum_valid} && {}", of_head(h))));
            for (s, expected, exists) in sums.iter().filter(|(s, ..)| *s < places.len()) {
                let low = (first + s) as u64 * sum;
                let lane = format!("out_data[{}:{low}]", low + sum - 1);
                let next = format!("(loads_{h} ? {expected} : {lane})");
                let next = p.delayed(&format!("kept_{h}_{s}"), sum, &next, 1);
                let known = p.delayed(&format!("known_{h}_{s}"), 1, &format!("(!loads_{h} || {exists})"), 1);
                p.never(format!("({known} && {lane} != {next})"));
            }
            first += places.len();
        }
    }
}
