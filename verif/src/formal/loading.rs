//! Tables that are loaded: their change, and the check bits of their words.

use std::collections::BTreeSet;
use std::fmt::Write;

use tablewright_design::Protection;

use super::prover::TOP;
use super::read;
use super::{Proof, Subject, Task, broken, streams};
use crate::Error;
use crate::certificate::{Check, Group};
use crate::instances::{Instance, instances};

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

    /// The properties of memories that are loaded, one for each kind that the build has.
    pub(super) fn memories(&self) -> Result<Vec<Task>, Error> {
        let mut all = self.core.clone();
        for node in &self.design.nodes {
            let module = self.names.node(&node.name);
            if self.core.iter().any(|instance| instance.module == module) {
                all.extend(instances(&read(&self.rtl, &module)?));
            }
        }
        let mut kinds = BTreeSet::new();
        let mut tasks = Vec::new();
        for instance in all.iter().filter(|i| ["tw_bank", "tw_held"].contains(&i.module.as_str())) {
            if let Some(memory) = Memory::of(instance) {
                kinds.insert(memory);
            } else {
                let check =
                    Check::new(Group::Formal, &instance.name, "not proved", "a memory that is loaded");
                tasks.push(broken(check, "its widths are no plain numbers"));
            }
        }
        for memory in kinds {
            tasks.push(self.memory(memory)?);
        }
        Ok(tasks)
    }

    fn memory(&self, memory: Memory) -> Result<Task, Error> {
        let Memory { bank, last, whole, .. } = memory;
        let (module, what) = if bank { ("tw_bank", "bank") } else { ("tw_held", "held constants") };
        let lanes =
            if whole { format!("lanes of 32 and {last} bits") } else { format!("a lane of {last} bits") };
        let scope = if bank {
            "what a half was given last at an address comes out of it, a cycle after it is asked, with its check bits, and what is \
             wrong in it is said; 4 words, two lanes of those of its width, any address, any contents, written while the other half \
             is read"
        } else {
            "a set holds what it was given last, with its check bits, while the other one is written; two lanes of those of its width"
        };
        let check = Check::new(
            Group::Formal,
            &format!("{what}, {lanes}"),
            "property directed reachability (ABC pdr), any state at power-up, no bound on time",
            scope,
        )
        .covering("lanes", 1 + u64::from(whole));
        let stem = format!("{module}_{}", memory.width());
        let (opened, prepare) =
            self.open_instance(&stem, module, &memory.parameters(), ("tw_check", true))?;
        Ok(Task { check, prepare, checkers: vec![(Proof::Reachability, memory.checker(&opened))] })
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

/// A kind of memory that is loaded: those that differ in no more than their words and whole lanes are of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Memory {
    bank: bool,
    /// Bits of its last lane.
    last: u32,
    /// Whether there are lanes in front of the last one, of 32 bits; a proof has one of them.
    whole: bool,
    kind: u32,
    /// Check bits of a lane of 32 bits and of the last one.
    checks: [u32; 2],
}

impl Memory {
    /// Of an instance, by the parameters it has in the build.
    fn of(instance: &Instance) -> Option<Self> {
        let number = |parameter| u32::try_from(instance.number(parameter)?).ok();
        let width = number("Width")?;
        Some(Self {
            bank: instance.module == "tw_bank",
            last: (width - 1) % MOST_BITS + 1,
            whole: width > MOST_BITS,
            kind: number("Kind")?,
            checks: [number("Checks")?, number("LastChecks")?],
        })
    }

    fn width(self) -> u32 {
        self.last + if self.whole { MOST_BITS } else { 0 }
    }

    /// Of each lane its data bits and its check bits.
    fn lanes(self) -> Vec<[u32; 2]> {
        let last = [self.last, self.checks[1]];
        if self.whole { vec![[MOST_BITS, self.checks[0]], last] } else { vec![last] }
    }

    fn parameters(self) -> String {
        let sizes = if self.bank { ".Words(4), .AddressWidth(2), " } else { "" };
        format!(
            "#({sizes}.Width({}), .Memory(12'd1), .Kind({}), .Checks({}), .LastChecks({})) ",
            self.width(),
            self.kind,
            self.checks[0],
            self.checks[1]
        )
    }

