//! The cells, one file each kind, and the list of them.

mod arithmetic;
mod encoder;
mod prefetcher;
mod rows;
mod store;
mod table;

use rust_hdl::prelude::{Block, generate_verilog};

pub use table::table_sum;

use crate::{Port, Reference, Role};

/// Every cell that has been written a second time, in the order of the way of the data.
pub fn cells() -> Vec<Reference> {
    vec![
        store::fifo(),
        encoder::tree(),
        store::rom(),
        arithmetic::requantise_signed(),
        arithmetic::requantise_unsigned(),
        rows::fold(),
        rows::collector(),
        arithmetic::relu(),
        arithmetic::gelu(),
        store::residual(),
        store::history(),
        rows::select(),
        rows::sum(),
        arithmetic::threshold(),
        arithmetic::threshold_at_first(),
        prefetcher::hold(),
        prefetcher::warm_up(),
        prefetcher::filter(),
    ]
}

/// The Verilog of a block, its modules named after the cell.
///
/// `rust_hdl` calls every top module `top` and joins the names below it with `$`. It panics
/// on a block with an unconnected or doubly written signal; the blocks are fixed, and the tests generate every one.
fn verilog<B: Block>(cell: &str, mut block: B) -> String {
    block.connect_all();
    generate_verilog(&block)
        .replace("module top(", &format!("module {cell}_reference("))
        .replace("top$", &format!("{cell}_reference$"))
}

/// A port.
const fn port(name: &'static str, width: usize, role: Role) -> Port {
    Port { name, width, role }
}

/// The ports that every stream of rows has: reset, and a valid flag and data on both sides.
fn stream(in_width: usize, out_width: usize) -> Vec<Port> {
    vec![
        port("rst_n", 1, Role::Reset),
        port("in_valid", 1, Role::Input),
        port("in_data", in_width, Role::Input),
        port("out_valid", 1, Role::Always),
        port("out_data", out_width, Role::WhenValid),
    ]
}
