//! The program as its callers see it: output, files, messages, exit status.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ndarray::{Array2, Array3};
use tablewright_model::{load_network, network_from_bytes, save_network};
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
    let mut args = vec!["data.safetensors", "-o", output, "--epochs", "3"];
    if !more.contains(&"--config") {
        args.extend(["--config", "config.json"]);
    }
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

/// Trains a teacher wider than the student.
fn teacher(case: &Case) {
    let wide = CONFIG.replace("\"dim\": 16", "\"dim\": 24").replace("\"layers\": 1", "\"layers\": 2");
    fs::write(case.path("wide.json"), wide).unwrap();
    train(case, "2", "teacher.safetensors", &["--config", "wide.json", "--name", "wise"]);
}

#[test]
fn a_teacher_changes_the_network_and_is_named_in_it() {
    let case = Case::new();
    teacher(&case);
    let student = |more: &[&str]| {
        train(&case, "2", "n.safetensors", more);
        fs::read(case.path("n.safetensors")).unwrap()
    };
    let alone = student(&[]);
    let taught = student(&["--teacher", "teacher.safetensors", "--alpha", "0.25"]);
    let network = load_network(&case.path("n.safetensors")).unwrap();
    let told = ["teacher", "alpha", "temperature"].map(|key| network.provenance[key].as_str());
    assert_eq!(told, ["wise", "0.25", "1"]);
    assert!(network.provenance["f1_valid"].parse::<f64>().unwrap() > 0.99);
    assert!(taught != alone);
    let warm = student(&["--teacher", "teacher.safetensors", "--alpha", "0.25", "--temperature", "2"]);
    assert!(warm != taught);
    // With all weight on the labels the teacher says nothing.
    let deaf = student(&["--teacher", "teacher.safetensors", "--alpha", "1"]);
    let weights = |bytes: &[u8]| {
        let mut network = network_from_bytes(bytes, Path::new("n")).unwrap();
        network.provenance.clear();
        network
    };
    assert_eq!(weights(&deaf), weights(&alone));
}

/// Options of a training that takes long enough to be killed in the middle.
const LONG: [&str; 8] = ["--epochs", "40", "--patience", "40", "--batch", "16", "--format", "json"];

#[test]
fn a_leashed_training_ends_with_whoever_started_it() {
    let case = Case::new();
    let mut args = vec!["data.safetensors", "-o", "n.safetensors", "--config", "config.json", "--leashed"];
    args.extend(LONG);
    args[7] = "100000";
    let mut child = Command::new(env!("CARGO_BIN_EXE_tablewright-train"))
        .current_dir(case.folder.path())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    drop(child.stdin.take());
    // It would go on for minutes.
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert!(!case.path("n.safetensors").exists());
}

#[test]
fn a_killed_training_goes_on_to_the_same_bytes() {
    let case = Case::new();
    teacher(&case);
    let with = |output, checkpoint: &'static str, epochs: &'static str| {
        let mut args = vec!["data.safetensors", "-o", output, "--config", "config.json"];
        args.extend(LONG);
        args.extend(["--teacher", "teacher.safetensors", "--checkpoint", checkpoint, "--name", "n"]);
        args[6] = epochs;
        args
    };
    let whole = case.run("2", &with("whole.safetensors", "whole.checkpoint", "40"));
    assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));

    // Killed twice, each time after an epoch was announced and somewhere in the next.
    for _ in 0..2 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tablewright-train"))
            .current_dir(case.folder.path())
            .args(with("parts.safetensors", "parts.checkpoint", "40"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let known = fs::metadata(case.path("parts.checkpoint")).is_ok();
        for _ in 0..if known { 9 } else { 4 } {
            lines.next().unwrap().unwrap();
        }
        child.kill().unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(!case.path("parts.safetensors").exists());
    }
    let last = case.run("1", &with("parts.safetensors", "parts.checkpoint", "40"));
    assert!(last.status.success());
    assert!(
        fs::read(case.path("parts.safetensors")).unwrap()
            == fs::read(case.path("whole.safetensors")).unwrap()
    );
    let told = |output: &Output| -> Vec<serde_json::Value> {
        let lines = String::from_utf8(output.stdout.clone()).unwrap();
        let mut lines: Vec<serde_json::Value> =
            lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        // The time it took is all that differs.
        assert!(lines.is_sorted_by(|a, b| a["seconds"].as_f64() <= b["seconds"].as_f64()));
        for line in &mut lines {
            line["seconds"] = 0.into();
        }
        lines
    };
    assert_eq!(told(&last), told(&whole));

    // A finished training is told again, not trained again: it says the same seconds.
    let again = case.run("1", &with("again.safetensors", "parts.checkpoint", "40"));
    assert_eq!(again.stdout, last.stdout);
    // Another job begins anew and replaces the checkpoint.
    let before = fs::read(case.path("parts.checkpoint")).unwrap();
    let other = case.run("1", &with("again.safetensors", "parts.checkpoint", "3"));
    assert_eq!(String::from_utf8(other.stdout).unwrap().lines().count(), 3);
    assert!(fs::read(case.path("parts.checkpoint")).unwrap() != before);
}

