//! Plans printed, edited and given back.

#![allow(clippy::unwrap_used)]

mod common;

use common::Room;

fn cycles(room: &Room, line: &str) -> [u64; 3] {
    let report = room.json(line);
    ["latency_cycles", "interval_cycles", "levels"].map(|field| report[field].as_u64().unwrap())
}

#[test]
fn a_plan_is_printed_edited_and_followed() {
    let room = Room::new();
    let printed = String::from_utf8(room.run("info model.safetensors --plan -q").stdout).unwrap();
    insta::assert_snapshot!(printed);
    room.write("same.plan", printed.as_bytes());
    let automatic = cycles(&room, "build model.safetensors -o automatic");
    assert_eq!(cycles(&room, "build model.safetensors -o same --plan same.plan"), automatic);
    assert_eq!(room.read("same/manifest.json"), room.read("automatic/manifest.json"));
    assert_eq!(room.read("same/plan.txt"), printed.as_bytes());

    // One element of the mix after the other, so the columns that it keeps come one by one.
    let edited = printed
        .replacen("TemporalMap(3,3) n; Cluster(3); SpatialMap(1,1) n;", "TemporalMap(1,1) n;", 1)
        .replace("TemporalMap(2,2) t; Cluster(2); SpatialMap(1,1) t;", "TemporalMap(1,1) t;");
    assert_ne!(edited, printed);
    let edited: Vec<&str> = edited.lines().collect();
    // The steps of that layout are others.
    let at = edited.iter().position(|line| line.contains("TemporalMap(1,1) n;")).unwrap();
    let text: Vec<&str> =
        edited.iter().enumerate().filter(|(i, _)| *i != at + 1).map(|(_, line)| *line).collect();
    room.write("edited.plan", text.join("\n").as_bytes());
    let slower = cycles(&room, "build model.safetensors -o edited --plan edited.plan");
    assert!(slower[0] > automatic[0], "{slower:?} {automatic:?}");
    let kept = String::from_utf8(room.run("info edited --plan -q").stdout).unwrap();
    assert_eq!(kept.as_bytes(), room.read("edited/plan.txt"));
    assert_eq!(cycles(&room, "estimate edited"), slower);
}

#[test]
fn a_latency_is_reached_with_as_few_levels_as_it_allows() {
    let room = Room::new();
    let [automatic, _, levels] = cycles(&room, "estimate model.safetensors");
    let [faster, _, more] = cycles(&room, &format!("estimate model.safetensors --latency {}", automatic - 3));
    assert!(faster <= automatic - 3 && more > levels);
    let [same, _, least] = cycles(&room, &format!("estimate model.safetensors --latency {faster}"));
    assert_eq!((same, least), (faster, more));
    let [one_less, ..] = cycles(&room, &format!("estimate model.safetensors --levels {}", more - 1));
    assert!(one_less > faster, "{more} levels were not needed");
}

#[test]
fn banks_are_chosen_printed_and_given_back() {
    let room = Room::new();
    let asked = "--target ihp-sg13g2 --banks memory --interval 60";
    let estimate = room.json(&format!("estimate model.safetensors {asked}"));
    let banks = estimate["target"]["banks"].as_array().unwrap().clone();
    assert!(banks.iter().all(|bank| {
        let [used, there] = ["used_bits", "provided_bits"].map(|f| bank["chosen"][f].as_u64().unwrap());
        used == bank["words"].as_u64().unwrap() * bank["width"].as_u64().unwrap() && used <= there
    }));
    let built = cycles(&room, &format!("build model.safetensors -o folded {asked}"));
    assert!(built[1] <= 60, "{built:?}");
    assert_eq!(cycles(&room, "estimate folded"), built);
    assert_eq!(room.json("estimate folded")["target"]["banks"].as_array(), Some(&banks));
    let plan = String::from_utf8(room.read("folded/plan.txt")).unwrap();
    let first = plan.lines().map(str::trim).find(|line| line.starts_with("Bank ")).unwrap();
    let folds = banks.iter().filter(|bank| bank["fold"].as_u64().unwrap() > 1).count();
    assert!(folds > 0, "{banks:?}");
    room.write("printed.plan", plan.as_bytes());
    cycles(&room, "build model.safetensors -o same --plan printed.plan --target ihp-sg13g2");
    assert_eq!(room.read("same/manifest.json"), room.read("folded/manifest.json"));
    let simulated = room.json("sim folded --vectors 20");
    assert_eq!(simulated["mismatches"], 0, "{simulated}");

    // An FPGA has no macros; and a build's banks are chosen anew for another target's estimate.
    let edited = plan.replacen(first, "Bank macro 1024x64;", 1);
    room.write("edited.plan", edited.as_bytes());
    cycles(&room, "build model.safetensors -o edited --plan edited.plan --target ihp-sg13g2");
    assert!(String::from_utf8(room.read("edited/plan.txt")).unwrap().contains("Bank macro 1024x64;"));
    let other = room.json("estimate edited --target ecp5");
    assert_eq!(other["target"]["name"], "ecp5");
    let refused = ["ecp5", "generic"].map(|target| {
        room.refusal(&format!("build model.safetensors -o out --plan edited.plan --target {target}"))
    });
    insta::assert_snapshot!(refused.join("\n"));
    let text = room.run(&format!("estimate model.safetensors {asked}")).stdout;
    let text = String::from_utf8(text).unwrap();
    let table = text.lines().skip_while(|line| !line.starts_with(" bank ")).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(table);
}

#[test]
fn what_cannot_be_planned_is_refused() {
    let room = Room::new();
    room.run("build model.safetensors -o build -q");
    room.write("other.plan", b"Plan other {\n}\n");
    room.write("wrong.plan", b"Plan random-3 {\n  Kernel head {\n    TemporalMap(2,2) n;\n  }\n}\n");
    let before = room.files();
    let all: Vec<String> = [
        "build model.safetensors -o out --latency 1",
        "build model.safetensors -o out --interval 1",
        "build model.safetensors -o out --levels 0",
        "build model.safetensors -o out --clock 100",
        "build model.safetensors -o out --plan nothing.plan",
        "build model.safetensors -o out --plan other.plan",
        "build model.safetensors -o out --plan wrong.plan",
        "build model.safetensors -o out --plan wrong.plan --latency 50",
        "estimate build --latency 50",
        "info app.trace --plan",
    ]
    .iter()
    .map(|line| room.refusal(line))
    .collect();
    assert_eq!(room.files(), before);
    insta::assert_snapshot!(all.join("\n"));
}
