//! Cells that keep words: table bank, queue, residual, history.

use rust_hdl::prelude::*;

use super::{port, stream, verilog};
use crate::{Image, Reference, Role};

/// Words of the table bank: fewer than its 4 address bits reach.
const ROM_WORDS: [u64; 12] = [0x00, 0x3f, 0x15, 0x2a, 0x01, 0x20, 0x33, 0x0c, 0x07, 0x38, 0x2d, 0x12];

/// A table bank of 12 words of 6 bits.
#[derive(LogicBlock)]
struct Rom {
    clk: Signal<In, Clock>,
    address: Signal<In, Bits<4>>,
    data: Signal<Out, Bits<6>>,
    legal: Signal<Out, Bit>,
    bank: SyncROM<Bits<6>, 4>,
}

impl Default for Rom {
    fn default() -> Self {
        Self {
            clk: Signal::default(),
            address: Signal::default(),
            data: Signal::default(),
            legal: Signal::default(),
            bank: ROM_WORDS.into_iter().map(bits::<6>).into(),
        }
    }
}

impl Logic for Rom {
    #[hdl_gen]
    fn update(&mut self) {
        self.bank.clock.next = self.clk.val();
        self.bank.address.next = self.address.val();
        self.data.next = self.bank.data.val();
        self.legal.next = self.address.val() < 12;
    }
}

/// `tw_rom`: 12 words of 6 bits.
pub(super) fn rom() -> Reference {
    Reference {
        name: "tw_rom",
        cell: "tw_rom",
        verilog: verilog("tw_rom", Rom::default()),
        parameters: vec![
            ("Words", "12".into()),
            ("Width", "6".into()),
            ("AddressWidth", "4".into()),
            ("File", "\"image.mem\"".into()),
        ],
        images: vec![Image { file: "image.mem", words: ROM_WORDS.to_vec(), width: 6 }],
        ports: vec![
            port("address", 4, Role::Input),
            port("data", 6, Role::Always),
            port("legal", 1, Role::Legal),
        ],
    }
}

/// A queue of two words of 4 bits that shifts: the older word is always the one at the output.
#[derive(LogicBlock, Default)]
struct Fifo {
    clk: Signal<In, Clock>,
    rst_n: Signal<In, Bit>,
    in_valid: Signal<In, Bit>,
    in_data: Signal<In, Bits<4>>,
    out_valid: Signal<Out, Bit>,
    out_ready: Signal<In, Bit>,
    out_data: Signal<Out, Bits<4>>,
    taken: Signal<Out, Bit>,
    legal: Signal<Out, Bit>,
    older: DFF<Bits<4>>,
    newer: DFF<Bits<4>>,
    inside: DFF<Bits<2>>,
    leaves: Signal<Local, Bit>,
    remain: Signal<Local, Bits<2>>,
}

impl Logic for Fifo {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, older, newer, inside);
        self.leaves.next = self.rst_n.val() && self.out_ready.val() && (self.inside.q.val() != 0);
        self.remain.next = self.inside.q.val();
        if self.leaves.val() {
            self.remain.next = self.inside.q.val() - 1;
            self.older.d.next = self.newer.q.val();
        }
        self.inside.d.next = self.remain.val();
        if self.in_valid.val() {
            self.inside.d.next = self.remain.val() + 1;
            if self.remain.val() == 0 {
                self.older.d.next = self.in_data.val();
            } else {
                self.newer.d.next = self.in_data.val();
            }
        }
        if !self.rst_n.val() {
            self.inside.d.next = bits::<2>(0);
        }
        self.out_valid.next = self.rst_n.val() && (self.inside.q.val() != 0);
        self.out_data.next = self.older.q.val();
        self.taken.next = self.leaves.val();
        self.legal.next = !(self.rst_n.val() && self.in_valid.val() && (self.inside.q.val() == 2));
    }
}

/// `tw_fifo`: 2 words of 4 bits.
pub(super) fn fifo() -> Reference {
    Reference {
        name: "tw_fifo",
        cell: "tw_fifo",
        verilog: verilog("tw_fifo", Fifo::default()),
        parameters: vec![("Width", "4".into()), ("Depth", "2".into())],
        images: Vec::new(),
        ports: vec![
            port("rst_n", 1, Role::Reset),
            port("in_valid", 1, Role::Input),
            port("in_data", 4, Role::Input),
            port("out_valid", 1, Role::Always),
            port("out_ready", 1, Role::Input),
            port("out_data", 4, Role::WhenValid),
            port("taken", 1, Role::Always),
            port("legal", 1, Role::Legal),
        ],
    }
}

/// Residual sum of one lane, 4 bits doubled and 5 bits to 7, with a shifting queue of two rows.
///
/// The operands are added in offset binary, `2 (a + 8) + (b + 16)`, which is 32 too much.
#[derive(LogicBlock, Default)]
struct Residual {
    clk: Signal<In, Clock>,
    rst_n: Signal<In, Bit>,
    a_valid: Signal<In, Bit>,
    a_data: Signal<In, Bits<4>>,
    b_valid: Signal<In, Bit>,
    b_data: Signal<In, Bits<5>>,
    out_valid: Signal<Out, Bit>,
    out_data: Signal<Out, Bits<7>>,
    legal: Signal<Out, Bit>,
    valid: DFF<Bit>,
    older: DFF<Bits<4>>,
    newer: DFF<Bits<4>>,
    waiting: DFF<Bits<2>>,
    remain: Signal<Local, Bits<2>>,
    sum: DFF<Bits<7>>,
}