#[test]
fn the_checkpoint_of_another_job_changes_nothing() {
    let case = Case::new();
    teacher(&case);
    train(&case, "2", "other-teacher.safetensors", &["--config", "wide.json", "--seed", "9"]);
    // As many windows with other labels, and other windows for training.
    small(&case, "other-labels.safetensors", &Split { train: 0..520, valid: 520..600, test: 600..700 }, 2);
    small(
        &case,
        "other-split.safetensors",
        &Split { train: 0..400, valid: 520..600, test: 600..700 },
        0b1010_1010,
    );
    fs::write(case.path("other.json"), CONFIG.replace("softmax", "sigmoid")).unwrap();
    let job = |checkpoint: bool, changes: &[(&str, &str)]| {
        let mut options = vec![
            ("--config", "config.json"),
            ("--teacher", "teacher.safetensors"),
            ("--epochs", "3"),
            ("--alpha", "0.5"),
        ];
        for change in changes {
            options.retain(|option| option.0 != change.0);
            options.push(*change);
        }
        if checkpoint {
            options.push(("--checkpoint", "c.checkpoint"));
        }
        let dataset = options.iter().find(|o| o.0 == "DATASET").map_or("data.safetensors", |o| o.1);
        let mut args = vec![dataset, "-o", "n.safetensors"];
        for (option, value) in options.iter().filter(|o| o.0 != "DATASET") {
            args.extend([option, value]);
        }
        let output = case.run("2", &args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(case.path("n.safetensors")).unwrap()
    };
    for change in [
        ("DATASET", "other-labels.safetensors"),
        ("DATASET", "other-split.safetensors"),
        ("--config", "other.json"),
        ("--teacher", "other-teacher.safetensors"),
        ("--alpha", "0.6"),
        ("--temperature", "2"),
        ("--batch", "100"),
        ("--lr", "0.001"),
        ("--weight-decay", "0.5"),
        ("--seed", "2"),
        ("--max-windows", "200"),
    ] {
        job(true, &[]);
        assert!(job(true, &[change]) == job(false, &[change]), "{change:?}");
    }
    // Names are no part of a job: the checkpoint serves, and the network has its own name.
    let named = |checkpoint| {
        job(checkpoint, &[("--name", "other")]);
        load_network(&case.path("n.safetensors")).unwrap()
    };
    job(true, &[]);
    let before = fs::metadata(case.path("c.checkpoint")).unwrap().modified().unwrap();
    let found = named(true);
    assert_eq!(fs::metadata(case.path("c.checkpoint")).unwrap().modified().unwrap(), before);
    assert_eq!(found, named(false));
}

#[test]
fn damaged_and_foreign_checkpoints() {
    let case = Case::new();
    let mut all = String::new();
    train(&case, "1", "whole.safetensors", &["--checkpoint", "c.checkpoint"]);
    let good = fs::read(case.path("c.checkpoint")).unwrap();
    let mut refused = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        fs::write(case.path("c.checkpoint"), &bytes).unwrap();
        all += &case.refused(&["--epochs", "3", "--checkpoint", "c.checkpoint"]);
        assert!(fs::read(case.path("c.checkpoint")).unwrap() == bytes, "a refused checkpoint was changed");
    };
    // One bit of a weight; the end is missing; a text file; a network.
    refused(&|bytes| *bytes.last_mut().unwrap() ^= 1);
    refused(&|bytes| bytes.truncate(bytes.len() - 100));
    refused(&|bytes| *bytes = b"notes".to_vec());
    refused(&|bytes| *bytes = fs::read(case.path("whole.safetensors")).unwrap());
    all += &case.refused(&["--checkpoint", "no/such/folder/c"]);
    all += &case.refused(&["--checkpoint", "."]);
    all += &case.refused(&["--checkpoint", "config.json"]);
    all += &case.refused(&["--checkpoint", "n.safetensors"]);
    insta::assert_snapshot!(all);
}

