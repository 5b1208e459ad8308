//! `verify`: a good build passes every check, and each kind of check finds what is planted for it.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;

use support::Build;
use tablewright_design::{Design, Node, Op, Protection, lower, lower_loaded, passes};
use tablewright_golden::Golden;
use tablewright_model::testing::{dart, random_model};
use tablewright_model::{EncoderKind, KernelSpec, NetworkConfig, load_model};
use tablewright_verif::faults::Labelled;
use tablewright_verif::gates::{self, Gates};
use tablewright_verif::mutation::{self, Mutant};
use tablewright_verif::upsets::flip_registers;
use tablewright_verif::{Certificate, Group, Level, Outcome, Verify, vectors, verify};

fn tiny() -> NetworkConfig {
    NetworkConfig { history: 3, segments: 4, dim: 6, head_dim: 3, hidden: 5, outputs: 10, ..dart() }
}

const TREES: KernelSpec = KernelSpec { encoder: EncoderKind::Tree, prototypes: 4, subspaces: 2, bits: 6 };

fn build(seed: u64) -> Build {
    Build::random(&tiny(), TREES, seed)
}

fn wanted(level: Level) -> Verify {
    Verify { level, seed: 1, liberty: None, mutants: None, traced: Vec::new(), labelled: None }
}

/// A shipped model.
fn shipped() -> Build {
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/mcfns-dart-s.safetensors");
    Build::of(&load_model(&zoo).unwrap())
}

fn run(build: &Build, wanted: &Verify) -> Certificate {
    let manifest = tablewright_emit::read_manifest(build.dir.root()).unwrap();
    verify(&build.dir, &manifest, &build.design, &build.plan, wanted, &mut |_| ()).unwrap()
}

/// Names of the checks that failed.
fn failed(certificate: &Certificate) -> Vec<&str> {
    certificate.checks.iter().filter(|c| c.outcome == Outcome::Failed).map(|c| c.name.as_str()).collect()
}

/// Replaces a piece of a file of the build that must be there.
fn change(build: &Build, file: &str, from: &str, to: &str) {
    let path = build.dir.rtl().join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "`{from}` is no longer in {file}");
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
}

/// Every check of level quick holds, and of some mutants each is noticed, excused or named.
#[test]
fn a_good_build_passes() {
    let build = build(3);
    let certificate = run(&build, &Verify { mutants: Some(6), ..wanted(Level::Quick) });
    assert!(certificate.count(Group::Formal, Outcome::Passed) > 15, "{:#?}", certificate.checks);
    let wrong: Vec<&str> = failed(&certificate).into_iter().filter(|&name| name != "mutants").collect();
    assert!(wrong.is_empty(), "{wrong:?}: {:#?}", certificate.checks);
    let found = certificate.mutation.clone().unwrap();
    assert_eq!((found.mutants, found.killed + found.excused + found.unexcused), (6, 6));
    assert_eq!(found.survivors.len() as u64, found.excused + found.unexcused);
    assert!(found.killed >= 3, "{found:#?}");
    assert_eq!(certificate.passed, found.unexcused == 0, "{found:#?}");
}

