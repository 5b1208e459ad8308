// The valid bit that goes beside the data through the steps of a pipeline.
//
// Contract: `out_valid` is `in_valid` as many cycles before as Cuts has ones: each says that there is a register behind a
// step. The registers are cleared in reset.
module tw_valid #(
    parameter Steps = 2,
    parameter [Steps-1:0] Cuts = {Steps{1'b1}}
) (
    input  wire clk,
    input  wire rst_n,
    input  wire in_valid,
    output wire out_valid
);

  function integer ones;
    input [Steps-1:0] bits;
    integer k;
    begin
      ones = 0;
      for (k = 0; k < Steps; k = k + 1) if (bits[k]) ones = ones + 1;
    end
  endfunction

  localparam Cycles = ones(Cuts);

  generate
    if (Cycles == 0) begin : g_wire
      wire unused_clock = &{1'b0, clk, rst_n};
      assign out_valid = in_valid;
    end else begin : g_registers
      reg  [Cycles-1:0] valid;
      wire [  Cycles:0] shifted = {valid, in_valid};
      assign out_valid = shifted[Cycles];
      always @(posedge clk) begin
        if (!rst_n) valid <= {Cycles{1'b0}};
        else valid <= shifted[Cycles-1:0];
      end
    end
  endgenerate

endmodule
