//! A tree encoder's module against its trees, as the design has them.

use tablewright_design::{Format, IntEncoder};

use super::pipeline::{Pipeline, signed_constant};

/// The checker: every node of every tree is compared at once and the way down read off, where the module compares one
/// node a cycle.
pub(crate) fn checker(
    module: &str,
    encoder: &IntEncoder,
    (split, threshold): (&[usize], &[i64]),
    groups: usize,
    input: Format,
    latency: u64,
) -> String {
    let (levels, nodes) = (encoder.code_bits as usize, encoder.prototypes() - 1);
    let lane = u64::from(input.width);
    let codes = (groups * encoder.subspaces * levels) as u64;
    let widest = threshold.iter().map(|t| 65 - u64::from((t ^ (t >> 63)).leading_zeros())).max().unwrap_or(1);
    let wide = widest.max(lane) + 1;
    let mut p = Pipeline::new(lane * (groups * encoder.features) as u64, codes);
    p.instance(module, "", &[]);
    p.valid_after(latency);
    for group in 0..groups {
        for c in 0..encoder.subspaces {
            let tree = format!("{group}_{c}");
            let mut way: Vec<String> = Vec::new();
            for l in 0..levels {
                let low = (group * encoder.features + split[c * levels + l]) as u64 * lane;
                let bits = format!("in_data[{}:{low}]", low + lane - 1);
                let key = format!("key_{tree}_{l}");
                if input.signed {
                    p.signed(&format!("lane_{tree}_{l}"), lane, &bits);
                } else {
                    p.signed(&format!("lane_{tree}_{l}"), lane + 1, &format!("{{1'b0, {bits}}}"));
                }
                p.signed(&key, wide, &format!("lane_{tree}_{l}"));
                let right: Vec<String> = (0..1_usize << l)
                    .rev()
                    .map(|m| {
                        let t = threshold[c * nodes + (1 << l) - 1 + m];
                        format!("{key} >= {}", signed_constant(t, wide))
                    })
                    .collect();
                p.wire(&format!("right_{tree}_{l}"), 1 << l, Some(&format!("{{{}}}", right.join(", "))));
                let here = if way.is_empty() {
                    format!("right_{tree}_0[0]")
                } else {
                    format!("right_{tree}_{l}[{{{}}}]", way.join(", "))
                };
                p.wire(&format!("bit_{tree}_{l}"), 1, Some(&here));
                way.push(format!("bit_{tree}_{l}"));
            }
            let code = format!("{{{}}}", way.join(", "));
            let expected = p.delayed(&format!("code_{tree}"), levels as u64, &code, latency);
            let low = (group * encoder.subspaces + c) * levels;
            p.never(format!("(out_data[{}:{low}] != {expected})", low + levels - 1));
        }
    }
    p.text()
}
