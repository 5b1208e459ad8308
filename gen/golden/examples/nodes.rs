fn main(){
 use tablewright_design::*; use tablewright_model::testing::*;
 let d=passes::optimise(&lower(&random_model(&dart(),dart_spec(),1)));
 for (i,n) in d.iter(){
  let extra=match &n.op{ Op::Encode{encoder,groups}=>{ let (lo,hi)=match &encoder.kind{IntEncoderKind::Tree{threshold,..}=>(threshold.iter().min(),threshold.iter().max()),_=>(None,None)};
    format!("f{} c{} b{} g{} thr {:?}..{:?}",encoder.features,encoder.subspaces,encoder.code_bits,groups,lo,hi)},
   Op::Norm{unit}=>format!("cw{} vw{} rw{}",unit.centred_width,unit.variance_width,unit.rsqrt_width),
   Op::Softmax{unit}=>format!("al{} ew{} rw{} sw{}",unit.align,unit.exponent_width,unit.recip_width,unit.sum_width),
   Op::Requantise{step}=>format!("{step:?}"), Op::Gelu{unit}=>format!("is{} lift{} bw{}",unit.index_shift,unit.lift,unit.bump_width),
   Op::Lookup{table}|Op::Scores{table,..}|Op::Mix{table,..}=>format!("rows{} out{} sub{} sh{:?} bits{} bias{}",table.rows,table.outputs,table.subspaces,table.shifts,table.bits,table.bias.is_some()),
   Op::Residual{a_shift,b_shift}=>format!("{a_shift} {b_shift}"), Op::Position{shift,..}=>format!("{shift}"), _=>String::new()};
  println!("{:2} {:12} {:10} in{:?} {}x{} w{} b{} {}",i.0,n.name,n.op.kind(),n.inputs.iter().map(|x|x.0).collect::<Vec<_>>(),n.value.rows,n.value.lanes,n.value.format.width,n.value.bounds.signed_width(),extra);
 }
}
