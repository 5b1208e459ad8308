//! Cells that count the rows or elements of a window: collector, select, sum.

use rust_hdl::prelude::*;

use super::{port, stream, verilog};
use crate::{Reference, Role};

/// Collector of three elements of 4 bits: a new one enters at the top, so the first ends in the lowest bits.
#[derive(LogicBlock, Default)]
struct Collector {
    clk: Signal<In, Clock>,
    rst_n: Signal<In, Bit>,
    in_valid: Signal<In, Bit>,
    in_data: Signal<In, Bits<4>>,
    out_valid: Signal<Out, Bit>,
    out_data: Signal<Out, Bits<12>>,
    valid: DFF<Bit>,
    position: DFF<Bits<2>>,
    newest: DFF<Bits<4>>,
    middle: DFF<Bits<4>>,
    oldest: DFF<Bits<4>>,
}

impl Logic for Collector {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, valid, position, newest, middle, oldest);
        self.valid.d.next = self.rst_n.val() && self.in_valid.val() && (self.position.q.val() == 2);
        if self.in_valid.val() {
            self.newest.d.next = self.in_data.val();
            self.middle.d.next = self.newest.q.val();
            self.oldest.d.next = self.middle.q.val();
            self.position.d.next = self.position.q.val() + 1;
            if self.position.q.val() == 2 {
                self.position.d.next = bits::<2>(0);
            }
        }
        if !self.rst_n.val() {
            self.position.d.next = bits::<2>(0);
        }
        self.out_valid.next = self.valid.q.val();
        self.out_data.next = (bit_cast::<12, 4>(self.newest.q.val()) << 8)
            | (bit_cast::<12, 4>(self.middle.q.val()) << 4)
            | bit_cast::<12, 4>(self.oldest.q.val());
    }
}

/// `tw_row_collector`: rows of 3 elements of 4 bits.
pub(super) fn collector() -> Reference {
    Reference {
        name: "tw_row_collector",
        cell: "tw_row_collector",
        verilog: verilog("tw_row_collector", Collector::default()),
        parameters: vec![("Lanes", "3".into()), ("Width", "4".into())],
        images: Vec::new(),
        ports: stream(4, 12),
    }
}

/// Fold in four parts: a ring of flags, none of them set between two rows, in place of a counter.
#[derive(LogicBlock, Default)]
struct Fold {
    clk: Signal<In, Clock>,
    rst_n: Signal<In, Bit>,
    in_valid: Signal<In, Bit>,
    in_data: Signal<In, Bits<4>>,
    out_valid: Signal<Out, Bit>,
    out_data: Signal<Out, Bits<4>>,
    out_part: Signal<Out, Bits<2>>,
    at_part_1: DFF<Bit>,
    at_part_2: DFF<Bit>,
    at_part_3: DFF<Bit>,
    row: DFF<Bits<4>>,
}

impl Logic for Fold {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, at_part_1, at_part_2, at_part_3, row);
        if self.in_valid.val() {
            self.row.d.next = self.in_data.val();
        }
        self.out_valid.next = self.in_valid.val();
        self.out_data.next = self.in_data.val();
        self.out_part.next = bits::<2>(0);
        self.at_part_1.d.next = self.rst_n.val() && self.in_valid.val();
        self.at_part_2.d.next = self.rst_n.val() && self.at_part_1.q.val();
        self.at_part_3.d.next = self.rst_n.val() && self.at_part_2.q.val();
        if self.at_part_1.q.val() {
            self.out_part.next = bits::<2>(1);
        }
        if self.at_part_2.q.val() {
            self.out_part.next = bits::<2>(2);
        }
        if self.at_part_3.q.val() {
            self.out_part.next = bits::<2>(3);
        }
        if self.at_part_1.q.val() || self.at_part_2.q.val() || self.at_part_3.q.val() {
            self.out_valid.next = true;
            self.out_data.next = self.row.q.val();
            self.at_part_1.d.next = false;
        }
    }
}

/// `tw_fold`: rows of 4 bits, in 4 parts.
pub(super) fn fold() -> Reference {
    let mut ports = stream(4, 4);
    ports.push(port("out_part", 2, Role::WhenValid));
    Reference {
        name: "tw_fold",
        cell: "tw_fold",
        verilog: verilog("tw_fold", Fold::default()),
        parameters: vec![("Parts", "4".into()), ("Width", "4".into())],
        images: Vec::new(),
        ports,
    }
}

