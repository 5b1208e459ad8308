//! Tables that are loaded: their change, and the check bits of their words.

use std::fmt::Write;

use tablewright_design::Protection;

use super::prover::TOP;
use super::{Proof, Subject, Task, broken, streams};
use crate::Error;
use crate::certificate::{Check, Group};

/// Data bits that a lane of a memory can have.
const MOST_BITS: u32 = 32;

impl Subject<'_> {
    /// The property of a change of tables, where they are loaded.
    pub(super) fn change(&self) -> Option<Task> {
        let swap = self.core.iter().find(|i| i.module == "tw_swap")?;
        let check = Check::new(
            Group::Formal,
            "change of tables",
            "property directed reachability (ABC pdr), any state at power-up, no bound on time",
            "nobody may come between asking and the change, or before the first; it waits until all have left, and no longer; the \
             predictor is reset in its cycle and in no other; the set in use changes then alone; the loader takes no word \
             meanwhile. Windows come and leave at any time, at most Places inside, which `streams` shows",
        );
        Some(match streams::swap_checker(swap) {
            None => broken(check, "tw_swap is not joined to the core as it is known"),
            Some(checker) => Task {
                check,
                prepare: format!("read_verilog {}.v", swap.module),
                checkers: vec![(Proof::Reachability, checker)],
            },
        })
    }

    /// The property of the check bits, where tables are loaded and guarded.
    pub(super) fn loading(&self) -> Result<Option<Task>, Error> {
        let protection = match self.design.loaded {
            None | Some(Protection::None) => return Ok(None),
            Some(protection) => protection,
        };
        let scope = match protection {
            Protection::Secded => {
                "1 to 32 bits of data, any data: unharmed it comes back and nothing is said; one bit wrong, wherever, is put \
                 right and said to be; two are said not to be, and left"
            }
            _ => {
                "1 to 32 bits of data, any data: unharmed it comes back and nothing is said; one bit wrong is said to be"
            }
        };
        let method = "tw_guard, then flipped bits, then tw_check; any data, any flips, SAT";
        Ok(Some(Task {
            check: Check::new(Group::Formal, "check bits", method, scope)
                .covering("widths", u64::from(MOST_BITS)),
            prepare: format!("read_verilog {}", self.files("tw_check")?),
            checkers: (1..=MOST_BITS).map(|bits| (Proof::Pipeline(1), checker(protection, bits))).collect(),
        }))
    }
}

/// The checker for words of `bits` bits. Flips are counted by taking away the lowest one twice.
fn checker(protection: Protection, bits: u32) -> String {
    let checks = protection.check_bits(bits);
    let (kind, most) = if protection == Protection::Secded { (2, "twice") } else { (1, "once") };
    let (high, all) = (bits - 1, bits + checks - 1);
    let parameters = format!("#(.Bits({bits}), .Kind({kind}), .Checks({checks}))");
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "module {TOP} (input wire clk, input wire [{high}:0] data, input wire [{all}:0] flips, output wire bad);
  wire [{all}:0] code;
  wire [{high}:0] found;
  wire corrected, uncorrected;
  tw_guard {parameters} guard (.data(data), .code(code));
  tw_check {parameters} check (.code(code ^ flips), .data(found), .corrected(corrected), .uncorrected(uncorrected));
  wire [{all}:0] once = flips & (flips - 1);
  wire [{all}:0] twice = once & (once - 1);
  wire none = flips == 0;
  wire one = !none && once == 0;
"
    );
    let wrong = if protection == Protection::Secded {
        "found != (none || one ? data : data ^ flips[HIGH:0]) || corrected != one || uncorrected == (none || one)".replace("HIGH", &high.to_string())
    } else {
        "(none && found != data) || corrected || uncorrected != one".to_owned()
    };
    let _ = write!(text, "  assign bad = {most} == 0 && ({wrong});\nendmodule\n");
    text
}
