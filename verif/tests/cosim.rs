//! Whole builds: lint, images, Verilator at every boundary, Icarus.
#![allow(clippy::unwrap_used)]

mod support;

use support::Build;
use tablewright_design::{Op, lower, passes};
use tablewright_model::testing::{dart, dart_s, dart_s_spec, dart_spec, random_model};
use tablewright_model::{
    Activation, AttentionActivation, EncoderKind, KernelSpec, NetworkConfig, Pool, Positions,
};
use tablewright_plan::{Directives, Elements, Plan, Shape};

fn small() -> NetworkConfig {
    NetworkConfig { history: 3, segments: 4, dim: 6, head_dim: 3, hidden: 5, outputs: 10, ..dart() }
}

fn spec(encoder: EncoderKind, prototypes: usize, subspaces: usize, bits: u32) -> KernelSpec {
    KernelSpec { encoder, prototypes, subspaces, bits }
}

#[test]
fn dart_s_matches() {
    Build::random(&dart_s(), dart_s_spec(), 3).prove(200);
}

#[test]
fn dart_matches() {
    let build = Build::random(&dart(), dart_spec(), 3);
    for stall in [0.0, 0.2] {
        let report = build.simulate(150, stall);
        assert!(report.passed(), "{report:#?}");
    }
}

/// The shape that the issue names: nothing in it is a power of two.
#[test]
fn odd_shape_matches() {
    let network = NetworkConfig {
        history: 7,
        dim: 24,
        heads: 1,
        head_dim: 24,
        hidden: 24,
        outputs: 96,
        attention: AttentionActivation::Sigmoid,
        ..dart()
    };
    Build::random(&network, spec(EncoderKind::Tree, 8, 3, 4), 1).prove(200);
}

#[test]
fn all_rows_of_two_layers_match() {
    let network = NetworkConfig { layers: 2, pool: Pool::Mean, ..small() };
    Build::random(&network, spec(EncoderKind::Tree, 4, 2, 6), 2).prove(100);
}

#[test]
fn nearest_encoders_match() {
    let network = NetworkConfig { pool: Pool::Last, activation: Activation::Relu, ..small() };
    Build::random(&network, spec(EncoderKind::L2, 8, 2, 12), 3).prove(100);
    let network = NetworkConfig { attention: AttentionActivation::Sigmoid, heads: 3, ..small() };
    Build::random(&network, spec(EncoderKind::L1, 4, 1, 16), 4).prove(100);
}

#[test]
fn smallest_and_widest_entries_match() {
    let network = NetworkConfig {
        history: 1,
        segments: 1,
        positions: Positions::Absolute,
        pool: Pool::Last,
        dim: 4,
        heads: 1,
        head_dim: 1,
        hidden: 1,
        outputs: 2,
        ..dart()
    };
    Build::random(&network, spec(EncoderKind::Tree, 2, 1, 32), 5).prove(50);
    Build::random(&small(), spec(EncoderKind::L2, 2, 3, 32), 6).prove(50);
}

/// Relative positions in a design that takes whole windows: added to the scores, before softmax or the next encoder.
#[test]
fn relative_positions_match() {
    let network = NetworkConfig { positions: Positions::Relative, pool: Pool::Last, heads: 3, ..small() };
    let model = random_model(&network, spec(EncoderKind::Tree, 8, 2, 8), 11);
    Build::of_design(passes::optimise(&lower(&model))).prove(100);
    let network = NetworkConfig { attention: AttentionActivation::Sigmoid, ..network };
    Build::of_design(lower(&random_model(&network, spec(EncoderKind::L2, 4, 1, 6), 12))).prove(60);
}

/// One access at a time, and before the history is full; a history of one keeps nothing.
#[test]
fn streaming_matches() {
    let network = NetworkConfig { positions: Positions::Relative, pool: Pool::Last, history: 5, ..small() };
    let build = Build::random(&network, spec(EncoderKind::Tree, 8, 2, 8), 11);
    assert!(build.design.streaming);
    build.prove(120);
    let network = NetworkConfig { history: 1, attention: AttentionActivation::Sigmoid, ..network };
    let report = Build::random(&network, spec(EncoderKind::L1, 4, 1, 6), 12).simulate(40, 0.3);
    assert!(report.passed(), "{report:#?}");
}

/// The tokens of earlier accesses ahead of the newest one: with a constant query and with the newest token's, pair tables laid
/// out either way, encoders that can bear a row every few cycles only, and a history of two.
#[test]
fn older_tokens_ahead_match() {
    let history = 5;
    let attention = AttentionActivation::Sigmoid;
    for (network, spec, seed) in [
        (NetworkConfig { history, ..small() }, spec(EncoderKind::Tree, 8, 2, 8), 21),
        (NetworkConfig { history, pool: Pool::Last, ..small() }, spec(EncoderKind::Tree, 4, 2, 6), 22),
        (
            NetworkConfig { history: 2, pool: Pool::Last, attention, ..small() },
            spec(EncoderKind::L2, 4, 1, 8),
            23,
        ),
        (NetworkConfig { attention, ..small() }, spec(EncoderKind::L1, 8, 3, 8), 24),
    ] {
        let build = Build::random(&network, spec, seed);
        let ahead: Vec<u64> =
            build.plan.stages.iter().map(|stage| stage.gap).filter(|&gap| gap > 0).collect();
        assert!(build.design.streaming && ahead.len() > 2, "{seed}: {ahead:?}");
        build.prove(120);
        let serial = vec![Shape::of(Elements::Serial); build.design.nodes.len()];
        let plan = Plan::new(&build.design, &Directives::within(&build.design, &serial, 9));
        Build::planned(build.design, plan).prove(60);
    }
}

