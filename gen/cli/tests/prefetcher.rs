//! The whole prefetcher: on paper what the software issues, in Verilog what the golden prefetcher says.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tablewright_design::{lower, passes};
use tablewright_golden::{Demand, Prefetcher};
use tablewright_model::load_model;
use tablewright_trace::{CacheConfig, Trace};

fn shipped(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models").join(file)
}

fn tablewright(call: &[&str], folder: &Path) -> Vec<u8> {
    let output =
        Command::new(env!("CARGO_BIN_EXE_tablewright")).args(call).current_dir(folder).output().unwrap();
    assert!(
        output.status.success(),
        "{call:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// `run` is the software's meaning of a prefetcher: windows of the whole trace, scores, issuer, filter. Where no access is
/// dropped, the hardware must issue the same addresses in the same order.
#[test]
fn the_golden_prefetcher_issues_what_the_software_issues() {
    let folder = tempfile::tempdir().unwrap();
    for (model, trace) in [
        ("mcfns-stream-s", "mcfns"),
        ("mcfns-dart-s", "mcfns"),
        ("libquantum_shor-stream-s", "libquantum_shor"),
        ("libquantum_shor-dart-s", "libquantum_shor"),
    ] {
        let model = shipped(&format!("zoo/{model}.safetensors"));
        let trace = shipped(&format!("traces/{trace}.champsimtrace.xz"));
        let [model_name, trace_name] = [&model, &trace].map(|path| path.to_str().unwrap());
        tablewright(&["run", model_name, "--trace", trace_name, "-o", "issued.txt"], folder.path());
        let issued = std::fs::read_to_string(folder.path().join("issued.txt")).unwrap();

        let design = passes::for_hardware(&lower(&load_model(&model).unwrap()));
        let mut prefetcher = Prefetcher::new(&design);
        let mut lines = issued.lines();
        let mut count = 0;
        for access in Trace::load(&trace, &CacheConfig::default()).unwrap().accesses {
            for address in prefetcher.access(Demand { address: access.address, pc: access.ip }) {
                let line = format!("{} {address:x}", access.id);
                assert_eq!(lines.next(), Some(line.as_str()), "{model_name}, prefetch {count}");
                count += 1;
            }
        }
        assert_eq!(lines.next(), None, "{model_name}");
        assert!(count > 10_000, "{model_name}: {count} prefetches tell little");
    }
}

/// A core that takes accesses and one that takes windows, on a real trace: nothing dropped at the plan's spacing, nearly
/// everything back to back, and a consumer that stalls.
#[test]
fn the_verilog_issues_what_the_golden_prefetcher_issues() {
    if Command::new("verilator").arg("--version").output().is_err() {
        println!("skipped: verilator is needed");
        return;
    }
    let trace = shipped("traces/mcfns.champsimtrace.xz");
    for model in ["mcfns-stream-s", "mcfns-dart-s"] {
        let folder = tempfile::tempdir().unwrap();
        let file = shipped(&format!("zoo/{model}.safetensors"));
        let built =
            tablewright(&["build", file.to_str().unwrap(), "-o", "build", "--format", "json"], folder.path());
        let built: Value = serde_json::from_slice(&built).unwrap();
        assert!(folder.path().join("build").join(built["prefetcher"].as_str().unwrap()).is_file());
        let simulated = |options: &[&str]| -> Value {
            let call = ["sim", "build", "--top", "prefetcher", "--format", "json", "--vectors", "4000"];
            let from = ["--trace", trace.to_str().unwrap()];
            let said = tablewright(&[&call[..], &from, options].concat(), folder.path());
            let said: Value = serde_json::from_slice(&said).unwrap();
            assert_eq!((&said["passed"], &said["mismatches"]), (&true.into(), &0.into()), "{said:#}");
            assert_eq!(said["trace_accesses"], 4000);
            said
        };
        let number = |said: &Value, field: &str| said[field].as_u64().unwrap();

        let spaced = simulated(&[]);
        assert_eq!((number(&spaced, "taken"), number(&spaced, "dropped")), (4000, 0));
        assert!(number(&spaced, "prefetches") > 10_000);
        assert_eq!(spaced["cycles_simulated"], spaced["cycles_planned"]);
        // The slower of core and issue unit sets the interval, which is kept to the cycle.
        let interval = &spaced["interval_planned"];
        assert!(number(&spaced, "interval_planned") >= number(&built, "interval_cycles"));
        assert_eq!(spaced["interval_simulated"], serde_json::json!([interval, interval]));
        let estimate: Value =
            serde_json::from_slice(&tablewright(&["estimate", "build", "--format", "json"], folder.path()))
                .unwrap();
        assert_eq!(estimate["prefetcher"]["latency_cycles"], spaced["cycles_simulated"]);

        let busy = simulated(&["--spacing", "1", "--stall", "0.7"]);
        assert_eq!(number(&busy, "taken") + number(&busy, "dropped"), 4000);
        assert!(number(&busy, "dropped") > 3000);
        let waiting = simulated(&["--spacing", "50", "--stall", "0.4", "--seed", "9"]);
        assert!(number(&waiting, "dropped") > 0 && number(&waiting, "prefetches") > 1000);
    }
}
