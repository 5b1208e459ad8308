use tablewright_design::{Protection, lower, lower_loaded, passes};
use tablewright_model::testing::{dart_s, dart_s_spec, random_model};
use tablewright_plan::Plan;

use super::*;
use crate::Vectors;

fn design(loaded: bool) -> Design {
    let model = random_model(&dart_s(), dart_s_spec(), 3);
    let lowered = if loaded { lower_loaded(&model, Protection::Parity) } else { lower(&model) };
    passes::for_hardware(&lowered)
}

/// Ports as the text of a module has them: `input wire [7:0] name,` one a line.
fn of_verilog(text: &str) -> Vec<Port> {
    let list = text.split_once("\nmodule ").and_then(|(_, m)| m.split_once(");")).expect("a module").0;
    let port = |line: &str| {
        let line = line.trim().trim_end_matches(',');
        let (direction, rest) = line.split_once(' ')?;
        let input = match direction {
            "input" => true,
            "output" => false,
            _ => return None,
        };
        let name = rest.rsplit(' ').next()?.to_owned();
        let width = match rest.split_once('[') {
            Some((_, range)) => range.split_once(':')?.0.trim().parse::<usize>().ok()? + 1,
            None => 1,
        };
        Some(Port { name, input, width })
    };
    list.lines().filter_map(port).collect()
}

/// A port that is described and not there, or there and not described, is found, and its width.
#[test]
fn ports_are_those_of_the_verilog() {
    for loaded in [false, true] {
        let design = design(loaded);
        let files = crate::files(&design, &Plan::automatic(&design), &Vectors::default()).expect("files");
        for top in tops(&design, &Names::new(&design.name)) {
            let verilog = of_verilog(&files[&format!("rtl/{}.v", top.module)]);
            assert!(verilog.len() >= 8, "{verilog:?}");
            assert_eq!(top.ports(), verilog, "{}", top.module);
            let described = &files[&format!("{}.xml", top.module)];
            for port in &verilog {
                let direction = if port.input { "in" } else { "out" };
                let at = described
                    .split_once("<ipxact:ports>")
                    .and_then(|(_, ports)| {
                        ports.split_once(&format!("<ipxact:name>{}</ipxact:name>", port.name))
                    })
                    .and_then(|(_, port)| port.split_once("</ipxact:port>"))
                    .expect("the port")
                    .0;
                assert!(at.contains(&format!("<ipxact:direction>{direction}<")), "{}", port.name);
                let left = format!("<ipxact:left>{}<", port.width - 1);
                assert_eq!(at.contains(&left), port.width > 1, "{}: {at}", port.name);
            }
        }
    }
}

/// Every file that is named is in the build, and every Verilog file and image is named.
#[test]
fn files_are_those_of_the_build() {
    for loaded in [false, true] {
        let design = design(loaded);
        let files = crate::files(&design, &Plan::automatic(&design), &Vectors::default()).expect("files");
        for top in tops(&design, &Names::new(&design.name)) {
            let described = &files[&format!("{}.xml", top.module)];
            let named: Vec<&str> = described
                .split("<ipxact:file>")
                .skip(1)
                .filter_map(|file| file.split_once("<ipxact:name>")?.1.split_once('<').map(|(name, _)| name))
                .collect();
            for file in &named {
                assert!(files.contains_key(*file), "{file}");
            }
            for file in files.keys().filter(|file| file.starts_with("rtl/")) {
                assert!(named.contains(&file.as_str()), "{file}");
            }
        }
    }
}
