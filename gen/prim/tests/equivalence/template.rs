//! The accumulate stage, which ships as a template: rendered here at the size of its second writing.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, context};
use tablewright_prim::Reference;

/// Renders `table.v.j2` with two banks of 4 words of 2 entries of 4 bits, the second shifted left by one, and a bias: three
/// operands, so that one of them must wait a level of the adder tree.
///
/// Written out by hand, as a reader of the template would fill it in: the program's own planning is no part of this proof.
pub(crate) fn table(template: &str, instance: &str, reference: &Reference) -> String {
    let mut environment = Environment::new();
    environment.set_syntax(
        SyntaxConfig::builder()
            .variable_delimiters("${", "}")
            .block_delimiters("<%", "%>")
            .comment_delimiters("<#", "#>")
            .line_statement_prefix("//%")
            .keep_trailing_newline(true)
            .build()
            .unwrap(),
    );
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_template("instance.v.j2", instance).unwrap();
    let bank = |index: usize| {
        let parameters = [
            ("Words", "4".to_owned()),
            ("Width", "8".to_owned()),
            ("AddressWidth", "2".to_owned()),
            ("File", format!("{{`TW_MEM, \"{}\"}}", reference.images[index].file)),
        ];
        let address = format!("in_data[{}:{}]", 2 * index + 1, 2 * index);
        let ports = [("address", address), ("data", format!("word_{index}"))];
        let memory = context! { module => "tw_rom", name => format!("u_bank_{index}"), reset => false, parameters, ports };
        context! { index, width => 8, memory }
    };
    // An entry in seven bits, of bank 1 one further up; lane 0 is the lower half of a word.
    let lane = |index: usize, bias: &str| {
        let (high, low) = (4 * index + 3, 4 * index);
        let operands = [
            format!("{{{{3{{row_0[{high}]}}}}, row_0[{high}:{low}]}}"),
            format!("{{{{2{{row_1[{high}]}}}}, row_1[{high}:{low}], 1'b0}}"),
            bias.to_owned(),
        ];
        context! { index, operands }
    };
    let values = context! {
        title => "A table",
        module => reference.cell,
        latency => 3,
        steps => 3,
        cuts => "111",
        subspaces => 2,
        words => 4,
        outputs => 2,
        bits => 4,
        sum_width => 7,
        sum_format => "s7",
        low => -27,
        high => 26,
        address_width => 2,
        code_bits => 2,
        fold => 1,
        part_bits => 0,
        filled => 0,
        style => "auto",
        planned => "auto",
        bias_file => "",
        bank_registered => false,
        in_width => 4,
        // Lane 1 is -3, lane 0 is 5.
        bias => format!("{:x}", ((128 - 3) << 7) | 5),
        tables => 1,
        packed => false,
        about => "",
        unread => "",
        banks => [bank(0), bank(1)],
        lanes => [lane(0, "bias[6:0]"), lane(1, "bias[13:7]")],
        adders => [
            context! { name => "n1_0", a => "n0_0", b => "n0_1", registered => true },
            context! { name => "n1_1", a => "n0_2", b => (), registered => true },
            context! { name => "n2_0", a => "n1_0", b => "n1_1", registered => true },
        ],
        root => "n2_0",
        memories => 0,
        held_bias => (),
    };
    let text = environment.render_str(template, values).unwrap();
    format!("`define TW_MEM \"./\"\n{text}")
}
