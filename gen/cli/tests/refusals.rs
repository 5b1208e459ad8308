//! Wrong calls and wrong input: status 2 and one message that says what, where, and what to do.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Room, SMALL, TRAINER};

/// All refusals of some calls, for a snapshot.
fn refusals(room: &Room, lines: &[&str]) -> String {
    let before = room.files();
    let text: Vec<String> = lines.iter().map(|line| room.refusal(line)).collect();
    assert_eq!(room.files(), before, "a refused call left something behind");
    for (line, refusal) in lines.iter().zip(&text) {
        assert!(refusal.ends_with("[2]\n"), "{line}: {refusal}");
        assert!(!refusal.contains("panicked"), "{line}: {refusal}");
    }
    text.join("\n")
}

#[test]
fn calls() {
    let room = Room::new();
    let all = refusals(
        &room,
        &[
            "tarin app.trace",
            "train app.trace",
            "train app.trace -o m.safetensors --seed many",
            "train app.trace -o m.safetensors --epochs 0",
            "run model.safetensors",
            "run model.safetensors --trace app.trace --part some",
            "info app.trace --format xml",
            "info -q -v app.trace",
            "sim build --stall 2",
            "sim build --spacing 70",
            "sim build --top prefetcher --spacing 0",
        ],
    );
    insta::assert_snapshot!(all);
}

#[test]
fn paths() {
    let room = Room::new();
    std::fs::create_dir(room.path("folder")).unwrap();
    room.write("empty", b"");
    room.write("notes.txt", b"buy milk\n");
    room.write("dataset.safetensors", b"\x02\0\0\0\0\0\0\0{}");
    let model = room.read("model.safetensors");
    room.write("cut.safetensors", &model[..model.len() / 2]);
    let all = refusals(
        &room,
        &[
            "info nothing",
            "info folder",
            "info empty",
            "info notes.txt",
            "info dataset.safetensors",
            "info cut.safetensors",
            "run app.trace --trace app.trace",
            "run network.safetensors --trace app.trace",
            "run folder --trace app.trace",
            "run nothing --trace app.trace",
            "run model.safetensors --trace model.safetensors",
            "run loads.txt --trace app.trace",
            "run model.safetensors --trace folder",
            "run model.safetensors --trace nothing",
            "run model.safetensors --trace shortest.trace -o out",
            "run model.safetensors --trace app.trace --page-bits 6",
            "run model.safetensors --trace app.trace -o folder",
            "run model.safetensors --trace app.trace -o nowhere/out",
            "run model.safetensors --trace app.trace -o app.trace",
        ],
    );
    insta::assert_snapshot!(all);
}

#[cfg(unix)]
#[test]
fn training() {
    let room = Room::new();
    room.trainer("trainer", TRAINER);
    room.write("wide.toml", SMALL.replace("dim = 8", "dim = 800").as_bytes());
    room.write("other.toml", SMALL.replace("dim = 8", "dims = 8").as_bytes());
    let all = refusals(
        &room,
        &[
            "train nothing -o m.safetensors",
            "train model.safetensors -o m.safetensors",
            "train short.trace -o m.safetensors --config dart-s",
            "teacher short.trace -o m.safetensors",
            "distill short.trace -o m.safetensors",
            "tabularize network.safetensors --trace shortest.trace -o m.safetensors --config small.toml",
            "train single.trace -o m.safetensors --config small.toml",
            "train single.txt -o m.safetensors --config small.toml",
            "train far.trace -o m.safetensors --config small.toml",
            "train app.trace -o m.safetensors --config dart-xl",
            "teacher app.trace -o m.safetensors --config dart",
            "train app.trace -o m.safetensors --page-bits 6",
            "train app.trace -o m.safetensors --teacher nobody",
            "train app.trace -o m.safetensors --teacher model.safetensors",
            "train app.trace -o m.safetensors --teacher network.safetensors",
            "train app.trace -o m.safetensors --teacher small.toml",
            "train app.trace -o m.safetensors --config small.toml --alpha 0.5",
            "train app.trace -o m.safetensors --config small.toml --teacher none --temperature 2",
            "train app.trace -o m.safetensors --alpha 1.5",
            "train app.trace -o m.safetensors --temperature 0",
            "train app.trace -o m.safetensors --bits 7",
            "train app.trace -o m.safetensors --config wide.toml",
            "train app.trace -o m.safetensors --config other.toml",
            "train app.trace -o nowhere/m.safetensors",
            "train app.trace -o app.trace",
            "train app.trace -o /dev/null",
            "distill app.trace -o network.safetensors --config small.toml --teacher network.safetensors",
            "tabularize app.trace --trace app.trace -o m.safetensors",
            "tabularize model.safetensors --trace app.trace -o m.safetensors",
            "tabularize network.safetensors --trace app.trace -o network.safetensors --config small.toml",
        ],
    );
    insta::assert_snapshot!(all);
}

