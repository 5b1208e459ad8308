//! Whether tables are part of the hardware, or are loaded at run time.

use clap::ValueEnum;
use tablewright_design::Protection;

/// Options that make hardware whose tables are loaded
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Tables loaded at run time")]
pub(crate) struct LoadArgs {
    /// Load tables, encoders and constants at run time, over AXI4-Stream into SRAM banks, in place of freezing them into the
    /// logic. Any model of the same shape then fits: `tablewright image MODEL --build BUILD_DIR` writes what is streamed
    #[arg(long)]
    loadable: bool,
    /// Guard every 32 bits that are loaded
    #[arg(long, value_name = "KIND", requires = "loadable")]
    protect: Option<Guard>,
}

/// What guards the bits that were loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Guard {
    /// Not at all
    None,
    /// By a parity bit: one wrong bit is noticed
    Parity,
    /// By a Hamming code and parity: one wrong bit is corrected, two are noticed
    Secded,
}

impl LoadArgs {
    /// What guards the contents, if they are loaded.
    pub(crate) fn protection(&self) -> Option<Protection> {
        let protection = match self.protect {
            None | Some(Guard::None) => Protection::None,
            Some(Guard::Parity) => Protection::Parity,
            Some(Guard::Secded) => Protection::Secded,
        };
        self.loadable.then_some(protection)
    }
}
