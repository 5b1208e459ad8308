//! The exact counts against Yosys: whole designs elaborated, flattened and counted bit for bit.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::process::Command;

use tablewright_design::{Design, Node, Protection, lower, lower_loaded, passes};
use tablewright_emit::{Vectors, files};
use tablewright_model::testing::{dart_s, random_model_with};
use tablewright_model::{
    Activation, AttentionActivation, EncoderKind, KernelSpec, NetworkConfig, Pool, Positions, TableModel,
};
use tablewright_plan::resources::{Function, Resources};
use tablewright_plan::{Directives, Elements, Plan, PrefetcherPlan, Shape, columns, pipeline};

/// What Yosys counts.
#[derive(Debug, PartialEq, Eq)]
struct Counted {
    register_bits: u64,
    memory_bits: u64,
    multipliers: u64,
}

impl Counted {
    fn of(resources: &Resources) -> Self {
        Self {
            register_bits: resources.register_bits(),
            memory_bits: resources.rom_bits() + resources.writable_bits(),
            multipliers: resources.operators(Function::Multiply) + resources.operators(Function::Scale),
        }
    }

    /// From the report of `stat -width`: cells as `$dff_8  12`.
    fn read(report: &str) -> Self {
        let mut counted = Self { register_bits: 0, memory_bits: 0, multipliers: 0 };
        for line in report.lines().map(str::trim) {
            if let Some(bits) = line.strip_prefix("Number of memory bits:") {
                counted.memory_bits = bits.trim().parse().unwrap();
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            let [cell, count] = words[..] else { continue };
            let (Some((kind, width)), Ok(count)) = (cell.rsplit_once('_'), count.parse::<u64>()) else {
                continue;
            };
            match kind {
                "$dff" => counted.register_bits += count * width.parse::<u64>().unwrap(),
                "$mul" => counted.multipliers += count,
                other => {
                    assert!(!other.contains("ff") && !other.contains("latch"), "unexpected register {cell}");
                }
            }
        }
        counted
    }
}

/// Of the modules named, each as a top; `None` where there is no Yosys.
fn yosys(design: &Design, plan: &Plan, tops: &[String]) -> Option<Vec<Counted>> {
    let folder = tempfile::tempdir().unwrap();
    let mut sources = Vec::new();
    for (path, text) in files(design, plan, &Vectors::default()).unwrap() {
        let Some(inside) = path.strip_prefix("rtl/") else {
            continue;
        };
        let to = folder.path().join(inside);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(&to, text).unwrap();
        if to.extension().is_some_and(|e| e == "v") {
            sources.push(inside.to_owned());
        }
    }
    let count = |top: &String| {
        let script = format!(
            "read_verilog {}; hierarchy -top {top}; proc; delete w:$memwr* %ci1 t:$dff %i; flatten; tee -q -o counts.txt stat -width",
            sources.join(" ")
        );
        let run = Command::new("yosys").args(["-q", "-p", &script]).current_dir(folder.path()).output();
        match run {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            run => {
                let output = run.unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                Some(Counted::read(&std::fs::read_to_string(folder.path().join("counts.txt")).unwrap()))
            }
        }
    };
    tops.iter().map(count).collect()
}

fn check(network: &NetworkConfig, encoders: [EncoderKind; 3], seed: u64, optimised: bool) {
    check_of(network, encoders, seed, |model| {
        let lowered = lower(model);
        if optimised { passes::for_hardware(&lowered) } else { lowered }
    });
}

fn check_of(
    network: &NetworkConfig,
    encoders: [EncoderKind; 3],
    seed: u64,
    design: impl Fn(&TableModel) -> Design,
) {
    // Kernels take turns; K, C and bits differ too.
    let model = random_model_with(
        network,
        |site| {
            let i = site.name.len() + site.features;
            KernelSpec {
                encoder: encoders[i % 3],
                prototypes: [4, 8, 2][i % 3],
                subspaces: [2, 1, 3][(i / 3) % 3],
                bits: [8, 4, 6][(i + seed as usize) % 3],
            }
        },
        seed,
    );
    let design = design(&model);
    compare(network, &design, &Plan::automatic(&design));
}

fn compare(network: &NetworkConfig, design: &Design, plan: &Plan) {
    let names = tablewright_emit::Names::new(&design.name);
    match yosys(design, plan, &[names.core(), names.prefetcher()]) {
        Some(counted) => {
            let around = PrefetcherPlan::new(design, plan);
            let core = Resources::of_design(design, plan);
            let prefetcher = Resources::of_prefetcher(design, plan, &around);
            assert_eq!(counted, [core, prefetcher].map(|r| Counted::of(&r)), "{network:?}");
        }
        None => println!("skipped: there is no `yosys` on the path; apt-get install yosys"),
    }
}

fn small() -> NetworkConfig {
    NetworkConfig { history: 3, segments: 4, dim: 6, head_dim: 4, hidden: 5, outputs: 10, ..dart_s() }
}

#[test]
fn trees_with_softmax_and_gelu() {
    check(&small(), [EncoderKind::Tree; 3], 1, true);
    check(&NetworkConfig { history: 5, dim: 8, ..small() }, [EncoderKind::Tree; 3], 2, false);
}

#[test]
fn nearest_prototypes_with_sigmoid_and_relu() {
    let network = NetworkConfig {
        attention: AttentionActivation::Sigmoid,
        activation: Activation::Relu,
        pool: Pool::Last,
        heads: 1,
        ..small()
    };
    check(&network, [EncoderKind::L2, EncoderKind::L1, EncoderKind::L2], 3, true);
    check(&network, [EncoderKind::L1, EncoderKind::Tree, EncoderKind::L2], 4, false);
}

#[test]
fn loaded_tables_with_every_protection() {
    let encoders = [EncoderKind::Tree, EncoderKind::L2, EncoderKind::Tree];
    for (seed, protection) in [(6, Protection::None), (7, Protection::Parity), (8, Protection::Secded)] {
        check_of(&small(), encoders, seed, |model| passes::for_hardware(&lower_loaded(model, protection)));
    }
}

#[test]
fn a_mean_over_two_layers() {
    let network = NetworkConfig { pool: Pool::Mean, layers: 2, heads: 3, history: 4, ..small() };
    check(&network, [EncoderKind::Tree, EncoderKind::L2, EncoderKind::L1], 5, true);
}

#[test]
fn one_access_at_a_time() {
    let network =
        NetworkConfig { positions: Positions::Relative, pool: Pool::Last, history: 5, heads: 3, ..small() };
    check(&network, [EncoderKind::Tree, EncoderKind::L2, EncoderKind::Tree], 7, true);
    check(&NetworkConfig { history: 3, ..network }, [EncoderKind::Tree; 3], 8, false);
}

#[test]
fn one_access_of_one_segment() {
    let network = NetworkConfig { history: 1, segments: 1, pool: Pool::Last, outputs: 2, ..small() };
    check(&network, [EncoderKind::Tree, EncoderKind::L1, EncoderKind::Tree], 6, false);
}

/// Columns of values two at once and all at once, frozen and loaded.
#[test]
fn columns_at_once() {
    let spec = KernelSpec { encoder: EncoderKind::Tree, prototypes: 4, subspaces: 2, bits: 4 };
    let network = NetworkConfig { heads: 2, head_dim: 3, ..small() };
    for protection in [None, Some(Protection::Parity)] {
        let model = random_model_with(&network, |_| spec, 11);
        let whole = match protection {
            Some(protection) => lower_loaded(&model, protection),
            None => lower(&model),
        };
        // Dead lanes would leave a number of columns that is left to chance.
        let design = passes::chosen(&whole, |name| name != "dead-lanes");
        for groups in [3, 1] {
            let shapes = columns::side_by_side(&design, &Directives::shapes(&design), |_| groups);
            let most = shapes.iter().map(|shape| shape.at_once).max();
            assert_eq!(most, Some(6 / groups as u32));
            compare(&network, &design, &Plan::new(&design, &Directives::within(&design, &shapes, 20)));
        }
    }
}

/// Folded once and as far as can be, with registers behind the banks; a bias that is added once included.
#[test]
fn folded_tables() {
    for seed in [9, 10] {
        let spec = KernelSpec { encoder: EncoderKind::Tree, prototypes: 4, subspaces: 2, bits: 4 };
        let model = random_model_with(&small(), |_| spec, seed);
        let design = passes::for_hardware(&lower(&model));
        let folded = |node: &Node| {
            let folds = pipeline::folds(node);
            let fold = if seed == 9 { folds[folds.len() - 1] } else { folds[folds.len().min(2) - 1] };
            Shape { fold, ..Shape::of(Elements::Parallel) }
        };
        let shapes: Vec<Shape> = design.nodes.iter().map(folded).collect();
        assert!(shapes.iter().any(|shape| shape.fold > 1));
        let once = |node: &Node| node.op.tables().iter().any(|table| table.bias.is_some());
        assert!(
            design.nodes.iter().zip(&shapes).any(|(node, shape)| once(node) && shape.fold > 1),
            "no bias"
        );
        for levels in [5, 20] {
            compare(&small(), &design, &Plan::new(&design, &Directives::within(&design, &shapes, levels)));
        }
    }
}