    /// One word is watched, whichever it is, in either half: each lane as the load bus had it last, its check bits above it. The
    /// modules that look at check bits are free: they are asked what they should be, and what they answer comes out.
    fn checker(self, module: &str) -> String {
        let mut text = String::new();
        let (mut ports, mut keep, mut wrong) = (String::new(), String::new(), Vec::new());
        let lanes = self.lanes();
        let (width, count) = (self.width(), lanes.len());
        for (l, &[bits, checks]) in lanes.iter().enumerate() {
            let (low, high) = (32 * l, bits + checks - 1);
            // Of the bus's check bits a lane has the topmost and as many of the others as it needs.
            let above = match checks {
                0 => String::new(),
                1 => "checks[6], ".to_owned(),
                more => format!("checks[6], checks[{}:0], ", more - 2),
            };
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "  wire [{high}:0] code_{l};
  reg [{high}:0] watched_0_{l}, watched_1_{l};
  reg known_0_{l} = 1'b0, known_1_{l} = 1'b0;
"
            );
            let inside = format!("u_out.g_lane[{l}].u_check");
            let _ = write!(
                ports,
                ", .\\{inside}.code (code_{l}), .\\{inside}.data (answer[{}:{low}]), .\\{inside}.corrected (corrected[{l}]), \
                 .\\{inside}.uncorrected (uncorrected[{l}])",
                low as u32 + bits - 1
            );
            for half in 0..2 {
                let other = if half == 0 { "active" } else { "!active" };
                let _ = writeln!(
                    keep,
                    "    if (writes && lane == {l} && {other}) begin watched_{half}_{l} <= {{{above}data[{}:0]}}; known_{half}_{l} <= 1'b1; \
                     end",
                    bits - 1
                );
            }
            wrong.push(format!(
                "shown && (active ? known_1_{l} && code_{l} != watched_1_{l} : known_0_{l} && code_{l} != watched_0_{l})"
            ));
        }
        wrong.push("found != answer".to_owned());
        let (own_ports, writes, shown, errors) = if self.bank {
            // `read` asks for errors; a reset forgets that.
            (
                ", .read(read), .address(address)",
                "write && memory && word == watched",
                "then && half == active",
                "errors != ({2{was_read}} & said)",
            )
        } else {
            ("", "write && memory", "1'b1", "errors != (said & ~known_then)")
        };
        wrong.push(format!("was_running && {errors}"));
        format!(
            "module {TOP} (input wire clk, input wire reset_n, input wire write, input wire memory, input wire [1:0] word,
  input wire [11:0] lane, input wire [31:0] data, input wire [6:0] checks, input wire active, input wire read,
  input wire [1:0] address, input wire [{high}:0] answer, input wire [{last}:0] corrected, uncorrected, output wire bad);
  reg started = 1'b0;
  always @(posedge clk) started <= 1'b1;
  wire rst_n = reset_n && started;
  wire [83:0] load = {{write, 11'd0, memory, 18'd0, word, lane, checks, data}};
  wire [{high}:0] found;
  wire [1:0] errors;
{text}  {module} dut (.clk(clk), .rst_n(rst_n), .load(load), .active(active), .data(found), .errors(errors){own_ports}{ports});
  reg [1:0] watched;
  always @(posedge clk) watched <= watched;
  reg then, half, asked, was_running;
  reg [1:0] said, known, known_then;
  wire writes = {writes};
  wire shown = {shown};
  wire [1:0] said_now = {{|uncorrected, |corrected}};
  reg was_read;
  always @(posedge clk) begin
    then <= address == watched;
    half <= active;
    asked <= rst_n && read;
    was_read <= asked;
    said <= said_now;
    known_then <= known;
    was_running <= started;
    known <= rst_n ? said_now : 2'b00;
{keep}  end
  assign bad = started && ({wrong});
endmodule
",
            high = width - 1,
            last = count - 1,
            wrong = wrong.join("\n    || ")
        )
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
