//! A model made by an outside script becomes hardware; a damaged build is found out.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn tablewright(folder: &Path, call: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tablewright"))
        .args(call.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap()
}

fn json(folder: &Path, call: &str, status: i32) -> Value {
    let output = tablewright(folder, &format!("{call} --format json"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        output.status.code(),
        Some(status),
        "{call}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(&text).unwrap()
}

/// The Python that has numpy and safetensors (`scripts/setup --python` makes one), or none.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
    let ready = Command::new(&python).args(["-c", "import numpy, safetensors"]).output();
    ready.is_ok_and(|o| o.status.success()).then_some(python)
}

fn tools() -> bool {
    ["verilator", "iverilog", "yosys"].iter().all(|t| Command::new(t).arg("-V").output().is_ok())
}

/// The shape that nothing here was trained on: D 24, K 8, C 3, T 7, 96 outputs, one head, sigmoid attention, 4 bits.
#[test]
fn a_model_from_python_becomes_hardware() {
    let Some(python) = python().filter(|_| tools()) else {
        println!(
            "skipped: numpy and safetensors in Python, verilator, iverilog and yosys are needed; run `scripts/setup --python`"
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/write_model.py");
    let options = "--dim 24 --heads 1 --head-dim 24 --hidden 24 --prototypes 8 --subspaces 3 --history 7 --outputs 96 \
                   --attention sigmoid --bits 4 --encoder tree --seed 3";
    let written = Command::new(python)
        .arg(script)
        .args(options.split_whitespace())
        .args(["-o", "odd.safetensors"])
        .current_dir(here)
        .output();
    let written = written.unwrap();
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));

    let built = json(here, "build odd.safetensors -o odd.build", 0);
    let linted = json(here, "lint odd.build", 0);
    assert!(linted["modules"].as_u64().unwrap() > 20);
    assert_eq!(linted["changed_files"], serde_json::json!([]));
    let good = json(here, "sim odd.build --vectors 300 --stall 0.2", 0);
    assert_eq!((good["vectors"].as_u64(), good["mismatches"].as_u64()), (Some(300), Some(0)));
    assert_eq!(good["cycles_planned"], good["cycles_simulated"]);
    assert_eq!(built["latency_cycles"], good["cycles_planned"]);
    assert!(good["cycles_per_second"].as_f64().unwrap() > 0.0);
    let estimate = json(here, "estimate odd.build", 0);
    assert_eq!(estimate["latency_cycles"], good["cycles_simulated"]);
    assert_eq!(estimate["interval_cycles"], good["interval_simulated"]);
    for field in ["table_bits", "encoder_bits"] {
        assert!(estimate[field].as_u64().unwrap() > 0);
    }

    // The same model gives the same bytes.
    json(here, "build odd.safetensors -o again.build", 0);
    let manifest = |build: &str| fs::read(here.join(build).join("manifest.json")).unwrap();
    assert_eq!(manifest("odd.build"), manifest("again.build"));

    // One bit of one image.
    let image = here.join("odd.build/rtl/mem/tw_example_embed_bank0.hex");
    let text = fs::read_to_string(&image).unwrap();
    let digit = text.chars().next().unwrap().to_digit(16).unwrap() ^ 1;
    fs::write(&image, format!("{digit:x}{}", &text[1..])).unwrap();
    let bad = json(here, "sim odd.build --vectors 300", 1);
    assert_eq!(bad["image_fault"]["file"], "rtl/mem/tw_example_embed_bank0.hex");
    assert_eq!(bad["image_fault"]["kernel"], "embed");
    assert_eq!(bad["first"]["kernel"], "embed");
    assert_eq!(bad["changed_files"], serde_json::json!(["rtl/mem/tw_example_embed_bank0.hex"]));
    assert!(bad["mismatches"].as_u64().unwrap() > 0);

    // No image at all: not simulated, for the simulator would read zeros.
    fs::remove_file(&image).unwrap();
    let gone = json(here, "sim odd.build", 1);
    assert_eq!(gone["image_fault"]["line"], 0);
    assert_eq!(gone["vectors"], 0);

    // A build replaces a build, one of another version too, and nothing else.
    let manifest = here.join("odd.build/manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(
        &manifest,
        text.replace("\"version\": 3", "\"version\": 1").replace("interval_cycles", "pause"),
    )
    .unwrap();
    assert_eq!(tablewright(here, "info odd.build").status.code(), Some(2));
    json(here, "build odd.safetensors -o odd.build", 0);
    fs::create_dir(here.join("precious")).unwrap();
    fs::write(here.join("precious/thesis.txt"), "all of it").unwrap();
    let refused = tablewright(here, "build odd.safetensors -o precious");
    assert_eq!(refused.status.code(), Some(2));
    assert!(here.join("precious/thesis.txt").is_file());
    // `precious/none` does not exist, so this names `precious` only once somebody has made it.
    let refused = tablewright(here, "build odd.safetensors -o precious/none/..");
    assert_eq!(refused.status.code(), Some(2));
    assert!(here.join("precious/thesis.txt").is_file());
    for place in ["nowhere/waves.fst", "odd.build/model.safetensors"] {
        let refused = tablewright(here, &format!("sim odd.build --vectors 2 --waves {place}"));
        assert_eq!(refused.status.code(), Some(2));
    }

    // Another model in the build is not what its Verilog was made from.
    let model = here.join("odd.build/model.safetensors");
    let mut bytes = fs::read(&model).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&model, bytes).unwrap();
    let refused = tablewright(here, "sim odd.build");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("not what the build was made from"));
}
