//! A table's module: banks free, so for every content at once.

use std::ops::Range;

use tablewright_design::IntTable;

use super::pipeline::{Pipeline, signed_constant};

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
    /// Names of the banks' instances, table by table, subspace by subspace.
    pub banks: &'a [String],
}

/// The checker of a table module: addresses are the codes, and the result is the sum of what the banks answered, as many
/// cycles later as the plan says. Where every answer lies between the extremes of its own column, no sum leaves the
/// bounds that its width was made for.
///
/// Lanes share nothing but addresses, so the checker may look at some of them: `lanes`, of all tables together.
pub(crate) fn checker(of: Tables<'_>, lanes: Range<usize>) -> String {
    let Tables { module, side_by_side: tables, sum_width, latency, banks } = of;
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
    for (c, bank) in banks.iter().enumerate() {
        p.input(&format!("row_{c}"), bits * outputs as u64);
        p.wire(&format!("address_{c}"), code, None);
        ports.push((format!("{bank}.address"), format!("address_{c}")));
        ports.push((format!("{bank}.data"), format!("row_{c}")));
        let low = c as u64 * code;
        p.never(format!("(address_{c} != in_data[{}:{low}])", low + code - 1));
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
            let low = o as u64 * bits;
            p.signed(&entry, bits, &format!("row_{bank}[{}:{low}]", low + bits - 1));
            // Widened before it is shifted: a shift's width is that of where it stands.
            p.signed(&format!("wide_{bank}_{o}"), wide, &entry);
            terms.push(format!("(wide_{bank}_{o} <<< {})", table.shifts[c]));
            let column = (0..table.rows).map(|r| i64::from(table.entry(c, r, o)));
            let (least, largest) = column.fold((i64::MAX, i64::MIN), |(l, h), v| (l.min(v), h.max(v)));
            legal.push(format!("wide_{bank}_{o} >= {}", signed_constant(least, wide)));
            legal.push(format!("wide_{bank}_{o} <= {}", signed_constant(largest, wide)));
        }
        if let Some(bias) = &table.bias {
            terms.push(signed_constant(bias[o], wide));
        }
        p.signed(&format!("ideal_{lane}"), wide, &terms.join(" + "));
        let (low, high) = (table.bounds.low, table.bounds.high);
        p.never(format!(
            "({} && (ideal_{lane} < {} || ideal_{lane} > {}))",
            legal.join(" && "),
            signed_constant(low, wide),
            signed_constant(high, wide)
        ));
        // The banks answer a cycle after they are asked.
        let sums = format!("ideal_{lane}[{}:0]", sum - 1);
        let expected = p.delayed(&format!("expected_{lane}"), sum, &sums, latency - 1);
        let low = lane as u64 * sum;
        p.never(format!("(out_data[{}:{low}] != {expected})", low + sum - 1));
    }
    p.text()
}
