//! `FuseSoC` takes a build as it is: lint and simulation from its core file.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// `FuseSoC`, beside the interpreter that the tests use.
fn fusesoc() -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var_os("PYTHON")?);
    let program = python.with_file_name("fusesoc");
    program.is_file().then_some(program)
}

#[test]
fn its_targets_pass() {
    let Some(fusesoc) = fusesoc() else {
        println!(
            "skipped: FuseSoC is needed beside the interpreter in PYTHON; `scripts/setup --python` installs it"
        );
        return;
    };
    if !["verilator", "iverilog"].iter().all(|tool| Command::new(tool).arg("-V").output().is_ok()) {
        println!("skipped: verilator and iverilog are needed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/zoo/mcfns-stream-s.safetensors");
    let built = Command::new(env!("CARGO_BIN_EXE_tablewright"))
        .args(["build", model.to_str().unwrap(), "-o", "build", "-q"])
        .current_dir(here)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    for (target, wanted) in
        [("lint", ""), ("lint_prefetcher", ""), ("sim", "PASS: "), ("sim_prefetcher", "PASS: ")]
    {
        let run = Command::new(&fusesoc)
            .args(["--cores-root", "build", "run", "--build-root", "work", "--target", target])
            .arg("tablewright::mcfns_stream_s")
            // Its own settings and caches stay in the folder.
            .env("HOME", here)
            .current_dir(here)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&run.stdout) + String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success() && said.contains(wanted), "{target}: {said}");
        assert!(!said.contains("%Warning") && !said.contains("warning:"), "{target}: {said}");
    }
}