/// Formal checks by themselves: the module is wrong for some input, whether a simulation meets it or not.
#[test]
fn a_proof_finds_a_wrong_module() {
    let breakages = [
        ("tw_random_2_l0_ff1.v", "n0_0_1 + n0_1_1", "n0_0_1 - n0_1_1", "table l0_ff1"),
        ("tw_random_2_embed.v", "in_data[1:0]", "in_data[2:1]", "table embed"),
        ("tw_random_2_l0_score_of_key.v", "n0_0_0 + n0_1_0", "n0_0_0 | n0_1_0", "table l0_score_of_key"),
        ("tw_random_2_l0_mix.v", "codes[(s*2+0)*2+:2]", "codes[(s*2+1)*2+:2]", "pair table l0_mix"),
        ("tw_random_2_l0_mix.v", "? 1'd0 : head + 1'd1", "? 1'd1 : head + 1'd1", "pair table l0_mix"),
        ("tw_random_2_l0_mix.v", "sum_valid && last_head", "sum_valid", "pair table l0_mix"),
        ("tw_tree_encoder.v", "key >= threshold;", "key > threshold;", "encoder head_code"),
        ("tw_requantise.v", "One << (Shift - 1)", "One << Shift", "requantise x0_rq"),
        ("tw_gelu.v", "lifted - (near_q", "lifted + (near_q", "gelu"),
        ("tw_layer_norm.v", "padded[2*p+2+:8]", "padded[2*p+1+:8]", "norm l0_ln2"),
        ("tw_layer_norm.v", "(product + half) >>>", "product >>>", "norm l0_ln2"),
        ("tw_layer_norm.v", "@(posedge clk) exponent5 <=", "@* exponent5 =", "norm head_ln"),
        ("tw_softmax.v", "candidate > highest", "candidate < highest", "softmax"),
        ("tw_softmax.v", "leading = sum[p-1-:7]", "leading = sum[p-:7]", "softmax"),
        ("tw_threshold.v", "x >= $signed(", "x > $signed(", "threshold bitmap"),
        ("tw_window.v", "rst_n && (gap ==", "(gap ==", "streams"),
        ("tw_window.v", "GapReloadWide = Interval - 1", "GapReloadWide = Interval - 2", "streams"),
        ("tw_fifo.v", "Depth - 1", "Depth", "streams"),
        (
            "tw_window.v",
            "assign in_ready  = rst_n",
            "assign in_ready  = in_valid && rst_n",
            "ready without valid",
        ),
    ];
    for (file, from, to, expected) in breakages {
        // Random models are too coarse to need requantising.
        let build = if file == "tw_requantise.v" { shipped() } else { build(2) };
        // That the tiny build passes unbroken is another test's.
        if file == "tw_requantise.v" {
            assert!(prove_alone(&build, expected).iter().all(|c| c.outcome == Outcome::Passed));
        }
        change(&build, file, from, to);
        let checks = prove_alone(&build, expected);
        assert!(checks.iter().any(|c| c.outcome == Outcome::Failed), "{file}, `{to}`: {checks:#?}");
    }
}

/// Flipped registers: rows kept by a stage change bitmaps, and a count that is lost stays lost. Constants that are loaded and guarded
/// lose nothing.
#[test]
fn registers_are_flipped() {
    let constant = build(3);
    let loaded = lower_loaded(&random_model(&tiny(), TREES, 3), Protection::Secded);
    for build in [constant, Build::of_design(passes::for_hardware(&loaded))] {
        let windows = vectors::steered(&build.design, 24, &[], 1);
        let history = build.design.network.history;
        let labelled = Labelled {
            windows: windows.chunks_exact(history / build.design.accesses()).map(<[_]>::concat).collect(),
            labels: vec![vec![0b1010_0101, 1]; 24 * build.design.accesses() / history],
        };
        let folder = tempfile::tempdir().unwrap();
        let built = (&build.design, &build.plan);
        let found = flip_registers(&build.dir, built, &labelled, (3, 1), folder.path()).unwrap();
        assert!(found.flip_flops > 100 && found.ranking.len() > 10, "{found:#?}");
        assert!(found.ranking.iter().any(|f| f.changed_bitmaps > 0.0), "{found:#?}");
        assert!(found.ranking.iter().any(|f| f.changed_bitmaps == 0.0), "{found:#?}");
        assert!(found.ranking.iter().any(|f| f.stage == "window"), "{found:#?}");
        let changed =
            |stage: &str| found.ranking.iter().find(|f| f.stage == stage).map(|f| f.changed_bitmaps);
        if build.design.loaded.is_some() {
            assert!(changed("threshold") == Some(0.0) && changed("swap") > Some(0.0), "{found:#?}");
        }
    }
}

/// Only the proofs whose name holds `only`.
fn prove_alone(build: &Build, only: &str) -> Vec<tablewright_verif::Check> {
    let folder = tempfile::tempdir().unwrap();
    tablewright_verif::formal::prove(
        &build.dir,
        &build.design,
        &build.plan,
        folder.path().to_path_buf(),
        std::time::Duration::from_mins(10),
        Some(only),
        &mut |_| (),
    )
    .unwrap()
}

