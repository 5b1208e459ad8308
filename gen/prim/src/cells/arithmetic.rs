//! Cells that compute on each row alone: rectifier, GELU, requantise, threshold.

use rust_hdl::prelude::*;

use super::{port, stream, verilog};
use crate::{Image, Reference, Role};

/// Rectifier of two lanes of 6 bits: one register a lane, fed 0 when the lane's sign is set.
#[derive(LogicBlock, Default)]
struct Relu {
    clk: Signal<In, Clock>,
    rst_n: Signal<In, Bit>,
    in_valid: Signal<In, Bit>,
    in_data: Signal<In, Bits<12>>,
    out_valid: Signal<Out, Bit>,
    out_data: Signal<Out, Bits<12>>,
    valid: DFF<Bit>,
    lane: [DFF<Bits<6>>; 2],
}

impl Logic for Relu {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, valid);
        self.valid.d.next = self.rst_n.val() && self.in_valid.val();
        for i in 0..2 {
            self.lane[i].clock.next = self.clk.val();
            self.lane[i].d.next = bits::<6>(0);
            if !self.in_data.val().get_bit(i * 6 + 5) {
                self.lane[i].d.next = self.in_data.val().get_bits::<6>(i * 6);
            }
        }
        self.out_valid.next = self.valid.q.val();
        self.out_data.next =
            (bit_cast::<12, 6>(self.lane[1].q.val()) << 6) | bit_cast::<12, 6>(self.lane[0].q.val());
    }
}

/// `tw_relu`: 2 lanes of 6 bits.
pub(super) fn relu() -> Reference {
    Reference {
        name: "tw_relu",
        cell: "tw_relu",
        verilog: verilog("tw_relu", Relu::default()),
        parameters: vec![("Lanes", "2".into()), ("Width", "6".into())],
        images: Vec::new(),
        ports: stream(12, 12),
    }
}

/// Threshold of four lanes of 6 bits at -5, in offset binary: `x >= -5` exactly when `x + 32 >= 27` without signs.
#[derive(LogicBlock, Default)]
struct Threshold {
    clk: Signal<In, Clock>,
    rst_n: Signal<In, Bit>,
    in_valid: Signal<In, Bit>,
    in_data: Signal<In, Bits<24>>,
    out_valid: Signal<Out, Bit>,
    out_data: Signal<Out, Bits<4>>,
    valid: DFF<Bit>,
    lane: [DFF<Bits<1>>; 4],
}

impl Logic for Threshold {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, valid);
        self.valid.d.next = self.rst_n.val() && self.in_valid.val();
        for i in 0..4 {
            self.lane[i].clock.next = self.clk.val();
            self.lane[i].d.next = bits::<1>(0);
            if (self.in_data.val().get_bits::<6>(i * 6) ^ 32) >= 27 {
                self.lane[i].d.next = bits::<1>(1);
            }
        }
        self.out_valid.next = self.valid.q.val();
        self.out_data.next = (bit_cast::<4, 1>(self.lane[3].q.val()) << 3)
            | (bit_cast::<4, 1>(self.lane[2].q.val()) << 2)
            | (bit_cast::<4, 1>(self.lane[1].q.val()) << 1)
            | bit_cast::<4, 1>(self.lane[0].q.val());
    }
}

/// `tw_threshold`: 4 lanes of 6 bits against -5.
pub(super) fn threshold() -> Reference {
    Reference {
        name: "tw_threshold",
        cell: "tw_threshold",
        verilog: verilog("tw_threshold", Threshold::default()),
        parameters: vec![("Lanes", "4".into()), ("Width", "6".into())],
        images: Vec::new(),
        // −5 in 7 bits.
        ports: [stream(24, 4), vec![port("threshold", 7, Role::Fixed(0x7b))]].concat(),
    }
}

/// Threshold of one lane of 3 bits at 1, silent for the first two rows: rows are counted up to two.
#[derive(LogicBlock, Default)]
struct ThresholdAtFirst {
    clk: Signal<In, Clock>,
    rst_n: Signal<In, Bit>,
    in_valid: Signal<In, Bit>,
    in_data: Signal<In, Bits<3>>,
    out_valid: Signal<Out, Bit>,
    out_data: Signal<Out, Bits<1>>,
    valid: DFF<Bit>,
    seen: DFF<Bits<2>>,
    predicted: DFF<Bits<1>>,
}

