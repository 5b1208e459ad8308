//! Each shipped cell is proved equivalent to its second writing, and each proof fails when the cell is broken on purpose.
//!
//! Needs Yosys and its ABC (Debian packages `yosys` and `berkeley-abc`); without them each test says so and passes.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod comparison;
mod prover;
mod template;

use std::path::Path;

use prover::{Outcome, prove, tools_are_here};
use tablewright_prim::{Reference, cells, table_sum};

/// For each reference, what breaks the shipped text: a piece of its body and what takes its place. The piece must occur,
/// so that a rewritten cell asks for a new line here instead of silently losing its check.
const MUTATIONS: [(&str, &str, &str); 19] = [
    ("tw_fifo", "if (in_valid && !taken)", "if (in_valid)"),
    ("tw_tree_encoder", "key >= threshold", "key > threshold"),
    ("tw_fold", "later ? kept : in_data", "later ? in_data : kept"),
    ("tw_rom", "mem[address]", "mem[address ^ 1]"),
    ("tw_requantise, signed", "(Shift - 1)", "Shift"),
    ("tw_requantise, plain binary, no shift", "(InSigned != 0) && x", "(InSigned == 0) && x"),
    ("tw_row_collector", "in_valid && (count == Last)", "in_valid"),
    ("tw_relu", "x[Width-1] ?", "x[Width-2] ?"),
    ("tw_gelu", "lifted - (", "lifted + ("),
    ("tw_residual", "wide_a + wide_b", "wide_a - wide_b"),
    ("tw_select", "row == Wanted", "row != Wanted"),
    ("tw_sum_rows", "wide + (first ?", "wide + (!first ?"),
    ("tw_threshold", "x >= $signed(", "x > $signed("),
    ("tw_threshold, silent at first", "(in_valid && missing)", "(missing)"),
    ("tw_history", "rows_left > filled", "rows_left >= filled"),
    ("tw_access_hold", "(dropped != {CountWidth{1'b1}})", "1'b1"),
    ("tw_warm_up", "take && !full", "take"),
    ("tw_recent_filter", "enter && !seen", "enter"),
    ("table.v.j2", "n1_0_1 + n1_1_1", "n1_0_1 | n1_1_1"),
];

/// A file of `hdl-templates`.
fn template_file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../hdl-templates").join(path);
    std::fs::read_to_string(path).unwrap()
}

/// The Verilog that ships for a reference: the cell, and what cells are made of, the table bank and the pipeline's parts.
fn shipped(reference: &Reference) -> String {
    let parts =
        ["tw_rom", "tw_cut", "tw_valid"].map(|part| template_file(&format!("cells/{part}.v"))).concat();
    match reference.name {
        "tw_rom" => parts,
        "table.v.j2" => {
            parts
                + &template::table(
                    &template_file("rtl/table.v.j2"),
                    &template_file("rtl/instance.v.j2"),
                    reference,
                )
        }
        _ => parts + &template_file(&format!("cells/{}.v", reference.cell)),
    }
}

/// Every reference: the cells, and the one stage that is made from a template.
fn references() -> impl Iterator<Item = Reference> {
    cells().into_iter().chain([table_sum()])
}

#[test]
fn every_cell_equals_its_second_writing() {
    if !tools_are_here() {
        return;
    }
    for reference in references() {
        assert_eq!(
            prove(&reference, &shipped(&reference)),
            Outcome::Equal,
            "{}: the shipped Verilog and the second writing differ; one of them misreads the contract in the header",
            reference.name
        );
    }
}

/// With fewer registers, and as many more behind it, a tree is the same tree: levels that share a cycle are compared side by
/// side there.
#[test]
fn a_tree_of_fewer_cycles_equals_the_second_writing_too() {
    if !tools_are_here() {
        return;
    }
    let reference = cells().into_iter().find(|reference| reference.cell == "tw_tree_encoder").unwrap();
    let inner = shipped(&reference).replace("module tw_tree_encoder", "module tw_tree_inner");
    for (cuts, missing) in [("000", 3), ("100", 2), ("010", 2), ("011", 1), ("101", 1)] {
        let text = format!(
            "{inner}
module tw_tree_encoder #(
    parameter Levels = 3,
    parameter Width = 8,
    parameter SlotBits = 3
) (
    input wire clk, input wire rst_n, input wire in_valid, input wire [Levels*Width-1:0] keys,
    input wire [((1<<Levels)-1)*(1<<SlotBits)-1:0] thresholds,
    output wire out_valid, output wire [Levels-1:0] code
);
  wire valid;
  wire [Levels-1:0] early;
  tw_tree_inner #(
      .Levels(Levels), .Width(Width), .SlotBits(SlotBits), .Cuts(3'b{cuts})
  ) u_inner (.clk(clk), .rst_n(rst_n), .in_valid(in_valid), .keys(keys), .thresholds(thresholds), .out_valid(valid), .code(early));
  reg [{missing}-1:0] valids;
  reg [{missing}*Levels-1:0] codes;
  assign out_valid = valids[{missing}-1];
  assign code = codes[{missing}*Levels-1-:Levels];
  wire [{missing}*Levels+Levels-1:0] shifted = {{codes, early}};
  wire [{missing}:0] valids_d = {{valids, valid}};
  always @(posedge clk) begin
    codes <= shifted[{missing}*Levels-1:0];
    valids <= rst_n ? valids_d[{missing}-1:0] : 0;
  end
endmodule
"
        );
        assert_eq!(prove(&reference, &text), Outcome::Equal, "registers {cuts}");
        let broken = text.replace("key >= threshold", "key > threshold");
        assert_eq!(prove(&reference, &broken), Outcome::Different, "registers {cuts}");
    }
}

#[test]
fn a_broken_cell_is_found() {
    if !tools_are_here() {
        return;
    }
    for reference in references() {
        let (_, from, to) = MUTATIONS
            .iter()
            .find(|(name, ..)| *name == reference.name)
            .unwrap_or_else(|| panic!("{}: MUTATIONS has no line for it", reference.name));
        let text = shipped(&reference);
        assert!(
            text.contains(from),
            "{}: `{from}` is no longer in the shipped text; give MUTATIONS a piece that is",
            reference.name
        );
        assert_eq!(
            prove(&reference, &text.replacen(from, to, 1)),
            Outcome::Different,
            "{}: `{to}` in place of `{from}` was not noticed",
            reference.name
        );
    }
}

#[test]
fn a_flipped_table_bit_is_found() {
    if !tools_are_here() {
        return;
    }
    for mut reference in references() {
        let Some(image) = reference.images.last_mut() else {
            continue;
        };
        // Word 0 is one that every cell reads: code 0, or GELU of 0.
        image.words[0] ^= 1;
        assert_eq!(
            prove(&reference, &shipped(&reference)),
            Outcome::Different,
            "{}: a flipped bit in word 0 was not noticed",
            reference.name
        );
    }
}

#[test]
fn a_flip_flop_left_out_of_reset_is_found() {
    if !tools_are_here() {
        return;
    }
    let reference = cells().into_iter().find(|reference| reference.name == "tw_row_collector").unwrap();
    let text = shipped(&reference);
    let from = "count <= {CountWidth{1'b0}};";
    assert!(text.contains(from), "`{from}` is no longer in the shipped text");
    assert_eq!(
        prove(&reference, &text.replacen(from, "", 1)),
        Outcome::Different,
        "a counter that no reset clears was not noticed"
    );
}