/// The netlist plays the shipped vectors under Icarus and is compared by value under Verilator; a value that is not the golden
/// model's is found in it by either.
#[test]
fn the_netlist_is_compared() {
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tiny.lib");
    // Little of everything: a netlist has a hundred times the statements of what it is made from.
    let network =
        NetworkConfig { history: 2, segments: 1, dim: 4, head_dim: 1, hidden: 2, outputs: 2, ..tiny() };
    let spec = KernelSpec { encoder: EncoderKind::Tree, prototypes: 2, subspaces: 1, bits: 4 };
    let mut model = random_model(&network, spec, 4);
    model.activation_bits = 8;
    let constant = passes::for_hardware(&lower(&model));
    let loaded = passes::for_hardware(&lower_loaded(&model, Protection::None));
    let cases = [(&constant, 0, None), (&constant, u64::MAX, Some(library.as_path())), (&loaded, 0, None)];
    for (design, most_cells, liberty) in cases {
        let build = Build::of_design(design.clone());
        let windows = vectors::covering(&build.design, 20, &[], 1);
        let simulated = || {
            let folder = tempfile::tempdir().unwrap();
            let limit = std::time::Duration::from_mins(20);
            let gates = Gates { liberty, folder: folder.path(), limit, most_cells, windows: &windows };
            gates::simulate(&build.dir, &build.design, &gates).unwrap().unwrap()
        };
        let mapped = simulated();
        assert!(mapped.cells > 1000 && mapped.verdict.as_ref().is_some_and(Result::is_ok), "{mapped:?}");
        assert_eq!(mapped.verilator, most_cells == 0);
        if design.loaded.is_some() {
            continue;
        }
        change(&build, "tw_threshold.v", "x >= $signed(", "x < $signed(");
        assert!(simulated().verdict.unwrap().is_err());
    }
}

/// Dead logic is proved dead where its stage stands, and what a row can show is not.
#[test]
fn a_proof_excuses_dead_mutants_alone() {
    let build = build(3);
    let names = tablewright_emit::Names::new(&build.design.name);
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("list");
    let script = format!(
        "read_verilog tw_*.v; hierarchy -check -top {}; proc; flatten t:*tw_cut* t:*tw_valid*; hierarchy -check -top {0}; \
         opt_clean; mutate -list 8000 -seed 1 -o {}",
        names.core(),
        list.display()
    );
    let mut yosys = std::process::Command::new("yosys");
    assert!(yosys.args(["-q", "-p", &script]).current_dir(build.dir.rtl()).status().unwrap().success());
    let text = std::fs::read_to_string(&list).unwrap();
    let word = |line: &str, flag: &str| -> String {
        line.split_whitespace().skip_while(|w| *w != flag).nth(1).unwrap_or_default().to_owned()
    };
    let number = |line: &str, flag: &str| word(line, flag).parse::<usize>().unwrap();
    let with = |line: &str, mode: &str, bit: usize| {
        let (module, cell, port) = (word(line, "-module"), word(line, "-cell"), word(line, "-port"));
        let command =
            format!("mutate -mode {mode} -module {module} -cell {cell} -port {port} -portbit {bit}");
        Mutant::of(&command).unwrap()
    };
    let lines = || text.lines().filter(|l| word(l, "-port") == "Y");
    // A square's highest bit is 1 for the lowest number of all alone, which no sum of table entries is. Its width is what
    // divides the place of its lane among all.
    let norms = || build.design.iter().filter(|(_, n)| matches!(n.op, Op::Norm { .. }));
    let square_width = |n: &Node| 2 * build.design.node(n.inputs[0]).value.format.width as usize - 1;
    // Of a module that stands for one node.
    let (square, place, norm) = lines()
        .filter(|l| word(l, "-wire") == "u_squares.in_data" && number(l, "-wirebit") > number(l, "-portbit"))
        .find_map(|line| {
            let place = number(line, "-wirebit") - number(line, "-portbit");
            let mut fitting = norms().filter(|(_, n)| place.is_multiple_of(square_width(n)));
            let (_, norm) = fitting.next().filter(|_| fitting.next().is_none())?;
            Some((line, place, norm))
        })
        .unwrap();
    let width = square_width(norm);
    let decision = lines().find(|l| l.contains("tw_threshold")).unwrap();
    let bits = [("const0", width - 1), ("const0", 4), ("const0", 12), ("const0", 15)];
    let mut chosen: Vec<Mutant> = bits.map(|(mode, bit)| with(square, mode, bit)).to_vec();
    chosen.push(with(decision, "inv", 0));
    // By a second method: every row that windows give the node, counted out: 16 codes of embed at 3 places.
    let rows = rows_into(&build.design, norm);
    assert_eq!(rows.len(), 48);
    let found = mutation::excuses(
        &build.dir,
        &build.design,
        &build.plan,
        &chosen,
        folder.path(),
        std::time::Duration::from_secs(8),
    )
    .unwrap();
    assert!(found[0].is_some_and(|how| how.contains("that can be")), "{found:?}");
    assert_eq!(found[4], None, "{chosen:?}");
    for ((mode, bit), excused) in bits.into_iter().zip(&found) {
        let stuck = |square: i64| if mode == "const0" { square & !(1 << bit) } else { square | 1 << bit };
        let seen = rows.iter().any(|row| {
            normed(norm, row, place / width, &stuck) != normed(norm, row, place / width, &|square| square)
        });
        assert!(!(seen && excused.is_some()), "{mode} {bit} shows in a row");
        // Of the middle bits it is known that they show.
        assert_eq!(seen, bit == 15, "{mode} {bit}, {} rows", rows.len());
    }
}

