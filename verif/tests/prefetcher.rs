//! Whole prefetchers of random models: lint, and Verilator against the golden prefetcher.
#![allow(clippy::unwrap_used)]

mod support;

use support::Build;
use tablewright_golden::Demand;
use tablewright_model::testing::{dart, random_model};
use tablewright_model::{EncoderKind, InputConfig, KernelSpec, NetworkConfig, Pool, Positions, TableModel};
use tablewright_plan::PrefetcherPlan;
use tablewright_verif::vectors::demands;
use tablewright_verif::{
    Compile, PrefetcherCosim, PrefetcherMismatch, PrefetcherReport, icarus, lint, simulate_prefetcher,
};

fn small() -> NetworkConfig {
    NetworkConfig { history: 3, segments: 4, dim: 6, head_dim: 3, hidden: 5, outputs: 40, ..dart() }
}

fn streaming() -> NetworkConfig {
    NetworkConfig { positions: Positions::Relative, pool: Pool::Last, ..small() }
}

fn model(network: &NetworkConfig, input: InputConfig, bits: u32, seed: u64) -> TableModel {
    let spec = KernelSpec { encoder: EncoderKind::Tree, prototypes: 8, subspaces: 2, bits };
    let mut model = random_model(network, spec, seed);
    model.input = input;
    model
}

fn run(build: &Build, accesses: &[Demand], spacing: u64, stall: f64) -> PrefetcherReport {
    let plan = PrefetcherPlan::new(&build.design, &build.plan);
    let options =
        PrefetcherCosim { spacing, stall, seed: 3, waves: None, tables: None, compile: Compile::ForHaste };
    simulate_prefetcher(&build.dir, &build.design, &plan, accesses, &options, &mut |_| ()).unwrap()
}

/// At every spacing, with a consumer that keeps up and with one that does not.
fn prove(build: &Build, count: usize) {
    icarus(&build.dir, &build.design.name).unwrap().unwrap();
    let plan = PrefetcherPlan::new(&build.design, &build.plan);
    let accesses = demands(&build.design, count, &[], 5);

    let spaced = run(build, &accesses, plan.interval, 0.0);
    assert!(spaced.passed(), "{spaced:#?}");
    assert_eq!((spaced.taken, spaced.dropped), (count as u64, 0));
    assert_eq!(spaced.cycles_simulated, Some(plan.latency));
    assert!(spaced.prefetches > count as u64 / 4 && spaced.issue_simulated <= plan.issue.interval_longest);

    let busy = run(build, &accesses, 1, 0.0);
    assert!(busy.passed() && busy.dropped > 0, "{busy:#?}");
    // Nobody stalling, the plan's interval is kept.
    let (low, high) = busy.interval_simulated.unwrap();
    assert!(low == build.plan.interval && high <= plan.interval, "{low} {high} {plan:?}");
    assert!(busy.issue_simulated <= plan.issue.interval_longest);

    for (spacing, stall) in [(1, 0.9), (plan.interval / 2, 0.6), (7, 0.3)] {
        let stalled = run(build, &accesses, spacing, stall);
        assert!(stalled.passed() && stalled.dropped > 0, "{stalled:#?}");
    }
}

#[test]
fn a_window_core_prefetches() {
    let input = InputConfig { page_bits: Some(11), ..InputConfig::default() };
    let build = Build::of(&model(&NetworkConfig { pool: Pool::Mean, ..small() }, input, 8, 1));
    assert!(!build.design.streaming);
    prove(&build, 1500);
}

/// Absolute positions: older tokens are computed ahead of their access.
#[test]
fn a_core_that_computes_ahead_prefetches() {
    let build = Build::of(&model(&small(), InputConfig::default(), 8, 1));
    assert!(build.design.streaming);
    prove(&build, 1500);
}

#[test]
fn a_streaming_core_prefetches() {
    let input = InputConfig { degree: 5, filter: 7, ..InputConfig::default() };
    prove(&Build::of(&model(&streaming(), input, 4, 2)), 1500);
}

