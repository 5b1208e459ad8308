//! The `tablewright` program.
fn main() {}