/// All different rows that come into a node, of many windows.
fn rows_into(design: &Design, node: &Node) -> BTreeSet<Vec<i64>> {
    let mut golden = Golden::new(design);
    let input = node.inputs[0];
    let lanes = design.node(input).value.lanes;
    let mut rows = BTreeSet::new();
    let mut values = Vec::new();
    for window in vectors::windows(design, 20_000, &[], 1) {
        golden.run(&window);
        values.clear();
        golden.extend_with(input, &mut values);
        rows.extend(values.chunks_exact(lanes).map(<[i64]>::to_vec));
    }
    rows
}

/// Layer normalisation after the formulas of its Verilog, with `stuck` in the way of one lane's square.
fn normed(node: &Node, row: &[i64], lane: usize, stuck: &dyn Fn(i64) -> i64) -> Vec<i64> {
    let Op::Norm { unit, kept } = &node.op else { panic!("{} is no norm", node.name) };
    let lanes = row.len() as i64;
    let sum: i64 = row.iter().sum();
    let squares: i64 =
        row.iter().enumerate().map(|(i, x)| if i == lane { stuck(x * x) } else { x * x }).sum();
    // What it is modulo 2 to the width of the registers.
    let variance =
        (lanes * (lanes * squares - sum * sum) + unit.eps as i64) as u64 & ((1 << unit.variance_width) - 1);
    let exponent = (64 - variance.leading_zeros()).div_ceil(2);
    let leading = (u128::from(variance) << 8 >> (2 * exponent)) as usize;
    let gain = i64::from(unit.rsqrt[leading.saturating_sub(64)]);
    let half = 1 << exponent >> 1;
    kept.iter().map(|&i| ((lanes * row[i] - sum) * gain + half) >> exponent).collect()
}

