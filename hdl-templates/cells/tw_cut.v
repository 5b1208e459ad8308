// A pipeline register, or a wire where the plan has no cut.
//
// Contract: with Cut = 1 `out_data` is what `in_data` was in the cycle before, with Cut = 0 what it is. Not reset: whether
// it means anything is said by the valid bit beside it (tw_valid).
module tw_cut #(
    parameter Width = 8,
    parameter [0:0] Cut = 1'b1
) (
    input  wire             clk,
    input  wire [Width-1:0] in_data,
    output wire [Width-1:0] out_data
);

  generate
    if (Cut) begin : g_register
      reg [Width-1:0] data;
      always @(posedge clk) data <= in_data;
      assign out_data = data;
    end else begin : g_wire
      wire unused_clk = clk;
      assign out_data = in_data;
    end
  endgenerate

endmodule
