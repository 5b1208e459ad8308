//! A tree encoder's module against its trees: as the design has them, or whatever is loaded.

use tablewright_design::{Format, IntEncoder};

use super::pipeline::{Pipeline, signed_constant};

/// Where the features that a tree looks at and its thresholds come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Contents<'a> {
    /// They are the design's: features of the row `[C, levels]` and thresholds `[C, K - 1]`.
    Constant(&'a [usize], &'a [i64]),
    /// They are loaded: thresholds of so many bits.
    Loaded(u32),
}

/// Cells that hold what is loaded; in a proof it is free.
pub(crate) const HELD: &str = "tw_held";

/// The instances of [`HELD`] in a module with so many subspaces: of each the features that are chosen, then the thresholds.
pub(crate) fn held(subspaces: usize) -> Vec<String> {
    (0..subspaces).flat_map(|c| [format!("u_chosen_{c}"), format!("u_held_{c}")]).collect()
}

/// The checker: every node of every tree is compared at once and the way down read off, where the module compares one
/// node a cycle.
pub(crate) fn checker(
    module: &str,
    encoder: &IntEncoder,
    contents: Contents<'_>,
    groups: usize,
    input: Format,
    latency: u64,
) -> String {
    let (levels, nodes) = (encoder.code_bits as usize, encoder.prototypes() - 1);
    let lane = u64::from(input.width);
    let codes = (groups * encoder.subspaces * levels) as u64;
    let widest = match contents {
        Contents::Constant(_, threshold) => {
            threshold.iter().map(|t| 65 - u64::from((t ^ (t >> 63)).leading_zeros())).max().unwrap_or(1)
        }
        Contents::Loaded(width) => u64::from(width),
    };
    let wide = widest.max(lane) + 1;
    let mut p = Pipeline::new(lane * (groups * encoder.features) as u64, codes);
    let mut ports = Vec::new();
    if let Contents::Loaded(width) = contents {
        ports.extend(p.load_bus());
        for c in 0..encoder.subspaces {
            // Whatever is loaded stays while rows are inside.
            let index = index_bits(encoder.range(c).len());
            p.kept(&format!("chosen_{c}"), levels as u64 * index);
            p.kept(&format!("held_{c}"), nodes as u64 * u64::from(width));
            for n in 0..nodes as u64 {
                let bits = format!("held_{c}[{}:{}]", (n + 1) * u64::from(width) - 1, n * u64::from(width));
                p.signed(&format!("threshold_{c}_{n}"), u64::from(width), &bits);
            }
            for kind in ["chosen", "held"] {
                ports.push((format!("u_{kind}_{c}.data"), format!("{kind}_{c}")));
                ports.extend(p.joined(&format!("u_{kind}_{c}"), &[]));
            }
        }
    }
    p.instance(module, "", &ports);
    p.valid_after(latency);
    for group in 0..groups {
        for c in 0..encoder.subspaces {
            let tree = format!("{group}_{c}");
            let mut way: Vec<String> = Vec::new();
            for l in 0..levels {
                let key = format!("key_{tree}_{l}");
                let bits = match contents {
                    Contents::Constant(split, _) => {
                        let low = (group * encoder.features + split[c * levels + l]) as u64 * lane;
                        format!("in_data[{}:{low}]", low + lane - 1)
                    }
                    Contents::Loaded(_) => chosen(&mut p, encoder, (group, c, l), lane),
                };
                if input.signed {
                    p.signed(&format!("lane_{tree}_{l}"), lane, &bits);
                } else {
                    p.signed(&format!("lane_{tree}_{l}"), lane + 1, &format!("{{1'b0, {bits}}}"));
                }
                p.signed(&key, wide, &format!("lane_{tree}_{l}"));
                let right: Vec<String> = (0..1_usize << l)
                    .rev()
                    .map(|m| {
                        let node = (1 << l) - 1 + m;
                        let threshold = match contents {
                            Contents::Constant(_, threshold) => {
                                signed_constant(threshold[c * nodes + node], wide)
                            }
                            Contents::Loaded(_) => format!("threshold_{c}_{node}"),
                        };
                        format!("{key} >= {threshold}")
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

/// The feature that is chosen for a level of a tree; 0 where a number is none of a feature, which no image has.
fn chosen(p: &mut Pipeline, encoder: &IntEncoder, (group, c, l): (usize, usize, usize), lane: u64) -> String {
    let range = encoder.range(c);
    let index = index_bits(range.len());
    let (row, name) = (format!("features_{group}_{c}"), format!("feature_{group}_{c}_{l}"));
    let places = 1_u64 << index;
    if l == 0 {
        let low = (group * encoder.features + range.start) as u64 * lane;
        let high = low + range.len() as u64 * lane - 1;
        let none = (places - range.len() as u64) * lane;
        let padded = match none {
            0 => format!("in_data[{high}:{low}]"),
            none => format!("{{{none}'d0, in_data[{high}:{low}]}}"),
        };
        p.wire(&row, places * lane, Some(&padded));
    }
    let from = format!("chosen_{c}[{}:{}]", (l as u64 + 1) * index - 1, l as u64 * index);
    p.wire(&name, lane, Some(&format!("{row}[{from} * {lane} +: {lane}]")));
    name
}

/// Bits of the number of a feature.
fn index_bits(features: usize) -> u64 {
    u64::from(features.next_power_of_two().ilog2().max(1))
}
