//! The accumulate stage: table banks and the sum over their subspaces.

use rust_hdl::prelude::*;

use super::{stream, verilog};
use crate::{Image, Reference};

/// Entries of the two banks, `[subspace][word][lane]`, 4 bits signed.
const ENTRIES: [[[i64; 2]; 4]; 2] =
    [[[7, -8], [-1, 0], [3, -6], [-8, 7]], [[-8, 5], [7, -1], [0, -8], [2, 7]]];
/// Left shift of each subspace's entries.
const SHIFTS: [u32; 2] = [0, 1];

/// Sum of two subspaces of four words of two lanes, and a bias of 5 and -3, in 7 bits; three cycles.
///
/// The banks here hold their entries as they enter the sum, extended and shifted; the bias is added with them, and the
/// third cycle only waits.
#[derive(LogicBlock)]
struct TableSum {
    clk: Signal<In, Clock>,
    rst_n: Signal<In, Bit>,
    in_valid: Signal<In, Bit>,
    in_data: Signal<In, Bits<4>>,
    out_valid: Signal<Out, Bit>,
    out_data: Signal<Out, Bits<14>>,
    bank_0: SyncROM<Bits<14>, 2>,
    bank_1: SyncROM<Bits<14>, 2>,
    valid: [DFF<Bit>; 3],
    lane_0: DFF<Bits<7>>,
    lane_1: DFF<Bits<7>>,
    row: DFF<Bits<14>>,
}

/// The bank of one subspace as [`TableSum`] keeps it.
fn extended(subspace: usize) -> SyncROM<Bits<14>, 2> {
    ENTRIES[subspace]
        .into_iter()
        .map(|word| {
            let [low, high] = word.map(|entry| ((entry << SHIFTS[subspace]) & 0x7f) as u64);
            bits::<14>((high << 7) | low)
        })
        .into()
}

impl Default for TableSum {
    fn default() -> Self {
        Self {
            clk: Signal::default(),
            rst_n: Signal::default(),
            in_valid: Signal::default(),
            in_data: Signal::default(),
            out_valid: Signal::default(),
            out_data: Signal::default(),
            bank_0: extended(0),
            bank_1: extended(1),
            valid: Default::default(),
            lane_0: DFF::default(),
            lane_1: DFF::default(),
            row: DFF::default(),
        }
    }
}

impl Logic for TableSum {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, lane_0, lane_1, row);
        for i in 0..3 {
            self.valid[i].clock.next = self.clk.val();
        }
        self.valid[0].d.next = self.rst_n.val() && self.in_valid.val();
        self.valid[1].d.next = self.rst_n.val() && self.valid[0].q.val();
        self.valid[2].d.next = self.rst_n.val() && self.valid[1].q.val();
        self.bank_0.clock.next = self.clk.val();
        self.bank_1.clock.next = self.clk.val();
        self.bank_0.address.next = self.in_data.val().get_bits::<2>(0);
        self.bank_1.address.next = self.in_data.val().get_bits::<2>(2);
        self.lane_0.d.next =
            self.bank_0.data.val().get_bits::<7>(0) + self.bank_1.data.val().get_bits::<7>(0) + 5;
        self.lane_1.d.next =
            self.bank_0.data.val().get_bits::<7>(7) + self.bank_1.data.val().get_bits::<7>(7) - 3;
        self.row.d.next =
            (bit_cast::<14, 7>(self.lane_1.q.val()) << 7) | bit_cast::<14, 7>(self.lane_0.q.val());
        self.out_valid.next = self.valid[2].q.val();
        self.out_data.next = self.row.q.val();
    }
}

/// The accumulate stage of `hdl-templates/rtl/table.v.j2`: two subspaces, the second shifted, and a bias.
///
/// It ships as a template, so [`Reference::cell`] is only a name for the rendered module, and whoever renders it must
/// fill in this size: 4 words of 2 entries of 4 bits a bank, shifts 0 and 1, bias 5 and -3, sums of 7 bits, latency 3.
pub fn table_sum() -> Reference {
    let image = |subspace: usize, file| Image {
        file,
        words: ENTRIES[subspace]
            .iter()
            .map(|&[low, high]| ((high & 0xf) << 4 | (low & 0xf)) as u64)
            .collect(),
        width: 8,
    };
    Reference {
        name: "table.v.j2",
        cell: "tw_table",
        verilog: verilog("tw_table", TableSum::default()),
        parameters: Vec::new(),
        images: vec![image(0, "bank0.mem"), image(1, "bank1.mem")],
        ports: stream(4, 14),
    }
}
