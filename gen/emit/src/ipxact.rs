//! IP-XACT (IEEE 1685-2014): what each top is, for tools that put systems together. Ports, bus interfaces, registers, files.
//!
//! Bus definitions are named as their vendors name them: ARM's for AXI, Xilinx's for clock and reset, which the standard leaves
//! open. A tool needs them in its own library.

use std::collections::BTreeMap;

use tablewright_design::Design;

use crate::loading::{LANE_BITS, Loading};
use crate::names::Names;
use crate::registers::{ADDRESS_BITS, ERRORS, FIELDS, REGISTERS};
use xml::Xml;
pub(crate) use xml::escaped;

mod xml;

const NAMESPACE: &str = "http://www.accellera.org/XMLSchema/IPXACT/1685-2014";
const VENDOR: &str = "tablewright";
const VERSION: &str = "0";
const REGISTER_MAP: &str = "table_registers";

/// A signal of a bus interface.
struct Signal {
    /// In the bus definition; the port has the interface's name in front of it.
    logical: &'static str,
    width: usize,
    /// The master drives it.
    from_master: bool,
}

/// A bus interface of a top.
struct Bus {
    name: &'static str,
    /// Vendor, library, name, version.
    definition: [&'static str; 4],
    master: bool,
    signals: Vec<Signal>,
    about: &'static str,
}

/// A port of a top.
#[derive(Debug, PartialEq, Eq)]
struct Port {
    name: String,
    input: bool,
    width: usize,
}

const fn from_master(logical: &'static str, width: usize) -> Signal {
    Signal { logical, width, from_master: true }
}

const fn from_slave(logical: &'static str, width: usize) -> Signal {
    Signal { logical, width, from_master: false }
}

fn stream(name: &'static str, master: bool, width: usize, last: Option<Signal>, about: &'static str) -> Bus {
    let mut signals = vec![from_master("TVALID", 1), from_slave("TREADY", 1), from_master("TDATA", width)];
    signals.extend(last);
    Bus { name, definition: ["amba.com", "AMBA4", "AXI4Stream", "r0p0_1"], master, signals, about }
}

fn registers() -> Bus {
    let data = LANE_BITS as usize;
    let address = ADDRESS_BITS as usize;
    let signals = vec![
        from_master("AWVALID", 1),
        from_slave("AWREADY", 1),
        from_master("AWADDR", address),
        from_master("AWPROT", 3),
        from_master("WVALID", 1),
        from_slave("WREADY", 1),
        from_master("WDATA", data),
        from_master("WSTRB", data / 8),
        from_slave("BVALID", 1),
        from_master("BREADY", 1),
        from_slave("BRESP", 2),
        from_master("ARVALID", 1),
        from_slave("ARREADY", 1),
        from_master("ARADDR", address),
        from_master("ARPROT", 3),
        from_slave("RVALID", 1),
        from_master("RREADY", 1),
        from_slave("RDATA", data),
        from_slave("RRESP", 2),
    ];
    let definition = ["amba.com", "AMBA4", "AXI4-Lite", "r0p0_0"];
    Bus { name: "s_axil", definition, master: false, signals, about: "Registers of the table load" }
}

/// One of the two tops.
struct Top {
    module: String,
    about: String,
    testbench: String,
    buses: Vec<Bus>,
    /// Outputs beside the buses: the name, bits, and what it says.
    others: Vec<(&'static str, usize, &'static str)>,
}

impl Top {
    fn ports(&self) -> Vec<Port> {
        let plain = |name: &str, input, width| Port { name: name.to_owned(), input, width };
        let of_buses = self.buses.iter().flat_map(|bus| {
            bus.signals.iter().map(|signal| Port {
                name: physical(bus, signal),
                input: signal.from_master != bus.master,
                width: signal.width,
            })
        });
        let others = self.others.iter().map(|(name, width, _)| plain(name, false, *width));
        [plain("clk", true, 1), plain("rst_n", true, 1)].into_iter().chain(of_buses).chain(others).collect()
    }
}

fn physical(bus: &Bus, signal: &Signal) -> String {
    format!("{}_{}", bus.name, signal.logical.to_lowercase())
}

fn tops(design: &Design, names: &Names) -> [Top; 2] {
    let (in_width, out_width) = crate::stream_widths(design);
    let load = || -> Vec<Bus> {
        if design.loaded.is_none() {
            return Vec::new();
        }
        let last = Some(from_master("TLAST", 1));
        vec![
            stream("s_load_axis", false, LANE_BITS as usize, last, "Images of tables, each one packet"),
            registers(),
        ]
    };
    let taken = if design.streaming { "Accesses as segments" } else { "Windows of accesses as segments" };
    let mut core = load();
    core.push(stream("s_axis", false, in_width, None, taken));
    core.push(stream("m_axis", true, out_width, None, "Delta bitmaps, one for each that came in"));
    let mut prefetcher = load();
    let access = design.access_width() as usize;
    prefetcher.push(stream("s_axis", false, access, None, "Demand accesses; one never waits"));
    prefetcher.push(stream("m_axis", true, 64, None, "Byte addresses of blocks to prefetch"));
    [
        Top {
            module: names.core(),
            about: format!("The predictor of model {}: accesses in, delta bitmaps out", design.name),
            testbench: names.testbench(),
            buses: core,
            others: Vec::new(),
        },
        Top {
            module: names.prefetcher(),
            about: format!(
                "The prefetcher of model {}: demand accesses in, prefetch addresses out",
                design.name
            ),
            testbench: names.prefetcher_testbench(),
            buses: prefetcher,
            others: vec![("dropped", 32, "Accesses replaced before the predictor took them, counted")],
        },
    ]
}

/// The descriptions of both tops over the files of a build, by path in it.
pub(crate) fn files(
    design: &Design,
    names: &Names,
    loading: Option<&Loading>,
    files: &BTreeMap<String, String>,
) -> Vec<(String, String)> {
    let describe = |top: &Top| (format!("{}.xml", top.module), component(top, loading, files));
    tops(design, names).iter().map(describe).collect()
}

fn component(top: &Top, loading: Option<&Loading>, files: &BTreeMap<String, String>) -> String {
    let mut x = Xml::new();
    let root = [("xmlns:ipxact", NAMESPACE)];
    x.inside_with("component", &root, |x| {
        for (name, value) in
            [("vendor", VENDOR), ("library", VENDOR), ("name", &top.module), ("version", VERSION)]
        {
            x.leaf(name, value);
        }
        x.inside("busInterfaces", |x| bus_interfaces(x, top));
        if let Some(loading) = loading {
            x.inside("memoryMaps", |x| memory_map(x, loading));
        }
        x.inside("model", |x| model(x, top));
        x.inside("fileSets", |x| file_sets(x, top, files));
        x.leaf("description", &top.about);
    });
    x.finish()
}

fn bus_interfaces(x: &mut Xml, top: &Top) {
    let all: Vec<&str> = top.buses.iter().map(|bus| bus.name).collect();
    let clock = [("ASSOCIATED_BUSIF", all.join(":")), ("ASSOCIATED_RESET", "rst_n".to_owned())];
    let reset = [("POLARITY", "ACTIVE_LOW".to_owned())];
    for (port, kind, logical, parameters, about) in [
        ("clk", "clock", "CLK", &clock[..], "The one clock, rising edge"),
        ("rst_n", "reset", "RST", &reset[..], "Synchronous reset, active low"),
    ] {
        x.inside("busInterface", |x| {
            x.leaf("name", port);
            x.leaf("description", about);
            definition(x, ["xilinx.com", "signal", kind, "1.0"], |x| map(x, logical, port));
            x.leaf_with("slave", &[], "");
            x.inside("parameters", |x| {
                for (name, value) in parameters {
                    x.inside("parameter", |x| {
                        x.leaf("name", name);
                        x.leaf("value", value);
                    });
                }
            });
        });
    }
    for bus in &top.buses {
        x.inside("busInterface", |x| {
            x.leaf("name", bus.name);
            x.leaf("description", bus.about);
            definition(x, bus.definition, |x| {
                for signal in &bus.signals {
                    map(x, signal.logical, &physical(bus, signal));
                }
            });
            if bus.definition[2] == "AXI4-Lite" {
                let map = [("memoryMapRef", REGISTER_MAP)];
                x.inside("slave", |x| x.leaf_with("memoryMapRef", &map, ""));
            } else {
                x.leaf_with(if bus.master { "master" } else { "slave" }, &[], "");
            }
        });
    }
}

/// The bus and its abstraction at RTL, with its port maps.
fn definition(x: &mut Xml, [vendor, library, name, version]: [&str; 4], maps: impl FnOnce(&mut Xml)) {
    let abstraction = format!("{name}_rtl");
    let [bus, abstraction] = [name, abstraction.as_str()]
        .map(|name| [("vendor", vendor), ("library", library), ("name", name), ("version", version)]);
    x.leaf_with("busType", &bus, "");
    x.inside("abstractionTypes", |x| {
        x.inside("abstractionType", |x| {
            x.leaf_with("abstractionRef", &abstraction, "");
            x.inside("portMaps", maps);
        });
    });
}

fn map(x: &mut Xml, logical: &str, physical: &str) {
    x.inside("portMap", |x| {
        x.inside("logicalPort", |x| x.leaf("name", logical));
        x.inside("physicalPort", |x| x.leaf("name", physical));
    });
}

fn memory_map(x: &mut Xml, loading: &Loading) {
    x.inside("memoryMap", |x| {
        x.leaf("name", REGISTER_MAP);
        x.leaf(
            "description",
            &format!("Registers of the table load; this hardware has the shape {:016x}", loading.shape),
        );
        x.inside("addressBlock", |x| {
            x.leaf("name", "registers");
            x.leaf("baseAddress", "0");
            x.leaf("range", &(1_u32 << ADDRESS_BITS).to_string());
            x.leaf("width", &LANE_BITS.to_string());
            x.leaf("usage", "register");
            for register in REGISTERS {
                x.inside("register", |x| {
                    x.leaf("name", register.name);
                    x.leaf("description", register.about);
                    x.leaf("addressOffset", &register.address.to_string());
                    x.leaf("size", &LANE_BITS.to_string());
                    x.leaf("volatile", "true");
                    x.leaf("access", if register.read { "read-only" } else { "write-only" });
                    let mut parts = FIELDS.iter().filter(|f| f.register == register.name).peekable();
                    if parts.peek().is_none() {
                        field(x, "VALUE", register.about, 0, LANE_BITS);
                    }
                    for f in parts {
                        field(x, f.name, f.about, f.low, u64::from(f.width));
                    }
                });
            }
        });
        x.leaf("addressUnitBits", "8");
    });
}

fn field(x: &mut Xml, name: &str, about: &str, low: u32, width: u64) {
    x.inside("field", |x| {
        x.leaf("name", name);
        x.leaf("description", about);
        x.leaf("bitOffset", &low.to_string());
        x.leaf("bitWidth", &width.to_string());
        if name == "ERROR" {
            x.inside("enumeratedValues", |x| {
                for (value, (name, about)) in ERRORS.iter().enumerate() {
                    x.inside("enumeratedValue", |x| {
                        x.leaf("name", name);
                        x.leaf("description", about);
                        x.leaf("value", &value.to_string());
                    });
                }
            });
        }
    });
}

fn model(x: &mut Xml, top: &Top) {
    let views = [
        ("synthesis", ":*Synthesis:", &top.module, &["rtl", "images"][..]),
        ("simulation", ":*Simulation:", &top.testbench, &["rtl", "images", "vectors", "testbench"][..]),
    ];
    x.inside("views", |x| {
        for (name, environment, ..) in views {
            x.inside("view", |x| {
                x.leaf("name", name);
                x.leaf("envIdentifier", environment);
                x.leaf("componentInstantiationRef", name);
            });
        }
    });
    x.inside("instantiations", |x| {
        for (name, _, module, sets) in views {
            x.inside("componentInstantiation", |x| {
                x.leaf("name", name);
                x.leaf("language", "verilog");
                x.leaf("moduleName", module);
                for set in sets {
                    x.inside("fileSetRef", |x| x.leaf("localName", set));
                }
            });
        }
    });
    x.inside("ports", |x| {
        for port in top.ports() {
            x.inside("port", |x| {
                x.leaf("name", &port.name);
                if let Some((.., about)) = top.others.iter().find(|(name, ..)| *name == port.name) {
                    x.leaf("description", about);
                }
                x.inside("wire", |x| {
                    x.leaf("direction", if port.input { "in" } else { "out" });
                    if port.width > 1 {
                        x.inside("vectors", |x| {
                            x.inside("vector", |x| {
                                x.leaf("left", &(port.width - 1).to_string());
                                x.leaf("right", "0");
                            });
                        });
                    }
                });
            });
        }
    });
}

fn file_sets(x: &mut Xml, top: &Top, files: &BTreeMap<String, String>) {
    let inside = |folder: &str, end: &str| -> Vec<String> {
        let of_folder = |path: &&String| {
            path.strip_prefix(folder).is_some_and(|file| file.ends_with(end) && !file.contains('/'))
        };
        files.keys().filter(of_folder).cloned().collect()
    };
    let mut testbench = inside("tb/", "_feed.v");
    testbench.push(format!("tb/{}.v", top.testbench));
    for (name, verilog, list) in [
        ("rtl", true, inside("rtl/", ".v")),
        ("images", false, inside("rtl/mem/", ".hex")),
        ("vectors", false, inside("tb/vectors/", ".hex")),
        ("testbench", true, testbench),
    ] {
        x.inside("fileSet", |x| {
            x.leaf("name", name);
            for file in list {
                x.inside("file", |x| {
                    x.leaf("name", &file);
                    if verilog {
                        x.leaf("fileType", "verilogSource");
                    } else {
                        x.leaf_with("fileType", &[("user", "readmemh")], "user");
                    }
                });
            }
        });
    }
}

#[cfg(test)]
mod tests;
