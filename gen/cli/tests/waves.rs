//! A waveform viewer finds what belongs to a node by the node's name.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use std::process::Command;

/// Names of all signals of a VCD with the scopes they are in, joined by dots.
fn signals(vcd: &str) -> Vec<String> {
    let mut scopes: Vec<&str> = Vec::new();
    let mut names = Vec::new();
    for line in vcd.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["$scope", _, name, ..] => scopes.push(name),
            ["$upscope", ..] => {
                scopes.pop();
            }
            ["$var", _, _, _, name, ..] => names.push(format!("{}.{name}", scopes.join("."))),
            ["$enddefinitions", ..] => break,
            _ => {}
        }
    }
    names
}

#[test]
fn nodes_and_banks_are_found_by_name() {
    let tools = [("verilator", "--version"), ("fst2vcd", "-h")];
    if let Some((tool, _)) = tools.iter().find(|(tool, arg)| Command::new(tool).arg(arg).output().is_err()) {
        println!("skipped: {tool} is needed (fst2vcd is part of GTKWave)");
        return;
    }
    let room = common::Room::new();
    for call in ["build model.safetensors -o build -q", "sim build --vectors 5 --waves waves.fst"] {
        let output = room.run(call);
        assert!(output.status.success(), "{call}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let vcd = Command::new("fst2vcd").arg(room.path("waves.fst")).output().unwrap();
    let names = signals(&String::from_utf8(vcd.stdout).unwrap());

    let estimate = room.json("estimate build");
    let mut banks = 0;
    for kernel in estimate["kernels"].as_array().unwrap() {
        let name = kernel["name"].as_str().unwrap();
        if name == "queue" {
            continue;
        }
        for signal in ["valid", "data"] {
            let end = format!(".{name}_{signal}");
            assert!(names.iter().any(|n| n.ends_with(&end)), "{end}");
        }
        for memory in kernel["memories"].as_array().unwrap().iter().filter(|m| m["holds"] == "table-bank") {
            for bank in 0..memory["count"].as_u64().unwrap() {
                let scope = format!(".u_{name}.u_bank_{bank}.");
                assert!(names.iter().any(|n| n.contains(&scope)), "{scope}");
                banks += 1;
            }
        }
    }
    assert!(banks > 5);
}
