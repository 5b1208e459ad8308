//! A table's module: banks free, so for every content at once.

use std::ops::Range;

use tablewright_design::{IntTable, StoredBank};

use super::pipeline::{Pipeline, signed_constant};
use crate::packed::wired;

/// A table module: one table, or several of one shape side by side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tables<'a> {
    /// The module.
    pub module: &'a str,
    /// What it adds up.
    pub side_by_side: &'a [IntTable],
    /// Bits of a sum.
    pub sum_width: u32,
    /// Cycles from the codes to the sums.
    pub latency: u64,
    /// The banks, table by table, subspace by subspace; each with the name of its instance, unless it is constant.
    pub banks: &'a [(StoredBank, Option<String>)],
    /// Cycles from an address to a bank's answer.
    pub answers: u64,
    /// The instance that holds a bias that is loaded.
    pub held_bias: Option<&'a str>,
}

/// The checker of a table module: addresses are the codes, and the result is the sum of what the banks answered, as many
/// cycles later as the plan says. Where every answer lies between the extremes of its own column, no sum leaves the
/// bounds that its width was made for; of tables that are loaded, for all entries and every bias in its range.
///
/// Lanes share nothing but addresses, so the checker may look at some of them: `lanes`, of all tables together.
pub(crate) fn checker(of: Tables<'_>, lanes: Range<usize>) -> String {
    let Tables { module, side_by_side: tables, sum_width, latency, banks, answers, held_bias } = of;
    // Tables side by side have one shape.
    let shape = &tables[0];
    let code = u64::from(shape.rows.ilog2());
    let (bits, sum) = (u64::from(shape.bits), u64::from(sum_width));
    let (outputs, subspaces) = (shape.outputs, shape.subspaces);
    // The reference never overflows: it has room for all operands and their shifts.
    let most = tables.iter().flat_map(|t| t.shifts.iter().copied()).max().unwrap_or(0);
    let wide = sum.max(bits) + u64::from(most) + u64::from((subspaces + 1).ilog2()) + 2;
    let mut p = Pipeline::new(code * banks.len() as u64, sum * (outputs * tables.len()) as u64);
    let mut ports = Vec::new();
    for (c, (stored, bank)) in banks.iter().enumerate() {
        let Some(bank) = bank else { continue };
        p.input(&format!("row_{c}"), stored.width() as u64);
        let address = u64::from(stored.address_bits());
        p.wire(&format!("address_{c}"), address, None);
        ports.push((format!("{bank}.address"), format!("address_{c}")));
        ports.push((format!("{bank}.data"), format!("row_{c}")));
        let low = c as u64 * code;
        p.never(format!("(address_{c} != in_data[{}:{low}])", low + address - 1));
        if shape.loaded.is_some() {
            // Asked for what counts.
            ports.extend(p.joined(bank, &[("read", "in_valid")]));
        }
    }
    if shape.loaded.is_some() {
        ports.extend(p.load_bus());
    }
    if let Some(held) = held_bias {
        // Whatever it is, it stays.
        p.kept("bias", sum * outputs as u64);
        ports.push((format!("{held}.data"), "bias".to_owned()));
        ports.extend(p.joined(held, &[]));
    }
    p.instance(module, "", &ports);
    p.valid_after(latency);
    for lane in lanes {
        let (t, o) = (lane / outputs, lane % outputs);
        let table = &tables[t];
        let mut terms: Vec<String> = Vec::new();
        let mut legal = Vec::new();
        for c in 0..subspaces {
            let bank = t * subspaces + c;
            let entry = format!("entry_{bank}_{o}");
            p.signed(&entry, bits, &wired(&banks[bank].0, &format!("row_{bank}"), o));
            // Widened before it is shifted: a shift's width is that of where it stands.
            p.signed(&format!("wide_{bank}_{o}"), wide, &entry);
            terms.push(format!("(wide_{bank}_{o} <<< {})", table.shifts[c]));
            // What is loaded may be anything.
            if table.loaded.is_some() {
                continue;
            }
            let column = (0..table.rows).map(|r| i64::from(table.entry(c, r, o)));
            let (least, largest) = column.fold((i64::MAX, i64::MIN), |(l, h), v| (l.min(v), h.max(v)));
            legal.push(format!("wide_{bank}_{o} >= {}", signed_constant(least, wide)));
            legal.push(format!("wide_{bank}_{o} <= {}", signed_constant(largest, wide)));
        }
        if let (Some(_), Some(loaded)) = (held_bias, table.loaded) {
            let low = o as u64 * sum;
            p.signed(&format!("own_bias_{lane}"), sum, &format!("bias[{}:{low}]", low + sum - 1));
            p.signed(&format!("bias_{lane}"), wide, &format!("own_bias_{lane}"));
            terms.push(format!("bias_{lane}"));
            for (compared, bound) in [(">=", loaded.bias.low), ("<=", loaded.bias.high)] {
                legal.push(format!("bias_{lane} {compared} {}", signed_constant(bound, wide)));
            }
        } else if let Some(bias) = &table.bias {
            terms.push(signed_constant(bias[o], wide));
        }
        if legal.is_empty() {
            legal.push("1'b1".to_owned());
        }
        p.signed(&format!("ideal_{lane}"), wide, &terms.join(" + "));
        let (low, high) = (table.bounds.low, table.bounds.high);
        p.never(format!(
            "({} && (ideal_{lane} < {} || ideal_{lane} > {}))",
            legal.join(" && "),
            signed_constant(low, wide),
            signed_constant(high, wide)
        ));
        let sums = format!("ideal_{lane}[{}:0]", sum - 1);
        let expected = p.delayed(&format!("expected_{lane}"), sum, &sums, latency - answers);
        let low = lane as u64 * sum;
        p.never(format!("(out_data[{}:{low}] != {expected})", low + sum - 1));
    }
    p.text()
}
