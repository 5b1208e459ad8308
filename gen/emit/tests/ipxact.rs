//! The IP-XACT of both tops, read by others.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::PathBuf;
use std::process::Command;

use tablewright_design::{Protection, lower, lower_loaded, passes};
use tablewright_emit::{Vectors, files};
use tablewright_model::testing::{dart_s, dart_s_spec, random_model};
use tablewright_plan::Plan;

#[test]
fn others_can_read_it() {
    let python = std::env::var_os("PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    if Command::new(&python).arg("--version").output().is_err() {
        println!("skipped: python3 is needed, or another interpreter in PYTHON");
        return;
    }
    let model = random_model(&dart_s(), dart_s_spec(), 5);
    for lowered in [lower(&model), lower_loaded(&model, Protection::Secded)] {
        let design = passes::for_hardware(&lowered);
        let folder = tempfile::tempdir().unwrap();
        let mut described = Vec::new();
        for (path, text) in files(&design, &Plan::automatic(&design), &Vectors::default()).unwrap() {
            if path.ends_with("_core.xml") || path.ends_with("_prefetcher.xml") {
                let to = folder.path().join(path);
                std::fs::write(&to, text).unwrap();
                described.push(to);
            }
        }
        assert_eq!(described.len(), 2);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ipxact.py");
        let read = Command::new(&python).arg(script).args(&described).output().unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        if String::from_utf8_lossy(&read.stdout).trim() == "no schema" {
            println!(
                "not compared with the schema: the Python packages ipyxact and six are needed in the interpreter of PYTHON"
            );
        }
    }
}
