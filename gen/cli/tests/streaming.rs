//! Models whose hardware takes accesses one by one, through the whole program: with relative positions, and with absolute ones
//! where older tokens are computed ahead.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::process::Command;

use common::{Room, small};
use tablewright_model::testing::random_model;
use tablewright_model::{EncoderKind, InputConfig, KernelSpec, NetworkConfig, Positions, save_model};

/// The room's model and one like it with relative positions.
fn room() -> Room {
    let room = Room::new();
    let network = NetworkConfig { positions: Positions::Relative, ..small() };
    let spec = KernelSpec { encoder: EncoderKind::Tree, prototypes: 16, subspaces: 2, bits: 8 };
    let mut model = random_model(&network, spec, 3);
    "stream".clone_into(&mut model.name);
    model.input = InputConfig { lookahead: 16, degree: 4, filter: 8, ..InputConfig::default() };
    save_model(&model, &room.path("stream.safetensors")).unwrap();
    room
}

#[test]
fn fewer_words_are_read_and_the_same_is_predicted() {
    let room = room();
    let info = room.json("info stream.safetensors");
    assert_eq!((&info["streaming"], &info["network"]["positions"]), (&true.into(), &"relative".into()));
    let words = |model: &str| room.json(&format!("info {model}"))["words_per_inference"].as_u64().unwrap();
    assert!(words("stream.safetensors") < words("model.safetensors"));
    insta::assert_snapshot!(String::from_utf8(room.run("info stream.safetensors").stdout).unwrap());

    // Before the history is full nothing is predicted, on paper as in hardware.
    let run = room.json("run stream.safetensors --trace app.trace -o out.txt");
    assert_eq!(run["windows"], 2000 - 3 - 16);
    assert!(run["issued"].as_u64().unwrap() > 0);
}

#[test]
fn it_builds_and_simulates() {
    if !["verilator", "iverilog"].iter().all(|t| Command::new(t).arg("-V").output().is_ok()) {
        println!("skipped: verilator and iverilog are needed");
        return;
    }
    let room = room();
    let built = room.json("build stream.safetensors -o build --trace app.trace");
    assert_eq!(
        built["passes"],
        serde_json::json!(["dead-rows", "constants", "stream", "dead-lanes", "packed-tables"])
    );
    let simulated = room.json("sim build --trace app.trace --vectors 300 --stall 0.2");
    assert_eq!((&simulated["passed"], &simulated["streaming"]), (&true.into(), &true.into()));
    // All but the corner cases are of the trace.
    assert!(simulated["trace_windows"].as_u64().unwrap() > 280);
    let estimate = room.json("estimate build");
    assert_eq!(estimate["latency_cycles"], simulated["cycles_simulated"]);
    assert_eq!(estimate["words_per_inference"], room.json("info stream.safetensors")["words_per_inference"]);
    let core = String::from_utf8(room.read("build/rtl/tw_stream_core.v")).unwrap();
    // 4 segments of 6 bits, and a history of 4.
    assert!(core.contains("input  wire [23:0] s_axis_tdata"), "{core}");
    insta::assert_snapshot!(core.lines().take_while(|l| l.starts_with("//")).collect::<Vec<_>>().join("\n"));

    // As lowered it takes windows: that is what the streaming one was proved equal to.
    let lowered = room.json("build stream.safetensors -o lowered --no-passes");
    assert_eq!(lowered["passes"], serde_json::json!([]));
    assert!(
        room.json("estimate lowered")["words_per_inference"].as_u64()
            > estimate["words_per_inference"].as_u64()
    );
}

/// The model of the room has absolute positions and the newest token's query alone.
#[test]
fn whole_windows_can_be_had_for_the_cycles_of_the_older_tokens() {
    let room = room();
    let estimate = |options: &str| room.json(&format!("estimate model.safetensors {options}"));
    let latency = |estimate: &serde_json::Value| estimate["latency_cycles"].as_u64().unwrap();
    let (ahead, whole) = (estimate(""), estimate("--windows"));
    // A history of 4.
    assert!(latency(&ahead) + 3 <= latency(&whole), "{} and {}", latency(&ahead), latency(&whole));
    assert_eq!(ahead["words_per_inference"], whole["words_per_inference"]);
    let early =
        |e: &serde_json::Value| e["kernels"].as_array().unwrap().iter().any(|k| k["ahead_cycle"].is_u64());
    assert!(early(&ahead) && !early(&whole));

    let built = room.json("build model.safetensors -o whole --windows");
    assert_eq!(built["passes"], serde_json::json!(["dead-rows", "constants", "dead-lanes", "packed-tables"]));
    assert_eq!(built["latency_cycles"], whole["latency_cycles"]);
    assert_eq!(room.json("estimate whole")["latency_cycles"], whole["latency_cycles"]);
    // 4 accesses of 4 segments of 6 bits.
    let core = String::from_utf8(room.read("whole/rtl/tw_random_3_core.v")).unwrap();
    assert!(core.contains("input  wire [95:0] s_axis_tdata"), "{core}");
    let refused = room.run("estimate whole --windows");
    assert_eq!(refused.status.code(), Some(2));
    if !["verilator", "iverilog"].iter().all(|t| Command::new(t).arg("-V").output().is_ok()) {
        println!("skipped: verilator and iverilog are needed");
        return;
    }
    room.json("build model.safetensors -o ahead --trace app.trace");
    for (build, streaming, planned) in [("ahead", true, &ahead), ("whole", false, &whole)] {
        let simulated = room.json(&format!("sim {build} --trace app.trace --vectors 200 --stall 0.2"));
        assert_eq!((&simulated["passed"], &simulated["streaming"]), (&true.into(), &streaming.into()));
        assert_eq!(simulated["cycles_simulated"], planned["latency_cycles"]);
    }
}
