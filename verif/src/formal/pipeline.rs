//! The text of checkers for pipelines: what goes in, a reference beside the module, and the comparison.

use std::fmt::Write;

use super::prover::TOP;

/// Bits of the load bus (`tw_loader`).
const LOAD_BUS: u64 = 84;

/// A checker being written. The reference's results are computed in the cycle of the inputs and then delayed.
#[derive(Debug, Default)]
pub(crate) struct Pipeline {
    ports: String,
    body: String,
    bad: Vec<String>,
}

impl Pipeline {
    /// Input and output rows of these widths, valid bits and a reset, as every stage of a core has them.
    pub(crate) fn new(in_width: u64, out_width: u64) -> Self {
        let mut new = Self::with_output(out_width);
        new.input("in_valid", 1);
        new.input("in_data", in_width);
        new
    }

    /// The same without an input.
    pub(crate) fn with_output(width: u64) -> Self {
        let mut new = Self::default();
        new.input("rst_n", 1);
        new.wire("out_valid", 1, None);
        new.wire("out_data", width, None);
        new
    }

    /// A free input.
    pub(crate) fn input(&mut self, name: &str, width: u64) {
        let _ = write!(self.ports, ", input wire [{}:0] {name}", width - 1);
    }

    /// A wire, with its value unless the module under proof drives it.
    pub(crate) fn wire(&mut self, name: &str, width: u64, value: Option<&str>) {
        let value = value.map_or_else(String::new, |v| format!(" = {v}"));
        let _ = writeln!(self.body, "  wire [{}:0] {name}{value};", width - 1);
    }

    /// A value that is free and stays what it is.
    pub(crate) fn kept(&mut self, name: &str, width: u64) {
        self.register(name, width, name);
    }

    /// A register that wakes up with any value, and its next one.
    pub(crate) fn register(&mut self, name: &str, width: u64, next: &str) {
        let _ =
            writeln!(self.body, "  reg [{}:0] {name};\n  always @(posedge clk) {name} <= {next};", width - 1);
    }

    /// A signed wire with its value.
    pub(crate) fn signed(&mut self, name: &str, width: u64, value: &str) {
        let _ = writeln!(self.body, "  wire signed [{}:0] {name} = {value};", width - 1);
    }

    /// The inputs of the load bus, and the ports of the module that they are connected to.
    pub(crate) fn load_bus(&mut self) -> Vec<(String, String)> {
        self.input("load", LOAD_BUS);
        self.input("active", 1);
        ["load", "active"].map(|port| (port.to_owned(), port.to_owned())).to_vec()
    }

    /// A free cell that is loaded must get the load bus, and what else is said: ports of one bit, and what they get. The ports that
    /// show it.
    pub(crate) fn joined(&mut self, cell: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let short = cell.trim_start_matches("u_");
        let bus = [("load", "load", LOAD_BUS), ("active", "active", 1)];
        let all: Vec<_> = bus.into_iter().chain(more.iter().map(|&(port, from)| (port, from, 1))).collect();
        let shown = all.into_iter().map(|(port, from, width)| {
            let name = format!("{short}_{port}");
            self.wire(&name, width, None);
            self.never(format!("({name} != {from})"));
            (format!("{cell}.{port}"), name)
        });
        shown.collect()
    }

    /// The module under proof; its ports beside the usual ones.
    pub(crate) fn instance(&mut self, module: &str, parameters: &str, more: &[(String, String)]) {
        self.instance_of(module, parameters, &["in_valid", "in_data"], more);
    }

    /// The module under proof, with these ports connected to what is called the same.
    pub(crate) fn cell(&mut self, module: &str, ports: &[&str]) {
        let ports: Vec<String> = ports.iter().map(|port| format!(".{port}({port})")).collect();
        let _ = writeln!(self.body, "  {module} dut ({});", ports.join(", "));
    }

    /// The module under proof with inputs of these names, connected to what is called the same.
    pub(crate) fn instance_of(
        &mut self,
        module: &str,
        parameters: &str,
        inputs: &[&str],
        more: &[(String, String)],
    ) {
        let usual = ["clk", "rst_n", "out_valid", "out_data"];
        let ports = usual.iter().chain(inputs).map(|p| format!(".{p}({p})"));
        // An escaped name ends with a space.
        let more = more.iter().map(|(port, to)| format!(".\\{port} ({to})"));
        let all: Vec<String> = ports.chain(more).collect();
        let _ = writeln!(self.body, "  {module} {parameters}dut ({});", all.join(", "));
    }

    /// A name for `value`, of `width` bits, `cycles` later.
    pub(crate) fn delayed(&mut self, name: &str, width: u64, value: &str, cycles: u64) -> String {
        let mut last = value.to_owned();
        for cycle in 1..=cycles {
            let next = format!("{name}_{cycle}");
            let _ = writeln!(self.body, "  reg [{}:0] {next};", width - 1);
            let _ = writeln!(self.body, "  always @(posedge clk) {next} <= {last};");
            last = next;
        }
        last
    }

    /// `out_valid` must be `in_valid` of `latency` cycles before, if no reset was in between.
    pub(crate) fn valid_after(&mut self, latency: u64) {
        let last = self.valid_chain(latency);
        self.never(format!("(out_valid != {last})"));
    }

    /// A name for `in_valid` of `latency` cycles before, 0 where a reset was in between.
    pub(crate) fn valid_chain(&mut self, latency: u64) -> String {
        let mut last = "in_valid".to_owned();
        for cycle in 1..=latency {
            let next = format!("valid_{cycle}");
            let _ = writeln!(self.body, "  reg {next};\n  always @(posedge clk) {next} <= rst_n && {last};");
            last = next;
        }
        last
    }

    /// What must not be.
    pub(crate) fn never(&mut self, condition: String) {
        self.bad.push(condition);
    }

    /// The checker.
    pub(crate) fn text(&self) -> String {
        format!(
            "module {TOP} (input wire clk{}, output wire bad);\n{}  assign bad = {};\nendmodule\n",
            self.ports,
            self.body,
            self.bad.join("\n    || ")
        )
    }
}

/// A signed constant of `width` bits.
pub(crate) fn signed_constant(value: i64, width: u64) -> String {
    if value < 0 { format!("-{width}'sd{}", value.unsigned_abs()) } else { format!("{width}'sd{value}") }
}
