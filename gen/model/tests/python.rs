//! `models/write_model.py`, the example that others copy, writes what this crate reads.
//!
//! Needs Python with numpy and safetensors; set `PYTHON` to an interpreter that has them if `python3` has not.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use tablewright_model::{
    AttentionActivation, EncoderKind, KernelSpec, Pool, TableModel, load_model, model_to_bytes,
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
    let output = Command::new(python)
        .arg(script)
        .arg("-o")
        .arg(&path)
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(load_model(&path).unwrap())
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
