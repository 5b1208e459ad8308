// Balanced hash tree: one comparison a level, one level a cycle.
//
// Contract: `keys` holds for each level the feature that level looks at, level 0 lowest, each Width bits signed. The code
// comes Levels cycles later; a new vector may come every cycle. A key that is at least its node's threshold goes right
// (code bit 1); level 0 decides the highest bit. Thresholds are in heap order (node m of level l at 2^l - 1 + m), lowest
// first, each in a slot of 2^SlotBits bits.
module tw_tree_encoder #(
    parameter Levels = 3,
    parameter Width = 8,
    parameter SlotBits = 3,
    parameter [((1<<Levels)-1)*(1<<SlotBits)-1:0] Thresholds = 0
) (
    input  wire                    clk,
    input  wire                    rst_n,
    input  wire                    in_valid,
    input  wire [Levels*Width-1:0] keys,
    output wire                    out_valid,
    output wire [      Levels-1:0] code
);

  localparam Slot = 1 << SlotBits;

  genvar l;
  generate
    for (l = 0; l < Levels; l = l + 1) begin : g_level
      wire valid_d;
      wire [(Levels-l)*Width-1:0] keys_d;
      wire signed [Width-1:0] threshold;
      wire signed [Width-1:0] key = keys_d[Width-1:0];
      wire [l:0] code_d;
      reg valid_q;
      reg [l:0] code_q;

      if (l == 0) begin : g_root
        assign valid_d = in_valid;
        assign keys_d = keys;
        assign threshold = Thresholds[Width-1:0];
        assign code_d = key >= threshold;
      end else begin : g_node
        wire [(1<<l)*Slot-1:0] row = Thresholds[((1<<l)-1)*Slot+:(1<<l)*Slot];
        assign valid_d = g_level[l-1].valid_q;
        assign keys_d = g_level[l-1].g_later.keys_q;
        assign threshold = row[{g_level[l-1].code_q, {SlotBits{1'b0}}}+:Width];
        assign code_d = {g_level[l-1].code_q, key >= threshold};
      end

      always @(posedge clk) code_q <= code_d;

      always @(posedge clk) begin
        if (!rst_n) valid_q <= 1'b0;
        else valid_q <= valid_d;
      end

      if (l < Levels - 1) begin : g_later
        reg [(Levels-l-1)*Width-1:0] keys_q;
        always @(posedge clk) keys_q <= keys_d[(Levels-l)*Width-1:Width];
      end
    end
  endgenerate

  assign out_valid = g_level[Levels-1].valid_q;
  assign code = g_level[Levels-1].code_q;

endmodule
