//! `tablewright configure`: what it chooses, writes and refuses.

#![allow(clippy::unwrap_used)]

mod common;

use common::Room;
use serde_json::Value;

/// A search that takes a second, on the small network.
const MEASURED: &str = "--strategy measured --latency 400 --storage 2000 --evaluations 8 --prototypes 4,8,16 --subspaces 1,2 \
                        --config small.toml --max-windows 400";

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no count: {value}"))
}

#[test]
fn greedy_writes_what_train_takes() {
    let room = Room::new();
    let call = "configure app.trace --latency 250 --storage 220000 --layers 1 --dims 16,32 --heads 2 --positions absolute \
                --subspaces 1,2 --prototypes 16,128 --bits 8 -o my.toml";
    let report = room.json(call);
    let chosen = &report["chosen"];
    assert_eq!(chosen["candidate"]["network"]["dim"], 32);
    assert_eq!(chosen["candidate"]["spec"]["prototypes"], 128);
    assert_eq!(chosen["candidate"]["spec"]["subspaces"], 2);
    // What DART models with one K and C for all kernels take.
    let figures = &chosen["figures"];
    assert!((55..=63).contains(&number(&figures["latency_cycles"])), "{figures}");
    assert!((140_000..146_000).contains(&number(&figures["storage_bytes"])), "{figures}");
    assert_eq!(figures["published"]["latency_cycles"], 97);
    assert_eq!(report["candidates"].as_array().unwrap().len(), 8);

    // What was written is a configuration: with it the same choice comes out of a space that leaves none.
    let again = room.json(
        "configure app.trace --latency 250 --storage 220000 --config my.toml --layers 1 --dims 32 --heads 2 \
         --positions absolute --prototypes 128 --subspaces 2 -o my.toml",
    );
    assert_eq!(again["chosen"], report["chosen"]);
    let text = String::from_utf8(room.run(call).stdout).unwrap();
    insta::assert_snapshot!(text);
}

#[cfg(unix)]
#[test]
fn what_was_chosen_is_what_training_gives() {
    let room = Room::new();
    room.trainer("trainer", common::TRAINER);
    let report = room.json(
        "configure app.trace --latency 300 --storage 3000 --config small.toml --layers 1 --dims 8 --heads 2 \
         --positions absolute -o my.toml",
    );
    insta::assert_snapshot!(String::from_utf8(room.read("my.toml")).unwrap());
    room.json("train app.trace -o m.safetensors --config my.toml --max-windows 400");
    let trained = room.json("estimate m.safetensors");
    let planned = &report["chosen"]["figures"];
    assert!(planned["table_bits"].as_u64() >= trained["table_bits"].as_u64(), "{trained}");
    let cycles = number(&trained["latency_cycles"]);
    let planned_cycles = number(&planned["latency_cycles"]);
    let (least, most) = (planned_cycles - 6, planned_cycles + 1);
    assert!((least..=most).contains(&cycles), "{cycles} cycles, planned {planned}");
}