impl Logic for ThresholdAtFirst {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, valid, seen, predicted);
        self.valid.d.next = self.rst_n.val() && self.in_valid.val();
        self.predicted.d.next = bits::<1>(0);
        // Of the numbers from 0 to 7 the lower four are those from 0 to 3.
        if (self.seen.q.val() == 2) && (self.in_data.val() > 0) && (self.in_data.val() < 4) {
            self.predicted.d.next = bits::<1>(1);
        }
        if self.in_valid.val() && (self.seen.q.val() != 2) {
            self.seen.d.next = self.seen.q.val() + 1;
        }
        if !self.rst_n.val() {
            self.seen.d.next = bits::<2>(0);
        }
        self.out_valid.next = self.valid.q.val();
        self.out_data.next = self.predicted.q.val();
    }
}

/// `tw_threshold`: 1 lane of 3 bits against 1, zeros for the first 2 rows.
pub(super) fn threshold_at_first() -> Reference {
    Reference {
        name: "tw_threshold, silent at first",
        cell: "tw_threshold",
        verilog: verilog("tw_threshold", ThresholdAtFirst::default()),
        parameters: vec![("Lanes", "1".into()), ("Width", "3".into()), ("WarmUp", "2".into())],
        images: Vec::new(),
        ports: [stream(3, 1), vec![port("threshold", 4, Role::Fixed(1))]].concat(),
    }
}

/// One lane of [`RequantiseSigned`], in offset binary.
///
/// `x + 128` is never negative, so `(x + 128 + 4) >> 3` is `((x + 4) >>> 3) + 16` without signs. The result's range -8 to 7
/// is 8 to 23 there, and 16 vanishes from the lowest four bits.
#[derive(LogicBlock, Default)]
struct RequantiseLane {
    clk: Signal<In, Clock>,
    x: Signal<In, Bits<8>>,
    y: Signal<Out, Bits<4>>,
    biased: Signal<Local, Bits<9>>,
    shifted: Signal<Local, Bits<9>>,
    rounded: DFF<Bits<4>>,
}

impl Logic for RequantiseLane {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, rounded);
        self.biased.next = bit_cast::<9, 8>(self.x.val() ^ 128) + 4;
        self.shifted.next = self.biased.val() >> 3;
        self.rounded.d.next = self.shifted.val().get_bits::<4>(0);
        if self.shifted.val() < 8 {
            self.rounded.d.next = bits::<4>(8);
        }
        if self.shifted.val() > 23 {
            self.rounded.d.next = bits::<4>(7);
        }
        self.y.next = self.rounded.q.val();
    }
}

/// Requantise of two signed lanes, 8 bits to 4 with a shift of 3.
#[derive(LogicBlock, Default)]
struct RequantiseSigned {
    clk: Signal<In, Clock>,
    rst_n: Signal<In, Bit>,
    in_valid: Signal<In, Bit>,
    in_data: Signal<In, Bits<16>>,
    out_valid: Signal<Out, Bit>,
    out_data: Signal<Out, Bits<8>>,
    valid: DFF<Bit>,
    lane: [RequantiseLane; 2],
}

impl Logic for RequantiseSigned {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, valid);
        self.valid.d.next = self.rst_n.val() && self.in_valid.val();
        for i in 0..2 {
            self.lane[i].clk.next = self.clk.val();
            self.lane[i].x.next = self.in_data.val().get_bits::<8>(i * 8);
        }
        self.out_valid.next = self.valid.q.val();
        self.out_data.next =
            (bit_cast::<8, 4>(self.lane[1].y.val()) << 4) | bit_cast::<8, 4>(self.lane[0].y.val());
    }
}

/// `tw_requantise`: 2 signed lanes, 8 bits to 4, shift 3; both ends saturate.
pub(super) fn requantise_signed() -> Reference {
    Reference {
        name: "tw_requantise, signed",
        cell: "tw_requantise",
        verilog: verilog("tw_requantise", RequantiseSigned::default()),
        parameters: vec![
            ("Lanes", "2".into()),
            ("InWidth", "8".into()),
            ("InSigned", "1".into()),
            ("Shift", "3".into()),
            ("OutWidth", "4".into()),
        ],
        images: Vec::new(),
        ports: stream(16, 8),
    }
}

/// Requantise of one plain binary lane without a shift, 5 bits to 5 signed: only the saturation at 15 is left.
#[derive(LogicBlock, Default)]
struct RequantiseUnsigned {
    clk: Signal<In, Clock>,
    rst_n: Signal<In, Bit>,
    in_valid: Signal<In, Bit>,
    in_data: Signal<In, Bits<5>>,
    out_valid: Signal<Out, Bit>,
    out_data: Signal<Out, Bits<5>>,
    valid: DFF<Bit>,
    lane: DFF<Bits<5>>,
}

