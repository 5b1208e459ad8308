//! Teacher, student, tables: what is kept between calls, what is made again, and that it makes no difference.

#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod common;

use common::Room;
use serde_json::Value;

/// A trainer that writes down its calls, does what `./hook` says, and makes a network.
const TRAINER: &str = r#"
all="$*"
while [ $# -gt 0 ]; do
    case "$1" in --output) output=$2 ;; --checkpoint) checkpoint=$2 ;; --name) name=$2 ;; esac
    shift
done
stage=$(basename "$output" .safetensors)
if [ -e "$checkpoint" ]; then stage="$stage goes on"; fi
echo "$stage: $all" >> log
. ./hook
cp network.safetensors "$output"
echo "{\"epoch\":1,\"epochs\":2,\"loss\":0.5,\"f1_valid\":0.25,\"threshold\":0.5,\"seconds\":0.1}"
"#;

const LINE: &str =
    "train app.trace -o m.safetensors --config small.toml --teacher teacher.toml --max-windows 300";

fn room() -> Room {
    let room = Room::new();
    room.trainer("trainer", TRAINER);
    room.write("hook", b"");
    room
}

/// The stages that were trained since the last look.
fn trained(room: &Room) -> Vec<String> {
    let log = std::fs::read_to_string(room.path("log")).unwrap_or_default();
    room.write("log", b"");
    log.lines().map(|line| line.split(':').next().unwrap().to_owned()).collect()
}

fn done(room: &Room, line: &str) -> String {
    let output = room.run(line);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{line}: {message}");
    message
}

#[test]
fn what_did_not_change_is_not_trained_again() {
    let room = room();
    assert_eq!(done(&room, LINE), "");
    assert_eq!(trained(&room), ["teacher", "student"]);
    let first = room.read("m.safetensors");
    let mut left: Vec<_> = room.files_in("m.stages");
    left.sort();
    assert_eq!(left, ["student.json", "student.safetensors", "teacher.json", "teacher.safetensors"]);

    let said = done(&room, LINE);
    assert_eq!(
        said,
        "teacher: reused, m.stages/teacher.safetensors\nstudent: reused, m.stages/student.safetensors\n"
    );
    assert!(trained(&room).is_empty());
    assert_eq!(room.read("m.safetensors"), first);

    let again = |more: &str| {
        done(&room, &format!("{LINE} {more}"));
        trained(&room)
    };
    assert!(again("--bits 6").is_empty());
    assert_eq!(again("--alpha 0.75"), ["student"]);
    assert_eq!(again("--alpha 0.75 --epochs 3"), ["student"]);
    assert_eq!(again("--seed 2"), ["teacher", "student"]);
    assert!(again("--seed 2").is_empty());
    assert_eq!(again("--seed 2 --fresh"), ["teacher", "student"]);
    assert_eq!(again("--seed 2 --page-bits 12"), ["teacher", "student"]);
    let without = LINE.replace("--teacher teacher.toml", "--teacher none --seed 2 --page-bits 12");
    done(&room, &without);
    assert_eq!(trained(&room), ["student"]);
    assert!(!room.path("m.stages/teacher.safetensors").exists(), "it had no part in this model");

    // A network that somebody changed is not the one that was trained.
    let mut student = room.read("m.stages/student.safetensors");
    let last = student.len() - 1;
    student[last] ^= 1;
    room.write("m.stages/student.safetensors", &student);
    done(&room, &without);
    assert_eq!(trained(&room), ["student"]);
    // Another trainer may train otherwise.
    room.trainer("trainer", &format!("{TRAINER}\n# better"));
    done(&room, &without);
    assert_eq!(trained(&room), ["student"]);
}

#[test]
fn a_killed_call_goes_on_and_makes_the_same_model() {
    let undisturbed = room();
    done(&undisturbed, LINE);
    let model = undisturbed.read("m.safetensors");

    let room = room();
    // The program dies while the teacher learns, then while the student does, then at some time afterwards.
    for (stage, hook) in [
        ("teacher", "echo half > \"$checkpoint\"; kill -9 $PPID; exit"),
        ("student", "[ \"$stage\" = student ] && { echo half > \"$checkpoint\"; kill -9 $PPID; exit; }"),
        ("student", "(sleep 0.1; kill -9 $PPID) > /dev/null 2>&1 &"),
        ("student", "(sleep 0.3; kill -9 $PPID) > /dev/null 2>&1 &"),
    ] {
        room.write("hook", hook.as_bytes());
        let output = room.run(LINE);
        // Whether the last ones come in time does not matter.
        assert!(output.status.code().is_none() || hook.contains("sleep"), "{hook}");
        assert!(trained(&room).iter().all(|name| name.starts_with(stage) || name == "teacher goes on"));
        if !hook.contains("sleep") {
            assert!(!room.path("m.safetensors").exists(), "a model of a killed call");
        }
    }
    room.write("hook", b"");
    done(&room, LINE);
    assert!(room.read("m.safetensors") == model, "an interrupted call made another model");
    let mut left = room.files_in("m.stages");
    left.sort();
    assert_eq!(left, ["student.json", "student.safetensors", "teacher.json", "teacher.safetensors"]);
}

