//! Cells around the predictor: holding register, warm-up, recent-request filter.

use rust_hdl::prelude::*;

use super::{port, verilog};
use crate::{Reference, Role};

/// The newest of accesses of 3 bits, and a counter of 2 bits.
#[derive(LogicBlock, Default)]
struct Hold {
    clk: Signal<In, Clock>,
    rst_n: Signal<In, Bit>,
    in_valid: Signal<In, Bit>,
    in_data: Signal<In, Bits<3>>,
    out_valid: Signal<Out, Bit>,
    out_ready: Signal<In, Bit>,
    out_data: Signal<Out, Bits<3>>,
    dropped: Signal<Out, Bits<2>>,
    empty: DFF<Bit>,
    newest: DFF<Bits<3>>,
    used: DFF<Bits<2>>,
    stays: Signal<Local, Bit>,
}

impl Logic for Hold {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, empty, newest, used);
        self.stays.next = !self.empty.q.val() && !self.out_ready.val();
        self.empty.d.next = !self.stays.val();
        if self.in_valid.val() {
            self.newest.d.next = self.in_data.val();
            self.empty.d.next = false;
            if self.stays.val() && (self.used.q.val() != 3) {
                self.used.d.next = self.used.q.val() + 1;
            }
        }
        if !self.rst_n.val() {
            self.empty.d.next = true;
            self.used.d.next = bits::<2>(0);
        }
        self.out_valid.next = !self.empty.q.val();
        self.out_data.next = self.newest.q.val();
        self.dropped.next = self.used.q.val();
    }
}

/// `tw_access_hold`: accesses of 3 bits, a counter of 2.
pub(super) fn hold() -> Reference {
    Reference {
        name: "tw_access_hold",
        cell: "tw_access_hold",
        verilog: verilog("tw_access_hold", Hold::default()),
        parameters: vec![("Width", "3".into()), ("CountWidth", "2".into())],
        images: Vec::new(),
        ports: vec![
            port("rst_n", 1, Role::Reset),
            port("in_valid", 1, Role::Input),
            port("in_data", 3, Role::Input),
            port("out_valid", 1, Role::Always),
            port("out_ready", 1, Role::Input),
            port("out_data", 3, Role::WhenValid),
            port("dropped", 2, Role::Always),
        ],
    }
}

/// A history of three accesses, as a chain of flags: another access taken sets one more.
#[derive(LogicBlock, Default)]
struct WarmUp {
    clk: Signal<In, Clock>,
    rst_n: Signal<In, Bit>,
    take: Signal<In, Bit>,
    full: Signal<Out, Bit>,
    one: DFF<Bit>,
    two: DFF<Bit>,
}

impl Logic for WarmUp {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, one, two);
        if self.take.val() {
            self.one.d.next = true;
            self.two.d.next = self.one.q.val();
        }
        if !self.rst_n.val() {
            self.one.d.next = false;
            self.two.d.next = false;
        }
        self.full.next = self.two.q.val();
    }
}

/// `tw_warm_up`: a history of 3.
pub(super) fn warm_up() -> Reference {
    Reference {
        name: "tw_warm_up",
        cell: "tw_warm_up",
        verilog: verilog("tw_warm_up", WarmUp::default()),
        parameters: vec![("Accesses", "3".into())],
        images: Vec::new(),
        ports: vec![
            port("rst_n", 1, Role::Reset),
            port("take", 1, Role::Input),
            port("full", 1, Role::Always),
        ],
    }
}

/// The last three blocks of 3 bits in a queue that shifts: the newest is always in front.
#[derive(LogicBlock, Default)]
struct Filter {
    clk: Signal<In, Clock>,
    rst_n: Signal<In, Bit>,
    block: Signal<In, Bits<3>>,
    enter: Signal<In, Bit>,
    seen: Signal<Out, Bit>,
    newest: DFF<Bits<3>>,
    middle: DFF<Bits<3>>,
    oldest: DFF<Bits<3>>,
    inside: DFF<Bits<2>>,
    known: Signal<Local, Bit>,
}

impl Logic for Filter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, newest, middle, oldest, inside);
        self.known.next = ((self.inside.q.val() != 0) && (self.newest.q.val() == self.block.val()))
            || ((self.inside.q.val() > 1) && (self.middle.q.val() == self.block.val()))
            || ((self.inside.q.val() == 3) && (self.oldest.q.val() == self.block.val()));
        if self.enter.val() && !self.known.val() {
            self.newest.d.next = self.block.val();
            self.middle.d.next = self.newest.q.val();
            self.oldest.d.next = self.middle.q.val();
            if self.inside.q.val() != 3 {
                self.inside.d.next = self.inside.q.val() + 1;
            }
        }
        if !self.rst_n.val() {
            self.inside.d.next = bits::<2>(0);
        }
        self.seen.next = self.known.val();
    }
}

/// `tw_recent_filter`: 3 blocks of 3 bits.
pub(super) fn filter() -> Reference {
    Reference {
        name: "tw_recent_filter",
        cell: "tw_recent_filter",
        verilog: verilog("tw_recent_filter", Filter::default()),
        parameters: vec![("Entries", "3".into()), ("Width", "3".into())],
        images: Vec::new(),
        ports: vec![
            port("rst_n", 1, Role::Reset),
            port("block", 3, Role::Input),
            port("enter", 1, Role::Input),
            port("seen", 1, Role::Always),
        ],
    }
}
