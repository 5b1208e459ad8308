//! Windows or accesses to simulate: corners first, then what a trace gave, then random ones.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt::Write;

use tablewright_design::{Design, NodeId, Op};
use tablewright_emit::{CoreVectors, PrefetcherVectors, hex, stream_widths};
use tablewright_golden::{Demand, Golden, Prefetcher};

use crate::steering::Steering;

/// A small generator of pseudo-random numbers (xorshift64*), the same on every machine.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03 | 1)
    }

    /// 32 bits.
    pub fn word(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32
    }
}

/// What a design takes, `count` times: windows, or where it is a streaming one accesses that follow each other.
///
/// All zeros, all ones, alternating, one-hot rows; then those of `traced`; then random ones, half of them walks through
/// memory.
pub fn windows(design: &Design, count: usize, traced: &[Vec<u8>], seed: u64) -> Vec<Vec<u8>> {
    let (history, segments) = (design.network.history, design.network.segments);
    let each = design.accesses() * segments;
    let top = ((1_u32 << design.input.segment_bits) - 1) as u8;
    let filled = |value: &dyn Fn(usize, usize) -> u8| -> Vec<u8> {
        (0..each).map(|i| value(i / segments, i % segments)).collect()
    };
    let mut all = vec![
        filled(&|_, _| 0),
        filled(&|_, _| top),
        filled(&|t, _| if t % 2 == 0 { 0 } else { top }),
        filled(&|_, s| if s % 2 == 0 { top } else { 0 }),
    ];
    all.extend((0..segments.min(8)).map(|hot| filled(&|_, s| if s == hot { top } else { 0 })));
    all.truncate(count);
    all.extend(traced.iter().take(count - all.len()).cloned());
    let mut random = Random::new(seed);
    while all.len() < count {
        let next = if random.word().is_multiple_of(2) {
            (0..history * segments).map(|_| random.word() as u8 & top).collect()
        } else {
            stream(&mut random, history, segments, design.input.segment_bits)
        };
        all.extend(next.chunks_exact(each).take(count - all.len()).map(<[u8]>::to_vec));
    }
    all
}

/// Windows chosen from for each one of [`covering`].
const POOL: usize = 16;

/// `count` windows or accesses, half of them of [`windows`], half led to every code of the first encoders. A streaming design
/// gets whole windows, one after the other.
pub fn steered(design: &Design, count: usize, traced: &[Vec<u8>], seed: u64) -> Vec<Vec<u8>> {
    let piece = design.network.history / design.accesses();
    let half = count.div_ceil(2).next_multiple_of(piece).min(count);
    let mut all = windows(design, half, traced, seed);
    let steering = Steering::new(design);
    let mut random = Random::new(seed ^ 0x57EE);
    let each = design.accesses() * design.network.segments;
    while all.len() < count {
        let window = steering.window(&mut random);
        all.extend(window.chunks_exact(each).take(count - all.len()).map(<[u8]>::to_vec));
    }
    all
}

/// `count` windows or accesses out of many of [`steered`], those that show most of the design: first every code that any of the
/// many gives at any row of any encoder, then the least and the largest value of every lane, then the rarest values of lanes. For
/// a streaming design windows are chosen whole: what counts is what their last access shows.
pub fn covering(design: &Design, count: usize, traced: &[Vec<u8>], seed: u64) -> Vec<Vec<u8>> {
    let piece = design.network.history / design.accesses();
    let wanted = count.div_ceil(piece);
    let pool = steered(design, wanted * POOL * piece, traced, seed);
    let pool: Vec<&[Vec<u8>]> = pool.chunks_exact(piece).collect();
    let mut golden = Golden::new(design);
    // Of each value of each lane: how many windows show it, and the first that does. Codes row by row.
    let mut shown: HashMap<(usize, usize, i64), (usize, usize)> = HashMap::new();
    let mut values = Vec::new();
    for (number, window) in pool.iter().enumerate() {
        window.iter().for_each(|access| golden.run(access));
        for (id, node) in design.iter() {
            values.clear();
            golden.extend_with(id, &mut values);
            let rows = if matches!(node.op, Op::Encode { .. }) { node.value.rows } else { 1 };
            for (place, &value) in values.iter().enumerate() {
                let seen =
                    shown.entry((id.0, place % (rows * node.value.lanes), value)).or_insert((0, number));
                seen.0 += 1;
            }
        }
    }
    let mut extremes: HashMap<(usize, usize), (i64, i64)> = HashMap::new();
    for &(node, lane, value) in shown.keys() {
        let (least, largest) = extremes.entry((node, lane)).or_insert((value, value));
        (*least, *largest) = ((*least).min(value), (*largest).max(value));
    }
    let class = |&(node, lane, value): &(usize, usize, i64)| {
        let (least, largest) = extremes[&(node, lane)];
        match design.nodes[node].op {
            Op::Encode { .. } => 0,
            _ if value == least || value == largest => 1,
            _ => 2,
        }
    };
    let mut rarest: Vec<_> = shown.iter().map(|(what, seen)| (class(what), seen.0, *what, seen.1)).collect();
    rarest.sort_unstable();
    let mut chosen = BTreeSet::new();
    for (_, _, _, number) in rarest {
        if chosen.len() == wanted {
            break;
        }
        chosen.insert(number);
    }
    chosen.into_iter().flat_map(|number| pool[number].to_vec()).take(count).collect()
}