/// Rows of the history in a wrong order are found in the node that keeps them, with the values of that very access.
#[test]
fn a_wrong_history_is_found() {
    let network = NetworkConfig { positions: Positions::Relative, pool: Pool::Last, ..small() };
    let build = Build::random(&network, spec(EncoderKind::Tree, 8, 2, 8), 13);
    let history = build.dir.rtl().join("tw_history.v");
    let text = std::fs::read_to_string(&history).unwrap();
    // Behind the last row the place stands still: the next access overwrites the newest and not the oldest.
    let broken =
        text.replace("if (in_valid || older_valid) place", "if (in_valid || rows_left > OneRow) place");
    assert_ne!(text, broken);
    std::fs::write(&history, broken).unwrap();
    let report = build.simulate(60, 0.0);
    let first = report.first.clone().unwrap();
    assert!(first.kernel.ends_with("_history") && first.expected != first.actual, "{report:#?}");
}

/// Rows that come ahead in another cycle than planned are found: behind an access, and behind a reset.
#[test]
fn a_wrong_time_ahead_is_found() {
    let network = NetworkConfig { positions: Positions::Relative, pool: Pool::Last, ..small() };
    for (from, to) in [
        ("pause <= GapReload", "pause <= GapReload - OneStep"),
        ("pause <= BeginReload", "pause <= BeginReload - OneStep"),
    ] {
        let build = Build::random(&network, spec(EncoderKind::Tree, 8, 2, 8), 13);
        let history = build.dir.rtl().join("tw_history.v");
        let text = std::fs::read_to_string(&history).unwrap();
        assert!(text.contains(from));
        std::fs::write(&history, text.replace(from, to)).unwrap();
        let report = build.simulate(20, 0.0);
        let first = report.first.clone().unwrap();
        assert!(first.kernel.ends_with("_history") && report.off_time > 0, "{from}: {report:#?}");
        assert_eq!(
            (first.window, first.cycle + 1),
            (u64::from(from.contains("Gap")), first.cycle_planned),
            "{report:#?}"
        );
    }
}

/// Without the passes every row is computed, the cls token's too.
#[test]
fn unoptimised_design_matches() {
    let design = lower(&random_model(&small(), spec(EncoderKind::Tree, 8, 2, 8), 7));
    assert!(passes::optimise(&design).words_per_inference() < design.words_per_inference());
    Build::of_design(design).prove(100);
}

/// A pair whose look-up is narrower than its operands say must be caught, wherever it lies.
#[test]
fn wrong_verilog_is_found() {
    let build = Build::random(&small(), spec(EncoderKind::Tree, 4, 2, 8), 8);
    let gelu = build.dir.rtl().join("tw_gelu.v");
    let text = std::fs::read_to_string(&gelu).unwrap();
    let broken = text.replace("lifted - (near_q", "lifted + (near_q");
    assert_ne!(text, broken);
    std::fs::write(&gelu, broken).unwrap();
    let report = build.simulate(60, 0.0);
    assert!(!report.passed());
    assert_eq!(report.first.unwrap().kernel, "l0_act");
}

/// A stage that is a cycle late is found even where its data are right.
#[test]
fn wrong_time_is_found() {
    let build = Build::random(&small(), spec(EncoderKind::Tree, 4, 2, 8), 9);
    let threshold = build.dir.rtl().join("tw_threshold.v");
    let text = std::fs::read_to_string(&threshold).unwrap();
    let late = text.replace("      .in_valid(in_valid),", "      .in_valid(late),").replace(
        "  tw_valid #(",
        "  reg late;\n  always @(posedge clk) late <= rst_n && in_valid;\n\n  tw_valid #(",
    );
    assert_ne!(text, late);
    std::fs::write(&threshold, late).unwrap();
    let report = build.simulate(20, 0.0);
    assert!(report.off_time > 0 || report.mismatches > 0);
    assert_eq!(report.first.unwrap().kernel, "bitmap");
    assert!(!report.hung && report.cycles_simulated == report.cycles_planned + 1);
}

/// One flipped bit of one image: named by file, line and entry, and the simulation differs where that entry is read.
#[test]
fn flipped_bits_are_found() {
    let build = Build::random(&small(), spec(EncoderKind::Tree, 4, 2, 8), 10);
    assert!(matches!(build.design.nodes[3].op, Op::Lookup { .. }));
    let image = build.dir.mem().join("tw_random_10_embed_bank1.hex");
    let text = std::fs::read_to_string(&image).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let flip = |c: char| char::from_digit(c.to_digit(16).unwrap() ^ 4, 16).unwrap();
    let last = lines[2].pop().unwrap();
    lines[2].push(flip(last));
    std::fs::write(&image, lines.join("\n") + "\n").unwrap();

    let (fault, count) = tablewright_verif::check_images(&build.dir, &build.design, &build.plan);
    let fault = fault.unwrap();
    assert_eq!((count, fault.file.as_str(), fault.line), (1, "rtl/mem/tw_random_10_embed_bank1.hex", 3));
    assert!(fault.problem.starts_with("subspace 1, code 2, stored bit 2: is "), "{}", fault.problem);
    let report = build.simulate(60, 0.0);
    assert!(!report.passed());
    assert_eq!(report.first.unwrap().kernel, "embed");

    std::fs::write(&image, text.trim_end()).unwrap();
    let (fault, _) = tablewright_verif::check_images(&build.dir, &build.design, &build.plan);
    assert_eq!(fault.unwrap().problem, "the last line has no newline");
    std::fs::remove_file(&image).unwrap();
    let (fault, _) = tablewright_verif::check_images(&build.dir, &build.design, &build.plan);
    assert_eq!(fault.unwrap().line, 0);
}
