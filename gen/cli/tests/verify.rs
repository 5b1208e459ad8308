//! `tablewright verify` as it is called: its help, what it refuses, and a certificate of a damaged build.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::fs;
use std::process::Command;

use common::Room;

#[test]
fn help() {
    let output = Room::new().run("verify --help");
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap());
}

#[test]
fn refusals() {
    let room = Room::new();
    room.json("build model.safetensors -o build");
    let before = room.files();
    let calls = [
        "verify",
        "verify nothing",
        "verify app.trace",
        "verify build --level thorough",
        "verify build --mutants many",
        "verify build --liberty nothing",
        "verify build --liberty app.trace",
        "verify build --trace shortest.trace",
        "verify build --trace network.safetensors",
        "verify build -o build/certificate.json",
        "verify build -o build/model.safetensors",
        "verify build -o nowhere/certificate.json",
    ];
    let all: Vec<String> = calls.iter().map(|call| room.refusal(call)).collect();
    for refusal in &all {
        assert!(refusal.ends_with("[2]\n") && !refusal.contains("panicked"), "{refusal}");
    }
    assert_eq!(room.files(), before, "a refused call left something behind");
    insta::assert_snapshot!(all.join("\n"));
}

/// A missing image is said in the certificate, whose name is beside the build and whose status is 1.
#[test]
fn a_damaged_build_gets_a_certificate_that_says_so() {
    if !["verilator", "iverilog", "yosys"].iter().all(|t| Command::new(t).arg("-V").output().is_ok()) {
        println!("skipped: verilator, iverilog and yosys are needed");
        return;
    }
    let room = Room::new();
    room.json("build model.safetensors -o build");
    let memories = room.path("build/rtl/mem");
    let first = fs::read_dir(&memories).unwrap().map(|e| e.unwrap().path()).min().unwrap();
    fs::remove_file(&first).unwrap();
    let output = room.run("verify build --format json");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let certificate: serde_json::Value = serde_json::from_slice(&room.read("build.verify.json")).unwrap();
    assert_eq!(certificate["passed"], false);
    assert_eq!(certificate["changed_files"].as_array().unwrap().len(), 1);
    let outcome = |name: &str| {
        let checks = certificate["checks"].as_array().unwrap();
        checks.iter().find(|c| c["name"] == name).map(|c| c["outcome"].as_str().unwrap().to_owned())
    };
    assert_eq!(outcome("images").as_deref(), Some("failed"));
    assert_eq!(outcome("golden = Verilator"), None);
    assert_eq!(outcome("proofs").as_deref(), Some("skipped"));
    assert_eq!(outcome("mutants").as_deref(), Some("skipped"));
}
