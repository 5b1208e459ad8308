//! What good calls print and write.

#![allow(clippy::unwrap_used)]

mod common;

use common::Room;
use serde_json::Value;

fn number(value: &Value, field: &str) -> f64 {
    value[field].as_f64().unwrap_or_else(|| panic!("no number `{field}` in {value}"))
}

#[test]
fn info_of_a_trace() {
    let room = Room::new();
    let info = room.json("info app.trace");
    assert_eq!(info["what"], "trace");
    assert_eq!(info["kind"], "champsim-instructions");
    assert_eq!(info["records"], 2000);
    assert_eq!(info["accesses"], 2000);
    insta::assert_snapshot!(String::from_utf8(room.run("info loads.txt").stdout).unwrap());
}

#[test]
fn info_of_a_model() {
    let room = Room::new();
    let info = room.json("info model.safetensors");
    assert_eq!((&info["what"], &info["name"]), (&"model".into(), &"random-3".into()));
    assert_eq!(info["network"]["dim"], 8);
    let kernels = info["kernels"].as_array().unwrap();
    assert_eq!(kernels.len(), 8);
    // C = 2, K = 16, 32 outputs of 8 bits.
    let head = &kernels[7];
    assert_eq!(
        (&head["name"], &head["prototypes"], &head["subspaces"]),
        (&"head".into(), &16.into(), &2.into())
    );
    assert_eq!((&head["entries"], &head["entry_bits"]), (&1024.into(), &8192.into()));
    assert!(number(&info, "table_bits") >= 8192.0);
    assert!(number(&info, "encoder_bits") > 0.0);
    assert!(number(&info, "words_per_inference") > 0.0);
    assert_eq!(info["provenance"]["made by"], "random_model, seed 3");
    insta::assert_snapshot!(String::from_utf8(room.run("info model.safetensors").stdout).unwrap());
}

#[test]
fn info_of_a_network() {
    let room = Room::new();
    let info = room.json("info network.safetensors");
    assert_eq!(info["what"], "network");
    // Embedding 5·8, positions 4·8, layer 16 + 9·24 + 9·8 + 16 + 9·8 + 9·8, norm 16, head 9·32.
    assert_eq!(info["parameters"], 40 + 32 + 464 + 16 + 288);
}

#[test]
fn info_of_a_build_directory() {
    let room = Room::new();
    room.json("build model.safetensors -o build");
    let info = room.json("info build");
    assert_eq!((&info["what"], &info["manifest"]["core"]), (&"build".into(), &"tw_random_3_core".into()));
    let text = String::from_utf8(room.run("info build").stdout).unwrap();
    assert!(text.contains("tw_random_3_core"), "{text}");
    for damaged in [&b"{"[..], b"{}", br#"{"version": 9}"#] {
        room.write("build/manifest.json", damaged);
        assert!(room.refusal("info build").contains("build again"));
    }
}

#[test]
fn run_measures_and_writes_prefetches() {
    let room = Room::new();
    let run = room.json("run model.safetensors --trace app.trace -o out.txt");
    assert_eq!(run["accesses"], 2000);
    // Full history of 4, full look-ahead of 16; steps of 1 to 8 blocks always leave a labelled delta (up to 16).
    assert_eq!(run["windows"], 2000 - 3 - 16);
    for field in ["f1", "accuracy", "coverage"] {
        assert!((0.0..=1.0).contains(&number(&run, field)), "{field}");
    }
    for name in ["next-line", "next-4-lines", "best-offset"] {
        let baseline = &run["baselines"][name];
        assert!(number(baseline, "f1") > 0.0 && number(baseline, "coverage") > 0.0, "{name}");
    }
    // The walk never turns: the next block is visited by a step of 1 or not at all, and that is 1 step of 8.
    let next = number(&run["baselines"]["next-line"], "accuracy");
    assert!((0.1..0.15).contains(&next), "next-line accuracy {next}");
    let lines = String::from_utf8(room.read("out.txt")).unwrap();
    assert_eq!(lines.lines().count() as u64, run["issued"].as_u64().unwrap());
    for line in lines.lines() {
        let (id, address) = line.split_once(' ').unwrap();
        let (id, address) = (id.parse::<u64>().unwrap(), u64::from_str_radix(address, 16).unwrap());
        // Ids count records from 1; the first with a full history is the 4th.
        assert!((4..=2000).contains(&id) && address % 64 == 0, "{line}");
    }
}