impl Logic for Residual {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, valid, older, newer, waiting, sum);
        self.remain.next = self.waiting.q.val();
        if self.b_valid.val() {
            self.remain.next = self.waiting.q.val() - 1;
            self.older.d.next = self.newer.q.val();
        }
        self.waiting.d.next = self.remain.val();
        if self.a_valid.val() {
            self.waiting.d.next = self.remain.val() + 1;
            if self.remain.val() == 0 {
                self.older.d.next = self.a_data.val();
            } else {
                self.newer.d.next = self.a_data.val();
            }
        }
        self.sum.d.next =
            (bit_cast::<7, 4>(self.older.q.val() ^ 8) << 1) + bit_cast::<7, 5>(self.b_data.val() ^ 16) - 32;
        self.valid.d.next = self.b_valid.val();
        if !self.rst_n.val() {
            self.valid.d.next = false;
            self.waiting.d.next = bits::<2>(0);
        }
        self.out_valid.next = self.valid.q.val();
        self.out_data.next = self.sum.q.val();
        // A row of b needs a row of a that came before it; a third row of a needs a row of b that makes room.
        self.legal.next = !self.rst_n.val()
            || ((!self.b_valid.val() || (self.waiting.q.val() != 0))
                && (!self.a_valid.val() || self.b_valid.val() || (self.waiting.q.val() != 2)));
    }
}

/// `tw_residual`: 1 lane, at most 2 rows waiting, `2 a + b` of 4 and 5 bits in 7.
pub(super) fn residual() -> Reference {
    Reference {
        name: "tw_residual",
        cell: "tw_residual",
        verilog: verilog("tw_residual", Residual::default()),
        parameters: vec![
            ("Rows", "2".into()),
            ("Lanes", "1".into()),
            ("AWidth", "4".into()),
            ("AShift", "1".into()),
            ("BWidth", "5".into()),
            ("BShift", "0".into()),
            ("OutWidth", "7".into()),
        ],
        images: Vec::new(),
        ports: vec![
            port("rst_n", 1, Role::Reset),
            port("a_valid", 1, Role::Input),
            port("a_data", 4, Role::Input),
            port("b_valid", 1, Role::Input),
            port("b_data", 5, Role::Input),
            port("out_valid", 1, Role::Always),
            port("out_data", 7, Role::WhenValid),
            port("legal", 1, Role::Legal),
        ],
    }
}

/// Windows of three rows of 2 bits: the newest at once, the two before the next one 3 and 5 cycles later, or 4 and 6 after a
/// reset. What is kept moves up when a row comes, and begins as zeros.
#[derive(LogicBlock, Default)]
struct History {
    clk: Signal<In, Clock>,
    rst_n: Signal<In, Bit>,
    in_valid: Signal<In, Bit>,
    in_data: Signal<In, Bits<2>>,
    out_valid: Signal<Out, Bit>,
    out_data: Signal<Out, Bits<2>>,
    legal: Signal<Out, Bit>,
    newer: DFF<Bits<2>>,
    older: DFF<Bits<2>>,
    /// Cycles until both rows have left.
    left: DFF<Bits<3>>,
}

impl Logic for History {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clk, newer, older, left);
        if self.left.q.val() != 0 {
            self.left.d.next = self.left.q.val() - 1;
        }
        if self.in_valid.val() {
            self.newer.d.next = self.in_data.val();
            self.older.d.next = self.newer.q.val();
            self.left.d.next = bits::<3>(5);
        }
        if !self.rst_n.val() {
            self.newer.d.next = bits::<2>(0);
            self.older.d.next = bits::<2>(0);
            self.left.d.next = bits::<3>(6);
        }
        self.out_valid.next = self.in_valid.val() || (self.left.q.val() == 3) || (self.left.q.val() == 1);
        self.out_data.next = self.newer.q.val();
        if self.left.q.val() == 3 {
            self.out_data.next = self.older.q.val();
        }
        if self.in_valid.val() {
            self.out_data.next = self.in_data.val();
        }
        // No row while those before it leave.
        self.legal.next = !self.rst_n.val() || !self.in_valid.val() || (self.left.q.val() == 0);
    }
}

/// `tw_history`: 3 rows of 2 bits, the older ones from 3 cycles on, or 4 after a reset, one every 2 cycles.
pub(super) fn history() -> Reference {
    let mut ports = stream(2, 2);
    ports.push(port("legal", 1, Role::Legal));
    Reference {
        name: "tw_history",
        cell: "tw_history",
        verilog: verilog("tw_history", History::default()),
        parameters: vec![
            ("Rows", "3".into()),
            ("Width", "2".into()),
            ("Pace", "2".into()),
            ("Gap", "3".into()),
            ("Begin", "4".into()),
        ],
        images: Vec::new(),
        ports,
    }
}
