//! `explain` and `bits` on a small network.

#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod common;

use common::{Room, TRAINER};
use ndarray::Axis;
use serde_json::Value;
use tablewright_model::{Activation, Network, load_model, load_network, save_model, save_network};

const EXPLAIN: &str = "explain m.safetensors --trace app.trace --network network.safetensors";

/// A room with a model of its network.
fn trained() -> Room {
    let room = Room::new();
    room.trainer("trainer", TRAINER);
    room.json("train app.trace -o m.safetensors --config small.toml --max-windows 600");
    room
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[test]
fn every_stage_and_kernel_is_explained() {
    let room = trained();
    let found = room.json(EXPLAIN);
    assert_eq!(names(&found["stages"]), ["student", "prototypes", "tables", "integers"]);
    assert_eq!(found["windows"]["test"], 396);
    let f1: Vec<f64> = found["stages"].as_array().unwrap().iter().map(|stage| number(&stage["f1"])).collect();
    assert!(f1.iter().all(|f1| (0.1..=1.0).contains(f1)), "{f1:?}");
    assert!((number(&found["stages"][3]["f1_lost"]) - (f1[2] - f1[3])).abs() < 1e-12);
    // What `run` says of the same windows.
    let run = room.json("run m.safetensors --trace app.trace --part test");
    assert_eq!(found["stages"][3]["f1"], run["f1"]);

    let kernels = found["kernels"].as_array().unwrap();
    let expected = ["embed", "qkv", "score", "mix", "out", "ff1", "ff2", "head"];
    assert!(names(&found["kernels"]).iter().zip(expected).all(|(name, part)| name.ends_with(part)));
    for kernel in kernels {
        let name = &kernel["name"];
        for part in ["alone", "running", "integers"] {
            assert!((-1.0..=1.0).contains(&number(&kernel[part]["cosine"])), "{name} {part}");
            assert!(number(&kernel[part]["mse"]) >= 0.0, "{name} {part}");
        }
        assert!((0.0..=1.0).contains(&number(&kernel["integers"]["codes_changed"])));
        let alone = &kernel["alone"];
        let lost = number(&found["baseline"]["f1_exact"]) - number(&alone["f1"]);
        assert!((number(&alone["f1_lost"]) - lost).abs() < 1e-12, "{name}");
        let codes = kernel["codes"].as_array().unwrap();
        let pair = ["score", "mix"].iter().any(|part| name.as_str().unwrap().ends_with(part));
        assert_eq!(codes.len(), if pair { 4 } else { 2 }, "{name}");
        for codes in codes {
            assert!((number(&codes["used"]) + number(&codes["dead"]) - 16.0).abs() < 1e-9);
            assert!((0.0..=4.0).contains(&number(&codes["entropy"])));
        }
    }
    assert!(names(&found["kernels"]).contains(&found["costliest"]["alone"].as_str().unwrap()));
}

/// Runs of 50 steps of 1 block in one region and of 3 blocks in another; the top segment tells the regions apart.
fn two_strides() -> Vec<u8> {
    let mut bytes = Vec::new();
    for i in 0..3000_u64 {
        let block = if i / 50 % 2 == 0 { i } else { (63 << 18) + 3 * i };
        let mut record = [0_u8; 64];
        record[0..8].copy_from_slice(&0x40_1000_u64.to_le_bytes());
        record[32..40].copy_from_slice(&((1 << 30) + (block << 6)).to_le_bytes());
        bytes.extend(record);
    }
    bytes
}

/// Knows [`two_strides`]: the embedding carries the region, the head turns it into deltas, and what is between them
/// adds little.
fn knowing(mut network: Network) -> Network {
    network.embed.weight.fill(0.0);
    for (i, mut row) in network.embed.weight.outer_iter_mut().enumerate() {
        row[3] = if i % 2 == 0 { 4.0 } else { -4.0 };
        network.embed.bias[i] = -row[3] / 2.0;
    }
    network.layers[0].out.weight *= 0.05;
    network.layers[0].ff2.weight *= 0.05;
    for (output, mut row) in network.head.weight.outer_iter_mut().enumerate() {
        // Deltas 1 to 16 come first; all of them occur in steps of 1.
        let (near, in_both) = (output < 16, output % 3 == 2);
        let slope = if near && !in_both { -0.5 } else { 0.0 };
        for (i, weight) in row.iter_mut().enumerate() {
            *weight = if i % 2 == 0 { slope } else { -slope };
        }
        network.head.bias[output] = match (near, in_both) {
            (true, true) => 3.0,
            (true, false) => 0.0,
            (false, _) => -6.0,
        };
    }
    network
}

#[test]
fn a_broken_kernel_is_named() {
    let room = Room::new();
    room.trainer("trainer", TRAINER);
    room.write("strides.trace", &two_strides());
    let network = knowing(load_network(&room.path("network.safetensors")).unwrap());
    save_network(&network, &room.path("network.safetensors")).unwrap();
    room.json("train strides.trace -o whole.safetensors --config small.toml");
    let explain = |model: &str| {
        room.json(&format!("explain {model} --trace strides.trace --network network.safetensors"))
    };
    let whole = explain("whole.safetensors");
    assert!(number(&whole["stages"][2]["f1"]) > 0.9, "{}", whole["stages"]);
    assert!(number(&whole["costliest"]["f1_lost"]) < 0.01, "{}", whole["costliest"]);
    for kernel in ["embed", "head"] {
        let mut model = load_model(&room.path("whole.safetensors")).unwrap();
        let linear = if kernel == "embed" { &mut model.embed } else { &mut model.head };
        // Every code looks up the entries of another.
        linear.table.entries.invert_axis(Axis(1));
        save_model(&model, &room.path("broken.safetensors")).unwrap();
        let broken = explain("broken.safetensors");
        let worst = &broken["costliest"];
        assert_eq!((&worst["alone"], &worst["exact"]), (&kernel.into(), &kernel.into()));
        assert!(number(&worst["f1_lost"]) > 0.05 && number(&worst["f1_gained"]) > 0.05, "{worst}");
        let text = room.run("explain broken.safetensors --trace strides.trace --network network.safetensors");
        let text = String::from_utf8(text.stdout).unwrap();
        assert!(text.contains(&format!("`{kernel}` costs most: as the only kernel in tables")), "{text}");
    }
}

#[test]
fn the_same_call_gives_the_same_bytes() {
    let room = trained();
    let with = |threads: &str| {
        let mut command = room.command(&format!("{EXPLAIN} --max-windows 200 --format json --svg m.svg"));
        let output = command.env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        (output.stdout, room.read("m.svg"))
    };
    let one = with("1");
    assert_eq!(one, with("3"));
    let found: Value = serde_json::from_slice(&one.0).unwrap();
    assert_eq!((&found["windows"]["test"], &found["windows"]["test_of"]), (&200.into(), &396.into()));
    let svg = String::from_utf8(one.1).unwrap();
    assert!(svg.contains("layers.0.score") && svg.contains("prototypes"), "{svg}");
}

#[test]
fn networks_beside_the_model_are_found_and_missing_ones_named() {
    let room = trained();
    std::fs::remove_dir_all(room.path("m.stages")).unwrap();
    let alone = room.json("explain m.safetensors --trace app.trace --svg m.svg");
    assert_eq!(names(&alone["stages"]), ["tables", "integers"]);
    assert!(alone["baseline"].is_null() && alone["costliest"].is_null());
    let left_out = alone["left_out"].to_string();
    assert!(
        left_out.contains("m.stages/student.safetensors") && left_out.contains("--teacher"),
        "{left_out}"
    );
    let text = String::from_utf8(room.run("explain m.safetensors --trace app.trace").stdout).unwrap();
    assert!(text.contains("left out") && text.contains("codes changed"), "{text}");

    std::fs::create_dir(room.path("m.stages")).unwrap();
    let network = room.read("network.safetensors");
    room.write("m.stages/student.safetensors", &network);
    room.write("m.stages/teacher.safetensors", &network);
    let whole = room.json("explain m.safetensors --trace app.trace");
    assert_eq!(names(&whole["stages"]), ["teacher", "student", "prototypes", "tables", "integers"]);
    assert_eq!(whole["stages"][0]["f1"], whole["stages"][1]["f1"]);
    assert_eq!(whole["left_out"].as_array().unwrap().len(), 0);
}

#[test]
fn refusals() {
    let room = Room::new();
    // A network for other windows than the model's.
    let other = load_network(&room.path("network.safetensors")).unwrap();
    let mut narrow = other.clone();
    narrow.input.lookahead = 8;
    save_network(&narrow, &room.path("narrow.safetensors")).unwrap();
    let mut linear = other;
    linear.config.activation = Activation::Relu;
    save_network(&linear, &room.path("relu.safetensors")).unwrap();
    let before = room.files();
    let lines = [
        "explain model.safetensors",
        "explain model.safetensors --trace nothing",
        "explain network.safetensors --trace app.trace",
        "explain model.safetensors --trace app.trace --network model.safetensors",
        "explain model.safetensors --trace app.trace --network nothing",
        "explain model.safetensors --trace app.trace --network relu.safetensors",
        "explain model.safetensors --trace app.trace --teacher narrow.safetensors",
        "explain model.safetensors --trace app.trace --svg nowhere/m.svg",
        "explain model.safetensors --trace app.trace --svg app.trace",
        "explain model.safetensors --trace app.trace --max-windows 0",
        "explain model.safetensors --trace app.trace --page-bits 6",
        "explain model.safetensors --trace shortest.trace --svg m.svg",
        "bits model.safetensors --trace app.trace",
        "bits network.safetensors --trace app.trace --bits 8,9",
        "bits network.safetensors --trace app.trace --config nothing",
        "bits network.safetensors --trace app.trace --config dart --markdown --format json",
    ];
    let all: Vec<String> = lines.iter().map(|line| room.refusal(line)).collect();
    assert!(all.iter().all(|refusal| refusal.ends_with("[2]\n")), "{all:#?}");
    assert_eq!(room.files(), before, "a refused call left something behind");
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn bits_are_tried_from_few_to_many() {
    let room = Room::new();
    let line = "bits network.safetensors --trace app.trace --config small.toml --max-windows 200";
    let found = room.json(&format!("{line} --bits 32,4,8,8"));
    let widths = found["widths"].as_array().unwrap();
    assert_eq!(widths.iter().map(|width| width["bits"].as_u64().unwrap()).collect::<Vec<_>>(), [4, 8, 32]);
    let storage: Vec<f64> = widths.iter().map(|width| number(&width["storage_bits"])).collect();
    assert!(storage.is_sorted() && storage[2] > 3.0 * storage[1], "{storage:?}");
    let best = widths.iter().map(|width| number(&width["f1_valid"])).fold(0.0, f64::max);
    let fewest = widths
        .iter()
        .find(|width| best - number(&width["f1_valid"]) <= 0.01)
        .map(|width| width["bits"].clone());
    assert_eq!(fewest.as_ref(), Some(&found["fewest_bits"]));
    let found = room.json(&format!("{line} --activations 8,16"));
    assert_eq!(found["of"], "activations");
    let [coarse, fine] = [0, 1].map(|i| &found["widths"][i]);
    assert_eq!(coarse["table_bits"], fine["table_bits"]);
    assert!(number(&coarse["encoder_bits"]) < number(&fine["encoder_bits"]), "thresholds follow: {found}");
    let row = String::from_utf8(room.run(&format!("{line} --bits 8 --markdown")).stdout).unwrap();
    assert!(row.starts_with("| app.trace | small.toml | 0.") && row.matches('|').count() == 7, "{row}");
}
