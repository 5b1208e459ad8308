// Balanced hash tree: one comparison a level decides the code, level 0 its highest bit.
//
// Contract: `keys` holds for each level the feature that level looks at, level 0 lowest, each Width bits signed. A key that
// is at least its node's threshold goes right (code bit 1). The code comes as many cycles later as Cuts has ones; bit l of
// Cuts says that there is a register behind level l. A new vector may come every cycle. `thresholds` stand still, in heap order
// (node m of level l at 2^l - 1 + m), lowest first, each in a slot of 2^SlotBits bits.
//
// Levels without a register between them share a cycle: each is compared with the thresholds of all nodes that can still be
// reached from the last register, and the bits found before choose among the answers. So n levels in a cycle take 2^n - 1
// comparators, and one comparison and n - 1 selections of time.
module tw_tree_encoder #(
    parameter Levels = 3,
    parameter Width = 8,
    parameter SlotBits = 3,
    parameter [Levels-1:0] Cuts = {Levels{1'b1}}
) (
    input  wire                    clk,
    input  wire                    rst_n,
    input  wire                    in_valid,
    input  wire [Levels*Width-1:0] keys,
    input  wire [((1<<Levels)-1)*(1<<SlotBits)-1:0] thresholds,
    output wire                    out_valid,
    output wire [      Levels-1:0] code
);

  localparam Slot = 1 << SlotBits;

  // Levels in front of the last register before a level: so many bits of the code are known when its cycle begins.
  function integer known_bits;
    input integer level;
    integer k;
    begin
      known_bits = 0;
      for (k = 0; k < level; k = k + 1) if (Cuts[k]) known_bits = k + 1;
    end
  endfunction

  tw_valid #(
      .Steps(Levels),
      .Cuts (Cuts)
  ) u_valid (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(in_valid),
      .out_valid(out_valid)
  );

  genvar l, m;
  generate
    for (l = 0; l < Levels; l = l + 1) begin : g_level
      localparam Known = known_bits(l);
      localparam Open = l - Known;
      wire [(1<<l)*Slot-1:0] row = thresholds[((1<<l)-1)*Slot+:(1<<l)*Slot];
      wire unused_padding = &{1'b0, row};
      wire [(Levels-l)*Width-1:0] left;
      wire signed [Width-1:0] key = left[Width-1:0];
      wire [(1<<Open)-1:0] reached;
      wire [l:0] decided;
      wire [l:0] code_out;

      for (m = 0; m < (1 << Open); m = m + 1) begin : g_node
        localparam [31:0] Own = m;
        wire signed [Width-1:0] threshold;
        if (Known == 0) begin : g_constant
          assign threshold = row[m*Slot+:Width];
        end else if (Open == 0) begin : g_chosen
          assign threshold = row[{g_level[l-1].code_out, {SlotBits{1'b0}}}+:Width];
        end else begin : g_part
          assign threshold = row[{g_level[l-1].code_out[l-1:Open], Own[Open-1:0], {SlotBits{1'b0}}}+:Width];
        end
        assign reached[m] = key >= threshold;
      end

      if (l == 0) begin : g_root
        assign left = keys;
        assign decided = reached[0];
      end else begin : g_below
        assign left = g_level[l-1].g_later.left_out;
        if (Open == 0) begin : g_alone
          assign decided = {g_level[l-1].code_out, reached[0]};
        end else begin : g_choice
          assign decided = {g_level[l-1].code_out, reached[g_level[l-1].code_out[Open-1:0]]};
        end
      end

      tw_cut #(
          .Width(l + 1),
          .Cut  (Cuts[l])
      ) u_code (
          .clk(clk),
          .in_data(decided),
          .out_data(code_out)
      );

      if (l < Levels - 1) begin : g_later
        wire [(Levels-l-1)*Width-1:0] left_out;
        tw_cut #(
            .Width((Levels - l - 1) * Width),
            .Cut  (Cuts[l])
        ) u_keys (
            .clk(clk),
            .in_data(left[(Levels-l)*Width-1:Width]),
            .out_data(left_out)
        );
      end
    end
  endgenerate

  assign code = g_level[Levels-1].code_out;

endmodule
