//! Builds in temporary folders, and the proof each must pass.
#![allow(dead_code, reason = "each test uses what it needs")]

use tablewright_design::{Design, lower, passes};
use tablewright_emit::{BuildDir, Interface, Origin, PrefetcherSummary, Vectors, files, write_build};
use tablewright_model::testing::random_model;
use tablewright_model::{KernelSpec, NetworkConfig, TableModel};
use tablewright_plan::Plan;
use tablewright_verif::{Compile, Cosim, Report, check_images, icarus, lint, simulate, vectors};

/// A build and what it was made from.
pub(crate) struct Build {
    pub dir: BuildDir,
    pub design: Design,
    pub plan: Plan,
    _folder: tempfile::TempDir,
}

impl Build {
    /// Of a random model.
    pub(crate) fn random(network: &NetworkConfig, spec: KernelSpec, seed: u64) -> Self {
        Self::of(&random_model(network, spec, seed))
    }

    /// Of a model, as hardware is made.
    pub(crate) fn of(model: &TableModel) -> Self {
        Self::of_design(passes::for_hardware(&lower(model)))
    }

    /// Of a design, laid out as it is where nobody says otherwise.
    pub(crate) fn of_design(design: Design) -> Self {
        let plan = Plan::automatic(&design);
        Self::planned(design, plan)
    }

    /// Of a design under a plan.
    pub(crate) fn planned(design: Design, plan: Plan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = BuildDir::new(folder.path().join("build"));
        let vectors = Vectors {
            core: vectors::testbench(&design, 12, &[], 5),
            prefetcher: vectors::prefetcher_testbench(&design, 12, &[], 5),
        };
        let files = files(&design, &plan, &vectors).unwrap();
        let origin = Origin {
            model: &design.name,
            model_bytes: &[],
            plan: String::new(),
            passes: vec![],
            loaded: design.loaded,
            target: "generic",
            cycles: (plan.latency, plan.interval),
            interface: Interface::of(&design, &plan),
            prefetcher: PrefetcherSummary::of(&design, &plan),
        };
        write_build(&dir, &files, &origin).unwrap();
        Self { dir, design, plan, _folder: folder }
    }

    /// Simulates `count` corner and random windows, or accesses.
    pub(crate) fn simulate(&self, count: usize, stall: f64) -> Report {
        self.simulate_made(count, stall, Compile::ForHaste)
    }

    /// The same, compiled in one way or the other.
    fn simulate_made(&self, count: usize, stall: f64, compile: Compile) -> Report {
        let windows = vectors::windows(&self.design, count, &[], 1);
        let options = Cosim { stall, seed: 7, compile, ..Cosim::default() };
        simulate(&self.dir, &self.design, &self.plan, &windows, &options, &mut |_| ()).unwrap()
    }

    /// Lint with three tools, images, Verilator at full speed and with stalls, Icarus.
    pub(crate) fn prove(&self, count: usize) {
        self.compare(count, Compile::ForHaste);
        icarus(&self.dir, &self.design.name).unwrap().unwrap();
    }

    /// The same without Icarus, which takes minutes where Verilator takes seconds.
    pub(crate) fn compare(&self, count: usize, compile: Compile) {
        let linted = lint(&self.dir).unwrap();
        assert!(linted.complaints.is_empty(), "{:#?}", linted.complaints);
        assert_eq!(check_images(&self.dir, &self.design, &self.plan), (None, 0));
        for stall in [0.0, 0.4] {
            let report = self.simulate_made(count, stall, compile);
            assert!(report.passed(), "{report:#?}");
            if stall == 0.0 && count > 1 {
                assert_eq!(report.interval_simulated, Some(self.plan.interval));
            }
        }
    }
}
