//! The module that runs a shipped cell and its second writing side by side.

use std::fmt::Write;

use tablewright_prim::{Reference, Role};

/// Name of the comparing module. Its only output, `bad`, is 1 in a cycle in which the two differ where they must not.
pub(crate) const TOP: &str = "comparison";

/// Verilog of the comparing module.
///
/// `started` holds both sides in reset in the first cycle, whatever `rst_n` says, and nothing is compared there. `excused`
/// remembers that the contract's conditions were broken since the last reset; nothing is compared then either.
pub(crate) fn comparison(reference: &Reference) -> String {
    let mut inputs = String::new();
    let mut wires = String::new();
    let mut shared = String::from(".clk(clk)");
    let mut outputs = [String::new(), String::new()];
    let mut differences = Vec::new();
    let mut legal = "1'b1";
    // While this is 1 an excuse is remembered; a cell without a reset never forgets.
    let mut remember = "1'b1";
    for port in &reference.ports {
        let name = port.name;
        let range = format!("[{}:0]", port.width - 1);
        match port.role {
            Role::Input => {
                write!(inputs, ", input wire {range} {name}").unwrap();
                write!(shared, ", .{name}({name})").unwrap();
            }
            Role::Fixed(value) => {
                write!(outputs[0], ", .{name}({}'h{value:x})", port.width).unwrap();
            }
            Role::Reset => {
                write!(inputs, ", input wire {name}").unwrap();
                write!(shared, ", .{name}({name} && started)").unwrap();
                remember = name;
            }
            Role::Always | Role::WhenValid => {
                writeln!(wires, "  wire {range} shipped_{name}, second_{name};").unwrap();
                write!(outputs[0], ", .{name}(shipped_{name})").unwrap();
                write!(outputs[1], ", .{name}(second_{name})").unwrap();
                let counts = if port.role == Role::Always { "1'b1" } else { "second_out_valid" };
                differences.push(format!("({counts} && shipped_{name} != second_{name})"));
            }
            Role::Legal => {
                writeln!(wires, "  wire {name};").unwrap();
                write!(outputs[1], ", .{name}({name})").unwrap();
                legal = name;
            }
        }
    }
    let parameters: Vec<String> =
        reference.parameters.iter().map(|(name, value)| format!(".{name}({value})")).collect();
    let parameters =
        if parameters.is_empty() { String::new() } else { format!("#({}) ", parameters.join(", ")) };
    format!(
        "module {TOP} (input wire clk{inputs}, output wire bad);
  reg started = 1'b0;
  always @(posedge clk) started <= 1'b1;
{wires}
  {cell} {parameters}shipped ({shared}{shipped});
  {module} second ({shared}{second});
  reg excused = 1'b0;
  wire broken = excused || !{legal};
  always @(posedge clk) excused <= broken && {remember};
  assign bad = started && !broken && ({differences});
endmodule
",
        cell = reference.cell,
        module = reference.module(),
        shipped = outputs[0],
        second = outputs[1],
        differences = differences.join(" || "),
    )
}
