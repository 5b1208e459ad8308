//! Networks that `models/export_pytorch.py` wrote, with a real `PyTorch`: they load, compute what `PyTorch` computes, and
//! become table models.
//!
//! Needs Python with torch, numpy and safetensors; set `PYTHON` to an interpreter that has them if `python3` has not
//! (`scripts/setup --python` makes one).
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use ndarray::{Array2, Array3};
use tablewright_model::{EncoderKind, KernelSpec, Network, load_network, model_from_bytes, model_to_bytes};
use tablewright_tabularize::score::best;
use tablewright_tabularize::{Data, Evaluator, Options, tabularize};
use tempfile::TempDir;

/// What `pytorch.py` wrote; nothing if there is no `PyTorch`.
static FOLDER: LazyLock<Option<TempDir>> = LazyLock::new(|| {
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let imports = Command::new(&python).args(["-c", "import numpy, safetensors.torch, torch"]).output();
    if !imports.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {} cannot import torch, numpy and safetensors", python.display());
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(python)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(here.join("tests/pytorch.py"))
        .arg(here.join(".."))
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(folder)
});

fn path(name: &str) -> Option<PathBuf> {
    FOLDER.as_ref().map(|folder| folder.path().join(name))
}

/// A network with windows, their labels, and the logits of `PyTorch`.
struct Case {
    network: Network,
    windows: Array3<u8>,
    labels: Array2<u8>,
    logits: Array2<f32>,
}

impl Case {
    fn load(name: &str) -> Option<Self> {
        let bytes = |ending: &str| std::fs::read(path(&format!("{name}.{ending}")).unwrap()).unwrap();
        let network = load_network(&path(&format!("{name}.safetensors"))?).unwrap();
        assert_eq!(network.name, name);
        let config = &network.config;
        let words: Vec<f32> =
            bytes("logits").as_chunks().0.iter().map(|word| f32::from_le_bytes(*word)).collect();
        let n = words.len() / config.outputs;
        let logits = Array2::from_shape_vec((n, config.outputs), words).unwrap();
        let windows = Array3::from_shape_vec((n, config.history, config.segments), bytes("windows")).unwrap();
        let labels = Array2::from_shape_vec((n, config.outputs.div_ceil(8)), bytes("labels")).unwrap();
        Some(Self { network, windows, labels, logits })
    }

    fn data(&self) -> Data<'_> {
        Data { windows: self.windows.view(), labels: self.labels.view() }
    }

    fn agrees(&self) {
        let logits = Evaluator::of_network(&self.network).unwrap().logits(self.windows.view());
        let worst = (&logits - &self.logits).iter().fold(0.0_f32, |worst, d| worst.max(d.abs()));
        assert!(worst <= 1e-4, "{}: {worst}", self.network.name);
        // What is compared is not constant.
        assert!(logits.std(0.0) > 0.3, "{}: {}", self.network.name, logits.std(0.0));
    }

    /// F1 of the network and of its table model, each at its best threshold.
    fn tabularized(&self) -> (f64, f64) {
        let spec = KernelSpec { encoder: EncoderKind::Tree, prototypes: 64, subspaces: 2, bits: 8 };
        let options = Options { spec, ..Options::default() };
        let (model, _) = tabularize(&self.network, self.data(), self.data(), &options, &mut |_| {}).unwrap();
        let bytes = model_to_bytes(&model).unwrap();
        let model = model_from_bytes(&bytes, "model".as_ref()).unwrap();
        let tables = Evaluator::of_model(&model).unwrap().logits(self.windows.view());
        let f1 = |logits: &Array2<f32>| best(logits.view(), self.labels.view()).f1;
        (f1(&self.logits), f1(&tables))
    }
}

#[test]
fn any_choice_computes_the_same() {
    for name in ["cls", "mean-sigmoid", "last", "relative", "relative-sigmoid"] {
        let Some(case) = Case::load(name) else { return };
        case.agrees();
    }
}

#[test]
fn a_trained_network_becomes_tables() {
    let Some(case) = Case::load("trained") else { return };
    assert!(case.network.layers[0].qkv.bias.iter().all(|&bias| bias == 0.0), "the module has no such bias");
    case.agrees();
    let (exact, tables) = case.tabularized();
    assert!(exact > 0.9 && tables > exact - 0.1, "{exact} {tables}");
}

/// `nn.TransformerEncoder`, renamed by the code in FORMAT.md.
#[test]
fn an_encoder_of_pytorch_computes_the_same() {
    let Some(case) = Case::load("encoder") else { return };
    case.agrees();
}

#[test]
fn what_is_no_export_is_refused_with_the_way_to_make_one() {
    for (name, what) in [("state-dict", "plain state dict"), ("checkpoint", "`torch.save`")] {
        let Some(path) = path(name) else { return };
        let error = load_network(&path).unwrap_err().to_string();
        assert!(error.contains(what) && error.contains("models/export_pytorch.py"), "{error}");
    }
}