#[test]
fn run_is_the_same_with_any_number_of_threads() {
    let room = Room::new();
    let with = |threads: &str| {
        let mut command = room.command("run model.safetensors --trace app.trace -o out.txt --format json");
        let output = command.env("RAYON_NUM_THREADS", threads).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        (output.stdout, room.read("out.txt"))
    };
    assert_eq!(with("1"), with("3"));
}

#[test]
fn parts_follow_each_other() {
    let room = Room::new();
    let windows = |part: &str| {
        let run = room.json(&format!("run model.safetensors --trace app.trace --part {part}"));
        (run["windows"].as_u64().unwrap(), run["part"].as_str().unwrap().to_owned())
    };
    // 1981 windows: 60 % and 20 % less the look-ahead between the parts, and the rest.
    assert_eq!(windows("train"), (1189 - 16, "train".into()));
    assert_eq!(windows("valid"), (396 - 16, "valid".into()));
    assert_eq!(windows("test"), (1981 - 1585, "test".into()));
}

#[test]
fn quiet_in_a_pipe() {
    let room = Room::new();
    let stderr = |line: &str| String::from_utf8(room.run(line).stderr).unwrap();
    assert_eq!(stderr("run model.safetensors --trace app.trace"), "");
    let physical = stderr("run model.safetensors --trace loads.txt");
    assert!(physical.starts_with("warning: loads.txt: the addresses may be physical"), "{physical}");
    assert_eq!(stderr("run model.safetensors --trace loads.txt -q"), "");
    assert!(stderr("run model.safetensors --trace app.trace -v").contains("2000 accesses"));
}

#[cfg(unix)]
#[test]
fn train_makes_a_model_that_run_agrees_with() {
    let room = Room::new();
    room.trainer("trainer", common::TRAINER);
    let before = room.files();
    let trained =
        room.json("train app.trace -o 7th.safetensors --config small.toml --seed 5 --max-windows 600");
    assert_eq!(trained["windows_train"], 600);
    assert_eq!(trained["windows_valid"], 150);
    assert_eq!(trained["windows_test"], 396);
    for field in ["f1_network", "f1_float_tables", "f1_integer_tables"] {
        assert!(number(&trained, field) > 0.1, "{field} of {trained}");
    }
    let mut after = room.files();
    after.retain(|name| !["7th.safetensors", "7th.stages"].contains(&&name[..]));
    assert_eq!(after, before);

    // The same windows of the test part, the same golden model, the same threshold.
    let run = room.json("run 7th.safetensors --trace app.trace --part test");
    assert_eq!(run["f1"], trained["f1_integer_tables"]);

    let info = room.json("info 7th.safetensors");
    let said = &info["provenance"];
    assert_eq!(said["trace"], "app.trace");
    let command =
        "tablewright train app.trace -o 7th.safetensors --config small.toml --seed 5 --max-windows 600";
    assert_eq!(said["command"], command);
    assert_eq!(said["network_made_by"], "a test");
    let f1 = said["f1_integer_tables"].as_str().unwrap().parse::<f64>().unwrap();
    assert!((f1 - number(&trained, "f1_integer_tables")).abs() < 1e-6);

    let first = room.read("7th.safetensors");
    let mut again = room.command(
        "train ./app.trace -o ./7th.safetensors --config small.toml --seed 5 --max-windows 600 --fresh",
    );
    assert_eq!(again.env("RAYON_NUM_THREADS", "1").output().unwrap().status.code(), Some(0));
    assert_eq!(room.read("7th.safetensors"), first, "another number of threads made another model");
    assert_eq!(room.json("info 7th.stages/student.safetensors")["what"], "network");
}

#[cfg(unix)]
#[test]
fn the_trainer_sees_nothing_of_the_test_part() {
    use tablewright_trace::Dataset;
    let room = Room::new();
    room.trainer("trainer", &format!("cp \"$1\" seen.safetensors\n{}", common::TRAINER));
    let done = room.run("train app.trace -o m.safetensors --config small.toml");
    assert_eq!(done.status.code(), Some(0));
    let (dataset, split) = Dataset::load(&room.path("seen.safetensors")).unwrap();
    assert!(split.test.is_empty());
    assert_eq!(dataset.len(), 1189 - 16 + 396 - 16);
    // Access 3 is the first with a window; the look-ahead of no window reaches into the test part.
    assert!(dataset.current.iter().all(|&at| (at as usize) + 16 < 3 + 1585));
}

#[test]
fn presets_can_be_printed_and_used() {
    let room = Room::new();
    let printed = room.run("train --config dart-s --print-config");
    assert_eq!(printed.status.code(), Some(0));
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(text.contains("prototypes = 16 "), "{text}");
}
