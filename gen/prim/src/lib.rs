//! Leaf cells written a second time.
//!
//! The Verilog that ships lies in `hdl-templates/cells`. This crate holds the same cells once more, in another language
//! (`rust_hdl`) and from another source: the *contract* in the header comment of each cell (ports, latency, formula), not
//! its body. The crate's test proves with Yosys that each shipped cell does what its second writing does, for every input
//! sequence and without a bound on time. A misreading of a contract would have to be made twice, in two languages, to
//! pass. Nothing of this crate is ever shipped.
//!
//! To keep the two writings apart, a reference prefers another way to the same numbers: offset binary where the cell has
//! signed arithmetic, a shifting queue where the cell has a ring, a table of the whole function where the cell computes.
//! Sizes are small and fixed (`rust_hdl` has no run-time widths), chosen so that each rule of the contract takes effect:
//! both ends of a saturation, a row count that is no power of two, a GELU index beyond its table.
//!
//! # What is compared, and when
//!
//! A [`Reference`] lists its ports; [`Role`] says when an output counts. Rows without a valid flag raised are free, as
//! their contents are in the shipped cells. Where a contract restricts what may be sent, the reference has one more
//! output, `legal`, that is 0 in a cycle that breaks the contract; nothing is claimed from there to the next reset.
//!
//! # Reset
//!
//! `rst_n` is a plain input of a reference, and its flip-flops clear as the hardware contract says (synchronous, active
//! low, control only). `rust_hdl` also gives every flip-flop an initial value, which the shipped cells have not; whoever
//! proves equivalence must remove those initial values, let both sides wake up in any state, and hold `rst_n` low for
//! the first cycle only. After that `rst_n` stays an input like any other: a second reset in mid-row is part of the
//! proof.

mod cells;

pub use cells::{cells, table_sum};

/// One cell at one size: the second writing, and how the shipped cell is set to match it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// What this pairing shows, unique: the cell's name, and the variant where a cell comes at more than one size.
    pub name: &'static str,
    /// Module name of the shipped cell; its text is `hdl-templates/cells/<cell>.v`.
    pub cell: &'static str,
    /// The second writing, as Verilog; its top module is called [`Reference::module`].
    pub verilog: String,
    /// Parameters that set the shipped cell to this size: name and Verilog value.
    pub parameters: Vec<(&'static str, String)>,
    /// The memory images that the shipped cell reads.
    pub images: Vec<Image>,
    /// All ports but the clock, which is `clk` on both sides. Names are equal on both sides.
    pub ports: Vec<Port>,
}

impl Reference {
    /// Module name of the second writing's top: `<cell>_reference`.
    pub fn module(&self) -> String {
        format!("{}_reference", self.cell)
    }
}

/// One port of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: &'static str,
    /// Its width in bits.
    pub width: usize,
    /// What it is for.
    pub role: Role,
}

/// What a port is for, and when an output of the two writings must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// An input, any value in any cycle.
    Input,
    /// An input of the shipped cell alone, which always has this value.
    Fixed(u64),
    /// The reset, active low.
    Reset,
    /// An output that must agree in every cycle after the first.
    Always,
    /// An output that must agree where `out_valid` is 1.
    WhenValid,
    /// An output of the second writing alone: 1 while the contract's conditions on the inputs are kept.
    Legal,
}

/// The contents of a table bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Name of the file that the shipped cell reads, in the folder where the proof runs.
    pub file: &'static str,
    /// The words, address 0 first.
    pub words: Vec<u64>,
    /// Width of a word in bits.
    pub width: usize,
}

impl Image {
    /// The image as `$readmemh` reads it: one word a line in hexadecimal, a newline after the last.
    pub fn text(&self) -> String {
        let digits = self.width.div_ceil(4);
        let lines: Vec<String> = self.words.iter().map(|word| format!("{word:0digits$x}\n")).collect();
        lines.concat()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Image, cells, table_sum};

    #[test]
    fn references_have_names_of_their_own_and_tops_named_after_the_cell() {
        let mut names = HashSet::new();
        for reference in cells().into_iter().chain([table_sum()]) {
            assert!(names.insert(reference.name), "{} comes twice", reference.name);
            let top = format!("module {}(", reference.module());
            assert_eq!(reference.verilog.matches(&top).count(), 1, "{}", reference.name);
            assert!(!reference.verilog.contains("top$"), "{}", reference.name);
        }
    }

    #[test]
    fn the_same_text_every_time() {
        assert_eq!(cells(), cells());
    }

    #[test]
    fn an_image_is_one_padded_word_a_line() {
        let image = Image { file: "image.mem", words: vec![0, 0x3f], width: 6 };
        assert_eq!(image.text(), "00\n3f\n");
    }
}
