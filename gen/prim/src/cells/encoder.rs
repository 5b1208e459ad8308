//! The hash-tree encoder.

use rust_hdl::prelude::*;

use super::{port, verilog};
use crate::{Reference, Role};

/// Thresholds of the tree in heap order; the block below has them as literals, each at its node.
const THRESHOLDS: [i64; 7] = [3, -9, 11, -32, -2, 0, 31];

/// A tree of three levels on keys of 6 bits. Keys of later levels wait beside the code found so far.
#[derive(LogicBlock, Default)]
struct Tree {
    clk: Signal<In, Clock>,
    rst_n: Signal<In, Bit>,
    in_valid: Signal<In, Bit>,
    keys: Signal<In, Bits<18>>,
    out_valid: Signal<Out, Bit>,
    code: Signal<Out, Bits<3>>,
    valid: [DFF<Bit>; 3],
    waiting: DFF<Bits<12>>,
    last: DFF<Bits<6>>,
    first_bit: DFF<Bit>,
    second_bits: DFF<Bits<2>>,
    third_bits: DFF<Bits<3>>,
    threshold_1: Signal<Local, Signed<6>>,
    threshold_2: Signal<Local, Signed<6>>,
}

impl Logic for Tree {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, waiting, last, first_bit, second_bits, third_bits);
        for i in 0..3 {
            self.valid[i].clock.next = self.clk.val();
        }
        self.valid[0].d.next = self.rst_n.val() && self.in_valid.val();
        self.valid[1].d.next = self.rst_n.val() && self.valid[0].q.val();
        self.valid[2].d.next = self.rst_n.val() && self.valid[1].q.val();

        // Level 0: one node.
        self.waiting.d.next = self.keys.val().get_bits::<12>(6);
        self.first_bit.d.next = signed_cast(self.keys.val().get_bits::<6>(0)) >= 3_i32.to_signed_bits::<6>();

        // Level 1: nodes 1 and 2.
        self.threshold_1.next = (-9_i32).to_signed_bits::<6>();
        if self.first_bit.q.val() {
            self.threshold_1.next = 11_i32.to_signed_bits::<6>();
        }
        self.last.d.next = self.waiting.q.val().get_bits::<6>(6);
        self.second_bits.d.next = bits::<2>(0);
        if self.first_bit.q.val() {
            self.second_bits.d.next = bits::<2>(2);
        }
        if signed_cast(self.waiting.q.val().get_bits::<6>(0)) >= self.threshold_1.val() {
            self.second_bits.d.next = bits::<2>(1);
            if self.first_bit.q.val() {
                self.second_bits.d.next = bits::<2>(3);
            }
        }

        // Level 2: nodes 3 to 6.
        self.threshold_2.next = (-32_i32).to_signed_bits::<6>();
        if self.second_bits.q.val() == 1 {
            self.threshold_2.next = (-2_i32).to_signed_bits::<6>();
        }
        if self.second_bits.q.val() == 2 {
            self.threshold_2.next = 0_i32.to_signed_bits::<6>();
        }
        if self.second_bits.q.val() == 3 {
            self.threshold_2.next = 31_i32.to_signed_bits::<6>();
        }
        self.third_bits.d.next = bit_cast::<3, 2>(self.second_bits.q.val()) << 1;
        if signed_cast(self.last.q.val()) >= self.threshold_2.val() {
            self.third_bits.d.next = (bit_cast::<3, 2>(self.second_bits.q.val()) << 1) | 1;
        }

        self.out_valid.next = self.valid[2].q.val();
        self.code.next = self.third_bits.q.val();
    }
}

/// `tw_tree_encoder`: 3 levels, keys of 6 bits, thresholds in slots of 8.
pub(super) fn tree() -> Reference {
    // Lowest slot first.
    let slots = THRESHOLDS.iter().rev().fold(0, |slots, threshold| slots << 8 | (threshold & 0x3f) as u64);
    Reference {
        name: "tw_tree_encoder",
        cell: "tw_tree_encoder",
        verilog: verilog("tw_tree_encoder", Tree::default()),
        parameters: vec![("Levels", "3".into()), ("Width", "6".into()), ("SlotBits", "3".into())],
        images: Vec::new(),
        ports: vec![
            port("rst_n", 1, Role::Reset),
            port("in_valid", 1, Role::Input),
            port("keys", 18, Role::Input),
            port("thresholds", 56, Role::Fixed(slots)),
            port("out_valid", 1, Role::Always),
            port("code", 3, Role::WhenValid),
        ],
    }
}