/// Select of row 1 of 3: a ring of three flags, one of them set, in place of a counter.
///
/// The flags are kept inverted where the ring starts, so that clearing them all points at row 0.
#[derive(LogicBlock, Default)]
struct Select {
    clk: Signal<In, Clock>,
    rst_n: Signal<In, Bit>,
    in_valid: Signal<In, Bit>,
    in_data: Signal<In, Bits<4>>,
    out_valid: Signal<Out, Bit>,
    out_data: Signal<Out, Bits<4>>,
    left_row_0: DFF<Bit>,
    at_row_1: DFF<Bit>,
    at_row_2: DFF<Bit>,
}

impl Logic for Select {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, left_row_0, at_row_1, at_row_2);
        if self.in_valid.val() {
            self.left_row_0.d.next = !self.at_row_2.q.val();
            self.at_row_1.d.next = !self.left_row_0.q.val();
            self.at_row_2.d.next = self.at_row_1.q.val();
        }
        if !self.rst_n.val() {
            self.left_row_0.d.next = false;
            self.at_row_1.d.next = false;
            self.at_row_2.d.next = false;
        }
        self.out_valid.next = self.in_valid.val() && self.at_row_1.q.val();
        self.out_data.next = self.in_data.val();
    }
}

/// `tw_select`: row 1 of windows of 3 rows of 4 bits.
pub(super) fn select() -> Reference {
    Reference {
        name: "tw_select",
        cell: "tw_select",
        verilog: verilog("tw_select", Select::default()),
        parameters: vec![("Rows", "3".into()), ("Row", "1".into()), ("Width", "4".into())],
        images: Vec::new(),
        ports: stream(4, 4),
    }
}

/// One lane of [`Sum`]: a running sum that is cleared when it is handed over to the result.
#[derive(LogicBlock, Default)]
struct SumLane {
    clk: Signal<In, Clock>,
    clear: Signal<In, Bit>,
    add: Signal<In, Bit>,
    x: Signal<In, Bits<4>>,
    y: Signal<Out, Bits<6>>,
    longer: Signal<Local, Bits<6>>,
    running: DFF<Bits<6>>,
    result: DFF<Bits<6>>,
}

impl Logic for SumLane {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, running, result);
        // Offset binary, longer, less the offset: the sign extended; then the sum with what came before.
        self.longer.next = self.running.q.val() + bit_cast::<6, 4>(self.x.val() ^ 8) - 8;
        self.result.d.next = self.longer.val();
        if self.add.val() {
            self.running.d.next = self.longer.val();
        }
        if self.clear.val() {
            self.running.d.next = bits::<6>(0);
        }
        self.y.next = self.result.q.val();
    }
}

/// Sum of three rows of two lanes, 4 bits to 6.
#[derive(LogicBlock, Default)]
struct Sum {
    clk: Signal<In, Clock>,
    rst_n: Signal<In, Bit>,
    in_valid: Signal<In, Bit>,
    in_data: Signal<In, Bits<8>>,
    out_valid: Signal<Out, Bit>,
    out_data: Signal<Out, Bits<12>>,
    valid: DFF<Bit>,
    row: DFF<Bits<2>>,
    complete: Signal<Local, Bit>,
    lane: [SumLane; 2],
}

impl Logic for Sum {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, valid, row);
        self.complete.next = self.in_valid.val() && (self.row.q.val() == 2);
        self.valid.d.next = self.rst_n.val() && self.complete.val();
        if self.in_valid.val() {
            self.row.d.next = self.row.q.val() + 1;
        }
        if !self.rst_n.val() || self.complete.val() {
            self.row.d.next = bits::<2>(0);
        }
        for i in 0..2 {
            self.lane[i].clk.next = self.clk.val();
            self.lane[i].clear.next = !self.rst_n.val() || self.complete.val();
            self.lane[i].add.next = self.in_valid.val();
            self.lane[i].x.next = self.in_data.val().get_bits::<4>(i * 4);
        }
        self.out_valid.next = self.valid.q.val();
        self.out_data.next =
            (bit_cast::<12, 6>(self.lane[1].y.val()) << 6) | bit_cast::<12, 6>(self.lane[0].y.val());
    }
}

/// `tw_sum_rows`: 3 rows of 2 lanes, 4 bits to 6.
pub(super) fn sum() -> Reference {
    Reference {
        name: "tw_sum_rows",
        cell: "tw_sum_rows",
        verilog: verilog("tw_sum_rows", Sum::default()),
        parameters: vec![
            ("Rows", "3".into()),
            ("Lanes", "2".into()),
            ("InWidth", "4".into()),
            ("OutWidth", "6".into()),
        ],
        images: Vec::new(),
        ports: stream(8, 12),
    }
}
