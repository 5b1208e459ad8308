//! `models/write_model.py`, the example that others copy, writes what this crate reads.
//!
//! Needs Python with numpy and safetensors; set `PYTHON` to an interpreter that has them if `python3` has not.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod support;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use support::{model, rounded};
use tablewright_model::{
    AttentionActivation, EncoderKind, KernelSpec, Pool, TableModel, load_model, model_to_bytes, save_model,
};

fn python() -> Option<OsString> {
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let imports = Command::new(&python).args(["-c", "import numpy, safetensors.numpy"]).output();
    if imports.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    eprintln!("skipped: {} cannot import numpy and safetensors", python.display());
    None
}

fn written(arguments: &str) -> Option<TableModel> {
    let python = python()?;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/write_model.py");
    let mut all: Vec<&OsStr> = vec![script.as_ref(), "-o".as_ref(), path.as_ref()];
    all.extend(arguments.split_whitespace().map(OsStr::new));
    run(python, &all);
    Some(load_model(&path).unwrap())
}

fn run(python: OsString, arguments: &[&OsStr]) {
    let output = Command::new(python).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// numpy reads the numbers that were saved, whatever their type in the file, and may save them in any that holds them.
#[test]
fn half_the_bits() {
    let Some(python) = python() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mut model = rounded(model());
    model.position[[0, 0]] = 0.1;
    save_model(&model, &path("ours")).unwrap();
    let script = r#"
import json, sys
import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
ours, single = sys.argv[1:]
tensors = load_file(ours)
assert tensors["embed.table"].dtype == np.float16, tensors["embed.table"].dtype
assert tensors["position"].dtype == np.float32, tensors["position"].dtype
with safe_open(ours, "numpy") as file:
    metadata = file.metadata()
save_file({k: v if v.dtype == np.int32 else v.astype(np.float32) for k, v in tensors.items()}, single, metadata)
"#;
    run(python, &["-c".as_ref(), script.as_ref(), path("ours").as_ref(), path("single").as_ref()]);
    assert_eq!(load_model(&path("single")).unwrap(), model);
}

#[test]
fn odd_shapes_4_bits_sigmoid() {
    let Some(model) = written(
        "--dim 24 --heads 1 --head-dim 24 --prototypes 8 --subspaces 3 --history 7 --outputs 96 \
         --attention sigmoid --bits 4 --name odd",
    ) else {
        return;
    };
    assert_eq!(model.name, "odd");
    assert_eq!(model.network.attention, AttentionActivation::Sigmoid);
    assert_eq!(model.head.table.entries.dim(), (3, 8, 96));
    assert_eq!(model.position.dim(), (8, 24));
    for (_, kernel) in model.kernels() {
        let expected = KernelSpec { encoder: EncoderKind::Tree, prototypes: 8, subspaces: 3, bits: 4 };
        assert_eq!(*kernel.spec(), expected);
    }
}

#[test]
fn every_encoder_and_pool() {
    for (arguments, encoder, pool) in [
        ("--encoder tree --pool cls", EncoderKind::Tree, Pool::Cls),
        ("--encoder l2 --pool last --layers 2", EncoderKind::L2, Pool::Last),
        (
            "--encoder l1 --pool mean --activation relu --subspaces 16 --segments 3",
            EncoderKind::L1,
            Pool::Mean,
        ),
    ] {
        let Some(model) = written(arguments) else {
            return;
        };
        assert_eq!(model.head.encoder.kind(), encoder);
        assert_eq!(model.network.pool, pool);
        assert!(model_to_bytes(&model).is_ok());
    }
}