#[test]
fn an_unfinished_training_is_taken_up_only_by_the_same_call() {
    let room = room();
    room.write("hook", b"echo half > \"$checkpoint\"; kill -9 $$");
    let line = LINE.replace("--teacher teacher.toml", "--teacher none");
    let refused = room.run(&line);
    assert_eq!(refused.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(refused.stderr).unwrap());
    assert_eq!(room.files_in("m.stages"), ["student.checkpoint", "student.json"]);
    let other = room.run(&format!("{line} --seed 3"));
    assert_eq!(other.status.code(), Some(2));
    let same = room.run(&format!("{line} --seed 3"));
    assert!(
        String::from_utf8(same.stderr).unwrap().starts_with("student: an interrupted training goes on\n")
    );
    assert_eq!(trained(&room), ["student", "student", "student goes on"]);
}

#[test]
fn the_trainer_is_told_what_was_asked_for() {
    let room = room();
    done(&room, &format!("{LINE} --alpha 0.75 --temperature 3 --seed 9 --epochs 4"));
    let log = String::from_utf8(room.read("log")).unwrap();
    let folder = room.path("").display().to_string();
    insta::assert_snapshot!(log.replace(&folder, ""));
}

#[test]
fn single_steps_make_what_the_whole_makes() {
    let room = room();
    let whole = room.json(LINE);
    assert_eq!((&whole["teacher"], &whole["stages"][0]["how"]), (&"teacher.toml".into(), &"trained".into()));
    let same = "--max-windows 300";
    done(&room, &format!("teacher app.trace -o t.safetensors --config teacher.toml {same}"));
    done(
        &room,
        &format!("distill app.trace -o s.safetensors --config small.toml --teacher t.safetensors {same}"),
    );
    let steps = room.json(&format!(
        "tabularize s.safetensors --trace app.trace -o x.safetensors --config small.toml {same}"
    ));
    for field in ["f1_network", "f1_float_tables", "f1_integer_tables", "storage_bits", "latency_cycles"] {
        assert_eq!(whole[field], steps[field], "{field}");
    }
    for field in ["f1_teacher", "f1_valid_teacher", "f1_valid_integer_tables"] {
        assert!(whole[field].as_f64().unwrap() > 0.1, "{field} of {whole}");
    }
    let load = |name: &str| tablewright_model::load_model(&room.path(name)).unwrap();
    let (whole, steps) = (load("m.safetensors"), load("x.safetensors"));
    assert_eq!(steps.name, "x");
    let unnamed = |mut model: tablewright_model::TableModel| {
        (model.name, model.provenance) = (String::new(), std::collections::BTreeMap::new());
        model
    };
    assert!(unnamed(whole.clone()) == unnamed(steps.clone()), "other tables");
    // Of the teacher of a network, its file tells.
    assert_eq!(whole.provenance["f1_teacher"], steps.provenance["f1_teacher"]);
    for name in ["t.stages", "s.stages", "x.stages"] {
        assert!(!room.path(name).exists(), "{name} holds nothing that is needed");
    }
    let network = room.json("info s.safetensors");
    let said = &network["provenance"];
    assert_eq!(
        said["command"],
        format!(
            "tablewright distill app.trace -o s.safetensors --config small.toml --teacher \
                                         t.safetensors --seed 1 {same}"
        )
    );
    assert_eq!(said["teacher"], "t.safetensors");
}

#[test]
fn labels_inside_pages_are_remembered() {
    let room = room();
    done(
        &room,
        "tabularize network.safetensors --trace loads.txt -o m.safetensors --config small.toml --page-bits 8",
    );
    assert_eq!(room.json("info m.safetensors")["input"]["page_bits"], 8);
    // Pages of 4 blocks hold fewer deltas than any.
    let windows = |more: &str| -> Value {
        let run = room.json(&format!("run m.safetensors --trace loads.txt {more}"));
        assert_eq!(run["page_bits"], if more.is_empty() { 8 } else { 20 });
        run["windows"].clone()
    };
    assert!(windows("").as_u64() < windows("--page-bits 20").as_u64());
}

