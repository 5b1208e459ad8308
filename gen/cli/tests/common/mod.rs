//! A folder with a trace, models and trainers, and the program run in it.

#![allow(clippy::unwrap_used, dead_code)]

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use assert_cmd::Command;
use ndarray::{Array1, Array2};
use tablewright_model::testing::random_model;
use tablewright_model::{
    Activation, AttentionActivation, Dense, EncoderKind, InputConfig, KernelSpec, LayerWeights, Network,
    NetworkConfig, Norm, Pool, save_model, save_network,
};
use tempfile::TempDir;

/// The configuration of [`network`] as TOML.
pub(crate) const SMALL: &str = r#"
[network]
history = 4
segments = 4
pool = "last"
dim = 8
layers = 1
heads = 2
head_dim = 4
hidden = 8
outputs = 32
attention = "softmax"
activation = "gelu"
norm_eps = 1e-5

[input]
block_bits = 6
segment_bits = 6
pc_segments = 0
lookahead = 16
degree = 4
filter = 8

[tables]
encoder = "tree"
prototypes = 16
subspaces = 2
bits = 8
activation_bits = 12
"#;

/// A teacher's configuration for the windows of [`SMALL`].
pub(crate) fn small_teacher() -> String {
    let (network_and_input, _) = SMALL.split_once("[tables]").unwrap();
    format!("{network_and_input}\n[training]\nepochs = 2\n")
}

pub(crate) fn small() -> NetworkConfig {
    NetworkConfig {
        history: 4,
        segments: 4,
        positions: tablewright_model::Positions::Absolute,
        pool: Pool::Last,
        dim: 8,
        layers: 1,
        heads: 2,
        head_dim: 4,
        hidden: 8,
        outputs: 32,
        attention: AttentionActivation::Softmax,
        activation: Activation::Gelu,
        norm_eps: 1e-5,
    }
}

fn input() -> InputConfig {
    InputConfig { lookahead: 16, degree: 4, filter: 8, ..InputConfig::default() }
}

/// A network of random weights.
fn network() -> Network {
    let mut random = Random(7);
    let config = small();
    let mut dense = |inputs: usize, outputs: usize| Dense {
        weight: Array2::from_shape_simple_fn((outputs, inputs), || random.weight()),
        bias: Array1::from_shape_simple_fn(outputs, || random.weight()),
    };
    let norm = || Norm { weight: Array1::ones(config.dim), bias: Array1::zeros(config.dim) };
    let layer = LayerWeights {
        ln1: norm(),
        qkv: dense(config.dim, 3 * config.inner()),
        out: dense(config.inner(), config.dim),
        ln2: norm(),
        ff1: dense(config.dim, config.hidden),
        ff2: dense(config.hidden, config.dim),
    };
    Network {
        name: "small".into(),
        input: input(),
        embed: dense(config.segments, config.dim),
        cls: None,
        pos: Array2::zeros((config.tokens(), config.dim)),
        layers: vec![layer],
        ln: norm(),
        head: dense(config.dim, config.outputs),
        provenance: [("made_by".to_owned(), "a test".to_owned())].into(),
        config,
    }
}

/// The generator `SplitMix64`.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in ±0.7.
    fn weight(&mut self) -> f32 {
        ((self.next() >> 40) as f32 / (1 << 24) as f32 - 0.5) * 1.4
    }
}

/// `accesses` loads that walk on by 1 to 8 blocks, so that none hits a cache, as `ChampSim` records.
fn instructions(accesses: usize) -> Vec<u8> {
    let mut random = Random(1);
    let mut block = 0x10_0000_u64;
    let blocks: Vec<u64> = (0..accesses)
        .map(|_| {
            block += 1 + random.next() % 8;
            block
        })
        .collect();
    walk(&blocks)
}

/// Loads of these blocks, one after the other.
fn walk(blocks: &[u64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for block in blocks {
        let mut record = [0_u8; 64];
        record[0..8].copy_from_slice(&0x40_1000_u64.to_le_bytes());
        record[32..40].copy_from_slice(&(block << 6).to_le_bytes());
        bytes.extend(record);
    }
    bytes
}

/// A folder with everything that the tests name.
pub(crate) struct Room {
    folder: TempDir,
}

impl Room {
    pub(crate) fn new() -> Self {
        let room = Self { folder: TempDir::new().unwrap() };
        room.write("app.trace", &instructions(2000));
        room.write("short.trace", &instructions(50));
        room.write("shortest.trace", &instructions(15));
        room.write("single.txt", "1, 1, 400000, 401000, 0\n".repeat(600).as_bytes());
        room.write("teacher.toml", small_teacher().as_bytes());
        room.write("single.trace", &walk(&[0x4000; 600]));
        room.write("far.trace", &walk(&(0..600).map(|i| 0x4000 + 1000 * i).collect::<Vec<_>>()));
        room.write("loads.txt", loads().as_bytes());
        room.write("small.toml", SMALL.as_bytes());
        let spec = KernelSpec { encoder: EncoderKind::Tree, prototypes: 16, subspaces: 2, bits: 8 };
        let mut model = random_model(&small(), spec, 3);
        model.input = input();
        save_model(&model, &room.path("model.safetensors")).unwrap();
        save_network(&network(), &room.path("network.safetensors")).unwrap();
        room
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// A shell script that stands for the trainer.
    #[cfg(unix)]
    pub(crate) fn trainer(&self, name: &str, script: &str) {
        // Written by another process: a file that this one has open for writing, or a child of another test inherits,
        // cannot be started.
        let write = "printf '#!/bin/sh\n%s\n' \"$1\" > \"$2\" && chmod 755 \"$2\"";
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", write, "sh", script]).arg(self.path(name));
        assert!(shell.status().unwrap().success());
    }

    /// The program in this folder, with the arguments in `line`; the trainer is `./trainer`.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = Command::cargo_bin("tablewright").unwrap();
        command
            .current_dir(self.folder.path())
            .env("TABLEWRIGHT_TRAIN", self.path("trainer"))
            .env("COLUMNS", "120")
            .args(line.split_whitespace());
        command
    }

    pub(crate) fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// The JSON object that a good call prints.
    pub(crate) fn json(&self, line: &str) -> serde_json::Value {
        let output = self.run(&format!("{line} --format json"));
        assert_eq!(output.status.code(), Some(0), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Status and standard error of a call that prints no result, with this folder's own path left out.
    pub(crate) fn refusal(&self, line: &str) -> String {
        let output = self.run(line);
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(output.stdout.is_empty(), "{line} printed a result");
        let folder = self.folder.path().display().to_string();
        format!(
            "$ tablewright {line}\n{}[{}]\n",
            message.replace(&folder, "."),
            output.status.code().unwrap()
        )
    }

    /// Names of all files.
    pub(crate) fn files(&self) -> Vec<String> {
        self.files_in("")
    }

    /// Names of all files in a folder of this one.
    pub(crate) fn files_in(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn loads() -> String {
    use std::fmt::Write;
    let mut text = String::new();
    for i in 1..=200_u64 {
        writeln!(text, "{i}, {}, {:x}, 401000, 0", 10 * i, 0x40_0000 + 64 * i).unwrap();
    }
    text
}

/// Does what a trainer does: puts a network where it is told and says so.
pub(crate) const TRAINER: &str = r#"
while [ $# -gt 0 ]; do
    case "$1" in --output) cp network.safetensors "$2" ;; esac
    shift
done
echo '{"epoch":1,"epochs":2,"loss":0.5,"f1_valid":0.25,"threshold":0.5,"seconds":0.1}'
"#;