/// A window of a program that walks: a random block, then steps of a stride with some noise.
fn stream(random: &mut Random, history: usize, segments: usize, segment_bits: u32) -> Vec<u8> {
    let mut block = u64::from(random.word()) << 20 | u64::from(random.word());
    let stride = u64::from(random.word() % 8).wrapping_sub(3);
    let top = (1_u64 << segment_bits) - 1;
    let mut window = Vec::with_capacity(history * segments);
    for _ in 0..history {
        block = block.wrapping_add(stride).wrapping_add(u64::from(random.word().is_multiple_of(4)));
        window.extend(
            (0..segments as u32).map(|s| (block.checked_shr(s * segment_bits).unwrap_or(0) & top) as u8),
        );
    }
    window
}

/// Candidates for each vector of the testbench.
const CANDIDATES: usize = 32;

/// Those of many windows that make a testbench worth running: each with a bitmap that no earlier one had, as long as there
/// are such; then others. The order is kept.
fn telling(golden: &mut Golden, last: NodeId, count: usize, candidates: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut seen = HashSet::new();
    let (fresh, known): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|window| {
        golden.run(window);
        seen.insert(golden.value(last))
    });
    // Neighbours differ where they can, so that a lost or doubled bitmap shows.
    let mut chosen: Vec<Vec<u8>> = fresh.into_iter().take(count).collect();
    let missing = count - chosen.len();
    chosen.extend(known.into_iter().take(missing));
    chosen
}

/// The stretch of `count` accesses whose bitmaps, those of its first `warm_up` excepted, differ most often; of equal ones
/// the first.
fn telling_stretch(
    golden: &mut Golden,
    last: NodeId,
    count: usize,
    warm_up: usize,
    candidates: Vec<Vec<u8>>,
) -> Vec<Vec<u8>> {
    let bitmaps: Vec<Vec<i64>> = candidates
        .iter()
        .map(|access| {
            golden.run(access);
            golden.value(last)
        })
        .collect();
    let different =
        |start: &usize| bitmaps[start + warm_up..start + count].iter().collect::<HashSet<_>>().len();
    let start = (0..=candidates.len() - count).rev().max_by_key(different).unwrap_or(0);
    candidates.into_iter().skip(start).take(count).collect()
}

/// The vectors of the testbench and the golden model's bitmaps: `count` windows, of those of a trace where there are some.
/// For a streaming design they are accesses, and as many more as have no bitmap of their own.
pub fn testbench(design: &Design, count: usize, traced: &[Vec<u8>], seed: u64) -> CoreVectors {
    let mut golden = Golden::new(design);
    let (in_width, out_width) = stream_widths(design);
    let last = NodeId(design.nodes.len() - 1);
    let candidates = windows(design, count * CANDIDATES + design.warm_up(), traced, seed);
    let chosen = if design.streaming {
        let warm_up = design.warm_up();
        telling_stretch(&mut golden, last, count + warm_up, warm_up, candidates)
    } else {
        telling(&mut golden, last, count, candidates)
    };
    golden.reset();
    let (mut inputs, mut bitmaps) = (String::new(), String::new());
    for window in &chosen {
        golden.run(window);
        let values: Vec<i64> = window.iter().map(|&v| i64::from(v)).collect();
        inputs.push_str(&padded(&hex(&values, design.input.segment_bits), in_width));
        bitmaps.push_str(&padded(&hex(&golden.value(last), 1), out_width));
    }
    CoreVectors { windows: inputs, bitmaps, count: chosen.len() }
}

/// The vectors of the prefetcher's testbench and the golden prefetcher's addresses: `count` demand accesses that have a full
/// history, of those of a trace where there are some, and as many before as fill it.
pub fn prefetcher_testbench(
    design: &Design,
    count: usize,
    traced: &[Demand],
    seed: u64,
) -> PrefetcherVectors {
    let mut golden = Prefetcher::new(design);
    let mut vectors = PrefetcherVectors::default();
    let digits = |address: u64| hex(&[address.cast_signed()], 64);
    for access in demands(design, count + design.network.history - 1, traced, seed) {
        let pc = if design.reads_pc() { digits(access.pc) } else { String::new() };
        // Writing to a string cannot fail.
        let _ = writeln!(vectors.accesses, "{pc}{}", digits(access.address));
        for address in golden.access(access) {
            let _ = writeln!(vectors.prefetches, "{}", digits(address));
        }
    }
    vectors
}

/// A hexadecimal word of the length of `bits`, and a newline.
fn padded(digits: &str, bits: usize) -> String {
    format!("{digits:0>width$}\n", width = bits.div_ceil(4))
}

/// `count` demand accesses: the ends of the address space, then those of `traced`, then made-up ones: walks of small strides
/// that come back, so that blocks repeat, and jumps between them.
pub fn demands(design: &Design, count: usize, traced: &[Demand], seed: u64) -> Vec<Demand> {
    let block = 1_u64 << design.input.block_bits;
    let corners = [0, u64::MAX, block, u64::MAX - block, 1 << 63, u64::MAX / 3];
    let mut all: Vec<Demand> =
        corners.into_iter().map(|address| Demand { address, pc: address.rotate_left(7) }).collect();
    all.truncate(count);
    all.extend(traced.iter().take(count - all.len()));
    let mut random = Random::new(seed);
    let mut wide = move || u64::from(random.word()) << 32 | u64::from(random.word());
    let (mut address, mut stride, mut pc) = (0_u64, block, 0);
    while all.len() < count {
        match wide() % 16 {
            0 => (address, pc) = (wide() >> (wide() % 40), wide() >> 16),
            1 => stride = (wide() % 8).wrapping_sub(3).wrapping_mul(block),
            2 => address = address.wrapping_sub(stride.wrapping_mul(wide() % 16)),
            _ => address = address.wrapping_add(stride),
        }
        all.push(Demand { address: address ^ (wide() % block), pc });
    }
    all
}
