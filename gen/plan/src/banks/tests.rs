use super::*;
use crate::target::{BlockRam, LutRam, Macro, Multiplier};

fn of_cells() -> Target {
    let macros = [
        (64, 64, 50_000.0, 3.1),
        (256, 64, 93_000.0, 3.2),
        (256, 8, 17_500.0, 3.0),
        (4096, 8, 146_000.0, 5.5),
    ];
    let macros = macros.map(|(words, width, area, clk_to_q_ns)| Macro {
        name: format!("SRAM_{words}x{width}"),
        words,
        width,
        area,
        clk_to_q_ns,
        read_pj: 10.0,
    });
    let cells = Cells {
        rom_bit: 1.4,
        flip_flop: 49.0,
        writable_bit: 81.0,
        adder_bit: 48.5,
        comparator_bit: 36.9,
        multiplier_bit: 62.5,
        shifter_bit: 15.6,
        macros: macros.into(),
    };
    target(Some(cells), None)
}

fn of_fpga() -> Target {
    let fpga = Fpga {
        rom_bits_per_lut: 16,
        luts_per_adder_bit: 1.0,
        luts_per_comparator_bit: 1.0,
        luts_per_shifter_bit: 1.0,
        lut_ram: LutRam { shape: [16, 4], luts: 6 },
        block_ram: BlockRam { name: "RAM".into(), shapes: vec![[2048, 9], [512, 36]], worth_luts: 128 },
        multiplier: Multiplier { name: "M".into(), shape: [18, 18] },
    };
    target(None, Some(fpga))
}

fn target(cells: Option<Cells>, fpga: Option<Fpga>) -> Target {
    Target {
        name: "test".into(),
        title: String::new(),
        source: String::new(),
        less_percent: 1,
        more_percent: 1,
        timing: None,
        cells,
        fpga,
    }
}

const MEMORY: Rules = Rules { memory_only: true, period_ns: None };

#[test]
fn tiles_lie_side_by_side_and_one_above_the_other() {
    let bank = choose(&of_cells(), 64, 256, MEMORY).expect("macros");
    assert_eq!((bank.tile.as_str(), bank.across, bank.stacked), ("SRAM_64x64", 4, 1));
    assert_eq!((bank.used_bits, bank.provided_bits), (64 * 256, 64 * 256));
    // The same bits in depth: one macro in the place of four.
    let folded = choose(&of_cells(), 256, 64, MEMORY).expect("macros");
    assert_eq!((folded.tile.as_str(), folded.across * folded.stacked), ("SRAM_256x64", 1));
    assert!(folded.cost < bank.cost / 2.0);
    let deep = choose(&of_cells(), 500, 60, MEMORY).expect("macros");
    assert_eq!((deep.tile.as_str(), deep.across, deep.stacked), ("SRAM_256x64", 1, 2));
    assert_eq!((deep.used_bits, deep.provided_bits), (500 * 60, 512 * 64));
    // Two macros, one bit that says which, and a multiplexer.
    assert!((deep.cost - (2.0 * 93_000.0 + 49.0 + 60.0 * 15.6)).abs() < 1e-6);
}

#[test]
fn the_rules_leave_out_what_they_say() {
    let frozen = choose(&of_cells(), 64, 256, Rules::default()).expect("logic");
    assert_eq!((frozen.style, frozen.provided_bits), (Style::Logic, frozen.used_bits));
    let few = choose(&of_cells(), 4, 8, MEMORY).expect("flip-flops");
    assert_eq!(few.style, Style::Registers);
    let style =
        |period_ns| choose(&of_cells(), 4096, 8, Rules { period_ns, ..MEMORY }).expect("macros").style;
    assert_eq!(style(None), Style::Macro { words: 4096, width: 8 });
    assert_eq!(style(Some(4.0)), Style::Macro { words: 256, width: 8 });
    assert_eq!(style(Some(1.0)), Style::Registers);
}

#[test]
fn look_up_tables_are_weighed_against_blocks() {
    let style = |words, width, rules| choose(&of_fpga(), words, width, rules).expect("a style").style;
    assert_eq!(style(64, 64, Rules::default()), Style::Logic);
    assert_eq!(style(16, 64, MEMORY), Style::LutRam);
    assert_eq!(style(512, 36, Rules::default()), Style::Block { words: 512, width: 36 });
    assert_eq!(style(2048, 9, Rules::default()), Style::Block { words: 2048, width: 9 });
    assert_eq!(choose(&target(None, None), 64, 64, Rules::default()), None);
}

#[test]
fn what_a_target_lacks_is_named_with_what_it_has() {
    let bank = Memory { holds: Holds::TableBank, count: 1, words: 64, width: 64, writable: false };
    let asked = |target: &Target, style| plan(target, "head", &[bank], 1, style).map_err(|e| e.to_string());
    let refused = asked(&of_fpga(), Style::Macro { words: 64, width: 64 }).expect_err("no macros");
    assert_eq!(
        refused,
        "kernel head: `Bank macro 64x64` cannot be had on test, which has `logic`, `lut-ram`, `block 512x36`, \
         `block 2048x9`; write one of these, or name another --target"
    );
    let refused = asked(&target(None, None), Style::Logic).expect_err("nothing known");
    assert!(refused.contains("which has no prices and takes `auto` alone"), "{refused}");
    assert_eq!(asked(&target(None, None), Style::Auto), Ok(Vec::new()));
    let planned = asked(&of_cells(), Style::Macro { words: 256, width: 64 }).expect("macros");
    assert_eq!(planned[0].reason, "one, uses 64 of 256 words; logic is cheaper: 8870 µm²");
    assert!((planned[0].chosen.waste_percent() - 75.0).abs() < 1e-9);
}

#[test]
fn styles_are_printed_and_read_back() {
    let tiles = [Style::Block { words: 512, width: 36 }, Style::Macro { words: 64, width: 22 }];
    for style in [Style::Auto, Style::Logic, Style::Registers, Style::LutRam].into_iter().chain(tiles) {
        let text = style.to_string();
        let mut words = text.split(' ');
        assert_eq!(Style::parse(words.next().unwrap_or_default(), words.next()), Some(style));
    }
    let wrong =
        [("logic", Some("64x64")), ("macro", None), ("macro", Some("0x8")), ("block", Some("8")), ("", None)];
    assert!(wrong.iter().all(|(keyword, tile)| Style::parse(keyword, *tile).is_none()));
}
