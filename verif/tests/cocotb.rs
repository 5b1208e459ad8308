//! Loaded tables, driven by a client that others wrote: cocotb with the AXI models of cocotbext-axi, under Icarus Verilog.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::json;
use support::Build;
use tablewright_design::{Design, Protection, lower_like, lower_loaded, passes};
use tablewright_emit::{Label, Loading, Names, stream_widths};
use tablewright_golden::Golden;
use tablewright_model::testing::{dart_s, dart_s_spec, random_model};
use tablewright_model::{KernelSpec, NetworkConfig, TableModel};
use tablewright_verif::vectors;

fn python() -> Option<String> {
    let python = std::env::var("PYTHON").ok()?;
    let found = Command::new(&python).args(["-c", "import cocotb, cocotbext.axi"]).output().ok()?;
    found.status.success().then_some(python)
}

fn small() -> NetworkConfig {
    NetworkConfig { history: 3, segments: 3, dim: 8, head_dim: 4, hidden: 6, outputs: 24, ..dart_s() }
}

/// Bits as one hexadecimal number, the first lowest.
fn number(values: impl Iterator<Item = u64>, bits: u32) -> String {
    let bits: Vec<bool> = values.flat_map(|v| (0..bits).map(move |b| v >> b & 1 == 1)).collect();
    let digits = bits.chunks(4).map(|c| c.iter().rev().fold(0, |d, &b| d << 1 | u32::from(b)));
    digits.collect::<Vec<_>>().into_iter().rev().map(|d| char::from_digit(d, 16).unwrap()).collect()
}

fn bitmaps(design: &Design, windows: &[Vec<u8>]) -> Vec<String> {
    let mut golden = Golden::new(design);
    let last = tablewright_design::NodeId(design.nodes.len() - 1);
    let bitmap = |window: &Vec<u8>| {
        golden.run(window);
        number(golden.value(last).iter().map(|&v| v as u64), 1)
    };
    windows.iter().map(bitmap).collect()
}

/// Loads tables of `first` and `second` into hardware made with `first`.
fn drive(protection: Protection, first: &TableModel, second: &TableModel) {
    let Some(python) = python() else {
        println!("skipped: cocotb and cocotbext-axi are needed (`make setup` puts them into .venv)");
        return;
    };
    let whole = lower_loaded(first, protection);
    // Whole windows, each of which has one bitmap whatever came before.
    let hardware = |design: &Design| passes::chosen(design, |pass| pass != passes::STREAM);
    let build = Build::of_design(hardware(&whole));
    let mut other = hardware(&lower_like(second, &whole).unwrap().design);
    other.name.clone_from(&build.design.name);
    let windows = vectors::windows(&build.design, 40, &[], 3);
    let image = |design: &Design, version| {
        let loading = Loading::of(design, &build.plan).unwrap();
        loading.image(Label { version, activate: false })
    };
    let names = Names::new(&build.design.name);
    // Every table has a bank of its own module; constants that are held lie in the predictor.
    let tables = build.design.nodes.iter().filter(|n| !n.op.tables().is_empty());
    let banks: Vec<_> = tables
        .filter(|n| n.op.kind() == "lookup")
        .map(|n| (format!("u_{}.u_bank_0", n.name), n.op.tables()[0].rows))
        .collect();
    let held = ["u_threshold"];
    let segment_bits = build.design.input.segment_bits;
    let case = json!({
        "protection": protection as u8,
        "image_a": image(&build.design, 1),
        "image_b": image(&other, 2),
        "windows": windows.iter().map(|w| number(w.iter().map(|&v| u64::from(v)), segment_bits)).collect::<Vec<_>>(),
        "bitmaps_a": bitmaps(&build.design, &windows),
        "bitmaps_b": bitmaps(&other, &windows),
        "banks": banks,
        "held": held,
    });
    assert_ne!(case["bitmaps_a"], case["bitmaps_b"], "the two sets can be told apart");
    assert!(stream_widths(&build.design).0.is_multiple_of(8));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.json");
    std::fs::write(&path, case.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("cocotb/run.py");
    let run = Command::new(python)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(script)
        .arg(build.dir.root())
        .arg(names.core())
        .arg(&path)
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{said}");
}

#[test]
fn tables_are_loaded_changed_and_guarded() {
    let spec = KernelSpec { prototypes: 8, subspaces: 2, ..dart_s_spec() };
    drive(Protection::Secded, &random_model(&small(), spec, 1), &random_model(&small(), spec, 2));
}

#[test]
fn tables_are_loaded_without_protection() {
    let network = NetworkConfig { history: 2, layers: 2, ..small() };
    let spec = KernelSpec { encoder: tablewright_model::EncoderKind::L2, prototypes: 4, ..dart_s_spec() };
    drive(Protection::None, &random_model(&network, spec, 3), &random_model(&network, spec, 4));
}
