//! The core file of a build: what `FuseSoC` reads (CAPI2), with targets for lint and both testbenches.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::names::{Names, identifier};

/// Path of the core file in the build of a model.
pub(crate) fn path(model: &str) -> String {
    format!("tw_{}.core", identifier(model))
}

/// The core file over the files of a build.
pub(crate) fn text(model: &str, files: &BTreeMap<String, String>) -> String {
    let names = Names::new(model);
    let list = |folder: &str, end: &str, entry: &dyn Fn(&str) -> String| {
        let inside = files.keys().filter_map(|path| path.strip_prefix(folder));
        inside.filter(|file| file.ends_with(end) && !file.contains('/')).fold(
            String::new(),
            |mut all, file| {
                let _ = writeln!(all, "      - {}", entry(file));
                all
            },
        )
    };
    let verilog = list("rtl/", ".v", &|file| format!("rtl/{file}"));
    let images = list("rtl/mem/", ".hex", &|file| format!("rtl/mem/{file}: {{copyto: mem/{file}}}"));
    let vectors =
        list("tb/vectors/", ".hex", &|file| format!("tb/vectors/{file}: {{copyto: vectors/{file}}}"));
    let targets = [
        ("lint", names.core(), "", "verilator"),
        ("lint_prefetcher", names.prefetcher(), "", "verilator"),
        ("sim", names.testbench(), ", vectors, tb", "icarus"),
        ("sim_prefetcher", names.prefetcher_testbench(), ", vectors, prefetcher_tb", "icarus"),
    ];
    let targets = targets.into_iter().fold(String::new(), |mut all, (name, top, more, tool)| {
        let (flow, options) = match tool {
            "verilator" => ("lint", "verilator_options: [-Wall, --language, 1364-2005]"),
            _ => ("sim", "iverilog_options: [-g2005, -Wall]"),
        };
        let _ = write!(
            all,
            "  {name}:\n    filesets: [rtl, images{more}]\n    toplevel: {top}\n    flow: {flow}\n    flow_options:\n      \
             tool: {tool}\n      {options}\n"
        );
        if flow == "sim" {
            all.push_str("    parameters: [TW_VECTORS]\n");
        }
        all
    });
    format!(
        "CAPI=2:\nname: tablewright::{stem}:0\ndescription: Table-based prefetcher {stem}, made by Tablewright\n\
         filesets:\n  rtl:\n    files:\n{verilog}    file_type: verilogSource-2005\n  \
         images:\n    files:\n{images}    file_type: user\n  \
         vectors:\n    files:\n{vectors}    file_type: user\n  \
         tb:\n    files:\n{feed}      - tb/{tb}.v\n    file_type: verilogSource-2005\n  \
         prefetcher_tb:\n    files:\n{feed}      - tb/{prefetcher_tb}.v\n    file_type: verilogSource-2005\n\
         parameters:\n  TW_VECTORS:\n    datatype: str\n    paramtype: vlogdefine\n    default: '\"vectors/\"'\n    \
         description: Folder of the testbench's vectors, in quotes\n\
         targets:\n  default:\n    filesets: [rtl, images]\n    toplevel: {prefetcher}\n{targets}",
        stem = identifier(model),
        feed = list("tb/", "_feed.v", &|file| format!("tb/{file}")),
        tb = names.testbench(),
        prefetcher_tb = names.prefetcher_testbench(),
        prefetcher = names.prefetcher(),
    )
}