/// Program counters, segments beyond the address, no bits inside a block, outputs that are no whole groups.
#[test]
fn odd_inputs_prefetch() {
    let clean = |build: Build| {
        let linted = lint(&build.dir).unwrap();
        assert!(linted.complaints.is_empty(), "{:#?}", linted.complaints);
        build
    };
    let network = NetworkConfig { segments: 11, outputs: 22, history: 1, ..streaming() };
    let input = InputConfig {
        pc_segments: 3,
        segment_bits: 8,
        block_bits: 0,
        filter: 1,
        degree: 64,
        ..InputConfig::default()
    };
    prove(&clean(Build::of(&model(&network, input, 6, 3))), 800);
    let network = NetworkConfig { outputs: 2, ..small() };
    let input =
        InputConfig { pc_segments: 4, block_bits: 12, filter: 0, degree: 1, ..InputConfig::default() };
    prove(&clean(Build::of(&model(&network, input, 12, 4))), 800);
}

/// Pages of eight blocks, less than a delta may reach.
#[test]
fn nothing_is_issued_outside_a_small_page() {
    let input = InputConfig { block_bits: 0, page_bits: Some(3), ..InputConfig::default() };
    let build = Build::of(&model(&streaming(), input, 8, 7));
    let accesses = demands(&build.design, 1000, &[], 5);
    let anywhere = |spacing| run(&build, &accesses, spacing, 0.0);
    for spacing in [1, PrefetcherPlan::new(&build.design, &build.plan).interval] {
        let report = anywhere(spacing);
        assert!(report.passed() && report.prefetches > 100, "{report:#?}");
    }
}

/// What a value that is never set does, an event-driven simulator shows.
#[test]
fn unknown_values_are_found() {
    let build = Build::of(&model(&streaming(), InputConfig::default(), 8, 6));
    let path = build.dir.rtl().join("tw_issue.v");
    let text = std::fs::read_to_string(&path).unwrap();
    let broken = text.replace("      state  <= Scan;\n", "");
    assert_ne!(text, broken);
    std::fs::write(&path, broken).unwrap();
    let said = icarus(&build.dir, &build.design.name).unwrap().unwrap_err();
    assert!(said.contains("FAIL"), "{said}");
}

/// What is planted in a cell, and how it shows.
fn planted(cell: &str, from: &str, to: &str) -> PrefetcherMismatch {
    // Entries of four bits and one subspace: many logits are equal.
    let spec = KernelSpec { encoder: EncoderKind::Tree, prototypes: 4, subspaces: 1, bits: 4 };
    let network = NetworkConfig { dim: 4, hidden: 2, outputs: 24, ..streaming() };
    let build = Build::of(&random_model(&network, spec, 5));
    let path = build.dir.rtl().join(cell);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{cell} has no `{from}`");
    std::fs::write(&path, text.replace(from, to)).unwrap();
    let plan = PrefetcherPlan::new(&build.design, &build.plan);
    let accesses = demands(&build.design, 600, &[], 5);
    let report = run(&build, &accesses, plan.interval / 3, 0.2);
    assert!(!report.passed() && report.mismatches == 1, "{cell}, {from}: {report:#?}");
    report.first.unwrap()
}

#[test]
fn planted_faults_are_found() {
    use PrefetcherMismatch::{Dropped, Prefetch, Taken};
    // Of equal logits the highest lane first.
    let ties = planted("tw_best.v", "> $signed(keys[2*i", ">= $signed(keys[2*i");
    assert!(matches!(ties, Prefetch { expected: Some(_), .. }), "{ties:?}");
    // A block that is inside enters again.
    let filter = planted("tw_recent_filter.v", "write = enter && !seen", "write = enter");
    assert!(matches!(filter, Prefetch { .. }), "{filter:?}");
    // The oldest access wins.
    let hold = planted(
        "tw_access_hold.v",
        "if (in_valid) out_data",
        "if (in_valid && (!out_valid || out_ready)) out_data",
    );
    assert!(matches!(hold, Taken { expected: Some(_), .. }), "{hold:?}");
    let counter = planted("tw_access_hold.v", "out_valid && !out_ready && (", "out_valid && (");
    assert!(matches!(counter, Dropped { .. }), "{counter:?}");
    // The history is said to be full one access too early.
    let history = planted("tw_warm_up.v", "MissingWide = Accesses - 1", "MissingWide = Accesses - 2");
    assert!(matches!(history, Prefetch { .. }), "{history:?}");
    // A reset that leaves the filter as it was shows in the run that follows it.
    let reset = planted("tw_recent_filter.v", "if (!rst_n) filled <= 1'b0;\n          else if", "if");
    assert!(matches!(reset, Prefetch { .. }), "{reset:?}");
}
