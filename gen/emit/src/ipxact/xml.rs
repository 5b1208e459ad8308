//! Elements of IP-XACT as text, indented.

use std::fmt::Write;

/// A document as it is written.
pub(super) struct Xml {
    text: String,
    depth: usize,
}

impl Xml {
    pub(super) fn new() -> Self {
        Self { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(), depth: 0 }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    /// An element with elements inside.
    pub(super) fn inside(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.inside_with(name, &[], content);
    }

    pub(super) fn inside_with(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        content: impl FnOnce(&mut Self),
    ) {
        self.line(&format!("<ipxact:{name}{}>", written(attributes)));
        self.depth += 1;
        content(self);
        self.depth -= 1;
        self.line(&format!("</ipxact:{name}>"));
    }

    /// An element with a text.
    pub(super) fn leaf(&mut self, name: &str, value: &str) {
        self.leaf_with(name, &[], value);
    }

    pub(super) fn leaf_with(&mut self, name: &str, attributes: &[(&str, &str)], value: &str) {
        let attributes = written(attributes);
        if value.is_empty() {
            self.line(&format!("<ipxact:{name}{attributes}/>"));
        } else {
            self.line(&format!("<ipxact:{name}{attributes}>{}</ipxact:{name}>", escaped(value)));
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(&"  ".repeat(self.depth));
        self.text.push_str(line);
        self.text.push('\n');
    }
}

fn written(attributes: &[(&str, &str)]) -> String {
    attributes.iter().fold(String::new(), |mut all, (name, value)| {
        let _ = write!(all, " {name}=\"{}\"", escaped(value));
        all
    })
}

/// A text or the value of an attribute, with what XML would take for markup written otherwise.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