impl Logic for RequantiseUnsigned {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, valid, lane);
        self.valid.d.next = self.rst_n.val() && self.in_valid.val();
        self.lane.d.next = self.in_data.val();
        if self.in_data.val() > 15 {
            self.lane.d.next = bits::<5>(15);
        }
        self.out_valid.next = self.valid.q.val();
        self.out_data.next = self.lane.q.val();
    }
}

/// `tw_requantise`: 1 plain binary lane, 5 bits to 5, no shift.
pub(super) fn requantise_unsigned() -> Reference {
    Reference {
        name: "tw_requantise, plain binary, no shift",
        cell: "tw_requantise",
        verilog: verilog("tw_requantise", RequantiseUnsigned::default()),
        parameters: vec![
            ("Lanes", "1".into()),
            ("InWidth", "5".into()),
            ("InSigned", "0".into()),
            ("Shift", "0".into()),
            ("OutWidth", "5".into()),
        ],
        images: Vec::new(),
        ports: stream(5, 5),
    }
}

/// Left and right shift of the GELU index.
const INDEX_SHIFTS: (u32, u32) = (4, 1);
/// Left shift that takes the GELU input to the output's fraction.
const LIFT: u32 = 1;

/// Entry of the bump table. Any contents would do for a proof; these differ between all neighbours and use all 3 bits.
const fn bump(index: u64) -> u64 {
    (index + index / 8 + 3) % 8
}

/// GELU of one lane, 6 bits to 8: a table of the whole function, and a register for the second cycle.
#[derive(LogicBlock)]
struct Gelu {
    clk: Signal<In, Clock>,
    rst_n: Signal<In, Bit>,
    in_valid: Signal<In, Bit>,
    in_data: Signal<In, Bits<6>>,
    out_valid: Signal<Out, Bit>,
    out_data: Signal<Out, Bits<8>>,
    early: DFF<Bit>,
    late: DFF<Bit>,
    table: SyncROM<Bits<8>, 6>,
    lane: DFF<Bits<8>>,
}

impl Default for Gelu {
    /// Fills the table from the contract's formula, computed on ordinary integers.
    fn default() -> Self {
        let (left, right) = INDEX_SHIFTS;
        let words = (0..64_i64).map(|raw| {
            let x = if raw < 32 { raw } else { raw - 64 };
            let index = (x.unsigned_abs() << left) >> right;
            let dent = if index < 256 { bump(index) } else { 0 };
            let y = (x.max(0) << LIFT) - dent as i64;
            bits::<8>(y as u64 & 0xff)
        });
        Self {
            clk: Signal::default(),
            rst_n: Signal::default(),
            in_valid: Signal::default(),
            in_data: Signal::default(),
            out_valid: Signal::default(),
            out_data: Signal::default(),
            early: DFF::default(),
            late: DFF::default(),
            table: words.into(),
            lane: DFF::default(),
        }
    }
}

impl Logic for Gelu {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, early, late, lane);
        self.early.d.next = self.rst_n.val() && self.in_valid.val();
        self.late.d.next = self.rst_n.val() && self.early.q.val();
        self.table.clock.next = self.clk.val();
        self.table.address.next = self.in_data.val();
        self.lane.d.next = self.table.data.val();
        self.out_valid.next = self.late.q.val();
        self.out_data.next = self.lane.q.val();
    }
}

/// `tw_gelu`: 1 lane, 6 bits to 8; the index of -32 is 256, just beyond the table.
pub(super) fn gelu() -> Reference {
    let (left, right) = INDEX_SHIFTS;
    Reference {
        name: "tw_gelu",
        cell: "tw_gelu",
        verilog: verilog("tw_gelu", Gelu::default()),
        parameters: vec![
            ("Lanes", "1".into()),
            ("InWidth", "6".into()),
            ("IndexLeft", left.to_string()),
            ("IndexRight", right.to_string()),
            ("Lift", LIFT.to_string()),
            ("BumpWidth", "3".into()),
            ("OutWidth", "8".into()),
            ("File", "\"image.mem\"".into()),
        ],
        images: vec![Image { file: "image.mem", words: (0..256).map(bump).collect(), width: 3 }],
        ports: stream(6, 8),
    }
}
