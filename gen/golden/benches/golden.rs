//! How fast the golden interpreter runs on one core, and how far that is from what the core can do.
//!
//! `cargo bench -p tablewright-golden`. Everything is measured on one thread and repeated; each figure is the median of
//! the repeats with the best beside it, because other programs may share the machine.
#![allow(missing_docs, clippy::inline_always, clippy::print_stdout, clippy::unwrap_used)]

mod limit;

use std::hint::black_box;
use std::time::{Duration, Instant};

use tablewright_design::{Design, lower, passes};
use tablewright_golden::Golden;
use tablewright_model::testing::{dart, dart_s, dart_s_spec, dart_spec, random_model};
use tablewright_model::{KernelSpec, NetworkConfig};

use limit::{LookUps, load_rate};

/// Inferences a second that the interpreter is to reach on DART.
const GOAL: f64 = 500_000.0;
const REPEATS: usize = 501;
/// Short, so that most repeats fall between two interruptions by other programs.
const REPEAT: Duration = Duration::from_millis(2);
const WINDOWS: usize = 4096;

fn main() {
    println!("Golden interpreter, one thread; median of {REPEATS} repeats (best in brackets).");
    println!("Each window is evaluated anew and every node's value is kept.\n");
    let (l1, l2) = (load_rate(16 << 10), load_rate(512 << 10));
    for (name, network, spec) in [("DART", dart(), dart_spec()), ("DART-S", dart_s(), dart_s_spec())] {
        report(name, &network, spec, l1.median.min(l2.median));
    }
    println!(
        "Loads this core sustains, bytes (8-bit words) a second: L1 {:.0} G, L2 {:.0} G.",
        l1.median / 1e9,
        l2.median / 1e9
    );
}

fn report(name: &str, network: &NetworkConfig, spec: KernelSpec, l2: f64) {
    let design = passes::optimise(&lower(&random_model(network, spec, 1)));
    let words = design.words_per_inference() as f64;
    println!("{name}: {words} table words and {} tree comparisons an inference", comparisons(&design));
    println!("  {:<44} {:>26}   {:>17}", "", "inferences/s", "G table words/s");

    let row = |what: &str, rate: &Rate| {
        let both = format!("{:.0} ({:.0})", rate.median, rate.best);
        println!("  {what:<44} {both:>26}   {:>17.2}", rate.median * words / 1e9);
    };
    let mut golden = Golden::new(&design);
    let mut run = |windows: &[Vec<u8>]| {
        measure(WINDOWS, |i| {
            golden.run(&windows[i]);
            black_box(&golden);
        })
    };
    let random = run(&random_windows(&design));
    let trace = run(&trace_windows(&design));
    let mut look_ups = LookUps::new(&design);
    let limit = look_ups.rate();
    row("golden, random windows", &random);
    row("golden, a trace's windows (9 of 10 the same)", &trace);
    row("limit: the same table rows, added, no more", &limit);
    row("limit: that many bytes loaded from L2", &Rate { median: l2 / words, best: l2 / words });
    println!(
        "  the golden interpreter reaches {:.0} % of the look-up limit",
        100.0 * random.median / limit.median
    );
    if name == "DART" {
        let slowest = random.median.min(trace.median);
        println!("  goal {GOAL:.0} inferences/s: {}", if slowest >= GOAL { "reached" } else { "missed" });
    }
    println!();
}

/// Comparisons with tree thresholds, one a level, subspace, group and row.
fn comparisons(design: &Design) -> u64 {
    let of = |n: &tablewright_design::Node| match &n.op {
        tablewright_design::Op::Encode { encoder, .. } => {
            u64::from(encoder.code_bits) * (n.value.rows * n.value.lanes) as u64
        }
        _ => 0,
    };
    design.nodes.iter().map(of).sum()
}

/// Calls a second.
struct Rate {
    median: f64,
    best: f64,
}

/// Calls `step` with 0..period again and again.
fn measure(period: usize, mut step: impl FnMut(usize)) -> Rate {
    let mut i = 0;
    let mut rates: Vec<f64> = (0..REPEATS)
        .map(|_| {
            let start = Instant::now();
            let mut calls = 0_u32;
            while start.elapsed() < REPEAT {
                // The clock is asked rarely.
                for _ in 0..64 {
                    step(i);
                    i = if i + 1 == period { 0 } else { i + 1 };
                }
                calls += 64;
            }
            f64::from(calls) / start.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    Rate { median: rates[REPEATS / 2], best: rates[REPEATS - 1] }
}

/// Random numbers for inputs; Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % limit
    }
}

fn random_windows(design: &Design) -> Vec<Vec<u8>> {
    let mut random = Random(0x9e37_79b9);
    let values = design.network.history * design.network.segments;
    let segment = 1 << design.input.segment_bits;
    (0..WINDOWS).map(|_| (0..values).map(|_| random.below(segment) as u8).collect()).collect()
}

/// Consecutive windows of a made-up trace of four streams with small strides.
fn trace_windows(design: &Design) -> Vec<Vec<u8>> {
    let mut random = Random(7);
    let bits = design.input.segment_bits;
    let mut blocks = [0x3f_0000_1000_u64, 0x3f_0040_0000, 0x3f_1234_5678, 0x15_0000_0000];
    let accesses: Vec<u8> = (0..WINDOWS + design.network.history)
        .flat_map(|_| {
            let stream = random.below(4);
            blocks[stream] += random.below(4) as u64;
            (0..design.network.segments as u32)
                .map(move |s| (blocks[stream].checked_shr(bits * s).unwrap_or(0) & ((1 << bits) - 1)) as u8)
        })
        .collect();
    accesses
        .windows(design.network.history * design.network.segments)
        .step_by(design.network.segments)
        .take(WINDOWS)
        .map(<[u8]>::to_vec)
        .collect()
}