#[test]
fn a_full_disk_leaves_no_file() {
    let case = Case::new();
    // Files may have so many blocks of 512 bytes; writing more fails as on a full disk.
    let with = |blocks: &str, more: &str| {
        let program = env!("CARGO_BIN_EXE_tablewright-train");
        let script = format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec {program} data.safetensors -o n.safetensors --config config.json \
             --epochs 1 {more}"
        );
        let output =
            Command::new("sh").current_dir(case.folder.path()).args(["-c", &script]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let before = fs::read_dir(case.folder.path()).unwrap().count();
    let all = with("4", "") + &with("4", "--checkpoint c.checkpoint");
    assert_eq!(fs::read_dir(case.folder.path()).unwrap().count(), before, "something was left behind");
    insta::assert_snapshot!(all, @r"
    error: cannot write `n.safetensors`: File too large (os error 27); nothing was changed
    error: cannot write `c.checkpoint`: File too large (os error 27); nothing was changed
    ");
}

/// A dataset of some windows in each part, labelled or not.
fn small(case: &Case, name: &'static str, split: &Split, label: u8) -> &'static str {
    let rows = split.test.end;
    let windows = Array3::from_shape_fn((rows, 4, 2), |(n, t, s)| (((2 * (n + t)) >> (6 * s)) & 63) as u8);
    let mut labels = Array2::zeros((rows, 32));
    labels.column_mut(0).fill(label);
    let current = (0..rows as u32).collect();
    let dataset = Dataset { windows, labels, current, outputs: 256, segment_bits: 6 };
    dataset.save(&case.path(name), split).unwrap();
    name
}

#[test]
fn one_window_is_enough_to_run() {
    let case = Case::new();
    let name = small(&case, "one.safetensors", &Split { train: 0..1, valid: 1..2, test: 2..3 }, 2);
    let args = [name, "-o", "n.safetensors", "--config", "config.json", "--epochs", "2"];
    let output = case.run("2", &args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn messages() {
    let case = Case::new();
    teacher(&case);
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
    for (name, split, label) in [
        ("no-train.safetensors", Split { train: 0..0, valid: 0..6, test: 6..8 }, 2),
        ("no-valid.safetensors", Split { train: 0..6, valid: 6..6, test: 6..8 }, 2),
        ("no-label.safetensors", Split { train: 0..4, valid: 4..6, test: 6..8 }, 0),
    ] {
        add(case.refused(&["DATASET", small(&case, name, &split, label)]));
    }
    let teacher = ["--teacher", "teacher.safetensors"];
    add(case.refused(&[&teacher[..], &["--alpha", "1.5"]].concat()));
    add(case.refused(&[&teacher[..], &["--temperature", "0"]].concat()));
    add(case.refused(&["--teacher", "none.safetensors"]));
    add(case.refused(&["--teacher", "data.safetensors"]));
    let mut other = load_network(&case.path("teacher.safetensors")).unwrap();
    other.input.lookahead = 64;
    save_network(&other, &case.path("other.safetensors")).unwrap();
    add(case.refused(&["--teacher", "other.safetensors"]));
    let args = ["data.safetensors", "-o", "half.safetensors", "--epochs", "1", "--config"];
    let half = CONFIG.replace("\"outputs\": 256", "\"outputs\": 128");
    fs::write(case.path("half.json"), half).unwrap();
    half_dataset(&case);
    let half = case.run("2", &[&["half-data.safetensors"], &args[1..], &["half.json"]].concat());
    assert!(half.status.success(), "{}", String::from_utf8_lossy(&half.stderr));
    add(case.refused(&["--teacher", "half.safetensors"]));
    if cfg!(not(feature = "cuda")) {
        add(case.refused(&["--device", "cuda"]));
    }
    insta::assert_snapshot!(all);
}

/// A dataset for a network of 128 outputs.
fn half_dataset(case: &Case) {
    let windows = Array3::from_shape_fn((40, 4, 2), |(n, t, s)| (((2 * (n + t)) >> (6 * s)) & 63) as u8);
    let labels = Array2::from_elem((40, 16), 2);
    let dataset = Dataset { windows, labels, current: (0..40).collect(), outputs: 128, segment_bits: 6 };
    let split = Split { train: 0..20, valid: 20..30, test: 30..40 };
    dataset.save(&case.path("half-data.safetensors"), &split).unwrap();
}
