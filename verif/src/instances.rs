//! The instances in a core, read from its Verilog: what is proved is proved of the parameters that stand there.

use std::collections::BTreeMap;

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instance {
    /// The module.
    pub module: String,
    /// The instance.
    pub name: String,
    /// Parameters as written.
    pub parameters: BTreeMap<String, String>,
    /// What is connected to each port, as written.
    pub ports: BTreeMap<String, String>,
}

impl Instance {
    /// A parameter that is a plain number.
    pub(crate) fn number(&self, parameter: &str) -> Option<u64> {
        self.parameters.get(parameter)?.trim().parse().ok()
    }

    /// The parameters as they are handed over, `#(.Name(value), ...) ` or nothing; with `instead` in the place of some.
    pub(crate) fn parameter_text(&self, instead: &[(&str, u64)]) -> String {
        let of = |(name, value): (&String, &String)| {
            let other = instead.iter().find(|(n, _)| n == name);
            format!(".{name}({})", other.map_or_else(|| value.clone(), |(_, v)| v.to_string()))
        };
        let all: Vec<String> = self.parameters.iter().map(of).collect();
        if all.is_empty() { String::new() } else { format!("#({}) ", all.join(", ")) }
    }
}

/// The instances of a module and, in the place of the one of module `inner`, those in that. Parameters of `inner` that stand
/// in them are given the values they have here.
pub(crate) fn inside(outer: &[Instance], inner: &str, of_inner: &[Instance]) -> Vec<Instance> {
    let given = outer.iter().find(|i| i.module == inner).map(|i| &i.parameters);
    let resolved = |instance: &Instance| {
        let mut instance = instance.clone();
        for value in instance.parameters.values_mut() {
            if let Some(outside) = given.and_then(|g| g.get(value)) {
                value.clone_from(outside);
            }
        }
        instance
    };
    of_inner.iter().map(resolved).chain(outer.iter().filter(|i| i.module != inner).cloned()).collect()
}

/// All instances of `tw_` modules in a Verilog text, with named connections.
pub(crate) fn instances(text: &str) -> Vec<Instance> {
    let text = without_comments(text);
    let mut rest = text.as_str();
    let mut found = Vec::new();
    while let Some(at) = rest.find("tw_") {
        let begins = !rest[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "_\"$".contains(c));
        let (module, after) = word(&rest[at..]);
        match begins.then(|| instance(module, after)).flatten() {
            Some((instance, after)) => {
                found.push(instance);
                rest = after;
            }
            None => rest = after,
        }
    }
    found
}

/// The instance of `module` whose text goes on with `after`, and what follows it.
fn instance<'a>(module: &str, after: &'a str) -> Option<(Instance, &'a str)> {
    let mut after = after.trim_start();
    let mut parameters = BTreeMap::new();
    if let Some(list) = after.strip_prefix('#') {
        let (inside, rest) = parenthesised(list.trim_start())?;
        parameters = connections(inside)?;
        after = rest.trim_start();
    }
    let (name, rest) = word(after);
    let (inside, rest) = parenthesised(rest.trim_start())?;
    let rest = rest.trim_start().strip_prefix(';')?;
    let ports = connections(inside)?;
    // The header of a module looks alike, but its ports are declared and not connected.
    (!name.is_empty() && !ports.is_empty())
        .then(|| (Instance { module: module.to_owned(), name: name.to_owned(), parameters, ports }, rest))
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len()))
}

/// What stands between a parenthesis that begins the text and its partner, and what follows.
fn parenthesised(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return if i == 0 { None } else { Some((&text[1..i], &text[i + 1..])) };
        }
    }
    None
}

/// `.name(value), ...`
fn connections(mut text: &str) -> Option<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    loop {
        text = text.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        if text.is_empty() {
            return Some(all);
        }
        let (name, rest) = word(text.strip_prefix('.')?);
        let (value, rest) = parenthesised(rest.trim_start())?;
        all.insert(name.to_owned(), value.trim().to_owned());
        text = rest;
    }
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_read_and_headers_are_not() {
        let text = "module tw_core (\n  input wire clk\n);\n  // tw_not u_not (.a(b));\n  tw_fifo #(\n      .Width(8),\n      .File({`TW_MEM, \"tw_x.hex\"})\n  ) u_queue (\n      .clk(clk),\n      .in_data(data[7:0])\n  );\n  tw_plain u_plain (.clk(clk));\nendmodule\n";
        let found = instances(text);
        let names: Vec<_> = found.iter().map(|i| (i.module.as_str(), i.name.as_str())).collect();
        assert_eq!(names, [("tw_fifo", "u_queue"), ("tw_plain", "u_plain")]);
        assert_eq!(found[0].number("Width"), Some(8));
        assert_eq!(found[0].number("File"), None);
        assert_eq!(found[0].ports["in_data"], "data[7:0]");
        assert_eq!(found[0].parameter_text(&[("Width", 1)]), "#(.File({`TW_MEM, \"tw_x.hex\"}), .Width(1)) ");
        assert_eq!(found[1].parameter_text(&[]), "");
        let outer = [Instance { module: "tw_in".to_owned(), ..found[0].clone() }, found[1].clone()];
        let mut of_inner = found.clone();
        of_inner[0].parameters.insert("Depth".to_owned(), "Width".to_owned());
        let whole = inside(&outer, "tw_in", &of_inner);
        assert_eq!(whole.len(), 3);
        assert_eq!(whole[0].number("Depth"), Some(8));
    }
}
