//! A table's module: banks free, so for every content at once.

use std::ops::Range;

use tablewright_design::IntTable;
use tablewright_plan::lookup_latency;

use super::pipeline::{Pipeline, signed_constant};

/// The checker of a table module: addresses are the codes, and the result is the sum of what the banks answered, as many
/// cycles later as the plan says. Where every answer lies between the extremes of its own column, no sum leaves the
/// bounds that its width was made for.
///
/// `banks` are the names of the banks' instances, subspace by subspace. Lanes share nothing but addresses, so the checker
/// may look at some of them: `lanes`.
pub(crate) fn checker(
    module: &str,
    table: &IntTable,
    sum_width: u32,
    banks: &[String],
    lanes: Range<usize>,
) -> String {
    let code = u64::from(table.rows.ilog2());
    let (bits, sum) = (u64::from(table.bits), u64::from(sum_width));
    let (outputs, subspaces) = (table.outputs, table.subspaces);
    // The reference never overflows: it has room for all operands and their shifts.
    let most = table.shifts.iter().copied().max().unwrap_or(0);
    let wide = sum.max(bits) + u64::from(most) + u64::from((subspaces + 1).ilog2()) + 2;
    let latency = lookup_latency(table);
    let mut p = Pipeline::new(code * subspaces as u64, sum * outputs as u64);
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
    for o in lanes {
        let mut terms: Vec<String> = Vec::new();
        let mut legal = Vec::new();
        for c in 0..subspaces {
            let entry = format!("entry_{c}_{o}");
            let low = o as u64 * bits;
            p.signed(&entry, bits, &format!("row_{c}[{}:{low}]", low + bits - 1));
            // Widened before it is shifted: a shift's width is that of where it stands.
            p.signed(&format!("wide_{c}_{o}"), wide, &entry);
            terms.push(format!("(wide_{c}_{o} <<< {})", table.shifts[c]));
            let column = (0..table.rows).map(|r| i64::from(table.entry(c, r, o)));
            let (least, largest) = column.fold((i64::MAX, i64::MIN), |(l, h), v| (l.min(v), h.max(v)));
            legal.push(format!("wide_{c}_{o} >= {}", signed_constant(least, wide)));
            legal.push(format!("wide_{c}_{o} <= {}", signed_constant(largest, wide)));
        }
        if let Some(bias) = &table.bias {
            terms.push(signed_constant(bias[o], wide));
        }
        p.signed(&format!("ideal_{o}"), wide, &terms.join(" + "));
        let (low, high) = (table.bounds.low, table.bounds.high);
        p.never(format!(
            "({} && (ideal_{o} < {} || ideal_{o} > {}))",
            legal.join(" && "),
            signed_constant(low, wide),
            signed_constant(high, wide)
        ));
        // The banks answer a cycle after they are asked.
        let expected =
            p.delayed(&format!("expected_{o}"), sum, &format!("ideal_{o}[{}:0]", sum - 1), latency - 1);
        let low = o as u64 * sum;
        p.never(format!("(out_data[{}:{low}] != {expected})", low + sum - 1));
    }
    p.text()
}
