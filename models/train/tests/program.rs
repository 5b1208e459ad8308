//! The program as its callers see it: output, files, messages, exit status.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ndarray::{Array2, Array3};
use tablewright_model::load_network;
use tablewright_trace::{Dataset, Split};
use tempfile::TempDir;

const CONFIG: &str = r#"{"network": {"history": 4, "segments": 2, "pool": "cls", "dim": 16, "layers": 1,
    "heads": 2, "head_dim": 16, "hidden": 16, "outputs": 256, "attention": "softmax", "activation": "gelu",
    "norm_eps": 1e-5}}"#;

/// A folder with a dataset of a stride of 2 and the configuration for it.
struct Case {
    folder: TempDir,
}

impl Case {
    fn new() -> Self {
        let rows = 700;
        let windows =
            Array3::from_shape_fn((rows, 4, 2), |(n, t, s)| (((2 * (n + t)) >> (6 * s)) & 63) as u8);
        // Deltas 2, 4, 6 and 8.
        let mut labels = Array2::zeros((rows, 32));
        labels.column_mut(0).fill(0b1010_1010);
        let current = (0..rows as u32).collect();
        let dataset = Dataset { windows, labels, current, outputs: 256, segment_bits: 6 };
        let case = Self { folder: TempDir::new().unwrap() };
        let split = Split { train: 0..520, valid: 520..600, test: 600..700 };
        dataset.save(&case.path("data.safetensors"), &split).unwrap();
        fs::write(case.path("config.json"), CONFIG).unwrap();
        case
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs in the folder, so that messages hold relative paths.
    fn run(&self, threads: &str, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tablewright-train"))
            .current_dir(self.folder.path())
            .env("RAYON_NUM_THREADS", threads)
            .args(args)
            .output()
            .unwrap()
    }

    /// Exit status 2, nothing on standard output, no network; gives the message.
    fn refused(&self, args: &[&str]) -> String {
        let usual = ["data.safetensors", "-o", "n.safetensors", "--config", "config.json"];
        let has = |option: &str| args.contains(&option);
        let mut all: Vec<&str> = Vec::new();
        if !has("DATASET") {
            all.push(usual[0]);
        }
        if !has("-o") {
            all.extend(&usual[1..3]);
        }
        if !has("--config") {
            all.extend(&usual[3..]);
        }
        all.extend(args.iter().filter(|&&a| a != "DATASET"));
        let output = self.run("1", &all);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(output.stdout.is_empty());
        assert!(!self.path("n.safetensors").exists());
        assert_eq!(message.lines().count(), 1, "{message}");
        message
    }
}

fn train(case: &Case, threads: &str, output: &str, more: &[&str]) -> Output {
    let mut args = vec!["data.safetensors", "-o", output, "--config", "config.json", "--epochs", "3"];
    args.extend(more);
    let output = case.run(threads, &args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty());
    output
}

#[test]
fn json_progress_and_a_network_that_loads() {
    let case = Case::new();
    let output = train(&case, "2", "stride-two.v1.safetensors", &["--format", "json"]);
    let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    for (i, line) in lines.iter().enumerate() {
        let fields: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, ["epoch", "epochs", "f1_valid", "loss", "seconds", "threshold"]);
        assert_eq!(line["epoch"], i + 1);
        assert_eq!(line["epochs"], 3);
    }
    let network = load_network(&case.path("stride-two.v1.safetensors")).unwrap();
    assert_eq!(network.name, "stride-two");
    assert_eq!(network.provenance["dataset"], "data.safetensors");
    let best: f64 = network.provenance["f1_valid"].parse().unwrap();
    let told = lines.iter().map(|line| line["f1_valid"].as_f64().unwrap()).fold(0.0, f64::max);
    assert!((best - told).abs() < 1e-3 && told > 0.99, "{best} {told}");
    assert!(network.layers[0].qkv.bias.iter().all(|&b| b == 0.0));
}

#[test]
fn text_progress_is_one_line_an_epoch_and_a_summary() {
    let case = Case::new();
    let output = train(&case, "2", "n.safetensors", &["--name", "other", "--max-windows", "200"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.starts_with("epoch   1/3  loss "), "{text}");
    assert!(text.lines().last().unwrap().ends_with("written to n.safetensors"), "{text}");
    let network = load_network(&case.path("n.safetensors")).unwrap();
    assert_eq!(network.name, "other");
    assert_eq!(network.provenance["windows_train"], "200");
    assert_eq!(network.provenance["windows_valid"], "50");
}

#[test]
fn the_same_bytes_with_one_and_two_threads() {
    let case = Case::new();
    let bytes = |threads, seed| {
        train(&case, threads, "n.safetensors", &["--seed", seed]);
        fs::read(case.path("n.safetensors")).unwrap()
    };
    let one = bytes("1", "5");
    assert!(one == bytes("2", "5"), "the number of threads changes the network");
    assert!(one != bytes("2", "6"), "the seed changes nothing");
}

#[test]
fn messages() {
    let case = Case::new();
    let config = |change: &dyn Fn(String) -> String| {
        fs::write(case.path("c.json"), change(CONFIG.to_owned())).unwrap();
        ["--config", "c.json"]
    };
    let mut all = String::new();
    let mut add = |message: String| all += &message;
    add(case.refused(&["--epochs", "0"]));
    add(case.refused(&["--batch", "0"]));
    add(case.refused(&["--lr", "0"]));
    add(case.refused(&["--lr", "NaN"]));
    add(case.refused(&["--weight-decay", "2"]));
    add(case.refused(&["--patience", "0"]));
    add(case.refused(&["--max-windows", "0"]));
    add(case.refused(&["--name", "Not A Name"]));
    add(case.refused(&["-o", "no/such/folder/n.safetensors"]));
    add(case.refused(&["-o", "."]));
    add(case.refused(&["-o", "data.safetensors"]));
    add(case.refused(&["--config", "none.json"]));
    add(case.refused(&config(&|_| "{".into())));
    add(case.refused(&config(&|c| c.replace("\"dim\"", "\"width\""))));
    add(case.refused(&config(&|c| c.replace("\"dim\": 16", "\"dim\": 2000"))));
    add(case.refused(&config(&|c| c.replace("\"history\": 4", "\"history\": 5"))));
    add(case.refused(&config(&|c| c.replace("\"outputs\": 256", "\"outputs\": 128"))));
    add(case.refused(&["DATASET", "none.safetensors"]));
    add(case.refused(&["DATASET", "config.json"]));
    add(case.refused(&["DATASET", "empty-part.safetensors"].map(|a| {
        if a != "DATASET" {
            empty_valid_part(&case.path(a));
        }
        a
    })));
    insta::assert_snapshot!(all);
}

fn empty_valid_part(path: &Path) {
    let dataset = Dataset {
        windows: Array3::zeros((8, 4, 2)),
        labels: Array2::zeros((8, 32)),
        current: (0..8).collect(),
        outputs: 256,
        segment_bits: 6,
    };
    dataset.save(path, &Split { train: 0..6, valid: 6..6, test: 6..8 }).unwrap();
}