#[test]
fn a_teacher_is_not_forgotten_with_the_stages_that_it_lies_in() {
    let room = room();
    done(&room, LINE);
    let own = "m.stages/teacher.safetensors";
    let teacher = room.read(own);
    for verb in ["train", "distill"] {
        let refusal = room.refusal(&format!(
            "{verb} app.trace -o m.safetensors --config small.toml --teacher {own} --alpha 0.5 --fresh"
        ));
        assert!(refusal.contains("copy the teacher elsewhere first"), "{refusal}");
    }
    assert_eq!(room.read(own), teacher);
}

#[test]
fn two_calls_do_not_work_in_one_place() {
    let room = room();
    room.write(
        "hook",
        format!(
            "\"{}\" {LINE} > second 2>&1 && exit 1\n",
            assert_cmd::cargo::cargo_bin("tablewright").display()
        )
        .as_bytes(),
    );
    done(&room, &LINE.replace("--teacher teacher.toml", "--teacher none"));
    assert_eq!(
        String::from_utf8(room.read("second")).unwrap(),
        "error: `m.stages` is in use: another command is working there; wait for it, or give another output\n"
    );
}

#[test]
fn a_summary_for_people() {
    let room = room();
    let text = String::from_utf8(room.run(LINE).stdout).unwrap();
    // Figures and seconds are not this test's.
    let words = text.lines().map(|line| {
        let plain = |word: &str| word.contains(|c: char| c.is_ascii_digit()) && !word.contains(['m', 't']);
        let words = line.split_whitespace().map(|word| if plain(word) { "#" } else { word });
        words.collect::<Vec<_>>().join(" ")
    });
    insta::assert_snapshot!(words.collect::<Vec<_>>().join("\n"));
    let again = String::from_utf8(room.run(LINE).stdout).unwrap();
    assert_eq!(again.matches("reused").count(), 2, "{again}");
}

#[test]
fn models_side_by_side() {
    let room = room();
    done(&room, LINE);
    let report = room.json("report m.safetensors model.safetensors");
    let (trained, random) = (&report["models"][0], &report["models"][1]);
    assert_eq!((&trained["trace"], &trained["config"]), (&"app".into(), &"small.toml".into()));
    for field in ["f1_teacher", "f1_network", "f1_float_tables", "f1_integer_tables"] {
        assert!(trained[field].as_f64().unwrap() > 0.1 && random[field].is_null(), "{field} in {report}");
    }
    let estimate = room.json("estimate m.safetensors");
    for field in ["latency_cycles", "interval_cycles", "words_per_inference"] {
        assert_eq!(trained[field], estimate[field], "{field}");
    }
    insta::assert_snapshot!(String::from_utf8(room.run("report model.safetensors").stdout).unwrap());

    let printed =
        String::from_utf8(room.run("report model.safetensors m.safetensors --markdown").stdout).unwrap();
    assert_eq!(printed.lines().filter(|line| line.starts_with("| ")).count(), 3);
    let line = "report model.safetensors m.safetensors --into page.md";
    room.write("page.md", b"# Page\n");
    let refused = room.refusal(line);
    assert!(refused.contains("has no lines") && refused.ends_with("[2]\n"), "{refused}");
    room.write("page.md", b"# Page\n<!-- report begins -->\n<!-- report ends -->\nEnd\n");
    assert_eq!(room.run(&format!("{line} --check")).status.code(), Some(1));
    done(&room, line);
    let page = String::from_utf8(room.read("page.md")).unwrap();
    assert!(
        page.starts_with("# Page\n") && page.contains(printed.trim_end()) && page.ends_with("End\n"),
        "{page}"
    );
    done(&room, &format!("{line} --check"));
    assert_eq!(room.run("report model.safetensors --into page.md --check").status.code(), Some(1));
}

#[test]
fn the_zoos_table_is_that_of_its_models() {
    let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let mut zoo: Vec<_> =
        std::fs::read_dir(models.join("zoo")).unwrap().map(|entry| entry.unwrap().path()).collect();
    zoo.retain(|path| path.extension().is_some_and(|ending| ending == "safetensors"));
    zoo.sort();
    let mut command = assert_cmd::Command::cargo_bin("tablewright").unwrap();
    command.arg("report").args(zoo).arg("--into").arg(models.join("README.md")).arg("--check");
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}; `make zoo-report` writes it");
}
