use tablewright_design::{lower, passes};
use tablewright_emit::{BuildDir, Origin, files, write_build};
use tablewright_model::testing::*;
use tablewright_plan::Plan;
use tablewright_verif::*;
fn main() {
    let which = std::env::args().nth(1).unwrap();
    let out = std::env::args().nth(2).unwrap();
    let model = if which == "dart" { random_model(&dart(), dart_spec(), 1) } else { random_model(&dart_s(), dart_s_spec(), 1) };
    let design = passes::optimise(&lower(&model));
    let plan = Plan::serial(&design);
    let dir = BuildDir::new(out);
    let f = files(&design, &plan, &vectors::testbench(&design, 20, 1)).unwrap();
    let origin = Origin { model: &design.name, model_bytes: &[], passes: vec![], target: "generic", cycles: (plan.latency, plan.interval) };
    write_build(&dir, &f, &origin).unwrap();
    let t = std::time::Instant::now();
    let w = vectors::windows(&design, 2000, &[], 1);
    let r = simulate(&dir, &design, &plan, &w, &Cosim { stall: 0.0, seed: 7, waves: None }, &mut |_| ()).unwrap();
    println!("{r:#?} {:?}", t.elapsed());
    let t = std::time::Instant::now();
    println!("{:?} {:?}", icarus(&dir, &design.name).unwrap(), t.elapsed());
    let t = std::time::Instant::now();
    println!("{:?} {:?}", lint(&dir).unwrap(), t.elapsed());
}