#[test]
fn a_network_is_searched_by_f1() {
    let room = Room::new();
    let line = format!("configure network.safetensors --trace app.trace {MEASURED} -o my.toml --format json");
    let with = |threads: &str| {
        let output = room.command(&line).env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        (output.stdout, room.read("my.toml"))
    };
    let (first, file) = with("1");
    assert!((first.clone(), file.clone()) == with("3"), "another number of threads chose otherwise");
    let report: Value = serde_json::from_slice(&first).unwrap();
    let trials = report["measured"]["search"]["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 8);
    assert!(trials.iter().any(|trial| trial["effort"] == "screen"));
    let best = &trials[usize::try_from(number(&report["measured"]["search"]["best"])).unwrap()];
    assert_eq!(best["effort"], "full");
    assert_eq!(best["candidate"], report["chosen"]["candidate"]);
    assert!(number(&report["chosen"]["figures"]["storage_bytes"]) <= 2000);
    // No trial on all samples is better.
    let f1 = |trial: &Value| (1000.0 * trial["f1"].as_f64().unwrap()).round();
    assert!(trials.iter().filter(|trial| trial["effort"] == "full").all(|trial| f1(trial) <= f1(best)));
    let written = String::from_utf8(file).unwrap();
    assert!(written.contains("[tables]") && written.contains("history = 4"), "{written}");

    let text = room.run(&format!("configure network.safetensors --trace app.trace {MEASURED}"));
    let text = String::from_utf8(text.stdout).unwrap();
    for part in ["F1, network", "tables made", "1/16", "nearest misses", "formula: latency"] {
        assert!(text.contains(part), "no `{part}` in\n{text}");
    }
}

#[cfg(unix)]
#[test]
fn for_a_trace_students_are_trained() {
    let room = Room::new();
    room.trainer("trainer", common::TRAINER);
    let before = room.files();
    let shape = "--layers 1 --dims 8 --heads 2 --positions absolute --students 2";
    let report = room.json(&format!("configure app.trace {MEASURED} {shape}"));
    let students = report["measured"]["students"].as_array().unwrap();
    // One shape, one student.
    assert_eq!(students.len(), 1);
    assert!(students[0]["f1"].as_f64().unwrap() > 0.1);
    assert_eq!(report["chosen"]["candidate"]["network"]["dim"], 8);
    assert!(report["chosen"]["f1"]["test"].as_f64().unwrap() > 0.1);
    assert_eq!(room.files(), before, "files of the training are left");
}

#[test]
fn figures_of_a_target_can_be_limited() {
    let room = Room::new();
    let rams = |limit: &str| {
        let report = room.json(&format!(
            "configure app.trace --latency 400 --storage 250000 --layers 1 --dims 16,32 --heads 2 --positions absolute --target ecp5 {limit}"
        ));
        let figures = report["chosen"]["figures"]["target"].as_array().unwrap();
        let rams = figures.iter().find(|figure| figure["what"] == "block RAMs (DP16KD)").unwrap();
        rams["value"].as_f64().unwrap()
    };
    let free = rams("");
    let limited = rams(&format!("--limit block-rams={}", free - 1.0));
    assert!(limited < free, "{free} {limited}");
}

#[test]
fn refusals() {
    let room = Room::new();
    // For the last call alone, which does not get so far as to start it.
    room.trainer("trainer", "exit 9");
    let limits = "--latency 250 --storage 220000";
    let lines = [
        "configure app.trace --latency 250".to_owned(),
        format!("configure nothing {limits}"),
        format!("configure model.safetensors {limits}"),
        "configure app.trace --latency 20 --storage 220000 --layers 1 --positions absolute".to_owned(),
        "configure network.safetensors --latency 250 --storage 100".to_owned(),
        format!("configure app.trace {limits} --prototypes 48"),
        format!("configure app.trace {limits} --layers 2 --positions relative"),
        format!("configure app.trace {limits} --positions nowhere"),
        format!("configure app.trace {limits} --encoders tree,l3"),
        format!("configure app.trace {limits} --target ecp6"),
        format!("configure app.trace {limits} --limit area=100"),
        format!("configure app.trace {limits} --target ecp5 --limit area=100"),
        format!("configure app.trace {limits} --target ecp5 --limit rams=100"),
        format!("configure app.trace {limits} --target ecp5 --limit luts=few"),
        format!("configure app.trace {limits} --evaluations 20"),
        format!("configure app.trace {limits} --strategy measured --trace app.trace"),
        format!("configure network.safetensors {limits} --strategy measured"),
        format!("configure network.safetensors {limits} --dims 16"),
        format!("configure app.trace {limits} --config dart-xl"),
        format!("configure app.trace {limits} -o nowhere/my.toml"),
        format!("configure app.trace {limits} -o app.trace"),
        format!("configure short.trace {limits} --strategy measured"),
    ];
    let before = room.files();
    let all: Vec<String> = lines.iter().map(|line| room.refusal(line)).collect();
    assert_eq!(room.files(), before, "a refused call left something behind");
    assert!(all.iter().all(|refusal| refusal.ends_with("[2]\n")));
    insta::assert_snapshot!(all.join("\n"));
}
