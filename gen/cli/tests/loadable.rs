//! Hardware whose tables are loaded, from a model to a simulation with the tables of another one.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::process::Command;

use common::{Room, small};
use tablewright_model::testing::random_model;
use tablewright_model::{EncoderKind, KernelSpec, NetworkConfig, Positions, save_model};

const SPEC: KernelSpec = KernelSpec { encoder: EncoderKind::Tree, prototypes: 16, subspaces: 2, bits: 8 };

/// A model beside the others of the room, of the shape of `model.safetensors` unless something is changed.
fn model(room: &Room, name: &str, network: &NetworkConfig, spec: KernelSpec, seed: u64) {
    save_model(&random_model(network, spec, seed), &room.path(name)).unwrap();
}

fn has_tools() -> bool {
    let found = ["verilator", "iverilog"].iter().all(|t| Command::new(t).arg("-V").output().is_ok());
    if !found {
        println!("skipped: verilator and iverilog are needed");
    }
    found
}

#[test]
fn any_model_of_the_shape_loads_into_one_build() {
    if !has_tools() {
        return;
    }
    let room = Room::new();
    model(&room, "other.safetensors", &small(), SPEC, 4);
    room.json("build model.safetensors -o build --loadable --protect parity");
    let sim = |line: &str| {
        let report = room.json(line);
        assert_eq!((&report["mismatches"], &report["passed"]), (&0.into(), &true.into()), "{line}");
    };
    sim("sim build --vectors 200 --stall 0.3");
    sim("sim build --vectors 200 --tables other.safetensors");
    sim("sim build --vectors 400 --top prefetcher --tables other.safetensors");
    // What is simulated is what was loaded, and not what the build was made with.
    let sim_folder = room.path("build/sim/tables.hex");
    let loaded = std::fs::read_to_string(sim_folder).unwrap();
    let own = String::from_utf8(room.read("build/tb/vectors/tables.hex")).unwrap();
    assert_eq!(loaded.lines().count(), own.lines().count());
    assert_ne!(loaded, own);
}

#[test]
fn one_access_at_a_time_loads_too() {
    if !has_tools() {
        return;
    }
    let room = Room::new();
    let network = NetworkConfig { positions: Positions::Relative, ..small() };
    model(&room, "stream.safetensors", &network, SPEC, 5);
    model(&room, "other.safetensors", &network, SPEC, 6);
    room.json("build stream.safetensors -o build --loadable --protect secded");
    for line in [
        "sim build --vectors 200 --stall 0.3",
        "sim build --vectors 200 --tables other.safetensors",
        "sim build --vectors 400 --top prefetcher --stall 0.3",
    ] {
        assert_eq!(room.json(line)["mismatches"], 0, "{line}");
    }
    assert_eq!(room.run("lint build -q").status.code(), Some(0));
}

#[test]
fn an_image_has_its_words_in_either_form() {
    let room = Room::new();
    room.json("build model.safetensors -o build --loadable");
    let about = String::from_utf8(room.run("image model.safetensors --build build -o a.img").stdout).unwrap();
    insta::assert_snapshot!(about);
    room.json("image model.safetensors --build build -o a.hex --hex --activate --set-version 7");
    let bytes = room.read("a.img");
    let words: Vec<u32> = bytes.chunks_exact(4).map(|w| u32::from_le_bytes(w.try_into().unwrap())).collect();
    let text = String::from_utf8(room.read("a.hex")).unwrap();
    let other: Vec<u32> = text.lines().map(|line| u32::from_str_radix(line, 16).unwrap()).collect();
    assert_eq!((words[1], words[4], other[1], other[4]), (1, 1, 0x1_0001, 7));
    assert_eq!(words[5..words.len() - 1], other[5..other.len() - 1]);
    assert_eq!(words[5] as usize, words.len() - 7);
    // The same two calls, the same bytes.
    room.json("image model.safetensors --build build -o b.img");
    assert_eq!(room.read("b.img"), bytes);
    insta::assert_snapshot!(String::from_utf8(room.read("build/REGISTERS.md")).unwrap());
    insta::assert_snapshot!(String::from_utf8(room.read("build/tw_random_3_load.h")).unwrap());
}

#[test]
fn a_c_compiler_takes_the_header() {
    let room = Room::new();
    room.json("build model.safetensors -o build --loadable");
    room.write(
        "driver.c",
        b"#include \"build/tw_random_3_load.h\"\nuint64_t shape = TW_RANDOM_3_LOAD_SHAPE;\n",
    );
    let compiled = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "driver.c"])
        .current_dir(room.path(""))
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
}

#[test]
fn what_cannot_be_loaded_is_refused() {
    let room = Room::new();
    model(&room, "bits.safetensors", &small(), KernelSpec { bits: 6, ..SPEC }, 4);
    model(&room, "history.safetensors", &NetworkConfig { history: 5, ..small() }, SPEC, 4);
    room.run("build model.safetensors -o frozen -q");
    room.run("build model.safetensors -o build --loadable -q");
    let before = room.files();
    let all: Vec<String> = [
        "build model.safetensors -o out --protect secded",
        "build model.safetensors -o out --loadable --protect ecc",
        "image model.safetensors --build frozen -o a.img",
        "image model.safetensors --build nothing -o a.img",
        "image bits.safetensors --build build -o a.img",
        "image history.safetensors --build build -o a.img",
        "image app.trace --build build -o a.img",
        "image model.safetensors --build build -o model.safetensors",
        "image model.safetensors --build build -o nowhere/a.img",
        "sim frozen --tables model.safetensors",
        "sim build --tables bits.safetensors",
    ]
    .iter()
    .map(|line| room.refusal(line))
    .collect();
    assert_eq!(room.files(), before);
    insta::assert_snapshot!(all.join("\n"));
}
