//! A core of a build's own name and ports with another module in it, which is the core changed in ways that a number chooses.

use std::fmt::Write;
use std::path::Path;

use tablewright_design::Design;
use tablewright_emit::{BuildDir, Names, boundaries};
use tablewright_plan::Plan;

use crate::Error;

/// What stands in the core's place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wrapped<'a> {
    /// The changed core; its ports are the core's and `choice`.
    pub module: &'a str,
    /// An input, and a wire or register of the wrapper's that it is connected to.
    pub choice: &'a str,
    /// Verilog that makes `choice`.
    pub chooser: &'a str,
    /// What leads to the predictor's signals inside; none where values are not looked at.
    pub values_at: Option<&'a str>,
    /// The signal inside that says that tables have been loaded.
    pub tables_valid: &'a str,
}

/// Writes the wrapper to a file. The probe finds the values of every node where they are in the core, or nothing valid there.
pub(crate) fn write(
    build: &BuildDir,
    (design, plan): (&Design, &Plan),
    wrapped: &Wrapped<'_>,
    file: &Path,
) -> Result<(), Error> {
    let io = |path: &Path| {
        let path = path.display().to_string();
        move |source| Error::Io { path, source }
    };
    let core = Names::new(&design.name).core();
    let own = build.rtl().join(format!("{core}.v"));
    let text = std::fs::read_to_string(&own).map_err(io(&own))?;
    let ports = ports(&text, &core).ok_or_else(|| Error::Tool {
        program: own.display().to_string(),
        output: format!("no ports of module {core}, one a line; build again"),
    })?;
    std::fs::write(file, wrapper(&ports, &core, (design, plan), wrapped)).map_err(io(file))
}

/// The declarations of a module's ports, one a line as the generator writes them.
fn ports<'a>(text: &'a str, module: &str) -> Option<Vec<&'a str>> {
    let (_, after) = text.split_once(&format!("module {module} (\n"))?;
    let (ports, _) = after.split_once("\n);")?;
    Some(ports.lines().map(|line| line.trim().trim_end_matches(',')).collect())
}

/// The Verilog of it.
fn wrapper(ports: &[&str], core: &str, (design, plan): (&Design, &Plan), wrapped: &Wrapped<'_>) -> String {
    let Wrapped { module, choice, chooser, values_at, tables_valid } = *wrapped;
    // What the probe looks for in the core itself and in the predictor, and what the latter comes from.
    let (mut own, mut inner, mut down) = (String::new(), String::new(), String::new());
    let all = boundaries(design, plan);
    for (i, boundary) in all.iter().enumerate() {
        for (suffix, width) in [("valid", 1), ("data", boundary.width())] {
            let name = format!("{}_{suffix}", boundary.name);
            let from = match values_at {
                None => format!("{{{width}{{1'b0}}}}"),
                Some(_) if i + 1 == all.len() => format!("u_changed.{name}"),
                Some(at) => format!("u_changed.{at}{name}"),
            };
            if i + 1 == all.len() {
                let _ = writeln!(own, "  wire [{}:0] {name} = {from};", width - 1);
            } else {
                let _ = write!(inner, ",\n  input wire [{}:0] {name}", width - 1);
                let _ = write!(down, ",\n    .{name}({from})");
            }
        }
    }
    if design.loaded.is_some() {
        inner += ",\n  input wire tables_valid";
        let _ = write!(down, ",\n    .tables_valid(u_changed.{tables_valid})");
    }
    let connected = ports.iter().filter_map(|port| port.split_whitespace().last());
    let connected: Vec<String> = connected.map(|name| format!(".{name}({name})")).collect();
    format!(
        "module tw_values (
  input wire clk{inner}
);
endmodule
module {core} (
  {}
);
{chooser}  {module} u_changed (
    .{choice}({choice}),
    {}
  );
{own}  tw_values u_predictor (
    .clk(clk){down}
  );
endmodule
",
        ports.join(",\n  "),
        connected.join(",\n    ")
    )
}