#[cfg(unix)]
#[test]
fn trainers() {
    let room = Room::new();
    let mut all = Vec::new();
    for (name, script) in [
        ("refuses", "echo 'error: --lr is 7, allowed are above 0, up to 1' >&2; exit 2"),
        ("dies", "kill -9 $$"),
        ("chats", "cp network.safetensors m.stages/student.safetensors; echo hello"),
        ("makes nothing", ""),
    ] {
        room.trainer("trainer", script);
        all.push(format!(
            "a trainer that {name}:\n{}",
            refusals(&room, &["train app.trace -o m.safetensors --config small.toml"])
        ));
    }
    std::fs::remove_file(room.path("trainer")).unwrap();
    all.push(refusals(&room, &["train app.trace -o m.safetensors --config small.toml"]));
    insta::assert_snapshot!(all.join("\n"));
}

#[cfg(unix)]
#[test]
fn no_trainer_anywhere() {
    let room = Room::new();
    let line = "train app.trace -o m.safetensors --config small.toml";
    // A copy, so that no trainer stands beside it.
    let program = room.path("tablewright");
    // By another process: a program that this one has open for writing, or a child of another test, cannot be started.
    let copied = std::process::Command::new("cp")
        .arg(assert_cmd::cargo::cargo_bin("tablewright"))
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    let output = std::process::Command::new(program)
        .current_dir(room.path("."))
        .env_remove("TABLEWRIGHT_TRAIN")
        .env("PATH", "")
        .args(line.split(' '))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap());
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full() {
    let room = Room::new();
    room.trainer("trainer", TRAINER);
    room.write(
        "page.md",
        &[b"<!-- report begins -->\n<!-- report ends -->\n".to_vec(), vec![b'x'; 9000]].concat(),
    );
    let page = room.read("page.md");
    let before = room.files();
    let mut all = Vec::new();
    for line in [
        "train app.trace -o m.safetensors --config small.toml",
        "teacher app.trace -o m.safetensors --config teacher.toml",
        "distill app.trace -o m.safetensors --config small.toml --teacher network.safetensors",
        "tabularize network.safetensors --trace app.trace -o m.safetensors --config small.toml",
        "report model.safetensors --into page.md",
        "run model.safetensors --trace app.trace -o out",
    ] {
        // No file grows beyond 4 or 8 kB, by the shell's unit. Who writes on is told, and not killed.
        let output = std::process::Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\""])
            .arg(assert_cmd::cargo::cargo_bin("tablewright"))
            .args(line.split(' '))
            .current_dir(room.path("."))
            .env("TABLEWRIGHT_TRAIN", room.path("trainer"))
            .output()
            .unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), message.lines().count()), (Some(2), 1), "{line}: {message}");
        assert_eq!(room.files(), before, "{line} left something behind");
        all.push(format!("$ tablewright {line}\n{message}"));
    }
    assert!(room.read("page.md") == page, "half a page");
    insta::assert_snapshot!(all.join("\n"));
}

#[cfg(unix)]
#[test]
fn more_prototypes_than_windows() {
    let room = Room::new();
    room.trainer("trainer", TRAINER);
    room.write("many.toml", SMALL.replace("prototypes = 16", "prototypes = 1024").as_bytes());
    let all = refusals(
        &room,
        &[
            "tabularize network.safetensors --trace app.trace -o m.safetensors --config many.toml --max-windows 20",
            "train app.trace -o m.safetensors --config many.toml --max-windows 1000",
        ],
    );
    insta::assert_snapshot!(all);
}

#[test]
fn networks_with_wrong_parameters() {
    let room = Room::new();
    let network = String::from_utf8_lossy(&room.read("network.safetensors")).into_owned();
    assert!(network.contains("layers.0.ff1.weight"));
    let bytes = room.read("network.safetensors");
    let renamed = |from: &str, to: &str| {
        // As long as before, so that the header's length stays.
        assert_eq!(from.len(), to.len());
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
    };
    room.write("misnamed.safetensors", &renamed("layers.0.ff1.weight", "layers.0.ff1.wieght"));
    room.write("missing.safetensors", &renamed("\"head.bias\"", "\"tail.bios\""));
    let all = refusals(
        &room,
        &[
            "tabularize misnamed.safetensors --trace app.trace -o m.safetensors --config small.toml",
            "tabularize missing.safetensors --trace app.trace -o m.safetensors --config small.toml",
            "distill app.trace -o m.safetensors --config small.toml --teacher misnamed.safetensors",
        ],
    );
    for named in ["layers.0.ff1.weight", "tail.bios"] {
        assert!(all.contains(named), "{all}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_goes_nowhere() {
    use std::process::Stdio;
    let room = Room::new();
    let into = |stdout: Stdio| {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("tablewright"));
        command
            .current_dir(room.path("."))
            .args(["info", "model.safetensors"])
            .stdout(stdout)
            .stderr(Stdio::piped());
        let output = command.spawn().unwrap().wait_with_output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    // A reader that has gone has seen enough.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(into(writer.into()), (0, String::new()));
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let (status, message) = into(full.into());
    assert_eq!(status, 2);
    assert!(message.starts_with("error: the result cannot be written to standard output: "), "{message}");
    assert_eq!(message.lines().count(), 1);
}
