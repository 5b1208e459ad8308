//! Whole builds: lint, images, Verilator at every boundary, Icarus.
#![allow(clippy::unwrap_used)]

use tablewright_design::{Design, lower, passes};
use tablewright_emit::{BuildDir, Origin, files, write_build};
use tablewright_model::testing::{dart_s, dart_s_spec, random_model};
use tablewright_model::{KernelSpec, NetworkConfig};
use tablewright_plan::Plan;
use tablewright_verif::{Cosim, check_images, icarus, lint, simulate, vectors};

struct Build {
    dir: BuildDir,
    design: Design,
    plan: Plan,
    _folder: tempfile::TempDir,
}

fn build(network: &NetworkConfig, spec: KernelSpec, seed: u64) -> Build {
    let model = random_model(network, spec, seed);
    let design = passes::optimise(&lower(&model));
    let plan = Plan::serial(&design);
    let folder = tempfile::tempdir().unwrap();
    let dir = BuildDir::new(folder.path().join("build"));
    let files = files(&design, &plan, &vectors::testbench(&design, 20, seed)).unwrap();
    let origin = Origin {
        model: &design.name,
        model_bytes: &[],
        passes: vec![],
        target: "generic",
        cycles: (plan.latency, plan.interval),
    };
    write_build(&dir, &files, &origin).unwrap();
    Build { dir, design, plan, _folder: folder }
}

fn prove(build: &Build, windows: usize) {
    let linted = lint(&build.dir).unwrap();
    assert!(linted.complaints.is_empty(), "{:#?}", linted.complaints);
    assert_eq!(check_images(&build.dir, &build.design), (None, 0));
    let windows = vectors::windows(&build.design, windows, &[], 1);
    for stall in [0.0, 0.3] {
        let options = Cosim { stall, seed: 7, waves: None };
        let report = simulate(&build.dir, &build.design, &build.plan, &windows, &options, &mut |_| ()).unwrap();
        assert!(report.passed(), "{report:#?}");
        if stall == 0.0 {
            assert_eq!(report.interval_simulated, Some(build.plan.interval));
        }
        eprintln!("{:.0} cycles/s, latency {}", report.cycles_per_second, report.cycles_simulated);
    }
    icarus(&build.dir, &build.design.name).unwrap().unwrap();
}

#[test]
fn dart_s_matches() {
    prove(&build(&dart_s(), dart_s_spec(), 3), 200);
}
