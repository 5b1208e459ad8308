//! Tables that are stored without what repeats in them: a good build is compared and proved, and what is planted is found.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

use support::Build;
use tablewright_design::{Op, Source};
use tablewright_model::load_model;
use tablewright_verif::{Outcome, check_looked_up, check_packed, vectors};

/// A shipped model, in whose tables much repeats.
fn shipped() -> Build {
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/mcfns-dart-s.safetensors");
    Build::of(&load_model(&zoo).unwrap())
}

fn outcomes(build: &Build, only: &str) -> Vec<Outcome> {
    let folder = tempfile::tempdir().unwrap();
    let limit = std::time::Duration::from_mins(10);
    let place = folder.path().to_path_buf();
    let checks = tablewright_verif::formal::prove(
        &build.dir,
        &build.design,
        &build.plan,
        place,
        limit,
        Some(only),
        &mut |_| (),
    );
    checks.unwrap().into_iter().map(|check| check.outcome).collect()
}

#[test]
fn what_is_stored_is_the_whole_table() {
    let build = shipped();
    let found = check_packed(&build.dir, &build.design, &build.plan);
    assert_eq!(found.wrong, None);
    assert_eq!(found.whole_bits, build.design.table_bits());
    assert!(3 * found.stored_bits < found.whole_bits, "{found:?}");

    // One stored bit, in an image that is read by nothing else.
    let image = build.dir.mem().join("tw_mcfns_dart_s_l0_out_bank0.hex");
    let text = std::fs::read_to_string(&image).unwrap();
    let flip = |c: char| char::from_digit(c.to_digit(16).unwrap() ^ 1, 16).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let last = lines[1].pop().unwrap();
    lines[1].push(flip(last));
    std::fs::write(&image, lines.join("\n") + "\n").unwrap();
    let wrong = check_packed(&build.dir, &build.design, &build.plan).wrong.unwrap();
    assert!(wrong.starts_with("tw_mcfns_dart_s_l0_out_bank0.hex: word 1, entry 0: is "), "{wrong}");
    std::fs::write(&image, "no words\n").unwrap();
    let wrong = check_packed(&build.dir, &build.design, &build.plan).wrong.unwrap();
    assert!(wrong.contains("is nothing"), "{wrong}");
    std::fs::remove_file(&image).unwrap();
    let wrong = check_packed(&build.dir, &build.design, &build.plan).wrong.unwrap();
    assert!(wrong.contains("cannot be read"), "{wrong}");
}

/// The wires behind a bank: one bit that is not inverted any more, one from another place.
#[test]
fn a_wrong_wire_is_found() {
    for (node, kind) in [("l0_ff1", "table l0_ff1"), ("l0_mix", "pair table l0_mix")] {
        assert_eq!(outcomes(&shipped(), kind), [Outcome::Passed], "{node}");
        let build = shipped();
        let path = build.dir.rtl().join(format!("tw_mcfns_dart_s_{node}.v"));
        let text = std::fs::read_to_string(&path).unwrap();
        let (before, wires) = text.split_at(text.rfind(".data(").unwrap());
        let single = wires.match_indices("row_0[").find_map(|(at, bit)| {
            let number = wires[at + bit.len()..].split(']').next()?;
            Some((at + bit.len(), number.len(), number.parse::<usize>().ok()?))
        });
        let (at, digits, bit) = single.unwrap();
        let elsewhere = if bit == 0 { 1 } else { bit - 1 };
        for planted in [
            wires.replacen("~row_0[", "row_0[", 1),
            format!("{}{elsewhere}{}", &wires[..at], &wires[at + digits..]),
        ] {
            assert_ne!(planted, wires);
            std::fs::write(&path, format!("{before}{planted}")).unwrap();
            assert_eq!(outcomes(&build, kind), [Outcome::Failed], "{node}");
        }
    }
}

/// A row that is taken for one that no code reaches.
#[test]
fn a_row_that_is_read_and_not_stored_is_found() {
    let build = shipped();
    let inputs = vectors::windows(&build.design, 200, &[], 1);
    let found = check_looked_up(&build.design, &inputs);
    assert_eq!(found.wrong, None);
    assert!(found.unread > 0 && found.seen > 50, "{found:?}");
    let mut design = build.design.clone();
    let node = design.nodes.iter_mut().find(|node| node.name == "head").unwrap();
    let Op::Lookup { table } = &mut node.op else { panic!("a look-up") };
    table.packed = Some(vec![false; table.rows]);
    let wrong = check_looked_up(&design, &inputs).wrong.unwrap();
    assert!(wrong.starts_with("head: row "), "{wrong}");
}

/// A bank whose entries are all constant has no memory, and is simulated and proved like any other.
#[test]
fn a_constant_bank_is_built() {
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/mcfns-dart-s.safetensors");
    let mut model = load_model(&zoo).unwrap();
    let entries = &mut model.layers[0].ff1.table.entries;
    let whole = entries.clone();
    entries.indexed_iter_mut().for_each(|((c, _, o), entry)| *entry = whole[[c, 0, o]]);
    let build = Build::of(&model);
    let node = build.design.nodes.iter().find(|node| node.name == "l0_ff1").unwrap();
    let bank = node.op.tables()[0].bank(0, tablewright_design::Layout::Rows { fold: 1 });
    assert!(bank.width() == 0 && bank.sources.iter().all(|s| matches!(s, Source::Constant(_))));
    assert!(!build.dir.mem().join("tw_mcfns_dart_s_l0_ff1_bank0.hex").exists());
    build.prove(40);
    assert_eq!(outcomes(&build, "table l0_ff1"), [Outcome::Passed]);
    assert_eq!(check_packed(&build.dir, &build.design, &build.plan).wrong, None);
}