/// Tables that are loaded: the change of them, check bits and tables for every content, each with something planted.
#[test]
fn loaded_tables_are_proved() {
    let model = random_model(&tiny(), TREES, 2);
    let loadable = || Build::of_design(passes::for_hardware(&lower_loaded(&model, Protection::Secded)));
    for name in [
        "streams",
        "change of tables",
        "check bits",
        "bank, ",
        "held constants, ",
        "table l0_ff1",
        "encoder ",
        "pair table ",
        "threshold",
    ] {
        let checks = prove_alone(&loadable(), name);
        assert!(
            !checks.is_empty() && checks.iter().all(|c| c.outcome == Outcome::Passed),
            "{name}: {checks:#?}"
        );
    }
    let breakages = [
        ("tw_swap.v", "!valid || wanted || change;", "!valid || change;", "change of tables"),
        ("tw_swap.v", "(admitted_left == {CountWidth{1'b0}})", "1'b1", "change of tables"),
        ("tw_swap.v", "rst_n && valid && !change", "rst_n && valid", "change of tables"),
        ("tw_swap.v", "active <= !active;", "active <= !active || want;", "change of tables"),
        ("tw_bank.v", "active ? half_1 : half_0", "active ? half_0 : half_1", "bank, "),
        ("tw_bank.v", "{2{was_read}} & wrong", "wrong", "bank, "),
        ("tw_ram.v", "mem[address][l*Lane+:Bits] <=", "mem[address & ~2'd2][l*Lane+:Bits] <=", "bank, "),
        ("tw_lanes_in.v", "(lane == Place)", "(lane >= Place)", "bank, "),
        ("tw_held.v", "if (write[l] && active)", "if (write[l])", "held constants, "),
        ("tw_check.v", "odd && (syndrome == Own)", "(syndrome == Own)", "check bits"),
        ("tw_guard.v", "place + 1;", "place + 2;", "check bits"),
        ("tw_random_2_l0_ff1.v", "n0_0_1 + n0_1_1", "n0_0_1 | n0_1_1", "table l0_ff1"),
        ("tw_random_2_l0_ff1.v", ".active(active)", ".active(!active)", "table l0_ff1"),
        ("tw_random_2_l0_ff1_code.v", ".active(active)", ".active(!active)", "encoder l0_ff1_code"),
        ("tw_random_2_l0_mix.v", ".read(in_valid)", ".read(1'b1)", "pair table l0_mix"),
        ("tw_random_2_l0_mix.v", "? 1'd0 : head + 1'd1", "? 1'd1 : head + 1'd1", "pair table l0_mix"),
        ("tw_feature_select.v", "key | (", "key ^ (1'b0 & ", "encoder l0_ff1_code"),
        ("tw_tree_encoder.v", "key >= threshold", "key > threshold", "encoder l0_ff1_code"),
    ];
    for (file, from, to, expected) in breakages {
        let build = loadable();
        change(&build, file, from, to);
        let checks = prove_alone(&build, expected);
        assert!(checks.iter().any(|c| c.outcome == Outcome::Failed), "{file}, `{to}`: {checks:#?}");
    }
}

/// Nearest-prototype encoders: what the module connects and what the cell finds, each with something planted.
#[test]
fn nearest_encoders_are_proved() {
    let of = |encoder: EncoderKind| random_model(&tiny(), KernelSpec { encoder, ..TREES }, 2);
    let squares = || Build::of(&of(EncoderKind::L2));
    let magnitudes = || {
        let loaded = lower_loaded(&of(EncoderKind::L1), Protection::Parity);
        Build::of_design(passes::for_hardware(&loaded))
    };
    for build in [squares(), magnitudes()] {
        for name in ["nearest of 4", "encoder l0_"] {
            let checks = prove_alone(&build, name);
            let passed = checks.iter().all(|c| c.outcome == Outcome::Passed);
            assert!(!checks.is_empty() && passed, "{name}: {checks:#?}");
        }
    }
    let cell = "tw_nearest_encoder.v";
    let breakages = [
        (cell, "|| distance < best", "|| distance <= best", "nearest of 4"),
        (cell, "summed_code == {CodeWidth{1'b0}} ||", "summed_code == One ||", "nearest of 4"),
        (cell, "(x < p) ? p - x : x - p", "(x < p) ? p - x : x + p", "nearest of 4"),
        (cell, "vector <= in_data;", "if (!running) vector <= in_data;", "nearest of 4"),
        (cell, "summed_code == Last", "summed_code == Last - One", "nearest of 4"),
        (
            "tw_random_2_l0_ff1_code.v",
            ".address(address_0_1)",
            ".address(address_0_0)",
            "encoder l0_ff1_code",
        ),
        (
            "tw_random_2_l0_ff1_code.v",
            ".prototype(prototype_1)",
            ".prototype(prototype_0)",
            "encoder l0_ff1_code",
        ),
    ];
    for (file, from, to, expected) in breakages {
        let build = squares();
        change(&build, file, from, to);
        let checks = prove_alone(&build, expected);
        assert!(checks.iter().any(|c| c.outcome == Outcome::Failed), "{file}, `{to}`: {checks:#?}");
    }
}
